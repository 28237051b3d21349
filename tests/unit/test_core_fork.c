/* fork in the middle of observations. */
#include "three_scopes.h"

#include <pthread.h>

static char child_path[300];

/* Fork; in the child run `body` and end as a program does. Waits for it. */
static void in_child(void (*body)(void))
{
    pid_t child = harness_fork(body);
    CHECK_INT(end_of_child(child), 0);
}

static NOINLINE void child_work(void)
{
    OBSERVE();
    leaf();
}

static void child_observes(void)
{
    CHECK_INT(stats_now().accepted, 0);
    CHECK_INT(stats_now().delivered, 0);
    CHECK_INT(stats_now().open, 0);
    child_work();
    CHECK_INT(stats_now().accepted, 2);
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
    CHECK_INT(stats_now().delivered, 2);
}

static NOINLINE void forks(void)
{
    OBSERVE();
    leaf();
    in_child(child_observes);
}

TEST(a_child_delivers_its_own_and_nothing_twice)
{
    SKIP_WHERE_FORK_IS_NOT_SUPPORTED(a_child_delivers_its_own_and_nothing_twice);
    start();
    leaf(); /* queued when the process is copied */
    forks();
    collect();
    CHECK_INT(span_count, 5);
    CHECK_INT(count_named("forks"), 1);
    CHECK_INT(count_named("leaf"), 3);
    CHECK_CHILD(span_named("child_work"), span_named("forks"));
    CHECK_INT(count_different_ids(), 5);
    CHECK_INT(stats_now().accepted, 3);
}

static void child_asks_for_ids(void)
{
    char trace_id[LF_TRACE_ID_SIZE], id[LF_OBSERVATION_ID_SIZE];
    CHECK(lf_current_trace_id(trace_id)); /* before it has observed anything */
    CHECK(lf_current_observation_id(id));
    lf_context *context = lf_context_copy();
    CHECK(context != NULL);
    lf_context_free(context);
}

static NOINLINE void forks_to_ask(void)
{
    OBSERVE();
    in_child(child_asks_for_ids);
}

TEST(a_child_knows_in_which_observation_it_was_forked)
{
    SKIP_WHERE_FORK_IS_NOT_SUPPORTED(a_child_knows_in_which_observation_it_was_forked);
    start();
    forks_to_ask();
    collect();
    CHECK_INT(span_count, 1);
}

static void *observe_in_thread(void *arg)
{
    OBSERVE();
    return arg;
}

static void child_starts_a_thread(void)
{
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, observe_in_thread, NULL), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
    child_work();
}

static NOINLINE void forks_for_a_thread(void)
{
    OBSERVE();
    in_child(child_starts_a_thread);
}

TEST(only_the_thread_that_forked_goes_on_in_its_observation)
{
    SKIP_WHERE_FORK_IS_NOT_SUPPORTED(only_the_thread_that_forked_goes_on_in_its_observation);
    start();
    forks_for_a_thread();
    collect();
    CHECK_ROOT(span_named("observe_in_thread")); /* pthread_create carries nothing */
    CHECK_CHILD(span_named("child_work"), span_named("forks_for_a_thread"));
}

static void child_forks(void)
{
    in_child(child_observes);
    leaf();
}

static NOINLINE void forks_twice(void)
{
    OBSERVE();
    in_child(child_forks);
}

static void child_observes_and_forks(void)
{
    leaf();
    in_child(child_observes);
}

static NOINLINE void forks_twice_later(void)
{
    OBSERVE();
    in_child(child_observes_and_forks);
}

TEST(a_child_of_a_child_goes_on_in_the_same_observation)
{
    SKIP_WHERE_FORK_IS_NOT_SUPPORTED(a_child_of_a_child_goes_on_in_the_same_observation);
    start();
    forks_twice();
    forks_twice_later();
    collect();
    CHECK_INT(span_count, 8);
    CHECK_CHILD(nth_named("child_work", 0), span_named("forks_twice"));
    CHECK_CHILD(nth_named("child_work", 1), span_named("forks_twice_later"));
    CHECK_INT(count_different_ids(), 8);
}

