"""Disks that become full: small file systems in memory where that is allowed, and writes that fail from some byte on."""

import contextlib
import errno
import os
import shutil
import subprocess
import tempfile

from calls import Preloaded, project
from project import Project, usual_steps
from tap import SANITIZED

STEPS = {"rows": 400, "delay_ms": 0}


@contextlib.contextmanager
def small_disk(kib):
    """A folder that holds so much; None if that is not allowed here."""
    folder = tempfile.mkdtemp(prefix="osc.")
    mounted = os.geteuid() == 0 and subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", folder],
                                                   capture_output=True, check=False).returncode == 0
    try:
        yield folder if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", "-l", folder], check=True)
        os.rmdir(folder)


def on_small_disk(campaign, expected, kib):
    """True: it could be mounted."""
    with small_disk(kib) as folder:
        if folder is None:
            return False
        try:
            small = Project(folder, steps=usual_steps(**STEPS), expected=expected)
        except OSError:
            campaign.count("no room for the pipeline")
            return True
        with campaign.round(f"a disk of {kib} KiB", small):
            result = small.run()
            found = small.check(result, next_run=False)
            subprocess.run(["mount", "-o", "remount,size=64m", folder], check=True)
            small.check_next()
            campaign.count("it is enough" if result.code == 0 else "full, with outputs" if found else "full")
        shutil.rmtree(small.logs)
    return True


def rounds(campaign):
    learnt = Project(steps=usual_steps(**STEPS))
    learnt.learn()
    learnt.remove()
    own = None if SANITIZED else project()
    preloaded = own and Preloaded(own)
    try:
        while True:
            if not on_small_disk(campaign, learnt.expected, campaign.random.randrange(8, 300, 4)) and own is None:
                return
            if own is not None:
                program, room = campaign.random.choice(("osiris", "worker")), campaign.random.randrange(1, 60000)
                with campaign.round(f"{program}: no room after {room} bytes", own):
                    result, failed = preloaded.run(program, "space", room, errno.ENOSPC)
                    found = own.check(result)
                    campaign.count("it is enough" if failed == 0 else "survived" if result.code == 0 else
                                   "full, with outputs" if found else "full")
            yield
    finally:
        if own is not None:
            own.remove()
