/* OTLP traces in protobuf: bytes -> otlp_export. Every length is checked against its enclosing message, a wrong wire type is an
 * error, and unknown fields are skipped. Field numbers are those of opentelemetry/proto/trace/v1 and common/v1. */
#include "otlp.h"

#include "json.h"

#include <string.h>

/* Arrays in arrays; an exporter has no reason for more than a few. */
enum { PB_MAX_DEPTH = 64 };

typedef enum pb_wire { PB_VARINT = 0, PB_FIXED64 = 1, PB_BYTES = 2, PB_FIXED32 = 5 } pb_wire;

typedef struct pb_field {
    uint32_t number;
    pb_wire wire;
    uint64_t integer; /* varint, fixed64, fixed32 */
    text bytes;
} pb_field;

static bool pb_take_varint(text *in, uint64_t *out)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (in->size == 0)
            return false;
        uint8_t byte = (uint8_t)*in->at++;
        in->size--;
        if (shift == 63 && byte > 1)
            return false;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            *out = value;
            return true;
        }
    }
    return false;
}

static bool pb_take_fixed(text *in, size_t size, uint64_t *out)
{
    uint64_t value = 0;
    if (in->size < size)
        return false;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)(uint8_t)in->at[i] << (8 * i);
    in->at += size;
    in->size -= size;
    *out = value;
    return true;
}

/* Takes the next field off a non-empty message. */
static bool pb_take_field(text *in, pb_field *out)
{
    uint64_t tag, size;
    if (!pb_take_varint(in, &tag) || tag > UINT32_MAX || tag >> 3 == 0)
        return false;
    *out = (pb_field){.number = (uint32_t)(tag >> 3), .wire = (pb_wire)(tag & 7)};
    switch (out->wire) {
    case PB_VARINT: return pb_take_varint(in, &out->integer);
    case PB_FIXED64: return pb_take_fixed(in, 8, &out->integer);
    case PB_FIXED32: return pb_take_fixed(in, 4, &out->integer);
    case PB_BYTES:
        if (!pb_take_varint(in, &size) || size > in->size)
            return false;
        out->bytes = (text){in->at, (size_t)size};
        in->at += size;
        in->size -= (size_t)size;
        return true;
    default: return false; /* groups, which proto3 does not have */
    }
}

static bool pb_get_bytes(const pb_field *f, text *out)
{
    *out = f->bytes;
    return f->wire == PB_BYTES;
}

static bool pb_get_string(otlp_export *e, const pb_field *f, text *out)
{
    *out = arena_utf8(e->arena, f->bytes, &e->repairs);
    return f->wire == PB_BYTES;
}

static bool pb_get_hex(otlp_export *e, const pb_field *f, text *out)
{
    static const char hex[] = "0123456789abcdef";
    if (f->wire != PB_BYTES)
        return false;
    char *digits = arena_take(e->arena, 2 * f->bytes.size);
    if (digits == NULL)
        return false;
    for (size_t i = 0; i < f->bytes.size; i++) {
        uint8_t byte = (uint8_t)f->bytes.at[i];
        digits[2 * i] = hex[byte >> 4];
        digits[2 * i + 1] = hex[byte & 15];
    }
    *out = (text){digits, 2 * f->bytes.size};
    return true;
}

static bool pb_get_time(const pb_field *f, int64_t *out)
{
    *out = f->integer > INT64_MAX ? INT64_MAX : (int64_t)f->integer;
    return f->wire == PB_FIXED64;
}

/* ---- AnyValue ---- */

static bool pb_read_value(otlp_export *e, text in, unsigned depth, otlp_value *out);

static bool pb_read_array(otlp_export *e, text in, unsigned depth, otlp_value *out)
{
    size_t count = 0;
    otlp_value *items = NULL;
    while (in.size > 0) {
        pb_field f;
        if (!pb_take_field(&in, &f))
            return false;
        if (f.number != 1)
            continue;
        otlp_value *added = arena_add(e->arena, &items, sizeof *added, &count);
        if (added == NULL || f.wire != PB_BYTES || !pb_read_value(e, f.bytes, depth + 1, added))
            return false;
    }
    *out = (otlp_value){.kind = OTLP_JSON, .as.string = TEXT("{\"arrayValue\":{}}")};
    if (count > 0)
        *out = (otlp_value){.kind = OTLP_ARRAY, .as.array = {items, count}};
    return true;
}

static bool pb_put_any_value(otlp_export *e, buf *out, text in, unsigned depth);

