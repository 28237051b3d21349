"""Requests and the answers that a real server gave, replayed against langfuse-local: recorded.py [PATH of langfuse-local] [WORD...]
With words, only cases whose name contains one of them are compared; all are sent. Prints a line a difference and
`recorded: N passed, M failed`.

A file of cases/ is one conversation with one server: `serve`, its options, and `cases` in their order, each with `name`, `request`
(`method`, `path`, `headers`, `body`, and `auth` where it is not the keys) and `response` (`status`, `body`; without `body` only the
status is compared). A text of an expected body may have (time), (uuid) and (any) in it. A case with `keep` names values of its
answer, by their paths; later requests and answers have them as $NAME.

$RECORDED_CASES, else ../shared/reference/recorded beside the checkout, is a folder with one such case a file, where it is there:
those are replayed, too, in the order of FIRST and then by name. NOT_COMPARED and NOT_SENT say which are left out, and why.
"""
import base64
import glob
import gzip
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SERVER = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build/langfuse-local")
WORDS = sys.argv[2:]
RECORDED = os.environ.get("RECORDED_CASES") or os.path.join(HERE, "../../../shared/reference/recorded")
PUBLIC, SECRET = "pk-lf-1234", "sk-lf-1234"
LIMIT = 60  # seconds that no answer needs, also under valgrind


# ---- A server


class Server:
    def __init__(self, options):
        self.folder = tempfile.TemporaryDirectory(prefix="langfuse-recorded-test-")
        port_file = os.path.join(self.folder.name, "port")
        self.log = os.path.join(self.folder.name, "log")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [SERVER, "serve", "--port", "0", "--db", os.path.join(self.folder.name, "db"), "--port-file", port_file,
                 "--public-key", PUBLIC, "--secret-key", SECRET, "--quiet"] + options, stdout=log, stderr=log)
        deadline = time.monotonic() + LIMIT
        while not os.path.exists(port_file):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                sys.exit("recorded: langfuse-local does not start: " + self.said())
            time.sleep(0.01)
        with open(port_file, encoding="utf-8") as file:
            self.port = int(file.read())

    def send(self, method, path, headers, body):
        """Status and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def close(self):
        """A checker that the server is built with tells what it found in the exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        if self.process.wait(LIMIT) != 0:
            sys.exit(f"recorded: langfuse-local ended with {self.process.returncode}: {self.said()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
        self.folder.cleanup()


# ---- A request


def basic(name, password):
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


AUTH = {
    None: basic(PUBLIC, SECRET),
    "none": None,
    "basic, empty": "Basic ",
    "basic, keys swapped": basic(SECRET, PUBLIC),
    "basic, wrong public key with a right secret key": basic("pk-lf-other", SECRET),
    "basic, wrong secret key": basic(PUBLIC, "sk-lf-wrong"),
    "bearer, public key": "Bearer " + PUBLIC,
    "bearer, unknown key": "Bearer pk-lf-unknown",
    "scheme Token": "Token " + PUBLIC,
    "scheme written 'basic'": basic(PUBLIC, SECRET).replace("Basic", "basic"),
}


def span(trace="0af7651916cd43dd8448eb211c80319c", **more):
    return {"traceId": trace, "spanId": "b7ad6b7169203331", "name": "made", "startTimeUnixNano": "1795239341857000000",
            "endTimeUnixNano": "1795239342857000000", **more}


def export(*spans):
    return {"resourceSpans": [{"scopeSpans": [{"scope": {"name": "langfuse-sdk"}, "spans": list(spans)}]}]}


def field(number, data):
    """A field of protobuf that has bytes, shorter than 128."""
    return bytes([number << 3 | 2, len(data)]) + data


def protobuf_export():
    one = field(1, bytes(range(1, 17))) + field(2, bytes(range(1, 9))) + field(5, b"made")
    return field(1, field(2, field(1, field(1, b"langfuse-sdk")) + field(2, one)))


def score_event(comment):
    return {"batch": [{"id": "h2", "type": "score-create", "timestamp": "2026-11-21T05:41:42.000Z",
                       "body": {"id": "h2", "traceId": "t", "name": "q", "value": 1, "comment": comment}}]}


# Bodies that a file describes instead of having them.
MADE = {
    "(a batch of 4.0 MB, one score-create with id h2)": lambda: score_event("c" * 4000000),
    "(a batch of 4.8 MB)": lambda: score_event("c" * 4800000),
    "(a comment of 1.1 MB)": lambda: {"name": "q", "value": 1, "traceId": "t", "comment": "c" * 1100000},
    "(a prompt of 1.1 MB)": lambda: {"name": "large", "prompt": "p" * 1100000},
    "(one span with an input of 10 MB)": lambda: export(span(attributes=[{"key": "langfuse.observation.input",
                                                                          "value": {"stringValue": "i" * 10000000}}])),
    "(5000 spans)": lambda: export(*(span(spanId=f"{i:016x}") for i in range(1, 5001))),
    "(gzip of an ExportTraceServiceRequest in JSON)": lambda: gzip.compress(json.dumps(export(span())).encode()),
    "(gzip of {\"batch\":[]})": lambda: gzip.compress(b'{"batch":[]}'),
    "(binary ExportTraceServiceRequest, two spans)": protobuf_export,
    "(gzip of a binary ExportTraceServiceRequest)": lambda: gzip.compress(protobuf_export()),
}


def body_of(request):
    body = request.get("body")
    if isinstance(body, str) and body in MADE:
        body = MADE[body]()
    if isinstance(body, (dict, list)):
        body = json.dumps(body)
    return body.encode() if isinstance(body, str) else body


def send(server, request):
    headers = dict(request.get("headers") or {})
    auth = AUTH[request.get("auth")]
    if auth is not None:
        headers["authorization"] = auth
    return server.send(request["method"], request["path"], headers, body_of(request))


# ---- An answer


TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
WILD = {"(time)": TIME.pattern, "(uuid)": UUID.pattern, "(any)": ".*"}


def fits(got, wanted):
    """Whether a value is the wanted one, whose texts may have wild cards."""
    if isinstance(wanted, str) and "(" in wanted and isinstance(got, str):
        parts = re.split(r"(\((?:time|uuid|any)\))", wanted)
        return re.fullmatch("".join(WILD.get(part) or re.escape(part) for part in parts), got, re.S) is not None
    return got == wanted and isinstance(got, bool) == isinstance(wanted, bool)


def short(value):
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) < 300 else text[:300] + "..."


