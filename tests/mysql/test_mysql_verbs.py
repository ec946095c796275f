#!/usr/bin/env python3
"""connections list, connections doctor, discovery run, discovery plan."""

import json
import os
import pathlib
import tempfile

from mysql_server import extract, fill, lines, private, run, server, setup, sql, teardown
from private import describe
from tap import assert_equal, assert_in, main, osiris, read, test, write


def ask(*arguments, code=0, connection=None):
    """Runs a command beside a connections file; checks that it leaves nothing behind."""
    describe(private.connection(**(connection or {})))
    pathlib.Path("pipeline.yaml").unlink()
    with tempfile.TemporaryDirectory() as temporary:
        result = osiris(*arguments, env={**server, "TMPDIR": temporary})
        assert_equal(os.listdir(temporary), [], "what is left in TMPDIR")
    assert_equal(result.code, code, "exit code", result)
    assert_equal(sorted(os.listdir()), ["osiris_connections.yaml"], "what is left", result)
    assert server["MYSQL_PASSWORD"] not in result.out + result.err, result
    return result


@test
def test_connections_are_listed_without_values(folder):
    write("osiris_connections.yaml", "version: 1\nconnections:\n"
          "  mysql:\n    shop: {host: here, password: literal secret, default: true}\n    other: {user: me}\n"
          "  acme:\n    default: {token: hidden}\n")
    result = osiris("connections", "list", "--json")
    assert_equal(result.json()["connections"], [
        {"connection": "@mysql.shop", "family": "mysql", "alias": "shop", "default": True,
         "fields": ["host", "password"]},
        {"connection": "@mysql.other", "family": "mysql", "alias": "other", "default": False, "fields": ["user"]},
        {"connection": "@acme.default", "family": "acme", "alias": "default", "default": True, "fields": ["token"]}],
        "connections", result)
    text = osiris("connections", "list")
    for output in (result, text):
        assert "secret" not in output.out + output.err and "hidden" not in output.out, output
    assert_in("@mysql.other", text.out, text)
    pathlib.Path("osiris_connections.yaml").unlink()
    assert_equal(osiris("connections", "list").code, 1, "exit code without a file")


@test
def test_the_doctor_says_what_works(folder):
    result = ask("connections", "doctor", "--json")
    entry = result.json()["connections"][0]
    assert_equal((entry["connection"], entry["ok"]), ("@mysql.shop", True), "entry", result)
    found = entry["result"]
    assert_equal(found["version"], sql("SELECT VERSION()").strip(), "version")
    assert_equal((found["server"], found["tls"]), ("MariaDB", None), "server", result)
    assert 0 < found["latency_ms"] < 10000, result
    assert "SELECT" in found["privileges"] and "LOCK TABLES" in found["privileges"], result
    assert_in("@mysql.shop: ok, MariaDB", ask("connections", "doctor", "@mysql.shop").out)


@test
def test_the_doctor_fails_with_one(folder):
    result = ask("connections", "doctor", "--json", code=1, connection={"password": "wrong"})
    entry = result.json()["connections"][0]
    assert_equal((entry["ok"], entry["error"]["category"], entry["error"]["native_code"]), (False, "auth", 1045),
                 "entry", result)
    sql("CREATE OR REPLACE USER nobody IDENTIFIED BY 'knocks'; GRANT INSERT ON shop.* TO nobody")
    result = ask("connections", "doctor", "--json", code=1,
                 connection={"user": "nobody", "password": "knocks"})
    checks = {check["name"]: check["ok"] for check in result.json()["connections"][0]["result"]["checks"]}
    assert_equal(checks, {"connect": True, "select": False}, "checks", result)
    assert_in("is not a connection", ask("connections", "doctor", "mysql.shop", code=2).err)
    assert_in("there is no connection", ask("connections", "doctor", "@nothing.here", code=2).err)


