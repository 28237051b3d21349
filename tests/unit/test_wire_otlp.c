#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/deliver/wire.h"
#include "record_builder.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- Two decoders that share nothing with the encoders: a walk over protobuf, and cJSON -------------------------------- */

/* A span as text, one fact a line, attributes as "key TYPE value". */
typedef struct decoded {
    char text[1 << 17];
    size_t length;
} decoded;

static void say(decoded *to, const char *format, ...) LF_PRINTF(2, 3);
static void say(decoded *to, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(to->text + to->length, sizeof to->text - to->length, format, arguments);
    va_end(arguments);
    assert_true(size >= 0 && (size_t)size < sizeof to->text - to->length);
    to->length += (size_t)size;
}

typedef struct walk {
    const unsigned char *at, *end;
    unsigned field, type;
    uint64_t number;      /* varint, fixed32, fixed64 */
    const unsigned char *bytes;
    size_t size;
} walk;

static uint64_t walk_varint(walk *w)
{
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        assert_true(w->at < w->end && shift < 64);
        unsigned char byte = *w->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            assert_true(byte != 0 || shift == 0); /* minimal */
            return value;
        }
    }
}

static walk walk_over(const void *bytes, size_t size)
{
    return (walk){.at = bytes, .end = (const unsigned char *)bytes + size};
}

static bool walk_next(walk *w)
{
    if (w->at == w->end)
        return false;
    uint64_t tag = walk_varint(w);
    w->field = (unsigned)(tag >> 3);
    w->type = (unsigned)(tag & 7);
    size_t fixed = w->type == 1 ? 8 : w->type == 5 ? 4 : 0;
    if (w->type == 0) {
        w->number = walk_varint(w);
    } else if (w->type == 2) {
        w->size = (size_t)walk_varint(w);
        w->bytes = w->at;
        assert_true(w->size <= (size_t)(w->end - w->at));
        w->at += w->size;
    } else {
        assert_true(fixed > 0 && fixed <= (size_t)(w->end - w->at));
        w->number = 0;
        for (size_t i = 0; i < fixed; i++)
            w->number |= (uint64_t)*w->at++ << (8 * i);
    }
    return true;
}

/* Strings only, and never an empty list. */
static void decode_pb_list(decoded *to, const walk *array)
{
    say(to, "A");
    walk items = walk_over(array->bytes, array->size);
    assert_true(items.at < items.end);
    while (walk_next(&items)) {
        assert_true(items.field == 1 && items.type == 2);
        walk item = walk_over(items.bytes, items.size);
        assert_true(walk_next(&item) && item.field == 1 && item.type == 2 && item.at == item.end);
        say(to, " [%.*s]", (int)item.size, (const char *)item.bytes);
    }
    say(to, "\n");
}

static void decode_pb_attribute(decoded *to, const walk *attribute)
{
    walk pair = walk_over(attribute->bytes, attribute->size);
    assert_true(walk_next(&pair) && pair.field == 1 && pair.type == 2);
    say(to, "%.*s ", (int)pair.size, (const char *)pair.bytes);
    assert_true(walk_next(&pair) && pair.field == 2 && pair.type == 2);
    walk value = walk_over(pair.bytes, pair.size);
    assert_true(walk_next(&value)); /* an attribute without a value loses the whole request */
    if (value.field == 1 && value.type == 2)
        say(to, "S %.*s\n", (int)value.size, (const char *)value.bytes);
    else if (value.field == 2 && value.type == 0)
        say(to, "B %s\n", value.number ? "true" : "false");
    else if (value.field == 3 && value.type == 0)
        say(to, "I %lld\n", (long long)value.number);
    else if (value.field == 5 && value.type == 2)
        decode_pb_list(to, &value);
    else
        fail();
    assert_false(walk_next(&value));
    assert_false(walk_next(&pair));
}

static void say_hex(decoded *to, const char *what, const walk *w)
{
    say(to, "%s ", what);
    for (size_t i = 0; i < w->size; i++)
        say(to, "%02x", w->bytes[i]);
    say(to, "\n");
}

/* In the order of the field numbers, whatever order they came in. */
static void decode_pb_span(decoded *to, const void *bytes, size_t size)
{
    for (unsigned field = 1; field <= 16; field++) {
        for (walk w = walk_over(bytes, size); walk_next(&w);) {
            if (w.field != field)
                continue;
            switch (field) {
            case 1: say_hex(to, "trace", &w); break;
            case 2: say_hex(to, "id", &w); break;
            case 3: say(to, "state %.*s\n", (int)w.size, (const char *)w.bytes); break;
            case 4: say_hex(to, "parent", &w); break;
            case 5: say(to, "name %.*s\n", (int)w.size, (const char *)w.bytes); break;
            case 6: say(to, "kind %u\n", (unsigned)w.number); break;
            case 7: say(to, "start %llu\n", (unsigned long long)w.number); break;
            case 8: say(to, "end %llu\n", (unsigned long long)w.number); break;
            case 9: decode_pb_attribute(to, &w); break;
            case 15:
                for (walk s = walk_over(w.bytes, w.size); walk_next(&s);)
                    s.field == 3 ? say(to, "code %u\n", (unsigned)s.number)
                                 : say(to, "message %.*s\n", (int)s.size, (const char *)s.bytes);
                break;
            case 16:
                assert_int_equal(w.type, 5);
                say(to, "flags %u\n", (unsigned)w.number);
                break;
            default: fail();
            }
        }
    }
}

static void decode_json_list(decoded *to, const cJSON *array)
{
    const cJSON *values = cJSON_GetObjectItemCaseSensitive(array, "values"), *item;
    assert_true(cJSON_GetArraySize(array) == 1 && cJSON_GetArraySize(values) > 0);
    say(to, "A");
    cJSON_ArrayForEach(item, values) {
        assert_int_equal(cJSON_GetArraySize(item), 1);
        say(to, " [%s]", cJSON_GetObjectItemCaseSensitive(item, "stringValue")->valuestring);
    }
    say(to, "\n");
}

static void decode_json_attribute(decoded *to, const cJSON *attribute)
{
    assert_int_equal(cJSON_GetArraySize(attribute), 2);
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(attribute, "value");
    assert_int_equal(cJSON_GetArraySize(value), 1);
    say(to, "%s ", cJSON_GetObjectItemCaseSensitive(attribute, "key")->valuestring);
    if (strcmp(value->child->string, "stringValue") == 0 && cJSON_IsString(value->child))
        say(to, "S %s\n", value->child->valuestring);
    else if (strcmp(value->child->string, "boolValue") == 0 && cJSON_IsBool(value->child))
        say(to, "B %s\n", cJSON_IsTrue(value->child) ? "true" : "false");
    else if (strcmp(value->child->string, "intValue") == 0 && cJSON_IsString(value->child))
        say(to, "I %s\n", value->child->valuestring);
    else if (strcmp(value->child->string, "arrayValue") == 0)
        decode_json_list(to, value->child);
    else
        fail();
}

