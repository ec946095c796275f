"""Finding and refusing plug-ins: search order, shadowing, clashes, broken files, the cache."""

import os
import pathlib
import shutil

from tap import (BUILD, SANITIZED, assert_equal, assert_in, main, osiris, pipeline, processes, read, step, test, write)


def plugin(name, folder="drivers", copy_as=None):
    pathlib.Path(folder).mkdir(exist_ok=True)
    shutil.copy(found(name), pathlib.Path(folder, f"{copy_as or name}.so"))


def found(name):
    """The test plug-in's shared object; libtool hides them in .libs folders."""
    return next(path for path in (BUILD / "tests" / "plugins").rglob(f".libs/{name}.so"))


def listing(*folders, env=None):
    arguments = [part for folder in folders for part in ("--driver-dir", folder)]
    result = osiris("components", "list", "--json", *arguments,
                    env={"OSIRIS_DRIVER_PATH": "", "XDG_CACHE_HOME": os.getcwd() + "/cache",
                         **(env or {})})
    answer = result.json()
    assert_equal(result.code, 1 if answer["refused"] else 0, "exit code", result)
    # Others may be installed where this build is going to be.
    return answer, {c["name"]: c for c in answer["components"]
                    if pathlib.Path(c["file"]).resolve().is_relative_to(pathlib.Path.cwd().resolve())}


def refusals(answer):
    return {pathlib.Path(r["file"]).name: r["error"] for r in answer["refused"]}


@test
def test_broken_files_are_refused_with_the_reason_and_good_ones_work(folder):
    for path in (BUILD / "tests" / "plugins" / "broken").glob(".libs/*.so"):
        if "detaches" not in path.stem:
            plugin(path.stem)
    plugin("generate")
    (folder / "drivers" / "junk.so").write_bytes(b"this is no shared object\n" * 100)
    (folder / "drivers" / "README").write_text("not a driver")
    answer, components = listing("drivers")
    refused = refusals(answer)
    for name, reason in {
        "broken-no-symbol.so": "osiris_plugin",
        "broken-version.so": "version",
        "broken-truncated.so": "size",
        "broken-short-driver.so": "size",
        "broken-null-tables.so": "neither",
        "broken-no-verb.so": "run",
        "broken-bad-spec.so": "JSON",
        "broken-twice.so": "test.broken",
        "broken-bad-mode.so": 'modes/1: there is no mode "frob"',
        "broken-bad-type.so": 'configSchema/properties/port/type: there is no type "banana"',
        "broken-bad-pattern.so": "configSchema/properties/list/items/pattern: ",
        "broken-bad-default.so": "configSchema/properties/port/default: ",
        "broken-bad-outputs.so": "x-output-files/1/varied_by/1: it is not an option's name",
        "broken-bad-name.so": "the name of a driver is not valid",
        "broken-no-name.so": "no name",
        "broken-null-name.so": "no name",
        "broken-null-version.so": "no version",
        "broken-null-spec.so": '"test.broken" has no spec',
        "broken-null-open.so": 'the driver "test.broken" lacks the verb "open"',
        "broken-null-close.so": 'the driver "test.broken" lacks the verb "close"',
        "broken-no-kind.so": 'the driver "test.broken" has the unknown kind 0',
        "broken-other-kind.so": 'the spec of "test.broken": modes/0: the driver is a writer, which cannot extract',
        "broken-unresolved.so": "undefined symbol",
        # A sanitizer makes an exit of it.
        "broken-crash.so": "" if SANITIZED else "SIG",
        "broken-hang.so": "5 s",
        "broken-exit.so": "status 0",
        "junk.so": "",
    }.items():
        assert name in refused, f"{name} is not refused; refused: {refused}"
        assert_in(reason, refused[name])
    assert_in("test.generate", components)
    assert "README" not in str(answer["refused"])


@test
def test_a_driver_dir_that_is_not_there(folder):
    write("file", "")
    pipeline(step("make", "test.generate", "read"), step("save", "csv.writer", "write", path="out.csv"))
    for name, reason in (("nowhere", "No such file or directory"), ("file", "Not a directory")):
        for command in (("components", "list"), ("validate", "pipeline.yaml"), ("connections", "doctor")):
            result = osiris(*command, "--driver-dir", ".", "--driver-dir", name)
            assert_equal(result.code, 2, f"exit code of {command}", result)
            assert_in(f'cannot open the driver folder "{name}": {reason}', result.err, result)
        assert_equal(osiris("validate", "pipeline.yaml", "--json", "--driver-dir", name).json()["phase"], "usage", "phase")
    result = osiris("components", "list", env={"OSIRIS_DRIVER_PATH": "nowhere"})
    assert_equal(result.code, 0, "exit code with a path of folders", result)


