/* What it takes to read replies of models: MB of a stream in a second, and beside a client that parses each event with cJSON itself. A
 * stream is what an API sends for 50000 tokens, 6 to 11 MB, in pieces as libcurl hands them over. Times are of the thread.
 */
#define _GNU_SOURCE
#include "langfuse/model.h"
#include "observe.h"
#include "timing.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

enum { EVENTS = 50000, EVENT_ROOM = 256, PIECE = 16384, ROUNDS = 15 };

/* In an event, @ stands for the word and # for a number that grows. The names of `word` lead to it; "" is the first item of an array. */
struct api {
    const char *name, *url, *head, *event, *tail, *word[8];
};

#define CHAT_EVENT(id)                                                                                    \
    "data: {\"id\":\"chatcmpl-" id "\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,"      \
    "\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"@\"},\"finish_reason\":null}]}" \
    "\n\n"

static const struct api apis[] = {
    {"chat",
     "https://api.example.com/v1/chat/completions",
     "",
     CHAT_EVENT("7"),
     "data: [DONE]\n\n",
     {"choices", "", "delta", "content"}},
    {"chat, an id of its own in each event",
     "https://api.example.com/v1/chat/completions",
     "",
     CHAT_EVENT("#"),
     "data: [DONE]\n\n",
     {"choices", "", "delta", "content"}},
    {"Responses",
     "https://api.example.com/v1/responses",
     "",
     "event: response.output_text.delta\ndata: "
     "{\"type\":\"response.output_text.delta\",\"sequence_number\":#,\"item_id\":\"msg_0123\","
     "\"output_index\":0,\"content_index\":0,\"delta\":\"@\",\"logprobs\":[]}\n\n",
     "",
     {"delta"}},
    {"Anthropic",
     "https://api.example.com/v1/messages",
     "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"model\":\"c\",\"content\":[],"
     "\"usage\":{\"input_tokens\":5}}}\n\n"
     "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\","
     "\"text\":\"\"}}\n\n",
     "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\","
     "\"text\":\"@\"}}\n\n",
     "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
     {"delta", "text"}},
    {"Gemini",
     "https://api.example.com/v1beta/models/m:streamGenerateContent",
     "",
     "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"@\"}],\"role\":\"model\"},\"index\":0}],"
     "\"usageMetadata\":{\"promptTokenCount\":270,\"totalTokenCount\":#},\"modelVersion\":\"m\"}\n\n",
     "",
     {"candidates", "", "content", "parts", "", "text"}},
    {"Ollama",
     "http://localhost:11434/api/chat",
     "",
     "{\"model\":\"m\",\"created_at\":\"2025-11-28T10:00:00.#Z\",\"message\":{\"role\":\"assistant\",\"content\":\"@\"},"
     "\"done\":false}\n",
     "",
     {"message", "content"}},
};

static char stream[EVENTS * EVENT_ROOM], text[EVENTS * 16];
static size_t stream_size;

static void write_out(const char *form, const char *word, int number)
{
    for (; *form != '\0'; form++)
        if (*form == '@')
            stream_size += (size_t)sprintf(stream + stream_size, "%s", word);
        else if (*form == '#')
            stream_size += (size_t)sprintf(stream + stream_size, "%d", number);
        else
            stream[stream_size++] = *form;
}

static void make_stream(const struct api *api)
{
    static const char *const words[] = {" the", " model", " reads", "\\n\\n", " what", " it", " wrote", ",", " token", " by"};
    stream_size = 0;
    write_out(api->head, "", 0);
    for (int i = 0; i < EVENTS; i++)
        write_out(api->event, words[i % 10], 100000 + i);
    write_out(api->tail, "", 0);
}

/* ---- A client as people write it ---- */

static size_t text_size;

static const cJSON *find_word(const cJSON *at, const char *const *name)
{
    for (; *name != NULL; name++)
        at = **name == '\0' ? cJSON_GetArrayItem(at, 0) : cJSON_GetObjectItem(at, *name);
    return at;
}

static void client_take(const struct api *api, const char *json)
{
    cJSON *event = cJSON_Parse(json);
    const char *content = cJSON_GetStringValue(find_word(event, api->word));
    size_t size = content == NULL ? 0 : strlen(content);
    memcpy(text + text_size, content == NULL ? "" : content, size);
    text_size += size;
    cJSON_Delete(event);
}

static void client_read(const struct api *api, lf_model_call *call, bool recorded)
{
    static char line[EVENT_ROOM];
    size_t used = 0;
    text_size = 0;
    for (size_t at = 0; at < stream_size; at += PIECE) {
        size_t size = stream_size - at < PIECE ? stream_size - at : PIECE;
        for (size_t i = at; i < at + size; i++) {
            if (stream[i] != '\n') {
                line[used++] = stream[i];
                continue;
            }
            line[used] = '\0';
            if (line[0] == '{')
                client_take(api, line);
            else if (strncmp(line, "data: {", 7) == 0)
                client_take(api, line + 6);
            used = 0;
        }
        if (recorded)
            lf_model_reply(call, stream + at, size);
    }
}

/* ---- What is measured ---- */

static double run(const struct api *api, bool parses, bool records)
{
    static const char body[] = "{\"model\":\"m-1\",\"messages\":[{\"role\":\"user\",\"content\":\"?\"}],\"input\":\"?\","
                               "\"contents\":[{}],\"stream\":true}";
    uint64_t start = thread_ns();
    lf_model_call *call = records ? lf_model_begin(.url = api->url, .body = body) : NULL;
    if (parses)
        client_read(api, call, records);
    else
        for (size_t at = 0; at < stream_size; at += PIECE)
            lf_model_reply(call, stream + at, stream_size - at < PIECE ? stream_size - at : PIECE);
    lf_model_end(call, .http_status = 200);
    return (double)(thread_ns() - start) / 1e6;
}

static void measure(const struct api *api)
{
    double ours[ROUNDS], ratio[ROUNDS];
    make_stream(api);
    for (int i = 0; i < ROUNDS; i++) {
        ours[i] = run(api, false, true);
        double theirs = run(api, true, false);
        ratio[i] = run(api, true, true) / theirs;
    }
    double parsing = median(ours, ROUNDS);
    printf("  %-40s %8.1f %8.0f %8.0f %8.2f\n", api->name, (double)stream_size / 1e6, (double)stream_size / parsing / 1e3,
           parsing * 1e6 / EVENTS, median(ratio, ROUNDS));
}

int main(void)
{
    lf_init(&(lf_options){LF_OPTIONS_INIT, .public_key = "pk", .secret_key = "sk", .exporter = "file:/dev/null"});
    printf("replies of models in %d events, read and merged (lf_model_reply);\n"
           "client: the time of one that parses each event with cJSON, recorded, as a multiple of the same client alone\n",
           EVENTS);
    printf("  %-40s %8s %8s %8s %8s\n", "", "MB", "MB/s", "ns/event", "client");
    for (size_t i = 0; i < sizeof apis / sizeof apis[0]; i++)
        measure(&apis[i]);
    lf_shutdown(-1);
    return 0;
}
