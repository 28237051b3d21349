/* The attributes of a span are first sorted into slots, one for each known key, so that later duplicates win and each rule can
 * state its order of preference. Attributes of a resource have slots of their own, found once for each scope and not once for each
 * span. */
#include "span_private.h"

#include "loss.h"

#include <math.h>

#define X(name, spelling) {spelling, sizeof(spelling) - 1},
static const text span_keys[SPAN_COUNT] = {SPAN_KEYS(X)};
#undef X

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

static void span_sort(const span_mapper *m, otlp_attributes list, span_slots out)
{
    for (size_t i = 0; i < list.count; i++) {
        const otlp_attribute *attribute = span_attribute_at(m, list, i);
        span_key slot = span_find_key(attribute->key);
        if (slot != SPAN_COUNT)
            out[slot] = &attribute->value;
    }
}

/* ---- What all files of the mapping use ---- */

const otlp_attribute *span_attribute_at(const span_mapper *m, otlp_attributes list, size_t i)
{
    return &m->e->attributes[list.first + i];
}

text span_text(span_mapper *m, const otlp_value *value)
{
    return value != NULL ? otlp_text(m->arena, value) : TEXT("");
}

bool span_is_something(const otlp_value *value)
{
    if (value == NULL)
        return false;
    switch (value->kind) {
    case OTLP_STRING: return value->as.string.size > 0;
    case OTLP_BOOL: return value->as.boolean;
    case OTLP_INT: return value->as.integer != 0;
    case OTLP_DOUBLE: return value->as.number != 0 && !isnan(value->as.number);
    case OTLP_ARRAY:
    case OTLP_JSON: break;
    }
    return true;
}

const otlp_value *span_first(const span_slots of, const span_key *keys, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (span_is_something(of[keys[i]]))
            return of[keys[i]];
    return NULL;
}

const json *span_json_of(span_mapper *m, const otlp_value *value, json_kind kind)
{
    const json *parsed = value != NULL ? json_parse(m->arena, otlp_text(m->arena, value)) : NULL;
    return json_is(parsed, kind) ? parsed : NULL;
}

text span_take_scratch(span_mapper *m)
{
    text copy = arena_copy(m->arena, buf_view(&m->scratch));
    m->arena->failed |= m->scratch.failed;
    m->scratch.size = 0;
    return copy;
}

/* ---- The type ---- */

typedef struct span_word {
    const char *given, *type;
} span_word;

/* One of several keys has a value: 0 and false are values, an empty array is none. */
static bool span_has(const span_slots of, const span_key *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const otlp_value *value = of[keys[i]];
        bool is_empty = value == NULL || (value->kind == OTLP_STRING && value->as.string.size == 0) ||
                        (value->kind == OTLP_ARRAY && value->as.array.count == 0);
        if (!is_empty)
            return true;
    }
    return false;
}
#define SPAN_HAS(of, ...) span_has(of, (const span_key[]){__VA_ARGS__}, sizeof((const span_key[]){__VA_ARGS__}) / sizeof(span_key))

/* The type that a word stands for; empty: none. */
static text span_type_of_word(text given, const span_word *words)
{
    for (; words->given != NULL; words++)
        if (text_is(given, words->given))
            return text_of(words->type);
    return TEXT("");
}

/* Python SDKs up to 3.3 mark generations as spans. */
static bool span_is_old_generation(span_mapper *m, const span_view *v)
{
    static const span_key keys[] = {SPAN_MODEL,       SPAN_COST,          SPAN_USAGE, SPAN_COMPLETION_START, SPAN_MODEL_PARAMETERS,
                                    SPAN_PROMPT_NAME, SPAN_PROMPT_VERSION};
    text version = v->scope->version;
    int64_t major = 0, minor = 0;
    if (!text_is(v->scope->name, "langfuse-sdk") || !text_is(span_text(m, v->of[SPAN_TYPE]), "span") ||
        !text_is(span_text(m, v->scope->resource[SPAN_SDK_LANGUAGE]), "python"))
        return false;
    if (version.size > 0 && (!text_to_int(text_take(&version, "."), &major) || !text_to_int(text_take(&version, "."), &minor) ||
                             major > 3 || (major == 3 && minor > 3)))
        return false;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (v->of[keys[i]] != NULL)
            return true;
    return false;
}

/* Operations of the AI SDK; a function's name may follow the operation. */
static text span_type_of_ai(span_mapper *m, const span_slots of)
{
    static const span_word operations[] = {
        {"ai.generateText.doGenerate", "GENERATION"},   {"ai.streamText.doStream", "GENERATION"},
        {"ai.generateObject.doGenerate", "GENERATION"}, {"ai.streamObject.doStream", "GENERATION"},
        {"ai.embedMany.doEmbed", "EMBEDDING"},          {"ai.embed.doEmbed", "EMBEDDING"}};
    text name = span_text(m, of[SPAN_OPERATION_NAME]), id = span_text(m, of[SPAN_AI_OPERATION]);
    bool has_model = SPAN_HAS(of, SPAN_MODEL, SPAN_AI_MODEL, SPAN_REQUEST_MODEL, SPAN_RESPONSE_MODEL);
    for (size_t i = 0; has_model && i < sizeof operations / sizeof *operations; i++)
        if (text_starts(name, operations[i].given) || text_is(id, operations[i].given))
            return text_of(operations[i].type);
    return text_starts(name, "ai.toolCall") || text_is(id, "ai.toolCall") ? TEXT("TOOL") : TEXT("");
}

