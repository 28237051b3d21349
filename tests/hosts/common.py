"""What the hosts have in common."""
import os
import re
import sqlite3
import subprocess
import time

KEYS = {"LANGFUSE_PUBLIC_KEY": "pk-lf-local", "LANGFUSE_SECRET_KEY": "sk-lf-local"}


def registry():
    """A list of tests, and the decorator that adds one."""
    tests = []

    def test(function):
        tests.append(function)
        return function
    return tests, test


def check(condition, message):
    if not condition:
        raise AssertionError(message)


def check_equal(got, want, what):
    check(got == want, f"{what}: expected {want}, got {got}")


def environment(**more):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("LANGFUSE_", "OTEL_", "PG"))}
    return dict(clean, LANGFUSE_EXIT_TIMEOUT_MS="20000", **more)


def run(command, seconds=60, **more):
    """Standard output of a command that succeeds."""
    process = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(**more), text=True,
                             timeout=seconds, check=False)
    check(process.returncode == 0, f"{command} ended with {process.returncode}: {process.stdout}{process.stderr}")
    return process.stdout


def check_stats(text, spans):
    """Whatever ended was delivered, and nothing is open. `text` has the numbers behind their names."""
    numbers = {name: int(number) for name, number in re.findall(r"(\w+) (-?\d+)", text)}
    check_equal(numbers, {"status": 0, "accepted": spans, "delivered": spans, "open": 0, "misused": 0}, "accounting")


class Host:
    """The products, and a folder of its own."""

    def __init__(self, build, work):
        self.build = build
        self.work = work
        self.count = 0

    def __enter__(self):
        os.makedirs(self.work)
        return self

    def __exit__(self, *_):
        pass

    def product(self, name):
        return os.path.join(self.build, "tests", "hosts", name)

    def trace_file(self):
        self.count += 1
        return os.path.join(self.work, f"{self.count}.jsonl")


class Local:
    """langfuse-local on a free port."""

    def __init__(self, build, work):
        self.program = os.path.join(build, "langfuse-local")
        self.db = os.path.join(work, "local.db")
        self.port_file = os.path.join(work, "local.port")

    def __enter__(self):
        self.process = subprocess.Popen([self.program, "serve", "--port", "0", "--port-file", self.port_file, "--db", self.db],
                                        stdout=subprocess.DEVNULL, env=environment(**KEYS))
        end = time.time() + 20
        while not os.path.exists(self.port_file):
            check(time.time() < end, "langfuse-local did not start")
            time.sleep(0.02)
        with open(self.port_file, encoding="utf-8") as file:
            self.url = "http://127.0.0.1:" + file.read().strip()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)

    def rows(self, sql):
        with sqlite3.connect(self.db) as db:
            return db.execute(sql).fetchall()
