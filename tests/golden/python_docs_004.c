/* The examples of the current page on instrumentation (Python, version 4), in C. */
#include "scenario.h"

/* ---- user-request-pipeline: a block within a block, a user and a session from the middle on */

static void python_docs_004_user_request_pipeline(void)
{
    OBSERVE_WITH((.name = "user-request-pipeline"));
    lf_update_current_observation(.input = LF_OBJECT("user_query", "Tell me a joke about OpenTelemetry"));
    {
        OBSERVE_ATTRIBUTES(.user_id = "user_123", .session_id = "session_abc");
        OBSERVE_WITH((.name = "joke-generation", .type = LF_GENERATION));
        lf_update_current_observation(.model = "gpt-4o");
        OBSERVE_OUTPUT("Why did the collector break up with the span?");
    }
    lf_update_current_observation(.output = LF_OBJECT("final_joke", "Why did the collector break up with the span?"));
}

/* ---- Decorated functions */

static void decorated_data_processing(const char *data, const char *parameter)
{
    OBSERVE_WITH((.name = "my_data_processing_function"), data, parameter);
    OBSERVE_OUTPUT(LF_OBJECT("processed_data", data, "status", "ok"));
}

static OBSERVE_FN_WITH((.name = "llm-call", .type = LF_GENERATION), const char *, my_llm_call, (const char *, prompt_text))
{
    (void)prompt_text;
    return "LLM response";
}

static void python_docs_004_decorated_functions(void)
{
    decorated_data_processing("raw", "strict");
    my_llm_call("Say hello");
}

/* ---- manual-span */

static void python_docs_004_manual_span(void)
{
    lf_observation *span = lf_start_observation(.name = "manual-span");
    lf_observation_update(span, .input = LF_VALUE("Data for side task"));
    lf_observation *child = lf_start_observation(.name = "child-span", .type = LF_GENERATION, .parent = span);
    lf_observation_end(child);
    lf_observation_end(span);
}

/* ---- main-operation: a handle started inside a scope is its child, and what follows is not the handle's */

static void core_step_within_main(void)
{
    OBSERVE_WITH((.name = "core-step-within-main"));
    lf_update_current_observation(.input = LF_VALUE("Data for core step"));
    OBSERVE_OUTPUT("Core step finished");
}

static void python_docs_004_main_operation(void)
{
    OBSERVE_WITH((.name = "main-operation"));
    lf_observation *side_task = lf_start_observation(.name = "manual-side-task");
    lf_observation_update(side_task, .input = LF_VALUE("Data for side task"));
    core_step_within_main();
    lf_observation_update(side_task, .output = LF_VALUE("Side task completed"));
    lf_observation_end(side_task);
    OBSERVE_OUTPUT("Main operation finished");
}

/* ---- The decorator without options */

static OBSERVE_FN(const char *, my_data_processing_function, (const char *, data), (int, parameter))
{
    return parameter > 0 ? data : "";
}

static OBSERVE_FN(const char *, main_function, (const char *, data), (int, parameter))
{
    return my_data_processing_function(data, parameter);
}

static void python_docs_004_observe_plain(void)
{
    main_function("data", 1);
}

/* ---- outer-process: nesting follows the scopes */

static void intermediate_step(void)
{
    OBSERVE_WITH((.name = "intermediate-step"));
    {
        OBSERVE_WITH((.name = "llm-step-2", .type = LF_GENERATION));
        OBSERVE_OUTPUT("LLM 2 output");
    }
    OBSERVE_OUTPUT("Intermediate processing done");
}

static void python_docs_004_outer_process(void)
{
    OBSERVE_WITH((.name = "outer-process"));
    {
        OBSERVE_WITH((.name = "llm-step-1", .type = LF_GENERATION));
        OBSERVE_OUTPUT("LLM 1 output");
    }
    intermediate_step();
    OBSERVE_OUTPUT("Outer process finished");
}

