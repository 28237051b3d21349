/* A scripted HTTP server for the tests: one thread accepts, one per connection answers. A callback decides, request by
 * request, what happens; everything received is kept to be looked at.
 */
#ifndef TESTS_FAKE_SERVER_H
#define TESTS_FAKE_SERVER_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { FAKE_REQUESTS_MAX = 8192, FAKE_CONNECTIONS_MAX = 512, FAKE_HEAD_MAX = 32768 };

typedef struct fake_request {
    char *head; /* request line and headers, NUL-terminated */
    char *body; /* NUL-terminated for strstr; may contain others */
    size_t body_size;
    int number; /* 0 for the first ever received */
    uint64_t at_ns;
} fake_request;

typedef enum fake_manner {
    FAKE_ANSWER,     /* an ordinary response */
    FAKE_HANG,       /* nothing, until the client or the server goes away */
    FAKE_CLOSE,      /* close without a word */
    FAKE_RESET_BODY, /* promise a body, send part of it, reset */
    FAKE_RAW,        /* `body` as it is, then close */
    FAKE_RAW_HANG    /* `body` as it is, then nothing, as with FAKE_HANG */
} fake_manner;

typedef struct fake_reply {
    fake_manner manner;
    int status;          /* 0: 200 */
    const char *headers; /* further ones, each ended by \r\n */
    const char *body;
    size_t body_size;    /* 0: strlen(body) */
    int delay_ms;        /* think for so long */
    size_t piece_size;   /* of FAKE_RAW: so many bytes at a time; 0: all at once */
} fake_reply;

typedef struct fake_server fake_server;
struct fake_server {
    /* Set before fake_server_start: called on a connection's thread, under no lock. */
    fake_reply (*answer)(fake_server *server, const fake_request *request);
    void *data;
    fake_reply health; /* to them; by default no version */

    int port;
    char url[128];
    int listener;
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    bool stopping;
    int accepted; /* connections */
    int busy;     /* requests being answered */
    int most_busy;
    int health_count; /* questions for its version, which are no requests here */
    int request_count;
    fake_request requests[FAKE_REQUESTS_MAX];
    int connection_count;
    int sockets[FAKE_CONNECTIONS_MAX];
    pthread_t threads[FAKE_CONNECTIONS_MAX];
};

typedef struct fake_connection {
    fake_server *server;
    int socket;
} fake_connection;

/* A text for an answer. The server's threads may still be reading the one before, so each has a place of its own. */
static inline const char *fake_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

static inline const char *fake_text(const char *format, ...)
{
    static char texts[256][320];
    static unsigned next;
    char *text = texts[next++ % 256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof texts[0], format, arguments);
    va_end(arguments);
    return text;
}

static inline bool fake_stopping(fake_server *server)
{
    pthread_mutex_lock(&server->lock);
    bool stopping = server->stopping;
    pthread_mutex_unlock(&server->lock);
    return stopping;
}

static inline bool fake_send(int socket, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(socket, bytes, size, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        bytes += sent;
        size -= (size_t)sent;
    }
    return true;
}

static inline const char *fake_header(const fake_request *request, const char *name)
{
    size_t size = strlen(name);
    for (const char *line = strchr(request->head, '\n'); line != NULL; line = strchr(line, '\n'))
        if (strncasecmp(++line, name, size) == 0 && line[size] == ':')
            return line + size + 1 + strspn(line + size + 1, " ");
    return NULL;
}

/* Is there such a header with exactly this value? */
static inline bool fake_header_is(const fake_request *request, const char *name, const char *value)
{
    const char *at = fake_header(request, name);
    return at != NULL && strcspn(at, "\r\n") == strlen(value) && strncmp(at, value, strlen(value)) == 0;
}

/* Read one request. Bytes of the next one cannot be there yet: the client waits for the answer. */
static inline bool fake_receive(int socket, fake_request *request)
{
    size_t size = 0;
    char *head = calloc(1, FAKE_HEAD_MAX + 1), *end = NULL;
    while (end == NULL && size < FAKE_HEAD_MAX) {
        ssize_t got = recv(socket, head + size, FAKE_HEAD_MAX - size, 0);
        if (got <= 0) {
            free(head);
            return false;
        }
        size += (size_t)got;
        end = strstr(head, "\r\n\r\n");
    }
    if (end == NULL) {
        free(head);
        return false;
    }
    size_t left = size - (size_t)(end + 4 - head);
    request->head = head;
    const char *length = fake_header(request, "Content-Length");
    request->body_size = length == NULL ? 0 : strtoul(length, NULL, 10);
    request->body = calloc(1, request->body_size + 1);
    size_t have = left < request->body_size ? left : request->body_size;
    memcpy(request->body, end + 4, have);
    end[2] = '\0';
    while (have < request->body_size) {
        ssize_t got = recv(socket, request->body + have, request->body_size - have, 0);
        if (got <= 0) {
            free(request->head);
            free(request->body);
            return false;
        }
        have += (size_t)got;
    }
    return true;
}

