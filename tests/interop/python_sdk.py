"""The scenarios of tests/golden in the official Python SDK: what it exports must be what expected/ says, save for what
docs/differences.md lists. Usage: python_sdk.py DIR [NAME...]; without names all of them. Leaves NAME.jsonl in DIR, as our
file exporter would write it, with the scores beside it.
"""
import inspect
import json
import logging
import os
import re
import sys
import threading
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from google.protobuf import json_format  # noqa: F401
from langfuse import Langfuse, get_client
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
sys.path.insert(0, str(GOLDEN))

import normalize  # noqa: E402
import sdk_docs  # noqa: E402
import sdk_more  # noqa: E402
from check_python import to_dict  # noqa: E402

# What belongs to the trace. Ours puts it on every observation of the trace, the SDK on those that begin afterwards.
OF_THE_TRACE = ("user.id", "session.id", "langfuse.trace.")
# Made by what C has not: `what a C program says instead` is not compared, or is compared elsewhere.
ONLY_C = {"external_trace", "deliberate_differences", "python_docs_002_custom_ids", "python_docs_001_fastapi"}


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
        if self.path.endswith("/traces"):
            self.write(name + ".jsonl", to_dict(ExportTraceServiceRequest.FromString(body)))
            self.answer(b"", "application/x-protobuf")
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


def run(name, program, url, folder):
    """In a process of its own, since the SDK has one client for each process."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            log = os.open(folder / (name + ".log"), os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.environ.update(LANGFUSE_BASE_URL=f"{url}/{name}", LANGFUSE_PUBLIC_KEY="pk-lf-golden",
                              LANGFUSE_SECRET_KEY="sk-lf-golden", **getattr(program, "environ", {}))
            program()
            get_client().flush()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


# ---- What is different on purpose


def same_arguments(wanted, got):
    """{"args": [...], "kwargs": {...}} is our {"name": value, ...}, and without arguments nothing."""
    call = json.loads(got)
    values = call["args"] + list(call["kwargs"].values())
    if wanted is None:
        return None if not values else got
    return wanted if values == list(json.loads(wanted).values()) else got


def spread(observations):
    """Everything that is said of a trace, on every observation of it."""
    for trace in {o["trace"] for o in observations}:
        members = [o["attributes"] for o in observations if o["trace"] == trace]
        said = {key: value for member in members for key, value in member.items() if key.startswith(OF_THE_TRACE)}
        for member in members:
            member.update(said)


def unescaped(value):
    """Lone surrogates are what no UTF-8 can say."""
    return value


def forgive(wanted, got):
    """Change what the SDK exported to what ours would export, where docs/differences.md says that it differs."""
    spread(got["observations"])
    for want, have in zip(wanted["observations"], got["observations"]):
        mine, theirs = want["attributes"], have["attributes"]
        given = theirs.get("langfuse.observation.input")
        if given is not None and re.match(r'\{"args": \[.*"kwargs": ', given, re.S):
            value = same_arguments(mine.get("langfuse.observation.input"), given)
            theirs.pop("langfuse.observation.input")
            if value is not None:
                theirs["langfuse.observation.input"] = value
        if theirs.pop("langfuse.internal.as_root", False):
            if "parent_id" not in want:  # a trace id without a parent: the SDK makes one up
                have["parent_id"] = None
            theirs["langfuse.internal.is_app_root"] = True
    wanted = {"observations": [dict(o, attributes=dict(o["attributes"])) for o in wanted["observations"]],
              "scores": wanted.get("scores", [])}
    for i, o in enumerate(wanted["observations"]):
        o.setdefault("trace", 0)
    spread(wanted["observations"])
    return wanted, got


def compare(name, folder):
    expected = json.loads((GOLDEN / "expected" / (name + ".json")).read_text(encoding="utf-8"))
    if not (folder / (name + ".jsonl")).exists():
        (folder / (name + ".jsonl")).touch()
    got = normalize.normalize(str(folder / (name + ".jsonl")), expected.get("parallel", False))
    wanted, got = forgive(expected, got)
    return (normalize.compare("observation", wanted["observations"], got["observations"], normalize.DEFAULTS)
            + normalize.compare("score", wanted["scores"], got["scores"], normalize.SCORE_DEFAULTS))


def scenarios():
    found = {}
    for module in (sdk_docs, sdk_more):
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if (GOLDEN / "expected" / (name + ".json")).exists() or name.startswith("python_sdk_"):
                found[name] = function
    return found


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    Receiver.folder = folder
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    passed = failed = 0
    everything = scenarios()
    for name in sys.argv[2:] or everything:
        for old in folder.glob(name + ".jsonl*"):
            old.unlink()
        os.environ["LANGFUSE_BASE_URL"] = f"{url}/{name}"
        if run(name, everything[name], url, folder) != 0:
            differences = ["the scenario fails: " + (folder / (name + ".log")).read_text(encoding="utf-8")]
        else:
            try:
                differences = compare(name, folder)
            except (SystemExit, FileNotFoundError) as error:
                differences = [str(error)]
        passed, failed = passed + (not differences), failed + bool(differences)
        if differences:
            print(f"python_sdk: {name} differs\n  " + "\n  ".join(differences))
    missing = {p.stem for p in (GOLDEN / "expected").glob("*.json")} - set(everything) - ONLY_C
    if missing and len(sys.argv) == 2:
        failed += len(missing)
        print(f"python_sdk: no Python program for {sorted(missing)}")
    print(f"python_sdk: {passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
