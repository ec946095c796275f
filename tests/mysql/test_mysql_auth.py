#!/usr/bin/env python3
"""How mysql.extractor authenticates: MySQL's caching_sha2_password against a scripted server (Debian has no MySQL
server), MariaDB's own plug-ins against a real one, client plug-ins that are missing, and what is never sent."""

import os
import pathlib
import shutil
import tempfile

from private import Private, describe, rows

from tap import Skip, assert_equal, assert_in, events, main, osiris, run_directory, test  # noqa: E402

from fake_mysql import (CAPABILITIES, SSL, fake_mysql, make_authority, make_certificate,  # noqa: E402
                        openssl, tls_context)

PASSWORD = "pässword of a reader, longer than a nonce"

keys = None
private = Private()


def setup():
    global keys
    private.start()
    if shutil.which("openssl"):
        keys = pathlib.Path(tempfile.mkdtemp(prefix="osa."))
        make_authority(keys, "ours")
        make_certificate(keys, "here", "ours", "IP:127.0.0.1")
        openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", keys / "rsa.key")


def teardown():
    private.stop()
    if keys:
        shutil.rmtree(keys, ignore_errors=True)


def needs_openssl():
    if not keys:
        raise Skip("there is no openssl command")


def log_in(script, code=0, password=PASSWORD, arguments=(), env=None, **fields):
    """→ the result, and the fake server."""
    shutil.rmtree("run_logs", ignore_errors=True)
    pathlib.Path("out.csv").unlink(missing_ok=True)
    with fake_mysql(script) as fake:
        describe({"host": "127.0.0.1", "port": fake.port, "database": "shop", "user": "reader",
                  "password": "${PASSWORD}", **fields}, query="SELECT n")
        result = osiris("run", "pipeline.yaml", *arguments, env={"PASSWORD": password, **(env or {})})
        assert_equal(result.code, code, "exit code", f"{result}\n{fake.problems}")
        assert_equal(fake.problems, [], "problems", result)
    assert password not in result.out + result.err, result
    return result, fake


def failure():
    return events(run_directory(), "run_error")[0]["detail"]


def mysql8(cached=False, tls=None, switch=False, password=PASSWORD):
    """A server with the account reader, of caching_sha2_password. `switch`: its default plug-in is another one."""
    def script(connection):
        capabilities = CAPABILITIES | (SSL if tls else 0)
        connection.greet("mysql_native_password" if switch else "caching_sha2_password", capabilities)
        user, data, plugin = connection.login(tls)
        assert user == "reader", user
        if plugin != "caching_sha2_password":
            data = connection.switch("caching_sha2_password")
        if connection.authenticate(data, password, cached, keys and keys / "rsa.key"):
            connection.ok()
            connection.serve(numbers=[8, -1])
        else:
            connection.error(1045, "28000", "Access denied for user 'reader'@'localhost' (using password: YES)")
    return script


def exported():
    assert_equal(rows(), [["8"], ["-1"]], "rows")


@test
def test_caching_sha2_fast(folder):
    _, fake = log_in(mysql8(cached=True))
    exported()
    assert PASSWORD.encode() not in fake.connections[0].received


@test
def test_caching_sha2_after_a_switch(folder):
    log_in(mysql8(cached=True, switch=True))
    exported()


@test
def test_caching_sha2_full_with_rsa(folder):
    needs_openssl()
    # By default, too, TLS is wanted: a library that took that for encryption would send the password as it is.
    for fields in ({}, {"ssl": "{mode: disabled}"}):
        _, fake = log_in(mysql8(), **fields)
        exported()
        assert PASSWORD.encode() not in fake.connections[0].received
    log_in(mysql8(switch=True))
    exported()


@test
def test_caching_sha2_full_over_tls(folder):
    needs_openssl()
    context = tls_context(keys, "here")
    _, fake = log_in(mysql8(tls=context), ssl=f'{{mode: verify_identity, ca: "{keys}/ours.pem"}}')
    exported()
    assert fake.connections[0].encrypted
    # The same by the default mode, and the fast path over TLS.
    log_in(mysql8(tls=context))
    exported()
    log_in(mysql8(cached=True, tls=context))
    exported()


