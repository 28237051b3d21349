/* The ways out that run no end of a scope: exit, the end of a thread, cancellation, longjmp, another stack, fork. */
#include "core_harness.h"

#include "../../src/deliver/worker.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <ucontext.h>

static const char *program;

/* ---- Functions to observe -------------------------------------------------------------------------------------------- */

static NOINLINE void leaf(void)
{
    OBSERVE();
}

static NOINLINE void nest(int depth, void (*innermost)(void))
{
    OBSERVE_WITH((.name = depth == 0 ? "inner" : depth == 1 ? "middle" : "outer"), depth);
    if (depth == 0)
        innermost();
    else
        nest(depth - 1, innermost);
}

/* Called where the innermost of three scopes, outer, middle and inner, is open. */
static void in_three_scopes(void (*innermost)(void))
{
    nest(2, innermost);
}

static void check_three(const char *how)
{
    const cJSON *outer = span_named("outer"), *middle = span_named("middle"), *inner = span_named("inner");
    CHECK_ROOT(outer);
    CHECK_CHILD(middle, outer);
    CHECK_CHILD(inner, middle);
    CHECK_SAID(outer, "metadata.incomplete", how);
    CHECK_SAID(middle, "metadata.incomplete", how);
    CHECK_SAID(inner, "metadata.incomplete", how);
    CHECK_SAID(inner, "level", how[0] == '\0' ? "" : "WARNING");
}

/* ---- The end of the process ------------------------------------------------------------------------------------------ */

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

/* ---- Exit handlers --------------------------------------------------------------------------------------------------- */

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

/* ---- The end of a thread --------------------------------------------------------------------------------------------- */

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

/* ---- longjmp --------------------------------------------------------------------------------------------------------- */

static jmp_buf target;

static void jump(void)
{
    longjmp(target, 1);
}

static NOINLINE void catches(void (*innermost)(void))
{
    OBSERVE();
    if (setjmp(target) == 0)
        in_three_scopes(innermost);
    OBSERVE_OUTPUT("caught"); /* notices that three scopes are gone */
    leaf();
}

static NOINLINE void jumps_over_one(void)
{
    OBSERVE();
    jump();
}

static NOINLINE void catches_one(void)
{
    OBSERVE();
    if (setjmp(target) == 0)
        jumps_over_one();
    OBSERVE_OUTPUT("caught");
    leaf();
}

TEST(a_scope_skipped_by_longjmp_is_closed_and_marked)
{
    start();
    catches_one();
    collect();
    const cJSON *catcher = span_named("catches_one"), *skipped = span_named("jumps_over_one");
    CHECK_SAID(skipped, "metadata.incomplete", "abandoned");
    CHECK_SAID(skipped, "output", "");
    CHECK_CHILD(skipped, catcher);
    CHECK_SAID(catcher, "output", "caught");
    CHECK_SAID(catcher, "metadata.incomplete", "");
    CHECK_CHILD(span_named("leaf"), catcher);
    CHECK_INT(stats_now().misused, 0);
}

TEST(many_scopes_skipped_at_once_are_closed_and_marked)
{
    start();
    catches(jump);
    collect();
    const cJSON *catcher = span_named("catches");
    CHECK_CHILD(span_named("outer"), catcher);
    CHECK_CHILD(span_named("inner"), span_named("middle"));
    CHECK_SAID(span_named("outer"), "metadata.incomplete", "abandoned");
    CHECK_SAID(span_named("inner"), "metadata.incomplete", "abandoned");
    CHECK_SAID(catcher, "metadata.incomplete", "");
    CHECK_CHILD(span_named("leaf"), catcher);
    CHECK_INT(span_count, 5);
}

/* Not seen through by the compiler, which would take this for a recursion without end. */
static void (*volatile jump_now)(void) = jump;

static NOINLINE void goes_deep(int depth)
{
    OBSERVE(depth);
    if (depth > 0)
        goes_deep(depth - 1);
    else
        jump_now();
}

static NOINLINE void tries_again(int times, int depth)
{
    OBSERVE();
    for (volatile int i = 0; i < times; i++) {
        if (setjmp(target) == 0)
            goes_deep(depth);
        OBSERVE_OUTPUT(i);
    }
}

TEST(jumping_out_again_and_again_leaves_nothing_behind)
{
    enum { TIMES = 50, DEPTH = 100 };
    start();
    tries_again(TIMES, DEPTH);
    CHECK_INT(stats_now().open, 0);
    leaf();
    collect();
    CHECK_INT(count_named("goes_deep"), TIMES * (DEPTH + 1));
    CHECK_SAID(span_named("tries_again"), "output", "49");
    CHECK_ROOT(span_named("leaf"));
    size_t children = 0;
    for (size_t i = 0; i < span_count; i++)
        children += strcmp(parent_of(spans[i]), id_of(span_named("tries_again"))) == 0;
    CHECK_INT(children, TIMES);
}

