/* The public API: routes, permissions and answers. Called by http.c on several threads at once. */
#ifndef LOCAL_API_H
#define LOCAL_API_H

#include "auth.h"
#include "http.h"
#include "store.h"

/* The answers and rules are those of this version of the Langfuse server; /health reports it. */
#define API_LANGFUSE_VERSION "4.16.0"

typedef struct api {
    store *store;
    auth_keys keys;
    bool quiet; /* no warnings on stderr */
    _Atomic uint64_t last_job;
} api;

void api_handle(void *context, const http_request *request, http_answer *answer); /* an http_handler; context is an api */

/* Shapes of errors, for the files that implement routes. */
void api_error(http_answer *answer, unsigned status, const char *message);                       /* {"error":...} */
void api_message(http_answer *answer, unsigned status, const char *message, const char *error); /* {"message":...[,"error":...]} */

#endif
