/* One thread, several requests: observations under a handle, contexts, coroutines. */
#include "core_harness.h"

#include <malloc.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#if defined(__GLIBC__)
#include <ucontext.h>
#endif

static NOINLINE void leaf(void)
{
    OBSERVE();
}

static NOINLINE void aside(void)
{
    OBSERVE();
}

static NOINLINE void branch(int n)
{
    OBSERVE(n);
    leaf();
}

static int number_in(const cJSON *span, const char *key)
{
    const char *at = strstr(attribute_of(span, "langfuse.observation.input"), key);
    CHECK(at != NULL);
    return atoi(at + strlen(key));
}

/* Records of two coroutines arrive in any order. */
static const cJSON *branch_of(int n)
{
    for (size_t i = 0; i < span_count; i++)
        if (strcmp(name_of(spans[i]), "branch") == 0 && number_in(spans[i], "\"n\":") == n)
            return spans[i];
    harness_fail(__FILE__, __LINE__, "there is no branch %d", n);
    return NULL;
}

/* ---- Under a handle -------------------------------------------------------------------------------------------------- */

static NOINLINE void callback(lf_observation *request, int n)
{
    OBSERVE_UNDER(request);
    branch(n);
    lf_update_current_observation(.status_message = "updated");
}

TEST(what_begins_under_a_handle_is_its_child)
{
    start();
    lf_observation *a = lf_start_observation(.name = "a"), *b = lf_start_observation(.name = "b");
    for (int i = 0; i < 3; i++) {
        callback(a, i);
        leaf(); /* between callbacks nothing is current */
        callback(b, i);
    }
    CHECK(lf_context_copy() == NULL);
    lf_observation_end(a);
    lf_observation_end(b);
    collect();
    for (size_t i = 0; i < 6; i++)
        CHECK_CHILD(nth_named("branch", i), span_named(i % 2 == 0 ? "a" : "b"));
    size_t roots = 0;
    for (size_t i = 0; i < 9; i++)
        roots += parent_of(nth_named("leaf", i))[0] == '\0';
    CHECK_INT(roots, 3);
    CHECK_SAID(span_named("a"), "status_message", "updated");
    CHECK_INT(stats_now().misused, 0);
}

TEST(scopes_under_handles_nest_and_the_inner_one_counts)
{
    start();
    lf_observation *outer = lf_start_observation(.name = "outer"), *inner = lf_start_observation(.name = "inner");
    {
        OBSERVE_WITH((.name = "around"));
        OBSERVE_UNDER(outer);
        {
            OBSERVE_UNDER(inner);
            branch(1);
            lf_update_current_observation(.metadata = LF_OBJECT("k", "inner"));
        }
        branch(2);
        lf_update_current_observation(.metadata = LF_OBJECT("k", "outer"));
    }
    lf_observation_end(inner);
    lf_observation_end(outer);
    collect();
    CHECK_CHILD(nth_named("branch", 0), span_named("inner"));
    CHECK_CHILD(nth_named("branch", 1), span_named("outer"));
    CHECK_SAID(span_named("inner"), "metadata.k", "inner");
    CHECK_SAID(span_named("outer"), "metadata.k", "outer");
    CHECK_SAID(span_named("around"), "metadata.k", "");
}

TEST(the_attributes_around_a_handle_hold_under_it)
{
    start();
    lf_observation *o;
    {
        OBSERVE_ATTRIBUTES(.user_id = "u", .session_id = "s");
        o = lf_start_observation(.name = "o");
    }
    {
        OBSERVE_ATTRIBUTES(.user_id = "another");
        callback(o, 1);
    }
    lf_observation_end(o);
    collect();
    CHECK_TEXT(attribute_of(span_named("branch"), "user.id"), "u");
    CHECK_TEXT(attribute_of(span_named("leaf"), "session.id"), "s");
}

