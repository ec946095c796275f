"""The real osiris with a worker that was written from docs/protocol.md alone (tests/protocol/worker.py), and with
one that does not keep to it."""

import functools
import json
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys

from tap import (BUILD, SANITIZED, SOURCE, Skip, assert_equal, assert_in, assert_no_group, environment, events, files, finish, interrupt, main,
                 metrics, osiris, pipeline, read, run_directory, start, step, test, wait_until, write)

PROTOCOL = SOURCE / "tests" / "protocol"


def python_with_msgpack():
    """The Python that runs the tests need not be the one that has the package."""
    for program in (sys.executable, "/usr/bin/python3", "python3"):
        try:
            if subprocess.run([program, "-c", "import msgpack"], capture_output=True).returncode == 0:
                return program
        except OSError:
            pass
    raise Skip("there is no Python with a msgpack package")


PYTHON = functools.cache(python_with_msgpack)


def setting(kind=None, **more):
    """Variables for a Python worker; its own drivers are the only ones."""
    program = [PYTHON(), "-B", PROTOCOL / "worker.py"] if kind is None else \
              [PYTHON(), "-B", PROTOCOL / "misbehaving.py", kind]
    starter = write("bin/worker", "#!/bin/sh\nexec " + " ".join(shlex.quote(str(part)) for part in program)
                    + ' "$@"\n')
    starter.chmod(0o755)
    write("bin/drivers/python.so", json.dumps({"drivers": ["py.rows", "py.upper", "py.csv"]}))
    return {"OSIRIS_WORKER": str(starter.resolve()), "OSIRIS_DRIVER_PATH": str(pathlib.Path("bin/drivers").resolve()),
            "XDG_CACHE_HOME": str(pathlib.Path("bin/cache").resolve()), **more}


def rows_to_csv(path="out.csv", fail_commit=False, **rows):
    return pipeline(step("make", "py.rows", "read", **rows),
                    step("loud", "py.upper", "transform", ["make"]),
                    step("save", "py.csv", "write", ["loud"], path=path, fail_commit=fail_commit))


def outputs():
    return [name for name in files() if not name.startswith("bin/") and name != "pipeline.yaml"]


def run(kind=None, **variables):
    return osiris("run", "pipeline.yaml", env=setting(kind, **variables))


def fails(result, *parts):
    assert_equal(result.code, 1, "exit code", result)
    for part in parts:
        assert_in(part, result.err, result)
    assert_equal(outputs(), [], "files left", result)
    assert result.seconds < 60, result
    return result


def succeeds(result, rows):
    assert_equal(result.code, 0, "exit code", result)
    expected = "id,text\n" + "".join(f"{n},ROW {n}\n" for n in range(rows))
    assert_equal(read("out.csv"), expected, "out.csv", result)
    assert_equal(outputs(), ["out.csv"], "files", result)
    return result


@test
def test_components_of_another_worker(folder):
    shown = osiris("components", "show", "py.rows", "--json", env=setting()).json()
    assert_equal(shown["kind"], "extractor", "kind")
    assert "fail_after" in shown["spec"]["configSchema"]["properties"], shown


@test
def test_a_file_that_is_not_a_driver(folder):
    env = setting()
    write("bin/drivers/broken.so", "no JSON")
    rows_to_csv()
    succeeds(osiris("run", "pipeline.yaml", env=env), 10)


@test
def test_a_pipeline(folder):
    rows_to_csv(rows=1000, batch_rows=7)
    result = succeeds(run(), 1000)
    directory = run_directory()
    for step_id in ("make", "loud", "save"):
        complete = [e for e in events(directory, "step_complete") if e["step_id"] == step_id]
        assert_equal([e["rows_processed"] for e in complete], [1000], f"rows of {step_id}", result)
    assert_equal([e["rows"] for e in events(directory, "file_written")], [1000], "the driver's own event")
    assert_equal([m["value"] for m in metrics(directory, "csv_bytes")], [len(read("out.csv"))],
                 "the driver's own metric")
    assert_equal(metrics(directory, "csv_bytes")[0]["tags"], {"step": "save"}, "its tags")
    published = [e for e in events(directory, "artifact_created") if e["artifact_type"] == "output"]
    assert_equal([(e["path"], e["bytes"]) for e in published], [("out.csv", len(read("out.csv")))], "published")
    assert_equal(metrics(directory, "adapter_exit_code")[0]["value"], 0, "the worker's exit code")


