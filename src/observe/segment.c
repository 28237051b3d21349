#define _GNU_SOURCE
#include "segment.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    SEGMENT_PAGE_MAX = 64 << 10, /* a page of any kernel */
    SEGMENT_FIXED_NOREPLACE = 0x100000, /* of mmap; not every C library names it */
    /* This much of an empty ring stays in memory for ever, and the page behind it, so that a filler record finds a place. */
    SEGMENT_RING_KEEP = 1 << 20,
    /* This much stays while bursts come one after the other: to get a page anew costs as much as the observations in it. */
    SEGMENT_RING_BURST = 8 << 20,
    SEGMENT_LOOKS = 2,
    SEGMENT_SNAPSHOT_TRIES = 100,
    SEGMENT_MAIN_STACK_MAX = 128 << 20 /* the kernel keeps at least so much below the main stack free of other mappings */
};

lf__budget lf__queue_budget;
_Atomic(lf__segment *) lf__segments;

/* ---- Addresses ---- */

static _Atomic size_t segment_mapped; /* by all segments of the process */

static size_t segment_page(void)
{
    static _Atomic size_t page;
    size_t known = atomic_load_explicit(&page, memory_order_relaxed);
    if (known == 0) {
        long asked = sysconf(_SC_PAGESIZE);
        known = asked > 0 ? (size_t)asked : SEGMENT_PAGE_MAX;
        atomic_store_explicit(&page, known, memory_order_relaxed);
    }
    return known;
}

/* With vm.overcommit_memory=2 the kernel counts addresses as if they were memory. */
static bool segment_addresses_are_memory(void)
{
    static _Atomic int known; /* 0: not asked; 1: no; 2: yes */
    int answer = atomic_load_explicit(&known, memory_order_relaxed);
    if (answer == 0) {
        char mode = '0';
        int file = open("/proc/sys/vm/overcommit_memory", O_RDONLY | O_CLOEXEC);
        if (file >= 0) {
            (void)!read(file, &mode, 1);
            (void)close(file);
        }
        answer = mode == '2' ? 2 : 1;
        atomic_store_explicit(&known, answer, memory_order_relaxed);
    }
    return answer == 2;
}

static bool segment_addresses_are_limited(rlim_t *out_limit)
{
    struct rlimit limit;
    bool limited = getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
    *out_limit = limited ? limit.rlim_cur : 0;
    return limited;
}

/* A program with a limit on its addresses (RLIMIT_AS) needs them itself: large segments take a sixteenth of it, small ones go
 * up to a quarter. */
static bool segment_may_map(size_t size, bool large)
{
    rlim_t limit;
    if (large && segment_addresses_are_memory())
        return false;
    if (!segment_addresses_are_limited(&limit))
        return true;
    return atomic_load_explicit(&segment_mapped, memory_order_relaxed) + size <= limit / (large ? 16 : 4);
}

