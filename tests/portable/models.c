/* Calls of models: requests of four APIs and their replies, which arrive in pieces of seven bytes. What is recorded must not depend on
 * byte order, on the width of pointers, nor on whether char is signed.
 */
#include "langfuse/model.h"
#include "portable.h"

#include <string.h>

enum { PIECE = 7 };

static void call(const char *url, const char *body, const char *reply, int status)
{
    size_t size = strlen(reply);
    lf_model_call *model_call = lf_model_begin(.url = url, .body = body);
    for (size_t at = 0; at < size; at += PIECE)
        lf_model_reply(model_call, reply + at, size - at < PIECE ? size - at : PIECE);
    lf_model_end(model_call, .http_status = status);
}

static void chat(void)
{
    call("https://user:pw@api.example.com/v1/chat/completions?key=secret",
         "{\"model\":\"m\",\"temperature\":0.5,\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":["
         "{\"type\":\"text\",\"text\":\"gr\xc3\xbc\xc3\x9f\"},{\"type\":\"image_url\",\"image_url\":"
         "{\"url\":\"data:image/png;base64,iVBORw0KGgo=\"}}]}]}",
         "data: "
         "{\"id\":\"c1\",\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\r\n\r\n"
         "data: {\"id\":\"c1\",\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hell\xc3\xb6\"}}]}\r\n\r\n"
         "data: {\"id\":\"c1\",\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" there\"}}]}\r\n\r\n"
         "data: {\"id\":\"c1\",\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"t1\","
         "\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\"\"}}]}}]}\r\n\r\n"
         "data: {\"id\":\"c1\",\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,"
         "\"function\":{\"arguments\":\":1}\"}}]},\"finish_reason\":\"tool_calls\"}],\"usage\":{\"prompt_tokens\":30,"
         "\"completion_tokens\":12,\"total_tokens\":42,\"prompt_tokens_details\":{\"cached_tokens\":20},"
         "\"completion_tokens_details\":{\"reasoning_tokens\":2}}}\r\n\r\n"
         "data: [DONE]\r\n\r\n",
         200);
}

static void messages(void)
{
    call("https://api.example.com/v1/messages",
         "{\"model\":\"claude\",\"max_tokens\":100,\"system\":\"Be kind.\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}",
         "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m1\",\"model\":\"claude-1\",\"content\":[],"
         "\"usage\":{\"input_tokens\":5,\"cache_read_input_tokens\":100,\"output_tokens\":1}}}\n\n"
         "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":"
         "{\"type\":\"thinking\",\"thinking\":\"\"}}\n\n"
         "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"Hm.\"}}\n\n"
         "data: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
         "data: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n"
         "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":7}}\n\n"
         "data: {\"type\":\"message_stop\"}",
         200);
}

static void gemini(void)
{
    call("https://g.example.com/v1beta/models/gemini-9:streamGenerateContent", "{\"contents\":[{\"parts\":[{\"text\":\"hi\"}]}]}",
         "[{\n  \"candidates\": [{\"content\": {\"parts\": [{\"text\": \"a{b\"}], \"role\": \"model\"}, \"index\": 0}]\n},\n"
         "{\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"}c\"}]}, \"finishReason\": \"STOP\", \"index\": 0}],"
         "\"usageMetadata\": {\"promptTokenCount\": 4, \"candidatesTokenCount\": 3, \"totalTokenCount\": 7}}]",
         200);
}

static void ollama(void)
{
    call("http://localhost:11434/api/chat", "{\"model\":\"q\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}",
         "{\"model\":\"q\",\"message\":{\"role\":\"assistant\",\"content\":\"H\"},\"done\":false}\n"
         "{\"model\":\"q\",\"message\":{\"role\":\"assistant\",\"content\":\"i\"},\"done\":false}\n"
         "{\"model\":\"q\",\"message\":{\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\",\"total_duration\":5000000000,"
         "\"prompt_eval_count\":26,\"eval_count\":2}\n",
         200);
}

static void refused(void)
{
    call("http://localhost/v1/chat/completions", "{\"model\":\"q\",\"messages\":[]}", "{\"error\":{\"message\":\"too many\"}}",
         429);
}

int main(void)
{
    chat();
    messages();
    gemini();
    ollama();
    refused();
    return portable_end();
}
