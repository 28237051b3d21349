/* Batches of events: what is refused and in which words, and how events of one id become one row, in whatever order they come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../server/ingestion.h"
#include "../../server/loss.h"

#include <stdlib.h>
#include <string.h>

#define AT(time) "\"timestamp\":\"2026-11-21T05:42:" time "Z\""

typedef struct world {
    store *store;
    arena memory;
    ingestion_rules rules;
} world;

static world begin(void)
{
    char why[200];
    world w = {.store = store_open(":memory:", false, why, sizeof why), .rules = {.now_ns = 1000}};
    assert_non_null(w.store);
    return w;
}

static void end(world *w)
{
    store_close(w->store);
    arena_free(&w->memory);
}

/* Judges and stores a batch; returns the answer, which lives in the arena and ends with a NUL. */
static const char *send(world *w, const char *batch)
{
    buf answer = {0};
    size_t count;
    const json *parsed = json_parse(&w->memory, text_of(batch));
    assert_true(json_is(parsed, JSON_ARRAY));
    const event *events = ingestion_judge(&w->memory, parsed, &w->rules, &answer, &count);
    assert_false(answer.failed);
    assert_true(store_put_events(w->store, &w->memory, events, count));
    buf_char(&answer, '\0');
    const char *copy = arena_copy(&w->memory, buf_view(&answer)).at;
    buf_free(&answer);
    w->rules.now_ns += 1000;
    return copy;
}

static trace_data load(world *w, const char *id)
{
    trace_data data;
    assert_true(store_load_trace(w->store, &w->memory, text_of(id), &data));
    return data;
}

#define assert_text(actual, expected)                                      \
    do {                                                                   \
        text assert_text_ = (actual);                                      \
        if (!assert_text_.at)                                              \
            fail_msg("%s is absent", #actual);                             \
        assert_int_equal(assert_text_.size, strlen(expected));             \
        assert_memory_equal(assert_text_.at, expected, assert_text_.size); \
    } while (0)

static void a_trace_is_merged_from_its_events(void **state)
{
    world w = begin();
    (void)state;
    send(&w, "[{\"id\":\"1\",\"type\":\"trace-create\"," AT(
                 "42") ",\"body\":{\"id\":\"t\",\"name\":\"one\",\"userId\":\"u\","
                       "\"tags\":[\"b\",\"a\"],\"metadata\":{\"k\":1,\"deep\":{\"x\":1}},\"input\":{\"i\":1},\"public\":true}}]");
    send(
        &w,
        "[{\"id\":\"2\",\"type\":\"trace-create\"," AT(
            "43") ",\"body\":{\"id\":\"t\",\"name\":\"two\",\"sessionId\":\"s\","
                  "\"tags\":[\"c\",\"a\"],\"metadata\":{\"l\":\"v\",\"deep\":{\"y\":2}},\"timestamp\":\"2020-01-01T00:00:00Z\"}}]");
    trace_data data = load(&w, "t");
    int64_t observations, traces;
    assert_true(store_count(w.store, TEXT(""), &observations, &traces));
    assert_true(observations == 0 && traces == 1);
    assert_true(store_count(w.store, TEXT("t"), &observations, &traces));
    assert_true(observations == 0 && traces == 1);
    assert_true(data.has_record);
    assert_text(data.record.name, "two");
    assert_text(data.record.user_id, "u");
    assert_text(data.record.session_id, "s");
    assert_text(data.record.tags, "[\"a\",\"b\",\"c\"]");
    assert_text(data.record.metadata, "{\"k\":\"1\",\"deep\":\"{\\\"x\\\":1,\\\"y\\\":2}\",\"l\":\"v\"}");
    assert_text(data.record.input, "{\"i\":1}");
    assert_null(data.record.output.at);
    assert_int_equal(data.record.is_public, 0); /* the last event does not say it */
    assert_int_equal(data.record.created_ns, 1000);
    assert_int_equal(data.record.updated_ns, 2000);
    end(&w);
}

static const char create[] = "{\"id\":\"c\",\"type\":\"generation-create\"," AT(
    "42") ",\"body\":{\"id\":\"g\",\"traceId\":\"t\","
          "\"name\":\"llm\",\"startTime\":\"2026-11-21T05:42:40.5Z\",\"model\":\"m\",\"input\":[1,2],"
          "\"usage\":{\"promptTokens\":3,\"completionTokens\":4},\"promptName\":\"p\",\"promptVersion\":2}}";
static const char update[] = "{\"id\":\"u\",\"type\":\"generation-update\"," AT(
    "43") ",\"body\":{\"id\":\"g\",\"traceId\":\"t\","
          "\"endTime\":\"2026-11-21T05:42:44+00:00\",\"output\":\"done\",\"level\":\"WARNING\",\"name\":null,"
          "\"startTime\":\"2026-11-21T05:42:41Z\",\"usageDetails\":{\"input\":5,\"output\":6}}}";

static void assert_generation(world *w)
{
    trace_data data = load(w, "t");
    assert_int_equal(data.row_count, 1);
    const observation *o = data.rows;
    assert_text(o->type, "GENERATION");
    assert_text(o->name, ""); /* null overwrites */
    assert_text(o->model, "m");
    assert_text(o->input, "[1,2]");
    assert_text(o->output, "done");
    assert_text(o->level, "WARNING");
    assert_text(o->usage, "{\"input\":5,\"output\":6,\"total\":11}");
    assert_text(o->prompt_name, ""); /* there is no such prompt */
    assert_int_equal(o->prompt_version, -1);
    assert_int_equal(o->start_ns, INT64_C(1795239760500) * 1000000);
    assert_int_equal(o->end_ns, INT64_C(1795239764000) * 1000000);
}

static void the_order_of_arrival_does_not_matter(void **state)
{
    const char *const orders[][2] = {{create, update}, {update, create}};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        world w = begin();
        for (size_t j = 0; j < 2; j++) {
            buf batch = {0};
            buf_format(&batch, "[%s]%c", orders[i][j], 0);
            send(&w, batch.at);
            buf_free(&batch);
        }
        assert_generation(&w);
        end(&w);
    }
}

