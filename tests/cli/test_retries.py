"""Steps that are late, and groups that are repeated: `timeout` and `retry` of a step, --timeout of a run."""

import json
import os
import pathlib
import signal

from tap import (assert_equal, assert_in, assert_no_group, events, files, finish, interrupt, main, metrics, osiris,
                 pipeline, read, run_directory, start, step, temporary_folders, test, wait_until, write)

QUICK = {"max_attempts": 3, "initial_delay_ms": 1}


def keys(**keys):
    return {name: value for name, value in keys.items() if value is not None}


def make(id="make", retry=None, timeout=None, bad_attempts=1, needs=None, **config):
    """An extractor whose faults pass after some attempts."""
    return {**step(id, "test.generate", "read", needs=needs, attempts_file=f"run_logs/{id}.attempts",
                   bad_attempts=bad_attempts, **config), **keys(retry=retry, timeout=timeout)}


def save(id="save", component="csv.writer", needs=("make",), retry=None, timeout=None, **config):
    if component != "csv.writer":
        config.setdefault("attempts_file", f"run_logs/{id}.attempts")
    return {**step(id, component, "write", needs=list(needs), path=f"{id}.out", **config),
            **keys(retry=retry, timeout=timeout)}


def attempts(id):
    path = pathlib.Path(f"run_logs/{id}.attempts")
    return len(read(path)) if path.exists() else 0


def forget_attempts():
    for path in pathlib.Path("run_logs").glob("*.attempts"):
        path.unlink()


def run(*arguments, code=0, env=None):
    pathlib.Path("run_logs").mkdir(exist_ok=True)
    result = osiris("run", "pipeline.yaml", *arguments, env=env)
    assert_equal(result.code, code, "exit code", result)
    return result


def retries():
    return events(run_directory(), "step_retry")


def workers():
    return [event["pid"] for event in events(run_directory(), "worker_started")]


def outputs():
    return [name for name in files() if name != "pipeline.yaml"]


def nothing_left():
    assert_equal(outputs(), [], "files left")
    assert_equal(temporary_folders(), [], "temporary files")


def counts(name, step_id):
    return [m["value"] for m in metrics(run_directory(), name) if m.get("tags", {}).get("step") == step_id]


def expect_rows(path, rows):
    assert_equal(len(read(path).splitlines()), rows + 1, f"lines of {path}")


# Repeating.

@test
def test_a_fault_that_passes(folder):
    pipeline(make(retry=QUICK, rows=100, batch_rows=10, fail_after=50, bad_attempts=2, retryable=True), save())
    result = run("--json").json()
    assert_equal(result["status"], "success", "status")
    assert_equal({id: (s["status"], s["attempts"], s["rows"]) for id, s in result["steps"].items()},
                 {"make": ("success", 3, 100), "save": ("success", 3, 100)}, "steps")
    assert "error" not in result["steps"]["make"], result
    expect_rows("save.out", 100)
    assert_equal([(e["step_id"], e["attempt"], e["max_attempts"], e["error_type"]) for e in retries()],
                 [("make", 1, 3, "data"), ("make", 2, 3, "data")], "step_retry")
    assert_in("failed on purpose after 50 rows", retries()[0]["error"])
    directory = run_directory()
    assert_equal(events(directory, "step_failed"), [], "step_failed")
    assert_equal([e["attempt"] for e in events(directory, "step_start") if e["step_id"] == "make"], [1, 2, 3], "starts")
    for name, id in (("rows_read", "make"), ("rows_written", "save")):
        assert_equal(counts(name, id), [100], name)
    assert_equal([m["value"] for m in metrics(directory, "steps_completed")], [2], "steps_completed")
    assert_equal(len(workers()), 1, "workers")


@test
def test_a_step_that_was_not_reached_before_the_fault(folder):
    pipeline(make("one", retry=QUICK, rows=10, batch_rows=1, fail_after=5, retryable=True),
             {**step("two", "test.generate", "read", needs=["one"], rows=10), "retry": QUICK},
             step("join", "test.join", "transform", needs=["one", "two"]), save(needs=["join"]))
    result = run("--json").json()
    assert_equal({id: (s["status"], s["attempts"]) for id, s in result["steps"].items()},
                 {id: ("success", 2) for id in ("one", "two", "join", "save")}, "steps")
    assert_equal(len(workers()), 1, "workers")


