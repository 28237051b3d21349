/* Requests over libcurl against a scripted server: what is sent, how connections are used, and every way in which a server
 * can fail to answer properly.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/deliver/http.h"
#include "fake_server.h"
#include "fixture.h"

#include <curl/curl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

typedef struct outcome {
    int done; /* how often `done` was called */
    int status;
    long retry_after_ms;
    lf__http_failure failure;
    bool cut;
    char message[512];
    char body[LF__HTTP_ANSWER_MAX + 1];
    size_t body_size;
    lf__http *http;           /* with `again`: start it once more from within `done` */
    lf__http_request *again;
} outcome;

static lf__config config;

static int start_clean(void **state)
{
    (void)state;
    fixture_clean_environment();
    config = (lf__config){
        .public_key = (char *)"pk-lf-1", .secret_key = (char *)"sk-lf-2", .authorization = (char *)"Basic cGstbGYtMTpzay1sZi0y"};
    config.gate = &config.gate_itself;
    return 0;
}

static void post_done(lf__http_request *post, const lf__http_answer *answer)
{
    outcome *out = post->owner;
    out->done++;
    out->status = answer->status;
    out->retry_after_ms = answer->retry_after_ms;
    out->failure = answer->failure;
    out->cut = answer->cut;
    snprintf(out->message, sizeof out->message, "%s", answer->message);
    memcpy(out->body, answer->body, answer->body_size + 1);
    out->body_size = answer->body_size;
    if (out->again != NULL) {
        lf__http_request *again = out->again;
        out->again = NULL;
        assert_true(lf__http_start(out->http, again));
    }
}

static lf__http_request post_to(const char *url, outcome *out)
{
    *out = (outcome){0};
    return (lf__http_request){.config = &config,
                              .method = LF__HTTP_POST,
                              .url = url,
                              .content_type = "application/json",
                              .body = {{"{\"a\":", 5}, {"[1,2]", 5}, {"}", 1}},
                              .timeout_ms = PATIENCE_MS,
                              .done = post_done,
                              .owner = out};
}

static void poll_until_done(lf__http *http)
{
    uint64_t until_ns = lf__monotonic_ns() + (uint64_t)2 * PATIENCE_MS * 1000000u;
    while (lf__http_running(http) > 0) {
        assert_true(lf__monotonic_ns() < until_ns);
        lf__http_poll(http, 100);
    }
}

/* One request to this server, with the configuration as it stands. */
static outcome post_once(const char *url, long timeout_ms)
{
    static outcome out;
    lf__http *http = lf__http_new();
    assert_non_null(http);
    lf__http_request post = post_to(url, &out);
    post.timeout_ms = timeout_ms;
    assert_true(lf__http_start(http, &post));
    poll_until_done(http);
    assert_int_equal(out.done, 1);
    lf__http_free(http);
    return out;
}

static fake_reply say_reply(fake_server *server, const fake_request *request)
{
    (void)request;
    return *(const fake_reply *)server->data;
}

static outcome post_answered_by(fake_reply reply, long timeout_ms)
{
    fake_server *server = fake_server_start(say_reply, &reply);
    outcome out = post_once(server->url, timeout_ms);
    fake_server_free(server);
    return out;
}

/* ---- What is sent ---- */

static void a_request_carries_our_headers_and_the_body_in_one_piece(void **state)
{
    (void)state;
    fake_server *server = fake_server_start(NULL, NULL);
    char url[256];
    snprintf(url, sizeof url, "%s/prefix/v1/traces", server->url);
    outcome out = post_once(url, PATIENCE_MS);
    assert_int_equal(out.status, 200);
    assert_int_equal(server->request_count, 1);
    const fake_request *request = &server->requests[0];
    assert_ptr_equal(strstr(request->head, "POST /prefix/v1/traces HTTP/1.1\r\n"), request->head);
    assert_true(fake_header_is(request, "Content-Type", "application/json"));
    assert_true(fake_header_is(request, "Content-Length", "11"));
    assert_true(fake_header_is(request, "Authorization", "Basic cGstbGYtMTpzay1sZi0y"));
    assert_true(fake_header_is(request, "User-Agent", "langfuse-c/" LANGFUSE_VERSION));
    assert_true(fake_header_is(request, "x-langfuse-sdk-name", "c"));
    assert_true(fake_header_is(request, "x-langfuse-sdk-version", LANGFUSE_VERSION));
    assert_true(fake_header_is(request, "x-langfuse-public-key", "pk-lf-1"));
    assert_true(fake_header_is(request, "x-langfuse-ingestion-version", "4"));
    assert_null(fake_header(request, "Content-Encoding"));
    assert_null(fake_header(request, "Transfer-Encoding"));
    assert_null(fake_header(request, "Expect"));
    assert_string_equal(request->body, "{\"a\":[1,2]}");
    fake_server_free(server);
}

