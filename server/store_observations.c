#include "store_private.h"

#include "clock.h"
#include "xxhash.h"

/* Bound and read in this order by store_bind_row and store_row_of, which reads the id of the prompt behind them. */
#define STORE_ROW_COLUMNS                                                                                                          \
    "trace_id, id, start_ms, parent_id, start_ns, end_ns, arrived_ns, type, name, level, status_message, version, environment, "   \
    "release, user_id, session_id, trace_name, tags, is_public, is_app_root, input, output, metadata, experiment, model, "         \
    "model_parameters, usage, cost, completion_start_ms, prompt_name, prompt_version, trace_input, trace_output, trace_metadata, " \
    "own_metadata, model_id, tier"
#define STORE_ROW_MARKS "?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?"

const char store_put_row_sql[] = "INSERT OR REPLACE INTO observations (" STORE_ROW_COLUMNS ") VALUES (" STORE_ROW_MARKS ")";

/* ---- Writing ---- */

/* A bind that fails leaves NULL, which the table refuses, so the step reports it. */
static void store_bind_row(sqlite3_stmt *statement, const observation *o)
{
    int next = 1;
    store_bind_text(statement, &next, o->trace_id);
    store_bind_text(statement, &next, o->id);
    store_bind_int(statement, &next, o->start_ns / CLOCK_NS_PER_MS);
    store_bind_text(statement, &next, o->parent_id);
    store_bind_int(statement, &next, o->start_ns);
    store_bind_int(statement, &next, o->end_ns);
    store_bind_int(statement, &next, o->arrived_ns);
    const text words[] = {o->type,    o->name,    o->level,      o->status_message, o->version, o->environment,
                          o->release, o->user_id, o->session_id, o->trace_name,     o->tags};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        store_bind_text(statement, &next, words[i]);
    store_bind_int(statement, &next, o->is_public);
    store_bind_int(statement, &next, o->is_app_root);
    store_bind_optional(statement, &next, o->input);
    store_bind_optional(statement, &next, o->output);
    const text objects[] = {o->metadata, o->experiment, o->model, o->model_parameters, o->usage, o->cost};
    for (size_t i = 0; i < sizeof objects / sizeof *objects; i++)
        store_bind_text(statement, &next, objects[i]);
    store_bind_int(statement, &next, o->completion_start_ms);
    store_bind_text(statement, &next, o->prompt_name);
    store_bind_int(statement, &next, o->prompt_version);
    store_bind_optional(statement, &next, o->trace_input);
    store_bind_optional(statement, &next, o->trace_output);
    store_bind_optional(statement, &next, o->trace_metadata);
    store_bind_optional(statement, &next, o->own_metadata);
    store_bind_text(statement, &next, o->model_id);
    store_bind_text(statement, &next, o->tier);
}

bool store_put_row(store *s, const observation *row)
{
    store_bind_row(s->ready[STORE_PUT_ROW], row);
    return store_run_ready(s->ready[STORE_PUT_ROW]);
}

bool store_put_rows(store *s, const observation *rows, size_t count)
{
    if (count == 0)
        return true;
    pthread_mutex_lock(&s->lock);
    bool ok = !s->read_only && store_run(s, "BEGIN IMMEDIATE");
    for (size_t i = 0; ok && i < count; i++)
        ok = store_put_row(s, &rows[i]);
    ok = store_commit(s, ok);
    pthread_mutex_unlock(&s->lock);
    return ok;
}

/* ---- Reading ---- */

static const char *const store_columns[STORE_COLUMN_COUNT] = {
    "trace_id", "id", "parent_id", "name", "type", "level", "environment", "version", "user_id", "session_id",
};

static void store_put_condition(buf *sql, const store_condition *condition)
{
    const char *column = store_columns[condition->column];
    switch (condition->op) {
    case STORE_EQUALS: buf_format(sql, " AND %s = ?", column); break;
    case STORE_ANY_OF:
        buf_format(sql, " AND %s IN (", column);
        for (size_t i = 0; i < condition->value_count; i++)
            buf_string(sql, i > 0 ? ",?" : "?");
        buf_char(sql, ')');
        break;
    }
}

static void store_put_conditions(buf *sql, const store_query *query)
{
    buf_string(sql, " FROM observations WHERE start_ms >= ? AND start_ms < ?");
    for (size_t i = 0; i < query->condition_count; i++)
        store_put_condition(sql, &query->conditions[i]);
    if (query->root >= 0)
        buf_string(sql, query->root != 0 ? " AND (parent_id = '' OR is_app_root)" : " AND NOT (parent_id = '' OR is_app_root)");
    store_put_filter(sql, query->filter);
}

static void store_order_trace(sqlite3_context *context, int count, sqlite3_value **values)
{
    const char *at = (const char *)sqlite3_value_text(values[0]);
    (void)count;
    sqlite3_result_int64(context, xxhash_32((text){at, (size_t)sqlite3_value_bytes(values[0])}));
}

bool store_add_functions(sqlite3 *db)
{
    return sqlite3_create_function_v2(db, "trace_order", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, store_order_trace, NULL, NULL,
                                      NULL) == SQLITE_OK;
}

