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
    if (added != NULL) {
        added->name = added->status_message = TEXT("");
        added->start_ns = added->end_ns = OTLP_NO_TIME;
    }
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

/* ---- Refusals ---- */

static void otlp_note_reason(otlp_export *e, otlp_reason reason)
{
    for (size_t i = 0; i < e->reason_count; i++)
        if (e->reasons[i] == reason)
            return;
    e->reasons[e->reason_count++] = reason;
}

static void otlp_note_scope(otlp_export *e, text name)
{
    if (name.size == 0 || e->refused_scope_count == OTLP_MAX_NAMED_SCOPES)
        return;
    for (size_t i = 0; i < e->refused_scope_count; i++)
        if (text_equal(e->refused_scopes[i], name))
            return;
    e->refused_scopes[e->refused_scope_count++] = name;
}

void otlp_refuse_span(otlp_export *e, unsigned reasons, text scope)
{
    if (reasons == 0)
        return;
    e->bad_spans++;
    for (otlp_reason i = 0; i < OTLP_REASON_COUNT; i++)
        if ((reasons & 1u << i) != 0)
            otlp_note_reason(e, i);
    otlp_note_scope(e, scope);
}

void otlp_refuse_field(otlp_export *e, otlp_reason reason, text scope)
{
    e->bad_fields++;
    otlp_note_reason(e, reason);
    otlp_note_scope(e, scope);
}

static const struct {
    const char *text;
    bool of_id;
} otlp_reasons[OTLP_REASON_COUNT] = {
    [OTLP_TRACE_ID_ABSENT] = {"traceId:absent", true},
    [OTLP_TRACE_ID_NOT_AN_ID] = {"traceId:not_an_id", true},
    [OTLP_SPAN_ID_ABSENT] = {"spanId:absent", true},
    [OTLP_SPAN_ID_NOT_AN_ID] = {"spanId:not_an_id", true},
    [OTLP_PARENT_ID_NOT_AN_ID] = {"parentSpanId:not_an_id", true},
    [OTLP_ATTRIBUTES_NOT_AN_ARRAY] = {"attributes:not_an_array", false},
    [OTLP_EVENTS_NOT_AN_ARRAY] = {"events:not_an_array", false},
    [OTLP_EVENT_ATTRIBUTES_NOT_AN_ARRAY] = {"event.attributes:not_an_array", false},
    [OTLP_RESOURCE_ATTRIBUTES_NOT_AN_ARRAY] = {"resource.attributes:not_an_array", false},
    [OTLP_SCOPE_ATTRIBUTES_NOT_AN_ARRAY] = {"scope.attributes:not_an_array", false},
    [OTLP_SCOPE_SPANS_NOT_AN_ARRAY] = {"scopeSpans:not_an_array", false},
    [OTLP_SPANS_NOT_AN_ARRAY] = {"spans:not_an_array", false},
};

static void otlp_put_counts(const otlp_export *e, buf *out)
{
    if (e->bad_spans > 0)
        buf_format(out, "%zu of %zu span(s) cannot be processed", e->bad_spans, e->span_count);
    if (e->bad_fields > 0)
        buf_format(out, "%s%zu resource- or scope-level field(s) are present but not arrays", e->bad_spans > 0 ? "; " : "",
                   e->bad_fields);
    for (size_t i = 0; i < e->reason_count; i++)
        buf_format(out, "%s%s", i > 0 ? ", " : " (", otlp_reasons[e->reasons[i]].text);
    buf_string(out, "). ");
}

/* The contract that was broken. */
static void otlp_put_hints(const otlp_export *e, buf *out)
{
    bool ids = false, arrays = false;
    for (size_t i = 0; i < e->reason_count; i++) {
        ids |= otlp_reasons[e->reasons[i]].of_id;
        arrays |= !otlp_reasons[e->reasons[i]].of_id;
    }
    if (ids)
        buf_string(out, "traceId and spanId are required on every span, and each must be a string or a byte array. ");
    if (arrays)
        buf_string(out, "scopeSpans, spans, attributes and events must all be arrays \xE2\x80\x94 OTLP attributes are a list of "
                        "{key, value} entries, not a JSON object. ");
}

bool otlp_refused(const otlp_export *e, buf *out)
{
    if (e->reason_count == 0)
        return false;
    buf_string(out, "Invalid OTLP trace export: ");
    otlp_put_counts(e, out);
    otlp_put_hints(e, out);
    buf_string(out, "The entire export was rejected and no spans were ingested. Instrumentation scopes: ");
    for (size_t i = 0; i < e->refused_scope_count; i++) {
        buf_string(out, i > 0 ? ", " : "");
        buf_text(out, e->refused_scopes[i]);
    }
    buf_string(out, e->refused_scope_count == 0 ? "unknown" : "");
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
        buf_char(out, '[');
        for (size_t i = 0; i < value->as.array.count; i++) {
            buf_string(out, i > 0 ? "," : "");
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