static void child_starts_anew(void)
{
    leaf(); /* nothing: it was off in the parent, and is */
    CHECK_INT(lf_flush(1000), LF_ERR_DISABLED);
    lf_options options = to_file(child_path);
    CHECK_INT(lf_init(&options), LF_OK);
    leaf();
}

TEST(a_fork_after_shutdown_may_start_anew)
{
    SKIP_WHERE_FORK_IS_NOT_SUPPORTED(a_fork_after_shutdown_may_start_anew);
    snprintf(child_path, sizeof child_path, "%s.child", harness_path);
    start();
    leaf();
    CHECK_INT(lf_shutdown(HARNESS_WAIT_MS), LF_OK);
    in_child(child_starts_anew);
    read_spans(child_path);
    CHECK_INT(span_count, 1);
    read_spans(harness_path);
    CHECK_INT(span_count, 1);
}

static NOINLINE void leaves_scopes_of_its_parent(void)
{
    OBSERVE();
    pid_t child = fork();
    if (child == 0) {
        leaf();
        return; /* in the child, too, through the parent's scope */
    }
    CHECK_INT(end_of_child(child), 0);
}

TEST(a_child_may_return_through_the_scopes_of_its_parent)
{
    SKIP_WHERE_FORK_IS_NOT_SUPPORTED(a_child_may_return_through_the_scopes_of_its_parent);
    start();
    const pid_t parent = getpid();
    leaves_scopes_of_its_parent();
    if (getpid() != parent)
        exit(0);
    collect();
    CHECK_INT(count_named("leaves_scopes_of_its_parent"), 1);
    CHECK_CHILD(span_named("leaf"), span_named("leaves_scopes_of_its_parent"));
}

enum { IDS = 10000 };

static void observe_many(void)
{
    for (int i = 0; i < rounds(IDS); i++)
        leaf();
}

TEST(ids_of_parent_and_child_differ)
{
    SKIP_WHERE_FORK_IS_NOT_SUPPORTED(ids_of_parent_and_child_differ);
    start();
    leaf();
    pid_t child = harness_fork(observe_many);
    observe_many();
    CHECK_INT(end_of_child(child), 0);
    collect();
    CHECK_INT(span_count, 2 * rounds(IDS) + 1);
    CHECK_INT(count_different_ids(), span_count);
    const char **traces = calloc(span_count, sizeof *traces);
    for (size_t i = 0; i < span_count; i++)
        traces[i] = trace_of(spans[i]);
    CHECK_INT(count_different(traces, span_count), span_count);
    free(traces);
}

TEST(fork_and_exec_is_left_alone)
{
    start();
    {
        OBSERVE();
        for (int i = 0; i < 20; i++) {
            pid_t child = fork();
            if (child == 0) {
                execl("/bin/true", "true", (char *)NULL);
                _exit(1);
            }
            CHECK_INT(end_of_child(child), 0);
            CHECK_INT(system("exit 3"), 3 << 8);
        }
    }
    collect();
    CHECK_INT(span_count, 1);
}

static _Atomic bool enough;

static void *observe_until_enough(void *arg)
{
    while (!atomic_load_explicit(&enough, memory_order_relaxed))
        in_three_scopes(leaf);
    return arg;
}

static void *ask_until_enough(void *arg)
{
    while (!atomic_load_explicit(&enough, memory_order_relaxed)) {
        (void)lf_flush(5);
        (void)stats_now();
    }
    return arg;
}

static void *start_and_stop_until_enough(void *arg)
{
    lf_options options = to_server("http://127.0.0.1:1");
    while (!atomic_load_explicit(&enough, memory_order_relaxed)) {
        CHECK_INT(lf_init(&options), LF_OK);
        (void)lf_shutdown(0);
    }
    return arg;
}

/* Starting takes locks of ours one inside the other, and so does a fork. */
TEST(forking_while_another_thread_starts_and_stops_hangs_nobody)
{
    SKIP_WHERE_FORK_IS_NOT_SUPPORTED(forking_while_another_thread_starts_and_stops_hangs_nobody);
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, start_and_stop_until_enough, NULL), 0);
    for (int i = 0; i < rounds(300); i++) {
        pid_t child = fork();
        if (child == 0) {
            execl("/bin/true", "true", (char *)NULL);
            _exit(1);
        }
        CHECK_INT(end_of_child(child), 0);
    }
    atomic_store(&enough, true);
    CHECK_INT(pthread_join(thread, NULL), 0);
}

