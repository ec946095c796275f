"""What is in a bundle: drivers, libraries, what drivers need at run time; and why there is none."""

import ctypes
import hashlib
import json
import os
import pathlib
import platform
import subprocess

from bundles import (DRIVERS, HAS_MYSQL, OWN, TEMPLATE, plugin, environment, create, unpacked, started, compile_library, driver)
from tap import (BUILD, SANITIZED, Skip, assert_equal, assert_in, main, osiris, read, test, write)


@test
def test_what_is_in_it(folder):
    made = create(*OWN, options=("--output", "b.tar.gz"))
    assert_equal(made["path"], "b.tar.gz", "path")
    assert_equal(os.listdir("cache/osiris/bundles"), [made["sha256"] + ".tar.gz"], "cache")
    assert_equal(pathlib.Path("b.tar.gz").read_bytes(),
                 pathlib.Path("cache/osiris/bundles", made["sha256"] + ".tar.gz").read_bytes(), "copy")
    shown = osiris("bundle", "show", "b.tar.gz", "--json").json()
    for key in ("bundle", "sha256", "size", "unpacked_size"):
        assert_equal(shown[key], made[key], key)
    description = shown["bundle"]
    assert_equal(description["architecture"], platform.machine(), "architecture")
    names = {file["path"]: file for file in description["files"]}
    for name in ("run", "bin/osiris-worker", "lib/libc.so.6", "lib/libgcc_s.so.1", "drivers/csv.so"):
        assert_in(name, names)
    assert any(name.startswith("lib/ld") for name in names), names
    if HAS_MYSQL:
        for name in ("lib/libmariadb.so.3", "etc/ca-certificates.crt", "etc/openssl.cnf"):
            assert_in(name, names)
    root = unpacked("b.tar.gz", "b")
    for name, file in names.items():
        content = (root / name).read_bytes()
        assert_equal((len(content), hashlib.sha256(content).hexdigest()), (file["size"], file["sha256"]), name)
    text = osiris("bundle", "show", "b.tar.gz").out
    for part in (made["sha256"], "drivers/csv.so: csv.writer", description["architecture"], "lib/libc.so.6", "Linux 3.17.0", "tar and gzip"):
        assert_in(part, text)
    # Copies of libraries lack what a debugger needs; drivers of others stay what they are.
    third = create("test.generate", env=environment(drivers=plugin("generate").parent))
    root = unpacked(third["path"], "third")
    assert_equal((root / "drivers/generate.so").read_bytes(), plugin("generate").read_bytes(), "the driver")
    assert "lib/libmariadb.so.3" not in [file["path"] for file in third["bundle"]["files"]]


@test
def test_what_drivers_need_at_run_time(folder):
    if not HAS_MYSQL:
        raise Skip("osiris was built without mysql")
    made = create(*OWN)
    description = made["bundle"]
    if not SANITIZED:
        assert made["size"] < 4_500_000, f"the bundle takes {made['size']} bytes"
    stripped = [file["path"] for file in description["files"] if file.get("stripped")]
    assert_in("drivers/mysql.so", stripped)
    assert_in("drivers/csv.so", stripped)
    assert_equal(description["environment"]["MARIADB_PLUGIN_DIR"], "{bundle}/runtime/mysql/plugin", "variable")
    assert_in("runtime/mysql/plugin/client_ed25519.so", [file["path"] for file in description["files"]])
    assert_equal(description["packages"], ["libmariadb3"], "packages")


RUNTIME = '"x-runtime": {"requirements": {"system": ["acme-tools"]}, "files": [%s]},'


def runtime_driver(*files):
    """The template's, with a spec that names files."""
    entries = RUNTIME % ", ".join(json.dumps(file) for file in files)
    source = read(TEMPLATE)
    marker = '"{\\"title\\": \\"Counter\\",'
    assert_in(marker, source)
    quoted = entries.replace("\\", "\\\\").replace('"', '\\"')
    write("acme.c", source.replace(marker, '"{' + quoted + marker[2:], 1))
    driver(source="acme.c")


