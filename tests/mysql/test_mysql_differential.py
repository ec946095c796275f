#!/usr/bin/env python3
"""Random tables, read by mysql.extractor and by the server's own client: every value of every row must agree.

    OSIRIS_DIFFERENTIAL_SEED    where the random numbers begin (printed; another one each time by default)
    OSIRIS_DIFFERENTIAL_ROWS    rows in all (3000 by default; millions on demand)

What is compared are the bytes of the batches (test.raw), with the client's `--batch --raw` output of expressions that
show a value exactly: HEX of what has bytes, text of what is a number or a moment, a double of a float.
"""

import csv
import json
import os
import random
import string
import struct
import subprocess

from private import Private

from raw import Raw, days_of

from tap import assert_equal, main, test  # noqa: E402

SEED = int(os.environ.get("OSIRIS_DIFFERENTIAL_SEED") or random.SystemRandom().randrange(10 ** 9))
ROWS = int(os.environ.get("OSIRIS_DIFFERENTIAL_ROWS") or 3000)
ROWS_A_TABLE = 200000
CHUNK = 500  # rows an INSERT

private = Private()

# A column's kind: (definition, a function that makes a literal, the exact expression of `{}`, from its text to what raw.py
# gives).


def integers(chance):
    name, bits = chance.choice([("TINYINT", 8), ("TINYINT(1)", 8), ("SMALLINT", 16), ("MEDIUMINT", 24), ("INT", 32),
                                ("BIGINT", 64)])
    sign = chance.choice(["", "", " UNSIGNED", " ZEROFILL"])
    low, high = (0, 2 ** bits - 1) if sign else (-2 ** (bits - 1), 2 ** (bits - 1) - 1)

    def literal():
        return str(chance.choice([low, high, 0, 1, chance.randint(low, high), chance.randint(low, high)]))
    return f"{name}{sign}", literal, "{}", int


def bits(chance):
    width = chance.randint(1, 64)
    return f"BIT({width})", lambda: str(chance.choice([0, 2 ** width - 1, chance.getrandbits(width)])), "{}+0", int


def years(chance):
    return "YEAR", lambda: str(chance.choice([0, 1901, 2155, chance.randint(1901, 2155)])), "{}+0", int


def random_double(chance):
    while True:
        value = struct.unpack("<d", chance.randbytes(8))[0]
        if abs(value) < 1.7e308:
            return value


def doubles(chance):
    def literal():
        return repr(chance.choice([0.0, 0.1, 1e15, random_double(chance), random_double(chance), chance.uniform(-1e6, 1e6)]))
    return "DOUBLE", literal, "{}", float


def floats(chance):
    def literal():
        return repr(chance.choice([0.0, 0.1, 3e38, chance.uniform(-1e6, 1e6), chance.uniform(-1, 1) * 10.0 ** chance.randint(-37, 37)]))
    # As a double it is shown so that it reads back exactly.
    return "FLOAT", literal, "CAST({} AS DOUBLE)", float


def decimals(chance):
    precision = chance.choice([1, 9, 18, 19, 37, 38, 39, 65, chance.randint(1, 65)])
    scale = chance.randint(0, min(precision, 38))

    def literal():
        digits = chance.choice(["9" * precision, "0", "1", "".join(chance.choices("0123456789", k=chance.randint(1, precision)))])
        digits = digits.rjust(scale + 1, "0")
        point = len(digits) - scale
        return chance.choice(["", "-"]) + digits[:point] + ("." + digits[point:] if scale else "")
    return f"DECIMAL({precision},{scale})", literal, "{}", lambda text: int(text.replace(".", ""))


LETTERS = {"utf8mb4": string.printable + "\0žščřäßñ€语言😀𝄞\u200b\ufeff", "utf8mb3": string.printable + "žä€语",
           "utf16": string.printable + "\0ž€语😀", "utf32": "abcž€语😀", "ucs2": "abc ž€语\0", "latin1": string.printable + "äöüßÿ€",
           "cp1251": "abcПриветЯё№", "latin2": "ab žščř", "sjis": "ab日本語テスト", "gbk": "ab中文字符", "koi8r": "abПривет"}


def hexed(data):
    return f"x'{data.hex()}'" if data else "''"


def texts(chance):
    charset = chance.choice(list(LETTERS))
    length = chance.choice([1, 20, 255])
    name = chance.choice([f"CHAR({length})", f"VARCHAR({length})", "TINYTEXT", "TEXT", "MEDIUMTEXT", "LONGTEXT"])
    collation = chance.choice(["", f" COLLATE {charset}_bin"])
    most = 63 if name == "TINYTEXT" else length  # 255 bytes, of which a character may take 4

    def literal():
        text = "".join(chance.choices(LETTERS[charset], k=chance.choice([0, 1, chance.randint(0, most)])))
        return f"_utf8mb4 {hexed(text.encode())}"
    return f"{name} CHARACTER SET {charset}{collation}", literal, "HEX(CONVERT({} USING utf8mb4))", bytes.fromhex


