/* Observations by handle, moments, and what is said of the current observation. */
#include "cases.h"

static NOINLINE void leaf(void)
{
    OBSERVE();
}

/* ---- Starting, updating, ending ----------------------------------------------------------------------------------------- */

/* Python: test_basic_span_creation, test_span_attributes */
TEST(a_handle_becomes_one_observation_with_all_that_was_said)
{
    start();
    lf_observation *o = lf_start_observation(.name = "job", .input = LF_OBJECT("q", "why"), .version = "7",
                                             .metadata = LF_OBJECT("a", 1));
    CHECK(o != NULL);
    CHECK_INT(stats_now().open, 1);
    lf_observation_update(o, .output = LF_VALUE("because"), .level = LF_LEVEL_WARNING, .status_message = "slow");
    lf_observation_end(o);
    collect();
    check_all_delivered(1);
    const cJSON *span = span_named("job");
    CHECK_ROOT(span);
    CHECK_APP_ROOT(span);
    CHECK_SAID(span, "type", "span");
    CHECK_SAID(span, "input", "{\"q\":\"why\"}");
    CHECK_SAID(span, "output", "because");
    CHECK_SAID(span, "level", "WARNING");
    CHECK_SAID(span, "status_message", "slow");
    CHECK_SAID(span, "metadata.a", "1");
    CHECK_HAS(span, "langfuse.version", "7");
}

/* Python: test_start_observation */
TEST(a_handle_does_not_become_current)
{
    start();
    lf_observation *o = lf_start_observation(.name = "o");
    char id[LF_TRACE_ID_SIZE];
    CHECK(!lf_current_trace_id(id));
    leaf();
    lf_update_current_observation(.name = "nobody");
    lf_observation_end(o);
    collect();
    CHECK_ROOT(span_named("leaf"));
    CHECK(strcmp(trace_of(span_named("leaf")), trace_of(span_named("o"))) != 0);
}

/* Python: test_span_hierarchy */
TEST(children_name_their_parent_whatever_ends_first)
{
    start();
    lf_observation *root = lf_start_observation(.name = "root");
    lf_observation *child = lf_start_observation(.name = "child", .parent = root);
    lf_observation_end(root);
    lf_observation *late = lf_start_observation(.name = "late", .parent = root); /* of one that has ended */
    lf_observation *grandchild = lf_start_observation(.name = "grandchild", .parent = child);
    lf_observation_end(child);
    lf_observation_end(grandchild);
    lf_observation_end(late);
    collect();
    CHECK_CHILD(span_named("child"), span_named("root"));
    CHECK_CHILD(span_named("late"), span_named("root"));
    CHECK_CHILD(span_named("grandchild"), span_named("child"));
    CHECK_APP_ROOT(span_named("root"));
    CHECK_NO_APP_ROOT(span_named("child"));
    CHECK_INT(stats_now().misused, 0);
}

static NOINLINE lf_observation *starts_inside(void)
{
    OBSERVE();
    return lf_start_observation(.name = "inside");
}

TEST(without_a_parent_the_scope_around_is_it)
{
    start();
    lf_observation *o = starts_inside();
    lf_observation_end(o);
    collect();
    CHECK_CHILD(span_named("inside"), span_named("starts_inside"));
}

/* Python: test_start_as_current_observation_types, test_start_observation */
TEST(every_type_is_named)
{
    static const char *const names[] = {"span",  "span",      "generation", "event",     "agent",    "tool",
                                        "chain", "retriever", "evaluator",  "embedding", "guardrail"};
    start();
    for (int type = LF_TYPE_DEFAULT; type <= LF_GUARDRAIL; type++) {
        char name[32];
        snprintf(name, sizeof name, "o%d", type);
        lf_observation_end(lf_start_observation(.name = name, .type = (lf_type)type));
        snprintf(name, sizeof name, "c%d", type);
        lf_observation_end(lf_start_as_current_observation(.name = name, .type = (lf_type)type));
    }
    collect();
    CHECK_INT(span_count, 22);
    for (int type = LF_TYPE_DEFAULT; type <= LF_GUARDRAIL; type++) {
        char name[32];
        snprintf(name, sizeof name, "o%d", type);
        CHECK_SAID(span_named(name), "type", names[type]);
        snprintf(name, sizeof name, "c%d", type);
        CHECK_SAID(span_named(name), "type", names[type]);
    }
}

/* Python: test_start_observation, the unknown type */
TEST(an_unknown_type_is_a_span)
{
    start();
    lf_observation_end(lf_start_observation(.name = "o", .type = (lf_type)99));
    collect();
    CHECK_SAID(span_named("o"), "type", "span");
}

