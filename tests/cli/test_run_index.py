"""The index of runs and their temporary folders, also of runs that were killed or had no room on the disk."""

import contextlib
import errno
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

from tap import (OSIRIS, Skip, assert_equal, assert_in, assert_no_group, environment, events, finish, interrupt,
                 main, osiris, pipeline, read, run_directory, start, step, test, wait_until, worker_of, write)


def export(**generate):
    pipeline(step("make", "test.generate", "read", rows=100, **generate),
             step("save", "csv.writer", "write", path="output/out.csv"))


def scratch_folders(directory):
    """The temporary folders of the project's runs, and those beside the records in `directory`."""
    return [str(path) for path in [*pathlib.Path(".osiris/tmp").glob("*"), *pathlib.Path(directory).glob("tmp*-*")]]


@test
def test_only_the_run_s_own_temporary_folder_is_removed(folder):
    """--out may name a folder with other things in it."""
    write("home/tmp/precious", "a user's file")
    export(scratch=True)
    result = osiris("run", "pipeline.yaml", "--out", "home")
    assert_equal(result.code, 0, "exit code", result)
    assert_equal(read("home/tmp/precious"), "a user's file", "the user's file", result)
    assert_equal(scratch_folders("home"), [], "temporary folders", result)


@test
def test_out_without_a_name(folder):
    export()
    result = osiris("run", "pipeline.yaml", "--out", "")
    assert_equal(result.code, 2, "exit code", result)
    assert_in("--out", result.err, result)
    assert not pathlib.Path("output").exists(), result


@test
def test_a_crashed_worker_s_temporary_folder_is_removed(folder):
    export(scratch=True, crash_after=50, batch_rows=10)
    result = osiris("run", "pipeline.yaml", "--out", "home")
    assert_equal(result.code, 1, "exit code", result)
    assert_equal(scratch_folders("home"), [], "temporary folders", result)


@test
def test_out_with_the_records_of_another_run(folder):
    """No file has lines of two runs, and none is replaced."""
    export()
    osiris("run", "pipeline.yaml", "--out", "here")
    before = {path: path.read_bytes() for path in pathlib.Path("here").rglob("*") if path.is_file()}
    index = read(".osiris/index/runs.jsonl")
    for name in ("all of them", "status.json", "debug.log"):
        if name != "all of them":
            for path in before:
                if path.name in ("events.jsonl", "metrics.jsonl", "osiris.log", "debug.log", "status.json"):
                    path.unlink(missing_ok=True)
            write(f"here/{name}", "mine")
        result = osiris("run", "pipeline.yaml", "--out", "here", "--json")
        assert_equal(result.code, 2, "exit code", result)
        assert_equal(result.json()["phase"], "usage", "phase", result)
        assert_in('"here" already contains the records of another run', result.json()["message"], result)
        left = {path: path.read_bytes() for path in pathlib.Path("here").rglob("*") if path.is_file()}
        if name == "all of them":
            assert_equal(left, before, "files")
        else:
            assert_equal(sorted(p.name for p in left if p.parent.name == "here"), [name], "records")
    assert_equal(read(".osiris/index/runs.jsonl"), index, "index")
    assert_equal(running(), [], "running ones")


def running():
    folder = pathlib.Path(".osiris/index/running")
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def status_of(directory):
    return json.loads(read(directory / "status.json"))


def index():
    return [json.loads(line) for line in read(".osiris/index/runs.jsonl").splitlines()]


def hanging():
    """A run whose extractor hangs, its process and its directory."""
    export(hang_after=50, batch_rows=10)
    process = start("run", "pipeline.yaml", env={"OSIRIS_CANCEL_GRACE_MS": "1000"})
    wait_until(lambda: [log for log in pathlib.Path("run_logs").rglob("debug.log") if "hanging" in read(log)],
               "the driver hangs")
    return process, run_directory()


