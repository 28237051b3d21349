/* How long a handle is good, and what else may be done with one: other threads, forks, exit, shutdown, far too many of them. */
#include "cases.h"

#include "../../src/observe/handle.h"

static NOINLINE void leaf(void)
{
    OBSERVE();
}

static void start_into_the_void(void)
{
    lf_options options = {LF_OPTIONS_INIT, .exporter = "file:/dev/null", .log = harness_log};
    CHECK_INT(lf_init(&options), LF_OK);
}

/* ---- Misuse ------------------------------------------------------------------------------------------------------------- */

TEST(a_second_end_is_counted_and_changes_nothing)
{
    start();
    lf_observation *o = lf_start_observation(.name = "o");
    lf_observation_end(o);
    lf_observation_end(o);
    lf_observation_end(o, .output = LF_VALUE("late"));
    collect();
    CHECK_INT(span_count, 1);
    CHECK_SAID(spans[0], "output", "");
    CHECK_INT(stats_now().misused, 2);
    check_all_delivered(1);
}

TEST(what_is_said_after_the_end_is_counted_and_lost)
{
    start();
    lf_observation *o = lf_start_observation(.name = "o");
    lf_observation_end(o);
    lf_observation_update(o, .output = LF_VALUE("late"));
    lf_observation_output_append(o, "late", 4);
    CHECK_INT(stats_now().misused, 2);
    collect();
    CHECK_SAID(spans[0], "output", "");
}

TEST(an_ended_handle_still_knows_its_ids)
{
    start();
    lf_observation *o = lf_start_observation(.name = "o", .trace_id = "4bf92f3577b34da6a3ce929d0e0e4736");
    lf_observation_end(o);
    char trace[LF_TRACE_ID_SIZE], id[LF_OBSERVATION_ID_SIZE];
    CHECK(lf_observation_trace_id(o, trace));
    CHECK(lf_observation_id(o, id));
    CHECK_TEXT(trace, "4bf92f3577b34da6a3ce929d0e0e4736");
    collect();
    CHECK_TEXT(id_of(spans[0]), id);
}

TEST(a_handle_ended_long_ago_harms_nobody)
{
    enum { OTHERS = 3000 };
    start_into_the_void();
    lf_observation *old = lf_start_observation(.name = "old");
    lf_observation_end(old);
    lf_observation *last = NULL;
    for (int i = 0; i < OTHERS; i++) {
        last = lf_start_observation(.name = "other");
        CHECK(last != old);
        if (i + 1 < OTHERS)
            lf_observation_end(last);
    }
    char trace[LF_TRACE_ID_SIZE] = "x", of_last[LF_TRACE_ID_SIZE], of_child[LF_TRACE_ID_SIZE];
    CHECK(!lf_observation_trace_id(old, trace)); /* its memory was used again */
    CHECK_TEXT(trace, "");
    lf_observation_update(old, .name = "hijacked");
    lf_observation_output_append(old, "hijacked", 8);
    lf_observation_end(old);
    CHECK_INT(stats_now().misused, 3);
    lf_observation *child = lf_start_observation(.name = "child", .parent = old);
    CHECK(child != NULL);
    CHECK(lf_observation_trace_id(child, of_child) && lf_observation_trace_id(last, of_last));
    CHECK(strcmp(of_child, of_last) != 0);
    CHECK_INT(stats_now().misused, 4);
    CHECK_INT(stats_now().open, 2);
}

TEST(an_ended_handle_is_good_as_a_parent_for_a_while)
{
    start_into_the_void();
    lf_observation *parent = lf_start_observation(.name = "parent");
    lf_observation_end(parent);
    char trace[LF_TRACE_ID_SIZE], other[LF_TRACE_ID_SIZE];
    CHECK(lf_observation_trace_id(parent, trace));
    for (int i = 0; i < 200; i++) {
        lf_observation *child = lf_start_observation(.name = "child", .parent = parent);
        CHECK(lf_observation_trace_id(child, other));
        CHECK_TEXT(other, trace);
        lf_observation_end(child);
    }
    CHECK_INT(stats_now().misused, 0);
}

