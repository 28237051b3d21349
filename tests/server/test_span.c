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
    {S("openinference.span.kind", "LLM") "," S("gen_ai.operation.name", "execute_tool"), TYPE, "GENERATION"},
    {S("openinference.span.kind", "llm"), TYPE, "SPAN"},
    {S("openinference.span.kind", "RETRIEVER"), TYPE, "RETRIEVER"},
    {S("ai.operationId", "ai.streamText.doStream") "," S("ai.model.id", "m"), TYPE, "GENERATION"},
    {S("ai.operationId", "ai.streamText.doStream"), TYPE, "SPAN"},
    {S("operation.name", "ai.embed.doEmbed mine") "," S("ai.model.id", "m"), TYPE, "EMBEDDING"},
    {S("ai.operationId", "ai.toolCall"), TYPE, "TOOL"},
    {S("gen_ai.tool.call.id", "c"), TYPE, "TOOL"},
    {S("llm.model_name", "m"), TYPE, "GENERATION"},
    {S("model", ""), TYPE, "SPAN"},
    {I("model", "0"), TYPE, "GENERATION"},
    {A("gen_ai.tool.call.id", ""), TYPE, "SPAN"},
    {"", NAME, "span"},
    {S("gen_ai.tool.name", "search"), NAME, "search"},
    {S("logfire.msg", "said") "," S("gen_ai.tool.name", ""), NAME, "said"},
    {S("ai.toolCall.name", "look") "," S("ai.operationId", "ai.toolCall"), NAME, "look"},
    {S("ai.operationId", "ai.generateText") "," S("ai.telemetry.functionId", "mine"), NAME, "mine:ai.generateText"},

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
    {S(O "input", "") "," S("output.value", "ignored"), OUTPUT, NULL},
    {S("input.value", "other"), INPUT, "other"},
    {S("input.value", "first") "," S("gen_ai.input.messages", "second"), INPUT, "first"},
    {S("traceloop.entity.input", "first") "," S("output.value", "second"), OUTPUT, NULL},
    {S("mlflow.spanInputs", "{}") "," S("traceloop.entity.input", "second"), INPUT, "{}"},
    {S("prompt", "p") "," S("all_messages_events", "m"), OUTPUT, "m"},
    {S("gcp.vertex.agent.llm_request", "{}") "," S("gcp.vertex.agent.tool_call_args", "a"), INPUT, "a"},
    {S("tool_arguments", "a"), INPUT, "a"},
    {I("input.value", "0") "," I("output", "0") "," S("tool_arguments", "a"), INPUT, "a"},
    {I("input.value", "0") "," S("output.value", "o"), INPUT, "0"},
    {S("gen_ai.completion", "") "," S("gen_ai.completion", "last"), OUTPUT, "last"},
    {A("events", "{\"stringValue\":\"e\"}"), INPUT, "[\"e\"]"},
    {S("events", "[{\\\"event.name\\\":\\\"gen_ai.choice\\\",\\\"a\\\":1},{\\\"b\\\":2}]"), INPUT, "[{\"b\":2}]"},
    {S("gen_ai.prompt.0.role", "user") "," S("gen_ai.prompt.0.content", "hi") "," S("gen_ai.prompt.2.tool_calls.0.id", "7"), INPUT,
     "[{\"role\":\"user\",\"content\":\"hi\"},null,{\"tool_calls\":[{\"id\":\"7\"}]}]"},
    {S("gen_ai.prompt.0.role", "user") "," S("gen_ai.prompt.99999999.role", "far"), INPUT, "[{\"role\":\"user\"}]"},
    {S("gen_ai.prompt.0.role", "user"), OUTPUT, "{}"},
    {S("gen_ai.completion", "whole") "," S("gen_ai.completion.0.role", "x"), OUTPUT, "whole"},
    {S("llm.input_messages.0.message.role", "user") "," I("llm.input_messages.0.message.n", "5"), INPUT,
     "[{\"message\":{\"role\":\"user\",\"n\":5}}]"},
    {S("llm.output_messages.0.message.content", "{}"), OUTPUT, "[{\"message\":{\"content\":\"{}\"}}]"},
    {S("gen_ai.input.messages", "[{\\\"role\\\":\\\"user\\\"}]") "," S("gen_ai.system_instructions",
                                                                       "[{\\\"content\\\":\\\"a\\\"},\\\"b\\\"]"),
     INPUT, "[{\"role\":\"system\",\"content\":\"a\\nb\"},{\"role\":\"user\"}]"},
    {S("gen_ai.input.messages", "[{\\\"role\\\":\\\"system\\\"}]") "," S("gen_ai.system_instructions", "x"), INPUT,
     "[{\"role\":\"system\"}]"},
    {S("gen_ai.input.messages", "words") "," S("gen_ai.system_instructions", "x"), INPUT, "words"},
    {S("gen_ai.tool.call.arguments", "a") "," S("gen_ai.output.messages", "m"), INPUT, NULL},
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
    {S(O "metadata.", "dropped"), METADATA, "{}"},
    {S(O "metadata", "") "," S("langfuse.metadata", "{\\\"k\\\":1}"), METADATA, "{\"k\":\"1\"}"},
    {S("ai.telemetry.metadata.k", "v") "," S("ai.telemetry.metadata.userId", "u"), METADATA, "{\"k\":\"v\"}"},
    {S("unknown", "dropped"), METADATA, "{}"},
    {S("langfuse.unknown", "dropped"), METADATA, "{}"},

    {S(O "model.name", "gpt"), MODEL, "gpt"},
    {S("gen_ai.request.model", "asked") "," S("gen_ai.response.model", "given"), MODEL, "given"},
    {S(O "model.parameters", "{\\\"t\\\":0.2,\\\"s\\\":true,\\\"l\\\":[\\\"x\\\"],\\\"n\\\":null,\\\"w\\\":\\\"a\\\"}"), PARAMETERS,
     "{\"t\":0.2,\"s\":\"true\",\"l\":\"[\\\"x\\\"]\",\"n\":\"null\",\"w\":\"a\"}"},
    {S("llm.model_name", "l"), MODEL, "l"},
    {S("gen_ai.request.model", "m") "," S("gen_ai.operation.name", "invoke_agent"), MODEL, ""},
    {I("gen_ai.usage.input_tokens", "5") "," S("gen_ai.operation.name", "invoke_agent"), USAGE, "{}"},
    {S("llm.invocation_parameters", "{\\\"t\\\":1,\\\"o\\\":{}}"), PARAMETERS, "{\"t\":1,\"o\":\"{}\"}"},
    {A("gen_ai.request.stop", "{\"stringValue\":\"a\"}") "," S("llm.invocation_parameters.k", "5"), PARAMETERS,
     "{\"stop\":\"[\\\"a\\\"]\",\"k\":\"5\"}"},
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
    {I("llm.token_count.prompt", "10") "," I("llm.token_count.completion", "7") "," I("llm.token_count.total", "17") "," I(
         "llm.token_count.prompt_details.cache_read", "4") "," I("llm.token_count.completion_details.reasoning",
                                                                 "2") "," I("llm.token_count.completion_details.audio", "1"),
     USAGE,
     "{\"input\":6,\"output\":4,\"total\":17,\"input_cached_tokens\":4,\"output_reasoning_tokens\":2,\"output_audio_tokens\":1}"},
    {I("gen_ai.usage.input_tokens", "5") "," S("gen_ai.usage.prompt_tokens", "8") "," I("gen_ai.usage.details.tiles",
                                                                                        "3") "," S("gen_ai.usage.note", "none"),
     USAGE, "{\"tiles\":3,\"input\":8,\"total\":11}"},
    {"{\"key\":\"llm.cost.total\",\"value\":{\"doubleValue\":0.5}}", COST, "{\"total\":0.5}"},
    {S(O "cost_details", "{\\\"input\\\":0.25,\\\"output\\\":0.5}"), COST, "{\"input\":0.25,\"output\":0.5,\"total\":0.75}"},
    {S(O "cost_details", "{\\\"input\\\":-1,\\\"x\\\":\\\"2\\\"}"), COST, "{\"input\":-1,\"x\":0}"},
    {"{\"key\":\"gen_ai.usage.cost\",\"value\":{\"doubleValue\":0.5}}", COST, "{\"total\":0.5}"},

    {S(O "type", "generation") "," S(O "prompt.name", "p") "," I(O "prompt.version", "3"), PROMPT, "p"},
    {S(O "type", "generation") "," S(O "prompt.name", "p") "," S("langfuse.prompt.version", "3"), VERSION_OF_PROMPT, "3"},
    {S(O "type", "generation") "," S(O "prompt.name", "p") "," I(O "prompt.version", "65536"), VERSION_OF_PROMPT, "-1"},
    {S(O "type", "generation") "," S(O "prompt.name", "p"), PROMPT, "p"},
    {S(O "type", "generation") "," S(O "prompt.name", "p") "," S(O "prompt.version", "v3"), VERSION_OF_PROMPT, "-1"},
    {S(O "type", "generation") "," S(O "prompt.name", "p") "," S(O "prompt.version", "3rd"), VERSION_OF_PROMPT, "3"},
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
    {I("user.id", "0") "," S(O "metadata.langfuse_user_id", "u"), USER, "u"},
    {S(T "metadata.langfuse_session_id", "s") "," S("ai.telemetry.metadata.sessionId", "a"), SESSION, "s"},
    {S("ai.telemetry.metadata.userId", "u"), USER, "u"},
    {A(O "metadata.langfuse_tags", "{\"stringValue\":\"x\"}"), TAGS, "[\"x\"]"},
    {S(T "tags", " one "), TAGS, "[\" one \"]"},
    {S(T "tags", "a,,b"), TAGS, "[\"a\",\"\",\"b\"]"},
    {I(T "tags", "5"), TAGS, "[]"},
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
    {S("langfuse.environment", "langfuse"), ENVIRONMENT, "default"},
    {S("langfuse.environment", "LANGFUSE-langfuse_x"), ENVIRONMENT, "x"},
    {S("langfuse.environment", ""), ENVIRONMENT, "from-resource"},
    {I("langfuse.environment", "5"), ENVIRONMENT, "default"},
    {S("langfuse.version", ""), VERSION, ""},
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

