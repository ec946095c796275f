"""Pipelines with long configs: what fits into the documented bounds runs, whatever the link; what does not is refused by the compiler,
which names the bound."""

import pathlib

from tap import BUILD, assert_equal, assert_in, files, main, osiris, pipeline, read, step, test, write

ADAPTERS = f"{BUILD}/.libs:{BUILD}/tests/plugins/adapters/.libs"
MIB = 1 << 20


def one(bytes):
    """test.source takes any text for `at`."""
    pipeline(step("make", "test.source", "read", at="x" * bytes), step("save", "test.sink", "write", path="out.txt"))


def run(*arguments):
    result = osiris("run", "pipeline.yaml", *arguments, env={"OSIRIS_ADAPTER_PATH": ADAPTERS})
    assert_equal(result.code, 0, "exit code", result)
    return result


def refused(*parts):
    for command in ("validate", "run"):
        result = osiris(command, "pipeline.yaml")
        assert_equal(result.code, 2, f"exit code of {command}", result)
        for part in parts:
            assert_in(part, result.err, result)


@test
def test_one_long_config(folder):
    """Over a link that may be made again (flaky), too, where what is sent is kept."""
    for mib in (5, 15.9):
        one(int(mib * MIB))
        for adapter in ("local", "flaky"):
            run("--adapter", adapter)
            assert_equal(read("out.txt"), "10 rows\n", f"the output with {mib} MiB and {adapter}")
            pathlib.Path("out.txt").unlink()


@test
def test_many_configs(folder):
    """5 MB at once, most of them before the worker has read the first."""
    steps = []
    for i in range(250):
        steps += [step(f"m{i}", "test.source", "read", needs=[], at="x" * 20000),
                  step(f"s{i}", "test.sink", "write", needs=[f"m{i}"], path=f"out/{i}")]
    pipeline(*steps)
    pathlib.Path("out").mkdir()
    for adapter in ("local", "flaky"):
        run("--adapter", adapter)
        assert_equal(len(list(pathlib.Path("out").iterdir())), 250, f"outputs with {adapter}")
        for path in pathlib.Path("out").iterdir():
            path.unlink()


@test
def test_a_config_that_is_too_large(folder):
    pipeline(step("make", "test.source", "read", at="${params.text}" * 16), step("save", "test.sink", "write", path="out.txt"),
             params={"text": "x" * MIB})
    refused("pipeline.yaml:", 'the config of "make" is too large: a message to a worker may have at most 16 MiB [too_large]')
    assert_equal(files(), ["pipeline.yaml"], "files")


@test
def test_a_config_of_too_many_values(folder):
    pipeline(step("make", "asked.extractor", "read", what="x", list=[{}] * 140000),
             step("save", "test.sink", "write", path="out.txt"))
    refused('the config of "make" is too large: it has more values than a message to a worker may have [too_large]')


@test
def test_connections_that_are_too_large_together(folder):
    write("osiris_connections.yaml", "connections: {asked: {it: {how: " + "x" * 60000 + "}}}\n")
    steps = []
    for i in range(300):
        steps += [step(f"m{i}", "asked.extractor", "read", needs=[], what="x", connection="@asked.it"),
                  step(f"s{i}", "test.sink", "write", needs=[f"m{i}"], path=f"out{i}")]
    pipeline(*steps)
    refused("the plan and the connections of all steps are too large: a message to a worker may have at most 16 MiB [too_large]")
    pipeline(*steps[:480])
    run()


main()
