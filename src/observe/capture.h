/* From a tagged value of the caller to a field of a record: text is copied, trees are written out, numbers stay binary for
 * the worker to print. Writes to the memory it is given and never beyond; what does not fit is shortened visibly.
 */
#ifndef LF_SRC_CAPTURE_H
#define LF_SRC_CAPTURE_H

#include "record.h"

#include <stdatomic.h>
#include <string.h>

enum {
    LF__FIELD_SCALAR_SIZE = 16,   /* field header and 8 bytes */
    LF__CAPTURE_MIN_ROOM = 128    /* a value is not begun with less room than this */
};

/* The sizes of a record at which values are shortened or left out: most values; then outputs, which come later; then levels,
 * messages and counts, by which errors are found. The default client's options set them. */
extern _Atomic size_t lf__record_bytes, lf__output_bytes, lf__last_bytes;
void lf__capture_set_limits(size_t max_bytes);

typedef enum lf__room { LF__ROOM_MOST, LF__ROOM_OUTPUT, LF__ROOM_LAST } lf__room;

static inline lf__room lf__capture_room(lf__tag tag)
{
    switch (tag) {
    case LF__TAG_OUTPUT:
    case LF__TAG_OUTPUT_PIECE: return LF__ROOM_OUTPUT;
    case LF__TAG_LEVEL:
    case LF__TAG_STATUS_MESSAGE:
    case LF__TAG_COMPLETION_START:
    case LF__TAG_USAGE:
    case LF__TAG_USAGE_DETAILS:
    case LF__TAG_COST_DETAILS: return LF__ROOM_LAST;
    default: return LF__ROOM_MOST;
    }
}

/* How many values found no room at all, in all threads. */
extern _Atomic uint64_t lf__left_out;
void lf__leave_out(void);

/* Append `value` as a field to [at, end), 8-aligned; `end` may lie before `at`. Returns where the next field goes; == at when
 * nothing was written (unset or refused value, or no room). */
uint8_t *lf__capture_slow(uint8_t *at, uint8_t *end, lf__tag tag, unsigned index, const lf_value *value);

static inline void lf__capture_head(uint8_t *at, lf__tag tag, lf_kind kind, unsigned index, size_t length)
{
    lf__field *field = (lf__field *)(void *)at;
    field->tag = (uint8_t)tag;
    field->kind = (uint8_t)kind;
    field->index = (uint16_t)index;
    field->length = (uint32_t)length;
}

/* Two overlapping moves instead of a call for what most arguments are: short text. Fewer sizes than lf__copy: with all of them
 * gcc no longer inlines lf__write, and an attribute scope takes a seventh more instructions. */
static inline __attribute__((always_inline)) void lf__capture_copy(uint8_t *to, const char *from, size_t size)
{
    if (size >= 16 && size <= 32) {
        memcpy(to, from, 16);
        memcpy(to + size - 16, from + size - 16, 16);
    } else if (size >= 8 && size < 16) {
        memcpy(to, from, 8);
        memcpy(to + size - 8, from + size - 8, 8);
    } else {
        memcpy(to, from, size);
    }
}

/* The kinds that nearly every call carries are stored inline. */
static inline __attribute__((always_inline)) uint8_t *lf__capture(uint8_t *at, uint8_t *end, lf__tag tag, unsigned index,
                                                                  const lf_value *value)
{
    ptrdiff_t room = end - at; /* signed: fields that are always kept may lie beyond `end` */
    lf_kind kind = (lf_kind)value->kind;
    if (__builtin_expect(room >= LF__CAPTURE_MIN_ROOM, 1)) {
        if (kind == LF_KIND_CSTRING && value->as.p != NULL) {
            size_t size = strlen((const char *)value->as.p);
            if (__builtin_expect(size <= (size_t)room - sizeof(lf__field) - 8, 1)) {
                lf__capture_head(at, tag, LF_KIND_STRING, index, size);
                lf__capture_copy(at + sizeof(lf__field), (const char *)value->as.p, size);
                return at + sizeof(lf__field) + lf__align8(size);
            }
        } else if (kind >= LF_KIND_BOOL && kind <= LF_KIND_UINT) {
            lf__capture_head(at, tag, kind, index, 8);
            memcpy(at + sizeof(lf__field), &value->as, 8);
            return at + LF__FIELD_SCALAR_SIZE;
        }
    }
    return lf__capture_slow(at, end, tag, index, value);
}

#endif