static void *segment_mmap(void *at, size_t size, int flags)
{
    void *memory = mmap(at, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    /* A huge page would turn a touched kilobyte into two megabytes of the host's memory. */
    (void)madvise(memory, size, MADV_NOHUGEPAGE);
    atomic_fetch_add_explicit(&segment_mapped, size, memory_order_relaxed);
    return memory;
}

static void segment_munmap(void *memory, size_t size)
{
    (void)munmap(memory, size);
    atomic_fetch_sub_explicit(&segment_mapped, size, memory_order_relaxed);
}

static lf__segment *segment_map(size_t stack_bytes, size_t ring_bytes, bool large)
{
    size_t page = segment_page(), header = (sizeof(lf__segment) + page - 1) & ~(page - 1);
    size_t size = header + stack_bytes + ring_bytes;
    lf__segment *segment = segment_may_map(size, large) ? segment_mmap(NULL, size, 0) : NULL;
    if (segment == NULL)
        return NULL;
    segment->mapped = size;
    segment->stack_begin = (uint32_t)header;
    segment->stack_end = (uint32_t)(header + stack_bytes - LF__STACK_RESERVE);
    segment->ring = (uint8_t *)segment + header + stack_bytes;
    segment->ring_size = ring_bytes;
    segment->top = segment->stack_begin;
    atomic_init(&segment->filled, true);
    return segment;
}

lf__segment *lf__segment_new(void)
{
    lf__segment *segment = segment_map(LF__STACK_BYTES, LF__RING_BYTES, true);
    return segment != NULL ? segment : segment_map(LF__STACK_BYTES_SMALL, LF__RING_BYTES_SMALL, false);
}

void lf__segment_unmap(lf__segment *segment)
{
    bool filled = atomic_load_explicit(&segment->filled, memory_order_relaxed);
    segment_munmap(segment, filled ? segment->mapped : segment->stack_begin);
}

void lf__segment_hollow(lf__segment *segment)
{
    /* First: a fork in between must not unmap what the program has mapped there since. */
    atomic_store_explicit(&segment->filled, false, memory_order_relaxed);
    segment_munmap((uint8_t *)segment + segment->stack_begin, segment->mapped - segment->stack_begin);
}

bool lf__segment_fill(lf__segment *segment)
{
    void *wanted = (uint8_t *)segment + segment->stack_begin;
    size_t size = segment->mapped - segment->stack_begin;
    if (!segment_may_map(size, size > LF__STACK_BYTES_SMALL + LF__RING_BYTES_SMALL))
        return false;
    /* Not over what the program has mapped there meanwhile. Kernels before 4.17 take the address for a hint. */
    void *got = segment_mmap(wanted, size, SEGMENT_FIXED_NOREPLACE);
    if (got != NULL && got != wanted)
        segment_munmap(got, size);
    bool filled = got == wanted;
    atomic_store_explicit(&segment->filled, filled, memory_order_relaxed);
    return filled;
}

/* ---- The machine's stack ---- */

/* The kernel writes the program's name above the first frame of the main thread. From there the stack may grow downwards as
 * far as its limit says. */
bool lf__segment_main_stack(uintptr_t *out_low, uintptr_t *out_size)
{
    struct rlimit limit;
    uintptr_t here = (uintptr_t)__builtin_frame_address(0), name = (uintptr_t)getauxval(AT_EXECFN);
    if (syscall(SYS_gettid) != getpid() || name == 0 || getrlimit(RLIMIT_STACK, &limit) != 0)
        return false;
    uintptr_t most = limit.rlim_cur < SEGMENT_MAIN_STACK_MAX ? (uintptr_t)limit.rlim_cur : SEGMENT_MAIN_STACK_MAX;
    uintptr_t low = name > most ? name - most : 0;
    if (here < low || here >= name)
        return false;
    *out_low = low;
    *out_size = name - low;
    return true;
}

void lf__segment_find_machine_stack(lf__segment *segment)
{
    bool is_main = syscall(SYS_gettid) == getpid();
    rlim_t limit;
    /* To ask, glibc allocates, and a thread's first allocation takes 64 MiB of addresses for an arena. A program that has few does
     * without what a known stack tells (left.h). */
    if (!is_main && segment_addresses_are_limited(&limit))
        return;
#ifndef __GLIBC__
    /* musl finds the main thread's stack by trying one page after the other. That stops where the stack happens to end today,
     * and under qemu it does not stop at all. */
    if (is_main) {
        (void)lf__segment_main_stack(&segment->machine_stack_low, &segment->machine_stack_size);
        return;
    }
#endif
    pthread_attr_t attributes;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) { /* glibc reads /proc for the main thread: there may be none */
        (void)lf__segment_main_stack(&segment->machine_stack_low, &segment->machine_stack_size);
        return;
    }
    void *low;
    size_t size;
    if (pthread_attr_getstack(&attributes, &low, &size) == 0) {
        segment->machine_stack_low = (uintptr_t)low;
        segment->machine_stack_size = size;
    }
    pthread_attr_destroy(&attributes);
}

void lf__segment_adopt(lf__segment *segment)
{
    struct {
        uint64_t state[2];
        uint32_t serial;
    } seed;
    lf__random_bytes(&seed, sizeof seed);
    segment->random[0] = seed.state[0];
    segment->random[1] = seed.state[1];
    segment->serial = seed.serial;
    segment->frame = 0;
    segment->top = segment->stack_begin;
    segment->machine_stack_low = segment->machine_stack_size = 0;
}

void lf__segment_rest(lf__segment *segment)
{
    uint8_t *stack = (uint8_t *)segment + segment->stack_begin;
    (void)madvise(stack, segment->mapped - segment->stack_begin, MADV_DONTNEED);
    segment->looks_left = 0;
}

/* Leave out a part of the ring. */
static void segment_skip(lf__segment *segment, uint64_t size)
{
    lf__record *pad = (lf__record *)lf__segment_at(segment, segment->head);
    pad->size = (uint32_t)size;
    pad->kind = LF__RECORD_PAD;
    lf__segment_publish(segment, (size_t)size);
}

static uint64_t segment_offset(const lf__segment *segment, uint64_t position)
{
    return (position - segment->origin) & (segment->ring_size - 1);
}

