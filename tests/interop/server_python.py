"""The official Python SDK, version 4 or 5, unchanged, against langfuse-local: what it writes is what its own classes read back.

    langfuse-local run -- python server_python.py [WORD...]

With words, only tests whose name contains one of them. $LIBRARY_PROGRAMS are programs of the C library, with colons between.
Prints a line a failure and `server_python VERSION: N passed, M failed`.
"""
import importlib.metadata
import json
import os
import subprocess
import sys
import traceback
from datetime import datetime, timedelta, timezone

from langfuse import Langfuse, get_client, observe, propagate_attributes
from langfuse.api import NotFoundError, UnauthorizedError
from langfuse.api.client import LangfuseAPI

VERSION = int(importlib.metadata.version("langfuse").split(".")[0])
ALL = "core,basic,time,io,metadata,model,usage,prompt,metrics,trace_context"
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def only(version):
    """Decorates what one version of the SDK has."""
    return test if version == VERSION else lambda function: function


def equal(got, wanted, what):
    if got != wanted:
        raise AssertionError(f"{what}: {got!r}, not {wanted!r}")


def refused(call, error):
    try:
        call()
    except error:
        return
    raise AssertionError(f"no {error.__name__}")


def rows(trace_id, fields=ALL, **query):
    """The observations of a trace by their names."""
    get_client().flush()
    found = get_client().api.observations.get_many(trace_id=trace_id, fields=fields, **query).data
    return {row.name: row for row in found}


def only_own(metadata):
    return {key: value for key, value in metadata.items() if not key.startswith(("scope.", "resourceAttributes."))}


# ---- Keys and addresses


@test
def the_keys_are_checked():
    client = get_client()
    equal(client.auth_check(), True, "auth_check")
    equal([project.id for project in client.api.projects.get().data], ["local"], "projects")
    equal(client.api.health.health().status, "OK", "health")
    wrong = LangfuseAPI(base_url=client._base_url, username="pk-lf-other", password="sk-lf-wrong")
    refused(wrong.projects.get, UnauthorizedError)


@test
def a_trace_has_an_address():
    trace_id = Langfuse.create_trace_id(seed="address")
    wanted = f"{get_client()._base_url}/project/local/traces/{trace_id}"
    equal(get_client().get_trace_url(trace_id=trace_id), wanted, "get_trace_url")


# ---- Tracing


@test
def decorated_functions():
    ids = []

    @observe(as_type="generation", name="llm-call")
    def call(prompt):
        get_client().update_current_generation(
            model="llama-of-the-house", model_parameters={"temperature": 0.5, "max_tokens": 20},
            usage_details={"input": 10, "output": 5}, cost_details={"input": 0.25, "output": 0.5})
        return "Because of Rayleigh."

    @observe()
    def answer(question, depth=1):
        ids.append(get_client().get_current_trace_id())
        return {"answer": call(question)}

    answer("Why is the sky blue?", depth=2)
    found = rows(ids[0])
    root, llm = found["answer"], found["llm-call"]
    equal((root.type, root.parent_observation_id, root.is_root_observation), ("SPAN", None, True), "root")
    equal(json.loads(root.input), {"args": ["Why is the sky blue?"], "kwargs": {"depth": 2}}, "input")
    equal(json.loads(root.output), {"answer": "Because of Rayleigh."}, "output")
    equal((llm.type, llm.parent_observation_id, llm.output), ("GENERATION", root.id, "Because of Rayleigh."), "generation")
    equal(llm.model_parameters, {"temperature": 0.5, "max_tokens": 20}, "parameters")
    equal((llm.usage_details, llm.cost_details), ({"input": 10, "output": 5, "total": 15},
                                                  {"input": 0.25, "output": 0.5, "total": 0.75}), "usage and cost")
    equal(llm.total_cost, 0.75, "total cost")


@test
def errors_of_decorated_functions():
    ids = []

    @observe(as_type="tool")
    def fails():
        ids.append(get_client().get_current_trace_id())
        raise RuntimeError("disk full")

    refused(fails, RuntimeError)
    row = rows(ids[0])["fails"]
    equal((row.type, row.level.value, row.status_message), ("TOOL", "ERROR", "disk full"), "row")


