/* Several projects in one process: nothing of one arrives at another. */
#include "cases.h"

#include "../../src/base/clients.h"

static NOINLINE void leaf(void)
{
    OBSERVE();
}

static char other_path[300];

static lf_options to_other(void)
{
    static char exporter[400];
    snprintf(other_path, sizeof other_path, "%s.other", harness_path);
    snprintf(exporter, sizeof exporter, "file:%s", other_path);
    return (lf_options){LF_OPTIONS_INIT, .exporter = exporter, .log = keep_line};
}

static lf_client *new_other(void)
{
    lf_options options = to_other();
    lf_client *client = lf_client_new(&options);
    CHECK(client != NULL);
    return client;
}

static void collect_other(void)
{
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
    read_spans(other_path);
}

static NOINLINE void at_client(lf_client *client)
{
    OBSERVE_WITH((.client = client));
    leaf();
    lf_observation_end(lf_start_observation(.name = "handle"));
    lf_create_event(.name = "moment");
    lf_update_current_trace(.user_id = "u");
    lf_score_current_trace(.name = "score", .value = 1);
}

/* Python: test_spans_routed_to_correct_exporters, test_sdk_client_isolation */
TEST(what_names_a_client_and_all_below_goes_there_and_nowhere_else)
{
    start_quiet();
    lf_client *other = new_other();
    at_client(other);
    leaf();
    collect();
    CHECK_INT(span_count, 1);
    CHECK_TEXT(name_of(spans[0]), "leaf");
    CHECK_HAS_NOT(spans[0], "user.id");
    collect_scores();
    CHECK_INT(event_count, 0);
    collect_other();
    CHECK_INT(span_count, 4);
    for (size_t i = 0; i < 4; i++)
        CHECK_HAS(spans[i], "user.id", "u");
    CHECK_CHILD(span_named("leaf"), span_named("at_client"));
    CHECK_CHILD(span_named("handle"), span_named("at_client"));
    collect_scores_of(other_path);
    CHECK_INT(count_scores("score"), 1);
    check_all_delivered(6);
}

static NOINLINE void default_around(lf_client *other)
{
    OBSERVE();
    at_client(other);
    lf_observation_end(lf_start_observation(.name = "far", .client = other));
    lf_create_event(.name = "far moment", .client = other);
}

/* Python: test_cross_project_tracing */
TEST(a_child_for_another_client_is_a_root_there)
{
    start_quiet();
    default_around(new_other());
    collect();
    CHECK_INT(span_count, 1);
    char trace[LF_TRACE_ID_SIZE];
    snprintf(trace, sizeof trace, "%s", trace_of(spans[0]));
    collect_other();
    static const char *const roots[] = {"at_client", "far", "far moment"};
    for (size_t i = 0; i < 3; i++) {
        CHECK_ROOT(span_named(roots[i]));
        CHECK_APP_ROOT(span_named(roots[i]));
        CHECK_TEXT(trace_of(span_named(roots[i])), trace); /* both projects can be looked at side by side */
    }
    CHECK_CHILD(span_named("leaf"), span_named("at_client"));
    CHECK_NO_APP_ROOT(span_named("leaf"));
}

TEST(a_handle_as_parent_gives_its_client_unless_another_is_named)
{
    start_quiet();
    lf_client *other = new_other();
    lf_observation *here = lf_start_observation(.name = "here"), *there = lf_start_observation(.name = "there", .client = other);
    lf_observation_end(lf_start_observation(.name = "below there", .parent = there));
    lf_observation_end(lf_start_observation(.name = "from here to there", .parent = here, .client = other));
    lf_observation_end(here);
    lf_observation_end(there);
    collect();
    CHECK_INT(span_count, 1);
    CHECK_TEXT(name_of(spans[0]), "here");
    collect_other();
    CHECK_CHILD(span_named("below there"), span_named("there"));
    CHECK_ROOT(span_named("from here to there"));
    CHECK_APP_ROOT(span_named("from here to there"));
}

