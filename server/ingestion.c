#include "ingestion.h"

#include "clock.h"
#include "cost.h"
#include "loss.h"
#include "usage.h"

#include <stdlib.h>

typedef struct ingestion_judging {
    arena *arena;
    const ingestion_rules *rules;
    buf errors, refused; /* what is refused for its type comes last */
    event *events;
    size_t count;
} ingestion_judging;

/* ---- The answer ---- */

static void ingestion_put_error(buf *out, text id, unsigned status, const char *message)
{
    json_put_comma(out);
    buf_string(out, "{\"id\":");
    json_put_string(out, id);
    buf_format(out, ",\"status\":%u,\"message\":\"%s\",\"error\":", status, message);
}

/* The id or the type of an event for its answer, whatever the event is. */
static text ingestion_string_or_unknown(const json *given, const char *key)
{
    const json *value = json_get(given, key);
    return json_is(value, JSON_STRING) ? value->string : TEXT("unknown");
}

static void ingestion_refuse_type(ingestion_judging *j, const json *given)
{
    buf reason = {0};
    buf_string(&reason, "Event type \"");
    buf_text(&reason, ingestion_string_or_unknown(given, "type"));
    buf_string(&reason,
               "\" is not accepted by /api/public/ingestion when LANGFUSE_MIGRATION_V4_WRITE_MODE is events_only. This endpoint "
               "only accepts score and log events. Upgrade the client or integration to a v4-compatible SDK or OTLP ingestion "
               "path. As a temporary migration bridge, set LANGFUSE_MIGRATION_V4_WRITE_MODE=dual on both the web and worker "
               "services and redeploy. Docs: https://langfuse.com/self-hosting/upgrade/upgrade-guides/upgrade-v3-to-v4");
    ingestion_put_error(&j->refused, ingestion_string_or_unknown(given, "id"), 400, "Event type not accepted");
    json_put_string(&j->refused, buf_move(&reason, j->arena));
    buf_char(&j->refused, '}');
}

static void ingestion_put_successes(buf *out, const ingestion_judging *j)
{
    buf_string(out, "{\"successes\":[");
    for (size_t i = 0; i < j->count; i++) {
        json_put_comma(out);
        buf_string(out, "{\"id\":");
        json_put_string(out, j->events[i].id);
        buf_string(out, ",\"status\":201}");
    }
    buf_string(out, "],\"errors\":[");
    buf_text(out, buf_view(&j->errors));
    if (j->errors.size > 0 && j->refused.size > 0)
        buf_char(out, ',');
    buf_text(out, buf_view(&j->refused));
    buf_string(out, "]}");
    out->failed |= j->errors.failed || j->refused.failed;
}

/* ---- Judging ---- */

static bool ingestion_is_for_scores(const json *given)
{
    const json *type = json_get(given, "type");
    return json_is_string(type, "score-create") || json_is_string(type, "sdk-log");
}

static void ingestion_keep(ingestion_judging *j, const event *e)
{
    event *added = arena_add(j->arena, &j->events, sizeof *added, &j->count);
    if (added != NULL)
        *added = *e;
}

static void ingestion_judge_one(ingestion_judging *j, const json *given)
{
    issues problems = {0};
    event e;
    if (j->rules->scores_only && !ingestion_is_for_scores(given)) {
        ingestion_refuse_type(j, given);
        return;
    }
    event_check(given, &problems, &e);
    if (problems.count > 0) {
        ingestion_put_error(&j->errors, ingestion_string_or_unknown(given, "id"), 400, "Invalid request data");
        issues_put_pretty(&problems, j->arena, &j->errors);
        buf_char(&j->errors, '}');
    } else if (j->rules->bearer && !ingestion_is_for_scores(given)) {
        ingestion_put_error(&j->errors, ingestion_string_or_unknown(given, "id"), 401, "Authentication error");
        buf_string(&j->errors, "\"Access Scope Denied\"}");
    } else if (e.type->kind != EVENT_LOG) { /* logs are accepted, and appear in neither list */
        e.arrived_ns = j->rules->now_ns;
        ingestion_keep(j, &e);
    }
    issues_free(&problems);
}

/* The order in which a real server takes events: creates by their time, then updates by theirs. Equal ones keep their places. */
static int ingestion_by_order(const void *left, const void *right)
{
    const event *a = *(const event *const *)left, *b = *(const event *const *)right;
    if (a->type->update != b->type->update)
        return a->type->update ? 1 : -1;
    if (a->timestamp_ms != b->timestamp_ms)
        return a->timestamp_ms < b->timestamp_ms ? -1 : 1;
    return a < b ? -1 : a > b;
}

static void ingestion_put_in_order(ingestion_judging *j)
{
    const event **order = arena_take(j->arena, j->count * sizeof *order);
    event *sorted = arena_take(j->arena, j->count * sizeof *sorted);
    if (order == NULL || sorted == NULL)
        return;
    for (size_t i = 0; i < j->count; i++)
        order[i] = &j->events[i];
    qsort(order, j->count, sizeof *order, ingestion_by_order);
    for (size_t i = 0; i < j->count; i++)
        sorted[i] = *order[i];
    j->events = sorted;
}

