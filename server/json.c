#include "json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct json_reader {
    arena *arena;
    const char *at, *end;
} json_reader;

static void json_skip_space(json_reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t'))
        r->at++;
}

static bool json_take(json_reader *r, char c)
{
    if (r->at == r->end || *r->at != c)
        return false;
    r->at++;
    return true;
}

static bool json_take_word(json_reader *r, const char *word)
{
    text rest = {r->at, (size_t)(r->end - r->at)};
    bool taken = text_skip(&rest, word);
    r->at = rest.at;
    return taken;
}

static bool json_take_digits(json_reader *r)
{
    const char *start = r->at;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9')
        r->at++;
    return r->at > start;
}

static bool json_read_number(json_reader *r, json *out)
{
    const char *start = r->at;
    json_take(r, '-');
    if (!json_take(r, '0') && !json_take_digits(r))
        return false;
    if (json_take(r, '.') && !json_take_digits(r))
        return false;
    if (json_take(r, 'e') || json_take(r, 'E')) {
        if (!json_take(r, '+'))
            json_take(r, '-');
        if (!json_take_digits(r))
            return false;
    }
    out->kind = JSON_NUMBER;
    out->string = (text){start, (size_t)(r->at - start)};
    /* A spelling too long for the conversion is legal JSON; nothing the server reads has one, so it counts as zero. */
    if (!text_to_double(out->string, &out->number))
        out->number = 0;
    return true;
}

static bool json_read_hex4(const char *at, uint32_t *out)
{
    *out = 0;
    for (int i = 0; i < 4; i++) {
        int digit = text_hex_digit(at[i]);
        if (digit < 0)
            return false;
        *out = *out << 4 | (uint32_t)digit;
    }
    return true;
}

static size_t json_put_utf8(char *out, uint32_t code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xC0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xE0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3F));
        out[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3F));
    out[2] = (char)(0x80 | (code >> 6 & 0x3F));
    out[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

/* Reads \uXXXX, a pair of them when they are surrogates; half a pair becomes U+FFFD. `*at` stands behind the u. */
static bool json_unescape_unicode(const char **at, const char *end, char *out, size_t *size)
{
    uint32_t high, low;
    if (end - *at < 4 || !json_read_hex4(*at, &high))
        return false;
    *at += 4;
    if (high >= 0xD800 && high <= 0xDFFF) {
        bool pair = high < 0xDC00 && end - *at >= 6 && (*at)[0] == '\\' && (*at)[1] == 'u' && json_read_hex4(*at + 2, &low) &&
                    low >= 0xDC00 && low <= 0xDFFF;
        if (pair) {
            high = 0x10000 + ((high - 0xD800) << 10 | (low - 0xDC00));
            *at += 6;
        } else {
            high = 0xFFFD;
        }
    }
    *size += json_put_utf8(out + *size, high);
    return true;
}

/* An escape never gets longer by decoding: six characters become at most three bytes. */
static bool json_unescape(arena *a, text raw, text *out)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    char *copy = arena_take(a, raw.size);
    const char *at = raw.at, *end = raw.at + raw.size;
    size_t size = 0;
    if (copy == NULL)
        return false;
    while (at < end) {
        if (*at != '\\') {
            copy[size++] = *at++;
            continue;
        }
        char c = at[1]; /* behind a backslash there is always a character: json_read_string checks it */
        at += 2;
        const char *name = c != '\0' ? strchr(names, c) : NULL;
        if (name != NULL)
            copy[size++] = values[name - names];
        else if (c != 'u' || !json_unescape_unicode(&at, end, copy, &size))
            return false;
    }
    *out = (text){copy, size};
    return true;
}

static bool json_read_string(json_reader *r, text *out)
{
    if (!json_take(r, '"'))
        return false;
    const char *start = r->at;
    bool escaped = false;
    while (r->at < r->end && *r->at != '"') {
        if ((unsigned char)*r->at < 0x20)
            return false;
        if (*r->at == '\\') {
            escaped = true;
            r->at++;
            if (r->at == r->end)
                return false;
        }
        r->at++;
    }
    text raw = {start, (size_t)(r->at - start)};
    if (!json_take(r, '"'))
        return false;
    if (escaped)
        return json_unescape(r->arena, raw, out);
    *out = raw;
    return true;
}

