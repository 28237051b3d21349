#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/base/json.h"
#include "../../src/model/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static lf__request request;

static const char *text_of(lf__buf *buf)
{
    assert_true(lf__buf_add_char(buf, '\0'));
    return buf->data;
}

/* The body in a block of its own size, so that a checker sees reading past it. */
static bool read_sized(lf__api api, const char *url, const char *body, size_t size, size_t most)
{
    char *copy = malloc(size + 1);
    assert_non_null(copy);
    memcpy(copy + 1, body, size);
    bool read = lf__request_read(&request, api, lf__text_of(url), (lf__text){copy + 1, size}, most);
    free(copy);
    return read;
}

static void read_request(lf__api api, const char *url, const char *body)
{
    assert_true(read_sized(api, url, body, strlen(body), 1 << 20));
}

#define PNG "iVBORw0KGgo="
#define PNG_TOKEN "@@@langfuseMedia:type=image/png|id=TEtqO-ExSrhhOL70MU3eAi|source=base64_data_uri@@@"
#define HI "[{\"role\":\"user\",\"content\":\"hi\"}]"
#define TOOLS "[{\"type\":\"function\",\"function\":{\"name\":\"w\"}}]"

/* NULL: there is none. The URL of the metadata is left out here. */
static const struct {
    lf__api api;
    const char *url, *body;
    const char *model, *input, *parameters, *metadata;
} rows[] = {
    /* OpenAI chat. */
    {LF__API_CHAT, "h", "{\"model\":\"gpt-4o\",\"messages\":" HI ",\"stream\":true,\"stream_options\":{\"include_usage\":true}}",
     "gpt-4o", HI, "{\"stream\":true}", NULL},
    {LF__API_CHAT, "h",
     "{\"model\":\"m\",\"messages\":" HI ",\"tools\":" TOOLS ",\"tool_choice\":\"auto\",\"parallel_tool_calls\":false}", "m",
     "{\"tools\":" TOOLS ",\"tool_choice\":\"auto\",\"messages\":" HI "}",
     "{\"tool_choice\":\"auto\",\"parallel_tool_calls\":false}", NULL},
    {LF__API_CHAT, "h", "{\"model\":\"m\",\"messages\":" HI ",\"function_call\":{\"name\":\"f\"},\"functions\":[{\"name\":\"f\"}]}",
     "m", "{\"functions\":[{\"name\":\"f\"}],\"function_call\":{\"name\":\"f\"},\"messages\":" HI "}", NULL, NULL},
    {LF__API_CHAT, "h", "{\"model\":\"m\",\"messages\":" HI ",\"tool_choice\":{\"type\":\"function\"}}", "m", HI, NULL, NULL},
    {LF__API_CHAT, "h",
     "{\"model\":\"m\",\"messages\":" HI
     ",\"temperature\":0.5,\"top_p\":1,\"max_completion_tokens\":9,\"n\":2,\"seed\":-1,\"user\":\"u\","
     "\"stop\":[\"a\",\"b\"],\"logit_bias\":{\"1\":2},\"reasoning_effort\":\"low\",\"service_tier\":\"flex\",\"prompt_cache_key\":"
     "\"k\","
     "\"safety_identifier\":\"s\",\"logprobs\":null,\"api_key\":\"secret\",\"min_p\":0.1,\"chat_template_kwargs\":{\"a\":1}}",
     "m", HI,
     "{\"temperature\":0.5,\"top_p\":1,\"max_completion_tokens\":9,\"n\":2,\"seed\":-1,\"stop\":\"[\\\"a\\\",\\\"b\\\"]\","
     "\"logit_bias\":\"{\\\"1\\\":2}\",\"reasoning_effort\":\"low\",\"service_tier\":\"flex\",\"min_p\":0.1}",
     NULL},
    {LF__API_CHAT, "h", "{\"model\":\"m\",\"messages\":" HI ",\"stop\":\"\\n\",\"verbosity\":\"low\"}", "m", HI,
     "{\"stop\":\"\\n\",\"verbosity\":\"low\"}", NULL},
    {LF__API_CHAT, "h",
     "{\"model\":\"m\",\"messages\":" HI ",\"response_format\":{\"type\":\"json_object\"},\"metadata\":{\"a\":1},\"store\":true,"
     "\"prediction\":{\"type\":\"content\",\"content\":\"x\"},\"web_search_options\":{},\"audio\":{\"format\":\"wav\"}}",
     "m", HI, NULL,
     "\"response_format\":{\"type\":\"json_object\"},\"prediction\":true,\"request_metadata\":{\"a\":1},\"web_search_options\":{},"
     "\"store\":true,\"audio\":{\"format\":\"wav\"}"},
    {LF__API_CHAT, "h",
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/"
     "png;base64," PNG "\"}}]}]}",
     "m", "[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"" PNG_TOKEN "\"}}]}]", NULL, NULL},
    {LF__API_CHAT, "https://r.openai.azure.com/openai/deployments/dep/chat/completions?api-version=1&code=secret",
     "{\"messages\":" HI "}", "dep", HI, NULL, NULL},
    {LF__API_CHAT, "https://r.openai.azure.com/openai/deployments/dep/chat/completions", "{\"model\":\"\",\"messages\":" HI "}",
     "dep", HI, NULL, NULL},
    {LF__API_CHAT, "h", "{\"prompt\":\"def\",\"suffix\":\"end\",\"model\":\"codestral\"}", "codestral",
     "{\"prompt\":\"def\",\"suffix\":\"end\"}", NULL, NULL},
    /* Escaped and repeated names, blanks, wrong types. */
    {LF__API_CHAT, "h", " { \"\\u006dodel\" : \"m\\u00e9\\/x\" , \"messag\\u0065s\" : [ ] , \"temperature\" : 1 } ", "m\xC3\xA9/x",
     "[ ]", "{\"temperature\":1}", NULL},
    {LF__API_CHAT, "h", "{\"model\":\"a\",\"model\":\"b\",\"messages\":[1],\"messages\":[2],\"n\":1,\"n\":2}", "b", "[2]",
     "{\"n\":2}", NULL},
    {LF__API_CHAT, "h", "{\"model\":5,\"messages\":[1]}", NULL, "[1]", NULL, NULL},
    {LF__API_CHAT, "h", "{\"model\":\"m\",\"messages\":\"hi\",\"api_key\":\"secret\"}", "m",
     "{\"model\":\"m\",\"messages\":\"hi\"}", NULL, NULL},
    {LF__API_CHAT, "h", "{\"model\":\"m\",\"messages\":null}", "m", "{\"model\":\"m\",\"messages\":null}", NULL, NULL},
    {LF__API_CHAT, "h", "[1,\"data:image/png;base64," PNG "\"]", NULL, "[1,\"" PNG_TOKEN "\"]", NULL, NULL},
    {LF__API_CHAT, "h", "5", NULL, "5", NULL, NULL},
    {LF__API_CHAT, "h", "{}", NULL, "{}", NULL, NULL},
    {LF__API_CHAT, "h", "{\"\":1,\"messages\":[1]}", NULL, "[1]", NULL, NULL},
    {LF__API_CHAT, "h", "\xEF\xBB\xBF{\"messages\":[1]}", NULL, "[1]", NULL, NULL},
    {LF__API_CHAT, "h", "{\"model\":\"m\",\"messages\":[\"a\xFF\"]}", "m", "[\"a\xEF\xBF\xBD\"]", NULL, NULL},
    /* Older completions. */
    {LF__API_COMPLETION, "h", "{\"model\":\"m\",\"prompt\":\"say\",\"echo\":true,\"max_tokens\":2}", "m", "\"say\"",
     "{\"echo\":true,\"max_tokens\":2}", NULL},
    {LF__API_COMPLETION, "h", "{\"prompt\":[[1,2],[3]],\"suffix\":\"s\"}", NULL, "{\"prompt\":[[1,2],[3]],\"suffix\":\"s\"}", NULL,
     NULL},
    {LF__API_ANTHROPIC_TEXT, "h", "{\"model\":\"m\",\"prompt\":\"say\",\"max_tokens_to_sample\":2}", "m", "\"say\"",
     "{\"max_tokens_to_sample\":2}", NULL},
    /* Responses. */
    {LF__API_RESPONSES, "h", "{\"model\":\"m\",\"input\":\"2+3?\"}", "m", "\"2+3?\"", NULL, NULL},
    {LF__API_RESPONSES, "h",
     "{\"model\":\"o4\",\"input\":\"2+3?\",\"instructions\":\"Be terse.\",\"reasoning\":{\"effort\":\"low\",\"summary\":\"auto\"},"
     "\"max_output_tokens\":200}",
     "o4", "[{\"role\":\"system\",\"content\":\"Be terse.\"},{\"role\":\"user\",\"content\":\"2+3?\"}]",
     "{\"max_output_tokens\":200,\"reasoning_effort\":\"low\",\"reasoning_summary\":\"auto\"}", NULL},
    {LF__API_RESPONSES, "h", "{\"input\":" HI ",\"instructions\":\"a\"}", NULL,
     "[{\"role\":\"system\",\"content\":\"a\"},{\"role\":\"user\",\"content\":\"hi\"}]", NULL, NULL},
    {LF__API_RESPONSES, "h", "{\"input\":[ ],\"instructions\":\"a\"}", NULL, "[{\"role\":\"system\",\"content\":\"a\"} ]", NULL,
     NULL},
    {LF__API_RESPONSES, "h", "{\"instructions\":\"a\"}", NULL, "{\"instructions\":\"a\"}", NULL, NULL},
    {LF__API_RESPONSES, "h", "{\"input\":{\"a\":1},\"instructions\":\"a\"}", NULL, "{\"instructions\":\"a\",\"input\":{\"a\":1}}",
     NULL, NULL},
    {LF__API_RESPONSES, "h", "{\"input\":\"a\",\"tools\":[{\"type\":\"web_search\"}],\"tool_choice\":\"auto\"}", NULL,
     "{\"input\":\"a\",\"tools\":[{\"type\":\"web_search\"}],\"tool_choice\":\"auto\"}", "{\"tool_choice\":\"auto\"}", NULL},
    {LF__API_RESPONSES, "h", "{\"input\":\"a\",\"instructions\":\"b\",\"parallel_tool_calls\":true}", NULL,
     "{\"input\":[{\"role\":\"system\",\"content\":\"b\"},{\"role\":\"user\",\"content\":\"a\"}],\"parallel_tool_calls\":true}",
     "{\"parallel_tool_calls\":true}", NULL},
    {LF__API_RESPONSES, "h", "{\"instructions\":\"b\",\"tools\":[]}", NULL, "{\"instructions\":\"b\",\"tools\":[]}", NULL, NULL},
    {LF__API_RESPONSES, "h", "{\"tools\":[],\"previous_response_id\":\"r\"}", NULL, "{\"tools\":[]}", NULL,
     "\"previous_response_id\":\"r\""},
    {LF__API_RESPONSES, "h",
     "{\"input\":\"a\",\"tools\":[{\"type\":\"mcp\",\"server_url\":\"u\",\"authorization\":\"secret\",\"headers\":{"
     "\"Authorization\":\"secret\"}},1]}",
     NULL, "{\"input\":\"a\",\"tools\":[{\"type\":\"mcp\",\"server_url\":\"u\"},1]}", NULL, NULL},
    {LF__API_RESPONSES, "h",
     "{\"input\":\"a\",\"tools\":[{\"type\":\"mcp\",\"server_url\":\"https://u:secret@h/"
     "p?token=secret\",\"Authorization\":\"secret\"}]}",
     NULL, "{\"input\":\"a\",\"tools\":[{\"type\":\"mcp\",\"server_url\":\"https://h/p\"}]}", NULL, NULL},
    {LF__API_RESPONSES, "h", "{\"input\":\"a\",\"Api-Key\":\"secret\",\"x_api\\u005fkey\":\"secret\",\"ApiKey\":\"secret\"}", NULL,
     "\"a\"", NULL, NULL},
    {LF__API_RESPONSES, "h", "{\"input\":\"a\",\"metadata\":{\"Api_Key\":\"secret\",\"token\":\"t\"}}", NULL, "\"a\"", NULL,
     "\"request_metadata\":{\"token\":\"t\"}"},
    {LF__API_RESPONSES, "h",
     "{\"input\":\"a\",\"text\":{\"format\":{\"type\":\"text\"},\"verbosity\":\"low\"},\"background\":true}", NULL, "\"a\"",
     "{\"verbosity\":\"low\"}", "\"response_format\":{\"type\":\"text\"},\"background\":true"},
    {LF__API_RESPONSES, "h", "{\"prompt\":{\"id\":\"p\"}}", NULL, NULL, NULL, "\"prompt\":{\"id\":\"p\"}"},
    {LF__API_RESPONSES, "h", "{\"model\":\"m\"}", "m", "{\"model\":\"m\"}", NULL, NULL},
    {LF__API_RESPONSES, "h",
     "{\"input\":[{\"content\":[{\"type\":\"input_image\",\"image_url\":\"data:image/png;base64," PNG "\"}]}]}", NULL,
     "[{\"content\":[{\"type\":\"input_image\",\"image_url\":\"" PNG_TOKEN "\"}]}]", NULL, NULL},
    /* Anthropic. */
    {LF__API_ANTHROPIC, "h",
     "{\"model\":\"claude\",\"max_tokens\":1024,\"system\":\"Be kind.\",\"messages\":" HI ",\"tools\":[{\"name\":\"w\"}],"
     "\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":512},\"output_config\":{\"effort\":\"high\",\"format\":{\"type\":"
     "\"json\"}},"
     "\"stop_sequences\":[\"x\"],\"speed\":\"fast\",\"metadata\":{\"user_id\":\"u\"},\"mcp_servers\":[{\"authorization_token\":"
     "\"secret\"}]}",
     "claude",
     "{\"tools\":[{\"name\":\"w\"}],\"messages\":[{\"role\":\"system\",\"content\":\"Be "
     "kind.\"},{\"role\":\"user\",\"content\":\"hi\"}]}",
     "{\"max_tokens\":1024,\"stop_sequences\":\"[\\\"x\\\"]\",\"speed\":\"fast\",\"thinking_budget_tokens\":512,\"effort\":"
     "\"high\"}",
     "\"response_format\":{\"type\":\"json\"},\"request_metadata\":{\"user_id\":\"u\"}"},
    {LF__API_ANTHROPIC, "h", "{\"system\":[{\"type\":\"text\",\"text\":\"a\"}],\"messages\":" HI "}", NULL,
     "[{\"role\":\"system\",\"content\":[{\"type\":\"text\",\"text\":\"a\"}]},{\"role\":\"user\",\"content\":\"hi\"}]", NULL, NULL},
    {LF__API_ANTHROPIC, "h", "{\"messages\":" HI "}", NULL, HI, NULL, NULL},
    {LF__API_ANTHROPIC, "https://v/v1/publishers/anthropic/models/claude-4@1:rawPredict",
     "{\"anthropic_version\":\"v\",\"messages\":" HI "}", "claude-4@1", HI, NULL, "\"anthropic_version\":\"v\""},
    /* Gemini, in both spellings. */
    {LF__API_GEMINI, "https://g/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse&key=secret",
     "{\"contents\":[{\"parts\":[{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"" PNG
     "\"}}]}],\"systemInstruction\":{\"parts\":[]},"
     "\"generationConfig\":{\"temperature\":0.2,\"stopSequences\":[\"a\"],\"thinkingConfig\":{\"includeThoughts\":true,"
     "\"thinkingBudget\":5},"
     "\"responseSchema\":{\"type\":\"STRING\"}},\"tools\":[{\"functionDeclarations\":[]}],\"safetySettings\":[]}",
     "gemini-2.5-flash",
     "{\"systemInstruction\":{\"parts\":[]},\"tools\":[{\"functionDeclarations\":[]}],\"contents\":[{\"parts\":[{\"inlineData\":{"
     "\"mimeType\":"
     "\"image/png\",\"data\":\"" PNG_TOKEN "\"}}]}]}",
     "{\"temperature\":0.2,\"stopSequences\":\"[\\\"a\\\"]\",\"includeThoughts\":true,\"thinkingBudget\":5}",
     "\"response_format\":{\"type\":\"STRING\"}"},
    {LF__API_GEMINI, "https://g/models/g:generateContent",
     "{\"model\":\"models/"
     "other\",\"contents\":[],\"system_instruction\":{},\"generation_config\":{\"top_k\":1},\"cached_content\":\"c\"}",
     "g", "{\"systemInstruction\":{},\"contents\":[]}", "{\"top_k\":1}", "\"cached_content\":\"c\""},
    {LF__API_GEMINI, "https://g/models/g:generateContent", "{\"contents\":[1]}", "g", "[1]", NULL, NULL},
    {LF__API_GEMINI_EMBED, "https://g/models/e:embedContent",
     "{\"model\":\"models/e\",\"content\":{\"parts\":[]},\"taskType\":\"T\"}", "e", "{\"parts\":[]}", "{\"taskType\":\"T\"}", NULL},
    {LF__API_GEMINI_EMBED, "https://g/models/e:batchEmbedContents", "{\"requests\":[{\"content\":1}]}", "e", "[{\"content\":1}]",
     NULL, NULL},
    {LF__API_GEMINI_EMBED, "https://g/publishers/google/models/e:predict",
     "{\"instances\":[{\"content\":\"a\"}],\"parameters\":{\"outputDimensionality\":3}}", "e", "[{\"content\":\"a\"}]",
     "{\"outputDimensionality\":3}", NULL},
    /* Embeddings, images, sounds. */
    {LF__API_EMBEDDINGS, "h", "{\"model\":\"e\",\"input\":[\"a\",\"b\"],\"dimensions\":3}", "e", "[\"a\",\"b\"]",
     "{\"dimensions\":3}", NULL},
    {LF__API_IMAGES, "h", "{\"model\":\"i\",\"prompt\":\"a cat\",\"n\":2,\"size\":\"1x1\",\"response_format\":\"b64_json\"}", "i",
     "\"a cat\"", "{\"n\":2,\"size\":\"1x1\",\"response_format\":\"b64_json\"}", NULL},
    {LF__API_IMAGES, "h", "{\"prompt\":\"a\",\"image[]\":[{\"name\":\"a.png\",\"size\":1}]}", NULL,
     "{\"prompt\":\"a\",\"image\":[{\"name\":\"a.png\",\"size\":1}]}", NULL, NULL},
    {LF__API_SPEECH, "h", "{\"model\":\"tts\",\"input\":\"Hello\",\"voice\":\"v\",\"response_format\":\"wav\"}", "tts", "\"Hello\"",
     "{\"voice\":\"v\",\"response_format\":\"wav\"}", NULL},
    {LF__API_TRANSCRIPTION, "h",
     "{\"model\":\"w\",\"file\":{\"name\":\"a.wav\",\"type\":\"audio/wav\",\"size\":5},\"language\":\"en\",\"temperature\":0}", "w",
     "{\"file\":{\"name\":\"a.wav\",\"type\":\"audio/wav\",\"size\":5},\"language\":\"en\"}", "{\"temperature\":0}", NULL},
    /* Ollama. */
    {LF__API_OLLAMA_CHAT, "h",
     "{\"model\":\"qwen3:8b\",\"messages\":" HI
     ",\"think\":true,\"keep_alive\":\"5m\",\"options\":{\"temperature\":0.1,\"num_ctx\":4096,"
     "\"stop\":[\"x\"]},\"tools\":" TOOLS ",\"format\":{\"type\":\"object\"}}",
     "qwen3:8b", "{\"tools\":" TOOLS ",\"messages\":" HI "}",
     "{\"think\":true,\"keep_alive\":\"5m\",\"temperature\":0.1,\"num_ctx\":4096,\"stop\":\"[\\\"x\\\"]\"}",
     "\"response_format\":{\"type\":\"object\"}"},
    {LF__API_OLLAMA_CHAT, "h", "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"images\":[\"" PNG "\"]}],\"format\":\"json\"}",
     "m", "[{\"role\":\"user\",\"images\":[\"" PNG_TOKEN "\"]}]", "{\"format\":\"json\"}", NULL},
    {LF__API_OLLAMA_GENERATE, "h", "{\"model\":\"m\",\"prompt\":\"a\",\"context\":[1,2]}", "m", "\"a\"", NULL, NULL},
    {LF__API_OLLAMA_GENERATE, "h", "{\"model\":\"m\",\"images\":[\"" PNG "\"],\"prompt\":\"a\",\"system\":\"s\"}", "m",
     "{\"system\":\"s\",\"prompt\":\"a\",\"images\":[\"" PNG_TOKEN "\"]}", NULL, NULL},
    {LF__API_OLLAMA_EMBED, "h", "{\"model\":\"m\",\"prompt\":\"a\"}", "m", "\"a\"", NULL, NULL},
    {LF__API_OLLAMA_EMBED, "h", "{\"model\":\"m\",\"input\":[\"a\"]}", "m", "[\"a\"]", NULL, NULL},
    /* llama.cpp. */
    {LF__API_LLAMA, "http://127.0.0.1:8080/completion", "{\"prompt\":\"to\",\"n_predict\":2,\"stream\":true,\"temperature\":0.8}",
     NULL, "\"to\"", "{\"n_predict\":2,\"stream\":true,\"temperature\":0.8}", NULL},
    {LF__API_LLAMA, "h", "{\"input_prefix\":\"a\",\"input_suffix\":\"b\",\"json_schema\":{}}", NULL,
     "{\"input_prefix\":\"a\",\"input_suffix\":\"b\"}", NULL, "\"json_schema\":{}"},
    {LF__API_LLAMA, "h", "{\"prompt\":{\"prompt_string\":\"a\",\"multimodal_data\":[\"" PNG "\"]}}", NULL,
     "{\"prompt_string\":\"a\",\"multimodal_data\":[\"" PNG_TOKEN "\"]}", NULL, NULL},
    {LF__API_LLAMA_EMBED, "h", "{\"content\":\"a\"}", NULL, "\"a\"", NULL, NULL},
    /* Others, as they are. */
    {LF__API_OTHER, "https://b/model/m%3A0/converse", "{\"messages\":[],\"temperature\":1,\"metadata\":{},\"api_key\":\"secret\"}",
     "m:0", "{\"messages\":[],\"temperature\":1,\"metadata\":{}}", NULL, NULL},
};