/* ---- manual-parent: nesting follows the handles */

static void python_docs_004_manual_parent(void)
{
    lf_observation *parent = lf_start_observation(.name = "manual-parent");
    lf_observation *span = lf_start_observation(.name = "manual-child-span", .parent = parent);
    lf_observation_end(span);
    lf_observation *generation = lf_start_observation(.name = "manual-child-generation", .type = LF_GENERATION, .parent = parent);
    lf_observation_end(generation);
    lf_observation_end(parent);
}

/* ---- llm-call: what becomes known during the call */

static void python_docs_004_llm_call_update(void)
{
    OBSERVE_WITH((.name = "llm-call", .type = LF_GENERATION));
    lf_update_current_observation(.model = "gpt-5-mini", .input = LF_OBJECT("prompt", "Why is the sky blue?"));
    lf_update_current_observation(.output = LF_VALUE("Rayleigh scattering..."),
                                  .usage_details = LF_OBJECT("input_tokens", 5, "output_tokens", 50),
                                  .metadata = LF_OBJECT("confidence", 0.9));
}

/* ---- data-processing: updates of what is current, from a function that knows nothing of it */

static void first_step(void)
{
    lf_update_current_observation(.metadata = LF_OBJECT("step1_complete", lf_bool(true)));
}

static void python_docs_004_data_processing(void)
{
    OBSERVE_WITH((.name = "data-processing"));
    first_step();
    lf_update_current_observation(.output = LF_OBJECT("result", "final_data"));
}

/* ---- user-workflow: attributes of the observation around and of all inside */

static void python_docs_004_user_workflow(void)
{
    OBSERVE_WITH((.name = "user-workflow"));
    OBSERVE_ATTRIBUTES(.user_id = "user_123", .session_id = "session_abc", .metadata = LF_OBJECT("experiment", "variant_a"),
                       .version = "1.0", .trace_name = "user-workflow");
    OBSERVE_WITH((.name = "llm-call", .type = LF_GENERATION));
}

/* ---- my_llm_pipeline: the same in a decorated function */

static OBSERVE_FN(const char *, call_llm)
{
    return "result";
}

static OBSERVE_FN(const char *, my_llm_pipeline, (const char *, user_id), (const char *, session_id))
{
    OBSERVE_ATTRIBUTES(.user_id = user_id, .session_id = session_id, .metadata = LF_OBJECT("pipeline", "main"));
    return call_llm();
}

static void python_docs_004_my_llm_pipeline(void)
{
    my_llm_pipeline("user_123", "session_abc");
}

/* ---- api-request: user and session go to another service, in the headers of the request */

typedef struct request {
    char traceparent[128], baggage[512];
} request;

static void set_header(void *to, const char *name, const char *value)
{
    request *headers = to;
    if (strcmp(name, "traceparent") == 0)
        snprintf(headers->traceparent, sizeof headers->traceparent, "%s", value);
    else if (strcmp(name, "baggage") == 0)
        snprintf(headers->baggage, sizeof headers->baggage, "%s", value);
}

static const char *get_header(void *from, const char *name)
{
    const request *headers = from;
    return strcmp(name, "traceparent") == 0 ? headers->traceparent : strcmp(name, "baggage") == 0 ? headers->baggage : NULL;
}

/* The other service: a thread without a context of its own, as a process would be. */
static void *serve(void *arg)
{
    const request *headers = arg;
    lf_context *context = lf_extract(get_header, arg);
    OBSERVE_CONTEXT(context);
    lf_context_free(context);
    OBSERVE_WITH((.name = "service-b"));
    lf_update_current_observation(.input = LF_OBJECT("traceparent", (const char *)headers->traceparent, "baggage",
                                                     (const char *)headers->baggage));
    return NULL;
}

