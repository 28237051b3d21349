/* From records to an acknowledged delivery, against a scripted server: every answer leads to the outcome it should, and after
 * each step every observation is delivered, dropped for a reason, or still held, and counted once.
 */
#define _GNU_SOURCE
#include "export_rig.h"

/* ---- Delivered ---- */

static void every_2xx_that_can_be_an_answer_delivers(void **state)
{
    (void)state;
    static const fake_reply replies[] = {
        {.status = 200, .body = "{\"partialSuccess\":{}}", .headers = "Content-Type: application/json\r\n"},
        {.status = 200, .body = "OK", .headers = "Content-Type: text/html\r\n"},
        {.status = 200, .body = "{\"partialSuccess\":{\"rejectedSpans\":\"0\"}}"},
        {.status = 207, .body = "{\"successes\":[],\"errors\":[]}"},
        {.status = 202, .body = "\0\x01\xff", .body_size = 3},
        {.status = 204},
    };
    START(.timeout_ms = 0);
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        pthread_mutex_lock(&rig.lock);
        rig.reply = replies[i];
        pthread_mutex_unlock(&rig.lock);
        uint64_t before = delivered();
        send_many(7);
        settle();
        assert_int_equal(delivered() - before, 7);
    }
    assert_int_equal(atomic_load(&rig.counters.requests), 6);
    assert_int_equal(atomic_load(&rig.counters.retries), 0);
    assert_true(atomic_load(&rig.counters.last_success_ns) > 0);
}

static void answer_with_page(void)
{
    rig.first = 1;
    rig.first_reply = (fake_reply){.status = 200, .body = "\r\n <!DOCTYPE html><html>Welcome!</html>"};
}

static void a_page_with_status_2xx_is_a_refusal_by_something_else(void **state)
{
    (void)state;
    static const char *const exporters[] = {"otlp", "otlp", "ingestion"};
    static const char *const protocols[] = {"http/json", "http/protobuf", "http/json"};
    for (int round = 0; round < 4; round++) {
        start_over();
        answer_with_page();
        rig.first_reply.status = round == 2 ? 207 : 200;
        rig.kind = round == 3 ? LF__EXPORT_SCORES : LF__EXPORT_OBSERVATIONS;
        START(.exporter = exporters[round % 3], .protocol = protocols[round % 3]);
        send_many(5);
        settle();
        assert_int_equal(delivered(), 0);
        assert_int_equal(dropped(LF_DROP_REFUSED), 5);
        assert_int_equal(lines_with("something else answers there; check LANGFUSE_BASE_URL"), 1);
        assert_int_equal(lines_with("first export accepted"), 0);
        assert_int_equal(atomic_load(&rig.counters.last_success_ns), 0);
        send_many(5); /* no earlier than after a pause, as after a 404 */
        settle();
        assert_int_equal(delivered(), 5);
        assert_true(rig.server->requests[1].at_ns - rig.server->requests[0].at_ns >= MS);
    }
}

/* The same answer in both formats; Content-Type says nothing. */
static void a_partial_success(bool json, int rejected, const char *message)
{
    static char bodies[64][256]; /* the server's threads may still be reading the one before */
    static unsigned next;
    char *body = bodies[next++ % 64];
    size_t size = strlen(message);
    int length = json ? snprintf(body, sizeof bodies[0], "{\"partialSuccess\":{\"rejectedSpans\":\"%d\",\"errorMessage\":\"%s\"}}",
                                 rejected, message)
                      : snprintf(body, sizeof bodies[0], "\x0a%c\x08%c\x12%c%s", (char)(size + 4), (char)rejected, (char)size,
                                 message);
    pthread_mutex_lock(&rig.lock);
    rig.reply = (fake_reply){.status = 200, .body = body, .body_size = rejected == 0 && !json ? size + 6 : (size_t)length};
    pthread_mutex_unlock(&rig.lock);
}

static void what_a_receiver_rejects_is_dropped_and_the_rest_delivered(void **state)
{
    (void)state;
    for (int json = 0; json < 2; json++) {
        start_over();
        START(.protocol = json ? "http/json" : "http/protobuf");
        a_partial_success(json, 2, "span too old");
        send_many(5);
        settle();
        assert_int_equal(dropped(LF_DROP_REFUSED), 2);
        assert_int_equal(delivered(), 3);
        assert_int_equal(lines_with("2 of 5 observations refused by http://127.0.0.1"), 1);
        assert_int_equal(lines_with("\"span too old\""), 1);
        a_partial_success(json, 9, "more than there were");
        send_many(5);
        settle();
        assert_int_equal(dropped(LF_DROP_REFUSED), 7);
        assert_int_equal(delivered(), 3);
        assert_int_equal(lines_with("observations refused by"), 1);
        assert_int_equal(atomic_load(&rig.counters.retries), 0);
    }
}

