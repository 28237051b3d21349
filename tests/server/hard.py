"""langfuse-local and bad clients: hard.py [PATH of langfuse-local]. Prints a line a failure and `hard: N passed, N failed`."""
import base64
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from harness import LIMIT, SERVER, check, equal, run_tests, test

WORK = tempfile.mkdtemp(prefix="langfuse-hard-test-")
KEYS = "Authorization: Basic " + base64.b64encode(b"pk-lf-local:sk-lf-local").decode() + "\r\n"
MIB = 1 << 20


class Server:
    def __init__(self, name, *arguments, files=None, file_bytes=None):
        self.db = os.path.join(WORK, name + ".db")
        self.errors = os.path.join(WORK, name + ".err")
        port_file = os.path.join(WORK, name + ".port")
        environment = {key: value for key, value in os.environ.items() if not key.startswith("LANGFUSE_")}
        def limit():
            for kind, value in ((resource.RLIMIT_NOFILE, files), (resource.RLIMIT_FSIZE, file_bytes)):
                if value:
                    resource.setrlimit(kind, (value, value))
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL) # Python ignores it
        with open(self.errors, "w") as errors:
            self.process = subprocess.Popen([SERVER, "serve", "--port", "0", "--port-file", port_file, "--db", self.db, *arguments],
                                            stdout=subprocess.DEVNULL, stderr=errors, env=environment, preexec_fn=limit)
        self.wait_until(lambda: os.path.exists(port_file), "the server listens")
        with open(port_file) as file:
            self.port = int(file.read())

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(LIMIT)
        if kind is None:
            equal(code, 0, "the exit status of the server")

    def wait_until(self, condition, what):
        end = time.monotonic() + LIMIT
        while not condition():
            check(time.monotonic() < end and self.process.poll() is None, "not so in time: " + what)
            time.sleep(0.01)

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), LIMIT)

    def peak_bytes(self):
        with open(f"/proc/{self.process.pid}/status") as file:
            return int(re.search(r"VmHWM:\s*(\d+)", file.read()).group(1)) << 10

    def said(self):
        with open(self.errors) as file:
            return file.read()

    def status(self, head, body=b""):
        with self.connect() as connection:
            connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\n" + body)
            return read_status(connection)

    def post(self, path, value):
        body = json.dumps(value).encode()
        return self.status(f"POST {path} HTTP/1.1\nHost: localhost\n{KEYS.strip()}\nContent-Type: application/json\n"
                           f"Content-Length: {len(body)}\n", body)

    def get(self, path):
        """status and JSON"""
        with self.connect() as connection:
            connection.sendall(f"GET {path} HTTP/1.0\r\n{KEYS}\r\n".encode())
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(body)


def read_status(connection):
    answer = b""
    while b"\r\n" not in answer:
        piece = connection.recv(4096)
        check(piece, "the connection ends without an answer")
        answer += piece
    return int(answer.split()[1])


def spans(trace, count, first=0):
    return {"resourceSpans": [{"scopeSpans": [{"spans": [
        {"traceId": trace, "spanId": f"{first + i:016x}", "name": "n", "startTimeUnixNano": str(1795239341000000000 + i * 10**6),
         "endTimeUnixNano": str(1795239341500000000 + i * 10**6)} for i in range(count)]}]}]}


@test
def other_hosts_are_refused():
    with Server("hosts", "--allow-host", "box.lan") as server:
        get = "GET /api/public/health HTTP/1.1\n"
        for host, status in (("localhost", 200), (f"127.0.0.1:{server.port}", 200), ("BOX.lan:1", 200), ("evil.example", 421)):
            equal(server.status(get + f"Host: {host}\n"), status, host)
        equal(server.status(get), 400, "no host")
        equal(server.status(get + "Host: localhost\nHost: localhost\n"), 400, "two hosts")
        equal(server.status("GET /api/public/health HTTP/1.0\n"), 200, "no host in HTTP/1.0")
        post = "POST /api/public/otel/v1/traces HTTP/1.1\nHost: evil.example\nContent-Length: 2\n"
        equal(server.status(post, b"{}"), 421, "a body")


@test
def a_word_in_a_parameter_makes_no_json():
    with Server("types") as server:
        body = b'{"batch":[]}'
        for kind, status in (("application/json", 207), ("Application/JSON; charset=utf-8", 207), ("text/plain; charset=json", 400),
                             ("text/json", 400)):
            head = f"POST /api/public/ingestion HTTP/1.1\nHost: localhost\n{KEYS.strip()}\nContent-Type: {kind}\n"
            equal(server.status(head + f"Content-Length: {len(body)}\n", body), status, kind)


@test
def open_servers_with_known_keys_warn():
    with Server("open", "--host", "0.0.0.0") as server:
        equal(server.said().count("warning: other machines"), 1, server.said())
    with Server("own", "--host", "0.0.0.0", "--secret-key", "mine") as server:
        equal(server.said(), "", "own keys")


