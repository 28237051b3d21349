"""A server that misbehaves as it is told, one word a request; the last word repeats.

    badserver.py PORT_FILE SEEN_FILE WORD[,WORD...] [HEALTH]

Words: ok, a status (401), 429:SECONDS (with Retry-After), 429:date (the same as a date), garbage (200 with noise as its body),
nonsense (not HTTP), big (200 with 10 MB), reset (in the middle of the body), close (without an answer), slow:MS, trickle:MS
(a byte at a time), hang, redirect, refuse (nobody listens for a second), 413over:BYTES, 400if:TEXT; of scores also 400list,
404batch (a status of one of the two endpoints, the other one is well) and 207reject (a list of which the first score is rejected).
HEALTH is what /health answers, which takes no word: a version, or one of the words above; by default 404.
The ids of accepted spans (OTLP/JSON) and scores go to SEEN_FILE, a line each, so that doubles can be told.
"""
import email.utils
import json
import os
import socket
import struct
import sys
import threading
import time

port_file, seen_file, words = sys.argv[1], sys.argv[2], sys.argv[3].split(",")
health = sys.argv[4] if len(sys.argv) > 4 else "404"
lock = threading.Lock()
listener = None


def listen(port):
    global listener
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", port))
    server.listen(16)
    listener = server
    return server.getsockname()[1]


def next_word():
    with lock:
        return words.pop(0) if len(words) > 1 else words[0]


def head(peer):
    data = b""
    while b"\r\n\r\n" not in data:
        more = peer.recv(65536)
        if not more:
            return None, None
        data += more
    lines, _, rest = data.partition(b"\r\n\r\n")
    return lines.decode("latin-1"), rest


def answer(peer, status, body=b'{"id":"1"}', *headers):
    extra = "".join(h + "\r\n" for h in headers)
    peer.sendall(f"HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
                 .encode() + body)


def accept_spans(body):
    with lock, open(seen_file, "a", encoding="utf-8") as seen:
        for resource in json.loads(body)["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                for span in scope["spans"]:
                    seen.write(f"{span['traceId']} {span['spanId']} {span.get('parentSpanId', '-')}\n")


def accept_scores(body, rejected):
    scores = json.loads(body)
    kind = "list" if isinstance(scores, list) else "batch"
    with lock, open(seen_file, "a", encoding="utf-8") as seen:
        for score in scores[rejected:] if kind == "list" else [event["body"] for event in scores["batch"]]:
            seen.write(f"{kind} {score['id']}\n")
    return len(scores)


def answer_scores(peer, body, word):
    """Take them, as a list or as a batch."""
    rejected = int(word == "207reject")
    count = accept_scores(body, rejected)
    if not isinstance(json.loads(body), list):
        answer(peer, 207, b'{"successes":[],"errors":[]}')
    elif rejected:
        answer(peer, 207, b'{"accepted":%d,"rejected":1,"errors":[{"message":"no such config"}]}' % (count - 1))
    else:
        answer(peer, 202, b'{"message":"Accepted"}')


def reset(peer):
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def serve_one(peer):
    lines, body = head(peer)
    if lines is None:
        return False
    length = next((int(l.split(":")[1]) for l in lines.split("\r\n") if l.lower().startswith("content-length:")), 0)
    asks_health = lines.startswith("GET /api/public/health ")
    word, _, detail = (health if asks_health else next_word()).partition(":")
    if word == "reset":
        reset(peer)
        return False
    while len(body) < length:
        more = peer.recv(1 << 20)
        if not more:
            return False
        body += more
    if word == "close":
        return False
    if word == "hang":
        time.sleep(30)
        return False
    if word == "nonsense":
        peer.sendall(b"\x00\x01\x02 this is not HTTP\r\n\r\n")
        return False
    if word == "refuse":
        port = listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        peer.close()
        time.sleep(1)
        listen(port)
        return False
    if word == "redirect":
        answer(peer, 302, b"", "Location: /elsewhere")
        return True
    if word == "413over":
        word = "413" if length > int(detail) else "ok"
    if word == "400if":
        word = "400" if detail.encode() in body else "ok"
    if word in ("400list", "404batch"):
        is_list = lines.startswith("POST /api/public/scores ")
        word = word[:3] if is_list == (word[3:] == "list") else "ok"
    if word.isdigit():
        headers = []
        if detail == "date":
            headers = ["Retry-After: " + email.utils.formatdate(time.time() + 2, usegmt=True)]
        elif detail:
            headers = [f"Retry-After: {detail}"]
        answer(peer, int(word), b'{"message":"told to say so"}', *headers)
        return True
    if word == "slow":
        time.sleep(int(detail) / 1000)
    if asks_health:
        answer(peer, 200, json.dumps({"status": "OK", "version": word if word[0].isdigit() else "4.59.0"}).encode())
        return True
    if "/otel/" not in lines.split("\r\n")[0]:
        answer_scores(peer, body, word)
        return True
    accept_spans(body)
    if word == "garbage":
        answer(peer, 200, b"\xff" + os.urandom(499))  # no protobuf, which could be a partial success
    elif word == "big":
        answer(peer, 200, b"x" * 10_000_000)
        return False
    elif word == "trickle":
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}":
            peer.sendall(bytes([byte]))
            time.sleep(int(detail) / 1000)
    else:
        answer(peer, 200)
    return True


def connection(peer):
    try:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while serve_one(peer):
            pass
    except OSError:
        pass
    finally:
        peer.close()


port = listen(0)
open(seen_file, "w").close()
with open(port_file + ".new", "w", encoding="utf-8") as file:
    file.write(str(port))
os.rename(port_file + ".new", port_file)
while True:
    try:
        peer, _ = listener.accept()
    except OSError:  # closed by "refuse", soon open again
        time.sleep(0.05)
        continue
    threading.Thread(target=connection, args=(peer,), daemon=True).start()
