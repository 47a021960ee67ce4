#!/usr/bin/env python3
"""Runs Weft and other runtimes in interleaved rounds and holds Weft to its targets (tools/bench --peers).

bench/peers/cases says what each case runs, bench/targets what is wanted, bench/peers/build makes the programs. A round runs
every runtime of a case once, at once after each other, so that a slow minute hits all of them alike. Printed per runtime:
the median over the rounds of ns per operation, its spread (the middle half of the rounds over the median), the ratio
weft / this one (the median of the rounds' own ratios) with its spread, the same for processor time, which other work on the
machine disturbs least, and the verdict on each target. A spread of the ratio above 20 % is no verdict.
"""
import argparse
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys

from bench_run import quartile_spread

TOO_NOISY = 0.2
PROGRAM_LIMIT_S = 120
SERVERS = {"bench_echo", "bench_http", "bench_mixed"}  # whose ns_per_op is the server's processor time already
UNITS = {"ns_per_op": "ns", "cpu_ns_per_op": "ns", "wall_s": "s", "p99_us": "us", "p50_us": "us", "p99_ms": "ms", "bytes_per_op": "bytes"}
SCRIPTS = ("asyncio", "uvloop")
PYTHON = "/usr/bin/python3"  # Debian's, which has Debian's uvloop


def read_table(path, fields):
    """Rows of a file of fields separated by " | ", without comments and empty lines."""
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        row = [field.strip() for field in line.split(" | ", fields - 1)]
        if len(row) != fields or not all(row):
            sys.exit(f"{path}:{number}: {fields} fields separated by ' | ' are wanted")
        rows.append(row)
    return rows


class Programs:
    """Where the programs lie, and which are missing."""

    def __init__(self, options):
        self.benches = pathlib.Path(options.programs)
        self.peers = pathlib.Path(options.peer_programs)
        self.source = pathlib.Path(options.source)
        self.before = ["chrt", "--fifo", "1"] if options.fifo else []
        self.missing = {}

    def words(self, word):
        """What a command's word becomes: a program with what it needs before it; [word] for any other; None: not there."""
        if word.startswith("bench_"):
            path = self.benches / word
            return [str(path)] if os.access(path, os.X_OK) else self.lacks(word, "no such bench")
        if word in SCRIPTS:
            if word == "uvloop" and subprocess.run([PYTHON, "-c", "import uvloop"], stderr=subprocess.DEVNULL,
                                                   check=False).returncode != 0:
                return self.lacks(word, "apt-get install python3-uvloop")
            return [PYTHON, str(self.source / "python" / "bench.py"), word]
        if word.endswith("-bench"):
            path = self.peers / word
            if not os.access(path, os.X_OK):
                return self.lacks(word, "bench/peers/build could not make it")
            # With glibc's malloc Tokio is up to three times slower, and the comparison would not be fair.
            fair = ["env", "LD_PRELOAD=libjemalloc.so.2"] if word == "tokio-bench" else []
            return fair + [str(path)]
        return [word]

    def lacks(self, word, why):
        self.missing[word] = why
        return None

    def command(self, text, workers):
        out = list(self.before)
        for word in text.replace("{workers}", str(workers)).replace("{pin}", str(int(workers == 1))).split():
            prefix, program = ("server=", word[7:]) if word.startswith("server=") else ("", word)
            words = self.words(program)
            if words is None:
                return None
            out += [prefix + words[0], *words[1:]]
        return out


def notes(line):
    """Numbers in a peer's note ("bytes_task=259 threads=66") become fields of their own."""
    for word in str(line.pop("note", "")).split():
        name, _, value = word.partition("=")
        try:
            line.setdefault("bytes_per_op" if name == "bytes_task" else name, float(value))
        except ValueError:
            pass