static void decode_json_span(decoded *to, const char *text, size_t size)
{
    static const char *const known[][2] = {
        {"traceId", "trace"},
        {"spanId", "id"},
        {"traceState", "state"},
        {"parentSpanId", "parent"},
        {"name", "name"},
        {"kind", "kind"},
        {"startTimeUnixNano", "start"},
        {"endTimeUnixNano", "end"},
        {"attributes", NULL},
        {"status", NULL},
        {"flags", "flags"},
    };
    cJSON *span = cJSON_ParseWithLength(text, size);
    assert_non_null(span);
    int found = 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const cJSON *item = cJSON_GetObjectItemCaseSensitive(span, known[i][0]);
        if (item == NULL)
            continue;
        found++;
        const cJSON *child;
        if (strcmp(item->string, "attributes") == 0) {
            assert_true(cJSON_GetArraySize(item) > 0);
            cJSON_ArrayForEach(child, item)
                decode_json_attribute(to, child);
        } else if (strcmp(item->string, "status") == 0) {
            const cJSON *message = cJSON_GetObjectItemCaseSensitive(item, "message");
            if (message != NULL)
                say(to, "message %s\n", message->valuestring);
            const cJSON *code = cJSON_GetObjectItemCaseSensitive(item, "code");
            if (code != NULL)
                say(to, "code %d\n", code->valueint);
        } else if (cJSON_IsNumber(item)) {
            say(to, "%s %d\n", known[i][1], item->valueint);
        } else {
            say(to, "%s %s\n", known[i][1], item->valuestring);
        }
    }
    assert_int_equal(found, cJSON_GetArraySize(span));
    cJSON_Delete(span);
}

/* ---- Fixture ---------------------------------------------------------------------------------------------------- */

static builder b, trace;
static lf__config config;
static lf__buf out, scratch;
static lf__wire_context context = {.config = &config, .wall_offset_ns = 1000000, .scratch = &scratch};
static decoded from_pb, from_json;

static int set_up(void **state)
{
    (void)state;
    lf__buf_init(&out, 1 << 20);
    lf__buf_init(&scratch, 1 << 20);
    memset(&config, 0, sizeof config);
    context.trace = NULL;
    builder_begin(&b, LF_SPAN, 0);
    builder_begin(&trace, LF_SPAN, 0);
    trace.as.record.kind = LF__RECORD_TRACE;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lf__buf_done(&out);
    lf__buf_done(&scratch);
    return 0;
}

/* Encode the record both ways; both must say the same, which is returned. */
static const char *encoded(void)
{
    from_pb.length = from_json.length = 0;
    lf__buf_clear(&out);
    assert_true(lf__wire_otlp_protobuf.item(&out, &b.as.record, &context));
    walk w = walk_over(out.data, out.length);
    assert_true(walk_next(&w) && w.field == 2 && w.type == 2 && w.at == w.end);
    decode_pb_span(&from_pb, w.bytes, w.size);
    lf__buf_clear(&out);
    assert_true(lf__wire_otlp_json.item(&out, &b.as.record, &context));
    decode_json_span(&from_json, out.data, out.length);
    assert_string_equal(from_pb.text, from_json.text);
    return from_pb.text;
}

/* The attributes of it, without the type, which every observation has. */
static const char *attributes(void)
{
    static char text[sizeof from_pb.text];
    char *to = text;
    *to = '\0';
    for (const char *line = encoded(); *line != '\0'; line = strchr(line, '\n') + 1) {
        bool is_attribute = strncmp(line, "langfuse.", 9) == 0 || strncmp(line, "user.id ", 8) == 0 ||
                            strncmp(line, "session.id ", 11) == 0;
        if (!is_attribute || strncmp(line, "langfuse.observation.type ", 26) == 0)
            continue;
        size_t size = (size_t)(strchr(line, '\n') + 1 - line);
        memcpy(to, line, size);
        to += size;
        *to = '\0';
    }
    return text;
}

static void assert_line(const char *text, const char *line)
{
    size_t size = strlen(line);
    for (const char *at = text; *at != '\0'; at = strchr(at, '\n') + 1)
        if (strncmp(at, line, size) == 0 && at[size] == '\n')
            return;
    fail_msg("no line \"%s\" in:\n%s", line, text);
}

static void assert_no_line(const char *text, const char *start)
{
    for (const char *at = text; *at != '\0'; at = strchr(at, '\n') + 1)
        if (strncmp(at, start, strlen(start)) == 0)
            fail_msg("there is a line \"%s\" in:\n%s", start, text);
}

/* ---- Attributes ------------------------------------------------------------------------------------------------- */

#define KEY "langfuse.observation."

typedef struct field_row {
    lf__tag tag;
    lf_kind kind;
    const char *text;
    int64_t number;
} field_row;