@test
def test_worker_started_directly(folder):
    """By its own name, without an environment."""
    env = setting(OSIRIS_WORKER=str(PROTOCOL / "worker.py"))
    probe = os.popen("env -i /usr/bin/env python3 -c 'import msgpack, sys; print(sys.version_info >= (3, 8))'").read()
    if probe.strip() != "True":
        raise Skip("python3 has no msgpack package")
    rows_to_csv()
    succeeds(osiris("run", "pipeline.yaml", env=env), 10)


@test
def test_a_diamond(folder):
    """An elastic edge, two groups, a group that waits."""
    pipeline(step("make", "py.rows", "read", rows=50),
             step("loud", "py.upper", "transform", ["make"]),
             step("save", "py.csv", "write", ["loud"], path="loud.csv"),
             step("plain", "py.csv", "write", ["make"], path="plain.csv"),
             step("more", "py.rows", "read", ["plain"], rows=2),
             step("last", "py.csv", "write", ["more"], path="last.csv"))
    result = run()
    assert_equal(result.code, 0, "exit code", result)
    assert_equal([len(read(f"{name}.csv").splitlines()) for name in ("loud", "plain", "last")], [51, 51, 3], "lines")


@test
def test_a_step_fails(folder):
    rows_to_csv(rows=100, fail_after=50)
    result = fails(run(), "make", "py.rows", "row 50 is bad; mend it", "look at the source")
    failed = events(run_directory(), "step_failed")
    assert_equal(failed[0]["step_id"], "make", "the first that failed", result)
    assert_equal(failed[0]["detail"]["native_code"], 1234, "its native code", result)
    assert_equal({e["step_id"]: e["error_type"] for e in failed},
                 {"make": "data", "loud": "cancelled", "save": "cancelled"}, "types", result)


@test
def test_a_commit_fails(folder):
    rows_to_csv(fail_commit=True)
    fails(run(), "cannot commit")


@test
def test_an_old_output_survives(folder):
    rows_to_csv(rows=100, fail_after=50)
    write("out.csv", "precious\n")
    result = run()
    assert_equal(result.code, 1, "exit code", result)
    assert_equal(read("out.csv"), "precious\n", "the old file", result)
    assert_equal(outputs(), ["out.csv"], "files", result)


@test
def test_sigint_cancels(folder):
    rows_to_csv(rows=100, hang_after=50)
    process = start("run", "pipeline.yaml", env=setting())
    wait_until(lambda: [log for log in pathlib.Path("run_logs").rglob("debug.log") if "hanging" in read(log)],
               "the driver hangs")
    worker = events(run_directory(), "worker_started")[0]["pid"]
    interrupt(process, signal.SIGINT)
    result = finish(process)
    assert_equal(result.code, 130, "exit code", result)
    assert_equal(outputs(), [], "files left", result)
    assert_no_group(worker)
    assert_equal({e["error_type"] for e in events(run_directory(), "step_failed")}, {"cancelled"}, "types", result)


@test
def test_heartbeats_keep_a_worker_alive(folder):
    """A step that takes longer than the timeout, on both sides."""
    rows_to_csv(rows=100, hang_after=50)
    process = start("run", "pipeline.yaml", env=setting(OSIRIS_HEARTBEAT_INTERVAL_MS="50",
                                                        OSIRIS_HEARTBEAT_TIMEOUT_MS="1000"))
    wait_until(lambda: [log for log in pathlib.Path("run_logs").rglob("debug.log") if "hanging" in read(log)],
               "the driver hangs")
    try:
        process.wait(2)
    except Exception:
        pass
    assert process.poll() is None, read("err")
    interrupt(process)
    assert_equal(finish(process).code, 130, "exit code")


@test
def test_a_silent_worker(folder):
    rows_to_csv()
    result = fails(run("silent", OSIRIS_HEARTBEAT_INTERVAL_MS="200", OSIRIS_HEARTBEAT_TIMEOUT_MS="1500"),
                   "no heartbeat")
    assert_equal(events(run_directory(), "step_failed")[0]["error_type"], "WorkerCrashError", "type", result)
    assert_no_group(events(run_directory(), "worker_started")[0]["pid"])


@test
def test_bytes_that_come_one_by_one_are_silence(folder):
    rows_to_csv()
    result = fails(run("drip", OSIRIS_HEARTBEAT_INTERVAL_MS="200", OSIRIS_HEARTBEAT_TIMEOUT_MS="1500"), "no heartbeat")
    assert result.seconds < 30, result
    assert_no_group(events(run_directory(), "worker_started")[0]["pid"])


