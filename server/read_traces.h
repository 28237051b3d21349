/* GET /api/public/traces, sessions and observations: the older way of reading, trace by trace. Paths name what is read. */
#ifndef LOCAL_READ_TRACES_H
#define LOCAL_READ_TRACES_H

#include "api.h"

void read_traces(api *a, const http_request *request, http_answer *answer);
void read_trace(api *a, const http_request *request, http_answer *answer);
void read_sessions(api *a, const http_request *request, http_answer *answer);
void read_session(api *a, const http_request *request, http_answer *answer);
void read_old_observations(api *a, const http_request *request, http_answer *answer);
void read_old_observation(api *a, const http_request *request, http_answer *answer);
void delete_trace(api *a, const http_request *request, http_answer *answer);

#endif
