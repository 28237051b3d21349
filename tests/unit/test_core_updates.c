/* What is said of an open observation. */
#include "core_harness.h"

static NOINLINE void leaf(void)
{
    OBSERVE();
}

static NOINLINE void around_leaf(void)
{
    OBSERVE();
    leaf();
}

static NOINLINE void updates_around(void)
{
    OBSERVE();
    lf_update_current_observation(.model = "one", .metadata = LF_OBJECT("a", 1, "b", 1));
    leaf();
    lf_update_current_observation(.model = "two", .metadata = LF_OBJECT("b", 2, "c", "three"));
    around_leaf();
    lf_update_current_observation(.status_message = "late", .level = LF_LEVEL_WARNING, .usage_details = LF_OBJECT("input", 5));
    OBSERVE_OUTPUT("first");
    leaf();
    OBSERVE_OUTPUT("second");
}

TEST(updates_merge_also_after_inner_ones_ended)
{
    start();
    updates_around();
    collect();
    const cJSON *span = span_named("updates_around");
    CHECK_SAID(span, "model.name", "two");
    CHECK_SAID(span, "metadata.a", "1");
    CHECK_SAID(span, "metadata.b", "2");
    CHECK_SAID(span, "metadata.c", "three");
    CHECK_SAID(span, "status_message", "late");
    CHECK_SAID(span, "level", "WARNING");
    CHECK_SAID(span, "usage_details", "{\"input\":5}");
    CHECK_SAID(span, "output", "second");
    for (size_t i = 0; i < 2; i++)
        CHECK_CHILD(nth_named("leaf", i == 0 ? 0 : 2), span);
    CHECK_CHILD(span_named("around_leaf"), span);
}

static NOINLINE int level_three(void)
{
    OBSERVE();
    OBSERVE_RETURN(3);
}

static NOINLINE int level_two(void)
{
    OBSERVE();
    int below = level_three();
    OBSERVE_RETURN(below * 10 + 2);
}

static NOINLINE int level_one(void)
{
    OBSERVE();
    level_two();
    level_three();
    {
        OBSERVE_WITH((.name = "block"));
        OBSERVE_OUTPUT("of the block");
    }
    OBSERVE_RETURN(1);
}

TEST(a_returned_value_lands_at_its_own_level)
{
    start();
    CHECK_INT(level_one(), 1);
    collect();
    CHECK_SAID(span_named("level_one"), "output", "1");
    CHECK_SAID(span_named("level_two"), "output", "32");
    CHECK_SAID(nth_named("level_three", 0), "output", "3");
    CHECK_SAID(nth_named("level_three", 1), "output", "3");
    CHECK_SAID(span_named("block"), "output", "of the block");
}

static int sum_of_ten(int a, int b, int c, int d, int e, int f, int g, int h, int i, int j);

static NOINLINE int sum_of_ten(int a, int b, int c, int d, int e, int f, int g, int h, int i, int j)
{
    OBSERVE(a, j);
    OBSERVE_RETURN(a + b + c + d + e + f + g + h + i + j);
}

/* The machine stack grows and shrinks inside a function: alloca, arrays of a length known at run time, arguments passed in
 * memory. None of it may look like a longjmp. */
static NOINLINE int moves_its_stack(int n)
{
    int sum = sum_of_ten(1, 2, 3, 4, 5, 6, 7, 8, 9, n);
    OBSERVE(n);
    {
        volatile char room[n];
        room[0] = 1;
        OBSERVE_WITH((.name = "with array"));
        sum += sum_of_ten(1, 2, 3, 4, 5, 6, 7, 8, 9, room[0]);
    }
    volatile char *room = __builtin_alloca((size_t)n);
    room[0] = 2;
    sum += sum_of_ten(1, 2, 3, 4, 5, 6, 7, 8, 9, room[0]);
    OBSERVE_OUTPUT(sum);
    return sum + sum_of_ten(1, 2, 3, 4, 5, 6, 7, 8, 9, n);
}

