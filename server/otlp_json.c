/* OTLP traces in JSON: bytes -> otlp_export. Unlike protobuf, JSON can have wrong shapes; those a real server refuses are
 * counted, and ids are taken verbatim, whatever their case or length. */
#include "otlp.h"

#include "json.h"

#include <string.h>

static text otlp_json_string_of(otlp_export *e, const json *value)
{
    return json_is(value, JSON_STRING) ? arena_utf8(e->arena, value->string, &e->repairs) : TEXT("");
}

static text otlp_json_text_of_json(otlp_export *e, const json *value)
{
    return arena_utf8(e->arena, json_text(e->arena, value), &e->repairs);
}

/* Nanoseconds as a decimal string or a number; 0 when there is none. */
static int64_t otlp_json_time_of(const json *value)
{
    int64_t ns = 0;
    bool spelled = json_is(value, JSON_STRING) || json_is(value, JSON_NUMBER);
    if (spelled && text_to_int(value->string, &ns))
        return ns > 0 ? ns : 0;
    if (json_is(value, JSON_NUMBER) && value->number > 0 && value->number < 9.2e18)
        return (int64_t)value->number;
    return 0;
}

/* ---- AnyValue ---- */

static void otlp_json_read_value(otlp_export *e, const json *any, otlp_value *out);

static void otlp_json_read_array(otlp_export *e, const json *array, otlp_value *out)
{
    const json *values = json_get(array, "values");
    size_t count = 0;
    otlp_value *items = NULL;
    for (const json *item = json_first(values, JSON_ARRAY); item != NULL; item = item->next) {
        otlp_value *added = arena_add(e->arena, &items, sizeof *added, &count);
        if (added == NULL)
            return;
        otlp_json_read_value(e, item, added);
    }
    *out = (otlp_value){.kind = OTLP_JSON, .as.string = TEXT("{\"arrayValue\":{}}")};
    if (count > 0)
        *out = (otlp_value){.kind = OTLP_ARRAY, .as.array = {items, count}};
}

/* A value of another JSON type than its name says is kept by its own type. */
static void otlp_json_read_scalar(otlp_export *e, const json *scalar, otlp_value *out)
{
    if (scalar->kind == JSON_STRING)
        *out = (otlp_value){.kind = OTLP_STRING, .as.string = otlp_json_string_of(e, scalar)};
    else if (scalar->kind == JSON_TRUE || scalar->kind == JSON_FALSE)
        *out = (otlp_value){.kind = OTLP_BOOL, .as.boolean = scalar->kind == JSON_TRUE};
    else if (scalar->kind == JSON_NUMBER)
        *out = (otlp_value){.kind = OTLP_DOUBLE, .as.number = scalar->number};
    else
        *out = (otlp_value){.kind = OTLP_JSON, .as.string = otlp_json_text_of_json(e, scalar)};
}

static void otlp_json_read_int(otlp_export *e, const json *value, otlp_value *out)
{
    int64_t integer;
    if ((value->kind == JSON_STRING || value->kind == JSON_NUMBER) && text_to_int(value->string, &integer))
        *out = (otlp_value){.kind = OTLP_INT, .as.integer = integer};
    else
        otlp_json_read_scalar(e, value, out);
}

static void otlp_json_read_value(otlp_export *e, const json *any, otlp_value *out)
{
    static const char *const scalars[] = {"stringValue", "boolValue", "doubleValue"};
    for (size_t i = 0; i < sizeof scalars / sizeof *scalars; i++) {
        const json *scalar = json_get(any, scalars[i]);
        if (scalar != NULL) {
            otlp_json_read_scalar(e, scalar, out);
            return;
        }
    }
    const json *integer = json_get(any, "intValue"), *array = json_get(any, "arrayValue");
    if (integer != NULL)
        otlp_json_read_int(e, integer, out);
    else if (json_is(array, JSON_OBJECT))
        otlp_json_read_array(e, array, out);
    else
        *out = (otlp_value){.kind = OTLP_JSON, .as.string = otlp_json_text_of_json(e, any)};
}

/* ---- Messages ---- */

/* False when the member is there and is not an array; null counts as absent. */
static bool otlp_json_get_array(const json *object, const char *key, const json **out)
{
    const json *value = json_get(object, key);
    *out = json_is(value, JSON_ARRAY) ? value : NULL;
    return json_is_null(value) || value->kind == JSON_ARRAY;
}

static bool otlp_json_read_attributes(otlp_export *e, const json *holder, otlp_attributes *owner)
{
    const json *list;
    if (!otlp_json_get_array(holder, "attributes", &list))
        return false;
    for (const json *entry = list != NULL ? list->first : NULL; entry != NULL; entry = entry->next) {
        const json *value = json_get(entry, "value");
        if (json_is_null(value)) {
            e->lost = "an attribute entry has no value";
            continue;
        }
        otlp_attribute *attribute = otlp_add_attribute(e, owner);
        if (attribute == NULL)
            return true; /* the arena has failed */
        attribute->key = otlp_json_string_of(e, json_get(entry, "key"));
        otlp_json_read_value(e, value, &attribute->value);
    }
    return true;
}

