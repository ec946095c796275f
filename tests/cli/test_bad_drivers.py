"""Drivers that do what they may not: crash when all is done, hang in any verb, hand over what is none."""

import os
import pathlib
import shutil
import signal
import subprocess

from tap import (OSIRIS, SANITIZED, assert_equal, assert_in, assert_no_group, environment, events, files, finish, main, metrics,
                 osiris, pipeline, processes, read, run_directory, start, step, test, wait_until, worker_of)


def copy(source=None, sink=None, **top):
    """test.source → test.sink, which writes how many rows came."""
    return pipeline(step("make", "test.source", "read", **(source or {})),
                    step("save", "test.sink", "write", **{"path": "out.txt", **(sink or {})}), **top)


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
        assert_in("being closed", result.err, result)
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


def crashing_sink(folder, source=None, sink=None):
    """test.sink crashes while two other steps run."""
    pipeline({**step("make", "test.source", "read", at="get_next"), **(source or {})}, step("through", "test.pass", "transform"),
             {**step("save", "test.sink", "write", at="run", how="crash", path="out.txt"), **(sink or {})})
    return osiris("run", "pipeline.yaml")


@test
def test_a_crash_is_the_step_s_whose_thread_it_was(folder):
    if SANITIZED:
        return  # a sanitizer makes an exit of it
    repeated = {"retry": {"max_attempts": 2, "initial_delay_ms": 0}}
    result = crashing_sink(folder, source=repeated)
    assert_equal(result.code, 1, "exit code", result)
    assert_in('step "save" (test.sink) at pipeline.yaml:', result.err, result)
    assert_in('the worker was killed by SIGSEGV while steps "make" (test.source), "through" (test.pass) and "save" (test.sink) '
              "were running", result.err, result)
    failed, = events(run_directory(), "run_error")
    assert_equal((failed["detail"]["step_id"], failed["detail"]["component"]), ("save", "test.sink"), "who is blamed", result)
    assert_equal(events(run_directory(), "step_retry"), [], "attempts that only another step allows", result)
    shutil.rmtree(run_directory())
    result = crashing_sink(folder, sink=repeated)
    assert_equal([event["step_id"] for event in events(run_directory(), "step_retry")], ["save"], "attempts", result)


# Hanging. With these the bound of open and close is 300 ms, that of all else 3 s.
IMPATIENT = {"OSIRIS_SILENCE_TIMEOUT_MS": "3000", "OSIRIS_HEARTBEAT_INTERVAL_MS": "50", "OSIRIS_CANCEL_GRACE_MS": "300"}


def hangs(at, where, how="hang", env=None):
    """The run fails of it, names step, driver and function, leaves nothing, and nobody is left."""
    copy(**{where: {"at": at, "how": how}})
    result = osiris("run", "pipeline.yaml", "--json", env={**IMPATIENT, **(env or {})})
    assert_equal(result.code, 1, "exit code", result)
    error = error_of(result)
    assert_in(f'the driver has been silent in "{at}" for', error["message"], result)
    assert_equal((error["step_id"], error["component"]),
                 {"source": ("make", "test.source"), "sink": ("save", "test.sink")}[where], "who is blamed", result)
    assert_equal(error["category"], "timeout", "category", result)
    assert_equal(error["retryable"], at != "commit", "retryable", result)
    assert_equal(files(), ["pipeline.yaml"], "files left", result)
    assert_no_group(worker())
    return result


def hanging_test(at, where):
    def body(folder):
        hangs(at, where)
    body.__name__ = f"test_a_{where}_that_hangs_in_{at}"
    test(body)


for one in ("open", "run", "get_schema", "get_next", "release"):
    hanging_test(one, "source")
for one in ("open", "run", "commit"):
    hanging_test(one, "sink")


@test
def test_a_driver_that_hangs_is_reported_first(folder):
    hangs("get_next", "source")
    assert_in('test.source has been silent in "get_next" for', read(run_directory() / "osiris.log"))