TEST(attributes_set_under_a_handle_reach_it)
{
    start();
    lf_observation *o = lf_start_observation(.name = "o");
    {
        OBSERVE_UNDER(o);
        OBSERVE_ATTRIBUTES(.user_id = "late");
        leaf();
    }
    lf_observation_end(o);
    collect();
    CHECK_TEXT(attribute_of(span_named("o"), "user.id"), "late");
    CHECK_TEXT(attribute_of(span_named("leaf"), "user.id"), "late");
}

TEST(each_callback_may_set_the_attributes_anew)
{
    start();
    lf_observation *o = lf_start_observation(.name = "o");
    for (int i = 0; i < 3000; i++) {
        OBSERVE_UNDER(o);
        OBSERVE_ATTRIBUTES(.user_id = i % 2 == 0 ? "even" : "odd", .session_id = "s", .tags = LF_TAGS("t"));
        OBSERVE_ATTRIBUTES(.metadata = LF_OBJECT("step", i % 2), .tags = LF_TAGS("inner"));
    }
    {
        OBSERVE_UNDER(o);
        OBSERVE_ATTRIBUTES(.user_id = "even"); /* said before the other one, and now */
    }
    callback(o, 1);
    lf_observation_end(o, .metadata = LF_OBJECT("k", "kept"));
    collect();
    CHECK_TEXT(attribute_of(span_named("branch"), "user.id"), "even");
    CHECK_TEXT(attribute_of(span_named("o"), "user.id"), "even");
    CHECK_TEXT(attribute_of(span_named("o"), "session.id"), "s");
    CHECK_TEXT(attribute_of(span_named("o"), "langfuse.trace.metadata.step"), "1");
    CHECK_SAID(span_named("o"), "metadata.k", "kept");
    CHECK_INT(stats_now().left_out, 0);
}

TEST(the_attributes_of_a_large_handle_hold_after_its_end)
{
    start();
    static char large[4000];
    memset(large, 'x', sizeof large - 1);
    lf_observation *o;
    {
        OBSERVE_ATTRIBUTES(.user_id = "u");
        o = lf_start_observation(.name = "o", .input = LF_VALUE((const char *)large));
    }
    lf_observation_end(o);
    callback(o, 1);
    collect();
    CHECK_CHILD(span_named("branch"), span_named("o"));
    CHECK_TEXT(attribute_of(span_named("branch"), "user.id"), "u");
}

TEST(under_no_handle_nothing_changes)
{
    start();
    {
        OBSERVE_WITH((.name = "around"));
        callback(NULL, 1);
    }
    collect();
    CHECK_CHILD(span_named("branch"), span_named("around"));
    CHECK_SAID(span_named("around"), "status_message", "updated");
}

TEST(a_handle_that_ends_in_its_scope_stays_the_parent_to_its_end)
{
    start();
    lf_observation *o = lf_start_observation(.name = "o");
    {
        OBSERVE_UNDER(o);
        lf_observation_end(o);
        branch(1);
        lf_update_current_observation(.status_message = "too late");
    }
    uint64_t misused = stats_now().misused;
    collect();
    CHECK_CHILD(span_named("branch"), span_named("o"));
    CHECK_INT(misused, 1);
    CHECK_SAID(span_named("o"), "status_message", "");
}

TEST(under_a_handle_of_long_ago_all_stays_as_it_is)
{
    start();
    lf_observation *o = lf_start_observation(.name = "o");
    lf_observation_end(o);
    for (int i = 0; i < 2000; i++)
        lf_observation_end(lf_start_observation(.name = "another"));
    CHECK(lf_observation_context(o) == NULL);
    {
        OBSERVE_WITH((.name = "around"));
        callback(o, 1);
    }
    collect();
    CHECK_CHILD(span_named("branch"), span_named("around"));
    CHECK(stats_now().misused >= 1);
}

static void *calls_back(void *request)
{
    for (int i = 0; i < 200; i++)
        callback(request, i);
    return NULL;
}

