#!/usr/bin/env python3
"""A debugger sees a suspended fiber's frames from the switch down to its start, in a process and in its core file."""
# ctest: timeout=120
import os
import re
import subprocess
import sys
import tempfile

here = os.path.dirname(os.path.abspath(__file__))
program = os.path.join(os.environ["WEFT_BUILD_DIR"], "tests", "gdb_fibers")


def gdb(*commands, files=()):
    arguments = ["gdb", "-nx", "-batch", "-ex", "set debuginfod enabled off", "-ex", "set pagination off"]
    arguments += ["-ex", "source " + os.path.join(here, "weft_fibers.py")]
    for command in commands:
        arguments += ["-ex", command]
    environment = dict(os.environ, ASAN_OPTIONS="detect_leaks=0")  # LeakSanitizer cannot work under a debugger
    done = subprocess.run(arguments + [program, *files], capture_output=True, text=True, timeout=100, env=environment)
    return done.stdout + done.stderr


def show_all():
    commands = []
    for index in range(3):
        commands += ["echo \\n=== fiber %d\\n" % index, "weft-fiber fibers[%d]" % index]
    return commands + ["echo \\n=== thread\\n", "backtrace", "echo \\n=== end\\n"]


def check(output, what):
    """Frames of each fiber: (context switch inlined), wait_here, descend once or more, start_of_fiber, first_run,
    weft__context_start; and afterwards the thread's own frames as if nothing had been looked at."""
    sections = dict(re.findall(r"=== (fiber \d|thread)\n(.*?)(?=\n=== )", output, re.S))
    assert len(sections) == 4, output
    for index in range(3):
        text = sections["fiber %d" % index]
        frames = re.findall(r"^#\d+\s+(?:0x[0-9a-f]+ in )?([\w.]+|\?\?)", text, re.M)
        # Of a function without debug information gdb takes a double underscore for an Ada package's dot.
        frames = [name.replace("weft.", "weft__") for name in frames]
        expected = ["wait_here"] + ["descend"] * (index * 2 + 1) + ["start_of_fiber", "first_run", "weft__context_start"]
        # The switch is inline in wait_here: with debug information it shows as frames of its own.
        while frames and frames[0].startswith("weft__") and frames[0] != "weft__context_start":
            frames.pop(0)
        assert frames == expected, "%s, fiber %d: %s\nexpected %s\n%s" % (what, index, frames, expected, output)
        assert "me=%d" % index in text or "<optimized out>" in text, text
        assert "corrupt" not in text and "Backtrace stopped" not in text, text
    assert re.search(r"^#0 .*show_me", sections["thread"], re.M), sections["thread"]
    assert re.search(r"^#1 .*main", sections["thread"], re.M), sections["thread"]


with tempfile.TemporaryDirectory() as folder:
    core = os.path.join(folder, "core")
    with open(program, "rb") as binary:
        sanitized = re.search(rb"__[at]san_init", binary.read())
    output = gdb("break show_me", "run", *show_all(), "continue")
    check(output, "process")
    assert re.search(r"exited normally", output), output  # looking changed nothing
    if not sanitized:  # whose core files have terabytes of holes
        # gdb leaves a mapping out of a core file if one page of it cannot be read, as light guards cannot; the kernel's
        # own core files have them as holes. So this core file is made with the other kind of guards.
        gdb("break show_me", "run heavy", "generate-core-file " + core)
        check(gdb(*show_all(), files=[core]), "core file")
print("ok")
sys.exit(0)
