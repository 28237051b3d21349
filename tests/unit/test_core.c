/* The life of the library in a process, context across threads, updates and limits. */
#include "core_harness.h"

#include "../../src/deliver/worker.h"

#include <dirent.h>
#include <pthread.h>

/* ---- Functions to observe -------------------------------------------------------------------------------------------- */

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

/* ---- Starting and stopping ------------------------------------------------------------------------------------------- */

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

/* ---- Off ------------------------------------------------------------------------------------------------------------- */

static char last_line[1024];

static void keep_line(void *data, const char *line)
{
    atomic_fetch_add((_Atomic int *)data, 1);
    snprintf(last_line, sizeof last_line, "%s", line);
}

static int evaluations;

static NOINLINE int evaluated(int x)
{
    evaluations++;
    return x;
}

static NOINLINE int counting(int x)
{
    OBSERVE(evaluated(x));
    OBSERVE_OUTPUT(evaluated(x));
    OBSERVE_ERROR("never formatted %d", evaluated(x));
    lf_update_current_observation(.name = "x");
    lf_output_append("x", 1);
    OBSERVE_RETURN(evaluated(x));
}

TEST(without_keys_there_is_one_warning_and_then_silence)
{
    _Atomic int lines = 0;
    lf_options options = {LF_OPTIONS_INIT, .log = keep_line, .log_data = &lines};
    CHECK_INT(lf_init(&options), LF_ERR_DISABLED);
    CHECK_INT(atomic_load(&lines), 1);
    CHECK(strstr(last_line, "LANGFUSE_PUBLIC_KEY") != NULL && strstr(last_line, "LANGFUSE_SECRET_KEY") != NULL);
    for (int i = 0; i < 1000; i++)
        CHECK_INT(counting(i), i);
    CHECK_INT(evaluations, 1000); /* what is returned, and nothing else */
    CHECK_INT(lf_init(&options), LF_ERR_DISABLED);
    CHECK_INT(lf_flush(100), LF_ERR_DISABLED);
    CHECK_INT(lf_shutdown(100), LF_ERR_DISABLED);
    CHECK_INT(atomic_load(&lines), 1);
    lf_stats stats = stats_now(), none = {0};
    CHECK(memcmp(&stats, &none, sizeof stats) == 0);
    struct stat status;
    CHECK(stat("/proc/self/task", &status) == 0);
    if (!HARNESS_TSAN)
        CHECK_INT(status.st_nlink, 3); /* ".", ".." and one thread: ours was not started */
    start(); /* keys may come later */
    leaf();
    collect();
    CHECK_INT(span_count, 1);
}

TEST(the_lazy_start_without_keys_warns_once_on_stderr)
{
    char stderr_path[300];
    snprintf(stderr_path, sizeof stderr_path, "%s.stderr", harness_path);
    int before = dup(STDERR_FILENO);
    CHECK(freopen(stderr_path, "w", stderr) != NULL);
    for (int i = 0; i < 100; i++)
        add(i, 1);
    fflush(stderr);
    char text[2000] = "";
    FILE *file = fopen(stderr_path, "r");
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    dup2(before, STDERR_FILENO);
    text[size] = '\0';
    CHECK(size != 0 && strchr(text, '\n') == text + size - 1);
    CHECK(strncmp(text, "langfuse: LANGFUSE_PUBLIC_KEY", 29) == 0);
}

TEST(tracing_can_be_switched_off)
{
    _Atomic int lines = 0;
    setenv("LANGFUSE_TRACING_ENABLED", "false", 1);
    lf_options options = to_file(harness_path);
    options.log = keep_line;
    options.log_data = &lines;
    CHECK_INT(lf_init(&options), LF_ERR_DISABLED);
    CHECK_INT(counting(4), 4);
    CHECK_INT(evaluations, 1);
    CHECK_INT(lf_shutdown(100), LF_ERR_DISABLED);
    CHECK_INT(atomic_load(&lines), 0);
    CHECK(access(harness_path, F_OK) != 0);
}

static NOINLINE int captured_all_the_same(int x)
{
    OBSERVE_WITH((.capture_input = LF_ON, .capture_output = LF_ON), x);
    OBSERVE_RETURN(x);
}

static NOINLINE int said_by_hand(int x)
{
    OBSERVE(evaluated(x));
    OBSERVE_OUTPUT("by hand");
    OBSERVE_RETURN(x);
}

