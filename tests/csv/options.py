#!/usr/bin/env python3
"""csv.writer's options in random combinations, read back by a reader that knows them.

The reader is an independent one: a page of Python that does what docs/csv-writer.md says. The seed is printed;
OSIRIS_TEST_SEED and OSIRIS_TEST_COMBINATIONS change what is tried.
"""
import base64
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile

from table import NAMES, SEED, dump, generator, is_built, text_of

COMBINATIONS = int(os.environ.get("OSIRIS_TEST_COMBINATIONS", 300))
GROUPS = 10
MARKS = {"utf-8-sig": b"\xef\xbb\xbf", "utf-16": b"\xff\xfe"}
CODECS = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-16le": "utf-16-le",
          "utf-16be": "utf-16-be"}
TIMES = {
    "%Y-%m-%dT%H:%M:%S.%6f": lambda t: t.strftime("%Y-%m-%dT%H:%M:%S.%f"),
    "%d.%m.%y %I:%M %p %3f": lambda t: t.strftime("%d.%m.%y %I:%M %p ") + f"{t.microsecond // 1000:03}",
    "%j/%u, %A %B \"%b\"": lambda t: t.strftime("%j/%u, %A %B \"%b\""),
}
CHOICES = {
    "delimiter": [",", ";", "\t", "|", "-", " ", "1", ":"],
    "quote": ['"', '"', "'", "~", "."],
    "escape": [None, None, "\\", "^", "/"],
    "null_text": ["", "", "NULL", "\\N", "-", "0", "NA", "True", ";"],
    "quoting": ["minimal", "minimal", "all", "nonnumeric", "none"],
    "newline": ["lf", "crlf"],
    "header": [True, True, False],
    "encoding": ["utf-8", "utf-8", *MARKS, "utf-16le", "utf-16be", "latin-1", "ascii"],
    "compression": ["none", "none", "gzip", "zstd"],
    "binary": ["hex", "base64"],
    "true_text": ["True", "1", "yes, indeed", "NULL"],
    "false_text": ["False", "0", "no\n"],
    "float_format": ["shortest", "%.6f", "%.3e", "%.17g", "%G"],
    "timestamp_format": [None, *TIMES],
    "formula_guard": ["none", "none", "apostrophe"],
    "rows_per_file": [None, None, 7, 20],
    "bytes_per_file": [None, None, 700],
}


def choose(random):
    config = {name: random.choice(values) for name, values in CHOICES.items()}
    if random.random() < 0.3:
        config["columns"] = random.sample(NAMES, random.randrange(2, len(NAMES) + 1))
    if random.random() < 0.1:
        config["columns"] = "source"
    return {name: value for name, value in config.items() if value is not None}


def is_contradiction(config):
    """What the options' rules exclude."""
    special = [config["delimiter"], config["quote"], config.get("escape")]
    null_text = config["null_text"]
    return (len(set(special)) < 3 or ("escape" in config and config["delimiter"] == "1")
            or config["delimiter"] in null_text or config["quote"] in null_text
            or ("escape" in config and null_text.endswith(config["escape"])))


def read_file(path, config):
    if config["compression"] == "zstd":
        data = subprocess.run(["zstd", "-dcq", path], check=True, capture_output=True).stdout
    else:
        with (gzip.open if config["compression"] == "gzip" else open)(path, "rb") as file:
            data = file.read()
    mark = MARKS.get(config["encoding"], b"")
    if not data.startswith(mark):
        raise ValueError("no byte order mark")
    return data[len(mark):].decode(CODECS.get(config["encoding"], config["encoding"]))


def read_cell(text, at, config):
    """The cell at a place: (its text, or None if it is NULL), and where it ends."""
    quote, escape = config["quote"], config.get("escape")
    quoted = text.startswith(quote, at) and config["quoting"] != "none"
    cell, begin = [], at
    at += quoted
    while True:
        character = text[at]
        if escape is not None and character == escape:
            cell.append(text[at + 1])
            at += 2
        elif quoted and character == quote and escape is None and text.startswith(quote, at + 1):
            cell.append(quote)
            at += 2
        elif quoted and character == quote:
            return "".join(cell), at + 1
        elif not quoted and (character == config["delimiter"] or character in "\r\n"):
            is_null = text[begin:at] == config["null_text"]
            return None if is_null else "".join(cell), at
        else:
            cell.append(character)
            at += 1


