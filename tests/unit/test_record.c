#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "out_buffer.h"
#include "record_builder.h"

#include <math.h>
#include <stdlib.h>

static builder b;

static int set_up(void **state)
{
    builder_begin(&b, LF_SPAN, 0);
    return set_up_out(state);
}

static const lf__field *only(lf_kind kind, const void *payload, size_t size)
{
    builder_begin(&b, LF_SPAN, 0);
    builder_add(&b, LF__TAG_OUTPUT, kind, payload, size);
    return lf__record_next(&b.as.record, NULL);
}

static void assert_field(lf_kind kind, const void *payload, size_t size, const char *json, const char *text)
{
    const lf__field *field = only(kind, payload, size);
    assert_true(lf__field_json(&out, field));
    assert_string_equal(result(), json);
    assert_true(lf__field_text(&out, field));
    assert_string_equal(result(), text);
}

static void assert_int(int64_t value, const char *json)
{
    assert_field(LF_KIND_INT, &value, 8, json, json);
}
static void assert_uint(uint64_t value, const char *json)
{
    assert_field(LF_KIND_UINT, &value, 8, json, json);
}
static void assert_double(double value, const char *json)
{
    assert_field(LF_KIND_DOUBLE, &value, 8, json, json);
}
static void assert_char(int64_t value, const char *json, const char *text)
{
    assert_field(LF_KIND_CHAR, &value, 8, json, text);
}

static void assert_bytes(lf_kind kind, const char *text, const char *json, const char *expected)
{
    assert_field(kind, text, strlen(text), json, expected);
}

static void every_kind_has_its_json_and_its_text(void **state)
{
    (void)state;
    uint64_t zero = 0, one = 1, size = 24, pointer = 0x1234abcd;
    assert_field(LF_KIND_NULL, &zero, 8, "null", "null");
    assert_field(LF_KIND_BOOL, &zero, 8, "false", "false");
    assert_field(LF_KIND_BOOL, &one, 8, "true", "true");
    assert_int(-3, "-3");
    assert_uint(3, "3");
    assert_double(0.9, "0.9");
    assert_double(2, "2.0");
    assert_double((double)NAN, "\"NaN\"");
    assert_double(-(double)INFINITY, "\"-Infinity\"");
    assert_field(LF_KIND_FLOAT, &(double){(double)0.1f}, 8, "0.1", "0.1");
    assert_char('x', "\"x\"", "x");
    assert_char('"', "\"\\\"\"", "\"");
    assert_char((char)0xE9, "\"\xEF\xBF\xBD\"", "\xEF\xBF\xBD");
    assert_field(LF_KIND_POINTER, &pointer, 8, "\"0x1234abcd\"", "\"0x1234abcd\"");
    assert_field(LF_KIND_POINTER, &zero, 8, "null", "null");
    assert_bytes(LF_KIND_STRING, "", "\"\"", "");
    assert_bytes(LF_KIND_STRING, "a \"b\"", "\"a \\\"b\\\"\"", "a \"b\"");
    assert_bytes(LF_KIND_STRING, "bad \xFF", "\"bad \xEF\xBF\xBD\"", "bad \xEF\xBF\xBD");
    assert_bytes(LF_KIND_JSON, "{\"a\": [1, 2.50]}", "{\"a\": [1, 2.50]}", "{\"a\": [1, 2.50]}");
    assert_bytes(LF_KIND_JSON, "{oops", "\"{oops\"", "{oops");
    assert_bytes(LF_KIND_JSON, "", "\"\"", "");
    assert_bytes(LF_KIND_JSON, "\"\xFF\"", "\"\\\"\xEF\xBF\xBD\\\"\"", "\"\xEF\xBF\xBD\"");
    assert_field(LF_KIND_SECRET, NULL, 0, "\"<secret>\"", "\"<secret>\"");
    assert_field(LF_KIND_OPAQUE, &size, 8, "\"<24 bytes>\"", "\"<24 bytes>\"");
    assert_field(LF_KIND_UNSET, NULL, 0, "null", "null");
}

