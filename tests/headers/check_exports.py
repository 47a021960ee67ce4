#!/usr/bin/env python3
"""The library defines every function that the headers declare, and exports nothing else.

usage: check_exports.py [LIBRARY [INCLUDE_DIR]]     (libweft.so or libweft.a; else the one in WEFT_BUILD_DIR)
"""
import os
import pathlib
import re
import subprocess
import sys

import declarations


def built_library():
    build = pathlib.Path(os.environ.get("WEFT_BUILD_DIR", "."))
    for name in ("libweft.so", "libweft.a"):
        found = sorted(p for p in build.rglob(name) if p.is_file())
        if found:
            return found[0]
    sys.exit(f"no libweft in {build}")


def defined(library):
    command = ["nm", "--defined-only", "--format=posix"]
    command += ["--dynamic"] if library.suffix == ".so" else ["--extern-only"]
    lines = subprocess.run([*command, str(library)], check=True, capture_output=True, text=True).stdout.splitlines()
    return {m[1] for m in (re.match(r"(\S+) [TWDBRVi] ", line) for line in lines) if m}


def main():
    library = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else built_library()
    include = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else pathlib.Path(__file__).resolve().parents[2] / "include"
    declared = set(declarations.check(include)[1])
    symbols = defined(library)
    problems = [f"{name} is declared and not defined" for name in sorted(declared - symbols)]
    if library.suffix == ".so":
        ours = {s for s in symbols if not s.startswith("_")}  # the linker's and the sanitizers' own begin with _
        problems += [f"{name} is exported and not declared" for name in sorted(ours - declared)]
    else:
        # an archive shows the runtime's own symbols too: weft__x
        ours = {s for s in symbols if not s.startswith("_")}
        problems += [f"{name} is visible and neither declared nor weft__" for name in sorted(ours - declared)
                     if not name.startswith("weft__")]
    for problem in problems:
        print(f"error: {problem}")
    print(f"{library}: {len(declared)} functions declared, {len(problems)} errors")
    return 1 if problems or not declared else 0


if __name__ == "__main__":
    sys.exit(main())