static void *leaf_there(void *unused)
{
    (void)unused;
    leaf();
    return NULL;
}

TEST(threads_and_contexts_stay_with_the_client)
{
    start_quiet();
    lf_client *other = new_other();
    {
        OBSERVE_WITH((.name = "there", .client = other));
        pthread_t thread;
        CHECK_INT(lf_thread_create(&thread, NULL, leaf_there, NULL), 0);
        pthread_join(thread, NULL);
        lf_context *context = lf_context_copy();
        lf_context_run(context, leaf_there, NULL);
        lf_context_free(context);
        OBSERVE_ATTRIBUTES(.user_id = "u");
        leaf();
    }
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
    CHECK(access(harness_path, F_OK) != 0);
    collect_other();
    CHECK_INT(span_count, 4);
    CHECK_INT(count_named("leaf"), 3);
}

TEST(updates_and_scores_by_trace_id_go_to_the_named_client)
{
    start_quiet();
    lf_client *other = new_other();
    lf_observation *here = lf_start_observation(.name = "here", .trace_id = "t");
    lf_observation *there = lf_start_observation(.name = "there", .trace_id = "t", .client = other);
    lf_update_current_trace(.trace_id = "t", .client = other, .user_id = "u");
    CHECK_INT(lf_create_score(.name = "s", .value = 1, .trace_id = "t", .client = other), LF_OK);
    CHECK_INT(lf_create_score(.name = "by handle", .value = 1, .observation = there), LF_OK);
    lf_observation_end(here);
    lf_observation_end(there);
    collect();
    CHECK_HAS_NOT(span_named("here"), "user.id");
    collect_other();
    CHECK_HAS(span_named("there"), "user.id", "u");
    collect_scores_of(other_path);
    CHECK_INT(event_count, 2);
    CHECK_MEMBER(score_named("by handle"), "traceId", trace_of(span_named("there")));
    collect_scores();
    CHECK_INT(event_count, 0);
}

TEST(each_client_samples_by_itself)
{
    start_quiet();
    lf_options options = to_other();
    options.sample_rate = LF_SAMPLE_NONE;
    lf_client *other = lf_client_new(&options);
    default_around(other);
    collect();
    CHECK_INT(span_count, 1);
    CHECK(access(other_path, F_OK) != 0);
    check_all_delivered(1);
}

TEST(a_client_may_be_the_only_one)
{
    lf_client *other = new_other(); /* the default one has no keys */
    at_client(other);
    leaf();
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
    collect_other();
    CHECK_INT(span_count, 4);
    CHECK_INT(count_named("leaf"), 1);
    check_all_delivered(5);
}

static const char *header(void *parent, const char *name)
{
    return strcmp(name, "traceparent") == 0 ? parent : NULL;
}

