/* The table of what was said of traces, by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../../src/deliver/trace_table.h"
#include "record_builder.h"

#include <stdio.h>
#include <stdlib.h>

enum { PLENTY = 64 << 20 };

static void make_id(uint8_t id[16], unsigned number)
{
    memset(id, 0x11, 16);
    memcpy(id + 8, &number, sizeof number);
}

static lf__record *update_of(builder *b, unsigned number)
{
    lf__record *record = builder_begin(b, LF_SPAN, 0);
    record->kind = LF__RECORD_TRACE;
    make_id(record->trace_id, number);
    return record;
}

static const lf__record *get(lf__traces *traces, unsigned number)
{
    uint8_t id[16];
    make_id(id, number);
    return lf__traces_get(traces, id);
}

static size_t count_fields(const lf__record *record, lf__tag tag)
{
    size_t count = 0;
    for (const lf__field *field = NULL; (field = lf__record_next(record, field)) != NULL;)
        count += field->tag == tag;
    return count;
}

static const lf__field *last_field(const lf__record *record, lf__tag tag)
{
    const lf__field *last = NULL;
    for (const lf__field *field = NULL; (field = lf__record_next(record, field)) != NULL;)
        last = field->tag == tag ? field : last;
    assert_non_null(last);
    return last;
}

static void assert_field(const lf__record *record, lf__tag tag, const char *text)
{
    const lf__field *field = last_field(record, tag);
    assert_int_equal(field->length, strlen(text));
    assert_memory_equal(lf__field_payload(field), text, strlen(text));
}

static void add_text(lf__traces *traces, unsigned number, lf__tag tag, const char *text)
{
    builder b;
    update_of(&b, number);
    builder_text(&b, tag, text);
    assert_true(lf__traces_add(traces, &b.as.record));
}

static void add_json(lf__traces *traces, unsigned number, lf__tag tag, const char *json)
{
    builder b;
    update_of(&b, number);
    builder_json(&b, tag, json);
    assert_true(lf__traces_add(traces, &b.as.record));
}

static void nothing_is_known_of_a_trace_that_nothing_was_said_of(void **state)
{
    (void)state;
    lf__traces *traces = lf__traces_new(PLENTY);
    assert_null(get(traces, 1));
    add_text(traces, 2, LF__TAG_USER_ID, "u");
    assert_null(get(traces, 1));
    lf__traces_free(traces);
    lf__traces_free(NULL);
}

static void the_last_word_counts(void **state)
{
    (void)state;
    lf__traces *traces = lf__traces_new(PLENTY);
    add_text(traces, 1, LF__TAG_USER_ID, "first");
    add_text(traces, 1, LF__TAG_SESSION_ID, "s");
    add_text(traces, 1, LF__TAG_USER_ID, "a much longer second one, that does not fit where the first was");
    add_text(traces, 2, LF__TAG_USER_ID, "of another");
    assert_field(get(traces, 1), LF__TAG_USER_ID, "a much longer second one, that does not fit where the first was");
    assert_field(get(traces, 1), LF__TAG_SESSION_ID, "s");
    assert_int_equal(count_fields(get(traces, 1), LF__TAG_USER_ID), 1);
    assert_field(get(traces, 2), LF__TAG_USER_ID, "of another");
    lf__traces_free(traces);
}

static void tags_and_metadata_add_up_and_repetitions_do_not(void **state)
{
    (void)state;
    lf__traces *traces = lf__traces_new(PLENTY);
    for (int i = 0; i < 100; i++) {
        add_json(traces, 1, LF__TAG_TRACE_TAGS, "[\"a\"]");
        add_json(traces, 1, LF__TAG_TRACE_TAGS, "[\"b\"]");
        add_json(traces, 1, LF__TAG_TRACE_METADATA, "{\"k\":1}");
        add_json(traces, 1, LF__TAG_TRACE_METADATA, "{\"k\":2}");
    }
    add_json(traces, 1, LF__TAG_TRACE_METADATA, "{\"k\":1}");
    const lf__record *record = get(traces, 1);
    assert_int_equal(count_fields(record, LF__TAG_TRACE_TAGS), 2);
    assert_int_equal(count_fields(record, LF__TAG_TRACE_METADATA), 2);
    assert_field(record, LF__TAG_TRACE_METADATA, "{\"k\":1}"); /* said last, though it was said before */
    lf__traces_free(traces);
}

static void one_trace_is_bounded_and_the_oldest_addition_goes(void **state)
{
    (void)state;
    enum { SIZE = 1000, COUNT = 2 * LF__TRACE_UPDATE_MAX / SIZE };
    lf__traces *traces = lf__traces_new(PLENTY);
    char json[SIZE + 1];
    add_text(traces, 1, LF__TAG_USER_ID, "kept");
    for (int i = 0; i < COUNT; i++) {
        memset(json, ' ', SIZE);
        json[SIZE] = '\0';
        int head = snprintf(json, sizeof json, "{\"k%d\":1", i);
        json[head] = ' ';
        json[SIZE - 1] = '}';
        add_json(traces, 1, LF__TAG_TRACE_METADATA, json);
        assert_true(get(traces, 1)->size <= LF__TRACE_UPDATE_MAX + 100); /* the header, and what does not add up */
    }
    assert_true(get(traces, 1)->size > LF__TRACE_UPDATE_MAX / 2);
    assert_field(get(traces, 1), LF__TAG_TRACE_METADATA, json);
    assert_field(get(traces, 1), LF__TAG_USER_ID, "kept");
    lf__traces_free(traces);
}

