/* The client for chat completions against a scripted server: what is sent, what becomes of each reply, tries, times, cancellation,
 * and what is recorded of it.
 */
#include "cases.h"

#include "../../langfuse/openai.h"
#include "../../src/base/base.h"

#include <pthread.h>

#define KEY "sk-test-0123456789abcdef"
#define RAW "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"

/* What the server gives, request by request; the last one is given again. */
static struct {
    fake_reply replies[8];
    int count;
} script;
static fake_server *server;

static fake_reply say_next(fake_server *self, const fake_request *request)
{
    pthread_mutex_lock(&self->lock);
    fake_reply reply = script.replies[request->number < script.count ? request->number : script.count - 1];
    pthread_mutex_unlock(&self->lock);
    return reply;
}

/* From the next request on. */
static void say(fake_reply reply)
{
    pthread_mutex_lock(&server->lock);
    script.replies[0] = reply;
    script.count = 1;
    pthread_mutex_unlock(&server->lock);
}

static void serve(fake_reply first)
{
    server = fake_server_start(say_next, NULL);
    CHECK(server != NULL);
    script.replies[0] = first;
    script.count = 1;
}

#define SERVE(...) serve((fake_reply){__VA_ARGS__})
#define SAY(...) say((fake_reply){__VA_ARGS__})
#define THEN(...) (script.replies[script.count++] = (fake_reply){__VA_ARGS__})
#define CHAT(...) lf_openai_chat(.base_url = server->url, .api_key = KEY, .timeout_ms = HARNESS_WAIT_MS, __VA_ARGS__)

static const char plain[] =
    "{\"id\":\"c1\",\"object\":\"chat.completion\",\"model\":\"m-2026\",\"choices\":[{\"index\":0,\"message\":"
    "{\"role\":\"assistant\",\"content\":\"Because of \\\"air\\\".\",\"refusal\":null},\"finish_reason\":\"stop\"}],"
    "\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":4,\"total_tokens\":14,"
    "\"prompt_tokens_details\":{\"cached_tokens\":6}}}";

#define DELTA(members) "data: {\"model\":\"m-2026\",\"choices\":[{\"index\":0,\"delta\":{" members "},\"finish_reason\":null}]}\n\n"
#define LAST(reason)                                                                                                               \
    "data: {\"model\":\"m-2026\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"" reason "\"}]}\n\n"                   \
    "data: {\"model\":\"m-2026\",\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":4,\"total_tokens\":14}}\n\n" \
    "data: [DONE]\n\n"
static const char streamed[] = RAW "data: {\"id\":\"c\\\"1\",\"choices\":[]}\n\n" DELTA("\"role\":\"assistant\",\"content\":\"\"")
    DELTA("\"content\":\"Na\\u00efve \\ud83d\"") DELTA("\"content\":\"\\ude00 \xc3\xa4\"")
        DELTA("\"content\":\"\\n\\\"quoted\\\"\"") LAST("stop");
#define STREAMED_TEXT "Na\xc3\xafve \xf0\x9f\x98\x80 \xc3\xa4\n\"quoted\""

/* ---- on_text ---- */

static struct {
    char text[4096];
    size_t size;
    int calls;
    int cancel_at; /* this call returns false; 0: none does */
    sigset_t mask;
} heard;

static bool hear(void *data, const char *text, size_t size)
{
    CHECK(data == &heard);
    CHECK(size > 0);
    CHECK_INT(text[size], '\0');
    if (heard.size + size < sizeof heard.text)
        memcpy(heard.text + heard.size, text, size + 1);
    heard.size += size;
    pthread_sigmask(SIG_SETMASK, NULL, &heard.mask);
    errno = EDOM;
    return ++heard.calls != heard.cancel_at;
}

#define HEAR .on_text = hear, .on_text_data = &heard

static const char *body_sent(int number)
{
    CHECK(number < fake_count(server, &server->request_count));
    return server->requests[number].body;
}

static const char *member_of(const cJSON *object, const char *key)
{
    return text_of(object, key);
}

/* ---- Plain ---- */

