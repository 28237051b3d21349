#include "carrier.h"

#include "../base/ids.h"
#include "../base/json.h"
#include "../base/setting.h"
#include "capture.h"
#include "propagate.h"
#include "trace_context.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

enum {
    CARRIER_MARKS = LF__MARK_PROPAGATED | LF__MARK_BAGGAGE,
    CARRIER_MEMBER_MAX = 4096,         /* of "key=value": OpenTelemetry's readers skip a longer one */
    CARRIER_TEXT_MAX = 4 * LF__CONTEXT_MAX, /* of scratch; repaired text is at most three times as long */
    CARRIER_TRACE_ID_AT = 3, /* in a traceparent */
    CARRIER_TRACE_ID_DIGITS = LF_TRACE_ID_SIZE - 1
};

#define CARRIER_PREFIX "langfuse_"
#define CARRIER_TRACE_ID "langfuse_trace_id"
#define CARRIER_TAGS "langfuse_tags"
#define CARRIER_METADATA "langfuse_metadata_"

/* Members that are one value. */
static const struct {
    const char *key;
    lf__tag tag;
} carrier_values[] = {
    {"langfuse_user_id", LF__TAG_USER_ID},
    {"langfuse_session_id", LF__TAG_SESSION_ID},
    {"langfuse_version", LF__TAG_VERSION},
    {"langfuse_trace_name", LF__TAG_TRACE_NAME},
    {"langfuse_environment", LF__TAG_ENVIRONMENT},
    {"langfuse_prompt_name", LF__TAG_PROMPT_NAME},
    {"langfuse_prompt_version", LF__TAG_PROMPT_VERSION},
};

enum { CARRIER_VALUES = sizeof carrier_values / sizeof *carrier_values };

/* 0 for a text that is no version: versions begin at 1. */
static int64_t carrier_prompt_version(const char *text, size_t size)
{
    int64_t number = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return 0;
        number = number * 10 + (text[i] - '0');
        if (number > INT_MAX)
            return 0;
    }
    return number;
}

/* Metadata is JSON in other SDKs: text in quotes, so that "123" is none of their numbers. What is no JSON is text, and so is null,
 * which says nothing in an object. */
static bool carrier_is_json(lf__text value)
{
    return value.size > 0 && value.at[0] > ' ' && value.at[0] != 'n' && lf__json_valid(value.at, value.size);
}

/* The size of a member as it stands in the header, with its properties. lf__baggage_next has just moved to `next`. */
static size_t carrier_raw_size(const char *text, size_t next, const lf__baggage_member *member)
{
    return lf__text_trim((lf__text){member->key, (size_t)(text + next - 1 - member->key)}, " \t").size;
}

/* ---- Out ---------------------------------------------------------------------------------------------------------- */

typedef struct carrier_out {
    const lf_context *context;
    lf__buf baggage; /* has all its memory from the start */
    lf__buf text;    /* scratch: a value */
    lf__buf key;     /* scratch: the key of a metadata member, the list of tags */
    lf__buf seen;    /* tags, each behind its length */
} carrier_out;

/* Bytes of the member "key=value". */
static size_t carrier_member_size(const char *key, lf__text value)
{
    return strlen(key) + 1 + lf__percent_size(value.at, value.size);
}

static void carrier_add_member(carrier_out *out, const char *key, lf__text value)
{
    if (carrier_member_size(key, value) <= CARRIER_MEMBER_MAX)
        (void)lf__baggage_add(&out->baggage, key, value.at, value.size);
}

static const lf__field *carrier_next_field(const lf_context *context, const lf__field *after)
{
    return lf__fields_next(context->fields, context->size, after);
}

static bool carrier_leaves(const lf__field *field, lf__tag tag)
{
    return field->tag == tag && (field->index & CARRIER_MARKS) == CARRIER_MARKS && lf__propagated_valid(field);
}

/* The repaired text is judged: that is what the receiver will see. */
static bool carrier_value_text(carrier_out *out, const lf__field *field)
{
    lf__buf_clear(&out->text);
    if (!lf__field_text(&out->text, field))
        return false;
    if (field->tag == LF__TAG_PROMPT_VERSION)
        return carrier_prompt_version(out->text.data, out->text.length) > 0;
    return field->tag == LF__TAG_PROMPT_NAME || lf__propagated_text(out->text.data, out->text.length);
}

