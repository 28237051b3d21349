/* The limits of what is propagated to every observation of a trace (OBSERVE_ATTRIBUTES, baggage), as the server and the other
 * SDKs have them: text of at most 200 characters, an environment of at most 40 of a-z, 0-9, - and _ that does not begin with
 * "langfuse". What breaks a limit is left out, and said once. Pure.
 */
#ifndef LF_SRC_PROPAGATE_H
#define LF_SRC_PROPAGATE_H

#include "record.h"

enum {
    LF__PROPAGATED_MAX = 200, /* characters (code points) */
    LF__ENVIRONMENT_MAX = 40, /* likewise */
    LF__TAGS_MAX = 1000       /* tags of one trace that are looked at; those behind are left out */
};

static inline bool lf__is_propagated(const lf__field *field)
{
    return (field->index & LF__MARK_PROPAGATED) != 0 && field->tag != LF__TAG_ARGUMENT;
}

/* May this field be sent? Always, unless it is marked LF__MARK_PROPAGATED and breaks a limit. Of tags and metadata the whole
 * is judged here (is it a list, an object), their items by lf__propagated_text. */
bool lf__propagated_valid(const lf__field *field);
/* Is it text within LF__PROPAGATED_MAX? */
bool lf__propagated_text(const char *text, size_t size);
/* Is a (valid) JSON value within it: the text of a string, the JSON text of anything else? */
bool lf__propagated_json(const char *json, size_t size);
bool lf__environment_valid(const char *text, size_t size);

/* The tags of a trace that count: called for each once, in order; text is unescaped UTF-8 in `scratch` and gone afterwards.
 * Of a marked field these are the strings within the limit, of another one also other items, as JSON text, and a field that
 * is no list but such a string; never null or empty text. Appends to `scratch`, and takes it back.
 * False when memory is out or `add` said false. */
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
