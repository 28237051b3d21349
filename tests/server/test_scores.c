/* Scores: what is accepted and in which words it is refused, inference of types, replacement, filters and pages. */
#include "harness.h"

#include <sqlite3.h>
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

#define DISCRIMINATOR                                                                                                  \
    "{\"code\":\"invalid_union\",\"errors\":[],\"note\":\"No matching discriminator\",\"discriminator\":\"dataType\"," \
    "\"path\":[\"dataType\"],\"message\":\"Invalid input\"}"
#define SOURCE                                                                               \
    "{\"code\":\"invalid_value\",\"values\":[\"API\",\"ANNOTATION\"],\"path\":[\"source\"]," \
    "\"message\":\"Invalid option: expected one of \\\"API\\\"|\\\"ANNOTATION\\\"\"}"

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
        {"\"value\":1,\"traceId\":\"t\",\"sessionId\":\"\",\"name\":\"x\",\"id\":\"\",\"configId\":null", ""},
        {"\"value\":1,\"traceId\":\"t\",\"name\":\"x\",\"dataType\":null", DISCRIMINATOR},
        {"\"value\":1,\"traceId\":\"t\",\"dataType\":\"FLOAT\"", WRONG("name", "string", "undefined") "," DISCRIMINATOR},
        {"\"value\":1,\"traceId\":\"\",\"name\":\"x\"", NO_TARGET},
        {"\"value\":1,\"sessionId\":\"\",\"name\":\"x\"", NO_TARGET},
        {"\"value\":1,\"traceId\":\"t\",\"name\":\"x\",\"environment\":null", WRONG("environment", "string", "null")},
        {"\"value\":1,\"traceId\":\"t\",\"name\":\"x\",\"source\":null", SOURCE},
        {"\"value\":\"v\",\"traceId\":\"t\",\"name\":\"x\",\"dataType\":\"CORRECTION\",\"configId\":\"c\"",
         WRONG("configId", "undefined", "string")},
        {"\"value\":1e400,\"traceId\":\"t\",\"name\":\"x\",\"dataType\":\"NUMERIC\"",
         "{\"expected\":\"number\",\"code\":\"invalid_type\",\"received\":\"Infinity\",\"path\":[\"value\"],"
         "\"message\":\"Invalid input: expected number, received number\"}"},
        {"\"value\":-1e400,\"traceId\":\"t\",\"name\":\"x\"",
         "{\"code\":\"invalid_union\",\"errors\":[[{\"expected\":\"string\",\"code\":\"invalid_type\",\"path\":[],\"message\":"
         "\"Invalid input: expected string, received number\"}],[{\"expected\":\"number\",\"code\":\"invalid_type\",\"received\":"
         "\"Infinity\",\"path\":[],\"message\":\"Invalid input: expected number, received number\"}]],\"path\":[\"value\"],"
         "\"message\":\"Invalid input\"}"},
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
        {"\"value\":1,\"traceId\":\"t\",\"name\":\"x\",\"dataType\":\"FLOAT\"", DISCRIMINATOR},
        {"\"value\":\"\",\"name\":\"\",\"dataType\":\"TEXT\"",
         "{\"origin\":\"string\",\"code\":\"too_small\",\"minimum\":1,\"inclusive\":true,\"path\":[\"name\"],"
         "\"message\":\"Too small: expected string to have >=1 characters\"},"
         "{\"origin\":\"string\",\"code\":\"too_small\",\"minimum\":1,\"inclusive\":true,\"path\":[\"value\"],"
         "\"message\":\"Too small: expected string to have >=1 characters\"}," NO_TARGET},
        {"\"value\":1,\"traceId\":\"t\",\"name\":\"x\",\"source\":\"ANNOTATION\"",
         "{\"code\":\"custom\",\"path\":[\"configId\"],\"message\":\"configId is required when source is ANNOTATION (except for "
         "CORRECTION "
         "scores).\"}"},
        {"\"value\":1,\"traceId\":\"t\",\"name\":\"x\",\"source\":\"EVAL\"", SOURCE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arena a = {0};
        issues found = {0};
        buf body = {0};
        buf_format(&body, "{%s}", cases[i].body);
        score_check(json_parse(&a, buf_view(&body)), false, &found);
        assert_false(found.list.failed);
        assert_text(found.count > 0 ? buf_view(&found.list) : TEXT(""), cases[i].issues);
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

static const json *settle(arena *a, const char *body, const score_config *config, unsigned *out_losses)
{
    buf object = {0};
    buf_format(&object, "{\"name\":\"x\",\"traceId\":\"t\",%s}", body);
    const json *parsed = json_parse(a, buf_move(&object, a));
    assert_non_null(parsed);
    *out_losses = 0;
    return score_settle(a, parsed, config, out_losses);
}

static void scores_fit_their_config_or_are_dropped(void **state)
{
    const score_config numeric = {.name = TEXT("n"), .data_type = TEXT("NUMERIC"), .has_min = true, .has_max = true, .max = 1},
                       half = {.name = TEXT("n"), .data_type = TEXT("NUMERIC"), .has_min = true, .min = 1},
                       boolean = {.name = TEXT("b"), .data_type = TEXT("BOOLEAN")},
                       words = {.name = TEXT("w"), .data_type = TEXT("TEXT")},
                       archived = {.name = TEXT("a"), .data_type = TEXT("NUMERIC"), .is_archived = true},
                       category = {.name = TEXT("c"),
                                   .data_type = TEXT("CATEGORICAL"),
                                   .categories = TEXT("[{\"label\":\"good\",\"value\":2},{\"label\":\"bad\",\"value\":0}]")};
    const struct {
        const score_config *config;
        const char *body;
        bool fits;
    } cases[] = {
        {&numeric, "\"value\":0.5", true},
        {&numeric, "\"value\":0", true},
        {&numeric, "\"value\":1,\"dataType\":\"NUMERIC\"", true},
        {&numeric, "\"value\":1.5", false},
        {&numeric, "\"value\":-1", false},
        {&numeric, "\"value\":\"1\"", false},
        {&numeric, "\"value\":1,\"dataType\":\"BOOLEAN\"", false},
        {&half, "\"value\":1e9", true},
        {&half, "\"value\":0", false},
        {&boolean, "\"value\":1", true},
        {&boolean, "\"value\":2", false},
        {&boolean, "\"value\":\"True\"", false},
        {&words, "\"value\":\"free\"", true},
        {&words, "\"value\":\"\"", false},
        {&words, "\"value\":1", false},
        {&archived, "\"value\":1", false},
        {&category, "\"value\":\"good\"", true},
        {&category, "\"value\":\"Good\"", false},
        {&category, "\"value\":2", false},
        {NULL, "\"value\":1", false},
    };
    arena a = {0};
    unsigned losses;
    char body[200];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(body, sizeof body, "\"configId\":\"id\",%s", cases[i].body);
        const json *settled = settle(&a, body, cases[i].config, &losses);
        if ((settled != NULL) != cases[i].fits || (losses == 0) != cases[i].fits)
            fail_msg("%s: %s", cases[i].body, cases[i].fits ? "dropped" : "kept");
        if (settled == NULL)
            continue;
        score s = score_from_body(&a, TEXT("s"), settled);
        assert_true(text_equal(s.name, cases[i].config->name) && text_equal(s.data_type, cases[i].config->data_type));
        assert_true(cases[i].config != &category || s.value == 2);
    }
    assert_non_null(settle(&a, "\"value\":\"x\",\"dataType\":\"CORRECTION\",\"source\":\"ANNOTATION\"", NULL, &losses));
    assert_null(settle(&a, "\"value\":1,\"source\":\"ANNOTATION\"", NULL, &losses));
    arena_free(&a);
}