TEST(threads_observe_under_one_handle)
{
    start();
    lf_observation *o = lf_start_observation(.name = "o");
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, calls_back, o) == 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    lf_observation_end(o);
    collect();
    CHECK_INT(count_named("branch"), 800);
    for (size_t i = 0; i < 800; i++)
        CHECK_CHILD(nth_named("branch", i), span_named("o"));
}

/* ---- Contexts -------------------------------------------------------------------------------------------------------- */

TEST(in_no_context_a_trace_of_its_own_begins)
{
    start();
    {
        OBSERVE_WITH((.name = "main"));
        OBSERVE_ATTRIBUTES(.user_id = "u");
        for (int i = 0; i < 2; i++) {
            OBSERVE_CONTEXT(NULL);
            lf_update_current_observation(.status_message = "of nothing");
            branch(i);
        }
        leaf();
    }
    collect();
    CHECK_ROOT(nth_named("branch", 0));
    CHECK_ROOT(nth_named("branch", 1));
    CHECK(strcmp(trace_of(nth_named("branch", 0)), trace_of(nth_named("branch", 1))) != 0);
    CHECK(strcmp(trace_of(nth_named("branch", 0)), trace_of(span_named("main"))) != 0);
    CHECK_TEXT(attribute_of(nth_named("branch", 0), "user.id"), "");
    CHECK_CHILD(nth_named("leaf", 2), span_named("main"));
    CHECK_SAID(span_named("main"), "status_message", "");
}

/* A handle that is current in a context ends to be current with it. */
TEST(a_current_handle_belongs_to_its_context)
{
    start();
    lf_observation *first, *second;
    {
        OBSERVE_CONTEXT(NULL);
        first = lf_start_as_current_observation(.name = "first");
    }
    {
        OBSERVE_CONTEXT(NULL);
        second = lf_start_as_current_observation(.name = "second");
    }
    leaf();
    lf_observation_end(first);
    lf_observation_end(second);
    collect();
    CHECK_ROOT(span_named("first"));
    CHECK_ROOT(span_named("second"));
    CHECK_ROOT(span_named("leaf"));
}

static void keep_header(void *data, const char *name, const char *value)
{
    if (strcmp(name, "traceparent") == 0)
        snprintf(data, 100, "%s", value);
}

TEST(a_handle_has_a_context_for_other_threads_and_processes)
{
    start();
    char header[100] = "", expected[100];
    lf_observation *o = lf_start_observation(.name = "o");
    lf_context *context = lf_observation_context(o);
    CHECK(context != NULL);
    CHECK_INT(lf_inject(keep_header, header), 0);
    CHECK(lf_inject_from(context, keep_header, header) >= 1);
    char trace_id[LF_TRACE_ID_SIZE], id[LF_OBSERVATION_ID_SIZE];
    CHECK(lf_observation_trace_id(o, trace_id) && lf_observation_id(o, id));
    snprintf(expected, sizeof expected, "00-%s-%s-01", trace_id, id);
    CHECK_TEXT(header, expected);
    struct curl_slist *none = lf_inject_curl_from(NULL, NULL);
    CHECK(none == NULL);
    {
        OBSERVE_CONTEXT(context);
        branch(1);
    }
    lf_observation_end(o);
    lf_context_free(context);
    CHECK(lf_observation_context(NULL) == NULL);
    collect();
    CHECK_CHILD(span_named("branch"), span_named("o"));
}

/* ---- A thousand requests in one loop --------------------------------------------------------------------------------- */

enum { REQUESTS = 1000, STEPS = 3 };

typedef struct request {
    int event; /* readable when the next step is due */
    int step;
    bool has_parent;
    char trace_id[LF_TRACE_ID_SIZE], parent_id[LF_OBSERVATION_ID_SIZE];
    lf_observation *observation;
    lf_context *upstream;
} request;

static request requests[REQUESTS];
static int request_count;

static const char *request_header(void *data, const char *name)
{
    static char text[100];
    const request *r = data;
    if (!r->has_parent || strcmp(name, "traceparent") != 0)
        return NULL;
    snprintf(text, sizeof text, "00-%s-%s-01", r->trace_id, r->parent_id);
    return text;
}

