/* The life of the library in a process: times that are kept whatever the sink does, hooks that fork, sleep and exit, other threads
 * that go on meanwhile, and a main thread that leaves.
 */
#include "core_harness.h"

#include "../../langfuse/prompt.h"
#include "../../langfuse/score.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>

enum {
    STOP_MS = 300,
    MARGIN_MS = HARNESS_ASAN || HARNESS_TSAN ? 5000 : 2000, /* of a promise about time: a loaded machine may be late by so much */
    LONG_MS = 20000
};

static NOINLINE void observe_one(void)
{
    OBSERVE();
}

static void observe_many(int count)
{
    for (int i = 0; i < count; i++)
        observe_one();
}

static void make_pipe(void)
{
    CHECK(mkfifo(harness_path, 0600) == 0);
}

/* ---- Stopping in time ------------------------------------------------------------------------------------------------ */

static void check_stop_is_in_time(int count)
{
    uint64_t before = now_ms();
    lf_status status = lf_shutdown(STOP_MS);
    CHECK(now_ms() - before < STOP_MS + MARGIN_MS);
    CHECK(status == LF_ERR_TIMEOUT || status == LF_ERR_LOST);
    CHECK_SOON(stats_now().queued == 0);
    lf_stats stats = stats_now();
    CHECK_INT(stats.accepted, (uint64_t)count);
    CHECK_INT(stats.delivered + stats.dropped_total, (uint64_t)count);
}

TEST(a_pipe_that_nobody_reads_does_not_hold_a_shutdown)
{
    make_pipe();
    start();
    observe_many(3);
    check_stop_is_in_time(3);
    CHECK_INT(stats_now().dropped[LF_DROP_SHUTDOWN], 3);
}

TEST(a_pipe_that_nobody_empties_does_not_hold_a_shutdown)
{
    make_pipe();
    int reader = open(harness_path, O_RDONLY | O_NONBLOCK);
    CHECK(reader >= 0);
    start();
    observe_many(2000); /* more than a pipe holds */
    check_stop_is_in_time(2000);
    close(reader);
}

/* A process of its own holds the lock until it is killed. */
static pid_t lock_file(void)
{
    int ready[2];
    char byte;
    CHECK(pipe(ready) == 0);
    pid_t child = fork();
    if (child == 0) {
        int file = open(harness_path, O_RDWR | O_CREAT, 0600);
        if (file >= 0 && flock(file, LOCK_EX) == 0 && write(ready[1], "", 1) == 1)
            for (;;)
                pause();
        _exit(1);
    }
    CHECK(child > 0 && read(ready[0], &byte, 1) == 1);
    return child;
}

TEST(a_file_that_another_process_locks_does_not_hold_a_shutdown)
{
    pid_t other = lock_file();
    start();
    observe_many(3);
    check_stop_is_in_time(3);
    kill(other, SIGKILL);
}

static _Atomic int hook_calls;

static bool mask_slowly(void *data, lf_masked *value)
{
    (void)data, (void)value;
    atomic_fetch_add(&hook_calls, 1);
    sleep_ms(5);
    return true;
}

TEST(a_slow_mask_hook_does_not_hold_a_shutdown)
{
    lf_options options = to_file(harness_path);
    options.mask = mask_slowly;
    CHECK_INT(lf_init(&options), LF_OK);
    for (int i = 0; i < 2000; i++) {
        OBSERVE_WITH((.name = "masked"), i);
    }
    check_stop_is_in_time(2000);
    int calls = atomic_load(&hook_calls);
    sleep_ms(50);
    CHECK_INT(atomic_load(&hook_calls), calls); /* none after the shutdown */
}

static bool mask_for_long(void *data, lf_masked *value)
{
    (void)data, (void)value;
    atomic_fetch_add(&hook_calls, 1);
    sleep_ms(STOP_MS + MARGIN_MS + 1000);
    return true;
}

TEST(a_mask_hook_that_sleeps_for_long_does_not_either)
{
    lf_options options = to_file(harness_path);
    options.mask = mask_for_long;
    CHECK_INT(lf_init(&options), LF_OK);
    for (int i = 0; i < 3; i++) {
        OBSERVE_WITH((.name = "masked"), i);
    }
    uint64_t before = now_ms();
    CHECK_INT(lf_shutdown(STOP_MS), LF_ERR_TIMEOUT);
    CHECK(now_ms() - before < STOP_MS + MARGIN_MS);
    CHECK_INT(atomic_load(&hook_calls), 1);
    CHECK_SOON(stats_now().queued == 0);
    start(); /* and we can start again, once it is over */
    observe_one();
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_ERR_LOST); /* of before */
    CHECK(stats_now().delivered >= 1);
    CHECK_INT(atomic_load(&hook_calls), 1);
}

