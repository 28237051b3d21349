#include "capture.h"

#include "../base/json.h"
#include "../base/real.h"

#include <cjson/cJSON.h>
#include <stdio.h>

enum {
    CAPTURE_RESERVE_MIN = 512,
    CAPTURE_RESERVE_MAX = 8192,
    CAPTURE_ELEMENT_MAX = 16 /* bytes of a number */
};

_Atomic size_t lf__record_bytes, lf__output_bytes, lf__last_bytes;
_Atomic uint64_t lf__left_out, lf__refused;

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

void lf__refuse(void)
{
    atomic_fetch_add_explicit(&lf__refused, 1, memory_order_relaxed);
}

bool lf__value_is_possible(const lf_value *value)
{
    switch ((lf_kind)value->kind) {
    case LF_KIND_STRING: return lf__size_is_possible(value->extra);
    case LF_KIND_JSON: return value->extra == SIZE_MAX || lf__size_is_possible(value->extra);
    case LF_KIND_ARRAY: return value->extra == 0 || (value->element_size != 0 && value->extra <= PTRDIFF_MAX / value->element_size);
    case LF_KIND_LIST: return value->extra <= PTRDIFF_MAX / sizeof(lf_value);
    case LF_KIND_OBJECT: return value->extra <= PTRDIFF_MAX / sizeof(lf_member);
    default: return value->kind <= LF_KIND_OPAQUE;
    }
}

static bool capture_json(lf__buf *out, const lf_value *value, int depth);

static bool capture_cjson_string(lf__buf *out, const char *text)
{
    return text == NULL ? lf__buf_add_text(out, "null") : lf__json_string(out, text, strlen(text));
}

static bool capture_cjson(lf__buf *out, const cJSON *item, int depth);

static bool capture_cjson_children(lf__buf *out, const cJSON *item, bool named, int depth)
{
    bool ok = lf__buf_add_char(out, named ? '{' : '[');
    for (const cJSON *child = item->child; ok && child != NULL; child = child->next) {
        if (child != item->child)
            ok = lf__buf_add_char(out, ',');
        if (named)
            ok = ok && capture_cjson_string(out, child->string == NULL ? "" : child->string) && lf__buf_add_char(out, ':');
        ok = ok && capture_cjson(out, child, depth + 1);
    }
    return ok && lf__buf_add_char(out, named ? '}' : ']');
}

static bool capture_cjson(lf__buf *out, const cJSON *item, int depth)
{
    if (item == NULL || depth > LF__CAPTURE_MAX_DEPTH)
        return lf__buf_add_text(out, "null");
    switch (item->type & 0xff) {
    case cJSON_False: return lf__buf_add_text(out, "false");
    case cJSON_True: return lf__buf_add_text(out, "true");
    case cJSON_Number: {
        /* cJSON holds every number as a double; whole ones are written as such, as its own printer does. */
        uint64_t bits = lf__real_bits(item->valuedouble);
        int64_t whole;
        return lf__real_is_whole(bits, &whole) ? lf__json_int(out, whole) : lf__json_double(out, bits);
    }
    case cJSON_String: return capture_cjson_string(out, item->valuestring);
    case cJSON_Array: return capture_cjson_children(out, item, false, depth);
    case cJSON_Object: return capture_cjson_children(out, item, true, depth);
    case cJSON_Raw:
        if (item->valuestring != NULL && lf__json_valid(item->valuestring, strlen(item->valuestring)))
            return lf__buf_add_text(out, item->valuestring);
        return capture_cjson_string(out, item->valuestring);
    default: return lf__buf_add_text(out, "null");
    }
}

/* The low bytes of a number in the machine's byte order, extended to 64 bits. */
static int64_t capture_extended(const void *number, size_t size, bool is_signed)
{
    uint64_t word = 0;
    unsigned unused = 64 - 8 * (unsigned)size;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(&word, number, size);
#else
    memcpy((char *)&word + sizeof word - size, number, size);
#endif
    return is_signed ? (int64_t)(word << unused) >> unused : (int64_t)word;
}

