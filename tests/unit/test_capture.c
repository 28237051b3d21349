/* Every kind of value becomes a field that reads back as the expected text, in memory of every size, and nothing is ever
 * written beyond that memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../observe.h"
#include "../../src/observe/capture.h"
#include "../../src/base/json.h"
#include "../../src/base/value.h"

#include <cjson/cJSON.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { ARENA = 1 << 17, GUARD = 64, GUARD_BYTE = 0xa5 };

static uint64_t arena_words[(ARENA + 2 * GUARD) / 8];
static char printed[4 * ARENA];

static uint8_t *arena(void)
{
    return (uint8_t *)arena_words + GUARD;
}

/* Capture into `size` bytes; the bytes around them must stay. Returns the field, or NULL when nothing was written. */
static const lf__field *capture(const lf_value *value, size_t size)
{
    assert_true(size <= ARENA);
    uint8_t *at = arena(), *end = at + size;
    memset(arena_words, GUARD_BYTE, GUARD);
    memset(at, 0x5a, size);
    memset(end, GUARD_BYTE, GUARD);
    uint8_t *next = lf__capture(at, end, LF__TAG_ARGUMENT, 7, value);
    assert_true(next >= at && next <= end);
    for (size_t i = 0; i < GUARD; i++) {
        assert_int_equal(((uint8_t *)arena_words)[i], GUARD_BYTE);
        assert_int_equal(end[i], GUARD_BYTE);
    }
    if (next == at)
        return NULL;
    const lf__field *field = (const lf__field *)(const void *)at;
    assert_int_equal(field->tag, LF__TAG_ARGUMENT);
    assert_int_equal(field->index, 7);
    assert_int_equal((size_t)(next - at), sizeof *field + lf__align8(field->length));
    return field;
}

static const char *print(const lf__field *field)
{
    lf__buf out;
    lf__buf_over(&out, printed, sizeof printed - 1);
    assert_true(lf__field_json(&out, field));
    assert_true(lf__json_valid(printed, out.length));
    printed[out.length] = '\0';
    return printed;
}

static const char *captured(lf_value value)
{
    const lf__field *field = capture(&value, ARENA);
    return field == NULL ? "(nothing)" : print(field);
}

#define CHECK(value, text) assert_string_equal(captured(value), text)

/* ---- What is stored --------------------------------------------------------------------------------------------- */

static void numbers_are_stored_exactly(void **state)
{
    (void)state;
    CHECK(LF_VALUE(0), "0");
    CHECK(LF_VALUE(-1), "-1");
    CHECK(LF_VALUE((signed char)-128), "-128");
    CHECK(LF_VALUE((unsigned char)255), "255");
    CHECK(LF_VALUE((short)-32768), "-32768");
    CHECK(LF_VALUE((unsigned short)65535), "65535");
    CHECK(LF_VALUE(INT_MIN), "-2147483648");
    CHECK(LF_VALUE(UINT_MAX), "4294967295");
    CHECK(LF_VALUE((int64_t)9007199254740991), "9007199254740991");
    CHECK(LF_VALUE((int64_t)9007199254740993), "\"9007199254740993\"");
    CHECK(LF_VALUE((long long)INT64_MIN), "\"-9223372036854775808\"");
    CHECK(LF_VALUE((unsigned long long)UINT64_MAX), "\"18446744073709551615\"");
    CHECK(LF_VALUE((size_t)12), "12");
    CHECK(LF_VALUE(0.9), "0.9");
    CHECK(LF_VALUE(2.0), "2.0");
    CHECK(LF_VALUE(0.1f), "0.1");
    CHECK(LF_VALUE(1.5L), "1.5");
    CHECK(LF_VALUE((double)NAN), "\"NaN\"");
    CHECK(LF_VALUE((float)-INFINITY), "\"-Infinity\"");
    CHECK(LF_VALUE((bool)true), "true");
    CHECK(LF_VALUE((bool)false), "false");
}

