#include "price_read.h"

#include "clock.h"
#include "price_pattern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct price_reader {
    arena *arena;
    price_list *list;
    text model, tier; /* what is read, for messages */
    char *why;
    size_t why_size;
} price_reader;

enum { PRICE_READ_NAME = 100, PRICE_READ_DIGITS = 17, PRICE_READ_MOST_PLACES = 30, PRICE_READ_MOST_POWER = 100 };

static int price_read_width(text t)
{
    return (int)(t.size < PRICE_READ_NAME ? t.size : PRICE_READ_NAME);
}

/* Always false. */
static bool price_read_fail(price_reader *r, const char *problem, text detail)
{
    bool has_tier = r->tier.size > 0, has_detail = detail.size > 0;
    snprintf(r->why, r->why_size, "model %zu (%.*s)%s%.*s: %s%s%.*s", r->list->count, price_read_width(r->model),
             r->model.size > 0 ? r->model.at : "", has_tier ? ", tier " : "", price_read_width(r->tier), has_tier ? r->tier.at : "",
             problem, has_detail ? ": " : "", price_read_width(detail), has_detail ? detail.at : "");
    return false;
}

/* ---- Prices ---- */

/* From the spelling of a number, so that 2.5e-6 is exactly that. False: it is below 0 or has more digits than a price has. */
static bool price_read_rate(const json *number, price_rate *out)
{
    text mantissa = number->string, exponent = mantissa;
    bool behind_point = false;
    long places = 0;
    int count = 0;
    while (exponent.size > 0 && *exponent.at != 'e' && *exponent.at != 'E')
        exponent = text_from(exponent, 1);
    for (const char *c = mantissa.at; c < exponent.at; c++) {
        behind_point |= *c == '.';
        if (*c == '.')
            continue;
        if (*c == '-' || (count > 0 || *c != '0' ? ++count : count) > PRICE_READ_DIGITS)
            return false;
        out->digits = out->digits * 10 + (*c - '0');
        places += behind_point;
    }
    long power = exponent.size > 0 ? strtol(exponent.at + 1, NULL, 10) : 0;
    if (power < -PRICE_READ_MOST_POWER || power > PRICE_READ_MOST_POWER)
        return false;
    places -= power;
    for (; out->digits > 0 && out->digits % 10 == 0; out->digits /= 10)
        places--;
    for (; places < 0 && out->digits > 0; places++)
        if (__builtin_mul_overflow(out->digits, 10, &out->digits))
            return false;
    out->places = out->digits > 0 ? (int)places : 0;
    return out->digits == 0 || places <= PRICE_READ_MOST_PLACES;
}

/* A number, or as Langfuse answers it {"price": number}. */
static const json *price_read_number(const json *given)
{
    return given->kind == JSON_OBJECT ? json_get(given, "price") : given;
}

static bool price_read_rates(price_reader *r, const json *prices, price_tier *tier)
{
    price_rate *rates = NULL, *rate;
    for (const json *price = json_first(prices, JSON_OBJECT); price != NULL; price = price->next) {
        if ((rate = arena_add(r->arena, &rates, sizeof *rate, &tier->rate_count)) == NULL)
            return price_read_fail(r, "out of memory", TEXT(""));
        const json *number = price_read_number(price);
        rate->key = price->key;
        if (!json_is(number, JSON_NUMBER) || !price_read_rate(number, rate))
            return price_read_fail(r, "not a price of 0 or more", price->key);
    }
    tier->rates = rates;
    return tier->rate_count > 0 || price_read_fail(r, "no \"prices\"", TEXT(""));
}

/* ---- Conditions ---- */

static bool price_read_usage_condition(price_reader *r, const json *given, price_condition *out)
{
    static const char *const names[PRICE_OPERATOR_COUNT] = {"gt", "gte", "lt", "lte", "eq", "neq"};
    const json *operator= json_get(given, "operator"), *value = json_get(given, "value");
    char reason[120];
    while (out->operator<PRICE_OPERATOR_COUNT && !json_is_string(operator, names[out->operator]))
        out->operator++;
    if (out->operator== PRICE_OPERATOR_COUNT)
        return price_read_fail(r, "\"operator\" is one of gt, gte, lt, lte, eq, neq", TEXT(""));
    if (!json_is(value, JSON_NUMBER) || value->number < 0)
        return price_read_fail(r, "\"value\" is a number of 0 or more", TEXT(""));
    out->bound = value->number;
    bool ignore_case = !json_is(json_get(given, "caseSensitive"), JSON_TRUE);
    return price_pattern_compile(&out->pattern, json_string_at(given, "usageDetailPattern"), ignore_case, reason, sizeof reason) ||
           price_read_fail(r, "\"usageDetailPattern\"", text_of(reason));
}

