/* OTLP/HTTP request bodies, as protobuf and as JSON. What an observation says is written down once (otlp_attributes,
 * otlp_resource); the two sinks only know how their format spells an attribute and a span.
 */
#include "../base/ids.h"
#include "../base/json.h"
#include "../model/usage.h"
#include "../observe/propagate.h"
#include "pb.h"
#include "wire.h"
#include "wire_text.h"

#include <string.h>

enum {
    OTLP_KIND_INTERNAL = 1,
    OTLP_STATUS_ERROR = 2,
    OTLP_FLAGS = 0x101,        /* sampled; "parent is remote" is known, and it is not */
    OTLP_FLAGS_REMOTE = 0x301, /* likewise, and it is */
    OTLP_LIST_DEPTH = 3,       /* protobuf: messages around the items of a list */
    OTLP_ANSWER_MAX = 64 << 10 /* a partial success with a message of any usual size */
};

static const char otlp_not_found[] = "check LANGFUSE_BASE_URL; servers before v3.22 have no OTLP endpoint";

/* What a span says besides its attributes. */
typedef struct otlp_span {
    lf__view view;
    lf__text name;
    lf__text message; /* of the status */
    lf__text state;   /* W3C tracestate */
    unsigned flags;
    uint64_t start_ns;
    uint64_t end_ns;
    lf_type type;
    lf_level level;
    lf__text incomplete; /* how its scope was left, if not by ending */
} otlp_span;

typedef struct otlp_writer {
    const struct otlp_sink *sink;
    lf__buf *out;
    uint64_t tag; /* protobuf: of the message's list of attributes */
    const lf__wire_context *context;
} otlp_writer;

/* Texts may hold invalid UTF-8, which is repaired; keys may not. Errors stay in `out`. */
typedef struct otlp_sink {
    void (*text)(const otlp_writer *to, lf__text key, lf__text value);
    void (*number)(const otlp_writer *to, lf__text key, int64_t value);
    void (*flag)(const otlp_writer *to, lf__text key, bool value);
    /* An array of strings: begin, one or more items, end. `marks` is the sink's to remember where it began. */
    void (*list_begin)(const otlp_writer *to, lf__text key, size_t marks[OTLP_LIST_DEPTH]);
    void (*list_item)(const otlp_writer *to, lf__text value);
    void (*list_end)(const otlp_writer *to, const size_t marks[OTLP_LIST_DEPTH]);
    void (*span)(const otlp_writer *to, const otlp_span *span);
} otlp_sink;

/* ---- Reading records -------------------------------------------------------------------------------------------- */

static lf__text otlp_payload(const lf__field *field)
{
    return (lf__text){lf__field_payload(field), field->length};
}

static lf__text otlp_string(const lf__field *field)
{
    return field != NULL && field->kind == LF_KIND_STRING ? otlp_payload(field) : (lf__text){NULL, 0};
}

static void otlp_read(otlp_span *span, const lf__record *record, const lf__wire_context *context)
{
    lf__record_view(&span->view, record, context->trace);
    const lf__field *const *last = span->view.last;

    span->name = otlp_string(last[LF__TAG_NAME]);
    if (span->name.size == 0)
        span->name = lf__text_of(span->view.site->function);
    if (span->name.size == 0)
        span->name = lf__text_of("observation");

    span->type = last[LF__TAG_TYPE] != NULL ? (lf_type)lf__wire_int(last[LF__TAG_TYPE]) : (lf_type)record->type;
    span->level = (lf_level)lf__wire_int(last[LF__TAG_LEVEL]);
    span->message = otlp_string(last[LF__TAG_STATUS_MESSAGE]);
    const char *message;
    span->incomplete = lf__text_of(lf__wire_incomplete(record, &message));
    span->state = otlp_string(last[LF__TAG_TRACESTATE]);
    span->flags = (record->flags & LF__FLAG_REMOTE_PARENT) != 0 ? OTLP_FLAGS_REMOTE : OTLP_FLAGS;
    if (span->incomplete.at != NULL) {
        if (span->level == LF_LEVEL_UNSET)
            span->level = LF_LEVEL_WARNING;
        if (span->message.at == NULL)
            span->message = lf__text_of(message);
    }

    int64_t offset_ns = context->wall_offset_ns;
    span->start_ns = lf__wire_wall_ns(record->start_ns, (record->flags & LF__FLAG_WALL_START) != 0, offset_ns);
    span->end_ns = lf__wire_wall_ns(record->end_ns, (record->flags & LF__FLAG_WALL_END) != 0, offset_ns);
    if (span->end_ns < span->start_ns || span->type == LF_EVENT)
        span->end_ns = span->start_ns;
}

/* ---- What is said ----------------------------------------------------------------------------------------------- */

static void otlp_add_text(const otlp_writer *to, lf__text key, lf__text value)
{
    to->sink->text(to, key, value);
}

