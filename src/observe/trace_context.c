#include "trace_context.h"

#include "../base/ids.h"
#include "../base/json.h"

#include <string.h>

/* What the specifications call optional white space. */
static const char trace_blanks[] = " \t";

static bool trace_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool trace_is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

/* ---- traceparent ------------------------------------------------------------------------------------------------ */

enum {
    TRACE_PARENT_LENGTH = LF__TRACEPARENT_SIZE - 1,
    TRACE_ID_AT = 3, /* "00-" */
    TRACE_PARENT_ID_AT = 36,
    TRACE_FLAGS_AT = 53,
    TRACE_KNOWN_FLAGS = LF__TRACE_SAMPLED | LF__TRACE_RANDOM
};

/* The header is lower-case. */
static int trace_lower_hex_digit(char c)
{
    return c >= 'A' && c <= 'F' ? -1 : lf__hex_digit(c);
}

static bool trace_read_hex(const char *at, uint8_t *out, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        int high = trace_lower_hex_digit(at[2 * i]), low = trace_lower_hex_digit(at[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

bool lf__traceparent_parse(const char *text, size_t size, lf__traceparent *out)
{
    lf__text header = lf__text_trim((lf__text){text, size}, trace_blanks);
    const char *at = header.at;
    if (header.size < TRACE_PARENT_LENGTH)
        return false;
    if (at[TRACE_ID_AT - 1] != '-' || at[TRACE_PARENT_ID_AT - 1] != '-' || at[TRACE_FLAGS_AT - 1] != '-')
        return false;

    uint8_t version;
    if (!trace_read_hex(at, &version, 1) || version == 0xFF)
        return false;
    /* A later version may go on behind another dash. */
    if (header.size > TRACE_PARENT_LENGTH && (version == 0 || at[TRACE_PARENT_LENGTH] != '-'))
        return false;

    lf__traceparent read;
    if (!trace_read_hex(at + TRACE_ID_AT, read.trace_id, sizeof read.trace_id) ||
        !trace_read_hex(at + TRACE_PARENT_ID_AT, read.parent_id, sizeof read.parent_id) ||
        !trace_read_hex(at + TRACE_FLAGS_AT, &read.flags, 1))
        return false;
    if (lf__id_is_zero(read.trace_id, sizeof read.trace_id) || lf__id_is_zero(read.parent_id, sizeof read.parent_id))
        return false;
    read.flags &= TRACE_KNOWN_FLAGS;
    *out = read;
    return true;
}

void lf__traceparent_format(const lf__traceparent *from, char out[LF__TRACEPARENT_SIZE])
{
    uint8_t version = 0, flags = from->flags & TRACE_KNOWN_FLAGS;
    lf__id_write(&version, 1, out);
    lf__id_write(from->trace_id, sizeof from->trace_id, out + TRACE_ID_AT);
    lf__id_write(from->parent_id, sizeof from->parent_id, out + TRACE_PARENT_ID_AT);
    lf__id_write(&flags, 1, out + TRACE_FLAGS_AT);
    out[TRACE_ID_AT - 1] = out[TRACE_PARENT_ID_AT - 1] = out[TRACE_FLAGS_AT - 1] = '-'; /* where NULs are now */
}

/* ---- tracestate ------------------------------------------------------------------------------------------------- */

enum { TRACE_STATE_KEY_MAX = 256, TRACE_STATE_VALUE_MAX = 256 };

/* A key of level 2, which has no rules for what stands around an '@' as level 1 had. */
static bool trace_state_key(lf__text key)
{
    if (key.size == 0 || key.size > TRACE_STATE_KEY_MAX || lf__is_one_of(key.at[0], "_-*/@"))
        return false;
    for (size_t i = 0; i < key.size; i++)
        if (!trace_is_lower(key.at[i]) && !trace_is_digit(key.at[i]) && !lf__is_one_of(key.at[i], "_-*/@"))
            return false;
    return true;
}

/* Printable ASCII but for '=', and ',', which has ended the member; it cannot end with a blank, which was trimmed. */
static bool trace_state_value(lf__text value)
{
    for (size_t i = 0; i < value.size; i++)
        if (value.at[i] < ' ' || value.at[i] > '~' || value.at[i] == '=')
            return false;
    return value.size > 0 && value.size <= TRACE_STATE_VALUE_MAX;
}

/* A key that comes twice is no fault: another process's state would be lost, and W3C's own test suite wants such a list passed
 * on. */
bool lf__tracestate_valid(const char *text, size_t size)
{
    if (size > LF__TRACESTATE_MAX)
        return false;
    size_t members = 0, filled = 0;
    for (lf__text rest = {text, size}; rest.at != NULL;) {
        lf__text value = lf__text_trim(lf__text_take(&rest, ','), trace_blanks);
        if (++members > LF__TRACESTATE_MEMBERS)
            return false;
        if (value.size == 0)
            continue;
        lf__text key = lf__text_take(&value, '=');
        if (!trace_state_key(key) || !trace_state_value(value))
            return false;
        filled++;
    }
    return filled > 0;
}

/* ---- baggage ---------------------------------------------------------------------------------------------------- */

static bool trace_is_alphanumeric(char c)
{
    return trace_is_digit(c) || trace_is_lower(c) || (c >= 'A' && c <= 'Z');
}

/* A token of RFC 7230. */
static bool trace_baggage_key(lf__text key)
{
    for (size_t i = 0; i < key.size; i++)
        if (!trace_is_alphanumeric(key.at[i]) && !lf__is_one_of(key.at[i], "!#$%&'*+-.^_`|~"))
            return false;
    return key.size > 0;
}

/* What W3C calls baggage-octets; ',' and ';' have ended the value. */
static bool trace_baggage_value(lf__text value)
{
    for (size_t i = 0; i < value.size; i++)
        if (value.at[i] <= ' ' || value.at[i] > '~' || value.at[i] == '"' || value.at[i] == '\\')
            return false;
    return true;
}

static bool trace_baggage_read(lf__text member, lf__baggage_member *out)
{
    lf__text rest = member, key = lf__text_trim(lf__text_take(&rest, '='), trace_blanks);
    if (rest.at == NULL)
        return false;
    lf__text value = lf__text_trim(lf__text_take(&rest, ';'), trace_blanks);
    if (!trace_baggage_key(key) || !trace_baggage_value(value))
        return false;
    *out = (lf__baggage_member){key.at, key.size, value.at, value.size};
    return true;
}

/* The header without what is beyond the limits. *at alone cannot tell how many members lie before it. */
static lf__text trace_baggage_limited(const char *text, size_t size)
{
    lf__text header = {text, size > LF__BAGGAGE_MAX ? 0 : size}, rest = header;
    for (int i = 0; i < LF__BAGGAGE_MEMBERS && rest.at != NULL; i++)
        (void)lf__text_take(&rest, ',');
    header.size -= rest.at == NULL ? 0 : rest.size + 1;
    return header;
}

bool lf__baggage_next(const char *text, size_t size, size_t *at, lf__baggage_member *out)
{
    lf__text header = trace_baggage_limited(text, size);
    while (*at < header.size) {
        lf__text rest = lf__text_behind(header, *at), member = lf__text_take(&rest, ',');
        *at += member.size + 1; /* one past the last member when there is no other */
        if (trace_baggage_read(member, out))
            return true;
    }
    return false;
}

bool lf__baggage_decode(lf__buf *out, const char *value, size_t size)
{
    char piece[256];
    size_t held = 0, start = out->length;
    const char *at = size > 0 ? value : "", *end = at + size;
    while (at < end) {
        while (at < end && held < sizeof piece) {
            bool plus = *at == '+';
            char c = lf__percent_next(&at, end);
            piece[held++] = plus ? ' ' : c;
        }
        /* What could be the beginning of a character waits for the bytes that follow. */
        size_t whole = at < end ? lf__utf8_floor(piece, held) : held;
        lf__utf8_add(out, piece, whole);
        held -= whole;
        memmove(piece, piece + whole, held);
    }
    if (out->failed)
        out->length = start;
    return !out->failed;
}

/* The size of a header, and the number of its members, without the empty ones and those of one key. It is also written to
 * `to` unless that is NULL; since the result never gets ahead of what is read, `to` may be the header itself. */
static size_t trace_baggage_without(const lf__buf *header, lf__text key, char *to, size_t *members)
{
    size_t length = 0;
    *members = 0;
    for (lf__text rest = {header->data, header->length}; rest.at != NULL;) {
        lf__text member = lf__text_trim(lf__text_take(&rest, ','), trace_blanks), tail = member;
        if (member.size == 0 || lf__text_equals(lf__text_trim(lf__text_take(&tail, '='), trace_blanks), key))
            continue;
        if (to != NULL && length > 0)
            to[length] = ',';
        length += length > 0;
        if (to != NULL)
            memmove(to + length, member.at, member.size);
        length += member.size;
        ++*members;
    }
    return length;
}

bool lf__baggage_add(lf__buf *header, const char *key, const char *value, size_t size)
{
    lf__text name = lf__text_of(key);
    if (!trace_baggage_key(name) || name.size > LF__BAGGAGE_MAX || size > LF__BAGGAGE_MAX)
        return false;
    size_t members;
    size_t kept = trace_baggage_without(header, name, NULL, &members);
    size_t length = kept + (kept > 0) + name.size + 1 + lf__percent_size(value, size);
    if (length > LF__BAGGAGE_MAX || members >= LF__BAGGAGE_MEMBERS)
        return false;

    /* Room first: from here on nothing may fail. */
    if (header->failed || (length > header->length && lf__buf_reserve(header, length - header->length) == NULL))
        return false;
    header->length = trace_baggage_without(header, name, header->data, &members);
    if (header->length > 0)
        lf__buf_add_char(header, ',');
    lf__buf_add(header, name.at, name.size);
    lf__buf_add_char(header, '=');
    lf__buf_add_percent(header, value, size);
    return true;
}

/* ---- Tags in baggage -------------------------------------------------------------------------------------------- */

typedef bool (*trace_add_tag)(void *owner, const char *tag, size_t size);

static bool trace_give_tag(const lf__buf *tag, trace_add_tag add, void *owner)
{
    if (tag->failed)
        return false;
    return tag->length == 0 || add(owner, tag->data, tag->length);
}

/* A '\' before anything else stands for itself: lists written by hand know nothing of escapes. */
static bool trace_plain_tags(const char *text, const char *end, lf__buf *scratch, trace_add_tag add, void *owner)
{
    lf__buf_clear(scratch);
    for (const char *at = text; at < end; at++) {
        if (*at == ',') {
            if (!trace_give_tag(scratch, add, owner))
                return false;
            lf__buf_clear(scratch);
            continue;
        }
        bool first = at == text;
        if (*at == '\\' && end - at > 1 && (at[1] == ',' || at[1] == '\\' || (first && at[1] == '[')))
            at++;
        lf__buf_add_char(scratch, *at);
    }
    return trace_give_tag(scratch, add, owner);
}

/* Read the escape behind a '\'; returns the place behind it, or NULL. These are all that Python's repr writes. */
static const char *trace_python_escape(const char *at, const char *end, lf__buf *out)
{
    static const char letters[] = "\\'\"nrt", meanings[] = "\\'\"\n\r\t";
    if (at == end)
        return NULL;
    if (lf__is_one_of(*at, letters)) {
        lf__buf_add_char(out, meanings[strchr(letters, *at) - letters]);
        return at + 1;
    }
    int digits = *at == 'x' ? 2 : *at == 'u' ? 4 : *at == 'U' ? 8 : 0;
    if (digits == 0 || end - at <= digits)
        return NULL;
    uint32_t code = 0;
    for (int i = 1; i <= digits; i++) {
        int digit = lf__hex_digit(at[i]);
        if (digit < 0)
            return NULL;
        code = code << 4 | (uint32_t)digit;
    }
    lf__utf8_add_code_point(out, code);
    return at + 1 + digits;
}

/* Read a quoted Python string into `out`; returns the place behind it, or NULL. */
static const char *trace_python_string(const char *at, const char *end, lf__buf *out)
{
    lf__buf_clear(out);
    if (at == end || (*at != '\'' && *at != '"'))
        return NULL;
    char quote = *at++;
    while (at != NULL && at < end && *at != quote) {
        if (*at == '\\') {
            at = trace_python_escape(at + 1, end, out);
            continue;
        }
        lf__buf_add_char(out, *at++);
    }
    return at != NULL && at < end ? at + 1 : NULL;
}

static const char *trace_skip_blanks(const char *at, const char *end)
{
    while (at < end && lf__is_one_of(*at, trace_blanks))
        at++;
    return at;
}

/* Go through a Python list of strings and give each to `add` unless that is NULL. *well_formed tells whether it is one. */
static bool trace_python_tags(const char *at, const char *end, lf__buf *scratch, trace_add_tag add, void *owner, bool *well_formed)
{
    *well_formed = false;
    if (at == end || *at != '[')
        return true;
    at = trace_skip_blanks(at + 1, end);
    bool more = at == end || *at != ']';
    while (more) {
        at = trace_python_string(at, end, scratch);
        if (at == NULL)
            return true;
        if (add != NULL && !trace_give_tag(scratch, add, owner))
            return false;
        at = trace_skip_blanks(at, end);
        more = at < end && *at == ',';
        if (more)
            at = trace_skip_blanks(at + 1, end);
    }
    *well_formed = end - at == 1 && *at == ']';
    return true;
}

bool lf__baggage_tags(const char *text, size_t size, lf__buf *scratch, bool (*add)(void *owner, const char *tag, size_t size),
                      void *owner)
{
    /* The list is read twice: a text that only begins like a Python list must give no tag as one. */
    bool python;
    const char *at = size > 0 ? text : "", *end = at + size;
    trace_python_tags(at, end, scratch, NULL, NULL, &python);
    return python ? trace_python_tags(at, end, scratch, add, owner, &python) : trace_plain_tags(at, end, scratch, add, owner);
}

bool lf__baggage_tags_add(lf__buf *list, const char *tag, size_t size)
{
    size_t start = list->length;
    if (size == 0)
        return !list->failed;
    if (start > 0)
        lf__buf_add_char(list, ',');
    else if (tag[0] == '[')
        lf__buf_add_char(list, '\\'); /* or the list could be taken for a Python one */
    for (size_t i = 0; i < size; i++) {
        if (lf__is_one_of(tag[i], ",\\"))
            lf__buf_add_char(list, '\\');
        lf__buf_add_char(list, tag[i]);
    }
    if (list->failed)
        list->length = start;
    return !list->failed;
}