/* KeyValueList and ArrayValue have the same outer shape: field 1, repeated. */
static bool pb_put_list(otlp_export *e, buf *out, text in, unsigned depth, bool keyed)
{
    const char *separator = "{\"values\":[";
    while (in.size > 0) {
        pb_field f;
        if (!pb_take_field(&in, &f) || (f.number == 1 && f.wire != PB_BYTES))
            return false;
        if (f.number != 1)
            continue;
        buf_string(out, separator);
        separator = ",";
        text key = TEXT(""), value = TEXT("");
        while (keyed && f.bytes.size > 0) {
            pb_field part;
            if (!pb_take_field(&f.bytes, &part) || (part.number == 1 && !pb_get_string(e, &part, &key)) ||
                (part.number == 2 && !pb_get_bytes(&part, &value)))
                return false;
        }
        if (keyed) {
            buf_string(out, "{\"key\":");
            json_put_string(out, key);
            buf_string(out, ",\"value\":");
        }
        if (!pb_put_any_value(e, out, keyed ? value : f.bytes, depth + 1))
            return false;
        if (keyed)
            buf_char(out, '}');
    }
    buf_string(out, *separator == ',' ? "]}" : "{}");
    return true;
}

static bool pb_put_scalar(otlp_export *e, buf *out, const pb_field *f)
{
    text string;
    double number;
    switch (f->number) {
    case 1:
        if (!pb_get_string(e, f, &string))
            return false;
        buf_string(out, "\"stringValue\":");
        json_put_string(out, string);
        return true;
    case 2: buf_string(out, f->integer > 0 ? "\"boolValue\":true" : "\"boolValue\":false"); return f->wire == PB_VARINT;
    case 3: buf_format(out, "\"intValue\":\"%lld\"", (long long)f->integer); return f->wire == PB_VARINT;
    case 4:
        memcpy(&number, &f->integer, sizeof number);
        buf_string(out, "\"doubleValue\":");
        json_put_number(out, number);
        return f->wire == PB_FIXED64;
    default:
        buf_string(out, "\"bytesValue\":\"");
        buf_base64(out, f->bytes);
        buf_char(out, '"');
        return f->wire == PB_BYTES;
    }
}

/* The OTLP/JSON text of an AnyValue: for values which a real server keeps as such. */
static bool pb_put_any_value(otlp_export *e, buf *out, text in, unsigned depth)
{
    bool first = true;
    if (depth > PB_MAX_DEPTH)
        return false;
    buf_char(out, '{');
    while (in.size > 0) {
        pb_field f;
        if (!pb_take_field(&in, &f))
            return false;
        if (f.number > 7)
            continue;
        if (!first)
            buf_char(out, ',');
        first = false;
        bool list = f.number == 5 || f.number == 6;
        if (list)
            buf_string(out, f.number == 5 ? "\"arrayValue\":" : "\"kvlistValue\":");
        if (list && (f.wire != PB_BYTES || !pb_put_list(e, out, f.bytes, depth, f.number == 6)))
            return false;
        if (!list && !pb_put_scalar(e, out, &f))
            return false;
    }
    buf_char(out, '}');
    return !out->failed;
}

static bool pb_keep_as_json(otlp_export *e, text in, unsigned depth, otlp_value *out)
{
    buf kept = {0};
    bool ok = pb_put_any_value(e, &kept, in, depth);
    *out = (otlp_value){.kind = OTLP_JSON, .as.string = arena_copy(e->arena, buf_view(&kept))};
    e->arena->failed |= kept.failed;
    buf_free(&kept);
    return ok;
}

/* The fields are a oneof: the last one wins. */
static bool pb_read_value(otlp_export *e, text in, unsigned depth, otlp_value *out)
{
    text whole = in;
    *out = (otlp_value){.kind = OTLP_JSON, .as.string = TEXT("{}")};
    if (depth > PB_MAX_DEPTH)
        return false;
    while (in.size > 0) {
        pb_field f;
        bool ok = true;
        if (!pb_take_field(&in, &f))
            return false;
        switch (f.number) {
        case 1:
            out->kind = OTLP_STRING;
            ok = pb_get_string(e, &f, &out->as.string);
            break;
        case 2:
            *out = (otlp_value){.kind = OTLP_BOOL, .as.boolean = f.integer != 0};
            ok = f.wire == PB_VARINT;
            break;
        case 3:
            *out = (otlp_value){.kind = OTLP_INT, .as.integer = (int64_t)f.integer};
            ok = f.wire == PB_VARINT;
            break;
        case 4:
            out->kind = OTLP_DOUBLE;
            memcpy(&out->as.number, &f.integer, sizeof out->as.number);
            ok = f.wire == PB_FIXED64;
            break;
        case 5: ok = f.wire == PB_BYTES && pb_read_array(e, f.bytes, depth, out); break;
        case 6:
        case 7: return pb_keep_as_json(e, whole, depth, out);
        default: break;
        }
        if (!ok)
            return false;
    }
    return true;
}

/* ---- Messages ---- */