TEST(any_bits_are_a_harmless_handle)
{
    start();
    uintptr_t bits[] = {1, 64, 65, 65536, 65537, 131071, 131072, UINTPTR_MAX, UINTPTR_MAX / 2};
    char id[LF_TRACE_ID_SIZE];
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++) {
        lf_observation *o = (lf_observation *)bits[i];
        lf_observation_update(o, .name = "x");
        lf_observation_end(o);
        CHECK(!lf_observation_trace_id(o, id));
    }
    leaf();
    collect();
    CHECK_INT(span_count, 1);
    CHECK_INT(stats_now().misused, 2 * sizeof bits / sizeof *bits);
}

/* ---- Very many ---------------------------------------------------------------------------------------------------------- */

TEST(beyond_65536_open_ones_there_are_none_until_some_end)
{
    enum { WANTED = 70000 };
    start_into_the_void();
    lf_observation **handles = calloc(WANTED, sizeof *handles);
    CHECK(handles != NULL);
    size_t got = 0;
    for (size_t i = 0; i < WANTED; i++) {
        handles[i] = lf_start_observation(.name = "o");
        got += handles[i] != NULL;
        CHECK(i >= LF__HANDLES || handles[i] != NULL);
    }
    CHECK_INT(got, LF__HANDLES);
    CHECK_INT(stats_now().dropped[LF_DROP_TOO_DEEP], WANTED - LF__HANDLES);
    CHECK_INT(stats_now().open, LF__HANDLES);
    CHECK(lf_create_event(.name = "moments go on") == NULL);
    CHECK(lf_start_as_current_observation(.name = "neither") == NULL);
    lf_observation *child = lf_start_observation(.parent = handles[0]);
    CHECK(child == NULL);
    for (size_t i = 0; i < WANTED; i++)
        lf_observation_end(handles[i]);
    child = lf_start_observation(.name = "again");
    CHECK(child != NULL);
    lf_observation_end(child);
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_ERR_LOST);
    lf_stats stats = stats_now();
    CHECK_INT(stats.open, 0);
    CHECK_INT(stats.misused, 0);
    CHECK_INT(stats.delivered, LF__HANDLES + 2); /* one is the moment */
    CHECK_INT(stats.accepted, stats.delivered + stats.dropped_total);
    free(handles);
}

static size_t resident_bytes(void)
{
    unsigned long pages = 0;
    FILE *stream = fopen("/proc/self/statm", "r");
    CHECK(stream != NULL);
    CHECK_INT(fscanf(stream, "%*u %lu", &pages), 1);
    fclose(stream);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

TEST(fewer_handles_may_be_open_if_an_option_says_so)
{
    lf_options options = to_file(harness_path);
    options.max_handles = 100; /* in steps of 64 */
    CHECK_INT(lf_init(&options), LF_OK);
    static lf_observation *some[300];
    int got = 0;
    for (int i = 0; i < 300; i++)
        got += (some[i] = lf_start_observation(.name = "handle")) != NULL;
    CHECK_INT(got, 128);
    CHECK_INT(stats_now().dropped[LF_DROP_TOO_DEEP], 300 - 128);
    for (int i = 0; i < 300; i++)
        lf_observation_end(some[i]);
    lf_observation *again = lf_start_observation(.name = "again");
    CHECK(again != NULL);
    lf_observation_end(again);
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_ERR_LOST);
    CHECK_INT(stats_now().delivered, 129);
}

TEST(and_they_may_hold_less)
{
    lf_options options = to_file(harness_path);
    options.max_handle_bytes = 100000;
    CHECK_INT(lf_init(&options), LF_OK);
    static char text[40001];
    memset(text, 'x', sizeof text - 1);
    lf_observation *some[10];
    for (int i = 0; i < 10; i++)
        some[i] = lf_start_observation(.name = "handle", .input = LF_VALUE(text));
    CHECK(stats_now().left_out >= 8);
    for (int i = 0; i < 10; i++)
        lf_observation_end(some[i]);
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
    CHECK_INT(stats_now().delivered, 10);
}

