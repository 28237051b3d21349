/* Keys by option, variable and file, and what a configuration is without any other option. */
#include "config_cases.h"

#include <sys/stat.h>
#include <unistd.h>

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

int main(void)
{
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
