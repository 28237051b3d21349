/* Starting and stopping in a process. */
#include "core_harness.h"

#include "../../src/deliver/worker.h"

#include <pthread.h>

static NOINLINE void leaf(void)
{
    OBSERVE();
}

static NOINLINE int add(int a, int b)
{
    OBSERVE(a, b);
    OBSERVE_RETURN(a + b);
}

static NOINLINE void around_leaf(void)
{
    OBSERVE();
    leaf();
}

TEST(the_first_observation_starts_from_the_environment)
{
    char exporter[300];
    snprintf(exporter, sizeof exporter, "file:%s", harness_path);
    setenv("LANGFUSE_EXPORTER", exporter, 1);
    CHECK_INT(add(1, 2), 3);
    collect();
    CHECK_INT(span_count, 1);
    CHECK_SAID(span_named("add"), "input", "{\"a\":1,\"b\":2}");
    CHECK_SAID(span_named("add"), "output", "3");
    CHECK_INT(lf_init(NULL), LF_OK); /* already started */
}

TEST(asking_before_the_start_changes_nothing)
{
    char trace_id[LF_TRACE_ID_SIZE] = "x", id[LF_OBSERVATION_ID_SIZE] = "x";
    CHECK(!lf_current_trace_id(trace_id));
    CHECK(!lf_current_observation_id(id));
    CHECK_TEXT(trace_id, "");
    CHECK_TEXT(id, "");
    lf_update_current_observation(.name = "nobody");
    lf_output_append("piece", 5);
    CHECK(lf_context_copy() == NULL);
    CHECK_INT(lf_flush(1000), LF_ERR_DISABLED);
    CHECK_INT(lf_shutdown(1000), LF_ERR_DISABLED);
    CHECK_INT(stats_now().accepted, 0);
    start();
    leaf();
    collect();
    CHECK_INT(span_count, 1);
}

TEST(starting_twice_keeps_the_first)
{
    start();
    char other[300];
    snprintf(other, sizeof other, "%s.other", harness_path);
    lf_options options = to_file(other);
    CHECK_INT(lf_init(&options), LF_OK);
    leaf();
    collect();
    CHECK_INT(span_count, 1);
    CHECK(access(other, F_OK) != 0);
}

TEST(a_new_start_after_shutdown_delivers_to_its_own_place)
{
    char paths[3][300];
    for (int i = 0; i < 3; i++) {
        snprintf(paths[i], sizeof paths[i], "%s.%d", harness_path, i);
        lf_options options = to_file(paths[i]);
        CHECK_INT(lf_init(&options), LF_OK);
        add(i, i);
        CHECK_INT(lf_shutdown(HARNESS_WAIT_MS), LF_OK);
    }
    for (int i = 0; i < 3; i++) {
        char expected[40];
        snprintf(expected, sizeof expected, "{\"a\":%d,\"b\":%d}", i, i);
        read_spans(paths[i]);
        CHECK_INT(span_count, 1);
        CHECK_SAID(span_named("add"), "input", expected);
    }
    CHECK_INT(stats_now().accepted, 3);
    CHECK_INT(stats_now().delivered, 3);
}

TEST(observing_after_shutdown_does_nothing_until_the_next_start)
{
    start();
    leaf();
    CHECK_INT(lf_shutdown(HARNESS_WAIT_MS), LF_OK);
    lf_stats before = stats_now();
    CHECK_INT(add(2, 3), 5);
    around_leaf();
    lf_update_current_observation(.name = "nobody");
    lf_output_append("piece", 5);
    CHECK(lf_context_copy() == NULL);
    CHECK_INT(lf_flush(1000), LF_ERR_DISABLED);
    CHECK_INT(lf_shutdown(1000), LF_ERR_DISABLED);
    lf_stats after = stats_now();
    CHECK(memcmp(&before, &after, sizeof before) == 0);
    start();
    around_leaf();
    collect();
    CHECK_INT(span_count, 3); /* one before, two now */
    CHECK_INT(count_named("leaf"), 2);
}

static NOINLINE void shuts_down_inside(void)
{
    OBSERVE();
    leaf();
    CHECK_INT(lf_shutdown(HARNESS_WAIT_MS), LF_OK);
}

static NOINLINE void opens_and_shuts_down(void)
{
    OBSERVE();
    shuts_down_inside();
    start(); /* the scope of this function is still there, its observation is not */
    leaf();
}

TEST(shutdown_closes_what_its_thread_has_open)
{
    start();
    opens_and_shuts_down();
    around_leaf();
    collect();
    const cJSON *outer = span_named("opens_and_shuts_down"), *inner = span_named("shuts_down_inside");
    CHECK_SAID(outer, "metadata.incomplete", "interrupted");
    CHECK_SAID(inner, "metadata.incomplete", "interrupted");
    CHECK_ROOT(outer);
    CHECK_CHILD(inner, outer);
    CHECK_CHILD(nth_named("leaf", 0), inner);
    CHECK(!is_incomplete(nth_named("leaf", 0), "interrupted"));
    CHECK_ROOT(nth_named("leaf", 1));
    CHECK_CHILD(nth_named("leaf", 2), span_named("around_leaf"));
    CHECK_INT(span_count, 6);
    CHECK_INT(stats_now().open, 0);
    CHECK_INT(stats_now().accepted, 6);
}

