/* Scopes that are left otherwise than by a return: longjmp, coroutines, handlers of signals. */
#include "three_scopes.h"

#include <pthread.h>
#include <ucontext.h>

/* ---- longjmp ---- */

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

/* ---- Other stacks ---- */

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_scope_skipped_by_longjmp_is_closed_and_marked),
        cmocka_unit_test(many_scopes_skipped_at_once_are_closed_and_marked),
        cmocka_unit_test(jumping_out_again_and_again_leaves_nothing_behind),
        cmocka_unit_test(a_scope_ended_on_another_thread_is_counted_as_misused),
        cmocka_unit_test(a_coroutine_with_a_stack_of_its_own_breaks_nothing),
        cmocka_unit_test(a_handler_on_its_own_stack_breaks_nothing),
    };
    return cmocka_run_group_tests_name("core: jumps", tests, NULL, NULL);
}
