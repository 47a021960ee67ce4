#!/usr/bin/env python3
"""Checks the house: includes in runtime/ only go down, files stay small, nothing lies where it does not belong.

usage: check_floors.py [ROOT]

A floor may include itself and every floor below; only base/ may name the allocator's library, and only the named
doors may include <stdatomic.h>, <threads.h> or <pthread.h>. Files over 400 lines are warned of, over 500 refused.
"""
import pathlib
import re
import sys

FLOORS = ["base", "fiber", "lockfree", "loop", "task", "sched", "sync", "io", "exec", "inspect", "run"]
RANK = {name: rank for rank, name in enumerate(FLOORS)}
WARN_LINES, MAX_LINES = 400, 500
SOURCES = {".c", ".h", ".S"}
# header -> the only files of runtime/ that may include it
DOORS = {
    "stdatomic.h": {"base/atomics.h"},
    "threads.h": {"base/threads.h", "base/threads.c"},
    "pthread.h": {"base/threads.h", "base/threads.c"},
    "jemalloc/jemalloc.h": {"base/alloc.c", "base/alloc.h"},
    "ucontext.h": {"fiber/context.h", "fiber/context_ucontext.c", "fiber/overflow.c"},
}
# Folders that exist in this tree, and nothing beside them but dot files.
TOP = {"runtime", "include", "tests", "bench", "tools", "CMakeLists.txt", "README.md", "LICENSE", "CHANGELOG.md",
       "SECURITY.md", "CMakePresets.json", "build"}
DRAWERS = re.compile(r"^(utils?|common|internal|misc|helpers?)(_|\.|$)")
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')


def check_includes(runtime, path, problems):
    relative = path.relative_to(runtime)
    floor = relative.parts[0]
    if floor not in RANK:
        problems.append(f"runtime/{relative}: '{floor}' is no floor")
        return
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        where, (kind, name) = f"runtime/{relative}:{number}", match.groups()
        allowed = DOORS.get(name)
        if allowed is not None and str(relative) not in allowed:
            problems.append(f"{where}: <{name}> only in {', '.join(sorted(allowed))}")
        if kind == "<":
            continue
        if not (runtime / name).is_file():
            problems.append(f'{where}: "{name}" is not a path under runtime/ (public headers: <weft/…>)')
            continue
        target = name.split("/")[0]
        if target in RANK and RANK[target] > RANK[floor]:
            problems.append(f"{where}: {floor} ({RANK[floor]}) includes {target} ({RANK[target]}): upwards")


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent)
    runtime = root / "runtime"
    problems, warnings, files = [], [], 0
    for path in sorted(runtime.rglob("*")):
        if path.suffix in SOURCES:
            check_includes(runtime, path, problems)
    for folder in ("runtime", "include", "tests", "bench", "tools"):
        for path in sorted((root / folder).rglob("*")):
            if not path.is_file() or "__pycache__" in path.parts:
                continue
            name = path.relative_to(root)
            if DRAWERS.match(path.name):
                problems.append(f"{name}: a junk drawer; name the one concept it holds")
            if path.suffix in SOURCES | {".py", ".sh", ".cmake"}:
                files += 1
                lines = len(path.read_text(encoding="utf-8").splitlines())
                if lines > MAX_LINES:
                    problems.append(f"{name}: {lines} lines, {MAX_LINES} at most: cut it by noun")
                elif lines > WARN_LINES:
                    warnings.append(f"{name}: {lines} lines")
    for path in sorted(root.iterdir()):
        if not path.name.startswith(".") and path.name not in TOP:
            problems.append(f"{path.name}: does not belong on the top level")
    for text in warnings:
        print(f"warning: {text}")
    for text in problems:
        print(f"error: {text}")
    print(f"{files} files in {len(FLOORS)} floors, tests, benches and tools: {len(problems)} errors, {len(warnings)} warnings")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
