#include "event.h"

#include "clock.h"
#include "cost.h"
#include "fold.h"
#include "metadata.h"
#include "usage.h"

#include <math.h>
#include <string.h>

enum { EVENT_MAX_TRACE_NAME = 1000 };

static const event_type event_types[] = {
    {"trace-create", EVENT_TRACE, NULL, false},
    {"span-create", EVENT_OBSERVATION, "SPAN", false},
    {"span-update", EVENT_OBSERVATION, "SPAN", true},
    {"generation-create", EVENT_OBSERVATION, "GENERATION", false},
    {"generation-update", EVENT_OBSERVATION, "GENERATION", true},
    {"event-create", EVENT_OBSERVATION, "EVENT", false},
    {"agent-create", EVENT_OBSERVATION, "AGENT", false},
    {"tool-create", EVENT_OBSERVATION, "TOOL", false},
    {"chain-create", EVENT_OBSERVATION, "CHAIN", false},
    {"retriever-create", EVENT_OBSERVATION, "RETRIEVER", false},
    {"evaluator-create", EVENT_OBSERVATION, "EVALUATOR", false},
    {"embedding-create", EVENT_OBSERVATION, "EMBEDDING", false},
    {"guardrail-create", EVENT_OBSERVATION, "GUARDRAIL", false},
    {"observation-create", EVENT_OBSERVATION, NULL, false},
    {"observation-update", EVENT_OBSERVATION, NULL, true},
    {"score-create", EVENT_SCORE, NULL, false},
    {"sdk-log", EVENT_LOG, NULL, false},
    {"dataset-run-item-create", EVENT_INTERNAL, NULL, false},
};

const event_type *event_type_of(text name)
{
    for (size_t i = 0; i < sizeof event_types / sizeof *event_types; i++)
        if (text_is(name, event_types[i].name))
            return &event_types[i];
    return NULL;
}

bool event_type_has_model(const event_type *type)
{
    return type->observation_type == NULL ||
           (strcmp(type->observation_type, "SPAN") != 0 && strcmp(type->observation_type, "EVENT") != 0);
}

/* ---- Checking ---- */

static void event_check_strings(const json *body, const char *const *names, issues *to)
{
    for (; *names != NULL; names++)
        issues_check_string(to, json_get(body, *names), *names, false);
}

static void event_check_trace(const json *body, issues *to)
{
    static const char *const strings[] = {"externalId", "userId", "sessionId", "release", "version", NULL};
    const json *name = json_get(body, "name"), *public = json_get(body, "public"), *tags = json_get(body, "tags");
    issues_check_id(to, json_get(body, "id"), "id", false);
    issues_check_datetime(to, json_get(body, "timestamp"), "timestamp", false);
    if (issues_check_string(to, name, "name", false) && json_is(name, JSON_STRING) &&
        issues_length(name->string) > EVENT_MAX_TRACE_NAME)
        issues_add_long(to, "name", EVENT_MAX_TRACE_NAME);
    event_check_strings(body, strings, to);
    if (!json_is_null(public) && !json_is(public, JSON_TRUE) && !json_is(public, JSON_FALSE))
        issues_add_type(to, "public", "boolean", public);
    issues_check_kind(to, tags, "tags", JSON_ARRAY, "array");
    for (const json *tag = json_first(tags, JSON_ARRAY); tag != NULL; tag = tag->next)
        issues_check_string(to, tag, "tags", true);
}

static bool event_is_int(const json *value)
{
    return value->kind == JSON_NUMBER && value->number == floor(value->number);
}

/* Of the older counters, each is a whole number. */
static void event_check_usage(const json *usage, issues *to)
{
    static const char *const counters[] = {"input", "output", "total", "promptTokens", "completionTokens", "totalTokens"};
    static const char *const units[] = {"CHARACTERS", "TOKENS", "SECONDS", "MILLISECONDS", "IMAGES", "REQUESTS", NULL};
    if (!issues_check_kind(to, usage, "usage", JSON_OBJECT, "object"))
        return;
    issues_check_option(to, json_get(usage, "unit"), "usage", units);
    for (size_t i = 0; i < sizeof counters / sizeof *counters; i++) {
        const json *counter = json_get(usage, counters[i]);
        if (!json_is_null(counter) && !event_is_int(counter))
            issues_add_type(to, "usage", "int", counter);
    }
}