static void a_correction_is_named_output(void **state)
{
    arena a = {0};
    unsigned losses;
    (void)state;
    const json *body = settle(&a, "\"value\":\"better\",\"dataType\":\"CORRECTION\"", NULL, &losses);
    assert_text(score_from_body(&a, TEXT("s"), body).name, "output");
    assert_null(settle(&a, "\"traceId\":null,\"sessionId\":\"s\",\"value\":\"better\",\"dataType\":\"CORRECTION\"", NULL, &losses));
    assert_true(losses != 0);
    arena_free(&a);
}

static void of_an_array_the_same_id_and_time_is_an_update(void **state)
{
    store *s = open_store(":memory:", false);
    arena a = {0};
    score one = {.id = TEXT("i"),
                 .name = TEXT("n"),
                 .data_type = TEXT("NUMERIC"),
                 .value = 1,
                 .timestamp_ms = 5,
                 .created_ns = 1,
                 .updated_ns = 1};
    score other = one, again = one;
    (void)state;
    other.timestamp_ms = 6;
    again.value = 2;
    again.created_ns = again.updated_ns = 9;
    assert_true(store_put_scores(s, &one, 1) && store_put_scores(s, &other, 1) && store_put_scores(s, &again, 1));
    assert_string_equal(find(s, &(store_score_query){0}), "i i ");
    assert_string_equal(find(s, &(store_score_query){.numbers = (const double[]){2, 7}, .number_count = 2}), "i ");
    assert_string_equal(find(s, &(store_score_query){.numbers = (const double[]){7}, .number_count = 1}), "");
    score *scores;
    size_t count;
    int64_t total;
    assert_true(store_find_scores(s, &a, &(store_score_query){.from_ms = 5, .to_ms = 6, .limit = 9}, &scores, &count, &total));
    assert_true(count == 1 && scores[0].value == 2 && scores[0].created_ns == 1 && scores[0].updated_ns == 9);
    assert_true(store_delete_score(s, TEXT("i")));
    assert_string_equal(find(s, &(store_score_query){0}), "");
    arena_free(&a);
    store_close(s);
}

