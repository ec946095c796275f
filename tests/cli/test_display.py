"""What people see: the live display on terminals of all sizes, the help."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios

from tap import OSIRIS, assert_equal, environment, main, osiris, pipeline, step, test

LONG = "a-step-with-a-long-name"


def drawn(rows, columns, **variables):
    """The lines that a run draws on a terminal of this size; 0: it does not say."""
    pipeline(step(LONG, "test.generate", "read", rows=1000), step("save", "csv.writer", "write", path="out.csv"))
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = subprocess.Popen([OSIRIS, "run", "pipeline.yaml"], env=environment({"TERM": "xterm", **variables}),
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    output = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other side is closed
            break
        output += part
    os.close(ours)
    assert_equal(process.wait(), 0, "exit code", output)
    text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", output.decode())
    return [line.strip("\r") for line in text.split("\n")]


def last_of_the_long_step(lines):
    return [line for line in lines if line.startswith(LONG)][-1]


@test
def test_lines_fit_the_terminal(folder):
    for rows, columns, variables, width in ((24, 60, {}, 59), (24, 200, {}, None), (0, 200, {}, None), (24, 0, {}, 79),
                                            (0, 0, {}, 79), (0, 0, {"COLUMNS": "200", "LINES": "50"}, None),
                                            (24, 60, {"COLUMNS": "200"}, 59), (0, 0, {"COLUMNS": "-1"}, 79)):
        what = f"{rows} rows, {columns} columns, {variables}"
        lines = drawn(rows, columns, **variables)
        line = last_of_the_long_step(lines)
        if width is None:
            assert re.search(r" rows/s +\S+ k?B  .* ms$", line), f"{what}: {line!r}"
        else:
            assert_equal(len(line), width, f"columns of the line with {what}", line)
            assert max(map(len, lines)) <= width, f"{what}: {lines}"


@test
def test_only_options_with_values_may_be_repeated(folder):
    lines = osiris("run", "--help").out.splitlines()
    repeatable = [line.split()[0] for line in lines if "may be repeated" in line]
    assert_equal(repeatable, ["--param", "--driver-dir", "--pass-env"], "repeatable options")


if __name__ == "__main__":
    main()
