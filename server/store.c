/* Storage in SQLite; see store.h. Prompts have a file of their own. Values are always bound, never part of the SQL text. */
#include "store_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    " trace_input TEXT, trace_output TEXT, trace_metadata TEXT,"
    " UNIQUE (trace_id, id, start_ms));"
    "CREATE INDEX IF NOT EXISTS observations_by_time ON observations (start_ms);";

/* Events are what traces and scores, and the observations of the batch endpoint, are folded from. `ingested` says where the row of
 * such an observation is: its id alone must find it, and an index on the ids of all observations would slow the other endpoint down. */
static const char event_schema[] =
    "CREATE TABLE IF NOT EXISTS events ("
    " kind INTEGER NOT NULL, body_id TEXT NOT NULL, id TEXT NOT NULL, timestamp_ms INTEGER NOT NULL, is_update INTEGER NOT NULL,"
    " type TEXT NOT NULL, arrived_ns INTEGER NOT NULL, body TEXT NOT NULL, UNIQUE (kind, body_id, id, timestamp_ms));"
    "CREATE TABLE IF NOT EXISTS ingested (id TEXT PRIMARY KEY, trace_id TEXT NOT NULL, start_ms INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS ingested_by_trace ON ingested (trace_id);"
    "CREATE TABLE IF NOT EXISTS traces ("
    " id TEXT PRIMARY KEY, name TEXT NOT NULL, user_id TEXT NOT NULL, session_id TEXT NOT NULL, release TEXT NOT NULL,"
    " version TEXT NOT NULL, environment TEXT NOT NULL, tags TEXT NOT NULL, is_public INTEGER NOT NULL, input TEXT, output TEXT,"
    " metadata TEXT NOT NULL, timestamp_ms INTEGER NOT NULL, created_ns INTEGER NOT NULL, updated_ns INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS scores ("
    " id TEXT PRIMARY KEY, name TEXT NOT NULL, data_type TEXT NOT NULL, source TEXT NOT NULL, environment TEXT NOT NULL,"
    " trace_id TEXT NOT NULL, observation_id TEXT NOT NULL, session_id TEXT NOT NULL, dataset_run_id TEXT NOT NULL,"
    " string_value TEXT NOT NULL, metadata TEXT NOT NULL, config_id TEXT NOT NULL, queue_id TEXT NOT NULL, comment TEXT,"
    " value REAL NOT NULL, timestamp_ms INTEGER NOT NULL, created_ns INTEGER NOT NULL, updated_ns INTEGER NOT NULL);"
    "CREATE INDEX IF NOT EXISTS scores_by_trace ON scores (trace_id);"
    "CREATE INDEX IF NOT EXISTS scores_by_time ON scores (timestamp_ms);";

/* Labels and tags are JSON arrays. A reference stands for a piece of the content of its parent; it is kept so that what others refer to
 * is not deleted. */
static const char prompt_schema[] =
    "CREATE TABLE IF NOT EXISTS prompts ("
    " id TEXT PRIMARY KEY, name TEXT NOT NULL, version INTEGER NOT NULL, type TEXT NOT NULL, content TEXT NOT NULL, config TEXT NOT NULL,"
    " commit_message TEXT, labels TEXT NOT NULL, tags TEXT NOT NULL, created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL,"
    " UNIQUE (name, version));"
    "CREATE TABLE IF NOT EXISTS prompt_references ("
    " parent_id TEXT NOT NULL, child_name TEXT NOT NULL, wanted TEXT NOT NULL, by_version INTEGER NOT NULL);"
    "CREATE INDEX IF NOT EXISTS prompt_references_by_child ON prompt_references (child_name);"
    "PRAGMA user_version = 3;";

/* From version 1, which knew only observations. */
static const char upgrade[] = "ALTER TABLE observations ADD COLUMN trace_input TEXT;"
                              "ALTER TABLE observations ADD COLUMN trace_output TEXT;"
                              "ALTER TABLE observations ADD COLUMN trace_metadata TEXT;";

/* Bound and read in this order by bind_row and row_of. */
#define COLUMNS                                                                                                                            \
    "trace_id, id, start_ms, parent_id, start_ns, end_ns, arrived_ns, type, name, level, status_message, version, environment, release, " \
    "user_id, session_id, trace_name, tags, is_public, is_app_root, input, output, metadata, experiment, model, model_parameters, "       \
    "usage, cost, completion_start_ms, prompt_name, prompt_version, trace_input, trace_output, trace_metadata"
#define MARKS "?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?"

#define TRACE_COLUMNS                                                                                                              \
    "id, name, user_id, session_id, release, version, environment, tags, metadata, is_public, input, output, timestamp_ms, "       \
    "created_ns, updated_ns"
