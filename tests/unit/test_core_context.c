/* Context across threads. */
#include "core_harness.h"

#include <pthread.h>

static NOINLINE void leaf(void)
{
    OBSERVE();
}

static NOINLINE void *observe_once(void *arg)
{
    OBSERVE_WITH((.name = arg));
    return arg;
}

static NOINLINE lf_context *open_and_copy(void)
{
    OBSERVE();
    return lf_context_copy();
}

TEST(a_copied_context_outlives_its_observation)
{
    start();
    lf_context *context = open_and_copy();
    CHECK(context != NULL);
    char child[] = "child";
    CHECK(lf_context_run(context, observe_once, child) == child);
    char id[LF_OBSERVATION_ID_SIZE];
    CHECK(!lf_current_observation_id(id)); /* the context is left again */
    leaf();
    lf_context_free(context);
    collect();
    CHECK_CHILD(span_named("child"), span_named("open_and_copy"));
    CHECK_ROOT(span_named("leaf"));
}

TEST(without_an_open_observation_there_is_no_context)
{
    start();
    leaf();
    CHECK(lf_context_copy() == NULL);
    char root[] = "root";
    CHECK(lf_context_run(NULL, observe_once, root) == root);
    {
        OBSERVE_CONTEXT((lf_context *)NULL);
        leaf();
    }
    lf_context_free(NULL);
    pthread_t thread;
    void *result;
    CHECK_INT(lf_thread_create(&thread, NULL, observe_once, "thread"), 0);
    CHECK_INT(pthread_join(thread, &result), 0);
    CHECK_TEXT((char *)result, "thread");
    collect();
    CHECK_INT(span_count, 4);
    for (size_t i = 0; i < span_count; i++)
        CHECK_ROOT(spans[i]);
}

static lf_context *other_context;

static NOINLINE void *nested_run(void *arg)
{
    OBSERVE_WITH((.name = "in first"));
    char id[LF_OBSERVATION_ID_SIZE], again[LF_OBSERVATION_ID_SIZE];
    CHECK(lf_current_observation_id(id));
    lf_context_run(other_context, observe_once, "in second");
    CHECK(lf_current_observation_id(again));
    CHECK_TEXT(again, id);
    observe_once("in first again");
    return arg;
}

static NOINLINE lf_context *second_place(void)
{
    OBSERVE();
    return lf_context_copy();
}

TEST(runs_in_contexts_nest)
{
    start();
    lf_context *first = open_and_copy();
    other_context = second_place();
    lf_context_run(first, nested_run, NULL);
    lf_context_free(first);
    lf_context_free(other_context);
    collect();
    CHECK_CHILD(span_named("in first"), span_named("open_and_copy"));
    CHECK_CHILD(span_named("in second"), span_named("second_place"));
    CHECK_CHILD(span_named("in first again"), span_named("in first"));
}

static NOINLINE void *update_in_context(void *arg)
{
    char id[LF_OBSERVATION_ID_SIZE];
    CHECK(lf_current_observation_id(id)); /* of the copied observation */
    lf_update_current_observation(.name = "never");
    OBSERVE_OUTPUT("never");
    OBSERVE_ERROR("never");
    lf_output_append("never", 5);
    return arg;
}

static NOINLINE void holds_open(void)
{
    OBSERVE();
    lf_context *context = lf_context_copy();
    lf_context_run(context, update_in_context, NULL);
    lf_context_free(context);
}

TEST(an_update_in_an_attached_context_changes_nothing)
{
    start();
    holds_open();
    collect();
    const cJSON *span = span_named("holds_open");
    CHECK_SAID(span, "output", "");
    CHECK_SAID(span, "level", "");
    CHECK_INT(stats_now().accepted, 1);
}

enum { RUNNERS = 8, RUNS = 50 };

static void *free_and_observe(void *context)
{
    lf_context_free(context); /* allowed while it runs */
    observe_once("after free");
    return NULL;
}

static void *run_many_times(void *context)
{
    for (int i = 0; i < RUNS; i++)
        lf_context_run(context, observe_once, "run");
    return NULL;
}

TEST(one_context_runs_in_many_threads_at_once)
{
    start();
    lf_context *context = open_and_copy();
    pthread_t threads[RUNNERS];
    for (int i = 0; i < RUNNERS; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, run_many_times, context), 0);
    for (int i = 0; i < RUNNERS; i++)
        pthread_join(threads[i], NULL);
    lf_context_run(context, free_and_observe, context);
    collect();
    CHECK_INT(span_count, RUNNERS * RUNS + 2);
    for (size_t i = 0; i < (size_t)RUNNERS * RUNS; i++)
        CHECK_CHILD(nth_named("run", i), span_named("open_and_copy"));
    CHECK_CHILD(span_named("after free"), span_named("open_and_copy"));
    CHECK_INT(count_different_ids(), span_count);
}

static NOINLINE void create_threads(int count)
{
    OBSERVE();
    for (int i = 0; i < count; i++) {
        pthread_t thread;
        void *result;
        CHECK_INT(lf_thread_create(&thread, NULL, observe_once, "in thread"), 0);
        CHECK_INT(pthread_join(thread, &result), 0);
        CHECK_TEXT((char *)result, "in thread");
    }
}

static NOINLINE void fail_to_create(void)
{
    OBSERVE();
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    CHECK_INT(pthread_attr_setstacksize(&attributes, (size_t)1 << 46), 0); /* more than there are addresses for */
    errno = 4711;
    int error = pthread_create(&thread, &attributes, observe_once, NULL);
    CHECK(error != 0);
    for (int i = 0; i < 10; i++)
        CHECK_INT(lf_thread_create(&thread, &attributes, observe_once, NULL), error);
    pthread_attr_destroy(&attributes);
}

TEST(a_created_thread_carries_the_context_its_argument_and_its_result)
{
    start();
    create_threads(5);
    collect();
    for (size_t i = 0; i < 5; i++)
        CHECK_CHILD(nth_named("in thread", i), span_named("create_threads"));
    CHECK_INT(span_count, 6);
}

TEST(what_pthread_create_says_is_passed_on)
{
    start();
    /* That nothing leaks is LeakSanitizer's and valgrind's to see. */
    if (HARNESS_TSAN || HARNESS_ASAN || under_valgrind())
        harness_skip("what_pthread_create_says_is_passed_on", "checkers abort where a thread's stack cannot be mapped");
    else
        fail_to_create();
    leaf();
    collect();
    CHECK_INT(count_named("leaf"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copied_context_outlives_its_observation),
        cmocka_unit_test(without_an_open_observation_there_is_no_context),
        cmocka_unit_test(runs_in_contexts_nest),
        cmocka_unit_test(an_update_in_an_attached_context_changes_nothing),
        cmocka_unit_test(one_context_runs_in_many_threads_at_once),
        cmocka_unit_test(a_created_thread_carries_the_context_its_argument_and_its_result),
        cmocka_unit_test(what_pthread_create_says_is_passed_on),
    };
    return cmocka_run_group_tests_name("core: context", tests, NULL, NULL);
}
