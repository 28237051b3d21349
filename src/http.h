/* HTTP over libcurl: the only file that includes curl. Several requests in flight on one multi handle, connections reused,
 * every wait bounded and interruptible. One thread (the worker) uses an lf__http; only lf__http_wakeup may be called from
 * others.
 */
#ifndef LF_SRC_HTTP_H
#define LF_SRC_HTTP_H

#include "config.h"

enum { LF__HTTP_BODY_MAX = 4096 }; /* of an answer we keep for messages; the rest is read and thrown away */

typedef struct lf__http_answer {
    int status;              /* HTTP status; 0: no answer, `message` says why */
    long retry_after_ms;     /* Retry-After in seconds or as a date; -1 when absent */
    bool could_connect;      /* false: name lookup, connect or TLS handshake failed */
    const char *message;     /* libcurl's own words for a failed transfer, else "" */
    const char *body;        /* the first LF__HTTP_BODY_MAX bytes, NUL-terminated */
    size_t body_size;
} lf__http_answer;

typedef struct lf__http_part {
    const void *data;
    size_t size;
} lf__http_part;

enum { LF__HTTP_PARTS = 3 };

/* A POST. Everything it points to is borrowed until `done` is called, exactly once, from lf__http_poll or
 * lf__http_abandon (then status 0, message "abandoned"). `done` may start new requests. */
typedef struct lf__http_post {
    const char *url;
    const char *content_type;
    lf__http_part body[LF__HTTP_PARTS]; /* sent one after the other as one body */
    long timeout_ms;
    void (*done)(struct lf__http_post *post, const lf__http_answer *answer);
    void *owner; /* for `done` */
} lf__http_post;

typedef struct lf__http lf__http;

/* Called at exit, unless NULL: before the exit handler of libcurl's TLS library, after which no request may run. */
extern void (*lf__http_at_exit)(void);

/* Append "name: value" as curl_slist_append does; with no memory the list is returned unchanged. */
struct curl_slist *lf__http_append(struct curl_slist *list, const char *name, const char *value);

/* The configuration (headers, keys, TLS, proxy, hook) is borrowed for the life of the lf__http. NULL: no memory. */
lf__http *lf__http_new(const lf__config *config);
bool lf__http_start(lf__http *http, lf__http_post *post); /* false: no memory, `done` is not called */
int lf__http_running(const lf__http *http);
/* Move transfers on; wait at most timeout_ms for something to happen (0: do not wait). */
void lf__http_poll(lf__http *http, int timeout_ms);
void lf__http_wakeup(lf__http *http);  /* end a poll early; any thread */
void lf__http_abandon(lf__http *http); /* cut every transfer short */
void lf__http_free(lf__http *http);    /* abandons what runs */

#endif
