/* Traces, sessions and single observations as they were read before Langfuse 4, trace by trace. Keys and their order are those
 * of a real server. */
#include "api.h"

#include "clock.h"
#include "member.h"
#include "metadata.h"
#include "parameter.h"
#include "price.h"
#include "usage.h"

#include <stdio.h>
#include <string.h>

enum { TRACES_DEFAULT_LIMIT = 50 };

/* Groups of fields of a trace that can be left out. */
enum traces_group {
    TRACES_IO = 1 << 0,
    TRACES_SCORES = 1 << 1,
    TRACES_OBSERVATIONS = 1 << 2,
    TRACES_METRICS = 1 << 3,
    TRACES_ALL_GROUPS = (1 << 4) - 1
};

typedef struct traces_reading {
    api *api;
    const http_request *request;
    http_answer *answer;
    buf *out;
    arena memory;
} traces_reading;

static traces_reading traces_begin(api *server, const http_request *request, http_answer *answer)
{
    return (traces_reading){.api = server, .request = request, .answer = answer, .out = &answer->body};
}

/* Where reading fails, http.c answers 500 instead of what is written. */
static void traces_end(traces_reading *r, bool ok)
{
    r->out->failed |= !ok || r->memory.failed;
    arena_free(&r->memory);
}

static const char *traces_id_behind(const http_request *request, const char *prefix)
{
    return request->path + strlen(prefix);
}

/* ---- One observation ---- */

static void traces_put_tokens(traces_reading *r, const json *stored, const char *const names[3])
{
    double input, output;
    usage_side(stored, "input", &input);
    usage_side(stored, "output", &output);
    member_number(r->out, names[0], input);
    member_number(r->out, names[1], output);
    member_number(r->out, names[2], json_number_at(stored, "total", 0));
}

static void traces_put_cost(traces_reading *r, const char *name, const json *cost, const char *side)
{
    double sum;
    bool known = usage_side(cost, side, &sum);
    member_number_if(r->out, known, name, sum);
}