static json *json_read_value(json_reader *r, unsigned depth);

/* Members of an array or an object up to `close`; both have the same shape but for the keys. */
static bool json_read_members(json_reader *r, json *parent, char close, unsigned depth)
{
    json **tail = &parent->first;
    json_skip_space(r);
    if (json_take(r, close))
        return true;
    for (;;) {
        text key = TEXT("");
        json_skip_space(r);
        if (parent->kind == JSON_OBJECT) {
            if (!json_read_string(r, &key))
                return false;
            json_skip_space(r);
            if (!json_take(r, ':'))
                return false;
        }
        json *member = json_read_value(r, depth + 1);
        if (member == NULL)
            return false;
        member->key = key;
        *tail = member;
        tail = &member->next;
        json_skip_space(r);
        if (json_take(r, close))
            return true;
        if (!json_take(r, ','))
            return false;
    }
}

static bool json_read_list(json_reader *r, json *out, json_kind kind, char close, unsigned depth)
{
    const char *start = r->at++;
    out->kind = kind;
    bool ok = json_read_members(r, out, close, depth);
    out->string = (text){start, (size_t)(r->at - start)};
    return ok;
}

static bool json_read_into(json_reader *r, json *out, unsigned depth)
{
    switch (*r->at) {
    case '{': return json_read_list(r, out, JSON_OBJECT, '}', depth);
    case '[': return json_read_list(r, out, JSON_ARRAY, ']', depth);
    case '"': out->kind = JSON_STRING; return json_read_string(r, &out->string);
    case 't': out->kind = JSON_TRUE; return json_take_word(r, "true");
    case 'f': out->kind = JSON_FALSE; return json_take_word(r, "false");
    case 'n': out->kind = JSON_NULL; return json_take_word(r, "null");
    default: return json_read_number(r, out);
    }
}

static json *json_read_value(json_reader *r, unsigned depth)
{
    json_skip_space(r);
    if (depth > JSON_MAX_DEPTH || r->at == r->end)
        return NULL;
    json *value = json_new(r->arena, JSON_NULL);
    return value != NULL && json_read_into(r, value, depth) ? value : NULL;
}

static json *json_read_to(arena *a, text source, size_t *out_end)
{
    *out_end = 0;
    if (source.size == 0)
        return NULL;
    json_reader r = {a, source.at, source.at + source.size};
    json *value = json_read_value(&r, 0);
    json_skip_space(&r);
    *out_end = (size_t)(r.at - source.at);
    return r.at == r.end ? value : NULL;
}

static json *json_read(arena *a, text source)
{
    size_t end;
    return json_read_to(a, source, &end);
}

const json *json_parse_to(arena *a, text source, size_t *out_end)
{
    return json_read_to(a, source, out_end);
}

const json *json_parse(arena *a, text source)
{
    return json_read(a, source);
}

const json *json_get(const json *object, const char *key)
{
    const json *found = NULL;
    text wanted = text_of(key);
    for (const json *member = json_first(object, JSON_OBJECT); member != NULL; member = member->next)
        if (text_equal(member->key, wanted))
            found = member;
    return found;
}

bool json_is(const json *value, json_kind kind)
{
    return value != NULL && value->kind == kind;
}

bool json_is_null(const json *value)
{
    return value == NULL || value->kind == JSON_NULL;
}

bool json_is_string(const json *value, const char *string)
{
    return json_is(value, JSON_STRING) && text_is(value->string, string);
}

const json *json_first(const json *value, json_kind kind)
{
    return json_is(value, kind) ? value->first : NULL;
}

size_t json_count(const json *value)
{
    size_t count = 0;
    for (const json *member = value != NULL ? value->first : NULL; member != NULL; member = member->next)
        count++;
    return count;
}

text json_string_at(const json *object, const char *key)
{
    const json *value = json_get(object, key);
    return json_is(value, JSON_STRING) ? value->string : TEXT("");
}

double json_number_at(const json *object, const char *key, double otherwise)
{
    const json *value = json_get(object, key);
    return json_is(value, JSON_NUMBER) ? value->number : otherwise;
}