@test
def test_a_long_frame_on_a_slow_link_is_no_silence(folder):
    rows_to_csv(rows=20)
    result = succeeds(run("slow-link", OSIRIS_HEARTBEAT_INTERVAL_MS="200", OSIRIS_HEARTBEAT_TIMEOUT_MS="1500"), 20)
    assert result.seconds > 1.5, result


@test
def test_answers_in_any_order(folder):
    rows_to_csv(rows=20)
    succeeds(run("reverse"), 20)


@test
def test_what_is_unknown_is_ignored(folder):
    rows_to_csv(rows=20)
    succeeds(run("unknown-keys"), 20)


@test
def test_wrong_types_do_no_harm(folder):
    rows_to_csv()
    result = run("wrong-types", OSIRIS_HEARTBEAT_TIMEOUT_MS="3000", OSIRIS_HEARTBEAT_INTERVAL_MS="1000")
    fails(result)
    assert "SIG" not in result.err, result


@test
def test_a_worker_does_not_speak_for_osiris(folder):
    rows_to_csv(rows=20)
    succeeds(run("forged"), 20)
    forged = [e for e in events(run_directory()) if e.get("forged")]
    assert_equal([(e["event"], e["step_id"]) for e in forged], [("news", "make")], "events of the worker")
    assert_equal([(m["metric"], m["tags"]) for m in metrics(run_directory()) if m["value"] == 4711],
                 [("news", {"step": "make"})], "metrics of the worker")
    assert_in("the name is reserved for osiris itself", read(run_directory() / "debug.log"))


def record_sizes():
    return sum((run_directory() / name).stat().st_size for name in ("events.jsonl", "metrics.jsonl", "osiris.log", "debug.log",
                                                                    "status.json"))


@test
def test_long_texts_are_cut(folder):
    rows_to_csv()
    result = fails(run("long-texts"), "failed xxx", "(cut: 15728647 bytes in all)")
    assert len(result.err) < 300 << 10, len(result.err)
    assert record_sizes() < 2 << 20, record_sizes()
    assert_in("logged xxx", read(run_directory() / "osiris.log"))
    assert_equal([e["omitted_bytes"] >> 20 for e in events(run_directory(), "news")], [15], "an event's size")
    assert_equal([len(m["unit"]) <= 1 << 16 and "tags" not in m for m in metrics(run_directory(), "measured")], [True], "a metric")


def short_lines(name):
    """Never the whole file at once: what this process takes counts for the processes that it starts."""
    with open(run_directory() / name) as file:
        return [line for line in file if len(line) < 10000]


@test
def test_a_talkative_worker(folder):
    rows_to_csv(rows=20)
    result = succeeds(run("talkative"), 20)
    assert 200 << 20 < record_sizes() < 270 << 20, record_sizes()
    assert_equal(result.err.count("are dropped"), 1, "warnings", result)
    assert "too late" not in result.err + "".join(short_lines("debug.log")), result
    assert_equal(metrics(run_directory(), "too_late"), [], "metrics")
    told = [json.loads(line) for line in short_lines("events.jsonl")]
    dropped = [e for e in told if e["event"] == "reports_dropped"]
    assert_equal([(e["place"], e["count"] > 200) for e in dropped], [("local", True)], "what is told of it", result)
    # What osiris itself says goes on.
    assert_equal(len([e for e in told if e["event"] == "step_complete"]), 3, "steps that are told of", result)
    shutil.rmtree("run_logs")


@test
def test_another_protocol(folder):
    rows_to_csv()
    fails(run("another-protocol"), "the worker speaks protocol 2, osiris speaks 1")


VIOLATIONS = {
    "out-of-sequence": "out of sequence",
    "sequence-again": "out of sequence",
    "too-long": "too long",
    "empty": "empty",
    "body-too-long": "too long",
    "body-without-a-stream": "body",
    "no-map": "not a map",
    "bytes-behind": "bytes follow a message",
    "key-twice": "duplicate key",
    "key-no-text": "key is not a string",
    "nul": "NUL",
    "not-utf-8": "UTF-8",
    "binary": "type that messages must not contain",
    "not-finite": "not finite",
    "deep": "too deeply",
    "long-count": "longer than its message",
    "unknown-id": "nobody asked",
    "answer-twice": "req_1",
    "another-status": "a step's result is malformed",
    "negative-count": "a step's result is malformed",
    "no-result": "a step's result is malformed",
    "published-too-early": "it reports published files without a commit request",
}


