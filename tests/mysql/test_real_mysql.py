#!/usr/bin/env python3
"""mysql.extractor against a MySQL server, which Debian does not have: OSIRIS_TEST_MYSQL names the folder of one (with
bin/mysqld), version 8.0 or newer. Without it everything here is skipped."""

import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading

from private import Private, rows

from proxy import Proxy
from tap import PATIENCE, Skip, assert_equal, assert_in, main, osiris, test, wait_until  # noqa: E402

FOLDER = os.environ.get("OSIRIS_TEST_MYSQL")
PASSWORD = "Pa55-of-the-tests"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class MySQL(Private):
    """A MySQL server of its own, on loopback, in a folder of its own."""

    process = None

    def start(self):
        if not FOLDER:
            return
        self.base = tempfile.mkdtemp(prefix="osm.")
        mysqld = [f"{FOLDER}/bin/mysqld", "--no-defaults", f"--basedir={FOLDER}", f"--datadir={self.base}/data",
                  *(["--user=root"] if os.getuid() == 0 else [])]
        subprocess.run([*mysqld, "--initialize-insecure"], check=True, stderr=subprocess.DEVNULL)
        port = free_port()
        start = pathlib.Path(self.base, "start.sql")
        start.write_text("CREATE DATABASE shop;" + "".join(
            f"CREATE USER osiris@{host} IDENTIFIED BY '{PASSWORD}'; GRANT ALL ON *.* TO osiris@{host} WITH GRANT OPTION;"
            for host in ("localhost", "'127.0.0.1'")))
        self.process = subprocess.Popen(
            [*mysqld, f"--socket={self.base}/s", f"--port={port}", "--bind-address=127.0.0.1", f"--tmpdir={self.base}", "--mysqlx=OFF",
             f"--pid-file={self.base}/pid", f"--log-error={self.base}/error.log", "--skip-log-bin", f"--init-file={start}",
             "--innodb-flush-log-at-trx-commit=0"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.env.update(MYSQL_HOST="127.0.0.1", MYSQL_PORT=str(port), MYSQL_SOCKET=f"{self.base}/s", MYSQL_USER="osiris",
                        MYSQL_PASSWORD=PASSWORD, MYSQL_DATABASE="shop")
        wait_until(self.answers, "the MySQL server answers")
        self.sql("SET SESSION cte_max_recursion_depth = 100000; CREATE TABLE seq (n INT UNSIGNED PRIMARY KEY) AS "
                 "WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 20000) SELECT n FROM s")

    def answers(self):
        assert self.process.poll() is None, pathlib.Path(self.base, "error.log").read_text()
        command, env = self.command("-e", "SELECT 1")
        return subprocess.run(command, env=env, capture_output=True, check=False).returncode == 0

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(PATIENCE)
        if self.base:
            shutil.rmtree(self.base, ignore_errors=True)


mysql = MySQL()


def mysql_test(function):
    def run(folder):
        if not mysql.process:
            raise Skip("OSIRIS_TEST_MYSQL names no MySQL server")
        function(folder)
    run.__name__ = function.__name__
    run.__module__ = function.__module__
    return test(run)


def has_all(table, column, context, **config):
    """The export has each of the table's rows once."""
    mysql.extract(table=table, **config)
    wanted = mysql.sql(f"SELECT {column} FROM {table}").splitlines()
    place = pathlib.Path("out.csv").read_text().splitlines()[0].split(",").index(column)
    assert_equal(sorted(row[place] for row in rows()), sorted(wanted), f"{column} of {table}, {context}")


@mysql_test
def test_logins(folder):
    for plugin in ("mysql_native_password", "sha256_password", "caching_sha2_password"):
        mysql.sql("DROP USER IF EXISTS other@localhost; FLUSH PRIVILEGES;"
                  f"CREATE USER other@localhost IDENTIFIED WITH {plugin} BY '{PASSWORD}'; GRANT SELECT ON shop.* TO other@localhost")
        # The second time the server remembers the password.
        for how in ({"ssl": "{mode: disabled}"}, {"ssl": "{mode: required}"}, {"socket": "${MYSQL_SOCKET}"}) * 2:
            mysql.extract(query="SELECT CURRENT_USER() AS who", connection={"user": "other", **how})
            assert_equal(rows(), [["other@localhost"]], f"{plugin} {how}")
    result = mysql.extract(code=1, query="SELECT 1", connection={"user": "other", "password": "wrong"})
    assert_in("1045, 28000", result.err, result)
    for state, code in (("ACCOUNT LOCK", "3118"), ("ACCOUNT UNLOCK PASSWORD EXPIRE", "1862")):
        mysql.sql(f"ALTER USER other@localhost {state}")
        result = mysql.extract(code=1, query="SELECT 1", connection={"user": "other"})
        assert_in(code, result.err, result)


@mysql_test
def test_types(folder):
    types = ("a TINYINT, b TINYINT UNSIGNED, c BIGINT, d BIGINT UNSIGNED, e BOOLEAN, f BIT(64), g FLOAT, h DOUBLE, i DECIMAL(65,30), "
             "j CHAR(10), k VARCHAR(99), l LONGTEXT, m BINARY(3), n LONGBLOB, o ENUM('x','y z'), p SET('a','b','c'), q JSON, r DATE, "
             "s DATETIME(6), t TIMESTAMP(6) NULL, u TIME(6), v YEAR, w GEOMETRY, x VARCHAR(9) CHARACTER SET sjis, y INT ZEROFILL")
    mysql.sql(f"DROP TABLE IF EXISTS types; CREATE TABLE types ({types}); SET time_zone = '+00:00'; INSERT INTO types VALUES "
              "(-128, 255, -9223372036854775808, 18446744073709551615, TRUE, 18446744073709551615, 1.5, 1.7976931348623157e308, "
              "-99999999999999999999999999999999999.999999999999999999999999999999, 'abc', '日本😀', 'long', x'0001', x'00ff', 'y z', 'a,c', "
              "'{\"a\": [1, null]}', '9999-12-31', '9999-12-31 23:59:59.999999', '2038-01-19 03:14:07.999999', '-838:59:59', 2155, "
              "ST_GeomFromText('POINT(1 2)'), '日本', 42); INSERT INTO types (a) VALUES (NULL)")
    mysql.extract(table="types")
    assert_equal(rows()[0], [
        "-128", "255", "-9223372036854775808", "18446744073709551615", "1", "18446744073709551615", "1.5", "1.7976931348623157e+308",
        "-99999999999999999999999999999999999.999999999999999999999999999999", "abc", "日本😀", "long", "000100", "00ff", "y z", "a,c",
        '{"a": [1, null]}', "9999-12-31", "9999-12-31 23:59:59.999999", "2038-01-19 03:14:07.999999+00:00", "-838:59:59", "2155",
        "0101000000000000000000f03f0000000000000040", "日本", "42"], "values")
    assert_equal(set(rows()[1]), {""}, "NULLs")


@mysql_test
def test_partitions(folder):
    mysql.sql("""SET sql_mode = 'NO_UNSIGNED_SUBTRACTION,ALLOW_INVALID_DATES'; DROP TABLE IF EXISTS parts; CREATE TABLE parts
        (id BIGINT UNSIGNED PRIMARY KEY, k INT, d DATETIME(6), z DATE, s VARCHAR(20), t VARCHAR(20) COLLATE utf8mb4_0900_as_cs,
         b VARBINARY(9), e DECIMAL(20, 5), i TIME(3), y YEAR, v INT,
         KEY (k), KEY (d), KEY (z), KEY (s), KEY (t), KEY (b), KEY (e), KEY (i), KEY (y));
        INSERT INTO parts SELECT IF(n % 2, n, ~n), NULLIF(n % 7, 0) - 3, '2020-01-01' + INTERVAL n * 1000003 MICROSECOND,
        IF(n % 5 = 0, '0000-00-00', IF(n % 7 = 0, '2024-02-00', '2020-01-01' + INTERVAL n DAY)),
        NULLIF(CONCAT(ELT(1 + n % 6, 'a', 'A', 'á', 'Á', 'ß', 'ss'), n % 40), 'a0'), CONCAT(ELT(1 + n % 3, 'a', 'A', 'á'), n % 9),
        UNHEX(LPAD(HEX(n), 4, '0')), (n - 1500) / 7, SEC_TO_TIME(n * 1000 - 1500000), 1901 + n % 200, n FROM seq WHERE n <= 3000""")
    for column in ("id", "k", "d", "z", "s", "t", "b", "e", "i", "y"):
        for partitions in (2, 16):
            has_all("parts", "v", f"{partitions} by {column}", partitions=partitions, partition_on=column)
    has_all("parts", "v", "consistent", partitions=4, consistent=True)


@mysql_test
def test_keys_of_mysql(folder):
    """Expressions, indexes that are invisible, and the primary key that the server makes."""
    mysql.sql("DROP TABLE IF EXISTS keyed; CREATE TABLE keyed (id INT, v INT, j JSON, UNIQUE KEY f ((CAST(j->'$.a' AS UNSIGNED))), "
              "KEY hidden (v) INVISIBLE); INSERT INTO keyed SELECT n, n, JSON_OBJECT('a', n) FROM seq WHERE n <= 100;"
              "SET SESSION sql_generate_invisible_primary_key = 1; DROP TABLE IF EXISTS made; CREATE TABLE made (a INT); "
              "INSERT INTO made SELECT n FROM seq WHERE n <= 3000")
    has_all("keyed", "v", "whole")
    for config, reason in (({}, 'its key "f" cannot be used, because it contains an expression'),
                           ({"partition_on": "v"}, 'its index "hidden" cannot be used, because the server is configured to ignore it')):
        result = mysql.extract(code=1, table="keyed", partitions=2, **config)
        assert_in(reason, result.err, result)
    found = osiris("discovery", "run", "@mysql.shop", "--json", "--table", "keyed", env=mysql.env)
    assert_equal(found.json()["databases"][0]["tables"][0]["keys"], [
        {"name": "f", "unique": True, "columns": [None]},
        {"name": "hidden", "unique": False, "ignored": True, "columns": ["v"]}], "keys", found)
    has_all("made", "a", "made", partitions=3, on_disconnect="resume")


@mysql_test
def test_killed(folder):
    """The connection of the reader, over TLS and without, behind the first rows."""
    mysql.sql("DROP TABLE IF EXISTS long_one; CREATE TABLE long_one (a VARCHAR(9), b INT, t CHAR(100), PRIMARY KEY (a DESC, b)); "
              "INSERT INTO long_one SELECT CONCAT('ž', n % 50), n, REPEAT('x', 100) FROM seq")
    for mode in ("required", "disabled"):
        with Proxy(mysql.env, 300000, hold=True) as proxy:
            def kill():
                proxy.held.wait(PATIENCE)
                mysql.sql("KILL " + mysql.sql("SELECT id FROM information_schema.processlist WHERE user = 'osiris' AND "
                                              "id <> CONNECTION_ID()").split()[0])
            killer = threading.Thread(target=kill)
            killer.start()
            result = mysql.extract(table="long_one", batch_size=100, on_disconnect="resume",
                                   connection={"port": proxy.port, "ssl": f"{{mode: {mode}}}"})
            killer.join()
            assert_equal(proxy.connections, 2, "connections", result)
        assert_equal(sorted(int(row[1]) for row in rows()), list(range(1, 20001)), f"rows, {mode}")


@mysql_test
def test_errors(folder):
    for query, code in (("SELECT /*+ MAX_EXECUTION_TIME(100) */ SUM(a.n * b.n) FROM seq AS a JOIN seq AS b ON a.n + b.n > 5", "3024"),
                        ("SELECT CAST('x' AS JSON)", "3141"), ("SELECT * FROM nowhere", "1146")):
        assert_in(code, mysql.extract(code=1, query=query).err)


@mysql_test
def test_the_doctor_names_it(folder):
    mysql.extract(query="SELECT 1")
    result = osiris("connections", "doctor", env=mysql.env)
    assert_in("@mysql.shop: ok, MySQL ", result.out, result)


if __name__ == "__main__":
    main(mysql.start, mysql.stop)
