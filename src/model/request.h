/* What a request to a model says: its model, its parameters, its input. Pure.
 */
#ifndef LF_SRC_REQUEST_H
#define LF_SRC_REQUEST_H

#include "api.h"

/* Texts are empty where the request does not say it. */
typedef struct lf__request {
    lf__api api;
    lf__buf model;      /* text */
    lf__buf input;      /* JSON */
    lf__buf parameters; /* a JSON object */
    lf__buf metadata;   /* members of a JSON object, without braces: "url":"...","response_format":{...} */
    char media_type[32]; /* of the images or sounds that the reply will carry, "image/png"; "": by themselves */
} lf__request;

/* Read it; lf__request_done releases what it holds, whatever came back. A body that is no JSON (or a multipart form) is recorded by its
 * size in the metadata. False: no memory; what was read until then is there. */
bool lf__request_read(lf__request *out, lf__api api, lf__text url, lf__text body, size_t most);
void lf__request_done(lf__request *request);

#endif
