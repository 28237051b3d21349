/* How many observations langfuse-local takes: it runs on one processor, and the time is that of its process, so that other
 * programs do not count. Observations come in traces of ten, each with an input and an output. */
#define _GNU_SOURCE
#include "observe.h"
#include "timing.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OBSERVATIONS = 200000, OF_A_TRACE = 10, QUEUE_MAX = 50000, WAIT_MS = 10000 };

static char folder[] = "/tmp/langfuse-bench-XXXXXX";

static void fail(const char *what)
{
    fprintf(stderr, "ingest: %s\n", what);
    exit(1);
}

/* ---- The server ---- */

static void run_server(const char *path, const char *db, const char *port_file)
{
    cpu_set_t all, one;
    CPU_ZERO(&one);
    if (sched_getaffinity(0, sizeof all, &all) == 0)
        for (size_t cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; cpu++)
            if (CPU_ISSET(cpu, &all))
                CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof one, &one);
    if (freopen("/dev/null", "w", stdout) != NULL)
        execl(path, path, "serve", "--port", "0", "--port-file", port_file, "--db", db, "--quiet", (char *)NULL);
    _exit(127);
}

static int wait_for_port(const char *port_file)
{
    for (int tries = 0; tries < WAIT_MS; tries++) {
        int port = 0;
        FILE *file = fopen(port_file, "r");
        char line[16] = "";
        if (file != NULL && fgets(line, sizeof line, file) != NULL)
            port = (int)strtol(line, NULL, 10);
        if (file != NULL)
            fclose(file);
        if (port > 0)
            return port;
        usleep(1000);
    }
    fail("the server does not start");
    return 0;
}

static double processor_seconds(pid_t pid)
{
    clockid_t clock;
    struct timespec used;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0)
        fail("no clock of the server");
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

/* ---- The load ---- */

static __attribute__((noinline)) const char *observed(const char *question, int top_k)
{
    OBSERVE(question, top_k);
    OBSERVE_RETURN(question);
}

static __attribute__((noinline)) void trace(int number)
{
    OBSERVE(number);
    for (int i = 1; i < OF_A_TRACE; i++)
        observed("Why is the sky blue?", number + i);
}

static void produce(int count)
{
    for (int i = 0; i < count; i += OF_A_TRACE) {
        trace(i);
        lf_stats stats;
        for (lf_get_stats(&stats); stats.queued > QUEUE_MAX; lf_get_stats(&stats))
            usleep(1000);
    }
}

static void measure(const char *server, const char *what, const char *exporter)
{
    char db[100], port_file[100], url[64];
    int status;
    snprintf(db, sizeof db, "%s/%s.db", folder, exporter);
    snprintf(port_file, sizeof port_file, "%s/%s.port", folder, exporter);
    pid_t pid = fork();
    if (pid == 0)
        run_server(server, db, port_file);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", wait_for_port(port_file));
    lf_options options = {LF_OPTIONS_INIT, .public_key = "pk-lf-local", .secret_key = "sk-lf-local", .base_url = url,
                          .exporter = exporter};
    lf_stats before, after;
    lf_get_stats(&before);
    if (lf_init(&options) != LF_OK)
        fail("lf_init");
    produce(1000);
    lf_flush(WAIT_MS);
    double start = processor_seconds(pid);
    produce(OBSERVATIONS);
    lf_status flushed = lf_flush(30 * WAIT_MS);
    double used = processor_seconds(pid) - start;
    lf_get_stats(&after);
    if (flushed != LF_OK || after.dropped_total != before.dropped_total)
        fail("not all were taken");
    printf("%-58s %8.0f a second of the server's processor time\n", what, OBSERVATIONS / used);
    fflush(stdout); /* once, and not by each child */
    lf_shutdown(WAIT_MS);
    kill(pid, SIGTERM);
    waitpid(pid, &status, 0);
}

/* The server stands beside the folder of this program. */
int main(int argc, char **argv)
{
    char server[4096];
    if (argc > 1)
        snprintf(server, sizeof server, "%s", argv[1]);
    else
        snprintf(server, sizeof server, "%.*s../langfuse-local", (int)(strrchr(argv[0], '/') - argv[0] + 1), argv[0]);
    if (mkdtemp(folder) == NULL)
        fail("no temporary folder");
    measure(server, "ingest, OTLP", "otlp");
    measure(server, "ingest, batch", "ingestion");
    execlp("rm", "rm", "-rf", folder, (char *)NULL);
    return 1;
}
