/* The attributes of a span are first sorted into slots, one for each known key, so that later duplicates win and each rule can
 * state its order of preference. Attributes of a resource have slots of their own, found once for each scope and not once for each
 * span. */
#include "span.h"

#include "clock.h"
#include "cost.h"
#include "js_date.h"
#include "json.h"
#include "loss.h"
#include "metadata.h"
#include "usage.h"

#include <math.h>
#include <string.h>

/* In byte order of the keys: span_find_key searches by halves. */
#define SPAN_KEYS(X)                                                    \
    X(DEPLOYMENT_ENVIRONMENT, "deployment.environment")                 \
    X(DEPLOYMENT_ENVIRONMENT_NAME, "deployment.environment.name")       \
    X(CONVERSATION, "gen_ai.conversation.id")                           \
    X(INPUT_MESSAGES, "gen_ai.input.messages")                          \
    X(OPERATION, "gen_ai.operation.name")                               \
    X(OUTPUT_MESSAGES, "gen_ai.output.messages")                        \
    X(REQUEST_MODEL, "gen_ai.request.model")                            \
    X(RESPONSE_MODEL, "gen_ai.response.model")                          \
    X(TOOL_ARGUMENTS, "gen_ai.tool.call.arguments")                     \
    X(TOOL_RESULT, "gen_ai.tool.call.result")                           \
    X(TOOL_NAME, "gen_ai.tool.name")                                    \
    X(USAGE_CACHE_CREATION, "gen_ai.usage.cache_creation.input_tokens") \
    X(USAGE_CACHE_READ, "gen_ai.usage.cache_read.input_tokens")         \
    X(USAGE_COST, "gen_ai.usage.cost")                                  \
    X(USAGE_INPUT, "gen_ai.usage.input_tokens")                         \
    X(USAGE_OUTPUT, "gen_ai.usage.output_tokens")                       \
    X(USAGE_REASONING, "gen_ai.usage.reasoning.output_tokens")          \
    X(INPUT_VALUE, "input.value")                                       \
    X(ENVIRONMENT, "langfuse.environment")                              \
    X(AS_ROOT, "langfuse.internal.as_root")                             \
    X(APP_ROOT, "langfuse.internal.is_app_root")                        \
    X(TRACE_METADATA_OLD, "langfuse.metadata")                          \
    X(COMPLETION_START, "langfuse.observation.completion_start_time")   \
    X(COST, "langfuse.observation.cost_details")                        \
    X(INPUT, "langfuse.observation.input")                              \
    X(LEVEL, "langfuse.observation.level")                              \
    X(METADATA, "langfuse.observation.metadata")                        \
    X(MODEL, "langfuse.observation.model.name")                         \
    X(MODEL_PARAMETERS, "langfuse.observation.model.parameters")        \
    X(OUTPUT, "langfuse.observation.output")                            \
    X(PROMPT_NAME, "langfuse.observation.prompt.name")                  \
    X(PROMPT_VERSION, "langfuse.observation.prompt.version")            \
    X(STATUS_MESSAGE, "langfuse.observation.status_message")            \
    X(TYPE, "langfuse.observation.type")                                \
    X(USAGE, "langfuse.observation.usage_details")                      \
    X(PROMPT_NAME_OLD, "langfuse.prompt.name")                          \
    X(PROMPT_VERSION_OLD, "langfuse.prompt.version")                    \
    X(PUBLIC_OLD, "langfuse.public")                                    \
    X(RELEASE, "langfuse.release")                                      \
    X(LF_SESSION, "langfuse.session.id")                                \
    X(TAGS_OLD, "langfuse.tags")                                        \
    X(TRACE_INPUT, "langfuse.trace.input")                              \
    X(TRACE_METADATA, "langfuse.trace.metadata")                        \
    X(TRACE_NAME, "langfuse.trace.name")                                \
    X(TRACE_OUTPUT, "langfuse.trace.output")                            \
    X(PUBLIC, "langfuse.trace.public")                                  \
    X(TAGS, "langfuse.trace.tags")                                      \
    X(LF_USER, "langfuse.user.id")                                      \
    X(VERSION, "langfuse.version")                                      \
    X(OUTPUT_VALUE, "output.value")                                     \
    X(SERVICE_VERSION, "service.version")                               \
    X(SESSION, "session.id")                                            \
    X(USER, "user.id")

