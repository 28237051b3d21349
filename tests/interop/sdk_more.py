"""The scenarios of tests/golden/python_sdk.c as Python programs: each function is the scenario of its name."""
from datetime import datetime, timezone

from langfuse import Langfuse, get_client, observe, propagate_attributes
from langfuse.model import TextPromptClient
from langfuse.api import Prompt_Text
from opentelemetry import propagate as otel_propagate

from sdk_docs import block, current, handle, in_another_process, step, trace_io

TRACE = "abcdef1234567890abcdef1234567890"
PARENT = "fedcba0987654321"


def environ(**variables):
    """The environment that the scenario starts with."""
    def set_on(function):
        function.environ = variables
        return function
    return set_on


# ---- Nesting: scopes and handles mixed


def python_sdk_handles_in_scopes():
    with block("root") as root:
        side = handle("side")
        with block("inner", "chain"):
            side.start_observation(name="of-side", as_type="generation").end()
            get_client().create_event(name="event-of-inner")
            with side.start_as_current_observation(name="current-of-side", as_type="tool"):
                with block("below-current-of-side"):
                    handle("leaf", "retriever").end()
            with block("again-of-inner"):
                pass
        root.start_observation(name="last-of-root").end()
    side.start_observation(name="late-of-side").end()
    side.end()


def python_sdk_parent_ended_first():
    parent = handle("parent", "agent")
    parent.end()
    child = parent.start_observation(name="child", as_type="tool")
    child.start_observation(name="grandchild", as_type="guardrail").end()
    child.end()


def python_sdk_two_traces():
    with block("first"):
        with block("a"):
            pass
    with block("second"):
        with block("b"):
            pass
    handle("third").end()


def python_sdk_recursion():
    @observe(name="level", as_type="chain")
    def level(n):
        return n if n == 0 else level(n - 1) + n

    level(8)


def python_sdk_events():
    get_client().create_event(name="alone", level="WARNING", status_message="no trace around", version="v1")
    with block("root") as root:
        get_client().create_event(name="empty")
        get_client().create_event(name="metadata-text", metadata="text", input=[1, 2], output="out")
        get_client().create_event(name="error", level="ERROR", status_message="bad")
        with block("inner"):
            root.create_event(name="of-root", metadata={"n": 1, "ok": False})


def python_sdk_update_after_end():
    span = handle("span", input="before")
    span.update(name="renamed", output="first")
    span.end()
    span.update(name="too late", output="too late", metadata={"late": True})


def python_sdk_types_by_hand():
    for kind in ("span", "generation", "agent", "tool", "chain", "retriever", "evaluator", "embedding", "guardrail"):
        o = handle(kind, kind, input={"kind": kind}, metadata={"k": kind}, version="1", level="DEBUG", status_message="fine")
        o.update(output=[kind])
        o.end()


# ---- Levels and status messages


def python_sdk_levels():
    with block("root"):
        for level in ("DEBUG", "DEFAULT", "WARNING", "ERROR"):
            handle(f"{level} alone", level=level).end()
            handle(f"{level} with text", level=level, status_message=f"text of {level}").end()
        handle("text alone", status_message="only text").end()
        handle("empty text", level="ERROR", status_message="").end()


def python_sdk_level_changes():
    with block("root"):
        o = handle("warning then error", level="WARNING", status_message="careful")
        o.update(level="ERROR", status_message="broken")
        o.end()
        o = handle("text then error")
        o.update(status_message="said before")
        o.update(level="ERROR")
        o.end()
        o = handle("error then text", level="ERROR", status_message="first")
        o.update(status_message="second")
        o.end()
        o = handle("error twice", level="ERROR", status_message="first")
        o.update(level="ERROR", status_message="second")
        o.end()