static void assert_text(size_t row, const char *what, lf__buf *got, const char *expected)
{
    const char *text = text_of(got);
    if (strcmp(text, expected == NULL ? "" : expected) != 0)
        fail_msg("row %zu, %s:\n%s\nis not\n%s", row, what, text, expected == NULL ? "" : expected);
}

static void reads_what_each_api_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        read_request(rows[i].api, rows[i].url, rows[i].body);
        assert_null(strstr(text_of(&request.metadata), "secret"));
        request.metadata.length--;
        const char *behind = memchr(request.metadata.data + sizeof "\"url\":\"" - 1, '"', request.metadata.length);
        assert_non_null(behind);
        size_t url = (size_t)(behind + 1 - request.metadata.data) + (behind[1] == ',');
        memmove(request.metadata.data, request.metadata.data + url, request.metadata.length - url);
        request.metadata.length -= url;
        assert_text(i, "model", &request.model, rows[i].model);
        assert_text(i, "input", &request.input, rows[i].input);
        assert_text(i, "parameters", &request.parameters, rows[i].parameters);
        assert_text(i, "metadata", &request.metadata, rows[i].metadata);
        lf__request_done(&request);
    }
}

static void tells_the_type_of_the_replys_media(void **state)
{
    (void)state;
    static const struct {
        lf__api api;
        const char *body, *type;
    } types[] = {
        {LF__API_CHAT, "{\"audio\":{\"format\":\"wav\"}}", "audio/wav"},
        {LF__API_CHAT, "{\"audio\":{\"format\":\"pcm16\"}}", "application/octet-stream"},
        {LF__API_CHAT, "{}", ""},
        {LF__API_IMAGES, "{\"output_format\":\"webp\"}", "image/webp"},
        {LF__API_IMAGES, "{\"prompt\":\"a\"}", ""},
        {LF__API_RESPONSES, "{\"tools\":[{\"type\":\"image_generation\",\"output_format\":\"jpeg\"}]}", "image/jpeg"},
        {LF__API_SPEECH, "{\"response_format\":\"flac\"}", "audio/flac"},
        {LF__API_SPEECH, "{}", "audio/mp3"},
        {LF__API_IMAGES, "{\"output_format\":\"a format whose name is much too long\"}", ""},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        read_request(types[i].api, "h", types[i].body);
        assert_string_equal(request.media_type, types[i].type);
        lf__request_done(&request);
    }
}

