/* The reply of a model, merged as it arrives. Bytes go in, cut anywhere; the message as if it had not been streamed comes out. Memory is the
 * merged reply and one unfinished event. Pure: no I/O, no clock, no globals.
 */
#ifndef LF_SRC_REPLY_H
#define LF_SRC_REPLY_H

#include "../../lf_core.h"
#include "api.h"

typedef struct lf__reply lf__reply;

/* `most` bounds the merged reply in bytes. `media_type` is lf__request.media_type. NULL: no memory. */
lf__reply *lf__reply_new(lf__api api, const char *media_type, size_t most);
void lf__reply_free(lf__reply *reply);
/* Bytes that it holds. */
size_t lf__reply_memory(const lf__reply *reply);

/* The next bytes of the body. True once: the first token is among them. */
bool lf__reply_feed(lf__reply *reply, const char *bytes, size_t size);

/* The text of the first choice so far, as it stands between the quotes of a JSON string; it grows only at its end. */
lf__text lf__reply_content(const lf__reply *reply);

typedef struct lf__reply_end {
    int http_status; /* 0: not known */
    const char *error; /* of the transport; NULL: none */
    bool cancelled;
    bool unread; /* the reply was not fed, or not all of it: nothing is concluded from what is missing */
} lf__reply_end;

/* What came of it. JSON texts; empty where nothing was said. They live as long as the reply. */
typedef struct lf__reply_result {
    lf__text model; /* text, not JSON */
    lf__text output;
    lf__text finish_reason; /* a string; a list of them for several choices; null among them */
    lf__text usage; /* the object of counts as the server reports it */
    lf__text usage_details; /* the same as counts that do not overlap */
    lf__text cost_details;
    lf__text service_tier; /* the one that was used; JSON */
    lf__text metadata; /* members: "finish_reason":...,"response_id":... */
    lf__text status_message; /* text */
    lf_level level;
    bool complete; /* the end was seen, and no error */
    bool truncated; /* a ceiling was reached */
    int first_token_event; /* the number of the event that brought the first token, from 0; -1: none did */
} lf__reply_result;

/* No more bytes come. Call it once. */
void lf__reply_finish(lf__reply *reply, const lf__reply_end *end, lf__reply_result *out);

#endif
