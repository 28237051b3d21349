/* Programs for the Python SDK and in C, what goes beyond one observation: attributes of scopes, traces, ids, sampling, other
 * processes, masking, scores. `make interop` runs their Python originals (tests/interop/sdk_more.py).
 */
#include "scenario.h"

#include <stdlib.h>

#define TRACE "abcdef1234567890abcdef1234567890"
#define PARENT "fedcba0987654321"
#define ONES "11111111111111111111111111111111"

static void step(const char *name)
{
    OBSERVE_WITH((.name = name));
}

/* ---- Attributes of scopes */

static void three(void)
{
    OBSERVE_ATTRIBUTES(.user_id = "u3", .version = "v3", .environment = "e3", .metadata = LF_OBJECT("b", "3", "c", "3"));
    {
        OBSERVE_WITH((.name = "three"));
        lf_observation_end(lf_start_observation(.name = "of three"));
    }
    lf_create_event(.name = "event");
}

static void two(void)
{
    OBSERVE_ATTRIBUTES(.session_id = "s2", .trace_name = "n2");
    OBSERVE_WITH((.name = "two"));
    three();
    step("two again");
}

static void one(void)
{
    OBSERVE_ATTRIBUTES(.user_id = "u1", .session_id = "s1", .version = "v1", .trace_name = "n1", .environment = "e1",
                       .metadata = LF_OBJECT("a", "1", "b", "1"));
    OBSERVE_WITH((.name = "root"));
    two();
    step("one again");
}

static void python_sdk_attributes_overridden(void)
{
    one();
    step("outside");
}

static void python_sdk_attributes_begin_late(void)
{
    OBSERVE_WITH((.name = "root"));
    step("before");
    OBSERVE_WITH((.name = "middle"));
    {
        OBSERVE_ATTRIBUTES(.user_id = "u", .tags = LF_TAGS("t"));
        step("inside");
    }
    step("after");
}

/* `count` times the text, in a buffer that the next call but seven uses again. */
static const char *times(int count, const char *text)
{
    static char buffers[8][1024];
    static int next;
    char *buffer = buffers[next++ % 8], *end = buffer;
    for (int i = 0; i < count; i++)
        end += sprintf(end, "%s", text);
    return buffer;
}

static void python_sdk_attributes_too_long(void)
{
    const char *fits = times(200, "x"), *too_long = times(201, "x");
    char number[256];
    snprintf(number, sizeof number, "1%s", times(199, "0"));
    {
        OBSERVE_ATTRIBUTES(.user_id = fits, .session_id = too_long, .version = too_long, .trace_name = fits);
        step("200 and 201");
    }
    {
        OBSERVE_ATTRIBUTES(.user_id = times(200, "ä"), .session_id = times(200, "👋"), .trace_name = times(201, "ä"));
        step("200 characters of several bytes");
    }
    {
        OBSERVE_ATTRIBUTES(.tags = LF_TAGS("good", too_long, fits),
                           .metadata = LF_OBJECT("good", fits, "bad", too_long, "n", (const char *)number));
        step("some of the tags, some of the metadata");
    }
    {
        OBSERVE_ATTRIBUTES(.tags = LF_TAGS(too_long), .metadata = LF_OBJECT("bad", too_long));
        step("none of the tags, none of the metadata");
    }
    OBSERVE_ATTRIBUTES(.user_id = "outer", .metadata = LF_OBJECT("k", "outer"), .tags = LF_TAGS("outer"));
    OBSERVE_ATTRIBUTES(.user_id = too_long, .metadata = LF_OBJECT("k", too_long), .tags = LF_TAGS(too_long));
    step("what is too long leaves the outer one");
}

static void nothing_said(void)
{
    OBSERVE_ATTRIBUTES();
    step("nothing");
}

