/* Where scores go: the server's version decides, and what the endpoints say. */
#define _GNU_SOURCE
#include "export_rig.h"

static const char list_path[] = "POST /api/public/scores HTTP/1.1\r\n";
static const char batch_path[] = "POST /api/public/ingestion HTTP/1.1\r\n";

static bool is_list(const fake_request *request)
{
    bool list = strncmp(request->head, list_path, sizeof list_path - 1) == 0;
    if (!list)
        assert_int_equal(strncmp(request->head, batch_path, sizeof batch_path - 1), 0);
    return list;
}

static void tell_version(const char *version)
{
    rig.server->health.body = fake_text("{\"status\":\"OK\",\"version\":\"%s\"}", version);
}

static void start_at(const char *version)
{
    start_over();
    tell_version(version);
    start_scores();
}

static int requests(void)
{
    return fake_count(rig.server, &rig.server->request_count);
}

static bool request_is_list(int number)
{
    return is_list(&rig.server->requests[number]);
}

static void send_and_settle(unsigned count)
{
    send_scores(count);
    settle();
}

static void lists_go_to_servers_from_4_59_on(void **state)
{
    (void)state;
    static const struct {
        fake_reply health;
        bool list;
    } cases[] = {
        {{.body = "{\"status\":\"OK\",\"version\":\"4.59.0\"}"}, true},
        {{.body = "{\"version\":\"4.59\"}"}, true},
        {{.body = "{\"version\":\"v4.100.1-rc.1\"}"}, true},
        {{.body = "{\"version\":\"5.0.0\"}"}, true},
        {{.body = "{\"status\":\"OK\",\"version\":\"4.58.99\"}"}, false},
        {{.body = "{\"version\":\"3.170.0\"}"}, false},
        {{.body = "{\"version\":4.59}"}, false},
        {{.body = "{\"version\":\"5\"}"}, true},
        {{.body = "{\"version\":\"4\"}"}, false},
        {{.body = "{\"version\":\"5.\"}"}, false},
        {{.body = "{\"version\":\"\"}"}, false},
        {{.body = "{\"version\":\"four.59\"}"}, false},
        {{.body = "{\"version\":\"4.59.0\""}, false},
        {{.body = "<html>4.59.0</html>"}, false},
        {{.body = ""}, false},
        {{.status = 503, .body = "{\"version\":\"4.59.0\"}"}, false},
        {{.status = 302, .headers = "Location: /there\r\n"}, false},
        {{.manner = FAKE_CLOSE}, false},
        {{.manner = FAKE_RESET_BODY, .body = "{\"version\":\"4.59.0\"}"}, false},
        {{.manner = FAKE_RAW, .body = "what?\r\n\r\n"}, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        start_over();
        rig.server->health = cases[i].health;
        start_scores();
        send_and_settle(3);
        send_and_settle(2);
        assert_int_equal(delivered(), 5);
        assert_int_equal(requests(), 2);
        for (int n = 0; n < 2; n++)
            if (request_is_list(n) != cases[i].list)
                fail_msg("case %zu: %s", i, rig.server->requests[n].head);
        assert_true(fake_count(rig.server, &rig.server->health_count) >= 1); /* libcurl may try a closed connection again */
        assert_int_equal(lines_with(""), 0);
    }
}

static void the_question_is_asked_once_and_only_for_scores(void **state)
{
    (void)state;
    start_at("4.59.0");
    for (int i = 0; i < 3; i++)
        send_and_settle(2);
    assert_int_equal(fake_count(rig.server, &rig.server->health_count), 1);
    static const char *const exporters[] = {"otlp", "ingestion"};
    for (int i = 0; i < 2; i++) {
        start_over();
        START(.exporter = exporters[i]);
        send_many(3);
        settle();
        assert_int_equal(fake_count(rig.server, &rig.server->health_count), 0);
    }
}

static void a_list_has_the_bodies_of_the_events_with_their_times(void **state)
{
    (void)state;
    start_at("4.59.0");
    send_and_settle(3);
    const fake_request *request = &rig.server->requests[0];
    assert_true(is_list(request));
    assert_true(fake_header_is(request, "Content-Type", "application/json"));
    assert_true(fake_header_is(request, "Authorization", "Basic cGstbGYtcHVibGljOnNrLWxmLW1vc3Qtc2VjcmV0"));
    assert_string_equal(request->body, "[{\"name\":\"obs-0.\",\"timestamp\":\"2026-11-21T12:00:00.000Z\"},"
                                       "{\"name\":\"obs-1.\",\"timestamp\":\"2026-11-21T12:00:00.000Z\"},"
                                       "{\"name\":\"obs-2.\",\"timestamp\":\"2026-11-21T12:00:00.000Z\"}]");
}

static void what_a_list_s_answer_rejects_is_dropped_and_told_once(void **state)
{
    (void)state;
    start_at("4.59.0");
    rig.reply = (fake_reply){.status = 207,
                             .body = "{\"accepted\":3,\"rejected\":2,\"errors\":[{\"message\":\"no such config\"},"
                                     "{\"message\":\"too long\"}]}"};
    send_and_settle(5);
    assert_int_equal(dropped(LF_DROP_REFUSED), 2);
    assert_int_equal(delivered(), 3);
    assert_int_equal(lines_with("2 of 5 scores refused by http://127.0.0.1"), 1);
    assert_int_equal(lines_with("\"no such config; too long\""), 1);
    send_and_settle(5);
    assert_int_equal(dropped(LF_DROP_REFUSED), 4);
    assert_int_equal(lines_with(""), 1);
    assert_int_equal(requests(), 2);
    assert_int_equal(atomic_load(&rig.counters.retries), 0);
}

static void odd_answers_to_a_list_are_deliveries_unless_they_are_pages(void **state)
{
    (void)state;
    static const fake_reply replies[] = {
        {.status = 202, .body = "{\"message\":\"Accepted\"}"},
        {.status = 200, .body = "{\"id\":\"x\"}"},
        {.status = 204},
        {.status = 207, .body = "{\"accepted\":5"},
        {.status = 207, .body = "{\"rejected\":-3,\"errors\":7}"},
        {.status = 207, .body = "[]"},
    };
    start_at("4.59.0");
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        pthread_mutex_lock(&rig.lock);
        rig.reply = replies[i];
        pthread_mutex_unlock(&rig.lock);
        send_and_settle(2);
        assert_int_equal(delivered(), 2 * (i + 1));
    }
    start_at("4.59.0");
    rig.reply = (fake_reply){.status = 207, .body = "{\"rejected\":1000000}"};
    send_and_settle(2);
    assert_int_equal(dropped(LF_DROP_REFUSED), 2);
    start_at("4.59.0");
    rig.reply = (fake_reply){.status = 202, .body = "<html>Welcome!</html>"};
    send_and_settle(2);
    assert_int_equal(dropped(LF_DROP_REFUSED), 2);
    assert_int_equal(lines_with("something else answers there"), 1);
}

