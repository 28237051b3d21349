/* A record: one observation, score or update of a trace as it lies in a thread's memory, in the ring and in the worker's
 * queue. Plain bytes without pointers, so that it can cross threads, be copied with memcpy, and later live in a mapped file.
 * A header is followed by fields; where a tag repeats, the later field wins unless the tag says that they add up.
 */
#ifndef LF_SRC_RECORD_H
#define LF_SRC_RECORD_H

#include "../base/buf.h"
#include "site.h"

enum { LF__RECORD_ALIGN = 8 };

typedef enum lf__record_kind {
    LF__RECORD_PAD = 0,     /* filler where the ring leaves a part out: skip `size` bytes */
    LF__RECORD_OBSERVATION = 1,
    LF__RECORD_SCORE = 2, /* header: ids of its target, start_ns is its time; LF__FLAG_NO_TRACE: it is of no trace */
    LF__RECORD_TRACE = 3  /* what is to be said of the trace on each of its observations that is not sent yet */
} lf__record_kind;

typedef enum lf__record_flag {
    LF__FLAG_APP_ROOT = 1,    /* the first observation of its trace in this process */
    LF__FLAG_WALL_START = 2,  /* start_ns is wall-clock time, given by the user; otherwise monotonic */
    LF__FLAG_WALL_END = 4,
    LF__FLAG_ABANDONED = 8,   /* its scope was skipped by longjmp or left open by its thread */
    LF__FLAG_INTERRUPTED = 16, /* still open when the process exited */
    LF__FLAG_UNSAMPLED = 32,   /* its trace is not kept: it gives its ids to children, and is not sent */
    LF__FLAG_REMOTE_PARENT = 64, /* the parent came in a header from another process */
    LF__FLAG_NO_TRACE = 128,     /* of a context: attributes only; an observation that begins in it begins a trace */
    LF__FLAG_ATTRIBUTES = 256,   /* it has fields that were propagated to it */
    LF__FLAG_SILENT = 512        /* of an update of a trace: only the names that it has elsewhere, no event by itself */
} lf__record_flag;

typedef struct lf__record {
    uint32_t size; /* header and fields, a multiple of LF__RECORD_ALIGN */
    uint8_t kind;  /* lf__record_kind */
    uint8_t type;  /* lf_type */
    uint16_t flags;
    uint32_t site; /* interned call site (site.h), 0 for none */
    uint32_t client;
    uint64_t start_ns;
    uint64_t end_ns;
    uint8_t trace_id[16];
    uint8_t id[8];
    uint8_t parent_id[8]; /* all zero for none */
} lf__record;

typedef enum lf__tag {
    LF__TAG_ARGUMENT = 1, /* `index` is the position among the site's arguments; together they are the input */
    LF__TAG_INPUT,        /* a whole input, wins over arguments */
    LF__TAG_OUTPUT,
    LF__TAG_OUTPUT_PIECE, /* text; pieces are joined in order; a later LF__TAG_OUTPUT wins over earlier pieces */
    LF__TAG_NAME,
    LF__TAG_METADATA,     /* merged: each top-level key of an object by itself */
    LF__TAG_LEVEL,        /* lf_level as INT */
    LF__TAG_STATUS_MESSAGE,
    LF__TAG_VERSION,
    LF__TAG_MODEL,
    LF__TAG_MODEL_PARAMETERS,
    LF__TAG_USAGE_DETAILS,
    LF__TAG_COST_DETAILS,
    LF__TAG_COMPLETION_START, /* UINT, monotonic ns; INT, wall-clock ns given by the user */
    LF__TAG_PROMPT_NAME,
    LF__TAG_PROMPT_VERSION,
    LF__TAG_TYPE,             /* lf_type as INT, overrides the header's */
    LF__TAG_EXTERNAL_TRACE_ID, /* text from which the trace id was derived */
    LF__TAG_EXTERNAL_ID,      /* text from which the observation's id was derived */
    LF__TAG_EXTERNAL_PARENT_ID, /* likewise of its parent: the batch endpoint takes such ids as they are */
    LF__TAG_USAGE,            /* an object in any of the usual shapes; usage.h turns it into details */

    /* Of the trace. `index` holds lf__mark bits. */
    LF__TAG_USER_ID,
    LF__TAG_SESSION_ID,
    LF__TAG_TRACE_NAME,
    LF__TAG_TRACE_TAGS,     /* a JSON array of strings; they add up, each counts once */
    LF__TAG_TRACE_METADATA, /* merged like LF__TAG_METADATA */
    LF__TAG_TRACE_INPUT,
    LF__TAG_TRACE_OUTPUT,
    LF__TAG_TRACE_PUBLIC, /* BOOL */
    LF__TAG_ENVIRONMENT,
    LF__TAG_RELEASE,
    LF__TAG_ALIAS,      /* an observation's id (8 bytes), then the text it was derived from; they add up */
    LF__TAG_TRACESTATE, /* W3C tracestate, passed on */
    LF__TAG_BAGGAGE,    /* W3C baggage members that are not ours, passed on by lf_inject only */

    /* Of a score, besides NAME, METADATA, SESSION_ID, ENVIRONMENT, EXTERNAL_TRACE_ID, EXTERNAL_ID (of its observation). */
    LF__TAG_SCORE_ID,
    LF__TAG_SCORE_VALUE,     /* DOUBLE or STRING */
    LF__TAG_SCORE_DATA_TYPE, /* in the server's word; none: it decides by the value */
    LF__TAG_SCORE_COMMENT,
    LF__TAG_SCORE_CONFIG_ID,
    LF__TAG_SCORE_RUN_ID,    /* of a dataset run */
    LF__TAG_COUNT
} lf__tag;