def python_sdk_errors_at_depth():
    @observe(as_type="tool")
    def fetch():
        raise ValueError("no such host: example.invalid")

    @observe()
    def step_that_recovers():
        try:
            fetch()
        except ValueError:
            return "fell back"

    @observe()
    def step_that_fails():
        raise KeyError

    with block("root"):
        step_that_recovers()
        try:
            step_that_fails()
        except KeyError:
            pass


# ---- Updates


def python_sdk_updates():
    with block("root", "generation", input="first", output="first", model="m1", metadata={"a": 1, "b": {"x": 1}},
               usage_details={"input": 1, "output": 2}, model_parameters={"temperature": 1}):
        get_client().update_current_generation(input="second", model="m2", metadata={"b": {"y": 2}, "c": 3})
        get_client().update_current_generation(output={"n": 1}, usage_details={"total": 9}, model_parameters={"top_p": 0.5})
        get_client().update_current_generation(name="renamed", version="v2")


def python_sdk_update_from_depth():
    def helper():
        current(metadata={"by": "helper"})

    @observe()
    def inner():
        helper()
        current(output="set by hand, before the return")
        return "returned"

    @observe()
    def outer():
        helper()
        inner()
        current(input="set by hand")

    outer()


def python_sdk_metadata_text_and_object():
    o = handle("o", metadata={"a": 1})
    o.update(metadata="text")
    o.update(metadata={"b": 2})
    o.end()


# ---- Values


def python_sdk_metadata_shapes():
    handle("o", metadata={
        "text": "t", "empty": "", "int": 1, "negative": -7, "zero": 0, "max": 2**63 - 1, "min": -2**63, "true": True,
        "false": False, "float": 1.5, "whole": 2.0, "large": 1e22, "small": 1e-7, "nan": float("nan"), "inf": float("inf"),
        "-inf": float("-inf"), "none": None, "list": [], "object": {}, "mixed": [1, "a", None, True, 1.5, [2], {"k": "v"}],
        "deep": {"a": {"b": {"c": [1, {"d": None}]}}}, "with.dot": "x", "with space": "y", "": "empty key", "ü": "ö",
        "big inside": [2**53 - 1, 2**53, -2**53, 10**30], "json text": '{"a": 1}', "quote": 'say "hi"\n\t\\'}).end()


def python_sdk_metadata_of_other_types():
    for name, value in (("text", "a text"), ("empty text", ""), ("list", [1, "two", None]), ("int", 42), ("float", 0.5),
                        ("true", True), ("false", False), ("zero", 0), ("empty object", {}), ("empty list", [])):
        handle(name, metadata=value).end()


def python_sdk_io_shapes():
    for name, value in (
            ("null", None), ("empty", ""), ("space", " "), ("object", {}), ("list", []), ("zero", 0), ("false", False),
            ("true", True), ("float", 1.5), ("nan", float("nan")), ("inf", float("inf")), ("-inf", float("-inf")),
            ("2^53-1", 2**53 - 1), ("2^53", 2**53), ("-2^53+1", -2**53 + 1), ("-2^53", -2**53), ("2^64-1", 2**64 - 1),
            ("nulls", [None, {"a": None}]), ("json text", '{"a": 1}'), ("text null", "null"), ("text 1", "1"),
            ("nested nan", {"a": [float("nan"), float("inf")], "b": {"c": float("-inf")}}),
            ("nested big", {"a": [2**53, {"b": -2**60}]}), ("text of 5 bytes", "bytes")):
        handle(name, input=value, output=value).end()


def python_sdk_floats():
    handle("floats", input=[
        1.0, -1.0, 0.0, -0.0, 0.1, 0.2 + 0.1, 1 / 3, 1e15, 1e16, 123456789012345680.0, 1e17, 1e21, 1e22, 1e100, 1e-4, 1e-5,
        1.5e-5, 1e-7, 5e-324, 1.7976931348623157e308, 3.0e10, 0.00012345, 99999999.99, 4.35, 2.5, 9007199254740992.0,
        9007199254740993.5, 18014398509481984.0]).end()


