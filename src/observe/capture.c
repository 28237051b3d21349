#include "capture.h"

#include "../base/json.h"
#include "../base/value.h"

#include <stdio.h>

enum { CAPTURE_RESERVE_MIN = 512, CAPTURE_RESERVE_MAX = 8192 };

_Atomic size_t lf__record_bytes, lf__output_bytes, lf__last_bytes;
_Atomic uint64_t lf__left_out;

void lf__capture_set_limits(size_t max_bytes)
{
    size_t reserve = max_bytes / 4;
    reserve = reserve < CAPTURE_RESERVE_MIN ? CAPTURE_RESERVE_MIN : reserve > CAPTURE_RESERVE_MAX ? CAPTURE_RESERVE_MAX : reserve;
    reserve = reserve < max_bytes ? reserve : max_bytes;
    atomic_store_explicit(&lf__record_bytes, max_bytes - reserve, memory_order_relaxed);
    atomic_store_explicit(&lf__output_bytes, max_bytes - reserve / 2, memory_order_relaxed);
    atomic_store_explicit(&lf__last_bytes, max_bytes, memory_order_relaxed);
}

void lf__leave_out(void)
{
    atomic_fetch_add_explicit(&lf__left_out, 1, memory_order_relaxed);
}

/* The room for a field's payload and the bytes that align it. From `at` on there are LF__CAPTURE_MIN_ROOM bytes at least. */
static size_t capture_room(const uint8_t *at, const uint8_t *end)
{
    return lf__bytes_to(end, at) - sizeof(lf__field) - 8;
}

/* Text longer than the room keeps its beginning and its end, with a mark between that says what is missing. */
static uint8_t *capture_shortened(uint8_t *at, uint8_t *end, lf__tag tag, unsigned index, const char *text, size_t size)
{
    size_t room = capture_room(at, end);
    char mark[64];
    int mark_size = snprintf(mark, sizeof mark, "... [%zu bytes left out] ...", size - room);
    if (mark_size < 0 || (size_t)mark_size >= room)
        return at;
    size_t keep = room - (size_t)mark_size;
    size_t head = lf__utf8_floor(text, keep - keep / 4);
    size_t tail = keep / 4;
    while (tail > 0 && ((unsigned char)text[size - tail] & 0xc0) == 0x80)
        tail--;
    lf__capture_head(at, tag, LF_KIND_STRING, index, head + (size_t)mark_size + tail);
    uint8_t *to = at + sizeof(lf__field);
    memcpy(to, text, head);
    memcpy(to + head, mark, (size_t)mark_size);
    memcpy(to + head + mark_size, text + size - tail, tail);
    return to + lf__align8(head + (size_t)mark_size + tail);
}

static uint8_t *capture_bytes(uint8_t *at, uint8_t *end, lf__tag tag, unsigned index, lf_kind kind, const char *text, size_t size)
{
    if (size > capture_room(at, end))
        return capture_shortened(at, end, tag, index, text, size);
    lf__capture_head(at, tag, kind, index, size);
    memcpy(at + sizeof(lf__field), text, size);
    return at + sizeof(lf__field) + lf__align8(size);
}

static uint8_t *capture_tree(uint8_t *at, uint8_t *end, lf__tag tag, unsigned index, const lf_value *value)
{
    static const char mark[] = "... [the rest is left out]";
    lf__buf out;
    char *text = (char *)at + sizeof(lf__field);
    lf__buf_over(&out, text, capture_room(at, end));
    lf_kind kind = LF_KIND_JSON;
    if (!lf__value_json(&out, value)) {
        /* Cut JSON is no JSON: it is kept as text, with a mark. */
        kind = LF_KIND_STRING;
        size_t keep = out.length < out.limit - sizeof mark ? out.length : out.limit - sizeof mark;
        lf__buf_rewind(&out, lf__utf8_floor(text, keep));
        lf__buf_add(&out, mark, sizeof mark - 1);
    }
    lf__capture_head(at, tag, kind, index, out.length);
    return at + sizeof(lf__field) + lf__align8(out.length);
}

