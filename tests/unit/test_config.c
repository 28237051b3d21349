/* Options and environment become one configuration: which of them wins, what a bad value leads to, and that no secret ever
 * stands in a line we write.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/base/config.h"
#include "fixture.h"

#include <limits.h>
#include <math.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PUBLIC "pk-lf-public"
#define SECRET "sk-lf-most-secret"

static const char *program; /* argv[0] */

static int start_clean(void **state)
{
    (void)state;
    fixture_clean_environment();
    setenv("LANGFUSE_PUBLIC_KEY", PUBLIC, 1);
    setenv("LANGFUSE_SECRET_KEY", SECRET, 1);
    lines_forget();
    return 0;
}

/* A configuration from these options and the environment; what it has to say goes to the captured lines. */
static lf__config *make(lf_options options)
{
    lines_forget();
    options.struct_size = sizeof options;
    options.log = fixture_log;
    lf__config *config = lf__config_new(&options);
    assert_non_null(config);
    return config;
}

#define MAKE(...) make((lf_options){__VA_ARGS__})

/* Exactly one line was written, and all of these are in it. */
#define ASSERT_ONE_LINE(...) assert_one_line((const char *const[]){__VA_ARGS__, NULL})

static void assert_one_line(const char *const *texts)
{
    if (lines_with("") != 1)
        fail_msg("%zu lines instead of one; the first: %s", lines_with(""), line_at(0));
    assert_null(strchr(line_at(0), '\n'));
    for (; *texts != NULL; texts++)
        if (strstr(line_at(0), *texts) == NULL)
            fail_msg("\"%s\" is not in: %s", *texts, line_at(0));
}

/* ---- Defaults and keys ---- */

static void without_keys_one_line_names_what_is_missing_and_later_calls_are_silent(void **state)
{
    (void)state;
    unsetenv("LANGFUSE_SECRET_KEY");
    lf__config *config = MAKE(.timeout_ms = 0);
    assert_false(config->enabled);
    ASSERT_ONE_LINE("LANGFUSE_SECRET_KEY is not set; nothing is recorded");
    assert_int_equal(lines_with("PUBLIC_KEY"), 0);
    lf__config_free(config);
    unsetenv("LANGFUSE_PUBLIC_KEY");
    config = MAKE(.timeout_ms = 0);
    assert_false(config->enabled);
    assert_int_equal(lines_with(""), 0);
    lf__config_free(config);
}

static void insecure_warns_once_in_a_process(void **state)
{
    (void)state;
    lf__config *config = MAKE(.insecure = LF_OFF);
    assert_int_equal(lines_with(""), 0);
    assert_false(config->insecure);
    lf__config_free(config);
    config = MAKE(.insecure = LF_ON, .exporter = "file:x");
    assert_int_equal(lines_with(""), 0); /* nothing goes over a network */
    lf__config_free(config);
    config = MAKE(.insecure = LF_ON);
    assert_true(config->insecure);
    ASSERT_ONE_LINE("insecure", "certificate is not verified");
    lf__config_free(config);
    config = MAKE(.insecure = LF_ON);
    assert_true(config->insecure);
    assert_int_equal(lines_with(""), 0);
    lf__config_free(config);
}

static void keys_alone_give_the_documented_defaults(void **state)
{
    (void)state;
    lf__config *config = lf__config_new(NULL);
    assert_non_null(config);
    assert_true(config->enabled);
    assert_true(config->capture_io);
    assert_int_equal(config->logger.least, LF__LOG_WARNING);
    assert_null(config->logger.path);
    assert_false(config->json);
    assert_false(config->insecure);
    assert_int_equal(config->exporter, LF__EXPORTER_OTLP);
    assert_string_equal(config->public_key, PUBLIC);
    assert_string_equal(config->secret_key, SECRET);
    assert_string_equal(config->base_url, "https://cloud.langfuse.com");
    assert_string_equal(config->traces_url, "https://cloud.langfuse.com/api/public/otel/v1/traces");
    assert_string_equal(config->ingestion_url, "https://cloud.langfuse.com/api/public/ingestion");
    assert_true(config->sample_threshold == UINT64_MAX);
    assert_true(config->mask == NULL);
    assert_null(config->file_path);
    assert_null(config->environment);
    assert_null(config->release);
    assert_int_equal(config->header_count, 0);
    assert_int_equal(config->resource_count, 1);
    assert_string_equal(config->resource[0].key, "service.name");
    assert_string_equal(config->resource[0].value, "unknown_service");
    assert_int_equal(config->flush_at, 512);
    assert_int_equal(config->flush_interval_ms, 1000);
    assert_int_equal(config->timeout_ms, 5000);
    assert_int_equal(config->exit_timeout_ms, 2000);
    assert_int_equal(config->queue_bytes, 256u << 20);
    assert_int_equal(config->batch_bytes, 2500000);
    assert_int_equal(config->record_bytes, 1000000);
    assert_null(config->ca_file);
    assert_null(config->ca_path);
    assert_null(config->client_certificate);
    assert_null(config->client_key);
    assert_null(config->proxy);
    assert_null(config->curl_hook);
    lf__config_free(config);
}

static void key_options_win_over_the_environment(void **state)
{
    (void)state;
    lf__config *config = MAKE(.public_key = "pk-option", .secret_key = "sk-option");
    assert_string_equal(config->public_key, "pk-option");
    assert_string_equal(config->secret_key, "sk-option");
    assert_int_equal(lines_with(""), 0);
    lf__config_free(config);
    config = MAKE(.public_key = "", .secret_key = ""); /* empty counts as not given */
    assert_string_equal(config->public_key, PUBLIC);
    assert_string_equal(config->secret_key, SECRET);
    lf__config_free(config);
}

static void keys_with_control_characters_are_refused_without_being_shown(void **state)
{
    (void)state;
    lf__config *config = MAKE(.secret_key = "sk-very-hidden\r\nX-Evil: 1");
    assert_false(config->enabled);
    ASSERT_ONE_LINE("option secret_key", "control character", "tracing is off");
    assert_int_equal(lines_with("very-hidden"), 0);
    lf__config_free(config);
    setenv("LANGFUSE_PUBLIC_KEY", "pk-oops\n", 1);
    config = MAKE(.timeout_ms = 0);
    assert_false(config->enabled);
    ASSERT_ONE_LINE("LANGFUSE_PUBLIC_KEY", "line end", "tracing is off");
    lf__config_free(config);
}

