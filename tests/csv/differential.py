#!/usr/bin/env python3
"""csv.writer's files, read back by Python's csv module, hold what was written, value by value.

Random tables of hostile values; the seed is printed, and OSIRIS_TEST_SEED and OSIRIS_TEST_ROWS change
what is tried.
"""
import csv
import datetime
import decimal
import json
import os
import subprocess
import sys
import tempfile
import time

SEED = int(os.environ.get("OSIRIS_TEST_SEED", time.time_ns() % 1000000))
ROWS = int(os.environ.get("OSIRIS_TEST_ROWS", 2000))
DUMP = os.path.join(os.environ.get("top_builddir", "."), "tests", "csv", "dump")
NAMES = ["a text", "b,integer", 'c"double', "d", "e"]
EPOCH = datetime.datetime(1970, 1, 1)
decimal.getcontext().prec = 60

VARIANTS = [
    {},
    {"delimiter": ";"},
    {"delimiter": "\t", "newline": "crlf"},
    {"delimiter": "-"},
    {"delimiter": " "},
    {"delimiter": "1", "quoting": "minimal"},
    {"quoting": "all", "newline": "crlf"},
    {"quoting": "nonnumeric"},
]


def expected_cell(token):
    """What the csv module should give: a check and its description."""
    if token == "-":
        return None
    kind, value = token[0], token[1:]
    if kind == "t":
        return bytes.fromhex(value).decode("utf-8")
    if kind == "i":
        return int(value)
    if kind == "f":
        return float.fromhex(value)
    if kind == "d":
        return decimal.Decimal(int(value)).scaleb(-4)
    return EPOCH + datetime.timedelta(microseconds=int(value))


def expected_text(value):
    if value is None:
        return ""
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, decimal.Decimal):
        return format(value, ".4f")
    return str(value)


def compare(config, path, expected_path):
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file, delimiter=config.get("delimiter", ","), strict=True))
    with open(expected_path, encoding="ascii") as file:
        tokens = [line.rstrip("\n").split(" ") for line in file]
    if rows[0] != NAMES:
        return f"header {rows[0]!r}"
    if len(rows) != len(tokens) + 1 or not tokens:
        return f"{len(rows) - 1} rows, expected {len(tokens)}"
    for number, (row, line) in enumerate(zip(rows[1:], tokens), 1):
        expected = [expected_text(expected_cell(token)) for token in line]
        if row != expected:
            return f"row {number}: got {row!r}, expected {expected!r}"
    return None


def main():
    if not os.path.exists(DUMP):
        print("1..0 # SKIP tests/csv/dump is not built")
        return 0
    print(f"1..{len(VARIANTS)}")
    print(f"# seed {SEED}, {ROWS} rows")
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for number, variant in enumerate(VARIANTS, 1):
            path = os.path.join(folder, "out.csv")
            expected = os.path.join(folder, "expected")
            config = json.dumps({"path": "p", **variant})
            subprocess.run([DUMP, str(SEED + number), str(ROWS), config, path, expected], check=True)
            problem = compare(variant, path, expected)
            failed += problem is not None
            print(f"{'not ok' if problem else 'ok'} {number} - {json.dumps(variant)}")
            if problem:
                print(f"# {problem}")
    return 1 if failed else 0


sys.exit(main())