static const struct {
    field_row fields[4];
    const char *expected;
} rows[] = {
    {{{0}}, ""},
    {{{LF__TAG_LEVEL, LF_KIND_INT, NULL, LF_LEVEL_DEBUG}}, KEY "level S DEBUG\n"},
    {{{LF__TAG_LEVEL, LF_KIND_INT, NULL, LF_LEVEL_DEFAULT}}, KEY "level S DEFAULT\n"},
    {{{LF__TAG_LEVEL, LF_KIND_INT, NULL, LF_LEVEL_WARNING}}, KEY "level S WARNING\n"},
    {{{LF__TAG_LEVEL, LF_KIND_INT, NULL, LF_LEVEL_ERROR}}, KEY "level S ERROR\n"},
    {{{LF__TAG_LEVEL, LF_KIND_INT, NULL, LF_LEVEL_UNSET}}, ""},
    {{{LF__TAG_LEVEL, LF_KIND_INT, NULL, 99}}, ""},
    {{{LF__TAG_STATUS_MESSAGE, LF_KIND_STRING, "disk full", 0}}, KEY "status_message S disk full\n"},
    {{{LF__TAG_VERSION, LF_KIND_STRING, "v7", 0}}, "langfuse.version S v7\n"},
    {{{LF__TAG_MODEL, LF_KIND_STRING, "gpt-5-mini", 0}}, KEY "model.name S gpt-5-mini\n"},
    {{{LF__TAG_MODEL_PARAMETERS, LF_KIND_JSON, "{\"temperature\": 0.9, \"stop\": [\"\\n\"]}", 0}},
     KEY "model.parameters S {\"temperature\": 0.9, \"stop\": [\"\\n\"]}\n"},
    {{{LF__TAG_USAGE_DETAILS, LF_KIND_JSON, "{\"input\":5}", 0}}, KEY "usage_details S {\"input\":5}\n"},
    {{{LF__TAG_COST_DETAILS, LF_KIND_JSON, "{\"total\":0.1}", 0}}, KEY "cost_details S {\"total\":0.1}\n"},
    {{{LF__TAG_PROMPT_NAME, LF_KIND_STRING, "p", 0}, {LF__TAG_PROMPT_VERSION, LF_KIND_INT, NULL, 3}},
     KEY "prompt.name S p\n" KEY "prompt.version I 3\n"},
    {{{LF__TAG_PROMPT_VERSION, LF_KIND_INT, NULL, 0}}, KEY "prompt.version I 0\n"},
    {{{LF__TAG_EXTERNAL_TRACE_ID, LF_KIND_STRING, "req_12345", 0}}, "langfuse.trace.metadata.external_trace_id S req_12345\n"},
    {{{LF__TAG_EXTERNAL_ID, LF_KIND_STRING, "step \"1\"", 0}}, KEY "metadata.external_id S step \"1\"\n"},
    {{{LF__TAG_EXTERNAL_ID, LF_KIND_STRING, "\"quoted\"", 0}, {LF__TAG_METADATA, LF_KIND_JSON, "{\"external_id\":1,\"a\":2}", 0}},
     KEY "metadata.a I 2\n" KEY "metadata.external_id S \"\\\"quoted\\\"\"\n"},
    /* Usage under the names of another API. */
    {{{LF__TAG_USAGE, LF_KIND_JSON, "{\"prompt_tokens\":10,\"prompt_tokens_details\":{\"cached_tokens\":4},\"cost\":0.5}", 0}},
     KEY "usage_details S {\"input\":6,\"input_cached_tokens\":4}\n" KEY "cost_details S {\"total\":0.5}\n"},
    {{{LF__TAG_USAGE, LF_KIND_JSON, "{\"input\":10,\"unit\":\"TOKENS\"}", 0}}, KEY "usage_details S {\"input\":10}\n"},
    {{{LF__TAG_USAGE_DETAILS, LF_KIND_JSON, "{\"input\":5}", 0},
      {LF__TAG_USAGE, LF_KIND_JSON, "{\"input\":10,\"total_cost\":1}", 0}},
     KEY "usage_details S {\"input\":5}\n" KEY "cost_details S {\"total\":1}\n"},
    {{{LF__TAG_USAGE, LF_KIND_JSON, "{\"input\":10,\"total_cost\":1}", 0},
      {LF__TAG_COST_DETAILS, LF_KIND_JSON, "{\"total\":2}", 0}},
     KEY "cost_details S {\"total\":2}\n" KEY "usage_details S {\"input\":10}\n"},
    {{{LF__TAG_MODEL, LF_KIND_STRING, "gemini-2.5-flash", 0},
      {LF__TAG_USAGE, LF_KIND_JSON, "{\"promptTokenCount\":9,\"promptTokensDetails\":[{\"modality\":\"AUDIO\",\"tokenCount\":5}]}",
       0}},
     KEY "model.name S gemini-2.5-flash\n" KEY "usage_details S {\"input\":4,\"input_audio_tokens\":5}\n"},
    {{{LF__TAG_MODEL, LF_KIND_INT, NULL, 5}, {LF__TAG_USAGE, LF_KIND_JSON, "{\"promptTokenCount\":9,\"mine\":2}", 0}},
     KEY "model.name S 5\n" KEY "usage_details S {\"input\":9}\n"},
    {{{LF__TAG_USAGE, LF_KIND_JSON, "{\"unit\":\"TOKENS\"}", 0}}, ""},
    {{{LF__TAG_USAGE, LF_KIND_JSON, "[1]", 0}}, ""},
    {{{LF__TAG_USAGE, LF_KIND_STRING, "{\"input\":1}", 0}}, ""},
    /* Of the trace. */
    {{{LF__TAG_USER_ID, LF_KIND_STRING, "u\xFF", 0},
      {LF__TAG_SESSION_ID, LF_KIND_STRING, "s", 0},
      {LF__TAG_TRACE_NAME, LF_KIND_STRING, "n", 0}},
     "user.id S u\xEF\xBF\xBD\nsession.id S s\nlangfuse.trace.name S n\n"},
    {{{LF__TAG_TRACE_INPUT, LF_KIND_JSON, "{\"q\": 1}", 0}, {LF__TAG_TRACE_OUTPUT, LF_KIND_INT, NULL, 7}},
     "langfuse.trace.input S {\"q\": 1}\nlangfuse.trace.output S 7\n"},
    {{{LF__TAG_TRACE_INPUT, LF_KIND_NULL, "", 0}}, ""},
    {{{LF__TAG_TRACE_PUBLIC, LF_KIND_BOOL, NULL, 1}}, "langfuse.trace.public B true\n"},
    {{{LF__TAG_TRACE_PUBLIC, LF_KIND_BOOL, NULL, 0}}, "langfuse.trace.public B false\n"},
    {{{LF__TAG_TRACE_TAGS, LF_KIND_JSON, "[\"b\",\"a\"]", 0}, {LF__TAG_TRACE_TAGS, LF_KIND_JSON, "[\"a\",\"\\u00e9 c\"]", 0}},
     "langfuse.trace.tags A [b] [a] [\xC3\xA9 c]\n"},
    {{{LF__TAG_TRACE_TAGS, LF_KIND_JSON, "[]", 0}}, ""},
    {{{LF__TAG_TRACE_TAGS, LF_KIND_JSON, "[null]", 0}}, ""},
    {{{LF__TAG_TRACE_METADATA, LF_KIND_JSON, "{\"s\":\"t\",\"i\":3,\"b\":true,\"o\":{\"x\":1},\"n\":null}", 0},
      {LF__TAG_METADATA, LF_KIND_JSON, "{\"own\":1}", 0}},
     KEY "metadata.own I 1\nlangfuse.trace.metadata.b B true\nlangfuse.trace.metadata.i I 3\n"
         "langfuse.trace.metadata.o S {\"x\":1}\nlangfuse.trace.metadata.s S t\n"},
    {{{LF__TAG_TRACE_METADATA, LF_KIND_STRING, "text", 0}}, "langfuse.trace.metadata S text\n"},
    {{{LF__TAG_TRACE_METADATA, LF_KIND_JSON, "{\"external_trace_id\":\"mine\"}", 0},
      {LF__TAG_EXTERNAL_TRACE_ID, LF_KIND_STRING, "req", 0}},
     "langfuse.trace.metadata.external_trace_id S req\n"},
    {{{LF__TAG_ENVIRONMENT, LF_KIND_STRING, "qa", 0}, {LF__TAG_RELEASE, LF_KIND_STRING, "r2", 0}},
     "langfuse.environment S qa\nlangfuse.release S r2\n"},
    /* Said to others. */
    {{{LF__TAG_BAGGAGE, LF_KIND_STRING, "k=v", 0},
      {LF__TAG_SCORE_ID, LF_KIND_STRING, "x", 0},
      {LF__TAG_SCORE_VALUE, LF_KIND_DOUBLE, NULL, 1},
      {LF__TAG_SCORE_COMMENT, LF_KIND_STRING, "x", 0}},
     ""},
    /* Times: 2026-01-15T06:30:00.123456789Z on the wall; the monotonic clock is 1 ms behind. */
    {{{LF__TAG_COMPLETION_START, LF_KIND_INT, NULL, 1768458600123456789}},
     KEY "completion_start_time S \"2026-01-15T06:30:00.123456Z\"\n"},
    {{{LF__TAG_COMPLETION_START, LF_KIND_UINT, NULL, 1768458600122456000}},
     KEY "completion_start_time S \"2026-01-15T06:30:00.123456Z\"\n"},
    {{{LF__TAG_COMPLETION_START, LF_KIND_INT, NULL, 1709164799000001000}},
     KEY "completion_start_time S \"2024-02-28T23:59:59.000001Z\"\n"},
    {{{LF__TAG_COMPLETION_START, LF_KIND_INT, NULL, 1709164800000000000}},
     KEY "completion_start_time S \"2024-02-29T00:00:00.000000Z\"\n"},
    {{{LF__TAG_COMPLETION_START, LF_KIND_INT, NULL, 0}}, KEY "completion_start_time S \"1970-01-01T00:00:00.000000Z\"\n"},
    {{{LF__TAG_COMPLETION_START, LF_KIND_INT, NULL, 4102444799999999000}},
     KEY "completion_start_time S \"2099-12-31T23:59:59.999999Z\"\n"},
    /* Input and output. */
    {{{LF__TAG_INPUT, LF_KIND_STRING, "raw text", 0}}, KEY "input S raw text\n"},
    {{{LF__TAG_INPUT, LF_KIND_STRING, "", 0}}, KEY "input S \n"},
    {{{LF__TAG_INPUT, LF_KIND_JSON, "{\"k\": \"v\"}", 0}}, KEY "input S {\"k\": \"v\"}\n"},
    {{{LF__TAG_INPUT, LF_KIND_INT, NULL, -3}}, KEY "input S -3\n"},
    {{{LF__TAG_INPUT, LF_KIND_BOOL, NULL, 1}}, KEY "input S true\n"},
    {{{LF__TAG_INPUT, LF_KIND_SECRET, "", 0}}, KEY "input S \"<secret>\"\n"},
    {{{LF__TAG_INPUT, LF_KIND_STRING, "bad \xFF\xC3", 0}}, KEY "input S bad \xEF\xBF\xBD\xEF\xBF\xBD\n"},
    {{{LF__TAG_INPUT, LF_KIND_STRING, "cut \xF0\x9F\x98", 0}}, KEY "input S cut \xEF\xBF\xBD\n"},
    {{{LF__TAG_INPUT, LF_KIND_NULL, "", 0}}, ""},
    {{{LF__TAG_INPUT, LF_KIND_JSON, " null ", 0}}, ""},
    {{{LF__TAG_INPUT, LF_KIND_JSON, "nullable", 0}}, KEY "input S nullable\n"},
    {{{LF__TAG_ARGUMENT, LF_KIND_STRING, "q", 0}}, KEY "input S {\"arg1\":\"q\"}\n"},
    {{{LF__TAG_ARGUMENT, LF_KIND_NULL, "", 0}}, KEY "input S {\"arg1\":null}\n"},
    {{{LF__TAG_INPUT, LF_KIND_STRING, "whole", 0}, {LF__TAG_ARGUMENT, LF_KIND_STRING, "q", 0}}, KEY "input S whole\n"},
    {{{LF__TAG_INPUT, LF_KIND_NULL, "", 0}, {LF__TAG_ARGUMENT, LF_KIND_STRING, "q", 0}}, ""},
    {{{LF__TAG_OUTPUT, LF_KIND_STRING, "first", 0}, {LF__TAG_OUTPUT, LF_KIND_DOUBLE, NULL, 0}}, KEY "output S 0.0\n"},
    {{{LF__TAG_OUTPUT, LF_KIND_NULL, "", 0}}, ""},
    {{{LF__TAG_OUTPUT_PIECE, LF_KIND_STRING, "a\xE2", 0},
      {LF__TAG_OUTPUT_PIECE, LF_KIND_STRING,
       "\x82\xAC"
       "b",
       0}},
     KEY "output S a\xE2\x82\xAC"
         "b\n"},
    {{{LF__TAG_OUTPUT_PIECE, LF_KIND_STRING, "", 0}}, KEY "output S \n"},
    {{{LF__TAG_OUTPUT_PIECE, LF_KIND_STRING, "lost", 0}, {LF__TAG_OUTPUT, LF_KIND_STRING, "whole", 0}}, KEY "output S whole\n"},
    {{{LF__TAG_OUTPUT_PIECE, LF_KIND_STRING, "lost", 0},
      {LF__TAG_OUTPUT, LF_KIND_STRING, "whole", 0},
      {LF__TAG_OUTPUT_PIECE, LF_KIND_STRING, "new", 0}},
     KEY "output S new\n"},
    /* Metadata. */
    {{{LF__TAG_METADATA, LF_KIND_JSON, "{\"s\":\"t\",\"b\":true,\"c\":false,\"i\":3,\"n\":null,\"z\":0}", 0}},
     KEY "metadata.b B true\n" KEY "metadata.c B false\n" KEY "metadata.i I 3\n" KEY "metadata.s S t\n" KEY "metadata.z I 0\n"},
    {{{LF__TAG_METADATA, LF_KIND_JSON, "{\"f\":0.90,\"l\":[1, \"two\"],\"o\":{\"a\" :1}, \"e\":1e3}", 0}},
     KEY "metadata.e S 1e3\n" KEY "metadata.f S 0.90\n" KEY "metadata.l S [1, \"two\"]\n" KEY "metadata.o S {\"a\" :1}\n"},
    {{{LF__TAG_METADATA, LF_KIND_JSON,
       "{\"a\":9007199254740991,\"b\":-9007199254740991,\"c\":9007199254740992,\"d\":-9223372036854775808,"
       "\"e\":123456789012345678901234567890,\"f\":-0}",
       0}},
     KEY "metadata.a I 9007199254740991\n" KEY "metadata.b I -9007199254740991\n" KEY "metadata.c S 9007199254740992\n" KEY
         "metadata.d S -9223372036854775808\n" KEY "metadata.e S 123456789012345678901234567890\n" KEY "metadata.f I 0\n"},
    {{{LF__TAG_METADATA, LF_KIND_JSON, "{\"a.b \\u00e9\\n\":\"x\\ty\",\"\":\"\"}", 0}},
     KEY "metadata. S \n" KEY "metadata.a.b \xC3\xA9\n S x\ty\n"},
    {{{LF__TAG_METADATA, LF_KIND_JSON, "{\"a\":1,\"b\":1}", 0}, {LF__TAG_METADATA, LF_KIND_JSON, "{\"b\":2,\"ab\":3}", 0}},
     KEY "metadata.a I 1\n" KEY "metadata.ab I 3\n" KEY "metadata.b I 2\n"},
    {{{LF__TAG_METADATA, LF_KIND_JSON, "{\"k\":1,\"\\u006b\":\"two\"}", 0}}, KEY "metadata.k S two\n"},
    {{{LF__TAG_METADATA, LF_KIND_JSON, "{\"k\":1}", 0}, {LF__TAG_METADATA, LF_KIND_JSON, "{\"k\":null}", 0}},
     KEY "metadata.k I 1\n"},
    {{{LF__TAG_METADATA, LF_KIND_JSON, "{}", 0}}, ""},
    /* Text that would read back as something else is a JSON string. */
    {{{LF__TAG_METADATA, LF_KIND_JSON, "{\"a\":\"123\",\"b\":\"true\",\"c\":\"null\",\"d\":\" -1.5e3\\n\",\"e\":\"\\\"q\\\"\"}",
       0}},
     KEY "metadata.a S \"123\"\n" KEY "metadata.b S \"true\"\n" KEY "metadata.c S \"null\"\n" KEY
         "metadata.d S \" -1.5e3\\n\"\n" KEY "metadata.e S \"\\\"q\\\"\"\n"},
    {{{LF__TAG_METADATA, LF_KIND_JSON, "{\"f\":\"{\\\"k\\\":[1]}\",\"g\":\"[]\",\"h\":\"{\\\"p\\\":\\\"\\\\n\\\"}\"}", 0}},
     KEY "metadata.f S \"{\\\"k\\\":[1]}\"\n" KEY "metadata.g S \"[]\"\n" KEY "metadata.h S \"{\\\"p\\\":\\\"\\\\n\\\"}\"\n"},
    {{{LF__TAG_METADATA, LF_KIND_JSON,
       "{\"a\":\"premium\",\"b\":\"1,2\",\"c\":\"012\",\"d\":\"NaN\",\"e\":\"\",\"f\":\" \",\"g\":\"True\",\"h\":\"{k}\",\"i\":\"1 "
       "2\"}",
       0}},
     KEY "metadata.a S premium\n" KEY "metadata.b S 1,2\n" KEY "metadata.c S 012\n" KEY "metadata.d S NaN\n" KEY
         "metadata.e S \n" KEY "metadata.f S  \n" KEY "metadata.g S True\n" KEY "metadata.h S {k}\n" KEY "metadata.i S 1 2\n"},
    {{{LF__TAG_EXTERNAL_ID, LF_KIND_STRING, "12345", 0}}, KEY "metadata.external_id S \"12345\"\n"},
    {{{LF__TAG_EXTERNAL_ID, LF_KIND_STRING, "\"\xff\"", 0}}, KEY "metadata.external_id S \"\\\"\xef\xbf\xbd\\\"\"\n"},
    {{{LF__TAG_TRACE_METADATA, LF_KIND_JSON, "{\"t\":\"7\",\"u\":7}", 0}},
     "langfuse.trace.metadata.t S \"7\"\nlangfuse.trace.metadata.u I 7\n"},
    {{{LF__TAG_METADATA, LF_KIND_STRING, "just text", 0}}, KEY "metadata S just text\n"},
    {{{LF__TAG_METADATA, LF_KIND_JSON, "[1, 2]", 0}}, KEY "metadata S [1, 2]\n"},
    {{{LF__TAG_METADATA, LF_KIND_INT, NULL, 5}}, KEY "metadata S 5\n"},
    {{{LF__TAG_METADATA, LF_KIND_JSON, "null", 0}}, ""},
    {{{LF__TAG_METADATA, LF_KIND_STRING, "a note", 0}, {LF__TAG_METADATA, LF_KIND_NULL, "", 0}}, ""},
    {{{LF__TAG_METADATA, LF_KIND_JSON, "{\"broken\":", 0}}, KEY "metadata S {\"broken\":\n"},
    {{{LF__TAG_METADATA, LF_KIND_JSON, "{\"k\":1}", 0},
      {LF__TAG_METADATA, LF_KIND_STRING, "a", 0},
      {LF__TAG_METADATA, LF_KIND_STRING, "b", 0}},
     KEY "metadata.k I 1\n" KEY "metadata S b\n"},
};

