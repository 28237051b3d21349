/* Limits of one observation, and observations that are too deep. */
#include "core_harness.h"

#include "../../src/deliver/worker.h"

static NOINLINE void leaf(void)
{
    OBSERVE();
}

static NOINLINE void around_leaf(void)
{
    OBSERVE();
    leaf();
}

static NOINLINE lf_context *open_and_copy(void)
{
    OBSERVE();
    return lf_context_copy();
}

static char *long_text(size_t size)
{
    char *text = malloc(size + 1);
    CHECK(text != NULL);
    memset(text, 'x', size);
    text[size] = '\0';
    return text;
}

static NOINLINE void takes_much(const char *text)
{
    OBSERVE(text);
    OBSERVE_OUTPUT("the output has a place, too");
}

TEST(an_argument_of_ten_megabytes_is_shortened)
{
    start();
    char *text = long_text(10 << 20);
    takes_much(text);
    free(text);
    collect();
    const cJSON *span = span_named("takes_much");
    size_t size = strlen(said(span, "input"));
    CHECK(size > 400000 && size <= 1000000);
    CHECK_SAID(span, "output", "the output has a place, too");
}

TEST(a_failed_allocation_leaves_errno_alone)
{
    if (HARNESS_ASAN || HARNESS_TSAN) {
        harness_skip("a failed allocation", "the checker ends the process instead");
        return;
    }
    volatile size_t too_much = SIZE_MAX / 2;
    errno = 77;
    CHECK(lf__alloc(too_much) == NULL);
    CHECK_INT(errno, 77);
    CHECK(lf__realloc(NULL, too_much) == NULL);
    CHECK_INT(errno, 77);
}

static NOINLINE void updates_much(const char *text)
{
    OBSERVE(1);
    leaf();
    lf_update_current_observation(.name = "renamed", .output = lf_text(text));
    lf_update_current_observation(.status_message = text);
}

static NOINLINE void appends_much(const char *text, size_t size)
{
    OBSERVE();
    for (int i = 0; i < 100; i++)
        lf_output_append(text, size);
}

TEST(an_update_that_is_too_large_is_shortened_not_dropped)
{
    lf_options options = to_file(harness_path);
    options.max_event_bytes = 10000;
    CHECK_INT(lf_init(&options), LF_OK);
    char *text = long_text(50000);
    updates_much(text);
    appends_much(text, 1000);
    free(text);
    collect();
    const cJSON *span = span_named("renamed");
    size_t size = strlen(said(span, "output"));
    CHECK(size > 5000 && size <= 10000);
    size_t joined = strlen(said(span_named("appends_much"), "output"));
    CHECK(joined > 5000 && joined <= 10000);
    CHECK_INT(stats_now().dropped_total, 0);
    CHECK_INT(stats_now().delivered, 3);
}

static NOINLINE void appends_what_recv_said(void)
{
    OBSERVE_GENERATION();
    lf_output_append("abc", 3);
    lf_output_append("def", (size_t)-1);
    lf_output_append("def", SIZE_MAX - 8);
    lf_output_append("ghi", 3);
}

static NOINLINE void appends_nothing_but_an_error(void)
{
    OBSERVE_GENERATION();
    lf_output_append("abc", (size_t)-1);
    lf_update_current_observation(.metadata = lf_strn("abc", (size_t)-1), .level = LF_LEVEL_DEBUG);
}

TEST(a_size_that_is_an_error_code_is_not_read)
{
    start();
    appends_what_recv_said();
    appends_nothing_but_an_error();
    lf_observation *handle = lf_start_observation(.name = "handle", .input = lf_jsonn("[]", (size_t)-1));
    lf_observation_output_append(handle, "abc", 3);
    lf_observation_output_append(handle, "abc", (size_t)-1);
    lf_observation_end(handle);
    collect();
    CHECK_TEXT(said(span_named("appends_what_recv_said"), "output"), "abcghi");
    CHECK_TEXT(said(span_named("handle"), "output"), "abc");
    CHECK_TEXT(said(span_named("handle"), "input"), "");
    const cJSON *span = span_named("appends_nothing_but_an_error");
    CHECK_TEXT(said(span, "level"), "DEBUG");
    CHECK_TEXT(said(span, "completion_start_time"), "");
    CHECK_TEXT(said(span, "output"), "");
    CHECK_INT(stats_now().misused, 6);
    CHECK_INT(stats_now().left_out, 0);
}