static NOINLINE void request_step(request *r)
{
    OBSERVE_UNDER(r->observation);
    int number = (int)(r - requests);
    branch(number);
}

static void request_begin(request *r)
{
    lf_context *upstream = lf_extract(request_header, r);
    OBSERVE_CONTEXT(upstream);
    lf_context_free(upstream);
    OBSERVE_ATTRIBUTES(.session_id = r->has_parent ? "with" : "without");
    r->observation = lf_start_observation(.name = "request", .input = LF_OBJECT("number", (int)(r - requests)));
}

static void request_go_on(request *r)
{
    eventfd_t value;
    CHECK(eventfd_read(r->event, &value) == 0);
    if (r->step == 0)
        request_begin(r);
    request_step(r);
    if (++r->step == STEPS)
        lf_observation_end(r->observation);
    else
        CHECK(eventfd_write(r->event, 1) == 0);
}

static bool allow_files(rlim_t count)
{
    struct rlimit files;
    CHECK(getrlimit(RLIMIT_NOFILE, &files) == 0);
    files.rlim_cur = files.rlim_cur < count ? count : files.rlim_cur;
    return setrlimit(RLIMIT_NOFILE, &files) == 0;
}

static void serve_all(bool polls)
{
    CHECK(under_valgrind() || allow_files(REQUESTS + 100));
    request_count = under_valgrind() ? REQUESTS / 2 : REQUESTS; /* it allows a thousand descriptors, and needs some itself */
    int loop = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < request_count; i++) {
        request *r = &requests[i];
        *r = (request){.event = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK), .has_parent = i % 2 == 1};
        snprintf(r->trace_id, sizeof r->trace_id, "%032x", i + 1);
        snprintf(r->parent_id, sizeof r->parent_id, "%016x", i + 1);
        CHECK(r->event >= 0 && epoll_ctl(loop, EPOLL_CTL_ADD, r->event, &(struct epoll_event){EPOLLIN, {.ptr = r}}) == 0);
    }
    for (int steps = 0; steps < request_count * STEPS;) {
        struct epoll_event events[64];
        int ready = epoll_wait(loop, events, 64, HARNESS_WAIT_MS);
        CHECK(ready > 0);
        for (int i = 0; i < ready; i++, steps++)
            request_go_on(events[i].data.ptr);
        if (polls)
            CHECK(lf_poll(0, NULL) >= 0);
    }
    for (int i = 0; i < request_count; i++)
        close(requests[i].event);
    close(loop);
}

static const cJSON *request_spans[REQUESTS];

static void check_request(int i)
{
    const cJSON *span = request_spans[i];
    CHECK(span != NULL);
    CHECK_TEXT(attribute_of(span, "session.id"), i % 2 == 1 ? "with" : "without");
    if (i % 2 == 0) {
        CHECK_TEXT(parent_of(span), "");
        return;
    }
    CHECK_TEXT(trace_of(span), requests[i].trace_id);
    CHECK_TEXT(parent_of(span), requests[i].parent_id);
}

static void check_requests(void)
{
    collect();
    CHECK_INT(span_count, request_count * (1 + 2 * STEPS));
    for (size_t i = 0; i < span_count; i++)
        if (strcmp(name_of(spans[i]), "request") == 0)
            request_spans[number_in(spans[i], "\"number\":")] = spans[i];
    for (int i = 0; i < request_count; i++)
        check_request(i);
    for (size_t i = 0; i < span_count; i++)
        if (strcmp(name_of(spans[i]), "branch") == 0)
            CHECK_CHILD(spans[i], request_spans[number_in(spans[i], "\"n\":")]);
}

TEST(a_thousand_interleaved_requests_keep_apart)
{
    start();
    serve_all(false);
    check_requests();
}

