#include "buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool buf_grow(buf *b, size_t more)
{
    size_t ceiling = b->ceiling > 0 ? b->ceiling : BUF_DEFAULT_CEILING, wish = b->capacity > 0 ? b->capacity : 256;
    b->failed |= more > ceiling || b->size > ceiling - more;
    if (b->failed)
        return false;
    while (wish - b->size < more)
        wish *= 2;
    wish = wish < ceiling ? wish : ceiling;
    char *bigger = realloc(b->at, wish);
    b->failed = bigger == NULL;
    if (b->failed)
        return false;
    b->at = bigger;
    b->capacity = wish;
    return true;
}

void buf_put(buf *b, const void *bytes, size_t size)
{
    if (size == 0 || !buf_reserve(b, size))
        return;
    memcpy(b->at + b->size, bytes, size);
    b->size += size;
}

void buf_text(buf *b, text t)
{
    buf_put(b, t.at, t.size);
}

void buf_string(buf *b, const char *string)
{
    buf_put(b, string, strlen(string));
}

void buf_char(buf *b, char c)
{
    if (buf_reserve(b, 1))
        b->at[b->size++] = c;
}

void buf_format(buf *b, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (size < 0)
        b->failed = true;
    else if (buf_reserve(b, (size_t)size + 1)) { /* vsnprintf writes a NUL, too */
        vsnprintf(b->at + b->size, (size_t)size + 1, format, again);
        b->size += (size_t)size;
    }
    va_end(again);
}

text buf_view(const buf *b)
{
    return b->size > 0 ? (text){b->at, b->size} : TEXT("");
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

/* ---- Base64 ---- */

static const char buf_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool buf_from_base64(buf *out, text in)
{
    while (in.size > 0 && in.at[in.size - 1] == '=')
        in.size--;
    if (in.size % 4 == 1)
        return false;
    uint32_t bits = 0;
    unsigned have = 0;
    for (size_t i = 0; i < in.size; i++) {
        const char *found = in.at[i] != '\0' ? strchr(buf_alphabet, in.at[i]) : NULL;
        if (found == NULL)
            return false;
        bits = bits << 6 | (uint32_t)(found - buf_alphabet);
        have += 6;
        if (have >= 8) {
            have -= 8;
            buf_char(out, (char)(unsigned char)(bits >> have));
        }
    }
    return !out->failed;
}

void buf_base64(buf *out, text in)
{
    const unsigned char *s = (const unsigned char *)in.at;
    for (size_t i = 0; i < in.size; i += 3) {
        size_t left = in.size - i;
        uint32_t bits = (uint32_t)s[i] << 16 | (left > 1 ? (uint32_t)s[i + 1] << 8 : 0) | (left > 2 ? s[i + 2] : 0);
        buf_char(out, buf_alphabet[bits >> 18]);
        buf_char(out, buf_alphabet[bits >> 12 & 63]);
        buf_char(out, left > 1 ? buf_alphabet[bits >> 6 & 63] : '=');
        buf_char(out, left > 2 ? buf_alphabet[bits & 63] : '=');
    }
}