static void a_repeated_event_changes_nothing(void **state)
{
    world w = begin();
    buf batch = {0};
    (void)state;
    buf_format(&batch, "[%s,%s]%c", create, update, 0);
    const char *first = send(&w, batch.at), *second = send(&w, batch.at);
    assert_string_equal(first, second);
    assert_generation(&w);
    assert_int_equal(load(&w, "t").rows[0].arrived_ns, 1000);
    buf_free(&batch);
    end(&w);
}

static void an_observation_moves_to_its_trace_when_that_is_known(void **state)
{
    world w = begin();
    (void)state;
    send(&w, "[{\"id\":\"1\",\"type\":\"span-create\"," AT("42") ",\"body\":{\"id\":\"s\"}}]");
    assert_int_equal(load(&w, "s").row_count, 1);
    assert_true(load(&w, "s").rows[0].end_ns == OBSERVATION_OPEN);
    send(&w, "[{\"id\":\"2\",\"type\":\"span-update\"," AT("43") ",\"body\":{\"id\":\"s\",\"traceId\":\"t\"}}]");
    assert_int_equal(load(&w, "s").row_count, 0);
    assert_int_equal(load(&w, "t").row_count, 1);
    end(&w);
}

/* Found by the fuzzer: years that have no nanoseconds in 64 bits. */
static void times_of_other_centuries_are_limited(void **state)
{
    world w = begin();
    (void)state;
    send(&w, "[{\"id\":\"1\",\"type\":\"span-create\"," AT(
                 "42") ",\"body\":{\"id\":\"s\",\"traceId\":\"t\","
                       "\"startTime\":\"0001-01-01T00:00:00Z\",\"endTime\":\"9999-12-31T23:59:59.9999999Z\"}},"
                       "{\"id\":\"2\",\"type\":\"span-create\"," AT(
                           "42") ",\"body\":{\"id\":\"r\",\"traceId\":\"t\","
                                 "\"startTime\":\"1969-12-31T23:59:59Z\",\"endTime\":\"1969-12-31T23:59:59.999Z\"}}]");
    trace_data data = load(&w, "t");
    assert_int_equal(data.row_count, 2); /* newest first */
    assert_true(data.rows[0].start_ns == -1000000000 && data.rows[0].end_ns == -1000000);
    assert_true(data.rows[1].start_ns < 0 && data.rows[1].end_ns > 0 && data.rows[1].end_ns - data.rows[1].start_ns > 0);
    end(&w);
}

