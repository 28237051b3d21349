#include "store_private.h"

#include "clock.h"

#include <stdlib.h>

static bool store_put_event(store *s, const event *e)
{
    sqlite3_stmt *statement = s->ready[STORE_PUT_EVENT];
    int next = 1;
    buf body = {0};
    json_write(&body, e->body);
    store_bind_int(statement, &next, e->type->kind);
    store_bind_text(statement, &next, e->body_id);
    store_bind_text(statement, &next, e->id);
    store_bind_int(statement, &next, e->timestamp_ms);
    store_bind_int(statement, &next, e->type->update);
    store_bind_text(statement, &next, text_of(e->type->name));
    store_bind_int(statement, &next, e->arrived_ns);
    store_bind_text(statement, &next, buf_view(&body));
    bool ok = !body.failed && store_run_ready(statement);
    buf_free(&body);
    return ok;
}

/* All events of one id, in the order in which they count. NULL when they cannot be read, or there are none. */
static event *store_get_events(store *s, arena *a, event_kind kind, text body_id, size_t *out_count)
{
    sqlite3_stmt *statement = s->ready[STORE_GET_EVENTS];
    event *events = NULL, *added;
    int next = 1, state;
    *out_count = 0;
    store_bind_int(statement, &next, kind);
    store_bind_text(statement, &next, body_id);
    while ((state = sqlite3_step(statement)) == SQLITE_ROW && (added = arena_add(a, &events, sizeof *added, out_count)) != NULL) {
        next = 0;
        added->body_id = body_id;
        added->type = event_type_of(store_next_text(statement, &next));
        added->timestamp_ms = store_next_int(statement, &next);
        added->arrived_ns = store_next_int(statement, &next);
        added->body = json_parse(a, arena_copy(a, store_next_text(statement, &next)));
        if (added->type == NULL) /* of a later version */
            --*out_count;
    }
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return state == SQLITE_DONE && !a->failed ? events : NULL;
}

/* Takes the old row away, which may stand under another trace or start. */
static bool store_forget_observation(store *s, text id)
{
    sqlite3_stmt *place = s->ready[STORE_GET_PLACE], *forget = s->ready[STORE_FORGET_ROW];
    int next = 1, column = 0;
    store_bind_text(place, &next, id);
    int state = sqlite3_step(place);
    bool ok = state == SQLITE_ROW || state == SQLITE_DONE;
    if (state == SQLITE_ROW) {
        next = 1;
        store_bind_text(forget, &next, store_next_text(place, &column));
        store_bind_text(forget, &next, id);
        store_bind_int(forget, &next, store_next_int(place, &column));
        ok = store_run_ready(forget);
    }
    sqlite3_reset(place);
    sqlite3_clear_bindings(place);
    return ok;
}

static bool store_replace_observation(store *s, const observation *row)
{
    sqlite3_stmt *remember = s->ready[STORE_PUT_PLACE];
    int next = 1;
    if (!store_forget_observation(s, row->id) || !store_put_row(s, row))
        return false;
    store_bind_text(remember, &next, row->id);
    store_bind_text(remember, &next, row->trace_id);
    store_bind_int(remember, &next, row->start_ns / CLOCK_NS_PER_MS);
    return store_run_ready(remember);
}

static bool store_fold_again(store *s, event_kind kind, text body_id)
{
    arena memory = {0};
    size_t count;
    const event *events = store_get_events(s, &memory, kind, body_id, &count);
    bool ok = events != NULL && count > 0;
    if (ok && kind == EVENT_OBSERVATION) {
        observation row = event_fold_observation(&memory, events, count);
        ok = !memory.failed && store_replace_observation(s, &row);
    } else if (ok && kind == EVENT_TRACE) {
        trace_record record = event_fold_trace(&memory, events, count);
        ok = !memory.failed && store_replace_trace(s, &record);
    } else if (ok && kind == EVENT_SCORE) {
        score given = event_fold_score(&memory, events, count);
        ok = !memory.failed && store_replace_score(s, &given);
    }
    arena_free(&memory);
    return ok;
}

static int store_by_row(const void *left, const void *right)
{
    const event *a = *(const event *const *)left, *b = *(const event *const *)right;
    int order = text_order(a->body_id, b->body_id);
    return order != 0 ? order : (int)a->type->kind - (int)b->type->kind;
}

/* Each id once, however many of its events are in the batch. */
static bool store_put_and_fold(store *s, const event **order, size_t count)
{
    bool ok = !s->read_only && store_run(s, "BEGIN IMMEDIATE");
    for (size_t i = 0; ok && i < count; i++)
        ok = store_put_event(s, order[i]);
    qsort(order, count, sizeof *order, store_by_row);
    for (size_t i = 0; ok && i < count; i++)
        if (i == 0 || store_by_row(&order[i - 1], &order[i]) != 0)
            ok = store_fold_again(s, order[i]->type->kind, order[i]->body_id);
    return store_commit(s, ok);
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
