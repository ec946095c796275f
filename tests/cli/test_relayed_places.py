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
def test_links_that_die_within_every_30_kb(folder):
    """No frame of a whole batch gets through: parts become smaller."""
    generate = {"rows": 3000, "batch_rows": 1000, "row_bytes": 1000}
    text = expected(**generate)
    for to_place in True, False:
        forget_run()
        places(there={"cut_every": 30000})
        across(to_place, **generate)
        run(OSIRIS_RESUME_TIMEOUT_MS="20000")
        assert take("out.csv") == text, f"{to_place}"
        assert cuts() >= 100, cuts()


@test
def test_a_place_that_is_gone(folder):
    """The adapter says so: no link is waited for."""
    places(there={"lost_after": 20000})
    across(True, rows=20000, batch_rows=500, row_bytes=60)
    result = run(code=1)
    assert_in("its place is gone or does not respond", result.err, result)
    assert result.seconds < 40, result
    assert_equal(len(events(run_directory(), "link_lost")), 1, "lost links")


def survives_silence(word):
    """The first link carries nothing home from that request on. Only the request's own bound notices."""
    places(there={"silent_at": word})
    across(True, rows=1000)
    run(OSIRIS_HEARTBEAT_INTERVAL_MS="200000", OSIRIS_HEARTBEAT_TIMEOUT_MS="600000")
    assert_equal(read("out.csv").count("\n"), 1001, "lines")
    assert_equal(len(events(run_directory(), "link_lost")), 1, "lost links")


@test
def test_a_link_that_is_dead_during_hello(folder):
    survives_silence("hello")


@test
def test_a_link_that_is_dead_during_cleanup(folder):
    survives_silence("cleanup")


@test
def test_the_end_does_not_depend_on_what_is_on_its_way(folder):
    """What carries the link drops what it has when Osiris leaves: the last acknowledgement must have arrived before."""
    os.mkdir("place")
    for options, code in ({}, 0), ({"folder": f"{folder}/place", "forget_drivers": True}, 1):
        places(there={"delay_ms": 5, "impatient": True, **options})
        across(False, rows=1000)
        run(code=code)
        assert_equal([m["value"] for m in metrics(run_directory(), "ends_asked_for")], [0], f"{options}: signals")
        forget_run()


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
