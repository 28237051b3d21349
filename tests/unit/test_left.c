/* Scopes that are left without their ends: by longjmp, by goto, on other stacks. Each kind as programs have it, and beside it
 * the scopes that are still open and must stay so.
 */
#include "core_harness.h"

#include <sys/mman.h>
#include <ucontext.h>

#pragma GCC diagnostic ignored "-Wpedantic" /* nested functions, goto to a label's address */

static jmp_buf target;
/* Not seen through by the compiler. */
static void jump(int value)
{
    longjmp(target, value);
}
static void (*volatile jump_now)(int) = jump;

static NOINLINE void leaf(void)
{
    OBSERVE();
}

static void check_complete(const cJSON *span)
{
    CHECK_SAID(span, "metadata.incomplete", "");
}

static void check_left(const cJSON *span)
{
    CHECK_SAID(span, "metadata.incomplete", "abandoned");
}

/* ---- Nothing is left ------------------------------------------------------------------------------------------------- */

static inline int inlined_helper(int x)
{
    OBSERVE_TOOL(x);
    return x * 2;
}

static inline int helper_with_an_array(int x)
{
    OBSERVE_TOOL(x);
    char text[200];
    snprintf(text, sizeof text, "%d", x + inlined_helper(x));
    return text[0];
}

static NOINLINE int many_scopes_of_one_function(int x)
{
    OBSERVE_ATTRIBUTES(.user_id = "u");
    OBSERVE(x);
    char text[64];
    snprintf(text, sizeof text, "%d", x);
    {
        OBSERVE_WITH((.name = "block"));
        OBSERVE_ATTRIBUTES(.session_id = "s");
        x += inlined_helper(x);
        {
            OBSERVE_WITH((.name = "inner block"));
            x += helper_with_an_array(x);
        }
    }
    x += inlined_helper(x);
    OBSERVE_RETURN(x + text[0]);
}

TEST(scopes_of_one_function_and_of_inlined_ones_are_never_taken_for_left)
{
    start();
    for (int i = 0; i < 20; i++)
        many_scopes_of_one_function(i);
    collect();
    CHECK_INT(span_count, 20 * 7);
    for (size_t i = 0; i < span_count; i++)
        check_complete(spans[i]);
    for (size_t i = 0; i < 20; i++) {
        const cJSON *outer = nth_named("many_scopes_of_one_function", i);
        CHECK_ROOT(outer);
        CHECK_CHILD(nth_named("block", i), outer);
        CHECK_CHILD(nth_named("inner block", i), nth_named("block", i));
        CHECK_CHILD(nth_named("helper_with_an_array", i), nth_named("inner block", i));
        CHECK_CHILD(nth_named("inlined_helper", 3 * i + 1), nth_named("helper_with_an_array", i));
        CHECK_CHILD(nth_named("inlined_helper", 3 * i + 2), outer);
    }
    CHECK_INT(stats_now().misused, 0);
}

/* Each call is in a block that is not around the blocks of the next. */
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

TEST(a_function_that_calls_itself_from_several_blocks_ends_none_of_them)
{
    enum { DEPTH = 200 };
    start();
    CHECK_INT(calls_itself(DEPTH), DEPTH / 2);
    collect();
    CHECK_INT(span_count, DEPTH / 2 + 1 + DEPTH);
    for (size_t i = 0; i < span_count; i++) {
        check_complete(spans[i]);
        CHECK(i + 1 == span_count || strcmp(parent_of(spans[i]), id_of(spans[i + 1])) == 0);
    }
    CHECK_INT(stats_now().misused, 0);
}

/* The recursion is inlined where the compiler likes to; the catch has no scope around it. */
static inline int catches_at_the_bottom(int depth)
{
    if (depth > 0) {
        OBSERVE_CHAIN(depth);
        int result = catches_at_the_bottom(depth - 1);
        OBSERVE_OUTPUT(result);
        return result + 1;
    }
    OBSERVE_CAUGHT(); /* nothing was left */
    return 0;
}

static int takes_turns(int depth);

static int takes_the_other_turn(int depth)
{
    if (depth == 1)
        OBSERVE_CAUGHT();
    return depth > 0 ? takes_turns(depth - 1) : 0;
}

