/* Calls of models through langfuse/model.h: what is recorded, and that a call that is over is never a danger. */
#include "core_harness.h"

#include "../../langfuse/model.h"
#include "../../langfuse/prompt.h"
#include "../../src/base/base.h"

#include <pthread.h>

enum { CALLS = 4096 };

#define CHAT_URL "https://user:pass@api.openai.com/v1/chat/completions?key=secret"
#define CHAT_BODY \
    "{\"model\":\"gpt-5-mini\",\"messages\":[{\"role\":\"user\",\"content\":\"Why?\"}],\"temperature\":0.5,\"stream\":true}"
#define CHUNK(delta, rest) \
    "data: {\"id\":\"c1\",\"model\":\"gpt-5-mini-2025\",\"choices\":[{\"index\":0,\"delta\":" delta rest "}]}\n\n"
#define STREAM                                                       \
    CHUNK("{\"role\":\"assistant\",\"content\":\"\"}", "")           \
    CHUNK("{\"content\":\"Be\"}", "")                                \
    CHUNK("{\"content\":\"cause.\"}", ",\"finish_reason\":\"stop\"") \
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2,\"total_tokens\":7}}\n\ndata: [DONE]\n\n"
#define WHOLE                                                                                                     \
    "{\"id\":\"w1\",\"model\":\"gpt-5-mini-2025\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\"," \
    "\"content\":\"Because.\"},\"finish_reason\":\"stop\"}],\"service_tier\":\"flex\"}"

#define REPLACED "\xef\xbf\xbd" /* U+FFFD */

static lf_model_call *begin(void)
{
    return lf_model_begin(.url = CHAT_URL, .body = CHAT_BODY);
}

static void reply(lf_model_call *call, const char *text)
{
    lf_model_reply(call, text, strlen(text));
}

/* ---- What is recorded ------------------------------------------------------------------------------------------------ */

TEST(a_stream_becomes_a_generation)
{
    start();
    lf_model_call *call = begin();
    CHECK(call != NULL);
    const char *stream = STREAM;
    for (size_t i = 0; i < strlen(stream); i++)
        lf_model_reply(call, stream + i, 1);
    lf_model_end(call, .http_status = 200);
    collect();
    CHECK_INT(span_count, 1);
    const cJSON *span = span_named("OpenAI-generation");
    CHECK_ROOT(span);
    CHECK_SAID(span, "type", "generation");
    CHECK_SAID(span, "model.name", "gpt-5-mini-2025");
    CHECK_SAID(span, "input", "[{\"role\":\"user\",\"content\":\"Why?\"}]");
    CHECK_SAID(span, "output", "{\"role\":\"assistant\",\"content\":\"Because.\"}");
    CHECK(strstr(said(span, "model.parameters"), "\"temperature\":0.5") != NULL);
    CHECK(strstr(said(span, "usage_details"), "\"input\":5") != NULL);
    CHECK(strstr(said(span, "usage_details"), "\"total\":7") != NULL);
    CHECK_SAID(span, "level", "");
    CHECK_SAID(span, "status_message", "");
    CHECK_SAID(span, "metadata.finish_reason", "stop");
    CHECK_SAID(span, "metadata.response_id", "c1");
    CHECK_SAID(span, "metadata.http_status", "200");
    CHECK_SAID(span, "metadata.url", "https://api.openai.com/v1/chat/completions");
    CHECK(said(span, "completion_start_time")[0] != '\0');
    CHECK_INT(stats_now().misused, 0);
}

TEST(a_whole_reply_has_no_first_token)
{
    start();
    lf_model_call *call = begin();
    reply(call, WHOLE);
    lf_model_end(call);
    collect();
    const cJSON *span = span_named("OpenAI-generation");
    CHECK_SAID(span, "output", "{\"role\":\"assistant\",\"content\":\"Because.\"}");
    CHECK_SAID(span, "completion_start_time", "");
    CHECK_SAID(span, "metadata.http_status", "");
    CHECK(strstr(said(span, "model.parameters"), "\"service_tier\":\"flex\"") != NULL);
    CHECK(strstr(said(span, "model.parameters"), "\"temperature\":0.5") != NULL);
}

TEST(the_first_token_has_the_moment_of_its_bytes)
{
    const int64_t second = 1000000000, begun = (int64_t)1764000000 * second;
    start();
    lf_model_call *call = begin();
    const char *stream = STREAM, *token = strstr(stream, "Be\"");
    lf_model_reply_at(call, stream, (size_t)(token - stream), begun + second);
    lf_model_reply_at(call, token, strlen(token), begun + 2 * second);
    reply(call, ": nothing more\n\n");
    lf_model_end(call, .end_time_ns = begun + 3 * second);
    collect();
    CHECK(strstr(said(span_named("OpenAI-generation"), "completion_start_time"), "2025-11-24T16:00:02") != NULL);
}

