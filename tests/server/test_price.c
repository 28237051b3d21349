/* The built-in prices, those of files, which model and tier an observation has, and what it costs. Right values are worked out by
 * hand from the prices of a million tokens. */
#include "harness.h"

#include "../../server/cost.h"
#include "../../server/price_pattern.h"
#include "../../server/price_read.h"
#include "../../server/price_table.h"

#include <stdio.h>

/* What the patterns of a list hold is never given back, so that the lists stay, too. */
static arena lists;

/* ---- The table ---- */

static void every_row_of_the_table_is_right(void **state)
{
    price_list list = {0};
    char why[200];
    (void)state;
    for (size_t i = 0; i < price_table_count; i++) {
        const json *row = json_parse(&lists, text_of(price_table[i]));
        if (row == NULL)
            fail_msg("no JSON: %s", price_table[i]);
        if (!price_read_model(&lists, &list, row, why,
                              sizeof why)) /* patterns compile, ids are unique, there is one default tier */
            fail_msg("%s", why);
        const price_model *model = &list.models[i];
        for (size_t j = 0; j < model->tier_count; j++)
            for (size_t k = 0; k < model->tiers[j].rate_count; k++)
                if (price_of(&model->tiers[j].rates[k], 1) <= 0 || price_of(&model->tiers[j].rates[k], 1) > 0.1)
                    fail_msg("%s: a price is 0 or below, or above 10 cents", price_table[i]);
    }
    assert_true(list.count > 80);
}

static void names_find_their_model(void **state)
{
    static const char *const cases[][2] = {
        {"gpt-4o", "gpt-4o"},
        {"GPT-4o", "gpt-4o"},
        {"openai/gpt-4o-2024-08-06", "gpt-4o"},
        {"gpt-4o-2024-05-13", "gpt-4o-2024-05-13"},
        {"gpt-4o-mini", "gpt-4o-mini"},
        {"gpt-4o-mini-2024-07-18", "gpt-4o-mini"},
        {"gpt-4o-mini-2024-07-19", NULL},
        {"gpt-4-1106-vision-preview", "gpt-4-turbo"},
        {"my-gpt-4o", NULL},
        {"gpt-4o ", NULL},
        {"gpt-5.1", "gpt-5"},
        {"gpt-35-turbo", "gpt-3.5-turbo"},
        {"ft:davinci-002:org:name:id", "ft:davinci-002"},
        {"o3", "o3"},
        {"claude-3-5-sonnet-20241022", "claude-3-5-sonnet"},
        {"us.anthropic.claude-sonnet-4-20250514-v1:0", "claude-sonnet-4"},
        {"anthropic/claude-sonnet-4-5", "claude-sonnet-4-5"},
        {"claude-opus-4-1@20250805", "claude-opus-4-1"},
        {"claude-opus-4", "claude-opus-4"},
        {"gemini-2.5-pro", "gemini-2.5-pro"},
        {"google/gemini-2.0-flash@latest", "gemini-2.0-flash"},
        {"text-embedding-3-small", "text-embedding-3-small"},
        {"tiny-1", NULL},
        {"", NULL},
    };
    char lengthy[3000];
    (void)state;
    for (int twice = 0; twice < 2; twice++) { /* the second time from the cache */
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            const price_model *found = price_find(text_of(cases[i][0]));
            if ((found == NULL) != (cases[i][1] == NULL))
                fail_msg("%s %s", cases[i][0], found != NULL ? "is found" : "is not found");
            if (found != NULL)
                assert_text(found->id, cases[i][1]);
        }
    }
    memset(lengthy, 'x', sizeof lengthy);
    assert_null(price_find((text){lengthy, sizeof lengthy}));
    assert_null(price_find((text){"gpt-4o\0", 7}));
    for (int i = 0; i < 2000; i++) { /* more names than places in the cache */
        snprintf(lengthy, sizeof lengthy, "other-%d", i);
        assert_null(price_find(text_of(lengthy)));
    }
    assert_text(price_find(TEXT("gpt-4o"))->id, "gpt-4o");
    assert_ptr_equal(price_of_id(TEXT("gpt-4o")), price_find(TEXT("gpt-4o")));
    assert_null(price_of_id(TEXT("")));
    assert_null(price_of_id(TEXT("none")));
}