static void python_sdk_attributes_empty(void)
{
    {
        OBSERVE_ATTRIBUTES(.user_id = "outer", .session_id = "outer", .tags = LF_TAGS("outer"),
                           .metadata = LF_OBJECT("k", "outer"));
        {
            OBSERVE_ATTRIBUTES(.user_id = "", .session_id = "", .version = "", .trace_name = "", .tags = lf_json("[]"),
                               .metadata = lf_json("{}"));
            step("empty");
        }
        OBSERVE_ATTRIBUTES(.tags = LF_TAGS(""), .metadata = LF_OBJECT("k", "", "", "empty key"));
        step("empty inside");
    }
    nothing_said();
}

static void python_sdk_attributes_tags(void)
{
    OBSERVE_ATTRIBUTES(.tags = LF_TAGS("a", "b", "a"));
    step("twice in one list");
    OBSERVE_ATTRIBUTES(.tags = LF_TAGS("c", "a", "ü 👋", "with,comma"));
    step("in both");
    OBSERVE_ATTRIBUTES(.tags = LF_TAGS("b"));
    step("nothing new");
}

static void python_sdk_attributes_metadata(void)
{
    OBSERVE_ATTRIBUTES(.metadata = LF_OBJECT("text", "t", "int", 1, "negative", -5, "zero", 0, "float", 0.5, "whole", 1.0, "large",
                                             1e22, "small", 1e-7));
    OBSERVE_ATTRIBUTES(.metadata = LF_OBJECT("big", UINT64_MAX, "with.dot", "d", "with space", "s", "ü", "ö", "under_score", "u"));
    step("values");
}

static void in_environment(const char *environment)
{
    char name[128];
    snprintf(name, sizeof name, "environment %s", environment);
    OBSERVE_ATTRIBUTES(.environment = environment);
    step(name);
}