static void *end_a_scope_of_another(void *scope)
{
    leaf();
    lf_i_scope_end(scope);
    return NULL;
}

TEST(a_scope_ended_on_another_thread_is_counted_as_misused)
{
    start();
    {
        static lf_site site = A_SITE("here", "", 0);
        lf_scope scope;
        OPEN_SCOPE(&scope, &site, NULL);
        pthread_t thread;
        CHECK_INT(pthread_create(&thread, NULL, end_a_scope_of_another, &scope), 0);
        CHECK_INT(pthread_join(thread, NULL), 0);
        CHECK_INT(stats_now().misused, 1);
        CHECK_INT(stats_now().open, 1);
        lf_i_scope_end(&scope);
        CHECK_INT(stats_now().open, 0);
        lf_i_scope_end(&scope); /* twice */
        CHECK_INT(stats_now().misused, 2);
    }
    collect();
    CHECK_INT(span_count, 2);
    CHECK_SAID(span_named("here"), "metadata.incomplete", "");
}

/* ---- Other stacks ---------------------------------------------------------------------------------------------------- */

static ucontext_t main_context, coroutine_context;
static _Alignas(64) char coroutine_stack[256 << 10];

static void yield_to_main(void)
{
    swapcontext(&coroutine_context, &main_context);
}

static void coroutine(void)
{
    in_three_scopes(yield_to_main);
}

static NOINLINE void runs_coroutine(void)
{
    OBSERVE();
    getcontext(&coroutine_context);
    coroutine_context.uc_stack.ss_sp = coroutine_stack;
    coroutine_context.uc_stack.ss_size = sizeof coroutine_stack;
    coroutine_context.uc_link = &main_context;
    makecontext(&coroutine_context, coroutine, 0);
    swapcontext(&main_context, &coroutine_context);
    leaf(); /* below it in time, not in call: it hangs where the thread's stack of open ones ends */
    swapcontext(&main_context, &coroutine_context);
}

TEST(a_coroutine_with_a_stack_of_its_own_breaks_nothing)
{
    start();
    for (int i = 0; i < 100; i++)
        runs_coroutine();
    leaf();
    CHECK_INT(stats_now().open, 0);
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
    CHECK_INT(stats_now().accepted, 501);
    CHECK_INT(stats_now().delivered, 501);
    read_spans(harness_path);
    CHECK_INT(count_different_ids(), 501);
    CHECK_ROOT(nth_named("leaf", 100));
    for (size_t i = 0; i < 100; i++)
        CHECK_ROOT(nth_named("runs_coroutine", i));
}

static _Alignas(64) char signal_stack[256 << 10];
static volatile sig_atomic_t handled;

static void on_signal(int number)
{
    (void)number;
    handled++;
}

static void raise_it(void)
{
    raise(SIGUSR1);
}

TEST(a_handler_on_its_own_stack_breaks_nothing)
{
    start();
    stack_t stack = {.ss_sp = signal_stack, .ss_size = sizeof signal_stack};
    CHECK(sigaltstack(&stack, NULL) == 0);
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    for (int i = 0; i < 100; i++)
        in_three_scopes(raise_it);
    CHECK_INT(handled, 100);
    collect();
    CHECK_INT(span_count, 300);
    for (size_t i = 0; i < 300; i++)
        CHECK_SAID(spans[i], "metadata.incomplete", "");
}

/* ---- fork ------------------------------------------------------------------------------------------------------------ */

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
        cmocka_unit_test(what_a_thread_leaves_open_is_closed_and_marked),
        cmocka_unit_test(a_cancelled_thread_leaves_nothing_open),
        cmocka_unit_test(short_threads_use_the_same_memory_again),
        cmocka_unit_test(a_thread_may_observe_in_the_destructors_of_other_keys),
        cmocka_unit_test(a_scope_skipped_by_longjmp_is_closed_and_marked),
        cmocka_unit_test(many_scopes_skipped_at_once_are_closed_and_marked),
        cmocka_unit_test(jumping_out_again_and_again_leaves_nothing_behind),
        cmocka_unit_test(a_scope_ended_on_another_thread_is_counted_as_misused),
        cmocka_unit_test(a_coroutine_with_a_stack_of_its_own_breaks_nothing),
        cmocka_unit_test(a_handler_on_its_own_stack_breaks_nothing),
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
    return cmocka_run_group_tests_name("core exits", tests, NULL, NULL);
}