static void every_attribute_has_its_key_and_its_type(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        builder_begin(&b, LF_SPAN, 0);
        for (const field_row *field = rows[i].fields; field < rows[i].fields + 4 && field->tag != 0; field++)
            if (field->text != NULL)
                builder_add(&b, field->tag, field->kind, field->text, strlen(field->text));
            else
                builder_add(&b, field->tag, field->kind, &field->number, 8);
        encoded();
        if (strstr(rows[i].expected, "\xC3\xA9\n") == NULL)
            assert_string_equal(attributes(), rows[i].expected);
        else
            assert_non_null(strstr(from_pb.text, rows[i].expected)); /* a key with a newline in it */
    }
}

static void every_type_is_spelled_in_lower_case(void **state)
{
    (void)state;
    static const char *const names[] = {"span",  "span",      "generation", "event",     "agent",     "tool",
                                        "chain", "retriever", "evaluator",  "embedding", "guardrail", "span"};
    for (unsigned type = 0; type < sizeof names / sizeof *names; type++) {
        char line[64];
        snprintf(line, sizeof line, "langfuse.observation.type S %s", names[type]);
        builder_begin(&b, (lf_type)type, 0);
        assert_line(encoded(), line);
        builder_begin(&b, LF_TOOL, 0);
        builder_int(&b, LF__TAG_TYPE, type);
        assert_line(encoded(), line);
    }
}

