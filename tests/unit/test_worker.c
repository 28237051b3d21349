/* The background worker: flush from many threads and while the server fails, when it sends by itself, shutdown under load, and
 * that starting and stopping leaves nothing behind.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../observe.h"
#include "../../src/deliver/lanes.h"
#include "../../src/deliver/worker.h"
#include "fake_server.h"
#include "fixture.h"

#include <dirent.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>

enum { THREADS = 8, HOUR_MS = 3600000 };

static fake_server *server;
static lf_stats at_start;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static fake_reply reply;      /* guarded by lock, like the next two */
static unsigned taken;        /* observations in requests answered with 200 */
static unsigned last[THREADS]; /* highest round of each thread among them */

static fake_reply answer(fake_server *unused, const fake_request *request)
{
    (void)unused;
    pthread_mutex_lock(&lock);
    fake_reply now = reply;
    if (now.manner == FAKE_ANSWER && now.status == 0) {
        for (const char *at = request->body; (at = strstr(at, "\"name\":\"obs-")) != NULL; at += 12) {
            char *end; /* not sscanf: it measures the whole rest of the body each time */
            unsigned long thread = strtoul(at + 12, &end, 10), round = *end == '-' ? strtoul(end + 1, NULL, 10) : 0;
            taken++;
            if (thread < THREADS && round > last[thread])
                last[thread] = (unsigned)round;
        }
    }
    pthread_mutex_unlock(&lock);
    return now;
}

static void let_server_reply(fake_reply next)
{
    pthread_mutex_lock(&lock);
    reply = next;
    pthread_mutex_unlock(&lock);
}

static unsigned locked(const unsigned *counter)
{
    pthread_mutex_lock(&lock);
    unsigned count = *counter;
    pthread_mutex_unlock(&lock);
    return count;
}

static int set_up(void **state)
{
    (void)state;
    fixture_clean_environment();
    lines_forget();
    pthread_mutex_lock(&lock);
    reply = (fake_reply){0};
    taken = 0;
    memset(last, 0, sizeof last);
    pthread_mutex_unlock(&lock);
    server = fake_server_start(answer, NULL);
    lf_get_stats(&at_start);
    return server == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    (void)lf_shutdown(0);
    fake_server_free(server);
    return 0;
}

static lf_options to_server(lf_options options)
{
    options.struct_size = sizeof options;
    options.public_key = "pk";
    options.secret_key = "sk";
    options.base_url = server->url;
    options.protocol = "http/json";
    options.log = fixture_log;
    options.timeout_ms = options.timeout_ms == 0 ? PATIENCE_MS : options.timeout_ms;
    return options;
}

#define START(...)                                                              \
    do {                                                                        \
        lf_options start_options = to_server((lf_options){__VA_ARGS__});        \
        assert_int_equal(lf_init(&start_options), LF_OK);                       \
        (void)lf_flush(PATIENCE_MS); /* takes losses of earlier runs as told */ \
    } while (0)

/* Counted since this test began. */
static lf_stats stats_now(void)
{
    lf_stats stats;
    lf_get_stats(&stats);
    stats.accepted -= at_start.accepted;
    stats.delivered -= at_start.delivered;
    stats.dropped_total -= at_start.dropped_total;
    for (int i = 0; i < LF_DROP_REASON_COUNT; i++)
        stats.dropped[i] -= at_start.dropped[i];
    return stats;
}

static void observe_one(unsigned thread, unsigned round)
{
    char name[32];
    snprintf(name, sizeof name, "obs-%u-%u.", thread, round);
    OBSERVE_WITH((.name = name), thread, round);
}

static void observe_many(unsigned count)
{
    for (unsigned i = 1; i <= count; i++)
        observe_one(0, i);
}

static void assert_account(const lf_stats *stats)
{
    assert_int_equal(stats->accepted, stats->delivered + stats->dropped_total + stats->queued);
}

/* ---- Flush ---- */

static _Atomic int failures;