#define X(name, spelling) SPAN_##name,
typedef enum span_key { SPAN_KEYS(X) SPAN_COUNT } span_key;
#undef X

#define X(name, spelling) {spelling, sizeof(spelling) - 1},
static const text span_keys[SPAN_COUNT] = {SPAN_KEYS(X)};
#undef X

typedef const otlp_value *span_slots[SPAN_COUNT];

/* What all spans of one scope share. */
typedef struct span_scope {
    span_slots resource;
    bool of_sdk; /* a scope of a Langfuse SDK: its other attributes are not copied into metadata */
    text scope_json; /* metadata members, without braces */
    text resource_json; /* the same */
} span_scope;

typedef struct span_mapper {
    const otlp_export *e;
    arena *arena;
    span_scope *scopes;
    buf scratch;
    unsigned losses;
} span_mapper;

static span_key span_find_key(text name)
{
    size_t low = 0, high = SPAN_COUNT;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = text_order(name, span_keys[middle]);
        if (order == 0)
            return (span_key)middle;
        if (order > 0)
            low = middle + 1;
        else
            high = middle;
    }
    return SPAN_COUNT;
}

static text span_text(span_mapper *m, const otlp_value *value)
{
    return value != NULL ? otlp_text(m->arena, value) : TEXT("");
}

/* The first of two that has text. */
static text span_either(text first, text second)
{
    return first.size > 0 ? first : second;
}

/* Takes the text that is written into the scratch, and empties it. */
static text span_take_scratch(span_mapper *m)
{
    text copy = arena_copy(m->arena, buf_view(&m->scratch));
    m->arena->failed |= m->scratch.failed;
    m->scratch.size = 0;
    return copy;
}

/* ---- Metadata ---- */

/* A whole object of metadata in one attribute; anything that is not an object or array is dropped, as the real server does. */
static void span_put_object(span_mapper *m, metadata *into, const otlp_value *value)
{
    bool possible = value != NULL && (value->kind == OTLP_STRING || value->kind == OTLP_ARRAY);
    const json *object = possible ? json_parse(m->arena, otlp_text(m->arena, value)) : NULL;
    if (json_is(object, JSON_OBJECT) || json_is(object, JSON_ARRAY))
        metadata_put_json(m->arena, into, object);
    else if (value != NULL && !json_is(object, JSON_NULL))
        m->losses |= LOSS_METADATA;
}

static text span_metadata_json(span_mapper *m, const metadata *own, const span_scope *scope)
{
    const text shared[] = {metadata_has(own, "scope") ? TEXT("") : scope->scope_json,
                           metadata_has(own, "resourceAttributes") ? TEXT("") : scope->resource_json};
    buf_char(&m->scratch, '{');
    metadata_write(&m->scratch, own);
    for (size_t i = 0; i < 2; i++) {
        if (shared[i].size > 0)
            json_put_comma(&m->scratch);
        buf_text(&m->scratch, shared[i]);
    }
    buf_char(&m->scratch, '}');
    return span_take_scratch(m);
}

static const otlp_attribute *span_attribute_at(const span_mapper *m, otlp_attributes list, size_t i)
{
    return &m->e->attributes[list.first + i];
}

static void span_put_attributes(span_mapper *m, metadata *into, const char *prefix, otlp_attributes list)
{
    for (size_t i = 0; i < list.count; i++) {
        const otlp_attribute *attribute = span_attribute_at(m, list, i);
        text name = metadata_key(m->arena, text_of(prefix), attribute->key);
        metadata_put(m->arena, into, name, otlp_text(m->arena, &attribute->value));
    }
}

