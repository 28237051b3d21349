/* Prompts in memory: what is fresh, stale and missing, what each failure of the server gives, one request however many ask,
 * invalidation, bounds, and everything at once: threads, forks, exits, cancellation, signals.
 */
#include "prompt_cases.h"

#include "../../src/ask/prompt_body.h"
#include "../../src/ask/prompt_cache.h"

#include <malloc.h>

#if HARNESS_TSAN
/* Programs that exit in the middle of things leave threads behind: that is what is tested here. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "report_thread_leaks=0";
}
#endif

static bool can_get(const char *name, int version)
{
    lf_prompt *p = lf_get_prompt(name, .timeout_ms = 3000);
    bool can = p != NULL && p->version == version;
    lf_prompt_free(p);
    return can;
}

/* ---- Fresh, cached, stale ------------------------------------------------------------------------------------------------ */

/* Python: test_get_fresh_prompt, test_get_valid_cached_prompt */
TEST(a_prompt_is_fetched_once_and_then_cached)
{
    fake_server *server = start_prompts();
    lf_prompt *p = lf_get_prompt("a b/c");
    CHECK(p != NULL);
    CHECK_INT(p->source, LF_PROMPT_FRESH);
    CHECK_INT(p->type, LF_PROMPT_TEXT);
    CHECK_TEXT(p->prompt, "a%20b%2Fc v1");
    CHECK(!p->is_fallback && p->messages == NULL && p->commit_message == NULL);
    CHECK_TEXT(p->labels[0], "production");
    CHECK(p->labels[1] == NULL);
    CHECK_TEXT(p->tags[1], "b");
    CHECK(cJSON_IsNumber(cJSON_GetObjectItem(p->config, "t")));
    lf_prompt_free(p);
    CHECK_GETS(LF_PROMPT_CACHED, 1, "a b/c");
    CHECK_INT(script.gets, 1);
    CHECK(asked_for(server, "GET " PROMPTS_PATH "/a%20b%2Fc?label=production "));
    fake_server_free(server);
}

/* Python: test_get_valid_cached_prompt_by_label, _by_version, test_get_fresh_prompt_when_version_changes */
TEST(versions_and_labels_are_cached_apart)
{
    fake_server *server = start_prompts();
    for (int round = 0; round < 2; round++) {
        lf_prompt_source expected = round == 0 ? LF_PROMPT_FRESH : LF_PROMPT_CACHED;
        CHECK_GETS(expected, 1, "p");
        CHECK_GETS(expected, 1, "p", .label = "staging");
        CHECK_GETS(expected, 1, "p", .version = 1);
        CHECK_GETS(expected, 1, "p", .version = 2);
        CHECK_GETS(expected, 1, "q");
        CHECK_GETS(LF_PROMPT_CACHED, 1, "p", .label = "production");
    }
    CHECK_INT(script.gets, 5);
    CHECK(asked_for(server, "GET " PROMPTS_PATH "/p?version=2 "));
    CHECK(asked_for(server, "GET " PROMPTS_PATH "/p?label=staging "));
    fake_server_free(server);
}

/* Python: test_throw_if_name_unspecified */
TEST(wrong_questions_are_refused_without_a_request)
{
    fake_server *server = start_prompts();
    const char *bad[] = {NULL, "", "a|b", "a\xff"};
    for (int i = 0; i < 4; i++) {
        lf_error error = {0};
        CHECK(lf_get_prompt(bad[i], .error = &error) == NULL);
        CHECK_INT(error.status, LF_ERR_ARGUMENT);
        CHECK(error.message[0] != '\0');
        CHECK_GETS(LF_PROMPT_FALLBACK, 0, bad[i], .fallback = "f");
    }
    lf_error error = {0};
    CHECK(lf_get_prompt("p", .version = 1, .label = "x", .error = &error) == NULL);
    CHECK_INT(error.status, LF_ERR_ARGUMENT);
    CHECK_GETS(LF_PROMPT_FALLBACK, 1, "p", .version = 1, .label = "x", .fallback = "f");
    CHECK(lf_get_prompt("p", .version = -1) == NULL);
    CHECK_GETS(LF_PROMPT_FRESH, 1, "q", .version = 1, .label = ""); /* an empty label is none */
    char long_text[4098];
    memset(long_text, 'a', sizeof long_text);
    long_text[4097] = '\0';
    CHECK(lf_get_prompt(long_text, .error = &error) == NULL);
    CHECK_INT(error.status, LF_ERR_ARGUMENT);
    error.status = LF_OK;
    CHECK(lf_get_prompt("p", .label = long_text, .error = &error) == NULL);
    CHECK_INT(error.status, LF_ERR_ARGUMENT);
    lf_prompt_free(lf_get_prompt_with("p", NULL));
    CHECK_INT(script.gets, 2);
    fake_server_free(server);
}

/* Python: test_disable_caching_when_ttl_zero */
TEST(a_ttl_of_0_always_asks)
{
    fake_server *server = start_prompts();
    for (int i = 1; i <= 3; i++) {
        script.version = i;
        CHECK_GETS(LF_PROMPT_FRESH, i, "p", .cache_ttl_ms = 0);
    }
    CHECK_INT(script.gets, 3);
    fake_server_free(server);
}

/* Python: test_get_stale_prompt_when_expired_cache_default_ttl, test_skip_redundant_refresh_when_cache_already_updated */
TEST(a_stale_prompt_is_given_at_once_and_refreshed_once)
{
    fake_server *server = start_prompts();
    CHECK_GETS(LF_PROMPT_FRESH, 1, "p", .cache_ttl_ms = 0);
    script.version = 2;
    script.hold_first = 2;
    for (int i = 0; i < 50; i++)
        CHECK_GETS(LF_PROMPT_STALE, 1, "p");
    CHECK_SOON(script.gets == 2);
    script.release = true;
    CHECK(lf__prompts_settle(HARNESS_WAIT_MS));
    CHECK_GETS(LF_PROMPT_CACHED, 2, "p");
    CHECK_INT(script.gets, 2);
    fake_server_free(server);
}

TEST(time_makes_a_prompt_stale)
{
    fake_server *server = start_prompts();
    CHECK_GETS(LF_PROMPT_FRESH, 1, "p", .cache_ttl_ms = 1000);
    sleep_ms(1100);
    lf_prompt *p = lf_get_prompt("p");
    CHECK_INT(p->source, LF_PROMPT_STALE);
    CHECK(p->age_ms >= 1000 && p->age_ms < HARNESS_WAIT_MS);
    lf_prompt_free(p);
    CHECK(lf__prompts_settle(HARNESS_WAIT_MS));
    fake_server_free(server);
}

/* Python: test_get_expired_prompt_when_failing_fetch */
TEST(a_failing_refresh_keeps_the_stale_copy_and_is_not_repeated_at_once)
{
    fake_server *server = start_prompts();
    CHECK_GETS(LF_PROMPT_FRESH, 1, "p", .cache_ttl_ms = 0);
    script.status = 500;
    CHECK_GETS(LF_PROMPT_STALE, 1, "p", .max_retries = 0);
    CHECK(lf__prompts_settle(HARNESS_WAIT_MS));
    CHECK_INT(script.gets, 2);
    uint64_t until = now_ms() + 3000, asked_before = (uint64_t)script.gets;
    unsigned calls = 0;
    for (; now_ms() < until; calls++)
        CHECK_GETS(LF_PROMPT_STALE, 1, "p", .max_retries = 0);
    /* About one in a second; thousands of calls were made. */
    CHECK(calls > 20);
    CHECK((uint64_t)script.gets - asked_before <= 4);
    script_reset();
    script.version = 2;
    CHECK_SOON(can_get("p", 2));
    fake_server_free(server);
}

