#!/usr/bin/env python3
"""A connection that is lost in the middle of a table: the read goes on behind the last row, or the run fails."""

import contextlib
import pathlib
import socket

from mysql_server import (Gate, export_while_killed, extract, fill, lines, run, server, setup, sql, start_server,
                          stop_server, teardown)
from proxy import Proxy
from tap import (assert_equal, assert_in, events, finish, interrupt, main, read, run_directory, start, test,
                 wait_until)


class Censor(Proxy):
    """Cuts a connection as soon as the client asks what has `word` in it, so many times."""

    def __init__(self, word, times=1):
        self.word, self.times = word.encode(), times
        super().__init__(server, 0, cuts=0)

    def pump(self, source, target, limit):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self.word in data and self.times > 0:
                    self.times -= 1
                    break
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def cut_export(cuts=3, after=60000, code=0, refuse=0, **config):
    """Exports through a proxy that cuts; gives the result."""
    with Proxy(server, after, cuts, refuse) as proxy:
        extract(connection={"port": proxy.port}, **{"batch_size": 500, **config})
        result = run("--verbose", code=code)
        if code == 0:
            assert_equal(proxy.connections, cuts + refuse + 1, "connections", result)
    return result


def agrees(table, columns="*", order=None, context=""):
    """The exported lines are those of an export that nobody disturbed."""
    got = lines()
    extract(path="whole.csv", query=f"SELECT {columns} FROM {table} ORDER BY {order}")
    run()
    expected = lines("whole.csv")
    assert_equal(len(got), len(expected), f"rows of {table}", context)
    assert_equal(next(((a, b) for a, b in zip(got, expected) if a != b), None), None, f"in {table}", context)


def fill_plain(table, rows=20000):
    fill(table, "id INT PRIMARY KEY, v VARCHAR(40)", f"SELECT seq * 7, CONCAT('value ', seq) FROM seq_1_to_{rows}")


@test
def test_by_default_a_primary_key_goes_on(folder):
    fill_plain("plain")
    result = cut_export(table="plain")
    agrees("plain", order="id")
    assert_in("; resuming after ", result.err, result)


@test
def test_a_run_that_is_not_disturbed_connects_once(folder):
    fill_plain("calm", 2000)
    cut_export(cuts=0, table="calm")
    agrees("calm", order="id")


@test
def test_fail_fails(folder):
    fill_plain("failing")
    result = cut_export(cuts=1, code=1, table="failing", on_disconnect="fail")
    assert_in("cannot read the rows", result.err, result)
    assert_in("(2013, HY000)", result.err, result)
    assert not pathlib.Path("out.csv").exists()


@test
def test_what_has_no_order_of_a_key_fails(folder):
    fill_plain("asked")
    for config, reason in (({"query": "SELECT * FROM asked ORDER BY id"}, "a query has no key"),
                           ({"table": "asked", "order_by": "id"}, "in the order of order_by")):
        cut_export(cuts=1, code=1, **config)
        result = cut_export(cuts=1, code=2, on_disconnect="resume", **config)
        assert_in(reason, result.err, result)


