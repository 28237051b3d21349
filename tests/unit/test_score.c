/* Scores: every type and target, what is refused and how often that is said, environments, and the way out. */
#include "cases.h"

#include <math.h>

static const char trace_hex[] = "4bf92f3577b34da6a3ce929d0e0e4736";
static const char observation_hex[] = "00f067aa0ba902b7";

/* ---- Types -------------------------------------------------------------------------------------------------------------- */

TEST(every_type_arrives_with_its_value)
{
    start();
    CHECK_INT(lf_create_score(.name = "default", .value = 0.25, .trace_id = trace_hex), LF_OK);
    CHECK_INT(lf_create_score(.name = "zero", .value = 0, .trace_id = trace_hex), LF_OK);
    CHECK_INT(lf_create_score(.name = "text default", .string_value = "good", .trace_id = trace_hex), LF_OK);
    CHECK_INT(lf_create_score(.name = "numeric", .value = -3, .data_type = LF_SCORE_NUMERIC, .trace_id = trace_hex), LF_OK);
    CHECK_INT(lf_create_score(.name = "yes", .value = 1, .data_type = LF_SCORE_BOOLEAN, .trace_id = trace_hex), LF_OK);
    CHECK_INT(lf_create_score(.name = "no", .value = 0, .data_type = LF_SCORE_BOOLEAN, .trace_id = trace_hex), LF_OK);
    CHECK_INT(lf_create_score(.name = "category", .string_value = "a", .data_type = LF_SCORE_CATEGORICAL, .trace_id = trace_hex),
              LF_OK);
    CHECK_INT(lf_create_score(.name = "text", .string_value = "5", .data_type = LF_SCORE_TEXT, .trace_id = trace_hex), LF_OK);
    CHECK_INT(
        lf_create_score(.name = "correction", .string_value = "{\"a\":1}", .data_type = LF_SCORE_CORRECTION, .trace_id = trace_hex),
        LF_OK);
    collect_scores();
    CHECK_INT(event_count, 9);
    CHECK_MEMBER(score_named("default"), "value", "0.25");
    CHECK_NO_MEMBER(score_named("default"), "dataType");
    CHECK_MEMBER(score_named("zero"), "value", "0");
    CHECK_MEMBER(score_named("text default"), "value", "good");
    CHECK_MEMBER(score_named("numeric"), "value", "-3");
    CHECK_MEMBER(score_named("numeric"), "dataType", "NUMERIC");
    CHECK_MEMBER(score_named("yes"), "value", "1");
    CHECK_MEMBER(score_named("yes"), "dataType", "BOOLEAN");
    CHECK_MEMBER(score_named("no"), "value", "0");
    CHECK_MEMBER(score_named("category"), "dataType", "CATEGORICAL");
    CHECK_MEMBER(score_named("text"), "dataType", "TEXT");
    CHECK_MEMBER(score_named("text"), "value", "5");
    CHECK(cJSON_IsString(cJSON_GetObjectItem(score_named("text"), "value")));
    CHECK_MEMBER(score_named("correction"), "value", "{\"a\":1}");
    CHECK(cJSON_IsString(cJSON_GetObjectItem(score_named("correction"), "value")));
    CHECK_MEMBER(score_named("correction"), "dataType", "CORRECTION");
    check_all_delivered(9);
}

TEST(all_fields_arrive)
{
    start();
    CHECK_INT(lf_create_score(.name = "s", .value = 1, .trace_id = trace_hex, .observation_id = observation_hex,
                              .comment = "why \"so\"", .config_id = "config", .metadata = LF_OBJECT("k", LF_ARRAY(1, 2)),
                              .id = "my id", .environment = "qa", .timestamp_ns = 1700000000500000000),
              LF_OK);
    collect_scores();
    const cJSON *score = score_named("s");
    CHECK_MEMBER(score, "traceId", trace_hex);
    CHECK_MEMBER(score, "observationId", observation_hex);
    CHECK_MEMBER(score, "comment", "why \"so\"");
    CHECK_MEMBER(score, "configId", "config");
    CHECK_MEMBER(score, "metadata", "{\"k\":[1,2]}");
    CHECK_MEMBER(score, "id", "my id");
    CHECK_MEMBER(score, "environment", "qa");
    CHECK_TEXT(text_of(events[0], "timestamp"), "2023-11-14T22:13:20.500000Z");
}

