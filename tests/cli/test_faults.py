"""Faults while a pipeline runs: one clear error, the right exit code, no output, no process left, no hang."""

import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess

from tap import (BUILD, SANITIZED, Skip, assert_equal, assert_in, assert_no_group, environment, events, files, finish,
                 interrupt, main, osiris, pipeline, read, run_directory, start, step, test, wait_until, worker_of,
                 write)


def export(path="out.csv", **generate):
    """generate → csv."""
    generate.setdefault("rows", 1000)
    return pipeline(step("make", "test.generate", "read", **generate),
                    step("save", "csv.writer", "write", path=path))


def fails(*parts, code=1, seconds=30, **generate):
    export(**generate)
    result = osiris("run", "pipeline.yaml")
    assert_equal(result.code, code, "exit code", result)
    for part in parts:
        assert_in(part, result.err, result)
    assert result.seconds < seconds, f"took {result.seconds:.1f} s"
    assert_equal(files(), ["pipeline.yaml"], "files left", result)
    directory = run_directory()
    status = read(directory / "status.json")
    assert_in("failed", status, result)
    assert_equal(len(events(directory, "run_error")), 1, "run_error events", result)
    return result


@test
def test_a_run_that_works(folder):
    """The others would prove nothing if this failed."""
    export()
    result = osiris("run", "pipeline.yaml")
    assert_equal(result.code, 0, "exit code", result)
    assert_equal(len(read("out.csv").splitlines()), 1001, "lines", result)


@test
def test_driver_crashes(folder):
    fails("SIGSEGV", 'steps "make" (test.generate) and "save" (csv.writer) were running', crash_after=500,
          batch_rows=100)


@test
def test_driver_exits(folder):
    fails("exited with status", "make", "test.generate", exit_after=500, batch_rows=100)


@test
def test_driver_fails_half_way(folder):
    result = fails("make", "test.generate", "pipeline.yaml:", fail_after=500, batch_rows=100)
    directory = run_directory()
    failed = events(directory, "step_failed")
    assert_equal(failed[0]["step_id"], "make", "the first step that failed", result)


@test
def test_garbage_batches(folder):
    spec = osiris("components", "show", "test.generate", "--json").json()
    kinds = spec["spec"]["configSchema"]["properties"]["garbage"]["enum"]
    kinds = [kind for kind in kinds if kind not in ("none", "")]
    assert len(kinds) >= 5, kinds
    for kind in kinds:
        export(garbage=kind)
        result = osiris("run", "pipeline.yaml")
        assert_equal(result.code, 1, f"exit code with garbage {kind}", result)
        assert_in("test.generate", result.err, result)
        assert "SIG" not in result.err and "Sanitizer" not in result.err, result
        assert not pathlib.Path("out.csv").exists(), kind


@test
def test_a_type_that_is_not_passed_on(folder):
    fails('column "id" has an Arrow type that Osiris does not support: text view ("vu")', 'as text with offsets ("u")',
          garbage="text_view")


@test
def test_two_steps_with_one_file(folder):
    """The second would replace the first one's, though both were a success."""
    pipeline(step("make", "test.generate", "read", rows=5), step("one", "csv.writer", "write", ["make"], path="out.csv"),
             step("again", "test.generate", "read", ["one"], rows=7), step("two", "csv.writer", "write", ["again"], path="./out.csv"))
    result = osiris("run", "pipeline.yaml")
    assert_equal(result.code, 1, "exit code", result)
    assert_in('"./out.csv" is also written by the step "one"', result.err, result)
    assert_equal(len(read("out.csv").splitlines()), 6, "lines of the first", result)


def two_writers(first, second, place=None):
    """`first` has published when `second` begins."""
    later = {"run_on": place} if place else {}
    pipeline(step("make", "test.generate", "read", rows=5), step("one", "csv.writer", "write", ["make"], **first),
             step("again", "test.generate", "read", ["one"], rows=7), {**step("two", "csv.writer", "write", ["again"], **second), **later})
    return osiris("run", "pipeline.yaml")


