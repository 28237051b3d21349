/* Options that are rates, switches and numbers: which of them wins, and what a bad value leads to. */
#include "config_cases.h"

#include <limits.h>
#include <math.h>

/* ---- Sampling ---- */

static const uint64_t HALF = (uint64_t)1 << 63;

static void sample_rates_become_thresholds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t threshold;
    } cases[] = {{"1", UINT64_MAX},
                 {"1.0", UINT64_MAX},
                 {"1.", UINT64_MAX},
                 {"0", 0},
                 {"0.0", 0},
                 {".5", (uint64_t)1 << 63},
                 {"0.5", (uint64_t)1 << 63},
                 {"0000.25", (uint64_t)1 << 62},
                 {"0.1", 1844674407370955264u}, /* Python: round(0.1 * 2**64) */
                 {"0.333333333333333333333333333", 6148914691236516864u},
                 {"0.9999999999999999", 18446744073709549568u},
                 {"0.00000000000000000005", 1},
                 {"0.00000000000000000001", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setenv("LANGFUSE_SAMPLE_RATE", cases[i].text, 1);
        lf__config *config = MAKE(.timeout_ms = 0);
        if (config->sample_threshold != cases[i].threshold || lines_with("") != 0)
            fail_msg("%s: %llu", cases[i].text, (unsigned long long)config->sample_threshold);
        lf__config_free(config);
    }
}

static void a_bad_sample_rate_keeps_every_trace_and_says_so(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "2", "1.01", "-0.5", "0,5", "half", "1e-3", ".", "0.5x", "0.5.", "1.2.3", " 0.5", "99999999999999999999", "nan"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        setenv("LANGFUSE_SAMPLE_RATE", bad[i], 1);
        lf__config *config = MAKE(.timeout_ms = 0);
        assert_true(config->sample_threshold == UINT64_MAX);
        assert_true(config->enabled);
        ASSERT_ONE_LINE("LANGFUSE_SAMPLE_RATE=", bad[i], "keeping every trace");
        lf__config_free(config);
    }
    unsetenv("LANGFUSE_SAMPLE_RATE");
    const double options[] = {-0.5, 1.5, NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        lf__config *config = MAKE(.sample_rate = options[i]);
        assert_true(config->sample_threshold == UINT64_MAX);
        ASSERT_ONE_LINE("option sample_rate", "keeping every trace");
        lf__config_free(config);
    }
}

static void the_sample_rate_option_wins(void **state)
{
    (void)state;
    setenv("LANGFUSE_SAMPLE_RATE", "0.25", 1);
    const struct {
        double option;
        uint64_t threshold;
    } cases[] = {{0, HALF / 2},
                 {0.5, HALF},
                 {1, UINT64_MAX},
                 {LF_SAMPLE_NONE, 0},
                 {1e-30, 0},
                 {1.5 / 18446744073709551616.0, 2},
                 {2.5 / 18446744073709551616.0, 2}}; /* halves to even */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lf__config *config = MAKE(.sample_rate = cases[i].option);
        assert_true(config->sample_threshold == cases[i].threshold);
        assert_int_equal(lines_with(""), 0);
        lf__config_free(config);
    }
}

/* ---- Switches ---- */

typedef struct switch_case {
    const char *variable;
    size_t option; /* offset in lf_options; 0: none */
    size_t field;  /* offset in lf__config */
    bool standard;
    bool inverted; /* the variable means the opposite of the field */
} switch_case;

static const switch_case switches[] = {
    {"LANGFUSE_TRACING_ENABLED", offsetof(lf_options, tracing), offsetof(lf__config, enabled), true, false},
    {"LANGFUSE_OBSERVE_DECORATOR_IO_CAPTURE_ENABLED", offsetof(lf_options, capture_io), offsetof(lf__config, capture_io), true,
     false},
    {"OTEL_SDK_DISABLED", 0, offsetof(lf__config, enabled), true, true},
};