/* Those of the default tier; 0 stands for none. */
static void traces_put_prices(traces_reading *r, const price_model *model)
{
    static const char *const names[][2] = {{"inputPrice", "input"}, {"outputPrice", "output"}, {"totalPrice", "total"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const price_rate *rate = price_rate_of(price_default_tier(model), text_of(names[i][1]));
        member_number(r->out, names[i][0], rate != NULL ? price_of(rate, 1) : 0);
    }
}

static void traces_put_counts(traces_reading *r, const observation *o)
{
    static const char *const names[] = {"input", "output", "total"};
    static const char *const older_names[] = {"promptTokens", "completionTokens", "totalTokens"};
    const json *counts = json_parse(&r->memory, o->usage), *cost = json_parse(&r->memory, o->cost);
    member_json(r->out, "usageDetails", o->usage);
    member_json(r->out, "costDetails", o->cost);
    member_tier(r->out, o->model_id, o->tier);
    traces_put_prices(r, price_of_id(o->model_id));
    traces_put_cost(r, "calculatedInputCost", cost, "input");
    traces_put_cost(r, "calculatedOutputCost", cost, "output");
    member_number(r->out, "calculatedTotalCost", json_number_at(cost, "total", 0));
    member_text(r->out, "unit", TEXT("TOKENS"));
    traces_put_tokens(r, counts, older_names);
    member_unless_empty(r->out, "modelId", o->model_id);
    buf_string(r->out, ",\"usage\":{\"unit\":\"TOKENS\"");
    traces_put_tokens(r, counts, names);
    buf_char(r->out, '}');
}

static void traces_put_observation(traces_reading *r, const observation *o)
{
    int64_t start_ms = o->start_ns / CLOCK_NS_PER_MS;
    bool is_event = text_is(o->type, "EVENT"), has_end = o->end_ns != OBSERVATION_OPEN && !is_event,
         has_completion = o->completion_start_ms >= 0;
    bool is_plain = is_event || text_is(o->type, "SPAN"); /* these have no parameters */
    buf_char(r->out, '{');
    member_text(r->out, "id", o->id);
    member_text(r->out, "traceId", o->trace_id);
    member_iso(r->out, "startTime", start_ms);
    member_iso_if(r->out, has_end, "endTime", o->end_ns / CLOCK_NS_PER_MS);
    member_text(r->out, "projectId", TEXT("local"));
    member_unless_empty(r->out, "parentObservationId", o->parent_id);
    member_text(r->out, "type", o->type);
    member_text(r->out, "environment", o->environment);
    member_unless_empty(r->out, "name", o->name);
    member_text(r->out, "level", o->level);
    member_unless_empty(r->out, "statusMessage", o->status_message);
    member_unless_empty(r->out, "version", o->version);
    member_iso(r->out, "createdAt", o->arrived_ns / CLOCK_NS_PER_MS);
    member_iso(r->out, "updatedAt", o->arrived_ns / CLOCK_NS_PER_MS);
    member_parsed(r->out, &r->memory, "input", o->input);
    member_parsed(r->out, &r->memory, "output", o->output);
    member_metadata(r->out, &r->memory,
                    observation_is_of_batch(o) ? o->metadata : metadata_of_before(&r->memory, o->metadata, o->own_metadata));
    member_unless_empty(r->out, "model", o->model);
    if (text_is(o->model_parameters, "{}") && (is_plain || observation_is_of_batch(o)))
        member_raw(r->out, "modelParameters", "null");
    else
        member_json(r->out, "modelParameters", o->model_parameters);
    member_iso_if(r->out, has_completion, "completionStartTime", o->completion_start_ms);
    member_unless_empty(r->out, "promptId", o->prompt_id);
    member_unless_empty(r->out, "promptName", o->prompt_name);
    member_number_if(r->out, o->prompt_version >= 0, "promptVersion", (double)o->prompt_version);
    member_seconds_if(r->out, has_end, "latency", start_ms, o->end_ns / CLOCK_NS_PER_MS);
    member_seconds_if(r->out, has_completion, "timeToFirstToken", start_ms, o->completion_start_ms);
    traces_put_counts(r, o);
    buf_char(r->out, '}');
}

/* ---- One trace ---- */

static void traces_put_trace(traces_reading *r, const trace_data *data, const trace_view *v, unsigned groups)
{
    int64_t at_ms = data->has_record ? data->record.timestamp_ms : v->start_ns / CLOCK_NS_PER_MS;
    member_text(r->out, "id", v->id);
    member_text(r->out, "projectId", TEXT("local"));
    member_unless_empty(r->out, "name", v->name);
    member_iso(r->out, "timestamp", at_ms);
    member_text(r->out, "environment", v->environment);
    member_json(r->out, "tags", v->tags);
    member_raw(r->out, "bookmarked", "false");
    member_unless_empty(r->out, "release", v->release);
    member_unless_empty(r->out, "version", v->version);
    member_unless_empty(r->out, "userId", v->user_id);
    member_unless_empty(r->out, "sessionId", v->session_id);
    member_bool(r->out, "public", v->is_public);
    if ((groups & TRACES_IO) != 0) {
        member_parsed(r->out, &r->memory, "input", v->input);
        member_parsed(r->out, &r->memory, "output", v->output);
        member_metadata(r->out, &r->memory, v->metadata);
    }
    member_iso(r->out, "createdAt", v->created_ns / CLOCK_NS_PER_MS);
    member_iso(r->out, "updatedAt", v->updated_ns / CLOCK_NS_PER_MS);
    member_raw(r->out, "externalId", "null");
}

static void traces_put_latency(traces_reading *r, const trace_view *v, unsigned groups)
{
    member_number(r->out, "latency",
                  (groups & TRACES_METRICS) != 0 ? (double)((v->end_ns / CLOCK_NS_PER_MS) - (v->start_ns / CLOCK_NS_PER_MS)) / 1000
                                                 : -1);
}

static void traces_put_path_and_cost(traces_reading *r, const trace_view *v, unsigned groups)
{
    buf path = {0};
    buf_string(&path, "/project/local/traces/");
    buf_text(&path, v->id);
    member_text(r->out, "htmlPath", buf_move(&path, &r->memory));
    member_number(r->out, "totalCost", (groups & TRACES_METRICS) != 0 ? (v->cost >= 0 ? v->cost : 0) : -1);
}

/* Rows come newest first; a trace lists them from its start. */
static void traces_put_observations(traces_reading *r, const trace_data *data, unsigned groups, bool whole)
{
    json_put_key(r->out, "observations");
    buf_char(r->out, '[');
    for (size_t i = (groups & TRACES_OBSERVATIONS) != 0 ? data->row_count : 0; i-- > 0;) {
        json_put_comma(r->out);
        if (whole)
            traces_put_observation(r, &data->rows[i]);
        else
            json_put_string(r->out, data->rows[i].id);
    }
    buf_char(r->out, ']');
}

static void traces_put_scores(traces_reading *r, const trace_data *data, unsigned groups, bool whole)
{
    json_put_key(r->out, "scores");
    buf_char(r->out, '[');
    for (size_t i = 0; (groups & TRACES_SCORES) != 0 && i < data->score_count; i++) {
        if (text_is(data->scores[i].data_type, "CORRECTION")) /* which old reads do not know */
            continue;
        json_put_comma(r->out);
        if (whole)
            api_put_score(r->out, &r->memory, &data->scores[i], false);
        else
            json_put_string(r->out, data->scores[i].id);
    }
    buf_char(r->out, ']');
}

static unsigned traces_groups_of(const http_request *request, arena *a)
{
    static const char *const names[] = {"io", "scores", "observations", "metrics"};
    size_t count;
    const text *given = parameter_values(request, a, "fields", true, &count);
    unsigned groups = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < sizeof names / sizeof *names; j++)
            groups |= text_is(given[i], names[j]) ? 1u << j : 0;
    return count > 0 ? groups : TRACES_ALL_GROUPS;
}

