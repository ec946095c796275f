"""Files at home as docs/protocol.md describes them: osiris with a worker in Python that keeps to it or does not (tests/protocol/home.py),
and our worker with an orchestrator that does not."""

import json
import os
import pathlib
import shlex
import shutil
import sys

from worker_session import Session  # first: it may start another Python
from tap import BUILD, SOURCE, assert_equal, assert_in, files, main, osiris, pipeline, read, run_directory, step, test, write

PROTOCOL = SOURCE / "tests" / "protocol"


def run(kind, remote=False, **config):
    starter = write("bin/worker", "#!/bin/sh\nexec " + " ".join(shlex.quote(str(part)) for part in (
        sys.executable, "-B", PROTOCOL / "home.py", kind)) + ' "$@"\n')
    starter.chmod(0o755)
    write("bin/drivers/python.so", json.dumps({"drivers": ["py.rows", "py.upper", "py.csv"]}))
    pathlib.Path("bin/place").mkdir(exist_ok=True)
    write("osiris.yaml", f"adapters: {{there: {{adapter: flaky, folder: {os.getcwd()}/bin/place, remote: {str(remote).lower()}}}}}\n")
    pipeline(step("make", "py.rows", "read", rows=10), step("save", "py.csv", "write", ["make"], **{"path": "out.csv", **config}))
    write("in.txt", "text")
    return osiris("run", "pipeline.yaml", "--adapter", "there",
                  env={"OSIRIS_WORKER": str(starter.resolve()), "OSIRIS_DRIVER_PATH": str(pathlib.Path("bin/drivers").resolve()),
                       "XDG_CACHE_HOME": str(pathlib.Path("bin/cache").resolve()),
                       "OSIRIS_ADAPTER_PATH": f"{BUILD}/.libs:{BUILD}/tests/plugins/adapters/.libs"})


def outputs():
    return [name for name in files() if not name.startswith("bin/") and name not in ("pipeline.yaml", "osiris.yaml", "in.txt")]


def kept():
    top = run_directory() / "artifacts" / "save"
    return sorted(str(path.relative_to(top)) for path in top.rglob("*") if path.name != "cleaned_config.json")


def forget():
    shutil.rmtree("run_logs", ignore_errors=True)


@test
def test_a_worker_that_keeps_to_it(folder):
    result = run("good")
    assert_equal(result.code, 0, "exit code", result)
    assert_equal(read("out.csv"), "id,text\n" + "".join(f"{n},row {n}\n" for n in range(10)), "out.csv", result)
    assert_equal(kept(), ["one.txt", "sub", "sub/link", "sub/two.txt"], "artifacts", result)
    assert_equal((run_directory() / "artifacts/save/sub/two.txt").stat().st_mode & 0o777, 0o600, "mode")
    assert_in("a link that leads out", read(run_directory() / "osiris.log"))


@test
def test_an_error_at_home(folder):
    result = run("good", path="no/such/out.csv")
    assert_equal(result.code, 1, "exit code", result)
    assert_in('No such file or directory', result.err, result)
    assert_equal(outputs(), [], "files", result)


@test
def test_an_old_worker(folder):
    result = run("too-old")
    assert_equal(result.code, 1, "exit code", result)
    assert_in("the worker in place there is too old: it cannot use files that are not in its place", result.err, result)


@test
def test_violations_of_a_worker(folder):
    for kind in ("number-again", "number-left-out", "no-path", "other-kind", "no-step", "never-opened", "too-much",
                 "no-contents", "body-elsewhere", "to-an-input", "input-finished", "no-credit", "too-much-credit", "credit-for-an-output",
                 "output-closed", "after-aside", "codec-that-was-not-offered", "not-compressed"):
        forget()
        result = run(kind, remote=kind == "not-compressed")
        assert_equal(result.code, 1, f"exit code of {kind}", result)
        assert_in("violates the protocol", result.err, f"{kind}: {result}")
        assert_equal(outputs(), [], f"files of {kind}", result)


@test
def test_malformed_artifacts(folder):
    for kind in ("up", "up-inside", "absolute", "control", "no-text", "nul", "dot", "long-path", "deep", "other-type", "other-hash",
                 "after-the-end", "no-end", "half-a-file"):
        forget()
        result = run(kind)
        assert_equal(result.code, 1, f"exit code of {kind}", result)
        assert_in("violates the protocol", read(run_directory() / "debug.log"), f"{kind}: {result}")
        assert_equal(outputs(), ["out.csv"], f"files of {kind}", result)
        assert set(kept()) <= {"one.txt", "whole.txt", "a"}, f"{kind}: {kept()}"
        assert kind != "half-a-file" or kept() == ["whole.txt"], kept()
    assert not os.path.exists("/tmp/osiris-test-absolute.txt")


