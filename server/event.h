/* Events of the batch endpoint: which there are, what a valid one looks like, and how all events of one id become one row. Pure.
 *
 * Rows are never changed in place: each time an event arrives, all events of its id are folded again in the order of their times.
 * So the result does not depend on the order of arrival, and an event that is sent twice changes nothing.
 */
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

typedef struct event {
    const event_type *type;
    text id, body_id; /* a body without id is accepted, and stored nowhere: its body_id is empty */
    int64_t timestamp_ms;
    int64_t arrived_ns;
    const json *body;
} event;

/* One event of a batch. Adds what is wrong with it to `problems`; *out is usable when nothing was. */
void event_check(const json *given, issues *problems, event *out);

/* `events` are all those of one id, of one kind, in the order of their times, creates before updates of the same time. */
observation event_fold_observation(arena *a, const event *events, size_t count);
trace_record event_fold_trace(arena *a, const event *events, size_t count);
score event_fold_score(arena *a, const event *events, size_t count);

#endif