static text span_members_json(span_mapper *m, const metadata *from)
{
    metadata_write(&m->scratch, from);
    return span_take_scratch(m);
}

static text span_object_of_texts(span_mapper *m, const metadata *from)
{
    buf_char(&m->scratch, '{');
    metadata_write(&m->scratch, from);
    buf_char(&m->scratch, '}');
    return span_take_scratch(m);
}

static void span_view_scope(span_mapper *m, const otlp_scope *scope, span_scope *out)
{
    metadata of_scope = {0}, of_resource = {0};
    for (size_t i = 0; i < scope->resource.count; i++) {
        const otlp_attribute *attribute = span_attribute_at(m, scope->resource, i);
        span_key slot = span_find_key(attribute->key);
        if (slot != SPAN_COUNT)
            out->resource[slot] = &attribute->value;
    }
    out->of_sdk = text_starts(scope->name, "langfuse-sdk");
    if (scope->name.size > 0)
        metadata_put(m->arena, &of_scope, TEXT("scope.name"), scope->name);
    if (scope->version.size > 0)
        metadata_put(m->arena, &of_scope, TEXT("scope.version"), scope->version);
    span_put_attributes(m, &of_scope, "scope.attributes", scope->attributes);
    span_put_attributes(m, &of_resource, "resourceAttributes", scope->resource);
    out->scope_json = span_members_json(m, &of_scope);
    out->resource_json = span_members_json(m, &of_resource);
}

/* ---- Fields ---- */

static text span_type_of(span_mapper *m, const span_slots of, bool has_model)
{
    text given = span_text(m, of[SPAN_TYPE]), operation = span_text(m, of[SPAN_OPERATION]);
    if (text_lists(TEXT("span,generation,event,embedding,agent,tool,chain,retriever,guardrail,evaluator"), given))
        return arena_upper(m->arena, given);
    if (given.size > 0)
        m->losses |= LOSS_TYPE;
    if (text_lists(TEXT("chat,completion,text_completion,generate_content"), operation))
        return TEXT("GENERATION");
    if (text_is(operation, "embeddings"))
        return TEXT("EMBEDDING");
    if (text_is(operation, "execute_tool"))
        return TEXT("TOOL");
    if (text_lists(TEXT("invoke_agent,create_agent"), operation))
        return TEXT("AGENT");
    return has_model ? TEXT("GENERATION") : TEXT("SPAN");
}

static text span_level_of(span_mapper *m, const otlp_value *given, int status_code)
{
    text word = given != NULL && given->kind == OTLP_STRING ? arena_upper(m->arena, given->as.string) : TEXT("");
    if (text_lists(TEXT("DEBUG,TRACE,VERBOSE"), word))
        return TEXT("DEBUG");
    if (text_lists(TEXT("DEFAULT,INFO,LOG,NOTICE,OK,SUCCESS"), word))
        return TEXT("DEFAULT");
    if (text_lists(TEXT("WARNING,WARN"), word))
        return TEXT("WARNING");
    return text_lists(TEXT("ERROR,FATAL,CRITICAL"), word) || status_code == 2 ? TEXT("ERROR") : TEXT("DEFAULT");
}

static bool span_is_true(const otlp_value *value)
{
    if (value == NULL)
        return false;
    return value->kind == OTLP_BOOL ? value->as.boolean : value->kind == OTLP_STRING && text_is(value->as.string, "true");
}

static text span_environment_of(span_mapper *m, const span_slots of, const span_slots resource)
{
    static const span_key order[] = {SPAN_ENVIRONMENT, SPAN_DEPLOYMENT_ENVIRONMENT_NAME, SPAN_DEPLOYMENT_ENVIRONMENT};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        const otlp_value *value = of[order[i]] != NULL ? of[order[i]] : resource[order[i]];
        if (value != NULL)
            return observation_environment(m->arena, otlp_text(m->arena, value));
    }
    return TEXT("default");
}

