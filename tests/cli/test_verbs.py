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
