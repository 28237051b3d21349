#define _GNU_SOURCE
#include "lf_core.h"

#include "src/config.h"
#include "src/handle.h"
#include "src/http.h"
#include "src/ids.h"
#include "src/manual.h"
#include "src/rest.h"
#include "src/stack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    CORE_ERROR_TEXT = 1024,
    CORE_CALLED_NAME = 256,
    CORE_EXIT_LOCK_MS = 500,
    CORE_EXIT_STOP_MS = 100, /* for the worker to put down what it holds, when the time is over */
    CORE_FREE_CLIENT_MS = 2000
};

/* What every thread should do; see lf_i_mode. */
int lf_i_mode_word = LF_I_UNKNOWN;

_Atomic uint64_t lf__client_threshold[LF__CLIENTS];
_Atomic bool lf__client_on[LF__CLIENTS];
lf_client lf__clients[LF__CLIENTS];
_Atomic uint32_t lf__client_epoch;

/* Guarded by `lock`, unless said otherwise. User callbacks (log) may run while it is held; they must not call us. */
static struct {
    pthread_mutex_t lock;
    lf__config *configs[LF__CLIENTS]; /* by client; frozen while the client is on */
    uint32_t client_count;            /* ever made, the default one included */
    bool has_hooks; /* key, fork and exit handlers are in place; they are never taken back */
    bool exiting;   /* the exit handler has stopped everything: it will not run a second time */
} core = {.lock = PTHREAD_MUTEX_INITIALIZER, .client_count = 1};

static void core_before_fork(void);
static void core_after_fork_parent(void);
static void core_after_fork_child(void);
static void core_at_exit(void);

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
    uint32_t id = lf__site_intern(function == NULL ? called : function, site->file, (int)site->line, arguments);
    __atomic_store_n(&site->id, id, __ATOMIC_RELAXED);
    errno = saved;
    return id;
}

LF__FAST uint8_t *core_capture_arguments(lf__segment *segment, const lf__frame *frame, uint8_t *at, const lf_value *arguments,
                                         unsigned count)
{
    uint8_t *end = lf__stack_arguments_end(segment, frame, at);
    for (unsigned i = 0; i < count; i++)
        at = lf__capture(at, end, LF__TAG_ARGUMENT, i, &arguments[i]);
    return at;
}

static inline uint32_t core_site_id(lf_site *site, bool has_options)
{
    uint32_t id = __atomic_load_n(&site->id, __ATOMIC_RELAXED);
    return __builtin_expect(id == 0, 0) ? core_intern(site, has_options) : id;
}

LF__FAST bool core_is_sampled(const lf__frame *frame)
{
    return __builtin_expect((frame->record.flags & LF__FLAG_UNSAMPLED) == 0, 1);
}

void lf_i_open(lf_scope *scope, lf_site *site, const lf_value *arguments, uintptr_t stack_pointer)
{
    lf__segment *segment = lf__stack_here();
    if (__builtin_expect(segment == NULL, 0))
        return;
    uint32_t id = core_site_id(site, false);
    lf__place place = lf__scope_place(scope, site, stack_pointer);
    uint32_t version;
    lf__frame *frame = lf__stack_push(segment, LF__FRAME_OBSERVATION, &place, 0, &version);
    if (__builtin_expect(frame == NULL, 0)) {
        lf__stack_count_too_deep(segment);
        lf__stack_stand_in(segment, scope, stack_pointer);
        return;
    }
    frame->record.site = id;
    frame->record.type = (uint8_t)site->type;
    frame->capture_output = __atomic_load_n(&lf_i_mode_word, __ATOMIC_RELAXED) == LF_I_ON_CAPTURING;
    uint8_t *at = lf__stack_fields(segment, frame);
    if (arguments != NULL && core_is_sampled(frame))
        at = core_capture_arguments(segment, frame, at, arguments, site->count);
    lf__segment_prefetch(segment);
    lf__count(&segment->begun);
    frame->record.start_ns = lf__now();
    lf__stack_push_done(segment, frame, at, version, scope);
}

