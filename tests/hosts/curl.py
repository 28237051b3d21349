"""libcurl against a server that answers number n with a text of its own. How often a callback is called is up to the network,
so its observations are counted by what they say: together they are what was sent."""
import collections
import http.server
import json
import os
import threading

import common
from common import check, check_equal, check_stats
from traces import Trees, attributes_of, given_of, remark_of

TESTS, test = common.registry()
WRITE_ERROR, ABORTED = "23", "42"  # CURLE_WRITE_ERROR, CURLE_ABORTED_BY_CALLBACK
UPLOADED = 300000
COUNT = 160


def text_of(n):
    return f"answer {n} " * (2000 + 10 * (n % 50))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    parents = {}

    def do_GET(self):
        n = int(os.path.basename(self.path))
        Handler.parents[n] = self.headers.get("traceparent")
        body = text_of(n).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            for at in range(0, len(body), 5000):
                self.wfile.write(body[at:at + 5000])
        except OSError:  # the client has given up
            self.close_connection = True

    def do_PUT(self):
        try:
            self.rfile.read(int(self.headers["Content-Length"]))
        except OSError:
            pass
        self.do_GET()

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_):  # a client that gives up is no error of the test
        pass


class Host(common.Host):
    def __enter__(self):
        super().__enter__()
        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def fetch(self, mode, **more):
        return common.run([self.product("curl"), self.url, mode, str(COUNT)], **more)


def said_of(span):
    said = attributes_of(span)
    return collections.namedtuple("Said", "name given output remark rest")(
        span["name"], given_of(said), said.pop("output", None), remark_of(said), said)


def check_failure(n, said):
    """Of a transfer: which callback gave it up, and how that is told."""
    want = {0: "", 1: WRITE_ERROR, 2: ABORTED if n % 8 == 6 else "", 3: ABORTED}[n % 4]
    check_equal(said.remark, f'ERROR "{want}"' if want else "", f"failure of transfer {n}")


def check_output(n, said):
    """A prefix of the answer, all of it if nobody gave up; on_progress may do so when all has come."""
    output, whole = said.output or "", text_of(n)
    if said.remark == "":
        check_equal(output, whole, f"output of transfer {n}")
    else:
        check(whole.startswith(output), f"output of transfer {n} is of another")
    if n % 4 == 1:
        check(3000 <= len(output) < len(whole), f"transfer {n} gave up after {len(output)} bytes")


def check_upload(n, pieces):
    sent = 0
    for piece in pieces:
        if piece.remark:
            check_equal((piece.remark, n % 8), (f'ERROR "not more than {sent}"', 6), "a refused upload")
            return
        sent += int(piece.output)
        check_equal(int(piece.rest["metadata.sent"]), sent, f"bytes of upload {n} so far")
    check_equal((sent, n % 8), (UPLOADED, 2), "uploaded")


def check_easy(trees):
    seen = set()
    for root in trees.roots():
        said = said_of(root)
        n = said.given["n"]
        seen.add(n)
        check_equal(said.name, "fetch", "root")
        check_failure(n, said)
        check_output(n, said)
        check_equal(int(said.rest["metadata.received"]), len(said.output or ""), "bytes received")
        children = [said_of(child) for child in trees.children(root)]
        check(all(not trees.children(child) for child in trees.children(root)), "a callback within a callback")
        uploads = [c for c in children if c.name == "on_upload"]
        check_upload(n, uploads) if n % 4 == 2 else check_equal(uploads, [], "uploads")
        progress = [c.remark for c in children if c.name == "on_progress"]
        check_equal(progress, ['ERROR "given up"'] * (n % 4 == 3), "what on_progress says")
        others = collections.Counter(c.name for c in children if c.name not in ("on_upload", "on_progress"))
        check_equal(dict(others), {} if n % 8 == 6 else {"on_status": 1}, f"other children of {n}")
    check_equal(seen, set(range(COUNT)), "transfers")


@test
def callbacks_are_children_of_the_transfer_they_serve(host):
    path = host.trace_file()
    out = host.fetch("easy", LANGFUSE_EXPORTER="file:" + path)
    trees = Trees(path)
    check_stats(out, len(trees.spans))
    check_easy(trees)
    for root in trees.roots():
        n = said_of(root).given["n"]
        if n % 8 != 6:
            check_equal(Handler.parents[n][3:52], f"{root['traceId']}-{root['spanId']}", f"traceparent of {n}")


def check_transfer(n, trees, root):
    said = said_of(root)
    check_failure(n, said)
    check_output(n, said)
    pieces = [said_of(child) for child in trees.children(root)]
    check_equal({piece.name for piece in pieces}, {"on_piece"} if said.output else set(), "children of a transfer")
    check_equal(sum(int(piece.output) for piece in pieces), len(said.output or ""), f"pieces of transfer {n}")


@test
def transfers_at_once_keep_their_own_pieces(host):
    path = host.trace_file()
    out = host.fetch("multi", LANGFUSE_EXPORTER="file:" + path)
    trees = Trees(path)
    check_stats(out, len(trees.spans))
    by_name = collections.defaultdict(list)
    for root in trees.roots():
        by_name[root["name"]].append(root)
    check_equal({name: len(roots) for name, roots in by_name.items()}, {"transfer": COUNT, "drive": COUNT // 8}, "traces")
    check_equal(sorted(said_of(root).given["n"] for root in by_name["transfer"]), list(range(COUNT)), "transfers")
    for root in by_name["transfer"]:
        check_transfer(said_of(root).given["n"], trees, root)
    for root in by_name["drive"]:
        first = said_of(root).given["first"]
        children = collections.Counter(child["name"] for child in trees.children(root) if child["name"] != "on_upload")
        aborted = sum(n % 8 == 6 for n in range(first, first + 8))
        check_equal(dict(children), {"on_status": 8 - aborted, "on_progress": 2}, "children of drive")


@test
def a_server_has_the_same(host):
    with common.Local(host.build, host.work) as server:
        out = host.fetch("easy", LANGFUSE_BASE_URL=server.url, **common.KEYS)
        spans, traces = server.rows("SELECT count(*), count(DISTINCT trace_id) FROM observations")[0]
        check_equal(traces, COUNT, "traces")
        check_stats(out, spans)
        for given, output, level in server.rows("SELECT input, output, level FROM observations WHERE name = 'fetch'"):
            n = json.loads(given)["n"]
            check_equal(level, "DEFAULT" if n % 4 == 0 or n % 8 == 2 else "ERROR", f"level of {n}")
            check(text_of(n).startswith(output or ""), f"output of {n}")
        check_equal(server.rows("SELECT count(*) FROM observations WHERE type = 'GUARDRAIL' AND level = 'ERROR'"),
                    [(COUNT // 4,)], "given up")