@test
def test_a_driver_that_hangs_is_interrupted(folder):
    """Nobody has to be killed then."""
    result = hangs("run", "source", "interruptible", {"OSIRIS_CANCEL_GRACE_MS": "60000"})
    assert result.seconds < 30, result
    assert_equal(len(events(run_directory(), "cleanup_complete")), 1, "cleanups", result)


@test
def test_a_commit_that_is_interrupted_and_succeeds(folder):
    copy(sink={"at": "commit", "how": "interruptible"})
    result = osiris("run", "pipeline.yaml", env={**IMPATIENT, "OSIRIS_CANCEL_GRACE_MS": "60000"})
    assert_equal(result.code, 0, "exit code", result)
    assert_equal(read("out.txt"), "10 rows\n", "the output", result)


def stopped_in_commit(stop):
    """The worker is told to stop while one of two writers commits, which succeeds all the same."""
    pipeline(step("make", "test.generate", "read", rows=10),
             step("save", "csv.writer", "write", needs=["make"], path="save.csv"),
             step("sink", "test.sink", "write", needs=["make"], path="out.txt", at="commit",
                  how="interruptible"))
    process = start("run", "pipeline.yaml")
    wait_until(lambda: any("in trouble" in read(log) for log in pathlib.Path("run_logs").glob("*/*/debug.log")), "the commit")
    stop(process)
    finish(process)
    assert_no_group(worker())
    assert_equal(files(), ["pipeline.yaml"], "files left")


@test
def test_nothing_is_published_when_the_worker_stops_in_a_commit(folder):
    stopped_in_commit(lambda process: os.kill(worker(), signal.SIGTERM))


@test
def test_nothing_is_published_when_osiris_is_killed_in_a_commit(folder):
    stopped_in_commit(lambda process: process.kill())


@test
def test_a_close_that_hangs_takes_nothing_back(folder):
    copy(sink={"at": "close"})
    result = osiris("run", "pipeline.yaml", env=IMPATIENT)
    assert_equal(result.code, 0, "exit code", result)
    assert_equal(read("out.txt"), "10 rows\n", "the output", result)
    assert_in('the driver has been silent in "close" for', result.err, result)
    assert_in("published before", result.err, result)
    assert_no_group(worker())


@test
def test_whatever_hangs_when_a_step_has_failed(folder):
    for at in ("abort", "interrupt", "close"):
        copy(source={"at": at}, sink={"path": "/nowhere/out.txt"})
        result = osiris("run", "pipeline.yaml", "--json", "--out", f"records-{at}", env=IMPATIENT)
        assert_equal(result.code, 1, "exit code", result)
        assert_in("/nowhere", error_of(result)["message"], result)
        assert result.seconds < 30, result
        assert_no_group(events(pathlib.Path(f"records-{at}"), "worker_started")[0]["pid"])


# Ending the thread: noticed at once, not as a hang. Such a driver is not called again, so what it has is not freed.
UNFREED = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"} if SANITIZED else {}


def ends_in(at, where):
    copy(**{where: {"at": at, "how": "end"}})
    result = osiris("run", "pipeline.yaml", "--json", env=UNFREED)
    assert_equal(result.code, 1, "exit code", result)
    error = error_of(result)
    driver = f"test.{where}"
    assert_in(f'the driver "{driver}" ended its thread in {at}(); this is a fault of the driver', error["message"], result)
    assert_equal((error["step_id"], error["component"]), ({"source": "make", "sink": "save"}[where], driver), "who is blamed", result)
    assert_equal((error["category"], error["retryable"]), ("internal", False), "category", result)
    assert_equal(files(), ["pipeline.yaml"], "files left", result)
    assert_equal(len(events(run_directory(), "cleanup_complete")), 1, "cleanups", result)
    assert_no_group(worker())


def ending_test(at, where):
    def body(folder):
        ends_in(at, where)
    body.__name__ = f"test_a_{where}_that_ends_its_thread_in_{at}"
    test(body)


