/* GET /api/public/v2/observations. Keys, their order and what stands for "absent" are those of a real server. */
#include "api.h"

#include "clock.h"
#include "js_date.h"
#include "member.h"
#include "parameter.h"
#include "price.h"
#include "usage.h"

#include <string.h>

enum {
    OBSERVATIONS_DEFAULT_LIMIT = 50,
    OBSERVATIONS_MAX_LIMIT = 1000,
    OBSERVATIONS_MAX_CUT = 200 /* characters of a metadata value when io is not asked for */
};

/* Groups of fields that can be asked for. */
enum observations_group {
    OBSERVATIONS_CORE = 1 << 0,
    OBSERVATIONS_BASIC = 1 << 1,
    OBSERVATIONS_TIME = 1 << 2,
    OBSERVATIONS_IO = 1 << 3,
    OBSERVATIONS_METADATA = 1 << 4,
    OBSERVATIONS_MODEL = 1 << 5,
    OBSERVATIONS_USAGE = 1 << 6,
    OBSERVATIONS_PROMPT = 1 << 7,
    OBSERVATIONS_METRICS = 1 << 8,
    OBSERVATIONS_TRACE_CONTEXT = 1 << 9
};

typedef struct observations_page {
    arena *arena;
    buf *out;
    unsigned groups;
    text expand; /* metadata keys that are not cut, between commas */
    size_t limit, count;
    bool more;
    store_position last;
} observations_page;

/* ---- One observation ---- */

static text observations_cut(text value, size_t characters)
{
    size_t end = 0;
    while (end < value.size && characters-- > 0) {
        size_t size = text_utf8_size(text_from(value, end));
        end += size > 0 ? size : 1;
    }
    return (text){value.at, end};
}

/* Values are kept as text, and read back as JSON when they parse as such. */
static void observations_put_metadata(observations_page *p, text stored)
{
    json_put_key(p->out, "metadata");
    buf_char(p->out, '{');
    for (const json *member = json_first(json_parse(p->arena, stored), JSON_OBJECT); member != NULL; member = member->next) {
        bool whole = (p->groups & OBSERVATIONS_IO) != 0 || text_lists(p->expand, member->key);
        json_put_name(p->out, member->key);
        json_put_parsed(p->out, p->arena, whole ? member->string : observations_cut(member->string, OBSERVATIONS_MAX_CUT));
    }
    buf_char(p->out, '}');
}

static void observations_put_side(observations_page *p, const char *name, const json *stored, const char *side, bool null_if_absent)
{
    double sum;
    bool known = usage_side(stored, side, &sum);
    member_number_if(p->out, known || !null_if_absent, name, sum);
}

static void observations_put_usage(observations_page *p, const observation *o)
{
    const json *counts = json_parse(p->arena, o->usage), *cost = json_parse(p->arena, o->cost);
    member_json(p->out, "usageDetails", o->usage);
    observations_put_side(p, "inputUsage", counts, "input", false);
    observations_put_side(p, "outputUsage", counts, "output", false);
    member_number(p->out, "totalUsage", json_number_at(counts, "total", 0));
    member_json(p->out, "costDetails", o->cost);
    observations_put_side(p, "inputCost", cost, "input", true);
    observations_put_side(p, "outputCost", cost, "output", true);
    member_number(p->out, "totalCost", json_number_at(cost, "total", 0));
}

static void observations_put_model(observations_page *p, const observation *o)
{
    member_text(p->out, "model", o->model);
    member_text(p->out, "internalModelId", o->model_id);
    member_json(p->out, "modelParameters", o->model_parameters);
}

/* Those of the default tier, as text. */
static void observations_put_prices(observations_page *p, const price_model *model)
{
    static const char *const names[][2] = {{"inputPrice", "input"}, {"outputPrice", "output"}, {"totalPrice", "total"}};
    member_unless_empty(p->out, "modelId", model != NULL ? model->id : TEXT(""));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const price_rate *rate = price_rate_of(price_default_tier(model), text_of(names[i][1]));
        json_put_key(p->out, names[i][0]);
        buf_string(p->out, rate != NULL ? "\"" : "null");
        if (rate == NULL)
            continue;
        json_put_number(p->out, price_of(rate, 1));
        buf_char(p->out, '"');
    }
}

