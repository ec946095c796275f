"""Files at home: steps in a place that does not have the files of osiris (tests/plugins/flaky.c with a folder of its own) read and write
them through osiris. What comes out is what a local run makes of the same pipeline: files, modes, events, metrics, errors."""

import fcntl
import json
import os
import pathlib
import resource
import shutil
import signal
import stat
import subprocess
import sys
import termios

import tap
from tap import (BUILD, OSIRIS, SANITIZED, assert_equal, assert_in, assert_no_group, events, files, finish, interrupt, main,
                 metrics, osiris, pipeline, read, run_directory, start, step, temporary_folders, test, wait_until,
                 worker_of, write)

ADAPTERS = f"{BUILD}/.libs:{BUILD}/tests/plugins/adapters/.libs"


def place(**options):
    """Everything runs in `there`, whose folder is not the project's."""
    pathlib.Path("place").mkdir(exist_ok=True)
    text = f"adapters:\n  there:\n    adapter: flaky\n    folder: {os.getcwd()}/place\n"
    text += "".join(f"    {key}: {str(value).lower()}\n" for key, value in options.items())
    write("osiris.yaml", text + "  here: {adapter: local}\n")


def environment():
    return {"OSIRIS_ADAPTER_PATH": ADAPTERS}


def run(*arguments, adapter="there", code=0, **options):
    result = osiris("run", "pipeline.yaml", "--adapter", adapter, *arguments, env=environment(), **options)
    assert_equal(result.code, code, "exit code", result)
    return result


def limit(size):
    """For the child only, before it runs."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def begin(*arguments, adapter="there"):
    return start("run", "pipeline.yaml", "--adapter", adapter, *arguments, env=environment())


def tree():
    """Every file of the project, but the pipeline and what runs leave: its mode and content."""
    found = {}
    for path in sorted(pathlib.Path().rglob("*")):
        top = path.parts[0]
        if top in ("run_logs", "build", ".osiris", "place", "pipeline.yaml", "osiris.yaml", "out", "err"):
            continue
        mode = stat.S_IMODE(path.lstat().st_mode)
        found[str(path)] = (oct(mode), os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None)
    return found


def clear():
    for path in pathlib.Path().iterdir():
        if path.name in ("pipeline.yaml", "osiris.yaml", "place"):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


KEPT = ("event", "step_id", "path", "bytes", "rows_processed", "artifact_type", "error", "error_type", "attempt")


def artifacts():
    """What is kept of the steps' artifacts, and what the log says of the rest."""
    top, found = run_directory() / "artifacts", {}
    for path in sorted(top.rglob("*")):
        mode = stat.S_IMODE(path.lstat().st_mode)
        found[str(path.relative_to(top))] = (oct(mode), os.readlink(path) if path.is_symlink()
                                             else path.read_bytes() if path.is_file() else None)
    lines = [line.split(" - ", 3)[-1] for line in read(run_directory() / "osiris.log").splitlines() if "artifact" in line]
    return found, sorted(lines)


def story():
    """What the records say, but for times, processes and places."""
    directory = run_directory()
    told = [{key: value for key, value in event.items() if key in KEPT} for event in events(directory)
            if event["event"] not in ("worker_started", "adapter_execution_error")]
    counted = sorted((m["metric"], m["value"], json.dumps(m.get("tags"))) for m in metrics(directory)
                     if m["metric"] in ("rows_read", "rows_written", "rows_processed", "steps_completed", "steps_total"))
    return [json.dumps(event, sort_keys=True).replace(str(directory), "RUN") for event in told], counted


def errors(result):
    return [line for line in result.err.splitlines() if "error" in line.lower() or "hint" in line.lower()]


def data(result):
    """What a step has written to standard output; otherwise the summary is there."""
    return "" if "records    run_logs" in result.out else result.out