@test
def context_managers():
    started = datetime.now(timezone.utc)
    with get_client().start_as_current_observation(name="step", input={"q": 1}, level="WARNING") as span:
        with span.start_as_current_observation(name="inner", as_type="generation", model="m") as inner:
            inner.update(output=["a", None, 1.5], completion_start_time=started)
        get_client().create_event(name="moment", metadata={"key": "value"})
        get_client().update_current_span(output="done", status_message="careful", version="v1")
    found = rows(span.trace_id)
    step = found["step"]
    equal((step.level.value, step.status_message, step.version, step.output), ("WARNING", "careful", "v1", "done"), "step")
    equal(json.loads(found["inner"].output), ["a", None, 1.5], "output")
    equal(abs(found["inner"].completion_start_time - started) < timedelta(milliseconds=2), True, "completion start")
    equal((found["moment"].type, found["moment"].parent_observation_id), ("EVENT", step.id), "event")
    equal(only_own(found["moment"].metadata), {"key": "value"}, "metadata of the event")


@test
def observations_by_hand():
    parent = get_client().start_observation(name="parent", as_type="agent", input="in")
    child = parent.start_observation(name="child", as_type="retriever", metadata={"n": 3, "o": {"a": [1]}, "ok": True})
    child.update(output="found").end()
    parent.update(name="renamed", metadata={"late": "yes"}).end()
    found = rows(parent.trace_id)
    equal(found["child"].type, "RETRIEVER", "type")
    nested = {"o.a": [1]} if VERSION >= 5 else {"o": {"a": [1]}}  # newer servers spread what they decode
    equal(only_own(found["child"].metadata), {"n": 3, **nested, "ok": True}, "metadata")
    equal(only_own(found["renamed"].metadata), {"late": "yes"}, "metadata of an update")
    equal(found["child"].parent_observation_id, found["renamed"].id, "parent")


@test
def every_type():
    kinds = ("span", "generation", "agent", "tool", "chain", "retriever", "evaluator", "embedding", "guardrail")
    with get_client().start_as_current_observation(name="all") as root:
        for kind in kinds:
            root.start_observation(name=kind, as_type=kind).end()
    found = rows(root.trace_id)
    equal({found[kind].type for kind in kinds}, {kind.upper() for kind in kinds}, "types")


@test
def attributes_of_a_trace():
    with propagate_attributes(user_id="user-7", session_id="session-7", tags=["b", "a"], metadata={"plan": "premium", "n": "7"},
                              version="2.0", trace_name="named"):
        with get_client().start_as_current_observation(name="outer") as outer:
            get_client().set_current_trace_as_public()
            outer.start_observation(name="inner").end()
    found = rows(outer.trace_id)
    for row in found.values():
        equal((row.user_id, row.session_id, row.version, row.trace_name, sorted(row.tags)),
              ("user-7", "session-7", "2.0", "named", ["a", "b"]), row.name)
        # Version 4 does not tell the text from the number.
        equal(only_own(row.metadata), {"plan": "premium", "n": "7" if VERSION >= 5 else 7}, "metadata")
    equal(found["outer"].public, True, "public")


@test
def a_text_of_metadata_stays_a_text():
    said = {"text": "plain", "digits": "123", "word": "true", "json": '{"a": 1}', "quoted": '"q"', "empty": "", "number": 123}
    span = get_client().start_observation(name="texts", metadata=said)
    span.end()
    if VERSION < 5:  # it sends all texts as they are
        said = {**said, "digits": 123, "word": True, "json": {"a": 1}, "quoted": "q"}
    equal(only_own(rows(span.trace_id)["texts"].metadata), said, "metadata")


@test
def a_trace_that_began_elsewhere():
    trace_id = Langfuse.create_trace_id(seed="elsewhere")
    with get_client().start_as_current_observation(
            name="here", trace_context={"trace_id": trace_id, "parent_span_id": "fedcba0987654321"}):
        pass
    row = rows(trace_id)["here"]
    equal((row.parent_observation_id, row.is_root_observation), ("fedcba0987654321", True), "row")


