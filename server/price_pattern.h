/* Regular expressions as price lists have them, those of PostgreSQL and JavaScript, for the regcomp of POSIX. Pure. */
#ifndef LOCAL_PRICE_PATTERN_H
#define LOCAL_PRICE_PATTERN_H

#include "arena.h"

#include <regex.h>

/* False, with a reason in `why`, when the pattern is wrong or has what POSIX lacks: look-around, references to groups. "(?i)" in
 * front ignores the case. */
bool price_pattern_compile(regex_t *out, text pattern, bool ignore_case, char *why, size_t why_size);

bool price_pattern_fits(const regex_t *pattern, text t);

#endif
