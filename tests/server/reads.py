"""What the reads of langfuse-local make of exports and batches: reads.py [PATH of langfuse-local]. What is expected here is what a
real server answered, or what its source says. Prints a line a failure and `reads: N passed, N failed`."""
import base64
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

from harness import LIMIT, SERVER, equal, run_tests, test

FOLDER = tempfile.TemporaryDirectory(prefix="langfuse-reads-test-")
START = 1795239341000 # milliseconds: 2026-11-21T05:35:41Z
CORE = {"id", "traceId", "startTime", "endTime", "projectId", "parentObservationId", "type"}
AT = "/api/public/"


# ---- A server and its clients


class Server:
    def __init__(self, *options):
        self.port_file = os.path.join(FOLDER.name, f"port{len(os.listdir(FOLDER.name))}")
        self.process = subprocess.Popen(
            [SERVER, "serve", "--port", "0", "--db", self.port_file + ".db", "--port-file", self.port_file, "--public-key", "pk",
             "--secret-key", "sk", "--quiet", *options], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + LIMIT
        while not os.path.exists(self.port_file) or not open(self.port_file, encoding="utf-8").read().strip():
            if self.process.poll() is not None or time.monotonic() > deadline:
                sys.exit("reads: langfuse-local does not start")
            time.sleep(0.01)
        self.url = "http://127.0.0.1:" + open(self.port_file, encoding="utf-8").read().strip()

    def ask(self, path, body=None, **headers):
        """Status and JSON of an answer."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.url + AT + path, None if body is None else json.dumps(body).encode(), headers)
        request.add_header("Authorization", "Basic " + base64.b64encode(b"pk:sk").decode())
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=LIMIT) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refusal:
            return refusal.code, json.load(refusal)

    def get(self, path, status=200, **parameters):
        got, answer = self.ask(path + "?" + urllib.parse.urlencode(parameters, doseq=True))
        equal(got, status, f"{path} {parameters}: {answer}")
        return answer

    def rows(self, **parameters):
        return self.get("v2/observations", **parameters)["data"]

    def export(self, *spans, scope="langfuse-sdk", resource=None, **headers):
        body = {"resourceSpans": [{"resource": {"attributes": attributes(resource or {})},
                                   "scopeSpans": [{"scope": {"name": scope, "version": "1.0"}, "spans": list(spans)}]}]}
        return self.ask("otel/v1/traces", body, **headers)

    def batch(self, *events):
        status, answer = self.ask("ingestion", {"batch": list(events)})
        equal((status, answer["errors"]), (207, []), "a batch")

    def close(self):
        self.process.terminate()
        self.process.wait(LIMIT)


def value(given):
    """An AnyValue."""
    if isinstance(given, bool):
        return {"boolValue": given}
    if isinstance(given, int):
        return {"intValue": str(given)}
    if isinstance(given, float):
        return {"doubleValue": given}
    if isinstance(given, list):
        return {"arrayValue": {"values": [value(item) for item in given]}}
    return {"stringValue": given}


def attributes(given):
    return [{"key": key, "value": value(item)} for key, item in given.items()]


def span(trace, name, ms=0, lasts=500, parent=None, more=None, **members):
    """A span whose id is its name."""
    return {"traceId": trace, "spanId": name, "name": name, "startTimeUnixNano": str((START + ms) * 10**6),
            "endTimeUnixNano": str((START + ms + lasts) * 10**6), **({"parentSpanId": parent} if parent else {}),
            "attributes": attributes(more or {}), **members}


EVENTS = iter(range(10**6))


def event(kind, body):
    return {"id": f"event{next(EVENTS)}", "type": kind, "timestamp": "2026-11-21T05:35:42Z", "body": body}


# ---- Parameters and fields of v2/observations


@test
def core_is_always_there(server):
    server.export(span("core", "a", more={"langfuse.observation.input": "in"}))
    for fields in ("io", "bogus", "metadata,bogus", ","):
        row, = server.rows(traceId="core", fields=fields)
        equal(CORE <= set(row), True, f"fields={fields}: {sorted(row)}")
        equal("name" in row, False, f"a name with fields={fields}")
    equal(server.rows(traceId="core", fields=""), server.rows(traceId="core"), "fields without a word")
    row, = server.rows(traceId="core", fields=["io", "basic"])
    equal((row["input"], row["name"]), ("in", "a"), "fields twice")


@test
def what_is_absent_is_null(server):
    server.export(span("absent", "child", parent="elsewhere", lasts=0, more={
        "langfuse.observation.completion_start_time": "2026-11-21T05:35:41.000Z"}))
    row, = server.rows(traceId="absent", fields="trace_context")
    equal((row["traceName"], row["release"], row["tags"]), (None, "", []), "a trace without name")
    for fields, latency, first in (("core", 0, None), ("time", 0, 0), ("metrics", None, None), ("time,metrics", None, None)):
        row, = server.rows(traceId="absent", fields=fields)
        equal((row["latency"], row["timeToFirstToken"]), (latency, first), f"metrics of 0 with fields={fields}")
    server.export(span("absent2", "g", more={"langfuse.observation.completion_start_time": "2026-11-21T05:35:41.250Z"}))
    row, = server.rows(traceId="absent2", fields="metrics")
    equal((row["latency"], row["timeToFirstToken"]), (0.5, 0.25), "metrics without the completion start")


@test
def words_are_checked(server):
    for name, wrong, words in (("type", "span", ["GENERATION", "SPAN", "EVENT", "AGENT", "TOOL", "CHAIN", "RETRIEVER", "EVALUATOR",
                                                 "EMBEDDING", "GUARDRAIL"]),
                               ("level", "INFO", ["DEBUG", "DEFAULT", "WARNING", "ERROR"]),
                               ("isRootObservation", "1", ["true", "false"])):
        for given in (wrong, "", words[:2]):
            answer = server.get("v2/observations", 400, **{name: given})
            text = "|".join(f'"{word}"' for word in words)
            equal(answer, {"message": "Invalid request data", "error": [
                {"code": "invalid_value", "values": words, "path": [name], "message": f"Invalid option: expected one of {text}"}]},
                f"{name}={given}")
        server.get("v2/observations", **{name: words[0]})


@test
def only_environments_are_given_twice(server):
    server.export(span("env", "a", 1, more={"langfuse.environment": "red"}),
                  span("env", "b", 2, more={"langfuse.environment": "blue"}), span("env", "c", 3))
    for given, wanted in ((["red", "blue"], "ba"), ("red,blue", "ba"), ("red", "a"), (["red,blue", "default"], "c")):
        equal("".join(row["id"] for row in server.rows(traceId="env", environment=given)), wanted, f"environment={given}")
    for name in ("traceId", "name", "userId", "sessionId", "version", "parentObservationId", "cursor", "filter", "fromStartTime"):
        answer = server.get("v2/observations", 400, **{name: ["x", "y"]})
        equal(answer["error"], [{"expected": "string", "code": "invalid_type", "path": [name],
                                 "message": "Invalid input: expected string, received array"}], f"{name} twice")


@test
def big_numbers_keep_their_digits(server):
    server.export(span("big", "a", more={"langfuse.observation.metadata.n": "9007199254740993",
                                         "langfuse.observation.metadata.m": "17",
                                         "langfuse.observation.metadata.j": '{"n":[12345678901234567890]}'}))
    row, = server.rows(traceId="big", fields="metadata")
    equal([row["metadata"][key] for key in "nmj"], ["9007199254740993", 17, {"n": ["12345678901234567890"]}], "metadata")


# ---- Reads of before Langfuse 4


@test
def old_reads_have_metadata_in_objects(server):
    server.export(span("old", "root", 0, more={
                      "langfuse.observation.metadata": '{"a":{"b":2},"both":"mine"}', "langfuse.trace.metadata.t": "1",
                      "langfuse.trace.metadata.both": "trace's", "langfuse.trace.tags": ["z", "a"]}),
                  span("old", "child", 10, parent="root", more={
                      "langfuse.observation.type": "generation", "langfuse.observation.metadata.k": "v",
                      "langfuse.trace.tags": ["m"]}),
                  span("old", "moment", 20, parent="root", more={"langfuse.observation.type": "event"}),
                  resource={"service.version": "1.0", "process.pid": 7, "process.args": ["a"]})
    whence = {"resourceAttributes": {"service.version": "1.0", "process.pid": 7, "process.args": ["a"]},
              "scope": {"name": "langfuse-sdk", "version": "1.0", "attributes": {}}}
    rows = {name: server.get("observations/" + name) for name in ("root", "child", "moment")}
    equal(rows["root"]["metadata"], {"a": {"b": 2}, "both": "mine", **whence}, "of the root")
    equal(rows["child"]["metadata"], {"k": "v", **whence}, "of the child")
    equal([rows[name]["modelParameters"] for name in rows], [None, {}, None], "parameters that are not there")
    equal((rows["moment"]["endTime"], rows["moment"]["latency"]), (None, None), "the end of an event")
    trace = server.get("traces/old")
    equal(trace["metadata"], {"t": 1, "both": "mine", "a": {"b": 2}, **whence}, "of the trace")
    equal(trace["tags"], ["a", "m", "z"], "tags")
    row, = server.rows(traceId="old", fields="metadata", name="root")
    equal({key: row["metadata"][key] for key in ("a.b", "both", "t", "resourceAttributes.process.pid")},
          {"a.b": 2, "both": "trace's", "t": 1, "resourceAttributes.process.pid": 7}, "flat, as today")
    server.export(span("other", "foreign", more={"http.method": "GET", "n": 5}), scope="other")
    equal(server.get("observations/foreign")["metadata"],
          {"attributes": {"http.method": "GET", "n": "5"}, "resourceAttributes": {},
           "scope": {"name": "other", "version": "1.0", "attributes": {}}}, "of another instrumentation")


@test
def a_trace_of_a_batch_has_its_own_values_only(server):
    server.batch(event("trace-create", {"id": "batch", "name": "b"}),
                 event("span-create", {"id": "s", "traceId": "batch", "input": "in", "output": "out", "metadata": {"k": 1}}),
                 event("generation-create", {"id": "g", "traceId": "batch"}))
    trace = server.get("traces/batch")
    equal((trace["name"], trace["input"], trace["output"], trace["metadata"]), ("b", None, None, {}), "the trace")
    equal(server.get("observations/s")["metadata"], {"k": 1}, "its observation")
    equal(server.get("observations/g")["modelParameters"], None, "parameters that are not there")


@test
def an_observation_without_its_trace_is_no_trace(server):
    server.batch(event("span-create", {"id": "alone", "traceId": "lonely", "name": "n"}))
    equal(server.get("traces/lonely", 404)["error"], "LangfuseNotFoundError", "the trace")
    equal("lonely" in [trace["id"] for trace in server.get("traces", limit=100)["data"]], False, "the trace in the list")
    equal(server.get("observations/alone")["traceId"], "lonely", "the observation")
    server.batch(event("trace-create", {"id": "lonely"}))
    equal(server.get("traces/lonely")["observations"][0]["id"], "alone", "when its trace is there")


@test
def traces_have_no_corrections(server):
    server.export(span("corrected", "c"))
    for name, data_type, given in (("kept", "NUMERIC", 1), ("output", "CORRECTION", "better")):
        body = {"id": name, "name": name, "traceId": "corrected", "dataType": data_type, "value": given}
        equal(server.ask("scores", body)[0], 200, name)
    equal([score["id"] for score in server.get("traces/corrected")["scores"]], ["kept"], "scores of the trace")
    listed, = [trace for trace in server.get("traces", limit=100)["data"] if trace["id"] == "corrected"]
    equal(listed["scores"], ["kept"], "scores of the listed trace")


@test
def old_lists_check_their_words(server):
    server.get("observations", 400, type="span")
    server.get("observations", 400, level=["ERROR", "DEBUG"])
    server.get("observations", 400, name=["a", "b"])
    equal(len(server.get("observations", traceId="env", environment=["red", "blue"])["data"]), 2, "two environments")


@test
def metadata_of_todays_sdks_is_decoded(server):
    def sent(to, trace, name, version):
        to.export(span(trace, "a", more={"langfuse.observation.metadata.k": '"text"', "langfuse.trace.metadata.n": '"123"',
                                         "langfuse.observation.metadata.o": '{"a":{"b":1}}'}),
                  x_langfuse_sdk_name=name, x_langfuse_sdk_version=version)
        row, = to.rows(traceId=trace, fields="metadata")
        return {key: value for key, value in row["metadata"].items() if not key.startswith(("scope.", "resource"))}
    decoded = {"k": "text", "n": "123", "o.a.b": 1}
    undecoded = {"k": "text", "n": "123", "o": {"a": {"b": 1}}}
    today = Server("--version-as", "4.59")
    for to, name, version, wanted in ((today, "python", "5.0.4", decoded), (today, "javascript", "6.0.0-rc.1", decoded),
                                      (today, "python", "4.18.0", undecoded), (today, "javascript", "5.11.1", undecoded),
                                      (today, "c", "9.0.0", undecoded), (server, "python", "5.0.4", undecoded)):
        equal(sent(to, name + version, name, version), wanted, f"metadata of {name} {version}")
    today.close()


def main():
    server = Server()
    try:
        return run_tests("reads", server)
    finally:
        server.close()


if __name__ == "__main__":
    sys.exit(main())