static bool price_read_attribute_condition(price_reader *r, const json *given, price_condition *out)
{
    const json *source = json_get(given, "source"), *values = json_get(given, "values");
    text *list = NULL, *value;
    if (!json_is_string(source, "model_parameters") && !json_is_string(source, "metadata"))
        return price_read_fail(r, "\"source\" is model_parameters or metadata", TEXT(""));
    out->source = json_is_string(source, "metadata") ? PRICE_METADATA : PRICE_PARAMETERS;
    out->key = json_string_at(given, "key");
    for (const json *item = json_first(values, JSON_ARRAY); item != NULL; item = item->next) {
        if ((value = arena_add(r->arena, &list, sizeof *value, &out->value_count)) == NULL)
            return price_read_fail(r, "out of memory", TEXT(""));
        *value = item->string;
    }
    out->values = list;
    return (out->key.size > 0 && out->value_count > 0) ||
           price_read_fail(r, "a condition on parameters or metadata has a \"key\" and \"values\"", TEXT(""));
}

static bool price_read_conditions(price_reader *r, const json *given, price_tier *tier)
{
    size_t count = json_count(given);
    price_condition *conditions = arena_take(r->arena, count * sizeof *conditions);
    if (conditions == NULL)
        return price_read_fail(r, "out of memory", TEXT(""));
    for (const json *one = json_first(given, JSON_ARRAY); one != NULL; one = one->next) {
        price_condition *out = &conditions[tier->condition_count++];
        bool of_usage = json_get(one, "source") == NULL;
        if (!(of_usage ? price_read_usage_condition(r, one, out) : price_read_attribute_condition(r, one, out)))
            return false;
    }
    tier->conditions = conditions;
    if (tier->is_default == (tier->condition_count > 0))
        return price_read_fail(r, tier->is_default ? "the default tier has \"conditions\"" : "no \"conditions\"", TEXT(""));
    return true;
}

/* ---- Tiers ---- */

static int price_read_by_order(const void *left, const void *right)
{
    const price_tier *a = left, *b = right;
    if (a->is_default != b->is_default)
        return a->is_default ? 1 : -1;
    return (a->priority > b->priority) - (a->priority < b->priority);
}

static bool price_read_check_tiers(price_reader *r, const price_tier *tiers, size_t count)
{
    r->tier = TEXT("");
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            if (text_equal(tiers[i].name, tiers[j].name) || tiers[i].priority == tiers[j].priority)
                return price_read_fail(r, "two tiers with one name or priority", tiers[i].name);
    if (count == 0 || !tiers[count - 1].is_default || (count > 1 && tiers[count - 2].is_default))
        return price_read_fail(r, "one of \"pricingTiers\" has \"isDefault\": true", TEXT(""));
    return true;
}

static bool price_read_tiers(price_reader *r, const json *given, price_model *model)
{
    size_t count = 0;
    price_tier *tiers = arena_take(r->arena, json_count(given) * sizeof *tiers);
    if (tiers == NULL)
        return price_read_fail(r, "out of memory", TEXT(""));
    for (const json *one = json_first(given, JSON_ARRAY); one != NULL; one = one->next) {
        const json *priority = json_get(one, "priority");
        price_tier *tier = &tiers[count++];
        tier->name = r->tier = json_string_at(one, "name");
        tier->is_default = json_is(json_get(one, "isDefault"), JSON_TRUE);
        if (tier->name.size == 0 || !json_is(priority, JSON_NUMBER) || priority->number < 0 || priority->number > 999)
            return price_read_fail(r, "a tier has a \"name\", and a \"priority\" of 0 to 999", TEXT(""));
        tier->priority = (int64_t)priority->number;
        if (!price_read_rates(r, json_get(one, "prices"), tier) || !price_read_conditions(r, json_get(one, "conditions"), tier))
            return false;
    }
    qsort(tiers, count, sizeof *tiers, price_read_by_order);
    model->tiers = tiers;
    model->tier_count = count;
    return price_read_check_tiers(r, tiers, count);
}