/* Pieces that arrive one by one, mostly. */
static inline bool fake_send_pieces(int socket, const char *bytes, size_t size, size_t piece_size)
{
    for (size_t at = 0; piece_size != 0 && at + piece_size < size; at += piece_size) {
        if (!fake_send(socket, bytes + at, piece_size))
            return false;
        nanosleep(&(struct timespec){0, 200000}, NULL);
    }
    size_t last = piece_size == 0 || size == 0 ? size : (size - 1) % piece_size + 1;
    return fake_send(socket, bytes + size - last, last);
}

/* Until the client or the server goes away. */
static inline void fake_hang(fake_server *server, int socket)
{
    while (!fake_stopping(server)) {
        struct pollfd wait = {socket, POLLIN, 0};
        char nothing;
        if (poll(&wait, 1, 10) > 0 && recv(socket, &nothing, 1, MSG_PEEK) <= 0)
            break;
    }
}

static inline void fake_reset(int socket)
{
    struct linger now = {1, 0};
    setsockopt(socket, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

/* False: the connection is over. */
static inline bool fake_reply_send(fake_server *server, int socket, const fake_reply *reply)
{
    const char *body = reply->body == NULL ? "" : reply->body;
    size_t size = reply->body_size != 0 ? reply->body_size : strlen(body);
    char head[1024];
    int head_size = snprintf(head, sizeof head, "HTTP/1.1 %d Whatever\r\nContent-Length: %zu\r\n%s\r\n",
                             reply->status == 0 ? 200 : reply->status, size, reply->headers == NULL ? "" : reply->headers);
    switch (reply->manner) {
    case FAKE_ANSWER: return fake_send(socket, head, (size_t)head_size) && fake_send(socket, body, size);
    case FAKE_HANG: fake_hang(server, socket); return false;
    case FAKE_CLOSE: return false;
    case FAKE_RESET_BODY:
        (void)(fake_send(socket, head, (size_t)head_size) && fake_send(socket, body, size / 2));
        nanosleep(&(struct timespec){0, 20000000}, NULL);
        fake_reset(socket);
        return false;
    case FAKE_RAW: (void)fake_send_pieces(socket, body, size, reply->piece_size); return false;
    case FAKE_RAW_HANG:
        if (fake_send_pieces(socket, body, size, reply->piece_size))
            fake_hang(server, socket);
        return false;
    }
    return false;
}

static inline bool fake_hangs(const fake_reply *reply)
{
    return reply->manner == FAKE_HANG || reply->manner == FAKE_RAW_HANG;
}

static inline bool fake_serve_health(const fake_connection *connection, fake_request *request)
{
    fake_server *server = connection->server;
    pthread_mutex_lock(&server->lock);
    server->health_count++;
    fake_reply reply = server->health;
    pthread_mutex_unlock(&server->lock);
    free(request->head);
    free(request->body);
    for (int waited = 0; waited < reply.delay_ms && !fake_stopping(server); waited++)
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    return fake_reply_send(server, connection->socket, &reply);
}

static inline void *fake_serve(void *argument)
{
    fake_connection connection = *(fake_connection *)argument;
    fake_server *server = connection.server;
    free(argument);
    fake_request request = {0};
    bool more = true;
    while (more && fake_receive(connection.socket, &request)) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        request.at_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
        if (strncmp(request.head, "GET /api/public/health ", 23) == 0) {
            more = fake_serve_health(&connection, &request);
            continue;
        }
        pthread_mutex_lock(&server->lock);
        bool room = server->request_count < FAKE_REQUESTS_MAX;
        if (room) {
            request.number = server->request_count++;
            server->requests[request.number] = request;
        }
        server->busy++;
        if (server->busy > server->most_busy)
            server->most_busy = server->busy;
        pthread_mutex_unlock(&server->lock);
        fake_reply reply = {0};
        if (room && server->answer != NULL)
            reply = server->answer(server, &request);
        /* Not busy any more before the answer leaves: the client may be faster than this thread. */
        for (int waited = 0; waited < reply.delay_ms && !fake_stopping(server); waited++)
            nanosleep(&(struct timespec){0, 1000000}, NULL);
        pthread_mutex_lock(&server->lock);
        if (!fake_hangs(&reply))
            server->busy--;
        pthread_mutex_unlock(&server->lock);
        more = fake_reply_send(server, connection.socket, &reply);
        if (fake_hangs(&reply)) {
            pthread_mutex_lock(&server->lock);
            server->busy--;
            pthread_mutex_unlock(&server->lock);
        }
    }
    /* Under the lock, so that stopping shuts down no foreign socket of the same number. */
    pthread_mutex_lock(&server->lock);
    for (int i = 0; i < server->connection_count; i++)
        if (server->sockets[i] == connection.socket)
            server->sockets[i] = -1;
    close(connection.socket);
    pthread_mutex_unlock(&server->lock);
    return NULL;
}

/* A place for one more connection, its last thread joined; -1: none. Under the lock, which an ended thread has let go. */
static inline int fake_place(fake_server *server)
{
    for (int i = 0; i < server->connection_count; i++) {
        if (server->sockets[i] < 0) {
            pthread_join(server->threads[i], NULL);
            return i;
        }
    }
    return server->connection_count == FAKE_CONNECTIONS_MAX ? -1 : server->connection_count++;
}

static inline void *fake_accept(void *argument)
{
    fake_server *server = argument;
    for (;;) {
        int socket = accept(server->listener, NULL, NULL);
        if (socket < 0 && (errno == EINTR || errno == ECONNABORTED))
            continue;
        pthread_mutex_lock(&server->lock);
        int place = socket < 0 || server->stopping ? -1 : fake_place(server);
        if (place < 0) {
            pthread_mutex_unlock(&server->lock);
            if (socket >= 0)
                close(socket);
            return NULL;
        }
        int yes = 1;
        setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        server->accepted++;
        fake_connection *connection = malloc(sizeof *connection);
        *connection = (fake_connection){server, socket};
        server->sockets[place] = socket;
        pthread_create(&server->threads[place], NULL, fake_serve, connection);
        pthread_mutex_unlock(&server->lock);
    }
}

/* Listen on a free port of the loopback address; 0 takes any. False: the port is taken. */
/* Take connections at an address. */
static inline bool fake_server_listen(fake_server *server, const struct sockaddr *address, socklen_t size)
{
    int yes = 1;
    server->listener = socket(address->sa_family, SOCK_STREAM, 0);
    setsockopt(server->listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(server->listener, address, size) == 0 && listen(server->listener, 64) == 0)
        return true;
    close(server->listener);
    return false;
}

static inline bool fake_server_run(fake_server *server)
{
    pthread_mutex_init(&server->lock, NULL);
    return pthread_create(&server->thread, NULL, fake_accept, server) == 0;
}

static inline bool fake_server_start_on(fake_server *server, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (!fake_server_listen(server, (struct sockaddr *)&address, size))
        return false;
    getsockname(server->listener, (struct sockaddr *)&address, &size);
    server->port = ntohs(address.sin_port);
    snprintf(server->url, sizeof server->url, "http://127.0.0.1:%d", server->port);
    return fake_server_run(server);
}

static inline fake_server *fake_server_start(fake_reply (*answer)(fake_server *, const fake_request *), void *data)
{
    fake_server *server = calloc(1, sizeof *server);
    server->answer = answer;
    server->data = data;
    if (fake_server_start_on(server, 0))
        return server;
    free(server);
    return NULL;
}

/* The same at a socket of this machine; its URL is unix:PATH. */
static inline fake_server *fake_server_start_at(const char *path, fake_reply (*answer)(fake_server *, const fake_request *),
                                                void *data)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    fake_server *server = calloc(1, sizeof *server);
    server->answer = answer;
    server->data = data;
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    snprintf(server->url, sizeof server->url, "unix:%s", path);
    if (fake_server_listen(server, (struct sockaddr *)&address, sizeof address) && fake_server_run(server))
        return server;
    free(server);
    return NULL;
}