TEST(a_thousand_interleaved_requests_keep_apart_without_a_thread_of_ours)
{
    lf_options options = to_file(harness_path);
    options.worker = LF_OFF;
    CHECK_INT(lf_init(&options), LF_OK);
    int threads = harness_threads();
    serve_all(true);
    CHECK(HARNESS_TSAN || harness_threads() == threads); /* it has threads of its own */
    check_requests();
}

/* ---- Coroutines ------------------------------------------------------------------------------------------------------ */

static void in_coroutine(lf_coroutine *c, const char *name, lf_observation **out)
{
    lf_coroutine *before = lf_coroutine_switch(c);
    *out = lf_start_as_current_observation(.name = name);
    CHECK(lf_coroutine_switch(before) == c);
}

TEST(a_coroutine_has_a_current_observation_of_its_own)
{
    start();
    OBSERVE_WITH((.name = "thread"));
    lf_coroutine *a = lf_coroutine_new(), *b = lf_coroutine_new();
    CHECK(a != NULL && b != NULL);
    lf_observation *of_a, *of_b;
    in_coroutine(a, "a", &of_a);
    in_coroutine(b, "b", &of_b);
    aside();
    CHECK(lf_coroutine_switch(a) == NULL);
    branch(1);
    lf_observation_end(of_a);
    CHECK(lf_coroutine_switch(b) == a); /* without a way back in between */
    branch(2);
    lf_observation_end(of_b);
    CHECK(lf_coroutine_switch(NULL) == b);
    CHECK(lf_coroutine_switch(NULL) == NULL);
    branch(3);
    lf_coroutine_free(a);
    lf_coroutine_free(b);
    lf_coroutine_free(NULL);
    CHECK_INT(lf_shutdown(HARNESS_WAIT_MS), LF_OK);
    read_spans(harness_path);
    CHECK_ROOT(span_named("a"));
    CHECK_ROOT(span_named("b"));
    CHECK_CHILD(span_named("aside"), span_named("thread"));
    CHECK_CHILD(branch_of(1), span_named("a"));
    CHECK_CHILD(branch_of(2), span_named("b"));
    CHECK_CHILD(branch_of(3), span_named("thread"));
}

static void *goes_on(void *coroutine)
{
    leaf(); /* of the thread itself */
    CHECK(lf_coroutine_switch(coroutine) == NULL);
    branch(1);
    return NULL; /* the thread ends in it */
}

TEST(a_coroutine_goes_on_on_another_thread)
{
    start();
    lf_coroutine *c = lf_coroutine_new();
    lf_observation *o;
    in_coroutine(c, "o", &o);
    for (int i = 0; i < 3; i++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, goes_on, c) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
    }
    CHECK(lf_coroutine_switch(c) == NULL);
    branch(2);
    lf_observation_end(o);
    CHECK(lf_coroutine_switch(NULL) == c);
    lf_coroutine_free(c);
    collect();
    CHECK_INT(count_named("branch"), 4);
    for (size_t i = 0; i < 4; i++)
        CHECK_CHILD(nth_named("branch", i), span_named("o"));
    CHECK_INT(count_named("leaf"), 7);
}

TEST(what_a_coroutine_leaves_open_is_sent_with_it)
{
    start();
    lf_coroutine *c = lf_coroutine_new();
    lf_coroutine_switch(c);
    lf_scope scope;
    static lf_site site = A_SITE("left open", "", 0);
    OPEN_SCOPE(&scope, &site, NULL);
    lf_coroutine_switch(NULL);
    lf_coroutine_free(c);
    collect();
    CHECK_SAID(span_named("left open"), "metadata.incomplete", "abandoned");
    lf_i_scope_end(&scope); /* nobody's any more */
    leaf();
}

TEST(a_coroutine_may_free_itself)
{
    start();
    lf_coroutine *c = lf_coroutine_new();
    lf_coroutine_switch(c);
    branch(1);
    lf_coroutine_free(c);
    CHECK(lf_coroutine_switch(NULL) == NULL);
    branch(2);
    collect();
    CHECK_INT(count_named("branch"), 2);
}