@test
def test_violations(folder):
    for kind, words in VIOLATIONS.items():
        rows_to_csv()
        result = fails(run(kind), words)
        assert result.seconds < 30, f"{kind}: {result}"


@test
def test_ends_of_all_kinds(folder):
    for kind, words in (("half-a-frame", "exited with status 0"), ("exit", "exited with status 3"),
                        ("killed", "SIGKILL")):
        rows_to_csv()
        result = fails(run(kind), words)
        if kind == "killed":
            assert_in("about to die", result.err, "its last words")


# One run with both workers, in a place each: their streams cross osiris.

def both_workers(*kind):
    env = setting()
    native = os.environ.get("OSIRIS_WORKER") or str(BUILD / "osiris-worker")
    command = " ".join(shlex.quote(str(part)) for part in (PYTHON(), "-B", PROTOCOL / "either.py", native, *kind))
    starter = write("bin/worker", f'#!/bin/sh\nexec {command} "$@"\n')
    starter.chmod(0o755)
    write("osiris.yaml", "adapters: {strange: {adapter: local}, own: {adapter: local}}\n")
    env["OSIRIS_DRIVER_PATH"] += ":" + environment()["OSIRIS_DRIVER_PATH"]
    return env


def at(place, *arguments, **config):
    return {**step(*arguments, **config), "run_on": place}


def crosses(*steps, code=0):
    pipeline(*steps)
    result = osiris("run", "pipeline.yaml", env=both_workers())
    assert_equal(result.code, code, "exit code", result)
    started = {e["place"]: e["version"] for e in events(run_directory(), "worker_started")}
    assert_equal(sorted(started), ["own", "strange"], "places", result)
    assert_equal(started["strange"], "1", "the Python worker's version", result)
    return result


@test
def test_rows_from_the_python_worker_to_ours(folder):
    for name, rows, batch in (("many", 30000, 700), ("large", 60000, 60000), ("none", 0, 1)):
        crosses(at("strange", "make", "py.rows", "read", rows=rows, batch_rows=batch),
                at("own", "save", "csv.writer", "write", ["make"], path=f"{name}.csv"))
        expected = "id,text\n" + "".join(f"{n},row {n}\n" for n in range(rows))
        assert read(f"{name}.csv") == expected, name
        shutil.rmtree("run_logs")


@test
def test_rows_from_our_worker_to_the_python_one(folder):
    for name, rows, batch in (("many", 30000, 700), ("large", 80000, 80000), ("none", 0, 1)):
        crosses(at("own", "make", "test.generate", "read", rows=rows, batch_rows=batch),
                at("strange", "save", "py.csv", "write", ["make"], path=f"{name}.csv"))
        expected = "id,text\n" + "".join(f"{n},row {n}\n" for n in range(rows))
        assert read(f"{name}.csv") == expected, name
        shutil.rmtree("run_logs")


@test
def test_rows_there_and_back(folder):
    crosses(at("own", "make", "test.generate", "read", rows=5000, batch_rows=100),
            at("strange", "loud", "py.upper", "transform", ["make"]),
            at("own", "save", "csv.writer", "write", ["loud"], path="out.csv"))
    assert read("out.csv") == "id,text\n" + "".join(f"{n},ROW {n}\n" for n in range(5000))


@test
def test_our_reader_closes_the_python_workers_stream_early(folder):
    result = crosses(at("strange", "make", "py.rows", "read", rows=10000000, batch_rows=100),
                     at("own", "save", "test.collect", "write", ["make"], path="out.txt", stop_after=5000))
    assert result.seconds < 100, result


@test
def test_a_group_with_the_python_worker_is_repeated(folder):
    """It is aborted and requested again, and what still comes of the old streams meets nobody."""
    pathlib.Path("run_logs").mkdir()
    faults = {"attempts_file": "run_logs/attempts", "bad_attempts": 2, "retryable": True, "fail_after": 3000}
    crosses({**at("own", "make", "test.generate", "read", rows=5000, batch_rows=100, **faults),
             "retry": {"initial_delay_ms": 1}},
            at("strange", "loud", "py.upper", "transform", ["make"]),
            at("own", "save", "csv.writer", "write", ["loud"], path="out.csv"),
            at("strange", "plain", "py.csv", "write", ["make"], path="plain.csv"))
    assert_equal(len(read("run_logs/attempts")), 3, "attempts")
    assert read("out.csv") == "id,text\n" + "".join(f"{n},ROW {n}\n" for n in range(5000))
    assert read("plain.csv") == read("out.csv").replace("ROW", "row")


