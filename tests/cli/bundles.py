"""What the tests of bundles share: making, unpacking and starting them, roots with nothing else, drivers that are made for a test."""

import os
import pathlib
import shutil
import subprocess
import tarfile

from tap import (BUILD, SANITIZED, SOURCE, Skip, assert_equal, osiris, write)


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


def need_namespaces():
    if SANITIZED:
        raise Skip("sanitizers need /proc")
    tried = subprocess.run(["unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
                            "touch null && mount --bind /dev/null null"], capture_output=True, text=True)
    if tried.returncode != 0:
        raise Skip(f"no namespaces here: {tried.stderr.strip()}")


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


def started(description, bundle, *arguments):
    command = [word.replace("{bundle}", bundle) for word in description["command"]]
    variables = {name: value.replace("{bundle}", bundle) for name, value in description["environment"].items()}
    return [*command, *arguments], variables


def drivers_of(description, bundle):
    return [f"{bundle}/{next(d['file'] for d in description['drivers'] if name in d['components'])}" for name in OWN]


def compile_library(name, source, *flags, folder="libraries"):
    os.makedirs(folder, exist_ok=True)
    path = f"{os.getcwd()}/{folder}/{name}"
    write("source.c", source)
    subprocess.run(["cc", "-shared", "-fPIC", "source.c", "-o", path, *flags], check=True)
    return path


def driver(*flags, source=TEMPLATE):
    """The template's, linked with something more."""
    os.makedirs("drivers", exist_ok=True)
    subprocess.run(["cc", "-shared", "-fPIC", f"-I{SOURCE}/include", source, f"{BUILD}/libosiris-kit.a", "-Wl,--no-as-needed",
                    *flags, "-o", "drivers/acme.so"], check=True)