def python_sdk_text():
    for name, value in (
            ("emoji", "👋🏽 👨‍👩‍👧"), ("controls", "".join(map(chr, range(1, 32))) + "\x7f\x80\x9f"),
            ("nul", "a\0b"), ("separators", "\u2028\u2029\ufeff\ufffe\uffff"), ("astral", "\U0001F600\U0010FFFF"),
            ("quotes", "\"'\\/</script>"), ("combining", "e\u0301 \u200f\u202e"), ("lines", "a\r\nb\n"),
            ("long", "ä" * 300)):
        handle(name, input=value, output={name: value, "list": [value]}).end()


def python_sdk_names():
    for name in ("", " ", "a/b", "ünïcödé 👋", "line\nbreak", 'quo"te', "n" * 1000):
        handle(name).end()


# ---- Generations


def python_sdk_usage_shapes():
    usages = ({"input": 5, "output": 50, "total": 55}, {"input": 0, "output": 0}, {"prompt_tokens": 5, "completion_tokens": 7},
              {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3,
               "prompt_tokens_details": {"cached_tokens": 1, "audio_tokens": 0},
               "completion_tokens_details": {"reasoning_tokens": 2}},
              {"input_tokens": 3, "output_tokens": 4, "cache_read_input_tokens": 1}, {"input": 2**40}, {"input": 1.5}, {},
              {"only": 1, "ünü": 2}, {"input": None})
    for i, usage in enumerate(usages):
        handle(f"usage {i}", "generation", usage_details=usage).end()


def python_sdk_cost_shapes():
    for i, cost in enumerate(({"input": 0.0001, "output": 0.002, "total": 0.0021}, {"total": 1}, {"total": 0.0}, {},
                              {"input": 1e-9, "output": 1e-5}, {"cache": 12345.678})):
        handle(f"cost {i}", "generation", cost_details=cost, model="m").end()


def python_sdk_model_parameters():
    for i, parameters in enumerate((
            {"temperature": 0.7, "max_tokens": 256, "stop": ["\n", "END"], "stream": False}, {"none": None}, {},
            {"nested": {"a": [1, {"b": 2}]}}, {"text": "high", "empty": ""}, {"temperature": 1.0, "seed": 2**40},
            {"logit_bias": {"50256": -100}})):
        handle(f"parameters {i}", "generation", model=f"model-{i}", model_parameters=parameters).end()


def python_sdk_completion_start():
    times = (datetime(2026, 1, 15, 6, 30, 0, 123456, timezone.utc), datetime(2026, 1, 15, 6, 30, 0, 120000, timezone.utc),
             datetime(2026, 1, 15, 6, 30, 0, 0, timezone.utc), datetime(2026, 1, 15, 6, 30, 0, 1, timezone.utc),
             datetime(1999, 12, 31, 23, 59, 59, 999999, timezone.utc), datetime(2028, 2, 29, tzinfo=timezone.utc))
    for i, time in enumerate(times):
        o = handle(f"at start {i}", "generation", completion_start_time=time)
        o.end()
        o = handle(f"later {i}", "generation")
        o.update(completion_start_time=time)
        o.end()


def python_sdk_embedding():
    o = handle("embed", "embedding", model="text-embedding-3-small", input=["one", "two"], usage_details={"input": 2},
               cost_details={"input": 0.00000004}, model_parameters={"dimensions": 256})
    o.update(output=[[0.1, -0.2], [0.0, 1.0]])
    o.end()


# ---- Prompts linked to generations


def prompt(name, version, is_fallback=False):
    return TextPromptClient(Prompt_Text(name=name, version=version, config={}, labels=[], tags=[], prompt="p", type="text"),
                            is_fallback=is_fallback)


