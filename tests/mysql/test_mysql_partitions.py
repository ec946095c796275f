#!/usr/bin/env python3
"""partitions, partition_on, consistent: the ranges have each row once, are about equal, and see one state."""

import pathlib
import subprocess
import threading

from mysql_server import (Gate, export_while_killed, extract, fill, lines, private, run, server, setup, sql,
                          teardown)
from tap import assert_equal, assert_in, events, finish, interrupt, main, run_directory, start, test, wait_until


def statements(result):
    return [line[line.index("SELECT"):] for line in result.err.splitlines() if "SELECT * FROM" in line]


def split(table, partitions, rows=None, ranges=None, **config):
    """Exports in partitions; checks that each row is there once, and how many ranges there were."""
    extract(table=table, partitions=partitions, echo=True, **config)
    result = run("--verbose")
    got = sorted(lines())
    extract(path="whole.csv", query=f"SELECT * FROM {table}")
    run()
    assert_equal(len(got), len(lines("whole.csv")), f"rows of {table}", result)
    assert got == sorted(lines("whole.csv")), f"{table}: other rows\n{result}"
    if ranges is not None:
        assert_equal(len(statements(result)), ranges, "ranges", result)
    return result


def sizes(result):
    """Rows of each range, by the server's own count."""
    counts = []
    for statement in statements(result):
        condition = statement[statement.index("WHERE"):].split(" ORDER BY")[0] if "WHERE" in statement else ""
        table = statement.split()[3]
        counts.append(int(sql(f"SET time_zone = '+00:00'; SELECT COUNT(*) FROM {table} {condition}")))
    return counts


def even(result, total, tolerance=0.35):
    counts = sizes(result)
    assert_equal(sum(counts), total, "rows of all ranges", result)
    share = total / len(counts)
    assert all(abs(count - share) <= tolerance * share for count in counts), f"{counts}\n{result}"


@test
def test_plain_ids(folder):
    fill("plain", "id INT PRIMARY KEY, v INT", "SELECT seq, seq FROM seq_1_to_40000")
    even(split("plain", 4, ranges=4), 40000)


@test
def test_ids_full_of_gaps(folder):
    # Nearly all ids are in two clouds far from the ends; equal steps of the id would put them into one range.
    fill("gaps", "id BIGINT UNSIGNED PRIMARY KEY",
         "SELECT seq FROM seq_1_to_3 UNION ALL SELECT 1000000000 + seq FROM seq_1_to_20000 UNION ALL "
         "SELECT 9000000000000 + seq * seq FROM seq_1_to_20000 UNION ALL SELECT 18446744073709551615")
    even(split("gaps", 4, ranges=4), 40004)


@test
def test_edges_of_types(folder):
    fill("lowest", "k BIGINT PRIMARY KEY", "SELECT -9223372036854775808 UNION ALL SELECT 9223372036854775807 UNION ALL "
         "SELECT 0 UNION ALL SELECT -1 UNION ALL SELECT CAST(seq AS SIGNED) - 500 FROM seq_2_to_100")
    split("lowest", 5)
    fill("decimals", "k DECIMAL(65,30) PRIMARY KEY",
         "SELECT '-99999999999999999999999999999999999.999999999999999999999999999999' UNION ALL "
         "SELECT '99999999999999999999999999999999999.999999999999999999999999999999' UNION ALL "
         "SELECT CONCAT('0.', LPAD(seq, 30, '0')) FROM seq_0_to_2000")
    even(split("decimals", 3, ranges=3), 2003, 0.6)