TEST(a_coroutine_from_before_the_start_observes_after_it)
{
    lf_options options = to_file(harness_path);
    options.tracing = LF_OFF;
    CHECK_INT(lf_init(&options), LF_ERR_DISABLED);
    lf_coroutine *c = lf_coroutine_new();
    lf_coroutine_switch(c);
    branch(1);
    lf_coroutine_switch(NULL);
    CHECK_INT(lf_shutdown(0), LF_ERR_DISABLED);
    start();
    lf_coroutine_switch(c);
    lf_observation *o = lf_start_as_current_observation(.name = "o");
    lf_coroutine_switch(NULL);
    aside();
    lf_coroutine_switch(c);
    branch(2);
    lf_observation_end(o);
    lf_coroutine_switch(NULL);
    lf_coroutine_free(c);
    collect();
    CHECK_ROOT(span_named("aside"));
    CHECK_CHILD(span_named("branch"), span_named("o"));
}

TEST(a_fork_in_a_coroutine_goes_on_there)
{
    SKIP_WHERE_FORK_IS_NOT_SUPPORTED(a_fork_in_a_coroutine_goes_on_there);
    start();
    lf_coroutine *c = lf_coroutine_new(), *other = lf_coroutine_new();
    lf_observation *o;
    in_coroutine(c, "o", &o);
    lf_coroutine *before = lf_coroutine_switch(c);
    pid_t child = fork();
    if (child == 0) {
        branch(1);
        lf_coroutine_switch(other); /* its memory was the parent's */
        branch(2);
        lf_coroutine_switch(NULL);
        lf_coroutine_free(other);
        lf_coroutine_free(c);
        exit(0);
    }
    CHECK_INT(end_of_child(child), 0);
    lf_observation_end(o);
    CHECK(lf_coroutine_switch(before) == c);
    lf_coroutine_free(c);
    lf_coroutine_free(other);
    collect();
    CHECK_CHILD(branch_of(1), span_named("o"));
    CHECK_ROOT(branch_of(2));
}

#if defined(__GLIBC__) && !HARNESS_TSAN
enum { TASKS = 5, TURNS = 4, TASK_STACK = 256 << 10 };

typedef struct task {
    ucontext_t machine;
    lf_coroutine *observed;
    char *stack;
    int turns;
} task;

static ucontext_t scheduler;
static task tasks[TASKS];

static void yield_in(task *t)
{
    CHECK(swapcontext(&t->machine, &scheduler) == 0);
}

static NOINLINE void turn(task *t, int number)
{
    OBSERVE(number);
    yield_in(t); /* in the middle of a scope */
    leaf();
    yield_in(t);
}

static void run_task(int index)
{
    task *t = &tasks[index];
    OBSERVE_WITH((.name = "task"), index);
    for (int i = 0; i < TURNS; i++)
        turn(t, index);
    t->turns = -1;
}

static void go_on(task *t)
{
    lf_coroutine *before = lf_coroutine_switch(t->observed);
    CHECK(swapcontext(&scheduler, &t->machine) == 0);
    CHECK(lf_coroutine_switch(before) == t->observed);
}

