/* Values in both spellings: what Python writes, down to its quotes and digits, and what holds whatever the spelling is. Each kind
 * as JSON is in test_capture.c and test_record.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "out_buffer.h"

#include "../../observe.h"
#include "../../src/base/json.h"
#include "../../src/base/value.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *written(lf_value value)
{
    assert_true(lf__value_python(&out, &value));
    return result();
}

static const int int_array[] = {1, -2};
static const double double_array[] = {0.5, 1e20, -0.0, NAN};
static const bool bool_array[] = {true, false};
static const char *const text_array[] = {"a", NULL, "it's"};
static const char char_array[] = {'a', '\'', '\xE4'};

static void values_are_written_as_python_writes_them(void **state)
{
    (void)state;
    lf_value unset_member = lf_i_make_pointer(LF_KIND_OBJECT,
                                              ((const lf_member[]){{"u", lf_i_make(LF_KIND_UNSET, 0)}, {"a", lf_int(1)}}), 2);
    lf_value unset_item = lf_i_make_pointer(LF_KIND_LIST, ((const lf_value[]){lf_i_make(LF_KIND_UNSET, 0), lf_int(1)}), 2);
    const struct {
        lf_value value;
        const char *text, *inside; /* NULL: the same */
    } values[] = {
        {lf_null(), "", "None"},
        {lf_i_make(LF_KIND_UNSET, 0), "", "None"},
        {lf_text(NULL), "", "None"},
        {lf_strn(NULL, 0), "", "None"},
        {lf_json(NULL), "", "None"},
        {lf_pointer(NULL), "", "None"},
        {lf_i_make_pointer(LF_KIND_CJSON, NULL, 0), "", "None"},
        {lf_bool(true), "True", NULL},
        {lf_bool(false), "False", NULL},
        {lf_int(INT64_MIN), "-9223372036854775808", NULL},
        {lf_uint(UINT64_MAX), "18446744073709551615", NULL},
        {lf_int(9007199254740993), "9007199254740993", NULL},
        {LF_VALUE((__extension__(__int128) 1 << 64)), "18446744073709551616", NULL},
        {LF_VALUE((__extension__ - (__int128)1)), "-1", NULL},
        {LF_VALUE((__extension__(unsigned __int128) - 1)), "340282366920938463463374607431768211455", NULL},
        {lf_double(1), "1.0", NULL},
        {lf_double(-0.0), "-0.0", NULL},
        {lf_double(0.1), "0.1", NULL},
        {lf_double(1e16), "1e+16", NULL},
        {lf_double(1e-5), "1e-05", NULL},
        {lf_double(123456789012345680.0), "1.2345678901234568e+17", NULL},
        {lf_double(NAN), "nan", NULL},
        {lf_double(INFINITY), "inf", NULL},
        {lf_double(-INFINITY), "-inf", NULL},
        {LF_VALUE(0.1f), "0.1", NULL},
        {LF_VALUE((char)'x'), "x", "'x'"},
        {LF_VALUE("it's"), "it's", "\"it's\""},
        {lf_text(""), "", "''"},
        {lf_strn("", 0), "", "''"},
        {lf_text("a\xFF"
                 "b\xC3"),
         "a\xEF\xBF\xBD"
         "b\xEF\xBF\xBD",
         "'a\xEF\xBF\xBD"
         "b\xEF\xBF\xBD'"},
        {lf_pointer((const void *)(uintptr_t)0xAB12), "0xab12", "'0xab12'"},
        {lf_secret("x"), "<secret>", "'<secret>'"},
        {lf_i_make(LF_KIND_OPAQUE, 24), "<24 bytes>", "'<24 bytes>'"},
        {lf_array(int_array, 2), "[1, -2]", NULL},
        {lf_array(int_array, 0), "[]", NULL},
        {lf_array((const int *)NULL, 0), "", "None"},
        {lf_array(double_array, 4), "[0.5, 1e+20, -0.0, nan]", NULL},
        {lf_array(bool_array, 2), "[True, False]", NULL},
        {lf_array(text_array, 3), "['a', None, \"it's\"]", NULL},
        {lf_array(char_array, 3), "['a', \"'\", '\xEF\xBF\xBD']", NULL},
        {LF_ARRAY(1, "x", LF_OBJECT("k", lf_null())), "[1, 'x', {'k': None}]", NULL},
        {lf_i_make_pointer(LF_KIND_LIST, NULL, 0), "[]", NULL},
        {lf_i_make_pointer(LF_KIND_OBJECT, NULL, 0), "{}", NULL},
        {unset_member, "{'a': 1}", NULL},
        {unset_item, "[None, 1]", NULL},
        {lf_json("{\"a\" : [ 1 ,2.50, -0, \"x\" , {} , [ ] ], \"b\\u00e4\":{\"c\":null,\"d\":true,\"e\":false}}"),
         "{'a': [1, 2.5, 0, 'x', {}, []], 'b\xC3\xA4': {'c': None, 'd': True, 'e': False}}", NULL},
        {lf_json(" \"a\\n\\\"b\\\"\" "), "a\n\"b\"", "'a\\n\"b\"'"},
        {lf_json("\"\""), "", "''"},
        {lf_json("null"), "", "None"},
        {lf_json("{no json"), "{no json", "'{no json'"},
        {lf_jsonn("[1,2]x", 5), "[1, 2]", NULL},
        {lf_jsonn("", 0), "", "''"},
    };
    for (size_t i = 0; i < COUNT(values); i++) {
        const char *inside = values[i].inside == NULL ? values[i].text : values[i].inside;
        char list[256], object[256];
        snprintf(list, sizeof list, "[%s]", inside);
        snprintf(object, sizeof object, "{'k': %s}", inside);
        assert_string_equal(written(values[i].value), values[i].text);
        assert_string_equal(written(LF_ARRAY(values[i].value)), list);
        if (values[i].value.kind != LF_KIND_UNSET)
            assert_string_equal(written(LF_OBJECT("k", values[i].value)), object);
    }
}

