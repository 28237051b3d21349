#include "usage.h"

#include <math.h>
#include <string.h>

/* A usage object has a handful of keys; more than this is not usage. */
#define MAX_ENTRIES 64

typedef struct entries {
    struct {
        text key;
        int64_t tokens;
    } list[MAX_ENTRIES];
    size_t count;
} entries;

static void add(entries *e, text key, int64_t tokens)
{
    for (size_t i = 0; i < e->count; i++) {
        if (text_equal(e->list[i].key, key)) {
            e->list[i].tokens = tokens;
            return;
        }
    }
    if (e->count < MAX_ENTRIES) {
        e->list[e->count].key = key;
        e->list[e->count++].tokens = tokens;
    }
}

/* Non-negative integers, or strings of digits; everything else is dropped. */
static bool tokens_of(const json *value, int64_t *out)
{
    if (json_is(value, JSON_STRING))
        return text_to_int(value->string, out) && *out >= 0;
    if (!json_is(value, JSON_NUMBER) || value->number < 0 || value->number > 9e15 || value->number != floor(value->number))
        return false;
    *out = (int64_t)value->number;
    return true;
}

static text finish(arena *a, buf *out)
{
    buf_char(out, '}');
    return buf_move(out, a);
}

static text with_total(arena *a, entries *e)
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
        add(e, TEXT("total"), total);
    buf_char(&out, '{');
    for (size_t i = 0; i < e->count; i++) {
        json_put_name(&out, e->list[i].key);
        buf_format(&out, "%lld", (long long)e->list[i].tokens);
    }
    return finish(a, &out);
}

/* ---- The OpenAI shapes ---- */

typedef struct openai_shape {
    const char *input, *output, *input_details, *output_details;
} openai_shape;

static const openai_shape openai_shapes[] = {
    {"prompt_tokens", "completion_tokens", "prompt_tokens_details", "completion_tokens_details"},
    {"input_tokens", "output_tokens", "input_tokens_details", "output_tokens_details"},
};

/* The shape is recognised only as a whole: all three counts there, and no key from elsewhere. */
static bool has_shape(const json *given, const openai_shape *shape)
{
    int64_t ignored;
    const char *const known[] = {shape->input, shape->output, "total_tokens", shape->input_details, shape->output_details};
    for (size_t i = 0; i < 3; i++)
        if (!tokens_of(json_get(given, known[i]), &ignored))
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
static void add_side(arena *a, entries *e, const char *side, int64_t whole, const json *details)
{
    int64_t part, rest = whole;
    for (const json *detail = json_first(details, JSON_OBJECT); detail != NULL; detail = detail->next)
        if (tokens_of(detail, &part))
            rest = part < rest ? rest - part : 0;
    add(e, text_of(side), rest);
    for (const json *detail = json_first(details, JSON_OBJECT); detail != NULL; detail = detail->next) {
        if (!tokens_of(detail, &part))
            continue;
        buf key = {0};
        buf_string(&key, side);
        buf_char(&key, '_');
        buf_text(&key, detail->key);
        add(e, arena_copy(a, buf_view(&key)), part);
        buf_free(&key);
    }
}

static text from_openai(arena *a, const json *given, const openai_shape *shape)
{
    entries e = {.count = 0};
    int64_t input = 0, output = 0, total = 0;
    tokens_of(json_get(given, shape->input), &input);
    tokens_of(json_get(given, shape->output), &output);
    tokens_of(json_get(given, "total_tokens"), &total);
    add_side(a, &e, "input", input, json_get(given, shape->input_details));
    add_side(a, &e, "output", output, json_get(given, shape->output_details));
    add(&e, TEXT("total"), total);
    return with_total(a, &e);
}

text usage_details(arena *a, const json *given)
{
    entries e = {.count = 0};
    int64_t tokens;
    if (!json_is(given, JSON_OBJECT))
        return TEXT("{}");
    for (size_t i = 0; i < sizeof openai_shapes / sizeof *openai_shapes; i++)
        if (has_shape(given, &openai_shapes[i]))
            return from_openai(a, given, &openai_shapes[i]);
    for (const json *member = given->first; member != NULL; member = member->next)
        if (tokens_of(member, &tokens))
            add(&e, member->key, tokens);
    return with_total(a, &e);
}

static bool are_tokens(const json *object)
{
    int64_t ignored;
    for (const json *member = json_first(object, JSON_OBJECT); member != NULL; member = member->next)
        if (!json_is_null(member) && !tokens_of(member, &ignored))
            return false;
    return json_is_null(object) || object->kind == JSON_OBJECT;
}

bool usage_is_whole(const json *given)
{
    for (size_t i = 0; json_is(given, JSON_OBJECT) && i < sizeof openai_shapes / sizeof *openai_shapes; i++)
        if (has_shape(given, &openai_shapes[i]))
            return are_tokens(json_get(given, openai_shapes[i].input_details)) &&
                   are_tokens(json_get(given, openai_shapes[i].output_details));
    return are_tokens(given);
}

bool usage_costs_fit(const json *given)
{
    for (const json *member = json_first(given, JSON_OBJECT); member != NULL; member = member->next)
        if (!json_is_null(member) && member->kind != JSON_NUMBER)
            return false;
    return json_is_null(given) || given->kind == JSON_OBJECT;
}

/* Absent counters are negative. */
static int64_t without(int64_t whole, int64_t part)
{
    if (whole < 0 || part < 0)
        return whole;
    return whole > part ? whole - part : 0;
}

static void add_counter(entries *e, const char *key, int64_t tokens)
{
    if (tokens >= 0)
        add(e, text_of(key), tokens);
}

text usage_from_counters(arena *a, int64_t input, int64_t output, int64_t cache_read, int64_t cache_creation, int64_t reasoning)
{
    entries e = {.count = 0};
    add_counter(&e, "input", without(without(input, cache_read), cache_creation));
    add_counter(&e, "output", without(output, reasoning));
    add_counter(&e, "input_cached_tokens", cache_read);
    add_counter(&e, "input_cache_creation", cache_creation);
    add_counter(&e, "output_reasoning_tokens", reasoning);
    return with_total(a, &e);
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
    return finish(a, &out);
}
