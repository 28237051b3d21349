#include "cost.h"

#include "price.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COST_UNIT 1e12 /* a dollar has that many of the last digit */
#define COST_EXACT 0x1p53 /* a double tells all whole numbers up to here apart */
#define COST_MOST INT64_C(999999999999000000) /* 999999.999999: what a real server puts in the place of a million and more */

enum { COST_DIGITS = 12, COST_DOUBLE_DIGITS = 17 };

static int64_t cost_scale(int64_t mantissa, int exponent)
{
    for (; exponent > 0; exponent--)
        mantissa *= 10; /* fits: the value is below a million dollars */
    for (; exponent < 0 && mantissa > 0; exponent++)
        mantissa /= 10;
    return mantissa;
}

/* From the shortest digits that read back as the same double, which is how such a number is sent to a database. */
static int64_t cost_cut(double magnitude)
{
    char spelled[40], digits[COST_DOUBLE_DIGITS + 1] = "";
    int precision = 14;
    do
        snprintf(spelled, sizeof spelled, "%.*e", precision, magnitude);
    while (strtod(spelled, NULL) != magnitude && ++precision < COST_DOUBLE_DIGITS);
    size_t count = 0;
    for (const char *c = spelled; *c != 'e' && count < COST_DOUBLE_DIGITS; c++)
        if (*c >= '0' && *c <= '9')
            digits[count++] = *c;
    int exponent = (int)strtol(strchr(spelled, 'e') + 1, NULL, 10);
    return cost_scale(strtoll(digits, NULL, 10), exponent - (int)count + 1 + COST_DIGITS);
}

/* Where doubles tell all units apart, the double of the nearest whole number of units tells whether these digits are above it or
 * below. */
static int64_t cost_units(double magnitude)
{
    if (!isfinite(magnitude))
        return 0;
    if (magnitude >= 1e6)
        return COST_MOST;
    double units = round(magnitude * COST_UNIT);
    if (units >= COST_EXACT)
        return cost_cut(magnitude);
    return (int64_t)units - (magnitude < units / COST_UNIT ? 1 : 0);
}

/* Without the zeros at the end. */
static void cost_put_fraction(buf *out, int64_t units)
{
    char digits[COST_DIGITS + 1] = ".";
    size_t size = sizeof digits;
    for (size_t i = COST_DIGITS; i > 0; i--, units /= 10)
        digits[i] = (char)('0' + units % 10);
    while (size > 0 && (digits[size - 1] == '0' || digits[size - 1] == '.'))
        size--;
    buf_put(out, digits, size);
}

void cost_put(buf *out, double dollars)
{
    int64_t units = cost_units(fabs(dollars)), whole = units / (int64_t)COST_UNIT;
    if (dollars < 0 && units > 0)
        buf_char(out, '-');
    if (whole == 0)
        buf_char(out, '0');
    else
        buf_format(out, "%lld", (long long)whole);
    cost_put_fraction(out, units % (int64_t)COST_UNIT);
}

/* ---- Given costs ---- */

static bool cost_has_one(const json *given)
{
    for (const json *member = json_first(given, JSON_OBJECT); member != NULL; member = member->next)
        if (member->kind != JSON_NULL)
            return true;
    return false;
}

static double cost_of(const json *member)
{
    return member->kind == JSON_NUMBER ? member->number : 0;
}

static void cost_put_given(buf *out, const json *given)
{
    double sum = 0;
    bool makes_total = json_get(given, "total") == NULL, numbers = true;
    for (const json *member = given->first; member != NULL; member = member->next) {
        json_put_name(out, member->key);
        cost_put(out, cost_of(member));
        makes_total &= member->kind == JSON_NULL || text_is(member->key, "input") || text_is(member->key, "output");
        numbers &= member->kind == JSON_NUMBER || member->kind == JSON_NULL;
        sum += cost_of(member);
    }
    if (!makes_total)
        return;
    json_put_key(out, "total");
    cost_put(out, numbers ? sum : 0);
}

bool cost_is_whole(const json *given)
{
    for (const json *member = json_first(given, JSON_OBJECT); member != NULL; member = member->next)
        if (!json_is_null(member) && member->kind != JSON_NUMBER)
            return false;
    return json_is_null(given) || given->kind == JSON_OBJECT;
}

/* ---- Costs by the price list ---- */

/* A key without a price costs nothing, and a price of the total is the whole cost. */
static void cost_put_priced(buf *out, const usage_counts *counts, const price_tier *tier)
{
    double sum = 0;
    bool has_total = false, has_one = false;
    for (size_t i = 0; i < counts->count; i++) {
        const price_rate *rate = price_rate_of(tier, counts->list[i].key);
        if (rate == NULL)
            continue;
        double dollars = price_of(rate, counts->list[i].tokens);
        json_put_name(out, rate->key);
        cost_put(out, dollars);
        has_one = true;
        has_total |= text_is(rate->key, "total");
        sum += dollars;
    }
    if (!has_one || has_total)
        return;
    json_put_key(out, "total");
    cost_put(out, sum);
}

void cost_set(arena *a, observation *o, const usage_counts *counts, const json *given)
{
    buf out = {0};
    const price_model *model = price_find(o->model);
    const price_tier *tier = model != NULL && counts->count > 0 ? price_tier_of(a, model, counts, o->model_parameters, o->metadata)
                                                                : NULL;
    o->model_id = model != NULL ? model->id : TEXT("");
    o->tier = tier != NULL ? tier->name : TEXT("");
    buf_char(&out, '{');
    if (cost_has_one(given))
        cost_put_given(&out, given);
    else
        cost_put_priced(&out, counts, tier);
    buf_char(&out, '}');
    o->cost = buf_move(&out, a);
}