@test
def test_a_driver_that_prints_while_it_is_loaded_is_still_described(folder):
    plugin("broken-prints")
    answer, components = listing("drivers")
    assert_equal(answer["refused"], [], "refused")
    assert_equal(len(components), 1, "components")


def nothing_is_left(result):
    """Of a process that a plug-in has detached while it was loaded."""
    pid = int(read("detached"))
    assert pid not in processes(), result
    pathlib.Path("detached").unlink()


@test
def test_a_detached_process_does_not_outlive_the_loading_of_a_driver(folder):
    plugin("broken-detaches")
    answer, components = listing("drivers")
    assert_in("test.detaches", components)
    nothing_is_left(answer)
    plugin("broken-detaches-and-crashes")
    answer, components = listing("drivers")
    assert_in("broken-detaches-and-crashes.so", refusals(answer))
    nothing_is_left(answer)


@test
def test_a_detached_process_does_not_outlive_the_loading_of_an_adapter(folder):
    pipeline(step("make", "test.generate", "read", rows=1),
             step("save", "csv.writer", "write", path="out.csv"))
    plugin("broken-detaches-and-crashes", "adapters", copy_as="detaches")
    result = osiris("run", "pipeline.yaml", "--adapter", "detaches", env={"OSIRIS_ADAPTER_PATH": "adapters"})
    assert_equal(result.code, 2, "exit code", result)
    assert_in("while it was loaded", result.err, result)
    nothing_is_left(result)


@test
def test_two_files_of_one_folder_with_one_name_are_both_refused(folder):
    plugin("generate")
    plugin("generate", copy_as="generate-too")
    answer, components = listing("drivers")
    assert "test.generate" not in components, components
    text = str(answer["refused"])
    assert_in("generate.so", text)
    assert_in("generate-too.so", text)
    pipeline(step("make", "test.generate", "read", rows=1),
             step("save", "csv.writer", "write", path="out.csv"))
    result = osiris("run", "pipeline.yaml", "--driver-dir", "drivers")
    assert_equal(result.code, 2, "exit code", result)
    assert_in("generate-too.so", result.err, result)


@test
def test_an_earlier_folder_hides_a_later_one(folder):
    plugin("generate", "first")
    plugin("generate", "second")
    for order in (("first", "second"), ("second", "first")):
        _, components = listing(*order)
        assert_in(f"/{order[0]}/", "/" + components["test.generate"]["file"])
    _, components = listing("second", env={"OSIRIS_DRIVER_PATH": os.getcwd() + "/first"})
    assert_in("second/", components["test.generate"]["file"])
    _, components = listing(env={"OSIRIS_DRIVER_PATH": os.getcwd() + "/first"})
    assert_in("first/", components["test.generate"]["file"])


@test
def test_la_files_are_not_needed(folder):
    plugin("generate")
    assert not list(pathlib.Path("drivers").glob("*.la"))
    pipeline(step("make", "test.generate", "read", rows=3),
             step("save", "csv.writer", "write", path="out.csv"))
    result = osiris("run", "pipeline.yaml", "--driver-dir", "drivers",
                    env={"OSIRIS_DRIVER_PATH": str(BUILD / ".libs")})
    assert_equal(result.code, 0, "exit code", result)


@test
def test_the_cache_follows_the_file(folder):
    plugin("generate")
    first, _ = listing("drivers")
    cached = list(pathlib.Path("cache").rglob("*.json"))
    assert cached, "nothing is cached"
    for path in cached:
        path.write_text("{ damaged")
    second, _ = listing("drivers")
    assert_equal(second, first, "the answer with a damaged cache")
    plugin("pass", copy_as="generate")
    _, components = listing("drivers")
    assert_equal(sorted(components), ["test.pass"], "components after the file changed")


