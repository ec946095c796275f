"""Steps of one pipeline in several places (run_on, osiris.yaml): each place has a worker of its own, and what goes from one to
another crosses the orchestrator. Here all places are local ones, whose results can be compared with those of one."""

import json
import os
import pathlib
import signal

from tap import (BUILD, assert_equal, assert_in, assert_no_group, events, files, finish, interrupt, main, metrics,
                 osiris, pipeline, read, run_directory, start, step, temporary_folders, test, wait_until, write)

OSIRIS_YAML = "adapters:\n  here: {adapter: local}\n  there: {adapter: local}\n"


def at(place, *arguments, **config):
    return {**step(*arguments, **config), "run_on": place}


def runs(*arguments, code=0, env=None):
    result = osiris("run", "pipeline.yaml", *arguments, env=env)
    assert_equal(result.code, code, "exit code", result)
    return result


def outputs():
    return [name for name in files() if name not in ("pipeline.yaml", "osiris.yaml")]


def workers():
    return {event["place"]: event["pid"] for event in events(run_directory(), "worker_started")}


def both(**config):
    """Writes the same stream in the producer's place and in another one."""
    write("osiris.yaml", OSIRIS_YAML)
    pipeline(at("here", "make", "test.generate", "read", **config),
             at("here", "near", "csv.writer", "write", needs=["make"], path="near.csv"),
             at("there", "far", "csv.writer", "write", needs=["make"], path="far.csv"))


@test
def test_extractor_here_writer_there(folder):
    both(rows=300000, batch_rows=1000)
    runs()
    assert_equal(len(workers()), 2, "workers")
    assert_equal(len(read("far.csv").splitlines()), 300001, "lines")
    assert read("near.csv") == read("far.csv"), "the files differ"
    counts = {m["tags"]["step"]: m["value"] for m in metrics(run_directory(), "rows_written")}
    assert_equal(counts, {"near": 300000, "far": 300000}, "rows written")
    for group in workers().values():
        assert_no_group(group)


@test
def test_a_step_without_a_place_runs_in_the_adapters(folder):
    write("osiris.yaml", OSIRIS_YAML)
    pipeline(step("make", "test.generate", "read", rows=10),
             at("there", "far", "csv.writer", "write", path="far.csv"))
    runs("--adapter", "here")
    assert_equal(sorted(workers()), ["here", "there"], "places")


@test
def test_one_place_by_two_words_is_one_worker(folder):
    pipeline(step("make", "test.generate", "read", rows=10),
             at("local", "save", "csv.writer", "write", path="out.csv"))
    runs()
    assert_equal(list(workers()), ["local"], "places")


@test
def test_batches_larger_than_a_frame_and_than_the_window(folder):
    both(rows=2000, batch_rows=1000, row_bytes=4000)
    runs()
    assert read("near.csv") == read("far.csv"), "the files differ"
    assert pathlib.Path("far.csv").stat().st_size > 8_000_000


@test
def test_there_and_back_again(folder):
    write("osiris.yaml", OSIRIS_YAML)
    pipeline(at("here", "make", "test.generate", "read", rows=100000, batch_rows=1000),
             at("there", "pass", "test.pass", "transform", needs=["make"]),
             at("here", "save", "csv.writer", "write", needs=["pass"], path="out.csv"))
    runs()
    assert_equal(len(read("out.csv").splitlines()), 100001, "lines")


@test
def test_a_diamond_across_places_that_reads_one_side_first(folder):
    write("osiris.yaml", OSIRIS_YAML)
    pipeline(at("here", "make", "test.generate", "read", rows=32768, row_bytes=1024),
             at("here", "a", "test.pass", "transform", needs=["make"]),
             at("there", "b", "test.pass", "transform", needs=["make"]),
             at("there", "join", "test.join", "transform", needs=["a", "b"]),
             at("here", "save", "test.collect", "write", needs=["join"], path="out.txt"))
    runs()
    assert_equal([m["value"] for m in metrics(run_directory(), "rows_written")], [65536], "rows written")
    assert_equal(temporary_folders(), [], "spill files")