@test
def test_a_run_that_goes_on_says_so(folder):
    process, directory = hanging()
    status = status_of(directory)
    assert_equal((status["status"], status["pid"]), ("running", process.pid), "status")
    assert_equal(running(), [status["run_id"]], "running ones")
    assert_equal([event["event"] for event in events(directory)][0], "run_start", "first event")
    export()
    result = osiris("run", "pipeline.yaml", "--out", "other")
    assert_equal(result.code, 0, "exit code of another run meanwhile", result)
    assert "interrupted" not in result.err, result
    assert_equal(status_of(directory)["status"], "running", "status after another run")
    assert_equal(running(), [status["run_id"]], "running ones after another run")
    interrupt(process)
    assert_equal(finish(process).code, 130, "exit code")
    assert_equal(status_of(directory)["status"], "cancelled", "status in the end")
    assert_equal(running(), [], "running ones in the end")


@test
def test_a_run_that_was_killed(folder):
    """By nobody but the next run can its records be finished; that its process's number lives again means nothing."""
    process, directory = hanging()
    worker = worker_of(process)
    process.kill()
    process.wait()
    assert_no_group(worker)
    status = status_of(directory)
    assert_equal(status["status"], "running", "status of the dead run")
    write(directory / "status.json", json.dumps({**status, "pid": os.getpid()}))
    with open(directory / "events.jsonl", "a", encoding="utf-8") as file:
        file.write('{"ts":"cut o')
    export()
    result = osiris("run", "pipeline.yaml", "--out", "other")
    assert_equal(result.code, 0, "exit code", result)
    assert_in(f"interrupted; its records have been completed: {directory}", result.err, result)
    found = status_of(directory)
    assert_equal(found["status"], "aborted", "status")
    assert_in("interrupted", found["error"]["message"])
    assert found["duration_ms"] >= 0 and found["ended_at"] >= found["started_at"], found
    last = events(directory)[-1]  # all lines are whole: the one that was cut off is none
    assert_equal((last["event"], last["session"]), ("run_error", status["run_id"]), "last event")
    assert_equal([(line["run_id"], line["status"]) for line in index()][0], (status["run_id"], "aborted"),
                 "first line of the index")
    assert "started_ms" not in index()[0], index()
    assert_equal([line["status"] for line in index()], ["aborted", "success"], "index")
    assert_equal(running(), [], "running ones")
    result = osiris("run", "pipeline.yaml", "--out", "third")
    assert "interrupted" not in result.err, result
    assert_equal(len(index()), 3, "lines of the index")


@test
def test_small_files_that_a_killed_run_was_writing(folder):
    """They go with the next run; files of the user's that have such names do not, nor what lies behind a link."""
    process, directory = hanging()
    worker = worker_of(process)
    process.kill()
    process.wait()
    assert_no_group(worker)
    run_id = status_of(directory)["run_id"]
    unfinished = [write(directory / name, "half") for name in
                  ("status.json.tmp", f"status.json.{run_id}", "artifacts/make/cleaned_config.json.tmp",
                   "artifacts/save/cleaned_config.json.tmp")]
    outside = write("outside/cleaned_config.json.tmp", "precious")
    os.symlink(folder / "outside", directory / "artifacts/linked")
    kept = [outside, *(write(directory / name, "precious") for name in ("status.json.backup", "artifacts/make/status.json.tmp"))]
    export()
    result = osiris("run", "pipeline.yaml", "--out", "other")
    assert_equal(result.code, 0, "exit code", result)
    assert_equal([path for path in unfinished if path.exists()], [], "unfinished files")
    assert_equal([read(path) for path in kept], ["precious"] * 3, "other files")


def forged_mark(path):
    """As a cloned project may bring it along."""
    run_id = "01K0000000000000000000000" + str(len(running()))
    write(f".osiris/index/running/{run_id}",
          json.dumps({"run_id": run_id, "run_logs_path": path, "status": "running", "started_ms": 1}))
    return run_id


