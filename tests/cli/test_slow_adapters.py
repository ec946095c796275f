"""Adapters that take their time to start a worker, to find out how one has ended, or to bring artifacts home (tests/plugins/flaky.c
does so while a file is there): nobody else waits for that, and nobody waits for it in vain."""

import json
import os
import pathlib
import signal

from tap import (BUILD, assert_equal, assert_in, assert_no_group, files, finish, interrupt, main, pipeline, read, start, step,
                 test, wait_until, write)

ADAPTERS = f"{BUILD}/.libs:{BUILD}/tests/plugins/adapters/.libs"
BEATS = {"OSIRIS_HEARTBEAT_INTERVAL_MS": "200", "OSIRIS_HEARTBEAT_TIMEOUT_MS": "1500"}

# The threads of an adapter that is left behind are no leak of ours.
SANITIZER = {"TSAN_OPTIONS": f"{os.environ.get('TSAN_OPTIONS', '')}:report_thread_leaks=0"}


def begin(held=False, env=None, **options):
    """Rows go from place b to c for some seconds, while the step in a hangs in its first attempt. The adapter of a is the slow one."""
    options = "".join(f", {name}: {str(value).lower()}" for name, value in options.items())
    write("osiris.yaml", f"adapters: {{a: {{adapter: flaky, hold: {os.getcwd()}/hold{options}}}, b: {{adapter: local}}, "
                         "c: {adapter: local}}\n")
    if held:
        write("hold", "")
    pathlib.Path("run_logs").mkdir()
    pipeline({**step("make", "test.generate", "read", rows=1500, batch_rows=10, delay_ms=20), "run_on": "b"},
             {**step("far", "csv.writer", "write", needs=["make"], path="far.csv"), "run_on": "c"},
             {**step("hang", "test.generate", "read", needs=[], rows=100, batch_rows=10, hang_after=50, attempts_file="run_logs/attempts"),
              "run_on": "a", "retry": {"max_attempts": 2, "initial_delay_ms": 1}},
             {**step("save", "csv.writer", "write", needs=["hang"], path="save.csv"), "run_on": "a"})
    return start("run", "pipeline.yaml", env={"OSIRIS_ADAPTER_PATH": ADAPTERS, **BEATS, **SANITIZER, **(env or {})})


def recorded(name, **fields):
    lines = [json.loads(line) for path in pathlib.Path("run_logs").rglob("events.jsonl")
             for line in read(path).splitlines() if line.endswith("}")]
    return [(i, e) for i, e in enumerate(lines) if e["event"] == name and fields.items() <= e.items()]


def workers(place):
    return [event["pid"] for _, event in recorded("worker_started", place=place)]


def is_held():
    return recorded("held")


def lose_worker(name="hold"):
    """Kills the worker in a; its successor, or word of its end, is held."""
    wait_until(lambda: [log for log in pathlib.Path("run_logs").rglob("debug.log") if "hanging" in read(log)], "the driver hangs")
    write(name, "")
    wait_until(lambda: workers("a"), "it is known")
    os.kill(workers("a")[0], signal.SIGKILL)
    wait_until(is_held, "the adapter is at it")


def outputs():
    return [name for name in files() if name.endswith(".csv")]


def assert_all_gone():
    for place in "abc":
        for group in workers(place):
            assert_no_group(group)


@test
def test_others_go_on(folder):
    process = begin()
    lose_worker()
    assert_equal(recorded("step_complete", step_id="far"), [], "ended")
    wait_until(lambda: recorded("step_complete", step_id="far"), "the others are done")
    assert_equal(len(workers("a")), 1, "workers that were started")
    os.unlink("hold")
    result = finish(process)
    assert_equal(result.code, 0, "exit code", result)
    assert_equal(len(read("far.csv").splitlines()), 1501, "lines")
    assert_equal(len(read("save.csv").splitlines()), 101, "lines")
    assert_equal([len(workers(place)) for place in "abc"], [2, 1, 1], "workers")
    assert_all_gone()


@test
def test_others_go_on_while_an_end_is_waited_for(folder):
    process = begin(hold_end=f"{os.getcwd()}/hold_end")
    lose_worker("hold_end")
    assert_equal(recorded("step_complete", step_id="far"), [], "ended")
    wait_until(lambda: recorded("step_complete", step_id="far"), "the others are done")
    assert_equal(recorded("worker_restart"), [], "nobody knows of it yet")
    os.unlink("hold_end")
    result = finish(process)
    assert_equal(result.code, 0, "exit code", result)
    assert_equal(len(read("far.csv").splitlines()), 1501, "lines")
    assert_equal(len(read("save.csv").splitlines()), 101, "lines")
    assert_equal([len(workers(place)) for place in "abc"], [2, 1, 1], "workers")
    assert_in("was killed by SIGKILL", recorded("step_retry")[0][1]["error"], result)
    assert_all_gone()


