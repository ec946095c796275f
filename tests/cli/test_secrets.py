#!/usr/bin/env python3
"""Where secrets could get out: memory, and every text that a run writes or shows."""

import datetime
import os
import pathlib
import resource
import shutil
import signal

from tap import (BUILD, SANITIZED, Skip, assert_equal, assert_in, assert_no_group, events, finish, interrupt, main, metrics, osiris, pipeline, read,
                 run_directory, start, step, test, wait_until, worker_of, write)

MASK = "***MASKED***"


def hanging(**options):
    """A run whose worker is there."""
    pipeline(step("make", "test.generate", "read", rows=1000, hang_after=500),
             step("save", "csv.writer", "write", path="out.csv"))
    process = start("run", "pipeline.yaml", **options)
    worker_of(process)
    return process


def core_limits(pid):
    lines = pathlib.Path(f"/proc/{pid}/limits").read_text().splitlines()
    return next(line for line in lines if line.startswith("Max core file size")).split()[4:6]


@test
def test_osiris_leaves_no_core_file(folder):
    most = resource.getrlimit(resource.RLIMIT_CORE)[1]
    process = hanging(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (most, most)))
    worker = worker_of(process)
    # What adapters start may ask for its own again.
    assert_equal(core_limits(process.pid), ["0", "unlimited" if most == resource.RLIM_INFINITY else str(most)],
                 "limits of osiris")
    assert_equal(core_limits(worker)[0], "0", "limit of the worker")
    process.send_signal(signal.SIGQUIT)
    _, status = os.waitpid(process.pid, 0)
    process.returncode = -signal.SIGQUIT
    assert_equal((os.WTERMSIG(status), os.WCOREDUMP(status)), (signal.SIGQUIT, False), "end of osiris")
    assert_no_group(worker)
    assert_equal([path.name for path in pathlib.Path(".").rglob("core*")], [], "core files")


@test
def test_nobody_traces_osiris(folder):
    """What is not dumpable belongs to root, whoever runs it; only root may look into it."""
    user = os.getuid() or 65534
    os.chown(folder, user, -1)
    try:
        process = hanging(user=user) if os.getuid() == 0 else hanging()
    except PermissionError:
        raise Skip("the build is for root alone") from None
    wait_until(lambda: pathlib.Path(f"/proc/{process.pid}/comm").read_text() != "python3\n", "it is osiris")
    owner = os.stat(f"/proc/{process.pid}/environ").st_uid
    interrupt(process)
    finish(process)
    assert_equal(owner, user if SANITIZED else 0, "owner")


def leak(pin, *arguments, code=0, connection="", env=None, **config):
    """Runs leaky.extractor, whose connection's secret is `pin`; all that is printed and written."""
    for name in ("run_logs", "build", "out.csv"):
        shutil.rmtree(name, ignore_errors=True)
    write("osiris_connections.yaml", f"connections: {{leaky: {{it: {{pin: '${{PIN}}'{connection}}}}}}}\n")
    pipeline(step("leak", "leaky.extractor", "read", connection="@leaky.it", **config),
             step("save", "csv.writer", "write", path="out.csv"))
    result = osiris("run", "pipeline.yaml", "--verbose", *arguments,
                    env={"PIN": pin, "OSIRIS_RPC_DEBUG": "true", **(env or {})})
    assert_equal(result.code, code, "exit code", result)
    return {"out": result.out, "err": result.err,
            **{str(path): read(path) for path in pathlib.Path("run_logs").rglob("*") if path.is_file()},
            **{str(path): read(path) for path in pathlib.Path(".osiris").rglob("*") if path.is_file()}}


def assert_hidden(texts, *parts):
    for name, text in texts.items():
        for part in parts:
            assert part not in text, f"{part!r} is in {name}:\n{text}"


@test
def test_secrets_are_masked_in_all_that_comes_from_drivers(folder):
    for pin in ("s3cr3t/P4ss word!", "fluffykitten", "mysqlpass2026"):
        text = "a {} b"
        for arguments in ((), ("--json",)):
            texts = leak(pin, *arguments, code=1, log=text, event=text, metric=text, error=text, hint=text, print=text)
            assert_hidden(texts, pin)
        error = events(run_directory(), "step_failed")[0]
        assert_equal((error["error"], error["detail"]["hint"]), (f"a {MASK} b", f"a {MASK} b"), "error")
        event = events(run_directory(), "leak")[0]
        assert_equal((event["status"], event[f"a {MASK} b"], event["rows"], event["password"]),
                     (f"a {MASK} b", 1, [f"a {MASK} b"], MASK), "event")
        assert_equal(metrics(run_directory(), f"a {MASK} b")[0]["unit"], f"a {MASK} b", "unit")
        assert_in(f"WARNING - a {MASK} b\n", read(run_directory() / "osiris.log"))
        assert_in(f"DEBUG - a {MASK} b\n", read(run_directory() / "debug.log"))


