#include "store_prompts.h"

#include "store_private.h"

#define STORE_PROMPT_COLUMNS "id, name, version, type, content, config, commit_message, labels, tags, created_ms, updated_ms"
#define STORE_VERSION_COLUMNS "id, name, version, type, NULL, NULL, commit_message, labels, tags, created_ms, updated_ms"
#define STORE_LIST_COLUMNS "id, name, version, type, NULL, config, commit_message, labels, tags, created_ms, updated_ms"

/* A list in a column has the value: a search in the text of the list would find "a" at the end of "q\"a", too. */
#define STORE_HAS(column, mark) "EXISTS (SELECT 1 FROM json_each(" column ") WHERE value = " mark ")"

store *store_begin(store *s, bool write)
{
    if (!write)
        return store_take_reader(s);
    pthread_mutex_lock(&s->lock);
    if (store_run(s, "BEGIN IMMEDIATE"))
        return s;
    store_commit(s, false); /* keeps the reason */
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

bool store_end(store *used, bool keep)
{
    if (used->is_read) { /* there is nothing to keep */
        store_give_reader(used, keep);
        return true;
    }
    bool ok = store_commit(used, keep);
    pthread_mutex_unlock(&used->lock);
    return ok || !keep;
}

/* ---- Reading ---- */

static void store_read_prompt(sqlite3_stmt *statement, int *next, arena *a, void *item)
{
    prompt *p = item;
    p->id = store_next_copy(statement, next, a);
    p->name = store_next_copy(statement, next, a);
    p->version = store_next_int(statement, next);
    p->type = store_next_copy(statement, next, a);
    p->content = store_next_copy(statement, next, a);
    p->config = store_next_copy(statement, next, a);
    p->commit_message = store_next_copy(statement, next, a);
    p->labels = json_parse(a, store_next_copy(statement, next, a));
    p->tags = json_parse(a, store_next_copy(statement, next, a));
    p->created_ms = store_next_int(statement, next);
    p->updated_ms = store_next_int(statement, next);
    a->failed |= p->labels == NULL || p->tags == NULL;
}

/* Finalizes the statement. */
static bool store_collect_prompts(arena *a, sqlite3_stmt *statement, prompt **out_list, size_t *out_count)
{
    return store_collect(statement, a, store_read_prompt, sizeof(prompt), out_list, out_count, NULL);
}

bool store_find_prompt(store *s, arena *a, text name, int64_t version, text label, prompt *out, bool *out_found)
{
    int next = 1;
    prompt *list;
    size_t count;
    sqlite3_stmt *statement = store_prepare(
        s, version != 0 ? "SELECT " STORE_PROMPT_COLUMNS " FROM prompts WHERE name = ? AND version = ?"
                        : "SELECT " STORE_PROMPT_COLUMNS " FROM prompts WHERE name = ? AND " STORE_HAS("labels", "?"));
    store_bind_text(statement, &next, name);
    if (version != 0)
        store_bind_int(statement, &next, version);
    else
        store_bind_text(statement, &next, label);
    bool ok = store_collect_prompts(a, statement, &list, &count);
    *out_found = ok && count > 0;
    if (*out_found)
        *out = list[0];
    return ok;
}

bool store_prompt_versions(store *s, arena *a, text name, prompt **out_versions, size_t *out_count)
{
    static const char sql[] = "SELECT " STORE_VERSION_COLUMNS " FROM prompts WHERE name = ? ORDER BY version";
    return store_collect_prompts(a, store_prepare_with(s, sql, name), out_versions, out_count);
}

static void store_read_dependent(sqlite3_stmt *statement, int *next, arena *a, void *item)
{
    store_dependent *d = item;
    d->parent_name = store_next_copy(statement, next, a);
    d->wanted = store_next_copy(statement, next, a);
    d->parent_version = store_next_int(statement, next);
    d->version = store_next_int(statement, next);
}

bool store_prompt_dependents(store *s, arena *a, text child_name, store_dependent **out_list, size_t *out_count)
{
    sqlite3_stmt *statement = store_prepare_with(
        s,
        "SELECT p.name, r.wanted, p.version, CASE WHEN r.by_version THEN r.wanted ELSE 0 END"
        " FROM prompt_references AS r JOIN prompts AS p ON p.id = r.parent_id WHERE r.child_name = ? ORDER BY r.rowid",
        child_name);
    return store_collect(statement, a, store_read_dependent, sizeof(store_dependent), out_list, out_count, NULL);
}

/* ---- Lists ---- */

#define STORE_MATCHES                                                                              \
    "(?1 = '' OR name = ?1) AND (?4 = 0 OR version = ?4) AND updated_ms >= ?5 AND updated_ms < ?6" \
    " AND (?2 = '' OR " STORE_HAS("labels", "?2") ")"                                              \
                                                  " AND (?3 = '' OR " STORE_HAS("tags", "?3") ")"

static void store_bind_matches(sqlite3_stmt *statement, const store_prompt_query *query)
{
    int next = 1;
    store_bind_text(statement, &next, query->name);
    store_bind_text(statement, &next, query->label);
    store_bind_text(statement, &next, query->tag);
    store_bind_int(statement, &next, query->version);
    store_bind_int(statement, &next, query->from_ms);
    store_bind_int(statement, &next, query->to_ms);
}

static bool store_count_names(store *s, const store_prompt_query *query, int64_t *out_total)
{
    sqlite3_stmt *statement = store_prepare(s, "SELECT count(DISTINCT name) FROM prompts WHERE " STORE_MATCHES);
    store_bind_matches(statement, query);
    return store_read_number(statement, out_total);
}

bool store_list_prompts(store *s, arena *a, const store_prompt_query *query, prompt **out_versions, size_t *out_count,
                        int64_t *out_total)
{
    int next = 7;
    if (!store_count_names(s, query, out_total))
        return false;
    sqlite3_stmt *statement = store_prepare(s, "SELECT " STORE_LIST_COLUMNS " FROM prompts WHERE " STORE_MATCHES " AND name IN"
                                               " (SELECT name FROM prompts WHERE " STORE_MATCHES " GROUP BY name ORDER BY name"
                                               "  LIMIT ?7 OFFSET ?8) ORDER BY name, version");
    store_bind_matches(statement, query);
    store_bind_int(statement, &next, (int64_t)query->limit);
    store_bind_int(statement, &next, (int64_t)query->offset);
    return store_collect_prompts(a, statement, out_versions, out_count);
}

/* ---- Writing ---- */

typedef struct store_lists {
    buf labels, tags;
} store_lists;

static store_lists store_write_lists(const prompt *p)
{
    store_lists l = {{0}, {0}};
    json_write(&l.labels, p->labels);
    json_write(&l.tags, p->tags);
    return l;
}

static bool store_free_lists(store_lists *l)
{
    bool ok = !l->labels.failed && !l->tags.failed;
    buf_free(&l->labels);
    buf_free(&l->tags);
    return ok;
}

static bool store_add_reference(store *s, text parent_id, const prompt_reference *r)
{
    int next = 1;
    sqlite3_stmt *statement = store_prepare(
        s, "INSERT INTO prompt_references (parent_id, child_name, wanted, by_version) VALUES (?,?,?,?)");
    store_bind_text(statement, &next, parent_id);
    store_bind_text(statement, &next, r->name);
    store_bind_text(statement, &next, r->wanted);
    store_bind_int(statement, &next, r->by_version);
    return store_run_once(statement);
}

bool store_add_prompt(store *s, const prompt *p, const prompt_reference *references, size_t count)
{
    int next = 1;
    store_lists l = store_write_lists(p);
    sqlite3_stmt *statement = store_prepare(s, "INSERT INTO prompts (" STORE_PROMPT_COLUMNS ") VALUES (?,?,?,?,?,?,?,?,?,?,?)");
    store_bind_text(statement, &next, p->id);
    store_bind_text(statement, &next, p->name);
    store_bind_int(statement, &next, p->version);
    store_bind_text(statement, &next, p->type);
    store_bind_text(statement, &next, p->content);
    store_bind_text(statement, &next, p->config);
    store_bind_optional(statement, &next, p->commit_message);
    store_bind_text(statement, &next, buf_view(&l.labels));
    store_bind_text(statement, &next, buf_view(&l.tags));
    store_bind_int(statement, &next, p->created_ms);
    store_bind_int(statement, &next, p->updated_ms);
    bool ok = store_run_once(statement);
    ok = store_free_lists(&l) && ok;
    for (size_t i = 0; ok && i < count; i++)
        ok = store_add_reference(s, p->id, &references[i]);
    return ok;
}

bool store_update_prompt(store *s, const prompt *p)
{
    int next = 1;
    store_lists l = store_write_lists(p);
    sqlite3_stmt *statement = store_prepare(s, "UPDATE prompts SET labels = ?, tags = ?, updated_ms = ? WHERE id = ?");
    store_bind_text(statement, &next, buf_view(&l.labels));
    store_bind_text(statement, &next, buf_view(&l.tags));
    store_bind_int(statement, &next, p->updated_ms);
    store_bind_text(statement, &next, p->id);
    bool ok = store_run_once(statement);
    return store_free_lists(&l) && ok;
}

bool store_remove_prompt(store *s, text id)
{
    return store_run_once(store_prepare_with(s, "DELETE FROM prompt_references WHERE parent_id = ?", id)) &&
           store_run_once(store_prepare_with(s, "DELETE FROM prompts WHERE id = ?", id));
}