/* Python: test_update_current_span_name, test_span_name_update, test_generation_name_update */
TEST(the_last_name_counts)
{
    start();
    lf_observation *o = lf_start_observation(.name = "first", .type = LF_GENERATION);
    lf_observation_update(o, .name = "second");
    lf_observation_update(o, .output = LF_VALUE(1));
    lf_observation_end(o, .name = "third");
    collect();
    CHECK_INT(span_count, 1);
    CHECK_TEXT(name_of(spans[0]), "third");
    CHECK_SAID(spans[0], "type", "generation");
}

TEST(the_type_may_be_learnt_later)
{
    start();
    lf_observation *o = lf_start_observation(.name = "o");
    lf_observation_end(o, .type = LF_GENERATION, .model = "m");
    collect();
    CHECK_SAID(span_named("o"), "type", "generation");
    CHECK_SAID(span_named("o"), "model.name", "m");
}

/* Python: test_complex_model_parameters */
TEST(a_generation_says_model_parameters_usage_and_cost)
{
    start();
    lf_observation_end(
        lf_start_observation(.name = "g", .type = LF_GENERATION, .model = "gpt-5-mini",
                             .model_parameters = LF_OBJECT("temperature", 0.5, "stop", LF_ARRAY("a", "b"), "stream", lf_bool(true)),
                             .usage_details = LF_OBJECT("input", 5, "output", 7), .cost_details = LF_OBJECT("total", 0.25),
                             .prompt_name = "p", .prompt_version = 3));
    collect();
    const cJSON *span = span_named("g");
    CHECK_SAID(span, "model.name", "gpt-5-mini");
    CHECK_SAID(span, "model.parameters", "{\"temperature\":0.5,\"stop\":[\"a\",\"b\"],\"stream\":true}");
    CHECK_SAID(span, "usage_details", "{\"input\":5,\"output\":7}");
    CHECK_SAID(span, "cost_details", "{\"total\":0.25}");
    CHECK_SAID(span, "prompt.name", "p");
    CHECK_SAID(span, "prompt.version", "3");
}

/* Python: test_complex_metadata_serialization, test_nested_metadata_updates, test_thread_safe_metadata_updates */
TEST(metadata_merges_key_by_key)
{
    start();
    lf_observation *o = lf_start_observation(.name = "o", .metadata = LF_OBJECT("keep", "k", "change", 1, "flag", lf_bool(true)));
    lf_observation_update(o, .metadata = LF_OBJECT("change", 2, "deep", LF_OBJECT("x", LF_ARRAY(1, 2))));
    lf_observation_update(o, .metadata = lf_json("{\"more\": \"m\"}"));
    lf_observation_end(o);
    collect();
    const cJSON *span = span_named("o");
    CHECK_SAID(span, "metadata.keep", "k");
    CHECK_SAID(span, "metadata.change", "2");
    CHECK_HAS(span, "langfuse.observation.metadata.flag", "true");
    CHECK_SAID(span, "metadata.deep", "{\"x\":[1,2]}");
    CHECK_SAID(span, "metadata.more", "m");
    CHECK_INT(attribute_count(span, "langfuse.observation.metadata.change"), 1);
}

/* Python: test_error_level_in_span_creation, test_error_level_in_span_update, test_generation_error_level_in_creation,
 * test_generation_error_level_in_update, test_multiple_error_updates, test_error_without_status_message */
TEST(level_error_is_the_status_error_with_the_last_message)
{
    start();
    lf_observation_end(lf_start_observation(.name = "created", .level = LF_LEVEL_ERROR, .status_message = "boom"));
    lf_observation *o = lf_start_observation(.name = "updated", .type = LF_GENERATION);
    lf_observation_update(o, .level = LF_LEVEL_ERROR, .status_message = "first");
    lf_observation_update(o, .level = LF_LEVEL_ERROR, .status_message = "second");
    lf_observation_end(o);
    lf_observation_end(lf_start_observation(.name = "silent", .level = LF_LEVEL_ERROR));
    collect();
    const cJSON *status = cJSON_GetObjectItem(span_named("created"), "status");
    CHECK_INT(cJSON_GetObjectItem(status, "code")->valueint, 2);
    CHECK_TEXT(text_of(status, "message"), "boom");
    status = cJSON_GetObjectItem(span_named("updated"), "status");
    CHECK_INT(cJSON_GetObjectItem(status, "code")->valueint, 2);
    CHECK_TEXT(text_of(status, "message"), "second");
    status = cJSON_GetObjectItem(span_named("silent"), "status");
    CHECK_INT(cJSON_GetObjectItem(status, "code")->valueint, 2);
    CHECK(cJSON_GetObjectItem(status, "message") == NULL);
}