TEST(open_handles_hold_no_more_memory_than_they_may)
{
    enum { COUNT = 300, SIZE = 900000, SLACK = 64 << 20 };
    lf_options options = {LF_OPTIONS_INIT, .exporter = "file:/dev/null", .log = keep_line};
    CHECK_INT(lf_init(&options), LF_OK);
    char *text = malloc(SIZE);
    lf_observation *handles[COUNT];
    CHECK(text != NULL);
    memset(text, 'x', SIZE);
    size_t before = resident_bytes();
    for (int i = 0; i < COUNT; i++)
        handles[i] = lf_start_observation(.name = "o", .input = lf_strn(text, SIZE));
    if (HARNESS_TSAN || HARNESS_ASAN)
        harness_skip("the memory of open handles", "the checker's shadow memory is part of what the system counts");
    else
        CHECK(resident_bytes() - before < LF__HANDLE_BYTES + SLACK); /* of 270 MB */
    for (int i = 0; i < COUNT; i++) {
        CHECK(handles[i] != NULL);
        lf_observation_update(handles[i], .output = lf_strn(text, SIZE / 10));
        lf_observation_end(handles[i]);
        CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK); /* a thread's ring is smaller than all of it */
    }
    free(text);
    check_all_delivered(COUNT); /* some without what had no room: */
    uint64_t left_out = stats_now().left_out;
    CHECK(left_out >= COUNT - LF__HANDLE_BYTES / SIZE && left_out <= 2 * COUNT);
    CHECK_INT(lines_with("left out"), 1);
    CHECK_INT(lines_with("LANGFUSE_MAX_EVENT_SIZE_BYTES"), 1);
}

/* More threads than there are slots for every one to keep some. */
enum { CROWD = 300, CROWD_EACH = 8 };

static struct {
    pthread_barrier_t done;
    _Atomic int missing;
} crowd;

static void *uses_a_few(void *unused)
{
    (void)unused;
    for (int i = 0; i < CROWD_EACH; i++) {
        lf_observation *o = lf_start_observation(.name = "o");
        atomic_fetch_add(&crowd.missing, o == NULL);
        lf_observation_end(o);
    }
    pthread_barrier_wait(&crowd.done); /* all live on, as in a pool */
    return NULL;
}

TEST(hundreds_of_threads_with_a_few_handles_each_all_get_them)
{
    start_into_the_void();
    pthread_t threads[CROWD];
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 256 << 10);
    CHECK_INT(pthread_barrier_init(&crowd.done, NULL, CROWD), 0);
    for (int i = 0; i < CROWD; i++)
        CHECK_INT(pthread_create(&threads[i], &small, uses_a_few, NULL), 0);
    for (int i = 0; i < CROWD; i++)
        pthread_join(threads[i], NULL);
    pthread_attr_destroy(&small);
    CHECK_INT(crowd.missing, 0);
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
    check_all_delivered(CROWD * CROWD_EACH);
}

/* ---- Other threads ------------------------------------------------------------------------------------------------------ */

enum { RELAY = 20000, RELAY_SLOTS = 64 };

static struct {
    _Atomic(lf_observation *) slots[RELAY_SLOTS];
    _Atomic bool over;
} relay;

static void *ends_what_others_start(void *unused)
{
    (void)unused;
    for (bool over = false; !over;) {
        over = atomic_load(&relay.over);
        for (int i = 0; i < RELAY_SLOTS; i++) {
            lf_observation *o = atomic_exchange(&relay.slots[i], NULL);
            if (o != NULL)
                lf_observation_end(o, .output = LF_VALUE(i));
            over = over && o == NULL;
        }
    }
    return NULL;
}

TEST(one_thread_may_start_for_ever_what_another_ends)
{
    const int count = rounds(RELAY);
    start_into_the_void();
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, ends_what_others_start, NULL), 0);
    for (int i = 0; i < count; i++) {
        lf_observation *o = lf_start_observation(.name = "o");
        CHECK(o != NULL);
        lf_observation *none = NULL;
        while (!atomic_compare_exchange_weak(&relay.slots[i % RELAY_SLOTS], &none, o)) {
            none = NULL;
            sched_yield();
        }
    }
    atomic_store(&relay.over, true);
    pthread_join(thread, NULL);
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
    check_all_delivered((uint64_t)count);
    CHECK_INT(stats_now().misused, 0);
}