/* Make the scratch buffer empty, unless it has failed: that must still be seen at the end. */
static lf__buf *otlp_scratch(const otlp_writer *to)
{
    if (!to->context->scratch->failed)
        lf__buf_clear(to->context->scratch);
    return to->context->scratch;
}

/* What lies in the scratch buffer. */
static void otlp_add_scratch(const otlp_writer *to, lf__text key)
{
    const lf__buf *scratch = to->context->scratch;
    if (!scratch->failed)
        otlp_add_text(to, key, lf__buf_text(scratch));
}

static void otlp_add_field(const otlp_writer *to, lf__text key, const lf__field *field)
{
    if (!lf__field_is_set(field))
        return;
    if (field->kind == LF_KIND_STRING || field->kind == LF_KIND_JSON) {
        otlp_add_text(to, key, otlp_payload(field));
        return;
    }
    lf__field_text(otlp_scratch(to), field);
    otlp_add_scratch(to, key);
}

static void otlp_add_input(const otlp_writer *to, const lf__view *view)
{
    lf__text key = lf__text_of("langfuse.observation.input");
    if (view->last[LF__TAG_INPUT] != NULL) {
        otlp_add_field(to, key, view->last[LF__TAG_INPUT]);
    } else if (view->last[LF__TAG_ARGUMENT] != NULL) {
        lf__view_arguments_json(otlp_scratch(to), view);
        otlp_add_scratch(to, key);
    }
}

static void otlp_add_output(const otlp_writer *to, const lf__view *view)
{
    lf__text key = lf__text_of("langfuse.observation.output");
    if (!view->pieces_win) {
        otlp_add_field(to, key, view->last[LF__TAG_OUTPUT]);
        return;
    }
    lf__wire_pieces(otlp_scratch(to), view);
    otlp_add_scratch(to, key);
}

/* Counts and costs under the names of another API, where there are none under ours. */
static void otlp_add_usage(const otlp_writer *to, const lf__view *view)
{
    const lf__field *usage = view->last[LF__TAG_USAGE];
    if (usage == NULL || usage->kind != LF_KIND_JSON)
        return;
    char memory[LF__USAGE_COSTS_MAX];
    lf__buf costs, *details = otlp_scratch(to);
    lf__buf_over(&costs, memory, sizeof memory);
    if (!lf__usage_convert(details, &costs, lf__field_payload(usage), usage->length, lf__wire_model(view)))
        return;
    if (details->length > 0 && view->last[LF__TAG_USAGE_DETAILS] == NULL)
        otlp_add_scratch(to, lf__text_of("langfuse.observation.usage_details"));
    if (costs.length > 0 && view->last[LF__TAG_COST_DETAILS] == NULL)
        otlp_add_text(to, lf__text_of("langfuse.observation.cost_details"), (lf__text){memory, costs.length});
}

static void otlp_add_prompt_version(const otlp_writer *to, const lf__view *view)
{
    const lf__field *version = lf__wire_prompt_version(view);
    if (version != NULL)
        to->sink->number(to, lf__text_of("langfuse.observation.prompt.version"), lf__wire_int(version));
}

/* A JSON string that holds an ISO 8601 time; every version of the server reads this form. */
static void otlp_add_completion_start(const otlp_writer *to, const lf__field *field)
{
    if (field == NULL)
        return;
    uint64_t ns = lf__wire_wall_ns((uint64_t)lf__wire_int(field), field->kind == LF_KIND_INT, to->context->wall_offset_ns);
    char text[LF__WIRE_TIME_SIZE + 2] = "\"";
    size_t size = 1 + lf__wire_time(text + 1, ns);
    text[size++] = '"';
    otlp_add_text(to, lf__text_of("langfuse.observation.completion_start_time"), (lf__text){text, size});
}

/* ---- Metadata --------------------------------------------------------------------------------------------------- */

/* False when the number has a fraction or an exponent, or a double cannot hold it: servers read integers as doubles, and keep
 * text digit by digit. */
static bool otlp_parse_int(lf__text json, int64_t *value)
{
    const int64_t max = 9007199254740991;
    bool negative = json.at[0] == '-';
    *value = 0;
    for (size_t i = negative; i < json.size; i++) {
        if (json.at[i] < '0' || json.at[i] > '9')
            return false;
        int64_t digit = json.at[i] - '0';
        if (__builtin_mul_overflow(*value, 10, value) || __builtin_add_overflow(*value, negative ? -digit : digit, value))
            return false;
    }
    return *value >= -max && *value <= max;
}

/* A server parses each value of metadata as JSON when it reads it, and takes for text what it cannot parse. Text with bytes that will
 * be repaired is judged by its beginning: in quotes any text reads back as itself. */
static bool otlp_reads_as_json(lf__text text)
{
    size_t blanks = 0;
    while (blanks < text.size && memchr(" \t\r\n", text.at[blanks], 4) != NULL)
        blanks++;
    if (blanks == text.size || strchr("\"[{-0123456789tfn", text.at[blanks]) == NULL)
        return false;
    return lf__json_valid(text.at, text.size) || lf__utf8_valid_prefix(text.at, text.size) < text.size;
}