/* Python: test_non_error_levels_dont_set_otel_status */
TEST(other_levels_set_no_status)
{
    static const char *const names[] = {"", "DEBUG", "DEFAULT", "WARNING"};
    start();
    for (int level = LF_LEVEL_UNSET; level < LF_LEVEL_ERROR; level++)
        lf_observation_end(lf_start_observation(.name = "o", .level = (lf_level)level, .status_message = "m"));
    collect();
    for (size_t i = 0; i < 4; i++) {
        CHECK_SAID(spans[i], "level", names[i]);
        CHECK(cJSON_GetObjectItem(cJSON_GetObjectItem(spans[i], "status"), "code") == NULL);
    }
}

/* Python v2: test_timezone_awareness */
TEST(times_may_be_given)
{
    start();
    lf_observation *o = lf_start_observation(.name = "o", .start_time_ns = 1700000000000000001);
    lf_observation_end(o, .end_time_ns = 1700000001000000002);
    o = lf_start_observation(.name = "backwards", .start_time_ns = 1700000000000000001);
    lf_observation_end(o, .end_time_ns = 1600000000000000000);
    o = lf_start_observation(.name = "stream", .type = LF_GENERATION, .start_time_ns = 1700000000000000001,
                             .completion_start_time_ns = 1700000000500000000);
    lf_observation_end(o, .end_time_ns = 1700000001000000002);
    collect();
    CHECK_TEXT(text_of(span_named("o"), "startTimeUnixNano"), "1700000000000000001");
    CHECK_TEXT(text_of(span_named("o"), "endTimeUnixNano"), "1700000001000000002");
    CHECK_TEXT(text_of(span_named("backwards"), "endTimeUnixNano"), "1700000000000000001");
    CHECK_SAID(span_named("stream"), "completion_start_time", "\"2023-11-14T22:13:20.500000Z\"");
}

/* As bits of an unsigned number they would lie in the year 2554, which no database holds. */
TEST(times_before_1970_are_not_given)
{
    start();
    lf_observation *o = lf_start_observation(.name = "o", .type = LF_GENERATION, .start_time_ns = -1,
                                             .completion_start_time_ns = INT64_MIN);
    lf_observation_end(o, .end_time_ns = -1);
    collect();
    uint64_t began = strtoull(text_of(span_named("o"), "startTimeUnixNano"), NULL, 10);
    uint64_t ended = strtoull(text_of(span_named("o"), "endTimeUnixNano"), NULL, 10);
    CHECK(began > 1700000000000000000u && began <= ended && ended <= INT64_MAX);
    CHECK_SAID(span_named("o"), "completion_start_time", "");
}

TEST(an_end_time_given_before_the_end_counts)
{
    start();
    lf_observation *o = lf_start_observation(.name = "o", .start_time_ns = 1700000000000000001);
    lf_observation_end(o, .output = LF_VALUE("x")); /* an update without a time: now */
    collect();
    CHECK(strtoull(text_of(span_named("o"), "endTimeUnixNano"), NULL, 10) > 1700000001000000002u);
}

TEST(pieces_of_output_are_joined)
{
    start();
    lf_observation *o = lf_start_observation(.name = "o", .type = LF_GENERATION);
    lf_observation_output_append(o, "Hello", 5);
    lf_observation_output_append(o, ", ", 2);
    lf_observation_output_append(o, "world", 5);
    lf_observation_output_append(o, NULL, 5);
    lf_observation_end(o);
    collect();
    CHECK_SAID(span_named("o"), "output", "Hello, world");
    CHECK(said(span_named("o"), "completion_start_time")[0] == '"');
}

TEST(what_fits_no_slot_goes_to_the_heap_and_arrives)
{
    enum { SIZE = 300000 };
    start();
    char *text = malloc(SIZE);
    CHECK(text != NULL);
    memset(text, 'x', SIZE);
    lf_observation *o = lf_start_observation(.name = "o", .input = lf_strn(text, SIZE));
    for (int i = 0; i < 4; i++)
        lf_observation_update(o, .metadata = LF_OBJECT("text", lf_strn(text, SIZE / 3 + (size_t)i)));
    lf_observation_end(o, .output = LF_VALUE("done"));
    free(text);
    collect();
    CHECK_INT(strlen(said(span_named("o"), "input")), SIZE);
    CHECK_INT(strlen(said(span_named("o"), "metadata.text")), SIZE / 3 + 3);
    CHECK_SAID(span_named("o"), "output", "done");
    check_all_delivered(1);
}

