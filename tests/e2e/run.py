"""End-to-end tests: real programs, a real server on the loopback interface, and a bad one.

Environment: BUILD (products), TEST_WRAPPER (such as valgrind, put before each program of ours), E2E_OBSERVATIONS (size of
the large run), E2E_ONLY (run only tests whose name contains it). Prints a line a failure and `N passed, N failed`.
"""
import base64
import glob
import hashlib
import http.server
import json
import math
import os
import re
import shlex
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import threading
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

    def __init__(self, name, port=0, options=()):
        self.db = os.path.join(WORK, name + ".db")
        self.port_file = os.path.join(WORK, name + ".port")
        self.port = port
        self.options = list(options)

    def start(self):
        if os.path.exists(self.port_file):
            os.remove(self.port_file)
        self.process = subprocess.Popen(
            [BUILD + "/langfuse-local", "serve", "--port", str(self.port), "--port-file", self.port_file, "--db", self.db]
            + self.options,
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
        """Every trace as ["name TYPE LEVEL", [children]], in the order of their start; DEFAULT levels are left out."""
        rows = self.rows("SELECT id, parent_id, name, type, level FROM observations ORDER BY start_ns, rowid DESC")
        children = {}
        ids = {row[0] for row in rows}
        for row in rows:
            children.setdefault(row[1] if row[1] in ids else "", []).append(row)

        def below(parent):
            return [[" ".join([name, kind] + [level] * (level != "DEFAULT")), below(id_)]
                    for id_, _, name, kind, level in children.get(parent, [])]
        return below("")

    def scores(self):
        """Every score as [name, type, value, of what, comment], sorted."""
        names = dict(self.rows("SELECT trace_id || id, name FROM observations"))
        roots = dict(self.rows("SELECT trace_id, name FROM observations WHERE parent_id = ''"))

        def target(trace, observation, session):
            if session:
                return "session " + session
            return "observation " + names[trace + observation] if observation else "trace " + roots[trace]
        return sorted([name, kind, value if kind in ("NUMERIC", "BOOLEAN") else text, target(*of), comment or ""]
                      for name, kind, value, text, comment, *of in self.rows(
                          "SELECT name, data_type, value, string_value, comment, trace_id, observation_id, session_id FROM scores"))

    def generation(self):
        """Of the only generation: model, parameters, usage, level, status message, input, output."""
        rows = self.rows("SELECT model, model_parameters, usage, level, status_message, input, output FROM observations"
                         " WHERE type = 'GENERATION'")
        check_equal(len(rows), 1, "generations")
        model, parameters, usage, level, message, given, said = rows[0]
        return model, json.loads(parameters), json.loads(usage), level, message, json.loads(given or "null"), said


class Bad:
    def __init__(self, words, health="404"):
        self.port_file = os.path.join(WORK, "bad.port")
        self.seen_file = os.path.join(WORK, "bad.seen")
        self.words = [words, health]

    def __enter__(self):
        for path in (self.port_file, self.seen_file):
            if os.path.exists(path):
                os.remove(path)
        self.process = subprocess.Popen([sys.executable, HERE + "/badserver.py", self.port_file, self.seen_file] + self.words)
        self.url = "http://127.0.0.1:" + wait_for(self.port_file, "the bad server")
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def seen(self):
        with open(self.seen_file, encoding="utf-8") as file:
            return [tuple(line.split()) for line in file]


def run(program, *arguments, url=None, seconds=240, background=False, stdin=None, **more):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("LANGFUSE_", "OTEL_", "OPENAI_"))}
    if url is not None:
        environment.update(KEYS, LANGFUSE_BASE_URL=url)
    environment.update(more)
    command = WRAPPER + [os.path.join(BUILD, program)] + [str(a) for a in arguments]
    process = subprocess.Popen(command, stdin=None if stdin is None else subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=environment, text=True)
    if stdin is not None:
        process.stdin.write(stdin)
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
NOTHING = ""  # when all is well nothing is said
BAD = [
    ("ok", ALL, NOTHING), ("garbage", ALL, NOTHING), ("big", ALL, NOTHING), ("slow:300", ALL, NOTHING),
    ("trickle:10", ALL, NOTHING), ("408,ok", ALL, "HTTP 408"), ("429,ok", ALL, "HTTP 429"), ("429:1,ok", ALL, "HTTP 429"),
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
            check(err.count("langfuse:") <= (0 if said == NOTHING else 2), f"too much is said: {err}")
    body.__name__ = "bad_server_" + words
    TESTS.append(body)


for row in BAD:
    bad_server_test(*row)


# What /health answers, what the endpoints do then, where 40 scores arrive (the others are dropped), what is said.
BAD_SCORES = [
    ("404", "ok", "batch", 40, NOTHING), ("4.58.0", "ok", "batch", 40, NOTHING), ("4.59.0", "ok", "list", 40, NOTHING),
    ("5.0.1", "ok", "list", 40, NOTHING), ("slow:300", "ok", "list", 40, NOTHING), ("hang", "ok", "batch", 40, NOTHING),
    ("close", "ok", "batch", 40, NOTHING), ("nonsense", "ok", "batch", 40, NOTHING), ("500", "ok", "batch", 40, NOTHING),
    ("4.59.0", "400list", "batch", 40, NOTHING), ("4.59.0", "404,ok", "batch", 40, NOTHING),
    ("4.16.0", "404batch", "list", 40, NOTHING), ("4.59.0", "207reject", "list", 39, "no such config"),
    ("4.59.0", "413over:1500", "list", 40, "HTTP 413"), ("4.59.0", "429:1,ok", "list", 40, "HTTP 429"),
    ("4.59.0", "500,ok", "list", 40, "HTTP 500"), ("4.59.0", "hang,ok", "list", 40, "cannot deliver"),
    ("4.59.0", "401", "list", 0, "HTTP 401"), ("4.16.0", "404", "list", 0, "HTTP 404"),
]


def bad_scores_test(health, words, kind, count, said):
    def body():
        with Bad(words, health) as server:
            code, out, err = run("tests/e2e/judge", 40, 20000, url=server.url, LANGFUSE_TIMEOUT="1.5")
            stats, seen = json.loads(out), server.seen()
            check_equal(code, 0, f"exit code ({err})")
            check_equal((stats["accepted"], stats["delivered"], stats["dropped"]), (40, count, 40 - count), "accounting")
            check_equal({one[0] for one in seen}, {kind} if count else set(), "kinds of requests that were taken")
            check_equal(len(set(seen)), count, "scores that the server took")
            check(said in err, f"nothing about {said}: {err}")
            check(err.count("langfuse:") == (0 if said == NOTHING else 1), f"too much is said: {err}")
    body.__name__ = f"bad_scores_{health}_{words}"
    TESTS.append(body)


for row in BAD_SCORES:
    bad_scores_test(*row)


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


@test
def what_is_observed_after_a_flush_is_sent_over_tls_at_exit():
    """The TLS library cleans up in an exit handler of its own: a new connection after that would crash."""
    names = []

    class Handler(http.server.BaseHTTPRequestHandler):  # HTTP/1.0: a connection a request
        def do_POST(self):
            for resource in json.loads(self.rfile.read(int(self.headers["Content-Length"])))["resourceSpans"]:
                names.extend(span["name"] for scope in resource["scopeSpans"] for span in scope["spans"])
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_):
            pass
    certificate = os.path.join(HERE, "loopback.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        code, _, err = run("tests/e2e/late", url=f"https://127.0.0.1:{server.server_address[1]}", SSL_CERT_FILE=certificate,
                           OTEL_EXPORTER_OTLP_PROTOCOL="http/json", LANGFUSE_EXIT_TIMEOUT_MS="60000")
    finally:
        server.shutdown()
        server.server_close()
    check_equal((code, names), (0, ["early", "late"]), f"exit code, observations ({err})")