static text span_type_of_others(span_mapper *m, const span_slots of)
{
    static const span_word kinds[] = {{"CHAIN", "CHAIN"},         {"RETRIEVER", "RETRIEVER"}, {"LLM", "GENERATION"},
                                      {"EMBEDDING", "EMBEDDING"}, {"AGENT", "AGENT"},         {"TOOL", "TOOL"},
                                      {"GUARDRAIL", "GUARDRAIL"}, {"EVALUATOR", "EVALUATOR"}, {NULL, NULL}};
    static const span_word operations[] = {{"chat", "GENERATION"},
                                           {"completion", "GENERATION"},
                                           {"text_completion", "GENERATION"},
                                           {"generate_content", "GENERATION"},
                                           {"generate", "GENERATION"},
                                           {"embeddings", "EMBEDDING"},
                                           {"invoke_agent", "AGENT"},
                                           {"create_agent", "AGENT"},
                                           {"execute_tool", "TOOL"},
                                           {NULL, NULL}};
    text type = span_type_of_word(span_text(m, of[SPAN_SPAN_KIND]), kinds);
    if (type.size == 0)
        type = span_type_of_word(span_text(m, of[SPAN_OPERATION]), operations);
    if (type.size == 0)
        type = span_type_of_ai(m, of);
    if (type.size == 0 && SPAN_HAS(of, SPAN_TOOL_NAME, SPAN_TOOL_CALL))
        type = TEXT("TOOL");
    if (type.size == 0 && SPAN_HAS(of, SPAN_MODEL, SPAN_REQUEST_MODEL, SPAN_RESPONSE_MODEL, SPAN_LLM_MODEL, SPAN_PLAIN_MODEL))
        type = TEXT("GENERATION");
    return type.size > 0 ? type : TEXT("SPAN");
}

static text span_type_of(span_mapper *m, const span_view *v)
{
    text given = span_text(m, v->of[SPAN_TYPE]);
    if (span_is_old_generation(m, v))
        return TEXT("GENERATION");
    if (text_lists(TEXT("span,generation,event,embedding,agent,tool,chain,retriever,guardrail,evaluator"), given))
        return arena_upper(m->arena, given);
    if (given.size > 0)
        m->losses |= LOSS_TYPE;
    return span_type_of_others(m, v->of);
}

/* ---- Other fields ---- */

static text span_level_of(span_mapper *m, const otlp_value *given, int status_code)
{
    bool is_text = given != NULL && given->kind == OTLP_STRING;
    text word = is_text ? arena_upper(m->arena, text_trim(given->as.string)) : TEXT("");
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

/* The span before the resource, key by key; what is no text is no name. */
static text span_environment_of(span_mapper *m, const span_slots of, const span_slots resource)
{
    static const span_key order[] = {SPAN_ENVIRONMENT, SPAN_DEPLOYMENT_ENVIRONMENT_NAME, SPAN_DEPLOYMENT_ENVIRONMENT};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        const otlp_value *value = span_is_something(of[order[i]]) ? of[order[i]] : resource[order[i]];
        if (span_is_something(value))
            return value->kind == OTLP_STRING ? observation_environment(m->arena, value->as.string) : TEXT("default");
    }
    return TEXT("default");
}

static void span_put_tag(span_mapper *m, text tag)
{
    json_put_comma(&m->scratch);
    json_put_string(&m->scratch, tag);
}

/* Words between commas, or one tag. */
static void span_put_words(span_mapper *m, text given)
{
    if (!text_has(given, ",")) {
        span_put_tag(m, given);
        return;
    }
    while (given.at != NULL)
        span_put_tag(m, text_trim(text_take(&given, ",")));
}

/* An array of texts, JSON text of one, or words. */
static text span_tags_of(span_mapper *m, const otlp_value *value)
{
    if (value == NULL)
        return TEXT("[]");
    text given = otlp_text(m->arena, value);
    const json *list = text_starts(text_trim(given), "[") ? json_parse(m->arena, given) : NULL;
    buf_char(&m->scratch, '[');
    for (const json *tag = json_first(list, JSON_ARRAY); tag != NULL; tag = tag->next)
        span_put_tag(m, tag->kind == JSON_STRING ? tag->string : json_text(m->arena, tag));
    if (!json_is(list, JSON_ARRAY) && (value->kind == OTLP_STRING || value->kind == OTLP_JSON))
        span_put_words(m, given);
    buf_char(&m->scratch, ']');
    return span_take_scratch(m);
}

