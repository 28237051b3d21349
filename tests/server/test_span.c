/* What becomes of each attribute: one row a case, written as the JSON attributes of a span and the field they end in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../server/loss.h"
#include "../../server/span.h"

#include <stdio.h>
#include <string.h>

#define S(key, value) "{\"key\":\"" key "\",\"value\":{\"stringValue\":\"" value "\"}}"
#define B(key, value) "{\"key\":\"" key "\",\"value\":{\"boolValue\":" value "}}"
#define I(key, value) "{\"key\":\"" key "\",\"value\":{\"intValue\":\"" value "\"}}"
#define A(key, values) "{\"key\":\"" key "\",\"value\":{\"arrayValue\":{\"values\":[" values "]}}}"
#define O "langfuse.observation."
#define T "langfuse.trace."

typedef enum field {
    TYPE,
    NAME,
    LEVEL,
    STATUS,
    INPUT,
    OUTPUT,
    METADATA,
    MODEL,
    PARAMETERS,
    USAGE,
    COST,
    PROMPT,
    VERSION_OF_PROMPT,
    TRACE_NAME,
    USER,
    SESSION,
    TAGS,
    PUBLIC,
    ENVIRONMENT,
    RELEASE,
    VERSION,
    ROOT,
    COMPLETION,
    EXPERIMENT,
    INPUT_OF_TRACE,
    OUTPUT_OF_TRACE,
    METADATA_OF_TRACE
} field;

typedef struct rule {
    const char *attributes;
    field field;
    const char *expected; /* NULL: none */
} rule;

