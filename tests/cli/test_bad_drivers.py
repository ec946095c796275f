"""Drivers that do what they may not: crash when all is done, hang in any verb, hand over what is none."""

import pathlib

from tap import (assert_equal, assert_in, assert_no_group, events, files, main, osiris, pipeline, read,
                 run_directory, step, test)


def copy(source=None, sink=None, **top):
    """test.source → test.sink, which writes how many rows came."""
    return pipeline(step("make", "test.source", "read", **(source or {})),
                    step("save", "test.sink", "write", path="out.txt", **(sink or {})), **top)


def worker():
    return events(run_directory(), "worker_started")[0]["pid"]


def error_of(result):
    return result.json()["error"]


# Crashes.


@test
def test_a_crash_in_close_takes_nothing_back(folder):
    for troubled in ({"sink": {"at": "close", "how": "crash"}}, {"source": {"at": "close", "how": "crash"}}):
        copy(**troubled)
        result = osiris("run", "pipeline.yaml", "--out", f"records-{list(troubled)[0]}")
        assert_equal(result.code, 0, "exit code", result)
        assert_equal(read("out.txt"), "10 rows\n", "the output", result)
        assert_in("was being closed", result.err, result)
        assert_in("SIG", result.err, result)
        assert_in("published before", result.err, result)
        directory = pathlib.Path(f"records-{list(troubled)[0]}")
        assert_equal(len(events(directory, "close_failed")), 1, "close_failed events", result)
        assert_equal(events(directory, "run_error"), [], "run_error events", result)
        published = [e for e in events(directory, "artifact_created") if e["artifact_type"] == "output"]
        assert_equal([e["path"] for e in published], ["out.txt"], "published, once", result)
        pathlib.Path("out.txt").unlink()


@test
def test_what_comes_after_a_crash_in_close_runs_in_another_worker(folder):
    pipeline(step("make", "test.source", "read"),
             step("save", "test.sink", "write", ["make"], path="first.txt", at="close", how="crash"),
             step("again", "test.source", "read", ["save"], rows=7),
             step("last", "test.sink", "write", ["again"], path="last.txt"))
    result = osiris("run", "pipeline.yaml")
    assert_equal(result.code, 0, "exit code", result)
    assert_equal(files(), ["first.txt", "last.txt", "pipeline.yaml"], "files", result)
    assert_equal(read("last.txt"), "7 rows\n", "the last output", result)
    assert_equal(len(events(run_directory(), "worker_restart")), 1, "restarts", result)


@test
def test_a_crash_in_commit_is_not_to_be_repeated(folder):
    copy(sink={"at": "commit", "how": "crash"})
    result = osiris("run", "pipeline.yaml", "--json")
    assert_equal(result.code, 1, "exit code", result)
    error = error_of(result)
    assert_equal(error["retryable"], False, "retryable", result)
    assert_in("being committed (what it wrote may have been published)", error["message"], result)
    assert_equal(files(), ["pipeline.yaml"], "files", result)


if __name__ == "__main__":
    main()