static void wide_integers_are_stored_exactly(void **state)
{
    (void)state;
#ifdef __SIZEOF_INT128__
    lf_i_int128 wide = (lf_i_int128)INT64_MAX + 1;
    CHECK(LF_VALUE((lf_i_int128)-5), "-5");
    CHECK(LF_VALUE((lf_i_uint128)5), "5");
    CHECK(LF_VALUE(wide), "\"9223372036854775808\"");
    CHECK(LF_VALUE(-wide - 1), "\"-9223372036854775809\"");
    CHECK(LF_VALUE((lf_i_uint128)-1), "\"340282366920938463463374607431768211455\"");
#endif
}

static void text_is_copied_and_repaired(void **state)
{
    (void)state;
    char array[8] = "abc";
    const char *none = NULL;
    CHECK(LF_VALUE("x"), "\"x\"");
    CHECK(LF_VALUE(""), "\"\"");
    CHECK(LF_VALUE(array), "\"abc\"");
    CHECK(LF_VALUE(none), "null");
    CHECK(LF_VALUE("a\"b\\c\n"), "\"a\\\"b\\\\c\\n\"");
    CHECK(LF_VALUE("gr\xc3\xbc\xc3\x9f"), "\"gr\xc3\xbc\xc3\x9f\"");
    CHECK(LF_VALUE("a\xff"
                   "b"),
          "\"a\xef\xbf\xbd"
          "b\"");
    CHECK(lf_strn("a\0b", 3), "\"a\\u0000b\"");
    CHECK(lf_strn("abc", 0), "\"\"");
    CHECK(lf_strn(NULL, 0), "null");
    CHECK(lf_strn(NULL, 5), "null");
    CHECK(LF_VALUE((char)'x'), "\"x\"");
    CHECK(LF_VALUE((char)'\0'), "\"\\u0000\"");
}

/* The stored size is that of the text at every length: the inline copy has cases by length. */
static void text_of_every_length_survives(void **state)
{
    (void)state;
    char text[300], expected[310];
    for (size_t size = 0; size < sizeof text; size++) {
        for (size_t i = 0; i < size; i++)
            text[i] = (char)('a' + i % 26);
        text[size] = '\0';
        snprintf(expected, sizeof expected, "\"%s\"", text);
        CHECK(LF_VALUE(text), expected);
        CHECK(lf_strn(text, size), expected);
    }
}

static void json_text_is_kept_or_quoted(void **state)
{
    (void)state;
    CHECK(lf_json("{\"a\":[1, 2]}"), "{\"a\":[1, 2]}");
    CHECK(lf_json(" 1e400 "), " 1e400 ");
    CHECK(lf_json("{\"a\":"), "\"{\\\"a\\\":\"");
    CHECK(lf_json(""), "\"\"");
    CHECK(lf_json(NULL), "null");
    CHECK(lf_jsonn("[1,2]garbage", 5), "[1,2]");
    CHECK(lf_jsonn("[1,2]garbage", 6), "\"[1,2]g\"");
    CHECK(lf_jsonn(NULL, 5), "null");
    CHECK(lf_json("\"\xff\""), "\"\\\"\xef\xbf\xbd\\\"\"");
}

static void pointers_are_shown_as_hex(void **state)
{
    (void)state;
    CHECK(LF_VALUE((void *)(uintptr_t)0x1234abcd), "\"0x1234abcd\"");
    CHECK(LF_VALUE(NULL), "null");
    CHECK(LF_VALUE((int *)NULL), "null");
    CHECK(lf_pointer((void *)(uintptr_t)0xff), "\"0xff\"");
    CHECK(lf_pointer(NULL), "null");
    assert_int_equal(strlen(captured(lf_pointer((void *)UINTPTR_MAX))), 4 + 2 * sizeof(void *));
}

struct pair {
    int a;
    double b;
};

static void structs_are_named_by_their_size(void **state)
{
    (void)state;
    struct pair pair = {1, 2};
    char expected[32];
    snprintf(expected, sizeof expected, "\"<%zu bytes>\"", sizeof pair);
    CHECK(LF_VALUE(pair), expected);
    CHECK(lf_secret(pair), "\"<secret>\"");
    CHECK(lf_secret("sk-lf-1"), "\"<secret>\"");
}

static void nothing_is_stored_of_an_unset_value(void **state)
{
    (void)state;
    lf_value unset = {0};
    CHECK(unset, "(nothing)");
    CHECK(lf_null(), "null");
}