event *ingestion_judge(arena *a, const json *batch, const ingestion_rules *rules, buf *out_answer, size_t *out_count)
{
    ingestion_judging j = {.arena = a, .rules = rules};
    for (const json *given = batch->first; given != NULL; given = given->next)
        ingestion_judge_one(&j, given);
    ingestion_put_in_order(&j);
    ingestion_put_successes(out_answer, &j);
    out_answer->failed |= a->failed;
    buf_free(&j.errors);
    buf_free(&j.refused);
    *out_count = j.count;
    return j.events;
}

/* ---- Losses ---- */

static int ingestion_by_id_and_time(const void *left, const void *right)
{
    const event *a = *(const event *const *)left, *b = *(const event *const *)right;
    int order = text_order(a->body_id, b->body_id);
    return order != 0 ? order : (a->timestamp_ms > b->timestamp_ms) - (a->timestamp_ms < b->timestamp_ms);
}

/* An event that is only repeated, under its own id, loses nothing. */
static bool ingestion_has_scores_of_one_time(const event **scores, size_t count)
{
    qsort(scores, count, sizeof *scores, ingestion_by_id_and_time);
    for (size_t i = 1; i < count; i++)
        if (ingestion_by_id_and_time(&scores[i - 1], &scores[i]) == 0 && !text_equal(scores[i - 1]->id, scores[i]->id))
            return true;
    return false;
}

/* Of costs below 0 an event keeps none. */
static bool ingestion_keeps_costs(const json *costs)
{
    for (const json *cost = json_first(costs, JSON_OBJECT); cost != NULL; cost = cost->next)
        if (cost->kind == JSON_NUMBER && cost->number < 0)
            return false;
    return cost_is_whole(costs);
}

unsigned ingestion_losses(arena *a, const event *events, size_t count)
{
    const event **scores = arena_take(a, count * sizeof *scores);
    size_t score_count = 0;
    unsigned losses = 0;
    for (size_t i = 0; scores != NULL && i < count; i++) {
        const json *body = events[i].body;
        if (events[i].type->kind == EVENT_OBSERVATION && !usage_is_whole(json_get(body, "usageDetails")))
            losses |= LOSS_USAGE;
        if (events[i].type->kind == EVENT_OBSERVATION && !ingestion_keeps_costs(json_get(body, "costDetails")))
            losses |= LOSS_COST;
        if (events[i].type->kind == EVENT_SCORE && events[i].body_id.size > 0)
            scores[score_count++] = &events[i];
    }
    return losses | (scores != NULL && ingestion_has_scores_of_one_time(scores, score_count) ? LOSS_SCORE : 0u);
}

/* ---- The route ---- */

static void ingestion_refuse_body(http_answer *answer, const char *expected, const json *got)
{
    issues problem = {0};
    arena memory = {0};
    issues_add_type(&problem, "batch", expected, got);
    const json *parsed = json_parse(&memory, buf_view(&problem.list));
    answer->status = 400;
    buf_string(&answer->body, "{\"message\":\"Invalid request data\",\"errors\":[");
    json_put_string(&answer->body, json_string_at(parsed, "message"));
    buf_string(&answer->body, "]}");
    issues_free(&problem);
    arena_free(&memory);
}

static void ingestion_take_batch(api *server, const http_request *request, arena *memory, const json *batch, http_answer *answer)
{
    ingestion_rules rules = {
        .scores_only = server->events_only, .bearer = api_is_bearer(server, request), .now_ns = clock_now_ns()};
    size_t count;
    event *events = ingestion_judge(memory, batch, &rules, &answer->body, &count);
    answer->status = 207;
    if (answer->body.failed)
        return;
    if (api_settle_scores(server, memory, events, &count) && store_put_events(server->store, memory, events, count)) {
        api_warn_of_losses(server, ingestion_losses(memory, events, count));
        return;
    }
    answer->body.size = 0;
    answer->status = 500;
    buf_string(&answer->body, "{\"message\":\"Internal Server Error\",\"errors\":[\"the database refused the batch\"]}");
}

void ingestion_post(api *server, const http_request *request, http_answer *answer)
{
    arena memory = {0};
    const json *body = api_body(server, request, &memory), *batch = json_get(body, "batch");
    if (body == NULL)
        api_plain(answer, memory.failed ? 413 : 400, memory.failed ? "Body exceeded 4.5mb limit" : "Invalid JSON");
    else if (!json_is(body, JSON_OBJECT))
        ingestion_refuse_body(answer, "object", body);
    else if (!json_is(batch, JSON_ARRAY))
        ingestion_refuse_body(answer, "array", batch);
    else
        ingestion_take_batch(server, request, &memory, batch, answer);
    arena_free(&memory);
}
