#!/usr/bin/env python3
"""The memory that an export takes: giant values, very wide tables, and partitions, with a fast and a slow reader. Prints
what it measured."""

import contextlib
import time

from private import Private, describe

from tap import (SANITIZED, Skip, assert_equal, finish, main, osiris, read, start, step, test,  # noqa: E402
                 worker_of)

MIB = 1 << 20
BOUND = 96 * MIB
GIANT_BYTES = 16777000

private = Private("--max-allowed-packet=64M")


def peak_of(process):
    """The most memory that a living process had resident, 0 once it has ended."""
    with contextlib.suppress(OSError, StopIteration):
        lines = read(f"/proc/{process}/status").splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    return 0


def measure(writer=None, bound=BOUND, **config):
    if SANITIZED:
        raise Skip("sanitizers take memory of their own")
    describe(private.connection(), writer=writer, **config)
    process = start("run", "pipeline.yaml", env=private.env)
    worker, peaks = worker_of(process), [0, 0]
    while process.poll() is None:
        peaks = [max(peaks[0], peak_of(process.pid)), max(peaks[1], peak_of(worker))]
        time.sleep(0.002)
    result = finish(process)
    assert_equal(result.code, 0, "exit code", result)
    print(f"# osiris {peaks[0] / MIB:.0f} MiB, worker {peaks[1] / MIB:.0f} MiB", flush=True)
    assert MIB < sum(peaks) < bound, f"{peaks} bytes"


def slowly(milliseconds):
    return step("save", "test.collect", "write", path="out", slow_ms=milliseconds)


GIANT = "SELECT CAST(seq AS SIGNED) AS n, {} AS v FROM seq_1_to_12"


@test
def test_a_text_of_16_mib_a_row(folder):
    measure(query=GIANT.format("REPEAT('x', 16777216)"))


@test
def test_a_blob_of_16_mib_a_row(folder):
    measure(query=GIANT.format("CAST(REPEAT('x', 16777216) AS BINARY)"))


@test
def test_a_slow_reader_of_giant_rows(folder):
    measure(slowly(100), query=GIANT.format("REPEAT('x', 16777216)"))


@test
def test_giant_rows_at_the_highest_levels_of_compression(folder):
    for level, name in ((9, "out.csv.gz"), (8, "out.csv.zst"), (15, "out.csv.zst"), (19, "out.csv.zst")):
        measure(step("save", "csv.writer", "write", path=name, compression_level=level),
                query=GIANT.format("REPEAT('\"', 16777216)"))


@test
def test_giant_values_among_small_ones(folder):
    measure(query=GIANT.format("REPEAT('x', IF(seq % 4 = 0, 16777216, 200000))"))


@test
def test_1500_numbers_a_row(folder):
    columns = ", ".join(f"seq + {i} AS c{i}" for i in range(1500))
    measure(query=f"SELECT {columns} FROM seq_1_to_3000", batch_size=100000)


@test
def test_1500_texts_a_row_slowly(folder):
    columns = ", ".join(f"CONCAT('text ', seq) AS c{i}" for i in range(1500))
    measure(slowly(20), query=f"SELECT CAST(seq AS SIGNED) AS n, {columns} FROM seq_1_to_2000", batch_size=100000)


@test
def test_giant_rows_in_partitions(folder):
    for partitions in (2, 4, 8):
        measure(table="giant", partitions=partitions)


def compressed(level):
    return step("save", "csv.writer", "write", path="out.csv.zst", compression_level=level)


@test
def test_giant_rows_of_quotes_in_partitions(folder):
    for partitions, writer in ((1, None), (4, None), (8, None), (1, compressed(15)), (8, compressed(15))):
        measure(writer, table="quoted", partitions=partitions)


@test
def test_giant_rows_in_partitions_slowly(folder):
    measure(slowly(50), table="giant", partitions=4)


@test
def test_giant_rows_that_no_statistics_tell_of(folder):
    # Each range begins with many small rows and ends with giant ones: each connection that reads may have one in its buffer.
    for partitions in (4, 8):
        measure(table="surprise", partitions=partitions)


@test
def test_small_rows_in_partitions(folder):
    for partitions in (1, 4, 64):
        measure(table="small", partitions=partitions)
    measure(compressed(9), table="small", partitions=64)


@test
def test_small_rows_in_partitions_slowly(folder):
    measure(slowly(5), table="small", partitions=64)


def setup():
    private.start()
    private.sql("CREATE TABLE giant (id BIGINT PRIMARY KEY, v LONGTEXT); "
                f"INSERT INTO giant SELECT seq, REPEAT('x', {GIANT_BYTES}) FROM seq_1_to_16; ANALYZE TABLE giant;"
                "CREATE TABLE quoted (id BIGINT PRIMARY KEY, v LONGTEXT); "
                f"INSERT INTO quoted SELECT seq, REPEAT('x\"', {GIANT_BYTES // 2}) FROM seq_1_to_16; ANALYZE TABLE quoted;"
                "CREATE TABLE small (id BIGINT PRIMARY KEY, n BIGINT, d DECIMAL(12,2), t VARCHAR(80), u VARCHAR(80), "
                "m DATETIME);"
                "INSERT INTO small SELECT seq, seq * 3, seq / 7, CONCAT('text ', seq), CONCAT('user', seq, '@example.com'), "
                "'2020-01-01' + INTERVAL seq SECOND FROM seq_1_to_1000000;"
                "CREATE TABLE surprise (id BIGINT PRIMARY KEY, t VARCHAR(80), v LONGTEXT);"
                f"INSERT INTO surprise SELECT seq, REPEAT('y', 80), IF(seq % 25000 > 24994, REPEAT('x', {GIANT_BYTES}), '') "
                "FROM seq_1_to_100000; ANALYZE TABLE surprise")
    # So that the drivers are known, and the only worker of a measured run is the one that runs it.
    osiris("components", "list")


if __name__ == "__main__":
    main(setup, private.stop)