static NOINLINE void names_much(const char *text)
{
    OBSERVE_ATTRIBUTES(.user_id = text, .tags = LF_TAGS(text), .metadata = LF_OBJECT("key", text));
    OBSERVE_WITH((.name = text, .trace_id = text, .parent_observation_id = text), text, text);
    OBSERVE_OUTPUT(text);
}

/* Whatever is long of it, the whole keeps to the limit; and an id is there as it is, or not at all. */
TEST(an_observation_keeps_to_its_limit_whatever_is_long)
{
    enum { SHORTEST = 100, LONGEST = 3000, STEP = 50, LIMIT = 2048 };
    lf_options options = to_file(harness_path);
    options.max_event_bytes = LIMIT;
    CHECK_INT(lf_init(&options), LF_OK);
    for (size_t size = SHORTEST; size < LONGEST; size += STEP) {
        char *text = long_text(size);
        names_much(text);
        free(text);
    }
    collect();
    CHECK_INT(span_count, (LONGEST - SHORTEST) / STEP);
    for (size_t i = 0; i < span_count; i++) {
        const char *id = attribute_of(spans[i], "langfuse.trace.metadata.external_trace_id");
        size_t size = SHORTEST + i * STEP;
        CHECK(id[0] == '\0' || strlen(id) == size);
        CHECK((id[0] != '\0') == (size <= LIMIT * 3 / 4 - 80));
        CHECK(strlen(id) + strlen(name_of(spans[i])) + strlen(said(spans[i], "input")) + strlen(said(spans[i], "output")) <
              LIMIT + 100);
    }
}

enum { DEPTH_TEXT = 100000, DEPTH_MAX = 100000, TOO_DEEP = 5 };

/* Open observations until the memory for open ones has no room, the first ones with much input. Then run `inside`, with
 * scopes of this function around it, and close them. Returns how many fitted. */
static NOINLINE int while_full(void (*inside)(void))
{
    static lf_scope scopes[DEPTH_MAX];
    static lf_site large = A_SITE("large", "text", 1), small = A_SITE("small", "", 0);
    char *text = long_text(DEPTH_TEXT);
    lf_value argument = lf_text(text);
    int depth = 0;
    for (; depth < (16 << 20) / DEPTH_TEXT - 3; depth++)
        OPEN_SCOPE(&scopes[depth], &large, &argument);
    free(text);
    for (; depth < DEPTH_MAX; depth++) {
        OPEN_SCOPE(&scopes[depth], &small, NULL);
        if (stats_now().dropped[LF_DROP_TOO_DEEP] != 0)
            break;
    }
    lf_i_scope_end(&scopes[depth]);
    CHECK(depth < DEPTH_MAX);
    CHECK_INT(stats_now().dropped[LF_DROP_TOO_DEEP], 1);
    CHECK_INT(stats_now().open, depth);
    inside();
    for (int i = depth; i-- > 0;)
        lf_i_scope_end(&scopes[i]);
    CHECK_INT(stats_now().open, 0);
    CHECK_INT(stats_now().misused, 0);
    return depth;
}

static NOINLINE void collect_with_loss(void)
{
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_ERR_LOST);
    read_spans(harness_path);
}

static char innermost[LF_OBSERVATION_ID_SIZE];

static void four_more(void)
{
    around_leaf();
    around_leaf();
    CHECK(lf_current_observation_id(innermost));
}

TEST(what_is_too_deep_is_counted_and_what_lies_below_stays_right)
{
    start();
    int depth = while_full(four_more);
    leaf();
    collect_with_loss();
    lf_stats stats = stats_now();
    CHECK_INT(stats.accepted, depth + TOO_DEEP + 1);
    CHECK_INT(stats.delivered, depth + 1);
    CHECK_INT(stats.dropped[LF_DROP_TOO_DEEP], TOO_DEEP);
    CHECK_INT(stats.dropped_total, TOO_DEEP);
    CHECK_INT(span_count, depth + 1);
    CHECK_TEXT(id_of(spans[0]), innermost);
    for (int i = 0; i + 1 < depth; i++)
        CHECK_CHILD(spans[i], spans[i + 1]);
    for (int i = 0; i < depth; i++)
        CHECK_SAID(spans[i], "metadata.incomplete", "");
    CHECK_ROOT(spans[depth - 1]);
    CHECK_ROOT(span_named("leaf"));
}

