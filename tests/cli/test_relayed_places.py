"""Places behind two pipes (tests/plugins/relayed.c): a channel of two descriptors, the paths of the place, bundles for it, and links that
are slow, break often, or end on one side only."""

import json
import os
import pathlib
import shutil

from tap import (BUILD, SANITIZED, assert_equal, assert_in, assert_no_group, events, files, main, metrics, osiris, pipeline, read,
                 run_directory, step, temporary_folders, test, write)

ADAPTERS = f"{BUILD}/.libs:{BUILD}/tests/plugins/adapters/.libs"


def places(**options):
    """osiris.yaml: each place a relayed one with these options."""
    write("osiris.yaml", json.dumps({"adapters": {name: {"adapter": "relayed", **values} for name, values in options.items()}}))


def at(place, *arguments, **config):
    return {**step(*arguments, **config), "run_on": place}


def run(*arguments, code=0, **env):
    result = osiris("run", "pipeline.yaml", *arguments, env={"OSIRIS_ADAPTER_PATH": ADAPTERS, **env})
    assert_equal(result.code, code, "exit code", result)
    for event in events(run_directory(), "worker_started"):
        assert_no_group(event["pid"])
    assert_equal(temporary_folders(), [], "temporary files")
    return result


def across(to_place, **generate):
    """An extractor at home and a writer in the place, or the other way round."""
    here, there = ("local", "there") if to_place else ("there", "local")
    pipeline(at(here, "make", "test.generate", "read", **generate),
             at(there, "save", "csv.writer", "write", needs=["make"], path=f"{os.getcwd()}/out.csv"))


def expected(**generate):
    pipeline(step("make", "test.generate", "read", **generate), step("save", "csv.writer", "write", path="plain.csv"))
    run()
    return take("plain.csv")


def take(name):
    text = read(name)
    os.unlink(name)
    return text


def cuts():
    return int(sum(m["value"] for m in metrics(run_directory(), "link_cuts")))


def forget_run():
    shutil.rmtree("run_logs")


@test
def test_two_descriptors(folder):
    generate = {"rows": 20000, "batch_rows": 500, "row_bytes": 60}
    text = expected(**generate)
    for form in "pipes", "sockets", "socket":
        for to_place in True, False:
            forget_run()
            places(there={"form": form})
            across(to_place, **generate)
            run()
            assert take("out.csv") == text, f"{form} {to_place}"
            assert_equal(events(run_directory(), "link_lost"), [], "lost links")


@test
def test_links_of_every_form_follow_each_other(folder):
    generate = {"rows": 20000, "batch_rows": 500, "row_bytes": 60}
    text = expected(**generate)
    for to_place in True, False:
        forget_run()
        places(there={"form": "in_turn", "cut_every": 200000})
        across(to_place, **generate)
        run()
        assert take("out.csv") == text, f"{to_place}"
        assert cuts() >= 6, cuts()


@test
def test_one_side_that_ends_is_a_broken_link(folder):
    """Nothing tells it but the descriptor itself: heartbeats would notice after minutes."""
    generate = {"rows": 20000, "batch_rows": 500, "row_bytes": 60}
    text = expected(**generate)
    for half in "input", "output":
        for form in "pipes", "sockets":
            for to_place in True, False:
                forget_run()
                places(there={"form": form, "half": half})
                across(to_place, **generate)
                result = run(OSIRIS_HEARTBEAT_INTERVAL_MS="200000", OSIRIS_HEARTBEAT_TIMEOUT_MS="600000")
                assert take("out.csv") == text, f"{half} {form} {to_place}"
                assert_equal(len(events(run_directory(), "link_resumed")), 1, f"{half} {form} {to_place}: links", result)
                assert result.seconds < 60, result


@test
def test_paths_are_those_of_the_place(folder):
    os.mkdir("place")
    places(there={"folder": f"{folder}/place"})
    pipeline(at("there", "make", "test.generate", "read", rows=10, leave="kept.txt", scratch=True),
             at("there", "save", "csv.writer", "write", needs=["make"], path="in-the-place.csv"))
    run()
    place = pathlib.Path("place")
    assert_equal(read(place / "in-the-place.csv").count("\n"), 11, "lines of the output")
    assert_equal(sorted(str(p.relative_to(place)) for p in place.rglob("*") if p.is_file() and p.suffix != ".so"),
                 ["artifacts/make/kept.txt", "in-the-place.csv"], "files of the place")
    directory = run_directory()
    assert not (directory / "artifacts/make/kept.txt").exists(), "an artifact that nobody has brought home"
    loaded = [f for f in files("place") if f.endswith(".so")]
    assert_equal(len(loaded), 2, f"drivers {loaded}")


@test
def test_an_adapter_of_version_1_1(folder):
    write("osiris.yaml", json.dumps({"adapters": {"there": {"adapter": "older", "local": f"{BUILD}/.libs/local.so"}}}))
    across(True, rows=1000)
    run()
    assert_equal(read("out.csv").count("\n"), 1001, "lines")


@test
def test_a_driver_that_is_not_there(folder):
    os.mkdir("place")
    places(there={"folder": f"{folder}/place", "forget_drivers": True})
    pipeline(at("there", "make", "test.generate", "read", rows=10), at("there", "save", "csv.writer", "write", path="out.csv"))
    result = run(code=1)
    assert_in(f"{folder}/place/0-generate.so", result.err, result)


if __name__ == "__main__":
    main()
