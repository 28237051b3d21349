"""The examples of tests/golden/python_docs_*.c and recorded.c as Python programs: each function is the scenario of its name.

What version 2 and 3 had and 4 has not, is written with what 4 has for it. What 5 has not is left out there: trace_io.
"""
import contextvars
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

from langfuse import Langfuse, get_client, observe, propagate_attributes
from opentelemetry import context as otel_context
from opentelemetry import propagate as otel_propagate

COMMENT = "I like how personalized the response is"


def current(**fields):
    get_client().update_current_span(**fields)


def block(name, kind="span", **fields):
    return get_client().start_as_current_observation(name=name, as_type=kind, **fields)


def handle(name, kind="span", **fields):
    return get_client().start_observation(name=name, as_type=kind, **fields)


def trace_io(observation=None, **fields):
    """Input and output of the trace, until version 5 took them away; python_sdk.py does not expect them there."""
    call = getattr(observation or get_client(), "set_trace_io" if observation else "set_current_trace_io", None)
    if call:
        call(**fields)


# ---- recorded.c


def nested_functions():
    @observe()
    def fn():
        return "inner"

    @observe(name="main")
    def main():
        return fn() + " outer"

    main()


def capture_off():
    @observe(capture_input=False, capture_output=False)
    def fn(secret):
        current(input="sanitized input", output="sanitized output")
        return secret

    fn("secret")


def enriched(kind, trace_name, public=False, **inner_options):
    @observe(as_type=kind, **inner_options)
    def deeply_nested_llm_call():
        with propagate_attributes(trace_name=trace_name, session_id="1234", user_id="5678", tags=["tag1", "tag2"]):
            current(name="Deeply nested LLM call", input="Ping?", output="Pong!")
        if public:
            get_client().set_current_trace_as_public()

    @observe()
    def nested_span():
        current(name="Nested Span", level="WARNING")
        deeply_nested_llm_call()

    @observe()
    def main():
        nested_span()

    main()


def enriched_nesting():
    enriched("generation", "Trace name")


def errors():
    @observe(as_type="tool")
    def failing():
        raise RuntimeError("disk full")

    try:
        failing()
    except RuntimeError:
        pass
    with block("failing-silently", "tool"):
        current(level="ERROR")


def generation_fields():
    with block("llm-call", "generation"):
        get_client().update_current_generation(
            input={"prompt": "Why is the sky blue?"}, output="Rayleigh scattering...", model="gpt-5-mini", version="v7",
            model_parameters={"temperature": 0.9, "max_tokens": 1000, "stop": ["\n"], "stream": True},
            usage_details={"input_tokens": 5, "output_tokens": 50}, cost_details={"input": 0.0001, "output": 0.002},
            completion_start_time=datetime(2026, 1, 15, 6, 30, 0, 123456, timezone.utc))
        get_client().update_current_generation(metadata={
            "confidence": 0.9, "list": [1, "two", None], "n": 3, "nested": {"a": {"b": [1.5]}}, "ok": True, "text": "t",
            "nothing": None})


def every_type():
    with block("the-agent", "agent"):
        for kind in ("span", "generation", "tool", "chain", "retriever", "evaluator", "embedding", "guardrail"):
            with block(f"a-{kind}", kind, input=kind):
                pass
        get_client().create_event(name="an-event", input={"k": "v"}, output={"k": "w"}, metadata={"key": "value"},
                                  level="DEBUG", status_message="seen")


def manual_sibling():
    with block("main-operation") as main:
        side = handle("manual-side-task", input="Data for side task")
        with block("core-step-within-main", input="Data for core step") as core:
            core.update(output="Core step finished")
        side.update(output="Side task completed")
        side.end()
        main.update(output="Main operation finished")


def step(name):
    with block(name):
        pass


def nested_attributes():
    with block("root"):
        with propagate_attributes(user_id="outer", version="1.0", trace_name="named", tags=["x", "y"],
                                  metadata={"a": "1", "b": 1}):
            step("in-outer")
            with propagate_attributes(user_id="inner", tags=["y", "z"], metadata={"b": "2", "c": 3}):
                step("in-inner")
            step("again-outer")
        step("outside")


def request_pipeline():
    with block("user-request-pipeline", input={"user_query": "Tell me a joke"}) as root:
        with propagate_attributes(user_id="user_123", session_id="session_abc"):
            with block("joke-generation", "generation", model="gpt-4o") as generation:
                generation.update(output="Why did the span cross the road?")
        root.update(output={"final_joke": "..."})


def arguments():
    @observe(as_type="evaluator")
    def score(text, rank, final):
        return 0.5 * rank

    @observe(as_type="chain")
    def rank_all(texts, count):
        for i, text in enumerate(texts):
            score(text, i, final=i + 1 == count)
        return count

    rank_all(['Grüße, "Welt"', "tab\there"], 2)


