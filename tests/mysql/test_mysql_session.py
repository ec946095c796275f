#!/usr/bin/env python3
"""mysql.extractor's session: init_sql, and what echo shows of it."""

from private import Private, describe, rows

from tap import (assert_equal, assert_in, finish, interrupt, main, read, run_directory, start, test,  # noqa: E402
                 wait_until)

private = Private()


@test
def test_a_statement(folder):
    private.extract(query="SELECT @a AS a", connection={"init_sql": "SET @a = 7"})
    assert_equal(rows(), [["7"]], "rows")


@test
def test_a_list_in_its_order(folder):
    private.extract(query="SELECT @a AS a", init_sql=["SET @a = 2", "SET @a = @a * 10", "SET @a = @a + 1"])
    assert_equal(rows(), [["21"]], "rows")


@test
def test_a_step_overrides_the_connections(folder):
    private.extract(query="SELECT @a AS a, @b AS b", connection={"init_sql": "SET @b = 1"}, init_sql="SET @a = 2")
    assert_equal(rows(), [["2", ""]], "rows")


@test
def test_it_comes_after_the_sessions_own_settings(folder):
    private.extract(query="SELECT @@net_write_timeout AS t", init_sql="SET SESSION net_write_timeout = 77")
    assert_equal(rows(), [["77"]], "rows")


@test
def test_the_servers_limit_of_rows_is_not_the_sessions(folder):
    private.sql("SET GLOBAL sql_select_limit = 2")
    try:
        private.extract(query="SELECT seq FROM seq_1_to_5")
        assert_equal(len(rows()), 5, "rows")
        private.extract(query="SELECT seq FROM seq_1_to_5", init_sql="SET SESSION sql_select_limit = 3")
        assert_equal(len(rows()), 3, "rows that init_sql asks for")
    finally:
        private.sql("SET GLOBAL sql_select_limit = DEFAULT")


@test
def test_results_are_skipped(folder):
    private.sql("DELIMITER |\nCREATE OR REPLACE PROCEDURE twice() BEGIN SELECT 1; SELECT 2; SET @done = 5; END|")
    private.extract(query="SELECT @done AS done", init_sql=["SELECT seq FROM seq_1_to_1000", "CALL twice()"])
    assert_equal(rows(), [["5"]], "rows")


@test
def test_a_procedure_belongs_into_it(folder):
    private.sql("DELIMITER |\nCREATE OR REPLACE PROCEDURE fill_it() BEGIN CREATE TEMPORARY TABLE made AS SELECT 5 AS n; "
                "SELECT 1; SELECT 2; END|")
    result = private.extract(code=1, query="CALL fill_it()")
    assert_in("CALL a procedure in init_sql", result.err, result)
    private.extract(query="SELECT n FROM made", init_sql="CALL fill_it()")
    assert_equal(rows(), [["5"]], "rows")


@test
def test_user_and_username_are_one(folder):
    for fields in ({"username": "${MYSQL_USER}"}, {"username": private.env["MYSQL_USER"]}):
        private.extract(query="SELECT 1 AS one", connection=fields)
        assert_equal(rows(), [["1"]], "rows")
    result = private.extract(code=2, query="SELECT 1", connection={"username": "somebody"})
    assert_in("the connection has both user and username, and they are different", result.err, result)


@test
def test_an_error_names_the_statement(folder):
    result = private.extract(code=1, query="SELECT 1", init_sql=["SET @a = 1", "SET @@no_such_thing = 1"])
    assert_in("cannot run statement 2 of init_sql", result.err, result)
    assert_in("1193", result.err, result)
    assert_in("; check init_sql of the step or its connection", result.err, result)


@test
def test_a_string_is_one_statement(folder):
    result = private.extract(code=1, query="SELECT 1", init_sql="SET @a = 1; SET @b = 2")
    assert_in("1064", result.err, result)
    assert_in("; check init_sql of the step or its connection; write several statements as a list", result.err, result)
    assert "check the query" not in result.err, result


@test
def test_what_the_columns_stand_on_may_not_change(folder):
    for sql in ("SET time_zone = '+05:00'", "SET NAMES latin1", "SET character_set_results = NULL"):
        result = private.extract(code=1, query="SELECT 1", init_sql=["SET @a = 1", sql])
        assert_in("init_sql has changed the session's time_zone or character_set_results", result.err, sql)


@test
def test_echo_shows_it(folder):
    private.extract(query="SELECT 1 AS one", init_sql=["SET @shown = 1"], echo=True)
    log = read(run_directory() / "osiris.log")
    assert_in("SET @shown = 1", log)
    assert_in("SELECT 1 AS one", log)


@test
def test_nothing_is_echoed_by_default(folder):
    private.extract(query="SELECT 1 AS one", init_sql=["SET @shown = 1"])
    log = read(run_directory() / "osiris.log")
    assert "SELECT" not in log and "@shown" not in log, log


@test
def test_a_statement_is_long_for_the_connection_only(folder):
    """On the server's machine it makes the server's buffer grow (drivers/mysql/lengthen.c)."""
    query = ("SELECT (SELECT info FROM information_schema.processlist WHERE id = CONNECTION_ID()) AS info, "
             "(SELECT variable_value > 98304 FROM information_schema.session_status "
             "WHERE variable_name = 'Bytes_received') AS lengthened")
    private.extract(query=query)
    assert_equal(rows(), [[query, "1"]], "rows")


@test
def test_a_server_that_takes_short_packets_only(folder):
    limit = private.sql("SELECT @@max_allowed_packet")
    private.sql("SET GLOBAL max_allowed_packet = 65536")
    try:
        private.extract(query="SELECT @@max_allowed_packet AS n")
        assert_equal(rows(), [["65536"]], "rows")
    finally:
        private.sql("SET GLOBAL max_allowed_packet = " + limit)


@test
def test_it_can_be_cancelled(folder):
    describe(private.connection(), query="SELECT 1", init_sql="DO SLEEP(1000)")
    process = start("run", "pipeline.yaml", env=private.env)

    def running():
        return private.sql("SELECT id FROM information_schema.processlist WHERE info = 'DO SLEEP(1000)'")
    wait_until(running, "the statement runs")
    interrupt(process)
    result = finish(process)
    assert_equal(result.code, 130, "exit code", result)
    assert result.seconds < 8, result
    wait_until(lambda: not running(), "the statement is gone", 30)


if __name__ == "__main__":
    main(private.start, private.stop)
