/* The variables that point a program at a server, and how sh reads them back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../server/environment.h"

#include <stdio.h>
#include <string.h>

static const environment_wish wish = {.base_url = "http://127.0.0.1:4711", .public_key = "pk", .secret_key = "sk"};

/* All variables of the changed environment, sorted as they stand, between bars. */
static void assert_environment(char *const *base, const environment_wish *wanted, const char *expected)
{
    arena a = {0};
    environment_changes changes;
    buf out = {0};
    environment_plan(&a, base, wanted, &changes);
    char **got = environment_apply(&a, base, &changes);
    assert_non_null(got);
    for (size_t i = 0; got[i] != NULL; i++) {
        buf_string(&out, got[i]);
        buf_char(&out, '|');
    }
    buf_char(&out, '\0');
    assert_string_equal(out.at, expected);
    buf_free(&out);
    arena_free(&a);
}

static void assert_lines(char *const *base, const environment_wish *wanted, const char *expected)
{
    arena a = {0};
    environment_changes changes;
    buf out = {0};
    environment_plan(&a, base, wanted, &changes);
    environment_write(&out, &changes);
    buf_char(&out, '\0');
    assert_string_equal(out.at, expected);
    buf_free(&out);
    arena_free(&a);
}

static void address_and_keys_replace_those_that_are_there(void **state)
{
    char *const base[] = {"HOME=/h", "LANGFUSE_SECRET_KEY=real", "LANGFUSE_LOG=debug", "LANGFUSE_SECRET_KEYS=other", "odd", NULL};
    (void)state;
    assert_environment(base, &wish,
                       "HOME=/h|LANGFUSE_LOG=debug|LANGFUSE_SECRET_KEYS=other|odd|LANGFUSE_BASE_URL=http://127.0.0.1:4711|"
                       "LANGFUSE_PUBLIC_KEY=pk|LANGFUSE_SECRET_KEY=sk|no_proxy=127.0.0.1,localhost|NO_PROXY=127.0.0.1,localhost|");
}

static void what_would_lead_elsewhere_is_changed_where_it_is_set(void **state)
{
    char *const base[] = {"LANGFUSE_HOST=https://eu", "LANGFUSE_OTEL_TRACES_EXPORT_PATH=v1/traces", "no_proxy=*", NULL};
    (void)state;
    assert_lines(base, &wish,
                 "export LANGFUSE_BASE_URL=http://127.0.0.1:4711\n"
                 "export LANGFUSE_HOST=http://127.0.0.1:4711\n"
                 "export LANGFUSE_PUBLIC_KEY=pk\n"
                 "export LANGFUSE_SECRET_KEY=sk\n"
                 "unset LANGFUSE_OTEL_TRACES_EXPORT_PATH\n"
                 "export no_proxy='*'\n"
                 "export NO_PROXY='*'\n");
    assert_environment(base, &wish,
                       "LANGFUSE_BASE_URL=http://127.0.0.1:4711|LANGFUSE_HOST=http://127.0.0.1:4711|LANGFUSE_PUBLIC_KEY=pk|"
                       "LANGFUSE_SECRET_KEY=sk|no_proxy=*|NO_PROXY=*|");
}

static void the_loopback_joins_hosts_that_need_no_proxy(void **state)
{
    char *const one[] = {"NO_PROXY=corp.example, localhost", "no_proxy=", NULL};
    char *const both[] = {"no_proxy=a,127.0.0.1", "NO_PROXY=b", NULL};
    (void)state;
    assert_environment(one, &wish,
                       "LANGFUSE_BASE_URL=http://127.0.0.1:4711|LANGFUSE_PUBLIC_KEY=pk|LANGFUSE_SECRET_KEY=sk|"
                       "no_proxy=corp.example, localhost,127.0.0.1|NO_PROXY=corp.example, localhost,127.0.0.1|");
    assert_environment(both, &wish,
                       "LANGFUSE_BASE_URL=http://127.0.0.1:4711|LANGFUSE_PUBLIC_KEY=pk|LANGFUSE_SECRET_KEY=sk|"
                       "no_proxy=a,127.0.0.1,localhost|NO_PROXY=b,127.0.0.1,localhost|");
}

static void a_preloaded_library_stands_first_and_once(void **state)
{
    char *const none[] = {"LD_PRELOAD=", NULL}, *const other[] = {"LD_PRELOAD=/x/a.so /y/b.so", NULL};
    char *const there[] = {"LD_PRELOAD=/x/a.so:/l/curl.so", NULL};
    environment_wish preload = wish;
    (void)state;
    preload.preload = "/l/curl.so";
    preload.children = true;
    const char *const rest = "LANGFUSE_BASE_URL=http://127.0.0.1:4711|LANGFUSE_PUBLIC_KEY=pk|LANGFUSE_SECRET_KEY=sk|"
                             "no_proxy=127.0.0.1,localhost|NO_PROXY=127.0.0.1,localhost|";
    char expected[400];
    snprintf(expected, sizeof expected, "%sLD_PRELOAD=/l/curl.so|LANGFUSE_CURL_CHILDREN=true|", rest);
    assert_environment(none, &preload, expected);
    snprintf(expected, sizeof expected, "%sLD_PRELOAD=/l/curl.so:/x/a.so /y/b.so|LANGFUSE_CURL_CHILDREN=true|", rest);
    assert_environment(other, &preload, expected);
    snprintf(expected, sizeof expected, "LD_PRELOAD=/x/a.so:/l/curl.so|%sLANGFUSE_CURL_CHILDREN=true|", rest);
    assert_environment(there, &preload, expected);
    assert_true(environment_can_preload("/l/curl.so"));
    assert_false(environment_can_preload("/my lib/curl.so") || environment_can_preload("/a:b/curl.so") ||
                 environment_can_preload(""));
}

static void words_are_quoted_for_a_shell(void **state)
{
    static const struct {
        const char *word, *quoted;
    } cases[] = {{"plain-1.2/x", "plain-1.2/x"},
                 {"", "''"},
                 {"two words", "'two words'"},
                 {"it's", "'it'\\''s'"},
                 {"$(id)`id`\\", "'$(id)`id`\\'"},
                 {"a\nb", "'a\nb'"},
                 {"~", "'~'"},
                 {"\xC3\xA9", "'\xC3\xA9'"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf out = {0};
        environment_quote(&out, text_of(cases[i].word));
        assert_true(text_is(buf_view(&out), cases[i].quoted));
        buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(address_and_keys_replace_those_that_are_there),
        cmocka_unit_test(what_would_lead_elsewhere_is_changed_where_it_is_set),
        cmocka_unit_test(the_loopback_joins_hosts_that_need_no_proxy),
        cmocka_unit_test(a_preloaded_library_stands_first_and_once),
        cmocka_unit_test(words_are_quoted_for_a_shell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
