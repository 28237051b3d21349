#include "buf.h"

#include <string.h>

enum { BUF_FIRST_CAPACITY = 1024 };

void lf__buf_init(lf__buf *buf, size_t limit)
{
    *buf = (lf__buf){.limit = limit};
}

void lf__buf_over(lf__buf *buf, void *memory, size_t size)
{
    *buf = (lf__buf){.data = memory, .capacity = size, .limit = size, .borrowed = true};
}

void lf__buf_done(lf__buf *buf)
{
    if (!buf->borrowed)
        lf__free(buf->data);
    *buf = (lf__buf){0};
}

void lf__buf_clear(lf__buf *buf)
{
    lf__buf_rewind(buf, 0);
}

void lf__buf_rewind(lf__buf *buf, size_t length)
{
    buf->length = length;
    buf->failed = false;
}

static bool buf_fail(lf__buf *buf, bool no_memory)
{
    buf->failed = true;
    buf->no_memory |= no_memory;
    return false;
}

bool lf__buf_grow(lf__buf *buf, size_t size)
{
    if (buf->borrowed || size > buf->limit - buf->length)
        return buf_fail(buf, false);
    size_t needed = buf->length + size;
    size_t capacity = buf->capacity < BUF_FIRST_CAPACITY ? BUF_FIRST_CAPACITY : buf->capacity;
    while (capacity < needed && capacity <= buf->limit / 2)
        capacity *= 2;
    if (capacity < needed || capacity > buf->limit)
        capacity = buf->limit;
    char *data = lf__realloc(buf->data, capacity);
    if (data == NULL)
        return buf_fail(buf, true);
    buf->data = data;
    buf->capacity = capacity;
    return true;
}

bool lf__buf_add(lf__buf *buf, const void *bytes, size_t size)
{
    if (size == 0)
        return !buf->failed;
    char *to = lf__buf_reserve(buf, size);
    if (to == NULL)
        return false;
    lf__copy(to, bytes, size);
    lf__buf_commit(buf, size);
    return true;
}

bool lf__buf_add_text(lf__buf *buf, const char *text)
{
    return lf__buf_add(buf, text, strlen(text));
}

bool lf__buf_add_char(lf__buf *buf, char c)
{
    char *to = lf__buf_reserve(buf, 1);
    if (to == NULL)
        return false;
    *to = c;
    lf__buf_commit(buf, 1);
    return true;
}

static bool buf_is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
           c == '~';
}

bool lf__buf_add_percent(lf__buf *buf, const char *bytes, size_t size)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (buf_is_unreserved(bytes[i]))
            lf__buf_add_char(buf, bytes[i]);
        else
            lf__buf_add(buf, (char[]){'%', hex[c >> 4], hex[c & 15]}, 3);
    }
    return !buf->failed;
}

size_t lf__percent_size(const char *bytes, size_t size)
{
    size_t encoded = size;
    for (size_t i = 0; i < size; i++)
        encoded += buf_is_unreserved(bytes[i]) ? 0 : 2;
    return encoded;
}

char lf__percent_next(const char **at, const char *end)
{
    char c = *(*at)++;
    int high = c == '%' && end - *at >= 2 ? lf__hex_digit((*at)[0]) : -1;
    int low = high >= 0 ? lf__hex_digit((*at)[1]) : -1;
    if (low < 0)
        return c;
    *at += 2;
    return (char)(high << 4 | low);
}