/* An array of texts, JSON text of one, or words between commas. */
static text span_tags_of(span_mapper *m, const otlp_value *value)
{
    if (value == NULL)
        return TEXT("[]");
    text given = otlp_text(m->arena, value);
    const json *list = json_parse(m->arena, given);
    buf_char(&m->scratch, '[');
    for (const json *tag = json_first(list, JSON_ARRAY); tag != NULL; tag = tag->next) {
        json_put_comma(&m->scratch);
        json_put_string(&m->scratch, tag->kind == JSON_STRING ? tag->string : json_text(m->arena, tag));
    }
    while (!json_is(list, JSON_ARRAY) && given.size > 0) {
        text word = text_trim(text_take(&given, ","));
        if (word.size == 0)
            continue;
        json_put_comma(&m->scratch);
        json_put_string(&m->scratch, word);
    }
    buf_char(&m->scratch, ']');
    return span_take_scratch(m);
}

static void span_set_io(span_mapper *m, const span_slots of, observation *out)
{
    text input = span_text(m, of[SPAN_INPUT]), output = span_text(m, of[SPAN_OUTPUT]);
    if (input.size == 0 && output.size == 0) { /* one langfuse value turns all other sources off */
        input = span_either(span_text(m, of[SPAN_INPUT_MESSAGES]), span_text(m, of[SPAN_TOOL_ARGUMENTS]));
        output = span_either(span_text(m, of[SPAN_OUTPUT_MESSAGES]), span_text(m, of[SPAN_TOOL_RESULT]));
        input = span_either(input, span_text(m, of[SPAN_INPUT_VALUE]));
        output = span_either(output, span_text(m, of[SPAN_OUTPUT_VALUE]));
    }
    out->input = text_unless_empty(input);
    out->output = text_unless_empty(output);
}

/* Numbers and strings keep their type; the rest becomes text. */
static void span_put_parameter(span_mapper *m, text name, const json *value)
{
    json_put_name(&m->scratch, name);
    if (value->kind == JSON_NUMBER || value->kind == JSON_STRING)
        json_write(&m->scratch, value);
    else
        json_put_string(&m->scratch, json_text(m->arena, value));
}

static text span_parameters_of(span_mapper *m, const otlp_span *span, const otlp_value *given)
{
    const json *object = given != NULL ? json_parse(m->arena, otlp_text(m->arena, given)) : NULL;
    buf_char(&m->scratch, '{');
    for (const json *member = json_first(object, JSON_OBJECT); member != NULL; member = member->next)
        span_put_parameter(m, member->key, member);
    for (size_t i = 0; !json_is(object, JSON_OBJECT) && i < span->attributes.count; i++) {
        const otlp_attribute *attribute = span_attribute_at(m, span->attributes, i);
        text name = attribute->key;
        if (!text_skip(&name, "gen_ai.request.") || text_is(name, "model"))
            continue;
        json value = {.kind = JSON_STRING, .string = otlp_text(m->arena, &attribute->value)};
        if (attribute->value.kind == OTLP_INT)
            value = (json){.kind = JSON_NUMBER, .number = (double)attribute->value.as.integer};
        else if (attribute->value.kind == OTLP_DOUBLE)
            value = (json){.kind = JSON_NUMBER, .number = attribute->value.as.number};
        span_put_parameter(m, name, &value);
    }
    buf_char(&m->scratch, '}');
    return span_take_scratch(m);
}

static int64_t span_counter_of(span_mapper *m, const otlp_value *value)
{
    int64_t tokens;
    return value != NULL && text_to_int(otlp_text(m->arena, value), &tokens) && tokens >= 0 ? tokens : -1;
}

static const json *span_object_of(span_mapper *m, const otlp_value *value)
{
    const json *object = value != NULL && value->kind == OTLP_STRING ? json_parse(m->arena, value->as.string) : NULL;
    return json_is(object, JSON_OBJECT) ? object : NULL;
}

