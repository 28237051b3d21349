/* One question to the server's API at a time, on the caller's thread: send it, wait for the answer, put what went wrong into
 * words. Or to another server, taking the answer as it arrives. No retries, no cache: who asks knows what is worth trying again.
 * Nothing here touches the worker.
 */
#ifndef LF_SRC_REST_H
#define LF_SRC_REST_H

#include "../base/buf.h"
#include "../deliver/http.h"

enum { LF__REST_ANSWER_MAX = 8 << 20 }; /* prompts and dataset items may be large; no answer of the API is larger */

typedef struct lf__rest_request {
    lf__http_method method;
    const char *path; /* below base_url, encoded (lf__buf_add_percent), "api/public/..." */
    const char *body; /* JSON; NULL for none */
    size_t body_size; /* 0: strlen(body) */
    int timeout_ms;   /* negative: 5000 */
} lf__rest_request;

typedef struct lf__rest_answer {
    int status;
    char *body; /* NUL-terminated; free with lf__free */
    size_t size;
} lf__rest_answer;

/* Ask. The answer is filled for 2xx only; what another answer said is in error->message, its status in error->http_status.
 *
 * Blocks:  at most timeout_ms. Meanwhile the thread cannot be cancelled; signals reach its handlers only while it waits.
 * Threads: any; errno and the signal mask are left as they were, no SIGPIPE gets out.
 * Returns: LF_OK; LF_ERR_DISABLED (no keys or no server configured); LF_ERR_MEMORY; LF_ERR_TIMEOUT; LF_ERR_NETWORK;
 *          LF_ERR_UNAUTHORIZED (401, 403); LF_ERR_REFUSED (another 4xx); LF_ERR_SERVER (anything else, also an answer larger
 *          than LF__REST_ANSWER_MAX). `error` may be NULL, is filled on failure, and is untouched otherwise.
 */
lf_status lf__rest_call(const lf__config *config, const lf__rest_request *request, lf__rest_answer *answer, lf_error *error);

/* A request whose answer is taken as it arrives. Between the calls this thread is outside of libcurl, and runs the program's
 * code. */
typedef struct lf__rest_stream {
    lf__http_request *request; /* borrowed; `done` and `owner` are set here, `stream` is the caller's */
    lf__http *http;
    uint64_t until_ns;
    bool is_over;
    int status;                /* 0: no answer, `failure` says why */
    lf__http_failure failure;
    long retry_after_ms;       /* -1: not said */
    char text[LF__HTTP_ANSWER_MAX + 1]; /* libcurl's words for a failure, or the body of an answer that is no 2xx, cut */
    size_t text_size;
} lf__rest_stream;

/* Start it. False: no memory, or the process ends; then there is nothing to end. Blocks: never. */
bool lf__rest_stream_begin(lf__rest_stream *stream, lf__http_request *request);
/* Wait for bytes behind those that the buffer has now. False: the transfer is over, and what came last is in the buffer. It is
 * over at the latest request->timeout_ms and a second after the begin; in that second libcurl ends it by itself. */
bool lf__rest_stream_go_on(lf__rest_stream *stream);
/* Cut it short, if need be, and release it. */
void lf__rest_stream_end(lf__rest_stream *stream);
/* Wait until then (monotonic). False: the process ends. */
bool lf__rest_pause(uint64_t until_ns);

/* Fill in *error, which may be NULL; control characters become blanks. Returns `status`. */
lf_status lf__rest_fail(lf_error *error, lf_status status, int http_status, const char *format, ...) LF_PRINTF(4, 5);

/* At exit, before the exit handlers of TLS libraries: cut short the questions of all threads, refuse further ones, and wait until
 * no thread is inside of libcurl, at most half a second. */
void lf__rest_stop(void);
void lf__rest_before_fork(void);
void lf__rest_after_fork_parent(void);
void lf__rest_after_fork_child(void);

#endif
