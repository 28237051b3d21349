/* Text, numbers and JSON text as Python's str() and repr() write them: the Python SDK fills prompts in with str(). Whole values
 * are written by value.h. What does not fit, or finds no memory, leaves a part and out->failed.
 */
#ifndef LF_SRC_PYTHON_H
#define LF_SRC_PYTHON_H

#include "buf.h"

/* Text as it is, its UTF-8 repaired, or with `repr` in quotes: 'x', "it's", '\n'. Code points that Unicode has not assigned are
 * never escaped. */
void lf__python_text(lf__buf *out, const char *text, size_t size, bool repr);
/* 1.0, 1e+20, nan, -inf. The number comes as for lf__json_double and lf__json_float. */
void lf__python_real(lf__buf *out, uint64_t bits, bool is_float);
/* JSON text that is valid, as Python would write what it stands for. Of members with equal names each one is written.
 * A null that is not inside of a list or an object is nothing, with `repr` None. */
void lf__python_json(lf__buf *out, const char *text, size_t size, bool repr);

#endif
