#!/usr/bin/env python3
"""The house's own tools notice what they are there to notice: each is given something good and something bad.

ctest: timeout=120
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ.get("WEFT_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[2]))
TOOLS = SOURCE / "tools"


def run(*words, **options):
    return subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True, **options)


class Floors(unittest.TestCase):
    def check(self, files):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                path = pathlib.Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            return run(TOOLS / "check_floors.py", folder)

    def test_down_is_allowed(self):
        done = self.check({"runtime/base/base.h": "", "runtime/task/tasks.c": '#include "base/base.h"\n'})
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_up_is_refused(self):
        done = self.check({"runtime/base/base.c": '#include "task/tasks.h"\n', "runtime/task/tasks.h": ""})
        self.assertIn("upwards", done.stdout)
        self.assertEqual(done.returncode, 1)

    def test_length(self):
        done = self.check({"runtime/base/base.c": "\n" * 450})
        self.assertEqual((done.returncode, "warning" in done.stdout), (0, True), done.stdout)
        done = self.check({"runtime/base/base.c": "\n" * 501})
        self.assertEqual(done.returncode, 1)

    def test_doors_drawers_and_top_level(self):
        self.assertIn("only in base/atomics.h", self.check({"runtime/task/a.c": "#include <stdatomic.h>\n"}).stdout)
        self.assertIn("junk drawer", self.check({"runtime/base/utils.c": ""}).stdout)
        self.assertIn("top level", self.check({"notes.txt": ""}).stdout)
        self.assertIn("is no floor", self.check({"runtime/attic/a.c": ""}).stdout)


class Verdict(unittest.TestCase):
    def judge(self, statuses, *words):
        cases = "".join(f'<testcase name="t{i}" status="{s}" time="0.1"/>' for i, s in enumerate(statuses))
        with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
            file.write(f"<testsuite>{cases}</testsuite>")
            file.flush()
            return run(TOOLS / "verdict.py", file.name, *words)

    def test_last_line(self):
        done = self.judge(["run", "run"])
        self.assertEqual((done.returncode, done.stdout.splitlines()[-1]), (0, "2 passed, 0 failed"))

    def test_a_test_that_failed_or_did_not_run_is_a_failure(self):
        for status in ("fail", "notrun", "disabled"):
            done = self.judge(["run", status])
            self.assertEqual((done.returncode, done.stdout.splitlines()[-1]), (1, "1 passed, 1 failed"))

    def test_no_test_or_a_broken_stage_is_a_failure(self):
        self.assertEqual(self.judge([]).returncode, 1)
        self.assertEqual(self.judge(["run"], "--status", "1").returncode, 1)

    def test_a_second_run_is_for_wrong_assertions_alone(self):
        log = "".join(f"1/4 Test #{i}: t{i} .....***{how} 0.1 sec\n"
                      for i, how in enumerate(["Failed ", "Timeout", "Exception: SegFault", "Failed ", "Exception: "]))
        log = log.replace("t4 .....***", "t4 .....Subprocess aborted***")
        cases = "".join(f'<testcase name="t{i}" status="fail" time="1"><system-out>{output}</system-out></testcase>'
                        for i, output in enumerate(["", "", "", "WARNING: ThreadSanitizer: data race", "a.c:1: error: Failure!"]))
        with tempfile.TemporaryDirectory() as folder:
            first, second, printed = (pathlib.Path(folder) / name for name in ("first.xml", "second.xml", "log"))
            first.write_text(f"<testsuite>{cases}</testsuite>")
            second.write_text('<testsuite><testcase name="t0" status="run" time="1"/></testsuite>')
            printed.write_text(log)
            self.assertEqual(run(TOOLS / "verdict.py", first, "--candidates", printed).stdout, "t0\nt4\n")
            done = run(TOOLS / "verdict.py", first, "--again", second)
            self.assertIn("UNSTABLE t0", done.stdout)
            self.assertEqual((done.returncode, done.stdout.splitlines()[-1]), (1, "1 passed, 4 failed"))


class BenchRun(unittest.TestCase):
    PROGRAM = """#!{python}
import json, sys
if "--list" in sys.argv: print("weft\\nfloor"); sys.exit()
runtime = sys.argv[sys.argv.index("--runtime") + 1]
if {broken} and runtime == "floor": sys.exit(3)
print(json.dumps(dict(bench="x", runtime=runtime, workers=1, ns_per_op=30.0 if runtime == "weft" else 10.0, ops=5,
                      wall_s=0.1, max_rss_kb=100)))
"""

    def bench(self, broken, *words):
        with tempfile.TemporaryDirectory() as folder:
            program = pathlib.Path(folder, "bench_x")
            program.write_text(self.PROGRAM.format(python=sys.executable, broken=broken))
            program.chmod(0o755)
            return run(TOOLS / "bench_run.py", "--programs", folder, *words)

    def test_json_lines_and_ratio(self):
        done = self.bench(False, "x", "--rounds", "3", "--json", "-")
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([line["runtime"] for line in lines], ["weft", "floor"])
        for key in ("bench", "runtime", "workers", "ns_per_op", "ops", "wall_s", "spread", "max_rss_kb"):
            self.assertIn(key, lines[0])
        self.assertEqual((lines[1]["weft_ratio"], lines[1]["spread"]), (3.0, 0.0))

    def test_failures_are_told(self):
        self.assertEqual(self.bench(True).returncode, 1)
        self.assertNotEqual(self.bench(False, "y").returncode, 0)
        self.assertNotEqual(self.bench(False, "--rounds", "0").returncode, 0)


class Mutate(unittest.TestCase):
    def listed(self, text):
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(text)
            file.flush()
            return run(TOOLS / "mutate", "--list", "--promises", file.name)

    def test_lines(self):
        good = "a promise | unit.x | include/weft.h | #include <weft/tasks.h> ==> c || d | e\n"
        self.assertEqual(self.listed(good).returncode, 0)
        self.assertIn("==> c || d | e", self.listed(good).stdout)
        self.assertIn("does not apply", self.listed(good.replace("tasks", "tusks")).stdout)
        self.assertEqual(self.listed(good.replace("tasks", "tusks")).returncode, 1)
        self.assertEqual(self.listed("only | three | fields\n").returncode, 1)
        self.assertEqual(self.listed("a | b | no/such/file.c | s/a/b/\n").returncode, 1)

    def test_parts_are_everything_once(self):
        def rows(part):
            return [line for line in run(TOOLS / "mutate", "--list", "--part", part).stdout.splitlines() if line[:1].isdigit()]
        self.assertGreater(len(rows("1/1")), 100)
        self.assertEqual(sorted(rows("1/3") + rows("2/3") + rows("3/3")), sorted(rows("1/1")))
        self.assertNotEqual(run(TOOLS / "mutate", "--list", "--part", "4/3").returncode, 0)

    def test_every_promise_can_be_read(self):
        done = run(TOOLS / "mutate", "--list")
        self.assertEqual(done.returncode, 0, done.stdout)


if __name__ == "__main__":
    unittest.main()