void lf_i_open_with(lf_scope *scope, lf_site *site, const lf_observe_options *options, const lf_value *arguments,
                    uintptr_t stack_pointer)
{
    lf__segment *segment = lf__stack_here();
    if (segment == NULL)
        return;
    uint32_t id = core_site_id(site, true);
    lf__place place = lf__scope_place(scope, site, stack_pointer);
    uint32_t version;
    lf__frame *frame = lf__stack_push(segment, LF__FRAME_OBSERVATION, &place, 0, &version);
    if (frame == NULL) {
        lf__stack_count_too_deep(segment);
        lf__stack_stand_in(segment, scope, stack_pointer);
        return;
    }
    frame->record.site = id;
    frame->record.type = (uint8_t)(options->type != LF_TYPE_DEFAULT ? options->type : (lf_type)site->type);
    frame->capture_output = options->capture_output == LF_DEFAULT
                                ? __atomic_load_n(&lf_i_mode_word, __ATOMIC_RELAXED) == LF_I_ON_CAPTURING
                                : options->capture_output == LF_ON;
    lf__writer w = {.segment = segment, .at = (uint8_t *)(frame + 1)};
    w.end = lf__stack_fields_end(segment, w.at, lf__stack_room_left(frame, w.at));
    lf__place_at_client(&frame->record, options->client);
    lf__place_in_trace(&w, &frame->record, options->trace_id, options->parent_observation_id);
    frame->child_flags = frame->record.flags & LF__FLAG_UNSAMPLED;
    if (core_is_sampled(frame)) {
        if (frame->attributes_size != 0) /* only now it is known whether the observation is kept */
            w.at = lf__stack_copy_attributes(segment, frame, w.at);
        lf__write_text(&w, LF__TAG_NAME, options->name);
        if (arguments != NULL)
            w.at = core_capture_arguments(segment, frame, w.at, arguments, site->count);
    }
    lf__count(&segment->begun);
    frame->record.start_ns = lf__now();
    lf__stack_push_done(segment, frame, w.at, version, scope);
    lf__announce_names(&frame->record, options->trace_id, NULL);
}

void lf_i_close(lf_scope *scope)
{
    lf__segment *segment = lf__thread;
    if (__builtin_expect(segment == NULL, 0))
        return;
    uint32_t offset = lf__scope_frame(scope);
    const lf__frame *frame = lf__frame_at(segment, offset);
    bool innermost = segment->frame == offset && frame->serial == lf__scope_serial(scope);
    /* Scopes that are no observation need no time. */
    uint64_t now = innermost && frame->kind != LF__FRAME_OBSERVATION ? 0 : lf__now();
    if (__builtin_expect(innermost, 1) || lf__stack_bring_to_top(segment, scope, now))
        lf__stack_pop(segment, now);
}

void lf_i_caught(const char *around, uint64_t at, uintptr_t stack_pointer, uintptr_t frame_top)
{
    if (lf__thread != NULL && lf__thread->frame != 0)
        lf__stack_end_caught(lf__thread, (lf__code_place){around, at}, stack_pointer, frame_top);
}

/* ---- Adding to an open observation -------------------------------------------------------------------------------- */

static __attribute__((noinline)) void core_add_apart(lf__frame *frame, lf__tag tag, const lf_value *value)
{
    lf__writer w;
    if (!lf__write_begin(&w, frame))
        return;
    lf__write(&w, tag, value);
    lf__write_end(&w);
}

LF__FAST void core_add_output(lf__frame *frame, const lf_value *value)
{
    lf__segment *segment = lf__thread;
    uint8_t *at = (uint8_t *)&frame->record + frame->record.size;
    size_t limit = atomic_load_explicit(&lf__output_bytes, memory_order_relaxed);
    bool innermost = at == (uint8_t *)segment + segment->top && frame->kind == LF__FRAME_OBSERVATION;
    if (__builtin_expect(innermost && frame->record.size < limit, 1)) {
        uint8_t *end = lf__stack_fields_end(segment, at, limit - frame->record.size);
        uint32_t version = lf__stack_change_begin(segment);
        uint32_t size = (uint32_t)(lf__capture(at, end, LF__TAG_OUTPUT, 0, value) - at);
        frame->record.size += size;
        segment->top += size;
        lf__stack_change_end(segment, version);
        return;
    }
    core_add_apart(frame, LF__TAG_OUTPUT, value);
}

void lf_i_put_return(const char *around, uint64_t at, const lf_value *value)
{
    lf__frame *frame = lf__stack_observation_at((lf__code_place){around, at});
    if (frame != NULL && frame->capture_output)
        core_add_output(frame, value);
}

void lf_i_put_output(const char *around, uint64_t at, const lf_value *value)
{
    lf__frame *frame = lf__stack_observation_at((lf__code_place){around, at});
    if (frame != NULL)
        core_add_output(frame, value);
}

