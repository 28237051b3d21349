#include "store_private.h"

#include "clock.h"

/* Bound and read in this order by bind_row and row_of, which reads the id of the prompt behind them. */
#define COLUMNS                                                                                                                  \
    "trace_id, id, start_ms, parent_id, start_ns, end_ns, arrived_ns, type, name, level, status_message, version, environment, " \
    "release, "                                                                                                                  \
    "user_id, session_id, trace_name, tags, is_public, is_app_root, input, output, metadata, experiment, model, "                \
    "model_parameters, "                                                                                                         \
    "usage, cost, completion_start_ms, prompt_name, prompt_version, trace_input, trace_output, trace_metadata"
#define MARKS "?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?"

const char store_put_row_sql[] = "INSERT OR REPLACE INTO observations (" COLUMNS ") VALUES (" MARKS ")";

/* ---- Writing ---- */

/* A bind that fails leaves NULL, which the table refuses, so the step reports it. */
static void bind_row(sqlite3_stmt *statement, const observation *o)
{
    int next = 1;
    bind_text(statement, &next, o->trace_id);
    bind_text(statement, &next, o->id);
    bind_int(statement, &next, o->start_ns / CLOCK_NS_PER_MS);
    bind_text(statement, &next, o->parent_id);
    bind_int(statement, &next, o->start_ns);
    bind_int(statement, &next, o->end_ns);
    bind_int(statement, &next, o->arrived_ns);
    const text words[] = {o->type,    o->name,    o->level,      o->status_message, o->version, o->environment,
                          o->release, o->user_id, o->session_id, o->trace_name,     o->tags};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        bind_text(statement, &next, words[i]);
    bind_int(statement, &next, o->is_public);
    bind_int(statement, &next, o->is_app_root);
    bind_optional(statement, &next, o->input);
    bind_optional(statement, &next, o->output);
    const text objects[] = {o->metadata, o->experiment, o->model, o->model_parameters, o->usage, o->cost};
    for (size_t i = 0; i < sizeof objects / sizeof *objects; i++)
        bind_text(statement, &next, objects[i]);
    bind_int(statement, &next, o->completion_start_ms);
    bind_text(statement, &next, o->prompt_name);
    bind_int(statement, &next, o->prompt_version);
    bind_optional(statement, &next, o->trace_input);
    bind_optional(statement, &next, o->trace_output);
    bind_optional(statement, &next, o->trace_metadata);
}

bool put_row(store *s, const observation *row)
{
    bind_row(s->ready[PUT_ROW], row);
    return run_ready(s->ready[PUT_ROW]);
}

static bool put_rows(store *s, const observation *rows, size_t count)
{
    bool ok = !s->read_only && store_run(s, "BEGIN IMMEDIATE");
    for (size_t i = 0; ok && i < count; i++)
        ok = put_row(s, &rows[i]);
    return store_commit(s, ok);
}

bool store_put(store *s, const observation *rows, size_t count)
{
    if (count == 0)
        return true;
    pthread_mutex_lock(&s->lock);
    bool ok = put_rows(s, rows, count);
    pthread_mutex_unlock(&s->lock);
    return ok;
}

/* ---- Reading ---- */

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
            buf_string(sql, i > 0 ? ",?" : "?");
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
        buf_string(sql, query->root != 0 ? " AND (parent_id = '' OR is_app_root)" : " AND NOT (parent_id = '' OR is_app_root)");
}

static sqlite3_stmt *prepare_query(store *s, const store_query *query)
{
    buf sql = {0};
    buf_string(&sql, "SELECT " COLUMNS ", CASE WHEN prompt_name != '' THEN"
                     " (SELECT p.id FROM prompts AS p WHERE p.name = prompt_name AND p.version = prompt_version) END");
    put_conditions(&sql, query);
    if (query->after.id.at != NULL)
        buf_string(&sql, " AND start_ms <= ? AND (start_ms, trace_id, id) < (?, ?, ?)");
    buf_string(&sql, " ORDER BY start_ms DESC, trace_id DESC, id DESC LIMIT ?");
    return store_prepare_buf(s, &sql);
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
    if (query->after.id.at != NULL) {
        bind_int(statement, &next, query->after.start_ms);
        bind_int(statement, &next, query->after.start_ms);
        bind_text(statement, &next, query->after.trace_id);
        bind_text(statement, &next, query->after.id);
    }
    bind_int(statement, &next, (int64_t)query->limit);
}

static observation row_of(sqlite3_stmt *statement)
{
    observation o = {0};
    int next = 0;
    o.trace_id = column_text(statement, &next);
    o.id = column_text(statement, &next);
    next++; /* start_ms is in start_ns */
    o.parent_id = column_text(statement, &next);
    o.start_ns = column_int(statement, &next);
    o.end_ns = column_int(statement, &next);
    o.arrived_ns = column_int(statement, &next);
    text *const words[] = {&o.type,    &o.name,    &o.level,      &o.status_message, &o.version, &o.environment,
                           &o.release, &o.user_id, &o.session_id, &o.trace_name,     &o.tags};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        *words[i] = column_text(statement, &next);
    o.is_public = column_int(statement, &next) != 0;
    o.is_app_root = column_int(statement, &next) != 0;
    text *const rest[] = {&o.input, &o.output, &o.metadata, &o.experiment, &o.model, &o.model_parameters, &o.usage, &o.cost};
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++)
        *rest[i] = column_text(statement, &next);
    o.completion_start_ms = column_int(statement, &next);
    o.prompt_name = column_text(statement, &next);
    o.prompt_version = column_int(statement, &next);
    o.trace_input = column_text(statement, &next);
    o.trace_output = column_text(statement, &next);
    o.trace_metadata = column_text(statement, &next);
    o.prompt_id = column_text(statement, &next);
    return o;
}

bool read_rows(store *s, const store_query *query, store_visit *visit, void *context)
{
    sqlite3_stmt *statement = prepare_query(s, query);
    int state;
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
    bool ok = read_rows(s, query, visit, context);
    pthread_mutex_unlock(&s->lock);
    return ok;
}

bool store_count_rows(store *s, const store_query *query, int64_t *out_count)
{
    buf sql = {0};
    int next = 1;
    buf_string(&sql, "SELECT count(*)");
    put_conditions(&sql, query);
    pthread_mutex_lock(&s->lock);
    sqlite3_stmt *statement = store_prepare_buf(s, &sql);
    bind_conditions(statement, &next, query);
    bool ok = store_read_number(statement, out_count);
    pthread_mutex_unlock(&s->lock);
    return ok;
}

bool store_count(store *s, text trace_id, int64_t *out_observations, int64_t *out_traces)
{
    int next = 1;
    pthread_mutex_lock(&s->lock);
    sqlite3_stmt *statement = store_prepare(
        s, trace_id.size > 0 ? "SELECT count(*), count(*) > 0 OR EXISTS (SELECT 1 FROM traces WHERE id = ?1)"
                               " FROM observations WHERE trace_id = ?1"
                             : "SELECT count(*), count(DISTINCT trace_id) + (SELECT count(*) FROM traces WHERE NOT EXISTS"
                               " (SELECT 1 FROM observations AS o WHERE o.trace_id = traces.id)) FROM observations");
    if (trace_id.size > 0)
        bind_text(statement, &next, trace_id);
    bool ok = sqlite3_step(statement) == SQLITE_ROW;
    if (ok) {
        *out_observations = sqlite3_column_int64(statement, 0);
        *out_traces = sqlite3_column_int64(statement, 1);
    }
    sqlite3_finalize(statement);
    pthread_mutex_unlock(&s->lock);
    return ok;
}
