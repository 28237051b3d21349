/* lf_update_current_trace: what is said of a trace rides on every observation of it that has not been sent. Masking, and the
 * batch endpoint as the way out of a whole program.
 */
#include "cases.h"

static NOINLINE void leaf(void)
{
    OBSERVE();
}

/* ---- Depth and siblings ------------------------------------------------------------------------------------------------- */

static NOINLINE void says_it(void)
{
    OBSERVE();
    lf_update_current_trace(.name = "n", .user_id = "u", .session_id = "s", .version = "v", .release = "r",
                            .tags = LF_TAGS("a", "b"), .metadata = LF_OBJECT("k", 5), .input = LF_OBJECT("q", 1),
                            .output = LF_VALUE("answer"), .public_ = LF_ON);
}

static NOINLINE void has_children(void)
{
    OBSERVE();
    leaf();
    says_it();
    leaf();
}

/* Python v2: test_merge_metadata_and_tags; v3: update_current_trace */
TEST(an_update_from_below_reaches_ancestors_and_siblings)
{
    start();
    has_children();
    leaf(); /* another trace */
    collect();
    CHECK_INT(span_count, 5);
    for (size_t i = 0; i < 4; i++) {
        CHECK_HAS(spans[i], "langfuse.trace.name", "n");
        CHECK_HAS(spans[i], "user.id", "u");
        CHECK_HAS(spans[i], "session.id", "s");
        CHECK_HAS(spans[i], "langfuse.version", "v");
        CHECK_HAS(spans[i], "langfuse.release", "r");
        CHECK_HAS(spans[i], "langfuse.trace.tags", "a,b");
        CHECK_HAS(spans[i], "langfuse.trace.metadata.k", "5");
        CHECK_HAS(spans[i], "langfuse.trace.input", "{\"q\":1}");
        CHECK_HAS(spans[i], "langfuse.trace.output", "answer");
        CHECK_HAS(spans[i], "langfuse.trace.public", "true");
    }
    CHECK_HAS_NOT(spans[4], "user.id");
    check_all_delivered(5); /* updates are no observations */
}

static NOINLINE void flushes_between(void)
{
    OBSERVE();
    leaf();
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
    lf_update_current_trace(.user_id = "late");
    leaf();
}

TEST(what_was_sent_before_stays_as_it_was)
{
    start();
    flushes_between();
    collect();
    CHECK_HAS_NOT(nth_named("leaf", 0), "user.id");
    CHECK_HAS(nth_named("leaf", 1), "user.id", "late");
    CHECK_HAS(span_named("flushes_between"), "user.id", "late");
}

static NOINLINE void says_more_and_more(void)
{
    OBSERVE();
    lf_update_current_trace(.user_id = "first", .session_id = "s", .metadata = LF_OBJECT("a", 1, "b", 1),
                            .tags = LF_TAGS("x", "y"));
    lf_update_current_trace(.user_id = "second", .metadata = LF_OBJECT("b", 2, "c", 2), .tags = LF_TAGS("y", "z"));
    lf_update_current_trace(.public_ = LF_ON);
    lf_update_current_trace(.public_ = LF_OFF);
    lf_update_current_trace_with(NULL);
}

TEST(later_updates_win_metadata_and_tags_add_up)
{
    start();
    says_more_and_more();
    collect();
    CHECK_HAS(spans[0], "user.id", "second");
    CHECK_HAS(spans[0], "session.id", "s");
    CHECK_HAS(spans[0], "langfuse.trace.metadata.a", "1");
    CHECK_HAS(spans[0], "langfuse.trace.metadata.b", "2");
    CHECK_HAS(spans[0], "langfuse.trace.metadata.c", "2");
    CHECK_HAS(spans[0], "langfuse.trace.tags", "x,y,z");
    CHECK_HAS(spans[0], "langfuse.trace.public", "false");
    CHECK_INT(attribute_count(spans[0], "user.id"), 1);
}

static NOINLINE void attributes_and_update(void)
{
    OBSERVE();
    OBSERVE_ATTRIBUTES(.user_id = "propagated", .session_id = "propagated", .tags = LF_TAGS("p"), .metadata = LF_OBJECT("p", "1"));
    lf_update_current_trace(.user_id = "said", .tags = LF_TAGS("s"), .metadata = LF_OBJECT("s", "1"));
    leaf();
}

TEST(an_update_wins_over_what_is_propagated)
{
    start();
    attributes_and_update();
    collect();
    for (size_t i = 0; i < 2; i++) {
        CHECK_HAS(spans[i], "user.id", "said");
        CHECK_HAS(spans[i], "session.id", "propagated");
        CHECK_HAS(spans[i], "langfuse.trace.tags", "p,s");
        CHECK_HAS(spans[i], "langfuse.trace.metadata.p", "\"1\"");
        CHECK_HAS(spans[i], "langfuse.trace.metadata.s", "\"1\"");
    }
}