static void records_the_url_and_no_secret_of_it(void **state)
{
    (void)state;
    read_request(LF__API_CHAT, "https://u:secret@h:1/v1/\"x\"?api-version=1&key=secret#secret", "{\"messages\":[]}");
    assert_string_equal(text_of(&request.metadata), "\"url\":\"https://h:1/v1/\\\"x\\\"?api-version=1\"");
    lf__request_done(&request);
    read_request(LF__API_CHAT, "", "{\"messages\":[]}");
    assert_int_equal(request.metadata.length, 0);
    lf__request_done(&request);
    char url[2000] = "https://secret";
    memset(url + strlen(url), 's', sizeof url - strlen(url) - 1);
    memcpy(url + sizeof url - 8, "@h/v1/x", 8);
    read_request(LF__API_CHAT, url, "{\"messages\":[]}");
    assert_string_equal(text_of(&request.metadata), "\"url\":\"https://h/v1/x\"");
    lf__request_done(&request);
    url[sizeof url - 8] = '/'; /* a host of two kilobytes is none */
    read_request(LF__API_CHAT, url, "{\"messages\":[]}");
    assert_int_equal(request.metadata.length, 0);
    lf__request_done(&request);
}

static void a_body_that_is_no_json_is_a_size(void **state)
{
    (void)state;
    static const char *const bodies[] = {"a=b", "{\"messages\":[", "\x1F\x8B\x08\xFF", "--", "--x\r\n", "--x\r\ny", "{\"a\":1}{}"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        char expected[64];
        read_request(LF__API_CHAT, "", bodies[i]);
        snprintf(expected, sizeof expected, "\"request_bytes\":%zu", strlen(bodies[i]));
        assert_string_equal(text_of(&request.metadata), expected);
        assert_int_equal(request.input.length, 0);
        lf__request_done(&request);
    }
    static const char cut[] = "{\"model\":\"m\",\"messages\":[{\"rol";
    for (size_t size = 0; size < sizeof cut; size++) {
        assert_true(read_sized(LF__API_CHAT, "", cut, size, 1000));
        assert_string_equal(text_of(&request.model), size < sizeof "{\"model\":\"m\"" - 1 ? "" : "m");
        lf__request_done(&request);
    }
    assert_true(lf__request_read(&request, LF__API_CHAT, (lf__text){NULL, 0}, (lf__text){NULL, 0}, 100));
    assert_int_equal(request.metadata.length, 0);
    lf__request_done(&request);
}

