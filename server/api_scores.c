/* Scores: creating, reading in the forms of two generations, deleting. Keys and their order are those of a real server. */
#include "api.h"

#include "clock.h"
#include "member.h"
#include "parameter.h"
#include "uuid.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SCORES_DEFAULT_LIMIT = 50, SCORES_MAX_LIMIT = 100 };

/* ---- Creating ---- */

/* *out is NULL when a real server drops the score. False when the database or memory failed. */
static bool scores_settle(api *server, arena *memory, const json *body, const json **out, unsigned *losses)
{
    score_config config;
    bool found = false;
    text config_id = json_string_at(body, "configId");
    if (config_id.size > 0 && !store_find_score_config(server->store, memory, config_id, &config, &found))
        return false;
    *out = score_settle(memory, body, found ? &config : NULL, losses);
    return !memory->failed;
}

bool api_settle_scores(api *server, arena *memory, event *events, size_t *count)
{
    size_t kept = 0;
    unsigned losses = 0;
    for (size_t i = 0; i < *count; i++) {
        event e = events[i];
        if (e.type->kind == EVENT_SCORE && !scores_settle(server, memory, e.body, &e.body, &losses))
            return false;
        if (e.body != NULL)
            events[kept++] = e;
    }
    *count = kept;
    api_warn_of_losses(server, losses);
    return true;
}

/* A score is stored as an event, so that scores of both routes can replace each other. The event's own id is random: a second
 * POST with the id of an earlier score replaces it. */
static void scores_store(api *server, const json *body, arena *memory, http_answer *answer)
{
    char event_id[UUID_SIZE], own_id[UUID_SIZE];
    text id = json_string_at(body, "id");
    size_t count = 1;
    if (!uuid_make(event_id) || !uuid_make(own_id)) {
        api_failed(answer);
        return;
    }
    event e = {.type = event_type_of(TEXT("score-create")), .id = text_of(event_id), .body = body, .arrived_ns = clock_now_ns()};
    e.body_id = id.size > 0 ? id : text_of(own_id);
    e.timestamp_ms = e.arrived_ns / CLOCK_NS_PER_MS;
    if (!api_settle_scores(server, memory, &e, &count) || !store_put_events(server->store, memory, &e, count)) {
        api_failed(answer);
        return;
    }
    buf_string(&answer->body, "{\"id\":");
    json_put_string(&answer->body, e.body_id);
    buf_char(&answer->body, '}');
}

/* The rules for ids are those of batches, and so are the words. */
static bool scores_refuse_id(const json *body, arena *memory, http_answer *answer)
{
    const json *id = json_get(body, "id");
    issues problems = {.prefix = "\"body\""};
    if (json_is(id, JSON_STRING) && id->string.size > 0)
        issues_check_id(&problems, id, "id", false);
    bool refused = problems.count > 0;
    if (refused) {
        answer->status = 400;
        buf_string(&answer->body, "{\"message\":");
        issues_put_pretty(&problems, memory, &answer->body);
        buf_char(&answer->body, '}');
    }
    issues_free(&problems);
    return refused;
}

static void scores_post_one(api *server, const json *body, arena *memory, http_answer *answer)
{
    issues problems = {0};
    score_check(body, false, &problems);
    if (!api_refused(answer, &problems) && !scores_refuse_id(body, memory, answer))
        scores_store(server, body, memory, answer);
}

/* ---- Creating many ---- */

typedef struct scores_array {
    score *accepted;
    size_t accepted_count, rejected_count;
    buf errors; /* between commas */
    unsigned losses;
    int64_t now_ns;
} scores_array;

static void scores_reject(scores_array *to, size_t index, arena *memory, issues *problems)
{
    buf message = {0}, list = {0};
    issues_put_array(problems, &list);
    const json *first = json_first(json_parse(memory, buf_view(&list)), JSON_ARRAY), *path = json_get(first, "path");
    buf_format(&message, "Score %zu: ", index);
    for (const json *step = json_first(path, JSON_ARRAY); step != NULL; step = step->next) {
        buf_text(&message, step->string);
        buf_string(&message, step->next != NULL ? ", " : ": ");
    }
    buf_text(&message, json_string_at(first, "message"));
    json_put_comma(&to->errors);
    buf_char(&to->errors, '{');
    member_text(&to->errors, "message", buf_view(&message));
    buf_char(&to->errors, '}');
    to->errors.failed |= message.failed || list.failed;
    to->rejected_count++;
    buf_free(&message);
    buf_free(&list);
}

