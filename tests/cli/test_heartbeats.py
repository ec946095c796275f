"""Silence and death of either side, and how soon a cancel is felt. Durations are printed; only generous bounds are asserted."""

import datetime
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

from tap import (BUILD, SANITIZED, Skip, assert_equal, assert_in, assert_no_group, events, files, finish, interrupt,
                 main, osiris, pipeline, processes, read, run_directory, start, step, temporary_folders, test,
                 wait_until, worker_of, write)

QUICK = {"OSIRIS_HEARTBEAT_INTERVAL_MS": "100", "OSIRIS_HEARTBEAT_TIMEOUT_MS": "2000"}


def hanging(env=None, writer=False, **config):
    """A running osiris whose extractor (or writer) hangs after its first batch, and its worker."""
    hang = {"hang_after": 100}
    pipeline(step("make", "test.generate", "read", rows=1000, batch_rows=100, scratch=True, **config, **({} if writer else hang)),
             step("save", "test.collect", "write", path="out.txt", **(hang if writer else {})))
    process = start("run", "pipeline.yaml", env=env)
    wait_until(lambda: [log for log in pathlib.Path("run_logs").rglob("debug.log") if "hanging" in read(log)],
               "the driver hangs")
    return process, events(run_directory(), "worker_started")[0]["pid"]


@test
def test_a_driver_may_take_longer_to_load_than_silence_may_last(folder):
    """Not so a worker that is stopped meanwhile."""
    shutil.copy(BUILD / "tests/plugins/broken/.libs/broken-moody.so", "moody.so")
    write("needed", "")
    pipeline(step("make", "test.moody", "read"), step("save", "test.collect", "write", path="out.txt"))
    command = ("run", "pipeline.yaml", "--driver-dir", ".")
    assert_equal(osiris("validate", *command[1:]).code, 0, "exit code")
    write("slow", "")
    env = {"OSIRIS_HEARTBEAT_INTERVAL_MS": "50", "OSIRIS_HEARTBEAT_TIMEOUT_MS": "2000"}
    result = osiris(*command, env=env)
    assert_equal(result.code, 1, "exit code", result)
    assert_in("never to be called", result.err, result)
    assert_equal(len(events(run_directory(), "drivers_registered")), 1, "workers that were ready", result)
    shutil.rmtree("run_logs")
    process = start(*command, env=env)
    wait_until(lambda: [log for log in pathlib.Path("run_logs").rglob("events.jsonl") if "worker_started" in read(log)],
               "the worker prepares")
    worker = events(run_directory(), "worker_started")[0]["pid"]
    os.kill(worker, signal.SIGSTOP)
    result = finish(process)
    assert_equal(result.code, 1, "exit code", result)
    assert_in("it sent no heartbeat", result.err, result)
    assert_no_group(worker)


def outputs():
    return [name for name in files() if name != "pipeline.yaml"]


def report(what, began):
    print(f"# {what}: {(time.monotonic() - began) * 1000:.0f} ms", flush=True)


# A worker's minute without hello: its clock runs sixty times as fast (tests/plugins/hurry.c).

def waits_for_hello(option, end, feed=None):
    """Starts a worker with its end of a socket; how long it takes to give up, in seconds of its own."""
    if SANITIZED:
        raise Skip("a sanitizer's library wants to be loaded first")
    worker = os.environ.get("OSIRIS_WORKER") or str(BUILD / "osiris-worker")
    began = time.monotonic()
    process = subprocess.Popen([worker, option, str(end.fileno())], pass_fds=[end.fileno()], stdin=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True,
                               env={"LD_PRELOAD": str(BUILD / "tests/plugins/preload/.libs/hurry.so")})
    while feed and process.poll() is None:
        feed()
    err = process.communicate(timeout=60)[1]
    assert process.returncode not in (0, None), process.returncode
    assert_in("no orchestrator has sent hello within 60000 ms", err)
    report(f"{option} gave up", began)
    return (time.monotonic() - began) * 60


@test
def test_a_peer_that_says_nothing(folder):
    ours, end = socket.socketpair()
    assert waits_for_hello("--channel-fd", end) >= 60
    ours.close()


@test
def test_a_peer_that_does_not_get_to_the_point(folder):
    """Bytes that come one by one are no hello, however long they go on."""
    ours, end = socket.socketpair()
    ours.sendall(bytes([0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]))

    def one_byte():
        time.sleep(0.02)
        try:
            ours.send(b"\x81")
        except BrokenPipeError:
            pass
    assert waits_for_hello("--channel-fd", end, one_byte) >= 60
    ours.close()


@test
def test_nobody_comes(folder):
    end = socket.socket(socket.AF_UNIX)
    end.bind("socket")
    end.listen()
    assert waits_for_hello("--listen-fd", end) >= 60