@test
def test_files_that_a_spec_names(folder):
    if SANITIZED:
        raise Skip("the driver would have to be linked with the sanitizers' library")
    inner = compile_library("libinner.so.1", "int inner(void) { return 1; }", "-Wl,-soname,libinner.so.1")
    compile_library("plug.so", "int inner(void); int plug(void) { return inner(); }", inner, f"-Wl,-rpath,{folder}/libraries",
                    folder="plugs/deep")
    write("plugs/table.txt", "1 2 3")
    write("other/plugs/table.txt", "4 5 6")
    write("drivers/acme/words", "a b c")
    runtime_driver({"path": f"{folder}/plugs", "environment": "ACME_PLUGS"}, {"path": "acme/words"},
                   {"path": f"{folder}/other/plugs", "environment": "ACME_OTHERS"},
                   {"path": "/no/such/file", "environment": "ACME_MORE", "optional": True})
    env = environment(drivers=folder / "drivers")
    made = create("acme.counter", env=env)
    description = made["bundle"]
    names = [file["path"] for file in description["files"]]
    for name in ("runtime/acme/plugs/deep/plug.so", "runtime/acme/plugs/table.txt", "drivers/acme/words", "lib/libinner.so.1"):
        assert_in(name, names)
    assert_equal(description["environment"]["ACME_PLUGS"], "{bundle}/runtime/acme/plugs", "variable")
    assert_equal(description["environment"]["ACME_OTHERS"], "{bundle}/runtime/acme/plugs-2", "variable")
    assert "ACME_MORE" not in description["environment"]
    assert_equal(description["packages"], ["acme-tools"], "packages")
    assert_in("acme-tools", osiris("bundle", "show", made["path"]).out)
    root = unpacked(made["path"], "b")
    for name, content in (("drivers/acme/words", "a b c"), ("runtime/acme/plugs/table.txt", "1 2 3"),
                          ("runtime/acme/plugs-2/table.txt", "4 5 6")):
        assert_equal(read(root / name), content, name)
    assert_in('export ACME_PLUGS="$bundle/runtime/acme/plugs"', read(root / "run"))
    # Of another machine (s390x): named, with the worker's.
    foreign = bytearray(pathlib.Path("plugs/deep/plug.so").read_bytes())
    foreign[18:20] = b"\x16\x00"
    pathlib.Path("plugs/deep/foreign.so").write_bytes(foreign)
    refused = create("acme.counter", env=env, code=1)
    assert_in(f'"{folder}/plugs/deep/foreign.so" is for another architecture', refused["message"])
    assert_in(f"than osiris-worker ({platform.machine()})", refused["message"])
    os.unlink("plugs/deep/foreign.so")
    # Names that could not be written into a script.
    write("plugs/a$b", "")
    assert_in("rename it", create("acme.counter", env=env, code=1)["error"]["hint"])
    os.unlink("plugs/a$b")
    os.unlink("drivers/acme/words")
    refused = create("acme.counter", env=env, code=1)
    assert_in("acme.counter: a file that the driver needs (x-runtime): cannot read", refused["message"])
    assert_in("acme/words", refused["message"])


@test
def test_specs_with_faulty_files_are_refused(folder):
    if SANITIZED:
        raise Skip("the driver would have to be linked with the sanitizers' library")
    for file, reason in ((({}, "has no path")), ({"path": "../x"}, "does not lead down"), ({"path": "a//b"}, "does not lead down"),
                         ({"path": "a", "environment": "LD_PRELOAD"}, "files/0/environment: it is not the name of a variable"),
                         ({"path": "a", "environment": "A B"}, "files/0/environment"), ({"path": "a", "optional": 1}, "files/0/optional")):
        runtime_driver(file)
        refused = create("acme.counter", env=environment(drivers=folder / "drivers"), code=2)
        assert_in(reason, json.dumps(refused))


@test
def test_the_drivers_of_a_pipeline(folder):
    write("pipeline.yaml", json.dumps({"oml_version": "0.1.0", "name": "p", "steps": [
        {"id": "make", "component": "test.generate", "mode": "read", "config": {}},
        {"id": "save", "component": "csv.writer", "mode": "write", "config": {"path": "out.csv"}}]}))
    made = create(options=("pipeline.yaml",), env=environment(drivers=f"{plugin('generate').parent}:{DRIVERS}"))
    assert_equal([driver["components"] for driver in made["bundle"]["drivers"]], [["csv.writer"], ["test.generate"]], "drivers")
    write("broken.yaml", "oml_version: 0.1.0\nname: p\nsteps: [{id: a, component: no.such, mode: read}]\n")
    refused = create(options=("broken.yaml",), code=2)
    assert_in("no.such", json.dumps(refused["diagnostics"]))
    # None named: all.
    made = create(env=environment(drivers=f"{plugin('generate').parent}:{DRIVERS}"))
    names = {name for driver in made["bundle"]["drivers"] for name in driver["components"]}
    listed = osiris("components", "list", "--json", env=environment(drivers=f"{plugin('generate').parent}:{DRIVERS}")).json()
    assert_equal(names, {component["name"] for component in listed["components"]}, "components")
    refused = create("csv.wrter", code=2)
    assert_in('"csv.wrter"', refused["message"])
    assert_in("csv.writer", refused["error"]["hint"])