@test
def test_a_reader_elsewhere_that_stops_early_ends_its_producer(folder):
    write("osiris.yaml", OSIRIS_YAML)
    pipeline(at("here", "make", "test.generate", "read", rows=100000000, batch_rows=1000),
             at("there", "save", "test.collect", "write", path="out.txt", stop_after=5000))
    assert runs().seconds < 60
    assert pathlib.Path("out.txt").exists()


@test
def test_zero_rows(folder):
    both(rows=0)
    runs()
    assert_equal(read("near.csv"), read("far.csv"), "files")


def fails(*parts, **config):
    both(**config)
    result = runs(code=1)
    for part in parts:
        assert_in(part, result.err, result)
    assert_equal(outputs(), [], "files left", result)
    return result


@test
def test_a_producer_that_fails_stops_its_reader_elsewhere(folder):
    fails("make", rows=1000000, batch_rows=100, fail_after=5000)
    failed = {e["step_id"]: e["error_type"] for e in events(run_directory(), "step_failed")}
    assert_equal([id for id in failed if failed[id] != "cancelled"], ["make"], "steps to blame")
    assert_equal(failed.get("far"), "cancelled", "the reader's end")


@test
def test_a_reader_that_fails_stops_its_producer_elsewhere(folder):
    write("osiris.yaml", OSIRIS_YAML)
    pipeline(at("here", "make", "test.generate", "read", rows=100000000, batch_rows=1000),
             at("here", "near", "csv.writer", "write", needs=["make"], path="near.csv"),
             at("there", "far", "test.collect", "write", needs=["make"], path="far.txt", fail_after=5000))
    result = runs(code=1)
    assert_in("far", result.err, result)
    assert_equal(outputs(), [], "files left", result)


def two_groups(**policy):
    """The second one's place waits for the first one."""
    write("osiris.yaml", OSIRIS_YAML)
    pipeline(at("here", "make", "test.generate", "read", rows=6000, batch_rows=100),
             at("here", "near", "test.collect", "write", needs=["make"], path="near.txt", slow_ms=50),
             {**at("there", "more", "test.generate", "read", needs=["near"], rows=10), **policy},
             at("there", "far", "csv.writer", "write", needs=["more"], path="far.csv"))


def run_and_kill_the_idle_worker():
    process = start("run", "pipeline.yaml")
    wait_until(lambda: list(pathlib.Path("run_logs").rglob("events.jsonl")) and events(run_directory(), "step_start"),
               "the first group runs")
    os.kill(workers()["there"], signal.SIGKILL)
    result = finish(process)
    starts = [e["step_id"] for e in events(run_directory(), "step_start")]
    assert starts.index("near") == 1, starts
    return result


@test
def test_a_worker_that_dies_idle_is_replaced(folder):
    two_groups(retry={"initial_delay_ms": 1})
    result = run_and_kill_the_idle_worker()
    assert_equal(result.code, 0, "exit code", result)
    assert_equal(len(read("far.csv").splitlines()), 11, "lines", result)
    assert_equal([e["place"] for e in events(run_directory(), "worker_restart")], ["there"], "other workers")
    assert_equal([(e["step_id"], e["attempt"]) for e in events(run_directory(), "step_retry")], [("more", 1)], "attempts")


@test
def test_a_worker_that_dies_idle_without_a_retry_ends_the_run(folder):
    two_groups()
    result = run_and_kill_the_idle_worker()
    assert_equal(result.code, 1, "exit code", result)
    assert_in("SIGKILL", result.err, result)
    assert_equal(outputs(), [], "files left", result)


@test
def test_a_commit_that_fails_in_one_place_publishes_nothing_in_another(folder):
    write("osiris.yaml", OSIRIS_YAML)
    pipeline(at("here", "make", "test.generate", "read", rows=1000),
             at("here", "near", "csv.writer", "write", needs=["make"], path="near.csv"),
             at("there", "far", "test.collect", "write", needs=["make"], path="far.txt", commit_fail=True))
    runs(code=1)
    assert_equal(outputs(), [], "files left")


def hangs():
    both(rows=100000, batch_rows=100, hang_after=1000)
    process = start("run", "pipeline.yaml")
    def hanging():
        return [log for log in pathlib.Path("run_logs").rglob("debug.log") if "hanging" in read(log)]
    wait_until(hanging, "the driver hangs")
    return process, workers()