# ---- Reading


@test
def any_fields_of_observations():
    client = get_client()
    with client.start_as_current_observation(name="outer", input="in", output="out", metadata={"long": "m" * 300}) as outer:
        outer.start_observation(name="inner").end()
    client.flush()
    read = client.api.observations.get_many
    for fields in (None, "core", "basic", "io", "metadata", "usage", "model,metrics", "trace_context", "unknown", ""):
        found = read(trace_id=outer.trace_id, fields=fields).data
        equal({row.id for row in found} >= {outer.id}, True, f"fields={fields}")
        equal(all(row.trace_id == outer.trace_id and row.start_time for row in found), True, f"core with fields={fields}")
    [cut] = read(trace_id=outer.trace_id, fields="metadata", is_root_observation=True).data
    equal(len(cut.metadata["long"]), 200, "metadata without io")
    [whole] = read(trace_id=outer.trace_id, fields="metadata", is_root_observation=True, expand_metadata="long").data
    equal(len(whole.metadata["long"]), 300, "expanded metadata")


@test
def filters_and_pages_of_observations():
    client = get_client()
    with propagate_attributes(user_id="of-pages", metadata={"plan": "premium"}):
        with client.start_as_current_observation(name="root") as root:
            for i in range(5):
                root.start_observation(name=f"step-{i}", as_type="chain", level="DEBUG" if i else "ERROR").end()
    client.flush()
    seen, cursor = [], None
    while True:
        page = client.api.observations.get_many(trace_id=root.trace_id, limit=2, cursor=cursor)
        seen += [row.name for row in page.data]
        cursor = page.meta.cursor
        if not cursor:
            break
    equal(sorted(seen), ["root"] + [f"step-{i}" for i in range(5)], "pages")
    read = client.api.observations.get_many
    equal({row.name for row in read(trace_id=root.trace_id, level="ERROR").data}, {"step-0"}, "level")
    equal(len(read(trace_id=root.trace_id, type="CHAIN").data), 5, "type")
    equal(len(read(user_id="of-pages", parent_observation_id=root.id).data), 5, "user and parent")
    wanted = json.dumps([{"type": "string", "column": "name", "operator": "=", "value": "step-3"}])
    equal([row.name for row in read(trace_id=root.trace_id, filter=wanted).data], ["step-3"], "filter")
    wanted = json.dumps([{"type": "stringOptions", "column": "name", "operator": "none of", "value": ["step-1", "step-2", "root"]},
                         {"type": "stringObject", "column": "metadata", "key": "plan", "operator": "=", "value": "premium"}])
    equal({row.name for row in read(trace_id=root.trace_id, filter=wanted).data}, {"step-0", "step-3", "step-4"}, "two conditions")
    later = datetime.now(timezone.utc) + timedelta(hours=1)
    equal(read(trace_id=root.trace_id, from_start_time=later).data, [], "fromStartTime")


