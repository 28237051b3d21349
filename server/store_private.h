/* What the files of the storage share: the connection, and the small steps of using a statement. For store*.c only. */
#ifndef LOCAL_STORE_PRIVATE_H
#define LOCAL_STORE_PRIVATE_H

#include "store.h"

#include <pthread.h>
#include <sqlite3.h>

struct store {
    sqlite3 *db;
    sqlite3_stmt *insert;
    struct batch_statements {
        sqlite3_stmt *put_event, *get_events, *where, *remember, *forget, *put_trace, *put_score;
    } batch;              /* for events; prepared by the first batch */
    pthread_mutex_t lock; /* guards all of the above */
};

bool store_run(store *s, const char *sql);                      /* statements without results */
sqlite3_stmt *store_prepare(store *s, const char *sql);         /* NULL when it cannot be prepared */

/* Each binds, or reads, one value, and moves on to the next. Bound texts must live until the statement is done; texts that are read
 * until it steps on. */
void bind_text(sqlite3_stmt *statement, int *next, text t);
void bind_optional(sqlite3_stmt *statement, int *next, text t); /* NULL when t.at is */
void bind_int(sqlite3_stmt *statement, int *next, int64_t value);
text column_text(sqlite3_stmt *statement, int *next);
int64_t column_int(sqlite3_stmt *statement, int *next);

#endif