TEST(what_a_sender_keeps_is_not_kept_by_a_client_that_is_off)
{
    static char parent[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    new_other(); /* tracing is on, but not for the default client */
    lf_context *context = lf_extract(header, parent);
    {
        OBSERVE_CONTEXT(context);
        leaf();
        OBSERVE_ATTRIBUTES(.user_id = "u");
        leaf();
    }
    lf_context_free(context);
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
    check_all_delivered(0);
}

TEST(a_client_without_keys_takes_everything_and_sends_nothing)
{
    start_quiet();
    lf_client *mute = lf_client_new(&(lf_options){LF_OPTIONS_INIT, .log = keep_line});
    CHECK(mute != NULL);
    at_client(mute);
    leaf();
    collect();
    CHECK_INT(span_count, 1);
    check_all_delivered(1);
    lf_client_free(mute);
    leaf();
    collect();
    CHECK_INT(span_count, 2);
}

/* ---- The end of a client ------------------------------------------------------------------------------------------------ */

TEST(freeing_a_client_sends_what_it_has)
{
    start_quiet();
    lf_client *other = new_other();
    at_client(other);
    lf_client_free(other);
    read_spans(other_path);
    CHECK_INT(span_count, 4);
    at_client(other); /* not recorded */
    leaf();
    lf_client_free(other);
    lf_client_free(NULL);
    collect();
    CHECK_INT(span_count, 1);
    read_spans(other_path);
    CHECK_INT(span_count, 4);
    check_all_delivered(6);
}

static NOINLINE void frees_inside(lf_client *other)
{
    OBSERVE_WITH((.client = other));
    lf_observation *o = lf_start_observation(.name = "o");
    lf_client_free(other);
    leaf();
    lf_observation_end(o);
}

TEST(a_client_may_be_freed_while_it_is_observed)
{
    start_quiet();
    frees_inside(new_other());
    (void)lf_flush(HARNESS_WAIT_MS);
    CHECK(access(other_path, F_OK) != 0);
    lf_stats stats = stats_now();
    CHECK_INT(stats.accepted, stats.dropped[LF_DROP_SHUTDOWN]);
    CHECK_INT(stats.open, 0);
    leaf();
    collect();
    CHECK_INT(span_count, 1);
}

static struct {
    lf_client *client;
    _Atomic bool over;
} busy;

static void *observes_all_the_time(void *unused)
{
    (void)unused;
    while (!atomic_load(&busy.over))
        at_client(busy.client);
    return NULL;
}

TEST(clients_come_and_go_under_load)
{
    enum { THREADS = 4 };
    start_quiet();
    for (int i = 0; i < 6; i++) {
        pthread_t threads[THREADS];
        busy.client = new_other();
        atomic_store(&busy.over, false);
        for (int t = 0; t < THREADS; t++)
            CHECK_INT(pthread_create(&threads[t], NULL, observes_all_the_time, NULL), 0);
        sleep_ms(10);
        lf_client_free(busy.client);
        atomic_store(&busy.over, true);
        for (int t = 0; t < THREADS; t++)
            pthread_join(threads[t], NULL);
    }
    (void)lf_flush(HARNESS_WAIT_MS);
    lf_stats stats = stats_now();
    CHECK_INT(stats.accepted, stats.delivered + stats.dropped_total);
    CHECK_INT(stats.queued, 0);
    CHECK_INT(stats.open, 0);
    CHECK_INT(stats.dropped_total, stats.dropped[LF_DROP_SHUTDOWN]);
    leaf();
    collect();
    CHECK_INT(span_count, 1);
}

TEST(a_client_is_observed_while_another_thread_stops_and_starts_all)
{
    pthread_t thread;
    start_quiet();
    busy.client = new_other();
    CHECK_INT(pthread_create(&thread, NULL, observes_all_the_time, NULL), 0);
    for (int i = 0; i < rounds(30); i++) {
        (void)lf_shutdown(HARNESS_WAIT_MS);
        start_quiet();
    }
    atomic_store(&busy.over, true);
    pthread_join(thread, NULL);
    (void)lf_flush(HARNESS_WAIT_MS);
    lf_stats stats = stats_now();
    CHECK_INT(stats.accepted, stats.delivered + stats.dropped_total);
    CHECK_INT(stats.queued, 0);
    CHECK_INT(stats.open, 0);
}

/* ---- Starting and stopping ---------------------------------------------------------------------------------------------- */

TEST(shutdown_stops_all_and_init_starts_all_again)
{
    start_quiet();
    lf_client *other = new_other();
    at_client(other);
    CHECK_INT(lf_shutdown(HARNESS_WAIT_MS), LF_OK);
    at_client(other);
    read_spans(other_path);
    CHECK_INT(span_count, 4);
    start_quiet();
    at_client(other);
    collect_other();
    CHECK_INT(span_count, 8);
    check_all_delivered(10);
}

enum { FREED_MAX = 50 };
static struct {
    lf_client *clients[FREED_MAX];
    _Atomic size_t count;
    _Atomic size_t on;
} freed;

static void *starts_and_stops(void *unused)
{
    (void)unused;
    while (!atomic_load(&busy.over)) {
        (void)lf_shutdown(0);
        start_quiet();
        for (size_t i = 0; i < atomic_load(&freed.count); i++)
            freed.on += atomic_load(&lf__client_on[lf__client_index(freed.clients[i])]);
    }
    return NULL;
}

/* A start, which starts all clients, comes before or after a client is freed: nothing switches it on again. */
TEST(a_client_is_freed_while_all_start_again)
{
    start_quiet();
    atomic_store(&busy.over, false);
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, starts_and_stops, NULL), 0);
    for (size_t i = 0; i < FREED_MAX; i++) {
        freed.clients[i] = new_other();
        lf_client_free(freed.clients[i]);
        freed.count++;
    }
    atomic_store(&busy.over, true);
    pthread_join(thread, NULL);
    CHECK_INT(freed.on, 0);
}

