/* OBSERVE_ATTRIBUTES: what is propagated to everything observed in a scope, how far it reaches, and its limits. */
#include "cases.h"

static NOINLINE void leaf(void)
{
    OBSERVE();
}

static NOINLINE void around_leaf(void)
{
    OBSERVE();
    leaf();
}

/* 200 characters; a longer one in `buffer` of `size` characters. */
static const char *letters(char *buffer, size_t size)
{
    memset(buffer, 'x', size);
    buffer[size] = '\0';
    return buffer;
}

/* The same of two-byte characters. */
static const char *umlauts(char *buffer, size_t size)
{
    for (size_t i = 0; i < size; i++)
        memcpy(buffer + 2 * i, "\xc3\xa4", 2);
    buffer[2 * size] = '\0';
    return buffer;
}

/* ---- What reaches whom -------------------------------------------------------------------------------------------------- */

static NOINLINE void sets_everything(void)
{
    OBSERVE();
    OBSERVE_ATTRIBUTES(.user_id = "u", .session_id = "s", .version = "v", .trace_name = "n", .environment = "qa",
                       .tags = LF_TAGS("a", "b"), .metadata = LF_OBJECT("plan", "pro"), .prompt_name = "p", .prompt_version = 2);
    around_leaf();
}

static void check_everything(const cJSON *span)
{
    CHECK_HAS(span, "user.id", "u");
    CHECK_HAS(span, "session.id", "s");
    CHECK_HAS(span, "langfuse.version", "v");
    CHECK_HAS(span, "langfuse.trace.name", "n");
    CHECK_HAS(span, "langfuse.environment", "qa");
    CHECK_HAS(span, "langfuse.trace.tags", "a,b");
    CHECK_HAS(span, "langfuse.trace.metadata.plan", "pro");
    CHECK_HAS(span, "langfuse.observation.prompt.name", "p");
    CHECK_HAS(span, "langfuse.observation.prompt.version", "2");
}

static void check_nothing(const cJSON *span)
{
    CHECK_HAS_NOT(span, "user.id");
    CHECK_HAS_NOT(span, "session.id");
    CHECK_HAS_NOT(span, "langfuse.version");
    CHECK_HAS_NOT(span, "langfuse.trace.name");
    CHECK_HAS_NOT(span, "langfuse.trace.tags");
    CHECK_HAS_NOT(span, "langfuse.trace.metadata.plan");
    CHECK_HAS_NOT(span, "langfuse.observation.prompt.name");
}

/* Python: test_user_id_propagates_to_child_spans, test_session_id..., test_metadata..., test_all_attributes...,
 * test_current_span_gets_attributes */
TEST(all_attributes_reach_the_current_observation_and_all_below)
{
    start();
    sets_everything();
    collect();
    CHECK_INT(span_count, 3);
    for (size_t i = 0; i < span_count; i++)
        check_everything(spans[i]);
    CHECK_CHILD(span_named("around_leaf"), span_named("sets_everything"));
}

static NOINLINE void sets_late(void)
{
    OBSERVE();
    leaf();
    {
        OBSERVE_ATTRIBUTES(.user_id = "u");
        leaf();
    }
    leaf();
}

/* Python: test_late_propagation_only_future_spans_covered, test_spans_outside_context_unaffected */
TEST(only_what_begins_inside_the_scope_is_covered)
{
    start();
    leaf();
    sets_late();
    leaf();
    collect();
    check_nothing(nth_named("leaf", 0));
    check_nothing(nth_named("leaf", 1));
    CHECK_HAS(nth_named("leaf", 2), "user.id", "u");
    check_nothing(nth_named("leaf", 3));
    check_nothing(nth_named("leaf", 4));
    CHECK_HAS(span_named("sets_late"), "user.id", "u");
}