@test
def test_a_worker_that_is_stopped(folder):
    process, worker = hanging(env=QUICK, print_stdout=True)
    began = time.monotonic()
    os.kill(worker, signal.SIGSTOP)
    result = finish(process)
    report("a silence of 1000 ms was noticed after", began)
    assert_equal(result.code, 1, "exit code", result)
    assert_in("heartbeat", result.err, result)
    assert_in("this is not what osiris says", result.err, "its last words")
    assert 0.5 < result.seconds < 60, result
    failed = {e["step_id"]: e for e in events(run_directory(), "step_failed")}
    assert_equal({id: (e["error_type"], e["detail"]["category"], e["detail"]["retryable"]) for id, e in failed.items()},
                 {id: ("WorkerCrashError", "internal", True) for id in ("make", "save")}, "step_failed")
    assert_no_group(worker)
    assert_equal(outputs(), [], "files left", result)
    assert_equal(temporary_folders(), [], "temporary files")


@test
def test_a_worker_that_is_busy_is_not_taken_for_dead(folder):
    """Its heartbeats come while the driver hangs, for several times the timeout."""
    process, worker = hanging(env={"OSIRIS_HEARTBEAT_INTERVAL_MS": "50", "OSIRIS_HEARTBEAT_TIMEOUT_MS": "700"})
    began = time.monotonic()
    wait_until(lambda: time.monotonic() > began + 2 or process.poll() is not None, "time has gone by")
    assert process.poll() is None, read("err")
    interrupt(process)
    assert_equal(finish(process).code, 130, "exit code")


def stopped(pid):
    wait_until(lambda: processes().get(pid, (0, 0, "T"))[2] == "T", f"process {pid} is stopped")


def pass_time(seconds):
    """For what must not happen in a time: longer than a bound, however much longer."""
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > end, "time has gone by")


def pauses(*whom, bounds=QUICK, seconds=5, arguments=(), **keys):
    """A run whose processes are stopped in the middle, for several times what the other may be silent. Ctrl-Z stops osiris alone: its
    worker leads a group of its own."""
    pipeline(step("make", "test.generate", "read", rows=100, batch_rows=1, delay_ms=10, scratch=True) | keys,
             step("save", "test.collect", "write", path="out.txt"))
    process = start("run", "pipeline.yaml", *arguments, env=bounds)
    wait_until(lambda: [log for log in pathlib.Path("run_logs").rglob("events.jsonl") if "step_start" in read(log)], "steps run")
    worker = worker_of(process)
    pids = {"osiris": process.pid, "worker": worker}
    for name in whom:
        os.kill(pids[name], signal.SIGSTOP)
        stopped(pids[name])
    pass_time(seconds)
    for name in reversed(whom):
        os.kill(pids[name], signal.SIGCONT)
    result = finish(process)
    assert_equal(result.code, 0, "exit code", result)
    assert_equal(outputs(), ["out.txt"], "files", result)
    assert_no_group(worker)
    return result


@test
def test_an_orchestrator_that_is_stopped_goes_on(folder):
    pauses("osiris")


@test
def test_both_are_stopped_and_osiris_goes_on_first(folder):
    pauses("worker", "osiris")


@test
def test_both_are_stopped_and_the_worker_goes_on_first(folder):
    pauses("osiris", "worker")


@test
def test_a_pause_counts_for_no_timeout(folder):
    """Neither --timeout nor a step's own: the pause alone is longer than both."""
    bounds = {**QUICK, "OSIRIS_HEARTBEAT_TIMEOUT_MS": "8000"}
    pauses("osiris", bounds=bounds, seconds=16, arguments=("--timeout", "15s"), timeout="15s")


@test
def test_an_orchestrator_that_is_killed(folder):
    process, worker = hanging()
    assert temporary_folders(), "there is no temporary file that could stay"
    began = time.monotonic()
    process.kill()
    process.wait()
    assert_no_group(worker)
    report("a worker whose orchestrator was killed was gone after", began)
    assert_equal(temporary_folders(), [], "temporary files")
    assert_equal(outputs(), [], "files left")


def seconds_of(event):
    return datetime.datetime.fromisoformat(event["ts"].replace("Z", "+00:00")).timestamp()


@test
def test_how_soon_a_cancel_is_felt(folder):
    """By a driver that asks `cancelled` every millisecond, and by one that is interrupted."""
    process, worker = hanging(writer=True)
    began = time.time()
    interrupt(process)
    assert_equal(finish(process).code, 130, "exit code")
    ended = {e["step_id"]: seconds_of(e) - began for e in events(run_directory(), "step_failed")}
    print(f"# the writer had ended {ended['save'] * 1000:.1f} ms after the signal", flush=True)
    assert 0 <= ended["save"] < 20, ended


@test
def test_how_soon_an_interrupt_is_felt(folder):
    process, worker = hanging()
    began = time.time()
    interrupt(process)
    assert_equal(finish(process).code, 130, "exit code")
    ended = {e["step_id"]: seconds_of(e) - began for e in events(run_directory(), "step_failed")}
    print(f"# the extractor had ended {ended['make'] * 1000:.1f} ms after the signal", flush=True)
    assert 0 <= ended["make"] < 20, ended


if __name__ == "__main__":
    main()