@only(4)
def traces_and_sessions_as_before():
    client = get_client()
    with propagate_attributes(user_id="user-8", session_id="session-8", tags=["old"], trace_name="old-way", metadata={"k": "v"}):
        with client.start_as_current_observation(name="root", input={"q": 1}, output="out") as root:
            root.start_observation(name="llm", as_type="generation", usage_details={"input": 3, "output": 4}).end()
            root.score_trace(name="good", value=1)
            root.score(name="output", value="better", data_type="CORRECTION")
    client.flush()
    trace = client.api.trace.get(root.trace_id)
    equal((trace.name, trace.user_id, trace.session_id, trace.tags, trace.input, trace.output),
          ("old-way", "user-8", "session-8", ["old"], {"q": 1}, "out"), "trace")
    equal(trace.metadata["k"], "v", "metadata")
    equal({o.name for o in trace.observations}, {"root", "llm"}, "observations")
    equal([s.name for s in trace.scores], ["good"], "scores, without corrections")
    equal([t.id for t in client.api.trace.list(session_id="session-8").data], [root.trace_id], "list by session")
    equal([t.id for t in client.api.trace.list(name="old-way", user_id="user-8", tags=["old"]).data], [root.trace_id], "list")
    with propagate_attributes(session_id="session-8"):
        with client.start_as_current_observation(name="later") as later:
            pass
    client.flush()
    for order, names in (("name.asc", ["later", "old-way"]), ("timestamp.asc", ["old-way", "later"])):
        equal([t.name for t in client.api.trace.list(session_id="session-8", order_by=order).data], names, order)
    wanted = json.dumps([{"type": "arrayOptions", "column": "tags", "operator": "any of", "value": ["old", "other"]}])
    equal([t.id for t in client.api.trace.list(session_id="session-8", filter=wanted).data], [root.trace_id], "filter")
    client.api.trace.delete(later.trace_id)
    equal([t.id for t in client.api.sessions.get("session-8").traces], [root.trace_id], "session")
    equal("session-8" in [s.id for s in client.api.sessions.list().data], True, "sessions")
    old = client.api.legacy.observations_v1
    [llm] = old.get_many(trace_id=root.trace_id, type="GENERATION").data
    equal((llm.usage_details, old.get(llm.id).name), ({"input": 3, "output": 4, "total": 7}, "llm"), "observation")
    client.api.trace.delete(root.trace_id)
    refused(lambda: client.api.trace.get(root.trace_id), NotFoundError)


# ---- Scores


def scores_of(**query):
    client = get_client()
    client.flush()
    read = client.api.scores.get_many if VERSION >= 5 else client.api.scores_v3.get_many_v3
    return {score.name: score for score in read(fields="core,details,subject,annotation", **query).data}


@test
def every_type_of_score():
    client = get_client()
    with client.start_as_current_observation(name="judged") as o:
        o.score(name="numeric", value=-0.25, data_type="NUMERIC", comment="why", metadata={"by": "me", "n": 1})
        o.score(name="boolean", value=1, data_type="BOOLEAN")
        o.score_trace(name="categorical", value="good", data_type="CATEGORICAL")
        client.score_current_span(name="text", value="free text", data_type="TEXT")
        client.score_current_trace(name="untyped number", value=0.5)
        client.create_score(name="untyped text", value="a", trace_id=o.trace_id, observation_id=o.id, environment="qa")
        client.create_score(name="output", value="better", data_type="CORRECTION", trace_id=o.trace_id)
    found = scores_of(trace_id=o.trace_id)
    equal({name: (score.data_type, score.value) for name, score in found.items()}, {
        "numeric": ("NUMERIC", -0.25), "boolean": ("BOOLEAN", True), "categorical": ("CATEGORICAL", "good"),
        "text": ("TEXT", "free text"), "untyped number": ("NUMERIC", 0.5), "untyped text": ("CATEGORICAL", "a"),
        "output": ("CORRECTION", "better")}, "values")
    equal((found["numeric"].comment, found["numeric"].metadata), ("why", {"by": "me", "n": 1}), "details")
    equal((found["numeric"].subject.kind, found["numeric"].subject.id, found["numeric"].subject.trace_id),
          ("observation", o.id, o.trace_id), "subject")
    equal((found["categorical"].subject.kind, found["categorical"].subject.id), ("trace", o.trace_id), "subject")
    equal((found["untyped text"].environment, found["text"].environment), ("qa", "default"), "environments")


@test
def scores_of_sessions_and_runs():
    client = get_client()
    client.create_score(name="of-session", value=3, session_id="session-9", score_id="score-9")
    client.create_score(name="of-run", value=1, dataset_run_id="run-9")
    found = scores_of(session_id="session-9")
    equal([(s.id, s.subject.kind, s.subject.id, s.value) for s in found.values()], [("score-9", "session", "session-9", 3)],
          "session")
    found = scores_of(experiment_id="run-9")
    equal([(s.name, s.subject.kind, s.subject.id) for s in found.values()], [("of-run", "experiment", "run-9")], "run")


