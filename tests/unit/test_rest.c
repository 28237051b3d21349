/* Questions to the server's API: what is sent, what each answer and each failure becomes, and that the caller's thread does
 * not notice.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/ask/project.h"
#include "../../src/ask/rest.h"
#include "fake_server.h"
#include "fixture.h"

#include <dlfcn.h>
#include <netdb.h>
#include <signal.h>

#define PUBLIC "pk-lf-1234567890"
#define SECRET "sk-lf-most-secret"

static fake_reply reply;
static fake_server *server;
static lf__config *config;
static lf_error told;
static lf__rest_answer answer;

/* Name lookups of "slow.invalid" take so long; the others are the system's. */
static int slow_lookup_ms;
static _Atomic bool lookup_is_running;
static sigset_t lookup_mask;

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
    memcpy(&real, &symbol, sizeof real);
    if (node == NULL || strcmp(node, "slow.invalid") != 0)
        return real(node, service, hints, result);
    pthread_sigmask(SIG_SETMASK, NULL, &lookup_mask);
    lookup_is_running = true;
    pause_ms(slow_lookup_ms);
    lookup_is_running = false;
    return EAI_NONAME;
}

static _Atomic bool wait_for_handler;
static _Atomic int handled; /* signals */

static fake_reply say_reply(fake_server *self, const fake_request *request)
{
    (void)request;
    for (int i = 0; i < PATIENCE_MS && wait_for_handler && handled == 0; i++)
        pause_ms(1);
    pthread_mutex_lock(&self->lock);
    fake_reply said = reply;
    pthread_mutex_unlock(&self->lock);
    return said;
}

/* From the next request on. */
static void answer_with(fake_reply next)
{
    pthread_mutex_lock(&server->lock);
    reply = next;
    pthread_mutex_unlock(&server->lock);
}

#define ANSWER(...) answer_with((fake_reply){__VA_ARGS__})

static void use(const char *base_url)
{
    lf__config_free(config);
    lf_options options = {LF_OPTIONS_INIT, .public_key = PUBLIC, .secret_key = SECRET, .base_url = base_url, .log = fixture_log};
    config = lf__config_new(&options);
    assert_non_null(config);
    assert_true(config->enabled);
}

static int set_up(void **state)
{
    (void)state;
    fixture_clean_environment();
    lines_forget();
    reply = (fake_reply){0};
    told = (lf_error){0};
    answer = (lf__rest_answer){0};
    config = NULL;
    server = fake_server_start(say_reply, NULL);
    use(server->url);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lf__free(answer.body);
    lf__config_free(config);
    fake_server_free(server);
    return 0;
}

static lf_status ask(lf__http_method method, const char *path, const char *body, int timeout_ms)
{
    lf__rest_request request = {.method = method, .path = path, .body = body, .timeout_ms = timeout_ms};
    lf__free(answer.body);
    answer = (lf__rest_answer){0};
    told = (lf_error){0};
    lf_status status = lf__rest_call(config, &request, &answer, &told);
    assert_int_equal(told.status, status); /* LF_OK is what it was before */
    assert_int_equal(answer.body != NULL, status == LF_OK);
    assert_null(strstr(told.message, "most-secret"));
    assert_null(strpbrk(told.message, "\r\n\x1b"));
    return status;
}

static lf_status get(void)
{
    return ask(LF__HTTP_GET, "api/public/x", NULL, PATIENCE_MS);
}

#define ASSERT_TOLD(text)                                         \
    do {                                                          \
        if (strstr(told.message, text) == NULL)                   \
            fail_msg("\"%s\" is not in: %s", text, told.message); \
    } while (0)

/* ---- Sent and answered ---- */

