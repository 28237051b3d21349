/* Observations: the rows that spans and events become, and that the store gives back. Pure. */
#ifndef LOCAL_OBSERVATION_H
#define LOCAL_OBSERVATION_H

#include "json.h"

/* Absent text is the empty text, except where NULL (`at` == NULL) is said to mean absent. */
typedef struct observation {
    text trace_id, id, parent_id; /* an observation without parent has an empty parent_id */
    int64_t start_ns, end_ns;     /* end_ns may be OBSERVATION_OPEN */
    int64_t arrived_ns;
    text type, name, level, status_message; /* type and level in upper case */
    text version, environment, release;
    text user_id, session_id, trace_name;
    text tags; /* JSON array of strings */
    bool is_public, is_app_root;
    text input, output; /* NULL: none */
    text metadata;      /* flat JSON object, every value a string */
    text experiment;    /* the langfuse.experiment.* attributes, same form; empty: none */
    text model, model_parameters;
    text usage, cost;            /* JSON objects of numbers */
    text model_id, tier;         /* whose prices made the cost: an id of the price list, the name of a tier; empty: none */
    int64_t completion_start_ms; /* -1: none */
    text prompt_name;
    int64_t prompt_version;                         /* -1: none */
    text prompt_id;                                 /* given by the store: of the prompt of that name and version, else NULL */
    text trace_input, trace_output, trace_metadata; /* set for the whole trace by this observation; NULL: not set */

    /* The metadata of the observation alone, as a JSON object of texts; empty where `metadata` has no other. NULL: of an event in a
     * batch, while all others are of exports. */
    text own_metadata;
} observation;

/* The end of an observation of which none was reported. */
#define OBSERVATION_OPEN INT64_MIN

enum { OBSERVATION_MAX_PROMPT_VERSION = 65535 }; /* a real server keeps versions in 16 bits */

/* The words that a type and a level may be; each list ends with NULL. */
extern const char *const observation_types[], *const observation_levels[];

/* A root in reads: no parent, or marked as the root of the application. */
bool observation_is_root(const observation *o);

/* A copy with all texts in `a`, to keep a row beyond the call that gave it. */
observation observation_keep(arena *a, const observation *row);

/* Came in a batch, and not as a span. */
bool observation_is_of_batch(const observation *o);

/* The rules for environment names, for any text: lower case, 40 characters of [a-z0-9_-], no "langfuse" at its start. */
text observation_environment(arena *a, text given);

#endif