static NOINLINE void starts_without_room(void)
{
    OBSERVE();
    CHECK(lf_start_observation(.name = "x") == NULL);
    CHECK(lf_create_event(.name = "x") == NULL);
    lf_update_current_trace(.name = "x"); /* no observation */
}

TEST(a_handle_that_finds_no_room_is_counted)
{
    start();
    int depth = while_full(starts_without_room);
    collect_with_loss();
    CHECK_INT(stats_now().dropped[LF_DROP_TOO_DEEP], 1 + 3);
    CHECK_INT(stats_now().accepted, depth + 1 + 3);
    CHECK_INT(stats_now().delivered, depth);
}

TEST(what_is_sampled_out_is_never_too_deep)
{
    enum { MANY = 2 * DEPTH_MAX };
    static lf_scope scopes[MANY];
    static lf_site site = A_SITE("small", "", 0);
    lf_options options = to_file(harness_path);
    options.sample_rate = LF_SAMPLE_NONE;
    CHECK_INT(lf_init(&options), LF_OK);
    for (int i = 0; i < MANY; i++)
        OPEN_SCOPE(&scopes[i], &site, NULL);
    CHECK(lf_start_observation(.name = "x") == NULL);
    for (int i = MANY; i-- > 0;)
        lf_i_scope_end(&scopes[i]);
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
    CHECK_INT(stats_now().accepted, 0);
    CHECK_INT(stats_now().dropped_total, 0);
    CHECK_INT(stats_now().open, 0);
}

static NOINLINE void says_too_deep_things(void)
{
    OBSERVE();
    OBSERVE_OUTPUT("x");
    lf_update_current_observation(.name = "x");
    OBSERVE_ERROR("x");
}

static NOINLINE void says_them_deeper(void)
{
    OBSERVE();
    says_too_deep_things();
    OBSERVE_OUTPUT("x");
}

static void say_too_deep_things(void)
{
    says_too_deep_things();
    says_them_deeper();
}

TEST(what_is_said_of_one_that_is_too_deep_lands_nowhere_else)
{
    start();
    int depth = while_full(say_too_deep_things);
    collect_with_loss();
    CHECK_INT(span_count, depth);
    for (size_t i = 0; i < span_count; i++) {
        CHECK_SAID(spans[i], "output", "");
        CHECK_SAID(spans[i], "level", "");
        CHECK(strcmp(name_of(spans[i]), "x") != 0);
    }
}

static lf_context *deep_context;

static void attach_too_deep(void)
{
    char before[LF_OBSERVATION_ID_SIZE], after[LF_OBSERVATION_ID_SIZE];
    CHECK(lf_current_observation_id(before));
    {
        OBSERVE_CONTEXT(deep_context);
        leaf();
    }
    CHECK(lf_current_observation_id(after));
    CHECK_TEXT(after, before);
}

TEST(a_context_that_does_not_fit_ends_nothing)
{
    start();
    deep_context = open_and_copy();
    int depth = while_full(attach_too_deep);
    lf_context_free(deep_context);
    collect_with_loss();
    CHECK_INT(span_count, depth + 1);
    CHECK_INT(stats_now().dropped_total, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_argument_of_ten_megabytes_is_shortened),
        cmocka_unit_test(a_failed_allocation_leaves_errno_alone),
        cmocka_unit_test(an_update_that_is_too_large_is_shortened_not_dropped),
        cmocka_unit_test(a_size_that_is_an_error_code_is_not_read),
        cmocka_unit_test(an_observation_keeps_to_its_limit_whatever_is_long),
        cmocka_unit_test(a_handle_that_finds_no_room_is_counted),
        cmocka_unit_test(what_is_sampled_out_is_never_too_deep),
        cmocka_unit_test(what_is_too_deep_is_counted_and_what_lies_below_stays_right),
        cmocka_unit_test(what_is_said_of_one_that_is_too_deep_lands_nowhere_else),
        cmocka_unit_test(a_context_that_does_not_fit_ends_nothing),
    };
    return cmocka_run_group_tests_name("core: limits", tests, NULL, NULL);
}
