/* Token usage: which counts are kept, how their total comes about, the OpenAI shapes that are translated, and sums of what is
 * stored. Pure. */
#ifndef LOCAL_USAGE_H
#define LOCAL_USAGE_H

#include "json.h"

/* A usage object has a handful of keys; more than this is not usage. */
enum { USAGE_MAX_ENTRIES = 64 };

typedef struct usage_counts {
    size_t count;
    struct {
        text key;
        int64_t tokens;
    } list[USAGE_MAX_ENTRIES];
} usage_counts;

/* Adds a count, or replaces the one of that key. A negative count is one that is not given. */
void usage_add(usage_counts *u, text key, int64_t tokens);

/* Adds the counts of an object of details; what is none is left out. `given` may be NULL. */
void usage_add_details(arena *a, usage_counts *u, const json *given);

/* Adds the total, where there are counts and none of them is one. */
void usage_complete(usage_counts *u);

text usage_text(arena *a, const usage_counts *u); /* a JSON object in `a` */

/* Whether all that was given is kept as it is: counts are whole numbers of 0 or more (or digits in a string). Absent and null are
 * fine. */
bool usage_is_whole(const json *given);

/* The sum of all numbers whose key has `side` ("input", "output") in it; false when there is none. For usage and costs as they are
 * stored. */
bool usage_side(const json *stored, const char *side, double *out_sum);

#endif
