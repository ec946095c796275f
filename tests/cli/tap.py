"""What the tests of the real binary share: TAP output, the environment of a build tree, running osiris.

A test file defines functions decorated with @test and ends with main(). Each test gets an empty folder
as its working directory. The environment comes from `make check` (tests/local.mk): OSIRIS,
OSIRIS_WORKER, OSIRIS_TEST_DRIVERS, top_builddir, srcdir.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

BUILD = pathlib.Path(os.environ.get("top_builddir", ".")).resolve()
SOURCE = pathlib.Path(__file__).resolve().parents[2]
OSIRIS = os.environ.get("OSIRIS", str(BUILD / "osiris"))
SANITIZED = os.environ.get("OSIRIS_SANITIZED") == "yes"

# How long anything may take before the test gives up on it; sanitizers are slow, machines are shared.
PATIENCE = 120

_tests = []


class Skip(Exception):
    """Raised by a test that cannot run here; the text says why."""


def test(function):
    _tests.append(function)
    return function


def main(setup=None, teardown=None):
    wanted = sys.argv[1:]
    # In the background of a shell, or behind nohup, they are ignored, which children would inherit.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    # A test file may import another one's fixtures: its tests are not meant then.
    chosen = [t for t in _tests if t.__module__ == "__main__" and (not wanted or t.__name__ in wanted)]
    print(f"1..{len(chosen)}", flush=True)
    failed = 0
    try:
        if setup:
            setup()
        for number, function in enumerate(chosen, 1):
            failed += not _run_one(number, function)
    finally:
        if teardown:
            teardown()
    sys.exit(1 if failed else 0)


def _run_one(number, function):
    # Short: a unix socket's path is limited to 108 bytes.
    folder = pathlib.Path(tempfile.mkdtemp(prefix="osi."))
    here = os.getcwd()
    os.chdir(folder)
    try:
        function(folder)
        _look_for_sanitizer_reports(folder)
        print(f"ok {number} - {function.__name__}", flush=True)
        return True
    except Skip as reason:
        print(f"ok {number} - {function.__name__} # SKIP {reason}", flush=True)
        return True
    except Exception:
        print(f"not ok {number} - {function.__name__}", flush=True)
        for line in traceback.format_exc().splitlines():
            print(f"# {line}", flush=True)
        return False
    finally:
        os.chdir(here)
        shutil.rmtree(folder, ignore_errors=True)


def _look_for_sanitizer_reports(folder):
    """What a sanitizer has to say of a worker is in the run's debug.log."""
    for log in [*folder.rglob("debug.log"), *folder.glob("err")]:
        text = log.read_text(errors="replace")
        assert "Sanitizer" not in text and "runtime error:" not in text, f"{log}:\n{text}"


def environment(extra=None):
    """The environment of an osiris under test: nothing of the user's but what is needed."""
    env = {
        name: value
        for name, value in os.environ.items()
        if name in ("PATH", "TMPDIR", "LANG", "ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS",
                    "TSAN_OPTIONS", "OSIRIS_WORKER", "LD_LIBRARY_PATH")
    }
    env.setdefault("OSIRIS_WORKER", str(BUILD / "osiris-worker"))
    env["OSIRIS_DRIVER_PATH"] = os.environ.get(
        "OSIRIS_TEST_DRIVERS", f"{BUILD}/.libs:{BUILD}/tests/plugins/.libs")
    env["OSIRIS_ADAPTER_PATH"] = os.environ.get("OSIRIS_TEST_ADAPTERS", str(BUILD / ".libs"))
    # The adapters of the build are osiris's own.
    env["OSIRIS_ADAPTER_DIR"] = str(BUILD / ".libs")
    env["XDG_CACHE_HOME"] = os.environ.get("OSIRIS_TEST_CACHE", str(BUILD / "tests" / "cache"))
    env["HOME"] = os.getcwd()
    env.update(extra or {})
    return env


class Result:
    def __init__(self, code, out, err, seconds):
        self.code, self.out, self.err, self.seconds = code, out, err, seconds

    def __str__(self):
        return (f"exit code {self.code} after {self.seconds:.1f} s\n--- stdout\n{self.out}\n"
                f"--- stderr\n{self.err}\n---")

    def json(self):
        return json.loads(self.out)


