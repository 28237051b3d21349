#define _GNU_SOURCE
#include "stack.h"

#include "../base/guest.h"
#include "handle.h"

#include <pthread.h>

__thread lf__segment *lf__thread __attribute__((tls_model("initial-exec"), visibility("hidden")));
__thread lf__segment *lf__thread_own __attribute__((tls_model("initial-exec"), visibility("hidden")));

static struct {
    pthread_key_t key; /* whose destructor ends up in lf__stack_leave */
    /* In a forked child: where the parent forked, for the thread that survived. Read and written by that thread only. */
    pthread_t inheritor;
    lf_context *inherited;
} stack;

enum { STACK_REFILLS = 8 /* segments that a thread tries to fill again before it maps another one */ };

/* ---- Threads: taking and leaving a segment ------------------------------------------------------------------------ */

static bool stack_take(lf__segment *segment, int from, int to)
{
    return atomic_compare_exchange_strong_explicit(&segment->state, &from, to, memory_order_acquire, memory_order_relaxed);
}

static lf__segment *stack_reuse_segment(void)
{
    /* One that was just left will do: its ring goes on where the thread before stopped, read or not. */
    for (lf__segment *s = atomic_load_explicit(&lf__segments, memory_order_acquire); s != NULL; s = s->next)
        if (stack_take(s, LF__SEGMENT_FREE, LF__SEGMENT_IN_USE) || stack_take(s, LF__SEGMENT_LEFT, LF__SEGMENT_IN_USE))
            return s;
    return NULL;
}

/* One whose addresses were given back; not all may be to be had again. */
static lf__segment *stack_refill_segment(void)
{
    int tries = STACK_REFILLS;
    for (lf__segment *s = atomic_load_explicit(&lf__segments, memory_order_acquire); s != NULL && tries > 0; s = s->next) {
        if (!stack_take(s, LF__SEGMENT_HOLLOW, LF__SEGMENT_RESTING))
            continue;
        bool filled = lf__segment_take_addresses(s);
        atomic_store_explicit(&s->state, filled ? LF__SEGMENT_IN_USE : LF__SEGMENT_HOLLOW, memory_order_release);
        if (filled)
            return s;
        tries--;
    }
    return NULL;
}

static lf__segment *stack_register_segment(void)
{
    lf__segment *segment = lf__segment_new();
    if (segment == NULL)
        return NULL;
    atomic_store_explicit(&segment->state, LF__SEGMENT_IN_USE, memory_order_relaxed);
    segment->next = atomic_load_explicit(&lf__segments, memory_order_relaxed);
    while (
        !atomic_compare_exchange_weak_explicit(&lf__segments, &segment->next, segment, memory_order_release, memory_order_relaxed))
        continue;
    return segment;
}

static lf_context *stack_context_of(const lf__segment *segment, const lf__frame *frame);
static void stack_attach(lf_scope *scope, const lf_context *context, const lf__place *place);

static bool stack_inherits(void)
{
    return stack.inherited != NULL && pthread_equal(stack.inheritor, pthread_self());
}

lf__segment *lf__stack_take(void)
{
    lf__segment *segment = stack_reuse_segment();
    if (segment == NULL)
        segment = stack_refill_segment();
    if (segment == NULL)
        segment = stack_register_segment();
    if (segment != NULL) {
        lf__segment_adopt(segment);
        lf__submit_set_wake(segment);
    }
    return segment;
}

bool lf__stack_give_back(lf__segment *segment)
{
    lf__stack_abandon_above(segment, 0, lf__monotonic_ns(), LF__FLAG_ABANDONED);
    lf__ring_return_grant(segment);
    bool wakes = segment->wakes;
    segment->wakes = false;
    atomic_store_explicit(&segment->state, LF__SEGMENT_LEFT, memory_order_release); /* pairs with worker_drain */
    /* To empty the ring, or to take the memory back. */
    return wakes || atomic_load_explicit(&lf__worker_waiting, memory_order_relaxed) == LF__WORKER_IDLE;
}

__attribute__((noinline, cold)) lf__segment *lf__stack_enter(void)
{
    LF__KEEP_ERRNO;
    lf__segment *segment = lf__stack_take();
    if (segment != NULL) {
        lf__segment_find_machine_stack(segment);
        lf__thread = lf__thread_own = segment;
        pthread_setspecific(stack.key, segment);
        if (stack_inherits()) {
            lf_context *context = stack.inherited;
            stack.inherited = NULL;
            lf_scope scope; /* never ended: the thread goes on in it */
            stack_attach(&scope, context, &(lf__place){.address = UINTPTR_MAX, .stack_pointer = UINTPTR_MAX});
            lf__free(context);
        }
    }
    return segment;
}