static void a_question_is_sent_and_its_answer_handed_over(void **state)
{
    (void)state;
    static const char *const lines[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
    for (int i = 0; i < 5; i++) {
        char line[128];
        bool has_body = i != LF__HTTP_GET && i != LF__HTTP_DELETE;
        int expected = i == LF__HTTP_POST ? 201 : 200;
        ANSWER(.status = expected, .body = "{\"name\":\"n\"}");
        assert_int_equal(
            ask((lf__http_method)i, "/api/public/v2/prompts/a%2Fb?version=2", has_body ? "{\"a\":1}" : NULL, PATIENCE_MS), LF_OK);
        assert_int_equal(answer.status, expected);
        assert_string_equal(answer.body, "{\"name\":\"n\"}");
        assert_int_equal(answer.size, 12);
        const fake_request *request = &server->requests[i];
        snprintf(line, sizeof line, "%s /api/public/v2/prompts/a%%2Fb?version=2 HTTP/1.1\r\n", lines[i]);
        assert_ptr_equal(strstr(request->head, line), request->head);
        assert_true(fake_header_is(request, "Authorization", config->authorization));
        assert_string_equal(request->body, has_body ? "{\"a\":1}" : "");
        assert_int_equal(fake_header(request, "Content-Type") != NULL, has_body);
    }
    ANSWER(.status = 204);
    assert_int_equal(ask(LF__HTTP_DELETE, "x", NULL, PATIENCE_MS), LF_OK);
    assert_string_equal(answer.body, "");
}

static void a_body_may_be_given_with_its_size(void **state)
{
    (void)state;
    lf__rest_request request = {.method = LF__HTTP_POST, .path = "x", .body = "{}junk", .body_size = 2, .timeout_ms = PATIENCE_MS};
    assert_int_equal(lf__rest_call(config, &request, &answer, NULL), LF_OK);
    assert_string_equal(server->requests[0].body, "{}");
}

static void large_answers_come_whole_and_larger_ones_are_refused(void **state)
{
    (void)state;
    char *body = malloc(LF__REST_ANSWER_MAX + 1);
    for (size_t i = 0; i <= LF__REST_ANSWER_MAX; i++)
        body[i] = (char)('!' + i * 2654435761u % 90);
    ANSWER(.body = body, .body_size = LF__REST_ANSWER_MAX);
    assert_int_equal(get(), LF_OK);
    assert_int_equal(answer.size, LF__REST_ANSWER_MAX);
    assert_memory_equal(answer.body, body, LF__REST_ANSWER_MAX);
    ANSWER(.body = body, .body_size = LF__REST_ANSWER_MAX + 1);
    assert_int_equal(get(), LF_ERR_SERVER);
    ASSERT_TOLD("larger than 8 MiB");
    tear_down(NULL); /* before what the server sends is gone */
    free(body);
    set_up(NULL);
}

static void every_status_becomes_the_documented_result(void **state)
{
    (void)state;
    static const struct {
        int http;
        lf_status status;
    } cases[] = {{301, LF_ERR_SERVER},       {307, LF_ERR_SERVER},  {400, LF_ERR_REFUSED}, {401, LF_ERR_UNAUTHORIZED},
                 {403, LF_ERR_UNAUTHORIZED}, {404, LF_ERR_REFUSED}, {409, LF_ERR_REFUSED}, {413, LF_ERR_REFUSED},
                 {429, LF_ERR_REFUSED},      {500, LF_ERR_SERVER},  {503, LF_ERR_SERVER}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ANSWER(.status = cases[i].http, .body = "{\"message\":\"no\\nway\",\"error\":\"E\"}",
               .headers = "Location: http://127.0.0.1:1/\r\n");
        assert_int_equal(get(), cases[i].status);
        assert_int_equal(told.http_status, cases[i].http);
        ASSERT_TOLD("http://127.0.0.1");
        ASSERT_TOLD(cases[i].http < 400 ? "redirects" : "\"no way\"");
    }
    assert_int_equal(fake_count(server, &server->request_count), sizeof cases / sizeof *cases); /* nothing is tried again */
}

static void a_refusal_says_which_field_and_why(void **state)
{
    (void)state;
    ANSWER(.status = 400, .body = "{\"message\":\"Invalid request data\",\"error\":[{\"code\":\"too_big\",\"path\":[\"labels\",0],"
                                  "\"message\":\"Too long\"}]}");
    assert_int_equal(get(), LF_ERR_REFUSED);
    ASSERT_TOLD("\"Invalid request data: labels.0: Too long\"");
}

static void no_secret_gets_out_even_when_the_server_repeats_it(void **state)
{
    (void)state;
    ANSWER(.status = 401, .body = "{\"message\":\"unknown key " SECRET "\"}");
    assert_int_equal(get(), LF_ERR_UNAUTHORIZED);
    ASSERT_TOLD("unknown key (secret)\"");
    ANSWER(.status = 500, .body = fake_text("you sent %s", config->authorization));
    assert_int_equal(get(), LF_ERR_SERVER);
    assert_null(strstr(told.message, config->authorization + 6));
    ASSERT_TOLD("you sent Basic (secret)\"");
}

/* The quote ends in the middle of it, wherever. */
static void a_cut_secret_does_not_get_out_either(void **state)
{
    (void)state;
    for (int before = 80; before < 120; before++) {
        ANSWER(.status = 400, .body = fake_text("%0*d%s", before, 0, SECRET));
        assert_int_equal(get(), LF_ERR_REFUSED);
        assert_null(strstr(told.message, "sk-lf-mo"));
        ANSWER(.status = 400, .body = fake_text("%0*d%s", before, 0, config->authorization + 6));
        assert_int_equal(get(), LF_ERR_REFUSED);
        assert_null(strstr(told.message, fake_text("%.8s", config->authorization + 6)));
    }
}

static void values_of_headers_are_secrets_too(void **state)
{
    (void)state;
    const char *headers[] = {"X-Api-Key: abcdef-ghijkl", "Authorization: Bearer mnopqr.stuvwx", "X-Short: abc", NULL};
    lf_options options = {LF_OPTIONS_INIT,         .public_key = PUBLIC, .secret_key = SECRET,
                          .base_url = server->url, .log = fixture_log,   .headers = headers};
    lf__config_free(config);
    config = lf__config_new(&options);
    ANSWER(.status = 400, .body = "key abcdef-ghijkl, abc, token mnopqr.stuvwx, other sk-lf-other; sk-lf-... mnopqr.stuv");
    assert_int_equal(get(), LF_ERR_REFUSED);
    ASSERT_TOLD("\"key (secret), abc, token (secret), other (secret); sk-lf-...(secret)\"");
}

static void a_short_key_is_hidden_and_a_word_is_not(void **state)
{
    (void)state;
    static const char *const keys[] = {"s3cr", "any"}, *const told_of[] = {"\"**** is no use for anyone\"",
                                                                           "\"any is no use for anyone\""};
    for (int i = 0; i < 2; i++) {
        lf_options options = {LF_OPTIONS_INIT, .public_key = PUBLIC, .secret_key = keys[i], .base_url = server->url,
                              .log = fixture_log};
        lf__config_free(config);
        config = lf__config_new(&options);
        ANSWER(.status = 400, .body = fake_text("%s is no use for anyone", keys[i]));
        assert_int_equal(get(), LF_ERR_REFUSED);
        ASSERT_TOLD(told_of[i]);
    }
}

static void write_key(const char *path, const char *key)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(key, file);
    assert_int_equal(fclose(file), 0);
}

