/* The end of a process in the middle of observations. */
#include "three_scopes.h"

#include <pthread.h>
#include <sched.h>

static const char *program;

/* ---- The end of the process ---- */

static void exit_7(void)
{
    leaf();
    exit(7);
}

static void exit_in_three_scopes(void)
{
    start();
    in_three_scopes(exit_7);
}

TEST(exit_in_nested_scopes_sends_them_marked)
{
    CHECK_INT(end_of(exit_in_three_scopes), 7);
    read_spans(harness_path);
    CHECK_INT(span_count, 4);
    check_three("interrupted");
    CHECK_CHILD(span_named("leaf"), span_named("inner"));
    CHECK_SAID(span_named("leaf"), "metadata.incomplete", "");
}

static void end_without_anything(void)
{
    start();
    leaf();
}

TEST(a_program_that_just_ends_delivers)
{
    CHECK_INT(end_of(end_without_anything), 0);
    read_spans(harness_path);
    CHECK_INT(span_count, 1);
}

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

static void *exit_when_inside(void *arg)
{
    (void)arg;
    while (atomic_load(&inside) == 0)
        sleep_ms(1);
    leaf();
    exit(9);
}

static void exit_from_another_thread(void)
{
    start();
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, exit_when_inside, NULL), 0);
    in_three_scopes(wait_for_ever);
}

TEST(exit_from_another_thread_sends_what_is_open_here)
{
    CHECK_INT(end_of(exit_from_another_thread), 9);
    read_spans(harness_path);
    CHECK_INT(span_count, 4);
    check_three("interrupted");
    CHECK_ROOT(span_named("leaf"));
}

static void *observe_without_end(void *arg)
{
    for (;;) {
        atomic_fetch_add(&inside, 1);
        in_three_scopes(leaf);
    }
    return arg;
}

static void exit_while_threads_observe(void)
{
    setenv("LANGFUSE_EXIT_TIMEOUT_MS", "60000", 1); /* this is not about the limit, and checkers starve the worker */
    start();
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, observe_without_end, NULL), 0);
    while (atomic_load(&inside) < 1000)
        sleep_ms(1);
    exit(3);
}

TEST(exit_while_other_threads_observe_at_full_speed)
{
    for (int i = 0; i < rounds(10); i++) {
        unlink(harness_path);
        CHECK_INT(end_of(exit_while_threads_observe), 3);
        read_spans(harness_path);
        CHECK(span_count > 0);
        CHECK_INT(count_different_ids(), span_count); /* nothing twice: neither ended and copied */
    }
}

TEST(returning_from_main_in_a_scope_ends_it)
{
    char exporter[300];
    snprintf(exporter, sizeof exporter, "file:%s", harness_path);
    setenv("LANGFUSE_EXPORTER", exporter, 1);
    pid_t child = fork();
    if (child == 0) {
        execl(program, program, "return-from-main", (char *)NULL);
        _exit(98);
    }
    CHECK_INT(end_of_child(child), 5);
    read_spans(harness_path);
    CHECK_INT(span_count, 1);
    CHECK_SAID(span_named("main"), "metadata.incomplete", "");
    CHECK_SAID(span_named("main"), "output", "5");
}

static void quick_exit_now(void)
{
    lf_options options = to_file(harness_path);
    options.flush_interval_ms = 3600000;
    CHECK_INT(lf_init(&options), LF_OK);
    leaf();
    _exit(6);
}

TEST(quick_exit_sends_nothing)
{
    CHECK_INT(end_of(quick_exit_now), 6); /* as documented: nobody runs */
    read_spans(harness_path);
    CHECK_INT(span_count, 0);
}

static void abort_in_a_scope(void)
{
    struct sigaction action;
    start();
    CHECK(sigaction(SIGABRT, NULL, &action) == 0);
    CHECK(action.sa_handler == SIG_DFL);
    freopen("/dev/null", "w", stderr);
    abort();
}

TEST(abort_is_not_hooked)
{
    CHECK_INT(end_of(abort_in_a_scope), -SIGABRT);
    read_spans(harness_path);
    CHECK_INT(span_count, 0);
}

static void write_stats(void)
{
    lf_stats stats = stats_now();
    FILE *file = fopen(harness_path, "w");
    fprintf(file, "%llu %llu %llu %llu\n", (unsigned long long)stats.accepted, (unsigned long long)stats.delivered,
            (unsigned long long)stats.dropped[LF_DROP_SHUTDOWN], (unsigned long long)stats.queued);
    fclose(file);
}

static long exit_timeout_ms;

static void exit_with_a_silent_server(void)
{
    char url[64];
    atexit(write_stats); /* before ours, so it runs after it */
    (void)silent_server(url, sizeof url);
    lf_options options = to_server(url);
    options.exit_timeout_ms = (int)exit_timeout_ms;
    CHECK_INT(lf_init(&options), LF_OK);
    for (int i = 0; i < 5; i++)
        leaf();
    in_three_scopes(exit_7);
}

