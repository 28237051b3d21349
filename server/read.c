/* Reading observations back; see read.h. Keys, their order and what stands for "absent" are those of a real server. */
#include "read.h"
#include "clock.h"
#include "json.h"

#include <string.h>

#define DEFAULT_LIMIT 50
#define MAX_LIMIT 1000
#define MAX_CUT 200 /* characters of a metadata value when io is not asked for */

/* Groups of fields that can be asked for. */
enum group {
    CORE = 1 << 0,
    BASIC = 1 << 1,
    TIME = 1 << 2,
    IO = 1 << 3,
    METADATA = 1 << 4,
    MODEL = 1 << 5,
    USAGE = 1 << 6,
    PROMPT = 1 << 7,
    METRICS = 1 << 8,
    TRACE_CONTEXT = 1 << 9
};

typedef struct page {
    arena *arena;
    buf *out;
    unsigned groups;
    text expand; /* metadata keys that are not cut, between commas */
    size_t limit, count;
    bool more;
    store_position last;
} page;

/* --- one observation --- */

static void put_text(page *p, const char *name, text value)
{
    json_put_key(p->out, name);
    json_put_string(p->out, value);
}

static void put_or_null(page *p, const char *name, text value)
{
    json_put_key(p->out, name);
    if (value.at)
        json_put_string(p->out, value);
    else
        buf_string(p->out, "null");
}

static void put_raw(page *p, const char *name, const char *value)
{
    json_put_key(p->out, name);
    buf_string(p->out, value);
}

static void put_bool(page *p, const char *name, bool value)
{
    put_raw(p, name, value ? "true" : "false");
}

static void put_iso(page *p, const char *name, int64_t ms)
{
    char iso[CLOCK_ISO_SIZE];
    clock_iso(ms, iso);
    put_text(p, name, text_of(iso));
}

/* Seconds between two times in whole milliseconds. */
static void put_seconds(page *p, const char *name, int64_t from_ms, int64_t to_ms)
{
    json_put_key(p->out, name);
    json_put_number(p->out, (double)(to_ms - from_ms) / 1000);
}

static void put_member(page *p, const char *name, const json *object, const char *key, const char *absent)
{
    const json *value = json_get(object, key);
    json_put_key(p->out, name);
    if (value)
        json_write(p->out, value);
    else
        buf_string(p->out, absent);
}

static bool is_listed(text list, text word)
{
    while (list.len > 0) {
        const char *comma = memchr(list.at, ',', list.len);
        size_t len = comma ? (size_t)(comma - list.at) : list.len;
        if (text_equal(text_trim((text){ list.at, len }), word))
            return true;
        list = comma ? (text){ comma + 1, list.len - len - 1 } : TEXT("");
    }
    return false;
}

static text cut(text value, size_t characters)
{
    size_t end = 0;
    while (end < value.len && characters-- > 0) {
        size_t len = text_utf8_length((text){ value.at + end, value.len - end });
        end += len ? len : 1;
    }
    return (text){ value.at, end };
}

/* Values are kept as text, and read back as JSON when they parse as such. */
static void put_metadata(page *p, text stored)
{
    const json *object = json_parse(p->arena, stored);
    json_put_key(p->out, "metadata");
    buf_char(p->out, '{');
    for (const json *member = object ? object->first : NULL; member; member = member->next) {
        bool whole = p->groups & IO || is_listed(p->expand, member->key);
        text value = whole ? member->string : cut(member->string, MAX_CUT);
        const json *parsed = json_parse(p->arena, value);
        if (member != object->first)
            buf_char(p->out, ',');
        json_put_string(p->out, member->key);
        buf_char(p->out, ':');
        if (parsed)
            json_write(p->out, parsed);
        else
            json_put_string(p->out, value);
    }
    buf_char(p->out, '}');
}

static void put_usage(page *p, const observation *o)
{
    const json *usage = json_parse(p->arena, o->usage), *cost = json_parse(p->arena, o->cost);
    json_put_key(p->out, "usageDetails");
    buf_text(p->out, o->usage);
    put_member(p, "inputUsage", usage, "input", "0");
    put_member(p, "outputUsage", usage, "output", "0");
    put_member(p, "totalUsage", usage, "total", "0");
    json_put_key(p->out, "costDetails");
    buf_text(p->out, o->cost);
    put_member(p, "inputCost", cost, "input", "null");
    put_member(p, "outputCost", cost, "output", "null");
    put_member(p, "totalCost", cost, "total", "0");
}

static void put_model(page *p, const observation *o)
{
    put_text(p, "model", o->model);
    put_text(p, "internalModelId", TEXT("")); /* there is no price list here */
    json_put_key(p->out, "modelParameters");
    buf_text(p->out, o->model_parameters);
}

