#include "record.h"

#include "../base/json.h"
#include "../base/limits.h"
#include "../base/real.h"

#include <string.h>

/* Beyond these, numbers are sent as strings of digits: the server's and the browser's JSON parsers read doubles. */
#define RECORD_MAX_INT 9007199254740991

const lf__field *lf__fields_next(const void *fields, size_t size, const lf__field *after)
{
    const char *end = (const char *)fields + size;
    const char *at = after == NULL ? (const char *)fields : (const char *)(after + 1) + lf__align8(after->length);
    if (at >= end || (size_t)(end - at) < sizeof(lf__field))
        return NULL;
    const lf__field *field = (const lf__field *)(const void *)at;
    return lf__align8(field->length) <= (size_t)(end - at) - sizeof *field ? field : NULL;
}

const lf__field *lf__record_next(const lf__record *record, const lf__field *after)
{
    return lf__fields_next(record + 1, record->size - sizeof *record, after);
}

bool lf__field_is_json(const lf__field *field, char first)
{
    const char *text = lf__field_payload(field), *at = text, *end = text + field->length;
    if (field->kind != LF_KIND_JSON)
        return false;
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n'))
        at++;
    return at < end && *at == first && lf__json_valid(text, field->length);
}

bool lf__propagated_valid(const lf__field *field)
{
    const char *text = lf__field_payload(field);
    if (!lf__is_propagated(field))
        return true;
    switch (field->tag) {
    case LF__TAG_USER_ID:
    case LF__TAG_SESSION_ID:
    case LF__TAG_TRACE_NAME:
    case LF__TAG_VERSION: return field->kind == LF_KIND_STRING && lf__propagated_text(text, field->length);
    case LF__TAG_PROMPT_NAME: return field->kind == LF_KIND_STRING && field->length > 0;
    case LF__TAG_ENVIRONMENT: return field->kind == LF_KIND_STRING && lf__environment_valid(text, field->length);
    case LF__TAG_TRACE_TAGS: return lf__field_is_json(field, '[');
    case LF__TAG_TRACE_METADATA: return lf__field_is_json(field, '{');
    default: return true;
    }
}

static bool record_counts(const lf__field *field)
{
    return field->tag != 0 && field->tag < LF__TAG_COUNT && (!lf__is_propagated(field) || lf__propagated_valid(field));
}

static bool record_holds(const lf__record *record, const lf__field *field)
{
    const char *at = (const char *)field, *start = (const char *)record;
    return at >= start && at < start + record->size;
}

/* The version of an observation is its own; that of the trace is for those that have none or a propagated one. */
static bool record_own_wins(const lf__view *view, const lf__field *field)
{
    const lf__field *own = field->tag == LF__TAG_VERSION ? view->last[LF__TAG_VERSION] : NULL;
    return own != NULL && !lf__is_propagated(own) && record_holds(view->record, own);
}

void lf__record_view(lf__view *view, const lf__record *record, const lf__record *trace)
{
    *view = (lf__view){.record = record, .trace = trace, .site = lf__site_get(record->site)};
    for (const lf__field *field = NULL; (field = lf__record_next(record, field)) != NULL;) {
        if (!record_counts(field))
            continue;
        view->last[field->tag] = field;
        if (field->tag == LF__TAG_OUTPUT_PIECE || field->tag == LF__TAG_OUTPUT)
            view->pieces_win = field->tag == LF__TAG_OUTPUT_PIECE;
    }
    for (const lf__field *field = NULL; trace != NULL && (field = lf__record_next(trace, field)) != NULL;)
        if (record_counts(field) && !record_own_wins(view, field))
            view->last[field->tag] = field;
}

/* The tag is looked at first: whether a list or an object counts takes reading all of it. */
static bool record_asked(const lf__field *field, lf__tag tag)
{
    return field->tag == tag && record_counts(field);
}

const lf__field *lf__view_next_of(const lf__view *view, lf__tag tag, const lf__field *after)
{
    const lf__field *field = after;
    if (after == NULL || record_holds(view->record, after)) {
        while ((field = lf__record_next(view->record, field)) != NULL)
            if (record_asked(field, tag))
                return field;
    }
    while (view->trace != NULL && (field = lf__record_next(view->trace, field)) != NULL)
        if (record_asked(field, tag))
            return field;
    return NULL;
}

/* ---- Values as text --------------------------------------------------------------------------------------------- */

/* The helpers may leave half a value behind when the buffer fails; the functions of record.h take it back. */
static bool record_finish(lf__buf *out, size_t start)
{
    if (out->failed)
        out->length = start;
    return !out->failed;
}

static void record_add_int(lf__buf *out, int64_t value)
{
    bool exact = value >= -RECORD_MAX_INT && value <= RECORD_MAX_INT;
    lf__buf_add(out, "\"", !exact);
    lf__json_int(out, value);
    lf__buf_add(out, "\"", !exact);
}

static void record_add_uint(lf__buf *out, uint64_t value)
{
    bool exact = value <= RECORD_MAX_INT;
    lf__buf_add(out, "\"", !exact);
    lf__json_uint(out, value);
    lf__buf_add(out, "\"", !exact);
}