static int refusal; /* what one of the endpoints answers */

static fake_reply refuses_lists(const fake_request *request)
{
    return (fake_reply){.status = is_list(request) ? refusal : 201};
}

static fake_reply refuses_batches(const fake_request *request)
{
    return (fake_reply){.status = is_list(request) ? 202 : refusal};
}

static fake_reply refuses_events(const fake_request *request)
{
    if (is_list(request))
        return (fake_reply){.status = 202};
    return (fake_reply){
        .status = 207,
        .body = "{\"successes\":[],\"errors\":[{\"id\":\"s0\",\"status\":400,\"message\":\"Event type not accepted\"}]}"};
}

static fake_reply refuses_all(const fake_request *request)
{
    (void)request;
    return (fake_reply){.status = 404};
}

static void a_refused_list_goes_to_the_batch_endpoint_from_then_on(void **state)
{
    (void)state;
    static const int statuses[] = {400, 404, 405, 410, 422};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        start_at("4.59.0");
        refusal = statuses[i];
        rig.script = refuses_lists;
        send_and_settle(4);
        send_and_settle(1);
        assert_int_equal(delivered(), 5);
        assert_int_equal(requests(), 3);
        assert_true(request_is_list(0) && !request_is_list(1) && !request_is_list(2));
        assert_non_null(strstr(rig.server->requests[1].body, "{\"batch\":["));
        assert_int_equal(observations_in(&rig.server->requests[1], NULL), 4);
        assert_int_equal(lines_with(""), 0);
    }
}