/* Text of metadata: what would read back as a number, an object and so on goes in quotes, as a JSON string. */
static void otlp_add_words(const otlp_writer *to, lf__text key, lf__text text)
{
    if (!otlp_reads_as_json(text)) {
        otlp_add_text(to, key, text);
        return;
    }
    lf__buf quoted, *scratch = to->context->scratch;
    lf__buf_init(&quoted, scratch->limit);
    if (lf__json_string(&quoted, text.at, text.size))
        otlp_add_text(to, key, lf__buf_text(&quoted));
    else
        scratch->failed = true; /* stays to be seen at the end */
    scratch->no_memory |= quoted.no_memory;
    lf__buf_done(&quoted);
}

static void otlp_add_member(const otlp_writer *to, const lf__wire_member *member)
{
    lf__text key = {member->key, member->key_size}, json = {member->value, member->value_size};
    int64_t number;
    if (member->as_text) {
        otlp_add_text(to, key, json);
    } else if (member->is_text) {
        otlp_add_words(to, key, json);
    } else if (json.at[0] == '"') {
        lf__buf *scratch = to->context->scratch;
        size_t start = scratch->length;
        lf__json_unescape(scratch, json.at + 1, json.size - 2);
        otlp_add_words(to, key, (lf__text){scratch->data + start, scratch->length - start});
        if (!scratch->failed)
            lf__buf_rewind(scratch, start);
    } else if (json.at[0] == 't' || json.at[0] == 'f') {
        to->sink->flag(to, key, json.at[0] == 't');
    } else if (otlp_parse_int(json, &number)) {
        to->sink->number(to, key, number);
    } else {
        otlp_add_text(to, key, json);
    }
}

/* Each top-level key is an attribute by itself, behind the prefix; what is no object has the prefix without its dot. */
static void otlp_add_metadata(const otlp_writer *to, const lf__view *view, lf__tag tag, const char *prefix,
                              const lf__wire_member *remarks, size_t remark_count)
{
    lf__buf *scratch = to->context->scratch;
    lf__wire_metadata metadata;
    if (scratch->failed || !lf__wire_metadata_read(&metadata, scratch, view, tag, prefix, remarks, remark_count))
        return; /* `failed` stays to be seen at the end */
    for (size_t i = 0; i < metadata.count; i++)
        otlp_add_member(to, &metadata.members[i]);
    otlp_add_field(to, (lf__text){prefix, strlen(prefix) - 1}, metadata.whole);
}

/* What we say of ourselves among the user's metadata. */
static lf__wire_member otlp_remark(const char *key, lf__text text)
{
    return (lf__wire_member){key, strlen(key), text.at, text.size, .is_text = true};
}

static void otlp_add_own_metadata(const otlp_writer *to, const otlp_span *span)
{
    const lf__view *view = &span->view;
    lf__text id = otlp_string(view->last[LF__TAG_EXTERNAL_ID]);
    lf__wire_member remarks[2];
    size_t count = 0;
    if (id.at != NULL)
        remarks[count++] = otlp_remark("external_id", id);
    if (span->incomplete.at != NULL)
        remarks[count++] = otlp_remark("incomplete", span->incomplete);
    if (view->last[LF__TAG_METADATA] != NULL || count > 0)
        otlp_add_metadata(to, view, LF__TAG_METADATA, "langfuse.observation.metadata.", remarks, count);
}

static void otlp_add_trace_metadata(const otlp_writer *to, const lf__view *view)
{
    lf__text id = otlp_string(view->last[LF__TAG_EXTERNAL_TRACE_ID]);
    lf__wire_member remark = otlp_remark("external_trace_id", id);
    if (view->last[LF__TAG_TRACE_METADATA] != NULL || id.at != NULL)
        otlp_add_metadata(to, view, LF__TAG_TRACE_METADATA, "langfuse.trace.metadata.", &remark, id.at != NULL);
}

/* ---- The trace -------------------------------------------------------------------------------------------------- */

typedef struct otlp_tags {
    const otlp_writer *to;
    size_t count;
    size_t marks[OTLP_LIST_DEPTH];
} otlp_tags;

static bool otlp_add_tag(void *owner, const char *tag, size_t size)
{
    otlp_tags *tags = owner;
    if (tags->count++ == 0)
        tags->to->sink->list_begin(tags->to, lf__text_of("langfuse.trace.tags"), tags->marks);
    tags->to->sink->list_item(tags->to, (lf__text){tag, size});
    return !tags->to->out->failed;
}

/* No list at all when there are no tags: servers make one odd tag of an empty list. */
static void otlp_add_tags(const otlp_writer *to, const lf__view *view)
{
    otlp_tags tags = {.to = to};
    if (view->last[LF__TAG_TRACE_TAGS] == NULL)
        return;
    lf__view_tags(view, otlp_scratch(to), otlp_add_tag, &tags);
    if (tags.count > 0)
        to->sink->list_end(to, tags.marks);
}

