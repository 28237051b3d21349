#include "json.h"

#include "guest.h"
#include "real.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { JSON_MAX_DEPTH = 512, JSON_UINT64_DIGITS = 20, JSON_UINT128_DIGITS = 39 };

/* Eight bytes at a time: one such byte in each lane of a word, and the lanes that are below n or equal to c. A lane may
 * be marked wrongly only above a rightly marked one, so "any lane marked" is exact. */
#define JSON_LANES(byte) (0x0101010101010101u * (uint64_t)(byte))
#define JSON_LANES_BELOW(word, n) (((word) - JSON_LANES(n)) & ~(word) & JSON_LANES(0x80))
#define JSON_LANES_EQUAL(word, c) JSON_LANES_BELOW((word) ^ JSON_LANES(c), 1)

static uint64_t json_word(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

/* ---- UTF-8 ------------------------------------------------------------------------------------------------------ */

static size_t json_sequence_size(unsigned char lead)
{
    return lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
}

/* The bytes at `at` up to the next place to look at: a sequence, or a maximal part of what could have become one. */
static size_t json_sequence(const char *at, const char *end, bool *valid)
{
    unsigned char lead = (unsigned char)*at;
    size_t size = json_sequence_size(lead);
    *valid = false;
    if (size == 0)
        return 1;
    /* The second byte's range keeps out overlong forms, surrogates and what lies above U+10FFFF. */
    unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    for (size_t i = 1; i < size; i++, low = 0x80, high = 0xBF)
        if (at + i == end || (unsigned char)at[i] < low || (unsigned char)at[i] > high)
            return i;
    *valid = true;
    return size;
}

size_t lf__utf8_valid_prefix(const char *text, size_t size)
{
    size_t at = 0;
    while (at < size) {
        size_t word = size - at >= 8 ? at : size - 8; /* the last bytes together with some before them */
        if (size >= 8 && (json_word(text + word) & JSON_LANES(0x80)) == 0) {
            at = word + 8;
            continue;
        }
        bool valid;
        size_t step = json_sequence(text + at, text + size, &valid);
        if (!valid)
            break;
        at += step;
    }
    return at;
}

size_t lf__utf8_floor(const char *text, size_t size)
{
    for (size_t back = 1; back <= 3 && back <= size; back++) {
        unsigned char byte = (unsigned char)text[size - back];
        if ((byte & 0xC0) != 0x80)
            return json_sequence_size(byte) > back ? size - back : size;
    }
    return size;
}

static const char json_replacement[] = "\xEF\xBF\xBD";
enum { JSON_REPLACEMENT_SIZE = sizeof json_replacement - 1 };

bool lf__utf8_add(lf__buf *out, const char *text, size_t size)
{
    size_t start = out->length;
    while (size > 0) {
        size_t good = lf__utf8_valid_prefix(text, size);
        lf__buf_add(out, text, good);
        if (good < size) {
            bool valid;
            good += json_sequence(text + good, text + size, &valid);
            lf__buf_add(out, json_replacement, JSON_REPLACEMENT_SIZE);
        }
        text += good;
        size -= good;
    }
    return lf__buf_finish(out, start);
}

size_t lf__utf8_size(const char *text, size_t size)
{
    size_t total = 0;
    while (size > 0) {
        size_t good = lf__utf8_valid_prefix(text, size);
        total += good;
        if (good < size) {
            bool valid;
            good += json_sequence(text + good, text + size, &valid);
            total += JSON_REPLACEMENT_SIZE;
        }
        text += good;
        size -= good;
    }
    return total;
}

bool lf__utf8_add_code_point(lf__buf *out, uint32_t c)
{
    if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
        c = 0xFFFD;
    if (c < 0x80)
        return lf__buf_add_char(out, (char)c);
    if (c < 0x800)
        return lf__buf_add(out, (char[]){(char)(0xC0 | c >> 6), (char)(0x80 | (c & 0x3F))}, 2);
    if (c < 0x10000)
        return lf__buf_add(out, (char[]){(char)(0xE0 | c >> 12), (char)(0x80 | (c >> 6 & 0x3F)), (char)(0x80 | (c & 0x3F))}, 3);
    return lf__buf_add(out,
                       (char[]){(char)(0xF0 | c >> 18), (char)(0x80 | (c >> 12 & 0x3F)), (char)(0x80 | (c >> 6 & 0x3F)),
                                (char)(0x80 | (c & 0x3F))},
                       4);
}

size_t lf__utf8_code_point(const char *at, const char *end, uint32_t *out_c)
{
    bool valid;
    size_t size = json_sequence(at, end, &valid);
    uint32_t c = (unsigned char)*at;
    if (size > 1)
        c &= 0x7Fu >> size;
    for (size_t i = 1; i < size; i++)
        c = c << 6 | ((unsigned char)at[i] & 0x3Fu);
    *out_c = valid ? c : 0xFFFD;
    return size;
}

/* ---- Strings ---------------------------------------------------------------------------------------------------- */

/* Of eight characters, the lanes of those that do not stand for themselves in a string: 0, if all are plain ASCII. */
static uint64_t json_special(uint64_t word)
{
    return (word & JSON_LANES(0x80)) | JSON_LANES_BELOW(word, 0x20) | JSON_LANES_EQUAL(word, '"') | JSON_LANES_EQUAL(word, '\\');
}

/* How many of them stand before the first such one. */
static size_t json_plain_size(uint64_t special)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return (size_t)__builtin_ctzll(special) / 8;
#else
    (void)special;
    return 0; /* lanes may be marked wrongly before it */
#endif
}