@test
def test_two_steps_with_one_file_by_other_names(folder):
    os.mkdir("real")
    os.symlink("real", "linked")
    os.symlink("real/out.csv", "link.csv")
    for second in ("./real/out.csv", "real/../real//out.csv", "linked/out.csv", "link.csv", f"{folder}/real/out.csv"):
        result = two_writers({"path": "real/out.csv"}, {"path": second})
        assert_equal(result.code, 1, "exit code", result)
        assert_in(f'"{second}" is also written by the step "one"', result.err, result)
        assert_equal(len(read("real/out.csv").splitlines()), 6, "lines of the first", result)
        assert_equal(sorted(os.listdir("real")), ["out.csv"], "files")
    result = two_writers({"path": "p-00002.csv"}, {"path": "p.csv", "rows_per_file": 3})
    assert_equal(result.code, 1, "exit code", result)
    assert_in('"p-00002.csv" is also written by the step "one"', result.err, result)
    assert not pathlib.Path("p-00001.csv").exists(), "a part of the step that failed"


@test
def test_two_steps_in_two_places_with_one_file(folder):
    write("osiris.yaml", "adapters:\n  there: {adapter: local}\n")
    result = two_writers({"path": "out.csv"}, {"path": "./out.csv"}, place="there")
    assert_equal(result.code, 1, "exit code", result)
    assert_in('"./out.csv" is also written by the step "one"', result.err, result)
    assert_equal(len(read("out.csv").splitlines()), 6, "lines of the first", result)
    pipeline(step("make", "test.generate", "read", rows=5), step("one", "csv.writer", "write", ["make"], path="both.csv"),
             {**step("two", "csv.writer", "write", ["make"], path="./both.csv"), "run_on": "there"})
    result = osiris("run", "pipeline.yaml")
    assert_equal(result.code, 1, "exit code", result)
    assert_in("is also written by the step", result.err, result)
    assert_equal(files(), ["osiris.yaml", "out.csv", "pipeline.yaml"], "files")


@test
def test_two_steps_that_append_to_one_file(folder):
    for first, second in (True, True), (True, False), (False, True):
        result = two_writers({"path": "out.csv", "append": first}, {"path": "./out.csv", "append": second})
        assert_equal(result.code, 1, "exit code", result)
        assert_in('"./out.csv" is also written by the step "one"', result.err, result)
        os.remove("out.csv")
    pipeline(step("make", "test.generate", "read", rows=5),
             *(step(name, "csv.writer", "write", ["make"], path=path, append=True)
               for name, path in (("one", "both.csv"), ("two", "./both.csv"))))
    result = osiris("run", "pipeline.yaml")
    assert_equal(result.code, 1, "exit code", result)
    assert_in("is also written by the step", result.err, result)
    assert_equal(files(), ["pipeline.yaml"], "files")


@test
def test_a_repeated_step_has_its_file(folder):
    """Also in a folder that the first attempt has made and taken back, and when its worker died."""
    for trouble in ("fail_after", "crash_after"):
        make = step("make", "test.generate", "read", rows=50, batch_rows=10, attempts_file="attempts", bad_attempts=1, retryable=True,
                    **{trouble: 20})
        pipeline({**make, "retry": {"max_attempts": 3, "initial_delay_ms": 1}},
                 step("one", "csv.writer", "write", ["make"], path="a/out.csv"),
                 step("two", "csv.writer", "write", ["make"], path="b/out.csv"))
        result = osiris("run", "pipeline.yaml")
        assert_equal(result.code, 0, "exit code", result)
        assert_equal(read("a/out.csv"), read("b/out.csv"), "files")
        shutil.rmtree("a")
        shutil.rmtree("b")
        os.remove("attempts")


@test
def test_unwritable_folder(folder):
    if os.geteuid() == 0:
        fails("proc", path="/proc/nowhere/out.csv")
    else:
        os.mkdir("closed", 0o500)
        fails("closed", path="closed/out.csv")


