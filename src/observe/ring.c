#define _GNU_SOURCE
#include "ring.h"

#include <sys/mman.h>

enum {
    /* This much of an empty ring stays in memory for ever, and the page behind it, so that a filler record finds a place. */
    RING_KEEP = 1 << 20,
    /* This much stays while bursts come one after the other: to get a page anew costs as much as the observations in it. */
    RING_BURST = 8 << 20,
    RING_LOOKS = 2
};

lf__budget lf__queue_budget;

/* Leave out a part of the ring. */
static void ring_skip(lf__segment *segment, uint64_t size)
{
    lf__record *pad = (lf__record *)lf__ring_at(segment, segment->head);
    pad->size = (uint32_t)size;
    pad->kind = LF__RECORD_PAD;
    lf__ring_publish(segment, (size_t)size);
}

static uint64_t ring_offset(const lf__segment *segment, uint64_t position)
{
    return (position - segment->origin) & (segment->ring_size - 1);
}

/* Where the part ends that a burst may keep. */
static uint64_t ring_burst_end(const lf__segment *segment)
{
    return segment->ring_size < RING_BURST ? segment->ring_size : RING_BURST;
}

/* How much to leave out so that `size` bytes fit in one piece, and how much there is then. More than the ring: they do not. */
static uint64_t ring_find_place(const lf__segment *segment, size_t size, bool returning, uint64_t *out_rest)
{
    uint64_t offset = ring_offset(segment, segment->head), burst_end = ring_burst_end(segment), skipped = 0;
    for (;;) {
        bool below = returning && offset < burst_end;
        uint64_t end = below ? RING_KEEP : segment->ring_size;
        if (offset + size <= end || skipped > segment->ring_size) {
            *out_rest = end - offset;
            return skipped;
        }
        uint64_t next = below ? burst_end : segment->ring_size;
        skipped += next - offset;
        offset = next & (segment->ring_size - 1);
    }
}

/* Draw on the common ceiling for `more` bytes. */
static bool ring_charge(size_t more)
{
    size_t limit = atomic_load_explicit(&lf__queue_budget.limit, memory_order_relaxed);
    size_t in_use = atomic_fetch_add_explicit(&lf__queue_budget.rings, more, memory_order_relaxed) + more +
                    atomic_load_explicit(&lf__queue_budget.worker, memory_order_relaxed);
    if (in_use <= limit)
        return true;
    atomic_fetch_sub_explicit(&lf__queue_budget.rings, more, memory_order_relaxed);
    return false;
}

static bool ring_grant(lf__segment *segment, size_t size, bool returning)
{
    size_t grant = size > LF__RING_GRANT ? size : LF__RING_GRANT;
    if (grant > segment->ring_size / 2)
        return false;
    uint64_t consumed = atomic_load_explicit(&segment->consumed, memory_order_acquire); /* pairs with segment_drain */
    /* Empty: start over at the beginning. A thread that the worker keeps up with uses the same few pages for ever, and they
     * stay in the cache. */
    if (consumed == segment->head)
        segment->origin = segment->head;
    uint64_t rest, skipped = ring_find_place(segment, size, returning, &rest);
    uint64_t room = segment->ring_size - (segment->head - consumed);
    if (skipped + size > room)
        return false;
    if (grant > rest)
        grant = (size_t)rest;
    if (skipped + grant > room)
        grant = size;
    if (!ring_charge(grant))
        return false;
    if (skipped != 0)
        ring_skip(segment, skipped);
    segment->limit = segment->head + grant;
    return true;
}

bool lf__ring_grant(lf__segment *segment, size_t size)
{
    lf__ring_return_grant(segment);
    /* In this order: either this thread sees that pages go back, or the worker sees that this thread asks. */
    atomic_store(&segment->granted, LF__RING_ASKING);
    bool granted = ring_grant(segment, size, atomic_load(&segment->returning));
    uint64_t begin = ring_offset(segment, segment->head), end = begin + (segment->limit - segment->head);
    atomic_store_explicit(&segment->granted, begin | end << 32, memory_order_release); /* pairs with lf__ring_give_back_pages */
    return granted;
}

void lf__ring_return_grant(lf__segment *segment)
{
    atomic_fetch_sub_explicit(&lf__queue_budget.rings, (size_t)(segment->limit - segment->head), memory_order_relaxed);
    segment->limit = segment->head;
}

/* Give whole pages of the ring back. */
static void ring_release(lf__segment *segment, uint64_t begin, uint64_t end)
{
    uint64_t page = lf__segment_page();
    begin = (begin + page - 1) & ~(page - 1);
    end &= ~(page - 1);
    if (begin < end)
        (void)madvise(segment->ring + begin, (size_t)(end - begin), MADV_DONTNEED);
}