@test
def test_texts_that_servers_have_cut(folder):
    """As MySQL cuts what it quotes from a statement."""
    for pin in ("C4nary-P4ssword!", "fluffykitten"):
        text = "syntax error near '{9}' at line 1, near '{9}"
        texts = leak(pin, code=1, log=text, event=text, error=text, hint=text, print=text)
        assert_hidden(texts, pin[:6])
        assert_in(f"near '{MASK}' at line 1, near '{MASK}", events(run_directory(), "step_failed")[0]["error"])


@test
def test_lines_that_are_cut(folder):
    pin = "fluffykitten-9876543210"
    for pad in (8192 - 30, 8192, 65536, 65536 + 8192, 2 << 20):
        for before in (1, 10, len(pin) - 1):
            texts = leak(pin, print="{} and {0} and {}", pad=pad - before)
            assert_hidden(texts, *(pin[i:i + 6] for i in range(len(pin) - 5)))
            assert_in(MASK, read(run_directory() / "debug.log"))
    assert max(map(len, read(run_directory() / "debug.log").splitlines())) < 9000


@test
def test_values_are_masked_before_messages_are_cut(folder):
    pin = "C4nary-P4ssword!"
    texts = leak(pin, code=1, error="x" * (65536 - 70) + "{}" + "y" * 100, hint="{}" * 5000)
    assert_hidden(texts, pin[:6])
    write("osiris_connections.yaml", "connections: {leaky: {it: {pin: 'x1', init: \"set @t='" + "t" * 45 + "${API_TOKEN}'\"}}}\n")
    result = osiris("validate", "pipeline.yaml", env={"API_TOKEN": pin})
    assert_equal(result.code, 2, "exit code", result)
    assert "C4na" not in result.err, result


@test
def test_variables_with_secret_names_are_secrets(folder):
    token = "t0ken+value"
    texts = leak("other", connection=", text: 'set ${API_TOKEN} ${REGION}'", log=f"it is {token} in eu-1", code=0,
                 env={"API_TOKEN": token, "REGION": "eu-1"})
    assert_hidden(texts, token)
    assert_in(f"it is {MASK} in eu-1", texts["err"])


def is_meant_to_be_masked(name, line):
    """Configs and connections are from outside; so are the secrets themselves."""
    return name.endswith("cleaned_config.json") or any(
        part in line for part in ('"method":"prepare"', '"method":"hello"', '"method":"execute_step"', " prepare,", " hello,",
                                  " execute_step,"))


@test
def test_our_own_words_stay(folder):
    """A secret that is one of them is masked where it comes from outside only."""
    words = ["success", "failed", "leaky", "csv.writer", "extractor", "null", "status", "message", "event", "local", "test-pipeline",
             "rows", "save", "leak", "INFO", "osiris", "result", "method", "worker", "config", "error", "data", "run_logs",
             "artifacts", str(datetime.datetime.now(datetime.timezone.utc).year), "0.1.0", "df", "compression", "get_next"]
    for word in words:
        for code, config in ((0, {}), (1, {"error": "it broke"})):
            # A worker's errors are texts from outside as a whole.
            if code == 1 and word in ("failed", "leak"):
                continue
            texts = leak(word, code=code, log="fine", **config)
            for name, text in texts.items():
                lines = [line for line in text.splitlines() if MASK in line and not is_meant_to_be_masked(name, line)]
                assert_equal(lines, [], f"what is masked in {name} with the password {word!r}")
    texts = leak("success", log="a success")
    assert_in(f"WARNING - a {MASK}\n", read(run_directory() / "osiris.log"))
    assert_equal([e["status"] for e in events(run_directory(), "driver_registered")], ["success"] * 2, "status")
    result = osiris("run", "pipeline.yaml", "--json", env={"PIN": "success"}).json()
    assert_equal((result["status"], result["steps"]["leak"]["status"], result["steps"]["save"]["component"]),
                 ("success", "success", "csv.writer"), "answer")