static void observations_put_prompt(observations_page *p, const observation *o)
{
    member_text(p->out, "promptId", o->prompt_id.at != NULL ? o->prompt_id : TEXT(""));
    member_text(p->out, "promptName", o->prompt_name);
    member_number_if(p->out, o->prompt_version >= 0, "promptVersion", (double)o->prompt_version);
}

static void observations_put_time(observations_page *p, const observation *o)
{
    member_iso_if(p->out, o->completion_start_ms >= 0, "completionStartTime", o->completion_start_ms);
    member_iso(p->out, "createdAt", o->arrived_ns / CLOCK_NS_PER_MS);
    member_iso(p->out, "updatedAt", o->arrived_ns / CLOCK_NS_PER_MS);
}

/* Seconds between two times. As a metric that is asked for, 0 is null. */
static void observations_put_seconds(observations_page *p, bool known, const char *name, int64_t from_ms, int64_t to_ms)
{
    bool metric = (p->groups & OBSERVATIONS_METRICS) != 0;
    member_seconds_if(p->out, known && !(metric && from_ms == to_ms), name, from_ms, to_ms);
}

/* The latency is always told, the time to the first token when the client asks for metrics or for the completion start. */
static void observations_put_metrics(observations_page *p, const observation *o)
{
    int64_t start_ms = o->start_ns / CLOCK_NS_PER_MS;
    bool first = (p->groups & (OBSERVATIONS_METRICS | OBSERVATIONS_TIME)) != 0 && o->completion_start_ms >= 0;
    observations_put_seconds(p, o->end_ns != OBSERVATION_OPEN, "latency", start_ms, o->end_ns / CLOCK_NS_PER_MS);
    observations_put_seconds(p, first, "timeToFirstToken", start_ms, o->completion_start_ms);
}

static void observations_put_basic(observations_page *p, const observation *o)
{
    member_text(p->out, "name", o->name);
    member_text(p->out, "level", o->level);
    member_text(p->out, "statusMessage", o->status_message);
    member_text(p->out, "version", o->version);
    member_text(p->out, "environment", o->environment);
}

static void observations_put_core(observations_page *p, const observation *o)
{
    member_text(p->out, "id", o->id);
    member_text(p->out, "traceId", o->trace_id);
    member_iso(p->out, "startTime", o->start_ns / CLOCK_NS_PER_MS);
    member_iso_if(p->out, o->end_ns != OBSERVATION_OPEN, "endTime", o->end_ns / CLOCK_NS_PER_MS);
    member_text(p->out, "projectId", TEXT("local"));
    member_unless_empty(p->out, "parentObservationId", o->parent_id);
    member_text(p->out, "type", o->type);
}

static void observations_put_trace_context(observations_page *p, const observation *o)
{
    member_unless_empty(p->out, "traceName", o->trace_name);
    member_text(p->out, "release", o->release);
    member_json(p->out, "tags", o->tags);
}

static void observations_put_one(observations_page *p, const observation *o)
{
    unsigned groups = p->groups;
    buf_char(p->out, '{');
    observations_put_core(p, o);
    if ((groups & OBSERVATIONS_BASIC) != 0)
        observations_put_basic(p, o);
    if ((groups & OBSERVATIONS_TIME) != 0)
        observations_put_time(p, o);
    if ((groups & OBSERVATIONS_IO) != 0) {
        member_or_null(p->out, "input", o->input);
        member_or_null(p->out, "output", o->output);
    }
    if ((groups & OBSERVATIONS_METADATA) != 0)
        observations_put_metadata(p, o->metadata);
    if ((groups & OBSERVATIONS_MODEL) != 0)
        observations_put_model(p, o);
    if ((groups & OBSERVATIONS_USAGE) != 0)
        observations_put_usage(p, o);
    if ((groups & OBSERVATIONS_PROMPT) != 0)
        observations_put_prompt(p, o);
    if ((groups & OBSERVATIONS_USAGE) != 0)
        member_tier(p->out, o->model_id, o->tier);
    observations_put_metrics(p, o);
    if ((groups & OBSERVATIONS_BASIC) != 0) {
        member_text(p->out, "userId", o->user_id);
        member_text(p->out, "sessionId", o->session_id);
        member_bool(p->out, "isRootObservation", observation_is_root(o));
    }
    if ((groups & OBSERVATIONS_TRACE_CONTEXT) != 0)
        observations_put_trace_context(p, o);
    if ((groups & OBSERVATIONS_BASIC) != 0) {
        member_bool(p->out, "bookmarked", false);
        member_bool(p->out, "public", o->is_public);
    }
    observations_put_prices(p, (groups & OBSERVATIONS_MODEL) != 0 ? price_of_id(o->model_id) : NULL);
    buf_char(p->out, '}');
}