static NOINLINE void nests(void)
{
    OBSERVE_ATTRIBUTES(.user_id = "outer", .session_id = "s", .metadata = LF_OBJECT("a", "1", "b", "1"), .tags = LF_TAGS("x", "y"));
    leaf();
    {
        OBSERVE_ATTRIBUTES(.user_id = "inner", .metadata = LF_OBJECT("b", "2", "c", "2"), .tags = LF_TAGS("y", "z"));
        leaf();
    }
    leaf();
}

/* Python: test_nested_contexts_inner_overwrites, test_after_inner_context_outer_restored,
 * test_nested_metadata_merges_additively, test_tags_nested_contexts_inner_appends */
TEST(inner_text_wins_tags_and_metadata_add_up_and_the_outer_is_restored)
{
    start();
    nests();
    collect();
    const cJSON *inner = nth_named("leaf", 1);
    CHECK_HAS(inner, "user.id", "inner");
    CHECK_HAS(inner, "session.id", "s");
    CHECK_HAS(inner, "langfuse.trace.metadata.a", "\"1\"");
    CHECK_HAS(inner, "langfuse.trace.metadata.b", "\"2\"");
    CHECK_HAS(inner, "langfuse.trace.metadata.c", "\"2\"");
    CHECK_HAS(inner, "langfuse.trace.tags", "x,y,z");
    CHECK_INT(attribute_count(inner, "langfuse.trace.metadata.b"), 1);
    for (size_t i = 0; i < 3; i += 2) {
        const cJSON *outer = nth_named("leaf", i);
        CHECK_HAS(outer, "user.id", "outer");
        CHECK_HAS(outer, "langfuse.trace.metadata.b", "\"1\"");
        CHECK_HAS_NOT(outer, "langfuse.trace.metadata.c");
        CHECK_HAS(outer, "langfuse.trace.tags", "x,y");
    }
}

static NOINLINE void without_a_trace(void)
{
    OBSERVE_ATTRIBUTES(.user_id = "u");
    char id[LF_TRACE_ID_SIZE];
    CHECK(!lf_current_trace_id(id));
    lf_update_current_observation(.name = "nobody");
    lf_update_current_trace(.name = "nobody");
    leaf();
    leaf();
}

TEST(outside_of_a_trace_each_root_is_a_trace_of_its_own)
{
    start();
    without_a_trace();
    collect();
    CHECK_INT(span_count, 2);
    CHECK_HAS(spans[0], "user.id", "u");
    CHECK_HAS(spans[1], "user.id", "u");
    CHECK_ROOT(spans[0]);
    CHECK_ROOT(spans[1]);
    CHECK_APP_ROOT(spans[1]);
    CHECK(strcmp(trace_of(spans[0]), trace_of(spans[1])) != 0);
    CHECK_HAS_NOT(spans[0], "langfuse.trace.name");
}

static NOINLINE int returns_inside(int x)
{
    OBSERVE(x);
    OBSERVE_ATTRIBUTES(.user_id = "u");
    leaf();
    lf_update_current_observation(.metadata = LF_OBJECT("k", "v"));
    OBSERVE_RETURN(x * 2);
}

TEST(a_result_inside_the_scope_is_the_observations)
{
    start();
    CHECK_INT(returns_inside(4), 8);
    collect();
    const cJSON *span = span_named("returns_inside");
    CHECK_SAID(span, "input", "{\"x\":4}");
    CHECK_SAID(span, "output", "8");
    CHECK_SAID(span, "metadata.k", "v");
    CHECK_CHILD(span_named("leaf"), span);
}

static NOINLINE void streams_inside(void)
{
    OBSERVE_GENERATION();
    OBSERVE_ATTRIBUTES(.user_id = "u");
    lf_output_append("a", 1);
    {
        OBSERVE_ATTRIBUTES(.session_id = "s");
        lf_output_append("b", 1);
        OBSERVE_ERROR("half %d", 1);
    }
    lf_output_append("c", 1);
}

