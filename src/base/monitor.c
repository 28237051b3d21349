#include "monitor.h"

#include <errno.h>
#include <time.h>

static void monitor_init_condition(lf__monitor *monitor)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&monitor->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    monitor->ready = true;
}

void lf__monitor_lock(lf__monitor *monitor)
{
    pthread_mutex_lock(&monitor->lock);
    if (!monitor->ready)
        monitor_init_condition(monitor);
}

void lf__monitor_after_fork_child(lf__monitor *monitor)
{
    pthread_mutex_init(&monitor->lock, NULL);
    monitor->ready = false;
}

void lf__monitor_unlock(lf__monitor *monitor)
{
    pthread_mutex_unlock(&monitor->lock);
}

bool lf__monitor_wait(lf__monitor *monitor, uint64_t until_ns)
{
    if (until_ns == UINT64_MAX) {
        pthread_cond_wait(&monitor->changed, &monitor->lock);
        return true;
    }
    struct timespec until = {(time_t)(until_ns / 1000000000u), (long)(until_ns % 1000000000u)};
    return pthread_cond_timedwait(&monitor->changed, &monitor->lock, &until) != ETIMEDOUT;
}

void lf__monitor_tell(lf__monitor *monitor)
{
    pthread_cond_broadcast(&monitor->changed);
}
