"""End-to-end tests: real programs, a real server on the loopback interface, and a bad one.

Environment: BUILD (products), TEST_WRAPPER (such as valgrind, put before each program of ours), E2E_OBSERVATIONS (size of
the large run), E2E_ONLY (run only tests whose name contains it). Prints a line a failure and `N passed, N failed`.
"""
import glob
import json
import os
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.abspath(os.environ.get("BUILD", "build"))
WRAPPER = shlex.split(os.environ.get("TEST_WRAPPER", ""))
LARGE = int(os.environ.get("E2E_OBSERVATIONS", "1000000"))
CHECKED = bool(WRAPPER) or LARGE < 1000000  # under a checker everything takes longer
WORK = os.path.join(BUILD, "e2e")
KEYS = {"LANGFUSE_PUBLIC_KEY": "pk-lf-local", "LANGFUSE_SECRET_KEY": "sk-lf-local"}
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def wait_for(path, what, seconds=20):
    end = time.time() + seconds
    while not os.path.exists(path):
        if time.time() > end:
            raise AssertionError(f"{what} did not start")
        time.sleep(0.02)
    with open(path, encoding="utf-8") as file:
        return file.read().strip()


class Local:
    """langfuse-local on a free port, or on the one it had before."""

    def __init__(self, name, port=0):
        self.db = os.path.join(WORK, name + ".db")
        self.port_file = os.path.join(WORK, name + ".port")
        self.port = port

    def start(self):
        if os.path.exists(self.port_file):
            os.remove(self.port_file)
        self.process = subprocess.Popen(
            [BUILD + "/langfuse-local", "serve", "--port", str(self.port), "--port-file", self.port_file, "--db", self.db],
            stdout=subprocess.DEVNULL, env=dict(os.environ, **KEYS))
        self.port = int(wait_for(self.port_file, "langfuse-local"))
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(20)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.stop()

    def rows(self, sql, *values):
        with sqlite3.connect(self.db) as db:
            return db.execute(sql, values).fetchall()

    def orphans(self):
        return self.rows("SELECT count(*) FROM observations o WHERE parent_id <> '' AND NOT EXISTS (SELECT 1 FROM"
                         " observations p WHERE p.trace_id = o.trace_id AND p.id = o.parent_id)")[0][0]

    def tree(self):
        """Every trace as (name, type, [children])."""
        rows = self.rows("SELECT id, parent_id, name, type FROM observations ORDER BY start_ns, rowid DESC")
        children = {}
        ids = {row[0] for row in rows}
        for row in rows:
            children.setdefault(row[1] if row[1] in ids else "", []).append(row)

        def below(parent):
            return [(name, kind, below(id_)) for id_, _, name, kind in children.get(parent, [])]
        return below("")


class Bad:
    def __init__(self, words):
        self.port_file = os.path.join(WORK, "bad.port")
        self.seen_file = os.path.join(WORK, "bad.seen")
        self.words = words

    def __enter__(self):
        for path in (self.port_file, self.seen_file):
            if os.path.exists(path):
                os.remove(path)
        self.process = subprocess.Popen([sys.executable, HERE + "/badserver.py", self.port_file, self.seen_file, self.words])
        self.url = "http://127.0.0.1:" + wait_for(self.port_file, "the bad server")
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def seen(self):
        with open(self.seen_file, encoding="utf-8") as file:
            return [tuple(line.split()) for line in file]


def run(program, *arguments, url=None, seconds=240, background=False, **more):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("LANGFUSE_", "OTEL_", "OPENAI_"))}
    if url is not None:
        environment.update(KEYS, LANGFUSE_BASE_URL=url)
    environment.update(more)
    command = WRAPPER + [os.path.join(BUILD, program)] + [str(a) for a in arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True)
    if background:
        return process
    return finish(process, seconds)


def finish(process, seconds=240):
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        raise AssertionError(f"{process.args} hangs") from None
    return process.returncode, out, err


def stress(*arguments, **more):
    code, out, err = run("tests/e2e/stress", *arguments, **more)
    check(code == 0, f"stress ended with {code}: {out}{err}")
    return json.loads(out), err


def check(condition, message):
    if not condition:
        raise AssertionError(message)


def check_equal(got, want, what):
    check(got == want, f"{what}: expected {want}, got {got}")


# ---- langfuse-local