/* False when the database or memory failed. A score that a real server drops counts as accepted. */
static bool scores_accept(api *server, scores_array *to, const json *body, arena *memory)
{
    char own_id[UUID_SIZE];
    text id = json_string_at(body, "id");
    const json *settled;
    if (!scores_settle(server, memory, body, &settled, &to->losses))
        return false;
    if (settled == NULL)
        return true;
    score *added = arena_add(memory, &to->accepted, sizeof *added, &to->accepted_count);
    if (added == NULL || !uuid_make(own_id))
        return false;
    *added = score_from_body(memory, id.size > 0 ? id : arena_copy(memory, text_of(own_id)), settled);
    added->created_ns = added->updated_ns = to->now_ns;
    if (!clock_parse_any(json_string_at(body, "timestamp"), &added->timestamp_ms))
        added->timestamp_ms = to->now_ns / CLOCK_NS_PER_MS;
    return !memory->failed;
}

static bool scores_take_array(api *server, scores_array *to, const json *list, arena *memory)
{
    size_t index = 0;
    bool ok = true;
    for (const json *body = list->first; ok && body != NULL; body = body->next, index++) {
        issues problems = {0};
        score_check(body, false, &problems);
        issues_check_id(&problems, json_string_at(body, "id").size > 0 ? json_get(body, "id") : NULL, "id", false);
        issues_check_datetime(&problems, json_get(body, "timestamp"), "timestamp", false);
        if (problems.count > 0)
            scores_reject(to, index, memory, &problems);
        else
            ok = scores_accept(server, to, body, memory);
        issues_free(&problems);
    }
    return ok && store_put_scores(server->store, to->accepted, to->accepted_count);
}

/* Unlike a single score, one of an array has a time: the same id with another time is another score. */
static void scores_post_array(api *server, const json *list, arena *memory, http_answer *answer)
{
    scores_array array = {.now_ns = clock_now_ns()};
    if (!scores_take_array(server, &array, list, memory)) {
        api_failed(answer);
    } else if (array.rejected_count == 0) {
        api_message(answer, 202, TEXT("Accepted"), NULL);
    } else {
        answer->status = 207;
        buf_format(&answer->body, "{\"accepted\":%zu,\"rejected\":%zu,\"errors\":[", json_count(list) - array.rejected_count,
                   array.rejected_count);
        buf_text(&answer->body, buf_view(&array.errors));
        buf_string(&answer->body, "]}");
        answer->body.failed |= array.errors.failed;
    }
    api_warn_of_losses(server, array.losses);
    buf_free(&array.errors);
}

void api_post_score(api *server, const http_request *request, http_answer *answer)
{
    arena memory = {0};
    const json *body = api_body(server, request, &memory);
    if (body == NULL)
        api_plain(answer, 400, "Invalid JSON");
    else if (body->kind == JSON_ARRAY && api_at_least(server, 4, 59))
        scores_post_array(server, body, &memory, answer);
    else
        scores_post_one(server, body, &memory, answer);
    arena_free(&memory);
}

void api_delete_score(api *server, const http_request *request, http_answer *answer)
{
    if (store_delete_score(server->store, text_of(request->path + strlen("/api/public/scores/"))))
        api_message(answer, 202, TEXT("Score deletion queued successfully"), NULL);
    else
        api_failed(answer);
}

/* ---- Writing ---- */

static void scores_put_string_value(buf *out, const score *s)
{
    if (text_is(s->data_type, "BOOLEAN"))
        member_text(out, "stringValue", s->value != 0 ? TEXT("True") : TEXT("False"));
    else
        member_or_null(out, "stringValue", score_has_number(s) ? TEXT_NONE : s->string_value);
}

