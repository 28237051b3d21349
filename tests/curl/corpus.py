"""Each case of tests/models over a socket, through each packaging of langfuse/curl.h: a server sends the body in pieces, and what
is recorded must be what the case expects. The program must receive what was sent.

Environment: as run.py, and MODEL_CASES, a folder with more cases. Prints a line a failure and `curl corpus: N passed, M failed`.

Cases without an HTTP status (cancelled-no-bytes, curl-no-bytes) get status 200: behind a head alone libcurl has their codes.
"""
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

import run
import server

FOLDERS = [os.path.join(run.ROOT, "tests/models"), os.path.join(run.ROOT, "../shared/model-streams"),
           os.environ.get("MODEL_CASES", "")]
ALL = 0 # a size: the body in one piece
CHUNKED = (1, 3) # the others have a length, unless the program stops: then it must see where the body ends
SIZES = {"run": (1, 2, 3, 7, ALL)}
FEW_SIZES = (1, ALL)
STOPS = (23, 42)
CUT = 18
SECONDS = 240


class Case:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.__dict__.update(json.load(file))
        with open(path.replace(".case.json", ".body"), "rb") as file:
            self.body = file.read()
        self.path = self.url.split("://", 1)[1].split("/", 1)[1]
        self.http_status = self.http_status or 200
        self.bytes_hash = 2166136261
        for byte in self.body:
            self.bytes_hash = (self.bytes_hash ^ byte) * 16777619 & 0xffffffff

    def is_chunked(self, size):
        return size in CHUNKED or self.curl_code in STOPS

    def pieces(self, size):
        size = size or max(len(self.body), 1)
        return [self.body[at:at + size] for at in range(0, len(self.body), size)]

    def line(self, base, number, size):
        """What the program reads. The JSON has no tab and no line end in it."""
        stop = f"{self.curl_code} {len(self.body)}" if self.curl_code in STOPS else "- 0"
        return f"{base}/{number}/{size}/{self.path}\t{json.dumps(self.request, separators=(',', ':'))}\t{stop}"


def read_cases():
    paths = [path for folder in FOLDERS if folder for path in sorted(glob.glob(os.path.join(folder, "*.case.json")))]
    return [Case(path) for path in paths]


class Handler(server.Handler):
    disable_nagle_algorithm = True
    cases = []

    def do_POST(self):
        _, number, size, _ = self.path.split("/", 3)
        self.body()
        self.reply(self.cases[int(number)], int(size))

    def reply(self, case, size):
        is_cut, chunked = case.curl_code == CUT, case.is_chunked(size)
        framing = ("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(len(case.body) + is_cut))
        self.head(case.http_status, ("Content-Type", case.content_type), framing)
        for piece in case.pieces(size):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece) # not buffered: each one by itself
        if case.curl_code in STOPS:
            self.wait_for_stop(case.curl_code)
        elif chunked and not is_cut:
            self.wfile.write(b"0\r\n\r\n")
        self.close_connection = bool(case.curl_code)

    def wait_for_stop(self, code):
        try:
            if code == 23:
                self.wfile.write(b"1\r\n \r\n") # what the program refuses
            self.rfile.read(1)
        except OSError:
            pass


# ---- What is recorded ---------------------------------------------------------------------------------------------------


def read_spans(path):
    """By case and size: the attributes of the generations."""
    spans = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            for resource in json.loads(line)["resourceSpans"]:
                for scope in resource["scopeSpans"]:
                    for span in scope["spans"]:
                        said = run.said_of(span)
                        number, size = said["metadata.url"].split("/")[3:5]
                        spans.setdefault((int(number), int(size)), []).append(said)
    return spans


def mended(recorded):
    """JSON in which half a surrogate pair, which is recorded as the server sent it, is U+FFFD."""
    return json.loads(re.sub("[\ud800-\udfff]", "\ufffd", json.dumps(json.loads(recorded), ensure_ascii=False)))