for one in ("open", "run", "get_schema", "get_next", "release"):
    ending_test(one, "source")
for one in ("open", "run", "commit"):
    ending_test(one, "sink")


@test
def test_a_driver_that_ends_its_thread_when_all_is_decided(folder):
    copy(sink={"at": "close", "how": "end"})
    result = osiris("run", "pipeline.yaml", env=UNFREED)
    assert_equal(result.code, 0, "exit code", result)
    assert_equal(read("out.txt"), "10 rows\n", "the output", result)
    assert_in('the driver "test.sink" ended its thread in close()', result.err, result)
    copy(source={"at": "abort", "how": "end"}, sink={"path": "/nowhere/out.txt"})
    result = osiris("run", "pipeline.yaml", "--out", "records", env=UNFREED)
    assert_equal(result.code, 1, "exit code", result)
    assert_in("/nowhere", result.err, result)
    assert_in('the driver "test.source" ended its thread in abort()', result.err, result)


@test
def test_a_step_whose_thread_was_ended_is_repeated(folder):
    pipeline({**step("make", "test.source", "read", at="run", how="end", attempts_file="attempts", bad_attempts=1),
              "retry": {"max_attempts": 2, "initial_delay_ms": 0, "on_errors": ["internal"]}},
             step("save", "test.sink", "write", path="out.txt"))
    result = osiris("run", "pipeline.yaml", env=UNFREED)
    assert_equal(result.code, 0, "exit code", result)
    assert_equal(read("out.txt"), "10 rows\n", "the output", result)


# These take 2 s: longer than the bound.


@test
def test_a_driver_that_asks_is_not_silent(folder):
    copy(source={"at": "get_next", "how": "busy"})
    result = osiris("run", "pipeline.yaml", env={**IMPATIENT, "OSIRIS_SILENCE_TIMEOUT_MS": "1500"})
    assert_equal(result.code, 0, "exit code", result)


@test
def test_who_waits_for_another_is_not_silent(folder):
    """The writer for its input, for longer than its own bound; the extractor asks."""
    copy(source={"at": "run", "how": "busy"}, sink={})
    result = osiris("run", "pipeline.yaml", env={**IMPATIENT, "OSIRIS_SILENCE_TIMEOUT_MS": "1500"})
    assert_equal(result.code, 0, "exit code", result)


@test
def test_a_driver_that_bounds_its_waits_may_be_silent(folder):
    for driver, code in (("test.source", 1), ("test.patient", 0)):
        pipeline(step("make", driver, "read", at="get_next", how="slow"), step("save", "test.sink", "write", path="out.txt"))
        result = osiris("run", "pipeline.yaml", env={**IMPATIENT, "OSIRIS_SILENCE_TIMEOUT_MS": "1500"})
        assert_equal(result.code, code, f"exit code with {driver}", result)
    result = osiris("components", "show", "mysql.extractor", "--json")
    assert result.code != 0 or result.json()["spec"]["x-bounded-waits"], result


@test
def test_no_bound_of_silence(folder):
    copy(source={"at": "get_next", "how": "slow"})
    result = osiris("run", "pipeline.yaml", env={**IMPATIENT, "OSIRIS_SILENCE_TIMEOUT_MS": "0"})
    assert_equal(result.code, 0, "exit code", result)


@test
def test_a_step_that_hangs_is_repeated(folder):
    pipeline({**step("make", "test.generate", "read", rows=10, batch_rows=5, hang_after=5, ignore_cancel=True,
                     attempts_file="attempts", bad_attempts=1),
              "retry": {"max_attempts": 2, "initial_delay_ms": 0}},
             step("save", "test.sink", "write", path="out.txt"))
    result = osiris("run", "pipeline.yaml", env={**IMPATIENT, "OSIRIS_SILENCE_TIMEOUT_MS": "1500"})
    assert_equal(result.code, 0, "exit code", result)
    assert_equal(read("out.txt"), "10 rows\n", "the output", result)
    assert_equal(read("attempts"), "xx", "attempts", result)


