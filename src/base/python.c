#include "python.h"

#include "guest.h"
#include "json.h"
#include "real.h"

#include <stdlib.h>
#include <string.h>

/* ---- Text ------------------------------------------------------------------------------------------------------- */

/* False for the code points of Unicode 14 that Python's str.isprintable refuses, without those that are not assigned: they
 * change with every version of Unicode. */
static bool python_is_printable(uint32_t c)
{
    static const struct {
        uint32_t first, last;
    } hidden[] = {
        {0, 0x1F},          {0x7F, 0xA0},       {0xAD, 0xAD},       {0x600, 0x605},       {0x61C, 0x61C},     {0x6DD, 0x6DD},
        {0x70F, 0x70F},     {0x890, 0x891},     {0x8E2, 0x8E2},     {0x1680, 0x1680},     {0x180E, 0x180E},   {0x2000, 0x200F},
        {0x2028, 0x202F},   {0x205F, 0x2064},   {0x2066, 0x206F},   {0x3000, 0x3000},     {0xD800, 0xF8FF},   {0xFEFF, 0xFEFF},
        {0xFFF9, 0xFFFB},   {0x110BD, 0x110BD}, {0x110CD, 0x110CD}, {0x13430, 0x13438},   {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A},
        {0xE0001, 0xE0001}, {0xE0020, 0xE007F}, {0xF0000, 0xFFFFD}, {0x100000, 0x10FFFD},
    };
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden && c >= hidden[i].first; i++)
        if (c <= hidden[i].last)
            return false;
    return true;
}

static void python_add_quoted_code_point(lf__buf *out, uint32_t c, char quote)
{
    char same = c == '\\' || c == (unsigned char)quote ? (char)c : '\0';
    char letter = c == '\n' ? 'n' : c == '\r' ? 'r' : c == '\t' ? 't' : same;
    if (letter != '\0') {
        lf__buf_add(out, (char[]){'\\', letter}, 2);
    } else if (python_is_printable(c)) {
        lf__utf8_add_code_point(out, c);
    } else {
        int digits = c < 0x100 ? 2 : c < 0x10000 ? 4 : 8;
        lf__buf_add(out, (char[]){'\\', digits == 2 ? 'x' : digits == 4 ? 'u' : 'U'}, 2);
        while (digits-- > 0)
            lf__buf_add_char(out, "0123456789abcdef"[c >> 4 * digits & 15]);
    }
}

static void python_add_quoted(lf__buf *out, const char *text, size_t size)
{
    const char *at = text, *end = text + size;
    bool has_single = memchr(text, '\'', size) != NULL, has_double = memchr(text, '"', size) != NULL;
    char quote = has_single && !has_double ? '"' : '\'';
    lf__buf_add_char(out, quote);
    while (at < end && !out->failed) {
        const char *plain = at;
        while (plain < end && *plain >= ' ' && *plain < 0x7F && *plain != '\\' && *plain != quote)
            plain++;
        lf__buf_add(out, at, (size_t)(plain - at));
        at = plain;
        if (at < end) {
            uint32_t c;
            at += lf__utf8_code_point(at, end, &c);
            python_add_quoted_code_point(out, c, quote);
        }
    }
    lf__buf_add_char(out, quote);
}

void lf__python_text(lf__buf *out, const char *text, size_t size, bool repr)
{
    if (repr)
        python_add_quoted(out, text, size);
    else
        lf__utf8_add(out, text, size);
}

/* ---- Numbers ---------------------------------------------------------------------------------------------------- */

void lf__python_real(lf__buf *out, uint64_t bits, bool is_float)
{
    lf__real class = lf__real_class(bits);
    if (class == LF__REAL_NAN)
        lf__buf_add_text(out, "nan");
    else if (class == LF__REAL_INFINITE)
        lf__buf_add_text(out, lf__real_is_negative(bits) ? "-inf" : "inf");
    else if (is_float)
        lf__json_float(out, bits);
    else
        lf__json_double(out, bits);
}

/* The exponent of a JSON number, from behind its 'e'. Beyond the limit every number is zero or infinite, however many digits
 * of memory it has. */
static int64_t python_exponent(const char *at, const char *end)
{
    const int64_t limit = INT64_C(1) << 50;
    bool negative = *at == '-';
    int64_t exponent = 0;
    for (at += *at == '-' || *at == '+'; at < end; at++)
        exponent = exponent < limit ? exponent * 10 + (*at - '0') : limit;
    return negative ? -exponent : exponent;
}