@test
def test_a_refusal_is_not_cached(folder):
    """Its reason may be gone while the file is as it was."""
    env = {"XDG_CACHE_HOME": os.getcwd() + "/cache"}
    plugin("broken-moody", copy_as="test")
    pipeline(step("make", "test.moody", "read"), step("save", "csv.writer", "write", path="out.csv"))
    for command in (("validate", "pipeline.yaml"), ("run", "pipeline.yaml"), ("components", "show", "test.moody")):
        result = osiris(*command, "--driver-dir", "drivers", env=env)
        assert_equal(result.code, 2, f"exit code of {command}", result)
        assert_in('there is no component "test.moody"', result.err, result)
        assert_in(f'"{folder}/drivers/test.so": it ended the process with status 7 while it was loaded', result.err, result)
    write("needed", "")
    answer, components = listing("drivers")
    assert_in("test.moody", components)
    result = osiris("validate", "pipeline.yaml", "--driver-dir", "drivers", env=env)
    assert_equal(result.code, 0, "exit code", result)
    pathlib.Path("needed").unlink()
    assert_equal(listing("drivers"), (answer, components), "what is cached")


@test
def test_a_list_that_lacks_something(folder):
    """The good ones are listed, what was refused is told, and the exit code tells it, too."""
    plugin("broken-version")
    plugin("generate")
    env = {"OSIRIS_DRIVER_PATH": ""}
    result = osiris("components", "list", "--driver-dir", "drivers", env=env)
    assert_equal(result.code, 1, "exit code", result)
    assert_in("test.generate", result.out, result)
    assert_in(f"osiris: refused {folder}/drivers/broken-version.so: ", result.err, result)
    pathlib.Path("drivers/broken-version.so").unlink()
    assert_equal(osiris("components", "list", "--driver-dir", "drivers", env=env).code, 0, "exit code without it")


@test
def test_what_is_not_there_may_be_in_a_file_that_was_refused(folder):
    plugin("broken-version", copy_as="acme")
    for name in "abcd":
        plugin("broken-version", copy_as=name)

    def hint(component):
        result = osiris("components", "show", component, "--driver-dir", "drivers", "--json")
        assert_equal(result.code, 2, "exit code", result)
        return result.json()["error"]["hint"]

    assert_in(f'it may be in a refused file: "{folder}/drivers/acme.so": ', hint("acme.extractor"))
    assert_equal(hint("acme.extractor").count(".so"), 1, "files that are told of")
    text = hint("nobody.extractor")
    assert_equal(text.count(".so"), 3, "files that are told of", text)
    assert_in("and 2 more, see `osiris components list`", text)
    assert_in('did you mean "csv.writer"? Or it may be in a refused file: ', hint("csv.writr"))


def unreadable(name):
    """A folder that nobody can read, root included: a file stands in its way."""
    write(name, "")
    return f"{name}/folder"


@test
def test_a_folder_that_cannot_be_read(folder):
    pipeline(step("make", "test.generate", "read"), step("save", "csv.writer", "write", path="out.csv"))
    where = unreadable("blocked")
    answer, _ = listing(env={"OSIRIS_DRIVER_PATH": where})
    assert_equal(answer["refused"], [{"file": os.path.abspath(where), "error": "cannot read the folder: Not a directory"}], "refused")
    result = osiris("validate", "pipeline.yaml", env={"OSIRIS_DRIVER_PATH": where})
    assert_in(f'"{os.path.abspath(where)}": cannot read the folder: Not a directory', result.err, result)
    result = osiris("run", "pipeline.yaml", env={"OSIRIS_ADAPTER_PATH": where})
    if result.code != 0:  # no other one is installed
        assert_in(f'cannot read the folder "{where}": Not a directory', result.err, result)
        assert "did you mean" not in result.err, result


@test
def test_an_adapter_that_is_there_and_no_file(folder):
    pipeline(step("make", "test.generate", "read", rows=1), step("save", "csv.writer", "write", path="out.csv"))
    os.makedirs("adapters/mine.so")
    os.symlink("nowhere", "adapters/theirs.so")
    for name, reason in (("mine", "it is not a file"), ("theirs", "No such file or directory")):
        result = osiris("run", "pipeline.yaml", "--adapter", name, env={"OSIRIS_ADAPTER_PATH": "adapters"})
        assert_equal(result.code, 2, "exit code", result)
        assert_in(f'there is no usable execution adapter "{name}": plug-in "adapters/{name}.so": {reason}',
                  result.err, result)
        assert "did you mean" not in result.err, result


