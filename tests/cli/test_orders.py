"""The main job on a real MariaDB: export, faults of the server, and where the password must not be."""

import csv
import os
import pathlib
import signal
import subprocess
import tempfile

from tap import (OSIRIS, SOURCE, assert_equal, assert_in, assert_no_group, environment, files, finish,
                 interrupt, main, osiris, pipeline, read, run_directory, start, step, test, wait_until,
                 worker_of, write)

SCRIPT = SOURCE / "scripts" / "mariadb-private"
server = {}
base = None


def setup():
    global base
    base = tempfile.mkdtemp(prefix="osm.")
    subprocess.run([SCRIPT, "start", base], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([SCRIPT, "fill", base, "20000"], check=True, stdout=subprocess.DEVNULL)
    for line in read(pathlib.Path(base, "mariadb.env")).splitlines():
        name, _, value = line.removeprefix("export ").partition("=")
        server[name] = value.strip("'\"")


def teardown():
    if base:
        subprocess.run([SCRIPT, "stop", base], check=False)
        subprocess.run(["rm", "-rf", base], check=False)


def sql(statement):
    done = subprocess.run(["mariadb", "--no-defaults", "-B", "-N", "-h", server["MYSQL_HOST"],
                           "-P", server["MYSQL_PORT"], "-u", server["MYSQL_USER"],
                           server["MYSQL_DATABASE"], "-e", statement],
                          env={**os.environ, "MYSQL_PWD": server["MYSQL_PASSWORD"]},
                          capture_output=True, text=True, check=True)
    return done.stdout


def connections(**fields):
    values = {"host": "${MYSQL_HOST}", "port": "${MYSQL_PORT}", "database": "${MYSQL_DATABASE}",
              "user": "${MYSQL_USER}", "password": "${MYSQL_PASSWORD}", **fields}
    text = "version: 1\nconnections:\n  mysql:\n    shop:\n"
    text += "".join(f"      {name}: {value}\n" for name, value in values.items())
    write("osiris_connections.yaml", text)


def export(query="SELECT * FROM orders", path="orders.csv", **config):
    pipeline(step("extract-orders", "mysql.extractor", "read", connection="@mysql.shop", query=query,
                  **config),
             step("write-orders", "csv.writer", "write", path=path), name="orders")


def run(*arguments, env=None, code=0):
    result = osiris("run", "pipeline.yaml", *arguments, env={**server, **(env or {})})
    assert_equal(result.code, code, "exit code", result)
    return result


def fails(*parts, env=None, seconds=30):
    result = run(env=env, code=1)
    for part in parts:
        assert_in(part, result.err, result)
    assert not pathlib.Path("orders.csv").exists(), result
    assert result.seconds < seconds, f"took {result.seconds:.1f} s"
    assert server["MYSQL_PASSWORD"] not in result.err + result.out
    return result


@test
def test_export_agrees_with_the_server(folder):
    connections()
    export(query="SELECT id, customer_name, amount, notes FROM orders ORDER BY id")
    result = run()
    with open("orders.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert_equal(len(rows), 20000, "rows", result)
    expected = sql("SELECT id, HEX(customer_name), amount, HEX(notes) FROM orders ORDER BY id")
    for line, row in zip(expected.splitlines(), rows):
        identity, name, amount, notes = line.split("\t")
        assert_equal(row["id"], identity, "id")
        assert_equal(row["customer_name"].encode().hex().upper(), name, f"name of {identity}")
        assert_equal(row["amount"], amount, f"amount of {identity}")
        assert_equal(row["notes"].encode().hex().upper(), "" if notes == "NULL" else notes,
                     f"notes of {identity}")


@test
def test_the_example_of_the_readme(folder):
    for name in ("orders.yaml", "osiris_connections.yaml"):
        write(name, read(SOURCE / "examples" / name))
    result = osiris("run", "orders.yaml", "--adapter", "local", env=server)
    assert_equal(result.code, 0, "exit code", result)
    with open("output/orders.csv", newline="", encoding="utf-8") as file:
        assert_equal(sum(1 for _ in csv.reader(file)), 20001, "records", result)


@test
def test_table_instead_of_query(folder):
    connections()
    pipeline(step("extract-orders", "mysql.extractor", "read", connection="@mysql.shop",
                  table="orders", columns=["id", "amount"], limit=7, offset=3),
             step("write-orders", "csv.writer", "write", path="orders.csv"), name="orders")
    run()
    lines = read("orders.csv").splitlines()
    assert_equal(len(lines), 8, "lines")
    assert_equal(sorted(lines[0].split(",")), ["amount", "id"], "columns")


@test
def test_wrong_password(folder):
    connections(password="${WRONG}")
    export()
    result = fails("1045", "extract-orders", "pipeline.yaml:", env={"WRONG": "not-the-right-one"})
    assert "not-the-right-one" not in result.err + result.out


@test
def test_refused_port(folder):
    connections(port="1")
    export()
    fails("127.0.0.1:1", "extract-orders", "check whether the server is running and host and port are correct")


@test
def test_unknown_database(folder):
    connections(database="no_such_database")
    export()
    fails("no_such_database", "extract-orders")


@test
def test_unknown_table_and_bad_sql(folder):
    connections()
    export(query="SELECT * FROM no_such_table")
    fails("1146", "no_such_table")
    export(query="SELEKT 1")
    fails("1064")


@test
def test_server_goes_away_in_the_middle(folder):
    connections()
    # Slow enough to be caught in the middle: the query sleeps at every hundredth row.
    export(query="SELECT id, notes, IF(id % 100 = 0, SLEEP(0.2), 0) AS s FROM orders", batch_size=100)
    process = start("run", "pipeline.yaml", env=server)

    def connection():
        return sql("SELECT id FROM information_schema.processlist WHERE info LIKE 'SELECT id, notes%'"
                   " AND id <> CONNECTION_ID()").split()
    try:
        sql(f"KILL {wait_until(connection, 'the query runs')[0]}")
    finally:
        result = finish(process)
    assert_equal(result.code, 1, "exit code", result)
    assert_in("extract-orders", result.err, result)
    assert not pathlib.Path("orders.csv").exists(), result


@test
def test_cancel_in_a_query_that_waits(folder):
    connections()
    export(query="SELECT SLEEP(1000) AS s")
    process = start("run", "pipeline.yaml", env=server)
    worker = worker_of(process)
    wait_until(lambda: sql("SELECT id FROM information_schema.processlist WHERE info LIKE "
                           "'SELECT SLEEP(1000)%'"), "the query runs")
    interrupt(process)
    result = finish(process)
    assert_equal(result.code, 130, "exit code", result)
    assert result.seconds < 8, result
    assert_no_group(worker)


@test
def test_unset_variable_is_named(folder):
    connections(password="${NOT_SET_ANYWHERE}")
    export()
    result = osiris("run", "pipeline.yaml", env=server)
    assert_equal(result.code, 2, "exit code", result)
    assert_in("NOT_SET_ANYWHERE", result.err, result)
    assert_in("osiris_connections.yaml:", result.err, result)


@test
def test_the_password_is_nowhere(folder):
    secret = "s3cr3t/with+odd%characters\"and'quotes"
    sql("CREATE OR REPLACE USER spy@'%' IDENTIFIED BY '" + secret.replace("'", "''") + "'")
    sql(f"GRANT SELECT ON {server['MYSQL_DATABASE']}.* TO spy@'%'")
    connections(user="spy", password="${SPY_PASSWORD}")
    env = {"SPY_PASSWORD": secret}
    export(query="SELECT SLEEP(1000) AS s")
    process = start("run", "pipeline.yaml", "--verbose", env={**server, **env})
    worker = worker_of(process)
    wait_until(lambda: sql("SELECT id FROM information_schema.processlist WHERE info LIKE "
                           "'SELECT SLEEP(1000)%'"), "the query runs")
    for pid in (process.pid, worker):
        assert secret.encode() not in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    try:
        assert secret.encode() not in pathlib.Path(f"/proc/{worker}/environ").read_bytes()
    except PermissionError:
        pass
    interrupt(process)
    finish(process)
    export(query="SELECT 1 AS one")
    run("--verbose", env=env)
    export(query="SELECT * FROM forbidden.fruit")
    run("--verbose", env=env, code=1)
    write(".env", "")
    for path in pathlib.Path(".").rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            for form in (secret, secret.replace('"', '\\"'), secret.replace("/", "\\/")):
                assert form.encode() not in content, f"the password is in {path}"


@test
def test_one_row(folder):
    connections()
    export(query="SELECT 1 AS one, NULL AS nothing")
    run()
    assert_equal(read("orders.csv"), "nothing,one\n,1\n", "the file")


if __name__ == "__main__":
    main(setup, teardown)
