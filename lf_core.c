#define _GNU_SOURCE
#include "lf_core.h"

#include "src/ask/project.h"
#include "src/base/struct_size.h"
#include "src/base/guest.h"
#include "src/base/ids.h"
#include "src/base/once.h"
#include "src/base/value.h"
#include "src/deliver/http.h"
#include "src/deliver/mask.h"
#include "src/deliver/stats.h"
#include "src/deliver/wire_text.h"
#include "src/deliver/worker.h"
#include "src/life/life.h"
#include "src/observe/attribute_scope.h"
#include "src/observe/carrier.h"
#include "src/observe/coroutine.h"
#include "src/observe/handle.h"
#include "src/observe/observation.h"

#include <stdio.h>

enum {
    CORE_ERROR_TEXT = 1024,
    CORE_CALLED_NAME = 256,
    CORE_ASK_MS = 5000, /* as lf__rest_call has it */
    CORE_SITE_OF_0_1 = 1 /* lf_site.version there */
};

const char *lf_version(void)
{
    return LANGFUSE_VERSION;
}

/* The last thing that a call does in which something may have ended: the worker is told where that is due. */
LF__FAST void core_heed(void)
{
    if (lf__thread != NULL)
        lf__worker_heed(lf__thread);
}

/* ---- Beginning and ending ----------------------------------------------------------------------------------------- */

static void core_compare_versions(uint32_t of_headers)
{
    static const char text[] = "headers and library differ";
    of_headers = of_headers == CORE_SITE_OF_0_1 ? 0x000100 : of_headers;
    if (of_headers != LANGFUSE_VERSION_NUM && lf__first_time(lf__cause(0, text, NULL)))
        lf__client_tell(0, LF__LOG_DEBUG, "the program was compiled with the headers of version %u.%u.%u and runs with library %s",
                        of_headers >> 16, of_headers >> 8 & 0xff, of_headers & 0xff, LANGFUSE_VERSION);
}

/* Lambdas of C++ all have the same name. */
static const char *core_name_by_place(const lf_site *site, char *out, size_t room)
{
    bool has_file = site->file != NULL && site->file[0] != '\0';
    snprintf(out, room, has_file ? "lambda (%s:%u)" : "lambda (%sline %u)", has_file ? site->file : "", site->line);
    return out;
}

/* OBSERVE_CALL has the called function first among the arguments, OBSERVE_WITH its options. */
static __attribute__((noinline, cold)) uint32_t core_intern(lf_site *site, bool has_options)
{
    LF__KEEP_ERRNO;
    char called[CORE_CALLED_NAME], place[CORE_CALLED_NAME];
    const char *function = site->function, *arguments = site->arguments;
    core_compare_versions(site->version);
    if (function != NULL && strcmp(function, "operator()") == 0)
        function = core_name_by_place(site, place, sizeof place);
    if (site->function == NULL || has_options) {
        size_t size = lf__site_find(lf__text_of(site->arguments), ',');
        arguments = site->arguments + size + (site->arguments[size] == ',');
        snprintf(called, sizeof called, "%.*s", (int)(size < sizeof called ? size : sizeof called - 1), site->arguments);
    }
    uint32_t id = lf__site_intern(function == NULL ? called : function, site->file, (int)site->line, arguments);
    __atomic_store_n(&site->id, id, __ATOMIC_RELAXED);
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
    frame->capture_output = lf__mode() == LF_I_ON_CAPTURING;
    uint8_t *at = lf__stack_fields(segment, frame);
    if (arguments != NULL && core_is_sampled(frame))
        at = core_capture_arguments(segment, frame, at, arguments, site->count);
    lf__count(&segment->begun);
    frame->record.start_ns = lf__monotonic_ns();
    lf__stack_push_done(segment, frame, at, version, scope);
    lf__worker_heed(segment); /* scopes that were left have ended */
}

