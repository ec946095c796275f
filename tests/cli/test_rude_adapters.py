"""Adapters that end osiris, replace it, crash in it, or hand over what is no channel (tests/plugins/rude.c): the run fails, says of which
adapter and where, has records that say so, and leaves nobody."""

import ctypes
import json
import pathlib
import platform
import struct
import time

from tap import (BUILD, SANITIZED, Skip, assert_equal, assert_in, assert_no_group, events, files, main, osiris,
                 pipeline, read, run_directory, step, temporary_folders, test, write)

ADAPTERS = f"{BUILD}/.libs:{BUILD}/tests/plugins/adapters/.libs"
SIGNALS = {"abort": "ABRT", "crash": "SEGV", "overflow": "SEGV"}


UNSHARE = {"x86_64": 272, "aarch64": 97}


def without_unshare():
    """The process may not call it, as in some containers: a seccomp filter has it fail with EPERM."""
    code = b"".join(struct.pack("HBBI", *line) for line in (
        (0x20, 0, 0, 0), (0x15, 0, 1, UNSHARE[platform.machine()]), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7FFF0000)))
    lines = ctypes.create_string_buffer(code)
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", 4, ctypes.addressof(lines)))
    libc = ctypes.CDLL(None)
    if libc.prctl(38, 1, 0, 0, 0) != 0 or libc.prctl(22, 2, program) != 0 or libc.unshare(0) == 0:
        raise OSError("no filter")


def run(*arguments, preexec_fn=None, **options):
    write("osiris.yaml", json.dumps({"adapters": {"there": {"adapter": "rude", **options}}}))
    pipeline(step("make", "test.generate", "read", rows=10), step("save", "csv.writer", "write", path="out.csv"))
    return osiris("run", "pipeline.yaml", "--adapter", "there", *arguments,
                  env={"OSIRIS_ADAPTER_PATH": ADAPTERS, "OSIRIS_HEARTBEAT_INTERVAL_MS": "100"}, preexec_fn=preexec_fn)


def workers_are_gone(directory):
    for event in events(directory, "worker_started"):
        assert_no_group(event["pid"])


def forget(directory):
    for path in pathlib.Path("out.csv"), *pathlib.Path("run_logs").rglob("*.jsonl"):
        path.unlink(missing_ok=True)
    directory.rename(f"forgotten-{time.monotonic_ns()}")


def fails(at, how, words, options=None):
    """With the line, and with records. `options`: the adapter's, if it is set up before it fails."""
    result = run(**(options or {"at": at, "how": how}))
    assert_equal(result.code, 1, f"exit code of {how} at {at}", result)
    assert_in(f'adapter "rude": it has {words} in "{at}"', result.err, result)
    directory = run_directory()
    assert_equal(json.loads(read(directory / "status.json"))["status"], "failed", f"status of {how} at {at}")
    error, = events(directory, "run_error")
    assert_in('adapter "rude"', error["error"])
    index = json.loads(read(".osiris/index/runs.jsonl").splitlines()[-1])
    assert_equal(index["status"], "failed", "status in the index")
    workers_are_gone(directory)
    assert_equal(temporary_folders(), [], "temporary folders")
    forget(directory)
    return result


def is_interrupted(at, how, words, options=None):
    """The run's process ends, whatever was meant to come behind it: its supervisor says so."""
    result = run(**(options or {"at": at, "how": how}))
    assert_equal(result.code, 1, f"exit code of {how} at {at}", result)
    assert_in(f'adapter "rude" in "{at}": the process of the run has ', result.err, result)
    assert any(f"has {each} prematurely" in result.err for each in words), result
    assert_in("failed", result.out, result)
    directory = run_directory()
    assert_in(str(directory), result.out, result)
    is_on_record(directory)
    workers_are_gone(directory)
    forget(directory)


def is_on_record(directory):
    assert_equal(json.loads(read(directory / "status.json"))["status"], "aborted", "status")
    error, = events(directory, "run_error")
    assert_in("ended unexpectedly", error["error"])
    index = json.loads(read(".osiris/index/runs.jsonl").splitlines()[-1])
    assert_equal(index["status"], "aborted", "status in the index")
    assert_equal(list(pathlib.Path(".osiris/index/running").iterdir()), [], "running")