static void python_docs_004_api_request(void)
{
    OBSERVE_WITH((.name = "api-request"));
    OBSERVE_ATTRIBUTES(.user_id = "user_123", .session_id = "session_abc", .as_baggage = LF_ON);
    request headers = {"", ""};
    lf_inject(set_header, &headers);
    pthread_t thread;
    if (pthread_create(&thread, NULL, serve, &headers) == 0)
        pthread_join(thread, NULL);
}

/* ---- user-request: input and output of the trace are those of its root */

static void python_docs_004_user_request_default_io(void)
{
    OBSERVE_WITH((.name = "user-request"));
    lf_update_current_observation(.input = LF_OBJECT("query", "What is the capital of France?"));
    {
        OBSERVE_WITH((.name = "llm-call", .type = LF_GENERATION));
        lf_update_current_observation(.model = "gpt-4o",
                                      .input = LF_OBJECT("messages", LF_ARRAY(LF_OBJECT("role", "user", "content",
                                                                                        "What is the capital of France?"))),
                                      .output = LF_VALUE("Paris"));
    }
    OBSERVE_OUTPUT(LF_OBJECT("answer", "Paris"));
}

/* ---- complex-pipeline: the trace has an input and output of its own */

static void python_docs_004_complex_pipeline(void)
{
    OBSERVE_WITH((.name = "complex-pipeline"));
    lf_update_current_observation(.input = LF_VALUE("Step 1 data"), .output = LF_VALUE("Step 1 result"));
    lf_update_current_trace(.input = LF_OBJECT("original_query", "User's actual question"),
                            .output = LF_OBJECT("final_answer", "Complete response", "confidence", 0.95));
}

/* ---- process_user_query: the same from a decorated function */

static OBSERVE_FN(const char *, process_user_query, (const char *, user_question))
{
    const char *answer = "42";
    lf_update_current_trace(.input = LF_OBJECT("question", user_question), .output = LF_OBJECT("answer", answer));
    return answer;
}

static void python_docs_004_process_user_query(void)
{
    process_user_query("What is the answer?");
}

/* ---- A trace id that follows from an id of the request */

static void python_docs_004_deterministic_id(void)
{
    char trace[LF_TRACE_ID_SIZE];
    lf_create_trace_id("req_12345", trace);
    OBSERVE_WITH((.name = "process-request", .trace_id = trace));
}

/* ---- my-op: ids of what is current */

static void python_docs_004_my_op(void)
{
    OBSERVE_WITH((.name = "my-op"));
    char trace[LF_TRACE_ID_SIZE], id[LF_OBSERVATION_ID_SIZE];
    if (lf_current_trace_id(trace) && lf_current_observation_id(id))
        OBSERVE_OUTPUT(LF_ARRAY((const char *)trace, (const char *)id));
}

/* ---- process-downstream-task: part of a trace that another system began */

static void python_docs_004_process_downstream_task(void)
{
    OBSERVE_WITH((.name = "process-downstream-task", .trace_id = "abcdef1234567890abcdef1234567890",
                  .parent_observation_id = "fedcba0987654321"));
}

SCENARIO_MAIN(SCENARIO(python_docs_004_user_request_pipeline), SCENARIO(python_docs_004_decorated_functions),
              SCENARIO(python_docs_004_manual_span), SCENARIO(python_docs_004_main_operation),
              SCENARIO(python_docs_004_observe_plain), SCENARIO(python_docs_004_outer_process),
              SCENARIO(python_docs_004_manual_parent), SCENARIO(python_docs_004_llm_call_update),
              SCENARIO(python_docs_004_data_processing), SCENARIO(python_docs_004_user_workflow),
              SCENARIO(python_docs_004_my_llm_pipeline), SCENARIO(python_docs_004_api_request),
              SCENARIO(python_docs_004_user_request_default_io), SCENARIO(python_docs_004_complex_pipeline),
              SCENARIO(python_docs_004_process_user_query), SCENARIO(python_docs_004_deterministic_id),
              SCENARIO(python_docs_004_my_op), SCENARIO(python_docs_004_process_downstream_task))