# Processes that drivers detach: in a session of their own, nobody's children.


def is_gone(path="detached"):
    pid = int(read(path))
    wait_until(lambda: processes().get(pid, "  Z")[2] == "Z", f"process {pid} is gone", 10)


@test
def test_a_detached_process_does_not_outlive_the_run(folder):
    copy(source={"detach": "detached"})
    result = osiris("run", "pipeline.yaml")
    assert_equal(result.code, 0, "exit code", result)
    assert int(read("detached")) not in processes(), result
    assert_in("ended 1 process that drivers had left behind", read(run_directory() / "debug.log"))


def killed_worker(number, env=None):
    """A detached process whose worker is gone before it."""
    copy(source={"detach": "detached"}, sink={"at": "run"})
    process = start("run", "pipeline.yaml", env=env)
    pid = worker_of(process)
    wait_until(lambda: pathlib.Path("detached").exists() and read("detached").endswith("\n"), "a process is detached")
    os.kill({"worker": pid, "osiris": process.pid}[number], signal.SIGKILL)
    return finish(process), pid


@test
def test_a_detached_process_does_not_outlive_a_killed_worker(folder):
    result, _ = killed_worker("worker")
    assert_equal(result.code, 1, "exit code", result)
    assert int(read("detached")) not in processes(), result
    # The one that has detached it may be among them.
    assert_in("that drivers had left behind", result.err, result)


@test
def test_a_detached_process_does_not_outlive_a_killed_osiris(folder):
    _, pid = killed_worker("osiris")
    is_gone()
    assert_no_group(pid)


@test
def test_a_detached_process_does_not_outlive_a_crash(folder):
    copy(source={"detach": "detached", "at": "get_next", "how": "crash"})
    result = osiris("run", "pipeline.yaml")
    assert_equal(result.code, 1, "exit code", result)
    assert int(read("detached")) not in processes(), result


@test
def test_a_detached_process_does_not_outlive_its_attempt(folder):
    """Whether its worker goes on or is replaced."""
    for how in ("fail", "crash"):
        pipeline({**step("make", "test.source", "read", at="run", how=how, detach=how, retryable=True,
                         attempts_file=f"attempts-{how}"),
                  "retry": {"max_attempts": 2, "initial_delay_ms": 0}},
                 step("save", "test.sink", "write", path="out.txt"))
        result = osiris("run", "pipeline.yaml")
        assert_equal(result.code, 0, f"exit code with {how}", result)
        assert_equal(read(f"attempts-{how}"), "xx", "attempts", result)


@test
def test_a_detached_process_does_not_outlive_validate(folder):
    for what, code in (("detach", 0), ("detach and crash", 2)):
        pipeline(step("a", "asked.extractor", "read", what=what))
        result = osiris("validate", "pipeline.yaml")
        assert_equal(result.code, code, f"exit code with {what}", result)
        assert int(read("detached")) not in processes(), result


@test
def test_other_children_are_left_alone(folder):
    """Of a shell that has become osiris."""
    copy()
    script = f'sleep 60 & echo $! > other; exec "{OSIRIS}" run pipeline.yaml'
    done = subprocess.run(["sh", "-c", script], env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL)
    assert_equal(done.returncode, 0, "exit code")
    pid = int(read("other"))
    assert pid in processes() and processes()[pid][2] != "Z", "it was killed"
    os.kill(pid, signal.SIGKILL)


# What they hand over and say.


@test
def test_streams_that_lack_a_function(folder):
    for give in ("no_get_schema", "no_get_next", "no_last_error"):
        copy(source={"give": give})
        result = osiris("run", "pipeline.yaml")
        assert_equal(result.code, 1, f"exit code with {give}", result)
        assert_in('the driver "test.source" gave an output stream without all of its functions', result.err, result)


