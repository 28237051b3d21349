#include "http.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Handlers share one database, so a few threads keep it busy while others decode. */
enum { HTTP_THREADS = 4 };

/* Connections are spread over the threads; each thread takes its part of this number. */
enum { HTTP_MAX_CONNECTIONS = 1000, HTTP_IDLE_SECONDS = 120 };

struct http_server {
    struct MHD_Daemon *daemon;
    http_handler *handler;
    void *context;
    uint16_t port;
};

/* One request while its body arrives. */
typedef struct http_exchange {
    char *raw_path;
    buf body;
    bool begun, too_big;
} http_exchange;

/* libmicrohttpd calls this first: the other calls have the path decoded. http_on_completed frees the result. */
static void *http_on_uri(void *context, const char *uri, struct MHD_Connection *connection)
{
    http_exchange *x = calloc(1, sizeof *x);
    (void)context;
    (void)connection;
    if (x != NULL)
        x->raw_path = strndup(uri, strcspn(uri, "?"));
    return x;
}

static void http_begin_exchange(http_exchange *x, struct MHD_Connection *connection)
{
    const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    int64_t announced;
    x->begun = true;
    x->body.ceiling = HTTP_MAX_BODY;
    if (length != NULL && text_to_int(text_of(length), &announced) && announced > 0)
        x->too_big = (uint64_t)announced > HTTP_MAX_BODY || !buf_reserve(&x->body, (size_t)announced);
}

/* Bytes over the ceiling are read and dropped, so that the client reads the 413. */
static void http_keep(http_exchange *x, const char *data, size_t size)
{
    if (x->too_big)
        return;
    buf_put(&x->body, data, size);
    if (x->body.failed) {
        x->too_big = true;
        buf_free(&x->body);
    }
}

static enum MHD_Result http_send_answer(struct MHD_Connection *connection, http_answer *answer)
{
    if (answer->body.failed) {
        buf_free(&answer->body);
        answer->status = MHD_HTTP_INTERNAL_SERVER_ERROR;
    }
    struct MHD_Response *response = MHD_create_response_from_buffer(
        answer->body.size, answer->body.at != NULL ? answer->body.at : (void *)"",
        answer->body.at != NULL ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (response == NULL) {
        buf_free(&answer->body);
        return MHD_NO;
    }
    enum MHD_Result result = MHD_YES;
    if (answer->content_type != NULL)
        result = MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->content_type);
    if (result == MHD_YES)
        result = MHD_queue_response(connection, answer->status, response);
    MHD_destroy_response(response);
    return result;
}

/* Called once with the headers, then for each piece of the body, then once without data. */
static enum MHD_Result http_on_request(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                                       const char *version, const char *data, size_t *data_size, void **state)
{
    http_server *s = context;
    http_exchange *x = *state;
    (void)version;
    if (x == NULL || x->raw_path == NULL)
        return MHD_NO; /* out of memory */
    if (!x->begun) {
        http_begin_exchange(x, connection);
        return MHD_YES;
    }
    if (*data_size > 0) {
        http_keep(x, data, *data_size);
        *data_size = 0;
        return MHD_YES;
    }
    http_request request = {method, url, x->raw_path, buf_view(&x->body), x->too_big, connection};
    http_answer answer = {MHD_HTTP_OK, "application/json; charset=utf-8", {0}};
    s->handler(s->context, &request, &answer);
    return http_send_answer(connection, &answer);
}

static void http_on_completed(void *context, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode code)
{
    http_exchange *x = *state;
    (void)context;
    (void)connection;
    (void)code;
    if (x != NULL) {
        buf_free(&x->body);
        free(x->raw_path);
    }
    free(x);
    *state = NULL;
}

const char *http_header(const http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->native, MHD_HEADER_KIND, name);
}

const char *http_query(const http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->native, MHD_GET_ARGUMENT_KIND, name);
}

typedef struct http_visitor {
    http_visit *visit;
    void *context;
} http_visitor;

static enum MHD_Result http_visit_query(void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
    const http_visitor *v = context;
    (void)kind;
    v->visit(v->context, name, value != NULL ? value : "");
    return MHD_YES;
}

void http_queries(const http_request *request, http_visit *visit, void *context)
{
    http_visitor v = {visit, context};
    MHD_get_connection_values(request->native, MHD_GET_ARGUMENT_KIND, http_visit_query, &v);
}

/* ---- Listening ---- */

/* SO_REUSEADDR lets a restarted server take its port back at once. */
static int http_listen_on(const struct addrinfo *address)
{
    int on = 1, fd = socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC, address->ai_protocol);
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 && bind(fd, address->ai_addr, address->ai_addrlen) == 0 &&
        listen(fd, SOMAXCONN) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static int http_open_listener(const char *host, uint16_t port, char *why, size_t why_size)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *found = NULL;
    char service[8];
    snprintf(service, sizeof service, "%u", (unsigned)port);
    int problem = getaddrinfo(host, service, &hints, &found);
    if (problem != 0) {
        snprintf(why, why_size, "cannot listen on %s: %s", host, gai_strerror(problem));
        return -1;
    }
    int fd = http_listen_on(found);
    freeaddrinfo(found);
    if (fd < 0 && errno == EADDRINUSE)
        snprintf(why, why_size, "port %u on %s is already in use (another langfuse-local? choose one with --port)", (unsigned)port,
                 host);
    else if (fd < 0)
        snprintf(why, why_size, "cannot listen on %s:%u: %s", host, (unsigned)port, strerror(errno));
    return fd;
}

static uint16_t http_port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    char service[NI_MAXSERV];
    int64_t port = 0;
    if (getsockname(fd, (struct sockaddr *)&address, &size) == 0 &&
        getnameinfo((struct sockaddr *)&address, size, NULL, 0, service, sizeof service, NI_NUMERICSERV) == 0)
        text_to_int(text_of(service), &port);
    return (uint16_t)port;
}

http_server *http_start(const char *host, uint16_t port, http_handler *handler, void *context, char *why, size_t why_size)
{
    int fd = http_open_listener(host, port, why, why_size);
    if (fd < 0)
        return NULL;
    http_server *s = calloc(1, sizeof *s);
    if (s != NULL) {
        *s = (http_server){.handler = handler, .context = context, .port = http_port_of(fd)};
        s->daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, http_on_request, s, MHD_OPTION_LISTEN_SOCKET, fd,
                                     MHD_OPTION_THREAD_POOL_SIZE, (unsigned)HTTP_THREADS, MHD_OPTION_CONNECTION_LIMIT,
                                     (unsigned)HTTP_MAX_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)HTTP_IDLE_SECONDS,
                                     MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)64 << 10, MHD_OPTION_NOTIFY_COMPLETED,
                                     http_on_completed, NULL, MHD_OPTION_URI_LOG_CALLBACK, http_on_uri, NULL, MHD_OPTION_END);
    }
    if (s != NULL && s->daemon != NULL)
        return s;
    snprintf(why, why_size, "cannot start the HTTP server: %s", strerror(errno));
    close(fd);
    free(s);
    return NULL;
}

uint16_t http_port(const http_server *s)
{
    return s->port;
}

void http_stop(http_server *s)
{
    if (s == NULL)
        return;
    MHD_stop_daemon(s->daemon);
    free(s);
}