static _Atomic int other_thread_step;

static void await_step(int step)
{
    while (atomic_load(&other_thread_step) < step)
        sleep_ms(1);
}

static NOINLINE void open_until_told(void)
{
    OBSERVE();
    atomic_store(&other_thread_step, 1);
    await_step(2);
}

static void *open_in_a_thread(void *arg)
{
    open_until_told();
    atomic_store(&other_thread_step, 3);
    return arg;
}

/* Shut down while another thread has a scope open, which ends before or after the next start. */
static void end_in_another_thread(bool before_start)
{
    pthread_t thread;
    start();
    atomic_store(&other_thread_step, 0);
    CHECK_INT(pthread_create(&thread, NULL, open_in_a_thread, NULL), 0);
    CHECK_SOON(atomic_load(&other_thread_step) == 1);
    CHECK_INT(lf_shutdown(HARNESS_WAIT_MS), LF_OK);
    CHECK_INT(stats_now().open, 1);
    if (!before_start)
        start();
    atomic_store(&other_thread_step, 2);
    CHECK_SOON(atomic_load(&other_thread_step) == 3);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_INT(stats_now().open, 0);
    start();
    (void)lf_flush(HARNESS_WAIT_MS);
}

TEST(a_scope_of_another_thread_that_ends_before_the_next_start_is_not_recorded)
{
    end_in_another_thread(true);
    lf_stats stats = stats_now();
    CHECK_INT(stats.accepted, 0);
    CHECK_INT(stats.dropped_total, 0);
    CHECK_INT(stats.queued, 0);
}

TEST(one_that_ends_after_it_is_sent)
{
    end_in_another_thread(false);
    read_spans(harness_path);
    CHECK_INT(span_count, 1);
    CHECK(!is_incomplete(span_named("open_until_told"), "interrupted"));
    CHECK_INT(stats_now().delivered, 1);
}

TEST(a_copied_context_outlives_a_shutdown)
{
    start();
    lf_context *context;
    {
        OBSERVE();
        context = lf_context_copy();
    }
    CHECK_INT(lf_shutdown(HARNESS_WAIT_MS), LF_OK);
    start();
    {
        OBSERVE_CONTEXT(context); /* a copy outlives shutdown, too */
        leaf();
    }
    lf_context_free(context);
    collect();
    CHECK_INT(span_count, 2);
    CHECK_CHILD(span_named("leaf"), nth_named("a_copied_context_outlives_a_shutdown_body", 0));
}

TEST(flush_and_shutdown_tell_when_the_time_was_not_enough)
{
    char url[64];
    int server = silent_server(url, sizeof url);
    lf_options options = to_server(url);
    CHECK_INT(lf_init(&options), LF_OK);
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK); /* nothing to send: nobody is asked */
    leaf();
    leaf();
    CHECK_INT(lf_flush(50), LF_ERR_TIMEOUT);
    CHECK_SOON(stats_now().queued == 2); /* what is left stays queued */
    CHECK_INT(stats_now().dropped_total, 0);
    CHECK_INT(lf_flush(0), LF_ERR_TIMEOUT);
    CHECK_INT(lf_shutdown(50), LF_ERR_TIMEOUT);
    lf_stats stats = stats_now();
    CHECK_INT(stats.accepted, 2);
    CHECK_INT(stats.delivered, 0);
    CHECK_INT(stats.queued, 0);
    CHECK_INT(stats.dropped[LF_DROP_SHUTDOWN], 2);
    CHECK_INT(stats.dropped_total, 2);
    CHECK(stats.queued_bytes <= LF__RING_GRANT); /* what this thread may still write */
    CHECK(stats.requests >= 1);
    close(server);
}

TEST(flush_tells_once_that_something_was_lost)
{
    /* Lost by a shutdown without time: the flush of the next start is the first that can tell. */
    char url[64];
    int server = silent_server(url, sizeof url);
    lf_options options = to_server(url);
    CHECK_INT(lf_init(&options), LF_OK);
    leaf();
    CHECK_INT(lf_shutdown(0), LF_ERR_TIMEOUT);
    close(server);
    start();
    leaf();
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_ERR_LOST);
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
    CHECK_INT(lf_shutdown(HARNESS_WAIT_MS), LF_OK);
    CHECK_INT(stats_now().accepted, 2);
    CHECK_INT(stats_now().delivered, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_observation_starts_from_the_environment),
        cmocka_unit_test(asking_before_the_start_changes_nothing),
        cmocka_unit_test(starting_twice_keeps_the_first),
        cmocka_unit_test(a_new_start_after_shutdown_delivers_to_its_own_place),
        cmocka_unit_test(observing_after_shutdown_does_nothing_until_the_next_start),
        cmocka_unit_test(shutdown_closes_what_its_thread_has_open),
        cmocka_unit_test(a_scope_of_another_thread_that_ends_before_the_next_start_is_not_recorded),
        cmocka_unit_test(one_that_ends_after_it_is_sent),
        cmocka_unit_test(a_copied_context_outlives_a_shutdown),
        cmocka_unit_test(flush_and_shutdown_tell_when_the_time_was_not_enough),
        cmocka_unit_test(flush_tells_once_that_something_was_lost),
    };
    return cmocka_run_group_tests_name("core: start", tests, NULL, NULL);
}
