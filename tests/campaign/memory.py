"""Starved memory: the N-th allocation of a program fails, N = 1 … end, in osiris and in the worker (tests/plugins/starve.c);
and both have so little address space that many fail.

Whatever fails: never a success without its output, never an output that is not whole, never a hang, never a signal but abort.
"""

import argparse
import collections
import os
import pathlib
import random
import resource
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cli"))
from tap import BUILD, OSIRIS, PATIENCE, environment, pipeline, processes, step  # noqa: E402

PRELOAD = BUILD / "tests/plugins/preload/.libs/starve.so"
WORKER = os.environ.get("OSIRIS_WORKER") or str(BUILD / "osiris-worker")


def exported():
    pipeline(step("make", "test.generate", "read", rows=300, batch_rows=100),
             step("save", "csv.writer", "write", path="out.csv"))


def crossing():
    """Batches between two places."""
    make = step("make", "test.generate", "read", rows=300, batch_rows=100)
    save = step("save", "csv.writer", "write", path="out.csv")
    pathlib.Path("osiris.yaml").write_text("adapters: {other: {adapter: local}}\n")
    pipeline(make, {**save, "run_on": "other"})


def diamond():
    pipeline(step("make", "test.generate", "read", rows=300, batch_rows=100),
             step("a", "test.pass", "transform", inputs={"df": "${make.df}"}),
             step("b", "test.pass", "transform", inputs={"df": "${make.df}"}),
             step("save", "csv.writer", "write", inputs={"df": "${a.df}"}, path="out.csv"),
             step("too", "csv.writer", "write", inputs={"df": "${b.df}"}, path="too.csv"))


def large():
    """Large batches between two places, and a large secret."""
    make = step("make", "test.generate", "read", rows=3000, batch_rows=1000, row_bytes=700, connection="@test.it")
    save = step("save", "csv.writer", "write", path="out.csv")
    pathlib.Path("osiris_connections.yaml").write_text("connections: {test: {it: {password: '%s'}}}\n" % ("long " * 40000))
    pathlib.Path("osiris.yaml").write_text("adapters: {other: {adapter: local}}\n")
    pipeline(make, {**save, "run_on": "other"}, description="x" * 300000)


PIPELINES = {"exported": exported, "crossing": crossing, "diamond": diamond, "large": large}
OUTPUTS = {"exported": ["out.csv"], "crossing": ["out.csv"], "diamond": ["out.csv", "too.csv"], "large": ["out.csv"]}
# Of "large" only what is larger than what ends a process (MEMORY_SMALL in core/memory.h).
SMALLEST = {"large": 64 << 10}


