/* What the programs here have in common: at their end they say what the library counted. */
#ifndef TESTS_PORTABLE_H
#define TESTS_PORTABLE_H

#include "observe.h"

#include <stdio.h>

#define NOINLINE __attribute__((noinline))
#define INLINE inline __attribute__((always_inline))

/* Send everything, then say what was counted. `main` returns it. */
static inline int portable_end(void)
{
    enum { FLUSH_TIMEOUT_MS = 60000 }; /* an emulated machine takes its time */
    lf_status status = lf_flush(FLUSH_TIMEOUT_MS);
    lf_stats stats;
    lf_get_stats(&stats);
    printf("open %u, misused %u, dropped %u, left out %u\n", (unsigned)stats.open, (unsigned)stats.misused,
           (unsigned)stats.dropped_total, (unsigned)stats.left_out);
    return status == LF_OK ? 0 : 1;
}

#endif
