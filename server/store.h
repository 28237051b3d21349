/* Storage in SQLite of observations, traces and scores. Prompts are in store_prompts.h, and nothing else knows about SQLite.
 *
 * One connection writes, behind one lock: in one transaction for each request, and committed before the call returns. Others
 * read, each with a snapshot of its own, so that reads and writes do not wait for each other. What a row means is not decided
 * here.
 */
#ifndef LOCAL_STORE_H
#define LOCAL_STORE_H

#include "event.h"
#include "filter.h"

typedef struct store store;

/* Opens, and creates what is missing. On failure returns NULL with one line in `why`. `read_only` needs an existing database. */
store *store_open(const char *path, bool read_only, char *why, size_t why_size);
void store_close(store *s); /* NULL is fine */

/* The reason of the last failure, for a message. */
void store_problem(store *s, char *out, size_t size);

/* Stores all rows or none. A row with the same trace, id and start (in milliseconds) replaces the older one. Any thread. */
bool store_put_rows(store *s, const observation *rows, size_t count);

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

typedef enum store_operator { STORE_EQUALS, STORE_ANY_OF } store_operator;

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
enum { STORE_MAX_CONDITIONS = 32, STORE_MAX_VALUES = 1000 };

typedef struct store_query {
    store_condition conditions[STORE_MAX_CONDITIONS];
    size_t condition_count;
    const filter *filter; /* NULL: none; of the table of observations */
    int root;             /* -1: all; 0 or 1: only observations that are not, or are, a root */
    int64_t from_ms;      /* start at or after; INT64_MIN: no limit */
    int64_t to_ms;        /* start before; INT64_MAX: no limit */
    store_position after; /* used when after.id.at is not NULL */
    size_t limit;
} store_query;

#define STORE_QUERY_ALL ((store_query){.root = -1, .from_ms = INT64_MIN, .to_ms = INT64_MAX, .limit = SIZE_MAX / 2})

/* Calls `visit` for each row, newest start first; within a millisecond the traces come in the order of their hashes, and rows of one
 * trace by their ids, all downwards. The row's texts are valid during that call only; when all is in
 * memory, no store function may be called from it. False when the database failed. */
typedef void store_visit(void *context, const observation *row);
bool store_read(store *s, const store_query *query, store_visit *visit, void *context);

/* How many rows there are for the conditions of a query, whatever its page. */
bool store_count_rows(store *s, const store_query *query, int64_t *out_count);

/* The ids of the newest traces, newest first, or of those whose id starts with `prefix`. Texts live in `a`. */
bool store_newest_traces(store *s, arena *a, text prefix, size_t limit, text **out_ids, size_t *out_count);

/* The ids of traces of which an observation or an event arrived since then: the newest `limit` of them, the oldest of those first. The
 * total counts all. */
bool store_arrived_traces(store *s, arena *a, int64_t since_ns, size_t limit, text **out_ids, size_t *out_count,
                          int64_t *out_total);

/* Numbers of stored observations and traces; of one trace when `trace_id` is not empty. */
bool store_count(store *s, text trace_id, int64_t *out_observations, int64_t *out_traces);

/* ---- Events of the batch endpoint ---- */

/* Stores the events, and folds all that are known of each id into its row; all of them or none. Events without body_id are skipped.
 * `memory` holds what is needed on the way. */
bool store_put_events(store *s, arena *memory, const event *events, size_t count);

/* ---- Traces as a whole ---- */

/* Everything stored about one trace, newest scores first. False when the database failed; a trace that is not there is empty. */
bool store_load_trace(store *s, arena *a, text id, trace_data *out);
bool store_delete_trace(store *s, text id);

typedef enum store_trace_column {
    STORE_TRACE_USER,
    STORE_TRACE_NAME,
    STORE_TRACE_SESSION,
    STORE_TRACE_VERSION,
    STORE_TRACE_RELEASE,
    STORE_TRACE_ENVIRONMENT,
    STORE_TRACE_TAG,
    STORE_TRACE_COLUMN_COUNT
} store_trace_column;

