#define _GNU_SOURCE
#include "lf_core.h"

#include "src/capture.h"
#include "src/config.h"
#include "src/context.h"
#include "src/http.h"
#include "src/segment.h"
#include "src/sha256.h"
#include "src/worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    CORE_ERROR_TEXT = 1024,
    CORE_CALLED_NAME = 256,
    CORE_EXIT_LOCK_MS = 500,
    CORE_EXIT_STOP_MS = 100 /* for the worker to put down what it holds, when the time is over */
};

/* What every thread should do; see lf_i_mode. */
int lf_i_mode_word = LF_I_UNKNOWN;

/* This thread's memory; NULL until its first observation. Initial-exec: one load instead of a call into the loader, at the
 * price of 8 bytes of the static TLS block when we are dlopened. */
static __thread lf__segment *core_segment __attribute__((tls_model("initial-exec")));

/* Guarded by `lock`, unless said otherwise. User callbacks (log) may run while it is held; they must not call us. */
static struct {
    pthread_mutex_t lock;
    lf__config *config;   /* frozen while the mode is not OFF or UNKNOWN */
    pthread_key_t key;    /* its destructor closes what a thread leaves open */
    bool has_hooks;       /* key, fork and exit handlers are in place; they are never taken back */
    bool exiting;         /* the exit handler has stopped everything: it will not run a second time */
    _Atomic size_t record_bytes;
    _Atomic uint32_t flush_at;
} core = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* In a forked child: the observation in which the parent forked, for the thread that survived. */
static struct {
    pthread_t thread;
    bool valid; /* read and written by that thread only */
    uint8_t trace_id[16];
    uint8_t id[8];
} core_inherited;

/* Parts of the observing path that are worth their size at each of their two or three places. */
#define CORE_FAST static inline __attribute__((always_inline))

#define CORE_HERE ((uintptr_t)__builtin_frame_address(0))

CORE_FAST uint64_t core_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- Threads: taking and leaving a segment ------------------------------------------------------------------------ */

static void core_leave_thread(void *segment);
static void core_before_fork(void);
static void core_after_fork_parent(void);
static void core_after_fork_child(void);
static void core_at_exit(void);

static lf__segment *core_reuse_segment(void)
{
    /* One that was just left will do: its ring goes on where the thread before stopped, read or not. */
    for (lf__segment *s = atomic_load_explicit(&lf__segments, memory_order_acquire); s != NULL; s = s->next) {
        int state = atomic_load_explicit(&s->state, memory_order_relaxed);
        if ((state == LF__SEGMENT_FREE || state == LF__SEGMENT_LEFT) &&
            atomic_compare_exchange_strong_explicit(&s->state, &state, LF__SEGMENT_IN_USE, memory_order_acquire,
                                                    memory_order_relaxed))
            return s;
    }
    return NULL;
}

static lf__segment *core_register_segment(void)
{
    lf__segment *segment = lf__segment_new();
    if (segment == NULL)
        return NULL;
    atomic_store_explicit(&segment->state, LF__SEGMENT_IN_USE, memory_order_relaxed);
    segment->next = atomic_load_explicit(&lf__segments, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&lf__segments, &segment->next, segment, memory_order_release,
                                                  memory_order_relaxed))
        continue;
    return segment;
}

static lf_scope core_push_context(lf__segment *segment, const uint8_t trace_id[16], const uint8_t id[8], uintptr_t address,
                                  uint32_t reserve);

/* The worker is to be woken after flush_at more observations. */
static void core_set_wake(lf__segment *segment)
{
    segment->wake_at = atomic_load_explicit(&segment->ended, memory_order_relaxed) +
                       atomic_load_explicit(&core.flush_at, memory_order_relaxed);
}

static bool core_inherits(void)
{
    return pthread_equal(core_inherited.thread, pthread_self()) && core_inherited.valid;
}

/* First observation of this thread: get it memory. NULL when there is none. */
static __attribute__((noinline, cold)) lf__segment *core_enter_thread(void)
{
    int saved = errno;
    lf__segment *segment = core_reuse_segment();
    if (segment == NULL)
        segment = core_register_segment();
    if (segment != NULL) {
        lf__segment_adopt(segment);
        core_set_wake(segment);
        core_segment = segment;
        pthread_setspecific(core.key, segment);
        if (core_inherits()) {
            core_inherited.valid = false;
            (void)core_push_context(segment, core_inherited.trace_id, core_inherited.id, UINTPTR_MAX, 0);
        }
    }
    errno = saved;
    return segment;
}

/* ---- The stack of open observations ------------------------------------------------------------------------------- */

/* Around every change of the stack: the version is odd meanwhile. What begin returns goes to end. */
CORE_FAST uint32_t core_change_begin(lf__segment *segment)
{
    uint32_t version = atomic_load_explicit(&segment->version, memory_order_relaxed) + 1;
    atomic_store_explicit(&segment->version, version, memory_order_relaxed);
    LF__FENCE(memory_order_release); /* pairs with the acquire in lf__segment_snapshot */
    return version;
}

CORE_FAST void core_change_end(lf__segment *segment, uint32_t version)
{
    atomic_store_explicit(&segment->version, version + 1, memory_order_release);
}

/* The worker runs from lf_init on; only the child of a fork, and a process that was out of threads, must start it later.
 * Never waits for the lock: whoever holds it is starting or stopping the worker anyway. */
static void core_ensure_worker(void)
{
    if (lf__worker_running() || pthread_mutex_trylock(&core.lock) != 0)
        return;
    if (lf_i_mode_word >= LF_I_ON)
        (void)lf__worker_start(core.config);
    pthread_mutex_unlock(&core.lock);
}

