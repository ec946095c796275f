"""Drivers and adapters that go on after an error, return what they like, move what they get, change the process, pass NULL, leave
odd artifacts or a thread (tests/plugins/odd.c, odd-adapter.c): their step fails with their name, or nothing comes of it; never a
wrong file with success, never a crash."""

import errno
import os
import pathlib
import stat

from tap import (BUILD, assert_equal, assert_in, events, files, main, osiris, pipeline, read, run_directory, step, test,
                 write)

ADAPTERS = f"{BUILD}/.libs:{BUILD}/tests/plugins/adapters/.libs"


def line(source=None, sink=None, **top):
    """test.odd_source → test.odd_sink; both write a file."""
    pipeline(step("make", "test.odd_source", "read", **{"path": "make.txt", **(source or {})}),
             step("save", "test.odd_sink", "write", **{"path": "save.txt", **(sink or {})}), **top)


def fails(*parts, source=None, sink=None, code=1, env=None):
    line(source, sink)
    result = osiris("run", "pipeline.yaml", "--json", env=env)
    assert_equal(result.code, code, "exit code", result)
    error = result.json()["error"]
    for part in parts:
        assert_in(part, error["message"], result)
    assert_equal(files(), ["pipeline.yaml"], "files", result)
    assert_equal([(error["step_id"], error["component"])],
                 [("save", "test.odd_sink") if sink else ("make", "test.odd_source")], "who is blamed", result)
    return error


def works(source=None, sink=None, expected=("make.txt", "save.txt")):
    line(source, sink)
    result = osiris("run", "pipeline.yaml")
    assert_equal(result.code, 0, "exit code", result)
    assert_equal(files(), sorted([*expected, "pipeline.yaml"]), "files", result)
    for path in expected:
        assert_equal(read(path), "all\n", path, result)
    return result


def log():
    return read(run_directory() / "osiris.log")


# Verbs.


@test
def test_a_verb_that_reports_an_error_has_failed(folder):
    for verb in ("open", "run", "get_schema", "get_next", "release", "commit"):
        error = fails(f"told in {verb}", source={"report_in": verb})
        assert_equal(error["category"], "data", "category")
    for verb in ("open", "run", "commit"):
        fails(f"told in {verb}", sink={"report_in": verb})


@test
def test_a_verb_that_returns_anything_but_0_has_failed(folder):
    for verb in ("open", "run", "commit"):
        for number in (errno.ENOSPC, -errno.ENOSPC, 1, -1):
            for who in ("source", "sink"):
                error = fails(f"{verb} failed and gave no reason", "fault of the driver",
                              *(["No space left on device"] if abs(number) == errno.ENOSPC else []),
                              **{who: {"return_in": verb, "result": number}})
                assert_equal(error["category"], "internal", "category")
    for verb in ("get_schema", "get_next"):
        fails(f"the output's {verb} failed and gave no reason", source={"return_in": verb, "result": errno.ENOSPC})


@test
def test_what_abort_and_close_report_is_a_warning(folder):
    works(sink={"report_in": "close"})
    assert_in("close: told in close", log())
    for path in ("make.txt", "save.txt"):
        os.unlink(path)
    line({"report_in": "abort"}, {"report_in": "run"})
    result = osiris("run", "pipeline.yaml", "--out", "other")
    assert_equal(result.code, 1, "exit code", result)
    assert_in("told in run", result.err, result)
    assert_in("abort: told in abort", result.err, result)
    assert_equal([name for name in files() if name.endswith(".txt")], [], "files", result)


@test
def test_verbs_that_ask_fail_alike(folder):
    write("osiris_connections.yaml", "version: 1\nconnections: {}\n")
    for how in ({"report_in": "validate"}, {"return_in": "validate", "result": errno.EINVAL}, {"null": "validate"}):
        line(source=how)
        result = osiris("validate", "pipeline.yaml")
        assert_equal(result.code, 2, "exit code", result)
        assert_in("told in validate" if "report_in" in how else "fault of the driver", result.out + result.err, result)


# Groups.