def differences(path, got, wanted):
    if wanted == "(any)":
        return
    if isinstance(got, dict) and isinstance(wanted, dict):
        if "(uuid)" in wanted:
            got = {UUID.sub("(uuid)", key): value for key, value in got.items()}
        for key in sorted(got.keys() | wanted.keys()):
            if key not in got:
                yield f"{path}.{key}: absent, not {short(wanted[key])}"
            elif key not in wanted:
                yield f"{path}.{key}: {short(got[key])}, not absent"
            else:
                yield from differences(f"{path}.{key}", got[key], wanted[key])
    elif isinstance(got, list) and isinstance(wanted, list) and len(got) == len(wanted):
        for i, pair in enumerate(zip(got, wanted)):
            yield from differences(f"{path}[{i}]", *pair)
    elif not fits(got, wanted):
        yield f"{path}: {short(got)}, not {short(wanted)}"


def with_open_cursors(value):
    """A cursor is text of the server's own: what it says is compared."""
    if isinstance(value, dict):
        return {key: opened(v) if key == "cursor" else with_open_cursors(v) for key, v in value.items()}
    return [with_open_cursors(v) for v in value] if isinstance(value, list) else value


def opened(text):
    try:
        return json.loads(base64.b64decode(text + "=="))
    except (TypeError, ValueError):
        return text


def parsed(data):
    try:
        return json.loads(data) if data else ""
    except ValueError:
        return data.decode("utf-8", "replace")


def check(wanted, status, body):
    """The differences, as texts."""
    if status != wanted["status"]:
        return [f"status {status}, not {wanted['status']}: {short(body)}"]
    if "body" not in wanted:
        return []
    return list(differences("body", with_open_cursors(body), with_open_cursors(wanted["body"])))


# ---- A conversation


def at(body, path):
    for step in path.split("."):
        body = body[int(step)] if isinstance(body, list) else body[step]
    return body


def next_millisecond():
    """Rows of one millisecond have no order of their own."""
    begin = time.time_ns() // 1000000
    while time.time_ns() // 1000000 == begin:
        time.sleep(0.0002)


class Tally:
    passed = failed = left_out = 0

    def count(self, name, problems):
        if problems:
            self.failed += 1
            print(f"recorded: {name}: " + "\n    ".join(problems))
        else:
            self.passed += 1


def asked_for(name):
    return not WORDS or any(word in name for word in WORDS)