TEST(a_time_before_1970_is_not_given)
{
    start();
    CHECK_INT(lf_create_score(.name = "s", .value = 1, .trace_id = trace_hex, .timestamp_ns = -1), LF_OK);
    collect_scores();
    int year = atoi(text_of(events[0], "timestamp")); /* 2554 when taken for an unsigned number */
    CHECK(year >= 2024 && year < 2262);
}

TEST(scores_without_an_id_get_different_ones)
{
    start();
    for (int i = 0; i < 50; i++)
        lf_create_score(.name = "s", .value = 1, .trace_id = trace_hex);
    collect_scores();
    const char *ids[50], *event_ids[50];
    CHECK_INT(event_count, 50);
    for (size_t i = 0; i < 50; i++) {
        ids[i] = member(body_of(events[i]), "id");
        event_ids[i] = text_of(events[i], "id");
        CHECK(ids[i][0] != '\0');
    }
    CHECK_INT(count_different(ids, 50), 50);
    CHECK_INT(count_different(event_ids, 50), 50);
}

static int64_t millisecond_of(const cJSON *event)
{
    int hour, minute, second, millisecond;
    const char *text = text_of(event, "timestamp");
    CHECK_INT(sscanf(text, "%*4d-%*2d-%*2dT%d:%d:%d.%3d", &hour, &minute, &second, &millisecond), 4);
    return ((hour * 60 + minute) * 60 + second) * 1000 + millisecond;
}

/* A server compares milliseconds, and of two in the same one it takes the first. */
TEST(a_later_score_with_the_same_id_has_a_later_millisecond)
{
    start();
    for (int i = 0; i < 100; i++) {
        lf_create_score(.name = "s", .value = i, .trace_id = trace_hex, .id = "same");
        lf_create_score(.name = "s", .value = i, .trace_id = trace_hex, .id = "another");
    }
    collect_scores();
    CHECK_INT(event_count, 200);
    int64_t last[2] = {-1, -1};
    for (size_t i = 0; i < event_count; i++) {
        int64_t at = millisecond_of(events[i]), *before = &last[i % 2];
        CHECK_MEMBER(body_of(events[i]), "id", i % 2 == 0 ? "same" : "another");
        CHECK_INT(cJSON_GetObjectItem(body_of(events[i]), "value")->valueint, (int)i / 2);
        CHECK(at > *before || at < 1000); /* midnight may come */
        *before = at;
    }
}

/* ---- Targets ------------------------------------------------------------------------------------------------------------ */

static NOINLINE void judges_itself(void)
{
    OBSERVE();
    CHECK_INT(lf_score_current_observation(.name = "observation", .value = 1), LF_OK);
    CHECK_INT(lf_score_current_trace(.name = "trace", .value = 1), LF_OK);
}

/* Python v2: test_scoring_observations */
TEST(the_current_observation_and_its_trace_can_be_judged)
{
    start();
    judges_itself();
    collect();
    collect_scores();
    const cJSON *span = span_named("judges_itself");
    CHECK_MEMBER(score_named("observation"), "traceId", trace_of(span));
    CHECK_MEMBER(score_named("observation"), "observationId", id_of(span));
    CHECK_MEMBER(score_named("trace"), "traceId", trace_of(span));
    CHECK_NO_MEMBER(score_named("trace"), "observationId");
    check_all_delivered(3);
}

TEST(a_handle_can_be_judged_open_or_ended_current_or_not)
{
    start();
    lf_observation *o = lf_start_observation(.name = "o");
    CHECK_INT(lf_create_score(.name = "open", .value = 1, .observation = o), LF_OK);
    lf_observation_end(o);
    CHECK_INT(lf_create_score(.name = "ended", .value = 1, .observation = o), LF_OK);
    lf_observation *current = lf_start_as_current_observation(.name = "current");
    CHECK_INT(lf_score_current_observation(.name = "current's", .value = 1), LF_OK);
    lf_observation_end(current);
    collect();
    collect_scores();
    CHECK_MEMBER(score_named("open"), "observationId", id_of(span_named("o")));
    CHECK_MEMBER(score_named("ended"), "observationId", id_of(span_named("o")));
    CHECK_MEMBER(score_named("ended"), "traceId", trace_of(span_named("o")));
    CHECK_MEMBER(score_named("current's"), "observationId", id_of(span_named("current")));
}

