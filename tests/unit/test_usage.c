#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/base/json.h"
#include "../../src/model/usage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static lf__buf details, costs;

static int set_up(void **state)
{
    (void)state;
    lf__buf_init(&details, 1 << 16);
    lf__buf_init(&costs, 1 << 16);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lf__buf_done(&details);
    lf__buf_done(&costs);
    return 0;
}

static const char *text_of(lf__buf *buf)
{
    assert_true(lf__buf_add_char(buf, '\0'));
    return buf->data;
}

/* `json` in a block of its own size, so that a checker sees reading past it. */
static bool convert(const char *json)
{
    size_t size = strlen(json);
    char *copy = malloc(size + 1);
    assert_non_null(copy);
    memcpy(copy + 1, json, size);
    lf__buf_clear(&details);
    lf__buf_clear(&costs);
    bool done = lf__usage_convert(&details, &costs, copy + 1, size);
    free(copy);
    return done;
}

static const struct {
    const char *json, *details, *costs;
} rows[] = {
    /* Langfuse v2, with a unit and costs. */
    {"{\"input\":10,\"output\":5,\"total\":15,\"unit\":\"TOKENS\",\"input_cost\":0.1,\"output_cost\":0.2,\"total_cost\":0.3}",
     "{\"input\":10,\"output\":5,\"total\":15}", "{\"input\":0.1,\"output\":0.2,\"total\":0.3}"},
    {"{\"input\":10,\"unit\":\"CHARACTERS\",\"inputCost\":1,\"outputCost\":2e-6,\"totalCost\":3}", "{\"input\":10}",
     "{\"input\":1,\"output\":2e-6,\"total\":3}"},
    {"{\"input\":10,\"unit\":7}", "{\"input\":10}", ""},
    {"{\"total\":20}", "{\"total\":20}", ""},
    {"{\"total_cost\":0.5}", "", "{\"total\":0.5}"},
    /* Langfuse's own names pass through; nothing is taken off. */
    {"{\"input\":10,\"output\":5,\"input_cached_tokens\":3,\"output_reasoning_tokens\":2}",
     "{\"input\":10,\"output\":5,\"input_cached_tokens\":3,\"output_reasoning_tokens\":2}", ""},
    /* OpenAI: chat. */
    {"{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":15}", "{\"input\":10,\"output\":5,\"total\":15}", ""},
    {"{\"promptTokens\":10,\"completionTokens\":5,\"totalTokens\":15}", "{\"input\":10,\"output\":5,\"total\":15}", ""},
    {"{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":15,\"prompt_tokens_details\":{\"cached_tokens\":4},"
     "\"completion_tokens_details\":{\"reasoning_tokens\":2}}",
     "{\"input\":6,\"output\":3,\"total\":15,\"input_cached_tokens\":4,\"output_reasoning_tokens\":2}", ""},
    {"{\"completion_tokens_details\":{\"reasoning_tokens\":100,\"audio_tokens\":20,\"accepted_prediction_tokens\":3,"
     "\"rejected_prediction_tokens\":0},\"prompt_tokens_details\":{\"audio_tokens\":7,\"cached_tokens\":30},"
     "\"prompt_tokens\":50,\"total_tokens\":250,\"completion_tokens\":200}",
     "{\"output_reasoning_tokens\":100,\"output_audio_tokens\":20,\"output_accepted_prediction_tokens\":3,"
     "\"output_rejected_prediction_tokens\":0,\"input_audio_tokens\":7,\"input_cached_tokens\":30,\"input\":13,\"total\":250,"
     "\"output\":77}",
     ""},
    {"{\"promptTokens\":10,\"promptTokensDetails\":{\"cachedTokens\":4},\"completionTokens\":5,"
     "\"completionTokensDetails\":{\"reasoningTokens\":5}}",
     "{\"input\":6,\"input_cached_tokens\":4,\"output\":0,\"output_reasoning_tokens\":5}", ""},
    {"{\"prompt_tokens\":8,\"total_tokens\":8}", "{\"input\":8,\"total\":8}", ""}, /* an embedding */
    {"{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":15,\"prompt_tokens_details\":null,"
     "\"completion_tokens_details\":{\"reasoning_tokens\":null,\"x\":\"y\"},\"cost\":0.01}",
     "{\"input\":10,\"output\":5,\"total\":15}", "{\"total\":0.01}"},
    /* Parts that are larger than their side. */
    {"{\"prompt_tokens\":3,\"prompt_tokens_details\":{\"cached_tokens\":4}}", "{\"input\":0,\"input_cached_tokens\":4}", ""},
    {"{\"prompt_tokens\":3,\"prompt_tokens_details\":{\"a\":18446744073709551615,\"b\":2}}",
     "{\"input\":0,\"input_a\":18446744073709551615,\"input_b\":2}", ""},
    /* OpenAI: Responses. */
    {"{\"input_tokens\":36,\"input_tokens_details\":{\"cached_tokens\":16},\"output_tokens\":87,"
     "\"output_tokens_details\":{\"reasoning_tokens\":80},\"total_tokens\":123}",
     "{\"input\":20,\"input_cached_tokens\":16,\"output\":7,\"output_reasoning_tokens\":80,\"total\":123}", ""},
    /* Anthropic: what comes from the cache is not in the input. */
    {"{\"input_tokens\":10,\"output_tokens\":5,\"cache_read_input_tokens\":100,\"cache_creation_input_tokens\":7}",
     "{\"input\":10,\"output\":5,\"input_cached_tokens\":100,\"input_cache_creation\":7}", ""},
    {"{\"input_tokens\":10,\"cache_creation_input_tokens\":0,\"cache_creation\":{\"ephemeral_5m_input_tokens\":0},"
     "\"output_tokens\":5,\"service_tier\":\"standard\",\"server_tool_use\":{\"web_search_requests\":1}}",
     "{\"input\":10,\"input_cache_creation\":0,\"output\":5}", ""},
    /* Bedrock, Gemini, LangChain. */
    {"{\"inputTokens\":10,\"outputTokens\":5,\"totalTokens\":24,\"cacheReadInputTokens\":6,\"cacheWriteInputTokens\":3}",
     "{\"input\":10,\"output\":5,\"total\":24,\"input_cached_tokens\":6,\"input_cache_creation\":3}", ""},
    {"{\"promptTokenCount\":10,\"candidatesTokenCount\":5,\"totalTokenCount\":35,\"cachedContentTokenCount\":4,"
     "\"thoughtsTokenCount\":20}",
     "{\"input\":6,\"output\":5,\"total\":35,\"input_cached_tokens\":4,\"output_reasoning_tokens\":20}", ""},
    {"{\"input_tokens\":10,\"output_tokens\":5,\"total_tokens\":15,\"input_token_details\":{\"cache_read\":4},"
     "\"output_token_details\":{\"reasoning\":2}}",
     "{\"input\":6,\"output\":3,\"total\":15,\"input_cache_read\":4,\"output_reasoning\":2}", ""},
    /* One count in two shapes at once. */
    {"{\"prompt_tokens\":10,\"prompt_tokens_details\":{\"cached_tokens\":4},\"cache_read_input_tokens\":4}",
     "{\"input\":6,\"input_cached_tokens\":4}", ""},
    {"{\"prompt_tokens\":10,\"input_tokens\":11}", "{\"input\":11}", ""},
    /* Other numbers keep their names, and their digits; what is no number is left out. */
    {"{\"input\":1,\"images\":2,\"seconds\":2.50,\"off\":-1}", "{\"input\":1,\"images\":2,\"seconds\":2.50,\"off\":-1}", ""},
    {"{\"a\\\"b\":1,\"\":2,\"\xC3\xA9\":3}", "{\"a\\\"b\":1,\"\":2,\"\xC3\xA9\":3}", ""},
    {"{\"input\":null,\"output\":\"5\",\"x\":true,\"y\":[1],\"z\":{\"k\":1},\"total\":3}", "{\"total\":3}", ""},
    {"{\"input\":12.0,\"output\":1.5,\"input_tokens_details\":{\"a\":2.00},\"output_tokens_details\":{\"b\":1}}",
     "{\"input\":10,\"output\":1.5,\"input_a\":2.00,\"output_b\":1}", ""},
    {"{\"input\":1,\"input\":2}", "{\"input\":2}", ""},
    {" { \"input\" : 1 } ", "{\"input\":1}", ""},
    {"{}", "", ""},
    {"{\"unit\":\"TOKENS\"}", "", ""},
};