static void put_prompt(page *p, const observation *o)
{
    put_text(p, "promptId", TEXT(""));
    put_text(p, "promptName", o->prompt_name);
    json_put_key(p->out, "promptVersion");
    if (o->prompt_version >= 0)
        buf_format(p->out, "%lld", (long long)o->prompt_version);
    else
        buf_string(p->out, "null");
}

static void put_time(page *p, const observation *o)
{
    if (o->completion_start_ms >= 0)
        put_iso(p, "completionStartTime", o->completion_start_ms);
    else
        put_raw(p, "completionStartTime", "null");
    put_iso(p, "createdAt", o->arrived_ns / 1000000);
    put_iso(p, "updatedAt", o->arrived_ns / 1000000);
}

/* Time to the first token is only known here when the completion start was asked for too. */
static void put_latency(page *p, const observation *o)
{
    int64_t start_ms = o->start_ns / 1000000;
    put_seconds(p, "latency", start_ms, o->end_ns / 1000000);
    if (p->groups & TIME && o->completion_start_ms >= 0)
        put_seconds(p, "timeToFirstToken", start_ms, o->completion_start_ms);
    else
        put_raw(p, "timeToFirstToken", "null");
}

static void put_basic(page *p, const observation *o)
{
    put_text(p, "name", o->name);
    put_text(p, "level", o->level);
    put_text(p, "statusMessage", o->status_message);
    put_text(p, "version", o->version);
    put_text(p, "environment", o->environment);
}

static void put_core(page *p, const observation *o)
{
    put_text(p, "id", o->id);
    put_text(p, "traceId", o->trace_id);
    put_iso(p, "startTime", o->start_ns / 1000000);
    put_iso(p, "endTime", o->end_ns / 1000000);
    put_text(p, "projectId", TEXT("local"));
    put_or_null(p, "parentObservationId", o->parent_id.len ? o->parent_id : (text){ NULL, 0 });
    put_text(p, "type", o->type);
}

static void put_trace_context(page *p, const observation *o)
{
    put_text(p, "traceName", o->trace_name);
    put_text(p, "release", o->release);
    json_put_key(p->out, "tags");
    buf_text(p->out, o->tags);
}

static void put_observation(page *p, const observation *o)
{
    unsigned groups = p->groups;
    buf_char(p->out, '{');
    if (groups & CORE)
        put_core(p, o);
    if (groups & BASIC)
        put_basic(p, o);
    if (groups & TIME)
        put_time(p, o);
    if (groups & IO) {
        put_or_null(p, "input", o->input);
        put_or_null(p, "output", o->output);
    }
    if (groups & METADATA)
        put_metadata(p, o->metadata);
    if (groups & MODEL)
        put_model(p, o);
    if (groups & USAGE)
        put_usage(p, o);
    if (groups & PROMPT)
        put_prompt(p, o);
    if (groups & USAGE) {
        put_raw(p, "usagePricingTierId", "null");
        put_raw(p, "usagePricingTierName", "null");
    }
    put_latency(p, o);
    if (groups & BASIC) {
        put_text(p, "userId", o->user_id);
        put_text(p, "sessionId", o->session_id);
        put_bool(p, "isRootObservation", observation_is_root(o));
    }
    if (groups & TRACE_CONTEXT)
        put_trace_context(p, o);
    if (groups & BASIC) {
        put_bool(p, "bookmarked", false);
        put_bool(p, "public", o->is_public);
    }
    put_raw(p, "modelId", "null");
    put_raw(p, "inputPrice", "null");
    put_raw(p, "outputPrice", "null");
    put_raw(p, "totalPrice", "null");
    buf_char(p->out, '}');
}

static void visit_row(void *context, const observation *o)
{
    page *p = context;
    if (p->count == p->limit) { /* one more than asked for was read, to know whether there is a next page */
        p->more = true;
        return;
    }
    if (p->count++)
        buf_char(p->out, ',');
    put_observation(p, o);
    p->last = (store_position){ o->start_ns / 1000000, arena_copy(p->arena, o->trace_id), arena_copy(p->arena, o->id) };
}

/* --- cursor --- */

static void put_cursor(page *p)
{
    char iso[CLOCK_ISO_SIZE];
    buf plain = { 0 };
    clock_iso(p->last.start_ms, iso);
    buf_string(&plain, "{\"lastStartTimeTo\":");
    json_put_string(&plain, text_of(iso));
    buf_string(&plain, ",\"lastTraceId\":");
    json_put_string(&plain, p->last.trace_id);
    buf_string(&plain, ",\"lastId\":");
    json_put_string(&plain, p->last.id);
    buf_char(&plain, '}');
    buf_string(p->out, "\"cursor\":\"");
    base64_encode(p->out, buf_view(&plain));
    buf_char(p->out, '"');
    p->out->failed |= plain.failed;
    buf_free(&plain);
}