def both(setup=lambda: None, code=0, ordered=True):
    """Runs the pipeline here and there; whatever can be seen is equal. Returns the two results."""
    seen = []
    for adapter in ("local", "there"):
        clear()
        setup()
        result = run(adapter=adapter, code=code)
        told, counted = story()
        seen.append((tree(), artifacts(), told if ordered else sorted(told), counted, data(result), errors(result)))
        assert_equal(temporary_folders(), [], "temporary folders", result)
        last = result
    for what, here, there in zip(("files", "artifacts", "events", "metrics", "stdout", "errors"), *seen):
        assert_equal(there, here, what, last)
    assert_equal(files("place"), [], "files left in the place", last)
    return last


def generated(rows=100000, **config):
    return step("make", "test.generate", "read", rows=rows, batch_rows=1000, **config)


def csv(**config):
    return step("save", "csv.writer", "write", **{"path": "out.csv", **config})


def wrote(*paths, **config):
    return step("save", "test.write", "write", paths=list(paths), **config)


@test
def test_one_writer(folder):
    place()
    pipeline(generated(), csv())
    both()
    assert_equal(len(read("out.csv").splitlines()), 100001, "lines")


@test
def test_a_large_file_over_a_link_that_is_worth_compressing(folder):
    place(remote=True)
    pipeline(generated(rows=2000000, row_bytes=40), csv())
    both()


@test
def test_many_parts(folder):
    place()
    pipeline(generated(rows=3000), csv(path="parts/{part}.csv", rows_per_file=1, create_dirs=True))
    both()
    assert_equal(len(list(pathlib.Path("parts").iterdir())), 3000, "parts")


@test
def test_append(folder):
    place()
    pipeline(generated(rows=1000), csv(append=True))
    both(lambda: write("out.csv", "id,text\n7,old\n"))
    assert_equal(len(read("out.csv").splitlines()), 1002, "lines")


@test
def test_append_to_nothing(folder):
    place()
    pipeline(generated(rows=10), csv(append=True))
    both()


@test
def test_append_to_another_header(folder):
    place()
    pipeline(generated(rows=10), csv(append=True))
    assert_in("does not start with the header", both(lambda: write("out.csv", "x,y\n1,2\n"), code=1).err)


@test
def test_append_to_an_unterminated_line(folder):
    place()
    pipeline(generated(rows=10), csv(append=True))
    assert_in("last line is not terminated", both(lambda: write("out.csv", "id,text\n1,2"), code=1).err)


@test
def test_compressed(folder):
    for codec in ("gzip", "zstd"):
        place()
        pipeline(generated(rows=20000), csv(path="out.csv.x", compression=codec))
        both()


@test
def test_append_to_a_compressed_file(folder):
    place()
    pipeline(generated(rows=20000), csv(path="out.csv.gz", compression="gzip", append=True))
    run()
    whole = pathlib.Path("out.csv.gz").read_bytes()
    both(lambda: pathlib.Path("out.csv.gz").write_bytes(whole))


@test
def test_standard_output(folder):
    place()
    pipeline(generated(rows=20000), csv(path="-"))
    result = both()
    assert_equal(len(result.out.splitlines()), 20001, "lines")


@test
def test_standard_output_that_nobody_reads(folder):
    place()
    pipeline(generated(rows=2000000), csv(path="-"))
    for adapter in ("local", "there"):
        shutil.rmtree("run_logs", ignore_errors=True)
        end, other = os.pipe()
        os.close(end)
        with open("err", "w") as err:
            done = subprocess.run([OSIRIS, "run", "pipeline.yaml", "--adapter", adapter], stdout=other, stderr=err,
                                  env=tap.environment(environment()), check=False, timeout=60)
        os.close(other)
        assert_equal(done.returncode, 1, "exit code", read("err"))
        assert_in("cannot write standard output: Broken pipe", read("err"))
        assert_in("its reader has closed it", read("err"))


@test
def test_modes_links_and_folders(folder):
    place()
    def setup():
        write("old.txt", "old")
        os.chmod("old.txt", 0o640)
        os.mkdir("deep")
        os.symlink("deep/real.txt", "link.txt")
    os.umask(0o027)
    pipeline(generated(rows=1), wrote("old.txt", "link.txt", "new.txt", "a/b/c.txt", bytes=1000, create_directories=True))
    both(setup)
    pipeline(generated(rows=1), wrote("old.txt", "x.txt", bytes=1000, mode=0o604, no_sync=True))
    both(setup)
    os.umask(0o022)