static void *observe_and_flush(void *argument)
{
    unsigned thread = (unsigned)(uintptr_t)argument;
    for (unsigned round = 1; round <= 40; round++) {
        observe_one(thread, round);
        if (lf_flush(PATIENCE_MS) != LF_OK || locked(&last[thread]) < round)
            failures++;
    }
    return NULL;
}

static void flush_from_several_threads_delivers_what_each_of_them_saw_end(void **state)
{
    (void)state;
    START(.flush_interval_ms = HOUR_MS, .flush_at = 1000000);
    failures = 0;
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, observe_and_flush, (void *)i), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(failures, 0);
    lf_stats stats = stats_now();
    assert_int_equal(stats.delivered, THREADS * 40);
    assert_int_equal(locked(&taken), THREADS * 40);
    assert_account(&stats);
}

static void a_flush_of_nothing_succeeds_without_a_request(void **state)
{
    (void)state;
    START(.timeout_ms = 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(lf_flush(PATIENCE_MS), LF_OK);
    assert_int_equal(fake_count(server, &server->request_count), 0);
}

static void a_flush_while_the_server_fails_times_out_and_keeps_the_queue(void **state)
{
    (void)state;
    static const fake_reply failing[] = {{.status = 503}, {.manner = FAKE_HANG}, {.manner = FAKE_CLOSE}};
    for (size_t i = 0; i < sizeof failing / sizeof *failing; i++) {
        tear_down(NULL);
        assert_int_equal(set_up(NULL), 0);
        START(.timeout_ms = 300);
        let_server_reply(failing[i]);
        observe_many(3);
        assert_int_equal(lf_flush(100), LF_ERR_TIMEOUT);
        assert_int_equal(lf_flush(0), LF_ERR_TIMEOUT);
        WAIT_UNTIL(stats_now().queued == 3);
        lf_stats stats = stats_now();
        assert_int_equal(stats.dropped_total, 0);
        assert_account(&stats);
        let_server_reply((fake_reply){0});
        assert_int_equal(lf_flush(PATIENCE_MS), LF_OK);
        stats = stats_now();
        assert_int_equal(stats.delivered, 3);
        assert_int_equal(stats.queued, 0);
    }
}

static uint64_t cpu_ns(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

/* Waiting is what it does, between two tries and for an answer, also after a flush before this one. */
static void a_flush_that_waits_uses_no_processor(void **state)
{
    (void)state;
    static const fake_reply replies[] = {{.status = 503}, {.manner = FAKE_HANG}};
    START(.timeout_ms = 0);
    observe_many(1);
    assert_int_equal(lf_flush(PATIENCE_MS), LF_OK);
    for (int i = 0; i < 2; i++) {
        let_server_reply(replies[i]);
        observe_many(1);
        uint64_t before_ns = lf__monotonic_ns(), used_ns = cpu_ns();
        assert_int_equal(lf_flush(2000), LF_ERR_TIMEOUT);
        used_ns = cpu_ns() - used_ns;
        assert_true(used_ns < (lf__monotonic_ns() - before_ns) / 4);
    }
}

static void a_flush_reports_a_loss_once(void **state)
{
    (void)state;
    START(.timeout_ms = 0);
    assert_true(lf_flush(PATIENCE_MS) == LF_OK || at_start.dropped_total > 0);
    let_server_reply((fake_reply){.status = 401});
    observe_many(4);
    assert_int_equal(lf_flush(PATIENCE_MS), LF_ERR_LOST);
    assert_int_equal(lf_flush(PATIENCE_MS), LF_OK);
    lf_stats stats = stats_now();
    assert_int_equal(stats.dropped[LF_DROP_REFUSED], 4);
    assert_account(&stats);
}

static void without_a_worker_its_calls_do_nothing(void **state)
{
    (void)state;
    assert_int_equal(lf__worker_flush(100), LF_ERR_DISABLED);
    lf__worker_wake();
    assert_true(lf__worker_stop(false, 0));
    assert_true(lf__worker_stop(true, 0));
    assert_int_equal(lf_flush(100), LF_ERR_DISABLED);
    assert_int_equal(lf_shutdown(100), LF_ERR_DISABLED);
}

/* ---- What is queued is counted where it is ---- */

/* A record that vanishes without being counted must show: it is not taken for queued. */
static void a_loss_that_nobody_counts_is_seen_in_the_account(void **state)
{
    (void)state;
    START(.timeout_ms = 0);
    observe_many(3);
    assert_int_equal(lf_flush(PATIENCE_MS), LF_OK);
    lf_stats stats = stats_now();
    assert_account(&stats);
    atomic_fetch_sub(&lf__lanes_counters.delivered, 1);
    stats = stats_now();
    atomic_fetch_add(&lf__lanes_counters.delivered, 1);
    assert_int_equal(stats.queued, 0);
    assert_int_equal(stats.accepted, stats.delivered + 1);
}

static void what_waits_is_counted_in_the_queue_and_in_batches(void **state)
{
    (void)state;
    START(.flush_at = 1000000, .flush_interval_ms = HOUR_MS);
    observe_many(5);
    WAIT_UNTIL(stats_now().queued == 5 && lf__worker_waiting == LF__WORKER_TIMED); /* in the worker's queue */
    let_server_reply((fake_reply){.manner = FAKE_HANG});
    assert_int_equal(lf_flush(0), LF_ERR_TIMEOUT);
    WAIT_UNTIL(fake_count(server, &server->request_count) == 1);
    WAIT_UNTIL(stats_now().queued == 5); /* on their way */
    observe_many(2);
    WAIT_UNTIL(stats_now().queued == 7);
    lf_stats stats = stats_now();
    assert_account(&stats);
}

/* The worker's thread is held up in a hook, so that the rings are not emptied. */
static _Atomic bool hook_waits, hook_may_go;

static bool wait_in_mask(void *data, lf_masked *value)
{
    (void)data;
    (void)value;
    hook_waits = true;
    while (!hook_may_go)
        pause_ms(1);
    return true;
}

static void *observe_ten(void *thread)
{
    for (unsigned i = 1; i <= 10; i++)
        observe_one((unsigned)(uintptr_t)thread, i);
    return NULL;
}

static void what_waits_is_counted_in_the_rings_of_all_threads(void **state)
{
    (void)state;
    hook_waits = hook_may_go = false;
    START(.flush_at = 1, .mask = wait_in_mask);
    observe_many(1);
    WAIT_UNTIL(hook_waits);
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, observe_ten, (void *)i), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    lf_stats stats = stats_now();
    assert_int_equal(stats.queued, 1 + THREADS * 10);
    assert_account(&stats);
    hook_may_go = true;
    assert_int_equal(lf_flush(PATIENCE_MS), LF_OK);
    stats = stats_now();
    assert_int_equal(stats.queued, 0);
    assert_account(&stats);
}

/* At exit it decides whether there is anything to wait for. */
static void what_moves_meanwhile_is_never_missed(void **state)
{
    (void)state;
    START(.flush_at = 1, .flush_interval_ms = 1);
    let_server_reply((fake_reply){.manner = FAKE_HANG});
    for (unsigned i = 1; i <= 3000; i++) {
        observe_one(0, i);
        for (int look = 0; look < 20; look++)
            if (stats_now().queued < i)
                fail_msg("%u observations wait, %llu are told", i, (unsigned long long)stats_now().queued);
    }
}

static void what_can_never_be_sent_is_told_once_and_counted_under_one_reason(void **state)
{
    (void)state;
    char attributes[60000];
    memset(attributes, 'r', sizeof attributes);
    memcpy(attributes, "key=", 4);
    attributes[sizeof attributes - 1] = '\0';
    setenv("OTEL_RESOURCE_ATTRIBUTES", attributes, 1);
    START(.max_batch_bytes = 65536);
    observe_many(50);
    assert_int_equal(lf_flush(PATIENCE_MS), LF_ERR_LOST);
    lf_stats stats = stats_now();
    assert_int_equal(stats.dropped[LF_DROP_TOO_LARGE], 50);
    assert_account(&stats);
    assert_int_equal(lines_with("OTEL_RESOURCE_ATTRIBUTES"), 1);
    assert_int_equal(lines_with(""), 1);
}

/* ---- When it sends by itself ---- */

static void flush_at_observations_are_sent_without_a_flush_and_fewer_wait(void **state)
{
    (void)state;
    START(.flush_at = 10, .flush_interval_ms = HOUR_MS);
    observe_many(9);
    pause_ms(100);
    assert_int_equal(fake_count(server, &server->request_count), 0); /* the interval is an hour */
    observe_many(1);
    WAIT_UNTIL(locked(&taken) == 10);
    WAIT_UNTIL(stats_now().delivered == 10);
}

static void an_observation_alone_is_sent_within_the_flush_interval(void **state)
{
    (void)state;
    START(.flush_at = 1000000, .flush_interval_ms = 50);
    for (unsigned i = 1; i <= 3; i++) {
        observe_many(1);
        WAIT_UNTIL(stats_now().delivered == i);
    }
    assert_int_equal(fake_count(server, &server->request_count), 3);
}

static void a_batch_worth_of_bytes_is_sent_without_a_flush(void **state)
{
    (void)state;
    static char text[20001];
    memset(text, 'x', sizeof text - 1);
    START(.flush_at = 1000000, .flush_interval_ms = HOUR_MS, .max_batch_bytes = 100000);
    for (int i = 0; i < 60; i++) {
        OBSERVE_WITH((.name = "obs-0-1."), text);
    }
    WAIT_UNTIL(locked(&taken) > 0);
}

static unsigned long context_switches(long task)
{
    char path[64], line[128];
    unsigned long count = 0;
    snprintf(path, sizeof path, "/proc/self/task/%ld/status", task);
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "voluntary_ctxt_switches:", 24) == 0)
            count = strtoul(line + 24, NULL, 10);
    if (file != NULL)
        fclose(file);
    return count;
}

