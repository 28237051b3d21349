/* Programs for the Python SDK and in C, observation by observation: nesting, levels, updates, values, generations.
 * `make interop` runs their Python originals (tests/interop/sdk_more.py).
 */
#include "scenario.h"
#include "langfuse/prompt.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>

static void step(const char *name)
{
    OBSERVE_WITH((.name = name));
}

static const struct {
    const char *name;
    lf_type type;
} types[] = {{"span", LF_SPAN},           {"generation", LF_GENERATION}, {"agent", LF_AGENT},
             {"tool", LF_TOOL},           {"chain", LF_CHAIN},           {"retriever", LF_RETRIEVER},
             {"evaluator", LF_EVALUATOR}, {"embedding", LF_EMBEDDING},   {"guardrail", LF_GUARDRAIL}};

enum { TYPES = sizeof types / sizeof types[0] };

/* ---- Nesting: scopes and handles mixed */

static void python_sdk_handles_in_scopes(void)
{
    lf_observation *side;
    {
        OBSERVE_WITH((.name = "root"));
        side = lf_start_observation(.name = "side");
        {
            OBSERVE_WITH((.name = "inner", .type = LF_CHAIN));
            lf_observation_end(lf_start_observation(.name = "of-side", .type = LF_GENERATION, .parent = side));
            lf_create_event(.name = "event-of-inner");
            lf_observation *below = lf_start_as_current_observation(.name = "current-of-side", .type = LF_TOOL, .parent = side);
            {
                OBSERVE_WITH((.name = "below-current-of-side"));
                lf_observation_end(lf_start_observation(.name = "leaf", .type = LF_RETRIEVER));
            }
            lf_observation_end(below);
            step("again-of-inner");
        }
        lf_observation_end(lf_start_observation(.name = "last-of-root"));
    }
    lf_observation_end(lf_start_observation(.name = "late-of-side", .parent = side));
    lf_observation_end(side);
}

static void python_sdk_parent_ended_first(void)
{
    lf_observation *parent = lf_start_observation(.name = "parent", .type = LF_AGENT);
    lf_observation_end(parent);
    lf_observation *child = lf_start_observation(.name = "child", .type = LF_TOOL, .parent = parent);
    lf_observation_end(lf_start_observation(.name = "grandchild", .type = LF_GUARDRAIL, .parent = child));
    lf_observation_end(child);
}

static void python_sdk_two_traces(void)
{
    {
        OBSERVE_WITH((.name = "first"));
        step("a");
    }
    {
        OBSERVE_WITH((.name = "second"));
        step("b");
    }
    lf_observation_end(lf_start_observation(.name = "third"));
}

static int level(int n)
{
    OBSERVE_CHAIN(n);
    OBSERVE_RETURN(n == 0 ? 0 : level(n - 1) + n);
}

static void python_sdk_recursion(void)
{
    level(8);
}

static void python_sdk_events(void)
{
    lf_create_event(.name = "alone", .level = LF_LEVEL_WARNING, .status_message = "no trace around", .version = "v1");
    lf_observation *root = lf_start_as_current_observation(.name = "root");
    lf_create_event(.name = "empty");
    lf_create_event(.name = "metadata-text", .metadata = LF_VALUE("text"), .input = LF_ARRAY(1, 2), .output = LF_VALUE("out"));
    lf_create_event(.name = "error", .level = LF_LEVEL_ERROR, .status_message = "bad");
    {
        OBSERVE_WITH((.name = "inner"));
        lf_create_event(.name = "of-root", .parent = root, .metadata = LF_OBJECT("n", 1, "ok", lf_bool(false)));
    }
    lf_observation_end(root);
}

static void python_sdk_update_after_end(void)
{
    lf_observation *span = lf_start_observation(.name = "span", .input = LF_VALUE("before"));
    lf_observation_update(span, .name = "renamed", .output = LF_VALUE("first"));
    lf_observation_end(span);
    lf_observation_update(span, .name = "too late", .output = LF_VALUE("too late"), .metadata = LF_OBJECT("late", lf_bool(true)));
}