static void carrier_add_value(carrier_out *out, const char *key, lf__tag tag)
{
    const lf__field *last = NULL;
    for (const lf__field *field = NULL; (field = carrier_next_field(out->context, field)) != NULL;)
        if (carrier_leaves(field, tag) && carrier_value_text(out, field))
            last = field;
    if (last != NULL && carrier_value_text(out, last))
        carrier_add_member(out, key, lf__buf_text(&out->text));
}

static bool carrier_is_seen(const lf__buf *seen, lf__text tag)
{
    lf__text one;
    for (size_t at = 0; at < seen->length; at += one.size) {
        memcpy(&one.size, seen->data + at, sizeof one.size);
        one.at = seen->data + (at += sizeof one.size);
        if (lf__text_equals(one, tag))
            return true;
    }
    return false;
}

/* The tag in out->text goes to the list, unless it is there. False when the header has no room for it. */
static bool carrier_list_tag(carrier_out *out)
{
    lf__text tag = lf__buf_text(&out->text);
    if (tag.size == 0 || !lf__propagated_text(tag.at, tag.size) || carrier_is_seen(&out->seen, tag))
        return true;
    size_t before = out->key.length;
    bool listed = lf__baggage_tags_add(&out->key, tag.at, tag.size);
    size_t member = carrier_member_size(CARRIER_TAGS, lf__buf_text(&out->key));
    if (!listed || member > CARRIER_MEMBER_MAX || out->baggage.length + 1 + member > LF__BAGGAGE_MAX) {
        lf__buf_rewind(&out->key, before);
        return false;
    }
    lf__buf_add(&out->seen, &tag.size, sizeof tag.size);
    return lf__buf_add(&out->seen, tag.at, tag.size);
}

static bool carrier_list_tags(carrier_out *out, const lf__field *field)
{
    lf__text item;
    for (size_t at = 0; lf__json_next_item(lf__field_payload(field), field->length, &at, &item);) {
        lf__buf_clear(&out->text);
        if (item.at[0] == '"' && (!lf__json_unescape(&out->text, item.at + 1, item.size - 2) || !carrier_list_tag(out)))
            return false;
    }
    return true;
}

static void carrier_add_tags(carrier_out *out)
{
    bool more = true;
    lf__buf_clear(&out->key);
    for (const lf__field *field = NULL; more && (field = carrier_next_field(out->context, field)) != NULL;)
        if (carrier_leaves(field, LF__TAG_TRACE_TAGS))
            more = carrier_list_tags(out, field);
    if (out->key.length > 0)
        carrier_add_member(out, CARRIER_TAGS, lf__buf_text(&out->key));
}

/* "langfuse_metadata_" and the name, which may be any text: other SDKs, too, percent-encode keys. */
static const char *carrier_metadata_key(carrier_out *out, const lf__json_member *member)
{
    lf__buf_clear(&out->text);
    lf__buf_clear(&out->key);
    if (!lf__json_unescape(&out->text, member->key, member->key_size) || out->text.length == 0)
        return NULL;
    lf__buf_add_text(&out->key, CARRIER_METADATA);
    lf__buf_add_percent(&out->key, out->text.data, out->text.length);
    return lf__buf_add_char(&out->key, '\0') ? out->key.data : NULL;
}

static void carrier_add_metadata_member(carrier_out *out, const lf__json_member *member)
{
    const char *key = carrier_metadata_key(out, member);
    lf__buf_clear(&out->text);
    bool is_text = member->value[0] == '"';
    bool ok = is_text ? lf__json_unescape(&out->text, member->value + 1, member->value_size - 2)
                      : lf__buf_add(&out->text, member->value, member->value_size);
    if (key == NULL || !ok || !lf__propagated_text(out->text.data, out->text.length))
        return;
    /* Text that the receiver would take for JSON keeps its quotes. */
    bool is_quoted = is_text && carrier_is_json(lf__buf_text(&out->text));
    carrier_add_member(out, key, is_quoted ? (lf__text){member->value, member->value_size} : lf__buf_text(&out->text));
}

static void carrier_add_metadata(carrier_out *out)
{
    for (const lf__field *field = NULL; (field = carrier_next_field(out->context, field)) != NULL;) {
        lf__json_member member;
        if (!carrier_leaves(field, LF__TAG_TRACE_METADATA))
            continue;
        for (size_t at = 0; lf__json_next_member(lf__field_payload(field), field->length, &at, &member);)
            carrier_add_metadata_member(out, &member);
    }
}