@test
def test_target_is_a_folder(folder):
    os.mkdir("out.csv")
    fails("out.csv", "director")


@test
def test_full_disk(folder):
    os.mkdir("small")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", "small"],
                      capture_output=True).returncode != 0:
        raise Skip("cannot mount a tmpfs here")
    try:
        export(path="small/out.csv", rows=100000)
        result = osiris("run", "pipeline.yaml")
        assert_equal(result.code, 1, "exit code", result)
        assert_in("No space left", result.err, result)
        assert_in("small/out.csv", result.err, result)
        assert_equal(os.listdir("small"), [], "files left", result)
        assert_equal(os.statvfs("small").f_bfree, os.statvfs("small").f_blocks, "free blocks")
    finally:
        subprocess.run(["umount", "-l", "small"], check=True)


@test
def test_a_limit_on_the_size_of_files(folder):
    """`ulimit -f`: an error like any of writing, whichever file it is that meets the limit, and no half lines in the records."""
    export(rows=100000)
    # A sanitizer makes a file of its own before the program begins.
    for number, limit in enumerate((1 if SANITIZED else 0, 1, 500, 3000, 6000, 20000, 100000, 500000)):
        result = osiris("run", "pipeline.yaml", "--out", f"rec{number}",
                        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
        # Even what the drivers are asked while the pipeline is compiled is a file.
        assert result.code == 1 or (result.code == 2 and limit < 3000), f"with {limit} bytes: {result}"
        assert_in("File too large", result.err, result)
        assert not pathlib.Path("out.csv").exists(), result
        for path in pathlib.Path(f"rec{number}").glob("*.jsonl"):
            for line in read(path).splitlines(keepends=True):
                json.loads(line)
                assert line.endswith("\n"), line
    assert_in('step "save" (csv.writer)', result.err, result)
    assert_equal(json.loads(read(f"rec{number}/status.json"))["status"], "failed", "status")


@test
def test_printing_to_stdout_does_no_harm(folder):
    export(print_stdout=True)
    result = osiris("run", "pipeline.yaml", "--json")
    assert_equal(result.code, 0, "exit code", result)
    assert_equal(result.json()["status"], "success", "status", result)


@test
def test_existing_output_survives_a_failure(folder):
    pathlib.Path("out.csv").write_text("precious\n")
    export(fail_after=500, batch_rows=100)
    result = osiris("run", "pipeline.yaml")
    assert_equal(result.code, 1, "exit code", result)
    assert_equal(read("out.csv"), "precious\n", "the old file", result)
    assert_equal(files(), ["out.csv", "pipeline.yaml"], "files", result)


def hanging(start_options=None, **generate):
    """A running osiris whose extractor hangs after its first batch, and its worker."""
    export(hang_after=100, batch_rows=100, **generate)
    process = start("run", "pipeline.yaml", env={"OSIRIS_CANCEL_GRACE_MS": "1000"}, **(start_options or {}))
    worker = worker_of(process)

    def begun():
        directory = pathlib.Path("run_logs", "test-pipeline")
        logs = list(directory.glob("*/debug.log"))
        return logs and "hanging" in read(logs[0])
    try:
        wait_until(begun, "the driver hangs")
    except AssertionError:
        process.kill()
        raise
    return process, worker


def stopped_by(number, code, **generate):
    process, worker = hanging(**generate)
    interrupt(process, number)
    result = finish(process)
    assert_equal(result.code, code, "exit code", result)
    assert_no_group(worker)
    assert_equal(files(), ["pipeline.yaml"], "files left", result)
    assert result.seconds < 20, result
    return result


@test
def test_sigint_cancels(folder):
    result = stopped_by(signal.SIGINT, 130)
    assert_in("cancelled", result.err, result)
    assert_in("cancelled", read(run_directory() / "status.json"))


@test
def test_sigterm_cancels(folder):
    stopped_by(signal.SIGTERM, 143)


@test
def test_sighup_cancels(folder):
    """A terminal was closed. Kernel and shell may both say so: the second one does not kill."""
    export(hang_after=100, batch_rows=100, ignore_cancel=True)
    process = start("run", "pipeline.yaml", env={"OSIRIS_CANCEL_GRACE_MS": "1000"})
    worker = worker_of(process)
    wait_until(lambda: [l for l in pathlib.Path("run_logs").rglob("debug.log") if "hanging" in read(l)],
               "the driver hangs")
    interrupt(process, signal.SIGHUP)
    wait_until(lambda: "cancelling after SIGHUP" in read("err"), "the cancel is announced")
    interrupt(process, signal.SIGHUP)
    result = finish(process)
    assert_equal(result.code, 129, "exit code", result)
    assert_no_group(worker)
    status = read(run_directory() / "status.json")
    assert_in('"cancelled"', status)
    assert "second signal" not in status + result.err, result
    assert_equal(files(), ["pipeline.yaml"], "files left", result)


@test
def test_sighup_that_is_ignored(folder):
    process, worker = hanging(start_options={"preexec_fn": lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)})
    interrupt(process, signal.SIGHUP)
    interrupt(process, signal.SIGINT)
    result = finish(process)
    assert_equal(result.code, 130, "exit code", result)
    assert "SIGHUP" not in result.err, result
    assert_no_group(worker)