static void python_sdk_types_by_hand(void)
{
    for (size_t i = 0; i < TYPES; i++) {
        lf_observation *o = lf_start_observation(.name = types[i].name, .type = types[i].type,
                                                 .input = LF_OBJECT("kind", types[i].name),
                                                 .metadata = LF_OBJECT("k", types[i].name), .version = "1", .level = LF_LEVEL_DEBUG,
                                                 .status_message = "fine");
        lf_observation_update(o, .output = LF_ARRAY(types[i].name));
        lf_observation_end(o);
    }
}

/* ---- Levels and status messages */

static void python_sdk_levels(void)
{
    static const struct {
        const char *name;
        lf_level level;
    } levels[] = {
        {"DEBUG", LF_LEVEL_DEBUG}, {"DEFAULT", LF_LEVEL_DEFAULT}, {"WARNING", LF_LEVEL_WARNING}, {"ERROR", LF_LEVEL_ERROR}};
    OBSERVE_WITH((.name = "root"));
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        char alone[64], with_text[64], text[64];
        snprintf(alone, sizeof alone, "%s alone", levels[i].name);
        snprintf(with_text, sizeof with_text, "%s with text", levels[i].name);
        snprintf(text, sizeof text, "text of %s", levels[i].name);
        lf_observation_end(lf_start_observation(.name = alone, .level = levels[i].level));
        lf_observation_end(lf_start_observation(.name = with_text, .level = levels[i].level, .status_message = text));
    }
    lf_observation_end(lf_start_observation(.name = "text alone", .status_message = "only text"));
    lf_observation_end(lf_start_observation(.name = "empty text", .level = LF_LEVEL_ERROR, .status_message = ""));
}

static void python_sdk_level_changes(void)
{
    OBSERVE_WITH((.name = "root"));
    lf_observation *o = lf_start_observation(.name = "warning then error", .level = LF_LEVEL_WARNING, .status_message = "careful");
    lf_observation_end(o, .level = LF_LEVEL_ERROR, .status_message = "broken");
    o = lf_start_observation(.name = "text then error");
    lf_observation_update(o, .status_message = "said before");
    lf_observation_end(o, .level = LF_LEVEL_ERROR);
    o = lf_start_observation(.name = "error then text", .level = LF_LEVEL_ERROR, .status_message = "first");
    lf_observation_end(o, .status_message = "second");
    o = lf_start_observation(.name = "error twice", .level = LF_LEVEL_ERROR, .status_message = "first");
    lf_observation_end(o, .level = LF_LEVEL_ERROR, .status_message = "second");
}

static bool fetch(void)
{
    OBSERVE_TOOL();
    OBSERVE_ERROR("no such host: %s", "example.invalid");
    return false;
}

static const char *step_that_recovers(void)
{
    OBSERVE();
    if (!fetch())
        OBSERVE_RETURN("fell back");
    OBSERVE_RETURN("fetched");
}

static void step_that_fails(void)
{
    OBSERVE();
    OBSERVE_ERROR("KeyError");
}

static void python_sdk_errors_at_depth(void)
{
    OBSERVE_WITH((.name = "root"));
    step_that_recovers();
    step_that_fails();
}

/* ---- Updates */

static void python_sdk_updates(void)
{
    OBSERVE_WITH((.name = "root", .type = LF_GENERATION));
    lf_update_current_observation(.input = LF_VALUE("first"), .output = LF_VALUE("first"), .model = "m1",
                                  .metadata = LF_OBJECT("a", 1, "b", LF_OBJECT("x", 1)),
                                  .usage_details = LF_OBJECT("input", 1, "output", 2),
                                  .model_parameters = LF_OBJECT("temperature", 1));
    lf_update_current_observation(.input = LF_VALUE("second"), .model = "m2",
                                  .metadata = LF_OBJECT("b", LF_OBJECT("y", 2), "c", 3));
    lf_update_current_observation(.output = LF_OBJECT("n", 1), .usage_details = LF_OBJECT("total", 9),
                                  .model_parameters = LF_OBJECT("top_p", 0.5));
    lf_update_current_observation(.name = "renamed", .version = "v2");
}

static void helper(void)
{
    lf_update_current_observation(.metadata = LF_OBJECT("by", "helper"));
}

static const char *inner(void)
{
    OBSERVE();
    helper();
    OBSERVE_OUTPUT("set by hand, before the return");
    OBSERVE_RETURN("returned");
}