@test
def test_outputs_of_all_kinds_of_steps_appear_together(folder):
    pipeline(step("make", "test.odd_source", "read", path="make.txt", path_of_commit="make-commit.txt"),
             step("through", "test.odd_pass", "transform", needs=["make"], path="through/x.txt", path_of_commit="through-commit.txt"),
             step("save", "test.odd_sink", "write", needs=["through"], path="save.txt", path_of_commit="save-commit.txt"))
    result = osiris("run", "pipeline.yaml")
    assert_equal(result.code, 0, "exit code", result)
    outputs = ["make-commit.txt", "make.txt", "save-commit.txt", "save.txt", "through-commit.txt", "through/x.txt"]
    assert_equal(files(), sorted([*outputs, "pipeline.yaml"]), "files", result)
    published = [e["path"] for e in events(run_directory(), "artifact_created") if e["artifact_type"] == "output"]
    assert_equal(sorted(published), outputs, "what was published", result)


@test
def test_nothing_appears_if_one_step_of_the_group_fails(folder):
    for verb in ("run", "commit"):
        fails(f"told in {verb}", source={"path_of_commit": "a.txt"}, sink={"report_in": verb, "path_of_commit": "b.txt"})
        fails(f"told in {verb}", source={"report_in": verb, "path_of_commit": "a.txt"}, sink=None)


@test
def test_groups_that_span_places(folder):
    write("osiris.yaml", "adapters: {far: {adapter: local}}\n")

    def spanning(**sink):
        pipeline({**step("make", "test.odd_source", "read", path="make.txt", path_of_commit="make-commit.txt"), "run_on": "far"},
                 step("save", "test.odd_sink", "write", path="save.txt", path_of_commit="save-commit.txt", **sink))
        return osiris("run", "pipeline.yaml")
    for verb in ("run", "commit"):
        result = spanning(report_in=verb)
        assert_equal(result.code, 1, "exit code", result)
        assert_equal([name for name in files() if name.endswith(".txt")], [], "files", result)
    result = spanning()
    assert_equal(result.code, 0, "exit code", result)
    assert_equal([name for name in files() if name.endswith(".txt")],
                 ["make-commit.txt", "make.txt", "save-commit.txt", "save.txt"], "files", result)


@test
def test_an_output_that_a_commit_cannot_open(folder):
    """What it has said of that counts, whatever it returns; and the outputs that are ready do not appear."""
    fails('cannot write "pipeline.yaml/x.txt"', sink={"path_of_commit": "pipeline.yaml/x.txt"})


@test
def test_an_output_that_is_opened_too_late(folder):
    works(sink={"path_of_close": "late.txt"})
    assert_in("close: an output was opened after the commit", log())


# Inputs.


@test
def test_inputs_may_be_moved_and_released(folder):
    for how in ("", "released", "moved", "moved_for_ever", "moved_to_close"):
        works(sink={"reads": how})
    pipeline(step("make", "test.odd_source", "read", rows=7), step("through", "test.odd_pass", "transform", needs=["make"]),
             step("save", "test.sink", "write", needs=["through"], path="save.txt"))
    result = osiris("run", "pipeline.yaml")
    assert_equal(result.code, 0, "exit code", result)
    assert_equal(read("save.txt"), "7 rows\n", "rows", result)


@test
def test_an_input_that_is_read_after_it_was_released(folder):
    for how in ("again", "copy_again"):
        fails('the driver "test.odd_sink" reads its input "df" after it has released it; this is a fault of the driver',
              sink={"reads": how})
    fails('reads its input "df" after its run', sink={"reads": "moved_to_commit"})


@test
def test_an_input_that_was_released_unread(folder):
    for how in ("nothing", "moved_nothing"):
        fails("without reading any row of step", sink={"reads": how})
        works(source={"rows": 0}, sink={"reads": how})
        for path in ("make.txt", "save.txt"):
            os.unlink(path)


# The process.


@test
def test_a_driver_that_goes_elsewhere(folder):
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    write("input.txt", "")
    os.umask(0o027)
    try:
        for where, mask in ((elsewhere, None), ("/", None), (elsewhere, 0o777), (elsewhere, 0)):
            source = {"go_to": str(where), "path": "deep/er/make.txt", "input": "input.txt"}
            if mask is not None:
                source["umask"] = mask
            line(source, {"temp_dir": True, "input": "input.txt"})
            result = osiris("run", "pipeline.yaml", "--out", f"records-{where.name if where != '/' else 'root'}-{mask}")
            assert_equal(result.code, 0, "exit code", result)
            assert_equal(list(elsewhere.rglob("*")), [], "files elsewhere", result)
            for path, mode in (("deep", 0o750), ("deep/er", 0o750), ("deep/er/make.txt", 0o640), ("save.txt", 0o640)):
                assert_equal(oct(stat.S_IMODE(os.stat(path).st_mode)), oct(mode), f"mode of {path}", result)
            for path in ("deep/er/make.txt", "save.txt"):
                os.unlink(path)
            os.removedirs("deep/er")
    finally:
        os.umask(0o022)


