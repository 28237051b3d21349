#include "usage.h"

#include <math.h>
#include <string.h>

/* A usage object has a handful of keys; more than this is not usage. */
enum { USAGE_MAX_ENTRIES = 64 };

typedef struct usage_entries {
    struct {
        text key;
        int64_t tokens;
    } list[USAGE_MAX_ENTRIES];
    size_t count;
} usage_entries;

static void usage_add(usage_entries *e, text key, int64_t tokens)
{
    for (size_t i = 0; i < e->count; i++) {
        if (text_equal(e->list[i].key, key)) {
            e->list[i].tokens = tokens;
            return;
        }
    }
    if (e->count < USAGE_MAX_ENTRIES) {
        e->list[e->count].key = key;
        e->list[e->count++].tokens = tokens;
    }
}

/* Non-negative integers, or strings of digits; everything else is dropped. */
static bool usage_tokens_of(const json *value, int64_t *out)
{
    if (json_is(value, JSON_STRING))
        return text_to_int(value->string, out) && *out >= 0;
    if (!json_is(value, JSON_NUMBER) || value->number < 0 || value->number > 9e15 || value->number != floor(value->number))
        return false;
    *out = (int64_t)value->number;
    return true;
}

static text usage_finish(arena *a, buf *out)
{
    buf_char(out, '}');
    return buf_move(out, a);
}

static text usage_with_total(arena *a, usage_entries *e)
{
    buf out = {0};
    int64_t total = 0;
    bool has_total = false;
    for (size_t i = 0; i < e->count; i++) {
        has_total |= text_is(e->list[i].key, "total");
        if (__builtin_add_overflow(total, e->list[i].tokens, &total))
            total = INT64_MAX;
    }
    if (e->count > 0 && !has_total)
        usage_add(e, TEXT("total"), total);
    buf_char(&out, '{');
    for (size_t i = 0; i < e->count; i++) {
        json_put_name(&out, e->list[i].key);
        buf_format(&out, "%lld", (long long)e->list[i].tokens);
    }
    return usage_finish(a, &out);
}

/* ---- The OpenAI shapes ---- */

typedef struct usage_shape {
    const char *input, *output, *input_details, *output_details;
} usage_shape;

static const usage_shape usage_shapes[] = {
    {"prompt_tokens", "completion_tokens", "prompt_tokens_details", "completion_tokens_details"},
    {"input_tokens", "output_tokens", "input_tokens_details", "output_tokens_details"},
};

/* The shape is recognised only as a whole: all three counts there, and no key from elsewhere. */
static bool usage_has_shape(const json *given, const usage_shape *shape)
{
    int64_t ignored;
    const char *const known[] = {shape->input, shape->output, "total_tokens", shape->input_details, shape->output_details};
    for (size_t i = 0; i < 3; i++)
        if (!usage_tokens_of(json_get(given, known[i]), &ignored))
            return false;
    for (const json *member = given->first; member != NULL; member = member->next) {
        bool found = false;
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            found |= text_is(member->key, known[i]);
        if (!found)
            return false;
    }
    return true;
}

/* Details are parts of their side: "cached_tokens" of the prompt becomes input_cached_tokens and leaves the rest as input. */
static void usage_add_side(arena *a, usage_entries *e, const char *side, int64_t whole, const json *details)
{
    int64_t part, rest = whole;
    for (const json *detail = json_first(details, JSON_OBJECT); detail != NULL; detail = detail->next)
        if (usage_tokens_of(detail, &part))
            rest = part < rest ? rest - part : 0;
    usage_add(e, text_of(side), rest);
    for (const json *detail = json_first(details, JSON_OBJECT); detail != NULL; detail = detail->next) {
        if (!usage_tokens_of(detail, &part))
            continue;
        buf key = {0};
        buf_string(&key, side);
        buf_char(&key, '_');
        buf_text(&key, detail->key);
        usage_add(e, arena_copy(a, buf_view(&key)), part);
        buf_free(&key);
    }
}

