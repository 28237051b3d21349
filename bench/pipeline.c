/* How fast ended observations are encoded and shipped, what observing costs meanwhile, and what an idle program pays.
 *
 * A second process on the loopback interface takes the requests and throws them away, so that the figures are ours. Where the
 * worker is measured, the observing thread waits whenever 100,000 observations are queued.
 */
#define _GNU_SOURCE
#include "observe.h"
#include "timing.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { OBSERVATIONS = 1000000, QUEUE_MAX = 100000, IDLE_SECONDS = 5, BURST = 2000, BURSTS = 201, CHUNK = 20000 };

/* ---- The sink ---- */

static void *sink_connection(void *arg)
{
    int peer = (int)(intptr_t)arg;
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
    static __thread char buffer[1 << 18];
    size_t have = 0;
    for (;;) {
        char *end;
        while ((end = memmem(buffer, have, "\r\n\r\n", 4)) == NULL) {
            ssize_t got = recv(peer, buffer + have, sizeof buffer - 1 - have, 0);
            if (got <= 0)
                return NULL;
            have += (size_t)got;
            buffer[have] = '\0';
        }
        const char *length = strcasestr(buffer, "content-length:");
        size_t body = length == NULL ? 0 : strtoul(length + 15, NULL, 10), head = (size_t)(end + 4 - buffer);
        size_t got_body = have - head;
        while (got_body < body) {
            ssize_t got = recv(peer, buffer, sizeof buffer, 0);
            if (got <= 0)
                return NULL;
            got_body += (size_t)got;
        }
        have = 0;
        if (send(peer, answer, sizeof answer - 1, MSG_NOSIGNAL) < 0)
            return NULL;
    }
}

static pid_t sink_start(int *out_port)
{
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 16) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0)
        exit(2);
    *out_port = ntohs(address.sin_port);
    pid_t pid = fork();
    if (pid != 0) {
        close(listener);
        return pid;
    }
    for (;;) {
        int peer = accept(listener, NULL, NULL);
        pthread_t thread;
        if (peer >= 0 && pthread_create(&thread, NULL, sink_connection, (void *)(intptr_t)peer) == 0)
            pthread_detach(thread);
    }
}

/* ---- The worker thread, seen from outside ---- */

/* A number from a file of the worker's in /proc: the one that follows `label`, or the first one. */
static uint64_t worker_number(const char *file, const char *label)
{
    DIR *tasks = opendir("/proc/self/task");
    uint64_t result = 0;
    for (const struct dirent *task; tasks != NULL && (task = readdir(tasks)) != NULL;) {
        char path[320], text[4096];
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", task->d_name);
        FILE *comm = fopen(path, "r");
        bool ours = comm != NULL && fgets(text, sizeof text, comm) != NULL && strcmp(text, "langfuse\n") == 0;
        if (comm != NULL)
            fclose(comm);
        if (!ours)
            continue;
        snprintf(path, sizeof path, "/proc/self/task/%s/%s", task->d_name, file);
        FILE *numbers = fopen(path, "r");
        while (numbers != NULL && fgets(text, sizeof text, numbers) != NULL) {
            if (label == NULL || strncmp(text, label, strlen(label)) == 0) {
                result = strtoull(label == NULL ? text : text + strlen(label), NULL, 10);
                break;
            }
        }
        if (numbers != NULL)
            fclose(numbers);
    }
    if (tasks != NULL)
        closedir(tasks);
    return result;
}

static long private_kib(void)
{
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    char line[256];
    long total = 0;
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "Private_", 8) == 0)
            total += strtol(strchr(line, ':') + 1, NULL, 10);
    if (file != NULL)
        fclose(file);
    return total;
}

/* ---- The load ---- */

static __attribute__((noinline)) const char *observed(const char *question, int top_k)
{
    OBSERVE(question, top_k);
    OBSERVE_RETURN(question);
}

static void produce(int count)
{
    for (int i = 0; i < count; i++) {
        observed("Why is the sky blue?", i);
        if (i % 1000 == 0) {
            lf_stats stats;
            for (lf_get_stats(&stats); stats.queued > QUEUE_MAX; lf_get_stats(&stats)) {
                struct timespec pause = {0, 1000000};
                nanosleep(&pause, NULL);
            }
        }
    }
}