def binaries(chance):
    name = chance.choice(["VARBINARY(300)", "TINYBLOB", "BLOB", "MEDIUMBLOB", "LONGBLOB", "BINARY(7)"])
    most = {"BINARY(7)": 7, "TINYBLOB": 255}.get(name, 300)

    def literal():
        return hexed(chance.choice([b"", b"\0", b"\xff" * min(most, 256), chance.randbytes(chance.randint(0, most))]))
    return name, literal, "HEX({})", bytes.fromhex


def choices(chance):
    words = ["a", "ž, x", "say \"x\"", "", "😀"]
    listed = ", ".join(f"'{word}'" for word in words)
    return f"ENUM({listed})", lambda: str(chance.randint(1, len(words))), "HEX({})", bytes.fromhex


def sets(chance):
    count = chance.randint(1, 64)
    listed = ", ".join(f"'w{i}ž'" for i in range(count))
    return f"SET({listed})", lambda: str(chance.choice([0, 2 ** count - 1, chance.getrandbits(count)])), "HEX({})", bytes.fromhex


def day_text(chance):
    return chance.choice(["0001-01-01", "9999-12-31", "1970-01-01", "1969-12-31", "2000-02-29", "0000-00-00", "2024-00-00",
                          f"{chance.randint(0, 9999):04}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}"])


def days(text):
    """None for a date that does not exist."""
    year, month, day = map(int, text.split("-"))
    return None if month == 0 or day == 0 else days_of(year, month, day)


def microseconds(text):
    """Of [-]hh:mm:ss[.uuuuuu]."""
    clock, _, fraction = text.lstrip("-").partition(".")
    hours, minutes, seconds = map(int, clock.split(":"))
    value = ((hours * 60 + minutes) * 60 + seconds) * 10 ** 6 + int(fraction.ljust(6, "0") or 0)
    return -value if text.startswith("-") else value


def moment(text):
    day, clock = text.split(" ")
    return None if days(day) is None else days(day) * 86400 * 10 ** 6 + microseconds(clock)


def clock_text(chance, hours):
    return f"{chance.randint(0, hours):02}:{chance.randint(0, 59):02}:{chance.randint(0, 59):02}.{chance.randint(0, 999999):06}"


def dates(chance):
    return "DATE", lambda: f"'{day_text(chance)}'", "{}", days


def datetimes(chance):
    digits = chance.randint(0, 6)

    def literal():
        day = day_text(chance)
        # Rounding must not lead beyond the last year.
        return f"'{day} 00:00:00'" if day.startswith("9999") else f"'{day} {clock_text(chance, 23)}'"
    return f"DATETIME({digits})", literal, "{}", moment


def timestamps(chance):
    def literal():
        return f"FROM_UNIXTIME({chance.choice([1, 2147483646, chance.randint(1, 2147483646)])}.{chance.randint(0, 999999):06})"
    return f"TIMESTAMP({chance.randint(0, 6)}) NULL", literal, "{}", moment


def times(chance):
    def literal():
        return chance.choice(["'838:59:59'", "'-838:59:59'", "'00:00:00'",
                              f"'{chance.choice(['', '-'])}{clock_text(chance, 837)}'"])
    return f"TIME({chance.randint(0, 6)})", literal, "{}", microseconds


def addresses(chance):
    name, size = chance.choice([("UUID", 16), ("INET6", 16), ("INET4", 4)])
    return name, lambda: f"CAST({hexed(chance.randbytes(size))} AS {name})", "HEX(CAST({} AS CHAR))", bytes.fromhex


def documents(chance):
    def literal():
        value = chance.choice([None, [], {"ž": chance.random()}, [chance.getrandbits(60), "😀\"\\\n"], {"": [True, None]}])
        return f"_utf8mb4 {hexed(json.dumps(value, ensure_ascii=False).encode())}"
    return "JSON", literal, "HEX({})", bytes.fromhex


def places(chance):
    def point():
        return f"{chance.uniform(-180, 180)} {chance.uniform(-90, 90)}"

    def literal():
        a, b, c = point(), point(), point()
        text = chance.choice([f"POINT({a})", f"LINESTRING({a}, {b}, {c})", f"POLYGON(({a}, {b}, {c}, {a}))",
                              f"MULTIPOINT({a}, {b})", f"GEOMETRYCOLLECTION(POINT({a}), LINESTRING({b}, {c}))"])
        return f"ST_GeomFromText('{text}', {chance.choice([0, 4326])})"
    return "GEOMETRY", literal, "HEX(ST_AsWKB({}))", bytes.fromhex


KINDS = [integers, integers, bits, years, doubles, floats, decimals, decimals, texts, texts, binaries, choices, sets, dates,
         datetimes, timestamps, times, addresses, documents, places]