/* A prompt is linked with a name and a version, or not at all; empty text and 0 count as nothing. */
static void event_check_prompt(const json *body, issues *to)
{
    const json *name = json_get(body, "promptName"), *version = json_get(body, "promptVersion");
    bool named = json_is(name, JSON_STRING) && name->string.size > 0;
    bool numbered = !json_is_null(version) && version->number != 0;
    issues_check_string(to, name, "promptName", false);
    if (!json_is_null(version) && !event_is_int(version))
        issues_add_type(to, "promptVersion", "int", version);
    else if (named != numbered)
        issues_add_custom(to, "", "Invalid input");
}

static bool event_has_only_strings(const json *list)
{
    for (const json *member = list->first; member != NULL; member = member->next)
        if (member->kind != JSON_STRING)
            return false;
    return true;
}

/* Each is a scalar, or a list or an object of strings. */
static void event_check_parameters(const json *parameters, issues *to)
{
    if (!issues_check_kind(to, parameters, "modelParameters", JSON_OBJECT, "object"))
        return;
    for (const json *member = json_first(parameters, JSON_OBJECT); member != NULL; member = member->next)
        if (!event_has_only_strings(member)) /* a scalar has no members */
            issues_add_custom(to, "modelParameters", "Invalid input");
}

static void event_check_observation(const json *body, const event_type *type, issues *to)
{
    static const char *const levels[] = {"DEBUG", "DEFAULT", "WARNING", "ERROR", NULL};
    static const char *const old_types[] = {"SPAN", "GENERATION", "EVENT", NULL};
    static const char *const strings[] = {"name", "parentObservationId", "statusMessage", "version", "model", NULL};
    static const char *const times[] = {"startTime", "endTime", "completionStartTime", NULL};
    issues_check_id(to, json_get(body, "id"), "id", type->observation_type != NULL);
    issues_check_id(to, json_get(body, "traceId"), "traceId", false);
    if (type->observation_type == NULL && !issues_check_option(to, json_get(body, "type"), "type", old_types))
        return;
    if (type->observation_type == NULL && !json_is(json_get(body, "type"), JSON_STRING))
        issues_add_option(to, "type", old_types);
    event_check_strings(body, strings, to);
    for (size_t i = 0; times[i] != NULL; i++)
        issues_check_datetime(to, json_get(body, times[i]), times[i], false);
    issues_check_option(to, json_get(body, "level"), "level", levels);
    if (!event_type_has_model(type))
        return; /* spans and events have none of the members below */
    event_check_parameters(json_get(body, "modelParameters"), to);
    event_check_usage(json_get(body, "usage"), to);
    issues_check_kind(to, json_get(body, "usageDetails"), "usageDetails", JSON_OBJECT, "object");
    issues_check_kind(to, json_get(body, "costDetails"), "costDetails", JSON_OBJECT, "object");
    event_check_prompt(body, to);
}

static void event_check_body(const json *body, const event_type *type, issues *to)
{
    to->prefix = "\"body\"";
    if (!json_is(body, JSON_OBJECT))
        issues_add_type(to, "", "object", body);
    else if (type->kind == EVENT_LOG && json_is_null(json_get(body, "log")))
        issues_add_custom(to, "log", "Invalid input");
    else if (type->kind == EVENT_TRACE)
        event_check_trace(body, to);
    else if (type->kind == EVENT_OBSERVATION)
        event_check_observation(body, type, to);
    else if (type->kind == EVENT_SCORE)
        score_check(body, true, to);
    to->prefix = NULL;
}

void event_check(const json *given, issues *to, event *out)
{
    const json *id = json_get(given, "id"), *type = json_get(given, "type"), *timestamp = json_get(given, "timestamp");
    *out = (event){.body = json_get(given, "body")};
    if (!json_is(given, JSON_OBJECT)) {
        issues_add_type(to, "", "object", given);
        return;
    }
    out->type = json_is(type, JSON_STRING) ? event_type_of(type->string) : NULL;
    if (out->type == NULL) {
        issues_add_discriminator(to, "type");
        return;
    }
    if (out->type->kind == EVENT_INTERNAL) {
        issues_add_custom(to, "", "Dataset run item creation is only allowed for internal usage");
        return;
    }
    issues_check_id(to, id, "id", true);
    issues_check_datetime(to, timestamp, "timestamp", true);
    event_check_body(out->body, out->type, to);
    if (to->count > 0)
        return;
    out->id = id->string;
    out->body_id = json_string_at(out->body, "id");
    out->source = json_is(out->body, JSON_OBJECT) ? out->body->string : TEXT_NONE;
    clock_parse_any(timestamp->string, &out->timestamp_ms);
}