TEST(sessions_and_dataset_runs_can_be_judged)
{
    start();
    CHECK_INT(lf_create_score(.name = "session", .value = 1, .session_id = "s 1"), LF_OK);
    CHECK_INT(lf_create_score(.name = "run", .value = 1, .dataset_run_id = "r 1"), LF_OK);
    collect_scores();
    CHECK_MEMBER(score_named("session"), "sessionId", "s 1");
    CHECK_NO_MEMBER(score_named("session"), "traceId");
    CHECK_NO_MEMBER(score_named("session"), "observationId");
    CHECK_MEMBER(score_named("run"), "datasetRunId", "r 1");
    CHECK_NO_MEMBER(score_named("run"), "traceId");
}

TEST(a_trace_may_be_named_by_any_text)
{
    start();
    CHECK_INT(lf_create_score(.name = "s", .value = 1, .trace_id = "req_12345", .observation_id = "req_12345"), LF_OK);
    collect_scores();
    CHECK_MEMBER(score_named("s"), "traceId", "6cec55478a541a9eb2b3bfd6c8ba5670");
    CHECK_MEMBER(score_named("s"), "observationId", "6cec55478a541a9e");
}

static void *judges_there(void *unused)
{
    (void)unused;
    CHECK_INT(lf_score_current_trace(.name = "there", .value = 1), LF_OK);
    return NULL;
}

TEST(a_thread_that_carries_the_context_judges_its_trace)
{
    start();
    lf_observation *o = lf_start_as_current_observation(.name = "o");
    pthread_t thread;
    CHECK_INT(lf_thread_create(&thread, NULL, judges_there, NULL), 0);
    pthread_join(thread, NULL);
    lf_observation_end(o);
    collect();
    collect_scores();
    CHECK_MEMBER(score_named("there"), "traceId", trace_of(span_named("o")));
}

/* ---- What is refused ---------------------------------------------------------------------------------------------------- */

/* Python v2: test_invalid_score_data_does_not_raise_exception */
TEST(what_makes_no_sense_is_refused_each_kind_told_once)
{
    char text[502];
    memset(text, 'x', 501);
    text[501] = '\0';
    start_quiet();
    for (int i = 0; i < 3; i++) {
        CHECK_INT(lf_create_score(.value = 1, .trace_id = trace_hex), LF_ERR_ARGUMENT);
        CHECK_INT(lf_create_score(.name = "", .value = 1, .trace_id = trace_hex), LF_ERR_ARGUMENT);
        CHECK_INT(lf_create_score(.name = "s", .trace_id = trace_hex), LF_ERR_ARGUMENT);
        CHECK_INT(lf_create_score(.name = "s", .trace_id = trace_hex, .data_type = LF_SCORE_BOOLEAN), LF_ERR_ARGUMENT);
        CHECK_INT(lf_create_score(.name = "s", .value = 1), LF_ERR_ARGUMENT);
        CHECK_INT(lf_create_score(.name = "s", .value = 1, .observation_id = observation_hex), LF_ERR_ARGUMENT);
        CHECK_INT(lf_create_score(.name = "s", .value = 1, .trace_id = trace_hex, .session_id = "s"), LF_ERR_ARGUMENT);
        CHECK_INT(lf_create_score(.name = "s", .value = 1, .dataset_run_id = "r", .session_id = "s"), LF_ERR_ARGUMENT);
        CHECK_INT(lf_create_score(.name = "s", .string_value = "better", .data_type = LF_SCORE_CORRECTION, .session_id = "s"),
                  LF_ERR_ARGUMENT);
        CHECK_INT(lf_create_score(.name = "s", .string_value = "better", .data_type = LF_SCORE_CORRECTION, .dataset_run_id = "r"),
                  LF_ERR_ARGUMENT);
        CHECK_INT(lf_create_score(.name = "s", .value = (double)NAN, .trace_id = trace_hex), LF_ERR_ARGUMENT);
        CHECK_INT(lf_create_score(.name = "s", .value = (double)-INFINITY, .trace_id = trace_hex), LF_ERR_ARGUMENT);
        CHECK_INT(lf_create_score(.name = "s", .value = 2, .data_type = LF_SCORE_BOOLEAN, .trace_id = trace_hex), LF_ERR_ARGUMENT);
        CHECK_INT(lf_create_score(.name = "s", .string_value = "yes", .data_type = LF_SCORE_BOOLEAN, .trace_id = trace_hex),
                  LF_ERR_ARGUMENT);
        CHECK_INT(lf_create_score(.name = "s", .string_value = "1", .data_type = LF_SCORE_NUMERIC, .trace_id = trace_hex),
                  LF_ERR_ARGUMENT);
        CHECK_INT(lf_create_score(.name = "s", .value = 1, .data_type = LF_SCORE_CATEGORICAL, .trace_id = trace_hex),
                  LF_ERR_ARGUMENT);
        CHECK_INT(lf_create_score(.name = "s", .value = 1, .data_type = LF_SCORE_CORRECTION, .trace_id = trace_hex),
                  LF_ERR_ARGUMENT);
        CHECK_INT(lf_create_score(.name = "s", .string_value = "", .data_type = LF_SCORE_TEXT, .trace_id = trace_hex),
                  LF_ERR_ARGUMENT);
        CHECK_INT(lf_create_score(.name = "s", .string_value = text, .data_type = LF_SCORE_TEXT, .trace_id = trace_hex),
                  LF_ERR_ARGUMENT);
        CHECK_INT(lf_create_score(.name = "s", .value = 1, .data_type = (lf_score_type)77, .trace_id = trace_hex), LF_ERR_ARGUMENT);
        CHECK_INT(lf_score_current_observation(.name = "s", .value = 1), LF_ERR_ARGUMENT);
        CHECK_INT(lf_score_current_trace(.name = "s", .value = 1), LF_ERR_ARGUMENT);
    }
    CHECK_INT(lines_with(""), 6);
    CHECK_INT(lines_with("without a value"), 1);
    CHECK_INT(lines_with("a correction of a session"), 1);
    CHECK_INT(lines_with("without a name"), 1);
    CHECK_INT(lines_with("without a target"), 1);
    CHECK_INT(lines_with("two targets"), 1);
    CHECK_INT(lines_with("does not fit its type"), 1);
    text[500] = '\0';
    CHECK_INT(lf_create_score(.name = "500", .string_value = text, .data_type = LF_SCORE_TEXT, .trace_id = trace_hex), LF_OK);
    for (size_t i = 0; i < 250; i++)
        memcpy(text + 2 * i, "\xc3\xa4", 2);
    CHECK_INT(lf_create_score(.name = "250", .string_value = text, .data_type = LF_SCORE_TEXT, .trace_id = trace_hex), LF_OK);
    collect_scores();
    CHECK_INT(event_count, 2);
    check_all_delivered(2);
}