/* libcurl's, as the library reaches it: what it gives back must not contain a line any more. */
static int lines_given_back, lines_still_readable;

void curl_slist_free_all(struct curl_slist *list)
{
    while (list != NULL) {
        struct curl_slist *next = list->next;
        lines_given_back++;
        lines_still_readable += list->data[0] != '\0' || strstr(list->data + 1, "Basic") != NULL;
        free(list->data);
        free(list);
        list = next;
    }
}

static void header_lines_are_overwritten_before_they_are_given_back(void **state)
{
    (void)state;
    fake_server *server = fake_server_start(NULL, NULL);
    lines_given_back = lines_still_readable = 0;
    outcome out = post_once(server->url, PATIENCE_MS);
    assert_int_equal(out.status, 200);
    assert_true(lines_given_back > 5);
    assert_int_equal(lines_still_readable, 0);
    fake_server_free(server);
}

static void without_keys_there_is_no_authorization(void **state)
{
    (void)state;
    config.public_key = config.secret_key = config.authorization = NULL;
    fake_server *server = fake_server_start(NULL, NULL);
    post_once(server->url, PATIENCE_MS);
    assert_null(fake_header(&server->requests[0], "Authorization"));
    assert_null(fake_header(&server->requests[0], "x-langfuse-public-key"));
    fake_server_free(server);
}

static void keys_of_any_length_are_sent(void **state)
{
    (void)state;
    static char key[3000];
    memset(key, 'k', sizeof key - 1);
    config.public_key = key;
    fake_server *server = fake_server_start(NULL, NULL);
    assert_int_equal(post_once(server->url, PATIENCE_MS).status, 200);
    assert_true(fake_header_is(&server->requests[0], "x-langfuse-public-key", key));
    fake_server_free(server);
}

static void configured_headers_are_added_and_replace_ours(void **state)
{
    (void)state;
    lf__pair pairs[] = {{(char *)"X-Team", (char *)"blue"},
                        {(char *)"AUTHORIZATION", (char *)"Bearer token"},
                        {(char *)"user-agent", (char *)"me"},
                        {(char *)"X-Langfuse-Sdk-Names", (char *)"longer, so another"}};
    config.headers = pairs;
    config.header_count = 4;
    fake_server *server = fake_server_start(NULL, NULL);
    post_once(server->url, PATIENCE_MS);
    const fake_request *request = &server->requests[0];
    assert_true(fake_header_is(request, "X-Team", "blue"));
    assert_true(fake_header_is(request, "Authorization", "Bearer token"));
    assert_true(fake_header_is(request, "User-Agent", "me"));
    assert_true(fake_header_is(request, "x-langfuse-sdk-name", "c"));
    assert_null(strstr(request->head, "Basic "));
    assert_null(strstr(request->head, "langfuse-c/"));
    fake_server_free(server);
}

static void large_bodies_arrive_unchanged(void **state)
{
    (void)state;
    enum { SIZE = 3 << 20 };
    char *bytes = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (char)(i * 2654435761u >> 13);
    fake_server *server = fake_server_start(NULL, NULL);
    lf__http *http = lf__http_new();
    static outcome out;
    lf__http_request post = post_to(server->url, &out);
    post.body[1] = (lf__http_part){bytes, SIZE};
    post.body[2] = (lf__http_part){NULL, 0};
    assert_true(lf__http_start(http, &post));
    poll_until_done(http);
    assert_int_equal(out.status, 200);
    assert_int_equal(server->requests[0].body_size, SIZE + 5);
    assert_memory_equal(server->requests[0].body + 5, bytes, SIZE);
    lf__http_free(http);
    fake_server_free(server);
    free(bytes);
}

static void every_method_is_sent_with_its_body_and_nothing_else(void **state)
{
    (void)state;
    static const char *const lines[] = {"GET / HTTP/1.1\r\n", "POST / HTTP/1.1\r\n", "PUT / HTTP/1.1\r\n", "PATCH / HTTP/1.1\r\n",
                                        "DELETE / HTTP/1.1\r\n"};
    fake_server *server = fake_server_start(NULL, NULL);
    lf__http *http = lf__http_new();
    static outcome out;
    for (int i = 0; i < 10; i++) { /* one handle after the other: a method must not stay with it */
        lf__http_method method = (lf__http_method)(i % 5);
        lf__http_request post = post_to(server->url, &out);
        post.method = method;
        bool bodiless = i >= 5 || method == LF__HTTP_GET;
        if (bodiless) {
            memset(post.body, 0, sizeof post.body);
            post.content_type = NULL;
        }
        assert_true(lf__http_start(http, &post));
        poll_until_done(http);
        assert_int_equal(out.status, 200);
        const fake_request *request = &server->requests[i];
        assert_ptr_equal(strstr(request->head, lines[method]), request->head);
        assert_string_equal(request->body, bodiless ? "" : "{\"a\":[1,2]}");
        assert_int_equal(fake_header(request, "Content-Type") != NULL, !bodiless);
        assert_true(fake_header_is(request, "Authorization", "Basic cGstbGYtMTpzay1sZi0y"));
    }
    assert_int_equal(fake_count(server, &server->accepted), 1);
    lf__http_free(http);
    fake_server_free(server);
}

