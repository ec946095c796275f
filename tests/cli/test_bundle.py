"""Bundles: what is in them, that they run where nothing else is, that the same inputs give the same bytes, and the cache."""

import ctypes
import gzip
import hashlib
import io
import json
import os
import pathlib
import platform
import shutil
import subprocess
import tarfile
import tempfile

from tap import (BUILD, SANITIZED, SOURCE, Skip, assert_equal, assert_in, main, osiris, pipeline, read, step, test, write)

DRIVERS = BUILD / ".libs"
HAS_MYSQL = (DRIVERS / "mysql.so").exists()
OWN = ["mysql.extractor", "csv.writer"] if HAS_MYSQL else ["csv.writer"]
TEMPLATE = SOURCE / "examples" / "driver-template" / "acme.c"
BUSYBOX = shutil.which("busybox", path="/bin:/usr/bin") or ""


def plugin(name):
    return next(path for path in (BUILD / "tests" / "plugins").rglob(f".libs/{name}.so"))


def environment(cache="cache", drivers=DRIVERS):
    return {"OSIRIS_DRIVER_PATH": str(drivers), "XDG_CACHE_HOME": os.path.abspath(cache)}


def create(*components, env=None, code=0, options=(), **run):
    named = [part for name in components for part in ("--driver", name)]
    result = osiris("bundle", "create", "--json", *named, *options, env={**environment(), **(env or {})}, **run)
    assert_equal(result.code, code, "exit code", result)
    return result.json()


def unpacked(bundle, folder):
    with tarfile.open(bundle) as archive:
        archive.extractall(folder)
    return pathlib.Path(folder)


def in_namespaces(root, command, variables, *more):
    """Runs a command in a root of its own, with /dev/null and nothing else that the root does not have."""
    null = root / "dev" / "null"
    null.parent.mkdir(exist_ok=True)
    null.touch()
    chroot = shutil.which("chroot", path="/usr/sbin:/sbin:/usr/bin:/bin")
    script = 'mount --bind /dev/null "$1/dev/null" && shift && exec env -i "$@"'
    words = [*(f"{name}={value}" for name, value in variables.items()), chroot, root, *command]
    return subprocess.run(["unshare", "--user", "--map-root-user", "--mount", *more, "sh", "-c", script, "sh", root, *words],
                          capture_output=True, text=True)


def need_namespaces():
    if SANITIZED:
        raise Skip("sanitizers need /proc")
    tried = subprocess.run(["unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
                            "touch null && mount --bind /dev/null null"], capture_output=True, text=True)
    if tried.returncode != 0:
        raise Skip(f"no namespaces here: {tried.stderr.strip()}")


def started(description, bundle, *arguments):
    command = [word.replace("{bundle}", bundle) for word in description["command"]]
    variables = {name: value.replace("{bundle}", bundle) for name, value in description["environment"].items()}
    return [*command, *arguments], variables


def check_descriptions(text):
    described = json.loads(text)
    assert_equal([entry.get("error") for entry in described], [None] * len(OWN), "errors", text)
    assert_equal([driver["name"] for entry in described for driver in entry["drivers"]], OWN, "drivers")


def drivers_of(description, bundle):
    return [f"{bundle}/{next(d['file'] for d in description['drivers'] if name in d['components'])}" for name in OWN]


@test
def test_the_worker_runs_in_an_empty_root(folder):
    need_namespaces()
    made = create(*OWN)
    root = folder / "root"
    unpacked(made["path"], root / "b")
    command, variables = started(made["bundle"], "/b", "--version")
    result = in_namespaces(root, command, variables)
    assert_equal((result.returncode, result.stderr), (0, ""), "end", result)
    assert_in("osiris-worker ", result.stdout)
    command, variables = started(made["bundle"], "/b", "--describe", *drivers_of(made["bundle"], "/b"))
    result = in_namespaces(root, command, variables)
    assert_equal((result.returncode, result.stderr), (0, ""), "end", result)
    check_descriptions(result.stdout)