@test
def test_marks_that_name_records_elsewhere(folder):
    """Nothing outside of run_logs is touched, whatever the marks say; the index tells of the end."""
    outside = folder / "outside"
    project = folder / "project"
    for name in ("victim", "linked"):
        write(outside / name / "events.jsonl", '{"event": "run_start"}\n')
        write(outside / name / "status.json", '{"status": "running", "pid": 1}\n')
    (project / "run_logs" / "slug").mkdir(parents=True)
    os.chdir(project)
    os.symlink(outside / "linked", "run_logs/slug/linked")
    for path in ("run_logs/../../outside/victim", "../outside/victim", str(outside / "victim"), "run_logs/slug/linked",
                 "run_logs/./../../outside/victim", "run_logs//../../outside/victim"):
        run_id = forged_mark(path)
        write(pathlib.Path(path) / f"tmp-{run_id}/sub/file", "precious")
    os.mkfifo(outside / "events.jsonl")
    forged_mark("../outside")
    def all_of_it():
        return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in outside.rglob("*") if path.is_file()}

    before = all_of_it()
    export()
    result = osiris("run", "pipeline.yaml")
    assert_equal(result.code, 0, "exit code", result)
    assert "interrupted" not in result.err, result
    assert_equal(all_of_it(), before, "records")
    assert_equal(sorted(path.name for path in outside.iterdir()), ["events.jsonl", "linked", "victim"], "files")
    assert_equal([line["status"] for line in index()], ["aborted"] * 6 + ["success"], "index")


@test
def test_folders_of_the_index_that_are_links(folder):
    victim = write("victim/note", json.dumps({"run_logs_path": "nowhere"}))
    pathlib.Path(".osiris/index").mkdir(parents=True)
    os.symlink(folder / "victim", ".osiris/index/running")
    os.symlink(victim, ".osiris/index/runs.jsonl")
    export()
    result = osiris("run", "pipeline.yaml")
    assert_equal(result.code, 0, "exit code", result)
    assert_in("records are not complete", result.err, result)
    assert_equal(json.loads(victim.read_text()), {"run_logs_path": "nowhere"}, "the file that links name")


@test
def test_an_index_that_is_no_file(folder):
    """A pipe would be waited for, a device read for ever."""
    for number, make in enumerate((lambda path: os.mkfifo(path), lambda path: os.symlink("/dev/zero", path))):
        write(f"run_logs/x{number}/events.jsonl", '{"event": "run_start"}\n')
        forged_mark(f"run_logs/x{number}")
        make(".osiris/index/runs.jsonl")
        export()
        result = osiris("run", "pipeline.yaml", timeout=60)
        assert_equal(result.code, 0, "exit code", result)
        assert_in("records are not complete", result.err, result)
        os.unlink(".osiris/index/runs.jsonl")


@test
def test_a_killed_run_whose_records_are_gone(folder):
    process, directory = hanging()
    process.kill()
    process.wait()
    wait_until(lambda: not scratch_folders(directory), "the worker has ended")
    shutil.rmtree("run_logs")
    export()
    result = osiris("run", "pipeline.yaml")
    assert_equal(result.code, 0, "exit code", result)
    assert_equal([line["status"] for line in index()], ["success"], "index")
    assert_equal(running(), [], "running ones")


@contextlib.contextmanager
def small_disk(name):
    """A folder on a disk of its own, and what fills that disk."""
    os.mkdir(name)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", name], capture_output=True).returncode != 0:
        raise Skip("cannot mount a tmpfs here")

    def fill():
        try:
            with open(f"{name}/filler", "wb", buffering=0) as file:
                while file.write(bytes(4096)) == 4096:
                    pass
        except OSError as error:
            assert_equal(error.errno, errno.ENOSPC, "why it ends")
    try:
        yield fill
    finally:
        subprocess.run(["umount", "-l", name], check=True)


@test
def test_a_disk_that_is_full_at_the_end(folder):
    """What became of the run is told all the same. Its reader decides when it ends."""
    with small_disk("small") as fill:
        pipeline(step("make", "test.generate", "read", rows=20000), step("save", "csv.writer", "write", path="-"))
        with open("err", "w", encoding="utf-8") as err:
            process = subprocess.Popen([OSIRIS, "run", "pipeline.yaml", "--out", "small/rec"], stdout=subprocess.PIPE,
                                       stderr=err, env=environment())
        directory = pathlib.Path("small/rec")
        wait_until(lambda: (directory / "events.jsonl").exists() and events(directory, "step_start"), "steps run")
        fill()
        assert_equal(len(process.communicate(timeout=60)[0].splitlines()), 20001, "lines")
        assert_equal(process.returncode, 0, read("err"))
        assert_equal(status_of(directory)["status"], "success", "status")
        assert_equal(set(status_of(directory)["steps"]), {"make", "save"}, "steps")
        assert_equal([path.name for path in directory.iterdir() if path.name.startswith("status.")], ["status.json"])
    assert_equal([line["status"] for line in index()], ["success"], "index")
    assert_equal(running(), [], "running ones")


