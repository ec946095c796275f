"""A second client library: scripts/second-libmariadb has fetched it to the folder that OSIRIS_TEST_LIBMARIADB names, as
scripts/test has it do."""

import os
import pathlib

from private import Private  # noqa: F401, which finds tap

from tap import BUILD, Skip, write  # noqa: E402


def library():
    """Its folder."""
    name = os.environ.get("OSIRIS_TEST_LIBMARIADB")
    if not name:
        raise Skip("OSIRIS_TEST_LIBMARIADB names no folder that scripts/second-libmariadb has made")
    reason = pathlib.Path(name + ".reason")
    if not pathlib.Path(name, "libmariadb.so.3").exists():
        raise Skip(f"there is no second libmariadb: {reason.read_text().strip() if reason.exists() else name}")
    return pathlib.Path(name).resolve()


def worker_with(path, **variables):
    """A worker with these variables in its environment, which else is empty. A script, whose name goes into OSIRIS_WORKER."""
    worker = os.environ.get("OSIRIS_WORKER", str(BUILD / "osiris-worker"))
    text = "".join(f"{name}='{value}'\nexport {name}\n" for name, value in variables.items())
    write(path, f"#!/bin/sh\n{text}exec '{worker}' \"$@\"\n").chmod(0o700)
    return str(pathlib.Path(path).resolve())