/* "prices" alone are those of the default tier. */
static bool price_read_only_tier(price_reader *r, const json *prices, price_model *model)
{
    price_tier *tier = arena_take(r->arena, sizeof *tier);
    if (tier == NULL)
        return price_read_fail(r, "out of memory", TEXT(""));
    *tier = (price_tier){.name = TEXT("Standard"), .is_default = true};
    model->tiers = tier;
    model->tier_count = 1;
    return price_read_rates(r, prices, tier);
}

/* ---- Models ---- */

static bool price_read_names(price_reader *r, const json *given, price_model *model)
{
    const json *start = json_get(given, "startDate");
    model->name = json_string_at(given, "modelName");
    model->id = json_string_at(given, "id").size > 0 ? json_string_at(given, "id") : model->name;
    model->start_ms = INT64_MIN;
    model->is_managed = json_is(json_get(given, "isLangfuseManaged"), JSON_TRUE);
    if (model->name.size == 0)
        return price_read_fail(r, "no \"modelName\"", TEXT(""));
    for (size_t i = 0; i + 1 < r->list->count; i++)
        if (text_equal(r->list->models[i].id, model->id))
            return price_read_fail(r, "the model stands there twice", TEXT(""));
    buf date = {0};
    buf_text(&date, json_string_at(given, "startDate"));
    if (date.size == strlen("2026-11-28"))
        buf_string(&date, "T00:00:00Z");
    bool ok = json_is_null(start) || (clock_parse_any(buf_view(&date), &model->start_ms) && !date.failed);
    buf_free(&date);
    return ok || price_read_fail(r, "\"startDate\" is a date", TEXT(""));
}

static bool price_read_into(arena *a, price_list *to, const json *given, char *why, size_t why_size)
{
    char reason[120];
    price_model *model = arena_add(a, &to->models, sizeof *model, &to->count);
    price_reader r = {.arena = a, .list = to, .model = json_string_at(given, "modelName"), .why = why, .why_size = why_size};
    regex_t *pattern = arena_take(a, sizeof *pattern);
    if (model == NULL || pattern == NULL)
        return price_read_fail(&r, "out of memory", TEXT(""));
    if (!price_read_names(&r, given, model))
        return false;
    if (!price_pattern_compile(pattern, json_string_at(given, "matchPattern"), false, reason, sizeof reason))
        return price_read_fail(&r, "\"matchPattern\"", text_of(reason));
    model->pattern = pattern;
    const json *tiers = json_get(given, "pricingTiers");
    return tiers != NULL ? price_read_tiers(&r, tiers, model) : price_read_only_tier(&r, json_get(given, "prices"), model);
}

bool price_read_model(arena *a, price_list *to, const json *model, char *why, size_t why_size)
{
    size_t before = to->count;
    bool ok = price_read_into(a, to, model, why, why_size);
    if (!ok)
        to->count = before;
    return ok;
}

static size_t price_read_line(text file, size_t end)
{
    size_t line = 1;
    for (size_t i = 0; i < end && i < file.size; i++)
        line += file.at[i] == '\n';
    return line;
}

bool price_read_file(arena *a, price_list *to, text file, char *why, size_t why_size)
{
    size_t end;
    const json *all = json_parse_to(a, file, &end), *models = json_is(all, JSON_OBJECT) ? json_get(all, "data") : all;
    if (all == NULL)
        snprintf(why, why_size, "line %zu is not JSON", price_read_line(file, end));
    else if (!json_is(models, JSON_ARRAY))
        snprintf(why, why_size, "neither an array of models nor an object with one under \"data\"");
    if (!json_is(models, JSON_ARRAY))
        return false;
    for (const json *model = models->first; model != NULL; model = model->next)
        if (!price_read_model(a, to, model, why, why_size))
            return false;
    return true;
}