def replay(server, cases, tally):
    known = {}
    for case in cases:
        if known:
            text = re.sub(r"\$([a-z_]+)", lambda name: known.get(name[1], name[0]), json.dumps(case))
            case = json.loads(text)
        status, data = send(server, case["request"])
        body = parsed(data)
        problems = check(case["response"], status, body) if "response" in case else []
        for name, path in case.get("keep", {}).items():
            try:
                known[name] = at(body, path)
            except (KeyError, IndexError, TypeError):
                problems.append(f"no {path}: {short(body)}")
        if "left_out" in case:
            tally.left_out += 1
        elif asked_for(case["name"]):
            tally.count(case["name"], problems)
        if case["request"]["method"] != "GET":
            next_millisecond()


def replay_ours(tally):
    for path in sorted(glob.glob(os.path.join(HERE, "cases", "*.json"))):
        with open(path, encoding="utf-8") as file:
            conversation = json.load(file)
        with Server(conversation["serve"]) as server:
            replay(server, conversation["cases"], tally)


# ---- Recorded files


# Cases that build on one another; all others follow, by name. "+": what was sent there as well, and is in no file (UNRECORDED).
FIRST = """
    prompt-create-text-201 prompt-create-text-v2-201 prompt-create-type-conflict-400 prompt-create-chat-201
    prompt-create-chat-tooling-201 prompt-create-folder-201 prompt-get-chat-200 prompt-get-200 prompt-get-version-200
    prompt-get-version-0-200 +greet-3 prompt-get-latest-200 prompt-get-chat-extra-200 prompt-get-folder-200 prompt-list-200
    prompt-labels-patch-200 prompt-get-after-patch-200 prompt-labels-patch-empty-200 prompt-labels-patch-folder-200
    prompt-create-with-reference-201 prompt-get-resolved-200 prompt-get-unresolved-200 prompt-delete-referenced-400 +uk
    prompt-get-no-production-404 prompt-delete-204 prompt-delete-404 +otlp-prompt legacy-prompts-v1-200
    otlp-200-json +app-root +bigio
    score-create-numeric-200 score-create-numeric-id-200 score-create-boolean-200 score-create-categorical-200
    score-create-text-200 score-create-inferred-string-200 score-create-correction-200 score-create-dataset-run-200
    score-create-config-unknown-200 score-create-timestamp-200 +bearer +long-name +unknown-key +e +negative
    score-config-create-200 score-config-list-200 score-create-config-range-200 +in-range scores-v3-by-id-200 scores-v3-list-200
    scores-v3-list-fields-200 scores-v3-name-type-200 scores-v3-session-200 scores-v3-experiment-200 +again
    scores-v3-after-upsert-200
    ingestion-legacy-mode-207 ingestion-legacy-mode-207-errors ingestion-legacy-mode-bearer-207 legacy-mode-trace-get-200
""".split()


def post(path, body):
    return {"method": "POST", "path": "/api/public" + path, "headers": {"content-type": "application/json"}, "body": body}


def score(**fields):
    return post("/scores", {"traceId": "tr1795239701", "value": 1, **fields})


def started(ms, length_ms):
    return {"startTimeUnixNano": str(ms * 10**6), "endTimeUnixNano": str((ms + length_ms) * 10**6)}


ROOT = "9d9adee0bfcdc1561867c3fa51523c64"
APP_ROOT = [{"key": "langfuse.internal.is_app_root", "value": {"boolValue": True}}]
BIG = [{"key": "langfuse.observation.metadata.m", "value": {"stringValue": "m" * 300}}]
UNRECORDED = {
    "+greet-3": post("/v2/prompts", {"name": "greet-1795239538", "prompt": "x"}),
    "+uk": post("/v2/prompts", {"name": "uk-1795239538", "prompt": "x"}),
    "+otlp-prompt": post("/v2/prompts", {"name": "otlp-prompt", "prompt": "x", "labels": ["production"]}),
    "+app-root": post("/otel/v1/traces", export(
        span(ROOT, spanId="00000000000000c1", name="http server", **started(1795240410540, 1000)),
        span(ROOT, spanId="00000000000000c2", parentSpanId="00000000000000c1", name="app", attributes=APP_ROOT,
             **started(1795240410640, 200)))),
    "+bigio": post("/otel/v1/traces", {"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "demo"}},
                                    {"key": "telemetry.sdk.language", "value": {"stringValue": "cpp"}}]},
        "scopeSpans": [{"scope": {"name": "langfuse-sdk", "version": "0.1.0"}, "spans": [
            span("f12865c77e0f42cf9e75aa69156ef1e7", spanId="ff5220ce45c58c56", name="bigio", attributes=BIG,
                 **started(1795239839424, 1000))]}]}]}),
    "+bearer": score(id="s10-1795239701", name="b", value=0.3),
    "+long-name": score(id="s11-1795239701", name="n" * 600),
    "+unknown-key": score(id="s12-1795239701", name="uk", unknown=1),
    "+e": score(id="s13-1795239701", name="e"),
    "+negative": score(id="s15-1795239701", name="neg", value=-1.5e300),
    "+in-range": score(id="s17-1795239701", name="x", value=0.5, configId="bccfb5de-7320-4f13-9709-3be95db4e9a3"),
    "+again": score(id="s2-1795239701", name="ok", value=0, dataType="BOOLEAN", comment="second"),
}