static void observe_without_capture(const char *off)
{
    setenv("LANGFUSE_OBSERVE_DECORATOR_IO_CAPTURE_ENABLED", off, 1);
    start();
    CHECK_INT(add(1, 2), 3);
    CHECK_INT(captured_all_the_same(7), 7);
    CHECK_INT(said_by_hand(8), 8);
    CHECK_INT(evaluations, 0);
    collect();
    CHECK_SAID(span_named("add"), "input", "");
    CHECK_SAID(span_named("add"), "output", "");
    CHECK_SAID(span_named("captured_all_the_same"), "input", "{\"x\":7}");
    CHECK_SAID(span_named("captured_all_the_same"), "output", "7");
    CHECK_SAID(span_named("said_by_hand"), "output", "by hand");
}

TEST(capture_can_be_switched_off_with_false)
{
    observe_without_capture("false");
}

TEST(capture_can_be_switched_off_with_0)
{
    observe_without_capture("0");
}

/* ---- Guest manners --------------------------------------------------------------------------------------------------- */

static bool read_status_line(const char *thread, const char *key, char *out, size_t size)
{
    char path[300], line[300];
    snprintf(path, sizeof path, "/proc/self/task/%s/status", thread);
    FILE *file = fopen(path, "r");
    bool found = false;
    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
        size_t length = strlen(key);
        found = strncmp(line, key, length) == 0;
        if (found)
            snprintf(out, size, "%s", line + length + strspn(line + length, " \t"));
    }
    if (file != NULL)
        fclose(file);
    out[strcspn(out, "\n")] = '\0';
    return found;
}

static int count_our_threads(char *out_blocked, size_t size)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/task");
    CHECK(folder != NULL);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char name[64] = "";
        if (!read_status_line(entry->d_name, "Name:", name, sizeof name) || strcmp(name, "langfuse") != 0)
            continue;
        CHECK(read_status_line(entry->d_name, "SigBlk:", out_blocked, size));
        count++;
    }
    closedir(folder);
    return count;
}

TEST(our_thread_is_named_and_takes_no_signals)
{
    char blocked[64] = "";
    start();
    leaf();
    collect();
    CHECK_INT(count_our_threads(blocked, sizeof blocked), 1);
    uint64_t mask = strtoull(blocked, NULL, 16);
    for (int number = 1; number <= SIGRTMAX; number++) {
        bool can_be_blocked = number != SIGKILL && number != SIGSTOP && (number < 32 || number >= SIGRTMIN);
        /* Under a checker some signals are its own. */
        if (can_be_blocked && !under_valgrind() && (mask >> (number - 1) & 1) == 0)
            harness_fail(__FILE__, __LINE__, "signal %d is not blocked: %s", number, blocked);
    }
    CHECK_INT(lf_shutdown(HARNESS_WAIT_MS), LF_OK);
    CHECK_INT(count_our_threads(blocked, sizeof blocked), 0);
}

TEST(no_signal_handler_is_installed_and_nothing_is_printed)
{
    struct sigaction before[65], after;
    sigset_t mask_before, mask_after;
    char stdout_path[300];
    for (int number = 1; number <= 64; number++)
        if (sigaction(number, NULL, &before[number]) != 0)
            before[number].sa_handler = SIG_ERR;
    pthread_sigmask(SIG_SETMASK, NULL, &mask_before);
    snprintf(stdout_path, sizeof stdout_path, "%s.stdout", harness_path);
    int saved = dup(STDOUT_FILENO);
    CHECK(freopen(stdout_path, "w", stdout) != NULL);

    char url[64];
    int server = silent_server(url, sizeof url);
    lf_options options = to_server(url);
    CHECK_INT(lf_init(&options), LF_OK); /* with libcurl and all */
    around_leaf();
    CHECK_INT(lf_flush(100), LF_ERR_TIMEOUT);

    for (int number = 1; number <= 64; number++)
        if (before[number].sa_handler != SIG_ERR && sigaction(number, NULL, &after) == 0)
            CHECK(after.sa_handler == before[number].sa_handler);
    pthread_sigmask(SIG_SETMASK, NULL, &mask_after);
    for (int number = 1; number <= 64; number++)
        CHECK_INT(sigismember(&mask_after, number), sigismember(&mask_before, number));
    CHECK_INT(lf_shutdown(0), LF_ERR_TIMEOUT);
    close(server);
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    struct stat status;
    CHECK(stat(stdout_path, &status) == 0);
    CHECK_INT(status.st_size, 0);
}