static void outer(void)
{
    OBSERVE();
    helper();
    inner();
    lf_update_current_observation(.input = LF_VALUE("set by hand"));
}

static void python_sdk_update_from_depth(void)
{
    outer();
}

static void python_sdk_metadata_text_and_object(void)
{
    lf_observation *o = lf_start_observation(.name = "o", .metadata = LF_OBJECT("a", 1));
    lf_observation_update(o, .metadata = LF_VALUE("text"));
    lf_observation_update(o, .metadata = LF_OBJECT("b", 2));
    lf_observation_end(o);
}

/* ---- Values */

static const int64_t exact = (int64_t)1 << 53; /* up to here every integer is a double */

#ifdef __SIZEOF_INT128__
static lf_i_int128 ten_to_the(int n)
{
    return n == 0 ? 1 : 10 * ten_to_the(n - 1);
}
#define TEN_TO_THE_30 ten_to_the(30)
#else
#define TEN_TO_THE_30 "1000000000000000000000000000000" /* as such an integer is sent */
#endif

static void python_sdk_metadata_shapes(void)
{
    lf_observation *o = lf_start_observation(.name = "o", .metadata = LF_OBJECT("text", "t", "empty", "", "int", 1, "negative", -7,
                                                                                "zero", 0, "max", INT64_MAX, "min", INT64_MIN));
    lf_observation_update(o, .metadata = LF_OBJECT("true", lf_bool(true), "false", lf_bool(false), "float", 1.5, "whole", 2.0,
                                                   "large", 1e22, "small", 1e-7));
    lf_observation_update(o, .metadata = LF_OBJECT("nan", (double)NAN, "inf", (double)INFINITY, "-inf", (double)-INFINITY, "none",
                                                   lf_null(), "list", lf_json("[]"), "object", lf_json("{}")));
    lf_value list = LF_ARRAY(1, "a", lf_null(), lf_bool(true), 1.5, LF_ARRAY(2), LF_OBJECT("k", "v"));
    lf_value innermost = LF_OBJECT("d", lf_null());
    lf_value within = LF_OBJECT("c", LF_ARRAY(1, innermost));
    lf_value deep = LF_OBJECT("a", LF_OBJECT("b", within));
    lf_observation_update(
        o, .metadata = LF_OBJECT("mixed", list, "deep", deep, "with.dot", "x", "with space", "y", "", "empty key", "ü", "ö"));
    lf_observation_end(o, .metadata = LF_OBJECT("big inside", LF_ARRAY(exact - 1, exact, -exact, TEN_TO_THE_30), "json text",
                                                "{\"a\": 1}", "quote", "say \"hi\"\n\t\\"));
}

static void with_metadata(const char *name, lf_value metadata)
{
    lf_observation_end(lf_start_observation(.name = name, .metadata = metadata));
}

static void python_sdk_metadata_of_other_types(void)
{
    with_metadata("text", LF_VALUE("a text"));
    with_metadata("empty text", LF_VALUE(""));
    with_metadata("list", LF_ARRAY(1, "two", lf_null()));
    with_metadata("int", LF_VALUE(42));
    with_metadata("float", LF_VALUE(0.5));
    with_metadata("true", lf_bool(true));
    with_metadata("false", lf_bool(false));
    with_metadata("zero", LF_VALUE(0));
    with_metadata("empty object", lf_json("{}"));
    with_metadata("empty list", lf_json("[]"));
}

static void in_and_out(const char *name, lf_value value)
{
    lf_observation_end(lf_start_observation(.name = name, .input = value, .output = value));
}

