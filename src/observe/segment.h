/* The memory of one observed thread: a stack of open observations and a ring of ended ones. The thread alone writes both;
 * the worker alone takes records out of the ring. One mapping without absolute pointers inside its two areas, so that it
 * could live in a file. Pages are touched as they are used; the sizes below are addresses, not memory.
 */
#ifndef LF_SRC_SEGMENT_H
#define LF_SRC_SEGMENT_H

#include "record.h"

#include <stdatomic.h>
#include <string.h>

/* Parts of the observing path that are worth their size at each of their two or three places. */
#define LF__FAST static inline __attribute__((always_inline))

enum {
#if UINTPTR_MAX > UINT32_MAX
    LF__STACK_BYTES = 16 << 20,
    LF__RING_BYTES = 32 << 20, /* per thread; the ceiling of all threads together is max_queue_bytes */
#else
    /* A process has 2 to 4 GiB of addresses, and hundreds of threads are to fit. */
    LF__STACK_BYTES = 2 << 20,
    LF__RING_BYTES = 4 << 20,
#endif
    LF__RING_BYTES_SMALL = 1 << 20, /* where the address space is short */
    LF__STACK_BYTES_SMALL = 1 << 20,
    LF__STACK_RESERVE = 512, /* behind the end of the stack: one frame for whatever has no room before it */
    LF__RING_GRANT = 64 << 10, /* a thread draws on the common ceiling in steps of this */
    LF__RING_PREFETCH = 512,   /* so far ahead: some records, so that it has come by then */
    LF__LOST_TRACES = 32
};

typedef enum lf__frame_kind {
    LF__FRAME_OBSERVATION,
    LF__FRAME_CONTEXT,    /* a copied context attached to this thread: a parent, nothing to send */
    LF__FRAME_ATTRIBUTES, /* sets attributes for what comes above it; otherwise the same place in the trace as below */
    LF__FRAME_HANDLE,     /* a handle that is current: a parent, and what updates of the current observation mean */
    LF__FRAME_UNDER       /* the same in a scope: until that ends, also where the handle has ended */
} lf__frame_kind;

/* Where in the code something stands, as the macros say it. */
typedef struct lf__code_place {
    const char *around; /* the function, NULL for none; compared, never read */
    uint64_t at;        /* LF_I_AT: block, 0 for none; order in the text */
} lf__code_place;

/* An open observation. Its fields follow it directly; those added while another frame lay above are in `extra` blocks. */
typedef struct lf__frame {
    uint32_t below;  /* offset of the frame below in the segment, 0 for none */
    uint32_t pop_to; /* where the stack's top goes when this frame ends */
    uint32_t serial;
    uint32_t extra; /* offset of the first block, 0 for none */
    uint32_t extra_last;
    uint32_t extra_size; /* payload of all blocks */
    uint8_t kind; /* lf__frame_kind */
    bool capture_output;
    bool streaming; /* a piece of output was appended: completion_start_time is set */
    bool on_own_stack; /* the scope's variable lies on the machine stack that the thread was started with */
    uint32_t last_field; /* offset of the newest field, for joining pieces of output; 0 for none */
    uint32_t attributes; /* offset of the fields that are propagated to what begins above, and their size */
    uint32_t attributes_size;
    uint16_t child_flags; /* lf__record_flag that a child begins with */
    bool is_too_deep; /* stands for an observation that had no room */
    uint8_t depth;    /* of the block, at most 255 */
    /* Where its scope stands, for left.c. A handle stands nowhere: both addresses are 0. */
    uintptr_t address;       /* of the scope's variable */
    uintptr_t stack_pointer; /* of the function around */
    lf__code_place code;
    const lf_observation *handle; /* LF__FRAME_HANDLE, LF__FRAME_UNDER */
    lf__record record;   /* record.size: header and the fields that follow directly */
} lf__frame;

typedef struct lf__block {
    uint32_t next;
    uint32_t size; /* of the fields that follow */
} lf__block;

typedef enum lf__segment_state {
    LF__SEGMENT_FREE,
    LF__SEGMENT_IN_USE,
    LF__SEGMENT_LEFT,    /* its thread is over, its ring may hold records */
    LF__SEGMENT_RESTING, /* the worker, or a thread that takes it, works on it */
    LF__SEGMENT_HOLLOW   /* free; of its addresses only the header is left */
} lf__segment_state;

