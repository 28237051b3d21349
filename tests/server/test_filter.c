/* The parameter `filter`: in which words it is refused, and which observations and traces each condition selects. */
#include "harness.h"

#include <stdio.h>

#define WRONG(path, expected, received)                                                                   \
    "{\"expected\":\"" expected "\",\"code\":\"invalid_type\",\"path\":[\"filter\"" path "],\"message\":" \
    "\"Invalid input: expected " expected ", received " received "\"}"
#define OPERATORS "\"code\":\"invalid_value\",\"values\":[\"=\",\"contains\",\"does not contain\",\"starts with\",\"ends with\"]"
#define OPERATORS_TEXT "\\\"=\\\"|\\\"contains\\\"|\\\"does not contain\\\"|\\\"starts with\\\"|\\\"ends with\\\"\"}"

/* Words of a real server, taken from the library that it checks with. */
static void conditions_are_checked(void **state)
{
    static const struct {
        const char *filter;
        filter_status status;
        const char *words;
    } cases[] = {
        {"zz", FILTER_NO_JSON, ""},
        {"{}", FILTER_INVALID, WRONG("", "array", "object")},
        {"5", FILTER_INVALID, WRONG("", "array", "number")},
        {"null", FILTER_INVALID, WRONG("", "array", "null")},
        {"[]", FILTER_OK, ""},
        {"[1]", FILTER_INVALID,
         "{\"code\":\"invalid_type\",\"expected\":\"object\",\"path\":[\"filter\",0],\"message\":\"Invalid input: expected object, "
         "received number\"}"},
        {"[{}]", FILTER_INVALID,
         "{\"code\":\"invalid_union\",\"errors\":[],\"note\":\"No matching discriminator\",\"discriminator\":\"type\",\"path\":["
         "\"filter\",0,\"type\"],\"message\":\"Invalid input\"}"},
        {"[{\"type\":\"string\",\"column\":\"name\",\"operator\":\"~\",\"value\":5}]", FILTER_INVALID,
         "{\"code\":\"invalid_union\",\"errors\":[[{" OPERATORS
         ",\"path\":[],\"message\":\"Invalid option: expected one of " OPERATORS_TEXT
         "],[{\"code\":\"invalid_value\",\"values\":[\"matches\"],\"path\":[],\"message\":\"Invalid input: expected "
         "\\\"matches\\\"\"}]],\"path\":[\"filter\",0,\"operator\"],\"message\":\"Invalid input\"}," WRONG(",0,\"value\"", "string",
                                                                                                           "number")},
        {"[{\"type\":\"datetime\",\"column\":\"startTime\",\"operator\":\">\",\"value\":\"zz\"}]", FILTER_INVALID,
         "{\"expected\":\"date\",\"code\":\"invalid_type\",\"received\":\"Invalid Date\",\"path\":[\"filter\",0,\"value\"],"
         "\"message\":\"Invalid input: expected date, received Date\"}"},
        {"[{\"type\":\"number\",\"column\":\"latency\",\"operator\":\"<>\",\"value\":\"1\"}]", FILTER_INVALID,
         "{\"code\":\"invalid_value\",\"values\":[\"=\",\">\",\"<\",\">=\",\"<=\"],\"path\":[\"filter\",0,\"operator\"],"
         "\"message\":\"Invalid option: expected one of \\\"=\\\"|\\\">\\\"|\\\"<\\\"|\\\">=\\\"|\\\"<=\\\"\"}," WRONG(
             ",0,\"value\"", "number", "string")},
        {"[{\"type\":\"stringOptions\",\"column\":\"id\",\"operator\":\"any of\",\"value\":[]}]", FILTER_INVALID,
         "{\"code\":\"custom\",\"path\":[\"filter\",0,\"value\"],\"message\":\"Invalid input\"}"},
        {"[{\"type\":\"stringOptions\",\"column\":\"id\",\"operator\":\"any of\",\"value\":[\"a\",1]}]", FILTER_INVALID,
         WRONG(",0,\"value\",1", "string", "number")},
        {"[{\"type\":\"stringOptions\",\"column\":\"id\",\"operator\":\"any of\",\"value\":\"x\"}]", FILTER_INVALID,
         WRONG(",0,\"value\"", "array", "string")},
        {"[{\"type\":\"arrayOptions\",\"column\":\"tags\",\"operator\":\"any of\",\"value\":[]}]", FILTER_INVALID,
         "{\"code\":\"custom\",\"path\":[\"filter\",0],\"message\":\"Value array must not be empty unless operator is 'all of' or "
         "'none of' (which represent waiting for selection)\"}"},
        {"[{\"type\":\"boolean\",\"column\":\"isRootObservation\",\"operator\":\"=\",\"value\":\"true\"}]", FILTER_INVALID,
         WRONG(",0,\"value\"", "boolean", "string")},
        {"[{\"type\":\"null\",\"column\":\"release\",\"operator\":\"is null\"}]", FILTER_INVALID,
         "{\"code\":\"invalid_value\",\"values\":[\"\"],\"path\":[\"filter\",0,\"value\"],\"message\":\"Invalid input: expected "
         "\\\"\\\"\"}"},
        {"[{\"type\":\"stringObject\",\"column\":\"metadata\",\"operator\":\"=\",\"value\":\"x\"}]", FILTER_INVALID,
         WRONG(",0,\"key\"", "string", "undefined")},
        {"[{\"type\":\"string\",\"column\":\"nothing\",\"operator\":\"=\",\"value\":\"x\"}]", FILTER_REFUSED,
         "Column nothing does not match a UI / CH table mapping."},
        {"[{\"type\":\"number\",\"column\":\"name\",\"operator\":\"=\",\"value\":1}]", FILTER_REFUSED,
         "Invalid filter type 'number' for column 'name'. Expected filter type 'stringOptions'."},
        {"[{\"type\":\"string\",\"column\":\"name\",\"operator\":\"matches\",\"value\":\"x\"}]", FILTER_REFUSED,
         "`matches` is only supported for input, output, and metadata filters."},
        {"[{\"type\":\"string\",\"column\":\"input\",\"operator\":\"matches\",\"value\":\"!\"}]", FILTER_REFUSED,
         "`matches` requires at least one search token."},
        {"[{\"type\":\"string\",\"column\":\"input\",\"operator\":\"contains\",\"value\":\"x\"}]", FILTER_REFUSED,
         "Input/output filters require at least one `matches` or `=` operator."},
        {"[{\"type\":\"null\",\"column\":\"output\",\"operator\":\"is null\",\"value\":\"\"}]", FILTER_REFUSED,
         "Input/output filters only support filter type `string`."},
        {"[{\"type\":\"string\",\"column\":\"scores\",\"operator\":\"=\",\"value\":\"x\"}]", FILTER_REFUSED,
         "Invalid filter type 'string' for legacy score column 'scores'. Expected one of 'categoryOptions', 'numberObject', or "
         "'booleanObject'."},
        {"[{\"type\":\"positionInTrace\"}]", FILTER_INVALID,
         WRONG(",0,\"column\"", "string",
               "undefined") ",{\"code\":\"invalid_value\",\"values\":[\"=\"],\"path\":[\"filter\",0,"
                            "\"operator\"],\"message\":\"Invalid input: expected "
                            "\\\"=\\\"\"},{\"code\":\"invalid_value\",\"values\":[\"root\",\"first\","
                            "\"last\",\"nthFromEnd\",\"nthFromStart\"],\"path\":[\"filter\",0,\"key\"],\"message\":\"Invalid "
                            "option: expected one of "
                            "\\\"root\\\"|\\\"first\\\"|\\\"last\\\"|\\\"nthFromEnd\\\"|\\\"nthFromStart\\\"\"}"},
        {"[{\"type\":\"positionInTrace\",\"column\":\"c\",\"operator\":\"=\",\"key\":\"nthFromEnd\",\"value\":0}]", FILTER_INVALID,
         "{\"code\":\"custom\",\"message\":\"Position must be >= 1 for nth selection\",\"path\":[\"filter\",0,\"value\"]}"},
        {"[{\"type\":\"positionInTrace\",\"column\":\"x\",\"operator\":\"=\",\"key\":\"root\"}]", FILTER_OK, ""},
        {"[{\"type\":\"string\",\"column\":\"Trace Name\",\"operator\":\"=\",\"value\":\"x\"}]", FILTER_OK, ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arena a = {0};
        issues problems = {0};
        text why = TEXT("");
        filter f = {.table = FILTER_OBSERVATIONS};
        filter_status status = filter_read(&a, text_of(cases[i].filter), false, &f, &problems, &why);
        if (status != cases[i].status)
            fail_msg("%s: status %d", cases[i].filter, (int)status);
        assert_text(status == FILTER_INVALID ? buf_view(&problems.list) : why, cases[i].words);
        issues_free(&problems);
        arena_free(&a);
    }
}

static void some_operators_are_newer(void **state)
{
    static const char given[] = "[{\"type\":\"stringObject\",\"column\":\"metadata\",\"key\":\"k\",\"operator\":\"is set\"}]";
    (void)state;
    for (int newer = 0; newer < 2; newer++) {
        arena a = {0};
        issues problems = {0};
        text why;
        filter f = {.table = FILTER_OBSERVATIONS};
        assert_int_equal(filter_read(&a, TEXT(given), newer, &f, &problems, &why), newer ? FILTER_OK : FILTER_INVALID);
        issues_free(&problems);
        arena_free(&a);
    }
}

/* ---- Selecting ---- */

typedef struct found {
    char ids[200];
} found;

static void collect(void *context, const observation *row)
{
    found *f = context;
    size_t used = strlen(f->ids);
    snprintf(f->ids + used, sizeof f->ids - used, "%.*s ", (int)row->id.size, row->id.at);
}

static void read_filter(arena *a, const char *given, filter *out)
{
    issues problems = {0};
    text why = TEXT("");
    buf list = {0};
    buf_format(&list, "[{%s}]", given);
    if (filter_read(a, buf_move(&list, a), true, out, &problems, &why) != FILTER_OK)
        fail_msg("%s: %.*s %.*s", given, (int)why.size, why.at, (int)problems.list.size,
                 problems.list.at != NULL ? problems.list.at : "");
    issues_free(&problems);
}

#define SECOND INT64_C(1000000000)

static void put_rows(store *s)
{
    const observation rows[] = {
        {.id = TEXT("a"),
         .trace_id = TEXT("t"),
         .name = TEXT("root"),
         .type = TEXT("SPAN"),
         .level = TEXT("DEFAULT"),
         .environment = TEXT("prod"),
         .user_id = TEXT("u"),
         .own_metadata = TEXT(""),
         .tags = TEXT("[\"x\",\"y\"]"),
         .end_ns = 4 * SECOND,
         .metadata = TEXT("{\"plan\":\"premium\",\"n\":\"3\",\"e\":\"\"}"),
         .usage = TEXT("{}"),
         .cost = TEXT("{}"),
         .completion_start_ms = -1,
         .prompt_version = -1,
         .trace_name = TEXT("T"),
         .release = TEXT("r1"),
         .is_public = true,
         .experiment = TEXT("{\"id\":\"E\",\"dataset.id\":\"D\"}"),
         .arrived_ns = 1},
        {.id = TEXT("b"),
         .trace_id = TEXT("t"),
         .parent_id = TEXT("a"),
         .name = TEXT("call"),
         .type = TEXT("GENERATION"),
         .level = TEXT("ERROR"),
         .status_message = TEXT("Boom"),
         .environment = TEXT("dev"),
         .own_metadata = TEXT(""),
         .tags = TEXT("[]"),
         .start_ns = SECOND,
         .end_ns = 3 * SECOND,
         .input = TEXT("Hello World"),
         .output = TEXT("bye"),
         .metadata = TEXT("{}"),
         .model = TEXT("gpt"),
         .usage = TEXT("{\"input\":7,\"input_cached\":3,\"output\":5,\"total\":15}"),
         .cost = TEXT("{\"input\":0.1,\"output\":0.2,\"total\":0.3}"),
         .completion_start_ms = 1500,
         .prompt_name = TEXT("p"),
         .prompt_version = 2,
         .arrived_ns = 2},
        {.id = TEXT("c"),
         .trace_id = TEXT("v"),
         .name = TEXT("calls"),
         .type = TEXT("EVENT"),
         .level = TEXT("WARNING"),
         .environment = TEXT("prod"),
         .session_id = TEXT("s"),
         .version = TEXT("1.0"),
         .own_metadata = TEXT(""),
         .tags = TEXT("[\"x\"]"),
         .start_ns = 2 * SECOND,
         .end_ns = OBSERVATION_OPEN,
         .metadata = TEXT("{\"plan\":\"free\"}"),
         .usage = TEXT("{}"),
         .cost = TEXT("{}"),
         .completion_start_ms = -1,
         .prompt_version = -1,
         .arrived_ns = 3},
    };
    const score scores[] = {
        {.id = TEXT("1"),
         .name = TEXT("q"),
         .data_type = TEXT("NUMERIC"),
         .value = 1,
         .trace_id = TEXT("t"),
         .metadata = TEXT("{}")},
        {.id = TEXT("2"),
         .name = TEXT("q"),
         .data_type = TEXT("NUMERIC"),
         .value = 0,
         .trace_id = TEXT("t"),
         .metadata = TEXT("{}")},
        {.id = TEXT("3"),
         .name = TEXT("ok"),
         .data_type = TEXT("BOOLEAN"),
         .value = 1,
         .trace_id = TEXT("t"),
         .metadata = TEXT("{}")},
        {.id = TEXT("4"),
         .name = TEXT("kind"),
         .data_type = TEXT("CATEGORICAL"),
         .string_value = TEXT("good"),
         .trace_id = TEXT("v"),
         .metadata = TEXT("{}")},
    };
    arena a = {0};
    const event named = {
        .type = event_type_of(TEXT("trace-create")),
        .id = TEXT("e"),
        .body_id = TEXT("v"),
        .timestamp_ms = 2000,
        .body = json_parse(&a, TEXT("{\"name\":\"V\",\"userId\":\"w\",\"tags\":[\"z\"],\"metadata\":{\"plan\":\"gold\"}}"))};
    assert_true(store_put_rows(s, rows, sizeof rows / sizeof *rows) &&
                store_put_scores(s, scores, sizeof scores / sizeof *scores) && store_put_events(s, &a, &named, 1));
    arena_free(&a);
}

#define TEXT_IS(column, op, value) "\"type\":\"string\",\"column\":\"" column "\",\"operator\":\"" op "\",\"value\":\"" value "\""
#define OPTIONS(type, column, op, values) \
    "\"type\":\"" type "\",\"column\":\"" column "\",\"operator\":\"" op "\",\"value\":[" values "]"
#define NUMBER(column, op, value) "\"type\":\"number\",\"column\":\"" column "\",\"operator\":\"" op "\",\"value\":" value
#define TIME(column, op, value) "\"type\":\"datetime\",\"column\":\"" column "\",\"operator\":\"" op "\",\"value\":\"" value "\""
#define TRUTH(column, op, value) "\"type\":\"boolean\",\"column\":\"" column "\",\"operator\":\"" op "\",\"value\":" value
#define NONE(column, op) "\"type\":\"null\",\"column\":\"" column "\",\"operator\":\"" op "\",\"value\":\"\""
#define KEYED(type, column, key, op, value) \
    "\"type\":\"" type "\",\"column\":\"" column "\",\"key\":\"" key "\",\"operator\":\"" op "\",\"value\":" value

static void observations_are_selected(void **state)
{
    static const struct {
        const char *filter, *expected; /* the newest first */
    } cases[] = {
        {TEXT_IS("name", "=", "call"), "b "},
        {TEXT_IS("name", "contains", "all"), "c b "},
        {TEXT_IS("name", "contains", "%"), ""},
        {TEXT_IS("name", "does not contain", "all"), "a "},
        {TEXT_IS("name", "starts with", "call"), "c b "},
        {TEXT_IS("name", "ends with", "s"), "c "},
        {TEXT_IS("name", "ends with", ""), "c b a "},
        {TEXT_IS("name", "ends with", "the root"), ""},
        {TEXT_IS("id", "=", "x' OR 1=1 --"), ""},
        {TEXT_IS("statusMessage", "contains", "oo"), "b "},
        {TEXT_IS("traceName", "=", "calls"), "c "},
        {TEXT_IS("model", "=", "gpt"), "b "},
        {TEXT_IS("input", "matches", "hello"), "b "},
        {TEXT_IS("input", "=", "Hello World"), "b "},
        {TEXT_IS("release", "does not contain", "x"), "a "},
        {TEXT_IS("release", "=", ""), "c b "},
        {TEXT_IS("experimentId", "=", "E"), "a "},
        {TEXT_IS("experimentDatasetId", "=", "D"), "a "},
        {OPTIONS("stringOptions", "id", "any of", "\"a\",\"c\",\"d\""), "c a "},
        {OPTIONS("stringOptions", "id", "none of", "\"a\",\"d\""), "c b "},
        {OPTIONS("stringOptions", "parentObservationId", "none of", "\"x\""), "b "},
        {OPTIONS("arrayOptions", "tags", "any of", "\"y\",\"z\""), "a "},
        {OPTIONS("arrayOptions", "traceTags", "none of", "\"y\""), "c b "},
        {OPTIONS("arrayOptions", "tags", "none of", ""), "c b a "},
        {OPTIONS("arrayOptions", "tags", "all of", "\"y\",\"x\""), "a "},
        {OPTIONS("arrayOptions", "tags", "all of", ""), "c b a "},
        {OPTIONS("stringOptions", "tags", "any of", "\"x\""), "c a "},
        {NUMBER("latency", ">=", "2"), "b a "},
        {NUMBER("latency", "<", "3"), "b "},
        {NUMBER("timeToFirstToken", "=", "0.5"), "b "},
        {NUMBER("tokensPerSecond", ">", "2.4"), "b "},
        {NUMBER("inputTokens", "=", "10"), "b "},
        {NUMBER("outputTokens", "<=", "0"), "c a "},
        {NUMBER("totalTokens", ">", "0"), "b "},
        {NUMBER("tokens", "=", "15"), "b "},
        {NUMBER("inputCost", ">", "0.05"), "b "},
        {NUMBER("totalCost", "<", "1"), "b "},
        {NUMBER("promptVersion", "=", "2"), "b "},
        {TIME("startTime", ">=", "1970-01-01T00:00:01Z"), "c b "},
        {TIME("startTime", "<", "1970-01-01T01:00:01+01:00"), "a "},
        {TIME("startTime", ">", "1970-01-01"), "c b "},
        {TIME("endTime", "<=", "1970-01-01T00:00:03"), "b "},
        {TRUTH("isRootObservation", "=", "true"), "c a "},
        {TRUTH("isRootObservation", "<>", "true"), "b "},
        {TRUTH("hasParentObservation", "=", "true"), "b "},
        {TRUTH("hasInput", "=", "false"), "c a "},
        {NONE("endTime", "is null"), "c "},
        {NONE("promptVersion", "is not null"), "b "},
        {NONE("parentObservationId", "is null"), "c a "},
        {NONE("name", "is null"), ""},
        {KEYED("stringObject", "metadata", "plan", "=", "\"premium\""), "a "},
        {KEYED("stringObject", "metadata", "plan", "does not contain", "\"pre\""), "c "},
        {KEYED("stringObject", "metadata", "plan", "ends with", "\"um\""), "a "},
        {KEYED("stringObject", "metadata", "plan", "matches", "\"Prem\""), ""},
        {KEYED("stringObject", "metadata", "plan", "is set", "\"\""), "c a "},
        {KEYED("stringObject", "metadata", "plan", "is not set", "\"\""), "b "},
        {TEXT_IS("name", "contains", "call") "},{" TEXT_IS("level", "=", "ERROR"), "b "},
    };
    store *s = open_store(":memory:", false);
    (void)state;
    put_rows(s);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arena a = {0};
        filter f = {.table = FILTER_OBSERVATIONS};
        store_query query = STORE_QUERY_ALL;
        found got = {""};
        int64_t count;
        read_filter(&a, cases[i].filter, &f);
        query.filter = &f;
        assert_true(store_read(s, &query, collect, &got) && store_count_rows(s, &query, &count));
        if (strcmp(got.ids, cases[i].expected) != 0 || (size_t)count * 2 != strlen(got.ids))
            fail_msg("%s: \"%s\" (%d), not \"%s\"", cases[i].filter, got.ids, (int)count, cases[i].expected);
        arena_free(&a);
    }
    store_close(s);
}

