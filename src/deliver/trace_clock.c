#include "trace_clock.h"

enum { CLOCK_WAYS = 4 }; /* places that a trace may have, the one seen last first */

typedef struct clock_entry {
    uint64_t trace; /* half of its id; 0: free */
    int64_t offset_ns;
} clock_entry;

struct lf__trace_clocks {
    clock_entry entries[LF__TRACE_CLOCKS / CLOCK_WAYS][CLOCK_WAYS];
};

lf__trace_clocks *lf__trace_clocks_new(void)
{
    return lf__alloc(sizeof(lf__trace_clocks));
}

void lf__trace_clocks_free(lf__trace_clocks *clocks)
{
    lf__free(clocks);
}

int64_t lf__trace_clock(lf__trace_clocks *clocks, const uint8_t trace_id[16], int64_t now_ns)
{
    uint64_t half[2];
    memcpy(half, trace_id, sizeof half);
    clock_entry found = {half[0] ^ half[1] * 0x9e3779b97f4a7c15u, now_ns};
    if (clocks == NULL || found.trace == 0)
        return now_ns;
    clock_entry *entries = clocks->entries[(found.trace >> 32) % (LF__TRACE_CLOCKS / CLOCK_WAYS)];
    int at = 0;
    while (at < CLOCK_WAYS - 1 && entries[at].trace != found.trace)
        at++;
    if (entries[at].trace == found.trace)
        found = entries[at];
    memmove(&entries[1], &entries[0], (size_t)at * sizeof *entries);
    entries[0] = found;
    return found.offset_ns;
}
