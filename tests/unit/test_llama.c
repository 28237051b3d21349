/* OBSERVE_LLAMA, with a llama.cpp of the test's own that counts as the real one does: what a scope records of its context. */
#include "core_harness.h"

#include "../compile/llama.h"

#include "../../langfuse/llama.h"

/* ---- A context that evaluates nothing ------------------------------------------------------------------------------- */

struct llama_model {
    const char *name, *description; /* NULL: it has none */
};

struct llama_context {
    const struct llama_model *model;
    struct llama_perf_context_data perf;
    uint32_t n_seq_max;
    bool no_perf;
};

static int asked; /* calls of llama.cpp */

/* A count of 0 is reported as 1. */
struct llama_perf_context_data llama_perf_context(const struct llama_context *ctx)
{
    struct llama_perf_context_data perf = ctx->perf;
    asked++;
    errno = ERANGE;
    perf.n_p_eval = perf.n_p_eval > 1 ? perf.n_p_eval : 1;
    perf.n_eval = perf.n_eval > 1 ? perf.n_eval : 1;
    return perf;
}

const struct llama_model *llama_get_model(const struct llama_context *ctx)
{
    return ctx->model;
}

static int32_t copied(const char *text, char *buf, size_t buf_size)
{
    return text == NULL ? -1 : snprintf(buf, buf_size, "%s", text);
}

int32_t llama_model_meta_val_str(const struct llama_model *model, const char *key, char *buf, size_t buf_size)
{
    return copied(strcmp(key, "general.name") == 0 ? model->name : NULL, buf, buf_size);
}

int32_t llama_model_desc(const struct llama_model *model, char *buf, size_t buf_size)
{
    return copied(model->description, buf, buf_size);
}

uint32_t llama_n_ctx(const struct llama_context *ctx)
{
    (void)ctx;
    return 2048;
}

uint32_t llama_n_seq_max(const struct llama_context *ctx)
{
    return ctx->n_seq_max;
}

/* llama_decode of so many tokens, and the wait for it; two milliseconds a token. */
static void decode(struct llama_context *ctx, int32_t tokens)
{
    *(tokens > 1 ? &ctx->perf.n_p_eval : &ctx->perf.n_eval) += tokens;
    if (!ctx->no_perf)
        *(tokens > 1 ? &ctx->perf.t_p_eval_ms : &ctx->perf.t_eval_ms) += 2 * tokens;
}

/* llama_perf_context_reset */
static void reset(struct llama_context *ctx)
{
    ctx->perf = (struct llama_perf_context_data){.t_start_ms = ctx->perf.t_start_ms + 1000, .t_load_ms = ctx->perf.t_load_ms};
}

static const struct llama_model tiny = {"Tiny 15M", "llama 15M Q4_1"};

static struct llama_context context_of(const struct llama_model *model)
{
    return (struct llama_context){.model = model, .perf = {.t_start_ms = 5}, .n_seq_max = 1};
}

/* ---- What programs do with it ---------------------------------------------------------------------------------------- */

static NOINLINE const char *answer(struct llama_context *ctx, const char *prompt, int tokens)
{
    OBSERVE_LLAMA(ctx, prompt);
    decode(ctx, 16);
    for (int i = 0; i < tokens; i++) {
        decode(ctx, 1);
        lf_output_append("ab", 2);
    }
    OBSERVE_RETURN("the text");
}