static __attribute__((noinline)) void core_wake(lf__segment *segment)
{
    core_set_wake(segment);
    /* In this order: either we see that it sleeps, or it sees before it does so that it is asked for. */
    atomic_store(&lf__worker_asked, true);
    int waiting = atomic_load(&lf__worker_waiting);
    if (waiting == LF__WORKER_BUSY)
        return;
    segment->wake_at -= waiting == LF__WORKER_IDLE; /* the one that wakes it is the first of the flush_at */
    int saved = errno, cancel;
    /* A host thread must not be cancelled while it holds our locks. */
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    core_ensure_worker();
    lf__worker_wake();
    pthread_setcancelstate(cancel, NULL);
    errno = saved;
}

static __attribute__((noinline)) void core_lose(lf__segment *segment, const lf__frame *frame)
{
    if (lf__frame_record_size(frame) > segment->ring_size / 2) {
        lf__count(&segment->dropped_large);
        return;
    }
    lf__count(&segment->dropped_full);
    lf__segment_lose_trace(segment, frame->record.trace_id);
}

/* Is so much waiting in the ring that the worker should not sleep until the interval is over? */
static __attribute__((noinline)) bool core_is_crowded(const lf__segment *segment)
{
    uint64_t consumed = atomic_load_explicit(&segment->consumed, memory_order_relaxed);
    return segment->head - consumed > segment->ring_size / 8;
}

/* Hand an ended observation over to the worker. */
CORE_FAST void core_submit(lf__segment *segment, lf__frame *frame, uint64_t now)
{
    uint64_t ended = lf__count(&segment->ended);
    if (__builtin_expect(__atomic_load_n(&lf_i_mode_word, __ATOMIC_RELAXED) < LF_I_ON, 0)) {
        lf__count(&segment->ignored);
        return;
    }
    size_t size = lf__frame_record_size(frame);
    bool wake = false;
    if (__builtin_expect(lf__segment_must_ask(segment, size), 0)) { /* every 64 KiB, and after the worker was here */
        if (!lf__segment_grant(segment, &lf__worker_budget, size)) {
            core_lose(segment, frame);
            core_wake(segment);
            return;
        }
        wake = core_is_crowded(segment);
    }
    lf__record *room = lf__segment_at(segment, segment->head);
    lf__frame_copy_record(room, (const uint8_t *)segment, frame);
    room->end_ns = now;
    lf__segment_publish(segment, size);
    bool idle = atomic_load_explicit(&lf__worker_waiting, memory_order_relaxed) == LF__WORKER_IDLE;
    if (__builtin_expect(wake || idle || ended >= segment->wake_at, 0))
        core_wake(segment);
}

/* Take the innermost frame off the stack, sending it if it is an observation. */
CORE_FAST void core_pop(lf__segment *segment, uint64_t now)
{
    lf__frame *frame = lf__frame_at(segment, segment->frame);
    uint32_t version = core_change_begin(segment); /* a snapshot must not find what is in the ring already */
    if (__builtin_expect(frame->kind == LF__FRAME_OBSERVATION, 1))
        core_submit(segment, frame, now);
    segment->frame = frame->below;
    segment->top = frame->pop_to;
    core_change_end(segment, version);
}

/* End what lies above `frame` (an offset; 0: everything): its scopes were left without ending. */
static __attribute__((noinline, cold)) void core_abandon_above(lf__segment *segment, uint32_t frame, uint64_t now,
                                                               lf__record_flag flag)
{
    while (segment->frame != 0 && segment->frame != frame) {
        lf__frame *top = lf__frame_at(segment, segment->frame);
        top->record.flags = (uint16_t)(top->record.flags | flag);
        core_pop(segment, now);
    }
}

/* A scope whose function lies deeper on the machine stack than the code that runs now was left by longjmp. Only addresses
 * of this thread's own stack are compared: a coroutine's stack lies elsewhere and says nothing. */
static __attribute__((noinline, cold)) void core_reap_skipped(lf__segment *segment, uintptr_t here)
{
    if (here < segment->machine_stack_low || here >= segment->machine_stack_high)
        return;
    uint64_t now = lf__monotonic_ns();
    while (segment->frame != 0) {
        const lf__frame *top = lf__frame_at(segment, segment->frame);
        if (top->address >= here || top->address < segment->machine_stack_low)
            return;
        core_abandon_above(segment, top->below, now, LF__FLAG_ABANDONED);
    }
}

CORE_FAST lf__frame *core_top(lf__segment *segment, uintptr_t here)
{
    if (segment->frame != 0 && __builtin_expect(lf__frame_at(segment, segment->frame)->address < here, 0))
        core_reap_skipped(segment, here);
    return segment->frame == 0 ? NULL : lf__frame_at(segment, segment->frame);
}

/* The innermost observation, past attached contexts; NULL when the context is all there is. */
CORE_FAST lf__frame *core_top_observation(uintptr_t here)
{
    lf__segment *segment = core_segment;
    lf__frame *frame = segment == NULL ? NULL : core_top(segment, here);
    return frame != NULL && frame->kind == LF__FRAME_OBSERVATION ? frame : NULL;
}

static inline void core_random_id(lf__segment *segment, uint8_t *out, size_t size)
{
    for (size_t i = 0; i < size; i += 8) {
        uint64_t word = lf__segment_random(segment);
        word += word == 0; /* all zero is no id */
        memcpy(out + i, &word, 8);
    }
}

/* A new frame on top: empty record, ids from the frame below. NULL when the stack is full; `reserve` bytes behind its end may
 * be used. */