static void requests_of_several_configurations_share_one_http(void **state)
{
    (void)state;
    lf__config other = {.public_key = (char *)"pk-lf-other", .authorization = (char *)"Basic b3RoZXI="};
    fake_server *server = fake_server_start(NULL, NULL);
    lf__http *http = lf__http_new();
    static outcome out;
    for (int i = 0; i < 4; i++) {
        lf__http_request post = post_to(server->url, &out);
        post.config = i % 2 == 0 ? &config : &other;
        assert_true(lf__http_start(http, &post));
        poll_until_done(http);
        assert_true(fake_header_is(&server->requests[i], "x-langfuse-public-key", post.config->public_key));
        assert_true(fake_header_is(&server->requests[i], "Authorization", post.config->authorization));
    }
    lf__http_free(http);
    fake_server_free(server);
}

static void headers_are_appended_to_a_list_or_it_stays_as_it_was(void **state)
{
    (void)state;
    struct curl_slist *list = lf__http_append(NULL, "traceparent", "00-1-2-01");
    assert_non_null(list);
    assert_ptr_equal(lf__http_append(list, "baggage", ""), list);
    lf__alloc_fail_from(1);
    assert_ptr_equal(lf__http_append(list, "more", "x"), list);
    assert_null(lf__http_append(NULL, "more", "x"));
    lf__alloc_fail_from(0);
    assert_string_equal(list->data, "traceparent: 00-1-2-01");
    assert_string_equal(list->next->data, "baggage: ");
    assert_null(list->next->next);
    curl_slist_free_all(list);
}

/* ---- Connections ---- */

static void requests_one_after_the_other_use_one_connection(void **state)
{
    (void)state;
    fake_server *server = fake_server_start(NULL, NULL);
    lf__http *http = lf__http_new();
    static outcome out;
    for (int i = 0; i < 20; i++) {
        lf__http_request post = post_to(server->url, &out);
        assert_true(lf__http_start(http, &post));
        poll_until_done(http);
        assert_int_equal(out.status, 200);
    }
    assert_int_equal(fake_count(server, &server->request_count), 20);
    assert_int_equal(fake_count(server, &server->accepted), 1);
    lf__http_free(http);
    fake_server_free(server);
}

static fake_reply wait_for_three(fake_server *server, const fake_request *request)
{
    (void)request;
    /* Answered only once three are there at the same time: one after the other would never end. */
    for (int i = 0; i < PATIENCE_MS && fake_count(server, &server->most_busy) < 3; i++)
        pause_ms(1);
    return (fake_reply){0};
}

static void several_requests_are_in_flight_at_once(void **state)
{
    (void)state;
    fake_server *server = fake_server_start(wait_for_three, NULL);
    lf__http *http = lf__http_new();
    static outcome out[3];
    lf__http_request post[3];
    for (int i = 0; i < 3; i++) {
        post[i] = post_to(server->url, &out[i]);
        assert_true(lf__http_start(http, &post[i]));
    }
    assert_int_equal(lf__http_running(http), 3);
    poll_until_done(http);
    for (int i = 0; i < 3; i++)
        assert_int_equal(out[i].status, 200);
    assert_int_equal(fake_count(server, &server->most_busy), 3);
    lf__http_free(http);
    fake_server_free(server);
}

static fake_reply answer_once_per_connection(fake_server *server, const fake_request *request)
{
    (void)request;
    /* The second request of a connection finds it closed. */
    int *answered = server->data;
    return ++*answered == 2 ? (fake_reply){.manner = FAKE_CLOSE} : (fake_reply){0};
}

static void a_kept_connection_that_died_is_replaced_without_a_failure(void **state)
{
    (void)state;
    int answered = 0;
    fake_server *server = fake_server_start(answer_once_per_connection, &answered);
    lf__http *http = lf__http_new();
    static outcome out;
    for (int i = 0; i < 2; i++) {
        lf__http_request post = post_to(server->url, &out);
        assert_true(lf__http_start(http, &post));
        poll_until_done(http);
        assert_int_equal(out.status, 200);
    }
    assert_int_equal(fake_count(server, &server->accepted), 2);
    assert_string_equal(server->requests[2].body, "{\"a\":[1,2]}"); /* from its beginning */
    lf__http_free(http);
    fake_server_free(server);
}