TEST(pieces_and_errors_inside_the_scope_are_the_observations)
{
    start();
    streams_inside();
    collect();
    CHECK_SAID(spans[0], "output", "abc");
    CHECK_SAID(spans[0], "status_message", "half 1");
    CHECK_HAS(spans[0], "session.id", "s");
}

static NOINLINE void scope_in_a_loop(int count)
{
    OBSERVE();
    for (int i = 0; i < count; i++) {
        char user[16];
        snprintf(user, sizeof user, "u%d", i);
        OBSERVE_ATTRIBUTES(.user_id = user);
        leaf();
    }
}

TEST(scopes_in_a_loop_restore_each_time)
{
    enum { COUNT = 500 };
    start();
    scope_in_a_loop(COUNT);
    collect();
    for (size_t i = 0; i < COUNT; i++) {
        char user[16];
        snprintf(user, sizeof user, "u%zu", i);
        CHECK_HAS(nth_named("leaf", i), "user.id", user);
    }
    CHECK_HAS(span_named("scope_in_a_loop"), "user.id", "u499");
    CHECK_INT(attribute_count(span_named("scope_in_a_loop"), "user.id"), 1);
}

/* ---- Handles ------------------------------------------------------------------------------------------------------------ */

TEST(handles_started_inside_the_scope_are_covered)
{
    start();
    lf_observation *o;
    {
        OBSERVE_ATTRIBUTES(.user_id = "u");
        o = lf_start_observation(.name = "o");
        lf_create_event(.name = "e", .parent = o);
    }
    lf_observation *child = lf_start_observation(.name = "child", .parent = o); /* begun outside */
    lf_observation_end(child);
    lf_observation_end(o);
    collect();
    CHECK_HAS(span_named("o"), "user.id", "u");
    CHECK_HAS(span_named("e"), "user.id", "u");
    CHECK_HAS_NOT(span_named("child"), "user.id");
}

TEST(a_current_handle_gets_them_and_so_does_what_is_below)
{
    start();
    lf_observation *o = lf_start_as_current_observation(.name = "o");
    {
        OBSERVE_ATTRIBUTES(.user_id = "u");
        leaf();
    }
    lf_observation_end(o);
    collect();
    CHECK_HAS(span_named("o"), "user.id", "u");
    CHECK_HAS(span_named("leaf"), "user.id", "u");
    CHECK_CHILD(span_named("leaf"), span_named("o"));
}

TEST(a_current_handle_may_end_before_the_scope_inside_it)
{
    start();
    lf_observation *o = lf_start_as_current_observation(.name = "o");
    {
        OBSERVE_ATTRIBUTES(.user_id = "u");
        lf_observation_end(o);
        leaf();
    }
    leaf();
    collect();
    CHECK_CHILD(nth_named("leaf", 0), span_named("o"));
    CHECK_HAS(nth_named("leaf", 0), "user.id", "u");
    CHECK_ROOT(nth_named("leaf", 1));
    CHECK_HAS_NOT(nth_named("leaf", 1), "user.id");
    CHECK_INT(stats_now().misused, 0);
}

/* Python: test_prompt_dict_propagates_to_generation, test_explicit_prompt_takes_precedence_over_propagated_prompt */
TEST(what_an_observation_says_of_itself_wins)
{
    start();
    OBSERVE_ATTRIBUTES(.prompt_name = "propagated", .prompt_version = 1, .version = "propagated");
    lf_observation_end(
        lf_start_observation(.name = "own", .type = LF_GENERATION, .prompt_name = "own", .prompt_version = 9, .version = "own"));
    lf_observation_end(lf_start_observation(.name = "none", .type = LF_GENERATION));
    collect();
    CHECK_HAS(span_named("own"), "langfuse.observation.prompt.name", "own");
    CHECK_HAS(span_named("own"), "langfuse.observation.prompt.version", "9");
    CHECK_HAS(span_named("own"), "langfuse.version", "own");
    CHECK_HAS(span_named("none"), "langfuse.observation.prompt.name", "propagated");
    CHECK_HAS(span_named("none"), "langfuse.version", "propagated");
}