static void python_sdk_io_shapes(void)
{
    in_and_out("null", lf_null());
    in_and_out("empty", LF_VALUE(""));
    in_and_out("space", LF_VALUE(" "));
    in_and_out("object", lf_json("{}"));
    in_and_out("list", lf_json("[]"));
    in_and_out("zero", LF_VALUE(0));
    in_and_out("false", lf_bool(false));
    in_and_out("true", lf_bool(true));
    in_and_out("float", LF_VALUE(1.5));
    in_and_out("nan", LF_VALUE((double)NAN));
    in_and_out("inf", LF_VALUE((double)INFINITY));
    in_and_out("-inf", LF_VALUE((double)-INFINITY));
    in_and_out("2^53-1", LF_VALUE(exact - 1));
    in_and_out("2^53", LF_VALUE(exact));
    in_and_out("-2^53+1", LF_VALUE(-exact + 1));
    in_and_out("-2^53", LF_VALUE(-exact));
    in_and_out("2^64-1", LF_VALUE(UINT64_MAX));
    in_and_out("nulls", LF_ARRAY(lf_null(), LF_OBJECT("a", lf_null())));
    in_and_out("json text", LF_VALUE("{\"a\": 1}"));
    in_and_out("text null", LF_VALUE("null"));
    in_and_out("text 1", LF_VALUE("1"));
    in_and_out("nested nan", LF_OBJECT("a", LF_ARRAY((double)NAN, (double)INFINITY), "b", LF_OBJECT("c", (double)-INFINITY)));
    in_and_out("nested big", LF_OBJECT("a", LF_ARRAY(exact, LF_OBJECT("b", -((int64_t)1 << 60)))));
    in_and_out("text of 5 bytes", lf_strn("bytes", 5));
}

static void python_sdk_floats(void)
{
    static const double floats[] = {1.0,
                                    -1.0,
                                    0.0,
                                    -0.0,
                                    0.1,
                                    0.2 + 0.1,
                                    1.0 / 3,
                                    1e15,
                                    1e16,
                                    123456789012345680.0,
                                    1e17,
                                    1e21,
                                    1e22,
                                    1e100,
                                    1e-4,
                                    1e-5,
                                    1.5e-5,
                                    1e-7,
                                    5e-324,
                                    1.7976931348623157e308,
                                    3.0e10,
                                    0.00012345,
                                    99999999.99,
                                    4.35,
                                    2.5,
                                    9007199254740992.0,
                                    9007199254740993.5,
                                    18014398509481984.0};
    lf_observation_end(lf_start_observation(.name = "floats", .input = lf_array(floats, sizeof floats / sizeof floats[0])));
}

static void text_in_and_out(const char *name, lf_value text)
{
    lf_observation_end(lf_start_observation(.name = name, .input = text, .output = LF_OBJECT(name, text, "list", LF_ARRAY(text))));
}

static void python_sdk_text(void)
{
    char controls[64], *end = controls;
    for (char c = 1; c < 32; c++)
        *end++ = c;
    strcpy(end, "\x7f\xc2\x80\xc2\x9f");
    enum { LONG = 300 };
    char *umlauts = malloc(2 * LONG + 1);
    if (umlauts == NULL)
        abort();
    for (size_t i = 0; i < LONG; i++)
        memcpy(umlauts + 2 * i, "ä", 2);
    umlauts[2 * LONG] = '\0';
    text_in_and_out("emoji", LF_VALUE("👋🏽 👨‍👩‍👧"));
    text_in_and_out("controls", LF_VALUE((const char *)controls));
    text_in_and_out("nul", lf_strn("a\0b", 3));
    text_in_and_out("separators", LF_VALUE("\u2028\u2029\ufeff\ufffe\uffff"));
    text_in_and_out("astral", LF_VALUE("\U0001F600\U0010FFFF"));
    text_in_and_out("quotes", LF_VALUE("\"'\\/</script>"));
    text_in_and_out("combining", LF_VALUE("e\u0301 \u200f\u202e"));
    text_in_and_out("lines", LF_VALUE("a\r\nb\n"));
    text_in_and_out("long", LF_VALUE((const char *)umlauts));
    free(umlauts);
}

static void python_sdk_names(void)
{
    char name[1001];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    const char *const names[] = {"", " ", "a/b", "ünïcödé 👋", "line\nbreak", "quo\"te", name};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        lf_observation_end(lf_start_observation(.name = names[i]));
}

/* What a function returns, and one that returns nothing. */
static void returns(const char *name, lf_value value)
{
    OBSERVE_WITH((.name = name));
    if (value.kind != LF_KIND_UNSET)
        OBSERVE_OUTPUT(value);
}

