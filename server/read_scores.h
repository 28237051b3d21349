/* Scores over HTTP: creating, reading in the forms of two generations, deleting. */
#ifndef LOCAL_READ_SCORES_H
#define LOCAL_READ_SCORES_H

#include "api.h"

void post_score(api *a, const http_request *request, http_answer *answer);
void read_scores_v2(api *a, const http_request *request, http_answer *answer);
void read_score_v2(api *a, const http_request *request, http_answer *answer);
void read_scores_v3(api *a, const http_request *request, http_answer *answer);
void delete_score(api *a, const http_request *request, http_answer *answer);

/* A score as traces and v2 lists show it; `all_targets` adds the session and the dataset run. */
void put_old_score(buf *out, arena *memory, const score *s, bool all_targets);

#endif