static _Atomic bool is_over;
static _Atomic int late_calls;

static bool mask_and_see_whether_it_is_over(void *data, lf_masked *value)
{
    (void)data, (void)value;
    atomic_fetch_add(&hook_calls, 1);
    late_calls += is_over;
    sleep_ms(STOP_MS);
    return true;
}

/* The worker is in the middle of an observation. */
TEST(no_hook_begins_once_a_shutdown_is_over)
{
    lf_options options = to_file(harness_path);
    options.mask = mask_and_see_whether_it_is_over;
    options.flush_interval_ms = 5;
    CHECK_INT(lf_init(&options), LF_OK);
    {
        OBSERVE_WITH((.name = "masked"), options.flush_interval_ms);
        lf_update_current_observation(.output = LF_VALUE("text"), .metadata = LF_OBJECT("a", 1));
    }
    CHECK_SOON(atomic_load(&hook_calls) > 0);
    (void)lf_shutdown(STOP_MS / 10);
    is_over = true;
    CHECK_SOON(stats_now().queued == 0);
    start(); /* the worker that was in the hook comes to its end first */
    CHECK_INT(late_calls, 0);
}

/* ---- What goes on meanwhile ------------------------------------------------------------------------------------------ */

static void *stop_for_long(void *arg)
{
    (void)arg;
    return (void *)(intptr_t)lf_shutdown(LONG_MS);
}

static pthread_t stop_in_a_thread(void)
{
    static char url[64];
    (void)silent_server(url, sizeof url);
    lf_options options = to_server(url);
    CHECK_INT(lf_init(&options), LF_OK);
    observe_one();
    CHECK_INT(lf_flush(20), LF_ERR_TIMEOUT); /* it is on its way */
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, stop_for_long, NULL), 0);
    CHECK_SOON(lf_i_mode() == LF_I_OFF);
    return thread;
}

TEST(a_fork_does_not_wait_for_a_shutdown)
{
    if (HARNESS_TSAN) {
        harness_skip("a_fork_does_not_wait_for_a_shutdown", "the checker's own locks and threads do not survive fork");
        return;
    }
    harness_leaves_threads_behind = true;
    CHECK_INT(pthread_detach(stop_in_a_thread()), 0);
    uint64_t before = now_ms();
    pid_t child = fork();
    if (child == 0)
        _exit(now_ms() - before < LONG_MS / 2 ? 0 : 1);
    CHECK_INT(end_of_child(child), 0);
    CHECK(now_ms() - before < LONG_MS / 2);
}

TEST(a_prompt_does_not_wait_for_a_shutdown)
{
    CHECK_INT(pthread_detach(stop_in_a_thread()), 0);
    uint64_t before = now_ms();
    lf_prompt *prompt = lf_get_prompt("greeting", .timeout_ms = 50, .fallback = "hello");
    CHECK(prompt != NULL && prompt->is_fallback);
    CHECK(now_ms() - before < LONG_MS / 2);
    lf_prompt_free(prompt);
}

TEST(a_client_does_not_wait_for_a_shutdown)
{
    CHECK_INT(pthread_detach(stop_in_a_thread()), 0);
    uint64_t before = now_ms();
    lf_options options = to_file(harness_path);
    CHECK(lf_client_new(&options) != NULL);
    CHECK(now_ms() - before < LONG_MS / 2);
}

/* What was queued for the old place is dropped, and counted; the shutdown leaves the new start alone. */
TEST(a_start_overtakes_a_shutdown)
{
    pthread_t thread = stop_in_a_thread();
    uint64_t before = now_ms();
    start();
    CHECK(now_ms() - before < LONG_MS / 2);
    observe_one();
    CHECK(lf_flush(HARNESS_WAIT_MS) != LF_ERR_TIMEOUT);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK(now_ms() - before < LONG_MS / 2);
    observe_one();
    collect();
    CHECK_INT(span_count, 2);
    CHECK_INT(stats_now().dropped[LF_DROP_SHUTDOWN], 1);
}

/* ---- Hooks ----------------------------------------------------------------------------------------------------------- */

static void fork_and_exit(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    CHECK(child > 0 && waitpid(child, NULL, 0) == child);
    atomic_fetch_add(&hook_calls, 1);
}