TEST(a_text_is_asked_and_the_reply_read)
{
    enum { THINKS_MS = 20 };
    start();
    SERVE(.body = plain, .delay_ms = THINKS_MS);
    lf_error error = {.status = LF_ERR_MEMORY};
    errno = EDOM;
    lf_reply *reply = CHAT(.model = "m", .messages = LF_VALUE("Why is the \"sky\" blue?"), .error = &error);
    CHECK_INT(errno, EDOM);
    CHECK(reply != NULL);
    CHECK_INT(error.status, LF_OK);
    CHECK_TEXT(error.message, "");
    CHECK_TEXT(reply->text, "Because of \"air\".");
    CHECK_INT(reply->text_size, strlen(reply->text));
    CHECK_TEXT(reply->finish_reason, "stop");
    CHECK_TEXT(member_of(reply->message, "role"), "assistant");
    CHECK_TEXT(member_of(reply->message, "content"), reply->text);
    CHECK(reply->tool_calls == NULL);
    CHECK_INT(cJSON_GetObjectItem(reply->usage, "prompt_tokens")->valueint, 10);
    CHECK_INT(cJSON_GetObjectItem(reply->usage, "completion_tokens")->valueint, 4);
    CHECK(cJSON_GetObjectItem(reply->usage, "prompt_tokens_details") != NULL);
    CHECK_TEXT(reply->json, plain);
    CHECK_INT(reply->json_size, sizeof plain - 1);
    CHECK_INT(reply->http_status, 200);
    CHECK(!reply->is_cancelled);
    lf_reply_free(reply);
    lf_reply_free(NULL);

    const fake_request *request = &server->requests[0];
    CHECK(strstr(request->head, "POST /chat/completions HTTP/1.1\r\n") == request->head);
    CHECK(fake_header_is(request, "Authorization", "Bearer " KEY));
    CHECK(fake_header_is(request, "Content-Type", "application/json"));
    CHECK(strstr(request->head, "langfuse-sdk") == NULL);
    CHECK_TEXT(request->body, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Why is the \\\"sky\\\" blue?\"}]}");
    fake_server_free(server);

    collect();
    const cJSON *span = span_named("OpenAI-generation");
    CHECK_INT(span_count, 1);
    CHECK_ROOT(span);
    CHECK_SAID(span, "type", "generation");
    CHECK_SAID(span, "model.name", "m-2026");
    CHECK(strstr(said(span, "input"), "blue?") != NULL);
    CHECK(strstr(said(span, "output"), "Because of") != NULL);
    CHECK(strstr(said(span, "usage_details"), "\"input\":4") != NULL);
    uint64_t start_ns = strtoull(text_of(span, "startTimeUnixNano"), NULL, 10);
    CHECK(strtoull(text_of(span, "endTimeUnixNano"), NULL, 10) - start_ns >= THINKS_MS * 1000000u); /* from the request on */
}

static void check_messages(lf_value messages, const char *expected)
{
    SERVE(.body = plain);
    lf_reply *reply = CHAT(.messages = messages);
    CHECK(reply != NULL);
    lf_reply_free(reply);
    char body[512];
    snprintf(body, sizeof body, "{\"messages\":%s}", expected);
    CHECK_TEXT(body_sent(0), body);
    fake_server_free(server);
}

TEST(messages_have_many_forms)
{
    check_messages(LF_VALUE("a\nb"), "[{\"role\":\"user\",\"content\":\"a\\nb\"}]");
    check_messages(LF_ARRAY(LF_OBJECT("role", "system", "content", "s"), LF_OBJECT("role", "user", "content", "u")),
                   "[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":\"u\"}]");
    check_messages(LF_OBJECT("role", "user", "content", "u"), "[{\"role\":\"user\",\"content\":\"u\"}]");
    check_messages(lf_json(" [ {\"role\":\"user\"} ]\n"), "[ {\"role\":\"user\"} ]");
    check_messages(lf_json("no JSON"), "[{\"role\":\"user\",\"content\":\"no JSON\"}]");
    cJSON *tree = cJSON_Parse("[{\"role\":\"user\",\"content\":\"tree\"}]");
    check_messages(LF_VALUE(tree), "[{\"role\":\"user\",\"content\":\"tree\"}]");
    cJSON_Delete(tree);
}

TEST(parameters_and_tools_go_into_the_request)
{
    SERVE(.body = plain);
    lf_reply_free(CHAT(.model = "m", .messages = LF_VALUE("x"), .tools = lf_json("[{\"type\":\"function\"}]"),
                       .parameters = LF_OBJECT("temperature", 0.5, "model", "other", "stream", true, "messages", "no", "tools", 1,
                                               "stop", LF_ARRAY("a", "b"))));
    CHECK_TEXT(body_sent(0),
               "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"tools\":[{\"type\":\"function\"}],"
               "\"temperature\":0.5,\"stop\":[\"a\",\"b\"]}");
    lf_reply_free(CHAT(.messages = LF_VALUE("x"), .parameters = lf_json("{\"model\":\"p\",\"tools\":[]}")));
    CHECK_TEXT(body_sent(1), "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"model\":\"p\",\"tools\":[]}");
    fake_server_free(server);
}

