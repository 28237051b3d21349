/* A value as a program or the environment gives it: taken from an option or else from a variable, read, and judged. A bad number
 * or switch gives one line, and the standard is kept.
 */
#ifndef LF_SRC_SETTING_H
#define LF_SRC_SETTING_H

#include "log.h"

typedef struct lf__setting {
    const char *text; /* NULL: not given */
    const char *name; /* under which the user knows it */
} lf__setting;

/* An empty variable counts as unset, as OpenTelemetry has it. */
lf__setting lf__setting_variable(const char *name);
/* The option, unless it is NULL or empty; then the first of the variables that is set. */
lf__setting lf__setting_pick(const char *option, const char *option_name, const char *const *variables);
#define LF__VARIABLES(...) ((const char *const[]){__VA_ARGS__, NULL})

/* A value as it may stand in a line: variables get mixed up, and a secret key is hidden. Another text is given back itself. */
const char *lf__setting_shown(const char *text);
bool lf__setting_has_control(const char *text);

bool lf__setting_switch(const lf__logger *logger, lf_switch option, const char *variable, bool standard);

typedef struct lf__setting_range {
    const char *option;
    const char *variable;
    int64_t standard, least, most;
    bool seconds; /* the variable is in seconds, with a fraction if you like; we count milliseconds */
} lf__setting_range;
/* An option of 0 is not given. */
int64_t lf__setting_number(const lf__logger *logger, int64_t option, const lf__setting_range *range);
/* A decimal number from 0 to 1. False: it is something else. */
bool lf__setting_rate(const char *text, double *out_rate);

#endif
