/* What a configuration says, where it goes, and that no secret ever stands in a line we write. */
#include "config_cases.h"

#include <unistd.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_curl_hook_is_taken_over),
        CASE(a_bad_debug_variable_is_told_to_the_log_callback_too),
        CASE(how_much_is_said_is_an_option_or_a_variable),
        CASE(what_is_no_level_and_no_path_is_told),
        CASE(a_log_file_that_cannot_be_opened_leaves_stderr),
        CASE(a_log_may_be_a_file),
        CASE(switched_off_by_hand_is_said_in_debug_mode_only),
        CASE(a_line_stays_one_line_and_the_secret_out_of_it_whatever_is_wrong),
        CASE(out_of_memory_at_any_allocation_gives_null_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