def ends(at, how):
    if how in SIGNALS:
        assert_in(f"(SIG{SIGNALS[how]})", fails(at, how, "crashed").err)
        return
    fails(at, how, "ended its thread" if how in ("thread", "cancel") else "called exit")


VERBS = ("open", "prepare", "execute", "collect", "close")


@test
def test_exit(folder):
    for at in VERBS:
        ends(at, "exit")


@test
def test_quick_exit(folder):
    for at in VERBS:
        ends(at, "quick_exit")


@test
def test_exit_at_once(folder):
    for at in VERBS:
        is_interrupted(at, "_exit", ["ended (exit code 0)"])
    is_interrupted("execute", "_Exit", ["ended (exit code 0)"])


@test
def test_exit_by_a_system_call(folder):
    for at in VERBS:
        is_interrupted(at, "syscall", ["ended (exit code 0)"])


@test
def test_another_program(folder):
    """In osiris's place, which ends well."""
    for at in VERBS:
        is_interrupted(at, "exec", ["ended (exit code 0)", "been replaced (exec)"])


@test
def test_another_program_that_does_not_end(folder):
    is_interrupted("execute", "exec_sleep", ["been replaced (exec)"])


@test
def test_killed(folder):
    is_interrupted("execute", "killed", ["been ended by SIGKILL"])


@test
def test_a_crash_whose_signal_it_has_reset_or_blocked(folder):
    # A sanitizer's handler ends the process itself.
    words = ["been ended by SIGSEGV", *(["ended (exit code 1)", "ended (exit code 66)"] if SANITIZED else [])]
    for how in "reset_crash", "blocked_crash":
        for at in "execute", "collect":
            is_interrupted(at, how, words)
    for how in "default_signals", "blocked_signals":
        for before, at in ("open", "execute"), ("prepare", "collect"), ("execute", "worker_exit"):
            is_interrupted(at, how, words, {"at": before, "how": how, "crash_at": at})


@test
def test_all_of_osiris_descriptors(folder):
    """Closed by the adapter. Osiris may notice it first, or its supervisor; or nothing is stopped by it, and all is there."""
    if SANITIZED:
        raise Skip("a sanitizer reports the race of descriptors that is the adapter's fault")
    for at in VERBS:
        result = run(at=at, how="close_all")
        directory = run_directory()
        if result.code == 0:
            assert_equal(len(read("out.csv").splitlines()), 11, "lines")
        else:
            assert_equal(result.code, 1, "exit code", result)
            assert_in(json.loads(read(directory / "status.json"))["status"], ("failed", "aborted"), result)
        workers_are_gone(directory)
        forget(directory)


@test
def test_one_json_object(folder):
    for how in "syscall", "exec", "_exit", "blocked_crash":
        result = run("--json", at="execute", how=how)
        assert_equal(result.code, 1, "exit code", result)
        answer = result.json()
        directory = run_directory()
        assert_equal([answer[name] for name in ("status", "phase", "session_dir", "session_id", "artifacts_dir", "execution_type")],
                     ["failed", "execution", str(directory), events(directory)[0]["session"], f"{directory}/artifacts", "there"],
                     "answer")
        assert_in('adapter "rude" in "execute": the process of the run has ', answer["message"])
        assert_equal(answer["error"]["category"], "internal", "category")
        forget(directory)


@test
def test_records_elsewhere(folder):
    """Only the index tells of them, as with any that were interrupted."""
    result = run("--out", "records", at="execute", how="syscall")
    assert_equal(result.code, 1, "exit code", result)
    assert_equal(json.loads(read(".osiris/index/runs.jsonl").splitlines()[-1])["status"], "aborted", "status in the index")


@test
def test_the_end_of_its_thread(folder):
    for at in VERBS:
        ends(at, "thread")


@test
def test_the_cancelling_of_its_thread(folder):
    if SANITIZED:
        raise Skip("a sanitizer does not notice that a cancelled thread's stack is unwound")
    for at in ("open", "execute", "collect"):
        ends(at, "cancel")
        fails(at, "cancel_in_report", "ended its thread")


def goes_elsewhere(preexec_fn=None):
    for number, at in enumerate(("open", "prepare", "execute", "collect", "close")):
        result = run("--out", f"records{number}", at=at, how="elsewhere", preexec_fn=preexec_fn)
        assert_equal(result.code, 0, f"exit code after {at}", result)
        assert_equal(json.loads(read(f"records{number}/status.json"))["status"], "success", "status")
        assert_equal(len(read("out.csv").splitlines()), 11, "lines")
        assert_equal(pathlib.Path("out.csv").stat().st_mode & 0o400, 0o400, "mode of the output")
        pathlib.Path("out.csv").unlink()


