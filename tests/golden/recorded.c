/* Programs whose exports by the official Python SDK were recorded, in C: expected/NAME.json holds what both export, save for
 * the differences of docs/differences.md. Those from `arguments` on were not recorded: they show what only C has, what else can
 * be said with a score, and some of the differences themselves.
 */
#include "scenario.h"

/* ---- nested_functions: a decorated function calls a decorated function; both return text */

static OBSERVE_FN(const char *, fn)
{
    return "inner";
}

static OBSERVE_FN_WITH((.name = "main"), const char *, nested_main)
{
    fn();
    return "inner outer";
}

static void nested_functions(void)
{
    nested_main();
}

/* ---- capture_off: capture is off on the function; what the body sets by hand is kept */

static OBSERVE_FN_WITH((.name = "fn", .capture_input = LF_OFF, .capture_output = LF_OFF), const char *, private_fn,
                       (const char *, secret))
{
    lf_update_current_observation(.input = LF_VALUE("sanitized input"), .output = LF_VALUE("sanitized output"));
    return secret;
}

static void capture_off(void)
{
    private_fn("secret");
}

/* ---- enriched_nesting: from three calls deep, the trace gets a name, a session, a user and tags */

static void enriched_call(void)
{
    OBSERVE_GENERATION();
    lf_update_current_observation(.name = "Deeply nested LLM call", .input = LF_VALUE("Ping?"), .output = LF_VALUE("Pong!"));
    lf_update_current_trace(.name = "Trace name", .session_id = "1234", .user_id = "5678", .tags = LF_TAGS("tag1", "tag2"));
}

static void enriched_span(void)
{
    OBSERVE();
    lf_update_current_observation(.name = "Nested Span", .level = LF_LEVEL_WARNING);
    enriched_call();
}

static void enriched_nesting(void)
{
    OBSERVE_WITH((.name = "main"));
    enriched_span();
}

/* ---- errors: an error level with a message, and one without */

static void failing(void)
{
    OBSERVE_TOOL();
    OBSERVE_ERROR("disk %s", "full");
}

static void failing_silently(void)
{
    OBSERVE_WITH((.name = "failing-silently", .type = LF_TOOL));
    lf_update_current_observation(.level = LF_LEVEL_ERROR);
}

static void errors(void)
{
    failing();
    failing_silently();
}

/* ---- generation_fields: every field of a generation */

static void generation_fields(void)
{
    OBSERVE_WITH((.name = "llm-call", .type = LF_GENERATION));
    lf_update_current_observation(.input = LF_OBJECT("prompt", "Why is the sky blue?"),
                                  .output = LF_VALUE("Rayleigh scattering..."), .model = "gpt-5-mini", .version = "v7",
                                  .model_parameters = LF_OBJECT("temperature", 0.9, "max_tokens", 1000, "stop", LF_ARRAY("\n"),
                                                                "stream", lf_bool(true)),
                                  .usage_details = LF_OBJECT("input_tokens", 5, "output_tokens", 50),
                                  .cost_details = LF_OBJECT("input", 0.0001, "output", 0.002),
                                  .completion_start_time_ns = 1768458600123456000);
    lf_update_current_observation(
            .metadata = lf_json("{\"confidence\": 0.9, \"list\": [1, \"two\", null], \"n\": 3, \"nested\": {\"a\": {\"b\": [1.5]}},"
                                " \"ok\": true, \"text\": \"t\", \"nothing\": null}"));
}

/* ---- every_type: one observation of every type */

static void every_type(void)
{
    OBSERVE_WITH((.name = "the-agent", .type = LF_AGENT));
    static const struct {
        const char *name;
        lf_type type;
    } all[] = {{"span", LF_SPAN},           {"generation", LF_GENERATION}, {"tool", LF_TOOL},
               {"chain", LF_CHAIN},         {"retriever", LF_RETRIEVER},   {"evaluator", LF_EVALUATOR},
               {"embedding", LF_EMBEDDING}, {"guardrail", LF_GUARDRAIL}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        char name[32];
        snprintf(name, sizeof name, "a-%s", all[i].name);
        OBSERVE_WITH((.name = name, .type = all[i].type));
        lf_update_current_observation(.input = LF_VALUE(all[i].name));
    }
    lf_create_event(.name = "an-event", .input = LF_OBJECT("k", "v"), .output = LF_OBJECT("k", "w"),
                    .metadata = LF_OBJECT("key", "value"), .level = LF_LEVEL_DEBUG, .status_message = "seen");
}

/* ---- manual_sibling: a handle beside a scope: siblings, since the handle never becomes current */

static void manual_sibling(void)
{
    OBSERVE_WITH((.name = "main-operation"));
    lf_observation *side = lf_start_observation(.name = "manual-side-task", .input = LF_VALUE("Data for side task"));
    {
        OBSERVE_WITH((.name = "core-step-within-main"));
        lf_update_current_observation(.input = LF_VALUE("Data for core step"), .output = LF_VALUE("Core step finished"));
    }
    lf_observation_end(side, .output = LF_VALUE("Side task completed"));
    OBSERVE_OUTPUT("Main operation finished");
}

/* ---- nested_attributes: the inner text wins, metadata and tags add up, all is as before outside */

static void step(const char *name)
{
    OBSERVE_WITH((.name = name));
}

