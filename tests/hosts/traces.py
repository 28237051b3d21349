"""What the file exporter wrote, each trace as one line of text, to be compared with the line that a test expects:

    guarded(n=3) = 0 ERROR "no 3" [risky(n=3) LEFT | fallback(n=3) = -3]

is an observation with input, output, level and message, and its children in the order of their end. LEFT is one that failed
without its end and is marked as such; OPEN was so still at exit.
"""
import collections
import json

MARKS = {"abandoned": ("LEFT", "WARNING", "scope was left without ending"),
         "interrupted": ("OPEN", "WARNING", "still open when the process exited")}


def node(name, given=None, output=None, remark="", *children):
    """The line of one observation; `given` is its input, a dictionary or text."""
    if isinstance(given, dict):
        given = ", ".join(f"{key}={value}" for key, value in given.items())
    line = f"{name}({given or ''})"
    if output is not None:
        line += f" = {output}"
    if remark:
        line += f" {remark}"
    if children:
        line += " [" + " | ".join(children) + "]"
    return line


def failed(message):
    return f'ERROR "{message}"'


def spans_of(path):
    """In the order of their end."""
    with open(path, encoding="utf-8") as file:
        for line in file:
            for resource in json.loads(line)["resourceSpans"]:
                for scope in resource["scopeSpans"]:
                    yield from scope["spans"]


def attributes_of(span):
    return {pair["key"].replace("langfuse.observation.", ""): next(iter(pair["value"].values())) for pair in span["attributes"]}


def remark_of(said):
    level, message, mark = (said.pop(key, None) for key in ("level", "status_message", "metadata.incomplete"))
    words = []
    if mark is not None:
        word, its_level, its_message = MARKS[mark]
        words.append(word)
        level, message = (None if level == its_level else level), (None if message == its_message else message)
    if level is not None:
        words.append(level)
    if message is not None:
        words.append(f'"{message}"')
    return " ".join(words)


def given_of(said):
    given = said.pop("input", None)
    try:
        value = json.loads(given) if given else None
    except ValueError:
        return given
    return value if isinstance(value, dict) else given


class Trees:
    """All spans of some files. Complains about spans twice, parents that are missing, and children that outlive their parent,
    but for those of the names `outliving`: handles may."""

    def __init__(self, *paths, outliving=()):
        self.outliving = outliving
        self.spans = {}
        for path in paths:
            for span in spans_of(path):
                key = span["traceId"], span["spanId"]
                assert key not in self.spans, f"{span['name']} is there twice"
                self.spans[key] = span
        self.below = collections.defaultdict(list)
        for (trace, _), span in self.spans.items():
            self.below[trace, span.get("parentSpanId", "")].append(span)
        for (trace, _), span in self.spans.items():
            self.check_parent(span, self.spans.get((trace, span.get("parentSpanId", ""))))

    def check_parent(self, span, parent):
        if not span.get("parentSpanId"):
            return
        assert parent is not None, f"the parent of {span['name']} is not there"
        for limit in ["startTimeUnixNano"] + ["endTimeUnixNano"] * (span["name"] not in self.outliving):
            assert int(parent["startTimeUnixNano"]) <= int(span[limit]) <= int(parent["endTimeUnixNano"]), (
                f"{span['name']} lies not within its parent {parent['name']}")

    def roots(self):
        return [span for (trace, parent), spans in self.below.items() if parent == "" for span in spans]

    def children(self, span):
        return self.below.get((span["traceId"], span["spanId"]), [])

    def line(self, span):
        said = attributes_of(span)
        return node(span["name"], given_of(said), said.get("output"), remark_of(said), *map(self.line, self.children(span)))

    def lines(self):
        """One line for each trace; a trace has one root."""
        assert len(self.roots()) == len({span["traceId"] for span in self.roots()}), "a trace has two roots"
        return [self.line(root) for root in self.roots()]


def some(lines):
    return "".join("\n    " + line[:400] for line in list(lines.elements())[:4])


def check_lines(got, want):
    """The same lines as often as they are expected, in any order."""
    got, want = collections.Counter(got), collections.Counter(want)
    surplus, missing = got - want, want - got
    if surplus or missing:
        raise AssertionError(f"{sum(surplus.values())} of {sum(got.values())} traces differ, such as{some(surplus)}\n"
                             f"  where expected{some(missing)}")
