#!/usr/bin/env python3
"""The exec adapter (docs/exec.md): its options, the bundle in the place, and commands that fail in every way before a worker runs. The
place is this machine, without anything in between, or with something that gets in the way."""

import os
import pathlib
import shutil
import stat
import subprocess

import places
from remote import adapters, far, latest, make, nothing_is_left, place, pump, refused, run, save
from tap import PATIENCE, Skip, assert_equal, assert_in, events, metrics, main, pipeline, read, start, test, wait_until, write

HASH = 64


def bundles(inside):
    return sorted(path.name for path in (inside / "bundles").iterdir())


def uploaded():
    return metrics(latest(), "bundle_uploaded")[0]["value"]


@test
def test_a_bundle_is_sent_once(folder):
    with place("pipes", folder) as inside:
        pipeline(far(make()), far(save()))
        run()
        whole = uploaded()
        assert whole > 1 << 20, whole
        first, = bundles(inside)
        assert_equal(len(first), HASH)
        assert_equal(stat.S_IMODE(inside.stat().st_mode), 0o700, "mode of the folder")
        run()
        assert_equal(uploaded(), 0, "bytes of the second run")
        # What a run has left that was interrupted is neither used nor kept. Its shell has ended.
        dead = subprocess.Popen(["true"])
        dead.wait()
        half = inside / "bundles" / f"new.{os.uname().nodename}.{dead.pid}"
        shutil.move(inside / "bundles" / first, half)
        run()
        assert_equal(uploaded(), whole, "bytes of the third run")
        assert_equal(bundles(inside), [first], "bundles")


@test
def test_one_round_trip_with_a_warm_bundle(folder):
    """One run of the command for the whole run: unpacked or not, it starts the worker, is the link, and sees everything removed."""
    count = folder / "count"
    with place("pipes", folder, command=["sh", "-c", f'echo x >>{count}; exec "$@"', "sh"]):
        pipeline(far(make()), far(save()))
        run()
        run()
        assert_equal(read(count).split(), ["x", "x"], "runs of the command")


@test
def test_no_bundle_is_kept(folder):
    with place("pipes", folder, keep_bundle=False) as inside:
        pipeline(far(make()), far(save()))
        for _ in range(2):
            run()
            assert uploaded() > 0
            wait_until(lambda: not bundles(inside), "the bundle is gone")
        # One that is there is used, and stays.
        adapters(far={"adapter": "exec", "command": ["env"], "folder": str(inside)},
                 brief={"adapter": "exec", "command": ["env"], "folder": str(inside), "keep_bundle": False})
        run()
        kept = bundles(inside)
        pipeline({**make(), "run_on": "brief"}, {**save(), "run_on": "brief"})
        run()
        assert_equal(uploaded(), 0, "bytes")
        assert_equal(bundles(inside), kept, "bundles")


@test
def test_older_bundles_go(folder):
    """The four that were used last stay, and those that a worker needs."""
    with place("pipes", folder) as inside:
        old = [f"{number:064x}" for number in range(9)]
        for age, name in enumerate(old):
            (inside / "bundles" / name).mkdir(parents=True)
            os.utime(inside / "bundles" / name, (1000 + age, 1000 + age))
        in_use = inside / "runs" / f"{old[0]}.1234"
        in_use.mkdir(parents=True)
        (inside / "bundles" / "somebody's").mkdir()
        pipeline(far(make()), far(save()))
        run()
        new = bundles(inside)
        assert_equal([name for name in new if name in old], [old[0], *old[6:]], "older bundles")
        assert_equal(len(new), 1 + 3 + 1 + 1, "all")
        # The newest is the one that was used last: it stays although it was unpacked first.
        os.rmdir(in_use)


@test
def test_two_runs_at_once(folder):
    """Into a place that has nothing yet."""
    with place("pipes", folder) as inside:
        pipeline(far(make()), far(save()))
        for name in "two", "three":
            write(f"{name}/pipeline.yaml", read("pipeline.yaml"))
            write(f"{name}/osiris.yaml", read("osiris.yaml"))
        processes = [start("run", "pipeline.yaml", cwd=where) for where in (".", "two", "three")]
        for process in processes:
            process.wait(PATIENCE)
        assert_equal([process.returncode for process in processes], [0, 0, 0], "exit codes", read("err"))
        assert_equal({read("one.csv"), read("two/one.csv"), read("three/one.csv")}, {read("one.csv")}, "outputs")
        assert_equal(len(bundles(inside)), 1, "bundles")


