"""What a program's traces have in common on every machine, as text: a line an observation, children below and indented.

    tree.py ACTUAL.jsonl      prints it

Ids, times and what names the machine are left out. What repeats stands once: siblings and traces with a count of them, a chain
of only children with its length.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden"))
import normalize  # noqa: E402

USUAL = ("langfuse.internal.", "langfuse.environment", "langfuse.release")


def text_of(value):
    text = value if isinstance(value, str) else repr(value)
    return text.replace("\n", "\\n")


def line_of(span):
    attributes = normalize.attributes_of(span)
    kind = attributes.pop("langfuse.observation.type", "span")
    parts = [span.get("name", "")] + ([f"({kind})"] if kind != "span" else [])
    for key, value in attributes.items():
        if key.startswith(USUAL):
            continue
        if key.endswith("completion_start_time"):
            value = "<time>"
        parts.append(f"{key.replace('langfuse.observation.', '').replace('langfuse.trace.', 'trace.')}={text_of(value)}")
    status = span.get("status", {})
    if status.get("code", 0) != 0:
        parts.append(f"status={status['code']}:{status.get('message', '')}")
    return " ".join(parts)


def chain_below(span, children):
    """How many observations there are from this one to the last like it of which each is the only child; and that last one."""
    length, line = 1, line_of(span)
    while True:
        below = children.get(span["spanId"], [])
        if len(below) != 1 or line_of(below[0]) != line:
            return length, span
        length, span = length + 1, below[0]


def forest(spans, children):
    """The lines of these siblings and all below them."""
    groups = []
    for span in spans:
        length, last = chain_below(span, children)
        head = line_of(span) + (f"  [a chain of {length}]" if length > 1 else "")
        lines = [head] + ["  " + line for line in forest(children.get(last["spanId"], []), children)]
        if groups and groups[-1][0] == lines:
            groups[-1][1] += 1
        else:
            groups.append([lines, 1])
    for lines, count in groups:
        yield lines[0] + (f"  [{count} of them]" if count > 1 else "")
        yield from lines[1:]


def tree(path):
    # Siblings that begin in one tick of a coarse clock end in the order in which they stand in the file.
    spans = sorted(normalize.read_spans(path), key=lambda span: int(span["startTimeUnixNano"]))
    traces = {span["spanId"]: span["traceId"] for span in spans}
    children, roots = {}, []
    for span in spans:
        parent = span.get("parentSpanId")
        if parent is None:
            roots.append(span)
        elif traces.get(parent) != span["traceId"]:
            raise SystemExit(f"{span['name']} has a parent that was never sent, or one of another trace")
        else:
            children.setdefault(parent, []).append(span)
    return [f"{len(set(traces.values()))} traces"] + list(forest(roots, children))


if __name__ == "__main__":
    print("\n".join(tree(sys.argv[1])))