void lf_i_put_result(lf_scope *scope, const lf_value *value)
{
    lf__segment *segment = lf__thread;
    lf__frame *frame = segment == NULL || scope->words[0] == 0 ? NULL : lf__stack_frame_of(segment, scope);
    if (frame != NULL && frame->kind == LF__FRAME_OBSERVATION && core_is_sampled(frame) && frame->capture_output)
        core_add_output(frame, value);
}

void lf_i_put_error(const char *around, uint64_t at, const char *format, ...)
{
    lf__frame *frame = lf__stack_observation_at((lf__code_place){around, at});
    lf__writer w;
    if (frame == NULL || !lf__write_begin(&w, frame))
        return;
    int saved = errno;
    lf__write_int(&w, LF__TAG_LEVEL, LF_LEVEL_ERROR);
    if (format != NULL && format[0] != '\0') {
        char text[CORE_ERROR_TEXT];
        va_list arguments;
        va_start(arguments, format);
        int length = vsnprintf(text, sizeof text, format, arguments);
        va_end(arguments);
        if (length >= 0)
            lf__write_text(&w, LF__TAG_STATUS_MESSAGE, text);
    }
    lf__write_end(&w);
    errno = saved;
}

void lf_i_put_fields(const char *around, uint64_t at, const lf_observation_fields *fields)
{
    lf__frame *frame = lf__stack_observation_at((lf__code_place){around, at});
    lf__writer w;
    if (fields == NULL || frame == NULL || !lf__write_begin(&w, frame))
        return;
    lf__write_fields(&w, fields);
    lf__write_end(&w);
}

void lf_update_current_observation_with(const lf_observation_fields *fields)
{
    lf_i_put_fields(NULL, 0, fields);
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
    size_t limit = atomic_load_explicit(&lf__output_bytes, memory_order_relaxed);
    uint8_t *end = lf__stack_fields_end(segment, text_end, limit > frame->record.size ? limit - frame->record.size : 0);
    if (size > lf__bytes_to(end - 8, text_end)) /* 8: what aligns the field */
        return false;
    uint32_t version = lf__stack_change_begin(segment);
    memcpy(text_end, text, size);
    field->length += (uint32_t)size;
    uint8_t *new_end = (uint8_t *)(field + 1) + lf__align8(field->length);
    frame->record.size += (uint32_t)(new_end - field_end);
    segment->top = (uint32_t)(new_end - (uint8_t *)segment);
    lf__stack_change_end(segment, version);
    return true;
}

void lf_output_append(const char *text, size_t size)
{
    if (!lf__size_is_possible(size)) {
        lf__refuse();
        return;
    }
    lf__frame *frame = lf__stack_top_observation(lf__thread);
    if (frame != NULL && frame->kind == LF__FRAME_HANDLE) {
        lf_observation_output_append((lf_observation *)(uintptr_t)frame->handle, text, size);
        return;
    }
    if (text == NULL || frame == NULL || core_extend_piece(lf__thread, frame, text, size))
        return;
    lf__writer w;
    if (!lf__write_begin(&w, frame))
        return;
    if (!frame->streaming) {
        lf_value now = lf_uint(lf__monotonic_ns());
        lf__write(&w, LF__TAG_COMPLETION_START, &now);
        frame->streaming = true;
    }
    uint8_t *piece = w.at;
    lf_value value = lf_strn(text, size);
    lf__write(&w, LF__TAG_OUTPUT_PIECE, &value);
    frame->last_field = w.block == NULL && w.at != piece ? (uint32_t)(piece - (uint8_t *)w.segment) : 0;
    lf__write_end(&w);
}

/* ---- Ids and context ---------------------------------------------------------------------------------------------- */

bool lf_current_trace_id(char out_id[LF_TRACE_ID_SIZE])
{
    const lf__frame *frame = lf__stack_current();
    out_id[0] = '\0';
    if (frame == NULL)
        return false;
    lf__id_write(frame->record.trace_id, sizeof frame->record.trace_id, out_id);
    return true;
}

bool lf_current_observation_id(char out_id[LF_OBSERVATION_ID_SIZE])
{
    const lf__frame *frame = lf__stack_current();
    out_id[0] = '\0';
    if (frame == NULL)
        return false;
    lf__id_write(frame->record.id, sizeof frame->record.id, out_id);
    return true;
}