static void python_sdk_attributes_environment(void)
{
    const char *const names[] = {"production",   "a-b_c9", "9",        "-",          times(40, "x"),
                                 times(41, "x"), "Upper",  "langfuse", "langfuse-x", "with space",
                                 "my-langfuse",  "ü",      "a.b",      "",           "default"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        in_environment(names[i]);
}

static void python_sdk_environment_and_release(void)
{
    setenv("LANGFUSE_TRACING_ENVIRONMENT", "qa", 1);
    setenv("LANGFUSE_RELEASE", "r-1.2", 1);
    lf_observation *root = lf_start_as_current_observation(.name = "root");
    {
        char trace[LF_TRACE_ID_SIZE];
        lf_current_trace_id(trace);
        OBSERVE_ATTRIBUTES(.environment = "other");
        step("in another");
        lf_observation_end(lf_start_observation(.name = "of root, in another", .parent = root));
        lf_create_score(.name = "explicit", .value = 1, .trace_id = trace, .environment = "explicit");
        lf_score_current_trace(.name = "in another", .value = 1);
    }
    step("back");
    lf_create_score(.name = "by handle", .value = 1, .observation = root);
    lf_observation_end(root);
}

static void python_sdk_version_of_both(void)
{
    OBSERVE_ATTRIBUTES(.version = "of the scope");
    {
        OBSERVE_WITH((.name = "own version"));
        lf_update_current_observation(.version = "own");
        step("child");
    }
    lf_observation *o = lf_start_observation(.name = "changed later");
    lf_observation_end(o, .version = "later");
}

static void python_sdk_attributes_on_all_kinds(void)
{
    static const struct {
        const char *name;
        lf_type type;
    } all[] = {{"span", LF_SPAN},           {"generation", LF_GENERATION}, {"agent", LF_AGENT},
               {"tool", LF_TOOL},           {"chain", LF_CHAIN},           {"retriever", LF_RETRIEVER},
               {"evaluator", LF_EVALUATOR}, {"embedding", LF_EMBEDDING},   {"guardrail", LF_GUARDRAIL}};
    OBSERVE_ATTRIBUTES(.user_id = "u", .session_id = "s", .tags = LF_TAGS("t"), .metadata = LF_OBJECT("k", "v"), .version = "v",
                       .trace_name = "n");
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        lf_observation_end(lf_start_observation(.name = all[i].name, .type = all[i].type));
    lf_create_event(.name = "event");
}

/* ---- The trace */

static void python_sdk_public_from_depth(void)
{
    OBSERVE_WITH((.name = "root"));
    OBSERVE_WITH((.name = "middle"));
    OBSERVE_WITH((.name = "leaf"));
    lf_update_current_trace(.public_ = LF_ON);
}

static void inner_trace_output(void)
{
    OBSERVE_WITH((.name = "inner"));
    lf_update_current_trace(.output = LF_OBJECT("n", LF_ARRAY(1, lf_null(), "ü")));
}

static void python_sdk_trace_io(void)
{
    {
        OBSERVE_WITH((.name = "root"));
        lf_update_current_trace(.input = LF_VALUE("text"), .output = LF_VALUE("first"));
        inner_trace_output();
    }
    OBSERVE_WITH((.name = "numbers"));
    lf_update_current_trace(.input = LF_VALUE(0), .output = lf_bool(false));
}

static void python_sdk_trace_update_from_depth(void)
{
    OBSERVE_WITH((.name = "root"));
    OBSERVE_WITH((.name = "middle"));
    {
        OBSERVE_WITH((.name = "leaf"));
        lf_update_current_trace(.name = "named below", .user_id = "u", .session_id = "s", .tags = LF_TAGS("b", "a", "b"),
                                .metadata = LF_OBJECT("k", "v"));
    }
    step("later sibling");
}

/* ---- Ids */

static void python_sdk_ids_of_seeds(void)
{
    const char *const seeds[] = {"req_12345", "a", "ünïcödé 👋", " ", "0", times(1000, "x"), times(32, "0")};
    char ids[7][LF_TRACE_ID_SIZE];
    const char *texts[7];
    for (size_t i = 0; i < 7; i++) {
        lf_create_trace_id(seeds[i], ids[i]);
        texts[i] = ids[i];
    }
    OBSERVE_WITH((.name = "seeds"));
    lf_update_current_observation(.input = lf_array(texts, 7));
}

static void another_trace_inside(void)
{
    OBSERVE_WITH((.name = "other trace inside", .trace_id = ONES, .parent_observation_id = PARENT));
    step("its child");
}

static void python_sdk_trace_given(void)
{
    {
        OBSERVE_WITH((.name = "trace only", .trace_id = TRACE));
        step("child");
    }
    {
        OBSERVE_WITH((.name = "trace and parent", .trace_id = TRACE, .parent_observation_id = PARENT));
        step("child of it");
    }
    OBSERVE_WITH((.name = "around"));
    another_trace_inside();
    step("back in the trace around");
    lf_observation_end(lf_start_observation(.name = "handle into another", .trace_id = ONES, .parent_observation_id = PARENT));
}

static void python_sdk_ids_of_current(void)
{
    char trace[LF_TRACE_ID_SIZE], id[LF_OBSERVATION_ID_SIZE];
    lf_current_trace_id(trace);
    lf_current_observation_id(id);
    lf_value none = LF_ARRAY(trace[0] == '\0' ? lf_null() : lf_text(trace), id[0] == '\0' ? lf_null() : lf_text(id));
    OBSERVE_WITH((.name = "outer"));
    lf_update_current_observation(.input = none);
    lf_current_trace_id(trace);
    lf_current_observation_id(id);
    OBSERVE_WITH((.name = "inner"));
    lf_update_current_observation(.input = LF_ARRAY((const char *)trace, (const char *)id));
    lf_current_trace_id(trace);
    lf_current_observation_id(id);
    lf_observation *side = lf_start_observation(.name = "side", .input = LF_ARRAY((const char *)trace, (const char *)id));
    OBSERVE_OUTPUT(LF_ARRAY((const char *)trace, (const char *)id));
    lf_observation_trace_id(side, trace);
    lf_observation_id(side, id);
    lf_observation_end(side, .output = LF_ARRAY((const char *)trace, (const char *)id));
}

/* ---- Sampling: every process keeps the same traces */

static void python_sdk_sampling_half(void)
{
    setenv("LANGFUSE_SAMPLE_RATE", "0.5", 1);
    for (int i = 0; i < 40; i++) {
        char name[32], seed[32], trace[LF_TRACE_ID_SIZE];
        snprintf(name, sizeof name, "trace %d", i);
        snprintf(seed, sizeof seed, "seed %d", i);
        lf_create_trace_id(seed, trace);
        lf_observation_end(lf_start_observation(.name = name, .trace_id = trace, .parent_observation_id = PARENT));
    }
}

static void with_child(int i)
{
    char name[32], child[32], seed[32], trace[LF_TRACE_ID_SIZE];
    snprintf(name, sizeof name, "trace %d", i);
    snprintf(child, sizeof child, "child %d", i);
    snprintf(seed, sizeof seed, "other %d", i);
    lf_create_trace_id(seed, trace);
    OBSERVE_WITH((.name = name, .trace_id = trace, .parent_observation_id = PARENT));
    step(child);
}

static void python_sdk_sampling_tenth(void)
{
    setenv("LANGFUSE_SAMPLE_RATE", "0.1", 1);
    for (int i = 0; i < 60; i++)
        with_child(i);
}

static void sampled(const char *what, const char *high, const char *low)
{
    char name[64], trace[LF_TRACE_ID_SIZE];
    snprintf(name, sizeof name, "%s %s", what, low);
    snprintf(trace, sizeof trace, "%s%s", high, low);
    lf_observation_end(lf_start_observation(.name = name, .trace_id = trace, .parent_observation_id = PARENT));
}

static void python_sdk_sampling_edges(void)
{
    static const char *const lows[] = {"0000000000000000", "3fffffffffffffff", "4000000000000000", "4000000000000001",
                                       "7fffffffffffffff", "8000000000000000", "ffffffffffffffff", "2000000000000000"};
    setenv("LANGFUSE_SAMPLE_RATE", "0.25", 1);
    for (size_t i = 0; i < sizeof lows / sizeof lows[0]; i++) {
        sampled("low", "ffffffffffffffff", lows[i]);
        sampled("high", "1111111111111111", lows[i]);
    }
}

/* ---- Across processes */

typedef struct headers {
    const char *traceparent, *tracestate, *baggage;
} headers;

static const char *get_header(void *from, const char *name)
{
    const headers *h = from;
    return strcmp(name, "traceparent") == 0  ? h->traceparent
           : strcmp(name, "tracestate") == 0 ? h->tracestate
           : strcmp(name, "baggage") == 0    ? h->baggage
                                             : NULL;
}

static void serve(headers received)
{
    lf_context *context = lf_extract(get_header, &received);
    OBSERVE_CONTEXT(context);
    lf_context_free(context);
    {
        OBSERVE_WITH((.name = "service"));
        step("inside");
    }
    lf_observation_end(lf_start_observation(.name = "by hand"));
}

static void python_sdk_remote_parent(void)
{
    serve((headers){.traceparent = "00-" TRACE "-" PARENT "-01"});
    serve((headers){.traceparent = "00-" TRACE "-" PARENT "-01", .tracestate = "vendor=1,other=2"});
}

static void receive(const char *name, headers received, bool with_generation)
{
    lf_context *context = lf_extract(get_header, &received);
    OBSERVE_CONTEXT(context);
    lf_context_free(context);
    OBSERVE_WITH((.name = name));
    if (with_generation)
        lf_observation_end(lf_start_observation(.name = "generation", .type = LF_GENERATION));
}

static void python_sdk_unsampled_parent(void)
{
    receive("of a parent that is not sampled", (headers){.traceparent = "00-" TRACE "-" PARENT "-00"}, false);
    OBSERVE_WITH((.name = "a trace of its own"));
    step("inside");
}

static void python_sdk_bad_traceparents(void)
{
    static const char *const all[] = {"",
                                      "garbage",
                                      "00-" TRACE "-" PARENT,
                                      "00-00000000000000000000000000000000-" PARENT "-01",
                                      "00-" TRACE "-0000000000000000-01",
                                      "ff-" TRACE "-" PARENT "-01",
                                      "00-ABCDEF1234567890ABCDEF1234567890-" PARENT "-01",
                                      "00-" TRACE "-" PARENT "-01-extra",
                                      "01-" TRACE "-" PARENT "-01-extra",
                                      " 00-" TRACE "-" PARENT "-01 ",
                                      "00-abcdef1234567890abcdef123456789-" PARENT "-01"};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        char name[128];
        snprintf(name, sizeof name, "<%s>", all[i]);
        receive(name, (headers){.traceparent = all[i]}, false);
    }
}