static void measure(const char *what, const char *protocol, int port)
{
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d", port);
    lf_options options = {LF_OPTIONS_INIT, .public_key = "pk-lf-bench", .secret_key = "sk-lf-bench", .base_url = url,
                          .protocol = protocol};
    lf_stats before, after;
    lf_get_stats(&before);
    if (lf_init(&options) != LF_OK)
        exit(1);
    produce(1000);
    lf_flush(10000);
    uint64_t cpu = worker_number("schedstat", NULL), start = now_ns();
    produce(OBSERVATIONS);
    lf_status status = lf_flush(60000);
    double wall = (double)(now_ns() - start) / 1e9, busy = (double)(worker_number("schedstat", NULL) - cpu) / 1e9;
    lf_get_stats(&after);
    uint64_t dropped = after.dropped_total - before.dropped_total;
    printf("%-58s %8.0f a second of wall time\n", what, OBSERVATIONS / wall);
    printf("%-58s %8.0f a second of the worker's processor time\n", "", OBSERVATIONS / busy);
    printf("%-58s %8" PRIu64 " dropped, %" PRIu64 " delivered in %" PRIu64 " requests%s\n", "", dropped,
           after.delivered - before.delivered, after.requests - before.requests, status == LF_OK ? "" : ", flush failed");
    lf_shutdown(10000);
    if (dropped != 0 || status != LF_OK)
        exit(1);
}

static void start(int port)
{
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d", port);
    lf_options options = {LF_OPTIONS_INIT, .public_key = "pk-lf-bench", .secret_key = "sk-lf-bench", .base_url = url};
    if (lf_init(&options) != LF_OK)
        exit(1);
}

/* ---- The observing thread beside a worker that works ---- */

static void observe_many(int count)
{
    for (int i = 0; i < count; i++)
        observed("Why is the sky blue?", i);
}

/* Of this thread's processor time, for each of `count`. */
static double time_of(void (*run)(int count), int count)
{
    uint64_t start_ns = thread_ns();
    run(count);
    return (double)(thread_ns() - start_ns) / count;
}

static void row(const char *what, double ns, double clocks)
{
    printf("%-58s %8.1f ns %8.2f x\n", what, ns, ns / clocks);
}

/* A burst, and a pause in which the worker sends it: memory of the ring was last touched by the worker's processor. Two clock
 * reads are measured under the same conditions. */
static void measure_bursts(double *out_clocks, double *out_bursts)
{
    static double clocks[BURSTS], bursts[BURSTS];
    for (int i = 0; i < BURSTS; i++) {
        struct timespec pause = {0, 10000000};
        nanosleep(&pause, NULL);
        bursts[i] = time_of(observe_many, BURST);
        clocks[i] = time_of(read_clock_twice, BURST);
    }
    *out_clocks = median(clocks, BURSTS);
    *out_bursts = median(bursts, BURSTS);
}

/* Chunks that need more of the ring than a burst does, and no pause between. */
static double measure_sustained(void)
{
    static double samples[OBSERVATIONS / CHUNK];
    for (int i = 0; i < OBSERVATIONS / CHUNK; i++) {
        samples[i] = time_of(observe_many, CHUNK);
        lf_flush(10000);
    }
    return median(samples, OBSERVATIONS / CHUNK);
}

static void measure_observing(int port)
{
    start(port);
    double clocks, bursts;
    measure_bursts(&clocks, &bursts);
    double sustained = measure_sustained();
    printf("%-58s %8.1f ns\n", "two bare clock_gettime calls, between bursts", clocks);
    row("observation in bursts of 2000, the worker at work", bursts, clocks);
    row("observation in chunks of 20000, flushed between", sustained, clocks);
    lf_shutdown(10000);
}

static void measure_idle(int port)
{
    long before = private_kib();
    start(port);
    long started = private_kib();
    observed("Why is the sky blue?", 1);
    lf_flush(10000);
    long used = private_kib();
    uint64_t wakeups = worker_number("status", "voluntary_ctxt_switches:");
    sleep(IDLE_SECONDS);
    wakeups = worker_number("status", "voluntary_ctxt_switches:") - wakeups;
    printf("%-58s %8ld KiB after lf_init, %ld KiB after a first export\n", "private memory of an idle program, more than before",
           started - before, used - before);
    printf("%-58s %8" PRIu64 " in %d seconds\n", "wake-ups of the idle worker", wakeups, (int)IDLE_SECONDS);
    lf_shutdown(10000);
}

int main(void)
{
    int port = 0;
    pid_t sink = sink_start(&port);
    measure_idle(port);
    measure_observing(port);
    measure("encoded and shipped, OTLP protobuf", "http/protobuf", port);
    measure("encoded and shipped, OTLP JSON", "http/json", port);
    kill(sink, SIGTERM);
    waitpid(sink, NULL, 0);
    return 0;
}