static void scores_put_old_members(buf *out, arena *memory, const score *s, bool all_targets)
{
    member_text(out, "id", s->id);
    member_text(out, "projectId", TEXT("local"));
    member_text(out, "environment", s->environment);
    member_text(out, "name", s->name);
    if (!text_is(s->data_type, "TEXT"))
        member_number(out, "value", s->value);
    member_text(out, "source", s->source);
    member_raw(out, "authorUserId", "null");
    member_or_null(out, "comment", s->comment);
    member_metadata(out, memory, s->metadata);
    member_unless_empty(out, "configId", s->config_id);
    member_unless_empty(out, "queueId", s->queue_id);
    member_raw(out, "executionTraceId", "null");
    member_iso(out, "createdAt", s->created_ns / CLOCK_NS_PER_MS);
    member_iso(out, "updatedAt", s->updated_ns / CLOCK_NS_PER_MS);
    member_iso(out, "timestamp", s->timestamp_ms);
    member_unless_empty(out, "traceId", s->trace_id);
    member_unless_empty(out, "observationId", s->observation_id);
    if (all_targets) {
        member_unless_empty(out, "sessionId", s->session_id);
        member_unless_empty(out, "datasetRunId", s->dataset_run_id);
    }
    scores_put_string_value(out, s);
    member_text(out, "dataType", s->data_type);
}

void api_put_score(buf *out, arena *memory, const score *s, bool all_targets)
{
    buf_char(out, '{');
    scores_put_old_members(out, memory, s, all_targets);
    buf_char(out, '}');
}

static void scores_put_trace_of(buf *out, store *from, arena *memory, text trace_id)
{
    trace_data data = {0};
    json_put_key(out, "trace");
    if (trace_id.size == 0 || !store_load_trace(from, memory, trace_id, &data) || (data.row_count == 0 && !data.has_record)) {
        buf_string(out, "null");
        return;
    }
    trace_view v = trace_view_of(memory, &data);
    buf_char(out, '{');
    member_unless_empty(out, "userId", v.user_id);
    member_json(out, "tags", v.tags);
    member_text(out, "environment", v.environment);
    member_unless_empty(out, "sessionId", v.session_id);
    buf_char(out, '}');
}

/* ---- The v2 list ---- */

static void scores_add_condition(store_score_query *query, store_score_column column, const text *values, size_t count)
{
    if (count > 0 && query->condition_count < STORE_MAX_SCORE_CONDITIONS)
        query->conditions[query->condition_count++] = (store_score_condition){column, values, count};
}

static bool scores_check_word(const http_request *request, const char *name, const char *const *options, http_answer *answer)
{
    const char *given = http_query(request, name);
    const json word = {.kind = JSON_STRING, .string = text_of(given)};
    issues problem = {0};
    if (given != NULL)
        issues_check_option(&problem, &word, name, options);
    return !api_refused(answer, &problem);
}

static bool scores_read_operator(const http_request *request, store_score_query *query, http_answer *answer)
{
    static const char *const operators[] = {"<", ">", "<=", ">=", "!=", "=", NULL};
    const char *wanted = http_query(request, "operator"), *value = http_query(request, "value");
    double number = 0; /* what an empty value is */
    if (value != NULL && *value != '\0' && (!text_to_double(text_of(value), &number) || !isfinite(number)))
        return parameter_refuse(answer, "value", "\"expected\":\"number\",\"code\":\"invalid_type\",\"received\":\"NaN\"",
                                "Invalid input: expected number, received NaN");
    if (!scores_check_word(request, "operator", operators, answer))
        return false;
    if (wanted != NULL && value != NULL)
        query->comparisons[query->comparison_count++] = (struct store_comparison){wanted, number};
    return true;
}

static const char *const scores_sources[] = {"API", "EVAL", "ANNOTATION", NULL};
static const char *const scores_data_types[] = {"NUMERIC", "CATEGORICAL", "BOOLEAN", "CORRECTION", "TEXT", NULL};

