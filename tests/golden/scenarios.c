/* One scenario a run, named by the first argument: what a program does here, the official Python SDK was seen to export for
 * the same program (expected/NAME.json, with the deliberate differences listed in docs/differences.md).
 */
#include "observe.h"

#include <stdio.h>
#include <string.h>

/* ---- nested_functions: a decorated function calls a decorated function; both return text */

static OBSERVE_FN(const char *, fn)
{
    return "inner";
}

static const char *nested_main(void)
{
    OBSERVE_WITH((.name = "main"));
    fn();
    OBSERVE_RETURN("inner outer");
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
    lf_update_current_observation(
        .input = LF_OBJECT("prompt", "Why is the sky blue?"), .output = LF_VALUE("Rayleigh scattering..."),
        .model = "gpt-5-mini", .version = "v7",
        .model_parameters = LF_OBJECT("temperature", 0.9, "max_tokens", 1000, "stop", LF_ARRAY("\n"), "stream", lf_bool(true)),
        .usage_details = LF_OBJECT("input_tokens", 5, "output_tokens", 50),
        .cost_details = LF_OBJECT("input", 0.0001, "output", 0.002),
        .completion_start_time_ns = 1768458600123456000);
    lf_update_current_observation(
        .metadata = lf_json("{\"confidence\": 0.9, \"list\": [1, \"two\", null], \"n\": 3, \"nested\": {\"a\": {\"b\": [1.5]}},"
                            " \"ok\": true, \"text\": \"t\", \"nothing\": null}"));
}

/* ---- types: one observation of every type that lasts */

static void types(void)
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

/* ---- external_trace: a trace named by any text, and a parent from outside */

static void external_trace(void)
{
    {
        OBSERVE_WITH((.name = "by-text", .trace_id = "req_12345"));
    }
    {
        OBSERVE_WITH((.name = "by-ids", .trace_id = "abcdef1234567890abcdef1234567890",
                      .parent_observation_id = "fedcba0987654321"));
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } scenarios[] = {
        {"nested_functions", nested_functions},   {"capture_off", capture_off}, {"errors", errors},
        {"generation_fields", generation_fields}, {"types", types},             {"arguments", arguments},
        {"external_trace", external_trace},
    };
    if (argc < 2) {
        for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++)
            puts(scenarios[i].name);
        return 0;
    }
    for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
        if (strcmp(argv[1], scenarios[i].name) == 0) {
            scenarios[i].run();
            return lf_flush(5000) == LF_OK ? 0 : 1;
        }
    }
    fprintf(stderr, "no scenario %s\n", argv[1]);
    return 2;
}
