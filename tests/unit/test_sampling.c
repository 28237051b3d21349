/* Sampling: whole traces, by id, decided once, followed by all that belongs to the trace. */
#include "cases.h"

#include "../../src/base/clients.h"

static NOINLINE void leaf(void)
{
    OBSERVE();
}

static NOINLINE void whole_trace(void)
{
    OBSERVE();
    leaf();
    lf_observation_end(lf_start_observation(.name = "handle"));
    lf_create_event(.name = "moment");
    lf_update_current_trace(.user_id = "u");
    lf_score_current_trace(.name = "score", .value = 1);
    lf_score_current_observation(.name = "score", .value = 1);
}

static void start_with_rate(double rate)
{
    lf_options options = quiet_file();
    options.sample_rate = rate;
    CHECK_INT(lf_init(&options), LF_OK);
}

/* Python: test_sampling, test_zero_sample_rate_parameter_is_preserved; v2: test_create_trace_sampling_zero */
TEST(at_rate_zero_nothing_is_kept_and_nothing_counted)
{
    setenv("LANGFUSE_SAMPLE_RATE", "1.0", 1); /* the option wins */
    start_with_rate(LF_SAMPLE_NONE);
    for (int i = 0; i < 50; i++)
        whole_trace();
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
    check_all_delivered(0);
    CHECK_INT(stats_now().misused, 0);
    CHECK(access(harness_path, F_OK) != 0);
}

TEST(at_rate_one_everything_is_kept)
{
    start_with_rate(1.0);
    for (int i = 0; i < 50; i++)
        whole_trace();
    collect();
    CHECK_INT(span_count, 50 * 4);
    check_all_delivered(50 * 6);
}

/* Python v2: test_deterministic_sample_50_percent_rate */
TEST(at_rate_one_half_whole_traces_are_kept_with_their_scores)
{
    enum { TRACES = 400 };
    start_with_rate(0.5);
    for (int i = 0; i < TRACES; i++)
        whole_trace();
    collect();
    size_t kept = count_named("whole_trace");
    CHECK(kept > TRACES / 4 && kept < TRACES * 3 / 4);
    CHECK_INT(count_named("leaf"), kept);
    CHECK_INT(count_named("handle"), kept);
    CHECK_INT(count_named("moment"), kept);
    collect_scores();
    CHECK_INT(event_count, 2 * kept);
    for (size_t i = 0; i < event_count; i++) {
        bool found = false;
        for (size_t j = 0; j < span_count && !found; j++)
            found = strcmp(trace_of(spans[j]), member(body_of(events[i]), "traceId")) == 0;
        CHECK(found);
    }
    check_all_delivered(kept * 6);
}

static const struct {
    const char *trace_id;
    bool at_half;
} decisions[] = {
    {"ffffffffffffffff0000000000000001", true}, /* only the low half counts, as in OpenTelemetry */
    {"00000000000000007fffffffffffffff", true},
    {"00000000000000008000000000000000", false},
    {"0000000000000000ffffffffffffffff", false},
};

TEST(all_processes_decide_alike_by_the_low_half_of_the_id)
{
    start_with_rate(0.5);
    for (size_t i = 0; i < 4; i++) {
        char name[16];
        snprintf(name, sizeof name, "o%zu", i);
        lf_observation_end(lf_start_observation(.name = name, .trace_id = decisions[i].trace_id));
        snprintf(name, sizeof name, "w%zu", i);
        OBSERVE_WITH((.name = name, .trace_id = decisions[i].trace_id));
    }
    collect();
    for (size_t i = 0; i < 4; i++) {
        char name[16];
        snprintf(name, sizeof name, "o%zu", i);
        CHECK_INT(count_named(name), decisions[i].at_half);
        snprintf(name, sizeof name, "w%zu", i);
        CHECK_INT(count_named(name), decisions[i].at_half);
    }
}