TEST(an_embedding_is_one)
{
    start();
    lf_model_call *call = lf_model_begin(.url = "https://api.openai.com/v1/embeddings",
                                         .body = "{\"model\":\"e\",\"input\":\"x\"}");
    reply(call, "{\"data\":[{\"embedding\":[1,2,3],\"index\":0}],\"model\":\"e\"}");
    lf_model_end(call);
    collect();
    CHECK_SAID(span_named("OpenAI-embedding"), "type", "embedding");
    CHECK_SAID(span_named("OpenAI-embedding"), "output", "{\"dimensions\":3,\"count\":1}");
}

TEST(how_a_call_ended_is_its_level)
{
    start();
    lf_model_call *call = begin();
    reply(call, "{\"error\":{\"message\":\"Slow down\",\"code\":\"rate\"}}");
    lf_model_end(call, .http_status = 429);
    call = begin();
    reply(call, CHUNK("{\"content\":\"half\"}", ""));
    lf_model_end(call, .http_status = 200, .error = "Timeout was reached (28)");
    call = begin();
    reply(call, CHUNK("{\"content\":\"half\"}", ""));
    lf_model_end(call, .cancelled = LF_ON);
    lf_model_end(begin(), .unread_bytes = 300);
    lf_model_end(begin(), .error = "Could not resolve host (6)");
    lf_model_end(begin(), .error = "cancelled");
    collect();
    static const char *const expected[][3] = {
        {"ERROR", "HTTP 429: Slow down", ""},
        {"ERROR", "Timeout was reached (28)", "{\"role\":\"assistant\",\"content\":\"half\"}"},
        {"WARNING", "cancelled", "{\"role\":\"assistant\",\"content\":\"half\"}"},
        {"", "", ""},
        {"ERROR", "Could not resolve host (6)", ""},
        {"WARNING", "cancelled", ""}};
    CHECK_INT(span_count, 6);
    for (size_t i = 0; i < 6; i++) {
        CHECK_SAID(spans[i], "level", expected[i][0]);
        CHECK_SAID(spans[i], "status_message", expected[i][1]);
        CHECK_SAID(spans[i], "output", expected[i][2]);
        CHECK_SAID(spans[i], "usage_details", "");
    }
    CHECK_SAID(spans[0], "metadata.error_code", "rate");
    CHECK_SAID(spans[3], "metadata.reply_bytes", "300");
}

TEST(a_nul_in_a_name_or_a_message_cuts_nothing_off)
{
    static const char body[] = "{\"model\":\"a\\u0000b\",\"messages\":[]}", bytes[] = "\0bin";
    start();
    lf_model_call *call = lf_model_begin(.url = CHAT_URL, .body = body);
    lf_model_reply(call, bytes, sizeof bytes - 1);
    lf_model_end(call, .http_status = 500);
    call = lf_model_begin(.url = CHAT_URL, .body = body);
    reply(call, "{\"model\":\"c\\u0000d\",\"choices\":[]}");
    lf_model_end(call, .http_status = 200);
    collect();
    CHECK_SAID(spans[0], "model.name", "a" REPLACED "b");
    CHECK_SAID(spans[0], "status_message", "HTTP 500: " REPLACED "bin");
    CHECK_SAID(spans[1], "model.name", "c" REPLACED "d");
}

TEST(a_program_says_name_metadata_prompt_and_parent)
{
    const lf_prompt prompt = {.name = "critic", .version = 3};
    start();
    lf_observation *parent = lf_start_observation(.name = "parent");
    lf_model_call *call = lf_model_begin(.url = CHAT_URL, .body = CHAT_BODY, .name = "ask",
                                         .metadata = LF_OBJECT("try", 2, "who", "me"), .prompt = &prompt, .parent = parent);
    lf_observation_end(lf_start_observation(.name = "child", .parent = lf_model_observation(call)));
    lf_observation_update(lf_model_observation(call), .version = "v7");
    reply(call, STREAM);
    lf_model_end(call, .http_status = 200, .metadata = LF_OBJECT("retry", lf_bool(false)));
    lf_observation_end(parent);
    collect();
    const cJSON *span = span_named("ask");
    CHECK_CHILD(span, span_named("parent"));
    CHECK_CHILD(span_named("child"), span);
    CHECK_SAID(span, "metadata.try", "2");
    CHECK_SAID(span, "metadata.who", "me");
    CHECK(said(span, "metadata.retry")[0] != '\0');
    CHECK_SAID(span, "metadata.http_status", "200");
    CHECK_SAID(span, "metadata.finish_reason", "stop");
    CHECK_SAID(span, "prompt.name", "critic");
    CHECK_SAID(span, "prompt.version", "3");
}

