"""OTLP/JSON lines in, what two runs of one program have in common out: observations with indices instead of ids, no times.

    normalize.py ACTUAL.jsonl             prints the normal form
    normalize.py ACTUAL.jsonl EXPECTED    compares it with a stored one, prints what differs, exit code 1 if anything does

The scores of ACTUAL.jsonl.scores, if there is such a file, belong to it.

Observations stand with parents before children, then in order of their start; with "parallel": true in EXPECTED by name and
attributes instead. What is usual (DEFAULTS) is not written down. Ids inside of text read <trace 0>, <observation 1>. Ids that
are part of the contract, such as those made from a seed, stand in EXPECTED as "id" or "trace_id", and are compared there.
"""
import json
import os
import re
import sys

JSON_ATTRIBUTES = {
    "langfuse.observation.input", "langfuse.observation.output", "langfuse.observation.metadata",
    "langfuse.observation.model.parameters", "langfuse.observation.usage_details", "langfuse.observation.cost_details",
    "langfuse.trace.input", "langfuse.trace.output",
}
JSON_PREFIXES = ("langfuse.observation.metadata.", "langfuse.trace.metadata.")

DEFAULTS = {"parent": None, "parent_id": None, "trace": 0, "kind": 1, "status_code": 0, "status_message": "",
            "zero_length": False}
SCORE_DEFAULTS = {"trace": None, "trace_id": None, "observation": None, "observation_id": None, "session": None,
                  "dataset_run": None, "data_type": None, "comment": None, "config": None, "environment": None,
                  "metadata": None, "id": None}


def value_of(key, value):
    kind, content = next(iter(value.items()))
    if kind == "stringValue":
        if key in JSON_ATTRIBUTES or key.startswith(JSON_PREFIXES):
            try:  # spacing inside JSON text means nothing
                parsed = json.loads(content)
                if isinstance(parsed, (dict, list)):
                    content = json.dumps(parsed, ensure_ascii=False)
            except ValueError:
                pass
        return content
    if kind == "boolValue":
        return content
    if kind == "intValue":
        return int(content)
    if kind == "arrayValue":
        return [next(iter(v.values())) for v in content["values"]]
    raise SystemExit(f"{key}: unexpected value {value}")


def read_spans(path):
    spans = []
    if not os.path.exists(path):  # tracing is off
        return spans
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            for resource in json.loads(line)["resourceSpans"]:
                for scope in resource["scopeSpans"]:
                    spans.extend(scope["spans"])
    for span in spans:
        keys = [a["key"] for a in span.get("attributes", [])]
        if len(keys) != len(set(keys)):
            raise SystemExit(f"{span['name']} has an attribute twice: {sorted(keys)}")
        if not re.fullmatch("[0-9a-f]{32}", span["traceId"]) or not re.fullmatch("[0-9a-f]{16}", span["spanId"]):
            raise SystemExit(f"{span['name']} has malformed ids")
        if int(span["endTimeUnixNano"]) < int(span["startTimeUnixNano"]):
            raise SystemExit(f"{span['name']} ends before it starts")
    if len({span["spanId"] for span in spans}) != len(spans):
        raise SystemExit("two observations have one id")
    return spans


