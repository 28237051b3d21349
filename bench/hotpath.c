/* What observing costs the thread that is observed, as ratios to bare clock reads of the same run.
 *
 * The worker sleeps while a burst is measured and empties the ring between bursts, outside the measured time, so that the
 * figures are those of the observing path alone; bench/pipeline measures both together. Each figure is the median of many
 * bursts; on a noisy machine the ratios hold better than the nanoseconds.
 */
#include "observe.h"
#include "langfuse/score.h"
#include "timing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BURST = 4000, ROUNDS = 301, THREADS_MAX = 64 };

/* Opaque to the compiler, so that every variant makes the same real call. */
static __attribute__((noinline)) const char *bare(const char *question, int top_k)
{
    __asm__ volatile("" : : "r"(question), "r"(top_k) : "memory");
    return question;
}

static __attribute__((noinline)) const char *observed(const char *question, int top_k)
{
    OBSERVE(question, top_k);
    __asm__ volatile("" : : "r"(question), "r"(top_k) : "memory");
    OBSERVE_RETURN(question);
}

static __attribute__((noinline)) const char *observed_empty(void)
{
    OBSERVE();
    __asm__ volatile("" : : : "memory");
    return "";
}

static const char question[] = "Why is the sky blue?";

static void run_clock(void)
{
    read_clock_twice(BURST);
}

static void run_bare(void)
{
    for (int i = 0; i < BURST; i++)
        bare(question, i);
}

static void run_observed(void)
{
    for (int i = 0; i < BURST; i++)
        observed(question, i);
}

static void run_observed_empty(void)
{
    for (int i = 0; i < BURST; i++)
        observed_empty();
}

static void run_updates(void)
{
    for (int i = 0; i < BURST; i++) {
        OBSERVE();
        lf_update_current_observation(.model = "gpt-5-mini");
    }
}

/* What an update of a field costs by itself: all in one observation, a new one now and then, since it has a ceiling. */
static void run_update_alone(void)
{
    for (int i = 0; i < BURST; i += 100) {
        OBSERVE();
        for (int j = 0; j < 100; j++)
            lf_update_current_observation(.version = "v7");
    }
}

static void run_attributes(void)
{
    for (int i = 0; i < BURST; i++) {
        OBSERVE_ATTRIBUTES(.user_id = "user-17", .session_id = "session-4");
    }
}

static void run_observed_in_attributes(void)
{
    OBSERVE_ATTRIBUTES(.user_id = "user-17", .session_id = "session-4");
    run_observed();
}

static lf_observation *request;

static void run_under(void)
{
    for (int i = 0; i < BURST; i++) {
        OBSERVE_UNDER(request);
    }
}

static lf_coroutine *coroutine;

static void run_switches(void)
{
    for (int i = 0; i < BURST; i++) {
        lf_coroutine_switch(coroutine);
        lf_coroutine_switch(NULL);
    }
}

static void run_manual(void)
{
    for (int i = 0; i < BURST; i++) {
        lf_observation *o = lf_start_observation(.name = "job", .input = LF_VALUE(question));
        lf_observation_end(o, .output = LF_VALUE(question));
    }
}

static void run_score(void)
{
    static const char trace[] = "6cec55478a541a9eb2b3bfd6c8ba5670";
    for (int i = 0; i < BURST; i++)
        lf_create_score(.name = "accuracy", .value = 0.9, .trace_id = trace);
}

static void run_trace_update(void)
{
    OBSERVE();
    for (int i = 0; i < BURST; i++)
        lf_update_current_trace(.user_id = "user-17");
}

static void settle(void)
{
    lf_flush(10000);
    OBSERVE_WITH((.name = "wake")); /* the worker goes from its endless sleep to a timed one before the next burst */
    struct timespec pause = {0, 300000};
    nanosleep(&pause, NULL);
}

/* Median ns per call. */
static double measure(void (*run)(void))
{
    static double samples[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t start = now_ns();
        run();
        samples[i] = (double)(now_ns() - start) / BURST;
        settle();
    }
    return median(samples, ROUNDS);
}

/* ---- Threads ---- */

static pthread_barrier_t barrier;
static uint64_t spans[THREADS_MAX][2];

static void *run_thread(void *arg)
{
    uint64_t *span = arg;
    run_observed();
    settle(); /* what is measured finds the ring empty, and its pages in memory */
    pthread_barrier_wait(&barrier);
    span[0] = now_ns();
    run_observed();
    span[1] = now_ns();
    pthread_barrier_wait(&barrier);
    return NULL;
}

/* Observations a second of `threads` threads together, from the first's start to the last's end. */
static double measure_threads(int threads)
{
    static double samples[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        pthread_t ids[THREADS_MAX];
        pthread_barrier_init(&barrier, NULL, (unsigned)threads);
        for (int t = 0; t < threads; t++)
            if (pthread_create(&ids[t], NULL, run_thread, spans[t]) != 0)
                exit(1);
        for (int t = 0; t < threads; t++)
            pthread_join(ids[t], NULL);
        pthread_barrier_destroy(&barrier);
        double busy = 0;
        for (int t = 0; t < threads; t++)
            busy += BURST / ((double)(spans[t][1] - spans[t][0]) / 1e9);
        samples[i] = busy;
        lf_flush(10000);
    }
    return median(samples, ROUNDS);
}

static void row(const char *what, double ns, double clocks)
{
    printf("%-58s %8.1f ns %8.2f x\n", what, ns, ns / clocks);
}

int main(void)
{
    lf_options options = {LF_OPTIONS_INIT, .exporter = "file:/dev/null", .flush_at = 1000000, .flush_interval_ms = 60000};
    if (lf_init(&options) != LF_OK)
        return 1;
    measure(run_observed); /* warm up */
    double clocks = measure(run_clock);
    double call = measure(run_bare);
    double on = measure(run_observed);
    double empty = measure(run_observed_empty);
    double update = measure(run_updates);
    double field = measure(run_update_alone);
    double scope = measure(run_attributes);
    double inside = measure(run_observed_in_attributes);
    request = lf_start_observation(.name = "request", .input = LF_VALUE(question));
    double under = measure(run_under);
    lf_observation_end(request);
    coroutine = lf_coroutine_new();
    double switches = measure(run_switches);
    lf_coroutine_free(coroutine);
    double manual = measure(run_manual);
    double score = measure(run_score);
    double trace = measure(run_trace_update);
    double one = measure_threads(1);
    double two = measure_threads(2);
    lf_stats stats;
    lf_flush(10000);
    lf_get_stats(&stats);
    lf_shutdown(10000);
    double off = measure(run_observed);
    printf("%-58s %8.1f ns\n", "two bare clock_gettime calls", clocks);
    row("observation, two arguments and a captured return", on, clocks);
    row("observation without arguments", empty, clocks);
    row("observation with one update", update, clocks);
    row("update of one field", field, clocks);
    row("scope of two attributes", scope, clocks);
    row("observation as in the first row, in such a scope", inside, clocks);
    row("scope under a handle", under, clocks);
    row("into a coroutine and back", switches, clocks);
    row("manual observation: start with input, end with output", manual, clocks);
    row("score", score, clocks);
    row("update of the trace", trace, clocks);
    printf("%-58s %8.1f ns\n", "the same function without macros", call);
    printf("%-58s %8.1f ns more\n", "switched off at run time", off - call);
    printf("%-58s %8.2f x\n", "two threads against one, observations a second", two / one);
    printf("%-58s %8llu\n", "observations dropped", (unsigned long long)stats.dropped_total);
    return stats.dropped_total != 0;
}