/* Go away; what was received stays to be read. */
static inline void fake_server_stop(fake_server *server)
{
    pthread_mutex_lock(&server->lock);
    server->stopping = true;
    for (int i = 0; i < server->connection_count; i++)
        if (server->sockets[i] >= 0)
            shutdown(server->sockets[i], SHUT_RDWR);
    pthread_mutex_unlock(&server->lock);
    shutdown(server->listener, SHUT_RDWR); /* wakes accept */
    pthread_join(server->thread, NULL);
    close(server->listener);
    for (int i = 0; i < server->connection_count; i++)
        pthread_join(server->threads[i], NULL);
}

static inline void fake_server_free(fake_server *server)
{
    fake_server_stop(server);
    for (int i = 0; i < server->request_count; i++) {
        free(server->requests[i].head);
        free(server->requests[i].body);
    }
    pthread_mutex_destroy(&server->lock);
    free(server);
}

static inline int fake_count(fake_server *server, const int *counter)
{
    pthread_mutex_lock(&server->lock);
    int count = *counter;
    pthread_mutex_unlock(&server->lock);
    return count;
}

/* A port on which nothing listens. */
static inline int fake_free_port(void)
{
    fake_server *server = fake_server_start(NULL, NULL);
    int port = server->port;
    fake_server_free(server);
    return port;
}

#endif
