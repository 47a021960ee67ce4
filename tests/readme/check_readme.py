#!/usr/bin/env python3
"""The README's first program compiles as strict C11 and prints what the README says; every path it names exists.

ctest: timeout=120
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(os.environ["WEFT_SOURCE_DIR"])
BUILD = pathlib.Path(os.environ["WEFT_BUILD_DIR"])


def cache(name):
    found = re.search(rf"^{name}:[A-Z]+=(.*)$", (BUILD / "CMakeCache.txt").read_text(), re.MULTILINE)
    return found.group(1) if found else ""


def main():
    text = (SOURCE / "README.md").read_text(encoding="utf-8")
    program = re.search(r"```c\n(.*?)```", text, re.DOTALL)
    output = re.search(r"```text\n(.*?)```", text, re.DOTALL)
    if not program or not output:
        sys.exit("README.md: no ```c program followed by its ```text output")
    flags = []
    if cache("WEFT_SANITIZE"):
        flags.append("-fsanitize=" + cache("WEFT_SANITIZE").replace(";", ","))
    if cache("WEFT_COVERAGE") == "ON":
        flags.append("--coverage")
    libraries = ["libuv"]
    if not cache("WEFT_SANITIZE") and cache("WEFT_VALGRIND") != "ON" and cache("WEFT_ALLOC") == "jemalloc":
        libraries.append("jemalloc")
    links = subprocess.run(["pkg-config", "--libs", *libraries], check=True, capture_output=True, text=True).stdout.split()
    with tempfile.TemporaryDirectory() as folder:
        source, binary = pathlib.Path(folder, "readme.c"), pathlib.Path(folder, "readme")
        source.write_text(program.group(1), encoding="utf-8")
        subprocess.run([os.environ.get("CC", "cc"), "-std=c11", "-pedantic-errors", "-Wall", "-Wextra", "-Werror", "-O1", *flags,
                        "-I", SOURCE / "include", source, BUILD / "libweft.a", *links, "-lpthread", "-lm", "-ldl",
                        "-o", binary], check=True)
        done = subprocess.run([binary], capture_output=True, text=True, timeout=60)
    if done.returncode != 0 or done.stdout != output.group(1):
        sys.exit(f"ended with {done.returncode}, printed:\n{done.stdout}{done.stderr}\nthe README says:\n{output.group(1)}")
    named = set(re.findall(r"`((?:runtime|include|tests|bench|tools)/[\w./-]*)", text))
    missing = [path for path in named if not (SOURCE / path).exists()]
    if missing:
        sys.exit(f"README.md names what does not exist: {missing}")
    print(f"the program prints what the README says; {len(named)} paths exist")
    return 0


if __name__ == "__main__":
    sys.exit(main())
