"""The exec adapter (docs/exec.md) in places that can be had on one machine (places.py): the same pipelines as in a local run, and what
happens when the command, the place or the link fails."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

import places
from tap import (BUILD, SANITIZED, Skip, assert_equal, assert_in, events, files, finish, main, metrics, osiris, pipeline, processes, read, start, step,
                 temporary_folders, test, wait_until, write)

PLACES = {
    "pipes": lambda folder: contextlib.nullcontext(({"command": ["env"], "folder": str(folder / "place")}, folder / "place")),
    "empty": lambda folder: places.busybox_root(folder, furnished=False),
    "busybox": lambda folder: places.busybox_root(folder, furnished=True),
    "ssh": places.sshd,
    "slurm": places.slurm,
}
ADAPTERS = {"OSIRIS_ADAPTER_PATH": str(BUILD / ".libs")}


@contextlib.contextmanager
def place(kind, folder, **options):
    """osiris.yaml with this place, which is called `far`. Nothing may be left there but the bundle."""
    if SANITIZED and kind != "pipes":
        raise Skip("a bundle has no sanitizer's runtime files")
    with PLACES[kind](folder / f"place-of-{kind}") as (adapter, inside):
        write("osiris.yaml", json.dumps({"adapters": {"far": {"adapter": "exec", **adapter, **options}}}))
        yield inside
        wait_until(lambda: not (inside / "runs").exists() or not list((inside / "runs").iterdir()), "no worker's folder is left")
        assert_equal(temporary_folders(), [], "temporary folders")


def run(code=0, *arguments, **options):
    result = osiris("run", "pipeline.yaml", *arguments, **options)
    assert_equal(result.code, code, "exit code", result)
    return result


def far(*arguments, **more):
    return {**step(*arguments, **more), "run_on": "far"}


def latest():
    return max(pathlib.Path("run_logs").glob("*/*"), key=lambda path: path.stat().st_mtime_ns)


def outputs():
    return {name: pathlib.Path(name).read_bytes() for name in files() if name.startswith("output/")}


def seen(directory):
    """What is equal wherever a step runs."""
    counts = {(m["metric"], m.get("tags", {}).get("step")): m["value"] for m in metrics(directory)
              if m["metric"] in ("rows_read", "rows_written", "rows_processed")}
    kinds = sorted((e["event"], e.get("step_id")) for e in events(directory)
                   if e["event"] in ("step_start", "step_complete", "step_failed", "artifact_created", "run_complete"))
    return counts, kinds


def same_as_local(steps, code=0):
    """Runs the pipeline here and in the place, and compares."""
    shutil.rmtree("output", ignore_errors=True)
    pathlib.Path("output").mkdir()
    pipeline(*steps)
    here = run(code)
    expected, records = outputs(), seen(latest())
    artifacts = {str(path.relative_to(latest())) for path in (latest() / "artifacts").rglob("*")}
    shutil.rmtree("output", ignore_errors=True)
    pathlib.Path("output").mkdir()
    there = run(code, "--adapter", "far")
    assert_equal(outputs(), expected, "outputs", there)
    # How far the others get when one fails is chance.
    if code == 0:
        assert_equal(seen(latest()), records, "records", there)
    assert_equal({str(path.relative_to(latest())) for path in (latest() / "artifacts").rglob("*")}, artifacts, "artifacts", there)
    errors = [line for line in there.err.splitlines() if line.startswith("osiris: ")]
    assert_equal(errors, [line for line in here.err.splitlines() if line.startswith("osiris: ")], "errors")


def make(rows=20000, **config):
    return step("make", "test.generate", "read", rows=rows, batch_rows=1000, **config)


def parity(kind, folder):
    with place(kind, folder):
        pathlib.Path("output").mkdir()
        same_as_local([make(), step("save", "csv.writer", "write", needs=["make"], path="output/one.csv")])
        same_as_local([make(), step("save", "csv.writer", "write", needs=["make"], path="output/part.csv.gz", rows_per_file=3000,
                                    compression="gzip"),
                       step("more", "csv.writer", "write", needs=["make"], path="output/two.csv")])
        same_as_local([make(), step("save", "csv.writer", "write", needs=["make"], path="pipeline.yaml/one.csv")], code=1)
        same_as_local([make(fail_after=5000), step("save", "csv.writer", "write", needs=["make"], path="output/one.csv")], code=1)


for name in PLACES:
    def parity_in(folder, name=name):
        parity(name, folder)
    parity_in.__name__ = f"test_parity_{name}"
    test(parity_in)


@test
def test_placement(folder):
    """Either end here and the other there; and the standard output."""
    with place("pipes", folder):
        for near, there in ((make(), far("save", "csv.writer", "write", needs=["make"], path="one.csv")),
                            ({**make(), "run_on": "far"}, step("save", "csv.writer", "write", needs=["make"], path="one.csv"))):
            pipeline(near, there)
            run()
            assert_equal(len(read("one.csv").splitlines()), 20001, "lines")
            os.unlink("one.csv")
        pipeline({**make(rows=10), "run_on": "far"}, far("save", "csv.writer", "write", needs=["make"], path="-"))
        assert_equal(len(run().out.splitlines()[:11]), 11, "lines of the output")


@test
def test_a_bundle_goes_up_once(folder):
    with place("pipes", folder) as inside:
        pipeline({**make(), "run_on": "far"}, far("save", "csv.writer", "write", needs=["make"], path="one.csv"))
        run()
        first = metrics(latest(), "bundle_uploaded_bytes")[0]["value"]
        assert first > 1 << 20, first
        run()
        assert_equal(metrics(latest(), "bundle_uploaded_bytes")[0]["value"], 0, "bytes of the second run")
        bundle, = (inside / "bundles").iterdir()
        # An unpacked half, as an interrupted run leaves it, is not used.
        shutil.move(bundle, f"{bundle}.new.1")
        os.unlink(f"{bundle}.new.1/run")
        run()
        assert_equal(metrics(latest(), "bundle_uploaded_bytes")[0]["value"], first, "bytes of the third run")


@test
def test_no_bundle_is_kept(folder):
    with place("pipes", folder, keep_bundle=False) as inside:
        pipeline({**make(), "run_on": "far"}, far("save", "csv.writer", "write", needs=["make"], path="one.csv"))
        run()
        wait_until(lambda: not list((inside / "bundles").iterdir()), "the bundle is gone")


def refused(words, hint=None, code=1, **adapter):
    write("osiris.yaml", json.dumps({"adapters": {"far": {"adapter": "exec", "connect_timeout": 20, **adapter}}}))
    pipeline({**make(rows=10), "run_on": "far"}, far("save", "csv.writer", "write", needs=["make"], path="one.csv"))
    result = run(code)
    assert_in(words, result.err, result)
    if hint:
        assert_in(hint, result.err, result)
    assert not os.path.exists("one.csv")
    return result


@test
def test_commands_that_fail(folder):
    inside = str(folder / "place")
    refused('cannot run "no-such-program": No such file or directory', "the option `command`", command=["no-such-program"])
    refused("ended with exit code 3: it is closed today", command=["sh", "-c", "echo it is closed today >&2; exit 3"])
    refused("ended with exit code 0", command=["true"])
    refused("was ended by signal 9", command=["sh", "-c", "kill -9 $$"])
    refused("prints too much", command=["sh", "-c", "head -c 100000 /dev/zero"])
    refused("does not answer; it was ended", command=["sh", "-c", "sleep 1000"], connect_timeout=0.5)
    refused("No such container", "start the container", command=["sh", "-c", "echo Error: No such container: etl >&2; exit 1"])
    refused("cannot create", command=["env"], folder="/proc/no/place")
    refused("set the option folder", command=["env", "-u", "HOME", "-u", "XDG_CACHE_HOME"])
    refused("exit code 127", "POSIX shell", command=["env"], shell="no-such-shell")
    uname = write("bin/uname", "#!/bin/sh\ncase $1 in -m) echo vax;; *) echo 6.1.0;; esac\n")
    uname.chmod(0o755)
    path = f"PATH={folder}/bin:{os.environ['PATH']}"
    refused("its processor is a vax, but the bundle is for", command=["env", path], folder=inside)
    write("bin/uname", "#!/bin/sh\ncase $1 in -m) exec /usr/bin/uname -m;; *) echo 2.6.32-5-generic;; esac\n")
    refused("its Linux 2.6.32-5-generic is too old", command=["env", path], folder=inside)
    assert not os.path.exists(inside), "something was written there"


@test
def test_a_command_whose_errors_are_held_open(folder):
    """By another process, as by the master of ssh's connections: nobody waits for it."""
    held = 'sleep 600 >/dev/null & echo $! >> sleepers; echo closed >&2; exit 3'
    try:
        refused("ended with exit code 3: closed", command=["sh", "-c", held])
        with place("pipes", folder, command=["sh", "-c", 'sleep 600 >/dev/null </dev/null & echo $! >> sleepers; exec "$@"', "sh"]):
            pipeline({**make(rows=10), "run_on": "far"}, far("save", "csv.writer", "write", needs=["make"], path="one.csv"))
            run()
    finally:
        for pid in read("sleepers").split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)