void lf_i_open_with(lf_scope *scope, lf_site *site, const lf_observe_options *given, const lf_value *arguments,
                    uintptr_t stack_pointer)
{
    lf__segment *segment = lf__stack_here();
    if (segment == NULL)
        return;
    lf_observe_options own;
    const lf_observe_options *options = lf__fields(given, &own, sizeof own, LF__SIZE_WITH(lf_observe_options, client));
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
    frame->capture_output = options->capture_output == LF_DEFAULT ? lf__mode() == LF_I_ON_CAPTURING
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
    frame->record.start_ns = lf__monotonic_ns();
    lf__stack_push_done(segment, frame, w.at, version, scope);
    lf__announce_names(&frame->record, options->trace_id, NULL);
    lf__worker_heed(segment);
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
    uint64_t now = innermost && frame->kind != LF__FRAME_OBSERVATION ? 0 : lf__monotonic_ns();
    if (__builtin_expect(innermost, 1) || lf__stack_bring_to_top(segment, scope, now))
        lf__stack_pop(segment, now);
    lf__worker_heed(segment);
}

void lf_i_caught(const char *around, uint64_t at, uintptr_t stack_pointer, uintptr_t frame_top)
{
    if (lf__thread != NULL && lf__thread->frame != 0)
        lf__stack_end_caught(lf__thread, (lf__code_place){around, at}, stack_pointer, frame_top);
    core_heed();
}

/* ---- Adding to an open observation -------------------------------------------------------------------------------- */

/* The observation that an update at this place in the code means; NULL: none. */
LF__FAST lf__frame *core_observation_at(const char *around, uint64_t at)
{
    lf__frame *frame = lf__stack_observation_at((lf__code_place){around, at});
    core_heed(); /* scopes that were left have ended */
    return frame;
}

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
    lf__frame *frame = core_observation_at(around, at);
    if (frame != NULL && frame->capture_output)
        core_add_output(frame, value);
}