def read_rows(text, config):
    newline = "\r\n" if config["newline"] == "crlf" else "\n"
    rows, row, at = [], [], 0
    while at < len(text):
        cell, at = read_cell(text, at, config)
        row.append(cell)
        if text.startswith(newline, at):
            rows.append(row)
            row = []
            at += len(newline)
        elif text.startswith(config["delimiter"], at):
            at += 1
        else:
            raise ValueError(f"row {len(rows) + 1}: a cell ends with {text[at:at + 10]!r}")
    if row:
        raise ValueError("the last line has no end")
    return rows


def expected_text(value, config):
    if isinstance(value, bool):
        return config["true_text" if value else "false_text"]
    if isinstance(value, float) and config["float_format"] != "shortest":
        return config["float_format"] % value
    if isinstance(value, bytes) and config["binary"] == "base64":
        return base64.b64encode(value).decode()
    if hasattr(value, "strftime") and "timestamp_format" in config:
        return TIMES[config["timestamp_format"]](value)
    if isinstance(value, str) and config["formula_guard"] == "apostrophe" and value[:1] in (
            "=", "+", "-", "@", "\t", "\r", "\n"):
        return "'" + value
    return text_of(value)


def expected_row(values, config):
    return [expected_text(value, config) for value in values]


def chosen_columns(config):
    columns = config.get("columns", "sorted")
    return range(len(NAMES)) if isinstance(columns, str) else [NAMES.index(name) for name in columns]


def compare(config, paths, values):
    columns = chosen_columns(config)
    got = []
    for number, path in enumerate(paths):
        rows = read_rows(read_file(path, config), config)
        if config["header"]:
            header = rows.pop(0)
            if header != [NAMES[column] for column in columns]:
                return f"header {header!r}"
        full = config.get("rows_per_file", len(rows))
        if len(rows) > full or (number + 1 < len(paths) and "bytes_per_file" not in config
                                and len(rows) != full):
            return f"file {number + 1} has {len(rows)} rows"
        got += rows
    if len(got) != len(values):
        return f"{len(got)} rows, expected {len(values)}"
    for number, (row, line) in enumerate(zip(got, values), 1):
        expected = expected_row([line[column] for column in columns], config)
        if row != expected:
            return f"row {number}: got {row!r}, expected {expected!r}"
    return None


def try_one(seed, config, folder):
    path = os.path.join(folder, "out")
    for name in os.listdir(folder):
        os.unlink(os.path.join(folder, name))
    values, error = dump(seed, 60, config, path)
    if error is not None:
        # Values of these tables cannot all go without quotes; a library may have been left out of the build.
        return None if ("quoting is none" in error and config["quoting"] == "none"
                        or "this build of csv.writer has no" in error) else error
    paths = [path]
    while os.path.exists(f"{path}.{len(paths) + 1}"):
        paths.append(f"{path}.{len(paths) + 1}")
    try:
        return compare(config, paths, values)
    except (ValueError, IndexError) as problem:
        return f"cannot be read: {problem}"


def main():
    if not is_built():
        print("1..0 # SKIP tests/csv/dump is not built")
        return 0
    if shutil.which("zstd") is None:
        CHOICES["compression"].remove("zstd")
    print(f"1..{GROUPS}")
    print(f"# seed {SEED}, {COMBINATIONS} combinations")
    random = generator()
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for group in range(1, GROUPS + 1):
            problems = []
            for number in range(COMBINATIONS // GROUPS):
                config = choose(random)
                while is_contradiction(config):
                    config = choose(random)
                problem = try_one(SEED + group * 100000 + number, config, folder)
                if problem is not None:
                    problems.append(f"{json.dumps(config)}: {problem}")
            failed += bool(problems)
            print(f"{'not ok' if problems else 'ok'} {group} - random options")
            for problem in problems[:3]:
                print(f"# {problem}")
    return 1 if failed else 0


sys.exit(main())