typedef struct store_trace_condition {
    store_trace_column column;
    const text *values; /* any of them */
    size_t value_count;
} store_trace_condition;

enum { STORE_MAX_TRACE_CONDITIONS = 32 };

/* Observations are asked as well as trace events: a trace is found when one of them has the value. */
typedef struct store_trace_query {
    store_trace_condition conditions[STORE_MAX_TRACE_CONDITIONS];
    size_t condition_count;
    const filter *filter; /* NULL: none; of the table of traces */
    int64_t from_ms, to_ms;
    bool ordered;        /* by this column, else by time */
    filter_column order;
    bool oldest_first;   /* or, of another column, the least */
    size_t limit, offset;
} store_trace_query;

/* A page of ids, and how many there are in all. */
bool store_find_traces(store *s, arena *a, const store_trace_query *query, text **out_ids, size_t *out_count, int64_t *out_total);

typedef struct store_session {
    text id, environment;
    int64_t created_ms;
} store_session;

typedef struct store_session_query {
    text id; /* empty: all */
    const text *environments;
    size_t environment_count; /* 0: any */
    int64_t from_ms, to_ms;
    size_t limit, offset;
} store_session_query;

bool store_find_sessions(store *s, arena *a, const store_session_query *query, store_session **out_rows, size_t *out_count,
                         int64_t *out_total);

/* ---- Scores ---- */

typedef enum store_score_column {
    STORE_SCORE_ID,
    STORE_SCORE_NAME,
    STORE_SCORE_TRACE,
    STORE_SCORE_OBSERVATION,
    STORE_SCORE_SESSION,
    STORE_SCORE_DATASET_RUN,
    STORE_SCORE_SOURCE,
    STORE_SCORE_DATA_TYPE,
    STORE_SCORE_ENVIRONMENT,
    STORE_SCORE_CONFIG,
    STORE_SCORE_QUEUE,
    STORE_SCORE_STRING_VALUE,
    STORE_SCORE_USER_OF_TRACE,
    STORE_SCORE_TAG_OF_TRACE,
    STORE_SCORE_COLUMN_COUNT
} store_score_column;

typedef struct store_score_condition {
    store_score_column column;
    const text *values; /* any of them */
    size_t value_count;
} store_score_condition;

enum { STORE_MAX_SCORE_CONDITIONS = 48, STORE_MAX_COMPARISONS = 4 };

typedef struct store_score_query {
    store_score_condition conditions[STORE_MAX_SCORE_CONDITIONS];
    size_t condition_count;
    const filter *filter; /* NULL: none; of the table of scores */
    struct store_comparison {
        const char *operator; /* one of = != < <= > >= */
        double number;
    } comparisons[STORE_MAX_COMPARISONS];
    size_t comparison_count;
    const double *numbers; /* any of them */
    size_t number_count;   /* 0: any number */
    int64_t from_ms, to_ms;
    int64_t after_ms; /* with after_id: the position behind which a page begins */
    text after_id;    /* NULL: from the start */
    size_t limit, offset;
} store_score_query;

/* Newest first; texts live in `a`. The total does not count the position and the page. */
bool store_find_scores(store *s, arena *a, const store_score_query *query, score **out_scores, size_t *out_count,
                       int64_t *out_total);
bool store_delete_score(store *s, text id);

/* Stores scores that came in an array, all or none: one of the same id and time is replaced, and no other. */
bool store_put_scores(store *s, const score *scores, size_t count);

/* ---- Score configs ---- */

bool store_put_score_config(store *s, const score_config *c); /* replaces the one of this id */

/* False when the database failed; *out_found says whether there is such a config. */
bool store_find_score_config(store *s, arena *a, text id, score_config *out, bool *out_found);
bool store_list_score_configs(store *s, arena *a, size_t limit, size_t offset, score_config **out_list, size_t *out_count,
                              int64_t *out_total); /* newest first */

#endif
