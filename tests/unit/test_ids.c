/* Ids: random ones, those made of a seed, and those that a program brings along. */
#include "cases.h"

#include "../../src/base/ids.h"

static const char *const seed_id = "6cec55478a541a9eb2b3bfd6c8ba5670"; /* of "req_12345", in every Langfuse SDK */

static bool is_hex(const char *text, size_t digits)
{
    return strlen(text) == digits && strspn(text, "0123456789abcdef") == digits && strspn(text, "0") != digits;
}

/* Python: test_trace_id_with_seed */
TEST(a_seed_gives_the_first_16_bytes_of_its_sha256)
{
    char id[LF_TRACE_ID_SIZE];
    lf_create_trace_id("req_12345", id);
    CHECK_TEXT(id, seed_id);
    lf_create_trace_id("abc", id);
    CHECK_TEXT(id, "ba7816bf8f01cfea414140de5dae2223");
}

/* Python: test_id_generation_consistency, test_different_seeds_generate_different_ids */
TEST(equal_seeds_agree_and_others_differ)
{
    char first[LF_TRACE_ID_SIZE], again[LF_TRACE_ID_SIZE], other[LF_TRACE_ID_SIZE];
    lf_create_trace_id("user-1", first);
    lf_create_trace_id("user-1", again);
    lf_create_trace_id("user-2", other);
    CHECK_TEXT(first, again);
    CHECK(strcmp(first, other) != 0);
}

TEST(without_a_seed_ids_are_random)
{
    enum { COUNT = 1000 };
    static char ids[COUNT][LF_TRACE_ID_SIZE];
    const char *texts[COUNT];
    for (int i = 0; i < COUNT; i++) {
        lf_create_trace_id(i % 2 == 0 ? NULL : "", ids[i]);
        CHECK(is_hex(ids[i], 32));
        texts[i] = ids[i];
    }
    CHECK_INT(count_different(texts, COUNT), COUNT);
}

TEST(making_an_id_starts_nothing_and_works_while_tracing_is_off)
{
    char id[LF_TRACE_ID_SIZE];
    lf_create_trace_id("req_12345", id);
    CHECK_TEXT(id, seed_id);
    CHECK_INT(lf_i_mode_word, LF_I_UNKNOWN);
    lf_options options = {LF_OPTIONS_INIT, .tracing = LF_OFF, .log = keep_line};
    CHECK_INT(lf_init(&options), LF_ERR_DISABLED);
    lf_create_trace_id("req_12345", id);
    CHECK_TEXT(id, seed_id);
}

TEST(errno_survives)
{
    char id[LF_TRACE_ID_SIZE];
    errno = 77;
    lf_create_trace_id(NULL, id);
    lf_create_trace_id("seed", id);
    CHECK_INT(errno, 77);
}

/* ---- Reading ------------------------------------------------------------------------------------------------------------ */

TEST(hex_of_the_right_length_is_an_id_anything_else_is_text)
{
    uint8_t id[16];
    CHECK(lf__id_parse(seed_id, id, 16));
    CHECK(lf__id_parse("6CEC55478A541A9EB2B3BFD6C8BA5670", id, 16));
    CHECK_INT(id[0], 0x6c);
    CHECK_INT(id[15], 0x70);
    CHECK(!lf__id_parse("", id, 16));
    CHECK(!lf__id_parse("6cec55478a541a9eb2b3bfd6c8ba567", id, 16));    /* 31 */
    CHECK(!lf__id_parse("6cec55478a541a9eb2b3bfd6c8ba56700", id, 16));  /* 33 */
    CHECK(!lf__id_parse("6cec55478a541a9eb2b3bfd6c8ba567g", id, 16));
    CHECK(!lf__id_parse("6cec5547-8a54-1a9e-b2b3-bfd6c8ba5670", id, 16)); /* a UUID is text */
    CHECK(!lf__id_parse("00000000000000000000000000000000", id, 16));
    CHECK(lf__id_parse("6cec55478a541a9e", id, 8));
    CHECK(!lf__id_parse("0000000000000000", id, 8));
}

TEST(what_is_written_can_be_read)
{
    uint8_t id[16], again[16];
    char text[LF_TRACE_ID_SIZE];
    for (int i = 0; i < 16; i++)
        id[i] = (uint8_t)(i * 17 + 1);
    lf__id_write(id, sizeof id, text);
    CHECK(is_hex(text, 32));
    CHECK(lf__id_parse(text, again, sizeof again));
    CHECK(memcmp(id, again, sizeof id) == 0);
}

