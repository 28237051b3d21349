/* Scores: what is accepted and in which words it is refused, inference of types, replacement, filters and pages. */
#include "harness.h"

#include <stdio.h>
#include <string.h>

#define NO_TARGET                                                                                                                 \
    "{\"code\":\"custom\",\"path\":[\"traceId\",\"sessionId\",\"datasetRunId\",\"observationId\"],\"message\":\"Provide exactly " \
    "one "                                                                                                                        \
    "of the following: traceId (with optional observationId), sessionId or datasetRunId. ObservationId requires traceId.\"}"
#define WRONG(what, expected, received)                                          \
    "{\"expected\":\"" expected "\",\"code\":\"invalid_type\",\"path\":[\"" what \
    "\"],\"message\":\"Invalid input: expected " expected ", received " received "\"}"
#define UNION(received)                                                                                                            \
    "{\"code\":\"invalid_union\",\"errors\":[[{\"expected\":\"string\",\"code\":\"invalid_type\",\"path\":[],"                     \
    "\"message\":\"Invalid input: expected string, received " received "\"}],[{\"expected\":\"number\",\"code\":\"invalid_type\"," \
    "\"path\":[],\"message\":\"Invalid input: expected number, received " received "\"}]],\"path\":[\"value\"],"                   \
    "\"message\":\"Invalid input\"}"

