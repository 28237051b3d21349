/* Times in a trace belong together, whatever happens to the wall clock while it is open; and a clock that is not set is waited for.
 */
#include "core_harness.h"

#include "../../src/deliver/trace_clock.h"

#include <sys/syscall.h>

/* The wall clock of this program: the real one, moved by so many seconds. */
static _Atomic long moved_s;

int clock_gettime(clockid_t clock, struct timespec *out)
{
    long result = syscall(SYS_clock_gettime, clock, out);
    if (clock == CLOCK_REALTIME)
        out->tv_sec += atomic_load(&moved_s);
    return (int)result;
}

static long real_s(void)
{
    struct timespec now;
    syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
    return now.tv_sec;
}

static uint64_t time_of(const cJSON *span, const char *name)
{
    const cJSON *text = cJSON_GetObjectItem(span, name);
    CHECK(cJSON_IsString(text));
    return strtoull(text->valuestring, NULL, 10);
}

static void check_within(const cJSON *child, const cJSON *parent)
{
    CHECK(time_of(parent, "startTimeUnixNano") <= time_of(child, "startTimeUnixNano"));
    CHECK(time_of(child, "startTimeUnixNano") <= time_of(child, "endTimeUnixNano"));
    CHECK(time_of(child, "endTimeUnixNano") <= time_of(parent, "endTimeUnixNano"));
}

static void check_began_near(const cJSON *span, long s)
{
    long began = (long)(time_of(span, "startTimeUnixNano") / 1000000000u);
    CHECK(began >= s - 60 && began <= s + 60);
}

static NOINLINE void child(int i)
{
    OBSERVE(i);
}

static NOINLINE void parent(long step_s)
{
    OBSERVE();
    child(0);
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
    atomic_fetch_add(&moved_s, step_s);
    child(1);
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
    child(2);
}

static void check_step(long step_s)
{
    start();
    parent(step_s);
    child(3); /* a trace of its own, at the new time */
    collect();
    CHECK_INT(span_count, 5);
    for (size_t i = 0; i < 3; i++)
        check_within(nth_named("child", i), span_named("parent"));
    check_began_near(span_named("parent"), real_s());
    check_began_near(nth_named("child", 3), real_s() + step_s);
}

TEST(a_clock_that_is_set_back_tears_no_trace)
{
    check_step(-3600);
}

TEST(a_clock_that_is_set_forward_tears_no_trace)
{
    check_step(7200);
}

static void child_of_a_process(void)
{
    child(1);
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
}

static NOINLINE void parent_of_a_process(void)
{
    OBSERVE();
    child(0);
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
    atomic_fetch_add(&moved_s, 3600);
    pid_t process = fork();
    if (process == 0) {
        child_of_a_process();
        _exit(0);
    }
    CHECK_INT(end_of_child(process), 0);
}

TEST(nor_is_a_trace_that_goes_on_in_a_forked_child)
{
    SKIP_WHERE_FORK_IS_NOT_SUPPORTED(nor_is_a_trace_that_goes_on_in_a_forked_child);
    start();
    parent_of_a_process();
    collect();
    CHECK_INT(span_count, 3);
    for (size_t i = 0; i < 2; i++)
        check_within(nth_named("child", i), span_named("parent_of_a_process"));
}

TEST(what_is_observed_before_the_clock_is_set_is_sent_with_the_time_that_it_is_set_to)
{
    atomic_store(&moved_s, -real_s() + 100); /* 1970 */
    lf_options options = to_file(harness_path);
    options.flush_interval_ms = 10;
    CHECK_INT(lf_init(&options), LF_OK);
    child(0);
    CHECK_INT(lf_flush(200), LF_ERR_TIMEOUT);
    CHECK_INT(stats_now().delivered, 0);
    CHECK_INT(atomic_load(&harness_log_lines), 1);
    atomic_store(&moved_s, 0);
    CHECK_SOON(stats_now().delivered == 1);
    collect();
    check_began_near(span_named("child"), real_s());
    CHECK_INT(atomic_load(&harness_log_lines), 1);
}

static void end_in_1970(void)
{
    atomic_store(&moved_s, -real_s() + 100);
    start();
    child(0);
}

TEST(at_the_end_it_is_sent_with_the_time_there_is)
{
    CHECK_INT(end_of(end_in_1970), 0);
    read_spans(harness_path);
    CHECK_INT(span_count, 1);
    check_began_near(span_named("child"), 100);
}

static void id_of_number(uint32_t number, uint8_t id[16])
{
    memset(id, 0xa5, 16);
    memcpy(id, &number, sizeof number);
    memcpy(id + 9, &number, sizeof number);
}

TEST(the_table_keeps_what_was_seen_last)
{
    lf__trace_clocks *clocks = lf__trace_clocks_new();
    CHECK(clocks != NULL);
    uint8_t old[16], id[16];
    id_of_number(0, old);
    CHECK_INT(lf__trace_clock(clocks, old, 7), 7);
    for (uint32_t i = 1; i < 100000; i++) {
        id_of_number(i, id);
        CHECK_INT(lf__trace_clock(clocks, id, (int64_t)i), (int64_t)i);
        CHECK_INT(lf__trace_clock(clocks, old, -1), 7); /* seen again and again */
    }
    CHECK_INT(lf__trace_clock(clocks, id, -1), 99999);
    id_of_number(1, id);
    CHECK_INT(lf__trace_clock(clocks, id, -1), -1); /* forgotten */
    CHECK_INT(lf__trace_clock(NULL, old, 5), 5);
    lf__trace_clocks_free(clocks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clock_that_is_set_back_tears_no_trace),
        cmocka_unit_test(a_clock_that_is_set_forward_tears_no_trace),
        cmocka_unit_test(nor_is_a_trace_that_goes_on_in_a_forked_child),
        cmocka_unit_test(what_is_observed_before_the_clock_is_set_is_sent_with_the_time_that_it_is_set_to),
        cmocka_unit_test(at_the_end_it_is_sent_with_the_time_there_is),
        cmocka_unit_test(the_table_keeps_what_was_seen_last),
    };
    return cmocka_run_group_tests_name("time", tests, NULL, NULL);
}