static void the_configuration_rides_on_every_span(void **state)
{
    (void)state;
    config.environment = "production";
    config.release = "r\xFF"
                     "1";
    assert_string_equal(attributes(), "langfuse.environment S production\nlangfuse.release S r\xEF\xBF\xBD"
                                      "1\n");
}

static void add_marked(lf__tag tag, lf_kind kind, const char *text)
{
    builder_add_indexed(&b, tag, kind, LF__MARK_PROPAGATED, text, strlen(text));
}

static void what_was_propagated_is_text_within_limits(void **state)
{
    (void)state;
    char json[1000], longer[202] = {0}, expected[1000];
    memset(longer, 'x', 201);
    config.environment = "production";
    add_marked(LF__TAG_ENVIRONMENT, LF_KIND_STRING, "qa");
    add_marked(LF__TAG_USER_ID, LF_KIND_STRING, longer);
    add_marked(LF__TAG_SESSION_ID, LF_KIND_STRING, longer + 1);
    snprintf(json, sizeof json, "{\"i\":3,\"b\":true,\"l\":[1, \"a\"],\"n\":null,\"q\":\"\\\"q\\\"\",\"long\":\"%s\"}", longer);
    add_marked(LF__TAG_TRACE_METADATA, LF_KIND_JSON, "{\"i\":2,\"long\":\"short\",\"k\":\"\\u00e9\"}");
    add_marked(LF__TAG_TRACE_METADATA, LF_KIND_JSON, json);
    snprintf(json, sizeof json, "[\"%s\",5,\"fine\"]", longer);
    add_marked(LF__TAG_TRACE_TAGS, LF_KIND_JSON, json);
    snprintf(expected, sizeof expected,
             "session.id S %s\nlangfuse.trace.metadata.b S true\nlangfuse.trace.metadata.i S 3\n"
             "langfuse.trace.metadata.k S \xC3\xA9\nlangfuse.trace.metadata.l S [1, \"a\"]\n"
             "langfuse.trace.metadata.long S short\nlangfuse.trace.metadata.q S \"\\\"q\\\"\"\n"
             "langfuse.trace.tags A [fine]\nlangfuse.environment S qa\n",
             longer + 1);
    assert_string_equal(attributes(), expected);

    builder_begin(&b, LF_SPAN, 0);
    add_marked(LF__TAG_ENVIRONMENT, LF_KIND_STRING, "Not Allowed");
    add_marked(LF__TAG_TRACE_METADATA, LF_KIND_STRING, "no object");
    add_marked(LF__TAG_TRACE_TAGS, LF_KIND_JSON, "[5]");
    assert_string_equal(attributes(), "langfuse.environment S production\n");
}

static void what_is_said_of_the_trace_rides_on_its_observations(void **state)
{
    (void)state;
    context.trace = &trace.as.record;
    assert_string_equal(attributes(), "");
    add_marked(LF__TAG_USER_ID, LF_KIND_STRING, "propagated");
    add_marked(LF__TAG_TRACE_TAGS, LF_KIND_JSON, "[\"a\",\"b\"]");
    add_marked(LF__TAG_TRACE_METADATA, LF_KIND_JSON, "{\"k\":1,\"own\":1}");
    builder_text(&trace, LF__TAG_USER_ID, "said");
    builder_text(&trace, LF__TAG_TRACE_NAME, "name");
    builder_text(&trace, LF__TAG_VERSION, "v1");
    builder_text(&trace, LF__TAG_RELEASE, "r1");
    builder_json(&trace, LF__TAG_TRACE_TAGS, "[\"b\",\"c\"]");
    builder_json(&trace, LF__TAG_TRACE_METADATA, "{\"k\":2,\"trace\":true}");
    builder_add(&trace, LF__TAG_TRACE_PUBLIC, LF_KIND_BOOL, &(int64_t){1}, 8);
    static const char rest[] = "user.id S said\nlangfuse.trace.name S name\nlangfuse.trace.metadata.k I 2\n"
                               "langfuse.trace.metadata.own S 1\nlangfuse.trace.metadata.trace B true\n"
                               "langfuse.trace.tags A [a] [b] [c]\nlangfuse.trace.public B true\nlangfuse.release S r1\n";
    char expected[1000];
    snprintf(expected, sizeof expected, "langfuse.version S v1\n%s", rest);
    assert_string_equal(attributes(), expected);
    builder_text(&b, LF__TAG_VERSION, "own");
    snprintf(expected, sizeof expected, "langfuse.version S own\n%s", rest);
    assert_string_equal(attributes(), expected);
}