/* ---- Context --------------------------------------------------------------------------------------------------------- */

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

/* ---- Updates --------------------------------------------------------------------------------------------------------- */

static NOINLINE void updates_around(void)
{
    OBSERVE();
    lf_update_current_observation(.model = "one", .metadata = LF_OBJECT("a", 1, "b", 1));
    leaf();
    lf_update_current_observation(.model = "two", .metadata = LF_OBJECT("b", 2, "c", "three"));
    around_leaf();
    lf_update_current_observation(.status_message = "late", .level = LF_LEVEL_WARNING, .usage_details = LF_OBJECT("input", 5));
    OBSERVE_OUTPUT("first");
    leaf();
    OBSERVE_OUTPUT("second");
}

TEST(updates_merge_also_after_inner_ones_ended)
{
    start();
    updates_around();
    collect();
    const cJSON *span = span_named("updates_around");
    CHECK_SAID(span, "model.name", "two");
    CHECK_SAID(span, "metadata.a", "1");
    CHECK_SAID(span, "metadata.b", "2");
    CHECK_SAID(span, "metadata.c", "three");
    CHECK_SAID(span, "status_message", "late");
    CHECK_SAID(span, "level", "WARNING");
    CHECK_SAID(span, "usage_details", "{\"input\":5}");
    CHECK_SAID(span, "output", "second");
    for (size_t i = 0; i < 2; i++)
        CHECK_CHILD(nth_named("leaf", i == 0 ? 0 : 2), span);
    CHECK_CHILD(span_named("around_leaf"), span);
}

static NOINLINE int level_three(void)
{
    OBSERVE();
    OBSERVE_RETURN(3);
}

static NOINLINE int level_two(void)
{
    OBSERVE();
    int below = level_three();
    OBSERVE_RETURN(below * 10 + 2);
}

static NOINLINE int level_one(void)
{
    OBSERVE();
    level_two();
    level_three();
    {
        OBSERVE_WITH((.name = "block"));
        OBSERVE_OUTPUT("of the block");
    }
    OBSERVE_RETURN(1);
}

TEST(a_returned_value_lands_at_its_own_level)
{
    start();
    CHECK_INT(level_one(), 1);
    collect();
    CHECK_SAID(span_named("level_one"), "output", "1");
    CHECK_SAID(span_named("level_two"), "output", "32");
    CHECK_SAID(nth_named("level_three", 0), "output", "3");
    CHECK_SAID(nth_named("level_three", 1), "output", "3");
    CHECK_SAID(span_named("block"), "output", "of the block");
}

static int sum_of_ten(int a, int b, int c, int d, int e, int f, int g, int h, int i, int j);
static NOINLINE int sum_of_ten(int a, int b, int c, int d, int e, int f, int g, int h, int i, int j)
{
    OBSERVE(a, j);
    OBSERVE_RETURN(a + b + c + d + e + f + g + h + i + j);
}

/* The machine stack grows and shrinks inside a function: alloca, arrays of a length known at run time, arguments passed in
 * memory. None of it may look like a longjmp. */
static NOINLINE int moves_its_stack(int n)
{
    int sum = sum_of_ten(1, 2, 3, 4, 5, 6, 7, 8, 9, n);
    OBSERVE(n);
    {
        volatile char room[n];
        room[0] = 1;
        OBSERVE_WITH((.name = "with array"));
        sum += sum_of_ten(1, 2, 3, 4, 5, 6, 7, 8, 9, room[0]);
    }
    volatile char *room = __builtin_alloca((size_t)n);
    room[0] = 2;
    sum += sum_of_ten(1, 2, 3, 4, 5, 6, 7, 8, 9, room[0]);
    OBSERVE_OUTPUT(sum);
    return sum + sum_of_ten(1, 2, 3, 4, 5, 6, 7, 8, 9, n);
}

TEST(a_function_may_move_its_machine_stack)
{
    start();
    moves_its_stack(5000);
    collect();
    const cJSON *outer = span_named("moves_its_stack"), *block = span_named("with array");
    CHECK_INT(span_count, 6);
    CHECK_SAID(outer, "metadata.incomplete", "");
    CHECK_SAID(block, "metadata.incomplete", "");
    CHECK_SAID(outer, "output", "5138");
    CHECK_ROOT(nth_named("sum_of_ten", 0));
    CHECK_CHILD(block, outer);
    CHECK_CHILD(nth_named("sum_of_ten", 1), block);
    CHECK_CHILD(nth_named("sum_of_ten", 2), outer);
    CHECK_CHILD(nth_named("sum_of_ten", 3), outer);
    CHECK_INT(stats_now().misused, 0);
}