static int takes_turns(int depth)
{
    if (depth > 0) {
        OBSERVE_WITH((.name = "turn"), depth);
        int result = takes_the_other_turn(depth);
        OBSERVE_OUTPUT(depth);
        return result;
    }
    OBSERVE_CAUGHT();
    return 3;
}

TEST(a_catch_below_calls_of_its_own_function_ends_none_of_them)
{
    start();
    CHECK_INT(catches_at_the_bottom(5), 5);
    CHECK_INT(takes_turns(6), 3);
    collect();
    CHECK_INT(span_count, 11);
    for (size_t i = 0; i < span_count; i++)
        check_complete(spans[i]);
    CHECK_INT(stats_now().misused, 0);
}

#ifndef __clang__ /* which has no nested functions */
static NOINLINE int has_a_nested_function(void)
{
    OBSERVE();
    auto int nested(int depth);
    int nested(int depth)
    {
        if (depth % 2 != 0) {
            OBSERVE_CHAIN(depth);
            int result = depth > 0 ? nested(depth - 1) : 0;
            OBSERVE_OUTPUT(result);
            return result + 1;
        }
        OBSERVE_TOOL(depth);
        int result = depth > 0 ? nested(depth - 1) : 0;
        OBSERVE_OUTPUT(result);
        return result + 1;
    }
    OBSERVE_RETURN(nested(4));
}

TEST(blocks_around_a_nested_function_are_not_its_own)
{
    start();
    CHECK_INT(has_a_nested_function(), 5);
    collect();
    CHECK_INT(span_count, 6);
    for (size_t i = 0; i < span_count; i++)
        check_complete(spans[i]);
    CHECK_SAID(span_named("has_a_nested_function"), "output", "5");
    CHECK_INT(stats_now().misused, 0);
}
#endif

static char large_text[200001];

static int fills_the_stack(int depth)
{
    OBSERVE(depth);
    if (depth == 0)
        return 0;
    if (depth % 2 != 0) {
        OBSERVE_CHAIN(depth, large_text);
        int result = fills_the_stack(depth - 1);
        OBSERVE_OUTPUT(result);
        return result + 1;
    }
    OBSERVE_TOOL(depth, large_text);
    int result = fills_the_stack(depth - 1);
    OBSERVE_OUTPUT(result);
    return result + 1;
}

static NOINLINE int has_attributes(int depth);

static NOINLINE int has_a_scope(int depth)
{
    OBSERVE(depth, large_text + sizeof large_text - 1 - 20000);
    int result = has_attributes(depth - 1);
    OBSERVE_OUTPUT(result);
    return result;
}

static NOINLINE int has_attributes(int depth)
{
    OBSERVE_ATTRIBUTES(.user_id = "u");
    OBSERVE_CONTEXT(NULL);
    OBSERVE_ERROR("at %d", depth);
    return depth > 0 ? has_a_scope(depth) + 1 : 0;
}

static void *fills_it_with_attributes(void *name)
{
    enum { DEPTH = 2000 };
    OBSERVE(name);
    CHECK_INT(has_attributes(DEPTH), DEPTH);
    return NULL;
}

TEST(where_a_scope_has_no_room_those_around_it_stay_open)
{
    start();
    memset(large_text, 'x', sizeof large_text - 1);
    CHECK_INT(fills_the_stack(100), 100);
    CHECK(stats_now().dropped[LF_DROP_TOO_DEEP] > 0);
    CHECK_INT(stats_now().misused, 0);
    pthread_attr_t attributes;
    CHECK_INT(pthread_attr_init(&attributes), 0);
    CHECK_INT(pthread_attr_setstacksize(&attributes, (size_t)256 << 20), 0);
    for (int i = 0; i < 6; i++) { /* what comes first moves the end of the room */
        pthread_t thread;
        CHECK_INT(
            pthread_create(&thread, &attributes, fills_it_with_attributes, &large_text[sizeof large_text - 1 - 24 * (size_t)i]), 0);
        CHECK_INT(pthread_join(thread, NULL), 0);
        CHECK_INT(stats_now().misused, 0);
    }
    CHECK_INT(stats_now().open, 0);
    CHECK(lf_shutdown(HARNESS_WAIT_MS) != LF_ERR_DISABLED); /* exit would not wait so long for all of that */
}