static void lists_of_every_size_have_the_right_length(void **state)
{
    (void)state;
    static char json[60000];
    for (size_t size = 1; size < 40000; size = size < 300 ? size + 1 : size * 3 / 2) {
        memset(json, 'x', sizeof json);
        memcpy(json, "[\"a\",\"", 6);
        memcpy(json + 6 + size, "\"]", 2);
        builder_begin(&b, LF_SPAN, 0);
        builder_add(&b, LF__TAG_TRACE_TAGS, LF_KIND_JSON, json, size + 8);
        assert_int_equal(strlen(strstr(attributes(), " A ")), sizeof " A [a] []\n" - 1 + size);
    }
    size_t at = 0;
    for (int i = 0; i < 1000; i++) {
        at += (size_t)snprintf(json + at, sizeof json - at, "%c\"t%d\"", i == 0 ? '[' : ',', i);
        builder_begin(&b, LF_SPAN, 0);
        memcpy(json + at, "]", 1);
        builder_add(&b, LF__TAG_TRACE_TAGS, LF_KIND_JSON, json, at + 1);
        char last[32];
        snprintf(last, sizeof last, " [t%d]\n", i);
        assert_non_null(strstr(attributes(), last));
    }
}

static void a_prompts_version_goes_with_its_name(void **state)
{
    (void)state;
    int64_t version = 3;
    add_marked(LF__TAG_PROMPT_NAME, LF_KIND_STRING, "propagated");
    builder_add_indexed(&b, LF__TAG_PROMPT_VERSION, LF_KIND_INT, LF__MARK_PROPAGATED, &version, 8);
    assert_string_equal(attributes(), KEY "prompt.name S propagated\n" KEY "prompt.version I 3\n");
    builder_text(&b, LF__TAG_PROMPT_NAME, "own");
    assert_string_equal(attributes(), KEY "prompt.name S own\n");
    builder_int(&b, LF__TAG_PROMPT_VERSION, 4);
    assert_string_equal(attributes(), KEY "prompt.name S own\n" KEY "prompt.version I 4\n");
    builder_begin(&b, LF_SPAN, 0);
    add_marked(LF__TAG_PROMPT_NAME, LF_KIND_STRING, "");
    builder_add_indexed(&b, LF__TAG_PROMPT_VERSION, LF_KIND_INT, LF__MARK_PROPAGATED, &version, 8);
    assert_string_equal(attributes(), "");
}

static void a_remote_parent_and_the_trace_state_are_passed_on(void **state)
{
    (void)state;
    assert_no_line(encoded(), "state");
    assert_line(encoded(), "flags 257");
    b.as.record.flags = LF__FLAG_REMOTE_PARENT;
    b.as.record.parent_id[0] = 1;
    builder_text(&b, LF__TAG_TRACESTATE, "vendor=1,other=x");
    assert_line(encoded(), "state vendor=1,other=x");
    assert_line(encoded(), "flags 769");
    assert_string_equal(attributes(), "");
    builder_text(&b, LF__TAG_TRACESTATE, "");
    assert_no_line(encoded(), "state");
}

static void the_application_root_is_marked(void **state)
{
    (void)state;
    b.as.record.flags = LF__FLAG_APP_ROOT;
    assert_string_equal(attributes(), "langfuse.internal.is_app_root B true\n");
}

static void a_scope_that_did_not_end_says_so(void **state)
{
    (void)state;
    b.as.record.flags = LF__FLAG_ABANDONED;
    assert_string_equal(attributes(), KEY "level S WARNING\n" KEY "status_message S scope was left without ending\n" KEY
                                          "metadata.incomplete S abandoned\n");
    b.as.record.flags = LF__FLAG_INTERRUPTED;
    assert_string_equal(attributes(), KEY "level S WARNING\n" KEY "status_message S still open when the process exited\n" KEY
                                          "metadata.incomplete S interrupted\n");
    builder_int(&b, LF__TAG_LEVEL, LF_LEVEL_DEFAULT);
    builder_text(&b, LF__TAG_STATUS_MESSAGE, "mine");
    builder_json(&b, LF__TAG_METADATA, "{\"incomplete\":\"no\",\"k\":1}");
    assert_string_equal(attributes(), KEY "level S DEFAULT\n" KEY "status_message S mine\n" KEY
                                          "metadata.incomplete S interrupted\n" KEY "metadata.k I 1\n");
}

static void many_metadata_keys_are_merged_in_time(void **state)
{
    (void)state;
    static builder big;
    static char json[60000];
    builder_begin(&big, LF_SPAN, 0);
    size_t at = 0;
    for (int i = 0; i < 4000; i++)
        at += (size_t)snprintf(json + at, sizeof json - at, "%c\"k%d\":%d", i == 0 ? '{' : ',', i % 2000, i);
    snprintf(json + at, sizeof json - at, "}");
    builder_json(&big, LF__TAG_METADATA, json);
    assert_true(lf__wire_otlp_json.item(&out, &big.as.record, &context));
    lf__buf_add_char(&out, '\0');
    assert_non_null(strstr(out.data, "metadata.k0\",\"value\":{\"intValue\":\"2000\"}"));
    assert_null(strstr(out.data, "{\"intValue\":\"1999\"}"));
}

/* ---- The span itself -------------------------------------------------------------------------------------------- */

static void a_span_has_ids_times_kind_and_flags(void **state)
{
    (void)state;
    lf__record *record = &b.as.record;
    for (unsigned i = 0; i < 16; i++)
        record->trace_id[i] = (uint8_t)(0xf0 + i);
    memcpy(record->id, "\x00\x01\x02\x03\x04\x05\x06\x07", 8);
    record->start_ns = 5000;
    record->end_ns = 7000;
    builder_text(&b, LF__TAG_NAME, "na\"me\xFF");
    assert_string_equal(encoded(), "trace f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff\n"
                                   "id 0001020304050607\n"
                                   "name na\"me\xEF\xBF\xBD\n"
                                   "kind 1\n"
                                   "start 1005000\n"
                                   "end 1007000\n"
                                   "langfuse.observation.type S span\n"
                                   "flags 257\n");
    record->parent_id[7] = 9;
    assert_line(encoded(), "parent 0000000000000009");
}

static void the_name_is_given_or_the_functions_or_a_word(void **state)
{
    (void)state;
    assert_line(encoded(), "name observation");
    b.as.record.site = lf__site_intern("answer", "a.c", 1, "");
    assert_line(encoded(), "name answer");
    builder_text(&b, LF__TAG_NAME, "");
    assert_line(encoded(), "name answer");
    builder_text(&b, LF__TAG_NAME, "given");
    assert_line(encoded(), "name given");
}

