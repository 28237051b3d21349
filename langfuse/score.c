#include "score.h"

#include "../src/base/struct_size.h"
#include "../src/base/hash.h"
#include "../src/base/ids.h"
#include "../src/base/json.h"
#include "../src/base/once.h"
#include "../src/base/real.h"
#include "../src/deliver/worker.h"
#include "../src/observe/handle.h"
#include "../src/observe/write.h"

/* Refusals, each said once. */
typedef enum score_problem {
    SCORE_NO_NAME,
    SCORE_NO_VALUE,
    SCORE_NO_TARGET,
    SCORE_TWO_TARGETS,
    SCORE_CORRECTS,
    SCORE_VALUE,
    SCORE_PROBLEMS
} score_problem;

static lf_status score_refuse(score_problem problem, const char *name)
{
    static const char *const texts[SCORE_PROBLEMS] = {
        [SCORE_NO_NAME] = "a score without a name is not sent",
        [SCORE_NO_VALUE] = "a score without a value is not sent: it needs .value or .string_value",
        [SCORE_NO_TARGET] = "a score without a target is not sent: it needs trace_id, observation, session_id or dataset_run_id",
        [SCORE_TWO_TARGETS] = "a score with two targets is not sent: one of trace_id, session_id, dataset_run_id",
        [SCORE_CORRECTS] =
            "a correction of a session or a dataset run is not sent: the server takes those of traces and observations only",
        [SCORE_VALUE] = ("a score whose value does not fit its type is not sent: numeric takes .value (not NaN or infinite),"
                         " boolean 0 or 1, the others .string_value (text: 1 to 500 UTF-16 units)"),
    };
    if (lf__first_time(lf__cause(0, texts[problem], NULL)))
        lf__client_tell(0, LF__LOG_WARNING, "%s (score \"%.40s\")", texts[problem], name == NULL ? "" : name);
    return LF_ERR_ARGUMENT;
}

/* As the server counts: in UTF-16 units, two for a character of four bytes in UTF-8. A byte that is no UTF-8 is sent as one
 * character. */
static size_t score_units(const char *text)
{
    size_t count = 0, size = strlen(text);
    for (size_t at = 0; at < size; at++, count++) {
        size_t valid = at + lf__utf8_valid_prefix(text + at, size - at);
        for (; at < valid; at++)
            count += (unsigned char)text[at] >= 0xf0 ? 2 : ((unsigned char)text[at] & 0xc0) != 0x80;
        if (at == size)
            break;
    }
    return count;
}

static bool score_value_fits(const lf_score_fields *fields)
{
    enum { TEXT_MAX = 500 }; /* the server's limit */
    uint64_t bits = lf__real_bits(fields->value);
    int64_t whole;
    switch (fields->data_type) {
    case LF_SCORE_DEFAULT: return fields->string_value != NULL || lf__real_is_finite(bits);
    case LF_SCORE_NUMERIC: return fields->string_value == NULL && lf__real_is_finite(bits);
    case LF_SCORE_BOOLEAN: return fields->string_value == NULL && lf__real_is_whole(bits, &whole) && (whole == 0 || whole == 1);
    case LF_SCORE_CATEGORICAL:
    case LF_SCORE_CORRECTION: return fields->string_value != NULL;
    case LF_SCORE_TEXT: break;
    }
    size_t size = fields->string_value == NULL ? 0 : score_units(fields->string_value);
    return fields->data_type == LF_SCORE_TEXT && size >= 1 && size <= TEXT_MAX;
}

/* Write what the score judges. Ids go into the header, so that a score is sampled, and dropped, with its trace. */
static bool score_aim(lf__writer *w, lf__record *score, const lf_score_fields *fields)
{
    lf__record header;
    if (fields->observation != NULL && lf__handle_header(fields->observation, &header)) {
        memcpy(score->trace_id, header.trace_id, sizeof score->trace_id);
        memcpy(score->id, header.id, sizeof score->id);
        score->client = header.client;
        score->flags = header.flags & LF__FLAG_UNSAMPLED;
        return true;
    }
    if (!lf__id_given(fields->trace_id))
        return false;
    if (!lf__id_read(fields->trace_id, score->trace_id, sizeof score->trace_id))
        lf__write_whole(w, LF__TAG_EXTERNAL_TRACE_ID, fields->trace_id, strlen(fields->trace_id));
    if (lf__id_given(fields->observation_id) && !lf__id_read(fields->observation_id, score->id, sizeof score->id))
        lf__write_whole(w, LF__TAG_EXTERNAL_ID, fields->observation_id, strlen(fields->observation_id));
    score->flags = lf__client_keeps(score->client, score->trace_id) ? 0 : LF__FLAG_UNSAMPLED;
    return true;
}

