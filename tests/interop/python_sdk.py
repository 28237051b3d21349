"""The scenarios of tests/golden in the official Python SDK, version 4 or 5: what it exports must be what expected/ says, save for
what docs/differences.md lists. Usage: python_sdk.py DIR [NAME...]; without names all of them. Leaves NAME.jsonl in DIR, as our
file exporter would write it, with the scores beside it.
"""
import gzip
import importlib.metadata
import json
import os
import re
import signal
import sys
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpcore  # noqa: F401, the SDK imports both late, once in each process otherwise
import requests  # noqa: F401
from langfuse import get_client
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
sys.path.insert(0, str(GOLDEN))

import normalize  # noqa: E402
import sdk_docs  # noqa: E402
import sdk_more  # noqa: E402
from check_python import to_dict  # noqa: E402

VERSION = int(importlib.metadata.version("langfuse").split(".")[0])
OF_THE_TRACE = ("user.id", "session.id", "langfuse.trace.")
METADATA = re.compile(r"langfuse\.(observation|trace)\.metadata(\.|$)")
# What version 5 took away.
TRACE_IO = {"langfuse.trace.input", "langfuse.trace.output"}
MASKED = "<fully masked due to failed mask function>"
# These show what only C has, or what is not as in Python.
ONLY_C = {"external_trace", "deliberate_differences", "python_docs_002_custom_ids", "python_docs_001_fastapi"}
AT_ONCE = 8


def as_batch(scores):
    """An array of scores as the events of a batch: only their time is a member of each."""
    times = [score.pop("timestamp") for score in scores]
    return {"batch": [{"id": score["id"], "type": "score-create", "timestamp": time, "body": score}
                      for score, time in zip(scores, times)]}


class Receiver(BaseHTTPRequestHandler):
    """A server under /NAME/ for each scenario, which writes down what it gets."""
    folder = None

    def answer(self, body, kind="application/json"):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(json.dumps({"data": [{"id": "local", "name": "local", "organization": {"id": "o", "name": "o"},
                                          "metadata": {}}]}).encode())

    def do_POST(self):
        name = self.path.split("/")[1]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        if self.path.endswith("/traces"):
            self.write(name + ".jsonl", to_dict(ExportTraceServiceRequest.FromString(body)))
            self.answer(b"", "application/x-protobuf")
        elif self.path.endswith("/scores"):
            self.write(name + ".jsonl.scores", as_batch(json.loads(body)))
            self.answer(b'{"message": "Accepted"}')
        else:
            batch = json.loads(body)
            self.write(name + ".jsonl.scores", batch)
            done = [{"id": event["id"], "status": 201} for event in batch["batch"]]
            self.answer(json.dumps({"successes": done, "errors": []}).encode())

    def write(self, name, what):
        with open(self.folder / name, "a", encoding="utf-8") as file:
            file.write(json.dumps(what, ensure_ascii=False) + "\n")

    def log_message(self, *args):
        pass


def serve(folder):
    """The receiver in a process of its own. Returns its address and process id."""
    Receiver.folder = folder
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    child = os.fork()
    if child == 0:
        server.serve_forever()
    server.socket.close()
    return f"http://127.0.0.1:{server.server_port}", child


def start(name, program, folder):
    """Run a scenario in a process of its own, since the SDK has one client for each process. Returns the process id."""
    child = os.fork()
    if child != 0:
        return child
    status = 1
    try:
        log = os.open(folder / (name + ".log"), os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.environ.update(getattr(program, "environ", {}))
        program()
        get_client().flush()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)


# ---- What is different on purpose: docs/differences.md says why


def same_arguments(wanted, got):
    """{"args": [...], "kwargs": {...}} is our {"name": value, ...}, and without arguments nothing."""
    call = json.loads(got)
    values = call["args"] + list(call["kwargs"].values())
    if wanted is None:
        return None if not values else got
    return wanted if values == list(json.loads(wanted).values()) else got


def spread(observations):
    """Everything that is said of a trace, on every observation of it: so does lf_update_current_trace."""
    for trace in {o.get("trace", 0) for o in observations}:
        members = [o["attributes"] for o in observations if o.get("trace", 0) == trace]
        said = {key: value for member in members for key, value in member.items() if key.startswith(OF_THE_TRACE)}
        for member in members:
            member.update(said)


def refuse(constant):
    raise ValueError(constant)


def decoded(value):
    """What a server reads from a value of metadata: JSON where it is JSON, else the text. Whole numbers that not every reader
    knows are texts."""
    if isinstance(value, str):
        try:
            value = json.loads(value, parse_constant=refuse)
        except ValueError:
            pass
    return str(value) if type(value) is int and abs(value) >= 2**53 else value


def as_read(attributes):
    return {key: decoded(value) if METADATA.match(key) else value for key, value in attributes.items()}


def too_long(key, value):
    """The limit of 200 characters is one of the JSON text."""
    return key.startswith("langfuse.trace.metadata.") and len(json.dumps(value, ensure_ascii=False)) > 200


def same_text(wanted, got):
    """A text with quotes around it, and the same without them: version 4 sends each as it came."""
    return isinstance(wanted, str) and isinstance(got, str) and (decoded(wanted) == got or decoded(got) == wanted)


