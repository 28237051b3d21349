"""A server that answers as models do, by the path /CASE/KIND/...: the same bytes for the same request."""
import gzip
import json
import socketserver
import threading
import time
from http.server import BaseHTTPRequestHandler

REPLY = json.dumps({"id": "c1", "object": "chat.completion", "model": "small-1", "choices": [{"index": 0, "finish_reason": "stop", "message": {
    "role": "assistant", "content": "Because."}}], "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}}).encode()
ERROR = b'{"error":{"message":"too many requests","type":"rate_limit"}}'


def event(delta, finish=None):
    return b"data: " + json.dumps({"id": "c2", "object": "chat.completion.chunk", "model": "small-1", "choices": [
        {"index": 0, "delta": delta, "finish_reason": finish}]}).encode() + b"\n\n"


STREAM = [event({"role": "assistant", "content": ""}), event({"content": "Be"}), event({"content": "cause."}), event({}, "stop"),
          b"data: [DONE]\n\n"]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def log_message(self, *_):
        pass

    def head(self, status, *headers):
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()

    def send(self, status, body, *headers):
        self.head(status, ("Content-Type", "application/json"), ("Content-Length", str(len(body))), *headers)
        self.wfile.write(body)

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            pieces = []
            while size := int(self.rfile.readline(), 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(pieces)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def chunks(self, pieces):
        self.head(200, ("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked"))
        for piece in pieces:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
            time.sleep(0.002) # so that they arrive apart, mostly

    def endless(self):
        self.chunks(STREAM[:1])
        try:
            while True:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(STREAM[1]), STREAM[1]))
                self.wfile.flush()
                time.sleep(0.01)
        except OSError:
            self.close_connection = True

    def do_POST(self):
        _, case, kind, rest = self.path.split("/", 3)
        body = self.body()
        self.server.asked.append((case, dict(self.headers), body))
        if kind == "json":
            self.send(200, REPLY)
        elif kind == "ids":
            self.send(200, REPLY, ("x-request-id", "req-1"), ("X-Litellm-Response-Cost", "0.25"), ("Set-Cookie", "hidden"))
        elif kind == "stream":
            self.chunks(STREAM)
            self.wfile.write(b"0\r\n\r\n")
        elif kind == "cut":
            self.chunks(STREAM[:2])
            self.close_connection = True
        elif kind == "endless":
            self.endless()
        elif kind == "429":
            self.send(429, ERROR, ("Retry-After", "20"))
        elif kind == "echo":
            self.send(200, REPLY.replace(b"Because.", f"{len(body)} bytes, sum {sum(body)}".encode()))
        elif kind == "form":
            self.send(200, b'{"text":"what was said"}')
        elif kind == "gzip":
            self.send(200, gzip.compress(REPLY, mtime=0), ("Content-Encoding", "gzip"))
        elif kind == "identity":
            self.send(200, REPLY, ("Content-Encoding", "identity"))
        elif kind.startswith("3"):
            self.send(int(kind), b"{}", ("Location", f"/{case}/json/{rest}"))
        else:
            self.send(404, b"{}")

    def do_GET(self):
        self.send(200, b'{"page":true}')


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, handler=Handler):
        super().__init__(("127.0.0.1", 0), handler)
        self.asked = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass
