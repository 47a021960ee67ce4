#!/usr/bin/env python3
"""The demo's main job: it passes, says what it did, and Ctrl-C ends it with its table.
ctest: timeout=120 serial"""
import os
import re
import signal
import subprocess
import time
import unittest

import server as demo


def start(*arguments):
    return subprocess.Popen([*demo.PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def children_of(pid):
    """Process ids of all processes whose parent is `pid`."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as stat:
                    if int(stat.read().rpartition(")")[2].split()[1]) == pid:
                        found.append(int(entry))
            except (OSError, ValueError, IndexError):
                pass
    return found


def gone(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


class MainJob(unittest.TestCase):
    def test_passes(self):
        done = start("--seconds", "3", "--workers", "2")
        out, err = done.communicate(timeout=demo.LIMIT_S)
        self.assertEqual((done.returncode, demo.words(err)), (0, ""), out)
        self.assertRegex(out, r"weft demo: PASS .* 0 errors, 4 of 4 routes, 2 of 2 workers, 0 descriptors leaked")
        self.assertGreaterEqual(len(re.findall(r"(?m)^ +\d+\.\d s .* req/s", out)), 3)
        for route in ("/plain", "/compute", "/sleep", "/digest", "/plain (wrk)"):
            row = re.search(rf"(?m)^{re.escape(route)} +(\d+) ", out)
            self.assertTrue(row and int(row.group(1)) > 0, f"{route}:\n{out}")

    def test_interrupted(self):
        for wait_s in (0.0, 1.5):
            with self.subTest(wait_s=wait_s):
                job = start("--seconds", "30")
                first = job.stdout.readline()
                self.assertIn("http://127.0.0.1:", first)
                time.sleep(wait_s)
                children = children_of(job.pid)
                job.send_signal(signal.SIGINT)
                out, err = job.communicate(timeout=demo.LIMIT_S)
                self.assertEqual((job.returncode, demo.words(err)), (0, ""), out)
                self.assertIn("weft demo: STOPPED", out)
                self.assertIn("/digest", out)
                for child in children:
                    self.assertTrue(gone(child), f"process {child} is still there")

    def test_killed(self):
        """However it ends, its clients end with it."""
        job = start("--seconds", "30")
        job.stdout.readline()
        end = time.monotonic() + demo.LIMIT_S
        while not children_of(job.pid) and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(0.5)
        children = children_of(job.pid)
        self.assertTrue(children)
        job.kill()
        job.communicate(timeout=demo.LIMIT_S)
        while not all(gone(child) for child in children) and time.monotonic() < end:
            time.sleep(0.01)
        for child in children:
            self.assertTrue(gone(child), f"process {child} is still there")


if __name__ == "__main__":
    unittest.main(verbosity=2)
