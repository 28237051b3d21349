/* Writes DIR/payload.pb and DIR/payload.json: the same fixed observations in both encodings, for decoders that are not
 * ours. What they must find in there is in expected.py.
 */
#include "../../src/deliver/wire.h"
#include "../unit/record_builder.h"

#include <stdio.h>

static lf__pair resource[] = {{"service.name", "interop"}, {"host.name", "h\xC3\xB6st \xFF"}};
static lf__config config = {
    .public_key = "pk-lf-interop",
    .environment = "qa",
    .release = "r1",
    .resource = resource,
    .resource_count = 2,
};
static lf__buf items, scratch;

static lf__record *begin(builder *b, lf_type type, unsigned id, unsigned parent)
{
    lf__record *record = builder_begin(b, type, lf__site_intern("answer", "answer.c", 7, "question, top_k, lf_secret(key)"));
    for (unsigned i = 0; i < 16; i++)
        record->trace_id[i] = (uint8_t)(0xa0 + i);
    record->id[7] = (uint8_t)id;
    record->parent_id[7] = (uint8_t)parent;
    record->start_ns = 1000000 * id;
    record->end_ns = 1000000 * id + 123456;
    return record;
}

static void build_root(builder *b)
{
    begin(b, LF_SPAN, 1, 0)->flags = LF__FLAG_APP_ROOT;
    static const char question[] = "Why \"blue\"? \xE2\x82\xAC\n\xFF";
    int64_t top_k = 3;
    builder_add_indexed(b, LF__TAG_ARGUMENT, LF_KIND_STRING, 0, question, sizeof question - 1);
    builder_add_indexed(b, LF__TAG_ARGUMENT, LF_KIND_INT, 1, &top_k, sizeof top_k);
    builder_add_indexed(b, LF__TAG_ARGUMENT, LF_KIND_SECRET, 2, NULL, 0);
    builder_add(b, LF__TAG_OUTPUT, LF_KIND_STRING, "nul \0 inside", 12);
}

static void build_generation(builder *b)
{
    begin(b, LF_GENERATION, 2, 1);
    builder_text(b, LF__TAG_NAME, "llm-call");
    builder_json(b, LF__TAG_INPUT, "[{\"role\": \"user\", \"content\": \"hi\"}]");
    builder_text(b, LF__TAG_OUTPUT_PIECE, "smile \xF0\x9F");
    builder_text(b, LF__TAG_OUTPUT_PIECE, "\x98\x80");
    builder_text(b, LF__TAG_MODEL, "gpt-5-mini");
    builder_json(b, LF__TAG_MODEL_PARAMETERS, "{\"temperature\": 0.9}");
    builder_json(b, LF__TAG_USAGE_DETAILS, "{\"input\": 5, \"output\": 50}");
    builder_json(b, LF__TAG_COST_DETAILS, "{\"total\": 0.0021}");
    builder_int(b, LF__TAG_COMPLETION_START, 1768458600123456789);
    builder_text(b, LF__TAG_PROMPT_NAME, "p");
    builder_int(b, LF__TAG_PROMPT_VERSION, 3);
    builder_text(b, LF__TAG_VERSION, "v7");
    builder_text(b, LF__TAG_EXTERNAL_TRACE_ID, "req_12345");
    builder_json(b, LF__TAG_METADATA,
                 "{\"text\": \"t\\u00e9\", \"ok\": true, \"no\": false, \"n\": 0, \"min\": -9223372036854775808, "
                 "\"most\": 9007199254740991, \"max\": 9223372036854775807, \"big\": 9223372036854775808, "
                 "\"f\": 0.90, "
                 "\"list\": [1, \"two\", null], \"null\": null, \"a.b\": {\"c\": 1}, \"empty\": \"\"}");
}

static void build_error(builder *b)
{
    begin(b, LF_TOOL, 3, 1);
    builder_int(b, LF__TAG_LEVEL, LF_LEVEL_ERROR);
    builder_text(b, LF__TAG_STATUS_MESSAGE, "disk full");
}

static void build_event(builder *b)
{
    begin(b, LF_EVENT, 4, 3)->flags = LF__FLAG_ABANDONED;
    builder_text(b, LF__TAG_NAME, "an-event");
}

static bool write_file(const char *folder, const char *name, const lf__wire *wire, const lf__buf *body)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL)
        return false;
    bool done = fwrite(body->data, 1, body->length, file) == body->length;
    done = fclose(file) == 0 && done;
    printf("%s: %zu bytes of %s\n", path, body->length, wire->content_type);
    return done;
}

static bool write_payload(const char *folder, const char *name, const lf__wire *wire)
{
    static void (*const build[])(builder *) = {build_root, build_generation, build_error, build_event};
    static builder b;
    const lf__wire_context context = {.config = &config, .wall_offset_ns = 1768458600000000000, .scratch = &scratch};
    bool done = true;
    lf__buf_clear(&items);
    for (size_t i = 0; i < sizeof build / sizeof *build; i++) {
        build[i](&b);
        lf__buf_add_text(&items, i > 0 ? wire->separator : "");
        done = wire->item(&items, &b.as.record, &context) && done;
    }
    lf__buf body;
    lf__buf_init(&body, 1 << 20);
    done = done && wire->head(&body, &config, items.length) && lf__buf_add(&body, items.data, items.length) && wire->tail(&body) &&
           write_file(folder, name, wire, &body);
    lf__buf_done(&body);
    return done;
}

static bool write_counters(const char *folder)
{
    char path[4096], text[4096];
    snprintf(path, sizeof path, "%s/counters.txt", folder);
    FILE *file = fopen(path, "wb");
    if (file == NULL)
        return false;
    int size = lf_stats_prometheus(text, sizeof text);
    bool done = size > 0 && (size_t)size < sizeof text && fwrite(text, 1, (size_t)size, file) == (size_t)size;
    return fclose(file) == 0 && done;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: otlp_payload DIR\n");
        return 2;
    }
    lf__buf_init(&items, 1 << 20);
    lf__buf_init(&scratch, 1 << 20);
    bool done = write_payload(argv[1], "payload.pb", &lf__wire_otlp_protobuf) &&
                write_payload(argv[1], "payload.json", &lf__wire_otlp_json) && write_counters(argv[1]);
    lf__buf_done(&items);
    lf__buf_done(&scratch);
    return done ? 0 : 1;
}