/* Python: test_evict_prompt_cache_entry_when_refresh_returns_not_found */
TEST(a_refresh_that_finds_nothing_evicts)
{
    fake_server *server = start_prompts();
    CHECK_GETS(LF_PROMPT_FRESH, 1, "p", .cache_ttl_ms = 0);
    script.status = 404;
    CHECK_GETS(LF_PROMPT_STALE, 1, "p");
    CHECK(lf__prompts_settle(HARNESS_WAIT_MS));
    CHECK_INT(script.gets, 2);
    lf_error error = {0};
    CHECK(lf_get_prompt("p", .error = &error) == NULL);
    CHECK_INT(error.http_status, 404);
    CHECK_INT(script.gets, 3);
    fake_server_free(server);
}

TEST(the_default_ttl_comes_from_the_environment)
{
    setenv("LANGFUSE_PROMPT_CACHE_DEFAULT_TTL_SECONDS", "0", 1);
    fake_server *server = start_prompts();
    CHECK_GETS(LF_PROMPT_FRESH, 1, "p");
    CHECK_GETS(LF_PROMPT_STALE, 1, "p");
    CHECK(lf__prompts_settle(HARNESS_WAIT_MS));
    CHECK_GETS(LF_PROMPT_STALE, 1, "p");
    CHECK(lf__prompts_settle(HARNESS_WAIT_MS));
    CHECK_INT(lines_with("TTL"), 0);
    fake_server_free(server);
}

TEST(a_bad_default_ttl_is_one_line_and_60_seconds)
{
    setenv("LANGFUSE_PROMPT_CACHE_DEFAULT_TTL_SECONDS", "soon", 1);
    fake_server *server = start_prompts();
    CHECK_GETS(LF_PROMPT_FRESH, 1, "p");
    CHECK_GETS(LF_PROMPT_CACHED, 1, "p");
    CHECK_INT(lines_with("LANGFUSE_PROMPT_CACHE_DEFAULT_TTL_SECONDS"), 1);
    fake_server_free(server);
}

TEST(a_huge_ttl_is_for_ever)
{
    fake_server *server = start_prompts();
    CHECK_GETS(LF_PROMPT_FRESH, 1, "p", .cache_ttl_ms = INT32_MAX);
    CHECK_GETS(LF_PROMPT_CACHED, 1, "p");
    fake_server_free(server);
}

TEST(tracing_switched_off_leaves_prompts_alone)
{
    fake_server *server = fake_server_start(answer_prompts, NULL);
    setenv("LANGFUSE_TRACING_ENABLED", "false", 1);
    lf_options options = to_server(server->url);
    CHECK_INT(lf_init(&options), LF_ERR_DISABLED);
    CHECK_GETS(LF_PROMPT_FRESH, 1, "p");
    fake_server_free(server);
}

TEST(without_keys_there_is_the_fallback_or_an_error)
{
    setenv("LANGFUSE_PROMPT_CACHE_DIR", harness_folder, 1);
    lf_options options = {LF_OPTIONS_INIT, .log = keep_line};
    lf_init(&options);
    lf_error error = {0};
    CHECK(lf_get_prompt("p", .error = &error) == NULL);
    CHECK_INT(error.status, LF_ERR_DISABLED);
    CHECK_GETS(LF_PROMPT_FALLBACK, 0, "p", .fallback = "f");
    CHECK(lf_create_prompt(.name = "p", .prompt = "x", .error = &error) == NULL);
    CHECK_INT(error.status, LF_ERR_DISABLED);
    CHECK_INT(lf_update_prompt(.name = "p", .version = 1), LF_ERR_DISABLED);
    const char *names[] = {"p"};
    CHECK_INT(lf_prefetch_prompts(names, 1, 100), LF_ERR_DISABLED);
}

static lf_error garbage(void)
{
    lf_error error;
    memset(&error, 0x55, sizeof error);
    return error;
}

/* What a call says stands in the struct, whatever was there before. */
#define CHECK_WRITES(expected, call)                                  \
    do {                                                              \
        lf_error error = garbage();                                   \
        call;                                                         \
        CHECK_INT(error.status, expected);                            \
        CHECK((error.message[0] == '\0') == (error.status == LF_OK)); \
        CHECK((error.http_status == 0) || (expected) != LF_OK);       \
    } while (0)

TEST(an_error_is_always_written)
{
    fake_server *server = start_prompts();
    CHECK_WRITES(LF_OK, lf_prompt_free(lf_get_prompt("p", .error = &error)));
    CHECK_WRITES(LF_OK, lf_prompt_free(lf_get_prompt("p", .error = &error))); /* cached */
    CHECK_WRITES(LF_OK, lf_prompt_free(lf_get_prompt("p", .cache_ttl_ms = 0, .error = &error)));
    CHECK_WRITES(LF_OK, lf_prompt_free(lf_get_prompt("p", .error = &error))); /* stale */
    CHECK_WRITES(LF_OK, lf_prompt_free(lf_create_prompt(.name = "p", .prompt = "x", .error = &error)));
    CHECK_WRITES(LF_OK, (void)lf_update_prompt(.name = "p", .version = 1, .new_labels = LF_TAGS("a"), .error = &error));
    CHECK_WRITES(LF_ERR_ARGUMENT, lf_prompt_free(lf_get_prompt("", .error = &error)));
    CHECK_WRITES(LF_ERR_ARGUMENT, lf_prompt_free(lf_get_prompt(".", .fallback = "f", .error = &error)));
    CHECK_WRITES(LF_ERR_ARGUMENT, lf_prompt_free(lf_get_prompt("..", .error = &error)));
    CHECK_WRITES(LF_ERR_ARGUMENT, lf_prompt_free(lf_create_prompt(.name = "p", .error = &error)));
    CHECK_WRITES(LF_ERR_ARGUMENT, lf_prompt_free(lf_create_prompt(.name = "..", .prompt = "x", .error = &error)));
    CHECK_WRITES(LF_ERR_ARGUMENT, (void)lf_update_prompt(.name = "p", .error = &error));
    CHECK_WRITES(LF_ERR_TIMEOUT, lf_prompt_free(lf_get_prompt("not here", .timeout_ms = 0, .error = &error)));
    script.status = 404;
    CHECK_WRITES(LF_ERR_REFUSED, lf_prompt_free(lf_get_prompt("none", .fallback = "f", .error = &error)));
    CHECK_WRITES(LF_ERR_REFUSED, (void)lf_update_prompt(.name = "p", .version = 1, .new_labels = LF_TAGS("a"), .error = &error));
    CHECK_WRITES(LF_ERR_REFUSED, lf_prompt_free(lf_create_prompt(.name = "p", .prompt = "x", .error = &error)));
    fake_server_free(server);
}

/* ---- The failures of a server -------------------------------------------------------------------------------------------- */

typedef struct failure {
    const char *what;
    fake_manner manner;
    int status;
    const char *body;
    int timeout_ms; /* 0: the default */
    lf_status expected;
    int http;
    const char *headers;
} failure;

#define NO_PROMPT(text) {"no prompt: " text, FAKE_ANSWER, 0, text, 0, LF_ERR_SERVER, 200, NULL}