/* Parameters that are conditions, where the filter names no such column. */
static const struct scores_parameter {
    const char *name;
    store_score_column column;
    bool split; /* commas separate values */
    filter_column of_filter;
} scores_parameters[] = {
    {"userId", STORE_SCORE_USER_OF_TRACE, false, FILTER_COLUMN_COUNT}, /* is asked of the trace all the same */
    {"name", STORE_SCORE_NAME, false, FILTER_NAME},
    {"environment", STORE_SCORE_ENVIRONMENT, false, FILTER_ENVIRONMENT},
    {"source", STORE_SCORE_SOURCE, false, FILTER_SOURCE},
    {"scoreIds", STORE_SCORE_ID, true, FILTER_ID},
    {"configId", STORE_SCORE_CONFIG, false, FILTER_COLUMN_COUNT},
    {"sessionId", STORE_SCORE_SESSION, false, FILTER_SESSION_ID},
    {"datasetRunId", STORE_SCORE_DATASET_RUN, false, FILTER_COLUMN_COUNT},
    {"traceId", STORE_SCORE_TRACE, false, FILTER_TRACE_ID},
    {"observationId", STORE_SCORE_OBSERVATION, true, FILTER_OBSERVATION_ID},
    {"queueId", STORE_SCORE_QUEUE, false, FILTER_COLUMN_COUNT},
    {"dataType", STORE_SCORE_DATA_TYPE, false, FILTER_DATA_TYPE},
};

static void scores_add_parameters(const http_request *request, arena *a, store_score_query *query)
{
    for (size_t i = 0; i < sizeof scores_parameters / sizeof *scores_parameters; i++) {
        const struct scores_parameter *p = &scores_parameters[i];
        size_t count = 0;
        const text *values = filter_names(query->filter, p->of_filter) ? NULL
                                                                       : parameter_values(request, a, p->name, p->split, &count);
        scores_add_condition(query, p->column, values, count);
    }
}

static bool scores_read_v2_query(const http_request *request, arena *a, store_score_query *query, http_answer *answer)
{
    size_t count;
    text *tags;
    scores_add_parameters(request, a, query);
    if (!scores_check_word(request, "dataType", scores_data_types, answer) ||
        !scores_check_word(request, "source", scores_sources, answer) ||
        !parameter_tags(request, a, "traceTags", &tags, &count, answer))
        return false;
    for (size_t i = 0; i < count; i++)
        scores_add_condition(query, STORE_SCORE_TAG_OF_TRACE, &tags[i], 1);
    return (filter_names(query->filter, FILTER_START_TIME) || (parameter_time(request, "fromTimestamp", &query->from_ms, answer) &&
                                                               parameter_time(request, "toTimestamp", &query->to_ms, answer))) &&
           (filter_names(query->filter, FILTER_VALUE) || scores_read_operator(request, query, answer));
}

static bool scores_read_fields(const http_request *request, bool *out_with_trace, http_answer *answer)
{
    const char *given = http_query(request, "fields");
    text fields = given != NULL && *given != '\0' ? text_of(given) : TEXT("score,trace");
    *out_with_trace = text_lists(fields, TEXT("trace"));
    if (!text_lists(fields, TEXT("score")))
        return api_invalid(answer, TEXT("Scores needs to be selected always."));
    if (*out_with_trace || (text_of(http_query(request, "userId")).size == 0 && http_query(request, "traceTags") == NULL))
        return true;
    return api_invalid(answer, TEXT("Cannot filter by trace properties (userId, traceTags) when 'trace' field is not included. "
                                    "Please add 'trace' to the fields parameter or remove trace filters."));
}

void api_list_scores_v2(api *server, const http_request *request, http_answer *answer)
{
    arena memory = {0};
    filter f = {.table = FILTER_SCORES};
    store_score_query query = {.filter = &f, .from_ms = INT64_MIN, .to_ms = INT64_MAX};
    static const char repeated[] = "environment,traceTags";
    bool with_trace;
    parameter_page page;
    score *scores;
    size_t count;
    int64_t total;
    if (parameter_once(request, repeated, "page,limit,value", answer) &&
        parameter_read_page(request, SCORES_DEFAULT_LIMIT, &page, answer) && scores_read_fields(request, &with_trace, answer) &&
        api_read_filter(server, request, &memory, &f, answer) && scores_read_v2_query(request, &memory, &query, answer)) {
        query.limit = page.limit;
        query.offset = page.offset;
        bool ok = store_find_scores(server->store, &memory, &query, &scores, &count, &total);
        buf_string(&answer->body, "{\"data\":[");
        for (size_t i = 0; ok && i < count; i++) {
            arena of_one = {0};
            json_put_comma(&answer->body);
            buf_char(&answer->body, '{');
            scores_put_old_members(&answer->body, &memory, &scores[i], true);
            if (with_trace)
                scores_put_trace_of(&answer->body, server->store, &of_one, scores[i].trace_id);
            buf_char(&answer->body, '}');
            arena_free(&of_one);
        }
        if (ok)
            parameter_put_page(&answer->body, &page, total);
        answer->body.failed |= !ok || memory.failed;
    }
    arena_free(&memory);
}

