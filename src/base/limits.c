#include "limits.h"

#include "json.h"

#include <string.h>

static size_t limits_characters(const char *text, size_t size)
{
    size_t valid = lf__utf8_valid_prefix(text, size), count = size - valid; /* bytes to be repaired count one by one */
    for (size_t i = 0; i < valid; i++)
        count += ((unsigned char)text[i] & 0xc0) != 0x80;
    return count;
}

bool lf__propagated_text(const char *text, size_t size)
{
    return size <= LF__PROPAGATED_MAX || (size <= 4 * LF__PROPAGATED_MAX && limits_characters(text, size) <= LF__PROPAGATED_MAX);
}

/* \uD800 to \uDFFF, the halves of a pair, begin with \uD8 to \uDB and \uDC to \uDF. */
static bool limits_is_half(const char *at, const char *end, const char *digits)
{
    return end - at >= 6 && at[0] == '\\' && at[1] == 'u' && (at[2] | 0x20) == 'd' && strchr(digits, at[3]) != NULL;
}

/* The characters that a raw JSON string stands for. */
static size_t limits_escaped_characters(const char *at, size_t size)
{
    size_t count = 0;
    for (const char *end = at + size; at < end; count++) {
        if (*at == '\\') {
            bool pair = limits_is_half(at, end, "89abAB") && limits_is_half(at + 6, end, "cdefCDEF");
            at += pair ? 12 : end - at >= 6 && at[1] == 'u' ? 6 : 2;
            continue;
        }
        for (at++; at < end && ((unsigned char)*at & 0xc0) == 0x80;)
            at++;
    }
    return count;
}

bool lf__propagated_json(const char *json, size_t size)
{
    if (size < 2 || json[0] != '"')
        return lf__propagated_text(json, size);
    return size - 2 <= 12 * LF__PROPAGATED_MAX && limits_escaped_characters(json + 1, size - 2) <= LF__PROPAGATED_MAX;
}

bool lf__environment_valid(const char *text, size_t size)
{
    if (size == 0 || size > LF__ENVIRONMENT_MAX || lf__text_begins((lf__text){text, size}, "langfuse"))
        return false;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_')
            return false;
    }
    return true;
}
