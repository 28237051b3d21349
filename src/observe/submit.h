/* The way of an ended record from the observed thread to the worker: into the ring of its segment. The worker sleeps while there is
 * nothing to do; a record that should not wait sets a mark (lf__submit_ask), and the entry points above see to the rest
 * (lf__worker_heed).
 */
#ifndef LF_SRC_SUBMIT_H
#define LF_SRC_SUBMIT_H

#include "../base/clients.h"
#include "ring.h"

/* What the worker is waiting for; written by it, read by observing threads after each record. */
typedef enum lf__worker_wait {
    LF__WORKER_BUSY = 0, /* it will look at the rings again by itself */
    LF__WORKER_TIMED, /* until flush_interval is over: woken by a full grant or flush_at only */
    LF__WORKER_IN_POLL, /* likewise, inside the exporter's poll */
    LF__WORKER_IDLE /* for ever: the next record wakes it */
} lf__worker_wait;

extern _Atomic int lf__worker_waiting;
/* A thread wants the rings emptied soon; cleared before they are. */
extern _Atomic bool lf__worker_asked;
/* Of the default client's configuration. */
extern _Atomic uint32_t lf__flush_at;

/* The worker is to be woken after flush_at more observations. */
void lf__submit_set_wake(lf__segment *segment);

/* ---- Slow paths, apart so that the fast ones stay small ---- */

/* The worker is to look at the rings soon. */
void lf__submit_ask(lf__segment *segment);
void lf__submit_lose(lf__segment *segment, size_t size, const uint8_t trace_id[16]);
bool lf__submit_is_crowded(const lf__segment *segment);

/* ---- Into the ring ---- */

/* Room for an ended record in the ring, and whether the worker should look at it; NULL: it is lost, and counted. */
LF__FAST lf__record *lf__submit_room(lf__segment *segment, size_t size, const uint8_t trace_id[16], bool *out_wake)
{
    *out_wake = false;
    if (__builtin_expect(lf__ring_must_ask(segment, size), 0)) { /* every 64 KiB, and after the worker was here */
        if (!lf__ring_grant(segment, size)) {
            lf__submit_lose(segment, size, trace_id);
            return NULL;
        }
        *out_wake = lf__submit_is_crowded(segment);
    }
    return (lf__record *)lf__ring_at(segment, segment->head);
}

LF__FAST void lf__submit_publish(lf__segment *segment, size_t size, uint64_t ended, bool wake)
{
    lf__ring_publish(segment, size);
    atomic_signal_fence(memory_order_seq_cst); /* the worker's membarrier orders the processor, this the compiler */
    bool idle = atomic_load_explicit(&lf__worker_waiting, memory_order_relaxed) == LF__WORKER_IDLE;
    if (__builtin_expect(wake || idle || ended >= segment->wake_at, 0))
        lf__submit_ask(segment);
}

LF__FAST bool lf__submit_ignores(const lf__record *record)
{
    /* Off, or not started. While observing is paused, open observations end and are sent. */
    return (unsigned)lf__mode() <= LF_I_OFF || (record->flags & LF__FLAG_UNSAMPLED) != 0;
}

/* Hand an ended observation over to the worker. */
LF__FAST void lf__submit_frame(lf__segment *segment, lf__frame *frame, uint64_t now)
{
    uint64_t ended = lf__count(&segment->ended);
    if (__builtin_expect(lf__submit_ignores(&frame->record), 0)) {
        lf__count(&segment->ignored);
        return;
    }
    size_t size = lf__frame_record_size(frame);
    bool wake;
    lf__record *room = lf__submit_room(segment, size, frame->record.trace_id, &wake);
    if (__builtin_expect(room == NULL, 0))
        return;
    lf__frame_copy_record(room, (const uint8_t *)segment, frame);
    room->end_ns = now;
    lf__ring_prefetch(room);
    lf__submit_publish(segment, size, ended, wake);
}

/* The same for a record that lies anywhere in one piece. Updates of traces are not counted. */
void lf__submit_record(lf__segment *segment, const lf__record *record);

#endif
