/* What is propagated to every observation of a trace: the tags that count, and what is left out because it breaks a limit
 * (limits.h), which is said once. Pure.
 */
#ifndef LF_SRC_PROPAGATE_H
#define LF_SRC_PROPAGATE_H

#include "../base/limits.h"
#include "record.h"

enum { LF__TAGS_MAX = 1000 }; /* tags of one trace that are looked at; those behind are left out */

/* Call `add` for each tag of a trace, once, in order. The tag is unescaped UTF-8 in `scratch`, until `add` returns.
 * The tags of a propagated field are the strings of its list that are within the limit. Those of another field are all items of
 * its list, numbers and the like as JSON text, or the field itself when it is a string within the limit. null and empty text
 * are no tags. Appends to `scratch`, and takes it back. False: memory is out, or `add` said false. */
bool lf__view_tags(const lf__view *view, lf__buf *scratch, bool (*add)(void *owner, const char *tag, size_t size), void *owner);

/* What of the propagated fields breaks a limit and is not sent, one bit each. */
enum {
    LF__PROBLEM_USER_ID = 1,
    LF__PROBLEM_SESSION_ID = 2,
    LF__PROBLEM_VERSION = 4,
    LF__PROBLEM_TRACE_NAME = 8,
    LF__PROBLEM_ENVIRONMENT = 16,
    LF__PROBLEM_TAGS = 32,     /* the list, or some of its items */
    LF__PROBLEM_METADATA = 64, /* the object, or some of its values */
    LF__PROBLEM_PROMPT = 128
};
unsigned lf__propagated_problems(const lf__record *record);
/* A line for the log about one of the bits. */
const char *lf__propagated_problem_text(unsigned bit);

#endif