static bool mask_in_a_child(void *data, lf_masked *value)
{
    (void)data, (void)value;
    fork_and_exit();
    return true;
}

static void log_in_a_child(void *data, const char *line)
{
    (void)data, (void)line;
    fork_and_exit();
}

static void curl_in_a_child(void *data, void *curl)
{
    (void)data, (void)curl;
    fork_and_exit();
}

TEST(hooks_may_fork_while_we_start_send_and_stop)
{
    if (HARNESS_TSAN) {
        harness_skip("hooks_may_fork_while_we_start_send_and_stop", "the checker's own locks and threads do not survive fork");
        return;
    }
    harness_leaves_threads_behind = true;
    char url[64];
    (void)silent_server(url, sizeof url);
    lf_options options = to_server(url);
    options.mask = mask_in_a_child;
    options.log = log_in_a_child;
    options.curl_hook = curl_in_a_child;
    options.log_level = LF_LOG_DEBUG;
    options.flush_at = -7; /* a line from within lf_init */
    CHECK_INT(lf_init(&options), LF_OK);
    CHECK(atomic_load(&hook_calls) > 0);
    for (int i = 0; i < 20; i++) {
        OBSERVE_WITH((.name = "masked"), i);
    }
    int calls = atomic_load(&hook_calls);
    uint64_t before = now_ms();
    CHECK_INT(lf_shutdown(STOP_MS), LF_ERR_TIMEOUT);
    CHECK(now_ms() - before < STOP_MS + MARGIN_MS);
    CHECK(atomic_load(&hook_calls) > calls);
}

static bool mask_and_exit(void *data, lf_masked *value)
{
    (void)data, (void)value;
    exit(7);
}

static void mask_that_exits(void)
{
    lf_options options = to_file(harness_path);
    options.mask = mask_and_exit;
    CHECK_INT(lf_init(&options), LF_OK);
    {
        OBSERVE_WITH((.name = "masked"), options.mask_data);
    }
    (void)lf_flush(LONG_MS);
}

static void log_and_exit(void *data, const char *line)
{
    (void)data, (void)line;
    exit(7);
}

static void log_that_exits(void)
{
    lf_options options = to_file(harness_path);
    options.log = log_and_exit;
    options.flush_at = -7;
    (void)lf_init(&options);
}

TEST(hooks_may_exit)
{
    uint64_t before = now_ms();
    CHECK_INT(end_of(mask_that_exits), 7);
    CHECK_INT(end_of(log_that_exits), 7);
    CHECK(now_ms() - before < LONG_MS);
}

static void log_slowly(void *data, const char *line)
{
    (void)data, (void)line;
    atomic_store(&hook_calls, 1);
    sleep_ms(LONG_MS);
}

static void *start_slowly(void *arg)
{
    (void)arg;
    lf_options options = to_file(harness_path);
    options.log = log_slowly;
    options.flush_at = -7;
    return (void *)(intptr_t)lf_init(&options);
}

static void begin_slow_start(void)
{
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, start_slowly, NULL), 0);
    CHECK_SOON(atomic_load(&hook_calls) == 1);
}

/* Their first observations are lost, which is better than to wait. */
TEST(a_log_hook_that_sleeps_in_a_start_holds_no_observing_thread_for_long)
{
    begin_slow_start();
    uint64_t before = now_ms();
    observe_one();
    CHECK(now_ms() - before < LONG_MS / 2);
}

TEST(a_log_hook_that_sleeps_in_a_start_holds_no_exit_either)
{
    uint64_t before = now_ms();
    CHECK_INT(end_of(begin_slow_start), 0);
    CHECK(now_ms() - before < LONG_MS / 2);
}

static char *hook_text;

static void log_freed(void *data, const char *line)
{
    (void)line;
    ((char *)data)[0]++;
    atomic_fetch_add(&hook_calls, 1);
}

/* Under AddressSanitizer a later call would end the test. */
TEST(what_hooks_use_may_go_when_the_shutdown_is_over)
{
    hook_text = calloc(1, 16);
    lf_options options = to_file(harness_path);
    options.log = log_freed;
    options.log_data = hook_text;
    options.log_level = LF_LOG_DEBUG;
    CHECK_INT(lf_init(&options), LF_OK);
    observe_one();
    CHECK_INT(lf_shutdown(HARNESS_WAIT_MS), LF_OK);
    int calls = atomic_load(&hook_calls);
    CHECK(calls > 0);
    free(hook_text);
    CHECK_INT(lf_flush(10), LF_ERR_DISABLED);
    (void)lf_create_score(.name = "", .value = 1);
    CHECK_INT(atomic_load(&hook_calls), calls);
}