static void a_batch_endpoint_that_takes_no_scores_makes_them_lists(void **state)
{
    (void)state;
    static const int statuses[] = {404, 405, 410, 207};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        start_at("4.16.0");
        refusal = statuses[i];
        rig.script = refusal == 207 ? refuses_events : refuses_batches;
        send_and_settle(4);
        send_and_settle(1);
        assert_int_equal(delivered(), 5);
        assert_int_equal(requests(), 3);
        assert_true(!request_is_list(0) && request_is_list(1) && request_is_list(2));
        assert_int_equal(lines_with(""), 0);
    }
}

static void scores_that_no_endpoint_takes_are_dropped(void **state)
{
    (void)state;
    static const char *const versions[] = {"4.16.0", "4.59.0"};
    for (int i = 0; i < 2; i++) {
        start_at(versions[i]);
        rig.script = refuses_all;
        send_and_settle(4);
        assert_int_equal(dropped(LF_DROP_REFUSED), 4);
        assert_int_equal(requests(), i == 0 ? 3 : 2);
        assert_int_equal(lines_with("export of scores refused by"), 1);
        send_and_settle(1);
        assert_int_equal(dropped(LF_DROP_REFUSED), 5);
        assert_int_equal(requests(), i == 0 ? 4 : 3);
        assert_int_equal(lines_with(""), 1);
    }
}

static void several_lists_on_their_way_turn_together(void **state)
{
    (void)state;
    start_at("4.59.0");
    send_and_settle(1); /* the answer is known: several go at once */
    refusal = 400;
    pthread_mutex_lock(&rig.lock);
    rig.script = refuses_lists;
    pthread_mutex_unlock(&rig.lock);
    for (int i = 0; i < 3; i++)
        send_scores(2);
    settle();
    assert_int_equal(delivered(), 7);
    for (int n = 0; n < 7; n++)
        assert_true(rig.taken[n] == 1);
}

static void a_list_is_tried_again_as_it_was(void **state)
{
    (void)state;
    static const fake_reply replies[] = {{.status = 429, .headers = "Retry-After: 1\r\n"},
                                         {.status = 500},
                                         {.status = 503},
                                         {.manner = FAKE_RESET_BODY, .body = "{}"}};
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        start_at("4.59.0");
        rig.first = 1;
        rig.first_reply = replies[i];
        send_and_settle(3);
        assert_int_equal(delivered(), 3);
        assert_int_equal(requests(), 2);
        const fake_request *first = &rig.server->requests[0], *second = &rig.server->requests[1];
        assert_true(is_list(first) && is_list(second));
        assert_string_equal(first->body, second->body);
        assert_int_equal(atomic_load(&rig.counters.retries), 1);
        if (i == 0)
            assert_true(second->at_ns - first->at_ns >= 900 * MS);
    }
}

static fake_reply takes_two(const fake_request *request)
{
    return (fake_reply){.status = observations_in(request, NULL) > 2 ? 413 : 202};
}

static void a_list_that_is_too_large_for_the_server_is_halved(void **state)
{
    (void)state;
    start_at("4.59.0");
    rig.script = takes_two;
    send_and_settle(8);
    assert_int_equal(delivered(), 8);
    for (int n = 0; n < requests(); n++)
        assert_true(request_is_list(n));
}

/* With so many bytes of content. */
static void add_score(uint32_t extra)
{
    const lf__record *small = numbered_record(&rig.made, (unsigned)rig.added, (unsigned)rig.added, 0);
    const lf__field field = {.tag = LF__TAG_INPUT, .kind = LF_KIND_STRING, .length = extra};
    char *bytes = calloc(1, small->size + sizeof field + lf__align8(extra));
    memcpy(bytes, small, small->size);
    memcpy(bytes + small->size, &field, sizeof field);
    memset(bytes + small->size + sizeof field, 'x', extra);
    lf__record *record = (lf__record *)(void *)bytes;
    record->size = (uint32_t)(small->size + sizeof field + lf__align8(extra));
    record->kind = LF__RECORD_SCORE;
    add_record(record);
    free(bytes);
}