static void composites_are_written_out(void **state)
{
    (void)state;
    lf_value unset = {0};
    CHECK(LF_OBJECT("a", 1, "b", "x"), "{\"a\":1,\"b\":\"x\"}");
    CHECK(LF_OBJECT("a", unset, "b", 2), "{\"b\":2}");
    CHECK(LF_OBJECT((const char *)NULL, 1, "b", 2), "{\"b\":2}");
    CHECK(LF_OBJECT("a\"\n", LF_ARRAY(1, "two", 3.0)), "{\"a\\\"\\n\":[1,\"two\",3.0]}");
    CHECK(LF_ARRAY(unset, 1), "[null,1]");
    CHECK(LF_ARRAY(lf_secret(1), lf_pointer(NULL), lf_json("{}"), lf_json("{"), (bool)true, (char)'c'),
          "[\"<secret>\",null,{},\"{\",true,\"c\"]");
    CHECK(LF_ARRAY(LF_OBJECT("a", (const char *)NULL)), "[{\"a\":null}]");
    CHECK(lf_i_make_pointer(LF_KIND_LIST, NULL, 3), "[]");
    CHECK(lf_i_make_pointer(LF_KIND_OBJECT, NULL, 3), "{}");
    CHECK(lf_i_make_pointer(LF_KIND_LIST, "", 0), "[]");
#ifdef __SIZEOF_INT128__
    CHECK(LF_ARRAY((lf_i_uint128)-1), "[\"340282366920938463463374607431768211455\"]");
#endif
}

static void nesting_ends_at_a_depth(void **state)
{
    (void)state;
    enum { DEEP = 200 };
    lf_value level[DEEP];
    level[0] = lf_int(1);
    for (int i = 1; i < DEEP; i++)
        level[i] = lf_i_make_pointer(LF_KIND_LIST, &level[i - 1], 1);
    const char *text = captured(level[DEEP - 1]);
    assert_int_equal(strspn(text, "["), LF__VALUE_MAX_DEPTH + 1);
    assert_non_null(strstr(text, "null"));
    CHECK(level[3], "[[[1]]]");

    lf_member members[DEEP];
    for (int i = 1; i < DEEP; i++) {
        members[i] = (lf_member){"k", level[i - 1]};
        level[i] = lf_i_make_pointer(LF_KIND_OBJECT, &members[i], 1);
    }
    assert_non_null(strstr(captured(level[DEEP - 1]), ":null}"));
}

/* ---- Arrays ----------------------------------------------------------------------------------------------------- */

static void arrays_of_every_element_type(void **state)
{
    (void)state;
    CHECK(lf_array(((bool[]){true, false}), 2), "[true,false]");
    CHECK(lf_array(((signed char[]){-1, 2}), 2), "[-1,2]");
    CHECK(lf_array(((unsigned char[]){255, 2}), 2), "[255,2]");
    CHECK(lf_array(((short[]){-300, 2}), 2), "[-300,2]");
    CHECK(lf_array(((unsigned short[]){65535, 2}), 2), "[65535,2]");
    CHECK(lf_array(((int[]){INT_MIN, 2}), 2), "[-2147483648,2]");
    CHECK(lf_array(((unsigned[]){UINT_MAX, 2}), 2), "[4294967295,2]");
    CHECK(lf_array(((long[]){-5, 2}), 2), "[-5,2]");
    CHECK(lf_array(((unsigned long[]){5, 2}), 2), "[5,2]");
    CHECK(lf_array(((long long[]){INT64_MIN, 2}), 2), "[\"-9223372036854775808\",2]");
    CHECK(lf_array(((unsigned long long[]){UINT64_MAX, 2}), 2), "[\"18446744073709551615\",2]");
    CHECK(lf_array(((float[]){0.1f, 2}), 2), "[0.1,2.0]");
    CHECK(lf_array(((double[]){0.1, (double)NAN}), 2), "[0.1,\"NaN\"]");
    CHECK(lf_array(((char[]){'a', 'b'}), 2), "[\"a\",\"b\"]");
    CHECK(lf_array(((const char *[]){"a", NULL, "c\""}), 3), "[\"a\",null,\"c\\\"\"]");
    CHECK(lf_array(((char *[]){NULL}), 1), "[null]");
    CHECK(lf_array(((void *[]){NULL, (void *)(uintptr_t)0xab}), 2), "[null,\"0xab\"]");
    CHECK(lf_array(((int *[]){NULL}), 1), "[null]");
    const int constant[] = {1, 2, 3};
    CHECK(lf_array(constant, 3), "[1,2,3]");
    CHECK(lf_array(constant, 0), "[]");
    CHECK(lf_array((const int *)NULL, 3), "null");
    CHECK(lf_array((const char **)NULL, 3), "null");
    CHECK(LF_ARRAY(lf_array(constant, 2), lf_array(((float[]){0.5f}), 1), lf_array(((bool[]){true}), 1)), "[[1,2],[0.5],[true]]");
    CHECK(LF_ARRAY(lf_array((const int *)NULL, 3)), "[[]]");
    /* Elements that do not lie aligned. */
    char bytes[17] = {0};
    memcpy(bytes + 1, (int64_t[]){-7, 8}, 16);
    CHECK(lf_i_array_of(LF_KIND_INT, 8, bytes + 1, 2), "[-7,8]");
    CHECK(LF_ARRAY(lf_i_array_of(LF_KIND_INT, 8, bytes + 1, 2)), "[[-7,8]]");
}