@test
def test_artifacts_do_not_go_through_links(folder):
    for kind in ("through-a-link", "no-folder"):
        forget()
        result = run(kind)
        assert_equal(result.code, 1, f"exit code of {kind}", result)
        assert_in("cannot keep the artifact", result.err, result)
        assert_equal(kept(), [], "artifacts", result)


# Our worker.

def session(driver, **config):
    ours = Session(True, driver=driver, library="files")
    params = ours.prepare_params()
    if driver == "test.write":
        params["plan"]["steps"][0]["kind"] = "writer"
        params["plan"].update(edges=[], steps=params["plan"]["steps"][:1])
        params["plan"]["groups"][0]["steps"] = ["make"]
    ours.ask("prepare", "prepare", **params, files="home")
    assert_equal(ours.answer("prepare")["result"]["files"], "home", "files")
    ours.ask("run", "execute_step", step_id="make", driver=driver, component=driver, config=config, inputs={},
             outputs=[] if driver == "test.write" else [{"edge": 0, "stream": 1}])
    if driver == "test.read":
        ours.say({"type": "credit", "data": {"stream": 1, "bytes": 1 << 20}})
    return ours


def until(ours, type):
    while (message := ours.receive()) is not None:
        if message.get("type") == type:
            return message["data"]
    raise AssertionError(f"no {type}")


def about(type, **data):
    return {"type": type, "data": data}


def say_all(ours, messages):
    try:
        for message in messages:
            ours.say(*message) if isinstance(message, tuple) else ours.say(message)
    except (BrokenPipeError, ConnectionResetError):
        pass  # it has left in the middle


@test
def test_violations_of_osiris(folder):
    opened = about("file_opened", file=1)
    for what, messages in {
        "a file that never existed": [about("file_opened", file=2)],
        "an answer again": [opened, opened],
        "no credit": [opened, about("file_credit", file=1, bytes=0)],
        "too much credit": [opened, about("file_credit", file=1, bytes=(4 << 20) + 1)],
        "contents for an output": [opened, (about("file_data", file=1), b"x")],
        "the end of an output": [opened, about("file_end", file=1)],
        "finished unasked": [opened, about("file_finished", file=1, bytes=1)],
        "a body elsewhere": [(opened, b"x")],
    }.items():
        ours = session("test.write", paths=["a"], bytes=1000000, hold=os.getcwd())
        until(ours, "file_open")
        say_all(ours, messages)
        ours.is_violated(what)


@test
def test_violations_of_osiris_about_inputs(folder):
    opened = about("file_opened", file=1)
    for what, messages in {
        "contents before it is open": [(about("file_data", file=1), b"x")],
        "more than the credit": [opened, (about("file_data", file=1), b"x" * (1 << 18)), (about("file_data", file=1), b"x" * (1 << 20)),
                                 (about("file_data", file=1), b"x" * (1 << 20))] + [(about("file_data", file=1), b"x" * (1 << 20))] * 4,
        "nothing": [opened, about("file_data", file=1)],
        "what cannot be decompressed": [opened, (about("file_data", file=1, codec="lz4", size=1000), b"x" * 100)],
        "credit for an input": [opened, about("file_credit", file=1, bytes=1)],
        "closed by osiris": [opened, about("file_close", file=1)],
        "contents after the end": [opened, about("file_end", file=1), (about("file_data", file=1), b"x")],
    }.items():
        ours = session("test.read", path="a", hold=os.getcwd())
        until(ours, "file_open")
        say_all(ours, messages)
        ours.is_violated(what)


@test
def test_an_input_that_breaks_off(folder):
    ours = session("test.read", path="a")
    until(ours, "file_open")
    ours.say(about("file_opened", file=1))
    ours.say(about("file_data", file=1), b"x" * 1000)
    ours.say(about("file_end", file=1, error={"category": "io", "retryable": False, "message": "cannot read a: Input/output error"}))
    ours.is_refused("run", "cannot read a: Input/output error")
    ours.goes_on()


@test
def test_an_output_that_breaks_off(folder):
    ours = session("test.write", paths=["a"], bytes=100000000)
    until(ours, "file_open")
    ours.say(about("file_opened", file=1))
    ours.say(about("file_credit", file=1, bytes=100000))
    until(ours, "file_data")
    ours.say(about("file_close", file=1, error={"category": "io", "retryable": False, "message": "cannot write a: it is full"}))
    ours.is_refused("run", "cannot write a: it is full")
    ours.goes_on()


if __name__ == "__main__":
    main()