static const rule rules[] = {
    {"", TYPE, "SPAN"},
    {S(O "type", "tool"), TYPE, "TOOL"},
    {S(O "type", "guardrail"), TYPE, "GUARDRAIL"},
    {S(O "type", "GENERATION"), TYPE, "SPAN"},
    {S(O "type", "GENERATION") "," S(O "model.name", "m"), TYPE, "GENERATION"},
    {S("gen_ai.operation.name", "chat"), TYPE, "GENERATION"},
    {S("gen_ai.operation.name", "embeddings"), TYPE, "EMBEDDING"},
    {S("gen_ai.operation.name", "execute_tool"), TYPE, "TOOL"},
    {S("gen_ai.operation.name", "invoke_agent"), TYPE, "AGENT"},
    {S(O "type", "event") "," S("gen_ai.operation.name", "chat"), TYPE, "EVENT"},
    {"", NAME, "span"},
    {S("gen_ai.tool.name", "search"), NAME, "search"},

    {S(O "level", "verbose"), LEVEL, "DEBUG"},
    {S(O "level", "Notice"), LEVEL, "DEFAULT"},
    {S(O "level", "WARN"), LEVEL, "WARNING"},
    {S(O "level", "fatal"), LEVEL, "ERROR"},
    {S(O "level", "loud"), LEVEL, "DEFAULT"},
    {I(O "level", "1"), LEVEL, "DEFAULT"},
    {S(O "status_message", "broken"), STATUS, "broken"},

    {S(O "input", " {\\\"a\\\": 1} "), INPUT, " {\"a\": 1} "},
    {S(O "input", ""), INPUT, NULL},
    {I(O "input", "7"), INPUT, "7"},
    {A(O "input", "{\"stringValue\":\"a\"},{\"intValue\":1}"), INPUT, "[\"a\",1]"},
    {S(O "output", "o") "," S("input.value", "ignored"), INPUT, NULL},
    {S("input.value", "other"), INPUT, "other"},
    {S(O "output", "a\\u0000b"), OUTPUT, "a"}, /* compared up to the NUL, which is stored */
    {S(T "input", "x"), INPUT, NULL},

    {S(T "input", "x"), INPUT_OF_TRACE, "x"},
    {S(T "output", "{}"), OUTPUT_OF_TRACE, "{}"},
    {S(O "input", "x"), INPUT_OF_TRACE, NULL},
    {S(T "metadata.k", "v") "," S(O "metadata.o", "w"), METADATA_OF_TRACE, "{\"k\":\"v\"}"},
    {S(T "metadata", "{\\\"k\\\":{\\\"l\\\":1}}"), METADATA_OF_TRACE, "{\"k.l\":\"1\"}"},
    {S(T "metadata", "plain"), METADATA_OF_TRACE, NULL},
    {S(O "metadata.o", "w"), METADATA_OF_TRACE, NULL},

    {S(O "metadata", "{\\\"a\\\":{\\\"b\\\":2},\\\"c\\\":null,\\\"d\\\":[1]}"), METADATA,
     "{\"d\":\"[1]\",\"c\":\"\",\"a.b\":\"2\"}"},
    {S(O "metadata", "plain"), METADATA, "{}"},
    {S(O "metadata", "[true]"), METADATA, "{\"0\":\"true\"}"},
    {S(O "metadata.k", "{\\\"x\\\":1}"), METADATA, "{\"k\":\"{\\\"x\\\":1}\"}"},
    {S(O "metadata.k", "late") "," S(O "metadata", "{\\\"k\\\":\\\"early\\\"}"), METADATA, "{\"k\":\"late\"}"},
    {S(T "metadata.k", "trace") "," S(O "metadata.k", "observation"), METADATA, "{\"k\":\"trace\"}"},
    {B("langfuse.metadata.k", "true"), METADATA, "{\"k\":\"true\"}"},
    {S(O "metadata.k", "1") "," S(O "metadata.k", "2"), METADATA, "{\"k\":\"2\"}"},
    {S("unknown", "dropped"), METADATA, "{}"},
    {S("langfuse.unknown", "dropped"), METADATA, "{}"},

    {S(O "model.name", "gpt"), MODEL, "gpt"},
    {S("gen_ai.request.model", "asked") "," S("gen_ai.response.model", "given"), MODEL, "given"},
    {S(O "model.parameters", "{\\\"t\\\":0.2,\\\"s\\\":true,\\\"l\\\":[\\\"x\\\"],\\\"n\\\":null,\\\"w\\\":\\\"a\\\"}"), PARAMETERS,
     "{\"t\":0.2,\"s\":\"true\",\"l\":\"[\\\"x\\\"]\",\"n\":\"null\",\"w\":\"a\"}"},
    {S(O "model.parameters", "bad") "," I("gen_ai.request.max_tokens", "5"), PARAMETERS, "{\"max_tokens\":5}"},

    {S(O "usage_details", "{\\\"input\\\":10,\\\"output\\\":5}"), USAGE, "{\"input\":10,\"output\":5,\"total\":15}"},
    {S(O "usage_details", "{\\\"input\\\":10,\\\"output\\\":5,\\\"total\\\":99}"), USAGE,
     "{\"input\":10,\"output\":5,\"total\":99}"},
    {S(O "usage_details", "{\\\"input\\\":-1,\\\"output\\\":1.5,\\\"x\\\":\\\"3\\\"}"), USAGE, "{\"x\":3,\"total\":3}"},
    {S(O "usage_details", "{\\\"prompt_tokens\\\":10,\\\"completion_tokens\\\":5,\\\"total_tokens\\\":15,"
                          "\\\"prompt_tokens_details\\\":{\\\"cached_tokens\\\":4},"
                          "\\\"completion_tokens_details\\\":{\\\"reasoning_tokens\\\":2}}"),
     USAGE, "{\"input\":6,\"input_cached_tokens\":4,\"output\":3,\"output_reasoning_tokens\":2,\"total\":15}"},
    {S(O "usage_details", "{\\\"prompt_tokens\\\":10,\\\"completion_tokens\\\":5}"), USAGE,
     "{\"prompt_tokens\":10,\"completion_tokens\":5,\"total\":15}"},
    {S(O "usage_details", "{\\\"input_tokens\\\":3,\\\"output_tokens\\\":2,\\\"total_tokens\\\":5}"), USAGE,
     "{\"input\":3,\"output\":2,\"total\":5}"},
    {S(O "usage_details", "bad") "," I("gen_ai.usage.input_tokens", "9") "," I("gen_ai.usage.cache_read.input_tokens", "4"), USAGE,
     "{\"input\":5,\"input_cached_tokens\":4,\"total\":9}"},
    {S(O "cost_details", "{\\\"input\\\":0.25,\\\"output\\\":0.5}"), COST, "{\"input\":0.25,\"output\":0.5,\"total\":0.75}"},
    {S(O "cost_details", "{\\\"input\\\":-1,\\\"x\\\":\\\"2\\\"}"), COST, "{\"input\":-1,\"x\":0}"},
    {"{\"key\":\"gen_ai.usage.cost\",\"value\":{\"doubleValue\":0.5}}", COST, "{\"total\":0.5}"},

    {S(O "type", "generation") "," S(O "prompt.name", "p") "," I(O "prompt.version", "3"), PROMPT, "p"},
    {S(O "type", "generation") "," S(O "prompt.name", "p") "," S("langfuse.prompt.version", "3"), VERSION_OF_PROMPT, "3"},
    {S(O "type", "generation") "," S(O "prompt.name", "p") "," I(O "prompt.version", "65536"), VERSION_OF_PROMPT, "-1"},
    {S(O "type", "generation") "," S(O "prompt.name", "p"), PROMPT, ""},
    {S(O "prompt.name", "p") "," I(O "prompt.version", "3"), PROMPT, ""},
    {S(O "completion_start_time", "1970-01-01T00:00:01.5Z"), COMPLETION, "1500"},
    {S(O "completion_start_time", "\\\"1970-01-01T01:00:01+01:00\\\""), COMPLETION, "1000"},
    {S(O "completion_start_time", "1970-01-01T00:00:01.123456789Z"), COMPLETION, "1123"},
    {S(O "completion_start_time", "1970-01-01 00:00:02"), COMPLETION, "2000"},
    {S(O "completion_start_time", "Thu, 01 Jan 1970 00:00:03 GMT"), COMPLETION, "3000"},
    {S(O "completion_start_time", "1795239341250"), COMPLETION, "1795239341250"},
    {I(O "completion_start_time", "4000"), COMPLETION, "4000"},
    {S(O "completion_start_time", "soon"), COMPLETION, "-1"},

    {S(T "name", "t"), TRACE_NAME, "t"},
    {"", TRACE_NAME, ""},
    {B("langfuse.internal.is_app_root", "true"), TRACE_NAME, "span"},
    {S("user.id", "u") "," S("langfuse.user.id", "wins"), USER, "wins"},
    {I("user.id", "5"), USER, "5"},
    {S("session.id", "s") "," S("gen_ai.conversation.id", "c"), SESSION, "s"},
    {S("gen_ai.conversation.id", "c"), SESSION, "c"},
    {A(T "tags", "{\"stringValue\":\"a\"},{\"stringValue\":\"b\"}"), TAGS, "[\"a\",\"b\"]"},
    {S(T "tags", "[\\\"a\\\"]"), TAGS, "[\"a\"]"},
    {S("langfuse.tags", "a, b"), TAGS, "[\"a\",\"b\"]"},
    {A(T "tags", ""), TAGS, "[]"},
    {"{\"key\":\"" T "tags\",\"value\":{\"arrayValue\":{}}}", TAGS, "[\"{\\\"arrayValue\\\":{}}\"]"},
    {B(T "public", "true"), PUBLIC, "1"},
    {S("langfuse.public", "true"), PUBLIC, "1"},
    {I(T "public", "1"), PUBLIC, "0"},
    {B("langfuse.internal.is_app_root", "true"), ROOT, "1"},
    {"", ROOT, "0"},

    {"", ENVIRONMENT, "from-resource"},
    {S("langfuse.environment", "langfuse-Prod"), ENVIRONMENT, "prod"},
    {S("langfuse.environment", "a b"), ENVIRONMENT, "default"},
    {S("langfuse.environment", "0123456789012345678901234567890123456789xyz"), ENVIRONMENT,
     "0123456789012345678901234567890123456789"},
    {S("langfuse.release", "mine"), RELEASE, "mine"},
    {"", RELEASE, "r1"},
    {"", VERSION, "v1"},
    {S("langfuse.version", "v2"), VERSION, "v2"},
    {S("langfuse.experiment.id", "e1"), EXPERIMENT, "{\"id\":\"e1\"}"},
};