TEST(outside_of_a_trace_nothing_happens)
{
    start();
    lf_update_current_trace(.user_id = "nobody");
    leaf();
    collect();
    CHECK_HAS_NOT(spans[0], "user.id");
    check_all_delivered(1);
}

TEST(a_long_text_said_by_hand_is_sent)
{
    char text[1001];
    memset(text, 'x', 1000);
    text[1000] = '\0';
    start();
    {
        OBSERVE();
        lf_update_current_trace(.user_id = text);
    }
    collect();
    CHECK_HAS(spans[0], "user.id", text);
}

/* ---- Other threads ------------------------------------------------------------------------------------------------------ */

static void *says_it_elsewhere(void *unused)
{
    (void)unused;
    says_it();
    return NULL;
}

static NOINLINE void waits_for(int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))
{
    OBSERVE();
    leaf();
    pthread_t thread;
    CHECK_INT(create(&thread, NULL, says_it_elsewhere, NULL), 0);
    pthread_join(thread, NULL);
}

static int plain_thread(pthread_t *thread, const pthread_attr_t *attributes, void *(*fn)(void *), void *arg)
{
    return pthread_create(thread, attributes, fn, arg);
}

TEST(an_update_from_a_thread_of_the_trace_reaches_it)
{
    start();
    waits_for(lf_thread_create);
    collect();
    CHECK_INT(span_count, 3);
    for (size_t i = 0; i < 3; i++)
        CHECK_HAS(spans[i], "user.id", "u");
}

TEST(an_update_from_a_thread_of_no_trace_stays_there)
{
    start();
    waits_for(plain_thread);
    collect();
    CHECK_HAS_NOT(span_named("waits_for"), "user.id");
    CHECK_HAS_NOT(span_named("leaf"), "user.id");
    CHECK_HAS(span_named("says_it"), "user.id", "u");
}

static void *updates_in_context(void *unused)
{
    (void)unused;
    lf_update_current_trace(.user_id = "u");
    return NULL;
}

TEST(an_attached_context_is_in_the_trace)
{
    start();
    lf_observation *o = lf_start_as_current_observation(.name = "o");
    lf_context *context = lf_context_copy();
    pthread_t thread;
    CHECK_INT(lf_thread_create(&thread, NULL, updates_in_context, NULL), 0);
    pthread_join(thread, NULL);
    lf_observation_end(o);
    lf_context_run(context, updates_in_context, NULL);
    lf_context_free(context);
    collect();
    CHECK_HAS(span_named("o"), "user.id", "u");
}

TEST(a_trace_may_be_named_from_anywhere)
{
    start();
    lf_observation *hex = lf_start_observation(.name = "hex", .trace_id = "4bf92f3577b34da6a3ce929d0e0e4736");
    lf_observation *text = lf_start_observation(.name = "text", .trace_id = "order 5");
    lf_observation *none = lf_start_observation(.name = "none");
    lf_update_current_trace(.trace_id = "4BF92F3577B34DA6A3CE929D0E0E4736", .user_id = "u1");
    lf_update_current_trace(.trace_id = "order 5", .user_id = "u2");
    lf_observation_end(hex);
    lf_observation_end(text);
    lf_observation_end(none);
    collect();
    CHECK_HAS(span_named("hex"), "user.id", "u1");
    CHECK_HAS(span_named("text"), "user.id", "u2");
    CHECK_HAS_NOT(span_named("none"), "user.id");
}

enum { TRACES = 8, UPDATES = 300 };

static void *updates_its_own(void *number)
{
    char user[16];
    snprintf(user, sizeof user, "u%d", (int)(intptr_t)number);
    for (int i = 0; i < rounds(UPDATES); i++) {
        OBSERVE_WITH((.name = user));
        leaf();
        lf_update_current_trace(.user_id = user, .metadata = LF_OBJECT("i", i));
    }
    return NULL;
}

TEST(updates_of_many_traces_in_many_threads_do_not_mix)
{
    lf_options options = quiet_file();
    options.flush_interval_ms = 60000;
    options.flush_at = 100000;
    CHECK_INT(lf_init(&options), LF_OK);
    pthread_t threads[TRACES];
    for (intptr_t i = 0; i < TRACES; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, updates_its_own, (void *)i), 0);
    for (int i = 0; i < TRACES; i++)
        pthread_join(threads[i], NULL);
    collect();
    CHECK_INT(span_count, 2 * TRACES * rounds(UPDATES));
    for (size_t i = 0; i < span_count; i++) {
        CHECK(attribute(spans[i], "user.id") != NULL);
        if (strcmp(name_of(spans[i]), "leaf") != 0)
            CHECK_HAS(spans[i], "user.id", name_of(spans[i]));
    }
}

