"""Workers and runs that are killed: the folders and files that they leave, and who removes them."""

import fcntl
import json
import os
import pathlib
import shutil
import signal

from tap import (assert_equal, assert_no_group, files, finish, interrupt, main, osiris, pipeline, read, start,
                 step, temporary_folders, test, wait_until, worker_of, write)


def export(path="out.csv", **generate):
    """generate → csv."""
    generate.setdefault("rows", 1000)
    return pipeline(step("make", "test.generate", "read", **generate),
                    step("save", "csv.writer", "write", path=path))


def hang_with_parts(path):
    """A run that hangs with a few parts behind it in "parts", and its worker."""
    os.makedirs("parts", exist_ok=True)
    pipeline(step("make", "test.generate", "read", rows=5000, batch_rows=1000, hang_after=1000),
             step("save", "csv.writer", "write", path=path, rows_per_file=100))
    process = start("run", "pipeline.yaml")
    worker = worker_of(process)
    stem = pathlib.Path(path).stem
    wait_until(lambda: len(list(pathlib.Path("parts").glob(f".{stem}*.tmp"))) >= 9, "parts are there")
    return process, worker


def kill_both(process, worker):
    """At once: neither may notice that the other is gone."""
    os.kill(process.pid, signal.SIGSTOP)
    os.kill(worker, signal.SIGKILL)
    process.kill()
    process.wait()
    assert_no_group(worker)


def temporary_folder_of(directory):
    run_id = json.loads(read(pathlib.Path(directory) / "status.json"))["run_id"]
    return f".osiris/tmp/{run_id}"


def has_open(process, part):
    """Whether the process has a file whose path contains this."""
    for descriptor in pathlib.Path(f"/proc/{process}/fd").iterdir():
        try:
            if part in os.readlink(descriptor):
                return True
        except FileNotFoundError:
            pass
    return False


def all_folders():
    return sorted(str(path) for path in pathlib.Path().rglob("*") if path.is_dir() and path.parts[0] not in ("build", ".osiris"))


@test
def test_folders_that_a_killed_worker_made(folder):
    """Osiris takes back those that are empty."""
    os.makedirs("there")
    export(rows=5000, batch_rows=1000, hang_after=1000, path="there/2026/11/out.csv")
    write("pipeline.yaml", read("pipeline.yaml").replace('"path": "there', '"create_dirs": true, "path": "there'))
    process = start("run", "pipeline.yaml")
    worker = worker_of(process)
    wait_until(lambda: has_open(worker, "there/2026/11/"), "the output is open in the folders that were made for it")
    os.kill(worker, signal.SIGKILL)
    assert_equal(finish(process).code, 1, "exit code")
    assert_equal([name for name in all_folders() if name.startswith("there")], ["there"], "folders")
    assert_equal(temporary_folders(), [], "temporary folder")


@test
def test_folders_and_files_of_a_run_all_of_which_was_killed(folder):
    """The next osiris in the working directory does, whatever it runs; what another run has that lives is left alone."""
    os.makedirs("there/kept")
    for name, path in ("one", "there/a/b/p.csv"), ("two", "there/kept/p.csv"):
        pipeline(step("make", "test.generate", "read", rows=5000, batch_rows=1000, hang_after=1000, scratch=True),
                 step("save", "csv.writer", "write", path=path, create_dirs=True, rows_per_file=100), path=f"{name}.yaml")
    killed, living = start("run", "one.yaml", "--out", "run_logs/one"), start("run", "two.yaml", "--out", "run_logs/two")
    workers = [worker_of(killed), worker_of(living)]

    def parts():
        found = [path.name for path in pathlib.Path("there").rglob(".p*.tmp")]
        return {pid: sum(f"-{pid}-" in name for name in found) for pid in workers}
    wait_until(lambda: min(parts().values()) >= 9, "both have parts")
    kill_both(killed, workers[0])
    export(rows=1, path="other.csv")
    before = parts()[workers[1]]
    assert_equal(temporary_folders(), sorted(map(temporary_folder_of, ("run_logs/one", "run_logs/two"))), "temporary folders before")
    assert_equal(osiris("run", "pipeline.yaml", "--out", "run_logs/three").code, 0, "exit code")
    assert_equal(temporary_folders(), [temporary_folder_of("run_logs/two")], "temporary folder of who lives")
    assert_equal(parts(), {workers[0]: 0, workers[1]: before}, "parts")
    interrupt(living)
    living.wait(60)
    assert_equal([name for name in all_folders() if name.startswith("there")], ["there", "there/kept"], "folders")


def hang_with_scratch(records):
    """A run with its records elsewhere that hangs with a driver's temporary file and folders for its output; it is killed, with its
    worker."""
    export(rows=5000, batch_rows=1000, hang_after=1000, scratch=True, path="there/a/out.csv")
    write("pipeline.yaml", read("pipeline.yaml").replace('"path": "there', '"create_dirs": true, "path": "there'))
    process = start("run", "pipeline.yaml", "--out", records)
    worker = worker_of(process)
    log = pathlib.Path(records) / "debug.log"
    wait_until(lambda: list(pathlib.Path(".").glob(".osiris/tmp/*/*/make/*")) and pathlib.Path("there/a").is_dir() and
               log.exists() and "hanging" in read(log), "there are a temporary file and folders, and the driver hangs")
    kill_both(process, worker)


