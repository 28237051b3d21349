/* The end of a thread in the middle of observations. */
#include "three_scopes.h"

#include "../../src/deliver/worker.h"

#include <pthread.h>
#include <sched.h>

static _Atomic int inside;

static void wait_for_ever(void)
{
    atomic_fetch_add(&inside, 1);
    /* Not asleep: ThreadSanitizer loses track of a thread that is cancelled inside a function it watches. */
    for (;;) {
        pthread_testcancel();
        sched_yield();
    }
}

static void end_this_thread(void)
{
    pthread_exit("gone");
}

static void *exit_thread_in_three_scopes(void *arg)
{
    in_three_scopes(end_this_thread);
    return arg;
}

TEST(what_a_thread_leaves_open_is_closed_and_marked)
{
    start();
    pthread_t thread;
    void *result;
    CHECK_INT(pthread_create(&thread, NULL, exit_thread_in_three_scopes, NULL), 0);
    CHECK_INT(pthread_join(thread, &result), 0);
    CHECK_TEXT((char *)result, "gone");
    CHECK_INT(stats_now().open, 0);
    collect();
    CHECK_INT(span_count, 3);
#ifndef __EXCEPTIONS /* with -fexceptions the scopes end by themselves */
    check_three("abandoned");
#else
    check_three("");
#endif
}

static void *cancelled_in_three_scopes(void *arg)
{
    in_three_scopes(wait_for_ever);
    return arg;
}

TEST(a_cancelled_thread_leaves_nothing_open)
{
    if (HARNESS_ASAN) {
        harness_skip("a_cancelled_thread_leaves_nothing_open", "ASan keeps marks of scopes on the stack of a cancelled thread");
        return;
    }
    start();
    pthread_t thread;
    void *result;
    CHECK_INT(pthread_create(&thread, NULL, cancelled_in_three_scopes, NULL), 0);
    CHECK_SOON(atomic_load(&inside) != 0);
    CHECK_INT(pthread_cancel(thread), 0);
    CHECK_INT(pthread_join(thread, &result), 0);
    CHECK(result == PTHREAD_CANCELED);
    CHECK_INT(stats_now().open, 0);
    leaf();
    collect();
    CHECK_INT(span_count, 4);
#ifndef __EXCEPTIONS
    check_three("abandoned");
#endif
    CHECK_ROOT(span_named("leaf"));
}

static size_t count_segments(void)
{
    size_t count = 0;
    for (lf__segment *s = atomic_load(&lf__segments); s != NULL; s = s->next)
        count++;
    return count;
}

static void *observe_a_little(void *arg)
{
    in_three_scopes(leaf);
    return arg;
}

TEST(short_threads_use_the_same_memory_again)
{
    start();
    const int threads = rounds(10000);
    for (int i = 0; i < threads; i++) {
        pthread_t thread;
        CHECK_INT(pthread_create(&thread, NULL, observe_a_little, NULL), 0);
        CHECK_INT(pthread_join(thread, NULL), 0);
    }
    /* The one before, or another while the worker is giving that one's memory back. */
    CHECK(count_segments() <= 3);
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
    CHECK_INT(stats_now().delivered, 4 * threads);
    CHECK_INT(stats_now().accepted, 4 * threads);
    CHECK_INT(stats_now().open, 0);
}

static pthread_key_t first_key, last_key;

static void observe_in_destructor(void *value)
{
    OBSERVE_WITH((.name = value));
    leaf();
}

static void *thread_with_keys(void *arg)
{
    pthread_setspecific(first_key, "first destructor");
    leaf();
    pthread_setspecific(last_key, "last destructor");
    return arg;
}

TEST(a_thread_may_observe_in_the_destructors_of_other_keys)
{
    CHECK_INT(pthread_key_create(&first_key, observe_in_destructor), 0);
    start();
    CHECK_INT(pthread_key_create(&last_key, observe_in_destructor), 0);
    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        CHECK_INT(pthread_create(&thread, NULL, thread_with_keys, NULL), 0);
        CHECK_INT(pthread_join(thread, NULL), 0);
    }
    collect();
    CHECK_INT(count_named("leaf"), 60);
    CHECK_INT(count_named("first destructor"), 20);
    CHECK_INT(count_named("last destructor"), 20);
    CHECK_INT(stats_now().open, 0);
    for (size_t i = 0; i < span_count; i++)
        CHECK_SAID(spans[i], "metadata.incomplete", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_thread_leaves_open_is_closed_and_marked),
        cmocka_unit_test(a_cancelled_thread_leaves_nothing_open),
        cmocka_unit_test(short_threads_use_the_same_memory_again),
        cmocka_unit_test(a_thread_may_observe_in_the_destructors_of_other_keys),
    };
    return cmocka_run_group_tests_name("core: the end of a thread", tests, NULL, NULL);
}