/* The number without a decimal point, which strtod wants in the host's locale: "1.50e3" as "150e1". */
static void python_add_digits(lf__buf *out, const char *at, const char *end)
{
    int64_t exponent = 0;
    bool fraction = false;
    for (; at < end && *at != 'e' && *at != 'E'; at++) {
        if (*at == '.') {
            fraction = true;
            continue;
        }
        lf__buf_add_char(out, *at);
        exponent -= fraction;
    }
    if (at < end)
        exponent += python_exponent(at + 1, end);
    lf__buf_add_char(out, 'e');
    lf__json_int(out, exponent);
    lf__buf_add_char(out, '\0');
}

/* A JSON number with a fraction or an exponent. */
static void python_add_json_real(lf__buf *out, const char *number, size_t size)
{
    enum { ENOUGH = 32 }; /* 'e', an exponent, NUL */
    char few[128];
    lf__buf digits;
    if (size <= sizeof few - ENOUGH)
        lf__buf_over(&digits, few, sizeof few);
    else
        lf__buf_init(&digits, size + ENOUGH);
    python_add_digits(&digits, number, number + size);
    LF__KEEP_ERRNO;
    if (digits.failed)
        out->failed = true;
    else
        lf__python_real(out, lf__real_bits(strtod(digits.data, NULL)), false);
    lf__buf_done(&digits);
}

/* Integers keep their digits, however many; returns the place behind the number. */
static const char *python_add_json_number(lf__buf *out, const char *at, const char *end)
{
    const char *stop = at;
    bool real = false;
    for (; stop < end && *stop != '\0' && strchr("+-.0123456789eE", *stop) != NULL; stop++)
        real = real || *stop == '.' || *stop == 'e' || *stop == 'E';
    size_t size = (size_t)(stop - at);
    if (real)
        python_add_json_real(out, at, size);
    else if (size == 2 && at[0] == '-' && at[1] == '0')
        lf__buf_add_char(out, '0');
    else
        lf__buf_add(out, at, size);
    return stop;
}

/* ---- JSON text -------------------------------------------------------------------------------------------------- */

/* `at` is behind the opening quote; returns the place behind the closing one. `scratch` is for text with escapes. */
static const char *python_add_json_string(lf__buf *out, const char *at, const char *end, bool repr, lf__buf *scratch)
{
    const char *stop = at;
    bool escaped = false;
    for (; stop < end && *stop != '"'; stop++)
        if (*stop == '\\') {
            escaped = true;
            stop++;
        }
    size_t size = (size_t)(stop - at);
    if (!escaped) {
        lf__python_text(out, at, size, repr);
    } else if (!repr) {
        lf__json_unescape(out, at, size);
    } else {
        lf__buf_clear(scratch);
        if (lf__json_unescape(scratch, at, size))
            lf__python_text(out, scratch->data, scratch->length, repr);
        else
            out->failed = true;
    }
    return stop + 1;
}

/* One pass: only the spelling of the tokens differs from Python's. */
void lf__python_json(lf__buf *out, const char *text, size_t size, bool repr)
{
    const char *at = text, *end = text + size;
    unsigned depth = repr;
    lf__buf scratch;
    lf__buf_init(&scratch, SIZE_MAX / 2);
    while (at < end && !out->failed) {
        switch (*at) {
        case ' ':
        case '\n':
        case '\r':
        case '\t': at++; break;
        case '{':
        case '[':
            lf__buf_add_char(out, *at++);
            depth++;
            break;
        case '}':
        case ']':
            lf__buf_add_char(out, *at++);
            depth--;
            break;
        case ',':
        case ':': lf__buf_add(out, (char[]){*at++, ' '}, 2); break;
        case '"': at = python_add_json_string(out, at + 1, end, depth > 0, &scratch); break;
        case 't':
            lf__buf_add_text(out, "True");
            at += 4;
            break;
        case 'f':
            lf__buf_add_text(out, "False");
            at += 5;
            break;
        case 'n':
            lf__buf_add_text(out, depth > 0 ? "None" : "");
            at += 4;
            break;
        default: at = python_add_json_number(out, at, end); break;
        }
    }
    lf__buf_done(&scratch);
}