def killed(place):
    process, pids = hangs()
    os.kill(pids[place], signal.SIGKILL)
    result = finish(process)
    assert_equal(result.code, 1, "exit code", result)
    assert_in("SIGKILL", result.err, result)
    assert_equal(outputs(), [], "files left", result)
    for group in pids.values():
        assert_no_group(group)
    failed = events(run_directory(), "step_failed")
    assert failed and failed[0]["error_type"] == "WorkerCrashError", failed


@test
def test_the_producers_worker_is_killed(folder):
    killed("here")


@test
def test_the_readers_worker_is_killed(folder):
    killed("there")


@test
def test_sigint_cancels_all_places(folder):
    process, pids = hangs()
    interrupt(process)
    result = finish(process)
    assert_equal(result.code, 130, "exit code", result)
    assert_equal(outputs(), [], "files left", result)
    for group in pids.values():
        assert_no_group(group)


@test
def test_the_orchestrator_is_killed(folder):
    process, pids = hangs()
    process.kill()
    process.wait()
    for group in pids.values():
        assert_no_group(group)
    assert_equal([name for name in outputs() if not name.startswith(".")], [], "files left")


# Many streams, and streams without much in them.

def same_as_in_one_place(*steps, rows_of=()):
    """Runs the steps where they are told to, then all in one place; the outputs are the same, byte by byte."""
    write("osiris.yaml", OSIRIS_YAML)
    pipeline(*steps)
    runs()
    spread = {name: pathlib.Path(name).read_bytes() for name in outputs()}
    for name in spread:
        os.unlink(name)
    pipeline(*[{key: value for key, value in step.items() if key != "run_on"} for step in steps], name="one-place")
    runs()
    assert_equal(sorted(spread), sorted(outputs()), "outputs")
    for name, content in spread.items():
        assert pathlib.Path(name).read_bytes() == content, f"{name} differs"
    return spread


@test
def test_many_streams_at_once(folder):
    """Back and forth, of several extractors, to several writers."""
    steps = []
    for n in range(6):
        near, far = ("here", "there") if n % 2 else ("there", "here")
        steps += [at(near, f"make{n}", "test.generate", "read", needs=[], rows=20000 + n, batch_rows=100 + n),
                  at(far, f"pass{n}", "test.pass", "transform", needs=[f"make{n}"]),
                  at(near, f"back{n}", "csv.writer", "write", needs=[f"pass{n}"], path=f"back{n}.csv"),
                  at(far, f"far{n}", "csv.writer", "write", needs=[f"make{n}"], path=f"far{n}.csv")]
    spread = same_as_in_one_place(*steps)
    assert_equal(len(spread), 12, "outputs")


@test
def test_empty_tables_and_streams_of_a_schema_alone(folder):
    spread = same_as_in_one_place(
        at("here", "make", "test.generate", "read", rows=0),
        at("there", "pass", "test.pass", "transform", needs=["make"]),
        at("here", "save", "csv.writer", "write", needs=["pass"], path="out.csv"),
        at("there", "far", "test.collect", "write", needs=["make"], path="far.txt"))
    assert_equal(spread["out.csv"], b"id,text\n", "out.csv")
    assert spread["far.txt"].startswith(b"0 rows"), spread


@test
def test_a_spilled_diamond_is_the_same_in_one_place(folder):
    """Both ways round the diamond cross, and one of them has to wait on disk: it is more than an elastic edge keeps in memory."""
    spread = same_as_in_one_place(
        at("here", "make", "test.generate", "read", rows=24000, row_bytes=1024, batch_rows=500),
        at("there", "a", "test.pass", "transform", needs=["make"]),
        at("here", "b", "test.pass", "transform", needs=["make"]),
        at("there", "join", "test.join", "transform", needs=["a", "b"]),
        at("here", "save", "test.collect", "write", needs=["join"], path="out.txt"))
    assert spread["out.txt"].startswith(b"48000 rows"), spread
    assert_equal(temporary_folders(), [], "spill files")