typedef struct lf__segment {
    /* Constant once the segment is registered. */
    struct lf__segment *next;
    size_t mapped;
    uint8_t *ring;
    uint64_t ring_size; /* a power of two */
    uint32_t stack_begin;
    uint32_t stack_end;
    _Atomic int state; /* lf__segment_state; a thread takes FREE, LEFT or HOLLOW, its end makes LEFT, the worker RESTING, then FREE
                          or HOLLOW */
    _Atomic bool filled; /* all of `mapped` is, not only the header */

    /* The owning thread's. */
    _Alignas(64) uint32_t frame; /* offset of the innermost open frame, 0 for none */
    uint32_t top; /* first free byte of the stack */
    uint32_t serial;
    uint32_t free_first; /* handles to use again (handle.c), oldest first; 0: none */
    uint32_t free_last;
    uint32_t free_count;
    uint64_t wake_at; /* value of `ended` at which the worker is woken for flush_at */
    uint64_t head; /* ring position of the next record; positions only grow */
    uint64_t limit; /* up to here it may write without asking */
    uint64_t origin; /* position that lies at the ring's beginning; changes only while the ring is empty */
    uint64_t random[2];
    uintptr_t machine_stack_low; /* of the stack that the thread was started with; the size is 0 where it is not known */
    uintptr_t machine_stack_size;
    /* Odd while the stack is being changed: lets the exit handler of another thread copy it. Pairs with segment_snapshot. */
    _Atomic uint32_t version;
    bool wakes; /* the worker is to be woken: lf__submit_ask */

    /* The owner writes, others read. */
    _Alignas(64) _Atomic uint64_t published; /* the worker's view of head; release, pairs with the acquire in drain */
    _Atomic uint64_t begun;
    _Atomic uint64_t ended;
    _Atomic uint64_t ignored; /* of the ended: those that ended while tracing was off */
    _Atomic uint64_t dropped_full;
    _Atomic uint64_t dropped_large;
    _Atomic uint64_t dropped_deep;
    _Atomic uint64_t misused;
    /* Where in the ring the owner may write: offsets, the end in the upper half. LF__RING_ASKING while it is being decided. */
    _Atomic uint64_t granted;
    _Atomic uint32_t lost_written; /* traces that lost a record here, so that the worker drops the rest of them */
    uint8_t lost[LF__LOST_TRACES][16];

    /* The worker writes, the owner reads. */
    _Alignas(64) _Atomic uint64_t consumed; /* release, pairs with the acquire in lf__ring_grant */
    _Atomic uint32_t lost_read;
    _Atomic bool returning; /* pages are going back: the owner must not be granted them (lf__ring_give_back_pages) */
    uint8_t looks_left; /* the worker's own: pages of a burst go back at the last one; 0: there are none */
} lf__segment;

/* Fences around the version. ThreadSanitizer does not know them; it does not look into the snapshot either. */
#if defined(__SANITIZE_THREAD__)
#define LF__FENCE(order) ((void)0)
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LF__FENCE(order) ((void)0)
#endif
#endif
#ifndef LF__FENCE
#define LF__FENCE(order) atomic_thread_fence(order)
#endif

#define LF__RING_ASKING UINT64_MAX

/* All threads' segments, newest first. Only ever grows; rested segments are used again. */
extern _Atomic(lf__segment *) lf__segments;

/* Records that ended and had no room in the ring, or on the stack. */
static inline uint64_t lf__segment_dropped(const lf__segment *segment)
{
    return atomic_load_explicit(&segment->dropped_full, memory_order_relaxed) +
           atomic_load_explicit(&segment->dropped_large, memory_order_relaxed) +
           atomic_load_explicit(&segment->dropped_deep, memory_order_relaxed);
}

/* A new segment, mapped; NULL when the address space or memory is out. */
lf__segment *lf__segment_new(void);
void lf__segment_unmap(lf__segment *segment);
/* Give the addresses of a resting segment back, too, all but the header, which others may be looking at. */
void lf__segment_drop_addresses(lf__segment *segment);
/* Take them again. False: there are none left, or the program uses those. */
bool lf__segment_take_addresses(lf__segment *segment);
/* Where the machine stack of the main thread lies, without the C library's help. False: the calling thread is another one, or
 * runs on another stack. */
bool lf__segment_main_stack(uintptr_t *out_low, uintptr_t *out_size);
/* Make it ready for the calling thread, or for a coroutine, whose segment it now is. */
void lf__segment_adopt(lf__segment *segment);
/* For the calling thread. Without it the order of addresses tells nothing, as in coroutines, which have stacks of their own. */
void lf__segment_find_machine_stack(lf__segment *segment);
size_t lf__segment_page(void);
/* Give its memory back to the system, keep the addresses. The ring must be empty. */
void lf__segment_drop_memory(lf__segment *segment);

