/* Whatever is called, in whatever order and with whatever values: see tests/fuzz/calls.h. Always the same runs, unless
 * CALLS_SEED says the first one of each test and CALLS_SEEDS how many.
 */
#include "core_harness.h"

#include "../fuzz/calls.h"

#include <sys/resource.h>

static uint64_t calls_number(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

static void run_seeds(uint64_t seed, int count)
{
    uint64_t first = calls_number("CALLS_SEED", seed), end = first + calls_number("CALLS_SEEDS", (uint64_t)rounds(count));
    for (seed = first; seed < end; seed++)
        calls_run_seed(seed, "file:/dev/null");
    CHECK(calls_records > 0 && calls_texts > 0);
}

TEST(calls_of_any_kind_keep_to_their_limits)
{
    calls_stack_bytes = 16 << 20;
    calls_ring_bytes = 32 << 20;
    run_seeds(0, 700);
}

TEST(where_the_stack_is_small_they_do_too)
{
    calls_stack_bytes = 64 << 10;
    calls_ring_bytes = 1 << 20;
    run_seeds(1000000, 700);
}

TEST(where_the_ring_is_small_they_do_too)
{
    calls_stack_bytes = 1 << 20;
    calls_ring_bytes = 128 << 10;
    run_seeds(2000000, 700);
}

/* The library takes small areas then, or none. */
TEST(where_addresses_are_short_they_do_too)
{
    if (HARNESS_ASAN || HARNESS_TSAN || under_valgrind()) {
        harness_skip("where_addresses_are_short_they_do_too", "the checker needs the addresses");
        return;
    }
    long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    CHECK(statm != NULL && fscanf(statm, "%ld", &pages) == 1);
    fclose(statm);
    rlim_t limit = (rlim_t)pages * CALLS_PAGE + (40 << 20);
    CHECK(setrlimit(RLIMIT_AS, &(struct rlimit){limit, limit}) == 0);
    calls_lack_memory = true;
    run_seeds(3000000, 300);
    CHECK(lf__thread != NULL && lf__thread->ring_size == LF__RING_BYTES_SMALL);
}

/* The file's lines are read back. */
TEST(what_they_leave_in_a_file_is_json)
{
    char exporter[sizeof harness_path + 8];
    snprintf(exporter, sizeof exporter, "file:%s", harness_path);
    calls_stack_bytes = calls_ring_bytes = 1 << 20;
    for (uint64_t seed = 4000000; seed < 4000000u + (unsigned)rounds(100); seed++) {
        calls_run_seed(seed, exporter);
        read_spans(harness_path);
        unlink(harness_path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_of_any_kind_keep_to_their_limits), cmocka_unit_test(where_the_stack_is_small_they_do_too),
        cmocka_unit_test(where_the_ring_is_small_they_do_too),    cmocka_unit_test(where_addresses_are_short_they_do_too),
        cmocka_unit_test(what_they_leave_in_a_file_is_json),
    };
    return cmocka_run_group_tests_name("calls", tests, NULL, NULL);
}
