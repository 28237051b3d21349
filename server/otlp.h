/* Decoded OTLP trace exports: what both wire formats become before anything is interpreted.
 *
 * The two decoders are pure: bytes in, arrays in an arena out, no I/O. They report what a real server would refuse (`refusal`) or
 * lose behind a 200 (`lost`); they do not know what a Langfuse observation is.
 */
#ifndef LOCAL_OTLP_H
#define LOCAL_OTLP_H

#include "buf.h"

typedef enum otlp_kind {
    OTLP_STRING,
    OTLP_BOOL,
    OTLP_INT,
    OTLP_DOUBLE,
    OTLP_ARRAY,
    OTLP_JSON /* kept as the JSON text of the AnyValue: maps, bytes, arrays without values and empty values */
} otlp_kind;

typedef struct otlp_value {
    otlp_kind kind;
    union {
        text string; /* OTLP_STRING and OTLP_JSON */
        bool boolean;
        int64_t integer;
        double number;
        struct {
            struct otlp_value *items;
            size_t count;
        } array;
    } as;
} otlp_value;

typedef struct otlp_attribute {
    text key;
    otlp_value value;
} otlp_attribute;

/* A run of otlp_export.attributes. */
typedef struct otlp_attributes {
    size_t first, count;
} otlp_attributes;

/* A time that is not given. */
#define OTLP_NO_TIME INT64_MIN

/* One instrumentation scope within one resource. */
typedef struct otlp_scope {
    otlp_attributes resource, attributes;
    text name, version;
} otlp_scope;

typedef struct otlp_span {
    size_t scope; /* index into otlp_export.scopes */
    otlp_attributes attributes;
    text trace_id, id, parent_id; /* as JSON spells them; lower-case hex for protobuf bytes */
    text name, status_message;
    int64_t start_ns, end_ns; /* OTLP_NO_TIME: not given */
    int status_code;          /* 2 is an error */
} otlp_span;

/* Reasons of a refusal, in the order in which those of one span are listed. */
typedef enum otlp_reason {
    OTLP_TRACE_ID_ABSENT,
    OTLP_TRACE_ID_NOT_AN_ID,
    OTLP_SPAN_ID_ABSENT,
    OTLP_SPAN_ID_NOT_AN_ID,
    OTLP_PARENT_ID_NOT_AN_ID,
    OTLP_ATTRIBUTES_NOT_AN_ARRAY,
    OTLP_EVENTS_NOT_AN_ARRAY,
    OTLP_EVENT_ATTRIBUTES_NOT_AN_ARRAY,
    OTLP_RESOURCE_ATTRIBUTES_NOT_AN_ARRAY,
    OTLP_SCOPE_ATTRIBUTES_NOT_AN_ARRAY,
    OTLP_SCOPE_SPANS_NOT_AN_ARRAY,
    OTLP_SPANS_NOT_AN_ARRAY,
    OTLP_REASON_COUNT
} otlp_reason;

enum { OTLP_MAX_NAMED_SCOPES = 5 }; /* as many as a real server names in a refusal */

typedef struct otlp_export {
    arena *arena;
    otlp_scope *scopes;
    otlp_span *spans;
    otlp_attribute *attributes;
    size_t scope_count, span_count, attribute_count;

    bool empty;        /* there were no resource spans at all: nothing is queued */
    const char *lost;  /* why a real server answers 200 and stores nothing; NULL when it stores */
    size_t repairs;    /* strings that were not valid UTF-8 and were repaired */
    size_t bad_spans;  /* refused spans */
    size_t bad_fields; /* resource- and scope-level fields that should be arrays and are not */
    otlp_reason reasons[OTLP_REASON_COUNT]; /* of all refusals, each once, in the order in which they are met */
    size_t reason_count;
    text refused_scopes[OTLP_MAX_NAMED_SCOPES]; /* the names of scopes with refusals, each once */
    size_t refused_scope_count;
} otlp_export;

typedef enum otlp_status { OTLP_OK, OTLP_MALFORMED, OTLP_TOO_BIG } otlp_status;

/* Decode one export. The result lives in `a` and borrows from `body`; after anything but OTLP_OK it is meaningless. */
otlp_status otlp_pb_decode(arena *a, text body, otlp_export *out);
otlp_status otlp_json_decode(arena *a, text body, otlp_export *out);

/* Whether a real server refuses the export as a whole, with the text of its 400 in `out`. */
bool otlp_refused(const otlp_export *e, buf *out);

/* Building blocks of the decoders: append one empty item, NULL when out of memory; and note why a span (one bit for each reason), or
 * a field above the spans, is refused, with the name of its scope, which may be empty. */
otlp_scope *otlp_add_scope(otlp_export *e);
otlp_span *otlp_add_span(otlp_export *e);
otlp_attribute *otlp_add_attribute(otlp_export *e, otlp_attributes *owner);
void otlp_refuse_span(otlp_export *e, unsigned reasons, text scope);
void otlp_refuse_field(otlp_export *e, otlp_reason reason, text scope);

/* The value as the text a real server makes of it; may live in `a`. */
text otlp_text(arena *a, const otlp_value *value);

#endif