/* ---- cJSON ------------------------------------------------------------------------------------------------------ */

static lf_value of_cjson(const cJSON *json)
{
    return LF_VALUE(json);
}

static void check_cjson(const char *text, const char *expected)
{
    cJSON *json = cJSON_Parse(text);
    assert_non_null(json);
    CHECK(of_cjson(json), expected);
    cJSON_Delete(json);
}

static void cjson_trees_are_written_out(void **state)
{
    (void)state;
    CHECK(of_cjson(NULL), "null");
    check_cjson("null", "null");
    check_cjson("[true, false, null, 1, -2, 0.5, \"x\\ny\", {}, []]", "[true,false,null,1,-2,0.5,\"x\\ny\",{},[]]");
    check_cjson("{\"a\":{\"b\":[{\"c\":1}]},\"\":2}", "{\"a\":{\"b\":[{\"c\":1}]},\"\":2}");
    check_cjson("9007199254740991", "9007199254740991");
    check_cjson("1e300", "1e+300");
    check_cjson("[1e-7]", "[1e-07]");
}

static void odd_cjson_trees_do_no_harm(void **state)
{
    (void)state;
    cJSON *array = cJSON_CreateArray();
    cJSON_AddItemToArray(array, cJSON_CreateNumber((double)NAN));
    cJSON_AddItemToArray(array, cJSON_CreateNumber((double)INFINITY));
    cJSON_AddItemToArray(array, cJSON_CreateRaw("{\"raw\": 1}"));
    cJSON_AddItemToArray(array, cJSON_CreateRaw("{\"raw\": "));
    cJSON_AddItemToArray(array, cJSON_CreateRaw(""));
    cJSON_AddItemToArray(array, cJSON_CreateString("\xc3"));
    cJSON *odd = cJSON_CreateNull();
    odd->type = cJSON_Invalid;
    cJSON_AddItemToArray(array, odd);
    cJSON_AddItemToArray(array, cJSON_CreateStringReference("ref"));
    CHECK(of_cjson(array), "[\"NaN\",\"Infinity\",{\"raw\": 1},\"{\\\"raw\\\": \",\"\",\"\xef\xbf\xbd\",null,\"ref\"]");
    cJSON_Delete(array);

    cJSON bare = {.type = cJSON_String}; /* valuestring is missing */
    CHECK(of_cjson(&bare), "null");
    bare.type = cJSON_Raw;
    CHECK(of_cjson(&bare), "null");
    bare.type = cJSON_Object;
    CHECK(of_cjson(&bare), "{}");
    cJSON child = {.type = cJSON_True}; /* a member without a name */
    bare.child = &child;
    CHECK(of_cjson(&bare), "{\"\":true}");
    cJSON both = {.type = 0xff};
    CHECK(of_cjson(&both), "null");

    enum { DEEP = 500 };
    cJSON chain[DEEP];
    memset(chain, 0, sizeof chain);
    for (int i = 0; i < DEEP; i++) {
        chain[i].type = cJSON_Array;
        chain[i].child = i + 1 < DEEP ? &chain[i + 1] : NULL;
    }
    assert_non_null(strstr(captured(of_cjson(chain)), "null"));
}

