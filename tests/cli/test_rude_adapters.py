"""Adapters that end osiris, crash in it, or hand over what is no channel (tests/plugins/rude.c): the run fails, says of which adapter
and where, has records that say so, and leaves nobody."""

import ctypes
import json
import pathlib
import platform
import struct
import time

from tap import (BUILD, SANITIZED, Skip, assert_equal, assert_in, assert_no_group, events, files, main, osiris, pipeline, read,
                 run_directory, step, test, write)

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
    assert_equal([str(path) for path in directory.glob("tmp*")], [], "temporary folders")
    forget(directory)
    return result


def ends(at, how):
    if how in SIGNALS:
        if SANITIZED:
            raise Skip("a sanitizer handles signals")
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
    if SANITIZED:
        raise Skip("a sanitizer has an _exit of its own")
    for at in VERBS:
        ends(at, "_exit")
    ends("execute", "_Exit")


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
            ends(at, how)


@test
def test_crashes_after_it_has_changed_how_signals_are_handled(folder):
    """In an earlier call."""
    if SANITIZED:
        raise Skip("a sanitizer handles signals")
    for how in "default_signals", "blocked_signals":
        for before, at in ("open", "execute"), ("prepare", "collect"), ("execute", "worker_exit"):
            assert_in("(SIGSEGV)", fails(at, how, "crashed", {"at": before, "how": how, "crash_at": at}).err)


@test
def test_while_it_is_asked_for_its_worker(folder):
    """In the end, when the run waits for that."""
    ends("worker_exit", "exit")
    ends("worker_exit", "crash")


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
def test_nothing_of_it_was_published_before_there_is_a_worker(folder):
    result = run(at="execute", how="exit")
    assert_equal(result.code, 1, "exit code", result)
    assert_equal(files(), ["osiris.yaml", "pipeline.yaml"], "files", result)


@test
def test_threads_that_an_adapter_has_started(folder):
    """At once, and the next run ends the records."""
    for how, words in (("own_exit", "ends the process (exit)"), ("own__exit", "ends the process (exit)"),
                       ("own_crash", "SIGSEGV on a thread")):
        if SANITIZED and how != "own_exit":
            continue
        result = run(at="execute", how=how)
        assert_equal(result.code, 1, "exit code", result)
        assert_in(words, result.err, result)
        assert_in("an adapter (rude)", result.err, result)
        directory = run_directory()
        assert_in("an earlier run was interrupted", run(at="nowhere").err, result)
        assert_equal(json.loads(read(directory / "status.json"))["status"], "aborted", "status")
        pathlib.Path("run_logs").rename(f"forgotten-{how}")


@test
def test_children_that_an_adapter_has_forked(folder):
    for how in "exit", "quick_exit", "_exit", "_Exit":
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
        "no_socket": "execute returned no socket",
        "closed": "the socket that execute returned (1000) cannot be used: Bad file descriptor",
        "file": "cannot be used: Socket operation on non-socket",
        "datagram": "is not a stream socket",
        "unconnected": "is not connected",
        "closed_diagnostics": "the diagnostics that execute returned (1000) cannot be used: Bad file descriptor",
        "one_for_both": "execute returned the same descriptor for socket and diagnostics",
        "written_diagnostics": "cannot be read",
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
