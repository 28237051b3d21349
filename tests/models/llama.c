/* OBSERVE_LLAMA on the real llama.cpp: generations of a small model, whose tokens this program counts itself. A library, since
 * llama.cpp comes as a module of Python (llama.py), which loads it. A line of JSON for each generation goes to standard output.
 */
#include <llama.h>

#include "../../langfuse/llama.h"

#include <stdio.h>
#include <string.h>

enum { N_CTX = 512, MAX_TOKENS = 256, GENERATED = 12, FLUSH_MS = 20000 };

int llama_generations(const char *model_path);

static void say_nothing(enum ggml_log_level level, const char *text, void *data)
{
    (void)level, (void)text, (void)data;
}

static llama_token likeliest(struct llama_context *ctx, const struct llama_vocab *vocab)
{
    const float *logits = llama_get_logits_ith(ctx, -1);
    llama_token best = 0;
    for (llama_token token = 1; logits != NULL && token < llama_vocab_n_tokens(vocab); token++)
        if (logits[token] > logits[best])
            best = token;
    return best;
}

/* What was evaluated. */
typedef struct counts {
    int prompt, output;
    char text[1024];
} counts;

static const char *generate(struct llama_context *ctx, const char *prompt, bool resets, counts *out)
{
    OBSERVE_LLAMA(ctx, prompt);
    const struct llama_vocab *vocab = llama_model_get_vocab(llama_get_model(ctx));
    llama_token tokens[MAX_TOKENS];
    int count = llama_tokenize(vocab, prompt, (int32_t)strlen(prompt), tokens, MAX_TOKENS, true, true);
    memset(out, 0, sizeof *out);
    if (resets)
        llama_perf_context_reset(ctx);
    if (count <= 1 || llama_decode(ctx, llama_batch_get_one(tokens, count)) != 0)
        return NULL;
    out->prompt = count;
    for (size_t length = 0; out->output < GENERATED; out->output++) {
        llama_token token = likeliest(ctx, vocab);
        char piece[64];
        int size = llama_token_to_piece(vocab, token, piece, sizeof piece, 0, false);
        if (llama_vocab_is_eog(vocab, token) || size < 0 || length + (size_t)size >= sizeof out->text)
            break;
        lf_output_append(piece, (size_t)size);
        memcpy(out->text + length, piece, (size_t)size);
        length += (size_t)size;
        if (llama_decode(ctx, llama_batch_get_one(&token, 1)) != 0)
            break;
    }
    llama_synchronize(ctx); /* nothing reads the last logits */
    OBSERVE_RETURN(out->text);
}

static struct llama_context *context_of(struct llama_model *model, bool measures, uint32_t sequences)
{
    struct llama_context_params params = llama_context_default_params();
    params.n_ctx = N_CTX;
    params.n_seq_max = sequences;
    params.no_perf = !measures;
    params.n_threads = params.n_threads_batch = 2;
    return llama_init_from_model(model, params);
}

static bool observe(struct llama_context *ctx, const char *name, const char *prompt, bool resets)
{
    OBSERVE_WITH((.name = name));
    counts counted;
    if (ctx == NULL || generate(ctx, prompt, resets, &counted) == NULL)
        return false;
    printf("{\"name\":\"%s\",\"input\":%d,\"output\":%d,\"bytes\":%zu}\n", name, counted.prompt, counted.output,
           strlen(counted.text));
    return true;
}

int llama_generations(const char *model_path)
{
    llama_log_set(say_nothing, NULL);
    struct llama_model *model = llama_model_load_from_file(model_path, llama_model_default_params());
    if (model == NULL)
        return 1;
    struct llama_context *with = context_of(model, true, 1), *without = context_of(model, false, 1);
    struct llama_context *many = context_of(model, true, 2);
    bool good = observe(with, "measured", "The capital of France is", false) && observe(with, "second", " Another one:", false) &&
                observe(with, "reset", " And then", true) && observe(without, "unmeasured", "The capital of France is", false) &&
                observe(many, "several", "The capital of France is", false);
    fflush(stdout);
    good = lf_flush(FLUSH_MS) == LF_OK && good;
    llama_free(with);
    llama_free(without);
    llama_free(many);
    llama_model_free(model);
    return good ? 0 : 1;
}