/* ---- Costs ---- */

typedef struct priced {
    const char *model, *usage, *given, *parameters;
    const char *cost, *tier; /* NULL: none */
} priced;

static void assert_priced(const priced *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        arena a = {0};
        usage_counts counts = {.count = 0};
        observation o = {.model = text_of(cases[i].model),
                         .model_parameters = text_of(cases[i].parameters != NULL ? cases[i].parameters : "{}"),
                         .metadata = TEXT("{}")};
        usage_add_details(&a, &counts, json_parse(&a, text_of(cases[i].usage)));
        usage_complete(&counts);
        cost_set(&a, &o, &counts, cases[i].given != NULL ? json_parse(&a, text_of(cases[i].given)) : NULL);
        assert_text(o.cost, cases[i].cost);
        assert_text(o.tier, cases[i].tier != NULL ? cases[i].tier : "");
        arena_free(&a);
    }
}

static void each_count_has_its_price(void **state)
{
    static const priced cases[] = {
        /* gpt-4o: 2.5, cached 1.25, output 10. */
        {"gpt-4o", "{\"input\":10,\"output\":5}", NULL, NULL, "{\"input\":0.000025,\"output\":0.00005,\"total\":0.000075}",
         "Standard"},
        {"gpt-4o", "{\"input\":7,\"input_cached_tokens\":3,\"output\":5}", NULL, NULL,
         "{\"input\":0.0000175,\"input_cached_tokens\":0.00000375,\"output\":0.00005,\"total\":0.00007125}", "Standard"},
        {"gpt-4o",
         "{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":15,\"prompt_tokens_details\":{\"cached_tokens\":4}}", NULL,
         NULL, "{\"input\":0.000015,\"input_cached_tokens\":0.000005,\"output\":0.00005,\"total\":0.00007}", "Standard"},
        /* Keys without a price cost nothing; those of OpenAI with one key missing have none at all. */
        {"gpt-4o", "{\"input\":10,\"searches\":3}", NULL, NULL, "{\"input\":0.000025,\"total\":0.000025}", "Standard"},
        {"gpt-4o", "{\"prompt_tokens\":10,\"completion_tokens\":5}", NULL, NULL, "{}", "Standard"},
        {"gpt-4o", "{\"total\":20}", NULL, NULL, "{}", "Standard"},
        {"gpt-4o", "{\"input\":0,\"output\":0}", NULL, NULL, "{\"input\":0,\"output\":0,\"total\":0}", "Standard"},
        {"gpt-4o", "{}", NULL, NULL, "{}", NULL},
        {"tiny-1", "{\"input\":10,\"output\":5}", NULL, NULL, "{}", NULL},
        {"", "{\"input\":10,\"output\":5}", NULL, NULL, "{}", NULL},
        /* gpt-5-mini: 0.25, cached 0.025, output 2, also of reasoning. */
        {"gpt-5-mini", "{\"input\":100,\"input_cached_tokens\":1000,\"output\":50,\"output_reasoning_tokens\":200}", NULL, NULL,
         "{\"input\":0.000025,\"input_cached_tokens\":0.000025,\"output\":0.0001,\"output_reasoning_tokens\":0.0004,\"total\":0."
         "00055}",
         "Standard"},
        /* claude-sonnet-4: 3, output 15, read 0.3, written 3.75, for an hour 6; also by the names of its API. */
        {"claude-sonnet-4-20250514", "{\"input\":100,\"input_cached_tokens\":1000,\"input_cache_creation\":200,\"output\":10}",
         NULL, NULL,
         "{\"input\":0.0003,\"input_cached_tokens\":0.0003,\"input_cache_creation\":0.00075,\"output\":0.00015,\"total\":0.0015}",
         "Standard"},
        {"claude-sonnet-4-20250514",
         "{\"input_tokens\":100,\"cache_read_input_tokens\":1000,\"cache_creation_input_tokens\":200,\"output_tokens\":10,"
         "\"input_cache_creation_1h\":100}",
         NULL, NULL,
         "{\"input_tokens\":0.0003,\"cache_read_input_tokens\":0.0003,\"cache_creation_input_tokens\":0.00075,"
         "\"output_tokens\":0.00015,\"input_cache_creation_1h\":0.0006,\"total\":0.0021}",
         "Standard"},
        /* The sum is 0.0007662499999999999 as a double, of which 12 digits are kept. */
        {"gpt-4o", "{\"input\":123,\"output\":45,\"input_cached_tokens\":7,\"total\":175}", NULL, NULL,
         "{\"input\":0.0003075,\"output\":0.00045,\"input_cached_tokens\":0.00000875,\"total\":0.000766249999}", "Standard"},
        /* An embedding costs by its total. */
        {"text-embedding-3-small", "{\"input\":1000}", NULL, NULL, "{\"total\":0.00002}", "Standard"},
        {"text-embedding-3-small", "{\"input\":1000,\"total\":500}", NULL, NULL, "{\"total\":0.00001}", "Standard"},
        /* The decimal: 1 token of gpt-5-nano's cached input by Flex is 2.5e-9; a million dollars are cut. */
        {"gpt-5-nano", "{\"input_cached_tokens\":1}", NULL, "{\"service_tier\":\"flex\"}",
         "{\"input_cached_tokens\":0.0000000025,\"total\":0.0000000025}", "Flex"},
        {"o1-pro", "{\"input\":9000000000}", NULL, NULL, "{\"input\":999999.999999,\"total\":999999.999999}", "Standard"},
        {"gpt-4o", "{\"input\":123456789012}", NULL, NULL, "{\"input\":308641.97253,\"total\":308641.97253}", "Standard"},
    };
    (void)state;
    assert_priced(cases, sizeof cases / sizeof *cases);
}