@test
def test_duplicates_and_nulls(folder):
    fill("doubles", "a INT, b INT, KEY (a)", "SELECT NULLIF(seq % 7, 3), seq FROM seq_1_to_20000")
    result = split("doubles", 3, ranges=3, partition_on="a")
    assert_equal(sum("IS NULL" in statement for statement in statements(result)), 1, "ranges with NULL", result)
    split("doubles", 50, ranges=7, partition_on="a")
    fill("unknown", "a INT, KEY (a)", "SELECT NULL FROM seq_1_to_100")
    split("unknown", 4, ranges=1, partition_on="a")
    fill("nothing", "a INT PRIMARY KEY", "SELECT 1 FROM seq_1_to_1 WHERE 0")
    split("nothing", 4, ranges=1)
    fill("single", "a INT PRIMARY KEY", "SELECT 1")
    split("single", 4, ranges=1)


@test
def test_dates(folder):
    fill("days", "d DATE, KEY (d)", "SELECT '2020-01-01' + INTERVAL seq % 1500 DAY FROM seq_1_to_20000 UNION ALL "
         "SELECT '0000-00-00' UNION ALL SELECT '9999-12-31' UNION ALL SELECT NULL")
    even(split("days", 4, ranges=4, partition_on="d"), 20003)
    fill("moments", "d DATETIME(6), t TIMESTAMP(3) NULL, KEY (d), KEY (t)",
         "SELECT '2020-01-01' + INTERVAL seq * 977 SECOND + INTERVAL seq MICROSECOND, "
         "'2020-01-01' + INTERVAL seq * 977 SECOND FROM seq_1_to_20000")
    even(split("moments", 3, ranges=3, partition_on="d"), 20000)
    even(split("moments", 3, ranges=3, partition_on="t"), 20000)


@test
def test_dates_that_do_not_exist(folder):
    lenient = "SET sql_mode = 'ALLOW_INVALID_DATES'; "
    for kind, wrong in (("DATE", ["0000-00-00", "0000-05-10", "1999-00-00", "2020-02-30", "2021-00-00", "2023-11-31",
                                  "2024-02-00", "9999-00-00", "9999-12-00"]),
                        ("DATETIME", ["0000-00-00 00:00:00", "1999-00-01 10:00:00", "2021-06-31 00:00:00",
                                      "9999-12-00 01:02:03"]),
                        ("TIMESTAMP NULL", ["0000-00-00 00:00:00"])):
        for few in (1, 3000):
            sql(f"{lenient}CREATE OR REPLACE TABLE odd (id INT AUTO_INCREMENT PRIMARY KEY, d {kind}, KEY (d));"
                "INSERT INTO odd (d) SELECT '2018-01-01' + INTERVAL seq % 2500 DAY FROM seq_1_to_20000;"
                f"INSERT INTO odd (d) SELECT NULL FROM seq_1_to_{few};" +
                "".join(f"INSERT INTO odd (d) SELECT '{day}' FROM seq_1_to_{few};" for day in wrong))
            even(split("odd", 4, ranges=4, partition_on="d"), 20000 + few * (1 + len(wrong)), 0.8)
    sql(f"{lenient}CREATE OR REPLACE TABLE odd (d DATE, KEY (d)); INSERT INTO odd VALUES ('0000-00-00'), ('2024-02-00'), (NULL)")
    split("odd", 4, ranges=1, partition_on="d")


@test
def test_rows_without_a_date_are_a_range_of_their_own(folder):
    fill("undated", "id INT PRIMARY KEY, d DATE NOT NULL, KEY (d)",
         "SELECT seq, IF(seq <= 20000, '0000-00-00', '2020-01-01' + INTERVAL seq % 1000 DAY) FROM seq_1_to_40000")
    counts = sizes(split("undated", 3, ranges=3, partition_on="d"))
    assert max(counts) < 23000, counts


@test
def test_years(folder):
    fill("years", "y YEAR, KEY (y)", "SELECT IF(seq % 5 = 0, 0, 1901 + seq % 255) FROM seq_1_to_20000 UNION ALL SELECT NULL")
    even(split("years", 3, ranges=3, partition_on="y"), 20001, 0.5)