static void a_request_can_be_started_from_within_done(void **state)
{
    (void)state;
    fake_server *server = fake_server_start(NULL, NULL);
    lf__http *http = lf__http_new();
    static outcome first, second;
    lf__http_request post = post_to(server->url, &first), next = post_to(server->url, &second);
    first.http = http;
    first.again = &next;
    assert_true(lf__http_start(http, &post));
    poll_until_done(http);
    assert_int_equal(first.done, 1);
    assert_int_equal(second.done, 1);
    assert_int_equal(second.status, 200);
    lf__http_free(http);
    fake_server_free(server);
}

/* ---- Answers ---- */

static void status_and_body_are_handed_on(void **state)
{
    (void)state;
    outcome out = post_answered_by((fake_reply){.status = 422, .body = "{\"message\":\"no\"}"}, PATIENCE_MS);
    assert_int_equal(out.status, 422);
    assert_string_equal(out.body, "{\"message\":\"no\"}");
    assert_int_equal(out.body_size, 16);
    assert_int_equal(out.retry_after_ms, -1);
    assert_int_equal(out.failure, LF__HTTP_NO_FAILURE);
    assert_false(out.cut);
    assert_string_equal(out.message, "");
}

static void huge_answers_are_cut_and_count_as_answers(void **state)
{
    (void)state;
    enum { SIZE = 8 << 20 };
    char *huge = malloc(SIZE + 1);
    memset(huge, 'x', SIZE);
    huge[SIZE] = '\0';
    outcome out = post_answered_by((fake_reply){.status = 200, .body = huge, .body_size = SIZE}, PATIENCE_MS);
    assert_int_equal(out.status, 200);
    assert_int_equal(out.body_size, LF__HTTP_ANSWER_MAX);
    assert_true(out.cut);
    assert_int_equal(strlen(out.body), LF__HTTP_ANSWER_MAX);
    out = post_answered_by((fake_reply){.status = 503, .body = huge, .body_size = 100000}, PATIENCE_MS); /* read to the end */
    assert_int_equal(out.status, 503);
    assert_int_equal(out.body_size, LF__HTTP_ANSWER_MAX);
    free(huge);
}

static struct {
    char *body;
    size_t size;
    bool cut, no_memory;
} kept;

static void keep_answer(lf__http_request *request, const lf__http_answer *answer)
{
    (void)request;
    kept.body = malloc(answer->body_size + 1);
    memcpy(kept.body, answer->body, answer->body_size + 1);
    kept.size = answer->body_size;
    kept.cut = answer->cut;
    kept.no_memory = answer->no_memory;
    assert_int_equal(answer->status, 200);
}

/* Keep at most `most` of this answer; the n-th allocation from then on fails (0: none). */
static void keep_of(const char *text, size_t size, size_t most, unsigned long fail)
{
    fake_reply reply = {.body = text, .body_size = size};
    fake_server *server = fake_server_start(say_reply, &reply);
    lf__http *http = lf__http_new();
    static outcome out;
    lf__http_request request = post_to(server->url, &out);
    request.method = LF__HTTP_GET;
    memset(request.body, 0, sizeof request.body);
    request.answer_max = most;
    request.done = keep_answer;
    assert_true(lf__http_start(http, &request));
    lf__alloc_fail_from(fail);
    poll_until_done(http);
    lf__alloc_fail_from(0);
    lf__http_free(http);
    fake_server_free(server);
    assert_memory_equal(kept.body, text, kept.size);
    assert_int_equal(kept.body[kept.size], '\0');
    free(kept.body);
}

static void an_answer_in_pieces_is_kept_without_a_hole(void **state)
{
    (void)state;
    static char reply[8192];
    char long_piece[5001];
    memset(long_piece, 'x', 5000);
    long_piece[5000] = '\0';
    for (int i = 0; i < 3; i++) {
        static const char hello[] = "5\r\nhello\r\n";
        snprintf(reply, sizeof reply, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%s1388\r\n%s\r\n%s0\r\n\r\n",
                 i == 0 ? hello : "", long_piece, i == 0 ? "" : hello);
        fake_reply raw = {.manner = FAKE_RAW, .body = reply};
        fake_server *server = fake_server_start(say_reply, &raw);
        lf__http *http = lf__http_new();
        static outcome out;
        lf__http_request request = post_to(server->url, &out);
        request.answer_max = 6000;
        request.done = keep_answer;
        assert_true(lf__http_start(http, &request));
        lf__alloc_fail_from(i == 2 ? 1 : 0);
        poll_until_done(http);
        lf__alloc_fail_from(0);
        assert_int_equal(kept.size, i == 2 ? 0 : 5005); /* without memory for the first piece, none */
        assert_int_equal(kept.no_memory, i == 2);
        if (i < 2)
            assert_ptr_equal(strstr(kept.body, "hello"), kept.body + (i == 0 ? 0 : 5000));
        free(kept.body);
        lf__http_free(http);
        fake_server_free(server);
    }
}