@test
def a_score_is_changed_and_deleted():
    client, at = get_client(), datetime.now(timezone.utc)
    for value in (1, 2):
        client.create_score(name="changed", value=value, trace_id="0" * 31 + "1", score_id="score-10", timestamp=at)
        client.flush()
    equal([s.value for s in scores_of(id="score-10").values()], [2], "value")
    (client.api.scores if VERSION >= 5 else client.api.legacy.score_v1).delete("score-10")
    equal(scores_of(id="score-10"), {}, "after deleting")


@only(4)
def scores_as_before():
    client = get_client()
    with propagate_attributes(user_id="user-11", tags=["of-scores"]):
        with client.start_as_current_observation(name="judged") as o:
            o.score(name="accuracy", value=0.75, data_type="NUMERIC", comment="c")
            o.score_trace(name="flag", value=1, data_type="BOOLEAN")
    client.flush()
    found = {score.name: score for score in client.api.scores.get_many(trace_id=o.trace_id).data}
    equal((found["accuracy"].value, found["accuracy"].observation_id, found["accuracy"].comment), (0.75, o.id, "c"), "accuracy")
    equal((found["flag"].value, found["flag"].string_value, found["flag"].trace.user_id), (1, "True", "user-11"), "flag")
    equal(client.api.scores.get_by_id(found["flag"].id).name, "flag", "by id")
    equal([s.name for s in client.api.scores.get_many(user_id="user-11", operator=">", value=0.8).data], ["flag"], "filtered")


@test
def configs_of_scores():
    api = get_client().api.score_configs
    made = api.create(name="in-range", data_type="NUMERIC", min_value=0, max_value=1, description="d")
    equal((made.name, made.data_type.value, made.min_value, made.max_value, made.is_archived),
          ("in-range", "NUMERIC", 0, 1, False), "created")
    equal(api.get_by_id(made.id).description, "d", "read")
    equal([config.id for config in api.get().data], [made.id], "list")
    client, trace_id = get_client(), "0" * 31 + "2"
    client.create_score(name="in-range", value=0.5, trace_id=trace_id, config_id=made.id)
    client.create_score(name="outside", value=5, trace_id=trace_id, config_id=made.id)
    equal({name: score.config_id for name, score in scores_of(trace_id=trace_id).items()}, {"in-range": made.id}, "scores")
    equal(api.update(made.id, is_archived=True).is_archived, True, "archived")


# ---- What the C library wrote


@test
def programs_of_the_library_are_read():
    programs = [path for path in os.environ.get("LIBRARY_PROGRAMS", "").split(":") if path]
    begin = datetime.now(timezone.utc)
    for path in programs:
        subprocess.run([path], stdout=subprocess.DEVNULL, timeout=60, check=True)
    api = get_client().api
    found = api.observations.get_many(fields=ALL, limit=1000, from_start_time=begin - timedelta(seconds=1)).data
    found = [row for row in found if row.metadata.get("resourceAttributes.telemetry.sdk.language") == "c"]
    equal(len({row.trace_id for row in found}) >= len(programs), True, "traces")
    for trace_id in {row.trace_id for row in found}:
        scores = scores_of(trace_id=trace_id).values()
        if VERSION < 5:
            old = api.trace.get(trace_id)
            equal({o.id for o in old.observations}, {row.id for row in found if row.trace_id == trace_id}, "observations")
            equal({s.name for s in old.scores}, {s.name for s in scores if s.data_type != "CORRECTION"}, "scores")
    if any(path.endswith("/scores") for path in programs):
        judged = [scores_of(trace_id=row.trace_id) for row in found if row.name == "judge"]
        equal(sorted(scores["correct"].value for scores in judged), [False, True], "scores")
        equal({(scores["correct"].data_type, scores["correct"].metadata["judge"], scores["reason"].data_type) for scores in judged},
              {("BOOLEAN", "rule", "TEXT")}, "scores")


# ---- Prompts