static fake_reply know_the_new_key(fake_server *self, const fake_request *request)
{
    (void)self;
    bool good = fake_header_is(request, "Authorization", "Basic cGstbGYtMTIzNDU2Nzg5MDpzay1sZi1uZXc=");
    return (fake_reply){.status = good ? 200 : 401, .body = "sk-lf-old"};
}

static void a_key_that_was_replaced_in_its_file_is_tried_once(void **state)
{
    (void)state;
    char path[64];
    snprintf(path, sizeof path, "/tmp/langfuse-test-rest-key-%ld", (long)getpid());
    write_key(path, "sk-lf-old");
    fake_server_free(server);
    server = fake_server_start(know_the_new_key, NULL);
    lf_options options = {LF_OPTIONS_INIT, .public_key = PUBLIC, .secret_key_file = path, .base_url = server->url,
                          .log = fixture_log};
    lf__config_free(config);
    config = lf__config_new(&options);
    assert_int_equal(get(), LF_ERR_UNAUTHORIZED);
    assert_int_equal(fake_count(server, &server->request_count), 1);
    write_key(path, "sk-lf-wrong");
    assert_int_equal(get(), LF_ERR_UNAUTHORIZED);
    assert_int_equal(fake_count(server, &server->request_count), 3);
    ASSERT_TOLD("\"(secret)\"");
    write_key(path, "sk-lf-new");
    assert_int_equal(get(), LF_OK);
    assert_int_equal(fake_count(server, &server->request_count), 5);
    assert_int_equal(get(), LF_OK);
    assert_int_equal(fake_count(server, &server->request_count), 6);
    unlink(path);
}