static void observations_visit_row(void *context, const observation *o)
{
    observations_page *p = context;
    if (p->count == p->limit) { /* one more than the client asks for tells whether there is a next page */
        p->more = true;
        return;
    }
    p->count++;
    json_put_comma(p->out);
    observations_put_one(p, o);
    p->last = (store_position){o->start_ns / CLOCK_NS_PER_MS, arena_copy(p->arena, o->trace_id), arena_copy(p->arena, o->id)};
}

/* ---- Cursor ---- */

static void observations_put_cursor(observations_page *p)
{
    buf plain = {0};
    buf_char(&plain, '{');
    member_iso(&plain, "lastStartTimeTo", p->last.start_ms);
    member_text(&plain, "lastTraceId", p->last.trace_id);
    member_text(&plain, "lastId", p->last.id);
    buf_char(&plain, '}');
    buf_string(p->out, "\"cursor\":\"");
    buf_base64(p->out, buf_move(&plain, p->arena));
    buf_char(p->out, '"');
}

static bool observations_read_cursor(arena *a, const char *given, store_position *out)
{
    const json *cursor = parameter_cursor(a, text_of(given)), *trace_id = json_get(cursor, "lastTraceId"),
               *id = json_get(cursor, "lastId");
    if (!json_is(trace_id, JSON_STRING) || !json_is(id, JSON_STRING))
        return false;
    *out = (store_position){0, trace_id->string, id->string};
    return js_date_parse(json_string_at(cursor, "lastStartTimeTo"), &out->start_ms);
}

/* ---- Parameters ---- */

/* Of a list between commas, names that are not known are left out. Without any list it is core and basic; core is always there. */
static unsigned observations_groups_of(const http_request *request, arena *a)
{
    static const char *const names[] = {"core",  "basic", "time",   "io",      "metadata",
                                        "model", "usage", "prompt", "metrics", "trace_context"};
    size_t count;
    const text *given = parameter_values(request, a, "fields", true, &count);
    unsigned groups = OBSERVATIONS_CORE;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < sizeof names / sizeof *names; j++)
            groups |= text_is(given[i], names[j]) ? 1u << j : 0;
    bool none = count == 0 || (count == 1 && given[0].size == 0);
    return none ? OBSERVATIONS_CORE | OBSERVATIONS_BASIC : groups;
}

/* Parameters that are conditions, where the filter names no such column. */
static const struct observations_column {
    const char *name;
    store_column column;
    filter_column of_filter;
} observations_columns[] = {
    {"traceId", STORE_TRACE_ID, FILTER_TRACE_ID},
    {"parentObservationId", STORE_PARENT_ID, FILTER_PARENT_ID},
    {"name", STORE_NAME, FILTER_NAME},
    {"type", STORE_TYPE, FILTER_TYPE},
    {"level", STORE_LEVEL, FILTER_LEVEL},
    {"environment", STORE_ENVIRONMENT, FILTER_ENVIRONMENT},
    {"version", STORE_VERSION, FILTER_VERSION},
    {"userId", STORE_USER_ID, FILTER_USER_ID},
    {"sessionId", STORE_SESSION_ID, FILTER_SESSION_ID},
};