def python_sdk_prompt_link():
    handle("at start", "generation", prompt=prompt("critic", 3)).end()
    o = handle("later", "generation", prompt=prompt("critic", 3))
    o.update(prompt=prompt("folder/other ü", 12))
    o.end()
    handle("fallback", "generation", prompt=prompt("critic", 0, is_fallback=True)).end()
    handle("of an embedding", "embedding", prompt=prompt("critic", 1)).end()
    with block("scope", "generation"):
        get_client().update_current_generation(prompt=prompt("critic", 7))


def python_sdk_prompt_of_a_scope():
    with propagate_attributes(prompt=prompt("outer", 1)):
        with block("span"):
            with block("generation", "generation"):
                pass
            with block("own", "generation", prompt=prompt("own", 5)):
                with block("below own", "generation"):
                    pass
            with propagate_attributes(prompt=prompt("inner", 2)):
                with block("in inner", "generation"):
                    pass
            with propagate_attributes(user_id="u"):
                with block("still outer", "generation"):
                    pass
            with block("embedding", "embedding"):
                pass
    with block("outside", "generation"):
        pass


# ---- Attributes of scopes


def python_sdk_attributes_overridden():
    with propagate_attributes(user_id="u1", session_id="s1", version="v1", trace_name="n1", environment="e1",
                              metadata={"a": "1", "b": "1"}):
        with block("root"):
            with propagate_attributes(session_id="s2", trace_name="n2"):
                with block("two"):
                    with propagate_attributes(user_id="u3", version="v3", environment="e3", metadata={"b": "3", "c": "3"}):
                        with block("three"):
                            handle("of three").end()
                        get_client().create_event(name="event")
                    step("two again")
            step("one again")
    step("outside")


def python_sdk_attributes_begin_late():
    with block("root"):
        step("before")
        with block("middle"):
            with propagate_attributes(user_id="u", tags=["t"]):
                step("inside")
            step("after")


LONG = "x" * 200


def python_sdk_attributes_too_long():
    with propagate_attributes(user_id=LONG, session_id=LONG + "x", version=LONG + "x", trace_name=LONG):
        step("200 and 201")
    with propagate_attributes(user_id="ä" * 200, session_id="👋" * 200, trace_name="ä" * 201):
        step("200 characters of several bytes")
    with propagate_attributes(tags=["good", LONG + "x", LONG], metadata={"good": LONG, "bad": LONG + "x", "n": 10**199}):
        step("some of the tags, some of the metadata")
    with propagate_attributes(tags=[LONG + "x"], metadata={"bad": LONG + "x"}):
        step("none of the tags, none of the metadata")
    with propagate_attributes(user_id="outer", metadata={"k": "outer"}, tags=["outer"]):
        with propagate_attributes(user_id=LONG + "x", metadata={"k": LONG + "x"}, tags=[LONG + "x"]):
            step("what is too long leaves the outer one")


def python_sdk_attributes_empty():
    with propagate_attributes(user_id="outer", session_id="outer", tags=["outer"], metadata={"k": "outer"}):
        with propagate_attributes(user_id="", session_id="", version="", trace_name="", tags=[], metadata={}):
            step("empty")
        with propagate_attributes(tags=[""], metadata={"k": "", "": "empty key"}):
            step("empty inside")
    with propagate_attributes():
        step("nothing")


def python_sdk_attributes_tags():
    with propagate_attributes(tags=["a", "b", "a"]):
        step("twice in one list")
        with propagate_attributes(tags=["c", "a", "ü 👋", "with,comma"]):
            step("in both")
            with propagate_attributes(tags=["b"]):
                step("nothing new")


def python_sdk_attributes_metadata():
    with propagate_attributes(metadata={"text": "t", "int": 1, "negative": -5, "zero": 0, "float": 0.5, "whole": 1.0,
                                        "large": 1e22, "small": 1e-7, "big": 2**64 - 1, "with.dot": "d", "with space": "s",
                                        "ü": "ö", "under_score": "u"}):
        step("values")


