/* The database: opening it, its tables, and the steps of using a statement. What is in the tables has files of its own. */
#include "store_private.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A row's position in time is its start in milliseconds: the key that decides what a resend replaces, and the order of pages. */
static const char store_schema[] =
    "CREATE TABLE IF NOT EXISTS observations ("
    " trace_id TEXT NOT NULL, id TEXT NOT NULL, start_ms INTEGER NOT NULL,"
    " parent_id TEXT NOT NULL, start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL, arrived_ns INTEGER NOT NULL,"
    " type TEXT NOT NULL, name TEXT NOT NULL, level TEXT NOT NULL, status_message TEXT NOT NULL,"
    " version TEXT NOT NULL, environment TEXT NOT NULL, release TEXT NOT NULL,"
    " user_id TEXT NOT NULL, session_id TEXT NOT NULL, trace_name TEXT NOT NULL, tags TEXT NOT NULL,"
    " is_public INTEGER NOT NULL, is_app_root INTEGER NOT NULL, input TEXT, output TEXT,"
    " metadata TEXT NOT NULL, experiment TEXT NOT NULL, model TEXT NOT NULL, model_parameters TEXT NOT NULL,"
    " usage TEXT NOT NULL, cost TEXT NOT NULL, completion_start_ms INTEGER NOT NULL,"
    " prompt_name TEXT NOT NULL, prompt_version INTEGER NOT NULL,"
    " trace_input TEXT, trace_output TEXT, trace_metadata TEXT, own_metadata TEXT,"
    " model_id TEXT NOT NULL DEFAULT '', tier TEXT NOT NULL DEFAULT '',"
    " UNIQUE (trace_id, id, start_ms));"
    "CREATE INDEX IF NOT EXISTS observations_by_time ON observations (start_ms);";

/* Two scores of one id have different times: they came in arrays. */
#define STORE_SCORES_SCHEMA                                                                                               \
    "CREATE TABLE IF NOT EXISTS scores ("                                                                                 \
    " id TEXT NOT NULL, name TEXT NOT NULL, data_type TEXT NOT NULL, source TEXT NOT NULL, environment TEXT NOT NULL,"    \
    " trace_id TEXT NOT NULL, observation_id TEXT NOT NULL, session_id TEXT NOT NULL, dataset_run_id TEXT NOT NULL,"      \
    " string_value TEXT NOT NULL, metadata TEXT NOT NULL, config_id TEXT NOT NULL, queue_id TEXT NOT NULL, comment TEXT," \
    " value REAL NOT NULL, timestamp_ms INTEGER NOT NULL, created_ns INTEGER NOT NULL, updated_ns INTEGER NOT NULL,"      \
    " UNIQUE (id, timestamp_ms));"                                                                                        \
    "CREATE INDEX IF NOT EXISTS scores_by_trace ON scores (trace_id);"                                                    \
    "CREATE INDEX IF NOT EXISTS scores_by_time ON scores (timestamp_ms);"

/* Events are what traces and scores, and the observations of the batch endpoint, are folded from. */
static const char store_event_schema[] =
    "CREATE TABLE IF NOT EXISTS events ("
    " kind INTEGER NOT NULL, body_id TEXT NOT NULL, id TEXT NOT NULL, timestamp_ms INTEGER NOT NULL, is_update INTEGER NOT NULL,"
    " type TEXT NOT NULL, arrived_ns INTEGER NOT NULL, body TEXT NOT NULL, UNIQUE (kind, body_id, id, timestamp_ms));"
    "CREATE TABLE IF NOT EXISTS traces ("
    " id TEXT PRIMARY KEY, name TEXT NOT NULL, user_id TEXT NOT NULL, session_id TEXT NOT NULL, release TEXT NOT NULL,"
    " version TEXT NOT NULL, environment TEXT NOT NULL, tags TEXT NOT NULL, is_public INTEGER NOT NULL, input TEXT, output TEXT,"
    " metadata TEXT NOT NULL, timestamp_ms INTEGER NOT NULL, created_ns INTEGER NOT NULL, updated_ns INTEGER NOT "
    "NULL);" STORE_SCORES_SCHEMA;

/* Labels and tags are JSON arrays. A reference stands for a piece of the content of its parent; it is kept so that what others
 * refer to is not deleted. */
static const char store_prompt_schema[] =
    "CREATE TABLE IF NOT EXISTS prompts ("
    " id TEXT PRIMARY KEY, name TEXT NOT NULL, version INTEGER NOT NULL, type TEXT NOT NULL, content TEXT NOT NULL,"
    " config TEXT NOT NULL, commit_message TEXT, labels TEXT NOT NULL, tags TEXT NOT NULL, created_ms INTEGER NOT NULL, updated_ms "
    "INTEGER NOT NULL,"
    " UNIQUE (name, version));"
    "CREATE TABLE IF NOT EXISTS prompt_references ("
    " parent_id TEXT NOT NULL, child_name TEXT NOT NULL, wanted TEXT NOT NULL, by_version INTEGER NOT NULL);"
    "CREATE INDEX IF NOT EXISTS prompt_references_by_child ON prompt_references (child_name);";