# Each table's key is of another kind: (definition, rows, key).
KEYS = {
    "unsigned_key": ("k BIGINT UNSIGNED PRIMARY KEY, v INT",
                     "SELECT 18446744073709551615 - seq, seq FROM seq_0_to_9999", "k"),
    "negative_key": ("k BIGINT PRIMARY KEY, v INT",
                     "SELECT CAST(seq AS DECIMAL(30)) * 1844674407370955 - 9223372036854775808, seq FROM seq_0_to_9999",
                     "k"),
    "decimal_key": ("k DECIMAL(65,30) PRIMARY KEY, v INT",
                    "SELECT CONCAT(CAST(seq AS SIGNED) - 5000, '.', LPAD(seq, 30, '0')), seq FROM seq_0_to_9999", "k"),
    "datetime_key": ("k DATETIME(6) PRIMARY KEY, v INT",
                     "SELECT '1000-01-01 00:00:00.000001' + INTERVAL seq * 7777777 SECOND + INTERVAL seq MICROSECOND, "
                     "seq FROM seq_0_to_9999", "k"),
    "timestamp_key": ("k TIMESTAMP(3) PRIMARY KEY DEFAULT 0, v INT",
                      "SELECT '1970-01-02 00:00:00.001' + INTERVAL seq * 200055 SECOND, seq FROM seq_0_to_9999", "k"),
    "date_key": ("k DATE PRIMARY KEY, v INT", "SELECT '1000-01-01' + INTERVAL seq * 300 DAY, seq FROM seq_0_to_9999", "k"),
    "time_key": ("k TIME(2) PRIMARY KEY, v INT",
                 "SELECT SEC_TO_TIME((CAST(seq AS SIGNED) - 5000) * 600.01), seq FROM seq_0_to_9999", "k"),
    "text_key": ("k VARCHAR(50) COLLATE utf8mb4_swedish_ci PRIMARY KEY, v INT",
                 "SELECT CONCAT(ELT(1 + seq % 5, 'ärlig', 'Zebra', 'ö\\'\\\\', '', '𐍈 '), MD5(seq)), seq "
                 "FROM seq_0_to_9999", "k"),
    "latin_key": ("k CHAR(30) CHARACTER SET latin1 COLLATE latin1_german2_ci PRIMARY KEY, v INT",
                  "SELECT CONCAT(ELT(1 + seq % 4, 'ß', 'Ä', '€', 'z'), seq), seq FROM seq_0_to_9999", "k"),
    "binary_key": ("k VARBINARY(20) PRIMARY KEY, v INT",
                   "SELECT CONCAT(UNHEX(MD5(seq)), ELT(1 + seq % 3, '', x'00', x'27FF')), seq FROM seq_0_to_9999", "k"),
    "uuid_key": ("k UUID PRIMARY KEY, v INT", "SELECT INSERT(INSERT(MD5(seq), 13, 1, '4'), 17, 1, 'a'), seq FROM seq_0_to_9999",
                 "k"),
    "composite_key": ("a VARCHAR(5) COLLATE utf8mb4_general_ci, b INT, c DATE, v INT, PRIMARY KEY (a, b, c)",
                      "SELECT ELT(1 + seq % 4, 'a', 'A', 'b', ''), seq DIV 50, '2020-01-01' + INTERVAL seq DAY, seq "
                      "FROM seq_0_to_9999", "a, b, c"),
    "descending_key": ("id INT, v VARCHAR(40), PRIMARY KEY (id DESC)", "SELECT seq, CONCAT('value ', seq) FROM seq_0_to_19999",
                       "id DESC"),
    "mixed_key": ("a INT, b INT, v VARCHAR(40), PRIMARY KEY (a, b DESC)",
                  "SELECT seq % 7, seq, CONCAT('value ', seq) FROM seq_0_to_19999", "a, b DESC"),
    "year_key": ("y YEAR, n INT, v VARCHAR(40), PRIMARY KEY (y, n)",
                 "SELECT 1901 + seq % 255, seq, CONCAT('value ', seq) FROM seq_0_to_19999", "y, n"),
    "unique_key": ("`we``ird` INT NOT NULL, v INT, n INT, UNIQUE (n), UNIQUE u (`we``ird`)",
                   "SELECT 1000000 - seq, seq, NULL FROM seq_0_to_9999", "`we``ird`"),
}


@test
def test_keys_of_every_kind(folder):
    for table, (definition, rows, key) in KEYS.items():
        fill(table, definition, rows)
        result = cut_export(after=30000, cuts=3, table=table)
        agrees(table, order=key, context=result)


@test
def test_the_conditions_use_the_key(folder):
    # The statements that go on are ranges of the index, not scans behind which most rows are thrown away.
    for table in ("unsigned_key", "decimal_key", "datetime_key", "text_key", "latin_key", "binary_key", "uuid_key",
                  "composite_key"):
        fill(table, *KEYS[table][:2])
        result = cut_export(after=30000, cuts=1, table=table, echo=True)
        statement = [line for line in result.err.splitlines() if "SELECT * FROM" in line][-1]
        statement = statement[statement.index("SELECT"):]
        assert_in("WHERE", statement, result)
        plan = sql(f"SET time_zone = '+00:00'; EXPLAIN {statement}").rstrip("\n").split("\t")
        assert_equal((plan[3], plan[5]), ("range", "PRIMARY"), f"access to {table}", f"{statement}\n{plan}")
        assert "filesort" not in plan[-1], plan


