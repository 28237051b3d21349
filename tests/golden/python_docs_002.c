/* The examples of the Python page on decorators, version 2, in C. A function called main there is an observation named "main"
 * here.
 */
#include "scenario.h"

#include <pthread.h>
#include <stdlib.h>

/* ---- fn and main: plain functions with a line each, where nested_functions has the decorator */

static const char *fn(void)
{
    OBSERVE();
    OBSERVE_RETURN("inner");
}

static void python_docs_002_fn_main(void)
{
    OBSERVE_WITH((.name = "main"));
    fn();
}

/* ---- A generation of another API's: what its arguments were is sorted into model, metadata and input */

typedef struct completion_request {
    const char *model;
    int max_tokens;
    lf_value messages;
} completion_request;

static const char *anthropic_completion(const completion_request *request)
{
    OBSERVE_GENERATION();
    lf_update_current_observation(.input = request->messages, .model = request->model,
                                  .metadata = LF_OBJECT("max_tokens", request->max_tokens));
    lf_update_current_observation(.usage = LF_OBJECT("input", 10, "output", 25));
    OBSERVE_RETURN("Hello! How can I assist you today?");
}

static OBSERVE_FN_WITH((.name = "main"), const char *, anthropic_main)
{
    return anthropic_completion(&(completion_request){.model = "claude-3-opus-20240229",
                                                      .max_tokens = 1024,
                                                      .messages = LF_ARRAY(LF_OBJECT("role", "user", "content", "Hello, Claude"))});
}

static void python_docs_002_anthropic(void)
{
    anthropic_main();
}

/* ---- Neither arguments nor result are recorded */

static OBSERVE_FN_WITH((.name = "fn", .capture_input = LF_OFF, .capture_output = LF_OFF), const char *, private_fn,
                       (const char *, secret_arg))
{
    return secret_arg;
}

static void python_docs_002_capture_off(void)
{
    private_fn("my secret arg");
}

/* ---- Instead of them, what the function says itself */

static void python_docs_002_capture_off_manual(void)
{
    OBSERVE_WITH((.name = "fn", .capture_input = LF_OFF, .capture_output = LF_OFF));
    lf_update_current_observation(.input = LF_VALUE("sanitized input"), .output = LF_VALUE("sanitized output"));
}

/* ---- Each level says more of itself, one of them of the trace; a plain return is not recorded */

static const char *deeply_nested_llm_call(void)
{
    OBSERVE();
    lf_update_current_observation(.name = "Deeply nested LLM call", .input = LF_VALUE("Ping?"), .output = LF_VALUE("Pong!"));
    lf_update_current_trace(.name = "Trace name set from deeply_nested_llm_call", .session_id = "1234", .user_id = "5678",
                            .tags = LF_TAGS("tag1", "tag2"), .public_ = LF_ON);
    return "output";
}

static void nested_span(void)
{
    OBSERVE();
    lf_update_current_observation(.name = "Nested Span", .level = LF_LEVEL_WARNING);
    deeply_nested_llm_call();
}

static void python_docs_002_enrich(void)
{
    OBSERVE_WITH((.name = "main"));
    nested_span();
}

/* ---- The page of the current trace; the project is known once the server was asked */

static void python_docs_002_trace_url(void)
{
    enum { TIMEOUT_MS = 60000 };
    OBSERVE_WITH((.name = "main"));
    char *url = lf_trace_url(NULL, TIMEOUT_MS);
    OBSERVE_OUTPUT(url);
    free(url);
}

/* ---- Ids of what is current */

static void python_docs_002_ids(void)
{
    OBSERVE_WITH((.name = "fn"));
    char trace[LF_TRACE_ID_SIZE], id[LF_OBSERVATION_ID_SIZE];
    lf_current_trace_id(trace);
    lf_current_observation_id(id);
    OBSERVE_OUTPUT(LF_OBJECT("trace_id", (const char *)trace, "observation_id", (const char *)id));
}

/* ---- One text as the id of a trace and of an observation in it */

static void process_user_request(const char *user_id, const char *request_data, const char *id)
{
    lf_observation *observation = lf_start_as_current_observation(.name = "process_user_request", .id = id,
                                                                  .input = LF_OBJECT("user_id", user_id, "request_data",
                                                                                     request_data));
    lf_observation_end(observation);
}

static void python_docs_002_custom_ids(void)
{
    OBSERVE_WITH((.name = "main", .trace_id = "my-custom-request-id"));
    process_user_request("user_id", "request", "my-custom-request-id");
}

/* ---- Scores, by handle and by id, from outside of what they judge */

static void python_docs_002_scoring(void)
{
    char trace[LF_TRACE_ID_SIZE];
    lf_observation *top = lf_start_observation(.name = "main");
    lf_observation *nested = lf_start_observation(.name = "nested_span", .parent = top);
    lf_observation_trace_id(top, trace);
    lf_observation_end(nested);
    lf_observation_end(top);
    lf_create_score(.name = "feedback-on-span", .value = 1, .observation = nested,
                    .comment = "I like how personalized the response is");
    lf_create_score(.name = "feedback-on-trace", .value = 1, .trace_id = trace,
                    .comment = "I like how personalized the response is");
}

/* ---- Tasks on threads of their own: with the context of who starts them, and without */

typedef struct task {
    const char *left, *right;
} task;

static void *execute_task(void *arg)
{
    const char *left = ((task *)arg)->left, *right = ((task *)arg)->right;
    OBSERVE(left, right);
    OBSERVE_OUTPUT(LF_ARRAY(left, right));
    return NULL;
}

static void execute_groups(int (*start)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))
{
    static task tasks[] = {{"a", "b"}, {"c", "d"}};
    pthread_t threads[2];
    OBSERVE();
    for (size_t i = 0; i < 2; i++)
        if (start(&threads[i], NULL, execute_task, &tasks[i]) != 0)
            abort();
    for (size_t i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    OBSERVE_OUTPUT(LF_ARRAY(LF_ARRAY("a", "b"), LF_ARRAY("c", "d")));
}

static void python_docs_002_thread_pool(void)
{
    execute_groups(lf_thread_create);
}

static void python_docs_002_thread_pool_without_context(void)
{
    execute_groups(pthread_create);
}

SCENARIO_MAIN(SCENARIO(python_docs_002_fn_main), SCENARIO(python_docs_002_anthropic), SCENARIO(python_docs_002_capture_off),
              SCENARIO(python_docs_002_capture_off_manual), SCENARIO(python_docs_002_enrich), SCENARIO(python_docs_002_trace_url),
              SCENARIO(python_docs_002_ids), SCENARIO(python_docs_002_custom_ids), SCENARIO(python_docs_002_scoring),
              SCENARIO(python_docs_002_thread_pool), SCENARIO(python_docs_002_thread_pool_without_context))