static void keys_in_the_wrong_place_or_shape_are_told_before_anything_is_sent(void **state)
{
    (void)state;
    static const struct {
        const char *public_key, *secret_key, *line;
    } cases[] = {
        {"sk-lf-hush", "pk-lf-1", "LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY are swapped; tracing is off"},
        {"sk-lf-hush", "sk-lf-hush", "LANGFUSE_PUBLIC_KEY is a secret key, public ones begin with pk-lf-; tracing is off"},
        {"sk-lf-hush", "", "LANGFUSE_PUBLIC_KEY is a secret key"},
        {"pk-lf-1", "pk-lf-1", "LANGFUSE_SECRET_KEY is a public key, secret ones begin with sk-lf-; tracing is off"},
        {"", "pk-lf-1", "LANGFUSE_SECRET_KEY is a public key"},
        {"\"pk-lf-1\"", "\"sk-lf-hush\"", "LANGFUSE_PUBLIC_KEY is in quotes, which are not part of a key; tracing is off"},
        {"pk-lf-1", "'sk-lf-hush'", "LANGFUSE_SECRET_KEY is in quotes"},
        {"pk-lf-1", "sk-lf-hush\"", "LANGFUSE_SECRET_KEY is in quotes"},
        {" pk-lf-1", "sk-lf-hush", "LANGFUSE_PUBLIC_KEY begins or ends with a blank; tracing is off"},
        {"pk-lf-1", "sk-lf-hush ", "LANGFUSE_SECRET_KEY begins or ends with a blank"},
        {"pk-lf-1", " ", "LANGFUSE_SECRET_KEY begins or ends with a blank"},
        {"pk-lf-...", "sk-lf-...", "LANGFUSE_PUBLIC_KEY is a placeholder"},
        {"pk-lf-1", "sk-lf-\xe2\x80\xa6", "LANGFUSE_SECRET_KEY is a placeholder"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setenv("LANGFUSE_PUBLIC_KEY", cases[i].public_key, 1);
        setenv("LANGFUSE_SECRET_KEY", cases[i].secret_key, 1);
        lf__config *config = MAKE(.timeout_ms = 0);
        assert_false(config->enabled);
        assert_null(config->base_url); /* nor are prompts asked for */
        ASSERT_ONE_LINE(cases[i].line);
        assert_int_equal(lines_with("hush"), 0);
        lf__config_free(config);
    }
    lf__config *config = MAKE(.public_key = "sk-lf-hush", .secret_key = "pk-lf-1");
    ASSERT_ONE_LINE("option public_key and option secret_key are swapped");
    lf__config_free(config);
    static const char *const good[][2] = {{"any", "any"}, {"key", "pk"}, {"pk lf", "s\"k"}, {"sk", "pk"}, {"1", "\xc3\xa4"}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        config = MAKE(.public_key = good[i][0], .secret_key = good[i][1]);
        assert_true(config->enabled);
        assert_int_equal(lines_with(""), 0);
        lf__config_free(config);
    }
}

static char key_path[64];

static const char *key_file_with(const char *text, size_t size)
{
    snprintf(key_path, sizeof key_path, "/tmp/langfuse-test-key-%ld", (long)getpid());
    FILE *file = fopen(key_path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    return key_path;
}

static const char *key_file(const char *text)
{
    return key_file_with(text, strlen(text));
}

static void the_secret_key_may_be_the_first_line_of_a_file(void **state)
{
    (void)state;
    unsetenv("LANGFUSE_SECRET_KEY");
    static const char *const texts[] = {"sk-lf-from-file", "sk-lf-from-file\n", "sk-lf-from-file \t\r\nsecond line\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        setenv("LANGFUSE_SECRET_KEY_FILE", key_file(texts[i]), 1);
        lf__config *config = MAKE(.timeout_ms = 0);
        assert_true(config->enabled);
        assert_string_equal(config->secret_key, "sk-lf-from-file");
        assert_string_equal(lf__config_authorization(config), config->authorization);
        assert_int_equal(lines_with(""), 0);
        lf__config_free(config);
    }
    lf__config *config = MAKE(.tracing = LF_OFF); /* prompts are fetched all the same */
    assert_non_null(config->base_url);
    lf__config_free(config);
    setenv("LANGFUSE_SECRET_KEY", SECRET, 1);
    config = MAKE(.secret_key_file = key_path);
    assert_string_equal(config->secret_key, SECRET);
    lf__config_free(config);
    unsetenv("LANGFUSE_SECRET_KEY");
    setenv("LANGFUSE_SECRET_KEY_FILE", "/nonexistent", 1);
    config = MAKE(.secret_key_file = key_path);
    assert_string_equal(config->secret_key, "sk-lf-from-file");
    lf__config_free(config);
    unlink(key_path);
}

static void a_file_without_a_usable_key_is_told_in_one_line(void **state)
{
    (void)state;
    static char large[4097];
    memset(large, 'k', sizeof large);
    unsetenv("LANGFUSE_SECRET_KEY");
#define REFUSED(path, ...)                                     \
    do {                                                       \
        lf__config *config_ = MAKE(.secret_key_file = (path)); \
        assert_false(config_->enabled);                        \
        ASSERT_ONE_LINE(__VA_ARGS__, "tracing is off");        \
        assert_int_equal(lines_with("hush"), 0);               \
        lf__config_free(config_);                              \
    } while (0)
    REFUSED(key_file("\nsk-lf-hush"), "option secret_key_file=/tmp/langfuse-test-key-", "its first line is empty");
    REFUSED(key_file(" \t\n"), "its first line is empty");
    REFUSED(key_file_with(large, sizeof large), "larger than 4096 bytes");
    REFUSED(key_file("pk-lf-hush"), "the key in option secret_key_file is a public key");
    REFUSED(key_file("\"sk-lf-hush\""), "the key in option secret_key_file is in quotes");
    REFUSED("/tmp", "not a regular file");
    REFUSED("/nonexistent/key", "option secret_key_file=/nonexistent/key: the secret key cannot be read: No such file");
    unlink(key_path);
    assert_int_equal(mkfifo(key_path, 0600), 0);
    REFUSED(key_path, "not a regular file");
    unlink(key_path);
    setenv("LANGFUSE_SECRET_KEY_FILE", "sk-lf-hush", 1);
    REFUSED(NULL, "LANGFUSE_SECRET_KEY_FILE=(a secret key): the secret key cannot be read");
    setenv("LANGFUSE_SECRET_KEY_FILE", key_file("pk-lf-hush"), 1);
    REFUSED(NULL, "the key in LANGFUSE_SECRET_KEY_FILE is a public key");
    lf__config *config = lf__config_new(
        &(lf_options){LF_OPTIONS_INIT, .secret_key_file = key_file_with(large, 4096), .log = fixture_log});
    assert_true(config->enabled);
    assert_int_equal(strlen(config->secret_key), 4096);
    lf__config_free(config);
    unlink(key_path);
}

static void a_key_file_is_read_again_when_its_key_is_refused(void **state)
{
    (void)state;
    unsetenv("LANGFUSE_SECRET_KEY");
    lf__config *config = MAKE(.secret_key_file = key_file("sk-lf-hush-1"), .log_level = LF_LOG_INFO);
    const char *first = lf__config_authorization(config);
    assert_false(lf__config_reread_secret(config, first));
    key_file("sk-lf-hush-2\n");
    assert_true(lf__config_reread_secret(config, first));
    ASSERT_ONE_LINE("the server refused the secret key; option secret_key_file has another one");
    const char *second = lf__config_authorization(config);
    assert_string_equal(second, "Basic cGstbGYtcHVibGljOnNrLWxmLWh1c2gtMg==");
    assert_true(lf__config_reread_secret(config, first)); /* as another thread sees it */
    assert_false(lf__config_reread_secret(config, second));
    key_file("\"sk-lf-hush-3\"");
    assert_false(lf__config_reread_secret(config, second));
    unlink(key_path);
    lines_forget();
    assert_false(lf__config_reread_secret(config, second));
    assert_false(lf__config_reread_secret(config, second));
    ASSERT_ONE_LINE("option secret_key_file: the secret key cannot be read again: No such file");
    key_file("sk-lf-hush-1");
    assert_true(lf__config_reread_secret(config, second));
    assert_string_equal(lf__config_authorization(config), first);
    assert_int_equal(lines_with("hush"), 0);
    for (unsigned long n = 1; n < 4; n++) {
        key_file("sk-lf-hush-5");
        lf__alloc_fail_from(n);
        assert_false(lf__config_reread_secret(config, lf__config_authorization(config)));
        lf__alloc_fail_from(0);
    }
    lf__config_free(config);
    config = MAKE(.secret_key = "sk-lf-hush");
    assert_false(lf__config_reread_secret(config, config->authorization));
    lf__config_free(config);
    unlink(key_path);
}

static void a_short_struct_of_an_older_program_is_understood(void **state)
{
    (void)state;
    lf_options options = {.struct_size = offsetof(lf_options, base_url),
                          .public_key = "pk-old",
                          .secret_key = "sk-old",
                          .base_url = "not part of it"};
    lf__config *config = lf__config_new(&options);
    assert_non_null(config);
    assert_true(config->enabled);
    assert_string_equal(config->public_key, "pk-old");
    assert_string_equal(config->base_url, "https://cloud.langfuse.com");
    lf__config_free(config);
}

static void authorization_is_basic_and_padded_as_base64_demands(void **state)
{
    (void)state;
    static const char *const secrets[] = {"x", "xy", "xyz", "\xc3\xa4\xff"};
    static const char *const expected[] = {"Basic cDp4", "Basic cDp4eQ==", "Basic cDp4eXo=", "Basic cDrDpP8="};
    for (int i = 0; i < 4; i++) {
        lf__config *config = MAKE(.public_key = "p", .secret_key = secrets[i]);
        assert_string_equal(config->authorization, expected[i]);
        lf__config_free(config);
    }
}

static void *give_back_many_references(void *config)
{
    for (int i = 0; i < 1000; i++)
        lf__config_free(lf__config_ref(config));
    lf__config_free(config);
    return NULL;
}

static void the_last_reference_frees_a_configuration(void **state)
{
    (void)state;
    pthread_t threads[4];
    lf__config *config = MAKE(.public_key = "pk");
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, give_back_many_references, lf__config_ref(config)), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&config->references), 1);
    assert_string_equal(config->public_key, "pk");
    lf__config_free(config);
}

