"""What the tests of mysql.extractor share: a private MariaDB, and a pipeline that exports from it to out.csv.

    private = Private("--server-option")
    main(private.start, private.stop)
"""

import csv
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cli"))

from raw import Raw  # noqa: E402

from tap import SOURCE, assert_equal, osiris, pipeline, read, step, write  # noqa: E402

SCRIPT = SOURCE / "scripts" / "mariadb-private"


def describe(connection, writer=None, **config):
    """Writes the pipeline and its connection, whose values are YAML."""
    text = "version: 1\nconnections:\n  mysql:\n    shop:\n"
    write("osiris_connections.yaml", text + "".join(f"      {k}: {v}\n" for k, v in connection.items()))
    pipeline(step("extract-it", "mysql.extractor", "read", connection="@mysql.shop", **config),
             writer or step("save", "csv.writer", "write", path="out.csv", columns="source"))


def rows():
    """The exported rows, without the header."""
    with open("out.csv", newline="", encoding="utf-8") as file:
        return list(csv.reader(file))[1:]


class Private:
    def __init__(self, *options):
        self.options, self.base, self.env = options, None, {}

    def start(self):
        self.base = tempfile.mkdtemp(prefix="osp.")
        subprocess.run([SCRIPT, "start", self.base, *self.options], check=True, stdout=subprocess.DEVNULL)
        self.env.update(line.split("=", 1)
                        for line in read(pathlib.Path(self.base, "mariadb.env")).splitlines())

    def stop(self):
        if self.base:
            subprocess.run([SCRIPT, "stop", self.base], check=False)
            subprocess.run(["rm", "-rf", self.base], check=False)

    def command(self, *options):
        """The server's own client, by its socket: the command line and the environment."""
        return (["mariadb", "--no-defaults", "-h", "localhost", "-S", self.env["MYSQL_SOCKET"],
                 "--default-character-set=utf8mb4", "-u", self.env["MYSQL_USER"], *options, self.env["MYSQL_DATABASE"]],
                {**os.environ, "MYSQL_PWD": self.env["MYSQL_PASSWORD"]})

    def client(self, statement, *options):
        """What that client prints; bytes."""
        command, env = self.command(*options)
        done = subprocess.run(command, input=statement.encode(), capture_output=True, env=env)
        assert_equal(done.returncode, 0, "exit code", done.stderr.decode(errors="replace"))
        return done.stdout

    def sql(self, statement):
        return self.client(statement, "-B", "-N").decode()

    def connection(self, **fields):
        return {"host": "${MYSQL_HOST}", "port": "${MYSQL_PORT}", "database": "${MYSQL_DATABASE}",
                "user": "${MYSQL_USER}", "password": "${MYSQL_PASSWORD}", **fields}

    def raw(self, **config):
        """What the batches hold; see raw.py."""
        self.extract(writer=step("save", "test.raw", "write", path="out.raw"), **config)
        return Raw("out.raw")

    def extract(self, code=0, connection=None, arguments=(), env=None, **config):
        pathlib.Path("out.csv").unlink(missing_ok=True)
        describe(self.connection(**(connection or {})), **config)
        result = osiris("run", "pipeline.yaml", *arguments, env={**self.env, **(env or {})})
        assert_equal(result.code, code, "exit code", result)
        return result