def worker_in_empty_root(folder, made):
    """The environment of an osiris whose workers run in folder/root, where there is nothing but the bundle and /dev/null."""
    # Paths of drivers are the same here and there.
    unpacked(made["path"], "b")
    root = folder / "root"
    unpacked(made["path"], f"{root}/{folder}/b")
    write(root / "dev/null", "")
    command, variables = started(made["bundle"], f"{folder}/b")
    words = " ".join([*(f"{name}={value}" for name, value in variables.items()), "chroot", str(root), *command])
    inner = f'mount --bind /dev/null {root}/dev/null && exec env -i PATH="$PATH" {words} "$@"'
    write("worker", f"#!/bin/sh\nPATH={os.environ['PATH']}:/usr/sbin\n"
          f"exec unshare --user --map-root-user --mount sh -c '{inner}' sh \"$@\"\n")
    os.chmod("worker", 0o755)
    return {**environment(drivers=f"{folder}/b/drivers"), "OSIRIS_WORKER": f"{folder}/worker"}


def check_run_in_empty_root(folder, made, extract, env):
    """The table is what it is without."""
    for path, more in (("/table.csv", worker_in_empty_root(folder, made)), ("table.csv", {})):
        pipeline(extract, step("save", "csv.writer", "write", path=path))
        result = osiris("run", "pipeline.yaml", env={**env, **more})
        assert_equal(result.code, 0, "exit code", result)
    assert (folder / "root/table.csv").read_bytes() == pathlib.Path("table.csv").read_bytes()


@test
def test_a_run_in_an_empty_root(folder):
    """Not only questions: osiris starts its worker there."""
    need_namespaces()
    env = environment(drivers=f"{plugin('generate').parent}:{DRIVERS}")
    made = create("test.generate", "csv.writer", env=env)
    check_run_in_empty_root(folder, made, step("make", "test.generate", "read", rows=50000), env)


@test
def test_a_table_of_mysql_in_an_empty_root(folder):
    """As a user whom only a plug-in of libmariadb can authenticate."""
    need_namespaces()
    if not HAS_MYSQL:
        raise Skip("osiris was built without mysql")
    server, base = SOURCE / "scripts" / "mariadb-private", tempfile.mkdtemp(prefix="osm.")
    try:
        if subprocess.run([server, "start", base, "--plugin-load-add=auth_ed25519"], stdout=subprocess.DEVNULL).returncode != 0:
            raise Skip("no MariaDB server with the plug-in auth_ed25519")
        subprocess.run([server, "fill", base, "5000"], check=True, stdout=subprocess.DEVNULL)
        values = dict(line.removeprefix("export ").split("=", 1) for line in read(f"{base}/mariadb.env").splitlines())
        values = {name: value.strip("'\"") for name, value in values.items()}
        subprocess.run(["mariadb", "--no-defaults", "-S", values["MYSQL_SOCKET"], "-u", values["MYSQL_USER"], "-e",
                        "CREATE USER ed@'%' IDENTIFIED VIA ed25519 USING PASSWORD('of ed'); GRANT ALL ON *.* TO ed@'%'"],
                       env={**os.environ, "MYSQL_PWD": values["MYSQL_PASSWORD"]}, check=True)
        shop = {"host": values["MYSQL_HOST"], "port": int(values["MYSQL_PORT"]), "database": values["MYSQL_DATABASE"], "user": "ed",
                "password": "${ED}"}
        write("osiris_connections.yaml", json.dumps({"version": 1, "connections": {"mysql": {"shop": shop}}}))
        extract = step("read", "mysql.extractor", "read", connection="@mysql.shop", query="SELECT * FROM orders ORDER BY id")
        check_run_in_empty_root(folder, create(*OWN), extract, {**environment(), "ED": "of ed"})
        # Nothing of this machine helped: where the variable leads nowhere, the plug-in is missing.
        script = read("worker")
        write("worker", script.replace("/runtime/mysql/plugin", "/nowhere"))
        result = osiris("run", "pipeline.yaml", env={**environment(drivers=f"{folder}/b/drivers"), "OSIRIS_WORKER": f"{folder}/worker",
                                                     "ED": "of ed"})
        assert_equal(result.code, 1, "exit code", result)
        assert_in("client_ed25519", result.err)
    finally:
        subprocess.run([server, "stop", base], stdout=subprocess.DEVNULL, check=False)
        shutil.rmtree(base, ignore_errors=True)