TEST(a_client_made_after_shutdown_does_not_wake_the_default_one)
{
    start_quiet();
    leaf();
    CHECK_INT(lf_shutdown(HARNESS_WAIT_MS), LF_OK);
    lf_client *other = new_other();
    leaf(); /* the default client is shut down */
    at_client(other);
    collect_other();
    CHECK_INT(span_count, 4);
    read_spans(harness_path);
    CHECK_INT(span_count, 1);
    check_all_delivered(6);
    start_quiet();
    leaf();
    collect();
    CHECK_INT(span_count, 2);
}

TEST(a_client_leaves_the_log_of_the_default_one_alone)
{
    start_quiet();
    lf_options options = to_other();
    options.log = NULL; /* its own lines may go to stderr */
    lf_client *other = lf_client_new(&options);
    CHECK(other != NULL);
    {
        char text[202];
        memset(text, 'x', 201);
        text[201] = '\0';
        OBSERVE_ATTRIBUTES(.user_id = text);
        leaf();
    }
    collect();
    CHECK_INT(lines_with("user_id is longer"), 1);
}

TEST(a_process_makes_a_limited_number_and_says_so)
{
    start_quiet();
    lf_client *last = NULL;
    for (int i = 1; i < LF__CLIENT_NONE; i++) {
        lf_options options = to_other();
        lf_client *client = lf_client_new(&options);
        CHECK(client != NULL && client != last);
        last = client;
        if (i % 2 == 1)
            lf_client_free(client); /* numbers are not used again */
    }
    CHECK_INT(lines_with("clients"), 0);
    for (int i = 0; i < 5; i++) {
        lf_client *none = new_other();
        CHECK(none != last);
        at_client(none);
        lf_client_free(none);
    }
    CHECK(lines_with("no more than") >= 1);
    at_client(last);
    leaf();
    collect();
    CHECK_INT(span_count, 1);
    collect_other();
    CHECK_INT(span_count, 4);
    check_all_delivered(6);
}

TEST(a_forked_child_has_its_clients)
{
    SKIP_WHERE_FORK_IS_NOT_SUPPORTED(a_forked_child_has_its_clients);
    start_quiet();
    lf_client *other = new_other();
    pid_t child = fork();
    if (child == 0) {
        at_client(other);
        CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
        check_all_delivered(5);
        exit(0);
    }
    CHECK_INT(end_of_child(child), 0);
    read_spans(other_path);
    CHECK_INT(span_count, 4);
}

static void exits_with_clients(void)
{
    start_quiet();
    at_client(new_other());
    leaf();
}

TEST(exit_delivers_for_all_clients)
{
    CHECK_INT(end_of(exits_with_clients), 0);
    (void)to_other();
    read_spans(other_path);
    CHECK_INT(span_count, 4);
    read_spans(harness_path);
    CHECK_INT(span_count, 1);
}

/* ---- On the wire -------------------------------------------------------------------------------------------------------- */