/* Members that are not ours go on unread, each whole or not at all. */
static void carrier_add_foreign(carrier_out *out, const char *text, size_t size)
{
    lf__buf *header = &out->baggage;
    size_t members = header->length > 0;
    for (size_t i = 0; i < header->length; i++)
        members += header->data[i] == ',';
    lf__baggage_member member;
    for (size_t at = 0; members < LF__BAGGAGE_MEMBERS && lf__baggage_next(text, size, &at, &member);) {
        size_t raw = carrier_raw_size(text, at, &member), comma = header->length > 0;
        if (header->length + comma + raw > LF__BAGGAGE_MAX)
            continue;
        lf__buf_add(header, ",", comma);
        lf__buf_add(header, member.key, raw);
        members++;
    }
}

static void carrier_add_all(carrier_out *out)
{
    for (size_t i = 0; i < CARRIER_VALUES; i++)
        carrier_add_value(out, carrier_values[i].key, carrier_values[i].tag);
    carrier_add_tags(out);
    carrier_add_metadata(out);
    for (const lf__field *field = NULL; (field = carrier_next_field(out->context, field)) != NULL;)
        if (field->tag == LF__TAG_BAGGAGE)
            carrier_add_foreign(out, lf__field_payload(field), field->length);
}

/* The header, empty when there is nothing to say, or no memory. Free with lf__buf_done. `trace_id` (its digits, without a NUL)
 * is the claim that the receiver's observations have an ancestor which Langfuse knows; or NULL. */
static lf__buf carrier_baggage(const lf_context *context, const char *trace_id)
{
    carrier_out out = {.context = context};
    lf__buf_init(&out.baggage, LF__BAGGAGE_MAX + 1);
    lf__buf_init(&out.text, CARRIER_TEXT_MAX);
    lf__buf_init(&out.key, CARRIER_TEXT_MAX);
    lf__buf_init(&out.seen, CARRIER_TEXT_MAX);
    if (lf__buf_reserve(&out.baggage, LF__BAGGAGE_MAX + 1) != NULL) {
        if (trace_id != NULL)
            carrier_add_member(&out, CARRIER_TRACE_ID, (lf__text){trace_id, CARRIER_TRACE_ID_DIGITS});
        carrier_add_all(&out);
        out.baggage.data[out.baggage.length] = '\0';
    }
    lf__buf_done(&out.text);
    lf__buf_done(&out.key);
    lf__buf_done(&out.seen);
    return out.baggage;
}

/* False when the context is in no trace. */
static bool carrier_traceparent(const lf_context *context, char out[LF__TRACEPARENT_SIZE])
{
    lf__traceparent parent = {.flags = (context->flags & LF__FLAG_UNSAMPLED) != 0 ? 0 : LF__TRACE_SAMPLED};
    if ((context->flags & LF__FLAG_NO_TRACE) != 0 || lf__id_is_zero(context->trace_id, sizeof context->trace_id) ||
        lf__id_is_zero(context->id, sizeof context->id))
        return false;
    memcpy(parent.trace_id, context->trace_id, sizeof parent.trace_id);
    memcpy(parent.parent_id, context->id, sizeof parent.parent_id);
    lf__traceparent_format(&parent, out);
    return true;
}

/* False when there is none. Checked again: a line break here would be another header. */
static bool carrier_tracestate(const lf_context *context, char out[LF__TRACESTATE_MAX + 1])
{
    const lf__field *last = NULL;
    for (const lf__field *field = NULL; (field = carrier_next_field(context, field)) != NULL;)
        if (field->tag == LF__TAG_TRACESTATE && field->kind == LF_KIND_STRING)
            last = field;
    if (last == NULL || !lf__tracestate_valid(lf__field_payload(last), last->length))
        return false;
    memcpy(out, lf__field_payload(last), last->length);
    out[last->length] = '\0';
    return true;
}

int lf__carrier_inject(const lf_context *context, void (*set)(void *data, const char *name, const char *value), void *data)
{
    char parent[LF__TRACEPARENT_SIZE], state[LF__TRACESTATE_MAX + 1];
    int count = 0;
    if (context == NULL || set == NULL)
        return 0;
    bool in_trace = carrier_traceparent(context, parent);
    if (in_trace) {
        set(data, "traceparent", parent);
        count++;
    }
    if (in_trace && carrier_tracestate(context, state)) {
        set(data, "tracestate", state);
        count++;
    }
    /* Where the children of a context are app roots, Langfuse knows no observation above them. */
    bool claims = in_trace && (context->flags & LF__FLAG_APP_ROOT) == 0;
    lf__buf baggage = carrier_baggage(context, claims ? parent + CARRIER_TRACE_ID_AT : NULL);
    if (baggage.length > 0) {
        set(data, "baggage", baggage.data);
        count++;
    }
    lf__buf_done(&baggage);
    return count;
}

