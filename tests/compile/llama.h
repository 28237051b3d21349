/* What langfuse/llama.h calls of llama.cpp, as llama.cpp declares it: for tests without it. `make models` has the real one. */
#ifndef LLAMA_H
#define LLAMA_H

#include <stddef.h>
#include <stdint.h>

#define LLAMA_API

#ifdef __cplusplus
extern "C" {
#endif

struct llama_model;
struct llama_context;

struct llama_perf_context_data {
    double t_start_ms;
    double t_load_ms;
    double t_p_eval_ms;
    double t_eval_ms;
    int32_t n_p_eval;
    int32_t n_eval;
    int32_t n_reused;
};

LLAMA_API struct llama_perf_context_data llama_perf_context(const struct llama_context *ctx);
LLAMA_API const struct llama_model *llama_get_model(const struct llama_context *ctx);
LLAMA_API int32_t llama_model_meta_val_str(const struct llama_model *model, const char *key, char *buf, size_t buf_size);
LLAMA_API int32_t llama_model_desc(const struct llama_model *model, char *buf, size_t buf_size);
LLAMA_API uint32_t llama_n_ctx(const struct llama_context *ctx);
LLAMA_API uint32_t llama_n_seq_max(const struct llama_context *ctx);

#ifdef __cplusplus
}
#endif
#endif