static bool hide(void *data, lf_masked *value)
{
    (void)data;
    (void)value;
    return false;
}

static void the_mask_is_taken_over(void **state)
{
    (void)state;
    int data;
    lf__config *config = MAKE(.mask = hide, .mask_data = &data);
    assert_true(config->mask == hide);
    assert_ptr_equal(config->mask_data, &data);
    lf__config_free(config);
}

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

/* ---- URL ---- */

static void assert_urls(const char *given, const char *base, const char *traces)
{
    lf__config *config = MAKE(.base_url = given);
    assert_true(config->enabled);
    assert_int_equal(lines_with(""), 0);
    assert_string_equal(config->base_url, base);
    assert_string_equal(config->traces_url, traces);
    lf__config_free(config);
}

static void base_urls_are_normalised(void **state)
{
    (void)state;
    assert_urls("http://localhost:3000", "http://localhost:3000", "http://localhost:3000/api/public/otel/v1/traces");
    assert_urls("http://localhost:3000/", "http://localhost:3000", "http://localhost:3000/api/public/otel/v1/traces");
    assert_urls("http://localhost:3000///", "http://localhost:3000", "http://localhost:3000/api/public/otel/v1/traces");
    assert_urls("https://h/langfuse/", "https://h/langfuse", "https://h/langfuse/api/public/otel/v1/traces");
    assert_urls("HTTPS://h", "HTTPS://h", "HTTPS://h/api/public/otel/v1/traces");
    assert_urls("http://[::1]:3000", "http://[::1]:3000", "http://[::1]:3000/api/public/otel/v1/traces");
    assert_urls("https://us.cloud.langfuse.com", "https://us.cloud.langfuse.com",
                "https://us.cloud.langfuse.com/api/public/otel/v1/traces");
    assert_urls("unix:/run/a@b c.sock", "unix:/run/a@b c.sock", "http://localhost/api/public/otel/v1/traces");
}