static void the_error_may_be_left_out(void **state)
{
    (void)state;
    lf__rest_request request = {.method = LF__HTTP_GET, .path = "x", .timeout_ms = PATIENCE_MS};
    ANSWER(.status = 404);
    assert_int_equal(lf__rest_call(config, &request, &answer, NULL), LF_ERR_REFUSED);
    assert_null(answer.body);
}

/* ---- No answer ---- */

static void without_keys_nothing_is_asked(void **state)
{
    (void)state;
    lf_options options = {LF_OPTIONS_INIT, .log = fixture_log, .exporter = "file:/dev/null", .base_url = server->url};
    lf__config_free(config);
    config = lf__config_new(&options);
    assert_true(config->enabled);
    assert_int_equal(get(), LF_ERR_DISABLED);
    lf__rest_request request = {.path = "x"};
    assert_int_equal(lf__rest_call(NULL, &request, &answer, &told), LF_ERR_DISABLED);
    lf__config_free(config);
    assert_int_equal(fake_count(server, &server->request_count), 0);
    /* Nothing is traced, but prompts are fetched. */
    options = (lf_options){LF_OPTIONS_INIT,      .log = fixture_log, .public_key = PUBLIC,
                           .secret_key = SECRET, .tracing = LF_OFF,  .base_url = server->url};
    config = lf__config_new(&options);
    assert_false(config->enabled);
    assert_int_equal(get(), LF_OK);
}

/* ---- Streams ---- */

#define STREAM_HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"

static lf__rest_stream stream;
static lf__buf streamed;

static lf__http_request stream_request(int timeout_ms)
{
    lf__buf_done(&streamed);
    lf__buf_init(&streamed, 1000);
    return (lf__http_request){.config = config,
                              .method = LF__HTTP_POST,
                              .url = server->url,
                              .content_type = "application/json",
                              .body = {{"{}", 2}},
                              .timeout_ms = timeout_ms,
                              .stream = &streamed,
                              .is_foreign = true};
}

static void a_stream_is_taken_as_it_arrives(void **state)
{
    (void)state;
    char text[100] = "";
    int calls = 0;
    lf__http_request request = stream_request(PATIENCE_MS);
    ANSWER(.manner = FAKE_RAW, .body = STREAM_HEAD "one two three", .piece_size = 4);
    assert_true(lf__rest_stream_begin(&stream, &request));
    for (bool more = true; more; calls++) {
        more = lf__rest_stream_go_on(&stream);
        assert_true(streamed.length > 0 || !more); /* it does not come back for nothing */
        size_t have = strlen(text);
        memcpy(text + have, streamed.data, streamed.length);
        text[have + streamed.length] = '\0';
        lf__buf_clear(&streamed);
    }
    assert_string_equal(text, "one two three");
    assert_int_equal(stream.status, 200);
    assert_true(calls > 1);
    assert_false(lf__rest_stream_go_on(&stream));
    lf__rest_stream_end(&stream);
}

static void a_stream_waits_for_what_is_new_behind_what_its_buffer_has(void **state)
{
    (void)state;
    lf__http_request request = stream_request(PATIENCE_MS);
    ANSWER(.manner = FAKE_RAW, .body = STREAM_HEAD "one two three", .piece_size = 4);
    assert_true(lf__rest_stream_begin(&stream, &request));
    for (size_t have = 0; lf__rest_stream_go_on(&stream); have = streamed.length)
        assert_true(streamed.length > have);
    assert_int_equal(streamed.length, 13);
    lf__rest_stream_end(&stream);
}

static void a_stream_tells_how_it_ended(void **state)
{
    (void)state;
    lf__http_request request = stream_request(PATIENCE_MS);
    ANSWER(.status = 503, .body = "later", .headers = "Retry-After: 2\r\n");
    assert_true(lf__rest_stream_begin(&stream, &request));
    assert_false(lf__rest_stream_go_on(&stream));
    assert_int_equal(stream.status, 503);
    assert_int_equal(stream.retry_after_ms, 2000);
    assert_string_equal(stream.text, "later");
    lf__rest_stream_end(&stream);

    request = stream_request(200);
    ANSWER(.manner = FAKE_RAW_HANG, .body = STREAM_HEAD "one");
    assert_true(lf__rest_stream_begin(&stream, &request));
    while (lf__rest_stream_go_on(&stream))
        continue;
    assert_int_equal(streamed.length, 3);
    assert_int_equal(stream.status, 0);
    assert_int_equal(stream.failure, LF__HTTP_TOO_LATE);
    lf__rest_stream_end(&stream);
}

