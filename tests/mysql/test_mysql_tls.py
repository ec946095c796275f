#!/usr/bin/env python3
"""mysql.extractor's `ssl`: what each mode accepts, and what is sent to whom. The server is real where it can be."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import threading

from private import Private, describe, rows

from proxy import Proxy
from second_library import worker_with
from tap import (SANITIZED, Skip, assert_equal, assert_in, finish, interrupt, main, osiris, start,  # noqa: E402
                 test, wait_until)

from fake_mysql import (CAPABILITIES, SSL, fake_mysql, make_authority, make_certificate,  # noqa: E402
                        tls_context)

CIPHER = "SELECT variable_value FROM information_schema.session_status WHERE variable_name = 'Ssl_cipher'"
WEAK = "TLS_AES_128_GCM_SHA256"

keys = None
private = None


def setup():
    global keys, private
    if not shutil.which("openssl"):
        return
    keys = pathlib.Path(tempfile.mkdtemp(prefix="ost."))
    make_authority(keys, "ours")
    make_authority(keys, "theirs")
    make_certificate(keys, "elsewhere", "ours")
    make_certificate(keys, "here", "ours", "IP:127.0.0.1,DNS:localhost")
    make_certificate(keys, "client", "ours")
    make_certificate(keys, "forged", "theirs", "IP:127.0.0.1,IP:127.0.0.2,DNS:localhost")
    present("elsewhere")
    private = Private(f"--ssl-ca={keys}/ours.pem", f"--ssl-cert={keys}/server.pem",
                      f"--ssl-key={keys}/server.key")
    private.start()


def teardown():
    if private:
        private.stop()
    if keys:
        shutil.rmtree(keys, ignore_errors=True)


def present(name):
    """The certificate that the server shows from now on."""
    for end in ("pem", "key"):
        shutil.copy(keys / f"{name}.{end}", keys / f"server.{end}")
    if private:
        private.sql("FLUSH SSL")


def ssl(**fields):
    if not private:
        raise Skip("there is no openssl command")
    return "{" + ", ".join(f'{name}: "{value}"' for name, value in fields.items()) + "}"


def cipher(connection=None, **config):
    private.extract(connection=connection, query=CIPHER, **config)
    return rows()[0][0]


def refused(part, connection, query="SELECT 1 AS one"):
    result = private.extract(code=1, connection=connection, query=query)
    assert_in(part, result.err, result)
    assert not pathlib.Path("out.csv").exists()
    return result


@test
def test_what_is_encrypted(folder):
    assert_equal(cipher({"ssl": ssl(mode="disabled")}), "", "cipher")
    for fields in ({"ssl": ssl(mode="preferred")}, {"ssl": ssl(mode="required")}, {},
                   {"ssl": ssl(ca=keys / "ours.pem")}, {"ssl": ssl(mode="verify_ca", ca=keys / "ours.pem")}):
        assert cipher(fields), f"not encrypted: {fields}"


@test
def test_the_cipher(folder):
    assert_equal(cipher({"ssl": ssl(mode="required", cipher=WEAK)}), WEAK, "cipher")
    assert cipher({"ssl": ssl(mode="required")}) != WEAK


@test
def test_the_authority(folder):
    for fields in ({"mode": "verify_ca"}, {"mode": "verify_identity"}, {}):
        refused("2026", {"ssl": ssl(ca=keys / "theirs.pem", **fields)})
    # required encrypts and asks nothing else, even with an authority's file.
    assert cipher({"ssl": ssl(mode="required", ca=keys / "theirs.pem")})
    assert_in("ssl.ca", private.extract(code=2, connection={"ssl": ssl(mode="verify_ca")}, query=CIPHER).err)


@test
def test_the_identity(folder):
    wanted = {"ssl": ssl(mode="verify_identity", ca=keys / "ours.pem")}
    refused("2026", wanted)
    present("here")
    try:
        assert cipher(wanted)
        # Without a file the system's authorities are asked, who do not know ours.
        refused("2026", {"ssl": ssl(mode="verify_identity")})
    finally:
        present("elsewhere")


@test
def test_the_clients_certificate(folder):
    ssl()
    private.sql("CREATE OR REPLACE USER known@'%' IDENTIFIED BY 'pw-of-known' REQUIRE X509;"
                "GRANT SELECT ON *.* TO known@'%'")
    who = {"user": "known", "password": "${KNOWN}"}
    env = {"KNOWN": "pw-of-known"}
    given = {"cert": keys / "client.pem", "key": keys / "client.key"}
    private.extract(connection={**who, "ssl": ssl(**given)}, env=env, query=CIPHER)
    assert rows()[0][0]
    result = private.extract(code=1, connection={**who, "ssl": ssl(mode="required")}, env=env, query=CIPHER)
    assert_in("1045", result.err, result)
    for half in given:
        result = private.extract(code=2, connection={"ssl": ssl(**{half: given[half]})}, query=CIPHER)
        assert_in("go together", result.err, result)
    for wanted, option, reason in (({"cert": keys / "missing.pem", "key": keys / "client.key"}, "cert", "No such file"),
                                   ({"cert": keys / "client.pem", "key": keys / "missing.key"}, "key", "No such file"),
                                   ({"ca": keys / "missing.pem"}, "ca", "No such file"),
                                   ({"mode": "required", "ca": keys}, "ca", "Is a directory")):
        result = refused(f"cannot read ssl.{option} ", {"ssl": ssl(**wanted)})
        assert_in(reason, result.err, result)


@test
def test_an_account_that_asks_for_tls(folder):
    ssl()
    private.sql("CREATE OR REPLACE USER careful@'%' IDENTIFIED BY 'pw-of-careful' REQUIRE SSL;"
                "GRANT SELECT ON *.* TO careful@'%'")
    who = {"user": "careful", "password": "${CAREFUL}"}
    result = private.extract(code=1, connection={**who, "ssl": ssl(mode="disabled")},
                             env={"CAREFUL": "pw-of-careful"}, query=CIPHER)
    assert_in("1045", result.err, result)
    assert_in("requires ssl", result.err, result)
    private.extract(connection=who, env={"CAREFUL": "pw-of-careful"}, query=CIPHER)


@test
def test_by_socket(folder):
    by_socket = {"socket": "${MYSQL_SOCKET}", "port": 1}
    ssl()
    assert_equal(cipher(by_socket), "", "cipher")
    assert cipher({**by_socket, "ssl": ssl(mode="required")})


@test
def test_a_step_may_not_weaken_it(folder):
    ssl()
    result = private.extract(code=2, query=CIPHER, ssl={"mode": "disabled"})
    assert_in("forbidden_override", result.err, result)


class Breaking(Proxy):
    """Breaks off the first connection among the rows, the next two in the handshake: before the certificate, and behind it."""

    def limit(self):
        return {1: 60000, 2: 200, 3: 1800}.get(self.connections)


@test
def test_a_connection_that_breaks_off(folder):
    """Without TLS's own goodbye, as one that is killed on MySQL, or whose server is."""
    private.sql("CREATE OR REPLACE TABLE broken (id INT PRIMARY KEY, v CHAR(100)); "
                "INSERT INTO broken SELECT seq, REPEAT('x', 100) FROM seq_1_to_5000")

    def export(code, connections, **config):
        with Breaking(private.env, 0) as proxy:
            result = private.extract(code=code, connection={"port": proxy.port, "ssl": ssl(mode="required")}, table="broken",
                                     batch_size=100, **config)
            assert_equal(proxy.connections, connections, "connections", result)
            return result
    result = export(1, 1, on_disconnect="fail")
    # libmariadb 3.4 calls it lost.
    assert "2026" in result.err or "2013" in result.err, result
    assert_in("the connection broke", result.err, result)
    export(0, 4)
    assert_equal([row[0] for row in rows()], [str(number) for number in range(1, 5001)], "rows")


