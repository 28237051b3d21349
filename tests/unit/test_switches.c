/* lf_set_tracing, and the counters as a Prometheus server reads them. */
#include "core_harness.h"
#include "fake_server.h"

#include "../../langfuse/prompt.h"
#include "../../langfuse/score.h"

static NOINLINE int leaf(int n)
{
    OBSERVE(n);
    OBSERVE_RETURN(n + 1);
}

/* ---- Tracing on and off ------------------------------------------------------------------------------------------------ */

TEST(while_tracing_is_off_nothing_begins)
{
    start();
    leaf(1);
    lf_set_tracing(false);
    CHECK_INT(leaf(2), 3);
    CHECK(lf_start_observation(.name = "handle") == NULL);
    CHECK_INT(lf_create_score(.name = "s", .value = 1, .trace_id = "t"), LF_ERR_DISABLED);
    lf_update_current_trace(.name = "t");
    {
        OBSERVE_ATTRIBUTES(.user_id = "u");
        OBSERVE_CONTEXT(NULL);
        lf_create_event(.name = "event");
        OBSERVE_CALL(leaf, 3);
    }
    lf_set_tracing(true);
    leaf(4);
    collect();
    CHECK_INT(span_count, 2);
    CHECK_SAID(nth_named("leaf", 0), "input", "{\"n\":1}");
    CHECK_SAID(nth_named("leaf", 1), "input", "{\"n\":4}");
    CHECK_INT(stats_now().accepted, 2);
    CHECK_INT(stats_now().misused, 0);
}

static NOINLINE int switches_off(int n)
{
    OBSERVE(n);
    lf_set_tracing(false);
    lf_update_current_observation(.model = "not recorded");
    OBSERVE_RETURN(n);
}

TEST(what_is_open_ends_and_is_sent)
{
    start();
    lf_observation *handle = lf_start_observation(.name = "handle"), *other = lf_start_observation(.name = "other");
    switches_off(1);
    lf_observation_update(handle, .model = "not recorded");
    lf_observation_end(handle, .output = LF_VALUE("at the end"));
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
    CHECK_INT(stats_now().delivered, 2);
    lf_set_tracing(true);
    lf_observation_update(other, .model = "recorded");
    lf_observation_end(other);
    collect();
    CHECK_SAID(span_named("switches_off"), "input", "{\"n\":1}");
    CHECK_SAID(span_named("switches_off"), "model.name", "");
    CHECK_SAID(span_named("switches_off"), "metadata.incomplete", "");
    CHECK_SAID(span_named("handle"), "model.name", "");
    CHECK_SAID(span_named("other"), "model.name", "recorded");
    CHECK_INT(stats_now().misused, 0);
    CHECK_INT(stats_now().open, 0);
}

TEST(capture_comes_back_as_it_was)
{
    lf_options options = to_file(harness_path);
    options.capture_io = LF_OFF;
    CHECK_INT(lf_init(&options), LF_OK);
    lf_set_tracing(false);
    lf_set_tracing(false);
    lf_set_tracing(true);
    lf_set_tracing(true);
    leaf(1);
    collect();
    CHECK_SAID(span_named("leaf"), "input", "");
}

TEST(before_the_start_and_after_the_end_it_means_nothing)
{
    lf_set_tracing(false);
    lf_set_tracing(true);
    start();
    leaf(1);
    lf_set_tracing(false);
    CHECK_INT(lf_shutdown(HARNESS_WAIT_MS), LF_OK);
    lf_set_tracing(true);
    leaf(2);
    start(); /* anew, and on */
    leaf(3);
    collect();
    CHECK_INT(span_count, 2);
}

static _Atomic bool over;

static void *switches(void *unused)
{
    for (bool on = false; !over; on = !on)
        lf_set_tracing(on);
    return unused;
}