void lf_create_trace_id(const char *seed_or_null, char out_id[LF_TRACE_ID_SIZE])
{
    uint8_t id[16];
    if (lf__id_given(seed_or_null))
        lf__id_from_text(seed_or_null, id, sizeof id);
    else
        lf__random_bytes(id, sizeof id);
    lf__id_write(id, sizeof id, out_id);
}

lf_context *lf_context_copy(void)
{
    return lf__stack_context();
}

void lf_context_free(lf_context *context)
{
    lf__free(context);
}

/* In a scope of our own functions. */
static void core_attach(lf_scope *scope, const lf_context *context, uintptr_t stack_pointer)
{
    static const lf_site nowhere;
    scope->words[0] = 0;
    if (context != NULL && lf_i_mode() >= LF_I_ON)
        lf__stack_attach(scope, &nowhere, context, stack_pointer);
}

void lf_i_open_context(lf_scope *scope, lf_site *site, const lf_context *context, uintptr_t stack_pointer)
{
    lf__stack_attach(scope, site, context, stack_pointer);
}

void lf_i_open_attributes(lf_scope *scope, lf_site *site, const lf_attributes *attributes, uintptr_t stack_pointer)
{
    lf__stack_attributes(scope, site, attributes, lf__write_attributes, stack_pointer);
}

void *lf_context_run(lf_context *context, void *(*fn)(void *), void *arg)
{
    lf_scope scope __attribute__((cleanup(lf_i_scope_end), unused));
    core_attach(&scope, context, lf_i_stack_pointer());
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
    lf_scope scope __attribute__((cleanup(lf_i_scope_end), unused));
    core_attach(&scope, mine.context, lf_i_stack_pointer());
    lf_context_free(mine.context); /* it lies on the thread's stack now */
    return mine.fn(mine.arg);
}

int lf_thread_create(pthread_t *out_thread, const pthread_attr_t *attributes, void *(*fn)(void *), void *arg)
{
    core_thread_start *start = lf__alloc(sizeof *start);
    lf_context *context = start == NULL ? NULL : lf__stack_context();
    if (context == NULL) {
        lf__free(start);
        return pthread_create(out_thread, attributes, fn, arg);
    }
    *start = (core_thread_start){fn, arg, context};
    int error = pthread_create(out_thread, attributes, core_thread_main, start);
    if (error != 0) {
        lf_context_free(context);
        lf__free(start);
    }
    return error;
}

/* ---- Starting and stopping ---------------------------------------------------------------------------------------- */

static bool core_install_hooks(void)
{
    if (core.has_hooks)
        return true;
    lf__http_watch_forks(); /* before ours, so that a fork takes core.lock first, as starting does */
    if (!lf__stack_install() ||
        pthread_atfork(core_before_fork, core_after_fork_parent, core_after_fork_child) != 0 || atexit(core_at_exit) != 0)
        return false;
    lf__http_at_exit = core_at_exit; /* once more, with a better place in the order; the second call finds nothing to do */
    core.has_hooks = true;
    return true;
}

static void core_set_mode(int mode)
{
    __atomic_store_n(&lf_i_mode_word, mode, __ATOMIC_RELAXED);
}

static bool core_is_on(uint32_t client)
{
    return core.configs[client] != NULL && core.configs[client]->enabled;
}

static bool core_any_is_on(void)
{
    for (uint32_t i = 0; i < core.client_count; i++)
        if (core_is_on(i))
            return true;
    return false;
}

/* What the observing path knows of a client. */
static void core_set_sampling(uint32_t client, bool on, uint64_t threshold)
{
    atomic_store_explicit(&lf__client_on[client], on, memory_order_relaxed);
    atomic_store_explicit(&lf__client_threshold[client], threshold, memory_order_relaxed);
}

/* Take over a configuration, and let observing begin. The first one that is on decides what holds for the process: how much is
 * captured, and when the worker is woken. */
static lf_status core_switch_on(uint32_t client)
{
    const lf__config *config = core.configs[client];
    core_set_sampling(client, false, 0);
    if (!config->enabled)
        return LF_ERR_DISABLED;
    lf__clients[client].index = client;
    if (lf_i_mode_word < LF_I_ON || client == 0) {
        lf__capture_set_limits(config->record_bytes);
        atomic_store_explicit(&lf__flush_at, config->flush_at, memory_order_relaxed);
        if (lf__thread != NULL)
            lf__stack_set_wake(lf__thread); /* other threads count to the old number once more */
    }
    if (config->file_path == NULL)
        lf__http_set_up();
    lf__worker_set_client(client, core.configs[client]);
    lf_status status = lf__worker_start();
    if (status != LF_OK)
        return status;
    core_set_sampling(client, true, config->sample_threshold);
    if (lf_i_mode_word < LF_I_ON || client == 0)
        core_set_mode(config->capture_io ? LF_I_ON_CAPTURING : LF_I_ON);
    return LF_OK;
}

