/* The limits of what every observation of a trace says (by the configuration, OBSERVE_ATTRIBUTES or baggage), as the server and
 * the other SDKs have them: text of at most 200 characters, an environment of at most 40 of a-z, 0-9, - and _ that begins
 * otherwise than with "langfuse". Pure.
 */
#ifndef LF_SRC_LIMITS_H
#define LF_SRC_LIMITS_H

#include "base.h"

enum {
    LF__PROPAGATED_MAX = 200, /* characters (code points) */
    LF__ENVIRONMENT_MAX = 40  /* likewise; the server puts longer names into "default" */
};

/* Is it text within LF__PROPAGATED_MAX? */
bool lf__propagated_text(const char *text, size_t size);
/* Is a (valid) JSON value within it: the text of a string, the JSON text of anything else? */
bool lf__propagated_json(const char *json, size_t size);
/* May an environment, of the configuration or propagated, have this name? */
bool lf__environment_valid(const char *text, size_t size);

#endif
