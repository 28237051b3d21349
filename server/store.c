/* Storage in SQLite; see store.h. Values are always bound, never part of the SQL text. */
#include "store.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct store {
    sqlite3 *db;
    sqlite3_stmt *insert;
    pthread_mutex_t lock; /* guards db and insert */
};

/* A row's position in time is its start in milliseconds: the key that decides what a resend replaces, and the order of pages. */
static const char schema[] =
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
    " UNIQUE (trace_id, id, start_ms));"
    "CREATE INDEX IF NOT EXISTS observations_by_time ON observations (start_ms);"
    "PRAGMA user_version = 1;";

/* Bound and read in this order by bind_row and row_of. */
#define COLUMNS                                                                                                                            \
    "trace_id, id, start_ms, parent_id, start_ns, end_ns, arrived_ns, type, name, level, status_message, version, environment, release, " \
    "user_id, session_id, trace_name, tags, is_public, is_app_root, input, output, metadata, experiment, model, model_parameters, "       \
    "usage, cost, completion_start_ms, prompt_name, prompt_version"
#define MARKS "?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?"

#define SCHEMA_VERSION 1

static bool run(store *s, const char *sql)
{
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static sqlite3_stmt *prepare(store *s, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    sqlite3_prepare_v2(s->db, sql, -1, &statement, NULL);
    return statement;
}

static int schema_version(store *s)
{
    sqlite3_stmt *statement = prepare(s, "PRAGMA user_version");
    int version = statement && sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int(statement, 0) : -1;
    sqlite3_finalize(statement);
    return version;
}

/* WAL with synchronous=NORMAL survives the death of the process; only a power cut may lose the last commits. Large pages and a WAL of
 * 64 MB (4000 pages) before it is folded back made bulk ingestion a fifth faster than the defaults. */
static bool set_up(store *s, bool read_only)
{
    sqlite3_busy_timeout(s->db, 5000);
    if (read_only)
        return true;
    return run(s, "PRAGMA page_size = 16384; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -65536;"
                  "PRAGMA wal_autocheckpoint = 4000; PRAGMA temp_store = MEMORY;") &&
           schema_version(s) >= 0 && (schema_version(s) == SCHEMA_VERSION || run(s, schema));
}

store *store_open(const char *path, bool read_only, char *why, size_t why_size)
{
    int flags = SQLITE_OPEN_NOMUTEX | (read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    store *s = calloc(1, sizeof *s);
    if (!s || pthread_mutex_init(&s->lock, NULL) != 0) {
        snprintf(why, why_size, "out of memory");
        free(s);
        return NULL;
    }
    if (sqlite3_open_v2(path, &s->db, flags, NULL) != SQLITE_OK || !set_up(s, read_only)) {
        snprintf(why, why_size, "cannot open the database %s: %s", path, sqlite3_errmsg(s->db));
        store_close(s);
        return NULL;
    }
    if (schema_version(s) != SCHEMA_VERSION) {
        snprintf(why, why_size, "%s is not a database of this version of langfuse-local", path);
        store_close(s);
        return NULL;
    }
    if (!read_only)
        s->insert = prepare(s, "INSERT OR REPLACE INTO observations (" COLUMNS ") VALUES (" MARKS ")");
    return s;
}

void store_close(store *s)
{
    if (!s)
        return;
    sqlite3_finalize(s->insert);
    sqlite3_close(s->db);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* --- writing --- */

static void bind_text(sqlite3_stmt *statement, int *next, text t)
{
    sqlite3_bind_text64(statement, (*next)++, t.at ? t.at : "", t.len, SQLITE_STATIC, SQLITE_UTF8);
}

static void bind_optional(sqlite3_stmt *statement, int *next, text t)
{
    if (t.at)
        bind_text(statement, next, t);
    else
        sqlite3_bind_null(statement, (*next)++);
}

static void bind_int(sqlite3_stmt *statement, int *next, int64_t value)
{
    sqlite3_bind_int64(statement, (*next)++, value);
}

/* A bind that fails leaves NULL, which the table refuses, so the step reports it. */
static void bind_row(sqlite3_stmt *statement, const observation *o)
{
    int next = 1;
    bind_text(statement, &next, o->trace_id);
    bind_text(statement, &next, o->id);
    bind_int(statement, &next, o->start_ns / 1000000);
    bind_text(statement, &next, o->parent_id);
    bind_int(statement, &next, o->start_ns);
    bind_int(statement, &next, o->end_ns);
    bind_int(statement, &next, o->arrived_ns);
    const text words[] = { o->type,    o->name,    o->level,      o->status_message, o->version, o->environment,
                           o->release, o->user_id, o->session_id, o->trace_name,     o->tags };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        bind_text(statement, &next, words[i]);
    bind_int(statement, &next, o->is_public);
    bind_int(statement, &next, o->is_app_root);
    bind_optional(statement, &next, o->input);
    bind_optional(statement, &next, o->output);
    const text objects[] = { o->metadata, o->experiment, o->model, o->model_parameters, o->usage, o->cost };
    for (size_t i = 0; i < sizeof objects / sizeof *objects; i++)
        bind_text(statement, &next, objects[i]);
    bind_int(statement, &next, o->completion_start_ms);
    bind_text(statement, &next, o->prompt_name);
    bind_int(statement, &next, o->prompt_version);
}

static bool put_rows(store *s, const observation *rows, size_t count)
{
    bool good = s->insert && run(s, "BEGIN IMMEDIATE");
    for (size_t i = 0; good && i < count; i++) {
        bind_row(s->insert, &rows[i]);
        good = sqlite3_step(s->insert) == SQLITE_DONE;
        sqlite3_reset(s->insert);
    }
    if (good && run(s, "COMMIT"))
        return true;
    run(s, "ROLLBACK");
    return false;
}

bool store_put(store *s, const observation *rows, size_t count)
{
    if (count == 0)
        return true;
    pthread_mutex_lock(&s->lock);
    bool good = put_rows(s, rows, count);
    if (s->insert)
        sqlite3_clear_bindings(s->insert); /* the bound texts belong to the caller */
    pthread_mutex_unlock(&s->lock);
    return good;
}

/* --- reading --- */

static const char *const column_names[STORE_COLUMN_COUNT] = {
    "trace_id", "id", "parent_id", "name", "type", "level", "environment", "version", "user_id", "session_id",
};

static void put_condition(buf *sql, const store_condition *condition)
{
    const char *column = column_names[condition->column];
    switch (condition->op) {
    case STORE_EQUALS: buf_format(sql, " AND %s = ?", column); break;
    case STORE_CONTAINS: buf_format(sql, " AND instr(%s, ?) > 0", column); break;
    case STORE_STARTS_WITH: buf_format(sql, " AND instr(%s, ?) = 1", column); break;
    case STORE_ANY_OF:
        buf_format(sql, " AND %s IN (", column);
        for (size_t i = 0; i < condition->value_count; i++)
            buf_string(sql, i ? ",?" : "?");
        buf_char(sql, ')');
        break;
    }
}

static sqlite3_stmt *prepare_query(store *s, const store_query *query)
{
    buf sql = { 0 };
    buf_string(&sql, "SELECT " COLUMNS " FROM observations WHERE start_ms >= ? AND start_ms < ?");
    for (size_t i = 0; i < query->condition_count; i++)
        put_condition(&sql, &query->conditions[i]);
    if (query->root >= 0)
        buf_string(&sql, query->root ? " AND (parent_id = '' OR is_app_root)" : " AND NOT (parent_id = '' OR is_app_root)");
    if (query->after.id.at)
        buf_string(&sql, " AND start_ms <= ? AND (start_ms, trace_id, id) < (?, ?, ?)");
    buf_string(&sql, " ORDER BY start_ms DESC, trace_id DESC, id DESC LIMIT ?");
    buf_char(&sql, 0);
    sqlite3_stmt *statement = sql.failed ? NULL : prepare(s, sql.at);
    buf_free(&sql);
    return statement;
}

static void bind_query(sqlite3_stmt *statement, const store_query *query)
{
    int next = 1;
    bind_int(statement, &next, query->from_ms);
    bind_int(statement, &next, query->to_ms);
    for (size_t i = 0; i < query->condition_count; i++)
        for (size_t j = 0; j < query->conditions[i].value_count; j++)
            bind_text(statement, &next, query->conditions[i].values[j]);
    if (query->after.id.at) {
        bind_int(statement, &next, query->after.start_ms);
        bind_int(statement, &next, query->after.start_ms);
        bind_text(statement, &next, query->after.trace_id);
        bind_text(statement, &next, query->after.id);
    }
    bind_int(statement, &next, (int64_t)query->limit);
}

static text column_text(sqlite3_stmt *statement, int *next)
{
    const char *at = (const char *)sqlite3_column_text(statement, *next);
    return (text){ at, (size_t)sqlite3_column_bytes(statement, (*next)++) };
}

static int64_t column_int(sqlite3_stmt *statement, int *next)
{
    return sqlite3_column_int64(statement, (*next)++);
}

static observation row_of(sqlite3_stmt *statement)
{
    observation o = { 0 };
    int next = 0;
    o.trace_id = column_text(statement, &next);
    o.id = column_text(statement, &next);
    next++; /* start_ms is in start_ns */
    o.parent_id = column_text(statement, &next);
    o.start_ns = column_int(statement, &next);
    o.end_ns = column_int(statement, &next);
    o.arrived_ns = column_int(statement, &next);
    text *const words[] = { &o.type,    &o.name,    &o.level,      &o.status_message, &o.version, &o.environment,
                            &o.release, &o.user_id, &o.session_id, &o.trace_name,     &o.tags };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        *words[i] = column_text(statement, &next);
    o.is_public = column_int(statement, &next) != 0;
    o.is_app_root = column_int(statement, &next) != 0;
    text *const rest[] = { &o.input, &o.output, &o.metadata, &o.experiment, &o.model, &o.model_parameters, &o.usage, &o.cost };
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++)
        *rest[i] = column_text(statement, &next);
    o.completion_start_ms = column_int(statement, &next);
    o.prompt_name = column_text(statement, &next);
    o.prompt_version = column_int(statement, &next);
    return o;
}

static bool read_rows(store *s, const store_query *query, store_visit *visit, void *context)
{
    sqlite3_stmt *statement = prepare_query(s, query);
    int state = SQLITE_ERROR;
    if (!statement)
        return false;
    bind_query(statement, query);
    while ((state = sqlite3_step(statement)) == SQLITE_ROW) {
        observation row = row_of(statement);
        visit(context, &row);
    }
    sqlite3_finalize(statement);
    return state == SQLITE_DONE;
}

bool store_read(store *s, const store_query *query, store_visit *visit, void *context)
{
    pthread_mutex_lock(&s->lock);
    bool good = read_rows(s, query, visit, context);
    pthread_mutex_unlock(&s->lock);
    return good;
}

bool store_traces(store *s, arena *a, text prefix, size_t limit, text **out_ids, size_t *out_count)
{
    size_t capacity = 0;
    int next = 1, state = SQLITE_ERROR;
    *out_ids = NULL;
    *out_count = 0;
    pthread_mutex_lock(&s->lock);
    sqlite3_stmt *statement = prepare(s, "SELECT trace_id FROM observations WHERE trace_id >= ? AND substr(trace_id, 1, length(?)) = ?"
                                         " GROUP BY trace_id ORDER BY max(start_ms) DESC LIMIT ?");
    for (int i = 0; statement && i < 3; i++)
        bind_text(statement, &next, prefix);
    if (statement)
        bind_int(statement, &next, (int64_t)limit);
    while (statement && (state = sqlite3_step(statement)) == SQLITE_ROW) {
        *out_ids = arena_grow(a, *out_ids, sizeof **out_ids, *out_count, &capacity);
        if (!*out_ids)
            break;
        next = 0;
        (*out_ids)[(*out_count)++] = arena_copy(a, column_text(statement, &next));
    }
    sqlite3_finalize(statement);
    pthread_mutex_unlock(&s->lock);
    return state == SQLITE_DONE && !a->failed;
}

bool store_count(store *s, text trace_id, int64_t *out_observations, int64_t *out_traces)
{
    int next = 1;
    pthread_mutex_lock(&s->lock);
    sqlite3_stmt *statement = prepare(s, trace_id.len ? "SELECT count(*), count(*) > 0 FROM observations WHERE trace_id = ?"
                                                      : "SELECT count(*), count(DISTINCT trace_id) FROM observations");
    if (statement && trace_id.len)
        bind_text(statement, &next, trace_id);
    bool good = statement && sqlite3_step(statement) == SQLITE_ROW;
    if (good) {
        *out_observations = sqlite3_column_int64(statement, 0);
        *out_traces = sqlite3_column_int64(statement, 1);
    }
    sqlite3_finalize(statement);
    pthread_mutex_unlock(&s->lock);
    return good;
}