static uint8_t *capture_array(uint8_t *at, uint8_t *end, lf__tag tag, unsigned index, const lf_value *value)
{
    uint64_t room = capture_room(at, end) - sizeof(lf__array_head);
    bool plain = value->element == LF_KIND_BOOL || value->element == LF_KIND_INT || value->element == LF_KIND_UINT ||
                 value->element == LF_KIND_FLOAT || value->element == LF_KIND_DOUBLE;
    if (value->as.p == NULL)
        return capture_bytes(at, end, tag, index, LF_KIND_JSON, "null", 4);
    if (!plain || value->element_size == 0 || value->element_size > sizeof(uint64_t) || value->extra > UINT32_MAX ||
        value->extra > room / value->element_size)
        return capture_tree(at, end, tag, index, value);
    size_t bytes = (size_t)value->extra * value->element_size;
    lf__capture_head(at, tag, LF_KIND_ARRAY, index, sizeof(lf__array_head) + bytes);
    lf__array_head head = {value->element, (uint16_t)value->element_size, (uint32_t)value->extra};
    memcpy(at + sizeof(lf__field), &head, sizeof head);
    memcpy(at + sizeof(lf__field) + sizeof head, value->as.p, bytes);
    return at + sizeof(lf__field) + lf__align8(sizeof head + bytes);
}

static uint8_t *capture_words(uint8_t *at, lf__tag tag, unsigned index, lf_kind kind, uint64_t first, uint64_t second, size_t size)
{
    lf__capture_head(at, tag, kind, index, size);
    memcpy(at + sizeof(lf__field), &first, 8);
    if (size == 16)
        memcpy(at + sizeof(lf__field) + 8, &second, 8);
    return at + sizeof(lf__field) + size;
}

uint8_t *lf__capture_slow(uint8_t *at, uint8_t *end, lf__tag tag, unsigned index, const lf_value *value)
{
    if (value->kind == LF_KIND_UNSET || lf__value_is_refused(value))
        return at;
    if (end - at < LF__CAPTURE_MIN_ROOM) {
        lf__leave_out();
        return at;
    }
    switch ((lf_kind)value->kind) {
    case LF_KIND_UNSET: return at;
    case LF_KIND_NULL:
    case LF_KIND_SECRET: lf__capture_head(at, tag, (lf_kind)value->kind, index, 0); return at + sizeof(lf__field);
    case LF_KIND_BOOL:
    case LF_KIND_INT:
    case LF_KIND_UINT:
    case LF_KIND_FLOAT:
    case LF_KIND_DOUBLE:
    case LF_KIND_CHAR: return capture_words(at, tag, index, (lf_kind)value->kind, value->as.u, 0, 8);
    case LF_KIND_POINTER: /* may be narrower than the word that it shares its place with */
        return capture_words(at, tag, index, LF_KIND_POINTER, (uintptr_t)value->as.p, 0, 8);
    case LF_KIND_OPAQUE: return capture_words(at, tag, index, LF_KIND_OPAQUE, value->extra, 0, 8);
    case LF_KIND_INT128:
    case LF_KIND_UINT128: return capture_words(at, tag, index, (lf_kind)value->kind, value->as.u, value->extra, 16);
    case LF_KIND_CSTRING:
    case LF_KIND_STRING:
    case LF_KIND_JSON: break;
    case LF_KIND_CJSON:
    case LF_KIND_OBJECT:
    case LF_KIND_LIST: return capture_tree(at, end, tag, index, value);
    case LF_KIND_ARRAY: return capture_array(at, end, tag, index, value);
    }
    if (value->as.p == NULL) {
        lf__capture_head(at, tag, LF_KIND_NULL, index, 0);
        return at + sizeof(lf__field);
    }
    if (value->kind == LF_KIND_JSON)
        return capture_bytes(at, end, tag, index, LF_KIND_JSON, value->as.p, lf__value_json_size(value));
    size_t size = value->kind == LF_KIND_CSTRING ? strlen(value->as.p) : (size_t)value->extra;
    return capture_bytes(at, end, tag, index, LF_KIND_STRING, value->as.p, size);
}