/* How many threads are called so; the id of the last one. */
static int tasks_named(const char *name, long *out_task)
{
    DIR *folder = opendir("/proc/self/task");
    assert_non_null(folder);
    int count = 0;
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char path[300], text[64] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", entry->d_name);
        FILE *file = fopen(path, "r");
        if (file == NULL)
            continue;
        if (fgets(text, sizeof text, file) != NULL && strncmp(text, name, strlen(name)) == 0 && text[strlen(name)] == '\n') {
            count++;
            *out_task = strtol(entry->d_name, NULL, 10);
        }
        fclose(file);
    }
    closedir(folder);
    return count;
}

static void an_idle_worker_sleeps_without_waking(void **state)
{
    (void)state;
    START(.timeout_ms = 0);
    observe_many(3);
    assert_int_equal(lf_flush(PATIENCE_MS), LF_OK);
    long task = 0;
    assert_int_equal(tasks_named("langfuse", &task), 1);
    unsigned long before = 0, now = 1;
    for (int i = 0; before != now; i++) { /* one that polls would never be found asleep */
        assert_true(i < 50);
        before = context_switches(task);
        pause_ms(300);
        now = context_switches(task);
    }
    assert_true(now > 0);
    observe_many(1); /* and it still wakes up */
    WAIT_UNTIL(stats_now().delivered == 4);
}