/* The server's limit for text. */
TEST(text_is_measured_in_utf_16_units)
{
    static const struct {
        const char *character;
        size_t fit;
    } cases[] = {{"x", 500}, {"\xc3\xa4", 500}, {"\xe2\x82\xac", 500}, {"\xf0\x9f\x98\x80", 250}, {"\x80", 500}, {"\xff", 500}};
    start_quiet();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[4 * 501 + 1] = "";
        size_t size = strlen(cases[i].character);
        for (size_t j = 0; j < cases[i].fit; j++)
            memcpy(text + j * size, cases[i].character, size + 1);
        CHECK_INT(lf_create_score(.name = "t", .string_value = text, .data_type = LF_SCORE_TEXT, .trace_id = trace_hex), LF_OK);
        memcpy(text + cases[i].fit * size, "x", 2);
        CHECK_INT(lf_create_score(.name = "t", .string_value = text, .data_type = LF_SCORE_TEXT, .trace_id = trace_hex),
                  LF_ERR_ARGUMENT);
    }
    collect_scores();
    CHECK_INT(event_count, sizeof cases / sizeof *cases);
}

TEST(a_handle_that_is_long_gone_is_no_target)
{
    start();
    lf_observation *old = lf_start_observation(.name = "old");
    lf_observation_end(old);
    for (int i = 0; i < 2000; i++)
        lf_observation_end(lf_start_observation(.name = "other"));
    CHECK_INT(lf_create_score(.name = "s", .value = 1, .observation = old), LF_ERR_ARGUMENT);
}

static NOINLINE void judges_in_attributes_only(void)
{
    OBSERVE_ATTRIBUTES(.user_id = "u");
    CHECK_INT(lf_score_current_trace(.name = "s", .value = 1), LF_ERR_ARGUMENT);
    CHECK_INT(lf_score_current_observation(.name = "s", .value = 1), LF_ERR_ARGUMENT);
}

TEST(a_scope_of_attributes_alone_is_no_target)
{
    start();
    judges_in_attributes_only();
}

