#!/usr/bin/env python3
"""Verbs that run nothing, asked of any driver: answers, failures, secrets, signals, and drivers that are older."""

import os
import pathlib
import tempfile

from tap import (assert_equal, assert_in, assert_no_group, finish, interrupt, main, osiris, pipeline, read, start,
                 step, test, wait_until, worker_of, write)

SECRET = "the secret token 4711"


def doctor(how, family="asked", code=0, *arguments):
    write("osiris_connections.yaml", "version: 1\nconnections:\n"
          f"  {family}:\n    it: {{how: {how}, token: '${{TOKEN}}'}}\n")
    with tempfile.TemporaryDirectory() as temporary:
        result = osiris("connections", "doctor", "--json", *arguments, env={"TOKEN": SECRET, "TMPDIR": temporary})
        assert_equal(os.listdir(temporary), [], "what is left in TMPDIR", result)
    assert_equal(result.code, code, "exit code", result)
    assert SECRET not in result.out + result.err, result
    assert_equal(os.listdir(), ["osiris_connections.yaml"], "what is left", result)
    return result.json()["connections"][0]


@test
def test_an_answer_comes_redacted(folder):
    entry = doctor("answer")
    assert_equal((entry["connection"], entry["ok"]), ("@asked.it", True), "entry")
    assert_equal(entry["result"], {"server": "asked", "version": "check", "latency_ms": 1.5,
                                   "checks": [{"name": "token", "ok": True, "message": "***MASKED***"}]}, "result")


@test
def test_a_check_that_is_not_ok_fails_the_command(folder):
    assert_equal(doctor("bad", code=1)["ok"], False, "ok")


@test
def test_failures_are_the_drivers_own(folder):
    error = doctor("fail", code=1)["error"]
    assert_equal((error["category"], error["message"]), ("auth", "the token ***MASKED*** is not known"), "error")


@test
def test_a_verb_without_an_object_is_the_drivers_fault(folder):
    for how in ("nothing", "array"):
        assert_in("fault of the driver", doctor(how, code=1)["error"]["message"])


@test
def test_an_answer_that_fits_into_no_message_is_an_error(folder):
    assert_in("its result cannot be sent", doctor("huge", code=1)["error"]["message"])


@test
def test_a_driver_of_version_1_0_has_no_verbs_and_runs(folder):
    assert_in('the driver "old.extractor" has no check', doctor("answer", "old", 1)["error"]["message"])
    pipeline(step("take", "old.extractor", "read", what="all", connection="@old.it"),
             step("keep", "test.collect", "write", path="out"))
    result = osiris("run", "pipeline.yaml", env={"TOKEN": "t"})
    assert_equal(result.code, 0, "exit code", result)
    assert_in("3 rows", read("out"))


@test
def test_a_verb_that_is_missing(folder):
    write("osiris_connections.yaml", "version: 1\nconnections:\n  asked:\n    it: {token: x}\n")
    result = osiris("discovery", "run", "@asked.it", "--json")
    assert_equal((result.code, result.json()["error"]["category"]), (1, "config"), "failure", result)
    assert_in("has no discover", result.json()["error"]["message"])


def validated(*steps, command="validate", connections="connections:\n  asked:\n    it: {how: 'x', token: '${TOKEN}'}\n"
              "  old:\n    it: {token: '${TOKEN}'}\n"):
    write("osiris_connections.yaml", connections)
    write("pipeline.yaml", 'oml_version: "0.1.0"\nname: p\nsteps:\n' + "".join(steps))
    result = osiris(command, "pipeline.yaml", "--json", env={"TOKEN": SECRET})
    assert SECRET not in result.out + result.err, result
    return result, [(d["type"], d.get("line"), d.get("column"), d["message"]) for d in result.json()["diagnostics"]
                    if d["severity"] == "error"]


def asked(id, what, config="", driver="asked.extractor"):
    return f"- id: {id}\n  component: {driver}\n  mode: read\n  config:\n    what: {what}\n{config}"


