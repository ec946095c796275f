#!/usr/bin/env python3
"""csv.writer's files, read back by Python's csv module, hold what was written, value by value.

Random tables of hostile values; the seed is printed, and OSIRIS_TEST_SEED and OSIRIS_TEST_ROWS change
what is tried.
"""
import csv
import json
import os
import sys
import tempfile

from table import NAMES, SEED, dump, is_built, text_of

ROWS = int(os.environ.get("OSIRIS_TEST_ROWS", 1500))

VARIANTS = [
    {},
    {"delimiter": ";"},
    {"delimiter": "\t", "newline": "crlf"},
    {"delimiter": "-"},
    {"delimiter": " "},
    {"delimiter": "1", "quoting": "minimal"},
    {"quoting": "all", "newline": "crlf"},
    {"quoting": "nonnumeric"},
    {"quote": "'", "null_text": "NA"},
    {"escape": "\\"},
    {"escape": "\\", "quoting": "all", "delimiter": "|"},
    {"escape": "^", "quoting": "none", "null_text": "@NULL@"},
    {"encoding": "utf-8-sig"},
    {"encoding": "utf-16"},
    {"encoding": "utf-16be", "newline": "crlf"},
    {"encoding": "latin-1"},
    {"encoding": "ascii"},
]


def reader(file, config):
    """The reader's options are those that docs/csv-writer.md has for Python."""
    options = {"delimiter": config.get("delimiter", ","), "quotechar": config.get("quote", '"'),
               "strict": True}
    if "escape" in config:
        options.update(escapechar=config["escape"], doublequote=False)
    if config.get("quoting") == "none":
        options["quoting"] = csv.QUOTE_NONE
    return csv.reader(file, **options)


def compare(config, path, values):
    with open(path, newline="", encoding=config.get("encoding", "utf-8")) as file:
        rows = list(reader(file, config))
    null_text = config.get("null_text", "")
    if rows[0] != NAMES:
        return f"header {rows[0]!r}"
    if len(rows) != len(values) + 1 or not values:
        return f"{len(rows) - 1} rows, expected {len(values)}"
    for number, (row, line) in enumerate(zip(rows[1:], values), 1):
        expected = [null_text if value is None else text_of(value) for value in line]
        if row != expected:
            return f"row {number}: got {row!r}, expected {expected!r}"
    return None


def main():
    if not is_built():
        print("1..0 # SKIP tests/csv/dump is not built")
        return 0
    print(f"1..{len(VARIANTS)}")
    print(f"# seed {SEED}, {ROWS} rows")
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "out.csv")
        for number, variant in enumerate(VARIANTS, 1):
            values, problem = dump(SEED + number, ROWS, variant, path)
            problem = problem or compare(variant, path, values)
            failed += problem is not None
            print(f"{'not ok' if problem else 'ok'} {number} - {json.dumps(variant)}")
            if problem:
                print(f"# {problem}")
    return 1 if failed else 0


sys.exit(main())