TEST(what_cannot_be_asked_is_an_argument)
{
    lf_error error;
    SERVE(.body = plain);
    CHECK(CHAT(.error = &error) == NULL);
    CHECK_INT(error.status, LF_ERR_ARGUMENT);
    CHECK(CHAT(.messages = LF_VALUE(5), .error = &error) == NULL);
    CHECK_INT(error.status, LF_ERR_ARGUMENT);
    CHECK(CHAT(.messages = LF_VALUE("x"), .tools = LF_OBJECT("a", 1), .error = &error) == NULL);
    CHECK_INT(error.status, LF_ERR_ARGUMENT);
    CHECK(CHAT(.messages = LF_VALUE("x"), .parameters = LF_ARRAY(1), .error = &error) == NULL);
    CHECK_INT(error.status, LF_ERR_ARGUMENT);
    static const char *const urls[] = {"localhost", "ftp://x", "http://", "http://user:" KEY "@x", "http://x/v1?key=" KEY,
                                       "http://x y"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        CHECK(lf_openai_chat(.messages = LF_VALUE("x"), .base_url = urls[i], .error = &error) == NULL);
        CHECK_INT(error.status, LF_ERR_ARGUMENT);
        CHECK(strstr(error.message, KEY) == NULL);
    }
    CHECK(lf_openai_chat(.messages = LF_VALUE("x"), .base_url = server->url, .api_key = KEY "\r\nX: y", .error = &error) == NULL);
    CHECK_INT(error.status, LF_ERR_ARGUMENT);
    CHECK(strstr(error.message, KEY) == NULL);
    CHECK(CHAT(.messages = LF_VALUE("x"), .timeout_ms = 0, .error = &error) == NULL);
    CHECK_INT(error.status, LF_ERR_TIMEOUT);
    CHECK(lf_openai_chat_with(NULL) == NULL);
    CHECK_INT(fake_count(server, &server->request_count), 0);
    fake_server_free(server);
}

TEST(a_struct_filled_by_hand_is_a_call)
{
    SERVE(.body = plain);
    const lf_chat_request chat = {LF_CHAT_REQUEST_INIT, .messages = lf_text("x"), .base_url = server->url};
    lf_reply *reply = lf_openai_chat_with(&chat);
    CHECK(reply != NULL);
    CHECK(fake_header(&server->requests[0], "Authorization") == NULL); /* servers of one's own need no key */
    lf_reply_free(reply);
    fake_server_free(server);
}

TEST(the_environment_is_read_once)
{
    SERVE(.body = plain);
    lf_error error;
    char url[160];
    snprintf(url, sizeof url, "%s/v1//", server->url);
    setenv("OPENAI_BASE_URL", url, 1);
    setenv("OPENAI_API_KEY", KEY, 1);
    lf_reply_free(lf_openai_chat(.messages = LF_VALUE("x"), .error = &error));
    CHECK_INT(error.status, LF_OK);
    setenv("OPENAI_BASE_URL", "http://127.0.0.1:1", 1);
    setenv("OPENAI_API_KEY", "other", 1);
    lf_reply_free(lf_openai_chat(.messages = LF_VALUE("x"), .error = &error));
    CHECK_INT(error.status, LF_OK);
    CHECK(strstr(server->requests[1].head, "POST /v1/chat/completions HTTP/1.1\r\n") == server->requests[1].head);
    CHECK(fake_header_is(&server->requests[1], "Authorization", "Bearer " KEY));
    fake_server_free(server);
}

TEST(without_a_key_openais_own_server_is_not_asked)
{
    unsetenv("OPENAI_BASE_URL");
    unsetenv("OPENAI_API_KEY");
    lf_error error;
    CHECK(lf_openai_chat(.model = "m", .messages = LF_VALUE("x"), .error = &error) == NULL);
    CHECK_INT(error.status, LF_ERR_DISABLED);
    CHECK(strstr(error.message, "OPENAI_API_KEY") != NULL);
}

/* ---- Streams ---- */

TEST(a_stream_is_told_as_it_arrives)
{
    start();
    static const size_t sizes[] = {1, 7, 100, 0};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        SERVE(.manner = FAKE_RAW, .body = streamed, .piece_size = sizes[i]);
        memset(&heard, 0, sizeof heard);
        lf_reply *reply = CHAT(.model = "m", .messages = LF_VALUE("x"), HEAR);
        CHECK(reply != NULL);
        CHECK_TEXT(heard.text, STREAMED_TEXT);
        CHECK(sizes[i] == 0 || sizes[i] > 7 || heard.calls == 3); /* both halves of a pair come together */
        CHECK_TEXT(reply->text, STREAMED_TEXT);
        CHECK_TEXT(member_of(reply->message, "content"), STREAMED_TEXT);
        CHECK_TEXT(reply->finish_reason, "stop");
        CHECK_INT(cJSON_GetObjectItem(reply->usage, "total_tokens")->valueint, 14);
        CHECK_INT(reply->http_status, 200);
        cJSON *json = cJSON_Parse(reply->json);
        CHECK(json != NULL);
        CHECK_TEXT(member_of(json, "model"), "m-2026");
        CHECK_TEXT(member_of(json, "id"), "c\"1");
        const cJSON *choice = cJSON_GetArrayItem(cJSON_GetObjectItem(json, "choices"), 0);
        CHECK_TEXT(member_of(choice, "finish_reason"), "stop");
        CHECK_TEXT(member_of(cJSON_GetObjectItem(choice, "message"), "content"), STREAMED_TEXT);
        CHECK_INT(cJSON_GetObjectItem(cJSON_GetObjectItem(json, "usage"), "prompt_tokens")->valueint, 10);
        CHECK_INT(cJSON_GetObjectItem(cJSON_GetObjectItem(json, "usage"), "total_tokens")->valueint, 14);
        cJSON_Delete(json);
        lf_reply_free(reply);
        CHECK(strstr(body_sent(0), ",\"stream\":true,\"stream_options\":{\"include_usage\":true}}") != NULL);
        fake_server_free(server);
    }
    collect();
    CHECK_INT(count_named("OpenAI-generation"), sizeof sizes / sizeof *sizes);
    for (size_t i = 0; i < span_count; i++) {
        CHECK(said(spans[i], "completion_start_time")[0] != '\0');
        CHECK(strstr(said(spans[i], "output"), "quoted") != NULL);
    }
}

