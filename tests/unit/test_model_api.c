#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/model/api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static lf__buf out;

static int set_up(void **state)
{
    (void)state;
    lf__buf_init(&out, 1 << 16);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lf__buf_done(&out);
    return 0;
}

/* In a block of its own size, so that a checker sees reading past it. */
static lf__text copy_of(const char *text)
{
    size_t size = strlen(text);
    char *copy = malloc(size + 1);
    assert_non_null(copy);
    memcpy(copy, text, size);
    return (lf__text){realloc(copy, size > 0 ? size : 1), size};
}

static const struct {
    const char *url, *body;
    lf__api api;
} calls[] = {
    /* OpenAI's paths, under any prefix. */
    {"https://api.openai.com/v1/chat/completions", "{}", LF__API_CHAT},
    {"https://API.OpenAI.com/v1/chat/completions/", "", LF__API_CHAT},
    {"https://api.mistral.ai/v1/chat/completions#stream", "", LF__API_CHAT},
    {"https://r.openai.azure.com/openai/deployments/gpt/chat/completions?api-version=2024-10-21", "", LF__API_CHAT},
    {"https://r.services.ai.azure.com/models/chat/completions?api-version=1", "", LF__API_CHAT},
    {"https://api.groq.com/openai/v1/chat/completions", "", LF__API_CHAT},
    {"https://generativelanguage.googleapis.com/v1beta/openai/chat/completions", "", LF__API_CHAT},
    {"https://api.deepseek.com/chat/completions", "", LF__API_CHAT},
    {"localhost:8000/v1/chat/completions", "", LF__API_CHAT},
    {"/v1/chat/completions", "", LF__API_CHAT},
    {"https://api.mistral.ai/v1/fim/completions", "{\"prompt\":\"a\"}", LF__API_CHAT},
    {"https://api.mistral.ai/v1/agents/completions", "", LF__API_CHAT},
    {"https://api.openai.com/v1/completions", "{\"prompt\":\"a\"}", LF__API_COMPLETION},
    {"https://api.openai.com/v1/completions", "{\"messages\":[{}]}", LF__API_CHAT},
    {"https://api.openai.com/v1/completions", "", LF__API_COMPLETION},
    {"https://list.example/tasks/completions", "{\"task\":1}", LF__API_NONE},
    {"https://list.example/tasks/completions", "", LF__API_NONE},
    {"https://api.openai.com/v1/responses", "{\"input\":\"a\"}", LF__API_RESPONSES},
    {"https://r.openai.azure.com/openai/responses?api-version=1", "{\"model\":\"x\",\"\\u0069nput\":[]}", LF__API_RESPONSES},
    {"https://r.openai.azure.com/openai/responses", "{\"model\":\"x\",\"store\"", LF__API_RESPONSES},
    {"https://api.openai.com/v1/responses", "{\"previous_response_id\":\"r\"}", LF__API_RESPONSES},
    {"https://forms.example/forms/1/responses", "{\"answers\":[1]}", LF__API_NONE},
    {"https://api.openai.com/v1/responses/resp_1", "", LF__API_NONE},
    {"https://api.openai.com/v1/responses/resp_1/cancel", "{\"input\":1}", LF__API_NONE},
    {"https://api.openai.com/v1/responses/input_tokens", "{\"input\":1}", LF__API_NONE},
    {"https://api.openai.com/v1/embeddings", "{\"input\":\"a\"}", LF__API_EMBEDDINGS},
    {"http://localhost:8080/embeddings", "{\"content\":\"a\"}", LF__API_LLAMA_EMBED},
    {"http://localhost:8080/embeddings", "{\"input\":\"a\"}", LF__API_EMBEDDINGS},
    {"https://api.openai.com/v1/images/generations", "", LF__API_IMAGES},
    {"https://api.openai.com/v1/images/edits", "--x\r\n", LF__API_IMAGES},
    {"https://api.openai.com/v1/images/variations", "", LF__API_IMAGES},
    {"https://api.openai.com/v1/audio/transcriptions", "", LF__API_TRANSCRIPTION},
    {"https://api.groq.com/openai/v1/audio/translations", "", LF__API_TRANSCRIPTION},
    {"https://api.openai.com/v1/audio/speech", "", LF__API_SPEECH},
    /* Anthropic. */
    {"https://api.anthropic.com/v1/messages?beta=true", "{\"max_tokens\":1,\"messages\":[]}", LF__API_ANTHROPIC},
    {"http://gateway/anthropic/v1/messages", "{\"messages\":[{}],\"max_tokens\":1}", LF__API_ANTHROPIC},
    {"https://api.anthropic.com/v1/messages", "", LF__API_ANTHROPIC},
    {"https://api.anthropic.com/v1/messages/count_tokens", "{\"messages\":[{}]}", LF__API_NONE},
    {"https://api.anthropic.com/v1/messages/batches", "{\"requests\":[]}", LF__API_NONE},
    {"https://sms.example/v1/messages", "{\"originator\":\"a\",\"body\":\"b\"}", LF__API_NONE},
    {"https://sms.example/v1/messages", "to=1&from=2", LF__API_NONE},
    {"https://sms.example/sms/3/messages", "{\"messages\":[{\"to\":1}]}", LF__API_NONE},
    {"https://api.openai.com/v1/threads/t/messages", "{\"messages\":[1],\"model\":\"m\"}", LF__API_NONE},
    {"https://api.anthropic.com/v1/complete", "{\"prompt\":\"a\",\"max_tokens_to_sample\":1}", LF__API_ANTHROPIC_TEXT},
    {"https://x-aiplatform.googleapis.com/v1/projects/p/locations/l/publishers/anthropic/models/claude:streamRawPredict", "{}",
     LF__API_ANTHROPIC},
    {"https://proxy/v1/models/claude:rawPredict", "{\"anthropic_version\":\"vertex\"}", LF__API_ANTHROPIC},
    {"https://h/v1/publishers/anthropic/models/count-tokens:rawPredict", "{\"messages\":[{}]}", LF__API_NONE},
    {"https://h/v1/publishers/mistralai/models/m:rawPredict", "{\"messages\":[{}]}", LF__API_CHAT},
    {"https://h/v1/publishers/other/models/m:rawPredict", "{\"x\":1}", LF__API_OTHER},
    /* Gemini. */
    {"https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent?key=K", "", LF__API_GEMINI},
    {"https://g/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", "", LF__API_GEMINI},
    {"https://g/v1beta/models/gemini-2.5-flash%3AstreamGenerateContent", "", LF__API_GEMINI},
    {"https://g/v1beta/models/e:embedContent", "", LF__API_GEMINI_EMBED},
    {"https://g/v1beta/models/e:batchEmbedContents", "", LF__API_GEMINI_EMBED},
    {"https://h/v1/publishers/google/models/text-embedding-005:predict", "", LF__API_GEMINI_EMBED},
    {"https://h/v1/publishers/google/models/imagen-3:predict", "", LF__API_OTHER},
    {"http://tensorflow:8501/v1/models/resnet:predict", "{\"instances\":[]}", LF__API_NONE},
    {"https://g/v1beta/models/gemini:countTokens", "{\"contents\":[]}", LF__API_NONE},
    /* Ollama. Requests without a prompt only load a model. */
    {"http://localhost:11434/api/chat", "{\"model\":\"m\",\"messages\":[{\"role\":\"user\"}]}", LF__API_OLLAMA_CHAT},
    {"http://localhost:11434/api/chat", "{\"model\":\"m\",\"messages\":[{\"role\":", LF__API_OLLAMA_CHAT},
    {"http://localhost:11434/api/chat", "{\"model\":\"m\"}", LF__API_NONE},
    {"http://localhost:11434/api/chat", "{\"model\":\"m\",\"messages\":[ ]}", LF__API_NONE},
    {"https://web.example/api/chat", "{\"id\":1,\"messages\":[{}]}", LF__API_NONE},
    {"http://localhost:11434/api/generate", "{\"model\":\"m\",\"prompt\":\"a\"}", LF__API_OLLAMA_GENERATE},
    {"http://localhost:11434/api/generate", "{\"model\":\"m\",\"prompt\":\"\"}", LF__API_NONE},
    {"http://localhost:11434/api/generate", "{\"model\":\"m\",\"keep_alive\":0}", LF__API_NONE},
    {"http://localhost:11434/api/embed", "{\"model\":\"m\",\"input\":[\"a\"]}", LF__API_OLLAMA_EMBED},
    {"http://localhost:11434/api/embeddings", "{\"model\":\"m\",\"prompt\":\"a\"}", LF__API_OLLAMA_EMBED},
    {"http://gateway/api/embeddings", "{\"model\":\"m\",\"input\":\"a\"}", LF__API_EMBEDDINGS},
    {"http://localhost:11434/api/pull", "{\"model\":\"m\"}", LF__API_NONE},
    /* llama.cpp. */
    {"http://127.0.0.1:8080/completion", "{\"prompt\":\"a\"}", LF__API_LLAMA},
    {"http://127.0.0.1:8080/completion", "{\"percent\":10}", LF__API_NONE},
    {"http://127.0.0.1:8080/infill", "{\"input_prefix\":\"a\",\"input_suffix\":\"\"}", LF__API_LLAMA},
    {"http://127.0.0.1:8080/embedding", "{\"content\":\"a\"}", LF__API_LLAMA_EMBED},
    {"http://127.0.0.1:8080/tokenize", "{\"content\":\"a\"}", LF__API_NONE},
    /* Others, recorded as they are. */
    {"https://api.cohere.com/v2/chat", "{\"messages\":[{}]}", LF__API_OTHER},
    {"https://bedrock-runtime.eu-west-1.amazonaws.com/model/anthropic.claude-v1%3A0/invoke", "{}", LF__API_OTHER},
    {"https://bedrock-runtime.eu-west-1.amazonaws.com/model/m/converse-stream", "{}", LF__API_OTHER},
    {"https://functions.example/f/invoke", "{}", LF__API_NONE},
    /* What is left alone. */
    {"https://api.openai.com/v1/models", "", LF__API_NONE},
    {"https://api.openai.com/v1/moderations", "{\"input\":\"a\"}", LF__API_NONE},
    {"https://api.openai.com/v1/batches", "{}", LF__API_NONE},
    {"https://api.openai.com/v1/files", "--x", LF__API_NONE},
    {"https://api.openai.com/v1/rerank", "{\"query\":\"a\"}", LF__API_NONE},
    {"https://cloud.langfuse.com/api/public/ingestion", "{\"batch\":[]}", LF__API_NONE},
    {"https://cloud.langfuse.com/api/public/x/chat/completions", "{}", LF__API_NONE},
    {"https://example.com/?u=/v1/chat/completions", "", LF__API_NONE},
    {"https://example.com/v1/chat/completionsx", "", LF__API_NONE},
    {"https://chat/completions", "", LF__API_NONE},
    {"https://h/v1/mychat/completions", "{\"x\":1}", LF__API_NONE},
    {"", "", LF__API_NONE},
    {"%", "{", LF__API_NONE},
};