TEST(while_tracing_is_off_scores_are_neither_made_nor_judged)
{
    lf_options options = quiet_file();
    options.tracing = LF_OFF;
    (void)lf_init(&options);
    CHECK_INT(lf_create_score(.name = "s", .value = 1, .trace_id = trace_hex), LF_ERR_DISABLED);
    CHECK_INT(lf_create_score_with(NULL), LF_ERR_DISABLED);
    CHECK_INT(lines_with(""), 0);
}

/* ---- Environments ------------------------------------------------------------------------------------------------------- */

static NOINLINE void judges_in_environment(void)
{
    OBSERVE();
    OBSERVE_ATTRIBUTES(.environment = "qa");
    lf_score_current_observation(.name = "scope", .value = 1);
    lf_score_current_trace(.name = "scope too", .value = 1);
    lf_create_score(.name = "by id", .value = 1, .trace_id = trace_hex);
    lf_create_score(.name = "own", .value = 1, .trace_id = trace_hex, .environment = "mine");
    {
        OBSERVE_ATTRIBUTES(.environment = "inner");
        lf_score_current_trace(.name = "inner", .value = 1);
    }
}

/* Python: test_span_score_uses_propagated_environment, test_current_score_helpers_use_propagated_environment */
TEST(the_environment_is_its_own_then_the_scopes_then_the_clients)
{
    lf_options options = quiet_file();
    options.environment = "prod";
    CHECK_INT(lf_init(&options), LF_OK);
    lf_create_score(.name = "outside", .value = 1, .trace_id = trace_hex);
    judges_in_environment();
    collect_scores();
    CHECK_MEMBER(score_named("outside"), "environment", "prod");
    CHECK_MEMBER(score_named("scope"), "environment", "qa");
    CHECK_MEMBER(score_named("scope too"), "environment", "qa");
    CHECK_MEMBER(score_named("by id"), "environment", "qa");
    CHECK_MEMBER(score_named("own"), "environment", "mine");
    CHECK_MEMBER(score_named("inner"), "environment", "inner");
}

static void judges_in(const char *environment)
{
    OBSERVE_ATTRIBUTES(.environment = environment);
    lf_create_score(.name = "scope", .value = 1, .trace_id = trace_hex);
}

static void judges_in_both(void)
{
    OBSERVE_ATTRIBUTES(.environment = "outer");
    OBSERVE_ATTRIBUTES(.environment = "Inner, invalid");
    lf_create_score(.name = "both", .value = 1, .trace_id = trace_hex);
    lf_observation_end(lf_start_observation(.name = "both"));
}

/* The server refuses the whole score otherwise. */
TEST(an_environment_that_the_server_would_refuse_is_left_out)
{
    lf_options options = quiet_file();
    options.environment = "prod";
    CHECK_INT(lf_init(&options), LF_OK);
    lf_create_score(.name = "own", .value = 1, .trace_id = trace_hex, .environment = "Not This");
    judges_in("langfuse-x");
    judges_in_both();
    collect();
    collect_scores();
    CHECK_MEMBER(score_named("both"), "environment", "outer");
    CHECK_HAS(span_named("both"), "langfuse.environment", "outer"); /* as observations have it */
    CHECK_MEMBER(score_named("own"), "environment", "prod");
    CHECK_MEMBER(score_named("scope"), "environment", "prod");
    CHECK_INT(lines_with("environment"), 1);
}

/* ---- The way out -------------------------------------------------------------------------------------------------------- */

TEST(scores_go_to_the_batch_endpoint_with_the_keys)
{
    fake_server *server = start_server();
    lf_options options = to_fake(server);
    CHECK_INT(lf_init(&options), LF_OK);
    judges_itself();
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
    read_server(server);
    CHECK_INT(span_count, 1);
    CHECK_INT(event_count, 2);
    CHECK_MEMBER(score_named("observation"), "observationId", id_of(spans[0]));
    for (int i = 0; i < server->request_count; i++)
        CHECK(fake_header_is(&server->requests[i], "Authorization", "Basic cGstbGYtdGVzdDpzay1sZi10ZXN0"));
    check_all_delivered(3);
    CHECK_INT(lf_shutdown(HARNESS_WAIT_MS), LF_OK);
    fake_server_free(server);
}