TEST(stream_options_are_the_callers_if_said)
{
    SERVE(.manner = FAKE_RAW, .body = streamed);
    lf_reply_free(CHAT(.messages = LF_VALUE("x"), HEAR, .parameters = LF_OBJECT("stream_options", lf_null())));
    CHECK_TEXT(body_sent(0), "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"stream\":true}");
    lf_reply_free(CHAT(.messages = LF_VALUE("x"), HEAR, .parameters = LF_OBJECT("stream_options", LF_OBJECT("a", 1))));
    CHECK_TEXT(body_sent(1), "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"stream_options\":{\"a\":1},\"stream\":true}");
    fake_server_free(server);
}

TEST(a_server_that_does_not_stream_is_heard_in_one_piece)
{
    SERVE(.body = plain);
    lf_reply *reply = CHAT(.messages = LF_VALUE("x"), HEAR);
    CHECK(reply != NULL);
    CHECK_INT(heard.calls, 1);
    CHECK_TEXT(heard.text, "Because of \"air\".");
    CHECK_TEXT(reply->text, heard.text);
    lf_reply_free(reply);
    fake_server_free(server);
}

TEST(half_a_character_at_the_end_of_a_stream_is_replaced)
{
    SERVE(.manner = FAKE_RAW, .body = RAW DELTA("\"content\":\"a\\ud83d\"") LAST("stop"));
    lf_reply *reply = CHAT(.messages = LF_VALUE("x"), HEAR);
    CHECK(reply != NULL);
    CHECK_TEXT(reply->text, "a\xef\xbf\xbd");
    CHECK_TEXT(heard.text, "a\xef\xbf\xbd");
    lf_reply_free(reply);
    fake_server_free(server);
}

static fake_reply say_plain(fake_server *self, const fake_request *request)
{
    (void)self, (void)request;
    return (fake_reply){.body = plain};
}

/* on_text runs as the program's code does anywhere: signals come through, and it may ask again. */
static bool ask_again(void *data, const char *text, size_t size)
{
    (void)text, (void)size;
    lf_reply *reply = lf_openai_chat(.base_url = data, .messages = LF_VALUE("again"));
    CHECK(reply != NULL);
    CHECK_TEXT(reply->text, "Because of \"air\".");
    lf_reply_free(reply);
    return true;
}

TEST(on_text_is_code_of_the_program_like_any_other)
{
    SERVE(.manner = FAKE_RAW, .body = streamed);
    lf_reply_free(CHAT(.messages = LF_VALUE("x"), HEAR));
    CHECK_INT(sigismember(&heard.mask, SIGPIPE), 0);
    CHECK_INT(sigismember(&heard.mask, SIGTERM), 0);
    fake_server *other = fake_server_start(say_plain, NULL);
    lf_reply *reply = lf_openai_chat(.base_url = server->url, .messages = LF_VALUE("x"), .on_text = ask_again,
                                     .on_text_data = other->url);
    CHECK(reply != NULL);
    CHECK_TEXT(reply->text, STREAMED_TEXT);
    CHECK(fake_count(other, &other->request_count) > 0);
    lf_reply_free(reply);
    fake_server_free(other);
    fake_server_free(server);
}

TEST(a_call_is_cancelled_by_false)
{
    start();
    SERVE(.manner = FAKE_RAW_HANG, .body = RAW DELTA("\"content\":\"One\"") DELTA("\"content\":\" two\""));
    lf_error error;
    heard.cancel_at = 1;
    lf_reply *reply = CHAT(.messages = LF_VALUE("x"), HEAR, .error = &error);
    CHECK_SOON(fake_count(server, &server->busy) == 0); /* the connection is closed */
    CHECK(reply != NULL);
    CHECK_INT(error.status, LF_OK);
    CHECK(reply->is_cancelled);
    CHECK_INT(reply->http_status, 200);
    CHECK_INT(strncmp(reply->text, "One", 3), 0);
    CHECK_TEXT(heard.text, reply->text);
    CHECK_TEXT(reply->finish_reason, "");
    CHECK_INT(heard.calls, 1);
    lf_reply_free(reply);
    CHECK_INT(fake_count(server, &server->request_count), 1);
    fake_server_free(server);
    collect();
    const cJSON *span = span_named("OpenAI-generation");
    CHECK_SAID(span, "level", "WARNING");
    CHECK_SAID(span, "status_message", "cancelled");
    CHECK(strstr(said(span, "output"), "One") != NULL);
}

