#!/usr/bin/env python3
"""scripts/mariadb-private: what everything that needs a database stands on."""

import os
import pathlib
import shutil
import socket
import stat
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cli"))

from tap import (SOURCE, Skip, assert_equal, assert_in, main, processes, read, test,  # noqa: E402
                 wait_until, write)

SCRIPT = SOURCE / "scripts" / "mariadb-private"


def script(*arguments, code=0, env=None):
    done = subprocess.run([SCRIPT, *map(str, arguments)], capture_output=True, text=True,
                          env={**os.environ, **(env or {})}, timeout=120)
    assert_equal(done.returncode, code, "exit code", done.stdout + done.stderr)
    return done


def settings(folder):
    return dict(line.split("=", 1) for line in read(folder / "mariadb.env").splitlines())


def runs(pid):
    """False for a process that has ended, also while nobody has waited for it yet."""
    return processes().get(pid, (0, 0, "Z"))[2] != "Z"


class Server:
    """A started server; stopped at the end whatever happens."""

    def __init__(self, folder, env=None):
        if not shutil.which("mariadb-install-db"):
            raise Skip("there is no MariaDB server here")
        self.folder, self.env = folder, env

    def __enter__(self):
        try:
            script("start", self.folder, env=self.env)
        except BaseException:
            self.__exit__()
            raise
        self.settings = settings(self.folder)
        self.pid = int(read(self.folder / "mariadbd.pid"))
        return self

    def __exit__(self, *_):
        subprocess.run([SCRIPT, "stop", self.folder], check=False)

    def connect(self, statement, *arguments, user=None, password=None):
        return subprocess.run(["mariadb", "--no-defaults", "-B", "-N", *arguments,
                               "-u", user or self.settings["MYSQL_USER"], "-e", statement],
                              env={**os.environ,
                                   "MYSQL_PWD": self.settings["MYSQL_PASSWORD"] if password is None
                                   else password}, capture_output=True, text=True)

    def tcp(self, statement, **who):
        return self.connect(statement, "-h", self.settings["MYSQL_HOST"],
                            "-P", self.settings["MYSQL_PORT"], **who)

    def sql(self, statement):
        done = self.tcp(f"USE {self.settings['MYSQL_DATABASE']}; {statement}")
        assert_equal(done.returncode, 0, "exit code", done.stderr)
        return done.stdout.strip()


@test
def test_start_fill_stop(folder):
    with Server(folder) as server:
        script("fill", folder, 1000)
        assert_equal(server.sql("SELECT COUNT(*), COUNT(DISTINCT id) FROM orders"), "1000\t1000")
        first = server.sql("CHECKSUM TABLE orders")
        script("fill", folder, 1000)
        assert_equal(server.sql("CHECKSUM TABLE orders"), first, "the same rows again")
        script("fill", folder, 0)
        assert_equal(server.sql("SELECT COUNT(*) FROM orders"), "0")
        via_socket = server.connect("SELECT 1", "-S", server.settings["MYSQL_SOCKET"])
        assert_equal(via_socket.stdout, "1\n", "through the socket", via_socket.stderr)
        script("stop", folder)
        assert not runs(server.pid), "the server runs on"
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", int(server.settings["MYSQL_PORT"]))) != 0
        assert not (folder / "mariadb.env").exists()
        script("stop", folder)


@test
def test_the_rows_are_as_hostile_as_promised(folder):
    with Server(folder) as server:
        script("fill", folder, 5000)
        for what in ("notes LIKE '%,%'", "notes LIKE '%\"%'", "notes LIKE '%\\n%'", "notes = ''",
                     "notes IS NULL", "tax IS NULL", "weight IS NULL", "updated_at IS NULL",
                     "shipped_on IS NULL", "MICROSECOND(created_at) > 100",
                     "LENGTH(customer_name) > CHAR_LENGTH(customer_name)", "is_gift = 1"):
            count = int(server.sql(f"SELECT COUNT(*) FROM orders WHERE {what}"))
            assert 0 < count < 5000, f"{what}: {count} of 5000 rows"


