#!/usr/bin/env python3
"""mysql.extractor's errors: MySQL's number and SQLSTATE, the category, and whether a retry makes sense. Each kind comes
from a real server, or from a scripted one where a real one cannot be brought to it."""

import os
import pathlib
import shutil
import socket
import subprocess

from private import Private, describe

from proxy import Proxy
from second_library import worker_with
from tap import (SANITIZED, Skip, assert_equal, assert_in, events, finish, main, osiris, read,  # noqa: E402
                 run_directory, start, test, wait_until)

from fake_mysql import fake_mysql  # noqa: E402

private = Private("--disconnect-on-expired-password=1")


def failure():
    """Of the run just made: (category, retryable, number, SQLSTATE), and the whole."""
    detail = events(run_directory(), "run_error")[0]["detail"]
    shutil.rmtree("run_logs")
    return (detail["category"], detail["retryable"], detail.get("native_code"), detail.get("native_state")), detail


def expect(expected, hint, result):
    got, detail = failure()
    assert_equal(got, expected, "error", result)
    if hint:
        assert_in(hint, detail.get("hint", ""), result)


def fails(expected, connection=None, env=None, hint=None, **config):
    expect(expected, hint, private.extract(code=1, connection=connection, env=env, **config))


def account(name, grants="", options=""):
    private.sql(f"CREATE OR REPLACE USER {name}@'%' IDENTIFIED BY 'pw-of-{name}' {options}; {grants}")
    return {"connection": {"user": name, "password": "${PW}"}, "env": {"PW": f"pw-of-{name}"}}


@test
def test_authentication(folder):
    who = account("someone")
    fails(("auth", False, 1045, "28000"), connection=who["connection"], env={"PW": "wrong"},
          query="SELECT 1", hint="check user and password")
    fails(("auth", False, 4151, "HY000"), **account("locked", options="ACCOUNT LOCK"), query="SELECT 1")
    fails(("auth", False, 1862, "HY000"), **account("expired", options="PASSWORD EXPIRE"),
          query="SELECT 1", hint="expired")


@test
def test_permission(folder):
    private.sql("CREATE OR REPLACE TABLE seen (a INT, b INT); CREATE OR REPLACE TABLE unseen (a INT);"
                "CREATE OR REPLACE FUNCTION hidden() RETURNS INT RETURN 1")
    who = account("narrow", "GRANT SELECT (a) ON shop.seen TO narrow@'%'")
    fails(("permission", False, 1142, "42000"), **who, table="unseen", hint="SELECT on the table")
    fails(("permission", False, 1143, "42000"), **who, table="seen", columns=["b"], hint="SELECT on the column")
    fails(("permission", False, 1370, "42000"), **who, query="SELECT hidden()", hint="EXECUTE")
    fails(("permission", False, 1044, "42000"), query="SELECT 1", env=who["env"],
          connection={**who["connection"], "database": "mysql"})


@test
def test_not_found(folder):
    private.sql("CREATE OR REPLACE TABLE t (a INT)")
    fails(("not_found", False, 1146, "42S02"), table="nowhere", hint="check the table's name")
    fails(("not_found", False, 1054, "42S22"), table="t", columns=["nothing"])
    fails(("not_found", False, 1305, "42000"), query="SELECT no_such_function(1)")
    fails(("not_found", False, 1049, "42000"), connection={"database": "no_such"}, query="SELECT 1",
          hint="check database")


RESOLVER = """
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
    static int calls;
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
        (int (*)(const char *, const char *, const struct addrinfo *, struct addrinfo **))dlsym(RTLD_NEXT, "getaddrinfo");
    FILE *file = fopen(getenv("LOOKUPS"), "a");
    fprintf(file, "%s\\n", name);
    fclose(file);
    return calls++ < atoi(getenv("FOUND")) ? real(name, service, hints, result) : atoi(getenv("SAYS"));
}
"""


def resolver(folder, says, found=0):
    """The environment of a worker whose resolver finds so many names, and then says that."""
    if SANITIZED:
        raise Skip("a sanitizer wants to be loaded first")
    pathlib.Path("resolver.c").write_text(RESOLVER)
    pathlib.Path("lookups").write_text("")
    subprocess.run([*os.environ.get("CC", "cc").split(), "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", "resolver.so",
                    "resolver.c"], check=True)
    return {"OSIRIS_WORKER": worker_with("worker", LD_PRELOAD=folder / "resolver.so", LOOKUPS=folder / "lookups",
                                         SAYS=says, FOUND=found)}