static NOINLINE void streams(void)
{
    OBSERVE_GENERATION();
    lf_output_append("Hel", 3);
    lf_output_append("lo, ", 4);
    leaf(); /* between pieces */
    lf_output_append("w\xc3", 2);
    lf_output_append("\xb6rld", 4); /* a letter may be cut in two */
    lf_output_append(NULL, 5);
    lf_output_append("", 0);
}

TEST(streamed_pieces_are_joined_and_the_first_is_stamped)
{
    start();
    streams();
    collect();
    const cJSON *span = span_named("streams");
    CHECK_SAID(span, "output", "Hello, w\xc3\xb6rld");
    const char *stamp = said(span, "completion_start_time");
    CHECK(strlen(stamp) > 10 && memchr(stamp, 'T', 20) != NULL);
    CHECK_CHILD(span_named("leaf"), span);
}

static NOINLINE void streams_slowly(void)
{
    OBSERVE();
    lf_output_append("a", 1);
    sleep_ms(30);
    lf_output_append("b", 1);
}

static int64_t nanoseconds_of(const cJSON *span, const char *key)
{
    return strtoll(text_of(span, key), NULL, 10);
}

TEST(only_the_first_piece_is_stamped)
{
    start();
    streams_slowly();
    collect();
    const cJSON *span = span_named("streams_slowly");
    CHECK_SAID(span, "output", "ab");
    /* The stamp is a time text with fractions; in it the first piece lies at the start, 30 ms before the end. */
    const char *first_stamp = said(span, "completion_start_time");
    const char *point = strchr(first_stamp, '.');
    CHECK(point != NULL);
    int64_t start_ns = nanoseconds_of(span, "startTimeUnixNano"), end_ns = nanoseconds_of(span, "endTimeUnixNano");
    CHECK(end_ns - start_ns >= 30000000);
    struct tm parts = {0};
    CHECK(strptime(first_stamp + (first_stamp[0] == '"'), "%Y-%m-%dT%H:%M:%S", &parts) != NULL);
    int64_t stamp_ns = (int64_t)timegm(&parts) * 1000000000 + (int64_t)(strtod(point, NULL) * 1e9);
    CHECK(stamp_ns >= start_ns - 1000000);
    CHECK(stamp_ns <= end_ns - 29000000);
}

TEST(an_update_without_an_open_observation_does_nothing)
{
    start();
    leaf();
    lf_update_current_observation(.name = "nobody", .output = LF_VALUE("x"));
    OBSERVE_OUTPUT("x");
    OBSERVE_ERROR("x");
    lf_output_append("x", 1);
    lf_update_current_observation_with(NULL);
    collect();
    CHECK_INT(span_count, 1);
    CHECK_SAID(span_named("leaf"), "output", "");
    CHECK_SAID(span_named("leaf"), "level", "");
}

/* ---- Limits ---------------------------------------------------------------------------------------------------------- */

static char *long_text(size_t size)
{
    char *text = malloc(size + 1);
    CHECK(text != NULL);
    memset(text, 'x', size);
    text[size] = '\0';
    return text;
}

static NOINLINE void takes_much(const char *text)
{
    OBSERVE(text);
    OBSERVE_OUTPUT("the output has a place, too");
}

TEST(an_argument_of_ten_megabytes_is_shortened)
{
    start();
    char *text = long_text(10 << 20);
    takes_much(text);
    free(text);
    collect();
    const cJSON *span = span_named("takes_much");
    size_t size = strlen(said(span, "input"));
    CHECK(size > 400000 && size <= 1000000);
    CHECK_SAID(span, "output", "the output has a place, too");
}

TEST(a_failed_allocation_leaves_errno_alone)
{
    if (HARNESS_ASAN || HARNESS_TSAN) {
        harness_skip("a failed allocation", "the checker ends the process instead");
        return;
    }
    volatile size_t too_much = SIZE_MAX / 2;
    errno = 77;
    CHECK(lf__alloc(too_much) == NULL);
    CHECK_INT(errno, 77);
    CHECK(lf__realloc(NULL, too_much) == NULL);
    CHECK_INT(errno, 77);
}