def as_ours(key, value):
    if key == "langfuse.observation.input" or key == "langfuse.observation.output":
        value = re.sub(r"(traceparent.*)-03\b", r"\1-01", value)  # newer OpenTelemetry says that the id is random
        if value.startswith("langfuse_trace_id="):
            value = value.replace("+", "%20")
            value = re.sub(r"(langfuse_metadata_\w+=)%22([^,]*)%22(?=,|$)", r"\1\2", value)  # version 5: JSON texts, with quotes
    elif key == "langfuse.trace.tags":
        value = [tag for tag in dict.fromkeys(value) if tag]
    elif key == "langfuse.observation.completion_start_time" and "." not in value:
        value = value.replace('Z"', '.000000Z"')
    elif VERSION < 5 and key.startswith("langfuse.observation.metadata."):
        if value in ('"NaN"', '"Infinity"', '"-Infinity"'):
            value = value.strip('"')
        elif type(value) is int and abs(value) >= 2**53:
            value = str(value)
    return value


def observation_as_ours(want, have):
    mine, theirs = want["attributes"], {key: as_ours(key, value) for key, value in have["attributes"].items()}
    if VERSION >= 5:
        mine, theirs = as_read(mine), as_read(theirs)
        want["attributes"] = mine = {key: value for key, value in mine.items() if key not in TRACE_IO and not too_long(key, value)}
    else:
        theirs.update((key, mine[key]) for key, value in theirs.items() if METADATA.match(key) and same_text(mine.get(key), value))
    given = theirs.get("langfuse.observation.input", "")
    if re.match(r'\{"args": \[.*"kwargs": ', given, re.S):
        theirs["langfuse.observation.input"] = same_arguments(mine.get("langfuse.observation.input"), given)
    if theirs.get("langfuse.observation.metadata") == MASKED and "langfuse.observation.metadata" not in mine:
        theirs["langfuse.observation.metadata"] = None
    if have["parent"] is not None:
        theirs["langfuse.internal.is_app_root"] = None
    if theirs.pop("langfuse.internal.as_root", False):
        theirs["langfuse.internal.is_app_root"] = True
        if "parent_id" not in want:  # the SDK makes a parent up where only a trace is given
            have["parent_id"] = None
    if have["status_code"] == 2:
        have["status_message"] = theirs.get("langfuse.observation.status_message", "")
    have["name"] = have["name"] or "observation"
    have["attributes"] = {key: value for key, value in theirs.items() if value is not None}


def as_expected(wanted, got):
    """What the SDK exported, changed where it differs on purpose."""
    spread(wanted["observations"])
    spread(got["observations"])
    for want, have in zip(wanted["observations"], got["observations"]):
        observation_as_ours(want, have)
    for score in got["scores"]:
        score["metadata"] = score["metadata"] or None


def differences(name, folder, status, base_url):
    if status != 0:
        return ["it fails: " + (folder / (name + ".log")).read_text(encoding="utf-8")]
    os.environ["LANGFUSE_BASE_URL"] = base_url  # normalize.py knows it from there
    expected = json.loads((GOLDEN / "expected" / (name + ".json")).read_text(encoding="utf-8"))
    try:
        got = normalize.normalize(str(folder / (name + ".jsonl")), expected.get("parallel", False))
        as_expected(expected, got)
        return (normalize.compare("observation", expected["observations"], got["observations"], normalize.DEFAULTS)
                + normalize.compare("score", expected.get("scores", []), got["scores"], normalize.SCORE_DEFAULTS))
    except SystemExit as error:  # what is no OTLP at all
        return [str(error)]


def scenarios():
    """The functions of both modules that are named like an expected file."""
    names = sorted(path.stem for path in (GOLDEN / "expected").glob("*.json"))
    found = {name: getattr(sdk_more, name, getattr(sdk_docs, name, None)) for name in names if name not in ONLY_C}
    missing = [name for name, function in found.items() if function is None]
    if missing:
        raise SystemExit(f"python_sdk: no Python program for {missing}")
    return found


def run_all(programs, folder, url):
    """Several at a time, since they wait most of the time. Yields names and exit codes as they end."""
    waiting, running = list(programs), {}
    os.environ.update(LANGFUSE_PUBLIC_KEY="pk-lf-golden", LANGFUSE_SECRET_KEY="sk-lf-golden")
    os.environ.pop("SSL_CERT_FILE", None)
    os.environ["SSL_CERT_DIR"] = str(folder)  # no certificates: reading those of the machine takes longer than a scenario
    while waiting or running:
        while waiting and len(running) < AT_ONCE:
            name = waiting.pop(0)
            for old in folder.glob(name + ".jsonl*"):
                old.unlink()
            os.environ["LANGFUSE_BASE_URL"] = f"{url}/{name}"
            running[start(name, programs[name], folder)] = name
        child, status = os.wait()
        if child not in running:
            raise SystemExit("python_sdk: the receiver has ended")
        yield running.pop(child), os.waitstatus_to_exitcode(status)


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    programs = scenarios()
    chosen = {name: programs[name] for name in sys.argv[2:] or programs}
    url, receiver = serve(folder)
    failed = 0
    try:
        for name, status in run_all(chosen, folder, url):
            found = differences(name, folder, status, f"{url}/{name}")
            failed += bool(found)
            for difference in found:
                print(f"python_sdk: {name}: {difference}")
    finally:
        os.kill(receiver, signal.SIGTERM)
    print(f"python_sdk {importlib.metadata.version('langfuse')}: {len(chosen) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
