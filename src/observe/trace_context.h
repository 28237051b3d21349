/* The headers that carry a trace from one process to another: W3C traceparent, tracestate and baggage. Parsers work on
 * pointer and length and never read past it. traceparent and tracestate are taken or refused as a whole; of a baggage
 * header the good members are taken. No I/O.
 * Sources: W3C Trace Context (level 2) and W3C Baggage.
 */
#ifndef LF_SRC_TRACE_CONTEXT_H
#define LF_SRC_TRACE_CONTEXT_H

#include "../base/buf.h"

enum {
    LF__TRACEPARENT_SIZE = 56,      /* "00-{32}-{16}-{2}" and the NUL */
    LF__TRACESTATE_MAX = 512,       /* longer ones are not passed on */
    LF__TRACESTATE_MEMBERS = 32,
    LF__BAGGAGE_MAX = 8192,         /* of the whole header, in and out; a longer one is not read at all */
    LF__BAGGAGE_MEMBERS = 180,      /* good or bad; those behind are not read */
    LF__TRACE_SAMPLED = 1,          /* the trace flags that have a meaning */
    LF__TRACE_RANDOM = 2
};

typedef struct lf__traceparent {
    uint8_t trace_id[16];
    uint8_t parent_id[8];
    uint8_t flags; /* LF__TRACE_... */
} lf__traceparent;

/* Surrounding spaces and tabs are allowed. Versions after 00 are read as far as 00 goes; ff, upper case, all-zero ids and
 * anything else is refused, and *out is left alone. Flags without a meaning are cleared. */
bool lf__traceparent_parse(const char *text, size_t size, lf__traceparent *out);
/* Always version 00, only flags that have a meaning. */
void lf__traceparent_format(const lf__traceparent *from, char out[LF__TRACEPARENT_SIZE]);

/* Is it a list that may be passed on as it is? Checks keys, values, number and length. Empty members are allowed and count;
 * a list of nothing else is refused, since there is nothing to pass on. A key that comes twice is not looked for. */
bool lf__tracestate_valid(const char *text, size_t size);

/* One member of a baggage header. Pointers into the header, without blanks around; the value is still percent-encoded and
 * may be empty; properties are left out and not checked. */
typedef struct lf__baggage_member {
    const char *key;
    size_t key_size;
    const char *value;
    size_t value_size;
} lf__baggage_member;

/* The next good member at or after *at, which starts at 0 and moves on; a bad member is skipped. False at the end, or beyond
 * the limits. */
bool lf__baggage_next(const char *text, size_t size, size_t *at, lf__baggage_member *out);
/* Append the decoded value. '+' is a space, as the Python SDK writes it; a bad escape stays as it is; invalid UTF-8 becomes
 * U+FFFD. */
bool lf__baggage_decode(lf__buf *out, const char *value, size_t size);
/* Append "key=value", encoded, behind a comma if the header has members already. A key that the header holds already is
 * replaced, and moves to the end. False, and the header stays as it is, when the key is no token, or LF__BAGGAGE_MAX,
 * LF__BAGGAGE_MEMBERS or the buffer's own limit would be exceeded. `value` must not lie inside the header. */
bool lf__baggage_add(lf__buf *header, const char *key, const char *value, size_t size);

/* Tags as one baggage value (before percent-encoding): a list separated by commas, with '\' before a comma or '\' inside of a
 * tag, and before a '[' that opens the list. Also read: the text of a Python list, ['a', "b's"], which the Python SDK sends.
 * Items that are empty are left out; blanks belong to the tag. `add` is called for each tag with decoded text, which lies in
 * `scratch` until it returns. False as soon as `add` says so, or when memory is out. */
bool lf__baggage_tags(const char *text, size_t size, lf__buf *scratch, bool (*add)(void *owner, const char *tag, size_t size),
                      void *owner);
/* Append one tag to a list in that form; an empty one adds nothing. False, and nothing is appended, when it does not fit. */
bool lf__baggage_tags_add(lf__buf *list, const char *tag, size_t size);

#endif