static NOINLINE void updates_much(const char *text)
{
    OBSERVE(1);
    leaf();
    lf_update_current_observation(.name = "renamed", .output = lf_text(text));
    lf_update_current_observation(.status_message = text);
}

static NOINLINE void appends_much(const char *text, size_t size)
{
    OBSERVE();
    for (int i = 0; i < 100; i++)
        lf_output_append(text, size);
}

TEST(an_update_that_is_too_large_is_shortened_not_dropped)
{
    lf_options options = to_file(harness_path);
    options.max_event_bytes = 10000;
    CHECK_INT(lf_init(&options), LF_OK);
    char *text = long_text(50000);
    updates_much(text);
    appends_much(text, 1000);
    free(text);
    collect();
    const cJSON *span = span_named("renamed");
    size_t size = strlen(said(span, "output"));
    CHECK(size > 5000 && size <= 10000);
    size_t joined = strlen(said(span_named("appends_much"), "output"));
    CHECK(joined > 5000 && joined <= 10000);
    CHECK_INT(stats_now().dropped_total, 0);
    CHECK_INT(stats_now().delivered, 3);
}

static NOINLINE void appends_what_recv_said(void)
{
    OBSERVE_GENERATION();
    lf_output_append("abc", 3);
    lf_output_append("def", (size_t)-1);
    lf_output_append("def", SIZE_MAX - 8);
    lf_output_append("ghi", 3);
}

static NOINLINE void appends_nothing_but_an_error(void)
{
    OBSERVE_GENERATION();
    lf_output_append("abc", (size_t)-1);
    lf_update_current_observation(.metadata = lf_strn("abc", (size_t)-1), .level = LF_LEVEL_DEBUG);
}

TEST(a_size_that_is_an_error_code_is_not_read)
{
    start();
    appends_what_recv_said();
    appends_nothing_but_an_error();
    lf_observation *handle = lf_start_observation(.name = "handle", .input = lf_jsonn("[]", (size_t)-1));
    lf_observation_output_append(handle, "abc", 3);
    lf_observation_output_append(handle, "abc", (size_t)-1);
    lf_observation_end(handle);
    collect();
    CHECK_TEXT(said(span_named("appends_what_recv_said"), "output"), "abcghi");
    CHECK_TEXT(said(span_named("handle"), "output"), "abc");
    CHECK_TEXT(said(span_named("handle"), "input"), "");
    const cJSON *span = span_named("appends_nothing_but_an_error");
    CHECK_TEXT(said(span, "level"), "DEBUG");
    CHECK_TEXT(said(span, "completion_start_time"), "");
    CHECK_TEXT(said(span, "output"), "");
    CHECK_INT(stats_now().misused, 6);
    CHECK_INT(stats_now().left_out, 0);
}

static NOINLINE void names_much(const char *text)
{
    OBSERVE_ATTRIBUTES(.user_id = text, .tags = LF_TAGS(text), .metadata = LF_OBJECT("key", text));
    OBSERVE_WITH((.name = text, .trace_id = text, .parent_observation_id = text), text, text);
    OBSERVE_OUTPUT(text);
}

/* Whatever is long of it, the whole keeps to the limit; and an id is there as it is, or not at all. */
TEST(an_observation_keeps_to_its_limit_whatever_is_long)
{
    enum { SHORTEST = 100, LONGEST = 3000, STEP = 50, LIMIT = 2048 };
    lf_options options = to_file(harness_path);
    options.max_event_bytes = LIMIT;
    CHECK_INT(lf_init(&options), LF_OK);
    for (size_t size = SHORTEST; size < LONGEST; size += STEP) {
        char *text = long_text(size);
        names_much(text);
        free(text);
    }
    collect();
    CHECK_INT(span_count, (LONGEST - SHORTEST) / STEP);
    for (size_t i = 0; i < span_count; i++) {
        const char *id = attribute_of(spans[i], "langfuse.trace.metadata.external_trace_id");
        size_t size = SHORTEST + i * STEP;
        CHECK(id[0] == '\0' || strlen(id) == size);
        CHECK((id[0] != '\0') == (size <= LIMIT * 3 / 4 - 80));
        CHECK(strlen(id) + strlen(name_of(spans[i])) + strlen(said(spans[i], "input")) + strlen(said(spans[i], "output")) <
              LIMIT + 100);
    }
}