/* ---- All attributes --------------------------------------------------------------------------------------------- */

static void otlp_add_option(const otlp_writer *to, lf__text key, const char *value)
{
    if (value != NULL)
        otlp_add_text(to, key, lf__text_of(value));
}

/* What a field says, or else the configuration. */
static void otlp_add_setting(const otlp_writer *to, lf__text key, const lf__field *field, const char *otherwise)
{
    lf__text text = otlp_string(field);
    if (text.size > 0)
        otlp_add_text(to, key, text);
    else
        otlp_add_option(to, key, otherwise);
}

static void otlp_attributes(const otlp_writer *to, const otlp_span *span)
{
    static const struct {
        lf__tag tag;
        lf__text key;
    } plain[] = {
        {LF__TAG_MODEL, LF__TEXT("langfuse.observation.model.name")},
        {LF__TAG_MODEL_PARAMETERS, LF__TEXT("langfuse.observation.model.parameters")},
        {LF__TAG_USAGE_DETAILS, LF__TEXT("langfuse.observation.usage_details")},
        {LF__TAG_COST_DETAILS, LF__TEXT("langfuse.observation.cost_details")},
        {LF__TAG_PROMPT_NAME, LF__TEXT("langfuse.observation.prompt.name")},
        {LF__TAG_VERSION, LF__TEXT("langfuse.version")},
        {LF__TAG_USER_ID, LF__TEXT("user.id")},
        {LF__TAG_SESSION_ID, LF__TEXT("session.id")},
        {LF__TAG_TRACE_NAME, LF__TEXT("langfuse.trace.name")},
        {LF__TAG_TRACE_INPUT, LF__TEXT("langfuse.trace.input")},
        {LF__TAG_TRACE_OUTPUT, LF__TEXT("langfuse.trace.output")},
    };
    const lf__view *view = &span->view;
    const lf__config *config = to->context->config;
    lf__text level = lf__text_of(lf__wire_level_name(span->level));

    otlp_add_text(to, lf__text_of("langfuse.observation.type"), lf__text_of(lf__wire_type_name(span->type)));
    if (level.at != NULL)
        otlp_add_text(to, lf__text_of("langfuse.observation.level"), level);
    if (span->message.at != NULL)
        otlp_add_text(to, lf__text_of("langfuse.observation.status_message"), span->message);
    otlp_add_input(to, view);
    otlp_add_output(to, view);
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (view->last[plain[i].tag] != NULL)
            otlp_add_field(to, plain[i].key, view->last[plain[i].tag]);
    otlp_add_usage(to, view);
    otlp_add_prompt_version(to, view);
    otlp_add_completion_start(to, view->last[LF__TAG_COMPLETION_START]);
    otlp_add_own_metadata(to, span);
    otlp_add_trace_metadata(to, view);
    otlp_add_tags(to, view);
    if (view->last[LF__TAG_TRACE_PUBLIC] != NULL)
        to->sink->flag(to, lf__text_of("langfuse.trace.public"), lf__wire_int(view->last[LF__TAG_TRACE_PUBLIC]) != 0);
    otlp_add_setting(to, lf__text_of("langfuse.environment"), view->last[LF__TAG_ENVIRONMENT], config->environment);
    otlp_add_setting(to, lf__text_of("langfuse.release"), view->last[LF__TAG_RELEASE], config->release);
    if ((view->record->flags & LF__FLAG_APP_ROOT) != 0)
        to->sink->flag(to, lf__text_of("langfuse.internal.is_app_root"), true);
}

/* Ours come last and win over the user's of the same name. */
static void otlp_resource(const otlp_writer *to, const lf__config *config)
{
    const struct {
        lf__text key;
        const char *value;
    } ours[] = {
        {LF__TEXT("telemetry.sdk.language"), "c"},
        {LF__TEXT("telemetry.sdk.name"), "langfuse"},
        {LF__TEXT("telemetry.sdk.version"), LANGFUSE_VERSION},
        {LF__TEXT("langfuse.environment"), config->environment},
        {LF__TEXT("langfuse.release"), config->release},
    };
    for (size_t i = 0; i < config->resource_count; i++) {
        lf__text key = lf__text_of(config->resource[i].key);
        bool taken = key.size == 0 || lf__utf8_valid_prefix(key.at, key.size) != key.size;
        for (size_t j = 0; j < sizeof ours / sizeof *ours && !taken; j++)
            taken = ours[j].value != NULL && strcmp(key.at, ours[j].key.at) == 0;
        if (!taken)
            otlp_add_option(to, key, config->resource[i].value);
    }
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        otlp_add_option(to, ours[i].key, ours[i].value);
}

static const lf__text otlp_scope_name = LF__TEXT("langfuse-sdk"); /* any other makes a server copy all attributes */
static const lf__text otlp_scope_version = LF__TEXT(LANGFUSE_VERSION);

static void otlp_scope_attributes(const otlp_writer *to, const lf__config *config)
{
    otlp_add_option(to, lf__text_of("public_key"), config->public_key);
}

