#define _GNU_SOURCE
#include "price.h"

#include "price_pattern.h"
#include "price_read.h"
#include "price_table.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* A program names a handful of models; a name that is longer, or one that takes the place of another, is looked for again. */
enum { PRICE_CACHE_SLOTS = 256, PRICE_CACHE_NAME = 100 };

/* All that price_of may make of a whole number without rounding. */
enum { PRICE_EXACT_PLACES = 22 };

typedef struct price_slot {
    size_t size; /* of the name; 0: the slot is free */
    char name[PRICE_CACHE_NAME];
    const price_model *model;
} price_slot;

static struct {
    pthread_mutex_t lock; /* guards all of this until the lists are read, then the cache */
    arena memory;
    price_list of_file, built_in;
    bool is_read;
    price_slot cache[PRICE_CACHE_SLOTS];
} price = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- The lists ---- */

static bool price_is_before(const price_model *a, const price_model *b)
{
    return a->is_managed != b->is_managed ? b->is_managed : a->start_ms > b->start_ms;
}

/* Equal ones keep their order. */
static void price_put_in_order(price_list *list)
{
    for (size_t i = 1; i < list->count; i++) {
        price_model moved = list->models[i];
        size_t to = i;
        for (; to > 0 && price_is_before(&moved, &list->models[to - 1]); to--)
            list->models[to] = list->models[to - 1];
        list->models[to] = moved;
    }
}

bool price_add_file(text file, char *why, size_t why_size)
{
    pthread_mutex_lock(&price.lock);
    bool ok = price_read_file(&price.memory, &price.of_file, arena_copy(&price.memory, file), why, why_size);
    price_put_in_order(&price.of_file);
    memset(price.cache, 0, sizeof price.cache);
    pthread_mutex_unlock(&price.lock);
    return ok;
}

/* Out of memory, the rest of the table has no prices. */
static void price_read_table(void)
{
    char why[200];
    for (size_t i = 0; !price.is_read && i < price_table_count; i++) {
        const json *model = json_parse(&price.memory, text_of(price_table[i]));
        if (model == NULL || !price_read_model(&price.memory, &price.built_in, model, why, sizeof why))
            break;
    }
    price.is_read = true;
}

static const price_model *price_search(text name)
{
    const price_list *const lists[] = {&price.of_file, &price.built_in};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (size_t j = 0; j < lists[i]->count; j++)
            if (price_pattern_fits(lists[i]->models[j].pattern, name))
                return &lists[i]->models[j];
    return NULL;
}

static price_slot *price_slot_of(text name)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < name.size; i++)
        hash = (hash ^ (unsigned char)name.at[i]) * 16777619u;
    return &price.cache[hash % PRICE_CACHE_SLOTS];
}

static const price_model *price_find_cached(text name)
{
    price_slot *slot = price_slot_of(name);
    if (!text_equal((text){slot->name, slot->size}, name)) {
        memcpy(slot->name, name.at, name.size);
        slot->size = name.size;
        slot->model = price_search(name);
    }
    return slot->model;
}

const price_model *price_find(text name)
{
    if (name.size == 0)
        return NULL;
    pthread_mutex_lock(&price.lock);
    price_read_table();
    const price_model *found = name.size <= PRICE_CACHE_NAME ? price_find_cached(name) : price_search(name);
    pthread_mutex_unlock(&price.lock);
    return found;
}

const price_model *price_of_id(text id)
{
    const price_list *const lists[] = {&price.of_file, &price.built_in};
    if (id.size == 0)
        return NULL;
    pthread_mutex_lock(&price.lock);
    price_read_table();
    pthread_mutex_unlock(&price.lock);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (size_t j = 0; j < lists[i]->count; j++)
            if (text_equal(lists[i]->models[j].id, id))
                return &lists[i]->models[j];
    return NULL;
}

/* ---- Tiers ---- */

