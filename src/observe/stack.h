/* The observing path: this thread's stack of open observations, and how ended ones get into its ring. All of it works on
 * memory of the calling thread; the worker is woken only when there is reason to.
 */
#ifndef LF_SRC_STACK_H
#define LF_SRC_STACK_H

#include "../base/clients.h"
#include "capture.h"
#include "context.h"
#include "left.h"
#include "submit.h"

#include <pthread.h>

/* The memory that this thread observes in: its own, NULL until its first observation, or that of the coroutine it is in.
 * Initial-exec: one load instead of a call into the loader, at the price of 8 bytes of the static TLS block when we are
 * dlopened. */
extern __thread lf__segment *lf__thread __attribute__((tls_model("initial-exec"), visibility("hidden")));
/* Its own, whatever it is in. */
extern __thread lf__segment *lf__thread_own __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* The key of the segments of threads; its destructor calls lf__stack_leave when a thread ends. */
void lf__stack_install(pthread_key_t key);
/* Thread end: what its scopes left open is sent, marked; the worker empties the ring and frees the segment. True: wake it. */
bool lf__stack_leave(lf__segment *ending);
/* First use by this thread: get it memory. NULL when there is none. */
lf__segment *lf__stack_enter(void);
/* Memory for a thread or a coroutine; NULL when there is none. And its end: open observations are sent, marked as left; true: wake
 * the worker. */
lf__segment *lf__stack_take(void);
bool lf__stack_give_back(lf__segment *segment);
/* In the child of a fork: forget what the parent's threads had; this thread goes on where it was. */
void lf__stack_after_fork_child(void);

/* This thread's segment, made if need be. */
LF__FAST lf__segment *lf__stack_here(void)
{
    return __builtin_expect(lf__thread == NULL, 0) ? lf__stack_enter() : lf__thread;
}

/* ---- Slow paths, apart so that the fast ones stay small ---- */

/* Take handles that have ended from the top. */
void lf__stack_drop_ended_handles(lf__segment *segment);
/* End the scopes, marked, that left.h says were left: before a scope at `place` begins, and when control is here. */
void lf__stack_end_left_before(lf__segment *segment, uintptr_t address, uintptr_t stack_pointer, const char *around, uint64_t at,
                               uint32_t depth);
void lf__stack_end_left_above(lf__segment *segment, lf__code_place here);
void lf__stack_end_caught(lf__segment *segment, lf__code_place here, uintptr_t stack_pointer, uintptr_t frame_top);
lf__frame *lf__stack_find_observation(lf__segment *segment, lf__frame *top);
uint8_t *lf__stack_copy_attributes(lf__segment *segment, lf__frame *frame, uint8_t *at);
/* End what lies above `frame` (an offset; 0: everything): its scopes were left without ending. */
void lf__stack_abandon_above(lf__segment *segment, uint32_t frame, uint64_t now, lf__record_flag flag);
/* Not the innermost: either scopes above it were skipped, or it is not open here at all (ended on another thread, in the
 * child of a fork, or never begun because something jumped over the macro). */
bool lf__stack_bring_to_top(lf__segment *segment, const lf_scope *scope, uint64_t now);
/* The frame of a scope that is open here, or NULL. */
lf__frame *lf__stack_frame_of(lf__segment *segment, const lf_scope *scope);
/* An observation or a score that has no room has begun and ended; unless its trace is not kept, it is dropped. */
void lf__stack_count_too_deep(lf__segment *segment);
/* Instead of a scope that has no room. */
void lf__stack_stand_in(lf__segment *segment, lf_scope *scope, uintptr_t stack_pointer);

/* ---- Changing the stack ---- */

/* Around every change of the stack: the version is odd meanwhile. What begin returns goes to end. */
LF__FAST uint32_t lf__stack_change_begin(lf__segment *segment)
{
    uint32_t version = atomic_load_explicit(&segment->version, memory_order_relaxed) + 1;
    atomic_store_explicit(&segment->version, version, memory_order_relaxed);
    LF__FENCE(memory_order_release); /* pairs with the acquire in lf__segment_snapshot */
    return version;
}

LF__FAST void lf__stack_change_end(lf__segment *segment, uint32_t version)
{
    atomic_store_explicit(&segment->version, version + 1, memory_order_release);
}

/* Take the innermost frame off the stack, sending it if it is an observation. */
LF__FAST void lf__stack_pop(lf__segment *segment, uint64_t now)
{
    lf__frame *frame = lf__frame_at(segment, segment->frame);
    uint32_t version = lf__stack_change_begin(segment); /* a snapshot must not find a record that is in the ring already */
    if (__builtin_expect(frame->kind == LF__FRAME_OBSERVATION, 1))
        lf__submit_frame(segment, frame, now);
    segment->frame = frame->below;
    segment->top = frame->pop_to;
    lf__stack_change_end(segment, version);
}