static void a_stream_can_be_cut_short(void **state)
{
    (void)state;
    lf__http_request request = stream_request(PATIENCE_MS);
    ANSWER(.manner = FAKE_RAW_HANG, .body = STREAM_HEAD "one");
    assert_true(lf__rest_stream_begin(&stream, &request));
    assert_true(lf__rest_stream_go_on(&stream));
    lf__rest_stream_end(&stream); /* the server sees the connection go */
    WAIT_UNTIL(fake_count(server, &server->busy) == 0);
    request = stream_request(PATIENCE_MS);
    assert_true(lf__rest_stream_begin(&stream, &request)); /* and before anything came */
    lf__rest_stream_end(&stream);
    lf__buf_done(&streamed);
}

static void without_memory_a_stream_does_not_begin(void **state)
{
    (void)state;
    bool began = false;
    lf__http_request request;
    for (unsigned long n = 1; !began; n++) {
        request = stream_request(PATIENCE_MS);
        assert_in_range(n, 1, 50);
        lf__alloc_fail_from(n);
        began = lf__rest_stream_begin(&stream, &request);
        lf__alloc_fail_from(0);
    }
    lf__rest_stream_end(&stream);
    lf__buf_done(&streamed);
}

static struct {
    int listener;
    pthread_t thread;
} talker;

/* Greets whoever comes, as a mail server does, instead of waiting for a TLS handshake. */
static void *talk(void *unused)
{
    int connection = accept(talker.listener, NULL, NULL);
    (void)!write(connection, "220 hello\r\n", 11);
    char bytes[1024];
    while (read(connection, bytes, sizeof bytes) > 0)
        continue;
    close(connection);
    return unused;
}