#define TRACE_MARKS "?,?,?,?,?,?,?,?,?,?,?,?,?,?,?"

#define SCORE_COLUMNS                                                                                                              \
    "id, name, data_type, source, environment, trace_id, observation_id, session_id, dataset_run_id, string_value, metadata, "     \
    "config_id, queue_id, comment, value, timestamp_ms, created_ns, updated_ns"
#define SCORE_MARKS "?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?"

#define SCHEMA_VERSION 3

bool store_run(store *s, const char *sql)
{
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

sqlite3_stmt *store_prepare(store *s, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    sqlite3_prepare_v2(s->db, sql, -1, &statement, NULL);
    return statement;
}

static int schema_version(store *s)
{
    sqlite3_stmt *statement = store_prepare(s, "PRAGMA user_version");
    int version = statement && sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int(statement, 0) : -1;
    sqlite3_finalize(statement);
    return version;
}

/* Another process may do the same at this moment, so the version is read again inside the transaction. */
static bool set_up_schema(store *s)
{
    bool good = schema_version(s) >= 0 && store_run(s, "BEGIN IMMEDIATE");
    int version = schema_version(s);
    if (version == 0)
        good = good && store_run(s, schema);
    else if (version == 1)
        good = good && store_run(s, upgrade);
    if (version < 2)
        good = good && store_run(s, event_schema);
    if (version < 3)
        good = good && store_run(s, prompt_schema);
    if (good && store_run(s, "COMMIT"))
        return true;
    store_run(s, "ROLLBACK");
    return false;
}

/* WAL with synchronous=NORMAL survives the death of the process; only a power cut may lose the last commits. Large pages and a WAL of
 * 64 MB (4000 pages) before it is folded back made bulk ingestion a fifth faster than the defaults. */
static bool set_up(store *s, bool read_only)
{
    sqlite3_busy_timeout(s->db, 5000);
    if (read_only)
        return true;
    return store_run(s, "PRAGMA page_size = 16384; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -65536;"
                  "PRAGMA wal_autocheckpoint = 4000; PRAGMA temp_store = MEMORY;") &&
           set_up_schema(s);
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
        s->insert = store_prepare(s, "INSERT OR REPLACE INTO observations (" COLUMNS ") VALUES (" MARKS ")");
    return s;
}

void store_close(store *s)
{
    if (!s)
        return;
    sqlite3_stmt *const of_batches[] = { s->batch.put_event, s->batch.get_events, s->batch.where, s->batch.remember,
                                         s->batch.forget,    s->batch.put_trace,  s->batch.put_score };
    for (size_t i = 0; i < sizeof of_batches / sizeof *of_batches; i++)
        sqlite3_finalize(of_batches[i]);
    sqlite3_finalize(s->insert);
    sqlite3_close(s->db);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* --- writing --- */

void bind_text(sqlite3_stmt *statement, int *next, text t)
{
    sqlite3_bind_text64(statement, (*next)++, t.at ? t.at : "", t.len, SQLITE_STATIC, SQLITE_UTF8);
}

void bind_optional(sqlite3_stmt *statement, int *next, text t)
{
    if (t.at)
        bind_text(statement, next, t);
    else
        sqlite3_bind_null(statement, (*next)++);
}

void bind_int(sqlite3_stmt *statement, int *next, int64_t value)
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
    bind_optional(statement, &next, o->trace_input);
    bind_optional(statement, &next, o->trace_output);
    bind_optional(statement, &next, o->trace_metadata);
}

static bool put_row(store *s, const observation *row)
{
    bind_row(s->insert, row);
    bool good = sqlite3_step(s->insert) == SQLITE_DONE;
    sqlite3_reset(s->insert);
    return good;
}

static bool put_rows(store *s, const observation *rows, size_t count)
{
    bool good = s->insert && store_run(s, "BEGIN IMMEDIATE");
    for (size_t i = 0; good && i < count; i++)
        good = put_row(s, &rows[i]);
    if (good && store_run(s, "COMMIT"))
        return true;
    store_run(s, "ROLLBACK");
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

static void put_conditions(buf *sql, const store_query *query)
{
    buf_string(sql, " FROM observations WHERE start_ms >= ? AND start_ms < ?");
    for (size_t i = 0; i < query->condition_count; i++)
        put_condition(sql, &query->conditions[i]);
    if (query->root >= 0)
        buf_string(sql, query->root ? " AND (parent_id = '' OR is_app_root)" : " AND NOT (parent_id = '' OR is_app_root)");
}

/* The statement for a text that is complete; frees it. */
static sqlite3_stmt *prepare_buf(store *s, buf *sql)
{
    buf_char(sql, 0);
    sqlite3_stmt *statement = sql->failed ? NULL : store_prepare(s, sql->at);
    buf_free(sql);
    return statement;
}

static sqlite3_stmt *prepare_query(store *s, const store_query *query)
{
    buf sql = { 0 };
    buf_string(&sql, "SELECT " COLUMNS);
    put_conditions(&sql, query);
    if (query->after.id.at)
        buf_string(&sql, " AND start_ms <= ? AND (start_ms, trace_id, id) < (?, ?, ?)");
    buf_string(&sql, " ORDER BY start_ms DESC, trace_id DESC, id DESC LIMIT ?");
    return prepare_buf(s, &sql);
}

static void bind_conditions(sqlite3_stmt *statement, int *next, const store_query *query)
{
    bind_int(statement, next, query->from_ms);
    bind_int(statement, next, query->to_ms);
    for (size_t i = 0; i < query->condition_count; i++)
        for (size_t j = 0; j < query->conditions[i].value_count; j++)
            bind_text(statement, next, query->conditions[i].values[j]);
}

static void bind_query(sqlite3_stmt *statement, const store_query *query)
{
    int next = 1;
    bind_conditions(statement, &next, query);
    if (query->after.id.at) {
        bind_int(statement, &next, query->after.start_ms);
        bind_int(statement, &next, query->after.start_ms);
        bind_text(statement, &next, query->after.trace_id);
        bind_text(statement, &next, query->after.id);
    }
    bind_int(statement, &next, (int64_t)query->limit);
}

text column_text(sqlite3_stmt *statement, int *next)
{
    const char *at = (const char *)sqlite3_column_text(statement, *next);
    return (text){ at, (size_t)sqlite3_column_bytes(statement, (*next)++) };
}

int64_t column_int(sqlite3_stmt *statement, int *next)
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
    o.trace_input = column_text(statement, &next);
    o.trace_output = column_text(statement, &next);
    o.trace_metadata = column_text(statement, &next);
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

bool store_count_rows(store *s, const store_query *query, int64_t *out_count)
{
    buf sql = { 0 };
    int next = 1;
    buf_string(&sql, "SELECT count(*)");
    put_conditions(&sql, query);
    pthread_mutex_lock(&s->lock);
    sqlite3_stmt *statement = prepare_buf(s, &sql);
    if (statement)
        bind_conditions(statement, &next, query);
    bool good = statement && sqlite3_step(statement) == SQLITE_ROW;
    if (good)
        *out_count = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
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
    sqlite3_stmt *statement =
        store_prepare(s, "SELECT trace_id FROM"
                   " (SELECT trace_id, max(start_ms) AS newest FROM observations"
                   "  WHERE trace_id >= ?1 AND substr(trace_id, 1, length(?1)) = ?1 GROUP BY trace_id"
                   "  UNION ALL SELECT id, timestamp_ms FROM traces WHERE id >= ?1 AND substr(id, 1, length(?1)) = ?1)"
                   " GROUP BY trace_id ORDER BY max(newest) DESC LIMIT ?2");
    if (statement)
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
    sqlite3_stmt *statement =
        store_prepare(s, trace_id.len ? "SELECT count(*), count(*) > 0 OR EXISTS (SELECT 1 FROM traces WHERE id = ?1) FROM observations"
                                  " WHERE trace_id = ?1"
                                : "SELECT count(*), count(DISTINCT trace_id) + (SELECT count(*) FROM traces WHERE NOT EXISTS"
                                  " (SELECT 1 FROM observations AS o WHERE o.trace_id = traces.id)) FROM observations");
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

/* --- events --- */

static bool prepare_batch(store *s)
{
    struct batch_statements *b = &s->batch;
    if (b->put_score)
        return true;
    b->put_event = store_prepare(s, "INSERT OR IGNORE INTO events (kind, body_id, id, timestamp_ms, is_update, type, arrived_ns, body)"
                              " VALUES (?,?,?,?,?,?,?,?)");
    b->get_events = store_prepare(s, "SELECT type, timestamp_ms, arrived_ns, body FROM events WHERE kind = ? AND body_id = ?"
                               " ORDER BY timestamp_ms, is_update, rowid");
    b->where = store_prepare(s, "SELECT trace_id, start_ms FROM ingested WHERE id = ?");
    b->remember = store_prepare(s, "INSERT OR REPLACE INTO ingested (id, trace_id, start_ms) VALUES (?,?,?)");
    b->forget = store_prepare(s, "DELETE FROM observations WHERE trace_id = ? AND id = ? AND start_ms = ?");
    b->put_trace = store_prepare(s, "INSERT OR REPLACE INTO traces (" TRACE_COLUMNS ") VALUES (" TRACE_MARKS ")");
    b->put_score = store_prepare(s, "INSERT OR REPLACE INTO scores (" SCORE_COLUMNS ") VALUES (" SCORE_MARKS ")");
    return b->put_event && b->get_events && b->where && b->remember && b->forget && b->put_trace && b->put_score;
}

/* Runs a statement that returns no rows, and lets go of what was bound to it. */
static bool finish(sqlite3_stmt *statement)
{
    bool good = sqlite3_step(statement) == SQLITE_DONE;
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return good;
}

static bool put_event(store *s, const event *e)
{
    int next = 1;
    buf body = { 0 };
    json_write(&body, e->body);
    bind_int(s->batch.put_event, &next, e->type->kind);
    bind_text(s->batch.put_event, &next, e->body_id);
    bind_text(s->batch.put_event, &next, e->id);
    bind_int(s->batch.put_event, &next, e->timestamp_ms);
    bind_int(s->batch.put_event, &next, e->type->update);
    bind_text(s->batch.put_event, &next, text_of(e->type->name));
    bind_int(s->batch.put_event, &next, e->arrived_ns);
    bind_text(s->batch.put_event, &next, buf_view(&body));
    bool good = !body.failed && finish(s->batch.put_event);
    buf_free(&body);
    return good;
}

/* All events of one id, in the order in which they count. */
static event *get_events(store *s, arena *a, event_kind kind, text body_id, size_t *out_count)
{
    sqlite3_stmt *statement = s->batch.get_events;
    size_t capacity = 0;
    event *events = NULL, *grown;
    int next = 1;
    *out_count = 0;
    bind_int(statement, &next, kind);
    bind_text(statement, &next, body_id);
    while (sqlite3_step(statement) == SQLITE_ROW && (grown = arena_grow(a, events, sizeof *events, *out_count, &capacity))) {
        event e = { .body_id = body_id };
        next = 0;
        events = grown;
        e.type = event_type_of(column_text(statement, &next));
        e.timestamp_ms = column_int(statement, &next);
        e.arrived_ns = column_int(statement, &next);
        e.body = json_parse(a, arena_copy(a, column_text(statement, &next)));
        if (e.type)
            events[(*out_count)++] = e;
    }
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return a->failed ? NULL : events;
}

/* Takes the old row away, which may stand under another trace or start. */
static bool forget_observation(store *s, text id)
{
    int next = 1;
    bool good = true;
    bind_text(s->batch.where, &next, id);
    if (sqlite3_step(s->batch.where) == SQLITE_ROW) {
        int column = 0;
        next = 1;
        text trace_id = column_text(s->batch.where, &column);
        bind_text(s->batch.forget, &next, trace_id);
        bind_text(s->batch.forget, &next, id);
        bind_int(s->batch.forget, &next, column_int(s->batch.where, &column));
        good = finish(s->batch.forget);
    }
    sqlite3_reset(s->batch.where);
    sqlite3_clear_bindings(s->batch.where);
    return good;
}

static bool replace_observation(store *s, const observation *row)
{
    int next = 1;
    if (!forget_observation(s, row->id) || !put_row(s, row))
        return false;
    bind_text(s->batch.remember, &next, row->id);
    bind_text(s->batch.remember, &next, row->trace_id);
    bind_int(s->batch.remember, &next, row->start_ns / 1000000);
    return finish(s->batch.remember);
}

static bool replace_trace(store *s, const trace_record *t)
{
    sqlite3_stmt *statement = s->batch.put_trace;
    int next = 1;
    const text words[] = { t->id,      t->name,        t->user_id, t->session_id, t->release,
                           t->version, t->environment, t->tags,    t->metadata };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        bind_text(statement, &next, words[i]);
    bind_int(statement, &next, t->is_public);
    bind_optional(statement, &next, t->input);
    bind_optional(statement, &next, t->output);
    bind_int(statement, &next, t->timestamp_ms);
    bind_int(statement, &next, t->created_ns);
    bind_int(statement, &next, t->updated_ns);
    return finish(statement);
}

static bool replace_score(store *s, const score *given)
{
    sqlite3_stmt *statement = s->batch.put_score;
    int next = 1;
    const text words[] = { given->id,       given->name,           given->data_type,  given->source,         given->environment,
                           given->trace_id, given->observation_id, given->session_id, given->dataset_run_id, given->string_value,
                           given->metadata, given->config_id,      given->queue_id };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        bind_text(statement, &next, words[i]);
    bind_optional(statement, &next, given->comment);
    sqlite3_bind_double(statement, next++, given->value);
    bind_int(statement, &next, given->timestamp_ms);
    bind_int(statement, &next, given->created_ns);
    bind_int(statement, &next, given->updated_ns);
    return finish(statement);
}

static bool fold_again(store *s, event_kind kind, text body_id)
{
    arena memory = { 0 };
    size_t count;
    const event *events = get_events(s, &memory, kind, body_id, &count);
    bool good = events && count > 0;
    if (good && kind == EVENT_OBSERVATION) {
        observation row = event_fold_observation(&memory, events, count);
        good = !memory.failed && replace_observation(s, &row);
    } else if (good && kind == EVENT_TRACE) {
        trace_record record = event_fold_trace(&memory, events, count);
        good = !memory.failed && replace_trace(s, &record);
    } else if (good && kind == EVENT_SCORE) {
        score given = event_fold_score(&memory, events, count);
        good = !memory.failed && replace_score(s, &given);
    }
    if (s->insert)
        sqlite3_clear_bindings(s->insert);
    arena_free(&memory);
    return good;
}

static int by_row(const void *left, const void *right)
{
    const event *a = *(const event *const *)left, *b = *(const event *const *)right;
    int order = text_order(a->body_id, b->body_id);
    return order ? order : (int)a->type->kind - (int)b->type->kind;
}

/* Each id once, however many of its events are in the batch. */
static bool put_events(store *s, const event **order, size_t count)
{
    bool good = s->insert && prepare_batch(s) && store_run(s, "BEGIN IMMEDIATE");
    for (size_t i = 0; good && i < count; i++)
        good = put_event(s, order[i]);
    qsort(order, count, sizeof *order, by_row);
    for (size_t i = 0; good && i < count; i++)
        if (i == 0 || by_row(&order[i - 1], &order[i]) != 0)
            good = fold_again(s, order[i]->type->kind, order[i]->body_id);
    if (good && store_run(s, "COMMIT"))
        return true;
    store_run(s, "ROLLBACK");
    return false;
}

bool store_put_events(store *s, arena *memory, const event *events, size_t count)
{
    size_t kept = 0;
    const event **order = arena_take(memory, count * sizeof *order + 1);
    for (size_t i = 0; order && i < count; i++)
        if (events[i].body_id.len > 0)
            order[kept++] = &events[i];
    if (!order || kept == 0)
        return order != NULL;
    pthread_mutex_lock(&s->lock);
    bool good = put_events(s, order, kept);
    pthread_mutex_unlock(&s->lock);
    return good;
}

/* --- traces as a whole --- */

static trace_record record_of(sqlite3_stmt *statement)
{
    trace_record t = { 0 };
    int next = 0;
    text *const words[] = { &t.id,      &t.name,        &t.user_id, &t.session_id, &t.release,
                            &t.version, &t.environment, &t.tags,    &t.metadata };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        *words[i] = column_text(statement, &next);
    t.is_public = (int)column_int(statement, &next);
    t.input = column_text(statement, &next);
    t.output = column_text(statement, &next);
    t.timestamp_ms = column_int(statement, &next);
    t.created_ns = column_int(statement, &next);
    t.updated_ns = column_int(statement, &next);
    return t;
}

static score score_of(sqlite3_stmt *statement)
{
    score found = { 0 };
    int next = 0;
    text *const words[] = { &found.id,       &found.name,           &found.data_type,  &found.source,         &found.environment,
                            &found.trace_id, &found.observation_id, &found.session_id, &found.dataset_run_id, &found.string_value,
                            &found.metadata, &found.config_id,      &found.queue_id,   &found.comment };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        *words[i] = column_text(statement, &next);
    found.value = sqlite3_column_double(statement, next++);
    found.timestamp_ms = column_int(statement, &next);
    found.created_ns = column_int(statement, &next);
    found.updated_ns = column_int(statement, &next);
    return found;
}

typedef struct kept_rows {
    arena *arena;
    trace_data *into;
    size_t capacity;
} kept_rows;

static void keep_row(void *context, const observation *row)
{
    kept_rows *kept = context;
    trace_data *into = kept->into;
    observation *grown = arena_grow(kept->arena, into->rows, sizeof *grown, into->row_count, &kept->capacity);
    if (!grown)
        return;
    into->rows = grown;
    into->rows[into->row_count++] = trace_keep(kept->arena, row);
}

static bool load_record(store *s, arena *a, text id, trace_data *out)
{
    sqlite3_stmt *statement = store_prepare(s, "SELECT " TRACE_COLUMNS " FROM traces WHERE id = ?");
    int next = 1, state = SQLITE_ERROR;
    if (statement)
        bind_text(statement, &next, id);
    if (statement && (state = sqlite3_step(statement)) == SQLITE_ROW) {
        trace_record record = record_of(statement);
        out->record = trace_record_keep(a, &record);
        out->has_record = true;
    }
    sqlite3_finalize(statement);
    return state == SQLITE_ROW || state == SQLITE_DONE;
}

/* The statement gives rows of SCORE_COLUMNS. It is finalized. */
static bool read_scores(arena *a, sqlite3_stmt *statement, score **out_scores, size_t *out_count)
{
    size_t capacity = 0;
    int state = SQLITE_ERROR;
    *out_scores = NULL;
    *out_count = 0;
    while (statement && (state = sqlite3_step(statement)) == SQLITE_ROW) {
        score row = score_of(statement), *grown = arena_grow(a, *out_scores, sizeof *grown, *out_count, &capacity);
        if (!grown)
            break;
        *out_scores = grown;
        grown[(*out_count)++] = score_keep(a, &row);
    }
    sqlite3_finalize(statement);
    return state == SQLITE_DONE && !a->failed;
}

bool store_load_trace(store *s, arena *a, text id, trace_data *out)
{
    kept_rows kept = { .arena = a, .into = out };
    store_query query = STORE_QUERY_ALL;
    *out = (trace_data){ .id = id };
    query.conditions[query.condition_count++] = (store_condition){ STORE_TRACE_ID, STORE_EQUALS, &id, 1 };
    pthread_mutex_lock(&s->lock);
    bool good = read_rows(s, &query, keep_row, &kept) && load_record(s, a, id, out);
    if (good) {
        int next = 1;
        sqlite3_stmt *statement = store_prepare(s, "SELECT " SCORE_COLUMNS " FROM scores WHERE trace_id = ? ORDER BY timestamp_ms DESC, id DESC");
        if (statement)
            bind_text(statement, &next, id);
        good = read_scores(a, statement, &out->scores, &out->score_count);
    }
    pthread_mutex_unlock(&s->lock);
    return good && !a->failed;
}

/* Runs one statement with `id` for its only parameter. */
static bool run_with(store *s, const char *sql, text id)
{
    int next = 1;
    sqlite3_stmt *statement = store_prepare(s, sql);
    if (statement)
        bind_text(statement, &next, id);
    bool good = statement && sqlite3_step(statement) == SQLITE_DONE;
    sqlite3_finalize(statement);
    return good;
}

static bool run_all_with(store *s, const char *const *statements, size_t count, text id)
{
    pthread_mutex_lock(&s->lock);
    bool good = store_run(s, "BEGIN IMMEDIATE");
    for (size_t i = 0; good && i < count; i++)
        good = run_with(s, statements[i], id);
    good = good && store_run(s, "COMMIT");
    if (!good)
        store_run(s, "ROLLBACK");
    pthread_mutex_unlock(&s->lock);
    return good;
}

/* The numbers are those of event_kind: the schema stores them. */
_Static_assert(EVENT_TRACE == 0 && EVENT_OBSERVATION == 1 && EVENT_SCORE == 2, "the statements below say so");

bool store_delete_trace(store *s, text id)
{
    static const char *const statements[] = {
        "DELETE FROM events WHERE kind = 1 AND body_id IN (SELECT id FROM ingested WHERE trace_id = ?)",
        "DELETE FROM events WHERE kind = 2 AND body_id IN (SELECT id FROM scores WHERE trace_id = ?)",
        "DELETE FROM events WHERE kind = 0 AND body_id = ?",
        "DELETE FROM ingested WHERE trace_id = ?",
        "DELETE FROM observations WHERE trace_id = ?",
        "DELETE FROM scores WHERE trace_id = ?",
        "DELETE FROM traces WHERE id = ?",
    };
    return run_all_with(s, statements, sizeof statements / sizeof *statements, id);
}

bool store_delete_score(store *s, text id)
{
    static const char *const statements[] = { "DELETE FROM events WHERE kind = 2 AND body_id = ?", "DELETE FROM scores WHERE id = ?" };
    return run_all_with(s, statements, sizeof statements / sizeof *statements, id);
}

/* --- finding --- */

static void put_marks(buf *sql, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_string(sql, i ? ",?" : "?");
}

/* `column` is one of the given values, or, for tags, a list with one of them. */
static void put_any_of(buf *sql, const char *column, size_t count)
{
    if (strcmp(column, "tags") != 0) {
        buf_format(sql, "%s IN (", column);
        put_marks(sql, count);
    } else {
        buf_char(sql, '(');
        for (size_t i = 0; i < count; i++)
            buf_string(sql, i ? " OR instr(tags, ?) > 0" : "instr(tags, ?) > 0");
    }
    buf_char(sql, ')');
}

/* `column` names the trace; both tables are asked, so the values are bound twice. */
static void put_trace_condition(buf *sql, const char *column, const char *of_rows, const char *of_traces, size_t count)
{
    buf_format(sql, " AND %s IN (SELECT trace_id FROM observations WHERE ", column);
    put_any_of(sql, of_rows, count);
    buf_string(sql, " UNION SELECT id FROM traces WHERE ");
    put_any_of(sql, of_traces, count);
    buf_char(sql, ')');
}

static void bind_all(sqlite3_stmt *statement, int *next, const text *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        bind_text(statement, next, values[i]);
}

static const struct {
    const char *of_rows, *of_traces;
} trace_columns[TRACE_COLUMN_COUNT] = {
    [TRACE_USER] = { "user_id", "user_id" },         [TRACE_NAME] = { "trace_name", "name" },
    [TRACE_SESSION] = { "session_id", "session_id" }, [TRACE_VERSION] = { "version", "version" },
    [TRACE_RELEASE] = { "release", "release" },      [TRACE_ENVIRONMENT] = { "environment", "environment" },
    [TRACE_TAG] = { "tags", "tags" },
};

static sqlite3_stmt *prepare_traces(store *s, const trace_query *query)
{
    buf sql = { 0 };
    buf_string(&sql, "SELECT trace_id, count(*) OVER () FROM"
                     " (SELECT trace_id, min(start_ms) AS oldest FROM observations GROUP BY trace_id"
                     "  UNION ALL SELECT id, timestamp_ms FROM traces) WHERE 1");
    for (size_t i = 0; i < query->condition_count; i++) {
        const trace_condition *c = &query->conditions[i];
        put_trace_condition(&sql, "trace_id", trace_columns[c->column].of_rows, trace_columns[c->column].of_traces, c->value_count);
    }
    buf_format(&sql, " GROUP BY trace_id HAVING min(oldest) >= ? AND min(oldest) < ? ORDER BY min(oldest) %s, trace_id LIMIT ? OFFSET ?",
               query->oldest_first ? "ASC" : "DESC");
    return prepare_buf(s, &sql);
}

bool store_find_traces(store *s, arena *a, const trace_query *query, text **out_ids, size_t *out_count, int64_t *out_total)
{
    size_t capacity = 0;
    int next = 1, state = SQLITE_ERROR;
    *out_ids = NULL;
    *out_count = 0;
    *out_total = 0;
    pthread_mutex_lock(&s->lock);
    sqlite3_stmt *statement = prepare_traces(s, query);
    for (size_t i = 0; statement && i < query->condition_count; i++)
        for (int twice = 0; twice < 2; twice++)
            bind_all(statement, &next, query->conditions[i].values, query->conditions[i].value_count);
    const int64_t numbers[] = { query->from_ms, query->to_ms, (int64_t)query->limit, (int64_t)query->offset };
    for (size_t i = 0; statement && i < 4; i++)
        bind_int(statement, &next, numbers[i]);
    while (statement && (state = sqlite3_step(statement)) == SQLITE_ROW) {
        text *grown = arena_grow(a, *out_ids, sizeof *grown, *out_count, &capacity);
        if (!grown)
            break;
        next = 0;
        *out_ids = grown;
        grown[(*out_count)++] = arena_copy(a, column_text(statement, &next));
        *out_total = column_int(statement, &next);
    }
    sqlite3_finalize(statement);
    pthread_mutex_unlock(&s->lock);
    if (state == SQLITE_DONE && *out_count == 0 && query->offset > 0) { /* behind the last page; the total is wanted all the same */
        trace_query first = *query;
        first.offset = 0;
        bool good = store_find_traces(s, a, &first, out_ids, out_count, out_total);
        *out_count = 0;
        return good;
    }
    return state == SQLITE_DONE && !a->failed;
}

static sqlite3_stmt *prepare_sessions(store *s, const session_query *query)
{
    buf sql = { 0 };
    buf_string(&sql, "SELECT session_id, environment, min(first_ms), count(*) OVER () FROM"
                     " (SELECT session_id, environment, start_ms AS first_ms FROM observations WHERE session_id != ''"
                     "  UNION ALL SELECT session_id, environment, timestamp_ms FROM traces WHERE session_id != '') WHERE 1");
    if (query->id.len)
        buf_string(&sql, " AND session_id = ?");
    if (query->environment_count) {
        buf_string(&sql, " AND environment IN (");
        put_marks(&sql, query->environment_count);
        buf_char(&sql, ')');
    }
    buf_string(&sql, " GROUP BY session_id HAVING min(first_ms) >= ? AND min(first_ms) < ?"
                     " ORDER BY min(first_ms) DESC, session_id LIMIT ? OFFSET ?");
    return prepare_buf(s, &sql);
}

bool store_find_sessions(store *s, arena *a, const session_query *query, session_row **out_rows, size_t *out_count, int64_t *out_total)
{
    size_t capacity = 0;
    int next = 1, state = SQLITE_ERROR;
    *out_rows = NULL;
    *out_count = 0;
    *out_total = 0;
    pthread_mutex_lock(&s->lock);
    sqlite3_stmt *statement = prepare_sessions(s, query);
    if (statement && query->id.len)
        bind_text(statement, &next, query->id);
    if (statement)
        bind_all(statement, &next, query->environments, query->environment_count);
    const int64_t numbers[] = { query->from_ms, query->to_ms, (int64_t)query->limit, (int64_t)query->offset };
    for (size_t i = 0; statement && i < 4; i++)
        bind_int(statement, &next, numbers[i]);
    while (statement && (state = sqlite3_step(statement)) == SQLITE_ROW) {
        session_row *grown = arena_grow(a, *out_rows, sizeof *grown, *out_count, &capacity);
        if (!grown)
            break;
        next = 0;
        *out_rows = grown;
        grown += (*out_count)++;
        grown->id = arena_copy(a, column_text(statement, &next));
        grown->environment = arena_copy(a, column_text(statement, &next));
        grown->created_ms = column_int(statement, &next);
        *out_total = column_int(statement, &next);
    }
    sqlite3_finalize(statement);
    pthread_mutex_unlock(&s->lock);
    if (state == SQLITE_DONE && *out_count == 0 && query->offset > 0) {
        session_query first = *query;
        first.offset = 0;
        bool good = store_find_sessions(s, a, &first, out_rows, out_count, out_total);
        *out_count = 0;
        return good;
    }
    return state == SQLITE_DONE && !a->failed;
}

static const char *const score_columns[SCORE_COLUMN_COUNT] = {
    "id",     "name",        "trace_id",  "observation_id", "session_id",   "dataset_run_id", "source", "data_type",
    "environment", "config_id", "queue_id", "string_value", NULL,          NULL,
};

static void put_score_conditions(buf *sql, const score_query *query)
{
    buf_string(sql, " FROM scores WHERE timestamp_ms >= ? AND timestamp_ms < ?");
    for (size_t i = 0; i < query->condition_count; i++) {
        const score_condition *c = &query->conditions[i];
        if (score_columns[c->column]) {
            buf_string(sql, " AND ");
            put_any_of(sql, score_columns[c->column], c->value_count);
        } else {
            const char *column = c->column == SCORE_USER_OF_TRACE ? "user_id" : "tags";
            put_trace_condition(sql, "trace_id", column, column, c->value_count);
        }
    }
    for (size_t i = 0; i < query->comparison_count; i++)
        buf_format(sql, " AND data_type IN ('NUMERIC', 'BOOLEAN') AND value %s ?", query->comparisons[i].operator);
}

static void bind_score_conditions(sqlite3_stmt *statement, int *next, const score_query *query)
{
    bind_int(statement, next, query->from_ms);
    bind_int(statement, next, query->to_ms);
    for (size_t i = 0; i < query->condition_count; i++) {
        const score_condition *c = &query->conditions[i];
        for (int times = score_columns[c->column] ? 1 : 2; times > 0; times--)
            bind_all(statement, next, c->values, c->value_count);
    }
    for (size_t i = 0; i < query->comparison_count; i++)
        sqlite3_bind_double(statement, (*next)++, query->comparisons[i].number);
}

static bool count_scores(store *s, const score_query *query, int64_t *out_total)
{
    buf sql = { 0 };
    int next = 1;
    buf_string(&sql, "SELECT count(*)");
    put_score_conditions(&sql, query);
    sqlite3_stmt *statement = prepare_buf(s, &sql);
    if (statement)
        bind_score_conditions(statement, &next, query);
    bool good = statement && sqlite3_step(statement) == SQLITE_ROW;
    if (good)
        *out_total = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return good;
}

static bool find_scores(store *s, arena *a, const score_query *query, score **out_scores, size_t *out_count)
{
    buf sql = { 0 };
    int next = 1;
    buf_string(&sql, "SELECT " SCORE_COLUMNS);
    put_score_conditions(&sql, query);
    if (query->after_id.at)
        buf_string(&sql, " AND (timestamp_ms, id) < (?, ?)");
    buf_string(&sql, " ORDER BY timestamp_ms DESC, id DESC LIMIT ? OFFSET ?");
    sqlite3_stmt *statement = prepare_buf(s, &sql);
    if (!statement)
        return false;
    bind_score_conditions(statement, &next, query);
    if (query->after_id.at) {
        bind_int(statement, &next, query->after_ms);
        bind_text(statement, &next, query->after_id);
    }
    bind_int(statement, &next, (int64_t)query->limit);
    bind_int(statement, &next, (int64_t)query->offset);
    return read_scores(a, statement, out_scores, out_count);
}

bool store_find_scores(store *s, arena *a, const score_query *query, score **out_scores, size_t *out_count, int64_t *out_total)
{
    pthread_mutex_lock(&s->lock);
    bool good = count_scores(s, query, out_total) && find_scores(s, a, query, out_scores, out_count);
    pthread_mutex_unlock(&s->lock);
    return good;
}