@test
def a_large_run_arrives_once_each_below_its_parent():
    per_thread = LARGE // 8
    with Local("large") as server:
        stats, _ = stress(8, per_thread, 200000, url=server.url)
        check_equal(stats, {**stats, "accepted": LARGE, "delivered": LARGE, "dropped": 0, "queued": 0, "open": 0, "status": 0},
                    "accounting")
        check_equal(server.rows("SELECT count(*), count(DISTINCT id) FROM observations"), [(LARGE, LARGE)], "stored")
        check_equal(server.orphans(), 0, "observations without their parent")
        check_equal(server.rows("SELECT count(DISTINCT trace_id) FROM observations"), [(LARGE // 10,)], "traces")
        check_equal(server.rows("SELECT type, count(*) FROM observations GROUP BY type ORDER BY type"),
                    [("AGENT", LARGE // 10), ("CHAIN", LARGE * 3 // 10), ("TOOL", LARGE * 6 // 10)], "types")


@test
def a_killed_and_restarted_server_loses_nothing():
    count = 20000 if CHECKED else 200000
    server = Local("restart").start()
    process = run("tests/e2e/stress", 4, count // 4, 120000, 25, url=server.url, background=True, LANGFUSE_FLUSH_INTERVAL="0.05")
    for _ in range(2):
        time.sleep(0.7)
        server.stop(signal.SIGKILL)
        time.sleep(0.7)
        server.start()
    code, out, err = finish(process)
    stats = json.loads(out)
    server.stop()
    check_equal(code, 0, f"exit code ({err})")
    check_equal((stats["accepted"], stats["delivered"], stats["dropped"]), (count, count, 0), "accounting")
    check_equal(server.rows("SELECT count(DISTINCT id) FROM observations"), [(count,)], "stored")
    check_equal(server.orphans(), 0, "observations without their parent")


@test
def past_the_memory_bound_the_drops_are_exact_and_traces_whole():
    count = 80000
    server = Local("bound").start()
    server.stop()
    process = run("tests/e2e/stress", 4, count // 4, 60000, url=server.url, background=True, LANGFUSE_MAX_QUEUE_BYTES="4000000",
                  LANGFUSE_FLUSH_INTERVAL="0.05", LANGFUSE_MAX_BATCH_SIZE_BYTES="200000")
    time.sleep(1.5 if not CHECKED else 6)
    server.start()
    code, out, err = finish(process)
    stats = json.loads(out)
    server.stop()
    check_equal(code, 0, f"exit code ({err})")
    check(stats["dropped"] > 0, "nothing was dropped: the test shows nothing")
    check_equal(stats["accepted"], count, "accepted")
    check_equal(stats["delivered"] + stats["dropped"], count, "delivered and dropped")
    check_equal(server.rows("SELECT count(DISTINCT id) FROM observations"), [(stats["delivered"],)], "stored")


@test
def a_refused_key_is_told_once_and_loses_nothing_else():
    with Local("key") as server:
        stats, err = stress(1, 100, 5000, url=server.url, LANGFUSE_SECRET_KEY="sk-lf-wrong")
        check_equal((stats["delivered"], stats["dropped"], stats["status"]), (0, 100, -9), "accounting")
        check_equal(err.count("langfuse:"), 1, f"lines on stderr ({err})")
        check("HTTP 401" in err and "LANGFUSE_SECRET_KEY" in err and "sk-lf-wrong" not in err, err)


@test
def without_keys_there_is_one_warning_and_silence():
    code, out, err = run("tests/e2e/stress", 2, 100, 1000)
    check_equal(code, 0, f"exit code ({err})")
    check_equal(json.loads(out)["accepted"], 0, "accepted")
    check_equal(err.count("\n"), 1, f"lines on stderr ({err})")
    check("LANGFUSE_PUBLIC_KEY" in err, err)


# ---- A bad server. Each script, what becomes of 1000 observations, what is said.

ALL, NONE = "all", "none"
BAD = [
    ("ok", ALL, "accepted"), ("garbage", ALL, "accepted"), ("big", ALL, "accepted"), ("slow:300", ALL, "accepted"),
    ("trickle:10", ALL, "accepted"), ("408,ok", ALL, "HTTP 408"), ("429,ok", ALL, "HTTP 429"), ("429:1,ok", ALL, "HTTP 429"),
    ("429:date,ok", ALL, "HTTP 429"), ("500,ok", ALL, "HTTP 500"), ("503,503,ok", ALL, "HTTP 503"), ("503:1,ok", ALL, "HTTP 503"),
    ("reset,ok", ALL, "cannot deliver"), ("close,ok", ALL, "cannot deliver"), ("nonsense,ok", ALL, "cannot deliver"),
    ("hang,ok", ALL, "cannot deliver"), ("refuse,ok", ALL, "cannot deliver"), ("413over:50000", ALL, "HTTP 413"),
    ("400", NONE, "HTTP 400"), ("401", NONE, "HTTP 401"), ("403", NONE, "HTTP 403"), ("404", NONE, "HTTP 404"),
    ("redirect", NONE, "redirect"), ("413", NONE, "HTTP 413"),
]


def bad_server_test(words, outcome, said):
    def body():
        with Bad(words) as server:
            stats, err = stress(1, 1000, 20000, url=server.url, OTEL_EXPORTER_OTLP_PROTOCOL="http/json", LANGFUSE_TIMEOUT="1.5")
            seen = server.seen()
            check_equal(stats["accepted"], 1000, "accepted")
            check_equal(stats["queued"], 0, "queued")
            want = 1000 if outcome == ALL else 0
            check_equal((stats["delivered"], stats["dropped"]), (want, 1000 - want), "accounting")
            # An answer that was lost on its way makes a double; a request that was refused does not.
            check_equal(len(set(seen)), want, "observations that the server took")
            check(said in err, f"nothing about {said}: {err}")
            check(err.count("langfuse:") <= 3, f"too much is said: {err}")
    body.__name__ = "bad_server_" + words
    TESTS.append(body)


for row in BAD:
    bad_server_test(*row)


@test
def one_bad_observation_is_found_and_alone_dropped():
    with Bad("400if:poison") as server:
        stats, _ = stress(1, 1000, 20000, url=server.url, OTEL_EXPORTER_OTLP_PROTOCOL="http/json")
        seen = server.seen()
        check_equal((stats["delivered"], stats["dropped"]), (999, 1), "accounting")
        check_equal(len(set(seen)), 999, "observations that the server took")


@test
def a_server_that_is_not_there_delays_exit_no_longer_than_promised():
    begin = time.time()
    stats, err = stress(1, 100, 500, url="http://127.0.0.1:9", LANGFUSE_EXIT_TIMEOUT_MS="1000")
    check_equal((stats["status"], stats["queued"]), (-3, 100), "accounting")
    check("cannot deliver" in err, err)
    check(time.time() - begin < (6 if not CHECKED else 30), "exit took too long")


# ---- Examples

def names(tree):
    return [(name, names(below)) for name, _, below in tree]


def example_test(path):
    name = os.path.basename(path)

    def body():
        with Local("example_" + name) as server:
            arguments = []
            if name == "ask":
                arguments = ["What happens when the server is down?"]
            code, out, err = run("examples/" + name, *arguments, url=server.url)
            check_equal(code, 0, f"exit code ({out}{err})")
            check_equal(server.orphans(), 0, "observations without their parent")
            count = server.rows("SELECT count(*) FROM observations")[0][0]
            check(count > 0, "nothing arrived")
            expected = os.path.join(HERE, "expected", name + ".json")
            if os.path.exists(expected):
                with open(expected, encoding="utf-8") as file:
                    want = json.load(file)
                check_equal(json.loads(json.dumps(names(server.tree()))), want, "names of the tree")
            code, out, err = finish(subprocess.Popen([BUILD + "/langfuse-local", "tree", "--db", server.db],
                                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
            check(code == 0 and out, f"no tree: {err}")
            with urllib.request.urlopen(server.url + "/api/public/health") as health:
                check_equal(json.load(health)["status"], "OK", "health")
    body.__name__ = "example_" + name
    TESTS.append(body)


for source in sorted(glob.glob(os.path.join(HERE, "../../examples/*.c"))):
    example_test(source[:-2])


def main():
    shutil.rmtree(WORK, ignore_errors=True)
    os.makedirs(WORK)
    only = os.environ.get("E2E_ONLY", "")
    failed = 0
    chosen = [t for t in TESTS if only in t.__name__]
    for function in chosen:
        begin = time.time()
        try:
            function()
            if os.environ.get("E2E_VERBOSE"):
                print(f"e2e: {function.__name__} {time.time() - begin:.1f} s", flush=True)
        except Exception as error:  # noqa: BLE001: a test that breaks is a test that failed
            failed += 1
            print(f"e2e: {function.__name__}: {error}", flush=True)
    print(f"e2e: {len(chosen) - failed} passed, {failed} failed")
    return 1 if failed or not chosen else 0


sys.exit(main())
