/* What run.py runs again and again: torture MODE [NUMBER]. Each mode prints what there is to count, and ends with 0 when all is well.
 */
#define _GNU_SOURCE
#include "observe.h"

#include "langfuse/prompt.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

static void wait_until_us(uint64_t until)
{
    while (now_us() < until)
        continue;
}

static __attribute__((noinline)) void observe_one(int i)
{
    OBSERVE_WITH((.name = "one"), i);
}

static int print_stats(void)
{
    lf_stats s;
    lf_get_stats(&s);
    printf("accepted %" PRIu64 " delivered %" PRIu64 " dropped %" PRIu64 " queued %" PRIu64 " open %" PRIu64 " misused %" PRIu64
           "\n",
           s.accepted, s.delivered, s.dropped_total, s.queued, s.open, s.misused);
    return s.accepted == s.delivered + s.dropped_total && s.queued == 0 && s.open == 0 && s.misused == 0 ? 0 : 1;
}

/* ---- Exit at any moment ---------------------------------------------------------------------------------------------- */

static bool asks_for_a_prompt;

static void *first_use(void *arg)
{
    if (asks_for_a_prompt)
        lf_prompt_free(lf_get_prompt("greeting", .timeout_ms = 100, .fallback = "hello"));
    else
        observe_one(0);
    return arg;
}

/* The first observation, or prompt, is under way in another thread when main returns, so many microseconds later. */
static int end_soon(int us)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, first_use, NULL) != 0)
        return 2;
    pthread_detach(thread);
    wait_until_us(now_us() + (uint64_t)us);
    return 0;
}

/* ---- Hooks ----------------------------------------------------------------------------------------------------------- */

static unsigned seed;

static unsigned draw(unsigned below)
{
    seed = seed * 1103515245u + 12345u; /* racing threads draw what they draw */
    return (seed >> 16) % below;
}

static void fork_a_child(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
        continue;
}

static bool mask_forks(void *data, lf_masked *value)
{
    (void)data, (void)value;
    fork_a_child();
    return true;
}

/* With a pipe that nobody reads for a file. The margin is a hundred milliseconds. */
static int stop_in_time(void)
{
    lf_options options = {LF_OPTIONS_INIT, .mask = mask_forks};
    if (lf_init(&options) != LF_OK)
        return 2;
    for (int i = 0; i < 50; i++)
        observe_one(i);
    uint64_t before = now_us();
    (void)lf_shutdown(300);
    uint64_t took_us = now_us() - before;
    printf("%" PRIu64 "\n", took_us / 1000);
    return took_us < 400000 ? 0 : 1;
}

static void do_anything(void)
{
    switch (draw(200)) {
    case 0: exit(0);
    case 1:
    case 2:
    case 3:
    case 4: fork_a_child(); break;
    case 5: usleep(draw(20000)); break;
    default: break;
    }
}

static bool mask_does_anything(void *data, lf_masked *value)
{
    (void)data, (void)value;
    do_anything();
    return draw(10) != 0;
}

static void log_does_anything(void *data, const char *line)
{
    (void)data, (void)line;
    do_anything();
}

static void curl_does_anything(void *data, void *curl)
{
    (void)data, (void)curl;
    do_anything();
}

static void *observe_some(void *arg)
{
    for (int i = 0; i < 200; i++)
        observe_one(i);
    return arg;
}

/* A shutdown that a hook holds up returns; the worker comes to its end, and counts the rest, by itself. */
static void await_the_worker(void)
{
    lf_stats s;
    lf_get_stats(&s);
    for (int i = 0; i < 1000 && s.queued != 0; i++) {
        usleep(10000);
        lf_get_stats(&s);
    }
}

static int random_hooks(unsigned number)
{
    seed = number * 2654435761u;
    for (int round = 0; round < 3; round++) {
        lf_options options = {LF_OPTIONS_INIT,           .mask = mask_does_anything,
                              .log = log_does_anything,  .curl_hook = curl_does_anything,
                              .log_level = LF_LOG_DEBUG, .flush_at = -1,
                              .exit_timeout_ms = 200,    .timeout_ms = 200};
        (void)lf_init(&options);
        pthread_t threads[3];
        for (int i = 0; i < 3; i++)
            if (pthread_create(&threads[i], NULL, observe_some, NULL) != 0)
                return 2;
        (void)lf_flush((int)draw(20));
        for (int i = 0; i < 3; i++)
            pthread_join(threads[i], NULL);
        (void)lf_shutdown((int)draw(50));
    }
    await_the_worker();
    return print_stats();
}

/* ---- Load ------------------------------------------------------------------------------------------------------------ */

static int per_thread;

static void *observe_many(void *arg)
{
    for (int i = 0; i < per_thread; i++) {
        OBSERVE_WITH((.name = "outer"), i);
        observe_one(i);
    }
    return arg;
}

