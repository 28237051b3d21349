/* Deliveries to the batch endpoint, whose answer has a verdict on each event. */
#define _GNU_SOURCE
#include "export_rig.h"

static void scores_and_the_ingestion_exporter_use_the_batch_endpoint(void **state)
{
    (void)state;
    for (int round = 0; round < 2; round++) {
        start_over();
        rig.verdict = all_good;
        rig.kind = round == 0 ? LF__EXPORT_OBSERVATIONS : LF__EXPORT_SCORES;
        START(.exporter = round == 0 ? "ingestion" : "otlp", .protocol = "http/protobuf");
        add_roots(3);
        lf__export_send(rig.x);
        settle();
        const fake_request *request = &rig.server->requests[0];
        assert_ptr_equal(strstr(request->head, "POST /api/public/ingestion HTTP/1.1\r\n"), request->head);
        assert_true(fake_header_is(request, "Content-Type", "application/json"));
        cJSON *json = cJSON_ParseWithLength(request->body, request->body_size);
        assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(json, "batch")), 6);
        cJSON_Delete(json);
        assert_int_equal(delivered(), 3);
        assert_int_equal(lines_with("first export accepted"), round == 0);
        assert_int_equal(lines_with(""), round == 0);
    }
}

/* Over the batch endpoint scores and updates of traces travel with the observations: what is told must not call them so. */
static void what_was_accepted_first_is_called_what_it_is(void **state)
{
    (void)state;
    for (int batches = 0; batches < 2; batches++) {
        start_over();
        rig.verdict = batches ? all_good : NULL;
        START(.exporter = batches ? "ingestion" : "otlp", .debug = LF_ON);
        if (batches)
            send_scores(1);
        else
            send_many(1);
        settle();
        assert_int_equal(delivered(), 1);
        assert_int_equal(lines_with("(1 record)"), batches);
        assert_int_equal(lines_with("export of 1 record:"), batches);
        assert_int_equal(lines_with("(1 observation)"), !batches);
        assert_int_equal(lines_with("export of 1 observation:"), !batches);
        send_many(2);
        settle();
        assert_int_equal(lines_with(batches ? "export of 2 records:" : "export of 2 observations:"), 1);
    }
}

static void refused_scores_and_unreachable_servers_are_told(void **state)
{
    (void)state;
    rig.reply = (fake_reply){.status = 401, .body = "{\"message\":\"who?\"}"};
    start_scores();
    send_scores(3);
    settle();
    assert_int_equal(dropped(LF_DROP_REFUSED), 3);
    assert_int_equal(lines_with("export of scores refused by "), 1);
    start_over();
    rig.first = 1;
    rig.first_reply = (fake_reply){.manner = FAKE_RESET_BODY, .body = "{}"};
    start_scores();
    send_scores(3);
    settle();
    assert_int_equal(delivered(), 3);
    assert_int_equal(lines_with("cannot deliver scores to "), 1);
    assert_int_equal(lines_with(""), 1);
}

static void refused_events_are_dropped_the_others_delivered(void **state)
{
    (void)state;
    rig.verdict = every_third_is_bad;
    rig.detail =
        "[{\"code\":\"too_small\",\"path\":[\"body\",\"name\"],\"message\":\"Too small: expected string, received 'my secret'\"}]";
    start_scores();
    send_scores(30);
    settle();
    assert_int_equal(dropped(LF_DROP_REFUSED), 10);
    assert_int_equal(delivered(), 20);
    assert_int_equal(atomic_load(&rig.counters.requests), 1);
    for (int n = 0; n < 30; n++)
        assert_int_equal(rig.taken[n], n % 3 != 0);
    assert_int_equal(lines_with(""), 1);
    assert_int_equal(lines_with("score-create refused by http://127.0.0.1"), 1);
    assert_int_equal(lines_with("HTTP 400 \"Invalid request data: body.name: Too small: expected string\""), 1);
    assert_int_equal(lines_with("my secret"), 0);
    assert_true(atomic_load(&rig.counters.last_success_ns) > 0);
}

static void a_batch_refused_as_a_whole_event_by_event_is_no_success(void **state)
{
    (void)state;
    rig.verdict = every_third_is_bad;
    START(.exporter = "ingestion");
    send_many(1);
    settle();
    assert_int_equal(dropped(LF_DROP_REFUSED), 1);
    assert_int_equal(delivered(), 0);
    assert_int_equal(lines_with("first export accepted"), 0);
    assert_int_equal(atomic_load(&rig.counters.last_success_ns), 0);
}

