#!/usr/bin/env python3
"""How many steps run at the same time, and how many connections they take."""

import json

from tap import assert_equal, assert_in, events, files, main, osiris, pipeline, read, run_directory, step, test, write


def connection(maximum, extra=""):
    write("osiris_connections.yaml",
          "version: 1\nconnections:\n  test:\n    shop: {password: \"${SHOP_PASSWORD}\", "
          + ("" if maximum is None else f"max_connections: {maximum}, ") + f"default: true{extra}}}\n")


def pairs(count, **config):
    """Extractors and their writers; each pair is a group."""
    steps = []
    for i in range(count):
        steps.append(step(f"make{i:02}", "test.generate", "read", needs=[], rows=20, batch_rows=10, delay_ms=50, **config))
        steps.append(step(f"save{i:02}", "test.collect", "write", needs=[f"make{i:02}"], path=f"out{i:02}.txt"))
    pipeline(*steps)


def run(*arguments, code=0, env=None):
    result = osiris("run", "pipeline.yaml", *arguments, env={"SHOP_PASSWORD": "S3cret-value", **(env or {})})
    assert_equal(result.code, code, "exit code", result)
    return result


def most_at_a_time(prefix):
    """Of steps that have been started and whose group is not published; the records are in the order of what happened."""
    there, most = set(), 0
    for event in events(run_directory()):
        if event["event"] == "step_start" and event["step_id"].startswith(prefix):
            there.add(event["step_id"][len(prefix):])
            most = max(most, len(there))
        elif event["event"] == "artifact_created" and event["artifact_type"] == "output":
            there.discard(event["step_id"][4:])
    return most


@test
def test_sixteen_steps_by_default(folder):
    pairs(12)
    run()
    assert_equal(most_at_a_time("make"), 8, "extractors at a time")
    assert_equal(len([f for f in files() if f.startswith("out")]), 12, "outputs")


@test
def test_one_group_at_a_time(folder):
    """A group with more steps than there may be runs alone."""
    pairs(3)
    run("--max-steps", "1")
    assert_equal(most_at_a_time("make"), 1, "extractors at a time")


@test
def test_more_steps(folder):
    pairs(10)
    run("--max-steps", "1000")
    assert_equal(most_at_a_time("make"), 10, "extractors at a time")


@test
def test_invalid_numbers_of_steps(folder):
    pairs(1)
    for text in ("0", "-1", "many", "1001", "", "2x"):
        assert_in("--max-steps", run("--max-steps", text, code=2).err)


@test
def test_max_connections(folder):
    connection(3)
    pairs(6)
    result = run("--verbose")
    assert_equal(most_at_a_time("make"), 3, "extractors at a time", result)
    assert "no component of the family" not in result.err, result


@test
def test_max_connections_from_a_variable(folder):
    connection('"${MAXIMUM}"')
    pairs(3)
    run(env={"MAXIMUM": "1"})
    assert_equal(most_at_a_time("make"), 1, "extractors at a time")


@test
def test_invalid_numbers_of_connections(folder):
    pairs(1)
    for text in ("0", "-3", "many", "1.5", "true", "null", "[1]", "100001"):
        connection(text)
        result = run(code=2)
        assert_in("max_connections of \"@test.shop\" must be a whole number", result.err, result)
        assert_in("osiris_connections.yaml:4:", result.err, result)


@test
def test_steps_of_a_group_take_too_many(folder):
    """They have to run at the same time: what cannot be kept does not compile."""
    connection(2)
    makers = [step(f"make{i}", "test.generate", "read", needs=[]) for i in range(3)]
    pipeline(*makers, step("join", "test.pass", "transform", needs=["make0", "make1", "make2"]),
             step("save", "test.collect", "write", needs=["join"], path="out.txt"))
    result = run(code=2)
    assert_in("use 3 connections of \"@test.shop\", and its max_connections is 2", result.err, result)
    assert_in("pipeline.yaml:", result.err, result)


@test
def test_a_step_takes_too_many(folder):
    write("osiris_connections.yaml", "version: 1\nconnections:\n  mysql:\n    shop: {host: 127.0.0.1, database: shop, "
          "user: reader, password: \"${SHOP_PASSWORD}\", max_connections: 4}\n")
    pipeline(step("make", "mysql.extractor", "read", connection="@mysql.shop", table="t", partitions=4, consistent=True),
             step("save", "csv.writer", "write", path="out.csv"))
    result = run(code=2)
    assert_in("step \"make\" uses 5 connections of \"@mysql.shop\" at a time, and its max_connections is 4", result.err, result)
    lines = read("pipeline.yaml").splitlines()
    number = next(i for i, line in enumerate(lines, 1) if "\"partitions\"" in line)
    assert_in(f"pipeline.yaml:{number}:", result.err, result)


@test
def test_the_plan_is_described(folder):
    connection(3)
    pairs(1)
    plan = run("--dry-run", "--json").json()["plan"]
    assert_equal(plan["steps"][0]["connections"], {"of": "@test.shop", "count": 1, "max": 3}, "connections")
    assert "connections" not in plan["steps"][1], json.dumps(plan)
    assert_in("takes 1 of @test.shop, which allows 3 at a time", run("--dry-run").out)


if __name__ == "__main__":
    main()
