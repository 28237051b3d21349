#include "cost.h"

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

static int64_t cost_units(double magnitude)
{
    if (!isfinite(magnitude))
        return 0;
    if (magnitude >= 1e6)
        return COST_MOST;
    double units = round(magnitude * COST_UNIT);
    return units < COST_EXACT && units / COST_UNIT == magnitude ? (int64_t)units : cost_cut(magnitude);
}

void cost_put(buf *out, double dollars)
{
    char fraction[24];
    int64_t units = cost_units(fabs(dollars));
    if (dollars < 0 && units > 0)
        buf_char(out, '-');
    buf_format(out, "%lld", (long long)(units / (int64_t)COST_UNIT));
    int size = snprintf(fraction, sizeof fraction, ".%0*lld", COST_DIGITS, (long long)(units % (int64_t)COST_UNIT));
    while (size > 0 && (fraction[size - 1] == '0' || fraction[size - 1] == '.'))
        size--;
    buf_put(out, fraction, (size_t)size);
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

text cost_of_given(arena *a, const json *given)
{
    buf out = {0};
    double sum = 0;
    bool makes_total = json_get(given, "total") == NULL, numbers = true;
    buf_char(&out, '{');
    for (const json *member = cost_has_one(given) ? given->first : NULL; member != NULL; member = member->next) {
        json_put_name(&out, member->key);
        cost_put(&out, cost_of(member));
        makes_total &= member->kind == JSON_NULL || text_is(member->key, "input") || text_is(member->key, "output");
        numbers &= member->kind == JSON_NUMBER || member->kind == JSON_NULL;
        sum += cost_of(member);
    }
    if (makes_total && out.size > 1) {
        json_put_key(&out, "total");
        cost_put(&out, numbers ? sum : 0);
    }
    buf_char(&out, '}');
    return buf_move(&out, a);
}

bool cost_is_whole(const json *given)
{
    for (const json *member = json_first(given, JSON_OBJECT); member != NULL; member = member->next)
        if (!json_is_null(member) && member->kind != JSON_NUMBER)
            return false;
    return json_is_null(given) || given->kind == JSON_OBJECT;
}