static const char *find_traces(store *s, const store_trace_query *query)
{
    static char got[200];
    arena a = {0};
    text *ids;
    size_t count;
    int64_t total;
    got[0] = '\0';
    assert_true(store_find_traces(s, &a, query, &ids, &count, &total));
    for (size_t i = 0; i < count; i++)
        snprintf(got + strlen(got), sizeof got - strlen(got), "%.*s ", (int)ids[i].size, ids[i].at);
    arena_free(&a);
    return got;
}

static void traces_are_selected(void **state)
{
    static const struct {
        const char *filter, *expected;
    } cases[] = {
        {TEXT_IS("name", "=", "T"), "t "},
        {TEXT_IS("name", "=", "V"), "v "},
        {OPTIONS("stringOptions", "name", "none of", "\"V\""), "t "},
        {TEXT_IS("id", "starts with", "v"), "v "},
        {TEXT_IS("userId", "=", "w"), "v "},
        {NONE("sessionId", "is null"), "t "},
        {NONE("sessionId", "is not null"), "v "},
        {TEXT_IS("environment", "=", "dev"), "t "},
        {OPTIONS("arrayOptions", "tags", "all of", "\"x\",\"z\""), "v "},
        {OPTIONS("arrayOptions", "traceTags", "none of", "\"z\""), "t "},
        {TIME("timestamp", ">=", "1970-01-01T00:00:02Z"), "v "},
        {KEYED("stringObject", "metadata", "plan", "=", "\"gold\""), "v "},
        {KEYED("stringObject", "metadata", "plan", "=", "\"premium\""), "t "},
        {KEYED("stringObject", "metadata", "n", "is not set", "\"\""), "v "},
        {NUMBER("latency", "=", "4"), "t "},
        {NUMBER("inputTokens", ">=", "10"), "t "},
        {NUMBER("totalCost", ">", "0.25"), "t "},
        {NUMBER("errorCount", "=", "1"), "t "},
        {NUMBER("warningCount", "=", "1"), "v "},
        {TEXT_IS("level", "=", "WARNING"), "v "},
        {TRUTH("bookmarked", "=", "false"), "v t "},
        {KEYED("numberObject", "scores_avg", "q", "=", "0.5"), "t "},
        {KEYED("numberObject", "scores", "q", ">", "0.6"), ""},
        {KEYED("booleanObject", "score_booleans", "ok", "=", "true"), "t "},
        {KEYED("booleanObject", "score_booleans", "ok", "<>", "true"), "v "},
        {KEYED("categoryOptions", "score_categories", "kind", "any of", "[\"good\",\"fair\"]"), "v "},
        {KEYED("categoryOptions", "scores", "kind", "none of", "[\"good\"]"), "t "},
    };
    store *s = open_store(":memory:", false);
    store_trace_query all = {.from_ms = INT64_MIN, .to_ms = INT64_MAX, .limit = 9};
    (void)state;
    put_rows(s);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arena a = {0};
        filter f = {.table = FILTER_TRACES};
        store_trace_query query = all;
        read_filter(&a, cases[i].filter, &f);
        query.filter = &f;
        if (strcmp(find_traces(s, &query), cases[i].expected) != 0)
            fail_msg("%s: \"%s\", not \"%s\"", cases[i].filter, find_traces(s, &query), cases[i].expected);
        arena_free(&a);
    }
    store_close(s);
}