/* ---- Rows ---- */

static int64_t event_time_at(const json *body, const char *name, int64_t otherwise)
{
    int64_t ms;
    return clock_parse_any(json_string_at(body, name), &ms) ? ms : otherwise;
}

static text event_object_at(arena *a, const json *body, const char *name)
{
    const json *value = json_get(body, name);
    return json_is(value, JSON_OBJECT) ? json_text(a, value) : TEXT("{}");
}

/* The older `usage`: three counters, under names of two generations, and three costs. Where one name of the newer generation is
 * given, the other members do not count. */
static bool event_has_newer_names(const json *usage)
{
    return json_get(usage, "promptTokens") != NULL || json_get(usage, "completionTokens") != NULL ||
           json_get(usage, "totalTokens") != NULL;
}

static bool event_has_counter(const json *usage, const char *name, const char *newer_name, double *out)
{
    const json *value = json_get(usage, event_has_newer_names(usage) ? newer_name : name);
    *out = json_is(value, JSON_NUMBER) ? value->number : 0;
    return json_is(value, JSON_NUMBER);
}

static void event_add_counter(usage_counts *u, text key, double tokens)
{
    if (fabs(tokens) <= 9e15)
        usage_add(u, key, (int64_t)tokens);
}

/* A total of 0 counts as none. It is made from the other counters where there are no details to make it from. */
static void event_add_older_usage(usage_counts *u, const json *older, bool has_details)
{
    double input, output, total;
    bool has_input = event_has_counter(older, "input", "promptTokens", &input);
    bool has_output = event_has_counter(older, "output", "completionTokens", &output);
    if (has_input)
        event_add_counter(u, TEXT("input"), input);
    if (has_output)
        event_add_counter(u, TEXT("output"), output);
    if (event_has_counter(older, "total", "totalTokens", &total) && total != 0)
        event_add_counter(u, TEXT("total"), total);
    else if (!has_details && (has_input || has_output))
        event_add_counter(u, TEXT("total"), input != 0 && output != 0 ? input + output : has_input ? input : output);
}

static json *event_find_member(json *object, text key)
{
    for (json *member = object->first; member != NULL; member = member->next)
        if (text_equal(member->key, key))
            return member;
    return NULL;
}

static json *event_last_member(json *object)
{
    json *last = object->first;
    while (last != NULL && last->next != NULL)
        last = last->next;
    return last;
}

static void event_put_cost(arena *a, json *costs, text key, const json *cost)
{
    json member = *cost, *old = event_find_member(costs, key), *last = event_last_member(costs);
    member.key = key;
    member.next = old != NULL ? old->next : NULL;
    if (old != NULL)
        *old = member;
    else
        json_append(a, costs, &last, &member);
}

/* Of details, only numbers of 0 or more. NULL: out of memory. */
static const json *event_costs(arena *a, const json *older, const json *details)
{
    static const char *const names[3][2] = {{"inputCost", "input"}, {"outputCost", "output"}, {"totalCost", "total"}};
    json *costs = json_new(a, JSON_OBJECT);
    for (size_t i = 0; costs != NULL && i < 3 && !event_has_newer_names(older); i++)
        if (json_is(json_get(older, names[i][0]), JSON_NUMBER))
            event_put_cost(a, costs, text_of(names[i][1]), json_get(older, names[i][0]));
    for (const json *detail = json_first(details, JSON_OBJECT); costs != NULL && detail != NULL; detail = detail->next)
        if (detail->kind == JSON_NUMBER && detail->number >= 0 && json_count(costs) < USAGE_MAX_ENTRIES)
            event_put_cost(a, costs, detail->key, detail);
    return costs;
}

static void event_set_usage(arena *a, const json *body, observation *out)
{
    const json *older = json_get(body, "usage");
    usage_counts details = {.count = 0}, all = {.count = 0};
    usage_add_details(a, &details, json_get(body, "usageDetails"));
    event_add_older_usage(&all, older, details.count > 0);
    for (size_t i = 0; i < details.count; i++)
        usage_add(&all, details.list[i].key, details.list[i].tokens);
    usage_complete(&all);
    out->usage = usage_text(a, &all);
    cost_set(a, out, &all, event_costs(a, older, json_get(body, "costDetails")));
}

