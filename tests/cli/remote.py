"""What the tests of the exec adapter share: projects with such a place, and what must be left nowhere."""

import contextlib
import json
import os
import pathlib
import shutil
import sys

import places
from tap import (assert_equal, assert_in, events, files, metrics, osiris, pipeline, step, temporary_folders, wait_until,
                 write)


def adapters(**configured):
    write("osiris.yaml", json.dumps({"adapters": configured}))


def family(inside):
    """{process id: name} of the processes whose arguments name a worker's folder of this place."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else ()
            folders = [os.fsdecode(word.partition(b"/runs/")[0]) for word in words if word.startswith(b"/") and b"/runs/" in word]
            if any(os.path.samefile(f"/proc/{entry.name}/root{folder}", inside) for folder in folders):
                found[int(entry.name)] = (entry / "comm").read_text().strip()
    return found


def nothing_is_left(inside):
    """But bundles: neither folders of workers, nor what was being unpacked, nor processes."""
    def is_clean():
        rest = [*inside.glob("runs/*"), *inside.glob("bundles/new.*"), *inside.glob("bundles/private.*")]
        return not rest and not family(inside)
    wait_until(is_clean, f"nothing is left in {inside}")


@contextlib.contextmanager
def place(kind, folder, **options):
    """osiris.yaml with this place, which is called `far`."""
    own = pathlib.Path(folder) / f"at-{kind}"
    own.mkdir()
    with places.ALL[kind](own) as (adapter, inside):
        adapters(far={"adapter": "exec", **adapter, **options})
        yield inside
        nothing_is_left(inside)
        assert_equal(temporary_folders(), [], "temporary folders")


def run(code=0, *arguments, **options):
    result = osiris("run", "pipeline.yaml", *arguments, **options)
    assert_equal(result.code, code, "exit code", result)
    return result


def at(where, *arguments, **more):
    return {**step(*arguments, **more), "run_on": where}


def make(rows=20000, **config):
    return step("make", "test.generate", "read", rows=rows, batch_rows=1000, **config)


def save(path="one.csv", name="save", **config):
    return step(name, "csv.writer", "write", needs=["make"], path=path, **config)


def far(entry):
    return {**entry, "run_on": "far"}


def latest():
    return max(pathlib.Path("run_logs").glob("*/*"), key=lambda path: path.stat().st_mtime_ns)


def refused(words, hint=None, code=1, **adapter):
    """A run whose place cannot be used ends with one error that says why, and leaves nothing."""
    adapters(far={"adapter": "exec", "connect_timeout": 20, **adapter})
    pipeline(far(make(rows=10)), far(save()))
    result = run(code)
    assert_in(words, result.err, result)
    if hint:
        assert_in(hint, result.err, result)
    assert_equal(result.err.count(" error: ") + result.err.count("osiris: "), 1, "errors", result)
    assert not os.path.exists("one.csv")
    assert_equal(temporary_folders(), [], "temporary folders")
    return result


def start_over():
    shutil.rmtree("output", ignore_errors=True)
    pathlib.Path("output").mkdir()


def outputs():
    """Contents and modes."""
    return {name: (pathlib.Path(name).read_bytes(), os.stat(name).st_mode) for name in files() if name.startswith("output/")}


def tree(folder):
    return sorted(str(path.relative_to(folder)) for path in pathlib.Path(folder).rglob("*"))


def recorded():
    """What is the same wherever a step runs."""
    counts = {(m["metric"], m.get("tags", {}).get("step")): m["value"] for m in metrics(latest())
              if m["metric"] in ("rows_read", "rows_written", "rows_processed", "files_written")}
    kinds = sorted((e["event"], e.get("step_id", ""), e.get("path", "").replace(str(latest()), ""), e.get("bytes", -1)) for e in events(latest())
                   if e["event"] in ("step_start", "step_complete", "step_failed", "artifact_created", "run_complete"))
    return counts, kinds


# A link that breaks: runs a command, passes its bytes on, and is gone after a number of them. How many links there were is in the file COUNT.
PUMP = """
import os, random, select, subprocess, sys
count_file, low, high, most, *command = sys.argv[1:]
with open(count_file, "a") as counting:
    counting.write("x")
count = os.path.getsize(count_file)
random.seed(count)
left = random.randint(int(low), int(high)) if count <= int(most) else 1 << 60
child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
ends = {0: child.stdin.fileno(), child.stdout.fileno(): 1}
while ends:
    for source in select.select(list(ends), [], [])[0]:
        data = os.read(source, 65536)
        cut = len(data) >= left
        view = memoryview(data[:left])
        left -= len(data)
        while view:
            try:
                view = view[os.write(ends[source], view):]
            except BrokenPipeError:
                break
        if cut:
            sys.stderr.write("Connection to the box closed by remote host.\\\\n")
            os._exit(9)
        if not data:
            os.close(ends.pop(source))
sys.exit(child.wait())
"""


def pump(folder, low, high, most=1 << 30):
    """A command that breaks after `low` to `high` bytes, but not after the first `most` links; and the file that counts these."""
    write("pump.py", PUMP)
    count = pathlib.Path(folder) / "links"
    count.unlink(missing_ok=True)
    return [sys.executable, str(pathlib.Path(folder) / "pump.py"), str(count), str(low), str(high), str(most)], count