def score_types():
    with block("judged") as judged:
        with propagate_attributes(environment="qa"):
            client = get_client()
            client.score_current_span(name="numeric", value=-0.25, data_type="NUMERIC")
            client.score_current_span(name="boolean", value=True, data_type="BOOLEAN")
            client.score_current_span(name="categorical", value="good", data_type="CATEGORICAL")
            client.score_current_trace(name="text", value="1", data_type="TEXT")
            client.score_current_trace(name="correction", value="Grüße", data_type="CORRECTION")
            client.create_score(name="of-session", value=3, session_id="session_abc", environment="other")
            client.create_score(name="of-run", value=4, dataset_run_id="run-1", environment="qa")
            client.create_score(name="elsewhere", value="good", trace_id="abcdef1234567890abcdef1234567890",
                                observation_id="fedcba0987654321", score_id="my-score", config_id="my-config",
                                metadata={"by": "me"}, comment="all in one", environment="qa")


# ---- python_docs_000.c


def python_docs_000_function_to_trace():
    @observe()
    def span_inside_trace():
        pass

    @observe()
    def function_to_trace():
        span_inside_trace()

    function_to_trace()


def python_docs_000_nested():
    @observe(as_type="generation")
    def deeply_nested_llm_call():
        pass

    @observe()
    def nested_span():
        deeply_nested_llm_call()

    @observe()
    def main():
        nested_span()

    main()


def python_docs_000_enrich():
    enriched("generation", "Trace name set from deeply_nested_llm_call")


def python_docs_000_scores():
    @observe()
    def nested_span():
        get_client().score_current_span(name="feedback-on-span", value=1, comment=COMMENT)
        get_client().score_current_trace(name="feedback-on-trace", value=1, comment=COMMENT)

    @observe()
    def main():
        nested_span()

    main()


def python_docs_000_custom_id():
    @observe()
    def process_user_request(user_id, request_data):
        with propagate_attributes(metadata={"external_trace_id": "user123-login"}):
            pass

    process_user_request("user123", {"action": "login"}, langfuse_trace_id=Langfuse.create_trace_id(seed="user123-login"))


# ---- python_docs_001.c


def python_docs_001_llm_feature():
    trace = {"trace_id": Langfuse.create_trace_id()}
    with propagate_attributes(trace_name="llm-feature"):
        retrieval = handle("retrieval", trace_context=trace)
        retrieval.start_observation(name="query-creation", as_type="generation").end()
        retrieval.start_observation(name="vector-db-search").end()
        retrieval.create_event(name="db-summary")
        retrieval.end()
        handle("user-output", "generation", trace_context=trace).end()


def python_docs_001_tree():
    trace = {"trace_id": Langfuse.create_trace_id()}
    with block("Retrieval", trace_context=trace):
        with block("Vector DB Query Creation", "generation"):
            pass
        with block("Data Fetching"):
            pass
        get_client().create_event(name="Data Summary Creation")
    with block("Output Generation", "generation", trace_context=trace):
        pass


def python_docs_001_docs_retrieval():
    with block("docs-retrieval"):
        with propagate_attributes(trace_name="docs-retrieval", user_id="user__935d7d1d", tags=["production"],
                                  metadata={"email": "user@langfuse.com"}):
            trace_io(input="Hi there")
            trace_io(output="Hi 👋")


def python_docs_001_embedding_search():
    span = handle("embedding-search", metadata={"database": "pinecone"},
                  input={"query": "This document entails the OKR goals for ACME"})
    span.update(output={"response": "[{'name': 'OKR Engineering', 'content': '...'}]"})
    span.end()


def python_docs_001_by_ids():
    span = handle("initial name")
    span.update(name="updated name")
    handle("nested span", trace_context={"trace_id": span.trace_id, "parent_span_id": span.id}).end()
    span.end()


def python_docs_001_summary_generation():
    generation = handle(
        "summary-generation", "generation", model="gpt-3.5-turbo",
        model_parameters={"maxTokens": "1000", "temperature": "0.9"},
        input=[{"role": "system", "content": "You are a helpful assistant."},
               {"role": "user", "content": "Please generate a summary of the following documents ..."}],
        metadata={"interface": "whatsapp"})
    generation.update(output="The Q3 OKRs contain goals for multiple teams...", usage_details={"input": 50, "output": 49})
    generation.end()


def python_docs_001_chat_docs_retrieval():
    span = handle("retrieval")
    span.create_event(name="chat-docs-retrieval", metadata={"key": "value"}, input={"key": "value"}, output={"key": "value"})
    span.end()


