/* A growable byte buffer with a ceiling. An append that does not fit or finds no memory fails, sets `failed` and leaves
 * the buffer as it was; later appends fail too until lf__buf_clear or lf__buf_rewind, so that writers check once at the end.
 */
#ifndef LF_SRC_BUF_H
#define LF_SRC_BUF_H

#include "text.h"

typedef struct lf__buf {
    char *data;
    size_t length;
    size_t capacity;
    size_t limit;  /* the ceiling in bytes */
    bool failed;
    bool no_memory; /* an append found no memory; stays until somebody sets it false */
    bool borrowed; /* `data` belongs to somebody else and cannot grow (lf__buf_over) */
} lf__buf;

void lf__buf_init(lf__buf *buf, size_t limit);
/* Write into memory of the caller's: limit == size, never grows, lf__buf_done frees nothing. */
void lf__buf_over(lf__buf *buf, void *memory, size_t size);
void lf__buf_done(lf__buf *buf);
void lf__buf_clear(lf__buf *buf);                 /* keeps the memory */
void lf__buf_rewind(lf__buf *buf, size_t length); /* back to an earlier length, clears `failed` */
bool lf__buf_grow(lf__buf *buf, size_t size);     /* slow path of lf__buf_reserve */

/* Make room for `size` more bytes; NULL when that is not possible. The bytes count once lf__buf_commit is called. */
static inline char *lf__buf_reserve(lf__buf *buf, size_t size)
{
    if (buf->failed || (size > buf->capacity - buf->length && !lf__buf_grow(buf, size)))
        return NULL;
    return buf->data + buf->length;
}

/* Its bytes; valid until it changes. */
static inline lf__text lf__buf_text(const lf__buf *buf)
{
    return (lf__text){buf->data, buf->length};
}

static inline void lf__buf_commit(lf__buf *buf, size_t size)
{
    buf->length += size;
}

/* The end of an append of several steps, which began at the length `start`. Where a step has failed, all are taken back. */
static inline bool lf__buf_finish(lf__buf *buf, size_t start)
{
    if (buf->failed)
        buf->length = start;
    return !buf->failed;
}

bool lf__buf_add(lf__buf *buf, const void *bytes, size_t size);
bool lf__buf_add_text(lf__buf *buf, const char *text);
bool lf__buf_add_char(lf__buf *buf, char c);
#define LF__BUF_ADD(buf, literal) lf__buf_add(buf, literal, sizeof literal - 1)

/* Percent-encoding (RFC 3986): all but A-Z a-z 0-9 - . _ ~ as %XX, good for one segment of a path, one value of a query or of
 * baggage. */
bool lf__buf_add_percent(lf__buf *buf, const char *bytes, size_t size);
size_t lf__percent_size(const char *bytes, size_t size); /* of what that appends */
/* The byte that encoded text goes on with; *at moves behind it. A % without two digits behind it stands for itself. */
char lf__percent_next(const char **at, const char *end);

#endif