@test
def test_a_key_that_is_not_exported(folder):
    fill("hidden", "a INT, b INT, v VARCHAR(20), PRIMARY KEY (a, b)",
         "SELECT seq % 9, seq, CONCAT('v', seq) FROM seq_1_to_20000")
    cut_export(after=20000, table="hidden", columns=["v", "a"])
    agrees("hidden", columns="v, a", order="hidden.a, hidden.b")


@test
def test_a_key_that_is_invisible(folder):
    sql("CREATE OR REPLACE TABLE unseen (id INT INVISIBLE DEFAULT 0 PRIMARY KEY, v VARCHAR(20));"
        "INSERT INTO unseen (id, v) SELECT seq, CONCAT('v', seq * 3) FROM seq_1_to_20000")
    cut_export(after=20000, table="unseen")
    agrees("unseen", columns="v", order="id")


@test
def test_where_holds_for_the_rest_too(folder):
    fill_plain("chosen")
    cut_export(table="chosen", where="id % 5 <> 0 OR id < 100 -- and so on")
    agrees("chosen WHERE id % 5 <> 0 OR id < 100", order="id")


@test
def test_limit_counts_what_came(folder):
    fill_plain("limited")
    cut_export(after=30000, table="limited", limit=7001, offset=4000)
    got = lines()
    assert_equal(len(got), 7001, "rows")
    assert_equal(got[0], "28007,value 4001", "first row")
    assert_equal(got[-1], "77007,value 11001", "last row")
    assert_equal(len(set(got)), 7001, "different rows")


@test
def test_order_is_only_asked_for_where_it_is_free(folder):
    sql("CREATE OR REPLACE TABLE heap (id INT PRIMARY KEY, v VARCHAR(40)) ENGINE=MyISAM;"
        "INSERT INTO heap SELECT 30000 - seq, 'value' FROM seq_1_to_20000")
    # Sorting first is not free: by default such a read fails with its connection.
    cut_export(cuts=1, code=1, table="heap")
    cut_export(table="heap", on_disconnect="resume")
    agrees("heap", order="id")


@test
def test_resume_needs_a_key(folder):
    sql("CREATE OR REPLACE TABLE keyless (id INT, v INT, UNIQUE (id)); INSERT INTO keyless VALUES (1, 1);"
        "CREATE OR REPLACE VIEW look AS SELECT * FROM keyless")
    for table in ("keyless", "look"):
        extract(table=table, on_disconnect="resume")
        result = run(code=1)
        assert_in('"id" may be NULL' if table == "keyless" else "it has no unique key", result.err, result)
        extract(table=table)
        run()
        assert_equal(lines(), ["1,1"], "rows")


@test
def test_why_a_key_is_of_no_use(folder):
    for number, (definition, reason) in enumerate((
            ("d DOUBLE PRIMARY KEY", 'values of "d", double, cannot be compared exactly'),
            ("id INT, f FLOAT, PRIMARY KEY (id, f)", 'values of "f", float, cannot'),
            ("id INT, t TEXT, PRIMARY KEY (id, t(20))", 'it contains only a prefix of "t"'),
            ("e ENUM('a') PRIMARY KEY", """values of "e", enum('a'), cannot"""),
            ("s VARCHAR(9) CHARACTER SET sjis PRIMARY KEY", 'the character set of "s", sjis, does not'),
            ("t TEXT NOT NULL UNIQUE", "it is a HASH index, which has no order"))):
        sql(f"CREATE OR REPLACE TABLE useless{number} ({definition})")
        extract(table=f"useless{number}", on_disconnect="resume")
        assert_in(reason, run(code=1).err)


@test
def test_a_key_that_cannot_be_requested_is_reported(folder):
    fill("undated", "d DATE, n INT, v VARCHAR(40), PRIMARY KEY (d, n)",
         "SELECT '0000-00-00', seq, CONCAT('value ', seq) FROM seq_1_to_20000")
    result = cut_export(cuts=1, code=1, table="undated")
    assert_in("the key of the last row contains a date that does not exist", result.err, result)
    assert_in("(2013, HY000)", result.err, result)


@test
def test_attempts_are_bounded(folder):
    fill_plain("refused")
    result = cut_export(cuts=1, refuse=100, code=1, table="refused", reconnect_attempts=3)
    assert_in("3 attempts to resume failed", result.err, result)
    cut_export(cuts=1, refuse=2, table="refused", reconnect_attempts=3)
    agrees("refused", order="id")


