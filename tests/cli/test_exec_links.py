#!/usr/bin/env python3
"""Links that break and workers that die in a place of the exec adapter (docs/exec.md): the run goes on over a new link, or ends with one
clear error; nothing is left in the place or at home. What is secret is nowhere in the place."""

import contextlib
import json
import os
import pathlib
import signal

from remote import family, far, latest, make, place, pump, run, save
from tap import (PATIENCE, SANITIZED, assert_equal, assert_in, events, finish, main, osiris, pipeline, read, start, step, test, wait_until,
                 write)


def expected(rows):
    pipeline(make(rows=rows), save("expected.csv"))
    run()
    return read("expected.csv")


ROWS = 60000 if SANITIZED else 200000


@test
def test_cuts_at_random_bytes(folder):
    """In both directions, in the greeting and in the bundle, too: outputs are those of a run without cuts."""
    text = expected(ROWS)
    with place("pipes", folder):
        direct = read("osiris.yaml")
        command, count = pump(folder, 0, 400000)
        for steps in ((far(make(rows=ROWS)), far(save("home.csv"))),
                      (far(make(rows=ROWS)), save("home.csv")),
                      (make(rows=ROWS), far(save("home.csv")))):
            pipeline(*steps)
            # Now the bundle is there.
            write("osiris.yaml", direct)
            run()
            count.unlink(missing_ok=True)
            behind(command)
            result = run()
            assert_equal(read("home.csv") == text, True, "the output is the same", result)
            print(f"# {count.stat().st_size} links", flush=True)
            assert count.stat().st_size >= 5, read(count)


def behind(command):
    """The same place."""
    configured = json.loads(read("osiris.yaml"))["adapters"]["far"]
    write("osiris.yaml", json.dumps({"adapters": {"far": {**configured, "command": command}}}))


@test
def test_cuts_of_a_cold_start(folder):
    text = expected(2000)
    command, count = pump(folder, 0, 3000000, 5)
    with place("pipes", folder, command=command):
        pipeline(far(make(rows=2000)), save("home.csv"))
        result = run()
        assert_equal(read("home.csv") == text, True, "the output is the same", result)


@test
def test_no_line_of_the_log_is_lost_or_doubled(folder):
    """Although the command says something of its own whenever it breaks."""
    command, count = pump(folder, 50000, 200000)
    with place("pipes", folder):
        pipeline(far(make(rows=200000, print_batches=True)), save())
        run()
        behind(command)
        result = run()
    assert count.stat().st_size >= 10, count.stat().st_size
    log = read(latest() / "debug.log")
    wrong = {row: log.count(f"a batch from row {row:08d}.") for row in range(0, 200000, 1000) if log.count(f"a batch from row {row:08d}.") != 1}
    assert_equal(wrong, {}, "how often a line is there", result)


def slow(**more):
    return far(make(rows=1000000, delay_ms=20, **more))


def running(inside):
    """{name: process id} of the place, once a step runs."""
    wait_until(lambda: "make: started" in read("err"), "the step runs")
    return wait_until(lambda: (lambda found: found if {"osiris-worker", "osiris-keeper"} <= found.keys() else None)(
        {name: pid for pid, name in sorted(family(inside).items(), reverse=True)}), "worker and keeper run")


def ends(process, code, words, seconds=PATIENCE):
    result = finish(process, seconds)
    assert_equal(result.code, code, "exit code", result)
    assert_in(words, result.err, result)
    assert not os.path.exists("one.csv")
    return result


@test
def test_a_killed_worker(folder):
    with place("pipes", folder) as inside:
        pipeline(slow(), far(save()))
        process = start("run", "pipeline.yaml")
        os.kill(running(inside)["osiris-worker"], signal.SIGKILL)
        ends(process, 1, "killed by SIGKILL")


@test
def test_a_killed_place(folder):
    """Worker and keeper are gone at once, and nobody can say how: the run does not wait for another link."""
    with place("pipes", folder) as inside:
        pipeline(slow(), far(save()))
        process = start("run", "pipeline.yaml")
        found = running(inside)
        for name in "osiris-keeper", "osiris-worker":
            os.kill(found[name], signal.SIGKILL)
        result = ends(process, 1, "lost the worker")
        assert result.seconds < 40, result


def killed_commands(kind, folder):
    """Again and again: the run goes on over new links."""
    text = expected(200000)
    with place(kind, folder):
        configured = json.loads(read("osiris.yaml"))["adapters"]["far"]["command"]
        behind(["sh", "-c", f'echo $$ >>{folder}/pids; exec "$@"', "sh", *configured])
        pipeline(far(make(rows=200000, delay_ms=20)), save())
        process = start("run", "pipeline.yaml")
        wait_until(lambda: "make: started" in read("err"), "the step runs")
        for number in range(5):
            pid = int(wait_until(lambda: (read("pids").split()[number:] or [None])[0], "the next command runs"))
            wait_until(lambda: len(events(latest(), "link_resumed")) == number, "its link is used")
            os.kill(-pid, signal.SIGKILL)
        result = finish(process)
        assert_equal(result.code, 0, "exit code", result)
        assert_equal(read("one.csv") == text, True, "the output is the same")
        assert len(events(latest(), "link_lost")) >= 4, result