static void a_body_of_megabytes_is_a_size_and_a_model(void **state)
{
    (void)state;
    static const char start[] = "{\"model\":\"m\",\"messages\":[\"";
    size_t size = (16 << 20) + 1;
    char *body = malloc(size);
    assert_non_null(body);
    memset(body, ' ', size);
    memcpy(body, start, sizeof start - 1);
    memcpy(body + size - 3, "\"]}", 3);
    assert_true(read_sized(LF__API_CHAT, "", body, size, 32 << 20));
    assert_string_equal(text_of(&request.model), "m");
    assert_int_equal(request.input.length, 0);
    assert_string_equal(text_of(&request.metadata), "\"request_bytes\":16777217");
    lf__request_done(&request);
    body[size - 4] = '"', body[size - 3] = ']', body[size - 2] = '}', body[size - 1] = '\0';
    assert_true(read_sized(LF__API_CHAT, "", body, size, 32 << 20));
    assert_int_equal(request.input.length, size - 1 - (sizeof start - 1) + 2 - 1);
    lf__request_done(&request);
    free(body);
}

static void nesting_that_is_too_deep_is_a_size(void **state)
{
    (void)state;
    char body[1200] = "{\"messages\":";
    for (size_t depth = 510; depth <= 512; depth++) {
        size_t length = sizeof "{\"messages\":" - 1;
        memset(body + length, '[', depth);
        memset(body + length + depth, ']', depth);
        memcpy(body + length + 2 * depth, "}", 2);
        read_request(LF__API_CHAT, "", body);
        assert_int_equal(request.input.length, depth < 512 ? 2 * depth : 0);
        lf__request_done(&request);
    }
}