static NOINLINE void has_a_current_handle(void)
{
    OBSERVE();
    lf_observation *handle = lf_start_as_current_observation(.name = "handle");
    OBSERVE_CAUGHT();
    OBSERVE_OUTPUT("of the handle");
    {
        OBSERVE_WITH((.name = "below the handle"));
        OBSERVE_OUTPUT("of the block");
    }
    lf_observation_end(handle);
    OBSERVE_OUTPUT("of the function");
}

TEST(a_current_handle_is_what_updates_mean_until_it_ends)
{
    start();
    has_a_current_handle();
    collect();
    CHECK_SAID(span_named("handle"), "output", "of the handle");
    CHECK_SAID(span_named("below the handle"), "output", "of the block");
    CHECK_SAID(span_named("has_a_current_handle"), "output", "of the function");
    CHECK_CHILD(span_named("below the handle"), span_named("handle"));
    CHECK_CHILD(span_named("handle"), span_named("has_a_current_handle"));
}

/* ---- longjmp --------------------------------------------------------------------------------------------------------- */

static NOINLINE void request(int i)
{
    OBSERVE(i);
    {
        OBSERVE_WITH((.name = "part of a request"));
        if (i % 2 == 0)
            jump_now(1);
    }
    OBSERVE_OUTPUT(i);
}

static NOINLINE void serve(int count)
{
    for (volatile int i = 0; i < count; i++)
        if (setjmp(target) == 0)
            request(i);
}

/* As AddressSanitizer does it with detect_stack_use_after_return: then no two calls have a variable in one place. */
static NOINLINE bool variables_are_moved_away(void)
{
    volatile char variable[64];
    variable[0] = 0;
    uintptr_t at = (uintptr_t)variable, frame = (uintptr_t)__builtin_frame_address(0);
    return at - frame + (1 << 16) >= 1 << 17;
}

TEST(requests_that_fail_again_and_again_are_traces_of_their_own)
{
    enum { REQUESTS = 20000 };
    if (variables_are_moved_away()) {
        harness_skip("requests_that_fail_again_and_again_are_traces_of_their_own", "the checker moves variables away");
        return;
    }
    int count = rounds(REQUESTS);
    start();
    serve(count);
    CHECK_INT(stats_now().open, 0); /* the last one did not fail */
    CHECK_INT(stats_now().dropped_total, 0);
    CHECK_INT(stats_now().misused, 0);
    collect();
    CHECK_INT(span_count, 2 * count);
    size_t left = 0;
    for (size_t i = 0; i < span_count; i++) {
        bool is_request = strcmp(name_of(spans[i]), "request") == 0;
        CHECK(is_request == (parent_of(spans[i])[0] == '\0'));
        left += is_incomplete(spans[i], "abandoned");
    }
    CHECK_INT(left, count);
}

static NOINLINE void fails(int i)
{
    OBSERVE_TOOL(i);
    if (i % 3 != 0)
        jump_now(1);
}

/* setjmp in the function that opens the scopes, as PG_TRY and libpng have it. */
static NOINLINE void retries(int count, bool says_it)
{
    OBSERVE(count);
    for (volatile int i = 0; i < count; i++) {
        if (setjmp(target) == 0) {
            OBSERVE_WITH((.name = "attempt"), i);
            fails(i);
        } else {
            if (says_it)
                OBSERVE_CAUGHT();
            OBSERVE_ERROR("attempt %d", i);
        }
    }
    OBSERVE_OUTPUT("retries are over");
}

static void check_retries(void)
{
    collect();
    CHECK_INT(span_count, 15);
    const cJSON *all = span_named("retries");
    check_complete(all);
    CHECK_SAID(all, "status_message", "attempt 5");
    CHECK_SAID(all, "output", "retries are over");
    for (size_t i = 0; i < 7; i++) {
        const cJSON *attempt = nth_named("attempt", i), *call = nth_named("fails", i);
        CHECK_CHILD(attempt, all);
        CHECK_CHILD(call, attempt);
        CHECK_SAID(attempt, "metadata.incomplete", i % 3 != 0 ? "abandoned" : "");
        CHECK_SAID(call, "metadata.incomplete", i % 3 != 0 ? "abandoned" : "");
    }
    CHECK_INT(stats_now().misused, 0);
}

TEST(a_scope_of_the_catching_function_itself_is_told_by_its_block)
{
    start();
    retries(7, false);
    check_retries();
}