static void a_given_cost_turns_the_prices_off(void **state)
{
    static const priced cases[] = {
        {"gpt-4o", "{\"input\":10,\"output\":5}", "{\"input\":1}", NULL, "{\"input\":1,\"total\":1}", "Standard"},
        {"gpt-4o", "{\"input\":10,\"output\":5}", "{\"x\":1}", NULL, "{\"x\":1}", "Standard"},
        {"gpt-4o", "{\"input\":10,\"output\":5}", "{\"total\":0}", NULL, "{\"total\":0}", "Standard"},
        {"gpt-4o", "{\"input\":10}", "{\"total\":null}", NULL, "{\"input\":0.000025,\"total\":0.000025}", "Standard"},
        {"gpt-4o", "{\"input\":10}", "{}", NULL, "{\"input\":0.000025,\"total\":0.000025}", "Standard"},
        {"tiny-1", "{\"input\":10}", "{\"total\":2}", NULL, "{\"total\":2}", NULL},
    };
    (void)state;
    assert_priced(cases, sizeof cases / sizeof *cases);
}

static void tiers_follow_usage_and_parameters(void **state)
{
    static const priced cases[] = {
        /* gemini-2.5-pro: 1.25 and 10; above 200,000 of input, prompt and cached 2.5 and 15, cached 0.25. */
        {"gemini-2.5-pro", "{\"input\":200000,\"output\":1}", NULL, NULL, "{\"input\":0.25,\"output\":0.00001,\"total\":0.25001}",
         "Standard"},
        {"gemini-2.5-pro", "{\"input\":200001,\"output\":1}", NULL, NULL,
         "{\"input\":0.5000025,\"output\":0.000015,\"total\":0.5000175}", "Large Context"},
        {"gemini-2.5-pro", "{\"input\":100001,\"input_cached_tokens\":100000}", NULL, NULL,
         "{\"input\":0.2500025,\"input_cached_tokens\":0.025,\"total\":0.2750025}", "Large Context"},
        {"gemini-2.5-pro", "{\"output\":300000,\"total\":900000}", NULL, NULL, "{\"output\":3,\"total\":3}", "Standard"},
        {"gemini-2.5-pro", "{\"input\":1,\"PROMPT\":200000}", NULL, NULL, "{\"input\":0.0000025,\"total\":0.0000025}",
         "Large Context"},
        /* gpt-5.6-sol: the first tier that fits, in the order of priorities. */
        {"gpt-5.6-sol", "{\"input\":1000}", NULL, NULL, "{\"input\":0.005,\"total\":0.005}", "Standard"},
        {"gpt-5.6-sol", "{\"input\":1000}", NULL, "{\"service_tier\":\"priority\"}", "{\"input\":0.01,\"total\":0.01}",
         "Fast mode"},
        {"gpt-5.6-sol", "{\"input\":1000}", NULL, "{\"service_tier\":\"flex\",\"n\":1}", "{\"input\":0.0025,\"total\":0.0025}",
         "Flex"},
        {"gpt-5.6-sol", "{\"input\":300000}", NULL, NULL, "{\"input\":3,\"total\":3}", "Large Context (>272K)"},
        {"gpt-5.6-sol", "{\"input\":300000}", NULL, "{\"service_tier\":\"fast\"}", "{\"input\":6,\"total\":6}",
         "Fast mode · Large context (>272K)"},
        {"gpt-5.6-sol", "{\"cache_write_tokens\":272001}", NULL, "{\"service_tier\":\"flex\"}",
         "{\"cache_write_tokens\":1.70000625,\"total\":1.70000625}", "Flex · Large context (>272K)"},
        {"gpt-5.6-sol", "{\"input\":1000}", NULL, "{\"service_tier\":\"other\"}", "{\"input\":0.005,\"total\":0.005}", "Standard"},
        {"gpt-5.6-sol", "{\"input\":1000}", NULL, "{\"a\":{\"service_tier\":\"flex\"}}", "{\"input\":0.005,\"total\":0.005}",
         "Standard"},
        {"claude-opus-5", "{\"input\":1000}", NULL, "{\"speed\":\"fast\"}", "{\"input\":0.01,\"total\":0.01}", "Fast mode"},
    };
    (void)state;
    assert_priced(cases, sizeof cases / sizeof *cases);
}

