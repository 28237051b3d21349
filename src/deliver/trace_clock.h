/* One offset from the monotonic to the wall clock for each trace. Times are measured on the monotonic clock; when they are
 * sent, the wall clock gives them a date. A step of the wall clock (NTP, suspend, a resumed machine) between two sends must not
 * tear children from their parents, so a trace keeps the offset that its first record was sent with.
 *
 * The table has a fixed size: of many traces at once those that were not seen for longest are forgotten. They would take the
 * offset of now, which differs only if the clock has been set meanwhile. On the worker's thread only; a forked child goes on
 * with a copy, in which at worst one trace, the one that was being looked up, is forgotten or has a neighbour's offset.
 */
#ifndef LF_SRC_TRACE_CLOCK_H
#define LF_SRC_TRACE_CLOCK_H

#include "../base/base.h"

enum { LF__TRACE_CLOCKS = 8192 };

typedef struct lf__trace_clocks lf__trace_clocks;

lf__trace_clocks *lf__trace_clocks_new(void); /* NULL: no memory */
void lf__trace_clocks_free(lf__trace_clocks *clocks);
/* The offset for a record of this trace; `now_ns`, the offset of now, when the trace is new or `clocks` is NULL. */
int64_t lf__trace_clock(lf__trace_clocks *clocks, const uint8_t trace_id[16], int64_t now_ns);

#endif