/* ---- Memory of every size --------------------------------------------------------------------------------------- */

static char long_text[3000];

/* One of each kind, most of them larger than the smallest memory. */
static size_t specimens(lf_value out[32])
{
    static const char *words[300];
    static int numbers[700];
    static double reals[300];
    static char chars[900];
    static lf_value list[200];
    static lf_member members[100];
    static cJSON root, items[200];
    for (size_t i = 0; i + 1 < sizeof long_text; i++)
        long_text[i] = "\xc3\xa4\xe2\x82\xac"
                       "x\"\n"[i % 8];
    for (size_t i = 0; i < 300; i++)
        words[i] = i % 7 == 0 ? NULL : "w\xc3\xb6rd";
    for (size_t i = 0; i < 700; i++)
        numbers[i] = (int)i * 1000;
    for (size_t i = 0; i < 900; i++)
        chars[i] = (char)i;
    for (size_t i = 0; i < 200; i++)
        list[i] = i % 3 == 0 ? lf_text("item \xe2\x82\xac") : i % 3 == 1 ? lf_array(numbers, i) : lf_double(0.1 * (double)i);
    for (size_t i = 0; i < 100; i++)
        members[i] = (lf_member){"k\xc3\xa4y", list[i]};
    root.type = cJSON_Array;
    root.child = items;
    for (size_t i = 0; i < 200; i++) {
        items[i].type = cJSON_String;
        items[i].valuestring = long_text + 2900;
        items[i].next = i + 1 < 200 ? &items[i + 1] : NULL;
    }
    size_t n = 0;
    out[n++] = lf_null();
    out[n++] = lf_bool(true);
    out[n++] = lf_int(-1);
    out[n++] = lf_uint(1);
    out[n++] = lf_double(0.5);
    out[n++] = LF_VALUE(0.5f);
    out[n++] = LF_VALUE((char)'c');
#ifdef __SIZEOF_INT128__
    out[n++] = LF_VALUE((lf_i_int128)-1);
#endif
    out[n++] = lf_pointer(out);
    out[n++] = lf_secret(1);
    out[n++] = lf_i_v_opaque(40);
    out[n++] = lf_text("short");
    out[n++] = lf_text(long_text);
    out[n++] = lf_strn(long_text, sizeof long_text);
    out[n++] = lf_json(long_text);
    out[n++] = lf_jsonn("[1,2,3]", 7);
    out[n++] = lf_array(words, 300);
    out[n++] = lf_array(numbers, 700);
    out[n++] = lf_array(reals, 300);
    out[n++] = lf_array(chars, 900);
    out[n++] = lf_i_make_pointer(LF_KIND_LIST, list, 200);
    out[n++] = lf_i_make_pointer(LF_KIND_OBJECT, members, 100);
    out[n++] = of_cjson(&root);
    return n;
}

static void memory_of_every_size_is_respected(void **state)
{
    (void)state;
    lf_value values[32];
    size_t count = specimens(values);
    for (size_t i = 0; i < count; i++) {
        for (size_t size = 0; size <= 1200; size++) {
            const lf__field *field = capture(&values[i], size);
            if (field == NULL)
                assert_true(size < LF__CAPTURE_MIN_ROOM);
            else
                (void)print(field);
        }
        assert_non_null(capture(&values[i], ARENA));
    }
}

static bool is_valid_utf8(const lf__field *field)
{
    return lf__utf8_valid_prefix(lf__field_payload(field), field->length) == field->length;
}

static void shortened_text_keeps_both_ends_and_whole_characters(void **state)
{
    (void)state;
    char text[2000];
    for (size_t lead = 0; lead < 4; lead++) {
        memset(text, 'b', sizeof text);
        memcpy(text, "begin", 5);
        for (size_t i = 8 + lead; i + 8 < sizeof text - 1; i += 4)
            memcpy(text + i, "\xf0\x9f\x98\x80", 4);
        memcpy(text + sizeof text - 4, "end", 4);
        assert_int_equal(lf__utf8_valid_prefix(text, strlen(text)), strlen(text));
        lf_value value = lf_text(text);
        for (size_t size = LF__CAPTURE_MIN_ROOM; size < 1500; size++) {
            const lf__field *field = capture(&value, size);
            assert_non_null(field);
            assert_int_equal(field->kind, LF_KIND_STRING);
            assert_true(is_valid_utf8(field));
            const char *shown = print(field);
            assert_non_null(strstr(shown, " bytes left out] ..."));
            assert_memory_equal(shown, "\"begin", 6);
            assert_string_equal(shown + strlen(shown) - 4, "end\"");
        }
    }
}