/* ---- Tools ---- */

static void check_tools(const lf_reply *reply)
{
    CHECK(reply != NULL);
    CHECK_TEXT(reply->text, "");
    CHECK_TEXT(reply->finish_reason, "tool_calls");
    CHECK_INT(cJSON_GetArraySize(reply->tool_calls), 2);
    const cJSON *first = cJSON_GetArrayItem(reply->tool_calls, 0), *second = cJSON_GetArrayItem(reply->tool_calls, 1);
    CHECK_TEXT(member_of(first, "id"), "c1");
    CHECK_TEXT(member_of(cJSON_GetObjectItem(first, "function"), "name"), "clock");
    CHECK_TEXT(member_of(cJSON_GetObjectItem(second, "function"), "arguments"), "{\"a\":1}");
    CHECK(cJSON_GetObjectItem(reply->message, "tool_calls") == reply->tool_calls);
}

TEST(tools_are_called)
{
    SERVE(.body = "{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":null,\"tool_calls\":["
                  "{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"clock\",\"arguments\":\"{}\"}},"
                  "{\"id\":\"c2\",\"type\":\"function\",\"function\":{\"name\":\"add\",\"arguments\":\"{\\\"a\\\":1}\"}}]},"
                  "\"finish_reason\":\"tool_calls\"}]}");
    THEN(.manner = FAKE_RAW,
         .body = RAW DELTA(
             "\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"index\":0,\"id\":\"c1\",\"type\":\"function\","
             "\"function\":{\"name\":\"clock\",\"arguments\":\"\"}}]")
             DELTA("\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{}\"}}]")
                 DELTA("\"tool_calls\":[{\"index\":1,\"id\":\"c2\",\"type\":\"function\",\"function\":{\"name\":\"add\","
                       "\"arguments\":\"{\\\"a\"}}]")
                     DELTA("\"tool_calls\":[{\"index\":1,\"function\":{\"arguments\":\"\\\":1}\"}}]") LAST("tool_calls"));
    lf_reply *reply = CHAT(.messages = LF_VALUE("x"));
    check_tools(reply);
    CHECK(reply->usage == NULL);
    lf_reply_free(reply);
    reply = CHAT(.messages = LF_VALUE("x"), HEAR);
    check_tools(reply);
    CHECK_INT(heard.calls, 0);
    lf_reply_free(reply);
    fake_server_free(server);
}

TEST(content_may_be_a_list_of_parts)
{
    SERVE(.body = "{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"a\\u0000b\"},"
                  "{\"type\":\"text\",\"text\":\"c\"}]},\"finish_reason\":\"length\"}]}");
    lf_reply *reply = CHAT(.messages = LF_VALUE("x"));
    CHECK(reply != NULL);
    CHECK_INT(reply->text_size, 4);
    CHECK(memcmp(reply->text, "a\0bc", 5) == 0);
    CHECK_TEXT(reply->finish_reason, "length");
    lf_reply_free(reply);
    fake_server_free(server);
}

/* ---- Tries ---- */

TEST(tries_are_generations_below_one_span)
{
    start();
    SERVE(.status = 429, .body = "{\"error\":{\"message\":\"slow down\"}}", .headers = "Retry-After: 1\r\n");
    THEN(.body = plain);
    lf_observation *parent = lf_start_observation(.name = "judge");
    lf_error error;
    lf_reply *reply = CHAT(.model = "m", .messages = LF_VALUE("x"), .parent = parent, .error = &error);
    CHECK(reply != NULL);
    CHECK_INT(error.status, LF_OK);
    CHECK_TEXT(error.message, "");
    lf_reply_free(reply);
    CHECK_INT(fake_count(server, &server->request_count), 2);
    CHECK(server->requests[1].at_ns - server->requests[0].at_ns >= 1000000000u);
    CHECK_TEXT(server->requests[0].body, server->requests[1].body);
    fake_server_free(server);
    lf_observation_end(parent);
    collect();
    CHECK_INT(span_count, 4);
    const cJSON *around = span_named("openai.chat"), *first = nth_named("OpenAI-generation", 0),
                *second = nth_named("OpenAI-generation", 1);
    CHECK_CHILD(around, span_named("judge"));
    CHECK_CHILD(first, around);
    CHECK_CHILD(second, around);
    CHECK(strcmp(said(around, "level"), "ERROR") != 0);
    CHECK_SAID(first, "level", "ERROR");
    CHECK_SAID(first, "status_message", "HTTP 429: slow down");
    CHECK(strcmp(said(second, "level"), "ERROR") != 0);
    CHECK_SAID(second, "metadata.try", "2");
    CHECK(strcmp(text_of(around, "startTimeUnixNano"), text_of(first, "startTimeUnixNano")) <= 0);
}