/* ---- Masking ------------------------------------------------------------------------------------------------------------ */

static bool hides_secrets(void *data, lf_masked *value)
{
    (void)data;
    if (memmem(value->text, value->size, "fail", 4) != NULL)
        return false;
    if (memmem(value->text, value->size, "secret", 6) == NULL)
        return true;
    return lf_mask_replace(value, "***", 3, false);
}

static NOINLINE const char *knows_secrets(const char *question)
{
    OBSERVE(question);
    lf_update_current_observation(.metadata = LF_OBJECT("k", "secret"));
    lf_update_current_trace(.input = LF_VALUE("secret"), .output = LF_VALUE("fine"), .metadata = LF_OBJECT("k", "secret"));
    OBSERVE_ATTRIBUTES(.metadata = LF_OBJECT("p", "secret"));
    lf_score_current_trace(.name = "s", .string_value = "secret", .comment = "a secret");
    lf_score_current_trace(.name = "f", .value = 1, .comment = "fail");
    leaf();
    OBSERVE_RETURN("fail");
}

static void check_no_secret(const char *path)
{
    char line[1 << 16];
    FILE *stream = fopen(path, "r");
    CHECK(stream != NULL);
    while (fgets(line, sizeof line, stream) != NULL) {
        char *name;
        while ((name = strstr(line, "knows_secrets")) != NULL)
            memset(name, '-', strlen("knows_secrets"));
        CHECK(strstr(line, "secret") == NULL);
    }
    fclose(stream);
}

/* Python: test_masking; v2: test_mask_function */
TEST(what_is_masked_leaves_nowhere_and_a_hook_that_fails_hides_all)
{
    static const char failed[] = "<fully masked due to failed mask function>";
    lf_options options = quiet_file();
    options.mask = hides_secrets;
    CHECK_INT(lf_init(&options), LF_OK);
    knows_secrets("a secret");
    collect();
    const cJSON *span = span_named("knows_secrets");
    CHECK_SAID(span, "input", "***");
    CHECK_SAID(span, "output", failed);
    CHECK_HAS(span, "langfuse.trace.input", "***");
    CHECK_HAS(span, "langfuse.trace.output", "fine");
    CHECK_HAS(span_named("leaf"), "langfuse.trace.input", "***");
    check_no_secret(harness_path);
    collect_scores();
    CHECK_MEMBER(score_named("s"), "value", "***");
    CHECK_MEMBER(score_named("s"), "comment", "***");
    CHECK_MEMBER(score_named("f"), "comment", failed);
    CHECK_MEMBER(score_named("f"), "value", "1");
    char scores[300];
    snprintf(scores, sizeof scores, "%s.scores", harness_path);
    check_no_secret(scores);
    check_all_delivered(4);
}

TEST(handles_and_what_is_open_at_exit_are_masked_too)
{
    lf_options options = quiet_file();
    options.mask = hides_secrets;
    CHECK_INT(lf_init(&options), LF_OK);
    lf_observation_end(lf_start_observation(.name = "ended", .input = LF_OBJECT("a", "secret")));
    lf_start_observation(.name = "open", .output = LF_VALUE("secret"));
    CHECK_INT(lf_shutdown(HARNESS_WAIT_MS), LF_OK);
    read_spans(harness_path);
    CHECK_SAID(span_named("ended"), "input", "***");
    CHECK_SAID(span_named("open"), "output", "***");
    check_no_secret(harness_path);
}

/* ---- The batch endpoint ------------------------------------------------------------------------------------------------- */

TEST(over_the_batch_endpoint_everything_arrives_too)
{
    fake_server *server = start_server();
    lf_options options = to_fake(server);
    setenv("LANGFUSE_EXPORTER", "ingestion", 1);
    CHECK_INT(lf_init(&options), LF_OK);
    has_children();
    lf_observation *o = lf_start_observation(.name = "g", .type = LF_GENERATION, .trace_id = "my trace", .model = "m");
    lf_update_current_trace(.trace_id = "my trace", .name = "mine");
    lf_create_event(.name = "moment", .parent = o);
    CHECK_INT(lf_create_score(.name = "s", .value = 0.5, .trace_id = "my trace"), LF_OK);
    lf_observation_end(o);
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
    read_server(server);
    CHECK_INT(span_count, 0);
    CHECK_INT(count_events("span-create"), 4);
    const cJSON *root = event_named("span-create", "has_children"), *inner = event_named("span-create", "says_it");
    CHECK_NO_MEMBER(root, "parentObservationId");
    CHECK_MEMBER(inner, "parentObservationId", member(root, "id"));
    const cJSON *generation = event_named("generation-create", "g");
    CHECK_MEMBER(generation, "traceId", "my trace");
    CHECK_MEMBER(generation, "model", "m");
    CHECK_MEMBER(event_named("event-create", "moment"), "traceId", "my trace");
    CHECK_MEMBER(event_named("event-create", "moment"), "parentObservationId", member(generation, "id"));
    CHECK_MEMBER(score_named("s"), "traceId", "my trace");
    bool named = false, has_user = false;
    for (size_t i = 0; i < event_count; i++) {
        const cJSON *body = body_of(events[i]);
        if (strcmp(text_of(events[i], "type"), "trace-create") != 0)
            continue;
        named = named || (strcmp(member(body, "id"), "my trace") == 0 && strcmp(member(body, "name"), "mine") == 0);
        has_user = has_user ||
                   (strcmp(member(body, "id"), member(root, "traceId")) == 0 && strcmp(member(body, "userId"), "u") == 0);
    }
    CHECK(named);
    CHECK(has_user);
    lf_stats stats = stats_now();
    CHECK_INT(stats.accepted, stats.delivered);
    CHECK_INT(stats.dropped_total, 0);
    CHECK_INT(lf_shutdown(HARNESS_WAIT_MS), LF_OK);
    fake_server_free(server);
}