json *json_new(arena *a, json_kind kind)
{
    json *value = arena_take(a, sizeof *value);
    if (value != NULL)
        value->kind = kind;
    return value;
}

void json_append(arena *a, json *parent, json **last, const json *member)
{
    json *copy = parent != NULL ? arena_take(a, sizeof *copy) : NULL;
    if (copy == NULL)
        return;
    *copy = *member;
    copy->next = NULL;
    *(*last != NULL ? &(*last)->next : &parent->first) = copy;
    *last = copy;
}

/* ---- Writing ---- */

void json_put_string(buf *out, text t)
{
    static const char hex[] = "0123456789abcdef";
    size_t done = 0;
    buf_char(out, '"');
    for (size_t i = 0; i < t.size; i++) {
        unsigned char c = (unsigned char)t.at[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        buf_put(out, t.at + done, i - done);
        done = i + 1;
        switch (c) {
        case '"': buf_string(out, "\\\""); break;
        case '\\': buf_string(out, "\\\\"); break;
        case '\n': buf_string(out, "\\n"); break;
        case '\r': buf_string(out, "\\r"); break;
        case '\t': buf_string(out, "\\t"); break;
        case '\b': buf_string(out, "\\b"); break;
        case '\f': buf_string(out, "\\f"); break;
        default:
            buf_string(out, "\\u00");
            buf_char(out, hex[c >> 4]);
            buf_char(out, hex[c & 15]);
        }
    }
    buf_put(out, t.at + done, t.size - done);
    buf_char(out, '"');
}

/* JavaScript writes exponents without leading zeros: 1e-7, where C has 1e-07. */
static void json_put_exponent_form(buf *out, const char *digits)
{
    const char *e = strchr(digits, 'e');
    if (e == NULL) {
        buf_string(out, digits);
        return;
    }
    buf_put(out, digits, (size_t)(e - digits) + 2);
    e += 2;
    while (e[0] == '0' && e[1] != '\0')
        e++;
    buf_string(out, e);
}

/* As many digits as are needed to read back exactly this double. */
static void json_shortest(double value, char *out, size_t size)
{
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(out, size, "%.*g", precision, value);
        if (strtod(out, NULL) == value)
            return;
    }
}

/* Whole numbers below 1e21 have no exponent, and zeros behind their shortest digits. */
static void json_put_whole(buf *out, double value)
{
    const double exact = 9007199254740992.0; /* 2^53: up to it all digits are needed */
    char digits[64];
    if (fabs(value) <= exact) {
        buf_format(out, "%lld", (long long)value); /* no "-0" */
        return;
    }
    json_shortest(value, digits, sizeof digits);
    const char *e = strchr(digits, 'e');
    size_t size = e != NULL ? (size_t)(e - digits) : strlen(digits), zeros = e != NULL ? strtoul(e + 2, NULL, 10) : 0;
    for (size_t i = 0; i < size; i++)
        if (digits[i] != '.')
            buf_char(out, digits[i]);
    const char *point = memchr(digits, '.', size);
    for (zeros -= point != NULL ? size - (size_t)(point - digits) - 1 : 0; zeros > 0; zeros--)
        buf_char(out, '0');
}

void json_put_number(buf *out, double value)
{
    char digits[64];
    if (!isfinite(value)) {
        buf_string(out, "null"); /* as JSON.stringify */
        return;
    }
    double magnitude = fabs(value);
    if (magnitude < 1e21 && value == floor(value)) {
        json_put_whole(out, value);
        return;
    }
    json_shortest(value, digits, sizeof digits);
    /* %g turns to exponents below 1e-4, JavaScript below 1e-6. */
    if (magnitude >= 1e-6 && magnitude < 1e-4) {
        for (int precision = 15; precision <= 24; precision++) {
            snprintf(digits, sizeof digits, "%.*f", precision, value);
            if (strtod(digits, NULL) == value)
                break;
        }
        size_t size = strlen(digits);
        while (digits[size - 1] == '0')
            digits[--size] = '\0';
    }
    json_put_exponent_form(out, digits);
}

void json_put_comma(buf *out)
{
    char last = out->size > 0 ? out->at[out->size - 1] : '{';
    if (last != '{' && last != '[')
        buf_char(out, ',');
}