@test
def test_caching_sha2_wrong_password(folder):
    needs_openssl()
    for script in (mysql8(cached=True), mysql8(), mysql8(tls=tls_context(keys, "here"))):
        result, _ = log_in(script, code=1, password="not the password")
        assert_in("1045", result.err, result)
        detail = failure()
        assert_equal((detail["category"], detail["native_code"], detail["native_state"]), ("auth", 1045, "28000"))


@test
def test_no_password(folder):
    def script(connection):
        connection.greet()
        _, data, plugin = connection.login()
        assert_equal((data, plugin), (b"", "caching_sha2_password"))
        connection.ok()
        connection.serve(numbers=[8, -1])

    with fake_mysql(script) as fake:
        describe({"host": "127.0.0.1", "port": fake.port, "database": "shop", "user": "reader"}, query="SELECT n")
        result = osiris("run", "pipeline.yaml")
        assert_equal(result.code, 0, "exit code", f"{result}\n{fake.problems}")
    exported()


def plugins_in(folder):
    return {"arguments": ("--pass-env", "MARIADB_PLUGIN_DIR"), "env": {"MARIADB_PLUGIN_DIR": str(folder)}}


@test
def test_a_missing_plugin_is_named_with_its_folder(folder):
    def script(connection):
        connection.greet()
        _, _, plugin = connection.login()
        assert plugin != "caching_sha2_password", "the client has the plug-in"
        connection.switch("caching_sha2_password")
        connection.error(1045, "28000", "Access denied for user 'reader'@'localhost' (using password: NO)")

    result, _ = log_in(script, code=1, **plugins_in(folder))
    assert_in("Plugin caching_sha2_password could not be loaded", result.err, result)
    assert_in(f"{folder}/caching_sha2_password.so", result.err, result)
    assert_in("libmariadb3", result.err, result)
    detail = failure()
    assert_equal((detail["category"], detail["retryable"], detail["native_code"]), ("auth", False, 2059))


@test
def test_a_missing_plugin_of_a_switch(folder):
    def script(connection):
        connection.greet("mysql_native_password")
        connection.login()
        connection.switch("client_ed25519")
        connection.error(1045, "28000", "Access denied")

    result, _ = log_in(script, code=1, **plugins_in(folder))
    assert_in("Plugin client_ed25519 could not be loaded", result.err, result)
    assert_equal(failure()["native_code"], 2059, "number", result)


@test
def test_the_password_is_not_given_to_whoever_asks(folder):
    needs_openssl()

    def greedy(tls=None):
        def script(connection):
            connection.greet("mysql_native_password", CAPABILITIES | (SSL if tls else 0))
            connection.login(tls)
            assert connection.switch("mysql_clear_password") == PASSWORD.encode() + b"\0"
            connection.ok()
            connection.serve(numbers=[8, -1])
        return script

    context = tls_context(keys, "here")
    for script in (greedy(), greedy(context)):
        result, fake = log_in(script, code=1)
        assert PASSWORD.encode() not in fake.connections[0].received, result
        assert_in("ssl.mode", result.err, result)
        assert_equal(failure()["category"], "auth", "category", result)
    # Some accounts need it (LDAP, tokens of clouds): who says that it must be encrypted has it.
    log_in(greedy(context), ssl="{mode: required}")
    exported()


@test
def test_mariadbs_ed25519(folder):
    if not os.path.exists("/usr/lib/mysql/plugin/auth_ed25519.so"):
        raise Skip("the server has no auth_ed25519")
    private.sql("INSTALL SONAME 'auth_ed25519'; CREATE OR REPLACE USER signing@'%' IDENTIFIED VIA ed25519 "
                "USING PASSWORD('pw-of-signing')")
    private.extract(connection={"user": "signing", "password": "${PW}", "database": "information_schema"},
                    env={"PW": "pw-of-signing"}, query="SELECT CURRENT_USER() AS who")
    assert_equal(rows(), [["signing@%"]], "rows")


if __name__ == "__main__":
    main(setup, teardown)
