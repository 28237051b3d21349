"""Again and again what goes right nearly always: the end of a process at any microsecond, hooks that fork, sleep and exit, servers that
fail in every way, processes that fork, ten thousand threads. Each round must come out exact.

    run.py PROGRAM LANGFUSE_LOCAL [NAME...]      all rounds, or those named; SCALE=0.1 in the environment: a tenth of each

What a server gets is counted here, by id, from bodies in OTLP/JSON.
"""
import json
import os
import random
import re
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PROGRAM, LOCAL = map(os.path.abspath, sys.argv[1:3])
SCALE = float(os.environ.get("SCALE", "1"))
LIMIT_S = 120  # a run that takes longer hangs


def rounds(count):
    return max(1, int(count * SCALE))


def environment(**more):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("LANGFUSE_", "OTEL_"))}
    return clean | {"LANGFUSE_PUBLIC_KEY": "pk-lf-torture", "LANGFUSE_SECRET_KEY": "sk-lf-torture", "LANGFUSE_LOG": "quiet",
                    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json", "no_proxy": "*"} | more


def run(env, *arguments):
    """The program's status and output. A hang is status None."""
    try:
        done = subprocess.run([PROGRAM, *map(str, arguments)], env=env, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        return done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired:
        return None, "", ""


def numbers(text):
    return {name: int(value) for name, value in re.findall(r"(\w+) (\d+)", text)}


class Server(ThreadingHTTPServer):
    """Takes observations and remembers their ids; answers, or not, as `behave` says."""
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, behave):
        super().__init__(("127.0.0.1", 0), Handler)
        self.behave = behave
        self.lock = threading.Lock()
        self.ids = set()
        self.accepted_twice = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        pass  # connections that the test breaks

    def take(self, body):
        ids = [span["spanId"] for resource in json.loads(body)["resourceSpans"] for scope in resource["scopeSpans"]
               for span in scope["spans"]]
        with self.lock:
            self.accepted_twice += sum(one in self.ids for one in ids)
            self.ids.update(ids)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"{}", headers=()):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        what = self.server.behave()
        if what == "good":
            self.server.take(body)
            self.answer(200)
        elif what == "late":
            time.sleep(random.random() * 0.3)
            self.server.take(body)
            self.answer(200)
        elif what == "busy":
            self.answer(random.choice((429, 500, 502, 503)), b"busy", [("Retry-After", "0")] if random.random() < 0.3 else [])
        elif what == "garbage":
            self.wfile.write(b"SSH-2.0-garbage\r\n")
            self.close_connection = True
        elif what == "half":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Le")
            self.close_connection = True
        elif what == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.close_connection = True
        elif what == "hang":
            time.sleep(3)
            self.close_connection = True

    def do_GET(self):
        self.answer(404, b'{"message":"no such prompt"}')


# ---- The rounds: each returns what went wrong, as text, or nothing ----

def ends(mode):
    env = environment(LANGFUSE_BASE_URL="http://127.0.0.1:9", LANGFUSE_EXIT_TIMEOUT_MS="1")
    for i in range(rounds(1000)):
        us = i * 37 % 20000 if i % 2 else i * 7 % 4000
        status, _, _ = run(env, mode, us)
        if status != 0:
            yield f"main returned after {us} us: status {status}"


def stops():
    with tempfile.TemporaryDirectory() as folder:
        pipe = os.path.join(folder, "pipe")
        os.mkfifo(pipe)
        for _ in range(rounds(100)):
            status, said, _ = run(environment(LANGFUSE_EXPORTER=f"file:{pipe}"), "stop")
            if status != 0:
                yield f"status {status}, lf_shutdown(300) took {said.strip()} ms"


def hooks():
    server = Server(lambda: random.choice(("good", "busy", "reset", "late")))
    for i in range(rounds(300)):
        status, said, wrong = run(environment(LANGFUSE_BASE_URL=server.url()), "hooks", i)
        if status != 0:
            yield f"seed {i}: status {status}, {said.strip()} {wrong.strip()}"
    server.shutdown()


def faults():
    """Whatever the server does: what is delivered arrived, nothing is lost, nothing that was acknowledged is sent again."""
    for i in range(rounds(30)):
        kinds = random.choice((["good", "busy"], ["good", "reset", "half", "garbage"], ["good", "late", "hang"],
                               ["good", "busy", "reset", "half", "garbage", "late"]))
        server = Server(lambda kinds=kinds: random.choice(kinds))
        env = environment(LANGFUSE_BASE_URL=server.url(), LANGFUSE_TIMEOUT="1")
        count = 16 * 1000
        status, said, _ = run(env, "load", count)
        server.shutdown()
        got = numbers(said)
        if status != 0 or got.get("delivered") != count or len(server.ids) != count or server.accepted_twice != 0:
            yield f"{kinds}: status {status}, {said.strip()}, {len(server.ids)} arrived, {server.accepted_twice} twice"