@test
def test_devices(folder):
    place()
    pipeline(generated(rows=1), wrote("/dev/null", bytes=3000000))
    both()


@test
def test_sizes_around_those_of_pipes_and_windows(folder):
    place(remote=True)
    for size in (0, 1, 4095, 4096, 65536, 262143, 262144, 262145, 1 << 20, (8 << 20) + 1):
        pipeline(generated(rows=1), wrote("a", "b", bytes=size))
        both()


@test
def test_outputs_of_the_commit_and_finished_ones(folder):
    place()
    pipeline(generated(rows=1), wrote("a", "b", "c", bytes=100000, commit_path="d", finishes=True))
    both()
    pipeline(generated(rows=1), wrote("a", "b", "c", bytes=100000, commit_path="d"))
    both()


@test
def test_an_input(folder):
    place(remote=True)
    for size in (0, 1, 100000, 5000001):
        pipeline(step("make", "test.read", "read", path="in.txt"), csv())
        both(lambda: pathlib.Path("in.txt").write_bytes(bytes(i * 7 % 251 for i in range(size))))


@test
def test_an_input_that_is_not_read_to_its_end(folder):
    place()
    pipeline(step("make", "test.read", "read", path="in.txt", limit=100000), csv())
    both(lambda: pathlib.Path("in.txt").write_bytes(b"x" * 20000000))


@test
def test_inputs_that_cannot_be_read(folder):
    place()
    def setup():
        os.mkdir("folder")
    for path in ("missing.txt", "folder", "folder/../no/file", "x" * 300, ""):
        pipeline(step("make", "test.read", "read", path=path), csv())
        both(setup, code=1)


@test
def test_outputs_that_cannot_be_opened(folder):
    place()
    def setup():
        os.mkdir("folder")
        write("file", "x")
        os.mkfifo("pipe")
        os.symlink("round", "round")
    for path in ("no/such/file", "folder", "file/x", "x" * 300, "pipe", "round", "", "folder/.."):
        pipeline(generated(rows=1), wrote("fine", path, bytes=10))
        both(setup, code=1)