@test
def test_a_slow_reader_stops_nobody_else(folder):
    """The other stream of the same two workers ends long before the slow one; that takes its time by its own pauses."""
    write("osiris.yaml", OSIRIS_YAML)
    pipeline(at("here", "much", "test.generate", "read", needs=[], rows=40000, batch_rows=500, row_bytes=400),
             at("there", "slow", "test.collect", "write", needs=["much"], path="slow.txt", slow_ms=20),
             at("here", "quick", "test.generate", "read", needs=[], rows=200000, batch_rows=1000),
             at("there", "save", "csv.writer", "write", needs=["quick"], path="quick.csv"))
    runs()
    order = [event["step_id"] for event in events(run_directory(), "step_complete")]
    assert order.index("save") < order.index("slow"), order
    # The slow one has held up its own producer: 16 MB do not fit between the two.
    assert order.index("save") < order.index("much"), order


# Faults of a group in two places that is repeated.

QUICK = {"max_attempts": 3, "initial_delay_ms": 1}


def repeated(place=None, step_id="make", **faults):
    """The group's first attempt is bad; the outputs are those of a good one."""
    write("osiris.yaml", OSIRIS_YAML)
    attempts = {"attempts_file": "run_logs/attempts", "bad_attempts": 1, "retryable": True, **faults}
    def own(id):
        return attempts if id == step_id else {}
    steps = [at("here", "make", "test.generate", "read", rows=30000, batch_rows=100, **own("make")),
             at("here", "near", "csv.writer", "write", needs=["make"], path="near.csv"),
             at("there", "far", "test.collect", "write", needs=["make"], path="far.txt", **own("far")),
             at("there", "copy", "csv.writer", "write", needs=["make"], path="copy.csv")]
    pipeline(*[{**step, "retry": QUICK} if step["id"] == step_id else step for step in steps])
    pathlib.Path("run_logs").mkdir()
    result = runs()
    assert_equal(len(read("run_logs/attempts")), 2, "attempts", result)
    assert_equal(len(read("near.csv").splitlines()), 30001, "lines")
    assert read("near.csv") == read("copy.csv"), "the files differ"
    assert_in("30000 rows", read("far.txt"))
    started = [event["place"] for event in events(run_directory(), "worker_started")]
    assert_equal(sorted(started), sorted(["here", "there"] + ([place] if place else [])), "workers started", result)
    for event in events(run_directory(), "worker_started"):
        assert_no_group(event["pid"])
    counts = {m["tags"]["step"]: m["value"] for m in metrics(run_directory(), "rows_written")}
    assert_equal(counts, {"near": 30000, "far": 30000, "copy": 30000}, "rows written")


@test
def test_a_group_in_two_places_is_repeated(folder):
    repeated(fail_after=15000)


@test
def test_a_group_whose_reader_fails_is_repeated(folder):
    repeated(step_id="far", fail_after=15000)


@test
def test_a_group_whose_producers_worker_dies_is_repeated(folder):
    repeated("here", crash_after=15000)


@test
def test_a_group_whose_readers_worker_dies_is_repeated(folder):
    repeated("there", step_id="far", crash_after=15000)


def killed_in_the_middle(place):
    """While batches flow, not while a driver hangs."""
    write("osiris.yaml", OSIRIS_YAML)
    pipeline(at("here", "make", "test.generate", "read", rows=100000000, batch_rows=1000),
             at("there", "far", "csv.writer", "write", needs=["make"], path="far.csv"))
    process = start("run", "pipeline.yaml", env={"OSIRIS_HEARTBEAT_INTERVAL_MS": "100"})
    wait_until(lambda: list(pathlib.Path("run_logs").rglob("events.jsonl"))
               and len(events(run_directory(), "step_start")) == 2, "both steps run")
    pids = workers()
    os.kill(pids[place], signal.SIGKILL)
    result = finish(process)
    assert_equal(result.code, 1, "exit code", result)
    assert_in("SIGKILL", result.err, result)
    assert_equal(outputs(), [], "files left", result)
    for group in pids.values():
        assert_no_group(group)


@test
def test_the_producers_worker_is_killed_in_the_middle(folder):
    killed_in_the_middle("here")


@test
def test_the_readers_worker_is_killed_in_the_middle(folder):
    killed_in_the_middle("there")


