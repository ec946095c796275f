#!/usr/bin/env python3
"""Where secrets could get out: memory, and every text that a run writes or shows."""

import os
import pathlib
import resource
import signal

from tap import (SANITIZED, Skip, assert_equal, finish, interrupt, main, pipeline, start, step, test, wait_until, worker_of)


def hanging(**options):
    """A run whose worker is there."""
    pipeline(step("make", "test.generate", "read", rows=1000, hang_after=500),
             step("save", "csv.writer", "write", path="out.csv"))
    process = start("run", "pipeline.yaml", **options)
    worker_of(process)
    return process


def core_limits(pid):
    lines = pathlib.Path(f"/proc/{pid}/limits").read_text().splitlines()
    return next(line for line in lines if line.startswith("Max core file size")).split()[4:6]


@test
def test_osiris_leaves_no_core_file(folder):
    most = resource.getrlimit(resource.RLIMIT_CORE)[1]
    process = hanging(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (most, most)))
    worker = worker_of(process)
    # What adapters start may ask for its own again.
    assert_equal(core_limits(process.pid), ["0", "unlimited" if most == resource.RLIM_INFINITY else str(most)],
                 "limits of osiris")
    assert_equal(core_limits(worker)[0], "0", "limit of the worker")
    process.send_signal(signal.SIGQUIT)
    _, status = os.waitpid(process.pid, 0)
    process.returncode = -signal.SIGQUIT
    assert_equal((os.WTERMSIG(status), os.WCOREDUMP(status)), (signal.SIGQUIT, False), "end of osiris")
    assert_equal([path.name for path in pathlib.Path(".").rglob("core*")], [], "core files")


@test
def test_nobody_traces_osiris(folder):
    """What is not dumpable belongs to root, whoever runs it; only root may look into it."""
    user = os.getuid() or 65534
    os.chown(folder, user, -1)
    try:
        process = hanging(user=user) if os.getuid() == 0 else hanging()
    except PermissionError:
        raise Skip("the build is for root alone") from None
    wait_until(lambda: pathlib.Path(f"/proc/{process.pid}/comm").read_text() != "python3\n", "it is osiris")
    owner = os.stat(f"/proc/{process.pid}/environ").st_uid
    interrupt(process)
    finish(process)
    assert_equal(owner, user if SANITIZED else 0, "owner")


if __name__ == "__main__":
    main()