@test
def test_commands_that_fail(folder):
    inside = str(folder / "place")
    refused('cannot run "no-such-program": No such file or directory', "the option `command`", command=["no-such-program"])
    refused('the command "sh -c echo it is closed today >&2; exit 3" ended with exit code 3: it is closed today',
            command=["sh", "-c", "echo it is closed today >&2; exit 3"])
    refused("ended with exit code 0", command=["true"])
    refused("was killed by signal 9", command=["sh", "-c", "kill -9 $$"])
    refused("has closed its output", command=["sh", "-c", "exec >&-; sleep 1000"])
    refused("prints too much", "banner", command=["sh", "-c", "head -c 100000 /dev/zero; sleep 1000"])
    refused("does not answer", "connect_timeout", command=["sh", "-c", "sleep 1000"], connect_timeout=0.5)
    refused("does not answer: hold the line", command=["sh", "-c", "echo hold the line >&2; sleep 1000"], connect_timeout=0.5)
    refused("No such container", "start the container", command=["sh", "-c", "echo Error: No such container: etl >&2; exit 1"])
    refused("/dev/tty", command=["sh", "-c", "printf 'Password: '; read -r word </dev/tty"])
    refused("cannot create folders in", command=["env"], folder="/proc/no/place")
    refused("set the option folder", command=["env", "-u", "HOME", "-u", "XDG_CACHE_HOME"])
    refused("exit code 127", "POSIX shell", command=["env"], shell="no-such-shell")
    refused("contains : ;", command=["sh", "-c", f'mkdir -p "{folder}/a;b"; ln -sfn "{folder}/a;b" "{folder}/link"; exec "$@"', "sh"],
            folder=f"{folder}/link")
    assert not os.path.exists(inside), "something was written there"


@test
def test_other_machines(folder):
    """The error comes before anything is written or sent."""
    inside = folder / "place"
    path = f"PATH={folder}/bin:{os.environ['PATH']}"
    for words, machine, kernel in (("its architecture is vax, and the bundle is for", "vax", "6.1.0"),
                                   ("its Linux 2.6.32-5-generic is too old; the bundle needs 3.17", os.uname().machine, "2.6.32-5-generic"),
                                   ("its Linux 3.9 is too old", os.uname().machine, "3.9")):
        write("bin/uname", f"#!/bin/sh\ncase $1 in -m) echo {machine} ;; -r) echo {kernel} ;; *) echo a-node ;; esac\n").chmod(0o755)
        refused(words, command=["env", path], folder=str(inside))
        assert not inside.exists(), "something was written there"
    with place("pipes", folder, command=["env", path]):
        write("bin/uname", f"#!/bin/sh\ncase $1 in -m) echo {os.uname().machine} ;; -r) echo 10.0-rc1 ;; *) echo a-node ;; esac\n")
        pipeline(far(make()), far(save()))
        run()


@test
def test_shells(folder):
    """Each has its own way of reading a script from a pipe."""
    for shell in "bash", "dash", "ksh", "mksh", "zsh", "yash":
        if places.program(shell):
            with place("pipes", folder, shell=shell, keep_bundle=False):
                pipeline(far(make()), far(save()))
                run()
            shutil.rmtree("at-pipes")


@test
def test_options(folder):
    for options, words in (({}, "command"), ({"command": "ssh box"}, "command"), ({"command": []}, "command"),
                           ({"command": ["x"], "files": "both"}, "files"), ({"command": ["x"], "folder": "relative"}, "folder"),
                           ({"command": ["x"], "folder": "/a:b"}, "folder"), ({"command": ["x"], "connect_timeout": 0}, "connect_timeout"),
                           ({"command": ["x"], "hots": 1}, "hots")):
        refused(words, code=2, **options)


def without(folder, *names):
    """A PATH with all that a place needs but these programs."""
    tools = folder / f"without-{'-'.join(names)}"
    tools.mkdir()
    for name in (*places.MINIMUM, "env", "ls", "touch"):
        if name not in names:
            (tools / name).symlink_to(places.program(name))
    return tools


@test
def test_places_without_programs(folder):
    inside = folder / "place"
    for name, words, hint in (("tar", "cannot unpack the bundle", "needs tar and gzip"), ("gzip", "cannot unpack the bundle", "needs tar and gzip"),
                              ("uname", "it has no uname", None)):
        refused(words, hint, command=["env", f"PATH={without(folder, name)}"], folder=str(inside))
        nothing_is_left(inside)
    with place("pipes", folder, command=["env", f"PATH={without(folder, 'ls', 'touch')}"]):
        pipeline(far(make()), far(save()))
        run()


