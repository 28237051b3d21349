#include "store_private.h"

#include <string.h>

#define STORE_TRACE_COLUMNS                                                                                                  \
    "id, name, user_id, session_id, release, version, environment, tags, metadata, is_public, input, output, timestamp_ms, " \
    "created_ns, updated_ns"
#define STORE_TRACE_MARKS "?,?,?,?,?,?,?,?,?,?,?,?,?,?,?"

const char store_put_trace_sql[] = "INSERT OR REPLACE INTO traces (" STORE_TRACE_COLUMNS ") VALUES (" STORE_TRACE_MARKS ")";

/* ---- One trace ---- */

bool store_replace_trace(store *s, const trace_record *t)
{
    sqlite3_stmt *statement = s->ready[STORE_PUT_TRACE];
    int next = 1;
    const text words[] = {t->id, t->name, t->user_id, t->session_id, t->release, t->version, t->environment, t->tags, t->metadata};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        store_bind_text(statement, &next, words[i]);
    store_bind_int(statement, &next, t->is_public);
    store_bind_optional(statement, &next, t->input);
    store_bind_optional(statement, &next, t->output);
    store_bind_int(statement, &next, t->timestamp_ms);
    store_bind_int(statement, &next, t->created_ns);
    store_bind_int(statement, &next, t->updated_ns);
    return store_run_ready(statement);
}

/* A row of STORE_TRACE_COLUMNS. */
static void store_read_trace(sqlite3_stmt *statement, int *next, arena *a, void *item)
{
    trace_record *t = item;
    text *const words[] = {&t->id,      &t->name,        &t->user_id, &t->session_id, &t->release,
                           &t->version, &t->environment, &t->tags,    &t->metadata};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        *words[i] = store_next_copy(statement, next, a);
    t->is_public = (int)store_next_int(statement, next);
    t->input = store_next_copy(statement, next, a);
    t->output = store_next_copy(statement, next, a);
    t->timestamp_ms = store_next_int(statement, next);
    t->created_ns = store_next_int(statement, next);
    t->updated_ns = store_next_int(statement, next);
}

typedef struct store_kept_rows {
    arena *arena;
    trace_data *into;
} store_kept_rows;

static void store_keep_row(void *context, const observation *row)
{
    store_kept_rows *kept = context;
    observation *added = arena_add(kept->arena, &kept->into->rows, sizeof *added, &kept->into->row_count);
    if (added != NULL)
        *added = observation_keep(kept->arena, row);
}

static bool store_load_record(store *s, arena *a, text id, trace_data *out)
{
    trace_record *found;
    size_t count;
    bool ok = store_collect(store_prepare_with(s, "SELECT " STORE_TRACE_COLUMNS " FROM traces WHERE id = ?", id), a,
                            store_read_trace, sizeof *found, &found, &count, NULL);
    out->has_record = ok && count > 0;
    if (out->has_record)
        out->record = *found;
    return ok;
}

bool store_load_trace(store *s, arena *a, text id, trace_data *out)
{
    store_kept_rows kept = {.arena = a, .into = out};
    store_query query = STORE_QUERY_ALL;
    *out = (trace_data){.id = id};
    query.conditions[query.condition_count++] = (store_condition){STORE_TRACE_ID, STORE_EQUALS, &id, 1};
    s = store_take_reader(s);
    bool ok = store_read_rows(s, &query, store_keep_row, &kept) && store_load_record(s, a, id, out) &&
              store_read_scores_of_trace(s, a, id, &out->scores, &out->score_count);
    store_give_reader(s, ok);
    return ok && !a->failed;
}

/* The numbers are those of event_kind: the schema stores them. */
_Static_assert(EVENT_TRACE == 0 && EVENT_OBSERVATION == 1 && EVENT_SCORE == 2, "the statements below say so");

