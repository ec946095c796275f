"""What a run leaves behind: its directory, records, index, build, and the answers of the command."""

import contextlib
import errno
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

from tap import (OSIRIS, SOURCE, Skip, assert_equal, assert_in, assert_no_group, environment, events, finish, interrupt,
                 main, metrics, osiris, pipeline, read, run_directory, start, step, test, wait_until, worker_of, write)


def export(**generate):
    pipeline(step("make", "test.generate", "read", rows=100, **generate),
             step("save", "csv.writer", "write", path="output/out.csv"))


@test
def test_layout_of_the_original(folder):
    export()
    result = osiris("run", "pipeline.yaml")
    assert_equal(result.code, 0, "exit code", result)
    directory = run_directory()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ_[0-9A-HJKMNP-TV-Z]{26}-[0-9a-f]{7}",
                        directory.name), directory.name
    for name in ("events.jsonl", "metrics.jsonl", "osiris.log", "debug.log", "status.json"):
        assert (directory / name).is_file(), name
    assert (directory / "artifacts" / "make" / "cleaned_config.json").is_file()
    line = json.loads(read(".osiris/index/runs.jsonl"))
    for key in ("run_id", "pipeline_slug", "manifest_hash", "manifest_short", "run_ts", "status",
                "duration_ms", "run_logs_path", "build_manifest_path"):
        assert key in line, key
    assert_equal(line["status"], "success", "status")
    assert pathlib.Path(line["build_manifest_path"]).exists(), line
    assert pathlib.Path(line["run_logs_path"]).exists(), line


@test
def test_events_and_metrics(folder):
    export()
    osiris("run", "pipeline.yaml")
    directory = run_directory()
    names = [event["event"] for event in events(directory)]
    expected = ["run_start", "compile_start", "compile_complete", "adapter_prepare_start",
                "adapter_execute_start", "worker_started", "step_start", "step_complete",
                "adapter_execute_complete", "adapter_collect_complete", "run_complete"]
    positions = [names.index(name) for name in expected]
    assert_equal(positions, sorted(positions), f"order of {expected} in {names}")
    for event in events(directory):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", event["ts"]), event
        assert event["session"], event
    assert_equal({m["tags"]["step"]: m["value"] for m in metrics(directory, "rows_read")},
                 {"make": 100}, "rows_read")
    assert_equal({m["tags"]["step"]: m["value"] for m in metrics(directory, "rows_written")},
                 {"save": 100}, "rows_written")
    assert_equal(metrics(directory, "steps_completed")[0]["value"], 2, "steps_completed")


BEFORE_STEPS = """
    run_start file_type params pipeline profile
    compile_start pipeline
    connection_resolve_start alias family step_id
    connection_resolve_complete alias family ok step_id
    compile_complete duration manifest_hash pipeline
    adapter_selected adapter
    cfg_opened keys path sha256 step_id
    artifacts_dir_created path step_id
    config_meta_stripped config_meta_stripped keys_removed step_id
    artifact_created artifact_type path step_id
    inputs_resolved from_memory from_step key step_id
    cfg_opened keys path sha256 step_id
    artifacts_dir_created path step_id
    artifact_created artifact_type path step_id
    adapter_prepare_start adapter
    adapter_prepare_complete adapter
    adapter_execute_start adapter
    worker_started pid place version
    dependency_check missing place present
    driver_registered driver status version
    driver_registered driver status version
    drivers_registered drivers place
    session_initialized drivers_loaded place session_id
    step_start attempt driver step_id
    step_start attempt driver step_id
"""
SUCCESS = BEFORE_STEPS + """
    step_complete driver duration_ms rows_processed step_id
    step_complete driver duration_ms rows_processed step_id
    artifact_created artifact_type bytes path step_id
    cleanup_start
    cleanup_complete steps_executed total_rows
    adapter_execute_complete adapter success
    adapter_collect_start adapter
    adapter_collect_complete adapter
    run_complete total_duration
"""
FAILURE = BEFORE_STEPS + """
    step_failed detail driver error error_type step_id
    step_failed detail driver error error_type step_id
    cleanup_start
    cleanup_complete steps_executed total_rows
    adapter_execute_complete adapter success
    adapter_execution_error adapter error error_type
    adapter_collect_start adapter
    adapter_collect_complete adapter
    run_error detail duration error phase
"""


def lines_of(text):
    return [line.strip() for line in text.splitlines() if line.strip()]


@test
def test_the_documentation_names_all_events_and_no_others(folder):
    names = read(SOURCE / "orchestrator" / "records" / "own-names.h")
    events_of_osiris = set(re.findall(r'X\([A-Z_]+, "([a-z_]+)"\)', names[names.index("OWN_EVENTS"):names.index("OWN_METRICS")]))
    document = read(SOURCE / "docs" / "records.md")
    section = document[document.index("## events.jsonl"):document.index("## osiris.log")]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("|")]
    named = {name.strip() for row in rows[2:] for name in re.split("[,;]", row)} | {"link_lost", "link_resumed", "close_failed"}
    assert_equal(sorted(named), sorted(events_of_osiris), "events")
    assert all(name in section for name in named), section


