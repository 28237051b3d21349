/* Text slices, an arena and a growing buffer: the memory of the server.
 *
 * A request owns one arena; everything decoded from it borrows from the request body or lives in that arena and is released at once.
 * Failures are sticky (`failed`), so code builds a whole result and asks once. This is not a string library.
 */
#ifndef LOCAL_TEXT_H
#define LOCAL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A borrowed run of bytes; it may hold NUL and is not NUL-terminated. */
typedef struct text {
    const char *at;
    size_t len;
} text;

#define TEXT(literal) ((text){(literal), sizeof(literal) - 1})
#define TEXT_NONE ((text){NULL, 0})

text text_of(const char *string); /* NULL becomes the empty text */
bool text_equal(text a, text b);
int text_order(text a, text b); /* by bytes, as memcmp has it; of two that begin alike the shorter comes first */
bool text_is(text a, const char *string);
bool text_starts(text a, const char *prefix);
bool text_has(text a, const char *part);
bool text_lists(text list, text word); /* words between commas, with blanks around them or without */
text text_trim(text a);
text text_unless_empty(text a);                 /* NULL for an empty text */
text text_from(text a, size_t size);            /* what stands behind that many bytes */
bool text_skip(text *from, const char *prefix); /* takes the prefix away; false: it begins otherwise */

/* Takes away what stands before the first `end`, and that. Where there is none, all is taken and NULL is left. */
text text_take(text *from, const char *end);

/* The length in bytes of the valid UTF-8 sequence at the start of `a`, or 0. */
size_t text_utf8_length(text a);

int text_hex_digit(char c); /* its value; -1: it is none */

/* Whole decimal number, nothing else around it; false on overflow. */
bool text_to_int(text a, int64_t *out_value);

/* A finite or infinite number as strtod reads it, nothing else around it. */
bool text_to_double(text a, double *out_value);

typedef struct arena_block arena_block;

typedef struct arena {
    arena_block *newest;
    size_t held;    /* bytes asked from malloc so far */
    size_t ceiling; /* more than this fails; 0 means the default below */
    bool failed;
} arena;

/* Eight times the largest accepted body: a JSON tree needs about that for dense input. */
#define ARENA_DEFAULT_CEILING ((size_t)512 << 20)

void *arena_take(arena *a, size_t size); /* zeroed and aligned, also for size 0; NULL when out of memory: `failed` stays set */
text arena_copy(arena *a, text t);
text arena_upper(arena *a, text t);                   /* a copy with the letters a to z as capitals */
text arena_utf8(arena *a, text t, size_t *repairs); /* `t`, or a copy in which each invalid byte is U+FFFD */
bool arena_unescape(arena *a, text t, text *out);     /* undoes %41; false when a % has no two hex digits behind it */
void arena_free(arena *a);

/* Adds a zeroed item to an array that lives in the arena and has no other way to grow. `list` is the address of the pointer to its first
 * item, at first that of NULL. Returns the item; NULL when out of memory. */
void *arena_add(arena *a, void *list, size_t item_size, size_t *count);

typedef struct buf {
    char *at;
    size_t len, capacity;
    size_t ceiling; /* 0 means BUF_DEFAULT_CEILING */
    bool failed;
} buf;

/* An answer of 1,000 observations with large inputs still fits. */
#define BUF_DEFAULT_CEILING ((size_t)1 << 30)

bool buf_reserve(buf *b, size_t more);
void buf_put(buf *b, const void *bytes, size_t len);
void buf_text(buf *b, text t);
void buf_string(buf *b, const char *string);
void buf_char(buf *b, char c);
void buf_format(buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
text buf_view(const buf *b);
void buf_free(buf *b);
text buf_move(buf *b, arena *a); /* what was built, as a text in `a`; frees the buffer, and its failure becomes that of the arena */

/* RFC 4648 base64 with or without padding; false for a character outside the alphabet. */
bool base64_decode(buf *out, text in);
void base64_encode(buf *out, text in);

#endif