bool store_delete_trace(store *s, text id)
{
    static const char *const statements[] = {
        "DELETE FROM events WHERE kind = 1 AND body_id IN (SELECT id FROM observations WHERE trace_id = ?)",
        "DELETE FROM events WHERE kind = 2 AND body_id IN (SELECT id FROM scores WHERE trace_id = ?)",
        "DELETE FROM events WHERE kind = 0 AND body_id = ?",
        "DELETE FROM observations WHERE trace_id = ?",
        "DELETE FROM scores WHERE trace_id = ?",
        "DELETE FROM traces WHERE id = ?",
    };
    return store_run_all_with(s, statements, sizeof statements / sizeof *statements, id);
}

/* ---- Finding ---- */

static void store_read_id(sqlite3_stmt *statement, int *next, arena *a, void *item)
{
    *(text *)item = store_next_copy(statement, next, a);
}

bool store_newest_traces(store *s, arena *a, text prefix, size_t limit, text **out_ids, size_t *out_count)
{
    int next = 1;
    s = store_take_reader(s);
    sqlite3_stmt *statement = store_prepare(
        s, "SELECT trace_id FROM"
           " (SELECT trace_id, max(start_ms) AS newest FROM observations"
           "  WHERE trace_id >= ?1 AND substr(trace_id, 1, length(?1)) = ?1 GROUP BY trace_id"
           "  UNION ALL SELECT id, timestamp_ms FROM traces WHERE id >= ?1 AND substr(id, 1, length(?1)) = ?1)"
           " GROUP BY trace_id ORDER BY max(newest) DESC LIMIT ?2");
    store_bind_text(statement, &next, prefix);
    store_bind_int(statement, &next, (int64_t)limit);
    bool ok = store_collect(statement, a, store_read_id, sizeof(text), out_ids, out_count, NULL);
    store_give_reader(s, ok);
    return ok;
}

bool store_arrived_traces(store *s, arena *a, int64_t since_ns, size_t limit, text **out_ids, size_t *out_count, int64_t *out_total)
{
    int next = 1;
    s = store_take_reader(s);
    sqlite3_stmt *statement = store_prepare(s, "SELECT trace_id, total FROM"
                                               " (SELECT trace_id, min(start) AS oldest, count(*) OVER () AS total FROM"
                                               "  (SELECT trace_id, start_ns AS start FROM observations WHERE arrived_ns >= ?1"
                                               "   UNION ALL SELECT id, timestamp_ms * 1000000 FROM traces WHERE updated_ns >= ?1)"
                                               "  GROUP BY trace_id ORDER BY oldest DESC, trace_id DESC LIMIT ?2)"
                                               " ORDER BY oldest, trace_id");
    store_bind_int(statement, &next, since_ns);
    store_bind_int(statement, &next, (int64_t)limit);
    bool ok = store_collect(statement, a, store_read_id, sizeof(text), out_ids, out_count, out_total);
    store_give_reader(s, ok);
    return ok;
}

static const struct {
    const char *of_rows, *of_traces;
} store_trace_columns[STORE_TRACE_COLUMN_COUNT] = {
    [STORE_TRACE_USER] = {"user_id", "user_id"},
    [STORE_TRACE_NAME] = {"trace_name", "name"},
    [STORE_TRACE_SESSION] = {"session_id", "session_id"},
    [STORE_TRACE_VERSION] = {"version", "version"},
    [STORE_TRACE_RELEASE] = {"release", "release"},
    [STORE_TRACE_ENVIRONMENT] = {"environment", "environment"},
    [STORE_TRACE_TAG] = {"tags", "tags"},
};

static sqlite3_stmt *store_prepare_traces(store *s, const store_trace_query *query)
{
    buf sql = {0};
    buf_string(&sql, "SELECT trace_id, count(*) OVER () FROM" /* observations of batches do not make a trace */
                     " (SELECT trace_id, min(start_ms) AS oldest FROM observations WHERE own_metadata IS NOT NULL GROUP BY trace_id"
                     "  UNION ALL SELECT id, timestamp_ms FROM traces) AS each WHERE 1");
    for (size_t i = 0; i < query->condition_count; i++) {
        const store_trace_condition *c = &query->conditions[i];
        store_put_trace_condition(&sql, "trace_id", store_trace_columns[c->column].of_rows,
                                  store_trace_columns[c->column].of_traces, c->value_count);
    }
    store_put_filter(&sql, query->filter);
    buf_format(&sql, " GROUP BY trace_id HAVING min(oldest) >= ? AND min(oldest) < ? ORDER BY %s %s, trace_id LIMIT ? OFFSET ?",
               query->ordered ? store_trace_column_sql(query->order) : "min(oldest)", query->oldest_first ? "ASC" : "DESC");
    return store_prepare_buf(s, &sql);
}