static bool price_compare(price_operator operator, double sum, double bound)
{
    switch (operator) {
    case PRICE_GT: return sum > bound;
    case PRICE_GTE: return sum >= bound;
    case PRICE_LT: return sum < bound;
    case PRICE_LTE: return sum <= bound;
    case PRICE_EQ: return sum == bound;
    case PRICE_NEQ: return sum != bound;
    case PRICE_OPERATOR_COUNT: break;
    }
    return false;
}

static double price_sum(const usage_counts *counts, const regex_t *pattern)
{
    double sum = 0;
    for (size_t i = 0; i < counts->count; i++)
        if (pattern == NULL || price_pattern_fits(pattern, counts->list[i].key))
            sum += (double)counts->list[i].tokens;
    return sum;
}

/* All counts together tell most often that some of them are not above the bound, and no pattern is tried. */
static bool price_usage_holds(const price_condition *condition, const usage_counts *counts)
{
    bool above = condition->operator== PRICE_GT || condition->operator== PRICE_GTE;
    if (above && !price_compare(condition->operator, price_sum(counts, NULL), condition->bound))
        return false;
    return price_compare(condition->operator, price_sum(counts, &condition->pattern), condition->bound);
}

/* What an attribute says: a text that is kept in quotes, as "true" is in metadata, says what it reads back as. */
static text price_attribute_text(arena *a, const json *member)
{
    if (member->kind != JSON_STRING)
        return json_text(a, member);
    const json *quoted = text_starts(member->string, "\"") ? json_parse(a, member->string) : NULL;
    return json_is(quoted, JSON_STRING) ? quoted->string : member->string;
}

/* An object in whose text the key does not stand is not parsed: that is most of them. */
static bool price_attribute_holds(arena *a, const price_condition *condition, text object)
{
    bool possible = object.size > 2 && memmem(object.at, object.size, condition->key.at, condition->key.size) != NULL;
    const json *members = possible ? json_parse(a, object) : NULL;
    for (const json *member = json_first(members, JSON_OBJECT); member != NULL; member = member->next) {
        bool scalar = member->kind != JSON_NULL && member->kind != JSON_ARRAY && member->kind != JSON_OBJECT;
        if (!scalar || !text_equal(member->key, condition->key))
            continue;
        text value = price_attribute_text(a, member);
        for (size_t i = 0; i < condition->value_count; i++)
            if (text_equal(condition->values[i], value))
                return true;
    }
    return false;
}

const price_tier *price_tier_of(arena *a, const price_model *model, const usage_counts *counts, text parameters, text metadata)
{
    for (size_t i = 0; i < model->tier_count; i++) {
        const price_tier *tier = &model->tiers[i];
        bool holds = true;
        for (size_t j = 0; holds && j < tier->condition_count; j++) {
            const price_condition *condition = &tier->conditions[j];
            holds = condition->source == PRICE_USAGE
                        ? price_usage_holds(condition, counts)
                        : price_attribute_holds(a, condition, condition->source == PRICE_METADATA ? metadata : parameters);
        }
        if (holds)
            return tier;
    }
    return NULL;
}

const price_tier *price_default_tier(const price_model *model)
{
    return model != NULL && model->tier_count > 0 ? &model->tiers[model->tier_count - 1] : NULL;
}

/* ---- Prices ---- */

const price_rate *price_rate_of(const price_tier *tier, text key)
{
    for (size_t i = 0; tier != NULL && i < tier->rate_count; i++)
        if (text_equal(tier->rates[i].key, key))
            return &tier->rates[i];
    return NULL;
}

/* The product is a whole number, so that the division is the only rounding. */
double price_of(const price_rate *rate, int64_t tokens)
{
    static const double powers[PRICE_EXACT_PLACES + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                                          1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    double power = rate->places <= PRICE_EXACT_PLACES ? powers[rate->places] : pow(10, rate->places);
    int64_t whole;
    if (__builtin_mul_overflow(rate->digits, tokens, &whole))
        return (double)rate->digits / power * (double)tokens;
    return (double)whole / power;
}