@test
def test_all_events_and_their_fields(folder):
    """docs/records.md has them, too."""
    write("osiris_connections.yaml", "connections:\n  test:\n    main: {password: '${TEST_PASSWORD}', default: true}\n")
    table = read(SOURCE / "docs" / "records.md")
    for directory, expected, more in (("success", SUCCESS, {}), ("failure", FAILURE, {"fail_after": 50})):
        export(batch_rows=10, connection="@test.main", **more)
        osiris("run", "pipeline.yaml", "--out", directory, env={"TEST_PASSWORD": "correct-horse"})
        found = events(pathlib.Path(directory))
        shown = [" ".join([event["event"], *sorted(set(event) - {"ts", "session", "event"})]) for event in found]
        assert_equal(shown, lines_of(expected), f"events of a {directory}")
        for line in lines_of(expected):
            assert_in(line.split()[0], table)
    opened = events(pathlib.Path("success"), "cfg_opened")[0]
    file = next(pathlib.Path("build").glob("pipelines/test-pipeline/*/cfg/make.json"))
    assert_equal(opened["path"], "cfg/make.json", "path")
    expected = hashlib.sha256(next(p for p in pathlib.Path("build").glob("pipelines/test-pipeline/*/cfg/make.json")
                                   if "fail_after" not in read(p)).read_bytes()).hexdigest()
    assert_equal(opened["sha256"], expected, "digest")
    assert_equal(opened["keys"], sorted(json.loads(read(file)).keys() - {"fail_after"}), "keys")
    assert "connection" not in json.loads(read("success/artifacts/make/cleaned_config.json"))


@test
def test_logs(folder):
    write("osiris_connections.yaml", "connections:\n  test:\n    main: {password: '${TEST_PASSWORD}', default: true}\n")
    export(connection="@test.main", print_secret=True)
    osiris("run", "pipeline.yaml", env={"TEST_PASSWORD": "correct-horse"})
    directory = run_directory()
    form = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} - (\S+) - \[\w{26}\] - (DEBUG|INFO|WARNING|ERROR) - (.+)")
    found = {}
    for name in ("osiris.log", "debug.log"):
        matches = [form.fullmatch(line) for line in read(directory / name).splitlines()]
        assert all(matches), read(directory / name)
        found[name] = [match.groups() for match in matches]
    text = "\n".join(" ".join(groups) for groups in found["osiris.log"])
    for part in ("osiris INFO run of pipeline.yaml starts", "osiris INFO compiled in ", "make INFO uses connection @test.main",
                 "worker INFO started in place local", "make INFO started (test.generate), attempt 1",
                 "save INFO complete: 100 rows, ", "save INFO published output/out.csv, ", ": success"):
        assert_in(part, text)
    assert "DEBUG" not in text, text
    for groups in found["osiris.log"]:
        assert groups in found["debug.log"], groups
    shown = [groups[2].split()[1] for groups in found["debug.log"] if groups[2].startswith("event: ")]
    assert_equal(shown, [event["event"] for event in events(directory)], "events in debug.log")
    assert [groups for groups in found["debug.log"] if groups[0] == "worker" and "***MASKED***" in groups[2]], found
    assert "correct-horse" not in read(directory / "debug.log")


@test
def test_counts_agree_with_their_nouns(folder):
    pipeline(step("make", "test.generate", "read", rows=1), step("save", "csv.writer", "write", path="out.csv"))
    osiris("run", "pipeline.yaml")
    text = read(run_directory() / "osiris.log")
    for part in ("complete: 1 row, ", "ready in place local: 2 drivers loaded", f"published out.csv, {os.stat('out.csv').st_size} bytes"):
        assert_in(part, text)


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
def test_json_answer(folder):
    export()
    result = osiris("run", "pipeline.yaml", "--json")
    answer = result.json()
    assert_equal(answer["status"], "success", "status", result)
    assert_equal(answer["execution_type"], "local", "execution type", result)
    assert pathlib.Path(answer["session_dir"]).is_dir(), answer
    assert answer["duration"]["total"] >= answer["duration"]["compile"] >= 0, answer


@test
def test_json_answer_of_a_failure(folder):
    export(fail_after=50, batch_rows=10)
    result = osiris("run", "pipeline.yaml", "--json")
    assert_equal(result.code, 1, "exit code", result)
    answer = result.json()
    assert_equal(answer["status"], "failed", "status", result)
    assert_equal(answer["error"]["step_id"], "make", "step", result)


@test
def test_dry_run_runs_nothing(folder):
    export()
    result = osiris("run", "pipeline.yaml", "--dry-run")
    assert_equal(result.code, 0, "exit code", result)
    assert_in("make", result.out, result)
    assert not pathlib.Path("output").exists()
    assert not pathlib.Path("run_logs").exists()


@test
def test_out_names_the_directory(folder):
    export()
    result = osiris("run", "pipeline.yaml", "--out", "here")
    assert_equal(result.code, 0, "exit code", result)
    assert pathlib.Path("here/events.jsonl").is_file(), result


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