def python_sdk_attributes_environment():
    for name in ("production", "a-b_c9", "9", "-", "x" * 40, "x" * 41, "Upper", "langfuse", "langfuse-x", "with space",
                 "my-langfuse", "ü", "a.b", "", "default"):
        with propagate_attributes(environment=name):
            step("environment " + name)


@environ(LANGFUSE_TRACING_ENVIRONMENT="qa", LANGFUSE_RELEASE="r-1.2")
def python_sdk_environment_and_release():
    with block("root") as root:
        with propagate_attributes(environment="other"):
            step("in another")
            root.start_observation(name="of root, in another").end()
            get_client().create_score(name="explicit", value=1, trace_id=root.trace_id, environment="explicit")
            get_client().score_current_trace(name="in another", value=1)
        step("back")
        root.score(name="by handle", value=1)


def python_sdk_version_of_both():
    with propagate_attributes(version="of the scope"):
        with block("own version", version="own"):
            step("child")
        o = handle("changed later")
        o.update(version="later")
        o.end()


def python_sdk_attributes_on_all_kinds():
    with propagate_attributes(user_id="u", session_id="s", tags=["t"], metadata={"k": "v"}, version="v", trace_name="n"):
        for kind in ("span", "generation", "agent", "tool", "chain", "retriever", "evaluator", "embedding", "guardrail"):
            handle(kind, kind).end()
        get_client().create_event(name="event")


# ---- The trace


def python_sdk_public_from_depth():
    with block("root"):
        with block("middle"):
            with block("leaf"):
                get_client().set_current_trace_as_public()


def python_sdk_trace_io():
    with block("root"):
        trace_io(input="text", output="first")
        with block("inner"):
            trace_io(output={"n": [1, None, "ü"]})
    with block("numbers"):
        trace_io(input=0, output=False)


def python_sdk_trace_update_from_depth():
    with block("root"):
        with block("middle"):
            with block("leaf"):
                with propagate_attributes(trace_name="named below", user_id="u", session_id="s", tags=["b", "a", "b"],
                                          metadata={"k": "v"}):
                    pass
            step("later sibling")


# ---- Ids


SEEDS = ("req_12345", "a", "ünïcödé 👋", " ", "0", "x" * 1000, "00000000000000000000000000000000")


def python_sdk_ids_of_seeds():
    with block("seeds", input=[Langfuse.create_trace_id(seed=seed) for seed in SEEDS]):
        pass


def python_sdk_trace_given():
    with block("trace only", trace_context={"trace_id": TRACE}):
        step("child")
    with block("trace and parent", trace_context={"trace_id": TRACE, "parent_span_id": PARENT}):
        step("child of it")
    with block("around"):
        with block("other trace inside", trace_context={"trace_id": "1" * 32, "parent_span_id": PARENT}):
            step("its child")
        step("back in the trace around")
        handle("handle into another", trace_context={"trace_id": "1" * 32, "parent_span_id": PARENT}).end()


def python_sdk_ids_of_current():
    client = get_client()
    with block("outer", input=[client.get_current_trace_id(), client.get_current_observation_id()]):
        with block("inner", input=[client.get_current_trace_id(), client.get_current_observation_id()]) as inner:
            side = handle("side", input=[client.get_current_trace_id(), client.get_current_observation_id()])
            side.update(output=[side.trace_id, side.id])
            side.end()
            inner.update(output=[inner.trace_id, inner.id])


# ---- Sampling


@environ(LANGFUSE_SAMPLE_RATE="0.5")
def python_sdk_sampling_half():
    for i in range(40):
        handle(f"trace {i}", trace_context={"trace_id": Langfuse.create_trace_id(seed=f"seed {i}"),
                                            "parent_span_id": PARENT}).end()


@environ(LANGFUSE_SAMPLE_RATE="0.1")
def python_sdk_sampling_tenth():
    for i in range(60):
        with block(f"trace {i}", trace_context={"trace_id": Langfuse.create_trace_id(seed=f"other {i}"),
                                                "parent_span_id": PARENT}):
            step(f"child {i}")