static void python_sdk_baggage_in(void)
{
    char lengths[512];
    snprintf(lengths, sizeof lengths, "langfuse_user_id=%s,langfuse_session_id=%sx", times(200, "x"), times(200, "x"));
    const char *const all[] = {"langfuse_user_id=u%201%2B2,langfuse_session_id=s+1,langfuse_version=v,langfuse_trace_name=n",
                               "langfuse_trace_id=" TRACE ",langfuse_user_id=u",
                               "langfuse_trace_id=" ONES ",langfuse_user_id=u",
                               "langfuse_metadata_k=v,langfuse_metadata_with_underscore=w,langfuse_unknown=x,other=y",
                               "langfuse_environment=qa",
                               "langfuse_environment=Not%20Good,langfuse_user_id=u",
                               lengths,
                               "langfuse_user_id=%C3%BC%F0%9F%91%8B;property=1, langfuse_session_id = spaces ",
                               "langfuse_user_id=first,langfuse_user_id=second",
                               "langfuse_user_id=,langfuse_session_id",
                               "langfuse_prompt_name=critic,langfuse_prompt_version=3",
                               "langfuse_metadata_s=%22123%22,langfuse_metadata_i=123,langfuse_metadata_o=%7B%22x%22%3A1%7D,"
                               "langfuse_metadata_t=%22plain%22"}; /* as version 5 of the Python SDK sends it */
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        char name[128];
        snprintf(name, sizeof name, "<%.60s>", all[i]);
        receive(name, (headers){.traceparent = "00-" TRACE "-" PARENT "-01", .baggage = all[i]}, true);
    }
}

