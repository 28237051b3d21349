#include "route.h"

#include "../base/answer.h"

enum { ROUTE_MAJOR = 4, ROUTE_MINOR = 59 }; /* of the first server that takes lists */

void lf__route_init(lf__route *route, const lf__config *config, bool has_choice)
{
    *route = (lf__route){.config = config, .has_choice = has_choice, .state = has_choice ? LF__ROUTE_UNKNOWN : LF__ROUTE_KNOWN};
}

static void route_answered(lf__http_request *question, const lf__http_answer *answer)
{
    lf__route *route = question->owner;
    unsigned major = 0, minor = 0;
    bool is_told = answer->status >= 200 && answer->status < 300 &&
                   lf__answer_read_version(answer->body, answer->body_size, &major, &minor);
    route->state = LF__ROUTE_KNOWN;
    route->is_list = is_told && (major > ROUTE_MAJOR || (major == ROUTE_MAJOR && minor >= ROUTE_MINOR));
    if (is_told)
        lf__log(&route->config->logger, LF__LOG_DEBUG, "%s is of version %u.%u; scores go to %s", route->config->base_url, major,
                minor, route->is_list ? route->config->scores_url : route->config->ingestion_url);
    else
        lf__log(&route->config->logger, LF__LOG_DEBUG, "%s does not tell its version (HTTP %d); scores go to %s",
                route->config->base_url, answer->status, route->config->ingestion_url);
}

/* Half of the time at exit is left for the scores. */
static long route_timeout_ms(const lf__config *config)
{
    long half_ms = config->exit_timeout_ms / 2;
    return half_ms > 0 && half_ms < config->timeout_ms ? half_ms : config->timeout_ms;
}

void lf__route_ask(lf__route *route, lf__http *http)
{
    route->question = (lf__http_request){
        .config = route->config,
        .method = LF__HTTP_GET,
        .url = route->config->health_url,
        .timeout_ms = route_timeout_ms(route->config),
        .done = route_answered,
        .owner = route,
    };
    bool asks = http != NULL && lf__http_start(http, &route->question);
    route->state = asks ? LF__ROUTE_ASKS : LF__ROUTE_KNOWN;
}

bool lf__route_turns(lf__route *route, bool was_list, int status)
{
    bool is_of_endpoint = status == 404 || status == 405 || status == 410 || (was_list && (status == 400 || status == 422));
    if (!route->has_choice || !is_of_endpoint)
        return false;
    if (was_list != route->is_list)
        return true; /* another request has turned it meanwhile */
    if (!was_list && route->list_is_refused)
        return false;
    route->list_is_refused = was_list;
    route->is_list = !was_list;
    lf__log(&route->config->logger, LF__LOG_DEBUG, "scores are not taken as a %s: HTTP %d; they go to %s",
            was_list ? "list" : "batch", status, was_list ? route->config->ingestion_url : route->config->scores_url);
    return true;
}

void lf__route_cancel(lf__route *route, lf__http *http)
{
    if (route->state != LF__ROUTE_ASKS)
        return;
    lf__http_cancel(http, &route->question);
    route->state = LF__ROUTE_UNKNOWN;
}