TEST(coroutines_stop_in_the_middle_of_scopes)
{
    start();
    for (int i = 0; i < TASKS; i++) {
        task *t = &tasks[i];
        t->observed = lf_coroutine_new();
        t->stack = malloc(TASK_STACK);
        CHECK(t->observed != NULL && t->stack != NULL && getcontext(&t->machine) == 0);
        t->machine.uc_stack.ss_sp = t->stack;
        t->machine.uc_stack.ss_size = TASK_STACK;
        t->machine.uc_link = &scheduler;
        makecontext(&t->machine, (void (*)(void))run_task, 1, i);
    }
    {
        OBSERVE_WITH((.name = "scheduler"));
        for (int alive = TASKS; alive > 0;)
            for (int i = 0; i < TASKS; i++)
                if (tasks[i].turns >= 0) {
                    go_on(&tasks[i]);
                    alive -= tasks[i].turns < 0;
                }
        aside();
    }
    for (int i = 0; i < TASKS; i++) {
        lf_coroutine_free(tasks[i].observed);
        free(tasks[i].stack);
    }
    collect();
    CHECK_INT(count_named("task"), TASKS);
    CHECK_INT(count_named("turn"), TASKS * TURNS);
    for (size_t i = 0; i < TASKS * TURNS; i++) {
        const cJSON *t = nth_named("turn", i), *parent = NULL;
        int index = number_in(t, "\"number\":");
        for (size_t k = 0; k < TASKS; k++)
            if (number_in(nth_named("task", k), "\"index\":") == index)
                parent = nth_named("task", k);
        CHECK_CHILD(t, parent);
        CHECK_SAID(t, "metadata.incomplete", "");
    }
    CHECK_INT(count_named("leaf"), TASKS * TURNS);
    CHECK_CHILD(span_named("aside"), span_named("scheduler"));
    CHECK_INT(stats_now().misused, 0);
}
#endif

#if defined(__GLIBC__) && !HARNESS_TSAN && !HARNESS_ASAN
TEST(a_switch_allocates_nothing)
{
    start();
    lf_coroutine *c = lf_coroutine_new();
    lf_coroutine_switch(c);
    lf_coroutine_switch(NULL);
    CHECK_INT(lf_shutdown(HARNESS_WAIT_MS), LF_OK); /* no thread of ours meanwhile */
    struct mallinfo2 before = mallinfo2();
    for (int i = 0; i < 1000; i++) {
        lf_coroutine_switch(c);
        lf_coroutine_switch(NULL);
    }
    struct mallinfo2 after = mallinfo2();
    CHECK_INT(after.uordblks, before.uordblks);
    lf_coroutine_free(c);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_begins_under_a_handle_is_its_child),
        cmocka_unit_test(scopes_under_handles_nest_and_the_inner_one_counts),
        cmocka_unit_test(the_attributes_around_a_handle_hold_under_it),
        cmocka_unit_test(attributes_set_under_a_handle_reach_it),
        cmocka_unit_test(each_callback_may_set_the_attributes_anew),
        cmocka_unit_test(the_attributes_of_a_large_handle_hold_after_its_end),
        cmocka_unit_test(under_no_handle_nothing_changes),
        cmocka_unit_test(a_handle_that_ends_in_its_scope_stays_the_parent_to_its_end),
        cmocka_unit_test(under_a_handle_of_long_ago_all_stays_as_it_is),
        cmocka_unit_test(threads_observe_under_one_handle),
        cmocka_unit_test(in_no_context_a_trace_of_its_own_begins),
        cmocka_unit_test(a_current_handle_belongs_to_its_context),
        cmocka_unit_test(a_handle_has_a_context_for_other_threads_and_processes),
        cmocka_unit_test(a_thousand_interleaved_requests_keep_apart),
        cmocka_unit_test(a_thousand_interleaved_requests_keep_apart_without_a_thread_of_ours),
        cmocka_unit_test(a_coroutine_has_a_current_observation_of_its_own),
        cmocka_unit_test(a_coroutine_goes_on_on_another_thread),
        cmocka_unit_test(what_a_coroutine_leaves_open_is_sent_with_it),
        cmocka_unit_test(a_coroutine_may_free_itself),
        cmocka_unit_test(a_coroutine_from_before_the_start_observes_after_it),
        cmocka_unit_test(a_fork_in_a_coroutine_goes_on_there),
#if defined(__GLIBC__) && !HARNESS_TSAN
        cmocka_unit_test(coroutines_stop_in_the_middle_of_scopes),
#endif
#if defined(__GLIBC__) && !HARNESS_TSAN && !HARNESS_ASAN
        cmocka_unit_test(a_switch_allocates_nothing),
#endif
    };
    return cmocka_run_group_tests_name("event_loop", tests, NULL, NULL);
}