def overload():
    """A server that is away for long and a queue of 1 MiB: what is not delivered is counted."""
    for _ in range(rounds(10)):
        away = time.monotonic() + 3
        server = Server(lambda away=away: "good" if time.monotonic() > away else "busy")
        env = environment(LANGFUSE_BASE_URL=server.url(), LANGFUSE_MAX_QUEUE_BYTES=str(1 << 20))
        status, said, _ = run(env, "load", 64000)
        server.shutdown()
        got = numbers(said)
        if status != 0 or got["accepted"] != 64000 or got["delivered"] != len(server.ids) or got["dropped"] == 0:
            yield f"status {status}, {said.strip()}, {len(server.ids)} arrived"


def forks():
    for _ in range(rounds(5)):
        server = Server(lambda: "good")
        env = environment(LANGFUSE_BASE_URL=server.url())
        status, said, _ = run(env, "forks", 100)
        server.shutdown()
        delivered = sum(int(number) for number in re.findall(r"delivered (\d+)", said))
        wanted = 4 * 2 * 5000 + 100
        if status != 0 or len(server.ids) != wanted or delivered != wanted - 50:  # half of the children print nothing
            yield f"status {status}, {delivered} delivered, {len(server.ids)} of {wanted} arrived"


def threads():
    for _ in range(rounds(3)):
        server = Server(lambda: "good")
        env = environment(LANGFUSE_BASE_URL=server.url())
        status, said, _ = run(env, "threads", 10000)
        server.shutdown()
        if status != 0 or len(server.ids) != 10000 * 10 or numbers(said).get("delivered") != 10000 * 10:
            yield f"status {status}, {said.strip()}, {len(server.ids)} arrived"


def memory():
    server = Server(lambda: "good")
    for n in range(1, rounds(300) + 1):
        status, said, wrong = run(environment(LANGFUSE_BASE_URL=server.url()), "memory", n)
        if status != 0:
            yield f"from allocation {n} on: status {status}, {said.strip()} {wrong.strip()}"
    server.shutdown()


def kill():
    """langfuse-local is killed again and again: each observation that it acknowledged is in its database once."""
    for i in range(rounds(5)):
        with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
            probe.close()
            database = os.path.join(folder, "local.db")
            command = [LOCAL, "serve", "--port", str(port), "--db", database, "--quiet", "--public-key", "pk-lf-torture",
                       "--secret-key", "sk-lf-torture"]
            exporter = "ingestion" if i % 2 else "otlp"
            env = environment(LANGFUSE_BASE_URL=f"http://127.0.0.1:{port}", LANGFUSE_EXPORTER=exporter, LANGFUSE_TIMEOUT="2")
            count = 64000
            load = subprocess.Popen([PROGRAM, "load", str(count)], env=env, stdout=subprocess.PIPE, text=True)
            while load.poll() is None:
                local = subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL)
                try:
                    load.wait(timeout=0.1 + random.random())
                except subprocess.TimeoutExpired:
                    pass
                if load.poll() is None:
                    local.kill()
                    local.wait()
            local.terminate()
            local.wait()
            said = load.stdout.read()
            with sqlite3.connect(database) as rows:
                stored = rows.execute("SELECT count(*) FROM observations").fetchone()[0]
                whole = rows.execute("PRAGMA integrity_check").fetchone()[0]
            if load.returncode != 0 or numbers(said).get("delivered") != count or stored != count or whole != "ok":
                yield f"{exporter}: status {load.returncode}, {said.strip()}, {stored} stored, {whole}"


def soak():
    server = Server(lambda: "good")
    status, said, _ = run(environment(LANGFUSE_BASE_URL=server.url()), "soak", rounds(60))
    server.shutdown()
    sizes = [int(size) for size in re.findall(r"memory (\d+)", said)]
    half = len(sizes) // 2
    if status != 0 or numbers(said).get("dropped") != 0 or max(sizes[half:]) > max(sizes[:half]) + 8192:
        yield f"status {status}, {said.strip().splitlines()[-1:]}, KiB {sizes}"


def silence():
    """A run that succeeds writes no byte to standard output or standard error."""
    server = Server(lambda: "good")
    env = environment(LANGFUSE_BASE_URL=server.url())
    del env["LANGFUSE_LOG"]
    status, said, wrong = run(env, "first", 1000)
    server.shutdown()
    if (status, said, wrong) != (0, "", ""):
        yield f"status {status}, {said!r} {wrong!r}"


ALL = {"first": lambda: ends("first"), "prompt": lambda: ends("prompt"), "stops": stops, "hooks": hooks, "faults": faults,
       "overload": overload, "forks": forks, "threads": threads, "memory": memory,
       "kill": kill, "soak": soak, "silence": silence}


def main():
    failed = 0
    for name in sys.argv[3:] or ALL:
        began = time.monotonic()
        wrong = list(ALL[name]())
        for line in wrong[:20]:
            print(f"torture: {name}: {line}")
        print(f"torture: {name}: {len(wrong)} failures, {time.monotonic() - began:.0f} s", flush=True)
        failed += len(wrong) != 0
    sys.exit(failed != 0)


main()