static bool switch_is_on(const switch_case *s, lf_switch option)
{
    lf_options options = {0};
    if (option != LF_DEFAULT)
        memcpy((char *)&options + s->option, &option, sizeof option);
    lf__config *config = make(options);
    bool on;
    memcpy(&on, (const char *)config + s->field, sizeof on);
    lf__config_free(config);
    return on;
}

static void switches_take_every_spelling_of_true_and_false(void **state)
{
    (void)state;
    static const char *const yes[] = {"true", "TRUE", "True", "tRuE", "1"}, *const no[] = {"false", "FALSE", "False", "0"};
    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++) {
        const switch_case *s = &switches[i];
        assert_int_equal(switch_is_on(s, LF_DEFAULT), s->standard);
        for (size_t j = 0; j < sizeof yes / sizeof *yes; j++) {
            setenv(s->variable, yes[j], 1);
            assert_int_equal(switch_is_on(s, LF_DEFAULT), !s->inverted);
            assert_int_equal(lines_with("neither"), 0);
        }
        for (size_t j = 0; j < sizeof no / sizeof *no; j++) {
            setenv(s->variable, no[j], 1);
            assert_int_equal(switch_is_on(s, LF_DEFAULT), s->inverted);
            assert_int_equal(lines_with("neither"), 0);
        }
        setenv(s->variable, "", 1);
        assert_int_equal(switch_is_on(s, LF_DEFAULT), s->standard);
        unsetenv(s->variable);
    }
}

static void a_switch_with_junk_keeps_its_default_and_says_so(void **state)
{
    (void)state;
    static const char *const junk[] = {"yes", "on", "2", " true", "truee", "maybe"};
    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++) {
        for (size_t j = 0; j < sizeof junk / sizeof *junk; j++) {
            setenv(switches[i].variable, junk[j], 1);
            assert_int_equal(switch_is_on(&switches[i], LF_DEFAULT), switches[i].standard);
            const char *kept = switches[i].standard && !switches[i].inverted ? "keeping true" : "keeping false";
            ASSERT_ONE_LINE(switches[i].variable, junk[j], "neither true nor false", kept);
        }
        unsetenv(switches[i].variable);
    }
}

static void a_switch_option_wins_over_its_variable(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++) {
        if (switches[i].option == 0)
            continue;
        setenv(switches[i].variable, "false", 1);
        assert_true(switch_is_on(&switches[i], LF_ON));
        setenv(switches[i].variable, "true", 1);
        assert_false(switch_is_on(&switches[i], LF_OFF));
        unsetenv(switches[i].variable);
    }
}

/* ---- Numbers ---- */

typedef struct number_case {
    const char *variable;
    const char *option_name;
    size_t option, option_size; /* in lf_options */
    size_t field, field_size;   /* in lf__config */
    int64_t standard, least, most;
    bool seconds;
} number_case;

#define NUMBER(variable, option, field, standard, least, most, seconds) \
    {variable,                                                          \
     #option,                                                           \
     offsetof(lf_options, option),                                      \
     sizeof((lf_options){0}).option,                                    \
     offsetof(lf__config, field),                                       \
     sizeof((lf__config){0}).field,                                     \
     standard,                                                          \
     least,                                                             \
     most,                                                              \
     seconds}

static const number_case numbers[] = {
    NUMBER("LANGFUSE_FLUSH_AT", flush_at, flush_at, 512, 1, 1000000, false),
    NUMBER("LANGFUSE_FLUSH_INTERVAL", flush_interval_ms, flush_interval_ms, 1000, 1, 3600000, true),
    NUMBER("LANGFUSE_TIMEOUT", timeout_ms, timeout_ms, 5000, 1, 3600000, true),
    NUMBER("LANGFUSE_EXIT_TIMEOUT_MS", exit_timeout_ms, exit_timeout_ms, 2000, 0, 3600000, false),
    NUMBER("LANGFUSE_MAX_QUEUE_BYTES", max_queue_bytes, queue_bytes, 268435456, 1 << 20, (int64_t)1 << 40, false),
    NUMBER("LANGFUSE_MAX_BATCH_SIZE_BYTES", max_batch_bytes, batch_bytes, 2500000, 65536, 4000000, false),
    NUMBER("LANGFUSE_MAX_HANDLES", max_handles, handles, 65536, 64, 65536, false),
    NUMBER("LANGFUSE_MAX_HANDLE_BYTES", max_handle_bytes, handle_bytes, 64 << 20, 1 << 16, (int64_t)1 << 40, false),
    NUMBER("LANGFUSE_MAX_EVENT_SIZE_BYTES", max_event_bytes, record_bytes, 1000000, 1024, 2500000, false),
};