TEST(each_client_has_its_server_and_its_keys)
{
    fake_server *one = start_server(), *two = start_server();
    lf_options options = to_fake(one);
    CHECK_INT(lf_init(&options), LF_OK);
    options = to_fake(two);
    options.public_key = "pk-lf-two";
    lf_client *client = lf_client_new(&options);
    leaf();
    at_client(client);
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
    read_server(one);
    CHECK_INT(span_count, 1);
    CHECK_INT(event_count, 0);
    CHECK(fake_header_is(&one->requests[0], "x-langfuse-public-key", "pk-lf-test"));
    read_server(two);
    CHECK_INT(span_count, 4);
    CHECK_INT(event_count, 1);
    for (int i = 0; i < two->request_count; i++)
        CHECK(fake_header_is(&two->requests[i], "x-langfuse-public-key", "pk-lf-two"));
    check_all_delivered(6);
    CHECK_INT(lf_shutdown(HARNESS_WAIT_MS), LF_OK);
    fake_server_free(one);
    fake_server_free(two);
}

static fake_reply refuse(fake_server *server, const fake_request *request)
{
    (void)server;
    (void)request;
    return (fake_reply){.status = 401};
}

/* lf_client_free returns nothing: what was lost, by whomever, is for the next flush to tell. */
TEST(freeing_a_client_tells_nobody_and_hides_no_loss)
{
    for (int loser = 0; loser < 2; loser++) {
        fake_server *bad = fake_server_start(refuse, NULL), *good = start_server();
        lf_options first = to_fake(loser == 0 ? bad : good), second = to_fake(loser == 0 ? good : bad);
        CHECK_INT(lf_init(&first), LF_OK);
        lf_client *other = lf_client_new(&second);
        leaf();
        at_client(other);
        lf_client_free(other);
        CHECK(stats_now().dropped[LF_DROP_REFUSED] != 0);
        CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_ERR_LOST);
        CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
        CHECK_INT(lf_shutdown(HARNESS_WAIT_MS), LF_OK);
        fake_server_free(bad);
        fake_server_free(good);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_names_a_client_and_all_below_goes_there_and_nowhere_else),
        cmocka_unit_test(a_child_for_another_client_is_a_root_there),
        cmocka_unit_test(a_handle_as_parent_gives_its_client_unless_another_is_named),
        cmocka_unit_test(threads_and_contexts_stay_with_the_client),
        cmocka_unit_test(updates_and_scores_by_trace_id_go_to_the_named_client),
        cmocka_unit_test(each_client_samples_by_itself),
        cmocka_unit_test(a_client_may_be_the_only_one),
        cmocka_unit_test(what_a_sender_keeps_is_not_kept_by_a_client_that_is_off),
        cmocka_unit_test(a_client_without_keys_takes_everything_and_sends_nothing),
        cmocka_unit_test(freeing_a_client_sends_what_it_has),
        cmocka_unit_test(a_client_may_be_freed_while_it_is_observed),
        cmocka_unit_test(clients_come_and_go_under_load),
        cmocka_unit_test(a_client_is_observed_while_another_thread_stops_and_starts_all),
        cmocka_unit_test(shutdown_stops_all_and_init_starts_all_again),
        cmocka_unit_test(a_client_is_freed_while_all_start_again),
        cmocka_unit_test(a_client_made_after_shutdown_does_not_wake_the_default_one),
        cmocka_unit_test(a_client_leaves_the_log_of_the_default_one_alone),
        cmocka_unit_test(a_process_makes_a_limited_number_and_says_so),
        cmocka_unit_test(a_forked_child_has_its_clients),
        cmocka_unit_test(exit_delivers_for_all_clients),
        cmocka_unit_test(each_client_has_its_server_and_its_keys),
        cmocka_unit_test(freeing_a_client_tells_nobody_and_hides_no_loss),
    };
    return cmocka_run_group_tests_name("clients", tests, NULL, NULL);
}
