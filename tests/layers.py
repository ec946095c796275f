#!/usr/bin/env python3
"""Which folder may include which, and which files of a folder may call each other (TAP): the arrows of docs/architecture.md. What is
listed is allowed, nothing else."""

import os
import pathlib
import re
import sys

TOP = pathlib.Path(os.environ.get("top_srcdir", pathlib.Path(__file__).resolve().parents[1]))

CORE = {
    "core/base": set(),
    "core/arrow": {"core/base"},
    "core/wire": {"core/base", "core/arrow"},
    "core/plugin": {"core/base"},
    "core/output": {"core/base"},
}
ORCHESTRATOR = {
    "orchestrator/base": set(),
    "orchestrator/registry": {"orchestrator/base"},
    "orchestrator/bundle": {"orchestrator/base", "orchestrator/registry"},
    "orchestrator/oml": {"orchestrator/base", "orchestrator/registry"},
    "orchestrator/compile": {"orchestrator/base", "orchestrator/registry", "orchestrator/oml"},
    "orchestrator/records": {"orchestrator/base"},
    "orchestrator/adapter": {"orchestrator/base", "orchestrator/registry"},
    "orchestrator/files": set(),
    "orchestrator/session": {"orchestrator/base", "orchestrator/registry", "orchestrator/oml", "orchestrator/compile",
                             "orchestrator/records", "orchestrator/adapter", "orchestrator/files"},
}
# Drivers and plugins include what is installed, and their own folder.
ROOMS = {
    **CORE,
    **{room: others | set(CORE) for room, others in ORCHESTRATOR.items()},
    "worker": set(CORE) | {"worker/relay"},
    "worker/relay": set(CORE),
    "cli": set(CORE) | set(ORCHESTRATOR),
    "drivers/kit": set(),
    "drivers/csv": set(),
    "drivers/mysql": set(),
    "plugins/exec": set(),
    "plugins/local": set(),
}

INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)
COMMENT_OR_TEXT = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.DOTALL)
# Of a function or a variable that other files can use: it begins in the first column, and is not static.
DEFINITION = re.compile(r"^(?!static\b|typedef\b|extern\b)\w[\w \t*\n]*?\b(\w+)(?:\([^;{}]*\)\s*\n\{|(?:\[\w*\])*\s*=)", re.MULTILINE)
DECLARATION = re.compile(r"^\w[^;{}#]*\([^;{}]*\)[^;{}]*;", re.MULTILINE)
NAME = re.compile(r"(?<![.>\w])[A-Za-z_]\w*")
number, failures = 0, 0


def report(good, what, why=()):
    global number, failures
    number += 1
    failures += not good
    print(f"{'ok' if good else 'not ok'} {number} - {what}")
    for line in why:
        print(f"# {line}")


def sources():
    for top in ("core", "orchestrator", "worker", "cli", "drivers", "plugins"):
        for path in sorted((TOP / top).rglob("*.[ch]")):
            yield path.relative_to(TOP)


def folder_of(name):
    return str(pathlib.PurePosixPath(name).parent)


def cycles(edges):
    """Groups of files that include each other in a circle (Tarjan's strongly connected components)."""
    index, low, stack, on_stack, found = {}, {}, [], set(), []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        on_stack.add(node)
        for other in edges.get(node, ()):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in on_stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            group = []
            while not group or group[-1] != node:
                group.append(stack.pop())
                on_stack.discard(group[-1])
            if len(group) > 1:
                found.append(sorted(group))
    for node in list(edges):
        if node not in index:
            visit(node)
    return found


def includes(path):
    """By their path from the top; drivers include what is beside them."""
    found = []
    for name in INCLUDE.findall((TOP / path).read_text()):
        beside = path.parent / name
        if name != "config.h":
            found.append(str(beside) if path.parts[0] in ("drivers", "plugins") and (TOP / beside).exists() else name)
    return found


def code(path):
    return COMMENT_OR_TEXT.sub(" ", (TOP / path).read_text())


def calls(paths):
    """Which modules use functions and variables of which others in their folder, and which. A declaration in a header is no use."""
    texts = {path: code(path) for path in paths}
    owners = {}
    for path, text in texts.items():
        if path.suffix == ".c":
            for name in set(DEFINITION.findall(text)) - {"main"}:
                owners.setdefault((str(path.parent), name), str(path.with_suffix("")))
    uses = {}
    for path, text in texts.items():
        module = str(path.with_suffix(""))
        for name in NAME.findall(text if path.suffix == ".c" else DECLARATION.sub(" ", text)):
            owner = owners.get((str(path.parent), name), module)
            if owner != module:
                uses.setdefault(module, {}).setdefault(owner, set()).add(name)
    return uses


def describe(circle, uses):
    return [f"{module} -> {other}: {' '.join(sorted(names))}" for module in circle for other, names in uses[module].items()
            if other in circle]


included = {str(path): includes(path) for path in sources()}
folders = sorted({folder_of(name) for name in included})
print(f"1..{2 * len(ROOMS) + 3}")
report(not set(folders) - set(ROOMS), "every folder is a room", sorted(set(folders) - set(ROOMS)))
for room in ROOMS:
    wrong = [f"{name} includes {other}" for name, others in included.items() if folder_of(name) == room for other in others
             if folder_of(other) != room and folder_of(other) not in ROOMS[room]]
    report(not wrong, f"{room} includes what it may", wrong)
missing = [f"{name} includes {other}" for name, others in included.items() for other in others if not (TOP / other).exists()]
report(not missing, "files are included by their path from the top", missing)
circles = cycles({name: [other for other in others if other in included] for name, others in included.items()})
report(not circles, "no files include each other in a circle", [" ".join(circle) for circle in circles])
uses = calls(list(sources()))
circles = cycles(uses)
for room in ROOMS:
    why = [line for circle in circles if folder_of(circle[0]) == room for line in describe(circle, uses)]
    report(not why, f"the modules of {room} call each other in no circle", why)
sys.exit(failures > 0)