TEST(the_same_where_the_catch_says_so)
{
    start();
    retries(7, true);
    check_retries();
}

/* Each level catches what failed below, and fails again, unless it is the one where it ends. */
static NOINLINE int catches_at_each_level(int depth, int ends_at)
{
    OBSERVE(depth);
    jmp_buf outer;
    memcpy(outer, target, sizeof outer);
    volatile bool caught = false;
    if (depth == 0)
        jump_now(1);
    if (setjmp(target) == 0) {
        catches_at_each_level(depth - 1, ends_at);
    } else {
        caught = true;
        OBSERVE_CAUGHT();
    }
    memcpy(target, outer, sizeof outer);
    if (caught && depth < ends_at)
        jump_now(1);
    OBSERVE_RETURN(depth);
}

static void check_levels(int depth, int ends_at)
{
    collect();
    CHECK_INT(span_count, depth + 1);
    for (int i = 0; i <= depth; i++) {
        const cJSON *span = spans[i]; /* in the order of their ends, innermost first */
        char result[16];
        snprintf(result, sizeof result, "%d", i);
        CHECK_SAID(span, "metadata.incomplete", i < ends_at ? "abandoned" : "");
        CHECK_SAID(span, "output", i < ends_at ? "" : result);
        if (i < depth)
            CHECK_CHILD(span, spans[i + 1]);
    }
    CHECK_INT(stats_now().misused, 0);
}

TEST(a_function_that_calls_itself_catches_at_each_level)
{
    start();
    CHECK_INT(catches_at_each_level(4, 3), 4);
    check_levels(4, 3);
}

/* A scope around the catch that was not left. */
static NOINLINE void catches_inside_of_a_block(void)
{
    OBSERVE();
    for (volatile int i = 0; i < 3; i++) {
        OBSERVE_WITH((.name = "turn"), i);
        OBSERVE_ATTRIBUTES(.user_id = "u");
        if (setjmp(target) == 0) {
            OBSERVE_WITH((.name = "attempt"));
            fails(1);
        } else {
            OBSERVE_CAUGHT();
            OBSERVE_OUTPUT("caught");
        }
    }
}

TEST(scopes_around_the_catch_stay_open)
{
    start();
    catches_inside_of_a_block();
    collect();
    CHECK_INT(span_count, 10);
    check_complete(span_named("catches_inside_of_a_block"));
    for (size_t i = 0; i < 3; i++) {
        check_left(nth_named("fails", i));
        check_left(nth_named("attempt", i));
        check_complete(nth_named("turn", i));
        CHECK_SAID(nth_named("turn", i), "output", "caught");
        CHECK_CHILD(nth_named("turn", i), span_named("catches_inside_of_a_block"));
    }
}

/* The second scope of the block begins behind the catch, so it is over there. */
static NOINLINE int catches_between_two_scopes(int i, bool says_it)
{
    OBSERVE(i);
    if (setjmp(target) != 0) {
        if (says_it)
            OBSERVE_CAUGHT();
        OBSERVE_ERROR("failed");
        leaf();
        OBSERVE_RETURN(-1);
    }
    OBSERVE_ATTRIBUTES(.user_id = "u");
    OBSERVE_WITH((.name = "second"));
    fails(i);
    OBSERVE_RETURN(i);
}

TEST(a_second_scope_of_the_block_is_told_by_its_line)
{
    start();
    CHECK_INT(catches_between_two_scopes(1, false), -1);
    CHECK_INT(catches_between_two_scopes(2, true), -1);
    CHECK_INT(catches_between_two_scopes(3, true), 3);
    collect();
    CHECK_INT(span_count, 11);
    for (size_t i = 0; i < 2; i++) {
        const cJSON *outer = nth_named("catches_between_two_scopes", i);
        check_complete(outer);
        CHECK_SAID(outer, "output", "-1");
        CHECK_SAID(outer, "status_message", "failed");
        check_left(nth_named("second", i));
        CHECK_SAID(nth_named("second", i), "output", "");
        CHECK_CHILD(nth_named("leaf", i), outer);
    }
    CHECK_SAID(nth_named("second", 2), "output", "3");
    CHECK_INT(stats_now().misused, 0);
}

static NOINLINE void fails_in_a_large_frame(void)
{
    char text[3000];
    OBSERVE();
    snprintf(text, sizeof text, "%p", (void *)text);
    jump_now(text[0]);
}