@environ(LANGFUSE_SAMPLE_RATE="0.25")
def python_sdk_sampling_edges():
    for low in ("0000000000000000", "3fffffffffffffff", "4000000000000000", "4000000000000001", "7fffffffffffffff",
                "8000000000000000", "ffffffffffffffff", "2000000000000000"):
        handle(f"low {low}", trace_context={"trace_id": "f" * 16 + low, "parent_span_id": PARENT}).end()
        handle(f"high {low}", trace_context={"trace_id": "1" * 16 + low, "parent_span_id": PARENT}).end()


# ---- Across processes


def python_sdk_remote_parent():
    def work():
        with block("service"):
            step("inside")
        handle("by hand").end()

    in_another_process({"traceparent": f"00-{TRACE}-{PARENT}-01"}, work)
    in_another_process({"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=1,other=2"}, work)


def python_sdk_unsampled_parent():
    in_another_process({"traceparent": f"00-{TRACE}-{PARENT}-00"}, lambda: step("of a parent that is not sampled"))
    with block("a trace of its own"):
        step("inside")


def python_sdk_bad_traceparents():
    for header in ("", "garbage", f"00-{TRACE}-{PARENT}", f"00-{'0' * 32}-{PARENT}-01", f"00-{TRACE}-{'0' * 16}-01",
                   f"ff-{TRACE}-{PARENT}-01", f"00-{TRACE.upper()}-{PARENT}-01", f"00-{TRACE}-{PARENT}-01-extra",
                   f"01-{TRACE}-{PARENT}-01-extra", f" 00-{TRACE}-{PARENT}-01 ", f"00-{TRACE[:-1]}-{PARENT}-01"):
        in_another_process({"traceparent": header}, lambda: step(f"<{header}>"))


def injected():
    headers = {}
    otel_propagate.inject(headers)
    return headers.get("baggage")


def python_sdk_baggage_out():
    with block("root"):
        current(output=injected())
        with propagate_attributes(user_id="u 1+2", session_id="ünï;=,\"%", version="v/1", trace_name="trace name",
                                  environment="qa", metadata={"k": "v", "n": 1, "key_2": "a b"}, as_baggage=True):
            with block("all of it"):
                current(output=injected())
            with propagate_attributes(user_id="inner"):
                with block("not marked"):
                    current(output=injected())
            with propagate_attributes(user_id="inner", as_baggage=True):
                with block("marked"):
                    current(output=injected())
        with block("left"):
            current(output=injected())


def python_sdk_baggage_in():
    traceparent = f"00-{TRACE}-{PARENT}-01"
    for baggage in (
            "langfuse_user_id=u%201%2B2,langfuse_session_id=s+1,langfuse_version=v,langfuse_trace_name=n",
            f"langfuse_trace_id={TRACE},langfuse_user_id=u", f"langfuse_trace_id={'1' * 32},langfuse_user_id=u",
            "langfuse_metadata_k=v,langfuse_metadata_with_underscore=w,langfuse_unknown=x,other=y",
            "langfuse_environment=qa", "langfuse_environment=Not%20Good,langfuse_user_id=u",
            "langfuse_user_id=" + LONG + "," + "langfuse_session_id=" + LONG + "x",
            "langfuse_user_id=%C3%BC%F0%9F%91%8B;property=1, langfuse_session_id = spaces ",
            "langfuse_user_id=first,langfuse_user_id=second", "langfuse_user_id=,langfuse_session_id",
            "langfuse_prompt_name=critic,langfuse_prompt_version=3",
            "langfuse_metadata_s=%22123%22,langfuse_metadata_i=123,langfuse_metadata_o=%7B%22x%22%3A1%7D,"
            "langfuse_metadata_t=%22plain%22"):
        def work():
            with block("<" + baggage[:60] + ">"):
                with block("generation", "generation"):
                    pass

        in_another_process({"traceparent": traceparent, "baggage": baggage}, work)