static void tells_the_api_of_a_call(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        lf__text url = copy_of(calls[i].url), body = copy_of(calls[i].body);
        lf__api api = lf__api_of(url, body);
        if (api != calls[i].api)
            fail_msg("%s %s: %d", calls[i].url, calls[i].body, (int)api);
        free((char *)url.at);
        free((char *)body.at);
    }
    assert_int_equal(lf__api_of((lf__text){NULL, 0}, (lf__text){NULL, 0}), LF__API_NONE);
}

static void a_body_that_is_cut_anywhere_changes_no_sure_path(void **state)
{
    (void)state;
    static const char body[] =
        "{\"model\":\"m\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"a\\\"}\"}],\"max_tokens\":1}";
    for (size_t size = 0; size < sizeof body; size++) {
        char *copy = malloc(size + 1);
        assert_non_null(copy);
        memcpy(copy + 1, body, size);
        assert_int_equal(lf__api_of(lf__text_of("https://h/v1/chat/completions"), (lf__text){copy + 1, size}), LF__API_CHAT);
        assert_int_equal(lf__api_of(lf__text_of("https://h/v1/messages"), (lf__text){copy + 1, size}), LF__API_ANTHROPIC);
        free(copy);
    }
}

static void names_what_is_called(void **state)
{
    (void)state;
    static const struct {
        lf__api api;
        const char *name;
        bool embedding;
    } rows[] = {
        {LF__API_CHAT, "OpenAI-generation", false},
        {LF__API_COMPLETION, "OpenAI-generation", false},
        {LF__API_RESPONSES, "OpenAI-generation", false},
        {LF__API_IMAGES, "OpenAI-generation", false},
        {LF__API_TRANSCRIPTION, "OpenAI-generation", false},
        {LF__API_SPEECH, "OpenAI-generation", false},
        {LF__API_EMBEDDINGS, "OpenAI-embedding", true},
        {LF__API_ANTHROPIC, "Anthropic-generation", false},
        {LF__API_GEMINI, "Gemini-generation", false},
        {LF__API_ANTHROPIC_TEXT, "Anthropic-generation", false},
        {LF__API_GEMINI_EMBED, "Gemini-embedding", true},
        {LF__API_OLLAMA_CHAT, "Ollama-generation", false},
        {LF__API_OLLAMA_EMBED, "Ollama-embedding", true},
        {LF__API_OLLAMA_GENERATE, "Ollama-generation", false},
        {LF__API_LLAMA, "llama.cpp-generation", false},
        {LF__API_LLAMA_EMBED, "llama.cpp-embedding", true},
        {LF__API_OTHER, "model-call", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_string_equal(lf__api_name(rows[i].api), rows[i].name);
        assert_int_equal(lf__api_is_embedding(rows[i].api), rows[i].embedding);
    }
}

static void assert_adds(bool (*add)(lf__buf *, lf__text), const char *url, const char *expected)
{
    lf__text copy = copy_of(url);
    lf__buf_clear(&out);
    assert_true(add(&out, copy));
    assert_true(lf__buf_add_char(&out, '\0'));
    assert_string_equal(out.data, expected);
    free((char *)copy.at);
}

static void finds_the_model_in_the_url(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"https://r.openai.azure.com/openai/deployments/my%20gpt/chat/completions?api-version=1", "my gpt"},
        {"https://g/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse&key=K", "gemini-2.5-flash"},
        {"https://g/v1beta/models/gemini-2.5-flash%3AgenerateContent", "gemini-2.5-flash"},
        {"https://g/v1beta/tunedModels/mine:generateContent", "mine"},
        {"https://h/v1/projects/p/locations/l/publishers/anthropic/models/claude-sonnet-4@20250514:rawPredict",
         "claude-sonnet-4@20250514"},
        {"https://b/model/anthropic.claude-v1%3A0/invoke", "anthropic.claude-v1:0"},
        {"https://b/model/arn%3Aaws%3Abedrock%3Ax%3A1%3Aprofile%2Fus.claude/converse", "arn:aws:bedrock:x:1:profile/us.claude"},
        {"https://b/model/%FFx/invoke", "\xEF\xBF\xBDx"},
        {"https://api.openai.com/v1/chat/completions", ""},
        {"https://r.services.ai.azure.com/models/chat/completions", ""},
        {"https://api.openai.com/v1/deployments/last", ""},
        {"https://api.openai.com/v1/deployments//chat/completions", ""},
        {"https://h/models/a/b:predict", ""},
        {"https://h/p?x=/models/m:generateContent", ""},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_adds(lf__api_add_url_model, rows[i][0], rows[i][1]);
}

