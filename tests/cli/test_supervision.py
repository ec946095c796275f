"""A run with an adapter that is not osiris's own has a supervising parent: whoever has to do with osiris from outside does not see a
difference."""

import json
import os
import pathlib
import signal
import subprocess

from tap import (BUILD, assert_equal, assert_in, assert_no_group, environment, files, finish, interrupt, main, osiris, pipeline,
                 processes, read, run_directory, start, step, test, wait_until, write)

ADAPTERS = {"OSIRIS_ADAPTER_PATH": f"{BUILD}/.libs:{BUILD}/tests/plugins/adapters/.libs"}
# Some other local adapter, as far as osiris knows.
FOREIGN = {"OSIRIS_ADAPTER_DIR": "/nowhere"}


def pipelines(**generate):
    write("osiris.yaml", json.dumps({"adapters": {"there": {"adapter": "rude"}}}))
    pipeline(step("make", "test.generate", "read", rows=1000, batch_rows=100, **generate),
             step("save", "csv.writer", "write", path="out.csv"))


def children(pid):
    return [child for child, entry in processes(pid).items() if entry[2] != "Z"]


def state(pid):
    return processes()[pid][2]


class Run:
    """A run that hangs in its extractor, supervised."""

    def __init__(self, grace_ms=1000, adapter="there", env=ADAPTERS, **options):
        pipelines(hang_after=100, **options.pop("generate", {}))
        self.process = start("run", "pipeline.yaml", "--adapter", adapter,
                             env={**env, "OSIRIS_CANCEL_GRACE_MS": str(grace_ms)}, preexec_fn=lambda: os.setpgid(0, 0), **options)
        wait_until(lambda: [log for log in pathlib.Path("run_logs").rglob("debug.log") if "hanging" in read(log)], "the driver hangs")
        self.child = json.loads(read(run_directory() / "status.json"))["pid"]
        self.worker = next(iter(children(self.child)))

    def everyone(self, number):
        """Of the process group, as a terminal's Ctrl-C; the worker has one of its own."""
        os.killpg(self.process.pid, number)

    def forget(self):
        os.rename("run_logs", f".osiris/forgotten-{self.child}")

    def ends(self, code, status="cancelled"):
        result = finish(self.process)
        assert_equal(result.code, code, "exit code", result)
        assert_no_group(self.worker)
        assert_no_group(self.process.pid)
        assert_equal(json.loads(read(run_directory() / "status.json"))["status"], status, "status", result)
        assert_equal(files(), ["osiris.yaml", "pipeline.yaml"], "files left", result)
        return result


@test
def test_who_supervises(folder):
    run = Run()
    assert_equal(processes()[run.child][0], run.process.pid, "parent of the run's process")
    assert_equal(processes()[run.child][1], run.process.pid, "its process group")
    assert_equal(len(os.listdir(f"/proc/{run.process.pid}/task")), 1, "threads of the parent")
    interrupt(run.process)
    run.ends(130)


@test
def test_osiris_own_adapter_needs_nobody(folder):
    for env, needs_nobody in ({}, True), (FOREIGN, False):
        run = Run(adapter="local", env=env)
        assert_equal(run.child == run.process.pid, needs_nobody, "whether what was started runs it")
        interrupt(run.process)
        run.ends(130)
        run.forget()


@test
def test_results(folder):
    pipelines()
    plain, supervised = osiris("run", "pipeline.yaml"), osiris("run", "pipeline.yaml", env=FOREIGN)
    for result in plain, supervised:
        assert_equal(result.code, 0, "exit code", result)
    assert_equal(len(supervised.out.splitlines()), len(plain.out.splitlines()), "lines of the result")
    assert_equal(osiris("run", "pipeline.yaml", "--json", env=FOREIGN).json()["status"], "success", "status")
    pathlib.Path("out.csv").unlink()
    pathlib.Path("out.csv").mkdir()
    assert_equal(osiris("run", "pipeline.yaml", env=FOREIGN).code, 1, "exit code of a failure")
    assert_equal(osiris("run", "pipeline.yaml", "--json", env=FOREIGN).json()["status"], "failed", "status")


@test
def test_a_table_on_standard_output(folder):
    pipeline(step("make", "test.generate", "read", rows=10), step("save", "csv.writer", "write", path="-"))
    result = osiris("run", "pipeline.yaml", env=FOREIGN)
    assert_equal(result.code, 0, "exit code", result)
    assert_equal(len(result.out.splitlines()), 11, "lines")


@test
def test_signals_to_osiris(folder):
    for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        run = Run()
        interrupt(run.process, number)
        run.ends(128 + number)
        run.forget()