static void traces_put_whole_trace(traces_reading *r, const trace_data *data, unsigned groups)
{
    trace_view v = trace_view_of(&r->memory, data);
    buf_char(r->out, '{');
    traces_put_trace(r, data, &v, groups);
    traces_put_scores(r, data, groups, true);
    traces_put_latency(r, &v, groups);
    traces_put_observations(r, data, groups, true);
    traces_put_path_and_cost(r, &v, groups);
    buf_char(r->out, '}');
}

void api_get_trace(api *server, const http_request *request, http_answer *answer)
{
    traces_reading r = traces_begin(server, request, answer);
    const char *id = traces_id_behind(request, "/api/public/traces/");
    trace_data data;
    bool ok = store_load_trace(server->store, &r.memory, text_of(id), &data);
    if (ok && trace_is_known(&data)) {
        traces_put_whole_trace(&r, &data, traces_groups_of(request, &r.memory));
    } else if (ok) {
        char message[ISSUES_MAX_ID + 64];
        snprintf(message, sizeof message, "Trace %.*s not found within authorized project", ISSUES_MAX_ID, id);
        api_not_found(answer, text_of(message));
    }
    traces_end(&r, ok);
}

void api_delete_trace(api *server, const http_request *request, http_answer *answer)
{
    if (store_delete_trace(server->store, text_of(traces_id_behind(request, "/api/public/traces/"))))
        api_message(answer, 200, TEXT("Trace deleted successfully"), NULL);
    else
        api_failed(answer);
}

/* ---- Lists of traces ---- */