@test
def test_answers_keep_their_shape(folder):
    write("osiris_connections.yaml", "connections: {leaky: {it: {pin: '${PIN}', text: 'a ${PIN} b'}}}\n")
    for word in ("name", "databases", "tables", "columns", "checks", "message"):
        result = osiris("discovery", "run", "@leaky.it", "--json", env={"PIN": word}).json()
        table = result["databases"][0]["tables"][0]
        assert_equal((table["name"], table["columns"][0]["type"]), (f"a {MASK} b",) * 2, "table")
        result = osiris("connections", "doctor", "@leaky.it", "--json", env={"PIN": word}).json()
        assert_equal(result["connections"][0]["result"]["checks"],
                     [{"name": f"a {MASK} b", "ok": False, "message": f"a {MASK} b"}], "checks")


ADAPTERS = f"{BUILD}/.libs:{BUILD}/tests/plugins/adapters/.libs"
KEYS = {"E2B_API_KEY": "e2b_0123456789", "PIN": "fluffykitten", "CODE": "deep code!", "URL_TOKEN": "tok3n-in-url"}


def keyed(*arguments, code=0, env=None, options="", trace="true"):
    """A run in a place with secrets; all that is printed and written."""
    for name in ("run_logs", "build", ".osiris"):
        shutil.rmtree(name, ignore_errors=True)
    write("osiris.yaml", "adapters:\n  cloud:\n    adapter: keyed\n    api_key: ${E2B_API_KEY}\n    pin: ${PIN}\n"
          "    deep: {code: '${CODE}'}\n    url: 'http://x/?t=${URL_TOKEN}'\n    port: ${PORT:-123}\n" + options +
          "  other:\n    adapter: keyed\n    api_key: ${NOT_SET_ANYWHERE}\n")
    pipeline(step("make", "test.generate", "read", rows=10), step("save", "csv.writer", "write", path="out.csv"))
    result = osiris("run", "pipeline.yaml", "--verbose", *arguments,
                    env={"OSIRIS_ADAPTER_PATH": ADAPTERS, "OSIRIS_RPC_DEBUG": trace, **KEYS, **(env or {})})
    assert_equal(result.code, code, "exit code", result)
    texts = {"out": result.out, "err": result.err}
    for name in ("run_logs", "build", ".osiris"):
        texts |= {str(path): read(path) for path in pathlib.Path(name).rglob("*") if path.is_file()}
    return texts


@test
def test_options_of_adapters(folder):
    said = f"key {MASK}, pin {MASK}, code {MASK}, url http://x/?t={MASK}, near '{MASK}'"
    for arguments in ((), ("--json",)):
        texts = keyed("--adapter", "cloud", *arguments)
        assert_hidden(texts, *KEYS.values(), KEYS["E2B_API_KEY"][:9])
        assert_in(f"WARNING - {said}\n", read(run_directory() / "osiris.log"))
        event = events(run_directory(), "keyed")[0]
        assert_equal((event["status"], event[said], event["api_key"]), (said, [said], MASK), "event")
        assert_equal(metrics(run_directory(), said)[0]["unit"], said, "unit")
        # The adapter itself has them as they are.
        assert_equal([metrics(run_directory(), name)[0]["value"] for name in ("key_length", "port")],
                     [len(KEYS["E2B_API_KEY"]), 123], "what the adapter got")
    for verb in ("prepare", "execute"):
        texts = keyed("--adapter", "cloud", code=1, options=f"    fail: {verb}\n")
        assert_hidden(texts, *KEYS.values(), KEYS["E2B_API_KEY"][:9])
        assert_in(f'adapter "keyed": {said}; {said}', texts["err"].replace("\n", ""))
        # A secret that is the adapter's name does not hide which one it was.
        texts = keyed("--adapter", "cloud", code=1, options=f"    fail: {verb}\n", env={"E2B_API_KEY": "keyed"})
        assert_in('adapter "keyed": ', texts["err"])


@test
def test_options_of_adapters_that_cannot_be_filled_in(folder):
    write("pipeline.yaml", "")
    texts = keyed("--adapter", "other", code=2)
    assert_in("osiris.yaml:11:14: error: the environment variable NOT_SET_ANYWHERE is not set", texts["err"])
    # Of places that are not used nothing is looked up.
    keyed()
    texts = keyed("--adapter", "cloud", code=2, options="    more: '${'\n")
    assert_in("osiris.yaml:9:11: error: a ${ is not closed", texts["err"])
    assert_hidden(texts, *KEYS.values())
    for name in ("E2B_API_KEY", "URL_TOKEN"):
        secret = "C4nary-" * 20
        texts = keyed("--adapter", "cloud", code=2, env={name: secret})
        assert_hidden(texts, secret[:6])
    texts = keyed("--adapter", "cloud", options="    token: literal-secret\n", code=2)
    assert_in("warning: the secret \"token\" is written in plain text in osiris.yaml (line 9)", texts["err"])
    assert_hidden(texts, "literal-secret")