def make_table(chance, rows):
    """A table t of random columns; → (definition, expression, from its text) of each."""
    columns = [chance.choice(KINDS)(chance) for _ in range(chance.randint(1, 12))]
    holes = [chance.choice([0, 0.1, 0.9]) for _ in columns]
    definitions = ", ".join(f"c{i} {column[0]}" for i, column in enumerate(columns))
    with open("table.sql", "w", encoding="utf-8") as file:
        file.write("SET SESSION sql_mode = '', time_zone = '+00:00', unique_checks = 0, autocommit = 0;"
                   f"CREATE OR REPLACE TABLE t (n INT PRIMARY KEY, {definitions}) "
                   f"ENGINE={chance.choice(['MyISAM', 'InnoDB'])} CHARACTER SET utf8mb4;\n")
        for first in range(0, rows, CHUNK):
            values = []
            for n in range(first, min(first + CHUNK, rows)):
                cells = ["NULL" if chance.random() < hole else column[1]() for column, hole in zip(columns, holes)]
                values.append(f"({n}, {', '.join(cells)})")
            file.write("INSERT INTO t VALUES " + ",\n".join(values) + ";\n")
        file.write("COMMIT;\n")
    command, env = private.command()
    with open("table.sql", "rb") as file:
        done = subprocess.run(command, env=env, stdin=file, capture_output=True)
    assert_equal(done.returncode, 0, "exit code", done.stderr.decode(errors="replace"))
    return columns


def client_rows(columns):
    """What the server's client says, line by line."""
    exact = ", ".join(column[2].format(f"c{i}") for i, column in enumerate(columns))
    command, env = private.command("--batch", "--raw", "-N", "--quick", "-e",
                                   f"SET time_zone = '+00:00'; SELECT {exact} FROM t ORDER BY n")
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as client:
        for line in client.stdout:
            yield line.rstrip("\n").split("\t")
    assert_equal(client.returncode, 0, "the client's exit code")


def our_rows(chance, columns):
    """What mysql.extractor makes of them, in the order of n: asked by a query, as a table, or as ranges of it."""
    names = [f"c{i}" for i in range(len(columns))]
    way = chance.choice(["query", "table", "ranges"])
    if way == "query":
        raw = private.raw(query=f"SELECT {', '.join(names)} FROM t ORDER BY n", batch_size=1000)
        return way, raw.rows()
    if way == "table":
        return way, private.raw(table="t", columns=names, order_by="n").rows()
    raw = private.raw(table="t", columns=["n", *names], partitions=chance.randint(2, 5))
    return way, (row[1:] for row in sorted(raw.rows(), key=lambda row: row[0]))


def compare(chance, rows, columns, what):
    way, ours = our_rows(chance, columns)
    count = 0
    for theirs in client_rows(columns):
        got = next(ours, None)
        assert got is not None, f"{what}: our rows end at {count}"
        for i, (cell, column) in enumerate(zip(theirs, columns)):
            expected = None if cell == "NULL" else column[3](cell)
            assert got[i] == expected, (f"{what}: row {count}, c{i} {column[0]}, by {way}: the client has {cell!r} "
                                        f"({expected!r}), we have {got[i]!r}")
        count += 1
    assert_equal((count, next(ours, None)), (rows, None), f"{what}: rows")


@test
def test_random_tables(folder):
    print(f"# OSIRIS_DIFFERENTIAL_SEED={SEED} OSIRIS_DIFFERENTIAL_ROWS={ROWS}", flush=True)
    chance, left, number, values = random.Random(SEED), ROWS, 0, 0
    while left > 0:
        rows = min(left, chance.choice([1, 99, 100, 101, 1000, ROWS_A_TABLE]) if ROWS > 10000
                   else chance.choice([1, 99, 101, 250]))
        columns = make_table(chance, rows)
        compare(chance, rows, columns, f"seed {SEED}, table {number}")
        left, number, values = left - rows, number + 1, values + rows * len(columns)
    print(f"# {number} tables, {ROWS} rows, {values} values", flush=True)


@test
def test_random_texts_as_csv(folder):
    """The same for what a user sees: the CSV of texts and numbers."""
    chance = random.Random(SEED)
    columns = [make(chance) for make in (texts, integers, decimals, texts)]
    while not all("utf8" in columns[i][0] for i in (0, 3)):
        columns = [make(chance) for make in (texts, integers, decimals, texts)]
    holes = ", ".join(f"c{i} {column[0]}" for i, column in enumerate(columns))
    rows = [[column[1]() for column in columns] for _ in range(300)]
    private.sql(f"CREATE OR REPLACE TABLE t (n INT PRIMARY KEY, {holes}); INSERT INTO t VALUES " +
                ",".join(f"({n}, {', '.join(row)})" for n, row in enumerate(rows)))
    private.extract(query="SELECT c0, c1, c2, c3 FROM t ORDER BY n")
    with open("out.csv", newline="", encoding="utf-8") as file:
        got = list(csv.reader(file))[1:]
    theirs = list(client_rows(columns))
    assert_equal(len(got), len(theirs), "rows")
    for number, (row, cells) in enumerate(zip(got, theirs)):
        number_text = str(int(cells[1])) if cells[1] and "ZEROFILL" in columns[1][0] else cells[1]
        expected = [bytes.fromhex(cells[0]).decode(), number_text, cells[2], bytes.fromhex(cells[3]).decode()]
        assert_equal(row, expected, f"seed {SEED}, row {number}")


if __name__ == "__main__":
    main(private.start, private.stop)