@test
def test_a_disk_with_hardly_any_room_from_the_start(folder):
    """What is left is not enough to keep room for the last status: it takes that of the first."""
    export()
    told = []
    with small_disk("small") as fill:
        for pages in range(1, 12):
            fill()
            os.truncate("small/filler", os.path.getsize("small/filler") - 4096 * pages)
            result = osiris("run", "pipeline.yaml", "--out", f"small/rec{pages}")
            status = pathlib.Path(f"small/rec{pages}/status.json")
            if status.exists() and status.stat().st_size > 0:
                told.append((result.code, json.loads(read(status))["status"]))
            shutil.rmtree(f"small/rec{pages}", ignore_errors=True)
    assert told and set(told) <= {(0, "success"), (1, "failed")}, told


@test
def test_an_index_on_a_full_disk(folder):
    """The next run puts into it what stands in the run's status, once."""
    os.mkdir(".osiris")
    with small_disk(".osiris/index") as fill:
        process, directory = hanging()
        fill()
        interrupt(process)
        result = finish(process)
        assert_equal(result.code, 130, "exit code", result)
        assert_in("records are not complete: cannot write \"./.osiris/index/runs.jsonl\"", result.err)
        status = status_of(directory)
        assert_equal(status["status"], "cancelled", "status")
        assert_equal(running(), [status["run_id"]], "running ones")
        os.unlink(".osiris/index/filler")
        export()
        for name in ("second", "third"):
            result = osiris("run", "pipeline.yaml", "--out", name)
            assert_equal(result.code, 0, "exit code", result)
            assert "interrupted" not in result.err, result
        assert_equal([line["status"] for line in index()], ["cancelled", "success", "success"], "index")
        assert_equal(index()[0]["run_id"], status["run_id"], "first of the index")
        assert_equal(status_of(directory), status, "status after other runs")
        assert_equal(running(), [], "running ones")


@test
def test_a_status_that_the_index_knows_better(folder):
    """As a run leaves it that could keep no room for its last status."""
    export()
    osiris("run", "pipeline.yaml")
    directory = run_directory()
    status = status_of(directory)
    write(directory / "status.json", json.dumps({**status, "status": "running", "pid": 1}))
    line = {**index()[0], "status": "running", "started_ms": 1}
    write(f".osiris/index/running/{status['run_id']}", json.dumps(line))
    result = osiris("run", "pipeline.yaml", "--out", "other")
    assert "interrupted" not in result.err, result
    assert_equal(status_of(directory)["status"], "success", "status")
    assert "pid" not in status_of(directory), status_of(directory)
    assert_equal([line["status"] for line in index()], ["success", "success"], "index")
    assert_equal(running(), [], "running ones")


@test
def test_a_signal_at_any_moment(folder):
    """Nothing is left of a run that has not begun; one that has ends with its status, before there is a worker, too."""
    export(hang_after=50, batch_rows=10)
    osiris("validate", "pipeline.yaml")
    for moment in range(40):
        shutil.rmtree("run_logs", ignore_errors=True)
        process = start("run", "pipeline.yaml")
        time.sleep(moment * 0.0005)
        interrupt(process)
        result = finish(process)
        if result.code == -signal.SIGINT:
            assert not pathlib.Path("run_logs").exists(), f"after {moment}: {result}"
            continue
        assert_equal(result.code, 130, "exit code", result)
        assert_equal(status_of(run_directory())["status"], "cancelled", f"status after {moment}", result)
        assert_equal(index()[-1]["status"], "cancelled", "index")
    assert_equal(running(), [], "running ones")


if __name__ == "__main__":
    main()
