/* langfuse/curl.h as a program uses it: what it says of a handle, where generations lie, and what happens without memory, without
 * tracing and after a fork. How programs drive libcurl, and that they notice nothing, is in tests/curl.
 */
#include "cases.h"

#include "../../langfuse/prompt.h"
#include "../../langfuse/score.h"
#include "../../src/base/base.h"
#include "../../src/deliver/http.h"

#include "../../langfuse/curl.h"

static const char question[] = "{\"model\":\"small\",\"messages\":[{\"role\":\"user\",\"content\":\"Why?\"}]}";
static const char reply_text[] =
    "{\"id\":\"c\",\"model\":\"small-1\",\"choices\":[{\"index\":0,\"finish_reason\":\"stop\",\"message\":{\"role\":"
    "\"assistant\",\"content\":\"Because.\"}}]}";
static fake_server *models;

static fake_reply answer(fake_server *server, const fake_request *request)
{
    (void)server;
    (void)request;
    return (fake_reply){.body = reply_text};
}

static size_t count_bytes(char *bytes, size_t unit, size_t count, void *size)
{
    (void)bytes;
    *(size_t *)size += unit * count;
    return unit * count;
}

static size_t received;

static CURL *handle_to(const char *path)
{
    char url[300];
    CURL *handle = curl_easy_init();
    CHECK(handle != NULL);
    snprintf(url, sizeof url, "%s/%s", models->url, path);
    curl_easy_setopt(handle, CURLOPT_URL, url);
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, question);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, count_bytes);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &received);
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    received = 0;
    return handle;
}

static void perform(CURL *handle)
{
    received = 0;
    CHECK_INT(curl_easy_perform(handle), CURLE_OK);
    CHECK_INT(received, sizeof reply_text - 1);
}

/* Of a multi handle with one transfer. */
static void run_all(CURLM *multi)
{
    int running = 1, left;
    while (running > 0) {
        CHECK_INT(curl_multi_perform(multi, &running), CURLM_OK);
        if (running > 0)
            curl_multi_poll(multi, NULL, 0, 1000, NULL);
    }
    CHECK(curl_multi_info_read(multi, &left) != NULL);
}

static void start_with_models(void)
{
    models = fake_server_start(answer, NULL);
    start_quiet();
}

static void finish(void)
{
    fake_server_stop(models);
}

static const char *header_of(int request, const char *name)
{
    static char value[200];
    const char *at = fake_header(&models->requests[request], name);
    snprintf(value, sizeof value, "%.*s", at == NULL ? 0 : (int)strcspn(at, "\r\n"), at == NULL ? "" : at);
    return value;
}

TEST(a_call_lies_below_the_observation_around)
{
    start_with_models();
    {
        OBSERVE_WITH((.name = "ask"));
        CURL *handle = handle_to("v1/chat/completions");
        perform(handle);
        curl_easy_cleanup(handle);
    }
    collect();
    CHECK_INT(span_count, 2);
    const cJSON *call = span_named("OpenAI-generation");
    CHECK_CHILD(call, span_named("ask"));
    CHECK_SAID(call, "type", "generation");
    CHECK_SAID(call, "model.name", "small-1");
    CHECK(strstr(said(call, "output"), "Because.") != NULL);
    CHECK_TEXT(header_of(0, "traceparent"), "");
    finish();
}

TEST(what_a_program_says_of_a_handle_counts_until_it_says_something_else)
{
    start_with_models();
    lf_prompt *prompt = lf_get_prompt("critic", .version = 3, .fallback = "x", .timeout_ms = 0);
    CHECK(prompt != NULL);
    prompt->is_fallback = false; /* as if the server had it */
    lf_observation *parent = lf_start_observation(.name = "parent");
    CURL *handle = handle_to("v1/chat/completions");
    lf_curl_set(handle, .name = "judge", .prompt = prompt, .metadata = LF_OBJECT("round", 7), .parent = parent);
    lf_prompt_free(prompt);
    perform(handle);
    CURL *copy = curl_easy_duphandle(handle);
    perform(copy);
    curl_easy_cleanup(copy);
    lf_curl_set(handle, .name = "other");
    perform(handle);
    curl_easy_cleanup(handle);
    lf_observation_end(parent);
    collect();
    CHECK_INT(count_named("judge"), 2);
    for (size_t i = 0; i < 2; i++) {
        const cJSON *judge = nth_named("judge", i);
        CHECK_CHILD(judge, span_named("parent"));
        CHECK_SAID(judge, "metadata.round", "7");
        CHECK_SAID(judge, "prompt.name", "critic");
        CHECK_SAID(judge, "prompt.version", "3");
    }
    CHECK_SAID(span_named("other"), "metadata.round", "");
    CHECK_SAID(span_named("other"), "prompt.name", "");
    CHECK_ROOT(span_named("other"));
    finish();
}