/* ---- Moments ------------------------------------------------------------------------------------------------------------ */

static NOINLINE lf_observation *has_a_moment(void)
{
    OBSERVE();
    return lf_create_event(.name = "moment", .input = LF_VALUE(5), .level = LF_LEVEL_DEBUG);
}

/* Python: test_langfuse_event_update_immutability */
TEST(a_moment_has_no_length_and_cannot_be_changed)
{
    start();
    lf_observation *event = has_a_moment();
    CHECK(event != NULL);
    lf_observation_update(event, .name = "changed", .output = LF_VALUE("later"));
    lf_observation_end(event);
    CHECK_INT(stats_now().misused, 2);
    collect();
    const cJSON *span = span_named("moment");
    CHECK_CHILD(span, span_named("has_a_moment"));
    CHECK_SAID(span, "type", "event");
    CHECK_SAID(span, "input", "5");
    CHECK_SAID(span, "output", "");
    CHECK_TEXT(text_of(span, "startTimeUnixNano"), text_of(span, "endTimeUnixNano"));
    CHECK_INT(span_count, 2);
}

TEST(a_moment_may_be_a_parent_and_have_a_time)
{
    start();
    lf_observation *event = lf_create_event(.name = "moment", .start_time_ns = 1700000000000000001);
    lf_observation_end(lf_start_observation(.name = "child", .parent = event));
    collect();
    CHECK_CHILD(span_named("child"), span_named("moment"));
    CHECK_TEXT(text_of(span_named("moment"), "endTimeUnixNano"), "1700000000000000001");
    check_all_delivered(2);
}

TEST(moments_need_no_fields)
{
    start();
    CHECK(lf_create_event_with(NULL) != NULL);
    collect();
    CHECK_INT(span_count, 1);
}

/* ---- Handles that are current ------------------------------------------------------------------------------------------- */

/* Python: test_update_current_span_name, v2 test_nested_observations */
TEST(a_current_handle_is_parent_and_is_meant_by_updates)
{
    start();
    lf_observation *o = lf_start_as_current_observation(.name = "o");
    char current[LF_OBSERVATION_ID_SIZE], id[LF_OBSERVATION_ID_SIZE];
    CHECK(lf_current_observation_id(current) && lf_observation_id(o, id));
    CHECK_TEXT(current, id);
    leaf();
    lf_update_current_observation(.output = LF_VALUE("said"));
    lf_output_append("never seen: a later output wins", 5);
    OBSERVE_OUTPUT("again");
    OBSERVE_ERROR("bad %d", 5);
    lf_observation_end(o);
    CHECK(!lf_current_observation_id(current));
    leaf();
    collect();
    const cJSON *span = span_named("o");
    CHECK_CHILD(nth_named("leaf", 0), span);
    CHECK_ROOT(nth_named("leaf", 1));
    CHECK_SAID(span, "output", "again");
    CHECK_SAID(span, "status_message", "bad 5");
    CHECK_INT(stats_now().misused, 0);
}

TEST(current_handles_nest)
{
    start();
    lf_observation *outer = lf_start_as_current_observation(.name = "outer");
    lf_observation *inner = lf_start_as_current_observation(.name = "inner");
    leaf();
    lf_observation_end(inner);
    leaf();
    lf_observation_end(outer);
    collect();
    CHECK_CHILD(span_named("inner"), span_named("outer"));
    CHECK_CHILD(nth_named("leaf", 0), span_named("inner"));
    CHECK_CHILD(nth_named("leaf", 1), span_named("outer"));
}

TEST(current_handles_may_end_out_of_order)
{
    start();
    lf_observation *outer = lf_start_as_current_observation(.name = "outer");
    lf_observation *inner = lf_start_as_current_observation(.name = "inner");
    lf_observation_end(outer);
    leaf(); /* inner is current still */
    lf_update_current_observation(.output = LF_VALUE("inner's"));
    lf_observation_end(inner);
    leaf(); /* nothing is */
    char id[LF_TRACE_ID_SIZE];
    CHECK(!lf_current_trace_id(id));
    collect();
    CHECK_CHILD(nth_named("leaf", 0), span_named("inner"));
    CHECK_SAID(span_named("inner"), "output", "inner's");
    CHECK_ROOT(nth_named("leaf", 1));
    check_all_delivered(4);
    CHECK_INT(stats_now().misused, 0);
}

static NOINLINE lf_observation *scope_around(void)
{
    OBSERVE();
    lf_observation *o = lf_start_as_current_observation(.name = "o");
    leaf();
    return o;
}