def osiris(*arguments, env=None, timeout=PATIENCE, **options):
    started = time.monotonic()
    done = subprocess.run([OSIRIS, *map(str, arguments)], env=environment(env), text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout,
                          errors="replace", **options)
    return Result(done.returncode, done.stdout, done.stderr, time.monotonic() - started)


def start(*arguments, env=None, **options):
    """A running osiris, its output going to the files out and err."""
    with open("out", "w") as out, open("err", "w") as err:
        return subprocess.Popen([OSIRIS, *map(str, arguments)], env=environment(env),
                                stdin=subprocess.DEVNULL, stdout=out, stderr=err, **options)


def finish(process, timeout=PATIENCE):
    started = time.monotonic()
    process.wait(timeout)
    return Result(process.returncode, read("out"), read("err"), time.monotonic() - started)


def read(path):
    return pathlib.Path(path).read_text(errors="replace")


def write(path, text):
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def pipeline(*steps, name="test-pipeline", path="pipeline.yaml", **top):
    """Writes a pipeline; JSON is YAML."""
    document = {"oml_version": "0.1.0", "name": name, **top, "steps": list(steps)}
    return write(path, json.dumps(document, indent=1) + "\n")


def step(id, component, mode, /, needs=None, inputs=None, **config):
    result = {"id": id, "component": component, "mode": mode, "config": config}
    if needs is not None:
        result["needs"] = needs
    if inputs is not None:
        result["inputs"] = inputs
    return result


def wait_until(condition, what, seconds=PATIENCE):
    """For states of other processes that nothing announces; returns what `condition` gave."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain until {what}")
        time.sleep(0.01)


def run_directory(slug="test-pipeline"):
    found = sorted(pathlib.Path("run_logs", slug).iterdir())
    assert len(found) == 1, f"expected one run's directory, found {found}"
    return found[0]


def events(directory, name=None):
    lines = [json.loads(line) for line in read(directory / "events.jsonl").splitlines()]
    return [line for line in lines if name is None or line["event"] == name]


def metrics(directory, name=None):
    lines = [json.loads(line) for line in read(directory / "metrics.jsonl").splitlines()]
    return [line for line in lines if name is None or line["metric"] == name]


def processes(parent=None):
    """{pid: (parent pid, process group, state, name)} of all processes."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            text = (entry / "stat").read_text()
        except OSError:
            continue
        name = text[text.index("(") + 1:text.rindex(")")]
        fields = text[text.rindex(")") + 2:].split()
        found[int(entry.name)] = (int(fields[1]), int(fields[2]), fields[0], name)
    return {pid: entry for pid, entry in found.items() if parent is None or entry[0] == parent}


def worker_of(process):
    """The process id of a running osiris's worker, which leads a group; one that only answers a question about drivers does not.
    A supervised osiris has it below its child."""
    def find():
        family = processes()
        ours = [process.pid, *(pid for pid, entry in family.items() if entry[0] == process.pid and entry[3] == "osiris")]
        return next((pid for pid, entry in family.items()
                     if entry[0] in ours and "osiris-worker" in entry[3] and entry[1] == pid), None)
    return wait_until(find, "there is a worker")


def group_is_gone(group):
    return not [pid for pid, entry in processes().items() if entry[1] == group and entry[2] != "Z"]


def assert_no_group(group, seconds=10):
    wait_until(lambda: group_is_gone(group), f"process group {group} is gone", seconds)


def files(folder="."):
    """All files below a folder, relative, but the run's records and the build."""
    found = []
    for path in pathlib.Path(folder).rglob("*"):
        relative = path.relative_to(folder)
        if path.is_file() and relative.parts[0] not in ("run_logs", "build", ".osiris", "out", "err"):
            found.append(str(relative))
    return sorted(found)


def temporary_folders():
    """What the workers of runs have for a time, in the project or beside a run's records."""
    return sorted(str(path) for pattern in (".osiris/tmp/*", "run_logs/**/tmp-*") for path in pathlib.Path().glob(pattern))


def assert_equal(got, expected, what="value", context=""):
    assert got == expected, f"{what}: expected {expected!r}, got {got!r}\n{context}"


def assert_in(part, text, context=""):
    assert part in text, f"expected {part!r} in:\n{text}\n{context}"


def interrupt(process, number=signal.SIGINT):
    process.send_signal(number)
