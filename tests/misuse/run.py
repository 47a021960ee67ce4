#!/usr/bin/env python3
"""Runs one test of misuse that must end the process: run.py abort_X.c PROGRAM

The program must end by SIGABRT, and what it says on standard error must match the REGEX of the line "expect: REGEX" in
its source: it names the culprit. What must not compile is in tests/headers/must_fail/.
"""
import pathlib
import re
import signal
import subprocess
import sys


def main():
    source, program = pathlib.Path(sys.argv[1]), sys.argv[2]
    found = re.search(r"expect: (.+?)\s*(?:\*/)?\s*$", source.read_text(encoding="utf-8"), re.MULTILINE)
    if not found:
        sys.exit(f'{source}: no "expect: REGEX" in it')
    done = subprocess.run([program], capture_output=True, text=True, timeout=100, errors="replace", stdin=subprocess.DEVNULL)
    if done.returncode != -signal.SIGABRT:
        sys.exit(f"{source.name}: ended with {done.returncode}, not by SIGABRT\n{done.stdout}{done.stderr}")
    if not re.search(found.group(1), done.stderr):
        sys.exit(f"{source.name}: /{found.group(1)}/ does not match:\n{done.stderr}")


if __name__ == "__main__":
    main()