static void the_mark_tells_how_much_is_missing(void **state)
{
    (void)state;
    char text[5001];
    memset(text, 'x', 5000);
    text[5000] = '\0';
    lf_value value = lf_text(text);
    const char *shown = print(capture(&value, 1000));
    size_t missing = 0, left = 0;
    assert_int_equal(sscanf(strstr(shown, "... ["), "... [%zu", &missing), 1);
    for (const char *at = shown; *at != '\0'; at++)
        left += *at == 'x';
    assert_in_range(missing, 5000 - left - 64, 5000 - left); /* the mark's own room is not counted */
}

static void shortened_trees_say_so(void **state)
{
    (void)state;
    lf_value values[32];
    size_t count = specimens(values);
    for (size_t i = count - 3; i < count; i++)
        for (size_t size = LF__CAPTURE_MIN_ROOM; size < 600; size++) {
            const lf__field *field = capture(&values[i], size);
            assert_non_null(field);
            assert_int_equal(field->kind, LF_KIND_STRING);
            assert_true(is_valid_utf8(field));
            assert_non_null(strstr(print(field), "... [the rest is left out]"));
        }
}

static void texts_that_just_fit_are_whole(void **state)
{
    (void)state;
    char text[600];
    for (size_t length = LF__CAPTURE_MIN_ROOM; length < sizeof text; length++) {
        memset(text, 'x', length);
        text[length] = '\0';
        lf_value values[2] = {lf_text(text), lf_strn(text, length)};
        for (size_t i = 0; i < 2; i++) {
            const lf__field *field = capture(&values[i], sizeof *field + length + 8);
            assert_non_null(field);
            assert_int_equal(field->length, length);
            assert_non_null(strstr(print(capture(&values[i], sizeof *field + length + 7)), "left out"));
        }
    }
}

/* ---- What cannot be ---------------------------------------------------------------------------------------------- */

/* An error code as a size, sizes that overflow, a kind that is none. */
static size_t impossible(lf_value values[16])
{
    static const int numbers[4];
    static const char *const texts[2];
    size_t count = 0;
    values[count++] = lf_strn("abc", (size_t)-1);
    values[count++] = lf_strn("abc", (size_t)PTRDIFF_MAX + 1);
    values[count++] = lf_jsonn("[1]", (size_t)-1);
    values[count++] = lf_jsonn("[1]", (size_t)-2);
    values[count++] = lf_array(numbers, -1);
    values[count++] = lf_array(numbers, SIZE_MAX / sizeof *numbers);
    values[count++] = lf_array(texts, -1);
    values[count++] = lf_i_array_of(LF_KIND_INT, 0, numbers, 4);
    values[count++] = lf_i_make_pointer(LF_KIND_LIST, numbers, SIZE_MAX);
    values[count++] = lf_i_make_pointer(LF_KIND_OBJECT, numbers, SIZE_MAX / sizeof(lf_member));
    values[count++] = lf_i_make_pointer((lf_kind)(LF_KIND_OPAQUE + 1), "abc", 3);
    values[count++] = lf_i_make_pointer((lf_kind)UINT16_MAX, "abc", 3);
    return count;
}

static void what_cannot_be_a_value_is_refused_unread(void **state)
{
    (void)state;
    lf_value values[16];
    size_t count = impossible(values);
    for (size_t i = 0; i < count; i++) {
        uint64_t refused = lf__refused;
        assert_null(capture(&values[i], ARENA));
        assert_int_equal(lf__refused, refused + 1);
        CHECK(LF_ARRAY(1, values[i]), "[1,null]");
        assert_int_equal(lf__refused, refused + 2);
    }
}