static text field_of(const observation *o, field which, char number[32])
{
    const text texts[] = {
        [TYPE] = o->type,
        [NAME] = o->name,
        [LEVEL] = o->level,
        [STATUS] = o->status_message,
        [INPUT] = o->input,
        [OUTPUT] = o->output,
        [METADATA] = o->metadata,
        [MODEL] = o->model,
        [PARAMETERS] = o->model_parameters,
        [USAGE] = o->usage,
        [COST] = o->cost,
        [PROMPT] = o->prompt_name,
        [TRACE_NAME] = o->trace_name,
        [USER] = o->user_id,
        [SESSION] = o->session_id,
        [TAGS] = o->tags,
        [ENVIRONMENT] = o->environment,
        [RELEASE] = o->release,
        [VERSION] = o->version,
        [EXPERIMENT] = o->experiment,
        [INPUT_OF_TRACE] = o->trace_input,
        [OUTPUT_OF_TRACE] = o->trace_output,
        [METADATA_OF_TRACE] = o->trace_metadata,
    };
    int64_t value;
    switch (which) {
    case VERSION_OF_PROMPT: value = o->prompt_version; break;
    case PUBLIC: value = o->is_public; break;
    case ROOT: value = observation_is_root(o); break;
    case COMPLETION: value = o->completion_start_ms; break;
    default: return texts[which];
    }
    snprintf(number, 32, "%lld", (long long)value);
    return text_of(number);
}

