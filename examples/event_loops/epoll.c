/* A service of one thread: a thousand requests at once in one epoll loop, each a trace of its own, and no thread of the library.
 *
 *     epoll [PORT]       0, the default: any free one. Says on stdout where it listens; ends on SIGTERM or SIGINT.
 *
 * It answers GET /QUESTION a moment later, as a service does that asks a model. A request with a traceparent goes on with the
 * caller's trace.
 */
#define _GNU_SOURCE /* accept4 */
#include "observe.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MODEL_MS = 20, HEAD_BYTES = 4096 };

typedef struct request {
    int socket;
    size_t size;
    char head[HEAD_BYTES];
    char question[256];
    lf_observation *observation; /* open while the request is: its callbacks run below it */
    int64_t answer_ms;
    struct request *next;
} request;

static int loop, listener;
static request *thinking, **last = &thinking; /* the model takes as long for each: the first is the next */

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * (int64_t)1000 + now.tv_nsec / 1000000;
}

/* ---- What the service does, in callbacks that return at once ------------------------------------------------------- */

/* The value of a header, by its lower-case name. */
static const char *header_of(void *data, const char *name)
{
    static char value[512];
    const request *r = data;
    size_t size = strlen(name);
    for (const char *line = strstr(r->head, "\r\n"); line != NULL; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, size) != 0 || line[2 + size] != ':')
            continue;
        const char *text = line + 2 + size + 1;
        text += strspn(text, " ");
        snprintf(value, sizeof value, "%.*s", (int)strcspn(text, "\r"), text);
        return value;
    }
    return NULL;
}

static int count_words(const char *question)
{
    OBSERVE_TOOL(question);
    int words = 1;
    for (const char *at = question; *at != '\0'; at++)
        words += *at == '+';
    OBSERVE_RETURN(words);
}

/* Without a traceparent `caller` is NULL: then the request begins a trace, whatever else this thread is doing. */
static void begin(request *r)
{
    if (sscanf(r->head, "GET /%255[^ ]", r->question) != 1)
        r->question[0] = '\0';
    lf_context *caller = lf_extract(header_of, r);
    OBSERVE_CONTEXT(caller);
    lf_context_free(caller); /* the scope has a copy */
    r->observation = lf_start_observation(.name = "request", .type = LF_CHAIN, .input = LF_VALUE(r->question));

    OBSERVE_UNDER(r->observation);
    lf_update_current_observation(.metadata = LF_OBJECT("words", count_words(r->question)));
    r->answer_ms = now_ms() + MODEL_MS;
    *last = r;
    last = &r->next;
}

static void finish(request *r)
{
    OBSERVE_UNDER(r->observation);
    OBSERVE_GENERATION(r->question);
    char text[512];
    int size = snprintf(text, sizeof text, "HTTP/1.0 200 OK\r\n\r\nWhat do you think of %s?\n", r->question);
    OBSERVE_OUTPUT(strchr(text, 'W'));
    if (write(r->socket, text, (size_t)size) != size)
        lf_observation_update(r->observation, .level = LF_LEVEL_WARNING, .status_message = "the caller has gone");
}

static void finish_due(void)
{
    while (thinking != NULL && thinking->answer_ms <= now_ms()) {
        request *r = thinking;
        thinking = r->next;
        last = thinking == NULL ? &thinking : last;
        finish(r);
        lf_observation_end(r->observation);
        close(r->socket);
        free(r);
    }
}

/* ---- The loop ------------------------------------------------------------------------------------------------------ */

static void go_on(request *r)
{
    ssize_t size = read(r->socket, r->head + r->size, sizeof r->head - 1 - r->size);
    r->size += size > 0 ? (size_t)size : 0;
    bool is_whole = strstr(r->head, "\r\n\r\n") != NULL;
    if (!is_whole && size > 0)
        return;
    epoll_ctl(loop, EPOLL_CTL_DEL, r->socket, NULL);
    if (is_whole) {
        begin(r);
    } else { /* it has gone, or says too much */
        close(r->socket);
        free(r);
    }
}

static void take_request(void)
{
    request *r = calloc(1, sizeof *r);
    int socket = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (r == NULL || socket < 0) {
        free(r);
        if (socket >= 0)
            close(socket);
        return;
    }
    r->socket = socket;
    epoll_ctl(loop, EPOLL_CTL_ADD, socket, &(struct epoll_event){.events = EPOLLIN, .data.ptr = r});
}

/* Sleep until something of ours or of the library is ready: an epoll descriptor may itself be waited for. */
static void sleep_until_ready(void)
{
    lf_poll_wants wants;
    struct pollfd all[1 + sizeof wants.fds / sizeof *wants.fds] = {{.fd = loop, .events = POLLIN}};
    lf_poll(0, &wants); /* sends, receives, and tells what it waits for */
    memcpy(all + 1, wants.fds, wants.count * sizeof *wants.fds);
    int timeout_ms = wants.timeout_ms;
    if (thinking != NULL) {
        int64_t left_ms = thinking->answer_ms - now_ms();
        int until_answer = left_ms < 0 ? 0 : (int)left_ms;
        timeout_ms = timeout_ms < 0 || until_answer < timeout_ms ? until_answer : timeout_ms;
    }
    poll(all, 1 + wants.count, timeout_ms);
}

static void serve(const int *signals)
{
    for (;;) {
        struct epoll_event events[64];
        sleep_until_ready();
        int count = epoll_wait(loop, events, 64, 0);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == signals)
                return;
            if (events[i].data.ptr == &listener)
                take_request();
            else
                go_on(events[i].data.ptr);
        }
        finish_due();
    }
}

static bool listen_on(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, SOMAXCONN) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0)
        return false;
    printf("http://127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return true;
}

int main(int count, char **arguments)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) { /* a socket each */
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    signal(SIGPIPE, SIG_IGN);

    lf_init(&(lf_options){LF_OPTIONS_INIT, .worker = LF_OFF}); /* before the first observation */
    int signals = signalfd(-1, &ends, SFD_CLOEXEC);
    loop = epoll_create1(EPOLL_CLOEXEC);
    if (!listen_on(count > 1 ? (uint16_t)strtoul(arguments[1], NULL, 10) : 0)) {
        perror("epoll: cannot listen");
        return EXIT_FAILURE;
    }
    epoll_ctl(loop, EPOLL_CTL_ADD, signals, &(struct epoll_event){.events = EPOLLIN, .data.ptr = &signals});
    epoll_ctl(loop, EPOLL_CTL_ADD, listener, &(struct epoll_event){.events = EPOLLIN, .data.ptr = &listener});
    serve(&signals);
    return EXIT_SUCCESS; /* from main: what is left is sent on the way out */
}