static void text_in_quotes_is_pythons_repr(void **state)
{
    (void)state;
    static const struct {
        const char *text, *quoted;
    } texts[] = {
        {"plain", "'plain'"},
        {"it's", "\"it's\""},
        {"say \"x\"", "'say \"x\"'"},
        {"it's \"x\"", "'it\\'s \"x\"'"},
        {"a\\b", "'a\\\\b'"},
        {"\n\r\t", "'\\n\\r\\t'"},
        {"\x01\x1F\x7F\b\f\v", "'\\x01\\x1f\\x7f\\x08\\x0c\\x0b'"},
        {"\xC2\x80\xC2\x9F\xC2\xA0\xC2\xA1\xC2\xAD\xC2\xAE", "'\\x80\\x9f\\xa0\xC2\xA1\\xad\xC2\xAE'"},
        {"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80", "'\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80'"},
        {"\xE2\x80\x8B\xE2\x80\xA8\xE2\x80\xAF\xEF\xBB\xBF\xE3\x80\x80\xEE\x80\x80",
         "'\\u200b\\u2028\\u202f\\ufeff\\u3000\\ue000'"},
        {"\xE2\x80\x90\xE2\x80\xB0", "'\xE2\x80\x90\xE2\x80\xB0'"},
        {"\xF3\xA0\x80\x81\xF3\xB0\x80\x80\xF4\x8F\xBF\xBD", "'\\U000e0001\\U000f0000\\U0010fffd'"},
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        char list[128];
        snprintf(list, sizeof list, "[%s]", texts[i].quoted);
        assert_string_equal(written(LF_ARRAY(texts[i].text)), list);
        /* The same out of JSON, plain and with every character escaped. */
        lf__buf json;
        lf__buf_init(&json, 1 << 16);
        lf__buf_add_char(&json, '[');
        lf__json_string(&json, texts[i].text, strlen(texts[i].text));
        lf__buf_add_char(&json, ']');
        assert_string_equal(written(lf_jsonn(json.data, json.length)), list);
        lf__buf_done(&json);
    }
    assert_string_equal(written(LF_ARRAY(lf_strn("a\0b", 3))), "['a\\x00b']");
    assert_string_equal(written(lf_json("[\"\\u0000\\ud83d\\ude00\\ud83d\\u00a0\"]")),
                        "['\\x00\xF0\x9F\x98\x80\xEF\xBF\xBD\\xa0']");
}