TEST(a_function_may_move_its_machine_stack)
{
    start();
    moves_its_stack(5000);
    collect();
    const cJSON *outer = span_named("moves_its_stack"), *block = span_named("with array");
    CHECK_INT(span_count, 6);
    CHECK_SAID(outer, "metadata.incomplete", "");
    CHECK_SAID(block, "metadata.incomplete", "");
    CHECK_SAID(outer, "output", "5138");
    CHECK_ROOT(nth_named("sum_of_ten", 0));
    CHECK_CHILD(block, outer);
    CHECK_CHILD(nth_named("sum_of_ten", 1), block);
    CHECK_CHILD(nth_named("sum_of_ten", 2), outer);
    CHECK_CHILD(nth_named("sum_of_ten", 3), outer);
    CHECK_INT(stats_now().misused, 0);
}

static NOINLINE void streams(void)
{
    OBSERVE_GENERATION();
    lf_output_append("Hel", 3);
    lf_output_append("lo, ", 4);
    leaf(); /* between pieces */
    lf_output_append("w\xc3", 2);
    lf_output_append("\xb6rld", 4); /* a letter may be cut in two */
    lf_output_append(NULL, 5);
    lf_output_append("", 0);
}

TEST(streamed_pieces_are_joined_and_the_first_is_stamped)
{
    start();
    streams();
    collect();
    const cJSON *span = span_named("streams");
    CHECK_SAID(span, "output", "Hello, w\xc3\xb6rld");
    const char *stamp = said(span, "completion_start_time");
    CHECK(strlen(stamp) > 10 && memchr(stamp, 'T', 20) != NULL);
    CHECK_CHILD(span_named("leaf"), span);
}

static NOINLINE void streams_slowly(void)
{
    OBSERVE();
    lf_output_append("a", 1);
    sleep_ms(30);
    lf_output_append("b", 1);
}

static int64_t nanoseconds_of(const cJSON *span, const char *key)
{
    return strtoll(text_of(span, key), NULL, 10);
}

TEST(only_the_first_piece_is_stamped)
{
    start();
    streams_slowly();
    collect();
    const cJSON *span = span_named("streams_slowly");
    CHECK_SAID(span, "output", "ab");
    /* The stamp is a time text with fractions; in it the first piece lies at the start, 30 ms before the end. */
    const char *first_stamp = said(span, "completion_start_time");
    const char *point = strchr(first_stamp, '.');
    CHECK(point != NULL);
    int64_t start_ns = nanoseconds_of(span, "startTimeUnixNano"), end_ns = nanoseconds_of(span, "endTimeUnixNano");
    CHECK(end_ns - start_ns >= 30000000);
    struct tm parts = {0};
    CHECK(strptime(first_stamp + (first_stamp[0] == '"'), "%Y-%m-%dT%H:%M:%S", &parts) != NULL);
    int64_t stamp_ns = (int64_t)timegm(&parts) * 1000000000 + (int64_t)(strtod(point, NULL) * 1e9);
    CHECK(stamp_ns >= start_ns - 1000000);
    CHECK(stamp_ns <= end_ns - 29000000);
}

TEST(an_update_without_an_open_observation_does_nothing)
{
    start();
    leaf();
    lf_update_current_observation(.name = "nobody", .output = LF_VALUE("x"));
    OBSERVE_OUTPUT("x");
    OBSERVE_ERROR("x");
    lf_output_append("x", 1);
    lf_update_current_observation_with(NULL);
    collect();
    CHECK_INT(span_count, 1);
    CHECK_SAID(span_named("leaf"), "output", "");
    CHECK_SAID(span_named("leaf"), "level", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(updates_merge_also_after_inner_ones_ended),
        cmocka_unit_test(a_returned_value_lands_at_its_own_level),
        cmocka_unit_test(a_function_may_move_its_machine_stack),
        cmocka_unit_test(streamed_pieces_are_joined_and_the_first_is_stamped),
        cmocka_unit_test(only_the_first_piece_is_stamped),
        cmocka_unit_test(an_update_without_an_open_observation_does_nothing),
    };
    return cmocka_run_group_tests_name("core: updates", tests, NULL, NULL);
}
