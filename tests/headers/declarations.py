#!/usr/bin/env python3
"""Checks what the public headers declare, and prints it.

usage: declarations.py INCLUDE_DIR            every function has WEFT_API and a comment of its own; [S] ones have twins
       declarations.py INCLUDE_DIR --list     the names, one per line

A function's comment stands directly above it, begins with its name and has at most six lines. A function marked [S] that
answers an int and takes only plain arguments has a twin. The umbrella header includes every other one.
"""
import pathlib
import re
import sys

COMMENT = re.compile(r"/\*.*?\*/", re.S)
# Where a twin has no meaning: they belong to the task or body that calls them.
WITHOUT_TWIN = re.compile(r"_(enter|exit|sync)(_sized)?$|^weft_gen_yield")


def statements(text):
    """(line, comment above, statement) of everything at file scope that ends in ; or is a body."""
    blank = COMMENT.sub(lambda m: re.sub(r"[^\n]", " ", m.group(0)), text)
    blank = re.sub(r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", lambda m: re.sub(r"[^\n]", " ", m.group(0)), blank, flags=re.M)
    blank = blank.replace('extern "C" {', " " * 12)
    depth, start, found = 0, 0, []
    for i, c in enumerate(blank):
        if c == "{":
            depth += 1
        elif c == "}":
            depth = max(0, depth - 1)
            if depth == 0 and re.match(r"\s*(template|static inline)\b", blank[start:i]):
                found.append((start, i + 1))
                start = i + 1
        elif c == ";" and depth == 0:
            found.append((start, i + 1))
            start = i + 1
    for begin, end in found:
        begin += len(blank[begin:end]) - len(blank[begin:end].lstrip())
        above = text[:begin].rstrip(" ")
        comment = ""
        if above.endswith("*/\n") or re.search(r"\*/\n(#[^\n]*\n)*$", above):
            comment = COMMENT.findall(above)[-1]
        yield text.count("\n", 0, begin) + 1, comment, " ".join(blank[begin:end].split())


def check(include):
    problems, names = [], []
    umbrella = (include / "weft.h").read_text(encoding="utf-8")
    for path in sorted((include / "weft").glob("*.h")):
        text = path.read_text(encoding="utf-8")
        if f"#include <weft/{path.name}>" not in umbrella:
            problems.append(f"weft/{path.name}: not included by weft.h")
        if not text.startswith(f"/* weft/{path.name}: "):
            problems.append(f"weft/{path.name}: does not begin by saying what it is")
        twins = set(re.findall(r"^WEFT_ASYNC_TWIN_\d\((\w+)", text, re.M))
        twins |= set(re.findall(r"^#define (\w+)_async\(", text, re.M))
        for line, comment, statement in statements(text):
            where = f"weft/{path.name}:{line}"
            if statement == ";" or statement.startswith(("typedef", "struct", "enum", "WEFT_ASYNC_TWIN_", "static inline", "template")):
                continue
            match = re.match(r"(?P<head>[\w\s*]*?)(?P<name>\w+)\((?P<args>.*)\)( WEFT_PRINTF\(\d, \d\))?;$", statement)
            if match is None:
                problems.append(f"{where}: not understood: {statement[:60]}")
                continue
            head, name, args = match["head"], match["name"], match["args"]
            names.append(name)
            if not head.startswith("WEFT_API "):
                problems.append(f"{where}: {name} lacks WEFT_API")
            if not re.match(rf"/\* {name}\b", comment):
                problems.append(f"{where}: {name} has no comment that begins with its name")
            elif comment.count("\n") > 5:
                problems.append(f"{where}: {name}: more than six lines of comment")
            suspends = re.match(rf"/\* {name} \[S\]", comment)
            plain = "weft_call_t call" not in args and "(*" not in args
            number = re.search(r"\b(int|ssize_t) $", head)
            if suspends and number and plain and name not in twins and not WITHOUT_TWIN.search(name):
                problems.append(f"{where}: {name} suspends and has no twin")
            if suspends and number and "WEFT_NODISCARD" not in head and not re.search(
                    r"_(close|shutdown|write_eof|sync)$", name):
                problems.append(f"{where}: {name} suspends and is not WEFT_NODISCARD")
    return problems, names


def main():
    include = pathlib.Path(sys.argv[1])
    problems, names = check(include)
    if "--list" in sys.argv[2:]:
        print("\n".join(sorted(names)))
        return 0
    for problem in problems:
        print(f"error: {problem}")
    print(f"{len(names)} functions declared in {include}: {len(problems)} errors")
    return 1 if problems or not names else 0


if __name__ == "__main__":
    sys.exit(main())