static bool otlp_has_parent(const lf__record *record)
{
    return !lf__id_is_zero(record->parent_id, sizeof record->parent_id);
}

/* Take back what was appended since `start` if anything went wrong. */
static bool otlp_finish(lf__buf *out, size_t start, bool failed)
{
    failed |= out->failed;
    if (failed)
        lf__buf_rewind(out, start);
    return !failed;
}

static bool otlp_item(const otlp_sink *sink, lf__buf *out, uint64_t tag, const lf__record *record, const lf__wire_context *context)
{
    if (out->failed)
        return false;
    size_t start = out->length;
    lf__buf_clear(context->scratch);
    otlp_span span;
    otlp_read(&span, record, context);
    sink->span(&(otlp_writer){sink, out, tag, context}, &span);
    return otlp_finish(out, start, context->scratch->failed);
}

/* ---- Protobuf --------------------------------------------------------------------------------------------------- */

/* Field numbers of opentelemetry/proto/{collector/trace,trace,resource,common}/v1, as tags. */
#define OTLP_REQUEST_RESOURCE_SPANS LF__PB_TAG(1, LF__PB_BYTES)
#define OTLP_RESOURCE_SPANS_RESOURCE LF__PB_TAG(1, LF__PB_BYTES)
#define OTLP_RESOURCE_SPANS_SCOPE_SPANS LF__PB_TAG(2, LF__PB_BYTES)
#define OTLP_RESOURCE_ATTRIBUTES LF__PB_TAG(1, LF__PB_BYTES)
#define OTLP_SCOPE_SPANS_SCOPE LF__PB_TAG(1, LF__PB_BYTES)
#define OTLP_SCOPE_SPANS_SPANS LF__PB_TAG(2, LF__PB_BYTES)
#define OTLP_SCOPE_NAME LF__PB_TAG(1, LF__PB_BYTES)
#define OTLP_SCOPE_VERSION LF__PB_TAG(2, LF__PB_BYTES)
#define OTLP_SCOPE_ATTRIBUTES LF__PB_TAG(3, LF__PB_BYTES)
#define OTLP_SPAN_TRACE_ID LF__PB_TAG(1, LF__PB_BYTES)
#define OTLP_SPAN_ID LF__PB_TAG(2, LF__PB_BYTES)
#define OTLP_SPAN_STATE LF__PB_TAG(3, LF__PB_BYTES)
#define OTLP_SPAN_PARENT_ID LF__PB_TAG(4, LF__PB_BYTES)
#define OTLP_SPAN_NAME LF__PB_TAG(5, LF__PB_BYTES)
#define OTLP_SPAN_KIND LF__PB_TAG(6, LF__PB_VARINT)
#define OTLP_SPAN_START LF__PB_TAG(7, LF__PB_FIXED64)
#define OTLP_SPAN_END LF__PB_TAG(8, LF__PB_FIXED64)
#define OTLP_SPAN_ATTRIBUTES LF__PB_TAG(9, LF__PB_BYTES)
#define OTLP_SPAN_STATUS LF__PB_TAG(15, LF__PB_BYTES)
#define OTLP_SPAN_FLAGS LF__PB_TAG(16, LF__PB_FIXED32)
#define OTLP_STATUS_MESSAGE LF__PB_TAG(2, LF__PB_BYTES)
#define OTLP_STATUS_CODE LF__PB_TAG(3, LF__PB_VARINT)
#define OTLP_KEY_VALUE_KEY LF__PB_TAG(1, LF__PB_BYTES)
#define OTLP_KEY_VALUE_VALUE LF__PB_TAG(2, LF__PB_BYTES)
#define OTLP_ANY_STRING LF__PB_TAG(1, LF__PB_BYTES)
#define OTLP_ANY_BOOL LF__PB_TAG(2, LF__PB_VARINT)
#define OTLP_ANY_INT LF__PB_TAG(3, LF__PB_VARINT)
#define OTLP_ANY_ARRAY LF__PB_TAG(5, LF__PB_BYTES)
#define OTLP_ARRAY_VALUES LF__PB_TAG(1, LF__PB_BYTES)

static size_t otlp_repaired_size(lf__text text, bool *valid)
{
    *valid = lf__utf8_valid_prefix(text.at, text.size) == text.size;
    return *valid ? text.size : lf__utf8_size(text.at, text.size);
}

static void otlp_pb_string(lf__buf *out, uint64_t tag, lf__text text)
{
    bool valid;
    lf__pb_add_prefix(out, tag, otlp_repaired_size(text, &valid));
    if (valid)
        lf__buf_add(out, text.at, text.size);
    else
        lf__utf8_add(out, text.at, text.size);
}

static void otlp_pb_commit(lf__buf *out, const char *end)
{
    out->length = (size_t)(end - out->data);
}