/* Version 3: a score has its id to itself, and there are no configs. */
static void a_database_of_version_3_is_upgraded(void **state)
{
    static const char sql[] = "DROP TABLE score_configs; ALTER TABLE scores RENAME TO newer; DROP INDEX scores_by_trace;"
                              "DROP INDEX scores_by_time; CREATE TABLE scores AS SELECT * FROM newer; DROP TABLE newer;"
                              "CREATE INDEX scores_by_trace ON scores (trace_id);"
                              "CREATE INDEX scores_by_time ON scores (timestamp_ms);" HARNESS_OLD_OBSERVATIONS
                              "PRAGMA user_version = 3;";
    char path[] = TEMPORARY_PATH;
    sqlite3 *old = NULL;
    arena a = {0};
    score_config config = {.id = TEXT("c"), .name = TEXT("n"), .data_type = TEXT("NUMERIC"), .has_max = true, .max = 2}, read;
    bool found;
    (void)state;
    make_file(path);
    store *s = open_store(path, false);
    put(s, "kept", "\"name\":\"x\",\"value\":7,\"traceId\":\"t\"", 1);
    store_close(s);
    assert_int_equal(sqlite3_open(path, &old), SQLITE_OK);
    assert_int_equal(sqlite3_exec(old, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(old);
    s = open_store(path, false);
    assert_true(get(s, &a, "kept").value == 7);
    assert_true(store_put_score_config(s, &config) && store_find_score_config(s, &a, TEXT("c"), &read, &found) && found);
    assert_true(read.has_max && read.max == 2 && !read.has_min && read.description.at == NULL);
    assert_true(store_find_score_config(s, &a, TEXT("d"), &read, &found) && !found);
    store_close(s);
    unlink(path);
    arena_free(&a);
}

static void configs_are_checked(void **state)
{
    static const struct {
        bool change;
        const char *body, *issues;
    } cases[] = {
        {false, "\"name\":\"a (b)-c_1.\xC3\xA4\",\"dataType\":\"NUMERIC\",\"minValue\":0,\"maxValue\":null", ""},
        {false, "\"name\":\"a\",\"dataType\":\"BOOLEAN\",\"minValue\":\"x\"", ""},
        {false,
         "\"name\":\"a\",\"dataType\":\"CATEGORICAL\",\"categories\":[{\"label\":\"x\",\"value\":1},{\"label\":\"y\",\"value\":2}]",
         ""},
        {false, "\"name\":\"a\",\"dataType\":\"NUMERIC\",\"minValue\":1,\"maxValue\":1",
         "{\"code\":\"custom\",\"message\":\"Maximum value must be greater than Minimum value\",\"path\":[]}"},
        {false, "\"name\":\"a\",\"dataType\":\"TEXT\",\"minValue\":1", WRONG("minValue", "undefined", "number")},
        {false, "\"name\":\"a\",\"dataType\":\"BOOLEAN\",\"categories\":null", WRONG("categories", "undefined", "null")},
        {false, "\"name\":\"a\"", DISCRIMINATOR},
        {false, "\"name\":\"a/b\",\"dataType\":\"NUMERIC\"",
         "{\"origin\":\"string\",\"code\":\"invalid_format\",\"format\":\"regex\",\"pattern\":\"/^[\\\\p{L}\\\\p{N}_ .()-]+$/u\","
         "\"path\":[\"name\"],\"message\":\"Name contains invalid characters\"}"},
        {false,
         "\"name\":\"a\",\"dataType\":\"CATEGORICAL\",\"categories\":[{\"label\":\"x\",\"value\":1},{\"label\":\"x\",\"value\":2}]",
         "{\"code\":\"custom\",\"path\":[\"categories\"],\"message\":\"Duplicate category label: x, category labels must be "
         "unique\"}"},
        {false,
         "\"name\":\"a\",\"dataType\":\"CATEGORICAL\",\"categories\":[{\"label\":\"x\",\"value\":1.5},{\"label\":\"y\",\"value\":1."
         "5}]",
         "{\"code\":\"custom\",\"path\":[\"categories\"],\"message\":\"Duplicate category value: 1.5, category values must be "
         "unique\"}"},
        {false, "\"name\":\"a\",\"dataType\":\"CATEGORICAL\",\"categories\":[{\"label\":\"\",\"value\":1}]",
         "{\"code\":\"custom\",\"path\":[\"categories\"],\"message\":\"Category must be an array of objects with label value "
         "pairs, where labels and values are unique.\"}"},
        {true, "\"isArchived\":true", ""},
        {true, "\"minValue\":null", WRONG("minValue", "number", "null")},
        {true, "\"isArchived\":1", WRONG("isArchived", "boolean", "number")},
        {true, "\"other\":1",
         "{\"code\":\"custom\",\"path\":[],\"message\":\"Request body cannot be empty. At least one field must be provided for "
         "update.\"}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arena a = {0};
        issues found = {0};
        buf body = {0};
        buf_format(&body, "{%s}", cases[i].body);
        (cases[i].change ? score_config_check_change : score_config_check)(json_parse(&a, buf_view(&body)), &found);
        assert_text(found.count > 0 ? buf_view(&found.list) : TEXT(""), cases[i].issues);
        issues_free(&found);
        buf_free(&body);
        arena_free(&a);
    }
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
        cmocka_unit_test(scores_fit_their_config_or_are_dropped),
        cmocka_unit_test(a_correction_is_named_output),
        cmocka_unit_test(of_an_array_the_same_id_and_time_is_an_update),
        cmocka_unit_test(a_database_of_version_3_is_upgraded),
        cmocka_unit_test(configs_are_checked),
        cmocka_unit_test(filters_select),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
