/* OTLP traces in JSON: bytes -> otlp_export. Unlike protobuf, JSON can have wrong shapes; those a real server refuses are
 * counted, and ids are taken verbatim, whatever their case or length. What JavaScript makes of a value of another type, and of the
 * objects of its protobuf library, counts as well. */
#include "otlp.h"

#include "json.h"

#include <math.h>
#include <string.h>

static text otlp_json_string_of(otlp_export *e, const json *value)
{
    return json_is(value, JSON_STRING) ? arena_utf8(e->arena, value->string, &e->repairs) : TEXT("");
}

static text otlp_json_text_of_json(otlp_export *e, const json *value)
{
    return arena_utf8(e->arena, json_text(e->arena, value), &e->repairs);
}

/* The two halves of a number of 64 bits, as JavaScript's protobuf library keeps it. */
static bool otlp_json_read_halves(const json *value, double *high, double *low)
{
    *high = json_number_at(value, "high", NAN);
    *low = json_number_at(value, "low", NAN);
    return fabs(*high) < 0x1p31 && fabs(*low) < 0x1p32 && *high == floor(*high) && *low == floor(*low);
}

/* Nanoseconds as a decimal string, a number or two halves; OTLP_NO_TIME when they are none. */
static int64_t otlp_json_time_of(const json *value)
{
    int64_t ns;
    double high, low;
    if (json_is(value, JSON_STRING))
        return text_to_int(text_trim(value->string), &ns) ? ns : OTLP_NO_TIME;
    if (json_is(value, JSON_NUMBER) && text_to_int(value->string, &ns))
        return ns;
    if (json_is(value, JSON_NUMBER) && fabs(value->number) < 0x1p63)
        return (int64_t)value->number;
    if (!otlp_json_read_halves(value, &high, &low))
        return OTLP_NO_TIME;
    return (int64_t)high * (INT64_C(1) << 32) + (int64_t)(uint32_t)(int64_t)low;
}

/* ---- AnyValue ---- */

static void otlp_json_read_value(otlp_export *e, const json *any, otlp_value *out);