static void scores_are_selected(void **state)
{
    static const struct {
        const char *filter, *expected; /* of equal times the last id first */
    } cases[] = {
        {TEXT_IS("name", "=", "q"), "2 1 "},
        {TEXT_IS("id", "contains", "3"), "3 "},
        {NUMBER("value", ">=", "1"), "3 1 "},
        {OPTIONS("stringOptions", "dataType", "none of", "\"NUMERIC\""), "4 3 "},
        {TEXT_IS("booleanValue", "=", "true"), "3 "},
        {NONE("booleanValue", "is null"), "4 2 1 "},
        {TEXT_IS("stringValue", "=", "good"), "4 "},
        {TEXT_IS("stringValue", "=", "True"), "3 "},
        {TEXT_IS("traceId", "=", "v"), "4 "},
        {TEXT_IS("traceName", "=", "V"), "4 "},
        {TEXT_IS("userId", "=", "u"), "3 2 1 "},
        {OPTIONS("arrayOptions", "trace_tags", "any of", "\"z\""), "4 "},
        {NONE("authorUserId", "is not null"), ""},
        {NONE("comment", "is null"), "4 3 2 1 "},
        {KEYED("stringObject", "metadata", "k", "is not set", "\"\""), "4 3 2 1 "},
        {TIME("timestamp", "<", "1970-01-01T00:00:01Z"), "4 3 2 1 "},
    };
    store *s = open_store(":memory:", false);
    (void)state;
    put_rows(s);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arena a = {0};
        filter f = {.table = FILTER_SCORES};
        store_score_query query = {.filter = &f, .from_ms = INT64_MIN, .to_ms = INT64_MAX, .limit = 9};
        char got[40] = "";
        score *scores;
        size_t count;
        int64_t total;
        read_filter(&a, cases[i].filter, &f);
        assert_true(store_find_scores(s, &a, &query, &scores, &count, &total) && (size_t)total == count);
        for (size_t j = 0; j < count; j++)
            snprintf(got + strlen(got), sizeof got - strlen(got), "%.*s ", (int)scores[j].id.size, scores[j].id.at);
        if (strcmp(got, cases[i].expected) != 0)
            fail_msg("%s: \"%s\", not \"%s\"", cases[i].filter, got, cases[i].expected);
        arena_free(&a);
    }
    store_close(s);
}