/* These records are taken, and the owner may not write there yet: pages that no usual burst needs go back at once. */
static void ring_release_taken(lf__segment *segment, uint64_t from, uint64_t to)
{
    uint64_t begin = ring_offset(segment, from), end = begin + (to - from);
    if (end > segment->ring_size)
        end = segment->ring_size;
    if (end > RING_KEEP)
        segment->looks_left = RING_LOOKS;
    uint64_t burst_end = ring_burst_end(segment);
    ring_release(segment, begin > burst_end ? begin : burst_end, end);
}

/* Give back what lies between the part that is kept and the part that goes back at once, except where the owner may write. */
static bool ring_release_burst(lf__segment *segment)
{
    const uint64_t filler = sizeof(lf__record); /* one may lie behind either part */
    uint64_t granted = atomic_load(&segment->granted), first = RING_KEEP + filler, last = ring_burst_end(segment);
    /* After the grant: records within an earlier one are published by now. */
    uint64_t published = atomic_load_explicit(&segment->published, memory_order_acquire);
    if (granted == LF__RING_ASKING || published != atomic_load_explicit(&segment->consumed, memory_order_relaxed))
        return false;
    uint64_t begin = granted & UINT32_MAX, end = (granted >> 32) + filler;
    ring_release(segment, first, begin < last ? begin : last);
    ring_release(segment, end > first ? end : first, last);
    return true;
}

bool lf__ring_give_back_pages(lf__segment *segment)
{
    if (segment->looks_left > 1)
        segment->looks_left--;
    else if (segment->looks_left == 1) {
        atomic_store(&segment->returning, true); /* before the grant is read: see lf__ring_grant */
        segment->looks_left = ring_release_burst(segment) ? 0 : 1;
        atomic_store_explicit(&segment->returning, false, memory_order_release);
    }
    return segment->looks_left != 0;
}

lf__drain lf__ring_drain(lf__segment *segment)
{
    uint64_t at = atomic_load_explicit(&segment->consumed, memory_order_relaxed);
    return (lf__drain){segment, atomic_load_explicit(&segment->published, memory_order_acquire), at, at, 0};
}

/* The space of the records that were taken is free. */
static void ring_free_taken(lf__drain *drain)
{
    ring_release_taken(drain->segment, drain->from, drain->at);
    atomic_store_explicit(&drain->segment->consumed, drain->at, memory_order_release); /* pairs with ring_grant */
    atomic_fetch_sub_explicit(&lf__queue_budget.rings, drain->taken, memory_order_relaxed);
    drain->from = drain->at;
    drain->taken = 0;
}

const lf__record *lf__ring_next(lf__drain *drain)
{
    for (;;) {
        /* A megabyte at a time, so that a thread that waits for room sees it early. */
        if (drain->at != drain->from && (drain->at == drain->published || drain->at - drain->from >= RING_KEEP))
            ring_free_taken(drain);
        if (drain->at == drain->published)
            return NULL;
        const lf__record *record = (const lf__record *)lf__ring_at(drain->segment, drain->at);
        drain->at += record->size;
        if (record->kind == LF__RECORD_PAD)
            continue;
        drain->taken += record->size;
        return record;
    }
}

void lf__ring_lose_trace(lf__segment *segment, const uint8_t trace_id[16])
{
    uint32_t written = atomic_load_explicit(&segment->lost_written, memory_order_relaxed);
    uint32_t read = atomic_load_explicit(&segment->lost_read, memory_order_acquire);
    if (written - read >= LF__LOST_TRACES)
        return; /* the record is counted all the same; only its siblings are not called back */
    if (written != read && memcmp(segment->lost[(written - 1) % LF__LOST_TRACES], trace_id, 16) == 0)
        return;
    memcpy(segment->lost[written % LF__LOST_TRACES], trace_id, 16);
    atomic_store_explicit(&segment->lost_written, written + 1, memory_order_release);
}

bool lf__ring_lost_trace(lf__segment *segment, uint8_t out_trace_id[16])
{
    uint32_t read = atomic_load_explicit(&segment->lost_read, memory_order_relaxed);
    if (read == atomic_load_explicit(&segment->lost_written, memory_order_acquire))
        return false;
    memcpy(out_trace_id, segment->lost[read % LF__LOST_TRACES], 16);
    atomic_store_explicit(&segment->lost_read, read + 1, memory_order_release);
    return true;
}
