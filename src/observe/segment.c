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
    SEGMENT_SNAPSHOT_TRIES = 100,
    SEGMENT_MAIN_STACK_MAX = 128 << 20 /* the kernel keeps at least so much below the main stack free of other mappings */
};

_Atomic(lf__segment *) lf__segments;

/* ---- Addresses ---- */

static _Atomic size_t segment_mapped; /* by all segments of the process */

size_t lf__segment_page(void)
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
    size_t page = lf__segment_page(), header = (sizeof(lf__segment) + page - 1) & ~(page - 1);
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

void lf__segment_drop_addresses(lf__segment *segment)
{
    /* First: a fork in between must not unmap what the program has mapped there since. */
    atomic_store_explicit(&segment->filled, false, memory_order_relaxed);
    segment_munmap((uint8_t *)segment + segment->stack_begin, segment->mapped - segment->stack_begin);
}

bool lf__segment_take_addresses(lf__segment *segment)
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

void lf__segment_drop_memory(lf__segment *segment)
{
    uint8_t *stack = (uint8_t *)segment + segment->stack_begin;
    (void)madvise(stack, segment->mapped - segment->stack_begin, MADV_DONTNEED);
    segment->looks_left = 0;
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