static void numbers_of_json_text_are_read_as_python_reads_them(void **state)
{
    (void)state;
    static const struct {
        const char *json, *text;
    } numbers[] = {
        {"0", "0"},
        {"-0", "0"},
        {"-1", "-1"},
        {"12345678901234567890123456789012345678901234567890", "12345678901234567890123456789012345678901234567890"},
        {"1.0", "1.0"},
        {"-0.0", "-0.0"},
        {"1.50", "1.5"},
        {"1e2", "100.0"},
        {"1E+2", "100.0"},
        {"12.5e-1", "1.25"},
        {"0.1", "0.1"},
        {"1e22", "1e+22"},
        {"1e-7", "1e-07"},
        {"1e999", "inf"},
        {"-1e999", "-inf"},
        {"1e-999", "0.0"},
        {"5e-324", "5e-324"},
        {"1e99999999999999999999999", "inf"},
        {"1e12345678901234567", "inf"},
        {"1e-99999999999999999999999", "0.0"},
        {"0e99999999999999999999999", "0.0"},
        {"9007199254740993.0", "9007199254740992.0"},
        {"0.1000000000000000055511151231257827021181583404541015625", "0.1"},
    };
    errno = EDOM;
    for (size_t i = 0; i < COUNT(numbers); i++) {
        char list[128];
        snprintf(list, sizeof list, "[%s]", numbers[i].text);
        assert_string_equal(written(lf_json(numbers[i].json)), numbers[i].text);
        lf_value json = lf_json(numbers[i].json);
        assert_string_equal(written(LF_ARRAY(json)), list);
    }
    assert_int_equal(errno, EDOM);

    /* More digits than fit on the stack: 0.000...0001e500 and 1000...000.0e-499. */
    char digits[600];
    memset(digits, '0', sizeof digits);
    memcpy(digits, "0.", 2);
    snprintf(digits + 501, sizeof digits - 501, "1e500");
    assert_string_equal(written(lf_json(digits)), "1.0");
    memset(digits, '0', sizeof digits);
    digits[0] = '1';
    snprintf(digits + 500, sizeof digits - 500, ".0e-499");
    assert_string_equal(written(lf_json(digits)), "1.0");
}

static void trees_are_written_like_the_text_they_came_from(void **state)
{
    (void)state;
    static const char json[] = "{\"a\":[1,2.5,\"x\",{},[],null,true,false,1e20],\"it's\":-3,\"\":{\"b\":\"\\n\"}}";
    static const char text[] = "{'a': [1, 2.5, 'x', {}, [], None, True, False, 1e+20], \"it's\": -3, '': {'b': '\\n'}}";
    cJSON *tree = cJSON_Parse(json);
    assert_string_equal(written(LF_VALUE(tree)), text);
    assert_string_equal(written(lf_json(json)), text);
    cJSON_AddItemToObject(tree, "raw", cJSON_CreateRaw("[1 ]"));
    cJSON_AddItemToObject(tree, "raw2", cJSON_CreateRaw("[1"));
    cJSON_AddItemToObject(tree, "nan", cJSON_CreateNumber(NAN));
    cJSON_DeleteItemFromObject(tree, "a");
    assert_string_equal(written(LF_VALUE(tree)), "{\"it's\": -3, '': {'b': '\\n'}, 'raw': [1], 'raw2': '[1', 'nan': nan}");
    cJSON_Delete(tree);
}