/* The end of the longest run that can stand in a JSON string as it is. */
static const char *json_plain_end(const char *begin, const char *end)
{
    for (const char *at = begin;;) {
        uint64_t special = 0;
        while (end - at >= 8 && (special = json_special(json_word(at))) == 0)
            at += 8;
        if (special != 0)
            at += json_plain_size(special);
        /* The last bytes together with some before them. */
        if (end - at < 8 && end - begin >= 8 && json_special(json_word(end - 8)) == 0)
            return end;
        while (at < end && (unsigned char)*at < 0x80) {
            if ((unsigned char)*at < 0x20 || *at == '"' || *at == '\\')
                return at;
            at++;
        }
        bool valid = false;
        size_t step = at < end ? json_sequence(at, end, &valid) : 0;
        if (!valid)
            return at;
        at += step;
    }
}

/* Append what stands for the bytes at `at`, which cannot stand for themselves; returns how many they are. */
static size_t json_add_escape(lf__buf *out, const char *at, const char *end)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char c = (unsigned char)*at;
    if (c >= 0x80) {
        bool valid;
        lf__buf_add(out, json_replacement, JSON_REPLACEMENT_SIZE);
        return json_sequence(at, end, &valid);
    }
    char letter = c == '\n' ? 'n' : c == '\t' ? 't' : c == '\r' ? 'r' : c == '\b' ? 'b' : c == '\f' ? 'f' : *at;
    if (c >= 0x20 || letter != *at)
        lf__buf_add(out, (char[]){'\\', letter}, 2);
    else
        lf__buf_add(out, (char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
    return 1;
}

bool lf__json_string(lf__buf *out, const char *text, size_t size)
{
    size_t start = out->length;
    const char *at = size > 0 ? text : "", *end = at + size;
    const char *plain_end = json_plain_end(at, end);
    if (plain_end == end) { /* in one piece: that is most text */
        char *to = lf__buf_reserve(out, size + 2);
        if (to == NULL)
            return false;
        *to = '"';
        lf__copy(to + 1, at, size);
        to[size + 1] = '"';
        lf__buf_commit(out, size + 2);
        return true;
    }
    lf__buf_add_char(out, '"');
    for (; !out->failed; plain_end = json_plain_end(at, end)) {
        lf__buf_add(out, at, (size_t)(plain_end - at));
        if (plain_end == end)
            break;
        at = plain_end + json_add_escape(out, plain_end, end);
    }
    lf__buf_add_char(out, '"');
    return lf__buf_finish(out, start);
}

/* ---- Numbers ---------------------------------------------------------------------------------------------------- */

/* Write the digits of `value` so that they end at `end`; returns where they begin. */
static char *json_digits_before(char *end, uint64_t value)
{
    static const char pairs[] = "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243"
                                "4445464748495051525354555657585960616263646566676869707172737475767778798081828384858687"
                                "888990919293949596979899";
    for (; value >= 100; value /= 100)
        memcpy(end -= 2, pairs + 2 * (value % 100), 2);
    if (value >= 10)
        return memcpy(end - 2, pairs + 2 * value, 2);
    *--end = (char)('0' + value);
    return end;
}

bool lf__json_uint(lf__buf *out, uint64_t value)
{
    char text[JSON_UINT64_DIGITS], *end = text + sizeof text;
    char *digits = json_digits_before(end, value);
    return lf__buf_add(out, digits, (size_t)(end - digits));
}

bool lf__json_int(lf__buf *out, int64_t value)
{
    char text[1 + JSON_UINT64_DIGITS], *end = text + sizeof text;
    char *digits = json_digits_before(end, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
    if (value < 0)
        *--digits = '-';
    return lf__buf_add(out, digits, (size_t)(end - digits));
}

bool lf__json_int128(lf__buf *out, uint64_t high, uint64_t low, bool is_signed)
{
    bool negative = is_signed && high >> 63 != 0;
    if (negative) {
        low = 0 - low;
        high = ~high + (low == 0);
    }
    /* Long division of four 32-bit limbs; not every compiler target has a 128-bit integer. */
    uint32_t limbs[4] = {(uint32_t)(high >> 32), (uint32_t)high, (uint32_t)(low >> 32), (uint32_t)low};
    char text[1 + JSON_UINT128_DIGITS], *end = text + sizeof text, *digits = end;
    do {
        uint64_t rest = 0;
        for (int i = 0; i < 4; i++) {
            rest = rest << 32 | limbs[i];
            limbs[i] = (uint32_t)(rest / 10);
            rest %= 10;
        }
        *--digits = (char)('0' + rest);
    } while ((limbs[0] | limbs[1] | limbs[2] | limbs[3]) != 0);
    if (negative)
        *--digits = '-';
    return lf__buf_add(out, digits, (size_t)(end - digits));
}

/* A number as 0.DIGITS times ten to the power of `point`. */
typedef struct json_decimal {
    char digits[JSON_UINT64_DIGITS];
    int count;
    int point;
} json_decimal;

/* Too small to be a normal number of its type? */
static bool json_is_tiny(uint64_t bits, bool is_float)
{
    uint64_t normal = lf__real_bits(is_float ? (double)FLT_MIN : DBL_MIN);
    return lf__real_class(bits) != LF__REAL_ZERO && (bits & INT64_MAX) < normal;
}

/* The everyday numbers: integers, and decimals of at most as many digits as the type surely holds. Such a decimal is the
 * shortest one if it reads back, and dividing two exactly represented numbers is what reading it back means. Volatile: divided
 * it must be, though -ffast-math lets compilers multiply by the inverse of a constant. */
static bool json_short_decimal(double magnitude, bool is_float, json_decimal *decimal)
{
    static const volatile double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                             1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    double most = is_float ? 0x1p24 : 0x1p53;
    for (size_t i = 0; i < sizeof powers / sizeof *powers; i++) {
        double power = powers[i];
        if (magnitude * power >= most)
            break;
        uint64_t scaled = (uint64_t)(magnitude * power + 0.5);
        double back = (double)scaled / power;
        if (is_float ? (float)back == (float)magnitude : back == magnitude) {
            char text[JSON_UINT64_DIGITS], *end = text + sizeof text;
            char *digits = json_digits_before(end, scaled);
            decimal->count = (int)(end - digits);
            decimal->point = decimal->count - (int)i;
            memcpy(decimal->digits, digits, (size_t)decimal->count);
            return true;
        }
        most = is_float ? 1e6 : 1e15; /* FLT_DIG and DBL_DIG digits: from here on there is a fraction */
    }
    return false;
}

static bool json_reads_back(const char *text, uint64_t bits, bool is_float)
{
    if (!is_float)
        return lf__real_bits(strtod(text, NULL)) == bits;
    float narrow = strtof(text, NULL);
    uint32_t narrow_bits;
    memcpy(&narrow_bits, &narrow, sizeof narrow_bits);
    return lf__real_of_float(narrow_bits) == bits;
}

/* All others: the first precision whose digits read back. At some powers of two, around which numbers lie unevenly, that is
 * one digit more than needed. The decimal point is whatever the host's locale says; only digits are taken over. */
static void json_any_decimal(uint64_t bits, bool is_float, json_decimal *decimal)
{
    LF__KEEP_ERRNO;
    double magnitude = lf__real_from_bits(bits);
    /* Below the normal numbers fewer digits than DBL_DIG may do. */
    int precision = json_is_tiny(bits, is_float) ? 1 : is_float ? FLT_DIG : DBL_DIG;
    int enough = is_float ? FLT_DECIMAL_DIG : DBL_DECIMAL_DIG;
    char text[48];
    for (;; precision++) {
        snprintf(text, sizeof text, "%.*e", precision - 1, magnitude);
        if (precision == enough || json_reads_back(text, bits, is_float))
            break;
    }
    const char *at = text;
    decimal->count = 0;
    for (; *at != 'e' && *at != '\0' && decimal->count < (int)sizeof decimal->digits; at++)
        if (*at >= '0' && *at <= '9')
            decimal->digits[decimal->count++] = *at;
    while (decimal->count > 1 && decimal->digits[decimal->count - 1] == '0')
        decimal->count--;
    decimal->point = 1 + (*at == 'e' ? (int)strtol(at + 1, NULL, 10) : 0);
}

/* As Python's repr lays it out. */
static bool json_add_decimal(lf__buf *out, bool negative, const json_decimal *decimal)
{
    static const char zeros[] = "0000000000000000";
    const char *digits = decimal->digits;
    size_t start = out->length, count = (size_t)decimal->count;
    int point = decimal->point;
    if (negative)
        lf__buf_add_char(out, '-');
    if (point > 16 || point < -3) {
        lf__buf_add_char(out, digits[0]);
        if (count > 1)
            lf__buf_add_char(out, '.');
        lf__buf_add(out, digits + 1, count - 1);
        lf__buf_add(out, point > 0 ? "e+" : "e-", 2);
        unsigned exponent = (unsigned)abs(point - 1);
        if (exponent < 10)
            lf__buf_add_char(out, '0');
        lf__json_uint(out, exponent);
    } else if (point <= 0) {
        lf__buf_add(out, "0.", 2);
        lf__buf_add(out, zeros, (size_t)-point);
        lf__buf_add(out, digits, count);
    } else if (count <= (size_t)point) {
        lf__buf_add(out, digits, count);
        lf__buf_add(out, zeros, (size_t)point - count);
        lf__buf_add(out, ".0", 2);
    } else {
        lf__buf_add(out, digits, (size_t)point);
        lf__buf_add_char(out, '.');
        lf__buf_add(out, digits + point, count - (size_t)point);
    }
    return lf__buf_finish(out, start);
}

static bool json_add_real(lf__buf *out, uint64_t bits, bool is_float)
{
    bool negative = lf__real_is_negative(bits);
    lf__real class = lf__real_class(bits);
    if (class == LF__REAL_NAN)
        return lf__buf_add_text(out, "\"NaN\"");
    if (class == LF__REAL_INFINITE)
        return lf__buf_add_text(out, negative ? "\"-Infinity\"" : "\"Infinity\"");
    json_decimal decimal;
    uint64_t magnitude = bits & INT64_MAX;
    if (json_is_tiny(bits, is_float) || !json_short_decimal(lf__real_from_bits(magnitude), is_float, &decimal))
        json_any_decimal(magnitude, is_float, &decimal);
    return json_add_decimal(out, negative, &decimal);
}

bool lf__json_double(lf__buf *out, uint64_t bits)
{
    return json_add_real(out, bits, false);
}

bool lf__json_float(lf__buf *out, uint64_t bits)
{
    return json_add_real(out, bits, true);
}

/* ---- Reading ---------------------------------------------------------------------------------------------------- */

static const char *json_skip_blanks(const char *at, const char *end)
{
    if (at < end && (unsigned char)*at > ' ') /* there are none, mostly */
        return at;
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}

static bool json_is_digit(const char *at, const char *end)
{
    return at < end && *at >= '0' && *at <= '9';
}

/* The four hex digits of a \u escape as a number, or -1. */
static long json_hex4(const char *at, const char *end)
{
    if (end - at < 4)
        return -1;
    long value = 0;
    for (int i = 0; i < 4; i++) {
        int digit = lf__hex_digit(at[i]);
        if (digit < 0)
            return -1;
        value = value << 4 | digit;
    }
    return value;
}

/* The checks return the place behind what they accept, or NULL. */
static const char *json_check_rest_of_string(const char *at, const char *end)
{
    for (;;) {
        at = json_plain_end(at, end);
        if (at == end)
            return NULL;
        if (*at == '"')
            return at + 1;
        if (*at != '\\' || ++at == end)
            return NULL;
        if (*at == 'u') {
            if (json_hex4(at + 1, end) < 0)
                return NULL;
            at += 5;
        } else if (*at != '\0' && strchr("\"\\/bfnrt", *at) != NULL) {
            at++;
        } else {
            return NULL;
        }
    }
}

/* Most strings are short and plain. */
static inline __attribute__((always_inline)) const char *json_check_string(const char *at, const char *end)
{
    if (at == end || *at != '"')
        return NULL;
    at++;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    while (end - at >= 8) {
        uint64_t special = json_special(json_word(at));
        if (special != 0) {
            at += json_plain_size(special);
            if (*at == '"')
                return at + 1;
            break;
        }
        at += 8;
    }
#endif
    return json_check_rest_of_string(at, end);
}

static const char *json_check_digits(const char *at, const char *end)
{
    if (!json_is_digit(at, end))
        return NULL;
    while (json_is_digit(at, end))
        at++;
    return at;
}

static const char *json_check_number(const char *at, const char *end)
{
    if (at < end && *at == '-')
        at++;
    at = at < end && *at == '0' ? at + 1 : json_check_digits(at, end);
    if (at != NULL && at < end && *at == '.')
        at = json_check_digits(at + 1, end);
    if (at != NULL && at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-'))
            at++;
        at = json_check_digits(at, end);
    }
    return at;
}

static inline __attribute__((always_inline)) const char *json_check_word(const char *at, const char *end, const char *word)
{
    size_t size = strlen(word);
    return (size_t)(end - at) >= size && memcmp(at, word, size) == 0 ? at + size : NULL;
}

static inline __attribute__((always_inline)) const char *json_check_scalar(const char *at, const char *end)
{
    switch (*at) {
    case '"': return json_check_string(at, end);
    case 't': return json_check_word(at, end, "true");
    case 'f': return json_check_word(at, end, "false");
    case 'n': return json_check_word(at, end, "null");
    default: return json_check_number(at, end);
    }
}

/* Behind a list of numbers, whose first one begins at `at`; NULL: something else stands among them. */
static const char *json_check_numbers(const char *at, const char *end, uint32_t *out_count)
{
    for (*out_count = 1;; ++*out_count) {
        at = json_check_number(at, end);
        at = at == NULL ? NULL : json_skip_blanks(at, end);
        if (at == NULL || at == end || (*at != ',' && *at != ']'))
            return NULL;
        if (*at++ == ']')
            return at;
        at = json_skip_blanks(at, end);
        if (at == end)
            return NULL;
    }
}

/* Where nodes are written to, as far as there is room. */
typedef struct json_nodes {
    lf__json_node *list;
    size_t room;
    size_t count;
    const char *text;
    lf__text key; /* of the value that comes next */
} json_nodes;

static inline uint32_t json_add_node(json_nodes *to, const char *begin, const char *end, uint32_t numbers)
{
    if (to->count < to->room)
        to->list[to->count] = (lf__json_node){
            .key = to->key.at == NULL ? 0 : (uint32_t)(to->key.at - to->text),
            .key_size = (uint32_t)to->key.size,
            .at = (uint32_t)(begin - to->text),
            .size = (uint32_t)(end - begin),
            .next = (uint32_t)to->count + 1,
            .numbers = numbers,
        };
    to->key = (lf__text){NULL, 0};
    return (uint32_t)to->count++;
}

static inline void json_close_node(json_nodes *to, uint32_t node, const char *end)
{
    if (node >= to->room)
        return;
    to->list[node].size = (uint32_t)(end - to->text) - to->list[node].at;
    to->list[node].next = (uint32_t)to->count;
}

static inline const char *json_check_key(const char *at, const char *end, json_nodes *nodes)
{
    const char *key = json_skip_blanks(at, end);
    at = json_check_string(key, end);
    if (at == NULL)
        return NULL;
    if (nodes != NULL)
        nodes->key = (lf__text){key + 1, (size_t)(at - key) - 2};
    at = json_skip_blanks(at, end);
    return at < end && *at == ':' ? at + 1 : NULL;
}

/* A list of numbers, whose first one begins at `inner`, as one node. NULL: `nodes` is, or it is another list. */
static inline const char *json_take_numbers(const char *begin, const char *inner, const char *end, json_nodes *nodes)
{
    uint32_t count;
    bool maybe = nodes != NULL && inner < end && (*inner == '-' || json_is_digit(inner, end));
    const char *behind = maybe ? json_check_numbers(inner, end, &count) : NULL;
    if (behind != NULL)
        json_add_node(nodes, begin, behind, count);
    return behind;
}

/* Check a value, and index it, unless `nodes` is NULL: in one pass. */
static inline __attribute__((always_inline)) bool json_scan(const char *text, size_t size, json_nodes *nodes)
{
    if (size == 0)
        return false;
    char closers[JSON_MAX_DEPTH]; /* what each open container must be closed with */
    uint32_t open[JSON_MAX_DEPTH]; /* and its node */
    size_t depth = 0;
    const char *at = text, *end = text + size;
    for (;;) {
        /* A value begins here. */
        at = json_skip_blanks(at, end);
        if (at == end)
            return false;
        const char *begin = at, *behind = NULL;
        if (*at == '{' || (*at == '[' && (behind = json_take_numbers(at, json_skip_blanks(at + 1, end), end, nodes)) == NULL)) {
            if (depth == JSON_MAX_DEPTH)
                return false;
            char closer = *at == '{' ? '}' : ']';
            if (nodes != NULL)
                open[depth] = json_add_node(nodes, at, at, 0);
            closers[depth++] = closer;
            at = json_skip_blanks(at + 1, end);
            if (at == end || *at != closer) {
                if (closer == '}' && (at = json_check_key(at, end, nodes)) == NULL)
                    return false;
                continue;
            }
        } else if (behind != NULL) {
            at = behind;
        } else {
            if ((at = json_check_scalar(at, end)) == NULL)
                return false;
            if (nodes != NULL)
                json_add_node(nodes, begin, at, 0);
        }
        /* A value has ended, or its container is about to. */
        for (;;) {
            at = json_skip_blanks(at, end);
            if (depth == 0)
                return at == end;
            if (at == end || (*at != closers[depth - 1] && *at != ','))
                return false;
            if (*at++ == ',')
                break;
            depth--;
            if (nodes != NULL)
                json_close_node(nodes, open[depth], at);
        }
        if (closers[depth - 1] == '}' && (at = json_check_key(at, end, nodes)) == NULL)
            return false;
    }
}

const char *lf__json_scalar_end(const char *at, const char *end)
{
    return at == end ? NULL : json_check_scalar(at, end);
}

bool lf__json_valid(const char *text, size_t size)
{
    return json_scan(text, size, NULL);
}

bool lf__json_index(const char *text, size_t size, lf__json_node *nodes, size_t room, size_t *out_count)
{
    json_nodes to = {.list = nodes, .room = room, .text = text};
    bool ok = size < UINT32_MAX && json_scan(text, size, &to);
    *out_count = to.count;
    return ok;
}

/* Behind the string that begins at `at`; `end` when it is not closed. */
static const char *json_skip_string(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++)
        if (*at == '\\' && end - at > 1)
            at++;
    return at < end ? at + 1 : end;
}

const char *lf__json_value_end(const char *at, const char *end)
{
    size_t depth = 0;
    while (at < end) {
        char c = *at;
        if (c == '"') {
            at = json_skip_string(at, end);
            if (depth == 0)
                return at;
            continue;
        }
        if (c == '{' || c == '[')
            depth++;
        if (depth == 0 && (c == ',' || c == '}' || c == ']' || json_skip_blanks(at, end) != at))
            return at;
        at++;
        if ((c == '}' || c == ']') && --depth == 0)
            return at;
    }
    return at;
}

bool lf__json_next_member(const char *text, size_t size, size_t *at, lf__json_member *member)
{
    if (size == 0)
        return false;
    const char *end = text + size;
    const char *from = json_skip_blanks(text + *at, end);
    if (from == end || *from != (*at == 0 ? '{' : ','))
        return false;
    const char *key = json_skip_blanks(from + 1, end);
    if (key == end || *key != '"')
        return false;
    const char *key_end = json_skip_string(key, end);
    const char *colon = json_skip_blanks(key_end, end);
    if (colon == end || *colon != ':')
        return false;
    const char *value = json_skip_blanks(colon + 1, end);
    const char *value_end = lf__json_value_end(value, end);
    *member = (lf__json_member){key + 1, (size_t)(key_end - key) - 2, value, (size_t)(value_end - value)};
    *at = (size_t)(value_end - text);
    return true;
}

bool lf__json_next_item(const char *text, size_t size, size_t *at, lf__text *item)
{
    if (size == 0)
        return false;
    const char *end = text + size;
    const char *from = json_skip_blanks(text + *at, end);
    if (from == end || *from != (*at == 0 ? '[' : ','))
        return false;
    const char *value = json_skip_blanks(from + 1, end);
    const char *value_end = lf__json_value_end(value, end);
    if (value_end == value)
        return false;
    *item = (lf__text){value, (size_t)(value_end - value)};
    *at = (size_t)(value_end - text);
    return true;
}

/* Append what the \u escape stands for whose hex digits begin at `at`; returns the place behind it. */
static const char *json_add_unicode_escape(lf__buf *out, const char *at, const char *end)
{
    long unit = json_hex4(at, end);
    if (unit < 0) {
        lf__utf8_add_code_point(out, 0xFFFD);
        return at;
    }
    at += 4;
    bool high = unit >= 0xD800 && unit < 0xDC00 && end - at >= 6 && at[0] == '\\' && at[1] == 'u';
    long low = high ? json_hex4(at + 2, end) : -1;
    bool pair = low >= 0xDC00 && low <= 0xDFFF;
    lf__utf8_add_code_point(out, (uint32_t)(pair ? 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00) : unit));
    return pair ? at + 6 : at;
}

