"""Good files in which one node is another than it should be: each is refused in words, or does no harm. Every node of the tree is
replaced by every kind of value, so whatever reads a file meets each kind of value in each place."""

import copy
import json
import os
from concurrent.futures import ThreadPoolExecutor

from tap import SANITIZED, main, osiris, test, write

# What stands in the place of a node; MISSING: its key or item is gone.
MISSING = object()
WRONG = [MISSING, None, 7, "", "x", "@", "${params.", [], [None], {}, {"": None}, {"x": [{}]}, True]

PIPELINE = {
    "oml_version": "0.1.0", "name": "good", "metadata": {"owner": "me"},
    "params": {"what": {"type": "string", "default": "plain"}, "rows": 5},
    "profiles": {"prod": {"params": {"rows": 9}}},
    "steps": [
        {"id": "make", "component": "asked.extractor", "mode": "read", "timeout": {"step_ms": 9000, "total_ms": 99000},
         "retry": {"max_attempts": 2, "initial_delay_ms": 0}, "config": {"connection": "@asked.shop", "what": "${params.what}"}},
        {"id": "more", "uses": "asked.extractor", "mode": "read", "with": {"connection": "@asked", "what": "x"}, "needs": []},
        {"id": "through", "component": "test.pass", "mode": "transform", "run_on": "here", "needs": ["make", "more"],
         "inputs": {"df": "${make.df}", "more": "${more.df}"}, "config": {}},
        {"id": "save", "component": "csv.writer", "mode": "write", "needs": ["through"], "config": {"path": "out.csv"}},
    ],
}
CONNECTIONS = {
    "version": 1,
    "connections": {"asked": {"shop": {"how": "answer", "token": "${TOKEN}", "default": True}, "old": {"how": "answer"}}},
}
PLACES = {"adapters": {"here": {"adapter": "local"}, "there": {"adapter": "local", "x": [1]}}}


def places_in(node, path=()):
    """The paths of all nodes below one, each a tuple of keys and indices."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from places_in(inner, (*path, key))


def replaced(document, path, value):
    document = copy.deepcopy(document)
    inner = document
    for key in path[:-1]:
        inner = inner[key]
    if value is MISSING:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return document


def look(folder, number, command, pipeline, connections, places):
    """How one command takes files; what is wrong with that, or None."""
    place = folder / str(number)
    for name, document in (("pipeline.yaml", pipeline), ("osiris_connections.yaml", connections), ("osiris.yaml", places)):
        write(place / name, json.dumps(document, indent=1))
    result = osiris(*command, env={"TOKEN": "sesame", "OSIRIS_HOME": str(place)}, cwd=place)
    words = "osiris" in result.err or "error" in result.err or "error" in result.out
    right = result.code == 0 or (result.code in (1, 2) and words)
    return None if right and "Sanitizer" not in result.err and "runtime error" not in result.err else result


def look_at_all(folder, cases):
    """`cases`: (command, path, value, the three documents)."""
    with ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        seen = pool.map(lambda case: look(folder, case[0], case[1][0], *case[1][3:]), enumerate(cases))
        for (command, path, value, *_), result in zip(cases, seen):
            assert result is None, f"{command}: {path} is {'missing' if value is MISSING else repr(value)}: {result}"


def cases_of(documents, which, command, values=WRONG):
    """Each node of one of the documents being each of the values."""
    for path in places_in(documents[which]):
        for value in values:
            yield (command, path, value, *(replaced(d, path, value) if i == which else d for i, d in enumerate(documents)))


GOOD = (PIPELINE, CONNECTIONS, PLACES)
# Sanitizers make it ten times as slow.
FEW = [MISSING, None, 7, [], {}] if SANITIZED else WRONG


@test
def test_the_files_are_good(folder):
    for command in (("validate", "pipeline.yaml"), ("compile", "pipeline.yaml"), ("run", "--dry-run", "pipeline.yaml"),
                    ("connections", "list"), ("connections", "doctor")):
        assert look(folder, "good", command, *GOOD) is None, command
        result = osiris(*command, env={"TOKEN": "sesame"}, cwd=folder / "good")
        assert result.code == 0, f"{command}: {result}"


@test
def test_pipelines(folder):
    for command in ("validate", "compile"):
        look_at_all(folder, list(cases_of(GOOD, 0, (command, "pipeline.yaml"), FEW)))


@test
def test_pipelines_that_are_run(folder):
    look_at_all(folder, list(cases_of(GOOD, 0, ("run", "--dry-run", "--profile", "prod", "pipeline.yaml"), [MISSING, None, [], {}])))


@test
def test_connections(folder):
    for command in (("validate", "pipeline.yaml"), ("connections", "list"), ("connections", "doctor")):
        look_at_all(folder, list(cases_of(GOOD, 1, command, FEW)))


@test
def test_places(folder):
    for command in (("validate", "pipeline.yaml"), ("run", "--dry-run", "--adapter", "there", "pipeline.yaml")):
        look_at_all(folder, list(cases_of(GOOD, 2, command, FEW)))


@test
def test_whole_documents(folder):
    cases = [(("validate", "pipeline.yaml"), (), value, *(value if i == which else d for i, d in enumerate(GOOD)))
             for which in range(3) for value in WRONG if value is not MISSING]
    look_at_all(folder, cases)


main()