static void *perform_there(void *handle)
{
    CHECK_INT(curl_easy_perform(handle), CURLE_OK);
    return NULL;
}

/* The context is copied: it may be gone when another thread begins the transfer. */
TEST(a_transfer_of_another_thread_lies_where_the_context_says)
{
    start_with_models();
    lf_observation *job = lf_start_observation(.name = "job");
    lf_context *context = lf_observation_context(job);
    CURL *handle = handle_to("v1/chat/completions");
    lf_curl_set(handle, .context = context);
    lf_context_free(context);
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, perform_there, handle), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
    curl_easy_cleanup(handle);
    lf_observation_end(job);
    collect();
    CHECK_CHILD(span_named("OpenAI-generation"), span_named("job"));
    finish();
}

TEST(traceparent_goes_with_one_transfer_beside_the_headers_of_the_program)
{
    start_with_models();
    struct curl_slist *headers = curl_slist_append(NULL, "X-Mine: 1");
    CURL *handle = handle_to("v1/chat/completions");
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
    lf_curl_set(handle, .traceparent = LF_ON);
    perform(handle);
    lf_curl_set(handle);
    perform(handle);
    curl_slist_free_all(headers);
    curl_easy_cleanup(handle);
    collect();
    char expected[60];
    const cJSON *call = nth_named("OpenAI-generation", 0);
    snprintf(expected, sizeof expected, "00-%s-%s-01", trace_of(call), id_of(call));
    CHECK_TEXT(header_of(0, "traceparent"), expected);
    CHECK_TEXT(header_of(0, "X-Mine"), "1");
    CHECK_TEXT(header_of(1, "traceparent"), "");
    CHECK_TEXT(header_of(1, "X-Mine"), "1");
    finish();
}

TEST(a_handle_that_is_skipped_is_not_recorded)
{
    start_with_models();
    CURL *handle = handle_to("v1/chat/completions");
    lf_curl_set(handle, .skip = LF_ON);
    perform(handle);
    curl_easy_reset(handle); /* ends that, too */
    CURL *other = handle_to("v1/orders");
    perform(other);
    curl_easy_cleanup(other);
    curl_easy_cleanup(handle);
    collect();
    CHECK_INT(span_count, 0);
    handle = handle_to("v1/chat/completions");
    lf_curl_set(handle, .skip = LF_ON);
    curl_easy_reset(handle);
    curl_easy_cleanup(handle);
    handle = handle_to("v1/chat/completions"); /* at the same address, perhaps */
    perform(handle);
    curl_easy_cleanup(handle);
    lf_curl_set(NULL, .name = "nothing");
    lf_curl_set_with(NULL, NULL);
    collect();
    CHECK_INT(span_count, 1);
    finish();
}

/* As a compiled library calls them. */
CURL *unseen_init(void) __asm__("curl_easy_init");
CURLcode unseen_setopt(CURL *handle, CURLoption option, ...) __asm__("curl_easy_setopt");

/* Nobody knows which callbacks it has. */
TEST(a_handle_of_a_compiled_library_is_left_alone_until_it_is_reset)
{
    start_with_models();
    char url[300];
    snprintf(url, sizeof url, "%s/v1/chat/completions", models->url);
    CURL *handle = unseen_init();
    unseen_setopt(handle, CURLOPT_WRITEFUNCTION, count_bytes);
    unseen_setopt(handle, CURLOPT_WRITEDATA, &received);
    curl_easy_setopt(handle, CURLOPT_URL, url);
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, question);
    CURL *copy = curl_easy_duphandle(handle);
    perform(handle);
    perform(copy);
    curl_easy_cleanup(copy);
    collect();
    CHECK_INT(span_count, 0);
    curl_easy_reset(handle);
    curl_easy_setopt(handle, CURLOPT_URL, url);
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, question);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, count_bytes);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &received);
    perform(handle);
    curl_easy_cleanup(handle);
    collect();
    CHECK_INT(span_count, 1);
    finish();
}

