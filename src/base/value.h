/* A tagged value as text, in one of two spellings: JSON, which is sent, and Python's str(), which prompts are filled in with. One
 * walk goes over values of every kind and over the cJSON trees in them. Pure, no I/O.
 */
#ifndef LF_SRC_VALUE_H
#define LF_SRC_VALUE_H

#include "buf.h"

#include <stdatomic.h>

enum { LF__VALUE_MAX_DEPTH = 64 }; /* nested lists, objects and cJSON trees beyond it are written as null */

/* How many values, in all threads, cannot be ones and are not read: of impossible size, or of no kind. */
extern _Atomic uint64_t lf__refused;
void lf__refuse(void);
/* Is it such a value: of a size or count that was an error code, or of no kind that we know? It is counted, and must not be
 * read. */
bool lf__value_is_refused(const lf_value *value);

/* The size of the text, which is not NULL, of a value of kind LF_KIND_JSON. */
static inline size_t lf__value_json_size(const lf_value *value)
{
    return value->extra == SIZE_MAX ? strlen((const char *)value->as.p) : (size_t)value->extra;
}

/* Append the value as JSON text. Text of kind JSON that is not valid is a string, and so is an integer that a double cannot
 * hold. False: no memory or no room in `out`, which then holds a part. */
bool lf__value_json(lf__buf *out, const lf_value *value);
/* Append the value as Python's str() writes it (python.h). Outside of lists and objects text has no quotes, and null and unset
 * are nothing. Integers have all their digits. False: as above. */
bool lf__value_python(lf__buf *out, const lf_value *value);

#endif
