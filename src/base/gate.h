/* The way into the program's own functions: log, mask and curl hooks. Each client has a gate, since each has hooks of its own.
 * No lock of ours is held while a hook runs, so a hook may fork, sleep or exit. After a gate is closed no hook begins.
 */
#ifndef LF_SRC_GATE_H
#define LF_SRC_GATE_H

#include "base.h"

typedef void (*lf__log_hook)(void *data, const char *line);

/* All zero: open. Guarded by a lock in gate.c. */
typedef struct lf__gate {
    unsigned inside; /* hooks that run now */
    unsigned forks;  /* the count of inside is of this generation of the process */
    bool closed;
    lf__log_hook log; /* the only hook that may change: a client without one of its own follows the default client */
    void *log_data;
} lf__gate;

/* False: the gate is closed, the hook is not to be called. True: call the hook, then leave. Any thread. */
bool lf__gate_enter(lf__gate *gate);
bool lf__gate_enter_log(lf__gate *gate, lf__log_hook *out_log, void **out_data); /* and the log hook, NULL for none */
void lf__gate_leave(lf__gate *gate);
/* The log hook, NULL for none; not to be called. */
lf__log_hook lf__gate_log(lf__gate *gate, void **out_data);
void lf__gate_set_log(lf__gate *gate, lf__log_hook log, void *data);
/* Let no hook begin, and wait until those of other threads are over, at most until `until_ns` (monotonic). False: one of them
 * still runs. */
bool lf__gate_close(lf__gate *gate, uint64_t until_ns);

void lf__gate_open(lf__gate *gate); /* again */

void lf__gate_before_fork(void);
void lf__gate_after_fork_parent(void);
void lf__gate_after_fork_child(void); /* hooks that run on other threads are the parent's */

#endif