@test
def test_a_fifo_as_input(folder):
    place()
    os.mkfifo("in.fifo")
    pipeline(step("make", "test.read", "read", path="in.fifo"), csv())
    fifo = os.open("in.fifo", os.O_RDWR | os.O_NONBLOCK)
    os.write(fifo, b"y" * 30000)
    process = begin()
    left = bytearray(4)
    wait_until(lambda: fcntl.ioctl(fifo, termios.FIONREAD, left) == 0 and int.from_bytes(left, sys.byteorder) == 0, "it is read")
    os.close(fifo)
    result = finish(process)
    assert_equal(result.code, 0, "exit code", result)
    assert_equal(int(read("out.csv").splitlines()[1].split(",")[0]) // 1000000007, 30000, "bytes", result)


def nothing_is_left(result):
    assert_equal(sorted(name for name in tree() if name != "hold"), [], "files left", result)
    assert_equal(files("place"), [], "files left in the place", result)
    assert_equal(temporary_folders(), [], "temporary folders", result)


@test
def test_a_step_that_fails_leaves_nothing(folder):
    place()
    for last in ({"fail": True}, {"commit_fail": True}):
        for more in ({}, {"finishes": True}):
            pipeline(generated(rows=1), wrote("a/b/one", "a/b/two", bytes=1000000, create_directories=True, **last, **more))
            nothing_is_left(both(code=1))


@test
def test_a_disk_that_is_full(folder):
    place()
    pipeline(generated(rows=100000), csv(path="/dev/full"))
    for adapter in ("local", "there"):
        clear()
        result = run(adapter=adapter, code=1)
        assert_in("cannot write /dev/full: No space left on device", result.err, result)
        assert_in("free some space", result.err, result)


@test
def test_two_steps_of_two_places_and_one_file(folder):
    place()
    pipeline(generated(rows=10),
             {**step("near", "test.write", "write", needs=["make"], paths=["same"], bytes=10), "run_on": "here"},
             step("far", "test.write", "write", needs=["make"], paths=["x/../same"], bytes=10))
    os.mkdir("x")
    result = run(code=1)
    assert_in("is also written by the step", result.err, result)
    assert_equal(sorted(tree()), ["x"], "files", result)


@test
def test_one_step_that_writes_a_file_twice(folder):
    place()
    pipeline(generated(rows=10), wrote("same", "./same", bytes=10))
    assert_in("is already being written", both(code=1).err)


@test
def test_a_group_in_two_places_is_published_whole(folder):
    place()
    def steps(**config):
        pipeline(generated(rows=10),
                 {**step("near", "test.write", "write", needs=["make"], paths=["near"], bytes=10, **config), "run_on": "here"},
                 step("far", "test.write", "write", needs=["make"], paths=["far"], bytes=10))
    steps()
    run()
    assert_equal(sorted(tree()), ["far", "near"], "files")
    published = sorted(e["path"] for e in events(run_directory(), "artifact_created") if e["artifact_type"] == "output")
    assert_equal(published, ["far", "near"], "published")
    clear()
    steps(commit_fail=True)
    nothing_is_left(run(code=1))


def holds(*steps):
    write("hold", "")
    pipeline(*steps)
    process = begin()
    wait_until(lambda: [log for log in pathlib.Path("run_logs").rglob("debug.log") if "holding now" in read(log)], "it holds")
    return process


@test
def test_a_cancelled_run_leaves_nothing(folder):
    place()
    process = holds(generated(rows=1), wrote("a", "b", bytes=1000000, hold=f"{folder}/hold"))
    interrupt(process)
    result = finish(process)
    assert_equal(result.code, 130, "exit code", result)
    nothing_is_left(result)


@test
def test_a_worker_that_is_killed_leaves_nothing(folder):
    place()
    process = holds(generated(rows=1), wrote("a", "b", "c", bytes=1000000, hold=f"{folder}/hold", finishes=True))
    os.kill(events(run_directory(), "worker_started")[0]["pid"], signal.SIGKILL)
    result = finish(process)
    assert_equal(result.code, 1, "exit code", result)
    nothing_is_left(result)


@test
def test_what_a_killed_osiris_leaves_is_removed_by_the_next(folder):
    place()
    process = holds(generated(rows=1), wrote("p/a", "p/b", "p/c", bytes=1000000, hold=f"{folder}/hold", finishes=True,
                                             create_directories=True))
    worker = events(run_directory(), "worker_started")[0]["pid"]
    hidden = [name for name in os.listdir("p") if name.startswith(".")]
    assert hidden, "finished outputs have hidden names"
    for pid, entry in tap.processes().items():
        if entry[3] == "osiris" and entry[0] in (process.pid, os.getpid()):
            os.kill(pid, signal.SIGKILL)
    process.wait()
    os.remove("hold")
    assert_no_group(worker, 90)
    shutil.rmtree("run_logs")
    pipeline(generated(rows=1), wrote("other", bytes=10))
    run()
    assert_equal(sorted(tree()), ["other"], "files")
    assert_equal(temporary_folders(), [], "temporary folders")


@test
def test_artifacts_and_temporary_files(folder):
    place(remote=True)
    pipeline(step("make", "test.odd_source", "read", artifacts=True, temp_dir=True), csv())
    both()
    kept = artifacts()[0]
    assert "make/sub/file" in kept and "make/sub/inside" in kept, kept
    pipeline(step("make", "test.odd_source", "read", artifacts=True, report_in="get_next"), csv())
    both(code=1)


@test
def test_artifacts_of_any_size(folder):
    place()
    pipeline(generated(rows=1), wrote("a", bytes=10, artifacts=[0, 1, 65535, 65536, 65537, 9000001]))
    both()
    pipeline(generated(rows=1), wrote("a", bytes=10, artifacts=[9000001] * 3, fail=True))
    both(code=1)


@test
def test_artifacts_of_an_attempt_that_is_repeated_are_removed(folder):
    place()
    pipeline(generated(rows=1), {**step("save", "test.write", "write", paths=["a"], bytes=10, artifacts=[100], fail=True, retryable=True,
                                        attempts_file=f"{folder}/place/attempts"), "retry": {"max_attempts": 2, "initial_delay_ms": 1}})
    run()
    assert_equal([name for name in artifacts()[0] if name.startswith("save/attempt")], ["save/attempt-2"], "artifacts")


@test
def test_a_limit_on_the_size_of_files(folder):
    """As a disk that gets full while it is written."""
    place()
    pipeline(generated(rows=100000), csv())
    for adapter in ("local", "there"):
        clear()
        result = run(adapter=adapter, code=1, preexec_fn=limit(1000000))
        assert_in("cannot write out.csv: File too large", result.err, result)
        assert_in("raise the limit on the size of files", result.err, result)
        assert_equal(tree(), {}, "files left", result)


@test
def test_a_file_that_cannot_be_published(folder):
    """Somebody has put a folder there when everything is written: nothing of the group appears."""
    place()
    process = holds(generated(rows=1), wrote("a", "target", "c", bytes=100000, hold=f"{folder}/hold"))
    os.mkdir("target")
    os.remove("hold")
    result = finish(process)
    assert_equal(result.code, 1, "exit code", result)
    assert_in('"target"', result.err, result)
    os.rmdir("target")
    nothing_is_left(result)


@test
def test_what_is_published_at_home_is_taken_back_when_another_place_cannot(folder):
    place()
    write("far", "old")
    process = holds(generated(rows=1),
                    step("far", "test.write", "write", needs=["make"], paths=["far", "new"], bytes=10),
                    {**step("near", "test.write", "write", needs=["make"], paths=["near", "target"], bytes=10, hold=f"{folder}/hold"),
                     "run_on": "here"})
    os.mkdir("target")
    os.remove("hold")
    result = finish(process)
    assert_equal(result.code, 1, "exit code", result)
    os.rmdir("target")
    assert_equal({name: found[1] for name, found in tree().items()}, {"far": b"old"}, "files", result)
    assert_equal([e for e in events(run_directory(), "artifact_created") if e["artifact_type"] == "output"], [], "published")


@test
def test_two_places_whose_files_are_at_home(folder):
    place()
    os.mkdir("place/other")
    text = read("osiris.yaml") + f"  beyond: {{adapter: flaky, folder: {folder}/place/other}}\n"
    write("osiris.yaml", text)
    def steps(**config):
        pipeline(generated(rows=1000), step("far", "csv.writer", "write", needs=["make"], path="far.csv"),
                 {**step("beyond", "test.write", "write", needs=["make"], paths=["beyond"], bytes=1000, **config), "run_on": "beyond"})
    steps()
    run()
    assert_equal(sorted(tree()), ["beyond", "far.csv"], "files")
    clear()
    steps(commit_fail=True)
    nothing_is_left(run(code=1))
    clear()
    steps(commit_path="far.csv")
    assert_in("is also written by the step", run(code=1).err)
    assert_equal(tree(), {}, "files")


@test
def test_a_reader_of_standard_output_that_is_slow(folder):
    """Nothing piles up, here or there."""
    place()
    pipeline(generated(rows=3000000, row_bytes=60), csv(path="-"))
    with open("err", "w") as err:
        process = subprocess.Popen([OSIRIS, "run", "pipeline.yaml", "--adapter", "there"], stdout=subprocess.PIPE, stderr=err,
                                   env=tap.environment(environment()))
    worker = wait_until(lambda: pathlib.Path("run_logs").exists() and list(pathlib.Path("run_logs").rglob("events.jsonl")) and
                        events(run_directory(), "worker_started"), "there is a worker")[0]["pid"]
    seen = []
    def is_still():
        seen.append(int(read(f"/proc/{worker}/io").split("wchar: ")[1].split()[0]))
        return len(seen) > 20 and seen[-1] == seen[-20] > 100000
    wait_until(is_still, "the worker waits")
    def peak(pid):
        return int(read(f"/proc/{pid}/status").split("VmHWM:")[1].split()[0])
    most = [peak(worker), *(peak(pid) for pid, entry in tap.processes().items() if entry[3] == "osiris" and entry[0] in
                            (process.pid, os.getpid()))]
    size = sum(len(part) for part in iter(lambda: process.stdout.read(1 << 20), b""))
    assert_equal(process.wait(), 0, "exit code", read("err"))
    assert size > 200000000, size
    assert SANITIZED or max(most) < 64 << 10, f"{most} kB"


@test
def test_a_cancel_while_standard_output_is_not_read(folder):
    place()
    pipeline(generated(rows=3000000, row_bytes=60), csv(path="-"))
    with open("err", "w") as err:
        process = subprocess.Popen([OSIRIS, "run", "pipeline.yaml", "--adapter", "there"], stdout=subprocess.PIPE, stderr=err,
                                   env=tap.environment(environment()))
    wait_until(lambda: list(pathlib.Path(".").glob("run_logs/*/*/events.jsonl")) and
               events(run_directory(), "step_start"), "it runs")
    interrupt(process)
    assert_equal(process.wait(60), 130, "exit code", read("err"))
    process.stdout.close()
    assert "killed" not in read("err"), read("err")


@test
def test_a_worker_that_is_killed_and_replaced(folder):
    place()
    process = holds(generated(rows=1), {**wrote("a", "b", bytes=1000000, hold=f"{folder}/hold", finishes=True), "retry":
                                        {"max_attempts": 2, "initial_delay_ms": 1}})
    os.kill(events(run_directory(), "worker_started")[0]["pid"], signal.SIGKILL)
    wait_until(lambda: len(events(run_directory(), "worker_started")) == 2, "there is another worker")
    os.remove("hold")
    result = finish(process)
    assert_equal(result.code, 0, "exit code", result)
    assert_equal(sorted(tree()), ["a", "b"], "files", result)
    assert_equal(temporary_folders(), [], "temporary folders", result)


@test
def test_a_link_that_is_lost_for_good(folder):
    place(cut_after=60, then="kill")
    pipeline(generated(rows=3000000, row_bytes=60), csv(path="x/out.csv", create_dirs=True))
    nothing_is_left(run(code=1))


@test
def test_paths_as_they_come(folder):
    place()
    def setup():
        os.makedirs("a/b")
        os.symlink("a/b", "link")
    pipeline(generated(rows=1), wrote("./x", "a/../y", "link/../z", "//" + str(folder)[1:] + "/w", "na\u00efve \U0001f600 name", " ", bytes=10))
    both(setup)


@test
def test_links_that_break(folder):
    for mode, rows in (("bytes", 60000), ("frames", 6000)):
        for seed in range(2 if SANITIZED else 4):
            clear()
            place(mode=mode, seed=seed, cuts=150, remote=seed % 2 == 1)
            pipeline(step("read", "test.read", "read", path="in.txt"),
                     step("copy", "test.write", "write", needs=["read"], paths=["a", "b"], bytes=1000000, commit_path="c"),
                     generated(rows=rows), csv(needs=["make"]))
            data = bytes(i * 7 % 251 for i in range(600000))
            pathlib.Path("in.txt").write_bytes(data)
            run()
            there = tree()
            directory = run_directory()
            assert sum(m["value"] for m in metrics(directory, "link_cuts")) > 10, "too few cuts"
            clear()
            pathlib.Path("in.txt").write_bytes(data)
            run(adapter="local")
            assert_equal(there, tree(), "files")


@test
def test_a_retry_begins_with_nothing(folder):
    place()
    pipeline(generated(rows=1000), {**step("save", "test.collect", "write", path="out.txt", fail_after=500, retryable=True,
                                           attempts_file=f"{folder}/place/attempts"),
                                    "retry": {"max_attempts": 2, "initial_delay_ms": 1}})
    result = run()
    assert_equal(sorted(tree()), ["out.txt"], "files", result)
    assert_equal(len(events(run_directory(), "step_retry")), 1, "retries", result)


if __name__ == "__main__":
    main()
