/* What the tests of options and environment share: a clean environment with keys, and what one configuration has to say. */
#ifndef LF_TESTS_CONFIG_CASES_H
#define LF_TESTS_CONFIG_CASES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/base/config.h"
#include "fixture.h"

#include <unistd.h>

#define PUBLIC "pk-lf-public"
#define SECRET "sk-lf-most-secret"

static inline int start_clean(void **state)
{
    (void)state;
    fixture_clean_environment();
    setenv("LANGFUSE_PUBLIC_KEY", PUBLIC, 1);
    setenv("LANGFUSE_SECRET_KEY", SECRET, 1);
    lines_forget();
    return 0;
}

/* A configuration from these options and the environment; what it has to say goes to the captured lines. */
static inline lf__config *make(lf_options options)
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

static inline void assert_one_line(const char *const *texts)
{
    if (lines_with("") != 1)
        fail_msg("%zu lines instead of one; the first: %s", lines_with(""), line_at(0));
    assert_null(strchr(line_at(0), '\n'));
    for (; *texts != NULL; texts++)
        if (strstr(line_at(0), *texts) == NULL)
            fail_msg("\"%s\" is not in: %s", *texts, line_at(0));
}

#define CASE(test) cmocka_unit_test_setup(test, start_clean)

/* A file with a secret key. */
static char key_path[64];

static inline const char *key_file_with(const char *text, size_t size)
{
    snprintf(key_path, sizeof key_path, "/tmp/langfuse-test-key-%ld", (long)getpid());
    FILE *file = fopen(key_path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    return key_path;
}

static inline const char *key_file(const char *text)
{
    return key_file_with(text, strlen(text));
}

#endif
