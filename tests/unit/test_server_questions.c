/* What the core asks the server: whether the keys are good, and where a trace can be looked at. */
#include "cases.h"

static const char trace_hex[] = "4bf92f3577b34da6a3ce929d0e0e4736";

static _Atomic int asked;
static _Atomic(const char *) answer_body = "{\"data\":[{\"id\":\"proj-1\",\"name\":\"p\"}]}";
static _Atomic int answer_status = 200;

static fake_reply project(fake_server *server, const fake_request *request)
{
    if (strncmp(request->head, "GET /api/public/projects ", 25) != 0)
        return take_all(server, request);
    atomic_fetch_add(&asked, 1);
    return (fake_reply){.status = answer_status, .headers = "Content-Type: application/json\r\n", .body = answer_body};
}

static fake_server *start_asking(const char *exporter)
{
    fake_server *server = fake_server_start(project, NULL);
    CHECK(server != NULL);
    lf_options options = to_fake(server);
    options.exporter = exporter;
    CHECK_INT(lf_init(&options), LF_OK);
    return server;
}

static void stop(fake_server *server)
{
    CHECK_INT(lf_shutdown(HARNESS_WAIT_MS), LF_OK);
    fake_server_free(server);
}

static void check_url(const char *url, const fake_server *server, const char *rest)
{
    char expected[512];
    snprintf(expected, sizeof expected, "%s%s", server->url, rest);
    CHECK(url != NULL);
    CHECK_TEXT(url, expected);
}

/* ---- The keys ----------------------------------------------------------------------------------------------------------- */

TEST(good_keys_are_good)
{
    fake_server *server = start_asking(NULL);
    lf_error error;
    memset(&error, 0x55, sizeof error);
    CHECK_INT(lf_auth_check(HARNESS_WAIT_MS, &error), LF_OK);
    CHECK(error.status == LF_OK && error.http_status == 0 && error.message[0] == '\0');
    CHECK_INT(lf_auth_check(HARNESS_WAIT_MS, NULL), LF_OK);
    CHECK(fake_header_is(&server->requests[0], "Authorization", "Basic cGstbGYtdGVzdDpzay1sZi10ZXN0"));
    CHECK_INT(asked, 2);
    stop(server);
}

static void check_refusal(int http_status, const char *body, lf_status expected, int expected_http)
{
    lf_error error = {0};
    answer_status = http_status;
    answer_body = body;
    CHECK_INT(lf_auth_check(HARNESS_WAIT_MS, &error), expected);
    CHECK_INT(error.status, expected);
    CHECK_INT(error.http_status, expected_http);
    CHECK(error.message[0] != '\0');
    CHECK(strstr(error.message, "sk-lf") == NULL);
    CHECK_INT(lf_auth_check(HARNESS_WAIT_MS, NULL), expected);
}

/* Python: test_error_parsing */
TEST(what_is_wrong_is_told_apart)
{
    fake_server *server = start_asking(NULL);
    check_refusal(401, "{\"message\":\"Invalid credentials\"}", LF_ERR_UNAUTHORIZED, 401);
    check_refusal(403, "{}", LF_ERR_UNAUTHORIZED, 403);
    check_refusal(404, "not here", LF_ERR_REFUSED, 404);
    check_refusal(200, "<html>hello</html>", LF_ERR_REFUSED, 200);
    check_refusal(200, "{\"data\":[]}", LF_ERR_REFUSED, 200);
    check_refusal(500, "oops", LF_ERR_SERVER, 500);
    stop(server);
}

TEST(a_server_that_is_silent_or_not_there_is_told_apart)
{
    char url[64];
    int silent = silent_server(url, sizeof url);
    lf_options options = to_server(url);
    CHECK_INT(lf_init(&options), LF_OK);
    lf_error error;
    CHECK_INT(lf_auth_check(50, &error), LF_ERR_TIMEOUT);
    CHECK_INT(lf_shutdown(HARNESS_WAIT_MS), LF_OK);
    close(silent);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", fake_free_port());
    options = to_server(url);
    CHECK_INT(lf_init(&options), LF_OK);
    CHECK_INT(lf_auth_check(HARNESS_WAIT_MS, &error), LF_ERR_NETWORK);
    CHECK_INT(error.http_status, 0);
    CHECK(lf_trace_url(trace_hex, HARNESS_WAIT_MS) == NULL);
}