static int talker_start(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    talker.listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(talker.listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(talker.listener, 1), 0);
    assert_int_equal(getsockname(talker.listener, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(pthread_create(&talker.thread, NULL, talk, NULL), 0);
    return ntohs(address.sin_port);
}

static void talker_stop(void)
{
    pthread_join(talker.thread, NULL);
    close(talker.listener);
}

static void each_way_of_not_answering_has_its_words(void **state)
{
    (void)state;
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d", fake_free_port());
    use(url);
    assert_int_equal(get(), LF_ERR_NETWORK);
    ASSERT_TOLD("cannot connect to http://127.0.0.1");
    use("http://no-such-host.invalid");
    assert_int_equal(get(), LF_ERR_NETWORK);
    ASSERT_TOLD("no such host: http://no-such-host.invalid");
    snprintf(url, sizeof url, "https://127.0.0.1:%d", talker_start());
    use(url);
    assert_int_equal(get(), LF_ERR_NETWORK);
    ASSERT_TOLD("no secure connection to https://127.0.0.1");
    talker_stop();
    use(server->url);
    ANSWER(.manner = FAKE_CLOSE);
    assert_int_equal(get(), LF_ERR_NETWORK);
    ASSERT_TOLD("was reached, but gave no answer");
    ANSWER(.manner = FAKE_RESET_BODY, .body = "half of this");
    assert_int_equal(get(), LF_ERR_NETWORK);
    ANSWER(.manner = FAKE_HANG);
    assert_int_equal(ask(LF__HTTP_GET, "x", NULL, 200), LF_ERR_TIMEOUT);
    ASSERT_TOLD("within 200 ms");
    assert_int_equal(told.http_status, 0);
    assert_int_equal(ask(LF__HTTP_GET, "x", NULL, 0), LF_ERR_TIMEOUT);
}

static void a_name_lookup_that_hangs_does_not_outlast_the_time_given(void **state)
{
    (void)state;
    slow_lookup_ms = 3000;
    use("http://slow.invalid");
    assert_int_equal(ask(LF__HTTP_GET, "x", NULL, 100), LF_ERR_TIMEOUT);
    assert_true(lookup_is_running); /* the call did not wait for it */
    WAIT_UNTIL(!lookup_is_running);
    for (int number = 1; number < 32; number++) /* and no handler of the program may run on that thread */
        if (number != SIGKILL && number != SIGSTOP)
            assert_int_equal(sigismember(&lookup_mask, number), 1);
    pause_ms(100); /* its thread ends */
}

static void out_of_memory_at_any_allocation_is_said(void **state)
{
    (void)state;
    static char body[20000];
    memset(body, 'x', sizeof body - 1);
    ANSWER(.body = body);
    lf_status status = LF_ERR_MEMORY;
    unsigned long n = 1;
    for (; status != LF_OK; n++) {
        lf__alloc_fail_from(n);
        status = get();
        lf__alloc_fail_from(0);
        assert_true(status == LF_OK || status == LF_ERR_MEMORY);
    }
    assert_in_range(n, 8, 60);
    assert_int_equal(answer.size, sizeof body - 1);
}

/* ---- The caller's thread ---- */

static void errno_mask_and_cancel_state_stay_as_they_were(void **state)
{
    (void)state;
    sigset_t mine, after;
    int cancel = -1;
    sigemptyset(&mine);
    sigaddset(&mine, SIGUSR2);
    pthread_sigmask(SIG_SETMASK, &mine, NULL);
    for (int i = 0; i < 3; i++) {
        answer_with(i == 0 ? (fake_reply){.body = "{}"} : (fake_reply){.status = 500});
        if (i == 2)
            use("http://no-such-host.invalid");
        errno = ECHILD;
        lf__rest_request request = {.path = "x", .timeout_ms = PATIENCE_MS};
        (void)lf__rest_call(config, &request, &answer, &told);
        assert_int_equal(errno, ECHILD);
        errno = ECHILD;
        char id[8];
        (void)lf__project_ask(config, PATIENCE_MS, id, sizeof id, &told);
        assert_int_equal(errno, ECHILD);
        lf__free(answer.body);
        answer.body = NULL;
        pthread_sigmask(SIG_SETMASK, NULL, &after);
        for (int number = 1; number < 32; number++)
            assert_int_equal(sigismember(&after, number), number == SIGUSR2);
        pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &cancel);
        assert_int_equal(cancel, PTHREAD_CANCEL_ENABLE);
    }
    sigemptyset(&mine);
    pthread_sigmask(SIG_SETMASK, &mine, NULL);
}

static pthread_t handled_on;

static void handle(int number)
{
    (void)number;
    handled_on = pthread_self();
    handled++;
}

static void *interrupt(void *thread)
{
    WAIT_UNTIL(fake_count(server, &server->request_count) == 1);
    pthread_kill(*(pthread_t *)thread, SIGUSR1);
    return NULL;
}

static void signals_are_handled_while_it_waits(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = handle}, before;
    sigaction(SIGUSR1, &action, &before);
    handled = 0;
    wait_for_handler = true; /* the server answers only when it has run */
    pthread_t self = pthread_self(), thread;
    assert_int_equal(pthread_create(&thread, NULL, interrupt, &self), 0);
    assert_int_equal(get(), LF_OK);
    pthread_join(thread, NULL);
    wait_for_handler = false;
    assert_int_equal(handled, 1);
    assert_true(pthread_equal(handled_on, self));
    sigaction(SIGUSR1, &before, NULL);
}

static void raise_sigpipe(void *data, void *curl)
{
    (void)data;
    (void)curl;
    raise(SIGPIPE); /* as a write to a closed connection does */
}

static void a_sigpipe_of_ours_does_not_get_out_and_the_programs_own_stays(void **state)
{
    (void)state;
    sigset_t pipe, pending;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    config->curl_hook = raise_sigpipe;
    assert_int_equal(get(), LF_OK); /* with the default action it would have ended this process */
    sigpending(&pending);
    assert_int_equal(sigismember(&pending, SIGPIPE), 0);
    config->curl_hook = NULL;
    pthread_sigmask(SIG_BLOCK, &pipe, NULL);
    raise(SIGPIPE);
    assert_int_equal(get(), LF_OK);
    sigpending(&pending);
    assert_int_equal(sigismember(&pending, SIGPIPE), 1);
    assert_int_equal(sigtimedwait(&pipe, NULL, &(struct timespec){0, 0}), SIGPIPE);
    pthread_sigmask(SIG_UNBLOCK, &pipe, NULL);
}

