#!/usr/bin/env python3
"""mysql.extractor where it waits: connecting, a query that does not end, a server that goes; and its memory."""

import contextlib
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cli"))

from tap import (SANITIZED, SOURCE, Skip, assert_equal, assert_in, finish, interrupt, main,  # noqa: E402
                 osiris, pipeline, read, start, step, test, wait_until, worker_of, write)

SCRIPT = SOURCE / "scripts" / "mariadb-private"
server = {}
base = None


def setup():
    global base
    base = tempfile.mkdtemp(prefix="osw.")
    subprocess.run([SCRIPT, "start", base], check=True, stdout=subprocess.DEVNULL)
    server.update(line.split("=", 1) for line in read(pathlib.Path(base, "mariadb.env")).splitlines())


def teardown():
    if base:
        subprocess.run([SCRIPT, "stop", base], check=False)
        subprocess.run(["rm", "-rf", base], check=False)


def sql(statement):
    done = subprocess.run(["mariadb", "--no-defaults", "-B", "-N", "-h", server["MYSQL_HOST"],
                           "-P", server["MYSQL_PORT"], "-u", server["MYSQL_USER"],
                           server["MYSQL_DATABASE"], "-e", statement],
                          env={**os.environ, "MYSQL_PWD": server["MYSQL_PASSWORD"]},
                          capture_output=True, text=True)
    assert_equal(done.returncode, 0, "exit code", done.stderr)
    return done.stdout


def extract(connection=None, **config):
    fields = {"host": "${MYSQL_HOST}", "port": "${MYSQL_PORT}", "database": "${MYSQL_DATABASE}",
              "user": "${MYSQL_USER}", "password": "${MYSQL_PASSWORD}", **(connection or {})}
    text = "version: 1\nconnections:\n  mysql:\n    shop:\n"
    write("osiris_connections.yaml", text + "".join(f"      {k}: {v}\n" for k, v in fields.items()))
    pipeline(step("extract-it", "mysql.extractor", "read", connection="@mysql.shop", **config),
             step("save", "csv.writer", "write", path="out.csv"))


@contextlib.contextmanager
def silent_server():
    """A port that takes connections and says nothing; yields it and the event of the first connection."""
    listener = socket.create_server(("127.0.0.1", 0))
    taken, held = threading.Event(), []

    def take():
        with contextlib.suppress(OSError):
            while True:
                held.append(listener.accept()[0])
                taken.set()
    threading.Thread(target=take, daemon=True).start()
    try:
        yield listener.getsockname()[1], taken
    finally:
        listener.close()
        for connection in held:
            connection.close()


@test
def test_a_connect_that_hangs_can_be_cancelled(folder):
    with silent_server() as (port, taken):
        extract(connection={"port": port, "connect_timeout": 600}, query="SELECT 1 AS one")
        process = start("run", "pipeline.yaml", env=server)
        assert taken.wait(60), "nobody connected"
        interrupt(process)
        result = finish(process)
    assert_equal(result.code, 130, "exit code", result)
    # Far below the grace time of 10 s, after which the worker would be killed.
    assert result.seconds < 5, result
    assert "is killed" not in result.err, result
    assert not pathlib.Path("out.csv").exists()


@test
def test_connect_timeout_bounds_a_server_that_says_nothing(folder):
    with silent_server() as (port, _):
        extract(connection={"port": port, "connect_timeout": 1}, query="SELECT 1 AS one")
        result = osiris("run", "pipeline.yaml", env=server)
    assert_equal(result.code, 1, "exit code", result)
    assert_in(f"127.0.0.1:{port}", result.err, result)
    assert_in("within connect_timeout", result.err, result)
    assert 0.9 < result.seconds < 8, result


@test
def test_read_timeout_bounds_a_query_that_says_nothing(folder):
    extract(connection={"read_timeout": 1}, query="SELECT SLEEP(100) AS s")
    result = osiris("run", "pipeline.yaml", env=server)
    assert_equal(result.code, 1, "exit code", result)
    assert_in("2013", result.err, result)
    assert result.seconds < 20, result


def kills():
    return sql("SELECT argument FROM mysql.general_log WHERE argument LIKE 'KILL QUERY%'").split("\n")[:-1]


@contextlib.contextmanager
def general_log():
    sql("SET GLOBAL log_output = 'TABLE'; TRUNCATE mysql.general_log; SET GLOBAL general_log = 1")
    try:
        yield
    finally:
        sql("SET GLOBAL general_log = 0")


def running(pattern):
    return sql("SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND "
               f"info LIKE '{pattern}'").split()


@test
def test_a_cancelled_query_ends_on_the_server(folder):
    extract(query="SELECT SLEEP(1000) AS cancelled")
    with general_log():
        process = start("run", "pipeline.yaml", env=server)
        number = wait_until(lambda: running("SELECT SLEEP(1000) AS c%"), "the query runs")[0]
        interrupt(process)
        result = finish(process)
        assert_equal(result.code, 130, "exit code", result)
        assert result.seconds < 5, result
        wait_until(lambda: not running("SELECT SLEEP(1000) AS c%"), "the query is gone", 30)
        assert_equal(kills(), [f"KILL QUERY {number}"], "what was killed")


@test
def test_a_lost_connections_number_is_not_killed(folder):
    # After a restart of the server the number may be somebody else's.
    extract(query="SELECT SLEEP(1000) AS lost")
    with general_log():
        process = start("run", "pipeline.yaml", env=server)
        number = wait_until(lambda: running("SELECT SLEEP(1000) AS l%"), "the query runs")[0]
        sql(f"KILL CONNECTION {number}")
        result = finish(process)
        assert_equal(result.code, 1, "exit code", result)
        assert_equal(kills(), [], "what was killed")


@test
def test_memory_is_bounded_for_wide_rows(folder):
    if SANITIZED:
        raise Skip("sanitizers take memory of their own")
    columns = ", ".join(f"c{i} BIGINT NOT NULL DEFAULT {i}" for i in range(700))
    sql(f"CREATE TABLE wide (id INT PRIMARY KEY, {columns}) ENGINE=MyISAM;"
        "INSERT INTO wide (id) SELECT seq FROM seq_1_to_6000")
    extract(table="wide", batch_size=100000)
    process = start("run", "pipeline.yaml", env=server)
    worker, peak = worker_of(process), 0
    while process.poll() is None:
        with contextlib.suppress(OSError, StopIteration):
            peak = max(peak, next(int(line.split()[1]) for line in read(f"/proc/{worker}/status").splitlines()
                                  if line.startswith("VmHWM:")))
        time.sleep(0.002)
    result = finish(process)
    assert_equal(result.code, 0, "exit code", result)
    assert_equal(len(read("out.csv").splitlines()), 6001, "lines")
    assert 1024 < peak < 96 * 1024, f"the worker took {peak} KiB"


if __name__ == "__main__":
    main(setup, teardown)
