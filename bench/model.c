/* What it takes to read replies of models: MB of a stream in a second, and beside a client that parses each event with cJSON itself. The
 * stream is the one that a chat of 50000 tokens makes, 8 MB, in pieces as libcurl hands them over. Times are of the thread.
 */
#define _GNU_SOURCE
#include "langfuse/model.h"
#include "observe.h"
#include "timing.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

enum { EVENTS = 50000, EVENT_ROOM = 256, PIECE = 16384, ROUNDS = 15 };

static char stream[EVENTS * EVENT_ROOM], text[EVENTS * 16];
static size_t stream_size;

static void make_stream(void)
{
    static const char *const words[] = {" the", " model", " reads", "\\n\\n", " what", " it", " wrote", ",", " token", " by"};
    for (int i = 0; i < EVENTS; i++)
        stream_size += (size_t)sprintf(stream + stream_size,
                                       "data: {\"id\":\"chatcmpl-%d\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,"
                                       "\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%s\"},"
                                       "\"finish_reason\":null}]}\n\n",
                                       7, words[i % 10]);
    stream_size += (size_t)sprintf(stream + stream_size, "data: [DONE]\n\n");
}

/* ---- A client as people write it ---- */

static size_t text_size;

static void client_take(const char *json)
{
    cJSON *event = cJSON_Parse(json);
    const cJSON *choice = cJSON_GetArrayItem(cJSON_GetObjectItem(event, "choices"), 0);
    const char *content = cJSON_GetStringValue(cJSON_GetObjectItem(cJSON_GetObjectItem(choice, "delta"), "content"));
    size_t size = content == NULL ? 0 : strlen(content);
    memcpy(text + text_size, content == NULL ? "" : content, size);
    text_size += size;
    cJSON_Delete(event);
}

static void client_read(lf_model_call *call, bool recorded)
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
            if (used > 6 && line[6] == '{')
                client_take(line + 6);
            used = 0;
        }
        if (recorded)
            lf_model_reply(call, stream + at, size);
    }
}

/* ---- What is measured ---- */

static double run(bool parses, bool records)
{
    uint64_t start = thread_ns();
    lf_model_call *call = records ? lf_model_begin(.url = "https://api.example.com/v1/chat/completions",
                                                   .body = "{\"model\":\"m-1\",\"messages\":[],\"stream\":true}")
                                  : NULL;
    if (parses)
        client_read(call, records);
    else
        for (size_t at = 0; at < stream_size; at += PIECE)
            lf_model_reply(call, stream + at, stream_size - at < PIECE ? stream_size - at : PIECE);
    lf_model_end(call, .http_status = 200);
    return (double)(thread_ns() - start) / 1e6;
}

int main(void)
{
    double ours[ROUNDS], theirs[ROUNDS], both[ROUNDS], ratio[ROUNDS];
    lf_init(&(lf_options){LF_OPTIONS_INIT, .public_key = "pk", .secret_key = "sk", .exporter = "file:/dev/null"});
    make_stream();
    for (int i = 0; i < ROUNDS; i++) {
        ours[i] = run(false, true);
        theirs[i] = run(true, false);
        both[i] = run(true, true);
        ratio[i] = both[i] / theirs[i];
    }
    double parsing = median(ours, ROUNDS);
    printf("replies of models, a stream of %.1f MB in %d events\n", (double)stream_size / 1e6, EVENTS);
    printf("  %-58s %8.0f MB/s %6.0f ns an event\n", "read and merged (lf_model_reply)", (double)stream_size / parsing / 1e3,
           parsing * 1e6 / EVENTS);
    printf("  %-58s %8.1f ms\n", "a client that parses each event with cJSON", median(theirs, ROUNDS));
    printf("  %-58s %8.1f ms %6.2f times\n", "the same client, recorded", median(both, ROUNDS), median(ratio, ROUNDS));
    lf_shutdown(-1);
    return 0;
}
