/* What both OTLP decoders share: growing the result, wording a refusal, and values as text. */
#include "otlp.h"

#include "json.h"

#include <math.h>
#include <string.h>

otlp_scope *otlp_add_scope(otlp_export *e)
{
    otlp_scope *added = arena_add(e->arena, &e->scopes, sizeof *added, &e->scope_count);
    if (added != NULL)
        added->name = added->version = TEXT("");
    return added;
}

otlp_span *otlp_add_span(otlp_export *e)
{
    otlp_span *added = arena_add(e->arena, &e->spans, sizeof *added, &e->span_count);
    if (added != NULL)
        added->name = added->status_message = TEXT("");
    return added;
}

otlp_attribute *otlp_add_attribute(otlp_export *e, otlp_attributes *owner)
{
    otlp_attribute *added = arena_add(e->arena, &e->attributes, sizeof *added, &e->attribute_count);
    if (added == NULL)
        return NULL;
    if (owner->count++ == 0)
        owner->first = e->attribute_count - 1;
    added->key = TEXT("");
    return added;
}

void otlp_refuse_span(otlp_export *e, unsigned reasons)
{
    e->bad_spans += reasons != 0;
    e->span_reasons |= reasons;
}

/* ---- The text of a refusal ---- */

#define OTLP_ID_REASONS (OTLP_TRACE_ID_ABSENT | OTLP_TRACE_ID_NOT_AN_ID | OTLP_SPAN_ID_ABSENT | OTLP_SPAN_ID_NOT_AN_ID)

static void otlp_put_reasons(buf *out, unsigned reasons)
{
    static const char *const names[] = {
        "traceId:absent",          "traceId:not_an_id",   "spanId:absent",           "spanId:not_an_id",
        "attributes:not_an_array", "events:not_an_array", "scopeSpans:not_an_array", "spans:not_an_array",
    };
    const char *separator = " (";
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if ((reasons & 1u << i) == 0)
            continue;
        buf_string(out, separator);
        buf_string(out, names[i]);
        separator = ", ";
    }
    buf_char(out, ')');
}

static bool otlp_named_before(const otlp_export *e, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (text_equal(e->scopes[i].name, e->scopes[index].name))
            return true;
    return false;
}

/* Only the first few names: the list exists to tell a developer which library sent this. */
enum { OTLP_MAX_NAMED_SCOPES = 20 };

static void otlp_put_scope_names(const otlp_export *e, buf *out)
{
    size_t named = 0;
    for (size_t i = 0; i < e->scope_count && i < OTLP_MAX_NAMED_SCOPES; i++) {
        if (e->scopes[i].name.size == 0 || otlp_named_before(e, i))
            continue;
        buf_string(out, named++ > 0 ? ", " : "");
        buf_text(out, e->scopes[i].name);
    }
    if (named == 0)
        buf_string(out, "unknown");
}

bool otlp_refused(const otlp_export *e, buf *out)
{
    unsigned all = e->span_reasons | e->field_reasons;
    if (all == 0)
        return false;
    buf_string(out, "Invalid OTLP trace export: ");
    if (e->bad_spans > 0) {
        buf_format(out, "%zu of %zu span(s) cannot be processed", e->bad_spans, e->span_count);
        otlp_put_reasons(out, e->span_reasons);
    }
    if (e->bad_fields > 0) {
        buf_format(out, "%s%zu resource- or scope-level field(s) are present but not arrays", e->bad_spans > 0 ? "; " : "",
                   e->bad_fields);
        otlp_put_reasons(out, e->field_reasons);
    }
    buf_string(out, ". ");
    if ((all & OTLP_ID_REASONS) != 0)
        buf_string(out, "traceId and spanId are required on every span, and each must be a string or a byte array. ");
    if ((all & ~(unsigned)OTLP_ID_REASONS) != 0)
        buf_string(out, "scopeSpans, spans, attributes and events must all be arrays \xE2\x80\x94 OTLP attributes are a list of "
                        "{key, value} entries, not a JSON object. ");
    buf_string(out, "The entire export was rejected and no spans were ingested. Instrumentation scopes: ");
    otlp_put_scope_names(e, out);
    buf_string(out,
               ". This endpoint accepts OpenTelemetry traces only \xE2\x80\x94 if you are exporting OpenTelemetry logs, point your "
               "log exporter elsewhere.");
    return true;
}

/* ---- Values as text ---- */

static void otlp_put_number_text(buf *out, double number)
{
    if (isnan(number))
        buf_string(out, "NaN");
    else if (isinf(number))
        buf_string(out, number < 0 ? "-Infinity" : "Infinity");
    else
        json_put_number(out, number);
}

static void otlp_put_json(buf *out, const otlp_value *value)
{
    switch (value->kind) {
    case OTLP_STRING: json_put_string(out, value->as.string); break;
    case OTLP_JSON: buf_text(out, value->as.string); break;
    case OTLP_BOOL: buf_string(out, value->as.boolean ? "true" : "false"); break;
    case OTLP_INT: json_put_number(out, (double)value->as.integer); break;
    case OTLP_DOUBLE: json_put_number(out, value->as.number); break;
    case OTLP_ARRAY:
        for (size_t i = 0; i < value->as.array.count; i++) {
            buf_char(out, i > 0 ? ',' : '[');
            otlp_put_json(out, &value->as.array.items[i]);
        }
        buf_char(out, ']');
        break;
    }
}

text otlp_text(arena *a, const otlp_value *value)
{
    buf out = {0};
    if (value->kind == OTLP_STRING || value->kind == OTLP_JSON)
        return value->as.string;
    if (value->kind == OTLP_BOOL)
        return value->as.boolean ? TEXT("true") : TEXT("false");
    if (value->kind == OTLP_INT) /* through a double, as in JavaScript */
        otlp_put_number_text(&out, (double)value->as.integer);
    else if (value->kind == OTLP_DOUBLE)
        otlp_put_number_text(&out, value->as.number);
    else
        otlp_put_json(&out, value);
    return buf_move(&out, a);
}
