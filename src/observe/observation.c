#include "observation.h"

#include "../base/struct_size.h"
#include "../base/guest.h"
#include "../base/ids.h"
#include "../base/value.h"
#include "handle.h"

#include <string.h>

enum { OBSERVATION_TEXT_ID_MAX = 800 }; /* the server refuses longer ones: their digits are sent */

/* ---- Where an observation stands ---------------------------------------------------------------------------------- */

/* A text that is no id is kept beside the hash of it. */
static void observation_read_id(lf__writer *w, lf__tag tag, const char *text, uint8_t *out, size_t size)
{
    if (!lf__id_read(text, out, size))
        lf__write_whole(w, tag, text, strlen(text));
}

static bool observation_is_text(const char *id_text, size_t size)
{
    uint8_t id[16];
    return lf__id_given(id_text) && !lf__id_parse(id_text, id, size);
}

void lf__announce_names(const lf__record *record, const char *trace_id_text, const char *id_text)
{
    lf__writer w;
    bool trace = observation_is_text(trace_id_text, sizeof record->trace_id);
    bool own = observation_is_text(id_text, sizeof record->id) && strlen(id_text) <= OBSERVATION_TEXT_ID_MAX;
    if ((!trace && !own) || (record->flags & LF__FLAG_UNSAMPLED) != 0)
        return;
    lf__record names = *record; /* it may lie where the update is written */
    lf__record *update = lf__write_begin_record(&w, LF__RECORD_TRACE);
    if (update == NULL)
        return;
    memcpy(update->trace_id, names.trace_id, sizeof update->trace_id);
    update->client = names.client;
    update->flags = LF__FLAG_SILENT;
    if (trace)
        lf__write_whole(&w, LF__TAG_EXTERNAL_TRACE_ID, trace_id_text, strlen(trace_id_text));
    if (own) {
        char alias[sizeof names.id + OBSERVATION_TEXT_ID_MAX];
        size_t size = strlen(id_text);
        memcpy(alias, names.id, sizeof names.id);
        memcpy(alias + sizeof names.id, id_text, size);
        lf__write_whole(&w, LF__TAG_ALIAS, alias, sizeof names.id + size);
    }
    lf__write_end_record(&w, update);
    lf__submit_record(w.segment, update);
}

void lf__place_in_trace(lf__writer *w, lf__record *record, const char *trace_id_text, const char *parent_text)
{
    uint8_t trace_id[16];
    if (!lf__id_given(trace_id_text))
        return;
    observation_read_id(w, LF__TAG_EXTERNAL_TRACE_ID, trace_id_text, trace_id, sizeof trace_id);
    bool other = memcmp(record->trace_id, trace_id, sizeof trace_id) != 0;
    memcpy(record->trace_id, trace_id, sizeof trace_id);
    if (lf__id_given(parent_text)) {
        observation_read_id(w, LF__TAG_EXTERNAL_PARENT_ID, parent_text, record->parent_id, sizeof record->parent_id);
        record->flags |= LF__FLAG_APP_ROOT;
    } else if (other) {
        memset(record->parent_id, 0, sizeof record->parent_id);
        record->flags |= LF__FLAG_APP_ROOT;
    }
    if (other)
        record->flags = (uint16_t)((record->flags & ~(LF__FLAG_UNSAMPLED | LF__FLAG_REMOTE_PARENT)) |
                                   (lf__client_keeps(record->client, trace_id) ? 0 : LF__FLAG_UNSAMPLED));
}

void lf__place_at_client(lf__record *record, const lf_client *client)
{
    uint32_t index = lf__client_index(client);
    if (client == NULL || index == record->client)
        return;
    /* The observations around it are in another project. */
    record->client = index;
    memset(record->parent_id, 0, sizeof record->parent_id);
    record->flags = (uint16_t)(LF__FLAG_APP_ROOT | (lf__client_keeps(index, record->trace_id) ? 0 : LF__FLAG_UNSAMPLED));
}

/* ---- Handles ------------------------------------------------------------------------------------------------------ */

static void observation_copy_attributes(lf__writer *w, lf__record *record, const lf__frame *frame)
{
    size_t size = frame == NULL ? 0 : frame->attributes_size;
    if (size == 0 || size > lf__bytes_to(w->end, w->at) / 2)
        return;
    memcpy(w->at, (const uint8_t *)w->segment + frame->attributes, size);
    w->at += size;
    record->flags |= LF__FLAG_ATTRIBUTES;
}