@test
def test_a_banner_of_the_shell(folder):
    """What a profile prints comes before the script's own words, and is skipped, whatever it looks like."""
    noise = "echo Welcome; echo osiris-relay 1; echo osiris-place 1 at x /nowhere; echo osiris-log >&2; echo osiris-exit 1 0 >&2; printf 'no newline'"
    with place("pipes", folder, command=["sh", "-c", f'{noise}; exec "$@"', "sh"]):
        pipeline(far(make()), far(save()))
        run()
        assert_equal(len(read("one.csv").splitlines()), 20001, "lines")


@test
def test_an_interrupted_upload(folder):
    """It is repeated; if that does not help, the run fails, and nothing is left."""
    command, count = pump(folder, 100000, 1000000, 3)
    with place("pipes", folder, command=command) as inside:
        pipeline(far(make()), far(save()))
        result = run()
        assert_equal(read(count), "xxxx", "runs of the command", result)
        assert_equal(len(bundles(inside)), 1, "bundles")
    os.unlink("one.csv")
    command, count = pump(folder, 100000, 1000000)
    refused("ended with exit code 9", command=command, folder=f"{folder}/other")
    nothing_is_left(folder / "other")


def small_disk(folder, megabytes):
    """A command in a namespace where FOLDER/place is a disk of its own."""
    mount = f'mount -t tmpfs -o size={megabytes}m none "{folder}/place" && exec "$@"'
    (folder / "place").mkdir(exist_ok=True)
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh"]
    if subprocess.run([*command, "true"], capture_output=True).returncode != 0:
        places.refuse("empty", "namespaces are not allowed")
    return command


@test
def test_a_full_disk_in_the_place(folder):
    refused("cannot unpack the bundle", "free some space in the place", command=small_disk(folder, 1), folder=f"{folder}/place/inside")


@test
def test_a_full_disk_at_home(folder):
    if not os.path.exists("/dev/full"):
        raise Skip("no /dev/full here")
    with place("pipes", folder):
        os.symlink("/dev/full", "full.csv")
        pipeline(far(make()), far(save("full.csv")))
        result = run(1)
        assert_in("No space left on device", result.err, result)


@test
def test_the_command_has_no_secrets_and_no_terminal(folder):
    """Its environment is not all of ours: srun would take it to the place."""
    env = {"DB_PASSWORD": "s3cr3t", "MY_CLOUD": "there", "SLURM_JWT": "s3cr3t", "SLURM_CONF": "x", "SSH_AUTH_SOCK": "agent"}
    with place("pipes", folder, command=["sh", "-c", f'env >{folder}/seen; (echo no >/dev/tty) 2>{folder}/tty; '
                        f'ls /proc/$$/fd >{folder}/open; grep SigIgn /proc/$$/status >{folder}/signals; exec "$@"', "sh"], pass_env=["MY_CLOUD"]):
        pipeline(far(make(rows=10)), far(save()))
        run(env=env)
    seen = dict(line.split("=", 1) for line in read("seen").splitlines() if "=" in line)
    assert_in("tty", read("tty"))
    # dash itself has its output there while that is redirected.
    assert_equal(sorted(set(read("open").split()) - {"10"}), ["0", "1", "2"], "open descriptors")
    assert_equal(read("signals").split(), ["SigIgn:", "0" * 16], "ignored signals")
    assert "s3cr3t" not in read("seen"), seen
    assert_equal((seen["MY_CLOUD"], seen["SLURM_CONF"], seen["SSH_AUTH_SOCK"]), ("there", "x", "agent"), "variables")
    assert_equal((seen["SLURM_UNBUFFEREDIO"], seen["SSH_ASKPASS_REQUIRE"]), ("1", "never"), "variables")


@test
def test_the_log_of_a_command(folder):
    """Its words go to debug.log, the worker's to the log as in a local run."""
    with place("pipes", folder, command=["sh", "-c", 'echo a warning of the command >&2; exec "$@"', "sh"]):
        pipeline(far(make(rows=10)), far(save()))
        result = run()
        assert "a warning of the command" not in result.err, result
        assert_in("a warning of the command", read(latest() / "debug.log"))
        assert_equal(events(latest(), "link_lost"), [], "lost links")
        assert pathlib.Path("one.csv").exists()


if __name__ == "__main__":
    main()
