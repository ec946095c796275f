"""What the tests that read csv.writer's files back share: the random tables of tests/csv/dump.c and their texts."""

import datetime
import decimal
import json
import os
import random
import subprocess
import time

SEED = int(os.environ.get("OSIRIS_TEST_SEED", time.time_ns() % 1000000))
DUMP = os.path.join(os.environ.get("top_builddir", "."), "tests", "csv", "dump")
NAMES = ["a text", "b,integer", 'c"double', "d", "e", "f", "g"]
EPOCH = datetime.datetime(1970, 1, 1)
decimal.getcontext().prec = 60


def value_of(token):
    """A cell of dump's expected file as a Python value."""
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
    if kind == "b":
        return value == "1"
    if kind == "x":
        return bytes.fromhex(value)
    return EPOCH + datetime.timedelta(microseconds=int(value))


def text_of(value):
    """The text that a value has under the usual options; NULL is None."""
    if value is None:
        return None
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, decimal.Decimal):
        return format(value, ".4f")
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def dump(seed, rows, config, path, *words):
    """Writes a table. Returns its rows of values, and the writer's error or None."""
    expected = path + ".expected"
    done = subprocess.run([DUMP, str(seed), str(rows), json.dumps({"path": "p", **config}), path,
                           expected, *words], capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"dump ended with {done.returncode}: {done.stderr}")
    with open(expected, encoding="ascii") as file:
        values = [[value_of(token) for token in line.split()] for line in file]
    return values, (done.stderr.strip() or "it failed") if done.returncode else None


def is_built():
    return os.path.exists(DUMP)


def generator():
    return random.Random(SEED)
