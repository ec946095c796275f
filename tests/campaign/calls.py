"""One call of each kind that fails, of osiris or of its worker, the first, the second, …: tests/plugins/fail-call.c."""

import errno
import itertools
import struct

from project import BUILD, WORKER, Project, Violation, usual_steps
from tap import SANITIZED, Skip

STATE, SLOT = struct.Struct("QQII"), struct.Struct("24sQ")  # struct state of fail-call.c
PRELOAD = BUILD / "tests/plugins/preload/.libs/fail-call.so"

CALLS = {
    "open": errno.EMFILE, "openat": errno.ENOSPC, "opendir": errno.EMFILE, "fdopendir": errno.ENOMEM, "read": errno.EIO, "pread": errno.EIO,
    "readlink": errno.EACCES, "write": errno.ENOSPC, "writev": errno.EIO, "fsync": errno.EIO, "rename": errno.ENOSPC,
    "renameat": errno.ENOSPC, "linkat": errno.ENOSPC, "symlink": errno.ENOSPC, "unlink": errno.EIO, "unlinkat": errno.EIO,
    "rmdir": errno.EIO, "mkdir": errno.ENOSPC, "mkostemp": errno.ENOSPC, "fchmod": errno.EPERM, "fstat": errno.EIO, "stat": errno.EIO,
    "lstat": errno.EIO, "fstatat": errno.EIO, "fstatfs": errno.EIO, "ftruncate": errno.EIO, "fallocate": errno.ENOSPC, "lseek": errno.EIO,
    "flock": errno.ENOLCK, "access": errno.EACCES, "faccessat": errno.EACCES, "pipe2": errno.EMFILE, "socketpair": errno.EMFILE,
    "eventfd": errno.EMFILE, "signalfd": errno.EMFILE, "memfd_create": errno.EMFILE, "dup2": errno.EMFILE, "fork": errno.EAGAIN,
    "execve": errno.ENOENT, "mmap": errno.ENOMEM, "poll": errno.ENOMEM, "sendmsg": errno.ENOBUFS, "recvmsg": errno.ENOMEM,
    "getrandom": errno.EAGAIN, "pthread_create": errno.EAGAIN, "posix_spawn": errno.EAGAIN, "fcntl": errno.EMFILE,
}

# What could not be removed, or looked for, may stay.
LEAVES_LITTER = {"unlink", "unlinkat", "rmdir"}


class Preloaded:
    """A project in which one of the two programs has fail-call."""

    def __init__(self, project):
        self.project, self.state = project, project.folder / "state"
        self.wrapper = project.folder / "worker"
        project.own |= {"state", "worker"}

    def environment(self, program, call, at, number, lasts):
        self.state.write_bytes(bytes(STATE.size + 64 * SLOT.size))
        env = {"LD_PRELOAD": str(PRELOAD), "OSIRIS_FAIL_CALL": call, "OSIRIS_FAIL_AT": str(at), "OSIRIS_FAIL_ERRNO": str(number),
               "OSIRIS_FAIL_STATE": str(self.state)}
        if lasts:
            env["OSIRIS_FAIL_LASTS"] = "1"
        if program == "osiris":
            return env
        # A worker's environment is empty.
        words = " ".join(f"{name}='{value}'" for name, value in env.items())
        self.wrapper.write_text(f"#!/bin/sh\n{words} exec '{WORKER}' \"$@\"\n")
        self.wrapper.chmod(0o755)
        return {"OSIRIS_WORKER": str(self.wrapper)}

    def run(self, program, call, at=0, number=errno.EIO, lasts=False):
        """The result, and how many calls have failed."""
        result = self.project.run(**self.environment(program, call, at, number, lasts))
        return result, STATE.unpack_from(self.state.read_bytes())[1]

    def counts(self, program):
        """{name: calls that a run makes}"""
        result = self.project.run(**self.environment(program, "*", 0, 0, False))
        if result.code != 0:
            raise Violation(f"a run whose calls are counted only fails: {result}")
        self.project.clear()
        slots = [SLOT.unpack_from(self.state.read_bytes(), STATE.size + i * SLOT.size) for i in range(64)]
        return {name.rstrip(b"\0").decode(): count for name, count in slots if count}


def project():
    if SANITIZED:
        raise Skip("a sanitizer's library wants to be loaded first")
    project = Project(steps=usual_steps(rows=200, delay_ms=0))
    project.learn()
    return project


def all_cases(preloaded, campaign):
    """(program, call, n) of all calls that a run makes; those of one kind are mixed, and the rare ones come as early as the frequent."""
    kinds = []
    for program in ("osiris", "worker"):
        made = preloaded.counts(program)
        for call in CALLS:
            numbers = list(range(1, made.get(call, 0) + 1))
            campaign.random.shuffle(numbers)
            kinds.append([(program, call, n) for n in numbers])
    campaign.random.shuffle(kinds)
    for row in itertools.zip_longest(*kinds):
        yield from (case for case in row if case)


def rounds(campaign):
    own = project()
    preloaded = Preloaded(own)
    try:
        for program, call, n in all_cases(preloaded, campaign):
            lasts = campaign.random.random() < 0.2
            with campaign.round(f"{program}: {call} number {n} {'and all that follow ' if lasts else ''}fails", own):
                result, failed = preloaded.run(program, call, n, CALLS[call], lasts)
                found = own.check(result, litter=call not in LEAVES_LITTER)
                campaign.count("it was not called" if failed == 0 else
                               "no harm" if result.code == 0 else "failed, with outputs" if found else "failed")
            yield
    finally:
        own.remove()
