#include "store_private.h"

#define STORE_SCORE_COLUMNS                                                                                                    \
    "id, name, data_type, source, environment, trace_id, observation_id, session_id, dataset_run_id, string_value, metadata, " \
    "config_id, queue_id, comment, value, timestamp_ms, created_ns, updated_ns"
#define STORE_SCORE_MARKS                                                                                   \
    "?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,coalesce((SELECT created_ns FROM scores AS old" \
    " WHERE old.id = ?1 AND old.timestamp_ms = ?16), ?17),?18"

/* A score that is replaced keeps the time of its creation. */
const char store_put_score_sql[] = "INSERT OR REPLACE INTO scores (" STORE_SCORE_COLUMNS ") VALUES (" STORE_SCORE_MARKS ")";

/* ---- One score ---- */

static bool store_put_score(store *s, const score *given)
{
    sqlite3_stmt *statement = s->ready[STORE_PUT_SCORE];
    int next = 1;
    const text words[] = {given->id,       given->name,           given->data_type,  given->source,         given->environment,
                          given->trace_id, given->observation_id, given->session_id, given->dataset_run_id, given->string_value,
                          given->metadata, given->config_id,      given->queue_id};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        store_bind_text(statement, &next, words[i]);
    store_bind_optional(statement, &next, given->comment);
    sqlite3_bind_double(statement, next++, given->value);
    store_bind_int(statement, &next, given->timestamp_ms);
    store_bind_int(statement, &next, given->created_ns);
    store_bind_int(statement, &next, given->updated_ns);
    return store_run_ready(statement);
}

bool store_replace_score(store *s, const score *given)
{
    int next = 1;
    store_bind_text(s->ready[STORE_FORGET_SCORE], &next, given->id);
    return store_run_ready(s->ready[STORE_FORGET_SCORE]) && store_put_score(s, given);
}

bool store_put_scores(store *s, const score *scores, size_t count)
{
    pthread_mutex_lock(&s->lock);
    bool ok = !s->read_only && store_run(s, "BEGIN IMMEDIATE");
    for (size_t i = 0; ok && i < count; i++)
        ok = store_put_score(s, &scores[i]);
    ok = store_commit(s, ok);
    pthread_mutex_unlock(&s->lock);
    return ok;
}

/* A row of STORE_SCORE_COLUMNS. */
static void store_read_score(sqlite3_stmt *statement, int *next, arena *a, void *item)
{
    score *s = item;
    text *const words[] = {&s->id,       &s->name,           &s->data_type,  &s->source,         &s->environment,
                           &s->trace_id, &s->observation_id, &s->session_id, &s->dataset_run_id, &s->string_value,
                           &s->metadata, &s->config_id,      &s->queue_id,   &s->comment};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        *words[i] = store_next_copy(statement, next, a);
    s->value = sqlite3_column_double(statement, (*next)++);
    s->timestamp_ms = store_next_int(statement, next);
    s->created_ns = store_next_int(statement, next);
    s->updated_ns = store_next_int(statement, next);
}

bool store_read_scores_of_trace(store *s, arena *a, text trace_id, score **out_scores, size_t *out_count)
{
    static const char sql[] = "SELECT " STORE_SCORE_COLUMNS " FROM scores WHERE trace_id = ? ORDER BY timestamp_ms DESC, id DESC";
    return store_collect(store_prepare_with(s, sql, trace_id), a, store_read_score, sizeof(score), out_scores, out_count, NULL);
}

bool store_delete_score(store *s, text id)
{
    static const char *const statements[] = {"DELETE FROM events WHERE kind = 2 AND body_id = ?",
                                             "DELETE FROM scores WHERE id = ?"};
    return store_run_all_with(s, statements, sizeof statements / sizeof *statements, id);
}

/* ---- Finding ---- */

static const char *const store_score_columns[STORE_SCORE_COLUMN_COUNT] = {
    "id",     "name",      "trace_id",    "observation_id", "session_id", "dataset_run_id",
    "source", "data_type", "environment", "config_id",      "queue_id",   "string_value",
    NULL,     NULL,
};