static bool core_same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool core_same_project(const lf__config *a, const lf__config *b)
{
    return a != NULL && b != NULL && core_same_text(a->base_url, b->base_url) && core_same_text(a->public_key, b->public_key);
}

static lf_status core_start_locked(const lf_options *options)
{
    if (lf_i_mode_word >= LF_I_ON && lf__client_is_on(0))
        return LF_OK;
    if (core.exiting)
        return LF_ERR_DISABLED; /* nobody would stop the worker any more; the one before may still use the configuration */
    lf__worker_set_client(0, NULL);
    lf__config *before = core.configs[0];
    core.configs[0] = lf__config_new(options);
    if (before != NULL && !core_same_project(before, core.configs[0]))
        lf__client_epoch++;
    lf__config_free(before);
    lf_status status = core.configs[0] == NULL || !core_install_hooks() ? LF_ERR_MEMORY : core_switch_on(0);
    /* After a shutdown the other clients start again with the default one. */
    for (uint32_t i = 1; i < core.client_count; i++)
        if (core_is_on(i))
            (void)core_switch_on(i);
    if (lf_i_mode_word < LF_I_ON || !core_any_is_on())
        core_set_mode(LF_I_OFF);
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
        lf__worker_ensure();
        status = lf__worker_flush(timeout_ms);
    }
    pthread_setcancelstate(cancel, NULL);
    errno = saved;
    return status;
}

/* What this thread and all handles have open is sent, marked. */
static void core_interrupt_own(uint64_t now)
{
    lf__segment *segment = lf__stack_here();
    if (segment == NULL)
        return;
    lf__stack_abandon_above(segment, 0, now, LF__FLAG_INTERRUPTED);
    lf__handles_end_all(segment, now, LF__FLAG_INTERRUPTED, lf__stack_submit_record);
}

lf_status lf_shutdown(int timeout_ms)
{
    int saved = errno, cancel;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    pthread_mutex_lock(&core.lock);
    lf_status status = LF_ERR_DISABLED;
    if (lf_i_mode_word >= LF_I_ON) {
        core_interrupt_own(lf__monotonic_ns());
        core_set_mode(LF_I_OFF);
        (void)lf__worker_start();
        status = lf__worker_flush(timeout_ms);
        lf__worker_stop(true, 0);
        for (uint32_t i = 0; i < core.client_count; i++) { /* a client made from now on wakes no other */
            core_set_sampling(i, false, 0);
            lf__worker_set_client(i, NULL);
        }
    }
    pthread_mutex_unlock(&core.lock);
    pthread_setcancelstate(cancel, NULL);
    errno = saved;
    return status;
}

/* ---- Several clients ---------------------------------------------------------------------------------------------- */

static uint32_t core_add_client(const lf_options *options)
{
    if (core.exiting || core.client_count >= LF__CLIENT_NONE) {
        if (!core.exiting)
            lf__log(LF__LOG_ERROR, "no more than %d clients can be made in one process; this one sends nothing", LF__CLIENT_NONE - 1);
        return LF__CLIENT_NONE;
    }
    /* Without a log of its own it uses the one there is. */
    lf_options own = {LF_OPTIONS_INIT};
    size_t size = options == NULL ? 0 : options->struct_size != 0 ? options->struct_size : sizeof own;
    if (size != 0)
        memcpy(&own, options, size < sizeof own ? size : sizeof own);
    own.struct_size = sizeof own;
    if (own.log == NULL)
        lf__log_target(&own.log, &own.log_data);
    uint32_t client = core.client_count;
    lf__config *config = lf__config_new(&own);
    if (config == NULL || !core_install_hooks()) {
        lf__config_free(config);
        return LF__CLIENT_NONE;
    }
    core.configs[client] = config;
    core.client_count++;
    (void)core_switch_on(client);
    return client;
}

