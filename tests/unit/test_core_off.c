/* What is switched off, or has no keys. */
#include "core_harness.h"

static NOINLINE void leaf(void)
{
    OBSERVE();
}

static NOINLINE int add(int a, int b)
{
    OBSERVE(a, b);
    OBSERVE_RETURN(a + b);
}

static char last_line[1024];

static void keep_line(void *data, const char *line)
{
    atomic_fetch_add((_Atomic int *)data, 1);
    snprintf(last_line, sizeof last_line, "%s", line);
}

static int evaluations;

static NOINLINE int evaluated(int x)
{
    evaluations++;
    return x;
}

static NOINLINE int counting(int x)
{
    OBSERVE(evaluated(x));
    OBSERVE_OUTPUT(evaluated(x));
    OBSERVE_ERROR("never formatted %d", evaluated(x));
    lf_update_current_observation(.name = "x");
    lf_output_append("x", 1);
    OBSERVE_RETURN(evaluated(x));
}

TEST(without_keys_there_is_one_warning_and_then_silence)
{
    _Atomic int lines = 0;
    lf_options options = {LF_OPTIONS_INIT, .log = keep_line, .log_data = &lines};
    CHECK_INT(lf_init(&options), LF_ERR_DISABLED);
    CHECK_INT(atomic_load(&lines), 1);
    CHECK(strstr(last_line, "LANGFUSE_PUBLIC_KEY") != NULL && strstr(last_line, "LANGFUSE_SECRET_KEY") != NULL);
    for (int i = 0; i < 1000; i++)
        CHECK_INT(counting(i), i);
    CHECK_INT(evaluations, 1000); /* what is returned, and nothing else */
    CHECK_INT(lf_init(&options), LF_ERR_DISABLED);
    CHECK_INT(lf_flush(100), LF_ERR_DISABLED);
    CHECK_INT(lf_shutdown(100), LF_ERR_DISABLED);
    CHECK_INT(atomic_load(&lines), 1);
    lf_stats stats = stats_now(), none = {0};
    CHECK(memcmp(&stats, &none, sizeof stats) == 0);
    struct stat status;
    CHECK(stat("/proc/self/task", &status) == 0);
    if (!HARNESS_TSAN)
        CHECK_INT(status.st_nlink, 3); /* ".", ".." and one thread: ours was not started */
    start(); /* keys may come later */
    leaf();
    collect();
    CHECK_INT(span_count, 1);
}

TEST(the_lazy_start_without_keys_warns_once_on_stderr)
{
    char stderr_path[300];
    snprintf(stderr_path, sizeof stderr_path, "%s.stderr", harness_path);
    int before = dup(STDERR_FILENO);
    CHECK(freopen(stderr_path, "w", stderr) != NULL);
    for (int i = 0; i < 100; i++)
        add(i, 1);
    fflush(stderr);
    char text[2000] = "";
    FILE *file = fopen(stderr_path, "r");
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    dup2(before, STDERR_FILENO);
    text[size] = '\0';
    CHECK(size != 0 && strchr(text, '\n') == text + size - 1);
    CHECK(strncmp(text, "langfuse: LANGFUSE_PUBLIC_KEY", 29) == 0);
}

TEST(tracing_can_be_switched_off)
{
    _Atomic int lines = 0;
    setenv("LANGFUSE_TRACING_ENABLED", "false", 1);
    lf_options options = to_file(harness_path);
    options.log = keep_line;
    options.log_data = &lines;
    CHECK_INT(lf_init(&options), LF_ERR_DISABLED);
    CHECK_INT(counting(4), 4);
    CHECK_INT(evaluations, 1);
    CHECK_INT(lf_shutdown(100), LF_ERR_DISABLED);
    CHECK_INT(atomic_load(&lines), 0);
    CHECK(access(harness_path, F_OK) != 0);
}

static NOINLINE int captured_all_the_same(int x)
{
    OBSERVE_WITH((.capture_input = LF_ON, .capture_output = LF_ON), x);
    OBSERVE_RETURN(x);
}

static NOINLINE int said_by_hand(int x)
{
    OBSERVE(evaluated(x));
    OBSERVE_OUTPUT("by hand");
    OBSERVE_RETURN(x);
}

static void observe_without_capture(const char *off)
{
    setenv("LANGFUSE_OBSERVE_DECORATOR_IO_CAPTURE_ENABLED", off, 1);
    start();
    CHECK_INT(add(1, 2), 3);
    CHECK_INT(captured_all_the_same(7), 7);
    CHECK_INT(said_by_hand(8), 8);
    CHECK_INT(evaluations, 0);
    collect();
    CHECK_SAID(span_named("add"), "input", "");
    CHECK_SAID(span_named("add"), "output", "");
    CHECK_SAID(span_named("captured_all_the_same"), "input", "{\"x\":7}");
    CHECK_SAID(span_named("captured_all_the_same"), "output", "7");
    CHECK_SAID(span_named("said_by_hand"), "output", "by hand");
}

TEST(capture_can_be_switched_off_with_false)
{
    observe_without_capture("false");
}

TEST(capture_can_be_switched_off_with_0)
{
    observe_without_capture("0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_keys_there_is_one_warning_and_then_silence),
        cmocka_unit_test(the_lazy_start_without_keys_warns_once_on_stderr),
        cmocka_unit_test(tracing_can_be_switched_off),
        cmocka_unit_test(capture_can_be_switched_off_with_false),
        cmocka_unit_test(capture_can_be_switched_off_with_0),
    };
    return cmocka_run_group_tests_name("core: off", tests, NULL, NULL);
}