/* Write a KeyValue up to its AnyValue, for which there is room then. Nothing counts before otlp_pb_commit. */
static char *otlp_pb_key(const otlp_writer *to, lf__text key, size_t any_size)
{
    size_t size = 1 + lf__pb_varint_size(key.size) + key.size + 1 + lf__pb_varint_size(any_size) + any_size;
    char *at = lf__buf_reserve(to->out, 1 + lf__pb_varint_size(size) + size);
    if (at == NULL)
        return NULL;
    at = lf__pb_put_varint(lf__pb_put_varint(at, to->tag), size);
    at = lf__pb_put_bytes(at, OTLP_KEY_VALUE_KEY, key.at, key.size);
    return lf__pb_put_varint(lf__pb_put_varint(at, OTLP_KEY_VALUE_VALUE), any_size);
}

static void otlp_pb_text(const otlp_writer *to, lf__text key, lf__text value)
{
    bool valid;
    size_t size = otlp_repaired_size(value, &valid);
    char *at = otlp_pb_key(to, key, 1 + lf__pb_varint_size(size) + size);
    if (at == NULL)
        return;
    at = lf__pb_put_varint(lf__pb_put_varint(at, OTLP_ANY_STRING), size);
    otlp_pb_commit(to->out, at);
    if (valid)
        lf__buf_add(to->out, value.at, size);
    else
        lf__utf8_add(to->out, value.at, value.size);
}

static void otlp_pb_varint(const otlp_writer *to, lf__text key, uint64_t tag, uint64_t value)
{
    char *at = otlp_pb_key(to, key, 1 + lf__pb_varint_size(value));
    if (at != NULL)
        otlp_pb_commit(to->out, lf__pb_put_varint(lf__pb_put_varint(at, tag), value));
}

static void otlp_pb_number(const otlp_writer *to, lf__text key, int64_t value)
{
    otlp_pb_varint(to, key, OTLP_ANY_INT, (uint64_t)value);
}

static void otlp_pb_flag(const otlp_writer *to, lf__text key, bool value)
{
    otlp_pb_varint(to, key, OTLP_ANY_BOOL, value);
}

static void otlp_pb_list_begin(const otlp_writer *to, lf__text key, size_t marks[OTLP_LIST_DEPTH])
{
    marks[0] = lf__pb_begin(to->out, to->tag);
    otlp_pb_string(to->out, OTLP_KEY_VALUE_KEY, key);
    marks[1] = lf__pb_begin(to->out, OTLP_KEY_VALUE_VALUE);
    marks[2] = lf__pb_begin(to->out, OTLP_ANY_ARRAY);
}

static void otlp_pb_list_item(const otlp_writer *to, lf__text value)
{
    bool valid;
    size_t size = otlp_repaired_size(value, &valid);
    lf__pb_add_prefix(to->out, OTLP_ARRAY_VALUES, 1 + lf__pb_varint_size(size) + size);
    otlp_pb_string(to->out, OTLP_ANY_STRING, value);
}

static void otlp_pb_list_end(const otlp_writer *to, const size_t marks[OTLP_LIST_DEPTH])
{
    for (size_t i = OTLP_LIST_DEPTH; i > 0; i--)
        lf__pb_end(to->out, marks[i - 1]);
}

/* Present though empty when there is no error, as other SDKs send it. */
static void otlp_pb_status(lf__buf *out, const otlp_span *span)
{
    bool failed = span->level == LF_LEVEL_ERROR, said = failed && span->message.at != NULL, valid;
    size_t message = said ? otlp_repaired_size(span->message, &valid) : 0;
    lf__pb_add_prefix(out, OTLP_SPAN_STATUS, (said ? 1 + lf__pb_varint_size(message) + message : 0) + (failed ? 2 : 0));
    if (said)
        otlp_pb_string(out, OTLP_STATUS_MESSAGE, span->message);
    if (failed)
        lf__buf_add(out, (char[]){OTLP_STATUS_CODE, OTLP_STATUS_ERROR}, 2);
}

static void otlp_pb_span(const otlp_writer *to, const otlp_span *span)
{
    const lf__record *record = span->view.record;
    lf__buf *out = to->out;
    char fixed[128], *at = fixed;
    size_t body = lf__pb_begin(out, OTLP_SCOPE_SPANS_SPANS);
    at = lf__pb_put_bytes(at, OTLP_SPAN_TRACE_ID, record->trace_id, sizeof record->trace_id);
    at = lf__pb_put_bytes(at, OTLP_SPAN_ID, record->id, sizeof record->id);
    if (otlp_has_parent(record))
        at = lf__pb_put_bytes(at, OTLP_SPAN_PARENT_ID, record->parent_id, sizeof record->parent_id);
    at = lf__pb_put_varint(lf__pb_put_varint(at, OTLP_SPAN_KIND), OTLP_KIND_INTERNAL);
    at = lf__pb_put_fixed64(lf__pb_put_varint(at, OTLP_SPAN_START), span->start_ns);
    at = lf__pb_put_fixed64(lf__pb_put_varint(at, OTLP_SPAN_END), span->end_ns);
    at = lf__pb_put_fixed32(lf__pb_put_varint(at, OTLP_SPAN_FLAGS), span->flags);
    lf__buf_add(out, fixed, (size_t)(at - fixed));
    otlp_pb_string(out, OTLP_SPAN_NAME, span->name);
    if (span->state.size > 0)
        otlp_pb_string(out, OTLP_SPAN_STATE, span->state);
    otlp_attributes(to, span);
    otlp_pb_status(out, span);
    lf__pb_end(out, body);
}