/* What the rows of the last call of `map` lack. */
static unsigned lost;

/* Decodes one span with the given attributes; the caller frees the arena. */
static const observation *map(arena *a, const char *scope, const char *attributes, const char *more)
{
    buf body = {0};
    otlp_export e;
    buf_format(
        &body,
        "{\"resourceSpans\":[{\"resource\":{\"attributes\":[" S("langfuse.environment", "from-resource") "," S(
            "langfuse.release",
            "r1") "," S("service.version",
                        "v1") "]},\"scopeSpans\":[{\"scope\":{\"name\":\"%s\"},\"spans\":[{\"traceId\":\"t\",\"spanId\":\"s\","
                              "\"parentSpanId\":\"p\",\"name\":\"span\",\"attributes\":[%s]%s}]}]}]}",
        scope, attributes, more);
    text kept = arena_copy(a, buf_view(&body));
    buf_free(&body);
    assert_int_equal(otlp_json_decode(a, kept, &e), OTLP_OK);
    lost = 0;
    const observation *row = span_map_all(&e, INT64_C(5000000000), &lost);
    assert_non_null(row);
    return row;
}

/* The metadata of scope and resource is checked once, below; here only the start, which is the span's own. */
static bool matches(const rule *r, text actual)
{
    static const char shared[] = "\"scope.name\":\"langfuse-sdk\"";
    size_t size = r->expected != NULL ? strlen(r->expected) : 0;
    if (r->expected == NULL)
        return actual.at == NULL;
    if (r->field == OUTPUT)
        return actual.size >= size && memcmp(actual.at, r->expected, size) == 0;
    if (r->field != METADATA)
        return text_is(actual, r->expected);
    return actual.size > size && memcmp(actual.at, r->expected, size - 1) == 0 && text_has(actual, shared) &&
           strncmp(actual.at + size - 1 + (size > 2), shared, sizeof shared - 1) == 0;
}

static void every_attribute_lands_where_it_should(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        arena a = {0};
        char number[32];
        text actual = field_of(map(&a, "langfuse-sdk", rules[i].attributes, ""), rules[i].field, number);
        if (!matches(&rules[i], actual))
            fail_msg("%s: got %.*s, not %s", rules[i].attributes, (int)actual.size, actual.at != NULL ? actual.at : "",
                     rules[i].expected != NULL ? rules[i].expected : "none");
        arena_free(&a);
    }
}

