#!/usr/bin/env python3
"""csv.writer's files, read by SQLite's .import and MariaDB's LOAD DATA with the recipes of docs/csv-writer.md, hold what
was written, value by value. Random tables of hostile values; the seed is printed.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from table import NAMES, SEED, dump, is_built, text_of

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "mysql"))

ROWS = int(os.environ.get("OSIRIS_TEST_ROWS", 1500))
MARK = "@NULL@"  # no value is this text

# (what it proves, the writer's options, LOAD DATA's)
MARIADB = [
    ("without escapes", {"null_text": "NULL"},
     "FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\"' ESCAPED BY '' LINES TERMINATED BY '\\n'"),
    ("with a backslash", {"null_text": "\\N", "escape": "\\", "quoting": "nonnumeric", "delimiter": "\t"},
     "FIELDS TERMINATED BY '\\t' OPTIONALLY ENCLOSED BY '\"' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n'"),
    ("a backslash, no quotes", {"null_text": "\\N", "escape": "\\", "quoting": "none"},
     "FIELDS TERMINATED BY ',' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n'"),
    ("all quoted, CRLF", {"null_text": "NULL", "quoting": "all", "newline": "crlf"},
     "FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\"' ESCAPED BY '' LINES TERMINATED BY '\\r\\n'"),
]


def hex_of(values):
    return [None if value is None else text_of(value).encode("utf-8").hex().upper()
            for value in values]


def first_difference(got, expected):
    if len(got) != len(expected):
        return f"{len(got)} rows, expected {len(expected)}"
    for number, (row, wanted) in enumerate(zip(got, expected), 1):
        if row != wanted:
            return f"row {number}: got {row!r}, expected {wanted!r}"
    return None


def parse(output):
    """Rows of hex digits, "N" for NULL."""
    return [[None if cell == "N" else cell for cell in line.split("\t")]
            for line in output.splitlines()]


def try_sqlite(folder, config, words, nulls_kept):
    path = os.path.join(folder, "out.csv")
    values, error = dump(SEED + 1, ROWS, config, path, *words)
    if error:
        return error
    columns = [f'"{name.replace(chr(34), chr(34) * 2)}"' for name in NAMES]
    updates = "".join(f"UPDATE t SET {c} = NULL WHERE {c} = '{MARK}';" for c in columns)
    shown = ", ".join(f"CASE WHEN {c} IS NULL THEN 'N' ELSE hex({c}) END" for c in columns)
    script = (f".bail on\n.mode csv\n.import {path} t\n{updates if nulls_kept else ''}\n"
              f".mode tabs\nSELECT {shown} FROM t ORDER BY rowid;\n")
    done = subprocess.run(["sqlite3", "-batch", ":memory:"], input=script, capture_output=True,
                          text=True)
    if done.returncode or done.stderr:
        return f"sqlite3: {done.stderr[:300]}"
    expected = [hex_of(row) for row in values]
    if not nulls_kept:
        expected = [["" if cell is None else cell for cell in row] for row in expected]
    return first_difference(parse(done.stdout), expected)


def try_mariadb(private, folder, config, clauses):
    path = os.path.join(folder, "out.csv")
    values, error = dump(SEED + 2, ROWS, config, path)
    if error:
        return error
    names = ", ".join(f"c{i}" for i in range(len(NAMES)))
    shown = ", ".join(f"IFNULL(HEX(c{i}), 'N')" for i in range(len(NAMES)))
    table = ", ".join(f"c{i} LONGTEXT" for i in range(len(NAMES)))
    output = private.client(
        f"CREATE OR REPLACE TABLE read_back (id INT AUTO_INCREMENT PRIMARY KEY, {table}) "
        f"DEFAULT CHARSET utf8mb4;"
        f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE read_back CHARACTER SET utf8mb4 {clauses} "
        f"IGNORE 1 LINES ({names}); SELECT {shown} FROM read_back ORDER BY id;",
        "-B", "-N", "--local-infile=1").decode()
    return first_difference(parse(output), [hex_of(row) for row in values])


def run_sqlite(folder):
    if shutil.which("sqlite3") is None:
        return [("sqlite", None, "there is no sqlite3")]
    return [("sqlite, NULL as the empty text", try_sqlite(folder, {}, ["no-nul"], False), None),
            ("sqlite, NULL by a mark", try_sqlite(folder, {"null_text": MARK}, ["no-nul"], True), None),
            ("sqlite, all quoted", try_sqlite(folder, {"quoting": "all"}, ["no-nul"], False), None)]


def run_mariadb(folder):
    if shutil.which("mariadb") is None or shutil.which("mariadbd", path=os.environ.get(
            "PATH", "") + ":/usr/sbin:/usr/local/sbin") is None:
        return [("mariadb", None, "there is no MariaDB")]
    from private import Private
    private = Private("--local-infile=1")
    try:
        private.start()
        return [(f"mariadb, {name}", try_mariadb(private, folder, config, clauses), None)
                for name, config, clauses in MARIADB]
    finally:
        private.stop()


def main():
    if not is_built():
        print("1..0 # SKIP tests/csv/dump is not built")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        results = run_sqlite(folder) + run_mariadb(folder)
    print(f"1..{len(results)}")
    print(f"# seed {SEED}, {ROWS} rows")
    for number, (name, problem, skipped) in enumerate(results, 1):
        print(f"{'not ok' if problem else 'ok'} {number} - {name}{' # SKIP ' + skipped if skipped else ''}")
        if problem:
            print(f"# {problem}")
    return 1 if any(problem for _, problem, _ in results) else 0


sys.exit(main())