@test
def test_a_signal_while_an_end_is_waited_for(folder):
    process = begin(hold_end=f"{os.getcwd()}/hold_end")
    lose_worker("hold_end")
    interrupt(process)
    wait_until(lambda: recorded("step_failed", step_id="far"), "others are cancelled meanwhile")
    os.unlink("hold_end")
    result = finish(process)
    assert_equal(result.code, 130, "exit code", result)
    assert_equal(outputs(), [], "files left")
    assert_all_gone()


@test
def test_an_end_that_never_comes(folder):
    """The adapter is left behind, and with it the place: nobody else can start a worker there."""
    process = begin(hold_end=f"{os.getcwd()}/hold_end")
    lose_worker("hold_end")
    result = finish(process)
    assert_equal(result.code, 1, "exit code", result)
    assert_in('adapter "flaky" does not return; what it has created is left behind', result.err, result)
    assert_in("lost the worker", result.err, result)


@test
def test_a_call_that_does_not_return(folder):
    """The loop waits for it, but not for ever; other places end in order."""
    process = begin(hold_kill=f"{os.getcwd()}/hold_kill", env={"OSIRIS_CANCEL_GRACE_MS": "300"})
    wait_until(lambda: [log for log in pathlib.Path("run_logs").rglob("debug.log") if "hanging" in read(log)], "the driver hangs")
    write("hold_kill", "")
    os.kill(workers("a")[0], signal.SIGSTOP)
    interrupt(process)
    result = finish(process)
    assert_equal(result.code, 130, "exit code", result)
    assert_in('adapter "flaky" does not return from a call', result.err, result)
    assert_equal(outputs(), [], "files left")
    assert_all_gone()


def collecting(**options):
    """A run that has published, whose adapter is bringing artifacts home."""
    options = "".join(f", {name}: {str(value).lower()}" for name, value in options.items())
    write("osiris.yaml", f"adapters: {{a: {{adapter: flaky, hold_collect: {os.getcwd()}/hold{options}}}}}\n")
    write("hold", "")
    pathlib.Path("run_logs").mkdir()
    pipeline({**step("make", "test.generate", "read", rows=10), "run_on": "a"},
             {**step("save", "csv.writer", "write", needs=["make"], path="save.csv"), "run_on": "a"})
    process = start("run", "pipeline.yaml", env={"OSIRIS_ADAPTER_PATH": ADAPTERS, "OSIRIS_CANCEL_GRACE_MS": "300", **SANITIZER})
    wait_until(is_held, "artifacts are on their way")
    return process


@test
def test_artifacts_come_home(folder):
    process = collecting()
    os.unlink("hold")
    assert_equal(finish(process).code, 0, "exit code")
    assert_equal(outputs(), ["save.csv"], "files")


@test
def test_a_signal_while_artifacts_come_home(folder):
    process = collecting()
    interrupt(process)
    result = finish(process)
    assert_equal(result.code, 130, "exit code", result)
    assert_in("gave up", result.err, result)
    assert_equal(outputs(), ["save.csv"], "files")


@test
def test_an_adapter_that_does_not_return_from_collecting_is_left(folder):
    process = collecting(deaf=True)
    interrupt(process)
    result = finish(process)
    assert_equal(result.code, 130, "exit code", result)
    assert_in('adapter "flaky" does not return; what it has created is left behind', result.err, result)
    assert_equal(outputs(), ["save.csv"], "files")


@test
def test_a_signal_ends_it(folder):
    process = begin()
    lose_worker()
    interrupt(process)
    result = finish(process)
    assert_equal(result.code, 130, "exit code", result)
    assert "; it is killed" not in result.err and "left behind" not in result.err, result
    assert_equal(outputs(), [], "files left")
    assert_all_gone()


@test
def test_a_signal_ends_the_first_start(folder):
    process = begin(held=True)
    wait_until(is_held, "the adapter is at it")
    interrupt(process)
    result = finish(process)
    assert_equal(result.code, 130, "exit code", result)
    assert "; it is killed" not in result.err and "left behind" not in result.err, result
    assert_equal(outputs(), [], "files left")
    assert_all_gone()


@test
def test_a_failure_elsewhere_ends_it(folder):
    process = begin(held=True)
    wait_until(lambda: is_held() and workers("b"), "the adapter is at it, and another place has its worker")
    os.kill(workers("b")[0], signal.SIGKILL)
    result = finish(process)
    assert_equal(result.code, 1, "exit code", result)
    assert_in("was killed by SIGKILL", result.err, result)
    assert_all_gone()


@test
def test_an_adapter_that_does_not_listen_is_left(folder):
    process = begin(deaf=True, env={"OSIRIS_CANCEL_GRACE_MS": "300"})
    lose_worker()
    interrupt(process)
    result = finish(process)
    assert_equal(result.code, 130, "exit code", result)
    assert_in('adapter "flaky" does not return; what it has created is left behind', result.err, result)
    assert_equal(outputs(), [], "files left")
    assert_all_gone()


if __name__ == "__main__":
    main()
