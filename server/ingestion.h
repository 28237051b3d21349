/* POST /api/public/ingestion: batches of events, each judged on its own. */
#ifndef LOCAL_INGESTION_H
#define LOCAL_INGESTION_H

#include "api.h"

api_handler ingestion_post;

/* Pure part: judges the events of a batch, and writes the answer. Accepted events are in `*out_events`, in the order of the
 * answer's `successes`. With `scores_only` the other events are not looked at; `bearer` says that the client showed only its
 * public key. */
typedef struct ingestion_rules {
    bool scores_only, bearer;
    int64_t now_ns;
} ingestion_rules;

event *ingestion_judge(arena *a, const json *batch, const ingestion_rules *rules, buf *out_answer, size_t *out_count);

/* What accepted events lose; see loss.h. */
unsigned ingestion_losses(arena *a, const event *events, size_t count);

#endif
