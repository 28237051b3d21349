/* A lock and the condition that goes with it, on the monotonic clock: a step of the wall clock makes no wait longer.
 */
#ifndef LF_SRC_MONITOR_H
#define LF_SRC_MONITOR_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct lf__monitor {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool ready; /* `changed` is initialised, which the first lock does */
} lf__monitor;

#define LF__MONITOR_INIT {.lock = PTHREAD_MUTEX_INITIALIZER}

/* In the child of a fork: the threads that held it or waited are the parent's. */
void lf__monitor_after_fork_child(lf__monitor *monitor);
void lf__monitor_lock(lf__monitor *monitor);
void lf__monitor_unlock(lf__monitor *monitor);
/* With the lock held: wait for lf__monitor_tell. False: it is later than `until_ns` (monotonic; UINT64_MAX: no limit). */
bool lf__monitor_wait(lf__monitor *monitor, uint64_t until_ns);
void lf__monitor_tell(lf__monitor *monitor); /* wakes all that wait */

#endif
