/* A buffer that grows, up to a ceiling. A failure stays (`failed`), so that code writes all it has to and asks once. */
#ifndef LOCAL_BUF_H
#define LOCAL_BUF_H

#include "arena.h"

typedef struct buf {
    char *at;
    size_t size, capacity;
    size_t ceiling; /* 0 means BUF_DEFAULT_CEILING */
    bool failed;
} buf;

/* An answer of 1,000 observations with large inputs still fits. */
enum { BUF_DEFAULT_CEILING = 1 << 30 };

/* Makes room for that many more bytes. */
bool buf_grow(buf *b, size_t more); /* the slow path */
static inline bool buf_reserve(buf *b, size_t more)
{
    return (!b->failed && b->capacity - b->size >= more) || buf_grow(b, more);
}

void buf_put(buf *b, const void *bytes, size_t size);
void buf_text(buf *b, text t);
void buf_string(buf *b, const char *string);
void buf_char(buf *b, char c);
void buf_format(buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_base64(buf *b, text t);      /* RFC 4648, with padding */
bool buf_from_base64(buf *b, text t); /* with or without padding; false for a character outside of the alphabet */
text buf_view(const buf *b);
void buf_free(buf *b);
text buf_move(buf *b, arena *a); /* what was built, as a text in `a`; frees the buffer, and its failure becomes that of the arena */

#endif
