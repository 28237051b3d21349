/* The examples of the first Python notebook on decorators, in C. A function called main there is an observation named "main"
 * here.
 */
#include "scenario.h"

/* ---- One function inside another; what they print is not recorded */

static OBSERVE_VOID_FN(span_inside_trace)
{
    fputs("Hello, from inside the span!\n", stderr);
}

static OBSERVE_VOID_FN(function_to_trace)
{
    span_inside_trace();
}

static void python_docs_000_function_to_trace(void)
{
    function_to_trace();
}

/* ---- Three levels, the innermost a generation */

static void deeply_nested_llm_call(void)
{
    OBSERVE_GENERATION();
}

static void nested_span(void)
{
    OBSERVE();
    deeply_nested_llm_call();
}

static void python_docs_000_nested(void)
{
    OBSERVE_WITH((.name = "main"));
    nested_span();
}

/* ---- The same, and each says more of itself and of the trace */

static void enriched_llm_call(void)
{
    OBSERVE_GENERATION();
    lf_update_current_observation(.name = "Deeply nested LLM call", .input = LF_VALUE("Ping?"), .output = LF_VALUE("Pong!"));
    lf_update_current_trace(.name = "Trace name set from deeply_nested_llm_call", .session_id = "1234", .user_id = "5678",
                            .tags = LF_TAGS("tag1", "tag2"));
}

static void enriched_span(void)
{
    OBSERVE();
    lf_update_current_observation(.name = "Nested Span", .level = LF_LEVEL_WARNING);
    enriched_llm_call();
}

static void python_docs_000_enrich(void)
{
    OBSERVE_WITH((.name = "main"));
    enriched_span();
}

/* ---- Scores of the current observation and of its trace */

static void judged_span(void)
{
    OBSERVE_WITH((.name = "nested_span"));
    lf_score_current_observation(.name = "feedback-on-span", .value = 1, .comment = "I like how personalized the response is");
    lf_score_current_trace(.name = "feedback-on-trace", .value = 1, .comment = "I like how personalized the response is");
}

static void python_docs_000_scores(void)
{
    OBSERVE_WITH((.name = "main"));
    judged_span();
}

/* ---- A trace whose id is a text of the program's own */

static void process_user_request(const char *user_id, lf_value request_data, const char *trace_id)
{
    OBSERVE_WITH((.trace_id = trace_id), user_id, request_data);
}

static void python_docs_000_custom_id(void)
{
    process_user_request("user123", LF_OBJECT("action", "login"), "user123-login");
}

SCENARIO_MAIN(SCENARIO(python_docs_000_function_to_trace), SCENARIO(python_docs_000_nested), SCENARIO(python_docs_000_enrich),
              SCENARIO(python_docs_000_scores), SCENARIO(python_docs_000_custom_id))