/* Of fields that OBSERVE_ATTRIBUTES or baggage brought, in `index`. */
typedef enum lf__mark {
    LF__MARK_PROPAGATED = 1, /* must obey limits.h; dropped otherwise */
    LF__MARK_BAGGAGE = 2     /* leaves the process in the baggage header */
} lf__mark;

/* Fields as stored. Kinds that occur: NULL BOOL INT UINT INT128 UINT128 FLOAT DOUBLE CHAR POINTER (payload 8 bytes, 16 for
 * the 128-bit ones, low half first; FLOAT is stored as a double), STRING and JSON (payload `length` bytes, not
 * terminated), SECRET (no payload), OPAQUE (8 bytes: its size), ARRAY (payload: lf__array_head, then numbers or bools as they
 * lay in memory; an array of other elements is stored as JSON). */
typedef struct lf__field {
    uint8_t tag;
    uint8_t kind; /* lf_kind */
    uint16_t index;
    uint32_t length; /* payload bytes; the next field starts at the next multiple of 8 */
} lf__field;

typedef struct lf__array_head {
    uint16_t element; /* lf_kind: BOOL INT UINT FLOAT DOUBLE */
    uint16_t element_size;
    uint32_t count;
} lf__array_head;

static inline const void *lf__field_payload(const lf__field *field)
{
    return field + 1;
}

static inline size_t lf__align8(size_t size)
{
    return (size + 7u) & ~(size_t)7u;
}

/* Did OBSERVE_ATTRIBUTES or baggage bring it? The index of an argument is its position. */
static inline bool lf__is_propagated(const lf__field *field)
{
    return (field->index & LF__MARK_PROPAGATED) != 0 && field->tag != LF__TAG_ARGUMENT;
}

/* Is it valid JSON text that begins with this character? */
bool lf__field_is_json(const lf__field *field, char first);
/* Does the field say anything? A missing field and nulls of any kind do not. */
static inline bool lf__field_is_set(const lf__field *field)
{
    return field != NULL && field->kind != LF_KIND_NULL && field->kind != LF_KIND_UNSET && !lf__field_is_json(field, 'n');
}
/* May this field be sent? Always, unless it is propagated and breaks a limit of limits.h. Of tags and metadata the whole is
 * judged here (is it a list, an object), their items by lf__propagated_json. */
bool lf__propagated_valid(const lf__field *field);

/* The fields of a record by meaning: the winning one of each tag. Arguments, pieces and metadata are read with next(). */
typedef struct lf__view {
    const lf__record *record;
    const lf__record *trace; /* what lf_update_current_trace said, or NULL */
    const lf__site *site; /* never NULL */
    const lf__field *last[LF__TAG_COUNT];
    bool pieces_win; /* output pieces came after the last whole output */
} lf__view;

/* First field (after == NULL) or the one after `after`; NULL at the end. */
const lf__field *lf__fields_next(const void *fields, size_t size, const lf__field *after);
const lf__field *lf__record_next(const lf__record *record, const lf__field *after);
/* `trace` is an update of the observation's trace, or NULL: what it says wins over what was propagated. Propagated fields
 * that break a limit are skipped. */
void lf__record_view(lf__view *view, const lf__record *record, const lf__record *trace);
/* The fields that add up (metadata, trace metadata, tags, pieces): those of the record, then those of its trace. Fields that
 * break a limit are skipped. */
const lf__field *lf__view_next_of(const lf__view *view, lf__tag tag, const lf__field *after);

/* Append a stored value as JSON text, as lf__value_json does. */
bool lf__field_json(lf__buf *out, const lf__field *field);
/* Append it the way an attribute carries it: text as it is (repaired), anything else as JSON text. */
bool lf__field_text(lf__buf *out, const lf__field *field);
/* Append the input made of the argument fields: {"name":value,...}. */
bool lf__view_arguments_json(lf__buf *out, const lf__view *view);

#endif