static void otlp_json_read_array(otlp_export *e, const json *values, otlp_value *out)
{
    size_t count = 0;
    otlp_value *items = NULL;
    for (const json *item = values->first; item != NULL; item = item->next) {
        otlp_value *added = arena_add(e->arena, &items, sizeof *added, &count);
        if (added == NULL)
            return;
        otlp_json_read_value(e, item, added);
    }
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

static void otlp_json_keep_as_json(otlp_export *e, const json *any, otlp_value *out)
{
    *out = (otlp_value){.kind = OTLP_JSON, .as.string = otlp_json_text_of_json(e, any)};
}

/* A number in a text, as JavaScript reads it: empty text is 0. */
static bool otlp_json_read_number(const json *value, double *out)
{
    text digits = text_trim(value->string);
    *out = digits.size > 0 ? NAN : 0;
    return value->kind == JSON_STRING && (digits.size == 0 || text_to_double(digits, out)) && !isnan(*out);
}

/* A real server puts the halves together just so. */
static void otlp_json_read_int(otlp_export *e, const json *any, const json *value, otlp_value *out)
{
    int64_t integer;
    double number, high, low;
    if ((value->kind == JSON_STRING || value->kind == JSON_NUMBER) && text_to_int(value->string, &integer))
        *out = (otlp_value){.kind = OTLP_INT, .as.integer = integer};
    else if (value->kind == JSON_NUMBER)
        *out = (otlp_value){.kind = OTLP_DOUBLE, .as.number = value->number};
    else if (otlp_json_read_number(value, &number))
        *out = (otlp_value){.kind = OTLP_DOUBLE, .as.number = number};
    else if (otlp_json_read_halves(value, &high, &low))
        *out = (otlp_value){.kind = OTLP_DOUBLE, .as.number = high == -1 && low == -1 ? -1 : high * 0x1p32 + low};
    else
        otlp_json_keep_as_json(e, any, out);
}

static void otlp_json_read_double(otlp_export *e, const json *value, otlp_value *out)
{
    double number;
    if (otlp_json_read_number(value, &number) && isfinite(number))
        *out = (otlp_value){.kind = OTLP_DOUBLE, .as.number = number};
    else
        otlp_json_read_scalar(e, value, out);
}

static void otlp_json_read_other(otlp_export *e, const json *any, otlp_value *out)
{
    const json *values = json_get(json_get(any, "arrayValue"), "values"), *integer = json_get(any, "intValue");
    if (json_is(values, JSON_ARRAY))
        otlp_json_read_array(e, values, out);
    else if (integer != NULL)
        otlp_json_read_int(e, any, integer, out);
    else
        otlp_json_keep_as_json(e, any, out);
}

/* Nearly all values are texts. */
static void otlp_json_read_value(otlp_export *e, const json *any, otlp_value *out)
{
    const json *scalar;
    if ((scalar = json_get(any, "stringValue")) != NULL)
        otlp_json_read_scalar(e, scalar, out);
    else if ((scalar = json_get(any, "doubleValue")) != NULL)
        otlp_json_read_double(e, scalar, out);
    else if ((scalar = json_get(any, "boolValue")) != NULL)
        otlp_json_read_scalar(e, scalar, out);
    else
        otlp_json_read_other(e, any, out);
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

/* A byte of an id that came as numbers: the low eight bits, as JavaScript has them. */
static uint8_t otlp_json_byte_of(const json *value)
{
    double number = json_is(value, JSON_NUMBER) ? trunc(value->number) : 0;
    if (json_is(value, JSON_STRING) && !otlp_json_read_number(value, &number))
        number = 0;
    return isfinite(number) ? (uint8_t)(int64_t)fmod(number, 256) : 0;
}

static text otlp_json_hex_of(otlp_export *e, const json *bytes)
{
    static const char hex[] = "0123456789abcdef";
    char *digits = arena_take(e->arena, 2 * json_count(bytes)), *at = digits;
    if (digits == NULL)
        return TEXT("");
    for (const json *item = bytes->first; item != NULL; item = item->next) {
        uint8_t byte = otlp_json_byte_of(item);
        *at++ = hex[byte >> 4];
        *at++ = hex[byte & 15];
    }
    return (text){digits, (size_t)(at - digits)};
}

/* Text, an array of bytes, or such an array as JavaScript's Buffer writes it. */
static bool otlp_json_read_id(otlp_export *e, const json *value, text *out)
{
    const json *bytes = json_is_string(json_get(value, "type"), "Buffer") ? json_get(value, "data") : value;
    if (json_is(bytes, JSON_ARRAY))
        *out = otlp_json_hex_of(e, bytes);
    else if (json_is(value, JSON_STRING))
        *out = otlp_json_string_of(e, value);
    else
        return false;
    return true;
}

/* The `absent` reason is followed by that of a value that is no id. */
static unsigned otlp_json_read_own_id(otlp_export *e, const json *value, otlp_reason absent, text *out)
{
    if (json_is_null(value))
        return 1u << absent;
    return otlp_json_read_id(e, value, out) ? 0 : 2u << absent;
}

/* What JavaScript takes for false is no parent. */
static unsigned otlp_json_read_parent_id(otlp_export *e, const json *value, text *out)
{
    bool none = json_is_null(value) || json_is(value, JSON_FALSE) || (value->kind == JSON_NUMBER && value->number == 0);
    return none || otlp_json_read_id(e, value, out) ? 0 : 1u << OTLP_PARENT_ID_NOT_AN_ID;
}

/* Events are checked, and not kept. */
static unsigned otlp_json_check_events(const json *span)
{
    const json *events, *ignored;
    if (!otlp_json_get_array(span, "events", &events))
        return 1u << OTLP_EVENTS_NOT_AN_ARRAY;
    for (const json *event = json_first(events, JSON_ARRAY); event != NULL; event = event->next)
        if (!otlp_json_get_array(event, "attributes", &ignored))
            return 1u << OTLP_EVENT_ATTRIBUTES_NOT_AN_ARRAY;
    return 0;
}

static void otlp_json_read_span(otlp_export *e, const json *in, size_t scope)
{
    const json *status = json_get(in, "status"), *code = json_get(status, "code");
    otlp_span *span = otlp_add_span(e);
    if (span == NULL)
        return;
    span->scope = scope;
    unsigned bad = otlp_json_read_own_id(e, json_get(in, "traceId"), OTLP_TRACE_ID_ABSENT, &span->trace_id);
    bad |= otlp_json_read_own_id(e, json_get(in, "spanId"), OTLP_SPAN_ID_ABSENT, &span->id);
    bad |= otlp_json_read_parent_id(e, json_get(in, "parentSpanId"), &span->parent_id);
    bad |= otlp_json_read_attributes(e, in, &span->attributes) ? 0 : 1u << OTLP_ATTRIBUTES_NOT_AN_ARRAY;
    bad |= otlp_json_check_events(in);
    otlp_refuse_span(e, bad, e->scopes[scope].name);
    span->name = otlp_json_string_of(e, json_get(in, "name"));
    span->start_ns = otlp_json_time_of(json_get(in, "startTimeUnixNano"));
    span->end_ns = otlp_json_time_of(json_get(in, "endTimeUnixNano"));
    span->status_message = otlp_json_string_of(e, json_get(status, "message"));
    bool error = (json_is(code, JSON_NUMBER) && code->number == 2) || json_is_string(code, "STATUS_CODE_ERROR");
    span->status_code = error ? 2 : 0;
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
        otlp_refuse_field(e, OTLP_SCOPE_ATTRIBUTES_NOT_AN_ARRAY, scope->name);
    if (!otlp_json_get_array(in, "spans", &list))
        otlp_refuse_field(e, OTLP_SPANS_NOT_AN_ARRAY, scope->name);
    for (const json *span = list != NULL ? list->first : NULL; span != NULL && !e->arena->failed; span = span->next)
        otlp_json_read_span(e, span, index);
}

static void otlp_json_read_resource_spans(otlp_export *e, const json *in)
{
    const json *list;
    otlp_attributes resource = {0};
    if (!otlp_json_read_attributes(e, json_get(in, "resource"), &resource))
        otlp_refuse_field(e, OTLP_RESOURCE_ATTRIBUTES_NOT_AN_ARRAY, TEXT(""));
    if (!otlp_json_get_array(in, "scopeSpans", &list))
        otlp_refuse_field(e, OTLP_SCOPE_SPANS_NOT_AN_ARRAY, TEXT(""));
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
