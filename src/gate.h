/* The way into the program's own functions: log, mask and curl hooks. Each client has a gate, since each has hooks of its own.
 * No lock of ours is held while a hook runs, so a hook may fork, sleep or exit. After a gate is closed no hook begins.
 */
#ifndef LF_SRC_GATE_H
#define LF_SRC_GATE_H

#include "base.h"

/* All zero: open. Guarded by a lock in gate.c. */
typedef struct lf__gate {
    unsigned inside; /* hooks that run now */
    unsigned forks;  /* the count of inside is of this generation of the process */
    bool closed;
} lf__gate;

/* False: the gate is closed, the hook is not to be called. True: call the hook, then leave. Any thread. */
bool lf__gate_enter(lf__gate *gate);
void lf__gate_leave(lf__gate *gate);
/* Let no hook begin from now on, and wait until those of other threads are over, at most until then (monotonic).
 * False: one of them still runs. */
bool lf__gate_close(lf__gate *gate, uint64_t until_ns);

void lf__gate_open(lf__gate *gate); /* again */

void lf__gate_before_fork(void);
void lf__gate_after_fork_parent(void);
void lf__gate_after_fork_child(void); /* hooks of threads that are no more run no longer */

#endif