static void store_put_score_conditions(buf *sql, const store_score_query *query)
{
    buf_string(sql, " FROM scores AS each WHERE timestamp_ms >= ? AND timestamp_ms < ?");
    for (size_t i = 0; i < query->condition_count; i++) {
        const store_score_condition *c = &query->conditions[i];
        if (store_score_columns[c->column] != NULL) {
            buf_string(sql, " AND ");
            store_put_any_of(sql, store_score_columns[c->column], c->value_count);
        } else {
            const char *column = c->column == STORE_SCORE_USER_OF_TRACE ? "user_id" : "tags";
            store_put_trace_condition(sql, "trace_id", column, column, c->value_count);
        }
    }
    for (size_t i = 0; i < query->comparison_count; i++)
        buf_format(sql, " AND data_type IN ('NUMERIC', 'BOOLEAN') AND value %s ?", query->comparisons[i].operator);
    for (size_t i = 0; i < query->number_count; i++)
        buf_string(sql, i == 0 ? " AND data_type IN ('NUMERIC', 'BOOLEAN') AND value IN (?" : ",?");
    buf_string(sql, query->number_count > 0 ? ")" : "");
    store_put_filter(sql, query->filter);
}

static void store_bind_score_conditions(sqlite3_stmt *statement, int *next, const store_score_query *query)
{
    store_bind_int(statement, next, query->from_ms);
    store_bind_int(statement, next, query->to_ms);
    for (size_t i = 0; i < query->condition_count; i++) {
        const store_score_condition *c = &query->conditions[i];
        for (int times = store_score_columns[c->column] != NULL ? 1 : 2; times > 0; times--)
            store_bind_all(statement, next, c->values, c->value_count);
    }
    for (size_t i = 0; i < query->comparison_count; i++)
        sqlite3_bind_double(statement, (*next)++, query->comparisons[i].number);
    for (size_t i = 0; i < query->number_count; i++)
        sqlite3_bind_double(statement, (*next)++, query->numbers[i]);
    store_bind_filter(statement, next, query->filter);
}

static bool store_count_scores(store *s, const store_score_query *query, int64_t *out_total)
{
    buf sql = {0};
    int next = 1;
    buf_string(&sql, "SELECT count(*)");
    store_put_score_conditions(&sql, query);
    sqlite3_stmt *statement = store_prepare_buf(s, &sql);
    store_bind_score_conditions(statement, &next, query);
    return store_read_number(statement, out_total);
}

static bool store_select_scores(store *s, arena *a, const store_score_query *query, score **out_scores, size_t *out_count)
{
    buf sql = {0};
    int next = 1;
    buf_string(&sql, "SELECT " STORE_SCORE_COLUMNS);
    store_put_score_conditions(&sql, query);
    if (query->after_id.at != NULL)
        buf_string(&sql, " AND (timestamp_ms, id) < (?, ?)");
    buf_string(&sql, " ORDER BY timestamp_ms DESC, id DESC LIMIT ? OFFSET ?");
    sqlite3_stmt *statement = store_prepare_buf(s, &sql);
    store_bind_score_conditions(statement, &next, query);
    if (query->after_id.at != NULL) {
        store_bind_int(statement, &next, query->after_ms);
        store_bind_text(statement, &next, query->after_id);
    }
    store_bind_int(statement, &next, (int64_t)query->limit);
    store_bind_int(statement, &next, (int64_t)query->offset);
    return store_collect(statement, a, store_read_score, sizeof(score), out_scores, out_count, NULL);
}

bool store_find_scores(store *s, arena *a, const store_score_query *query, score **out_scores, size_t *out_count,
                       int64_t *out_total)
{
    s = store_take_reader(s);
    bool ok = store_count_scores(s, query, out_total) && store_select_scores(s, a, query, out_scores, out_count);
    store_give_reader(s, ok);
    return ok;
}