CORE_FAST lf__frame *core_push(lf__segment *segment, lf__frame_kind kind, uintptr_t address, uint32_t reserve,
                               uint32_t *out_version)
{
    const lf__frame *below = core_top(segment, address);
    uint32_t offset = segment->top;
    if (__builtin_expect(offset + sizeof(lf__frame) + LF__CAPTURE_MIN_ROOM > segment->stack_end + reserve, 0))
        return NULL;
    *out_version = core_change_begin(segment);
    lf__frame *frame = lf__frame_at(segment, offset);
    frame->below = segment->frame;
    frame->serial = ++segment->serial;
    frame->extra = frame->extra_last = frame->extra_size = 0;
    frame->pop_to = offset;
    frame->kind = (uint8_t)kind;
    frame->capture_output = true;
    frame->streaming = false;
    frame->last_field = 0;
    frame->address = address;
    lf__record *record = &frame->record;
    record->size = sizeof *record;
    record->kind = LF__RECORD_OBSERVATION;
    record->site = 0;
    record->client = 0;
    record->end_ns = 0;
    if (below != NULL) {
        record->flags = 0;
        memcpy(record->trace_id, below->record.trace_id, sizeof record->trace_id);
        memcpy(record->parent_id, below->record.id, sizeof record->parent_id);
    } else {
        record->flags = LF__FLAG_APP_ROOT;
        core_random_id(segment, record->trace_id, sizeof record->trace_id);
        memset(record->parent_id, 0, sizeof record->parent_id);
    }
    core_random_id(segment, record->id, sizeof record->id);
    return frame;
}

/* The frame pushed last is complete: fields end at `end`. */
CORE_FAST lf_scope core_push_done(lf__segment *segment, lf__frame *frame, const uint8_t *end, uint32_t version)
{
    frame->record.size = (uint32_t)(end - (const uint8_t *)&frame->record);
    uint32_t offset = segment->top;
    segment->top = (uint32_t)(end - (const uint8_t *)segment);
    segment->frame = offset;
    core_change_end(segment, version);
    lf_scope scope = {offset, frame->serial};
    return scope;
}

static lf_scope core_push_context(lf__segment *segment, const uint8_t trace_id[16], const uint8_t id[8], uintptr_t address,
                                  uint32_t reserve)
{
    uint32_t version;
    lf__frame *frame = core_push(segment, LF__FRAME_CONTEXT, address, reserve, &version);
    if (frame == NULL)
        return (lf_scope){0, 0};
    memcpy(frame->record.trace_id, trace_id, sizeof frame->record.trace_id);
    memcpy(frame->record.id, id, sizeof frame->record.id);
    return core_push_done(segment, frame, (const uint8_t *)(frame + 1), version);
}

/* A context from the reserve stands for the observation that has no room, so that what is said of it does not land on the
 * one below. Deeper ones find it on top already. */
static __attribute__((noinline, cold)) lf_scope core_too_deep(lf__segment *segment, uintptr_t address)
{
    _Static_assert(LF__STACK_RESERVE >= sizeof(lf__frame) + LF__CAPTURE_MIN_ROOM, "a frame fits into the reserve");
    lf__count(&segment->begun);
    lf__count(&segment->ended);
    lf__count(&segment->dropped_deep);
    const lf__record *below = &lf__frame_at(segment, segment->frame)->record;
    return core_push_context(segment, below->trace_id, below->id, address, LF__STACK_RESERVE);
}

/* Where the fields of an observation must end. */
static inline uint8_t *core_fields_end(lf__segment *segment, uint8_t *at, size_t room)
{
    size_t stack = (size_t)((uint8_t *)segment + segment->stack_end - at);
    return at + (stack < room ? stack : room);
}

/* ---- Beginning and ending ----------------------------------------------------------------------------------------- */

/* Behind the first element of an argument text: past its comma, or at the end. */
static const char *core_after_first(const char *text)
{
    int depth = 0;
    char quote = '\0';
    for (; *text != '\0'; text++) {
        if (quote != '\0') {
            if (*text == '\\' && text[1] != '\0')
                text++;
            else if (*text == quote)
                quote = '\0';
        } else if (*text == '"' || *text == '\'') {
            quote = *text;
        } else if (*text == '(' || *text == '[' || *text == '{') {
            depth++;
        } else if (*text == ')' || *text == ']' || *text == '}') {
            depth--;
        } else if (*text == ',' && depth == 0) {
            return text + 1;
        }
    }
    return text;
}

/* OBSERVE_CALL has the called function first among the arguments, OBSERVE_WITH its options. */
static __attribute__((noinline, cold)) uint32_t core_intern(lf_site *site, bool has_options)
{
    int saved = errno;
    char called[CORE_CALLED_NAME];
    const char *function = site->function, *arguments = site->arguments;
    if (function == NULL || has_options) {
        arguments = core_after_first(site->arguments);
        size_t size = (size_t)(arguments - site->arguments);
        size -= size != 0 && site->arguments[size - 1] == ',';
        snprintf(called, sizeof called, "%.*s", (int)(size < sizeof called ? size : sizeof called - 1), site->arguments);
    }
    uint32_t id = lf__site_intern(function == NULL ? called : function, site->file, site->line, arguments);
    __atomic_store_n(&site->id, id, __ATOMIC_RELAXED);
    errno = saved;
    return id;
}

CORE_FAST uint8_t *core_capture_arguments(lf__segment *segment, uint8_t *at, const lf_value *arguments, unsigned count)
{
    /* Arguments take at most half, so that the result has a place too. */
    size_t room = atomic_load_explicit(&core.record_bytes, memory_order_relaxed) / 2;
    uint8_t *end = core_fields_end(segment, at, room);
    for (unsigned i = 0; i < count; i++)
        at = lf__capture(at, end, LF__TAG_ARGUMENT, i, &arguments[i]);
    return at;
}

static inline uint32_t core_site_id(lf_site *site, bool has_options)
{
    uint32_t id = __atomic_load_n(&site->id, __ATOMIC_RELAXED);
    return __builtin_expect(id == 0, 0) ? core_intern(site, has_options) : id;
}

