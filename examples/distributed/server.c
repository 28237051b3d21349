/* One trace through two programs, the called one: an HTTP service that goes on with the caller's trace.
 *
 *     server [PORT]      0, the default: any free one. Says on stdout where it listens; ends on SIGTERM or SIGINT.
 */
#include "observe.h"

#include <microhttpd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int look_up(const char *city)
{
    OBSERVE_TOOL(city);
    OBSERVE_RETURN(strcmp(city, "Oslo") == 0 ? -3 : 21);
}

/* Below the observation of the client that sent the request. */
static enum MHD_Result answer(struct MHD_Connection *connection, const char *city)
{
    OBSERVE(city);
    char text[32];
    int size = snprintf(text, sizeof text, "%d degrees", look_up(city));
    OBSERVE_OUTPUT(text);
    struct MHD_Response *response = MHD_create_response_from_buffer((size_t)size, text, MHD_RESPMEM_MUST_COPY);
    if (response == NULL)
        return MHD_NO;
    enum MHD_Result queued = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return queued;
}

static const char *header_of(void *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

/* Called once when the head of the request is there, and again when its body is: that is when to answer. Without headers of a
 * trace the context is NULL, which is fine: a trace of our own begins. */
static enum MHD_Result handle(void *data, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *upload, size_t *upload_size, void **state)
{
    (void)data, (void)url, (void)method, (void)version, (void)upload, (void)upload_size;
    if (*state == NULL) {
        *state = connection;
        return MHD_YES;
    }
    const char *city = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "city");
    lf_context *context = lf_extract(header_of, connection);
    OBSERVE_CONTEXT(context);
    lf_context_free(context); /* the scope has a copy */
    return answer(connection, city ? city : "");
}

static struct MHD_Daemon *listen_on(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, port, NULL, NULL, handle, NULL, MHD_OPTION_SOCK_ADDR, &address,
                            MHD_OPTION_END);
}

int main(int count, char **arguments)
{
    /* Waited for below; blocked before there are threads, so that none of them takes it. */
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);

    struct MHD_Daemon *daemon = listen_on(count > 1 ? (uint16_t)strtoul(arguments[1], NULL, 10) : 0);
    const union MHD_DaemonInfo *bound = daemon ? MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT) : NULL;
    if (bound == NULL) {
        fputs("server: cannot listen\n", stderr);
        return EXIT_FAILURE;
    }
    printf("http://127.0.0.1:%d\n", (int)bound->port);
    fflush(stdout);
    int signal;
    sigwait(&ends, &signal);
    MHD_stop_daemon(daemon);
    return EXIT_SUCCESS; /* from main: what was observed is sent on the way out */
}