@test
def test_the_doctor_believes_what_works(folder):
    sql("CREATE OR REPLACE TABLE readable (id INT, v INT); INSERT INTO readable VALUES (1, 2);"
        "CREATE DATABASE IF NOT EXISTS elsewhere; CREATE DATABASE IF NOT EXISTS bare;"
        "CREATE OR REPLACE TABLE elsewhere.there (id INT); CREATE OR REPLACE ROLE readers;"
        "GRANT SELECT ON shop.readable TO readers; GRANT SELECT ON bare.* TO readers; GRANT INSERT ON elsewhere.* TO readers;"
        "CREATE OR REPLACE USER by_role IDENTIFIED BY 'knocks'; GRANT readers TO by_role;"
        "SET DEFAULT ROLE readers FOR by_role;"
        "CREATE OR REPLACE USER by_column IDENTIFIED BY 'knocks'; GRANT SELECT (id) ON shop.readable TO by_column;"
        "CREATE OR REPLACE USER writes_there IDENTIFIED BY 'knocks'; GRANT INSERT ON elsewhere.* TO writes_there;"
        "GRANT SELECT ON shop.* TO writes_there; CREATE OR REPLACE USER writes IDENTIFIED BY 'knocks';"
        "GRANT INSERT ON elsewhere.* TO writes")
    for user, where, message in (
            ("by_role", {}, "the user may read, through a role or PUBLIC"),
            ("by_column", {}, "the user may read"),
            ("by_role", {"schema": "bare"}, "the user may be able to read"),
            ("by_role", {"database": "elsewhere"}, "the user may be able to read"),
            ("writes_there", {"database": "elsewhere"}, "the user may read"),
            ("writes", {"database": "elsewhere"}, None)):
        result = ask("connections", "doctor", "--json", code=0 if message else 1,
                     connection={"user": user, "password": "knocks", **where})
        check = result.json()["connections"][0]["result"]["checks"][1]
        assert_equal((check["name"], check["ok"]), ("select", message is not None), f"{user} {where}", result)
        assert_in(message or "the user has no SELECT", check["message"], result)
    for user in ("by_role", "by_column"):
        extract(table="readable", columns=["id"], connection={"user": user, "password": "knocks"})
        run()
        assert_equal(lines(), ["1"], "rows")


@test
def test_discovery_shows_tables(folder):
    sql("CREATE OR REPLACE TABLE known (id BIGINT UNSIGNED PRIMARY KEY, `a\"b` VARCHAR(20) DEFAULT 'x\\\\y' COMMENT 'c',"
        "d DECIMAL(10,2) NOT NULL, t TIMESTAMP(3) NULL, UNIQUE u (d, `a\"b`), KEY (t), KEY hush (d) IGNORED);"
        "CREATE OR REPLACE VIEW seen AS SELECT id FROM known;"
        "CREATE OR REPLACE TABLE gone (id INT); CREATE OR REPLACE VIEW broken AS SELECT id FROM gone; DROP TABLE gone")
    result = ask("discovery", "run", "@mysql.shop", "--json")
    database = result.json()["databases"][0]
    tables = {table["name"]: table for table in database["tables"]}
    assert_equal((database["name"], database["truncated"]), ("shop", False), "database", result)
    assert {"known", "seen", "broken"} <= set(tables), result
    assert_equal((tables["known"]["kind"], tables["seen"]["kind"]), ("table", "view"), "kinds")
    assert_equal(tables["known"]["columns"], [
        {"name": "id", "type": "bigint(20) unsigned", "arrow": "L", "nullable": False, "default": None},
        {"name": 'a"b', "type": "varchar(20)", "arrow": "u", "nullable": True, "default": "x\\y"},
        {"name": "d", "type": "decimal(10,2)", "arrow": "d:10,2", "nullable": False, "default": None},
        {"name": "t", "type": "timestamp(3)", "arrow": "tsu:UTC", "nullable": True, "default": None}],
        "columns", result)
    assert_equal(tables["known"]["keys"], [
        {"name": "PRIMARY", "unique": True, "columns": ["id"]},
        {"name": "u", "unique": True, "columns": ["d", 'a"b']},
        {"name": "t", "unique": False, "columns": ["t"]},
        {"name": "hush", "unique": False, "ignored": True, "columns": ["d"]}], "keys", result)
    assert "error" not in tables["known"] and "gone" in tables["broken"]["error"].lower() or \
        "broken" in tables["broken"]["error"], result
    one = ask("discovery", "run", "@mysql.shop", "--table", "seen", "--json").json()["databases"][0]["tables"]
    assert_equal([table["name"] for table in one], ["seen"], "tables")
    assert_in("bigint(20) unsigned, not null", ask("discovery", "run", "@mysql.shop", "--table", "known").out)
    assert_in('no table "none"', ask("discovery", "run", "@mysql.shop", "--table", "none", code=1).err)