enum { TEXT = 100000, KEPT = (1 << 20) + 4096, RING_PAGE = 4096 };

/* Bytes in memory of all rings, beyond what each may keep. */
static size_t memory_of_bursts(void)
{
    static unsigned char in_memory[LF__RING_BYTES / RING_PAGE];
    size_t bytes = 0;
    for (lf__segment *s = lf__segments; s != NULL; s = s->next) {
        if (atomic_load(&s->state) == LF__SEGMENT_HOLLOW)
            continue;
        size_t size = s->ring_size - KEPT;
        assert_int_equal(mincore(s->ring + KEPT, size, in_memory), 0);
        for (size_t i = 0; i < size / RING_PAGE; i++)
            bytes += (in_memory[i] & 1) * RING_PAGE;
    }
    return bytes;
}

static void observe_text(const char *text)
{
    OBSERVE(text);
}

static void an_idle_worker_gives_back_what_a_burst_needed(void **state)
{
    (void)state;
    static char text[TEXT + 1];
    memset(text, 'x', TEXT);
    START(.flush_at = 1000000, .flush_interval_ms = HOUR_MS);
    for (int i = 0; memory_of_bursts() < 1 << 20; i++) { /* the worker may be so quick that there is no burst */
        assert_true(i < 1000);
        for (int j = 0; j < 30; j++)
            observe_text(text);
    }
    assert_int_equal(lf_flush(PATIENCE_MS), LF_OK);
    WAIT_UNTIL(memory_of_bursts() <= LF__RING_GRANT + TEXT + 2 * RING_PAGE);
}