/* Copy the open frames of a thread that may be running: innermost first. Returns a buffer (lf__free) that reads like the
 * segment from offset 0, and its innermost frame in *out_frame; NULL when there is none, or the thread does not hold still. */
uint8_t *lf__segment_snapshot(const lf__segment *segment, uint32_t *out_frame);

/* Where a frame begins that is put on top of a stack: so that its record begins a cache line. Records are written and copied 16
 * bytes at a time, and one such access to two lines costs more than the arithmetic here. */
static inline uint32_t lf__frame_above(uint32_t top)
{
    uint32_t before = offsetof(lf__frame, record);
    return ((top + before + 63) & ~(uint32_t)63) - before;
}

static inline lf__frame *lf__frame_at(void *segment, uint32_t offset)
{
    return (lf__frame *)((uint8_t *)segment + offset);
}

static inline bool lf__frame_is_handle(const lf__frame *frame)
{
    return frame->kind == LF__FRAME_HANDLE || frame->kind == LF__FRAME_UNDER;
}

/* Bytes of a frame's record once its fields lie together. */
static inline size_t lf__frame_record_size(const lf__frame *frame)
{
    return frame->record.size + frame->extra_size;
}

/* Write a frame's record, fields together, to `out`, which has lf__frame_record_size bytes. `base` is the segment or a
 * snapshot of it. */
static inline __attribute__((always_inline)) void lf__frame_copy_record(void *out, const uint8_t *base, const lf__frame *frame)
{
    /* 32 bytes at a time and the last 32 once more: no record is shorter, and a call would cost as much as the copy. */
    size_t size = frame->record.size, i = 0;
    const uint8_t *from = (const uint8_t *)&frame->record;
    if (__builtin_expect(size <= 1024, 1)) {
        for (; i + 32 < size; i += 32)
            memcpy((uint8_t *)out + i, from + i, 32);
        memcpy((uint8_t *)out + size - 32, from + size - 32, 32);
    } else {
        memcpy(out, from, size);
    }
    if (__builtin_expect(frame->extra == 0, 1))
        return;
    uint8_t *at = (uint8_t *)out + frame->record.size;
    for (uint32_t offset = frame->extra; offset != 0;) {
        const lf__block *block = (const lf__block *)(base + offset);
        memcpy(at, block + 1, block->size);
        at += block->size;
        offset = block->next;
    }
    ((lf__record *)out)->size = (uint32_t)lf__frame_record_size(frame);
}

/* A counter that only its owner writes: no locked instruction. */
static inline uint64_t lf__count(_Atomic uint64_t *counter)
{
    uint64_t value = atomic_load_explicit(counter, memory_order_relaxed) + 1;
    atomic_store_explicit(counter, value, memory_order_relaxed);
    return value;
}

/* A product of 128 bits, its two halves folded by XOR, for machines without a 128-bit integer. */
static inline uint64_t lf__multiply_fold_by_halves(uint64_t a, uint64_t b)
{
    uint64_t a_low = (uint32_t)a, a_high = a >> 32, b_low = (uint32_t)b, b_high = b >> 32;
    uint64_t low = a_low * b_low;
    uint64_t middle = a_high * b_low + (low >> 32); /* cannot overflow, nor can the next two sums */
    uint64_t carried = a_low * b_high + (uint32_t)middle;
    uint64_t high = a_high * b_high + (middle >> 32) + (carried >> 32);
    return high ^ (carried << 32 | (uint32_t)low);
}

static inline uint64_t lf__multiply_fold(uint64_t a, uint64_t b)
{
#ifdef __SIZEOF_INT128__
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;
    return (uint64_t)(product >> 64) ^ (uint64_t)product;
#else
    return lf__multiply_fold_by_halves(a, b);
#endif
}

/* A multiplication and a fold of both halves, as in Wang Yi's wyrand, with a multiplier of the segment's own: two threads
 * whose counters ever meet still draw different numbers. Ids must be unequal, not secret. */
static inline uint64_t lf__segment_random(lf__segment *segment)
{
    segment->random[0] += 0xa0761d6478bd642fu;
    return lf__multiply_fold(segment->random[0], segment->random[0] ^ segment->random[1]);
}

#endif
