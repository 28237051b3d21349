/* The examples of the Python page on the low-level SDK, version 2, in C: objects there, handles here. A trace is no object but
 * an id, which lf_update_current_trace and the observations below it name.
 */
#include "scenario.h"

/* ---- The first example of the page: a trace, and handles below it by their parents */

static void python_docs_001_llm_feature(void)
{
    char trace[LF_TRACE_ID_SIZE];
    lf_create_trace_id(NULL, trace);
    lf_update_current_trace(.trace_id = trace, .name = "llm-feature");
    lf_observation *retrieval = lf_start_observation(.name = "retrieval", .trace_id = trace);
    lf_observation *query = lf_start_observation(.name = "query-creation", .type = LF_GENERATION, .parent = retrieval);
    lf_observation_end(query);
    lf_observation *search = lf_start_observation(.name = "vector-db-search", .parent = retrieval);
    lf_observation_end(search);
    lf_create_event(.name = "db-summary", .parent = retrieval);
    lf_observation_end(retrieval);
    lf_observation *answer = lf_start_observation(.name = "user-output", .type = LF_GENERATION, .trace_id = trace);
    lf_observation_end(answer);
}

/* ---- The tree that the page draws, with scopes where the calls of a C program nest anyway */

static void retrieval_of(const char *trace)
{
    OBSERVE_WITH((.name = "Retrieval", .trace_id = trace));
    {
        OBSERVE_WITH((.name = "Vector DB Query Creation", .type = LF_GENERATION));
    }
    {
        OBSERVE_WITH((.name = "Data Fetching"));
    }
    lf_create_event(.name = "Data Summary Creation");
}

static void python_docs_001_tree(void)
{
    char trace[LF_TRACE_ID_SIZE];
    lf_create_trace_id(NULL, trace);
    retrieval_of(trace);
    OBSERVE_WITH((.name = "Output Generation", .type = LF_GENERATION, .trace_id = trace));
}

/* ---- A trace that is updated twice after its start, the second time by its id alone */

static void python_docs_001_docs_retrieval(void)
{
    OBSERVE_WITH((.name = "docs-retrieval"));
    char trace[LF_TRACE_ID_SIZE];
    lf_current_trace_id(trace);
    lf_update_current_trace(.name = "docs-retrieval", .user_id = "user__935d7d1d", .tags = LF_TAGS("production"),
                            .metadata = LF_OBJECT("email", "user@langfuse.com"));
    lf_update_current_trace(.input = LF_VALUE("Hi there"));
    lf_update_current_trace(.trace_id = trace, .output = LF_VALUE("Hi 👋"));
}

/* ---- A span with metadata and input at its start, an output at its end */

static void python_docs_001_embedding_search(void)
{
    lf_observation *span = lf_start_observation(.name = "embedding-search", .metadata = LF_OBJECT("database", "pinecone"),
                                                .input = LF_OBJECT("query", "This document entails the OKR goals for ACME"));
    lf_observation_end(span, .output = LF_OBJECT("response", "[{'name': 'OKR Engineering', 'content': '...'}]"));
}

/* ---- What is known of a trace and of a span elsewhere are their ids */

static void python_docs_001_by_ids(void)
{
    char trace[LF_TRACE_ID_SIZE], id[LF_OBSERVATION_ID_SIZE];
    lf_observation *span = lf_start_observation(.name = "initial name");
    lf_observation_trace_id(span, trace);
    lf_observation_id(span, id);
    lf_observation_update(span, .name = "updated name");
    lf_observation *nested = lf_start_observation(.name = "nested span", .trace_id = trace, .parent_observation_id = id);
    lf_observation_end(nested);
    lf_observation_end(span);
}

/* ---- A generation with all that the page gives it; token counts in the words of version 2 */

static void python_docs_001_summary_generation(void)
{
    lf_observation *generation = lf_start_observation(.name = "summary-generation", .type = LF_GENERATION, .model = "gpt-3.5-turbo",
                                                      .model_parameters = LF_OBJECT("maxTokens", "1000", "temperature", "0.9"),
                                                      .input = LF_ARRAY(
                                                          LF_OBJECT("role", "system", "content", "You are a helpful assistant."),
                                                          LF_OBJECT("role", "user", "content",
                                                                    "Please generate a summary of the following documents ...")),
                                                      .metadata = LF_OBJECT("interface", "whatsapp"));
    lf_observation_end(generation, .output = LF_VALUE("The Q3 OKRs contain goals for multiple teams..."),
                       .usage = LF_OBJECT("input", 50, "output", 49, "unit", "TOKENS"));
}

/* ---- An event below a span */

static void python_docs_001_chat_docs_retrieval(void)
{
    lf_observation *span = lf_start_observation(.name = "retrieval");
    lf_create_event(.name = "chat-docs-retrieval", .parent = span, .metadata = LF_OBJECT("key", "value"),
                    .input = LF_OBJECT("key", "value"), .output = LF_OBJECT("key", "value"));
    lf_observation_end(span);
}

/* ---- Scores of a trace, by what is current and by id, and of an observation */

static void python_docs_001_scores(void)
{
    static const char comment[] = "I like how personalized the response is";
    OBSERVE_WITH((.name = "message"));
    char trace[LF_TRACE_ID_SIZE], id[LF_OBSERVATION_ID_SIZE];
    lf_current_trace_id(trace);
    lf_current_observation_id(id);
    lf_score_current_trace(.name = "user-explicit-feedback", .value = 1, .comment = comment);
    lf_create_score(.name = "user-explicit-feedback", .value = 1, .comment = comment, .trace_id = trace);
    lf_create_score(.name = "user-explicit-feedback", .value = 1, .comment = comment, .trace_id = trace, .observation_id = id);
}

/* ---- The program's release and a span's version */

static void python_docs_001_release_and_version(void)
{
    lf_init(&(lf_options){LF_OPTIONS_INIT, .release = "ba7816b"});
    lf_observation *span = lf_start_observation(.name = "retrieval", .version = "<version>");
    lf_observation_end(span);
}

/* ---- Token counts in two shapes */

static void python_docs_001_usage(void)
{
    lf_observation *claude = lf_start_observation(.name = "my-claude-generation", .type = LF_GENERATION,
                                                  .usage = LF_OBJECT("input", 50, "output", 49, "total", 99, "unit", "TOKENS"));
    lf_observation_end(claude);
    lf_observation *openai = lf_start_observation(.name = "my-openai-generation", .type = LF_GENERATION,
                                                  .usage = LF_OBJECT("promptTokens", 50, "completionTokens", 49, "totalTokens",
                                                                     99));
    lf_observation_end(openai);
}

/* ---- The web service: its generation is never ended, the end of the program does it */

static void python_docs_001_fastapi(void)
{
    lf_start_observation(.name = "llm-feature", .type = LF_GENERATION, .metadata = LF_VALUE("test"),
                         .input = LF_VALUE("Who are you?"));
}

SCENARIO_MAIN(SCENARIO(python_docs_001_llm_feature), SCENARIO(python_docs_001_tree), SCENARIO(python_docs_001_docs_retrieval),
              SCENARIO(python_docs_001_embedding_search), SCENARIO(python_docs_001_by_ids),
              SCENARIO(python_docs_001_summary_generation), SCENARIO(python_docs_001_chat_docs_retrieval),
              SCENARIO(python_docs_001_scores), SCENARIO(python_docs_001_release_and_version), SCENARIO(python_docs_001_usage),
              SCENARIO(python_docs_001_fastapi))
