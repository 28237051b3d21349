/* A tagged value as text, in one of two spellings: JSON, which is sent, and Python's str(), which prompts are filled in with. One
 * walk goes over values of every kind and over the cJSON trees in them. Pure, no I/O.
 */
#ifndef LF_SRC_VALUE_H
#define LF_SRC_VALUE_H

#include "buf.h"

#include <stdatomic.h>

enum { LF__VALUE_MAX_DEPTH = 64 }; /* nested lists, objects and cJSON trees beyond it are written as null */

/* Values that cannot be ones, and are not read: of impossible size, or of no kind. By any thread. */
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

/* Append the value in one of the spellings. False: no memory or no room in `out`, which then holds a part.
 *
 * As JSON text of kind JSON that is not valid is a string, and so are integers that a double cannot hold. As Python writes it
 * (python.h) text that is not inside of a list or an object is written as it is, null and unset as nothing, and integers with
 * all their digits. */
bool lf__value_json(lf__buf *out, const lf_value *value);
bool lf__value_python(lf__buf *out, const lf_value *value);

#endif