/* A record with all that `fields` say, above the stack. */
static lf__record *observation_begin(lf__writer *w, const lf_observation_fields *fields, lf_type type)
{
    lf__record *record = lf__write_begin_record(w, LF__RECORD_OBSERVATION);
    if (record == NULL)
        return NULL;
    lf__segment *segment = w->segment;
    lf__frame *below = lf__stack_top(segment);
    lf__record parent;
    lf__stack_derive(segment, below, record);
    if (fields->parent != NULL && lf__handle_header(fields->parent, &parent)) {
        memcpy(record->trace_id, parent.trace_id, sizeof record->trace_id);
        memcpy(record->parent_id, parent.id, sizeof record->parent_id);
        record->client = parent.client;
        record->flags = parent.flags & LF__FLAG_UNSAMPLED;
        lf__place_at_client(record, fields->client);
    } else {
        if (fields->parent != NULL)
            lf__count(&segment->misused);
        lf__place_at_client(record, fields->client);
        lf__place_in_trace(w, record, fields->trace_id, fields->parent_observation_id);
    }
    record->type = (uint8_t)type;
    lf__stack_random_id(segment, record->id, sizeof record->id);
    if (lf__id_given(fields->id))
        observation_read_id(w, LF__TAG_EXTERNAL_ID, fields->id, record->id, sizeof record->id);
    if ((record->flags & LF__FLAG_UNSAMPLED) == 0) {
        observation_copy_attributes(w, record, below);
        lf__write_fields(w, fields);
    }
    lf__write_end_record(w, record);
    lf__count(&segment->begun);
    record->start_ns = fields->start_time_ns > 0 ? (uint64_t)fields->start_time_ns : lf__monotonic_ns();
    if (fields->start_time_ns > 0)
        record->flags |= LF__FLAG_WALL_START;
    return record;
}

lf_observation *lf__observation_start(const lf_observation_fields *given, bool current)
{
    lf_observation_fields own;
    const lf_observation_fields *fields = lf__observation_fields(given, &own);
    lf__writer w;
    lf_type type = fields->type == LF_TYPE_DEFAULT ? LF_SPAN : fields->type;
    lf__record *record = observation_begin(&w, fields, type);
    if (record == NULL)
        return NULL;
    LF__KEEP_ERRNO;
    lf_observation *handle = lf__handle_new(w.segment, record);
    if (handle == NULL) {
        lf__count(&w.segment->ended);
        lf__count((record->flags & LF__FLAG_UNSAMPLED) != 0 ? &w.segment->ignored : &w.segment->dropped_deep);
        return NULL;
    }
    lf__record header = *record; /* other things are written over it */
    lf__announce_names(&header, fields->parent == NULL ? fields->trace_id : NULL, fields->id);
    if (current)
        lf__stack_push_handle(handle, &header);
    return handle;
}

static bool observation_end(lf_observation *handle, uint64_t end_ns, lf__record_flag flags)
{
    lf__segment *segment = lf__stack_here();
    if (segment == NULL)
        return false;
    if (!lf__handle_end(segment, handle, end_ns, flags)) {
        lf__count(&segment->misused);
        return false;
    }
    return true;
}

lf_observation *lf__observation_event(const lf_observation_fields *given)
{
    lf_observation_fields own;
    const lf_observation_fields *fields = lf__observation_fields(given, &own);
    lf__writer w;
    lf__record *record = observation_begin(&w, fields, LF_EVENT);
    if (record == NULL)
        return NULL;
    record->end_ns = record->start_ns;
    record->flags = (uint16_t)(record->flags | ((record->flags & LF__FLAG_WALL_START) != 0 ? LF__FLAG_WALL_END : 0));
    lf__record header = *record;
    LF__KEEP_ERRNO;
    lf_observation *handle = lf__handle_new(w.segment, record);
    if (handle == NULL)
        lf__submit_record(w.segment, record);
    lf__announce_names(&header, fields->parent == NULL ? fields->trace_id : NULL, fields->id);
    if (handle != NULL)
        (void)observation_end(handle, header.end_ns, (lf__record_flag)(header.flags & LF__FLAG_WALL_END));
    return handle;
}