static text usage_from_openai(arena *a, const json *given, const usage_shape *shape)
{
    usage_entries e = {.count = 0};
    int64_t input = 0, output = 0, total = 0;
    usage_tokens_of(json_get(given, shape->input), &input);
    usage_tokens_of(json_get(given, shape->output), &output);
    usage_tokens_of(json_get(given, "total_tokens"), &total);
    usage_add_side(a, &e, "input", input, json_get(given, shape->input_details));
    usage_add_side(a, &e, "output", output, json_get(given, shape->output_details));
    usage_add(&e, TEXT("total"), total);
    return usage_with_total(a, &e);
}

text usage_details(arena *a, const json *given)
{
    usage_entries e = {.count = 0};
    int64_t tokens;
    if (!json_is(given, JSON_OBJECT))
        return TEXT("{}");
    for (size_t i = 0; i < sizeof usage_shapes / sizeof *usage_shapes; i++)
        if (usage_has_shape(given, &usage_shapes[i]))
            return usage_from_openai(a, given, &usage_shapes[i]);
    for (const json *member = given->first; member != NULL; member = member->next)
        if (usage_tokens_of(member, &tokens))
            usage_add(&e, member->key, tokens);
    return usage_with_total(a, &e);
}

static bool usage_are_tokens(const json *object)
{
    int64_t ignored;
    for (const json *member = json_first(object, JSON_OBJECT); member != NULL; member = member->next)
        if (!json_is_null(member) && !usage_tokens_of(member, &ignored))
            return false;
    return json_is_null(object) || object->kind == JSON_OBJECT;
}

bool usage_is_whole(const json *given)
{
    for (size_t i = 0; json_is(given, JSON_OBJECT) && i < sizeof usage_shapes / sizeof *usage_shapes; i++)
        if (usage_has_shape(given, &usage_shapes[i]))
            return usage_are_tokens(json_get(given, usage_shapes[i].input_details)) &&
                   usage_are_tokens(json_get(given, usage_shapes[i].output_details));
    return usage_are_tokens(given);
}

bool usage_costs_fit(const json *given)
{
    for (const json *member = json_first(given, JSON_OBJECT); member != NULL; member = member->next)
        if (!json_is_null(member) && member->kind != JSON_NUMBER)
            return false;
    return json_is_null(given) || given->kind == JSON_OBJECT;
}

/* Absent counters are negative. */
static int64_t usage_without(int64_t whole, int64_t part)
{
    if (whole < 0 || part < 0)
        return whole;
    return whole > part ? whole - part : 0;
}

static void usage_add_counter(usage_entries *e, const char *key, int64_t tokens)
{
    if (tokens >= 0)
        usage_add(e, text_of(key), tokens);
}

text usage_from_counters(arena *a, int64_t input, int64_t output, int64_t cache_read, int64_t cache_creation, int64_t reasoning)
{
    usage_entries e = {.count = 0};
    usage_add_counter(&e, "input", usage_without(usage_without(input, cache_read), cache_creation));
    usage_add_counter(&e, "output", usage_without(output, reasoning));
    usage_add_counter(&e, "input_cached_tokens", cache_read);
    usage_add_counter(&e, "input_cache_creation", cache_creation);
    usage_add_counter(&e, "output_reasoning_tokens", reasoning);
    return usage_with_total(a, &e);
}

/* Costs are not checked; a total is made only from plain input and output, since other keys may overlap. */
text usage_costs(arena *a, const json *given)
{
    buf out = {0};
    double sum = 0;
    bool plain = true;
    buf_char(&out, '{');
    for (const json *member = json_first(given, JSON_OBJECT); member != NULL; member = member->next) {
        double cost = member->kind == JSON_NUMBER ? member->number : 0;
        json_put_name(&out, member->key);
        json_put_number(&out, cost);
        plain &= text_is(member->key, "input") || text_is(member->key, "output");
        sum += cost;
    }
    if (plain && out.size > 1) {
        json_put_key(&out, "total");
        json_put_number(&out, sum);
    }
    return usage_finish(a, &out);
}