static void keep_baggage(void *to, const char *name, const char *value)
{
    if (strcmp(name, "baggage") == 0)
        snprintf(to, 1024, "%s", value);
}

static void baggage_as_output(void)
{
    char baggage[1024] = "";
    lf_inject(keep_baggage, baggage);
    OBSERVE_OUTPUT((const char *)baggage);
}

static void baggage_of(const char *name)
{
    OBSERVE_WITH((.name = name));
    baggage_as_output();
}

static void baggage_in_scopes(void)
{
    OBSERVE_ATTRIBUTES(.user_id = "u 1+2", .session_id = "ünï;=,\"%", .version = "v/1", .trace_name = "trace name",
                       .environment = "qa", .metadata = LF_OBJECT("k", "v", "n", 1, "key_2", "a b"), .as_baggage = LF_ON);
    baggage_of("all of it");
    {
        OBSERVE_ATTRIBUTES(.user_id = "inner");
        baggage_of("not marked");
    }
    OBSERVE_ATTRIBUTES(.user_id = "inner", .as_baggage = LF_ON);
    baggage_of("marked");
}

static void python_sdk_baggage_out(void)
{
    OBSERVE_WITH((.name = "root"));
    baggage_as_output();
    baggage_in_scopes();
    baggage_of("left");
}

/* ---- Masking */