static void what_is_not_kept_is_noted(void **state)
{
    static const struct {
        const char *attributes;
        unsigned lost;
    } cases[] = {
        {"", 0},
        {S(O "usage_details", "{\\\"input\\\":10,\\\"output\\\":0,\\\"other\\\":\\\"7\\\",\\\"total\\\":null}"), 0},
        {S(O "usage_details", "{\\\"prompt_tokens\\\":10,\\\"completion_tokens\\\":5,\\\"total_tokens\\\":15,"
                              "\\\"prompt_tokens_details\\\":{\\\"cached_tokens\\\":4}}"),
         0},
        {S(O "usage_details", "{\\\"prompt_tokens\\\":10,\\\"completion_tokens\\\":5,\\\"total_tokens\\\":15,"
                              "\\\"prompt_tokens_details\\\":{\\\"cached_tokens\\\":-4}}"),
         LOSS_USAGE},
        {S(O "usage_details", "{\\\"input\\\":-1}"), LOSS_USAGE},
        {S(O "usage_details", "{\\\"input\\\":1.5}"), LOSS_USAGE},
        {S(O "usage_details", "{\\\"input\\\":true}"), LOSS_USAGE},
        {S(O "usage_details", "{\\\"input\\\":\\\"many\\\"}"), LOSS_USAGE},
        {S(O "usage_details", "{\\\"input\\\":1,\\\"prompt_tokens_details\\\":{\\\"cached_tokens\\\":4}}"), LOSS_USAGE},
        {S(O "usage_details", "bad"), LOSS_USAGE},
        {"{\"key\":\"" O "usage_details\",\"value\":{\"kvlistValue\":{\"values\":[]}}}", LOSS_USAGE},
        {S(O "cost_details", "{\\\"input\\\":-1,\\\"total\\\":0.5}"), 0},
        {S(O "cost_details", "{\\\"input\\\":\\\"0.5\\\"}"), LOSS_COST},
        {S(O "cost_details", "0.5"), LOSS_COST},
        {S(O "metadata", "{}") "," S(T "metadata", "[1]"), 0},
        {S(O "metadata", "words"), LOSS_METADATA},
        {S(T "metadata", "7"), LOSS_METADATA},
        {B(O "metadata", "true"), LOSS_METADATA},
        {S(O "completion_start_time", "2026-11-21T05:35:42.123Z"), 0},
        {S(O "completion_start_time", "soon"), LOSS_COMPLETION_START},
        {S(O "type", "tool"), 0},
        {S(O "type", "GENERATION") "," S(O "usage_details", "{\\\"input\\\":-1}"), LOSS_TYPE | LOSS_USAGE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arena a = {0};
        map(&a, "langfuse-sdk", cases[i].attributes, "");
        if (lost != cases[i].lost)
            fail_msg("%s: lost %x, not %x", cases[i].attributes, lost, cases[i].lost);
        arena_free(&a);
    }
}

static void metadata_ends_in_scope_and_resource(void **state)
{
    arena a = {0};
    (void)state;
    assert_true(
        text_is(map(&a, "langfuse-sdk", S(O "metadata.k", "v"), "")->metadata,
                "{\"k\":\"v\",\"scope.name\":\"langfuse-sdk\",\"resourceAttributes.service.version\":\"v1\","
                "\"resourceAttributes.langfuse.release\":\"r1\",\"resourceAttributes.langfuse.environment\":\"from-resource\"}"));
    assert_false(text_has(map(&a, "langfuse-sdk", S(O "metadata.scope", "mine"), "")->metadata, "scope.name"));
    assert_true(text_has(map(&a, "other", S("http.method", "GET"), "")->metadata, "\"attributes.http.method\":\"GET\""));
    arena_free(&a);
}

static void a_missing_edge_is_a_copy_of_the_other(void **state)
{
    arena a = {0};
    (void)state;
    const observation *row = map(&a, "s", "", ",\"startTimeUnixNano\":\"7\"");
    assert_int_equal(row->end_ns, 7);
    row = map(&a, "s", "", ",\"endTimeUnixNano\":\"8\"");
    assert_int_equal(row->start_ns, 8);
    row = map(&a, "s", "", "");
    assert_int_equal(row->start_ns, INT64_C(5000000000));
    row = map(&a, "s", "", ",\"startTimeUnixNano\":\"9\",\"endTimeUnixNano\":\"2\"");
    assert_int_equal(row->end_ns, 2);
    arena_free(&a);
}

static void the_status_of_the_span_is_the_fallback(void **state)
{
    arena a = {0};
    (void)state;
    const observation *row = map(&a, "s", "", ",\"status\":{\"code\":2,\"message\":\"m\"}");
    assert_true(text_is(row->level, "ERROR"));
    assert_true(text_is(row->status_message, "m"));
    row = map(&a, "s", S(O "level", "WARNING"), ",\"status\":{\"code\":2}");
    assert_true(text_is(row->level, "WARNING"));
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_attribute_lands_where_it_should),  cmocka_unit_test(what_is_not_kept_is_noted),
        cmocka_unit_test(metadata_ends_in_scope_and_resource),    cmocka_unit_test(a_missing_edge_is_a_copy_of_the_other),
        cmocka_unit_test(the_status_of_the_span_is_the_fallback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