@test
def test_what_goes_elsewhere_leaves_nothing_if_it_fails(folder):
    (folder / "elsewhere").mkdir()
    line({"go_to": str(folder / "elsewhere"), "umask": 0o777, "path": "deep/er/make.txt"}, {"report_in": "run"})
    result = osiris("run", "pipeline.yaml")
    assert_equal(result.code, 1, "exit code", result)
    assert_equal(sorted(p.name for p in pathlib.Path(".").iterdir() if p.name not in ("run_logs", ".osiris", "build")),
                 ["elsewhere", "pipeline.yaml"], "what is left", result)


@test
def test_drivers_in_relative_folders(folder):
    """One of them changes the working directory before another is loaded."""
    os.symlink(BUILD / "tests" / "plugins" / ".libs", "drivers")
    os.symlink(BUILD / ".libs", "adapters")
    (folder / "elsewhere").mkdir()
    pipeline(step("make", "test.odd_source", "read", path="first.txt", go_to="elsewhere"),
             step("save", "test.collect", "write", path="out.txt"))
    for arguments, path in (((), "./drivers"), (("--driver-dir", "drivers"), ""), (("--driver-dir", "./drivers/."), "")):
        result = osiris("run", "pipeline.yaml", *arguments, env={"OSIRIS_DRIVER_PATH": path, "OSIRIS_ADAPTER_PATH": "adapters"})
        assert_equal(result.code, 0, "exit code", result)
        assert_equal([name for name in files() if name.endswith(".txt")], ["first.txt", "out.txt"], "files", result)
    result = osiris("components", "list", "--json", env={"OSIRIS_DRIVER_PATH": "drivers"})
    for component in result.json()["components"]:
        assert component["file"].startswith("/"), component


# NULL.


@test
def test_null_is_an_error_of_the_driver(folder):
    names = {"open_input fd": "the descriptor", "open_output fd": "the descriptor", "log": "the message", "error": "the report",
             "result": "the answer", "event": "the name", "metric": "the name"}
    for function in ("log", "event", "metric", "error", "result", "open_input", "open_input fd", "open_output", "open_output fd",
                     "value_type", "get_string", "get_integer", "get_number", "get_boolean", "get_count", "get_json"):
        error = fails(f"{function.split()[0]} was called with NULL for {names.get(function, 'the path')}; "
                      'this is a fault of the driver "test.odd_sink"', sink={"null": function})
        assert_equal(error["category"], "internal", "category")
    for function in ("log", "event", "metric", "error", "result", "cancelled", "artifacts_dir", "temp_dir", "open_input",
                     "open_output", "finish_output", "get_string"):
        fails(f'{function} was called with NULL for the host; this is a fault of the driver "test.odd_source"',
              source={"null": f"{function} host"})


# Artifacts.


def assert_artifacts(where):
    assert_equal(sorted(str(p.relative_to(where)) for p in where.rglob("*")),
                 ["cleaned_config.json", "dangling", "down", "file", "grün €", "sub", "sub/file", "sub/inside"], "artifacts")


@test
def test_artifacts_that_are_none(folder):
    result = works(sink={"artifacts": True})
    assert_artifacts(run_directory() / "artifacts" / "save")
    for name, why in (("pipe", "it is a pipe"), ("socket", "it is a socket"), ("absolute", "a link that leads out of its folder"),
                      ("out", "a link that leads out"), ("sub/up", "a link that leads out"), ("round", "a link that leads out"),
                      (r"red\x1b[31m", "control characters"), (r"c1\xc2\x9bx", "control characters"),
                      (r"line\x0abreak", "control characters"), (r"\xff\xfe", "not UTF-8")):
        lines = [line for line in log().splitlines() if f'the artifact "{name}" was removed: ' in line]
        told = len([line for line in log().splitlines() if "was removed: " in line])
        assert len(lines) == 1 or told == 10, (name, result)
        for line in lines:
            assert_in(why, line)
    assert_in("1 more artifact was removed", log())
    assert "\033[31m" not in result.err, result


