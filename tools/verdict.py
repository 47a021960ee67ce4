#!/usr/bin/env python3
"""Reads ctest's JUnit file and prints a verdict; the last line is "N passed, N failed" alone.

usage: verdict.py FILE [--status N] [--repeat N] [--title TEXT]
A test that did not run counts as failed: nothing is skipped here.
"""
import argparse
import sys
import xml.etree.ElementTree as ET


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--status", type=int, default=0, help="exit status of what ran before")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--title", default="")
    options = parser.parse_args()

    passed, failed, slow = [], [], []
    for case in ET.parse(options.file).getroot().iter("testcase"):
        name = case.get("name")
        (passed if case.get("status") == "run" else failed).append(name)
        slow.append((float(case.get("time") or 0), name))
    slow.sort(reverse=True)
    print("slowest: " + ", ".join(f"{name} {seconds:.1f} s" for seconds, name in slow[:5]))
    for name in failed:
        print(f"FAILED {name}")
    if not failed and (not passed or options.status != 0):
        failed.append("something beside the tests")
        print("FAILED something beside the tests (see above)")
    good = not failed
    times = f", each {options.repeat} times" if options.repeat > 1 else ""
    print(f"verdict: {'all tests passed' if good else 'NOT GOOD'} ({options.title}{times})")
    print(f"{len(passed)} passed, {len(failed)} failed")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