static const char store_config_schema[] =
    "CREATE TABLE IF NOT EXISTS score_configs ("
    " id TEXT PRIMARY KEY, name TEXT NOT NULL, data_type TEXT NOT NULL, description TEXT, categories TEXT, min_value REAL,"
    " max_value REAL, is_archived INTEGER NOT NULL, created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL);"
    "PRAGMA user_version = 4;";

/* From version 1, which knew only observations. */
static const char store_upgrade[] = "ALTER TABLE observations ADD COLUMN trace_input TEXT;"
                                    "ALTER TABLE observations ADD COLUMN trace_output TEXT;"
                                    "ALTER TABLE observations ADD COLUMN trace_metadata TEXT;"
                                    "ALTER TABLE observations ADD COLUMN own_metadata TEXT;"
                                    "UPDATE observations SET own_metadata = '';";

/* From versions 1 to 3, where no row has a price. */
static const char store_price_upgrade[] = "ALTER TABLE observations ADD COLUMN model_id TEXT NOT NULL DEFAULT '';"
                                          "ALTER TABLE observations ADD COLUMN tier TEXT NOT NULL DEFAULT '';";

/* From versions 2 and 3, in which a score had its id to itself, and a table told which observations came in batches: the metadata of
 * these is no row's own. */
static const char store_event_upgrade[] =
    "ALTER TABLE observations ADD COLUMN own_metadata TEXT;"
    "UPDATE observations SET own_metadata = '' WHERE NOT EXISTS (SELECT 1 FROM ingested AS i WHERE i.id = observations.id"
    " AND i.trace_id = observations.trace_id AND i.start_ms = observations.start_ms);"
    "DROP TABLE ingested;"
    "ALTER TABLE scores RENAME TO old_scores;"
    "DROP INDEX scores_by_trace;"
    "DROP INDEX scores_by_time;" STORE_SCORES_SCHEMA "INSERT INTO scores SELECT * FROM old_scores;"
    "DROP TABLE old_scores;";

enum { STORE_SCHEMA_VERSION = 4 };