@test
def test_texts_in_their_own_order(folder):
    for collation in ("utf8mb4_general_ci", "utf8mb4_swedish_ci", "utf8mb4_bin", "utf8mb4_nopad_bin",
                      "latin1_german2_ci"):
        charset = collation.split("_")[0]
        fill("texts", f"k VARCHAR(60) CHARACTER SET {charset} COLLATE {collation}, KEY (k)",
             "SELECT CONCAT(ELT(1 + seq % 8, 'ä', 'A', 'a ', 'Z', '', 'ß', 'o\\'\\\\', 'ÿ'), MD5(seq % 5000)) "
             "FROM seq_1_to_10000 UNION ALL SELECT NULL UNION ALL SELECT '' UNION ALL SELECT ' '")
        even(split("texts", 5, ranges=5, partition_on="k"), 10003)
    fill("case_only", "k VARCHAR(9) COLLATE utf8mb4_general_ci, KEY (k)",
         "SELECT ELT(1 + seq % 3, 'a', 'A', 'ä') FROM seq_1_to_99")
    split("case_only", 4, ranges=1, partition_on="k")
    fill("bytes", "k VARBINARY(20) PRIMARY KEY",
         "SELECT CONCAT(UNHEX(MD5(seq)), ELT(1 + seq % 3, '', x'00', x'27FF')) FROM seq_1_to_10000")
    even(split("bytes", 4, ranges=4), 10000)


@test
def test_only_the_keys_first_column_counts(folder):
    fill("first_only", "id INT, d DOUBLE, t TEXT, PRIMARY KEY (id DESC, d, t(10))",
         "SELECT seq % 1000, seq / 3, CONCAT('t', seq) FROM seq_1_to_20000")
    even(split("first_only", 3, ranges=3), 20000)


@test
def test_where_holds_in_each_range(folder):
    fill("some", "id INT PRIMARY KEY, v INT", "SELECT seq, seq % 10 FROM seq_1_to_20000")
    extract(table="some", partitions=4, where="v = 3 OR v = 4 -- and no others")
    run()
    assert_equal(sorted(int(line.split(",")[0]) for line in lines()),
                 [i for i in range(1, 20001) if i % 10 in (3, 4)], "ids")


@test
def test_where_stays_within_its_parentheses(folder):
    fill("some", "id INT PRIMARY KEY, v INT", "SELECT seq, seq % 10 FROM seq_1_to_20000")
    for partitions in (1, 4):
        for where in ("v = 3) OR (v = 4", "1) -- (", "(v = 3", "v = 3)", "v = '3", "v = 3 /* and", "1) OR (')' = ')'"):
            extract(table="some", partitions=partitions, where=where)
            result = run(code=1)
            assert_in("cannot use where as a condition", result.err, where)
            assert_in("1064", result.err, where)
        for where in ("v = 3 OR (v = 4 AND ')' = ')')", "v IN (3, 4) # )", "(v = 3) OR (v = 4)"):
            extract(table="some", partitions=partitions, where=where)
            run()
            assert_equal(len(lines()), 4000, where)