@test
def test_same_inputs_same_bytes(folder):
    export()
    manifests = []
    for name in ("a", "b"):
        os.mkdir(name)
        write(f"{name}/pipeline.yaml", read("pipeline.yaml"))
        result = osiris("compile", "pipeline.yaml", cwd=name)
        assert_equal(result.code, 0, "exit code", result)
        found = {str(p.relative_to(name)): p for p in pathlib.Path(name, "build").rglob("*")
                 if p.is_file()}
        manifests.append({path: re.sub(r"(generated_at: *)\S+", r"\1TIME", read(file)) for path, file in found.items()})
    assert_equal(manifests[0], manifests[1], "two builds")
    assert any(path.endswith("manifest.yaml") for path in manifests[0]), manifests[0].keys()


@test
def test_a_build_that_is_there_is_kept_and_mended(folder):
    export()
    osiris("compile", "pipeline.yaml")
    files = {path: (read(path), path.stat().st_ino) for path in pathlib.Path("build").rglob("*.json")}
    assert len(files) >= 5, files
    damaged, shortened = sorted(files)[:2]
    write(str(damaged), files[damaged][0].replace("e", "a", 1))
    write(str(shortened), "")
    assert_equal(osiris("compile", "pipeline.yaml").code, 0, "exit code")
    for path, (text, inode) in files.items():
        assert_equal(read(path), text, f"what {path} holds")
        assert_equal(path.stat().st_ino == inode, path not in (damaged, shortened), f"whether {path} was kept")


@test
def test_the_build_does_not_depend_on_secrets(folder):
    """It is the pipeline's own texts, one of which may be a secret's value; a run's records have it masked."""
    write("osiris_connections.yaml", "connections:\n  test:\n    main:\n      password: ${TEST_PASSWORD}\n")
    export(attempts_file="correct-horse-battery", connection="@test.main")
    found = []
    for password in ("correct-horse-battery", "another-one"):
        result = osiris("compile", "pipeline.yaml", "--out", password[:5], env={"TEST_PASSWORD": password})
        assert_equal(result.code, 0, "exit code", result)
        found.append({path.relative_to(password[:5]): read(path) for path in pathlib.Path(password[:5]).rglob("make.json")})
    assert_equal(found[0], found[1], "configs of two builds")
    assert_in("correct-horse-battery", str(found[0]))
    osiris("run", "pipeline.yaml", env={"TEST_PASSWORD": "correct-horse-battery"})
    for path in run_directory().rglob("*"):
        assert not path.is_file() or "correct-horse-battery" not in read(path), path


@test
def test_parameters_and_profiles(folder):
    pipeline(step("make", "test.generate", "read", rows="${params.rows}"),
             step("save", "csv.writer", "write", path="${params.name}.csv"),
             params={"rows": {"default": 1}, "name": "default"},
             profiles={"big": {"params": {"rows": 5}}})
    cases = [([], {}, "default.csv", 1), (["--profile", "big"], {}, "default.csv", 5),
             (["-p", "big", "--param", "rows=7"], {}, "default.csv", 7),
             (["--param", "name=given"], {"OSIRIS_PARAM_NAME": "environment"}, "given.csv", 1),
             ([], {"OSIRIS_PARAM_NAME": "environment"}, "environment.csv", 1)]
    for arguments, env, path, rows in cases:
        result = osiris("run", "pipeline.yaml", *arguments, env=env)
        assert_equal(result.code, 0, f"exit code of {arguments}", result)
        assert_equal(len(read(path).splitlines()), rows + 1, f"lines of {arguments}", result)
        os.remove(path)


@test
def test_profiles_that_name_no_folder_or_are_not_there(folder):
    """A profile names folders: none leads out of them, be it that the pipeline has it."""
    pipeline(step("make", "test.generate", "read", rows=1), step("save", "csv.writer", "write", path="out.csv"),
             profiles={name: {} for name in ("../out", ".hidden", "a/b")})
    for name in ("../out", ".hidden", "a/b", "", "other"):
        for command in ("run", "compile"):
            result = osiris(command, "pipeline.yaml", f"--profile={name}")
            assert_equal(result.code, 2, f"exit code of {command} --profile={name}", result)
            assert_in(f'"{name}"', result.err, result)
            assert_equal(sorted(os.listdir()), ["pipeline.yaml"], "what is there", result)


@test
def test_secrets_of_a_driver_that_prints_them(folder):
    """The driver logs its connection's secret and prints it on both outputs."""
    write("osiris_connections.yaml",
          "connections:\n  test:\n    main:\n      password: ${TEST_PASSWORD}\n")
    export(print_secret=True, connection="@test.main")
    secret = "correct-horse-battery"
    result = osiris("run", "pipeline.yaml", "--verbose", env={"TEST_PASSWORD": secret})
    assert_equal(result.code, 0, "exit code", result)
    assert secret not in result.out + result.err, result
    assert_in("***MASKED***", read(run_directory() / "debug.log"))
    for path in pathlib.Path(".").rglob("*"):
        assert not path.is_file() or secret not in read(path), path


if __name__ == "__main__":
    main()
