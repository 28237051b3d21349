/* The public API: routes, permissions and answers, with a file for each kind of object. Called by http.c on several threads at
 * once. */
#ifndef LOCAL_API_H
#define LOCAL_API_H

#include "auth.h"
#include "cors.h"
#include "http.h"
#include "json.h"
#include "store.h"

/* A version of the Langfuse server: major, minor, patch. */
typedef struct api_version {
    unsigned parts[3];
} api_version;

/* The answers and rules are those of this version, unless the user asks for another one. */
#define API_LANGFUSE_VERSION ((api_version){{4, 16, 0}})

typedef struct api {
    store *store;
    auth_keys keys;
    cors_rules cors;
    api_version version; /* /health reports it */
    bool quiet;       /* no warnings on stderr */
    bool events_only; /* as a server of version 4 by default: no trace events in batches, no reading of whole traces */
    _Atomic uint64_t last_job;
} api;

bool api_read_version(text given, api_version *out); /* 4, 4.59 or 4.59.0; what is left out is 0 */
bool api_at_least(const api *server, unsigned major, unsigned minor);

bool api_gate(void *context, const http_request *request, http_answer *answer); /* an http_gate; context is an api */
void api_handle(void *context, const http_request *request, http_answer *answer); /* an http_handler; context is an api */

typedef void api_handler(api *server, const http_request *request, http_answer *answer);

/* api_observations.c */
api_handler api_list_observations;

/* api_prompts.c */
api_handler api_post_prompt, api_get_prompt, api_get_old_prompt, api_list_prompts, api_patch_prompt, api_delete_prompt;

/* api_scores.c; what it puts is a score as traces and v2 lists show it, where `all_targets` adds the session and the dataset run */
api_handler api_post_score, api_get_score_v2, api_list_scores_v2, api_list_scores_v3, api_delete_score;
void api_put_score(buf *out, arena *memory, const score *s, bool all_targets);

/* Takes scores out of a batch that a real server accepts and drops, and gives the others the name and type of their config. False
 * when the database or memory failed. */
bool api_settle_scores(api *server, arena *memory, event *events, size_t *count);

/* api_score_configs.c */
api_handler api_post_score_config, api_list_score_configs, api_get_score_config, api_patch_score_config;

/* api_traces.c */
api_handler api_get_trace, api_list_traces, api_delete_trace, api_get_session, api_list_sessions, api_get_old_observation,
    api_list_old_observations;

/* Answers that the files of routes share. */
void api_message(http_answer *answer, unsigned status, text message, const char *error); /* {"message":...[,"error":...]} */
void api_not_found(http_answer *answer, text message);
bool api_invalid(http_answer *answer, text message); /* returns false */
void api_wrong_method(http_answer *answer);
void api_failed(http_answer *answer);                                      /* replaces what the route has written */
bool api_refused(http_answer *answer, issues *problems);                   /* frees them; false, and no answer: there are none */
bool api_accept_word(const http_request *request, arena *a, const char *name, const char *const *words,
                     http_answer *answer); /* a parameter that is absent, or one of the words, which end with NULL */
void api_plain(http_answer *answer, unsigned status, const char *message); /* as plain text */

/* The body as JSON; a body that is not declared as JSON counts as one string. NULL when it does not parse. */
const json *api_body(const api *server, const http_request *request, arena *a);

/* The parameter `filter`, read for out->table; without it `out` has no condition. False, with an answer, when it is not
 * acceptable. */
bool api_read_filter(const api *server, const http_request *request, arena *a, filter *out, http_answer *answer);

/* Answers what a reader of a filter found. Frees the problems. True: nothing. */
bool api_accept_filter(filter_status status, issues *problems, text why, http_answer *answer);

/* Warns the developer on stderr; the client is told nothing, exactly as by a real server. */
void api_warn_of_losses(const api *server, unsigned losses); /* see loss.h */

bool api_is_bearer(const api *server, const http_request *request); /* the client showed its public key only */

#endif
