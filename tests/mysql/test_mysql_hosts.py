#!/usr/bin/env python3
"""What the fields of mysql.extractor's connection may be: a host is a host, and nothing that the client library reads
options, a plug-in or a list out of."""

import contextlib
import os
import pathlib

from private import Private, describe, rows

from tap import Skip, assert_equal, assert_in, main, osiris, read, test  # noqa: E402

from fake_mysql import fake_mysql  # noqa: E402

private = Private()

NO_HOST = "host is not a DNS name, an IPv4 or IPv6 address, or the absolute path of a socket"
SECRET = "hidden-in-it-4711"


def greets(connection):
    connection.greet(plugin="mysql_native_password")
    connection.login()
    connection.ok()
    connection.serve(numbers=[5])


@contextlib.contextmanager
def server(address="127.0.0.1"):
    with fake_mysql(greets, address) as fake:
        yield fake


def connection(fake, **fields):
    return {"host": "127.0.0.1", "port": fake.port, "database": "shop", "user": "reader", "password": "${PW}", **fields}


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def shows_nothing(result):
    """The host's text may have a password in it."""
    assert SECRET not in result.out + result.err, result
    for base, _, names in os.walk("."):
        for name in names:
            path = pathlib.Path(base, name)
            assert name in ("osiris_connections.yaml", "pipeline.yaml") or SECRET not in read(path), path


def refused(text, hint, *arguments, env=None, message=NO_HOST, code=2, fields=None, **config):
    """`text` as the host, in quotes if it is not another field that is meant."""
    with server() as fake:
        describe(connection(fake, **(fields or {"host": quoted(text)})), query="SELECT n", **config)
        result = osiris(*(arguments or ("run", "pipeline.yaml")), env={"PW": "pw", **(env or {})})
        assert_equal(result.code, code, "exit code", result)
        assert_equal(len(fake.connections), 0, "connections", result)
    assert_in(message, result.err + result.out, result)
    assert_in(hint, result.err + result.out, result)
    shows_nothing(result)


NONE = (
    (f"mysql://reader:{SECRET}@db.example.com:3306/shop", "a URL is not supported"),
    (f"jdbc:mysql://db.example.com/shop?password={SECRET}", "a URL is not supported"),
    (f"jdbc:mariadb:{SECRET}", "a URL is not supported"),
    (f"reader:{SECRET}@db.example.com", "user and password as separate fields"),
    ("nosuch.invalid;", "options of the client library are not supported"),
    ("127.0.0.1;init-command=create table x (a int)", "options of the client library are not supported"),
    ("host=127.0.0.1;tls-verify-peer=0", "options of the client library are not supported"),
    ("host=127.0.0.1", "options of the client library are not supported"),
    ("127.0.0.1,localhost", "a list is not supported"),
    ("db.example.com:3306", "set the port as a separate field"),
    ("127.0.0.1:3306", "set the port as a separate field"),
    ("[::1]:3306", "set the port as a separate field"),
    ("run/mysqld.sock", "begins with /"),
    ("./mysqld.sock", "begins with /"),
    ("b\xfccher.example.com", "xn--"),
    ("127.0.0.256", ""), ("127.1", ""), ("0x7f.1", ""), ("0x7f000001", ""), ("2130706433", ""), ("1.2.3.4.", ""),
    ("", ""), (".", ""), ("a..b", ""), ("-a", ""), ("a-", ""), (" 127.0.0.1", ""), ("127.0.0.1 ", ""), ("a b", ""),
    ("a\tb", ""), ("*", ""), ("[::1", ""), ("[]", ""), ("[", ""), ("[127.0.0.1]", ""), ("[localhost]", ""), ("::1]", ""),
    (":::1", ""), ("fe80::1%", ""), ("fe80::1%a;b", ""), ("127.0.0.1%lo", ""), ("a" * 64, ""), ("a." * 127, ""),
    ("%00", ""), ("@", ""), ("a\\", ""), ("$(id)", ""), ("~", ""),
)


@test
def test_invalid_hosts(folder):
    for text, hint in NONE:
        if text:
            refused(text, hint)


@test
def test_invalid_hosts_in_variables(folder):
    for text, hint in NONE:
        refused("${DB_HOST}", hint, env={"DB_HOST": text}, message='"host" must not be empty' if text == "" else NO_HOST)


