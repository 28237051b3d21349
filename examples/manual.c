/* Observations that no scope can hold: begun in one callback and ended in another, on another thread, or long ago. */
#include "observe.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- A job that is begun here and done elsewhere ------------------------------------------------------------------ */

typedef struct job {
    const char *order, *text;
    lf_observation *pipeline, *summary;
    char result[64];
} job;

/* `.trace_id` may be any text: an order, a request, a message. Every program that knows it finds the same trace. */
static void accept_job(job *j)
{
    j->pipeline = lf_start_observation(.name = "document-pipeline", .type = LF_CHAIN, .trace_id = j->order,
                                       .input = LF_OBJECT("order", j->order, "text", j->text));
    lf_observation *parse = lf_start_observation(.name = "parse", .parent = j->pipeline, .input = LF_VALUE(j->text));
    lf_observation_end(parse, .output = LF_OBJECT("pages", 1));
    lf_create_event(.name = "cache-miss", .parent = j->pipeline, .input = LF_OBJECT("key", j->order));
    j->summary = lf_start_observation(.name = "summarize", .type = LF_GENERATION, .parent = j->pipeline, .model = "tiny-1",
                                      .model_parameters = LF_OBJECT("temperature", 0.2), .input = LF_VALUE(j->text));
}

/* On the model's thread. A handle belongs to no thread; the pieces of a stream are joined to its output. */
static void *stream_answer(void *argument)
{
    job *j = argument;
    lf_observation_output_append(j->summary, "Short ", 6);
    lf_observation_output_append(j->summary, "and sweet.", 10);
    snprintf(j->result, sizeof j->result, "Short and sweet.");
    return NULL;
}

/* Counts as the model's API names them: they are sent as input, output and total. */
static void finish_job(job *j)
{
    lf_observation_update(j->summary, .usage = LF_OBJECT("prompt_tokens", 12, "completion_tokens", 4, "total_tokens", 16));
    lf_observation_end(j->summary);
    lf_observation_end(j->pipeline, .output = LF_VALUE(j->result));
}

static bool run_job(job *j)
{
    pthread_t model;
    accept_job(j);
    if (pthread_create(&model, NULL, stream_answer, j) != 0) {
        lf_observation_end(j->summary, .level = LF_LEVEL_ERROR, .status_message = "no thread for the model");
        lf_observation_end(j->pipeline);
        return false;
    }
    pthread_join(model, NULL);
    finish_job(j);
    return true;
}

/* ---- Current or not ----------------------------------------------------------------------------------------------- */

static int helper(int n)
{
    OBSERVE_TOOL(n);
    OBSERVE_RETURN(2 * n);
}

static void mixed(void)
{
    OBSERVE();
    lf_observation *side = lf_start_observation(.name = "side-task");          /* a child of `mixed`; not current */
    lf_observation *core = lf_start_as_current_observation(.name = "core-step"); /* current until it ends */
    lf_update_current_observation(.output = LF_VALUE(helper(21)));             /* `helper` and the update belong to core-step */
    lf_observation_end(core);
    helper(4); /* a child of `mixed` again */
    lf_observation_end(side, .output = LF_VALUE("done while the core worked"));
}

/* ---- What happened earlier ---------------------------------------------------------------------------------------- */

/* From a log: with the times of then. `.id` is an id of yours: the parent is named by it, and a later run that reads the same
 * log writes the same observations again instead of others beside them. Langfuse counts an observation that names its parent by
 * an id as one more root of its trace, since the parent may be of another process: this trace has three. With `.parent`, the
 * handle, it would have one. */
static void import_log(void)
{
    enum { CALLS = 2 };
    const int64_t second = 1000000000, noon = 1767268800 * second; /* 2026-01-01 12:00:00 UTC */
    lf_observation *batch = lf_start_observation(.name = "nightly-batch", .trace_id = "log-2026-01-01", .id = "batch-1",
                                                 .start_time_ns = noon);
    for (int i = 0; i < CALLS; i++) {
        char id[32];
        snprintf(id, sizeof id, "batch-1-call-%d", i);
        lf_observation *call = lf_start_observation(.name = "call", .type = LF_TOOL, .id = id, .trace_id = "log-2026-01-01",
                                                    .parent_observation_id = "batch-1", .input = LF_VALUE(i),
                                                    .start_time_ns = noon + (i + 1) * second);
        lf_observation_end(call, .end_time_ns = noon + (i + 1) * second + second / 2);
    }
    lf_observation_end(batch, .end_time_ns = noon + (CALLS + 1) * second);
}

int main(void)
{
    job j = {.order = "order-4711", .text = "A long document about short answers."};
    if (!run_job(&j))
        return EXIT_FAILURE;
    mixed();
    import_log();
    printf("%s: %s\n", j.order, j.result);
    return EXIT_SUCCESS;
}