def is_same(recorded, expected):
    """Texts stand as they are, other values as JSON, and what there is none of is absent."""
    if expected is None or recorded is None:
        return recorded is None and expected is None
    if recorded == expected:
        return True
    try:
        return mended(recorded) == expected
    except (TypeError, ValueError):
        return False


def expected_message(case, recorded):
    """The transport's error is told in its own words, and by its code. A message has no NUL."""
    expected = (case.expected.get("status_message") or "").replace("\0", "\ufffd") or None
    code = f"({case.curl_code})"
    return recorded if expected and expected.endswith(code) and recorded and recorded.endswith(code) else expected


def differences(case, said):
    expected = case.expected
    wanted = {key: expected.get(key) for key in ("output", "usage_details", "cost_details")}
    wanted.update({"model.name": expected["model"], "metadata.finish_reason": expected["finish_reason"],
                   "level": None if expected["level"] == "DEFAULT" else expected["level"],
                   "status_message": expected_message(case, said.get("status_message")), "metadata.http_status": case.http_status})
    wanted.update({f"metadata.{key}": value for key, value in expected.get("metadata", {}).items()})
    wrong = [f"{key} is {said.get(key)!r:.300}, not {value!r:.300}" for key, value in wanted.items()
             if not is_same(said.get(key), value)]
    if ("completion_start_time" in said) != (expected["first_token_event"] is not None):
        wrong.append(f"completion_start_time is {said.get('completion_start_time')}")
    tier = json.loads(said.get("model.parameters", "{}")).get("service_tier")
    if "service_tier" in expected and tier != expected["service_tier"]:
        wrong.append(f"service_tier is {tier}, not {expected['service_tier']}")
    return wrong


# ---- What the program receives --------------------------------------------------------------------------------------------


def received_wrong(case, size, line):
    """Chunks come apart, however they arrive."""
    code, status, count, bytes_hash, pieces = (int(word) for word in line.split())
    got, sent = (code, status, count, bytes_hash), (case.curl_code, case.http_status, len(case.body), case.bytes_hash)
    wrong = [f"the program got {got}, not {sent}"] if got != sent else []
    if case.is_chunked(size) and pieces < len(case.pieces(size)):
        wrong.append(f"it came in {pieces} pieces")
    return wrong


def check(way, flags, preloads, work, host):
    """(how many calls, what is wrong)"""
    program, path, calls_path = (os.path.join(work, name) for name in ("program", "spans.jsonl", "calls"))
    run.compile_program("corpus.c", flags, program)
    calls = [(number, size) for size in SIZES.get(way, FEW_SIZES) for number in range(len(Handler.cases))]
    with open(calls_path, "w", encoding="utf-8") as file:
        file.writelines(Handler.cases[number].line(host.url, number, size) + "\n" for number, size in calls)
    done = subprocess.run([program, calls_path], env=run.environment(path, preloads), capture_output=True, text=True,
                          timeout=SECONDS, check=False)
    lines = done.stdout.splitlines()
    if done.returncode != 0 or done.stderr or len(lines) != len(calls):
        return len(calls), [f"{way}: status {done.returncode}, {len(lines)} calls of {len(calls)}: {done.stderr[:500]}"]
    spans, wrong = read_spans(path), []
    for (number, size), line in zip(calls, lines):
        case, found = Handler.cases[number], spans.get((number, size), [])
        faults = received_wrong(case, size, line)
        faults += differences(case, found[0]) if len(found) == 1 else [f"{len(found)} generations"]
        wrong += [f"{way}: {case.name} in pieces of {size or 'all'}: {'; '.join(faults)}"] if faults else []
    return len(calls), wrong


def main():
    passed = failed = 0
    Handler.cases = read_cases()
    host = server.Server(Handler)
    with tempfile.TemporaryDirectory(prefix="langfuse-corpus.") as work:
        for way, (flags, preloads) in run.WAYS.items():
            if os.environ.get("CURL_ONLY", "") not in way:
                continue
            count, wrong = check(way, flags, preloads, work, host)
            passed, failed = passed + count - len(wrong), failed + len(wrong)
            for line in wrong:
                print(f"curl corpus: {line}", flush=True)
    print(f"curl corpus: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