TEST(a_trace_is_kept_by_the_low_half_of_its_id)
{
    const uint64_t half = (uint64_t)1 << 63;
    uint8_t id[16];
    memset(id, 0xff, sizeof id);
    atomic_store(&lf__client_threshold[1], half);
    CHECK(!lf__client_keeps(1, id));
    id[8] = 0x7f;
    CHECK(lf__client_keeps(1, id));
    memset(id, 0, sizeof id);
    id[8] = 0x80; /* exactly the threshold */
    CHECK(!lf__client_keeps(1, id));
    atomic_store(&lf__client_threshold[1], half + 1);
    CHECK(lf__client_keeps(1, id));
    id[15] = 1;
    CHECK(!lf__client_keeps(1, id));
    memset(id, 0xff, sizeof id);
    atomic_store(&lf__client_threshold[1], UINT64_MAX);
    CHECK(lf__client_keeps(1, id));
    memset(id, 0, sizeof id);
    atomic_store(&lf__client_threshold[1], 0);
    CHECK(!lf__client_keeps(1, id));
}

TEST(a_score_by_trace_id_follows_the_trace)
{
    start_with_rate(0.5);
    for (size_t i = 0; i < 4; i++) {
        char name[16];
        snprintf(name, sizeof name, "s%zu", i);
        CHECK_INT(lf_create_score(.name = name, .value = 1, .trace_id = decisions[i].trace_id), LF_OK);
    }
    collect_scores();
    for (size_t i = 0; i < 4; i++) {
        char name[16];
        snprintf(name, sizeof name, "s%zu", i);
        CHECK_INT(count_scores(name), decisions[i].at_half);
    }
    check_all_delivered(2);
}

TEST(a_score_of_a_handle_follows_its_trace)
{
    start_with_rate(0.5);
    for (size_t i = 0; i < 4; i++) {
        lf_observation *o = lf_start_observation(.name = "o", .trace_id = decisions[i].trace_id);
        CHECK_INT(lf_create_score(.name = "open", .value = 1, .observation = o), LF_OK);
        lf_observation_end(o);
        CHECK_INT(lf_create_score(.name = "ended", .value = 1, .observation = o), LF_OK);
    }
    collect_scores();
    CHECK_INT(count_scores("open"), 2);
    CHECK_INT(count_scores("ended"), 2);
    check_all_delivered(6);
}

TEST(a_score_of_a_session_is_of_no_trace_and_is_kept)
{
    start_with_rate(LF_SAMPLE_NONE);
    CHECK_INT(lf_create_score(.name = "s", .value = 1, .session_id = "session"), LF_OK);
    CHECK_INT(lf_create_score(.name = "r", .value = 1, .dataset_run_id = "run"), LF_OK);
    collect_scores();
    CHECK_MEMBER(score_named("s"), "sessionId", "session");
    CHECK_MEMBER(score_named("r"), "datasetRunId", "run");
}

static NOINLINE void updates_what_is_not_kept(void)
{
    OBSERVE();
    char id[LF_TRACE_ID_SIZE];
    CHECK(lf_current_trace_id(id)); /* there is a place nevertheless */
    lf_update_current_observation(.output = LF_VALUE("x"));
    lf_output_append("x", 1);
    OBSERVE_OUTPUT("x");
    OBSERVE_ERROR("x");
    OBSERVE_ATTRIBUTES(.user_id = "u");
    leaf();
    lf_observation *o = lf_start_as_current_observation(.name = "o", .input = LF_VALUE("x"));
    lf_observation_update(o, .output = LF_VALUE("x"));
    lf_observation_output_append(o, "x", 1);
    lf_update_current_observation(.output = LF_VALUE("x"));
    leaf();
    lf_observation_end(o);
}

TEST(everything_may_be_said_of_a_trace_that_is_not_kept)
{
    start_with_rate(LF_SAMPLE_NONE);
    for (int i = 0; i < 100; i++)
        updates_what_is_not_kept();
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
    check_all_delivered(0);
    CHECK_INT(stats_now().misused, 0);
}

static int argument_reads;

static const char *read_argument(void)
{
    argument_reads++;
    return "x";
}

TEST(arguments_of_what_is_not_kept_are_evaluated_at_most_once)
{
    start_with_rate(LF_SAMPLE_NONE);
    {
        OBSERVE(read_argument());
    }
    CHECK(argument_reads <= 1);
}

static void *leaf_and_handle(void *handle)
{
    leaf();
    lf_observation_end(lf_start_observation(.name = "child", .parent = (lf_observation *)handle));
    return NULL;
}