@test
def test_drivers_say_what_no_spec_can(folder):
    result, errors = validated(asked("a", "one"), asked("b", "fine"), asked("c", "many", "    list:\n    - 1\n    - 2\n"),
                               asked("d", "secret", "    connection: '@asked.it'\n"), asked("e", "one", driver="old.extractor"))
    assert_equal(result.code, 2, "exit code", result)
    assert_equal(errors, [("invalid_config_value", 8, 5, "asked.extractor: one is none"),
                          ("invalid_connection", 14, 3, "asked.extractor: it is too deep"),
                          ("invalid_config", 17, 3, "asked.extractor: it is wrong as a whole"),
                          ("invalid_config_value", 21, 7, "asked.extractor: the second is wrong"),
                          ("invalid_connection", 27, 17, "asked.extractor: ***MASKED***")], "errors", result)
    assert_in("use another", result.out, result)


@test
def test_drivers_that_fail_to_say_it(folder):
    result, errors = validated(asked("a", "crash"), asked("b", "one"), asked("c", "silent"), asked("d", "crash"),
                               asked("e", "file"))
    assert_equal([error[:2] for error in errors],
                 [("driver_failed", 5), ("invalid_config_value", 13), ("driver_failed", 15), ("driver_failed", 20),
                  ("driver_failed", 25)], "errors", result)
    for error, text in zip(errors, ("killed by SIGABRT while it checked the config", "one is none",
                                    "this is a fault of the driver", "killed by SIGABRT", "no files and folders")):
        assert_in(text, error[3], result)


@test
def test_what_is_wrong_already_is_not_asked(folder):
    _, errors = validated(asked("a", "crash", "    lst: []\n"), asked("b", "crash", "    list: 1\n"),
                          asked("c", "crash", "    connection: '@asked.none'\n"))
    assert_equal([error[:2] for error in errors], [("unknown_config_key", 9), ("invalid_config_value", 15),
                                                   ("invalid_connection_ref", 21)], "errors")
    _, errors = validated(asked("a", "fine"), "- id: b\n  component: csv.writer\n  mode: write\n  config: {}\n")
    assert_equal([error[:2] for error in errors], [("missing_config_key", 12)], "errors of what is missing")
    _, errors = validated(asked("a", "crash"), asked("b", "crash"), connections="connections: [\n")
    assert_equal(len(errors), 1, "errors of a connections file that cannot be read")
    _, errors = validated(asked("a", "one"), command="run")
    assert_equal(errors, [("invalid_config_value", 8, 5, "asked.extractor: one is none")], "errors of a run")
    assert_equal(sorted(os.listdir()), ["osiris_connections.yaml", "pipeline.yaml"], "what is left")


@test
def test_a_connection_that_is_not_there_is_a_slip(folder):
    write("osiris_connections.yaml", "connections:\n  asked:\n    first: {token: x}\n")
    for command in (("connections", "doctor"), ("discovery", "run")):
        for reference, text in (("@asked.frist", 'there is no connection "@asked.frist"; did you mean "@asked.first"?'),
                                ("asked", "write @family.alias"), ("@nobody.there", "osiris connections list")):
            result = osiris(*command, reference)
            assert_equal(result.code, 2, "exit code", result)
            assert_in(text, result.err, result)


@test
def test_interrupt_reaches_a_verb(folder):
    write("osiris_connections.yaml", "version: 1\nconnections:\n  asked:\n    it: {how: wait, token: x}\n")
    with tempfile.TemporaryDirectory() as temporary:
        process = start("connections", "doctor", env={"TMPDIR": temporary})
        worker = worker_of(process)
        wait_until(lambda: any("waiting" in read(log) for log in pathlib.Path(temporary).rglob("debug.log")) or
                   any("waiting" in read(log) for log in pathlib.Path(temporary).rglob("osiris.log")), "it waits")
        interrupt(process)
        result = finish(process)
        assert_equal(os.listdir(temporary), [], "what is left in TMPDIR", result)
    assert_equal(result.code, 130, "exit code", result)
    assert_no_group(worker)


if __name__ == "__main__":
    main()
