/* Scores: what is accepted as one, and what becomes of it. Pure: no storage, no HTTP. */
#ifndef LOCAL_SCORE_H
#define LOCAL_SCORE_H

#include "score_config.h"

/* Absent text is the empty text, except the comment, for which NULL (`at` == NULL) means none. */
typedef struct score {
    text id, name, data_type, source, environment;
    text trace_id, observation_id, session_id, dataset_run_id; /* the target */
    double value;                                              /* NUMERIC and BOOLEAN; of a category of a config; else 0 */
    text string_value;                                         /* of the other types */
    text comment;
    text metadata; /* JSON object, every value a string */
    text config_id, queue_id;
    int64_t timestamp_ms;
    int64_t created_ns, updated_ns;
} score;

/* Adds what is wrong with a body; `batch` allows the sources that only events may name. */
void score_check(const json *body, bool batch, issues *to);

/* The number of its category travels in the body, since the row is made from that: a member that score_settle sets. */
#define SCORE_CATEGORY "categoryValue"

/* What is stored of a score whose body passed the check: NULL when a real server drops it, else the body, under the name and the
 * type that its config gives. `config` is the one that the body names; NULL: there is none. Adds to *losses, see loss.h. */
const json *score_settle(arena *a, const json *body, const score_config *config, unsigned *losses);

/* From a body that passed the check. Times are left to the caller. */
score score_from_body(arena *a, text id, const json *body);

bool score_has_number(const score *s); /* NUMERIC or BOOLEAN */

#endif