static void integers_that_a_double_cannot_hold_are_strings(void **state)
{
    (void)state;
    assert_int(9007199254740991, "9007199254740991");
    assert_int(9007199254740992, "\"9007199254740992\"");
    assert_int(-9007199254740991, "-9007199254740991");
    assert_int(INT64_MIN, "\"-9223372036854775808\"");
    assert_uint(9007199254740992u, "\"9007199254740992\"");
    assert_uint(UINT64_MAX, "\"18446744073709551615\"");
    static const struct {
        uint64_t halves[2]; /* low, high */
        const char *as_signed, *as_unsigned;
    } rows[] = {
        {{7, 0}, "7", "7"},
        {{UINT64_MAX, UINT64_MAX}, "-1", "\"340282366920938463463374607431768211455\""},
        {{UINT64_MAX, 0}, "\"18446744073709551615\"", "\"18446744073709551615\""},
        {{0, 1}, "\"18446744073709551616\"", "\"18446744073709551616\""},
        {{0, 0x8000000000000000u}, "\"-170141183460469231731687303715884105728\"", "\"170141183460469231731687303715884105728\""},
        {{0, UINT64_MAX}, "\"-18446744073709551616\"", "\"340282366920938463444927863358058659840\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_field(LF_KIND_INT128, rows[i].halves, 16, rows[i].as_signed, rows[i].as_signed);
        assert_field(LF_KIND_UINT128, rows[i].halves, 16, rows[i].as_unsigned, rows[i].as_unsigned);
    }
}

static void assert_array(lf_kind element, size_t element_size, const void *elements, size_t count, const char *json)
{
    struct {
        lf__array_head head;
        char bytes[256];
    } payload = {{(uint16_t)element, (uint16_t)element_size, (uint32_t)count}, {0}};
    memcpy(payload.bytes, elements, count * element_size);
    assert_field(LF_KIND_ARRAY, &payload, sizeof payload.head + count * element_size, json, json);
}

static void arrays_of_every_element_are_lists(void **state)
{
    (void)state;
    assert_array(LF_KIND_INT, 1, (int8_t[]){-1, 2}, 2, "[-1,2]");
    assert_array(LF_KIND_INT, 2, (int16_t[]){-300, 300}, 2, "[-300,300]");
    assert_array(LF_KIND_INT, 4, (int32_t[]){INT32_MIN}, 1, "[-2147483648]");
    assert_array(LF_KIND_INT, 8, (int64_t[]){5, INT64_MAX}, 2, "[5,\"9223372036854775807\"]");
    assert_array(LF_KIND_UINT, 1, (uint8_t[]){255, 0}, 2, "[255,0]");
    assert_array(LF_KIND_UINT, 2, (uint16_t[]){65535}, 1, "[65535]");
    assert_array(LF_KIND_UINT, 4, (uint32_t[]){UINT32_MAX}, 1, "[4294967295]");
    assert_array(LF_KIND_UINT, 8, (uint64_t[]){1}, 1, "[1]");
    assert_array(LF_KIND_FLOAT, 4, (float[]){0.1f, 2}, 2, "[0.1,2.0]");
    assert_array(LF_KIND_DOUBLE, 8, (double[]){0.1, (double)NAN}, 2, "[0.1,\"NaN\"]");
    assert_array(LF_KIND_BOOL, 1, (bool[]){true, false}, 2, "[true,false]");
    assert_array(LF_KIND_CHAR, 1, "a\"", 2, "[\"a\",\"\\\"\"]");
    assert_array(LF_KIND_INT, 4, "", 0, "[]");
}

static void an_array_says_no_more_than_was_stored(void **state)
{
    (void)state;
    lf__array_head head = {LF_KIND_INT, 4, 1000000};
    char payload[sizeof head + 6];
    memcpy(payload, &head, sizeof head);
    memcpy(payload + sizeof head, (int32_t[]){7}, 4);
    assert_field(LF_KIND_ARRAY, payload, sizeof payload, "[7]", "[7]");
    assert_field(LF_KIND_ARRAY, payload, sizeof head - 1, "[]", "[]");
    head.element_size = 0;
    assert_field(LF_KIND_ARRAY, &head, sizeof head, "[]", "[]");
}

/* A record holds no pointers, whatever its bytes say. */
static void nothing_that_was_stored_is_read_as_a_pointer(void **state)
{
    (void)state;
    static const lf_kind kinds[] = {LF_KIND_CSTRING, LF_KIND_CJSON, LF_KIND_OBJECT, LF_KIND_LIST, (lf_kind)255};
    static const uint64_t words[] = {8, 8};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        assert_field(kinds[i], words, sizeof words, "null", "null");
        assert_array(kinds[i], 8, words, 1, "[null]");
    }
}

static void arguments_are_an_object_of_the_sites_names(void **state)
{
    (void)state;
    builder_begin(&b, LF_SPAN, lf__site_intern("f", "f.c", 1, "question, lf_secret(password), n"));
    builder_add_indexed(&b, LF__TAG_ARGUMENT, LF_KIND_STRING, 0, "why?", 4);
    builder_text(&b, LF__TAG_NAME, "between");
    builder_add_indexed(&b, LF__TAG_ARGUMENT, LF_KIND_SECRET, 1, NULL, 0);
    builder_add_indexed(&b, LF__TAG_ARGUMENT, LF_KIND_NULL, 2, NULL, 0);
    builder_add_indexed(&b, LF__TAG_ARGUMENT, LF_KIND_JSON, 3, "[1]", 3);
    lf__view view;
    lf__record_view(&view, &b.as.record, NULL);
    assert_true(lf__view_arguments_json(&out, &view));
    assert_string_equal(result(), "{\"question\":\"why?\",\"password\":\"<secret>\",\"n\":null,\"arg4\":[1]}");
    assert_string_equal(view.site->function, "f");

    builder_begin(&b, LF_SPAN, 0);
    lf__record_view(&view, &b.as.record, NULL);
    assert_true(lf__view_arguments_json(&out, &view));
    assert_string_equal(result(), "{}");
}

