#include "trace_context.h"

#include "../base/ids.h"
#include "../base/json.h"

#include <string.h>

/* A part of a header that is being looked at. */
typedef struct trace_slice {
    const char *at;
    const char *end;
} trace_slice;

static trace_slice trace_slice_of(const char *text, size_t size)
{
    const char *at = size > 0 ? text : ""; /* NULL cannot be added to */
    return (trace_slice){at, at + size};
}

static size_t trace_size(trace_slice slice)
{
    return (size_t)(slice.end - slice.at);
}

static bool trace_is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static trace_slice trace_trim(trace_slice slice)
{
    while (slice.at < slice.end && trace_is_blank(*slice.at))
        slice.at++;
    while (slice.at < slice.end && trace_is_blank(slice.end[-1]))
        slice.end--;
    return slice;
}

/* Where `c` is first, or the end. */
static const char *trace_find(trace_slice slice, char c)
{
    const char *found = memchr(slice.at, c, trace_size(slice));
    return found != NULL ? found : slice.end;
}

/* Take the part up to the next comma off a list; false when the list is used up. The part behind a last comma is a member
 * too, an empty one. `rest->at` is NULL behind the last member. */
static bool trace_next_member(trace_slice *rest, trace_slice *member)
{
    if (rest->at == NULL)
        return false;
    *member = (trace_slice){rest->at, trace_find(*rest, ',')};
    rest->at = member->end < rest->end ? member->end + 1 : NULL;
    return true;
}

static bool trace_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool trace_is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