@test
def test_a_shell_and_tar_are_enough_in_the_place(folder):
    """busybox alone, no libc: it unpacks the bundle and starts it, whatever is in the environment."""
    need_namespaces()
    if not BUSYBOX or b"interp" in subprocess.run(["readelf", "-S", BUSYBOX], capture_output=True).stdout:
        raise Skip("there is no busybox that is linked statically (Debian: busybox-static)")
    made = create(*OWN)
    root = folder / "root"
    (root / "bin").mkdir(parents=True)
    shutil.copy(BUSYBOX, root / "bin" / "busybox")
    for name in ("sh", "tar", "gzip", "mkdir"):
        (root / "bin" / name).symlink_to("busybox")
    shutil.copy(made["path"], root / "bundle.tar.gz")
    write(root / "place.sh", "export LD_PRELOAD=/nowhere.so LD_LIBRARY_PATH=/lib bundle=x name=y FOO='a\nexport b'\n"
          "mkdir -p /b && tar xzf /bundle.tar.gz -C /b || exit 1\n"
          "/b/run --version && cd /b && sh run --version && ./run --describe " + " ".join(drivers_of(made["bundle"], "/b")))
    result = in_namespaces(root, ["/bin/sh", "/place.sh"], {"PATH": "/bin"})
    assert_equal(result.returncode, 0, "exit code", result)
    assert_equal(result.stderr, "", "stderr")
    lines = result.stdout.split("\n", 2)
    assert_in("osiris-worker ", lines[0])
    assert_in("osiris-worker ", lines[1])
    check_descriptions(lines[2])


@test
def test_the_environment_of_the_place_does_not_matter(folder):
    """A library that ends the worker, and no other program, wherever the environment can name it."""
    if SANITIZED:
        raise Skip("the sanitizers' library must be the first one")
    source = ("#define _GNU_SOURCE\n#include <errno.h>\n#include <string.h>\n#include <unistd.h>\n"
              "__attribute__((constructor)) static void end(void)\n"
              "{ if (strstr(program_invocation_name, \"osiris-worker\") != NULL) _exit(66); }\n")
    for name in ("evil.so", "libjson-c.so.5", "libnettle.so.8", "libgcc_s.so.1"):
        compile_library(name, source, folder="evil")
    made = create(*OWN)
    unpacked(made["path"], "b")
    evil = {"PATH": os.environ["PATH"], "LD_PRELOAD": f"{folder}/evil/evil.so"}
    worker = os.environ.get("OSIRIS_WORKER", str(BUILD / "osiris-worker"))
    assert_equal(subprocess.run([worker, "--version"], env=evil).returncode, 66, "exit code of the installed worker")
    evil.update({"LD_LIBRARY_PATH": f"{folder}/evil", "LD_AUDIT": f"{folder}/evil/evil.so", "LD_BIND_NOW": "1", "GLIBC_TUNABLES": "x=1"})
    for shell in filter(None, map(shutil.which, ("dash", "bash", "sh"))):
        result = subprocess.run([shell, "b/run", "--version"], env=evil, capture_output=True, text=True)
        assert_equal((result.returncode, result.stdout.split(" ")[0]), (0, "osiris-worker"), f"end in {shell}", result)
    variables = subprocess.run(["sh", "-c", "exec sh b/run --version"], env={**evil, "LD_SHOW_AUXV": "1"}, capture_output=True, text=True)
    assert_equal(variables.returncode, 0, "exit code", variables)


LOOKS_UP = """
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
__attribute__((constructor)) static void look_up(void)
{
    const struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    FILE *result = fopen("/result", "w");
    if (result != NULL)
        fprintf(result, "%d", getaddrinfo(NAME, "80", &hints, &found));
    if (result != NULL)
        fclose(result);
}
"""


@test
def test_modules_of_the_place_look_nothing_up(folder):
    """The place's nsswitch.conf names one, which lies where every dynamic loader looks."""
    need_namespaces()
    root = folder / "root"
    os.makedirs(root / "usr/lib")
    module = compile_library("libnss_foreign.so.2", "#include <fcntl.h>\n__attribute__((constructor)) static void loaded(void)\n"
                             "{ open(\"/loaded\", O_CREAT | O_WRONLY, 0600); }\n", folder="root/lib")
    shutil.copy(module, root / "usr/lib")
    write(root / "etc/nsswitch.conf", "hosts: foreign files\n")
    write(root / "etc/hosts", "127.0.0.1 place.test\n")
    driver('-DNAME="place.test"', source=write("acme.c", read(TEMPLATE) + LOOKS_UP))
    made = create("acme.counter", env=environment(drivers=folder / "drivers"))
    unpacked(made["path"], root / "b")
    command, variables = started(made["bundle"], "/b", "--describe", "/b/drivers/acme.so")
    for restricted in (False, True):
        if not restricted:
            without = {name: value for name, value in variables.items() if name != "OSIRIS_BUNDLE"}
        result = in_namespaces(root, command, variables if restricted else without)
        assert_equal((result.returncode, read(root / "result")), (0, "0"), "the lookup", result)
        assert_equal((root / "loaded").exists(), not restricted, "the foreign module was loaded", result)
        (root / "loaded").unlink(missing_ok=True)