static void the_last_field_of_a_tag_wins(void **state)
{
    (void)state;
    builder_text(&b, LF__TAG_NAME, "first");
    builder_text(&b, LF__TAG_NAME, "second");
    lf__view view;
    lf__record_view(&view, &b.as.record, NULL);
    assert_memory_equal(lf__field_payload(view.last[LF__TAG_NAME]), "second", 6);
    assert_null(view.last[LF__TAG_MODEL]);
    assert_non_null(view.site);
}

static void pieces_win_when_they_come_last(void **state)
{
    (void)state;
    lf__view view;
    lf__record_view(&view, &b.as.record, NULL);
    assert_false(view.pieces_win);
    builder_text(&b, LF__TAG_OUTPUT_PIECE, "a");
    lf__record_view(&view, &b.as.record, NULL);
    assert_true(view.pieces_win);
    builder_text(&b, LF__TAG_OUTPUT, "whole");
    lf__record_view(&view, &b.as.record, NULL);
    assert_false(view.pieces_win);
    builder_text(&b, LF__TAG_OUTPUT_PIECE, "b");
    lf__record_view(&view, &b.as.record, NULL);
    assert_true(view.pieces_win);
}

static builder trace;

static void assert_last(const lf__view *view, lf__tag tag, const char *text)
{
    assert_non_null(view->last[tag]);
    assert_int_equal(view->last[tag]->length, strlen(text));
    assert_memory_equal(lf__field_payload(view->last[tag]), text, strlen(text));
}

static void what_was_said_of_the_trace_wins_over_what_was_propagated(void **state)
{
    (void)state;
    lf__view view;
    builder_begin(&trace, LF_SPAN, 0);
    trace.as.record.kind = LF__RECORD_TRACE;
    builder_add_indexed(&b, LF__TAG_USER_ID, LF_KIND_STRING, LF__MARK_PROPAGATED, "propagated", 10);
    builder_add_indexed(&b, LF__TAG_SESSION_ID, LF_KIND_STRING, LF__MARK_PROPAGATED, "session", 7);
    builder_text(&trace, LF__TAG_USER_ID, "first");
    builder_text(&trace, LF__TAG_USER_ID, "said");
    lf__record_view(&view, &b.as.record, &trace.as.record);
    assert_last(&view, LF__TAG_USER_ID, "said");
    assert_last(&view, LF__TAG_SESSION_ID, "session");
    lf__record_view(&view, &b.as.record, NULL);
    assert_last(&view, LF__TAG_USER_ID, "propagated");
}

static void a_version_of_ones_own_wins_over_that_of_the_trace(void **state)
{
    (void)state;
    lf__view view;
    builder_begin(&trace, LF_SPAN, 0);
    builder_text(&trace, LF__TAG_VERSION, "first");
    builder_text(&trace, LF__TAG_VERSION, "of the trace");
    lf__record_view(&view, &b.as.record, &trace.as.record);
    assert_last(&view, LF__TAG_VERSION, "of the trace");
    builder_add_indexed(&b, LF__TAG_VERSION, LF_KIND_STRING, LF__MARK_PROPAGATED, "propagated", 10);
    lf__record_view(&view, &b.as.record, &trace.as.record);
    assert_last(&view, LF__TAG_VERSION, "of the trace");
    builder_text(&b, LF__TAG_VERSION, "own");
    lf__record_view(&view, &b.as.record, &trace.as.record);
    assert_last(&view, LF__TAG_VERSION, "own");
}

static void fields_that_add_up_come_from_the_record_then_from_its_trace(void **state)
{
    (void)state;
    builder_begin(&trace, LF_SPAN, 0);
    builder_json(&b, LF__TAG_TRACE_TAGS, "1");
    builder_text(&b, (lf__tag)255, "unknown");
    builder_add_indexed(&b, LF__TAG_TRACE_TAGS, LF_KIND_STRING, LF__MARK_PROPAGATED, "bad", 3);
    builder_json(&b, LF__TAG_METADATA, "2");
    builder_json(&trace, LF__TAG_TRACE_TAGS, "3");
    builder_json(&trace, LF__TAG_TRACE_METADATA, "4");
    builder_json(&trace, LF__TAG_TRACE_TAGS, "5");
    lf__view view;
    for (int with_trace = 0; with_trace < 2; with_trace++) {
        lf__record_view(&view, &b.as.record, with_trace ? &trace.as.record : NULL);
        for (const lf__field *field = NULL; (field = lf__view_next_of(&view, LF__TAG_TRACE_TAGS, field)) != NULL;)
            lf__buf_add(&out, lf__field_payload(field), field->length);
        assert_string_equal(result(), with_trace ? "135" : "1");
        assert_null(lf__view_next_of(&view, LF__TAG_USER_ID, NULL));
    }
}