@test
def test_a_cache_that_cannot_be_written_is_no_error(folder):
    plugin("generate")
    pathlib.Path("blocked").write_text("a file where a folder should be")
    _, components = listing("drivers", env={"XDG_CACHE_HOME": os.getcwd() + "/blocked"})
    assert_in("test.generate", components)


@test
def test_component_of_the_wrong_kind(folder):
    pipeline(step("make", "csv.writer", "read", path="out.csv"))
    result = osiris("run", "pipeline.yaml")
    assert_equal(result.code, 2, "exit code", result)
    assert_in("incompatible_mode", result.err, result)


@test
def test_show_names_options(folder):
    result = osiris("components", "show", "csv.writer")
    assert_equal(result.code, 0, "exit code", result)
    for word in ("delimiter", "quoting", "filesystem.csv_writer"):
        assert_in(word, result.out, result)
    result = osiris("components", "show", "asked.extractor")
    for word in ("how    string, from the connection: a step may override it\n",
                 "token  string, from the connection: a step must not override it\n", "what   string\n"):
        assert_in(word, result.out, result)
    result = osiris("components", "show", "csv.writr")
    assert_equal(result.code, 2, "exit code", result)
    assert_in('did you mean "csv.writer"', result.err, result)


@test
def test_the_driver_template(folder):
    plugin("acme")
    pipeline(step("count", "acme.counter", "read", last=100000),
             step("add", "acme.total", "write", path="output/total.txt"))
    result = osiris("run", "pipeline.yaml", "--driver-dir", "drivers")
    assert_equal(result.code, 0, "exit code", result)
    assert_equal(read("output/total.txt"), "5000050000\n", "the total")
    pipeline(step("make", "test.source", "read", rows=10, give="slices"),
             step("add", "acme.total", "write", path="total.txt"))
    result = osiris("run", "pipeline.yaml", "--driver-dir", "drivers")
    assert_equal(result.code, 0, "exit code", result)
    assert_equal(read("total.txt"), f"{3 + 4 + 6 + 7 + 8}\n", "the total of a slice with a null")


@test
def test_unknown_adapter(folder):
    pipeline(step("make", "test.generate", "read", rows=1),
             step("save", "csv.writer", "write", path="out.csv"))
    for options in (("--adapter", "locla"), ("--adapter", "locla", "--dry-run"), ("--target=locla", "--json")):
        result = osiris("run", "pipeline.yaml", *options)
        assert_equal(result.code, 2, "exit code", result)
        assert_in('there is no execution adapter \\"locla\\"' if "--json" in options else
                  'there is no execution adapter "locla"; did you mean "local"?', result.err + result.out, result)
    assert_equal(os.listdir(), ["pipeline.yaml"], "what is left")


@test
def test_an_adapter_that_crashes_is_one_error(folder):
    pipeline(step("make", "test.generate", "read", rows=1),
             step("save", "csv.writer", "write", path="out.csv"))
    plugin("broken-crash", "adapters", copy_as="crash")
    plugin("generate", "adapters", copy_as="driver")
    env = {"OSIRIS_ADAPTER_PATH": "adapters", "XDG_CACHE_HOME": os.getcwd() + "/cache"}
    for _ in range(2):
        result = osiris("run", "pipeline.yaml", "--adapter", "crash", env=env)
        assert_equal(result.code, 2, "exit code", result)
        assert_in("crash.so", result.err, result)
        assert_in("while it was loaded", result.err, result)
    pipeline({**step("make", "test.generate", "read", rows=1), "run_on": "crash"},
             step("save", "csv.writer", "write", path="out.csv"))
    result = osiris("validate", "pipeline.yaml", env=env)
    assert_equal(result.code, 2, "exit code", result)
    assert_in("unknown_place", result.err, result)
    result = osiris("run", "pipeline.yaml", "--adapter", "driver", env=env)
    assert_in('no execution adapter "driver"', result.err, result)


@test
def test_an_adapter_among_the_drivers_is_refused(folder):
    plugin("generate")
    shutil.copy(BUILD / ".libs" / "local.so", "drivers/local.so")
    answer, components = listing("drivers")
    assert_in("move it to a folder of adapters", refusals(answer)["local.so"])
    assert_in("test.generate", components)


if __name__ == "__main__":
    main()
