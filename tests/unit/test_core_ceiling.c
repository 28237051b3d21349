/* The ceiling of memory: whole traces go, and everything is counted. */
#include "core_harness.h"

#include "../../src/deliver/export.h"
#include "../../src/observe/ring.h"

#include <pthread.h>

static char *long_text(size_t size)
{
    char *text = malloc(size + 1);
    CHECK(text != NULL);
    memset(text, 'x', size);
    text[size] = '\0';
    return text;
}

enum {
    PER_TRACE = 5,
    /* What moves from the queue into a batch is in both for a moment: a chunk of the queue, and a batch. */
    OVERSHOOT = (256 << 10) + (1 << 16)
};

static NOINLINE void member_of_trace(int trace, int i, const char *padding)
{
    OBSERVE(trace, i, padding);
}

static NOINLINE void one_trace(int trace, const char *padding)
{
    OBSERVE(trace, padding);
    for (int i = 1; i < PER_TRACE; i++)
        member_of_trace(trace, i, padding);
}

/* The exporter's folder does not exist until this is called: before, nothing can be delivered. */
static void let_through(char *folder)
{
    CHECK(mkdir(folder, 0700) == 0);
}

static void start_blocked(char *folder, size_t folder_size, char *path, size_t path_size, size_t queue_bytes, size_t batch_bytes)
{
    snprintf(folder, folder_size, "%s/later", harness_folder);
    snprintf(path, path_size, "%s/out.jsonl", folder);
    lf_options options = to_file(path);
    options.max_queue_bytes = queue_bytes;
    options.max_batch_bytes = batch_bytes;
    CHECK_INT(lf_init(&options), LF_OK);
}

/* After the last flush: what was accepted is in the file, or was dropped and counted. */
static void check_account(uint64_t accepted, const char *path)
{
    read_spans(path);
    lf_stats stats = stats_now();
    CHECK_INT(stats.accepted, accepted);
    CHECK_INT(stats.delivered, span_count);
    CHECK_INT(stats.queued, 0);
    CHECK_INT(stats.delivered + stats.dropped_total, accepted);
    CHECK_INT(stats.dropped[LF_DROP_QUEUE_FULL], stats.dropped_total);
    CHECK_INT(count_different_ids(), span_count);
}

/* Every trace is whole, but for the last one of a batch that was made before the queue was full: its end was still queued. */
static void check_whole_traces(void)
{
    size_t parts = 0;
    for (size_t i = 0; i < span_count;) {
        size_t count = 0;
        const char *trace = trace_of(spans[i]);
        while (i + count < span_count && strcmp(trace_of(spans[i + count]), trace) == 0)
            count++;
        CHECK(count <= PER_TRACE);
        parts += count < PER_TRACE;
        i += count;
    }
    CHECK(parts <= LF__EXPORT_BATCHES + 1);
}

static bool account_is_even(void)
{
    lf_stats stats = stats_now();
    return stats.accepted == stats.delivered + stats.dropped_total + stats.queued;
}

static void fill_the_queue(size_t queue_bytes, size_t batch_bytes, int traces)
{
    char folder[256], path[300];
    start_blocked(folder, sizeof folder, path, sizeof path, queue_bytes, batch_bytes);
    char *padding = long_text(500);
    uint64_t most = 0;
    for (int i = 0; i < traces; i++) {
        one_trace(i, padding);
        if (i % 100 == 99) { /* a quiet moment: all rings are empty, the worker waits */
            CHECK_INT(lf_flush(1), LF_ERR_TIMEOUT);
            CHECK_SOON(atomic_load(&lf__queue_budget.rings) <= LF__RING_GRANT);
            CHECK_SOON(account_is_even());
            lf_stats stats = stats_now();
            CHECK_INT(stats.accepted, (uint64_t)(i + 1) * PER_TRACE);
            CHECK_INT(stats.delivered, 0);
            most = stats.queued_bytes > most ? stats.queued_bytes : most;
        }
    }
    free(padding);
    CHECK(most > queue_bytes / 2 && most <= queue_bytes + (256 << 10) + batch_bytes);
    let_through(folder);
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_ERR_LOST);
    check_account((uint64_t)traces * PER_TRACE, path);
    CHECK(span_count > 500 && span_count < (size_t)traces * PER_TRACE);
    check_whole_traces();
    /* The newest are there; before them only what was in a batch already. */
    char expected[32];
    snprintf(expected, sizeof expected, "{\"trace\":%d,", traces - 1);
    CHECK(strncmp(said(spans[span_count - 1], "input"), expected, strlen(expected)) == 0);
    size_t gaps = 0;
    long last = -1;
    for (size_t i = 0; i < span_count; i++) {
        const char *number = strstr(said(spans[i], "input"), "\"trace\":");
        CHECK(number != NULL);
        long trace = strtol(number + 8, NULL, 10);
        CHECK(trace >= last);
        gaps += trace > last + 1;
        last = trace;
    }
    CHECK(gaps <= 3);
}

TEST(a_full_queue_lets_go_of_whole_traces_oldest_first)
{
    fill_the_queue(2 << 20, 1 << 16, 4000);
}

TEST(a_ceiling_below_that_of_the_batches_lets_go_of_the_oldest_too)
{
    fill_the_queue(6 << 20, 2500000, 6000);
}

enum { CROWD = 6, CROWD_TRACES = 1500 };

static void *observe_a_crowd(void *padding)
{
    for (int i = 0; i < rounds(CROWD_TRACES); i++)
        one_trace(i, padding);
    return NULL;
}

TEST(many_threads_at_the_ceiling_account_for_everything)
{
    char folder[256], path[300];
    start_blocked(folder, sizeof folder, path, sizeof path, 1 << 20, 1 << 16);
    char *padding = long_text(300);
    pthread_t threads[CROWD];
    for (int i = 0; i < CROWD; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, observe_a_crowd, padding), 0);
    for (int i = 0; i < 50; i++) {
        lf_stats stats = stats_now();
        CHECK(stats.queued_bytes <= (1 << 20) + CROWD * LF__RING_GRANT + OVERSHOOT);
        sleep_ms(1);
    }
    for (int i = 0; i < CROWD; i++)
        pthread_join(threads[i], NULL);
    free(padding);
    CHECK_SOON(account_is_even());
    let_through(folder);
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_ERR_LOST);
    check_account((uint64_t)CROWD * (uint64_t)rounds(CROWD_TRACES) * PER_TRACE, path);
    CHECK(span_count > 0);
    CHECK_INT(lf_shutdown(HARNESS_WAIT_MS), LF_OK);
    CHECK_INT(stats_now().queued_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_queue_lets_go_of_whole_traces_oldest_first),
        cmocka_unit_test(a_ceiling_below_that_of_the_batches_lets_go_of_the_oldest_too),
        cmocka_unit_test(many_threads_at_the_ceiling_account_for_everything),
    };
    return cmocka_run_group_tests_name("core: ceiling", tests, NULL, NULL);
}