static void traces_are_ordered(void **state)
{
    static const struct {
        const char *order, *expected; /* NULL: it is refused */
    } cases[] = {
        {"timestamp.asc", "t v "}, {"timestamp.desc", "v t "},
        {"name.desc", "v t "},     {"name.ASC", "t v "},
        {"public.desc", "t v "},   {"sessionId.desc", "v t "},
        {"userId.asc", "t v "},    {"bookmarked.asc", "t v "},
        {"id.desc", "v t "},       {"name", NULL},
        {"latency.asc", NULL},     {"name.up", NULL},
    };
    store *s = open_store(":memory:", false);
    (void)state;
    put_rows(s);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arena a = {0};
        issues problems = {0};
        text why = TEXT("");
        store_trace_query query = {.from_ms = INT64_MIN, .to_ms = INT64_MAX, .limit = 9};
        filter_status status = filter_read_order(&a, text_of(cases[i].order), &query.order, &query.oldest_first, &problems, &why);
        assert_int_equal(status == FILTER_OK, cases[i].expected != NULL);
        query.ordered = query.order != FILTER_START_TIME;
        if (status == FILTER_OK)
            assert_string_equal(find_traces(s, &query), cases[i].expected);
        issues_free(&problems);
        arena_free(&a);
    }
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions_are_checked),    cmocka_unit_test(some_operators_are_newer),
        cmocka_unit_test(observations_are_selected), cmocka_unit_test(traces_are_selected),
        cmocka_unit_test(scores_are_selected),       cmocka_unit_test(traces_are_ordered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