@test
def test_what_a_person_sees(folder):
    pipeline(make(retry=QUICK, fail_after=5, batch_rows=5, retryable=True), save())
    result = run()
    assert_in("make: attempt 1 of 3 failed: ", result.err, result)
    assert_in("attempts   make: 2", result.out, result)


@test
def test_a_fault_that_does_not_pass(folder):
    pipeline(make(retry=QUICK, fail_after=5, batch_rows=5, bad_attempts=99, retryable=True), save())
    result = run(code=1)
    assert_in('step "make" (test.generate) at pipeline.yaml:', result.err, result)
    assert_equal(attempts("make"), 3, "attempts")
    assert_equal([e["attempt"] for e in retries()], [1, 2], "step_retry")
    assert_equal({e["step_id"]: e["error_type"] for e in events(run_directory(), "step_failed")},
                 {"make": "data", "save": "cancelled"}, "step_failed")
    nothing_left()


@test
def test_the_step_that_failed_decides(folder):
    pipeline(make(fail_after=5, batch_rows=5, retryable=True), save(retry=QUICK))
    run(code=1)
    assert_equal(attempts("make"), 1, "attempts of a step without retry in a group of one that has it")
    assert_equal(retries(), [], "step_retry")


@test
def test_only_errors_that_may_pass(folder):
    pipeline(make(retry=QUICK, fail_after=5, batch_rows=5), save())
    run(code=1)
    assert_equal(attempts("make"), 1, "attempts")


@test
def test_errors_that_the_step_names(folder):
    pipeline(make(retry={**QUICK, "on_errors": ["data"]}, fail_after=5, batch_rows=5), save())
    run()
    assert_equal(attempts("make"), 2, "attempts")


@test
def test_errors_that_the_step_excludes(folder):
    pipeline(make(retry={**QUICK, "skip_on_errors": ["data"]}, fail_after=5, batch_rows=5, retryable=True), save())
    run(code=1)
    assert_equal(attempts("make"), 1, "attempts")


@test
def test_a_writers_fault_repeats_its_extractor(folder):
    pipeline(make(rows=1000, batch_rows=10, bad_attempts=0),
             save(component="test.collect", retry=QUICK, fail_after=1000, retryable=True))
    result = run("--json").json()
    assert_equal([attempts("make"), attempts("save")], [2, 2], "attempts")
    # The extractor had ended well already, perhaps.
    assert_equal(counts("rows_read", "make"), [1000], "rows_read")
    assert_equal([m["value"] for m in metrics(run_directory(), "steps_completed")], [2], "steps_completed")
    assert_equal(result["steps"]["make"]["rows"], 1000, "rows")


@test
def test_results_are_those_of_a_run_without_faults(folder):
    pipeline(make(rows=5000, batch_rows=100, bad_attempts=0), save(), name="good")
    run()
    expected = read("save.out")
    os.unlink("save.out")
    forget_attempts()
    pipeline(make(retry=QUICK, rows=5000, batch_rows=100, fail_after=3000, retryable=True), save(), name="bad")
    run()
    assert read("save.out") == expected, "the files differ"


@test
def test_groups_that_have_committed_stay(folder):
    pipeline(make("first", rows=10, bad_attempts=0), save("one", needs=["first"]),
             make("second", needs=["one"], retry=QUICK, rows=20, batch_rows=10, crash_after=10), save("two", needs=["second"]))
    run()
    assert_equal([attempts("first"), attempts("second")], [1, 2], "attempts")
    expect_rows("one.out", 10)
    expect_rows("two.out", 20)


@test
def test_groups_beside_it_go_on(folder):
    pipeline(make("bad", needs=[], retry=QUICK, batch_rows=5, fail_after=5, retryable=True), save("one", needs=["bad"]),
             make("good", needs=[], bad_attempts=0, rows=200, batch_rows=10, delay_ms=5), save("two", needs=["good"]))
    run()
    assert_equal([attempts("bad"), attempts("good")], [2, 1], "attempts")


@test
def test_a_commit_is_never_repeated(folder):
    pipeline(make(bad_attempts=0), save(component="test.collect", commit_fail=True,
                                        retry={**QUICK, "on_errors": ["permission"]}))
    run(code=1)
    assert_equal(attempts("make"), 1, "attempts")
    nothing_left()


LONG = {"initial_delay_ms": 100000, "max_delay_ms": 100000}


