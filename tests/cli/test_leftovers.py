"""What runs leave behind: no empty folder, whichever of several outputs made it, and no hidden file, even if a driver closes descriptors
that are not its own (tests/plugins/careless.c)."""

import os
import pathlib
import signal

from tap import assert_equal, files, finish, main, osiris, pipeline, read, start, step, test, wait_until, write

PLACES = (None, "there", "third")


def folders():
    return sorted(str(path) for path in pathlib.Path().rglob("*")
                  if path.is_dir() and path.parts[0] not in ("build", ".osiris", "run_logs"))


def temporary():
    return sorted(pathlib.Path(".osiris/tmp").glob("*"))


def writers(paths, places, source, **config):
    """One producer, whose rows are written to each of the paths in its place."""
    write("osiris.yaml", "adapters:\n  there: {adapter: local}\n  third: {adapter: local}\n")
    steps = [step("make", "test.generate", "read", **source)]
    for number, (path, place) in enumerate(zip(paths, places)):
        own = step(f"w{number}", "csv.writer", "write", ["make"], path=path, create_dirs=True, **config)
        steps.append({**own, "run_on": place} if place else own)
    pipeline(*steps)


NEW_FOLDERS = (["new/a.csv", "new/b.csv"], ["new/a.csv", "new/x/b.csv"], ["new/x/b.csv", "new/a.csv"],
               ["new/p/q/a.csv", "new/p/q/r/b.csv", "new/p/c.csv"])


# Folders.


@test
def test_new_folders_of_several_outputs_that_fail(folder):
    """Each output removes those that it has made, while they are empty: the maker may be the first one to close."""
    for config in {"rows_per_file": 100}, {}:
        for paths in NEW_FOLDERS:
            for places in PLACES, (None, None, None), ("there", None, "third"), ("third", "there", None):
                writers(paths, places, {"rows": 2000, "batch_rows": 1000, "fail_after": 1000}, **config)
                result = osiris("run", "pipeline.yaml")
                assert_equal(result.code, 1, "exit code", result)
                assert_equal(folders(), [], f"folders of {paths} in {places}", result)
                assert_equal(temporary(), [], "temporary folders", result)


@test
def test_new_folders_of_several_outputs_that_are_cancelled(folder):
    for paths in NEW_FOLDERS:
        writers(paths, PLACES, {"rows": 2000, "batch_rows": 1000, "hang_after": 1000}, rows_per_file=100)
        process = start("run", "pipeline.yaml")
        wait_until(lambda: all(list(pathlib.Path(path).parent.glob(".*.tmp")) for path in paths), "all write")
        process.send_signal(signal.SIGINT)
        assert_equal(finish(process).code, 130, "exit code")
        assert_equal(folders(), [], f"folders of {paths}")
        assert_equal(temporary(), [], "temporary folders")


@test
def test_folders_that_were_there(folder):
    os.makedirs("new/x")
    os.makedirs("new/empty")
    writers(["new/x/a.csv", "new/x/y/b.csv"], (None, "there"), {"rows": 2000, "batch_rows": 1000, "fail_after": 1000})
    assert_equal(osiris("run", "pipeline.yaml").code, 1, "exit code")
    assert_equal(folders(), ["new", "new/empty", "new/x"], "folders")


@test
def test_a_new_folder_with_an_output_stays(folder):
    """It is made by a step that fails, or by one whose file somebody takes away before the run ends."""
    writers(["new/a.csv"], (None,), {"rows": 10})
    kept = step("late", "test.generate", "read", needs=["w0"], rows=10, batch_rows=5, hang_after=5)
    pipeline(step("make", "test.generate", "read", rows=10),
             step("w0", "csv.writer", "write", ["make"], path="new/a.csv", create_dirs=True),
             kept, step("w1", "csv.writer", "write", ["late"], path="new/x/b.csv", create_dirs=True))
    process = start("run", "pipeline.yaml")
    wait_until(lambda: pathlib.Path("new/a.csv").exists() and pathlib.Path("new/x").exists(), "the first group is published")
    os.remove("new/a.csv")
    process.send_signal(signal.SIGINT)
    assert_equal(finish(process).code, 130, "exit code")
    assert_equal(folders(), ["new"], "folders")


# Descriptors.


def be_careless(at, closes, fills, parts):
    for name in pathlib.Path().glob("own-*"):
        if name.is_dir():
            name.rmdir()
        else:
            name.unlink()
    pipeline(step("make", "test.careless", "read", at=at, closes=closes, fills=fills, rows=500),
             step("save", "csv.writer", "write", path="new/x.csv", create_dirs=True, **({"rows_per_file": 50} if parts else {})))
    return osiris("run", "pipeline.yaml")


def check_careless(result, what):
    outputs = [path for path in files("new") if path.endswith(".csv")] if os.path.isdir("new") else []
    rows = sum(len(read(f"new/{path}").splitlines()) - 1 for path in outputs)
    # While a worker commits, its outputs may be there without its word for that.
    if rows > 0 and (result.code == 0 or "may have been published" in result.err):
        assert_equal(rows, 500, f"rows, {what}", result)
        assert_equal(files("new"), outputs, f"files, {what}", result)
        for path in outputs:
            os.remove(f"new/{path}")
        os.rmdir("new")
    assert_equal(result.code == 0 and rows == 0, False, f"success without an output, {what}: {result}")
    assert_equal([name for name in folders() if not name.startswith("own-")], [], f"folders, {what}", result)
    assert_equal(temporary(), [], f"temporary folders, {what}", result)


def is_empty(path):
    return not list(path.iterdir()) if path.is_dir() else path.stat().st_size == 0


@test
def test_a_driver_that_closes_descriptors_of_outputs(folder):
    """And opens files or folders of its own, which get these numbers: nothing of the other step gets there, and it is no success."""
    for at in "batch", "commit":
        for closes in "/new", str(folder.resolve()), "deleted":
            for fills in "", "files", "folders":
                for parts in True, False:
                    result = be_careless(at, closes, fills, parts)
                    check_careless(result, f"{at} {closes} {fills} {parts}")
                    # The other driver writes to its descriptor itself; what it has been given it keeps.
                    own = [path for path in pathlib.Path().glob("own-*") if path.is_dir() or at == "commit"]
                    assert_equal([path for path in own if not is_empty(path)], [], f"own files with our bytes: {closes}", result)


@test
def test_a_driver_that_closes_all_descriptors(folder):
    for at, fills, parts in ("commit", "", True), ("commit", "files", False), ("commit", "folders", True), ("batch", "files", True):
        result = be_careless(at, "", fills, parts)
        assert_equal(result.code, 1, "exit code", result)
        check_careless(result, f"{at} all {fills} {parts}")
        own = [path for path in pathlib.Path().glob("own-*") if at == "commit" or path.is_dir()]
        assert_equal([path for path in own if not is_empty(path)], [], "own files with our bytes", result)


@test
def test_a_driver_that_closes_the_channel(folder):
    for closes in "socket:", "eventfd", "signalfd":
        for fills in "", "files":
            result = be_careless("batch", closes, fills, True)
            check_careless(result, f"{closes} {fills}")
            assert_equal([path for path in pathlib.Path().glob("own-*") if not is_empty(path)], [], "own files with our bytes", result)


main()