static void nested_attributes(void)
{
    OBSERVE_WITH((.name = "root"));
    {
        OBSERVE_ATTRIBUTES(.user_id = "outer", .version = "1.0", .trace_name = "named", .tags = LF_TAGS("x", "y"),
                           .metadata = LF_OBJECT("a", "1", "b", 1));
        step("in-outer");
        {
            OBSERVE_ATTRIBUTES(.user_id = "inner", .tags = LF_TAGS("y", "z"), .metadata = LF_OBJECT("b", "2", "c", 3));
            step("in-inner");
        }
        step("again-outer");
    }
    step("outside");
}

/* ---- request_pipeline: a root with structured input and output, attributes for it and the generation inside */

static void joke_generation(void)
{
    OBSERVE_WITH((.name = "joke-generation", .type = LF_GENERATION));
    lf_update_current_observation(.model = "gpt-4o");
    OBSERVE_OUTPUT("Why did the span cross the road?");
}

static void request_pipeline(void)
{
    OBSERVE_WITH((.name = "user-request-pipeline"));
    lf_update_current_observation(.input = LF_OBJECT("user_query", "Tell me a joke"));
    OBSERVE_ATTRIBUTES(.user_id = "user_123", .session_id = "session_abc");
    joke_generation();
    OBSERVE_OUTPUT(LF_OBJECT("final_joke", "..."));
}

/* ---- arguments: input is an object by parameter name; nesting follows the calls */

static double score(const char *text, int rank, bool final)
{
    OBSERVE_EVALUATOR(text, rank, final);
    OBSERVE_RETURN(0.5 * rank);
}

static int rank_all(const char *const *texts, int count)
{
    OBSERVE_CHAIN(lf_array(texts, count), count);
    for (int i = 0; i < count; i++)
        score(texts[i], i, i + 1 == count);
    OBSERVE_RETURN(count);
}

static void arguments(void)
{
    const char *texts[] = {"Grüße, \"Welt\"", "tab\there"};
    rank_all(texts, 2);
}

/* ---- external_trace: a trace named by any text, and a parent from outside; with and without something open */

static void external_trace(void)
{
    {
        OBSERVE_WITH((.name = "by-text", .trace_id = "req_12345"));
    }
    {
        OBSERVE_WITH(
            (.name = "by-ids", .trace_id = "abcdef1234567890abcdef1234567890", .parent_observation_id = "fedcba0987654321"));
    }
    {
        OBSERVE_WITH((.name = "request"));
        OBSERVE_WITH((.name = "other-trace", .trace_id = "job_7"));
        OBSERVE_WITH((.name = "same-trace", .trace_id = "job_7"));
        OBSERVE_WITH(
            (.name = "other-parent", .trace_id = "abcdef1234567890abcdef1234567890", .parent_observation_id = "fedcba0987654321"));
    }
}

/* ---- score_types: every type of score, every target, all that can be said of one */

static void score_types(void)
{
    OBSERVE_WITH((.name = "judged"));
    OBSERVE_ATTRIBUTES(.environment = "qa");
    lf_score_current_observation(.name = "numeric", .value = -0.25, .data_type = LF_SCORE_NUMERIC);
    lf_score_current_observation(.name = "boolean", .value = true, .data_type = LF_SCORE_BOOLEAN);
    lf_score_current_observation(.name = "categorical", .string_value = "good", .data_type = LF_SCORE_CATEGORICAL);
    lf_score_current_trace(.name = "text", .string_value = "1", .data_type = LF_SCORE_TEXT);
    lf_score_current_trace(.name = "correction", .string_value = "Grüße", .data_type = LF_SCORE_CORRECTION);
    lf_create_score(.name = "of-session", .value = 3, .session_id = "session_abc", .environment = "other");
    lf_create_score(.name = "of-run", .value = 4, .dataset_run_id = "run-1");
    lf_create_score(.name = "elsewhere", .string_value = "good", .trace_id = "abcdef1234567890abcdef1234567890",
                    .observation_id = "fedcba0987654321", .id = "my-score", .config_id = "my-config",
                    .metadata = LF_OBJECT("by", "me"), .comment = "all in one");
}

/* ---- deliberate_differences: what Python drops, or says otherwise */

static void deliberate_differences(void)
{
    OBSERVE_AGENT();
    OBSERVE_ATTRIBUTES(.metadata = LF_OBJECT("flag", lf_bool(true), "list", LF_ARRAY(1, "two"), "none", lf_null()));
    lf_update_current_observation(.level = LF_LEVEL_ERROR, .status_message = "on second thought, none");
    lf_update_current_observation(.level = LF_LEVEL_DEFAULT);
    lf_update_current_observation(.model = "gpt-4o", .usage_details = LF_OBJECT("input", 1));
    lf_update_current_observation(.metadata = LF_OBJECT("large", UINT64_MAX));
    OBSERVE_OUTPUT("ends within a character: \xe2\x82");
}

SCENARIO_MAIN(SCENARIO(nested_functions), SCENARIO(capture_off), SCENARIO(enriched_nesting), SCENARIO(errors),
              SCENARIO(generation_fields), SCENARIO(every_type), SCENARIO(manual_sibling), SCENARIO(nested_attributes),
              SCENARIO(request_pipeline), SCENARIO(arguments), SCENARIO(external_trace), SCENARIO(score_types),
              SCENARIO(deliberate_differences))