@test
def test_a_slow_query(folder):
    # libmariadb takes the seconds of its timeouts for milliseconds if an encrypted socket does not block.
    private.extract(connection={"ssl": ssl(mode="required"), "read_timeout": 100},
                    query="SELECT seq, SLEEP(0.4) AS s FROM seq_1_to_2")
    assert_equal(rows(), [["1", "0"], ["2", "0"]], "rows")


@test
def test_read_timeout(folder):
    result = refused("read_timeout", {"ssl": ssl(mode="required"), "read_timeout": 1}, "SELECT SLEEP(100) AS s")
    assert result.seconds < 30, result


def running(text):
    return private.sql("SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND "
                       f"info LIKE '{text}%'").split()


@test
def test_a_cancelled_query_ends_on_the_server(folder):
    for mode, more in (("required", {}), ("preferred", {}), ("verify_ca", {"ca": keys and keys / "ours.pem"})):
        describe(private.connection(ssl=ssl(mode=mode, **more)), query=f"SELECT SLEEP(1000) AS {mode}")
        process = start("run", "pipeline.yaml", env=private.env)
        wait_until(lambda: running(f"SELECT SLEEP(1000) AS {mode}"), "the query runs")
        interrupt(process)
        result = finish(process)
        assert_equal(result.code, 130, "exit code", result)
        assert result.seconds < 8, result
        wait_until(lambda: not running(f"SELECT SLEEP(1000) AS {mode}"), "the query is gone", 30)