# What osiris.yaml and run_on may say.

def refused(kind, *parts, code=2):
    result = osiris("validate", "pipeline.yaml")
    assert_equal(result.code, code, "exit code", result)
    for part in (f"[{kind}]", *parts):
        assert_in(part, result.err + result.out, result)


@test
def test_an_unknown_place(folder):
    pipeline(step("make", "test.generate", "read", rows=10),
             at("nowhere", "save", "csv.writer", "write", path="out.csv"))
    refused("unknown_place", "nowhere", "pipeline.yaml:")


@test
def test_a_place_that_is_no_name(folder):
    pipeline(step("make", "test.generate", "read", rows=10),
             at(["local"], "save", "csv.writer", "write", path="out.csv"))
    refused("invalid_run_on", "pipeline.yaml:")


@test
def test_wrong_adapters(folder):
    pipeline(step("make", "test.generate", "read", rows=10),
             step("save", "csv.writer", "write", path="out.csv"))
    for text in ("adapters: [local]\n", "adapters: {a: local}\n", "adapters: {a: {}}\n",
                 "adapters: {a: {adapter: [local]}}\n", "adapters: {default: {adapter: local}}\n", "- a\n"):
        write("osiris.yaml", text)
        refused("invalid_adapter", "osiris.yaml:1:")


ADAPTERS = f"{BUILD}/.libs:{BUILD}/tests/plugins/adapters/.libs"


def place_with(*options, used=True):
    """A place of the adapter keyed; a pipeline of which a step runs there, or none; and what validate and run say of it."""
    lines = "".join(f"    {option}\n" for option in options)
    write("osiris.yaml", f"adapters:\n  cloud:\n    adapter: keyed\n{lines}  unused:\n    adapter: not-installed\n    port: ${{UNSET}}\n")
    pipeline(at("cloud" if used else "default", "make", "test.generate", "read", rows=10),
             step("save", "csv.writer", "write", path="out.csv"))


def says(*parts, code=2, command=("validate",), env=None):
    result = osiris(*command, "pipeline.yaml", env={"OSIRIS_ADAPTER_PATH": ADAPTERS, **(env or {})})
    assert_equal(result.code, code, "exit code", result)
    for part in parts:
        assert_in(part, result.err, result)
    return result


@test
def test_options_of_an_adapter_are_checked(folder):
    """Before anything runs: by all commands that compile, all problems in one go, each at its place."""
    place_with("port: eighty", "prot: 80", "url: [x]", "fail: never", "pin:", "api_key: ${KEY}")
    for command in ("validate",), ("compile",), ("run",), ("run", "--dry-run"):
        result = says('osiris.yaml:4:11: error: "port" must be of type integer, is a string: "eighty" [invalid_adapter_option]',
                      'osiris.yaml:5:5: error: the adapter "keyed" has no option "prot" [unknown_adapter_option]',
                      'did you mean "port"?',
                      'osiris.yaml:6:10: error: "url" must be of type string, is a list: […]',
                      'osiris.yaml:7:11: error: "fail" must be prepare or execute, is "never"',
                      "osiris.yaml:9:14: error: the environment variable KEY is not set", command=command)
        assert "not-installed" not in result.err and "UNSET" not in result.err, result
    assert_equal(outputs(), [], "files left")
    assert not pathlib.Path("run_logs").exists(), "there are records"
    answer = says(command=("validate", "--json")).json()
    found = {(entry["type"], entry["file"], entry.get("line"), entry.get("column"), entry.get("location")) for entry in answer["diagnostics"]}
    assert ("invalid_adapter_option", "osiris.yaml", 4, 11, "adapters.cloud") in found, found
    place_with("nested: {deep: 1}", used=False)
    says(code=0)
    says('the adapter "keyed" has no option "nested"', command=("run", "--adapter", "cloud"))