# ---- Masking


def python_sdk_masking():
    def mask(*, data, **_):
        return "***" if isinstance(data, str) and "secret" in data else data

    Langfuse(mask=mask)
    with block("root", input="the secret word", output="harmless", metadata="secret metadata") as root:
        trace_io(root, input="secret of the trace", output="fine")
        handle("object", input={"k": "v"}, output=["a"], metadata={"a": "b"}).end()


def python_sdk_masking_fails():
    def mask(*, data, **_):
        raise ValueError("broken")

    Langfuse(mask=mask)
    handle("o", input="in", output={"k": 1}).end()


# ---- Scores


def python_sdk_score_values():
    client = get_client()
    with block("judged") as o:
        for i, value in enumerate((0, 1, -1.5, 0.1, 1e20, 1e-7, 123456789, 1 / 3)):
            client.create_score(name=f"number {i}", value=value, trace_id=TRACE)
        for i, value in enumerate(("good", "0.5", "ünï 👋", "line\nbreak", " ", "true")):
            o.score(name=f"text {i}", value=value)
        o.score(name="yes", value=1, data_type="BOOLEAN")
        o.score(name="no", value=0, data_type="BOOLEAN")
        o.score_trace(name="numeric", value=1, data_type="NUMERIC")
        o.score_trace(name="category", value="a", data_type="CATEGORICAL")
        o.score_trace(name="text", value="free text", data_type="TEXT")


def python_sdk_score_fields():
    client = get_client()
    with block("judged") as o:
        o.score(name="all", value=0.5, score_id="id-1", data_type="NUMERIC", comment="c ü", config_id="config-1",
                metadata={"a": 1, "b": [None, True, 1.5], "c": {"d": "e"}})
        o.score_trace(name="all of trace", value="x", score_id="id-2", data_type="CATEGORICAL", comment="", config_id="config-2",
                      metadata={})
        client.score_current_span(name="current", value=1, score_id="id-3", comment="current")
        client.score_current_trace(name="current trace", value=1, score_id="id-4", metadata={"k": "v"})
        client.create_score(name="session", value=1, session_id="s 1", score_id="id-5")
        client.create_score(name="run", value="x", dataset_run_id="r 1", score_id="id-6")
        client.create_score(name="trace and observation", value=1, trace_id=o.trace_id, observation_id=o.id)
        client.create_score(name="same id", value=1, trace_id=TRACE, score_id="id-5")
        client.create_score(name="same id", value=2, trace_id=TRACE, score_id="id-5")


def python_sdk_score_after_end():
    with block("root") as root:
        child = root.start_observation(name="child", as_type="generation")
        child.end()
        child.score(name="of an ended one", value=1)
    root.score(name="of the root", value=2)
    root.score_trace(name="of the trace", value=3)


# ---- Switched off


@environ(LANGFUSE_TRACING_ENABLED="false")
def python_sdk_switched_off():
    with block("root", input="x"):
        step("inner")
        get_client().create_event(name="event")
        get_client().score_current_trace(name="s", value=1)
        get_client().create_score(name="s", value=1, trace_id=TRACE)


@environ(LANGFUSE_OBSERVE_DECORATOR_IO_CAPTURE_ENABLED="false")
def python_sdk_capture_switched_off():
    @observe()
    def quiet(a):
        return a

    @observe(capture_input=True)
    def only_input(a):
        return a

    @observe(capture_output=True)
    def only_output(a):
        return a

    @observe()
    def by_hand(a):
        current(input="by hand", output="by hand")
        return a

    quiet("a")
    only_input("a")
    only_output("a")
    by_hand("a")


def python_sdk_returns():
    for value in (0, "", False, [], {}, 1.5, -1, "text", None):
        @observe(name=f"returns {value!r}")
        def returns():
            return value

        returns()