/* Where the part ends that a burst may keep. */
static uint64_t segment_burst_end(const lf__segment *segment)
{
    return segment->ring_size < SEGMENT_RING_BURST ? segment->ring_size : SEGMENT_RING_BURST;
}

/* How much to leave out so that `size` bytes fit in one piece, and how much there is then. More than the ring: they do not. */
static uint64_t segment_find_place(const lf__segment *segment, size_t size, bool returning, uint64_t *out_rest)
{
    uint64_t offset = segment_offset(segment, segment->head), burst_end = segment_burst_end(segment), skipped = 0;
    for (;;) {
        bool below = returning && offset < burst_end;
        uint64_t end = below ? SEGMENT_RING_KEEP : segment->ring_size;
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
static bool segment_charge(lf__budget *budget, size_t more)
{
    size_t limit = atomic_load_explicit(&budget->limit, memory_order_relaxed);
    size_t in_use = atomic_fetch_add_explicit(&budget->rings, more, memory_order_relaxed) + more +
                    atomic_load_explicit(&budget->worker, memory_order_relaxed);
    if (in_use <= limit)
        return true;
    atomic_fetch_sub_explicit(&budget->rings, more, memory_order_relaxed);
    return false;
}

static bool segment_grant(lf__segment *segment, lf__budget *budget, size_t size, bool returning)
{
    size_t grant = size > LF__RING_GRANT ? size : LF__RING_GRANT;
    if (grant > segment->ring_size / 2)
        return false;
    uint64_t consumed = atomic_load_explicit(&segment->consumed, memory_order_acquire); /* pairs with segment_drain */
    /* Empty: start over at the beginning. A thread that the worker keeps up with uses the same few pages for ever, and they
     * stay in the cache. */
    if (consumed == segment->head)
        segment->origin = segment->head;
    uint64_t rest, skipped = segment_find_place(segment, size, returning, &rest);
    uint64_t room = segment->ring_size - (segment->head - consumed);
    if (skipped + size > room)
        return false;
    if (grant > rest)
        grant = (size_t)rest;
    if (skipped + grant > room)
        grant = size;
    if (!segment_charge(budget, grant))
        return false;
    if (skipped != 0)
        segment_skip(segment, skipped);
    segment->limit = segment->head + grant;
    return true;
}

bool lf__segment_grant(lf__segment *segment, lf__budget *budget, size_t size)
{
    lf__segment_return_grant(segment, budget);
    /* In this order: either this thread sees that pages go back, or the worker sees that this thread asks. */
    atomic_store(&segment->granted, LF__RING_ASKING);
    bool granted = segment_grant(segment, budget, size, atomic_load(&segment->returning));
    uint64_t begin = segment_offset(segment, segment->head), end = begin + (segment->limit - segment->head);
    atomic_store_explicit(&segment->granted, begin | end << 32, memory_order_release); /* pairs with lf__segment_give_back */
    return granted;
}

void lf__segment_return_grant(lf__segment *segment, lf__budget *budget)
{
    atomic_fetch_sub_explicit(&budget->rings, (size_t)(segment->limit - segment->head), memory_order_relaxed);
    segment->limit = segment->head;
}

/* Give whole pages of the ring back. */
static void segment_release(lf__segment *segment, uint64_t begin, uint64_t end)
{
    uint64_t page = segment_page();
    begin = (begin + page - 1) & ~(page - 1);
    end &= ~(page - 1);
    if (begin < end)
        (void)madvise(segment->ring + begin, (size_t)(end - begin), MADV_DONTNEED);
}

/* These records are taken, and the owner may not write there yet: pages that no usual burst needs go back at once. */
static void segment_release_taken(lf__segment *segment, uint64_t from, uint64_t to)
{
    uint64_t begin = segment_offset(segment, from), end = begin + (to - from);
    if (end > segment->ring_size)
        end = segment->ring_size;
    if (end > SEGMENT_RING_KEEP)
        segment->looks_left = SEGMENT_LOOKS;
    uint64_t burst_end = segment_burst_end(segment);
    segment_release(segment, begin > burst_end ? begin : burst_end, end);
}

/* Give back what lies between the part that is kept and the part that goes back at once, except where the owner may write. */
static bool segment_release_burst(lf__segment *segment)
{
    const uint64_t filler = sizeof(lf__record); /* one may lie behind either part */
    uint64_t granted = atomic_load(&segment->granted), first = SEGMENT_RING_KEEP + filler, last = segment_burst_end(segment);
    /* After the grant: records within an earlier one are published by now. */
    uint64_t published = atomic_load_explicit(&segment->published, memory_order_acquire);
    if (granted == LF__RING_ASKING || published != atomic_load_explicit(&segment->consumed, memory_order_relaxed))
        return false;
    uint64_t begin = granted & UINT32_MAX, end = (granted >> 32) + filler;
    segment_release(segment, first, begin < last ? begin : last);
    segment_release(segment, end > first ? end : first, last);
    return true;
}

bool lf__segment_give_back(lf__segment *segment)
{
    if (segment->looks_left > 1)
        segment->looks_left--;
    else if (segment->looks_left == 1) {
        atomic_store(&segment->returning, true); /* before the grant is read: see lf__segment_grant */
        segment->looks_left = segment_release_burst(segment) ? 0 : 1;
        atomic_store_explicit(&segment->returning, false, memory_order_release);
    }
    return segment->looks_left != 0;
}

lf__drain lf__segment_drain(lf__segment *segment, lf__budget *budget)
{
    uint64_t at = atomic_load_explicit(&segment->consumed, memory_order_relaxed);
    return (lf__drain){segment, budget, atomic_load_explicit(&segment->published, memory_order_acquire), at, at, 0};
}

/* The space of the records that were taken is free. */
static void segment_free_taken(lf__drain *drain)
{
    segment_release_taken(drain->segment, drain->from, drain->at);
    atomic_store_explicit(&drain->segment->consumed, drain->at, memory_order_release); /* pairs with segment_grant */
    atomic_fetch_sub_explicit(&drain->budget->rings, drain->taken, memory_order_relaxed);
    drain->from = drain->at;
    drain->taken = 0;
}

const lf__record *lf__drain_next(lf__drain *drain)
{
    for (;;) {
        /* A megabyte at a time, so that a thread that waits for room sees it early. */
        if (drain->at != drain->from && (drain->at == drain->published || drain->at - drain->from >= SEGMENT_RING_KEEP))
            segment_free_taken(drain);
        if (drain->at == drain->published)
            return NULL;
        const lf__record *record = (const lf__record *)lf__segment_at(drain->segment, drain->at);
        drain->at += record->size;
        if (record->kind == LF__RECORD_PAD)
            continue;
        drain->taken += record->size;
        return record;
    }
}

void lf__segment_lose_trace(lf__segment *segment, const uint8_t trace_id[16])
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

bool lf__segment_lost_trace(lf__segment *segment, uint8_t out_trace_id[16])
{
    uint32_t read = atomic_load_explicit(&segment->lost_read, memory_order_relaxed);
    if (read == atomic_load_explicit(&segment->lost_written, memory_order_acquire))
        return false;
    memcpy(out_trace_id, segment->lost[read % LF__LOST_TRACES], 16);
    atomic_store_explicit(&segment->lost_read, read + 1, memory_order_release);
    return true;
}

/* The owner may be writing, so the race is meant: the version tells whether the copy is whole. */
#define SEGMENT_RACY __attribute__((no_sanitize("thread")))

SEGMENT_RACY static void segment_copy_words(uint64_t *out, const volatile uint64_t *in, size_t words)
{
    for (size_t i = 0; i < words; i++)
        out[i] = in[i];
}

SEGMENT_RACY static uint32_t segment_peek(const volatile uint32_t *word)
{
    return *word;
}

uint8_t *lf__segment_snapshot(const lf__segment *segment, uint32_t *out_frame)
{
    for (int i = 0; i < SEGMENT_SNAPSHOT_TRIES; i++) {
        uint32_t before = atomic_load_explicit(&segment->version, memory_order_acquire);
        uint32_t frame = segment_peek(&segment->frame);
        uint32_t top = segment_peek(&segment->top);
        if (before % 2 != 0 || top < segment->stack_begin || top > segment->stack_end + LF__STACK_RESERVE) {
            sched_yield(); /* it may have been interrupted in the middle of a change */
            continue;
        }
        if (frame == 0)
            return NULL;
        uint8_t *copy = lf__alloc(top);
        if (copy == NULL)
            return NULL;
        segment_copy_words((uint64_t *)(void *)(copy + segment->stack_begin),
                           (const uint64_t *)(const void *)((const uint8_t *)segment + segment->stack_begin),
                           (top - segment->stack_begin) / sizeof(uint64_t));
        LF__FENCE(memory_order_acquire);
        if (atomic_load_explicit(&segment->version, memory_order_relaxed) == before) {
            *out_frame = frame;
            return copy;
        }
        lf__free(copy);
    }
    return NULL;
}