def children_s():
    """Processor time of all processes that ended under this one."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class Runner:
    """One runtime of one case: its command and the lines that it printed, None for a round that failed."""

    def __init__(self, case, peer, command):
        self.case, self.peer, self.command = case, peer, command
        self.lines = []
        self.failures = []

    def run(self):
        try:
            with subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  text=True) as process:
                before = children_s()
                try:
                    printed, words = process.communicate(timeout=PROGRAM_LIMIT_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.communicate()
                    raise
            spent = children_s() - before
            if process.returncode != 0:
                raise ValueError(f"exit status {process.returncode}: {words.strip()[-300:]}")
            line = json.loads(printed.strip().splitlines()[-1])
            notes(line)
            if not SERVERS.intersection(pathlib.Path(word).name for word in self.command):
                line["cpu_ns_per_op"] = spent * 1e9 / line["ops"]
            self.lines.append(line)
        except (ValueError, IndexError, OSError, subprocess.TimeoutExpired) as error:
            self.lines.append(None)
            self.failures.append(f"{self.case}, {self.peer}: {error}")

    def values(self, metric):
        return [line[metric] for line in self.lines if line and metric in line]

    def ratios(self, weft, metric):
        return [
            ours[metric] / theirs[metric]
            for ours, theirs in zip(weft.lines, self.lines)
            if ours and theirs and ours.get(metric) and theirs.get(metric)
        ]


def judge(values, limit):
    """Median, spread and words."""
    middle, spread = statistics.median(values), quartile_spread(values)
    if spread > TOO_NOISY:
        return middle, spread, "no verdict"
    return middle, spread, "met" if middle <= limit else "MISSED"


def record_of(runner, weft, workers, targets):
    record = {"case": runner.case, "runtime": runner.peer, "workers": workers,
              "rounds": sum(line is not None for line in runner.lines)}
    for metric in ("ns_per_op", "cpu_ns_per_op", "wall_s", "p50_us", "p99_us", "p50_ms", "p99_ms", "p999_ms",
                   "bytes_per_op", "max_rss_kb"):
        values = runner.values(metric)
        if values:
            record[metric] = round(statistics.median(values), 4)
    record["spread"] = round(quartile_spread(runner.values("ns_per_op")), 4)
    if runner is not weft:
        for metric in ("ns_per_op", "cpu_ns_per_op", "p99_us", "p99_ms", "wall_s"):
            ratios = runner.ratios(weft, metric)
            if ratios:
                record["ratio_" + metric] = round(statistics.median(ratios), 4)
                record["ratio_" + metric + "_spread"] = round(quartile_spread(ratios), 4)
    record["targets"] = []
    for case, peer, on, metric, limit in targets:
        if case != runner.case or int(on) != workers or peer != ("-" if runner is weft else runner.peer):
            continue
        values = weft.values(metric) if peer == "-" else runner.ratios(weft, metric)
        if values:
            middle, spread, verdict = judge(values, float(limit))
            record["targets"].append({"metric": metric, "limit": float(limit), "value": round(middle, 4),
                                      "spread": round(spread, 4), "verdict": verdict})
    return record


def figure(value):
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def row(record):
    cells = [record["case"], record["runtime"], str(record["workers"]), figure(record["ns_per_op"]),
             f"{100 * record['spread']:.0f} %"]
    for metric in ("ns_per_op", "cpu_ns_per_op"):
        ratio = record.get("ratio_" + metric)
        cells.append(f"{ratio:.2f} ({100 * record['ratio_' + metric + '_spread']:.0f} %)" if ratio is not None else "")
    extra = []
    for unit in ("us", "ms"):
        if "p99_" + unit in record:
            extra.append(f"p99 {figure(record['p99_' + unit])} {unit}")
        if "ratio_p99_" + unit in record:
            extra.append(f"ratio {record['ratio_p99_' + unit]:.2f}")
    if "bytes_per_op" in record:
        extra.append(f"{record['bytes_per_op']:.0f} bytes")
    for target in record["targets"]:
        unit = "" if record["runtime"] != "weft" else " " + UNITS.get(target["metric"], "")
        name = "" if target["metric"] == "ns_per_op" else target["metric"] + " "
        extra.append(f"{name}{figure(target['value'])} <= {figure(target['limit'])}{unit}: {target['verdict']}")
    return cells + ["; ".join(extra)]


HEADS = ["case", "runtime", "workers", "ns", "+-", "weft/it (+-)", "cpu (+-)", "more"]


def print_text(rows):
    widths = [max(len(r[i]) for r in [HEADS, *rows]) for i in range(len(HEADS))]
    for cells in [HEADS, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(cells, widths)).rstrip())


def print_markdown(rows):
    print("| " + " | ".join(HEADS) + " |")
    print("|" + "---|" * len(HEADS))
    for cells in rows:
        print("| " + " | ".join(cells) + " |")


def machine():
    """What it ran on, and how busy that was."""
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo", encoding="utf-8")
                  if line.startswith("model name")), os.uname().machine)
    return f"{os.cpu_count()} x {model}, Linux {os.uname().release.split('-')[0]}, load {os.getloadavg()[0]:.1f}"


def choose(cases, names):
    """The runners' rows of the named cases; a name may also be the first part of some ("echo")."""
    known = list(dict.fromkeys(case for case, _, _ in cases))
    chosen = []
    for name in names or known:
        found = [case for case in known if case == name] or [case for case in known if case.startswith(name + "_")]
        if not found:
            sys.exit(f"tools/bench --peers: no case {name}; there are: {' '.join(known)}")
        chosen += [case for case in found if case not in chosen]
    return chosen