#define OBSERVATIONS_COLUMN_COUNT (sizeof observations_columns / sizeof *observations_columns)

static store_condition *observations_add_condition(store_query *query)
{
    return query->condition_count < STORE_MAX_CONDITIONS ? &query->conditions[query->condition_count++] : NULL;
}

/* Only environments and fields may be given several times. */
static bool observations_check_parameters(arena *a, const http_request *request, http_answer *answer)
{
    static const char *const truths[] = {"true", "false", NULL};
    return api_accept_word(request, a, "type", observation_types, answer) &&
           api_accept_word(request, a, "level", observation_levels, answer) &&
           api_accept_word(request, a, "isRootObservation", truths, answer) &&
           parameter_once(request, "environment,fields", "limit", answer);
}

static void observations_read_simple_filters(arena *a, const http_request *request, store_query *query)
{
    for (size_t i = 0; i < OBSERVATIONS_COLUMN_COUNT; i++) {
        store_column column = observations_columns[i].column;
        size_t count = 0;
        if (filter_names(query->filter, observations_columns[i].of_filter))
            continue;
        const text *values = column == STORE_ENVIRONMENT
                                 ? parameter_environments(request, a, &count)
                                 : parameter_values(request, a, observations_columns[i].name, false, &count);
        store_condition *condition = count > 0 ? observations_add_condition(query) : NULL;
        if (condition != NULL)
            *condition = (store_condition){column, STORE_ANY_OF, values, count};
    }
    const char *root = http_query(request, "isRootObservation");
    if (root != NULL && !filter_names(query->filter, FILTER_IS_ROOT))
        query->root = strcmp(root, "true") == 0;
    if (filter_names(query->filter, FILTER_START_TIME)) {
        query->from_ms = INT64_MIN;
        query->to_ms = INT64_MAX;
    }
}

/* False, with an answer, when a parameter is not acceptable. */
static bool observations_read_query(const api *server, arena *a, const http_request *request, filter *f, store_query *query,
                                    http_answer *answer)
{
    const char *cursor = http_query(request, "cursor"), *parse_io = http_query(request, "parseIoAsJson");
    query->limit = OBSERVATIONS_DEFAULT_LIMIT;
    if (!observations_check_parameters(a, request, answer) ||
        !parameter_number(request, "limit", 0, OBSERVATIONS_MAX_LIMIT, &query->limit, answer))
        return false;
    if (parse_io != NULL && strcmp(parse_io, "true") == 0)
        return parameter_refuse(answer, "parseIoAsJson", "\"code\":\"custom\"",
                                "parseIoAsJson=true is no longer supported on the v2 observations endpoint. Input/output fields "
                                "are always returned as raw strings. Remove the parseIoAsJson parameter or set it to false.");
    if (!parameter_time(request, "fromStartTime", &query->from_ms, answer) ||
        !parameter_time(request, "toStartTime", &query->to_ms, answer))
        return false;
    if (cursor != NULL && !observations_read_cursor(a, cursor, &query->after))
        return api_invalid(answer, TEXT("Invalid cursor format"));
    if (!api_read_filter(server, request, a, f, answer))
        return false;
    query->filter = f;
    observations_read_simple_filters(a, request, query);
    return true;
}

void api_list_observations(api *server, const http_request *request, http_answer *answer)
{
    arena memory = {0};
    store_query query = STORE_QUERY_ALL;
    filter f = {.table = FILTER_OBSERVATIONS};
    observations_page p = {.arena = &memory, .out = &answer->body, .groups = observations_groups_of(request, &memory)};
    p.expand = text_of(http_query(request, "expandMetadata"));
    if (observations_read_query(server, &memory, request, &f, &query, answer)) {
        p.limit = query.limit++;
        buf_string(p.out, "{\"data\":[");
        bool ok = store_read(server->store, &query, observations_visit_row, &p);
        buf_string(p.out, "],\"meta\":{");
        if (p.more && p.count > 0)
            observations_put_cursor(&p);
        buf_string(p.out, "}}");
        answer->body.failed |= !ok || memory.failed;
    }
    arena_free(&memory);
}