static CURL *reset_there;
static CURLM *cleaned_there;

static size_t reset_inside(char *bytes, size_t unit, size_t count, void *unused)
{
    (void)bytes;
    (void)unused;
    received += unit * count;
    curl_easy_reset(reset_there);
    return unit * count;
}

TEST(a_callback_may_reset_its_handle)
{
    start_with_models();
    reset_there = handle_to("v1/chat/completions");
    curl_easy_setopt(reset_there, CURLOPT_WRITEFUNCTION, reset_inside);
    perform(reset_there);
    curl_easy_cleanup(reset_there);
    collect();
    CHECK_INT(span_count, 1);
    finish();
}

static size_t clean_inside(char *bytes, size_t unit, size_t count, void *unused)
{
    (void)bytes;
    (void)unused;
    CHECK_INT(curl_multi_cleanup(cleaned_there), CURLM_RECURSIVE_API_CALL);
    return unit * count;
}

TEST(a_cleanup_that_libcurl_refuses_ends_nothing)
{
    start_with_models();
    int running, left;
    cleaned_there = curl_multi_init();
    CURL *handle = handle_to("v1/chat/completions");
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, clean_inside);
    CHECK_INT(curl_multi_add_handle(cleaned_there, handle), CURLM_OK);
    do {
        CHECK_INT(curl_multi_perform(cleaned_there, &running), CURLM_OK);
        CHECK_INT(curl_multi_poll(cleaned_there, NULL, 0, 100, NULL), CURLM_OK);
    } while (running > 0);
    CHECK(curl_multi_info_read(cleaned_there, &left) != NULL);
    curl_multi_remove_handle(cleaned_there, handle);
    curl_easy_cleanup(handle);
    CHECK_INT(curl_multi_cleanup(cleaned_there), CURLM_OK);
    collect();
    CHECK_INT(span_count, 1);
    CHECK_SAID(span_named("OpenAI-generation"), "output", "{\"role\":\"assistant\",\"content\":\"Because.\"}");
    finish();
}

TEST(without_tracing_a_program_runs_as_without_the_library)
{
    start_with_models();
    lf_set_tracing(false);
    CURL *handle = handle_to("v1/chat/completions");
    lf_curl_set(handle, .name = "x", .traceparent = LF_ON);
    perform(handle);
    lf_set_tracing(true);
    perform(handle);
    CHECK_INT(lf_shutdown(-1), LF_OK);
    perform(handle);
    curl_easy_cleanup(handle);
    read_spans(harness_path);
    CHECK_INT(span_count, 1);
    finish();
}

/* What the library sends itself goes through these functions, too, where its source is a part of the program. */
TEST(transfers_of_the_library_itself_are_not_looked_at)
{
    start_with_models();
    CURL *handle = handle_to("v1/chat/completions");
    lf__http_depth++;
    perform(handle);
    lf__http_depth--;
    perform(handle);
    curl_easy_cleanup(handle);
    collect();
    CHECK_INT(span_count, 1);
    finish();
}

static CURL *observed; /* the handle whose callbacks these are */
static lf_observation *seen;

static size_t read_question(char *bytes, size_t unit, size_t count, void *left)
{
    size_t size = *(const char **)left == NULL ? 0 : sizeof question - 1;
    CHECK(lf_curl_observation(observed) == NULL); /* what it is about is not known yet */
    CHECK(size <= unit * count);
    memcpy(bytes, question, size);
    *(const char **)left = NULL;
    return size;
}

static size_t look(char *bytes, size_t unit, size_t count, void *data)
{
    (void)bytes;
    (void)data;
    seen = lf_curl_observation(observed);
    lf_observation_end(lf_start_observation(.name = "piece", .parent = seen));
    return unit * count;
}