@test
def test_signals_to_everyone(folder):
    """Count once: a second one would kill the worker, which has not ignored the first."""
    for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        run = Run(generate={"ignore_cancel": True})
        run.everyone(number)
        result = run.ends(128 + number)
        assert "second signal" not in result.err + read(run_directory() / "debug.log"), result
        run.forget()


@test
def test_a_signal_to_the_child(folder):
    run = Run()
    os.kill(run.child, signal.SIGTERM)
    run.ends(143)


def is_pending(pid):
    """A signal that it has not taken yet: the next of its kind would be one with it."""
    lines = dict(line.split(":", 1) for line in read(f"/proc/{pid}/status").splitlines())
    return int(lines["ShdPnd"], 16) != 0


def second_kills(first, second):
    run = Run(grace_ms=100000, generate={"ignore_cancel": True})
    first(run)
    wait_until(lambda: "cancelling" in read("err") and not is_pending(run.process.pid)
               and not is_pending(run.child), "the cancel is announced")
    second(run)
    assert_in("second signal", run.ends(130).err + read(run_directory() / "debug.log"))
    run.forget()


@test
def test_a_second_signal_kills(folder):
    ways = (lambda run: interrupt(run.process), lambda run: run.everyone(signal.SIGINT))
    for first in ways:
        for second in ways:
            second_kills(first, second)
    second_kills(ways[1], lambda run: os.kill(run.child, signal.SIGINT))


@test
def test_timeout(folder):
    """Of coreutils: it signals its child, and then its process group."""
    pipelines(hang_after=100)
    done = subprocess.run(["timeout", "--preserve-status", "3", os.environ.get("OSIRIS", str(BUILD / "osiris")), "run", "pipeline.yaml",
                           "--adapter", "there"], env=environment(ADAPTERS), capture_output=True, text=True)
    assert_equal(done.returncode, 143, "exit code", done)


@test
def test_a_signal_that_ends_osiris_at_once(folder):
    """By its default action, as without a supervisor."""
    for number in signal.SIGQUIT, signal.SIGUSR1:
        for to_everyone in False, True:
            run = Run()
            if to_everyone:
                run.everyone(number)
            else:
                interrupt(run.process, number)
            assert_equal(finish(run.process).code, -number, "exit code")
            assert_no_group(run.process.pid)
            assert_no_group(run.worker)
            run.forget()


@test
def test_kill_9(folder):
    """Of the parent ends everything, and the next run says so."""
    run = Run()
    run.process.kill()
    run.process.wait()
    assert_no_group(run.process.pid)
    assert_no_group(run.worker)
    directory = run_directory()
    pipelines()
    result = osiris("run", "pipeline.yaml")
    assert_equal(result.code, 0, "exit code", result)
    assert_in("an earlier run was interrupted", result.err, result)
    assert_equal(json.loads(read(directory / "status.json"))["status"], "aborted", "status")


@test
def test_the_child_is_killed(folder):
    run = Run()
    os.kill(run.child, signal.SIGKILL)
    assert_in("the process of the run has been ended by SIGKILL", run.ends(1, "aborted").err)


def is_stopped(run):
    return state(run.process.pid) == "T" and state(run.child) == "T"


@test
def test_stop_and_go_on(folder):
    ways = (lambda run, number: interrupt(run.process, number), lambda run, number: run.everyone(number))
    run = Run()
    for stop in ways:
        for go_on in ways:
            stop(run, signal.SIGTSTP)
            wait_until(lambda: is_stopped(run), "both are stopped")
            _, status = os.waitpid(run.process.pid, os.WUNTRACED)
            assert_equal(os.WIFSTOPPED(status) and os.WSTOPSIG(status), signal.SIGTSTP, "what a shell sees")
            go_on(run, signal.SIGCONT)
            wait_until(lambda: state(run.process.pid) != "T" and state(run.child) != "T", "both go on")
    interrupt(run.process)
    run.ends(130)


@test
def test_the_parent_alone_is_stopped(folder):
    pipelines(delay_ms=50)
    process = start("run", "pipeline.yaml", "--adapter", "there", env=ADAPTERS)
    wait_until(lambda: [log for log in pathlib.Path("run_logs").rglob("events.jsonl") if "step_start" in read(log)], "it runs")
    interrupt(process, signal.SIGSTOP)
    wait_until(lambda: pathlib.Path("out.csv").exists(), "the run succeeds")
    interrupt(process, signal.SIGCONT)
    assert_equal(finish(process).code, 0, "exit code")


main()