# ---- Examples. Each has the tree it leaves in expected/NAME.json; below what runs in threads, the order is not looked at.

UNORDERED = ("handle_request AGENT",)
SCORES = {  # of the examples that make some
    "masking": [["reviewed", "NUMERIC", 1, "trace handle_mail", "approved by [email]"]],
    "scores": [
        ["brevity", "NUMERIC", 0.86, "observation complete", ""],
        ["brevity", "NUMERIC", 0.95, "observation complete", ""],
        ["correct", "BOOLEAN", 0, "trace ask", ""],
        ["correct", "BOOLEAN", 1, "trace ask", ""],
        ["output", "CORRECTION", "There is none.", "observation ask", ""],
        ["reason", "TEXT", "no answer", "trace ask", ""],
        ["reason", "TEXT", "the capital is Paris", "trace ask", ""],
        ["satisfaction", "NUMERIC", 4, "session session_abc", "survey after the chat"],
        ["tone", "CATEGORICAL", "neutral", "observation complete", ""],
        ["tone", "CATEGORICAL", "neutral", "observation complete", ""],
        ["user-feedback", "BOOLEAN", 1, "observation ask", "helpful"],
    ],
}
CORPUS = os.path.join(HERE, "corpus")
ASK = ("What happens when the server is down?", CORPUS)


def in_order(tree):
    return [[what, sorted(in_order(below)) if what in UNORDERED else in_order(below)] for what, below in tree]


def check_tree(server, name):
    with open(os.path.join(HERE, "expected", name + ".json"), encoding="utf-8") as file:
        want = json.load(file)
    got = server.tree()
    check(in_order(got) == in_order(want), f"the tree: expected\n{json.dumps(want)}, got\n{json.dumps(got)}")
    check_equal(server.orphans(), 0, "observations without their parent")
    check_equal(server.scores(), SCORES.get(name, []), "scores")


