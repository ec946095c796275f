"""Links that break between osiris and a worker that can be reached again (tests/plugins/flaky.c): the run goes on with nothing
lost and nothing twice, or ends within its bound, clearly. OSIRIS_TEST_CUTS asks for more cuts than `make check` makes."""

import json
import os
import pathlib
import shutil
import signal

from tap import (BUILD, SANITIZED, assert_equal, assert_in, assert_no_group, events, files, finish, interrupt, main,
                 metrics, osiris, pipeline, read, run_directory, start, step, temporary_folders, test, wait_until,
                 write)

ADAPTERS = f"{BUILD}/.libs:{BUILD}/tests/plugins/adapters/.libs"
CUTS = int(os.environ.get("OSIRIS_TEST_CUTS", "100" if SANITIZED else "400"))


def places(**options):
    """osiris.yaml: each place a flaky one with these options."""
    text = "adapters:\n"
    for name, values in options.items():
        text += f"  {name}:\n    adapter: flaky\n"
        text += "".join(f"    {key}: {str(value).lower()}\n" for key, value in values.items())
    write("osiris.yaml", text)


def at(place, *arguments, **config):
    return {**step(*arguments, **config), "run_on": place}


def across(**generate):
    """An extractor in one place, its writers in that and another."""
    pipeline(at("a", "make", "test.generate", "read", **generate),
             at("a", "near", "csv.writer", "write", needs=["make"], path="near.csv"),
             at("b", "far", "csv.writer", "write", needs=["make"], path="far.csv"))


def inside(**generate):
    pipeline(at("a", "make", "test.generate", "read", **generate),
             at("a", "save", "csv.writer", "write", path="out.csv"))


def run(*arguments, code=0, **env):
    result = osiris("run", "pipeline.yaml", *arguments, env={"OSIRIS_ADAPTER_PATH": ADAPTERS, **env})
    assert_equal(result.code, code, "exit code", result)
    return result


def begin(**env):
    return start("run", "pipeline.yaml", env={"OSIRIS_ADAPTER_PATH": ADAPTERS, **env})


def cuts(directory=None):
    return int(sum(m["value"] for m in metrics(directory or run_directory(), "link_cuts")))


def forget_run():
    shutil.rmtree("run_logs")


def outputs():
    return [name for name in files() if name not in ("pipeline.yaml", "osiris.yaml")]


def workers_are_gone(directory=None):
    for event in events(directory or run_directory(), "worker_started"):
        assert_no_group(event["pid"])


def each_once(steps, rows):
    """The records know of everything once."""
    directory = run_directory()
    for kind in ("step_start", "step_complete"):
        assert_equal(sorted(e["step_id"] for e in events(directory, kind)), sorted(steps), kind)
    published = [e["path"] for e in events(directory, "artifact_created") if e["artifact_type"] == "output"]
    assert_equal(len(published), len(set(published)), f"outputs {published}")
    for metric in metrics(directory, "rows_written"):
        assert_equal(metric["value"], rows, "rows written")
    assert_equal(len(events(directory, "worker_started")), len(metrics(directory, "link_cuts")), "workers")
    assert_equal(temporary_folders(), [], "temporary files")


def uncut(**generate):
    """What the run gives when nothing breaks."""
    places(a={}, b={})
    across(**generate)
    run()
    assert_equal(cuts(), 0, "cuts")
    forget_run()
    expected = read("near.csv")
    assert_equal(read("far.csv"), expected, "far.csv")
    for name in ("near.csv", "far.csv"):
        os.unlink(name)
    return expected


def same_in_spite_of_cuts(expected, options, wanted, generate):
    """Runs until there were so many cuts; returns how many there were."""
    done = seed = 0
    while done < wanted:
        seed += 1
        places(a={**options, "seed": seed}, b={**options, "seed": 1000 + seed})
        across(**generate)
        run()
        done += cuts()
        for name in ("near.csv", "far.csv"):
            assert read(name) == expected, f"{name} differs after {done} cuts, seed {seed}"
            os.unlink(name)
        each_once(("make", "near", "far"), expected.count("\n") - 1)
        workers_are_gone()
        forget_run()
    return done