static _Atomic bool came_back;

static void *ask_and_say(void *unused)
{
    (void)unused;
    lf__rest_request request = {.path = "x", .timeout_ms = PATIENCE_MS};
    lf__rest_answer mine = {0};
    (void)lf__rest_call(config, &request, &mine, NULL);
    came_back = true;
    lf__free(mine.body);
    return NULL;
}

static void a_cancelled_thread_finishes_its_question_first(void **state)
{
    (void)state;
    pthread_t thread;
    came_back = false;
    ANSWER(.body = "{}", .delay_ms = 100);
    assert_int_equal(pthread_create(&thread, NULL, ask_and_say, NULL), 0);
    WAIT_UNTIL(fake_count(server, &server->request_count) == 1);
    pthread_cancel(thread);
    pthread_join(thread, NULL);
    assert_true(came_back);
}

static void *ask_often(void *failures)
{
    for (int i = 0; i < 10; i++) {
        lf__rest_request request = {.path = "x", .timeout_ms = PATIENCE_MS};
        lf__rest_answer mine = {0};
        if (lf__rest_call(config, &request, &mine, NULL) != LF_OK || strcmp(mine.body, "{}") != 0)
            ++*(_Atomic int *)failures;
        lf__free(mine.body);
    }
    return NULL;
}

static void threads_may_ask_at_the_same_time(void **state)
{
    (void)state;
    pthread_t threads[4];
    _Atomic int failures = 0;
    ANSWER(.body = "{}");
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_often, &failures), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(failures, 0);
}

/* ---- The project ---- */

static lf_status project(char id[32])
{
    told = (lf_error){0};
    snprintf(id, 32, "untouched");
    lf_status status = lf__project_ask(config, PATIENCE_MS, id, 32, &told);
    assert_int_equal(told.status, status);
    if (status != LF_OK)
        assert_string_equal(id, "untouched");
    assert_null(strstr(told.message, "most-secret"));
    return status;
}

static void the_projects_id_is_found(void **state)
{
    (void)state;
    char id[32], small[6];
    ANSWER(.body = "{\"data\":[{\"id\":\"proj-1\",\"name\":\"Project\",\"organization\":{\"id\":\"org-1\"},\"metadata\":{}},{"
                   "\"id\":\"two\"}]}");
    assert_int_equal(project(id), LF_OK);
    assert_string_equal(id, "proj-1");
    assert_ptr_equal(strstr(server->requests[0].head, "GET /api/public/projects HTTP/1.1\r\n"), server->requests[0].head);
    assert_int_equal(lf__project_ask(config, PATIENCE_MS, small, sizeof small, NULL), LF_ERR_ARGUMENT);
}

static void every_reason_for_no_project_has_its_words(void **state)
{
    (void)state;
    static const struct {
        fake_reply reply;
        lf_status status;
        const char *words;
    } cases[] = {
        {{.status = 401, .body = "{\"message\":\"Invalid credentials.\"}"},
         LF_ERR_UNAUTHORIZED,
         "does not know these keys (public key pk-lf-12...)"},
        {{.status = 403, .body = "{\"message\":\"x\"}"}, LF_ERR_UNAUTHORIZED, "organization"},
        {{.status = 404, .body = "<html>"}, LF_ERR_REFUSED, "is not a Langfuse server: it answered HTTP 404"},
        {{.status = 405, .body = ""}, LF_ERR_REFUSED, "is not a Langfuse server"},
        {{.status = 200, .body = "<!doctype html><title>Hi</title>"}, LF_ERR_REFUSED, "with a web page"},
        {{.status = 200, .body = "OK"}, LF_ERR_REFUSED, "not JSON"},
        {{.status = 200, .body = ""}, LF_ERR_REFUSED, "not JSON"},
        {{.status = 200, .body = "{\"status\":\"ok\"}"}, LF_ERR_REFUSED, "JSON of another kind"},
        {{.status = 200, .body = "[1]"}, LF_ERR_REFUSED, "JSON of another kind"},
        {{.status = 200, .body = "{\"data\":[{\"id\":7}]}"}, LF_ERR_REFUSED, "JSON of another kind"},
        {{.status = 200, .body = "{\"data\":[{\"id\":\"\"}]}"}, LF_ERR_REFUSED, "JSON of another kind"},
        {{.status = 200, .body = "{\"data\":[7]}"}, LF_ERR_REFUSED, "JSON of another kind"},
        {{.status = 200, .body = "{\"data\":[]}"}, LF_ERR_REFUSED, "belong to no project"},
        {{.status = 502, .body = "Bad gateway"}, LF_ERR_SERVER, "HTTP 502 \"Bad gateway\""},
        {{.status = 302, .headers = "Location: /login\r\n"}, LF_ERR_SERVER, "redirects"},
        {{.manner = FAKE_CLOSE}, LF_ERR_NETWORK, "gave no answer"},
    };
    char id[32];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        answer_with(cases[i].reply);
        assert_int_equal(project(id), cases[i].status);
        ASSERT_TOLD(cases[i].words);
        ASSERT_TOLD("http://127.0.0.1");
        assert_null(strstr(told.message, "region")); /* that is no cloud */
        assert_int_equal(told.http_status, cases[i].reply.manner == FAKE_CLOSE ? 0 : cases[i].reply.status);
    }
    use("http://no-such-host.invalid");
    assert_int_equal(project(id), LF_ERR_NETWORK);
    ASSERT_TOLD("no such host");
}