@test
def test_discovery_shows_invisible_columns(folder):
    sql("CREATE OR REPLACE TABLE half (id INT PRIMARY KEY, h DECIMAL(5,1) INVISIBLE); INSERT INTO half (id, h) VALUES (1, 2.5)")
    table = ask("discovery", "run", "@mysql.shop", "--table", "half", "--json").json()["databases"][0]["tables"][0]
    assert_equal(table["columns"][1], {"name": "h", "type": "decimal(5,1)", "arrow": "d:5,1", "nullable": True,
                                       "default": None, "invisible": True}, "column")
    for columns, expected in (({}, ["1"]), ({"columns": ["h", "id"]}, ["2.5,1"])):
        extract(table="half", **columns)
        run()
        assert_equal(lines(), expected, columns)


@test
def test_discovery_is_bounded(folder):
    sql("CREATE DATABASE IF NOT EXISTS crowded; " +
        "".join(f"CREATE TABLE IF NOT EXISTS crowded.t{i} (id INT);" for i in range(505)))
    result = ask("discovery", "run", "@mysql.shop", "--json", connection={"schema": "crowded"})
    database = result.json()["databases"][0]
    assert_equal((database["name"], len(database["tables"]), database["truncated"]), ("crowded", 500, True), "database")
    assert {"name": "shop"} in result.json()["databases"][1:], result
    assert_in("another database: crowded\n", ask("discovery", "run", "@mysql.shop").out)


@test
def test_a_plan_runs_in_parts(folder):
    fill("planned", "id INT PRIMARY KEY, n INT, v VARCHAR(9) COLLATE utf8mb4_general_ci, KEY (v), KEY (n)",
         "SELECT seq * seq, NULLIF(seq % 50, 7), ELT(1 + seq % 6, 'a', 'B', 'ä', '\\'', '', NULL) FROM seq_1_to_5000")
    for arguments, where, column, ranges in (((), None, "id", 4), (("--partition-on", "v"), None, "v", 3),
                                             (("--partition-on", "n"), None, "n", 4),
                                             (("--where", "n > 10 -- and so"), "n > 10", "id", 4)):
        result = ask("discovery", "plan", "@mysql.shop", "--table", "planned", "--partitions", "4", "--json", *arguments)
        plan = result.json()
        assert_equal((plan["partition_on"], len(plan["partitions"])), (column, ranges), "plan", result)
        got = []
        for partition in plan["partitions"]:
            extract(table="planned", **partition["config"])
            run()
            got += lines()
        extract(table="planned", **({"where": where} if where else {}))
        run()
        assert_equal(len(got), len(lines()), "rows", result)
        assert sorted(got) == sorted(lines()), f"other rows\n{result}"
        for path in ("out.csv", "pipeline.yaml"):
            pathlib.Path(path).unlink()
        for tree in ("run_logs", "build", ".osiris"):
            os.system(f"rm -r {tree}")
    text = ask("discovery", "plan", "@mysql.shop", "--table", "planned", "--partitions", "2")
    assert_equal(len([json.loads(line) for line in text.out.splitlines()]), 2, "lines", text)


@test
def test_a_plan_that_cannot_be_made(folder):
    sql("CREATE OR REPLACE TABLE bare (id INT); INSERT INTO bare VALUES (1)")
    result = ask("discovery", "plan", "@mysql.shop", "--table", "bare", "--partitions", "2", code=1)
    assert_in("no unique key", result.err, result)
    assert_in("osiris: the table to split is missing; name it with --table",
              ask("discovery", "plan", "@mysql.shop", "--partitions", "2", code=2).err)
    assert_in("not a whole number", ask("discovery", "plan", "@mysql.shop", "--table", "x", "--partitions", "two",
                                  code=2).err)


@test
def test_mistakes_of_usage(folder):
    for arguments in (("discovery", "run"), ("discovery", "run", "shop"), ("connections", "list", "x")):
        assert_equal(osiris(*arguments).code, 2, "exit code", arguments)


if __name__ == "__main__":
    main(setup, teardown)
