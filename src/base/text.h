/* A piece of text that lies in memory of somebody else: it has no NUL at its end, and may be cut out of a longer one. */
#ifndef LF_SRC_TEXT_H
#define LF_SRC_TEXT_H

#include "base.h"

typedef struct lf__text {
    const char *at; /* NULL: there is none */
    size_t size;
} lf__text;

#define LF__TEXT(literal) {literal, sizeof literal - 1} /* an initialiser */

static inline lf__text lf__text_of(const char *text)
{
    return (lf__text){text, text == NULL ? 0 : strlen(text)};
}

static inline bool lf__text_equals(lf__text a, lf__text b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.at, b.at, a.size) == 0);
}

static inline bool lf__text_begins(lf__text text, const char *start)
{
    size_t size = strlen(start);
    return text.size >= size && lf__text_equals((lf__text){text.at, size}, (lf__text){start, size});
}

static inline bool lf__text_ends(lf__text text, const char *end)
{
    size_t size = strlen(end);
    return text.size >= size && memcmp(text.at + text.size - size, end, size) == 0;
}

/* Without the first bytes. */
static inline lf__text lf__text_behind(lf__text text, size_t size)
{
    return (lf__text){text.at + size, text.size - size};
}

/* The NUL behind the list is not on it. */
static inline bool lf__is_one_of(char c, const char *list)
{
    while (*list != '\0' && *list != c)
        list++;
    return *list != '\0';
}

/* Without the blanks around it. */
static inline lf__text lf__text_trim(lf__text text, const char *blanks)
{
    while (text.size > 0 && lf__is_one_of(text.at[0], blanks))
        text = lf__text_behind(text, 1);
    while (text.size > 0 && lf__is_one_of(text.at[text.size - 1], blanks))
        text.size--;
    return text;
}

/* Take the part before the first `c` off, and the `c`. Without a `c` that is all, and *rest becomes none: a part behind the last
 * `c` is a part too, an empty one. */
static inline lf__text lf__text_take(lf__text *rest, char c)
{
    lf__text part = *rest;
    const char *found = part.size == 0 ? NULL : memchr(part.at, c, part.size);
    *rest = (lf__text){NULL, 0};
    if (found != NULL) {
        *rest = lf__text_behind(part, (size_t)(found - part.at) + 1);
        part.size -= rest->size + 1;
    }
    return part;
}

#endif