static void python_sdk_returns(void)
{
    returns("returns 0", LF_VALUE(0));
    returns("returns ''", LF_VALUE(""));
    returns("returns False", lf_bool(false));
    returns("returns []", lf_json("[]"));
    returns("returns {}", lf_json("{}"));
    returns("returns 1.5", LF_VALUE(1.5));
    returns("returns -1", LF_VALUE(-1));
    returns("returns 'text'", LF_VALUE("text"));
    returns("returns None", (lf_value){0});
}

/* ---- Generations */

static void with_usage(const char *name, lf_value usage)
{
    lf_observation_end(lf_start_observation(.name = name, .type = LF_GENERATION, .usage_details = usage));
}

static void python_sdk_usage_shapes(void)
{
    with_usage("usage 0", LF_OBJECT("input", 5, "output", 50, "total", 55));
    with_usage("usage 1", LF_OBJECT("input", 0, "output", 0));
    with_usage("usage 2", LF_OBJECT("prompt_tokens", 5, "completion_tokens", 7));
    with_usage("usage 3", LF_OBJECT("prompt_tokens", 1, "completion_tokens", 2, "total_tokens", 3, "prompt_tokens_details",
                                    LF_OBJECT("cached_tokens", 1, "audio_tokens", 0), "completion_tokens_details",
                                    LF_OBJECT("reasoning_tokens", 2)));
    with_usage("usage 4", LF_OBJECT("input_tokens", 3, "output_tokens", 4, "cache_read_input_tokens", 1));
    with_usage("usage 5", LF_OBJECT("input", (int64_t)1 << 40));
    with_usage("usage 6", LF_OBJECT("input", 1.5));
    with_usage("usage 7", lf_json("{}"));
    with_usage("usage 8", LF_OBJECT("only", 1, "ünü", 2));
    with_usage("usage 9", LF_OBJECT("input", lf_null()));
}

static void with_cost(const char *name, lf_value cost)
{
    lf_observation_end(lf_start_observation(.name = name, .type = LF_GENERATION, .cost_details = cost, .model = "m"));
}

static void python_sdk_cost_shapes(void)
{
    with_cost("cost 0", LF_OBJECT("input", 0.0001, "output", 0.002, "total", 0.0021));
    with_cost("cost 1", LF_OBJECT("total", 1));
    with_cost("cost 2", LF_OBJECT("total", 0.0));
    with_cost("cost 3", lf_json("{}"));
    with_cost("cost 4", LF_OBJECT("input", 1e-9, "output", 1e-5));
    with_cost("cost 5", LF_OBJECT("cache", 12345.678));
}

static void with_parameters(int i, lf_value parameters)
{
    char name[32], model[32];
    snprintf(name, sizeof name, "parameters %d", i);
    snprintf(model, sizeof model, "model-%d", i);
    lf_observation_end(lf_start_observation(.name = name, .type = LF_GENERATION, .model = model, .model_parameters = parameters));
}

static void python_sdk_model_parameters(void)
{
    with_parameters(0, LF_OBJECT("temperature", 0.7, "max_tokens", 256, "stop", LF_ARRAY("\n", "END"), "stream", lf_bool(false)));
    with_parameters(1, LF_OBJECT("none", lf_null()));
    with_parameters(2, lf_json("{}"));
    with_parameters(3, LF_OBJECT("nested", LF_OBJECT("a", LF_ARRAY(1, LF_OBJECT("b", 2)))));
    with_parameters(4, LF_OBJECT("text", "high", "empty", ""));
    with_parameters(5, LF_OBJECT("temperature", 1.0, "seed", (int64_t)1 << 40));
    with_parameters(6, LF_OBJECT("logit_bias", LF_OBJECT("50256", -100)));
}

static void python_sdk_completion_start(void)
{
    static const int64_t times[] = {1768458600123456000, 1768458600120000000, 1768458600000000000,
                                    1768458600000001000, 946684799999999000,  1835395200000000000};
    for (int i = 0; i < (int)(sizeof times / sizeof times[0]); i++) {
        char at_start[32], later[32];
        snprintf(at_start, sizeof at_start, "at start %d", i);
        snprintf(later, sizeof later, "later %d", i);
        lf_observation_end(lf_start_observation(.name = at_start, .type = LF_GENERATION, .completion_start_time_ns = times[i]));
        lf_observation *o = lf_start_observation(.name = later, .type = LF_GENERATION);
        lf_observation_update(o, .completion_start_time_ns = times[i]);
        lf_observation_end(o);
    }
}

