#!/usr/bin/env python3
"""How fast data passes between home and a place over a link with a delay.

    make check TESTS= && bench/links.py [--megabytes N] [--round-trip MS]… [--repeat N]

in the build folder (or top_builddir=FOLDER). Batches of 1 MiB go to a place and come from one; the adapter is tests/plugins/relayed.c, a
thread that joins two pipes to the worker's socket and delays every byte by half of the round trip, so nothing of the machine's network
matters. Each case runs as a channel that is not remote (a window of 1 MiB) and as a remote one (a window that follows the round trip,
compression as the link is worth). The time is that of the reading step; the best of all repetitions counts."""

import argparse
import json
import os
import pathlib
import subprocess
import tempfile

BUILD = pathlib.Path(os.environ.get("top_builddir", os.getcwd())).resolve()


def environment():
    drivers, adapters = f"{BUILD}/.libs:{BUILD}/tests/plugins/.libs", f"{BUILD}/.libs:{BUILD}/tests/plugins/adapters/.libs"
    return {**os.environ, "OSIRIS_WORKER": f"{BUILD}/osiris-worker", "OSIRIS_DRIVER_PATH": drivers,
            "OSIRIS_ADAPTER_PATH": adapters, "OSIRIS_ADAPTER_DIR": f"{BUILD}/.libs"}


def write_pipeline(megabytes, to_place):
    here, there = ("local", "there") if to_place else ("there", "local")
    pathlib.Path("pipeline.yaml").write_text(json.dumps({"oml_version": "0.1.0", "name": "links", "steps": [
        {"id": "make", "component": "test.generate", "mode": "read", "run_on": here,
         "config": {"rows": megabytes * 1000, "batch_rows": 1000, "row_bytes": 1024}},
        {"id": "take", "component": "test.collect", "mode": "write", "run_on": there, "needs": ["make"],
         "config": {"path": "out.txt"}}]}))


def measure():
    """Seconds of the reading step."""
    with tempfile.TemporaryDirectory() as out:
        done = subprocess.run([BUILD / "osiris", "run", "pipeline.yaml", "--out", f"{out}/run"], env=environment(),
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(done.stderr)
        lines = [json.loads(line) for line in pathlib.Path(out, "run", "events.jsonl").read_text().splitlines()]
    return next(line["duration_ms"] for line in lines if line["event"] == "step_complete" and line["step_id"] == "take") / 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=60)
    parser.add_argument("--round-trip", type=int, action="append", metavar="MS", help="0, 10 and 50 without any")
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    os.chdir(tempfile.mkdtemp())
    print(f"{arguments.megabytes} batches of 1 MiB, MiB/s\n{'round trip':>10}  {'direction':10}  {'not remote':>10}  {'remote':>10}")
    for trip in arguments.round_trip or (0, 10, 50):
        for to_place in True, False:
            write_pipeline(arguments.megabytes, to_place)
            speeds = []
            for remote in False, True:
                options = {"adapter": "relayed", "delay_ms": trip // 2, "remote": remote}
                pathlib.Path("osiris.yaml").write_text(json.dumps({"adapters": {"there": options}}))
                speeds.append(arguments.megabytes / min(measure() for _ in range(arguments.repeat)))
            print(f"{trip:7} ms  {'to it' if to_place else 'from it':10}  {speeds[0]:10.1f}  {speeds[1]:10.1f}", flush=True)


main()