lf_scope lf_i_begin(lf_site *site, const lf_value *arguments)
{
    lf__segment *segment = core_segment;
    if (__builtin_expect(segment == NULL, 0) && (segment = core_enter_thread()) == NULL)
        return (lf_scope){0, 0};
    uint32_t id = core_site_id(site, false);
    uint32_t version;
    lf__frame *frame = core_push(segment, LF__FRAME_OBSERVATION, CORE_HERE, 0, &version);
    if (__builtin_expect(frame == NULL, 0))
        return core_too_deep(segment, CORE_HERE);
    frame->record.site = id;
    frame->record.type = (uint8_t)site->type;
    frame->capture_output = __atomic_load_n(&lf_i_mode_word, __ATOMIC_RELAXED) == LF_I_ON_CAPTURING;
    uint8_t *at = (uint8_t *)(frame + 1);
    if (arguments != NULL)
        at = core_capture_arguments(segment, at, arguments, site->count);
    lf__count(&segment->begun);
    frame->record.start_ns = core_now();
    return core_push_done(segment, frame, at, version);
}

static bool core_parse_hex(const char *text, uint8_t *out, size_t size)
{
    for (size_t i = 0; i < 2 * size; i++) {
        char c = text[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return false;
        out[i / 2] = (uint8_t)(i % 2 == 0 ? digit << 4 : out[i / 2] | digit);
    }
    for (size_t i = 0; i < size; i++)
        if (out[i] != 0)
            return text[2 * size] == '\0';
    return false; /* all zero is no id */
}

static void core_write_hex(const uint8_t *id, size_t size, char *out)
{
    for (size_t i = 0; i < size; i++) {
        out[2 * i] = "0123456789abcdef"[id[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[id[i] & 15];
    }
    out[2 * size] = '\0';
}

static void core_seeded_trace_id(const char *seed, uint8_t out[16])
{
    uint8_t hash[32];
    lf__sha256(seed, strlen(seed), hash);
    memcpy(out, hash, 16);
}

/* Put the observation into the trace that the options name. */
static uint8_t *core_place(lf__frame *frame, const lf_observe_options *options, uint8_t *at, uint8_t *end)
{
    if (options->trace_id == NULL || options->trace_id[0] == '\0')
        return at;
    lf__record *record = &frame->record;
    uint8_t trace_id[16], parent_id[8];
    if (!core_parse_hex(options->trace_id, trace_id, sizeof trace_id)) {
        core_seeded_trace_id(options->trace_id, trace_id);
        lf_value text = lf_text(options->trace_id);
        at = lf__capture(at, end, LF__TAG_EXTERNAL_TRACE_ID, 0, &text);
    }
    bool joins = options->parent_observation_id != NULL &&
                 core_parse_hex(options->parent_observation_id, parent_id, sizeof parent_id);
    if (joins) {
        memcpy(record->parent_id, parent_id, sizeof parent_id);
        record->flags |= LF__FLAG_APP_ROOT;
    } else if (memcmp(record->trace_id, trace_id, sizeof trace_id) != 0) {
        memset(record->parent_id, 0, sizeof record->parent_id);
        record->flags |= LF__FLAG_APP_ROOT;
    }
    memcpy(record->trace_id, trace_id, sizeof trace_id);
    return at;
}

lf_scope lf_i_begin_with(lf_site *site, const lf_observe_options *options, const lf_value *arguments)
{
    lf__segment *segment = core_segment;
    if (segment == NULL && (segment = core_enter_thread()) == NULL)
        return (lf_scope){0, 0};
    uint32_t id = core_site_id(site, true);
    uint32_t version;
    lf__frame *frame = core_push(segment, LF__FRAME_OBSERVATION, CORE_HERE, 0, &version);
    if (frame == NULL)
        return core_too_deep(segment, CORE_HERE);
    frame->record.site = id;
    frame->record.type = (uint8_t)(options->type != LF_TYPE_DEFAULT ? options->type : (lf_type)site->type);
    frame->capture_output = options->capture_output == LF_DEFAULT
                                ? __atomic_load_n(&lf_i_mode_word, __ATOMIC_RELAXED) == LF_I_ON_CAPTURING
                                : options->capture_output == LF_ON;
    uint8_t *at = (uint8_t *)(frame + 1);
    uint8_t *end = core_fields_end(segment, at, atomic_load_explicit(&core.record_bytes, memory_order_relaxed));
    if (options->name != NULL) {
        lf_value name = lf_text(options->name);
        at = lf__capture(at, end, LF__TAG_NAME, 0, &name);
    }
    at = core_place(frame, options, at, end);
    if (arguments != NULL)
        at = core_capture_arguments(segment, at, arguments, site->count);
    lf__count(&segment->begun);
    frame->record.start_ns = core_now();
    return core_push_done(segment, frame, at, version);
}

static bool core_is_open(lf__segment *segment, lf_scope scope)
{
    uint32_t offset = segment->frame;
    while (offset > scope.frame)
        offset = lf__frame_at(segment, offset)->below;
    return offset != 0 && offset == scope.frame && lf__frame_at(segment, offset)->serial == scope.serial;
}

/* Not the innermost: either scopes above it were skipped, or it is not open here at all (ended on another thread, in the
 * child of a fork, or never begun because something jumped over the macro). */
static __attribute__((noinline, cold)) bool core_bring_to_top(lf__segment *segment, lf_scope scope, uint64_t now)
{
    if (!core_is_open(segment, scope)) {
        lf__count(&segment->misused);
        return false;
    }
    core_abandon_above(segment, scope.frame, now, LF__FLAG_ABANDONED);
    return true;
}

void lf_i_end(lf_scope scope)
{
    uint64_t now = core_now();
    lf__segment *segment = core_segment;
    if (__builtin_expect(segment == NULL, 0))
        return;
    bool innermost = segment->frame == scope.frame && lf__frame_at(segment, scope.frame)->serial == scope.serial;
    if (__builtin_expect(innermost, 1) || core_bring_to_top(segment, scope, now))
        core_pop(segment, now);
}

/* ---- Adding to an open observation -------------------------------------------------------------------------------- */

/* Fields being added to a frame that may not be the innermost. */
typedef struct core_writer {
    lf__segment *segment;
    lf__frame *frame;
    lf__block *block; /* NULL: directly behind the frame */
    uint8_t *start;
    uint8_t *at;
    uint8_t *end;
    uint32_t version;
} core_writer;

static bool core_write_begin(core_writer *w, lf__frame *frame)
{
    lf__segment *segment = core_segment;
    size_t limit = atomic_load_explicit(&core.record_bytes, memory_order_relaxed);
    size_t used = lf__frame_record_size(frame);
    uint8_t *top = (uint8_t *)segment + segment->top;
    w->segment = segment;
    w->frame = frame;
    w->block = NULL;
    if ((uint8_t *)&frame->record + frame->record.size != top) {
        if (segment->top + sizeof(lf__block) + LF__CAPTURE_MIN_ROOM > segment->stack_end)
            return false;
        w->block = (lf__block *)(void *)top;
        top += sizeof(lf__block);
    }
    w->start = w->at = top;
    w->end = core_fields_end(segment, top, used < limit ? limit - used : 0);
    w->version = core_change_begin(segment);
    if (w->block != NULL) {
        w->block->next = 0;
        w->block->size = 0;
    }
    return true;
}

/* What was put above open frames stays when they end. */
static void core_keep_below(lf__segment *segment, const lf__frame *owner, uint32_t top)
{
    for (lf__frame *above = lf__frame_at(segment, segment->frame); above != owner; above = lf__frame_at(segment, above->below))
        if (above->pop_to < top)
            above->pop_to = top;
}

static void core_write_end(core_writer *w)
{
    uint32_t size = (uint32_t)(w->at - w->start);
    if (size != 0) {
        uint32_t top = (uint32_t)(w->at - (uint8_t *)w->segment);
        if (w->block == NULL) {
            w->frame->record.size += size;
        } else {
            uint32_t offset = (uint32_t)((uint8_t *)w->block - (uint8_t *)w->segment);
            w->block->size = size;
            if (w->frame->extra == 0)
                w->frame->extra = offset;
            else
                ((lf__block *)(void *)((uint8_t *)w->segment + w->frame->extra_last))->next = offset;
            w->frame->extra_last = offset;
            w->frame->extra_size += size;
            core_keep_below(w->segment, w->frame, top);
        }
        w->segment->top = top;
    }
    core_change_end(w->segment, w->version);
}

static void core_write(core_writer *w, lf__tag tag, const lf_value *value)
{
    w->at = lf__capture(w->at, w->end, tag, 0, value);
}

static void core_write_text(core_writer *w, lf__tag tag, const char *text)
{
    if (text == NULL)
        return;
    lf_value value = lf_text(text);
    core_write(w, tag, &value);
}

static void core_write_int(core_writer *w, lf__tag tag, int64_t number)
{
    lf_value value = lf_int(number);
    core_write(w, tag, &value);
}

static __attribute__((noinline)) void core_add_apart(lf__frame *frame, lf__tag tag, const lf_value *value)
{
    core_writer w;
    if (!core_write_begin(&w, frame))
        return;
    core_write(&w, tag, value);
    core_write_end(&w);
}

CORE_FAST void core_add_output(lf__frame *frame, const lf_value *value)
{
    lf__segment *segment = core_segment;
    uint8_t *at = (uint8_t *)&frame->record + frame->record.size;
    size_t limit = atomic_load_explicit(&core.record_bytes, memory_order_relaxed);
    if (__builtin_expect(at == (uint8_t *)segment + segment->top && frame->record.size < limit, 1)) {
        uint8_t *end = core_fields_end(segment, at, limit - frame->record.size);
        uint32_t version = core_change_begin(segment);
        uint32_t size = (uint32_t)(lf__capture(at, end, LF__TAG_OUTPUT, 0, value) - at);
        frame->record.size += size;
        segment->top += size;
        core_change_end(segment, version);
        return;
    }
    core_add_apart(frame, LF__TAG_OUTPUT, value);
}

void lf_i_return(const lf_value *value)
{
    lf__frame *frame = core_top_observation(CORE_HERE);
    if (frame != NULL && frame->capture_output)
        core_add_output(frame, value);
}

void lf_i_output(const lf_value *value)
{
    lf__frame *frame = core_top_observation(CORE_HERE);
    if (frame != NULL)
        core_add_output(frame, value);
}

void lf_i_error(const char *format, ...)
{
    lf__frame *frame = core_top_observation(CORE_HERE);
    core_writer w;
    if (frame == NULL || !core_write_begin(&w, frame))
        return;
    int saved = errno;
    core_write_int(&w, LF__TAG_LEVEL, LF_LEVEL_ERROR);
    if (format != NULL && format[0] != '\0') {
        char text[CORE_ERROR_TEXT];
        va_list arguments;
        va_start(arguments, format);
        int length = vsnprintf(text, sizeof text, format, arguments);
        va_end(arguments);
        if (length >= 0)
            core_write_text(&w, LF__TAG_STATUS_MESSAGE, text);
    }
    core_write_end(&w);
    errno = saved;
}

static void core_write_fields(core_writer *w, const lf_observation_fields *fields)
{
    core_write_text(w, LF__TAG_NAME, fields->name);
    if (fields->type != LF_TYPE_DEFAULT)
        core_write_int(w, LF__TAG_TYPE, fields->type);
    if (fields->level != LF_LEVEL_UNSET)
        core_write_int(w, LF__TAG_LEVEL, fields->level);
    core_write_text(w, LF__TAG_STATUS_MESSAGE, fields->status_message);
    core_write_text(w, LF__TAG_VERSION, fields->version);
    core_write_text(w, LF__TAG_MODEL, fields->model);
    core_write(w, LF__TAG_MODEL_PARAMETERS, &fields->model_parameters);
    core_write(w, LF__TAG_USAGE_DETAILS, &fields->usage_details);
    core_write(w, LF__TAG_COST_DETAILS, &fields->cost_details);
    if (fields->completion_start_time_ns != 0)
        core_write_int(w, LF__TAG_COMPLETION_START, fields->completion_start_time_ns);
    core_write(w, LF__TAG_METADATA, &fields->metadata);
    core_write(w, LF__TAG_INPUT, &fields->input);
    core_write(w, LF__TAG_OUTPUT, &fields->output);
}

void lf_update_current_observation_with(const lf_observation_fields *fields)
{
    lf__frame *frame = core_top_observation(CORE_HERE);
    core_writer w;
    if (fields == NULL || frame == NULL || !core_write_begin(&w, frame))
        return;
    core_write_fields(&w, fields);
    core_write_end(&w);
}

/* A piece that follows a piece directly makes it longer, rather than adding a field for every token. */
static bool core_extend_piece(lf__segment *segment, lf__frame *frame, const char *text, size_t size)
{
    if (frame->last_field == 0 || (uint8_t *)&frame->record + frame->record.size != (uint8_t *)segment + segment->top)
        return false;
    lf__field *field = (lf__field *)(void *)((uint8_t *)segment + frame->last_field);
    uint8_t *text_end = (uint8_t *)(field + 1) + field->length;
    uint8_t *field_end = (uint8_t *)(field + 1) + lf__align8(field->length);
    if (field_end != (uint8_t *)segment + segment->top)
        return false;
    size_t limit = atomic_load_explicit(&core.record_bytes, memory_order_relaxed);
    uint8_t *end = core_fields_end(segment, text_end, limit > frame->record.size ? limit - frame->record.size : 0);
    if (size + 8 > (size_t)(end - text_end))
        return false;
    uint32_t version = core_change_begin(segment);
    memcpy(text_end, text, size);
    field->length += (uint32_t)size;
    uint8_t *new_end = (uint8_t *)(field + 1) + lf__align8(field->length);
    frame->record.size += (uint32_t)(new_end - field_end);
    segment->top = (uint32_t)(new_end - (uint8_t *)segment);
    core_change_end(segment, version);
    return true;
}

void lf_output_append(const char *text, size_t size)
{
    lf__frame *frame = core_top_observation(CORE_HERE);
    if (text == NULL || frame == NULL || core_extend_piece(core_segment, frame, text, size))
        return;
    core_writer w;
    if (!core_write_begin(&w, frame))
        return;
    if (!frame->streaming) {
        lf_value now = lf_uint(lf__monotonic_ns());
        core_write(&w, LF__TAG_COMPLETION_START, &now);
        frame->streaming = true;
    }
    uint8_t *piece = w.at;
    lf_value value = lf_strn(text, size);
    core_write(&w, LF__TAG_OUTPUT_PIECE, &value);
    frame->last_field = w.block == NULL && w.at != piece ? (uint32_t)(piece - (uint8_t *)w.segment) : 0;
    core_write_end(&w);
}

/* ---- Ids and context ---------------------------------------------------------------------------------------------- */

static const lf__frame *core_current(uintptr_t here)
{
    if (__builtin_expect(core_segment == NULL, 0) && core_inherits())
        (void)core_enter_thread();
    return core_segment == NULL ? NULL : core_top(core_segment, here);
}

bool lf_current_trace_id(char out_id[LF_TRACE_ID_SIZE])
{
    const lf__frame *frame = core_current(CORE_HERE);
    out_id[0] = '\0';
    if (frame == NULL)
        return false;
    core_write_hex(frame->record.trace_id, sizeof frame->record.trace_id, out_id);
    return true;
}

bool lf_current_observation_id(char out_id[LF_OBSERVATION_ID_SIZE])
{
    const lf__frame *frame = core_current(CORE_HERE);
    out_id[0] = '\0';
    if (frame == NULL)
        return false;
    core_write_hex(frame->record.id, sizeof frame->record.id, out_id);
    return true;
}

void lf_create_trace_id(const char *seed_or_null, char out_id[LF_TRACE_ID_SIZE])
{
    uint8_t id[16];
    if (seed_or_null != NULL && seed_or_null[0] != '\0')
        core_seeded_trace_id(seed_or_null, id);
    else
        lf__random_bytes(id, sizeof id);
    core_write_hex(id, sizeof id, out_id);
}

static bool core_copy_context(lf_context *out, uintptr_t here)
{
    const lf__frame *frame = core_current(here);
    if (frame == NULL)
        return false;
    memset(out, 0, sizeof *out);
    memcpy(out->trace_id, frame->record.trace_id, sizeof out->trace_id);
    memcpy(out->id, frame->record.id, sizeof out->id);
    return true;
}

static lf_context *core_context_new(uintptr_t address)
{
    lf_context here;
    if (!core_copy_context(&here, address))
        return NULL;
    lf_context *context = lf__alloc(sizeof *context);
    if (context != NULL)
        *context = here;
    return context;
}

lf_context *lf_context_copy(void)
{
    return core_context_new(CORE_HERE);
}

void lf_context_free(lf_context *context)
{
    lf__free(context);
}

static lf_scope core_attach(const lf_context *context, uintptr_t here)
{
    lf_scope scope = {0, 0};
    if (context == NULL || lf_i_mode() < LF_I_ON)
        return scope;
    lf__segment *segment = core_segment;
    if (segment == NULL && (segment = core_enter_thread()) == NULL)
        return scope;
    return core_push_context(segment, context->trace_id, context->id, here, 0);
}

lf_scope lf_i_attach(const lf_context *context)
{
    return core_attach(context, CORE_HERE);
}

void *lf_context_run(lf_context *context, void *(*fn)(void *), void *arg)
{
    lf_scope scope __attribute__((cleanup(lf_i_scope_end), unused)) = core_attach(context, CORE_HERE);
    return fn(arg);
}

typedef struct core_thread_start {
    void *(*fn)(void *);
    void *arg;
    lf_context *context;
} core_thread_start;

static void *core_thread_main(void *start)
{
    core_thread_start mine = *(core_thread_start *)start;
    lf__free(start);
    lf_scope scope __attribute__((cleanup(lf_i_scope_end), unused)) = core_attach(mine.context, CORE_HERE);
    lf_context_free(mine.context); /* before fn, which may not return */
    return mine.fn(mine.arg);
}

int lf_thread_create(pthread_t *out_thread, const pthread_attr_t *attributes, void *(*fn)(void *), void *arg)
{
    core_thread_start *start = lf__alloc(sizeof *start);
    if (start == NULL || (start->context = core_context_new(CORE_HERE)) == NULL) {
        lf__free(start);
        return pthread_create(out_thread, attributes, fn, arg);
    }
    start->fn = fn;
    start->arg = arg;
    int error = pthread_create(out_thread, attributes, core_thread_main, start);
    if (error != 0) {
        lf_context_free(start->context);
        lf__free(start);
    }
    return error;
}

/* ---- Starting and stopping ---------------------------------------------------------------------------------------- */

/* Thread end: what its scopes left open is sent, marked; the worker empties the ring and frees the segment. */
static void core_leave_thread(void *ending)
{
    lf__segment *segment = ending;
    int saved = errno;
    core_segment = segment; /* glibc keeps it, but another libc may have torn the variable down */
    core_abandon_above(segment, 0, lf__monotonic_ns(), LF__FLAG_ABANDONED);
    lf__segment_return_grant(segment, &lf__worker_budget);
    core_segment = NULL;
    atomic_store_explicit(&segment->state, LF__SEGMENT_LEFT, memory_order_release); /* pairs with worker_drain */
    if (atomic_load_explicit(&lf__worker_waiting, memory_order_relaxed) == LF__WORKER_IDLE)
        lf__worker_wake(); /* to take the memory back */
    errno = saved;
}

static lf_status core_install_hooks(void)
{
    if (core.has_hooks)
        return LF_OK;
    if (pthread_key_create(&core.key, core_leave_thread) != 0)
        return LF_ERR_MEMORY;
    if (pthread_atfork(core_before_fork, core_after_fork_parent, core_after_fork_child) != 0 || atexit(core_at_exit) != 0) {
        pthread_key_delete(core.key);
        return LF_ERR_MEMORY;
    }
    lf__http_at_exit = core_at_exit; /* once more, with a better place in the order; the second call finds nothing to do */
    core.has_hooks = true;
    return LF_OK;
}

static void core_set_mode(int mode)
{
    __atomic_store_n(&lf_i_mode_word, mode, __ATOMIC_RELAXED);
}

static lf_status core_start_locked(const lf_options *options)
{
    int mode = lf_i_mode_word;
    if (mode >= LF_I_ON)
        return LF_OK;
    if (core.exiting)
        return LF_ERR_DISABLED; /* nobody would stop the worker any more; the one before may still use the configuration */
    lf__config_free(core.config);
    core.config = lf__config_new(options);
    if (core.config == NULL || core_install_hooks() != LF_OK) {
        core_set_mode(LF_I_OFF);
        return LF_ERR_MEMORY;
    }
    if (!core.config->enabled) {
        core_set_mode(LF_I_OFF);
        return LF_ERR_DISABLED;
    }
    atomic_store_explicit(&core.record_bytes, core.config->record_bytes, memory_order_relaxed);
    atomic_store_explicit(&core.flush_at, core.config->flush_at, memory_order_relaxed);
    if (core_segment != NULL)
        core_set_wake(core_segment); /* other threads count to the old number once more */
    lf_status status = lf__worker_start(core.config);
    core_set_mode(status != LF_OK ? LF_I_OFF : core.config->capture_io ? LF_I_ON_CAPTURING : LF_I_ON);
    return status;
}

static lf_status core_start(const lf_options *options, bool only_if_unknown)
{
    int saved = errno, cancel;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    pthread_mutex_lock(&core.lock);
    lf_status status = only_if_unknown && lf_i_mode_word != LF_I_UNKNOWN ? LF_OK : core_start_locked(options);
    pthread_mutex_unlock(&core.lock);
    pthread_setcancelstate(cancel, NULL);
    errno = saved;
    return status;
}

lf_status lf_init(const lf_options *options)
{
    return core_start(options, false);
}

int lf_i_mode_unknown(void)
{
    (void)core_start(NULL, true);
    return __atomic_load_n(&lf_i_mode_word, __ATOMIC_RELAXED);
}

lf_status lf_flush(int timeout_ms)
{
    int saved = errno, cancel;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    lf_status status = LF_ERR_DISABLED;
    if (__atomic_load_n(&lf_i_mode_word, __ATOMIC_RELAXED) >= LF_I_ON) {
        core_ensure_worker();
        status = lf__worker_flush(timeout_ms);
    }
    pthread_setcancelstate(cancel, NULL);
    errno = saved;
    return status;
}

lf_status lf_shutdown(int timeout_ms)
{
    int saved = errno, cancel;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    pthread_mutex_lock(&core.lock);
    lf_status status = LF_ERR_DISABLED;
    if (lf_i_mode_word >= LF_I_ON) {
        if (core_segment != NULL)
            core_abandon_above(core_segment, 0, lf__monotonic_ns(), LF__FLAG_INTERRUPTED);
        core_set_mode(LF_I_OFF);
        (void)lf__worker_start(core.config);
        status = lf__worker_flush(timeout_ms);
        lf__worker_stop(true, 0);
    }
    pthread_mutex_unlock(&core.lock);
    pthread_setcancelstate(cancel, NULL);
    errno = saved;
    return status;
}

/* Copies of what other threads have open go to the worker, innermost first, marked as interrupted. */
static void core_interrupt_others(uint64_t now)
{
    for (lf__segment *s = atomic_load_explicit(&lf__segments, memory_order_acquire); s != NULL; s = s->next) {
        uint32_t offset;
        if (s == core_segment || atomic_load_explicit(&s->state, memory_order_acquire) != LF__SEGMENT_IN_USE)
            continue;
        uint8_t *copy = lf__segment_snapshot(s, &offset);
        while (copy != NULL && offset != 0) {
            const lf__frame *frame = lf__frame_at(copy, offset);
            lf__record *record = frame->kind == LF__FRAME_OBSERVATION ? lf__alloc(lf__frame_record_size(frame)) : NULL;
            if (record != NULL) {
                lf__frame_copy_record(record, copy, frame);
                record->end_ns = now;
                record->flags |= LF__FLAG_INTERRUPTED;
                lf__worker_submit(record);
            }
            offset = frame->below;
        }
        lf__free(copy);
    }
}

static bool core_lock_for_exit(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += CORE_EXIT_LOCK_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    return pthread_mutex_timedlock(&core.lock, &until) == 0;
}

/* Also called when a host exits from the middle of anything: nothing here waits without a limit. */
static void core_at_exit(void)
{
    if (__atomic_load_n(&lf_i_mode_word, __ATOMIC_RELAXED) < LF_I_ON || !core_lock_for_exit())
        return;
    if (lf_i_mode_word >= LF_I_ON) {
        uint64_t now = lf__monotonic_ns();
        if (core_segment != NULL)
            core_abandon_above(core_segment, 0, now, LF__FLAG_INTERRUPTED);
        core_set_mode(LF_I_OFF);
        core.exiting = true;
        lf__worker_barrier(); /* what others end from here on is ignored, or was in their rings before we look */
        core_interrupt_others(now);
        lf_stats stats;
        lf_get_stats(&stats);
        long timeout_ms = core.config->exit_timeout_ms;
        if (stats.queued != 0 && timeout_ms > 0 && lf__worker_start(core.config) == LF_OK)
            (void)lf__worker_flush((int)timeout_ms);
        /* The exit handlers of TLS libraries come after this: the worker must be out of them. */
        long left_ms = timeout_ms - (long)((lf__monotonic_ns() - now) / 1000000u);
        lf__worker_stop(false, left_ms > CORE_EXIT_STOP_MS ? (int)left_ms : CORE_EXIT_STOP_MS);
    }
    pthread_mutex_unlock(&core.lock);
}

static void core_before_fork(void)
{
    pthread_mutex_lock(&core.lock);
    lf__worker_before_fork();
    lf__site_lock();
    lf__log_lock();
}

static void core_after_fork_parent(void)
{
    lf__log_unlock();
    lf__site_unlock();
    lf__worker_after_fork_parent();
    pthread_mutex_unlock(&core.lock);
}

static void core_after_fork_child(void)
{
    lf__log_unlock();
    lf__site_unlock();
    lf__worker_after_fork_child();
    pthread_mutex_init(&core.lock, NULL);
    const lf__frame *frame = core_segment == NULL || core_segment->frame == 0
                                 ? NULL
                                 : lf__frame_at(core_segment, core_segment->frame);
    if (frame != NULL) {
        core_inherited.thread = pthread_self();
        core_inherited.valid = true;
        memcpy(core_inherited.trace_id, frame->record.trace_id, sizeof core_inherited.trace_id);
        memcpy(core_inherited.id, frame->record.id, sizeof core_inherited.id);
    }
    lf__segment *segment = atomic_load_explicit(&lf__segments, memory_order_relaxed);
    atomic_store_explicit(&lf__segments, NULL, memory_order_relaxed);
    core_segment = NULL;
    if (core.has_hooks)
        pthread_setspecific(core.key, NULL);
    while (segment != NULL) {
        lf__segment *next = segment->next;
        lf__segment_unmap(segment);
        segment = next;
    }
}

void lf_get_stats(lf_stats *out_stats)
{
    lf_stats stats = {0};
    const lf__counters *counters = &lf__worker_counters;
    /* What left is read before what came in, so that a queue never looks negative. */
    stats.delivered = atomic_load_explicit(&counters->delivered, memory_order_acquire);
    for (int i = 0; i < LF_DROP_REASON_COUNT; i++)
        stats.dropped[i] = atomic_load_explicit(&counters->dropped[i], memory_order_acquire);
    stats.requests = atomic_load_explicit(&counters->requests, memory_order_relaxed);
    stats.retries = atomic_load_explicit(&counters->retries, memory_order_relaxed);
    stats.last_success_ns = atomic_load_explicit(&counters->last_success_ns, memory_order_relaxed);
    stats.queued_bytes = atomic_load_explicit(&lf__worker_budget.rings, memory_order_relaxed) +
                         atomic_load_explicit(&lf__worker_budget.worker, memory_order_relaxed);
    stats.accepted = atomic_load_explicit(&lf__worker_accepted, memory_order_relaxed);
    uint64_t begun = 0, ended = 0;
    for (lf__segment *s = atomic_load_explicit(&lf__segments, memory_order_acquire); s != NULL; s = s->next) {
        stats.dropped[LF_DROP_QUEUE_FULL] += atomic_load_explicit(&s->dropped_full, memory_order_relaxed);
        stats.dropped[LF_DROP_TOO_LARGE] += atomic_load_explicit(&s->dropped_large, memory_order_relaxed);
        stats.dropped[LF_DROP_TOO_DEEP] += atomic_load_explicit(&s->dropped_deep, memory_order_relaxed);
        stats.misused += atomic_load_explicit(&s->misused, memory_order_relaxed);
        uint64_t ignored = atomic_load_explicit(&s->ignored, memory_order_relaxed);
        uint64_t ended_here = atomic_load_explicit(&s->ended, memory_order_acquire);
        stats.accepted += ended_here - ignored;
        ended += ended_here;
        begun += atomic_load_explicit(&s->begun, memory_order_relaxed);
    }
    for (int i = 0; i < LF_DROP_REASON_COUNT; i++)
        stats.dropped_total += stats.dropped[i];
    stats.open = begun > ended ? begun - ended : 0;
    uint64_t gone = stats.delivered + stats.dropped_total;
    stats.queued = stats.accepted > gone ? stats.accepted - gone : 0;
    *out_stats = stats;
}