TEST(what_may_pass_is_tried_again_and_the_rest_is_not)
{
    static const struct {
        fake_reply reply;
        int requests;
        lf_status status;
    } cases[] = {{{.status = 408}, 2, LF_ERR_REFUSED},
                 {{.status = 500}, 2, LF_ERR_SERVER},
                 {{.status = 503}, 2, LF_ERR_SERVER},
                 {{.manner = FAKE_CLOSE}, 2, LF_ERR_NETWORK},
                 {{.manner = FAKE_RESET_BODY, .body = "{\"half\":1}"}, 2, LF_ERR_NETWORK},
                 {{.status = 400}, 1, LF_ERR_REFUSED},
                 {{.status = 401}, 1, LF_ERR_UNAUTHORIZED},
                 {{.status = 404}, 1, LF_ERR_REFUSED},
                 {{.status = 302, .headers = "Location: http://127.0.0.1:1/\r\n"}, 1, LF_ERR_SERVER},
                 {{.body = "<html>"}, 1, LF_ERR_SERVER},
                 {{.status = 429, .headers = "Retry-After: 600\r\n"}, 1, LF_ERR_REFUSED}}; /* there is less time than that */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lf_error error;
        serve(cases[i].reply);
        CHECK(CHAT(.messages = LF_VALUE("x"), .max_retries = 1, .error = &error) == NULL);
        CHECK_INT(fake_count(server, &server->request_count), cases[i].requests);
        CHECK_INT(error.status, cases[i].status);
        CHECK_INT(error.http_status, cases[i].reply.manner != FAKE_ANSWER ? 0
                                     : cases[i].reply.status == 0         ? 200
                                                                          : cases[i].reply.status);
        CHECK(strstr(error.message, server->url) != NULL);
        CHECK(CHAT(.messages = LF_VALUE("x"), .max_retries = 0) == NULL); /* and not if none is wanted */
        CHECK_INT(fake_count(server, &server->request_count), cases[i].requests + 1);
        fake_server_free(server);
    }
}

TEST(a_stream_that_has_begun_is_not_tried_again)
{
    start();
    SERVE(.manner = FAKE_RAW, .body = RAW DELTA("\"content\":\"Once\""));
    lf_error error;
    CHECK(CHAT(.messages = LF_VALUE("x"), HEAR, .error = &error) == NULL); /* no reason to finish, no end mark */
    CHECK_TEXT(heard.text, "Once");
    CHECK_INT(error.status, LF_ERR_NETWORK);
    SAY(.manner = FAKE_RAW, .body = "HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" DELTA("\"content\":\" upon\""));
    CHECK(CHAT(.messages = LF_VALUE("x"), HEAR, .error = &error) == NULL);
    CHECK_TEXT(heard.text, "Once upon");
    CHECK_INT(error.status, LF_ERR_NETWORK);
    SAY(.manner = FAKE_RAW, .body = RAW DELTA("\"content\":\" a\"") "data: {\"error\":{\"message\":\"lost my thread\"}}\n\n");
    CHECK(CHAT(.messages = LF_VALUE("x"), HEAR, .error = &error) == NULL);
    CHECK_TEXT(heard.text, "Once upon a");
    CHECK_INT(error.status, LF_ERR_SERVER);
    CHECK(strstr(error.message, "lost my thread") != NULL);
    CHECK_INT(fake_count(server, &server->request_count), 3);
    fake_server_free(server);
    collect();
    CHECK_INT(span_count, 3);
    CHECK_SAID(nth_named("OpenAI-generation", 0), "level", "WARNING");
    CHECK_SAID(nth_named("OpenAI-generation", 1), "level", "ERROR");
    CHECK_SAID(nth_named("OpenAI-generation", 2), "level", "ERROR");
    CHECK(strstr(said(nth_named("OpenAI-generation", 1), "output"), "upon") != NULL);
}

/* ---- Errors ---- */

TEST(the_servers_words_are_told_without_the_key)
{
    start();
    SERVE(.status = 401, .body = "{\"error\":{\"message\":\"no such key: " KEY "\"}}");
    lf_error error;
    CHECK(CHAT(.messages = LF_VALUE("x"), .error = &error) == NULL);
    CHECK_TEXT(strstr(error.message, "HTTP"), "HTTP 401: no such key:(secret)");
    CHECK_INT(error.http_status, 401);
    SAY(.status = 500, .body = KEY);
    CHECK(CHAT(.messages = LF_VALUE("x"), HEAR, .max_retries = 0, .error = &error) == NULL);
    CHECK(strstr(error.message, KEY) == NULL);
    SAY(.manner = FAKE_RAW, .body = RAW "data: {\"error\":{\"message\":\"no more of " KEY "\"}}\n\n");
    CHECK(CHAT(.messages = LF_VALUE("x"), HEAR, .tracing = LF_OFF, .error = &error) == NULL);
    CHECK(strstr(error.message, "no more of") != NULL);
    CHECK(strstr(error.message, KEY) == NULL);
    fake_server_free(server);
    collect();
    CHECK_INT(span_count, 2);
    for (size_t i = 0; i < span_count; i++) {
        char *text = cJSON_Print(spans[i]);
        CHECK(strstr(text, KEY) == NULL);
        CHECK_SAID(spans[i], "level", "ERROR");
        free(text);
    }
}