static const failure failures[] = {
    {"never answers", FAKE_HANG, 0, NULL, 300, LF_ERR_TIMEOUT, 0, NULL},
    {"closes", FAKE_CLOSE, 0, NULL, 0, LF_ERR_NETWORK, 0, NULL},
    {"truncated", FAKE_RESET_BODY, 0, NULL, 0, LF_ERR_NETWORK, 0, NULL},
    {"not HTTP", FAKE_RAW, 0, "SSH-2.0-OpenSSH_9.6\r\n", 0, LF_ERR_NETWORK, 0, NULL},
    {"400", FAKE_ANSWER, 400, NULL, 0, LF_ERR_REFUSED, 400, NULL},
    {"401", FAKE_ANSWER, 401, NULL, 0, LF_ERR_UNAUTHORIZED, 401, NULL},
    {"403", FAKE_ANSWER, 403, NULL, 0, LF_ERR_UNAUTHORIZED, 403, NULL},
    {"404", FAKE_ANSWER, 404, NULL, 0, LF_ERR_REFUSED, 404, NULL},
    {"429", FAKE_ANSWER, 429, NULL, 0, LF_ERR_REFUSED, 429, NULL},
    {"500", FAKE_ANSWER, 500, NULL, 0, LF_ERR_SERVER, 500, NULL},
    {"503", FAKE_ANSWER, 503, "<html>busy</html>", 0, LF_ERR_SERVER, 503, NULL},
    {"redirect", FAKE_ANSWER, 302, NULL, 0, LF_ERR_SERVER, 302, "Location: http://127.0.0.1:1/\r\n"},
    NO_PROMPT("<html>welcome</html>"),
    NO_PROMPT(" "),
    NO_PROMPT("null"),
    NO_PROMPT("[]"),
    NO_PROMPT("{}"),
    NO_PROMPT("\"p\""),
    NO_PROMPT("{\"name\":\"p\",\"version\":1,\"prompt\":\"x\""),
    NO_PROMPT("{\"name\":\"p\",\"version\":1}"),
    NO_PROMPT("{\"name\":\"p\",\"prompt\":\"x\"}"),
    NO_PROMPT("{\"version\":1,\"prompt\":\"x\"}"),
    NO_PROMPT("{\"name\":7,\"version\":1,\"prompt\":\"x\"}"),
    NO_PROMPT("{\"name\":\"p\",\"version\":\"1\",\"prompt\":\"x\"}"),
    NO_PROMPT("{\"name\":\"p\",\"version\":1,\"prompt\":5}"),
    NO_PROMPT("{\"name\":\"p\",\"version\":1,\"prompt\":{}}"),
    NO_PROMPT("{\"name\":\"p\",\"version\":1,\"prompt\":[5]}"),
    NO_PROMPT("{\"name\":\"p\",\"version\":1,\"prompt\":[[]]}"),
    NO_PROMPT("{\"name\":\"p\",\"version\":1,\"prompt\":[null]}"),
    NO_PROMPT("{\"name\":\"p\",\"version\":1,\"prompt\":[{\"role\":\"user\"}]}"),
    NO_PROMPT("{\"name\":\"p\",\"version\":1,\"prompt\":[{\"content\":\"x\"}]}"),
    NO_PROMPT("{\"name\":\"p\",\"version\":1,\"prompt\":[{\"type\":\"placeholder\"}]}"),
};

static void let_fail(const failure *f)
{
    script.status = f->status;
    script.manner = (int)f->manner;
    script.body = f->body;
    script.headers = f->headers;
}

#define SAY_ON(f, condition) ((condition) ? (void)0 : harness_fail(__FILE__, __LINE__, "%s: not so: %s", (f)->what, #condition))

static void check_failure(const failure *f)
{
    char name[64];
    static int number;
    snprintf(name, sizeof name, "p%d", number++);
    script_reset();
    let_fail(f);
    lf_error error = {0};
    uint64_t begin = now_ms();
    SAY_ON(f,
           lf_get_prompt(name, .timeout_ms = f->timeout_ms == 0 ? -1 : f->timeout_ms, .max_retries = 0, .error = &error) == NULL);
    SAY_ON(f, now_ms() - begin < HARNESS_WAIT_MS / 2);
    if (error.status != f->expected || error.http_status != f->http)
        harness_fail(__FILE__, __LINE__, "%s: %d, HTTP %d (%s)", f->what, error.status, error.http_status, error.message);
    SAY_ON(f, error.message[0] != '\0');
    error = (lf_error){0};
    lf_prompt *p = lf_get_prompt(name, .timeout_ms = f->timeout_ms == 0 ? -1 : f->timeout_ms, .max_retries = 0,
                                 .fallback = "f {{x}}", .label = "l", .error = &error);
    SAY_ON(f, p != NULL && p->is_fallback && p->source == LF_PROMPT_FALLBACK && p->version == 0 && p->age_ms == 0);
    SAY_ON(f, error.status == f->expected && strcmp(p->prompt, "f {{x}}") == 0);
    lf_prompt_free(p);
    script_reset();
    CHECK_GETS(LF_PROMPT_FRESH, 1, name, .cache_ttl_ms = 0);
    let_fail(f);
    error = (lf_error){0};
    p = lf_get_prompt(name, .timeout_ms = f->timeout_ms == 0 ? -1 : f->timeout_ms, .max_retries = 0, .cache_ttl_ms = 0,
                      .error = &error);
    SAY_ON(f, error.status == f->expected);
    SAY_ON(f, f->http == 404 ? p == NULL : p != NULL && p->source == LF_PROMPT_STALE && p->version == 1);
    lf_prompt_free(p);
}

/* Python: test_throw_when_failing_fetch_and_no_cache, v2 test_fallback_text_prompt */
TEST(each_failure_gives_its_error_the_fallback_or_the_stale_copy)
{
    fake_server *server = start_prompts();
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++)
        check_failure(&failures[i]);
    CHECK_INT(lines_with("its fallback is used"), 1);
    fake_server_free(server);
}

TEST(a_slow_server_is_left_at_the_timeout_of_the_whole_call)
{
    fake_server *server = start_prompts();
    const failure slow = {"slow", FAKE_ANSWER, 0, NULL, 400, LF_ERR_TIMEOUT, 0, NULL};
    script.delay_ms = 2 * HARNESS_WAIT_MS;
    uint64_t begin = now_ms();
    lf_error error = {0};
    SAY_ON(&slow, lf_get_prompt("p", .timeout_ms = 400, .max_retries = 4, .error = &error) == NULL);
    CHECK_INT(error.status, LF_ERR_TIMEOUT);
    CHECK(now_ms() - begin < HARNESS_WAIT_MS / 2);
    CHECK_INT(script.gets, 1);
    fake_server_free(server);
}

TEST(nobody_listening_is_a_network_error)
{
    fake_server *server = start_prompts();
    CHECK_GETS(LF_PROMPT_FRESH, 1, "stale", .cache_ttl_ms = 0);
    fake_server_free(server);
    lf_error error = {0};
    CHECK(lf_get_prompt("p", .max_retries = 0, .error = &error) == NULL);
    CHECK_INT(error.status, LF_ERR_NETWORK);
    CHECK_GETS(LF_PROMPT_FALLBACK, 3, "p", .version = 3, .max_retries = 0, .fallback = "");
    CHECK_GETS(LF_PROMPT_STALE, 1, "stale", .max_retries = 0, .cache_ttl_ms = 0);
    CHECK_GETS(LF_PROMPT_STALE, 1, "stale", .max_retries = 0);
}

TEST(an_answer_without_end_is_cut)
{
    fake_server *server = start_prompts();
    size_t size = 9 << 20;
    char *body = prompts_room(size + 1);
    memset(body, ' ', size);
    static const char begin[] = "{\"name\":\"p\",\"version\":1,\"prompt\":\"x\"";
    memcpy(body, begin, sizeof begin - 1);
    body[size - 1] = '}';
    script.body = body;
    lf_error error = {0};
    CHECK(lf_get_prompt("p", .max_retries = 0, .error = &error) == NULL);
    CHECK_INT(error.status, LF_ERR_SERVER);
    CHECK(strstr(error.message, "larger") != NULL);
    fake_server_free(server);
}