lf_client *lf_client_new(const lf_options *options)
{
    (void)lf_i_mode(); /* the default client first: what names no client must not come here */
    int saved = errno, cancel;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    pthread_mutex_lock(&core.lock);
    uint32_t client = core_add_client(options);
    lf__clients[client].index = client;
    pthread_mutex_unlock(&core.lock);
    pthread_setcancelstate(cancel, NULL);
    errno = saved;
    return &lf__clients[client];
}

void lf_client_free(lf_client *client)
{
    if (client == NULL || client->index == 0 || client->index >= LF__CLIENT_NONE)
        return;
    int saved = errno, cancel;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    core_set_sampling(client->index, false, 0);
    if (__atomic_load_n(&lf_i_mode_word, __ATOMIC_RELAXED) >= LF_I_ON) {
        lf__worker_ensure();
        (void)lf__worker_send(CORE_FREE_CLIENT_MS);
    }
    pthread_mutex_lock(&core.lock);
    lf__worker_set_client(client->index, NULL);
    lf__config_free(core.configs[client->index]);
    core.configs[client->index] = NULL;
    if (!core_any_is_on())
        core_set_mode(LF_I_OFF);
    pthread_mutex_unlock(&core.lock);
    pthread_setcancelstate(cancel, NULL);
    errno = saved;
}

lf__config *lf__client_hold(uint32_t client)
{
    bool on = lf_i_mode() >= LF_I_ON; /* not under the lock: it may be the first call of all */
    pthread_mutex_lock(&core.lock);
    lf__config *config = on && core_is_on(client) && lf_i_mode_word >= LF_I_ON ? lf__config_ref(core.configs[client]) : NULL;
    pthread_mutex_unlock(&core.lock);
    return config;
}

lf__config *lf__client_config(const lf_client *client)
{
    (void)lf_i_mode();
    uint32_t index = client == NULL ? 0 : client->index;
    pthread_mutex_lock(&core.lock);
    lf__config *config = core.configs[index] == NULL ? NULL : lf__config_ref(core.configs[index]);
    pthread_mutex_unlock(&core.lock);
    return config;
}

/* ---- Exit and fork ------------------------------------------------------------------------------------------------ */

/* Copies of what other threads have open go to the worker, innermost first, marked as interrupted. */
static void core_interrupt_others(uint64_t now)
{
    for (lf__segment *s = atomic_load_explicit(&lf__segments, memory_order_acquire); s != NULL; s = s->next) {
        uint32_t offset;
        if (s == lf__thread || atomic_load_explicit(&s->state, memory_order_acquire) != LF__SEGMENT_IN_USE)
            continue;
        uint8_t *copy = lf__segment_snapshot(s, &offset);
        while (copy != NULL && offset != 0) {
            const lf__frame *frame = lf__frame_at(copy, offset);
            bool is_sent = frame->kind == LF__FRAME_OBSERVATION && (frame->record.flags & LF__FLAG_UNSAMPLED) == 0;
            lf__record *record = is_sent ? lf__alloc(lf__frame_record_size(frame)) : NULL;
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

/* The longest that any client wants. */
static long core_exit_timeout_ms(void)
{
    long longest = 0;
    for (uint32_t i = 0; i < core.client_count; i++)
        if (core_is_on(i) && core.configs[i]->exit_timeout_ms > longest)
            longest = core.configs[i]->exit_timeout_ms;
    return longest;
}

/* Also called when a host exits from the middle of anything: nothing here waits without a limit. */
static void core_at_exit(void)
{
    if (__atomic_load_n(&lf_i_mode_word, __ATOMIC_RELAXED) < LF_I_ON || !core_lock_for_exit())
        return;
    if (lf_i_mode_word >= LF_I_ON) {
        uint64_t now = lf__monotonic_ns();
        core_interrupt_own(now);
        core_set_mode(LF_I_OFF);
        core.exiting = true;
        lf__worker_barrier(); /* what others end from here on is ignored, or was in their rings before we look */
        core_interrupt_others(now);
        lf_stats stats;
        lf_get_stats(&stats);
        long timeout_ms = core_exit_timeout_ms();
        if (stats.queued != 0 && timeout_ms > 0 && lf__worker_start() == LF_OK)
            (void)lf__worker_send((int)timeout_ms);
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
    lf__handles_after_fork_child();
    lf__stack_after_fork_child();
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
    stats.left_out = atomic_load_explicit(&lf__left_out, memory_order_relaxed);
    stats.misused = atomic_load_explicit(&lf__refused, memory_order_relaxed);
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