@test
def test_localhost_is_known_in_an_empty_root(folder):
    need_namespaces()
    driver('-DNAME="LocalHost"', source=write("acme.c", read(TEMPLATE) + LOOKS_UP))
    made = create("acme.counter", env=environment(drivers=folder / "drivers"))
    root = folder / "root"
    unpacked(made["path"], root / "b")
    command, variables = started(made["bundle"], "/b", "--describe", "/b/drivers/acme.so")
    result = in_namespaces(root, command, variables)
    assert_equal((result.returncode, read(root / "result")), (0, "0"), "the lookup", result)
    # A hosts file has the last word.
    write(root / "etc/hosts", "127.0.0.1 other\n")
    write(root / "etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    result = in_namespaces(root, command, variables, "--net")
    assert result.returncode == 0 and read(root / "result") != "0", result


@test
def test_every_byte_is_the_same_whatever_is_around(folder):
    first = create(*OWN, env=environment("one"))
    os.makedirs("elsewhere/deep")
    second = create(*reversed(OWN), *OWN, env={**environment("two"), "TZ": "Asia/Tokyo", "LANG": "C.UTF-8"}, cwd="elsewhere/deep",
                    umask=0o077)
    assert_equal(first["sha256"], second["sha256"], "hash")
    assert first["path"] != second["path"]
    assert pathlib.Path(first["path"]).read_bytes() == pathlib.Path(second["path"]).read_bytes()
    assert_equal(first["created"], True, "created")
    again = create(*OWN, env=environment("one"))
    assert_equal((again["created"], again["path"], again["size"]), (False, first["path"], first["size"]), "again")
    # The name is the content's hash, and tar shows nothing of this machine.
    tar = gzip.decompress(pathlib.Path(first["path"]).read_bytes())
    assert_equal(hashlib.sha256(tar).hexdigest(), first["sha256"], "hash of the tar file")
    assert_equal(pathlib.Path(first["path"]).name, first["sha256"] + ".tar.gz", "name")
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        members = archive.getmembers()
    assert_equal({(m.uid, m.gid, m.uname, m.gname, m.mtime) for m in members}, {(0, 0, "", "", 315532800)}, "owners and times")
    assert_equal({m.mode for m in members}, {0o755, 0o644}, "modes")
    assert_equal([m.name for m in members if m.isfile()], sorted(m.name for m in members if m.isfile()), "order")


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
def test_verify_finds_any_damage(folder):
    made = create("csv.writer", options=("--output", "b.tar.gz"))
    good = pathlib.Path("b.tar.gz").read_bytes()
    assert_equal(osiris("bundle", "verify", "b.tar.gz", "--json").json()["sha256"], made["sha256"], "hash")
    ends = list(range(0, 24)) + list(range(len(good) - 24, len(good)))
    inside = list(range(100, len(good), len(good) // 60))
    for at in ends + inside:
        pathlib.Path("bad.tar.gz").write_bytes(good[:at] + bytes([good[at] ^ 0xff]) + good[at + 1:])
        result = osiris("bundle", "verify", "bad.tar.gz")
        assert_equal(result.code, 1, f"exit code with byte {at} of {len(good)} changed", result)
        assert_in('"bad.tar.gz": it is damaged', result.err)
    for content in (b"", good[:-1], good + b"\0", good[: len(good) // 2], b"not a bundle" * 100):
        pathlib.Path("bad.tar.gz").write_bytes(content)
        assert_equal(osiris("bundle", "verify", "bad.tar.gz").code, 1, f"exit code of {len(content)} bytes")
    # Packed again with another file inside: the description finds it, or the name.
    tar = gzip.decompress(good)
    at = tar.index(b"\x7fELF") + 100
    pathlib.Path("bad.tar.gz").write_bytes(packed(tar[:at] + bytes([tar[at] ^ 1]) + tar[at + 1:]))
    assert_in('"bin/osiris-worker" is not what its description says', osiris("bundle", "verify", "bad.tar.gz").err)
    shutil.copy("b.tar.gz", "0" * 64 + ".tar.gz")
    assert_in("it is not what its name says", osiris("bundle", "verify", "0" * 64 + ".tar.gz").err)
    assert_in("No such file", osiris("bundle", "show", "nowhere").err)


def packed(tar):
    """As osiris packs it: gzip with an empty header, level 6."""
    import zlib
    stream = zlib.compressobj(6, zlib.DEFLATED, 31)
    return stream.compress(tar) + stream.flush()


@test
def test_tar_files_that_osiris_would_not_write_are_refused(folder):
    create("csv.writer", options=("--output", "b.tar.gz"))
    tar = gzip.decompress(pathlib.Path("b.tar.gz").read_bytes())
    for name, make in {
        "outside": lambda archive, member: setattr(member, "name", "../x"),
        "absolute": lambda archive, member: setattr(member, "name", "/etc/x"),
        "link": lambda archive, member: (setattr(member, "type", tarfile.SYMTYPE), setattr(member, "linkname", "/etc")),
        "owner": lambda archive, member: setattr(member, "uid", 7),
        "huge": lambda archive, member: None,
    }.items():
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            member = tarfile.TarInfo("a")
            member.mtime = 315532800
            make(archive, member)
            archive.addfile(member, io.BytesIO(b""))
        content = bytearray(out.getvalue())
        if name == "huge":
            content[124:136] = b"77777777777\0"
        pathlib.Path("bad.tar.gz").write_bytes(packed(bytes(content)))
        result = osiris("bundle", "verify", "bad.tar.gz")
        assert_equal(result.code, 1, f"exit code of {name}", result)
        assert_in("it is damaged, or no bundle", result.err)
    # One of 64 KiB that would become 2 GiB.
    pathlib.Path("bad.tar.gz").write_bytes(packed(tar[:512] + bytes(64 << 20)))
    assert_equal(osiris("bundle", "verify", "bad.tar.gz").code, 1, "exit code of zeros")


@test
def test_the_cache_is_bounded_and_trusts_no_half_written_file(folder):
    made = create("csv.writer")
    cache, good = pathlib.Path(made["path"]).parent, pathlib.Path(made["path"]).read_bytes()
    for content in (b"", good[:1000], good[:-1], good[:-8] + bytes(8), bytes(len(good))):
        pathlib.Path(made["path"]).write_bytes(content)
        again = create("csv.writer")
        assert_equal((again["created"], again["path"]), (True, made["path"]), f"with {len(content)} bytes in the cache")
        assert_equal(pathlib.Path(made["path"]).read_bytes(), good, "the bundle")
    # What a killed process has left is not used, and goes with the others.
    write(cache / "left.tar.gz.tmp", "half")
    os.utime(cache / "left.tar.gz.tmp", (0, 0))
    for number in range(30):
        name = cache / f"{number:064x}.tar.gz"
        name.write_bytes(b"x")
        os.utime(name, (1000 + number, 1000 + number))
    assert_equal(create("csv.writer")["created"], False, "created")
    other = create("test.generate", env=environment(drivers=plugin("generate").parent))
    left = sorted(path.name for path in cache.iterdir())
    expected = [pathlib.Path(made["path"]).name, pathlib.Path(other["path"]).name,
                *(f"{number:064x}.tar.gz" for number in range(16, 30))]
    assert_equal(left, sorted(expected), "what is kept")


@test
def test_without_a_cache_there_must_be_an_output(folder):
    nowhere = {"XDG_CACHE_HOME": "", "HOME": ""}
    refused = create("csv.writer", env=nowhere, code=1)
    assert_in("no cache folder", refused["message"])
    made = create("csv.writer", env=nowhere, options=("--output", "b.tar.gz"))
    assert_equal(osiris("bundle", "verify", "b.tar.gz").code, 0, "exit code")
    assert_equal(made["sha256"], create("csv.writer")["sha256"], "hash")
    refused = create("csv.writer", code=1, options=("--output", "no/such/folder/b.tar.gz"))
    assert_in('"no/such/folder/b.tar.gz"', refused["message"])


def compile_library(name, source, *flags, folder="libraries"):
    os.makedirs(folder, exist_ok=True)
    path = f"{os.getcwd()}/{folder}/{name}"
    write("source.c", source)
    subprocess.run(["cc", "-shared", "-fPIC", "source.c", "-o", path, *flags], check=True)
    return path


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


def driver(*flags, source=TEMPLATE):
    """The template's, linked with something more."""
    os.makedirs("drivers", exist_ok=True)
    subprocess.run(["cc", "-shared", "-fPIC", f"-I{SOURCE}/include", source, f"{BUILD}/libosiris-kit.a", "-Wl,--no-as-needed",
                    *flags, "-o", "drivers/acme.so"], check=True)


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
