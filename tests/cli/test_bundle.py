"""Bundles: that they run where nothing else is, that the same inputs give the same bytes, damage, and the cache."""

import gzip
import hashlib
import io
import json
import os
import pathlib
import shutil
import subprocess
import tarfile
import tempfile

from bundles import (BUSYBOX, DRIVERS, HAS_MYSQL, OWN, TEMPLATE, plugin, environment, create, unpacked, need_namespaces,
                     in_namespaces, started, drivers_of, compile_library, driver)
from tap import (BUILD, SANITIZED, SOURCE, Skip, assert_equal, assert_in, main, osiris, pipeline, read, step, test, write)


def check_descriptions(text):
    described = json.loads(text)
    assert_equal([entry.get("error") for entry in described], [None] * len(OWN), "errors", text)
    assert_equal([driver["name"] for entry in described for driver in entry["drivers"]], OWN, "drivers")


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
    # Nor need a cache be writable; without an output it must be.
    write("file", "")
    blocked = {"XDG_CACHE_HOME": f"{folder}/file"}
    assert_equal(create("csv.writer", env=blocked, options=("--output", "c.tar.gz"))["sha256"], made["sha256"], "hash")
    assert pathlib.Path("b.tar.gz").read_bytes() == pathlib.Path("c.tar.gz").read_bytes()
    assert_in("Not a directory", create("csv.writer", env=blocked, code=1)["message"])
    refused = create("csv.writer", code=1, options=("--output", "no/such/folder/b.tar.gz"))
    assert_in('"no/such/folder/b.tar.gz"', refused["message"])


if __name__ == "__main__":
    main()