enum { SHARERS = 8, SHARED_ROUNDS = 400 };

static struct {
    pthread_barrier_t step;
    lf_observation *shared;
    _Atomic int ended;
} sharing;

static void *shares(void *number)
{
    const intptr_t me = (intptr_t)number;
    for (int round = 0; round < rounds(SHARED_ROUNDS); round++) {
        if (me == 0)
            sharing.shared = lf_start_observation(.name = "shared");
        pthread_barrier_wait(&sharing.step);
        OBSERVE_ATTRIBUTES(.user_id = "u", .metadata = LF_OBJECT("me", (int)me));
        char key[32];
        snprintf(key, sizeof key, "k%d", (int)me);
        lf_observation_update(sharing.shared, .metadata = LF_OBJECT(key, round));
        lf_observation_output_append(sharing.shared, "x", 1);
        lf_observation *child = lf_start_as_current_observation(.name = "child", .parent = sharing.shared);
        leaf();
        lf_update_current_trace(.metadata = LF_OBJECT(key, round));
        lf_score_current_trace(.name = "s", .value = round);
        lf_observation_end(child);
        pthread_barrier_wait(&sharing.step);
        lf_observation_end(sharing.shared); /* one of them will do it */
        pthread_barrier_wait(&sharing.step);
    }
    return NULL;
}

/* Python: test_thread_safe_metadata_updates, test_async_span_operations */
TEST(eight_threads_share_a_handle)
{
    const uint64_t count = (uint64_t)rounds(SHARED_ROUNDS);
    start();
    pthread_t threads[SHARERS];
    CHECK_INT(pthread_barrier_init(&sharing.step, NULL, SHARERS), 0);
    for (intptr_t i = 0; i < SHARERS; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, shares, (void *)i), 0);
    for (int i = 0; i < SHARERS; i++)
        pthread_join(threads[i], NULL);
    collect();
    check_all_delivered(count * (1 + 3 * SHARERS));
    CHECK_INT(stats_now().misused, count * (SHARERS - 1));
    CHECK_INT(count_named("shared"), count);
    for (size_t n = 0; n < count; n++) {
        const cJSON *shared = nth_named("shared", n);
        for (int i = 0; i < SHARERS; i++) {
            char key[64];
            snprintf(key, sizeof key, "metadata.k%d", i);
            CHECK(said(shared, key)[0] != '\0');
        }
        CHECK_TEXT(said(shared, "output"), "xxxxxxxx");
    }
    for (size_t n = 0; n < count * SHARERS; n++)
        CHECK_HAS(nth_named("leaf", n), "user.id", "u");
}

/* ---- Fork --------------------------------------------------------------------------------------------------------------- */

static void start_in_child(void)
{
    char path[300];
    snprintf(path, sizeof path, "%s.child", harness_path);
    (void)lf_shutdown(0);
    lf_options options = to_file(path);
    CHECK_INT(lf_init(&options), LF_OK);
}

TEST(in_a_forked_child_the_parents_handles_have_ended_and_are_good_as_parents)
{
    SKIP_WHERE_FORK_IS_NOT_SUPPORTED(in_a_forked_child_the_parents_handles_have_ended_and_are_good_as_parents);
    start();
    lf_observation *o = lf_start_observation(.name = "o", .input = LF_VALUE("in"));
    pid_t child = fork();
    if (child == 0) {
        start_in_child();
        lf_observation_update(o, .output = LF_VALUE("from the child"));
        lf_observation_end(o);
        CHECK_INT(stats_now().misused, 2);
        lf_observation_end(lf_start_observation(.name = "below", .parent = o));
        CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
        exit(0);
    }
    CHECK_INT(end_of_child(child), 0);
    lf_observation_end(o, .output = LF_VALUE("from the parent"));
    collect();
    CHECK_INT(span_count, 1);
    CHECK_SAID(span_named("o"), "output", "from the parent");
    char id[LF_OBSERVATION_ID_SIZE], path[300];
    snprintf(id, sizeof id, "%s", id_of(span_named("o")));
    snprintf(path, sizeof path, "%s.child", harness_path);
    read_spans(path);
    CHECK_INT(span_count, 1);
    CHECK_TEXT(parent_of(span_named("below")), id);
}