static void of_a_cloud_region_the_others_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *url, *named, *not_named;
    } cases[] = {
        {"http://cloud.langfuse.com", "US https://us.cloud.langfuse.com, Japan https://jp.cloud.langfuse.com", "EU https"},
        {"http://us.cloud.langfuse.com/", "EU https://cloud.langfuse.com, Japan", "US https"},
        {"http://hipaa.cloud.langfuse.com:80/x", "EU https://cloud.langfuse.com, US", "HIPAA https"},
        {"http://NEW.Cloud.Langfuse.com", "HIPAA https://hipaa.cloud.langfuse.com", "nothing"},
        {"http://mycloud.langfuse.com", "does not know", "region"},
        {"http://cloud.langfuse.com.evil.example", "does not know", "region"},
        {"http://langfuse.com", "does not know", "region"},
    };
    char id[32];
    setenv("http_proxy", server->url, 1); /* plays them all */
    ANSWER(.status = 401);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        use(cases[i].url);
        assert_int_equal(project(id), LF_ERR_UNAUTHORIZED);
        ASSERT_TOLD(cases[i].named);
        ASSERT_TOLD("pk-lf-12...");
        assert_null(strstr(told.message, cases[i].not_named));
        assert_null(strstr(told.message, "567890"));
    }
    unsetenv("http_proxy");
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(a_question_is_sent_and_its_answer_handed_over),
        CASE(a_body_may_be_given_with_its_size),
        CASE(large_answers_come_whole_and_larger_ones_are_refused),
        CASE(every_status_becomes_the_documented_result),
        CASE(a_refusal_says_which_field_and_why),
        CASE(no_secret_gets_out_even_when_the_server_repeats_it),
        CASE(a_cut_secret_does_not_get_out_either),
        CASE(a_key_that_was_replaced_in_its_file_is_tried_once),
        CASE(values_of_headers_are_secrets_too),
        CASE(a_short_key_is_hidden_and_a_word_is_not),
        CASE(the_error_may_be_left_out),
        CASE(without_keys_nothing_is_asked),
        CASE(each_way_of_not_answering_has_its_words),
        CASE(a_stream_is_taken_as_it_arrives),
        CASE(a_stream_waits_for_what_is_new_behind_what_its_buffer_has),
        CASE(a_stream_tells_how_it_ended),
        CASE(a_stream_can_be_cut_short),
        CASE(without_memory_a_stream_does_not_begin),
        CASE(a_name_lookup_that_hangs_does_not_outlast_the_time_given),
        CASE(out_of_memory_at_any_allocation_is_said),
        CASE(errno_mask_and_cancel_state_stay_as_they_were),
        CASE(signals_are_handled_while_it_waits),
        CASE(a_sigpipe_of_ours_does_not_get_out_and_the_programs_own_stays),
        CASE(a_cancelled_thread_finishes_its_question_first),
        CASE(threads_may_ask_at_the_same_time),
        CASE(the_projects_id_is_found),
        CASE(every_reason_for_no_project_has_its_words),
        CASE(of_a_cloud_region_the_others_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
