"""Bundles that adapters ask for (context->bundle, tests/plugins/relayed.c)."""

import json
import os
import pathlib

from bundles import create, plugin
from tap import BUILD, assert_equal, assert_in, events, main, osiris, pipeline, run_directory, step, test, write

ADAPTERS = f"{BUILD}/.libs:{BUILD}/tests/plugins/adapters/.libs"


def places(*names):
    write("osiris.yaml", json.dumps({"adapters": {name: {"adapter": "relayed", "bundle": True} for name in names}}))


def at(place, *arguments, **config):
    return {**step(*arguments, **config), "run_on": place}


def run(code=0, **env):
    result = osiris("run", "pipeline.yaml",
                    env={"OSIRIS_ADAPTER_PATH": ADAPTERS, "XDG_CACHE_HOME": os.path.abspath("cache"), **env})
    assert_equal(result.code, code, "exit code", result)
    return result


def cached():
    return sorted(path.name for path in pathlib.Path("cache/osiris/bundles").iterdir())


@test
def test_the_same_bundle_for_two_places_at_once(folder):
    """It has the drivers of the place's steps, is what `osiris bundle create` makes of them, and is in the cache once."""
    places("a", "b")
    pipeline(at("a", "one", "test.generate", "read", rows=10), at("b", "two", "test.generate", "read", rows=10),
             at("a", "save", "csv.writer", "write", needs=["one"], path="a.csv"),
             at("b", "keep", "csv.writer", "write", needs=["two"], path="b.csv"))
    run()
    made = events(run_directory(), "bundle_made")
    assert_equal(len(made), 2, "bundles")
    for bundle in made:
        assert_equal(bundle["drivers"], ["drivers/generate.so", "drivers/csv.so"], "drivers, as in driver_paths")
        assert_equal(bundle["path"], f"{folder}/cache/osiris/bundles/{bundle['hash']}.tar.gz", "path")
        assert_equal(bundle["size"], os.stat(bundle["path"]).st_size, "size")
        assert_equal(bundle["told"], True, "the description")
    assert_equal(made[0]["hash"], made[1]["hash"], "hashes")
    assert_equal(cached(), [f"{made[0]['hash']}.tar.gz"], "files of the cache")
    same = create("csv.writer", "test.generate",
                  env={"OSIRIS_DRIVER_PATH": f"{BUILD}/.libs:{BUILD}/tests/plugins/.libs"})
    assert_equal((same["sha256"], same["created"]), (made[0]["hash"], False), "the command's bundle")


@test
def test_only_the_drivers_of_the_place(folder):
    places("a")
    pipeline(step("one", "test.generate", "read", rows=10), at("a", "save", "csv.writer", "write", path="a.csv"))
    run()
    assert_equal([bundle["drivers"] for bundle in events(run_directory(), "bundle_made")], [["drivers/csv.so"]], "drivers")


@test
def test_a_bundle_that_cannot_be_made(folder):
    """The error names place and adapter."""
    places("box")
    pipeline(at("box", "one", "test.generate", "read", rows=10), at("box", "save", "csv.writer", "write", path="a.csv"))
    write("cache/osiris/bundles", "a file")
    result = run(code=1)
    for words in 'adapter "relayed": cannot make the bundle of place "box": ', "cache/osiris/bundles":
        assert_in(words, result.err, result)


main()
