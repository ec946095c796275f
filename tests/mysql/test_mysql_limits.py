#!/usr/bin/env python3
"""A server with few connections, and a pipeline with many steps that read from it."""

import pathlib

from private import Private
from tap import assert_equal, assert_in, main, osiris, pipeline, step, test, write

# More than steps take, for a connection that was closed counts until the server has noticed.
private = Private("--max-connections=24")
EXTRACTORS = 40


def run(code, seconds, arguments=(), **fields):
    text = "version: 1\nconnections:\n  mysql:\n    shop:\n"
    write("osiris_connections.yaml", text + "".join(f"      {k}: {v}\n" for k, v in private.connection(**fields).items()))
    steps = []
    for i in range(EXTRACTORS):
        steps.append(step(f"read{i:02}", "mysql.extractor", "read", needs=[], connection="@mysql.shop",
                          query=f"SELECT {i} AS i, SLEEP({seconds}) AS s"))
        steps.append(step(f"save{i:02}", "csv.writer", "write", needs=[f"read{i:02}"], path=f"out{i:02}.csv"))
    pipeline(*steps)
    result = osiris("run", "pipeline.yaml", *arguments, env=private.env)
    assert_equal(result.code, code, "exit code", result)
    return result


@test
def test_the_default_bounds_them(folder):
    run(0, 0.1)
    assert_equal(len(list(pathlib.Path().glob("out*.csv"))), EXTRACTORS, "outputs")


@test
def test_max_connections_bounds_them(folder):
    run(0, 0.1, arguments=["--max-steps", "1000"], max_connections=8)
    assert_equal(len(list(pathlib.Path().glob("out*.csv"))), EXTRACTORS, "outputs")


@test
def test_all_at_once_are_too_many(folder):
    """The last test: the server goes on with what was asked of it."""
    assert_in("Too many connections", run(1, 3, arguments=["--max-steps", "1000"]).err)


if __name__ == "__main__":
    main(private.start, private.stop)