static sqlite3_stmt *store_prepare_rows(store *s, const store_query *query)
{
    buf sql = {0};
    buf_string(&sql, "SELECT " STORE_ROW_COLUMNS ", CASE WHEN prompt_name != '' THEN"
                     " (SELECT p.id FROM prompts AS p WHERE p.name = prompt_name AND p.version = prompt_version) END");
    store_put_conditions(&sql, query);
    if (query->after.id.at != NULL)
        buf_string(&sql, " AND start_ms <= ? AND (start_ms, trace_order(trace_id), id) < (?, trace_order(?), ?)");
    buf_string(&sql, " ORDER BY start_ms DESC, trace_order(trace_id) DESC, id DESC LIMIT ?");
    return store_prepare_buf(s, &sql);
}

static void store_bind_conditions(sqlite3_stmt *statement, int *next, const store_query *query)
{
    store_bind_int(statement, next, query->from_ms);
    store_bind_int(statement, next, query->to_ms);
    for (size_t i = 0; i < query->condition_count; i++)
        for (size_t j = 0; j < query->conditions[i].value_count; j++)
            store_bind_text(statement, next, query->conditions[i].values[j]);
    store_bind_filter(statement, next, query->filter);
}

static void store_bind_rows(sqlite3_stmt *statement, const store_query *query)
{
    int next = 1;
    store_bind_conditions(statement, &next, query);
    if (query->after.id.at != NULL) {
        store_bind_int(statement, &next, query->after.start_ms);
        store_bind_int(statement, &next, query->after.start_ms);
        store_bind_text(statement, &next, query->after.trace_id);
        store_bind_text(statement, &next, query->after.id);
    }
    store_bind_int(statement, &next, (int64_t)query->limit);
}

static observation store_row_of(sqlite3_stmt *statement)
{
    observation o = {0};
    int next = 0;
    o.trace_id = store_next_text(statement, &next);
    o.id = store_next_text(statement, &next);
    next++; /* start_ms is in start_ns */
    o.parent_id = store_next_text(statement, &next);
    o.start_ns = store_next_int(statement, &next);
    o.end_ns = store_next_int(statement, &next);
    o.arrived_ns = store_next_int(statement, &next);
    text *const words[] = {&o.type,    &o.name,    &o.level,      &o.status_message, &o.version, &o.environment,
                           &o.release, &o.user_id, &o.session_id, &o.trace_name,     &o.tags};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        *words[i] = store_next_text(statement, &next);
    o.is_public = store_next_int(statement, &next) != 0;
    o.is_app_root = store_next_int(statement, &next) != 0;
    text *const rest[] = {&o.input, &o.output, &o.metadata, &o.experiment, &o.model, &o.model_parameters, &o.usage, &o.cost};
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++)
        *rest[i] = store_next_text(statement, &next);
    o.completion_start_ms = store_next_int(statement, &next);
    o.prompt_name = store_next_text(statement, &next);
    o.prompt_version = store_next_int(statement, &next);
    o.trace_input = store_next_text(statement, &next);
    o.trace_output = store_next_text(statement, &next);
    o.trace_metadata = store_next_text(statement, &next);
    o.own_metadata = store_next_text(statement, &next);
    o.model_id = store_next_text(statement, &next);
    o.tier = store_next_text(statement, &next);
    o.prompt_id = store_next_text(statement, &next);
    return o;
}

bool store_read_rows(store *s, const store_query *query, store_visit *visit, void *context)
{
    sqlite3_stmt *statement = store_prepare_rows(s, query);
    int state;
    store_bind_rows(statement, query);
    while ((state = sqlite3_step(statement)) == SQLITE_ROW) {
        observation row = store_row_of(statement);
        visit(context, &row);
    }
    sqlite3_finalize(statement);
    return state == SQLITE_DONE;
}

bool store_read(store *s, const store_query *query, store_visit *visit, void *context)
{
    s = store_take_reader(s);
    bool ok = store_read_rows(s, query, visit, context);
    store_give_reader(s, ok);
    return ok;
}

bool store_count_rows(store *s, const store_query *query, int64_t *out_count)
{
    buf sql = {0};
    int next = 1;
    buf_string(&sql, "SELECT count(*)");
    store_put_conditions(&sql, query);
    s = store_take_reader(s);
    sqlite3_stmt *statement = store_prepare_buf(s, &sql);
    store_bind_conditions(statement, &next, query);
    bool ok = store_read_number(statement, out_count);
    store_give_reader(s, ok);
    return ok;
}

bool store_count(store *s, text trace_id, int64_t *out_observations, int64_t *out_traces)
{
    int next = 1;
    s = store_take_reader(s);
    sqlite3_stmt *statement = store_prepare(
        s, trace_id.size > 0 ? "SELECT count(*), count(*) > 0 OR EXISTS (SELECT 1 FROM traces WHERE id = ?1)"
                               " FROM observations WHERE trace_id = ?1"
                             : "SELECT count(*), count(DISTINCT trace_id) + (SELECT count(*) FROM traces WHERE NOT EXISTS"
                               " (SELECT 1 FROM observations AS o WHERE o.trace_id = traces.id)) FROM observations");
    if (trace_id.size > 0)
        store_bind_text(statement, &next, trace_id);
    bool ok = sqlite3_step(statement) == SQLITE_ROW;
    if (ok) {
        *out_observations = sqlite3_column_int64(statement, 0);
        *out_traces = sqlite3_column_int64(statement, 1);
    }
    sqlite3_finalize(statement);
    store_give_reader(s, ok);
    return ok;
}