@test
def test_a_name_that_does_not_exist(folder):
    for says, text in ((socket.EAI_NONAME, "Name or service not known"), (socket.EAI_FAIL, "Non-recoverable failure")):
        result = private.extract(code=1, connection={"host": "nowhere.invalid"}, env=resolver(folder, says), query="SELECT 1")
        assert_in(f"the host's name cannot be resolved (DNS): {text}", result.err, result)
        assert_in("Unknown server host 'nowhere.invalid'", result.err, result)
        expect(("not_found", False, 2005, "HY000"), "check host", result)
        assert_equal(read("lookups"), "nowhere.invalid\n", "lookups")


@test
def test_a_name_that_is_not_there_any_more(folder):
    """It is not looked for ten times."""
    private.sql("CREATE OR REPLACE TABLE many (id INT PRIMARY KEY, v CHAR(100)); "
                "INSERT INTO many SELECT seq, REPEAT('x', 100) FROM seq_1_to_5000")
    with Proxy(private.env, 100000) as proxy:
        result = private.extract(code=1, connection={"host": "localhost", "port": proxy.port}, table="many", batch_size=100,
                                 env=resolver(folder, socket.EAI_NONAME, found=1))
    expect(("not_found", False, 2005, "HY000"), "check host", result)
    assert_equal(read("lookups"), "localhost\n" * 2, "lookups")


@test
def test_a_resolver_that_does_not_answer(folder):
    result = private.extract(code=1, connection={"host": "nowhere.invalid", "connect_timeout": 1}, query="SELECT 1",
                             env=resolver(folder, socket.EAI_AGAIN))
    assert_in("(DNS): Temporary failure in name resolution", result.err, result)
    expect(("not_found", True, 2005, "HY000"), "DNS", result)


@test
def test_config(folder):
    fails(("config", False, 1064, "42000"), query="SELEKT 1", hint="check the query")
    fails(("config", False, 1064, "42000"), query="SELECT 1; SELECT 2")
    fails(("config", False, 1298, "HY000"), query="SELECT 1", init_sql="SET time_zone = 'no/where'")
    # Known by its SQLSTATE only.
    fails(("config", False, 1055, "42000"), init_sql="SET sql_mode = 'ONLY_FULL_GROUP_BY'",
          query="SELECT seq, COUNT(*) FROM seq_1_to_3 GROUP BY seq % 2")


@test
def test_quota(folder):
    who = account("few", "GRANT SELECT ON *.* TO few@'%'", options="WITH MAX_CONNECTIONS_PER_HOUR 1")
    private.extract(**who, query="SELECT 1")
    shutil.rmtree("run_logs")
    fails(("quota", True, 1226, "42000"), **who, query="SELECT 1")


def running(text):
    return private.sql("SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND "
                       f"info = '{text}'").split()


@test
def test_time(folder):
    fails(("timeout", True, 1969, "70100"), init_sql="SET max_statement_time = 0.05",
          query="SELECT SLEEP(100) AS s", hint="limits the time of a statement")
    private.sql("CREATE OR REPLACE TABLE t (a INT) ENGINE=InnoDB")
    describe(private.connection(), query="SELECT SLEEP(1000) AS holder", init_sql="LOCK TABLES t WRITE")
    holder = start("run", "pipeline.yaml", env=private.env)
    try:
        wait_until(lambda: running("SELECT SLEEP(1000) AS holder"), "the table is locked")
        shutil.move("run_logs", "logs_of_holder")
        fails(("timeout", True, 1205, "HY000"), init_sql="SET lock_wait_timeout = 0", table="t")
    finally:
        holder.terminate()
        finish(holder)


@test
def test_data(folder):
    fails(("data", False, 1242, "21000"), query="SELECT (SELECT 1 UNION SELECT 2) AS n")
    fails(("data", False, 1690, "22003"), query="SELECT 18446744073709551615 + seq AS n FROM seq_1_to_2")


