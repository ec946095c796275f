"""Signals to osiris, to its worker or to both, at random moments of a run."""

import os
import signal
import time

from project import Project, processes

WHOM = ("osiris", "worker", "both")
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


def worker_of(process):
    return [pid for pid, entry in processes(process.pid).items() if "osiris-worker" in entry[3] and entry[1] == pid]


def strike(process, whom, number):
    victims = [] if whom == "osiris" else worker_of(process)
    if whom != "worker":
        victims.insert(0, process.pid)
    for pid in victims:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass
    return bool(victims)


def rounds(campaign):
    project = Project()
    seconds = project.learn()
    try:
        while True:
            whom, number = campaign.random.choice(WHOM), campaign.random.choice(SIGNALS)
            delay = campaign.random.uniform(0, 1.2 * seconds)
            name = signal.Signals(number).name
            with campaign.round(f"{name} of {whom} after {delay * 1000:.0f} ms", project):
                process = project.start()
                time.sleep(delay)
                hit = strike(process, whom, number)
                result = project.finish(process)
                killed = whom != "worker" and result.code in (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT)
                found = project.check(result, killed=killed)
                campaign.count(f"{whom}: " + ("there was none" if not hit else
                                              "success" if result.code == 0 else "failed, with outputs" if found else "failed"))
            yield
    finally:
        project.remove()
