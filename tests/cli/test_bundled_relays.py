"""A worker of a bundle that is reached through relays, in a root with nothing else: no /proc, no libraries, no shell."""

import os
import shutil
import subprocess

from bundles import create, environment, need_namespaces, plugin, started, unpacked
from relays import NO_WORKER, Relay, Session, variables
from tap import assert_equal, main, test, wait_until


def enter(root, command, given):
    """The words that run a command in the root, with these variables only."""
    (root / "dev").mkdir(exist_ok=True)
    (root / "dev" / "null").touch()
    chroot = shutil.which("chroot", path="/usr/sbin:/sbin:/usr/bin:/bin")
    script = 'mount --bind /dev/null "$1/dev/null" && shift && exec env -i "$@"'
    words = [*(f"{name}={value}" for name, value in {**variables(), **given}.items()), chroot, root, *command]
    return ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh", root, *words]


@test
def test_a_worker_in_an_empty_root(folder):
    need_namespaces()
    made = create("test.generate", env=environment(drivers=plugin("generate").parent))
    root = folder / "root"
    unpacked(made["path"], root / "b")
    command, given = started(made["bundle"], "/b")
    words = enter(root, command, given)
    session = Session("/w", "--remove", "/b", words=words)
    session.hello().prepare(("make", "test.generate", "/b/drivers/generate.so", "extractor"))
    session.relay.cut()
    session.again()
    session.make(rows=1000, print_environment=True)
    assert "result" in session.answer("make")
    assert_equal(subprocess.run([*words, "--status", "/w"], capture_output=True, text=True).stdout.split()[0], "running", "status")
    session.end()
    log = dict(line.split("=", 1) for line in session.relay.log.decode().splitlines())
    assert_equal(log, given, "the worker's variables")
    wait_until(lambda: not os.path.exists(root / "w") and not os.path.exists(root / "b"), "folder and bundle are gone")


@test
def test_a_worker_that_is_killed_in_an_empty_root(folder):
    need_namespaces()
    made = create("test.generate", env=environment(drivers=plugin("generate").parent))
    root = folder / "root"
    unpacked(made["path"], root / "b")
    words = enter(root, *started(made["bundle"], "/b"))
    session = Session("/w", words=words).hello()
    assert_equal(subprocess.run([*words, "--kill", "/w", "kill"]).returncode, 0, "--kill")
    session.relay.finish(64 + 9)
    assert not os.path.exists(root / "w")
    assert_equal(Relay("--relay", "/w", words=words).finish(), NO_WORKER, "--relay")


if __name__ == "__main__":
    main()