bool lf__stack_leave(lf__segment *ending)
{
    lf__thread = ending; /* it may have ended in a coroutine; and some C libraries have torn the variable down */
    bool wakes = lf__stack_give_back(ending);
    lf__thread = lf__thread_own = NULL;
    return wakes;
}

void lf__stack_install(pthread_key_t key)
{
    stack.key = key;
}

void lf__stack_after_fork_child(void)
{
    if (lf__thread != NULL) {
        lf__free(stack.inherited);
        /* A handle on top counts, too, though the fork has ended it: the child goes on below it. */
        stack.inherited = lf__thread->frame == 0 ? NULL : stack_context_of(lf__thread, lf__frame_at(lf__thread, lf__thread->frame));
        stack.inheritor = pthread_self();
        pthread_setspecific(stack.key, NULL);
    }
    lf__segment *segment = atomic_load_explicit(&lf__segments, memory_order_relaxed);
    atomic_store_explicit(&lf__segments, NULL, memory_order_relaxed);
    lf__thread = lf__thread_own = NULL;
    while (segment != NULL) {
        lf__segment *next = segment->next;
        lf__segment_unmap(segment);
        segment = next;
    }
}

/* ---- Slow paths --------------------------------------------------------------------------------------------------- */

__attribute__((noinline, cold)) void lf__stack_abandon_above(lf__segment *segment, uint32_t frame, uint64_t now,
                                                             lf__record_flag flag)
{
    while (segment->frame != 0 && segment->frame != frame) {
        lf__frame *top = lf__frame_at(segment, segment->frame);
        top->record.flags = (uint16_t)(top->record.flags | flag);
        lf__stack_pop(segment, now);
    }
}

__attribute__((noinline)) void lf__stack_drop_ended_handles(lf__segment *segment)
{
    while (segment->frame != 0) {
        const lf__frame *top = lf__frame_at(segment, segment->frame);
        if (top->kind != LF__FRAME_HANDLE || lf__handle_is_open(top->handle))
            return;
        lf__stack_pop(segment, 0); /* the handle's record was sent when it ended */
    }
}

static void stack_end_from(lf__segment *segment, uint32_t offset)
{
    if (offset != 0)
        lf__stack_abandon_above(segment, lf__frame_at(segment, offset)->below, lf__monotonic_ns(), LF__FLAG_ABANDONED);
}

__attribute__((noinline)) void lf__stack_end_left_before(lf__segment *segment, uintptr_t address, uintptr_t stack_pointer,
                                                         const char *around, uint64_t at, uint32_t depth)
{
    lf__place place = {address, stack_pointer, {around, at}, depth};
    stack_end_from(segment, lf__left_before(segment, &place));
    lf__stack_drop_ended_handles(segment);
}

__attribute__((noinline)) void lf__stack_end_left_above(lf__segment *segment, lf__code_place here)
{
    if (here.at >> 32 != 0)
        stack_end_from(segment, lf__left_above(segment, &here));
}

__attribute__((noinline)) void lf__stack_end_caught(lf__segment *segment, lf__code_place here, uintptr_t stack_pointer,
                                                    uintptr_t frame_top)
{
    stack_end_from(segment, lf__left_caught(segment, &here, stack_pointer, frame_top));
}

__attribute__((noinline)) lf__frame *lf__stack_find_observation(lf__segment *segment, lf__frame *top)
{
    while (top->kind == LF__FRAME_ATTRIBUTES) {
        if (top->below == 0)
            return NULL;
        top = lf__frame_at(segment, top->below);
    }
    bool is_one = top->kind == LF__FRAME_OBSERVATION || lf__frame_is_handle(top);
    return is_one && (top->record.flags & LF__FLAG_UNSAMPLED) == 0 ? top : NULL;
}

__attribute__((noinline)) uint8_t *lf__stack_copy_attributes(lf__segment *segment, lf__frame *frame, uint8_t *at)
{
    size_t size = frame->attributes_size;
    const uint8_t *end = lf__stack_fields_end(segment, at, lf__stack_room_left(frame, at) / 2);
    if (size > lf__bytes_to(end, at) || (frame->record.flags & LF__FLAG_UNSAMPLED) != 0)
        return at;
    memcpy(at, (const uint8_t *)segment + frame->attributes, size);
    frame->record.flags |= LF__FLAG_ATTRIBUTES;
    return at + size;
}

