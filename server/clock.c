/* Dates are counted in days since 1970 by the arithmetic of the calendar: no table of time zones is involved. */
#include "clock.h"

#include <stdio.h>
#include <time.h>

enum { CLOCK_MS_PER_DAY = 86400000 };

int64_t clock_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t clock_ns_of_ms(int64_t ms)
{
    const int64_t limit = INT64_MAX / 2 / CLOCK_NS_PER_MS;
    return (ms > limit ? limit : ms < -limit ? -limit : ms) * CLOCK_NS_PER_MS;
}

/* Years start in March here, so the leap day is the last day of a year and months follow a fixed pattern. */
static int64_t clock_days_from_civil(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static void clock_civil_from_days(int64_t days, int64_t *year, int64_t *month, int64_t *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153;
    *day = day_of_year - (153 * shifted + 2) / 5 + 1;
    *month = shifted < 10 ? shifted + 3 : shifted - 9;
    *year = year_of_era + era * 400 + (*month <= 2);
}

int64_t clock_ms_of_day(int64_t year, int64_t month, int64_t day)
{
    return clock_days_from_civil(year, month, day) * CLOCK_MS_PER_DAY;
}

void clock_iso(int64_t ms, char out[CLOCK_ISO_SIZE])
{
    int64_t days = ms / CLOCK_MS_PER_DAY, rest = ms % CLOCK_MS_PER_DAY, year, month, day;
    if (rest < 0) {
        rest += CLOCK_MS_PER_DAY;
        days--;
    }
    clock_civil_from_days(days, &year, &month, &day);
    snprintf(out, CLOCK_ISO_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", (int)year, (int)month, (int)day, (int)(rest / 3600000),
             (int)(rest / 60000 % 60), (int)(rest / 1000 % 60), (int)(rest % 1000));
}

/* Takes exactly that many digits, and what must stand behind them. */
static bool clock_take_field(text *t, size_t digits, const char *end, int64_t *out)
{
    if (t->size < digits || !text_to_int((text){t->at, digits}, out) || *out < 0)
        return false;
    *t = text_from(*t, digits);
    return text_skip(t, end);
}

static bool clock_take_fraction(text *t, int64_t *out_ms)
{
    int64_t ms = 0, weight = 100;
    size_t digits = 0;
    *out_ms = 0;
    if (!text_skip(t, "."))
        return true;
    for (; digits < t->size && t->at[digits] >= '0' && t->at[digits] <= '9'; digits++, weight /= 10)
        ms += weight * (t->at[digits] - '0');
    *t = text_from(*t, digits);
    *out_ms = ms;
    return digits >= 1;
}

static bool clock_take_zone(text t, int64_t *out_minutes)
{
    int64_t hours, minutes, sign;
    *out_minutes = 0;
    if (text_is(t, "Z"))
        return true;
    if (t.size != 6 || (t.at[0] != '+' && t.at[0] != '-'))
        return false;
    sign = t.at[0] == '-' ? -1 : 1;
    t = text_from(t, 1);
    if (!clock_take_field(&t, 2, ":", &hours) || !clock_take_field(&t, 2, "", &minutes) || hours > 23 || minutes > 59)
        return false;
    *out_minutes = sign * (hours * 60 + minutes);
    return true;
}

bool clock_parse_any(text iso, int64_t *out_ms)
{
    int64_t year, month, day, hour, minute, second = 0, ms = 0, zone, check_year, check_month, check_day;
    if (!clock_take_field(&iso, 4, "-", &year) || !clock_take_field(&iso, 2, "-", &month) ||
        !clock_take_field(&iso, 2, "T", &day) || !clock_take_field(&iso, 2, ":", &hour) || !clock_take_field(&iso, 2, "", &minute))
        return false;
    if (text_skip(&iso, ":") && (!clock_take_field(&iso, 2, "", &second) || !clock_take_fraction(&iso, &ms)))
        return false;
    if (!clock_take_zone(iso, &zone))
        return false;
    if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 59)
        return false;
    int64_t days = clock_days_from_civil(year, month, day);
    clock_civil_from_days(days, &check_year, &check_month, &check_day);
    if (check_day != day) /* 30 February */
        return false;
    *out_ms = days * CLOCK_MS_PER_DAY + ((hour * 60 + minute - zone) * 60 + second) * 1000 + ms;
    return true;
}