TEST(a_handle_that_was_current_is_so_in_the_child_as_a_place_only)
{
    SKIP_WHERE_FORK_IS_NOT_SUPPORTED(a_handle_that_was_current_is_so_in_the_child_as_a_place_only);
    start();
    lf_observation *o = lf_start_as_current_observation(.name = "o");
    char id[LF_OBSERVATION_ID_SIZE];
    CHECK(lf_current_observation_id(id));
    pid_t child = fork();
    if (child == 0) {
        leaf();
        CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
        exit(0);
    }
    CHECK_INT(end_of_child(child), 0);
    lf_observation_end(o);
    collect();
    CHECK_INT(span_count, 2);
    CHECK_CHILD(span_named("leaf"), span_named("o"));
}

static void open_all(void)
{
    for (size_t i = 0; i < LF__HANDLES; i++)
        CHECK(lf_start_observation(.name = "o") != NULL);
    CHECK(lf_start_observation(.name = "one too many") == NULL);
}

TEST(a_forked_child_has_all_handles_to_itself)
{
    SKIP_WHERE_FORK_IS_NOT_SUPPORTED(a_forked_child_has_all_handles_to_itself);
    start_into_the_void();
    open_all();
    for (int generation = 0; generation < 2; generation++) {
        pid_t child = fork();
        if (child != 0) {
            CHECK_INT(end_of_child(child), 0);
            _exit(0);
        }
        open_all();
    }
    _exit(0);
}

static struct {
    lf_observation *_Atomic shared;
    _Atomic bool over;
} restless;

static void *never_rests(void *unused)
{
    (void)unused;
    lf_observation *kept[40] = {NULL};
    for (unsigned i = 0; !atomic_load(&restless.over); i++) {
        lf_observation *shared = atomic_load(&restless.shared);
        lf_observation_update(shared, .output = LF_VALUE(i));
        lf_observation *o = lf_start_as_current_observation(.name = "o", .parent = shared);
        lf_observation_end(kept[i % 40]);
        kept[i % 40] = lf_start_observation(.name = "kept", .input = LF_VALUE("long enough to be worth copying"));
        lf_observation_end(o);
    }
    return NULL;
}

TEST(forking_while_other_threads_use_handles_leaves_a_child_that_can_too)
{
    enum { THREADS = 4, FORKS = 40, SHARED_MS = 5 };
    SKIP_WHERE_FORK_IS_NOT_SUPPORTED(forking_while_other_threads_use_handles_leaves_a_child_that_can_too);
    start_into_the_void();
    pthread_t threads[THREADS];
    atomic_store(&restless.shared, lf_start_observation(.name = "shared"));
    for (int i = 0; i < THREADS; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, never_rests, NULL), 0);
    for (int i = 0; i < rounds(FORKS); i++) {
        sleep_ms(SHARED_MS);
        lf_observation *shared = atomic_exchange(&restless.shared, lf_start_observation(.name = "shared"));
        pid_t child = fork();
        if (child == 0) {
            lf_observation *mine[400];
            for (int n = 0; n < 400; n++)
                CHECK((mine[n] = lf_start_observation(.name = "mine", .parent = shared)) != NULL);
            for (int n = 0; n < 400; n++)
                lf_observation_end(mine[n]);
            lf_observation_end(shared);
            CHECK(stats_now().misused >= 1); /* it was the parent's */
            CHECK_INT(stats_now().open, 0);
            harness_leaves_threads_behind = true;
            harness_leave();
            _exit(0);
        }
        CHECK_INT(end_of_child(child), 0);
        lf_observation_end(shared);
    }
    atomic_store(&restless.over, true);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    lf_observation_end(atomic_load(&restless.shared));
}

/* ---- Shutdown and exit -------------------------------------------------------------------------------------------------- */