def python_docs_001_scores():
    with block("message") as span:
        span.score_trace(name="user-explicit-feedback", value=1, comment=COMMENT)
        get_client().create_score(name="user-explicit-feedback", value=1, comment=COMMENT, trace_id=span.trace_id)
        get_client().create_score(name="user-explicit-feedback", value=1, comment=COMMENT, trace_id=span.trace_id,
                                  observation_id=span.id)


def python_docs_001_release_and_version():
    Langfuse(release="ba7816b")
    handle("retrieval", version="<version>").end()


def python_docs_001_usage():
    handle("my-claude-generation", "generation", usage_details={"input": 50, "output": 49, "total": 99}).end()
    handle("my-openai-generation", "generation", usage_details={"input": 50, "output": 49, "total": 99}).end()


# ---- python_docs_002.c


def python_docs_002_fn_main():
    @observe()
    def fn():
        return "inner"

    @observe(name="main", capture_output=False)
    def main():
        return fn() + " outer"

    main()


def python_docs_002_anthropic():
    @observe(as_type="generation", capture_input=False)
    def anthropic_completion(model, max_tokens, messages):
        get_client().update_current_generation(input=messages, model=model, metadata={"max_tokens": max_tokens})
        get_client().update_current_generation(usage_details={"input": 10, "output": 25})
        return "Hello! How can I assist you today?"

    @observe()
    def main():
        return anthropic_completion(model="claude-3-opus-20240229", max_tokens=1024,
                                    messages=[{"role": "user", "content": "Hello, Claude"}])

    main()


def python_docs_002_capture_off():
    @observe(capture_input=False, capture_output=False)
    def fn(secret_arg):
        return secret_arg

    fn("my secret arg")


python_docs_002_capture_off_manual = capture_off


def python_docs_002_enrich():
    enriched("span", "Trace name set from deeply_nested_llm_call", public=True, capture_output=False)


def python_docs_002_trace_url():
    @observe()
    def main():
        return get_client().get_trace_url()

    main()


def python_docs_002_ids():
    @observe()
    def fn():
        return {"trace_id": get_client().get_current_trace_id(), "observation_id": get_client().get_current_observation_id()}

    fn()


def python_docs_002_scoring():
    main = handle("main")
    nested = main.start_observation(name="nested_span")
    nested.end()
    main.end()
    nested.score(name="feedback-on-span", value=1, comment=COMMENT)
    get_client().create_score(name="feedback-on-trace", value=1, trace_id=main.trace_id, comment=COMMENT)


def in_threads(with_context):
    @observe()
    def execute_task(left, right):
        return [left, right]

    @observe()
    def execute_groups():
        with ThreadPoolExecutor(2) as pool:
            tasks = [("a", "b"), ("c", "d")]
            if with_context:
                futures = [pool.submit(contextvars.copy_context().run, execute_task, *task) for task in tasks]
            else:
                futures = [pool.submit(execute_task, *task) for task in tasks]
            return [future.result() for future in futures]

    execute_groups()


def python_docs_002_thread_pool():
    in_threads(True)


def python_docs_002_thread_pool_without_context():
    in_threads(False)


# ---- python_docs_003.c


def python_docs_003_observe():
    @observe(name="llm-call", as_type="generation")
    def call_llm(prompt):
        return "answer"

    @observe()
    def my_function():
        return call_llm("hello")

    my_function()


def python_docs_003_context_manager():
    with block("step") as span:
        span.update(output="done")


def python_docs_003_manual():
    parent = handle("parent")
    parent.start_observation(name="child", as_type="generation").end()
    parent.end()


def python_docs_003_propagate():
    with propagate_attributes(user_id="user_123", session_id="session_abc", metadata={"experiment": "v1"}, tags=["test"]):
        with block("outer"):
            with block("inner", "generation"):
                pass


class MovieCritic:
    """What the SDK looks at in a prompt that it is to link."""
    name, version, is_fallback = "movie-critic", 3, False


def python_docs_003_prompt_observe():
    @observe(as_type="generation")
    def call_llm():
        get_client().update_current_generation(prompt=MovieCritic())

    @observe()
    def main():
        call_llm()

    main()


def python_docs_003_prompt_critic():
    critic = handle("critic", "generation", model="gpt-4o", prompt=MovieCritic())
    critic.update(output="Great movie!")
    critic.end()


def python_docs_003_scores():
    with block("op") as span:
        span.score(name="accuracy", value=0.9, data_type="NUMERIC")
        span.score_trace(name="overall", value=0.95)


# ---- python_docs_004.c


def python_docs_004_user_request_pipeline():
    with block("user-request-pipeline", input={"user_query": "Tell me a joke about OpenTelemetry"}) as root:
        with propagate_attributes(user_id="user_123", session_id="session_abc"):
            with block("joke-generation", "generation", model="gpt-4o") as generation:
                generation.update(output="Why did the collector break up with the span?")
        root.update(output={"final_joke": "Why did the collector break up with the span?"})