static NOINLINE void calls_inside(void)
{
    OBSERVE();
    lf_model_call *call = begin();
    reply(call, STREAM);
    lf_model_end(call);
}

TEST(without_a_parent_the_scope_around_is_it)
{
    start();
    calls_inside();
    collect();
    CHECK_CHILD(span_named("OpenAI-generation"), span_named("calls_inside"));
}

TEST(a_call_of_an_unknown_path_is_recorded_as_it_is)
{
    start();
    lf_model_call *call = lf_model_begin(.url = "https://models.example/answer", .body = "{\"model\":\"own\",\"q\":1}");
    reply(call, "{\"a\":[42]}");
    lf_model_end(call, .http_status = 200);
    call = lf_model_begin(.name = "nothing");
    lf_model_end(call);
    call = lf_model_begin(.url = CHAT_URL, .body = "{\"model\":\"m\",\"messages\":[]} and more", .body_size = 27, .name = "sized");
    lf_model_end(call);
    collect();
    CHECK_SAID(span_named("model-call"), "output", "{\"a\":[42]}");
    CHECK_SAID(span_named("nothing"), "type", "generation");
    CHECK_SAID(span_named("sized"), "model.name", "m");
}

/* ---- What is not recorded -------------------------------------------------------------------------------------------- */

static void check_without_texts(const char *name)
{
    const cJSON *span = span_named(name);
    CHECK_SAID(span, "input", "");
    CHECK_SAID(span, "output", "");
    CHECK_SAID(span, "model.name", "gpt-5-mini-2025");
    CHECK(strstr(said(span, "usage_details"), "\"input\":5") != NULL);
}

TEST(texts_are_left_out_where_capture_is_off)
{
    start();
    lf_model_call *call = lf_model_begin(.url = CHAT_URL, .body = CHAT_BODY, .capture_io = LF_OFF);
    reply(call, STREAM);
    lf_model_end(call);
    collect();
    check_without_texts("OpenAI-generation");
}

TEST(the_environment_leaves_texts_out_as_well)
{
    setenv("LANGFUSE_OBSERVE_DECORATOR_IO_CAPTURE_ENABLED", "false", 1);
    start();
    lf_model_call *call = begin();
    reply(call, STREAM);
    lf_model_end(call);
    call = lf_model_begin(.url = CHAT_URL, .body = CHAT_BODY, .name = "said", .capture_io = LF_ON);
    reply(call, STREAM);
    lf_model_end(call);
    collect();
    check_without_texts("OpenAI-generation");
    CHECK_SAID(span_named("said"), "output", "{\"role\":\"assistant\",\"content\":\"Because.\"}");
}

TEST(while_tracing_is_off_there_is_no_call)
{
    start();
    lf_set_tracing(false);
    CHECK(begin() == NULL);
    lf_set_tracing(true);
    lf_model_call *call = begin();
    reply(call, STREAM);
    lf_set_tracing(false);
    lf_model_end(call);
    CHECK(lf_model_observation(call) == NULL);
    lf_set_tracing(true);
    call = begin();
    CHECK(call != NULL);
    lf_model_end(call);
    collect();
    CHECK(span_count >= 1);
}

TEST(a_shutdown_in_between_is_no_danger)
{
    start();
    lf_model_call *call = begin();
    reply(call, CHUNK("{\"content\":\"a\"}", ""));
    lf_shutdown(HARNESS_WAIT_MS);
    reply(call, CHUNK("{\"content\":\"b\"}", ""));
    lf_model_end(call);
    lf_model_end(call);
    CHECK(begin() == NULL);
}

/* ---- Names of calls -------------------------------------------------------------------------------------------------- */

