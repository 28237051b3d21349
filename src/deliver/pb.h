/* Writing protobuf wire format into a buffer. Only what OTLP needs: varints, fixed-width numbers, and messages whose length
 * is either computed before or filled in afterwards. Varints are always minimal.
 */
#ifndef LF_SRC_PB_H
#define LF_SRC_PB_H

#include "../base/buf.h"

#include <endian.h>
#include <string.h>

typedef enum lf__pb_type { LF__PB_VARINT = 0, LF__PB_FIXED64 = 1, LF__PB_BYTES = 2, LF__PB_FIXED32 = 5 } lf__pb_type;

/* The tag in front of a field. Fields 1 to 15 have tags of one byte, the others of two. */
#define LF__PB_TAG(field, type) ((uint64_t)(field) << 3 | (uint64_t)(type))

static inline size_t lf__pb_varint_size(uint64_t value)
{
    size_t size = 1;
    for (; value >= 0x80; value >>= 7)
        size++;
    return size;
}

/* The `lf__pb_put` functions write at `to`, where there must be room, and return the place behind. */
static inline char *lf__pb_put_varint(char *to, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *to++ = (char)(value | 0x80);
    *to++ = (char)value;
    return to;
}

static inline char *lf__pb_put_fixed32(char *to, uint32_t value)
{
    value = htole32(value);
    memcpy(to, &value, sizeof value);
    return to + sizeof value;
}

static inline char *lf__pb_put_fixed64(char *to, uint64_t value)
{
    value = htole64(value);
    memcpy(to, &value, sizeof value);
    return to + sizeof value;
}

static inline char *lf__pb_put_bytes(char *to, uint64_t tag, const void *bytes, size_t size)
{
    to = lf__pb_put_varint(lf__pb_put_varint(to, tag), size);
    lf__copy(to, bytes, size);
    return to + size;
}

/* Append the tag and length of a message whose length is known. */
static inline bool lf__pb_add_prefix(lf__buf *out, uint64_t tag, size_t size)
{
    char prefix[20], *end = lf__pb_put_varint(lf__pb_put_varint(prefix, tag), size);
    return lf__buf_add(out, prefix, (size_t)(end - prefix));
}

/* Open a message whose length is not known yet; returns where its body begins. Two bytes are kept for the length, which
 * fits messages of 128 to 16383 bytes; for others lf__pb_end moves the body. */
static inline size_t lf__pb_begin(lf__buf *out, uint64_t tag)
{
    char prefix[12], *end = lf__pb_put_varint(prefix, tag) + 2;
    end[-1] = end[-2] = 0;
    lf__buf_add(out, prefix, (size_t)(end - prefix));
    return out->length;
}

static inline void lf__pb_end(lf__buf *out, size_t body)
{
    if (out->failed)
        return;
    size_t size = out->length - body, length_size = lf__pb_varint_size(size);
    if (length_size > 2 && lf__buf_reserve(out, length_size - 2) == NULL)
        return;
    char *length = out->data + body - 2;
    if (length_size != 2)
        memmove(length + length_size, out->data + body, size);
    lf__pb_put_varint(length, size);
    out->length = body - 2 + length_size + size;
}

#endif