@test
def prompts_of_text():
    client = get_client()
    first = client.create_prompt(name="greet", prompt="Hello {{name}}!", labels=["production"], tags=["t"],
                                 config={"temperature": 0.5}, commit_message="first")
    equal((first.version, first.labels), (1, ["production", "latest"]), "first")
    client.create_prompt(name="greet", prompt="Hi {{name}}!", labels=["staging"])
    equal(client.get_prompt("greet").compile(name="Ada"), "Hello Ada!", "production")
    equal(client.get_prompt("greet", label="staging").compile(name="Ada"), "Hi Ada!", "staging")
    got = client.get_prompt("greet", version=1)
    equal((got.config, got.tags, got.commit_message, got.variables), ({"temperature": 0.5}, ["t"], "first", ["name"]), "version 1")
    refused(lambda: client.get_prompt("absent", max_retries=0), NotFoundError)
    equal(client.get_prompt("absent", fallback="F {{x}}", max_retries=0).compile(x=1), "F 1", "fallback")


@test
def prompts_of_messages():
    client = get_client()
    client.create_prompt(name="folder/chat prompt", type="chat", labels=["production"], prompt=[
        {"role": "system", "content": "You are {{who}}."}, {"type": "placeholder", "name": "history"},
        {"role": "user", "content": "{{question}}"}])
    got = client.get_prompt("folder/chat prompt", type="chat")
    past = [{"role": "user", "content": "before"}]
    equal(got.compile(who="wise", question="Why?", history=past),
          [{"role": "system", "content": "You are wise."}] + past + [{"role": "user", "content": "Why?"}], "compiled")
    equal(got.name, "folder/chat prompt", "name")


@test
def labels_move_and_the_cache_is_cleared():
    client = get_client()
    for text in ("one", "two"):
        client.create_prompt(name="moved", prompt=text, labels=["production"] if text == "one" else [])
    equal(client.get_prompt("moved").prompt, "one", "before")
    changed = client.api.prompt_version.update(name="moved", version=2, new_labels=["production"])
    equal("production" in changed.labels, True, "labels")
    equal(client.get_prompt("moved").prompt, "one", "from the cache")
    client.update_prompt(name="moved", version=2, new_labels=["tested"])  # which clears the cache of the name
    equal(client.get_prompt("moved").prompt, "two", "after")
    equal(client.get_prompt("moved", version=1).labels, [], "of the first version")


@test
def prompts_are_listed_and_deleted():
    client = get_client()
    for i in range(3):
        client.create_prompt(name=f"listed-{i}", prompt="p", labels=["shown"], tags=["listed"])
    page = client.api.prompts.list(tag="listed", limit=2)
    equal(([prompt.name for prompt in page.data], page.meta.total_items), (["listed-0", "listed-1"], 3), "list")
    equal([(p.versions, p.labels, p.tags) for p in client.api.prompts.list(name="listed-2").data],
          [([1], ["latest", "shown"], ["listed"])], "one")
    client.api.prompts.delete("listed-0")
    equal(client.api.prompts.list(label="shown").meta.total_items, 2, "after deleting")


@test
def a_generation_is_linked_to_its_prompt():
    client = get_client()
    client.create_prompt(name="linked", prompt="p", labels=["production"])
    prompt = client.get_prompt("linked")
    with client.start_as_current_observation(name="uses it", as_type="generation", prompt=prompt) as generation:
        pass
    row = rows(generation.trace_id)["uses it"]
    equal((row.prompt_name, row.prompt_version, bool(row.prompt_id)), ("linked", 1, True), "row")


def main():
    failed = 0
    chosen = [t for t in TESTS if not sys.argv[1:] or any(word in t.__name__ for word in sys.argv[1:])]
    for run in chosen:
        try:
            run()
        except Exception as error:  # pylint: disable=broad-except
            failed += 1
            where = traceback.extract_tb(error.__traceback__)
            line = next(frame.lineno for frame in reversed(where) if frame.filename == __file__ and frame.name == run.__name__)
            print(f"server_python: {run.__name__}, line {line}: {type(error).__name__}: {str(error)[:600]}")
    print(f"server_python {importlib.metadata.version('langfuse')}: {len(chosen) - failed} passed, {failed} failed", flush=True)
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