/* JSON may be nested as deeply as cJSON allows, also on the background thread with its small stack. */
TEST(deep_answers_fit_the_background_thread)
{
    fake_server *server = start_prompts();
    char *body = prompts_room(4096);
    size_t size = (size_t)snprintf(body, 200, "{\"name\":\"p\",\"version\":1,\"prompt\":\"x\",\"config\":");
    memset(body + size, '[', 990);
    memset(body + size + 990, ']', 990);
    body[size + 1980] = '}';
    script.body = body;
    const char *names[] = {"p"};
    CHECK_INT(lf_prefetch_prompts(names, 1, HARNESS_WAIT_MS), LF_OK);
    script.headers = NULL;
    char *chat = prompts_room(4096);
    size = (size_t)snprintf(chat, 200, "[{\"role\":\"user\",\"content\":\"x\",\"extra\":");
    memset(chat + size, '[', 980);
    memset(chat + size + 980, ']', 980);
    memcpy(chat + size + 1960, "}]", 3);
    script_reset();
    script.prompt = chat;
    names[0] = "q";
    CHECK_INT(lf_prefetch_prompts(names, 1, HARNESS_WAIT_MS), LF_OK);
    fake_server_free(server);
}

/* ---- Retries -------------------------------------------------------------------------------------------------------------- */

static int tries_for(int status, int retries)
{
    script.status = status;
    int before = script.gets;
    CHECK(lf_get_prompt("p", .max_retries = retries) == NULL);
    return script.gets - before;
}

TEST(only_what_may_pass_is_tried_again)
{
    fake_server *server = start_prompts();
    CHECK_INT(tries_for(500, 0), 1);
    CHECK_INT(tries_for(500, 1), 2);
    CHECK_INT(tries_for(503, -1), 3);
    CHECK_INT(tries_for(429, 1), 2);
    CHECK_INT(tries_for(408, 1), 2);
    CHECK_INT(tries_for(401, 2), 1);
    CHECK_INT(tries_for(403, 2), 1);
    CHECK_INT(tries_for(404, 2), 1);
    CHECK_INT(tries_for(400, 2), 1);
    CHECK_INT(tries_for(500, 1000), 5);
    fake_server_free(server);
}

/* Asking again changes nothing: the server says so, or is set up so. */
TEST(redirects_and_answers_that_are_too_large_are_not_tried_again)
{
    fake_server *server = start_prompts();
    script.headers = "Location: http://127.0.0.1:1/\r\n";
    CHECK_INT(tries_for(302, 2), 1);
    script.headers = NULL;
    script.body_size = 9 << 20;
    script.body = prompts_room(script.body_size);
    CHECK_INT(tries_for(0, 2), 1);
    fake_server_free(server);
}

TEST(a_later_try_may_succeed)
{
    fake_server *server = start_prompts();
    script.status = 500;
    script.fail_first = 2;
    lf_error error = {.status = LF_OK};
    CHECK_GETS(LF_PROMPT_FRESH, 1, "p", .error = &error);
    CHECK_INT(error.status, LF_OK);
    CHECK_INT(script.gets, 3);
    fake_server_free(server);
}

/* Python: test_using_custom_prompt_timeouts */
TEST(the_timeout_includes_the_tries)
{
    fake_server *server = start_prompts();
    script.status = 500;
    uint64_t begin = now_ms();
    CHECK(lf_get_prompt("p", .timeout_ms = 1, .max_retries = 4) == NULL);
    CHECK(now_ms() - begin < HARNESS_WAIT_MS / 2);
    CHECK(script.gets <= 1);
    fake_server_free(server);
}

/* ---- Many at once --------------------------------------------------------------------------------------------------------- */

enum { ASKERS = 64 };

static void ask_together(asker *askers, const char *fallback)
{
    script.hold_first = 1;
    for (int i = 0; i < ASKERS; i++) {
        askers[i] = (asker){.name = "p", .fallback = i % 2 == 0 ? fallback : NULL, .ttl = -1};
        ask_begin(&askers[i]);
    }
    let_them_wait();
    script.release = true;
    for (int i = 0; i < ASKERS; i++)
        ask_end(&askers[i]);
}

TEST(many_threads_make_one_request)
{
    static asker askers[ASKERS];
    fake_server *server = start_prompts();
    ask_together(askers, NULL);
    CHECK_INT(script.gets, 1);
    for (int i = 0; i < ASKERS; i++) {
        CHECK(askers[i].prompt != NULL);
        CHECK_TEXT(askers[i].prompt->prompt, "p v1");
        lf_prompt_free(askers[i].prompt);
    }
    fake_server_free(server);
}

TEST(many_threads_share_one_failure)
{
    static asker askers[ASKERS];
    fake_server *server = start_prompts();
    script.status = 503;
    ask_together(askers, "f");
    CHECK_INT(script.gets, 1);
    for (int i = 0; i < ASKERS; i++) {
        CHECK_INT(askers[i].error.status, LF_ERR_SERVER);
        CHECK_INT(askers[i].error.http_status, 503);
        CHECK((askers[i].prompt != NULL) == (i % 2 == 0));
        lf_prompt_free(askers[i].prompt);
    }
    fake_server_free(server);
}

TEST(who_has_less_time_gives_up_and_the_fetch_goes_on)
{
    fake_server *server = start_prompts();
    script.hold_first = 1;
    asker patient = {.name = "p", .ttl = -1};
    ask_begin(&patient);
    CHECK_SOON(script.gets == 1);
    lf_error error = {0};
    CHECK(lf_get_prompt("p", .timeout_ms = 50, .error = &error) == NULL);
    CHECK_INT(error.status, LF_ERR_TIMEOUT);
    CHECK_GETS(LF_PROMPT_FALLBACK, 0, "p", .timeout_ms = 50, .fallback = "f");
    CHECK(!patient.ended);
    script.release = true;
    ask_end(&patient);
    CHECK(patient.prompt != NULL);
    lf_prompt_free(patient.prompt);
    CHECK_GETS(LF_PROMPT_CACHED, 1, "p");
    CHECK_INT(script.gets, 1);
    fake_server_free(server);
}

/* One asks the server, which does not answer yet; the other waits for the one. */
static void ask_one_behind_the_other(asker *first, asker *second)
{
    script.hold_first = 1;
    *first = *second = (asker){.name = "p", .ttl = -1};
    ask_begin(first);
    CHECK_SOON(script.gets == 1);
    ask_begin(second);
    let_them_wait();
}

/* One thread asks with little time, one behind it has more: the failure of the first is not its own. */
TEST(who_has_more_time_asks_again_when_the_first_gives_up)
{
    fake_server *server = start_prompts();
    script.hold_first = 2; /* the second one's question, too: the first would find the answer in memory */
    asker hasty = {.name = "p", .ttl = -1, .timeout_ms = 1000}, patient = {.name = "p", .ttl = -1, .timeout_ms = HARNESS_WAIT_MS};
    ask_begin(&hasty);
    CHECK_SOON(script.gets == 1);
    ask_begin(&patient);
    ask_end(&hasty);
    CHECK(hasty.prompt == NULL);
    CHECK_INT(hasty.error.status, LF_ERR_TIMEOUT);
    script.release = true;
    ask_end(&patient);
    CHECK(patient.prompt != NULL);
    lf_prompt_free(patient.prompt);
    fake_server_free(server);
}

TEST(another_fetch_that_fails_does_not_end_the_waiting)
{
    fake_server *server = start_prompts();
    asker first, second;
    ask_one_behind_the_other(&first, &second);
    script.status = 404;
    CHECK(lf_get_prompt("p", .cache_ttl_ms = 0, .timeout_ms = HARNESS_WAIT_MS) == NULL);
    let_them_wait();
    CHECK(!second.ended);
    script.status = 0;
    script.release = true;
    ask_end(&first);
    ask_end(&second);
    CHECK(first.prompt != NULL && second.prompt != NULL);
    lf_prompt_free(first.prompt);
    lf_prompt_free(second.prompt);
    fake_server_free(server);
}