@test
def test_options(folder):
    for options, words in (({}, "command"), ({"command": "ssh box"}, "command"), ({"command": []}, "command"),
                           ({"command": ["x"], "files": "both"}, "files"), ({"command": ["x"], "folder": "relative"}, "folder"),
                           ({"command": ["x"], "connect_timeout": 0}, "connect_timeout"), ({"command": ["x"], "hots": 1}, "hots")):
        refused(words, code=2, **{"connect_timeout": 20, **options})


@test
def test_a_place_without_tar(folder):
    """It fails before anything is used, and leaves nothing."""
    (folder / "bin").mkdir()
    for name in ("sh", "head", "mkdir", "rm", "uname", "mv", "gzip", "env"):
        (folder / "bin" / name).symlink_to(places.program(name))
    result = refused("cannot unpack the bundle", command=["env", f"PATH={folder}/bin"], folder=str(folder / "place"))
    assert_in("tar", result.err)
    assert_equal(list((folder / "place" / "bundles").iterdir()), [], "what is left")


@test
def test_ssh_that_refuses(folder):
    if SANITIZED:
        raise Skip("a bundle has no sanitizer's runtime files")
    with places.sshd(folder / "box", key="stranger") as (adapter, _):
        refused("Permission denied (publickey)", "ssh-agent", **adapter)
    refused("Connection refused", **adapter)