static void values_nested_too_deep_end_in_none(void **state)
{
    (void)state;
    enum { DEPTH = LF__VALUE_MAX_DEPTH + 10 };
    lf_value lists[DEPTH];
    lists[0] = lf_int(1);
    cJSON *tree = cJSON_CreateNumber(1);
    for (size_t i = 1; i < DEPTH; i++) {
        lists[i] = lf_i_make_pointer(LF_KIND_LIST, &lists[i - 1], 1);
        cJSON *list = cJSON_CreateArray();
        cJSON_AddItemToArray(list, tree);
        tree = list;
    }
    const char *text = written(lists[DEPTH - 1]);
    assert_int_equal(strspn(text, "["), LF__VALUE_MAX_DEPTH + 1);
    assert_int_equal(strncmp(text + LF__VALUE_MAX_DEPTH + 1, "None]", 5), 0);
    text = written(LF_VALUE(tree));
    assert_int_equal(strspn(text, "["), LF__VALUE_MAX_DEPTH + 1);
    assert_int_equal(strncmp(text + LF__VALUE_MAX_DEPTH + 1, "None]", 5), 0);
    cJSON_Delete(tree);
    lists[0] = lf_array(int_array, 2);
    text = written(lists[LF__VALUE_MAX_DEPTH - 1]);
    assert_non_null(strstr(text, "[1, -2]"));
    text = written(lists[LF__VALUE_MAX_DEPTH]);
    assert_non_null(strstr(text, "[None, None]"));
}

/* ---- Failures ---- */

/* The output has room; what is missing is memory to unescape a text, to read a number. */
static void without_memory_nothing_is_left_out_in_silence(void **state)
{
    (void)state;
    const lf_value values[] = {lf_json("[\"\\n\"]"), lf_json("[\"a\", 1.00000000000000000000000000000000000"
                                                             "0000000000000000000000000000000000000000000"
                                                             "00000000000000000000000000000000000]")};
    char memory[64];
    lf__buf to;
    lf__alloc_fail_from(1);
    for (size_t i = 0; i < COUNT(values); i++) {
        lf__buf_over(&to, memory, sizeof memory);
        assert_false(lf__value_python(&to, &values[i]));
    }
    lf__alloc_fail_from(0);
}

static void without_room_there_is_a_part(void **state)
{
    (void)state;
    bool (*const spellings[])(lf__buf *, const lf_value *) = {lf__value_json, lf__value_python};
    lf_value value = LF_ARRAY(lf_null(), true, -7, UINT64_MAX, 0.5, NAN, 'c', "it's \xFF", lf_json("{\"k\": [\"\\n\", 1e5]}"),
                              lf_pointer(&out), LF_OBJECT("a", 1, "b", LF_ARRAY("x")), lf_secret(1), lf_i_make(LF_KIND_OPAQUE, 24));
    for (size_t i = 0; i < COUNT(spellings); i++) {
        assert_true(spellings[i](&out, &value));
        size_t whole = out.length;
        const char *text = result();
        for (size_t room = 0; room <= whole; room++) {
            char *memory = malloc(room + 1); /* of its own size, so that a checker sees writing past it */
            assert_non_null(memory);
            lf__buf part;
            lf__buf_over(&part, memory, room);
            assert_int_equal(spellings[i](&part, &value), room == whole);
            assert_memory_equal(memory, text, part.length);
            assert_int_equal(part.length == whole, room == whole);
            free(memory);
        }
    }
}

static void what_cannot_be_a_value_is_none(void **state)
{
    (void)state;
    uint64_t refused = lf__refused;
    assert_string_equal(written(lf_strn("abc", (size_t)-1)), "");
    assert_string_equal(written(LF_ARRAY(1, lf_jsonn("2", (size_t)-1))), "[1, None]");
    assert_string_equal(written(lf_array("abc", -1)), "");
    assert_int_equal(lf__refused, refused + 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_out, tear_down_out)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(values_are_written_as_python_writes_them),
        TEST(text_in_quotes_is_pythons_repr),
        TEST(numbers_of_json_text_are_read_as_python_reads_them),
        TEST(trees_are_written_like_the_text_they_came_from),
        TEST(values_nested_too_deep_end_in_none),
        TEST(without_memory_nothing_is_left_out_in_silence),
        TEST(without_room_there_is_a_part),
        TEST(what_cannot_be_a_value_is_none),
    };
    return cmocka_run_group_tests_name("value", tests, NULL, NULL);
}