static void the_workers_thread_blocks_every_signal(void **state)
{
    (void)state;
    START(.timeout_ms = 0);
    char path[64], line[128];
    long task = 0;
    WAIT_UNTIL(tasks_named("langfuse", &task) == 1);
    snprintf(path, sizeof path, "/proc/self/task/%ld/status", task);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    unsigned long long blocked = 0;
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "SigBlk:", 7) == 0)
            blocked = strtoull(line + 7, NULL, 16);
    fclose(file);
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGCHLD, SIGPIPE, SIGALRM, SIGPROF};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        assert_true(blocked >> (signals[i] - 1) & 1);
}

/* ---- Shutdown ---- */

static _Atomic bool stop_observing;

static void *observe_until_told(void *argument)
{
    for (unsigned round = 1; !stop_observing; round++) {
        observe_one((unsigned)(uintptr_t)argument, round);
        if (round % 50 == 0)
            pause_ms(1); /* under a checker four busy loops would leave nothing for the worker */
    }
    return NULL;
}

static void shutdown_under_load_keeps_the_account_and_can_be_started_again(void **state)
{
    (void)state;
    stop_observing = false;
    pthread_t threads[4];
    START(.flush_interval_ms = 5, .max_queue_bytes = 4 << 20);
    for (uintptr_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, observe_until_told, (void *)i), 0);
    for (int i = 0; i < 6; i++) {
        lf_stats before = stats_now();
        WAIT_UNTIL(stats_now().accepted > before.accepted);
        pause_ms(5);
        lf_status status = lf_shutdown(PATIENCE_MS);
        assert_true(status == LF_OK || status == LF_ERR_LOST);
        assert_int_equal(lf__worker_flush(0), LF_ERR_DISABLED); /* it does not run */
        START(.flush_interval_ms = 5, .max_queue_bytes = 4 << 20);
    }
    stop_observing = true;
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    (void)lf_shutdown(PATIENCE_MS);
    lf_stats stats = stats_now();
    assert_account(&stats);
    assert_int_equal(stats.queued, 0);
    /* What was in flight at the end may have arrived although nobody waited for the answer. */
    assert_in_range(locked(&taken), stats.delivered, stats.delivered + stats.dropped[LF_DROP_SHUTDOWN]);
    assert_true(stats.delivered > 0);
}

static void shutdown_without_a_server_is_bounded_and_counts_what_is_lost(void **state)
{
    (void)state;
    START(.timeout_ms = 0);
    let_server_reply((fake_reply){.manner = FAKE_HANG});
    observe_many(5);
    assert_int_equal(lf_shutdown(50), LF_ERR_TIMEOUT);
    lf_stats stats = stats_now();
    assert_int_equal(stats.dropped[LF_DROP_SHUTDOWN], 5);
    assert_int_equal(stats.queued, 0);
    assert_account(&stats);
}

static void *flush_long(void *unused)
{
    (void)unused;
    return (void *)(intptr_t)lf__worker_flush(10 * PATIENCE_MS);
}

static void a_flush_that_waits_ends_when_the_worker_is_stopped(void **state)
{
    (void)state;
    START(.timeout_ms = 0);
    let_server_reply((fake_reply){.manner = FAKE_HANG});
    observe_many(5);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, flush_long, NULL), 0);
    WAIT_UNTIL(fake_count(server, &server->request_count) == 1);
    pause_ms(20);
    assert_int_equal(lf_shutdown(50), LF_ERR_TIMEOUT);
    for (int i = 0; i < 4; i++) {
        void *result;
        pthread_join(threads[i], &result);
        assert_int_not_equal((intptr_t)result, LF_ERR_TIMEOUT);
    }
}