TEST(the_scope_around_may_end_first)
{
    start();
    lf_observation *o = scope_around();
    leaf(); /* o is open, and current no longer */
    lf_observation_update(o, .output = LF_VALUE("later"));
    lf_observation_end(o);
    collect();
    CHECK_CHILD(span_named("o"), span_named("scope_around"));
    CHECK_CHILD(nth_named("leaf", 0), span_named("o"));
    CHECK_ROOT(nth_named("leaf", 1));
    CHECK_SAID(span_named("o"), "output", "later");
    CHECK(!is_incomplete(span_named("o"), "abandoned"));
    CHECK(!is_incomplete(span_named("scope_around"), "abandoned"));
    check_all_delivered(4);
}

static NOINLINE void opens_inside(lf_observation *o)
{
    OBSERVE();
    lf_observation_end(o);
    leaf();
}

TEST(a_current_handle_may_end_inside_a_scope_above_it)
{
    start();
    lf_observation *o = lf_start_as_current_observation(.name = "o");
    opens_inside(o);
    leaf();
    collect();
    CHECK_CHILD(span_named("opens_inside"), span_named("o"));
    CHECK_CHILD(nth_named("leaf", 0), span_named("opens_inside"));
    CHECK_ROOT(nth_named("leaf", 1));
}

static void *ends_it(void *o)
{
    lf_observation_end((lf_observation *)o, .output = LF_VALUE("elsewhere"));
    return NULL;
}

TEST(a_current_handle_may_end_on_another_thread)
{
    start();
    lf_observation *o = lf_start_as_current_observation(.name = "o");
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, ends_it, o), 0);
    pthread_join(thread, NULL);
    char id[LF_TRACE_ID_SIZE];
    CHECK(!lf_current_trace_id(id));
    leaf();
    collect();
    CHECK_SAID(span_named("o"), "output", "elsewhere");
    CHECK_ROOT(span_named("leaf"));
    CHECK_INT(stats_now().misused, 0);
}

static NOINLINE int returns_with_current_handle(void)
{
    OBSERVE();
    lf_observation *o = lf_start_as_current_observation(.name = "o");
    lf_observation_end(o);
    OBSERVE_RETURN(7);
}

TEST(a_result_lands_at_the_function_once_its_handles_have_ended)
{
    start();
    CHECK_INT(returns_with_current_handle(), 7);
    collect();
    CHECK_SAID(span_named("returns_with_current_handle"), "output", "7");
    CHECK_SAID(span_named("o"), "output", "");
}

TEST(a_hundred_thousand_current_handles_leave_nothing_on_the_stack)
{
    const int count = rounds(100000);
    lf_options options = {LF_OPTIONS_INIT, .exporter = "file:/dev/null", .log = harness_log};
    CHECK_INT(lf_init(&options), LF_OK);
    for (int i = 0; i < count; i++) {
        lf_observation *o = lf_start_as_current_observation(.name = "o");
        CHECK(o != NULL);
        leaf();
        lf_observation_end(o);
    }
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
    check_all_delivered((uint64_t)count * 2);
}

/* ---- Where it stands ---------------------------------------------------------------------------------------------------- */

