/* The interface of encoders, from records to the bodies of requests. Encoders are pure: no I/O, no clock, no globals.
 *
 * Each record is encoded by itself, as an item, so that a batch can be cut between any two items and halved without encoding
 * again: body = head(bytes of all items) + items + tail.
 */
#ifndef LF_SRC_WIRE_H
#define LF_SRC_WIRE_H

#include "../base/config.h"
#include "../observe/record.h"

/* The latest event about a trace. */
typedef struct lf__wire_event {
    uint8_t trace_id[16];
    uint64_t wall_ns;  /* its time */
    uint64_t given_ms; /* the time that the server is told; 0: there is no event */
} lf__wire_event;

/* The scores of one id. */
typedef struct lf__wire_score {
    uint64_t key;     /* a hash of the id, and of the time that the program gave */
    uint64_t wall_ns; /* the time of the first one; 0: there is none */
    uint64_t later;   /* how many followed it */
} lf__wire_score;

/* Of the latest traces, and scores with ids. A trace's place is the last byte of its id, a score's that of its key; a newer one takes
 * the place of an older one. Begins as zero. */
typedef struct lf__wire_times {
    lf__wire_event traces[256];
    lf__wire_score scores[256];
} lf__wire_times;

typedef struct lf__wire_context {
    const lf__config *config;
    int64_t wall_offset_ns; /* wall clock minus monotonic clock */
    const lf__record *trace; /* what lf_update_current_trace said of the record's trace, or NULL */
    lf__buf *scratch;       /* for text whose length must be known first; made by lf__buf_init */
    lf__wire_times *times;  /* of events about traces, and of scores; NULL: these keep their times */
    bool keeps_ids;         /* an id goes out as the program gave it, if the format takes it */
} lf__wire_context;

typedef struct lf__wire {
    const char *content_type;
    const char *separator; /* between two items: "," for JSON, "" for protobuf */
    const char *noun;      /* of an item */
    const char *not_found; /* the likely cause of a 404 or a 405 */
    size_t items_max;      /* in a request */
    size_t answer_max;     /* bytes of an answer that are kept */
    bool takes_gzip;       /* servers take compressed requests */
    bool takes_all;        /* scores and updates of traces are items, too */
    bool judges_events;    /* a 207 judges each event of an item by itself */
    /* Append one item. False, with `out` as it was before: over a ceiling, or no memory, as no_memory of `out` or of the scratch
     * buffer says then. */
    bool (*item)(lf__buf *out, const lf__record *record, const lf__wire_context *context);
    /* Likewise. */
    bool (*head)(lf__buf *out, const lf__config *config, size_t items_size);
    bool (*tail)(lf__buf *out);
} lf__wire;

extern const lf__wire lf__wire_otlp_protobuf;
extern const lf__wire lf__wire_otlp_json;
extern const lf__wire lf__wire_ingestion; /* batches of events for /api/public/ingestion: scores, and everything else too */

enum { LF__WIRE_LIST_MAX = 1000000 }; /* bytes of a list of scores; the server's limit */
/* The same scores as a whole body for /api/public/scores: a list, made of items of lf__wire_ingestion with scores only. It is never
 * longer than they are, with brackets. */
bool lf__wire_list(lf__buf *out, const lf__buf *items);

#endif