static long fork_after_us;

static void *start_first(void *arg)
{
    leaf();
    return arg;
}

static void child_is_the_first_to_observe(void)
{
    leaf();
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
}

static void fork_while_a_thread_starts_us(void)
{
    pthread_t thread;
    CHECK_INT(setenv("LANGFUSE_EXPORTER", "file:/dev/null", 1), 0);
    CHECK_INT(pthread_create(&thread, NULL, start_first, NULL), 0);
    CHECK_INT(usleep((useconds_t)fork_after_us), 0);
    in_child(child_is_the_first_to_observe);
    CHECK_INT(pthread_join(thread, NULL), 0);
}

TEST(a_fork_at_any_microsecond_of_the_first_start_leaves_a_child_that_can_start)
{
    SKIP_WHERE_FORK_IS_NOT_SUPPORTED(a_fork_at_any_microsecond_of_the_first_start_leaves_a_child_that_can_start);
    const int forks_wanted = rounds(200);
    for (int i = 0; i < forks_wanted; i++) {
        fork_after_us = i * 2;
        CHECK_INT(end_of(fork_while_a_thread_starts_us), 0);
    }
}

static void child_observes_and_flushes(void)
{
    child_work();
    const lf_status status = lf_flush(HARNESS_WAIT_MS);
    CHECK_INT(status, LF_OK);
    CHECK_INT(stats_now().accepted, 2);
    CHECK_INT(stats_now().delivered, 2);
}

TEST(a_hundred_forks_while_everything_is_in_motion)
{
    SKIP_WHERE_FORK_IS_NOT_SUPPORTED(a_hundred_forks_while_everything_is_in_motion);
    lf_options options = to_file(harness_path);
    options.max_queue_bytes = 4 << 20;
    options.flush_interval_ms = 5;
    CHECK_INT(lf_init(&options), LF_OK);
    pthread_t threads[6];
    for (int i = 0; i < 6; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, i < 4 ? observe_until_enough : ask_until_enough, NULL), 0);
    const int forks_wanted = rounds(100);
    for (int i = 0; i < forks_wanted; i++)
        in_child(child_observes_and_flushes);
    atomic_store(&enough, true);
    for (int i = 0; i < 6; i++)
        pthread_join(threads[i], NULL);
    const lf_status status = lf_flush(HARNESS_WAIT_MS);
    CHECK(status == LF_OK || status == LF_ERR_LOST);
    lf_stats stats = stats_now();
    CHECK_INT(stats.queued, 0);
    CHECK_INT(stats.accepted, stats.delivered + stats.dropped_total);

    /* Lines of all processes lie in one file, whole. Counting needs no tree: there may be a million spans. */
    FILE *file = fopen(harness_path, "r");
    char *line = NULL;
    size_t room = 0, work = 0;
    while (getline(&line, &room, file) > 0) {
        CHECK(line[0] == '{' && strcmp(strrchr(line, '}'), "}\n") == 0);
        work += strstr(line, "\"name\":\"child_work\"") != NULL;
    }
    free(line);
    fclose(file);
    CHECK_INT(work, forks_wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_delivers_its_own_and_nothing_twice),
        cmocka_unit_test(a_child_knows_in_which_observation_it_was_forked),
        cmocka_unit_test(only_the_thread_that_forked_goes_on_in_its_observation),
        cmocka_unit_test(a_child_of_a_child_goes_on_in_the_same_observation),
        cmocka_unit_test(a_fork_after_shutdown_may_start_anew),
        cmocka_unit_test(a_child_may_return_through_the_scopes_of_its_parent),
        cmocka_unit_test(ids_of_parent_and_child_differ),
        cmocka_unit_test(fork_and_exec_is_left_alone),
        cmocka_unit_test(forking_while_another_thread_starts_and_stops_hangs_nobody),
        cmocka_unit_test(a_fork_at_any_microsecond_of_the_first_start_leaves_a_child_that_can_start),
        cmocka_unit_test(a_hundred_forks_while_everything_is_in_motion),
    };
    return cmocka_run_group_tests_name("core: fork", tests, NULL, NULL);
}