static bool read_cursor(arena *a, const char *given, store_position *out)
{
    buf plain = { .ceiling = HTTP_MAX_BODY };
    bool decoded = base64_decode(&plain, text_of(given));
    const json *cursor = decoded ? json_parse(a, arena_copy(a, buf_view(&plain))) : NULL;
    buf_free(&plain);
    const json *start = json_get(cursor, "lastStartTimeTo"), *trace_id = json_get(cursor, "lastTraceId"), *id = json_get(cursor, "lastId");
    if (!json_is(start, JSON_STRING) || !json_is(trace_id, JSON_STRING) || !json_is(id, JSON_STRING))
        return false;
    *out = (store_position){ 0, trace_id->string, id->string };
    return clock_parse(start->string, &out->start_ms);
}

/* --- parameters --- */

static unsigned groups_of(const char *fields)
{
    static const char *const names[] = { "core",  "basic", "time",   "io",      "metadata",
                                         "model", "usage", "prompt", "metrics", "trace_context" };
    unsigned groups = 0;
    for (size_t i = 0; fields && i < sizeof names / sizeof *names; i++)
        groups |= is_listed(text_of(fields), text_of(names[i])) ? 1u << i : 0;
    return fields ? groups : CORE | BASIC;
}

/* The shape in which a real server reports a bad parameter: a list of one problem. `details` are members that come first. */
static void refuse(http_answer *answer, const char *parameter, const char *details, const char *message)
{
    answer->status = 400;
    buf_format(&answer->body, "{\"message\":\"Invalid request data\",\"error\":[{%s,\"path\":[\"%s\"],\"message\":", details, parameter);
    json_put_string(&answer->body, text_of(message));
    buf_string(&answer->body, "}]}");
}

static bool read_limit(const char *given, size_t *out, http_answer *answer)
{
    int64_t limit = DEFAULT_LIMIT;
    double number;
    if (given && !text_to_int(text_of(given), &limit)) {
        bool fraction = text_to_double(text_of(given), &number);
        refuse(answer, "limit", fraction ? "\"expected\":\"int\",\"format\":\"safeint\",\"code\":\"invalid_type\""
                                         : "\"expected\":\"number\",\"code\":\"invalid_type\",\"received\":\"NaN\"",
               fraction ? "Invalid input: expected int, received number" : "Invalid input: expected number, received NaN");
        return false;
    }
    if (limit > MAX_LIMIT) {
        refuse(answer, "limit", "\"origin\":\"number\",\"code\":\"too_big\",\"maximum\":1000,\"inclusive\":true",
               "Too big: expected number to be <=1000");
        return false;
    }
    if (limit < 0) {
        refuse(answer, "limit", "\"origin\":\"number\",\"code\":\"too_small\",\"minimum\":0,\"inclusive\":true",
               "Too small: expected number to be >=0");
        return false;
    }
    *out = (size_t)limit;
    return true;
}

static bool read_time(const char *name, const char *given, int64_t *out, http_answer *answer)
{
    if (!given || clock_parse(text_of(given), out))
        return true;
    refuse(answer, name, "\"code\":\"invalid_format\",\"format\":\"datetime\"", "Invalid ISO datetime");
    return false;
}

static const struct column_name {
    const char *name;
    store_column column;
} columns[] = {
    { "traceId", STORE_TRACE_ID },
    { "id", STORE_ID },
    { "parentObservationId", STORE_PARENT_ID },
    { "name", STORE_NAME },
    { "type", STORE_TYPE },
    { "level", STORE_LEVEL },
    { "environment", STORE_ENVIRONMENT },
    { "version", STORE_VERSION },
    { "userId", STORE_USER_ID },
    { "sessionId", STORE_SESSION_ID },
};

#define COLUMN_COUNT (sizeof columns / sizeof *columns)

static store_condition *add_condition(store_query *query)
{
    return query->condition_count < STORE_MAX_CONDITIONS ? &query->conditions[query->condition_count++] : NULL;
}

static void read_simple_filters(arena *a, const http_request *request, store_query *query)
{
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        const char *given = columns[i].column == STORE_ID ? NULL : http_query(request, columns[i].name);
        store_condition *condition = given ? add_condition(query) : NULL;
        text *value = condition ? arena_take(a, sizeof *value) : NULL;
        if (!value)
            continue;
        *value = text_of(given);
        *condition = (store_condition){ columns[i].column, STORE_EQUALS, value, 1 };
    }
    const char *root = http_query(request, "isRootObservation");
    if (root)
        query->root = strcmp(root, "true") == 0;
}