class Starved:
    """One run of a pipeline, in a folder of its own, with some allocations of a program failing."""

    def __init__(self, name, program, first=0, last=0, space=None):
        self.name, self.program, self.first, self.space = name, program, first, space
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="osi."))
        here = os.getcwd()
        os.chdir(self.folder)
        try:
            PIPELINES[name]()
            self._run(first, last)
        finally:
            os.chdir(here)

    def _run(self, first, last):
        counter, trace = pathlib.Path("count"), pathlib.Path("trace")
        counter.write_bytes(bytes(8))
        settings = {"LD_PRELOAD": str(PRELOAD), "STARVE_PROGRAM": str(self.program), "STARVE_AT": str(first),
                    "STARVE_LAST": str(last or first), "STARVE_COUNT": str(counter.resolve()),
                    "STARVE_TRACE": str(trace.resolve()),
                    "STARVE_SMALLEST": str(SMALLEST.get(self.name, 0))}
        extra = {"OSIRIS_HEARTBEAT_TIMEOUT_MS": "10000"}
        if self.program is None:
            pass
        elif self.program == "osiris":
            extra.update(settings)
        else:
            # The worker's environment is empty when osiris starts it.
            wrapper = pathlib.Path("worker")
            words = " ".join(f"{name}='{value}'" for name, value in settings.items())
            wrapper.write_text(f"#!/bin/sh\nexec env {words} {WORKER} \"$@\"\n")
            wrapper.chmod(0o755)
            extra["OSIRIS_WORKER"] = str(wrapper.resolve())
        process = subprocess.Popen([OSIRIS, "run", "pipeline.yaml"], env=environment(extra), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, preexec_fn=self._limit)
        try:
            out, err = process.communicate(timeout=PATIENCE)
            self.hung = False
        except subprocess.TimeoutExpired:
            self.hung = True
            for pid in self._left(process.pid):
                os.kill(pid, 9)
            out, err = process.communicate()
        self.code = process.returncode
        self.out, self.err = out.decode(errors="replace"), err.decode(errors="replace")
        self.count = int.from_bytes(counter.read_bytes(), "little")
        self.trace = trace.read_text() if trace.exists() else ""
        self.outputs = {name: (self.folder / name).read_bytes() for name in OUTPUTS[self.name] if (self.folder / name).exists()}

    def _limit(self):
        if self.space:
            resource.setrlimit(resource.RLIMIT_AS, (self.space, self.space))

    @staticmethod
    def _left(session):
        found = []
        for pid in processes():
            try:
                if os.getsid(pid) == session:
                    found.append(pid)
            except OSError:
                pass
        return found

    def violations(self, whole):
        if self.hung:
            yield "a hang"
            return
        if self.code < 0 and self.code != -6:
            yield f"osiris died of signal {-self.code}"
        if self.code == 0 and self.outputs != whole:
            yield "success without the right outputs"
        for name, content in self.outputs.items():
            if content != whole[name]:
                yield f"{name} is not whole"
        if any(word in self.err for word in ("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "signal 11")):
            yield "the worker died of a signal"
        if self.code != 0 and not self.err.strip():
            yield "a failure without a word"

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def sound_run(name, program):
    """The outputs as they have to be, and how many allocations there are."""
    sound = Starved(name, program)
    if sound.code != 0 or len(sound.outputs) != len(OUTPUTS[name]):
        sys.exit(f"the sound run failed: {sound.err}")
    sound.close()
    return sound.outputs, sound.count


def judge(title, runs, whole, say):
    """Returns how often a rule was violated."""
    outcomes, bad = collections.Counter(), 0
    for what, run in runs:
        outcomes["succeeded" if run.code == 0 else "failed"] += 1
        for violation in run.violations(whole):
            bad += 1
            outcomes[violation] += 1
            say(f"{what}: {violation} (exit code {run.code})\n{run.err[-1500:]}\n{run.trace}")
        run.close()
    print(f"# {title}: " + ", ".join(f"{many} {what}" for what, many in sorted(outcomes.items())), flush=True)
    return bad


def failing(name, program, choose, say):
    """One allocation after the other fails."""
    whole, count = sound_run(name, program)
    runs = ((f"{name}, allocation {number} of {program}", Starved(name, program, number)) for number in choose(count))
    return judge(f"{name}: {count} allocations of {program}", runs, whole, say)


def little_space(name, choose, say):
    """From too little to load the programs with to enough."""
    whole, _ = sound_run(name, None)
    first, step_bytes, count = 12 << 20, 64 << 10, 600
    sizes = (first + number * step_bytes for number in choose(count))
    runs = ((f"{name} with {size >> 10} KiB", Starved(name, None, space=size)) for size in sizes)
    return judge(f"{name}: address space of {first >> 20} to {(first + count * step_bytes) >> 20} MiB", runs, whole, say)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=0, help="so many of each pipeline and program, chosen by --seed; 0: all")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--only", choices=PIPELINES)
    parser.add_argument("--program", choices=["osiris", "osiris-worker", "both"], help="both: with little address space")
    parser.add_argument("--at", type=int, help="this allocation only, and where it was")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    print(f"# seed {options.seed}")

    def choose(count):
        everything = range(1, count + 1)
        return everything if options.runs == 0 or options.runs >= count else sorted(chance.sample(everything, options.runs))

    def say(text):
        print("\n".join(f"# {line}" for line in text.splitlines()), flush=True)

    if options.at:
        run = Starved(options.only, options.program, options.at)
        say(f"exit code {run.code}, hung: {run.hung}, outputs: {list(run.outputs)}\n{run.out}\n{run.err}\n{run.trace}")
        return
    names = [name for name in PIPELINES if options.only in (None, name)]
    bad = sum(failing(name, program, choose, say) for name in names
              for program in ("osiris", "osiris-worker") if options.program in (None, program))
    if options.program in (None, "both"):
        bad += sum(little_space(name, choose, say) for name in names)
    print(f"{bad} violations")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