static void large_values_push_out_no_tags(void **state)
{
    (void)state;
    static const lf__tag large[] = {LF__TAG_TRACE_INPUT, LF__TAG_TRACE_OUTPUT, LF__TAG_USER_ID, LF__TAG_SESSION_ID,
                                    LF__TAG_TRACE_NAME};
    static char text[60001];
    memset(text, 'x', sizeof text - 1);
    lf__traces *traces = lf__traces_new(PLENTY);
    add_json(traces, 1, LF__TAG_TRACE_TAGS, "[\"a\"]");
    for (size_t i = 0; i < sizeof large / sizeof *large; i++)
        add_text(traces, 1, large[i], text);
    add_json(traces, 1, LF__TAG_TRACE_TAGS, "[\"b\"]");
    add_json(traces, 1, LF__TAG_TRACE_METADATA, "{\"k\":1}");
    assert_true(get(traces, 1)->size > LF__TRACE_UPDATE_MAX);
    assert_int_equal(count_fields(get(traces, 1), LF__TAG_TRACE_TAGS), 2);
    assert_int_equal(count_fields(get(traces, 1), LF__TAG_TRACE_METADATA), 1);
    assert_field(get(traces, 1), LF__TAG_TRACE_NAME, text);
    lf__traces_free(traces);
}

static void all_together_are_bounded_and_the_one_unused_longest_goes(void **state)
{
    (void)state;
    enum { TRACES = 1000, MAX = 64 << 10 };
    lf__traces *traces = lf__traces_new(MAX);
    for (unsigned i = 0; i < TRACES; i++) {
        add_text(traces, i, LF__TAG_USER_ID, "u");
        assert_true(lf__traces_bytes(traces) <= MAX);
        assert_non_null(get(traces, 0)); /* a look keeps it */
        assert_non_null(get(traces, i));
    }
    assert_null(get(traces, 1));
    assert_non_null(get(traces, TRACES - 2));
    lf__traces_free(traces);
}

static void the_newest_stays_however_large_it_is(void **state)
{
    (void)state;
    lf__traces *traces = lf__traces_new(100);
    add_text(traces, 1, LF__TAG_USER_ID, "u");
    add_text(traces, 2, LF__TAG_USER_ID, "v");
    assert_null(get(traces, 1));
    assert_field(get(traces, 2), LF__TAG_USER_ID, "v");
    lf__traces_free(traces);
}

static void ten_thousand_traces_are_found(void **state)
{
    (void)state;
    enum { TRACES = 10000 };
    lf__traces *traces = lf__traces_new(PLENTY);
    char text[16];
    for (unsigned i = 0; i < TRACES; i++) {
        snprintf(text, sizeof text, "u%u", i);
        add_text(traces, i, LF__TAG_USER_ID, text);
    }
    for (unsigned i = 0; i < TRACES; i++) {
        snprintf(text, sizeof text, "u%u", i);
        assert_field(get(traces, i), LF__TAG_USER_ID, text);
    }
    assert_null(get(traces, TRACES));
    lf__traces_free(traces);
}

static void an_update_may_hold_several_fields_of_one_tag(void **state)
{
    (void)state;
    lf__traces *traces = lf__traces_new(PLENTY);
    builder b;
    update_of(&b, 1);
    builder_text(&b, LF__TAG_USER_ID, "a");
    builder_json(&b, LF__TAG_TRACE_TAGS, "[\"x\"]");
    builder_json(&b, LF__TAG_TRACE_TAGS, "[\"y\"]");
    builder_text(&b, LF__TAG_USER_ID, "b");
    assert_true(lf__traces_add(traces, &b.as.record));
    assert_field(get(traces, 1), LF__TAG_USER_ID, "b");
    assert_int_equal(count_fields(get(traces, 1), LF__TAG_TRACE_TAGS), 2);
    assert_int_equal(count_fields(get(traces, 1), LF__TAG_USER_ID), 1);
    lf__traces_free(traces);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_known_of_a_trace_that_nothing_was_said_of),
        cmocka_unit_test(the_last_word_counts),
        cmocka_unit_test(tags_and_metadata_add_up_and_repetitions_do_not),
        cmocka_unit_test(one_trace_is_bounded_and_the_oldest_addition_goes),
        cmocka_unit_test(large_values_push_out_no_tags),
        cmocka_unit_test(all_together_are_bounded_and_the_one_unused_longest_goes),
        cmocka_unit_test(the_newest_stays_however_large_it_is),
        cmocka_unit_test(ten_thousand_traces_are_found),
        cmocka_unit_test(an_update_may_hold_several_fields_of_one_tag),
    };
    return cmocka_run_group_tests_name("trace table", tests, NULL, NULL);
}