@test
def test_a_run_with_records_elsewhere_all_of_which_was_killed(folder):
    """What its workers had lies in the project, so that the next run finds it, whether the records are still there or not."""
    for number, keep in enumerate((True, False)):
        elsewhere = folder / f"elsewhere{number}"
        os.makedirs(f"project{number}")
        os.chdir(f"project{number}")
        hang_with_scratch(elsewhere)
        assert_equal(temporary_folders(), [temporary_folder_of(elsewhere)], "temporary folders before")
        before = sorted(path.name for path in elsewhere.iterdir())
        assert_equal([name for name in before if name.startswith("tmp")], [], "temporary folders beside the records")
        if not keep:
            shutil.rmtree(elsewhere)
        export(rows=1, path="other.csv")
        assert_equal(osiris("run", "pipeline.yaml").code, 0, "exit code")
        assert_equal(temporary_folders(), [], "temporary folders")
        assert not pathlib.Path("there").exists(), "folders for the output are left"
        assert_equal(list(pathlib.Path(".osiris/index/running").iterdir()), [], "running ones")
        if keep:
            assert_equal(sorted(path.name for path in elsewhere.iterdir()), before, "the records")
        os.chdir(folder)


@test
def test_temporary_folders_of_a_cloned_project(folder):
    """It may bring links and marks along: nothing that they name is touched, and the run has its temporary folder all the same."""
    run_id = "01K00000000000000000000000"
    for number, link in enumerate((".osiris", ".osiris/tmp", f".osiris/tmp/{run_id}", f".osiris/tmp/{run_id}/worker")):
        project, outside = folder / f"project{number}", folder / f"outside{number}"
        for name in (f"tmp/{run_id}/worker/file", f"{run_id}/worker/file", "worker/file", "file"):
            write(outside / name, "precious")
        (project / link).parent.mkdir(parents=True)
        os.symlink(outside, project / link)
        os.chdir(project)
        write("gone/events.jsonl", "")
        for name, where in (run_id, "gone"), ("01K00000000000000000000001", "nowhere"), ("..x", "gone"), (outside.name, "gone"):
            write(f".osiris/index/running/{name}", json.dumps({"run_id": name, "run_logs_path": where, "status": "running"}))
        before = {path: path.read_text() for path in outside.rglob("file")}
        export(rows=2000, scratch=True)
        result = osiris("run", "pipeline.yaml", "--out", "records")
        assert_equal(result.code, 0, "exit code", result)
        assert_equal({path: path.read_text() for path in outside.rglob("file")}, before, f"what lies behind the link {link}")
        assert_equal([path.name for path in pathlib.Path("records").glob("tmp*")], [], "temporary folders")
        left = pathlib.Path(".osiris/index/running") / outside.name
        assert left.exists(), "a mark that is none was read"
        os.chdir(folder)


@test
def test_a_project_that_cannot_have_temporary_folders(folder):
    """Temporary folders are beside the records then."""
    project, records = folder / "project", folder / "records"
    project.mkdir()
    os.chdir(project)
    pipeline(step("make", "test.generate", "read", rows=100, scratch=True),
             step("save", "csv.writer", "write", path=str(folder / "out.csv")))
    assert_equal(osiris("validate", "pipeline.yaml").code, 0, "exit code of validate")
    write(".osiris/tmp", "a file")
    result = osiris("run", "pipeline.yaml", "--out", records)
    assert_equal(result.code, 0, "exit code", result)
    assert_equal(len(read(folder / "out.csv").splitlines()), 101, "lines")
    assert_equal([path.name for path in records.iterdir() if path.name.startswith("tmp")], [], "temporary folders")
    assert_equal(read(".osiris/tmp"), "a file", "the file of that name")


@test
def test_what_a_living_worker_has_is_left_alone(folder):
    """It holds the lock of its folder; here this process does, for a worker that outlives its osiris does not do so for long."""
    export(rows=5000, batch_rows=1000, hang_after=1000, scratch=True)
    process = start("run", "pipeline.yaml", "--out", "run_logs/one")
    worker = worker_of(process)
    wait_until(lambda: list(pathlib.Path(".osiris/tmp").glob("*/*/make/*")), "the driver has a temporary file")
    kill_both(process, worker)
    own = next(path for path in pathlib.Path(".osiris/tmp").glob("*/*") if not path.name.startswith("files-"))
    descriptor = os.open(own, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    export(rows=1, path="other.csv")
    assert_equal(osiris("run", "pipeline.yaml", "--out", "run_logs/two").code, 0, "exit code")
    assert list(pathlib.Path(".osiris/tmp").glob("*/*/make/*")), "it was removed"
    os.close(descriptor)
    assert_equal(osiris("run", "pipeline.yaml", "--out", "run_logs/three").code, 0, "exit code")
    assert_equal(temporary_folders(), [], "temporary folder")
    assert_equal(list(pathlib.Path(".osiris/index/running").iterdir()), [], "running ones")


@test
def test_parts_of_a_run_all_of_which_was_killed_are_cleared_by_the_next(folder):
    process, worker = hang_with_parts("parts/p.csv")
    kill_both(process, worker)
    assert_equal(files("parts") == [], False, "nothing was left")
    other, _ = hang_with_parts("parts/q.csv")
    alive = sorted(pathlib.Path("parts").glob(".q*"))
    try:
        # Somebody else's parts in the same folder live: what lies about cannot be told from them.
        export(rows=150, path="parts/p.csv")
        assert_equal(osiris("run", "pipeline.yaml").code, 0, "exit code")
        assert_equal([path for path in alive if not path.exists()], [], "living parts that are gone")
    finally:
        interrupt(other)
        finish(other)
    pipeline(step("make", "test.generate", "read", rows=150),
             step("save", "csv.writer", "write", path="parts/p.csv", rows_per_file=100))
    result = osiris("run", "pipeline.yaml")
    assert_equal(result.code, 0, "exit code", result)
    assert_equal(sorted(os.listdir("parts")), ["p-00001.csv", "p-00002.csv", "p.csv"], "files", result)


if __name__ == "__main__":
    main()