/* No more of an element is read than there is: what lf_array takes for pointers may be structs of any size. */
lf_value lf__capture_element(const lf_value *array, uint64_t i)
{
    const char *at = (const char *)array->as.p + i * array->element_size;
    size_t size = array->element_size < sizeof(int64_t) ? array->element_size : sizeof(int64_t);
    lf_value value = lf_i_make((lf_kind)array->element, 0);
    switch (array->element) {
    case LF_KIND_CSTRING:
    case LF_KIND_POINTER:
        if (array->element_size == sizeof value.as.p)
            memcpy(&value.as.p, at, size);
        else
            value = lf_i_make(LF_KIND_OPAQUE, array->element_size);
        return value;
    case LF_KIND_FLOAT: {
        uint32_t bits = 0;
        memcpy(&bits, at, size < sizeof bits ? size : sizeof bits);
        value.as.u = lf__real_of_float(bits);
        return value;
    }
    case LF_KIND_DOUBLE: memcpy(&value.as.u, at, size); return value;
    case LF_KIND_BOOL:
    case LF_KIND_INT:
    case LF_KIND_UINT:
    case LF_KIND_CHAR: break;
    default: return lf_null(); /* of other kinds there are no arrays */
    }
    bool is_signed = array->element == LF_KIND_INT || (array->element == LF_KIND_CHAR && (char)-1 < 0);
    if (size != 0)
        value.as.i = capture_extended(at, size, is_signed);
    return value;
}

static bool capture_sequence(lf__buf *out, const lf_value *value, int depth)
{
    bool ok = lf__buf_add_char(out, '[');
    for (uint64_t i = 0; ok && i < value->extra && value->as.p != NULL; i++) {
        lf_value element = value->kind == LF_KIND_LIST ? ((const lf_value *)value->as.p)[i] : lf__capture_element(value, i);
        ok = (i == 0 || lf__buf_add_char(out, ',')) && capture_json(out, &element, depth + 1);
    }
    return ok && lf__buf_add_char(out, ']');
}

static bool capture_object(lf__buf *out, const lf_value *value, int depth)
{
    const lf_member *members = value->as.p;
    bool ok = lf__buf_add_char(out, '{');
    bool first = true;
    for (uint64_t i = 0; ok && i < value->extra && members != NULL; i++) {
        if (members[i].name == NULL || members[i].value.kind == LF_KIND_UNSET)
            continue;
        ok = (first || lf__buf_add_char(out, ',')) && lf__json_string(out, members[i].name, strlen(members[i].name)) &&
             lf__buf_add_char(out, ':') && capture_json(out, &members[i].value, depth + 1);
        first = false;
    }
    return ok && lf__buf_add_char(out, '}');
}

static bool capture_json(lf__buf *out, const lf_value *value, int depth)
{
    if (depth > LF__CAPTURE_MAX_DEPTH)
        return lf__buf_add_text(out, "null");
    if (!lf__value_is_possible(value)) {
        lf__refuse();
        return lf__buf_add_text(out, "null");
    }
    switch ((lf_kind)value->kind) {
    case LF_KIND_ARRAY:
    case LF_KIND_LIST: return capture_sequence(out, value, depth);
    case LF_KIND_OBJECT: return capture_object(out, value, depth);
    case LF_KIND_CJSON: return capture_cjson(out, value->as.p, depth);
    case LF_KIND_CSTRING: return capture_cjson_string(out, value->as.p);
    case LF_KIND_STRING:
        return value->as.p == NULL ? lf__buf_add_text(out, "null") : lf__json_string(out, value->as.p, (size_t)value->extra);
    case LF_KIND_JSON: {
        if (value->as.p == NULL)
            return lf__buf_add_text(out, "null");
        size_t size = value->extra == SIZE_MAX ? strlen(value->as.p) : (size_t)value->extra;
        return lf__json_valid(value->as.p, size) ? lf__buf_add(out, value->as.p, size) : lf__json_string(out, value->as.p, size);
    }
    default: {
        /* The rest is small: store it as a field and let the one printer of fields write it. */
        uint64_t memory[LF__CAPTURE_MIN_ROOM / 8];
        uint8_t *start = (uint8_t *)memory;
        if (lf__capture_slow(start, start + sizeof memory, LF__TAG_INPUT, 0, value) == start)
            return lf__buf_add_text(out, "null");
        return lf__field_json(out, (const lf__field *)memory);
    }
    }
}

bool lf__capture_json(lf__buf *out, const lf_value *value)
{
    return capture_json(out, value, 0);
}

/* Of a field's payload and what aligns it; there are LF__CAPTURE_MIN_ROOM bytes for the whole at least. */
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
    if (!capture_json(&out, value, 0)) {
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
    if (!plain || value->element_size == 0 || value->element_size > CAPTURE_ELEMENT_MAX || value->extra > UINT32_MAX ||
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
    if (value->kind == LF_KIND_UNSET)
        return at;
    if (!lf__value_is_possible(value)) {
        lf__refuse();
        return at;
    }
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
    lf_kind kind = value->kind == LF_KIND_JSON ? LF_KIND_JSON : LF_KIND_STRING;
    bool terminated = value->kind == LF_KIND_CSTRING || (value->kind == LF_KIND_JSON && value->extra == SIZE_MAX);
    return capture_bytes(at, end, tag, index, kind, value->as.p, terminated ? strlen(value->as.p) : (size_t)value->extra);
}