@test
def test_what_cannot_be_split(folder):
    sql("CREATE OR REPLACE TABLE bare (id INT, f FLOAT, KEY (f)); INSERT INTO bare VALUES (1, 1), (2, 2);"
        "CREATE OR REPLACE TABLE `double` (d DOUBLE PRIMARY KEY); CREATE OR REPLACE TABLE prefix (t TEXT, v VARCHAR(99), PRIMARY KEY (t(9)), KEY begins (v(9)));"
        "CREATE OR REPLACE TABLE ignored (n INT, k INT NOT NULL, id INT NOT NULL, UNIQUE (n), KEY told (k) IGNORED);"
        "CREATE OR REPLACE VIEW looked AS SELECT * FROM bare")
    for config, reason, code in (
            ({"table": "bare"}, "it has no unique key", 1),
            ({"table": "double"}, 'values of "d", double, cannot be compared exactly', 1),
            ({"table": "prefix"}, 'it contains only a prefix of "t"', 1),
            ({"table": "prefix", "partition_on": "t"}, "use a column of integers, decimals, dates, times, char, varchar", 1),
            ({"table": "prefix", "partition_on": "v"}, 'its index "begins" contains only a prefix of it, so each range would '
             "read the whole table; use a column that an index begins with (in full, not a prefix), or create such an index", 1),
            ({"table": "bare", "partition_on": "id"}, "no index begins with it", 1),
            ({"table": "ignored"}, 'its key "n" cannot be used, because "n" may be NULL', 1),
            ({"table": "ignored", "partition_on": "k"}, 'its index "told" cannot be used, because the server is configured to ignore it', 1),
            ({"table": "looked"}, 'the view "looked" cannot be split: a view has no index; use the table that it reads', 1),
            ({"table": "looked", "partition_on": "f"}, "its type cannot be split into ranges", 1),
            ({"table": "looked", "partition_on": "id"}, "a view has no index; use the table that it reads, or omit", 1),
            ({"table": "bare", "partition_on": "f"}, "its type cannot be split into ranges", 1),
            ({"table": "bare", "partition_on": "g"}, 'no column "g"', 1),
            ({"query": "SELECT 1"}, "a query cannot be split", 2),
            ({"table": "bare", "limit": 5}, "the ranges do not know each other's rows", 2),
            ({"table": "bare", "offset": 5}, "the ranges do not know each other's rows", 2),
            ({"table": "bare", "order_by": "id"}, "any order", 2)):
        extract(partitions=2, **config)
        assert_in(reason, run(code=code).err)


@test
def test_the_first_error_ends_all(folder):
    fill("wrong", "id INT PRIMARY KEY, v VARCHAR(300)", "SELECT seq, REPEAT('x', 200) FROM seq_1_to_100000")
    # Only the rows of one range make it fail.
    extract(table="wrong", partitions=4,
            where="IF(id > 99000, (SELECT 1 UNION ALL SELECT id), 1) = 1", on_disconnect="fail")
    result = run(code=1)
    assert_in("1242", result.err, result)
    assert not pathlib.Path("out.csv").exists()


@test
def test_cancel_reaches_all(folder):
    fill("slow", "id INT PRIMARY KEY", "SELECT seq FROM seq_1_to_4000")
    extract(table="slow", partitions=4, where="SLEEP(1) = 0", on_disconnect="fail")
    process = start("run", "pipeline.yaml", env=server)

    def running():
        return len(sql("SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND "
                       "info LIKE '%FROM `slow`%SLEEP%'").split())
    wait_until(lambda: running() == 4, "four ranges are read")
    interrupt(process)
    result = finish(process)
    assert_equal(result.code, 130, "exit code", result)
    assert result.seconds < 8, result
    wait_until(lambda: running() == 0, "all queries are gone", 30)


@test
def test_each_range_goes_on(folder):
    export_while_killed(partitions=3)
    assert_equal(sorted(int(line.split(",")[0]) for line in lines()), list(range(1, 120001)), "ids")


@test
def test_a_range_that_is_lost_before_its_first_row_begins_again(folder):
    fill("waiting", "id INT PRIMARY KEY, v INT", "SELECT seq, seq FROM seq_1_to_40000")
    for where, count in ((f"id <> 7 OR {Gate.where}", 1), (f"id % 5000 <> 7 OR {Gate.where}", 4)):
        with Gate() as gate:
            extract(table="waiting", partitions=4, where=where)
            process = start("run", "pipeline.yaml", "--verbose", env=server)
            wait_until(lambda: len(Gate.waiting("waiting")) == count, "the statements run")
            gate.open()
            for number in Gate.waiting("waiting"):
                sql(f"KILL CONNECTION {number}")
            result = finish(process)
        assert_equal(result.code, 0, "exit code", result)
        assert_equal(result.err.count("starting again"), count, "beginnings", result)
        assert_equal(sorted(int(line.split(",")[0]) for line in lines()), list(range(1, 40001)), "ids")