static text span_name_of(span_mapper *m, const span_view *v)
{
    const otlp_value *other = SPAN_FIRST(v->of, SPAN_TOOL_NAME, SPAN_LOGFIRE_NAME);
    if (other == NULL)
        other = v->of[SPAN_AI_TOOL_NAME];
    if (other != NULL || v->of[SPAN_AI_OPERATION] == NULL)
        return other != NULL ? span_text(m, other) : v->span->name;
    if (span_is_something(v->of[SPAN_AI_FUNCTION])) {
        buf_text(&m->scratch, span_text(m, v->of[SPAN_AI_FUNCTION]));
        buf_char(&m->scratch, ':');
    }
    buf_text(&m->scratch, span_text(m, v->of[SPAN_AI_OPERATION]));
    return span_take_scratch(m);
}

/* The first of two that is there, even if it is empty. */
static text span_given(span_mapper *m, const otlp_value *first, const otlp_value *second)
{
    return span_text(m, first != NULL ? first : second);
}

static void span_set_times(const otlp_span *span, int64_t now_ns, observation *out)
{
    out->start_ns = span->start_ns != OTLP_NO_TIME ? span->start_ns : span->end_ns != OTLP_NO_TIME ? span->end_ns : now_ns;
    out->end_ns = span->end_ns != OTLP_NO_TIME ? span->end_ns : out->start_ns;
}

static void span_set_identity(span_mapper *m, const span_view *v, observation *out)
{
    out->trace_id = v->span->trace_id;
    out->id = v->span->id;
    out->parent_id = v->span->parent_id.at != NULL ? v->span->parent_id : TEXT("");
    out->name = span_name_of(m, v);
    out->is_app_root = span_is_true(v->of[SPAN_APP_ROOT]);
    out->trace_name = span_text(m, v->of[SPAN_TRACE_NAME]);
    if (out->trace_name.size == 0 && observation_is_root(out))
        out->trace_name = out->name;
    out->status_message = v->of[SPAN_STATUS_MESSAGE] != NULL ? span_text(m, v->of[SPAN_STATUS_MESSAGE]) : v->span->status_message;
    out->level = span_level_of(m, v->of[SPAN_LEVEL], v->span->status_code);
    out->environment = span_environment_of(m, v->of, v->scope->resource);
    out->release = span_given(m, v->of[SPAN_RELEASE], v->scope->resource[SPAN_RELEASE]);
    out->version = span_given(m, v->of[SPAN_VERSION], v->scope->resource[SPAN_SERVICE_VERSION]);
}

/* What the span says of its trace. */
static void span_set_trace(span_mapper *m, const span_slots of, observation *out)
{
    out->is_public = span_is_true(of[SPAN_PUBLIC] != NULL ? of[SPAN_PUBLIC] : of[SPAN_PUBLIC_OLD]);
    out->user_id = span_text(m,
                             SPAN_FIRST(of, SPAN_LF_USER, SPAN_USER, SPAN_METADATA_USER, SPAN_TRACE_METADATA_USER, SPAN_AI_USER));
    out->session_id = span_text(m, SPAN_FIRST(of, SPAN_LF_SESSION, SPAN_SESSION, SPAN_CONVERSATION, SPAN_METADATA_SESSION,
                                              SPAN_TRACE_METADATA_SESSION, SPAN_AI_SESSION));
    out->tags = span_tags_of(
        m, SPAN_FIRST(of, SPAN_TAGS, SPAN_TAGS_OLD, SPAN_METADATA_TAGS, SPAN_TRACE_METADATA_TAGS, SPAN_AI_TAGS, SPAN_TAG_TAGS));
}

/* ---- One span ---- */

static void span_map(span_mapper *m, const otlp_span *span, int64_t now_ns, observation *out)
{
    span_view v = {.span = span, .scope = &m->scopes[span->scope]};
    span_sort(m, span->attributes, v.of);
    span_set_times(span, now_ns, out);
    span_set_identity(m, &v, out);
    span_set_trace(m, v.of, out);
    out->type = span_type_of(m, &v);
    span_set_model(m, &v, out);
    span_set_io(m, &v, out);
    span_set_metadata(m, &v, out);
    span_set_usage(m, &v, out);
}

static void span_view_scope(span_mapper *m, const otlp_scope *scope, span_scope *out)
{
    out->name = scope->name;
    out->version = scope->version;
    out->of_sdk = text_starts(scope->name, "langfuse-sdk");
    span_sort(m, scope->resource, out->resource);
    span_view_metadata(m, scope, out);
}

observation *span_map_all(const otlp_export *e, int64_t now_ns, bool decode_metadata, unsigned *losses)
{
    span_mapper m = {.e = e, .arena = e->arena, .decode = decode_metadata};
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