@test
def bodies_without_keys_are_not_kept():
    with Server("keys") as server:
        before = server.peak_bytes()
        head = f"POST /api/public/otel/v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Length: {15 * MIB}\r\n\r\n".encode()
        connections = [server.connect() for _ in range(20)]
        for connection in connections:
            connection.sendall(head)
        for _ in range(15):
            for connection in connections:
                connection.sendall(bytes(MIB))
        for connection in connections:
            equal(read_status(connection), 401, "no keys")
            connection.close()
        check(server.peak_bytes() - before < 60 * MIB, f"{server.peak_bytes() - before} bytes more")


@test
def all_bodies_together_have_a_ceiling():
    with Server("bodies") as server:
        def begin(size):
            connection = server.connect()
            connection.sendall(f"POST /api/public/otel/v1/traces HTTP/1.1\r\nHost: localhost\r\n{KEYS}"
                               f"Content-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: {size}\r\n\r\n".encode())
            equal(read_status(connection), 100, "the headers are read")
            return connection
        large = [begin(16 * MIB) for _ in range(8)]
        with begin(MIB) as one_more:
            one_more.sendall(bytes(MIB))
            equal(read_status(one_more), 503, "no memory for one more")
        equal(server.post("/api/public/otel/v1/traces", {}), 503, "no memory for a small one")
        for connection in large:
            connection.close()
        server.wait_until(lambda: server.post("/api/public/otel/v1/traces", {}) == 200, "there is room again")


@test
def idle_connections_make_room():
    with Server("idle", files=256) as server:
        idle = [server.connect() for _ in range(600)]
        equal(server.post("/api/public/otel/v1/traces", spans("idle", 1)), 200, "a request behind idle connections")
        line, head = b"POST /api/public/ingestion HTTP/1.1\r\n", b"Host: localhost\r\nContent-Length: 1000\r\n\r\n"
        for begun in (b"POST /api", line + b"X-", line + head + b"{"): # the last one is refused for want of keys
            for _ in range(300):
                idle.append(server.connect())
                idle[-1].sendall(begun)
                equal(server.status("GET /api/public/health HTTP/1.0\n"), 200, f"a request behind {begun}")
        for connection in idle:
            connection.close()


@test
def a_crowded_server_ends_at_once():
    with Server("crowd", files=256) as server:
        begun = []
        while len(os.listdir(f"/proc/{server.process.pid}/fd")) < 200: # of them 192 connections at most
            begun.append(server.connect())
            begun[-1].sendall(b"POST /api/public/ingestion HTTP/1.0\r\nContent-Length: 1000\r\n" + KEYS.encode() + b"\r\n{")
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(LIMIT // 2) # half of the time after which idle connections end


@test
def many_read_and_write_at_once():
    with Server("many") as server:
        statuses, rounds = set(), 8
        def write(number):
            for i in range(rounds):
                statuses.add(server.post("/api/public/otel/v1/traces", spans(f"t{number}", 20, i * 20)))
                event = {"id": f"e{number}-{i}", "type": "trace-create", "timestamp": f"2026-01-01T00:00:{i:02}Z",
                         "body": {"id": "shared", "tags": [f"{number}"], "metadata": {f"k{number}": i}}}
                statuses.add(server.post("/api/public/ingestion", {"batch": [event]}))
        def read(number):
            for path in rounds * ("v2/observations?limit=100", "traces?limit=5", "v3/scores", "v2/prompts", f"traces/t{number}"):
                statuses.add(server.get("/api/public/" + path)[0])
        threads = [threading.Thread(target=run, args=(number,)) for number in range(3) for run in (write, read)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        check(statuses <= {200, 207, 404}, f"statuses {statuses}") # a trace is not there before its first observation
        equal(server.get("/api/local/count")[1], {"observations": 3 * rounds * 20, "traces": 4}, "what is stored")
        shared = server.get("/api/public/traces/shared")[1]
        equal((shared["tags"], shared["metadata"]), (["0", "1", "2"], {f"k{i}": rounds - 1 for i in range(3)}), "the shared trace")


@test
def a_removed_database_takes_nothing():
    with Server("removed") as server:
        equal(server.post("/api/public/otel/v1/traces", spans("t", 1)), 200, "before")
        for end in ("", "-wal", "-shm"):
            os.unlink(server.db + end)
        equal(server.post("/api/public/otel/v1/traces", spans("t", 1)), 500, "afterwards")
        event = {"id": "e", "type": "trace-create", "timestamp": "2026-01-01T00:00:00Z", "body": {"id": "t"}}
        equal(server.post("/api/public/ingestion", {"batch": [event]}), 500, "a batch")
        equal(server.said().count("the file of the database was removed or replaced"), 2, server.said())


@test
def files_that_may_not_grow_end_no_server():
    with Server("limit", file_bytes=MIB) as server:
        statuses = {server.post("/api/public/otel/v1/traces", {"resourceSpans": [{"scopeSpans": [{"spans": [
            {"traceId": "t", "spanId": f"{i}", "name": "n" * (MIB // 4)}]}]}]}) for i in range(8)}
        equal(statuses, {200, 500}, "statuses")
        equal(server.get("/api/public/health")[0], 200, "afterwards")


def main():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard != resource.RLIM_INFINITY and hard < 4096 else max(soft, 4096), hard))
    try:
        return run_tests("hard")
    finally:
        shutil.rmtree(WORK, ignore_errors=True)


sys.exit(main())