@test
def langfuse_local_run_shows_what_a_program_did():
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("LANGFUSE_", "OTEL_"))}
    code, out, err = finish(subprocess.Popen(
        [BUILD + "/langfuse-local", "run", "--no-preload", "--", *WRAPPER, BUILD + "/examples/hello"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True))
    check_equal((code, out), (0, "4\n"), "the program")
    check(re.search(r'^span answer .*\n   in   \{"question":"What is 2 \+ 2\?"\}\n   out  4\n$', err, flags=re.M), f"no tree: {err}")


def example_test(path):
    name = os.path.basename(path)

    def body():
        with Local("example_" + name) as server:
            code, out, err = run("examples/" + name, *(ASK if name == "ask" else ()), url=server.url)
            check_equal(code, 0, f"exit code ({out}{err})")
            check_tree(server, name)
            code, out, err = finish(subprocess.Popen([BUILD + "/langfuse-local", "tree", "--db", server.db],
                                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
            check(code == 0 and out, f"no tree: {err}")
            with urllib.request.urlopen(server.url + "/api/public/health") as health:
                check_equal(json.load(health)["status"], "OK", "health")
    body.__name__ = "example_" + name
    TESTS.append(body)


for source in sorted(glob.glob(os.path.join(HERE, "../../examples/*.c"))):
    if os.path.basename(source) != "chat.c":  # needs a model
        example_test(source[:-2])


def ids_of(seed):
    """The ids of a trace and an observation that have this text for an id."""
    digest = hashlib.sha256(seed.encode()).hexdigest()
    return digest[:32], digest[:16]


@test
def manual_keeps_the_ids_times_and_counts_of_the_program():
    with Local("manual_details") as server:
        code, out, err = run("examples/manual", url=server.url)
        check_equal((code, out), (0, "order-4711: Short and sweet.\n"), f"what it printed ({err})")
        check_equal(server.rows("SELECT DISTINCT trace_id FROM observations WHERE name IN ('document-pipeline', 'summarize')"),
                    [ids_of("order-4711")[:1]], "trace of the order")
        noon, second = 1767268800 * 10**9, 10**9
        trace, (_, batch) = ids_of("log-2026-01-01")[0], ids_of("batch-1")
        calls = [(trace, ids_of(f"batch-1-call-{i}")[1], batch, noon + (i + 1) * second, noon + (i + 1) * second + second // 2)
                 for i in range(2)]
        check_equal(server.rows("SELECT trace_id, id, parent_id, start_ns, end_ns FROM observations WHERE trace_id = ?"
                                " ORDER BY start_ns", trace), [(trace, batch, "", noon, noon + 3 * second)] + calls, "imported log")
        usage, output, first = server.rows("SELECT usage, output, completion_start_ms FROM observations"
                                           " WHERE name = 'summarize'")[0]
        check_equal((json.loads(usage), output), ({"input": 12, "output": 4, "total": 16}, "Short and sweet."), "generation")
        check(first > 0, "the first piece of the stream has no time")
        check_equal(server.rows("SELECT start_ns = end_ns FROM observations WHERE type = 'EVENT'"), [(1,)], "length of the event")
        # A second run writes the imported observations again, not others beside them.
        before = server.rows("SELECT count(*) FROM observations")[0][0]
        check_equal(run("examples/manual", url=server.url)[0], 0, "exit code")
        check_equal(server.rows("SELECT count(*) FROM observations")[0][0], 2 * before - 3, "observations after two runs")


@test
def attributes_reach_every_observation_of_their_scope():
    with Local("attributes_details") as server:
        code, out, err = run("examples/attributes", url=server.url)
        check_equal(code, 0, f"exit code ({err})")
        trace = ids_of("req_12345")[0]
        check_equal(out.splitlines()[:3], [f"req_12345: {trace}", "The sky is blue because of scattering.",
                                           f"{server.url}/project/local/traces/{trace}"], "what it printed")
        rows = server.rows("SELECT name, version, user_id, session_id, trace_name, is_public, tags, trace_metadata, trace_input,"
                           " trace_output FROM observations WHERE trace_id = ? ORDER BY start_ns, rowid DESC", trace)
        whole = ("user_123", "session_abc", "support-chat", 1)
        texts = ("Why is the sky blue?", "The sky is blue because of scattering.")
        metadata = {"plan": "pro", "region": "eu", "finish_reason": "stop"}
        outer = ("1.9", ["support", "web", "long-answer"], metadata)
        inner = ("2.0-rc1", ["support", "web", "experiment-7", "long-answer"], {**metadata, "variant": "b"})
        check_equal([(r[0], (r[1], json.loads(r[6]), json.loads(r[7])), r[2:6], r[8:]) for r in rows],
                    [(name, about, whole, texts) for name, about in (("handle-request", outer), ("answer", inner),
                                                                     ("complete", inner), ("log_access", outer))], "attributes")


@test
def masking_lets_no_secret_out():
    with Local("masking_details") as server:
        code, out, err = run("examples/masking", url=server.url)
        check_equal(code, 0, f"exit code ({err})")
        check("grace@example.org" in out, "the program itself must see the address")
        with sqlite3.connect(server.db) as db:
            stored = "\n".join(db.iterdump())
        check("[email]" in stored, "nothing is masked")
        for secret in ("@example", "grace@", "ada@", "the.boss", "copy@", "correct horse"):
            check(secret not in stored, f"{secret} was sent")
        check_equal(json.loads(server.rows("SELECT input FROM observations WHERE name = 'handle_mail'")[0][0]),
                    {"from": "[email]", "mail": "Please answer to\n[email], copy to [email] Thanks!"}, "input")


# What examples/prompt prints: the version, where it came from, the text and the answer.
CRITIC = {1: "As a critic: what do you think of Dune? A long film about sand and the people in it.",
          2: "As a critic, in short: what about Dune? Sand."}
CHAT = [{"role": "system", "content": "You are a critic of Dune."}, {"role": "user", "content": "Who made it?"},
        {"role": "assistant", "content": "Denis Villeneuve."}, {"role": "user", "content": "Should I see Dune?"}]


PATIENT = {"LANGFUSE_TIMEOUT": "60"}  # under a checker a request may take long


def reviews(out):
    """Each line as (version, source, text); the messages of a chat as values."""
    lines = [re.fullmatch(r"version (\d+), (\w+): (.*)", line).groups() for line in out.splitlines()]
    return [(int(version), source, json.loads(text) if text[0] == "[" else text) for version, source, text in lines]


def generations(server):
    """The prompt each is linked to (an empty name: none), and what the model was given."""
    return server.rows("SELECT prompt_name, prompt_version, input FROM observations WHERE type = 'GENERATION' ORDER BY start_ns")


@test
def prompts_follow_their_label_and_generations_their_prompt():
    with Local("prompt_details") as server:
        code, out, err = run("examples/prompt", url=server.url, **PATIENT)
        check_equal(code, 0, f"exit code ({err})")
        check_equal(reviews(out), [(1, "fresh", CRITIC[1]), (1, "cached", CRITIC[1]), (1, "fresh", CRITIC[1]),
                                   (2, "fresh", CRITIC[2]), (1, "fresh", CRITIC[1]), (1, "fresh", CHAT)], f"what it printed ({err})")
        check_equal([row[:2] for row in generations(server)],
                    [("movie-critic", version) for version in (1, 1, 1, 2, 1)] + [("movie-chat", 1)], "links")
        check_equal(json.loads(generations(server)[5][2]), CHAT, "input of the chat")
        rows = server.rows("SELECT version, type, content, config, commit_message, labels, tags FROM prompts"
                           " WHERE name = 'movie-critic' ORDER BY version")
        check_equal([(v, kind, json.loads(config), why, sorted(json.loads(labels)), json.loads(tags))
                     for v, kind, _, config, why, labels, tags in rows],
                    [(1, "text", {"model": "tiny-1", "temperature": 0.2}, "as the manual has it", ["production"], ["demo"]),
                     (2, "text", {"model": "tiny-1", "temperature": 0.2}, "shorter", ["latest", "staging"], ["demo"])], "prompts")


@test
def prompts_outlive_their_server_on_disk():
    cache = {"LANGFUSE_PROMPT_CACHE_DIR": os.path.join(WORK, "prompt_cache"), **PATIENT}
    with Local("prompt_offline") as server:
        code, _, err = run("examples/prompt", url=server.url, **cache)
        check_equal(code, 0, f"exit code ({err})")
    code, out, err = run("examples/prompt", url=server.url, LANGFUSE_EXIT_TIMEOUT_MS="100", **cache)
    check_equal(code, 0, f"exit code ({err})")
    check_equal(reviews(out), [(1, "stale", CRITIC[1])] * 5 + [(1, "stale", CHAT)], f"what it printed ({err})")


@test
def a_fallback_is_used_when_the_server_refuses_and_linked_to_nothing():
    file = os.path.join(WORK, "prompt.otlp")
    with Local("prompt_fallback") as server:
        code, out, err = run("examples/prompt", url=server.url, LANGFUSE_EXPORTER="file:" + file, **PATIENT)
        check_equal((code, reviews(out)[3]), (0, (2, "fresh", CRITIC[2])), f"with traces in a file ({err})")
        with open(file, encoding="utf-8") as traces:
            check_equal(traces.read().count('"langfuse.observation.prompt.name"'), 6, "links")
        os.remove(file)
        code, out, err = run("examples/prompt", url=server.url, LANGFUSE_EXPORTER="file:" + file,
                             LANGFUSE_SECRET_KEY="sk-lf-wrong", **PATIENT)
    asked = [{"role": "system", "content": "You know all about Dune."}, {"role": "user", "content": "Is Dune worth it?"}]
    text = "What do you think of Dune? A long film about sand and the people in it."
    check_equal((code, reviews(out)), (0, [(0, "fallback", text)] * 5 + [(0, "fallback", asked)]), f"what it printed ({err})")
    check_equal(err.count("its fallback is used"), 1, f"warnings ({err})")
    check("HTTP 401" in err and "sk-lf-wrong" not in err, err)
    with open(file, encoding="utf-8") as traces:
        recorded = traces.read()
    check("What do you think of Dune?" in recorded, "nothing was recorded")
    check("langfuse.observation.prompt" not in recorded, "a fallback is linked")


@test
def prompts_do_without_tracing():
    with Local("prompt_untraced") as server:
        for switched_off in ({"LANGFUSE_TRACING_ENABLED": "false"}, {"LANGFUSE_SAMPLE_RATE": "0"}):
            code, out, err = run("examples/prompt", url=server.url, **switched_off, **PATIENT)
            check_equal((code, [row[1] for row in reviews(out)]), (0, ["fresh", "cached"] + ["fresh"] * 4), f"sources ({err})")
        check_equal(server.tree(), [], "tree")


@test
def prompts_do_without_keys():
    code, out, err = run("examples/prompt")
    check_equal((code, [row[:2] for row in reviews(out)]), (0, [(0, "fallback")] * 6), f"what it printed ({err})")
    check_equal(err.count("nothing is created: no keys"), 3, f"what the program says of it ({err})")


class Service:
    """A server among the examples."""

    def __init__(self, local, name="distributed/server"):
        self.process = run("examples/" + name, url=local.url, background=True)
        self.url = self.process.stdout.readline().strip()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.process.terminate()
        code, _, err = finish(self.process)
        check(kind is not None or code == 0, f"exit code of the server: {code} ({err})")


@test
def two_programs_make_one_trace():
    with Local("distributed") as server:
        with Service(server) as service:
            code, out, err = run("examples/distributed/client", service.url, "Oslo", "New York", url=server.url)
            check_equal((code, out), (0, "Oslo: -3 degrees\nNew York: 21 degrees\n"), f"what the client printed ({err})")
        check_tree(server, "distributed")
        check_equal(server.rows("SELECT count(DISTINCT trace_id), count(*) FROM observations"), [(1, 9)], "traces, observations")
        check_equal(server.rows("SELECT DISTINCT user_id, session_id, tags FROM observations"),
                    [("user_123", "session_abc", '["demo","two programs"]')], "attributes, on both sides")
        check_equal(server.rows("SELECT name FROM observations WHERE is_app_root"), [("weather",)], "roots of a program")


@test
def a_service_that_is_asked_without_headers_begins_a_trace():
    with Local("distributed_alone") as server:
        with Service(server) as service, urllib.request.urlopen(service.url + "/?city=Oslo") as answer:
            check_equal(answer.read(), b"-3 degrees", "answer")
        check_equal(server.tree(), [["answer SPAN", [["look_up TOOL", []]]]], "tree")


@test
def a_client_whose_service_is_not_there_records_the_error():
    with Local("distributed_refused") as server:
        code, out, err = run("examples/distributed/client", "http://127.0.0.1:9", "Oslo", url=server.url)
        check_equal((code, out), (1, "Oslo: no answer\n"), f"what the client printed ({err})")
        check_equal(server.tree(), [["weather SPAN", [["ask CHAIN", [["get TOOL ERROR", []]]]]]], "tree")


def threads_of(process):
    return len(os.listdir(f"/proc/{process.pid}/task"))


def ask_at_once(service, count):
    """So many requests, all of them open before one is complete; every second one belongs to a trace of the caller's."""
    port = int(service.url.rsplit(":", 1)[1])
    sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
    for i, one in enumerate(sockets):
        one.sendall(f"GET /q{i} HTTP/1.0\r\n".encode())
    for i, one in enumerate(sockets):
        one.sendall(f"traceparent: 00-{i + 1:032x}-{i + 1:016x}-01\r\n\r\n".encode() if i % 2 else b"\r\n")
    threads = threads_of(service.process)
    answers = []
    for one in sockets:
        with one, one.makefile("rb") as stream:
            answers.append(stream.read().decode().rsplit("\r\n\r\n", 1)[-1])
    check_equal(answers, [f"What do you think of q{i}?\n" for i in range(count)], "answers")
    check_equal(max(threads, threads_of(service.process)), 1, "threads of the service")


def check_requests_apart(server, count, children):
    rows = server.rows("SELECT trace_id, parent_id, id, input FROM observations WHERE name = 'request'")
    check_equal(len(rows), count, "requests")
    for trace_id, parent_id, id, text in rows:
        i = int(text.strip('"')[1:])
        caller = (f"{i + 1:032x}", f"{i + 1:016x}") if i % 2 else (trace_id, "")
        check_equal((trace_id, parent_id or ""), caller, f"trace and parent of request {i}")
        below = server.rows("SELECT name, trace_id FROM observations WHERE parent_id = ? ORDER BY name", id)
        check_equal(below, [(name, trace_id) for name in children], f"below request {i}")
    check_equal(len({row[0] for row in rows}), count, "traces")


def event_loop_test(name, count, children):
    def body():
        with Local(name) as server:
            with Service(server, "event_loops/" + name) as service:
                ask_at_once(service, count)
            check_requests_apart(server, count, children)
    body.__name__ = f"{count}_requests_of_one_{name}_loop_keep_apart"
    TESTS.append(body)


event_loop_test("epoll", 1000, ["count_words", "finish"])
event_loop_test("microhttpd", 300, ["ask_model", "finish"])  # its connections are suspended meanwhile


def sorted_tree(tree):
    return sorted([what, sorted_tree(below)] for what, below in tree)


@test
def metadata_that_looks_like_something_else_reads_back_as_it_was():
    want = {"digits": "123", "number": 123, "word": "premium", "true": "true", "null": "null", "quoted": '"q"',
            "object": '{"a":[1]}', "blank": " 1.5 ", "large": "18446744073709551615", "trace digits": "007", "trace list": "[]",
            "scope digits": "123", "scope number": 123, "scope word": "premium", "external_trace_id": "12345"}
    for protocol in ("http/protobuf", "http/json"):
        with Local("texts") as server:
            code, out, err = run("tests/e2e/texts", url=server.url, OTEL_EXPORTER_OTLP_PROTOCOL=protocol)
            check_equal((code, out, err), (0, "", ""), "the program")
            keys = base64.b64encode("{LANGFUSE_PUBLIC_KEY}:{LANGFUSE_SECRET_KEY}".format(**KEYS).encode()).decode()
            request = urllib.request.Request(server.url + "/api/public/v2/observations?fields=core,metadata",
                                             headers={"Authorization": "Basic " + keys})
            with urllib.request.urlopen(request) as answer:
                metadata = json.load(answer)["data"][0]["metadata"]
            check_equal({key: metadata.get(key) for key in want}, want, "metadata")


@test
def scores_arrive_alike_at_servers_of_all_versions():
    for version, way in (("4.16.0", "/api/public/ingestion"), ("4.59.0", "/api/public/scores"), ("5.1.0", "/api/public/scores")):
        with Local("version-" + version, options=["--version-as", version]) as server:
            code, out, err = run("examples/scores", url=server.url, LANGFUSE_LOG="debug")
            check_equal(code, 0, f"exit code ({err})")
            check_equal(server.scores(), SCORES["scores"], f"{version}: scores")
            check(f"scores go to {server.url}{way}" in err, f"{version}: {err}")
            check("refused" not in err, err)


@test
def examples_arrive_as_batches_too():
    """Times have milliseconds there, so the order of siblings says nothing."""
    for name in ("manual", "attributes", "scores", "masking"):
        with Local("batches_" + name) as server:
            code, out, err = run("examples/" + name, url=server.url, LANGFUSE_EXPORTER="ingestion")
            check_equal(code, 0, f"{name}: exit code ({out}{err})")
            with open(os.path.join(HERE, "expected", name + ".json"), encoding="utf-8") as file:
                check_equal(sorted_tree(server.tree()), sorted_tree(json.load(file)), f"{name}: tree")
            check_equal(server.scores(), SCORES.get(name, []), f"{name}: scores")
            check_equal(server.orphans(), 0, f"{name}: observations without their parent")


@test
def what_is_sampled_out_takes_its_scores_along():
    with Local("sampled") as server:
        code, out, err = run("examples/scores", url=server.url, LANGFUSE_SAMPLE_RATE="0")
        check_equal(code, 0, f"exit code ({out}{err})")
        check_equal(server.tree(), [], "tree")
        check_equal([score[0] for score in server.scores()], ["satisfaction"], "scores, of the session only")


@test
def examples_work_without_keys():
    for name in ("manual", "attributes", "scores", "masking"):
        code, out, err = run("examples/" + name)
        check_equal(code, 0, f"{name}: exit code ({out}{err})")
        check(err.count("\n") == 1 and "LANGFUSE_PUBLIC_KEY" in err, f"{name}: on stderr: {err}")


@test
def ask_answers_from_the_corpus_with_or_without_keys():
    with Local("ask_keys") as server:
        code, out, err = run("examples/ask", *ASK, url=server.url)
        check_equal(code, 0, f"exit code ({err})")
        check_equal(out.splitlines()[0], "When the server is down, observations wait in memory and are sent again later."
                    f" [{CORPUS}/delivery.md:1]", "answer")
        check_equal(server.rows("SELECT output FROM observations WHERE parent_id = ''"), [(out,)], "output of the trace")
    check_equal(run("examples/ask", *ASK)[:2], (0, out), "without keys")
    check_equal(run("examples/ask", "-t", "1", *ASK)[:2], (0, out), "with one thread")
    check_equal(run("examples/ask", "-t", "16", *ASK)[:2], (0, out), "with more threads than passages")


def words_of(text):
    """In lower case, without the s of plurals."""
    return [w[:-1] if len(w) > 3 and w.endswith("s") and not w.endswith("ss") else w for w in re.findall(r"\w+", text.lower())]


def bm25(terms, passages, k1=1.2, b=0.75):
    """The score of each passage."""
    words = [words_of(p) for p in passages]
    mean = sum(map(len, words)) / len(words)
    scores = [0.0] * len(words)
    for term in terms:
        having = sum(term in w for w in words)
        weight = math.log(1 + (len(words) - having + 0.5) / (having + 0.5))
        for i, w in enumerate(words):
            count = w.count(term)
            scores[i] += weight * count * (k1 + 1) / (count + k1 * (1 - b + b * len(w) / mean))
    return scores


@test
def ask_ranks_passages_by_bm25():
    passages = []
    for name in ("delivery.md", "more/threads.md", "notes.txt"):
        with open(os.path.join(CORPUS, name), encoding="utf-8") as file:
            text = re.sub(r"```.*?```\n", "", file.read(), flags=re.DOTALL)
        passages += re.sub(r"(?m)^(#.*)\n\n", r"\1\n", text).strip().split("\n\n")
    for question, terms in (("Status?", "status"), ("The exit of a program and patience", "exit program patience"),
                            ("Trace, the servers, a STATUS", "trace server status"), ("Deliveries, deliveries", "deliveries")):
        with Local("ask_rank_" + terms.split()[0]) as server:
            code, _, err = run("examples/ask", "-n", "20", question, CORPUS, url=server.url)
            check_equal(code, 0, f"exit code ({err})")
            (found, metadata), = server.rows("SELECT output, metadata FROM observations WHERE name = 'search'")
        scores = bm25(words_of(terms), passages)
        best_first = [p for s, p in sorted(zip(scores, passages), key=lambda pair: -pair[0]) if s > 0]
        got = [" ".join(p.split()) for p in re.split(r"(?m)^\[\d+\] .*:\d+\n", found)[1:]]
        check_equal(got, [" ".join(p.split()) for p in best_first], f"passages for {question!r}")
        searched, count, best = (float(json.loads(metadata)[key]) for key in ("searched", "found", "best_score"))
        check_equal((searched, count), (len(passages), len(best_first)), "counts")
        check(abs(best - max(scores)) < 1e-9, f"best score: expected {max(scores)}, got {best}")


@test
def ask_tells_what_it_cannot():
    with Local("ask_not") as server:
        code, out, err = run("examples/ask", "Xyzzy?", CORPUS, url=server.url)
        check_equal((code, out), (1, ""), f"nothing found ({err})")
        check("nothing found" in err, err)
        check_tree(server, "ask_not_found")
    for arguments in ((), ("-n", "0", "x"), ("-t", "17", "x"), ("-x", "x"), ("x", CORPUS + "/none.md")):
        code, out, err = run("examples/ask", *arguments)
        check_equal((code, out), (2, ""), f"{arguments} ({err})")
        check("ask" in err, err)


class Chat:
    """A chat model that gives these answers, (status, body) or (status, body, headers), the last one again and again, and keeps
    what it was asked."""

    def __init__(self, *answers):
        asked = self.asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                status, body, headers = (answers[min(len(asked), len(answers) - 1)] + ({},))[:3]
                asked.append((self.path, self.headers, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
                self.send_response(status)
                for name, value in dict({"Content-Length": str(len(body))}, **headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass
        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def variables(self):
        return {"OPENAI_BASE_URL": self.url, "OPENAI_API_KEY": "sk-scripted", "OPENAI_MODEL": "scripted"}


def stream(*deltas, reason="stop", usage=None):
    """A streamed reply of such deltas."""
    chunks = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    chunks.append({"choices": [], "usage": usage or {"prompt_tokens": 321, "completion_tokens": 7, "total_tokens": 328}})
    lines = ["data: " + json.dumps(dict({"id": "chatcmpl-1", "model": "scripted-2026"}, **chunk)) for chunk in chunks]
    return "\n\n".join([": scripted"] + lines + ["data: [DONE]", ""]).encode()


def tool_call(index, name, *pieces):
    """The deltas of a call of a tool whose arguments come in pieces."""
    head = {"index": index, "id": f"call_{index}", "type": "function", "function": {"name": name, "arguments": ""}}
    return [{"role": "assistant", "content": None, "tool_calls": [head]}] + \
        [{"tool_calls": [{"index": index, "function": {"arguments": piece}}]} for piece in pieces]


def check_no_key(server):
    check_equal(server.rows("SELECT count(*) FROM observations WHERE input || output || metadata || status_message LIKE"
                            " '%sk-scripted%'"), [(0,)], "observations with the key of the model")


def ask_model(name, tree, *answers):
    """What ask printed, what it said on stderr, the generation it left or None for several, and what the model was asked."""
    with Local(name) as server, Chat(*answers) as model:
        code, out, err = run("examples/ask", *ASK, url=server.url, **model.variables())
        check_equal(code, 0, f"exit code ({err})")
        check_equal(len(model.asked), len(answers), "requests to the model")
        check_tree(server, tree)
        check_no_key(server)
        return out, err, server.generation() if len(answers) == 1 else None, model.asked


@test
def ask_records_what_a_chat_model_answers_and_uses():
    usage = {"prompt_tokens": 321, "completion_tokens": 7, "total_tokens": 328, "prompt_tokens_details": {"cached_tokens": 300}}
    body = stream({"role": "assistant", "content": ""}, {"content": "They "}, {"content": "wait. [1]"}, usage=usage)
    out, err, generation, asked = ask_model("ask_chat", "ask_chat", (200, body, {"Content-Type": "text/event-stream"}))
    (path, headers, body), = asked
    check_equal((out, err), ("They wait. [1]\n", ""), "answer")
    check_equal((path, headers["Authorization"]), ("/v1/chat/completions", "Bearer sk-scripted"), "request")
    check_equal((body["model"], body["temperature"], body["stream"]), ("scripted", 0.2, True), "model asked")
    check("observations wait in memory" in body["messages"][-1]["content"] and ASK[0] in body["messages"][-1]["content"],
          f"the passages and the question are not in {body}")
    model, parameters, usage, level, message, given, said = generation
    check_equal((model, parameters["temperature"], parameters["max_tokens"]), ("scripted-2026", 0.2, 300), "model, parameters")
    check_equal(usage, {"input": 21, "input_cached_tokens": 300, "output": 7, "total": 328}, "usage")
    check_equal((level, message, given), ("DEFAULT", "", body["messages"]), "level, message, input")
    check_equal(json.loads(said)["content"], "They wait. [1]", "output")


@test
def ask_tries_a_busy_model_again():
    busy = (429, b'{"error": {"message": "slow down"}}', {"Retry-After": "1"})
    out, err, _, _ = ask_model("ask_again", "ask_again", busy, (200, stream({"content": "They wait."})))
    check_equal((out, err), ("They wait.\n", ""), "answer")


FALL_BACK = [
    ("400", 400, b'{"error": {"message": "too many words"}}', "HTTP 400: too many words", "ERROR"),
    ("401", 401, b'{"error": {"message": "bad key sk-scripted"}}', "HTTP 401: bad key", "ERROR"),
    ("garbage", 200, b"\x00\xff<html>", "no chat completion", "ERROR"),
    ("nothing", 200, stream({"role": "assistant", "content": None}), "no text", "DEFAULT"),
    ("halfway", 200, stream({"content": "They"}).split(b"data: ")[0] + b'data: {"error": {"message": "lost it"}}\n\n', "lost it",
     "ERROR"),
]


def fall_back_test(name, status, body, said, level):
    def case():
        tree = "ask_fall_back" if level == "ERROR" else "ask_no_text"
        out, err, generation, _ = ask_model("ask_fall_back_" + name, tree, (status, body))
        check(re.match(r"(They\n)?When the server is down", out), f"answer: {out}")
        check("ask: model failed: " in err and said in err and "answering from passages" in err, f"on stderr: {err}")
        check("sk-scripted" not in err, f"the key is on stderr: {err}")
        check_equal(generation[3], level, "level")
        check(level == "DEFAULT" or said in generation[4], f"status message: {generation[4]}")
    case.__name__ = "ask_falls_back_" + name
    TESTS.append(case)


for row in FALL_BACK:
    fall_back_test(*row)


TURNS = (
    (200, stream({"role": "assistant", "content": "Hello"}, {"content": "!"})),
    (200, stream(*tool_call(0, "clock", "{}"), *tool_call(1, "calculate", '{"expre', 'ssion": "(1 + 2) * 3.5 / -2"}'),
                 *tool_call(2, "calculate", '{"expression": "1 +"}'), *tool_call(3, "fly", "no JSON"), reason="tool_calls")),
    (200, stream({"content": "It is late, and the result is -5.25."})),
)


@test
def a_loop_over_curl_multi_asks_a_model_many_questions_at_once():
    def reply(text):
        choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
        return 200, json.dumps({"model": "scripted-2026", "choices": [choice], "usage": usage}).encode()
    questions = [f"Question {i}?" for i in range(20)]
    with Local("curl_multi") as server, Chat((503, b'{"error": {"message": "busy"}}'), reply("Yes.")) as model:
        code, out, err = run("examples/event_loops/curl_multi", *questions, url=server.url, **model.variables())
        check_equal((code, out.count("Yes."), err.count("no answer")), (1, 19, 1), f"what it printed ({err})")
        good, bad = ["question CHAIN", [["OpenAI-generation GENERATION", []]]], \
            ["question CHAIN ERROR", [["OpenAI-generation GENERATION ERROR", []]]]
        check_equal(sorted(server.tree()), sorted([good] * 19 + [bad]), "tree")
        check_equal(server.rows("SELECT status_message FROM observations WHERE type = 'GENERATION' AND level = 'ERROR'"),
                    [("HTTP 503: busy",)], "status message")
        check_equal(server.rows("SELECT count(DISTINCT trace_id) FROM observations"), [(20,)], "traces")
        check_no_key(server)


@test
def chat_talks_in_turns_and_calls_tools():
    with Local("chat") as server, Chat(*TURNS) as model:
        process = run("examples/chat", url=server.url, background=True, stdin="Hi\n\nHow late is it?\n", **model.variables())
        code, out, err = finish(process)
        check_equal((code, out, err), (0, "Hello!\nIt is late, and the result is -5.25.\n", ""), "what it printed")
        check_tree(server, "chat")
        check_no_key(server)
        check_equal(len(server.rows("SELECT DISTINCT session_id FROM observations")), 1, "sessions")
        check_equal(server.rows("SELECT count(DISTINCT trace_id) FROM observations"), [(2,)], "traces")
        told = [message["content"] for message in model.asked[2][2]["messages"] if message["role"] == "tool"]
        check_equal(told[1:], ["-5.25", "That is no arithmetic expression.", "There is no tool fly."], "what the tools said")
        roles = [message["role"] for message in model.asked[2][2]["messages"]]
        check_equal(roles, ["system", "user", "assistant", "user", "assistant"] + ["tool"] * 4, "the conversation")
        usage = server.rows("SELECT usage FROM observations WHERE type = 'GENERATION'")
        check_equal([json.loads(row[0]) for row in usage], [{"input": 321, "output": 7, "total": 328}] * 3, "usage")


@test
def chat_says_why_a_turn_has_no_answer_and_goes_on():
    with Chat((400, b'{"error": {"message": "no such model"}}'), TURNS[0]) as model:
        code, out, err = finish(run("examples/chat", background=True, stdin="Hi\nHi", LANGFUSE_LOG="quiet", **model.variables()))
        check_equal((code, out), (1, "\nHello!\n"), "what it printed")
        check("chat: " in err and "HTTP 400: no such model" in err, f"on stderr: {err}")
        check_equal([message["role"] for message in model.asked[1][2]["messages"]], ["system", "user"], "the conversation")


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
