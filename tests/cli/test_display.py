"""What people see: the live display on terminals of all sizes, the help."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios

from tap import OSIRIS, assert_equal, assert_in, environment, main, osiris, pipeline, step, test

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
    return [line for line in lines if line.startswith(LONG[:5])][-1]


@test
def test_lines_fit_the_terminal(folder):
    """A step's id is shortened first, then there is no rate, then no bytes; no number is cut, nor is its unit."""
    number, rate, size, time = r" +[\d ]+ rows", r" +[\d ]+ rows/s", r" +\S+ k?B", r"  \d+ ms|  \S+ s"
    whole = LONG + r"  done     " + number + rate + size + f"({time})"
    shortened = "a-step-~  done     " + number + rate + size + f"({time})"
    no_rate = "a-step~  done     " + number + size + f"({time})"
    no_bytes = "a-step-wit~  done     " + number + f"({time})"
    for rows, columns, variables, expected in (
            (24, 80, {}, shortened), (24, 60, {}, no_rate), (24, 54, {}, no_bytes), (24, 200, {}, whole), (0, 200, {}, whole),
            (24, 0, {}, shortened), (0, 0, {}, shortened), (0, 0, {"COLUMNS": "200", "LINES": "50"}, whole),
            (24, 60, {"COLUMNS": "200"}, no_rate), (0, 0, {"COLUMNS": "-1"}, shortened)):
        what = f"{rows} rows, {columns} columns, {variables}"
        lines = drawn(rows, columns, **variables)
        line = last_of_the_long_step(lines)
        assert re.fullmatch(expected, line), f"{what}: {line!r}"
        assert max(map(len, lines)) < (columns or (200 if expected == whole else 80)), f"{what}: {lines}"


@test
def test_a_terminal_too_narrow_for_anything(folder):
    lines = drawn(24, 30)
    assert_equal(len(last_of_the_long_step(lines)), 29, "columns of the line", lines)
    assert max(map(len, lines)) <= 29, lines


@test
def test_only_options_with_values_may_be_repeated(folder):
    lines = osiris("run", "--help").out.splitlines()
    repeatable = [line.split()[0] for line in lines if "may be repeated" in line]
    assert_equal(repeatable, ["--param", "--driver-dir", "--pass-env"], "repeatable options")


@test
def test_counts_agree_with_their_nouns(folder):
    """1 row, 2 rows: in the lines of a run and on a display; 1 step, 2 steps in a plan."""
    def lines(rows):
        pipeline(step("make", "test.generate", "read", rows=rows), step("save", "csv.writer", "write", path="out.csv"))
        return osiris("run", "pipeline.yaml").err

    assert_in("make: done, 1 row, ", lines(1))
    assert_in("make: done, 2 rows, ", lines(2))
    pipeline(step(LONG, "test.generate", "read", rows=1), step("save", "csv.writer", "write", path="out.csv"))
    assert_in("pipeline test-pipeline: 2 steps, nothing is run", osiris("run", "--dry-run", "pipeline.yaml").out)


if __name__ == "__main__":
    main()