@test
def test_its_working_directory_and_umask_are_its_own(folder):
    goes_elsewhere()


@test
def test_they_are_restored_where_they_cannot_be_its_own(folder):
    if platform.machine() not in UNSHARE:
        raise Skip("the number of unshare is not known")
    goes_elsewhere(without_unshare)


@test
def test_what_it_brings_beside_the_artifacts_of_steps(folder):
    result = run(at="collect", how="litter")
    assert_equal(result.code, 0, "exit code", result)
    artifacts = run_directory() / "artifacts"
    assert_equal(sorted(path.name for path in artifacts.iterdir()), ["make", "save"], "artifacts")
    assert_in('the artifact "pipe" was removed: it is a pipe', result.err, result)


@test
def test_what_it_has_left_for_the_exit(folder):
    """Is not run."""
    if SANITIZED:
        raise Skip("a sanitizer reports at the exit")
    for how in "atexit_exit", "atexit__exit", "destructor_crash", "destructor__exit":
        result = run(at="open", how=how)
        assert_equal(result.code, 0, f"exit code of a run that succeeds, {how}", result)
        assert_equal(len(read("out.csv").splitlines()), 11, "lines")
        assert_in("out.csv", result.out, result)
        pathlib.Path("out.csv").unlink()
        pathlib.Path("out.csv").mkdir()
        result = run(at="open", how=how)
        assert_equal(result.code, 1, f"exit code of a run that fails, {how}", result)
        pathlib.Path("out.csv").rmdir()


@test
def test_crashes(folder):
    for how in SIGNALS:
        for at in ("prepare", "execute", "collect", "close"):
            if SANITIZED:
                is_interrupted(at, how, [f"been ended by SIG{SIGNALS[how]}", "ended (exit code 1)", "ended (exit code 66)"])
            else:
                ends(at, how)


@test
def test_while_it_is_asked_for_its_worker(folder):
    """In the end, when the run waits for that."""
    ends("worker_exit", "exit")
    is_interrupted("worker_exit", "_exit", ["ended (exit code 0)"])


@test
def test_while_steps_run(folder):
    """It is asked for its worker when that has been quiet for a while."""
    write("osiris.yaml", json.dumps({"adapters": {"there": {"adapter": "rude", "at": "worker_exit", "how": "exit"}}}))
    pipeline(step("make", "test.generate", "read", rows=1000, batch_rows=100, hang_after=100),
             step("save", "csv.writer", "write", path="out.csv"))
    result = osiris("run", "pipeline.yaml", "--adapter", "there", env={"OSIRIS_ADAPTER_PATH": ADAPTERS})
    assert_equal(result.code, 1, "exit code", result)
    assert_in('adapter "rude": it has called exit in "worker_exit"', result.err, result)
    assert_equal(json.loads(read(run_directory() / "status.json"))["status"], "failed", "status")
    workers_are_gone(run_directory())
    assert_equal(files(), ["osiris.yaml", "pipeline.yaml"], "files", result)


@test
def test_another_program_while_steps_run(folder):
    write("osiris.yaml", json.dumps({"adapters": {"there": {"adapter": "rude", "at": "worker_exit", "how": "exec_sleep"}}}))
    pipeline(step("make", "test.generate", "read", rows=1000, batch_rows=100, hang_after=100),
             step("save", "csv.writer", "write", path="out.csv"))
    result = osiris("run", "pipeline.yaml", "--adapter", "there", env={"OSIRIS_ADAPTER_PATH": ADAPTERS})
    assert_equal(result.code, 1, "exit code", result)
    assert_in('adapter "rude" in "worker_exit": the process of the run has been replaced (exec)', result.err, result)
    assert events(run_directory(), "worker_started"), "the worker is on record"
    workers_are_gone(run_directory())
    is_on_record(run_directory())
    assert_equal(files(), ["osiris.yaml", "pipeline.yaml"], "files", result)


@test
def test_nothing_of_it_was_published_before_there_is_a_worker(folder):
    result = run(at="execute", how="exit")
    assert_equal(result.code, 1, "exit code", result)
    assert_equal(files(), ["osiris.yaml", "pipeline.yaml"], "files", result)