static void a_warning_of_a_receiver_is_told_and_nothing_dropped(void **state)
{
    (void)state;
    for (int json = 0; json < 2; json++) {
        start_over();
        START(.protocol = json ? "http/json" : "http/protobuf");
        a_partial_success(json, 0, "this endpoint is old");
        for (int i = 0; i < 2; i++)
            send_many(5);
        settle();
        assert_int_equal(delivered(), 10);
        assert_int_equal(lines_with("took 5 observations, and says: \"this endpoint is old\""), 1);
    }
}

static void requests_go_to_the_traces_url_in_the_encoding_asked_for(void **state)
{
    (void)state;
    static const char *const protocols[] = {"http/json", "http/protobuf"};
    static const char *const types[] = {"application/json", "application/x-protobuf"};
    for (int i = 0; i < 2; i++) {
        START(.protocol = protocols[i]);
        send_many(3);
        settle();
        const fake_request *request = &rig.server->requests[i];
        assert_ptr_equal(strstr(request->head, "POST /api/public/otel/v1/traces HTTP/1.1\r\n"), request->head);
        assert_true(fake_header_is(request, "Content-Type", types[i]));
        assert_true(fake_header_is(request, "x-langfuse-ingestion-version", "4"));
        assert_true(fake_header_is(request, "Authorization", "Basic cGstbGYtcHVibGljOnNrLWxmLW1vc3Qtc2VjcmV0"));
        assert_null(fake_header(request, "Content-Encoding"));
        assert_int_equal(observations_in(request, NULL), 3);
        cJSON *json = cJSON_ParseWithLength(request->body, request->body_size);
        assert_int_equal(json != NULL, i == 0);
        cJSON_Delete(json);
        lf__export_free(rig.x);
        lf__config_free(rig.config);
        rig.x = NULL;
        rig.config = NULL;
        rig.added = 0;
        memset(&rig.counters, 0, sizeof rig.counters);
    }
}

static void nothing_open_sends_nothing(void **state)
{
    (void)state;
    START(.timeout_ms = 0);
    lf__export_send(rig.x);
    assert_false(lf__export_busy(rig.x));
    work(10 * PATIENCE_MS); /* does not wait for anything */
    assert_int_equal(atomic_load(&rig.counters.requests), 0);
}

static void no_request_is_larger_than_max_batch_bytes(void **state)
{
    (void)state;
    static const char *const protocols[] = {"http/json", "http/protobuf"};
    for (int i = 0; i < 2; i++) {
        START(.max_batch_bytes = 65536, .protocol = protocols[i]);
        rig.added = 0;
        for (unsigned n = 0; n < 300; n++)
            add_record(numbered_record(&rig.made, n, n, n * 199 % 30000));
        lf__export_send(rig.x);
        settle();
        assert_int_equal(delivered(), 300);
        lf__export_free(rig.x);
        lf__config_free(rig.config);
        rig.x = NULL;
        rig.config = NULL;
        memset(&rig.counters, 0, sizeof rig.counters);
    }
    size_t most = 0;
    for (int i = 0; i < rig.server->request_count; i++)
        if (rig.server->requests[i].body_size > most)
            most = rig.server->requests[i].body_size;
    assert_in_range(most, 40000, 65536);
    for (unsigned n = 0; n < 300; n++)
        assert_int_equal(rig.taken[n], 2); /* once for each protocol */
}

static void resource_attributes_of_any_length_leave_room_for_observations(void **state)
{
    (void)state;
    char attributes[20100];
    memset(attributes, 'r', sizeof attributes);
    memcpy(attributes, "key=", 4);
    attributes[sizeof attributes - 1] = '\0';
    setenv("OTEL_RESOURCE_ATTRIBUTES", attributes, 1);
    START(.max_batch_bytes = 65536);
    add_many(50, 3000);
    lf__export_send(rig.x);
    settle();
    assert_int_equal(delivered(), 50);
    for (int i = 0; i < rig.server->request_count; i++)
        assert_in_range(rig.server->requests[i].body_size, 20000, 65536);
}

static void resource_attributes_that_fill_a_request_are_told_once(void **state)
{
    (void)state;
    char attributes[60000];
    memset(attributes, 'r', sizeof attributes);
    memcpy(attributes, "key=", 4);
    attributes[sizeof attributes - 1] = '\0';
    static const char *const protocols[] = {"http/json", "http/protobuf"};
    for (int i = 0; i < 2; i++) {
        start_over();
        setenv("OTEL_RESOURCE_ATTRIBUTES", attributes, 1);
        START(.max_batch_bytes = 65536, .protocol = protocols[i]);
        assert_non_null(rig.x);
        send_many(100);
        settle();
        assert_int_equal(dropped(LF_DROP_TOO_LARGE), 100);
        assert_int_equal(lines_with("takes more than half of a request of 65536 bytes"), 1);
        assert_int_equal(lines_with("all observations are dropped"), 1);
        assert_int_equal(lines_with(""), 1);
        assert_int_equal(atomic_load(&rig.counters.requests), 0);
    }
}