static void check_what_exit_dropped(void)
{
    unsigned long long accepted = 0, delivered = 0, dropped = 0, queued = 0;
    const uint64_t before = now_ms();
    CHECK_INT(end_of(exit_with_a_silent_server), 7);
    CHECK(now_ms() - before < 50000); /* a request would have taken a minute */
    FILE *file = fopen(harness_path, "r");
    CHECK(file != NULL);
    CHECK_INT(fscanf(file, "%llu %llu %llu %llu", &accepted, &delivered, &dropped, &queued), 4);
    fclose(file);
    CHECK_INT(accepted, 9);
    CHECK_INT(delivered, 0);
    CHECK_INT(dropped, 9);
    CHECK_INT(queued, 0);
}

TEST(exit_waits_no_longer_than_it_may_and_counts_what_is_left)
{
    exit_timeout_ms = 200;
    check_what_exit_dropped();
}

static void exit_with_nobody_there(void)
{
    lf_options options = to_server("http://127.0.0.1:1");
    options.exit_timeout_ms = 10 * HARNESS_WAIT_MS;
    CHECK_INT(lf_init(&options), LF_OK);
    leaf();
    exit(7);
}

TEST(exit_does_not_wait_where_nobody_listens)
{
    const uint64_t before = now_ms();
    CHECK_INT(end_of(exit_with_nobody_there), 7);
    CHECK(now_ms() - before < HARNESS_WAIT_MS / 2); /* one retry */
}

TEST(exit_need_not_wait_at_all)
{
    exit_timeout_ms = -1;
    check_what_exit_dropped();
}

/* ---- Exit handlers ---- */

static void observe_and_flush_late(void)
{
    leaf();
    CHECK_INT(lf_flush(1000), LF_ERR_DISABLED); /* ours has run */
    CHECK_INT(lf_shutdown(1000), LF_ERR_DISABLED);
}

static void observe_early(void)
{
    leaf();
}

static void exit_between_handlers(void)
{
    atexit(observe_and_flush_late);
    start();
    atexit(observe_early);
    in_three_scopes(exit_7);
}

TEST(an_exit_handler_may_observe_before_and_after_ours)
{
    CHECK_INT(end_of(exit_between_handlers), 7);
    read_spans(harness_path);
    CHECK_INT(count_named("leaf"), 2); /* of exit_7, and of the handler registered after ours */
    check_three("interrupted");
}

static void start_in_the_handler(void)
{
    start();
    leaf();
}

static void exit_and_start(void)
{
    atexit(start_in_the_handler);
}

TEST(the_first_use_may_be_in_an_exit_handler)
{
    CHECK_INT(end_of(exit_and_start), 0);
    read_spans(harness_path);
    CHECK_INT(span_count, 1);
}

static void start_again_too_late(void)
{
    lf_options options = to_file(harness_path);
    CHECK_INT(lf_init(&options), LF_ERR_DISABLED);
    leaf();
    CHECK_INT(lf_flush(1000), LF_ERR_DISABLED);
}

static void exit_and_start_again(void)
{
    atexit(start_again_too_late);
    start();
    leaf();
}

TEST(after_our_exit_handler_there_is_no_new_start)
{
    CHECK_INT(end_of(exit_and_start_again), 0);
    read_spans(harness_path);
    CHECK_INT(span_count, 1);
}

int main(int count, char **arguments)
{
    if (count > 1) {
        OBSERVE();
        OBSERVE_RETURN(strcmp(arguments[1], "return-from-main") == 0 ? 5 : 1);
    }
    program = arguments[0]; /* /proc/self/exe would be valgrind */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exit_in_nested_scopes_sends_them_marked),
        cmocka_unit_test(a_program_that_just_ends_delivers),
        cmocka_unit_test(exit_from_another_thread_sends_what_is_open_here),
        cmocka_unit_test(exit_while_other_threads_observe_at_full_speed),
        cmocka_unit_test(returning_from_main_in_a_scope_ends_it),
        cmocka_unit_test(quick_exit_sends_nothing),
        cmocka_unit_test(abort_is_not_hooked),
        cmocka_unit_test(exit_waits_no_longer_than_it_may_and_counts_what_is_left),
        cmocka_unit_test(exit_does_not_wait_where_nobody_listens),
        cmocka_unit_test(exit_need_not_wait_at_all),
        cmocka_unit_test(an_exit_handler_may_observe_before_and_after_ours),
        cmocka_unit_test(the_first_use_may_be_in_an_exit_handler),
        cmocka_unit_test(after_our_exit_handler_there_is_no_new_start),
    };
    return cmocka_run_group_tests_name("core: exits", tests, NULL, NULL);
}