static NOINLINE void fails_in_a_small_frame(void)
{
    OBSERVE();
    jump_now(1);
}

static NOINLINE void fails_elsewhere(int i)
{
    static void (*const volatile all[])(void) = {fails_in_a_large_frame, fails_in_a_small_frame};
    all[i % 2]();
}

/* The one that catches has no scope of its own. */
static NOINLINE void catches_without_a_scope(int count)
{
    for (volatile int i = 0; i < count; i++) {
        if (setjmp(target) == 0) {
            OBSERVE_WITH((.name = "attempt"));
            fails_elsewhere(i);
        } else {
            OBSERVE_CAUGHT();
            leaf();
        }
    }
}

TEST(where_the_catch_says_so_different_functions_may_fail)
{
    start();
    catches_without_a_scope(20);
    CHECK_INT(stats_now().open, 0);
    collect();
    CHECK_INT(span_count, 60);
    for (size_t i = 0; i < 20; i++) {
        CHECK_ROOT(nth_named("leaf", i));
        CHECK_ROOT(nth_named("attempt", i));
        check_left(nth_named("attempt", i));
    }
    for (size_t i = 0; i < 10; i++) {
        check_left(nth_named("fails_in_a_large_frame", i));
        CHECK_CHILD(nth_named("fails_in_a_small_frame", i), nth_named("attempt", 2 * i + 1));
    }
}

static NOINLINE void makes_a_handle_current_and_fails(lf_observation **out)
{
    OBSERVE();
    *out = lf_start_as_current_observation(.name = "handle");
    jump_now(1);
}

static NOINLINE void catches_below_a_handle(void)
{
    OBSERVE();
    static lf_observation *handle;
    if (setjmp(target) == 0)
        makes_a_handle_current_and_fails(&handle);
    OBSERVE_OUTPUT("of the function");
    leaf();
    lf_observation_end(handle, .output = lf_text("of the handle"));
}

TEST(a_handle_made_current_in_a_scope_that_was_left_is_open_but_not_current)
{
    start();
    catches_below_a_handle();
    collect();
    CHECK_SAID(span_named("catches_below_a_handle"), "output", "of the function");
    CHECK_SAID(span_named("handle"), "output", "of the handle");
    check_complete(span_named("handle"));
    check_left(span_named("makes_a_handle_current_and_fails"));
    CHECK_CHILD(span_named("leaf"), span_named("catches_below_a_handle"));
    CHECK_INT(stats_now().misused, 0);
}

static NOINLINE int leaves_a_handle_current(int x)
{
    (void)lf_start_as_current_observation(.name = "left current");
    return x;
}

static NOINLINE void calls_what_leaves_a_handle(void)
{
    OBSERVE();
    int result = OBSERVE_CALL(leaves_a_handle_current, 7);
    OBSERVE_OUTPUT(result);
}

TEST(the_result_of_a_call_is_said_of_that_call)
{
    start();
    calls_what_leaves_a_handle();
    CHECK_INT(lf_shutdown(HARNESS_WAIT_MS), LF_OK);
    read_spans(harness_path);
    CHECK_SAID(span_named("leaves_a_handle_current"), "output", "7");
    CHECK_SAID(span_named("left current"), "output", "");
    CHECK_SAID(span_named("calls_what_leaves_a_handle"), "output", "7");
}

/* Each call has a place for its context, given or not. */
static NOINLINE void handles_with_a_context(int depth, lf_context *context)
{
    OBSERVE_CONTEXT(context);
    OBSERVE_OUTPUT("of the caller"); /* in the context without a trace: of nothing */
    if (depth == 0) {
        OBSERVE_WITH((.name = "alone"));
        return;
    }
    OBSERVE(depth);
    handles_with_a_context(depth - 1, NULL);
}

TEST(no_context_is_a_scope_too)
{
    start();
    lf_context *context = NULL;
    {
        OBSERVE_WITH((.name = "source"));
        context = lf_context_copy();
    }
    handles_with_a_context(1, context);
    lf_context_free(context);
    collect();
    check_complete(span_named("handles_with_a_context"));
    CHECK_CHILD(span_named("handles_with_a_context"), span_named("source"));
    CHECK_SAID(span_named("handles_with_a_context"), "output", "");
    CHECK_TEXT(parent_of(span_named("alone")), "");
    CHECK(strcmp(trace_of(span_named("alone")), trace_of(span_named("source"))) != 0);
}

