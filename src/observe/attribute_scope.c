#include "attribute_scope.h"

#include "../base/struct_size.h"
#include "handle.h"
#include "write.h"

/* Each text has this much room at most: more is over the limit anyway, and the worker says so. */
static void attribute_scope_write(lf__writer *w, lf__tag tag, const lf_value *value, size_t room)
{
    uint8_t *end = w->end;
    if (value->kind == LF_KIND_UNSET)
        return;
    if (lf__bytes_to(end, w->at) > room)
        w->end = w->at + room;
    lf__write(w, tag, value);
    w->end = end;
}

LF__FAST void attribute_scope_write_text(lf__writer *w, lf__tag tag, const char *text)
{
    enum { ROOM = 1024 + LF__CAPTURE_MIN_ROOM };
    if (text == NULL)
        return;
    lf_value value = lf_text(text);
    attribute_scope_write(w, tag, &value, ROOM);
}

static void attribute_scope_write_all(lf__writer *w, const lf_attributes *given)
{
    enum { LIST_ROOM = 16 << 10 };
    lf_attributes own;
    const lf_attributes *attributes = lf__fields(given, &own, sizeof own, LF__SIZE_WITH(lf_attributes, as_baggage));
    w->index = (uint16_t)(LF__MARK_PROPAGATED | (attributes->as_baggage == LF_ON ? LF__MARK_BAGGAGE : 0));
    attribute_scope_write_text(w, LF__TAG_USER_ID, attributes->user_id);
    attribute_scope_write_text(w, LF__TAG_SESSION_ID, attributes->session_id);
    attribute_scope_write_text(w, LF__TAG_VERSION, attributes->version);
    attribute_scope_write_text(w, LF__TAG_TRACE_NAME, attributes->trace_name);
    attribute_scope_write_text(w, LF__TAG_ENVIRONMENT, attributes->environment);
    attribute_scope_write(w, LF__TAG_TRACE_TAGS, &attributes->tags, LIST_ROOM);
    attribute_scope_write(w, LF__TAG_TRACE_METADATA, &attributes->metadata, LIST_ROOM);
    if (attributes->prompt != NULL || attributes->prompt_name != NULL)
        lf__write_prompt(w, attributes->prompt, attributes->prompt_name, attributes->prompt_version);
    w->index = 0;
}

/* The outer attributes and the new ones lie behind the frame in one piece. */
void lf__attribute_scope_open(lf_scope *scope, const lf_site *site, const lf_attributes *attributes, uintptr_t stack_pointer)
{
    lf__segment *segment = lf__stack_here();
    lf__place place = lf__scope_place(scope, site, stack_pointer);
    if (segment == NULL)
        return;
    lf__stack_settle(segment, &place);
    lf__frame *target = lf__stack_top_observation(segment);
    lf__writer w;
    if (target != NULL && lf__write_begin(&w, target)) {
        target->record.flags |= LF__FLAG_ATTRIBUTES;
        if (lf__frame_is_handle(target))
            lf__handle_add_flag((lf_observation *)(uintptr_t)target->handle, LF__FLAG_ATTRIBUTES);
        w.are_attributes = true;
        attribute_scope_write_all(&w, attributes);
        lf__write_end(&w);
    }
    uint32_t version;
    lf__frame *frame = lf__stack_push(segment, LF__FRAME_ATTRIBUTES, &place, 0, &version);
    if (frame == NULL) {
        lf__stack_stand_in(segment, scope, stack_pointer);
        return;
    }
    lf__stack_make_same(segment, frame);
    uint8_t *start = (uint8_t *)(frame + 1), *at = start;
    size_t room = lf__bytes_to(lf__stack_fields_end(segment, at, LF__CONTEXT_MAX), at);
    size_t outer = frame->attributes_size <= room ? frame->attributes_size : 0;
    memcpy(at, (const uint8_t *)segment + frame->attributes, outer);
    w = (lf__writer){.segment = segment, .start = start, .at = at + outer, .end = at + room};
    attribute_scope_write_all(&w, attributes);
    frame->attributes = (uint32_t)(start - (uint8_t *)segment);
    frame->attributes_size = (uint32_t)(w.at - start);
    lf__stack_push_done(segment, frame, w.at, version, scope);
}