#define PART(head, content) "--b\r\nContent-Disposition: form-data; " head "\r\n\r\n" content "\r\n"

static void reads_forms(void **state)
{
    (void)state;
    static const struct {
        lf__api api;
        const char *body, *model, *input, *parameters;
    } forms[] = {
        {LF__API_TRANSCRIPTION,
         PART("name=\"file\"; filename=\"a.wav\"\r\nContent-Type: audio/wav", "hello") PART("name=\"model\"", "whisper-1") PART(
             "name=\"language\"", "en") PART("name=\"temperature\"", "0.2") PART("name=\"response_format\"", "json") "--b--\r\n",
         "whisper-1",
         "{\"file\":\"@@@langfuseMedia:type=audio/wav|id=LPJNul-wow4m6Dsqxbninh|source=bytes@@@\",\"language\":\"en\"}",
         "{\"temperature\":0.2,\"response_format\":\"json\"}"},
        {LF__API_TRANSCRIPTION,
         PART("name=\"file\"; filename=\"a\\\r\nContent-Type: application/octet-stream", "\xFFx\r\n--c")
             PART("name=model", "m") "--b--",
         "m", "{\"file\":{\"name\":\"a\\\\\",\"type\":\"application/octet-stream\",\"size\":7}}", NULL},
        {LF__API_TRANSCRIPTION, "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=a.mp3\r\n\r\nID3\4\r\n--b--", NULL,
         "{\"file\":\"@@@langfuseMedia:type=audio/mpeg|id=h1aXUBVXhBxXfTJ3Gssp5Q|source=bytes@@@\"}", NULL},
        {LF__API_IMAGES,
         PART("name=\"image[]\"; filename=\"a\"", "") PART("name=\"prompt\"", "a \"cat\"")
             PART("name=\"image[]\"; filename=\"b\"", "x") PART("name=\"n\"", "2") "--b--",
         NULL,
         "{\"prompt\":\"a "
         "\\\"cat\\\"\",\"image\":[{\"name\":\"a\",\"type\":\"\",\"size\":0},{\"name\":\"b\",\"type\":\"\",\"size\":1}]}",
         "{\"n\":2}"},
        /* The last part is cut. */
        {LF__API_TRANSCRIPTION,
         PART("name=\"model\"", "m") PART("name=\"prompt\"", "p") "--b\r\nContent-Disposition: form-data; name=\"file\"", "m",
         "{\"prompt\":\"p\"}", NULL},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        read_request(forms[i].api, "", forms[i].body);
        assert_text(i, "model", &request.model, forms[i].model);
        assert_text(i, "input", &request.input, forms[i].input);
        assert_text(i, "parameters", &request.parameters, forms[i].parameters);
        lf__request_done(&request);
    }
}