/* ---- Observations in a trace of a given id ------------------------------------------------------------------------------ */

static void observe_in(const char *trace_id)
{
    OBSERVE_WITH((.trace_id = trace_id));
}

/* Python: test_custom_trace_id */
TEST(a_trace_id_of_hex_digits_is_taken_as_it_is)
{
    start();
    observe_in(seed_id);
    collect();
    CHECK_TEXT(trace_of(spans[0]), seed_id);
    CHECK_ROOT(spans[0]);
    CHECK_APP_ROOT(spans[0]);
    CHECK_HAS_NOT(spans[0], "langfuse.trace.metadata.external_trace_id");
}

TEST(capital_digits_mean_the_same_trace)
{
    start();
    observe_in("6CEC55478A541A9EB2B3BFD6C8BA5670");
    collect();
    CHECK_TEXT(trace_of(spans[0]), seed_id);
}

TEST(any_other_trace_id_is_hashed_and_kept_beside)
{
    start();
    observe_in("req_12345");
    collect();
    CHECK_TEXT(trace_of(spans[0]), seed_id);
    CHECK_HAS(spans[0], "langfuse.trace.metadata.external_trace_id", "req_12345");
}

TEST(zeros_and_an_empty_text_are_no_trace_ids)
{
    start();
    observe_in("00000000000000000000000000000000");
    observe_in("");
    observe_in(NULL);
    collect();
    CHECK_INT(span_count, 3);
    for (size_t i = 0; i < 3; i++)
        CHECK(is_hex(trace_of(spans[i]), 32));
    CHECK(strcmp(trace_of(spans[1]), trace_of(spans[2])) != 0);
}

/* Python: test_observation_id_with_seed */
TEST(an_observation_id_may_be_any_text_and_processes_agree)
{
    start();
    lf_observation *o = lf_start_observation(.name = "o", .trace_id = "t", .id = "req_12345");
    char id[LF_OBSERVATION_ID_SIZE];
    CHECK(lf_observation_id(o, id));
    CHECK_TEXT(id, "6cec55478a541a9e");
    lf_observation_end(o);
    lf_observation *child = lf_start_observation(.name = "child", .trace_id = "t", .parent_observation_id = "req_12345");
    lf_observation_end(child);
    collect();
    CHECK_TEXT(id_of(span_named("o")), "6cec55478a541a9e");
    CHECK_CHILD(span_named("child"), span_named("o"));
    CHECK_HAS(span_named("o"), "langfuse.observation.metadata.external_id", "req_12345");
}

TEST(an_observation_id_of_hex_digits_is_taken_as_it_is)
{
    start();
    lf_observation_end(lf_start_observation(.name = "o", .id = "00f067aa0ba902b7"));
    collect();
    CHECK_TEXT(id_of(spans[0]), "00f067aa0ba902b7");
}

enum { THREADS = 4, EACH = 500 };

static void *observe_many(void *unused)
{
    (void)unused;
    for (int i = 0; i < EACH; i++)
        lf_observation_end(lf_start_observation(.name = "o"));
    return NULL;
}

TEST(ids_of_many_observations_in_many_threads_differ)
{
    start();
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, observe_many, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    collect();
    CHECK_INT(span_count, THREADS * EACH);
    CHECK_INT(count_different_ids(), THREADS * EACH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seed_gives_the_first_16_bytes_of_its_sha256),
        cmocka_unit_test(equal_seeds_agree_and_others_differ),
        cmocka_unit_test(without_a_seed_ids_are_random),
        cmocka_unit_test(making_an_id_starts_nothing_and_works_while_tracing_is_off),
        cmocka_unit_test(errno_survives),
        cmocka_unit_test(hex_of_the_right_length_is_an_id_anything_else_is_text),
        cmocka_unit_test(what_is_written_can_be_read),
        cmocka_unit_test(a_trace_id_of_hex_digits_is_taken_as_it_is),
        cmocka_unit_test(capital_digits_mean_the_same_trace),
        cmocka_unit_test(any_other_trace_id_is_hashed_and_kept_beside),
        cmocka_unit_test(zeros_and_an_empty_text_are_no_trace_ids),
        cmocka_unit_test(an_observation_id_may_be_any_text_and_processes_agree),
        cmocka_unit_test(an_observation_id_of_hex_digits_is_taken_as_it_is),
        cmocka_unit_test(ids_of_many_observations_in_many_threads_differ),
    };
    return cmocka_run_group_tests_name("ids", tests, NULL, NULL);
}
