/* What the wires say alike: times, names of types and levels, how an observation was left, metadata merged by key. Pure. */
#ifndef LF_SRC_WIRE_TEXT_H
#define LF_SRC_WIRE_TEXT_H

#include "../observe/record.h"

enum { LF__WIRE_TIME_SIZE = 64 };

/* Does the batch endpoint take this text as an id? Otherwise its hash is sent. */
bool lf__wire_is_id(const char *text, size_t size);

/* A time by the wall clock, whichever clock took it. */
static inline uint64_t lf__wire_wall_ns(uint64_t ns, bool is_wall, int64_t wall_offset_ns)
{
    return is_wall ? ns : ns + (uint64_t)wall_offset_ns;
}

/* ISO 8601 in UTC with microseconds and Z, NUL-terminated. Returns its length. */
size_t lf__wire_time(char out[LF__WIRE_TIME_SIZE], uint64_t wall_ns);
/* "span", "generation", ...; "span" for what is no type. */
const char *lf__wire_type_name(lf_type type);
/* "DEBUG", "DEFAULT", ...; NULL when unset or no level. */
const char *lf__wire_level_name(lf_level level);
/* A 64-bit number of a field, 0 when there is none. */
int64_t lf__wire_int(const lf__field *field);

/* The version of the observation's prompt, or NULL. A version belongs to the name that it came with: a propagated one says
 * nothing of the observation's own prompt. */
const lf__field *lf__wire_prompt_version(const lf__view *view);

/* The name of the observation's model; none where it is no text. */
lf__text lf__wire_model(const lf__view *view);

/* How the scope of an observation was left: "abandoned", "interrupted", or NULL when it ended. *message is what is then said
 * of it. */
const char *lf__wire_incomplete(const lf__record *record, const char **message);

/* Append the pieces of the output that count. They are joined before they are repaired: a stream may cut a character in two. */
void lf__wire_pieces(lf__buf *out, const lf__view *view);

/* Metadata: one member for each top-level key of the objects in all fields with a tag, sorted by key; of equal keys the last
 * one counts, null says nothing. Of propagated fields, values that break a limit of limits.h are left out. */
typedef struct lf__wire_member {
    const char *key; /* unescaped, behind the prefix that was asked for; of an extra, raw */
    size_t key_size;
    const char *value; /* JSON text, unless is_text */
    size_t value_size;
    bool as_text; /* JSON text that is sent as text: of a propagated value that is no string */
    bool is_text; /* of an extra */
    size_t order;
} lf__wire_member;

typedef struct lf__wire_metadata {
    lf__wire_member *members; /* in the scratch buffer */
    size_t count;
    const lf__field *whole; /* the last field that is no object, maybe null itself, or NULL */
} lf__wire_metadata;

/* Collect it. The extras are more members, and win. Behind the members there is room in the scratch buffer for any of their
 * values, so that unescaping one there moves no other. False: no memory. */
bool lf__wire_metadata_read(lf__wire_metadata *metadata, lf__buf *scratch, const lf__view *view, lf__tag tag,
                            const char *key_prefix, const lf__wire_member *extras, size_t extra_count);

#endif