@test
def test_variables_take_the_type_of_their_option(folder):
    for port in ('"${PORT}"', "'${PORT}'", "${PORT}"):
        place_with(f"port: {port}", "url: ${PORT}", 'pin: "${PIN}"', "deep: {level: '${PORT}'}")
        says(code=0, env={"PORT": "8080", "PIN": "0815"})
        says('osiris.yaml:4:11: error: "port" must be of type integer, is a string: "http"',
             env={"PORT": "http", "PIN": "0815"})
    place_with("port: 9223372036854775808")
    says('osiris.yaml:4:11: error: "port" must be of type integer, is a number above 9223372036854775807')
    place_with("port: ${PORT}")
    says('osiris.yaml:4:11: error: "port" must be of type integer, is a number above', env={"PORT": "18446744073709551615"})
    place_with('port: "80${PORT}"')
    says('"port" must be of type integer, is a string: "8080"', env={"PORT": "80"})
    place_with('port: "8080"')
    says('"port" must be of type integer, is a string: "8080"')


@test
def test_an_adapter_that_cannot_be_had(folder):
    """Only who uses it has to have it."""
    place_with(used=False)
    says(code=0)
    runs(env={"OSIRIS_ADAPTER_PATH": ADAPTERS})
    write("osiris.yaml", "adapters: {cloud: {adapter: not-installed, port: x}}\n")
    pipeline(at("cloud", "make", "test.generate", "read", rows=10), step("save", "csv.writer", "write", path="out.csv"))
    result = says('cannot run on "cloud": there is no execution adapter "not-installed"', "[unknown_place]")
    assert "port" not in result.err, result


@test
def test_other_keys_of_osiris_yaml_are_warned_of(folder):
    write("osiris.yaml", "filesystem: {build_dir: elsewhere}\n")
    pipeline(step("make", "test.generate", "read", rows=10),
             step("save", "csv.writer", "write", path="out.csv"))
    result = runs()
    assert_in("filesystem", result.err, result)


@test
def test_a_reader_that_is_requested_before_its_producer(folder):
    """The producer waits for another step of its group, and the reader does not."""
    results = []
    for place in "here", "there":
        write("osiris.yaml", OSIRIS_YAML)
        pipeline(at("there", "one", "test.generate", "read", rows=20, batch_rows=1, delay_ms=10),
                 at(place, "two", "test.generate", "read", needs=["one"], rows=10),
                 at("there", "join", "test.join", "transform", needs=["one", "two"]),
                 at("there", "save", "csv.writer", "write", needs=["join"], path="save.csv"))
        runs()
        results.append(read("save.csv"))
    assert_equal(*results, "the output in two places and in one")


def lose_idle_worker(*late):
    """Steps run in `there` for two seconds; the worker in `here`, which waits for them, is killed at once, and may come again after
    four."""
    write("osiris.yaml", OSIRIS_YAML)
    pathlib.Path("run_logs").mkdir()
    pipeline(at("there", "make", "test.generate", "read", rows=20, batch_rows=1, delay_ms=100),
             at("there", "far", "test.collect", "write", needs=["make"], path="far.txt"),
             *late,
             {**at("here", "late", "test.generate", "read", needs=[late[-1]["id"] if late else "far"], rows=5),
              "retry": {"max_attempts": 3, "initial_delay_ms": 4000}},
             at("here", "save", "csv.writer", "write", needs=["late"], path="near.csv"))
    process = start("run", "pipeline.yaml")
    wait_until(lambda: [path for path in pathlib.Path("run_logs").rglob("events.jsonl") if "step_start" in read(path)], "steps run")
    os.kill(workers()["here"], signal.SIGKILL)
    result = finish(process)
    assert_equal(result.code, 0, "exit code", result)
    assert_equal(len(read("near.csv").splitlines()), 6, "lines", result)
    return [(event["event"], event.get("step_id")) for event in events(run_directory())]


@test
def test_a_group_that_could_begin_does_not_keep_a_lost_worker_from_being_replaced(folder):
    happened = lose_idle_worker()
    assert happened.index(("step_complete", "far")) < happened.index(("worker_restart", None)), happened


@test
def test_groups_elsewhere_begin_while_a_worker_is_replaced(folder):
    happened = lose_idle_worker(at("there", "more", "test.generate", "read", needs=["far"], rows=3),
                                at("there", "last", "test.collect", "write", needs=["more"], path="last.txt"))
    assert happened.index(("step_complete", "last")) < happened.index(("worker_restart", None)), happened


if __name__ == "__main__":
    main()