@test
def test_a_fault_of_either_stops_the_other(folder):
    crosses(at("strange", "make", "py.rows", "read", rows=10000, batch_rows=10, fail_after=5000),
            at("own", "save", "csv.writer", "write", ["make"], path="out.csv"), code=1)
    shutil.rmtree("run_logs")
    crosses(at("own", "make", "test.generate", "read", rows=100000, batch_rows=10, fail_after=50000),
            at("strange", "save", "py.csv", "write", ["make"], path="out.csv"), code=1)
    assert not [name for name in outputs() if name != "osiris.yaml"], outputs()


@test
def test_a_place_that_cannot_prepare_does_not_keep_the_other(folder):
    pipeline(at("strange", "make", "py.rows", "read"),
             at("own", "save", "csv.writer", "write", ["make"], path="out.csv"))
    result = osiris("run", "pipeline.yaml", env=both_workers("unprepared"))
    assert_equal(result.code, 1, "exit code", result)
    assert_in("its drivers cannot be loaded", result.err, result)
    assert_equal([m["value"] for m in metrics(run_directory(), "adapter_exit_code")], [0, 0], "exit codes of the workers", result)


# Who waits for them waits no longer than is said. Their heartbeats go on.

@test
def test_a_step_has_run_and_its_stream_does_not_end(folder):
    pipeline(at("strange", "make", "py.rows", "read"),
             at("own", "save", "csv.writer", "write", ["make"], path="out.csv"))
    result = osiris("run", "pipeline.yaml", env=both_workers("no-end") |
                    {"OSIRIS_HEARTBEAT_INTERVAL_MS": "100", "OSIRIS_HEARTBEAT_TIMEOUT_MS": "1000"})
    assert_equal(result.code, 1, "exit code", result)
    assert_in("the peer violates the protocol: in place strange a step has run, but its stream has not ended", result.err, result)
    assert_in('step "make"', result.err, result)
    assert result.seconds < 30, result


@test
def test_the_rest_of_a_stream_on_a_slow_link(folder):
    """Its parts take longer than a stream may be silent; what comes of them is life."""
    pipeline(at("strange", "make", "py.rows", "read", rows=60000, batch_rows=60000),
             at("own", "save", "csv.writer", "write", ["make"], path="out.csv"))
    result = osiris("run", "pipeline.yaml", env=both_workers("slow-link") |
                    {"OSIRIS_HEARTBEAT_INTERVAL_MS": "100", "OSIRIS_HEARTBEAT_TIMEOUT_MS": "1000"})
    assert_equal(result.code, 0, "exit code", result)
    assert_equal(len(read("out.csv").splitlines()), 60001, "lines", result)
    assert result.seconds > 2, result


@test
def test_a_reader_that_has_run_without_reading_ends_its_producer(folder):
    pipeline(at("own", "make", "test.generate", "read", rows=10000000, batch_rows=1000),
             at("strange", "save", "py.csv", "write", ["make"], path="out.csv"))
    result = osiris("run", "pipeline.yaml", env=both_workers("no-close"))
    assert_equal(result.code, 0, "exit code", result)
    assert_equal(read("out.csv"), "id,text\n", "what it has written")


@test
def test_a_worker_that_does_not_read(folder):
    pipeline(at("own", "make", "test.generate", "read", rows=10000000, batch_rows=1000, row_bytes=1000),
             at("strange", "save", "py.csv", "write", ["make"], path="out.csv"))
    result = osiris("run", "pipeline.yaml", env=both_workers("deaf") |
                    {"OSIRIS_HEARTBEAT_INTERVAL_MS": "100", "OSIRIS_HEARTBEAT_TIMEOUT_MS": "1000"})
    assert_equal(result.code, 1, "exit code", result)
    assert_in("it does not read; it was killed", result.err, result)
    assert result.seconds < 30, result


@test
def test_a_commit_is_not_answered(folder):
    rows_to_csv()
    result = run("no-commit", OSIRIS_COMMIT_TIMEOUT_MS="1000")
    assert_equal(result.code, 1, "exit code", result)
    assert_in("it did not commit in time", result.err, result)
    assert not pathlib.Path("out.csv").exists(), result


# What a hostile producer can make others hold.