static void python_sdk_embedding(void)
{
    lf_observation *o = lf_start_observation(.name = "embed", .type = LF_EMBEDDING, .model = "text-embedding-3-small",
                                             .input = LF_ARRAY("one", "two"), .usage_details = LF_OBJECT("input", 2),
                                             .cost_details = LF_OBJECT("input", 0.00000004),
                                             .model_parameters = LF_OBJECT("dimensions", 256));
    lf_observation_end(o, .output = LF_ARRAY(LF_ARRAY(0.1, -0.2), LF_ARRAY(0.0, 1.0)));
}

/* ---- Prompts linked to generations */

static void python_sdk_prompt_link(void)
{
    lf_observation_end(
        lf_start_observation(.name = "at start", .type = LF_GENERATION, .prompt_name = "critic", .prompt_version = 3));
    lf_observation *o = lf_start_observation(.name = "later", .type = LF_GENERATION, .prompt_name = "critic", .prompt_version = 3);
    lf_observation_end(o, .prompt_name = "folder/other ü", .prompt_version = 12);
    lf_prompt *fallback = lf_get_prompt("critic", .fallback = "p", .max_retries = 0);
    lf_observation_end(lf_start_observation(.name = "fallback", .type = LF_GENERATION, .prompt = fallback));
    lf_prompt_free(fallback);
    lf_observation_end(
        lf_start_observation(.name = "of an embedding", .type = LF_EMBEDDING, .prompt_name = "critic", .prompt_version = 1));
    OBSERVE_WITH((.name = "scope", .type = LF_GENERATION));
    lf_update_current_observation(.prompt_name = "critic", .prompt_version = 7);
}

static void generation(const char *name)
{
    OBSERVE_WITH((.name = name, .type = LF_GENERATION));
}

static void prompt_around_a_span(void)
{
    OBSERVE_ATTRIBUTES(.prompt_name = "outer", .prompt_version = 1);
    OBSERVE_WITH((.name = "span"));
    generation("generation");
    {
        OBSERVE_WITH((.name = "own", .type = LF_GENERATION));
        lf_update_current_observation(.prompt_name = "own", .prompt_version = 5);
        generation("below own");
    }
    {
        OBSERVE_ATTRIBUTES(.prompt_name = "inner", .prompt_version = 2);
        generation("in inner");
    }
    {
        OBSERVE_ATTRIBUTES(.user_id = "u");
        generation("still outer");
    }
    OBSERVE_WITH((.name = "embedding", .type = LF_EMBEDDING));
}

static void python_sdk_prompt_of_a_scope(void)
{
    prompt_around_a_span();
    generation("outside");
}

SCENARIO_MAIN(SCENARIO(python_sdk_handles_in_scopes), SCENARIO(python_sdk_parent_ended_first), SCENARIO(python_sdk_two_traces),
              SCENARIO(python_sdk_recursion), SCENARIO(python_sdk_events), SCENARIO(python_sdk_update_after_end),
              SCENARIO(python_sdk_types_by_hand), SCENARIO(python_sdk_levels), SCENARIO(python_sdk_level_changes),
              SCENARIO(python_sdk_errors_at_depth), SCENARIO(python_sdk_updates), SCENARIO(python_sdk_update_from_depth),
              SCENARIO(python_sdk_metadata_text_and_object), SCENARIO(python_sdk_metadata_shapes),
              SCENARIO(python_sdk_metadata_of_other_types), SCENARIO(python_sdk_io_shapes), SCENARIO(python_sdk_floats),
              SCENARIO(python_sdk_text), SCENARIO(python_sdk_names), SCENARIO(python_sdk_returns),
              SCENARIO(python_sdk_usage_shapes), SCENARIO(python_sdk_cost_shapes), SCENARIO(python_sdk_model_parameters),
              SCENARIO(python_sdk_completion_start), SCENARIO(python_sdk_embedding), SCENARIO(python_sdk_prompt_link),
              SCENARIO(python_sdk_prompt_of_a_scope))