void api_get_score_v2(api *server, const http_request *request, http_answer *answer)
{
    arena memory = {0};
    text id = text_of(strstr(request->path, "/scores/") + strlen("/scores/"));
    store_score_query query = {.from_ms = INT64_MIN, .to_ms = INT64_MAX, .limit = 1};
    score *scores;
    size_t count;
    int64_t total;
    scores_add_condition(&query, STORE_SCORE_ID, &id, 1);
    if (!store_find_scores(server->store, &memory, &query, &scores, &count, &total))
        api_failed(answer);
    else if (count == 0)
        api_not_found(answer, TEXT("Score not found"));
    else
        api_put_score(&answer->body, &memory, &scores[0], true);
    arena_free(&memory);
}

/* ---- The v3 list ---- */

enum scores_group { SCORES_CORE = 1 << 0, SCORES_DETAILS = 1 << 1, SCORES_SUBJECT = 1 << 2, SCORES_ANNOTATION = 1 << 3 };

static void scores_put_subject(buf *out, const score *s)
{
    bool narrow = s->observation_id.size > 0;
    const char *kind = s->session_id.size > 0       ? "session"
                       : s->dataset_run_id.size > 0 ? "experiment"
                       : narrow                     ? "observation"
                                                    : "trace";
    text id = s->session_id.size > 0       ? s->session_id
              : s->dataset_run_id.size > 0 ? s->dataset_run_id
              : narrow                     ? s->observation_id
                                           : s->trace_id;
    json_put_key(out, "subject");
    buf_char(out, '{');
    member_text(out, "kind", text_of(kind));
    member_text(out, "id", id);
    if (strcmp(kind, "observation") == 0)
        member_text(out, "traceId", s->trace_id);
    buf_char(out, '}');
}

static void scores_put_v3(buf *out, arena *memory, const score *s, unsigned groups)
{
    buf_char(out, '{');
    member_text(out, "id", s->id);
    member_text(out, "projectId", TEXT("local"));
    member_text(out, "name", s->name);
    member_text(out, "source", s->source);
    member_iso(out, "timestamp", s->timestamp_ms);
    member_text(out, "environment", s->environment);
    member_iso(out, "createdAt", s->created_ns / CLOCK_NS_PER_MS);
    member_iso(out, "updatedAt", s->updated_ns / CLOCK_NS_PER_MS);
    if ((groups & SCORES_DETAILS) != 0) {
        member_or_null(out, "comment", s->comment);
        member_unless_empty(out, "configId", s->config_id);
        member_metadata(out, memory, s->metadata);
    }
    if ((groups & SCORES_ANNOTATION) != 0) {
        member_raw(out, "authorUserId", "null");
        member_unless_empty(out, "queueId", s->queue_id);
    }
    if ((groups & SCORES_SUBJECT) != 0)
        scores_put_subject(out, s);
    member_text(out, "dataType", s->data_type);
    if (text_is(s->data_type, "NUMERIC"))
        member_number(out, "value", s->value);
    else if (text_is(s->data_type, "BOOLEAN"))
        member_bool(out, "value", s->value != 0);
    else
        member_text(out, "value", s->string_value);
    buf_char(out, '}');
}

/* Base64 for URLs: two other characters, and no padding. */
static void scores_put_cursor(buf *out, arena *a, const score *last)
{
    buf plain = {0}, encoded = {0};
    buf_string(&plain, "{\"v\":1");
    member_iso(&plain, "lastTimestamp", last->timestamp_ms);
    member_text(&plain, "lastId", last->id);
    buf_char(&plain, '}');
    buf_base64(&encoded, buf_move(&plain, a));
    for (size_t i = 0; i < encoded.size; i++)
        encoded.at[i] = encoded.at[i] == '+' ? '-' : encoded.at[i] == '/' ? '_' : encoded.at[i];
    while (encoded.size > 0 && encoded.at[encoded.size - 1] == '=')
        encoded.size--;
    member_text(out, "cursor", buf_move(&encoded, a));
}