TEST(no_server_is_told_with_its_url)
{
    char url[64];
    lf_error error;
    start();
    snprintf(url, sizeof url, "http://127.0.0.1:%d/v1", fake_free_port());
    CHECK(lf_openai_chat(.messages = LF_VALUE("x"), .base_url = url, .max_retries = 0, .error = &error) == NULL);
    CHECK_INT(error.status, LF_ERR_NETWORK);
    CHECK(strstr(error.message, "cannot connect to http://127.0.0.1") != NULL);
    collect();
    CHECK_TEXT(said(span_named("OpenAI-generation"), "status_message"), error.message);
}

TEST(a_call_ends_in_time)
{
    start();
    SERVE(.manner = FAKE_HANG);
    lf_error error;
    CHECK(CHAT(.messages = LF_VALUE("x"), .timeout_ms = 100, .error = &error) == NULL);
    CHECK_INT(error.status, LF_ERR_TIMEOUT);
    CHECK(strstr(error.message, "within 100 ms") != NULL);
    SAY(.manner = FAKE_RAW_HANG, .body = RAW DELTA("\"content\":\"One\""));
    CHECK(CHAT(.messages = LF_VALUE("x"), HEAR, .timeout_ms = 1000, .error = &error) == NULL);
    CHECK_INT(error.status, LF_ERR_TIMEOUT);
    CHECK_TEXT(heard.text, "One");
    CHECK_INT(fake_count(server, &server->request_count), 2);
    fake_server_free(server);
    collect();
    CHECK_INT(span_count, 2);
    CHECK_SAID(nth_named("OpenAI-generation", 0), "level", "ERROR");
    CHECK_SAID(nth_named("OpenAI-generation", 1), "level", "ERROR");
}

/* ---- Observing ---- */

static void ask_both_ways(void)
{
    SAY(.body = plain);
    lf_reply *reply = CHAT(.messages = LF_VALUE("x"));
    CHECK(reply != NULL);
    CHECK_TEXT(reply->text, "Because of \"air\".");
    lf_reply_free(reply);
    SAY(.manner = FAKE_RAW, .body = streamed);
    memset(&heard, 0, sizeof heard);
    reply = CHAT(.messages = LF_VALUE("x"), HEAR);
    CHECK(reply != NULL);
    CHECK_TEXT(heard.text, STREAMED_TEXT);
    lf_reply_free(reply);
}

TEST(without_keys_the_model_is_asked_all_the_same)
{
    setenv("LANGFUSE_LOG", "quiet", 1);
    SERVE(.body = plain);
    ask_both_ways();
    fake_server_free(server);
    CHECK_INT(stats_now().accepted, 0);
}

TEST(a_call_that_is_not_recorded_starts_nothing)
{
    SERVE(.body = plain);
    lf_reply *reply = CHAT(.messages = LF_VALUE("x"), .tracing = LF_OFF);
    CHECK(reply != NULL);
    lf_reply_free(reply);
    CHECK_INT(lf_i_mode_word, LF_I_UNKNOWN);
    fake_server_free(server);
}

TEST(while_tracing_is_off_the_model_is_asked_all_the_same)
{
    start();
    SERVE(.body = plain);
    lf_set_tracing(false);
    ask_both_ways();
    lf_set_tracing(true);
    SAY(.status = 500);
    CHECK(CHAT(.messages = LF_VALUE("x"), .tracing = LF_OFF, .max_retries = 1) == NULL);
    CHECK_INT(stats_now().accepted, 0);
    CHECK_INT(lf_shutdown(HARNESS_WAIT_MS), LF_OK);
    ask_both_ways();
    fake_server_free(server);
}

TEST(a_call_belongs_below_what_is_open)
{
    start();
    SERVE(.body = plain);
    {
        OBSERVE_AGENT();
        lf_reply_free(CHAT(.messages = LF_VALUE("x"), .name = "judge"));
    }
    fake_server_free(server);
    collect();
    CHECK_INT(span_count, 2);
    CHECK_INT(count_named("judge"), 1);
    CHECK(parent_of(span_named("judge"))[0] != '\0');
}

/* ---- Ceilings ---- */

enum { LARGE = 3 << 20, LARGE_PIECE = 4096 };

static void append(char **at, const char *text, size_t size)
{
    memcpy(*at, text, size + 1);
    *at += size;
}

/* A streamed reply of that text. */
static char *large_stream(const char *text)
{
    static const char before[] = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"", behind[] = "\"}}]}\n\n";
    char *stream = malloc(2 * LARGE), *at = stream;
    CHECK(stream != NULL);
    append(&at, RAW, sizeof RAW - 1);
    for (size_t i = 0; i < LARGE; i += LARGE_PIECE) {
        append(&at, before, sizeof before - 1);
        append(&at, text + i, LARGE_PIECE);
        append(&at, behind, sizeof behind - 1);
    }
    append(&at, LAST("stop"), sizeof LAST("stop") - 1);
    return stream;
}