TEST(prefetched_prompts_are_there)
{
    fake_server *server = start_prompts();
    const char *names[] = {"a", "b", "c"};
    CHECK_INT(lf_prefetch_prompts(names, 3, HARNESS_WAIT_MS), LF_OK);
    for (int i = 0; i < 3; i++)
        CHECK_GETS(LF_PROMPT_CACHED, 1, names[i]);
    CHECK_INT(lf_prefetch_prompts(names, 3, HARNESS_WAIT_MS), LF_OK);
    CHECK_INT(script.gets, 3);
    script.status = 404;
    const char *more[] = {"a", "missing"}, *bad[] = {"a", NULL};
    CHECK_INT(lf_prefetch_prompts(more, 2, HARNESS_WAIT_MS), LF_ERR_REFUSED);
    CHECK_INT(lf_prefetch_prompts(bad, 2, HARNESS_WAIT_MS), LF_ERR_ARGUMENT);
    script_reset();
    script.hold_first = 1000;
    const char *slow[] = {"slow"};
    CHECK_INT(lf_prefetch_prompts(slow, 1, 50), LF_ERR_TIMEOUT);
    CHECK_INT(lf_prefetch_prompts(NULL, 0, 0), LF_OK);
    CHECK_INT(lf_prefetch_prompts(NULL, 1, 0), LF_ERR_ARGUMENT);
    script.release = true;
    CHECK(lf__prompts_settle(HARNESS_WAIT_MS));
    CHECK_GETS(LF_PROMPT_CACHED, 1, "slow");
    fake_server_free(server);
}

TEST(a_prompt_that_is_being_prefetched_is_waited_for)
{
    fake_server *server = start_prompts();
    const char *names[] = {"p"};
    script.hold_first = 1;
    CHECK_INT(lf_prefetch_prompts(names, 1, 0), LF_OK);
    CHECK_SOON(script.gets == 1);
    asker late = {.name = "p", .ttl = -1};
    ask_begin(&late);
    let_them_wait();
    CHECK(!late.ended);
    script.release = true;
    ask_end(&late);
    CHECK(late.prompt != NULL);
    lf_prompt_free(late.prompt);
    CHECK_INT(script.gets, 1);
    CHECK(lf__prompts_settle(HARNESS_WAIT_MS));
    fake_server_free(server);
}

TEST(what_was_fetched_while_it_waited_to_be_prefetched_is_not_fetched_again)
{
    fake_server *server = start_prompts();
    const char *names[] = {"slow", "p"};
    script.hold_first = 1;
    CHECK_INT(lf_prefetch_prompts(names, 2, 0), LF_OK);
    CHECK_SOON(script.gets == 1);
    CHECK_GETS(LF_PROMPT_FRESH, 1, "p");
    script.release = true;
    CHECK(lf__prompts_settle(HARNESS_WAIT_MS));
    CHECK_INT(script.gets, 2);
    fake_server_free(server);
}

TEST(a_forked_child_can_ask_while_another_thread_asked)
{
    SKIP_WHERE_FORK_IS_NOT_SUPPORTED(a_forked_child_can_ask_while_another_thread_asked);
    fake_server *server = start_prompts();
    script.hold_first = 1;
    asker first = {.name = "p", .ttl = -1};
    ask_begin(&first);
    CHECK_SOON(script.gets == 1);
    pid_t child = fork();
    if (child == 0) {
        harness_leaves_threads_behind = true;
        uint64_t begin = now_ms();
        CHECK_GETS(LF_PROMPT_FRESH, 1, "q");
        CHECK(now_ms() - begin < HARNESS_WAIT_MS / 2);
        exit(0); /* waits for nobody who is the parent's */
    }
    CHECK_INT(end_of_child(child), 0);
    script.release = true;
    ask_end(&first);
    lf_prompt_free(first.prompt);
    fake_server_free(server);
}

/* ---- Forgetting ----------------------------------------------------------------------------------------------------------- */

TEST(invalidation_is_by_the_whole_name)
{
    fake_server *server = start_prompts();
    CHECK_GETS(LF_PROMPT_FRESH, 1, "a");
    CHECK_GETS(LF_PROMPT_FRESH, 1, "a", .label = "x");
    CHECK_GETS(LF_PROMPT_FRESH, 1, "a", .version = 3);
    CHECK_GETS(LF_PROMPT_FRESH, 1, "ab");
    lf_invalidate_prompt("a");
    CHECK_GETS(LF_PROMPT_CACHED, 1, "ab");
    CHECK_GETS(LF_PROMPT_FRESH, 1, "a");
    CHECK_GETS(LF_PROMPT_FRESH, 1, "a", .label = "x");
    CHECK_GETS(LF_PROMPT_FRESH, 1, "a", .version = 3);
    lf_invalidate_prompt(NULL);
    CHECK_GETS(LF_PROMPT_CACHED, 1, "a");
    lf_clear_prompt_cache();
    CHECK_GETS(LF_PROMPT_FRESH, 1, "ab");
    CHECK_GETS(LF_PROMPT_FRESH, 1, "a");
    fake_server_free(server);
}

TEST(creating_and_updating_forget)
{
    fake_server *server = start_prompts();
    CHECK_GETS(LF_PROMPT_FRESH, 1, "p");
    CHECK_GETS(LF_PROMPT_FRESH, 1, "pq");
    lf_prompt *made = lf_create_prompt(.name = "p", .prompt = "x");
    CHECK(made != NULL);
    lf_prompt_free(made);
    CHECK_GETS(LF_PROMPT_FRESH, 1, "p");
    CHECK_INT(lf_update_prompt(.name = "p", .version = 1, .new_labels = LF_TAGS("production")), LF_OK);
    CHECK_GETS(LF_PROMPT_FRESH, 1, "p");
    CHECK_GETS(LF_PROMPT_CACHED, 1, "pq");
    fake_server_free(server);
}

TEST(what_was_on_its_way_when_forgotten_is_not_kept)
{
    fake_server *server = start_prompts();
    script.hold_first = 1;
    asker early = {.name = "p", .ttl = -1};
    ask_begin(&early);
    CHECK_SOON(script.gets == 1);
    lf_invalidate_prompt("p");
    script.version = 2;
    script.release = true;
    ask_end(&early);
    CHECK(early.prompt != NULL && early.prompt->version == 1);
    lf_prompt_free(early.prompt);
    CHECK_GETS(LF_PROMPT_FRESH, 2, "p");
    fake_server_free(server);
}

TEST(an_answer_from_before_does_not_replace_one_from_after)
{
    fake_server *server = start_prompts();
    script.hold_first = 1;
    asker early = {.name = "p", .ttl = 0};
    ask_begin(&early);
    CHECK_SOON(script.gets == 1);
    lf_invalidate_prompt("p");
    script.version = 2;
    CHECK_GETS(LF_PROMPT_FRESH, 2, "p", .cache_ttl_ms = 0);
    script.release = true;
    ask_end(&early);
    lf_prompt_free(early.prompt);
    CHECK_GETS(LF_PROMPT_STALE, 2, "p");
    CHECK(lf__prompts_settle(HARNESS_WAIT_MS));
    fake_server_free(server);
}

TEST(forgetting_another_prompt_disturbs_nobody)
{
    fake_server *server = start_prompts();
    asker first, second;
    ask_one_behind_the_other(&first, &second);
    lf_invalidate_prompt("other");
    script.release = true;
    ask_end(&first);
    ask_end(&second);
    CHECK(first.prompt != NULL && second.prompt != NULL);
    lf_prompt_free(first.prompt);
    lf_prompt_free(second.prompt);
    CHECK_GETS(LF_PROMPT_CACHED, 1, "p");
    CHECK_INT(script.gets, 1);
    fake_server_free(server);
}

