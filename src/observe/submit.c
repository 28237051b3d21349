#include "submit.h"

_Atomic int lf__worker_waiting;
_Atomic bool lf__worker_asked;
_Atomic uint32_t lf__flush_at;

void lf__submit_set_wake(lf__segment *segment)
{
    segment->wake_at = atomic_load_explicit(&segment->ended, memory_order_relaxed) +
                       atomic_load_explicit(&lf__flush_at, memory_order_relaxed);
}

__attribute__((noinline, cold)) void lf__submit_ask(lf__segment *segment)
{
    lf__submit_set_wake(segment);
    /* In this order: either we see that it sleeps, or it sees before it does so that it is asked for. */
    atomic_store(&lf__worker_asked, true);
    int waiting = atomic_load(&lf__worker_waiting);
    segment->wakes |= waiting != LF__WORKER_BUSY;
    segment->wake_at -= waiting == LF__WORKER_IDLE; /* the one that wakes it is the first of the flush_at */
}

__attribute__((noinline)) void lf__submit_lose(lf__segment *segment, size_t size, const uint8_t trace_id[16])
{
    if (size > segment->ring_size / 2) {
        lf__count(&segment->dropped_large);
        return;
    }
    lf__count(&segment->dropped_full);
    lf__ring_lose_trace(segment, trace_id);
    lf__submit_ask(segment);
}

/* Is so much waiting in the ring that the worker should not sleep until the interval is over? */
__attribute__((noinline)) bool lf__submit_is_crowded(const lf__segment *segment)
{
    uint64_t consumed = atomic_load_explicit(&segment->consumed, memory_order_relaxed);
    return segment->head - consumed > segment->ring_size / 8;
}

__attribute__((noinline)) void lf__submit_record(lf__segment *segment, const lf__record *record)
{
    bool counts = record->kind != LF__RECORD_TRACE, wake;
    uint64_t ended = counts ? lf__count(&segment->ended) : atomic_load_explicit(&segment->ended, memory_order_relaxed);
    if (lf__submit_ignores(record)) {
        if (counts)
            lf__count(&segment->ignored);
        return;
    }
    /* An update that is lost takes its trace along, and is not counted: losing it must not look like an observation. */
    uint64_t full = atomic_load_explicit(&segment->dropped_full, memory_order_relaxed);
    uint64_t large = atomic_load_explicit(&segment->dropped_large, memory_order_relaxed);
    lf__record *room = lf__submit_room(segment, record->size, record->trace_id, &wake);
    if (room == NULL) {
        if (!counts) {
            atomic_store_explicit(&segment->dropped_full, full, memory_order_relaxed);
            atomic_store_explicit(&segment->dropped_large, large, memory_order_relaxed);
        }
        return;
    }
    memcpy(room, record, record->size);
    lf__submit_publish(segment, record->size, ended, wake);
}