/* Eight threads, and in the end all that they observed is delivered, or dropped and counted. */
static int load(int count)
{
    pthread_t threads[8];
    per_thread = count / 16;
    for (int i = 0; i < 8; i++)
        if (pthread_create(&threads[i], NULL, observe_many, NULL) != 0)
            return 2;
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    while (lf_flush(1000) == LF_ERR_TIMEOUT)
        continue;
    return print_stats();
}

/* Of the static library: the n-th allocation from now, and every later one, fails. */
void lf__alloc_fail_from(unsigned long n);

/* With memory that is out from some allocation on: calls return errors, what is lost is counted, nothing crashes. */
static int without_memory(int n)
{
    lf__alloc_fail_from((unsigned long)n);
    (void)lf_init(NULL);
    for (int i = 0; i < 200; i++) {
        OBSERVE_WITH((.name = "outer"), i);
        OBSERVE_ATTRIBUTES(.user_id = "u", .tags = LF_TAGS("a", "b"));
        lf_observation *handle = lf_start_observation(.name = "handle", .input = LF_OBJECT("i", i));
        lf_update_current_trace(.name = "trace", .metadata = LF_OBJECT("i", i));
        lf_context *context = lf_context_copy();
        lf_context_free(context);
        lf_observation_end(handle);
        observe_one(i);
    }
    lf_prompt_free(lf_get_prompt("greeting", .timeout_ms = 100, .fallback = "hello"));
    (void)lf_flush(2000);
    (void)lf_shutdown(2000);
    lf__alloc_fail_from(0);
    lf_stats s;
    lf_get_stats(&s);
    printf("accepted %" PRIu64 " delivered %" PRIu64 " dropped %" PRIu64 " queued %" PRIu64 "\n", s.accepted, s.delivered,
           s.dropped_total, s.queued);
    return s.accepted == s.delivered + s.dropped_total && s.queued == 0 ? 0 : 1;
}

/* Ten thousand a second for so many seconds. Prints the memory that it has, in KiB, twice a second. */
static int soak(int seconds)
{
    uint64_t end = now_us() + (uint64_t)seconds * 1000000u, look = 0;
    for (int i = 0; now_us() < end; i++) {
        observe_one(i);
        if (now_us() >= look) {
            long pages = 0;
            FILE *file = fopen("/proc/self/statm", "r");
            if (file == NULL || fscanf(file, "%*d %ld", &pages) != 1)
                return 2;
            fclose(file);
            printf("memory %ld\n", pages * (sysconf(_SC_PAGESIZE) / 1024));
            look = now_us() + 500000;
        }
        if (i % 64 == 0)
            usleep(5000); /* not more than a receiver in Python takes */
    }
    while (lf_flush(1000) == LF_ERR_TIMEOUT)
        continue;
    return print_stats();
}

/* So many threads, a hundred at once; each observes a little and ends. */
static int many_threads(int count)
{
    per_thread = 5;
    for (int done = 0; done < count; done += 100) {
        pthread_t threads[100];
        for (int i = 0; i < 100; i++)
            if (pthread_create(&threads[i], NULL, observe_many, NULL) != 0)
                return 2;
        for (int i = 0; i < 100; i++)
            pthread_join(threads[i], NULL);
    }
    while (lf_flush(1000) == LF_ERR_TIMEOUT)
        continue;
    return print_stats();
}

/* Children that observe, flush and exit while the parent's threads observe. Each prints what it delivered. */
static int forks(int count)
{
    pthread_t threads[4];
    per_thread = 5000;
    for (int i = 0; i < 4; i++)
        if (pthread_create(&threads[i], NULL, observe_many, NULL) != 0)
            return 2;
    int failed = 0;
    for (int i = 0; i < count; i++) {
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            observe_one(i);
            bool flushes = i % 2 == 0;
            if (flushes && lf_flush(20000) != LF_OK)
                _exit(3);
            exit(flushes ? print_stats() : 0);
        }
        int status = 0;
        while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
            continue;
        failed += child < 0 || status != 0;
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    while (lf_flush(1000) == LF_ERR_TIMEOUT)
        continue;
    return failed != 0 ? 4 : print_stats();
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    int number = argc > 2 ? atoi(argv[2]) : 0;
    asks_for_a_prompt = strcmp(mode, "prompt") == 0;
    if (asks_for_a_prompt || strcmp(mode, "first") == 0)
        return end_soon(number);
    if (strcmp(mode, "stop") == 0)
        return stop_in_time();
    if (strcmp(mode, "hooks") == 0)
        return random_hooks((unsigned)number);
    if (strcmp(mode, "load") == 0)
        return load(number);
    if (strcmp(mode, "memory") == 0)
        return without_memory(number);
    if (strcmp(mode, "soak") == 0)
        return soak(number);
    if (strcmp(mode, "threads") == 0)
        return many_threads(number);
    if (strcmp(mode, "forks") == 0)
        return forks(number);
    fprintf(stderr, "no such mode: %s\n", mode);
    return 2;
}
