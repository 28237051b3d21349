#include "http.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Handlers share one database, so a few threads keep it busy while others decode. */
enum { HTTP_THREADS = 4 };

/* Connections are spread over the threads; each thread takes its part of this number. The database and others need descriptors,
 * too. */
enum { HTTP_MAX_CONNECTIONS = 1000, HTTP_OTHER_DESCRIPTORS = 64, HTTP_IDLE_SECONDS = 120 };

/* A connection without a request that is taken: between two requests, before the end of a head, or with one that is refused. */
typedef struct http_idle {
    struct http_idle *older, *newer;
    int fd;
    bool is_idle;
} http_idle;

struct http_server {
    struct MHD_Daemon *daemon;
    http_options options;
    uint16_t port;
    bool is_public;
    atomic_size_t bodies; /* bytes of all bodies */
    pthread_mutex_t lock; /* guards what follows */
    http_idle *oldest, *newest;
    size_t connections, crowd; /* how many there are, and from how many on idle ones make room */
};

/* One request while its body arrives. */
typedef struct http_exchange {
    http_server *server;
    char *raw_path, *raw_query;
    buf body;
    size_t counted; /* bytes of the body in the sum of all */
    bool begun, too_big, crowded;
    bool answered; /* the answer is there before the body */
    http_answer answer;
} http_exchange;

/* ---- Connections ---- */

/* The caller holds the lock. */
static void http_leave_idle(http_server *s, http_idle *c)
{
    if (!c->is_idle)
        return;
    *(c->older != NULL ? &c->older->newer : &s->oldest) = c->newer;
    *(c->newer != NULL ? &c->newer->older : &s->newest) = c->older;
    c->is_idle = false;
}

static void http_become_idle(http_server *s, http_idle *c)
{
    c->older = s->newest;
    c->newer = NULL;
    *(s->newest != NULL ? &s->newest->newer : &s->oldest) = c;
    s->newest = c;
    c->is_idle = true;
}

/* The connection that has been idle longest sees its end, as if the client had closed it. Its descriptor is open while the lock
 * is held: libmicrohttpd tells of an end before it closes. */
static void http_make_room(http_server *s)
{
    http_idle *c = s->connections > s->crowd ? s->oldest : NULL;
    if (c == NULL)
        return;
    http_leave_idle(s, c);
    shutdown(c->fd, SHUT_RDWR);
}

static void http_on_connection(void *context, struct MHD_Connection *connection, void **state,
                               enum MHD_ConnectionNotificationCode code)
{
    http_server *s = context;
    http_idle *c = *state;
    pthread_mutex_lock(&s->lock);
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        s->connections++;
        *state = c = info != NULL ? calloc(1, sizeof *c) : NULL; /* without it the connection is never the one that makes room */
        http_make_room(s);
        if (c != NULL) {
            c->fd = info->connect_fd;
            http_become_idle(s, c);
        }
    } else {
        s->connections--;
        if (c != NULL)
            http_leave_idle(s, c);
        free(c);
        *state = NULL;
    }
    pthread_mutex_unlock(&s->lock);
}

static void http_set_idle(http_server *s, struct MHD_Connection *connection, bool idle)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    http_idle *c = info != NULL ? info->socket_context : NULL;
    if (c == NULL)
        return;
    pthread_mutex_lock(&s->lock);
    http_leave_idle(s, c);
    if (idle)
        http_become_idle(s, c);
    pthread_mutex_unlock(&s->lock);
}

/* ---- Bodies ---- */

/* False when all bodies together would take too much. */
static bool http_count_body(http_exchange *x, size_t size)
{
    if (size <= x->counted)
        return true;
    size_t more = size - x->counted;
    if (atomic_fetch_add(&x->server->bodies, more) + more > HTTP_MAX_BODIES) {
        atomic_fetch_sub(&x->server->bodies, more);
        return false;
    }
    x->counted = size;
    return true;
}

static void http_drop_body(http_exchange *x)
{
    buf_free(&x->body);
    atomic_fetch_sub(&x->server->bodies, x->counted);
    x->counted = 0;
}

