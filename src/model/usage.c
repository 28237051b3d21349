#include "usage.h"

#include "../base/json.h"

#include <string.h>

enum {
    USAGE_ENTRIES = 64,   /* a usage object has a handful of keys */
    USAGE_NAME_MAX = 128, /* bytes; longer keys are left out */
    USAGE_NUMBER_MAX = 64 /* digits; longer numbers are no counts */
};

/* The sides that a count may belong to. */
typedef enum usage_part {
    USAGE_WHOLE,     /* counted nowhere else */
    USAGE_OF_INPUT,  /* counted in the input as well, from which it is taken off */
    USAGE_OF_OUTPUT
} usage_part;

typedef struct usage_entry {
    char name[USAGE_NAME_MAX]; /* as in JSON text: escaped, without quotes */
    size_t name_size;
    const char *number; /* JSON text */
    size_t number_size;
    usage_part part;
} usage_entry;

typedef struct usage_entries {
    size_t count;
    usage_entry list[USAGE_ENTRIES];
} usage_entries;

/* Another name of one of our counts. */
typedef struct usage_alias {
    const char *key;
    const char *name;
    usage_part part;
} usage_alias;

static const usage_alias usage_counts[] = {
    {"prompt_tokens", "input", USAGE_WHOLE},
    {"promptTokens", "input", USAGE_WHOLE},
    {"input_tokens", "input", USAGE_WHOLE},
    {"inputTokens", "input", USAGE_WHOLE},
    {"completion_tokens", "output", USAGE_WHOLE},
    {"completionTokens", "output", USAGE_WHOLE},
    {"output_tokens", "output", USAGE_WHOLE},
    {"outputTokens", "output", USAGE_WHOLE},
    {"total_tokens", "total", USAGE_WHOLE},
    {"totalTokens", "total", USAGE_WHOLE},
    /* Anthropic and Bedrock: not in the input. */
    {"cache_read_input_tokens", "input_cached_tokens", USAGE_WHOLE},
    {"cacheReadInputTokens", "input_cached_tokens", USAGE_WHOLE},
    {"cache_creation_input_tokens", "input_cache_creation", USAGE_WHOLE},
    {"cacheCreationInputTokens", "input_cache_creation", USAGE_WHOLE},
    {"cacheWriteInputTokens", "input_cache_creation", USAGE_WHOLE},
    /* Gemini: what comes from the cache is in the prompt, thoughts are not in the candidates. */
    {"promptTokenCount", "input", USAGE_WHOLE},
    {"candidatesTokenCount", "output", USAGE_WHOLE},
    {"totalTokenCount", "total", USAGE_WHOLE},
    {"cachedContentTokenCount", "input_cached_tokens", USAGE_OF_INPUT},
    {"thoughtsTokenCount", "output_reasoning_tokens", USAGE_WHOLE},
};

static const usage_alias usage_costs[] = {
    {"input_cost", "input", USAGE_WHOLE},  {"inputCost", "input", USAGE_WHOLE},  {"output_cost", "output", USAGE_WHOLE},
    {"outputCost", "output", USAGE_WHOLE}, {"total_cost", "total", USAGE_WHOLE}, {"totalCost", "total", USAGE_WHOLE},
    {"cost", "total", USAGE_WHOLE}, /* OpenRouter */
};

/* Objects of counts that are part of a side; `name` goes before their keys. */
static const usage_alias usage_details[] = {
    {"prompt_tokens_details", "input_", USAGE_OF_INPUT},       {"promptTokensDetails", "input_", USAGE_OF_INPUT},
    {"input_tokens_details", "input_", USAGE_OF_INPUT},        {"inputTokensDetails", "input_", USAGE_OF_INPUT},
    {"input_token_details", "input_", USAGE_OF_INPUT},         {"inputTokenDetails", "input_", USAGE_OF_INPUT},
    {"completion_tokens_details", "output_", USAGE_OF_OUTPUT}, {"completionTokensDetails", "output_", USAGE_OF_OUTPUT},
    {"output_tokens_details", "output_", USAGE_OF_OUTPUT},     {"outputTokensDetails", "output_", USAGE_OF_OUTPUT},
    {"output_token_details", "output_", USAGE_OF_OUTPUT},      {"outputTokenDetails", "output_", USAGE_OF_OUTPUT},
};

#define USAGE_FIND(table, member) usage_find(table, sizeof table / sizeof *table, member)

static const usage_alias *usage_find(const usage_alias *table, size_t count, const lf__json_member *member)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(table[i].key) == member->key_size && memcmp(table[i].key, member->key, member->key_size) == 0)
            return &table[i];
    return NULL;
}

static bool usage_is_number(const lf__json_member *member)
{
    return (member->value[0] == '-' || (member->value[0] >= '0' && member->value[0] <= '9')) &&
           member->value_size <= USAGE_NUMBER_MAX;
}

/* ---- Collecting ------------------------------------------------------------------------------------------------- */

/* Of equal names the last one counts. What is part of a side stays so: some gateways report the same count in two shapes. */
static void usage_set(usage_entries *to, const usage_entry *entry)
{
    size_t i = 0;
    while (i < to->count &&
           (to->list[i].name_size != entry->name_size || memcmp(to->list[i].name, entry->name, entry->name_size) != 0))
        i++;
    if (i == USAGE_ENTRIES)
        return;
    usage_part part = i < to->count && to->list[i].part != USAGE_WHOLE ? to->list[i].part : entry->part;
    to->list[i] = *entry;
    to->list[i].part = part;
    to->count += i == to->count;
}

