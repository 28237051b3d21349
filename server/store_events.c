#include "store_private.h"

#include "clock.h"

#include <stdlib.h>

/* *out_place is where the event is stored, 0 when it was there already. */
static bool store_put_event(store *s, const event *e, int64_t *out_place)
{
    sqlite3_stmt *statement = s->ready[STORE_PUT_EVENT];
    int next = 1;
    buf written = {0};
    if (e->source.at == NULL)
        json_write(&written, e->body);
    store_bind_int(statement, &next, e->type->kind);
    store_bind_text(statement, &next, e->body_id);
    store_bind_text(statement, &next, e->id);
    store_bind_int(statement, &next, e->timestamp_ms);
    store_bind_int(statement, &next, e->type->update);
    store_bind_text(statement, &next, text_of(e->type->name));
    store_bind_int(statement, &next, e->arrived_ns);
    store_bind_text(statement, &next, e->source.at != NULL ? e->source : buf_view(&written));
    bool ok = !written.failed && store_run_ready(statement);
    *out_place = ok && sqlite3_changes(s->db) > 0 ? sqlite3_last_insert_rowid(s->db) : 0;
    buf_free(&written);
    return ok;
}

/* Adds an event that is stored; one of a later version is passed over. */
static void store_fold_stored(sqlite3_stmt *statement, store_folded *into)
{
    arena memory = {0};
    int next = 0;
    event e = {.type = event_type_of(store_next_text(statement, &next))};
    e.timestamp_ms = store_next_int(statement, &next);
    e.arrived_ns = store_next_int(statement, &next);
    e.place = store_next_int(statement, &next);
    e.body = json_parse(&memory, store_next_text(statement, &next));
    if (e.type != NULL)
        fold_add(into->fold, &e);
    into->memory.failed |= memory.failed;
    arena_free(&memory);
}

/* The fold of all events that are stored of an id. NULL: the database failed, or out of memory. */
static store_folded *store_get_folded(store *s, event_kind kind, text id)
{
    sqlite3_stmt *statement = s->ready[STORE_GET_EVENTS];
    store_folded *entry = store_folds_find(&s->folds, kind, id);
    int next = 1, state;
    if (entry != NULL || (entry = store_folds_add(&s->folds, kind, id)) == NULL)
        return entry;
    store_bind_int(statement, &next, kind);
    store_bind_text(statement, &next, id);
    bool ok = true;
    while (ok && (state = sqlite3_step(statement)) == SQLITE_ROW) {
        store_fold_stored(statement, entry);
        ok = store_folds_shrink(entry);
    }
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return ok && state == SQLITE_DONE ? entry : NULL;
}

/* Takes away the row that the earlier events made: it may stand under another trace or start. */
static bool store_forget_row(store *s, text id, const event_place *place)
{
    sqlite3_stmt *forget = s->ready[STORE_FORGET_ROW];
    int next = 1;
    store_bind_text(forget, &next, place->trace_id);
    store_bind_text(forget, &next, id);
    store_bind_int(forget, &next, place->start_ns / CLOCK_NS_PER_MS);
    return store_run_ready(forget);
}

static bool store_replace_observation(store *s, const observation *row, const event_place *old)
{
    bool moves = old->trace_id.at != NULL &&
                 (old->start_ns / CLOCK_NS_PER_MS != row->start_ns / CLOCK_NS_PER_MS || !text_equal(old->trace_id, row->trace_id));
    return (!moves || store_forget_row(s, row->id, old)) && store_put_row(s, row);
}

/* A prompt that is not there is no prompt of the observation, as on a real server. */
static bool store_check_prompt(store *s, observation *row)
{
    sqlite3_stmt *statement = s->ready[STORE_HAS_PROMPT];
    int next = 1;
    if (row->prompt_name.size == 0)
        return true;
    store_bind_text(statement, &next, row->prompt_name);
    store_bind_int(statement, &next, row->prompt_version);
    int state = sqlite3_step(statement);
    if (state == SQLITE_DONE) {
        row->prompt_name = TEXT("");
        row->prompt_version = -1;
    }
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return state == SQLITE_ROW || state == SQLITE_DONE;
}