@test
def test_waiting_for_an_attempt_can_be_cancelled(folder):
    fill_plain("waiting")
    with Proxy(server, 60000, 1, refuse=1000) as proxy:
        extract(connection={"port": proxy.port}, table="waiting", reconnect_attempts=100, batch_size=500)
        process = start("run", "pipeline.yaml", env=server)
        wait_until(lambda: proxy.connections >= 4, "attempts are made")
        interrupt(process)
        result = finish(process)
    assert_equal(result.code, 130, "exit code", result)
    assert result.seconds < 5, result


@test
def test_an_altered_table_is_refused(folder):
    fill_plain("altered")
    with Proxy(server, 60000, 1, refuse=8) as proxy:
        extract(connection={"port": proxy.port}, table="altered", batch_size=500)
        process = start("run", "pipeline.yaml", env=server)
        wait_until(lambda: proxy.connections >= 3, "attempts are made")
        sql("ALTER TABLE altered ADD w INT")
        result = finish(process)
    assert_equal(result.code, 1, "exit code", result)
    assert_in("was altered while it was read", result.err, result)


@test
def test_kill_on_the_server(folder):
    export_while_killed()
    agrees("killed", order="id")


def kill_before_rows(table, count=1, **config):
    """Exports, and kills so many connections one after the other while their statements have given no row yet."""
    with Gate() as gate:
        extract(table=table, where=Gate.where, **config)
        process = start("run", "pipeline.yaml", "--verbose", env=server)
        for number in range(count):
            wait_until(lambda: Gate.waiting(table), "the statement runs")
            waiting = Gate.waiting(table)
            if number == count - 1:
                gate.open()
            sql(f"KILL CONNECTION {waiting[0]}")
            wait_until(lambda: waiting[0] not in Gate.waiting(table), "it is gone")
        return finish(process)


@test
def test_a_kill_before_the_first_row_begins_again(folder):
    fill_plain("early", 3000)
    sql("CREATE OR REPLACE TABLE sorted (id INT PRIMARY KEY, v VARCHAR(40)) ENGINE=MyISAM;"
        "INSERT INTO sorted SELECT 3000 - seq, 'value' FROM seq_1_to_2000")
    for table, count, config in (("early", 1, {}), ("early", 3, {"limit": 1000, "offset": 500}),
                                 ("sorted", 1, {"on_disconnect": "resume"})):
        result = kill_before_rows(table, count, **config)
        assert_equal(result.code, 0, "exit code", result)
        assert_in("no row had arrived, starting again", result.err, result)
        got = lines()
        extract(path="whole.csv", table=table, **config)
        run()
        assert_equal(got, lines("whole.csv"), f"rows of {table}", result)


@test
def test_kills_before_the_first_row_are_bounded(folder):
    fill_plain("hopeless", 3000)
    for count, config, reason in ((3, {"reconnect_attempts": 2}, "lost after 0 rows, and 2 attempts to resume failed"),
                                  (1, {"on_disconnect": "fail"}, "cannot run the query")):
        result = kill_before_rows("hopeless", count, **config)
        assert_equal(result.code, 1, "exit code", result)
        assert_in(reason, result.err, result)
        assert_in("(2013, HY000)", result.err, result)


def cut_planning(word, times=1, code=0, **config):
    with Censor(word, times) as proxy:
        extract(connection={"port": proxy.port}, table="planned", partitions=3, where="id > 0", **config)
        return run("--verbose", code=code), proxy


@test
def test_a_loss_while_ranges_are_planned_begins_again(folder):
    fill_plain("planned")
    extract(path="whole.csv", table="planned")
    run()
    expected = sorted(lines("whole.csv"))
    for word, what in (("SELECT 1 FROM `planned` WHERE id > 0", "use where as a condition"),
                       ("SHOW ", "inspect the table"),
                       ("ORDER BY `id` DESC LIMIT 1", "split the table"), ("SELECT (CAST(", "split the table"),
                       ("EXPLAIN FORMAT=TRADITIONAL SELECT 1", "split the table"), ("AVG_ROW_LENGTH", "inspect the table"),
                       ("EXPLAIN FORMAT=TRADITIONAL SELECT *", "explain the read of the table")):
        for times, config in ((1, {}), (2, {"on_disconnect": "resume"}), (1, {"consistent": True})):
            if "SELECT *" in word and config:
                continue  # only by default the server is asked
            result, proxy = cut_planning(word, times, **config)
            assert_equal(proxy.connections - config.get("consistent", 0), 3 + times, "connections", result)
            assert_in(f"cannot {what}", result.err, result)
            assert_in("; starting again", result.err, result)
            assert_equal(sorted(lines()) == expected, True, "the rows are the table's", result)


