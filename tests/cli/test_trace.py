"""OSIRIS_RPC_DEBUG and `osiris rpc dump`: every frame readable, no secret in it."""

import base64
import json
import os
import pathlib
import stat

from tap import (assert_equal, assert_in, files, main, osiris, pipeline, read, run_directory, step, test, write)

SECRET = "s3cr3t/with+odd%characters\"and'quotes"
TOKEN = "t0ken-of-the-environment"
ON = {"OSIRIS_RPC_DEBUG": "true"}


def export(path="out.csv", **generate):
    generate.setdefault("rows", 1000)
    return pipeline(step("make", "test.generate", "read", **generate),
                    step("save", "csv.writer", "write", path=path))


def run(*arguments, code=0, env=None):
    result = osiris("run", "pipeline.yaml", *arguments, env={**ON, **(env or {})})
    assert_equal(result.code, code, "exit code", result)
    return result


def trace_of(directory=None):
    return (directory or run_directory()) / "rpc.trace"


def dump(path):
    result = osiris("rpc", "dump", path, "--json")
    assert_equal(result.code, 0, "exit code", result)
    return result.json()


def requests(frames):
    return [f["message"]["method"] for f in frames if "method" in f["message"]]


@test
def test_every_frame_is_traced(folder):
    export()
    result = run()
    path = trace_of()
    assert_in(str(path), result.err, result)
    assert_equal(stat.S_IMODE(os.stat(path).st_mode), 0o600, "the trace's mode")
    traced = dump(path)
    frames = traced["frames"]
    assert_equal(requests(frames), ["hello", "prepare", "execute_step", "execute_step", "commit", "cleanup"],
                 "requests")
    for side in ("osiris", "worker"):
        numbers = [f["sequence"] for f in frames if f["from"] == side]
        assert_equal(numbers, list(range(1, len(numbers) + 1)), f"sequences of {side}")
    log = read(run_directory() / "debug.log")
    shown = osiris("rpc", "dump", path).out.splitlines()
    assert_equal(len(shown), len(frames), "lines of the dump")
    assert_equal(log.count(" - rpc - "), len(frames), "lines of debug.log")
    for words in ("local > 2 request req_2 prepare, ", "local < ", "response req_3"):
        assert_in(words, "\n".join(shown))
        assert_in(words, log)


@test
def test_without_the_variable_there_is_nothing(folder):
    for value in (None, "", "false", "0", "OFF"):
        export()
        env = {} if value is None else {"OSIRIS_RPC_DEBUG": value}
        records = f"records-{value}"
        result = osiris("run", "pipeline.yaml", "--out", records, env=env)
        assert_equal(result.code, 0, "exit code", result)
        assert " - rpc - " not in read(f"{records}/debug.log"), value
        assert_equal([name for name in files() if "trace" in name], [], f"traces with {value!r}")


@test
def test_where_the_trace_goes(folder):
    os.mkdir("traces")
    export()
    run(env={"OSIRIS_RPC_DEBUG": "./traces"})
    assert_equal(len(list(pathlib.Path("traces").glob("*.trace"))), 1, "traces in the folder")
    write("named.trace", "old and open to all")
    os.chmod("named.trace", 0o644)
    run(env={"OSIRIS_RPC_DEBUG": "./named.trace"})
    assert_equal(stat.S_IMODE(os.stat("named.trace").st_mode), 0o600, "mode of a file that was there")
    assert len(dump("named.trace")["frames"]) > 5
    result = osiris("run", "pipeline.yaml", env={"OSIRIS_RPC_DEBUG": "ture"})
    assert_equal(result.code, 2, "exit code of a slip", result)
    assert_in("OSIRIS_RPC_DEBUG=ture", result.err, result)
    os.mkfifo("pipe")
    result = osiris("run", "pipeline.yaml", env={"OSIRIS_RPC_DEBUG": "./pipe"})
    assert_equal(result.code, 1, "exit code with a pipe", result)
    os.symlink("pipeline.yaml", "link")
    result = osiris("run", "pipeline.yaml", env={"OSIRIS_RPC_DEBUG": "./link"})
    assert_equal(result.code, 1, "exit code with a symbolic link", result)
    assert_in("oml_version", read("pipeline.yaml"))