static bool scores_read_cursor(arena *a, const char *given, store_score_query *query)
{
    text encoded = arena_copy(a, text_of(given));
    char *at = (char *)encoded.at; /* the copy may be changed */
    for (size_t i = 0; i < encoded.size; i++)
        at[i] = at[i] == '-' ? '+' : at[i] == '_' ? '/' : at[i];
    const json *cursor = parameter_cursor(a, encoded);
    query->after_id = json_string_at(cursor, "lastId");
    return json_is(json_get(cursor, "lastId"), JSON_STRING) &&
           clock_parse_any(json_string_at(cursor, "lastTimestamp"), &query->after_ms);
}

typedef struct scores_unknown_keys {
    buf list;
    size_t count;
} scores_unknown_keys;

/* This route is strict: a parameter that it does not know is an error, so that a misspelt filter cannot look like an empty one. */
static void scores_visit_parameter(void *context, const char *name, const char *value)
{
    static const char known[] =
        "id,name,source,dataType,environment,configId,queueId,authorUserId,value,valueMin,valueMax,traceId,sessionId,"
        "observationId,experimentId,fromTimestamp,toTimestamp,limit,cursor,fields,userId,traceTags";
    scores_unknown_keys *unknown = context;
    (void)value;
    if (text_lists(TEXT(known), text_of(name)))
        return;
    unknown->count++;
    json_put_comma(&unknown->list);
    json_put_string(&unknown->list, text_of(name));
}

static bool scores_refuse_unknown(const http_request *request, http_answer *answer)
{
    scores_unknown_keys unknown = {0};
    http_queries(request, scores_visit_parameter, &unknown);
    if (unknown.count > 0) {
        buf message = {0};
        buf_string(&message, unknown.count > 1 ? "Unrecognized keys: " : "Unrecognized key: ");
        for (size_t i = 0; i < unknown.list.size; i++) {
            buf_char(&message, unknown.list.at[i]);
            if (unknown.list.at[i] == ',')
                buf_char(&message, ' ');
        }
        answer->status = 400;
        buf_string(&answer->body, "{\"message\":\"Invalid request data\",\"error\":[{\"code\":\"unrecognized_keys\",\"keys\":[");
        buf_text(&answer->body, buf_view(&unknown.list));
        buf_string(&answer->body, "],\"path\":[],\"message\":");
        json_put_string(&answer->body, buf_view(&message));
        buf_string(&answer->body, "}]}");
        buf_free(&message);
    }
    buf_free(&unknown.list);
    return unknown.count > 0;
}

static bool scores_read_groups(const http_request *request, arena *a, unsigned *out, http_answer *answer)
{
    static const char *const names[] = {"core", "details", "subject", "annotation", NULL};
    size_t count;
    const text *given = parameter_values(request, a, "fields", true, &count);
    *out = SCORES_CORE;
    for (size_t i = 0; i < count; i++) {
        size_t j = 0;
        while (names[j] != NULL && !text_is(given[i], names[j]))
            j++;
        if (names[j] == NULL) {
            char path[40];
            issues problem = {.prefix = path};
            snprintf(path, sizeof path, "\"fields\",%zu", i);
            issues_add_option(&problem, "", names);
            return !api_refused(answer, &problem);
        }
        *out |= 1u << j;
    }
    return true;
}

/* What the route is asked for, before it is looked at: each a list of values that commas separate. */
typedef struct scores_list {
    text *values;
    size_t count;
} scores_list;

/* Empty values count as absent. */
static scores_list scores_list_of(const http_request *request, arena *a, const char *name)
{
    scores_list list;
    size_t given, kept = 0;
    list.values = parameter_values(request, a, name, true, &given);
    for (size_t i = 0; i < given; i++)
        if (list.values[i].size > 0)
            list.values[kept++] = list.values[i];
    list.count = kept;
    return list;
}

/* Sources and data types are written in any case. */
static scores_list scores_words_of(const http_request *request, arena *a, const char *name, const char *const *known, issues *to)
{
    scores_list list = scores_list_of(request, a, name);
    for (size_t i = 0; i < list.count; i++) {
        size_t j = 0;
        buf message = {0};
        list.values[i] = arena_upper(a, list.values[i]);
        while (known[j] != NULL && !text_is(list.values[i], known[j]))
            j++;
        if (known[j] != NULL)
            continue;
        buf_format(&message, "Invalid %s value: \"", name);
        buf_text(&message, list.values[i]);
        buf_string(&message, "\". Allowed: ");
        for (size_t k = 0; known[k] != NULL; k++)
            buf_format(&message, "%s%s", k > 0 ? ", " : "", known[k]);
        issues_add_refined(to, name, buf_view(&message));
        buf_free(&message);
    }
    return list;
}