/* libmicrohttpd calls this first: the other calls have the path decoded. http_on_completed frees the result. */
static void *http_on_uri(void *context, const char *uri, struct MHD_Connection *connection)
{
    http_exchange *x = calloc(1, sizeof *x);
    (void)connection;
    if (x == NULL)
        return NULL;
    x->server = context;
    x->raw_path = strdup(uri);
    x->raw_query = x->raw_path != NULL ? strchr(x->raw_path, '?') : NULL;
    if (x->raw_query != NULL)
        *x->raw_query++ = '\0';
    return x;
}

static void http_expect_body(http_exchange *x, struct MHD_Connection *connection)
{
    const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    int64_t announced;
    x->body.ceiling = HTTP_MAX_BODY;
    if (length == NULL || !text_to_int(text_of(length), &announced) || announced <= 0)
        return;
    x->too_big = (uint64_t)announced > HTTP_MAX_BODY;
    x->crowded = !x->too_big && !http_count_body(x, (size_t)announced);
    if (!x->too_big && !x->crowded && !buf_reserve(&x->body, (size_t)announced))
        x->too_big = true;
}

/* What is not kept is read all the same, so that the client reads the answer. */
static void http_keep(http_exchange *x, const char *data, size_t size)
{
    if (x->answered || x->too_big || x->crowded)
        return;
    x->crowded = !http_count_body(x, x->body.size + size);
    if (!x->crowded)
        buf_put(&x->body, data, size);
    x->too_big = x->body.failed;
    if (x->too_big || x->crowded)
        http_drop_body(x);
}

static void http_refuse(http_answer *answer, unsigned status, const char *why)
{
    answer->status = status;
    answer->content_type = "text/plain";
    buf_string(&answer->body, why);
}

typedef struct http_hosts {
    const char *last;
    size_t count;
} http_hosts;

static enum MHD_Result http_count_host(void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
    http_hosts *hosts = context;
    (void)kind;
    if (strcasecmp(name, MHD_HTTP_HEADER_HOST) == 0) {
        hosts->count++;
        hosts->last = value;
    }
    return MHD_YES;
}

/* Only HTTP/1.1 has to name the host. */
static bool http_is_for_us(const http_server *s, struct MHD_Connection *connection, const char *version, http_answer *answer)
{
    http_hosts hosts = {0};
    MHD_get_connection_values(connection, MHD_HEADER_KIND, http_count_host, &hosts);
    if (hosts.count > 1 || (hosts.count == 0 && strcmp(version, MHD_HTTP_VERSION_1_0) != 0))
        http_refuse(answer, MHD_HTTP_BAD_REQUEST, "A request has one Host header.\n");
    else if (hosts.count == 1 && !host_fits(&s->options.hosts, text_of(hosts.last)))
        http_refuse(answer, MHD_HTTP_MISDIRECTED_REQUEST, "This host is none of langfuse-local's; --allow-host NAME adds one.\n");
    else
        return true;
    return false;
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
    for (size_t i = 0; result == MHD_YES && i < answer->field_count; i++)
        result = MHD_add_response_header(response, answer->fields[i].name, answer->fields[i].value);
    if (result == MHD_YES)
        result = MHD_queue_response(connection, answer->status, response);
    MHD_destroy_response(response);
    return result;
}

#define HTTP_ANSWER ((http_answer){.status = MHD_HTTP_OK, .content_type = "application/json; charset=utf-8"})

static void http_begin_exchange(http_exchange *x, struct MHD_Connection *connection, const http_request *request,
                                const char *version)
{
    http_server *s = x->server;
    x->begun = true;
    x->answer = HTTP_ANSWER;
    x->answered = !http_is_for_us(s, connection, version, &x->answer) || !s->options.gate(s->options.context, request, &x->answer);
    if (x->answered)
        return;
    http_set_idle(s, connection, false);
    http_expect_body(x, connection);
}

static enum MHD_Result http_end_exchange(http_exchange *x, struct MHD_Connection *connection, const http_request *request)
{
    if (x->crowded)
        http_refuse(&x->answer, MHD_HTTP_SERVICE_UNAVAILABLE, "The bodies of other requests take all memory.\n");
    else if (!x->answered)
        x->server->options.handler(x->server->options.context, request, &x->answer);
    http_drop_body(x);
    http_answer answer = x->answer;
    x->answer = HTTP_ANSWER; /* its body goes to libmicrohttpd */
    return http_send_answer(connection, &answer);
}