def with_secrets(**generate):
    write("osiris_connections.yaml",
          "version: 1\nconnections:\n  test:\n    spy: {password: \"${SPY}\"}\n")
    return export(connection="@test.spy", print_secret=True, **generate)


SECRETS = {"SPY": SECRET, "API_TOKEN": TOKEN}


@test
def test_no_secret_is_in_it(folder):
    with_secrets()
    run("--verbose", "--pass-env", "API_TOKEN", env=SECRETS)
    frames = dump(trace_of())["frames"]
    prepare = next(f["message"]["params"] for f in frames if f["message"].get("method") == "prepare")
    assert_equal(prepare["connections"], {"make": {"password": "***MASKED***"}}, "connections")
    assert_equal(prepare["environment"], {"API_TOKEN": "***MASKED***"}, "environment")
    hello = next(f["message"]["params"] for f in frames if f["message"].get("method") == "hello")
    assert_equal(hello["token"], "***MASKED***", "the session's token")
    assert [f for f in frames if f["message"].get("data", {}).get("event") == "secret_used"], "the driver told nothing"
    forms = [SECRET, json.dumps(SECRET)[1:-1], SECRET.replace("/", "\\/"), base64.b64encode(SECRET.encode()).decode(), TOKEN]
    for path in pathlib.Path(".").rglob("*"):
        if path.is_file():
            for form in forms:
                assert form.encode() not in path.read_bytes(), f"a secret is in {path}"


@test
def test_streams_between_places(folder):
    write("osiris.yaml", "adapters:\n  here: {adapter: local}\n  there: {adapter: local}\n")
    pipeline({**step("make", "test.generate", "read", rows=10), "run_on": "here"},
             {**step("save", "csv.writer", "write", path="out.csv"), "run_on": "there"})
    run()
    frames = dump(trace_of())["frames"]
    assert [f for f in frames if f["message"].get("type") == "batch" and f["body_bytes"] > 0], "no batch is traced"


@test
def test_files_that_are_no_traces(folder):
    write("nothing", "")
    write("text", "hello\n")
    write("newer", '{"trace": "osiris-rpc", "version": 99}\n')
    header = '{"trace": "osiris-rpc", "version": 1}\n'
    write("cut", header + '{"ms": 1, "place": "local", "fr')
    write("wrong", header + '{"ms": 1, "place": 7, "from": "osiris", "sequence": 1, "message_bytes": 1, "body_bytes": 0}\n')
    for name in ("nothing", "text", "newer", "cut", "wrong", "absent", "."):
        result = osiris("rpc", "dump", name)
        assert result.code in (1, 2), (name, result)
        assert result.err.startswith("osiris: ") and not result.out, (name, result)
        assert_equal(osiris("rpc", "dump", name, "--json").json()["status"], "error", name)


@test
def test_what_stands_before_a_torn_line_is_shown(folder):
    header = '{"trace": "osiris-rpc", "version": 1}\n'
    whole = '{"ms": 1, "place": "local", "from": "osiris", "sequence": 1, "message_bytes": 1, "body_bytes": 0}\n'
    write("torn", header + 2 * whole + whole[:20])
    result = osiris("rpc", "dump", "torn")
    assert_equal(result.code, 1, "exit code", result)
    assert_equal(len(result.out.splitlines()), 2, "lines", result)
    assert_in("torn:4: ", result.err, result)
    assert_equal(osiris("rpc", "dump", "torn", "--json").json()["status"], "error", "with --json")


@test
def test_a_trace_cannot_command_the_terminal(folder):
    header = '{"trace": "osiris-rpc", "version": 1}\n'
    write("odd", header + json.dumps({"ms": 1, "place": "a\x1b[31mb\x9bc", "from": "worker", "sequence": 1, "message_bytes": 1,
                                      "body_bytes": 0, "message": {"id": "\x1b]0;x\x07", "type": "\x7f"}}) + "\n")
    shown = osiris("rpc", "dump", "odd").out
    assert not [c for c in shown if ord(c) < 32 and c != "\n" or 127 <= ord(c) < 160], repr(shown)


if __name__ == "__main__":
    main()