enum { DEPTH_TEXT = 100000, DEPTH_MAX = 100000, TOO_DEEP = 5 };

/* Open observations until the memory for open ones has no room, the first ones with much input. Then run `inside`, with
 * scopes of this function around it, and close them. Returns how many fitted. */
static NOINLINE int while_full(void (*inside)(void))
{
    static lf_scope scopes[DEPTH_MAX];
    static lf_site large = A_SITE("large", "text", 1), small = A_SITE("small", "", 0);
    char *text = long_text(DEPTH_TEXT);
    lf_value argument = lf_text(text);
    int depth = 0;
    for (; depth < (16 << 20) / DEPTH_TEXT - 3; depth++)
        OPEN_SCOPE(&scopes[depth], &large, &argument);
    free(text);
    for (; depth < DEPTH_MAX; depth++) {
        OPEN_SCOPE(&scopes[depth], &small, NULL);
        if (stats_now().dropped[LF_DROP_TOO_DEEP] != 0)
            break;
    }
    lf_i_scope_end(&scopes[depth]);
    CHECK(depth < DEPTH_MAX);
    CHECK_INT(stats_now().dropped[LF_DROP_TOO_DEEP], 1);
    CHECK_INT(stats_now().open, depth);
    inside();
    for (int i = depth; i-- > 0;)
        lf_i_scope_end(&scopes[i]);
    CHECK_INT(stats_now().open, 0);
    CHECK_INT(stats_now().misused, 0);
    return depth;
}

static NOINLINE void collect_with_loss(void)
{
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_ERR_LOST);
    read_spans(harness_path);
}

static char innermost[LF_OBSERVATION_ID_SIZE];

static void four_more(void)
{
    around_leaf();
    around_leaf();
    CHECK(lf_current_observation_id(innermost));
}

TEST(what_is_too_deep_is_counted_and_what_lies_below_stays_right)
{
    start();
    int depth = while_full(four_more);
    leaf();
    collect_with_loss();
    lf_stats stats = stats_now();
    CHECK_INT(stats.accepted, depth + TOO_DEEP + 1);
    CHECK_INT(stats.delivered, depth + 1);
    CHECK_INT(stats.dropped[LF_DROP_TOO_DEEP], TOO_DEEP);
    CHECK_INT(stats.dropped_total, TOO_DEEP);
    CHECK_INT(span_count, depth + 1);
    CHECK_TEXT(id_of(spans[0]), innermost);
    for (int i = 0; i + 1 < depth; i++)
        CHECK_CHILD(spans[i], spans[i + 1]);
    for (int i = 0; i < depth; i++)
        CHECK_SAID(spans[i], "metadata.incomplete", "");
    CHECK_ROOT(spans[depth - 1]);
    CHECK_ROOT(span_named("leaf"));
}

static NOINLINE void starts_without_room(void)
{
    OBSERVE();
    CHECK(lf_start_observation(.name = "x") == NULL);
    CHECK(lf_create_event(.name = "x") == NULL);
    lf_update_current_trace(.name = "x"); /* no observation */
}

TEST(a_handle_that_finds_no_room_is_counted)
{
    start();
    int depth = while_full(starts_without_room);
    collect_with_loss();
    CHECK_INT(stats_now().dropped[LF_DROP_TOO_DEEP], 1 + 3);
    CHECK_INT(stats_now().accepted, depth + 1 + 3);
    CHECK_INT(stats_now().delivered, depth);
}

TEST(what_is_sampled_out_is_never_too_deep)
{
    enum { MANY = 2 * DEPTH_MAX };
    static lf_scope scopes[MANY];
    static lf_site site = A_SITE("small", "", 0);
    lf_options options = to_file(harness_path);
    options.sample_rate = LF_SAMPLE_NONE;
    CHECK_INT(lf_init(&options), LF_OK);
    for (int i = 0; i < MANY; i++)
        OPEN_SCOPE(&scopes[i], &site, NULL);
    CHECK(lf_start_observation(.name = "x") == NULL);
    for (int i = MANY; i-- > 0;)
        lf_i_scope_end(&scopes[i]);
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
    CHECK_INT(stats_now().accepted, 0);
    CHECK_INT(stats_now().dropped_total, 0);
    CHECK_INT(stats_now().open, 0);
}

static NOINLINE void says_too_deep_things(void)
{
    OBSERVE();
    OBSERVE_OUTPUT("x");
    lf_update_current_observation(.name = "x");
    OBSERVE_ERROR("x");
}