static void no_list_is_longer_than_a_million_bytes(void **state)
{
    (void)state;
    start_over();
    tell_version("4.59.0");
    rig.kind = LF__EXPORT_SCORES;
    START(.max_batch_bytes = 4000000, .max_event_bytes = 4000000);
    for (int i = 0; i < 40; i++)
        add_score(50000);
    lf__export_send(rig.x);
    settle();
    assert_int_equal(delivered(), 40);
    for (int n = 0; n < requests(); n++)
        assert_true(request_is_list(n) && rig.server->requests[n].body_size <= LF__WIRE_LIST_MAX);
}

static void one_score_of_more_is_dropped_and_the_others_go(void **state)
{
    (void)state;
    start_over();
    tell_version("4.59.0");
    rig.kind = LF__EXPORT_SCORES;
    START(.max_batch_bytes = 4000000, .max_event_bytes = 4000000);
    for (int i = 0; i < 5; i++)
        add_score(i == 3 ? 1000000 : 10);
    lf__export_send(rig.x);
    settle();
    assert_int_equal(delivered(), 4);
    assert_int_equal(dropped(LF_DROP_TOO_LARGE), 1);
    assert_int_equal(lines_with("a score of 100"), 1);
    assert_int_equal(lines_with("does not fit into a request of 1000000 bytes"), 1);
}

static void observations_do_not_wait_for_the_answer(void **state)
{
    (void)state;
    lf__counters others = {0};
    start_over();
    rig.server->health = (fake_reply){.manner = FAKE_HANG};
    START(.timeout_ms = 300000, .exit_timeout_ms = 300000);
    lf__export *scores = lf__export_new(rig.config, LF__EXPORT_SCORES, &rig.transport, &others);
    assert_int_equal(lf__export_add(scores, numbered_record(&rig.made, 1, 1, 0), NULL, 0), LF__ADD_DONE);
    lf__export_send(scores);
    assert_true(lf__export_next_ns(scores) == UINT64_MAX);
    send_many(5);
    settle();
    assert_int_equal(delivered(), 5);
    assert_int_equal(requests(), 1);
    assert_true(lf__export_busy(scores));
    assert_int_equal(atomic_load(&others.requests), 0);
    lf__export_abandon(scores, LF_DROP_SHUTDOWN); /* cuts the question short */
    assert_int_equal(atomic_load(&others.dropped[LF_DROP_SHUTDOWN]), 1);
    lf__export_free(scores);
}

static void an_answer_that_does_not_come_is_waited_for_half_of_the_time_at_exit(void **state)
{
    (void)state;
    start_over();
    rig.server->health = (fake_reply){.manner = FAKE_HANG};
    rig.kind = LF__EXPORT_SCORES;
    START(.timeout_ms = 300000, .exit_timeout_ms = 100);
    send_and_settle(3);
    assert_int_equal(delivered(), 3);
    assert_false(request_is_list(0));
}

static void without_memory_scores_are_counted(void **state)
{
    (void)state;
    for (unsigned long n = 1; n < 60; n++) {
        start_at("4.59.0");
        send_scores(3);
        lf__alloc_fail_from(n);
        for (int i = 0; i < 20; i++)
            work(5);
        lf__alloc_fail_from(0);
        settle();
        assert_int_equal(delivered() + dropped(LF_DROP_NO_MEMORY), 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(lists_go_to_servers_from_4_59_on),
        CASE(the_question_is_asked_once_and_only_for_scores),
        CASE(a_list_has_the_bodies_of_the_events_with_their_times),
        CASE(what_a_list_s_answer_rejects_is_dropped_and_told_once),
        CASE(odd_answers_to_a_list_are_deliveries_unless_they_are_pages),
        CASE(a_refused_list_goes_to_the_batch_endpoint_from_then_on),
        CASE(a_batch_endpoint_that_takes_no_scores_makes_them_lists),
        CASE(scores_that_no_endpoint_takes_are_dropped),
        CASE(several_lists_on_their_way_turn_together),
        CASE(a_list_is_tried_again_as_it_was),
        CASE(a_list_that_is_too_large_for_the_server_is_halved),
        CASE(no_list_is_longer_than_a_million_bytes),
        CASE(one_score_of_more_is_dropped_and_the_others_go),
        CASE(observations_do_not_wait_for_the_answer),
        CASE(an_answer_that_does_not_come_is_waited_for_half_of_the_time_at_exit),
        CASE(without_memory_scores_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