/* ---- Clients --------------------------------------------------------------------------------------------------------- */

static _Atomic int lines_of[2];

static void log_of(void *data, const char *line)
{
    (void)line;
    atomic_fetch_add(&lines_of[(intptr_t)data], 1);
}

TEST(each_client_has_a_log_and_a_level_of_its_own)
{
    lf_options options = to_file(harness_path), other = to_file(harness_path);
    options.log = other.log = log_of;
    other.log_data = (void *)1;
    options.debug = LF_ON;
    CHECK_INT(lf_init(&options), LF_OK);
    lf_client *client = lf_client_new(&other);
    int before = atomic_load(&lines_of[0]);
    observe_one();
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
    CHECK(atomic_load(&lines_of[0]) > before); /* a line for each request, still */
    before = atomic_load(&lines_of[0]);
    {
        OBSERVE_WITH((.name = "of the other", .client = client));
    }
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
    CHECK_INT(atomic_load(&lines_of[1]), 0);
    CHECK_INT(atomic_load(&lines_of[0]), before);
}

TEST(a_client_without_a_log_follows_the_default_one)
{
    lf_options options = to_file(harness_path), other = to_file(harness_path);
    options.log = log_of;
    other.log = NULL;
    other.debug = LF_ON;
    CHECK_INT(lf_init(&options), LF_OK);
    lf_client *client = lf_client_new(&other);
    CHECK_INT(lf_shutdown(HARNESS_WAIT_MS), LF_OK);
    int before = atomic_load(&lines_of[0]); /* what this hook used may be gone from here on */
    options.log_data = (void *)1;
    CHECK_INT(lf_init(&options), LF_OK);
    {
        OBSERVE_WITH((.name = "of the other", .client = client));
    }
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
    CHECK_INT(atomic_load(&lines_of[0]), before);
    CHECK(atomic_load(&lines_of[1]) > 0); /* the first export */
}

/* ---- Threads --------------------------------------------------------------------------------------------------------- */

static void *observe_in_a_thread(void *arg)
{
    sleep_ms(50);
    observe_one();
    return arg;
}

static void leave_main_to(void *(*body)(void *))
{
    pthread_t thread;
    start();
    observe_one();
    CHECK_INT(pthread_create(&thread, NULL, body, NULL), 0);
    CHECK_INT(pthread_detach(thread), 0);
    pthread_exit(NULL);
}

static void leave_main(void)
{
    leave_main_to(observe_in_a_thread);
}

static void leave_main_last(void)
{
    pthread_t thread;
    start();
    observe_one();
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
    CHECK_INT(pthread_create(&thread, NULL, observe_in_a_thread, NULL), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
    pthread_exit(NULL);
}

/* What cmocka holds by main's stack is lost with it, for a checker. */
static bool main_may_leave(const char *test)
{
    if (HARNESS_ASAN || HARNESS_TSAN || under_valgrind())
        harness_skip(test, "the checker takes what the main thread's stack held for lost");
    return !HARNESS_ASAN && !HARNESS_TSAN && !under_valgrind();
}

TEST(a_process_whose_main_thread_leaves_ends_with_its_last_thread)
{
    if (!main_may_leave("a_process_whose_main_thread_leaves_ends_with_its_last_thread"))
        return;
    CHECK_INT(end_of(leave_main), 0);
    read_spans(harness_path);
    CHECK_INT(span_count, 2);
    unlink(harness_path);
    CHECK_INT(end_of(leave_main_last), 0);
    harness_forget();
    read_spans(harness_path);
    CHECK_INT(span_count, 2);
}

static void leave_main_without_a_server(void)
{
    char url[64];
    (void)silent_server(url, sizeof url);
    lf_options options = to_server(url);
    options.exit_timeout_ms = STOP_MS;
    CHECK_INT(lf_init(&options), LF_OK);
    observe_one();
    pthread_exit(NULL);
}

TEST(it_does_so_where_no_server_answers)
{
    if (!main_may_leave("it_does_so_where_no_server_answers"))
        return;
    uint64_t before = now_ms();
    CHECK_INT(end_of(leave_main_without_a_server), 0);
    CHECK(now_ms() - before < LONG_MS);
}

static _Atomic bool signalled;

static void on_signal(int number)
{
    signalled = number == SIGTERM;
}

static void *observe_after_a_signal(void *arg)
{
    while (!signalled)
        sleep_ms(1);
    observe_one();
    return arg;
}

static void leave_main_and_die_of_signals(void)
{
    leave_main_to(observe_after_a_signal);
}

static void leave_main_and_handle_signals(void)
{
    CHECK(signal(SIGTERM, on_signal) != SIG_ERR);
    leave_main_to(observe_after_a_signal);
}

/* Has its main thread left, while others run? */
static bool main_has_left(pid_t process)
{
    char path[64], text[256] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)process);
    FILE *file = fopen(path, "r");
    bool left = file != NULL && fgets(text, sizeof text, file) != NULL && strstr(text, ") Z ") != NULL;
    if (file != NULL)
        fclose(file);
    return left;
}

