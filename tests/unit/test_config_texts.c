/* Options that are URLs, names and headers: which of them wins, and what a bad value leads to. */
#include "config_cases.h"

#include "../../src/base/gzip.h"

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

/* With zlib: test_gzip.c. */
static void without_zlib_compression_that_is_asked_for_is_told(void **state)
{
    (void)state;
    if (lf__gzip_can())
        return;
    setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip", 1); /* of the whole deployment, perhaps */
    lf__config *config = MAKE(.timeout_ms = 0);
    assert_false(config->gzip);
    assert_int_equal(lines_with(""), 0);
    lf__config_free(config);
    setenv("LANGFUSE_OTEL_COMPRESSION", "gzip", 1);
    config = MAKE(.timeout_ms = 0);
    assert_false(config->gzip);
    ASSERT_ONE_LINE("LANGFUSE_OTEL_COMPRESSION=gzip: this library was built without GZIP=1");
    lf__config_free(config);
    setenv("LANGFUSE_OTEL_COMPRESSION", "none", 1);
    config = MAKE(.timeout_ms = 0);
    assert_int_equal(lines_with(""), 0);
    lf__config_free(config);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(base_urls_are_normalised),
        CASE(a_socket_of_the_machine_has_an_absolute_path),
        CASE(a_bad_base_url_switches_off_with_one_line_instead_of_sending_elsewhere),
        CASE(a_password_in_the_base_url_is_refused_and_not_shown),
        CASE(base_url_comes_from_option_then_base_url_then_host),
        CASE(the_export_path_may_be_changed),
        CASE(texts_come_from_option_then_variables_in_their_order),
        CASE(environment_names_follow_the_servers_rule),
        CASE(protocol_is_protobuf_or_json),
        CASE(without_zlib_compression_that_is_asked_for_is_told),
        CASE(exporter_is_otlp_ingestion_or_a_file),
        CASE(headers_from_the_environment_are_percent_decoded),
        CASE(header_options_come_on_top_and_replace_without_regard_to_case),
        CASE(bad_headers_are_left_out_with_a_line_that_does_not_show_their_value),
        CASE(a_secret_key_in_another_variable_is_not_shown),
        CASE(resource_attributes_and_the_service_name_come_from_their_variables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