/* One trace of a list in an arena of its own, so that a page of large traces needs no more than the largest. */
static bool traces_put_listed(traces_reading *r, text id, unsigned groups, bool only_trace)
{
    traces_reading one = traces_begin(r->api, r->request, r->answer);
    trace_data data;
    bool ok = store_load_trace(r->api->store, &one.memory, id, &data);
    if (ok && trace_is_known(&data)) {
        trace_view v = trace_view_of(&one.memory, &data);
        buf_char(one.out, '{');
        traces_put_trace(&one, &data, &v, groups);
        if (!only_trace) {
            traces_put_scores(&one, &data, groups, false);
            traces_put_latency(&one, &v, groups);
            traces_put_observations(&one, &data, groups, false);
            traces_put_path_and_cost(&one, &v, groups);
        }
        buf_char(one.out, '}');
    } else {
        buf_string(one.out, "null"); /* deleted since it was listed */
    }
    ok = ok && !one.memory.failed;
    arena_free(&one.memory);
    return ok;
}

static bool traces_put_list(traces_reading *r, const text *ids, size_t count, unsigned groups, bool only_trace)
{
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        json_put_comma(r->out);
        ok = traces_put_listed(r, ids[i], groups, only_trace);
    }
    return ok;
}

static void traces_add_condition(store_trace_query *query, store_trace_column column, const text *values, size_t count)
{
    if (count > 0 && query->condition_count < STORE_MAX_TRACE_CONDITIONS)
        query->conditions[query->condition_count++] = (store_trace_condition){column, values, count};
}

static bool traces_add_tags(traces_reading *r, store_trace_query *query)
{
    size_t count;
    text *tags;
    if (!parameter_tags(r->request, &r->memory, "tags", &tags, &count, r->answer))
        return false;
    for (size_t i = 0; i < count; i++)
        traces_add_condition(query, STORE_TRACE_TAG, &tags[i], 1);
    return true;
}

static bool traces_read_order(traces_reading *r, store_trace_query *query)
{
    text given = text_of(http_query(r->request, "orderBy")), why = TEXT("");
    issues problems = {0};
    if (given.size == 0)
        return true;
    filter_status status = filter_read_order(&r->memory, given, &query->order, &query->oldest_first, &problems, &why);
    query->ordered = query->order != FILTER_START_TIME;
    return api_accept_filter(status, &problems, why, r->answer);
}

static bool traces_read_trace_query(const api *server, traces_reading *r, filter *f, store_trace_query *query)
{
    static const struct {
        const char *name;
        store_trace_column column;
        filter_column of_filter;
    } parameters[] = {
        {"userId", STORE_TRACE_USER, FILTER_USER_ID},          {"name", STORE_TRACE_NAME, FILTER_NAME},
        {"sessionId", STORE_TRACE_SESSION, FILTER_SESSION_ID}, {"version", STORE_TRACE_VERSION, FILTER_VERSION},
        {"release", STORE_TRACE_RELEASE, FILTER_RELEASE},      {"environment", STORE_TRACE_ENVIRONMENT, FILTER_ENVIRONMENT}};
    size_t count;
    if (!api_read_filter(server, r->request, &r->memory, f, r->answer) || !traces_read_order(r, query))
        return false;
    query->filter = f;
    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++) {
        if (filter_names(f, parameters[i].of_filter))
            continue;
        const text *values = parameter_values(r->request, &r->memory, parameters[i].name, false, &count);
        traces_add_condition(query, parameters[i].column, values, count);
    }
    if (!filter_names(f, FILTER_TAGS) && !traces_add_tags(r, query))
        return false;
    return filter_names(f, FILTER_START_TIME) || (parameter_time(r->request, "fromTimestamp", &query->from_ms, r->answer) &&
                                                  parameter_time(r->request, "toTimestamp", &query->to_ms, r->answer));
}