@test
def test_a_cancel_ends_the_wait(folder):
    pipeline(make(retry=LONG, fail_after=5, batch_rows=5, retryable=True), save())
    pathlib.Path("run_logs").mkdir()
    process = start("run", "pipeline.yaml")
    wait_until(lambda: "attempt 1 of 3" in read("err"), "the first attempt has failed")
    interrupt(process)
    result = finish(process)
    assert_equal(result.code, 130, "exit code", result)
    assert result.seconds < 50, result
    os.unlink("run_logs/make.attempts")
    assert_equal(json.loads(read(run_directory() / "status.json"))["status"], "cancelled", "status")
    nothing_left()


@test
def test_a_seed_repeats_the_delays(folder):
    retry = {"max_attempts": 5, "backoff": "linear", "initial_delay_ms": 10, "jitter": 0.9}
    delays = []
    for seed in ("5", "5", "6"):
        pipeline(make(retry=retry, fail_after=5, batch_rows=5, bad_attempts=4, retryable=True), save(),
                 name=f"seed-{len(delays)}")
        run(env={"OSIRIS_RETRY_SEED": seed})
        found = run_directory(f"seed-{len(delays)}")
        delays.append([e["delay_ms"] for e in events(found, "step_retry")])
        forget_attempts()
    assert_equal(delays[0], delays[1], "delays")
    assert delays[0] != delays[2], delays
    for number, delay in enumerate(delays[0], 1):
        assert number - 1 <= delay <= number * 19, delays[0]


# Workers that die.

@test
def test_a_crash_is_repeated_with_another_worker(folder):
    for name, fault in (("segv", "crash_after"), ("exit", "exit_after")):
        pipeline(make(retry=QUICK, rows=100, batch_rows=10, leave="something", **{fault: 50}), save(), name=name)
        run()
        found = run_directory(name)
        retry = events(found, "step_retry")
        assert_equal([(e["step_id"], e["error_type"]) for e in retry], [("make", "WorkerCrashError")], "step_retry")
        pids = [e["pid"] for e in events(found, "worker_started")]
        assert_equal(len(set(pids)), 2, "workers")
        expect_rows("save.out", 100)
        left = [p.name for p in (found / "artifacts" / "make").iterdir()]
        assert_equal(sorted(left), ["cleaned_config.json", "something"], "artifacts")
        for pid in pids:
            assert_no_group(pid)
        os.unlink("save.out")
        forget_attempts()


@test
def test_leftovers_of_an_attempt_are_gone(folder):
    """In the same worker; the driver dies of what it finds."""
    pipeline(make(retry=QUICK, rows=100, batch_rows=10, leave="something", fail_after=50, retryable=True), save())
    run()
    assert_equal(len(workers()), 1, "workers")


@test
def test_artifacts_of_others_stay(folder):
    """--out names a folder in which there is something already."""
    write("records/artifacts/make/precious", "mine\n")
    pipeline(make(retry=QUICK, batch_rows=5, leave="something", fail_after=5, bad_attempts=2, retryable=True), save())
    run("--out", "records")
    assert_equal(attempts("make"), 3, "attempts")
    assert_equal(read("records/artifacts/make/precious"), "mine\n", "the file that was there before")


@test
def test_crashes_are_bounded(folder):
    pipeline(make(retry=QUICK, batch_rows=5, crash_after=5, bad_attempts=99), save())
    result = run(code=1)
    assert_in("SIGSEGV", result.err, result)
    assert_equal(attempts("make"), 3, "attempts")
    assert_equal(len(workers()), 3, "workers")
    nothing_left()


@test
def test_a_crash_of_a_step_that_does_not_want_another_attempt(folder):
    pipeline(make(retry={**QUICK, "skip_on_errors": ["WorkerCrashError"]}, batch_rows=5, crash_after=5), save())
    run(code=1)
    assert_equal(attempts("make"), 1, "attempts")


@test
def test_a_crash_takes_all_groups_of_the_worker_along(folder):
    """The other one hangs in its first attempt."""
    pipeline(make("bad", needs=[], retry=QUICK, batch_rows=5, crash_after=5, delay_ms=50), save("one", needs=["bad"]),
             make("other", needs=[], retry=QUICK, batch_rows=5, hang_after=0), save("two", needs=["other"]))
    run()
    assert_equal(attempts("bad"), 2, "attempts")
    expect_rows("one.out", 10)
    expect_rows("two.out", 10)


