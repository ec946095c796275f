#!/usr/bin/env python3
"""The exec adapter (docs/exec.md) in every kind of place (places.py): a bundle runs there; the same pipelines do what they do in a local
run; steps in several places work together; what ssh says is understood."""

import json
import os
import pathlib
import shutil
import subprocess

import places
from bundles import DRIVERS, create, unpacked
from remote import adapters, at, far, latest, make, nothing_is_left, outputs, place, recorded, refused, run, save, start_over, tree
from tap import assert_equal, assert_in, metrics, main, pipeline, read, step, test, write


def same_as_local(steps, code=0):
    """Runs the pipeline here and in the place, and compares."""
    start_over()
    pipeline(*steps)
    here = run(code)
    expected, records, artifacts = outputs(), recorded(), tree(latest() / "artifacts")
    start_over()
    there = run(code, "--adapter", "far")
    assert_equal(outputs(), expected, "outputs", there)
    # How far the other steps get when one fails is chance.
    if code == 0:
        assert_equal(recorded(), records, "records", there)
        assert_equal(tree(latest() / "artifacts"), artifacts, "artifacts", there)
    errors = [line for line in there.err.splitlines() if "error" in line or line.startswith("osiris: ")]
    assert_equal(errors, [line for line in here.err.splitlines() if "error" in line or line.startswith("osiris: ")], "errors")


def runs_a_bundle(adapter, inside, shown):
    """With the place's own tools."""
    bundle = create("csv.writer")["path"]
    folder = f"{shown}/by-hand"

    def say(*words, stdin=subprocess.DEVNULL):
        return subprocess.run([*adapter["command"], *words], stdin=stdin, capture_output=True, text=True, check=True).stdout
    say("mkdir", "-p", folder)
    with open(bundle, "rb") as archive:
        say("tar", "-xzf", "-", "-C", folder, stdin=archive)
    assert_in("osiris-worker", say(f"{folder}/run", "--version"))
    assert_in("csv.writer", say(f"{folder}/run", "--describe", f"{folder}/drivers/csv.so"))
    shutil.rmtree(inside / "by-hand")


def parity(kind, folder):
    # What shares our files does not give us its standard output.
    has_stdout = kind != "slurm"
    with place(kind, folder):
        same_as_local([make(), save("output/one.csv")])
        same_as_local([make(), save("output/part.csv.gz", rows_per_file=3000, compression="gzip"),
                       save("output/two.csv", name="more")])
        same_as_local([make(leave="kept.txt", scratch=True), save("output/deep/one.csv")])
        same_as_local([make(), save("output/missing/one.csv", create_dirs=False)], code=1)
        same_as_local([make(fail_after=5000), save("output/one.csv")], code=1)
        if has_stdout:
            pipeline(make(rows=100), save("-"))
            assert_equal(run(0, "--adapter", "far").out.splitlines()[:101], run(0).out.splitlines()[:101], "standard output")
        # Two writers that append; the second run goes on where the first has ended.
        pipeline(make(rows=100), save("output/grows.csv", append=True), save("output/two.csv", name="more"))
        start_over()
        run()
        run()
        expected = outputs()
        start_over()
        run(0, "--adapter", "far")
        run(0, "--adapter", "far")
        assert_equal(outputs(), expected, "what was appended")
        # The bundle was sent once.
        assert_equal(metrics(latest(), "bundle_uploaded")[0]["value"], 0, "bytes sent")


def define(kind):
    def bundle_in(folder):
        own = folder / "own"
        own.mkdir()
        with places.ALL[kind](own) as (adapter, inside):
            if " " in str(inside):
                inside = inside.parent
            inside.mkdir(parents=True, exist_ok=True)
            runs_a_bundle(adapter, inside, {"empty": "/work", "busybox": "/root/.cache/osiris/place"}.get(kind, str(inside)))

    def parity_in(folder):
        parity(kind, folder)
    for function in bundle_in, parity_in:
        function.__name__ = f"test_{function.__name__}_{kind}"
        test(function)


for name in places.ALL:
    define(name)


@test
def test_either_end_is_in_the_place(folder):
    for kind in ("pipes", "ssh"):
        with place(kind, folder):
            for steps in ((make(), far(save())), (far(make()), save())):
                pipeline(*steps)
                run()
                assert_equal(len(read("one.csv").splitlines()), 20001, "lines")
                os.unlink("one.csv")


@test
def test_three_places_in_one_pipeline(folder):
    for name in "one", "two":
        (folder / name).mkdir()
    with places.empty(folder / "one") as (first, inside_first), places.busybox(folder / "two") as (second, inside_second):
        adapters(first={"adapter": "exec", **first}, second={"adapter": "exec", **second},
                 third={"adapter": "exec", "command": ["env"], "folder": str(folder / "third")})
        pipeline(at("first", "make", "test.generate", "read", rows=20000),
                 at("second", "save", "csv.writer", "write", needs=["make"], path="one.csv"),
                 at("third", "more", "csv.writer", "write", needs=["make"], path="two.csv"),
                 step("here", "csv.writer", "write", needs=["make"], path="three.csv"))
        run()
        assert_equal({len(read(name).splitlines()) for name in ("one.csv", "two.csv", "three.csv")}, {20001}, "lines")
        for inside in inside_first, inside_second, folder / "third":
            nothing_is_left(inside)


@test
def test_ssh_that_refuses(folder):
    for number, (options, words, hint) in enumerate((
            ({"key": "stranger"}, "Permission denied (publickey)", "ssh-agent"),
            ({"key": "stranger", "passwords": "yes"}, "Permission denied (publickey,password)", "nobody can be asked for a password"),
            ({"known": False}, "Host key verification failed", "known_hosts"))):
        with places.ssh(folder / f"box{number}", **options) as (adapter, inside):
            refused(words, hint, **adapter)
            assert not inside.exists()
    refused("Connection refused", "whether the server runs", **adapter)


if __name__ == "__main__":
    main()