static void times_are_wall_clock_and_never_run_backwards(void **state)
{
    (void)state;
    lf__record *record = &b.as.record;
    record->start_ns = 9000;
    record->end_ns = 5000;
    assert_line(encoded(), "start 1009000");
    assert_line(encoded(), "end 1009000");
    record->flags = LF__FLAG_WALL_START | LF__FLAG_WALL_END;
    record->end_ns = 9500;
    assert_line(encoded(), "start 9000");
    assert_line(encoded(), "end 9500");
    record->flags = LF__FLAG_WALL_START;
    assert_line(encoded(), "start 9000");
    assert_line(encoded(), "end 1009500");
    context.wall_offset_ns = -1000;
    record->flags = 0;
    assert_line(encoded(), "start 8000");
    context.wall_offset_ns = 1000000;
    builder_int(&b, LF__TAG_TYPE, LF_EVENT);
    assert_line(encoded(), "end 1009000");
}

static void only_errors_have_a_status(void **state)
{
    (void)state;
    builder_text(&b, LF__TAG_STATUS_MESSAGE, "seen");
    assert_no_line(encoded(), "code");
    assert_no_line(encoded(), "message");
    builder_int(&b, LF__TAG_LEVEL, LF_LEVEL_ERROR);
    assert_line(encoded(), "code 2");
    assert_line(encoded(), "message seen");
    builder_begin(&b, LF_TOOL, 0);
    builder_int(&b, LF__TAG_LEVEL, LF_LEVEL_ERROR);
    assert_line(encoded(), "code 2");
    assert_no_line(encoded(), "message");
}

/* Lengths of one, two, three and four bytes. */
static void spans_of_every_size_have_the_right_length(void **state)
{
    (void)state;
    static char text[60000];
    memset(text, 'x', sizeof text);
    static const size_t sizes[] = {0, 1, 20, 30, 40, 60, 100, 120, 126, 127, 128, 129, 16000, 16240, 16300, 16383, 16384, 60000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        builder_begin(&b, LF_SPAN, 0);
        builder_add(&b, LF__TAG_INPUT, LF_KIND_STRING, text, sizes[i]);
        builder_int(&b, LF__TAG_LEVEL, LF_LEVEL_ERROR);
        encoded();
    }
    for (size_t size = 16100; size < 16300; size++) {
        builder_begin(&b, LF_SPAN, 0);
        builder_add(&b, LF__TAG_STATUS_MESSAGE, LF_KIND_STRING, text, size);
        encoded();
    }
}

/* ---- Bodies ----------------------------------------------------------------------------------------------------- */

static lf__pair resource[] = {
    {"service.name", "shop"}, {"telemetry.sdk.name", "ours wins"}, {"", "no key"},
    {"bad\xFFkey", "x"},      {"host.name", "bad \xFF value"},     {"empty", ""},
};

static const char expected_resource[] = "service.name S shop\nhost.name S bad \xEF\xBF\xBD value\nempty S \n"
                                        "telemetry.sdk.language S c\ntelemetry.sdk.name S langfuse\n"
                                        "telemetry.sdk.version S " LANGFUSE_VERSION "\n"
                                        "langfuse.environment S qa\nlangfuse.release S r1\n"
                                        "scope langfuse-sdk\nversion " LANGFUSE_VERSION "\npublic_key S pk-lf-1\n";

static void configure(void)
{
    config.resource = resource;
    config.resource_count = sizeof resource / sizeof *resource;
    config.environment = "qa";
    config.release = "r1";
    config.public_key = "pk-lf-1";
}

/* head(bytes of the items) + items + tail, of `count` items. */
static void make_body(const lf__wire *wire, int count)
{
    lf__buf items;
    lf__buf_init(&items, 1 << 20);
    for (int i = 0; i < count; i++) {
        lf__buf_add_text(&items, i > 0 ? wire->separator : "");
        assert_true(wire->item(&items, &b.as.record, &context));
    }
    lf__buf_clear(&out);
    assert_true(wire->head(&out, &config, items.length));
    assert_true(lf__buf_add(&out, items.data, items.length));
    assert_true(wire->tail(&out));
    lf__buf_done(&items);
}

static int decode_pb_body(decoded *to)
{
    int spans = 0;
    walk request = walk_over(out.data, out.length);
    assert_true(walk_next(&request) && request.field == 1 && request.at == request.end);
    walk rs = walk_over(request.bytes, request.size);
    assert_true(walk_next(&rs) && rs.field == 1);
    for (walk w = walk_over(rs.bytes, rs.size); walk_next(&w);)
        decode_pb_attribute(to, &w);
    assert_true(walk_next(&rs) && rs.field == 2 && rs.at == rs.end);
    walk ss = walk_over(rs.bytes, rs.size);
    assert_true(walk_next(&ss) && ss.field == 1);
    for (walk w = walk_over(ss.bytes, ss.size); walk_next(&w);) {
        if (w.field == 3)
            decode_pb_attribute(to, &w);
        else
            say(to, "%s %.*s\n", w.field == 1 ? "scope" : "version", (int)w.size, (const char *)w.bytes);
    }
    while (walk_next(&ss)) {
        assert_int_equal(ss.field, 2);
        spans++;
    }
    return spans;
}

static const cJSON *only_member(const cJSON *object, const char *name)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(object, name);
    assert_int_equal(cJSON_GetArraySize(list), 1);
    return list->child;
}

static int decode_json_body(decoded *to)
{
    cJSON *request = cJSON_ParseWithLength(out.data, out.length);
    assert_non_null(request);
    const cJSON *rs = only_member(request, "resourceSpans"), *ss = only_member(rs, "scopeSpans"), *child;
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(rs, "resource"), "attributes");
    cJSON_ArrayForEach(child, list)
        decode_json_attribute(to, child);
    const cJSON *scope = cJSON_GetObjectItemCaseSensitive(ss, "scope");
    say(to, "scope %s\n", cJSON_GetObjectItemCaseSensitive(scope, "name")->valuestring);
    say(to, "version %s\n", cJSON_GetObjectItemCaseSensitive(scope, "version")->valuestring);
    list = cJSON_GetObjectItemCaseSensitive(scope, "attributes");
    assert_true(list == NULL || cJSON_GetArraySize(list) > 0);
    cJSON_ArrayForEach(child, list)
        decode_json_attribute(to, child);
    int spans = cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(ss, "spans"));
    cJSON_Delete(request);
    return spans;
}

static void a_body_is_a_head_items_and_a_tail(void **state)
{
    (void)state;
    configure();
    for (int count = 1; count <= 300; count += count < 4 ? 1 : 148) {
        from_pb.length = from_json.length = 0;
        make_body(&lf__wire_otlp_protobuf, count);
        assert_int_equal(decode_pb_body(&from_pb), count);
        assert_string_equal(from_pb.text, expected_resource);
        make_body(&lf__wire_otlp_json, count);
        assert_int_equal(decode_json_body(&from_json), count);
        assert_string_equal(from_json.text, expected_resource);
    }
    assert_string_equal(lf__wire_otlp_protobuf.content_type, "application/x-protobuf");
    assert_string_equal(lf__wire_otlp_json.content_type, "application/json");
}

static void a_bare_configuration_makes_no_empty_arrays(void **state)
{
    (void)state;
    make_body(&lf__wire_otlp_json, 1);
    lf__buf_add_char(&out, '\0');
    assert_null(strstr(out.data, "[]"));
    make_body(&lf__wire_otlp_protobuf, 1);
    from_pb.length = 0;
    assert_int_equal(decode_pb_body(&from_pb), 1);
}