static void bodies_are_checked(void **state)
{
    static const struct {
        const char *body, *issues;
    } cases[] = {
        {"\"value\":1,\"traceId\":\"t\",\"name\":\"x\"", ""},
        {"\"value\":-1.5e300,\"traceId\":\"t\",\"name\":\"x\",\"dataType\":\"NUMERIC\"", ""},
        {"\"value\":0,\"sessionId\":\"s\",\"name\":\"x\",\"dataType\":\"BOOLEAN\"", ""},
        {"\"value\":\"v\",\"datasetRunId\":\"r\",\"name\":\"x\",\"dataType\":\"CATEGORICAL\",\"comment\":null", ""},
        {"\"value\":\"v\",\"traceId\":\"t\",\"observationId\":\"o\",\"name\":\"x\",\"dataType\":\"TEXT\"", ""},
        {"\"value\":\"\",\"traceId\":\"t\",\"name\":\"x\",\"dataType\":\"CORRECTION\",\"source\":\"ANNOTATION\"", ""},
        {"\"value\":1,\"traceId\":\"t\",\"name\":\"x\",\"dataType\":null", ""},
        {"\"value\":1,\"name\":\"x\"", NO_TARGET},
        {"\"value\":1,\"name\":\"x\",\"observationId\":\"o\"", NO_TARGET},
        {"\"value\":1,\"name\":\"x\",\"sessionId\":\"s\",\"observationId\":\"o\"", NO_TARGET},
        {"\"value\":1,\"name\":\"x\",\"sessionId\":\"s\",\"traceId\":\"t\"", NO_TARGET},
        {"\"value\":1,\"traceId\":\"t\"", WRONG("name", "string", "undefined")},
        {"\"value\":1,\"name\":7", WRONG("name", "string", "number")},
        {"\"value\":true,\"traceId\":\"t\",\"name\":\"x\"", UNION("boolean")},
        {"\"traceId\":\"t\",\"name\":\"x\"", UNION("undefined")},
        {"\"value\":true,\"traceId\":\"t\",\"name\":\"x\",\"dataType\":\"BOOLEAN\"", WRONG("value", "number", "boolean")},
        {"\"value\":5,\"traceId\":\"t\",\"name\":\"x\",\"dataType\":\"CATEGORICAL\"", WRONG("value", "string", "number")},
        {"\"value\":2,\"traceId\":\"t\",\"name\":\"x\",\"dataType\":\"BOOLEAN\"",
         "{\"code\":\"custom\",\"path\":[\"value\"],\"message\":\"Value must be a number equal to either 0 or 1 for data type "
         "BOOLEAN\"}"},
        {"\"value\":1,\"traceId\":\"t\",\"name\":\"x\",\"dataType\":\"FLOAT\"",
         "{\"code\":\"invalid_union\",\"errors\":[],\"note\":\"No matching discriminator\",\"discriminator\":\"dataType\","
         "\"path\":[\"dataType\"],\"message\":\"Invalid input\"}"},
        {"\"value\":\"\",\"name\":\"\",\"dataType\":\"TEXT\"",
         "{\"origin\":\"string\",\"code\":\"too_small\",\"minimum\":1,\"inclusive\":true,\"path\":[\"name\"],"
         "\"message\":\"Too small: expected string to have >=1 characters\"},"
         "{\"origin\":\"string\",\"code\":\"too_small\",\"minimum\":1,\"inclusive\":true,\"path\":[\"value\"],"
         "\"message\":\"Too small: expected string to have >=1 characters\"}," NO_TARGET},
        {"\"value\":1,\"traceId\":\"t\",\"name\":\"x\",\"source\":\"ANNOTATION\"",
         "{\"code\":\"custom\",\"path\":[\"configId\"],\"message\":\"configId is required when source is ANNOTATION (except for "
         "CORRECTION "
         "scores).\"}"},
        {"\"value\":1,\"traceId\":\"t\",\"name\":\"x\",\"source\":\"EVAL\"",
         "{\"code\":\"invalid_value\",\"values\":[\"API\",\"ANNOTATION\"],\"path\":[\"source\"],"
         "\"message\":\"Invalid option: expected one of \\\"API\\\"|\\\"ANNOTATION\\\"\"}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arena a = {0};
        issues found = {0};
        buf body = {0};
        buf_format(&body, "{%s}", cases[i].body);
        score_check(json_parse(&a, buf_view(&body)), false, &found);
        assert_false(found.list.failed);
        assert_text(buf_view(&found.list), cases[i].issues);
        issues_free(&found);
        buf_free(&body);
        arena_free(&a);
    }
}

/* JavaScript counts UTF-16 units: 500 emoji are too long, 250 are not. */
static void length_is_counted_as_javascript_counts(void **state)
{
    (void)state;
    assert_int_equal(issues_length(TEXT("a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80")), 5);
    for (size_t count = 250; count <= 251; count++) {
        arena a = {0};
        issues found = {0};
        buf body = {0};
        buf_string(&body, "{\"traceId\":\"t\",\"name\":\"x\",\"dataType\":\"TEXT\",\"value\":\"");
        for (size_t i = 0; i < count; i++)
            buf_string(&body, "\xF0\x9F\x98\x80");
        buf_string(&body, "\"}");
        score_check(json_parse(&a, buf_view(&body)), false, &found);
        assert_int_equal(found.count, count - 250);
        issues_free(&found);
        buf_free(&body);
        arena_free(&a);
    }
}

/* Scores of one request, up to the first NULL. `bodies` are the insides of objects; `at_ms` is the time of the events, of which
 * each has an id of its own. Requests arrive one after the other, also within a millisecond. */
static void put_batch(store *s, const char *id, const char *const *bodies, int64_t at_ms)
{
    static int last_event, last_request;
    char event_ids[4][16];
    arena a = {0};
    event events[4];
    size_t count = 0;
    int64_t arrived_ns = at_ms * 1000000 + ++last_request;
    for (; bodies[count] != NULL; count++) {
        buf body = {0};
        buf_format(&body, "{%s}", bodies[count]);
        snprintf(event_ids[count], sizeof event_ids[count], "%d", ++last_event);
        events[count] = (event){.type = event_type_of(TEXT("score-create")),
                                .id = text_of(event_ids[count]),
                                .body_id = text_of(id),
                                .timestamp_ms = at_ms,
                                .arrived_ns = arrived_ns,
                                .body = json_parse(&a, arena_copy(&a, buf_view(&body)))};
        assert_non_null(events[count].body);
        buf_free(&body);
    }
    assert_true(store_put_events(s, &a, events, count));
    arena_free(&a);
}

static void put(store *s, const char *id, const char *body, int64_t at_ms)
{
    const char *const bodies[] = {body, NULL};
    put_batch(s, id, bodies, at_ms);
}

/* Ids with a space behind each, in the order of the answer. */
static const char *find(store *s, const store_score_query *given)
{
    static char ids[500];
    arena a = {0};
    store_score_query query = *given;
    score *scores;
    size_t count, used = 0;
    int64_t total;
    query.from_ms = query.from_ms != 0 ? query.from_ms : INT64_MIN;
    query.to_ms = query.to_ms != 0 ? query.to_ms : INT64_MAX;
    query.limit = query.limit > 0 ? query.limit : 100;
    assert_true(store_find_scores(s, &a, &query, &scores, &count, &total));
    ids[0] = '\0';
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(ids + used, sizeof ids - used, "%.*s ", (int)scores[i].id.size, scores[i].id.at);
    arena_free(&a);
    return ids;
}

static score get(store *s, arena *a, const char *id)
{
    score *scores;
    size_t count;
    int64_t total;
    text wanted = text_of(id);
    store_score_query query = {
        .conditions = {{STORE_SCORE_ID, &wanted, 1}}, .condition_count = 1, .from_ms = INT64_MIN, .to_ms = INT64_MAX, .limit = 1};
    assert_true(store_find_scores(s, a, &query, &scores, &count, &total));
    assert_int_equal(count, 1);
    return scores[0];
}

static void types_follow_from_values(void **state)
{
    store *s = open_store(":memory:", false);
    arena a = {0};
    (void)state;
    put(s, "n",
        "\"name\":\"x\",\"value\":0.5,\"traceId\":\"t\",\"metadata\":{\"a\":{\"b\":1},\"c\":\"d\"},\"environment\":\"Prod\"", 1);
    put(s, "c", "\"name\":\"x\",\"value\":\"good\",\"traceId\":\"t\"", 1);
    put(s, "b", "\"name\":\"x\",\"value\":1,\"traceId\":\"t\",\"dataType\":\"BOOLEAN\"", 1);
    put(s, "t", "\"name\":\"x\",\"value\":\"free\",\"sessionId\":\"s\",\"dataType\":\"TEXT\",\"comment\":\"why\"", 1);
    score numeric = get(s, &a, "n"), categorical = get(s, &a, "c"), boolean = get(s, &a, "b"), words = get(s, &a, "t");
    assert_text(numeric.data_type, "NUMERIC");
    assert_true(numeric.value == 0.5);
    assert_text(numeric.metadata, "{\"a\":\"{\\\"b\\\":1}\",\"c\":\"d\"}");
    assert_text(numeric.environment, "prod");
    assert_text(numeric.source, "API");
    assert_null(numeric.comment.at);
    assert_text(categorical.data_type, "CATEGORICAL");
    assert_text(categorical.string_value, "good");
    assert_true(boolean.value == 1);
    assert_text(words.string_value, "free");
    assert_text(words.session_id, "s");
    assert_text(words.comment, "why");
    arena_free(&a);
    store_close(s);
}

static void a_later_score_replaces_and_keeps_the_first_time(void **state)
{
    store *s = open_store(":memory:", false);
    arena a = {0};
    (void)state;
    put(s, "s", "\"name\":\"x\",\"value\":1,\"traceId\":\"t\",\"comment\":\"old\",\"dataType\":\"NUMERIC\"", 10);
    put(s, "s", "\"name\":\"x\",\"value\":\"two\",\"traceId\":\"t\"", 30);
    put(s, "s", "\"name\":\"x\",\"value\":3,\"traceId\":\"t\"", 20); /* late, and older */
    score found = get(s, &a, "s");
    assert_text(found.data_type, "CATEGORICAL");
    assert_text(found.string_value, "two");
    assert_text(found.comment, "old");
    assert_int_equal(found.timestamp_ms, 10);
    assert_true(store_delete_score(s, TEXT("s")));
    assert_string_equal(find(s, &(store_score_query){0}), "");
    put(s, "s", "\"name\":\"x\",\"value\":9,\"traceId\":\"t\"", 5);
    assert_true(get(s, &a, "s").value == 9);
    arena_free(&a);
    store_close(s);
}

/* Of requests within one millisecond the later one replaces; within one batch, as on a real server, the first of equal times
 * counts. */
static void of_equal_times_the_later_request_counts(void **state)
{
    static const char *const both[] = {"\"name\":\"x\",\"value\":3,\"traceId\":\"t\"",
                                       "\"name\":\"x\",\"value\":4,\"traceId\":\"t\"", NULL};
    store *s = open_store(":memory:", false);
    arena a = {0};
    (void)state;
    put(s, "tie", "\"name\":\"x\",\"value\":1,\"traceId\":\"t\",\"comment\":\"first\"", 10);
    put(s, "tie", "\"name\":\"x\",\"value\":2,\"traceId\":\"t\",\"comment\":\"second\"", 10);
    assert_true(get(s, &a, "tie").value == 2);
    assert_text(get(s, &a, "tie").comment, "second");
    put_batch(s, "tie", both, 10);
    assert_true(get(s, &a, "tie").value == 3);
    put(s, "tie", "\"name\":\"x\",\"value\":\"five\",\"traceId\":\"t\"", 10);
    assert_text(get(s, &a, "tie").data_type, "CATEGORICAL");
    assert_text(get(s, &a, "tie").string_value, "five");
    put(s, "tie", "\"name\":\"x\",\"value\":6,\"traceId\":\"t\"", 9); /* arrives late, and is older */
    assert_text(get(s, &a, "tie").string_value, "five");
    assert_int_equal(get(s, &a, "tie").timestamp_ms, 9);
    arena_free(&a);
    store_close(s);
}

static void filters_select(void **state)
{
    static const struct {
        store_score_column column;
        const char *values[2], *expected;
    } cases[] = {
        {STORE_SCORE_NAME, {"q"}, "3 1 "},
        {STORE_SCORE_NAME, {"q", "r"}, "3 2 1 "},
        {STORE_SCORE_TRACE, {"t2"}, "3 "},
        {STORE_SCORE_OBSERVATION, {"o"}, "2 "},
        {STORE_SCORE_SESSION, {"s"}, "4 "},
        {STORE_SCORE_DATASET_RUN, {"run"}, "5 "},
        {STORE_SCORE_DATA_TYPE, {"CATEGORICAL"}, "4 "},
        {STORE_SCORE_ENVIRONMENT, {"dev"}, "2 "},
        {STORE_SCORE_ID, {"1", "5"}, "5 1 "},
        {STORE_SCORE_USER_OF_TRACE, {"u"}, "3 "},
        {STORE_SCORE_USER_OF_TRACE, {"v"}, "2 1 "},
        {STORE_SCORE_TAG_OF_TRACE, {"a"}, "3 "},
        {STORE_SCORE_STRING_VALUE, {"x' OR 1=1"}, ""},
        {STORE_SCORE_STRING_VALUE, {"good"}, "4 "},
    };
    store *s = open_store(":memory:", false);
    observation row = {.trace_id = TEXT("t2"), .id = TEXT("i"), .user_id = TEXT("u"), .tags = TEXT("[\"ab\",\"a\"]")};
    arena a = {0};
    event named = {.type = event_type_of(TEXT("trace-create")),
                   .id = TEXT("e"),
                   .body_id = TEXT("t1"),
                   .body = json_parse(&a, TEXT("{\"userId\":\"v\",\"tags\":[\"aa\"]}"))};
    (void)state;
    assert_true(store_put_rows(s, &row, 1) && store_put_events(s, &a, &named, 1));
    put(s, "1", "\"name\":\"q\",\"value\":1,\"traceId\":\"t1\"", 1);
    put(s, "2", "\"name\":\"r\",\"value\":2,\"traceId\":\"t1\",\"observationId\":\"o\",\"environment\":\"dev\"", 2);
    put(s, "3", "\"name\":\"q\",\"value\":3,\"traceId\":\"t2\"", 3);
    put(s, "4", "\"name\":\"s\",\"value\":\"good\",\"sessionId\":\"s\"", 4);
    put(s, "5", "\"name\":\"t\",\"value\":5,\"datasetRunId\":\"run\"", 5);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const text values[] = {text_of(cases[i].values[0]), text_of(cases[i].values[1])};
        store_score_query query = {.conditions = {{cases[i].column, values, cases[i].values[1] != NULL ? 2 : 1}},
                                   .condition_count = 1};
        assert_string_equal(find(s, &query), cases[i].expected);
    }
    assert_string_equal(find(s, &(store_score_query){.from_ms = 2, .to_ms = 4}), "3 2 ");
    assert_string_equal(find(s, &(store_score_query){.comparisons = {{">=", 2}, {"!=", 5}}, .comparison_count = 2}), "3 2 ");
    assert_string_equal(find(s, &(store_score_query){.limit = 2, .offset = 2}), "3 2 ");
    assert_string_equal(find(s, &(store_score_query){.after_ms = 3, .after_id = TEXT("3"), .limit = 1}), "2 ");
    arena_free(&a);
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_are_checked),
        cmocka_unit_test(length_is_counted_as_javascript_counts),
        cmocka_unit_test(types_follow_from_values),
        cmocka_unit_test(a_later_score_replaces_and_keeps_the_first_time),
        cmocka_unit_test(of_equal_times_the_later_request_counts),
        cmocka_unit_test(filters_select),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