static void usage_name(usage_entry *entry, const char *prefix, const char *key, size_t key_size)
{
    entry->name_size = strlen(prefix);
    memcpy(entry->name, prefix, entry->name_size);
    memcpy(entry->name + entry->name_size, key, key_size);
    entry->name_size += key_size;
}

static void usage_add(usage_entries *to, const char *prefix, const lf__json_member *member, const char *key, size_t key_size,
                      usage_part part)
{
    enum { PREFIX_MAX = 8 };
    if (!usage_is_number(member) || key_size > USAGE_NAME_MAX - PREFIX_MAX)
        return;
    usage_entry entry = {.number = member->value, .number_size = member->value_size, .part = part};
    usage_name(&entry, prefix, key, key_size);
    usage_set(to, &entry);
}

/* cachedTokens as cached_tokens, so that a count has one name however its API spells it. */
static size_t usage_snake_case(char *to, const lf__json_member *member)
{
    size_t size = 0;
    bool escaped = memchr(member->key, '\\', member->key_size) != NULL;
    for (size_t i = 0; i < member->key_size; i++) {
        char c = member->key[i];
        bool upper = c >= 'A' && c <= 'Z' && !escaped;
        if (upper)
            to[size++] = '_';
        to[size++] = (char)(upper ? c + ('a' - 'A') : c);
    }
    return size;
}

static void usage_add_details(usage_entries *to, const usage_alias *side, const lf__json_member *details)
{
    lf__json_member member;
    for (size_t at = 0; lf__json_next_member(details->value, details->value_size, &at, &member);) {
        char key[USAGE_NAME_MAX];
        if (member.key_size <= sizeof key / 2)
            usage_add(to, side->name, &member, key, usage_snake_case(key, &member), side->part);
    }
}

static void usage_add_member(usage_entries *counts, usage_entries *costs, const lf__json_member *member)
{
    const usage_alias *alias;
    if ((alias = USAGE_FIND(usage_counts, member)) != NULL)
        usage_add(counts, "", member, alias->name, strlen(alias->name), alias->part);
    else if ((alias = USAGE_FIND(usage_costs, member)) != NULL)
        usage_add(costs, "", member, alias->name, strlen(alias->name), alias->part);
    else if ((alias = USAGE_FIND(usage_details, member)) != NULL)
        usage_add_details(counts, alias, member);
    else if (member->key_size != 4 || memcmp(member->key, "unit", 4) != 0)
        usage_add(counts, "", member, member->key, member->key_size, USAGE_WHOLE);
}

/* ---- Writing ---------------------------------------------------------------------------------------------------- */

/* A whole number that is not negative, "12" or "12.0"; others cannot be added up, and a server leaves them out. */
static bool usage_whole_number(const usage_entry *entry, uint64_t *value)
{
    size_t i = 0;
    *value = 0;
    for (; i < entry->number_size && entry->number[i] >= '0' && entry->number[i] <= '9'; i++)
        if (__builtin_mul_overflow(*value, 10u, value) || __builtin_add_overflow(*value, (uint64_t)(entry->number[i] - '0'), value))
            return false;
    if (i == 0 || (i < entry->number_size && entry->number[i] != '.'))
        return false;
    for (i++; i < entry->number_size; i++)
        if (entry->number[i] != '0')
            return false;
    return true;
}

/* The tokens of a side that are counted under names of their own. */
static uint64_t usage_parts(const usage_entries *from, usage_part part)
{
    uint64_t sum = 0, value;
    for (size_t i = 0; i < from->count; i++)
        if (from->list[i].part == part && usage_whole_number(&from->list[i], &value) && __builtin_add_overflow(sum, value, &sum))
            sum = UINT64_MAX;
    return sum;
}

static void usage_write_number(lf__buf *out, const usage_entries *from, const usage_entry *entry)
{
    static const char input[] = "input", output[] = "output";
    bool is_input = entry->name_size == sizeof input - 1 && memcmp(entry->name, input, sizeof input - 1) == 0;
    bool is_output = entry->name_size == sizeof output - 1 && memcmp(entry->name, output, sizeof output - 1) == 0;
    uint64_t parts = is_input ? usage_parts(from, USAGE_OF_INPUT) : is_output ? usage_parts(from, USAGE_OF_OUTPUT) : 0, whole;
    if (usage_whole_number(entry, &whole) && parts > 0)
        lf__json_uint(out, whole > parts ? whole - parts : 0);
    else
        lf__buf_add(out, entry->number, entry->number_size);
}

static void usage_write(lf__buf *out, const usage_entries *from)
{
    for (size_t i = 0; i < from->count; i++) {
        lf__buf_add(out, i == 0 ? "{\"" : ",\"", 2);
        lf__buf_add(out, from->list[i].name, from->list[i].name_size);
        lf__buf_add(out, "\":", 2);
        usage_write_number(out, from, &from->list[i]);
    }
    lf__buf_add(out, "}", from->count > 0);
}

bool lf__usage_convert(lf__buf *details, lf__buf *costs, const char *json, size_t size)
{
    usage_entries counts, prices;
    counts.count = prices.count = 0;
    size_t details_start = details->length, costs_start = costs->length;
    if (!lf__json_valid(json, size) || json[strspn(json, " \t\r\n")] != '{')
        return false;
    lf__json_member member;
    for (size_t at = 0; lf__json_next_member(json, size, &at, &member);)
        usage_add_member(&counts, &prices, &member);
    usage_write(details, &counts);
    usage_write(costs, &prices);
    if (!details->failed && !costs->failed)
        return true;
    details->length = details_start;
    costs->length = costs_start;
    return false;
}
