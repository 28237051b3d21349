"""Decode both payloads with the protocol's own Python package, and the counters with Prometheus's. Usage: check_python.py DIR
(where otlp_payload wrote)."""

import base64
import json
import sys
from pathlib import Path

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from expected import check

IDS = ("traceId", "spanId", "parentSpanId")


def convert_ids(request, convert):
    """Ids are hex in OTLP/JSON, but base64 in the JSON of protobuf."""
    for resource_spans in request["resourceSpans"]:
        for scope_spans in resource_spans["scopeSpans"]:
            for span in scope_spans["spans"]:
                span.update({name: convert(span[name]) for name in IDS if name in span})
    return request


def to_base64(text):
    return base64.b64encode(bytes.fromhex(text)).decode()


def to_hex(text):
    return base64.b64decode(text).hex()


def to_dict(message):
    return convert_ids(json_format.MessageToDict(message, use_integers_for_enums=True), to_hex)


def check_counters(text):
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert all(name.startswith("langfuse_") and family.documentation for name, family in families.items()), families
    kinds = {name[len("langfuse_"):]: family.type for name, family in families.items()}
    gauges = ("queued", "queued_bytes", "open", "last_success_timestamp_seconds")
    counters = ("accepted", "delivered", "dropped", "left_out", "misused", "requests", "retries")
    assert kinds == {**dict.fromkeys(gauges, "gauge"), **dict.fromkeys(counters, "counter")}, kinds
    reasons = {sample.labels["reason"] for sample in families["langfuse_dropped"].samples}
    assert len(reasons) == 7 and {"queue_full", "shutdown"} <= reasons, reasons


def main(folder):
    data = (folder / "payload.pb").read_bytes()
    from_protobuf = ExportTraceServiceRequest.FromString(data)
    assert from_protobuf.ByteSize() == len(data), "the encoding is not the shortest, or has unknown fields"

    text = (folder / "payload.json").read_text(encoding="utf-8")
    from_json = json_format.Parse(json.dumps(convert_ids(json.loads(text), to_base64)), ExportTraceServiceRequest())

    assert from_protobuf == from_json, "protobuf and JSON differ"
    check("payload.pb", to_dict(from_protobuf))
    check("payload.json", to_dict(from_json))
    check("payload.json, as plain JSON", json.loads(text))
    check_counters((folder / "counters.txt").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
