#!/usr/bin/env python3
"""A worker that becomes worker.py or osiris-worker, by the driver files that `prepare` names: so one run has both.

    either.py OSIRIS-WORKER [KIND] --channel-fd N | --describe FILE... | --validate

With a KIND it is misbehaving.py instead of worker.py.
"""

import json
import os
import pathlib
import socket
import subprocess
import sys
import time

import frames

PYTHON = [sys.executable, "-B", str(pathlib.Path(__file__).with_name("worker.py"))]
MISBEHAVING = [sys.executable, "-B", str(pathlib.Path(__file__).with_name("misbehaving.py"))]


def is_text(path):
    return pathlib.Path(path).read_bytes()[:1] == b"{"


def describe(native, paths):
    answers = []
    for program, chosen in ((PYTHON, [p for p in paths if is_text(p)]), ([native], [p for p in paths if not is_text(p)])):
        if chosen:
            answers += json.loads(subprocess.run([*program, "--describe", *chosen], check=True, capture_output=True).stdout)
    json.dump(answers, sys.stdout)


def validate(native):
    """Only drivers that are said to validate are asked: worker.py has none."""
    os.execv(native, [native, "--validate"])


def peek_prepare(connection):
    """The second message, which stays where it is. hello and prepare are sent together."""
    while True:
        data = connection.recv(1 << 20, socket.MSG_PEEK)
        ends = [0]
        while len(data) >= ends[-1] + frames.HEADER.size:
            message, body, _ = frames.HEADER.unpack_from(data, ends[-1])
            ends.append(ends[-1] + frames.HEADER.size + message + body)
        if len(ends) > 2 and len(data) >= ends[2]:
            return frames.decode_frame(data[ends[1]:ends[2]], 2)[0]
        time.sleep(0.001)


def main(native, *arguments):
    strange = PYTHON
    if not arguments[0].startswith("--"):
        strange, arguments = [*MISBEHAVING, arguments[0]], arguments[1:]
    if arguments[0] == "--describe":
        describe(native, arguments[1:])
        return
    if arguments[0] == "--validate":
        validate(native)
    number = int(arguments[1])
    connection = socket.socket(fileno=os.dup(number))
    drivers = peek_prepare(connection)["params"]["drivers"].values()
    connection.close()
    program = strange if all(is_text(path) for path in drivers) else [native]
    os.set_inheritable(number, True)
    os.execv(program[0], [*program, *arguments])


if __name__ == "__main__":
    main(*sys.argv[1:])