static void scores_refuse_value(issues *to, const char *before, text value)
{
    buf message = {0};
    buf_string(&message, before);
    buf_string(&message, " (got \"");
    buf_text(&message, value);
    buf_string(&message, "\")");
    issues_add_refined(to, "", buf_view(&message));
    buf_free(&message);
}

/* Values need one data type, because the same word means different things in each. */
static void scores_read_values(const scores_list *types, const scores_list *values, arena *a, store_score_query *query, issues *to)
{
    text type = types->count == 1 ? types->values[0] : TEXT("");
    bool truth = text_is(type, "BOOLEAN");
    double *numbers = arena_take(a, values->count * sizeof *numbers);
    if (values->count == 0 || numbers == NULL)
        return;
    if (types->count != 1) {
        issues_add_refined(to, "", TEXT("value filter requires a single dataType from: NUMERIC, BOOLEAN, CATEGORICAL"));
    } else if (text_is(type, "CATEGORICAL")) {
        scores_add_condition(query, STORE_SCORE_STRING_VALUE, values->values, values->count);
    } else if (!truth && !text_is(type, "NUMERIC")) {
        scores_refuse_value(to, "value filter requires dataType to be NUMERIC, BOOLEAN, or CATEGORICAL", type);
    } else {
        for (size_t i = 0; i < values->count; i++) {
            text value = values->values[i];
            if (truth && !text_is(value, "true") && !text_is(value, "false"))
                scores_refuse_value(to, "value filter with dataType=BOOLEAN requires each value to be \"true\" or \"false\"",
                                    value);
            else if (truth)
                numbers[i] = text_is(value, "true");
            else if (!text_to_double(value, &numbers[i]) || !isfinite(numbers[i]))
                scores_refuse_value(to, "value filter with dataType=NUMERIC requires each value to be a finite number", value);
        }
        query->numbers = numbers;
        query->number_count = values->count;
    }
}

/* False, with an answer, when a bound is no number. */
static bool scores_read_bounds(const http_request *request, const scores_list *types, store_score_query *query, issues *to,
                               http_answer *answer)
{
    static const char *const bounds[][2] = {{"valueMin", ">="}, {"valueMax", "<="}};
    bool any = false;
    for (size_t i = 0; i < 2; i++) {
        text given = text_of(http_query(request, bounds[i][0]));
        double number;
        if (given.size == 0)
            continue;
        if (!text_to_double(given, &number) || !isfinite(number))
            return parameter_refuse(answer, bounds[i][0], "\"expected\":\"number\",\"code\":\"invalid_type\",\"received\":\"NaN\"",
                                    "Invalid input: expected number, received NaN");
        query->comparisons[query->comparison_count++] = (struct store_comparison){bounds[i][1], number};
        any = true;
    }
    if (any && (types->count != 1 || !text_is(types->values[0], "NUMERIC")))
        issues_add_refined(to, "", TEXT("valueMin and valueMax require dataType=NUMERIC as a single value"));
    return true;
}

static void scores_check_subjects(const http_request *request, arena *a, issues *to)
{
    static const char *const exclusive[] = {"traceId", "sessionId", "experimentId"};
    size_t given = 0;
    for (size_t i = 0; i < 3; i++)
        given += scores_list_of(request, a, exclusive[i]).count > 0;
    if (scores_list_of(request, a, "observationId").count > 0 && scores_list_of(request, a, "traceId").count == 0)
        issues_add_refined(to, "", TEXT("observationId filter requires traceId — observation IDs are scoped to a trace"));
    if (given > 1)
        issues_add_refined(to, "", TEXT("At most one of traceId, sessionId, experimentId may be specified"));
}