/* ---- What is on top ---- */

/* The frame that a scope names: the first word of the scope has its offset and its serial. 0: none. */
static inline uint32_t lf__scope_frame(const lf_scope *scope)
{
    return (uint32_t)(scope->words[0] >> 32);
}

static inline uint32_t lf__scope_serial(const lf_scope *scope)
{
    return (uint32_t)scope->words[0];
}

/* Where a scope stands. Sites of version 1 are all there are. */
LF__FAST lf__place lf__scope_place(const lf_scope *scope, const lf_site *site, uintptr_t stack_pointer)
{
    return (lf__place){(uintptr_t)scope, stack_pointer, {site->around, site->at}, site->depth};
}

/* The innermost frame, NULL for none. A handle that has ended is not current. */
LF__FAST lf__frame *lf__stack_top(lf__segment *segment)
{
    if (segment->frame != 0 && __builtin_expect(lf__frame_at(segment, segment->frame)->kind == LF__FRAME_HANDLE, 0))
        lf__stack_drop_ended_handles(segment);
    return segment->frame == 0 ? NULL : lf__frame_at(segment, segment->frame);
}

/* What an update of the current observation means: the innermost observation or handle, past scopes that only set attributes.
 * NULL when there is none, when an attached context lies above it, and when its trace is not kept. */
LF__FAST lf__frame *lf__stack_top_observation(lf__segment *segment)
{
    lf__frame *frame = segment == NULL ? NULL : lf__stack_top(segment);
    if (__builtin_expect(frame == NULL || (frame->kind == LF__FRAME_OBSERVATION && (frame->record.flags & LF__FLAG_UNSAMPLED) == 0),
                         1))
        return frame;
    return lf__stack_find_observation(segment, frame);
}

/* The same at a place in the code. The scope around that place is open, so what lies above it was left. */
LF__FAST lf__frame *lf__stack_observation_at(lf__code_place here)
{
    lf__segment *segment = lf__thread;
    if (__builtin_expect(segment == NULL || segment->frame == 0, 0))
        return NULL;
    const lf__frame *top = lf__frame_at(segment, segment->frame);
    if (here.at != 0 && __builtin_expect(!lf__left_none(&top->code, &here), 0)) /* 0: a place that is not known */
        lf__stack_end_left_above(segment, here);
    return lf__stack_top_observation(segment);
}

/* A scope is about to begin. The usual case is one comparison: the innermost one stands in a function further up. */
LF__FAST void lf__stack_settle(lf__segment *segment, const lf__place *place)
{
    if (segment->frame == 0)
        return;
    const lf__frame *top = lf__frame_at(segment, segment->frame);
    if (__builtin_expect(!top->on_own_stack || top->stack_pointer <= place->address, 0))
        lf__stack_end_left_before(segment, place->address, place->stack_pointer, place->code.around, place->code.at,
                                  place->depth); /* one by one: a struct would be written to memory in the usual case, too */
}

static inline void lf__stack_random_id(lf__segment *segment, uint8_t *out, size_t size)
{
    for (size_t i = 0; i < size; i += 8) {
        uint64_t word = lf__segment_random(segment);
        word += word == 0; /* all zero is no id */
        memcpy(out + i, &word, 8);
    }
}

/* The ids, client and sampling of whatever begins here: child of `below`, or root of a new trace. */
LF__FAST void lf__stack_derive(lf__segment *segment, const lf__frame *below, lf__record *record)
{
    record->client = below != NULL ? below->record.client : 0;
    if (__builtin_expect(below != NULL && (below->record.flags & LF__FLAG_NO_TRACE) == 0, 1)) {
        record->flags = below->child_flags;
        memcpy(record->trace_id, below->record.trace_id, sizeof record->trace_id);
        memcpy(record->parent_id, below->record.id, sizeof record->parent_id);
    } else {
        record->flags = LF__FLAG_APP_ROOT;
        lf__stack_random_id(segment, record->trace_id, sizeof record->trace_id);
        memset(record->parent_id, 0, sizeof record->parent_id);
        if (!lf__client_keeps(record->client, record->trace_id))
            record->flags |= LF__FLAG_UNSAMPLED;
    }
}

/* A new frame on top: empty record, ids from the frame below. NULL when the stack is full; `reserve` bytes behind its end may
 * be used. */