/* ---- In ----------------------------------------------------------------------------------------------------------- */

typedef struct carrier_in {
    lf__traceparent parent;
    bool has_parent;
    bool is_claimed; /* the sender says that Langfuse has an observation above */
    bool has_ours;   /* an attribute of ours is kept */
    lf__buf fields;
    lf__buf foreign; /* baggage members that are not ours */
    lf__buf key;     /* scratch from here on: decoded */
    lf__buf value;
    lf__buf json;
    lf__buf tag;
} carrier_in;

/* Keep it unless it breaks a limit, or there is no room or memory. */
static bool carrier_keep(carrier_in *in, lf__tag tag, lf_kind kind, const void *payload, size_t size)
{
    size_t padded = lf__align8(size);
    uint8_t *at = (uint8_t *)lf__buf_reserve(&in->fields, sizeof(lf__field) + padded);
    if (at == NULL)
        return false;
    memset(at, 0, sizeof(lf__field) + padded);
    lf__capture_head(at, tag, kind, CARRIER_MARKS, size);
    if (size > 0)
        memcpy(at + sizeof(lf__field), payload, size);
    if (!lf__propagated_valid((const lf__field *)(const void *)at))
        return false;
    lf__buf_commit(&in->fields, sizeof(lf__field) + padded);
    return true;
}

static bool carrier_keep_value(carrier_in *in, lf__tag tag)
{
    if (tag != LF__TAG_PROMPT_VERSION)
        return carrier_keep(in, tag, LF_KIND_STRING, in->value.data, in->value.length);
    int64_t version = carrier_prompt_version(in->value.data, in->value.length);
    return version > 0 && carrier_keep(in, tag, LF_KIND_INT, &version, sizeof version);
}

static bool carrier_json_tag(void *owner, const char *tag, size_t size)
{
    lf__buf *json = owner;
    if (!lf__propagated_text(tag, size))
        return true;
    lf__buf_add_char(json, json->length == 0 ? '[' : ',');
    return lf__json_string(json, tag, size);
}

static bool carrier_keep_tags(carrier_in *in)
{
    lf__buf_clear(&in->json);
    if (!lf__baggage_tags(in->value.data, in->value.length, &in->tag, carrier_json_tag, &in->json) || in->json.length == 0 ||
        !lf__buf_add_char(&in->json, ']'))
        return false;
    return carrier_keep(in, LF__TAG_TRACE_TAGS, LF_KIND_JSON, in->json.data, in->json.length);
}

/* False: no memory. */
static bool carrier_add_value_json(carrier_in *in)
{
    lf__text value = lf__buf_text(&in->value);
    return carrier_is_json(value) ? lf__buf_add(&in->json, value.at, value.size) : lf__json_string(&in->json, value.at, value.size);
}

static bool carrier_keep_metadata(carrier_in *in, lf__text name)
{
    lf__buf *json = &in->json;
    if (name.size == 0)
        return false;
    lf__buf_clear(json);
    lf__buf_add_char(json, '{');
    lf__json_string(json, name.at, name.size);
    lf__buf_add_char(json, ':');
    size_t start = json->length;
    if (!carrier_add_value_json(in) || !lf__propagated_json(json->data + start, json->length - start))
        return false;
    return lf__buf_add_char(json, '}') && carrier_keep(in, LF__TAG_TRACE_METADATA, LF_KIND_JSON, json->data, json->length);
}

/* Of several claims the last one counts. It never becomes an attribute. */
static void carrier_read_claim(carrier_in *in)
{
    char parent[LF__TRACEPARENT_SIZE];
    lf__traceparent_format(&in->parent, parent);
    lf__text trace_id = {parent + CARRIER_TRACE_ID_AT, CARRIER_TRACE_ID_DIGITS};
    in->is_claimed = in->has_parent && lf__text_equals(lf__buf_text(&in->value), trace_id);
}

/* in->key begins with "langfuse_", in->value is its value, both decoded. Names that we do not know are metadata, as the
 * Python SDK has it. */
static bool carrier_keep_ours(carrier_in *in)
{
    lf__text key = lf__buf_text(&in->key);
    for (size_t i = 0; i < CARRIER_VALUES; i++)
        if (lf__text_equals(key, lf__text_of(carrier_values[i].key)))
            return carrier_keep_value(in, carrier_values[i].tag);
    if (lf__text_equals(key, lf__text_of(CARRIER_TAGS)))
        return carrier_keep_tags(in);
    const char *prefix = lf__text_begins(key, CARRIER_METADATA) ? CARRIER_METADATA : CARRIER_PREFIX;
    return carrier_keep_metadata(in, lf__text_behind(key, strlen(prefix)));
}