static void every_type_becomes_an_observation_of_its_kind(void **state)
{
    static const char *const types[][2] = {
        {"span-create", "SPAN"},           {"generation-create", "GENERATION"},
        {"event-create", "EVENT"},         {"agent-create", "AGENT"},
        {"tool-create", "TOOL"},           {"chain-create", "CHAIN"},
        {"retriever-create", "RETRIEVER"}, {"evaluator-create", "EVALUATOR"},
        {"embedding-create", "EMBEDDING"}, {"guardrail-create", "GUARDRAIL"},
        {"observation-create", "EVENT"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        world w = begin();
        buf batch = {0};
        buf_format(&batch,
                   "[{\"id\":\"1\",\"type\":\"%s\"," AT("42") ",\"body\":{\"id\":\"o\",\"traceId\":\"t\",\"type\":\"EVENT\"}}]%c",
                   types[i][0], 0);
        assert_string_equal(send(&w, batch.at), "{\"successes\":[{\"id\":\"1\",\"status\":201}],\"errors\":[]}");
        assert_text(load(&w, "t").rows[0].type, types[i][1]);
        buf_free(&batch);
        end(&w);
    }
}

/* Each case is one event that is wrong, and the issue that is reported. */
static void wrong_events_are_told_what_is_wrong(void **state)
{
    static const struct {
        const char *event, *issue;
    } cases[] = {
        {"\"id\":\"e\",\"type\":\"event-create\"," AT("42") ",\"body\":{\"traceId\":\"t\"}",
         "{\"expected\":\"string\",\"code\":\"invalid_type\",\"path\":[\"body\",\"id\"],"
         "\"message\":\"Invalid input: expected string, received undefined\"}"},
        {"\"id\":\"e\",\"type\":\"generation-create\"," AT("42") ",\"body\":{\"id\":\"o\",\"promptName\":\"p\"}",
         "{\"code\":\"custom\",\"path\":[\"body\"],\"message\":\"Invalid input\"}"},
        {"\"id\":\"e\",\"type\":\"span-create\"," AT("42") ",\"body\":{\"id\":\"o\",\"level\":\"INFO\"}",
         "{\"code\":\"invalid_value\",\"values\":[\"DEBUG\",\"DEFAULT\",\"WARNING\",\"ERROR\"],\"path\":[\"body\",\"level\"],"
         "\"message\":\"Invalid option: expected one of \\\"DEBUG\\\"|\\\"DEFAULT\\\"|\\\"WARNING\\\"|\\\"ERROR\\\"\"}"},
        {"\"id\":\"e\",\"type\":\"agent-update\"," AT("42") ",\"body\":{\"id\":\"o\"}",
         "{\"code\":\"invalid_union\",\"errors\":[],\"note\":\"No matching discriminator\",\"discriminator\":\"type\","
         "\"path\":[\"type\"],\"message\":\"Invalid input\"}"},
        {"\"id\":\"e\",\"type\":\"dataset-run-item-create\"," AT("42") ",\"body\":{}",
         "{\"code\":\"custom\",\"path\":[],\"message\":\"Dataset run item creation is only allowed for internal usage\"}"},
        {"\"id\":\"e\\r\",\"type\":\"sdk-log\"," AT("42") ",\"body\":{\"log\":\"l\"}",
         "{\"code\":\"custom\",\"path\":[\"id\"],\"message\":\"ID cannot contain carriage return characters\"}"},
        {"\"id\":\"e\",\"type\":\"trace-create\"," AT("42") ",\"body\":{\"id\":\"t\",\"tags\":\"a\"}",
         "{\"expected\":\"array\",\"code\":\"invalid_type\",\"path\":[\"body\",\"tags\"],"
         "\"message\":\"Invalid input: expected array, received string\"}"},
        {"\"id\":\"e\",\"type\":\"generation-create\"," AT(
             "42") ",\"body\":{\"id\":\"o\",\"promptName\":\"p\",\"promptVersion\":0}",
         "{\"code\":\"custom\",\"path\":[\"body\"],\"message\":\"Invalid input\"}"},
        {"\"id\":\"e\",\"type\":\"generation-create\"," AT("42") ",\"body\":{\"id\":\"o\",\"promptName\":\"\",\"promptVersion\":1}",
         "{\"code\":\"custom\",\"path\":[\"body\"],\"message\":\"Invalid input\"}"},
        {"\"id\":\"e\",\"type\":\"tool-create\"," AT("42") ",\"body\":{\"id\":\"o\",\"costDetails\":[0.5]}",
         "{\"expected\":\"object\",\"code\":\"invalid_type\",\"path\":[\"body\",\"costDetails\"],"
         "\"message\":\"Invalid input: expected object, received array\"}"},
        {"\"id\":\"e\",\"type\":\"generation-create\"," AT("42") ",\"body\":{\"id\":\"o\",\"usage\":{\"promptTokens\":1.5}}",
         "{\"expected\":\"int\",\"code\":\"invalid_type\",\"path\":[\"body\",\"usage\"],"
         "\"message\":\"Invalid input: expected int, received number\"}"},
        {"\"id\":\"e\",\"type\":\"sdk-log\"," AT("42") ",\"body\":{}",
         "{\"code\":\"custom\",\"path\":[\"body\",\"log\"],\"message\":\"Invalid input\"}"},
        {"\"id\":\"e\",\"type\":\"span-create\"," AT("42") ",\"body\":{\"id\":\"o\",\"traceId\":\"\"}",
         "{\"origin\":\"string\",\"code\":\"too_small\",\"minimum\":1,\"inclusive\":true,\"path\":[\"body\",\"traceId\"],"
         "\"message\":\"Too small: expected string to have >=1 characters\"}"},
        {"\"id\":\"e\",\"type\":\"generation-create\"," AT("42") ",\"body\":{\"id\":\"o\",\"modelParameters\":{\"a\":{\"b\":1}}}",
         "{\"code\":\"custom\",\"path\":[\"body\",\"modelParameters\"],\"message\":\"Invalid input\"}"},
        {"\"id\":\"e\",\"type\":\"generation-create\"," AT("42") ",\"body\":{\"id\":\"o\",\"usage\":{\"unit\":\"WORDS\"}}",
         "{\"code\":\"invalid_value\",\"values\":[\"CHARACTERS\",\"TOKENS\",\"SECONDS\",\"MILLISECONDS\",\"IMAGES\",\"REQUESTS\"],"
         "\"path\":[\"body\",\"usage\"],\"message\":\"Invalid option: expected one of \\\"CHARACTERS\\\"|\\\"TOKENS\\\"|"
         "\\\"SECONDS\\\"|\\\"MILLISECONDS\\\"|\\\"IMAGES\\\"|\\\"REQUESTS\\\"\"}"},
        {"\"id\":\"e\",\"type\":\"trace-create\"," AT("42"),
         "{\"expected\":\"object\",\"code\":\"invalid_type\",\"path\":[\"body\"],"
         "\"message\":\"Invalid input: expected object, received undefined\"}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        world w = begin();
        buf batch = {0}, compact = {0};
        buf_format(&batch, "[{%s},{\"id\":\"good\",\"type\":\"trace-create\"," AT("42") ",\"body\":{\"id\":\"kept\"}}]%c",
                   cases[i].event, 0);
        const json *answer = json_parse(&w.memory, text_of(send(&w, batch.at)));
        const json *error = json_get(answer, "errors")->first;
        assert_non_null(error);
        assert_text(json_get(error, "message")->string, "Invalid request data");
        const json *list = json_parse(&w.memory, json_get(error, "error")->string);
        assert_true(json_is(list, JSON_ARRAY));
        json_write(&compact, list->first);
        assert_text(buf_view(&compact), cases[i].issue);
        assert_true(load(&w, "kept").has_record); /* the good event beside it was taken */
        buf_free(&batch);
        buf_free(&compact);
        end(&w);
    }
}

static void issues_are_indented_as_javascript_does(void **state)
{
    world w = begin();
    (void)state;
    assert_string_equal(
        send(&w, "[{\"id\":\"\",\"type\":\"sdk-log\"," AT("42") ",\"body\":{\"log\":1}}]"),
        "{\"successes\":[],\"errors\":[{\"id\":\"\",\"status\":400,\"message\":\"Invalid request data\",\"error\":\""
        "[\\n  {\\n    \\\"origin\\\": \\\"string\\\",\\n    \\\"code\\\": \\\"too_small\\\",\\n    \\\"minimum\\\": 1,\\n"
        "    \\\"inclusive\\\": true,\\n    \\\"path\\\": [\\n      \\\"id\\\"\\n    ],\\n"
        "    \\\"message\\\": \\\"Too small: expected string to have >=1 characters\\\"\\n  }\\n]\"}]}");
    end(&w);
}

static void what_has_no_id_is_accepted_and_not_stored(void **state)
{
    world w = begin();
    int64_t observations, traces;
    (void)state;
    assert_string_equal(send(&w, "[{\"id\":\"1\",\"type\":\"trace-create\"," AT("42") ",\"body\":{\"name\":\"n\"}},"
                                                                                      "{\"id\":\"2\",\"type\":\"sdk-log\"," AT(
                                                                                          "42") ",\"body\":{\"log\":\"x\"}}]"),
                        "{\"successes\":[{\"id\":\"1\",\"status\":201}],\"errors\":[]}");
    assert_true(store_count(w.store, TEXT(""), &observations, &traces));
    assert_int_equal(observations + traces, 0);
    end(&w);
}

static void creates_are_answered_before_updates(void **state)
{
    world w = begin();
    (void)state;
    assert_string_equal(
        send(&w, "[{\"id\":\"3\",\"type\":\"span-update\"," AT("40") ",\"body\":{\"id\":\"s\"}},"
                                                                     "{\"id\":\"2\",\"type\":\"span-create\"," AT(
                                                                         "43") ",\"body\":{\"id\":\"s\"}},"
                                                                               "{\"id\":\"1\",\"type\":\"span-create\"," AT(
                                                                                   "42") ",\"body\":{\"id\":\"r\"}}]"),
        "{\"successes\":[{\"id\":\"1\",\"status\":201},{\"id\":\"2\",\"status\":201},{\"id\":\"3\",\"status\":201}],"
        "\"errors\":[]}");
    end(&w);
}

static void the_public_key_alone_may_only_score(void **state)
{
    world w = begin();
    (void)state;
    w.rules.bearer = true;
    assert_string_equal(
        send(&w, "[{\"id\":\"1\",\"type\":\"trace-create\"," AT("42") ",\"body\":{\"id\":\"t\"}},"
                                                                      "{\"id\":\"2\",\"type\":\"score-create\"," AT(
                                                                          "42") ",\"body\":{\"id\":\"s\",\"traceId\":\"t\","
                                                                                "\"name\":\"q\",\"value\":1}}]"),
        "{\"successes\":[{\"id\":\"2\",\"status\":201}],\"errors\":[{\"id\":\"1\",\"status\":401,"
        "\"message\":\"Authentication error\",\"error\":\"Access Scope Denied\"}]}");
    assert_false(load(&w, "t").has_record);
    assert_int_equal(load(&w, "t").score_count, 1);
    end(&w);
}

static void in_events_only_mode_types_are_refused_unread(void **state)
{
    world w = begin();
    (void)state;
    w.rules.scores_only = true;
    const char *answer = send(&w, "[\"junk\",{\"id\":\"2\",\"type\":\"span-create\",\"body\":3},"
                                  "{\"id\":\"3\",\"type\":\"score-create\"," AT("42") ",\"body\":{\"id\":\"s\"}}]");
    const json *errors = json_get(json_parse(&w.memory, text_of(answer)), "errors");
    static const char *const ids[] = {"3", "unknown", "2"}; /* refused types come last */
    const json *error = errors->first;
    for (size_t i = 0; i < 3; i++, error = error->next)
        assert_text(json_get(error, "id")->string, ids[i]);
    assert_null(error);
    assert_true(text_starts(json_get(errors->first->next->next, "error")->string, "Event type \"span-create\" is not accepted by"));
    end(&w);
}

static void what_is_not_kept_is_noted(void **state)
{
#define EVENT(id, type, body) "{\"id\":\"" id "\",\"type\":\"" type "\"," AT("42") ",\"body\":{\"id\":\"o\"," body "}}"
#define SCORE "\"name\":\"q\",\"traceId\":\"t\",\"value\":1"
    static const struct {
        const char *batch;
        unsigned lost;
    } cases[] = {
        {EVENT("1", "generation-create", "\"usageDetails\":{\"input\":1,\"output\":null},\"costDetails\":{\"input\":0.5}"), 0},
        {EVENT("1", "generation-update",
               "\"usageDetails\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3,"
               "\"completion_tokens_details\":{\"reasoning\":1,\"audio\":null},\"prompt_tokens_details\":null}"),
         0},
        {EVENT("1", "generation-update",
               "\"usageDetails\":{\"input_tokens\":1,\"output_tokens\":2,\"total_tokens\":3,"
               "\"input_tokens_details\":{\"cached_tokens\":1}}"),
         0},
        {EVENT("1", "span-create", "\"usageDetails\":{\"input\":-1}"), LOSS_USAGE},
        {EVENT("1", "event-create", "\"usageDetails\":{\"input\":0.5}"), LOSS_USAGE},
        {EVENT("1", "span-create", "\"usageDetails\":{\"input\":1}") "," EVENT("2", "span-update", "\"usageDetails\":{\"x\":1e99}"),
         LOSS_USAGE},
        {EVENT("1", "span-create", "\"costDetails\":{\"input\":{}}"), LOSS_COST},
        {EVENT("1", "generation-create", "\"usageDetails\":{\"input\":\"1.5\"},\"costDetails\":{\"input\":-0.5}"),
         LOSS_USAGE | LOSS_COST},
        {EVENT("1", "trace-create", "\"usageDetails\":{\"input\":-1}"), 0},
        {EVENT("1", "score-create", SCORE) "," EVENT("2", "score-create", SCORE), LOSS_SCORE},
        {EVENT("1", "score-create", SCORE) "," EVENT("1", "score-create", SCORE), 0},
        {EVENT("1", "score-create", SCORE) "," EVENT("2", "score-create", SCORE ",\"id\":\"other\""), 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        world w = begin();
        buf batch = {0}, answer = {0};
        size_t count;
        buf_format(&batch, "[%s]", cases[i].batch);
        const event *events = ingestion_judge(&w.memory, json_parse(&w.memory, buf_view(&batch)), &w.rules, &answer, &count);
        unsigned lost = ingestion_losses(&w.memory, events, count);
        if (lost != cases[i].lost || count == 0)
            fail_msg("%s: lost %x of %zu events, not %x", cases[i].batch, lost, count, cases[i].lost);
        buf_free(&batch);
        buf_free(&answer);
        end(&w);
    }
#undef EVENT
#undef SCORE
}

static void a_deleted_trace_is_gone_with_its_events(void **state)
{
    world w = begin();
    buf batch = {0};
    (void)state;
    buf_format(
        &batch,
        "[%s,{\"id\":\"t\",\"type\":\"trace-create\"," AT(
            "42") ",\"body\":{\"id\":\"t\",\"name\":\"n\"}},"
                  "{\"id\":\"q\",\"type\":\"score-create\"," AT("42") ",\"body\":{\"id\":\"s\",\"traceId\":\"t\",\"name\":\"q\","
                                                                      "\"value\":1}}]%c",
        create, 0);
    send(&w, batch.at);
    assert_true(store_delete_trace(w.store, TEXT("t")));
    trace_data data = load(&w, "t");
    assert_int_equal(data.row_count + data.score_count + data.has_record, 0);
    buf update_only = {0};
    buf_format(&update_only, "[%s]%c", update, 0);
    send(&w, update_only.at);
    assert_text(load(&w, "t").rows[0].model, ""); /* the create event is not remembered */
    buf_free(&batch);
    buf_free(&update_only);
    end(&w);
}

static void a_view_takes_the_trace_from_observations_and_events(void **state)
{
    arena a = {0};
    observation rows[] = {
        {.id = TEXT("child"),
         .parent_id = TEXT("root"),
         .start_ns = 2000,
         .end_ns = 9000,
         .arrived_ns = 1,
         .user_id = TEXT("u"),
         .trace_input = TEXT("asked"),
         .trace_metadata = TEXT("{\"a\":\"1\"}"),
         .own_metadata = TEXT(""),
         .is_public = true,
         .usage = TEXT("{\"total\":3}")},
        {.id = TEXT("root"),
         .start_ns = 1000,
         .end_ns = 5000,
         .arrived_ns = 2,
         .trace_name = TEXT("root"),
         .input = TEXT("in"),
         .output = TEXT("out"),
         .metadata = TEXT("{\"b\":\"2\"}"),
         .own_metadata = TEXT(""),
         .tags = TEXT("[\"x\"]"),
         .usage = TEXT("{\"total\":4}")},
    };
    trace_data data = {.id = TEXT("t"), .rows = rows, .row_count = 2};
    (void)state;
    trace_view v = trace_view_of(&a, &data);
    assert_text(v.name, "root");
    assert_text(v.user_id, "u");
    assert_text(v.input, "asked");
    assert_text(v.output, "out");
    assert_text(v.metadata, "{\"b\":\"2\",\"attributes\":{},\"resourceAttributes\":{},\"scope\":{\"attributes\":{}},\"a\":\"1\"}");
    assert_text(v.environment, "default");
    assert_true(v.is_public);
    assert_int_equal(v.start_ns, 1000);
    assert_int_equal(v.end_ns, 9000);
    assert_true(v.tokens == 7 && v.cost < 0);
    data.has_record = true;
    data.record = (trace_record){
        .name = TEXT("named"), .tags = TEXT("[\"y\"]"), .metadata = TEXT("{\"a\":\"3\"}"), .is_public = 0, .output = TEXT("said")};
    v = trace_view_of(&a, &data);
    assert_text(v.name, "named");
    assert_text(v.tags, "[\"x\",\"y\"]");
    assert_text(v.output, "said");
    assert_text(v.metadata, "{\"b\":\"2\",\"attributes\":{},\"resourceAttributes\":{},\"scope\":{\"attributes\":{}},\"a\":\"3\"}");
    assert_false(v.is_public);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trace_is_merged_from_its_events),
        cmocka_unit_test(the_order_of_arrival_does_not_matter),
        cmocka_unit_test(a_repeated_event_changes_nothing),
        cmocka_unit_test(an_observation_moves_to_its_trace_when_that_is_known),
        cmocka_unit_test(times_of_other_centuries_are_limited),
        cmocka_unit_test(every_type_becomes_an_observation_of_its_kind),
        cmocka_unit_test(wrong_events_are_told_what_is_wrong),
        cmocka_unit_test(issues_are_indented_as_javascript_does),
        cmocka_unit_test(what_has_no_id_is_accepted_and_not_stored),
        cmocka_unit_test(creates_are_answered_before_updates),
        cmocka_unit_test(the_public_key_alone_may_only_score),
        cmocka_unit_test(in_events_only_mode_types_are_refused_unread),
        cmocka_unit_test(what_is_not_kept_is_noted),
        cmocka_unit_test(a_deleted_trace_is_gone_with_its_events),
        cmocka_unit_test(a_view_takes_the_trace_from_observations_and_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