@test
def test_a_group_that_is_not_to_be_repeated_ends_the_run(folder):
    pipeline(make("bad", needs=[], retry=QUICK, batch_rows=5, crash_after=5, delay_ms=50), save("one", needs=["bad"]),
             make("other", needs=[], batch_rows=5, hang_after=0), save("two", needs=["other"]))
    result = run(code=1)
    assert_in("SIGSEGV", result.err, result)
    nothing_left()


@test
def test_a_stopped_worker_is_replaced(folder):
    pipeline(make(retry=QUICK, batch_rows=5, hang_after=5), save())
    pathlib.Path("run_logs").mkdir()
    process = start("run", "pipeline.yaml", env={"OSIRIS_HEARTBEAT_INTERVAL_MS": "200", "OSIRIS_HEARTBEAT_TIMEOUT_MS": "1500"})
    wait_until(lambda: [l for l in pathlib.Path("run_logs").rglob("debug.log") if "hanging" in read(l)], "the driver hangs")
    forget = pathlib.Path("run_logs/make.attempts")
    stopped = [json.loads(line)["pid"] for path in pathlib.Path("run_logs").rglob("events.jsonl")
               for line in read(path).splitlines() if '"worker_started"' in line][0]
    os.kill(stopped, signal.SIGSTOP)
    result = finish(process)
    forget.unlink()
    assert_equal(result.code, 0, "exit code", result)
    assert_in("heartbeat", retries()[0]["error"])
    assert_equal(len(workers()), 2, "workers")
    assert_no_group(stopped)
    expect_rows("save.out", 10)


# Writers that cannot undo what they have written.

@test
def test_what_has_been_written_is_not_written_twice(folder):
    pipeline(make(rows=100, batch_rows=10, bad_attempts=0), save(component="test.log", retry=QUICK, fail_after=50, retryable=True))
    result = run(code=1)
    assert_in("cannot undo", result.err, result)
    assert_in("unsafe: true", result.err, result)
    assert_equal(attempts("save"), 1, "attempts")
    assert_equal({e["step_id"]: e["error_type"] for e in events(run_directory(), "step_failed")}["save"], "data", "step_failed")


@test
def test_unless_its_step_says_so(folder):
    pipeline(make(rows=100, batch_rows=10, bad_attempts=0),
             save(component="test.log", retry={**QUICK, "unsafe": True}, fail_after=50, retryable=True))
    run()
    assert_equal(attempts("save"), 2, "attempts")


@test
def test_a_writer_that_has_written_nothing_yet(folder):
    pipeline(make(rows=100, batch_rows=10, bad_attempts=0),
             save(component="test.log", retry=QUICK, fail_after=50, fail_at_once=True, retryable=True))
    run()
    assert_equal(attempts("save"), 2, "attempts")


@test
def test_an_extractor_before_such_a_writer(folder):
    """Its fault before the first batch may be repeated, a later one not."""
    pipeline(make(retry=QUICK, rows=100, batch_rows=10, fail_after=0, retryable=True), save(component="test.log"), name="early")
    run()
    assert_equal(attempts("make"), 2, "attempts")
    os.unlink("save.out")
    forget_attempts()
    pipeline(make(retry=QUICK, rows=100, batch_rows=10, crash_after=100), save(component="test.log", hang_after=10),
             name="late")
    result = run(code=1)
    assert_in("cannot undo", result.err, result)
    assert_equal(attempts("make"), 1, "attempts")


# Timeouts.

def hangs(code=1, **more):
    pipeline(make(rows=10, batch_rows=5, hang_after=5, timeout="200ms", **more), save())
    return run(code=code, env={"OSIRIS_CANCEL_GRACE_MS": "500"})


@test
def test_a_late_step_is_stopped(folder):
    result = hangs()
    assert_in('step "make" (test.generate) at pipeline.yaml:', result.err, result)
    assert_in("timeout of 200 ms", result.err, result)
    failed = {e["step_id"]: (e["error_type"], e["detail"]["retryable"]) for e in events(run_directory(), "step_failed")}
    assert_equal(failed, {"make": ("timeout", True), "save": ("cancelled", False)}, "step_failed")
    assert "killed" not in result.err, result
    nothing_left()


@test
def test_a_late_step_that_does_not_stop_is_killed(folder):
    result = hangs(ignore_cancel=True)
    assert_in("timeout of 200 ms", result.err, result)
    nothing_left()