TEST(over_the_batch_endpoint_an_observation_has_one_name)
{
    fake_server *server = start_server();
    lf_options options = to_fake(server);
    options.exporter = "ingestion";
    CHECK_INT(lf_init(&options), LF_OK);
    char too_long[802];
    memset(too_long, 'x', sizeof too_long - 1); /* one more than a server takes: its digits are sent */
    too_long[sizeof too_long - 1] = '\0';
    lf_observation *named = lf_start_observation(.name = "named", .id = "step 1");
    lf_observation *hashed = lf_start_observation(.name = "hashed", .parent = named, .id = too_long);
    lf_observation_end(lf_start_observation(.name = "child", .parent = hashed));
    CHECK_INT(lf_create_score(.name = "on named", .value = 1, .observation = named), LF_OK);
    CHECK_INT(lf_create_score(.name = "on hashed", .value = 1, .observation = hashed), LF_OK);
    lf_observation_end(hashed);
    lf_observation_end(named);
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
    read_server(server);
    const char *digits = member(event_named("span-create", "hashed"), "id");
    CHECK_INT(strlen(digits), 16);
    CHECK_MEMBER(event_named("span-create", "named"), "id", "step 1");
    CHECK_MEMBER(event_named("span-create", "hashed"), "parentObservationId", "step 1");
    CHECK_MEMBER(event_named("span-create", "child"), "parentObservationId", digits);
    CHECK_MEMBER(score_named("on named"), "observationId", "step 1");
    CHECK_MEMBER(score_named("on hashed"), "observationId", digits);
    CHECK_INT(lf_shutdown(HARNESS_WAIT_MS), LF_OK);
    fake_server_free(server);
}

TEST(over_the_batch_endpoint_an_update_alone_is_an_event)
{
    fake_server *server = start_server();
    lf_options options = to_fake(server);
    options.exporter = "ingestion";
    CHECK_INT(lf_init(&options), LF_OK);
    lf_update_current_trace(.trace_id = "finished long ago", .user_id = "u");
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
    read_server(server);
    CHECK_INT(event_count, 1);
    CHECK_MEMBER(body_of(events[0]), "id", "finished long ago");
    CHECK_MEMBER(body_of(events[0]), "userId", "u");
    check_all_delivered(1);
    CHECK_INT(lf_shutdown(HARNESS_WAIT_MS), LF_OK);
    fake_server_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_update_from_below_reaches_ancestors_and_siblings),
        cmocka_unit_test(what_was_sent_before_stays_as_it_was),
        cmocka_unit_test(later_updates_win_metadata_and_tags_add_up),
        cmocka_unit_test(an_update_wins_over_what_is_propagated),
        cmocka_unit_test(outside_of_a_trace_nothing_happens),
        cmocka_unit_test(a_long_text_said_by_hand_is_sent),
        cmocka_unit_test(an_update_from_a_thread_of_the_trace_reaches_it),
        cmocka_unit_test(an_update_from_a_thread_of_no_trace_stays_there),
        cmocka_unit_test(an_attached_context_is_in_the_trace),
        cmocka_unit_test(a_trace_may_be_named_from_anywhere),
        cmocka_unit_test(updates_of_many_traces_in_many_threads_do_not_mix),
        cmocka_unit_test(what_is_masked_leaves_nowhere_and_a_hook_that_fails_hides_all),
        cmocka_unit_test(handles_and_what_is_open_at_exit_are_masked_too),
        cmocka_unit_test(over_the_batch_endpoint_everything_arrives_too),
        cmocka_unit_test(over_the_batch_endpoint_an_observation_has_one_name),
        cmocka_unit_test(over_the_batch_endpoint_an_update_alone_is_an_event),
    };
    return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