/* The last valid environment that the scopes around set. */
static const lf__field *score_environment(const lf__segment *segment, const lf__frame *frame)
{
    const lf__field *field = NULL, *last = NULL;
    if (frame == NULL)
        return NULL;
    const uint8_t *attributes = (const uint8_t *)segment + frame->attributes;
    while ((field = lf__fields_next(attributes, frame->attributes_size, field)) != NULL)
        last = field->tag == LF__TAG_ENVIRONMENT && lf__propagated_valid(field) ? field : last;
    return last;
}

/* Its own or that of the scope around. One that breaks the rules is left out, and said, or the server would refuse the score. */
static void score_write_environment(lf__writer *w, lf__record *score, const lf_score_fields *fields, const lf__frame *frame)
{
    const lf__field *around = score_environment(w->segment, frame);
    lf_value environment = fields->environment != NULL ? lf_text(fields->environment)
                           : around != NULL            ? lf_strn(lf__field_payload(around), around->length)
                                                       : lf_null();
    if (environment.kind == LF_KIND_NULL)
        return;
    w->index = LF__MARK_PROPAGATED;
    lf__write(w, LF__TAG_ENVIRONMENT, &environment);
    w->index = 0;
    score->flags |= LF__FLAG_ATTRIBUTES;
}

static void score_write(lf__writer *w, const lf_score_fields *fields)
{
    static const char *const types[] = {[LF_SCORE_DEFAULT] = NULL,      [LF_SCORE_NUMERIC] = "NUMERIC",
                                        [LF_SCORE_BOOLEAN] = "BOOLEAN", [LF_SCORE_CATEGORICAL] = "CATEGORICAL",
                                        [LF_SCORE_TEXT] = "TEXT",       [LF_SCORE_CORRECTION] = "CORRECTION"};
    lf__write_text(w, LF__TAG_NAME, fields->name);
    lf_value value = fields->string_value != NULL ? lf_text(fields->string_value) : lf_double(fields->value);
    lf__write(w, LF__TAG_SCORE_VALUE, &value);
    lf__write_text(w, LF__TAG_SCORE_DATA_TYPE, types[fields->data_type]);
    lf__write_text(w, LF__TAG_SCORE_ID, fields->id);
    lf__write_text(w, LF__TAG_SCORE_CONFIG_ID, fields->config_id);
    lf__write_text(w, LF__TAG_SCORE_COMMENT, fields->comment);
    if (fields->metadata.kind != LF_KIND_UNSET)
        lf__write(w, LF__TAG_METADATA, &fields->metadata);
}

/* A later score with the same id replaces the one before, but a server compares milliseconds. So each id gets a later millisecond
 * than it had last, as far as a small table remembers: an id that was pushed out of it has not been given a moment ago. */
static uint64_t score_time(const char *id)
{
    enum { PLACES = 256, TIME_BITS = 48, MILLISECOND = 1000 };
    static _Atomic uint64_t places[PLACES]; /* 16 bits of the id's hash, and microseconds */
    uint64_t now = lf__monotonic_ns(), hash = lf__hash(LF__HASH, lf__text_of(id)), mask = ((uint64_t)1 << TIME_BITS) - 1;
    if (!lf__id_given(id))
        return now;
    _Atomic uint64_t *place = &places[hash % PLACES];
    uint64_t before = atomic_load(place), time;
    do {
        bool known = before != 0 && before >> TIME_BITS == hash >> TIME_BITS;
        uint64_t earliest = known ? (before & mask) + MILLISECOND : 0;
        time = now / 1000 > earliest ? now / 1000 : earliest;
    } while (!atomic_compare_exchange_weak(place, &before, (hash & ~mask) | (time & mask)));
    return time * 1000;
}

