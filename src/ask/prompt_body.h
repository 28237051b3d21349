/* One version of a prompt as the server gave it, or as a caller gave it for a fallback: taken apart once, then shared and never
 * changed. It is freed with its last reference.
 */
#ifndef LF_SRC_PROMPT_BODY_H
#define LF_SRC_PROMPT_BODY_H

#include "template.h"

#include <stdatomic.h>

struct cJSON;

/* A prompt is found by these. */
typedef struct lf__prompt_key {
    uint32_t client;
    const char *name;
    int version;       /* 0: by label */
    const char *label; /* never NULL when version is 0 */
} lf__prompt_key;

typedef struct lf__prompt_message {
    const char *placeholder; /* its name; NULL: a message */
    const char *role;
    lf__template content;
} lf__prompt_message;

typedef struct lf__prompt_body {
    _Atomic unsigned references;

    const char *name;
    int version;
    bool is_chat;
    const char *text;  /* of a chat: the messages as JSON */
    const char *commit_message;
    lf__template template; /* of a text prompt */
    lf__prompt_message *messages;
    size_t message_count;
    const char **labels;
    const char **tags;
    const char **variables;
    size_t variable_count;
    const struct cJSON *json_messages;
    const struct cJSON *config;
    uint64_t fetched_ns; /* monotonic */
    size_t bytes;        /* of memory that it holds, about */

    struct cJSON *json;  /* owns most of the texts above */
    char *made_text;
} lf__prompt_body;

/* From the JSON of the API, with a reference for the caller. NULL: no memory, or it is no prompt (then *bad). */
lf__prompt_body *lf__prompt_body_parse(const char *json, size_t size, bool *bad);
/* A fallback: text, or (text NULL) messages as JSON text. Likewise. */
lf__prompt_body *lf__prompt_body_make(const char *name, int version, const char *label, const char *text, const char *messages,
                                      size_t messages_size, bool *bad);

static inline lf__prompt_body *lf__prompt_body_hold(lf__prompt_body *body)
{
    atomic_fetch_add_explicit(&body->references, 1, memory_order_relaxed);
    return body;
}

void lf__prompt_body_drop(lf__prompt_body *body); /* NULL is fine */

#endif