/* ---- goto ------------------------------------------------------------------------------------------------------------ */

#ifndef __clang__ /* which refuses a computed goto out of a scope */
static NOINLINE int interpret(long count)
{
    static void *const operations[] = {&&increment, &&decrement, &&end};
    long at = 0;
    int result = 0;
    OBSERVE(count);
#define NEXT goto *operations[at++ < count ? at % 2 : 2]
    NEXT;
increment:
    {
        OBSERVE_WITH((.name = "increment"), result);
        result++;
        NEXT;
    }
decrement:
    {
        OBSERVE_WITH((.name = "decrement"), result);
        result--;
        NEXT;
    }
end:
    OBSERVE_RETURN(result);
}

TEST(a_computed_goto_leaves_scopes_and_the_next_one_tells)
{
    enum { COUNT = 1000 };
    start();
    CHECK_INT(interpret(COUNT), 0);
    leaf();
    collect();
    CHECK_INT(span_count, COUNT + 2);
    const cJSON *function = span_named("interpret");
    check_complete(function);
    CHECK_SAID(function, "output", "0");
    for (size_t i = 0; i < COUNT / 2; i++) {
        CHECK_CHILD(nth_named("increment", i), function);
        CHECK_CHILD(nth_named("decrement", i), function);
        check_left(nth_named("increment", i));
    }
    CHECK_ROOT(span_named("leaf"));
}
#endif

/* ---- Other stacks ---------------------------------------------------------------------------------------------------- */

enum { STACK_BYTES = 256 << 10 };

static ucontext_t scheduler, coroutine;
static jmp_buf coroutine_target;
static int turns;

static NOINLINE void job(int i)
{
    OBSERVE(i);
    OBSERVE_WITH((.name = "part of a job"));
    if (i % 2 == 0)
        longjmp(coroutine_target, 1);
}

static void run_jobs(void)
{
    for (volatile int i = 0; i < turns; i++) {
        if (setjmp(coroutine_target) == 0)
            job(i);
        swapcontext(&coroutine, &scheduler);
    }
}

static NOINLINE void schedule(void *stack)
{
    CHECK(getcontext(&coroutine) == 0);
    coroutine.uc_stack.ss_sp = stack;
    coroutine.uc_stack.ss_size = STACK_BYTES;
    coroutine.uc_link = &scheduler;
    makecontext(&coroutine, run_jobs, 0);
    for (int i = 0; i <= turns; i++)
        CHECK(swapcontext(&scheduler, &coroutine) == 0);
}

static void check_jobs(void *stack)
{
    turns = 20;
    schedule(stack);
    leaf();
    collect();
    CHECK_INT(span_count, 41);
    CHECK_ROOT(span_named("leaf"));
    for (size_t i = 0; i < 20; i++) {
        CHECK_ROOT(nth_named("job", i));
        CHECK_SAID(nth_named("job", i), "metadata.incomplete", i % 2 == 0 ? "abandoned" : "");
        CHECK_CHILD(nth_named("part of a job", i), nth_named("job", i));
    }
}

TEST(jobs_that_fail_on_a_mapped_stack_of_their_own_are_told)
{
    if (HARNESS_ASAN || HARNESS_TSAN) {
        harness_skip("jobs_that_fail_on_a_mapped_stack_of_their_own_are_told", "the checker cannot follow longjmp on such a stack");
        return;
    }
    start();
    void *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(stack != MAP_FAILED);
    check_jobs(stack);
}

TEST(jobs_that_fail_on_an_allocated_stack_of_their_own_are_told)
{
    if (HARNESS_ASAN || HARNESS_TSAN) {
        harness_skip("jobs_that_fail_on_an_allocated_stack_of_their_own_are_told",
                     "the checker cannot follow longjmp on such a stack");
        return;
    }
    start();
    void *stack = malloc(STACK_BYTES);
    CHECK(stack != NULL);
    check_jobs(stack);
    free(stack);
}

static void catch_at_each_level(void)
{
    catches_at_each_level(4, 3);
}