TEST(other_threads_and_contexts_follow)
{
    start_with_rate(0.5);
    for (size_t i = 0; i < 4; i++) {
        lf_observation *o = lf_start_as_current_observation(.name = "o", .trace_id = decisions[i].trace_id);
        pthread_t thread;
        CHECK_INT(lf_thread_create(&thread, NULL, leaf_and_handle, o), 0);
        pthread_join(thread, NULL);
        lf_context *context = lf_context_copy();
        lf_observation_end(o);
        lf_context_run(context, leaf_and_handle, o);
        lf_context_free(context);
    }
    collect();
    CHECK_INT(count_named("o"), 2);
    CHECK_INT(count_named("leaf"), 4);
    CHECK_INT(count_named("child"), 4);
    check_all_delivered(10);
}

TEST(a_trace_that_is_kept_inside_one_that_is_not)
{
    start_with_rate(0.5);
    {
        OBSERVE_WITH((.name = "not", .trace_id = decisions[3].trace_id));
        leaf();
        {
            OBSERVE_WITH((.name = "kept", .trace_id = decisions[0].trace_id));
            leaf();
            OBSERVE_OUTPUT("kept's");
        }
        OBSERVE_OUTPUT("nobody's");
        leaf();
    }
    collect();
    CHECK_INT(span_count, 2);
    CHECK_CHILD(span_named("leaf"), span_named("kept"));
    CHECK_ROOT(span_named("kept"));
    CHECK_SAID(span_named("kept"), "output", "kept's");
    check_all_delivered(2);
}

/* ---- Decided elsewhere -------------------------------------------------------------------------------------------------- */

static const char *header(void *parent, const char *name)
{
    return strcmp(name, "traceparent") == 0 ? parent : NULL;
}

static void serve(const char *traceparent)
{
    lf_context *context = lf_extract(header, (void *)(uintptr_t)traceparent);
    CHECK(context != NULL);
    OBSERVE_CONTEXT(context);
    lf_context_free(context);
    whole_trace();
}

TEST(the_senders_decision_counts_against_a_rate_of_zero)
{
    start_with_rate(LF_SAMPLE_NONE);
    serve("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    serve("00-4bf92f3577b34da6a3ce929d0e0e4737-00f067aa0ba902b7-00");
    collect();
    CHECK_INT(span_count, 4);
    CHECK_TEXT(parent_of(span_named("whole_trace")), "00f067aa0ba902b7");
    CHECK_TEXT(trace_of(span_named("leaf")), "4bf92f3577b34da6a3ce929d0e0e4736");
    check_all_delivered(6);
}

TEST(the_senders_decision_counts_against_a_rate_of_one)
{
    start();
    serve("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00");
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
    check_all_delivered(0);
}

static void remember_flags(void *flags, const char *name, const char *value)
{
    if (strcmp(name, "traceparent") == 0)
        snprintf(flags, 3, "%s", value + 53);
}

TEST(the_decision_is_passed_on)
{
    char flags[3] = "";
    start_with_rate(0.5);
    for (size_t i = 0; i < 4; i++) {
        OBSERVE_WITH((.name = "o", .trace_id = decisions[i].trace_id));
        lf_inject(remember_flags, flags);
        CHECK_TEXT(flags, decisions[i].at_half ? "01" : "00");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_rate_zero_nothing_is_kept_and_nothing_counted),
        cmocka_unit_test(at_rate_one_everything_is_kept),
        cmocka_unit_test(at_rate_one_half_whole_traces_are_kept_with_their_scores),
        cmocka_unit_test(all_processes_decide_alike_by_the_low_half_of_the_id),
        cmocka_unit_test(a_trace_is_kept_by_the_low_half_of_its_id),
        cmocka_unit_test(a_score_by_trace_id_follows_the_trace),
        cmocka_unit_test(a_score_of_a_handle_follows_its_trace),
        cmocka_unit_test(a_score_of_a_session_is_of_no_trace_and_is_kept),
        cmocka_unit_test(everything_may_be_said_of_a_trace_that_is_not_kept),
        cmocka_unit_test(arguments_of_what_is_not_kept_are_evaluated_at_most_once),
        cmocka_unit_test(other_threads_and_contexts_follow),
        cmocka_unit_test(a_trace_that_is_kept_inside_one_that_is_not),
        cmocka_unit_test(the_senders_decision_counts_against_a_rate_of_zero),
        cmocka_unit_test(the_senders_decision_counts_against_a_rate_of_one),
        cmocka_unit_test(the_decision_is_passed_on),
    };
    return cmocka_run_group_tests_name("sampling", tests, NULL, NULL);
}
