/* Scores in SQLite; see store.h. Values are always bound, never part of the SQL text. */
#include "store_private.h"

#define COLUMNS                                                                                                                \
    "id, name, data_type, source, environment, trace_id, observation_id, session_id, dataset_run_id, string_value, metadata, " \
    "config_id, queue_id, comment, value, timestamp_ms, created_ns, updated_ns"
#define MARKS "?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?"

const char store_put_score_sql[] = "INSERT OR REPLACE INTO scores (" COLUMNS ") VALUES (" MARKS ")";

/* --- one score --- */

bool replace_score(store *s, const score *given)
{
    sqlite3_stmt *statement = s->ready[PUT_SCORE];
    int next = 1;
    const text words[] = {given->id,       given->name,           given->data_type,  given->source,         given->environment,
                          given->trace_id, given->observation_id, given->session_id, given->dataset_run_id, given->string_value,
                          given->metadata, given->config_id,      given->queue_id};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        bind_text(statement, &next, words[i]);
    bind_optional(statement, &next, given->comment);
    sqlite3_bind_double(statement, next++, given->value);
    bind_int(statement, &next, given->timestamp_ms);
    bind_int(statement, &next, given->created_ns);
    bind_int(statement, &next, given->updated_ns);
    return run_ready(statement);
}

static score score_of(sqlite3_stmt *statement)
{
    score found = {0};
    int next = 0;
    text *const words[] = {&found.id,       &found.name,           &found.data_type,  &found.source,         &found.environment,
                           &found.trace_id, &found.observation_id, &found.session_id, &found.dataset_run_id, &found.string_value,
                           &found.metadata, &found.config_id,      &found.queue_id,   &found.comment};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        *words[i] = column_text(statement, &next);
    found.value = sqlite3_column_double(statement, next++);
    found.timestamp_ms = column_int(statement, &next);
    found.created_ns = column_int(statement, &next);
    found.updated_ns = column_int(statement, &next);
    return found;
}

/* The statement gives rows of COLUMNS. It is finalized. */
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

bool read_scores_of_trace(store *s, arena *a, text trace_id, score **out_scores, size_t *out_count)
{
    int next = 1;
    sqlite3_stmt *statement = store_prepare(s, "SELECT " COLUMNS
                                               " FROM scores WHERE trace_id = ? ORDER BY timestamp_ms DESC, id DESC");
    if (statement)
        bind_text(statement, &next, trace_id);
    return read_scores(a, statement, out_scores, out_count);
}

bool store_delete_score(store *s, text id)
{
    static const char *const statements[] = {"DELETE FROM events WHERE kind = 2 AND body_id = ?",
                                             "DELETE FROM scores WHERE id = ?"};
    return store_run_all_with(s, statements, sizeof statements / sizeof *statements, id);
}

/* --- finding --- */

static const char *const score_columns[SCORE_COLUMN_COUNT] = {
    "id",     "name",      "trace_id",    "observation_id", "session_id", "dataset_run_id",
    "source", "data_type", "environment", "config_id",      "queue_id",   "string_value",
    NULL,     NULL,
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
    buf sql = {0};
    int next = 1;
    buf_string(&sql, "SELECT count(*)");
    put_score_conditions(&sql, query);
    sqlite3_stmt *statement = store_prepare_buf(s, &sql);
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
    buf sql = {0};
    int next = 1;
    buf_string(&sql, "SELECT " COLUMNS);
    put_score_conditions(&sql, query);
    if (query->after_id.at)
        buf_string(&sql, " AND (timestamp_ms, id) < (?, ?)");
    buf_string(&sql, " ORDER BY timestamp_ms DESC, id DESC LIMIT ? OFFSET ?");
    sqlite3_stmt *statement = store_prepare_buf(s, &sql);
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