static void an_exporter_that_finds_no_memory_is_not_told(void **state)
{
    (void)state;
    static const char *const protocols[] = {"http/json", "http/protobuf"};
    for (int i = 0; i < 2; i++) {
        start_over();
        START(.protocol = protocols[i]);
        lf__export *made = NULL;
        for (unsigned long fail = 1; made == NULL; fail++) {
            assert_true(fail < 20);
            lf__alloc_fail_from(fail);
            made = lf__export_new(rig.config, rig.kind, &rig.transport, &rig.counters);
            lf__alloc_fail_from(0);
            assert_true(fail > 2 || made == NULL);
        }
        lf__export_free(made);
        assert_int_equal(lines_with(""), 0);
    }
}

static void an_observation_too_large_for_any_request_is_dropped_with_one_line(void **state)
{
    (void)state;
    START(.max_batch_bytes = 65536);
    for (unsigned n = 0; n < 10; n++) {
        const lf__record *record = numbered_record(&rig.made, n, n, n % 2 == 0 ? 60000 : 10);
        if (n % 2 == 0) /* quotes take twice their size */
            memset(rig.made.as.bytes + record->size - 60000, '"', 60000);
        add_record(record);
    }
    lf__export_send(rig.x);
    settle();
    assert_int_equal(delivered(), 5);
    assert_int_equal(dropped(LF_DROP_TOO_LARGE), 5);
    assert_int_equal(lines_with("does not fit"), 1);
    assert_int_equal(lines_with("LANGFUSE_MAX_EVENT_SIZE_BYTES"), 1);
}

/* ---- Refused ---- */

static void every_status_has_its_outcome_and_its_line(void **state)
{
    (void)state;
    static const struct {
        int status;
        lf_drop_reason reason;
        const char *cause;
    } cases[] = {
        {301, LF_DROP_REFUSED, "redirects"},         {308, LF_DROP_REFUSED, "redirects"},
        {400, LF_DROP_REFUSED, "not understood"},    {401, LF_DROP_REFUSED, "keys of one region are unknown in another"},
        {403, LF_DROP_REFUSED, "no access"},         {404, LF_DROP_REFUSED, "LANGFUSE_BASE_URL"},
        {405, LF_DROP_REFUSED, "LANGFUSE_BASE_URL"}, {413, LF_DROP_TOO_LARGE, "LANGFUSE_MAX_BATCH_SIZE_BYTES"},
        {418, LF_DROP_REFUSED, "not understood"},    {422, LF_DROP_REFUSED, "not understood"},
        {408, LF_DROP_REASON_COUNT, "tried again"},  {429, LF_DROP_REASON_COUNT, "rate limit"},
        {500, LF_DROP_REASON_COUNT, "tried again"},  {503, LF_DROP_REASON_COUNT, "tried again"},
        {599, LF_DROP_REASON_COUNT, "tried again"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        start_over();
        rig.first = cases[i].reason == LF_DROP_REASON_COUNT ? 3 : 1;
        rig.first_reply = (fake_reply){.status = cases[i].status, .body = "{\"message\":\"go\\naway\"}"};
        START(.timeout_ms = 0);
        send_many(1);
        settle();
        char status[32];
        snprintf(status, sizeof status, "HTTP %d \"go away\"", cases[i].status);
        if (lines_with(status) != 1 || lines_with(cases[i].cause) != 1 || lines_with(rig.server->url) == 0)
            fail_msg("%s: %s", status, line_at(0));
        assert_int_equal(lines_with("most-secret"), 0);
        if (cases[i].reason == LF_DROP_REASON_COUNT) {
            assert_int_equal(delivered(), 1);
            assert_int_equal(atomic_load(&rig.counters.retries), 3);
            assert_int_equal(atomic_load(&rig.counters.requests), 4);
        } else {
            assert_int_equal(dropped(cases[i].reason), 1);
            assert_int_equal(atomic_load(&rig.counters.requests), 1);
            send_many(1); /* and the next one finds a server that has recovered */
            settle();
            assert_int_equal(delivered(), 1);
        }
        assert_int_equal(lines_with("first export accepted"), 1);
        assert_int_equal(lines_with(""), 2);
    }
}

static void verdicts_are_said_once_each_and_another_cause_is_told_too(void **state)
{
    (void)state;
    START(.timeout_ms = 0);
    static const int statuses[] = {200, 503, 503, 401, 401, 200, 503, 401};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        pthread_mutex_lock(&rig.lock);
        rig.first = statuses[i] == 503 ? rig.server->request_count + 2 : 0;
        rig.first_reply = (fake_reply){.status = 503};
        rig.reply = (fake_reply){.status = statuses[i] == 503 ? 200 : statuses[i]};
        pthread_mutex_unlock(&rig.lock);
        send_many(5);
        settle();
    }
    assert_int_equal(lines_with("first export accepted"), 1);
    assert_int_equal(lines_with("HTTP 503"), 1);
    assert_int_equal(lines_with("HTTP 401"), 1);
    assert_int_equal(lines_with(""), 3);
    assert_int_equal(delivered(), 25);
    assert_int_equal(dropped(LF_DROP_REFUSED), 15);
}

