/* The examples of the outline of the Python SDK, version 3, that trace and score, in C. */
#include "scenario.h"

/* ---- Observed functions, one of them a generation with a name of its own */

static OBSERVE_FN_WITH((.name = "llm-call", .type = LF_GENERATION), const char *, call_llm, (const char *, prompt))
{
    (void)prompt;
    return "answer";
}

static OBSERVE_FN(const char *, my_function)
{
    return call_llm("hello");
}

static void python_docs_003_observe(void)
{
    my_function();
}

/* ---- A block: a scope */

static void python_docs_003_context_manager(void)
{
    OBSERVE_WITH((.name = "step"));
    lf_update_current_observation(.output = LF_VALUE("done"));
}

/* ---- By hand: handles */

static void python_docs_003_manual(void)
{
    lf_observation *parent = lf_start_observation(.name = "parent");
    lf_observation *child = lf_start_observation(.name = "child", .type = LF_GENERATION, .parent = parent);
    lf_observation_end(child);
    lf_observation_end(parent);
}

/* ---- Attributes of everything inside */

static void python_docs_003_propagate(void)
{
    OBSERVE_ATTRIBUTES(.user_id = "user_123", .session_id = "session_abc", .metadata = LF_OBJECT("experiment", "v1"),
                       .tags = LF_TAGS("test"));
    OBSERVE_WITH((.name = "outer"));
    OBSERVE_WITH((.name = "inner", .type = LF_GENERATION));
}

/* ---- A generation linked to a version of a prompt: by the function itself, and by a handle */

static void linked_call(void)
{
    OBSERVE_WITH((.name = "call_llm", .type = LF_GENERATION));
    lf_update_current_observation(.prompt_name = "movie-critic", .prompt_version = 3);
}

static void python_docs_003_prompt_observe(void)
{
    OBSERVE_WITH((.name = "main"));
    linked_call();
}

static void python_docs_003_prompt_critic(void)
{
    lf_observation *critic = lf_start_observation(.name = "critic", .type = LF_GENERATION, .model = "gpt-4o",
                                                  .prompt_name = "movie-critic", .prompt_version = 3);
    lf_observation_end(critic, .output = LF_VALUE("Great movie!"));
}

/* ---- Scores from inside */

static void python_docs_003_scores(void)
{
    OBSERVE_WITH((.name = "op"));
    lf_score_current_observation(.name = "accuracy", .value = 0.9, .data_type = LF_SCORE_NUMERIC);
    lf_score_current_trace(.name = "overall", .value = 0.95);
}

SCENARIO_MAIN(SCENARIO(python_docs_003_observe), SCENARIO(python_docs_003_context_manager), SCENARIO(python_docs_003_manual),
              SCENARIO(python_docs_003_propagate), SCENARIO(python_docs_003_prompt_observe),
              SCENARIO(python_docs_003_prompt_critic), SCENARIO(python_docs_003_scores))
