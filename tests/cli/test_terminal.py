#!/usr/bin/env python3
"""What a terminal obeys, or what changes the order of a line, reaches none: all commands, with harmful texts wherever one can come
from outside."""

import os
import pathlib
import pty
import re
import subprocess

from tap import BUILD, OSIRIS, assert_equal, assert_in, environment, main, test, write

HARM = "\x1b[31m\u202e\u2066\u200e\u200f\u061c\u009b\x7f"
YAML = r'"a\e[31m\u202e\u2066\u200e\u200f\u061c\x9b\x7f\nosiris: b\tc"'
HARMFUL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def shown(*arguments, code=0, env=None, says=()):
    process = subprocess.run([OSIRIS, *arguments], env=environment(env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT)
    text = process.stdout.decode(errors="surrogateescape")
    if code is not None:
        assert_equal(process.returncode, code, "exit code", text)
    found = HARMFUL.search(text)
    assert found is None, f"{arguments}: {found[0]!r} in {text!r}"
    for part in says:
        assert_in(part, text, arguments)
    return text


def harmful_pipeline(path="pipeline.yaml", **config):
    options = "".join(f", {name}: {YAML}" for name in config)
    return write(path, f"oml_version: 0.1.0\nname: {YAML}\nsteps:\n"
                 f"- {{id: leak, component: leaky.extractor, mode: read, config: {{connection: '@leaky.it'{options}}}}}\n"
                 f"- {{id: save, component: csv.writer, mode: write, config: {{path: {YAML}}}}}\n")


def connections():
    write("osiris_connections.yaml", f"connections: {{leaky: {{it: {{pin: '${{PIN}}', text: {YAML}}}, {YAML}: {{{YAML}: x}}}}}}\n")


PIN = {"PIN": "s3cret-pin"}


@test
def test_runs(folder):
    connections()
    for options in ((), ("--verbose",)):
        harmful_pipeline(log=1, metric=1)
        shown("run", "pipeline.yaml", *options, "--out", f"out{HARM}{len(options)}", env=PIN, says=("published  a?[31m",))
    harmful_pipeline(error=1, hint=1)
    text = shown("run", "pipeline.yaml", env=PIN, code=1, says=("leak",))
    assert "\nosiris: b" not in text, text
    harmful_pipeline()
    shown("run", "pipeline.yaml", "--dry-run", env=PIN, says=("pipeline a?[31m",))


@test
def test_runs_on_a_terminal(folder):
    connections()
    harmful_pipeline(log=1, error=1)
    ours, theirs = pty.openpty()
    process = subprocess.Popen([OSIRIS, "run", "pipeline.yaml", "--verbose"], env=environment({"TERM": "xterm", **PIN}),
                               stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs)
    os.close(theirs)
    output = b""
    while True:
        try:
            output += os.read(ours, 65536)
        except OSError:  # the other side is closed
            break
    os.close(ours)
    assert_equal(process.wait(), 1, "exit code", output)
    own = re.sub("\x1b\\[[0-9;]*[AJKm]|\r", "", output.decode().replace("\x1b[31mfailed", "failed"))
    found = HARMFUL.search(own)
    assert found is None, f"{found[0]!r} in {own!r}"
    assert "\x1b[31m?" not in output.decode() and "a\x1b" not in output.decode(), output


@test
def test_compiling(folder):
    connections()
    odd = f"odd{HARM}.yaml"
    harmful_pipeline(odd)
    shown("validate", odd, env=PIN, says=("odd?[31m", "valid"))
    shown("compile", odd, "--out", f"build{HARM}", env=PIN)
    shown("validate", f"nowhere{HARM}", code=2)
    shown("run", odd, "--adapter", HARM, env=PIN, code=2)
    shown("run", odd, "--profile", HARM, env=PIN, code=2)
    shown("run", odd, "--param", f"{HARM}=1", env=PIN, code=2)
    for text in (f"{YAML}: 1", f"name: [{YAML}]", f"steps: [{{{YAML}: 1}}]", f"steps: [{{id: {YAML}, component: {YAML}}}]",
                 f"steps: [{{id: a, component: csv.writer, mode: {YAML}, needs: [{YAML}], run_on: {YAML}, config: {{{YAML}: 1}}}}]",
                 f"name: a{HARM}\n"):
        write(odd, text)
        shown("validate", odd, code=2, says=("odd?[31m",))


@test
def test_ids_of_steps(folder):
    for name in ("\\u202e", "\\x9b", "\\u200f"):
        write("pipeline.yaml", f'oml_version: 0.1.0\nname: p\nsteps: [{{id: "a{name}", component: csv.writer, mode: write}}]\n')
        shown("validate", "pipeline.yaml", code=2, says=("invalid_id",))


@test
def test_components(folder):
    odd = pathlib.Path(f"drivers{HARM}")
    odd.mkdir()
    (odd / f"broken{HARM}.so").write_bytes(b"\x7fELF nonsense")
    (odd / "leaky.so").symlink_to(f"{BUILD}/tests/plugins/.libs/leaky.so")
    for arguments in (("list",), ("show", "leaky.extractor"), ("show", f"no{HARM}.thing")):
        shown("components", *arguments, "--driver-dir", str(odd), env={"OSIRIS_DRIVER_PATH": ""},
              code=2 if "thing" in arguments[-1] else None)


@test
def test_connections(folder):
    connections()
    shown("connections", "list", says=("@leaky.a?[31m",))
    shown("connections", "doctor", "@leaky.it", env=PIN, code=1, says=("not usable",))
    shown("connections", "doctor", f"@leaky.{HARM}", env=PIN, code=2)
    shown("discovery", "run", "@leaky.it", env=PIN, says=("a?[31m",))
    text = shown("discovery", "plan", "@leaky.it", "--table", "t", env=PIN)
    assert_in(r'"a\u001b[31m\u202e\u2066\u200e\u200f\u061c\u009b\u007f\nosiris: b\tc"', text)
    write("osiris_connections.yaml", f"connections: {{{YAML}: {YAML}}}\n{YAML}: 1\n")
    shown("connections", "list", code=1)


@test
def test_traces(folder):
    connections()
    harmful_pipeline(log=1)
    shown("run", "pipeline.yaml", env={**PIN, "OSIRIS_RPC_DEBUG": f"./trace{HARM}"})
    shown("rpc", "dump", f"trace{HARM}", says=("a\\u001b[31m",))
    write("nonsense", f"{HARM}\n")
    shown("rpc", "dump", "nonsense", code=1)
    shown("rpc", "dump", f"nowhere{HARM}", code=1)


@test
def test_command_lines(folder):
    for arguments in ((HARM,), ("run", HARM, HARM), ("run", f"--{HARM}"), ("run", "x", f"--timeout={HARM}"),
                      ("validate", "x", "--driver-dir", f"nowhere{HARM}")):
        shown(*arguments, code=2)


if __name__ == "__main__":
    main()
