/* Writes protobuf fields for the tests of the server: the plainest writer that can be, and no code of the library. */
#ifndef TESTS_PB_WRITER_H
#define TESTS_PB_WRITER_H

#include "../../server/buf.h"

static inline void pb_varint(buf *out, uint64_t value)
{
    while (value > 127) {
        buf_char(out, (char)(unsigned char)(value | 128));
        value >>= 7;
    }
    buf_char(out, (char)value);
}

static inline void pb_number(buf *out, unsigned field, uint64_t value)
{
    pb_varint(out, (uint64_t)field << 3);
    pb_varint(out, value);
}

static inline void pb_fixed64(buf *out, unsigned field, uint64_t value)
{
    pb_varint(out, (uint64_t)field << 3 | 1);
    for (unsigned i = 0; i < 8; i++)
        buf_char(out, (char)(unsigned char)(value >> (8 * i)));
}

static inline void pb_bytes(buf *out, unsigned field, text bytes)
{
    pb_varint(out, (uint64_t)field << 3 | 2);
    pb_varint(out, bytes.size);
    buf_text(out, bytes);
}

/* Wraps what `inner` holds as a sub-message, and empties it. */
static inline void pb_message(buf *out, unsigned field, buf *inner)
{
    pb_bytes(out, field, buf_view(inner));
    buf_free(inner);
}

static inline void pb_attribute(buf *out, unsigned field, const char *key, buf *value)
{
    buf attribute = {0};
    pb_bytes(&attribute, 1, text_of(key));
    pb_message(&attribute, 2, value);
    pb_message(out, field, &attribute);
}

static inline void pb_string_attribute(buf *out, unsigned field, const char *key, const char *value)
{
    buf any = {0};
    pb_bytes(&any, 1, text_of(value));
    pb_attribute(out, field, key, &any);
}

/* A whole export of one scope around the spans (fields 2 of ScopeSpans) in `spans`, which is emptied. */
static inline buf pb_export(buf *spans)
{
    buf scope = {0}, scope_spans = {0}, resource = {0}, resource_spans = {0}, result = {0};
    pb_bytes(&scope, 1, TEXT("langfuse-sdk"));
    pb_bytes(&scope, 2, TEXT("1.0"));
    pb_message(&scope_spans, 1, &scope);
    buf_text(&scope_spans, buf_view(spans));
    buf_free(spans);
    pb_string_attribute(&resource, 1, "service.name", "demo");
    pb_message(&resource_spans, 1, &resource);
    pb_message(&resource_spans, 2, &scope_spans);
    pb_message(&result, 1, &resource_spans);
    return result;
}

#endif