static bool hide_secrets(void *data, lf_masked *value)
{
    (void)data;
    for (size_t i = 0; i + 6 <= value->size; i++)
        if (memcmp(value->text + i, "secret", 6) == 0)
            return lf_mask_replace(value, "***", 3, false);
    return true;
}

static void python_sdk_masking(void)
{
    lf_init(&(lf_options){LF_OPTIONS_INIT, .mask = hide_secrets});
    OBSERVE_WITH((.name = "root"));
    lf_update_current_observation(.input = LF_VALUE("the secret word"), .output = LF_VALUE("harmless"),
                                  .metadata = LF_VALUE("secret metadata"));
    lf_update_current_trace(.input = LF_VALUE("secret of the trace"), .output = LF_VALUE("fine"));
    lf_observation_end(lf_start_observation(.name = "object", .input = LF_OBJECT("k", "v"), .output = LF_ARRAY("a"),
                                            .metadata = LF_OBJECT("a", "b")));
}

static bool fail(void *data, lf_masked *value)
{
    (void)data, (void)value;
    return false;
}

static void python_sdk_masking_fails(void)
{
    lf_init(&(lf_options){LF_OPTIONS_INIT, .mask = fail});
    lf_observation_end(lf_start_observation(.name = "o", .input = LF_VALUE("in"), .output = LF_OBJECT("k", 1)));
}

/* ---- Scores */

static void python_sdk_score_values(void)
{
    static const double numbers[] = {0, 1, -1.5, 0.1, 1e20, 1e-7, 123456789, 1.0 / 3};
    static const char *const texts[] = {"good", "0.5", "ünï 👋", "line\nbreak", " ", "true"};
    char name[32];
    OBSERVE_WITH((.name = "judged"));
    for (int i = 0; i < (int)(sizeof numbers / sizeof numbers[0]); i++) {
        snprintf(name, sizeof name, "number %d", i);
        lf_create_score(.name = name, .value = numbers[i], .trace_id = TRACE);
    }
    for (int i = 0; i < (int)(sizeof texts / sizeof texts[0]); i++) {
        snprintf(name, sizeof name, "text %d", i);
        lf_score_current_observation(.name = name, .string_value = texts[i]);
    }
    lf_score_current_observation(.name = "yes", .value = 1, .data_type = LF_SCORE_BOOLEAN);
    lf_score_current_observation(.name = "no", .value = 0, .data_type = LF_SCORE_BOOLEAN);
    lf_score_current_trace(.name = "numeric", .value = 1, .data_type = LF_SCORE_NUMERIC);
    lf_score_current_trace(.name = "category", .string_value = "a", .data_type = LF_SCORE_CATEGORICAL);
    lf_score_current_trace(.name = "text", .string_value = "free text", .data_type = LF_SCORE_TEXT);
}

static void python_sdk_score_fields(void)
{
    char trace[LF_TRACE_ID_SIZE], id[LF_OBSERVATION_ID_SIZE];
    OBSERVE_WITH((.name = "judged"));
    lf_current_trace_id(trace);
    lf_current_observation_id(id);
    lf_score_current_observation(.name = "all", .value = 0.5, .id = "id-1", .data_type = LF_SCORE_NUMERIC, .comment = "c ü",
                                 .config_id = "config-1",
                                 .metadata = LF_OBJECT("a", 1, "b", LF_ARRAY(lf_null(), lf_bool(true), 1.5), "c",
                                                       LF_OBJECT("d", "e")));
    lf_score_current_trace(.name = "all of trace", .string_value = "x", .id = "id-2", .data_type = LF_SCORE_CATEGORICAL,
                           .comment = "", .config_id = "config-2", .metadata = lf_json("{}"));
    lf_score_current_observation(.name = "current", .value = 1, .id = "id-3", .comment = "current");
    lf_score_current_trace(.name = "current trace", .value = 1, .id = "id-4", .metadata = LF_OBJECT("k", "v"));
    lf_create_score(.name = "session", .value = 1, .session_id = "s 1", .id = "id-5");
    lf_create_score(.name = "run", .string_value = "x", .dataset_run_id = "r 1", .id = "id-6");
    lf_create_score(.name = "trace and observation", .value = 1, .trace_id = trace, .observation_id = id);
    lf_create_score(.name = "same id", .value = 1, .trace_id = TRACE, .id = "id-5");
    lf_create_score(.name = "same id", .value = 2, .trace_id = TRACE, .id = "id-5");
}