def read_scores(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as lines:
        events = [event for line in lines for event in json.loads(line)["batch"]]
    for event in events:
        if event["type"] != "score-create":
            raise SystemExit(f"unexpected event {event['type']} among the scores")
        if not event["id"] or not event["body"]["id"]:
            raise SystemExit("a score without an id")
    return [event["body"] for event in events]


def put_in_order(spans, key):
    """Parents before children, then by key: the order in which a person reads a trace."""
    ids = {span["spanId"] for span in spans}
    waiting, order, seen = sorted(spans, key=key), [], set()
    while waiting:
        ready = (i for i, span in enumerate(waiting) if span.get("parentSpanId") not in ids - seen)
        at = next(ready, None)
        if at is None:
            raise SystemExit("observations are each other's parents")
        seen.add(waiting[at]["spanId"])
        order.append(waiting.pop(at))
    return order


def attributes_of(span):
    return {a["key"]: value_of(a["key"], a["value"]) for a in sorted(span.get("attributes", []), key=lambda a: a["key"])}


def by_start(span):
    return int(span["startTimeUnixNano"]), -int(span["endTimeUnixNano"])


def by_content(span):
    return span.get("name", ""), json.dumps(attributes_of(span), sort_keys=True)


def without_ids(value, names):
    """Text with the ids of this run replaced by what they stand for."""
    if isinstance(value, str):
        for text, name in names.items():
            value = value.replace(text, name)
    elif isinstance(value, list):
        value = [without_ids(item, names) for item in value]
    elif isinstance(value, dict):
        value = {key: without_ids(item, names) for key, item in value.items()}
    return value


def normal_observation(span, index, traces, names):
    parent, status = span.get("parentSpanId"), span.get("status", {})
    return {
        "name": span.get("name", ""),
        "parent": index.get(parent),
        "parent_id": parent if parent is not None and parent not in index else None,
        "trace": traces[span["traceId"]],
        "kind": span["kind"],
        "status_code": status.get("code", 0),
        "status_message": status.get("message", ""),
        "zero_length": span["startTimeUnixNano"] == span["endTimeUnixNano"],
        "attributes": without_ids(attributes_of(span), names),
        "id": span["spanId"],
        "trace_id": span["traceId"],
    }


def normal_score(body, index, traces):
    """Targets by index; an id of no observation here as it is. Random ids are left out."""
    trace, observation, own = body.get("traceId"), body.get("observationId"), body["id"]
    known = {"id", "traceId", "observationId", "sessionId", "datasetRunId", "name", "value", "dataType", "comment", "configId",
             "environment", "metadata"}
    if set(body) - known:
        raise SystemExit(f"unexpected fields of a score: {sorted(set(body) - known)}")
    return {
        "name": body["name"],
        "value": body["value"],
        "trace": traces.get(trace),
        "trace_id": trace if trace not in traces else None,
        "observation": index.get(observation),
        "observation_id": observation if observation not in index else None,
        "session": body.get("sessionId"),
        "dataset_run": body.get("datasetRunId"),
        "data_type": body.get("dataType"),
        "comment": body.get("comment"),
        "config": body.get("configId"),
        "environment": body.get("environment"),
        "metadata": body.get("metadata"),
        "id": own if not re.fullmatch("[0-9a-f]{16}", own) else None,
    }


def normalize(path, parallel=False):
    order = put_in_order(read_spans(path), by_content if parallel else by_start)
    index = {span["spanId"]: i for i, span in enumerate(order)}
    traces = {}
    for span in order:
        traces.setdefault(span["traceId"], len(traces))
    names = {id: f"<trace {i}>" for id, i in traces.items()}
    names.update((id, f"<observation {i}>") for id, i in index.items())
    if os.environ.get("LANGFUSE_BASE_URL"):
        names[os.environ["LANGFUSE_BASE_URL"]] = "<server>"
    return {
        "observations": [normal_observation(span, index, traces, names) for span in order],
        "scores": [normal_score(body, index, traces) for body in read_scores(path + ".scores")],
    }


def shortened(item, defaults):
    return {key: value for key, value in item.items()
            if (value != defaults[key] if key in defaults else key not in ("id", "trace_id"))}


def compare(what, expected, actual, defaults):
    differences = []
    if len(expected) != len(actual):
        differences.append(f"expected {len(expected)} {what}s, got {len(actual)}: {[item['name'] for item in actual]}")
    for i, (want, got) in enumerate(zip(expected, actual)):
        unknown = set(want) - set(got)
        if unknown:
            raise SystemExit(f"{what} {i}: fields that are never compared: {sorted(unknown)}")
        for key in got:
            if key not in want and key not in defaults and key in ("id", "trace_id"):
                continue
            wanted = want.get(key, defaults.get(key))
            if json.dumps(wanted, sort_keys=True) != json.dumps(got[key], sort_keys=True):  # true is not 1 here
                differences.append(f"{what} {i} ({want['name']}), {key}:\n  expected {wanted}\n  got      {got[key]}")
    return differences


def main():
    if len(sys.argv) == 2:
        actual = normalize(sys.argv[1])
        json.dump({"observations": [shortened(item, DEFAULTS) for item in actual["observations"]],
                   "scores": [shortened(item, SCORE_DEFAULTS) for item in actual["scores"]]},
                  sys.stdout, indent=1, ensure_ascii=False)
        print()
        return 0
    with open(sys.argv[2], encoding="utf-8") as file:
        expected = json.load(file)
    actual = normalize(sys.argv[1], expected.get("parallel", False))
    differences = compare("observation", expected["observations"], actual["observations"], DEFAULTS)
    differences += compare("score", expected.get("scores", []), actual["scores"], SCORE_DEFAULTS)
    print("\n".join(differences), end="\n" if differences else "")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
