/* Which endpoint takes a client's scores: servers from 4.59 on take a list of them, all others a batch of events. The exporter of
 * scores asks the server for its version once, before it sends the first score. The worker alone uses a route.
 */
#ifndef LF_SRC_ROUTE_H
#define LF_SRC_ROUTE_H

#include "http.h"

typedef enum lf__route_state { LF__ROUTE_UNKNOWN, LF__ROUTE_ASKS, LF__ROUTE_KNOWN } lf__route_state;

typedef struct lf__route {
    const lf__config *config;
    lf__route_state state;
    bool has_choice;      /* false: always the batch endpoint, and nothing is asked */
    bool is_list;         /* to the endpoint that takes a list */
    bool list_is_refused; /* it was tried, and is not tried again */
    lf__http_request question;
} lf__route;

void lf__route_init(lf__route *route, const lf__config *config, bool has_choice);
/* Ask the server, at LF__ROUTE_UNKNOWN. Its answer comes by lf__http_poll; without one scores go to the batch endpoint. Without
 * memory (`http` may be NULL) nothing is asked. */
void lf__route_ask(lf__route *route, lf__http *http);
/* A request was answered so. True: that is no word on its scores, but on the endpoint; they are to be sent to the one that the
 * route names now. Neither endpoint is turned to twice. */
bool lf__route_turns(lf__route *route, bool was_list, int status);
/* The question, if one is on its way, is cut short; it will be asked again. */
void lf__route_cancel(lf__route *route, lf__http *http);

#endif
