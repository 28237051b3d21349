/* Text slices: what a request says is borrowed from its body, and never changed. This is not a string library. Pure. */
#ifndef LOCAL_TEXT_H
#define LOCAL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A borrowed run of bytes; it may hold NUL and is not NUL-terminated. */
typedef struct text {
    const char *at;
    size_t size;
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

/* The size of the valid UTF-8 sequence at the start of `a`, or 0. */
size_t text_utf8_size(text a);

/* The size of the valid UTF-8 at the start of `a`. */
size_t text_utf8_prefix(text a);

int text_hex_digit(char c); /* its value; -1: it is none */

/* Whole decimal number, nothing else around it; false on overflow. */
bool text_to_int(text a, int64_t *out_value);

/* A finite or infinite number as strtod reads it, nothing else around it. */
bool text_to_double(text a, double *out_value);

#endif