static void records_a_url_without_its_secrets(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"https://api.openai.com/v1/chat/completions", "https://api.openai.com/v1/chat/completions"},
        {"https://user:secret@h:8443/v1/x?key=secret#secret", "https://h:8443/v1/x"},
        {"https://user:se@cret@h/v1/x", "https://h/v1/x"},
        {"user:secret@h/v1/x", "h/v1/x"},
        {"https:/user:secret@h/v1/x", "https:/h/v1/x"},
        {"https://h/p?api-version=2024-10-21&key=secret&alt=sse&beta=true&code=secret&sig=secret",
         "https://h/p?api-version=2024-10-21&alt=sse&beta=true"},
        {"https://h/p?access_token=secret&alt=sse", "https://h/p?alt=sse"},
        {"https://h/p?beta=true;key=secret", "https://h/p?beta=true"},
        {"https://h/p?beta=true%26key=secret", "https://h/p?beta=true"},
        {"https://h/p?Alt=secret&xalt=secret&alt", "https://h/p"},
        {"https://user:se?cret@h/p", "https://user"},
        {"http://[::1]:8080/v1/x", "http://[::1]:8080/v1/x"},
        {"http://user:secret@[::1]:8080/v1/x?", "http://[::1]:8080/v1/x"},
        {"https://h?key=secret", "https://h"},
        {"https://h#@x/y", "https://h"},
        {"/v1/x?key=secret", "/v1/x"},
        {"https://h/\xFF", "https://h/\xEF\xBF\xBD"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_adds(lf__api_add_url, rows[i][0], rows[i][1]);
}

static void what_does_not_fit_is_not_added(void **state)
{
    (void)state;
    char memory[8];
    lf__buf small;
    lf__buf_over(&small, memory, sizeof memory);
    assert_false(lf__api_add_url(&small, lf__text_of("https://h/p?alt=sse")));
    assert_int_equal(small.length, 0);
    lf__buf_over(&small, memory, 1);
    assert_false(lf__api_add_url_model(&small, lf__text_of("https://b/model/abc/invoke")));
    assert_int_equal(small.length, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_the_api_of_a_call),
        cmocka_unit_test(a_body_that_is_cut_anywhere_changes_no_sure_path),
        cmocka_unit_test(names_what_is_called),
        cmocka_unit_test_setup_teardown(finds_the_model_in_the_url, set_up, tear_down),
        cmocka_unit_test_setup_teardown(records_a_url_without_its_secrets, set_up, tear_down),
        cmocka_unit_test(what_does_not_fit_is_not_added),
    };
    return cmocka_run_group_tests_name("model_api", tests, NULL, NULL);
}