TEST(a_call_that_is_over_ignores_everything)
{
    start();
    lf_model_call *call = begin();
    lf_model_reply(call, NULL, 5);
    lf_model_reply(call, "x", 0);
    lf_model_reply(call, "x", SIZE_MAX);
    CHECK(lf_model_observation(call) != NULL);
    lf_model_end(call);
    CHECK(lf_model_observation(call) == NULL);
    lf_model_end(call, .http_status = 500);
    lf_model_end_with(call, NULL);
    reply(call, STREAM);
    lf_model_call *next = begin(); /* in the same slot */
    CHECK(next != NULL && next != call);
    reply(call, STREAM);
    lf_model_end(call);
    CHECK(lf_model_observation(next) != NULL);
    lf_model_end_with(next, NULL);
    lf_model_call *const none = NULL;
    lf_model_reply(none, "x", 1);
    lf_model_end(none, .http_status = 1);
    CHECK(lf_model_observation(none) == NULL);
    for (uintptr_t wild = 1; wild != 0; wild <<= 1) {
        reply((lf_model_call *)wild, "x");
        lf_model_end((lf_model_call *)(wild | 3));
    }
    CHECK(lf_model_begin_with(NULL) == NULL);
    collect();
    CHECK_INT(span_count, 2);
    CHECK_SAID(spans[0], "output", "");
    CHECK_SAID(spans[1], "output", "");
}

TEST(as_many_calls_as_there_are_may_be_open)
{
    static lf_model_call *calls[CALLS];
    lf_options options = to_file(harness_path);
    options.max_handles = 2 * CALLS;
    CHECK_INT(lf_init(&options), LF_OK);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < CALLS; i++) {
            calls[i] = lf_model_begin(.url = CHAT_URL, .body = "{}");
            CHECK(calls[i] != NULL);
        }
        CHECK(begin() == NULL);
        lf_model_end(calls[7]);
        calls[7] = begin();
        CHECK(calls[7] != NULL);
        for (int i = 0; i < CALLS; i++)
            lf_model_end(calls[i], .unread_bytes = 1);
    }
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
}

TEST(a_call_too_many_is_no_call_without_a_reply)
{
    lf_options options = to_file(harness_path);
    options.max_handles = 2 * CALLS;
    CHECK_INT(lf_init(&options), LF_OK);
    static lf_model_call *calls[CALLS];
    for (int i = 0; i < CALLS; i++)
        calls[i] = lf_model_begin(.url = CHAT_URL, .body = "{}");
    CHECK(lf_model_begin(.url = CHAT_URL, .body = CHAT_BODY, .name = "one too many") == NULL);
    collect();
    CHECK_SAID(span_named("one too many"), "level", "WARNING");
    CHECK_SAID(span_named("one too many"), "status_message", "too many calls of models are open");
    for (int i = 0; i < CALLS; i++)
        lf_model_end(calls[i]);
}

static void *feed_and_end(void *given)
{
    lf_model_call *call = *(lf_model_call **)given;
    const char *stream = STREAM;
    for (size_t i = 0; i < strlen(stream); i++)
        lf_model_reply(call, stream + i, 1);
    lf_model_end(call);
    return NULL;
}

TEST(another_thread_may_feed_and_end_a_call)
{
    start();
    lf_model_call *call = begin();
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, feed_and_end, &call) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    collect();
    CHECK_SAID(span_named("OpenAI-generation"), "output", "{\"role\":\"assistant\",\"content\":\"Because.\"}");
}

/* Of several threads that end one call, one does. */
TEST(threads_that_misuse_a_call_do_no_harm)
{
    start();
    for (int i = 0; i < rounds(50); i++) {
        lf_model_call *call = begin();
        pthread_t threads[4];
        for (int t = 0; t < 4; t++)
            CHECK(pthread_create(&threads[t], NULL, feed_and_end, &call) == 0);
        for (int t = 0; t < 4; t++)
            CHECK(pthread_join(threads[t], NULL) == 0);
    }
    collect();
    CHECK_INT(span_count, rounds(50));
}

/* ---- fork ------------------------------------------------------------------------------------------------------------ */

static lf_model_call *before_fork;

static void child_body(void)
{
    CHECK(lf_model_observation(before_fork) == NULL);
    reply(before_fork, STREAM);
    lf_model_end(before_fork, .http_status = 500);
    lf_model_call *call = lf_model_begin(.url = CHAT_URL, .body = CHAT_BODY, .name = "in_child");
    CHECK(call != NULL && call != before_fork);
    reply(call, STREAM);
    lf_model_end(call);
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
}

TEST(in_a_forked_child_no_call_is_open)
{
    SKIP_WHERE_FORK_IS_NOT_SUPPORTED(in_a_forked_child_no_call_is_open);
    start();
    before_fork = begin();
    reply(before_fork, CHUNK("{\"content\":\"Be\"}", ""));
    harness_leaves_threads_behind = true;
    CHECK_INT(end_of(child_body), 0);
    reply(before_fork, CHUNK("{\"content\":\"cause.\"}", ",\"finish_reason\":\"stop\""));
    lf_model_end(before_fork);
    collect();
    CHECK_SAID(span_named("OpenAI-generation"), "output", "{\"role\":\"assistant\",\"content\":\"Because.\"}");
}

