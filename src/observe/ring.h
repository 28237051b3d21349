/* The ring of a segment: ended records between the thread that owns the segment and the worker. Only the owner writes, only the
 * worker takes out, and neither needs a locked instruction. All rings draw on one ceiling.
 */
#ifndef LF_SRC_RING_H
#define LF_SRC_RING_H

#include "segment.h"

/* The ceiling that all segments share, and the bytes in use. */
typedef struct lf__budget {
    _Atomic size_t limit;
    _Atomic size_t rings; /* granted to rings and not consumed yet */
    _Atomic size_t worker; /* held by the worker: queue and batches */
} lf__budget;

/* A ring while it is emptied. */
typedef struct lf__drain {
    lf__segment *segment;
    uint64_t published; /* when it began */
    uint64_t from; /* up to here the space is free again */
    uint64_t at;
    uint64_t taken; /* bytes of records since `from` */
} lf__drain;

extern lf__budget lf__queue_budget;

/* Owner: get more of the ring; false when the ring or the common ceiling is full. */
bool lf__ring_grant(lf__segment *segment, size_t size);
/* Owner: return the unused part of a grant, before the thread ends. */
void lf__ring_return_grant(lf__segment *segment);
/* Worker: take out the records that are published now, in order. */
lf__drain lf__ring_drain(lf__segment *segment);
/* The next record, valid until the next call, which frees its space; NULL: that was all. */
const lf__record *lf__ring_next(lf__drain *drain);
/* Worker, every now and then: give memory back that a burst needed and that was not needed again since the last look. True:
 * there is more, look again later. */
bool lf__ring_give_back_pages(lf__segment *segment);
/* Owner: note that a record of this trace was lost. */
void lf__ring_lose_trace(lf__segment *segment, const uint8_t trace_id[16]);
/* Worker: the next trace noted so; false when there is none. */
bool lf__ring_lost_trace(lf__segment *segment, uint8_t out_trace_id[16]);

static inline void *lf__ring_at(const lf__segment *segment, uint64_t position)
{
    return segment->ring + ((position - segment->origin) & (segment->ring_size - 1));
}

/* Owner: fetch where records after this one go. The worker read these lines last, and its processor has them. Inlined
 * always: gcc leaves out the call of a function that only fetches. */
static inline __attribute__((always_inline)) void lf__ring_prefetch(const lf__record *record)
{
    for (int offset = LF__RING_PREFETCH; offset < LF__RING_PREFETCH + 3 * 64; offset += 64)
        __builtin_prefetch((const char *)record + offset, 1); /* harmless beyond the ring's end */
}

/* Owner: must it ask (lf__ring_grant) before it writes `size` bytes? When there is no room left, and when the ring is
 * empty but not at its beginning. */
static inline bool lf__ring_must_ask(const lf__segment *segment, size_t size)
{
    return segment->head + size > segment->limit ||
           (atomic_load_explicit(&segment->consumed, memory_order_relaxed) == segment->head &&
            segment->head - segment->origin >= LF__RING_GRANT);
}

/* Owner: the bytes at `head`, within `limit`, are a whole record. The worker may take it. */
static inline void lf__ring_publish(lf__segment *segment, size_t size)
{
    segment->head += size;
    atomic_store_explicit(&segment->published, segment->head, memory_order_release);
}

#endif
