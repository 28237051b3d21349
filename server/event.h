/* Events of the batch endpoint: which there are, what a valid one looks like, and the row of an id whose events are folded
 * (fold.h). Pure. */
#ifndef LOCAL_EVENT_H
#define LOCAL_EVENT_H

#include "trace.h"

typedef enum event_kind { EVENT_TRACE, EVENT_OBSERVATION, EVENT_SCORE, EVENT_LOG, EVENT_INTERNAL } event_kind;

typedef struct event_type {
    const char *name;
    event_kind kind;
    const char *observation_type; /* NULL: the body says, or it is no observation */
    bool update;
} event_type;

/* NULL for an unknown name. */
const event_type *event_type_of(text name);

/* Whether a body of this type may name a model, its usage and its prompt; spans and events may not. */
bool event_type_has_model(const event_type *type);

typedef struct event {
    const event_type *type;
    text id, body_id; /* a body without id is accepted, and stored nowhere: its body_id is empty */
    int64_t timestamp_ms;
    int64_t arrived_ns;
    int64_t place; /* grows with each event of one arrival */
    const json *body;
    text source; /* the body as it was sent; NULL: `body` is written instead */
} event;

typedef struct fold fold;

/* One event of a batch. Adds what is wrong with it to `problems`; *out is usable when nothing was. */
void event_check(const json *given, issues *problems, event *out);

/* Where the row of an observation stands. */
typedef struct event_place {
    text trace_id; /* NULL: no event has arrived */
    int64_t start_ns;
} event_place;

event_place event_place_of(const fold *f);

/* The row of an id, of its kind; it borrows from the fold. */
observation event_observation(arena *a, fold *f);
trace_record event_trace(arena *a, fold *f);
score event_score(arena *a, fold *f);

#endif