/* ---- Failure ---------------------------------------------------------------------------------------------------- */

static const lf__wire *const wires[] = {&lf__wire_otlp_protobuf, &lf__wire_otlp_json};

static void build_full_record(void)
{
    builder_begin(&b, LF_GENERATION, lf__site_intern("full", "full.c", 1, "a, b"));
    b.as.record.flags = LF__FLAG_APP_ROOT | LF__FLAG_ABANDONED;
    builder_add_indexed(&b, LF__TAG_ARGUMENT, LF_KIND_STRING, 0, "bad \xFF", 5);
    builder_add_indexed(&b, LF__TAG_ARGUMENT, LF_KIND_DOUBLE, 1, &(double){0.1}, 8);
    builder_text(&b, LF__TAG_OUTPUT_PIECE, "out\xE2");
    builder_text(&b, LF__TAG_OUTPUT_PIECE, "\x82 put");
    builder_int(&b, LF__TAG_LEVEL, LF_LEVEL_ERROR);
    builder_text(&b, LF__TAG_STATUS_MESSAGE, "msg \xFF");
    builder_json(&b, LF__TAG_METADATA, "{\"a\":\"x\\ny\",\"b\":true,\"c\":-5,\"\\u00e9\":[1],\"a\":\"z\\n\"}");
    builder_text(&b, LF__TAG_METADATA, "text");
    builder_uint(&b, LF__TAG_COMPLETION_START, 12345);
    builder_int(&b, LF__TAG_PROMPT_VERSION, 3);
    builder_json(&b, LF__TAG_USAGE, "{\"prompt_tokens\":10,\"prompt_tokens_details\":{\"cached_tokens\":4},\"cost\":0.5}");
    builder_text(&b, LF__TAG_USER_ID, "user");
    builder_json(&b, LF__TAG_TRACE_TAGS, "[\"a tag\",\"\\u00e9\",\"a tag\"]");
    builder_json(&b, LF__TAG_TRACE_METADATA, "{\"t\":\"x\\ny\",\"a\":\"z\"}");
    builder_text(&b, LF__TAG_EXTERNAL_ID, "step");
    builder_text(&b, LF__TAG_TRACESTATE, "k=v");
    builder_text(&b, LF__TAG_ENVIRONMENT, "qa");
}

static void an_item_that_does_not_fit_leaves_the_buffer_as_it_was(void **state)
{
    (void)state;
    build_full_record();
    for (size_t i = 0; i < 2; i++) {
        lf__buf_clear(&out);
        assert_true(wires[i]->item(&out, &b.as.record, &context));
        size_t whole = out.length;
        for (size_t size = 0; size <= whole; size++) {
            char *memory = malloc(size + 3);
            assert_non_null(memory);
            lf__buf small;
            lf__buf_over(&small, memory, size + 3);
            lf__buf_add_text(&small, "...");
            bool fits = wires[i]->item(&small, &b.as.record, &context);
            assert_int_equal(fits, size == whole);
            assert_false(small.failed);
            assert_int_equal(small.length, fits ? size + 3 : 3);
            assert_memory_equal(memory, "...", 3);
            if (fits)
                assert_memory_equal(memory + 3, out.data, whole);
            free(memory);
        }
    }
}

static void a_head_that_does_not_fit_leaves_the_buffer_as_it_was(void **state)
{
    (void)state;
    configure();
    for (size_t i = 0; i < 2; i++) {
        lf__buf_clear(&out);
        assert_true(wires[i]->head(&out, &config, 100));
        size_t whole = out.length;
        for (size_t size = 0; size < whole; size++) {
            lf__buf small;
            lf__buf_init(&small, size);
            assert_false(wires[i]->head(&small, &config, 100));
            assert_int_equal(small.length, 0);
            lf__buf_done(&small);
        }
    }
}

static void a_scratch_buffer_that_is_too_small_fails_the_item(void **state)
{
    (void)state;
    build_full_record();
    lf__buf small;
    lf__wire_context tight = {.config = &config, .scratch = &small};
    size_t enough = 0, whole[2];
    for (size_t i = 0; i < 2; i++) {
        lf__buf_clear(&out);
        assert_true(wires[i]->item(&out, &b.as.record, &context));
        whole[i] = out.length;
    }
    for (size_t size = 0; enough == 0; size++) {
        assert_true(size < 10000);
        lf__buf_init(&small, size);
        lf__buf_clear(&out);
        lf__buf_add_text(&out, "...");
        bool done = wires[size % 2]->item(&out, &b.as.record, &tight);
        assert_int_equal(out.length, done ? 3 + whole[size % 2] : 3); /* all of it or nothing */
        assert_false(out.failed);
        if (done)
            enough = size;
        lf__buf_done(&small);
    }
    assert_true(enough > 100);
}

static void every_failing_allocation_fails_cleanly(void **state)
{
    (void)state;
    build_full_record();
    configure();
    for (size_t i = 0; i < 2; i++) {
        bool done = false;
        for (unsigned long n = 1; !done; n++) {
            assert_true(n < 20);
            lf__buf to, own;
            lf__buf_init(&to, 1 << 20);
            lf__buf_init(&own, 1 << 20);
            lf__wire_context poor = {.config = &config, .scratch = &own};
            lf__alloc_fail_from(n);
            bool item = wires[i]->item(&to, &b.as.record, &poor);
            assert_true(item || (to.length == 0 && !to.failed));
            assert_true(item || to.no_memory || own.no_memory);
            size_t before = to.length;
            bool head = wires[i]->head(&to, &config, 10);
            lf__alloc_fail_from(0);
            assert_true(head || (to.length == before && !to.failed));
            assert_true(n > 1 || !item);
            done = item && head;
            lf__buf_done(&to);
            lf__buf_done(&own);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_attribute_has_its_key_and_its_type),
        TEST(every_type_is_spelled_in_lower_case),
        TEST(the_configuration_rides_on_every_span),
        TEST(what_was_propagated_is_text_within_limits),
        TEST(what_is_said_of_the_trace_rides_on_its_observations),
        TEST(lists_of_every_size_have_the_right_length),
        TEST(a_prompts_version_goes_with_its_name),
        TEST(a_remote_parent_and_the_trace_state_are_passed_on),
        TEST(the_application_root_is_marked),
        TEST(a_scope_that_did_not_end_says_so),
        TEST(many_metadata_keys_are_merged_in_time),
        TEST(a_span_has_ids_times_kind_and_flags),
        TEST(the_name_is_given_or_the_functions_or_a_word),
        TEST(times_are_wall_clock_and_never_run_backwards),
        TEST(only_errors_have_a_status),
        TEST(spans_of_every_size_have_the_right_length),
        TEST(a_body_is_a_head_items_and_a_tail),
        TEST(a_bare_configuration_makes_no_empty_arrays),
        TEST(an_item_that_does_not_fit_leaves_the_buffer_as_it_was),
        TEST(a_head_that_does_not_fit_leaves_the_buffer_as_it_was),
        TEST(a_scratch_buffer_that_is_too_small_fails_the_item),
        TEST(every_failing_allocation_fails_cleanly),
    };
    return cmocka_run_group_tests_name("wire_otlp", tests, NULL, NULL);
}
