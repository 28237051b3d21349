/* What the wires spell alike: times, names of types and levels, how an observation was left, metadata merged by key. Pure. */
#ifndef LF_SRC_WIRE_TEXT_H
#define LF_SRC_WIRE_TEXT_H

#include "record.h"

enum { LF__WIRE_TIME_SIZE = 64 };

/* ISO 8601 in UTC with microseconds and Z, NUL-terminated. Returns its length. */
size_t lf__wire_time(char out[LF__WIRE_TIME_SIZE], uint64_t wall_ns);
/* "span", "generation", ...; "span" for what is no type. */
const char *lf__wire_type_name(lf_type type);
/* "DEBUG", "DEFAULT", ...; NULL when unset or no level. */
const char *lf__wire_level_name(lf_level level);
/* A 64-bit number of a field, 0 when there is none. */
int64_t lf__wire_int(const lf__field *field);

/* How the scope of an observation was left: "abandoned", "interrupted", or NULL when it ended. *message is what is then said
 * of it. */
const char *lf__wire_incomplete(const lf__record *record, const char **message);

/* Is it valid JSON text that begins with this character? */
bool lf__wire_is_json(const lf__field *field, char first);

/* Metadata: one member for each top-level key of the objects in all fields with a tag, sorted by key; of equal keys the last
 * one counts, null says nothing. Of propagated fields, values that break a limit of limits.h are left out. */
typedef struct lf__wire_member {
    const char *key; /* unescaped */
    size_t key_size;
    const char *value; /* JSON text */
    size_t value_size;
    bool as_text; /* a propagated value that is no string: it is sent as one */
    size_t order;
} lf__wire_member;

typedef struct lf__wire_metadata {
    lf__wire_member *members; /* in the scratch buffer */
    size_t count;
    const lf__field *whole; /* the last field that is no object, or NULL */
} lf__wire_metadata;

/* Collect it. `extra` (NULL: none) is one more member, which wins. False: no memory. */
bool lf__wire_metadata_read(lf__wire_metadata *metadata, lf__buf *scratch, const lf__view *view, lf__tag tag,
                            const lf__wire_member *extra);

#endif