static void every_usual_shape_gives_counts_that_add_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(convert(rows[i].json));
        bool valid = (details.length == 0 || lf__json_valid(details.data, details.length)) &&
                     (costs.length == 0 || lf__json_valid(costs.data, costs.length));
        if (strcmp(text_of(&details), rows[i].details) != 0 || strcmp(text_of(&costs), rows[i].costs) != 0 || !valid)
            fail_msg("%s\ngives    %s %s\nand not  %s %s", rows[i].json, details.data, costs.data, rows[i].details, rows[i].costs);
    }
}

static void what_is_no_object_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "5", "[]", "[1]", "\"{}\"", "null", "{", "{\"input\":}", "{\"input\":1", "{} {}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_false(convert(texts[i]));
        assert_int_equal(details.length + costs.length, 0);
    }
}

static void keys_and_numbers_have_a_bound(void **state)
{
    (void)state;
    char json[20000], key[300];
    memset(key, 'k', sizeof key);
    for (int size = 1; size < 300; size++) {
        snprintf(json, sizeof json, "{\"%.*s\":1,\"input_tokens_details\":{\"%.*s\":1},\"input\":5}", size, key, size, key);
        assert_true(convert(json));
        assert_true(lf__json_valid(details.data, details.length));
        snprintf(json, sizeof json, "{\"input_tokens_details\":{\"%.*s\":1},\"input\":5}", size,
                 "KKKKKKKKKKKKKKKKKKKKKKKKKKKKKK"
                 "KKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKK");
        assert_true(convert(json));
        assert_true(lf__json_valid(details.data, details.length));
    }
    memset(key, '7', sizeof key);
    snprintf(json, sizeof json, "{\"a\":%.64s,\"b\":%.65s,\"total_cost\":%.200s}", key, key, key);
    assert_true(convert(json));
    assert_null(strstr(text_of(&details), "\"b\""));
    assert_non_null(strstr(details.data, "\"a\":7777"));
    assert_string_equal(text_of(&costs), "");
    size_t at = 0;
    for (int i = 0; i < 500; i++)
        at += (size_t)snprintf(json + at, sizeof json - at, "%c\"k%d\":%d", i == 0 ? '{' : ',', i, i);
    snprintf(json + at, sizeof json - at, ",\"k3\":99}");
    assert_true(convert(json));
    assert_true(lf__json_valid(details.data, details.length));
    assert_non_null(strstr(text_of(&details), "\"k3\":99,"));
    assert_non_null(strstr(details.data, "\"k63\":63}"));
}