static void as_much_of_an_answer_is_kept_as_was_asked_for(void **state)
{
    (void)state;
    enum { SIZE = 3 << 20 };
    char *text = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        text[i] = (char)('!' + i * 2654435761u % 90);
    static const struct {
        size_t size, most, kept;
        unsigned long fail;
    } cases[] = {{SIZE, 8 << 20, SIZE, 0},  {SIZE, SIZE, SIZE, 0},   {SIZE, SIZE - 1, SIZE - 1, 0},
                 {SIZE, 100000, 100000, 0}, {5000, 5000, 5000, 0},   {5000, 4999, 4999, 0},
                 {4096, 0, 4096, 0},        {4097, 0, 4096, 0},      {4097, 4097, 4097, 0},
                 {5000, 10, 10, 0},         {4096, 1 << 20, 4096, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        keep_of(text, cases[i].size, cases[i].most, cases[i].fail);
        assert_int_equal(kept.size, cases[i].kept);
        assert_int_equal(kept.cut, cases[i].kept < cases[i].size);
        assert_false(kept.no_memory);
    }
    for (unsigned long fail = 1; fail < 6; fail++) { /* no memory to keep more: what is there is its beginning */
        keep_of(text, SIZE, SIZE, fail);
        assert_true(kept.cut);
        assert_true(kept.no_memory);
        assert_true(kept.size < SIZE);
    }
    free(text);
}

/* POST to a server that gives this reply; a 2xx body goes into `stream`. */
static outcome stream_into(lf__buf *stream, fake_reply reply)
{
    static outcome out;
    fake_server *server = fake_server_start(say_reply, &reply);
    lf__http *http = lf__http_new();
    lf__http_request request = post_to(server->url, &out);
    request.stream = stream;
    assert_true(lf__http_start(http, &request));
    poll_until_done(http);
    assert_int_equal(out.done, 1);
    assert_int_equal(request.stream_status, reply.status == 429 ? 0 : 200);
    lf__http_free(http);
    fake_server_free(server);
    return out;
}

static void the_body_of_an_answer_goes_into_the_buffer_of_its_request(void **state)
{
    (void)state;
    static char text[100001];
    memset(text, 's', sizeof text - 1);
    lf__buf stream;
    lf__buf_init(&stream, sizeof text);
    outcome out = stream_into(&stream, (fake_reply){.body = text});
    assert_int_equal(out.status, 200);
    assert_int_equal(out.body_size, 0);
    assert_false(out.cut);
    assert_int_equal(stream.length, sizeof text - 1);
    assert_memory_equal(stream.data, text, sizeof text - 1);

    lf__buf_clear(&stream); /* a refusal is kept for `done` */
    out = stream_into(&stream, (fake_reply){.status = 429, .body = "too many", .headers = "Retry-After: 3\r\n"});
    assert_int_equal(out.status, 429);
    assert_int_equal(out.retry_after_ms, 3000);
    assert_string_equal(out.body, "too many");
    assert_int_equal(stream.length, 0);

    stream.limit = stream.capacity = 10; /* a body beyond the ceiling */
    out = stream_into(&stream, (fake_reply){.body = text});
    assert_int_equal(out.status, 0);
    assert_int_equal(out.failure, LF__HTTP_BROKEN);
    assert_true(stream.failed);
    assert_false(stream.no_memory);
    lf__buf_done(&stream);
}

static void a_foreign_server_gets_no_header_of_ours(void **state)
{
    (void)state;
    lf__pair pairs[] = {{(char *)"Authorization", (char *)"Bearer token"}};
    config.headers = pairs;
    config.header_count = 1;
    fake_server *server = fake_server_start(NULL, NULL);
    static outcome out;
    lf__http *http = lf__http_new();
    lf__http_request request = post_to(server->url, &out);
    request.is_foreign = true;
    assert_true(lf__http_start(http, &request));
    poll_until_done(http);
    lf__http_free(http);
    assert_int_equal(out.status, 200);
    const fake_request *got = &server->requests[0];
    assert_true(fake_header_is(got, "Authorization", "Bearer token"));
    assert_true(fake_header_is(got, "Content-Type", "application/json"));
    assert_true(fake_header_is(got, "User-Agent", "langfuse-c/" LANGFUSE_VERSION));
    assert_null(strstr(got->head, "x-langfuse"));
    assert_null(strstr(got->head, "pk-lf-1"));
    assert_null(strstr(got->head, "Basic"));
    fake_server_free(server);
}

static void redirects_are_not_followed(void **state)
{
    (void)state;
    fake_server *other = fake_server_start(NULL, NULL);
    char headers[256];
    snprintf(headers, sizeof headers, "Location: %s/\r\n", other->url);
    static const int statuses[] = {301, 302, 303, 307, 308};
    for (int i = 0; i < 5; i++)
        assert_int_equal(post_answered_by((fake_reply){.status = statuses[i], .headers = headers}, PATIENCE_MS).status,
                         statuses[i]);
    assert_int_equal(fake_count(other, &other->accepted), 0);
    fake_server_free(other);
}

static void retry_after_is_read_as_seconds_and_as_a_date(void **state)
{
    (void)state;
    char headers[256];
    outcome out = post_answered_by((fake_reply){.status = 429, .headers = "Retry-After: 7\r\n"}, PATIENCE_MS);
    assert_int_equal(out.retry_after_ms, 7000);
    out = post_answered_by((fake_reply){.status = 429, .headers = "Retry-After: 86400\r\n"}, PATIENCE_MS);
    assert_int_equal(out.retry_after_ms, 600000);
    static const char *const none[] = {"Retry-After: 0\r\n", "Retry-After: -5\r\n", "Retry-After: soon\r\n", "Retry-After:\r\n",
                                       "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        out = post_answered_by((fake_reply){.status = 503, .headers = none[i]}, PATIENCE_MS);
        assert_int_equal(out.status, 503);
        assert_int_equal(out.retry_after_ms, -1);
    }
    time_t later = time(NULL) + 300;
    struct tm utc;
    strftime(headers, sizeof headers, "Retry-After: %a, %d %b %Y %H:%M:%S GMT\r\n", gmtime_r(&later, &utc));
    out = post_answered_by((fake_reply){.status = 503, .headers = headers}, PATIENCE_MS);
    assert_in_range(out.retry_after_ms, 300000 - 2 * PATIENCE_MS, 301000);
}

/* ---- No answers ---- */

static void a_server_that_hangs_ends_in_a_timeout(void **state)
{
    (void)state;
    outcome out = post_answered_by((fake_reply){.manner = FAKE_HANG}, 100);
    assert_int_equal(out.status, 0);
    assert_non_null(strstr(out.message, "timed out"));
    assert_int_equal(out.failure, LF__HTTP_TOO_LATE);
}

static void a_refused_connection_is_told_apart(void **state)
{
    (void)state;
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d", fake_free_port());
    outcome out = post_once(url, PATIENCE_MS);
    assert_int_equal(out.status, 0);
    assert_int_equal(out.failure, LF__HTTP_NO_CONNECTION);
    assert_true(out.message[0] != '\0');
}

static void close_reset_and_garbage_are_failures_with_a_reason(void **state)
{
    (void)state;
    static const fake_reply replies[] = {
        {.manner = FAKE_CLOSE},
        {.manner = FAKE_RESET_BODY, .body = "this is only half of what was promised"},
        {.manner = FAKE_RAW, .body = "\x16\x03\x01 what is this? \xff\xfe\n\n"},
        {.manner = FAKE_RAW, .body = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort"},
        {.manner = FAKE_RAW, .body = "HTTP/1.1 200 OK\r\nContent-Length: lots\r\n\r\n"},
    };
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        outcome out = post_answered_by(replies[i], PATIENCE_MS);
        assert_int_equal(out.status, 0);
        assert_true(out.message[0] != '\0');
        assert_int_equal(out.failure, LF__HTTP_BROKEN);
    }
    assert_int_equal(post_once("http://no-such-host.invalid/", PATIENCE_MS).failure, LF__HTTP_NO_SUCH_HOST);
}

static void other_protocols_are_refused(void **state)
{
    (void)state;
    outcome out = post_once("file:///etc/hostname", PATIENCE_MS);
    assert_int_equal(out.status, 0);
    assert_int_equal(out.body_size, 0);
    assert_true(out.message[0] != '\0');
}

static void start_three(lf__http *http, fake_server *server, lf__http_request post[3], outcome out[3])
{
    for (int i = 0; i < 3; i++) {
        post[i] = post_to(server->url, &out[i]);
        assert_true(lf__http_start(http, &post[i]));
    }
    while (fake_count(server, &server->request_count) < 2)
        lf__http_poll(http, 10);
}

static void abandoned_requests_are_told_once(void **state)
{
    (void)state;
    fake_reply hang = {.manner = FAKE_HANG};
    fake_server *server = fake_server_start(say_reply, &hang);
    lf__http *http = lf__http_new();
    static outcome out[3];
    lf__http_request post[3];
    start_three(http, server, post, out);
    lf__http_abandon(http);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(out[i].done, 1);
        assert_int_equal(out[i].status, 0);
        assert_string_equal(out[i].message, "abandoned");
    }
    assert_int_equal(lf__http_running(http), 0);
    lf__http_free(http);
    fake_server_free(server);
}