/* ---- A secret key that is replaced ---- */

static char key_path[64];

static void write_key(const char *key)
{
    snprintf(key_path, sizeof key_path, "/tmp/langfuse-test-export-key-%ld", (long)getpid());
    FILE *file = fopen(key_path, "w");
    assert_non_null(file);
    fprintf(file, "%s\n", key);
    assert_int_equal(fclose(file), 0);
}

static bool has_the_old_key(const fake_request *request)
{
    return fake_header_is(request, "Authorization", "Basic cGstbGYtcHVibGljOnNrLWxmLW9sZA==");
}

static void a_key_that_was_replaced_in_its_file_works_without_a_restart(void **state)
{
    (void)state;
    write_key("sk-lf-old");
    START(.secret_key_file = key_path);
    send_many(1);
    settle();
    assert_int_equal(delivered(), 1);
    rig.refuses = has_the_old_key;
    rig.reply = (fake_reply){.status = 401};
    write_key("sk-lf-new");
    for (int i = 0; i < 3; i++) /* all on their way at once */
        send_many(1);
    settle();
    assert_int_equal(delivered(), 4);
    assert_int_equal(lines_with("HTTP 401"), 0);
    assert_int_equal(lines_with("has another one"), 1);
    assert_int_equal(lines_with("sk-lf-"), 0);
    unlink(key_path);
}

static void a_key_that_was_not_replaced_is_refused_at_once_and_so_is_another_wrong_one(void **state)
{
    (void)state;
    write_key("sk-lf-old");
    rig.reply = (fake_reply){.status = 401, .body = "no sk-lf-old"};
    START(.secret_key_file = key_path);
    send_many(1);
    settle();
    assert_int_equal(dropped(LF_DROP_REFUSED), 1);
    assert_int_equal(atomic_load(&rig.counters.requests), 1);
    write_key("sk-lf-new");
    send_many(1);
    settle();
    assert_int_equal(dropped(LF_DROP_REFUSED), 2);
    assert_int_equal(atomic_load(&rig.counters.requests), 3);
    assert_int_equal(lines_with("HTTP 401 \"no (secret)\""), 1);
    unlink(key_path);
}

