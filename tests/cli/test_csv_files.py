"""Files of csv.writer in real runs: many of them, all or none; appending; names; permissions; compression."""

import gzip
import os
import pathlib
import re
import resource

from tap import assert_equal, assert_in, files, main, osiris, pipeline, read, step, test, write

WHOLE = 2500


def export(code=0, rows=10, limit=None, **config):
    pipeline(step("make", "test.generate", "read", rows=rows),
             step("save", "csv.writer", "write", **config))
    result = osiris("run", "pipeline.yaml", preexec_fn=limit)
    assert_equal(result.code, code, "exit code", result)
    return result


def few_descriptors():
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


@test
def test_thousands_of_files_need_few_descriptors(folder):
    result = export(rows=WHOLE, limit=few_descriptors, path="parts/p.csv", rows_per_file=1,
                    fsync="never")
    names = sorted(os.listdir("parts"))
    assert_equal(names, [f"p-{n:05}.csv" for n in range(1, WHOLE + 1)], "files")
    whole = export(rows=WHOLE, path="whole.csv")
    lines = read("whole.csv").splitlines()
    for number, name in enumerate(names, 1):
        assert_equal(read(f"parts/{name}").splitlines(), [lines[0], lines[number]], name)
    published = re.findall(r"published  (\S+)", result.out + result.err)
    assert_equal(published, [f"parts/{name}" for name in names], "the order in which they appear")
    assert_equal(whole.code, 0, "exit code")


@test
def test_no_file_appears_if_a_later_step_fails(folder):
    pipeline(step("make", "test.generate", "read", rows=50),
             step("save", "csv.writer", "write", needs=["make"], path="parts/p.csv",
                  rows_per_file=10),
             step("other", "csv.writer", "write", needs=["make"], path="ascii.csv",
                  quoting="none", delimiter="0"))
    result = osiris("run", "pipeline.yaml")
    assert_equal(result.code, 1, "exit code", result)
    assert_equal(pathlib.Path("parts").exists(), False, "the folder of parts")


@test
def test_parts_that_were_published_are_taken_back_if_a_later_one_cannot_be(folder):
    """What was there before is there again; files of other steps of the group go, too."""
    os.mkdir("parts")
    pathlib.Path("parts/p-00002.csv").write_text("old")
    pipeline(step("make", "test.generate", "read", rows=50),
             step("save", "csv.writer", "write", needs=["make"], path="parts/p.csv", rows_per_file=10),
             step("whole", "csv.writer", "write", needs=["make"], path="whole.csv"),
             step("rival", "test.sink", "write", needs=["make"], path="rival.txt", make_folder="parts/p-00004.csv"))
    result = osiris("run", "pipeline.yaml", "--json")
    assert_equal(result.code, 1, "exit code", result)
    error = result.json()["error"]
    assert_equal(error["message"], 'cannot publish "parts/p-00004.csv": Is a directory', "error", result)
    assert_equal(error["step_id"], "save", "step", result)
    assert_equal(files(), ["parts/p-00002.csv", "pipeline.yaml"], "files", result)
    assert_equal(read("parts/p-00002.csv"), "old", "the file that was there")


@test
def test_appending_run_after_run(folder):
    export(path="a/log.csv", append=True)
    once = read("a/log.csv").splitlines()
    export(path="a/log.csv", append=True)
    assert_equal(read("a/log.csv").splitlines(), once + once[1:], "both runs' rows")
    result = export(code=1, path="a/log.csv", append=True, delimiter=";")
    assert_in("header", result.err, result)
    assert_equal(read("a/log.csv").splitlines(), once + once[1:], "the refused run's file")
    export(path="log.csv.gz", append=True)
    export(path="log.csv.gz", append=True)
    assert_equal(gzip.open("log.csv.gz", "rt").read().splitlines(), once + once[1:], "compressed")


@test
def test_nothing_is_appended_to_a_damaged_file(folder):
    for name in ("log.csv.gz", "log.csv.zst"):
        export(path=name, append=True)
        whole = pathlib.Path(name).read_bytes()
        for damaged in (whole[:-1], whole + b"more", whole + bytes(100)):
            pathlib.Path(name).write_bytes(damaged)
            result = export(code=1, path=name, append=True)
            assert_in("the existing file is not a complete", result.err, result)
            assert_equal(pathlib.Path(name).read_bytes(), damaged, "the file")


@test
def test_names_modes_and_compression(folder):
    os.umask(0)
    export(path="${step_id}/${run_id}-${now:%Y}.csv.gz", mode="0640", fsync="never")
    name = os.listdir("save")[0]
    assert_equal(bool(re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{26}-20\d\d\.csv\.gz", name)), True, name)
    assert_equal(os.stat(f"save/{name}").st_mode & 0o777, 0o640, "permissions")
    export(path="plain.csv")
    assert_equal(gzip.open(f"save/{name}", "rt").read(), read("plain.csv"), "the text")
    result = export(code=2, path="x.csv", mode=640)
    assert_in("mode", result.err, result)
    result = export(code=2, path="x.csv", compression_level=20)
    assert_in("compression_level", result.err, result)
    export(code=2, path="x-${nonsense}.csv")
    for path, hint in (("~/x.csv", "home"), ("/dev/stdout", 'path: "-"'), ("/dev/fd/1", 'path: "-"')):
        result = export(code=2, path=path)
        assert_in(hint, result.err, result)
    assert_equal(os.path.exists("~"), False, "a folder of that name")
    export(path="./~/x.csv")


@test
def test_a_path_commands_no_terminal(folder):
    result = export(path="red\x1b[31m.csv")
    assert "\x1b" not in result.out + result.err, result
    assert_in("published  red?[31m.csv", result.out, result)


@test
def test_whole_numbers_in_other_notations(folder):
    """JSON Schema takes 10.0 and 1e1 for integers, and so does the host that a driver asks for one."""
    for number, text in enumerate(("10.0", "1e1")):
        pipeline(step("make", "test.generate", "read", rows=20),
                 step("save", "csv.writer", "write", needs=["make"], path=f"parts{number}/p.csv", rows_per_file=10, create_dirs=True))
        write("pipeline.yaml", read("pipeline.yaml").replace('"rows_per_file": 10', f'"rows_per_file": {text}'))
        result = osiris("run", "pipeline.yaml")
        assert_equal(result.code, 0, "exit code", result)
        assert_equal(len(list(pathlib.Path(f"parts{number}").iterdir())), 2, "files", result)


main()
