/* HTTP for the server: listens, collects bodies, calls one handler for each request, sends its answer.
 *
 * The only user of libmicrohttpd. It knows nothing about routes, keys or JSON. A request for another host is refused (host.h),
 * and one that the gate refuses is read to its end without being kept. When many connections are open, idle ones make room.
 */
#ifndef LOCAL_HTTP_H
#define LOCAL_HTTP_H

#include "buf.h"
#include "host.h"

/* What one request may carry before it is answered with 413; far above what any exporter batches. */
enum { HTTP_MAX_BODY = 16 << 20 };

/* What all bodies together may take; a request beyond it is answered with 503. */
enum { HTTP_MAX_BODIES = 128 << 20 };

typedef struct http_request {
    const char *method, *path; /* the path is percent-decoded */
    const char *raw_path;      /* as it was sent, without the query: %2F and a slash are different things there */
    const char *raw_query;     /* as it was sent; NULL: none */
    text body;
    bool too_big; /* the body went over HTTP_MAX_BODY and was not kept */
    void *native;
} http_request;

/* A header of an answer; the texts must live until the answer is sent, as those of the request and of the body do. */
typedef struct http_field {
    const char *name, *value;
} http_field;

enum { HTTP_MAX_FIELDS = 8 };

typedef struct http_answer {
    unsigned status;
    const char *content_type; /* NULL: none */
    buf body;
    http_field fields[HTTP_MAX_FIELDS];
    size_t field_count;
} http_answer;

void http_add_field(http_answer *answer, const char *name, const char *value);

/* Runs on one of several threads, at the same time as others. */
typedef void http_handler(void *context, const http_request *request, http_answer *answer);

/* The same, when the headers of a request are there, and nothing of its body. False: the answer is that of the request, and the
 * handler is not called. */
typedef bool http_gate(void *context, const http_request *request, http_answer *answer);

typedef struct http_options {
    host_rules hosts; /* `listening` is where it listens; http_start fills in whether that is all addresses */
    uint16_t port;    /* 0 takes any free one */
    http_gate *gate;
    http_handler *handler;
    void *context; /* of both */
} http_options;

typedef struct http_server http_server;

/* Starts listening. On failure returns NULL with one line in `why`. What the options point at must live as long as the server. */
http_server *http_start(const http_options *options, char *why, size_t why_size);
uint16_t http_port(const http_server *s);
bool http_is_public(const http_server *s); /* it listens on more than the loopback interface */
void http_stop(http_server *s); /* waits for handlers that run; NULL is fine */

const char *http_header(const http_request *request, const char *name); /* NULL when absent */
const char *http_query(const http_request *request, const char *name);  /* percent-decoded; NULL when absent */

/* Calls `visit` for each query parameter, also for those that occur several times. */
typedef void http_visit(void *context, const char *name, const char *value);
void http_queries(const http_request *request, http_visit *visit, void *context);

#endif