/* Python: test_environment_overrides_client_default_inside_context */
TEST(the_environment_of_the_scope_wins_over_the_clients)
{
    lf_options options = quiet_file();
    options.environment = "prod";
    CHECK_INT(lf_init(&options), LF_OK);
    leaf();
    {
        OBSERVE_ATTRIBUTES(.environment = "qa");
        leaf();
    }
    collect();
    CHECK_HAS(nth_named("leaf", 0), "langfuse.environment", "prod");
    CHECK_HAS(nth_named("leaf", 1), "langfuse.environment", "qa");
}

/* ---- Limits ------------------------------------------------------------------------------------------------------------- */

/* Python: test_exactly_200_chars_accepted, test_201_chars_rejected */
TEST(text_of_200_characters_is_sent_and_of_201_is_not)
{
    char text[201], long_text[202], wide[401], long_wide[403];
    start_quiet();
    {
        OBSERVE_ATTRIBUTES(.user_id = letters(text, 200), .session_id = letters(long_text, 201), .version = umlauts(wide, 200),
                           .trace_name = umlauts(long_wide, 201));
        leaf();
    }
    collect();
    CHECK_HAS(spans[0], "user.id", text);
    CHECK_HAS_NOT(spans[0], "session.id");
    CHECK_HAS(spans[0], "langfuse.version", wide);
    CHECK_HAS_NOT(spans[0], "langfuse.trace.name");
    CHECK_INT(lines_with("session_id is longer than 200"), 1);
    CHECK_INT(lines_with("trace_name is longer than 200"), 1);
    CHECK_INT(lines_with("user_id"), 0);
}

