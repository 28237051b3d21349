/* Builds records by hand for the tests of what reads them: the layout of record.h in a buffer of fixed size. */
#ifndef TESTS_RECORD_BUILDER_H
#define TESTS_RECORD_BUILDER_H

#include "../../src/observe/record.h"

#include <string.h>

typedef struct builder {
    union {
        lf__record record;
        char bytes[65536];
    } as;
} builder;

static inline lf__record *builder_begin(builder *b, lf_type type, uint32_t site)
{
    memset(&b->as.record, 0, sizeof b->as.record);
    b->as.record.size = sizeof b->as.record;
    b->as.record.kind = LF__RECORD_OBSERVATION;
    b->as.record.type = (uint8_t)type;
    b->as.record.site = site;
    return &b->as.record;
}

static inline void builder_add_indexed(builder *b, lf__tag tag, lf_kind kind, unsigned index, const void *payload, size_t size)
{
    lf__field field = {.tag = (uint8_t)tag, .kind = (uint8_t)kind, .index = (uint16_t)index, .length = (uint32_t)size};
    char *at = b->as.bytes + b->as.record.size;
    memcpy(at, &field, sizeof field);
    memset(at + sizeof field, 0, lf__align8(size));
    if (size > 0)
        memcpy(at + sizeof field, payload, size);
    b->as.record.size += (uint32_t)(sizeof field + lf__align8(size));
}

static inline void builder_add(builder *b, lf__tag tag, lf_kind kind, const void *payload, size_t size)
{
    builder_add_indexed(b, tag, kind, 0, payload, size);
}

static inline void builder_text(builder *b, lf__tag tag, const char *text)
{
    builder_add(b, tag, LF_KIND_STRING, text, strlen(text));
}

static inline void builder_json(builder *b, lf__tag tag, const char *text)
{
    builder_add(b, tag, LF_KIND_JSON, text, strlen(text));
}

static inline void builder_int(builder *b, lf__tag tag, int64_t value)
{
    builder_add(b, tag, LF_KIND_INT, &value, sizeof value);
}

static inline void builder_uint(builder *b, lf__tag tag, uint64_t value)
{
    builder_add(b, tag, LF_KIND_UINT, &value, sizeof value);
}

#endif