static void one_request_can_be_cancelled(void **state)
{
    (void)state;
    fake_reply hang = {.manner = FAKE_HANG};
    fake_server *server = fake_server_start(say_reply, &hang);
    lf__http *http = lf__http_new();
    static outcome out[3];
    lf__http_request post[3];
    start_three(http, server, post, out);
    lf__http_cancel(http, &post[1]);
    lf__http_cancel(http, &post[1]); /* not there any more */
    assert_int_equal(out[1].done, 1);
    assert_string_equal(out[1].message, "abandoned");
    assert_int_equal(out[0].done + out[2].done, 0);
    assert_int_equal(lf__http_running(http), 2);
    lf__http_free(http);
    assert_int_equal(out[0].done + out[1].done + out[2].done, 3);
    fake_server_free(server);
}

static void *wake(void *http)
{
    pause_ms(50);
    lf__http_wakeup(http);
    return NULL;
}

static void a_wakeup_ends_a_poll_that_waits(void **state)
{
    (void)state;
    fake_reply hang = {.manner = FAKE_HANG};
    fake_server *server = fake_server_start(say_reply, &hang);
    lf__http *http = lf__http_new();
    static outcome out;
    lf__http_request post = post_to(server->url, &out);
    assert_true(lf__http_start(http, &post));
    while (fake_count(server, &server->request_count) < 1)
        lf__http_poll(http, 10);
    pthread_t thread;
    uint64_t before = lf__monotonic_ns();
    assert_int_equal(pthread_create(&thread, NULL, wake, http), 0);
    lf__http_poll(http, 10 * PATIENCE_MS);
    assert_true(lf__monotonic_ns() - before < (uint64_t)PATIENCE_MS * 1000000u);
    assert_int_equal(out.done, 0);
    pthread_join(thread, NULL);
    lf__http_free(http);
    assert_int_equal(out.done, 1);
    fake_server_free(server);
}

