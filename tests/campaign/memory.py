"""Memory that is lacking: the n-th allocation of osiris or its worker fails, of all or of the large ones (tests/plugins/starve.c);
and both have so little address space that many fail."""

import itertools
import pathlib
import resource
import subprocess

from project import BUILD, WORKER, Project, Result, Violation
from tap import SANITIZED, Skip, step, write

PRELOAD = BUILD / "tests/plugins/preload/.libs/starve.so"
PROGRAMS = {"osiris": "osiris", "worker": pathlib.Path(WORKER).name}
LARGE = 64 << 10  # MEMORY_SMALL of core/base/memory.h: what is smaller ends the process
LEAST, SPACES, SPACE_STEP = 12 << 20, 600, 64 << 10  # of address space, from too little to load the programs with


def small_project():
    """A stream with two readers, and one between places."""
    there = {"run_on": "other"}
    steps = [step("make", "test.generate", "read", rows=300, batch_rows=100),
             step("a", "test.pass", "transform", inputs={"df": "${make.df}"}),
             step("b", "test.pass", "transform", inputs={"df": "${make.df}"}),
             step("save", "csv.writer", "write", inputs={"df": "${a.df}"}, path="out.csv"),
             {**step("too", "csv.writer", "write", inputs={"df": "${b.df}"}, path="new/too.csv", create_dirs=True), **there}]
    return begin(Project(steps=steps))


def large_project():
    """Large batches between places, and a large secret."""
    steps = [step("make", "test.generate", "read", rows=3000, batch_rows=1000, row_bytes=700, connection="@test.it"),
             {**step("save", "csv.writer", "write", path="out.csv"), "run_on": "other"}]
    project = Project(steps=steps)
    write(project.folder / "osiris_connections.yaml", "connections: {test: {it: {password: '%s'}}}\n" % ("long " * 40000))
    return begin(project)


def begin(project):
    write(project.folder / "osiris.yaml", "adapters: {other: {adapter: local}}\n")
    project.own |= {"osiris.yaml", "osiris_connections.yaml", "count", "trace", "worker"}
    project.learn()
    return project


def run_starved(project, program, at, smallest=0):
    """The result, and how many allocations there were."""
    count, trace, wrapper = (project.folder / name for name in ("count", "trace", "worker"))
    count.write_bytes(bytes(8))
    trace.unlink(missing_ok=True)
    env = {"LD_PRELOAD": str(PRELOAD), "STARVE_PROGRAM": PROGRAMS[program], "STARVE_AT": str(at), "STARVE_COUNT": str(count),
           "STARVE_TRACE": str(trace), "STARVE_SMALLEST": str(smallest)}
    if program == "worker":
        # Its environment is empty when osiris starts it.
        words = " ".join(f"{name}='{value}'" for name, value in env.items())
        wrapper.write_text(f"#!/bin/sh\nexec env {words} '{WORKER}' \"$@\"\n")
        wrapper.chmod(0o755)
        env = {"OSIRIS_WORKER": str(wrapper)}
    result = project.run(**env)
    if trace.exists():
        result.err += f"\n--- where it failed\n{trace.read_text()}"
    return result, int.from_bytes(count.read_bytes(), "little")


def check(campaign, project, result):
    """An osiris without memory ends at once, as one that is killed: the next run says so in its records."""
    exhausted = any(line == "osiris: out of memory" for line in result.err.splitlines())
    if exhausted and result.code == 0:
        raise Violation(f"success without memory\n{result}")
    if any(name in result.err for name in ("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "signal 11")):
        raise Violation(f"a worker was ended by a signal\n{result}")
    if result.code != 0 and not result.err.strip():
        raise Violation(f"a failure without a word\n{result}")
    code = None if exhausted and result.code == 1 else result.code
    project.check(Result(code, result.out, result.err), killed=exhausted)
    campaign.count("survived" if result.code == 0 else "osiris ended" if exhausted else "failed")


def failing_allocations(campaign, projects):
    cases = [(project, program, smallest) for project, smallest in projects for program in PROGRAMS]
    kinds = []
    for project, program, smallest in cases:
        result, count = run_starved(project, program, 0, smallest)
        if result.code != 0:
            raise Violation(f"a run whose allocations are counted only fails: {result}")
        project.clear()
        numbers = list(range(1, count + 1))
        campaign.random.shuffle(numbers)
        kinds.append([(project, program, smallest, n) for n in numbers])
    for row in itertools.zip_longest(*kinds):
        yield from (case for case in row if case)


def with_little_space(campaign, project, space):
    with campaign.round(f"{space >> 10} KiB of address space", project):
        limited = subprocess.run(project.command(), cwd=project.folder, env=project.base, stdin=subprocess.DEVNULL, text=True,
                                 errors="replace", capture_output=True, timeout=90, check=False,
                                 preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (space, space)))
        check(campaign, project, Result(limited.returncode, limited.stdout, limited.stderr))


def rounds(campaign):
    if SANITIZED:
        raise Skip("a sanitizer's library wants to be loaded first")
    projects = [(small_project(), 0), (large_project(), LARGE)]
    spaces = [LEAST + number * SPACE_STEP for number in range(SPACES)]
    campaign.random.shuffle(spaces)
    try:
        for number, (project, program, smallest, n) in enumerate(failing_allocations(campaign, projects)):
            with campaign.round(f"{program}: allocation {n}{' of the large ones' if smallest else ''} fails", project):
                check(campaign, project, run_starved(project, program, n, smallest)[0])
            yield
            if number % 8 == 7 and spaces:
                with_little_space(campaign, projects[number // 8 % 2][0], spaces.pop())
                yield
    finally:
        for project, _ in projects:
            project.remove()
