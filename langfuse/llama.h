/* Langfuse for C: generations of a program that links llama.cpp itself. A scope becomes a generation with the model's name, the
 * tokens that llama.cpp evaluated in it, and their times:
 *
 *     #include <llama.h>
 *     #include "langfuse/llama.h"
 *
 *     char *answer(struct llama_context *ctx, const char *prompt)
 *     {
 *         OBSERVE_LLAMA(ctx, prompt);
 *         ... llama_decode, llama_sampler_sample, lf_output_append(piece, size) ...
 *         OBSERVE_RETURN(text);
 *     }
 *
 * Header only; llama.cpp of September 2024 and later (llama_perf_context). A program that asks a llama.cpp server over HTTP uses
 * langfuse/curl.h or langfuse/model.h. docs/macros.md says what the counts mean.
 */
#ifndef LF_LLAMA_H
#define LF_LLAMA_H

#include "../observe.h"

#include <errno.h>

/* llama.h itself, unless the program has included it. Between quotes the name would be that of this file. */
#if !defined(LLAMA_API) && defined(__has_include)
#if __has_include(<llama.h>)
#include <llama.h>
#endif
#endif

/* OBSERVE_LLAMA(ctx, prompt, ...): OBSERVE_GENERATION(prompt, ...) for what the context `ctx` evaluates until the scope is left.
 * The context lives at least as long as the scope, and other threads leave it alone meanwhile, as llama.cpp asks anyway. `ctx` is
 * evaluated once, and only while tracing is on; NULL makes it a plain generation.
 *
 * model      general.name of the model's file, or what llama_model_desc says
 * usage      input: tokens of prompts; output: tokens that were evaluated one by one. A last token that is sampled and never
 *            evaluated is in no count, nor are tokens that the context holds from earlier calls. A context for several sequences
 *            (llama_n_seq_max above 1) counts all of them together: no usage is recorded then
 * metadata   "timings", with the names of the llama.cpp server: prompt_n, prompt_ms, prompt_per_second, predicted_n, predicted_ms,
 *            predicted_per_second. Times and rates are there if the context measures them (llama_context_params.no_perf is
 *            false). "llama": description, n_ctx; n_seq_max, if it is above 1; counters_reset, if llama_perf_context_reset was
 *            called in the scope: then the counts begin there
 *
 * Blocks: never. An evaluation counts once the program has waited for it, as sampling does. */
#ifndef LF_DISABLE
#define OBSERVE_LLAMA(...) LF_I_LLAMA(__COUNTER__, #__VA_ARGS__, LF_I_FIRST(__VA_ARGS__), LF_I_REST(__VA_ARGS__))
#ifdef LLAMA_API
#define LF_I_LLAMA(id, names, ctx, ...)                                                      \
    LF_I_WITH_(id, names, (.type = LF_GENERATION), __VA_ARGS__);                             \
    lf_i_llama LF_I_CAT(lf_i_llama_, id) __attribute__((cleanup(lf_i_llama_end), unused)) =  \
        lf_i_llama_begin(&LF_I_SCOPE_NAME(id), LF_I_SCOPE_NAME(id).words[0] == 0 ? NULL : (ctx))
#else
#define LF_I_LLAMA(...) LF_I_STATIC_ASSERT(0, "langfuse: llama.h is included before langfuse/llama.h, or found as <llama.h>")
#endif
#else
#define OBSERVE_LLAMA(...) LF_I_LLAMA(__COUNTER__, LF_I_FIRST(__VA_ARGS__), LF_I_REST(__VA_ARGS__))
#define LF_I_LLAMA(id, ctx, ...) LF_I_UNUSED(id, ((void)(ctx), LF_I_USED(__VA_ARGS__)))
#endif

#if defined(LLAMA_API) && !defined(LF_DISABLE)

/* What the second variable of a scope remembers until the end. */
typedef struct lf_i_llama {
    lf_scope *scope;
    struct llama_context *ctx; /* NULL: there is nothing to ask */
    struct llama_perf_context_data before;
} lf_i_llama;

/* Members of an object, as many as there turn out to be. */
typedef struct lf_i_llama_object {
    lf_member members[8];
    size_t count;
} lf_i_llama_object;

static inline void lf_i_llama_add(lf_i_llama_object *object, const char *name, lf_value value)
{
    object->members[object->count].name = name;
    object->members[object->count].value = value;
    object->count++;
}

static inline lf_value lf_i_llama_value(const lf_i_llama_object *object)
{
    return lf_i_make_pointer(LF_KIND_OBJECT, object->members, object->count);
}

/* llama.cpp reports a count of 0 as 1. A prompt of one token counts as an evaluation, so 1 is never a count of prompts; a single
 * evaluation has taken time, where time is measured. */
static inline int64_t lf_i_llama_prompts(const struct llama_perf_context_data *perf)
{
    return perf->n_p_eval > 1 ? perf->n_p_eval : 0;
}