/* Keep a member with its properties. Nobody has checked these: a line break in them would begin another header. */
static void carrier_keep_foreign(carrier_in *in, const char *raw, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if ((raw[i] < ' ' || raw[i] > '~') && raw[i] != '\t')
            return;
    size_t start = in->foreign.length;
    lf__buf_add(&in->foreign, ",", start > 0);
    if (!lf__buf_add(&in->foreign, raw, size))
        lf__buf_rewind(&in->foreign, start);
}

static void carrier_read_baggage(carrier_in *in, const char *text)
{
    size_t size = strlen(text);
    lf__baggage_member member;
    for (size_t at = 0; lf__baggage_next(text, size, &at, &member);) {
        lf__buf_clear(&in->key);
        lf__buf_clear(&in->value);
        if (!lf__baggage_decode(&in->key, member.key, member.key_size) ||
            !lf__baggage_decode(&in->value, member.value, member.value_size))
            continue;
        if (!lf__text_begins(lf__buf_text(&in->key), CARRIER_PREFIX))
            carrier_keep_foreign(in, member.key, carrier_raw_size(text, at, &member));
        else if (lf__text_equals(lf__buf_text(&in->key), lf__text_of(CARRIER_TRACE_ID)))
            carrier_read_claim(in);
        else if (carrier_keep_ours(in))
            in->has_ours = true;
    }
    if (in->foreign.length > 0)
        (void)carrier_keep(in, LF__TAG_BAGGAGE, LF_KIND_STRING, in->foreign.data, in->foreign.length);
}

static void carrier_read_headers(carrier_in *in, const char *(*get)(void *data, const char *name), void *data)
{
    const char *text = get(data, "traceparent");
    in->has_parent = text != NULL && lf__traceparent_parse(text, strlen(text), &in->parent);
    text = get(data, "tracestate");
    if (in->has_parent && text != NULL && lf__tracestate_valid(text, strlen(text)))
        (void)carrier_keep(in, LF__TAG_TRACESTATE, LF_KIND_STRING, text, strlen(text));
    text = get(data, "baggage");
    if (text != NULL)
        carrier_read_baggage(in, text);
}

static unsigned carrier_flags(const carrier_in *in)
{
    if (!in->has_parent)
        return LF__FLAG_NO_TRACE;
    unsigned flags = LF__FLAG_REMOTE_PARENT;
    if ((in->parent.flags & LF__TRACE_SAMPLED) == 0)
        flags |= LF__FLAG_UNSAMPLED;
    if (!in->is_claimed)
        flags |= LF__FLAG_APP_ROOT;
    return flags;
}

static lf_context *carrier_context(const carrier_in *in)
{
    lf_context *context = lf__alloc(sizeof *context + in->fields.length);
    if (context == NULL)
        return NULL;
    context->flags = (uint16_t)carrier_flags(in);
    if (in->has_parent) {
        memcpy(context->trace_id, in->parent.trace_id, sizeof context->trace_id);
        memcpy(context->id, in->parent.parent_id, sizeof context->id);
    }
    context->size = (uint32_t)in->fields.length;
    if (in->fields.length > 0)
        memcpy(context->fields, in->fields.data, in->fields.length);
    return context;
}

lf_context *lf__carrier_extract(const char *(*get)(void *data, const char *name), void *data)
{
    carrier_in in = {.has_parent = false};
    lf__buf_init(&in.fields, LF__CONTEXT_MAX);
    lf__buf *const buffers[] = {&in.foreign, &in.key, &in.value, &in.json, &in.tag};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        lf__buf_init(buffers[i], CARRIER_TEXT_MAX);
    carrier_read_headers(&in, get, data);
    lf_context *context = in.has_parent || in.has_ours ? carrier_context(&in) : NULL;
    lf__buf_done(&in.fields);
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        lf__buf_done(buffers[i]);
    return context;
}

static const char *carrier_variable(void *data, const char *name)
{
    (void)data;
    if (strcmp(name, "traceparent") == 0)
        return lf__setting_variable("TRACEPARENT").text;
    return lf__setting_variable(strcmp(name, "tracestate") == 0 ? "TRACESTATE" : "BAGGAGE").text;
}

lf_context *lf__carrier_extract_environment(void)
{
    return lf__carrier_extract(carrier_variable, NULL);
}