@test
def test_a_late_step_is_repeated(folder):
    hangs(code=0, retry=QUICK)
    assert_equal([e["error_type"] for e in retries()], ["timeout"], "step_retry")
    assert_equal(len(workers()), 1, "workers")
    expect_rows("save.out", 10)


@test
def test_a_late_step_that_does_not_stop_is_repeated_by_another_worker(folder):
    hangs(code=0, retry=QUICK, ignore_cancel=True)
    assert_equal([e["error_type"] for e in retries()], ["timeout"], "step_retry")
    assert_equal(len(workers()), 2, "workers")
    expect_rows("save.out", 10)


@test
def test_a_late_writer(folder):
    pipeline(make(rows=10, batch_rows=5, bad_attempts=0), save(component="test.collect", hang_after=5, timeout=0.2))
    result = run(code=1)
    assert_in('step "save" (test.collect)', result.err, result)
    assert_in("timeout of 200 ms", result.err, result)


@test
def test_a_step_in_time(folder):
    pipeline(make(rows=10, timeout="1h", bad_attempts=0), save(timeout={"step_ms": 3600000, "total_ms": 7200000}))
    run()


@test
def test_a_timeout_of_all_attempts(folder):
    pipeline(make(retry={"max_attempts": 100, "initial_delay_ms": 10, "backoff": "constant"}, timeout={"total_ms": 300},
                  rows=10, batch_rows=5, fail_after=5, bad_attempts=999, retryable=True, delay_ms=20), save())
    result = run(code=1)
    assert 1 <= attempts("make") < 40, attempts("make")
    assert_in("total timeout of 300 ms", result.err, result)


@test
def test_the_whole_runs_timeout(folder):
    for name, ignore in (("stops", False), ("does-not-stop", True)):
        pipeline(make(rows=10, batch_rows=5, hang_after=5, ignore_cancel=ignore), save(), name=name)
        forget_attempts()
        result = run("--timeout", "300ms", code=1, env={"OSIRIS_CANCEL_GRACE_MS": "300"})
        assert_in("the run did not end within its timeout of 300 ms", result.err, result)
        assert_equal(json.loads(read(run_directory(name) / "status.json"))["status"], "failed", "status")
        assert_equal(outputs(), [], "files left")


@test
def test_the_whole_runs_timeout_ends_the_wait(folder):
    pipeline(make(retry=LONG, fail_after=5, batch_rows=5, retryable=True), save())
    result = run("--timeout", "1.5", code=1)
    assert result.seconds < 50, result
    assert_in("timeout of 1.5 s", result.err, result)


@test
def test_a_run_in_time(folder):
    pipeline(make(bad_attempts=0), save())
    run("--timeout", "3600")


@test
def test_wrong_timeouts_and_seeds(folder):
    pipeline(make(bad_attempts=0), save())
    for text in ("soon", "0", "-1", "31d"):
        assert_in("is not a duration", run("--timeout", text, code=2).err)
    for text in ("0", "x", "99999999999999999999"):
        assert_in("OSIRIS_RETRY_SEED", run(code=2, env={"OSIRIS_RETRY_SEED": text}).err)


# The plan.

@test
def test_the_plan_has_them(folder):
    write("pipeline.yaml", """
oml_version: "0.1.0"
name: test-pipeline
params: {attempts: 4, limit: 5m}
steps:
  - {id: make, component: test.generate, mode: read, timeout: "${params.limit}",
     retry: {max_attempts: "${params.attempts}", backoff: none, jitter: true, on_errors: [network_error, timeout]}}
  - {id: save, component: test.log, mode: write, config: {path: out}, timeout: {total_ms: 100}}
""")
    result = osiris("compile", "pipeline.yaml")
    assert_equal(result.code, 0, "exit code", result)
    plan = json.loads(read(next(pathlib.Path("build").rglob("plan.json"))))
    first, second = plan["steps"]
    assert_equal(first["timeout_ms"], 300000, "timeout_ms")
    assert_equal(first["retry"], {"max_attempts": 4, "backoff": "constant", "initial_delay_ms": 1000, "max_delay_ms": 30000,
                                  "jitter": 0.1, "on_errors": ["connection", "timeout"], "unsafe": False}, "retry")
    assert_equal((second["total_timeout_ms"], second["atomic"]), (100, False), "the writer's")
    manifest = read(next(pathlib.Path("build").rglob("manifest.yaml")))
    assert_in("timeout_ms: 300000", manifest)
    assert_in("max_attempts: 4", manifest)


if __name__ == "__main__":
    main()