static bool is_json(const lf__buf *buf, const char *before, const char *after)
{
    lf__buf whole;
    lf__buf_init(&whole, 1 << 22);
    lf__buf_add_text(&whole, before);
    lf__buf_add(&whole, buf->data, buf->length);
    assert_true(lf__buf_add_text(&whole, after));
    bool valid = buf->length == 0 || lf__json_valid(whole.data, whole.length);
    lf__buf_done(&whole);
    return valid;
}

/* However little room there is, and wherever a form is cut, what is left is JSON. */
static void what_does_not_fit_leaves_json_behind(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t most = 0; most < 400; most += most < 40 ? 1 : 17) {
            assert_true(read_sized(rows[i].api, rows[i].url, rows[i].body, strlen(rows[i].body), most));
            assert_true(is_json(&request.input, "", ""));
            assert_true(is_json(&request.parameters, "", ""));
            assert_true(is_json(&request.metadata, "{", "}"));
            assert_true(request.input.length <= most && request.parameters.length <= most && request.metadata.length <= most);
            lf__request_done(&request);
        }
    static const char form[] = PART("name=\"file\"; filename=\"a.wav\"\r\nContent-Type: audio/wav", "hello")
        PART("name=\"model\"", "m") "--b--";
    for (size_t size = 0; size < sizeof form; size++) {
        assert_true(read_sized(LF__API_TRANSCRIPTION, "", form, size, 1000));
        assert_true(is_json(&request.input, "", ""));
        lf__request_done(&request);
    }
}

