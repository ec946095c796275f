#!/usr/bin/env python3
"""What depends on the client library, with another version of it: libmariadb 3.3 if the system's is 3.4, and the other way
round."""

import os
import pathlib
import subprocess
import sys

from second_library import library, worker_with

from tap import BUILD, main, test  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent


def passes(name):
    folder = library()
    worker = worker_with("worker", LD_LIBRARY_PATH=folder, MARIADB_PLUGIN_DIR=folder / "plugin")
    done = subprocess.run([sys.executable, HERE / name], env={**os.environ, "OSIRIS_WORKER": worker},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    assert done.returncode == 0, done.stdout


@test
def test_it_is_the_one_that_is_loaded(folder):
    second = library()
    driver = BUILD / ".libs" / "mysql.so"
    loaded = subprocess.run(["ldd", driver], env={**os.environ, "LD_LIBRARY_PATH": str(second)}, capture_output=True, text=True)
    assert f"{second}/libmariadb.so.3" in loaded.stdout, f"{loaded.stdout}{loaded.stderr}"


@test
def test_authentication(folder):
    passes("test_mysql_auth.py")


@test
def test_tls(folder):
    passes("test_mysql_tls.py")


@test
def test_errors(folder):
    passes("test_mysql_errors.py")


@test
def test_sessions(folder):
    passes("test_mysql_session.py")


@test
def test_warnings(folder):
    passes("test_mysql_warnings.py")


@test
def test_values(folder):
    passes("test_mysql_values.py")


if __name__ == "__main__":
    main()