bool store_run(store *s, const char *sql)
{
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

bool store_has_failed(sqlite3 *db)
{
    int code = sqlite3_errcode(db);
    return code != SQLITE_OK && code != SQLITE_ROW && code != SQLITE_DONE;
}

void store_note_problem(store *s, sqlite3 *db)
{
    if (store_has_failed(db))
        snprintf(s->problem, sizeof s->problem, "%s", sqlite3_errmsg(db));
}

/* What is written to a file that was removed or replaced is lost with this process. */
bool store_is_in_place(store *s)
{
    struct stat now;
    const char *path = s->file.number != 0 ? sqlite3_db_filename(s->db, "main") : NULL;
    if (path == NULL || (stat(path, &now) == 0 && now.st_ino == s->file.number && now.st_dev == s->file.device))
        return true;
    snprintf(s->problem, sizeof s->problem, "the file of the database was removed or replaced; start the server again");
    return false;
}

static void store_look_at_file(store *s)
{
    struct stat now;
    const char *path = sqlite3_db_filename(s->db, "main");
    if (path != NULL && *path != '\0' && stat(path, &now) == 0)
        s->file = (struct store_file){now.st_dev, now.st_ino};
}

/* A failed statement may have ended the transaction already. */
bool store_commit(store *s, bool ok)
{
    bool in_place = !ok || store_is_in_place(s);
    if (ok && in_place && store_run(s, "COMMIT"))
        return true;
    if (in_place)
        store_note_problem(s, s->db);
    if (sqlite3_get_autocommit(s->db) == 0)
        store_run(s, "ROLLBACK");
    return false;
}

void store_problem(store *s, char *out, size_t size)
{
    pthread_mutex_lock(&s->lock);
    if (*s->problem == '\0')
        (void)store_is_in_place(s); /* another thread may have told of it before */
    snprintf(out, size, "%s",
             *s->problem != '\0'       ? s->problem
             : store_has_failed(s->db) ? sqlite3_errmsg(s->db)
                                       : "not an error of the database");
    s->problem[0] = '\0';
    pthread_mutex_unlock(&s->lock);
}

sqlite3_stmt *store_prepare(store *s, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    sqlite3_prepare_v2(s->db, sql, -1, &statement, NULL);
    return statement;
}

static int store_schema_version(store *s)
{
    int64_t version;
    return store_read_number(store_prepare(s, "PRAGMA user_version"), &version) ? (int)version : -1;
}

/* Another process may do the same at this moment, so the version is read again inside the transaction. */
static bool store_set_up_schema(store *s)
{
    if (!store_run(s, "BEGIN IMMEDIATE"))
        return store_commit(s, false);
    int version = store_schema_version(s);
    bool ok = version >= 0;
    if (version == 0)
        ok = ok && store_run(s, store_schema);
    else if (version == 1)
        ok = ok && store_run(s, store_upgrade);
    if (version < 2)
        ok = ok && store_run(s, store_event_schema);
    else if (version < 4)
        ok = ok && store_run(s, store_event_upgrade);
    if (version < 3)
        ok = ok && store_run(s, store_prompt_schema);
    if (version >= 1 && version < 4)
        ok = ok && store_run(s, store_price_upgrade);
    if (version < 4)
        ok = ok && store_run(s, store_config_schema);
    return store_commit(s, ok);
}

/* WAL with synchronous=NORMAL survives the death of the process; only a power cut may lose the last commits. Large pages and a
 * WAL of 64 MB (4000 pages) before it is folded back made bulk ingestion a fifth faster than the defaults. */
bool store_set_up_reader(sqlite3 *db)
{
    sqlite3_busy_timeout(db, 5000);
    return store_add_functions(db);
}

static bool store_set_up(store *s, bool read_only)
{
    if (!store_set_up_reader(s->db))
        return false;
    if (read_only)
        return true;
    return store_run(s, "PRAGMA page_size = 16384; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
                        "PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 4000; PRAGMA temp_store = MEMORY;") &&
           store_set_up_schema(s);
}

static bool store_prepare_ready(store *s)
{
    static const char *const texts[STORE_READY_COUNT] = {
        [STORE_PUT_ROW] = store_put_row_sql,
        [STORE_PUT_TRACE] = store_put_trace_sql,
        [STORE_PUT_SCORE] = store_put_score_sql,
        [STORE_FORGET_SCORE] = "DELETE FROM scores WHERE id = ?",
        [STORE_PUT_EVENT] = "INSERT OR IGNORE INTO events (kind, body_id, id, timestamp_ms, is_update, type, arrived_ns, body)"
                            " VALUES (?,?,?,?,?,?,?,?)",
        [STORE_GET_EVENTS] = "SELECT type, timestamp_ms, arrived_ns, rowid, body FROM events WHERE kind = ? AND body_id = ?",
        [STORE_HAS_PROMPT] = "SELECT 1 FROM prompts WHERE name = ? AND version = ?",
        [STORE_DATA_VERSION] = "PRAGMA data_version",
        [STORE_FORGET_ROW] = "DELETE FROM observations WHERE trace_id = ? AND id = ? AND start_ms = ?",
    };
    for (size_t i = 0; i < STORE_READY_COUNT; i++)
        if ((s->ready[i] = store_prepare(s, texts[i])) == NULL)
            return false;
    return true;
}

/* Traces are private to the owner of the database. SQLite gives its other files (-wal, -shm) the permissions of the database; a
 * database that exists keeps its own. */
static void store_create_for_owner_only(const char *path)
{
    int file = strcmp(path, ":memory:") == 0 || *path == '\0' ? -1 : open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file >= 0)
        close(file);
}

static bool store_init_locks(store *s)
{
    if (pthread_mutex_init(&s->lock, NULL) != 0)
        return false;
    if (store_readers_init(s))
        return true;
    pthread_mutex_destroy(&s->lock);
    return false;
}