@test
def test_wrong_values_of_secret_options(folder):
    """Of a secret nothing is shown, whoever says that it is one, wherever it stands, and of whatever type it is."""
    pipeline({**step("make", "test.generate", "read", rows=10), "run_on": "cloud"}, step("save", "csv.writer", "write", path="out.csv"))
    for option, values, told in (
            ("api_key: ${LONG_KEY}", {"LONG_KEY": "C4nary-" * 20}, '"api_key" must have at most 60 characters'),
            ("pin: [C4nary-first, C4nary-second]", {}, '"pin" is not valid for the adapter; its value is secret'),
            ("pin: {a: C4nary-inner}", {}, '"pin" is not valid for the adapter; its value is secret'),
            ("port: ${API_TOKEN}", {"API_TOKEN": "C4nary-text"}, '"port" must be of type integer'),
            ("fail: ${API_TOKEN}", {"API_TOKEN": "4711471147"}, '"fail" must be prepare or execute'),
            ("url: ['x${API_TOKEN}y']", {"API_TOKEN": "C4nary-text"}, '"url" must be of type string'),
            ("deep: ${API_TOKEN}", {"API_TOKEN": "4711471147"}, '"deep" must be of type object'),
            ("deep: {code: C4nary-deep, other: '${UNSET_ONE}'}", {}, "the environment variable UNSET_ONE is not set")):
        write("osiris.yaml", f"adapters:\n  cloud:\n    adapter: keyed\n    {option}\n")
        for command in ("validate",), ("run",), ("validate", "--json"):
            result = osiris(*command, "pipeline.yaml", env={"OSIRIS_ADAPTER_PATH": ADAPTERS, **values})
            assert_equal(result.code, 2, f"exit code of {command} with {option}", result)
            assert_in(told, (result.out + result.err).replace('\\"', '"'), result)
            assert_hidden({"out": result.out, "err": result.err}, "C4nary", "4711471147")


@test
def test_numbers_that_are_secrets_in_connections(folder):
    write("osiris_connections.yaml", "connections: {mysql: {it: {host: h, port: '${API_TOKEN}', database: d, user: u}}}\n")
    pipeline(step("make", "mysql.extractor", "read", connection="@mysql.it", query="select 1"),
             step("save", "csv.writer", "write", path="out.csv"))
    result = osiris("validate", "pipeline.yaml", env={"API_TOKEN": "4711471147"})
    assert_equal(result.code, 2, "exit code", result)
    assert_in('"port" must be at most 65535', result.err, result)
    assert_hidden({"out": result.out, "err": result.err}, "4711471147")


@test
def test_paths_of_users(folder):
    pin = "fluffykitten"
    texts = leak(pin, "--out", f"here-{pin}")
    assert_hidden(texts, pin)
    assert_in(f"records    here-{MASK}", texts["out"])
    assert_hidden({str(path): read(path) for path in pathlib.Path(f"here-{pin}").rglob("*") if path.is_file()}, pin)
    result = osiris("run", "pipeline.yaml", "--out", f"here-{pin}", "--json", env={"PIN": pin})
    assert_equal(result.code, 2, "exit code", result)
    assert pin not in result.out + result.err, result


@test
def test_the_beginning_of_a_secret_in_a_config(folder):
    """Somebody has cut it. A whole value is a name."""
    token = "S3cr3t-Token-with-More"
    begin = token[:13]
    pipeline(step("make", "test.generate", "read", rows=1), step("save", "csv.writer", "write", path=f"new{begin}"),
             params={"where": {"default": f"x = '{begin}'"}, "name": {"default": begin}})
    result = osiris("run", "pipeline.yaml", "--pass-env", "API_TOKEN", env={"API_TOKEN": token})
    assert_equal(result.code, 0, "exit code", result)
    assert_in(f'"path":"new{MASK}"', read(run_directory() / "artifacts/save/cleaned_config.json"))
    params = events(run_directory(), "run_start")[0]["params"]
    assert_equal(params, {"where": f"x = '{MASK}'", "name": begin}, "parameters")
    assert f"x = '{begin}" not in read(run_directory() / "debug.log"), "debug.log"


if __name__ == "__main__":
    main()