TEST(who_waits_for_what_was_forgotten_asks_again)
{
    fake_server *server = start_prompts();
    asker first, second;
    ask_one_behind_the_other(&first, &second);
    lf_invalidate_prompt("p");
    script.version = 2;
    script.release = true;
    ask_end(&first);
    ask_end(&second);
    CHECK(second.prompt != NULL);
    CHECK_INT(second.prompt->version, 2);
    lf_prompt_free(first.prompt);
    lf_prompt_free(second.prompt);
    fake_server_free(server);
}

/* The answer "there is none" was made before the prompt was created. */
TEST(who_waits_while_it_is_created_asks_again)
{
    fake_server *server = start_prompts();
    asker first, second;
    script.status = 404;
    ask_one_behind_the_other(&first, &second);
    script.status = 0;
    lf_prompt *made = lf_create_prompt(.name = "p", .prompt = "x");
    CHECK(made != NULL);
    lf_prompt_free(made);
    script.release = true;
    ask_end(&first);
    ask_end(&second);
    CHECK_INT(first.error.http_status, 404);
    CHECK(second.prompt != NULL);
    lf_prompt_free(second.prompt);
    fake_server_free(server);
}

/* What is "not there any more" is what was there when it was asked for. */
TEST(there_is_none_from_before_does_not_remove_what_is_from_after)
{
    fake_server *server = start_prompts();
    asker early = {.name = "p", .ttl = 0};
    script.status = 404;
    script.fail_first = 1;
    script.hold_first = 1;
    ask_begin(&early);
    CHECK_SOON(script.gets == 1);
    lf_invalidate_prompt("p");
    CHECK_GETS(LF_PROMPT_FRESH, 1, "p", .cache_ttl_ms = 0);
    script.release = true;
    ask_end(&early);
    CHECK(early.prompt == NULL);
    CHECK_GETS(LF_PROMPT_STALE, 1, "p");
    CHECK(lf__prompts_settle(HARNESS_WAIT_MS));
    fake_server_free(server);
}

static long references(const lf_prompt *p)
{
    return ((const lf__prompt_body *)p->body)->references;
}

/* Else no memory of a prompt is ever freed: each refresh would add one. */
TEST(what_the_cache_has_forgotten_or_replaced_belongs_to_its_readers_alone)
{
    fake_server *server = start_prompts();
    lf_prompt *fetched = lf_get_prompt("p"), *cached = lf_get_prompt("p");
    CHECK_INT(references(fetched), 3);
    lf_clear_prompt_cache();
    CHECK_INT(references(fetched), 2);
    lf_prompt_free(cached);
    CHECK_INT(references(fetched), 1);
    lf_prompt_free(fetched);
    CHECK_GETS(LF_PROMPT_FRESH, 1, "p", .cache_ttl_ms = 0);
    lf_prompt *stale = lf_get_prompt("p");
    CHECK_INT(stale->source, LF_PROMPT_STALE);
    CHECK(lf__prompts_settle(HARNESS_WAIT_MS));
    CHECK_GETS(LF_PROMPT_CACHED, 1, "p");
    CHECK_INT(references(stale), 1);
    lf_prompt_free(stale);
    fake_server_free(server);
}

TEST(other_keys_after_a_shutdown_do_not_see_the_old_ones_prompts)
{
    fake_server *server = start_prompts();
    CHECK_GETS(LF_PROMPT_FRESH, 1, "p");
    lf_shutdown(HARNESS_WAIT_MS);
    lf_options options = to_server(server->url);
    options.public_key = "pk-lf-other";
    options.secret_key = "sk-lf-other";
    options.log = keep_line;
    CHECK_INT(lf_init(&options), LF_OK);
    script.version = 7;
    CHECK_GETS(LF_PROMPT_FRESH, 7, "p");
    fake_server_free(server);
}

TEST(clients_have_prompts_of_their_own)
{
    fake_server *server = start_prompts();
    lf_options options = to_server(server->url);
    options.public_key = "pk-lf-other";
    lf_client *other = lf_client_new(&options);
    CHECK(other != NULL);
    CHECK_GETS(LF_PROMPT_FRESH, 1, "p");
    script.version = 2;
    CHECK_GETS(LF_PROMPT_FRESH, 2, "p", .client = other);
    CHECK_GETS(LF_PROMPT_CACHED, 1, "p");
    lf_client_free(other);
    fake_server_free(server);
}

/* ---- Bounds --------------------------------------------------------------------------------------------------------------- */

/* One connection at a time, so that thousands may come one after the other. */
static void *serve_in_a_row(void *argument)
{
    int listener = *(int *)argument;
    for (;;) {
        int socket = accept(listener, NULL, NULL);
        fake_request request = {0};
        if (socket < 0)
            return NULL;
        if (fake_receive(socket, &request)) {
            char name[256], body[1200], answer[1400];
            prompts_name(&request, name, sizeof name);
            int size = snprintf(body, sizeof body, "{\"name\":\"%s\",\"version\":1,\"prompt\":\"%s\"}", name, name);
            size = snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", size,
                            body);
            (void)fake_send(socket, answer, (size_t)size);
            free(request.head);
            free(request.body);
        }
        close(socket);
    }
}

TEST(thousands_of_prompts_leave_a_thousand_and_readers_keep_theirs)
{
    char url[64], name[32];
    int listener = silent_server(url, sizeof url);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, serve_in_a_row, &listener) == 0);
    lf_options options = to_server(url);
    CHECK_INT(lf_init(&options), LF_OK);
    enum { HELD = 100 };
    static lf_prompt *held[HELD];
    int count = rounds(3000) < 3000 ? LF__PROMPTS + 200 : 3000, kept = 0;
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof name, "p%d", i);
        lf_prompt *p = lf_get_prompt(name);
        CHECK(p != NULL);
        if (i < HELD)
            held[i] = p;
        else
            lf_prompt_free(p);
    }
    for (int i = 0; i < count; i++) {
        lf__prompt_body *body = NULL;
        snprintf(name, sizeof name, "p%d", i);
        const lf__prompt_key key = {0, name, 0, "production"};
        bool found = lf__prompts_find(&key, lf__monotonic_ns(), &body) != LF__PROMPT_MISS;
        lf__prompt_body_drop(body);
        kept += found;
        CHECK(found || i < count - 900);
    }
    CHECK(kept <= LF__PROMPTS && kept > LF__PROMPTS - 10);
    for (int i = 0; i < HELD; i++) {
        snprintf(name, sizeof name, "p%d", i);
        CHECK_TEXT(held[i]->prompt, name);
        CHECK_TEXT(held[i]->name, name);
        lf_prompt_free(held[i]);
    }
    shutdown(listener, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(listener);
}

/* ---- All at once ---------------------------------------------------------------------------------------------------------- */

static _Atomic bool over;

static void *reads(void *unused)
{
    (void)unused;
    static const char *const names[] = {"a", "b", "c", "d"};
    for (unsigned i = 0; !over; i++) {
        lf_prompt *p = lf_get_prompt(names[i % 4], .cache_ttl_ms = i % 7 == 0 ? 0 : -1, .max_retries = 0, .fallback = "f {{x}}");
        CHECK(p != NULL);
        char *text = lf_prompt_compile(p, .variables = LF_OBJECT("x", 1));
        CHECK(text != NULL && strlen(text) >= 3);
        CHECK(p->name[0] >= 'a' && p->name[0] <= 'd');
        free(text);
        lf_prompt_free(p);
        sleep_ms(1);
    }
    return NULL;
}