/* ---- Files ---- */

#define TIERS(list) "[{\"modelName\":\"m\",\"matchPattern\":\"^m$\",\"pricingTiers\":[" list "]}]"
#define DEFAULT_TIER "{\"name\":\"d\",\"isDefault\":true,\"priority\":0,\"prices\":{\"input\":1}}"
#define OTHER_TIER(conditions) "{\"name\":\"o\",\"priority\":1,\"conditions\":[" conditions "],\"prices\":{\"input\":2}}"

static void a_wrong_file_is_told_where(void **state)
{
    static const char *const cases[][2] = {
        {"", "line 1 is not JSON"},
        {"[\n\n{\"a\":1,}]", "line 3 is not JSON"},
        {"[]\nx", "line 2 is not JSON"},
        {"{}", "neither an array of models nor an object with one under \"data\""},
        {"[1]", "model 1 (): no \"modelName\""},
        {"[{\"modelName\":\"m\",\"matchPattern\":\"^m$\",\"prices\":{\"input\":1}},{\"modelName\":\"n\"}]",
         "model 2 (n): \"matchPattern\": the pattern is empty, too long, or has what is not known here"},
        {"[{\"modelName\":\"m\",\"matchPattern\":\"(?=m)\"}]",
         "model 1 (m): \"matchPattern\": the pattern is empty, too long, or has what is not known here"},
        {"[{\"modelName\":\"m\",\"matchPattern\":\"m\"}]", "model 1 (m): no \"prices\""},
        {"[{\"modelName\":\"m\",\"matchPattern\":\"m\",\"prices\":{\"input\":-1}}]",
         "model 1 (m): not a price of 0 or more: input"},
        {"[{\"modelName\":\"m\",\"matchPattern\":\"m\",\"prices\":{\"input\":\"1\"}}]",
         "model 1 (m): not a price of 0 or more: input"},
        {"[{\"modelName\":\"m\",\"matchPattern\":\"m\",\"prices\":{\"input\":{}}}]",
         "model 1 (m): not a price of 0 or more: input"},
        {"[{\"modelName\":\"m\",\"matchPattern\":\"m\",\"startDate\":\"soon\",\"prices\":{\"input\":1}}]",
         "model 1 (m): \"startDate\" is a date"},
        {"[{\"modelName\":\"m\",\"matchPattern\":\"m\",\"prices\":{\"input\":1}},{\"modelName\":\"m\"}]",
         "model 2 (m): the model stands there twice"},
        {TIERS(""), "model 1 (m): one of \"pricingTiers\" has \"isDefault\": true"},
        {TIERS("{}"), "model 1 (m): a tier has a \"name\", and a \"priority\" of 0 to 999"},
        {TIERS(DEFAULT_TIER "," DEFAULT_TIER), "model 1 (m): two tiers with one name or priority: d"},
        {TIERS(DEFAULT_TIER "," OTHER_TIER("")), "model 1 (m), tier o: no \"conditions\""},
        {TIERS(DEFAULT_TIER "," OTHER_TIER("{\"operator\":\"over\"}")),
         "model 1 (m), tier o: \"operator\" is one of gt, gte, lt, lte, eq, neq"},
        {TIERS(DEFAULT_TIER "," OTHER_TIER("{\"operator\":\"gt\"}")), "model 1 (m), tier o: \"value\" is a number of 0 or more"},
        {TIERS(DEFAULT_TIER "," OTHER_TIER("{\"source\":\"input\"}")),
         "model 1 (m), tier o: \"source\" is model_parameters or metadata"},
        {TIERS(DEFAULT_TIER "," OTHER_TIER("{\"source\":\"metadata\",\"key\":\"k\"}")),
         "model 1 (m), tier o: a condition on parameters or metadata has a \"key\" and \"values\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        price_list list = {0};
        char why[300] = "";
        assert_false(price_read_file(&lists, &list, text_of(cases[i][0]), why, sizeof why));
        assert_string_equal(why, cases[i][1]);
    }
}

static void patterns_are_those_of_a_real_server(void **state)
{
    static const struct {
        const char *pattern, *fits, *not;
    } cases[] = {
        {"m", "xmx", "M"},
        {"(?i)^m$", "M", "mm"},
        {"^gpt-\\d+\\.\\w{2}$", "gpt-45.ab", "gpt-45xab"},
        {"^(?:a|b)\\/[\\d.]+\\s$", "b/1.5 ", "a/x "},
        {"^[^\\w]$", "-", "_"},
        {"^a\\-b\\:\\$$", "a-b:$", "ab:"},
        {"^a{2}$", "aa", "a"},
    };
    static const char *const wrong[] = {"", "(", "[a", "a\\", "(?<!x)y", "(a)\\1", "\\bx", "[\\]]", "a**("};
    char why[200];
    regex_t pattern;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (!price_pattern_compile(&pattern, text_of(cases[i].pattern), false, why, sizeof why))
            fail_msg("%s: %s", cases[i].pattern, why);
        if (!price_pattern_fits(&pattern, text_of(cases[i].fits)) || price_pattern_fits(&pattern, text_of(cases[i].not)))
            fail_msg("%s fits otherwise", cases[i].pattern);
        regfree(&pattern);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (price_pattern_compile(&pattern, text_of(wrong[i]), false, why, sizeof why))
            fail_msg("%s is taken", wrong[i]);
}

/* Run last: what a file adds stays. */
/* The tier of a model of the file below, by what metadata says of the plan. */
static void assert_tier_of_plan(arena *a, const char *plan, const char *tier)
{
    char metadata[64];
    usage_counts counts = {.count = 0};
    snprintf(metadata, sizeof metadata, "{\"plan\":\"%s\"}", plan);
    usage_add_details(a, &counts, json_parse(a, TEXT("{\"IN\":1}")));
    const price_tier *found = price_tier_of(a, price_find(TEXT("tiered")), &counts, TEXT("{}"), text_of(metadata));
    assert_text(found->name, tier);
}

static void models_of_a_file_win(void **state)
{
    static const char file[] =
        "{\"data\":["
        "{\"modelName\":\"any\",\"matchPattern\":\"(?i)^own\",\"prices\":{\"input\":1e-6,\"output\":{\"price\":0.0000123}}},"
        "{\"id\":\"8\",\"modelName\":\"newest\",\"startDate\":\"2026-02-01T00:00:00.000Z\",\"isLangfuseManaged\":true,"
        "\"matchPattern\":\"^own-x$\",\"prices\":{\"input\":4}},"
        "{\"modelName\":\"old\",\"startDate\":\"2025-01-01\",\"matchPattern\":\"^own-x$\",\"prices\":{\"input\":2}},"
        "{\"id\":\"7\",\"modelName\":\"new\",\"startDate\":\"2026-01-01T00:00:00.000Z\",\"matchPattern\":\"^own-x$\",\"prices\":{"
        "\"input\":3E0}},"
        "{\"modelName\":\"gpt-4o\",\"matchPattern\":\"^gpt-4o-mini$\",\"prices\":{\"input\":10.50}},"
        "{\"modelName\":\"tiered\",\"matchPattern\":\"^tiered$\",\"pricingTiers\":["
        "{\"name\":\"low\",\"priority\":5,\"conditions\":[{\"usageDetailPattern\":\"^IN\",\"caseSensitive\":true,\"operator\":"
        "\"gte\","
        "\"value\":2}],\"prices\":{\"IN\":2}},"
        "{\"name\":\"meta\",\"priority\":2,\"conditions\":[{\"source\":\"metadata\",\"key\":\"plan\",\"operator\":\"in\","
        "\"values\":[\"free\",\"true\"]}],\"prices\":{\"IN\":0}},"
        "{\"name\":\"Standard\",\"isDefault\":true,\"priority\":0,\"conditions\":[],\"prices\":{\"IN\":1}}]}]}";
    static const priced cases[] = {
        {"OWN-1", "{\"input\":3,\"output\":1}", NULL, NULL, "{\"input\":0.000003,\"output\":0.0000123,\"total\":0.0000153}",
         "Standard"},
        {"own-x", "{\"input\":1}", NULL, NULL, "{\"input\":3,\"total\":3}", "Standard"},
        {"gpt-4o-mini", "{\"input\":2,\"output\":2}", NULL, NULL, "{\"input\":21,\"total\":21}", "Standard"},
        {"gpt-4o", "{\"output\":1}", NULL, NULL, "{\"output\":0.00001,\"total\":0.00001}", "Standard"},
        {"tiered", "{\"IN\":1}", NULL, NULL, "{\"IN\":1,\"total\":1}", "Standard"},
        {"tiered", "{\"IN\":1,\"in\":5}", NULL, NULL, "{\"IN\":1,\"total\":1}", "Standard"},
        {"tiered", "{\"IN\":2}", NULL, NULL, "{\"IN\":4,\"total\":4}", "low"},
    };
    arena a = {0};
    usage_counts counts = {.count = 0};
    char why[200];
    (void)state;
    if (!price_add_file(TEXT(file), why, sizeof why))
        fail_msg("%s", why);
    assert_text(price_find(TEXT("own-x"))->id, "7");
    assert_text(price_find(TEXT("gpt-4o-mini"))->id, "gpt-4o");
    assert_ptr_equal(price_of_id(TEXT("gpt-4o")), price_find(TEXT("gpt-4o-mini")));
    assert_priced(cases, sizeof cases / sizeof *cases);
    usage_add(&counts, TEXT("IN"), 1);
    assert_tier_of_plan(&a, "free", "meta");
    assert_tier_of_plan(&a, "true", "meta");
    assert_tier_of_plan(&a, "\\\"true\\\"", "meta"); /* a text that looks like something else is kept in quotes */
    assert_tier_of_plan(&a, "\\\"paid\\\"", "Standard");
    assert_tier_of_plan(&a, "\\\"true", "Standard");
    assert_text(price_tier_of(&a, price_find(TEXT("tiered")), &counts, TEXT("{\"plan\":\"free\"}"), TEXT("{}"))->name, "Standard");
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_of_the_table_is_right),
        cmocka_unit_test(names_find_their_model),
        cmocka_unit_test(each_count_has_its_price),
        cmocka_unit_test(a_given_cost_turns_the_prices_off),
        cmocka_unit_test(tiers_follow_usage_and_parameters),
        cmocka_unit_test(a_wrong_file_is_told_where),
        cmocka_unit_test(patterns_are_those_of_a_real_server),
        cmocka_unit_test(models_of_a_file_win),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