@test
def test_killed_commands(folder):
    killed_commands("pipes", folder)


@test
def test_killed_commands_in_a_root(folder):
    killed_commands("busybox", folder)


@test
def test_killed_ssh(folder):
    killed_commands("ssh", folder)


@test
def test_killed_srun(folder):
    killed_commands("slurm", folder)


@test
def test_a_killed_relay(folder):
    with place("pipes", folder) as inside:
        pipeline(far(make(rows=200000, delay_ms=20)), save())
        process = start("run", "pipeline.yaml")
        killed = set()
        for number in range(3):
            wait_until(lambda: len(events(latest(), "link_resumed")) == number if number else "make: started" in read("err"), "the link is used")
            relay = wait_until(lambda: next((pid for pid, name in family(inside).items() if name.startswith("ld-linux") and pid not in killed),
                                            None), "there is a relay")
            killed.add(relay)
            os.kill(relay, signal.SIGKILL)
        result = finish(process)
        assert_equal(result.code, 0, "exit code", result)
        assert_equal(len(read("one.csv").splitlines()), 200001, "lines")


@test
def test_a_crash_is_repeated_with_another_worker(folder):
    text = expected(1000)
    with place("pipes", folder):
        crashes = far(make(rows=1000, crash_after=0, attempts_file=f"{folder}/attempts", bad_attempts=1))
        pipeline({**crashes, "retry": {"max_attempts": 2, "initial_delay_ms": 1}}, far(save()))
        result = run()
        assert_equal(read("one.csv") == text, True, "the output is the same", result)
        assert_equal(len(events(latest(), "worker_restart")), 1, "workers", result)


@test
def test_cancelled(folder):
    with place("pipes", folder) as inside:
        pipeline(slow(), far(save()))
        process = start("run", "pipeline.yaml")
        running(inside)
        process.send_signal(signal.SIGINT)
        ends(process, 130, "")


@test
def test_cancelled_while_it_connects(folder):
    with place("pipes", folder, command=["sh", "-c", f"echo >{folder}/connects; sleep 1000"], connect_timeout=1000):
        pipeline(slow(), far(save()))
        process = start("run", "pipeline.yaml")
        wait_until(lambda: os.path.exists("connects"), "the command runs")
        process.send_signal(signal.SIGINT)
        ends(process, 130, "")


@test
def test_a_killed_osiris(folder):
    """The worker ends by itself, and removes its folder and a bundle that is not kept. The commands end with osiris."""
    with place("pipes", folder, keep_bundle=False) as inside:
        pipeline(slow(), far(save()))
        process = start("run", "pipeline.yaml", env={"OSIRIS_RESUME_TIMEOUT_MS": "500"})
        running(inside)
        process.kill()
        process.wait()
        wait_until(lambda: not family(inside), "nothing runs in the place")
        wait_until(lambda: not list(inside.glob("bundles/*")) and not list(inside.glob("runs/*")), "nothing is left there")
        assert not os.path.exists("one.csv")
        # What it has left at home goes with the next run, as after a local one.
        pipeline(make(rows=1), save("two.csv"))
        run()


@test
def test_secrets(folder):
    """In no file, argument or variable of the place, nor of the commands that lead there, although a step uses one and prints it."""
    canaries = {"CANARY_PASSWORD": "s3cr3t-canary-one", "DB_PASSWORD": "s3cr3t-canary-two"}
    write("osiris_connections.yaml", json.dumps({"version": 1, "connections": {"test": {"it": {"password": "${DB_PASSWORD}"}}}}))
    with place("pipes", folder) as inside:
        pipeline(slow(connection="@test.it", print_secret=True, print_environment=True), far(save()))
        process = start("run", "pipeline.yaml", "--pass-env", "CANARY_PASSWORD", env=canaries)
        pids = set(running(inside).values())
        wait_until(lambda: "really" in read(latest() / "debug.log"), "the step has used its secret")
        commands = {pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if pid in pids or is_below(pid, process.pid)}
        found = [str(path) for path in inside.rglob("*") if path.is_file() and b"s3cr3t-" in path.read_bytes()]
        assert_equal(found, [], "files with a secret")
        seen = 0
        for pid in commands:
            with contextlib.suppress(OSError):
                words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
                if b"osiris\0run" in words:
                    continue
                variables = pathlib.Path(f"/proc/{pid}/environ").read_bytes()
                assert b"s3cr3t-" not in words + variables, (words, variables)
                seen += 1
        # Shell, relay, keeper, worker.
        assert seen >= 4, seen
        process.send_signal(signal.SIGINT)
        finish(process)
        for path in pathlib.Path("run_logs").rglob("*"):
            assert not path.is_file() or b"s3cr3t-" not in path.read_bytes(), path


def is_below(pid, ancestor):
    with contextlib.suppress(OSError, ValueError, IndexError):
        while pid > 1:
            if pid == ancestor:
                return True
            pid = int(read(f"/proc/{pid}/stat").rpartition(")")[2].split()[1])
    return False


if __name__ == "__main__":
    main()