void api_list_traces(api *server, const http_request *request, http_answer *answer)
{
    traces_reading r = traces_begin(server, request, answer);
    store_trace_query query = {.from_ms = INT64_MIN, .to_ms = INT64_MAX};
    filter f = {.table = FILTER_TRACES};
    parameter_page page;
    text *ids;
    int64_t total;
    size_t count;
    bool ok = true;
    if (parameter_once(request, "tags,environment", "page,limit", answer) &&
        parameter_read_page(request, TRACES_DEFAULT_LIMIT, &page, answer) && traces_read_trace_query(server, &r, &f, &query)) {
        query.limit = page.limit;
        query.offset = page.offset;
        buf_string(r.out, "{\"data\":[");
        ok = store_find_traces(server->store, &r.memory, &query, &ids, &count, &total) &&
             traces_put_list(&r, ids, count, traces_groups_of(request, &r.memory), false);
        if (ok)
            parameter_put_page(r.out, &page, total);
    }
    traces_end(&r, ok);
}

/* ---- Sessions ---- */

static void traces_put_session(traces_reading *r, const store_session *row)
{
    member_text(r->out, "id", row->id);
    member_iso(r->out, "createdAt", row->created_ms);
    member_text(r->out, "projectId", TEXT("local"));
    member_text(r->out, "environment", row->environment);
}

void api_list_sessions(api *server, const http_request *request, http_answer *answer)
{
    traces_reading r = traces_begin(server, request, answer);
    store_session_query query = {.from_ms = INT64_MIN, .to_ms = INT64_MAX};
    store_session *rows;
    int64_t total;
    size_t count;
    parameter_page page;
    bool ok = true;
    query.environments = parameter_values(request, &r.memory, "environment", false, &query.environment_count);
    if (parameter_once(request, "environment", "page,limit", answer) &&
        parameter_read_page(request, TRACES_DEFAULT_LIMIT, &page, answer) &&
        parameter_time(request, "fromTimestamp", &query.from_ms, answer) &&
        parameter_time(request, "toTimestamp", &query.to_ms, answer)) {
        query.limit = page.limit;
        query.offset = page.offset;
        ok = store_find_sessions(server->store, &r.memory, &query, &rows, &count, &total);
        buf_string(r.out, "{\"data\":[");
        for (size_t i = 0; ok && i < count; i++) {
            json_put_comma(r.out);
            buf_char(r.out, '{');
            traces_put_session(&r, &rows[i]);
            buf_char(r.out, '}');
        }
        if (ok)
            parameter_put_page(r.out, &page, total);
    }
    traces_end(&r, ok);
}

void api_get_session(api *server, const http_request *request, http_answer *answer)
{
    traces_reading r = traces_begin(server, request, answer);
    text id = text_of(traces_id_behind(request, "/api/public/sessions/")), *ids;
    store_session_query query = {.id = id, .from_ms = INT64_MIN, .to_ms = INT64_MAX, .limit = 1};
    store_trace_query traces = {.from_ms = INT64_MIN, .to_ms = INT64_MAX, .oldest_first = true, .limit = INT32_MAX};
    store_session *rows;
    int64_t total;
    size_t count;
    traces_add_condition(&traces, STORE_TRACE_SESSION, &id, 1);
    bool ok = store_find_sessions(server->store, &r.memory, &query, &rows, &count, &total);
    if (ok && count == 0) {
        api_not_found(answer, TEXT("Session not found within authorized project"));
    } else if (ok) {
        buf_char(r.out, '{');
        traces_put_session(&r, &rows[0]);
        buf_string(r.out, ",\"traces\":[");
        ok = store_find_traces(server->store, &r.memory, &traces, &ids, &count, &total) &&
             traces_put_list(&r, ids, count, TRACES_ALL_GROUPS, true);
        buf_string(r.out, "]}");
    }
    traces_end(&r, ok);
}

/* ---- Observations ---- */