@test
def test_killed(folder):
    for what in ("QUERY", "CONNECTION"):
        describe(private.connection(), query=f"SELECT SLEEP(1000) AS killed_{what}")
        process = start("run", "pipeline.yaml", env=private.env)
        number = wait_until(lambda: running(f"SELECT SLEEP(1000) AS killed_{what}"), "the query runs")[0]
        private.sql(f"KILL {what} {number}")
        result = finish(process)
        assert_equal(result.code, 1, "exit code", result)
        got, _ = failure()
        assert_equal(got[:2], ("connection", True), "error", result)
        # Of a connection the server's last word may or may not come through.
        assert got[2] in ((1317,) if what == "QUERY" else (1317, 1927, 2013)), got


@test
def test_no_server(folder):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    fails(("connection", True, 2002, "HY000"), connection={"port": port}, query="SELECT 1",
          hint="check whether the server is running")
    fails(("connection", True, 2002, "HY000"), connection={"socket": folder / "none"}, query="SELECT 1",
          hint="check whether the server is running and the socket is correct")


# A server that says what a real one cannot easily be brought to.

def at_once(code):
    def script(connection):
        # Without a SQLSTATE, because nothing is agreed yet.
        connection.write(b"\xff" + code.to_bytes(2, "little") + b"said the server")
    return script


def to_the_query(code, state):
    def script(connection):
        connection.greet(plugin="mysql_native_password")
        connection.login()
        connection.ok()
        connection.serve(numbers=range(3), error=(code, state, "said the server"))
    return script


def from_fake(script, expected, hint=None, **fields):
    with fake_mysql(script) as fake:
        describe({"host": "127.0.0.1", "port": fake.port, "database": "shop", "user": "reader",
                  "password": "${PASSWORD}", **fields}, query="SELECT n")
        result = osiris("run", "pipeline.yaml", env={"PASSWORD": "the-password"})
        assert_equal(result.code, 1, "exit code", result)
        assert_equal(fake.problems, [], "problems", result)
    expect(expected, hint, result)


@test
def test_a_server_that_lets_nobody_in(folder):
    for code, expected in ((1040, ("quota", True)), (1203, ("quota", True)), (1129, ("permission", False)),
                           (1130, ("permission", False)), (1053, ("connection", True)),
                           (1043, ("connection", False)), (3159, ("auth", False)), (3032, ("permission", True))):
        # With TLS wanted and without: libmariadb words them differently.
        for mode in ("required", "preferred", "disabled"):
            from_fake(at_once(code), (*expected, code, "HY000"), ssl=f"{{mode: {mode}}}")


@test
def test_errors_among_the_rows(folder):
    for code, state, expected in ((1213, "40001", ("timeout", True)), (3024, "HY000", ("timeout", True)),
                                  (1021, "HY000", ("io", True)), (1194, "HY000", ("io", False)),
                                  (1030, "HY000", ("io", False)), (1038, "HY001", ("quota", True)),
                                  (1412, "HY000", ("data", True)), (3169, "HY000", ("connection", True)),
                                  # Known by their SQLSTATE only.
                                  (9999, "08S01", ("connection", True)), (9999, "40001", ("timeout", True)),
                                  (9999, "28000", ("auth", False)), (9999, "42000", ("config", False)),
                                  (9999, "22012", ("data", False)), (9999, "HY000", ("data", False))):
        from_fake(to_the_query(code, state), (*expected, code, state))


@test
def test_a_connection_that_breaks_among_the_rows(folder):
    def script(connection):
        connection.greet(plugin="mysql_native_password")
        connection.login()
        connection.ok()
        connection.serve(numbers=range(100), breaks=True)

    from_fake(script, ("connection", True, 2013, "HY000"), hint="the connection broke")


@test
def test_a_server_that_is_not_mysql(folder):
    def web_server(connection):
        connection.sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" + bytes(100))

    from_fake(web_server, ("connection", True, 2013, "HY000"), hint="check whether a MySQL server listens")

    def older(connection):
        connection.write(b"\x093.20\0" + bytes(12))

    from_fake(older, ("connection", False, 2007, "00000"), hint="check whether a MySQL server listens")


if __name__ == "__main__":
    main(private.start, private.stop)