/* ---- Proxy and hook ---- */

static void the_proxy_option_is_honoured(void **state)
{
    (void)state;
    fake_server *proxy = fake_server_start(NULL, NULL);
    config.proxy = proxy->url;
    assert_int_equal(post_once("http://langfuse.invalid/v1", PATIENCE_MS).status, 200);
    assert_ptr_equal(strstr(proxy->requests[0].head, "POST http://langfuse.invalid/v1 HTTP/1.1\r\n"), proxy->requests[0].head);
    fake_server_free(proxy);
}

static void libcurls_proxy_variables_are_honoured(void **state)
{
    (void)state;
    fake_server *proxy = fake_server_start(NULL, NULL);
    setenv("http_proxy", proxy->url, 1);
    assert_int_equal(post_once("http://langfuse.invalid/v1", PATIENCE_MS).status, 200);
    assert_int_equal(proxy->request_count, 1);
    unsetenv("http_proxy");
    fake_server_free(proxy);
}

static int hook_calls;

static void set_user_agent(void *data, void *curl)
{
    hook_calls++;
    assert_string_equal(data, "mine");
    curl_easy_setopt(curl, CURLOPT_REFERER, "http://from-the-hook");
}

static void the_users_curl_hook_is_called_for_every_handle(void **state)
{
    (void)state;
    hook_calls = 0;
    config.curl_hook = set_user_agent;
    config.gate = &config.gate_itself;
    config.curl_hook_data = (void *)(uintptr_t)"mine";
    fake_server *server = fake_server_start(NULL, NULL);
    lf__http *http = lf__http_new();
    static outcome out[2];
    for (int round = 0; round < 2; round++) { /* used again, a handle has forgotten what the hook set */
        lf__http_request post[2];
        for (int i = 0; i < 2; i++) {
            post[i] = post_to(server->url, &out[i]);
            assert_true(lf__http_start(http, &post[i]));
        }
        poll_until_done(http);
    }
    assert_int_equal(hook_calls, 4);
    for (int i = 0; i < 4; i++)
        assert_true(fake_header_is(&server->requests[i], "Referer", "http://from-the-hook"));
    lf__http_free(http);
    fake_server_free(server);
}

/* ---- TLS ---- */

static const char tls_server[] =
    "import http.server, ssl, sys\n"
    "class Handler(http.server.BaseHTTPRequestHandler):\n"
    "    def do_POST(self):\n"
    "        self.rfile.read(int(self.headers['Content-Length']))\n"
    "        self.send_response(200); self.send_header('Content-Length', '2'); self.end_headers(); self.wfile.write(b'{}')\n"
    "    def log_message(self, *a): pass\n"
    "class Server(http.server.ThreadingHTTPServer):\n"
    "    def handle_error(self, *a): pass\n"
    "server = Server(('127.0.0.1', 0), Handler)\n"
    "context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n"
    "context.load_cert_chain(sys.argv[1], sys.argv[2])\n"
    "server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)\n"
    "print(server.server_address[1], flush=True)\n"
    "server.serve_forever()\n";

