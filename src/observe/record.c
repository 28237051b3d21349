#include "record.h"

#include "../base/json.h"
#include "../base/limits.h"
#include "../base/value.h"

#include <string.h>

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

/* An observation keeps a version of its own. The trace's version replaces a propagated one, or none. */
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

/* An array has no more elements than were stored. They are no pointers, whatever the bytes say. */
static lf_value record_array(const char *payload, size_t length)
{
    lf__array_head head;
    if (length < sizeof head)
        return lf_i_make(LF_KIND_LIST, 0);
    memcpy(&head, payload, sizeof head);
    size_t fit = head.element_size > 0 ? (length - sizeof head) / head.element_size : 0;
    lf_value value = lf_i_make_pointer(LF_KIND_ARRAY, payload + sizeof head, head.count < fit ? head.count : fit);
    value.element = head.element <= LF_KIND_CHAR ? head.element : LF_KIND_NULL;
    value.element_size = head.element_size;
    return value;
}

/* A field as a value that borrows the field's bytes. Kinds that no field has are null. */
static lf_value record_value(const lf__field *field)
{
    const char *payload = lf__field_payload(field);
    uint64_t words[2] = {0, 0};
    memcpy(words, payload, field->length < sizeof words ? field->length : sizeof words);
    lf_value value = lf_i_make((lf_kind)field->kind, words[1]);
    switch (field->kind) {
    case LF_KIND_STRING:
    case LF_KIND_JSON: return lf_i_make_pointer((lf_kind)field->kind, payload, field->length);
    case LF_KIND_POINTER: return lf_pointer((const void *)(uintptr_t)words[0]);
    case LF_KIND_ARRAY: return record_array(payload, field->length);
    case LF_KIND_SECRET: return value;
    case LF_KIND_OPAQUE: return lf_i_make(LF_KIND_OPAQUE, words[0]);
    default: break;
    }
    if (field->kind > LF_KIND_CHAR)
        return lf_null();
    value.as.u = words[0];
    return value;
}

bool lf__field_json(lf__buf *out, const lf__field *field)
{
    size_t start = out->length;
    lf_value value = record_value(field);
    lf__value_json(out, &value);
    return lf__buf_finish(out, start);
}

bool lf__field_text(lf__buf *out, const lf__field *field)
{
    if (field->kind == LF_KIND_STRING || field->kind == LF_KIND_JSON)
        return lf__utf8_add(out, lf__field_payload(field), field->length);
    if (field->kind != LF_KIND_CHAR)
        return lf__field_json(out, field);
    char c = (char)record_value(field).as.i;
    return lf__utf8_add(out, &c, 1);
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
    return lf__buf_finish(out, start);
}
