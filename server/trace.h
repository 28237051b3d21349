/* One trace as a whole: what its own events say, what its observations and scores are, and what follows for reading it. Pure. */
#ifndef LOCAL_TRACE_H
#define LOCAL_TRACE_H

#include "observation.h"
#include "score.h"

/* What trace-create events said of a trace. Absent text is empty, except inputs and outputs: NULL. */
typedef struct trace_record {
    text id, name, user_id, session_id, release, version, environment;
    text tags;     /* JSON array of strings */
    int is_public; /* -1: not said */
    text input, output, metadata;
    int64_t timestamp_ms;
    int64_t created_ns, updated_ns;
} trace_record;

/* All that is stored of one trace. */
typedef struct trace_data {
    text id;
    trace_record record;
    bool has_record;
    observation *rows;
    size_t row_count;
    score *scores;
    size_t score_count;
} trace_data;

/* What is read as the trace. */
typedef struct trace_view {
    text id, name, user_id, session_id, environment, release, version;
    text tags;
    text metadata; /* a JSON object in the shape of before Langfuse 4 */
    bool is_public;
    text input, output; /* NULL: none */
    int64_t start_ns, end_ns;
    int64_t created_ns, updated_ns;
    double tokens, cost; /* negative: unknown */
    size_t errors;
} trace_view;

/* A value of a trace-create event wins over those of observations, and among observations the last one that arrived with a
 * value; tags are those of all. Without such values, input, output and metadata are those of the root, unless it came in a batch, the
 * name is empty and the environment "default". The data must not be empty. */
trace_view trace_view_of(arena *a, const trace_data *data);

/* Reads of before Langfuse 4 know a trace by a trace event, or by an observation of an export. */
bool trace_is_known(const trace_data *data);

/* JSON arrays of strings -> one, sorted, each once. */
text trace_unite_tags(arena *a, text left, text right);

/* JSON objects -> one with the members of both; those of `right` replace equal ones. */
text trace_merge_metadata(arena *a, text left, text right);

#endif