static void sizes_that_can_be_are_kept(void **state)
{
    (void)state;
    uint64_t refused = lf__refused;
    CHECK(lf_strn("abc", 0), "\"\"");
    CHECK(lf_json("[1]"), "[1]");
    CHECK(lf_array((int *)NULL, 0), "null");
    CHECK(lf_i_array_of(LF_KIND_INT, 0, "", 0), "[]");
    assert_int_equal(lf__refused, refused);
}

static void of_an_element_no_more_is_read_than_there_is(void **state)
{
    (void)state;
    struct {
        char c[3];
    } *small = malloc(2 * sizeof *small);
    assert_non_null(small);
    memset(small, 'x', 2 * sizeof *small);
    CHECK(lf_array(small, 2), "[\"<3 bytes>\",\"<3 bytes>\"]");
    CHECK(lf_i_array_of(LF_KIND_UINT, 3, small, 2), "[7895160,7895160]");
    CHECK(LF_ARRAY(lf_i_array_of(LF_KIND_INT, 3, small, 2)), "[[7895160,7895160]]");
    assert_non_null(captured(lf_i_array_of(LF_KIND_DOUBLE, 3, small, 2)));
    assert_non_null(captured(LF_ARRAY(lf_i_array_of(LF_KIND_FLOAT, 3, small, 2), lf_i_array_of(LF_KIND_DOUBLE, 3, small, 2))));
    free(small);
}

/* What always has room may have gone beyond the end of what has not. */
static void behind_the_end_nothing_is_written(void **state)
{
    (void)state;
    static const int numbers[100];
    char text[300];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    const lf_value values[] = {LF_VALUE(1),   LF_VALUE(2.5),          lf_text(text),     lf_text(""), lf_strn(text, 9),
                               lf_json(text), lf_array(numbers, 100), LF_OBJECT("a", 1), LF_ARRAY(1), lf_null()};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        for (int behind = 1; behind < 3 * LF__CAPTURE_MIN_ROOM; behind += 7) {
            uint8_t *end = arena(), *volatile at = end + behind; /* volatile: or gcc warns of what is never run */
            memset(end, GUARD_BYTE, ARENA);
            assert_ptr_equal(lf__capture(at, end, LF__TAG_INPUT, 0, &values[i]), at);
            for (size_t j = 0; j < 1024; j++)
                assert_int_equal(end[j], GUARD_BYTE);
        }
}

static void limits_may_be_absurd(void **state)
{
    (void)state;
    for (size_t limit = 0; limit < 5000; limit += 7) {
        lf__capture_set_limits(limit);
        assert_true(lf__record_bytes <= limit && lf__output_bytes <= limit && lf__last_bytes == limit);
        assert_true(lf__record_bytes <= lf__output_bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_a_value_is_refused_unread),
        cmocka_unit_test(sizes_that_can_be_are_kept),
        cmocka_unit_test(of_an_element_no_more_is_read_than_there_is),
        cmocka_unit_test(behind_the_end_nothing_is_written),
        cmocka_unit_test(limits_may_be_absurd),
        cmocka_unit_test(numbers_are_stored_exactly),
        cmocka_unit_test(wide_integers_are_stored_exactly),
        cmocka_unit_test(text_is_copied_and_repaired),
        cmocka_unit_test(text_of_every_length_survives),
        cmocka_unit_test(json_text_is_kept_or_quoted),
        cmocka_unit_test(pointers_are_shown_as_hex),
        cmocka_unit_test(structs_are_named_by_their_size),
        cmocka_unit_test(nothing_is_stored_of_an_unset_value),
        cmocka_unit_test(composites_are_written_out),
        cmocka_unit_test(nesting_ends_at_a_depth),
        cmocka_unit_test(arrays_of_every_element_type),
        cmocka_unit_test(cjson_trees_are_written_out),
        cmocka_unit_test(odd_cjson_trees_do_no_harm),
        cmocka_unit_test(memory_of_every_size_is_respected),
        cmocka_unit_test(shortened_text_keeps_both_ends_and_whole_characters),
        cmocka_unit_test(the_mark_tells_how_much_is_missing),
        cmocka_unit_test(shortened_trees_say_so),
        cmocka_unit_test(texts_that_just_fit_are_whole),
    };
    return cmocka_run_group_tests_name("capture", tests, NULL, NULL);
}