@test
def test_artifacts_of_a_worker_that_has_died(folder):
    pipeline(step("make", "test.odd_source", "read", artifacts=True, path="make.txt"),
             step("save", "test.sink", "write", path="save.txt", at="commit", how="crash"))
    result = osiris("run", "pipeline.yaml")
    assert_equal(result.code, 1, "exit code", result)
    assert_artifacts(run_directory() / "artifacts" / "make")
    assert_in("was removed: it is a pipe", log())


# Threads.


@test
def test_a_thread_that_outlives_its_step(folder):
    """In the same worker another step runs, and then nobody any more."""
    pipeline(step("make", "test.odd_source", "read", stray=True),
             step("save", "test.odd_sink", "write", needs=["make"], reads="moved_for_ever", stray=True, path="save.txt"),
             step("stir", "test.odd_source", "read", needs=["save"], stirs=True),
             step("last", "test.odd_sink", "write", needs=["stir"], path="last.txt", stirs=True))
    result = osiris("run", "pipeline.yaml")
    assert_equal(result.code, 0, "exit code", result)
    assert_equal(files(), ["last.txt", "pipeline.yaml", "save.txt"], "files", result)
    directory = run_directory()
    for text in (log(), read(directory / "events.jsonl"), read(directory / "metrics.jsonl"), read(directory / "debug.log"),
                 result.err + result.out):
        for word in ("stray line", "stray error", "stray_event", "stray_metric", "stray.txt"):
            assert word not in text, text
    debug = read(directory / "debug.log")
    for driver in ("test.odd_source", "test.odd_sink"):
        assert_equal(debug.count(f'a thread of the driver "{driver}" called its host after the step was closed'), 1, driver, result)


# Columns.


@test
def test_columns_of_one_name(folder):
    pipeline(step("make", "test.odd_source", "read", names="id", rows=2),
             step("save", "csv.writer", "write", path="out.csv"),
             step("more", "csv.writer", "write", needs=["make"], inputs={"df": "${make.df}"}, path="more.csv"))
    result = osiris("run", "pipeline.yaml")
    assert_equal(result.code, 0, "exit code", result)
    for path in ("out.csv", "more.csv"):
        assert_equal(read(path), "id,id\n0,row 0\n1,row 1\n", path, result)
    told = [line for line in log().splitlines() if "several columns with the same name" in line]
    assert_equal(len(told), 1, "warnings", result)
    assert_in('test.odd_source has several columns with the same name: "id"; rename them', told[0])
    assert_in("make", told[0])


# Adapters.


def adapted(**options):
    write("osiris.yaml", "adapters: {place: {adapter: odd, local: %s/.libs/local.so%s}}\n" %
          (BUILD, "".join(f", {name}: {value}" for name, value in options.items())))
    line()
    return osiris("run", "pipeline.yaml", "--adapter", "place", env={"OSIRIS_ADAPTER_PATH": ADAPTERS})


@test
def test_verbs_of_adapters(folder):
    result = adapted()
    assert_equal(result.code, 0, "exit code", result)
    for path in ("make.txt", "save.txt"):
        os.unlink(path)
    for verb in ("open", "prepare", "execute"):
        for how, part in (({"report_in": verb}, f"told in {verb}"),
                          ({"return_in": verb, "result": errno.ENOSPC}, f"{verb} failed and gave no reason"),
                          ({"null_in": verb}, 'log was called with NULL for the message; this is a fault of the adapter "odd"')):
            if verb == "open" and "null_in" in how:
                continue
            result = adapted(**how)
            assert_equal(result.code, 1, f"exit code of {how}", result)
            assert_in(part, result.err, result)
            assert_in('adapter "odd"', result.err, result)
            assert_equal([name for name in files() if name.endswith(".txt")], [], f"files of {how}", result)
    for how, part in (({"report_in": "collect"}, "told in collect"),
                      ({"return_in": "collect", "result": 1}, "collect failed and gave no reason")):
        result = adapted(**how)
        assert_equal(result.code, 1, f"exit code of {how}", result)
        assert_in(part, result.err, result)
    result = adapted(report_in="close")
    assert_equal(result.code, 0, "exit code", result)
    assert_in("told in close", result.err, result)


if __name__ == "__main__":
    main()