static void event_set_prompt(const json *body, observation *out)
{
    const json *version = json_get(body, "promptVersion");
    if (!text_is(out->type, "GENERATION") || !json_is(version, JSON_NUMBER))
        return;
    out->prompt_name = json_string_at(body, "promptName");
    if (version->number >= 0 && version->number <= OBSERVATION_MAX_PROMPT_VERSION)
        out->prompt_version = (int64_t)version->number;
}

static text event_row_type(const fold *f, const json *body)
{
    const char *type = fold_last_type(f)->observation_type;
    return type != NULL ? text_of(type) : json_string_at(body, "type");
}

/* Without a trace the observation is one by itself; a real server makes up an id for it. */
event_place event_place_of(const fold *f)
{
    text trace_id = fold_text(f, "traceId");
    int64_t ms;
    if (fold_last_type(f) == NULL)
        return (event_place){TEXT_NONE, 0};
    if (!clock_parse_any(fold_text(f, "startTime"), &ms))
        ms = fold_first_ms(f);
    return (event_place){trace_id.size > 0 ? trace_id : fold_id(f), clock_ns_of_ms(ms)};
}

observation event_observation(arena *a, fold *f)
{
    const json *body = fold_body(a, f);
    event_place place = event_place_of(f);
    observation o = {.id = fold_id(f),
                     .trace_id = place.trace_id,
                     .start_ns = place.start_ns,
                     .parent_id = json_string_at(body, "parentObservationId"),
                     .name = json_string_at(body, "name"),
                     .type = event_row_type(f, body),
                     .level = json_string_at(body, "level"),
                     .status_message = json_string_at(body, "statusMessage"),
                     .version = json_string_at(body, "version"),
                     .environment = observation_environment(a, json_string_at(body, "environment")),
                     .tags = TEXT("[]"),
                     .input = fold_text(f, "input"),
                     .output = fold_text(f, "output"),
                     .model = json_string_at(body, "model"),
                     .metadata = metadata_of_json(a, json_get(body, "metadata")),
                     .model_parameters = event_object_at(a, body, "modelParameters"),
                     .arrived_ns = fold_updated_ns(f),
                     .prompt_version = -1};
    int64_t end_ms = event_time_at(body, "endTime", INT64_MIN);
    o.end_ns = end_ms != INT64_MIN ? clock_ns_of_ms(end_ms) : OBSERVATION_OPEN;
    if (o.end_ns < o.start_ns && end_ms != INT64_MIN) /* as on a real server */
        o.end_ns = o.start_ns;
    o.completion_start_ms = event_time_at(body, "completionStartTime", -1);
    if (o.parent_id.size == 0)
        o.trace_name = o.name;
    if (o.level.size == 0)
        o.level = TEXT("DEFAULT");
    event_set_usage(a, body, &o);
    event_set_prompt(body, &o);
    return o;
}

trace_record event_trace(arena *a, fold *f)
{
    const json *body = fold_body(a, f), *tags = json_get(body, "tags");
    return (trace_record){.id = fold_id(f),
                          .name = json_string_at(body, "name"),
                          .user_id = json_string_at(body, "userId"),
                          .session_id = json_string_at(body, "sessionId"),
                          .release = json_string_at(body, "release"),
                          .version = json_string_at(body, "version"),
                          .environment = observation_environment(a, json_string_at(body, "environment")),
                          .tags = json_text(a, tags),
                          .input = fold_text(f, "input"),
                          .output = fold_text(f, "output"),
                          .is_public = json_is(json_get(body, "public"), JSON_TRUE),
                          .metadata = metadata_of_json(a, json_get(body, "metadata")),
                          .timestamp_ms = event_time_at(body, "timestamp", fold_first_ms(f)),
                          .created_ns = fold_created_ns(f),
                          .updated_ns = fold_updated_ns(f)};
}

score event_score(arena *a, fold *f)
{
    score s = score_from_body(a, fold_id(f), fold_body(a, f));
    s.timestamp_ms = fold_first_ms(f);
    s.created_ns = fold_created_ns(f);
    s.updated_ns = fold_updated_ns(f);
    return s;
}