typedef struct traces_page {
    traces_reading *reading;
    size_t skip, count;
} traces_page;

static void traces_visit_row(void *context, const observation *row)
{
    traces_page *page = context;
    if (page->skip > 0) {
        page->skip--;
        return;
    }
    traces_reading one = traces_begin(page->reading->api, page->reading->request, page->reading->answer);
    page->count++;
    json_put_comma(one.out);
    traces_put_observation(&one, row);
    page->reading->memory.failed |= one.memory.failed;
    arena_free(&one.memory);
}

static bool traces_read_row_query(const api *server, traces_reading *r, filter *f, store_query *query)
{
    static const struct {
        const char *name;
        store_column column;
        filter_column of_filter;
    } parameters[] = {{"name", STORE_NAME, FILTER_NAME},          {"userId", STORE_USER_ID, FILTER_USER_ID},
                      {"type", STORE_TYPE, FILTER_TYPE},          {"traceId", STORE_TRACE_ID, FILTER_TRACE_ID},
                      {"level", STORE_LEVEL, FILTER_LEVEL},       {"parentObservationId", STORE_PARENT_ID, FILTER_PARENT_ID},
                      {"version", STORE_VERSION, FILTER_VERSION}, {"environment", STORE_ENVIRONMENT, FILTER_ENVIRONMENT}};
    size_t count;
    if (!parameter_once(r->request, "environment", "page,limit", r->answer) ||
        !api_read_filter(server, r->request, &r->memory, f, r->answer))
        return false;
    query->filter = f;
    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++) {
        if (filter_names(f, parameters[i].of_filter))
            continue;
        const text *values = parameters[i].column == STORE_ENVIRONMENT
                                 ? parameter_environments(r->request, &r->memory, &count)
                                 : parameter_values(r->request, &r->memory, parameters[i].name, false, &count);
        if (count > 0)
            query->conditions[query->condition_count++] = (store_condition){parameters[i].column, STORE_ANY_OF, values, count};
    }
    return api_accept_word(r->request, &r->memory, "type", observation_types, r->answer) &&
           api_accept_word(r->request, &r->memory, "level", observation_levels, r->answer) &&
           (filter_names(f, FILTER_START_TIME) || (parameter_time(r->request, "fromStartTime", &query->from_ms, r->answer) &&
                                                   parameter_time(r->request, "toStartTime", &query->to_ms, r->answer)));
}

void api_list_old_observations(api *server, const http_request *request, http_answer *answer)
{
    traces_reading r = traces_begin(server, request, answer);
    traces_page rows = {.reading = &r};
    store_query query = STORE_QUERY_ALL;
    filter f = {.table = FILTER_OBSERVATIONS};
    int64_t total;
    parameter_page page;
    bool ok = true;
    if (parameter_read_page(request, TRACES_DEFAULT_LIMIT, &page, answer) && traces_read_row_query(server, &r, &f, &query)) {
        query.limit = page.offset + page.limit;
        rows.skip = page.offset;
        buf_string(r.out, "{\"data\":[");
        ok = store_count_rows(server->store, &query, &total) && store_read(server->store, &query, traces_visit_row, &rows);
        if (ok)
            parameter_put_page(r.out, &page, total);
    }
    traces_end(&r, ok);
}

void api_get_old_observation(api *server, const http_request *request, http_answer *answer)
{
    traces_reading r = traces_begin(server, request, answer);
    traces_page rows = {.reading = &r};
    store_query query = STORE_QUERY_ALL;
    text id = text_of(traces_id_behind(request, "/api/public/observations/"));
    query.conditions[query.condition_count++] = (store_condition){STORE_ID, STORE_EQUALS, &id, 1};
    query.limit = 1;
    bool ok = store_read(server->store, &query, traces_visit_row, &rows);
    if (ok && rows.count == 0)
        api_not_found(answer, TEXT("Observation not found within authorized project"));
    traces_end(&r, ok);
}