FLOODS = {
    "many-columns": "without credit",
    "long-keys": "without credit",
    "batches-of-nothing": "without credit",
    "short-parts": "a part of a batch is too short",
    "many-schemas": "two schemas",
    "many-ends": "after its end",
    "a-stream-of-nobody": "never existed",
    "a-body-behind-the-end": "a message has a body that must not have one",
}


# The same of a reader that reads nothing.
UNREAD = {
    "boundless-credit": "more credit than room in its queue",
    "blind-credit": "more credit than room in its queue",
}


def is_refused_in_little_memory(kind, words):
    process = start("run", "pipeline.yaml", env=both_workers(kind) |
                    {"OSIRIS_HEARTBEAT_INTERVAL_MS": "500", "OSIRIS_HEARTBEAT_TIMEOUT_MS": "2000"})
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert_equal(process.returncode, 1, f"exit code of {kind}", read("err"))
    for part in ("violates the protocol", words):
        assert_in(part, read("err"), kind)
    # The largest of osiris and both workers; the flood would be 28 MB and more.
    assert SANITIZED or usage.ru_maxrss < 100 << 10, f"{kind}: {usage.ru_maxrss >> 10} MiB"
    assert not [name for name in outputs() if name != "osiris.yaml" and name not in ("err", "out")], outputs()


@test
def test_floods(folder):
    for kind, words in FLOODS.items():
        pipeline(at("strange", "make", "py.rows", "read"),
                 at("own", "save", "test.collect", "write", ["make"], path="out.txt", hang_after=0))
        is_refused_in_little_memory(kind, words)


@test
def test_credit_for_what_is_not_read(folder):
    for kind, words in UNREAD.items():
        pipeline(at("own", "make", "test.generate", "read", rows=100000000, batch_rows=1000, row_bytes=1000),
                 at("strange", "save", "py.csv", "write", ["make"], path="out.csv"))
        is_refused_in_little_memory(kind, words)


# What is wrong with a stream is its producer's fault, and not the reader's that refuses it.

BAD_STREAMS = {
    "a-buffer-outside": "a batch has a buffer outside of its body",
    "buffers-that-overlap": "a batch has a buffer outside of its body",
    "a-buffer-at-no-place": "a batch has a buffer at an invalid position",
    "negative-length": "a batch has an impossible length, null count or offset",
    "a-codec-of-its-own": "a batch has a codec that was not negotiated",
    "a-schema-of-nothing": "malformed schema",
}


def blames_producer(kind, *words, retry=None):
    pipeline({**at("strange", "make", "py.rows", "read"), **({"retry": retry} if retry else {})},
             at("own", "save", "test.collect", "write", ["make"], path="out.txt"))
    result = osiris("run", "pipeline.yaml", env=both_workers(kind))
    assert_equal(result.code, 1, f"exit code of {kind}", result)
    for part in ("violates the protocol", *words):
        assert_in(part, result.err, result)
    first = events(run_directory(), "step_failed")[0]
    assert_equal(first["step_id"], "make", f"the step that is to blame for {kind}", result)
    return result


@test
def test_bad_streams(folder):
    for kind, words in BAD_STREAMS.items():
        blames_producer(kind, words)
        shutil.rmtree("run_logs")


@test
def test_a_bad_body(folder):
    """The reader's worker finds it, and ends; the producer's step is repeated for it, and its place is named."""
    result = blames_producer("offsets-that-go-down", "step \"save\" cannot read what step \"make\" in place strange sends",
                             "offsets", retry={"max_attempts": 2, "initial_delay_ms": 1})
    assert "SIGKILL" not in result.err, result
    assert_equal([e["step_id"] for e in events(run_directory(), "step_retry")], ["make"], "retries", result)
    assert_equal(len(events(run_directory(), "worker_restart")), 2, "workers that were started again", result)
    reader = [e["error"] for e in events(run_directory(), "step_failed") if e["step_id"] == "save"]
    assert_in("the worker ended the session while step \"save\" (test.collect) was running", reader[0], result)


@test
def test_vectors(folder):
    """The file that tests/unit/worker/test-vectors.c reads, read in Python."""
    done = subprocess.run([PYTHON(), "-B", PROTOCOL / "vectors.py"], capture_output=True, text=True)
    assert_equal((done.returncode, done.stderr), (0, ""), done.stdout)
    assert done.stdout.endswith(" vectors\n"), done.stdout


if __name__ == "__main__":
    main()
