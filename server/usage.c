#include "usage.h"

#include <math.h>
#include <string.h>

static void usage_put(usage_counts *u, text key, int64_t tokens)
{
    for (size_t i = 0; i < u->count; i++) {
        if (text_equal(u->list[i].key, key)) {
            u->list[i].tokens = tokens;
            return;
        }
    }
    if (u->count < USAGE_MAX_ENTRIES) {
        u->list[u->count].key = key;
        u->list[u->count++].tokens = tokens;
    }
}

void usage_add(usage_counts *u, text key, int64_t tokens)
{
    if (tokens >= 0)
        usage_put(u, key, tokens);
}

void usage_complete(usage_counts *u)
{
    int64_t total = 0;
    for (size_t i = 0; i < u->count; i++) {
        if (text_is(u->list[i].key, "total"))
            return;
        if (__builtin_add_overflow(total, u->list[i].tokens, &total))
            total = INT64_MAX;
    }
    if (u->count > 0)
        usage_put(u, TEXT("total"), total);
}

text usage_text(arena *a, const usage_counts *u)
{
    buf out = {0};
    buf_char(&out, '{');
    for (size_t i = 0; i < u->count; i++) {
        json_put_name(&out, u->list[i].key);
        buf_format(&out, "%lld", (long long)u->list[i].tokens);
    }
    buf_char(&out, '}');
    return buf_move(&out, a);
}

/* ---- Details ---- */

static bool usage_is_count(const json *value)
{
    return json_is(value, JSON_NUMBER) && value->number >= 0 && value->number <= 9e15 && value->number == floor(value->number);
}

/* A count, or a string that begins with one, as JavaScript's parseInt reads it: "12.5" is 12. */
static bool usage_tokens_of(const json *value, int64_t *out)
{
    if (usage_is_count(value)) {
        *out = (int64_t)value->number;
        return true;
    }
    text digits = json_is(value, JSON_STRING) ? text_trim(value->string) : TEXT("");
    text_skip(&digits, "+");
    size_t size = 0;
    while (size < digits.size && digits.at[size] >= '0' && digits.at[size] <= '9')
        size++;
    return text_to_int((text){digits.at, size}, out);
}

typedef struct usage_shape {
    const char *input, *output, *input_details, *output_details;
} usage_shape;

static const usage_shape usage_shapes[] = {
    {"prompt_tokens", "completion_tokens", "prompt_tokens_details", "completion_tokens_details"},
    {"input_tokens", "output_tokens", "input_tokens_details", "output_tokens_details"},
};

/* Null, or an object of counts and nulls. */
static bool usage_are_parts(const json *details)
{
    for (const json *part = json_first(details, JSON_OBJECT); part != NULL; part = part->next)
        if (part->kind != JSON_NULL && !usage_is_count(part))
            return false;
    return json_is_null(details) || details->kind == JSON_OBJECT;
}

/* The shape is recognised only as a whole: all three counts there, as numbers, and no key from elsewhere. */
static bool usage_has_shape(const json *given, const usage_shape *shape)
{
    const char *const counts[] = {shape->input, shape->output, "total_tokens"};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (!usage_is_count(json_get(given, counts[i])))
            return false;
    for (const json *member = given->first; member != NULL; member = member->next) {
        bool found = text_is(member->key, shape->input_details) || text_is(member->key, shape->output_details);
        if (found && !usage_are_parts(member))
            return false;
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
            found |= text_is(member->key, counts[i]);
        if (!found)
            return false;
    }
    return true;
}

static const usage_shape *usage_shape_of(const json *given)
{
    for (size_t i = 0; i < sizeof usage_shapes / sizeof *usage_shapes; i++)
        if (usage_has_shape(given, &usage_shapes[i]))
            return &usage_shapes[i];
    return NULL;
}

/* Details are parts of their side: "cached_tokens" of the prompt becomes input_cached_tokens and leaves the rest as input. */
static void usage_add_side(arena *a, usage_counts *u, const char *side, const json *whole, const json *details)
{
    int64_t part, rest = 0;
    usage_tokens_of(whole, &rest);
    for (const json *detail = json_first(details, JSON_OBJECT); detail != NULL; detail = detail->next)
        if (usage_tokens_of(detail, &part))
            rest = part < rest ? rest - part : 0;
    usage_add(u, text_of(side), rest);
    for (const json *detail = json_first(details, JSON_OBJECT); detail != NULL; detail = detail->next) {
        if (!usage_tokens_of(detail, &part))
            continue;
        buf key = {0};
        buf_string(&key, side);
        buf_char(&key, '_');
        buf_text(&key, detail->key);
        usage_add(u, buf_move(&key, a), part);
    }
}

void usage_add_details(arena *a, usage_counts *u, const json *given)
{
    int64_t tokens;
    const usage_shape *shape = json_is(given, JSON_OBJECT) ? usage_shape_of(given) : NULL;
    if (shape != NULL) {
        usage_add_side(a, u, "input", json_get(given, shape->input), json_get(given, shape->input_details));
        usage_add_side(a, u, "output", json_get(given, shape->output), json_get(given, shape->output_details));
        if (usage_tokens_of(json_get(given, "total_tokens"), &tokens))
            usage_add(u, TEXT("total"), tokens);
        return;
    }
    for (const json *member = json_first(given, JSON_OBJECT); member != NULL; member = member->next)
        if (usage_tokens_of(member, &tokens))
            usage_add(u, member->key, tokens);
}

/* A string of more than digits loses the rest. */
static bool usage_is_kept(const json *value)
{
    int64_t tokens;
    return json_is_null(value) || usage_is_count(value) ||
           (value->kind == JSON_STRING && text_to_int(value->string, &tokens) && tokens >= 0);
}

bool usage_is_whole(const json *given)
{
    if (!json_is(given, JSON_OBJECT))
        return json_is_null(given);
    for (const json *member = usage_shape_of(given) == NULL ? given->first : NULL; member != NULL; member = member->next)
        if (!usage_is_kept(member))
            return false;
    return true;
}

/* ---- Sums ---- */

bool usage_side(const json *stored, const char *side, double *out_sum)
{
    bool found = false;
    *out_sum = 0;
    for (const json *member = json_first(stored, JSON_OBJECT); member != NULL; member = member->next) {
        if (member->kind != JSON_NUMBER || !text_has(member->key, side))
            continue;
        *out_sum += member->number;
        found = true;
    }
    return found;
}