static void span_note_losses(span_mapper *m, const span_slots of, const json *usage, const json *cost)
{
    if ((of[SPAN_USAGE] != NULL && usage == NULL) || !usage_is_whole(usage))
        m->losses |= LOSS_USAGE;
    if ((of[SPAN_COST] != NULL && cost == NULL) || !cost_is_whole(cost))
        m->losses |= LOSS_COST;
}

/* Of gen_ai.usage.cost only a number counts. */
static const json *span_set_total_cost(json out[2], const otlp_value *given)
{
    if (given == NULL || (given->kind == OTLP_STRING && given->as.string.size == 0))
        return NULL;
    out[1] = (json){.kind = given->kind == OTLP_INT || given->kind == OTLP_DOUBLE ? JSON_NUMBER : JSON_STRING,
                    .key = TEXT("total")};
    out[1].number = given->kind == OTLP_INT ? (double)given->as.integer : given->kind == OTLP_DOUBLE ? given->as.number : 0;
    out[0] = (json){.kind = JSON_OBJECT, .first = &out[1]};
    return out;
}

static void span_set_usage(span_mapper *m, const span_slots of, observation *out)
{
    const json *details = span_object_of(m, of[SPAN_USAGE]), *cost = span_object_of(m, of[SPAN_COST]);
    bool bad_text = of[SPAN_USAGE] != NULL && of[SPAN_USAGE]->kind == OTLP_STRING && details == NULL;
    usage_counts counts = {.count = 0};
    json total[2];
    span_note_losses(m, of, details, cost);
    if (of[SPAN_USAGE] != NULL && !bad_text)
        usage_add_details(m->arena, &counts, details);
    else
        usage_add_counters(&counts, span_counter_of(m, of[SPAN_USAGE_INPUT]), span_counter_of(m, of[SPAN_USAGE_OUTPUT]),
                           span_counter_of(m, of[SPAN_USAGE_CACHE_READ]), span_counter_of(m, of[SPAN_USAGE_CACHE_CREATION]),
                           span_counter_of(m, of[SPAN_USAGE_REASONING]));
    usage_complete(&counts);
    out->usage = usage_text(m->arena, &counts);
    cost_set(m->arena, out, &counts, cost != NULL ? cost : span_set_total_cost(total, of[SPAN_USAGE_COST]));
}

/* Only generations link to a prompt, and only with a name and a version. */
static void span_set_prompt(span_mapper *m, const span_slots of, observation *out)
{
    text name = span_either(span_text(m, of[SPAN_PROMPT_NAME]), span_text(m, of[SPAN_PROMPT_NAME_OLD]));
    text version = span_either(span_text(m, of[SPAN_PROMPT_VERSION]), span_text(m, of[SPAN_PROMPT_VERSION_OLD]));
    int64_t number;
    if (!text_is(out->type, "GENERATION") || name.size == 0 || !text_to_int(version, &number) || number < 0)
        return;
    out->prompt_name = name;
    out->prompt_version = number <= OBSERVATION_MAX_PROMPT_VERSION ? number : -1;
}

/* What JavaScript makes a Date of: a text, which may be quoted as JSON, or a number of milliseconds. */
static bool span_date_of(span_mapper *m, const otlp_value *value, int64_t *out_ms)
{
    const double limit = 8.64e15; /* of Date, either way */
    text given = span_text(m, value);
    if (value->kind == OTLP_STRING && js_date_parse(given, out_ms))
        return true;
    const json *number = json_parse(m->arena, given);
    if (json_is(number, JSON_STRING))
        return js_date_parse(number->string, out_ms);
    if (!json_is(number, JSON_NUMBER) || fabs(number->number) > limit)
        return false;
    *out_ms = (int64_t)number->number;
    return true;
}

static int64_t span_completion_start_of(span_mapper *m, const otlp_value *value)
{
    int64_t ms;
    if (value == NULL)
        return -1;
    if (span_date_of(m, value, &ms) && ms >= 0)
        return ms;
    m->losses |= LOSS_COMPLETION_START;
    return -1;
}