static bool pb_read_attribute(otlp_export *e, const pb_field *f, otlp_attributes *owner)
{
    text in;
    bool has_value = false;
    otlp_attribute *attribute = otlp_add_attribute(e, owner);
    if (attribute == NULL || !pb_get_bytes(f, &in))
        return false;
    while (in.size > 0) {
        pb_field part;
        text value;
        if (!pb_take_field(&in, &part))
            return false;
        if (part.number == 1 && !pb_get_string(e, &part, &attribute->key))
            return false;
        if (part.number != 2)
            continue;
        if (!pb_get_bytes(&part, &value) || !pb_read_value(e, value, 0, &attribute->value))
            return false;
        has_value = true;
    }
    if (!has_value)
        e->lost = "an attribute entry has no value";
    return true;
}

static bool pb_read_status(otlp_export *e, text in, otlp_span *span)
{
    while (in.size > 0) {
        pb_field f;
        if (!pb_take_field(&in, &f))
            return false;
        if (f.number == 2 && !pb_get_string(e, &f, &span->status_message))
            return false;
        if (f.number == 3) {
            if (f.wire != PB_VARINT)
                return false;
            span->status_code = f.integer == 2 ? 2 : 0;
        }
    }
    return true;
}

static bool pb_read_span_field(otlp_export *e, const pb_field *f, otlp_span *span)
{
    switch (f->number) {
    case 1: return pb_get_hex(e, f, &span->trace_id);
    case 2: return pb_get_hex(e, f, &span->id);
    case 4: return pb_get_hex(e, f, &span->parent_id);
    case 5: return pb_get_string(e, f, &span->name);
    case 7: return pb_get_time(f, &span->start_ns);
    case 8: return pb_get_time(f, &span->end_ns);
    case 9: return pb_read_attribute(e, f, &span->attributes);
    case 15: return f->wire == PB_BYTES && pb_read_status(e, f->bytes, span);
    default: return true;
    }
}

/* Repeated messages are visited by number: a scope may stand behind its spans on the wire, and is needed first. */
typedef struct pb_walk {
    otlp_export *e;
    otlp_attributes resource;
    size_t scope; /* index into e->scopes */
} pb_walk;

static bool pb_for_each(pb_walk *w, text in, uint32_t number, bool (*read)(pb_walk *, text))
{
    while (in.size > 0) {
        pb_field f;
        if (!pb_take_field(&in, &f))
            return false;
        if (f.number == number && (f.wire != PB_BYTES || !read(w, f.bytes)))
            return false;
    }
    return true;
}

static bool pb_read_span(pb_walk *w, text in)
{
    otlp_span *span = otlp_add_span(w->e);
    if (span == NULL)
        return false;
    span->scope = w->scope;
    while (in.size > 0) {
        pb_field f;
        if (!pb_take_field(&in, &f) || !pb_read_span_field(w->e, &f, span))
            return false;
    }
    unsigned bad = span->trace_id.at == NULL ? 1u << OTLP_TRACE_ID_ABSENT : 0;
    bad |= span->id.at == NULL ? 1u << OTLP_SPAN_ID_ABSENT : 0;
    otlp_refuse_span(w->e, bad, w->e->scopes[w->scope].name);
    return true;
}

static bool pb_read_scope(pb_walk *w, text in)
{
    otlp_scope *scope = &w->e->scopes[w->scope];
    while (in.size > 0) {
        pb_field f;
        if (!pb_take_field(&in, &f))
            return false;
        bool ok = f.number == 1   ? pb_get_string(w->e, &f, &scope->name)
                  : f.number == 2 ? pb_get_string(w->e, &f, &scope->version)
                  : f.number == 3 ? pb_read_attribute(w->e, &f, &scope->attributes)
                                  : true;
        if (!ok)
            return false;
    }
    return true;
}

static bool pb_read_scope_spans(pb_walk *w, text in)
{
    otlp_scope *scope = otlp_add_scope(w->e);
    if (scope == NULL)
        return false;
    scope->resource = w->resource;
    w->scope = w->e->scope_count - 1;
    return pb_for_each(w, in, 1, pb_read_scope) && pb_for_each(w, in, 2, pb_read_span);
}

static bool pb_read_resource(pb_walk *w, text in)
{
    while (in.size > 0) {
        pb_field f;
        if (!pb_take_field(&in, &f) || (f.number == 1 && !pb_read_attribute(w->e, &f, &w->resource)))
            return false;
    }
    return true;
}

static bool pb_read_resource_spans(pb_walk *w, text in)
{
    w->e->empty = false;
    w->resource = (otlp_attributes){0};
    return pb_for_each(w, in, 1, pb_read_resource) && pb_for_each(w, in, 2, pb_read_scope_spans);
}

otlp_status otlp_pb_decode(arena *a, text body, otlp_export *out)
{
    *out = (otlp_export){.arena = a, .empty = true};
    bool ok = pb_for_each(&(pb_walk){.e = out}, body, 1, pb_read_resource_spans);
    if (a->failed)
        return OTLP_TOO_BIG;
    return ok ? OTLP_OK : OTLP_MALFORMED;
}