def log_in(connection, **fields):
    describe({"host": "127.0.0.1", "port": connection.port, "database": "shop", "user": "reader",
              "password": "${PASSWORD}", **fields}, query="SELECT n")


@test
def test_a_server_without_tls_gets_no_login(folder):
    ssl()

    def script(connection):
        connection.greet(plugin="mysql_native_password")
        connection.login()
        connection.ok()
        connection.serve(numbers=[5])

    env = {"PASSWORD": "the-password"}
    for fields in ({"mode": "required"}, {"mode": "verify_ca", "ca": keys / "ours.pem"},
                   {"mode": "verify_identity"}, {"mode": "verify_identity", "ca": keys / "ours.pem"},
                   {"cert": keys / "client.pem", "key": keys / "client.key"}):
        with fake_mysql(script) as fake:
            log_in(fake, ssl=ssl(**fields))
            result = osiris("run", "pipeline.yaml", env=env)
            assert_equal(result.code, 1, "exit code", result)
            assert_in("2026", result.err, result)
            assert_equal([c.received for c in fake.connections], [b""], "what was sent", result)
    for fields in ({"mode": "preferred"}, {"mode": "disabled"}):
        with fake_mysql(script) as fake:
            log_in(fake, ssl=ssl(**fields))
            result = osiris("run", "pipeline.yaml", env=env)
            assert_equal(result.code, 0, "exit code", result)
            assert_equal(rows(), [["5"]], "rows")
            assert_equal(fake.problems, [], "problems")


@test
def test_a_greeting_in_pieces(folder):
    ssl()
    context = tls_context(keys, "here")

    def script(connection):
        connection.greet(plugin="mysql_native_password", capabilities=CAPABILITIES | SSL, pieces=4)
        connection.login(context)
        connection.ok()
        connection.serve(numbers=[7])

    with fake_mysql(script) as fake:
        log_in(fake)
        result = osiris("run", "pipeline.yaml", env={"PASSWORD": "the-password"})
        assert_equal(result.code, 0, "exit code", f"{result} {fake.problems}")
        assert fake.connections[0].encrypted, "not encrypted"


def secure(context, plugin):
    """A server whose account `reader` logs in with the plug-in."""
    def script(connection):
        connection.greet(plugin=plugin, capabilities=CAPABILITIES | SSL)
        _, data, _ = connection.login(context)
        if plugin == "caching_sha2_password":
            assert connection.authenticate(data, "the-password", cached=False)
        connection.ok()
        connection.serve(numbers=[4])
    return script


def verified(certificate, host, accepted, fields, arguments=(), env=None):
    """`certificate` is shown; nothing of the login is sent behind one that is not accepted."""
    context = tls_context(keys, certificate)
    # The one is proof of the certificate to libmariadb 3.4, the other is not.
    for plugin in ("mysql_native_password", "caching_sha2_password"):
        with fake_mysql(secure(context, plugin), host if host[0].isdigit() else "127.0.0.1") as fake:
            log_in(fake, host=host, ssl=ssl(**fields))
            result = osiris("run", "pipeline.yaml", *arguments, env={"PASSWORD": "the-password", **(env or {})})
            about = f"{certificate} at {host}, {plugin}, {fields}\n{result}\n{fake.problems}"
            assert_equal(result.code, 0 if accepted else 1, "exit code", about)
            assert fake.connections[0].encrypted or not accepted, about
            if not accepted:
                assert_in("2026", result.err, about)
                # The header and what asks for TLS.
                assert_equal([len(c.received) for c in fake.connections], [4 + 32], "bytes sent", about)


@test
def test_what_each_mode_accepts(folder):
    ssl()
    ca = keys / "ours.pem"
    for host in ("127.0.0.1", "127.0.0.2", "localhost"):
        for certificate in ("here", "elsewhere", "forged"):
            ours, named = certificate != "forged", certificate == "here" and host != "127.0.0.2"
            for fields in ({}, {"mode": "preferred"}, {"mode": "required"}, {"mode": "required", "ca": ca}):
                verified(certificate, host, True, fields)
            for fields in ({"ca": ca}, {"mode": "verify_ca", "ca": ca}):
                verified(certificate, host, ours, fields)
            verified(certificate, host, ours and named, {"mode": "verify_identity", "ca": ca})
            verified(certificate, host, False, {"mode": "verify_identity"})


@test
def test_the_systems_authorities(folder):
    ssl()
    for certificate, accepted in (("here", True), ("elsewhere", False), ("forged", False)):
        verified(certificate, "127.0.0.1", accepted, {"mode": "verify_identity"}, ("--pass-env", "SSL_CERT_FILE"),
                 {"SSL_CERT_FILE": str(keys / "ours.pem")})