static void span_set_times(const otlp_span *span, int64_t now_ns, observation *out)
{
    out->start_ns = span->start_ns != OTLP_NO_TIME ? span->start_ns : span->end_ns != OTLP_NO_TIME ? span->end_ns : now_ns;
    out->end_ns = span->end_ns != OTLP_NO_TIME ? span->end_ns : out->start_ns;
}

/* ---- One span ---- */

/* Sorts a span's attributes into slots, and those of open families (`metadata.KEY`) into metadata. */
typedef struct span_sorted {
    span_slots of;
    metadata observation, trace, leftover, experiment;
} span_sorted;

static bool span_put_member(span_mapper *m, metadata *into, const otlp_attribute *attribute, const char *prefix)
{
    text name = attribute->key;
    bool fits = text_skip(&name, prefix);
    if (fits)
        metadata_put(m->arena, into, name, otlp_text(m->arena, &attribute->value));
    return fits;
}

static void span_sort_attributes(span_mapper *m, const otlp_span *span, bool of_sdk, span_sorted *out)
{
    for (size_t i = 0; i < span->attributes.count; i++) {
        const otlp_attribute *attribute = span_attribute_at(m, span->attributes, i);
        span_key slot = span_find_key(attribute->key);
        if (slot != SPAN_COUNT)
            out->of[slot] = &attribute->value;
        else if (!span_put_member(m, &out->observation, attribute, "langfuse.observation.metadata.") &&
                 !span_put_member(m, &out->trace, attribute, "langfuse.trace.metadata.") &&
                 !span_put_member(m, &out->trace, attribute, "langfuse.metadata.") &&
                 !span_put_member(m, &out->experiment, attribute, "langfuse.experiment.") && !of_sdk &&
                 !text_starts(attribute->key, "gen_ai.request."))
            span_put_member(m, &out->leftover, attribute, "");
    }
}

/* The metadata of the trace alone, for reading the trace. NULL: the span has none that is usable. */
static text span_trace_metadata_of(span_mapper *m, span_sorted *in)
{
    metadata of_trace = {0};
    span_put_object(m, &of_trace, in->of[SPAN_TRACE_METADATA_OLD]);
    span_put_object(m, &of_trace, in->of[SPAN_TRACE_METADATA]);
    metadata_merge(m->arena, &of_trace, "", &in->trace);
    if (of_trace.count == 0)
        return TEXT_NONE;
    return span_object_of_texts(m, &of_trace);
}

/* Later wins: objects before single keys, the observation before the trace. */
static void span_set_metadata(span_mapper *m, span_sorted *in, const span_scope *scope, observation *out)
{
    metadata all = {0};
    if (in->leftover.count > 0)
        metadata_merge(m->arena, &all, "attributes", &in->leftover);
    span_put_object(m, &all, in->of[SPAN_METADATA]);
    metadata_merge(m->arena, &all, "", &in->observation);
    span_put_object(m, &all, in->of[SPAN_TRACE_METADATA_OLD]);
    span_put_object(m, &all, in->of[SPAN_TRACE_METADATA]);
    metadata_merge(m->arena, &all, "", &in->trace);
    out->metadata = span_metadata_json(m, &all, scope);
    if (in->trace.count > 0 || in->of[SPAN_TRACE_METADATA] != NULL || in->of[SPAN_TRACE_METADATA_OLD] != NULL)
        out->trace_metadata = span_trace_metadata_of(m, in);
    if (in->experiment.count > 0)
        out->experiment = span_object_of_texts(m, &in->experiment);
}

