#!/usr/bin/env python3
"""Reads ctest's JUnit file and prints a verdict; the last line is "N passed, N failed" alone.

usage: verdict.py FILE [--again FILE] [--status N] [--repeat N] [--title TEXT]
       verdict.py FILE --candidates LOG
A test that did not run counts as failed: nothing is skipped here. --candidates prints the failed tests that may be run
again by themselves, because a busy machine may be why: an assertion was wrong, once; not a hang, a crash or anything that a
sanitizer or Valgrind said; LOG is what ctest printed. --again names the file of that second run: what passed there counts, and is called unstable.
"""
import argparse
import re
import sys
import xml.etree.ElementTree as ET

NEVER_AGAIN = re.compile(r"Sanitizer|runtime error:|^==\d+==|no end after|died of|panic", re.M)


def may_try_again(case, log):
    output = case.findtext("system-out") or ""
    how = re.search(rf"Test +#\d+: {re.escape(case.get('name'))} \.*(.*)\*\*\*(\w+)", log)
    # cmocka leaves a failed test by a jump; on a task's stack it cannot, and aborts
    aborted = how and how.groups() == ("Subprocess aborted", "Exception") and "error: Failure!" in output
    return how and (aborted or how.group(2) == "Failed") and not NEVER_AGAIN.search(output)


def outcomes(path):
    """(names that passed, elements that failed, [(seconds, name)])"""
    passed, failed, slow = [], [], []
    for case in ET.parse(path).getroot().iter("testcase"):
        if case.get("status") == "run":
            passed.append(case.get("name"))
        else:
            failed.append(case)
        slow.append((float(case.get("time") or 0), case.get("name")))
    return passed, failed, sorted(slow, reverse=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--again", help="the file of a second run")
    parser.add_argument("--candidates", metavar="LOG", help="only print which tests may have a second run")
    parser.add_argument("--status", type=int, default=0, help="exit status of what ran before")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--title", default="")
    options = parser.parse_args()

    passed, failed, slow = outcomes(options.file)
    if options.candidates:
        log = open(options.candidates, encoding="utf-8", errors="replace").read()
        print("\n".join(case.get("name") for case in failed if may_try_again(case, log)))
        return 0
    again = outcomes(options.again)[0] if options.again else []
    unstable = [case.get("name") for case in failed if case.get("name") in again]
    failed = [case.get("name") for case in failed if case.get("name") not in again]
    passed += unstable
    print("slowest: " + ", ".join(f"{name} {seconds:.1f} s" for seconds, name in slow[:5]))
    for name in unstable:
        print(f"UNSTABLE {name}: failed beside others, passed three times by itself")
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
