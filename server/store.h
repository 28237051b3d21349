/* Storage of observations in SQLite: the only part of the server that knows about it.
 *
 * One connection behind one lock; rows are written in one transaction for each request, and committed before the call returns. What a
 * row means is not decided here.
 */
#ifndef LOCAL_STORE_H
#define LOCAL_STORE_H

#include "observation.h"

typedef struct store store;

/* Opens, and creates what is missing. On failure returns NULL with one line in `why`. `read_only` needs an existing database. */
store *store_open(const char *path, bool read_only, char *why, size_t why_size);
void store_close(store *s); /* NULL is fine */

/* Stores all rows or none. A row with the same trace, id and start (in milliseconds) replaces the older one. Any thread. */
bool store_put(store *s, const observation *rows, size_t count);

typedef enum store_column {
    STORE_TRACE_ID,
    STORE_ID,
    STORE_PARENT_ID,
    STORE_NAME,
    STORE_TYPE,
    STORE_LEVEL,
    STORE_ENVIRONMENT,
    STORE_VERSION,
    STORE_USER_ID,
    STORE_SESSION_ID,
    STORE_COLUMN_COUNT
} store_column;

typedef enum store_operator { STORE_EQUALS, STORE_CONTAINS, STORE_STARTS_WITH, STORE_ANY_OF } store_operator;

typedef struct store_condition {
    store_column column;
    store_operator op;
    const text *values;
    size_t value_count; /* one, but for STORE_ANY_OF */
} store_condition;

/* The position behind which a page begins. */
typedef struct store_position {
    int64_t start_ms;
    text trace_id, id;
} store_position;

/* Ceilings of one query: SQLite's own limit on bound values is 32766. */
#define STORE_MAX_CONDITIONS 32
#define STORE_MAX_VALUES 1000

typedef struct store_query {
    store_condition conditions[STORE_MAX_CONDITIONS];
    size_t condition_count;
    int root;             /* -1: all; 0 or 1: only observations that are not, or are, a root */
    int64_t from_ms;      /* start at or after; INT64_MIN: no limit */
    int64_t to_ms;        /* start before; INT64_MAX: no limit */
    store_position after; /* used when after.id.at is not NULL */
    size_t limit;
} store_query;

#define STORE_QUERY_ALL ((store_query){ .root = -1, .from_ms = INT64_MIN, .to_ms = INT64_MAX, .limit = SIZE_MAX / 2 })

/* Calls `visit` for each row, newest start first. The row's texts are valid during that call only; no store function may be called
 * from it. False when the database failed. */
typedef void store_visit(void *context, const observation *row);
bool store_read(store *s, const store_query *query, store_visit *visit, void *context);

/* The ids of the newest traces, newest first, or of those whose id starts with `prefix`. Texts live in `a`. */
bool store_traces(store *s, arena *a, text prefix, size_t limit, text **out_ids, size_t *out_count);

/* Numbers of stored observations and traces; of one trace when `trace_id` is not empty. */
bool store_count(store *s, text trace_id, int64_t *out_observations, int64_t *out_traces);

#endif