TEST(a_function_that_calls_itself_on_a_stack_of_its_own_catches_at_each_level)
{
    if (HARNESS_ASAN || HARNESS_TSAN) {
        harness_skip("a_function_that_calls_itself_on_a_stack_of_its_own_catches_at_each_level",
                     "the checker cannot follow longjmp on such a stack");
        return;
    }
    start();
    void *stack = malloc(STACK_BYTES);
    CHECK(stack != NULL && getcontext(&coroutine) == 0);
    coroutine.uc_stack.ss_sp = stack;
    coroutine.uc_stack.ss_size = STACK_BYTES;
    coroutine.uc_link = &scheduler;
    makecontext(&coroutine, catch_at_each_level, 0);
    CHECK(swapcontext(&scheduler, &coroutine) == 0);
    check_levels(4, 3);
    free(stack);
}

static sigjmp_buf signal_target;

static void observes_and_jumps(int number)
{
    OBSERVE_WITH((.name = "in the handler"), number);
    siglongjmp(signal_target, 1);
}

static NOINLINE void recovers(int count)
{
    for (volatile int i = 0; i < count; i++) {
        OBSERVE(i);
        if (sigsetjmp(signal_target, 1) == 0)
            raise(SIGUSR1);
        else
            OBSERVE_CAUGHT();
        leaf();
    }
}

/* The handler runs where it interrupts raise(), so this is no signal between two instructions of ours. */
TEST(a_handler_on_a_stack_of_its_own_may_jump_out)
{
    if (HARNESS_ASAN || HARNESS_TSAN) {
        harness_skip("a_handler_on_a_stack_of_its_own_may_jump_out", "the checker cannot follow longjmp off such a stack");
        return;
    }
    start();
    static _Alignas(64) char bytes[STACK_BYTES];
    stack_t stack = {.ss_sp = bytes, .ss_size = sizeof bytes};
    CHECK(sigaltstack(&stack, NULL) == 0);
    struct sigaction action = {.sa_handler = observes_and_jumps, .sa_flags = SA_ONSTACK};
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    recovers(10);
    collect();
    CHECK_INT(span_count, 30);
    for (size_t i = 0; i < 10; i++) {
        check_left(nth_named("in the handler", i));
        CHECK_CHILD(nth_named("in the handler", i), nth_named("recovers", i));
        CHECK_CHILD(nth_named("leaf", i), nth_named("recovers", i));
        check_complete(nth_named("recovers", i));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scopes_of_one_function_and_of_inlined_ones_are_never_taken_for_left),
        cmocka_unit_test(a_function_that_calls_itself_from_several_blocks_ends_none_of_them),
        cmocka_unit_test(a_catch_below_calls_of_its_own_function_ends_none_of_them),
#ifndef __clang__
        cmocka_unit_test(blocks_around_a_nested_function_are_not_its_own),
#endif
        cmocka_unit_test(where_a_scope_has_no_room_those_around_it_stay_open),
        cmocka_unit_test(a_current_handle_is_what_updates_mean_until_it_ends),
        cmocka_unit_test(requests_that_fail_again_and_again_are_traces_of_their_own),
        cmocka_unit_test(a_scope_of_the_catching_function_itself_is_told_by_its_block),
        cmocka_unit_test(the_same_where_the_catch_says_so),
        cmocka_unit_test(a_function_that_calls_itself_catches_at_each_level),
        cmocka_unit_test(scopes_around_the_catch_stay_open),
        cmocka_unit_test(a_second_scope_of_the_block_is_told_by_its_line),
        cmocka_unit_test(where_the_catch_says_so_different_functions_may_fail),
        cmocka_unit_test(a_handle_made_current_in_a_scope_that_was_left_is_open_but_not_current),
        cmocka_unit_test(the_result_of_a_call_is_said_of_that_call),
        cmocka_unit_test(no_context_is_a_scope_too),
#ifndef __clang__
        cmocka_unit_test(a_computed_goto_leaves_scopes_and_the_next_one_tells),
#endif
        cmocka_unit_test(jobs_that_fail_on_a_mapped_stack_of_their_own_are_told),
        cmocka_unit_test(jobs_that_fail_on_an_allocated_stack_of_their_own_are_told),
        cmocka_unit_test(a_function_that_calls_itself_on_a_stack_of_its_own_catches_at_each_level),
        cmocka_unit_test(a_handler_on_a_stack_of_its_own_may_jump_out),
    };
    return cmocka_run_group_tests_name("left", tests, NULL, NULL);
}