static void what_does_not_fit_leaves_nothing_behind(void **state)
{
    (void)state;
    static const char json[] = "{\"prompt_tokens\":10,\"prompt_tokens_details\":{\"cached_tokens\":4},\"totalCost\":1.5}";
    assert_true(convert(json));
    size_t all[2] = {details.length, costs.length};
    for (size_t which = 0; which < 2; which++) {
        for (size_t size = 0; size <= all[which]; size++) {
            char memory[128] = "..";
            lf__buf small;
            lf__buf_over(&small, memory, 2 + size);
            small.length = 2;
            lf__buf_clear(&details);
            lf__buf *out[2] = {which == 0 ? &small : &details, which == 1 ? &small : &details};
            assert_int_equal(lf__usage_convert(out[0], out[1], json, sizeof json - 1), size == all[which]);
            assert_int_equal(small.length, size == all[which] ? 2 + size : 2);
            assert_int_equal(details.length, size == all[which] ? all[1 - which] : 0);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_usual_shape_gives_counts_that_add_up),
        TEST(what_is_no_object_is_refused),
        TEST(keys_and_numbers_have_a_bound),
        TEST(what_does_not_fit_leaves_nothing_behind),
    };
    return cmocka_run_group_tests_name("usage", tests, NULL, NULL);
}