@test
def test_threads_that_an_adapter_has_started(folder):
    for how in "exit", "_exit", "syscall":
        is_interrupted("execute", f"own_{how}", ["ended (exit code 0)"])
    is_interrupted("execute", "own_crash",
                   ["been ended by SIGSEGV", *(["ended (exit code 1)", "ended (exit code 66)"] if SANITIZED else [])])
    is_interrupted("execute", "own_exec", ["ended (exit code 0)", "been replaced (exec)"])


@test
def test_children_that_an_adapter_has_forked(folder):
    for how in "exit", "quick_exit", "_exit", "_Exit", "syscall", "exec":
        result = run(at="prepare", how=f"child_{how}")
        assert_equal(result.code, 0, f"exit code of {how}", result)


@test
def test_other_places_are_ended(folder):
    write("osiris.yaml", json.dumps({"adapters": {"there": {"adapter": "rude", "at": "execute", "how": "exit"}}}))
    pipeline({**step("make", "test.generate", "read", rows=100000, batch_rows=10, delay_ms=20), "run_on": "local"},
             {**step("save", "csv.writer", "write", path="out.csv"), "run_on": "there"})
    result = osiris("run", "pipeline.yaml", env={"OSIRIS_ADAPTER_PATH": ADAPTERS})
    assert_equal(result.code, 1, "exit code", result)
    assert_in('adapter "rude": it has called exit in "execute"', result.err, result)
    workers_are_gone(run_directory())


@test
def test_channels_that_are_none(folder):
    for give, words in {
        "no_socket": "execute returned neither a socket nor an input and an output",
        "closed": "the socket that execute returned (1000) cannot be used: Bad file descriptor",
        "file": "cannot be used: Socket operation on non-socket",
        "datagram": "is not a stream socket",
        "unconnected": "is not connected",
        "closed_diagnostics": "the diagnostics that execute returned (1000) cannot be used: Bad file descriptor",
        "one_for_both": "execute returned the same descriptor for socket and diagnostics",
        "written_diagnostics": "cannot be read",
        "only_input": "execute returned an input and no output",
        "only_output": "execute returned an output and no input",
        "socket_and_input": "execute returned both a socket (",
        "both": "execute returned both a socket (",
        "twice": "for input and output",
        "closed_input": "the input that execute returned (1000) cannot be used: Bad file descriptor",
        "closed_output": "the output that execute returned (1000) cannot be used: Bad file descriptor",
        "written_input": "cannot be read",
        "read_output": "cannot be written to",
        "input_and_diagnostics": "execute returned the same descriptor for input and diagnostics",
        "relative": 'the temp_dir that execute returned ("here") is not an absolute path',
        "relative_driver": 'the driver path that execute returned ("csv.so") is not an absolute path',
        "fewer_drivers": "execute returned 0 driver paths for 2 drivers",
        "size": "execute has changed the channel's struct_size to 4",
    }.items():
        result = run(give=give)
        assert_equal(result.code, 1, f"exit code of {give}", result)
        assert_in('adapter "rude": ', result.err, result)
        assert_in(words, result.err, result)
        workers_are_gone(run_directory())
        forget(run_directory())


@test
def test_descriptors_that_lack_something(folder):
    pipeline(step("make", "test.generate", "read", rows=10), step("save", "csv.writer", "write", path="out.csv"))
    for number, words in enumerate(('the adapter "lame" lacks the verb "collect"', 'an adapter, "lame", has no version',
                                    '"lame" has no spec'), 1):
        result = osiris("run", "pipeline.yaml", "--adapter", "lame",
                        env={"OSIRIS_ADAPTER_PATH": str(BUILD / f"tests/plugins/lame{number}/.libs")})
        assert_equal(result.code, 2, "exit code", result)
        assert_in(words, result.err, result)


@test
def test_texts_that_are_none(folder):
    """In `prepare`, whose adapter then is at fault, and in `collect`."""
    for how, call in (("say_nothing", "log"), ("no_event", "event"), ("no_metric", "metric"), ("no_report", "error")):
        result = run(at="prepare", how=how)
        assert_equal(result.code, 1, f"exit code of {how}", result)
        assert_in(f'adapter "rude": {call} was called with NULL for ', result.err, result)


main()