void lf_i_put_output(const char *around, uint64_t at, const lf_value *value)
{
    lf__frame *frame = core_observation_at(around, at);
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

/* Was a status message given, as by OBSERVE_ERROR before `throw`? */
static bool core_has_message(const lf__segment *segment, const lf__frame *frame)
{
    const lf__field *field = NULL;
    size_t size = frame->record.size - sizeof frame->record;
    while ((field = lf__fields_next(frame + 1, size, field)) != NULL)
        if (field->tag == LF__TAG_STATUS_MESSAGE)
            return true;
    for (uint32_t at = frame->extra; at != 0;) {
        const lf__block *block = (const lf__block *)(const void *)((const uint8_t *)segment + at);
        while ((field = lf__fields_next(block + 1, block->size, field)) != NULL)
            if (field->tag == LF__TAG_STATUS_MESSAGE)
                return true;
        at = block->next;
    }
    return false;
}

void lf_i_put_thrown(lf_scope *scope)
{
    lf__segment *segment = lf__thread;
    lf__frame *frame = segment == NULL ? NULL : lf__stack_frame_of(segment, scope);
    lf__writer w;
    if (frame == NULL || frame->kind != LF__FRAME_OBSERVATION || !core_is_sampled(frame))
        return;
    lf__stack_abandon_above(segment, lf__scope_frame(scope), lf__monotonic_ns(), LF__FLAG_ABANDONED);
    bool has_message = core_has_message(segment, frame);
    if (!lf__write_begin(&w, frame))
        return;
    lf__write_int(&w, LF__TAG_LEVEL, LF_LEVEL_ERROR);
    if (!has_message)
        lf__write_text(&w, LF__TAG_STATUS_MESSAGE, "left by an exception");
    lf__write_end(&w);
}

void lf_i_put_error(const char *around, uint64_t at, const char *format, ...)
{
    lf__frame *frame = core_observation_at(around, at);
    lf__writer w;
    if (frame == NULL || !lf__write_begin(&w, frame))
        return;
    LF__KEEP_ERRNO;
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
}

/* Functions that are called now have no scope, so their updates would land on a function further up. */
static bool core_is_paused(void)
{
    return __builtin_expect(lf_i_mode() == LF_I_PAUSED, 0);
}

void lf_i_put_fields(const char *around, uint64_t at, const lf_observation_fields *fields)
{
    lf__frame *frame = core_is_paused() ? NULL : core_observation_at(around, at);
    lf__writer w;
    lf_observation_fields own;
    if (fields == NULL || frame == NULL || !lf__write_begin(&w, frame))
        return;
    lf__write_fields(&w, lf__observation_fields(fields, &own));
    lf__write_end(&w);
}

void lf_i_put_scope_fields(lf_scope *scope, const lf_observation_fields *fields)
{
    lf__segment *segment = lf__thread;
    lf__frame *frame = segment == NULL || scope->words[0] == 0 ? NULL : lf__stack_frame_of(segment, scope);
    lf__writer w;
    lf_observation_fields own;
    if (fields == NULL || frame == NULL || frame->kind != LF__FRAME_OBSERVATION || core_is_paused() || !core_is_sampled(frame))
        return;
    if (!lf__write_begin(&w, frame))
        return;
    lf__write_fields(&w, lf__observation_fields(fields, &own));
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
    lf__frame *frame = core_is_paused() ? NULL : lf__stack_top_observation(lf__thread);
    if (text == NULL || frame == NULL)
        return;
    if (lf__frame_is_handle(frame)) {
        lf__observation_append((lf_observation *)(uintptr_t)frame->handle, text, size);
        return;
    }
    if (core_extend_piece(lf__thread, frame, text, size))
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

/* ---- Observations that no scope ends ------------------------------------------------------------------------------ */

static lf_observation *core_start(const lf_observation_fields *fields, bool current)
{
    lf_observation *observation = lf_i_mode() < LF_I_ON ? NULL : lf__observation_start(fields, current);
    core_heed();
    return observation;
}

lf_observation *lf_start_observation_with(const lf_observation_fields *fields)
{
    return core_start(fields, false);
}

lf_observation *lf_start_as_current_observation_with(const lf_observation_fields *fields)
{
    return core_start(fields, true);
}

lf_observation *lf_create_event_with(const lf_observation_fields *fields)
{
    lf_observation *event = lf_i_mode() < LF_I_ON ? NULL : lf__observation_event(fields);
    core_heed();
    return event;
}

void lf_observation_update_with(lf_observation *observation, const lf_observation_fields *fields)
{
    if (observation != NULL && fields != NULL && lf_i_mode() >= LF_I_ON)
        lf__observation_update(observation, fields);
}

void lf_observation_output_append(lf_observation *observation, const char *text, size_t size)
{
    if (!lf__size_is_possible(size))
        lf__refuse();
    else if (observation != NULL && text != NULL && lf_i_mode() >= LF_I_ON)
        lf__observation_append(observation, text, size);
}

void lf_observation_end_with(lf_observation *observation, const lf_observation_fields *fields)
{
    if (observation == NULL || (lf_i_mode() < LF_I_ON && !lf__handle_is_open(observation)))
        return;
    lf__observation_end(observation, fields);
    core_heed();
}

void lf_update_current_trace_with(const lf_trace_fields *fields)
{
    if (fields != NULL && lf_i_mode() >= LF_I_ON)
        lf__trace_update(fields);
    core_heed();
}

bool lf_observation_trace_id(const lf_observation *observation, char out_id[LF_TRACE_ID_SIZE])
{
    lf__record header;
    out_id[0] = '\0';
    if (observation == NULL || !lf__handle_header(observation, &header))
        return false;
    lf__id_write(header.trace_id, sizeof header.trace_id, out_id);
    return true;
}

bool lf_observation_id(const lf_observation *observation, char out_id[LF_OBSERVATION_ID_SIZE])
{
    lf__record header;
    out_id[0] = '\0';
    if (observation == NULL || !lf__handle_header(observation, &header))
        return false;
    lf__id_write(header.id, sizeof header.id, out_id);
    return true;
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
    if (lf_i_mode() >= LF_I_ON)
        lf__stack_attach(scope, &nowhere, context, stack_pointer);
}

void lf_i_open_context(lf_scope *scope, lf_site *site, const lf_context *context, uintptr_t stack_pointer)
{
    lf__stack_attach(scope, site, context, stack_pointer);
    core_heed();
}

void lf_i_open_under(lf_scope *scope, lf_site *site, const lf_observation *observation, uintptr_t stack_pointer)
{
    if (observation != NULL)
        lf__stack_under(scope, site, observation, stack_pointer);
    core_heed();
}

void lf_i_open_attributes(lf_scope *scope, lf_site *site, const lf_attributes *attributes, uintptr_t stack_pointer)
{
    lf__attribute_scope_open(scope, site, attributes, stack_pointer);
    core_heed();
}

lf_context *lf_observation_context(const lf_observation *observation)
{
    LF__KEEP_ERRNO;
    return observation == NULL ? NULL : lf__stack_handle_context(observation);
}

void *lf_context_run(const lf_context *context, void *(*fn)(void *), void *arg)
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

/* ---- To and from other processes ---------------------------------------------------------------------------------- */

int lf_inject_from(const lf_context *context, void (*set)(void *data, const char *name, const char *value), void *data)
{
    LF__KEEP_ERRNO;
    return lf__carrier_inject(context, set, data);
}

int lf_inject(void (*set)(void *data, const char *name, const char *value), void *data)
{
    lf_context *context = lf_context_copy();
    int count = lf_inject_from(context, set, data);
    lf_context_free(context);
    return count;
}

static void core_append(void *list, const char *name, const char *value)
{
    struct curl_slist **headers = list;
    *headers = lf__http_append(*headers, name, value);
}

struct curl_slist *lf_inject_curl(struct curl_slist *headers)
{
    (void)lf_inject(core_append, &headers);
    return headers;
}

struct curl_slist *lf_inject_curl_from(const lf_context *context, struct curl_slist *headers)
{
    (void)lf_inject_from(context, core_append, &headers);
    return headers;
}

lf_context *lf_extract(const char *(*get)(void *data, const char *name), void *data)
{
    LF__KEEP_ERRNO;
    return get == NULL ? NULL : lf__carrier_extract(get, data);
}

lf_context *lf_extract_environment(void)
{
    LF__KEEP_ERRNO;
    return lf__carrier_extract_environment();
}

/* ---- Coroutines --------------------------------------------------------------------------------------------------- */

lf_coroutine *lf_coroutine_new(void)
{
    (void)lf_i_mode();
    return lf__coroutine_new();
}

lf_coroutine *lf_coroutine_switch(lf_coroutine *to)
{
    return lf__coroutine_switch(to);
}

void lf_coroutine_free(lf_coroutine *coroutine)
{
    LF__AS_GUEST(guest);
    if (coroutine != NULL && lf__coroutine_free(coroutine))
        lf__worker_call();
}

/* ---- Starting and stopping ---------------------------------------------------------------------------------------- */

lf_status lf_init(const lf_options *options)
{
    LF__AS_GUEST(guest);
    return lf__life_start(options, false);
}

int lf_i_mode_unknown(void)
{
    LF__AS_GUEST(guest);
    (void)lf__life_start(NULL, true);
    return lf__mode();
}

lf_status lf_flush(int timeout_ms)
{
    LF__AS_GUEST(guest);
    if (!lf__is_started())
        return LF_ERR_DISABLED;
    lf__worker_ensure(true);
    return lf__worker_flush(timeout_ms);
}

lf_status lf_shutdown(int timeout_ms)
{
    LF__AS_GUEST(guest);
    return lf__life_stop(timeout_ms);
}

int lf_poll(int timeout_ms, lf_poll_wants *out_wants)
{
    LF__AS_GUEST(guest);
    if (out_wants != NULL)
        *out_wants = (lf_poll_wants){.timeout_ms = -1};
    (void)lf_i_mode(); /* it may be the first call of all */
    if (!lf__is_started())
        return LF_ERR_DISABLED;
    lf__worker_ensure(true);
    return lf__worker_poll(timeout_ms, out_wants);
}

void lf_set_tracing(bool on)
{
    LF__AS_GUEST(guest);
    lf__life_set_tracing(on);
}

lf_client *lf_client_new(const lf_options *options)
{
    LF__AS_GUEST(guest);
    return &lf__clients[lf__life_add_client(options)];
}

void lf_client_free(lf_client *client)
{
    uint32_t index = lf__client_index(client);
    if (index == 0 || index >= LF__CLIENT_NONE)
        return;
    LF__AS_GUEST(guest);
    lf__life_remove_client(index);
}

void lf_get_stats_sized(lf_stats *out_stats, size_t size)
{
    lf_stats stats;
    lf__stats_read(&stats);
    if (size > sizeof stats)
        memset((char *)out_stats + sizeof stats, 0, size - sizeof stats);
    memcpy(out_stats, &stats, size < sizeof stats ? size : sizeof stats);
}

int lf_stats_prometheus(char *out, size_t room)
{
    return lf__stats_prometheus(out, room);
}

bool lf_mask_replace(lf_masked *value, const char *text, size_t size, bool is_json)
{
    return lf__mask_replace(value, text, size, is_json);
}

/* ---- The project on the server ------------------------------------------------------------------------------------ */

/* NULL: it traces nothing. */
static lf__config *core_ask(uint32_t client)
{
    lf__config_free(lf__life_ask(client));
    return lf__client_hold(client);
}

lf_status lf_auth_check(int timeout_ms, lf_error *error)
{
    LF__AS_GUEST(guest);
    lf__config *config = core_ask(0);
    lf_status status = lf__project_check(config, timeout_ms, error);
    lf__config_free(config);
    return status;
}

/* What the server calls a trace: over the batch endpoint nearly any text is an id. NULL: no memory, or no time to ask. */
static char *core_trace_name(const lf__config *config, uint32_t client, const uint8_t id[16], const char *given, int timeout_ms)
{
    char hex[LF_TRACE_ID_SIZE], *text = NULL;
    lf__id_write(id, 16, hex);
    if (config->exporter == LF__EXPORTER_INGESTION && lf__id_given(given)) {
        uint8_t unused[16];
        text = lf__id_parse(given, unused, sizeof unused) ? NULL : lf__strdup(given);
    } else if (config->exporter == LF__EXPORTER_INGESTION) {
        lf__worker_ensure(true);
        if (lf__worker_trace_text(client, id, timeout_ms, &text) != LF_OK)
            return NULL;
    }
    if (text != NULL && lf__wire_is_id(text, strlen(text)))
        return text;
    lf__free(text);
    return lf__strdup(hex);
}

char *lf_trace_url(const char *trace_id_or_null, int timeout_ms)
{
    uint8_t id[16];
    uint64_t until_ns = lf__monotonic_ns() + (uint64_t)(timeout_ms < 0 ? CORE_ASK_MS : timeout_ms) * 1000000u;
    const lf__frame *frame = lf__stack_current();
    uint32_t client = frame == NULL ? 0 : frame->record.client;
    if (lf__id_given(trace_id_or_null))
        (void)lf__id_read(trace_id_or_null, id, sizeof id);
    else if (frame != NULL)
        memcpy(id, frame->record.trace_id, sizeof id);
    else
        return NULL;
    LF__AS_GUEST(guest);
    lf__config *config = core_ask(client);
    const char *project = config == NULL ? NULL : lf__project_id(config, timeout_ms);
    uint64_t now = lf__monotonic_ns();
    int left_ms = now < until_ns ? (int)((until_ns - now) / 1000000u) : 0;
    char *name = project == NULL ? NULL : core_trace_name(config, client, id, trace_id_or_null, left_ms);
    char *url = name == NULL ? NULL : lf__project_url(config, project, name);
    lf__free(name);
    lf__config_free(config);
    return url;
}