static void store_bind_page(sqlite3_stmt *statement, int *next, int64_t from_ms, int64_t to_ms, size_t limit, size_t offset)
{
    store_bind_int(statement, next, from_ms);
    store_bind_int(statement, next, to_ms);
    store_bind_int(statement, next, (int64_t)limit);
    store_bind_int(statement, next, (int64_t)offset);
}

bool store_find_traces(store *s, arena *a, const store_trace_query *query, text **out_ids, size_t *out_count, int64_t *out_total)
{
    int next = 1;
    store *reader = store_take_reader(s);
    sqlite3_stmt *statement = store_prepare_traces(reader, query);
    for (size_t i = 0; i < query->condition_count; i++)
        for (int twice = 0; twice < 2; twice++)
            store_bind_all(statement, &next, query->conditions[i].values, query->conditions[i].value_count);
    store_bind_filter(statement, &next, query->filter);
    store_bind_page(statement, &next, query->from_ms, query->to_ms, query->limit, query->offset);
    bool ok = store_collect(statement, a, store_read_id, sizeof(text), out_ids, out_count, out_total);
    store_give_reader(reader, ok);
    if (ok && *out_count == 0 && query->offset > 0) { /* behind the last page; the total is wanted all the same */
        store_trace_query first = *query;
        first.offset = 0;
        ok = store_find_traces(s, a, &first, out_ids, out_count, out_total);
        *out_count = 0;
    }
    return ok;
}

/* ---- Sessions ---- */

static sqlite3_stmt *store_prepare_sessions(store *s, const store_session_query *query)
{
    buf sql = {0};
    buf_string(&sql, "SELECT session_id, environment, min(first_ms), count(*) OVER () FROM"
                     " (SELECT session_id, environment, start_ms AS first_ms FROM observations WHERE session_id != ''"
                     "  UNION ALL SELECT session_id, environment, timestamp_ms FROM traces WHERE session_id != '') WHERE 1");
    if (query->id.size > 0)
        buf_string(&sql, " AND session_id = ?");
    if (query->environment_count > 0) {
        buf_string(&sql, " AND ");
        store_put_any_of(&sql, "environment", query->environment_count);
    }
    buf_string(&sql, " GROUP BY session_id HAVING min(first_ms) >= ? AND min(first_ms) < ?"
                     " ORDER BY min(first_ms) DESC, session_id LIMIT ? OFFSET ?");
    return store_prepare_buf(s, &sql);
}

static void store_read_session(sqlite3_stmt *statement, int *next, arena *a, void *item)
{
    store_session *row = item;
    row->id = store_next_copy(statement, next, a);
    row->environment = store_next_copy(statement, next, a);
    row->created_ms = store_next_int(statement, next);
}

bool store_find_sessions(store *s, arena *a, const store_session_query *query, store_session **out_rows, size_t *out_count,
                         int64_t *out_total)
{
    int next = 1;
    store *reader = store_take_reader(s);
    sqlite3_stmt *statement = store_prepare_sessions(reader, query);
    if (query->id.size > 0)
        store_bind_text(statement, &next, query->id);
    store_bind_all(statement, &next, query->environments, query->environment_count);
    store_bind_page(statement, &next, query->from_ms, query->to_ms, query->limit, query->offset);
    bool ok = store_collect(statement, a, store_read_session, sizeof(store_session), out_rows, out_count, out_total);
    store_give_reader(reader, ok);
    if (ok && *out_count == 0 && query->offset > 0) {
        store_session_query first = *query;
        first.offset = 0;
        ok = store_find_sessions(s, a, &first, out_rows, out_count, out_total);
        *out_count = 0;
    }
    return ok;
}
