/* A record: one observation as it lies in a thread's memory, in the ring and in the worker's queue. Plain bytes without
 * pointers, so that it can cross threads, be copied with memcpy, and later live in a mapped file. A header is followed by
 * fields; where a tag repeats, the later field wins unless the tag says that they add up.
 */
#ifndef LF_SRC_RECORD_H
#define LF_SRC_RECORD_H

#include "buf.h"
#include "site.h"

enum { LF__RECORD_ALIGN = 8 };

typedef enum lf__record_kind {
    LF__RECORD_PAD = 0,     /* filler up to the end of the ring: skip `size` bytes */
    LF__RECORD_OBSERVATION = 1
} lf__record_kind;

typedef enum lf__record_flag {
    LF__FLAG_APP_ROOT = 1,    /* the first observation of its trace in this process */
    LF__FLAG_WALL_START = 2,  /* start_ns is wall-clock time, given by the user; otherwise monotonic */
    LF__FLAG_WALL_END = 4,
    LF__FLAG_ABANDONED = 8,   /* its scope was skipped by longjmp or left open by its thread */
    LF__FLAG_INTERRUPTED = 16 /* still open when the process exited */
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
    LF__TAG_COUNT
} lf__tag;

/* Fields as stored. Kinds that occur: NULL BOOL INT UINT INT128 UINT128 FLOAT DOUBLE CHAR POINTER (payload 8 bytes, 16 for
 * the 128-bit ones, low half first; FLOAT is stored as a double), STRING and JSON (payload `length` bytes, not
 * terminated), SECRET (no payload), OPAQUE (8 bytes: its size), ARRAY (payload: lf__array_head, then the elements as they
 * lay in memory; elements of kind STRING are stored as JSON instead, so ARRAY holds numbers, bools and chars only). */
typedef struct lf__field {
    uint8_t tag;
    uint8_t kind; /* lf_kind */
    uint16_t index;
    uint32_t length; /* payload bytes; the next field starts at the next multiple of 8 */
} lf__field;

typedef struct lf__array_head {
    uint16_t element; /* lf_kind: BOOL INT UINT FLOAT DOUBLE CHAR */
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

/* The fields of a record by meaning: the winning one of each tag. Arguments, pieces and metadata are read with next(). */
typedef struct lf__view {
    const lf__record *record;
    const lf__site *site; /* never NULL */
    const lf__field *last[LF__TAG_COUNT];
    bool pieces_win; /* output pieces came after the last whole output */
} lf__view;

/* First field (after == NULL) or the one after `after`; NULL at the end. */
const lf__field *lf__record_next(const lf__record *record, const lf__field *after);
void lf__record_view(lf__view *view, const lf__record *record);

/* Append a stored value as JSON text. LF_KIND_JSON that is not valid JSON is written as a string, and so are integers that
 * a double cannot hold. */
bool lf__field_json(lf__buf *out, const lf__field *field);
/* Append it the way an attribute carries it: text as it is (repaired), anything else as JSON text. */
bool lf__field_text(lf__buf *out, const lf__field *field);
/* Append the input made of the argument fields: {"name":value,...}. */
bool lf__view_arguments_json(lf__buf *out, const lf__view *view);

#endif
