#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/observe/propagate.h"
#include "record_builder.h"

#include <stdio.h>
#include <stdlib.h>

static builder b, trace;
static lf__buf scratch, found;

static int set_up(void **state)
{
    (void)state;
    lf__buf_init(&scratch, 1 << 20);
    lf__buf_init(&found, 1 << 20);
    builder_begin(&b, LF_SPAN, 0);
    builder_begin(&trace, LF_SPAN, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lf__buf_done(&scratch);
    lf__buf_done(&found);
    return 0;
}

static void add(builder *to, lf__tag tag, lf_kind kind, unsigned mark, const char *text)
{
    builder_add_indexed(to, tag, kind, mark, text, strlen(text));
}

/* `count` times `piece`. */
static const char *times(size_t count, const char *piece)
{
    static char text[20000];
    size_t size = strlen(piece);
    assert_true(count * size < sizeof text);
    for (size_t i = 0; i < count; i++)
        memcpy(text + i * size, piece, size);
    text[count * size] = '\0';
    return text;
}

static const char *join(const char *before, const char *text, const char *after)
{
    static char joined[20000];
    size_t sizes[3] = {strlen(before), strlen(text), strlen(after)};
    assert_true(sizes[0] + sizes[1] + sizes[2] < sizeof joined);
    memcpy(joined, before, sizes[0]);
    memcpy(joined + sizes[0], text, sizes[1]);
    memcpy(joined + sizes[0] + sizes[1], after, sizes[2] + 1);
    return joined;
}

/* ---- Limits ----------------------------------------------------------------------------------------------------- */

static bool text_fits(const char *text)
{
    return lf__propagated_text(text, strlen(text));
}
static bool json_fits(const char *text)
{
    return lf__propagated_json(text, strlen(text));
}

static void text_has_two_hundred_characters(void **state)
{
    (void)state;
    static const char *const pieces[] = {"x", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xFF", "\x80"};
    assert_true(text_fits(""));
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        assert_true(text_fits(times(199, pieces[i])));
        assert_true(text_fits(times(200, pieces[i])));
        assert_false(text_fits(times(201, pieces[i])));
        assert_false(text_fits(times(2000, pieces[i])));
    }
}

static void json_is_judged_by_the_text_it_stands_for(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "x", "\\n", "\\\"", "\\\\", "\\u00e9", "\\uD83D\\uDE00", "\\ud83d\\ude00", "\\ud83d", "\\uDE00", "\xF0\x9F\x98\x80",
    };
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
        for (size_t count = 199; count <= 201; count++)
            assert_int_equal(json_fits(join("\"", times(count, pieces[i]), "\"")), count <= 200);
    assert_false(json_fits(join("\"", times(1500, "\\n"), "\"")));
    assert_true(json_fits("\"\""));
    assert_true(json_fits("null"));
    assert_true(json_fits("1"));
    assert_true(json_fits(join("[", times(99, "1,"), "]"))); /* no string: 200 as they stand there */
    assert_false(json_fits(join("[", times(99, "1,"), "1]")));
}