static void *forgets(void *unused)
{
    (void)unused;
    for (unsigned i = 0; !over; i++) {
        if (i % 5 == 0)
            lf_clear_prompt_cache();
        else
            lf_invalidate_prompt(i % 2 == 0 ? "a" : "b");
        sleep_ms(3);
    }
    return NULL;
}

static void *starts_and_stops(void *argument)
{
    const fake_server *server = argument;
    lf_options options = to_server(server->url);
    for (int i = 0; !over && i < 20; i++) {
        lf_client *client = lf_client_new(&options);
        lf_prompt *p = lf_get_prompt("a", .client = client, .max_retries = 0);
        lf_prompt_free(p);
        lf_client_free(client);
        lf_shutdown(1000);
        lf_init(&options);
        sleep_ms(20);
    }
    return NULL;
}

static void run_all(fake_server *server, int ms)
{
    enum { READERS = 6 };
    pthread_t threads[READERS + 2];
    for (int i = 0; i < READERS; i++)
        CHECK(pthread_create(&threads[i], NULL, reads, NULL) == 0);
    CHECK(pthread_create(&threads[READERS], NULL, forgets, NULL) == 0);
    CHECK(pthread_create(&threads[READERS + 1], NULL, starts_and_stops, server) == 0);
    sleep_ms(ms);
    over = true;
    for (int i = 0; i < READERS + 2; i++)
        pthread_join(threads[i], NULL);
}

TEST(readers_refreshes_invalidations_and_restarts_get_along)
{
    fake_server *server = start_prompts();
    run_all(server, 600);
    lf_clear_prompt_cache();
    fake_server_free(server);
}

TEST(a_forked_child_gets_prompts)
{
    SKIP_WHERE_FORK_IS_NOT_SUPPORTED(a_forked_child_gets_prompts);
    fake_server *server = start_prompts();
    pthread_t threads[4]; /* the first forks fall into the setting up of libcurl */
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, i == 0 ? forgets : reads, NULL) == 0);
    for (int i = 0; i < rounds(30); i++) {
        pid_t child = fork();
        if (child == 0) {
            harness_leaves_threads_behind = true;
            lf_prompt *p = lf_get_prompt("a", .fallback = "f {{x}}");
            CHECK(p != NULL);
            lf_prompt_free(p);
            p = lf_get_prompt("in the child", .cache_ttl_ms = 0);
            CHECK(p != NULL && p->source == LF_PROMPT_FRESH);
            lf_prompt_free(p);
            const char *names[] = {"x"};
            CHECK_INT(lf_prefetch_prompts(names, 1, HARNESS_WAIT_MS), LF_OK);
            exit(0);
        }
        CHECK_INT(end_of_child(child), 0);
        sleep_ms(3);
    }
    over = true;
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    fake_server_free(server);
}

TEST(a_child_forked_during_a_fetch_fetches_itself)
{
    SKIP_WHERE_FORK_IS_NOT_SUPPORTED(a_child_forked_during_a_fetch_fetches_itself);
    fake_server *server = start_prompts();
    CHECK_GETS(LF_PROMPT_FRESH, 1, "stale", .cache_ttl_ms = 0);
    script.hold_first = 3;
    asker first = {.name = "p", .ttl = -1};
    ask_begin(&first);
    CHECK_GETS(LF_PROMPT_STALE, 1, "stale");
    CHECK_SOON(script.gets == 3);
    script.version = 2;
    pid_t child = fork();
    if (child == 0) {
        harness_leaves_threads_behind = true;
        CHECK_GETS(LF_PROMPT_FRESH, 2, "p");
        CHECK_GETS(LF_PROMPT_STALE, 1, "stale");
        CHECK(lf__prompts_settle(HARNESS_WAIT_MS));
        CHECK_GETS(LF_PROMPT_CACHED, 2, "stale");
        exit(0);
    }
    CHECK_INT(end_of_child(child), 0);
    script.release = true;
    ask_end(&first);
    lf_prompt_free(first.prompt);
    CHECK(lf__prompts_settle(HARNESS_WAIT_MS));
    fake_server_free(server);
}

/* ---- Ends ----------------------------------------------------------------------------------------------------------------- */

/* In a frame of its own: AddressSanitizer does not see a thread that is cancelled leave variables of a block behind. */
static NOINLINE void asks(const char *name)
{
    lf_prompt_free(lf_get_prompt(name, .cache_ttl_ms = 0, .max_retries = 4));
}

static void *asks_without_end(void *unused)
{
    (void)unused;
    for (;;) {
        asks("p");
        asks("q");
        pthread_testcancel();
    }
    return NULL;
}

static void exit_amid_fetches(void)
{
    start_prompts(); /* goes with the process */
    const char *names[] = {"a", "b", "c", "d"};
    pthread_t threads[4];
    script.hold_first = (int)(now_ms() % 3) * 2;
    script.status = now_ms() % 2 == 0 ? 500 : 0;
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, asks_without_end, NULL) == 0);
    lf_prefetch_prompts(names, 4, 0);
    sleep_ms((long)(now_ms() % 30));
}

/* Python: test_prompt_atexit */
TEST(exit_is_quick_while_prompts_are_fetched)
{
    for (int i = 0; i < rounds(40); i++) {
        uint64_t begin = now_ms();
        CHECK_INT(end_of(exit_amid_fetches), 0);
        CHECK(now_ms() - begin < HARNESS_WAIT_MS / 2);
    }
}

static void exit_with_a_hanging_refresh(void)
{
    start_prompts();
    CHECK_GETS(LF_PROMPT_FRESH, 1, "p", .cache_ttl_ms = 0);
    script.manner = FAKE_HANG;
    CHECK_GETS(LF_PROMPT_STALE, 1, "p");
    CHECK_SOON(script.gets == 2);
}

TEST(exit_does_not_wait_for_a_refresh)
{
    uint64_t begin = now_ms();
    CHECK_INT(end_of(exit_with_a_hanging_refresh), 0);
    CHECK(now_ms() - begin < HARNESS_WAIT_MS / 2);
}

/* A thread that is cancelled while it asks: the others go on, and the prompt can still be had. */
static void cancel_one(int wait_ms, bool fetcher)
{
    script.hold_first = script.gets + 1;
    script.release = false;
    asker first = {.name = "p", .ttl = -1}, second = first;
    int before = script.gets;
    ask_begin(&first);
    CHECK_SOON(script.gets == before + 1);
    ask_begin(&second);
    sleep_ms(wait_ms);
    pthread_cancel(fetcher ? first.thread : second.thread);
    sleep_ms(wait_ms);
    script.release = true;
    ask_end(&first);
    ask_end(&second);
    CHECK((fetcher ? second.prompt : first.prompt) != NULL);
    if (first.ended)
        lf_prompt_free(first.prompt);
    if (second.ended)
        lf_prompt_free(second.prompt);
    CHECK_GETS(LF_PROMPT_CACHED, 1, "p");
    lf_invalidate_prompt("p");
}

TEST(a_cancelled_thread_leaves_no_lock_behind)
{
    fake_server *server = start_prompts();
    for (int i = 0; i < rounds(20); i++) {
        cancel_one(i, true);
        cancel_one(i, false);
    }
    fake_server_free(server);
}

/* The wait between two tries is a place to be cancelled, too. */
TEST(a_thread_cancelled_between_tries_leaves_the_prompt_free)
{
    fake_server *server = start_prompts();
    script.status = 500;
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, asks_without_end, NULL) == 0);
    CHECK_SOON(script.gets >= 1);
    sleep_ms(50);
    pthread_cancel(thread);
    script_reset();
    CHECK_SOON(can_get("p", 1));
    pthread_join(thread, NULL);
    fake_server_free(server);
}