static int end_by_a_signal_once_main_has_left(void (*body)(void))
{
    pid_t child = harness_fork(body);
    CHECK(child > 0);
    while (!main_has_left(child))
        sleep_ms(1);
    CHECK_INT(kill(child, SIGTERM), 0);
    return end_of_child(child);
}

TEST(signals_reach_a_process_whose_main_thread_has_left)
{
    if (!main_may_leave("signals_reach_a_process_whose_main_thread_has_left"))
        return;
    CHECK_INT(end_by_a_signal_once_main_has_left(leave_main_and_handle_signals), 0);
    read_spans(harness_path);
    CHECK_INT(span_count, 2);
    CHECK_INT(end_by_a_signal_once_main_has_left(leave_main_and_die_of_signals), -SIGTERM);
}

TEST(without_a_thread_what_ended_waits_for_one)
{
    if (getuid() != 0 || HARNESS_TSAN) {
        harness_skip("without_a_thread_what_ended_waits_for_one", "only root may become a user with no threads left");
        return;
    }
    enum { NOBODY = 61234 };
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NPROC, &limit) == 0);
    limit.rlim_cur = 1;
    CHECK(chmod(harness_folder, 0777) == 0);
    CHECK(setresuid(NOBODY, NOBODY, NOBODY) == 0 && setrlimit(RLIMIT_NPROC, &limit) == 0);
    lf_options options = to_file(harness_path);
    options.log = log_of;
    CHECK_INT(lf_init(&options), LF_ERR_MEMORY);
    observe_many(5);
    CHECK_INT(lf_flush(50), LF_ERR_MEMORY);
    CHECK_INT(stats_now().accepted, 5);
    CHECK_INT(stats_now().queued, 5);
    CHECK_INT(atomic_load(&lines_of[0]), 1);
    limit.rlim_cur = limit.rlim_max;
    CHECK(setrlimit(RLIMIT_NPROC, &limit) == 0);
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
    CHECK_INT(stats_now().delivered, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pipe_that_nobody_reads_does_not_hold_a_shutdown),
        cmocka_unit_test(a_pipe_that_nobody_empties_does_not_hold_a_shutdown),
        cmocka_unit_test(a_file_that_another_process_locks_does_not_hold_a_shutdown),
        cmocka_unit_test(a_slow_mask_hook_does_not_hold_a_shutdown),
        cmocka_unit_test(a_mask_hook_that_sleeps_for_long_does_not_either),
        cmocka_unit_test(no_hook_begins_once_a_shutdown_is_over),
        cmocka_unit_test(a_fork_does_not_wait_for_a_shutdown),
        cmocka_unit_test(a_prompt_does_not_wait_for_a_shutdown),
        cmocka_unit_test(a_client_does_not_wait_for_a_shutdown),
        cmocka_unit_test(a_start_overtakes_a_shutdown),
        cmocka_unit_test(hooks_may_fork_while_we_start_send_and_stop),
        cmocka_unit_test(hooks_may_exit),
        cmocka_unit_test(a_log_hook_that_sleeps_in_a_start_holds_no_observing_thread_for_long),
        cmocka_unit_test(a_log_hook_that_sleeps_in_a_start_holds_no_exit_either),
        cmocka_unit_test(what_hooks_use_may_go_when_the_shutdown_is_over),
        cmocka_unit_test(each_client_has_a_log_and_a_level_of_its_own),
        cmocka_unit_test(a_client_without_a_log_follows_the_default_one),
        cmocka_unit_test(a_process_whose_main_thread_leaves_ends_with_its_last_thread),
        cmocka_unit_test(it_does_so_where_no_server_answers),
        cmocka_unit_test(signals_reach_a_process_whose_main_thread_has_left),
        cmocka_unit_test(without_a_thread_what_ended_waits_for_one),
    };
    return cmocka_run_group_tests_name("life", tests, NULL, NULL);
}
