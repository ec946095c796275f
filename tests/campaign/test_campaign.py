#!/usr/bin/env python3
"""The short form of the fault campaign (campaign.py), a part a test. OSIRIS_CAMPAIGN_SECONDS is how long each may take,
OSIRIS_CAMPAIGN_SEED decides what happens."""

import os

import campaign
from tap import main, test

SECONDS = float(os.environ.get("OSIRIS_CAMPAIGN_SECONDS", "12"))
SEED = os.environ.get("OSIRIS_CAMPAIGN_SEED", "1")


def run(part):
    done = campaign.run_part(part, SECONDS, SEED)
    for what, count in sorted(done.counts.items()):
        print(f"# {part}: {count} {what}", flush=True)
    assert not done.violations, f"{len(done.violations)} violations in {done.rounds} rounds"


for name in campaign.PARTS:
    function = test(lambda folder, part=name: run(part))
    function.__name__ = f"test_{name}"

if __name__ == "__main__":
    main(campaign.adopt_orphans)