static void a_socket_of_the_machine_has_an_absolute_path(void **state)
{
    (void)state;
    static const char *const urls[] = {"unix:/run/langfuse.sock", "unix:///run/langfuse.sock", "UNIX:/run/langfuse.sock"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        lf__config *config = MAKE(.base_url = urls[i]);
        assert_string_equal(config->socket_path, "/run/langfuse.sock");
        assert_string_equal(config->origin, "http://localhost");
        lf__config_free(config);
    }
    char fits[5 + 108];
    memset(fits, 'x', sizeof fits);
    memcpy(fits, "unix:/", 6);
    fits[sizeof fits - 1] = '\0';
    lf__config *config = MAKE(.base_url = fits);
    assert_int_equal(strlen(config->socket_path), 107);
    lf__config_free(config);
    config = MAKE(.base_url = "http://h");
    assert_null(config->socket_path);
    lf__config_free(config);
}

static void a_bad_base_url_switches_off_with_one_line_instead_of_sending_elsewhere(void **state)
{
    (void)state;
    static const struct {
        const char *url, *why;
    } cases[] = {
        {"localhost:3000", "does not start with http://, https:// or unix:"},
        {"cloud.langfuse.com", "does not start with http://, https:// or unix:"},
        {"ftp://h", "does not start with http://, https:// or unix:"},
        {"file:///etc/passwd", "does not start with http://, https:// or unix:"},
        {" http://h", "does not start with http://, https:// or unix:"},
        {"http://", "names no host"},
        {"https:///", "names no host"},
        {"http://h ", "contains blanks"},
        {"http://h\r\nX-Evil: 1", "contains blanks or control characters"},
        {"http://h\tx", "contains blanks or control characters"},
        {"http://h/?a=b", "has a query or fragment"},
        {"http://h/#x", "has a query or fragment"},
        {"unix:", "names no socket: write unix: and an absolute path"},
        {"unix:run/langfuse.sock", "names no socket"},
        {"unix://run/langfuse.sock", "names no socket"},
        {"unix:/run/\nx", "contains control characters"},
        {"unix:/0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678",
         "is longer than a socket's path can be"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lf__config *config = MAKE(.base_url = cases[i].url);
        assert_false(config->enabled);
        ASSERT_ONE_LINE("option base_url=", cases[i].why, "tracing is off");
        lf__config_free(config);
        setenv("LANGFUSE_BASE_URL", cases[i].url, 1);
        config = MAKE(.timeout_ms = 0);
        assert_false(config->enabled);
        ASSERT_ONE_LINE("LANGFUSE_BASE_URL=", cases[i].why, "tracing is off");
        lf__config_free(config);
        unsetenv("LANGFUSE_BASE_URL");
    }
}

static void a_password_in_the_base_url_is_refused_and_not_shown(void **state)
{
    (void)state;
    static const char *const urls[] = {"https://me:hunter2@h", "me:hunter2@h", "https://me:hunter2@h /x", "https://me:hunter2/3@h"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        lf__config *config = MAKE(.base_url = urls[i]);
        assert_false(config->enabled);
        ASSERT_ONE_LINE("option base_url", "user or password", "tracing is off");
        assert_int_equal(lines_with("hunter2"), 0);
        lf__config_free(config);
    }
}

static void base_url_comes_from_option_then_base_url_then_host(void **state)
{
    (void)state;
    setenv("LANGFUSE_HOST", "http://host:1", 1);
    lf__config *config = MAKE(.timeout_ms = 0);
    assert_string_equal(config->base_url, "http://host:1");
    lf__config_free(config);
    setenv("LANGFUSE_BASE_URL", "http://base:2", 1);
    config = MAKE(.timeout_ms = 0);
    assert_string_equal(config->base_url, "http://base:2");
    lf__config_free(config);
    config = MAKE(.base_url = "http://option:3");
    assert_string_equal(config->base_url, "http://option:3");
    lf__config_free(config);
    setenv("LANGFUSE_BASE_URL", "", 1);
    config = MAKE(.base_url = "");
    assert_string_equal(config->base_url, "http://host:1");
    lf__config_free(config);
}

static void the_export_path_may_be_changed(void **state)
{
    (void)state;
    setenv("LANGFUSE_OTEL_TRACES_EXPORT_PATH", "v1/traces", 1);
    lf__config *config = MAKE(.base_url = "http://collector:4318/");
    assert_string_equal(config->traces_url, "http://collector:4318/v1/traces");
    lf__config_free(config);
    setenv("LANGFUSE_OTEL_TRACES_EXPORT_PATH", "/v1/traces", 1);
    config = MAKE(.base_url = "http://collector:4318");
    assert_string_equal(config->traces_url, "http://collector:4318/v1/traces");
    lf__config_free(config);
    setenv("LANGFUSE_OTEL_TRACES_EXPORT_PATH", "v1/traces HTTP/1.1\r\nX-Evil: 1", 1);
    config = MAKE(.base_url = "http://collector:4318");
    assert_false(config->enabled);
    ASSERT_ONE_LINE("LANGFUSE_OTEL_TRACES_EXPORT_PATH", "control characters", "tracing is off");
    lf__config_free(config);
}

/* ---- Texts ---- */

typedef struct text_case {
    size_t option; /* in lf_options; SIZE_MAX: none */
    size_t field;  /* in lf__config */
    const char *variables[14]; /* the first wins */
} text_case;

static const text_case texts[] = {
    {offsetof(lf_options, environment), offsetof(lf__config, environment), {"LANGFUSE_TRACING_ENVIRONMENT"}},
    {offsetof(lf_options, release),
     offsetof(lf__config, release),
     {"LANGFUSE_RELEASE", "LANGFUSE_TRACING_RELEASE", "RENDER_GIT_COMMIT", "CI_COMMIT_SHA", "CIRCLE_SHA1", "SOURCE_VERSION",
      "TRAVIS_COMMIT", "GIT_COMMIT", "GITHUB_SHA", "BITBUCKET_COMMIT", "BUILD_SOURCEVERSION", "DRONE_COMMIT_SHA"}},
    {offsetof(lf_options, ca_file),
     offsetof(lf__config, ca_file),
     {"OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"}},
    {offsetof(lf_options, ca_path), offsetof(lf__config, ca_path), {"SSL_CERT_DIR"}},
    {offsetof(lf_options, client_certificate),
     offsetof(lf__config, client_certificate),
     {"OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"}},
    {offsetof(lf_options, client_key),
     offsetof(lf__config, client_key),
     {"OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "OTEL_EXPORTER_OTLP_CLIENT_KEY"}},
    {offsetof(lf_options, proxy), offsetof(lf__config, proxy), {NULL}},
};

static void assert_text(const text_case *t, const char *option, const char *expected)
{
    lf_options options = {0};
    memcpy((char *)&options + t->option, &option, sizeof option);
    lf__config *config = make(options);
    const char *value;
    memcpy(&value, (const char *)config + t->field, sizeof value);
    if (expected == NULL)
        assert_null(value);
    else
        assert_string_equal(value, expected);
    assert_int_equal(lines_with(""), 0);
    lf__config_free(config);
}

static void texts_come_from_option_then_variables_in_their_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_text(&texts[i], NULL, NULL);
        int count = 0;
        while (texts[i].variables[count] != NULL)
            count++;
        for (int j = count - 1; j >= 0; j--) { /* from the last: each new one wins over those behind it */
            char value[32];
            snprintf(value, sizeof value, "value-%d", j);
            setenv(texts[i].variables[j], value, 1);
            assert_text(&texts[i], NULL, value);
            assert_text(&texts[i], "option", "option");
        }
        for (int j = 0; j < count; j++)
            setenv(texts[i].variables[j], "", 1);
        assert_text(&texts[i], NULL, NULL);
        for (int j = 0; j < count; j++)
            unsetenv(texts[i].variables[j]);
    }
}

static void environment_names_follow_the_servers_rule(void **state)
{
    (void)state;
    static const char *const good[] = {"production", "qa-1", "a_b", "0", "my-langfuse", "0123456789012345678901234567890123456789"};
    static const char *const bad[] = {"Production", "a b",           "a.b",  "\xc3\xa4",
                                      "langfuse",   "langfuse-prod", "a\nb", "01234567890123456789012345678901234567890"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_text(&texts[0], good[i], good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        lf__config *config = MAKE(.environment = bad[i]);
        assert_true(config->enabled);
        assert_null(config->environment);
        ASSERT_ONE_LINE("option environment=", "is not sent", "at most 40");
        lf__config_free(config);
    }
    setenv("LANGFUSE_TRACING_ENVIRONMENT", "BAD", 1);
    lf__config *config = MAKE(.timeout_ms = 0);
    ASSERT_ONE_LINE("LANGFUSE_TRACING_ENVIRONMENT=BAD", "is not sent");
    lf__config_free(config);
}

static void protocol_is_protobuf_or_json(void **state)
{
    (void)state;
    static const struct {
        const char *option, *traces, *any;
        bool json, good;
    } cases[] = {
        {NULL, NULL, "http/json", true, true},
        {NULL, "http/protobuf", "http/json", false, true},
        {"http/json", "http/protobuf", NULL, true, true},
        {"http/protobuf", NULL, "http/json", false, true},
        {NULL, NULL, "grpc", false, false},
        {NULL, "json", NULL, false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", cases[i].traces == NULL ? "" : cases[i].traces, 1);
        setenv("OTEL_EXPORTER_OTLP_PROTOCOL", cases[i].any == NULL ? "" : cases[i].any, 1);
        lf__config *config = MAKE(.protocol = cases[i].option);
        assert_true(config->enabled);
        assert_int_equal(config->json, cases[i].json);
        if (cases[i].good)
            assert_int_equal(lines_with(""), 0);
        else
            ASSERT_ONE_LINE("PROTOCOL=", "neither http/protobuf nor http/json", "keeping http/protobuf");
        lf__config_free(config);
    }
}

static void exporter_is_otlp_ingestion_or_a_file(void **state)
{
    (void)state;
    setenv("LANGFUSE_EXPORTER", "file:/somewhere/x.jsonl", 1);
    lf__config *config = MAKE(.timeout_ms = 0);
    assert_int_equal(config->exporter, LF__EXPORTER_FILE);
    assert_string_equal(config->file_path, "/somewhere/x.jsonl");
    lf__config_free(config);
    config = MAKE(.exporter = "otlp");
    assert_int_equal(config->exporter, LF__EXPORTER_OTLP);
    assert_true(config->enabled);
    lf__config_free(config);
    config = MAKE(.exporter = "ingestion");
    assert_int_equal(config->exporter, LF__EXPORTER_INGESTION);
    assert_true(config->enabled);
    lf__config_free(config);
    static const char *const bad[] = {"file:", "file", "otlp2", "console", "ingestion2"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        config = MAKE(.exporter = bad[i]);
        assert_false(config->enabled);
        ASSERT_ONE_LINE("option exporter=", bad[i], "none of \"otlp\", \"ingestion\" and \"file:PATH\"", "tracing is off");
        lf__config_free(config);
    }
    unsetenv("LANGFUSE_PUBLIC_KEY");
    unsetenv("LANGFUSE_SECRET_KEY");
    config = MAKE(.timeout_ms = 0); /* a file needs no keys */
    assert_true(config->enabled);
    assert_null(config->authorization);
    assert_int_equal(lines_with(""), 0);
    lf__config_free(config);
    config = MAKE(.exporter = "ingestion"); /* a server does */
    assert_false(config->enabled);
    lf__config_free(config);
}

/* ---- Headers and resource attributes ---- */

static void assert_headers(lf__config *config, const char *const *expected)
{
    size_t count = 0;
    for (; expected[2 * count] != NULL; count++) {
        assert_true(count < config->header_count);
        assert_string_equal(config->headers[count].key, expected[2 * count]);
        assert_string_equal(config->headers[count].value, expected[2 * count + 1]);
    }
    assert_int_equal(config->header_count, count);
    lf__config_free(config);
}

#define ASSERT_HEADERS(config, ...) assert_headers(config, (const char *const[]){__VA_ARGS__, NULL})

static void headers_from_the_environment_are_percent_decoded(void **state)
{
    (void)state;
    setenv("OTEL_EXPORTER_OTLP_HEADERS", "X-A=1, x-b = two%20words ,X%2DC=%41%2c%3D,d=a=b,e=100%,f=%zz,g=%4,h=", 1);
    ASSERT_HEADERS(MAKE(.timeout_ms = 0), "X-A", "1", "x-b", "two words", "X-C", "A,=", "d", "a=b", "e", "100%", "f", "%zz", "g",
                   "%4", "h", "");
    assert_int_equal(lines_with(""), 0);
    setenv("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "only=this", 1);
    ASSERT_HEADERS(MAKE(.timeout_ms = 0), "only", "this");
}

static void header_options_come_on_top_and_replace_without_regard_to_case(void **state)
{
    (void)state;
    setenv("OTEL_EXPORTER_OTLP_HEADERS", "X-A=1,X-B=2", 1);
    const char *lines[] = {"x-a: 3", "X-C:  100%41 : x ", NULL};
    ASSERT_HEADERS(MAKE(.headers = lines), "x-a", "3", "X-B", "2", "X-C", "100%41 : x");
    assert_int_equal(lines_with(""), 0);
}

static void bad_headers_are_left_out_with_a_line_that_does_not_show_their_value(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"hush-no-separator", "without '='"},
        {"=hush", "name is not valid"},
        {"a b=hush", "name is not valid"},
        {"a:b=hush", "name is not valid"},
        {"x-api-key: hushhushhush==", "the entry \"x-api-key\" is ignored: its name is not valid"},
        {"x-api-key%3A%20hushhushhush==", "the entry \"x-api-key\" is ignored: its name is not valid"},
        {"Authorization: Basic hushhushhush", "the entry \"Authorization\" is ignored: it is without '='"},
        {"Authorization Basic hushhushhush=", "the entry \"Authorization\" is ignored: its name is not valid"},
        {"X-Bad=hush%0d%0aX-Evil:1", "value contains control characters"},
        {"X-Bad=hush\r\nX-Evil:1", "value contains control characters"},
        {"X-Bad=hush%00hidden", "value contains control characters"},
        {"X%0aBad=hush", "name is not valid"},
        {"\xc3\xa4=hush", "name is not valid"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char all[128];
        snprintf(all, sizeof all, "before=1,%s,,after=2", cases[i].text);
        setenv("OTEL_EXPORTER_OTLP_HEADERS", all, 1);
        lf__config *config = MAKE(.timeout_ms = 0);
        ASSERT_ONE_LINE("OTEL_EXPORTER_OTLP_HEADERS", "ignored", cases[i].why);
        assert_int_equal(lines_with("hush"), 0);
        ASSERT_HEADERS(config, "before", "1", "after", "2");
    }
    unsetenv("OTEL_EXPORTER_OTLP_HEADERS");
    const char *lines[] = {"hush-without-a-colon", NULL};
    ASSERT_HEADERS(MAKE(.headers = lines), NULL);
    ASSERT_ONE_LINE("option headers", "without ':'");
    assert_int_equal(lines_with("hush"), 0);
    const char *equals[] = {"Authorization=Basic hush:hush", NULL};
    ASSERT_HEADERS(MAKE(.headers = equals), NULL);
    ASSERT_ONE_LINE("option headers", "the entry \"Authorization\" is ignored");
    assert_int_equal(lines_with("hush"), 0);
    const char *injection[] = {"X-Bad: hush\r\nX-Evil: 1", NULL};
    ASSERT_HEADERS(MAKE(.headers = injection), NULL);
    ASSERT_ONE_LINE("option headers", "X-Bad", "control characters");
    assert_int_equal(lines_with("hush"), 0);
}

static void a_secret_key_in_another_variable_is_not_shown(void **state)
{
    (void)state;
    static const char *const variables[] = {"LANGFUSE_BASE_URL", "LANGFUSE_EXPORTER",          "LANGFUSE_TRACING_ENVIRONMENT",
                                            "LANGFUSE_FLUSH_AT", "LANGFUSE_TIMEOUT",           "LANGFUSE_SAMPLE_RATE",
                                            "LANGFUSE_DEBUG",    "OTEL_EXPORTER_OTLP_PROTOCOL"};
    static const char *const values[] = {"sk-lf-hush", "x sk-lf-hush", "https://h.invalid/sk-lf-hush"};
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        for (size_t j = 0; j < sizeof values / sizeof *values; j++) {
            setenv(variables[i], values[j], 1);
            lf__config_free(MAKE(.timeout_ms = 0));
            ASSERT_ONE_LINE(variables[i], "=(a secret key)");
            assert_int_equal(lines_with("hush"), 0);
            unsetenv(variables[i]);
        }
}

static const char *resource(const lf__config *config, const char *key)
{
    for (size_t i = 0; i < config->resource_count; i++)
        if (strcmp(config->resource[i].key, key) == 0)
            return config->resource[i].value;
    return "(none)";
}

static void resource_attributes_and_the_service_name_come_from_their_variables(void **state)
{
    (void)state;
    setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=one,host.name=my%20host,Host.Name=other,broken", 1);
    lf__config *config = MAKE(.timeout_ms = 0);
    ASSERT_ONE_LINE("OTEL_RESOURCE_ATTRIBUTES", "without '='");
    assert_int_equal(config->resource_count, 3);
    assert_string_equal(resource(config, "service.name"), "one");
    assert_string_equal(resource(config, "host.name"), "my host");
    assert_string_equal(resource(config, "Host.Name"), "other"); /* keys differ by case, other than headers */
    lf__config_free(config);
    setenv("OTEL_SERVICE_NAME", "two", 1);
    config = MAKE(.timeout_ms = 0);
    assert_string_equal(resource(config, "service.name"), "two");
    assert_int_equal(config->resource_count, 3);
    lf__config_free(config);
}

/* ---- The whole ---- */

static void hook(void *data, void *curl)
{
    (void)data, (void)curl;
}

static void the_curl_hook_is_taken_over(void **state)
{
    (void)state;
    int here;
    lf__config *config = MAKE(.curl_hook = hook, .curl_hook_data = &here);
    assert_ptr_equal(config->curl_hook, hook);
    assert_ptr_equal(config->curl_hook_data, &here);
    lf__config_free(config);
}

static void a_bad_debug_variable_is_told_to_the_log_callback_too(void **state)
{
    (void)state;
    setenv("LANGFUSE_DEBUG", "loud", 1);
    lf__config_free(MAKE(.timeout_ms = 0));
    ASSERT_ONE_LINE("LANGFUSE_DEBUG=loud");
}

static lf__log_level level_of(lf_options options)
{
    lf__config *config = make(options);
    lf__log_level level = config->logger.least;
    lf__config_free(config);
    return level;
}

static void how_much_is_said_is_an_option_or_a_variable(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        lf__log_level level;
    } levels[] = {{"quiet", LF__LOG_QUIET},
                  {"warn", LF__LOG_WARNING},
                  {"info", LF__LOG_INFO},
                  {"debug", LF__LOG_DEBUG},
                  {"INFO", LF__LOG_INFO}};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        setenv("LANGFUSE_LOG", levels[i].text, 1);
        assert_int_equal(level_of((lf_options){.timeout_ms = 0}), levels[i].level);
        assert_int_equal(level_of((lf_options){.debug = LF_ON}), LF__LOG_DEBUG);
        assert_int_equal(level_of((lf_options){.log_level = LF_LOG_QUIET}), LF__LOG_QUIET);
    }
    setenv("LANGFUSE_DEBUG", "true", 1);
    setenv("LANGFUSE_LOG", "quiet", 1);
    assert_int_equal(level_of((lf_options){.timeout_ms = 0}), LF__LOG_QUIET);
    unsetenv("LANGFUSE_LOG");
    assert_int_equal(level_of((lf_options){.timeout_ms = 0}), LF__LOG_DEBUG);
    assert_int_equal(level_of((lf_options){.debug = LF_OFF}), LF__LOG_WARNING);
    assert_int_equal(level_of((lf_options){.log_level = LF_LOG_INFO}), LF__LOG_INFO);
    unsetenv("LANGFUSE_DEBUG");
}

static void what_is_no_level_and_no_path_is_told(void **state)
{
    (void)state;
    static const char *const wrong[] = {"warning", "off", "1"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        setenv("LANGFUSE_LOG", wrong[i], 1);
        lines_forget();
        assert_int_equal(level_of((lf_options){.log = fixture_log}), LF__LOG_WARNING);
        assert_int_equal(lines_with(" is none of quiet, warn, info and debug"), 1);
        assert_int_not_equal(access(wrong[i], F_OK), 0);
    }
    unsetenv("LANGFUSE_LOG");
}

static void a_log_file_that_cannot_be_opened_leaves_stderr(void **state)
{
    (void)state;
    char path[] = "/tmp/langfuse-log-XXXXXX", text[200] = "";
    int file = mkstemp(path), kept = dup(STDERR_FILENO);
    assert_true(file >= 0 && kept >= 0);
    setenv("LANGFUSE_LOG", "/nobody/has/this/folder", 1);
    lf__config *config = lf__config_new(NULL);
    assert_non_null(config);
    dup2(file, STDERR_FILENO);
    lf__log(&config->logger, LF__LOG_INFO, "a line");
    dup2(kept, STDERR_FILENO);
    assert_true(pread(file, text, sizeof text - 1, 0) > 0);
    assert_string_equal(text, "langfuse: a line\n");
    lf__config_free(config);
    unsetenv("LANGFUSE_LOG");
    close(kept);
    close(file);
    unlink(path);
}

static void a_log_may_be_a_file(void **state)
{
    (void)state;
    char path[] = "/tmp/langfuse-log-XXXXXX", text[200] = "";
    int file = mkstemp(path);
    assert_true(file >= 0);
    setenv("LANGFUSE_LOG", path, 1);
    setenv("LANGFUSE_TIMEOUT", "soon", 1);
    lf__config *config = lf__config_new(NULL);
    assert_non_null(config);
    assert_string_equal(config->logger.path, path);
    assert_int_equal(config->logger.least, LF__LOG_INFO);
    lf__log(&config->logger, LF__LOG_DEBUG, "not this one");
    lf__log(&config->logger, LF__LOG_INFO, "the second\nline");
    assert_true(read(file, text, sizeof text - 1) > 0);
    assert_ptr_equal(strstr(text, "langfuse: LANGFUSE_TIMEOUT=soon"), text);
    assert_non_null(strstr(text, "\nlangfuse: the second?line\n"));
    assert_null(strstr(text, "not this one"));
    lf__config_free(config);
    unsetenv("LANGFUSE_LOG");
    unsetenv("LANGFUSE_TIMEOUT");
    close(file);
    unlink(path);
}

static void switched_off_by_hand_is_said_in_debug_mode_only(void **state)
{
    (void)state;
    lf__config_free(MAKE(.tracing = LF_OFF));
    assert_int_equal(lines_with(""), 0);
    lf__config_free(MAKE(.tracing = LF_OFF, .debug = LF_ON));
    ASSERT_ONE_LINE("tracing is switched off");
    setenv("OTEL_SDK_DISABLED", "true", 1);
    lf__config_free(MAKE(.debug = LF_ON));
    ASSERT_ONE_LINE("OTEL_SDK_DISABLED");
}

static void a_line_stays_one_line_and_the_secret_out_of_it_whatever_is_wrong(void **state)
{
    (void)state;
    char huge[3000];
    memset(huge, 'h', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    const char *lines[] = {"Authorization: " SECRET "\n", SECRET, NULL};
    static const char *const variables[] = {"LANGFUSE_FLUSH_AT", "LANGFUSE_TIMEOUT", "LANGFUSE_TRACING_ENVIRONMENT",
                                            "LANGFUSE_OBSERVE_DECORATOR_IO_CAPTURE_ENABLED", "OTEL_EXPORTER_OTLP_PROTOCOL"};
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        setenv(variables[i], i % 2 == 0 ? huge : "two\nlines\x1b[31m", 1);
    setenv("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Basic " SECRET "%0a," SECRET, 1);
    lf__config_free(MAKE(.debug = LF_ON, .headers = lines, .base_url = "https://" PUBLIC ":" SECRET "@h"));
    assert_int_equal(lines_with("LANGFUSE_FLUSH_AT"), 1);
    assert_int_equal(lines_with("keeping 512"), 1); /* a long value does not push out what is done instead */
    assert_int_equal(lines_with("not sent"), 1);
    assert_int_equal(lines_with(""), 10);
    for (size_t i = 0; i < lines_with(""); i++) {
        assert_null(strpbrk(line_at(i), "\n\x1b"));
        assert_null(strstr(line_at(i), SECRET));
    }
}

static void out_of_memory_at_any_allocation_gives_null_and_leaks_nothing(void **state)
{
    (void)state;
    setenv("OTEL_EXPORTER_OTLP_HEADERS", "a=1,b=2", 1);
    setenv("OTEL_RESOURCE_ATTRIBUTES", "c=3", 1);
    setenv("OTEL_SERVICE_NAME", "s", 1);
    setenv("LANGFUSE_RELEASE", "r", 1);
    unsetenv("LANGFUSE_SECRET_KEY");
    setenv("LANGFUSE_SECRET_KEY_FILE", key_file(SECRET), 1);
    unsigned long n = 1;
    for (lf__config *config = NULL; config == NULL; n++) {
        lf__alloc_fail_from(n);
        config = lf__config_new(NULL);
        lf__alloc_fail_from(0);
        lf__config_free(config);
        if (config != NULL)
            break;
    }
    unlink(key_path);
    assert_in_range(n, 10, 100);
}

/* ---- Setuid ---- */

/* What the copy of this program does: 0 when it is privileged and ignores the environment. */
static int report_as_setuid_program(void)
{
    if (getauxval(AT_SECURE) == 0)
        return 77;
    lf__config *config = lf__config_new(NULL);
    int result = config == NULL || config->enabled || config->exporter == LF__EXPORTER_FILE ? 1 : 0;
    lf__config_free(config);
    return result;
}

static bool copy_file(const char *from, const char *to)
{
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    char block[65536];
    size_t size;
    while (in != NULL && out != NULL && (size = fread(block, 1, sizeof block, in)) > 0)
        if (fwrite(block, 1, size, out) != size)
            break;
    bool ok = in != NULL && out != NULL && feof(in) && !ferror(out);
    if (in != NULL)
        fclose(in);
    return (out == NULL || fclose(out) == 0) && ok;
}

static void a_setuid_program_does_not_listen_to_the_environment(void **state)
{
    (void)state;
    char copy[4096];
    snprintf(copy, sizeof copy, "%s.setuid-%ld", program, (long)getpid());
    int status = 77 << 8;
    if (geteuid() == 0 && copy_file("/proc/self/exe", copy) && chown(copy, 65534, 65534) == 0 && chmod(copy, 04755) == 0) {
        setenv("LANGFUSE_EXPORTER", "file:/tmp/chosen-by-an-attacker", 1);
        pid_t child = fork();
        if (child == 0) {
            execl(copy, copy, "--setuid", (char *)NULL);
            _exit(77);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
    }
    unlink(copy);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        print_message("SKIP: needs root and a file system that honours setuid\n");
        skip();
    }
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(int argc, char **argv)
{
    program = argv[0];
    if (argc > 1 && strcmp(argv[1], "--setuid") == 0)
        _exit(report_as_setuid_program()); /* without a leak checker, which may not look into such a process */
#define CASE(test) cmocka_unit_test_setup(test, start_clean)
    const struct CMUnitTest tests[] = {
        CASE(without_keys_one_line_names_what_is_missing_and_later_calls_are_silent),
        CASE(insecure_warns_once_in_a_process),
        CASE(keys_alone_give_the_documented_defaults),
        CASE(key_options_win_over_the_environment),
        CASE(keys_with_control_characters_are_refused_without_being_shown),
        CASE(keys_in_the_wrong_place_or_shape_are_told_before_anything_is_sent),
        CASE(the_secret_key_may_be_the_first_line_of_a_file),
        CASE(a_file_without_a_usable_key_is_told_in_one_line),
        CASE(a_key_file_is_read_again_when_its_key_is_refused),
        CASE(a_short_struct_of_an_older_program_is_understood),
        CASE(authorization_is_basic_and_padded_as_base64_demands),
        CASE(the_last_reference_frees_a_configuration),
        CASE(the_mask_is_taken_over),
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
        CASE(base_urls_are_normalised),
        CASE(a_socket_of_the_machine_has_an_absolute_path),
        CASE(a_bad_base_url_switches_off_with_one_line_instead_of_sending_elsewhere),
        CASE(a_password_in_the_base_url_is_refused_and_not_shown),
        CASE(base_url_comes_from_option_then_base_url_then_host),
        CASE(the_export_path_may_be_changed),
        CASE(texts_come_from_option_then_variables_in_their_order),
        CASE(environment_names_follow_the_servers_rule),
        CASE(protocol_is_protobuf_or_json),
        CASE(exporter_is_otlp_ingestion_or_a_file),
        CASE(headers_from_the_environment_are_percent_decoded),
        CASE(header_options_come_on_top_and_replace_without_regard_to_case),
        CASE(bad_headers_are_left_out_with_a_line_that_does_not_show_their_value),
        CASE(a_secret_key_in_another_variable_is_not_shown),
        CASE(resource_attributes_and_the_service_name_come_from_their_variables),
        CASE(the_curl_hook_is_taken_over),
        CASE(a_bad_debug_variable_is_told_to_the_log_callback_too),
        CASE(how_much_is_said_is_an_option_or_a_variable),
        CASE(what_is_no_level_and_no_path_is_told),
        CASE(a_log_file_that_cannot_be_opened_leaves_stderr),
        CASE(a_log_may_be_a_file),
        CASE(switched_off_by_hand_is_said_in_debug_mode_only),
        CASE(a_line_stays_one_line_and_the_secret_out_of_it_whatever_is_wrong),
        CASE(out_of_memory_at_any_allocation_gives_null_and_leaks_nothing),
        CASE(a_setuid_program_does_not_listen_to_the_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
