"""The path "-": a table on the standard output of osiris, whatever reads it."""

import fcntl
import gzip
import json
import os
import pathlib
import signal
import struct
import subprocess
import termios

from tap import (OSIRIS, PATIENCE, assert_equal, assert_in, environment, main, osiris, pipeline,
                 read, step, test, wait_until)


def steps(rows=100, **config):
    pipeline(step("make", "test.generate", "read", rows=rows),
             step("save", "csv.writer", "write", **{"path": "-", **config}))


def expected(rows=100, **config):
    steps(rows, path="expected.csv", **config)
    assert_equal(osiris("run", "pipeline.yaml").code, 0, "exit code of the run into a file")
    return read("expected.csv")


def spawn(stdout):
    with open("err", "w") as err:
        return subprocess.Popen([OSIRIS, "run", "pipeline.yaml"], env=environment(), stdout=stdout,
                                stdin=subprocess.DEVNULL, stderr=err)


def bytes_in(pipe):
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0]


@test
def test_the_table_and_nothing_else(folder):
    table = expected()
    steps()
    result = osiris("run", "pipeline.yaml")
    assert_equal(result.code, 0, "exit code", result)
    assert_equal(result.out, table, "standard output")
    assert_in("records", result.err, result)
    assert_equal("published" in result.err, False, "something is published")


@test
def test_much_through_a_pipe_and_into_a_file(folder):
    table = expected(rows=200000)
    steps(rows=200000)
    assert_equal(osiris("run", "pipeline.yaml").out == table, True, "the table through a pipe")
    with open("out.csv", "w") as out:
        out.write("before\n")
        out.flush()
        assert_equal(spawn(out).wait(PATIENCE), 0, "exit code")
    assert_equal(read("out.csv") == "before\n" + table, True, "the table in the file")


@test
def test_compressed(folder):
    table = expected()
    steps(compression="gzip")
    done = subprocess.run([OSIRIS, "run", "pipeline.yaml"], env=environment(), capture_output=True,
                          timeout=PATIENCE)
    assert_equal(gzip.decompress(done.stdout).decode(), table, "the table")


@test
def test_nothing_else_may_print_there(folder):
    steps()
    result = osiris("run", "pipeline.yaml", "--json")
    assert_equal(result.code, 2, "exit code", result)
    assert_in("--json", result.json()["message"], result)
    pipeline(step("make", "test.generate", "read", rows=10),
             step("one", "csv.writer", "write", needs=["make"], path="-"),
             step("two", "csv.writer", "write", needs=["make"], path="-"))
    result = osiris("run", "pipeline.yaml")
    assert_equal((result.code, result.out), (2, ""), "exit code and output", result)
    assert_in("2 steps write to standard output", result.err, result)
    for config, code in (({"append": True}, 2), ({"rows_per_file": 3}, 2), ({"mode": "0600"}, 1)):
        steps(**config)
        result = osiris("run", "pipeline.yaml")
        assert_equal((result.code, result.out), (code, ""), "exit code and output", result)
        assert_in("standard output can be neither", result.err, result)


@test
def test_without_a_standard_output(folder):
    steps(path="made.csv")
    shell = ["sh", "-c", 'exec "$0" run pipeline.yaml 2>err >&-', OSIRIS]
    assert_equal(subprocess.run(shell, env=environment(), timeout=PATIENCE).returncode, 0,
                 "exit code of a run that needs none")
    steps()
    for redirection in (">&-", "1<pipeline.yaml"):
        shell[2] = f'exec "$0" run pipeline.yaml 2>err {redirection}'
        assert_equal(subprocess.run(shell, env=environment(), timeout=PATIENCE).returncode, 2,
                     "exit code")
        assert_in("closed or not open for writing", read("err"))
    assert_equal(len(os.listdir("run_logs/test-pipeline")), 1, "runs")


@test
def test_a_full_standard_output(folder):
    for config in ({}, {"compression": "gzip"}, {"encoding": "utf-16"}):
        steps(**config)
        with open("/dev/full", "wb") as full:
            assert_equal(spawn(full).wait(PATIENCE), 1, "exit code")
        assert_in("cannot write standard output: No space left on device", read("err"))


@test
def test_what_went_out_is_not_written_again(folder):
    # The same with a file would be retried.
    pipeline(step("make", "test.generate", "read", rows=200000),
             {**step("save", "csv.writer", "write", path="-"), "retry": {"max_attempts": 3}})
    end, stdout = os.pipe()
    process = spawn(stdout)
    os.close(stdout)
    os.read(end, 10)
    os.close(end)
    assert_equal(process.wait(PATIENCE), 1, "exit code")
    assert_equal("attempt 2" in read("err"), False, "a second attempt")
    plan = json.loads(read(next(pathlib.Path("build").rglob("plan.json"))))
    assert_equal([s.get("atomic") for s in plan["steps"]], [None, False], "atomic in the plan")


@test
def test_a_reader_that_ends_early(folder):
    steps(rows=1000000)
    end, stdout = os.pipe()
    process = spawn(stdout)
    os.close(stdout)
    assert_equal(len(os.read(end, 10)), 10, "bytes read")
    os.close(end)
    assert_equal(process.wait(PATIENCE), 1, "exit code")
    assert_in("cannot write standard output: Broken pipe", read("err"))


@test
def test_cancelled_while_nobody_reads(folder):
    steps(rows=1000000)
    end, stdout = os.pipe()
    process = spawn(stdout)
    os.close(stdout)
    wait_until(lambda: bytes_in(end) >= 60000, "the pipe to be full")
    process.send_signal(signal.SIGINT)
    assert_equal(process.wait(PATIENCE), 130, "exit code")
    os.close(end)


main()
