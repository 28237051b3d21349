/* What a span says of a call of a model: its name and parameters, tokens and costs, the first token, the prompt. */
#include "span_private.h"

#include "clock.h"
#include "cost.h"
#include "js_date.h"
#include "loss.h"
#include "usage.h"

#include <math.h>

static bool span_model_is_ai(const span_view *v)
{
    return text_is(v->scope->name, "ai");
}

/* ---- Parameters ---- */

/* Numbers and strings keep their type; the rest becomes text. */
static void span_model_put_parameter(span_mapper *m, text name, const json *value)
{
    json_put_name(&m->scratch, name);
    if (value->kind == JSON_NUMBER || value->kind == JSON_STRING)
        json_write(&m->scratch, value);
    else
        json_put_string(&m->scratch, json_text(m->arena, value));
}

static void span_model_put_members(span_mapper *m, const json *object)
{
    for (const json *member = object->first; member != NULL; member = member->next)
        span_model_put_parameter(m, member->key, member);
}

static void span_model_put_family(span_mapper *m, const span_view *v, const char *prefix)
{
    for (size_t i = 0; i < v->span->attributes.count; i++) {
        const otlp_attribute *attribute = span_attribute_at(m, v->span->attributes, i);
        text name = attribute->key;
        if (!text_skip(&name, prefix) || text_is(name, "model"))
            continue;
        json value = {.kind = JSON_STRING, .string = otlp_text(m->arena, &attribute->value)};
        if (attribute->value.kind == OTLP_INT)
            value = (json){.kind = JSON_NUMBER, .number = (double)attribute->value.as.integer};
        else if (attribute->value.kind == OTLP_DOUBLE)
            value = (json){.kind = JSON_NUMBER, .number = attribute->value.as.number};
        span_model_put_parameter(m, name, &value);
    }
}

/* As JavaScript's toString has it: items of an array stand between commas. Null when there is no value. */
static void span_model_put_text(span_mapper *m, const char *name, const otlp_value *value)
{
    buf items = {0};
    json_put_key(&m->scratch, name);
    if (value == NULL) {
        buf_string(&m->scratch, "null");
        return;
    }
    for (size_t i = 0; value->kind == OTLP_ARRAY && i < value->as.array.count; i++) {
        buf_string(&items, i > 0 ? "," : "");
        buf_text(&items, otlp_text(m->arena, &value->as.array.items[i]));
    }
    json_put_string(&m->scratch, value->kind == OTLP_ARRAY ? buf_move(&items, m->arena) : otlp_text(m->arena, value));
}