static lf_status score_submit(lf__writer *w, lf__record *score, const lf_score_fields *fields, const lf__frame *frame)
{
    score_write(w, fields);
    score_write_environment(w, score, fields, frame);
    lf__write_end_record(w, score);
    score->start_ns = fields->timestamp_ns > 0 ? (uint64_t)fields->timestamp_ns : score_time(fields->id);
    if (fields->timestamp_ns > 0)
        score->flags |= LF__FLAG_WALL_START;
    lf__count(&w->segment->begun);
    lf__submit_record(w->segment, score);
    lf__worker_heed(w->segment);
    return LF_OK;
}

static lf_status score_check(const lf_score_fields *fields)
{
    if (!lf__id_given(fields->name))
        return score_refuse(SCORE_NO_NAME, NULL);
    if (fields->string_value == NULL && lf__real_class(lf__real_bits(fields->value)) == LF__REAL_NAN)
        return score_refuse(SCORE_NO_VALUE, fields->name);
    return score_value_fits(fields) ? LF_OK : score_refuse(SCORE_VALUE, fields->name);
}

/* A record for the score, of the client of the scope around. NULL: observing is off, or there is no memory. */
static lf__record *score_begin(lf__writer *w, const lf_score_fields *fields, const lf__frame **out_frame)
{
    if (fields == NULL || lf_i_mode() < LF_I_ON)
        return NULL;
    lf__record *score = lf__write_begin_record(w, LF__RECORD_SCORE);
    if (score == NULL)
        return NULL;
    *out_frame = lf__stack_top(w->segment);
    score->client = fields->client != NULL ? lf__client_index(fields->client)
                    : *out_frame != NULL   ? (*out_frame)->record.client
                                           : 0;
    return score;
}

static const lf_score_fields *score_fields(const lf_score_fields *given, lf_score_fields *own)
{
    return given == NULL ? NULL : lf__fields(given, own, sizeof *own, LF__SIZE_WITH(lf_score_fields, client));
}

lf_status lf_create_score_with(const lf_score_fields *given)
{
    lf__writer w;
    const lf__frame *frame;
    lf_score_fields own;
    const lf_score_fields *fields = score_fields(given, &own);
    lf__record *score = score_begin(&w, fields, &frame);
    if (score == NULL)
        return LF_ERR_DISABLED;
    lf_status status = score_check(fields);
    if (status != LF_OK)
        return status;
    bool trace = score_aim(&w, score, fields);
    int targets = trace + lf__id_given(fields->session_id) + lf__id_given(fields->dataset_run_id);
    if (targets != 1)
        return score_refuse(targets == 0 ? SCORE_NO_TARGET : SCORE_TWO_TARGETS, fields->name);
    if (!trace && fields->data_type == LF_SCORE_CORRECTION) /* answered with 201, and then dropped */
        return score_refuse(SCORE_CORRECTS, fields->name);
    if (!trace) {
        /* Scores of no trace must not share one: they would be dropped together. */
        lf__stack_random_id(w.segment, score->trace_id, sizeof score->trace_id);
        score->flags = lf__client_is_on(score->client) ? LF__FLAG_NO_TRACE : LF__FLAG_UNSAMPLED;
        lf__write_text(&w, LF__TAG_SESSION_ID, fields->session_id);
        lf__write_text(&w, LF__TAG_SCORE_RUN_ID, fields->dataset_run_id);
    }
    return score_submit(&w, score, fields, frame);
}

static lf_status score_current(const lf_score_fields *given, bool whole_trace)
{
    lf__writer w;
    const lf__frame *frame;
    lf_score_fields own;
    const lf_score_fields *fields = score_fields(given, &own);
    lf__record *score = score_begin(&w, fields, &frame);
    if (score == NULL)
        return LF_ERR_DISABLED;
    lf_status status = score_check(fields);
    if (status != LF_OK)
        return status;
    if (frame == NULL || (frame->record.flags & LF__FLAG_NO_TRACE) != 0)
        return score_refuse(SCORE_NO_TARGET, fields->name);
    memcpy(score->trace_id, frame->record.trace_id, sizeof score->trace_id);
    if (!whole_trace)
        memcpy(score->id, frame->record.id, sizeof score->id);
    score->client = frame->record.client;
    score->flags = frame->record.flags & LF__FLAG_UNSAMPLED;
    return score_submit(&w, score, fields, frame);
}

lf_status lf_score_current_observation_with(const lf_score_fields *fields)
{
    return score_current(fields, false);
}

lf_status lf_score_current_trace_with(const lf_score_fields *fields)
{
    return score_current(fields, true);
}
