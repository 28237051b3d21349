/* Token usage and cost: which keys are kept, how totals come about, and the OpenAI shapes that are translated. Pure. */
#ifndef LOCAL_USAGE_H
#define LOCAL_USAGE_H

#include "json.h"

/* JSON object texts in `a`; "{}" when nothing is left. `given` may be NULL. */
text usage_details(arena *a, const json *given);
text usage_costs(arena *a, const json *given);

/* Whether all that was given is kept as it is: tokens are whole numbers of 0 or more (or digits in a string), costs are numbers.
 * Absent and null are fine. */
bool usage_is_whole(const json *given);
bool usage_costs_fit(const json *given);

/* From counters of the gen_ai conventions: cached and reasoning tokens are parts of input and output. Negative: absent. */
text usage_from_counters(arena *a, int64_t input, int64_t output, int64_t cache_read, int64_t cache_creation, int64_t reasoning);

#endif