@test
def test_buffers_at_odd_addresses(folder):
    for give, what in (("odd_values", "its values start"), ("odd_offsets", "its offsets start")):
        copy(source={"give": give})
        result = osiris("run", "pipeline.yaml")
        assert_equal(result.code, 1, f"exit code with {give}", result)
        assert_in('the driver "test.source": malformed batch', result.err, result)
        assert_in(what, result.err, result)


@test
def test_texts_beyond_all_bounds_are_cut(folder):
    """An error of 40 MiB is not lost, nor what was said before it."""
    bytes = 40 << 20
    copy(source={"say_bytes": bytes})
    result = osiris("run", "pipeline.yaml", "--json")
    assert_equal(result.code, 1, "exit code", result)
    error = error_of(result)
    for text in (error["message"], error["hint"], error["native_state"]):
        assert text.startswith("begin xxx") and text.endswith(f"... (cut: {bytes} bytes in all)"), text[-100:]
        assert len(text) < 70000, len(text)
    assert_equal((error["step_id"], error["category"]), ("make", "data"), "error")
    directory = run_directory()
    assert_in(f"... (cut: {bytes} bytes in all)", read(directory / "osiris.log"))
    assert_equal(events(directory, "much")[0]["omitted_bytes"], bytes, "the event")
    told = [e["event"] for e in events(directory) if e["event"].startswith("begin ")]
    assert len(told) == 1 and len(told[0]) < 70000, [len(t) for t in told]


@test
def test_a_metric_that_is_not_finite_is_not_recorded(folder):
    copy(source={"measure": True})
    result = osiris("run", "pipeline.yaml")
    assert_equal(result.code, 0, "exit code", result)
    recorded = [(m["metric"], m["value"]) for m in metrics(run_directory()) if m["metric"] in ("odd", "even")]
    assert_equal(recorded, [("even", 0.5)], "metrics", result)
    assert_equal(result.err.count('"odd" is not recorded'), 2, "warnings", result)


@test
def test_a_writer_that_reads_nothing_loses_no_rows_silently(folder):
    copy(sink={"unread": True})
    result = osiris("run", "pipeline.yaml")
    assert_equal(result.code, 1, "exit code", result)
    assert_in('the driver "test.sink" has returned success without reading any row of step "make"', result.err, result)
    assert_equal(files(), ["pipeline.yaml"], "files left", result)


@test
def test_a_writer_that_reads_nothing_where_there_is_nothing(folder):
    copy(source={"rows": 0}, sink={"unread": True})
    result = osiris("run", "pipeline.yaml")
    assert_equal(result.code, 0, "exit code", result)
    assert_equal(read("out.txt"), "0 rows\n", "the output", result)


@test
def test_a_writer_that_stops_early_is_reported(folder):
    pipeline(step("make", "test.generate", "read", rows=5000, batch_rows=1000),
             step("save", "test.collect", "write", path="out.txt", stop_after=2000))
    result = osiris("run", "pipeline.yaml")
    assert_equal(result.code, 0, "exit code", result)
    assert_in('test.collect stopped reading after 2000 rows of step "make"', result.err, result)


@test
def test_a_crash_in_close_beside_a_group_that_is_repeated(folder):
    """A third group, which could begin, waits for the new worker and does not keep it from being made."""
    pipeline(step("make", "test.generate", "read", rows=3),
             step("sink", "test.sink", "write", ["make"], at="close", how="crash", path="sink.txt"),
             {**step("slow", "test.generate", "read", [], rows=60, batch_rows=1, delay_ms=50),
              "retry": {"max_attempts": 5, "initial_delay_ms": 100}},
             step("save", "test.collect", "write", ["slow"], path="slow.txt"),
             step("late", "test.generate", "read", ["sink"], rows=5),
             step("last", "csv.writer", "write", ["late"], path="near.csv"))
    result = osiris("run", "pipeline.yaml")
    assert_equal(result.code, 0, "exit code", result)
    assert_equal(len(read("near.csv").splitlines()), 6, "lines", result)
    assert pathlib.Path("slow.txt").exists(), result


if __name__ == "__main__":
    main()
