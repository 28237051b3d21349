/* Scopes that are left by longjmp: caught with and without OBSERVE_CAUGHT, in the function that opens them, in its callers, by
 * different functions, on other stacks. Beside them scopes of the same functions that stay open.
 */
#define _GNU_SOURCE
#include "portable.h"

#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#ifdef __GLIBC__
#include <ucontext.h>
#endif

enum { STACK_BYTES = 512 << 10 };

static jmp_buf target;

static NOINLINE void fails(int i)
{
    OBSERVE_TOOL(i);
    if (i % 3 != 0)
        longjmp(target, 1);
}

static NOINLINE void fails_in_a_large_frame(int i)
{
    char text[2000];
    OBSERVE_TOOL(i);
    snprintf(text, sizeof text, "%d", i);
    fails(text[0]);
}

/* A retry loop, the scopes and the catch in one function. */
static NOINLINE void retries(int count)
{
    OBSERVE(count);
    for (volatile int i = 0; i < count; i++) {
        if (setjmp(target) == 0) {
            OBSERVE_CHAIN(i);
            fails(i);
        } else {
            OBSERVE_ERROR("attempt %d", i);
        }
    }
    OBSERVE_OUTPUT("retries are over");
}

static NOINLINE void retries_and_says_so(int count)
{
    OBSERVE(count);
    for (volatile int i = 0; i < count; i++) {
        OBSERVE_WITH((.name = "turn"), i);
        OBSERVE_ATTRIBUTES(.user_id = "u");
        if (setjmp(target) == 0) {
            OBSERVE_CHAIN(i);
            fails_in_a_large_frame(i);
        } else {
            OBSERVE_CAUGHT();
            OBSERVE_OUTPUT("caught");
        }
    }
}

/* The loop of a server, without a scope of its own; different functions fail. */
static NOINLINE void serves(int count)
{
    for (volatile int i = 0; i < count; i++) {
        if (setjmp(target) == 0) {
            OBSERVE_WITH((.name = "request"), i);
            if (i % 2 == 0)
                fails(i + 1);
            else
                fails_in_a_large_frame(i);
        } else {
            OBSERVE_CAUGHT();
            OBSERVE_WITH((.name = "clean up"), i);
        }
    }
}

static NOINLINE void jumps_from_below(int depth)
{
    OBSERVE(depth);
    if (depth < 0)
        return; /* never, which no compiler can know */
    if (depth == 0)
        longjmp(target, 1);
    jumps_from_below(depth - 1);
}

static NOINLINE int catches_from_far_below(void)
{
    OBSERVE();
    if (setjmp(target) == 0)
        jumps_from_below(5);
    OBSERVE_RETURN(7);
}

/* Inlined into what catches, which has no scope, or one in its caller. */
static inline int parses(const char *text)
{
    OBSERVE_TOOL(text);
    if (text[0] == '\0')
        longjmp(target, 1);
    OBSERVE_RETURN(text[0]);
}

static NOINLINE int parses_or_not(const char *text)
{
    if (setjmp(target) != 0) {
        OBSERVE_CAUGHT();
        OBSERVE_ERROR("not parsed");
        return 0;
    }
    return parses(text);
}

static NOINLINE int parses_both(void)
{
    OBSERVE();
    int result = parses_or_not("a") + parses_or_not("");
    OBSERVE_RETURN(result);
}

/* Memory that comes and goes on the stack, before the jump and where it lands. */
static NOINLINE void uses(char *bytes, size_t size)
{
    memset(bytes, 1, size);
    __asm__ volatile("" : : "r"(bytes) : "memory");
}

static NOINLINE void catches_below_an_array(size_t size)
{
    if (setjmp(target) == 0) {
        OBSERVE_WITH((.name = "block"));
        fails(1);
    } else {
        char array[size];
        uses(array, size);
        OBSERVE_CAUGHT();
        OBSERVE_WITH((.name = "below an array"));
    }
}

static NOINLINE void catches_between_arrays(size_t size)
{
    OBSERVE();
    char before[size];
    uses(before, size);
    if (setjmp(target) == 0) {
        OBSERVE_WITH((.name = "block"));
        fails(1);
    } else {
        char after[size];
        uses(after, size);
        OBSERVE_CAUGHT();
        OBSERVE_WITH((.name = "between arrays"));
    }
}

/* One line has two scopes and the catch between them. */
#define STEP(name_of_step)            \
    OBSERVE();                        \
    if (setjmp(target) != 0) {        \
        OBSERVE_CAUGHT();             \
        OBSERVE_ERROR("step failed"); \
        return;                       \
    }                                 \
    OBSERVE_WITH((.name = name_of_step))

static NOINLINE void takes_a_step(void)
{
    STEP("step");
    fails(1);
}