store *store_open(const char *path, bool read_only, char *why, size_t why_size)
{
    int flags = SQLITE_OPEN_NOMUTEX | (read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    store *s = calloc(1, sizeof *s);
    if (s == NULL || !store_init_locks(s)) {
        snprintf(why, why_size, "out of memory");
        free(s);
        return NULL;
    }
    if (!read_only)
        store_create_for_owner_only(path); /* SQLite tells the reason of a failure */
    if (sqlite3_open_v2(path, &s->db, flags, NULL) != SQLITE_OK || !store_set_up(s, read_only)) {
        snprintf(why, why_size, "cannot open the database %s: %s", path, *s->problem != '\0' ? s->problem : sqlite3_errmsg(s->db));
        store_close(s);
        return NULL;
    }
    if (store_schema_version(s) != STORE_SCHEMA_VERSION) {
        snprintf(why, why_size, "%s is not a database of this version of langfuse-local", path);
        store_close(s);
        return NULL;
    }
    s->read_only = read_only;
    if (!read_only)
        store_look_at_file(s);
    if (!read_only && (!store_prepare_ready(s) || !store_readers_open(s))) {
        snprintf(why, why_size, "cannot write to the database %s: %s", path, sqlite3_errmsg(s->db));
        store_close(s);
        return NULL;
    }
    return s;
}

void store_close(store *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < STORE_READY_COUNT; i++)
        sqlite3_finalize(s->ready[i]);
    store_folds_done(&s->folds);
    store_readers_done(s);
    sqlite3_close(s->db);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* ---- Statements ---- */

sqlite3_stmt *store_prepare_with(store *s, const char *sql, text id)
{
    int next = 1;
    sqlite3_stmt *statement = store_prepare(s, sql);
    store_bind_text(statement, &next, id);
    return statement;
}

sqlite3_stmt *store_prepare_buf(store *s, buf *sql)
{
    buf_char(sql, '\0');
    sqlite3_stmt *statement = sql->failed ? NULL : store_prepare(s, sql->at);
    buf_free(sql);
    return statement;
}

bool store_run_ready(sqlite3_stmt *statement)
{
    bool ok = sqlite3_step(statement) == SQLITE_DONE;
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return ok;
}

bool store_run_once(sqlite3_stmt *statement)
{
    bool ok = sqlite3_step(statement) == SQLITE_DONE;
    sqlite3_finalize(statement);
    return ok;
}

bool store_run_all_with(store *s, const char *const *statements, size_t count, text id)
{
    pthread_mutex_lock(&s->lock);
    bool ok = store_run(s, "BEGIN IMMEDIATE");
    for (size_t i = 0; ok && i < count; i++)
        ok = store_run_once(store_prepare_with(s, statements[i], id));
    ok = store_commit(s, ok);
    store_folds_clear(&s->folds);
    pthread_mutex_unlock(&s->lock);
    return ok;
}

bool store_collect(sqlite3_stmt *statement, arena *a, store_reader *read, size_t item_size, void *out_list, size_t *out_count,
                   int64_t *out_total)
{
    int state;
    void *item;
    memcpy(out_list, &(void *){NULL}, sizeof(void *));
    *out_count = 0;
    if (out_total != NULL)
        *out_total = 0;
    while ((state = sqlite3_step(statement)) == SQLITE_ROW && (item = arena_add(a, out_list, item_size, out_count)) != NULL) {
        int next = 0;
        read(statement, &next, a, item);
        if (out_total != NULL)
            *out_total = store_next_int(statement, &next);
    }
    sqlite3_finalize(statement);
    return state == SQLITE_DONE && !a->failed;
}

bool store_read_number(sqlite3_stmt *statement, int64_t *out)
{
    bool ok = sqlite3_step(statement) == SQLITE_ROW;
    if (ok)
        *out = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return ok;
}

void store_bind_text(sqlite3_stmt *statement, int *next, text t)
{
    sqlite3_bind_text64(statement, (*next)++, t.at != NULL ? t.at : "", t.size, SQLITE_STATIC, SQLITE_UTF8);
}

void store_bind_optional(sqlite3_stmt *statement, int *next, text t)
{
    if (t.at != NULL)
        store_bind_text(statement, next, t);
    else
        sqlite3_bind_null(statement, (*next)++);
}

void store_bind_int(sqlite3_stmt *statement, int *next, int64_t value)
{
    sqlite3_bind_int64(statement, (*next)++, value);
}

void store_bind_all(sqlite3_stmt *statement, int *next, const text *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        store_bind_text(statement, next, values[i]);
}

text store_next_text(sqlite3_stmt *statement, int *next)
{
    const char *at = (const char *)sqlite3_column_text(statement, *next);
    return (text){at, (size_t)sqlite3_column_bytes(statement, (*next)++)};
}

text store_next_copy(sqlite3_stmt *statement, int *next, arena *a)
{
    text found = store_next_text(statement, next);
    return found.at != NULL ? arena_copy(a, found) : found;
}

int64_t store_next_int(sqlite3_stmt *statement, int *next)
{
    return sqlite3_column_int64(statement, (*next)++);
}

/* ---- Conditions ---- */

void store_put_any_of(buf *sql, const char *column, size_t count)
{
    bool list = strcmp(column, "tags") == 0; /* a search in its text would find the tag "a" at the end of "q\"a", too */
    buf_string(sql, list ? "EXISTS (SELECT 1 FROM json_each(tags) WHERE value" : column);
    buf_string(sql, " IN (");
    for (size_t i = 0; i < count; i++)
        buf_string(sql, i > 0 ? ",?" : "?");
    buf_string(sql, list ? "))" : ")");
}

void store_put_trace_condition(buf *sql, const char *column, const char *of_rows, const char *of_traces, size_t count)
{
    buf_format(sql, " AND %s IN (SELECT trace_id FROM observations WHERE ", column);
    store_put_any_of(sql, of_rows, count);
    buf_string(sql, " UNION SELECT id FROM traces WHERE ");
    store_put_any_of(sql, of_traces, count);
    buf_char(sql, ')');
}