enum { NUMBERS = sizeof numbers / sizeof *numbers };

static int64_t number_of(const number_case *n, int64_t option)
{
    lf_options options = {0};
    memcpy((char *)&options + n->option, &option, n->option_size); /* little-endian, as every machine we build for */
    lf__config *config = make(options);
    int64_t value = 0;
    memcpy(&value, (const char *)config + n->field, n->field_size);
    lf__config_free(config);
    return value;
}

static int64_t number_from_text(const number_case *n, const char *text)
{
    setenv(n->variable, text, 1);
    int64_t value = number_of(n, 0);
    unsetenv(n->variable);
    return value;
}

static void numbers_come_from_the_variable_and_the_option_wins(void **state)
{
    (void)state;
    for (int i = 0; i < NUMBERS; i++) {
        const number_case *n = &numbers[i];
        assert_int_equal(number_of(n, 0), n->standard);
        char text[32];
        int64_t given = n->seconds ? 7000 : n->least + 4096;
        snprintf(text, sizeof text, "%lld", n->seconds ? 7 : (long long)given);
        assert_int_equal(number_from_text(n, text), given);
        assert_int_equal(lines_with(""), 0);
        setenv(n->variable, text, 1);
        assert_int_equal(number_of(n, n->least + 5000), n->least + 5000);
        unsetenv(n->variable);
        assert_int_equal(number_from_text(n, ""), n->standard);
        assert_int_equal(lines_with(""), 0);
    }
}

static void bad_numbers_keep_the_default_and_say_so_in_one_line(void **state)
{
    (void)state;
    static const char *const bad[] = {"abc",
                                      "12abc",
                                      " 12",
                                      "12 ",
                                      "1e3",
                                      "0x10",
                                      "+5",
                                      "-",
                                      ".",
                                      "1,5",
                                      "1..5",
                                      "--5",
                                      "99999999999999999999999999",
                                      "9223372036854775807",
                                      "-9223372036854775808",
                                      "-99999999999",
                                      "nan",
                                      "12\n13"};
    for (int i = 0; i < NUMBERS; i++) {
        for (size_t j = 0; j < sizeof bad / sizeof *bad; j++) {
            char kept[64], shown[64];
            snprintf(kept, sizeof kept, "keeping %lld", (long long)numbers[i].standard);
            snprintf(shown, sizeof shown, "=%.*s", (int)strcspn(bad[j], "\n"), bad[j]);
            assert_int_equal(number_from_text(&numbers[i], bad[j]), numbers[i].standard);
            ASSERT_ONE_LINE(numbers[i].variable, shown, kept);
        }
    }
}

static void numbers_reach_to_both_ends_of_their_range_and_not_beyond(void **state)
{
    (void)state;
    for (int i = 0; i < NUMBERS; i++) {
        const number_case *n = &numbers[i];
        if (n->least > 0)
            assert_int_equal(number_of(n, n->least), n->least);
        if (n->field != offsetof(lf__config, record_bytes) && n->option_size == sizeof(int))
            assert_int_equal(number_of(n, n->most), n->most);
        if (n->field == offsetof(lf__config, record_bytes) || n->field == offsetof(lf__config, queue_bytes))
            continue;
        assert_int_equal(number_of(n, n->most + 1), n->standard);
        ASSERT_ONE_LINE("option", n->option_name, "keeping");
        if (n->least > 1) {
            assert_int_equal(number_of(n, n->least - 1), n->standard);
            ASSERT_ONE_LINE("option", n->option_name, "keeping");
        }
    }
    assert_int_equal(number_of(&numbers[0], INT_MAX), 512);
    assert_int_equal(number_of(&numbers[0], INT_MIN), 512);
    lf__config *config = MAKE(.max_queue_bytes = SIZE_MAX, .max_batch_bytes = SIZE_MAX);
    assert_int_equal(config->queue_bytes, 256u << 20);
    assert_int_equal(config->batch_bytes, 2500000);
    assert_int_equal(lines_with("keeping"), 2);
    lf__config_free(config);
}