TEST(a_large_reply_comes_whole)
{
    char *body = malloc(2 * LARGE), *text = malloc(LARGE + 1 + LARGE_PIECE);
    CHECK(body != NULL && text != NULL);
    for (size_t i = 0; i < LARGE; i++)
        text[i] = (char)('a' + i * 7 % 26);
    text[LARGE] = '\0';
    snprintf(body, 2 * LARGE,
             "{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"%s\"},\"finish_reason\":\"stop\"}]}", text);
    SERVE(.body = body);
    lf_reply *reply = CHAT(.messages = LF_VALUE(text));
    CHECK(reply != NULL);
    CHECK_TEXT(reply->text, text);
    CHECK_TEXT(reply->json, body);
    lf_reply_free(reply);
    char *stream = large_stream(text);
    SAY(.manner = FAKE_RAW, .body = stream);
    reply = CHAT(.messages = LF_VALUE("x"), HEAR);
    CHECK(reply != NULL);
    CHECK_TEXT(reply->text, text);
    CHECK_INT(heard.size, LARGE);
    lf_reply_free(reply);
    fake_server_free(server);
    free(stream);
    free(body);
    free(text);
}

TEST(without_memory_a_call_fails_and_leaks_nothing)
{
    lf_options options = to_file(harness_path);
    options.tracing = LF_OFF; /* no other thread allocates */
    (void)lf_init(&options);
    for (int streams = 0; streams < 2; streams++) {
        SERVE(.body = plain);
        if (streams)
            SAY(.manner = FAKE_RAW, .body = streamed);
        lf_reply *reply = NULL;
        for (unsigned long n = 1; reply == NULL; n++) {
            lf_error error;
            CHECK(n < 500);
            lf__alloc_fail_from(n);
            reply = streams ? CHAT(.messages = LF_VALUE("x"), HEAR, .max_retries = 0, .error = &error)
                            : CHAT(.messages = LF_VALUE("x"), .max_retries = 0, .error = &error);
            lf__alloc_fail_from(0);
            CHECK((reply != NULL) == (error.status == LF_OK));
        }
        CHECK_TEXT(reply->text, streams ? STREAMED_TEXT : "Because of \"air\".");
        lf_reply_free(reply);
        fake_server_free(server);
    }
}

/* ---- The end of the process ---- */

static void *ask_for_long(void *url)
{
    lf_reply_free(lf_openai_chat(.base_url = url, .messages = LF_VALUE("x")));
    return NULL;
}

TEST(a_process_may_end_while_a_thread_asks)
{
    static char url[128];
    char byte;
    pthread_t thread;
    setenv("LANGFUSE_LOG", "quiet", 1);
    int listener = silent_server(url, sizeof url);
    CHECK(pthread_create(&thread, NULL, ask_for_long, url) == 0);
    CHECK(pthread_detach(thread) == 0);
    int connection = accept(listener, NULL, NULL);
    CHECK_INT(recv(connection, &byte, 1, 0), 1); /* the request is on its way */
    harness_leaves_threads_behind = true;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_is_asked_and_the_reply_read),
        cmocka_unit_test(messages_have_many_forms),
        cmocka_unit_test(parameters_and_tools_go_into_the_request),
        cmocka_unit_test(what_cannot_be_asked_is_an_argument),
        cmocka_unit_test(a_struct_filled_by_hand_is_a_call),
        cmocka_unit_test(the_environment_is_read_once),
        cmocka_unit_test(without_a_key_openais_own_server_is_not_asked),
        cmocka_unit_test(a_stream_is_told_as_it_arrives),
        cmocka_unit_test(stream_options_are_the_callers_if_said),
        cmocka_unit_test(a_server_that_does_not_stream_is_heard_in_one_piece),
        cmocka_unit_test(half_a_character_at_the_end_of_a_stream_is_replaced),
        cmocka_unit_test(on_text_is_code_of_the_program_like_any_other),
        cmocka_unit_test(a_call_is_cancelled_by_false),
        cmocka_unit_test(tools_are_called),
        cmocka_unit_test(content_may_be_a_list_of_parts),
        cmocka_unit_test(tries_are_generations_below_one_span),
        cmocka_unit_test(what_may_pass_is_tried_again_and_the_rest_is_not),
        cmocka_unit_test(a_stream_that_has_begun_is_not_tried_again),
        cmocka_unit_test(the_servers_words_are_told_without_the_key),
        cmocka_unit_test(no_server_is_told_with_its_url),
        cmocka_unit_test(a_call_ends_in_time),
        cmocka_unit_test(without_keys_the_model_is_asked_all_the_same),
        cmocka_unit_test(a_call_that_is_not_recorded_starts_nothing),
        cmocka_unit_test(while_tracing_is_off_the_model_is_asked_all_the_same),
        cmocka_unit_test(a_call_belongs_below_what_is_open),
        cmocka_unit_test(a_large_reply_comes_whole),
        cmocka_unit_test(without_memory_a_call_fails_and_leaks_nothing),
        cmocka_unit_test(a_process_may_end_while_a_thread_asks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
