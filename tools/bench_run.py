#!/usr/bin/env python3
"""Runs bench programs in interleaved rounds and compares weft with its floors.

Each program (bench_NAME --runtime R --workers N, runtimes by --list) measures once and prints one JSON line. A round
runs every runtime of a bench once, so that a slow minute of the machine hits all of them alike. Printed per runtime:
the median ns per operation over the rounds, its spread (the middle half of the rounds over the median), and weft's
ratio to it: the median of the rounds' own ratios. A spread above 20 % is no verdict.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

LIMIT_S = 300  # one run of one program


def quartile_spread(values):
    """Width of the middle half over the median; the full width for fewer than four values."""
    middle = statistics.median(values)
    if len(values) < 2 or middle == 0:
        return 0.0
    if len(values) < 4:
        return (max(values) - min(values)) / middle
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / middle


class Bench:
    def __init__(self, program, options):
        self.program = program
        self.name = program.name.removeprefix("bench_")
        self.options = options
        listed = subprocess.run([program, "--list"], capture_output=True, text=True, timeout=LIMIT_S, check=True)
        self.runtimes = listed.stdout.split()
        self.lines = {runtime: [] for runtime in self.runtimes}
        self.failures = []

    def round(self):
        for runtime in self.runtimes:
            command = [str(self.program), "--runtime", runtime, "--workers", str(self.options.workers)]
            if self.options.ops:
                command += ["--ops", str(self.options.ops)]
            if self.options.settings:
                command += ["--", *self.options.settings]
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, stdin=subprocess.DEVNULL)
                if done.returncode != 0:
                    raise ValueError(f"exit status {done.returncode}: {done.stderr.strip()[-300:]}")
                self.lines[runtime].append(json.loads(done.stdout.strip().splitlines()[-1]))
            except (ValueError, IndexError, subprocess.TimeoutExpired) as error:
                self.failures.append(f"bench_{self.name} --runtime {runtime}: {error}")
                self.lines[runtime].append(None)

    def results(self):
        """One record per runtime: medians over its rounds."""
        out = []
        for runtime in self.runtimes:
            lines = [line for line in self.lines[runtime] if line]
            if not lines:
                continue
            costs = [line["ns_per_op"] for line in lines]
            record = dict(lines[0])
            for key, value in lines[0].items():
                if isinstance(value, (int, float)) and not isinstance(value, bool):
                    record[key] = statistics.median(line[key] for line in lines)
            for key in ("workers", "ops", "max_rss_kb"):
                record[key] = int(record[key])
            record["spread"] = round(quartile_spread(costs), 4)
            record["rounds"] = len(lines)
            ratios = [
                ours["ns_per_op"] / theirs["ns_per_op"]
                for ours, theirs in zip(self.lines[self.runtimes[0]], self.lines[runtime])
                if ours and theirs
            ]
            if runtime != self.runtimes[0] and ratios:
                record["weft_ratio"] = round(statistics.median(ratios), 4)
                record["weft_ratio_spread"] = round(quartile_spread(ratios), 4)
            out.append(record)
        return out


def table_row(record):
    ratio = f"{record['weft_ratio']:9.2f} {100 * record['weft_ratio_spread']:5.0f}%" if "weft_ratio" in record else " " * 16
    latency = f"  p50 {record['p50_us']:.0f} us, p99 {record['p99_us']:.0f} us" if "p50_us" in record else ""
    noisy = "  too noisy for a verdict" if max(record["spread"], record.get("weft_ratio_spread", 0)) > 0.2 else ""
    return (f"{record['bench']:<14} {record['runtime']:<10} {record['workers']:>7} {record['ns_per_op']:12.1f} "
            f"{100 * record['spread']:5.0f}% {ratio} {record['max_rss_kb'] / 1024:8.1f}{latency}{noisy}")


def main():
    parser = argparse.ArgumentParser(prog="tools/bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="benches; all when none is named")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ops", type=int, default=0, help="operations per run instead of each program's own number")
    parser.add_argument("--json", metavar="FILE", help="also write JSON lines; - prints nothing else")
    parser.add_argument("--programs", default="build/release/bin", help=argparse.SUPPRESS)
    words = sys.argv[1:]
    settings = []
    if "--" in words:
        settings = words[words.index("--") + 1:]
        words = words[:words.index("--")]
    options = parser.parse_intermixed_args(words)
    options.settings = settings
    if options.workers < 1 or options.rounds < 1 or options.ops < 0:
        parser.error("--workers and --rounds want numbers from 1")
    folder = pathlib.Path(options.programs)
    names = options.names or sorted(p.name.removeprefix("bench_") for p in folder.glob("bench_*"))
    missing = [name for name in names if not os.access(folder / f"bench_{name}", os.X_OK)]
    if missing or not names:
        parser.error(f"no such bench: {', '.join(missing) or '(none is built)'}")

    only_json = options.json == "-"
    benches = [Bench(folder / f"bench_{name}", options) for name in names]
    for number in range(options.rounds):
        for bench in benches:
            if not only_json and sys.stderr.isatty():
                print(f"\rround {number + 1}/{options.rounds} {bench.name:<20}", end="", file=sys.stderr, flush=True)
            bench.round()
    if not only_json and sys.stderr.isatty():
        print("\r" + " " * 50 + "\r", end="", file=sys.stderr)

    if not only_json:
        print(f"medians of {options.rounds} interleaved rounds; spread: the middle half of the rounds; "
              "ratio: weft's cost over this runtime's, per round")
        print(f"{'bench':<14} {'runtime':<10} {'workers':>7} {'ns per op':>12} {'+-':>6} {'ratio':>9} {'+-':>6} {'MiB':>8}")
    out = sys.stdout if only_json else open(options.json, "w", encoding="utf-8") if options.json else None
    for bench in benches:
        for record in bench.results():
            if not only_json:
                print(table_row(record))
            if out:
                print(json.dumps(record), file=out)
    failures = [text for bench in benches for text in bench.failures]
    for text in failures:
        print(text, file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