TEST(each_kind_of_problem_is_told_once)
{
    char text[5001];
    letters(text, 5000);
    start_quiet();
    for (int i = 0; i < 3; i++) {
        OBSERVE_ATTRIBUTES(.user_id = text, .session_id = text, .version = text, .trace_name = text, .environment = text,
                           .tags = LF_TAGS("good", text), .metadata = LF_OBJECT("good", "g", "bad", text), .prompt_name = "",
                           .prompt_version = 1);
        around_leaf();
    }
    collect();
    CHECK_INT(span_count, 6);
    static const char *const kinds[] = {"user_id",     "session_id", "version",  "trace_name",
                                        "environment", "tags",       "metadata", "prompt"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        CHECK_INT(lines_with(kinds[i]), 1);
    for (size_t i = 0; i < span_count; i++) {
        CHECK_HAS_NOT(spans[i], "user.id");
        CHECK_HAS_NOT(spans[i], "langfuse.version");
        CHECK_HAS_NOT(spans[i], "langfuse.observation.prompt.name");
        CHECK_HAS(spans[i], "langfuse.trace.tags", "good");
        CHECK_HAS(spans[i], "langfuse.trace.metadata.good", "g");
        CHECK_HAS_NOT(spans[i], "langfuse.trace.metadata.bad");
    }
}

/* Under a handle, too, a program hears of it. */
TEST(a_problem_is_told_when_only_a_current_handle_has_it)
{
    char text[202];
    start_quiet();
    lf_observation *o = lf_start_as_current_observation(.name = "o");
    {
        OBSERVE_ATTRIBUTES(.user_id = letters(text, 201));
    }
    lf_observation_end(o);
    collect();
    CHECK_HAS_NOT(span_named("o"), "user.id");
    CHECK_INT(lines_with("user_id is longer than 200"), 1);
}

/* Python: test_tags_validation_with_invalid_tag, test_non_string_metadata_values_coerced */
TEST(good_tags_and_metadata_stay_beside_bad_ones)
{
    char text[202];
    start_quiet();
    {
        OBSERVE_ATTRIBUTES(.tags = LF_TAGS("good", letters(text, 201), "fine", "good", 5),
                           .metadata = LF_OBJECT("text", "t", "bad", text, "number", 5, "object", LF_OBJECT("a", 1), "none",
                                                 lf_null()));
        leaf();
    }
    collect();
    CHECK_HAS(spans[0], "langfuse.trace.tags", "good,fine");
    CHECK_HAS(spans[0], "langfuse.trace.metadata.text", "t");
    CHECK_HAS(spans[0], "langfuse.trace.metadata.number", "5");
    CHECK_HAS(spans[0], "langfuse.trace.metadata.object", "{\"a\":1}");
    CHECK_HAS_NOT(spans[0], "langfuse.trace.metadata.bad");
    CHECK_INT(lines_with("tags"), 1);
    CHECK_INT(lines_with("metadata"), 1);
}

TEST(tags_that_are_no_list_and_metadata_that_is_no_object_are_not_sent)
{
    start_quiet();
    {
        OBSERVE_ATTRIBUTES(.tags = LF_VALUE("a,b"), .metadata = LF_VALUE("text"), .user_id = "");
        leaf();
    }
    collect();
    CHECK_HAS_NOT(spans[0], "langfuse.trace.tags");
    CHECK_HAS_NOT(spans[0], "langfuse.trace.metadata");
    CHECK_INT(lines_with("tags"), 1);
    CHECK_INT(lines_with("metadata"), 1);
}

static void leaf_in(const char *environment)
{
    OBSERVE_ATTRIBUTES(.environment = environment);
    leaf();
}

/* Python: test_environment_exactly_40_chars_is_accepted, test_invalid_environment_is_dropped */
TEST(an_environment_is_40_of_a_few_characters)
{
    static const char *const bad[] = {"Prod",
                                      "a b",
                                      "langfuse-x",
                                      "langfuse",
                                      "pr\xc3\xb6"
                                      "d",
                                      "",
                                      "a.b",
                                      "01234567890123456789012345678901234567890"};
    lf_options options = quiet_file();
    options.environment = "client";
    CHECK_INT(lf_init(&options), LF_OK);
    leaf_in("0123456789_abcdefghijklmnopqrstuvwxyz-01");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        leaf_in(bad[i]);
    collect();
    CHECK_HAS(spans[0], "langfuse.environment", "0123456789_abcdefghijklmnopqrstuvwxyz-01");
    for (size_t i = 1; i < span_count; i++)
        CHECK_HAS(spans[i], "langfuse.environment", "client");
    CHECK_INT(lines_with("environment"), 1);
}

static NOINLINE void nests_deep(int depth)
{
    char key[16];
    snprintf(key, sizeof key, "k%d", depth);
    OBSERVE_ATTRIBUTES(.metadata = LF_OBJECT(key, "v"), .tags = LF_TAGS(key));
    if (depth > 0)
        nests_deep(depth - 1);
    else
        leaf();
}

TEST(many_nested_scopes_add_up)
{
    start();
    nests_deep(50);
    collect();
    for (int i = 0; i <= 50; i++) {
        char key[64];
        snprintf(key, sizeof key, "langfuse.trace.metadata.k%d", i);
        CHECK_HAS(spans[0], key, "v");
    }
    CHECK(strncmp(attribute(spans[0], "langfuse.trace.tags"), "k50,k49,k48,", 12) == 0);
}

static NOINLINE void nests_large(int depth)
{
    char text[1200];
    snprintf(text, sizeof text, "%01100d", depth);
    OBSERVE_ATTRIBUTES(.user_id = text, .metadata = LF_OBJECT("k", text));
    if (depth > 0)
        nests_large(depth - 1);
    else
        around_leaf();
}

TEST(what_is_propagated_is_bounded_and_observations_go_on)
{
    start();
    nests_large(200); /* 400 KB, of which 64 may be carried */
    leaf();
    collect();
    CHECK_INT(span_count, 3);
    CHECK_CHILD(nth_named("leaf", 0), span_named("around_leaf"));
    CHECK_HAS_NOT(nth_named("leaf", 1), "user.id");
    check_all_delivered(3);
}

/* ---- Across threads, contexts and processes ----------------------------------------------------------------------------- */

static void *observe_leaf(void *unused)
{
    (void)unused;
    leaf();
    return NULL;
}

/* Python: test_propagation_with_threadpoolexecutor; v2: test_threadpool_executor */
TEST(a_created_thread_has_the_attributes_a_foreign_one_has_not)
{
    start();
    {
        OBSERVE_ATTRIBUTES(.user_id = "u", .tags = LF_TAGS("t"));
        pthread_t thread;
        CHECK_INT(lf_thread_create(&thread, NULL, observe_leaf, NULL), 0);
        pthread_join(thread, NULL);
        CHECK_INT(pthread_create(&thread, NULL, observe_leaf, NULL), 0);
        pthread_join(thread, NULL);
    }
    collect();
    const cJSON *with = attribute(spans[0], "user.id") != NULL ? spans[0] : spans[1],
                *without = with == spans[0] ? spans[1] : spans[0];
    CHECK_HAS(with, "user.id", "u");
    CHECK_HAS(with, "langfuse.trace.tags", "t");
    CHECK_APP_ROOT(with);
    check_nothing(without);
}

TEST(a_copied_context_carries_attributes_beyond_their_scope)
{
    start();
    lf_context *context;
    {
        OBSERVE_ATTRIBUTES(.user_id = "u");
        context = lf_context_copy();
    }
    CHECK(context != NULL);
    leaf();
    lf_context_run(context, observe_leaf, NULL);
    {
        OBSERVE_ATTRIBUTES(.user_id = "other", .session_id = "s");
        OBSERVE_CONTEXT(context);
        leaf();
    }
    lf_context_free(context);
    collect();
    check_nothing(nth_named("leaf", 0));
    CHECK_HAS(nth_named("leaf", 1), "user.id", "u");
    CHECK_HAS(nth_named("leaf", 2), "user.id", "u"); /* the context's, not those around it */
    CHECK_HAS_NOT(nth_named("leaf", 2), "session.id");
}

static NOINLINE void attributes_in_context(void)
{
    OBSERVE();
    lf_context *context = lf_context_copy();
    OBSERVE_CONTEXT(context);
    OBSERVE_ATTRIBUTES(.user_id = "u");
    lf_context_free(context);
    leaf();
}

TEST(attributes_in_an_attached_context_are_not_said_of_the_copied_observation)
{
    start();
    attributes_in_context();
    collect();
    CHECK_HAS(span_named("leaf"), "user.id", "u");
    CHECK_CHILD(span_named("leaf"), span_named("attributes_in_context"));
    CHECK_HAS_NOT(span_named("attributes_in_context"), "user.id");
}

TEST(a_forked_child_has_the_attributes)
{
    SKIP_WHERE_FORK_IS_NOT_SUPPORTED(a_forked_child_has_the_attributes);
    start();
    {
        OBSERVE_ATTRIBUTES(.user_id = "u");
        pid_t child = fork();
        if (child == 0) {
            leaf();
            around_leaf();
            CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
            exit(0);
        }
        CHECK_INT(end_of_child(child), 0);
    }
    collect();
    CHECK_INT(span_count, 3);
    for (size_t i = 0; i < 3; i++)
        CHECK_HAS(spans[i], "user.id", "u");
}

enum { USERS = 8, USER_ROUNDS = 200 };

static void *is_a_user(void *number)
{
    char user[16];
    snprintf(user, sizeof user, "u%d", (int)(intptr_t)number);
    OBSERVE_ATTRIBUTES(.user_id = user, .trace_name = user);
    for (int i = 0; i < rounds(USER_ROUNDS); i++)
        around_leaf();
    return NULL;
}

/* Python: test_concurrent_traces_with_different_attributes */
TEST(threads_do_not_see_each_others_attributes)
{
    start();
    pthread_t threads[USERS];
    for (intptr_t i = 0; i < USERS; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, is_a_user, (void *)i), 0);
    for (int i = 0; i < USERS; i++)
        pthread_join(threads[i], NULL);
    collect();
    const char *seen[USERS * USER_ROUNDS];
    size_t count = (size_t)rounds(USER_ROUNDS) * USERS, traces = 0;
    for (size_t i = 0; i < 2 * count; i++) {
        CHECK_TEXT(attribute(spans[i], "user.id"), attribute(spans[i], "langfuse.trace.name"));
        if (strcmp(name_of(spans[i]), "around_leaf") == 0)
            seen[traces++] = trace_of(spans[i]);
    }
    CHECK_INT(traces, count);
    CHECK_INT(count_different(seen, traces), count);
    check_all_delivered(2 * count);
}