TEST(shutdown_sends_open_handles_marked)
{
    start();
    lf_observation *o = lf_start_observation(.name = "o", .input = LF_VALUE("in"));
    lf_observation *current = lf_start_as_current_observation(.name = "current");
    CHECK_INT(lf_shutdown(HARNESS_WAIT_MS), LF_OK);
    lf_observation_update(o, .output = LF_VALUE("late"));
    lf_observation_end(o);
    CHECK(lf_start_observation(.name = "nobody") == NULL);
    read_spans(harness_path);
    CHECK_INT(span_count, 2);
    CHECK(is_incomplete(span_named("o"), "interrupted"));
    CHECK(is_incomplete(span_named("current"), "interrupted"));
    CHECK_SAID(span_named("o"), "input", "in");
    CHECK_SAID(span_named("o"), "level", "WARNING");
    check_all_delivered(2);

    start(); /* the old handles are no handles of the new start */
    lf_observation_end(o);
    lf_observation_end(current);
    CHECK_INT(stats_now().misused, 2);
    leaf();
    collect();
    CHECK_ROOT(span_named("leaf"));
}

static void exits_with_open_handles(void)
{
    start();
    lf_start_observation(.name = "left", .output = LF_VALUE("so far"));
    lf_start_as_current_observation(.name = "current");
    lf_observation_end(lf_start_observation(.name = "ended"));
}

TEST(exit_sends_open_handles_marked)
{
    CHECK_INT(end_of(exits_with_open_handles), 0);
    read_spans(harness_path);
    CHECK_INT(span_count, 3);
    CHECK(is_incomplete(span_named("left"), "interrupted"));
    CHECK(is_incomplete(span_named("current"), "interrupted"));
    CHECK(!is_incomplete(span_named("ended"), "interrupted"));
    CHECK_CHILD(span_named("ended"), span_named("current"));
    CHECK_SAID(span_named("left"), "output", "so far");
}

static void *opens_and_ends(void *out_handle)
{
    lf_observation **out = out_handle;
    *out = lf_start_observation(.name = "survivor");
    lf_start_as_current_observation(.name = "current there");
    return NULL;
}

TEST(a_handle_outlives_the_thread_that_started_it)
{
    start();
    lf_observation *o = NULL;
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, opens_and_ends, &o), 0);
    pthread_join(thread, NULL);
    CHECK_INT(stats_now().open, 2);
    lf_observation_end(o);
    CHECK_INT(lf_shutdown(HARNESS_WAIT_MS), LF_OK);
    read_spans(harness_path);
    CHECK(!is_incomplete(span_named("survivor"), "abandoned"));
    CHECK_SAID(span_named("survivor"), "level", "");
    CHECK(is_incomplete(span_named("current there"), "interrupted"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_end_is_counted_and_changes_nothing),
        cmocka_unit_test(what_is_said_after_the_end_is_counted_and_lost),
        cmocka_unit_test(an_ended_handle_still_knows_its_ids),
        cmocka_unit_test(a_handle_ended_long_ago_harms_nobody),
        cmocka_unit_test(an_ended_handle_is_good_as_a_parent_for_a_while),
        cmocka_unit_test(any_bits_are_a_harmless_handle),
        cmocka_unit_test(beyond_65536_open_ones_there_are_none_until_some_end),
        cmocka_unit_test(fewer_handles_may_be_open_if_an_option_says_so),
        cmocka_unit_test(and_they_may_hold_less),
        cmocka_unit_test(open_handles_hold_no_more_memory_than_they_may),
        cmocka_unit_test(hundreds_of_threads_with_a_few_handles_each_all_get_them),
        cmocka_unit_test(one_thread_may_start_for_ever_what_another_ends),
        cmocka_unit_test(eight_threads_share_a_handle),
        cmocka_unit_test(in_a_forked_child_the_parents_handles_have_ended_and_are_good_as_parents),
        cmocka_unit_test(a_handle_that_was_current_is_so_in_the_child_as_a_place_only),
        cmocka_unit_test(a_forked_child_has_all_handles_to_itself),
        cmocka_unit_test(forking_while_other_threads_use_handles_leaves_a_child_that_can_too),
        cmocka_unit_test(shutdown_sends_open_handles_marked),
        cmocka_unit_test(exit_sends_open_handles_marked),
        cmocka_unit_test(a_handle_outlives_the_thread_that_started_it),
    };
    return cmocka_run_group_tests_name("handle", tests, NULL, NULL);
}