static void events_that_may_be_tried_again_are_sent_again_alone(void **state)
{
    (void)state;
    memset(rig.tries, 0, sizeof rig.tries);
    rig.verdict = busy_for_some;
    START(.exporter = "ingestion");
    send_many(60);
    settle();
    assert_int_equal(delivered(), 50);
    assert_int_equal(dropped(LF_DROP_REFUSED), 10);
    for (int n = 0; n < 60; n++) {
        assert_int_equal(rig.taken[n], n % 6 != 5);
        assert_int_equal(rig.tries[n], n % 6 == 0 || n % 6 == 5 ? 1 : 3);
    }
    assert_int_equal(atomic_load(&rig.counters.requests), 3);
    assert_int_equal(atomic_load(&rig.counters.retries), 2);
    assert_int_equal(observations_in(&rig.server->requests[1], NULL), 40);
    cJSON *json = cJSON_ParseWithLength(rig.server->requests[1].body, rig.server->requests[1].body_size);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(json, "batch")), 40);
    cJSON_Delete(json);
}

static int always_busy(unsigned n, const char *type)
{
    (void)type;
    return n % 2 == 0 ? 503 : 201;
}

static void events_that_stay_undeliverable_are_given_up_and_counted(void **state)
{
    (void)state;
    rig.verdict = always_busy;
    START(.exporter = "ingestion");
    lf__export_tune(rig.x, (lf__export_times){2 * MS, 20 * MS, 500 * MS});
    send_many(20);
    settle();
    assert_int_equal(delivered(), 10);
    assert_int_equal(dropped(LF_DROP_UNREACHABLE), 10);
}

/* Of the two events of a root: the trace's is refused (1), busy once (2), both are refused (3), one is busy, one refused (4, 5). */
static int roots_of_all_kinds(unsigned n, const char *type)
{
    bool of_trace = type[0] == 't';
    if (n == 1)
        return of_trace ? 400 : 201;
    if (n == 2)
        return of_trace && rig.tries[n]++ == 0 ? 500 : 201;
    if (n == 3)
        return 400;
    if (n == 4)
        return of_trace ? 500 : 400;
    if (n == 5)
        return of_trace ? 400 : 500;
    return 201;
}

static void an_item_of_two_events_has_one_outcome(void **state)
{
    (void)state;
    memset(rig.tries, 0, sizeof rig.tries);
    rig.verdict = roots_of_all_kinds;
    START(.exporter = "ingestion");
    add_roots(6);
    lf__export_send(rig.x);
    settle();
    assert_int_equal(delivered(), 2); /* 0, 2 */
    assert_int_equal(dropped(LF_DROP_REFUSED), 4);
    assert_int_equal(rig.taken[2], 2); /* its two events together, twice: the server knows them by their ids */
    assert_int_equal(atomic_load(&rig.counters.requests), 2);
}

static void answers_that_say_nothing_of_an_event_count_it_as_delivered(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "",
        "Welcome! [{\"id\":\"s1\",\"status\":400}]",
        "{\"successes\":[],\"errors\":[]}",
        "{\"successes\":[],\"errors\":[{\"id\":\"unknown\",\"status\":400,\"message\":\"m\"}]}",
        "{\"errors\":[{\"id\":\"s1\"},{\"status\":400},{\"id\":7,\"status\":400},{\"id\":\"s1\",\"status\":\"400\"},7,null]}",
        "{\"errors\":[{\"id\":\"\",\"status\":400},{\"id\":\"s\",\"status\":400},{\"id\":\"s11\",\"status\":400}]}",
        "{\"errors\":{\"id\":\"s1\",\"status\":400}}",
        "{\"errors\":[{\"id\":\"s1\",\"sta",
        "{\"errors\":[{\"id\":\"s1\",\"status\":400,\"message\":\"what was sent",
        "]]]]}}}}\"",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        start_over();
        rig.reply = (fake_reply){.status = 207, .body = bodies[i]};
        START(.exporter = "ingestion");
        send_many(10);
        settle();
        if (delivered() != 10)
            fail_msg("%s", bodies[i]);
    }
    /* And with blanks, other members and another order it is understood. */
    rig.reply.body =
        " { \"more\" : {\"a\":[{\"id\":\"s1\"}]}, \"errors\" : [ { \"status\" : 400 , \"id\" : \"s12\" } ] ,\"successes\":[]}";
    send_many(10);
    settle();
    assert_int_equal(dropped(LF_DROP_REFUSED), 1);
    assert_int_equal(delivered(), 19);
}

static void content_that_looks_like_an_event_is_none(void **state)
{
    (void)state;
    rig.reply = (fake_reply){.status = 207, .body = "{\"errors\":[{\"id\":\"s7\",\"status\":400},{\"id\":\"s2\",\"status\":503}]}"};
    START(.exporter = "ingestion");
    for (unsigned n = 0; n < 3; n++) {
        numbered_record(&rig.made, n, n, 0);
        builder_json(&rig.made, LF__TAG_INPUT, "[{\"id\":\"s7\",\"type\":\"x\"},\"}]{\\\"\",{\"id\":\"s2\",\"type\":\"x\"}]");
        add_record(&rig.made.as.record);
    }
    lf__export_send(rig.x);
    while (delivered() == 0)
        work(10);
    assert_int_equal(lf__export_oldest(rig.x), 2);
    pthread_mutex_lock(&rig.lock);
    rig.reply = (fake_reply){0};
    pthread_mutex_unlock(&rig.lock);
    settle();
    assert_int_equal(delivered(), 3);
    const fake_request *last = &rig.server->requests[rig.server->request_count - 1];
    assert_int_equal(observations_in(last, NULL), 1);
    assert_non_null(strstr(last->body, "obs-2."));
}

