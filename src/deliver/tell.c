#include "tell.h"

#include "../base/answer.h"
#include "../base/once.h"
#include "../base/secret.h"

#include <stdio.h>

enum {
    TELL_LINE_MAX = 512, /* a refused event: type, address, status and text, each of limited size */
    TELL_REASONS_MAX = 8 /* for refusing single events */
};

static bool tell_is_news(const lf__tell *tell, const char *what, const char *more)
{
    return lf__first_time(lf__cause(2 * tell->config->number + tell->of_scores, what, more));
}

void lf__tell_accepted(const lf__tell *tell, size_t count)
{
    if (!tell->of_scores && tell_is_news(tell, "accepted", NULL))
        lf__log(&tell->config->logger, LF__LOG_INFO, "first export accepted by %s (%zu %s%s)", tell->target, count, tell->noun,
                count == 1 ? "" : "s");
}

void lf__tell_unreachable(const lf__tell *tell, const char *why)
{
    if (tell_is_news(tell, "unreachable", NULL))
        lf__log(&tell->config->logger, LF__LOG_WARNING, "cannot deliver %sto %s: %s; will keep trying, up to %zu MiB are kept",
                tell->of_scores ? "scores " : "", tell->target, why, tell->config->queue_bytes >> 20);
}

static const char *tell_likely_cause(int status, const char *not_found)
{
    if (status >= 200 && status < 300)
        return "something else answers there; check LANGFUSE_BASE_URL";
    if (status == 401)
        return "check LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY; keys of one region are unknown in another"
               " (EU https://cloud.langfuse.com, US https://us.cloud.langfuse.com)";
    if (status == 403)
        return "the keys have no access, or belong to an organization instead of a project";
    if (status == 404 || status == 405)
        return not_found;
    if (status >= 300 && status < 400)
        return "the server redirects; set LANGFUSE_BASE_URL to where it leads";
    if (status == 413)
        return "a proxy limits request sizes; lower LANGFUSE_MAX_BATCH_SIZE_BYTES";
    if (status == 429)
        return "the rate limit of the project is reached; it will be tried again";
    if (status >= 500 || status == 408)
        return "the server has a problem; it will be tried again";
    return "the request was not understood";
}

/* The gist of an answer, without the client's secrets. */
static void tell_quote(char text[LF__ANSWER_TEXT + 1], const lf__tell *tell, const char *answer, size_t size)
{
    lf__answer_text(text, LF__ANSWER_TEXT + 1, answer, size);
    lf__secret_hide(text, tell->config);
}

void lf__tell_refused(const lf__tell *tell, const lf__http_answer *answer, const char *not_found)
{
    const char *cause = tell_likely_cause(answer->status, not_found), *key = tell->config->public_key;
    char text[LF__ANSWER_TEXT + 1];
    if (!tell_is_news(tell, "refused", cause)) /* each cause: after a busy server, wrong keys are news */
        return;
    tell_quote(text, tell, answer->body, answer->body_size);
    lf__log(&tell->config->logger, LF__LOG_ERROR, "export%s refused by %s: HTTP %d \"%s\" (public key %.8s...): %s",
            tell->of_scores ? " of scores" : "", tell->target, answer->status, text, key == NULL ? "none" : key, cause);
}

void lf__tell_partial(const lf__tell *tell, size_t refused, size_t count, const char *message)
{
    if (refused != 0 && tell_is_news(tell, "rejected", NULL))
        lf__log(&tell->config->logger, LF__LOG_ERROR, "%zu of %zu %ss refused by %s: \"%s\"", refused, count, tell->noun,
                tell->target, message);
    else if (refused == 0 && message[0] != '\0' && tell_is_news(tell, "warning", NULL))
        lf__log(&tell->config->logger, LF__LOG_WARNING, "%s took %zu %ss, and says: \"%s\"", tell->target, count, tell->noun,
                message);
}

void lf__tell_event_refused(lf__tell *tell, const lf__json_member *type, int status, const lf__text *said)
{
    char text[LF__ANSWER_TEXT + 1], line[TELL_LINE_MAX];
    tell_quote(text, tell, said->at, said->size);
    snprintf(line, sizeof line, "%.*s refused by %.100s: HTTP %d \"%s\"", (int)type->value_size - 2, type->value + 1, tell->target,
             status, text); /* the type without its quotes */
    if (tell->reasons == TELL_REASONS_MAX || !tell_is_news(tell, "event", line))
        return;
    tell->reasons++;
    lf__log(&tell->config->logger, LF__LOG_ERROR, "%s", line);
}

void lf__tell_too_large(const lf__tell *tell, unsigned kind, size_t size, size_t most)
{
    static const char *const names[] = {
        [LF__RECORD_OBSERVATION] = "an observation", [LF__RECORD_SCORE] = "a score", [LF__RECORD_TRACE] = "an update of a trace"};
    if (tell_is_news(tell, "too large", NULL))
        lf__log(&tell->config->logger, LF__LOG_WARNING,
                "%s of %zu bytes does not fit into a request of %zu bytes and is dropped; see LANGFUSE_MAX_EVENT_SIZE_BYTES and"
                " LANGFUSE_MAX_BATCH_SIZE_BYTES",
                names[kind], size, most);
}

void lf__tell_no_room(const lf__tell *tell)
{
    if (tell_is_news(tell, "no room", NULL))
        lf__log(&tell->config->logger, LF__LOG_ERROR,
                "OTEL_RESOURCE_ATTRIBUTES, or a name like it, takes more than half of a request of %zu bytes"
                " (LANGFUSE_MAX_BATCH_SIZE_BYTES); all %ss are dropped",
                tell->config->batch_bytes, tell->noun);
}
