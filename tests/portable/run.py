"""The same programs on every machine, compiler and way of building must leave the same traces.

    run.py full|fast|list [PART...]     all cells, or the few that CI runs; only those whose name has each PART

A cell is one build of the library, as one file and with a stand-in for libcurl, and of each program here. The observations go to
a file; tree.py makes text of them, which is the same in all cells: expected/NAME.txt. Where the table has a column "golden", the
scenarios of tests/golden ran, too. Machines that are not this one are played by qemu.
"""
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
GOLDEN = os.path.join(ROOT, "tests", "golden")
OUT = os.path.abspath(os.path.join(os.environ.get("BUILD", "build"), "portable"))
sys.path[:0] = [HERE, GOLDEN]
import normalize  # noqa: E402
import tree  # noqa: E402

TIMEOUT_S = 600  # a hang is a failure; an emulated machine beside other work is slow
WARNINGS = ["-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Wundef", "-Wformat=2", "-Werror"]
VARIANTS = {
    "-O0": ["-O0"], "-O1": ["-O1"], "-O2": ["-O2"], "-O3": ["-O3"], "-Os": ["-Os"], "-Ofast": ["-Ofast"],
    "-flto": ["-O2", "-flto"],
    "one unit": ["-O2"],  # the program's source includes src/all.c
}
EVERYWHERE = ["-O0", "-O2", "-Os", "-flto", "one unit"]
# name, prefix of Debian's cross compiler, qemu
MACHINES = [
    ("x86-64", "", ""), ("aarch64", "aarch64-linux-gnu", "aarch64"), ("ppc64le", "powerpc64le-linux-gnu", "ppc64le"),
    ("riscv64", "riscv64-linux-gnu", "riscv64"), ("s390x", "s390x-linux-gnu", "s390x"), ("i386", "i686-linux-gnu", "i386"),
    ("armhf", "arm-linux-gnueabihf", "arm"),
]
NO_LLD = {"riscv64", "s390x"}  # Debian 12's lld links no code for them
ZIG = [("x86-64 musl", "x86_64-linux-musl", ""), ("aarch64 musl", "aarch64-linux-musl", "aarch64"),
       ("armhf musl", "arm-linux-musleabihf", "arm"), ("x86-64 glibc 2.17", "x86_64-linux-gnu.2.17", "")]
# These ask a server for something other than that it takes observations.
ASKS_THE_SERVER = {"python_docs_002_trace_url"}

GCC_ONLY = {"goto"}
PROGRAMS = sorted(name[:-2] for name in os.listdir(HERE) if name.endswith(".c") and name != "curl.c")


class Cell:
    def __init__(self, machine, label, variant, compiler, link=(), qemu="", golden=False, strict=True, fast=False):
        self.machine, self.label, self.variant = machine, label, variant
        self.compiler, self.link, self.golden, self.fast = list(compiler), list(link), golden, fast
        self.flags = ["-std=gnu11", "-I" + ROOT, "-I" + os.path.join(OUT, "include")] + VARIANTS[variant]
        self.warnings = WARNINGS if strict else []
        self.run = [f"qemu-{qemu}-static"] if qemu else []
        self.folder = os.path.join(OUT, "cells", re.sub(r"[^\w.-]+", "_", f"{machine} {label} {variant}"))
        self.is_gcc = label in ("gcc", "musl-gcc")
        self.results, self.notes = {}, []

    def title(self):
        return f"{self.machine:<18}{self.label:<9}{self.variant:<10}"


def cells():
    for machine, prefix, qemu in MACHINES:
        variants = EVERYWHERE + (["-O1", "-O3", "-Ofast"] if machine == "x86-64" else [])
        static = ["-static"] if prefix else []
        gcc = [prefix + "-gcc"] if prefix else ["gcc"]
        clang = ["clang", f"--target={prefix}"] if prefix else ["clang"]
        for variant in variants:
            quick = variant in ("-flto", "-Os", "one unit") if machine == "x86-64" else \
                machine in ("aarch64", "i386") and variant == "-O2"
            yield Cell(machine, "gcc", variant, gcc, static, qemu, golden=prefix != "" and variant == "-O2", fast=quick)
            if variant != "-flto" or machine not in NO_LLD:
                lld = ["-fuse-ld=lld"] if variant == "-flto" else []
                yield Cell(machine, "clang", variant, clang, static + lld, qemu, fast=quick and machine == "x86-64")
    for variant in ("-O2", "one unit"):
        yield Cell("x86-64 musl", "musl-gcc", variant, ["musl-gcc"], ["-static"], fast=variant == "-O2")
    zig = [os.path.join(OUT, "zig", "bin", "python"), "-m", "ziglang", "cc"]
    for machine, target, qemu in ZIG:
        yield Cell(machine, "zig", "-O2", zig + ["-target", target], [], qemu, golden="musl" in machine, strict=False)


# ---- One cell