bool lf__json_unescape(lf__buf *out, const char *raw, size_t size)
{
    size_t start = out->length;
    const char *at = size > 0 ? raw : "", *end = at + size;
    while (at < end && !out->failed) {
        const char *escape = memchr(at, '\\', (size_t)(end - at));
        lf__utf8_add(out, at, (size_t)((escape == NULL ? end : escape) - at));
        if (escape == NULL || end - escape < 2)
            break;
        at = escape + 2;
        switch (escape[1]) {
        case 'b': lf__buf_add_char(out, '\b'); break;
        case 'f': lf__buf_add_char(out, '\f'); break;
        case 'n': lf__buf_add_char(out, '\n'); break;
        case 'r': lf__buf_add_char(out, '\r'); break;
        case 't': lf__buf_add_char(out, '\t'); break;
        case 'u': at = json_add_unicode_escape(out, at, end); break;
        case '"':
        case '\\':
        case '/': lf__buf_add_char(out, escape[1]); break;
        default: at = escape + 1; break; /* not JSON: only the backslash goes */
        }
    }
    return lf__buf_finish(out, start);
}

bool lf__json_is(const char *raw, size_t size, const char *text)
{
    size_t text_size = strlen(text);
    if (size == text_size)
        return size == 0 || memcmp(raw, text, size) == 0;
    char memory[64]; /* a longer text does not fit, and is none of the names that are asked for */
    lf__buf plain;
    lf__buf_over(&plain, memory, sizeof memory);
    return size > text_size && memchr(raw, '\\', size) != NULL && lf__json_unescape(&plain, raw, size) &&
           plain.length == text_size && memcmp(memory, text, text_size) == 0;
}

/* The escape at `at`, a backslash, is mended if need be. Returns the place behind it, and behind the other half of a pair. */
static char *json_mend_escape(char *at, const char *end)
{
    if (end - at < 6 || at[1] != 'u')
        return end - at < 2 ? at + 1 : at + 2;
    long unit = json_hex4(at + 2, end), low = end - at >= 12 && at[6] == '\\' && at[7] == 'u' ? json_hex4(at + 8, end) : -1;
    if (unit >= 0xD800 && unit < 0xDC00 && low >= 0xDC00 && low <= 0xDFFF)
        return at + 12;
    if (unit >= 0xD800 && unit <= 0xDFFF)
        memcpy(at + 2, "fffd", 4);
    return at + 6;
}

void lf__json_mend(char *text, size_t size)
{
    for (char *at = text, *end = text + size; size > 0 && at < end;) {
        at = memchr(at, '\\', (size_t)(end - at));
        if (at == NULL)
            return;
        at = json_mend_escape(at, end);
    }
}