@test
def test_only_its_own_account_gets_in(folder):
    with Server(folder) as server:
        for user, password in (("osiris", "wrong"), ("osiris", ""), ("root", ""), ("stranger", "")):
            done = server.tcp("SELECT 1", user=user, password=password)
            assert_in("Access denied", done.stderr, f"as {user} with {password!r}")
        assert_equal(stat.S_IMODE((folder / "mariadb.env").stat().st_mode), 0o600, "mariadb.env's mode")
        password = server.settings["MYSQL_PASSWORD"].encode()
        assert len(password) >= 24, "the password is short"
        assert password not in pathlib.Path(f"/proc/{server.pid}/cmdline").read_bytes()


@test
def test_configuration_files_are_not_read(folder):
    home = folder / "home"
    write(home / ".my.cnf", "[client]\nuser=nobody\nport=1\nbogus\n[mysqld]\nbogus\n[mariadbd]\nbogus\n")
    with Server(folder / "data", env={"HOME": str(home)}):
        script("fill", folder / "data", 10, env={"HOME": str(home)})


@test
def test_a_client_environment_does_not_lead_astray(folder):
    # The environment of a user who has another server; the client heeds these even beside a socket.
    env = {"MYSQL_HOST": "192.0.2.1", "MYSQL_TCP_PORT": "1", "MYSQL_UNIX_PORT": "/nonexistent",
           "MYSQL_PWD": "wrong"}
    with Server(folder, env=env) as server:
        script("fill", folder, 10, env=env)
        assert_equal(server.sql("SELECT COUNT(*) FROM orders"), "10")


@test
def test_an_interrupted_start_leaves_no_server(folder):
    with Server(folder):
        script("stop", folder)  # the data is there now: what follows is the server's own start
    process = subprocess.Popen([SCRIPT, "start", folder], stderr=subprocess.DEVNULL)

    def server():
        return [pid for pid, entry in processes().items()
                if entry[3] == "mariadbd" and str(folder).encode() in
                pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()]
    pid = wait_until(server, "the server begins")[0]
    process.terminate()
    code = process.wait(60)
    if code == 143:
        wait_until(lambda: not runs(pid), "the server is gone")
    else:
        # It was quicker than the signal: then it has to be a whole one.
        assert_equal(code, 0, "exit code")
        script("stop", folder)


@test
def test_awkward_folders(folder):
    for name in ("with space", "with'quote", "d" * 120):
        with Server(folder / name / "deep") as server:
            assert len(server.settings["MYSQL_SOCKET"]) <= 107
            script("fill", folder / name / "deep", 10)
            script("stop", folder / name / "deep")
            assert not pathlib.Path(server.settings["MYSQL_SOCKET"]).exists()


@test
def test_a_number_left_by_a_killed_server_is_nobodys(folder):
    with Server(folder) as server:
        os.kill(server.pid, 9)
        wait_until(lambda: not runs(server.pid), "the server is gone")
        bystander = subprocess.Popen(["sleep", "600"])
        try:
            write(folder / "mariadbd.pid", f"{bystander.pid}\n")
            script("stop", folder)
            assert bystander.poll() is None, "stop ended another program"
        finally:
            bystander.kill()
            bystander.wait()


@test
def test_misuse(folder):
    script(code=1)
    script("start", code=1)
    script("fill", folder, code=1)
    script("dance", folder, code=1)
    assert_in("not a number", script("fill", folder, "1x", code=1).stderr)
    assert_in("start it first", script("fill", folder, "1", code=1).stderr)
    for option in ("--port=3306", "--port", "--por=1", "--bind_address=0.0.0.0", "--datadir=/", "-P1", "3306", "--skip-net"):
        assert_in("start: ", script("start", folder / "new", option, code=1).stderr)
    for arguments in (("stop", folder, "now"), ("fill", folder, "1", "2"), ("dance", folder / "new")):
        script(*arguments, code=1)
    assert not (folder / "new").exists()
    with Server(folder):
        assert_in("already", script("start", folder, code=1).stderr)


if __name__ == "__main__":
    main()
