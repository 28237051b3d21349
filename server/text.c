#define _GNU_SOURCE
#include "text.h"

#include <stdlib.h>
#include <string.h>

text text_of(const char *string)
{
    return string != NULL ? (text){string, strlen(string)} : TEXT("");
}

bool text_equal(text a, text b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.at, b.at, a.size) == 0);
}

int text_order(text a, text b)
{
    size_t shared = a.size < b.size ? a.size : b.size;
    int order = shared > 0 ? memcmp(a.at, b.at, shared) : 0;
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

bool text_is(text a, const char *string)
{
    return text_equal(a, text_of(string));
}

bool text_starts(text a, const char *prefix)
{
    size_t size = strlen(prefix);
    return a.size >= size && memcmp(a.at, prefix, size) == 0;
}

bool text_has(text a, const char *part)
{
    return a.size > 0 && memmem(a.at, a.size, part, strlen(part)) != NULL;
}

static bool text_is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

text text_trim(text a)
{
    while (a.size > 0 && text_is_space(a.at[0]))
        a = text_from(a, 1);
    while (a.size > 0 && text_is_space(a.at[a.size - 1]))
        a.size--;
    return a;
}

bool text_lists(text list, text word)
{
    while (list.size > 0)
        if (text_equal(text_trim(text_take(&list, ",")), word))
            return true;
    return false;
}

text text_unless_empty(text a)
{
    return a.size > 0 ? a : TEXT_NONE;
}

text text_from(text a, size_t size)
{
    return (text){a.at + size, a.size - size};
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
    const char *found = whole.size > 0 ? memmem(whole.at, whole.size, end, strlen(end)) : NULL;
    size_t before = found != NULL ? (size_t)(found - whole.at) : whole.size;
    *from = found != NULL ? text_from(whole, before + strlen(end)) : TEXT_NONE;
    return (text){whole.at, before};
}

static bool text_is_continuation(unsigned char c)
{
    return (c & 0xC0) == 0x80;
}

size_t text_utf8_size(text a)
{
    const unsigned char *s = (const unsigned char *)a.at;
    if (a.size == 0)
        return 0;
    if (s[0] < 0x80)
        return 1;
    if (s[0] >= 0xC2 && s[0] <= 0xDF)
        return a.size >= 2 && text_is_continuation(s[1]) ? 2 : 0;
    if ((s[0] & 0xF0) == 0xE0) {
        if (a.size < 3 || !text_is_continuation(s[1]) || !text_is_continuation(s[2]))
            return 0;
        bool overlong = s[0] == 0xE0 && s[1] < 0xA0;
        bool surrogate = s[0] == 0xED && s[1] > 0x9F;
        return overlong || surrogate ? 0 : 3;
    }
    if (s[0] >= 0xF0 && s[0] <= 0xF4) {
        if (a.size < 4 || !text_is_continuation(s[1]) || !text_is_continuation(s[2]) || !text_is_continuation(s[3]))
            return 0;
        bool overlong = s[0] == 0xF0 && s[1] < 0x90;
        bool beyond = s[0] == 0xF4 && s[1] > 0x8F;
        return overlong || beyond ? 0 : 4;
    }
    return 0;
}

size_t text_utf8_prefix(text a)
{
    size_t i = 0; /* most text is ASCII: eight bytes at a time */
    while (i < a.size) {
        uint64_t word;
        if (a.size - i >= sizeof word) {
            memcpy(&word, a.at + i, sizeof word);
            if ((word & UINT64_C(0x8080808080808080)) == 0) {
                i += sizeof word;
                continue;
            }
        }
        size_t size = text_utf8_size(text_from(a, i));
        if (size == 0)
            return i;
        i += size;
    }
    return i;
}

bool text_to_int(text a, int64_t *out_value)
{
    bool negative = a.size > 0 && a.at[0] == '-';
    size_t i = negative ? 1 : 0;
    int64_t value = 0;
    if (i == a.size)
        return false;
    for (; i < a.size; i++) {
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
    if (a.size == 0 || a.size >= sizeof digits || text_is_space(a.at[0]) || memchr(a.at, '\0', a.size) != NULL)
        return false;
    memcpy(digits, a.at, a.size);
    digits[a.size] = '\0';
    char *end = NULL;
    double value = strtod(digits, &end);
    if (end != digits + a.size)
        return false;
    *out_value = value;
    return true;
}