@test
def test_sigint_kills_a_driver_that_ignores_it(folder):
    stopped_by(signal.SIGINT, 130, ignore_cancel=True)


@test
def test_second_sigint_kills(folder):
    export(hang_after=100, batch_rows=100, ignore_cancel=True)
    process = start("run", "pipeline.yaml", env={"OSIRIS_CANCEL_GRACE_MS": "100000"})
    worker = worker_of(process)
    wait_until(lambda: [l for l in pathlib.Path("run_logs").rglob("debug.log")
                        if "hanging" in read(l)], "the driver hangs")
    interrupt(process)
    wait_until(lambda: "cancel" in read("err"), "the cancel is announced")
    interrupt(process)
    result = finish(process)
    assert_equal(result.code, 130, "exit code", result)
    assert_no_group(worker)


@test
def test_worker_killed(folder):
    process, worker = hanging()
    os.kill(worker, signal.SIGKILL)
    result = finish(process)
    assert_equal(result.code, 1, "exit code", result)
    assert_in("SIGKILL", result.err, result)
    assert_in("make", result.err, result)
    assert_no_group(worker)
    assert_equal(files(), ["pipeline.yaml"], "files left", result)
    failed = events(run_directory(), "step_failed")
    assert failed and failed[0]["error_type"] == "WorkerCrashError", failed


@test
def test_worker_killed_with_many_parts(folder):
    """They have hidden names already, which die with no process."""
    os.mkdir("output")
    pipeline(step("make", "test.generate", "read", rows=5000, batch_rows=1000, hang_after=3000),
             step("save", "csv.writer", "write", path="output/part.csv", rows_per_file=100))
    process = start("run", "pipeline.yaml")
    worker = worker_of(process)
    wait_until(lambda: len(os.listdir("output")) > 20, "parts are set aside")
    os.kill(worker, signal.SIGKILL)
    result = finish(process)
    assert_equal(result.code, 1, "exit code", result)
    assert_equal(os.listdir("output"), [], "files left", result)


@test
def test_silent_worker(folder):
    export(hang_after=100, batch_rows=100)
    process = start("run", "pipeline.yaml", env={"OSIRIS_HEARTBEAT_INTERVAL_MS": "200",
                                                 "OSIRIS_HEARTBEAT_TIMEOUT_MS": "1500"})
    worker = worker_of(process)
    os.kill(worker, signal.SIGSTOP)
    result = finish(process)
    assert_equal(result.code, 1, "exit code", result)
    assert_in("heartbeat", result.err, result)
    assert_no_group(worker)


def orchestrator_killed(**generate):
    process, worker = hanging(**generate)
    process.kill()
    process.wait()
    assert_no_group(worker)
    assert_equal(files(), ["pipeline.yaml"], "files left")