/* Start `python3 -c`; its first line is the port. 0: there is none. */
static int tls_start(const char *certificate, const char *key, pid_t *out_child)
{
    int ends[2], port = 0;
    assert_int_equal(pipe(ends), 0);
    *out_child = fork();
    if (*out_child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execlp("python3", "python3", "-c", tls_server, certificate, key, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    FILE *out = fdopen(ends[0], "r");
    if (fscanf(out, "%d", &port) != 1)
        port = 0;
    fclose(out);
    return port;
}

static void tls_is_verified_unless_told_otherwise(void **state)
{
    (void)state;
    char folder[] = "/tmp/langfuse-tls-XXXXXX", certificate[64], key[64], command[512];
    assert_non_null(mkdtemp(folder));
    snprintf(certificate, sizeof certificate, "%s/cert.pem", folder);
    snprintf(key, sizeof key, "%s/key.pem", folder);
    snprintf(command, sizeof command,
             "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
             " -keyout %s -out %s >/dev/null 2>&1 && python3 -c 'import ssl'",
             key, certificate);
    pid_t child = 0;
    int port = system(command) == 0 ? tls_start(certificate, key, &child) : 0;
    if (port != 0) {
        char url[64];
        snprintf(url, sizeof url, "https://127.0.0.1:%d/", port);
        outcome stranger = post_once(url, PATIENCE_MS);
        config.ca_file = certificate;
        outcome trusted = post_once(url, PATIENCE_MS);
        config.ca_file = NULL;
        config.insecure = true;
        outcome insecure = post_once(url, PATIENCE_MS);
        kill(child, SIGTERM);
        waitpid(child, NULL, 0);
        assert_int_equal(stranger.status, 0);
        assert_int_equal(stranger.failure, LF__HTTP_NO_TLS);
        assert_non_null(strstr(stranger.message, "certificate"));
        assert_int_equal(trusted.status, 200);
        assert_int_equal(insecure.status, 200);
    } else if (child != 0) {
        waitpid(child, NULL, 0);
    }
    unlink(certificate);
    unlink(key);
    rmdir(folder);
    if (port == 0) {
        print_message("SKIP: TLS needs the openssl command and python3 with ssl\n");
        skip();
    }
}

static void out_of_memory_at_any_allocation_fails_cleanly(void **state)
{
    (void)state;
    lf__pair pairs[] = {{(char *)"X-Team", (char *)"blue"}};
    config.headers = pairs;
    config.header_count = 1;
    fake_server *server = fake_server_start(NULL, NULL);
    static outcome out;
    bool started = false;
    unsigned long n = 1;
    for (; !started; n++) {
        lf__http_request post = post_to(server->url, &out);
        lf__alloc_fail_from(n);
        lf__http *http = lf__http_new();
        started = http != NULL && lf__http_start(http, &post);
        lf__alloc_fail_from(0);
        if (started)
            poll_until_done(http);
        assert_int_equal(out.done, started);
        lf__http_free(http);
    }
    assert_in_range(n, 5, 50);
    assert_int_equal(out.status, 200);
    fake_server_free(server);
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup(test, start_clean)
    const struct CMUnitTest tests[] = {
        CASE(a_request_carries_our_headers_and_the_body_in_one_piece),
        CASE(header_lines_are_overwritten_before_they_are_given_back),
        CASE(without_keys_there_is_no_authorization),
        CASE(keys_of_any_length_are_sent),
        CASE(configured_headers_are_added_and_replace_ours),
        CASE(large_bodies_arrive_unchanged),
        CASE(every_method_is_sent_with_its_body_and_nothing_else),
        CASE(requests_of_several_configurations_share_one_http),
        CASE(headers_are_appended_to_a_list_or_it_stays_as_it_was),
        CASE(as_much_of_an_answer_is_kept_as_was_asked_for),
        CASE(an_answer_in_pieces_is_kept_without_a_hole),
        CASE(the_body_of_an_answer_goes_into_the_buffer_of_its_request),
        CASE(a_foreign_server_gets_no_header_of_ours),
        CASE(one_request_can_be_cancelled),
        CASE(requests_one_after_the_other_use_one_connection),
        CASE(several_requests_are_in_flight_at_once),
        CASE(a_kept_connection_that_died_is_replaced_without_a_failure),
        CASE(a_request_can_be_started_from_within_done),
        CASE(status_and_body_are_handed_on),
        CASE(huge_answers_are_cut_and_count_as_answers),
        CASE(redirects_are_not_followed),
        CASE(retry_after_is_read_as_seconds_and_as_a_date),
        CASE(a_server_that_hangs_ends_in_a_timeout),
        CASE(a_refused_connection_is_told_apart),
        CASE(close_reset_and_garbage_are_failures_with_a_reason),
        CASE(other_protocols_are_refused),
        CASE(abandoned_requests_are_told_once),
        CASE(a_wakeup_ends_a_poll_that_waits),
        CASE(the_proxy_option_is_honoured),
        CASE(libcurls_proxy_variables_are_honoured),
        CASE(the_users_curl_hook_is_called_for_every_handle),
        CASE(tls_is_verified_unless_told_otherwise),
        CASE(out_of_memory_at_any_allocation_fails_cleanly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