static void environments_are_short_words(void **state)
{
    (void)state;
    static const char *const good[] = {"production", "a", "0-_z", "lang", "my-langfuse", "langfus"};
    static const char *const bad[] = {"", "Production", "a b", "langfuse", "langfuse-qa", "\xC3\xA9", "a.b"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(lf__environment_valid(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(lf__environment_valid(bad[i], strlen(bad[i])));
    assert_true(lf__environment_valid(times(40, "e"), 40));
    assert_false(lf__environment_valid(times(41, "e"), 41));
}

/* What only a marked field must obey. */
static const struct {
    lf__tag tag;
    lf_kind kind;
    const char *piece;
    size_t count;
    unsigned problem; /* 0: it is sent */
} rows[] = {
    {LF__TAG_USER_ID, LF_KIND_STRING, "u", 200, 0},
    {LF__TAG_USER_ID, LF_KIND_STRING, "u", 201, LF__PROBLEM_USER_ID},
    {LF__TAG_USER_ID, LF_KIND_JSON, "7", 1, LF__PROBLEM_USER_ID},
    {LF__TAG_SESSION_ID, LF_KIND_STRING, "\xC3\xA9", 200, 0},
    {LF__TAG_SESSION_ID, LF_KIND_STRING, "\xC3\xA9", 201, LF__PROBLEM_SESSION_ID},
    {LF__TAG_VERSION, LF_KIND_STRING, "v", 201, LF__PROBLEM_VERSION},
    {LF__TAG_VERSION, LF_KIND_STRING, "v", 1, 0},
    {LF__TAG_TRACE_NAME, LF_KIND_STRING, "n", 201, LF__PROBLEM_TRACE_NAME},
    {LF__TAG_TRACE_NAME, LF_KIND_STRING, "n", 1, 0},
    {LF__TAG_ENVIRONMENT, LF_KIND_STRING, "e", 41, LF__PROBLEM_ENVIRONMENT},
    {LF__TAG_ENVIRONMENT, LF_KIND_STRING, "langfuse", 1, LF__PROBLEM_ENVIRONMENT},
    {LF__TAG_ENVIRONMENT, LF_KIND_STRING, "e", 40, 0},
    {LF__TAG_PROMPT_NAME, LF_KIND_STRING, "", 0, LF__PROBLEM_PROMPT},
    {LF__TAG_PROMPT_NAME, LF_KIND_STRING, "p", 201, 0},
    {LF__TAG_TRACE_TAGS, LF_KIND_JSON, " [\"a\"]", 1, 0},
    {LF__TAG_TRACE_TAGS, LF_KIND_JSON, "{\"a\":1}", 1, LF__PROBLEM_TAGS},
    {LF__TAG_TRACE_TAGS, LF_KIND_JSON, "[\"a\"", 1, LF__PROBLEM_TAGS},
    {LF__TAG_TRACE_TAGS, LF_KIND_STRING, "[\"a\"]", 1, LF__PROBLEM_TAGS},
    {LF__TAG_TRACE_METADATA, LF_KIND_JSON, "\n{\"a\":[1,2]}", 1, 0},
    {LF__TAG_TRACE_METADATA, LF_KIND_JSON, "[1]", 1, LF__PROBLEM_METADATA},
    {LF__TAG_TRACE_METADATA, LF_KIND_STRING, "text", 1, LF__PROBLEM_METADATA},
    {LF__TAG_TRACE_METADATA, LF_KIND_JSON, "{", 1, LF__PROBLEM_METADATA},
    {LF__TAG_INPUT, LF_KIND_STRING, "i", 5000, 0},
};

static void only_marked_fields_obey_the_limits(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (unsigned mark = 0; mark <= (LF__MARK_PROPAGATED | LF__MARK_BAGGAGE); mark++) {
            builder_begin(&b, LF_SPAN, 0);
            add(&b, rows[i].tag, rows[i].kind, mark, times(rows[i].count, rows[i].piece));
            unsigned expected = (mark & LF__MARK_PROPAGATED) != 0 ? rows[i].problem : 0;
            assert_int_equal(lf__propagated_valid(lf__record_next(&b.as.record, NULL)), expected == 0);
            assert_int_equal(lf__propagated_problems(&b.as.record), expected);
            lf__view view;
            lf__record_view(&view, &b.as.record, NULL);
            assert_int_equal(view.last[rows[i].tag] != NULL, expected == 0);
            assert_int_equal(lf__view_next_of(&view, rows[i].tag, NULL) != NULL, expected == 0);
        }
    }
    builder_begin(&b, LF_SPAN, 0);
    add(&b, LF__TAG_ARGUMENT, LF_KIND_STRING, 1, times(500, "x")); /* the second argument, not a mark */
    assert_true(lf__propagated_valid(lf__record_next(&b.as.record, NULL)));
    assert_int_equal(lf__propagated_problems(&b.as.record), 0);
}

static void problems_are_found_in_items_and_told_once_each(void **state)
{
    (void)state;
    assert_int_equal(lf__propagated_problems(&b.as.record), 0);
    add(&b, LF__TAG_TRACE_TAGS, LF_KIND_JSON, LF__MARK_PROPAGATED, "[\"good\",5]");
    assert_int_equal(lf__propagated_problems(&b.as.record), LF__PROBLEM_TAGS);
    add(&b, LF__TAG_TRACE_METADATA, LF_KIND_JSON, LF__MARK_PROPAGATED, join("{\"a\":1,\"b\":\"", times(201, "x"), "\"}"));
    add(&b, LF__TAG_USER_ID, LF_KIND_STRING, LF__MARK_PROPAGATED, times(201, "x"));
    assert_int_equal(lf__propagated_problems(&b.as.record), LF__PROBLEM_TAGS | LF__PROBLEM_METADATA | LF__PROBLEM_USER_ID);
    builder_begin(&b, LF_SPAN, 0);
    add(&b, LF__TAG_TRACE_TAGS, LF_KIND_JSON, LF__MARK_PROPAGATED, join("[\"", times(201, "x"), "\"]"));
    assert_int_equal(lf__propagated_problems(&b.as.record), LF__PROBLEM_TAGS);

    for (unsigned bit = 1; bit <= LF__PROBLEM_PROMPT; bit *= 2) {
        assert_non_null(strstr(lf__propagated_problem_text(bit), "not sent"));
        for (unsigned other = 1; other < bit; other *= 2)
            assert_string_not_equal(lf__propagated_problem_text(bit), lf__propagated_problem_text(other));
    }
    assert_string_equal(lf__propagated_problem_text(LF__PROBLEM_USER_ID), "user_id is longer than 200 characters and is not sent");
    assert_string_equal(lf__propagated_problem_text(LF__PROBLEM_PROMPT * 2), "");
}

/* ---- Tags ------------------------------------------------------------------------------------------------------- */

static size_t calls;

static bool add_found(void *owner, const char *tag, size_t size)
{
    assert_ptr_equal(owner, &found);
    assert_true(size > 0);
    calls++;
    lf__buf_add(&found, tag, size);
    return lf__buf_add_char(&found, '|');
}

static const char *tags(void)
{
    lf__view view;
    lf__record_view(&view, &b.as.record, &trace.as.record);
    calls = 0;
    lf__buf_clear(&found);
    lf__buf_clear(&scratch);
    lf__buf_add_text(&scratch, "before");
    assert_true(lf__view_tags(&view, &scratch, add_found, &found));
    assert_int_equal(scratch.length, 6);
    assert_memory_equal(scratch.data, "before", 6);
    lf__buf_add_char(&found, '\0');
    return found.data;
}

static void tags_add_up_in_order_each_once(void **state)
{
    (void)state;
    assert_string_equal(tags(), "");
    add(&b, LF__TAG_TRACE_TAGS, LF_KIND_JSON, LF__MARK_PROPAGATED, "[\"b\", \"a\" , \"b\"]");
    assert_string_equal(tags(), "b|a|");
    add(&b, LF__TAG_TRACE_TAGS, LF_KIND_JSON, LF__MARK_PROPAGATED, "[\"c\\n\",\"\\u0061\",\"\",null]");
    builder_text(&b, LF__TAG_NAME, "between");
    add(&trace, LF__TAG_TRACE_TAGS, LF_KIND_JSON, 0, "[]");
    add(&trace, LF__TAG_TRACE_TAGS, LF_KIND_JSON, 0, "[\"d\",\"b\",\"\xC3\xA9\",\"\\u00e9\"]");
    assert_string_equal(tags(), "b|a|c\n|d|\xC3\xA9|");
    builder_begin(&b, LF_SPAN, 0);
    assert_string_equal(tags(), "d|b|\xC3\xA9|");
}

static void marked_tags_are_short_text_others_anything(void **state)
{
    (void)state;
    char json[3000];
    const char *longest = times(201, "x");
    snprintf(json, sizeof json, "[5, \"%.200s\", [1, 2],true,null,{},\"y\",\"%.201s\"]", longest, longest);
    add(&b, LF__TAG_TRACE_TAGS, LF_KIND_JSON, LF__MARK_PROPAGATED, json);
    const char *said = tags();
    assert_memory_equal(said, times(200, "x"), 200);
    assert_string_equal(said + 200, "|y|");

    builder_begin(&b, LF_SPAN, 0);
    add(&b, LF__TAG_TRACE_TAGS, LF_KIND_JSON, 0, json);
    said = tags();
    assert_memory_equal(said, "5|xxx", 5);
    assert_non_null(strstr(said, "x|[1, 2]|true|{}|y|x"));
    assert_int_equal(strlen(said), 2 + 201 + 7 + 5 + 3 + 2 + 202);

    builder_begin(&b, LF_SPAN, 0);
    add(&b, LF__TAG_TRACE_TAGS, LF_KIND_STRING, 0, "one \xFF");
    add(&b, LF__TAG_TRACE_TAGS, LF_KIND_STRING, 0, times(201, "x"));
    add(&b, LF__TAG_TRACE_TAGS, LF_KIND_STRING, LF__MARK_PROPAGATED, "marked");
    add(&b, LF__TAG_TRACE_TAGS, LF_KIND_JSON, 0, "{\"no\":\"list\"}");
    add(&b, LF__TAG_TRACE_TAGS, LF_KIND_JSON, 0, "[\"broken\"");
    builder_int(&b, LF__TAG_TRACE_TAGS, 5);
    add(&b, LF__TAG_TRACE_TAGS, LF_KIND_JSON, 0, "[\"two\"]");
    assert_string_equal(tags(), "one \xEF\xBF\xBD|two|");
}

static void at_most_a_thousand_tags_are_looked_at(void **state)
{
    (void)state;
    static char json[60000];
    size_t at = 0;
    for (int i = 0; i < 5000; i++)
        at += (size_t)snprintf(json + at, sizeof json - at, "%c\"t%d\"", i == 0 ? '[' : ',', i);
    snprintf(json + at, sizeof json - at, "]");
    builder_json(&b, LF__TAG_TRACE_TAGS, json);
    add(&trace, LF__TAG_TRACE_TAGS, LF_KIND_JSON, 0, "[\"late\"]");
    const char *said = tags();
    assert_int_equal(calls, LF__TAGS_MAX);
    assert_non_null(strstr(said, "|t998|t999|"));
    assert_null(strstr(said, "late"));

    builder_begin(&b, LF_SPAN, 0); /* the same ones over and over are looked at too */
    for (at = 0; at < 5000; at += 4)
        memcpy(json + at, at == 0 ? "[\"a\"" : ",\"a\"", 4);
    memcpy(json + at, "]", 2);
    builder_json(&b, LF__TAG_TRACE_TAGS, json);
    assert_string_equal(tags(), "a|");
    assert_int_equal(calls, 1);
}

static bool refuse_the_second(void *owner, const char *tag, size_t size)
{
    (void)tag;
    (void)size;
    return ++*(size_t *)owner < 2;
}

static void failing_ends_the_walk(void **state)
{
    (void)state;
    add(&b, LF__TAG_TRACE_TAGS, LF_KIND_JSON, 0, "[\"aaaa\",\"bbbb\",\"cccc\"]");
    lf__view view;
    lf__record_view(&view, &b.as.record, NULL);
    size_t seen = 0;
    assert_false(lf__view_tags(&view, &scratch, refuse_the_second, &seen));
    assert_int_equal(seen, 2);
    assert_int_equal(scratch.length, 0);
    for (size_t size = 0; size <= 12; size++) {
        char memory[12];
        lf__buf small;
        lf__buf_over(&small, memory, size);
        lf__buf_clear(&found);
        calls = 0;
        assert_int_equal(lf__view_tags(&view, &small, add_found, &found), size == 12);
        assert_int_equal(small.failed, size < 12);
        assert_int_equal(calls, size / 4);
        assert_int_equal(small.length, 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(text_has_two_hundred_characters),
        TEST(json_is_judged_by_the_text_it_stands_for),
        TEST(environments_are_short_words),
        TEST(only_marked_fields_obey_the_limits),
        TEST(problems_are_found_in_items_and_told_once_each),
        TEST(tags_add_up_in_order_each_once),
        TEST(marked_tags_are_short_text_others_anything),
        TEST(at_most_a_thousand_tags_are_looked_at),
        TEST(failing_ends_the_walk),
    };
    return cmocka_run_group_tests_name("propagate", tests, NULL, NULL);
}
