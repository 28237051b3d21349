/* Token counts as model APIs report them, turned into what Langfuse adds up: counts that do not overlap, under names that have a
 * price there. Pure.
 */
#ifndef LF_SRC_USAGE_H
#define LF_SRC_USAGE_H

#include "../base/buf.h"

enum { LF__USAGE_COSTS_MAX = 256 }; /* bytes that cost_details never exceed */

/* Append the usage_details and the cost_details of an object; nothing where it has no counts or no costs. The table in usage.c
 * lists what is understood, in snake_case and in camelCase; docs/wire.md says what becomes of it. All other numbers, and those
 * that are no whole numbers from 0 up of at most 13 digits, are left out. `model` decides which parts have a price of their
 * own; it may be empty.
 * False, and nothing is appended, when the text is no JSON object or there is no room. */
bool lf__usage_convert(lf__buf *details, lf__buf *costs, const char *json, size_t size, lf__text model);
/* Does lf__usage_convert read a number of this name? */
bool lf__usage_knows(lf__text key);

#endif