/* Whether `map` decodes metadata. */
static bool decode;

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
    const observation *row = span_map_all(&e, INT64_C(5000000000), decode, &lost);
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
    assert_false(
        text_has(map(&a, "langfuse-sdk", S(O "metadata", "{\\\"resourceAttributes\\\":{\\\"k\\\":1}}"), "")->metadata, "release"));
    assert_true(
        text_has(map(&a, "langfuse-sdk", S(O "metadata.scope.name", "mine"), "")->metadata, "\"scope.name\":\"langfuse-sdk\""));
    const char *own = S("http.method", "GET") "," S("user.id", "u") "," S("input.value", "i") "," S("llm.input_messages.0.a", "x");
    assert_true(
        text_is(map(&a, "other", own, "")->metadata,
                "{\"scope.name\":\"other\",\"resourceAttributes.service.version\":\"v1\","
                "\"resourceAttributes.langfuse.release\":\"r1\",\"resourceAttributes.langfuse.environment\":\"from-resource\","
                "\"attributes.user.id\":\"u\",\"attributes.http.method\":\"GET\"}"));
    assert_false(text_has(map(&a, "other", S("a", "b") "," S(O "metadata.attributes", "mine"), "")->metadata, "attributes.a"));
    arena_free(&a);
}

/* The scope "ai", with what its SDK writes. */
static void the_ai_sdk_is_understood(void **state)
{
    static const rule cases[] = {
        {S("ai.prompt", "p") "," S("ai.prompt.messages", "m"), INPUT, "m"},
        {S("ai.toolCall.args", "a") "," S("ai.toolCall.result", "r"), OUTPUT, "r"},
        {S("ai.response.text", "t") "," S("ai.response.toolCalls", "[]"), OUTPUT,
         "{\"role\":\"assistant\",\"content\":\"t\",\"tool_calls\":\"[]\"}"},
        {S("ai.response.text", "") "," S("ai.response.object", "o"), OUTPUT, "o"},
        {S("gen_ai.output.messages", "g"), OUTPUT, "g"},
        {I("gen_ai.usage.input_tokens", "10") "," I("gen_ai.usage.output_tokens", "7") "," I("ai.usage.cachedInputTokens", "4"),
         USAGE, "{\"input\":6,\"output\":7,\"input_cached_tokens\":4,\"total\":17}"},
        {I("gen_ai.usage.prompt_tokens", "100") "," S(
             "ai.response.providerMetadata",
             "{\\\"anthropic\\\":{\\\"usage\\\":{\\\"cache_creation_input_tokens\\\":30,\\\"cache_read_input_tokens\\\":20,"
             "\\\"cache_creation\\\":{\\\"ephemeral_5m_input_tokens\\\":10,\\\"ephemeral_1h_input_tokens\\\":5}}}}"),
         USAGE,
         "{\"input\":50,\"output\":0,\"input_cached_tokens\":20,\"input_cache_creation\":15,\"input_cache_creation_5m\":10,"
         "\"input_cache_creation_1h\":5,\"total\":100}"},
        {"", USAGE, "{\"input\":0,\"output\":0,\"total\":0}"},
        {A("gen_ai.response.finish_reasons", "{\"stringValue\":\"stop\"}") "," S("ai.model.provider", "openai") "," S(
             "ai.response.providerMetadata", "{\\\"openai\\\":{\\\"serviceTier\\\":\\\"flex\\\"}}"),
         PARAMETERS,
         "{\"maxSteps\":null,\"toolChoice\":null,\"maxTokens\":null,\"finishReason\":\"stop\",\"system\":\"openai\",\"maxRetries\":"
         "null,"
         "\"mode\":null,\"temperature\":null,\"service_tier\":\"flex\"}"},
        {S("ai.response.msToFirstChunk", "250.4"), COMPLETION, "5251"},
        {S("ai.model.id", "m") "," S("ai.operationId", "ai.generateText.doGenerate") "," S(
             "ai.telemetry.metadata.langfusePrompt", "{\\\"name\\\":\\\"p\\\",\\\"version\\\":4}"),
         VERSION_OF_PROMPT, "4"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arena a = {0};
        char number[32];
        text actual = field_of(map(&a, "ai", cases[i].attributes, ""), cases[i].field, number);
        if (!text_is(actual, cases[i].expected))
            fail_msg("%s: got %.*s, not %s", cases[i].attributes, (int)actual.size, actual.at != NULL ? actual.at : "",
                     cases[i].expected);
        arena_free(&a);
    }
}

static void metadata_of_todays_sdks_is_json(void **state)
{
    static const struct {
        const char *attributes, *expected; /* the start of the metadata */
    } cases[] = {
        {S(O "metadata.k", "\\\"text\\\""), "{\"k\":\"text\","},
        {S(O "metadata.k", "\\\"123\\\""), "{\"k\":\"\\\"123\\\"\","},
        {S(O "metadata.k", "123"), "{\"k\":\"123\","},
        {S(O "metadata.k", "not JSON"), "{\"k\":\"not JSON\","},
        {S(O "metadata.k", "[1, 2]"), "{\"k\":\"[1,2]\","},
        {S(T "metadata.k", "{\\\"a\\\":{\\\"b\\\":true}}"), "{\"k.a.b\":\"true\","},
        {B(O "metadata.k", "true"), "{\"k\":\"true\","},
    };
    (void)state;
    decode = true;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arena a = {0};
        text actual = map(&a, "langfuse-sdk", cases[i].attributes, "")->metadata;
        if (!text_starts(actual, cases[i].expected))
            fail_msg("%s: got %.*s", cases[i].attributes, (int)actual.size, actual.at);
        arena_free(&a);
    }
    decode = false;
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
        cmocka_unit_test(the_status_of_the_span_is_the_fallback), cmocka_unit_test(the_ai_sdk_is_understood),
        cmocka_unit_test(metadata_of_todays_sdks_is_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