@test
def test_consistent_sees_one_state(folder):
    # Each transaction moves amounts from the first half of the ids to the second; the sum never changes.
    fill("accounts", "id INT PRIMARY KEY, amount BIGINT", "SELECT seq, 1000 FROM seq_1_to_20000")
    done = threading.Event()
    moves = 0

    def write():
        nonlocal moves
        while not done.is_set():
            sql("".join(f"START TRANSACTION; UPDATE accounts SET amount = amount - {n} WHERE id = {1 + n * 7 % 10000};"
                        f"UPDATE accounts SET amount = amount + {n} WHERE id = {10001 + n * 13 % 10000}; COMMIT;"
                        for n in range(1, 400)))
            moves += 1
    writer = threading.Thread(target=write)
    writer.start()
    try:
        wait_until(lambda: moves > 0, "there is a writer")
        extract(table="accounts", partitions=8, consistent=True)
        for _ in range(6):
            run()
            amounts = [int(line.split(",")[0]) for line in lines()]
            assert_equal((len(amounts), sum(amounts)), (20000, 20000 * 1000), "rows and sum")
    finally:
        done.set()
        writer.join()


@test
def test_consistent_or_not_at_all(folder):
    sql("CREATE OR REPLACE TABLE heap (id INT PRIMARY KEY) ENGINE=MyISAM; INSERT INTO heap SELECT seq FROM seq_1_to_99;"
        "CREATE OR REPLACE TABLE fine (id INT PRIMARY KEY); INSERT INTO fine SELECT seq FROM seq_1_to_99;"
        "CREATE OR REPLACE VIEW seen AS SELECT * FROM fine;"
        "CREATE OR REPLACE USER reader IDENTIFIED BY 'only reads'; GRANT SELECT ON shop.* TO reader")
    extract(table="heap", consistent=True, partitions=2)
    assert_in("has no snapshots", run(code=1).err)
    extract(table="seen", consistent=True)
    assert_in("is a view", run(code=1).err)
    extract(query="SELECT 1", consistent=True)
    assert_in('requires "table"', run(code=2).err)
    extract(table="fine", consistent=True, partitions=2, connection={"user": "reader", "password": "only reads"})
    assert_in("LOCK TABLES", run(code=1).err)
    # One connection needs no lock.
    extract(table="fine", consistent=True, connection={"user": "reader", "password": "only reads"})
    run()
    assert_equal(len(lines()), 99, "rows")
    extract(table="fine", consistent=True, on_disconnect="resume")
    assert_in("a snapshot is lost with its connection", run(code=2).err)


@test
def test_a_lock_that_is_not_granted_is_a_timeout(folder):
    fill("busy", "id INT PRIMARY KEY", "SELECT seq FROM seq_1_to_99")
    command, env = private.command("--unbuffered", "-N")
    with subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        writer.stdin.write("START TRANSACTION; DELETE FROM busy WHERE id = 7; SELECT 'written';\n")
        writer.stdin.flush()
        assert_equal(writer.stdout.readline(), "written\n", "what the client prints")
        extract(table="busy", consistent=True, partitions=2, lock_timeout=1)
        result = run(code=1)
        writer.stdin.close()
    detail = events(run_directory(), "run_error")[0]["detail"]
    assert_equal((detail["category"], detail["retryable"], detail["native_code"]), ("timeout", True, 1205), "error", result)
    assert_in('LOCK TABLES "busy" READ', result.err, result)
    assert_in("within 1 s (lock_timeout)", result.err, result)
    assert "privilege" not in result.err, result
    assert 1 <= result.seconds < 8, result


if __name__ == "__main__":
    main(setup, teardown)