TEST(a_handle_tells_the_generation_of_its_transfer_and_then_of_its_last_one)
{
    start_with_models();
    observed = handle_to("v1/chat/completions");
    CHECK(lf_curl_observation(observed) == NULL);
    CHECK(lf_curl_observation(NULL) == NULL);
    curl_easy_setopt(observed, CURLOPT_WRITEFUNCTION, look);
    lf_curl_set(observed, .name = "judge");
    CHECK_INT(curl_easy_perform(observed), CURLE_OK);
    CHECK(seen != NULL);
    CHECK(lf_curl_observation(observed) == seen);
    CURL *copy = curl_easy_duphandle(observed);
    CHECK(lf_curl_observation(copy) == NULL); /* it has made no transfer */
    curl_easy_cleanup(copy);
    CHECK_INT(lf_create_score(.name = "good", .value = 1, .observation = lf_curl_observation(observed)), LF_OK);
    collect_scores();
    collect();
    CHECK_CHILD(span_named("piece"), span_named("judge"));
    CHECK_MEMBER(score_named("good"), "observationId", id_of(span_named("judge")));
    CHECK_MEMBER(score_named("good"), "traceId", trace_of(span_named("judge")));
    curl_easy_reset(observed);
    CHECK(lf_curl_observation(observed) == NULL);
    curl_easy_cleanup(observed);
    finish();
}

TEST(a_transfer_that_is_not_recorded_has_no_generation)
{
    char url[300];
    start_with_models();
    CURL *handle = handle_to("v1/chat/completions");
    perform(handle);
    lf_observation *first = lf_curl_observation(handle);
    CHECK(first != NULL);
    snprintf(url, sizeof url, "%s/v1/orders", models->url);
    curl_easy_setopt(handle, CURLOPT_URL, url);
    perform(handle);
    CHECK(lf_curl_observation(handle) == NULL);
    snprintf(url, sizeof url, "%s/v1/chat/completions", models->url);
    curl_easy_setopt(handle, CURLOPT_URL, url);
    perform(handle);
    CHECK(lf_curl_observation(handle) != NULL && lf_curl_observation(handle) != first);
    lf_curl_set(handle, .skip = LF_ON);
    perform(handle);
    CHECK(lf_curl_observation(handle) == NULL);
    curl_easy_cleanup(handle);
    finish();
}

TEST(a_generation_whose_body_is_read_late_is_told_from_then_on)
{
    const char *left = question;
    start_with_models();
    observed = handle_to("v1/chat/completions");
    perform(observed);
    curl_easy_setopt(observed, CURLOPT_POSTFIELDS, NULL);
    curl_easy_setopt(observed, CURLOPT_POST, 1L);
    curl_easy_setopt(observed, CURLOPT_POSTFIELDSIZE, (long)sizeof question - 1);
    curl_easy_setopt(observed, CURLOPT_READFUNCTION, read_question);
    curl_easy_setopt(observed, CURLOPT_READDATA, &left);
    curl_easy_setopt(observed, CURLOPT_WRITEFUNCTION, look);
    CURLM *multi = curl_multi_init();
    CHECK_INT(curl_multi_add_handle(multi, observed), CURLM_OK);
    CHECK(lf_curl_observation(observed) == NULL);
    run_all(multi);
    CHECK(seen != NULL);
    CHECK(lf_curl_observation(observed) == seen);
    curl_multi_remove_handle(multi, observed);
    curl_multi_cleanup(multi);
    CHECK(lf_curl_observation(observed) == seen);
    curl_easy_cleanup(observed);
    finish();
}

static void one_of_each(void)
{
    CURL *handle = handle_to("v1/chat/completions");
    struct curl_slist *headers = curl_slist_append(NULL, "X-Mine: 1");
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)sizeof question - 1);
    curl_easy_setopt(handle, CURLOPT_COPYPOSTFIELDS, question);
    lf_curl_set(handle, .name = "n", .metadata = LF_OBJECT("a", 1), .traceparent = LF_ON);
    CURL *copy = curl_easy_duphandle(handle);
    perform(copy);
    curl_easy_cleanup(copy);
    curl_mime *form = curl_mime_init(handle);
    curl_mimepart *part = curl_mime_addpart(form);
    curl_mime_name(part, "model");
    curl_mime_data(part, "small", CURL_ZERO_TERMINATED);
    curl_easy_setopt(handle, CURLOPT_MIMEPOST, form);
    perform(handle);
    curl_mime_free(form);
    CURLM *multi = curl_multi_init();
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, question);
    CHECK_INT(curl_multi_add_handle(multi, handle), CURLM_OK);
    received = 0;
    run_all(multi);
    CHECK_INT(received, sizeof reply_text - 1);
    curl_multi_remove_handle(multi, handle);
    curl_multi_cleanup(multi);
    curl_easy_cleanup(handle);
    curl_slist_free_all(headers);
}