/* ---- The rest -------------------------------------------------------------------------------------------------------- */

TEST(errno_stays)
{
    start();
    errno = 77;
    lf_model_call *call = begin();
    reply(call, STREAM);
    lf_model_end(call);
    CHECK_INT(errno, 77);
}

TEST(a_struct_filled_by_hand_does_the_same)
{
    start();
    const lf_model_request request = {LF_MODEL_REQUEST_INIT, .url = CHAT_URL, .body = CHAT_BODY, .name = "by_hand"};
    lf_model_call *call = lf_model_begin_with(&request);
    reply(call, STREAM);
    const lf_model_outcome outcome = {LF_MODEL_OUTCOME_INIT, .http_status = 200};
    lf_model_end_with(call, &outcome);
    collect();
    CHECK_SAID(span_named("by_hand"), "model.name", "gpt-5-mini-2025");
    CHECK_SAID(span_named("by_hand"), "metadata.http_status", "200");
}

TEST(a_reply_beyond_the_ceiling_is_told)
{
    lf_options options = to_file(harness_path);
    options.max_event_bytes = 100000;
    CHECK_INT(lf_init(&options), LF_OK);
    lf_model_call *call = begin();
    for (int i = 0; i < 3000; i++)
        reply(call, CHUNK("{\"content\":\"forty bytes of text in each of the chunks\"}", ""));
    lf_model_end(call, .http_status = 200);
    collect();
    CHECK(said(span_named("OpenAI-generation"), "metadata.truncated")[0] != '\0');
    CHECK(strncmp(said(span_named("OpenAI-generation"), "output"), "{\"role\":\"assistant\",\"content\":\"forty", 36) == 0);
}

/* Whatever finds no memory: the generation is there or not, and nothing else happens. */
TEST(without_memory_a_call_is_less)
{
    start();
    for (unsigned long n = 1; n < 200; n += n < 60 ? 1 : 7) {
        lf__alloc_fail_from(n);
        lf_model_call *call = begin();
        reply(call, STREAM);
        lf_model_end(call, .metadata = LF_OBJECT("a", 1));
        lf__alloc_fail_from(0);
    }
    lf_model_call *call = lf_model_begin(.url = CHAT_URL, .body = CHAT_BODY, .name = "after");
    reply(call, STREAM);
    lf_model_end(call);
    (void)lf_flush(HARNESS_WAIT_MS); /* it tells what was lost */
    read_spans(harness_path);
    CHECK_SAID(span_named("after"), "output", "{\"role\":\"assistant\",\"content\":\"Because.\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_becomes_a_generation),
        cmocka_unit_test(a_whole_reply_has_no_first_token),
        cmocka_unit_test(the_first_token_has_the_moment_of_its_bytes),
        cmocka_unit_test(an_embedding_is_one),
        cmocka_unit_test(how_a_call_ended_is_its_level),
        cmocka_unit_test(a_nul_in_a_name_or_a_message_cuts_nothing_off),
        cmocka_unit_test(a_program_says_name_metadata_prompt_and_parent),
        cmocka_unit_test(without_a_parent_the_scope_around_is_it),
        cmocka_unit_test(a_call_of_an_unknown_path_is_recorded_as_it_is),
        cmocka_unit_test(texts_are_left_out_where_capture_is_off),
        cmocka_unit_test(the_environment_leaves_texts_out_as_well),
        cmocka_unit_test(while_tracing_is_off_there_is_no_call),
        cmocka_unit_test(a_shutdown_in_between_is_no_danger),
        cmocka_unit_test(a_call_that_is_over_ignores_everything),
        cmocka_unit_test(as_many_calls_as_there_are_may_be_open),
        cmocka_unit_test(a_call_too_many_is_no_call_without_a_reply),
        cmocka_unit_test(another_thread_may_feed_and_end_a_call),
        cmocka_unit_test(threads_that_misuse_a_call_do_no_harm),
        cmocka_unit_test(in_a_forked_child_no_call_is_open),
        cmocka_unit_test(errno_stays),
        cmocka_unit_test(a_struct_filled_by_hand_does_the_same),
        cmocka_unit_test(a_reply_beyond_the_ceiling_is_told),
        cmocka_unit_test(without_memory_a_call_is_less),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