static NOINLINE void says_them_deeper(void)
{
    OBSERVE();
    says_too_deep_things();
    OBSERVE_OUTPUT("x");
}

static void say_too_deep_things(void)
{
    says_too_deep_things();
    says_them_deeper();
}

TEST(what_is_said_of_one_that_is_too_deep_lands_nowhere_else)
{
    start();
    int depth = while_full(say_too_deep_things);
    collect_with_loss();
    CHECK_INT(span_count, depth);
    for (size_t i = 0; i < span_count; i++) {
        CHECK_SAID(spans[i], "output", "");
        CHECK_SAID(spans[i], "level", "");
        CHECK(strcmp(name_of(spans[i]), "x") != 0);
    }
}

static lf_context *deep_context;

static void attach_too_deep(void)
{
    char before[LF_OBSERVATION_ID_SIZE], after[LF_OBSERVATION_ID_SIZE];
    CHECK(lf_current_observation_id(before));
    {
        OBSERVE_CONTEXT(deep_context);
        leaf();
    }
    CHECK(lf_current_observation_id(after));
    CHECK_TEXT(after, before);
}

TEST(a_context_that_does_not_fit_ends_nothing)
{
    start();
    deep_context = open_and_copy();
    int depth = while_full(attach_too_deep);
    lf_context_free(deep_context);
    collect_with_loss();
    CHECK_INT(span_count, depth + 1);
    CHECK_INT(stats_now().dropped_total, 2);
}

/* ---- The ceiling ----------------------------------------------------------------------------------------------------- */

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
        cmocka_unit_test(without_keys_there_is_one_warning_and_then_silence),
        cmocka_unit_test(the_lazy_start_without_keys_warns_once_on_stderr),
        cmocka_unit_test(tracing_can_be_switched_off),
        cmocka_unit_test(capture_can_be_switched_off_with_false),
        cmocka_unit_test(capture_can_be_switched_off_with_0),
        cmocka_unit_test(our_thread_is_named_and_takes_no_signals),
        cmocka_unit_test(no_signal_handler_is_installed_and_nothing_is_printed),
        cmocka_unit_test(a_copied_context_outlives_its_observation),
        cmocka_unit_test(without_an_open_observation_there_is_no_context),
        cmocka_unit_test(runs_in_contexts_nest),
        cmocka_unit_test(an_update_in_an_attached_context_changes_nothing),
        cmocka_unit_test(one_context_runs_in_many_threads_at_once),
        cmocka_unit_test(a_created_thread_carries_the_context_its_argument_and_its_result),
        cmocka_unit_test(what_pthread_create_says_is_passed_on),
        cmocka_unit_test(updates_merge_also_after_inner_ones_ended),
        cmocka_unit_test(a_returned_value_lands_at_its_own_level),
        cmocka_unit_test(a_function_may_move_its_machine_stack),
        cmocka_unit_test(streamed_pieces_are_joined_and_the_first_is_stamped),
        cmocka_unit_test(only_the_first_piece_is_stamped),
        cmocka_unit_test(an_update_without_an_open_observation_does_nothing),
        cmocka_unit_test(an_argument_of_ten_megabytes_is_shortened),
        cmocka_unit_test(a_failed_allocation_leaves_errno_alone),
        cmocka_unit_test(an_update_that_is_too_large_is_shortened_not_dropped),
        cmocka_unit_test(a_size_that_is_an_error_code_is_not_read),
        cmocka_unit_test(an_observation_keeps_to_its_limit_whatever_is_long),
        cmocka_unit_test(a_handle_that_finds_no_room_is_counted),
        cmocka_unit_test(what_is_sampled_out_is_never_too_deep),
        cmocka_unit_test(what_is_too_deep_is_counted_and_what_lies_below_stays_right),
        cmocka_unit_test(what_is_said_of_one_that_is_too_deep_lands_nowhere_else),
        cmocka_unit_test(a_context_that_does_not_fit_ends_nothing),
        cmocka_unit_test(a_full_queue_lets_go_of_whole_traces_oldest_first),
        cmocka_unit_test(a_ceiling_below_that_of_the_batches_lets_go_of_the_oldest_too),
        cmocka_unit_test(many_threads_at_the_ceiling_account_for_everything),
    };
    return cmocka_run_group_tests_name("core", tests, NULL, NULL);
}