static void parameters_have_a_ceiling(void **state)
{
    (void)state;
    lf__buf body;
    lf__buf_init(&body, 1 << 20);
    lf__buf_add_text(&body, "{");
    for (int i = 0; i < 200; i++) {
        char member[32];
        snprintf(member, sizeof member, "\"p%d\":%d,", i, i);
        lf__buf_add_text(&body, member);
    }
    lf__buf_add_text(&body, "\"messages\":[]}");
    read_request(LF__API_CHAT, "", text_of(&body));
    assert_true(is_json(&request.parameters, "", ""));
    assert_non_null(strstr(text_of(&request.parameters), "\"p63\":63}"));
    lf__request_done(&request);
    lf__buf_clear(&body);
    lf__buf_add_text(&body, "{\"messages\":[],\"grammar\":\"");
    for (int i = 0; i < 1100; i++)
        lf__buf_add_text(&body, "g ");
    lf__buf_add_text(&body, "\"}");
    read_request(LF__API_CHAT, "", text_of(&body));
    assert_int_equal(request.parameters.length, 0);
    lf__request_done(&request);
    lf__buf_done(&body);
}

static void says_when_memory_is_out(void **state)
{
    (void)state;
    static const char body[] = "{\"model\":\"m\",\"messages\":[1],\"n\":1}";
    bool read = false;
    for (unsigned long i = 1; !read && i < 20; i++) {
        lf__alloc_fail_from(i);
        read = lf__request_read(&request, LF__API_CHAT, lf__text_of("h"), lf__text_of(body), 1000);
        lf__alloc_fail_from(0);
        assert_true(is_json(&request.input, "", ""));
        lf__request_done(&request);
        assert_int_equal(read, i == 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_each_api_says),
        cmocka_unit_test(tells_the_type_of_the_replys_media),
        cmocka_unit_test(records_the_url_and_no_secret_of_it),
        cmocka_unit_test(a_body_that_is_no_json_is_a_size),
        cmocka_unit_test(a_body_of_megabytes_is_a_size_and_a_model),
        cmocka_unit_test(nesting_that_is_too_deep_is_a_size),
        cmocka_unit_test(reads_forms),
        cmocka_unit_test(what_does_not_fit_leaves_json_behind),
        cmocka_unit_test(parameters_have_a_ceiling),
        cmocka_unit_test(says_when_memory_is_out),
    };
    return cmocka_run_group_tests_name("model_request", tests, NULL, NULL);
}
