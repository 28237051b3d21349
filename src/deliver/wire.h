/* The encoder interface: records in, request bodies out. Encoders are pure: no I/O, no clock, no globals.
 *
 * Each observation is encoded by itself, so that a batch can be cut anywhere between two observations and halved without
 * encoding again: body = head(bytes of all items) + items + tail.
 */
#ifndef LF_SRC_WIRE_H
#define LF_SRC_WIRE_H

#include "../base/config.h"
#include "../observe/record.h"

/* The latest event about a trace. */
typedef struct lf__wire_event {
    uint8_t trace_id[16];
    uint64_t wall_ns;  /* when it was */
    uint64_t given_ms; /* when it was as the server is told; 0: there was none */
} lf__wire_event;

/* Of the traces that came last: by the last byte of their ids, where a newer one takes the place of an older. Begins as zero. */
typedef struct lf__wire_times {
    lf__wire_event traces[256];
} lf__wire_times;

typedef struct lf__wire_context {
    const lf__config *config;
    int64_t wall_offset_ns; /* wall clock minus monotonic clock */
    const lf__record *trace; /* what lf_update_current_trace said of the record's trace, or NULL */
    lf__buf *scratch;       /* for text whose length must be known first; made by lf__buf_init */
    lf__wire_times *times;  /* of batches of events; NULL: their times are as they are */
    bool keeps_ids;         /* an id that the program gave goes out as it is, if the format takes it */
} lf__wire_context;

typedef struct lf__wire {
    const char *content_type;
    const char *separator; /* between two items: "," for JSON, "" for protobuf */
    const char *noun;      /* of an item */
    const char *not_found; /* the likely cause of a 404 or a 405 */
    size_t items_max;      /* in a request */
    size_t answer_max;     /* bytes of an answer that are kept */
    bool takes_all;        /* scores and updates of traces are items, too */
    bool judges_events;    /* a 207 judges each event of an item by itself */
    /* Append one observation. False: over a ceiling, or no memory, which no_memory of `out` or of the scratch buffer then says;
     * `out` is otherwise as it was before. */
    bool (*item)(lf__buf *out, const lf__record *record, const lf__wire_context *context);
    /* Likewise. */
    bool (*head)(lf__buf *out, const lf__config *config, size_t items_size);
    bool (*tail)(lf__buf *out);
} lf__wire;

extern const lf__wire lf__wire_otlp_protobuf;
extern const lf__wire lf__wire_otlp_json;
extern const lf__wire lf__wire_ingestion; /* batches of events for /api/public/ingestion: scores, and everything else too */

#endif
