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

/* Read it; lf__request_done releases what it holds, whatever came back. `most` bounds each buffer; what does not fit is left out. A
 * multipart form is read as the JSON of the same request, its files as tokens. A body that is neither, that has more than 16 MiB, or
 * whose input does not fit, is recorded by its size: "request_bytes" in the metadata. Media are replaced; keys to other servers, which
 * bodies may carry, are left out. False: no memory; what was read until then is there. */
bool lf__request_read(lf__request *out, lf__api api, lf__text url, lf__text body, size_t most);
void lf__request_done(lf__request *request);

#endif