/* As generated code has it: lines of two files, in any order. */
static NOINLINE int is_generated(int i)
{
#line 20 "grammar.y"
    OBSERVE_ATTRIBUTES(.user_id = "u");
#line 900 "grammar.c"
    OBSERVE_WITH((.name = "generated"), i);
#line 31 "grammar.y"
    {
        OBSERVE_WITH((.name = "rule"));
        fails(0);
    }
    OBSERVE_RETURN(i);
}
#line 130 "left.c"

/* Each call stands in a block that is not around those of the next one. */
static int calls_itself(int depth)
{
    if (depth % 2 == 0) {
        OBSERVE_CHAIN(depth);
        return depth == 0 ? 0 : calls_itself(depth - 1);
    }
    OBSERVE(depth);
    if (depth % 3 == 0) {
        OBSERVE_TOOL(depth);
        int result = calls_itself(depth - 1);
        OBSERVE_OUTPUT(result);
        return result + 1;
    }
    {
        OBSERVE_RETRIEVER(depth);
        OBSERVE_CAUGHT(); /* nothing was left */
        OBSERVE_RETURN(calls_itself(depth - 1) + 1);
    }
}

/* Each level catches what failed below, and fails again, unless it is the one where it ends. */
static NOINLINE int catches_at_each_level(int depth, int ends_at)
{
    OBSERVE(depth);
    jmp_buf outer;
    volatile bool caught = false;
    if (depth == 0)
        longjmp(target, 1);
    memcpy(outer, target, sizeof outer);
    if (setjmp(target) == 0) {
        catches_at_each_level(depth - 1, ends_at);
    } else {
        OBSERVE_CAUGHT();
        caught = true;
    }
    memcpy(target, outer, sizeof outer);
    if (caught && depth < ends_at)
        longjmp(target, 1);
    OBSERVE_RETURN(depth);
}

#ifdef __GLIBC__ /* musl has no contexts */
static ucontext_t scheduler, coroutine;
static jmp_buf coroutine_target;

static NOINLINE void job(int i)
{
    OBSERVE(i);
    OBSERVE_WITH((.name = "part of a job"));
    if (i % 2 == 0)
        longjmp(coroutine_target, 1);
}

static void run_jobs(void)
{
    for (volatile int i = 0;; i++) {
        if (setjmp(coroutine_target) == 0)
            job(i);
        swapcontext(&coroutine, &scheduler);
    }
}

static void schedules(int turns)
{
    char *memory = malloc(STACK_BYTES);
    if (memory == NULL || getcontext(&coroutine) != 0)
        return;
    coroutine.uc_stack.ss_sp = memory;
    coroutine.uc_stack.ss_size = STACK_BYTES;
    makecontext(&coroutine, run_jobs, 0);
    for (int i = 0; i < turns; i++)
        swapcontext(&scheduler, &coroutine);
    free(memory);
}
#else
/* The same observations. */
static NOINLINE void job(int i)
{
    OBSERVE(i);
    OBSERVE_WITH((.name = "part of a job"));
    if (i % 2 == 0)
        longjmp(target, 1);
}

static void schedules(int turns)
{
    for (volatile int i = 0; i < turns; i++)
        if (setjmp(target) == 0)
            job(i);
}
#endif

static sigjmp_buf signal_target;

static void on_signal(int number)
{
    OBSERVE_WITH((.name = "in the handler"), number);
    siglongjmp(signal_target, 1);
}

/* The handler runs where raise() is, not between two instructions of ours. */
static NOINLINE void recovers(void)
{
    OBSERVE();
    if (sigsetjmp(signal_target, 1) == 0)
        raise(SIGUSR1);
    else
        OBSERVE_CAUGHT();
    OBSERVE_WITH((.name = "afterwards"));
}

int main(void)
{
    static _Alignas(64) char alternate[STACK_BYTES];
    stack_t on_the_side = {.ss_sp = alternate, .ss_size = sizeof alternate};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
    if (sigaltstack(&on_the_side, NULL) != 0 || sigaction(SIGUSR1, &action, NULL) != 0)
        return 1;
    retries(7);
    retries_and_says_so(3);
    serves(6);
    printf("caught from far below: %d\n", catches_from_far_below());
    printf("not parsed: %d\n", parses_or_not(""));
    printf("parsed: %d\n", parses_or_not("b"));
    printf("parsed: %d\n", parses_both());
    catches_below_an_array(400);
    catches_below_an_array(100000);
    catches_between_arrays(400);
    catches_between_arrays(100000);
    takes_a_step();
    printf("generated: %d\n", is_generated(3));
    printf("calls itself: %d\n", calls_itself(14));
    printf("catches at each level: %d\n", catches_at_each_level(4, 3));
    schedules(6);
    recovers();
    recovers();
    {
        OBSERVE_WITH((.name = "at the end"));
    }
    return portable_end();
}
