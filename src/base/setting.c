#define _GNU_SOURCE
#include "setting.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* In a setuid program no variable is set: the user who starts it must choose neither the files it writes nor what it
 * passes on. */
lf__setting lf__setting_variable(const char *name)
{
    const char *text = secure_getenv(name);
    return (lf__setting){text != NULL && *text != '\0' ? text : NULL, name};
}

lf__setting lf__setting_pick(const char *option, const char *option_name, const char *const *variables)
{
    lf__setting given = {option != NULL && *option != '\0' ? option : NULL, option_name};
    for (; given.text == NULL && *variables != NULL; variables++)
        given = lf__setting_variable(*variables);
    return given;
}

bool lf__setting_has_control(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return true;
    return false;
}

const char *lf__setting_shown(const char *text)
{
    return strstr(text, "sk-lf-") != NULL ? "(a secret key)" : text;
}

bool lf__setting_switch(const lf__logger *logger, lf_switch option, const char *variable, bool standard)
{
    if (option != LF_DEFAULT)
        return option == LF_ON;
    lf__setting given = lf__setting_variable(variable);
    if (given.text == NULL)
        return standard;
    if (strcasecmp(given.text, "true") == 0 || strcmp(given.text, "1") == 0)
        return true;
    if (strcasecmp(given.text, "false") == 0 || strcmp(given.text, "0") == 0)
        return false;
    lf__log(logger, LF__LOG_WARNING, "%s=%.80s is neither true nor false; keeping %s", given.name, lf__setting_shown(given.text),
            standard ? "true" : "false");
    return standard;
}

/* Digits, with `seconds` also a fraction. By hand because strtod obeys the locale and both strtod and strtol let junk pass. */
static bool setting_parse(const char *text, bool seconds, int64_t *out_number)
{
    bool negative = *text == '-';
    text += negative;
    int64_t number = 0;
    int digits = 0;
    int decimals = -1; /* behind the point; -1: not there yet */
    for (; *text != '\0'; text++) {
        if (*text == '.' && seconds && decimals < 0) {
            decimals = 0;
            continue;
        }
        if (*text < '0' || *text > '9')
            return false;
        digits++;
        if (decimals == 3)
            continue; /* less than a millisecond */
        if (number > INT64_MAX / 10000 - 1)
            return false;
        number = number * 10 + (*text - '0');
        decimals += decimals >= 0;
    }
    if (seconds)
        for (int i = decimals < 0 ? 0 : decimals; i < 3; i++)
            number *= 10;
    *out_number = negative ? -number : number;
    return digits > 0;
}

int64_t lf__setting_number(const lf__logger *logger, int64_t option, const lf__setting_range *range)
{
    const char *unit = range->seconds ? " ms" : "";
    if (option != 0) {
        if (option >= range->least && option <= range->most)
            return option;
        lf__log(logger, LF__LOG_WARNING, "option %s: %lld is not between %lld and %lld; keeping %lld%s", range->option,
                (long long)option, (long long)range->least, (long long)range->most, (long long)range->standard, unit);
        return range->standard;
    }
    lf__setting given = lf__setting_variable(range->variable);
    int64_t number;
    if (given.text == NULL)
        return range->standard;
    if (setting_parse(given.text, range->seconds, &number) && number >= range->least && number <= range->most)
        return number;
    lf__log(logger, LF__LOG_WARNING, "%s=%.80s is not a %s from %lld to %lld%s; keeping %lld%s", given.name,
            lf__setting_shown(given.text), range->seconds ? "time in seconds" : "whole number", (long long)range->least,
            (long long)range->most, unit, (long long)range->standard, unit);
    return range->standard;
}

/* Whatever the locale says of points: "0.25" is read as "025e-2". */
bool lf__setting_rate(const char *text, double *out_rate)
{
    char digits[100];
    int count = 0, behind_point = -1;
    for (; *text != '\0'; text++) {
        if (*text == '.' && behind_point < 0) {
            behind_point = 0;
            continue;
        }
        if (*text < '0' || *text > '9' || count == (int)sizeof digits - 16)
            return false;
        digits[count++] = *text;
        behind_point += behind_point >= 0;
    }
    snprintf(digits + count, sizeof digits - (size_t)count, "e-%d", behind_point > 0 ? behind_point : 0);
    *out_rate = strtod(digits, NULL);
    return count > 0 && *out_rate <= 1;
}