static int entries_in(const char *path)
{
    DIR *folder = opendir(path);
    assert_non_null(folder);
    int count = 0;
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

static lf__record *copy_of_record(unsigned n)
{
    static builder made;
    const lf__record *record = numbered_record(&made, n, n, 100);
    lf__record *copy = lf__alloc(record->size);
    memcpy(copy, record, record->size);
    return copy;
}

/* What of submitted records is accepted is counted by the worker's own counter. */
static void start_submit_flush_stop(lf__config *config, unsigned n)
{
    lf__worker_set_client(0, config);
    assert_int_equal(lf__worker_start(), LF_OK);
    assert_int_equal(lf__worker_flush(PATIENCE_MS), LF_OK); /* it runs */
    assert_int_equal(lf__worker_start(), LF_OK);            /* changes nothing */
    lf__worker_submit(copy_of_record(n));
    assert_int_equal(lf__worker_flush(PATIENCE_MS), LF_OK);
    assert_true(lf__worker_stop(false, lf__monotonic_ns() + (uint64_t)PATIENCE_MS * 1000000u));
    assert_int_equal(lf__worker_flush(0), LF_ERR_DISABLED);
}

static void starting_and_stopping_200_times_leaves_no_thread_and_no_file(void **state)
{
    (void)state;
    lf_options options = to_server((lf_options){0});
    lf__config *config = lf__config_new(&options);
    assert_non_null(config);
    START(.timeout_ms = 0);
    (void)lf_shutdown(PATIENCE_MS);
    start_submit_flush_stop(config, 0); /* what is made once is there now */
    long task;
    WAIT_UNTIL(tasks_named("langfuse", &task) == 0);
    pause_ms(50);
    int tasks = entries_in("/proc/self/task"), files = entries_in("/proc/self/fd");
    for (unsigned i = 1; i <= 200; i++)
        start_submit_flush_stop(config, i);
    WAIT_UNTIL(entries_in("/proc/self/task") <= tasks);
    WAIT_UNTIL(entries_in("/proc/self/fd") <= files);
    lf_stats stats = stats_now();
    assert_int_equal(stats.delivered, 201);
    assert_account(&stats);
    lf__config_free(config);
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(without_a_worker_its_calls_do_nothing),
        CASE(flush_from_several_threads_delivers_what_each_of_them_saw_end),
        CASE(a_flush_of_nothing_succeeds_without_a_request),
        CASE(a_flush_while_the_server_fails_times_out_and_keeps_the_queue),
        CASE(a_flush_that_waits_uses_no_processor),
        CASE(a_flush_reports_a_loss_once),
        CASE(a_loss_that_nobody_counts_is_seen_in_the_account),
        CASE(what_waits_is_counted_in_the_queue_and_in_batches),
        CASE(what_waits_is_counted_in_the_rings_of_all_threads),
        CASE(what_moves_meanwhile_is_never_missed),
        CASE(what_can_never_be_sent_is_told_once_and_counted_under_one_reason),
        CASE(flush_at_observations_are_sent_without_a_flush_and_fewer_wait),
        CASE(an_observation_alone_is_sent_within_the_flush_interval),
        CASE(a_batch_worth_of_bytes_is_sent_without_a_flush),
        CASE(an_idle_worker_sleeps_without_waking),
        CASE(an_idle_worker_gives_back_what_a_burst_needed),
        CASE(the_workers_thread_blocks_every_signal),
        CASE(shutdown_under_load_keeps_the_account_and_can_be_started_again),
        CASE(shutdown_without_a_server_is_bounded_and_counts_what_is_lost),
        CASE(a_flush_that_waits_ends_when_the_worker_is_stopped),
        CASE(starting_and_stopping_200_times_leaves_no_thread_and_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