static inline int64_t lf_i_llama_outputs(const struct llama_perf_context_data *perf)
{
    return perf->n_eval > 1 || perf->t_eval_ms > 0 ? perf->n_eval : 0;
}

static inline void lf_i_llama_say_model(lf_scope *scope, const struct llama_model *model)
{
    char name[128];
    lf_observation_fields fields = LF_I_ZERO;
    fields.struct_size = sizeof fields;
    if (llama_model_meta_val_str(model, "general.name", name, sizeof name) > 0 || llama_model_desc(model, name, sizeof name) > 0)
        fields.model = name;
    lf_i_put_scope_fields(scope, &fields);
}

static inline lf_i_llama lf_i_llama_begin(lf_scope *scope, struct llama_context *ctx)
{
    lf_i_llama llama = LF_I_ZERO;
    if (ctx == NULL)
        return llama;
    const int error = errno;
    llama.scope = scope;
    llama.ctx = ctx;
    llama.before = llama_perf_context(ctx);
    lf_i_llama_say_model(scope, llama_get_model(ctx));
    errno = error;
    return llama;
}

/* "timings": what was evaluated, under the names of the llama.cpp server. */
static inline void lf_i_llama_add_timings(lf_i_llama_object *timings, int64_t prompts, double prompt_ms, int64_t outputs,
                                          double output_ms)
{
    lf_i_llama_add(timings, "prompt_n", lf_int(prompts));
    if (prompt_ms > 0) {
        lf_i_llama_add(timings, "prompt_ms", lf_double(prompt_ms));
        lf_i_llama_add(timings, "prompt_per_second", lf_double(LF_I_CAST(double, prompts) * 1000 / prompt_ms));
    }
    lf_i_llama_add(timings, "predicted_n", lf_int(outputs));
    if (output_ms > 0) {
        lf_i_llama_add(timings, "predicted_ms", lf_double(output_ms));
        lf_i_llama_add(timings, "predicted_per_second", lf_double(LF_I_CAST(double, outputs) * 1000 / output_ms));
    }
}

/* "llama": the model and the context, as far as they tell how to read the counts. */
static inline void lf_i_llama_add_context(lf_i_llama_object *llama, const struct llama_context *ctx, const char *description,
                                          bool was_reset)
{
    if (description[0] != '\0')
        lf_i_llama_add(llama, "description", lf_text(description));
    lf_i_llama_add(llama, "n_ctx", lf_uint(llama_n_ctx(ctx)));
    if (llama_n_seq_max(ctx) > 1)
        lf_i_llama_add(llama, "n_seq_max", lf_uint(llama_n_seq_max(ctx)));
    if (was_reset)
        lf_i_llama_add(llama, "counters_reset", lf_bool(true));
}

static inline void lf_i_llama_put(const lf_i_llama *llama)
{
    const struct llama_perf_context_data after = llama_perf_context(llama->ctx);
    struct llama_perf_context_data before = llama->before;
    const bool was_reset = after.t_start_ms > before.t_start_ms;
    if (was_reset)
        __builtin_memset(&before, 0, sizeof before);
    const int64_t prompts = lf_i_llama_prompts(&after) - lf_i_llama_prompts(&before);
    const int64_t outputs = lf_i_llama_outputs(&after) - lf_i_llama_outputs(&before);
    lf_i_llama_object metadata = LF_I_ZERO, timings = LF_I_ZERO, context = LF_I_ZERO, usage = LF_I_ZERO;
    char description[128] = "";
    llama_model_desc(llama_get_model(llama->ctx), description, sizeof description);
    lf_i_llama_add_timings(&timings, prompts, after.t_p_eval_ms - before.t_p_eval_ms, outputs, after.t_eval_ms - before.t_eval_ms);
    lf_i_llama_add_context(&context, llama->ctx, description, was_reset);
    lf_i_llama_add(&metadata, "timings", lf_i_llama_value(&timings));
    lf_i_llama_add(&metadata, "llama", lf_i_llama_value(&context));
    lf_i_llama_add(&usage, "input", lf_int(prompts));
    lf_i_llama_add(&usage, "output", lf_int(outputs));
    lf_i_llama_add(&usage, "total", lf_int(prompts + outputs));
    lf_observation_fields fields = LF_I_ZERO;
    fields.struct_size = sizeof fields;
    fields.metadata = lf_i_llama_value(&metadata);
    if (llama_n_seq_max(llama->ctx) <= 1 && prompts + outputs > 0)
        fields.usage_details = lf_i_llama_value(&usage);
    lf_i_put_scope_fields(llama->scope, &fields);
}

static inline void lf_i_llama_end(lf_i_llama *llama)
{
    if (llama->ctx == NULL || lf_i_mode() < LF_I_ON)
        return;
    const int error = errno;
    lf_i_llama_put(llama);
    errno = error;
}

#endif
#endif
