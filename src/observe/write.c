#include "write.h"

#include "../base/struct_size.h"
#include "handle.h"
#include "prompt_link.h"

static uint8_t *write_limit(const lf__writer *w, size_t used, const _Atomic size_t *limit)
{
    size_t bytes = atomic_load_explicit(limit, memory_order_relaxed);
    return lf__stack_fields_end(w->segment, w->start, used < bytes ? bytes - used : 0);
}

/* Fields begin at `top`, in a record that has so many bytes already. */
static void write_at(lf__writer *w, uint8_t *top, size_t used)
{
    w->start = w->at = top;
    w->end = write_limit(w, used, &lf__record_bytes);
    w->output_end = write_limit(w, used, &lf__output_bytes);
    w->last_end = write_limit(w, used, &lf__last_bytes);
}

bool lf__write_begin(lf__writer *w, lf__frame *frame)
{
    if (lf__frame_is_handle(frame))
        return lf__write_begin_handle(w, (lf_observation *)(uintptr_t)frame->handle);
    lf__segment *segment = lf__thread;
    uint8_t *top = (uint8_t *)segment + segment->top;
    *w = (lf__writer){.segment = segment, .frame = frame};
    if ((uint8_t *)&frame->record + frame->record.size != top) {
        if (segment->top + sizeof(lf__block) + LF__CAPTURE_MIN_ROOM > segment->stack_end) {
            lf__leave_out();
            return false;
        }
        w->block = (lf__block *)(void *)top;
        top += sizeof(lf__block);
    }
    write_at(w, top, lf__frame_record_size(frame));
    w->version = lf__stack_change_begin(segment);
    if (w->block != NULL) {
        w->block->next = 0;
        w->block->size = 0;
    }
    return true;
}

/* Fields above open frames stay when these frames end. */
static void write_keep_below(lf__segment *segment, const lf__frame *owner, uint32_t top)
{
    for (lf__frame *above = lf__frame_at(segment, segment->frame); above != owner; above = lf__frame_at(segment, above->below))
        if (above->pop_to < top)
            above->pop_to = top;
}

void lf__write_end(lf__writer *w)
{
    if (w->handle != NULL) {
        lf__write_end_handle(w);
        return;
    }
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
            write_keep_below(w->segment, w->frame, top);
        }
        w->segment->top = top;
    }
    lf__stack_change_end(w->segment, w->version);
}

bool lf__write_begin_handle(lf__writer *w, lf_observation *handle)
{
    lf__segment *segment = lf__stack_here();
    if (segment == NULL)
        return false;
    *w = (lf__writer){.segment = segment, .handle = handle};
    write_at(w, (uint8_t *)segment + segment->top, lf__handle_size(handle));
    return true;
}

void lf__write_end_handle(lf__writer *w)
{
    size_t size = (size_t)(w->at - w->start);
    if (!lf__handle_append(w->handle, w->start, size, w->are_attributes))
        lf__count(&w->segment->misused);
}

lf__record *lf__write_begin_record(lf__writer *w, lf__record_kind kind)
{
    lf__segment *segment = lf__stack_here();
    if (segment == NULL)
        return NULL;
    if (segment->top + sizeof(lf__record) + LF__CAPTURE_MIN_ROOM > segment->stack_end) {
        if (kind != LF__RECORD_TRACE)
            lf__stack_count_too_deep(segment);
        return NULL;
    }
    lf__record *record = (lf__record *)(void *)((uint8_t *)segment + segment->top);
    memset(record, 0, sizeof *record);
    record->kind = (uint8_t)kind;
    *w = (lf__writer){.segment = segment};
    write_at(w, (uint8_t *)(record + 1), sizeof *record);
    return record;
}

void lf__write_end_record(lf__writer *w, lf__record *record)
{
    record->size = (uint32_t)(w->at - (uint8_t *)record);
}

void lf__write_text(lf__writer *w, lf__tag tag, const char *text)
{
    if (text == NULL)
        return;
    lf_value value = lf_text(text);
    lf__write(w, tag, &value);
}

void lf__write_whole(lf__writer *w, lf__tag tag, const char *text, size_t size)
{
    lf_value value = lf_strn(text, size);
    size_t room = lf__bytes_to(w->end, w->at);
    if (room >= LF__CAPTURE_MIN_ROOM && size <= room - sizeof(lf__field) - 8)
        lf__write(w, tag, &value);
    else
        lf__leave_out();
}

void lf__write_int(lf__writer *w, lf__tag tag, int64_t number)
{
    lf_value value = lf_int(number);
    lf__write(w, tag, &value);
}

void lf__write_prompt(lf__writer *w, const lf_prompt *prompt, const char *name, int version)
{
    if (prompt != NULL && lf__prompt_link(prompt)->is_fallback)
        return;
    if (prompt != NULL) {
        name = lf__prompt_link(prompt)->name;
        version = lf__prompt_link(prompt)->version;
    }
    if (name == NULL)
        return;
    lf__write_text(w, LF__TAG_PROMPT_NAME, name);
    lf__write_int(w, LF__TAG_PROMPT_VERSION, version);
}

const lf_observation_fields *lf__observation_fields(const lf_observation_fields *given, lf_observation_fields *own)
{
    static const lf_observation_fields none;
    return given == NULL ? &none : lf__fields(given, own, sizeof *own, LF__SIZE_WITH(lf_observation_fields, client));
}

void lf__write_fields(lf__writer *w, const lf_observation_fields *fields)
{
    lf__write_text(w, LF__TAG_NAME, fields->name);
    if (fields->type != LF_TYPE_DEFAULT)
        lf__write_int(w, LF__TAG_TYPE, fields->type);
    if (fields->level != LF_LEVEL_UNSET)
        lf__write_int(w, LF__TAG_LEVEL, fields->level);
    lf__write_text(w, LF__TAG_STATUS_MESSAGE, fields->status_message);
    lf__write_text(w, LF__TAG_VERSION, fields->version);
    lf__write_text(w, LF__TAG_MODEL, fields->model);
    lf__write_set(w, LF__TAG_MODEL_PARAMETERS, &fields->model_parameters);
    lf__write_set(w, LF__TAG_USAGE, &fields->usage);
    lf__write_set(w, LF__TAG_USAGE_DETAILS, &fields->usage_details);
    lf__write_set(w, LF__TAG_COST_DETAILS, &fields->cost_details);
    lf__write_prompt(w, fields->prompt, fields->prompt_name, fields->prompt_version);
    if (fields->completion_start_time_ns > 0)
        lf__write_int(w, LF__TAG_COMPLETION_START, fields->completion_start_time_ns);
    lf__write_set(w, LF__TAG_METADATA, &fields->metadata);
    lf__write_set(w, LF__TAG_INPUT, &fields->input);
    lf__write_set(w, LF__TAG_OUTPUT, &fields->output);
}
