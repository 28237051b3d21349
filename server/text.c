/* Text slices, an arena and a growing buffer; see text.h. */
#define _GNU_SOURCE /* memmem */
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

text text_of(const char *string)
{
    return string ? (text){string, strlen(string)} : TEXT("");
}

bool text_equal(text a, text b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

int text_order(text a, text b)
{
    size_t shared = a.len < b.len ? a.len : b.len;
    int order = shared ? memcmp(a.at, b.at, shared) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

bool text_is(text a, const char *string)
{
    return text_equal(a, text_of(string));
}

bool text_starts(text a, const char *prefix)
{
    size_t len = strlen(prefix);
    return a.len >= len && memcmp(a.at, prefix, len) == 0;
}

bool text_has(text a, const char *part)
{
    return a.len > 0 && memmem(a.at, a.len, part, strlen(part)) != NULL;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

text text_trim(text a)
{
    while (a.len > 0 && is_space(a.at[0]))
        a = text_from(a, 1);
    while (a.len > 0 && is_space(a.at[a.len - 1]))
        a.len--;
    return a;
}

bool text_lists(text list, text word)
{
    while (list.len > 0)
        if (text_equal(text_trim(text_take(&list, ",")), word))
            return true;
    return false;
}

text text_unless_empty(text a)
{
    return a.len ? a : TEXT_NONE;
}

text text_from(text a, size_t size)
{
    return (text){a.at + size, a.len - size};
}

bool text_skip(text *from, const char *prefix)
{
    bool starts = text_starts(*from, prefix);
    if (starts)
        *from = text_from(*from, strlen(prefix));
    return starts;
}

text text_take(text *from, const char *end)
{
    text whole = *from;
    const char *found = whole.len ? memmem(whole.at, whole.len, end, strlen(end)) : NULL;
    size_t before = found ? (size_t)(found - whole.at) : whole.len;
    *from = found ? text_from(whole, before + strlen(end)) : TEXT_NONE;
    return (text){whole.at, before};
}

static bool is_continuation(unsigned char c)
{
    return (c & 0xC0) == 0x80;
}

size_t text_utf8_length(text a)
{
    const unsigned char *s = (const unsigned char *)a.at;
    if (a.len == 0)
        return 0;
    if (s[0] < 0x80)
        return 1;
    if (s[0] >= 0xC2 && s[0] <= 0xDF)
        return a.len >= 2 && is_continuation(s[1]) ? 2 : 0;
    if ((s[0] & 0xF0) == 0xE0) {
        if (a.len < 3 || !is_continuation(s[1]) || !is_continuation(s[2]))
            return 0;
        bool overlong = s[0] == 0xE0 && s[1] < 0xA0;
        bool surrogate = s[0] == 0xED && s[1] > 0x9F;
        return overlong || surrogate ? 0 : 3;
    }
    if (s[0] >= 0xF0 && s[0] <= 0xF4) {
        if (a.len < 4 || !is_continuation(s[1]) || !is_continuation(s[2]) || !is_continuation(s[3]))
            return 0;
        bool overlong = s[0] == 0xF0 && s[1] < 0x90;
        bool beyond = s[0] == 0xF4 && s[1] > 0x8F;
        return overlong || beyond ? 0 : 4;
    }
    return 0;
}

bool text_to_int(text a, int64_t *out_value)
{
    bool negative = a.len > 0 && a.at[0] == '-';
    size_t i = negative ? 1 : 0;
    int64_t value = 0;
    if (i == a.len)
        return false;
    for (; i < a.len; i++) {
        if (a.at[i] < '0' || a.at[i] > '9')
            return false;
        int64_t digit = a.at[i] - '0';
        if (__builtin_mul_overflow(value, 10, &value))
            return false;
        if (negative ? __builtin_sub_overflow(value, digit, &value) : __builtin_add_overflow(value, digit, &value))
            return false;
    }
    *out_value = value;
    return true;
}

int text_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20); /* a small letter */
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool text_to_double(text a, double *out_value)
{
    char digits[400]; /* the longest plain spelling of a double has 1 + 309 digits */
    if (a.len == 0 || a.len >= sizeof digits || is_space(a.at[0]) || memchr(a.at, 0, a.len))
        return false;
    memcpy(digits, a.at, a.len);
    digits[a.len] = 0;
    char *end = NULL;
    double value = strtod(digits, &end);
    if (end != digits + a.len)
        return false;
    *out_value = value;
    return true;
}

/* --- arena --- */

struct arena_block {
    arena_block *older;
    size_t used, size;
    _Alignas(max_align_t) char bytes[];
};

#define ARENA_FIRST_BLOCK ((size_t)16 << 10)
#define ARENA_LAST_BLOCK ((size_t)4 << 20)
#define ARENA_ALIGNMENT 16u

static arena_block *arena_add_block(arena *a, size_t size)
{
    size_t ceiling = a->ceiling ? a->ceiling : ARENA_DEFAULT_CEILING;
    size_t wish = a->newest ? a->newest->size * 2 : ARENA_FIRST_BLOCK;
    if (wish > ARENA_LAST_BLOCK)
        wish = ARENA_LAST_BLOCK;
    if (wish < size)
        wish = size;
    if (size > ceiling || a->held > ceiling - wish || wish > ceiling)
        return NULL;
    arena_block *block = malloc(sizeof *block + wish);
    if (!block)
        return NULL;
    block->older = a->newest;
    block->used = 0;
    block->size = wish;
    a->newest = block;
    a->held += wish;
    return block;
}

static void *arena_take_raw(arena *a, size_t size)
{
    if (size > SIZE_MAX / 2) {
        a->failed = true;
        return NULL;
    }
    size = (size + ARENA_ALIGNMENT - 1) & ~(size_t)(ARENA_ALIGNMENT - 1);
    arena_block *block = a->newest;
    if (!block || block->size - block->used < size)
        block = arena_add_block(a, size);
    if (!block) {
        a->failed = true;
        return NULL;
    }
    void *result = block->bytes + block->used;
    block->used += size;
    return result;
}

void *arena_take(arena *a, size_t size)
{
    void *result = arena_take_raw(a, size);
    return result ? memset(result, 0, size) : NULL;
}

text arena_copy(arena *a, text t)
{
    char *copy = t.len ? arena_take_raw(a, t.len) : NULL;
    if (!copy)
        return TEXT("");
    memcpy(copy, t.at, t.len);
    return (text){copy, t.len};
}

text arena_upper(arena *a, text t)
{
    text copy = arena_copy(a, t);
    char *at = (char *)copy.at; /* the copy is ours, and nothing is written to an empty one */
    for (size_t i = 0; i < copy.len; i++)
        at[i] = (char)(at[i] >= 'a' && at[i] <= 'z' ? at[i] - 'a' + 'A' : at[i]);
    return copy;
}

/* Bytes before the first that is not part of valid UTF-8. Eight at a time, because most text is ASCII. */
static size_t valid_prefix(text t)
{
    size_t i = 0;
    while (i < t.len) {
        uint64_t word;
        if (t.len - i >= sizeof word) {
            memcpy(&word, t.at + i, sizeof word);
            if (!(word & UINT64_C(0x8080808080808080))) {
                i += sizeof word;
                continue;
            }
        }
        size_t len = text_utf8_length(text_from(t, i));
        if (len == 0)
            return i;
        i += len;
    }
    return i;
}

text arena_utf8(arena *a, text t, size_t *repairs)
{
    size_t good = valid_prefix(t);
    if (good == t.len)
        return t;
    ++*repairs;
    char *out = arena_take_raw(a, good + 3 * (t.len - good));
    if (!out)
        return TEXT("");
    size_t len = 0;
    while (t.len > 0) {
        memcpy(out + len, t.at, good);
        len += good;
        t = text_from(t, good);
        if (t.len == 0)
            break;
        memcpy(out + len, "\xEF\xBF\xBD", 3);
        len += 3;
        t = text_from(t, 1);
        good = valid_prefix(t);
    }
    return (text){out, len};
}

bool arena_unescape(arena *a, text t, text *out)
{
    size_t len = 0;
    text copy = arena_copy(a, t);
    char *at = (char *)copy.at; /* the copy is ours, and nothing is written to an empty one */
    for (size_t i = 0; i < copy.len; i++, len++) {
        if (at[i] != '%') {
            at[len] = at[i];
            continue;
        }
        int high = i + 2 < copy.len ? text_hex_digit(at[i + 1]) : -1, low = high >= 0 ? text_hex_digit(at[i + 2]) : -1;
        if (low < 0)
            return false;
        at[len] = (char)(high << 4 | low);
        i += 2;
    }
    *out = (text){copy.at, len};
    return true;
}

void arena_free(arena *a)
{
    while (a->newest) {
        arena_block *older = a->newest->older;
        free(a->newest);
        a->newest = older;
    }
    *a = (arena){.ceiling = a->ceiling};
}

/* The first item makes room for that many; each time it is used up, the room doubles. */
#define ARENA_FIRST_ITEMS ((size_t)16)

void *arena_add(arena *a, void *list, size_t item_size, size_t *count)
{
    char *items;
    memcpy(&items, list, sizeof items);
    bool is_full = *count == 0 || (*count >= ARENA_FIRST_ITEMS && (*count & (*count - 1)) == 0);
    if (is_full) {
        size_t room = *count ? *count * 2 : ARENA_FIRST_ITEMS;
        char *bigger = arena_take_raw(a, room > SIZE_MAX / 2 / item_size ? SIZE_MAX : room * item_size);
        if (!bigger)
            return NULL;
        if (*count)
            memcpy(bigger, items, *count * item_size);
        items = bigger;
        memcpy(list, &items, sizeof items);
    }
    return memset(items + (*count)++ * item_size, 0, item_size);
}

/* --- growing buffer --- */

bool buf_reserve(buf *b, size_t more)
{
    size_t ceiling = b->ceiling ? b->ceiling : BUF_DEFAULT_CEILING;
    if (b->failed)
        return false;
    if (more > ceiling || b->len > ceiling - more) {
        b->failed = true;
        return false;
    }
    if (b->capacity - b->len >= more)
        return true;
    size_t wish = b->capacity ? b->capacity : 256;
    while (wish - b->len < more)
        wish *= 2;
    char *bigger = realloc(b->at, wish);
    if (!bigger) {
        b->failed = true;
        return false;
    }
    b->at = bigger;
    b->capacity = wish;
    return true;
}

void buf_put(buf *b, const void *bytes, size_t len)
{
    if (len == 0 || !buf_reserve(b, len))
        return;
    memcpy(b->at + b->len, bytes, len);
    b->len += len;
}

void buf_text(buf *b, text t)
{
    buf_put(b, t.at, t.len);
}

void buf_string(buf *b, const char *string)
{
    buf_put(b, string, strlen(string));
}

void buf_char(buf *b, char c)
{
    if (buf_reserve(b, 1))
        b->at[b->len++] = c;
}

void buf_format(buf *b, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int len = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (len < 0)
        b->failed = true;
    else if (buf_reserve(b, (size_t)len + 1)) { /* vsnprintf also writes a NUL, which is not counted */
        vsnprintf(b->at + b->len, (size_t)len + 1, format, again);
        b->len += (size_t)len;
    }
    va_end(again);
}

text buf_view(const buf *b)
{
    return b->len ? (text){b->at, b->len} : TEXT("");
}

void buf_free(buf *b)
{
    free(b->at);
    *b = (buf){.ceiling = b->ceiling};
}

text buf_move(buf *b, arena *a)
{
    text result = arena_copy(a, buf_view(b));
    a->failed |= b->failed;
    buf_free(b);
    return result;
}

/* --- base64 --- */

static const char base64_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool base64_decode(buf *out, text in)
{
    while (in.len > 0 && in.at[in.len - 1] == '=')
        in.len--;
    if (in.len % 4 == 1)
        return false;
    uint32_t bits = 0;
    unsigned have = 0;
    for (size_t i = 0; i < in.len; i++) {
        const char *found = in.at[i] ? strchr(base64_alphabet, in.at[i]) : NULL;
        if (!found)
            return false;
        bits = bits << 6 | (uint32_t)(found - base64_alphabet);
        have += 6;
        if (have >= 8) {
            have -= 8;
            buf_char(out, (char)(unsigned char)(bits >> have));
        }
    }
    return !out->failed;
}

void base64_encode(buf *out, text in)
{
    const unsigned char *s = (const unsigned char *)in.at;
    for (size_t i = 0; i < in.len; i += 3) {
        size_t left = in.len - i;
        uint32_t bits = (uint32_t)s[i] << 16 | (left > 1 ? (uint32_t)s[i + 1] << 8 : 0) | (left > 2 ? s[i + 2] : 0);
        buf_char(out, base64_alphabet[bits >> 18]);
        buf_char(out, base64_alphabet[bits >> 12 & 63]);
        buf_char(out, left > 1 ? base64_alphabet[bits >> 6 & 63] : '=');
        buf_char(out, left > 2 ? base64_alphabet[bits & 63] : '=');
    }
}