/* Python: test_custom_trace_id, test_custom_parent_span_id; v2: test_parent_trace_id */
TEST(a_trace_and_a_parent_may_be_named)
{
    start();
    lf_observation_end(lf_start_observation(.name = "both", .trace_id = "4bf92f3577b34da6a3ce929d0e0e4736",
                                            .parent_observation_id = "00f067aa0ba902b7"));
    lf_observation_end(lf_start_observation(.name = "trace", .trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"));
    lf_observation_end(lf_start_observation(.name = "parent", .parent_observation_id = "00f067aa0ba902b7"));
    collect();
    CHECK_TEXT(trace_of(span_named("both")), "4bf92f3577b34da6a3ce929d0e0e4736");
    CHECK_TEXT(parent_of(span_named("both")), "00f067aa0ba902b7");
    CHECK_APP_ROOT(span_named("both"));
    CHECK_TEXT(trace_of(span_named("trace")), "4bf92f3577b34da6a3ce929d0e0e4736");
    CHECK_ROOT(span_named("trace"));
    CHECK_ROOT(span_named("parent")); /* without its trace an id says nothing */
}

static NOINLINE void another_trace_inside(void)
{
    OBSERVE();
    lf_observation *o = lf_start_as_current_observation(.name = "elsewhere", .trace_id = "other trace");
    leaf();
    lf_observation_end(o);
    leaf();
}

TEST(inside_a_trace_another_one_may_be_named)
{
    start();
    another_trace_inside();
    collect();
    CHECK_ROOT(span_named("elsewhere"));
    CHECK_APP_ROOT(span_named("elsewhere"));
    CHECK_CHILD(nth_named("leaf", 0), span_named("elsewhere"));
    CHECK_CHILD(nth_named("leaf", 1), span_named("another_trace_inside"));
    CHECK(strcmp(trace_of(span_named("elsewhere")), trace_of(span_named("another_trace_inside"))) != 0);
}

TEST(a_handle_as_parent_wins_over_a_named_trace)
{
    start();
    lf_observation *parent = lf_start_observation(.name = "parent");
    lf_observation_end(lf_start_observation(.name = "child", .parent = parent, .trace_id = "other"));
    lf_observation_end(parent);
    collect();
    CHECK_CHILD(span_named("child"), span_named("parent"));
}

/* ---- The current observation -------------------------------------------------------------------------------------------- */

static NOINLINE void updates_itself(void)
{
    OBSERVE();
    lf_update_current_observation(.name = "renamed", .type = LF_GENERATION, .input = LF_VALUE("in"), .output = LF_VALUE("out"),
                                  .metadata = LF_OBJECT("k", "v"), .level = LF_LEVEL_DEBUG, .status_message = "fine",
                                  .version = "2", .model = "m", .usage_details = LF_OBJECT("input", 1));
}

/* Python: test_update_current_span_name; v2: test_merge_metadata_and_tags */
TEST(the_current_observation_can_be_updated)
{
    start();
    updates_itself();
    collect();
    const cJSON *span = span_named("renamed");
    CHECK_SAID(span, "type", "generation");
    CHECK_SAID(span, "input", "in");
    CHECK_SAID(span, "output", "out");
    CHECK_SAID(span, "metadata.k", "v");
    CHECK_SAID(span, "level", "DEBUG");
    CHECK_SAID(span, "status_message", "fine");
    CHECK_SAID(span, "model.name", "m");
    CHECK_HAS(span, "langfuse.version", "2");
}

static NOINLINE void captures_nothing(int secret)
{
    OBSERVE_WITH((.type = LF_TOOL, .capture_input = LF_OFF, .capture_output = LF_OFF), secret);
    lf_update_current_observation(.metadata = LF_OBJECT("k", "v"));
}

/* Python: test_capture_output_false_preserves_type_when_current_span_is_updated, v2 test_disabled_io_capture */
TEST(without_capture_type_and_updates_stay)
{
    start();
    captures_nothing(5);
    collect();
    CHECK_SAID(spans[0], "type", "tool");
    CHECK_SAID(spans[0], "metadata.k", "v");
    CHECK_SAID(spans[0], "input", "");
    CHECK_SAID(spans[0], "output", "");
}

/* ---- Off, before and after ---------------------------------------------------------------------------------------------- */

static void use_everything(void)
{
    char id[LF_TRACE_ID_SIZE], short_id[LF_OBSERVATION_ID_SIZE];
    lf_observation *o = lf_start_observation(.name = "o");
    CHECK(o == NULL);
    CHECK(lf_start_as_current_observation(.name = "o") == NULL);
    CHECK(lf_create_event(.name = "o") == NULL);
    lf_observation_update(o, .name = "x");
    lf_observation_output_append(o, "x", 1);
    lf_observation_end(o);
    lf_observation_end(o, .output = LF_VALUE(1));
    CHECK(!lf_observation_trace_id(o, id));
    CHECK(!lf_observation_id(o, short_id));
    CHECK_TEXT(id, "");
    CHECK_TEXT(short_id, "");
    lf_update_current_trace(.name = "n");
    CHECK_INT(lf_score_current_trace(.name = "s", .value = 1), LF_ERR_DISABLED);
}

/* Python: test_disabled_tracing */
TEST(while_tracing_is_off_handles_are_null_and_nothing_happens)
{
    lf_options options = quiet_file();
    options.tracing = LF_OFF;
    CHECK_INT(lf_init(&options), LF_ERR_DISABLED);
    use_everything();
    OBSERVE_ATTRIBUTES(.user_id = "u");
    leaf();
    lf_stats stats = stats_now(), none = {0};
    CHECK(memcmp(&stats, &none, sizeof stats) == 0);
    CHECK(access(harness_path, F_OK) != 0);
}

TEST(null_is_a_handle_that_nothing_happens_to)
{
    start();
    lf_observation_update(NULL, .name = "x");
    lf_observation_output_append(NULL, "x", 1);
    lf_observation_end(NULL);
    lf_observation_update_with(NULL, NULL);
    lf_observation_end_with(NULL, NULL);
    lf_observation_end(lf_start_observation_with(NULL));
    lf_observation_end(lf_start_observation(.name = "child", .parent = NULL));
    collect();
    CHECK_INT(span_count, 2);
    CHECK_ROOT(span_named("child"));
    CHECK_INT(stats_now().misused, 0);
}

TEST(errno_survives)
{
    start();
    errno = 77;
    lf_observation *o = lf_start_as_current_observation(.name = "o", .trace_id = "text");
    lf_observation_update(o, .output = LF_VALUE(1));
    lf_update_current_trace(.name = "n");
    lf_create_event(.name = "e");
    lf_observation_end(o);
    CHECK_INT(errno, 77);
}

/* ---- Room in a record --------------------------------------------------------------------------------------------------- */

static char *much(size_t size)
{
    char *text = malloc(size + 1);
    CHECK(text != NULL);
    memset(text, 'x', size);
    text[size] = '\0';
    return text;
}

static void say_little(void)
{
    OBSERVE_ERROR("bad status %d", 7);
    lf_update_current_observation(.usage_details = lf_json("{\"input\":5}"));
}

static NOINLINE void input_first(const char *text)
{
    OBSERVE(1);
    lf_update_current_observation(.metadata = lf_text("m"), .input = lf_text(text));
    OBSERVE_OUTPUT(text);
    say_little();
}

static NOINLINE void together(const char *text)
{
    OBSERVE();
    lf_update_current_observation(.metadata = lf_text(text), .input = lf_text(text), .output = lf_text(text));
    lf_update_current_observation(.input = lf_text(text), .output = lf_text("second"));
    say_little();
}

static NOINLINE void in_pieces(const char *text)
{
    OBSERVE();
    lf_update_current_observation(.input = lf_text(text));
    for (size_t i = 0; i < 60; i++)
        lf_output_append(text, strlen(text) / 40);
    say_little();
}

static NOINLINE void from_below(const char *text)
{
    OBSERVE();
    lf_update_current_observation(.input = lf_text(text));
    OBSERVE_ATTRIBUTES(.user_id = "u"); /* what is added now lies apart */
    lf_update_current_observation(.output = lf_text(text));
    say_little();
}

static NOINLINE void by_handle(const char *text)
{
    lf_observation *handle = lf_start_as_current_observation(.name = "by_handle", .input = lf_text(text));
    lf_observation_update(handle, .metadata = lf_text(text), .output = lf_text(text));
    say_little();
    lf_observation_end(handle, .version = text);
}

static NOINLINE void by_handle_in_pieces(const char *text)
{
    lf_observation *handle = lf_start_as_current_observation(.name = "by_handle_in_pieces");
    for (size_t i = 0; i < 60; i++)
        lf_output_append(text, strlen(text) / 40);
    say_little();
    lf_observation_end(handle);
}

/* Who looks for an error filters by level; a large value given before must not have used up the place for it. */
TEST(a_large_value_leaves_room_for_output_level_and_message)
{
    void (*const fill[])(const char *) = {input_first, together, in_pieces, from_below, by_handle, by_handle_in_pieces};
    const char *const names[] = {"input_first", "together", "in_pieces", "from_below", "by_handle", "by_handle_in_pieces"};
    const size_t limits[] = {1024, 10000, 1000000};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        lf_options options = quiet_file();
        options.max_event_bytes = limits[i];
        CHECK_INT(lf_init(&options), LF_OK);
        char *text = much(2 * limits[i]);
        for (size_t j = 0; j < sizeof fill / sizeof *fill; j++)
            fill[j](text);
        free(text);
        harness_forget();
        collect();
        for (size_t j = 0; j < sizeof fill / sizeof *fill; j++) {
            const cJSON *span = span_named(names[j]);
            CHECK_SAID(span, "level", "ERROR");
            CHECK_SAID(span, "status_message", "bad status 7");
            CHECK_SAID(span, "usage_details", "{\"input\":5}");
            CHECK(said(span, "output")[0] != '\0');
            size_t all = strlen(said(span, "input")) + strlen(said(span, "output")) + strlen(said(span, "metadata"));
            CHECK(all <= limits[i] && (all >= limits[i] / 2 || limits[i] == 1024));
        }
        CHECK_INT(stats_now().dropped_total, 0);
        CHECK_INT(lf_shutdown(HARNESS_WAIT_MS), LF_OK);
        CHECK_INT(unlink(harness_path), 0);
    }
}

enum { MOMENTS = 2000 };

/* What lies in the ring meanwhile must stay as it is. */
static void moments_between(void)
{
    for (int i = 0; i < MOMENTS; i++)
        lf_create_event(.name = "moment");
}

static NOINLINE void counts_and_a_document(const char *document)
{
    OBSERVE_GENERATION();
    for (int i = 0; i < 2; i++)
        lf_update_current_observation(.input = LF_VALUE(document), .usage_details = LF_OBJECT("input", 5 + i),
                                      .level = LF_LEVEL_DEBUG);
}

static NOINLINE void counts_and_a_document_of_a_handle(const char *document)
{
    lf_observation *handle = lf_start_observation(.name = "counts_and_a_document_of_a_handle");
    for (int i = 0; i < 2; i++)
        lf_observation_update(handle, .metadata = LF_VALUE(document), .usage = LF_OBJECT("input", 5 + i), .status_message = "slow");
    lf_observation_end(handle, .model = document, .level = LF_LEVEL_DEBUG);
}

/* Counts and level have a place behind the large values, which must not begin there. */
TEST(after_counts_a_large_value_stays_within_the_observation)
{
    lf_options options = quiet_file();
    options.flush_interval_ms = 60000;
    CHECK_INT(lf_init(&options), LF_OK);
    moments_between();
    char *document = much(20 << 20);
    counts_and_a_document(document);
    counts_and_a_document_of_a_handle(document);
    free(document);
    collect();
    CHECK_SAID(span_named("counts_and_a_document"), "usage_details", "{\"input\":6}");
    CHECK_SAID(span_named("counts_and_a_document_of_a_handle"), "usage_details", "{\"input\":6}");
    CHECK_INT(span_count, MOMENTS + 2);
    lf_stats stats = stats_now();
    CHECK_INT(stats.delivered, MOMENTS + 2);
    CHECK_INT(stats.dropped_total + stats.queued, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_counts_a_large_value_stays_within_the_observation),
        cmocka_unit_test(a_handle_becomes_one_observation_with_all_that_was_said),
        cmocka_unit_test(a_handle_does_not_become_current),
        cmocka_unit_test(children_name_their_parent_whatever_ends_first),
        cmocka_unit_test(without_a_parent_the_scope_around_is_it),
        cmocka_unit_test(every_type_is_named),
        cmocka_unit_test(an_unknown_type_is_a_span),
        cmocka_unit_test(the_last_name_counts),
        cmocka_unit_test(the_type_may_be_learnt_later),
        cmocka_unit_test(a_generation_says_model_parameters_usage_and_cost),
        cmocka_unit_test(metadata_merges_key_by_key),
        cmocka_unit_test(level_error_is_the_status_error_with_the_last_message),
        cmocka_unit_test(other_levels_set_no_status),
        cmocka_unit_test(times_may_be_given),
        cmocka_unit_test(times_before_1970_are_not_given),
        cmocka_unit_test(an_end_time_given_before_the_end_counts),
        cmocka_unit_test(pieces_of_output_are_joined),
        cmocka_unit_test(what_fits_no_slot_goes_to_the_heap_and_arrives),
        cmocka_unit_test(a_moment_has_no_length_and_cannot_be_changed),
        cmocka_unit_test(a_moment_may_be_a_parent_and_have_a_time),
        cmocka_unit_test(moments_need_no_fields),
        cmocka_unit_test(a_current_handle_is_parent_and_is_meant_by_updates),
        cmocka_unit_test(current_handles_nest),
        cmocka_unit_test(current_handles_may_end_out_of_order),
        cmocka_unit_test(the_scope_around_may_end_first),
        cmocka_unit_test(a_current_handle_may_end_inside_a_scope_above_it),
        cmocka_unit_test(a_current_handle_may_end_on_another_thread),
        cmocka_unit_test(a_result_lands_at_the_function_once_its_handles_have_ended),
        cmocka_unit_test(a_hundred_thousand_current_handles_leave_nothing_on_the_stack),
        cmocka_unit_test(a_trace_and_a_parent_may_be_named),
        cmocka_unit_test(inside_a_trace_another_one_may_be_named),
        cmocka_unit_test(a_handle_as_parent_wins_over_a_named_trace),
        cmocka_unit_test(the_current_observation_can_be_updated),
        cmocka_unit_test(without_capture_type_and_updates_stay),
        cmocka_unit_test(while_tracing_is_off_handles_are_null_and_nothing_happens),
        cmocka_unit_test(null_is_a_handle_that_nothing_happens_to),
        cmocka_unit_test(errno_survives),
        cmocka_unit_test(a_large_value_leaves_room_for_output_level_and_message),
    };
    return cmocka_run_group_tests_name("manual", tests, NULL, NULL);
}