def python_docs_004_decorated_functions():
    @observe()
    def my_data_processing_function(data, parameter):
        return {"processed_data": data, "status": "ok"}

    @observe(name="llm-call", as_type="generation")
    def my_async_llm_call(prompt_text):
        return "LLM response"

    my_data_processing_function("raw", "strict")
    my_async_llm_call("Say hello")


def python_docs_004_manual_span():
    span = handle("manual-span")
    span.update(input="Data for side task")
    span.start_observation(name="child-span", as_type="generation").end()
    span.end()


def python_docs_004_main_operation():
    with block("main-operation") as main:
        side = handle("manual-side-task")
        side.update(input="Data for side task")
        with block("core-step-within-main") as core:
            core.update(input="Data for core step")
            core.update(output="Core step finished")
        side.update(output="Side task completed")
        side.end()
        main.update(output="Main operation finished")


def python_docs_004_observe_plain():
    @observe
    def my_data_processing_function(data, parameter):
        return data if parameter > 0 else ""

    @observe
    def main_function(data, parameter):
        return my_data_processing_function(data, parameter)

    main_function("data", 1)


def python_docs_004_outer_process():
    with block("outer-process") as outer:
        with block("llm-step-1", "generation") as first:
            first.update(output="LLM 1 output")
        with block("intermediate-step") as middle:
            with block("llm-step-2", "generation") as second:
                second.update(output="LLM 2 output")
            middle.update(output="Intermediate processing done")
        outer.update(output="Outer process finished")


def python_docs_004_manual_parent():
    parent = handle("manual-parent")
    parent.start_observation(name="manual-child-span").end()
    parent.start_observation(name="manual-child-generation", as_type="generation").end()
    parent.end()


def python_docs_004_llm_call_update():
    with block("llm-call", "generation", model="gpt-5-mini") as generation:
        generation.update(input={"prompt": "Why is the sky blue?"})
        generation.update(output="Rayleigh scattering...", usage_details={"input_tokens": 5, "output_tokens": 50},
                          metadata={"confidence": 0.9})


def python_docs_004_data_processing():
    with block("data-processing") as span:
        current(metadata={"step1_complete": True})
        span.update(output={"result": "final_data"})


def python_docs_004_user_workflow():
    with block("user-workflow"):
        with propagate_attributes(user_id="user_123", session_id="session_abc", metadata={"experiment": "variant_a"},
                                  version="1.0", trace_name="user-workflow"):
            with block("llm-call", "generation"):
                pass


def python_docs_004_my_llm_pipeline():
    @observe()
    def call_llm():
        return "result"

    @observe()
    def my_llm_pipeline(user_id, session_id):
        with propagate_attributes(user_id=user_id, session_id=session_id, metadata={"pipeline": "main"}):
            return call_llm()

    my_llm_pipeline("user_123", "session_abc")


def in_another_process(headers, work):
    """As another process would: with what the headers say, and nothing else."""
    token = otel_context.attach(otel_propagate.extract(headers, context=otel_context.Context()))
    try:
        work()
    finally:
        otel_context.detach(token)


def python_docs_004_api_request():
    with block("api-request"):
        with propagate_attributes(user_id="user_123", session_id="session_abc", as_baggage=True):
            headers = {}
            otel_propagate.inject(headers)

            def service():
                with block("service-b", input=headers):
                    pass

            in_another_process(headers, service)


def python_docs_004_user_request_default_io():
    with block("user-request", input={"query": "What is the capital of France?"}) as root:
        with block("llm-call", "generation", model="gpt-4o",
                   input={"messages": [{"role": "user", "content": "What is the capital of France?"}]}) as generation:
            generation.update(output="Paris")
        root.update(output={"answer": "Paris"})


def python_docs_004_complex_pipeline():
    with block("complex-pipeline") as root:
        root.update(input="Step 1 data", output="Step 1 result")
        trace_io(root, input={"original_query": "User's actual question"},
                 output={"final_answer": "Complete response", "confidence": 0.95})


def python_docs_004_process_user_query():
    @observe()
    def process_user_query(user_question):
        trace_io(input={"question": user_question}, output={"answer": "42"})
        return "42"

    process_user_query("What is the answer?")


def python_docs_004_deterministic_id():
    with block("process-request", trace_context={"trace_id": Langfuse.create_trace_id(seed="req_12345")}):
        pass


def python_docs_004_my_op():
    with block("my-op") as span:
        span.update(output=[get_client().get_current_trace_id(), get_client().get_current_observation_id()])


def python_docs_004_process_downstream_task():
    with block("process-downstream-task", trace_context={"trace_id": "abcdef1234567890abcdef1234567890",
                                                         "parent_span_id": "fedcba0987654321"}):
        pass