__attribute__((noinline)) lf__frame *lf__stack_frame_of(lf__segment *segment, const lf_scope *scope)
{
    uint32_t offset = segment->frame, wanted = lf__scope_frame(scope);
    while (offset > wanted)
        offset = lf__frame_at(segment, offset)->below;
    lf__frame *frame = offset != 0 && offset == wanted ? lf__frame_at(segment, offset) : NULL;
    return frame != NULL && frame->serial == lf__scope_serial(scope) ? frame : NULL;
}

__attribute__((noinline, cold)) bool lf__stack_bring_to_top(lf__segment *segment, const lf_scope *scope, uint64_t now)
{
    if (lf__stack_frame_of(segment, scope) == NULL) {
        lf__count(&segment->misused);
        return false;
    }
    lf__stack_abandon_above(segment, lf__scope_frame(scope), now, LF__FLAG_ABANDONED);
    return true;
}

/* ---- Contexts ----------------------------------------------------------------------------------------------------- */

/* The frame just pushed becomes a place in a trace. */
static void stack_make_context(lf__frame *frame, const uint8_t trace_id[16], const uint8_t id[8], uint16_t flags, uint32_t client)
{
    memcpy(frame->record.trace_id, trace_id, sizeof frame->record.trace_id);
    memcpy(frame->record.id, id, sizeof frame->record.id);
    frame->record.flags = flags & (LF__FLAG_NO_TRACE | LF__FLAG_UNSAMPLED);
    frame->record.client = client;
    frame->child_flags = flags & (LF__FLAG_UNSAMPLED | LF__FLAG_REMOTE_PARENT | LF__FLAG_APP_ROOT);
}

/* The same place as the frame below, which may be none. */
void lf__stack_make_same(lf__segment *segment, lf__frame *frame)
{
    static const uint8_t none[16];
    const lf__frame *below = frame->below == 0 ? NULL : lf__frame_at(segment, frame->below);
    if (below == NULL)
        stack_make_context(frame, none, none, LF__FLAG_NO_TRACE, 0);
    else
        stack_make_context(frame, below->record.trace_id, below->record.id,
                           (uint16_t)(below->child_flags | (below->record.flags & LF__FLAG_NO_TRACE)), below->record.client);
}

void lf__stack_count_too_deep(lf__segment *segment)
{
    bool ignored = segment->frame != 0 && (lf__frame_at(segment, segment->frame)->child_flags & LF__FLAG_UNSAMPLED) != 0;
    lf__count(&segment->begun);
    lf__count(&segment->ended);
    lf__count(ignored ? &segment->ignored : &segment->dropped_deep);
}

/* A context from the reserve stands for the scope that has no room, so that its updates do not land on the
 * observation below. Deeper ones find it on top already. */
__attribute__((noinline, cold)) void lf__stack_stand_in(lf__segment *segment, lf_scope *scope, uintptr_t stack_pointer)
{
    _Static_assert(LF__STACK_RESERVE >= sizeof(lf__frame) + LF__CAPTURE_MIN_ROOM, "a frame fits into the reserve");
    uint32_t version;
    lf__place place = {.address = (uintptr_t)scope, .stack_pointer = stack_pointer}; /* only addresses count */
    lf__frame *frame = lf__stack_push(segment, LF__FRAME_CONTEXT, &place, LF__STACK_RESERVE, &version);
    if (frame == NULL)
        return;
    frame->is_too_deep = true;
    lf__stack_make_same(segment, frame);
    lf__stack_push_done(segment, frame, (const uint8_t *)(frame + 1), version, scope);
}

/* Fill in a frame just pushed; returns where its fields end. */
static uint8_t *stack_put_context(lf__segment *segment, lf__frame *frame, const lf_context *context)
{
    /* What another process keeps is nothing to a client that is off. */
    uint16_t flags = (uint16_t)(context->flags | (lf__client_is_on(context->client) ? 0 : LF__FLAG_UNSAMPLED));
    stack_make_context(frame, context->trace_id, context->id, flags, context->client);
    uint8_t *at = (uint8_t *)(frame + 1);
    bool fits = context->size <= lf__bytes_to(lf__stack_fields_end(segment, at, SIZE_MAX), at);
    frame->attributes = (uint32_t)(at - (uint8_t *)segment);
    frame->attributes_size = fits ? context->size : 0;
    memcpy(at, context->fields, frame->attributes_size);
    return at + frame->attributes_size;
}

static void stack_attach(lf_scope *scope, const lf_context *context, const lf__place *place)
{
    lf__segment *segment = lf__stack_here();
    uint32_t version;
    if (segment == NULL)
        return;
    lf__frame *frame = lf__stack_push(segment, LF__FRAME_CONTEXT, place, 0, &version);
    if (frame == NULL) {
        lf__stack_stand_in(segment, scope, place->stack_pointer);
        return;
    }
    static const lf_context nowhere = {.flags = LF__FLAG_NO_TRACE};
    const uint8_t *end = stack_put_context(segment, frame, context == NULL ? &nowhere : context);
    lf__stack_push_done(segment, frame, end, version, scope);
}