def main():
    parser = argparse.ArgumentParser(prog="tools/bench --peers", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="cases, or the beginning of some; all when none is named")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--with", dest="only", action="append", default=[], metavar="PEER", help="only these peers")
    parser.add_argument("--json", metavar="FILE", help="also write JSON lines; - prints nothing else")
    parser.add_argument("--fifo", action="store_true",
                        help="run them under SCHED_FIFO (as root), which shields from other work on the machine, and it from rest")
    parser.add_argument("--markdown", action="store_true", help="the table as Markdown")
    parser.add_argument("--programs", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--peer-programs", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--source", required=True, help=argparse.SUPPRESS)
    options = parser.parse_intermixed_args()
    if options.workers < 1 or options.rounds < 1:
        parser.error("--workers and --rounds want numbers from 1")
    source = pathlib.Path(options.source)
    cases = read_table(source / "cases", 3)
    targets = read_table(source.parent / "targets", 5)
    programs = Programs(options)
    groups = []
    for name in choose(cases, options.names):
        group = []
        for case, peer, text in cases:
            if case == name and (peer == "weft" or not options.only or peer in options.only):
                command = programs.command(text, options.workers)
                if command is not None:
                    group.append(Runner(case, peer, command))
        if group and group[0].peer == "weft":
            groups.append(group)
    for program, why in sorted(programs.missing.items()):
        print(f"tools/bench --peers: without {program}: {why}", file=sys.stderr)
    if not groups:
        sys.exit("tools/bench --peers: nothing to run")

    shows = sys.stderr.isatty()
    before = machine()
    for number in range(options.rounds):
        for group in groups:
            for runner in group:
                if shows:
                    print(f"\rround {number + 1}/{options.rounds} {runner.case} {runner.peer:<20}", end="", file=sys.stderr, flush=True)
                runner.run()
    if shows:
        print("\r" + " " * 60 + "\r", end="", file=sys.stderr)
    records = [record_of(runner, group[0], options.workers, targets) for group in groups for runner in group
               if any(runner.lines) and any(group[0].lines)]
    under = " under SCHED_FIFO" if options.fifo else ""
    if options.json != "-":
        print(f"medians of {options.rounds} interleaved rounds{under}; {before} before, {os.getloadavg()[0]:.1f} after")
        (print_markdown if options.markdown else print_text)([row(record) for record in records])
    if options.json:
        out = sys.stdout if options.json == "-" else open(options.json, "w", encoding="utf-8")
        for record in records:
            print(json.dumps(record), file=out)
    failures = [text for group in groups for runner in group for text in runner.failures]
    for text in failures:
        print(text, file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
