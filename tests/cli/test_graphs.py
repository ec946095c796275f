"""Graphs of steps: several readers, several sources, diamonds that would deadlock without spilling, groups."""

import json
import pathlib

from tap import (assert_equal, assert_in, events, files, main, metrics, osiris, pipeline, read, run_directory, step,
                 temporary_folders, test)


def runs(*arguments, code=0):
    result = osiris("run", "pipeline.yaml", *arguments)
    assert_equal(result.code, code, "exit code", result)
    return result


def lines(path):
    return read(path).splitlines()


@test
def test_two_writers_of_one_stream(folder):
    pipeline(step("make", "test.generate", "read", rows=5000),
             step("one", "csv.writer", "write", needs=["make"], path="one.csv"),
             step("two", "csv.writer", "write", needs=["make"], path="two.csv"))
    runs()
    assert_equal(len(lines("one.csv")), 5001, "lines")
    assert_equal(read("one.csv"), read("two.csv"), "the copies")


@test
def test_two_sources_into_one_step(folder):
    pipeline(step("left", "test.generate", "read", rows=3000),
             step("right", "test.generate", "read", needs=[], rows=2000),
             step("both", "test.join", "transform", needs=["left", "right"]),
             step("save", "csv.writer", "write", needs=["both"], path="out.csv"))
    runs()
    assert_equal(len(lines("out.csv")), 5001, "lines")


@test
def test_diamond_that_reads_one_side_first(folder):
    # 64 MiB on each side, far beyond the bounds of both queues and of memory for elastic edges.
    pipeline(step("make", "test.generate", "read", rows=65536, row_bytes=1024),
             step("a", "test.pass", "transform", needs=["make"]),
             step("b", "test.pass", "transform", needs=["make"]),
             step("join", "test.join", "transform", needs=["a", "b"]),
             step("save", "test.collect", "write", needs=["join"], path="out.txt"))
    result = osiris("compile", "pipeline.yaml")
    assert_equal(result.code, 0, "exit code", result)
    plan = json.loads(read(next(pathlib.Path("build").rglob("plan.json"))))
    modes = {(edge["from"], edge["to"]): edge["mode"] for edge in plan["edges"]}
    assert_equal(modes, {("make", "a"): "elastic", ("make", "b"): "elastic",
                         ("a", "join"): "elastic", ("b", "join"): "elastic",
                         ("join", "save"): "bounded"}, "modes of the edges")
    runs()
    counts = metrics(run_directory(), "rows_written")
    assert_equal([m["value"] for m in counts], [131072], "rows written")
    assert_equal(temporary_folders(), [], "spill files")


@test
def test_pairs_in_a_row_run_one_after_another(folder):
    pipeline(step("make-a", "test.generate", "read", rows=10),
             step("save-a", "csv.writer", "write", path="a.csv"),
             step("make-b", "test.generate", "read", rows=20),
             step("save-b", "csv.writer", "write", path="b.csv"))
    runs()
    assert_equal((len(lines("a.csv")), len(lines("b.csv"))), (11, 21), "lines")
    order = [(e["event"], e["step_id"]) for e in events(run_directory())
             if e["event"] in ("step_start", "artifact_created")
             and e.get("artifact_type", "output") == "output"]
    assert order.index(("artifact_created", "save-a")) < order.index(("step_start", "make-b")), order


@test
def test_what_a_group_published_stays_when_a_later_one_fails(folder):
    pipeline(step("make-a", "test.generate", "read", rows=10),
             step("save-a", "csv.writer", "write", path="a.csv"),
             step("make-b", "test.generate", "read", rows=1000, batch_rows=100, fail_after=500),
             step("save-b", "csv.writer", "write", path="b.csv"))
    runs(code=1)
    assert_equal(files(), ["a.csv", "pipeline.yaml"], "files")


@test
def test_no_writer_of_a_group_publishes_if_one_fails(folder):
    pipeline(step("make", "test.generate", "read", rows=10000, batch_rows=100),
             step("good", "csv.writer", "write", needs=["make"], path="good.csv"),
             step("bad", "test.collect", "write", needs=["make"], path="bad.txt", fail_after=5000))
    result = runs(code=1)
    assert_in("bad", result.err, result)
    assert_equal(files(), ["pipeline.yaml"], "files")


@test
def test_a_failing_commit_fails_the_run(folder):
    pipeline(step("make", "test.generate", "read", rows=10),
             step("save", "test.collect", "write", path="out.txt", commit_fail=True))
    runs(code=1)
    assert_equal(files(), ["pipeline.yaml"], "files")


@test
def test_a_reader_that_stops_early_ends_its_producer(folder):
    pipeline(step("make", "test.generate", "read", rows=100000000, batch_rows=1000),
             step("save", "test.collect", "write", path="out.txt", stop_after=5000))
    result = runs()
    assert result.seconds < 60, result
    assert pathlib.Path("out.txt").exists()


@test
def test_zero_rows(folder):
    pipeline(step("make", "test.generate", "read", rows=0),
             step("save", "csv.writer", "write", path="out.csv"))
    runs()
    assert_equal(len(lines("out.csv")), 1, "lines: the header")


@test
def test_both_names_of_the_csv_writer(folder):
    pipeline(step("make", "test.generate", "read", rows=5),
             step("one", "csv.writer", "write", needs=["make"], path="one.csv"),
             step("two", "filesystem.csv_writer", "write", needs=["make"], path="two.csv"))
    runs()
    assert_equal(read("one.csv"), read("two.csv"), "the copies")


if __name__ == "__main__":
    main()