@test
def test_a_banner_of_the_shell(folder):
    """What a profile prints on standard output comes before the relay, and is skipped."""
    with place("pipes", folder, command=["sh", "-c", "echo Welcome; echo osiris-relay 1; echo osiris-place at /nowhere; printf 'no newline'; exec \"$@\"", "sh"]):
        pipeline({**make(), "run_on": "far"}, far("save", "csv.writer", "write", needs=["make"], path="one.csv"))
        run()
        assert_equal(len(read("one.csv").splitlines()), 20001, "lines")


CUTTER = """
import os, random, select, subprocess, sys
random.seed(os.getpid())
left = random.randint(*map(int, sys.argv[1].split(",")))
child = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
ends = {0: child.stdin.fileno(), child.stdout.fileno(): 1}
while ends:
    for source in select.select(list(ends), [], [])[0]:
        data = os.read(source, 65536)
        if source != 0:
            data = data[:left]
            left -= len(data)
        view = memoryview(data)
        while view:
            view = view[os.write(ends[source], view):]
        if not data or left == 0:
            if left == 0:
                os._exit(9)
            os.close(ends.pop(source))
sys.exit(child.wait())
"""


@test
def test_links_that_break(folder):
    """The command dies after a random number of bytes, again and again; the output is that of a run without cuts."""
    write("cutter.py", CUTTER)
    pipeline(make(rows=60000), step("save", "csv.writer", "write", needs=["make"], path="expected.csv"))
    run()
    with place("pipes", folder):
        pipeline({**make(rows=60000), "run_on": "far"}, far("save", "csv.writer", "write", needs=["make"], path="home.csv"))
        run()
        assert read("home.csv") == read("expected.csv")
    with place("pipes", folder, command=[sys.executable, str(folder / "cutter.py"), "30000,400000"]):
        pipeline({**make(rows=60000), "run_on": "far"}, step("save", "csv.writer", "write", needs=["make"], path="there.csv"),
                 far("also", "csv.writer", "write", needs=["make"], path="home.csv"))
        result = run()
        assert read("there.csv") == read("expected.csv"), result
        assert read("home.csv") == read("expected.csv"), result
        assert len(events(latest(), "link_lost")) >= 3, events(latest())


@test
def test_an_interrupted_upload(folder):
    """The command dies while the bundle is sent: it is repeated, and a half is not used."""
    write("once.sh", "read runs < runs; runs=$((runs + 1)); echo $runs > runs\n"
          f"[ $runs -gt 2 ] || exec {sys.executable} cutter.py 1000000,1000001 \"$@\"\nexec \"$@\"\n")
    write("cutter.py", CUTTER.replace("if source != 0:", "if source == 0:"))
    write("runs", "0\n")
    with place("pipes", folder, command=["sh", str(folder / "once.sh")]) as inside:
        pipeline({**make(), "run_on": "far"}, far("save", "csv.writer", "write", needs=["make"], path="one.csv"))
        run()
        assert int(read("runs")) >= 3, read("runs")
        assert_equal(len([path for path in (inside / "bundles").iterdir() if "." not in path.name]), 1, "bundles")


def running(inside):
    """The worker's folder in the place, once its steps run."""
    return wait_until(lambda: next(iter((inside / "runs").glob("*/pid")), None) if (inside / "runs").exists() else None, "the worker runs").parent


def pids_in(worker_folder):
    """Of the worker and its keeper."""
    worker = int(read(worker_folder / "pid"))
    return [worker, processes()[worker][0]]


def slow(**more):
    return {**make(rows=1000000, delay_ms=20, **more), "run_on": "far"}