static void each_distinct_reason_is_told_once_and_not_more_than_eight(void **state)
{
    (void)state;
    rig.verdict = every_third_is_bad;
    rig.detail = "reason %u: a control\x01 character";
    START(.exporter = "ingestion");
    send_many(9); /* 0, 3, 6 */
    settle();
    assert_int_equal(lines_with("span-create refused"), 3);
    for (int i = 0; i < 10; i++)
        send_many(3);
    settle();
    assert_int_equal(dropped(LF_DROP_REFUSED), 13);
    assert_int_equal(lines_with("span-create refused"), 8);
}

static int all_bad(unsigned n, const char *type)
{
    (void)n;
    (void)type;
    return 400;
}

static void a_secret_that_the_server_repeats_is_not_told(void **state)
{
    (void)state;
    for (int before = 160; before < 200; before++) { /* the quote ends within the key */
        start_over();
        rig.reply = (fake_reply){.status = 400, .body = fake_text("%0*d%s", before, 0, "sk-lf-most-secret")};
        START(.timeout_ms = 0);
        send_many(1);
        settle();
        assert_int_equal(lines_with("HTTP 400"), 1);
        assert_int_equal(lines_with("sk-lf-mo"), 0);
    }
    start_over();
    rig.verdict = all_bad;
    rig.message = "bad key sk-lf-most-secret";
    rig.detail = "you sent cGstbGYtcHVibGljOnNrLWxmLW1vc3Qtc2VjcmV0 or sk-lf-other";
    START(.exporter = "ingestion");
    send_many(1);
    settle();
    assert_int_equal(lines_with("\"bad key (secret): "), 1);
    assert_int_equal(lines_with("you sent (secret) or (secret)\""), 1);
}

static void the_answer_to_the_largest_batch_is_read_to_its_end(void **state)
{
    (void)state;
    rig.verdict = all_bad;
    rig.detail = "Event type \"trace-create\" is not accepted";
    rig.detail_size = 900;
    START(.exporter = "ingestion", .max_batch_bytes = 4000000);
    add_roots(1200);
    lf__export_send(rig.x);
    settle();
    assert_int_equal(dropped(LF_DROP_REFUSED), 1200);
    assert_int_equal(atomic_load(&rig.counters.requests), 3);
}

static void of_an_answer_that_is_too_long_the_beginning_counts(void **state)
{
    (void)state;
    enum { SIZE = 3 << 20 };
    char *body = malloc(SIZE + 1);
    memset(body, ' ', SIZE);
    body[SIZE] = '\0';
    static const char first[] = "{\"errors\":[{\"id\":\"s1\",\"status\":400}", last[] = ",{\"id\":\"s2\",\"status\":400}]}";
    memcpy(body, first, sizeof first - 1);
    memcpy(body + SIZE - (sizeof last - 1), last, sizeof last - 1);
    rig.reply = (fake_reply){.status = 207, .body = body, .body_size = SIZE};
    START(.exporter = "ingestion");
    send_many(4);
    settle();
    assert_int_equal(dropped(LF_DROP_REFUSED), 1);
    assert_int_equal(delivered(), 3);
    pthread_mutex_lock(&rig.lock);
    rig.made_bodies[rig.made_count++] = body; /* it may still be on its way */
    pthread_mutex_unlock(&rig.lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_was_accepted_first_is_called_what_it_is),
        CASE(scores_and_the_ingestion_exporter_use_the_batch_endpoint),
        CASE(refused_scores_and_unreachable_servers_are_told),
        CASE(refused_events_are_dropped_the_others_delivered),
        CASE(a_batch_refused_as_a_whole_event_by_event_is_no_success),
        CASE(events_that_may_be_tried_again_are_sent_again_alone),
        CASE(events_that_stay_undeliverable_are_given_up_and_counted),
        CASE(an_item_of_two_events_has_one_outcome),
        CASE(answers_that_say_nothing_of_an_event_count_it_as_delivered),
        CASE(content_that_looks_like_an_event_is_none),
        CASE(each_distinct_reason_is_told_once_and_not_more_than_eight),
        CASE(a_secret_that_the_server_repeats_is_not_told),
        CASE(the_answer_to_the_largest_batch_is_read_to_its_end),
        CASE(of_an_answer_that_is_too_long_the_beginning_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
