#include "store_private.h"

#include "clock.h"

#include <stdlib.h>

static bool put_event(store *s, const event *e)
{
    sqlite3_stmt *statement = s->ready[PUT_EVENT];
    int next = 1;
    buf body = {0};
    json_write(&body, e->body);
    bind_int(statement, &next, e->type->kind);
    bind_text(statement, &next, e->body_id);
    bind_text(statement, &next, e->id);
    bind_int(statement, &next, e->timestamp_ms);
    bind_int(statement, &next, e->type->update);
    bind_text(statement, &next, text_of(e->type->name));
    bind_int(statement, &next, e->arrived_ns);
    bind_text(statement, &next, buf_view(&body));
    bool ok = !body.failed && run_ready(statement);
    buf_free(&body);
    return ok;
}

/* All events of one id, in the order in which they count. NULL when they cannot be read, or there are none. */
static event *get_events(store *s, arena *a, event_kind kind, text body_id, size_t *out_count)
{
    sqlite3_stmt *statement = s->ready[GET_EVENTS];
    event *events = NULL, *added;
    int next = 1, state;
    *out_count = 0;
    bind_int(statement, &next, kind);
    bind_text(statement, &next, body_id);
    while ((state = sqlite3_step(statement)) == SQLITE_ROW && (added = arena_add(a, &events, sizeof *added, out_count)) != NULL) {
        next = 0;
        added->body_id = body_id;
        added->type = event_type_of(column_text(statement, &next));
        added->timestamp_ms = column_int(statement, &next);
        added->arrived_ns = column_int(statement, &next);
        added->body = json_parse(a, arena_copy(a, column_text(statement, &next)));
        if (added->type == NULL) /* of a later version */
            --*out_count;
    }
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return state == SQLITE_DONE && !a->failed ? events : NULL;
}

/* Takes the old row away, which may stand under another trace or start. */
static bool forget_observation(store *s, text id)
{
    sqlite3_stmt *place = s->ready[GET_PLACE], *forget = s->ready[FORGET_ROW];
    int next = 1, column = 0;
    bind_text(place, &next, id);
    int state = sqlite3_step(place);
    bool ok = state == SQLITE_ROW || state == SQLITE_DONE;
    if (state == SQLITE_ROW) {
        next = 1;
        bind_text(forget, &next, column_text(place, &column));
        bind_text(forget, &next, id);
        bind_int(forget, &next, column_int(place, &column));
        ok = run_ready(forget);
    }
    sqlite3_reset(place);
    sqlite3_clear_bindings(place);
    return ok;
}

static bool replace_observation(store *s, const observation *row)
{
    sqlite3_stmt *remember = s->ready[PUT_PLACE];
    int next = 1;
    if (!forget_observation(s, row->id) || !put_row(s, row))
        return false;
    bind_text(remember, &next, row->id);
    bind_text(remember, &next, row->trace_id);
    bind_int(remember, &next, row->start_ns / CLOCK_NS_PER_MS);
    return run_ready(remember);
}

static bool fold_again(store *s, event_kind kind, text body_id)
{
    arena memory = {0};
    size_t count;
    const event *events = get_events(s, &memory, kind, body_id, &count);
    bool ok = events != NULL && count > 0;
    if (ok && kind == EVENT_OBSERVATION) {
        observation row = event_fold_observation(&memory, events, count);
        ok = !memory.failed && replace_observation(s, &row);
    } else if (ok && kind == EVENT_TRACE) {
        trace_record record = event_fold_trace(&memory, events, count);
        ok = !memory.failed && replace_trace(s, &record);
    } else if (ok && kind == EVENT_SCORE) {
        score given = event_fold_score(&memory, events, count);
        ok = !memory.failed && replace_score(s, &given);
    }
    arena_free(&memory);
    return ok;
}

static int by_row(const void *left, const void *right)
{
    const event *a = *(const event *const *)left, *b = *(const event *const *)right;
    int order = text_order(a->body_id, b->body_id);
    return order != 0 ? order : (int)a->type->kind - (int)b->type->kind;
}

/* Each id once, however many of its events are in the batch. */
static bool put_events(store *s, const event **order, size_t count)
{
    bool ok = !s->read_only && store_run(s, "BEGIN IMMEDIATE");
    for (size_t i = 0; ok && i < count; i++)
        ok = put_event(s, order[i]);
    qsort(order, count, sizeof *order, by_row);
    for (size_t i = 0; ok && i < count; i++)
        if (i == 0 || by_row(&order[i - 1], &order[i]) != 0)
            ok = fold_again(s, order[i]->type->kind, order[i]->body_id);
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
    bool ok = put_events(s, order, kept);
    pthread_mutex_unlock(&s->lock);
    return ok;
}