void lf__stack_attach(lf_scope *scope, const lf_site *site, const lf_context *context, uintptr_t stack_pointer)
{
    lf__place place = lf__scope_place(scope, site, stack_pointer);
    stack_attach(scope, context, &place);
}

void lf__stack_under(lf_scope *scope, const lf_site *site, const lf_observation *handle, uintptr_t stack_pointer)
{
    lf__segment *segment = lf__stack_here();
    lf__place place = lf__scope_place(scope, site, stack_pointer);
    lf__record header;
    uint32_t version, size;
    if (segment == NULL)
        return;
    lf__frame *frame = lf__stack_push(segment, LF__FRAME_UNDER, &place, 0, &version);
    if (frame == NULL) {
        lf__stack_stand_in(segment, scope, stack_pointer);
        return;
    }
    uint8_t *at = (uint8_t *)(frame + 1);
    size_t room = lf__bytes_to(lf__stack_fields_end(segment, at, LF__CONTEXT_MAX), at);
    if (lf__handle_place(handle, &header, at, room, &size)) {
        stack_make_context(frame, header.trace_id, header.id, header.flags & LF__FLAG_UNSAMPLED, header.client);
        frame->handle = handle;
        frame->attributes = (uint32_t)(at - (uint8_t *)segment);
        frame->attributes_size = size;
        at += size;
    } else {
        lf__count(&segment->misused);
        frame->kind = LF__FRAME_ATTRIBUTES;
        lf__stack_make_same(segment, frame);
    }
    lf__stack_push_done(segment, frame, at, version, scope);
}

lf_context *lf__stack_handle_context(const lf_observation *handle)
{
    lf__record header;
    uint32_t size;
    lf_context *context = lf__alloc(sizeof *context + LF__CONTEXT_MAX);
    if (context == NULL || !lf__handle_place(handle, &header, context->fields, LF__CONTEXT_MAX, &size)) {
        lf__free(context);
        return NULL;
    }
    memcpy(context->trace_id, header.trace_id, sizeof context->trace_id);
    memcpy(context->id, header.id, sizeof context->id);
    context->flags = header.flags & LF__FLAG_UNSAMPLED;
    context->client = header.client;
    context->size = size;
    lf_context *fitting = lf__realloc(context, sizeof *context + size);
    return fitting == NULL ? context : fitting;
}

/* The innermost frame. */
static const lf__frame *stack_innermost(void)
{
    if (__builtin_expect(lf__thread == NULL, 0) && stack_inherits())
        (void)lf__stack_enter();
    return lf__thread == NULL ? NULL : lf__stack_top(lf__thread);
}

const lf__frame *lf__stack_current(void)
{
    const lf__frame *frame = stack_innermost();
    return frame == NULL || (frame->record.flags & LF__FLAG_NO_TRACE) != 0 ? NULL : frame;
}

static lf_context *stack_context_of(const lf__segment *segment, const lf__frame *frame)
{
    bool says = frame != NULL && ((frame->record.flags & LF__FLAG_NO_TRACE) == 0 || frame->attributes_size != 0);
    lf_context *context = says ? lf__alloc(sizeof *context + frame->attributes_size) : NULL;
    if (context == NULL)
        return NULL;
    memcpy(context->trace_id, frame->record.trace_id, sizeof context->trace_id);
    memcpy(context->id, frame->record.id, sizeof context->id);
    context->flags = (uint16_t)(frame->child_flags | (frame->record.flags & LF__FLAG_NO_TRACE));
    context->client = frame->record.client;
    context->size = frame->attributes_size;
    memcpy(context->fields, (const uint8_t *)segment + frame->attributes, context->size);
    return context;
}

lf_context *lf__stack_context(void)
{
    const lf__frame *frame = stack_innermost();
    return stack_context_of(lf__thread, frame);
}

void lf__stack_push_handle(const lf_observation *handle, const lf__record *record)
{
    lf__segment *segment = lf__stack_here();
    uint32_t version;
    lf_scope none;
    (void)lf__stack_top(segment);
    lf__frame *frame = lf__stack_push(segment, LF__FRAME_HANDLE, &(lf__place){0}, 0, &version);
    if (frame == NULL)
        return;
    stack_make_context(frame, record->trace_id, record->id, record->flags & LF__FLAG_UNSAMPLED, record->client);
    frame->handle = handle;
    lf__stack_push_done(segment, frame, (const uint8_t *)(frame + 1), version, &none);
}