static void seconds_may_have_a_fraction_and_become_milliseconds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {{"1", 1000},         {"0.5", 500},      {".25", 250}, {"2.", 2000},    {"0.001", 1},
                 {"1.2345678", 1234}, {"3600", 3600000}, {"0.05", 50}, {"00012", 12000}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(number_from_text(&numbers[1], cases[i].text), cases[i].ms);
        assert_int_equal(number_from_text(&numbers[2], cases[i].text), cases[i].ms);
        assert_int_equal(lines_with(""), 0);
    }
    static const char *const bad[] = {"0", "0.0001", "3601", "-1", "-0.5"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(number_from_text(&numbers[2], bad[i]), 5000);
        ASSERT_ONE_LINE("LANGFUSE_TIMEOUT", bad[i], "seconds", "keeping 5000 ms");
    }
}

static void the_exit_may_wait_for_nothing(void **state)
{
    (void)state;
    assert_int_equal(number_of(&numbers[3], -1), 2000);
    assert_int_equal(number_of(&numbers[3], LF_NONE), 0);
    assert_int_equal(lines_with(""), 0);
    assert_int_equal(number_from_text(&numbers[3], "0"), 0);
    assert_int_equal(lines_with(""), 0);
    assert_int_equal(number_from_text(&numbers[3], "-1"), 2000);
    ASSERT_ONE_LINE("LANGFUSE_EXIT_TIMEOUT_MS", "-1", "keeping 2000");
}

static void an_observation_is_never_allowed_more_than_a_request(void **state)
{
    (void)state;
    lf__config *config = MAKE(.max_batch_bytes = 100000, .max_event_bytes = 500000);
    assert_int_equal(config->batch_bytes, 100000);
    assert_int_equal(config->record_bytes, 100000);
    lf__config_free(config);
}

static void the_other_sdks_limit_of_a_batch_counts_where_it_is_smaller(void **state)
{
    (void)state;
    static const struct {
        const char *ours, *theirs;
        size_t bytes;
        int lines;
    } cases[] = {
        {"", "67108864", 2500000, 0}, {"", "100000", 100000, 0}, {"80000", "100000", 80000, 0},
        {"90000", "70000", 70000, 0}, {"", "65535", 2500000, 1}, {"", "x", 2500000, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setenv("LANGFUSE_MAX_BATCH_SIZE_BYTES", cases[i].ours, 1);
        setenv("LANGFUSE_OTEL_MAX_BATCH_SIZE_BYTES", cases[i].theirs, 1);
        lf__config *config = MAKE(.timeout_ms = 0);
        assert_int_equal(config->batch_bytes, cases[i].bytes);
        assert_int_equal(lines_with("LANGFUSE_OTEL_MAX_BATCH_SIZE_BYTES="), cases[i].lines);
        lf__config_free(config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_other_sdks_limit_of_a_batch_counts_where_it_is_smaller),
        CASE(sample_rates_become_thresholds),
        CASE(a_bad_sample_rate_keeps_every_trace_and_says_so),
        CASE(the_sample_rate_option_wins),
        CASE(switches_take_every_spelling_of_true_and_false),
        CASE(a_switch_with_junk_keeps_its_default_and_says_so),
        CASE(a_switch_option_wins_over_its_variable),
        CASE(numbers_come_from_the_variable_and_the_option_wins),
        CASE(bad_numbers_keep_the_default_and_say_so_in_one_line),
        CASE(numbers_reach_to_both_ends_of_their_range_and_not_beyond),
        CASE(seconds_may_have_a_fraction_and_become_milliseconds),
        CASE(the_exit_may_wait_for_nothing),
        CASE(an_observation_is_never_allowed_more_than_a_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