/* Those that a real server looks for, whether they are there or not; `given` wins. */
static void span_model_put_ai_parameters(span_mapper *m, const span_slots of, const json *given)
{
    const json *provider = span_json_of(m, of[SPAN_AI_PROVIDER_METADATA], JSON_OBJECT);
    const json *tier = json_get(json_get(provider, "openai"), "serviceTier");
    const struct {
        const char *name;
        const otlp_value *value;
    } known[] = {
        {"maxSteps", of[SPAN_AI_MAX_STEPS]},
        {"toolChoice", of[SPAN_AI_TOOL_CHOICE]},
        {"maxTokens", of[SPAN_MAX_TOKENS]},
        {"finishReason", of[SPAN_FINISH_REASONS] != NULL ? of[SPAN_FINISH_REASONS] : of[SPAN_FINISH_REASON_OLD]},
        {"system", of[SPAN_SYSTEM] != NULL ? of[SPAN_SYSTEM] : of[SPAN_AI_PROVIDER]},
        {"maxRetries", of[SPAN_AI_MAX_RETRIES]},
        {"mode", of[SPAN_AI_MODE]},
        {"temperature", of[SPAN_TEMPERATURE]},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (json_get(given, known[i].name) == NULL)
            span_model_put_text(m, known[i].name, known[i].value);
    if (json_is(tier, JSON_STRING) && json_get(given, "service_tier") == NULL)
        span_model_put_parameter(m, TEXT("service_tier"), tier);
    else if (json_get(given, "service_tier") == NULL)
        span_model_put_text(m, "service_tier", of[SPAN_SERVICE_TIER]);
}

static text span_model_parameters(span_mapper *m, const span_view *v)
{
    static const span_key objects[] = {SPAN_MODEL_PARAMETERS, SPAN_LLM_PARAMETERS, SPAN_MODEL_CONFIG};
    bool ai = span_model_is_ai(v);
    const json *given = NULL;
    for (size_t i = 0; given == NULL && i < (ai ? 1 : sizeof objects / sizeof *objects); i++)
        given = span_json_of(m, v->of[objects[i]], JSON_OBJECT);
    buf_char(&m->scratch, '{');
    if (ai)
        span_model_put_ai_parameters(m, v->of, given);
    if (given != NULL) {
        span_model_put_members(m, given);
    } else if (!ai) {
        span_model_put_family(m, v, "gen_ai.request.");
        span_model_put_family(m, v, "llm.invocation_parameters.");
    }
    buf_char(&m->scratch, '}');
    return span_take_scratch(m);
}

/* ---- Tokens ---- */

/* What a count means, by its names in the order in which they count. The parts of a side are counted in it. */
typedef enum span_role {
    SPAN_ROLE_INPUT,
    SPAN_ROLE_OUTPUT,
    SPAN_ROLE_TOTAL,
    SPAN_ROLE_CACHE_READ,
    SPAN_ROLE_CACHE_WRITE,
    SPAN_ROLE_REASONING,
    SPAN_ROLE_AUDIO,
    SPAN_ROLE_COUNT
} span_role;

static const struct {
    const char *stored;
    const char *names[8]; /* ends with NULL */
} span_roles[SPAN_ROLE_COUNT] = {
    [SPAN_ROLE_INPUT] = {"input", {"prompt_tokens", "input_tokens", "prompt"}},
    [SPAN_ROLE_OUTPUT] = {"output", {"completion_tokens", "output_tokens", "completion"}},
    [SPAN_ROLE_TOTAL] = {"total", {"total_tokens", "total"}},
    [SPAN_ROLE_CACHE_READ] = {"input_cached_tokens",
                              {"cache_read.input_tokens", "cache_read_input_tokens", "cache_read_tokens",
                               "details.cache_read_tokens", "details.cache_read_input_tokens", "prompt_details.cache_read",
                               "input_cached_tokens"}},
    [SPAN_ROLE_CACHE_WRITE] = {"input_cache_creation",
                               {"cache_creation.input_tokens", "cache_creation_input_tokens", "cache_write_tokens",
                                "details.cache_write_tokens", "details.cache_creation_input_tokens", "prompt_details.cache_write",
                                "input_cache_creation"}},
    [SPAN_ROLE_REASONING] = {"output_reasoning_tokens", {"reasoning.output_tokens", "completion_details.reasoning"}},
    [SPAN_ROLE_AUDIO] = {"output_audio_tokens", {"completion_details.audio"}},
};

typedef struct span_counts {
    double of[SPAN_ROLE_COUNT];    /* NAN: not given */
    size_t ranks[SPAN_ROLE_COUNT]; /* of the name that gave it, in its list */
} span_counts;

/* A number, or a text that is one, as JavaScript has it; NAN: it is none. */
static double span_model_number(span_mapper *m, const otlp_value *value)
{
    double number;
    text digits = text_trim(otlp_text(m->arena, value));
    if (value->kind == OTLP_BOOL)
        return value->as.boolean;
    return digits.size == 0 ? 0 : text_to_double(digits, &number) ? number : NAN;
}

/* A count that is no whole number is not kept. */
static void span_model_add(usage_counts *out, text key, double tokens)
{
    if (tokens >= 0 && tokens <= 9e15 && tokens == floor(tokens))
        usage_add(out, key, (int64_t)tokens);
}

/* False: the name means nothing here. */
static bool span_model_note_count(span_counts *counts, text name, double tokens)
{
    for (span_role role = 0; role < SPAN_ROLE_COUNT; role++) {
        for (size_t rank = 0; span_roles[role].names[rank] != NULL; rank++) {
            if (!text_is(name, span_roles[role].names[rank]))
                continue;
            if (isnan(counts->of[role]) || rank <= counts->ranks[role]) {
                counts->of[role] = tokens;
                counts->ranks[role] = rank;
            }
            return true;
        }
    }
    return false;
}

static void span_model_take_out(span_counts *counts, span_role side, span_role part)
{
    if (!isnan(counts->of[side]) && !isnan(counts->of[part]))
        counts->of[side] = fmax(counts->of[side] - counts->of[part], 0);
}

static void span_model_add_counters(span_mapper *m, const span_view *v, usage_counts *out)
{
    span_counts counts;
    for (size_t i = 0; i < SPAN_ROLE_COUNT; i++)
        counts.of[i] = NAN;
    for (size_t i = 0; i < v->span->attributes.count; i++) {
        const otlp_attribute *attribute = span_attribute_at(m, v->span->attributes, i);
        text name = attribute->key;
        if ((!text_skip(&name, "gen_ai.usage.") || text_is(name, "cost")) && !text_skip(&name, "llm.token_count."))
            continue;
        double tokens = span_model_number(m, &attribute->value);
        if (isnan(tokens) || span_model_note_count(&counts, name, tokens))
            continue;
        text_skip(&name, "details.");
        span_model_add(out, name, tokens);
    }
    span_model_take_out(&counts, SPAN_ROLE_INPUT, SPAN_ROLE_CACHE_READ);
    span_model_take_out(&counts, SPAN_ROLE_INPUT, SPAN_ROLE_CACHE_WRITE);
    span_model_take_out(&counts, SPAN_ROLE_OUTPUT, SPAN_ROLE_REASONING);
    span_model_take_out(&counts, SPAN_ROLE_OUTPUT, SPAN_ROLE_AUDIO);
    for (size_t i = 0; i < SPAN_ROLE_COUNT; i++)
        span_model_add(out, text_of(span_roles[i].stored), counts.of[i]);
}

/* The count of an attribute of the AI SDK, which may be a JSON object around it; NAN: there is none. */
static double span_model_ai_count(span_mapper *m, const otlp_value *value)
{
    const json *object = span_json_of(m, value, JSON_OBJECT);
    return object != NULL ? json_number_at(object, "intValue", NAN) : value != NULL ? floor(span_model_number(m, value)) : NAN;
}

/* Counts that the provider tells: the first that is there. */
static double span_model_ai_detail(double known, const json *of_provider, const char *key)
{
    return isnan(known) ? json_number_at(of_provider, key, NAN) : known;
}

static void span_model_add_ai_counters(span_mapper *m, const span_slots of, usage_counts *out)
{
    const json *provider = span_json_of(m, of[SPAN_AI_PROVIDER_METADATA], JSON_OBJECT), *openai = json_get(provider, "openai"),
               *anthropic = json_get(json_get(provider, "anthropic"), "usage"),
               *bedrock = json_get(json_get(provider, "bedrock"), "usage"), *written = json_get(anthropic, "cache_creation");
    double cached = span_model_ai_count(m, of[SPAN_AI_CACHED]), reasoning = span_model_ai_count(m, of[SPAN_AI_REASONING]),
           creation = span_model_ai_detail(NAN, anthropic, "cache_creation_input_tokens");
    cached = span_model_ai_detail(span_model_ai_detail(cached, openai, "cachedPromptTokens"), anthropic, "cache_read_input_tokens");
    reasoning = span_model_ai_detail(reasoning, openai, "reasoningTokens");
    double minutes = json_number_at(written, "ephemeral_5m_input_tokens", NAN),
           hour = json_number_at(written, "ephemeral_1h_input_tokens", NAN);
    if (json_is(written, JSON_OBJECT)) /* what lives for a known time is counted there */
        creation = fmax((isnan(creation) ? 0 : creation) - (isnan(minutes) ? 0 : minutes) - (isnan(hour) ? 0 : hour), 0);
    creation = span_model_ai_detail(creation, bedrock, "cacheCreationInputTokens");
    const struct {
        const char *name;
        double tokens;
        bool of_input;
    } parts[] = {
        {"input_cached_tokens", cached, true},
        {"accepted_prediction_tokens", json_number_at(openai, "acceptedPredictionTokens", NAN), false},
        {"rejected_prediction_tokens", json_number_at(openai, "rejectedPredictionTokens", NAN), false},
        {"output_reasoning_tokens", reasoning, false},
        {"input_cache_creation", creation, true},
        {"input_cache_creation_5m", minutes, true},
        {"input_cache_creation_1h", hour, true},
        {"input_cache_read", json_number_at(bedrock, "cacheReadInputTokens", NAN), true},
        {"input_cache_write", json_number_at(bedrock, "cacheWriteInputTokens", NAN), false},
    };
    double input = span_model_ai_count(m, of[SPAN_USAGE_PROMPT] != NULL ? of[SPAN_USAGE_PROMPT] : of[SPAN_USAGE_INPUT]),
           output = span_model_ai_count(m, of[SPAN_USAGE_COMPLETION] != NULL ? of[SPAN_USAGE_COMPLETION] : of[SPAN_USAGE_OUTPUT]);
    input = isnan(input) ? 0 : input;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        input -= parts[i].of_input && !isnan(parts[i].tokens) ? parts[i].tokens : 0;
    span_model_add(out, TEXT("input"), fmax(input, 0));
    span_model_add(out, TEXT("output"), fmax((isnan(output) ? 0 : output) - (isnan(reasoning) ? 0 : reasoning), 0));
    span_model_add(out, TEXT("total"), span_model_ai_count(m, of[SPAN_AI_TOKENS]));
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        span_model_add(out, text_of(parts[i].name), parts[i].tokens);
}

/* ---- Costs ---- */

/* Of a cost that is no number, nothing but its being there counts. */
static const json *span_model_total_cost(json out[2], const otlp_value *given)
{
    if (given == NULL || (given->kind == OTLP_STRING && given->as.string.size == 0))
        return NULL;
    out[1] = (json){.kind = given->kind == OTLP_INT || given->kind == OTLP_DOUBLE ? JSON_NUMBER : JSON_STRING,
                    .key = TEXT("total")};
    out[1].number = given->kind == OTLP_INT ? (double)given->as.integer : given->kind == OTLP_DOUBLE ? given->as.number : 0;
    out[0] = (json){.kind = JSON_OBJECT, .first = &out[1]};
    return out;
}

static void span_model_note_losses(span_mapper *m, const span_slots of, const json *usage, const json *cost)
{
    if ((of[SPAN_USAGE] != NULL && usage == NULL) || !usage_is_whole(usage))
        m->losses |= LOSS_USAGE;
    if ((of[SPAN_COST] != NULL && cost == NULL) || !cost_is_whole(cost))
        m->losses |= LOSS_COST;
}

/* The AI SDK tells the sums of all its calls once more where an agent is invoked: they would count twice. */
static bool span_model_repeats(span_mapper *m, const span_view *v)
{
    return text_lists(TEXT("invoke_agent,agent_step"), span_text(m, v->of[SPAN_OPERATION]));
}

void span_set_usage(span_mapper *m, const span_view *v, observation *out)
{
    const otlp_value *const *of = v->of;
    const json *details = span_json_of(m, of[SPAN_USAGE], JSON_OBJECT), *cost = span_json_of(m, of[SPAN_COST], JSON_OBJECT);
    bool bad_text = of[SPAN_USAGE] != NULL && of[SPAN_USAGE]->kind == OTLP_STRING && details == NULL;
    usage_counts counts = {.count = 0};
    json total[2];
    out->usage = out->cost = TEXT("{}");
    if (span_model_repeats(m, v))
        return;
    span_model_note_losses(m, of, details, cost);
    if (of[SPAN_USAGE] != NULL && !bad_text)
        usage_add_details(m->arena, &counts, details);
    else if (span_model_is_ai(v))
        span_model_add_ai_counters(m, of, &counts);
    else
        span_model_add_counters(m, v, &counts);
    usage_complete(&counts);
    if (cost == NULL)
        cost = span_model_total_cost(total, of[SPAN_USAGE_COST]);
    if (cost == NULL)
        cost = span_model_total_cost(total, of[SPAN_LLM_COST]);
    out->usage = usage_text(m->arena, &counts);
    cost_set(m->arena, out, &counts, cost);
}

/* ---- The prompt ---- */

/* Of a text the digits at its start count. Absent: -1. */
static int64_t span_model_version(text given)
{
    int64_t number;
    size_t size = 0;
    given = text_trim(given);
    while (size < given.size && given.at[size] >= '0' && given.at[size] <= '9')
        size++;
    return text_to_int((text){given.at, size}, &number) && number <= OBSERVATION_MAX_PROMPT_VERSION ? number : -1;
}

/* Only generations link to a prompt. */
static void span_model_set_prompt(span_mapper *m, const span_slots of, observation *out)
{
    const json *ai = span_json_of(m, of[SPAN_AI_LANGFUSE_PROMPT], JSON_OBJECT), *version = json_get(ai, "version");
    const otlp_value *name = of[SPAN_PROMPT_NAME] != NULL ? of[SPAN_PROMPT_NAME] : of[SPAN_PROMPT_NAME_OLD],
                     *number = of[SPAN_PROMPT_VERSION] != NULL ? of[SPAN_PROMPT_VERSION] : of[SPAN_PROMPT_VERSION_OLD];
    if (!text_is(out->type, "GENERATION"))
        return;
    out->prompt_name = name != NULL ? span_text(m, name) : json_string_at(ai, "name");
    if (number != NULL || version != NULL)
        out->prompt_version = span_model_version(number != NULL ? span_text(m, number) : version->string);
}

/* ---- The first token ---- */

/* What JavaScript makes a Date of: a text, which may be quoted as JSON, or a number of milliseconds. */
static bool span_model_date(span_mapper *m, const otlp_value *value, int64_t *out_ms)
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

/* -1: it is not known. */
static int64_t span_model_first_token(span_mapper *m, const span_view *v, int64_t start_ns)
{
    const double longest = 1e12; /* milliseconds; beyond it lies no answer */
    const otlp_value *given = v->of[SPAN_COMPLETION_START],
                     *later = SPAN_FIRST(v->of, SPAN_AI_FIRST_CHUNK, SPAN_AI_FIRST_CHUNK_OLD);
    int64_t ms;
    if (given != NULL && span_model_date(m, given, &ms) && ms >= 0)
        return ms;
    if (given != NULL)
        m->losses |= LOSS_COMPLETION_START;
    double wait = later != NULL ? ceil(span_model_number(m, later)) : NAN;
    return fabs(wait) <= longest ? start_ns / CLOCK_NS_PER_MS + (int64_t)wait : -1;
}

void span_set_model(span_mapper *m, const span_view *v, observation *out)
{
    const otlp_value *model = SPAN_FIRST(v->of, SPAN_MODEL, SPAN_RESPONSE_MODEL, SPAN_AI_MODEL, SPAN_REQUEST_MODEL,
                                         SPAN_LLM_RESPONSE_MODEL, SPAN_LLM_MODEL, SPAN_PLAIN_MODEL);
    out->model = span_model_repeats(m, v) ? TEXT("") : span_text(m, model);
    out->model_parameters = span_model_parameters(m, v);
    out->completion_start_ms = span_model_first_token(m, v, out->start_ns);
    span_model_set_prompt(m, v->of, out);
}