TEST(a_scope_has_the_models_name_and_the_tokens_evaluated_in_it)
{
    struct llama_context ctx = context_of(&tiny);
    start();
    errno = 7;
    answer(&ctx, "Why?", 10);
    CHECK_INT(errno, 7);
    collect();
    const cJSON *span = span_named("answer");
    CHECK_SAID(span, "type", "generation");
    CHECK_SAID(span, "model.name", "Tiny 15M");
    CHECK_SAID(span, "input", "{\"prompt\":\"Why?\"}");
    CHECK_SAID(span, "output", "the text");
    CHECK_SAID(span, "usage_details", "{\"input\":16,\"output\":10,\"total\":26}");
    CHECK_SAID(span, "metadata.timings",
               "{\"prompt_n\":16,\"prompt_ms\":32.0,\"prompt_per_second\":500.0,"
               "\"predicted_n\":10,\"predicted_ms\":20.0,\"predicted_per_second\":500.0}");
    CHECK_SAID(span, "metadata.llama", "{\"description\":\"llama 15M Q4_1\",\"n_ctx\":2048}");
    CHECK(strlen(said(span, "completion_start_time")) > 0);
}

TEST(a_second_scope_counts_from_where_the_first_one_ended)
{
    struct llama_context ctx = context_of(&tiny);
    start();
    answer(&ctx, "first", 1);
    answer(&ctx, "second", 3);
    collect();
    CHECK_SAID(nth_named("answer", 0), "usage_details", "{\"input\":16,\"output\":1,\"total\":17}");
    CHECK_SAID(nth_named("answer", 1), "usage_details", "{\"input\":16,\"output\":3,\"total\":19}");
}

static NOINLINE void only_prompt(struct llama_context *ctx)
{
    OBSERVE_LLAMA(ctx);
    decode(ctx, 5);
}

TEST(counts_of_zero_which_llama_cpp_reports_as_one_are_zero)
{
    struct llama_context ctx = context_of(&tiny);
    start();
    only_prompt(&ctx);
    collect();
    const cJSON *span = span_named("only_prompt");
    CHECK_SAID(span, "usage_details", "{\"input\":5,\"output\":0,\"total\":5}");
    CHECK_SAID(span, "metadata.timings", "{\"prompt_n\":5,\"prompt_ms\":10.0,\"prompt_per_second\":500.0,\"predicted_n\":0}");
    CHECK_SAID(span, "input", "");
}

static NOINLINE void nothing(struct llama_context *ctx)
{
    OBSERVE_LLAMA(ctx);
}

TEST(a_scope_without_an_evaluation_has_no_usage)
{
    struct llama_context ctx = context_of(&tiny);
    start();
    nothing(&ctx);
    collect();
    CHECK_SAID(span_named("nothing"), "usage_details", "");
    CHECK_SAID(span_named("nothing"), "metadata.timings", "{\"prompt_n\":0,\"predicted_n\":0}");
}

static NOINLINE void resets(struct llama_context *ctx)
{
    OBSERVE_LLAMA(ctx);
    decode(ctx, 3);
    reset(ctx);
    decode(ctx, 4);
    decode(ctx, 1);
}

TEST(after_a_reset_the_counts_are_those_since_then_and_marked)
{
    struct llama_context ctx = context_of(&tiny);
    start();
    decode(&ctx, 100);
    resets(&ctx);
    collect();
    const cJSON *span = span_named("resets");
    CHECK_SAID(span, "usage_details", "{\"input\":4,\"output\":1,\"total\":5}");
    CHECK_SAID(span, "metadata.llama", "{\"description\":\"llama 15M Q4_1\",\"n_ctx\":2048,\"counters_reset\":true}");
}

TEST(a_context_that_does_not_measure_has_counts_and_no_times)
{
    struct llama_context ctx = context_of(&tiny);
    ctx.no_perf = true;
    start();
    answer(&ctx, "Why?", 2);
    collect();
    CHECK_SAID(span_named("answer"), "usage_details", "{\"input\":16,\"output\":2,\"total\":18}");
    CHECK_SAID(span_named("answer"), "metadata.timings", "{\"prompt_n\":16,\"predicted_n\":2}");
}

TEST(a_context_for_several_sequences_says_so_and_has_no_usage)
{
    struct llama_context ctx = context_of(&tiny);
    ctx.n_seq_max = 4;
    start();
    answer(&ctx, "Why?", 2);
    collect();
    CHECK_SAID(span_named("answer"), "usage_details", "");
    CHECK_SAID(span_named("answer"), "metadata.llama", "{\"description\":\"llama 15M Q4_1\",\"n_ctx\":2048,\"n_seq_max\":4}");
}