LF__FAST lf__frame *lf__stack_push(lf__segment *segment, lf__frame_kind kind, const lf__place *place, uint32_t reserve,
                                   uint32_t *out_version)
{
    lf__stack_settle(segment, place);
    const lf__frame *below = segment->frame == 0 ? NULL : lf__frame_at(segment, segment->frame);
    uint32_t top = segment->top, offset = lf__frame_above(top);
    if (__builtin_expect(offset + sizeof(lf__frame) + LF__CAPTURE_MIN_ROOM > segment->stack_end + reserve, 0))
        return NULL;
    *out_version = lf__stack_change_begin(segment);
    lf__frame *frame = lf__frame_at(segment, offset);
    frame->below = segment->frame;
    frame->pop_to = top;
    frame->serial = ++segment->serial;
    frame->extra = frame->extra_last = frame->extra_size = 0;
    frame->kind = (uint8_t)kind;
    frame->capture_output = kind != LF__FRAME_OBSERVATION; /* lf_i_open decides it for an observation */
    frame->streaming = false;
    frame->is_too_deep = false;
    frame->last_field = 0;
    frame->on_own_stack = lf__is_own_stack(segment, place->address);
    frame->address = place->address;
    frame->stack_pointer = place->stack_pointer;
    frame->depth = (uint8_t)place->depth;
    frame->code.around = place->code.around;
    frame->code.at = place->code.at;
    frame->attributes = below != NULL ? below->attributes : 0;
    frame->attributes_size = below != NULL ? below->attributes_size : 0;
    lf__record *record = &frame->record;
    record->size = sizeof *record;
    record->kind = LF__RECORD_OBSERVATION;
    record->site = 0;
    record->end_ns = 0;
    if (kind == LF__FRAME_OBSERVATION) { /* others are at a place that is there already: stack_make_context */
        lf__stack_derive(segment, below, record);
        frame->child_flags = record->flags & LF__FLAG_UNSAMPLED;
        lf__stack_random_id(segment, record->id, sizeof record->id);
    }
    return frame;
}

/* Where the fields of a frame just pushed begin: behind the attributes that are propagated to it. */
LF__FAST uint8_t *lf__stack_fields(lf__segment *segment, lf__frame *frame)
{
    uint8_t *at = (uint8_t *)(frame + 1);
    return __builtin_expect(frame->attributes_size != 0, 0) ? lf__stack_copy_attributes(segment, frame, at) : at;
}

/* The frame pushed last is complete: fields end at `end`. */
LF__FAST void lf__stack_push_done(lf__segment *segment, lf__frame *frame, const uint8_t *end, uint32_t version, lf_scope *out_scope)
{
    frame->record.size = (uint32_t)(end - (const uint8_t *)&frame->record);
    uint32_t offset = (uint32_t)((const uint8_t *)frame - (const uint8_t *)segment);
    segment->top = (uint32_t)(end - (const uint8_t *)segment);
    segment->frame = offset;
    lf__stack_change_end(segment, version);
    out_scope->words[0] = (uint64_t)offset << 32 | frame->serial;
}

/* Where the fields of an observation must end. */
static inline uint8_t *lf__stack_fields_end(lf__segment *segment, uint8_t *at, size_t room)
{
    uint8_t *end = (uint8_t *)segment + segment->stack_end;
    size_t stack = lf__bytes_to(end, at);
    return at + (stack < room ? stack : room);
}

/* Where arguments must end: they take at most half of a record, so that the result has a place too, and no more than what is
 * left of it. May lie before `at`. */
LF__FAST uint8_t *lf__stack_arguments_end(lf__segment *segment, const lf__frame *frame, uint8_t *at)
{
    size_t limit = atomic_load_explicit(&lf__record_bytes, memory_order_relaxed);
    uint8_t *half = at + limit / 2, *whole = (uint8_t *)(uintptr_t)&frame->record + limit;
    uint8_t *stack = (uint8_t *)segment + segment->stack_end, *end = half < whole ? half : whole;
    return end < stack ? end : stack;
}

/* What large values may still take of a frame whose fields end at `at`. */
LF__FAST size_t lf__stack_room_left(const lf__frame *frame, const uint8_t *at)
{
    size_t used = (size_t)(at - (const uint8_t *)&frame->record);
    size_t limit = atomic_load_explicit(&lf__record_bytes, memory_order_relaxed);
    return used < limit ? limit - used : 0;
}

/* ---- Contexts ---- */

/* The frame just pushed stands at the same place as the one below, which may be none. */
void lf__stack_make_same(lf__segment *segment, lf__frame *frame);

/* Put a context on the stack. NULL: one that is in no trace. */
void lf__stack_attach(lf_scope *scope, const lf_site *site, const lf_context *context, uintptr_t stack_pointer);
/* Put a handle on the stack, for a scope. */
void lf__stack_under(lf_scope *scope, const lf_site *site, const lf_observation *handle, uintptr_t stack_pointer);
/* The context of the children of a handle, for lf_context_free; NULL: it is long ended, or no memory. */
lf_context *lf__stack_handle_context(const lf_observation *handle);
/* What this thread is in, for lf_context_free; NULL: nothing, or no memory. */
lf_context *lf__stack_context(void);
/* The innermost frame that has a trace, or NULL. */
const lf__frame *lf__stack_current(void);
/* Make a handle this thread's current observation. */
void lf__stack_push_handle(const lf_observation *handle, const lf__record *record);

#endif