/* Called once with the headers, then for each piece of the body, then once without data. */
static enum MHD_Result http_on_request(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                                       const char *version, const char *data, size_t *data_size, void **state)
{
    http_exchange *x = *state;
    (void)context;
    if (x == NULL || x->raw_path == NULL)
        return MHD_NO; /* out of memory */
    http_request request = {method, url, x->raw_path, x->raw_query, buf_view(&x->body), x->too_big, connection};
    if (!x->begun) {
        http_begin_exchange(x, connection, &request, version);
        return MHD_YES;
    }
    if (*data_size == 0)
        return http_end_exchange(x, connection, &request);
    http_keep(x, data, *data_size);
    *data_size = 0;
    return MHD_YES;
}

static void http_on_completed(void *context, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode code)
{
    http_exchange *x = *state;
    (void)code;
    http_set_idle(context, connection, true);
    if (x != NULL) {
        http_drop_body(x);
        buf_free(&x->answer.body);
        free(x->raw_path);
    }
    free(x);
    *state = NULL;
}

void http_add_field(http_answer *answer, const char *name, const char *value)
{
    if (answer->field_count < HTTP_MAX_FIELDS)
        answer->fields[answer->field_count++] = (http_field){name, value};
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

/* Where it listens, as the system has it. */
static void http_look_at_listener(http_server *s, int fd)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    char host[NI_MAXHOST], service[NI_MAXSERV];
    int64_t port = 0;
    s->is_public = true;
    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0 ||
        getnameinfo((struct sockaddr *)&address, size, host, sizeof host, service, sizeof service,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return;
    text_to_int(text_of(service), &port);
    s->port = (uint16_t)port;
    s->is_public = !host_is_loopback(text_of(host));
    s->options.hosts.any_address = strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

/* Fewer where the process may open few files. */
static size_t http_most_connections(void)
{
    struct rlimit files;
    size_t most = HTTP_MAX_CONNECTIONS;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < most + HTTP_OTHER_DESCRIPTORS)
        most = files.rlim_cur > 2 * HTTP_OTHER_DESCRIPTORS ? (size_t)files.rlim_cur - HTTP_OTHER_DESCRIPTORS
                                                           : HTTP_OTHER_DESCRIPTORS;
    return most;
}

static bool http_start_daemon(http_server *s, int fd)
{
    size_t most = http_most_connections();
    s->crowd = most - most / 8;
    s->daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC, 0, NULL, NULL, http_on_request, s,
                                 MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)HTTP_THREADS,
                                 MHD_OPTION_CONNECTION_LIMIT, (unsigned)most, MHD_OPTION_CONNECTION_TIMEOUT,
                                 (unsigned)HTTP_IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)64 << 10,
                                 MHD_OPTION_NOTIFY_COMPLETED, http_on_completed, s, MHD_OPTION_NOTIFY_CONNECTION,
                                 http_on_connection, s, MHD_OPTION_URI_LOG_CALLBACK, http_on_uri, s, MHD_OPTION_END);
    return s->daemon != NULL;
}

http_server *http_start(const http_options *options, char *why, size_t why_size)
{
    int fd = http_open_listener(options->hosts.listening, options->port, why, why_size);
    if (fd < 0)
        return NULL;
    http_server *s = calloc(1, sizeof *s);
    if (s != NULL && pthread_mutex_init(&s->lock, NULL) == 0) {
        s->options = *options;
        http_look_at_listener(s, fd);
        if (http_start_daemon(s, fd))
            return s;
        pthread_mutex_destroy(&s->lock);
    }
    snprintf(why, why_size, "cannot start the HTTP server: %s", strerror(errno));
    close(fd);
    free(s);
    return NULL;
}

uint16_t http_port(const http_server *s)
{
    return s->port;
}

bool http_is_public(const http_server *s)
{
    return s->is_public;
}

void http_stop(http_server *s)
{
    if (s == NULL)
        return;
    MHD_stop_daemon(s->daemon);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
