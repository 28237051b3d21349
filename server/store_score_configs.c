#include "store_private.h"

#define STORE_CONFIG_COLUMNS \
    "id, name, data_type, description, categories, is_archived, created_ms, updated_ms, min_value, max_value"

static void store_bind_limit(sqlite3_stmt *statement, int *next, bool given, double limit)
{
    if (given)
        sqlite3_bind_double(statement, (*next)++, limit);
    else
        sqlite3_bind_null(statement, (*next)++);
}

bool store_put_score_config(store *s, const score_config *c)
{
    int next = 1;
    pthread_mutex_lock(&s->lock);
    bool begun = !s->read_only && store_run(s, "BEGIN IMMEDIATE");
    sqlite3_stmt *statement = begun ? store_prepare(s, "INSERT OR REPLACE INTO score_configs (" STORE_CONFIG_COLUMNS
                                                       ") VALUES (?,?,?,?,?,?,?,?,?,?)")
                                    : NULL;
    store_bind_text(statement, &next, c->id);
    store_bind_text(statement, &next, c->name);
    store_bind_text(statement, &next, c->data_type);
    store_bind_optional(statement, &next, c->description);
    store_bind_optional(statement, &next, c->categories);
    store_bind_int(statement, &next, c->is_archived);
    store_bind_int(statement, &next, c->created_ms);
    store_bind_int(statement, &next, c->updated_ms);
    store_bind_limit(statement, &next, c->has_min, c->min);
    store_bind_limit(statement, &next, c->has_max, c->max);
    bool ok = store_commit(s, store_run_once(statement));
    pthread_mutex_unlock(&s->lock);
    return ok;
}

static double store_next_limit(sqlite3_stmt *statement, int *next, bool *out_given)
{
    *out_given = sqlite3_column_type(statement, *next) != SQLITE_NULL;
    return sqlite3_column_double(statement, (*next)++);
}

/* A row of STORE_CONFIG_COLUMNS. */
static void store_read_score_config(sqlite3_stmt *statement, int *next, arena *a, void *item)
{
    score_config *c = item;
    text *const words[] = {&c->id, &c->name, &c->data_type, &c->description, &c->categories};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        *words[i] = store_next_copy(statement, next, a);
    c->is_archived = store_next_int(statement, next) != 0;
    c->created_ms = store_next_int(statement, next);
    c->updated_ms = store_next_int(statement, next);
    c->min = store_next_limit(statement, next, &c->has_min);
    c->max = store_next_limit(statement, next, &c->has_max);
}

bool store_find_score_config(store *s, arena *a, text id, score_config *out, bool *out_found)
{
    static const char sql[] = "SELECT " STORE_CONFIG_COLUMNS " FROM score_configs WHERE id = ?";
    score_config *found;
    size_t count;
    s = store_take_reader(s);
    bool ok = store_collect(store_prepare_with(s, sql, id), a, store_read_score_config, sizeof *found, &found, &count, NULL);
    store_give_reader(s, ok);
    *out_found = ok && count > 0;
    if (*out_found)
        *out = *found;
    return ok;
}

bool store_list_score_configs(store *s, arena *a, size_t limit, size_t offset, score_config **out_list, size_t *out_count,
                              int64_t *out_total)
{
    int next = 1;
    s = store_take_reader(s);
    sqlite3_stmt *statement = store_prepare(s, "SELECT " STORE_CONFIG_COLUMNS " FROM score_configs"
                                               " ORDER BY created_ms DESC, id LIMIT ? OFFSET ?");
    store_bind_int(statement, &next, (int64_t)limit);
    store_bind_int(statement, &next, (int64_t)offset);
    bool ok = store_collect(statement, a, store_read_score_config, sizeof **out_list, out_list, out_count, NULL) &&
              store_read_number(store_prepare(s, "SELECT count(*) FROM score_configs"), out_total);
    store_give_reader(s, ok);
    return ok;
}