static void unknown_tags_are_passed_over(void **state)
{
    (void)state;
    builder_text(&b, LF__TAG_COUNT, "from the future");
    builder_text(&b, (lf__tag)255, "x");
    builder_text(&b, (lf__tag)0, "y");
    builder_text(&b, LF__TAG_NAME, "known");
    lf__view view;
    lf__record_view(&view, &b.as.record, NULL);
    assert_non_null(view.last[LF__TAG_NAME]);
}

static void a_record_cut_anywhere_is_not_read_past(void **state)
{
    (void)state;
    builder_text(&b, LF__TAG_NAME, "a name");
    builder_int(&b, LF__TAG_LEVEL, LF_LEVEL_ERROR);
    builder_text(&b, LF__TAG_MODEL, "");
    size_t whole = b.as.record.size;
    for (size_t size = sizeof(lf__record); size <= whole; size++) {
        lf__record *copy = malloc(size);
        assert_non_null(copy);
        memcpy(copy, &b, size);
        copy->size = (uint32_t)size;
        unsigned count = 0;
        for (const lf__field *field = NULL; (field = lf__record_next(copy, field)) != NULL; count++)
            assert_true((const char *)(field + 1) + field->length <= (const char *)copy + size);
        assert_int_equal(count, size >= 104 ? 3 : size >= 96 ? 2 : size >= 80 ? 1 : 0);
        free(copy);
    }
    b.as.record.size = sizeof(lf__record);
    builder_text(&b, LF__TAG_NAME, "x");
    ((lf__field *)(void *)(&b.as.record + 1))->length = UINT32_MAX;
    assert_null(lf__record_next(&b.as.record, NULL));
}

static void what_does_not_fit_leaves_nothing_behind(void **state)
{
    (void)state;
    static const struct {
        lf_kind kind;
        const char *bytes;
        size_t size;
    } rows[] = {
        {LF_KIND_STRING, "a\"b\xFF", 4},
        {LF_KIND_JSON, "[1,2]", 5},
        {LF_KIND_UINT, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 8},
        {LF_KIND_OPAQUE, "\x10\0\0\0\0\0\0\0", 8},
        {LF_KIND_CHAR, "x\0\0\0\0\0\0\0", 8},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        builder_begin(&b, LF_SPAN, 0);
        builder_add_indexed(&b, LF__TAG_ARGUMENT, rows[i].kind, 0, rows[i].bytes, rows[i].size);
        lf__view view;
        lf__record_view(&view, &b.as.record, NULL);
        lf__buf_clear(&out);
        assert_true(lf__view_arguments_json(&out, &view));
        size_t whole = out.length;
        for (size_t size = 0; size <= whole; size++) {
            char memory[64];
            lf__buf small;
            lf__buf_over(&small, memory, size);
            assert_int_equal(lf__view_arguments_json(&small, &view), size == whole);
            assert_int_equal(small.length, size == whole ? whole : 0);
            lf__buf_over(&small, memory, size);
            bool done = lf__field_json(&small, view.last[LF__TAG_ARGUMENT]);
            assert_true(done || small.length == 0);
            lf__buf_over(&small, memory, size);
            done = lf__field_text(&small, view.last[LF__TAG_ARGUMENT]);
            assert_true(done || small.length == 0);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down_out)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_kind_has_its_json_and_its_text),
        TEST(integers_that_a_double_cannot_hold_are_strings),
        TEST(arrays_of_every_element_are_lists),
        TEST(an_array_says_no_more_than_was_stored),
        TEST(nothing_that_was_stored_is_read_as_a_pointer),
        TEST(arguments_are_an_object_of_the_sites_names),
        TEST(the_last_field_of_a_tag_wins),
        TEST(pieces_win_when_they_come_last),
        TEST(what_was_said_of_the_trace_wins_over_what_was_propagated),
        TEST(a_version_of_ones_own_wins_over_that_of_the_trace),
        TEST(fields_that_add_up_come_from_the_record_then_from_its_trace),
        TEST(unknown_tags_are_passed_over),
        TEST(a_record_cut_anywhere_is_not_read_past),
        TEST(what_does_not_fit_leaves_nothing_behind),
    };
    return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