TEST(without_keys_or_after_shutdown_nothing_is_asked)
{
    lf_error error = {0};
    lf_options none = {LF_OPTIONS_INIT, .log = keep_line};
    CHECK_INT(lf_init(&none), LF_ERR_DISABLED);
    CHECK_INT(lf_auth_check(HARNESS_WAIT_MS, &error), LF_ERR_DISABLED);
    CHECK_INT(error.status, LF_ERR_DISABLED);
    CHECK(error.message[0] != '\0');
    CHECK_INT(lf_auth_check(HARNESS_WAIT_MS, NULL), LF_ERR_DISABLED);
    CHECK(lf_trace_url(trace_hex, HARNESS_WAIT_MS) == NULL);
    fake_server *server = start_asking(NULL);
    stop(server);
    CHECK_INT(lf_auth_check(HARNESS_WAIT_MS, &error), LF_ERR_DISABLED);
    CHECK(lf_trace_url(trace_hex, HARNESS_WAIT_MS) == NULL);
    CHECK_INT(asked, 0);
}

TEST(errno_and_the_signal_mask_survive)
{
    fake_server *server = start_asking(NULL);
    sigset_t before, after;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    errno = 77;
    lf_auth_check(HARNESS_WAIT_MS, NULL);
    free(lf_trace_url(trace_hex, HARNESS_WAIT_MS));
    CHECK_INT(errno, 77);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (int i = 1; i < 32; i++)
        CHECK_INT(sigismember(&before, i), sigismember(&after, i));
    stop(server);
}

/* ---- Where a trace can be looked at ------------------------------------------------------------------------------------- */

static NOINLINE char *url_inside(char id[LF_TRACE_ID_SIZE])
{
    OBSERVE();
    CHECK(lf_current_trace_id(id));
    return lf_trace_url(NULL, HARNESS_WAIT_MS);
}

/* Python: test_url_used_in_trace_url_generation */
TEST(the_url_has_the_project_and_the_trace_and_is_asked_for_once)
{
    fake_server *server = start_asking(NULL);
    char *url = lf_trace_url(trace_hex, HARNESS_WAIT_MS);
    check_url(url, server, "/project/proj-1/traces/4bf92f3577b34da6a3ce929d0e0e4736");
    free(url);
    url = lf_trace_url("req_12345", HARNESS_WAIT_MS);
    check_url(url, server, "/project/proj-1/traces/6cec55478a541a9eb2b3bfd6c8ba5670");
    free(url);
    char id[LF_TRACE_ID_SIZE], rest[128];
    url = url_inside(id);
    snprintf(rest, sizeof rest, "/project/proj-1/traces/%s", id);
    check_url(url, server, rest);
    free(url);
    CHECK_INT(asked, 1);
    stop(server);
}

TEST(outside_of_a_trace_there_is_no_url_and_nothing_is_asked)
{
    fake_server *server = start_asking(NULL);
    CHECK(lf_trace_url(NULL, HARNESS_WAIT_MS) == NULL);
    CHECK(lf_trace_url("", HARNESS_WAIT_MS) == NULL);
    {
        OBSERVE_ATTRIBUTES(.user_id = "u");
        CHECK(lf_trace_url(NULL, HARNESS_WAIT_MS) == NULL);
    }
    CHECK_INT(asked, 0);
    stop(server);
}

TEST(a_failed_question_is_asked_again)
{
    fake_server *server = start_asking(NULL);
    answer_status = 500;
    CHECK(lf_trace_url(trace_hex, HARNESS_WAIT_MS) == NULL);
    answer_status = 200;
    char *url = lf_trace_url(trace_hex, HARNESS_WAIT_MS);
    CHECK(url != NULL);
    free(url);
    stop(server);
}

/* Python: test_trailing_slash_handling (there the slash stays; a URL with two is no help) */
TEST(a_slash_behind_the_server_is_not_doubled)
{
    fake_server *server = fake_server_start(project, NULL);
    char base[160];
    snprintf(base, sizeof base, "%s/", server->url);
    lf_options options = to_server(base);
    CHECK_INT(lf_init(&options), LF_OK);
    char *url = lf_trace_url(trace_hex, HARNESS_WAIT_MS);
    check_url(url, server, "/project/proj-1/traces/4bf92f3577b34da6a3ce929d0e0e4736");
    free(url);
    stop(server);
}

/* There ids are any text; the address must be one nevertheless. */
TEST(over_the_batch_endpoint_the_text_is_the_id_and_is_escaped)
{
    fake_server *server = start_asking("ingestion");
    char *url = lf_trace_url("order 5/a?b", HARNESS_WAIT_MS);
    check_url(url, server, "/project/proj-1/traces/order%205%2Fa%3Fb");
    free(url);
    url = lf_trace_url("4BF92F3577B34DA6A3CE929D0E0E4736", HARNESS_WAIT_MS); /* an id by itself: sent in lower case */
    check_url(url, server, "/project/proj-1/traces/4bf92f3577b34da6a3ce929d0e0e4736");
    free(url);
    stop(server);
}

static NOINLINE char *url_of_named(const char *name)
{
    OBSERVE_WITH((.trace_id = name));
    return lf_trace_url(NULL, HARNESS_WAIT_MS);
}