void json_put_name(buf *out, text key)
{
    json_put_comma(out);
    json_put_string(out, key);
    buf_char(out, ':');
}

void json_put_key(buf *out, const char *key)
{
    json_put_name(out, text_of(key));
}

static void json_write_members(buf *out, const json *parent)
{
    for (const json *member = parent->first; member != NULL; member = member->next) {
        if (parent->kind == JSON_OBJECT)
            json_put_name(out, member->key);
        else
            json_put_comma(out);
        json_write(out, member);
    }
}

void json_write(buf *out, const json *value)
{
    switch (value->kind) {
    case JSON_NULL: buf_string(out, "null"); break;
    case JSON_FALSE: buf_string(out, "false"); break;
    case JSON_TRUE: buf_string(out, "true"); break;
    case JSON_NUMBER: json_put_number(out, value->number); break;
    case JSON_STRING: json_put_string(out, value->string); break;
    case JSON_ARRAY:
        buf_char(out, '[');
        json_write_members(out, value);
        buf_char(out, ']');
        break;
    case JSON_OBJECT:
        buf_char(out, '{');
        json_write_members(out, value);
        buf_char(out, '}');
        break;
    }
}

/* The digits of a number that carry its value: no sign, point, exponent, leading or trailing zero. */
static void json_put_significant(buf *out, text number)
{
    size_t end = out->size;
    for (size_t i = 0; i < number.size && number.at[i] != 'e' && number.at[i] != 'E'; i++) {
        bool digit = number.at[i] >= '0' && number.at[i] <= '9';
        if (!digit || (number.at[i] == '0' && out->size == 0))
            continue;
        buf_char(out, number.at[i]);
        end = number.at[i] != '0' ? out->size : end;
    }
    out->size = end;
}

/* A double holds any 15 digits; more are compared with those that it gives back. */
static bool json_is_exact(const json *number)
{
    enum { JSON_SAFE_SIZE = 15 };
    buf given = {0}, kept = {0}, digits = {0};
    if (number->string.size <= JSON_SAFE_SIZE && isfinite(number->number) && number->number != 0)
        return true;
    json_put_number(&kept, number->number);
    json_put_significant(&given, number->string);
    json_put_significant(&digits, buf_view(&kept));
    bool exact = text_equal(buf_view(&given), buf_view(&digits));
    buf_free(&given);
    buf_free(&kept);
    buf_free(&digits);
    return exact;
}

/* Numbers that a double would round become strings of their spelling. */
static void json_keep_digits(json *value)
{
    if (value->kind == JSON_NUMBER && !json_is_exact(value))
        value->kind = JSON_STRING;
    bool nested = value->kind == JSON_ARRAY || value->kind == JSON_OBJECT;
    for (json *member = nested ? value->first : NULL; member != NULL; member = member->next)
        json_keep_digits(member);
}

void json_put_parsed(buf *out, arena *a, text value)
{
    json *parsed = json_read(a, value);
    if (parsed == NULL) {
        json_put_string(out, value);
        return;
    }
    json_keep_digits(parsed);
    json_write(out, parsed);
}

text json_text(arena *a, const json *value)
{
    buf out = {0};
    json_write(&out, value);
    return buf_move(&out, a);
}

static void json_put_line(buf *out, unsigned depth)
{
    buf_char(out, '\n');
    while (depth-- > 0)
        buf_string(out, "  ");
}

static void json_write_indented(buf *out, const json *value, unsigned depth)
{
    bool object = value->kind == JSON_OBJECT;
    if (value->first == NULL) { /* a scalar, or nothing between the brackets */
        json_write(out, value);
        return;
    }
    buf_char(out, object ? '{' : '[');
    for (const json *member = value->first; member != NULL; member = member->next) {
        json_put_comma(out);
        json_put_line(out, depth + 1);
        if (object) {
            json_put_string(out, member->key);
            buf_string(out, ": ");
        }
        json_write_indented(out, member, depth + 1);
    }
    json_put_line(out, depth);
    buf_char(out, object ? '}' : ']');
}

void json_write_pretty(buf *out, const json *value)
{
    json_write_indented(out, value, 0);
}
