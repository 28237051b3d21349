"""OTLP/JSON lines in, observations with indices instead of ids and times out: what two runs of one program have in common.

    normalize.py ACTUAL.jsonl             prints the normal form
    normalize.py ACTUAL.jsonl EXPECTED    compares it with a stored one, prints what differs, exit code 1 if anything does
"""
import json
import sys

JSON_ATTRIBUTES = {
    "langfuse.observation.input", "langfuse.observation.output", "langfuse.observation.model.parameters",
    "langfuse.observation.usage_details", "langfuse.observation.cost_details",
}


def value_of(key, value):
    kind, content = next(iter(value.items()))
    if kind == "stringValue":
        if key in JSON_ATTRIBUTES or key.startswith("langfuse.observation.metadata."):
            try:  # spacing inside JSON text means nothing
                parsed = json.loads(content)
                if isinstance(parsed, (dict, list)):
                    content = json.dumps(parsed, ensure_ascii=False)
            except ValueError:
                pass
        return {"type": "string", "value": content}
    if kind == "boolValue":
        return {"type": "bool", "value": content}
    if kind == "intValue":
        return {"type": "int", "value": int(content)}
    if kind == "arrayValue":
        return {"type": "array", "value": [next(iter(v.values())) for v in content["values"]]}
    raise SystemExit(f"{key}: unexpected value {value}")


def normalize(path):
    spans = []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            for resource in json.loads(line)["resourceSpans"]:
                for scope in resource["scopeSpans"]:
                    spans.extend(scope["spans"])
    # Parents before children, then in order of their start: the order in which a person reads a trace.
    ids = {span["spanId"] for span in spans}
    by_start = sorted(spans, key=lambda s: (int(s["startTimeUnixNano"]), -int(s["endTimeUnixNano"])))
    order, seen = [], set()
    while len(order) < len(spans):
        for span in by_start:
            parent = span.get("parentSpanId")
            if span["spanId"] not in seen and (parent not in ids or parent in seen):
                seen.add(span["spanId"])
                order.append(span)
                break
    index = {span["spanId"]: i for i, span in enumerate(order)}
    traces = {}
    result = []
    for i, span in enumerate(order):
        parent = span.get("parentSpanId")
        status = span.get("status", {})
        outside = parent is not None and parent not in index
        result.append({
            "index": i,
            "name": span["name"],
            "parent": index.get(parent),
            "parent_id": parent if outside else None,
            "trace": traces.setdefault(span["traceId"], len(traces)),
            "kind": span["kind"],
            "status": {"code": status.get("code", 0), "message": status.get("message", "")},
            "zero_length": span["startTimeUnixNano"] == span["endTimeUnixNano"],
            "attributes": {a["key"]: value_of(a["key"], a["value"])
                           for a in sorted(span.get("attributes", []), key=lambda a: a["key"])},
        })
        if int(span["endTimeUnixNano"]) < int(span["startTimeUnixNano"]):
            raise SystemExit(f"{span['name']} ends before it starts")
        assert len(span["traceId"]) == 32 and len(span["spanId"]) == 16
    return {"observations": result, "trace_ids": list(traces)}


def main():
    actual = normalize(sys.argv[1])
    if len(sys.argv) == 2:
        del actual["trace_ids"]
        json.dump(actual, sys.stdout, indent=1, ensure_ascii=False)
        print()
        return 0
    with open(sys.argv[2], encoding="utf-8") as file:
        expected = json.load(file)
    # Seeded trace ids are part of the contract; random ones are not.
    wanted_ids = expected.get("trace_ids")
    if wanted_ids is not None and wanted_ids != actual["trace_ids"]:
        print(f"trace ids: expected {wanted_ids}, got {actual['trace_ids']}")
        return 1
    if expected["observations"] == actual["observations"]:
        return 0
    for want, got in zip(expected["observations"], actual["observations"]):
        for key in want:
            if want[key] != got.get(key):
                print(f"observation {want['index']} ({want['name']}), {key}:\n  expected {want[key]}\n  got      {got.get(key)}")
    if len(expected["observations"]) != len(actual["observations"]):
        print(f"expected {len(expected['observations'])} observations, got {len(actual['observations'])}")
    return 1


sys.exit(main())
