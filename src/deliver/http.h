/* HTTP over libcurl: the only file that includes curl. Several requests in flight on one multi handle, connections reused,
 * every wait bounded and interruptible. One thread at a time uses an lf__http; only lf__http_wakeup may be called from others.
 * Requests of several configurations (keys, servers, TLS) share one lf__http.
 */
#ifndef LF_SRC_HTTP_H
#define LF_SRC_HTTP_H

#include "../base/buf.h"
#include "../base/config.h"

#include <poll.h>

enum { LF__HTTP_ANSWER_MAX = 4096 }; /* kept of an answer when the request names no other limit: enough for messages */

typedef enum lf__http_method { LF__HTTP_GET, LF__HTTP_POST, LF__HTTP_PUT, LF__HTTP_PATCH, LF__HTTP_DELETE } lf__http_method;

/* Why there was no answer. */
typedef enum lf__http_failure {
    LF__HTTP_NO_FAILURE = 0,
    LF__HTTP_NO_SUCH_HOST, /* name lookup, that of a proxy included */
    LF__HTTP_NO_CONNECTION,
    LF__HTTP_NO_TLS, /* handshake or certificate */
    LF__HTTP_TOO_LATE,
    LF__HTTP_BROKEN /* anything later: cut off, not HTTP, abandoned */
} lf__http_failure;

typedef struct lf__http_answer {
    int status;              /* HTTP status; 0: no answer, `failure` and `message` say why */
    lf__http_failure failure;
    long retry_after_ms;     /* Retry-After in seconds or as a date; -1 when absent */
    const char *message;     /* libcurl's own words for a failed transfer, no secrets in them, else "" */
    const char *body;        /* its first bytes, at most `answer_max` of them, NUL-terminated */
    size_t body_size;
    bool cut;                /* there was more */
    bool no_memory;          /* there was more, and no memory for it */
} lf__http_answer;

typedef struct lf__http_part {
    const void *data;
    size_t size;
} lf__http_part;

enum { LF__HTTP_PARTS = 3 };

/* Redirects are not followed, whatever the method: keys would go to a place that nobody named. Everything it points to is
 * borrowed until `done` is called, exactly once, from lf__http_poll, lf__http_cancel or lf__http_abandon (from these with
 * status 0, message "abandoned"). `done` may start new requests. */
typedef struct lf__http_request {
    const lf__config *config; /* headers, keys, TLS, proxy, hook */
    lf__http_method method;
    const char *url;
    const char *content_type;           /* of the body; NULL: not said */
    const char *content_encoding;       /* likewise */
    lf__http_part body[LF__HTTP_PARTS]; /* sent one after the other as one body; none at all with GET */
    long timeout_ms;
    size_t answer_max; /* 0: LF__HTTP_ANSWER_MAX */
    lf__buf *stream; /* takes the body of a 2xx as it arrives, and `done` gets none; its owner empties it between polls. A body
                        that it has no room for fails. NULL: no such buffer */
    int stream_status; /* set when the first byte goes there: the status of the answer */
    bool is_foreign; /* the server is none of Langfuse's: it gets the headers of `config`, and none of ours */
    const char *authorization; /* set when it starts: the header's value */
    void (*done)(struct lf__http_request *request, const lf__http_answer *answer);
    void *owner; /* for `done` */
} lf__http_request;

typedef struct lf__http lf__http;

/* How often this thread is inside of a function below that has libcurl work. What it asks of libcurl there is the library's own
 * matter, which nobody records, also where libcurl's names lead to the library (langfuse/curl.h). */
extern __thread unsigned lf__http_depth __attribute__((tls_model("initial-exec"), visibility("hidden")));

static inline bool lf__http_is_inside(void)
{
    return lf__http_depth != 0;
}

/* Set libcurl up, unless that was done; about half a millisecond. A process that ends meanwhile waits for it, two seconds at
 * most.
 * False: the process ends, libcurl must not be used any more. */
bool lf__http_set_up(void);

/* Fork handlers: no process is forked while libcurl is being set up, whose own lock would stay held in the child. */
void lf__http_before_fork(void);
void lf__http_after_fork_parent(void);
void lf__http_after_fork_child(void);

lf__http *lf__http_new(void); /* NULL: no memory */
bool lf__http_start(lf__http *http,
                    lf__http_request *request); /* false: no memory, or its hook's gate is closed; `done` is not called */
int lf__http_running(const lf__http *http);
/* Move transfers on; wait at most timeout_ms for something to happen (0: do not wait). With nothing in flight it waits for a
 * wakeup only. */
void lf__http_poll(lf__http *http, int timeout_ms);
/* Only wait: at most timeout_ms, until lf__http_poll has something to do. Nothing is sent, received or called. */
void lf__http_wait(lf__http *http, int timeout_ms);
/* What transfers wait for: *count descriptors more, and no later than *timeout_ms (-1: for ever), which is shortened. False:
 * some are not among them. */
bool lf__http_wants(lf__http *http, struct pollfd *fds, unsigned room, unsigned *count, int *timeout_ms);
void lf__http_wakeup(lf__http *http); /* end a poll or wait early; any thread */
void lf__http_cancel(lf__http *http, const lf__http_request *request); /* cut this one short; nothing when it is not running */
void lf__http_abandon(lf__http *http); /* cut every transfer short */
void lf__http_free(lf__http *http);    /* abandons what runs */

/* Append "name: value" as curl_slist_append does (NULL: a new list). No memory: the list as it was. */
struct curl_slist;
struct curl_slist *lf__http_append(struct curl_slist *list, const char *name, const char *value);

#endif