/* What the older list knows about traces. */
static void scores_refuse_traces(const http_request *request, issues *to)
{
    if (text_of(http_query(request, "userId")).size > 0)
        issues_add_refined(to, "",
                           TEXT("userId filter requires a trace JOIN and is not supported in v3 — use v2 or omit this filter"));
    if (text_of(http_query(request, "traceTags")).size > 0)
        issues_add_refined(to, "",
                           TEXT("traceTags filter requires a trace JOIN and is not supported in v3 — use v2 or omit this filter"));
}

static bool scores_read_v3_filters(const http_request *request, arena *a, store_score_query *query, http_answer *answer)
{
    static const struct {
        const char *name;
        store_score_column column;
    } filters[] = {
        {"id", STORE_SCORE_ID},
        {"name", STORE_SCORE_NAME},
        {"environment", STORE_SCORE_ENVIRONMENT},
        {"configId", STORE_SCORE_CONFIG},
        {"queueId", STORE_SCORE_QUEUE},
        {"traceId", STORE_SCORE_TRACE},
        {"sessionId", STORE_SCORE_SESSION},
        {"observationId", STORE_SCORE_OBSERVATION},
        {"experimentId", STORE_SCORE_DATASET_RUN},
    };
    issues problems = {0};
    scores_list source = scores_words_of(request, a, "source", scores_sources, &problems),
                types = scores_words_of(request, a, "dataType", scores_data_types, &problems),
                values = scores_list_of(request, a, "value");
    if (api_refused(answer, &problems)) /* what follows goes by valid types */
        return false;
    problems = (issues){0};
    scores_refuse_traces(request, &problems);
    scores_read_values(&types, &values, a, query, &problems);
    if (!scores_read_bounds(request, &types, query, &problems, answer)) {
        issues_free(&problems);
        return false;
    }
    scores_check_subjects(request, a, &problems);
    scores_add_condition(query, STORE_SCORE_SOURCE, source.values, source.count);
    scores_add_condition(query, STORE_SCORE_DATA_TYPE, types.values, types.count);
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
        scores_list list = scores_list_of(request, a, filters[i].name);
        scores_add_condition(query, filters[i].column, list.values, list.count);
    }
    return !api_refused(answer, &problems);
}

static bool scores_read_v3_query(const http_request *request, arena *a, store_score_query *query, http_answer *answer)
{
    const char *cursor = http_query(request, "cursor");
    query->limit = SCORES_DEFAULT_LIMIT;
    if (!parameter_number(request, "limit", 1, SCORES_MAX_LIMIT, &query->limit, answer) ||
        !parameter_date(request, "fromTimestamp", &query->from_ms, answer) ||
        !parameter_date(request, "toTimestamp", &query->to_ms, answer) || !scores_read_v3_filters(request, a, query, answer))
        return false;
    return cursor == NULL || scores_read_cursor(a, cursor, query) || api_invalid(answer, TEXT("Invalid cursor format"));
}

static bool scores_put_v3_page(store *from, arena *a, store_score_query *query, unsigned groups, buf *out)
{
    score *scores;
    size_t count, limit = query->limit++; /* one more than the client asks for tells whether there is a next page */
    int64_t total;
    bool ok = store_find_scores(from, a, query, &scores, &count, &total);
    size_t shown = ok && count < limit ? count : limit;
    buf_string(out, "{\"data\":[");
    for (size_t i = 0; ok && i < shown; i++) {
        json_put_comma(out);
        scores_put_v3(out, a, &scores[i], groups);
    }
    buf_format(out, "],\"meta\":{\"limit\":%zu", limit);
    if (ok && count > limit)
        scores_put_cursor(out, a, &scores[limit - 1]);
    buf_string(out, "}}");
    return ok;
}

void api_list_scores_v3(api *server, const http_request *request, http_answer *answer)
{
    arena memory = {0};
    store_score_query query = {.from_ms = INT64_MIN, .to_ms = INT64_MAX};
    unsigned groups;
    if (!scores_refuse_unknown(request, answer) && parameter_once(request, "", "limit", answer) &&
        scores_read_groups(request, &memory, &groups, answer) && scores_read_v3_query(request, &memory, &query, answer)) {
        if (text_of(http_query(request, "authorUserId")).size > 0) /* no score has an author here */
            query.to_ms = INT64_MIN;
        bool ok = scores_put_v3_page(server->store, &memory, &query, groups, &answer->body);
        answer->body.failed |= !ok || memory.failed;
    }
    arena_free(&memory);
}