/* The listed punctuation; not the NUL behind it. */
static bool trace_is_one_of(char c, const char *list)
{
    return c != '\0' && strchr(list, c) != NULL;
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
    trace_slice slice = trace_trim(trace_slice_of(text, size));
    const char *at = slice.at;
    size = trace_size(slice);
    if (size < TRACE_PARENT_LENGTH)
        return false;
    if (at[TRACE_ID_AT - 1] != '-' || at[TRACE_PARENT_ID_AT - 1] != '-' || at[TRACE_FLAGS_AT - 1] != '-')
        return false;

    uint8_t version;
    if (!trace_read_hex(at, &version, 1) || version == 0xFF)
        return false;
    /* A later version may go on behind another dash. */
    if (size > TRACE_PARENT_LENGTH && (version == 0 || at[TRACE_PARENT_LENGTH] != '-'))
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

/* The keys of level 2, which has dropped the rules of level 1 for what stands around an '@'. */
static bool trace_state_key(trace_slice key)
{
    if (key.at == key.end || trace_size(key) > TRACE_STATE_KEY_MAX)
        return false;
    if (!trace_is_lower(*key.at) && !trace_is_digit(*key.at))
        return false;
    for (const char *at = key.at; at < key.end; at++)
        if (!trace_is_lower(*at) && !trace_is_digit(*at) && !trace_is_one_of(*at, "_-*/@"))
            return false;
    return true;
}

/* Printable ASCII but for '=', and ',', which has ended the member; it cannot end with a blank, which was trimmed. */
static bool trace_state_value(trace_slice value)
{
    if (value.at == value.end || trace_size(value) > TRACE_STATE_VALUE_MAX)
        return false;
    for (const char *at = value.at; at < value.end; at++)
        if (*at < ' ' || *at > '~' || *at == '=')
            return false;
    return true;
}

/* Keys that come twice do not count as a fault: another process's state would be lost, and W3C's own test suite wants such
 * a list passed on. */
bool lf__tracestate_valid(const char *text, size_t size)
{
    if (size > LF__TRACESTATE_MAX)
        return false;
    size_t members = 0, filled = 0;
    trace_slice rest = trace_slice_of(text, size), member;
    while (trace_next_member(&rest, &member)) {
        if (++members > LF__TRACESTATE_MEMBERS)
            return false;
        member = trace_trim(member);
        if (member.at == member.end)
            continue;
        const char *equals = trace_find(member, '=');
        if (equals == member.end || !trace_state_key((trace_slice){member.at, equals}) ||
            !trace_state_value((trace_slice){equals + 1, member.end}))
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
static bool trace_baggage_key(trace_slice key)
{
    for (const char *at = key.at; at < key.end; at++)
        if (!trace_is_alphanumeric(*at) && !trace_is_one_of(*at, "!#$%&'*+-.^_`|~"))
            return false;
    return key.at < key.end;
}

/* What W3C calls baggage-octets; ',' and ';' have ended the value. */
static bool trace_baggage_value(trace_slice value)
{
    for (const char *at = value.at; at < value.end; at++)
        if (*at <= ' ' || *at > '~' || *at == '"' || *at == '\\')
            return false;
    return true;
}

/* The key of a member, which may be a bad one. */
static trace_slice trace_baggage_key_of(trace_slice member)
{
    return trace_trim((trace_slice){member.at, trace_find(member, '=')});
}

static bool trace_baggage_read(trace_slice member, lf__baggage_member *out)
{
    const char *equals = trace_find(member, '=');
    if (equals == member.end)
        return false;
    trace_slice key = trace_baggage_key_of(member), value = {equals + 1, member.end};
    value.end = trace_find(value, ';');
    value = trace_trim(value);
    if (!trace_baggage_key(key) || !trace_baggage_value(value))
        return false;
    *out = (lf__baggage_member){key.at, trace_size(key), value.at, trace_size(value)};
    return true;
}

/* The header without what is beyond the limits. *at alone cannot tell how many members lie before it. */
static trace_slice trace_baggage_limited(const char *text, size_t size)
{
    trace_slice all = trace_slice_of(text, size > LF__BAGGAGE_MAX ? 0 : size), rest = all, member;
    for (int i = 0; i < LF__BAGGAGE_MEMBERS && trace_next_member(&rest, &member); i++)
        all.end = member.end;
    return all;
}

bool lf__baggage_next(const char *text, size_t size, size_t *at, lf__baggage_member *out)
{
    trace_slice rest = trace_baggage_limited(text, size), member;
    const char *start = rest.at;
    if (*at > trace_size(rest))
        return false;
    rest.at += *at;
    while (trace_next_member(&rest, &member)) {
        /* One past the last member when there is no other. */
        *at = (size_t)(member.end - start) + 1;
        if (trace_baggage_read(member, out))
            return true;
    }
    return false;
}

/* The byte that the value goes on with; *at moves behind it. */
static char trace_percent_decoded(const char **at, const char *end)
{
    char c = *(*at)++;
    if (c == '+')
        return ' ';
    if (c != '%' || end - *at < 2)
        return c;
    int high = lf__hex_digit((*at)[0]), low = lf__hex_digit((*at)[1]);
    if (high < 0 || low < 0)
        return c;
    *at += 2;
    return (char)(high << 4 | low);
}

bool lf__baggage_decode(lf__buf *out, const char *value, size_t size)
{
    char piece[256];
    size_t held = 0, start = out->length;
    trace_slice rest = trace_slice_of(value, size);
    while (rest.at < rest.end) {
        while (rest.at < rest.end && held < sizeof piece)
            piece[held++] = trace_percent_decoded(&rest.at, rest.end);
        /* What could be the beginning of a character waits for the bytes that follow. */
        size_t whole = rest.at < rest.end ? lf__utf8_floor(piece, held) : held;
        lf__utf8_add(out, piece, whole);
        held -= whole;
        memmove(piece, piece + whole, held);
    }
    if (out->failed)
        out->length = start;
    return !out->failed;
}

static bool trace_same(trace_slice a, trace_slice b)
{
    return trace_size(a) == trace_size(b) && memcmp(a.at, b.at, trace_size(a)) == 0;
}

/* The size of a header, and the number of its members, without the empty ones and those of one key. It is also written to
 * `to` unless that is NULL; since the result never gets ahead of what is read, `to` may be the header itself. */
static size_t trace_baggage_without(trace_slice header, trace_slice key, char *to, size_t *members)
{
    size_t length = 0;
    trace_slice member;
    *members = 0;
    while (trace_next_member(&header, &member)) {
        member = trace_trim(member);
        if (member.at == member.end || trace_same(trace_baggage_key_of(member), key))
            continue;
        if (to != NULL && length > 0)
            to[length] = ',';
        length += length > 0;
        if (to != NULL)
            memmove(to + length, member.at, trace_size(member));
        length += trace_size(member);
        ++*members;
    }
    return length;
}

bool lf__baggage_add(lf__buf *header, const char *key, const char *value, size_t size)
{
    trace_slice name = trace_slice_of(key, strlen(key));
    if (!trace_baggage_key(name) || trace_size(name) > LF__BAGGAGE_MAX || size > LF__BAGGAGE_MAX)
        return false;
    size_t members;
    size_t kept = trace_baggage_without(trace_slice_of(header->data, header->length), name, NULL, &members);
    size_t length = kept + (kept > 0) + trace_size(name) + 1 + lf__percent_size(value, size);
    if (length > LF__BAGGAGE_MAX || members >= LF__BAGGAGE_MEMBERS)
        return false;

    /* Room first: from here on nothing may fail. */
    if (header->failed || (length > header->length && lf__buf_reserve(header, length - header->length) == NULL))
        return false;
    header->length = trace_baggage_without(trace_slice_of(header->data, header->length), name, header->data, &members);
    if (header->length > 0)
        lf__buf_add_char(header, ',');
    lf__buf_add(header, name.at, trace_size(name));
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
static bool trace_plain_tags(trace_slice text, lf__buf *scratch, trace_add_tag add, void *owner)
{
    lf__buf_clear(scratch);
    for (const char *at = text.at; at < text.end; at++) {
        if (*at == ',') {
            if (!trace_give_tag(scratch, add, owner))
                return false;
            lf__buf_clear(scratch);
            continue;
        }
        bool first = at == text.at;
        if (*at == '\\' && text.end - at > 1 && (at[1] == ',' || at[1] == '\\' || (first && at[1] == '[')))
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
    if (trace_is_one_of(*at, letters)) {
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
    while (at < end && trace_is_blank(*at))
        at++;
    return at;
}

/* Go through a Python list of strings and give each to `add` unless that is NULL. *well_formed tells whether it is one. */
static bool trace_python_tags(trace_slice text, lf__buf *scratch, trace_add_tag add, void *owner, bool *well_formed)
{
    const char *at = text.at, *end = text.end;
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
    /* Twice, so that what only begins like a Python list gives no tag of its own. */
    bool python;
    trace_slice all = trace_slice_of(text, size);
    trace_python_tags(all, scratch, NULL, NULL, &python);
    return python ? trace_python_tags(all, scratch, add, owner, &python) : trace_plain_tags(all, scratch, add, owner);
}

bool lf__baggage_tags_add(lf__buf *list, const char *tag, size_t size)
{
    size_t start = list->length;
    trace_slice rest = trace_slice_of(tag, size);
    if (size == 0)
        return !list->failed;
    if (start > 0)
        lf__buf_add_char(list, ',');
    else if (*rest.at == '[')
        lf__buf_add_char(list, '\\'); /* or the list could be taken for a Python one */
    for (; rest.at < rest.end; rest.at++) {
        if (*rest.at == ',' || *rest.at == '\\')
            lf__buf_add_char(list, '\\');
        lf__buf_add_char(list, *rest.at);
    }
    if (list->failed)
        list->length = start;
    return !list->failed;
}