static void span_set_identity(span_mapper *m, const otlp_span *span, const span_slots of, const span_slots resource,
                              observation *out)
{
    text session = span_either(span_text(m, of[SPAN_LF_SESSION]), span_text(m, of[SPAN_SESSION]));
    out->trace_id = span->trace_id;
    out->id = span->id;
    out->parent_id = span->parent_id.at != NULL ? span->parent_id : TEXT("");
    out->name = span_either(span_text(m, of[SPAN_TOOL_NAME]), span->name);
    out->is_app_root = span_is_true(of[SPAN_APP_ROOT]);
    out->is_public = span_is_true(of[SPAN_PUBLIC] != NULL ? of[SPAN_PUBLIC] : of[SPAN_PUBLIC_OLD]);
    out->trace_name = span_either(span_text(m, of[SPAN_TRACE_NAME]), observation_is_root(out) ? out->name : TEXT(""));
    out->user_id = span_either(span_text(m, of[SPAN_LF_USER]), span_text(m, of[SPAN_USER]));
    out->session_id = span_either(session, span_text(m, of[SPAN_CONVERSATION]));
    out->tags = span_tags_of(m, of[SPAN_TAGS] != NULL ? of[SPAN_TAGS] : of[SPAN_TAGS_OLD]);
    out->environment = span_environment_of(m, of, resource);
    out->release = span_either(span_text(m, of[SPAN_RELEASE]), span_text(m, resource[SPAN_RELEASE]));
    out->version = span_either(span_text(m, of[SPAN_VERSION]), span_text(m, resource[SPAN_SERVICE_VERSION]));
}

/* Input and output of the trace as a whole, which any of its observations may have. */
static void span_set_trace_io(span_mapper *m, const span_slots of, observation *out)
{
    text input = span_text(m, of[SPAN_TRACE_INPUT]), output = span_text(m, of[SPAN_TRACE_OUTPUT]);
    out->trace_input = text_unless_empty(input);
    out->trace_output = text_unless_empty(output);
}

static void span_map(span_mapper *m, const otlp_span *span, int64_t now_ns, observation *out)
{
    const span_scope *scope = &m->scopes[span->scope];
    span_sorted in = {0};
    span_sort_attributes(m, span, scope->of_sdk, &in);
    span_set_times(span, now_ns, out);
    span_set_identity(m, span, in.of, scope->resource, out);
    text other_model = span_either(span_text(m, in.of[SPAN_RESPONSE_MODEL]), span_text(m, in.of[SPAN_REQUEST_MODEL]));
    out->model = span_either(span_text(m, in.of[SPAN_MODEL]), other_model);
    out->type = span_type_of(m, in.of, out->model.size > 0);
    out->level = span_level_of(m, in.of[SPAN_LEVEL], span->status_code);
    out->status_message = span_either(span_text(m, in.of[SPAN_STATUS_MESSAGE]), span->status_message);
    out->model_parameters = span_parameters_of(m, span, in.of[SPAN_MODEL_PARAMETERS]);
    out->completion_start_ms = span_completion_start_of(m, in.of[SPAN_COMPLETION_START]);
    span_set_io(m, in.of, out);
    span_set_trace_io(m, in.of, out);
    span_set_prompt(m, in.of, out);
    span_set_metadata(m, &in, scope, out);
    span_set_usage(m, in.of, out); /* the price may depend on all of the above */
}

observation *span_map_all(const otlp_export *e, int64_t now_ns, unsigned *losses)
{
    span_mapper m = {.e = e, .arena = e->arena};
    observation *rows = e->span_count > 0 ? arena_take(m.arena, e->span_count * sizeof *rows) : NULL;
    m.scopes = rows != NULL ? arena_take(m.arena, e->scope_count * sizeof *m.scopes) : NULL;
    if (m.scopes == NULL)
        return NULL;
    for (size_t i = 0; i < e->scope_count; i++)
        span_view_scope(&m, &e->scopes[i], &m.scopes[i]);
    for (size_t i = 0; i < e->span_count && !m.arena->failed; i++) {
        rows[i] = (observation){.arrived_ns = now_ns + (int64_t)i, .prompt_version = -1};
        span_map(&m, &e->spans[i], now_ns, &rows[i]);
    }
    buf_free(&m.scratch);
    *losses |= m.losses;
    return m.arena->failed ? NULL : rows;
}
