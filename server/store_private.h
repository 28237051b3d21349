/* What the files of the storage share: the connection, and the small steps of using a statement. Values are always bound, never
 * part of the SQL text. For store*.c only. */
#ifndef LOCAL_STORE_PRIVATE_H
#define LOCAL_STORE_PRIVATE_H

#include "fold.h"
#include "store.h"

#include <pthread.h>
#include <sqlite3.h>

/* Statements that are prepared once, because each row that arrives needs them. */
typedef enum store_ready {
    STORE_PUT_ROW,
    STORE_PUT_TRACE,
    STORE_PUT_SCORE,
    STORE_FORGET_SCORE,
    STORE_PUT_EVENT,
    STORE_GET_EVENTS,
    STORE_FORGET_ROW,
    STORE_HAS_PROMPT,
    STORE_DATA_VERSION, /* another value after another connection has written */
    STORE_READY_COUNT
} store_ready;

extern const char store_put_row_sql[], store_put_trace_sql[], store_put_score_sql[];

/* A fold in memory of its own; see store_folds.c. */
typedef struct store_folded {
    arena memory;
    fold *fold;
    event_kind kind;
    text id;
    size_t counted, shrunk; /* bytes: those in the sum of all, and those after the last copy */
    struct store_folded *next, *newer, *older;
} store_folded;

typedef struct store_folds {
    store_folded **buckets, *newest, *oldest;
    size_t held;
    int64_t data_version; /* of the database that they were read from */
} store_folds;

/* Connections that only read; see store_readers.c. More than the server has threads. */
enum { STORE_READERS = 8 };

typedef struct store_readers {
    store *all, *free; /* NULL: the database has one connection only */
    pthread_mutex_t lock;
    pthread_cond_t given;
} store_readers;

struct store {
    sqlite3 *db;
    sqlite3_stmt *ready[STORE_READY_COUNT]; /* NULL when the database is only read */
    store_folds folds;
    bool read_only;
    char problem[120];    /* why the last transaction was taken back */
    pthread_mutex_t lock; /* guards all of the above */
    store_readers readers;
    store *owner, *next_reader; /* of a reader: whose it is, and the next free one */
    bool is_read;               /* between store_take_reader and store_give_reader */
    struct store_file {         /* which file the database is; 0: none */
        uint64_t device, number;
    } file;
};

/* What queries call: trace_order(trace_id) is the place of a trace among those that begin in the same millisecond. */
bool store_add_functions(sqlite3 *db);

bool store_run(store *s, const char *sql); /* statements without results */
bool store_has_failed(sqlite3 *db);
bool store_is_in_place(store *s); /* the file of the database is still the one that was opened */
void store_note_problem(store *s, sqlite3 *db); /* the reason of a failure, before another call replaces it */
bool store_set_up_reader(sqlite3 *db);
bool store_commit(store *s, bool ok); /* ends a transaction: keeps it when `ok`, else takes it back */
sqlite3_stmt *store_prepare(store *s, const char *sql); /* NULL when it cannot be prepared */
sqlite3_stmt *store_prepare_with(store *s, const char *sql, text id); /* prepares and binds the only parameter */
sqlite3_stmt *store_prepare_buf(store *s, buf *sql); /* prepares a text that is complete, and frees it */

/* Run a statement that returns no rows: one of those that are ready, which lets go of what was bound to it, and one that is used
 * once, which is finalized and may be NULL. */
bool store_run_ready(sqlite3_stmt *statement);
bool store_run_once(sqlite3_stmt *statement);

/* Runs statements with `id` for their only parameter, all of them or none. */
bool store_run_all_with(store *s, const char *const *statements, size_t count, text id);

/* Reads all rows of a statement into a new list, and finalizes the statement, which may be NULL. Where `out_total` is not NULL,
 * the last column has the number of rows that there are on all pages. */
typedef void store_reader(sqlite3_stmt *statement, int *next, arena *a, void *item);
bool store_collect(sqlite3_stmt *statement, arena *a, store_reader *read, size_t item_size, void *out_list, size_t *out_count,
                   int64_t *out_total);

/* Reads the number that is all a statement gives, and finalizes the statement, which may be NULL. */
bool store_read_number(sqlite3_stmt *statement, int64_t *out);

/* Each binds, or reads, one value, and moves on to the next. Bound texts must live until the statement is done; texts that are read
 * until it steps on. SQLite takes a statement that is NULL, and every step of it fails. */
void store_bind_text(sqlite3_stmt *statement, int *next, text t);
void store_bind_optional(sqlite3_stmt *statement, int *next, text t); /* NULL when t.at is */
void store_bind_int(sqlite3_stmt *statement, int *next, int64_t value);
text store_next_text(sqlite3_stmt *statement, int *next);
text store_next_copy(sqlite3_stmt *statement, int *next, arena *a); /* NULL when the column is */
int64_t store_next_int(sqlite3_stmt *statement, int *next);
void store_bind_all(sqlite3_stmt *statement, int *next, const text *values, size_t count);

bool store_readers_init(store *s);
bool store_readers_open(store *s); /* when the database is open */
void store_readers_done(store *s);

/* A store to read from, and the end of that. Between the two others write, and what is read stays as it was at the first reading.
 * Where there is one connection only, it is this store, and its lock is held. */
store *store_take_reader(store *s);
void store_give_reader(store *reader, bool ok);

store_folded *store_folds_find(store_folds *all, event_kind kind, text id); /* NULL: it is not here */
store_folded *store_folds_add(store_folds *all, event_kind kind, text id);  /* an empty one; NULL: out of memory */
bool store_folds_shrink(store_folded *entry);                               /* false: out of memory */
void store_folds_settle(store_folds *all, store_folded *entry); /* counts its memory, and drops the oldest ones; perhaps this one */
void store_folds_clear(store_folds *all); /* after a transaction that was taken back, and after deleting */
void store_folds_done(store_folds *all);

/* Conditions of a query: "column is one of `count` values", where tags are a list that has one of them. */
void store_put_any_of(buf *sql, const char *column, size_t count);

/* `column` names a trace of which rows or events say so; both tables are asked, so the values are bound twice. */
void store_put_trace_condition(buf *sql, const char *column, const char *of_rows, const char *of_traces, size_t count);

/* ` AND (condition)` for each of a filter, which may be NULL. For traces and scores the query around
 * calls a row `each`. */
void store_put_filter(buf *sql, const filter *f);
void store_bind_filter(sqlite3_stmt *statement, int *next, const filter *f);
const char *store_trace_column_sql(filter_column column); /* to order traces by */

/* Steps of larger transactions; the caller holds the lock. */
bool store_put_row(store *s, const observation *row);
bool store_read_rows(store *s, const store_query *query, store_visit *visit, void *context);
bool store_replace_trace(store *s, const trace_record *t);
bool store_replace_score(store *s, const score *given);
bool store_read_scores_of_trace(store *s, arena *a, text trace_id, score **out_scores, size_t *out_count);

#endif
