"""What otlp_payload.c encodes, as every decoder must find it, and the way to bring OTLP/JSON into this shape."""

import re
from pathlib import Path

HEADER = Path(__file__).parents[2] / "lf_core.h"
VERSION = re.search(r'#define LANGFUSE_VERSION "(.*)"', HEADER.read_text(encoding="utf-8")).group(1)
TRACE = "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"
START = 1768458600000000000
BAD = "\N{REPLACEMENT CHARACTER}"
O = "langfuse.observation."


def span(number, parent, name, kind, attributes, status=(0, ""), length=123456):
    start = START + 1000000 * number
    everywhere = {
        O + "type": ("stringValue", kind),
        "langfuse.environment": ("stringValue", "qa"),
        "langfuse.release": ("stringValue", "r1"),
    }
    return {
        "trace": TRACE,
        "id": f"{number:016x}",
        "parent": f"{parent:016x}" if parent else "",
        "name": name,
        "kind": 1,
        "flags": 0x101,
        "start": start,
        "end": start + length,
        "status": status,
        "attributes": everywhere | attributes,
    }


def strings(attributes):
    return {key: ("stringValue", value) for key, value in attributes.items()}


EXPECTED = {
    "resource": strings({
        "service.name": "interop",
        "host.name": f"höst {BAD}",
        "telemetry.sdk.language": "c",
        "telemetry.sdk.name": "langfuse",
        "telemetry.sdk.version": VERSION,
        "langfuse.environment": "qa",
        "langfuse.release": "r1",
    }),
    "scope": ("langfuse-sdk", VERSION, strings({"public_key": "pk-lf-interop"})),
    "spans": [
        span(1, 0, "answer", "span", strings({
            O + "input": '{"question":"Why \\"blue\\"? €\\n%s","top_k":3,"key":"<secret>"}' % BAD,
            O + "output": "nul \0 inside",
        }) | {"langfuse.internal.is_app_root": ("boolValue", True)}),
        span(2, 1, "llm-call", "generation", strings({
            O + "input": '[{"role": "user", "content": "hi"}]',
            O + "output": "smile \U0001F600",
            O + "model.name": "gpt-5-mini",
            O + "model.parameters": '{"temperature": 0.9}',
            O + "usage_details": '{"input": 5, "output": 50}',
            O + "cost_details": '{"total": 0.0021}',
            O + "completion_start_time": '"2026-01-15T06:30:00.123456Z"',
            O + "prompt.name": "p",
            "langfuse.version": "v7",
            "langfuse.trace.metadata.external_trace_id": "req_12345",
            O + "metadata.text": "té",
            O + "metadata.min": "-9223372036854775808",
            O + "metadata.max": "9223372036854775807",
            O + "metadata.big": "9223372036854775808",
            O + "metadata.f": "0.90",
            O + "metadata.list": '[1, "two", null]',
            O + "metadata.a.b": '{"c": 1}',
            O + "metadata.empty": "",
        }) | {
            O + "prompt.version": ("intValue", 3),
            O + "metadata.ok": ("boolValue", True),
            O + "metadata.no": ("boolValue", False),
            O + "metadata.n": ("intValue", 0),
            O + "metadata.most": ("intValue", 2**53 - 1),
        }),
        span(3, 1, "answer", "tool", strings({O + "level": "ERROR", O + "status_message": "disk full"}), (2, "disk full")),
        span(4, 3, "an-event", "event", strings({
            O + "level": "WARNING",
            O + "status_message": "scope was left without ending",
            O + "metadata.incomplete": "abandoned",
        }), length=0),
    ],
}


def attributes_of(items):
    found = {}
    for item in items:
        assert item["key"] not in found, f"{item['key']} is there twice"
        [(kind, value)] = item["value"].items()
        found[item["key"]] = (kind, int(value) if kind == "intValue" else value)
    return found


def normal(request):
    """An ExportTraceServiceRequest as parsed OTLP/JSON, with hex ids."""
    [resource_spans] = request["resourceSpans"]
    [scope_spans] = resource_spans["scopeSpans"]
    scope = scope_spans["scope"]
    return {
        "resource": attributes_of(resource_spans["resource"]["attributes"]),
        "scope": (scope["name"], scope["version"], attributes_of(scope["attributes"])),
        "spans": [{
            "trace": s["traceId"],
            "id": s["spanId"],
            "parent": s.get("parentSpanId", ""),
            "name": s["name"],
            "kind": s["kind"],
            "flags": s["flags"],
            "start": int(s["startTimeUnixNano"]),
            "end": int(s["endTimeUnixNano"]),
            "status": (s.get("status", {}).get("code", 0), s.get("status", {}).get("message", "")),
            "attributes": attributes_of(s["attributes"]),
        } for s in scope_spans["spans"]],
    }


def check(what, request):
    """Fail with the first difference."""
    def compare(path, found, expected):
        if isinstance(expected, dict) and isinstance(found, dict):
            for key in expected.keys() | found.keys():
                compare(f"{path}/{key}", found.get(key), expected.get(key))
        elif isinstance(expected, list) and isinstance(found, list):
            assert len(found) == len(expected), f"{path}: {len(found)} instead of {len(expected)}"
            for i, pair in enumerate(zip(found, expected)):
                compare(f"{path}/{i}", *pair)
        else:
            assert found == expected, f"{path}: {found!r} instead of {expected!r}"

    compare(what, normal(request), EXPECTED)
    print(f"ok {what}")