static unsigned otlp_json_read_id(otlp_export *e, const json *value, unsigned absent, unsigned not_an_id, text *out)
{
    if (json_is_null(value))
        return absent;
    if (value->kind != JSON_STRING)
        return not_an_id;
    *out = otlp_json_string_of(e, value);
    return out->size > 0 ? 0 : absent;
}

static void otlp_json_read_span(otlp_export *e, const json *in, size_t scope)
{
    const json *status = json_get(in, "status"), *code = json_get(status, "code"), *events;
    otlp_span *span = otlp_add_span(e);
    if (span == NULL)
        return;
    span->scope = scope;
    unsigned bad = otlp_json_read_id(e, json_get(in, "traceId"), OTLP_TRACE_ID_ABSENT, OTLP_TRACE_ID_NOT_AN_ID, &span->trace_id);
    bad |= otlp_json_read_id(e, json_get(in, "spanId"), OTLP_SPAN_ID_ABSENT, OTLP_SPAN_ID_NOT_AN_ID, &span->id);
    bad |= otlp_json_read_attributes(e, in, &span->attributes) ? 0u : OTLP_ATTRIBUTES_NOT_AN_ARRAY;
    bad |= otlp_json_get_array(in, "events", &events) ? 0u : OTLP_EVENTS_NOT_AN_ARRAY;
    otlp_refuse_span(e, bad);
    span->parent_id = otlp_json_string_of(e, json_get(in, "parentSpanId"));
    span->name = otlp_json_string_of(e, json_get(in, "name"));
    span->start_ns = otlp_json_time_of(json_get(in, "startTimeUnixNano"));
    span->end_ns = otlp_json_time_of(json_get(in, "endTimeUnixNano"));
    span->status_message = otlp_json_string_of(e, json_get(status, "message"));
    bool error = (json_is(code, JSON_NUMBER) && code->number == 2) || json_is_string(code, "STATUS_CODE_ERROR");
    span->status_code = error ? 2 : 0;
}

static void otlp_json_refuse_field(otlp_export *e, unsigned reason)
{
    e->bad_fields++;
    e->field_reasons |= reason;
}

static void otlp_json_read_scope_spans(otlp_export *e, const json *in, otlp_attributes resource)
{
    const json *scope_in = json_get(in, "scope"), *list;
    size_t index = e->scope_count;
    otlp_scope *scope = otlp_add_scope(e);
    if (scope == NULL)
        return;
    scope->resource = resource;
    scope->name = otlp_json_string_of(e, json_get(scope_in, "name"));
    scope->version = otlp_json_string_of(e, json_get(scope_in, "version"));
    if (!otlp_json_read_attributes(e, scope_in, &scope->attributes))
        otlp_json_refuse_field(e, OTLP_ATTRIBUTES_NOT_AN_ARRAY);
    if (!otlp_json_get_array(in, "spans", &list))
        otlp_json_refuse_field(e, OTLP_SPANS_NOT_AN_ARRAY);
    for (const json *span = list != NULL ? list->first : NULL; span != NULL && !e->arena->failed; span = span->next)
        otlp_json_read_span(e, span, index);
}

static void otlp_json_read_resource_spans(otlp_export *e, const json *in)
{
    const json *list;
    otlp_attributes resource = {0};
    if (!otlp_json_read_attributes(e, json_get(in, "resource"), &resource))
        otlp_json_refuse_field(e, OTLP_ATTRIBUTES_NOT_AN_ARRAY);
    if (!otlp_json_get_array(in, "scopeSpans", &list))
        otlp_json_refuse_field(e, OTLP_SCOPE_SPANS_NOT_AN_ARRAY);
    for (const json *scope = list != NULL ? list->first : NULL; scope != NULL; scope = scope->next)
        otlp_json_read_scope_spans(e, scope, resource);
}

otlp_status otlp_json_decode(arena *a, text body, otlp_export *out)
{
    *out = (otlp_export){.arena = a};
    const json *root = json_parse(a, body);
    if (json_is_null(root))
        return a->failed ? OTLP_TOO_BIG : OTLP_MALFORMED;
    const json *list = json_get(root, "resourceSpans");
    if (!json_is_null(list) && list->kind != JSON_ARRAY)
        out->lost = "resourceSpans is not an array";
    else
        out->empty = list == NULL || list->first == NULL;
    for (const json *item = json_first(list, JSON_ARRAY); item != NULL; item = item->next)
        otlp_json_read_resource_spans(out, item);
    return a->failed ? OTLP_TOO_BIG : OTLP_OK;
}