TEST(another_thread_may_switch_at_any_moment)
{
    start();
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, switches, NULL) == 0);
    for (int i = 0; i < 20000; i++) {
        leaf(i);
        lf_observation *o = lf_start_observation(.name = "o");
        lf_observation_end(o);
    }
    over = true;
    pthread_join(thread, NULL);
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
    lf_stats stats = stats_now();
    CHECK_INT(stats.accepted, stats.delivered + stats.dropped_total);
    CHECK_INT(stats.open, 0);
    CHECK_INT(stats.misused, 0);
}

/* ---- The counters as text ---------------------------------------------------------------------------------------------- */

static double number_of(const char *text, const char *name)
{
    char line[100];
    snprintf(line, sizeof line, "\n%s ", name);
    const char *at = strstr(text, line);
    CHECK(at != NULL);
    return strtod(at + strlen(line), NULL);
}

TEST(the_text_has_every_counter)
{
    start();
    for (int i = 0; i < 5; i++)
        leaf(i);
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
    lf_observation *o = lf_start_observation(.name = "open");
    char text[4096];
    int size = lf_stats_prometheus(text, sizeof text);
    CHECK_INT(size, strlen(text));
    CHECK_INT(number_of(text, "langfuse_accepted_total"), 5);
    CHECK_INT(number_of(text, "langfuse_delivered_total"), 5);
    CHECK_INT(number_of(text, "langfuse_open"), 1);
    CHECK_INT(number_of(text, "langfuse_queued"), 0);
    CHECK_INT(number_of(text, "langfuse_dropped_total{reason=\"queue_full\"}"), 0);
    CHECK_INT(number_of(text, "langfuse_dropped_total{reason=\"too_deep\"}"), 0);
    CHECK(number_of(text, "langfuse_last_success_timestamp_seconds") > 1.7e9);
    lf_observation_end(o);
}

TEST(a_text_that_has_no_room_is_cut_and_its_length_told)
{
    start();
    int size = lf_stats_prometheus(NULL, 0);
    CHECK(size > 100 && size < 4096);
    char text[4096], cut[4096];
    CHECK_INT(lf_stats_prometheus(text, sizeof text), size);
    for (int room = 0; room <= size + 1; room++) {
        memset(cut, '#', sizeof cut);
        CHECK_INT(lf_stats_prometheus(cut, (size_t)room), size);
        CHECK(cut[room] == '#');
        if (room > 0)
            CHECK(strlen(cut) == (size_t)(room <= size ? room - 1 : size) && strncmp(cut, text, strlen(cut)) == 0);
    }
}

static fake_reply refuse(fake_server *server, const fake_request *request)
{
    (void)server, (void)request;
    return (fake_reply){.status = 400, .body = "{}"};
}

TEST(losses_are_told_by_their_reason)
{
    fake_server *server = fake_server_start(refuse, NULL);
    lf_options options = to_server(server->url);
    CHECK_INT(lf_init(&options), LF_OK);
    leaf(1);
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_ERR_LOST);
    char text[4096];
    lf_stats_prometheus(text, sizeof text);
    CHECK_INT(number_of(text, "langfuse_dropped_total{reason=\"refused\"}"), 1);
    CHECK_INT(number_of(text, "langfuse_requests_total"), 1);
    CHECK_INT(number_of(text, "langfuse_last_success_timestamp_seconds"), 0);
    fake_server_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(while_tracing_is_off_nothing_begins),
        cmocka_unit_test(what_is_open_ends_and_is_sent),
        cmocka_unit_test(capture_comes_back_as_it_was),
        cmocka_unit_test(before_the_start_and_after_the_end_it_means_nothing),
        cmocka_unit_test(another_thread_may_switch_at_any_moment),
        cmocka_unit_test(the_text_has_every_counter),
        cmocka_unit_test(a_text_that_has_no_room_is_cut_and_its_length_told),
        cmocka_unit_test(losses_are_told_by_their_reason),
    };
    return cmocka_run_group_tests_name("switches", tests, NULL, NULL);
}