@test
def test_a_steps_own_host(folder):
    for text, hint in NONE[:9]:
        refused("127.0.0.1", hint, host=text)


@test
def test_the_doctor_and_discovery_refuse_it(folder):
    for text, hint in NONE[:9]:
        for arguments in (("connections", "doctor"), ("discovery", "run", "@mysql.shop"),
                          ("discovery", "plan", "@mysql.shop", "--table", "t", "--partitions", "2")):
            refused(text, hint, *arguments, code=1)
            refused("${DB_HOST}", hint, *arguments, code=1, env={"DB_HOST": text})


@test
def test_validate_refuses_it_with_its_line(folder):
    for text in ("a;b=c", "a b"):
        refused(text, "", "validate", "pipeline.yaml", message='pipeline.yaml:10:19: error: mysql.extractor: host is not')
    refused("127.0.0.1", "", "validate", "pipeline.yaml", message="pipeline.yaml:12:5: error: mysql.extractor: host is not",
            host="a b")


def reached(address, host, **fields):
    try:
        with server(address) as fake:
            describe(connection(fake, host=quoted(host), **fields), query="SELECT n")
            result = osiris("run", "pipeline.yaml", env={"PW": "pw"})
            assert_equal(result.code, 0, "exit code", f"{result}\n{fake.problems}")
            assert_equal(rows(), [["5"]], "rows", host)
    except OSError as problem:
        raise Skip(f"cannot listen on {address}: {problem}")


@test
def test_names_and_ipv4_addresses(folder):
    for host in ("127.0.0.1", "127.0.0.2", "localhost", "LOCALHOST"):
        reached("127.0.0.2" if host == "127.0.0.2" else "127.0.0.1", host)


@test
def test_ipv6_addresses(folder):
    for host in ("::1", "[::1]", "0:0::1"):
        reached("::1", host)
    # With the interface.
    for host in ("fe80::1%eth0", "[fe80::1%eth0.2]"):
        describe(private.connection(host=quoted(host)), query="SELECT 1")
        result = osiris("validate", "pipeline.yaml", env=private.env)
        assert_equal(result.code, 0, "exit code", result)


@test
def test_a_path_is_a_socket(folder):
    private.extract(connection={"host": "${MYSQL_SOCKET}", "port": 1}, query="SELECT USER() AS who")
    assert_equal(rows(), [["osiris@localhost"]], "rows")


@test
def test_names_that_nobody_has_are_looked_up(folder):
    for host in ("db_1.invalid", "xn--bcher-kva.invalid", "1a.invalid", "a.invalid."):
        result = private.extract(code=1, connection={"host": host}, query="SELECT 1")
        assert_in("Unknown server host", result.err, result)


@test
def test_a_secret_that_is_in_the_host(folder):
    """It is masked when the pipeline is compiled."""
    with server() as fake:
        describe(connection(fake, host="localhost"), query="SELECT n")
        result = osiris("run", "pipeline.yaml", env={"PW": "localhost"})
        assert_equal(result.code, 0, "exit code", f"{result}\n{fake.problems}")
    refused("localhost;b=c", "", env={"PW": "localhost"})
    private.extract(connection={"host": "${MYSQL_SOCKET}", "password": "${PW}", "user": "${MYSQL_USER}"}, code=1,
                    env={"PW": private.env["MYSQL_SOCKET"].split("/")[-2]}, query="SELECT 1")


@test
def test_names_that_would_be_cut(folder):
    for field, length in (("user", 512), ("database", 256)):
        refused(None, "", fields={field: "x" * (length + 1)}, message=f"{field} is longer than {length} bytes")
    refused(None, "", fields={"host": "/" + "x" * 107}, message="host is longer than 107 bytes")
    refused(None, "", fields={"socket": "/" + "x" * 107}, message="socket is longer than 107 bytes")
    for name in ("'@abstract'", "relative.sock"):
        refused(None, "", fields={"socket": name}, message="socket is not an absolute path")


@test
def test_an_empty_name(folder):
    for field in ("user", "database"):
        with server() as fake:
            describe(connection(fake, **{field: "${EMPTY}"}), query="SELECT n")
            result = osiris("run", "pipeline.yaml", env={"PW": "pw", "EMPTY": ""})
            assert_equal((result.code, len(fake.connections)), (2, 0), "exit code, connections", result)


if __name__ == "__main__":
    main(private.start, private.stop)
