/* The same with libmicrohttpd in the program's own loop: requests are suspended while a model thinks, and no thread is created.
 *
 *     microhttpd [PORT]  0, the default: any free one. Says on stdout where it listens; ends on SIGTERM or SIGINT.
 *
 * It answers GET /QUESTION. A request with a traceparent goes on with the caller's trace.
 */
#include "observe.h"

#include <microhttpd.h>

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>

enum { MODEL_MS = 20 };

typedef struct request {
    struct MHD_Connection *connection;
    lf_observation *observation; /* open while the request is: its callbacks run below it */
    char answer[300];
    int64_t answer_ms;
    struct request *next;
} request;

static request *thinking, **last = &thinking; /* the model takes as long for each: the first is the next */

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * (int64_t)1000 + now.tv_nsec / 1000000;
}

static const char *header_of(void *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static void ask_model(request *r, const char *question)
{
    OBSERVE_TOOL(question);
    snprintf(r->answer, sizeof r->answer, "What do you think of %.250s?\n", question);
    r->answer_ms = now_ms() + MODEL_MS;
    *last = r;
    last = &r->next;
    MHD_suspend_connection(r->connection);
}

/* The request begins: it gets a handle, which outlives this callback. */
static enum MHD_Result begin(struct MHD_Connection *connection, const char *url, void **state)
{
    request *r = calloc(1, sizeof *r);
    if (r == NULL)
        return MHD_NO;
    *state = r;
    r->connection = connection;
    lf_context *caller = lf_extract(header_of, connection);
    OBSERVE_CONTEXT(caller); /* NULL without a traceparent: then the request begins a trace */
    lf_context_free(caller); /* the scope has a copy */
    r->observation = lf_start_observation(.name = "request", .type = LF_CHAIN, .input = LF_VALUE(url + 1));
    return MHD_YES;
}

static enum MHD_Result finish(request *r)
{
    OBSERVE_UNDER(r->observation);
    OBSERVE_GENERATION();
    OBSERVE_OUTPUT(r->answer);
    struct MHD_Response *response = MHD_create_response_from_buffer(strlen(r->answer), r->answer, MHD_RESPMEM_MUST_COPY);
    if (response == NULL)
        return MHD_NO;
    enum MHD_Result queued = MHD_queue_response(r->connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return queued;
}

/* Called when the head is there, when the body is, and when the model has answered. */
static enum MHD_Result handle(void *data, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *upload, size_t *upload_size, void **state)
{
    (void)data, (void)method, (void)version, (void)upload;
    request *r = *state;
    if (r == NULL)
        return begin(connection, url, state);
    if (*upload_size > 0) {
        *upload_size = 0; /* nobody asked for a body */
        return MHD_YES;
    }
    if (r->answer[0] != '\0')
        return finish(r);
    OBSERVE_UNDER(r->observation);
    ask_model(r, url + 1);
    return MHD_YES;
}

static void completed(void *data, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode why)
{
    (void)data, (void)connection;
    request *r = *state;
    if (r == NULL)
        return;
    if (why != MHD_REQUEST_TERMINATED_COMPLETED_OK)
        lf_observation_update(r->observation, .level = LF_LEVEL_WARNING, .status_message = "the caller has gone");
    lf_observation_end(r->observation, .output = LF_VALUE(r->answer));
    free(r);
}

static void resume_due(void)
{
    while (thinking != NULL && thinking->answer_ms <= now_ms()) {
        request *r = thinking;
        thinking = r->next;
        last = thinking == NULL ? &thinking : last;
        MHD_resume_connection(r->connection);
    }
}

static int earlier(int a_ms, int b_ms)
{
    return a_ms < 0 ? b_ms : b_ms < 0 || a_ms < b_ms ? a_ms : b_ms;
}

/* Sleep until the service, the library or the end is ready. True: it is the end. */
static bool sleep_until_ready(struct MHD_Daemon *daemon, int signals)
{
    lf_poll_wants wants;
    struct pollfd all[2 + sizeof wants.fds / sizeof *wants.fds] = {
        {.fd = signals, .events = POLLIN},
        {.fd = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd, .events = POLLIN},
    };
    lf_poll(0, &wants); /* sends, receives, and tells what it waits for */
    memcpy(all + 2, wants.fds, wants.count * sizeof *wants.fds);
    MHD_UNSIGNED_LONG_LONG daemon_ms;
    int timeout_ms = wants.timeout_ms;
    if (MHD_get_timeout(daemon, &daemon_ms) == MHD_YES)
        timeout_ms = earlier(timeout_ms, daemon_ms > 60000 ? 60000 : (int)daemon_ms);
    if (thinking != NULL)
        timeout_ms = earlier(timeout_ms, thinking->answer_ms > now_ms() ? (int)(thinking->answer_ms - now_ms()) : 0);
    poll(all, 2 + wants.count, timeout_ms);
    return (all[0].revents & POLLIN) != 0;
}

static struct MHD_Daemon *listen_on(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, port, NULL, NULL, handle, NULL, MHD_OPTION_SOCK_ADDR,
                            &address, MHD_OPTION_NOTIFY_COMPLETED, completed, NULL, MHD_OPTION_END);
}

int main(int count, char **arguments)
{
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigprocmask(SIG_BLOCK, &ends, NULL);

    lf_init(&(lf_options){LF_OPTIONS_INIT, .worker = LF_OFF}); /* before the first observation */
    int signals = signalfd(-1, &ends, SFD_CLOEXEC);
    struct MHD_Daemon *daemon = listen_on(count > 1 ? (uint16_t)strtoul(arguments[1], NULL, 10) : 0);
    const union MHD_DaemonInfo *bound = daemon ? MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT) : NULL;
    if (bound == NULL) {
        fputs("microhttpd: cannot listen\n", stderr);
        return EXIT_FAILURE;
    }
    printf("http://127.0.0.1:%d\n", (int)bound->port);
    fflush(stdout);
    while (!sleep_until_ready(daemon, signals)) {
        resume_due();
        MHD_run(daemon);
    }
    for (request *r = thinking; r != NULL; r = r->next)
        MHD_resume_connection(r->connection); /* a suspended one cannot be ended */
    MHD_stop_daemon(daemon);
    return EXIT_SUCCESS; /* from main: what is left is sent on the way out */
}