def check(cell, command, **more):
    """The command's output; what it says on failure is the exception's text."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=TIMEOUT_S, cwd=cell.folder,
                          encoding="utf-8", errors="replace", **more)
    if done.returncode != 0:
        said = (done.stderr + done.stdout).strip()
        raise RuntimeError(f"{' '.join(command)}: status {done.returncode}\n{said}")
    return done.stdout


def compile_object(cell, source, name, warnings):
    check(cell, cell.compiler + cell.flags + warnings + ["-c", source, "-o", name])
    return name


def build_library(cell):
    objects = [compile_object(cell, os.path.join(OUT, "include", "cjson", "cJSON.c"), "cjson.o", ["-w"]),
               compile_object(cell, os.path.join(HERE, "curl.c"), "curl.o", cell.warnings)]
    if cell.variant != "one unit":
        objects.append(compile_object(cell, os.path.join(ROOT, "src", "all.c"), "all.o", cell.warnings))
    return objects


def build_program(cell, source, name, objects):
    if cell.variant == "one unit":
        text = f'#include "src/all.c"\n#include "{os.path.relpath(source, ROOT)}"\n'
        source = os.path.join(cell.folder, name + ".c")
        with open(source, "w", encoding="utf-8") as file:
            file.write(text)
    check(cell, cell.compiler + cell.flags + cell.warnings + [source] + objects + ["-o", name] + cell.link +
          ["-lpthread", "-lm"])


def environment(path):
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("LANGFUSE_", "OTEL_"))}
    return dict(kept, LANGFUSE_EXPORTER="file:" + path, LANGFUSE_EXIT_TIMEOUT_MS="60000")


def run_program(cell, name):
    path = os.path.join(cell.folder, name + ".jsonl")
    if os.path.exists(path):
        os.remove(path)
    said = check(cell, cell.run + [os.path.join(cell.folder, name)], env=environment(path))
    actual = tree.tree(path) + said.splitlines()
    with open(os.path.join(cell.folder, name + ".txt"), "w", encoding="utf-8") as file:
        file.write("\n".join(actual) + "\n")
    with open(os.path.join(HERE, "expected", name + ".txt"), encoding="utf-8") as file:
        expected = file.read().splitlines()
    wrong = [line for line in expected if line not in actual] + [line for line in actual if line not in expected]
    if actual != expected:
        raise RuntimeError(f"{name}: {len(wrong)} lines differ, see {cell.folder}/{name}.txt")


def run_scenario(cell, program, name):
    path = os.path.join(cell.folder, name + ".jsonl")
    for old in (path, path + ".scores"):
        if os.path.exists(old):
            os.remove(old)
    keys = {"LANGFUSE_PUBLIC_KEY": "pk-lf-golden", "LANGFUSE_SECRET_KEY": "sk-lf-golden",
            "LANGFUSE_BASE_URL": "http://127.0.0.1:9"}
    check(cell, cell.run + [program, name], env=dict(environment(path), **keys))
    done = subprocess.run([sys.executable, os.path.join(GOLDEN, "normalize.py"), path,
                           os.path.join(GOLDEN, "expected", name + ".json")],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", check=False,
                          env=dict(os.environ, LANGFUSE_BASE_URL="http://127.0.0.1:9"))
    if done.returncode != 0:
        raise RuntimeError(f"golden {name}: {done.stdout.strip()[:600]}")


def attempt(cell, name, function, *arguments):
    try:
        function(cell, *arguments)
        return True
    except (RuntimeError, OSError, subprocess.TimeoutExpired, SystemExit, ValueError) as error:
        cell.notes.append(f"{name}: {str(error)[:1500]}")
        return False


def run_golden(cell, objects):
    passed = failed = 0
    for source in sorted(os.listdir(GOLDEN)):
        if not source.endswith(".c"):
            continue
        name = source[:-2]
        if not attempt(cell, name, build_program, os.path.join(GOLDEN, source), name, objects):
            failed += 1
            continue
        program = os.path.join(cell.folder, name)
        for scenario in check(cell, cell.run + [program]).split():
            if scenario in ASKS_THE_SERVER:
                continue
            if attempt(cell, scenario, run_scenario, program, scenario):
                passed += 1
            else:
                failed += 1
    return passed, failed


def run_cell(cell):
    begun = time.monotonic()
    os.makedirs(cell.folder, exist_ok=True)
    objects = []

    def build_all(cell):
        objects.extend(build_library(cell))

    built = attempt(cell, "library", build_all)
    for name in PROGRAMS:
        if name in GCC_ONLY and not cell.is_gcc:
            continue
        cell.results[name] = built and attempt(cell, name, build_program, os.path.join(HERE, name + ".c"), name, objects) \
            and attempt(cell, name, run_program, name)
    if cell.golden and built:
        cell.results["golden"] = run_golden(cell, objects)
    report(cell, time.monotonic() - begun)
    return cell


# ---- The table


def shown(name, result):
    if isinstance(result, tuple):
        return f"{name} {result[0]}/{sum(result)}"
    return f"{name} {'ok' if result else 'FAILED'}"


def report(cell, seconds):
    columns = "  ".join(f"{shown(name, result):<15}" for name, result in cell.results.items())
    print(f"{cell.title()}{columns}  {seconds:.0f} s", flush=True)


def main():
    wanted = [cell for cell in cells() if sys.argv[1] != "fast" or cell.fast]
    wanted = [cell for cell in wanted if all(part in cell.title() for part in sys.argv[2:])]
    if sys.argv[1] == "list":
        print("\n".join(cell.title() for cell in wanted))
        return 0
    with ThreadPoolExecutor(max_workers=int(os.environ.get("JOBS", os.cpu_count() or 1))) as pool:
        done = list(pool.map(run_cell, wanted))
    passed = failed = 0
    for cell in done:
        for result in cell.results.values():
            passed += result[0] if isinstance(result, tuple) else int(result)
            failed += result[1] if isinstance(result, tuple) else int(not result)
        for note in cell.notes:
            print(f"\n{cell.title()}{note}")
    print(f"portable: {passed} passed, {failed} failed")
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
