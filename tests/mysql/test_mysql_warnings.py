#!/usr/bin/env python3
"""Values that the server cut or made NULL, with a warning and without an error: mysql.extractor's on_warnings."""

import pathlib
import shutil

from fake_mysql import fake_mysql
from mysql_server import extract, fill, lines, private, run, server, setup, sql, teardown
from private import describe
from proxy import Proxy
from tap import assert_equal, assert_in, events, main, osiris, read, run_directory, test

SAID = "the server truncated values or turned them into NULL"


def told(result):
    """The warnings that the user has seen; they are in the records, too."""
    found = [line for line in result.err.splitlines() if SAID in line]
    assert_equal(read(run_directory() / "osiris.log").count(SAID), len(found), "in the log", result)
    shutil.rmtree("run_logs")
    return found


def one(part, count, **config):
    extract(**config)
    result = run()
    found = told(result)
    assert_equal(len(found), 1, "warnings", result)
    assert_in("extract-it", found[0], result)
    assert_in(f"with {count} warning{'' if count == 1 else 's'}: ", found[0], result)
    assert_in(part, found[0], result)
    return found[0]


CUT = {"init_sql": "SET group_concat_max_len = 10", "query": "SELECT GROUP_CONCAT(seq) AS a FROM seq_1_to_100"}


@test
def test_what_is_cut(folder):
    one("was cut by GROUP_CONCAT() (1260)", 1, **CUT)
    assert_equal(lines(), ['"1,2,3,4,5,"'], "rows")


@test
def test_with_json_they_are_in_the_answer(folder):
    extract(**CUT)
    warning, = run("--json").json()["warnings"]
    assert_equal(warning["source"], "extract-it", "source")
    assert_in("was cut by GROUP_CONCAT() (1260)", warning["message"])


@test
def test_what_becomes_null_or_something_else(folder):
    one("Division by 0 (1365)", 2, query="SELECT seq / 0 AS n FROM seq_1_to_2")
    one("Truncated incorrect INTEGER value: 'abc' (1292)", 1, query="SELECT CAST('abc' AS SIGNED) AS n")
    one("Incorrect datetime value: 'never' (1292)", 1, query="SELECT CAST('never' AS DATETIME) AS t")


@test
def test_many_are_counted_and_the_first_are_shown(folder):
    # The server keeps 64.
    text = one("value: 'x1' (1292); ", 1000, query="SELECT CAST(CONCAT('x', seq) AS SIGNED) AS n FROM seq_1_to_1000")
    assert_in("'x3' (1292)", text)
    assert "'x4'" not in text, text
    text = one("Division by 0 (1365)", 1000, query="SELECT 1 / (seq - seq) AS n FROM seq_1_to_1000")
    assert_equal(text.count("1365"), 1, "times that the same is said")


@test
def test_values_that_are_right(folder):
    for config in ({"query": "SELECT seq FROM seq_1_to_10"}, {"query": "SELECT 1 AS one WHERE 1 = 0"}):
        extract(**config)
        result = run()
        assert_equal(told(result), [], "warnings", result)


@test
def test_ignore(folder):
    extract(**CUT, on_warnings="ignore")
    result = run()
    assert_equal(told(result), [], "warnings", result)


@test
def test_fail(folder):
    extract(**CUT, on_warnings="fail")
    result = run(code=1)
    assert_in("with 1 warning: Row ", result.err, result)
    assert_in("was cut by GROUP_CONCAT() (1260)", result.err, result)
    assert not pathlib.Path("out.csv").exists(), result
    detail = events(run_directory(), "run_error")[0]["detail"]
    assert_equal((detail["category"], detail["retryable"]), ("data", False), "error", result)
    assert_in("set on_warnings to warn", detail["hint"], result)
    extract(query="SELECT 1 AS one", on_warnings="fail")
    run()


@test
def test_an_unknown_choice(folder):
    extract(query="SELECT 1 AS one", on_warnings="abort")
    assert_in("on_warnings", run(code=2).err)


WORDS = {"table": "words", "where": "CAST(v AS SIGNED) = 0"}


def words(rows):
    fill("words", "id INT PRIMARY KEY, v VARCHAR(100)", f"SELECT seq, REPEAT('w', 100) FROM seq_1_to_{rows}")


@test
def test_partitions_are_reported_together(folder):
    words(5000)
    extract(**WORDS, partitions=4)
    found = told(run())
    assert_equal(len(found), 1, "warnings")
    assert_in("Truncated incorrect INTEGER value", found[0])
    # The server may look at rows of other partitions, too, if that is how it plans.
    assert int(found[0].split(" warnings: ")[0].rsplit(" ", 1)[1]) >= 5000, found
    assert_equal(len(lines()), 5000, "rows")
    extract(**WORDS, partitions=4, on_warnings="fail")
    result = run(code=1)
    assert_in("Truncated incorrect INTEGER value", result.err, result)
    assert_equal(result.err.count(SAID), 1, "times that it is said", result)


@test
def test_behind_a_lost_connection(folder):
    words(5000)
    with Proxy(server, 200000) as proxy:
        extract(**WORDS, connection={"port": proxy.port}, batch_size=100)
        result = run()
    assert_equal(len(lines()), 5000, "rows", result)
    assert_equal(len(told(result)), 1, "warnings", result)


@test
def test_a_lost_connection_fails_with_fail(folder):
    """What the server warned of is lost with it."""
    words(5000)
    with Proxy(server, 200000) as proxy:
        extract(**WORDS, connection={"port": proxy.port}, batch_size=100, on_warnings="fail")
        result = run(code=1)
        assert_equal(proxy.connections, 1, "connections", result)
    assert_in("the connection broke", result.err, result)
    extract(**WORDS, on_warnings="fail", on_disconnect="resume")
    assert_in("the server's warnings are lost with the connection", run(code=2).err)


@test
def test_what_is_only_noted(folder):
    extract(query="SELECT @@session.sql_notes AS notes")
    run()
    assert_equal(lines(), ["0"], "rows")


def scripted(warnings, gone=False):
    """→ the warnings told, and the statements that the server was asked."""
    texts = []

    def script(connection):
        connection.greet(plugin="mysql_native_password")
        connection.login()
        connection.ok()
        texts.extend(connection.serve(numbers=[1, 2], warnings=warnings, gone_for="SHOW WARNINGS" if gone else None))

    with fake_mysql(script) as fake:
        describe({"host": "127.0.0.1", "port": fake.port, "database": "shop", "user": "reader"}, query="SELECT n")
        result = osiris("run", "pipeline.yaml")
        assert_equal(result.code, 0, "exit code", f"{result}\n{fake.problems}")
    return told(result), texts


@test
def test_nothing_is_asked_without_warnings(folder):
    found, texts = scripted(0)
    assert_equal(found, [], "warnings")
    assert "SHOW WARNINGS" not in texts, texts
    found, texts = scripted(2)
    assert_equal(texts.count("SHOW WARNINGS"), 1, "times that it is asked")


@test
def test_more_than_the_server_counts(folder):
    found, _ = scripted(65535)
    assert_in("with 65535 or more warnings", found[0])


@test
def test_a_server_that_does_not_say_them(folder):
    found, _ = scripted(3, gone=True)
    assert_in("with 3 warnings", found[0])


if __name__ == "__main__":
    main(setup, teardown)