static void server_texts_of_all_shapes_become_one_readable_line(void **state)
{
    (void)state;
    static const struct {
        const char *body, *shown;
    } cases[] = {
        {"{\"error\":\"only error\"}", "\"only error\""},
        {"{\"message\":\"both\",\"error\":\"Unauthorized\"}", "\"both\""},
        {"{\"message\":\"m\",\"error\":[1,2]}", "\"m\""},
        {"Body exceeded 1mb limit", "\"Body exceeded 1mb limit\""},
        {"", "\"\""},
        {"[1,2,3]", "\"[1,2,3]\""},
        {"line one\r\nline two\x1b[31m", "\"line one  line two [31m\""},
        {"{\"message\": 12", "\"{\"message\": 12\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        start_over();
        rig.reply = (fake_reply){.status = 401, .body = cases[i].body};
        START(.timeout_ms = 0);
        send_many(1);
        settle();
        if (lines_with(cases[i].shown) != 1)
            fail_msg("%s is not in: %s", cases[i].shown, line_at(0));
    }
}

/* ---- Search and halving ---- */

static bool has_a_bad_one(const fake_request *request)
{
    return strstr(request->body, "obs-57.") != NULL;
}

static void a_400_is_searched_until_exactly_the_bad_record_is_left(void **state)
{
    (void)state;
    static const int statuses[] = {400, 422};
    for (int round = 0; round < 2; round++) {
        start_over();
        rig.refuses = has_a_bad_one;
        rig.reply = (fake_reply){.status = statuses[round]};
        START(.timeout_ms = 0);
        send_many(100);
        settle();
        assert_int_equal(delivered(), 99);
        assert_int_equal(dropped(LF_DROP_REFUSED), 1);
        for (int n = 0; n < 100; n++)
            assert_int_equal(rig.taken[n], n != 57);
        assert_true(atomic_load(&rig.counters.requests) <= 15); /* 1 + 2 * log2(100) */
        assert_int_equal(atomic_load(&rig.counters.retries), 0);
    }
}

static bool every_one_of_the_first_200_is_bad(const fake_request *request)
{
    for (const char *at = request->body; (at = strstr(at, "obs-")) != NULL; at += 4)
        if (strtoul(at + 4, NULL, 10) < 200)
            return true;
    return false;
}

static void a_batch_full_of_bad_records_is_given_up_after_a_bounded_search(void **state)
{
    (void)state;
    rig.refuses = every_one_of_the_first_200_is_bad;
    rig.reply = (fake_reply){.status = 400};
    START(.timeout_ms = 0);
    send_many(200);
    settle();
    assert_int_equal(dropped(LF_DROP_REFUSED), 200);
    assert_true(atomic_load(&rig.counters.requests) < 300);
}

static bool many_are_bad_and_one_later(const fake_request *request)
{
    return every_one_of_the_first_200_is_bad(request) || strstr(request->body, "obs-321.") != NULL;
}

static void the_search_of_one_batch_does_not_use_up_that_of_the_next(void **state)
{
    (void)state;
    rig.refuses = many_are_bad_and_one_later;
    rig.reply = (fake_reply){.status = 400};
    START(.timeout_ms = 0);
    send_many(200); /* both are in flight at once */
    send_many(200);
    settle();
    assert_int_equal(dropped(LF_DROP_REFUSED), 201);
    assert_int_equal(delivered(), 199);
}

static bool has_more_than_one(const fake_request *request)
{
    return observations_in(request, NULL) > 1;
}

static void a_413_is_halved_down_to_one(void **state)
{
    (void)state;
    rig.refuses = has_more_than_one;
    rig.reply = (fake_reply){.status = 413, .body = "Body exceeded"};
    START(.timeout_ms = 0);
    send_many(37);
    settle();
    assert_int_equal(delivered(), 37);
    for (int n = 0; n < 37; n++)
        assert_int_equal(rig.taken[n], 1);
    assert_int_equal(atomic_load(&rig.counters.requests), 2 * 37 - 1);
}

static void a_413_for_single_records_counts_them_as_too_large(void **state)
{
    (void)state;
    rig.reply = (fake_reply){.status = 413};
    START(.protocol = "http/protobuf");
    send_many(9);
    settle();
    assert_int_equal(dropped(LF_DROP_TOO_LARGE), 9);
    assert_int_equal(lines_with(""), 1);
}

static void a_failure_in_the_middle_of_a_search_loses_nothing(void **state)
{
    (void)state;
    rig.first = 5;
    rig.first_reply = (fake_reply){.status = 503};
    rig.refuses = NULL;
    START(.timeout_ms = 0);
    /* 503 for five requests, then refusals that are searched, with parts retried after a reset in between. */
    send_many(100);
    poll_until_requests(5);
    pthread_mutex_lock(&rig.lock);
    rig.first = 9;
    rig.refuses = has_a_bad_one;
    rig.first_reply = (fake_reply){.manner = FAKE_CLOSE};
    rig.reply = (fake_reply){.status = 400};
    pthread_mutex_unlock(&rig.lock);
    settle();
    assert_int_equal(delivered(), 99);
    assert_int_equal(dropped(LF_DROP_REFUSED), 1);
    for (int n = 0; n < 100; n++)
        assert_int_equal(rig.taken[n], n != 57);
}

/* ---- Failing and coming back ---- */

static void transport_failures_are_retried_until_delivered(void **state)
{
    (void)state;
    static const fake_reply replies[] = {
        {.manner = FAKE_CLOSE},
        {.manner = FAKE_RESET_BODY, .body = "half of this"},
        {.manner = FAKE_RAW, .body = "SSH-2.0-garbage\r\n"},
        {.manner = FAKE_RAW, .body = "HTTP/1.1 200 OK\r\nContent-Le"},
        {.manner = FAKE_RAW, .body = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"},
    };
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        start_over();
        rig.first = 3;
        rig.first_reply = replies[i];
        START(.timeout_ms = 0);
        send_many(10);
        settle();
        assert_int_equal(delivered(), 10);
        assert_int_equal(lines_with("cannot deliver to"), 1);
        assert_int_equal(lines_with(""), 2);
    }
}

static void a_hanging_server_ends_in_timeouts_and_recovers(void **state)
{
    (void)state;
    rig.first = 2;
    rig.first_reply = (fake_reply){.manner = FAKE_HANG};
    START(.timeout_ms = 1000);
    send_many(10);
    settle();
    assert_int_equal(delivered(), 10);
    assert_true(atomic_load(&rig.counters.retries) >= 2);
    assert_int_equal(lines_with("timed out"), 1);
}

static void a_server_that_starts_later_gets_everything(void **state)
{
    (void)state;
    char url[64];
    int port = fake_free_port();
    snprintf(url, sizeof url, "http://127.0.0.1:%d", port);
    START(.base_url = url);
    send_many(10);
    while (atomic_load(&rig.counters.retries) < 3) {
        work(10);
        assert_account();
    }
    assert_int_equal(lines_with("cannot deliver to http://127.0.0.1"), 1);
    assert_int_equal(lf__export_held(rig.x), 10);
    fake_server *late = calloc(1, sizeof *late);
    assert_true(fake_server_start_on(late, port));
    settle();
    assert_int_equal(delivered(), 10);
    fake_server_free(late);
}

static void while_failing_one_request_at_a_time_probes(void **state)
{
    (void)state;
    rig.first = 12;
    rig.first_reply = (fake_reply){.status = 503, .delay_ms = 5};
    START(.timeout_ms = 0);
    for (int i = 0; i < 4; i++)
        send_many(5);
    poll_until_requests(12);
    assert_int_equal(fake_count(rig.server, &rig.server->request_count), 12);
    pthread_mutex_lock(&rig.lock);
    assert_int_equal(rig.most_busy_later, 1);
    pthread_mutex_unlock(&rig.lock);
    settle();
    assert_int_equal(delivered(), 20);
}

static void no_more_batches_than_allowed_are_on_their_way(void **state)
{
    (void)state;
    rig.reply = (fake_reply){.manner = FAKE_HANG};
    START(.timeout_ms = 0);
    for (int i = 0; i < 10; i++)
        send_many(1);
    poll_until_requests(3);
    for (int i = 0; i < 20; i++)
        work(1);
    assert_int_equal(fake_count(rig.server, &rig.server->request_count), 3);
    assert_int_equal(lf__export_held(rig.x), 10);
    assert_int_equal(lf__export_oldest(rig.x), 0);
}

static uint64_t gap(int i)
{
    return rig.server->requests[i].at_ns - rig.server->requests[i - 1].at_ns;
}

static void waits_grow_have_jitter_and_are_capped(void **state)
{
    (void)state;
    enum { TRIES = 16 };
    rig.reply = (fake_reply){.status = 503};
    START(.timeout_ms = 0);
    /* Uncapped, the sixteenth try would come after five minutes, and the patience of this test be over. */
    lf__export_tune(rig.x, (lf__export_times){20 * MS, 80 * MS, 3600000 * MS});
    send_many(1);
    poll_until_requests(TRIES);
    uint64_t step = 20 * MS, least = UINT64_MAX, most = 0;
    for (int i = 1; i < TRIES; i++) {
        assert_true(gap(i) >= step / 2); /* at least: nothing is promised of a busy machine */
        step = step * 2 > 80 * MS ? 80 * MS : step * 2;
        if (i >= 3) {
            least = gap(i) < least ? gap(i) : least;
            most = gap(i) > most ? gap(i) : most;
        }
    }
    assert_true(most - least > 2 * MS); /* twelve equal waits would be a remarkable jitter */
}

static void retry_after_is_obeyed_in_seconds_and_as_a_date(void **state)
{
    (void)state;
    char date[128];
    for (int round = 0; round < 2; round++) {
        start_over();
        time_t later = time(NULL) + 3;
        struct tm utc;
        strftime(date, sizeof date, "Retry-After: %a, %d %b %Y %H:%M:%S GMT\r\n", gmtime_r(&later, &utc));
        rig.first = 1;
        rig.first_reply = (fake_reply){.status = round == 0 ? 429 : 503, .headers = round == 0 ? "Retry-After: 1\r\n" : date};
        START(.timeout_ms = 0);
        send_many(1);
        settle();
        assert_int_equal(delivered(), 1);
        assert_true(gap(1) >= (round == 0 ? 1000 : 900) * MS); /* of the date's seconds some may have passed already */
    }
}

static void what_stays_undeliverable_is_given_up_and_counted(void **state)
{
    (void)state;
    static const fake_reply replies[] = {{.status = 503}, {.manner = FAKE_CLOSE}};
    for (int i = 0; i < 2; i++) {
        start_over();
        rig.reply = replies[i];
        START(.timeout_ms = 0);
        lf__export_tune(rig.x, (lf__export_times){2 * MS, 20 * MS, 500 * MS});
        for (int j = 0; j < 3; j++)
            send_many(10);
        settle();
        assert_int_equal(dropped(LF_DROP_UNREACHABLE), 30);
        assert_int_equal(delivered(), 0);
        assert_int_equal(lines_with(""), 1);
        assert_true(atomic_load(&rig.counters.retries) >= 3);
    }
}

static void hurry_tries_now_what_would_wait(void **state)
{
    (void)state;
    rig.first = 1;
    rig.first_reply = (fake_reply){.status = 503};
    START(.timeout_ms = 0);
    lf__export_tune(rig.x, (lf__export_times){3600000 * MS, 3600000 * MS, 3600000 * MS});
    send_many(4);
    while (lines_with("HTTP 503") == 0)
        work(10);
    work(0);
    assert_int_equal(fake_count(rig.server, &rig.server->request_count), 1);
    lf__export_hurry(rig.x);
    settle();
    assert_int_equal(delivered(), 4);
}

static void abandon_drops_everything_held_for_the_reason_given(void **state)
{
    (void)state;
    rig.reply = (fake_reply){.manner = FAKE_HANG};
    START(.timeout_ms = 0);
    for (int i = 0; i < 6; i++)
        send_many(3);
    poll_until_requests(3);
    add_many(2, 0);
    lf__export_abandon(rig.x, LF_DROP_SHUTDOWN);
    assert_int_equal(dropped(LF_DROP_SHUTDOWN), 20);
    assert_int_equal(lf__export_held(rig.x), 0);
    assert_false(lf__export_busy(rig.x));
    assert_account();
    pthread_mutex_lock(&rig.lock);
    rig.reply = (fake_reply){0};
    pthread_mutex_unlock(&rig.lock);
    send_many(3); /* and it still works */
    settle();
    assert_int_equal(delivered(), 3);
}

/* ---- Several exporters ---- */

static void exporters_share_connections_and_abandon_only_their_own(void **state)
{
    (void)state;
    rig.reply = (fake_reply){.manner = FAKE_HANG};
    START(.timeout_ms = 0);
    lf__counters others = {0};
    lf__export *scores = lf__export_new(rig.config, LF__EXPORT_SCORES, &rig.transport, &others);
    assert_non_null(scores);
    send_many(2);
    poll_until_requests(1);
    lf__http *http = atomic_load(&rig.transport.http);
    assert_int_equal(lf__export_add(scores, numbered_record(&rig.made, 1, 1, 0), NULL, 0), LF__ADD_DONE);
    lf__export_send(scores);
    assert_ptr_equal(atomic_load(&rig.transport.http), http);
    assert_int_equal(lf__http_running(http), 2);
    lf__export_free(scores);
    assert_int_equal(atomic_load(&others.dropped[LF_DROP_SHUTDOWN]), 1);
    assert_int_equal(lf__http_running(http), 1);
    assert_int_equal(lf__export_held(rig.x), 2);
    assert_account();
}

static void an_exporter_says_when_it_wants_to_be_stepped(void **state)
{
    (void)state;
    rig.first = 1;
    rig.first_reply = (fake_reply){.status = 503};
    START(.timeout_ms = 0);
    lf__export_tune(rig.x, (lf__export_times){3600000 * MS, 3600000 * MS, 3600000 * MS});
    assert_true(lf__export_next_ns(rig.x) == UINT64_MAX);
    send_many(4);
    assert_true(lf__export_next_ns(rig.x) == UINT64_MAX); /* it waits for the transfer */
    while (lines_with("HTTP 503") == 0)
        lf__http_poll(atomic_load(&rig.transport.http), 10);
    uint64_t next = lf__export_next_ns(rig.x), now = lf__monotonic_ns();
    assert_true(next > now + 1000000 * MS && next < now + 2 * 3600000 * MS);
    lf__export_hurry(rig.x);
    assert_true(lf__export_next_ns(rig.x) <= now);
    settle();
    assert_true(lf__export_next_ns(rig.x) == UINT64_MAX);
    assert_int_equal(delivered(), 4);
}

/* ---- No memory ---- */

static void run_out_of_memory(void)
{
    lf__export_tune(rig.x, (lf__export_times){1 * MS, 1 * MS, 5 * MS});
    for (unsigned long fail = 1; fail < 40; fail++) {
        lf__alloc_fail_from(fail);
        for (unsigned i = 0; i < 600; i++) {
            unsigned n = (unsigned)rig.added;
            const lf__record *record = numbered_record(&rig.made, n, n, 100);
            if (lf__export_add(rig.x, record, NULL, 0) == LF__ADD_DONE) {
                rig.added++;
                continue;
            }
            lf__export_send(rig.x);
            work(1);
            assert_account();
        }
        lf__export_send(rig.x);
        for (int i = 0; i < 5; i++)
            work(2);
        lf__alloc_fail_from(0);
        lf__export_send(rig.x);
        settle();
        assert_account();
    }
    assert_true(dropped(LF_DROP_NO_MEMORY) > 0);
    assert_int_equal(dropped(LF_DROP_TOO_LARGE), 0);
    assert_true(delivered() > 0);
}

static void out_of_memory_is_counted_and_never_loses_the_account(void **state)
{
    (void)state;
    for (int round = 0; round < 2; round++) {
        start_over();
        memset(rig.tries, 0, sizeof rig.tries);
        rig.verdict = round == 1 ? busy_for_some : NULL;
        START(.exporter = round == 1 ? "ingestion" : "otlp");
        run_out_of_memory();
    }
}

/* A record for which the encoder needs its scratch buffer too. */
static const lf__record *a_record_of_all_kinds(void)
{
    numbered_record(&rig.made, 1, 1, 5000);
    builder_json(&rig.made, LF__TAG_METADATA, "{\"b\":[1,2,3],\"a\":\"text\"}");
    builder_json(&rig.made, LF__TAG_USAGE, "{\"prompt_tokens\":7,\"cost\":0.25}");
    return &rig.made.as.record;
}

static void lack_of_memory_is_never_taken_for_too_large(void **state)
{
    (void)state;
    static const char *const protocols[] = {"http/json", "http/protobuf"};
    for (int i = 0; i < 2; i++) {
        start_over();
        START(.protocol = protocols[i]);
        unsigned long fail = 1;
        for (uint64_t held = 0; held == 0; fail++) {
            assert_true(fail < 40);
            lf__export_free(rig.x);
            rig.x = lf__export_new(rig.config, rig.kind, &rig.transport, &rig.counters);
            assert_non_null(rig.x);
            lf__alloc_fail_from(fail);
            assert_int_equal(lf__export_add(rig.x, a_record_of_all_kinds(), NULL, 0), LF__ADD_DONE);
            lf__alloc_fail_from(0);
            held = lf__export_held(rig.x);
            assert_int_equal(dropped(LF_DROP_NO_MEMORY), held == 0 ? fail : fail - 1);
        }
        assert_true(fail > 4);
        assert_int_equal(dropped(LF_DROP_TOO_LARGE), 0);
        assert_int_equal(lines_with("does not fit"), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(every_2xx_that_can_be_an_answer_delivers),
        CASE(a_page_with_status_2xx_is_a_refusal_by_something_else),
        CASE(what_a_receiver_rejects_is_dropped_and_the_rest_delivered),
        CASE(a_warning_of_a_receiver_is_told_and_nothing_dropped),
        CASE(requests_go_to_the_traces_url_in_the_encoding_asked_for),
        CASE(nothing_open_sends_nothing),
        CASE(no_request_is_larger_than_max_batch_bytes),
        CASE(resource_attributes_of_any_length_leave_room_for_observations),
        CASE(resource_attributes_that_fill_a_request_are_told_once),
        CASE(an_exporter_that_finds_no_memory_is_not_told),
        CASE(an_observation_too_large_for_any_request_is_dropped_with_one_line),
        CASE(every_status_has_its_outcome_and_its_line),
        CASE(verdicts_are_said_once_each_and_another_cause_is_told_too),
        CASE(a_key_that_was_replaced_in_its_file_works_without_a_restart),
        CASE(a_key_that_was_not_replaced_is_refused_at_once_and_so_is_another_wrong_one),
        CASE(server_texts_of_all_shapes_become_one_readable_line),
        CASE(a_400_is_searched_until_exactly_the_bad_record_is_left),
        CASE(a_batch_full_of_bad_records_is_given_up_after_a_bounded_search),
        CASE(the_search_of_one_batch_does_not_use_up_that_of_the_next),
        CASE(a_413_is_halved_down_to_one),
        CASE(a_413_for_single_records_counts_them_as_too_large),
        CASE(a_failure_in_the_middle_of_a_search_loses_nothing),
        CASE(transport_failures_are_retried_until_delivered),
        CASE(a_hanging_server_ends_in_timeouts_and_recovers),
        CASE(a_server_that_starts_later_gets_everything),
        CASE(while_failing_one_request_at_a_time_probes),
        CASE(no_more_batches_than_allowed_are_on_their_way),
        CASE(waits_grow_have_jitter_and_are_capped),
        CASE(retry_after_is_obeyed_in_seconds_and_as_a_date),
        CASE(what_stays_undeliverable_is_given_up_and_counted),
        CASE(hurry_tries_now_what_would_wait),
        CASE(abandon_drops_everything_held_for_the_reason_given),
        CASE(out_of_memory_is_counted_and_never_loses_the_account),
        CASE(lack_of_memory_is_never_taken_for_too_large),
        CASE(exporters_share_connections_and_abandon_only_their_own),
        CASE(an_exporter_says_when_it_wants_to_be_stepped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