@test
def test_cuts_before_in_and_behind_every_frame(folder):
    """hello, prepare, execute_step, batches, credits, commit, publish, cleanup, their answers, and the greetings."""
    generate = {"rows": 3000, "batch_rows": 100}
    expected = uncut(**generate)
    same_in_spite_of_cuts(expected, {"mode": "frames"}, CUTS // 2, generate)


@test
def test_cuts_at_random_bytes(folder):
    generate = {"rows": 20000, "batch_rows": 500, "row_bytes": 60}
    expected = uncut(**generate)
    same_in_spite_of_cuts(expected, {"mode": "bytes"}, CUTS // 2, generate)


@test
def test_cuts_over_tcp_with_compression(folder):
    generate = {"rows": 5000, "batch_rows": 500, "row_bytes": 60}
    expected = uncut(**generate)
    same_in_spite_of_cuts(expected, {"mode": "bytes", "tcp": True, "remote": True}, CUTS // 20, generate)


def fails(code=1, **env):
    result = run(code=code, **env)
    assert_equal(outputs(), [], "files left", result)
    workers_are_gone()
    return result


@test
def test_a_driver_that_fails_under_cuts(folder):
    """Errors and aborts come through, too."""
    places(a={"mode": "frames"}, b={"mode": "frames", "seed": 2})
    across(rows=100000, batch_rows=100, fail_after=2000)
    result = fails()
    assert_in("failed on purpose after 2000 rows", result.err, result)
    assert cuts() > 30, cuts()


def hanging(**env):
    """A running osiris whose extractor waits for an interrupt."""
    process = begin(OSIRIS_CANCEL_GRACE_MS="5000", **env)
    wait_until(lambda: [log for log in pathlib.Path("run_logs").rglob("debug.log") if "hanging" in read(log)],
               "the driver hangs")
    return process


@test
def test_a_cancel_under_cuts(folder):
    places(a={"mode": "frames"}, b={"mode": "frames", "seed": 2})
    across(rows=1000, batch_rows=100, hang_after=500)
    process = hanging()
    interrupt(process)
    result = finish(process)
    assert_equal(result.code, 130, "exit code", result)
    assert "killed" not in result.err, result
    assert_equal(outputs(), [], "files left", result)
    workers_are_gone()


@test
def test_a_link_that_never_comes_back(folder):
    """Wherever it breaks: while greeting, preparing, running."""
    for cut_after in (0, 1, 2, 5):
        places(a={"cut_after": cut_after, "then": "never_again"})
        inside(rows=1000, hang_after=500, batch_rows=100)
        result = fails(OSIRIS_RESUME_TIMEOUT_MS="500")
        assert_in("the link could not be re-established within 500 ms", result.err, result)
        assert result.seconds < 30, result
        directory = run_directory()
        error = json.loads(read(directory / "status.json"))["error"]
        assert_equal((error["type"], error["retryable"]), ("WorkerCrashError", True), "the error")
        assert_equal(temporary_folders(), [], "temporary files")
        forget_run()


@test
def test_a_worker_that_dies_while_its_link_is_down(folder):
    places(a={"cut_after": 6, "then": "kill"})
    inside(rows=1000, hang_after=500, batch_rows=100)
    result = fails()
    assert_in("the worker was killed by SIGKILL", result.err, result)
    assert result.seconds < 30, result


@test
def test_a_cancel_while_the_link_is_down(folder):
    places(a={"cut_after": 6, "down_ms": 600000})
    inside(rows=1000, hang_after=500, batch_rows=100)
    process = begin(OSIRIS_CANCEL_GRACE_MS="1000")
    wait_until(lambda: [f for f in pathlib.Path("run_logs").rglob("osiris.log") if "is lost" in read(f)],
               "the link is lost")
    interrupt(process)
    result = finish(process)
    assert_equal(result.code, 130, "exit code", result)
    assert result.seconds < 30, result
    assert_equal(outputs(), [], "files left", result)
    workers_are_gone()


@test
def test_half_open_links(folder):
    """Nothing comes any more and nobody says so: the link is given up and made again, the run goes on."""
    expected = uncut(rows=3000, batch_rows=100)
    for silent in ("both", "to_worker", "from_worker"):
        for after in (0, 20):
            places(a={"silent_after": after, "silent": silent}, b={})
            across(rows=3000, batch_rows=100)
            result = run(OSIRIS_HEARTBEAT_INTERVAL_MS="100", OSIRIS_HEARTBEAT_TIMEOUT_MS="300")
            assert_equal(read("far.csv"), expected, f"far.csv, {silent} silent after {after} frames", result)
            assert len(events(run_directory(), "link_resumed")) >= 1, result
            forget_run()


@test
def test_a_stopped_worker_is_given_up(folder):
    """Its socket takes connections, but nobody answers."""
    places(a={})
    inside(rows=1000, hang_after=500, batch_rows=100)
    process = hanging(OSIRIS_HEARTBEAT_INTERVAL_MS="100", OSIRIS_HEARTBEAT_TIMEOUT_MS="400",
                      OSIRIS_RESUME_TIMEOUT_MS="1500")
    worker = wait_until(lambda: events(run_directory(), "worker_started"), "the worker is there")[0]["pid"]
    assert worker > 1, worker
    os.kill(worker, signal.SIGSTOP)
    result = finish(process)
    assert_equal(result.code, 1, "exit code", result)
    assert_in("the link could not be re-established within 1500 ms", result.err, result)
    assert_no_group(worker)
    assert_equal(outputs(), [], "files left", result)


@test
def test_strangers_are_shown_out(folder):
    """They come before the first link and before each other one; the session goes on with its own peer alone."""
    generate = {"rows": 2000, "batch_rows": 100}
    expected = uncut(**generate)
    places(a={"strangers": True, "mode": "frames", "cuts": 10}, b={"strangers": True, "tcp": True})
    across(**generate)
    run()
    assert_equal(read("far.csv"), expected, "far.csv")
    counts = {name: sum(m["value"] for m in metrics(run_directory(), name))
              for name in ("strangers", "strangers_heard")}
    assert counts["strangers"] >= 50, counts
    assert_equal(counts["strangers_heard"], 0, "strangers that were answered")


@test
def test_a_producer_without_a_link_is_bounded(folder):
    """It could make gigabytes while nobody takes them: credits bound what it and osiris keep."""
    places(a={"mode": "bytes", "cuts": 6, "down_ms": 200, "seed": 3}, b={"mode": "bytes", "cuts": 4, "down_ms": 200})
    pipeline(at("a", "make", "test.generate", "read", rows=300000, batch_rows=1000, row_bytes=1000),
             at("b", "take", "test.collect", "write", path="out.txt"))
    process = begin()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert_equal(process.returncode, 0, "exit code", read("err"))
    assert_equal([m["value"] for m in metrics(run_directory(), "rows_written")], [300000], "rows written")
    assert cuts() >= 6, cuts()
    # 300 MB cross; the largest process of the run, workers included. A sanitizer's memory is its own.
    assert SANITIZED or usage.ru_maxrss < 100 << 10, f"{usage.ru_maxrss >> 10} MiB"


if __name__ == "__main__":
    main()