static bool store_put_folded(store *s, store_folded *entry, const event_place *old)
{
    arena memory = {0};
    bool ok = false;
    if (entry->kind == EVENT_OBSERVATION) {
        observation row = event_observation(&memory, entry->fold);
        ok = !memory.failed && store_check_prompt(s, &row) && store_replace_observation(s, &row, old);
    } else if (entry->kind == EVENT_TRACE) {
        trace_record record = event_trace(&memory, entry->fold);
        ok = !memory.failed && store_replace_trace(s, &record);
    } else if (entry->kind == EVENT_SCORE) {
        score given = event_score(&memory, entry->fold);
        ok = !memory.failed && store_replace_score(s, &given);
    }
    arena_free(&memory);
    return ok;
}

/* Stores events of one id, and the row that follows from them and the earlier ones. An event that is there changes nothing. */
static bool store_add_events(store *s, const event **events, size_t count)
{
    arena memory = {0};
    store_folded *entry = store_get_folded(s, events[0]->type->kind, events[0]->body_id);
    event_place old = entry != NULL ? event_place_of(entry->fold) : (event_place){TEXT_NONE, 0};
    bool ok = entry != NULL, changed = false;
    if (old.trace_id.at != NULL)
        old.trace_id = arena_copy(&memory, old.trace_id); /* the fold may give its memory back */
    for (size_t i = 0; ok && i < count; i++) {
        event e = *events[i];
        ok = store_put_event(s, &e, &e.place);
        if (!ok || e.place == 0)
            continue;
        fold_add(entry->fold, &e);
        changed = true;
        ok = store_folds_shrink(entry);
    }
    ok = ok && !memory.failed && (!changed || store_put_folded(s, entry, &old));
    if (ok)
        store_folds_settle(&s->folds, entry);
    arena_free(&memory);
    return ok;
}

/* By kind and id; events of one id keep their places. */
static int store_by_row(const void *left, const void *right)
{
    const event *a = *(const event *const *)left, *b = *(const event *const *)right;
    int order = text_order(a->body_id, b->body_id);
    if (order == 0)
        order = (int)a->type->kind - (int)b->type->kind;
    return order != 0 ? order : (a > b) - (a < b);
}

static size_t store_count_of_row(const event **order, size_t count)
{
    size_t same = 1;
    while (same < count && order[same]->type->kind == order[0]->type->kind && text_equal(order[same]->body_id, order[0]->body_id))
        same++;
    return same;
}

/* Another process may have written since. */
static bool store_check_folds(store *s)
{
    sqlite3_stmt *statement = s->ready[STORE_DATA_VERSION];
    bool ok = sqlite3_step(statement) == SQLITE_ROW;
    int64_t version = ok ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_reset(statement);
    if (version != s->folds.data_version)
        store_folds_clear(&s->folds);
    s->folds.data_version = version;
    return ok;
}

static bool store_put_and_fold(store *s, const event **order, size_t count)
{
    bool ok = !s->read_only && store_run(s, "BEGIN IMMEDIATE") && store_check_folds(s);
    qsort(order, count, sizeof *order, store_by_row);
    for (size_t i = 0, same; ok && i < count; i += same) {
        same = store_count_of_row(order + i, count - i);
        ok = store_add_events(s, order + i, same);
    }
    if (store_commit(s, ok))
        return true;
    store_folds_clear(&s->folds);
    return false;
}

bool store_put_events(store *s, arena *memory, const event *events, size_t count)
{
    size_t kept = 0;
    const event **order = arena_take(memory, count * sizeof *order);
    for (size_t i = 0; order != NULL && i < count; i++)
        if (events[i].body_id.size > 0)
            order[kept++] = &events[i];
    if (order == NULL || kept == 0)
        return order != NULL;
    pthread_mutex_lock(&s->lock);
    bool ok = store_put_and_fold(s, order, kept);
    pthread_mutex_unlock(&s->lock);
    return ok;
}