static void python_sdk_score_after_end(void)
{
    lf_observation *root = lf_start_observation(.name = "root");
    lf_observation *child = lf_start_observation(.name = "child", .type = LF_GENERATION, .parent = root);
    lf_observation_end(child);
    lf_create_score(.name = "of an ended one", .value = 1, .observation = child);
    lf_observation_end(root);
    lf_create_score(.name = "of the root", .value = 2, .observation = root);
    char trace[LF_TRACE_ID_SIZE];
    lf_observation_trace_id(root, trace);
    lf_create_score(.name = "of the trace", .value = 3, .trace_id = trace);
}

/* ---- Switched off */

static void python_sdk_switched_off(void)
{
    setenv("LANGFUSE_TRACING_ENABLED", "false", 1);
    OBSERVE_WITH((.name = "root"));
    lf_update_current_observation(.input = LF_VALUE("x"));
    step("inner");
    lf_create_event(.name = "event");
    lf_score_current_trace(.name = "s", .value = 1);
    lf_create_score(.name = "s", .value = 1, .trace_id = TRACE);
}

static OBSERVE_FN(const char *, quiet, (const char *, a))
{
    return a;
}

static OBSERVE_FN_WITH((.capture_input = LF_ON), const char *, only_input, (const char *, a))
{
    return a;
}

static OBSERVE_FN_WITH((.capture_output = LF_ON), const char *, only_output, (const char *, a))
{
    return a;
}

static OBSERVE_FN(const char *, by_hand, (const char *, a))
{
    lf_update_current_observation(.input = LF_VALUE("by hand"), .output = LF_VALUE("by hand"));
    return a;
}

static void python_sdk_capture_switched_off(void)
{
    setenv("LANGFUSE_OBSERVE_DECORATOR_IO_CAPTURE_ENABLED", "false", 1);
    quiet("a");
    only_input("a");
    only_output("a");
    by_hand("a");
}

SCENARIO_MAIN(SCENARIO(python_sdk_attributes_overridden), SCENARIO(python_sdk_attributes_begin_late),
              SCENARIO(python_sdk_attributes_too_long), SCENARIO(python_sdk_attributes_empty), SCENARIO(python_sdk_attributes_tags),
              SCENARIO(python_sdk_attributes_metadata), SCENARIO(python_sdk_attributes_environment),
              SCENARIO(python_sdk_environment_and_release), SCENARIO(python_sdk_version_of_both),
              SCENARIO(python_sdk_attributes_on_all_kinds), SCENARIO(python_sdk_public_from_depth), SCENARIO(python_sdk_trace_io),
              SCENARIO(python_sdk_trace_update_from_depth), SCENARIO(python_sdk_ids_of_seeds), SCENARIO(python_sdk_trace_given),
              SCENARIO(python_sdk_ids_of_current), SCENARIO(python_sdk_sampling_half), SCENARIO(python_sdk_sampling_tenth),
              SCENARIO(python_sdk_sampling_edges), SCENARIO(python_sdk_remote_parent), SCENARIO(python_sdk_unsampled_parent),
              SCENARIO(python_sdk_bad_traceparents), SCENARIO(python_sdk_baggage_in), SCENARIO(python_sdk_baggage_out),
              SCENARIO(python_sdk_masking), SCENARIO(python_sdk_masking_fails), SCENARIO(python_sdk_score_values),
              SCENARIO(python_sdk_score_fields), SCENARIO(python_sdk_score_after_end), SCENARIO(python_sdk_switched_off),
              SCENARIO(python_sdk_capture_switched_off))