static void *url_here(void *unused)
{
    (void)unused;
    return lf_trace_url(NULL, HARNESS_WAIT_MS);
}

/* The text is nowhere on the stack of the thread that asks. */
static NOINLINE char *url_on_another_thread(const char *name)
{
    OBSERVE_WITH((.trace_id = name));
    pthread_t thread;
    void *url = NULL;
    CHECK_INT(lf_thread_create(&thread, NULL, url_here, NULL), 0);
    CHECK_INT(pthread_join(thread, &url), 0);
    return url;
}

static NOINLINE char *url_below_handle(const char *name)
{
    lf_observation *handle = lf_start_as_current_observation(.name = "handle", .trace_id = name);
    char *url = lf_trace_url(NULL, HARNESS_WAIT_MS);
    lf_observation_end(handle);
    return url;
}

/* A text that the server refuses as an id is not sent as one. */
TEST(a_trace_named_by_what_is_no_id_has_the_url_of_its_hash)
{
    char longer[900], hashed[LF_TRACE_ID_SIZE], rest[128];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    const char *const names[] = {longer, "carriage\rreturn", "\xff"};
    fake_server *server = start_asking("ingestion");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        lf_create_trace_id(names[i], hashed);
        snprintf(rest, sizeof rest, "/project/proj-1/traces/%s", hashed);
        char *url = url_of_named(names[i]);
        check_url(url, server, rest);
        free(url);
        url = lf_trace_url(names[i], HARNESS_WAIT_MS);
        check_url(url, server, rest);
        free(url);
    }
    stop(server);
}

/* What the server calls the trace, also where the thread only knows its hash. */
TEST(the_current_trace_is_called_as_the_server_knows_it)
{
    char *(*const ask[])(const char *) = {url_of_named, url_on_another_thread, url_below_handle};
    static const char hex[] = "4bf92f3577b34da6a3ce929d0e0e4736";
    for (int batches = 0; batches < 2; batches++) {
        fake_server *server = start_asking(batches ? "ingestion" : NULL);
        for (size_t i = 0; i < sizeof ask / sizeof *ask; i++) {
            char name[32], hashed[LF_TRACE_ID_SIZE], rest[128];
            snprintf(name, sizeof name, "order 5/%zu", i);
            lf_create_trace_id(name, hashed);
            char *url = ask[i](name);
            if (batches)
                snprintf(rest, sizeof rest, "/project/proj-1/traces/order%%205%%2F%zu", i);
            else
                snprintf(rest, sizeof rest, "/project/proj-1/traces/%s", hashed);
            check_url(url, server, rest);
            free(url);
            url = ask[i](hex);
            check_url(url, server, "/project/proj-1/traces/4bf92f3577b34da6a3ce929d0e0e4736");
            free(url);
        }
        stop(server);
    }
}

static NOINLINE char *url_at(lf_client *client, char id[LF_TRACE_ID_SIZE])
{
    OBSERVE_WITH((.client = client));
    CHECK(lf_current_trace_id(id));
    return lf_trace_url(NULL, HARNESS_WAIT_MS);
}

TEST(the_trace_of_another_client_lies_at_its_server)
{
    fake_server *server = start_asking(NULL), *second = fake_server_start(project, NULL);
    lf_options options = to_fake(second);
    lf_client *client = lf_client_new(&options);
    char id[LF_TRACE_ID_SIZE], rest[128];
    char *url = url_at(client, id);
    snprintf(rest, sizeof rest, "/project/proj-1/traces/%s", id);
    check_url(url, second, rest);
    free(url);
    stop(server);
    fake_server_free(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_keys_are_good),
        cmocka_unit_test(what_is_wrong_is_told_apart),
        cmocka_unit_test(a_server_that_is_silent_or_not_there_is_told_apart),
        cmocka_unit_test(without_keys_or_after_shutdown_nothing_is_asked),
        cmocka_unit_test(errno_and_the_signal_mask_survive),
        cmocka_unit_test(the_url_has_the_project_and_the_trace_and_is_asked_for_once),
        cmocka_unit_test(outside_of_a_trace_there_is_no_url_and_nothing_is_asked),
        cmocka_unit_test(a_failed_question_is_asked_again),
        cmocka_unit_test(a_slash_behind_the_server_is_not_doubled),
        cmocka_unit_test(over_the_batch_endpoint_the_text_is_the_id_and_is_escaped),
        cmocka_unit_test(a_trace_named_by_what_is_no_id_has_the_url_of_its_hash),
        cmocka_unit_test(the_current_trace_is_called_as_the_server_knows_it),
        cmocka_unit_test(the_trace_of_another_client_lies_at_its_server),
    };
    return cmocka_run_group_tests_name("server questions", tests, NULL, NULL);
}