/* ---- Too little of everything ------------------------------------------------------------------------------------------- */

TEST(attributes_in_another_trace_inside_one_that_is_not_kept)
{
    lf_options options = quiet_file();
    options.sample_rate = 0.5;
    CHECK_INT(lf_init(&options), LF_OK);
    lf_observation *o = lf_start_as_current_observation(.name = "no", .trace_id = "0000000000000000ffffffffffffff00");
    {
        OBSERVE_ATTRIBUTES(.user_id = "u");
        OBSERVE_WITH((.name = "yes", .trace_id = "00000000000000000000000000000001"));
    }
    lf_observation_end(o);
    collect();
    CHECK_INT(span_count, 1);
    CHECK_HAS(span_named("yes"), "user.id", "u");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_attributes_reach_the_current_observation_and_all_below),
        cmocka_unit_test(only_what_begins_inside_the_scope_is_covered),
        cmocka_unit_test(inner_text_wins_tags_and_metadata_add_up_and_the_outer_is_restored),
        cmocka_unit_test(outside_of_a_trace_each_root_is_a_trace_of_its_own),
        cmocka_unit_test(a_result_inside_the_scope_is_the_observations),
        cmocka_unit_test(pieces_and_errors_inside_the_scope_are_the_observations),
        cmocka_unit_test(scopes_in_a_loop_restore_each_time),
        cmocka_unit_test(handles_started_inside_the_scope_are_covered),
        cmocka_unit_test(a_current_handle_gets_them_and_so_does_what_is_below),
        cmocka_unit_test(a_current_handle_may_end_before_the_scope_inside_it),
        cmocka_unit_test(what_an_observation_says_of_itself_wins),
        cmocka_unit_test(the_environment_of_the_scope_wins_over_the_clients),
        cmocka_unit_test(text_of_200_characters_is_sent_and_of_201_is_not),
        cmocka_unit_test(each_kind_of_problem_is_told_once),
        cmocka_unit_test(a_problem_is_told_when_only_a_current_handle_has_it),
        cmocka_unit_test(good_tags_and_metadata_stay_beside_bad_ones),
        cmocka_unit_test(tags_that_are_no_list_and_metadata_that_is_no_object_are_not_sent),
        cmocka_unit_test(an_environment_is_40_of_a_few_characters),
        cmocka_unit_test(many_nested_scopes_add_up),
        cmocka_unit_test(what_is_propagated_is_bounded_and_observations_go_on),
        cmocka_unit_test(a_created_thread_has_the_attributes_a_foreign_one_has_not),
        cmocka_unit_test(a_copied_context_carries_attributes_beyond_their_scope),
        cmocka_unit_test(attributes_in_an_attached_context_are_not_said_of_the_copied_observation),
        cmocka_unit_test(a_forked_child_has_the_attributes),
        cmocka_unit_test(threads_do_not_see_each_others_attributes),
        cmocka_unit_test(attributes_in_another_trace_inside_one_that_is_not_kept),
    };
    return cmocka_run_group_tests_name("attributes", tests, NULL, NULL);
}