@test
def test_orchestrator_killed(folder):
    orchestrator_killed()


@test
def test_orchestrator_killed_with_a_driver_that_ignores_cancel(folder):
    orchestrator_killed(ignore_cancel=True)


@test
def test_orchestrator_killed_with_a_grandchild(folder):
    orchestrator_killed(spawn_child=True)


@test
def test_grandchild_does_not_outlive_a_run(folder):
    export(spawn_child=True)
    result = osiris("run", "pipeline.yaml")
    assert_equal(result.code, 0, "exit code", result)
    worker = events(run_directory(), "worker_started")[0]["pid"]
    assert worker > 0
    assert_no_group(worker)


@test
def test_environment_of_the_worker_is_clean(folder):
    export(hang_after=100, batch_rows=100)
    process = start("run", "pipeline.yaml", "--pass-env", "WANTED",
                    env={"WANTED": "here", "UNWANTED": "must-not-pass"})
    worker = worker_of(process)
    try:
        def environ():
            # Readable for root only: the worker is not dumpable.
            try:
                return pathlib.Path(f"/proc/{worker}/environ").read_bytes() or b"-"
            except PermissionError:
                raise Skip("not allowed to read the worker's environment")
        assert b"must-not-pass" not in wait_until(environ, "the environment can be read")
    finally:
        interrupt(process)
        finish(process)


@test
def test_stale_temporary_files_are_cleared(folder):
    stale = pathlib.Path(".out.csv.osiris-01ARZ3NDEKTSV4RRFFQ69G5FAV-0.tmp")
    stale.write_text("half a file")
    export()
    result = osiris("run", "pipeline.yaml")
    assert_equal(result.code, 0, "exit code", result)
    assert not stale.exists(), result


@test
def test_a_reader_without_memory_does_not_blame_its_producer(folder):
    """In another place: large allocations fail, among them the room for a batch that comes. Which worker is started first is open:
    once it is that one which lacks memory, once the other."""
    if SANITIZED:
        raise Skip("a sanitizer's library wants to be loaded first")
    pipeline(step("make", "test.generate", "read", rows=600, batch_rows=150, row_bytes=700),
             {**step("save", "csv.writer", "write", path="out.csv"), "run_on": "other"})
    write("osiris.yaml", "adapters: {other: {adapter: local}}\n")
    worker = environment()["OSIRIS_WORKER"]
    starve = f"LD_PRELOAD='{BUILD}/tests/plugins/preload/.libs/starve.so' STARVE_PROGRAM='{pathlib.Path(worker).name}'"
    blamed = []
    for number in range(16):
        first = pathlib.Path(f"first{number}").resolve()
        write("worker", f"#!/bin/sh\n[ $1 = --channel-fd ] || exec '{worker}' \"$@\"\nif mkdir {first} 2>/dev/null; then turn=0; else turn=1; fi\n"
              f"[ $turn = {number % 2} ] || exec '{worker}' \"$@\"\n"
              f"exec env {starve} STARVE_AT={1 + number // 4} STARVE_SMALLEST=65536 '{worker}' \"$@\"\n").chmod(0o755)
        result = osiris("run", "pipeline.yaml", env={"OSIRIS_WORKER": str(pathlib.Path("worker").resolve())})
        if "cannot receive a batch: Cannot allocate memory" in result.err:
            assert_equal(result.code, 1, "exit code", result)
            error, = events(run_directory(), "run_error")
            blamed.append(error["detail"]["step_id"])
        shutil.rmtree("run_logs", ignore_errors=True)
    assert_equal(set(blamed), {"save"}, "steps that failed")


@test
def test_closed_stdout_does_not_crash(folder):
    export()
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([os.environ["OSIRIS"], "run", "pipeline.yaml"], env=environment(),
                          stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert done.returncode in (0, 1), done
    assert pathlib.Path("out.csv").exists()


if __name__ == "__main__":
    main()