@test
def test_a_killed_worker(folder):
    with place("pipes", folder) as inside:
        pipeline(slow(), far("save", "csv.writer", "write", needs=["make"], path="one.csv"))
        process = start("run", "pipeline.yaml")
        worker, _ = pids_in(running(inside))
        wait_until(lambda: "make: started" in read("err"), "the step runs")
        os.kill(worker, signal.SIGKILL)
        result = finish(process)
        assert_equal(result.code, 1, "exit code", result)
        assert_in("killed by SIGKILL", result.err, result)
        assert not os.path.exists("one.csv")


@test
def test_a_killed_place(folder):
    """Worker and keeper are gone, and nobody can say how: the run does not wait for a link."""
    with place("pipes", folder) as inside:
        pipeline(slow(), far("save", "csv.writer", "write", needs=["make"], path="one.csv"))
        process = start("run", "pipeline.yaml")
        pids = pids_in(running(inside))
        wait_until(lambda: "make: started" in read("err"), "the step runs")
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        result = finish(process, 50)
        assert_equal(result.code, 1, "exit code", result)
        assert not os.path.exists("one.csv")


@test
def test_cancelled(folder):
    with place("pipes", folder) as inside:
        pipeline(slow(), far("save", "csv.writer", "write", needs=["make"], path="one.csv"))
        process = start("run", "pipeline.yaml")
        pids = pids_in(running(inside))
        wait_until(lambda: "make: started" in read("err"), "the step runs")
        process.send_signal(signal.SIGINT)
        result = finish(process)
        assert_equal(result.code, 130, "exit code", result)
        wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids), "nothing runs in the place")
        assert not os.path.exists("one.csv")


@test
def test_a_killed_osiris(folder):
    """The worker ends by itself, and removes its folder."""
    with place("pipes", folder) as inside:
        pipeline(slow(), far("save", "csv.writer", "write", needs=["make"], path="one.csv"))
        process = start("run", "pipeline.yaml", env={"OSIRIS_RESUME_TIMEOUT_MS": "500"})
        pids = pids_in(running(inside))
        wait_until(lambda: "make: started" in read("err"), "the step runs")
        process.kill()
        process.wait()
        wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids), "nothing runs in the place")
        pipeline(make(rows=1), step("save", "csv.writer", "write", needs=["make"], path="two.csv"))
        run()


@test
def test_two_runs_at_once(folder):
    """Into a place that has nothing yet."""
    with place("pipes", folder) as inside:
        pipeline({**make(), "run_on": "far"}, far("save", "csv.writer", "write", needs=["make"], path="one.csv"))
        write("two/pipeline.yaml", read("pipeline.yaml"))
        write("two/osiris.yaml", read("osiris.yaml"))
        processes = [start("run", "pipeline.yaml"), start("run", "pipeline.yaml", cwd="two")]
        for process in processes:
            process.wait(120)
        assert_equal([process.returncode for process in processes], [0, 0], "exit codes", read("err"))
        assert_equal(read("one.csv"), read("two/one.csv"), "outputs")
        assert_equal(len(list((inside / "bundles").iterdir())), 1, "bundles")


@test
def test_the_environment_of_a_command(folder):
    """What osiris has is not passed on, because it may be secret; what the options name is."""
    pipeline({**make(rows=10), "run_on": "far"}, far("save", "csv.writer", "write", needs=["make"], path="one.csv"))
    env = {"CANARY_PASSWORD": "s3cr3t-canary-value", "SLURM_JWT": "s3cr3t-token", "WANTED": "yes"}
    with place("pipes", folder, command=["sh", "-c", 'env > seen; exec "$@"', "sh"], pass_env=["WANTED"]):
        run(env=env)
    seen = read("seen")
    assert "s3cr3t" not in seen, seen
    assert_in("WANTED=yes", seen)
    assert_in("HOME=", seen)


@test
def test_secrets(folder):
    """In no file, argument or variable of the place."""
    with place("pipes", folder) as inside:
        env = {"CANARY_PASSWORD": "s3cr3t-canary-value", "ALLOWED": "s3cr3t-allowed-value"}
        pipeline(slow(), far("save", "csv.writer", "write", needs=["make"], path="one.csv"))
        process = start("run", "pipeline.yaml", "--pass-env", "CANARY_PASSWORD", env=env)
        pids = pids_in(running(inside))
        wait_until(lambda: "make: started" in read("err"), "the step runs")
        found = [str(path) for path in inside.rglob("*") if path.is_file() and b"s3cr3t-" in path.read_bytes()]
        assert_equal(found, [], "files with a secret")
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) in (process.pid, os.getpid()):
                continue
            for name in ("cmdline", "environ"):
                with contextlib.suppress(OSError):
                    text = (entry / name).read_bytes()
                    words = (entry / "cmdline").read_bytes()
                    assert b"s3cr3t-" not in text or b"osiris\0run" in words, (name, words)
        assert pids
        process.send_signal(signal.SIGINT)
        finish(process)


if __name__ == "__main__":
    main()
