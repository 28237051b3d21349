/* GET /api/public/v2/observations: query parameters -> store query -> JSON page. */
#ifndef LOCAL_READ_H
#define LOCAL_READ_H

#include "api.h"

void read_observations(api *a, const http_request *request, http_answer *answer);

#endif