@test
def test_losses_while_ranges_are_planned_are_bounded(folder):
    fill_plain("planned")
    result, proxy = cut_planning("SELECT (CAST(", times=100, code=1, on_disconnect="resume", reconnect_attempts=3)
    assert_equal(proxy.connections, 4, "connections", result)
    assert_in("the connection was lost after 0 rows, and 3 attempts to resume failed: cannot split the table", result.err,
              result)


@test
def test_a_loss_while_ranges_are_planned_fails_if_that_is_wanted(folder):
    fill_plain("planned")
    result, proxy = cut_planning("SELECT (CAST(", code=1, on_disconnect="fail")
    assert_equal(proxy.connections, 1, "connections", result)
    assert_in("extract-it: cannot split the table", result.err, result)
    assert_in("(2013, HY000)", result.err, result)
    assert_equal(events(run_directory(), "step_failed")[0]["detail"]["retryable"], True, "retryable", result)


def refuse_others(refuse, code=0, **config):
    """Refuses the connections behind the first, which plans."""
    with Proxy(server, 1 << 30, cuts=0, refuse=refuse) as proxy:
        extract(connection={"port": proxy.port}, table="planned", partitions=3, **config)
        return run("--verbose", code=code), proxy


@test
def test_a_partition_that_cannot_connect_tries_again(folder):
    fill_plain("planned")
    for config in ({}, {"on_disconnect": "resume"}):
        result, proxy = refuse_others(2, **config)
        assert_equal(proxy.connections, 5, "connections", result)
        assert_equal(len(set(lines())), 20000, "rows", result)
    result, proxy = refuse_others(100, code=1, reconnect_attempts=2)
    assert_equal(proxy.connections, 4, "connections", result)
    assert_in("2 attempts to reconnect failed: cannot connect at", result.err, result)
    result, proxy = refuse_others(100, code=1, on_disconnect="fail")
    assert_equal(proxy.connections, 2, "connections", result)


@test
def test_a_server_without_connections_left_is_waited_for_if_resume_is_wanted(folder):
    fill_plain("planned")
    sql("CREATE OR REPLACE USER narrow IDENTIFIED BY 'narrow' WITH MAX_USER_CONNECTIONS 2; GRANT SELECT ON shop.* TO narrow")
    for config, reason in (({}, "cannot connect at"), ({"on_disconnect": "resume", "reconnect_attempts": 1},
                                                       "1 attempt to reconnect failed: cannot connect at")):
        extract(connection={"user": "narrow", "password": "narrow"}, table="planned", partitions=3, **config)
        result = run(code=1)
        assert_in(f": {reason}", result.err, result)
        assert_in("(1226, 42000)", result.err, result)


@test
def test_silence_before_the_first_row_is_no_loss(folder):
    fill_plain("silent", 3000)
    with Gate():
        extract(table="silent", where=Gate.where, on_disconnect="resume", connection={"read_timeout": 1})
        result = run("--verbose", code=1)
        for number in Gate.waiting("silent"):
            sql(f"KILL CONNECTION {number}")
    assert_in("read_timeout", result.err, result)
    assert "starting again" not in result.err, result


@test
def test_a_server_that_starts_again(folder):
    fill("restarted", "id INT PRIMARY KEY, v VARCHAR(200)", "SELECT seq, REPEAT('x', 150) FROM seq_1_to_60000")
    # The password is made anew at each start; a proxy keeps the port.
    sql("CREATE OR REPLACE USER keeper IDENTIFIED BY 'the same'; GRANT SELECT ON shop.* TO keeper")
    with Proxy(server, 3000000, cuts=1, hold=True) as proxy:
        extract(connection={"port": proxy.port, "user": "keeper", "password": "the same"}, table="restarted",
                batch_size=500)
        process = start("run", "pipeline.yaml", env=server)
        assert proxy.held.wait(60), "it never came to the middle"
        stop_server()
        start_server()
        result = finish(process)
    assert_equal(result.code, 0, "exit code", result)
    assert_equal([int(line.split(",")[0]) for line in lines()], list(range(1, 60001)), "ids")


if __name__ == "__main__":
    main(setup, teardown)