static bool operator_of(const json *type, const json *operator, store_operator *out)
{
    static const struct {
        const char *type, *name;
        store_operator op;
    } known[] = {
        { "string", "=", STORE_EQUALS },
        { "string", "contains", STORE_CONTAINS },
        { "string", "starts with", STORE_STARTS_WITH },
        { "stringOptions", "any of", STORE_ANY_OF },
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (json_is(type, JSON_STRING) && text_is(type->string, known[i].type) && json_is(operator, JSON_STRING) &&
            text_is(operator->string, known[i].name)) {
            *out = known[i].op;
            return true;
        }
    }
    return false;
}

/* One text, or a list of them. */
static bool values_of(arena *a, const json *value, store_condition *out)
{
    const json *first = json_is(value, JSON_ARRAY) ? value->first : value;
    text *values = arena_take(a, STORE_MAX_VALUES * sizeof *values);
    if (!values || json_is(value, JSON_ARRAY) != (out->op == STORE_ANY_OF))
        return false;
    for (const json *item = first; item; item = json_is(value, JSON_ARRAY) ? item->next : NULL) {
        if (item->kind != JSON_STRING || out->value_count == STORE_MAX_VALUES)
            return false;
        values[out->value_count++] = item->string;
    }
    out->values = values;
    return out->op == STORE_ANY_OF || out->value_count == 1;
}

static bool read_condition(arena *a, const json *in, store_query *query)
{
    const json *column = json_get(in, "column");
    store_condition parsed = { 0 };
    size_t i = 0;
    while (i < COLUMN_COUNT && !(json_is(column, JSON_STRING) && text_is(column->string, columns[i].name)))
        i++;
    if (i == COLUMN_COUNT || !operator_of(json_get(in, "type"), json_get(in, "operator"), &parsed.op))
        return false;
    parsed.column = columns[i].column;
    store_condition *condition = values_of(a, json_get(in, "value"), &parsed) ? add_condition(query) : NULL;
    if (condition)
        *condition = parsed;
    return condition != NULL;
}

static bool read_filter(arena *a, const char *given, store_query *query, http_answer *answer)
{
    const json *list = given ? json_parse(a, text_of(given)) : NULL;
    if (!given)
        return true;
    if (!list) {
        api_message(answer, 400, "Invalid JSON in filter parameter", "InvalidRequestError");
        return false;
    }
    bool good = list->kind == JSON_ARRAY;
    for (const json *item = list->first; good && item; item = item->next)
        good = read_condition(a, item, query);
    if (!good)
        refuse(answer, "filter", "\"code\":\"custom\"",
               "langfuse-local knows string (=, contains, starts with) and stringOptions (any of) on id, traceId, parentObservationId, "
               "name, type, level, environment, version, userId and sessionId.");
    return good;
}

/* False, with an answer, when a parameter is not acceptable. */
static bool read_query(arena *a, const http_request *request, store_query *query, http_answer *answer)
{
    const char *cursor = http_query(request, "cursor"), *parse_io = http_query(request, "parseIoAsJson");
    if (!read_limit(http_query(request, "limit"), &query->limit, answer))
        return false;
    if (parse_io && strcmp(parse_io, "true") == 0) {
        refuse(answer, "parseIoAsJson", "\"code\":\"custom\"",
               "parseIoAsJson=true is no longer supported on the v2 observations endpoint. Input/output fields are always returned as raw "
               "strings. Remove the parseIoAsJson parameter or set it to false.");
        return false;
    }
    if (!read_time("fromStartTime", http_query(request, "fromStartTime"), &query->from_ms, answer) ||
        !read_time("toStartTime", http_query(request, "toStartTime"), &query->to_ms, answer))
        return false;
    if (cursor && !read_cursor(a, cursor, &query->after)) {
        api_message(answer, 400, "Invalid cursor format", "InvalidRequestError");
        return false;
    }
    read_simple_filters(a, request, query);
    return read_filter(a, http_query(request, "filter"), query, answer);
}

void read_observations(api *a, const http_request *request, http_answer *answer)
{
    arena memory = { 0 };
    store_query query = STORE_QUERY_ALL;
    page p = { .arena = &memory, .out = &answer->body, .groups = groups_of(http_query(request, "fields")) };
    p.expand = text_of(http_query(request, "expandMetadata"));
    if (read_query(&memory, request, &query, answer)) {
        p.limit = query.limit++;
        buf_string(p.out, "{\"data\":[");
        bool good = store_read(a->store, &query, visit_row, &p);
        buf_string(p.out, "],\"meta\":{");
        if (p.more && p.count > 0)
            put_cursor(&p);
        buf_string(p.out, "}}");
        answer->body.failed |= !good || memory.failed;
    }
    arena_free(&memory);
}
