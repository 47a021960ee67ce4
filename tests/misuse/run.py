#!/usr/bin/env python3
"""Runs one test of misuse.

usage: run.py abort_X.c PROGRAM            the program must end by SIGABRT
       run.py nocompile_X.c CC INCLUDE     the file must not compile, but must with -DWEFT_MISUSE_CORRECTED

Every file says in a comment "expect: REGEX" what the message on standard error has to match.
"""
import pathlib
import re
import signal
import subprocess
import sys


def expected(source):
    found = re.search(r"expect: (.+?)\s*(?:\*/)?\s*$", source.read_text(encoding="utf-8"), re.MULTILINE)
    if not found:
        sys.exit(f'{source}: no "expect: REGEX" in it')
    return found.group(1)


def main():
    source = pathlib.Path(sys.argv[1])
    pattern = expected(source)
    if source.name.startswith("abort_"):
        done = subprocess.run([sys.argv[2]], capture_output=True, text=True, timeout=100, errors="replace")
        if done.returncode != -signal.SIGABRT:
            sys.exit(f"{source.name}: ended with {done.returncode}, not by SIGABRT\n{done.stdout}{done.stderr}")
    else:
        compiler, include = sys.argv[2], sys.argv[3]
        command = [compiler, "-std=c11", "-pedantic-errors", "-Wall", "-Wextra", "-Werror", "-c", "-o", "/dev/null", "-I", include]
        control = subprocess.run([*command, "-DWEFT_MISUSE_CORRECTED", source], capture_output=True, text=True)
        if control.returncode != 0:
            sys.exit(f"{source.name}: the corrected form does not compile\n{control.stderr}")
        done = subprocess.run([*command, source], capture_output=True, text=True)
        if done.returncode == 0:
            sys.exit(f"{source.name}: compiles")
    if not re.search(pattern, done.stderr):
        sys.exit(f"{source.name}: /{pattern}/ does not match:\n{done.stderr}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