void lf__observation_update(lf_observation *observation, const lf_observation_fields *fields)
{
    lf__writer w;
    lf_observation_fields own;
    if (!lf__write_begin_handle(&w, observation))
        return;
    lf__write_fields(&w, lf__observation_fields(fields, &own));
    lf__write_end(&w);
}

void lf__observation_end(lf_observation *observation, const lf_observation_fields *given)
{
    uint64_t end_ns = lf__monotonic_ns();
    lf__record_flag flags = 0;
    LF__KEEP_ERRNO;
    lf__writer w;
    lf_observation_fields own;
    const lf_observation_fields *fields = given == NULL ? NULL : lf__observation_fields(given, &own);
    if (fields != NULL && lf__write_begin_handle(&w, observation)) {
        lf__write_fields(&w, fields);
        /* Where another thread has ended it first, observation_end counts the misuse. */
        (void)lf__handle_append(observation, w.start, (size_t)(w.at - w.start), false);
    }
    if (fields != NULL && fields->end_time_ns > 0) {
        end_ns = (uint64_t)fields->end_time_ns;
        flags = LF__FLAG_WALL_END;
    }
    if (observation_end(observation, end_ns, flags))
        (void)lf__stack_top(lf__thread); /* takes it off this thread's stack if it was current here */
}

void lf__observation_append(lf_observation *observation, const char *text, size_t size)
{
    lf__writer w;
    if (!lf__write_begin_handle(&w, observation))
        return;
    if (lf__handle_first_piece(observation)) {
        lf_value now = lf_uint(lf__monotonic_ns());
        lf__write(&w, LF__TAG_COMPLETION_START, &now);
    }
    lf_value piece = lf_strn(text, size);
    lf__write(&w, LF__TAG_OUTPUT_PIECE, &piece);
    lf__write_end(&w);
}

/* ---- The trace ---------------------------------------------------------------------------------------------------- */

/* The trace that is meant: named by text, or the one this thread is in. */
static bool observation_find_trace(lf__writer *w, lf__record *record, const lf_trace_fields *fields)
{
    const lf__frame *frame = lf__stack_current();
    if (frame != NULL) {
        memcpy(record->trace_id, frame->record.trace_id, sizeof record->trace_id);
        record->client = frame->record.client;
        record->flags = frame->record.flags & LF__FLAG_UNSAMPLED;
    }
    if (fields->client != NULL)
        record->client = lf__client_index(fields->client);
    if (!lf__id_given(fields->trace_id))
        return frame != NULL;
    observation_read_id(w, LF__TAG_EXTERNAL_TRACE_ID, fields->trace_id, record->trace_id, sizeof record->trace_id);
    record->flags = lf__client_keeps(record->client, record->trace_id) ? 0 : LF__FLAG_UNSAMPLED;
    return true;
}

void lf__trace_update(const lf_trace_fields *given)
{
    lf__writer w;
    lf_trace_fields own;
    lf__record *record = lf__write_begin_record(&w, LF__RECORD_TRACE);
    if (record == NULL)
        return;
    const lf_trace_fields *fields = lf__fields(given, &own, sizeof own, LF__SIZE_WITH(lf_trace_fields, client));
    if (!observation_find_trace(&w, record, fields) || (record->flags & LF__FLAG_UNSAMPLED) != 0)
        return;
    lf__write_text(&w, LF__TAG_TRACE_NAME, fields->name);
    lf__write_text(&w, LF__TAG_USER_ID, fields->user_id);
    lf__write_text(&w, LF__TAG_SESSION_ID, fields->session_id);
    lf__write_text(&w, LF__TAG_VERSION, fields->version);
    lf__write_text(&w, LF__TAG_RELEASE, fields->release);
    lf__write_set(&w, LF__TAG_TRACE_TAGS, &fields->tags);
    lf__write_set(&w, LF__TAG_TRACE_METADATA, &fields->metadata);
    lf__write_set(&w, LF__TAG_TRACE_INPUT, &fields->input);
    lf__write_set(&w, LF__TAG_TRACE_OUTPUT, &fields->output);
    if (fields->public_ != LF_DEFAULT) {
        lf_value is_public = lf_bool(fields->public_ == LF_ON);
        lf__write(&w, LF__TAG_TRACE_PUBLIC, &is_public);
    }
    record->start_ns = lf__monotonic_ns();
    lf__write_end_record(&w, record);
    if (record->size != sizeof *record)
        lf__submit_record(w.segment, record);
}
