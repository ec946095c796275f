"""What the campaign's parts share: a project whose outputs are known, runs of it that something happens to, and what must be true
of these. All of it by the real binaries, as in tests/cli/tap.py."""

import ctypes
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cli"))

from tap import BUILD, OSIRIS, environment, processes, step, write  # noqa: E402

WORKER = os.environ.get("OSIRIS_WORKER") or str(BUILD / "osiris-worker")
PATIENCE = 90  # seconds: whatever takes longer hangs
LITTER = re.compile(r"\.tmp$|^tmp-|.\.[A-Za-z0-9]{6}$")


class Violation(Exception):
    pass


def adopt_orphans():
    """What a killed osiris leaves becomes a child of this process, so that it is seen."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(36, 1, 0, 0, 0) != 0:  # PR_SET_CHILD_SUBREAPER
        raise OSError(ctypes.get_errno(), "prctl")


def left_processes(known=()):
    """Children of this process that are no zombies; those are reaped."""
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    except ChildProcessError:
        return []
    return [(pid, entry[3]) for pid, entry in processes(os.getpid()).items() if pid not in known and entry[2] != "Z"]


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def __str__(self):
        return f"exit code {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}\n---"


class Project:
    """A folder with a pipeline of two groups, one of which writes into folders that are not there, the other many parts."""

    def __init__(self, folder=None, steps=None, env=None, expected=None, adapter=None):
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="osc."))
        self.env, self.adapter = env or {}, adapter
        self.known = {pid for pid, _ in left_processes()}
        self.logs = pathlib.Path(tempfile.mkdtemp(prefix="osl."))  # elsewhere: the folder may be on a disk that is full
        here = os.getcwd()
        os.chdir(self.folder)
        self.base = environment(self.env)
        os.chdir(here)
        document = {"oml_version": "0.1.0", "name": "campaign", "steps": steps or usual_steps()}
        write(self.folder / "pipeline.yaml", json.dumps(document, indent=1) + "\n")
        self.own = {path.name for path in self.folder.iterdir()}
        self.expected = expected

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self.logs, ignore_errors=True)

    def command(self, *arguments):
        return [OSIRIS, "run", "pipeline.yaml", *(("--adapter", self.adapter) if self.adapter else ()), *arguments]

    def start(self, *arguments, **env):
        with open(self.logs / "out", "w") as out, open(self.logs / "err", "w") as err:
            process = subprocess.Popen(self.command(*arguments), cwd=self.folder, env={**self.base, **env}, stdin=subprocess.DEVNULL,
                                       stdout=out, stderr=err)
        return process

    def result(self, code):
        return Result(code, *((self.logs / name).read_text(errors="replace") for name in ("out", "err")))

    def finish(self, process):
        try:
            return self.result(process.wait(PATIENCE))
        except subprocess.TimeoutExpired:
            text = f"osiris hangs: {processes(process.pid)}\n{self.result(None)}"
            process.kill()
            process.wait()
            raise Violation(text) from None

    def run(self, *arguments, **env):
        return self.finish(self.start(*arguments, **env))

    # What must be true.

    def outputs(self):
        """{path: bytes} of all but the records, the build and what is the project's own."""
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in self.folder.rglob("*")
                if path.is_file() and path.relative_to(self.folder).parts[0] not in {"run_logs", "build", ".osiris", *self.own}}

    def learn(self):
        """What the pipeline gives when nothing happens; and how long that takes."""
        began = time.monotonic()
        result = self.run()
        if result.code != 0:
            raise Violation(f"a run that nothing happens to fails: {result}")
        self.expected = self.outputs()
        self.clear()
        return time.monotonic() - began

    def clear(self):
        for path in self.folder.iterdir():
            if path.name not in self.own:
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def check_processes(self, result):
        end = time.monotonic() + PATIENCE / 2
        while left := left_processes(self.known):
            if time.monotonic() > end:
                for pid, _ in left:
                    os.kill(pid, signal.SIGKILL)
                raise Violation(f"processes are left: {left}\n{result}")
            time.sleep(0.02)

    def check_outputs(self, result, killed):
        found = {name: content for name, content in self.outputs().items() if not LITTER.search(pathlib.Path(name).name)}
        wrong = [name for name, content in found.items() if self.expected.get(name) != content]
        if wrong:
            raise Violation(f"not whole, or nobody's: {wrong}\n{result}")
        if result.code == 0 and set(found) != set(self.expected):
            raise Violation(f"success without {set(self.expected) - set(found)}\n{result}")
        # What is published stays, and is told.
        if result.code not in (0, None) and not killed and found:
            told = {file["path"] for status in self.statuses() for step in status.get("steps", {}).values()
                    for file in step.get("published", [])}
            # Several names cannot be given in one go: those before the one that cannot be given are there.
            excused = "may have been published" in result.err or "cannot publish" in result.err \
                or "cannot sync the folder" in result.err
            if not set(found) <= told and not excused:
                raise Violation(f"a failed run has published {set(found) - told} without a word\n{result}")
        return bool(found)

    def runs(self):
        return [path.parent for path in self.folder.rglob("events.jsonl")]

    def statuses(self):
        return [json.loads((run / "status.json").read_text()) for run in self.runs() if (run / "status.json").exists()]

    def check_status(self, result):
        """Only of one run. One that could not begin its records has none."""
        expected = {0: "success", 1: "failed"}.get(result.code, "cancelled" if result.code and result.code > 128 else None)
        for status in self.statuses():
            if expected and status["status"] != expected and "records are not complete" not in result.err:
                raise Violation(f"status {status['status']}, {expected} was expected\n{result}")

    def check_lines(self):
        for path in [*self.folder.rglob("*.jsonl")]:
            for line in path.read_text().splitlines(keepends=True):
                try:
                    json.loads(line)
                except ValueError:
                    raise Violation(f"{path} has {line!r}") from None
                if not line.endswith("\n"):
                    raise Violation(f"{path} has {line!r}")

    def check_litter(self, ignore=()):
        """Behind another run."""
        there = self.outputs()
        left = sorted(set(there) - set(self.expected) - set(ignore))
        left += [str(path) for path in self.folder.rglob("*") if LITTER.search(path.name) and path.name not in self.own]
        left += [str(path) for path in self.folder.glob(".osiris/tmp/*")]
        # A run's own folder that has nothing in it yet is no litter.
        left += [str(path) for path in self.folder.rglob("*") if path.is_dir() and not any(path.iterdir())
                 and path.relative_to(self.folder).parts[0] not in ("run_logs", ".osiris")]
        running = list(self.folder.glob(".osiris/index/running/*"))
        if left or running:
            raise Violation(f"left behind the next run: {left} {running}")

    def check_next(self, litter=True):
        """Another run of the project succeeds, and clears up what the first has left."""
        result = self.run()
        if result.code != 0:
            raise Violation(f"the next run fails: {result}")
        if {name: self.outputs().get(name) for name in self.expected} != self.expected:
            raise Violation(f"the next run's outputs are wrong: {result}")
        self.check_processes(result)
        self.check_lines()
        if litter:
            self.check_litter()

    def check(self, result, killed=False, litter=True, next_run=True):
        """All of it; true if the run has left outputs."""
        if result.code is not None and result.code < 0 and not killed:
            raise Violation(f"osiris was ended by a signal: {result}")
        self.check_processes(result)
        found = self.check_outputs(result, killed)
        self.check_status(result)
        if not killed:
            self.check_lines()
        if next_run:
            self.check_next(litter)
        return found


def usual_steps(rows=600, delay_ms=4):
    return [
        step("make", "test.generate", "read", rows=rows, batch_rows=50, delay_ms=delay_ms, scratch=True),
        step("save", "csv.writer", "write", needs=["make"], path="out/2026/11/orders.csv", create_dirs=True),
        step("many", "test.generate", "read", needs=[], rows=rows, batch_rows=100, delay_ms=delay_ms),
        step("parts", "csv.writer", "write", needs=["many"], path="parts/p.csv", create_dirs=True, rows_per_file=rows // 10),
    ]