static fake_reply refuses_one(fake_server *server, const fake_request *request)
{
    if (strstr(request->head, CASES_INGESTION_PATH) == NULL)
        return take_all(server, request);
    static char answer[512];
    cJSON *json = cJSON_Parse(request->body);
    const cJSON *event, *bad = NULL;
    cJSON_ArrayForEach(event, cJSON_GetObjectItem(json, "batch"))
        if (strcmp(text_of(cJSON_GetObjectItem(event, "body"), "name"), "bad") == 0)
            bad = event;
    snprintf(answer, sizeof answer, "{\"successes\":[],\"errors\":[{\"id\":\"%s\",\"status\":400,\"message\":\"bad score\"}]}",
             text_of(bad, "id"));
    cJSON_Delete(json);
    return (fake_reply){.status = 207, .headers = "Content-Type: application/json\r\n", .body = answer};
}

TEST(a_score_that_the_server_refuses_is_counted_and_the_others_arrive)
{
    fake_server *server = fake_server_start(refuses_one, NULL);
    CHECK(server != NULL);
    lf_options options = to_fake(server);
    CHECK_INT(lf_init(&options), LF_OK);
    lf_create_score(.name = "good", .value = 1, .trace_id = trace_hex);
    lf_create_score(.name = "bad", .value = 1, .trace_id = trace_hex);
    lf_create_score(.name = "fine", .value = 1, .trace_id = trace_hex);
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_ERR_LOST);
    lf_stats stats = stats_now();
    CHECK_INT(stats.accepted, 3);
    CHECK_INT(stats.delivered, 2);
    CHECK_INT(stats.dropped[LF_DROP_REFUSED], 1);
    CHECK_INT(lf_shutdown(HARNESS_WAIT_MS), LF_OK);
    fake_server_free(server);
}

static void judges_and_ends(void)
{
    start();
    judges_itself();
}

TEST(scores_are_delivered_at_exit)
{
    CHECK_INT(end_of(judges_and_ends), 0);
    char path[300], line[4096];
    snprintf(path, sizeof path, "%s.scores", harness_path);
    FILE *stream = fopen(path, "r");
    CHECK(stream != NULL);
    CHECK(fgets(line, sizeof line, stream) != NULL);
    fclose(stream);
    read_batch(line);
    CHECK_INT(event_count, 2);
}

enum { JUDGES = 8, JUDGEMENTS = 300 };

static void *judges(void *unused)
{
    (void)unused;
    for (int i = 0; i < rounds(JUDGEMENTS); i++)
        judges_itself();
    return NULL;
}

TEST(eight_threads_judge)
{
    start();
    pthread_t threads[JUDGES];
    for (int i = 0; i < JUDGES; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, judges, NULL), 0);
    for (int i = 0; i < JUDGES; i++)
        pthread_join(threads[i], NULL);
    collect_scores();
    CHECK_INT(event_count, 2 * JUDGES * rounds(JUDGEMENTS));
    check_all_delivered((uint64_t)(3 * JUDGES * rounds(JUDGEMENTS)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_arrives_with_its_value),
        cmocka_unit_test(all_fields_arrive),
        cmocka_unit_test(a_time_before_1970_is_not_given),
        cmocka_unit_test(scores_without_an_id_get_different_ones),
        cmocka_unit_test(a_later_score_with_the_same_id_has_a_later_millisecond),
        cmocka_unit_test(the_current_observation_and_its_trace_can_be_judged),
        cmocka_unit_test(a_handle_can_be_judged_open_or_ended_current_or_not),
        cmocka_unit_test(sessions_and_dataset_runs_can_be_judged),
        cmocka_unit_test(a_trace_may_be_named_by_any_text),
        cmocka_unit_test(a_thread_that_carries_the_context_judges_its_trace),
        cmocka_unit_test(what_makes_no_sense_is_refused_each_kind_told_once),
        cmocka_unit_test(text_is_measured_in_utf_16_units),
        cmocka_unit_test(a_handle_that_is_long_gone_is_no_target),
        cmocka_unit_test(a_scope_of_attributes_alone_is_no_target),
        cmocka_unit_test(while_tracing_is_off_scores_are_neither_made_nor_judged),
        cmocka_unit_test(the_environment_is_its_own_then_the_scopes_then_the_clients),
        cmocka_unit_test(an_environment_that_the_server_would_refuse_is_left_out),
        cmocka_unit_test(scores_go_to_the_batch_endpoint_with_the_keys),
        cmocka_unit_test(a_score_that_the_server_refuses_is_counted_and_the_others_arrive),
        cmocka_unit_test(scores_are_delivered_at_exit),
        cmocka_unit_test(eight_threads_judge),
    };
    return cmocka_run_group_tests_name("score", tests, NULL, NULL);
}