static void record_add_int128(lf__buf *out, const uint64_t halves[2], bool is_signed)
{
    if (halves[1] == 0 && (!is_signed || halves[0] <= INT64_MAX)) {
        record_add_uint(out, halves[0]);
    } else if (is_signed && halves[1] == UINT64_MAX && halves[0] > INT64_MAX) {
        record_add_int(out, (int64_t)halves[0]);
    } else {
        lf__buf_add_char(out, '"');
        lf__json_int128(out, halves[1], halves[0], is_signed);
        lf__buf_add_char(out, '"');
    }
}

/* One number, bool or char of `size` bytes. */
static void record_add_scalar(lf__buf *out, unsigned kind, const void *bytes, size_t size)
{
    union {
        int8_t i8;
        int16_t i16;
        int32_t i32;
        int64_t i64;
        uint8_t u8;
        uint16_t u16;
        uint32_t u32;
        uint64_t u64;
        long double ld;
        char c;
    } as = {.u64 = 0};
    memcpy(&as, bytes, size < sizeof as ? size : sizeof as);
    switch (kind) {
    case LF_KIND_BOOL: lf__buf_add_text(out, (size == 1 ? as.u8 : as.u64) != 0 ? "true" : "false"); break;
    case LF_KIND_INT: record_add_int(out, size == 1 ? as.i8 : size == 2 ? as.i16 : size == 4 ? as.i32 : as.i64); break;
    case LF_KIND_UINT: record_add_uint(out, size == 1 ? as.u8 : size == 2 ? as.u16 : size == 4 ? as.u32 : as.u64); break;
    case LF_KIND_FLOAT: lf__json_float(out, size == sizeof as.u32 ? lf__real_of_float(as.u32) : as.u64); break;
    case LF_KIND_DOUBLE: lf__json_double(out, size == sizeof as.u64 ? as.u64 : lf__real_bits((double)as.ld)); break;
    case LF_KIND_CHAR: lf__json_string(out, size == 1 ? &as.c : (char[]){(char)as.i64}, 1); break;
    default: lf__buf_add_text(out, "null"); break;
    }
}

static void record_add_array(lf__buf *out, const char *payload, size_t length)
{
    lf__array_head head = {0};
    if (length >= sizeof head)
        memcpy(&head, payload, sizeof head);
    lf__buf_add_char(out, '[');
    size_t fit = head.element_size > 0 ? (length - sizeof head) / head.element_size : 0;
    for (size_t i = 0; i < head.count && i < fit && !out->failed; i++) {
        lf__buf_add(out, ",", i > 0);
        record_add_scalar(out, head.element, payload + sizeof head + i * head.element_size, head.element_size);
    }
    lf__buf_add_char(out, ']');
}

bool lf__field_json(lf__buf *out, const lf__field *field)
{
    const char *payload = lf__field_payload(field);
    uint64_t words[2] = {0, 0};
    memcpy(words, payload, field->length < sizeof words ? field->length : sizeof words);
    size_t start = out->length;
    switch (field->kind) {
    case LF_KIND_STRING: lf__json_string(out, payload, field->length); break;
    case LF_KIND_JSON:
        if (lf__json_valid(payload, field->length))
            lf__buf_add(out, payload, field->length);
        else
            lf__json_string(out, payload, field->length);
        break;
    case LF_KIND_INT128:
    case LF_KIND_UINT128: record_add_int128(out, words, field->kind == LF_KIND_INT128); break;
    case LF_KIND_POINTER: lf__json_pointer(out, (const void *)(uintptr_t)words[0]); break;
    case LF_KIND_ARRAY: record_add_array(out, payload, field->length); break;
    case LF_KIND_SECRET: lf__buf_add_text(out, "\"<secret>\""); break;
    case LF_KIND_OPAQUE:
        lf__buf_add_text(out, "\"<");
        lf__json_uint(out, words[0]);
        lf__buf_add_text(out, " bytes>\"");
        break;
    default: record_add_scalar(out, field->kind, words, sizeof words[0]); break;
    }
    return record_finish(out, start);
}

bool lf__field_text(lf__buf *out, const lf__field *field)
{
    const char *payload = lf__field_payload(field);
    if (field->kind == LF_KIND_STRING || field->kind == LF_KIND_JSON)
        return lf__utf8_add(out, payload, field->length);
    if (field->kind == LF_KIND_CHAR && field->length > 0) {
        int64_t c;
        memcpy(&c, payload, sizeof c);
        return lf__utf8_add(out, (char[]){(char)c}, 1);
    }
    return lf__field_json(out, field);
}

bool lf__view_arguments_json(lf__buf *out, const lf__view *view)
{
    size_t start = out->length;
    const lf__site *site = view->site;
    lf__buf_add_char(out, '{');
    for (const lf__field *field = NULL; (field = lf__record_next(view->record, field)) != NULL && !out->failed;) {
        if (field->tag != LF__TAG_ARGUMENT)
            continue;
        lf__buf_add(out, ",", out->length > start + 1);
        if (field->index < site->argument_count) {
            lf__buf_add(out, site->argument_key[field->index], site->argument_key_size[field->index]);
        } else { /* the table of sites was full */
            lf__buf_add_text(out, "\"arg");
            lf__json_uint(out, field->index + 1u);
            lf__buf_add_text(out, "\":");
        }
        lf__field_json(out, field);
    }
    lf__buf_add_char(out, '}');
    return record_finish(out, start);
}
