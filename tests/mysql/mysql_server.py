"""What the tests of the mysql drivers share that lose connections or split tables: one private MariaDB, its SQL by TCP,
and pipelines that export from it."""

import contextlib
import os
import pathlib
import subprocess

from private import SCRIPT, Private, describe

from tap import assert_equal, finish, osiris, read, start, step, wait_until

private = Private()
server = private.env
setup, teardown = private.start, private.stop


def stop_server():
    subprocess.run([SCRIPT, "stop", private.base], check=True, stdout=subprocess.DEVNULL)


def start_server():
    """Again, with the same data."""
    subprocess.run([SCRIPT, "start", private.base], check=True, stdout=subprocess.DEVNULL)
    server.update(line.split("=", 1) for line in read(pathlib.Path(private.base, "mariadb.env")).splitlines())


def sql(statement):
    done = subprocess.run(["mariadb", "--no-defaults", "-B", "-N", "--default-character-set=utf8mb4",
                           "-h", server["MYSQL_HOST"], "-P", server["MYSQL_PORT"], "-u", server["MYSQL_USER"],
                           server["MYSQL_DATABASE"]],
                          env={**os.environ, "MYSQL_PWD": server["MYSQL_PASSWORD"]},
                          input=statement, capture_output=True, text=True)
    assert_equal(done.returncode, 0, "exit code", done.stderr)
    return done.stdout


def fill(table, definition, select):
    sql(f"CREATE OR REPLACE TABLE {table} ({definition}); INSERT INTO {table} {select}")


def export_while_killed(**config):
    """Exports a table `killed` of 120000 rows whose reading takes a while, and kills its connections on the server a few
    times."""
    fill("killed", "id INT PRIMARY KEY, v VARCHAR(200)", "SELECT seq, REPEAT('x', 150) FROM seq_1_to_120000")
    extract(table="killed", batch_size=100, where="id % 10000 <> 0 OR SLEEP(0.1) = 0", **config)
    process = start("run", "pipeline.yaml", env=server)
    kills = 0
    while process.poll() is None and kills < 6:
        for number in sql("SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND "
                          "info LIKE 'SELECT * FROM `killed` WHERE%'").split():
            with contextlib.suppress(AssertionError):
                sql(f"KILL CONNECTION {number}")
                kills += 1
    result = finish(process)
    assert_equal(result.code, 0, "exit code", result)
    assert kills > 0, "nothing was killed"


class Gate:
    """While it is shut, a row that `where` is asked of is waited for; rows that an open one is asked of come at once."""

    where = "IF(IS_FREE_LOCK('gate'), 1, SLEEP(100) = 0)"

    def __enter__(self):
        command, env = private.command()
        self.holder = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        self.holder.stdin.write("SELECT GET_LOCK('gate', 0);\n")
        self.holder.stdin.flush()
        wait_until(lambda: sql("SELECT IS_USED_LOCK('gate')").strip() != "NULL", "the gate is shut")
        return self

    def open(self):
        """For those who come now; whoever waits goes on waiting."""
        self.holder.communicate()
        wait_until(lambda: sql("SELECT IS_FREE_LOCK('gate')").strip() == "1", "the gate is open")

    def __exit__(self, *_):
        if self.holder.poll() is None:
            self.holder.communicate()

    @staticmethod
    def waiting(table):
        """The connections that wait at it while they read the table."""
        return sql("SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND "
                   f"info LIKE 'SELECT * FROM `{table}` WHERE%' AND state = 'User sleep'").split()


def extract(connection=None, path="out.csv", **config):
    """Writes the pipeline from mysql.extractor to a CSV file, and the connections."""
    describe(private.connection(**(connection or {})), step("save", "csv.writer", "write", path=path), **config)


def run(*arguments, env=None, code=0):
    result = osiris("run", "pipeline.yaml", *arguments, env={**server, **(env or {})})
    assert_equal(result.code, code, "exit code", result)
    return result


def lines(path="out.csv"):
    """The file's records but its header (for values without line ends)."""
    return read(path).splitlines()[1:]