TEST(a_model_without_a_name_is_called_by_its_description)
{
    const struct llama_model plain = {NULL, "llama 15M Q4_1"}, empty = {"", NULL};
    struct llama_context ctx = context_of(&plain), other = context_of(&empty);
    start();
    only_prompt(&ctx);
    nothing(&other);
    collect();
    CHECK_SAID(span_named("only_prompt"), "model.name", "llama 15M Q4_1");
    CHECK_SAID(span_named("nothing"), "model.name", "");
    CHECK_SAID(span_named("nothing"), "metadata.llama", "{\"n_ctx\":2048}");
}

static NOINLINE void of_no_context(const char *prompt)
{
    struct llama_context *none = NULL;
    OBSERVE_LLAMA(none, prompt);
    OBSERVE_OUTPUT("out");
}

TEST(without_a_context_it_is_a_plain_generation)
{
    start();
    of_no_context("Why?");
    collect();
    CHECK_SAID(span_named("of_no_context"), "type", "generation");
    CHECK_SAID(span_named("of_no_context"), "output", "out");
    CHECK_SAID(span_named("of_no_context"), "usage_details", "");
}

static NOINLINE void leaves_a_handle_current(struct llama_context *ctx)
{
    OBSERVE_LLAMA(ctx);
    lf_start_as_current_observation(.name = "left current", .type = LF_TOOL);
    decode(ctx, 2);
}

TEST(the_counts_go_to_the_scopes_own_observation_whatever_is_current)
{
    struct llama_context ctx = context_of(&tiny);
    start();
    leaves_a_handle_current(&ctx);
    CHECK_INT(lf_shutdown(HARNESS_WAIT_MS), LF_OK);
    read_spans(harness_path);
    CHECK_SAID(span_named("leaves_a_handle_current"), "usage_details", "{\"input\":2,\"output\":0,\"total\":2}");
    CHECK_SAID(span_named("left current"), "usage_details", "");
}

static struct llama_context *counted(struct llama_context *ctx, int *times)
{
    ++*times;
    return ctx;
}

static NOINLINE void evaluates(struct llama_context *ctx, int *times)
{
    OBSERVE_LLAMA(counted(ctx, times));
    decode(ctx, 2);
}

TEST(the_context_is_evaluated_once_and_not_while_tracing_is_off)
{
    struct llama_context ctx = context_of(&tiny);
    int times = 0;
    start();
    evaluates(&ctx, &times);
    CHECK_INT(times, 1);
    CHECK_INT(asked, 2);
    lf_set_tracing(false);
    evaluates(&ctx, &times);
    lf_set_tracing(true);
    CHECK_INT(times, 1);
    CHECK_INT(asked, 2);
    collect();
    CHECK_INT(count_named("evaluates"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_scope_has_the_models_name_and_the_tokens_evaluated_in_it),
        cmocka_unit_test(a_second_scope_counts_from_where_the_first_one_ended),
        cmocka_unit_test(counts_of_zero_which_llama_cpp_reports_as_one_are_zero),
        cmocka_unit_test(a_scope_without_an_evaluation_has_no_usage),
        cmocka_unit_test(after_a_reset_the_counts_are_those_since_then_and_marked),
        cmocka_unit_test(a_context_that_does_not_measure_has_counts_and_no_times),
        cmocka_unit_test(a_context_for_several_sequences_says_so_and_has_no_usage),
        cmocka_unit_test(a_model_without_a_name_is_called_by_its_description),
        cmocka_unit_test(without_a_context_it_is_a_plain_generation),
        cmocka_unit_test(the_counts_go_to_the_scopes_own_observation_whatever_is_current),
        cmocka_unit_test(the_context_is_evaluated_once_and_not_while_tracing_is_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