@test
def test_a_library_that_cannot_be_found(folder):
    """Of a library of a driver: both are named. (The driver was described while it was there.)"""
    if SANITIZED:
        raise Skip("the driver would have to be linked with the sanitizers' library")
    inner = compile_library("libinner.so.1", "int inner(void) { return 1; }", "-Wl,-soname,libinner.so.1")
    outer = compile_library("libouter.so.1", "int inner(void); int outer(void) { return inner(); }", inner,
                            "-Wl,-soname,libouter.so.1", f"-Wl,-rpath,{folder}/libraries")
    driver(outer, f"-Wl,-rpath,{folder}/libraries")
    env = environment(drivers=folder / "drivers")
    made = create("acme.counter", env=env)
    assert_in("lib/libinner.so.1", [file["path"] for file in made["bundle"]["files"]])
    # The folders that the objects name are not looked at in the place.
    command = made["bundle"]["command"]
    ignored = command[command.index("--inhibit-rpath") + 1].split(":")
    assert_equal(sorted(ignored), ["{bundle}/drivers/acme.so", "{bundle}/lib/libouter.so.1"], "ignored folders")
    # Nor if they are looked at before all others, and have the same library with another content.
    driver(outer, f"-Wl,-rpath,{folder}/libraries", "-Wl,--disable-new-dtags")
    made = create("acme.counter", env=env)
    root = unpacked(made["path"], "b")
    os.makedirs("away")
    os.rename("libraries/libouter.so.1", "away/libouter.so.1")
    compile_library("libouter.so.1", "#include <unistd.h>\n__attribute__((constructor)) static void end(void) { _exit(66); }\n",
                    "-Wl,-soname,libouter.so.1")
    command, variables = started(made["bundle"], str(root.resolve()), "--describe", f"{root.resolve()}/drivers/acme.so")
    at = command.index("--inhibit-rpath")
    for words, works in ((command, True), (command[:at] + command[at + 2:], False)):
        described = json.loads(subprocess.run(words, env=variables, capture_output=True, text=True, check=True).stdout)
        assert_equal("error" not in described[0], works, "whether it works", described)
    os.rename("away/libouter.so.1", "libraries/libouter.so.1")
    os.rename("libraries/libinner.so.1", "away/libinner.so.1")
    refused = create("acme.counter", env=env, code=1)
    assert_in(f'"{folder}/libraries/libouter.so.1" needs the library "libinner.so.1", which cannot be found', refused["message"])
    assert_in("acme.so", refused["message"])
    assert_in("install it", refused["error"]["hint"])


@test
def test_libraries_are_those_for_any_processor(folder):
    """Of one there is a variant that this machine's dynamic loader prefers."""
    if SANITIZED:
        raise Skip("the driver would have to be linked with the sanitizers' library")
    plain = compile_library("libfast.so.1", "int fast(void) { return 1; }", "-Wl,-soname,libfast.so.1")
    variant = compile_library("libfast.so.1", "int fast(void) { return 2; }", "-Wl,-soname,libfast.so.1",
                              folder="libraries/glibc-hwcaps/x86-64-v2")
    driver(plain, f"-Wl,-rpath,{folder}/libraries")
    listed = subprocess.run(["ldd", "drivers/acme.so"], capture_output=True, text=True).stdout
    if variant not in listed:
        raise Skip("this machine's dynamic loader knows no variants of libraries")
    root = unpacked(create("acme.counter", env=environment(drivers=folder / "drivers"))["path"], "b")
    fast = ctypes.CDLL(str(root / "lib/libfast.so.1")).fast
    assert_equal(fast(), 1, "the variant")


@test
def test_a_library_that_is_needed_by_its_path(folder):
    if SANITIZED:
        raise Skip("the driver would have to be linked with the sanitizers' library")
    driver(compile_library("libplain.so", "int plain(void) { return 1; }"))
    refused = create("acme.counter", env=environment(drivers=folder / "drivers"), code=1)
    assert_in(f'needs the library "{folder}/libraries/libplain.so" by its path', refused["message"])


@test
def test_a_worker_that_is_no_program(folder):
    """A script that starts the real one works where it is, but nobody knows what it needs."""
    worker = os.environ.get("OSIRIS_WORKER", str(BUILD / "osiris-worker"))
    write("script", f"#!/bin/sh\nexec {worker} \"$@\"\n")
    os.chmod("script", 0o755)
    refused = create("csv.writer", env={"OSIRIS_WORKER": f"{folder}/script"}, code=1)
    assert_equal(refused["message"], f'"{folder}/script" is not a program or a shared object (ELF)', "message")


if __name__ == "__main__":
    main()
