#!/usr/bin/env python3
"""Text from outside that is not UTF-8 is refused where it comes in, with where that is."""

import os
import pathlib
import subprocess

from tap import BUILD, OSIRIS, assert_equal, assert_in, environment, main, pipeline, step, test, write

BAD = b"caf\xe9"


def answer(*arguments, code=2, env=None, says=()):
    """Of a command with --json, too: what is printed is UTF-8 always."""
    for json in ((), (b"--json",)):
        process = subprocess.run([os.fsencode(OSIRIS), *arguments, *json], stdin=subprocess.DEVNULL, capture_output=True,
                                 env={**{os.fsencode(k): os.fsencode(v) for k, v in environment().items()}, **(env or {})})
        text = (process.stdout + process.stderr).decode()
        assert_equal(process.returncode, code, "exit code", text)
        for part in says:
            assert_in(part, text if not json else text.replace('\\"', '"'), arguments)
    assert_equal(sorted(os.listdir()), sorted({*os.listdir()} - {"run_logs", "build", "out.csv"}), "what is left")


def small(**config):
    pipeline(step("make", "leaky.extractor", "read", connection="@leaky.it", **config),
             step("save", "csv.writer", "write", path="out.csv"))


@test
def test_command_lines(folder):
    small()
    for arguments in ([b"run", b"pipeline.yaml", b"--param", b"a=" + BAD], [b"run", BAD], [b"run", b"pipeline.yaml", b"--out", BAD],
                      [b"discovery", b"run", b"@leaky." + BAD], [b"validate", b"pipeline.yaml", b"--profile=" + BAD], [BAD]):
        answer(*arguments, says=("of the command line is not UTF-8",))


@test
def test_environment(folder):
    write("osiris_connections.yaml", "connections: {leaky: {it: {pin: '${PIN}', text: 'a ${TEXT}'}}}\n")
    small(table="${params.table}")
    good = {b"PIN": b"1", b"TEXT": b"t", b"OSIRIS_PARAM_TABLE": b"t"}
    answer(b"validate", b"pipeline.yaml", code=0, env=good)
    for name, says in (("PIN", ("osiris_connections.yaml", "the environment variable PIN is not UTF-8")),
                       ("TEXT", ("osiris_connections.yaml", "the environment variable TEXT is not UTF-8")),
                       ("OSIRIS_PARAM_TABLE", ('OSIRIS_PARAM_TABLE: the value of the parameter "table" is not UTF-8',)),
                       ("OSIRIS_EXECUTION_TARGET", ("OSIRIS_EXECUTION_TARGET is not UTF-8",))):
        answer(b"run", b"pipeline.yaml", env={**good, os.fsencode(name): BAD}, says=says)
    answer(b"run", b"pipeline.yaml", b"--pass-env", b"OTHER", env={**good, b"OTHER": BAD},
           says=("--pass-env OTHER: the environment variable is not UTF-8",))


@test
def test_files(folder):
    write("osiris_connections.yaml", "connections: {leaky: {it: {pin: '${PIN}'}}}\n")
    small()
    pathlib.Path(".env").write_bytes(b"OTHER=" + BAD + b"\nPIN=" + BAD + b"\n")
    answer(b"run", b"pipeline.yaml", says=("osiris_connections.yaml", "PIN, set in .env:2 is not UTF-8"))
    pathlib.Path(".env").write_bytes(b"OTHER=" + BAD + b"\r\nPIN=x\r\n")
    answer(b"validate", b"pipeline.yaml", code=0)
    for name, text in (("osiris_connections.yaml", b"connections: {leaky: {it: {pin: '" + BAD + b"'}}}\n"),
                       ("osiris.yaml", b"adapters: {here: {adapter: local}}\n# " + BAD + b"\n"),
                       ("pipeline.yaml", b"name: " + BAD + b"\n")):
        pathlib.Path(name).write_bytes(text)
        answer(b"run", b"pipeline.yaml", says=(name, "not UTF-8"))


@test
def test_files_of_drivers(folder):
    os.mkdir("drivers")
    os.symlink(f"{BUILD}/tests/plugins/.libs/leaky.so", b"drivers/" + BAD + b".so")
    answer(b"components", b"show", b"leaky.extractor", b"--driver-dir", b"drivers", env={b"OSIRIS_DRIVER_PATH": b""})
    process = subprocess.run([OSIRIS, "components", "list", "--driver-dir", "drivers"], env=environment({"OSIRIS_DRIVER_PATH": ""}),
                             capture_output=True)
    assert_in(f"refused {folder}/drivers/caf?.so: its path is not UTF-8", process.stderr.decode())


if __name__ == "__main__":
    main()
