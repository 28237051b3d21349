/* Ids as text: hex, and any other text by its hash, so that every process that knows the text agrees. */
#ifndef LF_SRC_IDS_H
#define LF_SRC_IDS_H

#include "base.h"

/* Exactly 2 * size hex digits of either case, not all zero. */
bool lf__id_parse(const char *text, uint8_t *out, size_t size);
/* The first bytes of the text's SHA-256. */
void lf__id_from_text(const char *text, uint8_t *out, size_t size);
/* Hex if it is that, else the hash; true if it was hex. */
bool lf__id_read(const char *text, uint8_t *out, size_t size);
void lf__id_write(const uint8_t *id, size_t size, char *out); /* lower-case hex and a NUL */
bool lf__id_is_zero(const uint8_t *id, size_t size);

static inline bool lf__id_given(const char *text)
{
    return text != NULL && text[0] != '\0';
}

#endif
