/* Which counts and costs are kept of what is given, what their totals are, and how they are read. */
#include "harness.h"

#include "../../server/cost.h"
#include "../../server/fold.h"
#include "../../server/usage.h"

#include <math.h>

typedef struct rule {
    const char *given, *expected;
} rule;

static void details_become_counts(void **state)
{
    static const rule rules[] = {
        {"null", "{}"},
        {"[1]", "{}"},
        {"{}", "{}"},
        {"{\"input\":10,\"output\":5}", "{\"input\":10,\"output\":5,\"total\":15}"},
        {"{\"input\":10,\"output\":5,\"total\":99}", "{\"input\":10,\"output\":5,\"total\":99}"},
        {"{\"input\":10,\"output\":5,\"input_cached_tokens\":3}",
         "{\"input\":10,\"output\":5,\"input_cached_tokens\":3,\"total\":18}"},
        {"{\"total\":20}", "{\"total\":20}"},
        {"{\"input\":7,\"output\":5,\"input_cached_tokens\":3,\"output_reasoning_tokens\":2,\"total\":17}",
         "{\"input\":7,\"output\":5,\"input_cached_tokens\":3,\"output_reasoning_tokens\":2,\"total\":17}"},
        /* What OpenAI answers, of two generations. */
        {"{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":15,\"prompt_tokens_details\":{\"cached_tokens\":4},"
         "\"completion_tokens_details\":{\"reasoning_tokens\":2,\"audio_tokens\":null}}",
         "{\"input\":6,\"input_cached_tokens\":4,\"output\":3,\"output_reasoning_tokens\":2,\"total\":15}"},
        {"{\"input_tokens\":3,\"output_tokens\":2,\"total_tokens\":5,\"input_tokens_details\":null}",
         "{\"input\":3,\"output\":2,\"total\":5}"},
        {"{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":9}", "{\"input\":3,\"output\":2,\"total\":9}"},
        {"{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5,\"prompt_tokens_details\":{\"cached_tokens\":7}}",
         "{\"input\":0,\"input_cached_tokens\":7,\"output\":2,\"total\":5}"},
        /* A key too many, one too few, and text where there should be numbers: the keys stay. */
        {"{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5,\"x\":1}",
         "{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5,\"x\":1,\"total\":11}"},
        {"{\"prompt_tokens\":3,\"completion_tokens\":2}", "{\"prompt_tokens\":3,\"completion_tokens\":2,\"total\":5}"},
        {"{\"prompt_tokens\":\"3\",\"completion_tokens\":2,\"total_tokens\":5}",
         "{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5,\"total\":10}"},
        {"{\"input_tokens\":3,\"output_tokens\":2,\"total_tokens\":5,\"input_tokens_details\":{\"cached_tokens\":\"1\"}}",
         "{\"input_tokens\":3,\"output_tokens\":2,\"total_tokens\":5,\"total\":10}"},
        {"{\"input_tokens\":3,\"output_tokens\":2,\"cache_read_input_tokens\":4}",
         "{\"input_tokens\":3,\"output_tokens\":2,\"cache_read_input_tokens\":4,\"total\":9}"},
        /* What is no count. */
        {"{\"a\":-1,\"b\":1.5,\"c\":true,\"d\":null,\"e\":{\"f\":1},\"g\":1e99}", "{}"},
        {"{\"a\":\"3\",\"b\":\" 4x\",\"c\":\"5.9\",\"d\":\"-6\",\"e\":\"x7\",\"f\":\"\",\"g\":\"+8\"}",
         "{\"a\":3,\"b\":4,\"c\":5,\"g\":8,\"total\":20}"},
        {"{\"a\":9000000000000000,\"b\":1}", "{\"a\":9000000000000000,\"b\":1,\"total\":9000000000000001}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        arena a = {0};
        usage_counts counts = {.count = 0};
        usage_add_details(&a, &counts, json_parse(&a, text_of(rules[i].given)));
        usage_complete(&counts);
        assert_text(usage_text(&a, &counts), rules[i].expected);
        arena_free(&a);
    }
}

static void too_many_counts_are_left_out(void **state)
{
    arena a = {0};
    buf given = {0};
    usage_counts counts = {.count = 0};
    (void)state;
    buf_char(&given, '{');
    for (int i = 0; i < USAGE_MAX_ENTRIES + 9; i++)
        buf_format(&given, "%s\"k%d\":1", i > 0 ? "," : "", i);
    buf_char(&given, '}');
    usage_add_details(&a, &counts, json_parse(&a, buf_view(&given)));
    usage_complete(&counts);
    assert_int_equal(counts.count, USAGE_MAX_ENTRIES);
    buf_free(&given);
    arena_free(&a);
}

/* As many costs as a batch can hold take no longer than its other members. */
static void too_many_costs_are_left_out(void **state)
{
    arena a = {0};
    buf body = {0};
    (void)state;
    buf_string(&body, "{\"id\":\"o\",\"costDetails\":{\"k\":1");
    for (int i = 0; i < 300000; i++)
        buf_format(&body, ",\"k%d\":1", i);
    buf_string(&body, "}}");
    const event e = {
        .type = event_type_of(TEXT("generation-create")), .body_id = TEXT("o"), .body = json_parse(&a, buf_view(&body))};
    fold *f = fold_new(&a, EVENT_OBSERVATION, e.body_id);
    fold_add(f, &e);
    observation o = event_observation(&a, f);
    assert_int_equal(json_count(json_parse(&a, o.cost)), USAGE_MAX_ENTRIES);
    buf_free(&body);
    arena_free(&a);
}

static void given_costs_are_kept_with_12_digits(void **state)
{
    static const rule rules[] = {
        {"null", "{}"},
        {"{}", "{}"},
        {"{\"input\":null}", "{}"},
        {"{\"input\":0.25,\"output\":0.5}", "{\"input\":0.25,\"output\":0.5,\"total\":0.75}"},
        {"{\"input\":0.25,\"output\":null}", "{\"input\":0.25,\"output\":0,\"total\":0.25}"},
        {"{\"input\":0.25,\"total\":null}", "{\"input\":0.25,\"total\":0}"},
        {"{\"input\":0.25,\"total\":9}", "{\"input\":0.25,\"total\":9}"},
        {"{\"input\":0.25,\"input_cached_tokens\":1}", "{\"input\":0.25,\"input_cached_tokens\":1}"},
        {"{\"input\":-1,\"x\":\"2\"}", "{\"input\":-1,\"x\":0}"},
        {"{\"input\":0.5,\"output\":\"2\"}", "{\"input\":0.5,\"output\":0,\"total\":0}"},
        {"{\"input\":0.1,\"output\":0.2}", "{\"input\":0.1,\"output\":0.2,\"total\":0.3}"},
        {"{\"total\":1e-13}", "{\"total\":0}"},
        {"{\"total\":-1e-13}", "{\"total\":0}"},
        {"{\"total\":1e-12}", "{\"total\":0.000000000001}"},
        {"{\"total\":0.0000019999999999}", "{\"total\":0.000001999999}"},
        {"{\"total\":0.7999999999999999}", "{\"total\":0.799999999999}"},
        {"{\"total\":1e-300}", "{\"total\":0}"},
        {"{\"total\":12345.678901234567}", "{\"total\":12345.678901234567}"},
        {"{\"total\":999999.9999}", "{\"total\":999999.9999}"},
        {"{\"a\":1000000,\"b\":1e300,\"c\":-2e6}", "{\"a\":999999.999999,\"b\":999999.999999,\"c\":-999999.999999}"},
        {"{\"total\":1e999}", "{\"total\":0}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        arena a = {0};
        const usage_counts none = {.count = 0};
        observation o = {.model = TEXT("")};
        cost_set(&a, &o, &none, json_parse(&a, text_of(rules[i].given)));
        assert_text(o.cost, rules[i].expected);
        arena_free(&a);
    }
}

static void a_side_is_the_sum_of_all_keys_that_name_it(void **state)
{
    static const struct {
        const char *stored;
        double input, output; /* negative: none */
    } cases[] = {
        {"{}", -1, -1},
        {"{\"total\":5}", -1, -1},
        {"{\"input\":7,\"input_cached_tokens\":3,\"total\":10}", 10, -1},
        {"{\"input_tokens\":5,\"cache_read_input_tokens\":2,\"output_reasoning_tokens\":4}", 7, 4},
        {"{\"input\":0.1,\"input_cached_tokens\":0.05}", 0.1 + 0.05, -1},
        {"{\"INPUT\":1,\"input\":\"x\"}", -1, -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arena a = {0};
        double input, output;
        const json *stored = json_parse(&a, text_of(cases[i].stored));
        assert_int_equal(usage_side(stored, "input", &input), cases[i].input >= 0);
        assert_int_equal(usage_side(stored, "output", &output), cases[i].output >= 0);
        assert_true(input == fmax(cases[i].input, 0) && output == fmax(cases[i].output, 0));
        arena_free(&a);
    }
}

static void batches_give_usage_in_three_generations(void **state)
{
    static const struct {
        const char *body, *usage, *cost;
    } cases[] = {
        {"\"usage\":{\"input\":3,\"output\":4,\"unit\":\"TOKENS\"}", "{\"input\":3,\"output\":4,\"total\":7}", "{}"},
        {"\"usage\":{\"promptTokens\":3,\"completionTokens\":4}", "{\"input\":3,\"output\":4,\"total\":7}", "{}"},
        {"\"usage\":{\"input\":3,\"output\":4,\"total\":9}", "{\"input\":3,\"output\":4,\"total\":9}", "{}"},
        {"\"usage\":{\"output\":4}", "{\"output\":4,\"total\":4}", "{}"},
        {"\"usage\":{\"input\":0,\"output\":4}", "{\"input\":0,\"output\":4,\"total\":0}", "{}"},
        {"\"usage\":{\"input\":-3}", "{}", "{}"},
        {"\"usage\":{\"totalTokens\":null,\"input\":3,\"inputCost\":1}", "{}", "{}"},
        {"\"usage\":{\"input\":3,\"inputCost\":0.5,\"outputCost\":-1}", "{\"input\":3,\"total\":3}",
         "{\"input\":0.5,\"output\":-1,\"total\":-0.5}"},
        {"\"usage\":{\"input\":3,\"output\":4,\"totalCost\":2},\"usageDetails\":{\"input\":5,\"x\":1},\"costDetails\":{\"total\":3,"
         "\"y\":1}",
         "{\"input\":5,\"output\":4,\"x\":1,\"total\":10}", "{\"total\":3,\"y\":1}"},
        {"\"usage\":{\"input\":3,\"output\":4,\"total\":7},\"usageDetails\":{\"input\":5}",
         "{\"input\":5,\"output\":4,\"total\":7}", "{}"},
        {"\"usageDetails\":{\"input\":-1,\"output\":0.5,\"x\":\"3\"},\"costDetails\":{\"input\":\"1\",\"output\":-1}",
         "{\"x\":3,\"total\":3}", "{}"},
        {"\"usageDetails\":{},\"costDetails\":null", "{}", "{}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arena a = {0};
        buf body = {0};
        buf_format(&body, "{\"id\":\"o\",%s}", cases[i].body);
        const event e = {
            .type = event_type_of(TEXT("generation-create")), .body_id = TEXT("o"), .body = json_parse(&a, buf_view(&body))};
        fold *f = fold_new(&a, EVENT_OBSERVATION, e.body_id);
        fold_add(f, &e);
        observation o = event_observation(&a, f);
        assert_text(o.usage, cases[i].usage);
        assert_text(o.cost, cases[i].cost);
        buf_free(&body);
        arena_free(&a);
    }
}

/* As a real server reads their bodies; observation-create, which is older, may name a model for a span. */
static void spans_and_events_of_batches_have_no_model(void **state)
{
    static const struct {
        const char *type, *model;
    } cases[] = {
        {"span-create", ""},
        {"span-update", ""},
        {"event-create", ""},
        {"generation-create", "gpt-4o"},
        {"tool-create", "gpt-4o"},
        {"agent-create", "gpt-4o"},
        {"observation-create", "gpt-4o"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arena a = {0};
        const event e = {
            .type = event_type_of(text_of(cases[i].type)),
            .body_id = TEXT("o"),
            .body = json_parse(&a, TEXT("{\"id\":\"o\",\"type\":\"SPAN\",\"name\":\"n\",\"model\":\"gpt-4o\","
                                        "\"completionStartTime\":\"2026-11-28T00:00:00Z\",\"costDetails\":{\"total\":1},"
                                        "\"usageDetails\":{\"input\":1},\"modelParameters\":{\"n\":1}}"))};
        fold *f = fold_new(&a, EVENT_OBSERVATION, e.body_id);
        fold_add(f, &e);
        observation o = event_observation(&a, f);
        bool has_model = *cases[i].model != '\0';
        assert_text(o.name, "n");
        assert_text(o.model, cases[i].model);
        assert_text(o.usage, has_model ? "{\"input\":1,\"total\":1}" : "{}");
        assert_text(o.cost, has_model ? "{\"total\":1}" : "{}");
        assert_text(o.model_parameters, has_model ? "{\"n\":1}" : "{}");
        assert_int_equal(o.completion_start_ms >= 0, has_model);
        arena_free(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(details_become_counts),
        cmocka_unit_test(too_many_counts_are_left_out),
        cmocka_unit_test(too_many_costs_are_left_out),
        cmocka_unit_test(given_costs_are_kept_with_12_digits),
        cmocka_unit_test(a_side_is_the_sum_of_all_keys_that_name_it),
        cmocka_unit_test(batches_give_usage_in_three_generations),
        cmocka_unit_test(spans_and_events_of_batches_have_no_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
