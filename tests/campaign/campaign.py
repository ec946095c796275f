#!/usr/bin/env python3
"""The fault campaign: real runs to which something happens, again and again, and what must be true of each.

    make fault-campaign [CAMPAIGN_FLAGS="--seconds 600 --seed 7 --only kills"]

Exit code 0 only with all outputs there, byte for byte; otherwise each output whole, or not there; no processes, no hang; status.json
says what the exit code says; records are whole lines of JSON; the next run succeeds, and nothing of the one before is left. The seed
decides what happens, not when the machine gets to it. Counts at the end; exit code 1 at any violation, whose folder is kept."""

import argparse
import contextlib
import importlib
import os
import pathlib
import random
import sys
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from project import Violation, adopt_orphans  # noqa: E402
from tap import Skip  # noqa: E402

# Each a module with `rounds(campaign)`, a generator that yields behind each round (campaign.round) and counts how it went
# (campaign.count). One that ends has been through all there is; one that raises Skip cannot run here.
PARTS = ("kills", "calls", "disks", "cuts", "memory")


class Campaign:
    def __init__(self, part, seed):
        self.part, self.random = part, random.Random(f"{seed}/{part}")
        self.rounds, self.counts, self.violations = 0, {}, []

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    def violate(self, text):
        self.violations.append(text)
        print(f"{self.part}: VIOLATION: {text}", flush=True)

    @contextlib.contextmanager
    def round(self, what, project):
        """One thing that happens to one run of the project, which is as before behind it."""
        self.rounds += 1
        try:
            yield
        except Violation as violation:
            self.violate(f"{what}: {violation}")
            self.keep(project)
        except Exception:  # noqa: BLE001: the campaign goes on
            self.violate(f"{what}: {traceback.format_exc()}")
            self.keep(project)
        project.clear()

    @staticmethod
    def keep(project):
        kept = project.folder.with_name(f"{project.folder.name}.{time.monotonic_ns()}")
        os.system(f"cp -a '{project.folder}' '{kept}'")
        print(f"kept: {kept}", flush=True)


def run_part(part, seconds, seed):
    campaign = Campaign(part, seed)
    end = time.monotonic() + seconds
    rounds = importlib.import_module(part).rounds(campaign)
    complete = False
    try:
        with contextlib.closing(rounds):
            while time.monotonic() < end and len(campaign.violations) < 20:
                if next(rounds, rounds) is rounds:
                    complete = True
                    break
    except Skip as reason:
        campaign.count(f"left out: {reason}")
    except Violation as violation:
        campaign.violate(str(violation))
    if complete:
        campaign.count("all there is")
    return campaign


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300, help="for all parts together")
    parser.add_argument("--seed", default=str(int.from_bytes(os.urandom(4), "big")))
    parser.add_argument("--only", action="append", choices=PARTS, metavar="NAME", help=f"one of {', '.join(PARTS)}; may be repeated")
    options = parser.parse_args()
    parts = options.only or PARTS
    adopt_orphans()
    print(f"fault campaign: {', '.join(parts)}; {options.seconds:.0f} s; --seed {options.seed}", flush=True)
    done = [run_part(part, options.seconds / len(parts), options.seed) for part in parts]
    for campaign in done:
        print(f"{campaign.part}: {campaign.rounds} rounds, {len(campaign.violations)} violations")
        for what, count in sorted(campaign.counts.items()):
            print(f"    {count:6}  {what}")
    return 1 if any(campaign.violations for campaign in done) else 0


if __name__ == "__main__":
    sys.exit(main())