# Beginnings of names, and why the cases are sent but not compared; those that langfuse-local lacks are not sent.
NOT_COMPARED = {
    "prompt-list-label-200": "counts prompts of other conversations",
    "prompt-list-page-200": "counts prompts of other conversations",
}
NOT_SENT = {
    "dataset": "no datasets",
    "experiment": "no experiments",
    "legacy-datasets": "no datasets",
    "media": "no media",
    "metrics": "no metrics",
}


def beginning_of(name, table):
    return next((why for beginning, why in table.items() if name.startswith(beginning)), None)


# What the server chooses: texts under these keys.
OF_MODELS = {"modelId", "internalModelId", "usagePricingTierId", "usagePricingTierName"}  # ids of a table
TIMES = {"createdAt", "updatedAt", "lastUpdatedAt"}
NAMES = {"proj-1": "local", "Project": "Local", "org-1": "local", "Org": "Local"}


def as_ours(value, path, key=None):
    """What langfuse-local is to answer, where a real server answered the value."""
    if isinstance(value, dict):
        if "/otel/" in path and "id" in value:
            return "(any)"  # the job
        return {UUID.sub("(uuid)", k): as_ours(v, path, k) for k, v in value.items()}
    if isinstance(value, list):
        return [as_ours(v, path, key) for v in value]
    if not isinstance(value, str):
        return value
    if key in OF_MODELS:
        return "(any)"
    if key in TIMES or (key == "timestamp" and "/v3/scores" in path):
        return "(time)"
    if key == "cursor":
        return {k: "(any)" if k == "lastTimestamp" else v for k, v in opened(value).items()}
    if key == "htmlPath":
        return value.replace("proj-1", "local")
    return NAMES.get(value, UUID.sub("(uuid)", value))


CONFIG = "bccfb5de-7320-4f13-9709-3be95db4e9a3"


def read_recorded(folder):
    cases = {}
    for path in sorted(glob.glob(os.path.join(folder, "*.json"))):
        with open(path, encoding="utf-8") as file:
            case = json.load(file)
        case["name"] = os.path.basename(path)[:-len(".json")]
        response = case["response"]
        if response["status"] == 413:
            del response["body"]  # the text is that of a stand-in
        else:
            response["body"] = as_ours(response["body"], case["request"]["path"])
        cases[case["name"]] = case
    return cases


def in_order(cases):
    for name in FIRST + [n for n in cases if n not in FIRST]:
        case = {"name": name, "request": UNRECORDED[name], "left_out": "in no file"} if name.startswith("+") else cases.get(name)
        if case is not None:
            if beginning_of(name, NOT_COMPARED):
                case["left_out"] = beginning_of(name, NOT_COMPARED)
            if name == "score-config-create-200":
                case["keep"] = {"config": "id"}
            yield json.loads(json.dumps(case).replace(CONFIG, "$config"))


def replay_recorded(tally):
    cases = read_recorded(RECORDED)
    sent = [case for case in in_order(cases) if not beginning_of(case["name"], NOT_SENT)]
    for serve, legacy in ((["--write-mode", "events_only"], False), (["--write-mode", "dual"], True)):
        with Server(serve) as server:
            replay(server, [case for case in sent if ("legacy-mode" in case["name"]) == legacy], tally)
    tally.left_out += len([name for name in cases if beginning_of(name, NOT_SENT)])


def main():
    tally = Tally()
    replay_ours(tally)
    if os.path.isdir(RECORDED):
        replay_recorded(tally)
    print(f"recorded: {tally.passed} passed, {tally.failed} failed")
    sys.exit(tally.failed > 0 or tally.passed == 0)


if __name__ == "__main__":
    main()
