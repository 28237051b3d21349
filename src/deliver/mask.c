#include "mask.h"

#include "../base/json.h"

#include <string.h>

#define MASK_FAILED "<fully masked due to failed mask function>"

/* What lf_masked.replacement points to. */
typedef struct mask_replacement {
    lf__buf text;
    bool given;
    bool failed;
    bool is_json;
} mask_replacement;

typedef struct mask_job {
    const lf__config *config;
    lf__view view;
    lf__buf *out;
    lf__buf shown; /* values that must be written out for the hook to see */
    mask_replacement replacement;
} mask_job;

bool lf__mask_replace(lf_masked *value, const char *text, size_t size, bool is_json)
{
    if (value == NULL || value->replacement == NULL)
        return false;
    mask_replacement *to = value->replacement;
    lf__buf_clear(&to->text);
    to->given = true;
    to->failed = (text == NULL && size > 0) || !lf__size_is_possible(size) || !lf__buf_add(&to->text, text, size);
    to->is_json = !to->failed && is_json && lf__json_valid(text, size);
    return !to->failed;
}

/* The name that the hook knows the field by; NULL for fields that are not masked. */
static const char *mask_name(unsigned tag)
{
    switch (tag) {
    case LF__TAG_ARGUMENT:
    case LF__TAG_INPUT: return "input";
    case LF__TAG_OUTPUT_PIECE:
    case LF__TAG_OUTPUT: return "output";
    case LF__TAG_METADATA: return "metadata";
    case LF__TAG_STATUS_MESSAGE: return "status_message";
    case LF__TAG_TRACE_INPUT: return "trace.input";
    case LF__TAG_TRACE_OUTPUT: return "trace.output";
    case LF__TAG_TRACE_METADATA: return "trace.metadata";
    case LF__TAG_SCORE_VALUE: return "score.value";
    case LF__TAG_SCORE_COMMENT: return "score.comment";
    default: return NULL;
    }
}

static void mask_add_field(lf__buf *out, unsigned tag, unsigned index, lf_kind kind, const void *payload, size_t size)
{
    static const char zeros[LF__RECORD_ALIGN] = {0};
    lf__field field = {.tag = (uint8_t)tag, .kind = (uint8_t)kind, .index = (uint16_t)index, .length = (uint32_t)size};
    lf__buf_add(out, &field, sizeof field);
    lf__buf_add(out, payload, size);
    lf__buf_add(out, zeros, lf__align8(size) - size);
}

static void mask_copy_field(lf__buf *out, const lf__field *field)
{
    mask_add_field(out, field->tag, field->index, (lf_kind)field->kind, lf__field_payload(field), field->length);
}

/* True when the value may go out as it is. Otherwise it is in job->replacement, or its masking failed. */
static bool mask_call_hook(mask_job *job, unsigned tag, const char *text, size_t size, bool is_json)
{
    mask_replacement *replacement = &job->replacement;
    lf__buf_clear(&replacement->text);
    replacement->given = replacement->failed = replacement->is_json = false;
    lf_masked value = {
        .field = mask_name(tag), .text = size > 0 ? text : "", .size = size, .is_json = is_json, .replacement = replacement};
    bool ok = lf__gate_enter(job->config->gate);
    if (ok) {
        ok = job->config->mask(job->config->mask_data, &value);
        lf__gate_leave(job->config->gate);
    }
    replacement->failed = replacement->failed || !ok; /* also when the hook may not be called any more */
    return !replacement->failed && !replacement->given;
}

static void mask_add_replacement(mask_job *job, unsigned tag, unsigned index)
{
    const mask_replacement *from = &job->replacement;
    if (from->failed) {
        mask_add_field(job->out, tag, index, LF_KIND_STRING, MASK_FAILED, sizeof MASK_FAILED - 1);
        return;
    }
    /* Those of scores, and status messages, are text, whatever the text looks like. */
    bool is_text = tag == LF__TAG_SCORE_VALUE || tag == LF__TAG_SCORE_COMMENT || tag == LF__TAG_STATUS_MESSAGE;
    bool is_json = from->is_json && !is_text;
    mask_add_field(job->out, tag, index, is_json ? LF_KIND_JSON : LF_KIND_STRING, from->text.data, from->text.length);
}