static _Atomic int signals;
static void count_signal(int number)
{
    (void)number;
    atomic_fetch_add(&signals, 1);
}

static void *sends_signals(void *argument)
{
    while (!over) {
        pthread_kill(*(pthread_t *)argument, SIGUSR1);
        sleep_ms(1);
    }
    return NULL;
}

TEST(signals_do_not_disturb)
{
    fake_server *server = start_prompts();
    struct sigaction action = {.sa_handler = count_signal};
    sigaction(SIGUSR1, &action, NULL);
    pthread_t self = pthread_self(), sender;
    CHECK(pthread_create(&sender, NULL, sends_signals, &self) == 0);
    script.delay_ms = 20;
    for (int i = 0; i < rounds(30); i++) {
        errno = 77;
        CHECK_GETS(LF_PROMPT_FRESH, 1, "p", .cache_ttl_ms = 0);
        CHECK_INT(errno, 77);
    }
    over = true;
    pthread_join(sender, NULL);
    CHECK(signals > 0);
    fake_server_free(server);
}

/* ---- What a prompt takes ---- */

#if defined __GLIBC__ && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)
#define CAN_MEASURE (!HARNESS_ASAN && !HARNESS_TSAN && !under_valgrind())
static size_t allocated(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}
#else
#define CAN_MEASURE false
static size_t allocated(void)
{
    return 0;
}
#endif

/* A prompt whose text, or list of messages, is `begin`, `count` times `piece`, and `end`. */
static void check_count(const char *begin, const char *piece, size_t count, const char *end)
{
    char *json = malloc(200 + count * (strlen(piece) + 1)), *to = json;
    CHECK(json != NULL);
    to += sprintf(to, "{\"name\":\"p\",\"version\":1,\"labels\":[],\"tags\":[],\"prompt\":%s", begin);
    for (size_t i = 0; i < count; i++)
        to += sprintf(to, "%s%s", *begin == '[' && i > 0 ? "," : "", piece);
    to += sprintf(to, "%s}", end);
    bool bad = false;
    size_t before = allocated();
    lf__prompt_body *body = lf__prompt_body_parse(json, (size_t)(to - json), &bad);
    CHECK(body != NULL && !bad);
    size_t held = allocated() - before;
    if (body->bytes > 2 * held || body->bytes < held / 2)
        harness_fail(__FILE__, __LINE__, "%s: %zu bytes are held, %zu counted", piece, held, body->bytes);
    lf__prompt_body_drop(body);
    free(json);
}

TEST(the_count_of_bytes_is_what_a_prompt_holds)
{
    if (!CAN_MEASURE) {
        harness_skip("the_count_of_bytes_is_what_a_prompt_holds", "the allocator cannot be asked");
        return;
    }
    check_count("\"", "x", 1, "\""); /* small ones first: the allocator does not tell what it keeps of those that are freed */
    check_count("\"\",\"config\":[", "[]", 1, "]");
    check_count("\"", "{{a}}", 1400000, "\"");
    check_count("\"", "{{ a_longer_name_of_a_variable_that_has_a_value }} and more. ", 50000, "\"");
    check_count("[", "{\"role\":\"user\",\"content\":\"x\"}", 200000, "]");
    check_count("[", "{\"role\":\"user\",\"content\":\"a text that is somewhat longer than that, {{a}}\"}", 20000, "]");
    check_count("\"", "x", 5000000, "\"");
    check_count("\"", "\\u0041", 100000, "\"");
}

int main(int argc, char **argv)
{
    if (argc > 1) /* one test, or those that match a pattern */
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_prompt_is_fetched_once_and_then_cached),
        cmocka_unit_test(versions_and_labels_are_cached_apart),
        cmocka_unit_test(wrong_questions_are_refused_without_a_request),
        cmocka_unit_test(a_ttl_of_0_always_asks),
        cmocka_unit_test(a_stale_prompt_is_given_at_once_and_refreshed_once),
        cmocka_unit_test(time_makes_a_prompt_stale),
        cmocka_unit_test(a_failing_refresh_keeps_the_stale_copy_and_is_not_repeated_at_once),
        cmocka_unit_test(a_refresh_that_finds_nothing_evicts),
        cmocka_unit_test(the_default_ttl_comes_from_the_environment),
        cmocka_unit_test(a_bad_default_ttl_is_one_line_and_60_seconds),
        cmocka_unit_test(a_huge_ttl_is_for_ever),
        cmocka_unit_test(tracing_switched_off_leaves_prompts_alone),
        cmocka_unit_test(without_keys_there_is_the_fallback_or_an_error),
        cmocka_unit_test(an_error_is_always_written),
        cmocka_unit_test(each_failure_gives_its_error_the_fallback_or_the_stale_copy),
        cmocka_unit_test(a_slow_server_is_left_at_the_timeout_of_the_whole_call),
        cmocka_unit_test(nobody_listening_is_a_network_error),
        cmocka_unit_test(an_answer_without_end_is_cut),
        cmocka_unit_test(deep_answers_fit_the_background_thread),
        cmocka_unit_test(only_what_may_pass_is_tried_again),
        cmocka_unit_test(redirects_and_answers_that_are_too_large_are_not_tried_again),
        cmocka_unit_test(a_later_try_may_succeed),
        cmocka_unit_test(the_timeout_includes_the_tries),
        cmocka_unit_test(many_threads_make_one_request),
        cmocka_unit_test(many_threads_share_one_failure),
        cmocka_unit_test(who_has_less_time_gives_up_and_the_fetch_goes_on),
        cmocka_unit_test(who_has_more_time_asks_again_when_the_first_gives_up),
        cmocka_unit_test(another_fetch_that_fails_does_not_end_the_waiting),
        cmocka_unit_test(prefetched_prompts_are_there),
        cmocka_unit_test(a_prompt_that_is_being_prefetched_is_waited_for),
        cmocka_unit_test(what_was_fetched_while_it_waited_to_be_prefetched_is_not_fetched_again),
        cmocka_unit_test(a_forked_child_can_ask_while_another_thread_asked),
        cmocka_unit_test(invalidation_is_by_the_whole_name),
        cmocka_unit_test(creating_and_updating_forget),
        cmocka_unit_test(what_was_on_its_way_when_forgotten_is_not_kept),
        cmocka_unit_test(an_answer_from_before_does_not_replace_one_from_after),
        cmocka_unit_test(forgetting_another_prompt_disturbs_nobody),
        cmocka_unit_test(who_waits_for_what_was_forgotten_asks_again),
        cmocka_unit_test(who_waits_while_it_is_created_asks_again),
        cmocka_unit_test(there_is_none_from_before_does_not_remove_what_is_from_after),
        cmocka_unit_test(what_the_cache_has_forgotten_or_replaced_belongs_to_its_readers_alone),
        cmocka_unit_test(other_keys_after_a_shutdown_do_not_see_the_old_ones_prompts),
        cmocka_unit_test(clients_have_prompts_of_their_own),
        cmocka_unit_test(thousands_of_prompts_leave_a_thousand_and_readers_keep_theirs),
        cmocka_unit_test(readers_refreshes_invalidations_and_restarts_get_along),
        cmocka_unit_test(a_forked_child_gets_prompts),
        cmocka_unit_test(a_child_forked_during_a_fetch_fetches_itself),
        cmocka_unit_test(exit_is_quick_while_prompts_are_fetched),
        cmocka_unit_test(exit_does_not_wait_for_a_refresh),
        cmocka_unit_test(a_cancelled_thread_leaves_no_lock_behind),
        cmocka_unit_test(a_thread_cancelled_between_tries_leaves_the_prompt_free),
        cmocka_unit_test(signals_do_not_disturb),
        cmocka_unit_test(the_count_of_bytes_is_what_a_prompt_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