static const otlp_sink otlp_pb_sink = {
    .text = otlp_pb_text,
    .number = otlp_pb_number,
    .flag = otlp_pb_flag,
    .list_begin = otlp_pb_list_begin,
    .list_item = otlp_pb_list_item,
    .list_end = otlp_pb_list_end,
    .span = otlp_pb_span,
};

static bool otlp_pb_item(lf__buf *out, const lf__record *record, const lf__wire_context *context)
{
    return otlp_item(&otlp_pb_sink, out, OTLP_SPAN_ATTRIBUTES, record, context);
}

static bool otlp_pb_head(lf__buf *out, const lf__config *config, size_t items_size)
{
    if (out->failed)
        return false;
    /* The messages around the items begin with their lengths, so what stands between these is written first. */
    lf__buf parts;
    lf__buf_init(&parts, out->limit);
    size_t resource = lf__pb_begin(&parts, OTLP_RESOURCE_SPANS_RESOURCE);
    otlp_resource(&(otlp_writer){&otlp_pb_sink, &parts, OTLP_RESOURCE_ATTRIBUTES, NULL}, config);
    lf__pb_end(&parts, resource);
    size_t resource_size = parts.length;
    size_t scope = lf__pb_begin(&parts, OTLP_SCOPE_SPANS_SCOPE);
    otlp_pb_string(&parts, OTLP_SCOPE_NAME, otlp_scope_name);
    otlp_pb_string(&parts, OTLP_SCOPE_VERSION, otlp_scope_version);
    otlp_scope_attributes(&(otlp_writer){&otlp_pb_sink, &parts, OTLP_SCOPE_ATTRIBUTES, NULL}, config);
    lf__pb_end(&parts, scope);
    size_t scope_size = parts.length - resource_size;

    size_t start = out->length;
    size_t scope_spans = scope_size + items_size;
    size_t resource_spans = resource_size + 1 + lf__pb_varint_size(scope_spans) + scope_spans;
    if (!parts.failed) {
        lf__pb_add_prefix(out, OTLP_REQUEST_RESOURCE_SPANS, resource_spans);
        lf__buf_add(out, parts.data, resource_size);
        lf__pb_add_prefix(out, OTLP_RESOURCE_SPANS_SCOPE_SPANS, scope_spans);
        lf__buf_add(out, parts.data + resource_size, scope_size);
    }
    out->no_memory |= parts.no_memory;
    bool done = otlp_finish(out, start, parts.failed);
    lf__buf_done(&parts);
    return done;
}

static bool otlp_pb_tail(lf__buf *out)
{
    return !out->failed;
}

const lf__wire lf__wire_otlp_protobuf = {
    .content_type = "application/x-protobuf",
    .separator = "",
    .noun = "observation",
    .not_found = otlp_not_found,
    .items_max = SIZE_MAX,
    .takes_gzip = true,
    .answer_max = OTLP_ANSWER_MAX,
    .item = otlp_pb_item,
    .head = otlp_pb_head,
    .tail = otlp_pb_tail,
};

/* ---- JSON ------------------------------------------------------------------------------------------------------- */

static void otlp_json_key(lf__buf *out, lf__text key)
{
    if (!out->failed && out->data[out->length - 1] != '[')
        lf__buf_add_char(out, ',');
    LF__BUF_ADD(out, "{\"key\":");
    lf__json_string(out, key.at, key.size);
}

static void otlp_json_text(const otlp_writer *to, lf__text key, lf__text value)
{
    otlp_json_key(to->out, key);
    LF__BUF_ADD(to->out, ",\"value\":{\"stringValue\":");
    lf__json_string(to->out, value.at, value.size);
    LF__BUF_ADD(to->out, "}}");
}

/* 64-bit numbers are strings in OTLP/JSON. */
static void otlp_json_number(const otlp_writer *to, lf__text key, int64_t value)
{
    otlp_json_key(to->out, key);
    LF__BUF_ADD(to->out, ",\"value\":{\"intValue\":\"");
    lf__json_int(to->out, value);
    LF__BUF_ADD(to->out, "\"}}");
}

static void otlp_json_flag(const otlp_writer *to, lf__text key, bool value)
{
    otlp_json_key(to->out, key);
    LF__BUF_ADD(to->out, ",\"value\":{\"boolValue\":");
    lf__buf_add_text(to->out, value ? "true}}" : "false}}");
}

static void otlp_json_list_begin(const otlp_writer *to, lf__text key, size_t marks[OTLP_LIST_DEPTH])
{
    (void)marks;
    otlp_json_key(to->out, key);
    LF__BUF_ADD(to->out, ",\"value\":{\"arrayValue\":{\"values\":[");
}

