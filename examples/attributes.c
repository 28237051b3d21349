/* Who, in which conversation, for which version: attributes of everything that is observed in a scope, and what is said of
 * the trace as a whole. Langfuse filters and groups by them.
 */
#include "observe.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct request {
    const char *id, *user, *session, *question;
} request;

/* What becomes known only deep inside concerns the whole trace: the observations around this one get it, too. */
static const char *complete(const char *question)
{
    OBSERVE_GENERATION(question);
    lf_update_current_observation(.model = "tiny-1");
    lf_update_current_trace(.tags = LF_TAGS("long-answer"), .metadata = LF_OBJECT("finish_reason", "stop"));
    OBSERVE_RETURN("The sky is blue because of scattering.");
}

/* An experiment in a part of the trace: the inner scope adds a tag and metadata, and its version replaces the outer one. */
static const char *answer(const char *question)
{
    OBSERVE_AGENT(question);
    OBSERVE_ATTRIBUTES(.tags = LF_TAGS("experiment-7"), .metadata = LF_OBJECT("variant", "b"), .version = "2.0-rc1");
    OBSERVE_RETURN(complete(question));
}

static void log_access(const char *user)
{
    OBSERVE_TOOL(user);
}

/* The id of the trace follows from the id of the request, so that a log line is enough to find it. */
static void handle(const request *r)
{
    const char *question = r->question;
    char trace_id[LF_TRACE_ID_SIZE];
    lf_create_trace_id(r->id, trace_id);
    OBSERVE_WITH((.name = "handle-request", .trace_id = trace_id), question);
    OBSERVE_ATTRIBUTES(.user_id = r->user, .session_id = r->session, .trace_name = "support-chat", .version = "1.9",
                       .tags = LF_TAGS("support", "web"), .metadata = LF_OBJECT("plan", "pro", "region", "eu"));
    const char *text = answer(question);
    log_access(r->user); /* the inner scope is over: version 1.9 again */
    OBSERVE_OUTPUT(text); /* the trace shows input and output of its root, which is this observation */
    /* Servers before version 4 show what is said here in their place; later ones do not store it. */
    lf_update_current_trace(.input = LF_VALUE(question), .output = LF_VALUE(text), .public_ = LF_ON);
    printf("%s: %s\n%s\n", r->id, trace_id, text);

    char *url = lf_trace_url(NULL, 5000); /* asks the server, once, which project the keys belong to */
    if (url)
        printf("%s\n", url);
    free(url);
}

int main(void)
{
    handle(&(request){.id = "req_12345", .user = "user_123", .session = "session_abc", .question = "Why is the sky blue?"});
    handle(&(request){.id = "req_12346", .user = "user_123", .session = "session_abc", .question = "And at night?"});
    return EXIT_SUCCESS;
}