/* From the n-th allocation of ours on there is no memory: the program notices nothing, whatever n is. */
TEST(without_memory_the_program_notices_nothing)
{
    start_with_models();
    one_of_each();
    int step = rounds(10) == 10 ? 1 : 7;
    for (int n = 1; n <= 150; n += step) {
        lf__alloc_fail_from((unsigned long)n);
        one_of_each();
        lf__alloc_fail_from(0);
    }
    finish();
}

static fake_reply hang(fake_server *server, const fake_request *request)
{
    (void)server;
    (void)request;
    return (fake_reply){.manner = FAKE_HANG};
}

/* A child that is forked in the middle of a transfer: its call has ended there, and its handles can be cleaned up. */
TEST(a_child_forked_in_the_middle_of_a_transfer_leaves_it_alone)
{
    SKIP_WHERE_FORK_IS_NOT_SUPPORTED(a_child_forked_in_the_middle_of_a_transfer_leaves_it_alone);
    models = fake_server_start(hang, NULL);
    start_quiet();
    CURLM *multi = curl_multi_init();
    CURL *handle = handle_to("v1/chat/completions");
    CHECK_INT(curl_multi_add_handle(multi, handle), CURLM_OK);
    int running;
    curl_multi_perform(multi, &running);
    pid_t child = fork();
    if (child == 0) {
        harness_leaves_threads_behind = true;
        CURL *other = curl_easy_init();
        curl_easy_setopt(other, CURLOPT_URL, "http://127.0.0.1:1/v1/chat/completions");
        curl_easy_setopt(other, CURLOPT_POSTFIELDS, question);
        CHECK_INT(curl_easy_perform(other), CURLE_COULDNT_CONNECT);
        curl_easy_cleanup(other);
        CHECK_INT(lf_flush(-1), LF_OK);
        exit(0);
    }
    CHECK_INT(end_of_child(child), 0);
    curl_multi_remove_handle(multi, handle);
    curl_easy_cleanup(handle);
    curl_multi_cleanup(multi);
    collect();
    CHECK_INT(count_named("OpenAI-generation"), 2);
    finish();
}

/* Handles that come and go in several threads at once. */
static void *come_and_go(void *unused)
{
    int times = rounds(300);
    for (int i = 0; i < times; i++) {
        CURL *handle = curl_easy_init(), *copy;
        curl_easy_setopt(handle, CURLOPT_URL, "http://127.0.0.1:1/v1/chat/completions");
        curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE, (long)sizeof question - 1); /* libcurl 7.88 copies no handle without it */
        curl_easy_setopt(handle, CURLOPT_COPYPOSTFIELDS, question);
        copy = curl_easy_duphandle(handle);
        curl_easy_cleanup(handle);
        if (i % 16 == 0)
            CHECK_INT(curl_easy_perform(copy), CURLE_COULDNT_CONNECT);
        curl_easy_cleanup(copy);
    }
    return unused;
}

TEST(handles_come_and_go_in_several_threads)
{
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    start_quiet();
    for (int i = 0; i < THREADS; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, come_and_go, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    collect();
    CHECK_INT(span_count, THREADS * ((rounds(300) + 15) / 16));
}

int main(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_lies_below_the_observation_around),
        cmocka_unit_test(what_a_program_says_of_a_handle_counts_until_it_says_something_else),
        cmocka_unit_test(a_transfer_of_another_thread_lies_where_the_context_says),
        cmocka_unit_test(traceparent_goes_with_one_transfer_beside_the_headers_of_the_program),
        cmocka_unit_test(a_handle_that_is_skipped_is_not_recorded),
        cmocka_unit_test(a_handle_of_a_compiled_library_is_left_alone_until_it_is_reset),
        cmocka_unit_test(a_callback_may_reset_its_handle),
        cmocka_unit_test(a_cleanup_that_libcurl_refuses_ends_nothing),
        cmocka_unit_test(without_tracing_a_program_runs_as_without_the_library),
        cmocka_unit_test(transfers_of_the_library_itself_are_not_looked_at),
        cmocka_unit_test(a_handle_tells_the_generation_of_its_transfer_and_then_of_its_last_one),
        cmocka_unit_test(a_transfer_that_is_not_recorded_has_no_generation),
        cmocka_unit_test(a_generation_whose_body_is_read_late_is_told_from_then_on),
        cmocka_unit_test(without_memory_the_program_notices_nothing),
        cmocka_unit_test(a_child_forked_in_the_middle_of_a_transfer_leaves_it_alone),
        cmocka_unit_test(handles_come_and_go_in_several_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