static void otlp_json_list_item(const otlp_writer *to, lf__text value)
{
    if (!to->out->failed && to->out->data[to->out->length - 1] != '[')
        lf__buf_add_char(to->out, ',');
    LF__BUF_ADD(to->out, "{\"stringValue\":");
    lf__json_string(to->out, value.at, value.size);
    lf__buf_add_char(to->out, '}');
}

static void otlp_json_list_end(const otlp_writer *to, const size_t marks[OTLP_LIST_DEPTH])
{
    (void)marks;
    LF__BUF_ADD(to->out, "]}}}");
}

static void otlp_json_hex(lf__buf *out, const uint8_t *bytes, size_t size)
{
    char *at = lf__buf_reserve(out, 2 * size + 1); /* the NUL does not count */
    if (at == NULL)
        return;
    lf__id_write(bytes, size, at);
    lf__buf_commit(out, 2 * size);
}

static void otlp_json_span(const otlp_writer *to, const otlp_span *span)
{
    const lf__record *record = span->view.record;
    lf__buf *out = to->out;
    LF__BUF_ADD(out, "{\"traceId\":\"");
    otlp_json_hex(out, record->trace_id, sizeof record->trace_id);
    LF__BUF_ADD(out, "\",\"spanId\":\"");
    otlp_json_hex(out, record->id, sizeof record->id);
    if (otlp_has_parent(record)) {
        LF__BUF_ADD(out, "\",\"parentSpanId\":\"");
        otlp_json_hex(out, record->parent_id, sizeof record->parent_id);
    }
    LF__BUF_ADD(out, "\",\"name\":");
    lf__json_string(out, span->name.at, span->name.size);
    LF__BUF_ADD(out, ",\"kind\":");
    lf__json_uint(out, OTLP_KIND_INTERNAL);
    if (span->state.size > 0) {
        LF__BUF_ADD(out, ",\"traceState\":");
        lf__json_string(out, span->state.at, span->state.size);
    }
    LF__BUF_ADD(out, ",\"flags\":");
    lf__json_uint(out, span->flags);
    LF__BUF_ADD(out, ",\"startTimeUnixNano\":\"");
    lf__json_uint(out, span->start_ns);
    LF__BUF_ADD(out, "\",\"endTimeUnixNano\":\"");
    lf__json_uint(out, span->end_ns);
    LF__BUF_ADD(out, "\",\"status\":{");
    if (span->level == LF_LEVEL_ERROR) {
        LF__BUF_ADD(out, "\"code\":");
        lf__json_uint(out, OTLP_STATUS_ERROR);
        if (span->message.at != NULL) {
            LF__BUF_ADD(out, ",\"message\":");
            lf__json_string(out, span->message.at, span->message.size);
        }
    }
    LF__BUF_ADD(out, "},\"attributes\":[");
    otlp_attributes(to, span);
    LF__BUF_ADD(out, "]}");
}

static const otlp_sink otlp_json_sink = {
    .text = otlp_json_text,
    .number = otlp_json_number,
    .flag = otlp_json_flag,
    .list_begin = otlp_json_list_begin,
    .list_item = otlp_json_list_item,
    .list_end = otlp_json_list_end,
    .span = otlp_json_span,
};

static bool otlp_json_item(lf__buf *out, const lf__record *record, const lf__wire_context *context)
{
    return otlp_item(&otlp_json_sink, out, 0, record, context);
}

static bool otlp_json_head(lf__buf *out, const lf__config *config, size_t items_size)
{
    (void)items_size;
    if (out->failed)
        return false;
    size_t start = out->length;
    const otlp_writer to = {&otlp_json_sink, out, 0, NULL};
    LF__BUF_ADD(out, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[");
    otlp_resource(&to, config);
    LF__BUF_ADD(out, "]},\"scopeSpans\":[{\"scope\":{\"name\":");
    lf__json_string(out, otlp_scope_name.at, otlp_scope_name.size);
    LF__BUF_ADD(out, ",\"version\":");
    lf__json_string(out, otlp_scope_version.at, otlp_scope_version.size);
    if (config->public_key != NULL) {
        LF__BUF_ADD(out, ",\"attributes\":[");
        otlp_scope_attributes(&to, config);
        LF__BUF_ADD(out, "]");
    }
    LF__BUF_ADD(out, "},\"spans\":[");
    return otlp_finish(out, start, false);
}

static bool otlp_json_tail(lf__buf *out)
{
    return LF__BUF_ADD(out, "]}]}]}");
}

const lf__wire lf__wire_otlp_json = {
    .content_type = "application/json",
    .separator = ",",
    .noun = "observation",
    .not_found = otlp_not_found,
    .items_max = SIZE_MAX,
    .takes_gzip = true,
    .answer_max = OTLP_ANSWER_MAX,
    .item = otlp_json_item,
    .head = otlp_json_head,
    .tail = otlp_json_tail,
};