/* Show what lies in job->shown and add it, or what the hook made of it, as a field. */
static void mask_add_shown(mask_job *job, unsigned tag, lf_kind kind)
{
    bool unchanged = false;
    if (job->shown.failed)
        job->replacement.failed = true;
    else
        unchanged = mask_call_hook(job, tag, job->shown.data, job->shown.length, kind == LF_KIND_JSON);
    if (unchanged)
        mask_add_field(job->out, tag, 0, kind, job->shown.data, job->shown.length);
    else
        mask_add_replacement(job, tag, 0);
}

static void mask_add_arguments(mask_job *job)
{
    lf__buf_clear(&job->shown);
    lf__view_arguments_json(&job->shown, &job->view);
    mask_add_shown(job, LF__TAG_INPUT, LF_KIND_JSON);
}

static void mask_add_pieces(mask_job *job)
{
    lf__buf_clear(&job->shown);
    for (const lf__field *field = job->view.last[LF__TAG_OUTPUT]; (field = lf__record_next(job->view.record, field)) != NULL;)
        if (field->tag == LF__TAG_OUTPUT_PIECE)
            lf__buf_add(&job->shown, lf__field_payload(field), field->length);
    mask_add_shown(job, LF__TAG_OUTPUT, LF_KIND_STRING);
}

/* A field that stands for itself. The hook sees what will be sent: text, or JSON text. */
static void mask_add_value(mask_job *job, const lf__field *field)
{
    const char *text = lf__field_payload(field);
    size_t size = field->length;
    bool is_json = field->kind == LF_KIND_JSON && lf__json_valid(text, size), unchanged = false, ready = true;
    if (field->kind != LF_KIND_STRING && field->kind != LF_KIND_JSON) {
        lf__buf_clear(&job->shown);
        ready = lf__field_text(&job->shown, field);
        text = job->shown.data;
        size = job->shown.length;
        is_json = field->kind != LF_KIND_CHAR;
    }
    if (ready)
        unchanged = mask_call_hook(job, field->tag, text, size, is_json);
    else
        job->replacement.failed = true;
    if (unchanged)
        mask_copy_field(job->out, field);
    else
        mask_add_replacement(job, field->tag, field->index);
}

/* Of what does not add up only the last one counts; what it replaced must not lie around unmasked. */
static bool mask_is_replaced(const lf__view *view, const lf__field *field)
{
    switch (field->tag) {
    case LF__TAG_ARGUMENT: return view->last[LF__TAG_INPUT] != NULL || view->last[LF__TAG_ARGUMENT] != field;
    case LF__TAG_OUTPUT_PIECE: return !view->pieces_win || view->last[LF__TAG_OUTPUT_PIECE] != field;
    case LF__TAG_OUTPUT: return view->pieces_win || view->last[LF__TAG_OUTPUT] != field;
    case LF__TAG_METADATA:
    case LF__TAG_TRACE_METADATA: return false;
    default: return view->last[field->tag] != field;
    }
}

static void mask_field(mask_job *job, const lf__field *field)
{
    bool is_text = field->kind == LF_KIND_STRING || field->kind == LF_KIND_JSON;
    if (mask_name(field->tag) == NULL)
        mask_copy_field(job->out, field);
    else if (mask_is_replaced(&job->view, field))
        return;
    else if (field->tag == LF__TAG_ARGUMENT)
        mask_add_arguments(job);
    else if (field->tag == LF__TAG_OUTPUT_PIECE)
        mask_add_pieces(job);
    else if (!lf__field_is_set(field) || (field->tag == LF__TAG_SCORE_VALUE && !is_text))
        mask_copy_field(job->out, field);
    else
        mask_add_value(job, field);
}

const lf__record *lf__mask_record(lf__buf *out, const lf__record *record, const lf__config *config)
{
    if (config->mask == NULL)
        return record;
    mask_job job = {.config = config, .out = out};
    lf__buf_init(&job.shown, out->limit);
    lf__buf_init(&job.replacement.text, out->limit);
    lf__record_view(&job.view, record, NULL);

    lf__buf_clear(out);
    lf__buf_add(out, record, sizeof *record);
    for (const lf__field *field = NULL; (field = lf__record_next(record, field)) != NULL && !out->failed;)
        mask_field(&job, field);
    lf__buf_done(&job.shown);
    lf__buf_done(&job.replacement.text);
    if (out->failed || out->length > UINT32_MAX)
        return NULL;
    lf__record *masked = (lf__record *)(void *)out->data;
    masked->size = (uint32_t)out->length;
    return masked;
}