@test
def test_the_environment_switches_nothing_off(folder):
    ssl()
    verified("forged", "127.0.0.1", False, {"ca": keys / "ours.pem"},
             ("--pass-env", "MARIADB_TLS_DISABLE_PEER_VERIFICATION"), {"MARIADB_TLS_DISABLE_PEER_VERIFICATION": "1"})


@test
def test_ciphers_without_certificates(folder):
    ssl()
    result = private.extract(code=2, query=CIPHER, connection={
        "ssl": ssl(mode="verify_ca", ca=keys / "ours.pem", cipher="ALL:@SECLEVEL=0")})
    assert_in("ssl.cipher has @SECLEVEL=0", result.err, result)
    assert cipher({"ssl": ssl(mode="required", cipher="ALL:@SECLEVEL=0")})


OTHER = """
#include <dlfcn.h>
#define VERIFICATION_CALLBACK 7031
unsigned long mysql_get_client_version(void) { return 30401; }
int mysql_optionsv(void *mysql, int option, void *value, void *more)
{
    void *library = dlopen("libmariadb.so.3", RTLD_LAZY | RTLD_NOLOAD);
    int (*real)(void *, int, ...) = (int (*)(void *, int, ...))dlsym(library, "mysql_optionsv");
    return option == VERIFICATION_CALLBACK && value == 0 ? 1 : real(mysql, option, value, more);
}
"""


@test
def test_a_library_whose_rules_are_not_known(folder):
    """Connector/C 3.4.0 and 3.4.1 verify as 3.4 does, and do not ask."""
    ssl()
    if SANITIZED:
        raise Skip("a sanitizer wants to be loaded first")
    pathlib.Path("other.c").write_text(OTHER)
    subprocess.run([*os.environ.get("CC", "cc").split(), "-shared", "-fPIC", "-o", "other.so", "other.c"], check=True)
    env = {"OSIRIS_WORKER": worker_with("worker", LD_PRELOAD=folder / "other.so")}
    for fields in ({"mode": "required"}, {"ca": keys / "ours.pem"}, {"mode": "verify_identity"}):
        result = private.extract(code=1, connection={"ssl": ssl(**fields)}, env=env, query=CIPHER)
        assert_in("is not possible with the client library libmariadb", result.err, result)
        assert_in("3.4.2 or newer", result.err, result)
    private.extract(connection={"ssl": ssl(mode="preferred")}, env=env, query="SELECT 1")


def silent_handshake():
    asked = threading.Event()

    def script(connection):
        connection.greet(capabilities=CAPABILITIES | SSL)
        connection.read()
        asked.set()
        while connection.sock.recv(4096):
            pass
    return script, asked


@test
def test_a_handshake_that_hangs_can_be_cancelled(folder):
    script, asked = silent_handshake()
    with fake_mysql(script) as fake:
        log_in(fake, connect_timeout=600)
        process = start("run", "pipeline.yaml", env={"PASSWORD": "the-password"})
        assert asked.wait(60), "nobody asked for TLS"
        interrupt(process)
        result = finish(process)
    assert_equal(result.code, 130, "exit code", result)
    assert result.seconds < 8, result
    assert "is killed" not in result.err, result


@test
def test_connect_timeout_bounds_a_handshake(folder):
    script, _ = silent_handshake()
    with fake_mysql(script) as fake:
        log_in(fake, connect_timeout=1)
        result = osiris("run", "pipeline.yaml", env={"PASSWORD": "the-password"})
    assert_equal(result.code, 1, "exit code", result)
    assert_in("within connect_timeout", result.err, result)
    assert result.seconds < 10, result


@test
def test_a_handshake_that_takes_its_time(folder):
    ssl()
    context = tls_context(keys, "here")

    def script(connection):
        connection.greet(plugin="mysql_native_password", capabilities=CAPABILITIES | SSL)
        connection.read()
        # Longer than 10 ms, which a library that takes seconds for milliseconds would wait.
        threading.Event().wait(0.3)
        connection.start_tls(context)
        connection.login()
        connection.ok()
        connection.serve(numbers=[6])

    with fake_mysql(script) as fake:
        log_in(fake, ssl=ssl(mode="verify_identity", ca=keys / "ours.pem"))
        result = osiris("run", "pipeline.yaml", env={"PASSWORD": "the-password"})
        assert_equal(result.code, 0, "exit code", f"{result} {fake.problems}")
        assert_equal(rows(), [["6"]], "rows")


if __name__ == "__main__":
    main(setup, teardown)
