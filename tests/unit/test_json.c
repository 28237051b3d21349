#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/base/json.h"
#include "../../src/base/real.h"
#include "out_buffer.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void assert_result(const char *bytes, size_t size)
{
    assert_false(out.failed);
    assert_int_equal(out.length, size);
    if (size > 0)
        assert_memory_equal(out.data, bytes, size);
    lf__buf_clear(&out);
}

/* ---- UTF-8 ------------------------------------------------------------------------------------------------------ */

/* Each row: bytes, and what WHATWG's decoder makes of them. */
static const struct {
    const char *bytes;
    size_t size;
    const char *repaired;
    size_t repaired_size;
} utf8_rows[] = {
    {BYTES(""), BYTES("")},
    {BYTES("plain"), BYTES("plain")},
    {BYTES("nul\0inside"), BYTES("nul\0inside")},
    {BYTES("\x7F"), BYTES("\x7F")},
    {BYTES("\xC2\x80"), BYTES("\xC2\x80")},                 /* smallest and largest of each length */
    {BYTES("\xDF\xBF"), BYTES("\xDF\xBF")},
    {BYTES("\xE0\xA0\x80"), BYTES("\xE0\xA0\x80")},
    {BYTES("\xEF\xBF\xBF"), BYTES("\xEF\xBF\xBF")},
    {BYTES("\xF0\x90\x80\x80"), BYTES("\xF0\x90\x80\x80")},
    {BYTES("\xF4\x8F\xBF\xBF"), BYTES("\xF4\x8F\xBF\xBF")},
    {BYTES("\xED\x9F\xBF\xEE\x80\x80"), BYTES("\xED\x9F\xBF\xEE\x80\x80")}, /* around the surrogates */
    {BYTES("\x80"), BYTES(FFFD)},                           /* continuation alone */
    {BYTES("\xBF\x80"), BYTES(FFFD FFFD)},
    {BYTES("\xC0\x80"), BYTES(FFFD FFFD)},                  /* overlong */
    {BYTES("\xC1\xBF"), BYTES(FFFD FFFD)},
    {BYTES("\xE0\x80\x80"), BYTES(FFFD FFFD FFFD)},
    {BYTES("\xE0\x9F\xBF"), BYTES(FFFD FFFD FFFD)},
    {BYTES("\xF0\x80\x80\x80"), BYTES(FFFD FFFD FFFD FFFD)},
    {BYTES("\xF0\x8F\xBF\xBF"), BYTES(FFFD FFFD FFFD FFFD)},
    {BYTES("\xED\xA0\x80"), BYTES(FFFD FFFD FFFD)},         /* surrogates */
    {BYTES("\xED\xBF\xBF"), BYTES(FFFD FFFD FFFD)},
    {BYTES("\xF4\x90\x80\x80"), BYTES(FFFD FFFD FFFD FFFD)}, /* above U+10FFFF */
    {BYTES("\xF5\x80\x80\x80"), BYTES(FFFD FFFD FFFD FFFD)},
    {BYTES("\xFF\xFE"), BYTES(FFFD FFFD)},
    {BYTES("\xC3"), BYTES(FFFD)},                           /* cut short: one maximal part */
    {BYTES("\xE2\x82"), BYTES(FFFD)},
    {BYTES("\xF0\x9F\x98"), BYTES(FFFD)},
    {BYTES("\xF0\x9F\x98z"), BYTES(FFFD "z")},
    {BYTES("\xE2\x82\xC3\xA9"), BYTES(FFFD "\xC3\xA9")},
    {BYTES("a\xF1\x80\x80\xE1\x80\xC2z"), BYTES("a" FFFD FFFD FFFD "z")},
    {BYTES("longer text before \xFF and longer text after"), BYTES("longer text before " FFFD " and longer text after")},
};

static void repairs_every_class_of_invalid_utf8(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof utf8_rows / sizeof *utf8_rows; i++) {
        assert_true(lf__utf8_add(&out, utf8_rows[i].bytes, utf8_rows[i].size));
        assert_result(utf8_rows[i].repaired, utf8_rows[i].repaired_size);
        assert_int_equal(lf__utf8_size(utf8_rows[i].bytes, utf8_rows[i].size), utf8_rows[i].repaired_size);
        size_t prefix = lf__utf8_valid_prefix(utf8_rows[i].bytes, utf8_rows[i].size);
        bool valid = utf8_rows[i].size == utf8_rows[i].repaired_size &&
                     memcmp(utf8_rows[i].bytes, utf8_rows[i].repaired, utf8_rows[i].size) == 0;
        assert_int_equal(prefix == utf8_rows[i].size, valid);
        assert_int_equal(memcmp(utf8_rows[i].bytes, utf8_rows[i].repaired, prefix), 0);
    }
}

/* Exactly sized copies, so that the sanitizers see a read past the end. */
static void text_cut_at_every_byte_is_repaired_and_floored(void **state)
{
    (void)state;
    static const char text[] = "A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80 and ASCII enough for a word \xE6\x97\xA5\xE6\x9C\xAC";
    static const size_t starts[] = {1, 3, 6};
    for (size_t size = 0; size < sizeof text; size++) {
        char *copy = malloc(size + 1);
        assert_non_null(copy);
        memmove(copy + 1, text, size);
        size_t floor = lf__utf8_floor(copy + 1, size);
        assert_true(floor <= size && size - floor < 4);
        assert_int_equal(lf__utf8_valid_prefix(copy + 1, size), floor);
        assert_true(lf__utf8_add(&out, copy + 1, size));
        assert_int_equal(lf__utf8_valid_prefix(out.data, out.length), out.length);
        assert_int_equal(out.length, floor + (floor < size ? 3 : 0));
        size_t repaired = out.length;
        uint32_t c;
        for (const char *at = copy + 1, *end = at + size; at < end; lf__utf8_add_code_point(&out, c))
            at += lf__utf8_code_point(at, end, &c);
        assert_int_equal(out.length, 2 * repaired);
        assert_memory_equal(out.data, out.data + repaired, repaired);
        lf__buf_clear(&out);
        assert_true(lf__json_string(&out, copy + 1, size));
        assert_true(lf__json_valid(out.data, out.length));
        lf__buf_clear(&out);
        free(copy);
    }
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        assert_int_equal(lf__utf8_floor(text, starts[i] + 1), starts[i]);
    assert_int_equal(lf__utf8_floor("\x80\x80\x80\x80\x80", 5), 5);
}

/* ---- Strings ---------------------------------------------------------------------------------------------------- */

static void escapes_what_json_wants_escaped_and_nothing_else(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t size;
        const char *json;
    } rows[] = {
        {BYTES(""), "\"\""},
        {BYTES("plain"), "\"plain\""},
        {BYTES("a\"b\\c/d"), "\"a\\\"b\\\\c/d\""},
        {BYTES("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\""},
        {BYTES("\0\x01\x0b\x1f"), "\"\\u0000\\u0001\\u000b\\u001f\""},
        {BYTES("\x7F"), "\"\x7F\""},
        {BYTES("\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80"), "\"\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80\""},
        {BYTES("\xFFx\xE2\x82"), "\"" FFFD "x" FFFD "\""},
        {BYTES("<secret> & 'quotes'"), "\"<secret> & 'quotes'\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(lf__json_string(&out, rows[i].text, rows[i].size));
        assert_string_equal(result(), rows[i].json);
    }
    assert_true(lf__json_string(&out, NULL, 0));
    assert_string_equal(result(), "\"\"");
}

static void finds_every_special_byte_at_every_place_of_a_word(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        for (size_t place = 0; place < 20; place++) {
            char text[20];
            memset(text, 'x', sizeof text);
            text[place] = (char)c;
            assert_true(lf__json_string(&out, text, sizeof text));
            bool plain = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
            assert_int_equal(out.length == sizeof text + 2, plain);
            assert_true(lf__json_valid(out.data, out.length));
            lf__buf read;
            lf__buf_init(&read, 1024);
            assert_true(lf__json_unescape(&read, out.data + 1, out.length - 2));
            if (c < 0x80)
                assert_memory_equal(read.data, text, sizeof text);
            lf__buf_done(&read);
            lf__buf_clear(&out);
        }
    }
}

/* ---- Numbers ---------------------------------------------------------------------------------------------------- */

static void writes_integers_of_every_size(void **state)
{
    (void)state;
    static const int64_t ints[] = {0, 1, -1, 9, 10, 99, 100, -100, 12345, INT32_MIN, 9007199254740993, INT64_MAX, INT64_MIN};
    char expected[32];
    for (size_t i = 0; i < sizeof ints / sizeof *ints; i++) {
        assert_true(lf__json_int(&out, ints[i]));
        snprintf(expected, sizeof expected, "%lld", (long long)ints[i]);
        assert_string_equal(result(), expected);
        assert_true(lf__json_uint(&out, (uint64_t)ints[i]));
        snprintf(expected, sizeof expected, "%llu", (unsigned long long)ints[i]);
        assert_string_equal(result(), expected);
    }
}

static void writes_128_bits(void **state)
{
    (void)state;
    static const struct {
        uint64_t high, low;
        bool is_signed;
        const char *text;
    } rows[] = {
        {0, 0, false, "0"},
        {0, 42, true, "42"},
        {UINT64_MAX, UINT64_MAX, true, "-1"},
        {UINT64_MAX, UINT64_MAX, false, "340282366920938463463374607431768211455"},
        {0x8000000000000000u, 0, true, "-170141183460469231731687303715884105728"},
        {0x7fffffffffffffffu, UINT64_MAX, true, "170141183460469231731687303715884105727"},
        {1, 0, false, "18446744073709551616"},
        {UINT64_MAX, 0, true, "-18446744073709551616"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(lf__json_int128(&out, rows[i].high, rows[i].low, rows[i].is_signed));
        assert_string_equal(result(), rows[i].text);
    }
}

static const struct {
    double value;
    const char *text;
} double_rows[] = {
    {0.0, "0.0"},
    {-0.0, "-0.0"},
    {1.0, "1.0"},
    {-1.5, "-1.5"},
    {0.1, "0.1"},
    {0.9, "0.9"},
    {0.05, "0.05"},
    {100.0, "100.0"},
    {3.14159, "3.14159"},
    {0.30000000000000004, "0.30000000000000004"},
    {1.0 / 3.0, "0.3333333333333333"},
    {2.0 / 3.0, "0.6666666666666666"},
    {123456.789, "123456.789"},
    {0.0001, "0.0001"},
    {0.00001, "1e-05"},
    {0.000123, "0.000123"},
    {1.5e-7, "1.5e-07"},
    {9007199254740991.0, "9007199254740991.0"},
    {9007199254740992.0, "9007199254740992.0"},
    {1e15, "1000000000000000.0"},
    {9999999999999998.0, "9999999999999998.0"},
    {1e16, "1e+16"},
    {12345678901234568.0, "1.2345678901234568e+16"},
    {1e22, "1e+22"},
    {1e23, "1e+23"},
    {1e100, "1e+100"},
    {1.7976931348623157e308, "1.7976931348623157e+308"},
    {2.2250738585072014e-308, "2.2250738585072014e-308"},
    {5e-324, "5e-324"},
    {1.5e-323, "1.5e-323"},
    {1e-310, "1e-310"},
    {1700000000.123456, "1700000000.123456"},
    {(double)NAN, "\"NaN\""},
    {(double)INFINITY, "\"Infinity\""},
    {-(double)INFINITY, "\"-Infinity\""},
};

static void assert_doubles_look_like_pythons(void)
{
    for (size_t i = 0; i < sizeof double_rows / sizeof *double_rows; i++) {
        assert_true(lf__json_double(&out, lf__real_bits(double_rows[i].value)));
        assert_string_equal(result(), double_rows[i].text);
    }
}

static void doubles_look_like_pythons(void **state)
{
    (void)state;
    assert_doubles_look_like_pythons();
}

static uint64_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return lf__real_of_float(bits);
}

static void floats_have_the_digits_a_float_needs(void **state)
{
    (void)state;
    static const struct {
        float value;
        const char *text;
    } rows[] = {
        {0.1f, "0.1"},
        {0.7f, "0.7"},
        {-2.5f, "-2.5"},
        {16777216.0f, "16777216.0"},
        {1e10f, "10000000000.0"},
        {3.4028234663852886e38f, "3.4028235e+38"},
        {1.17549435e-38f, "1.1754944e-38"},
        {1e-45f, "1e-45"},
        {1.0f / 3.0f, "0.33333334"},
        {NAN, "\"NaN\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(lf__json_float(&out, bits_of(rows[i].value)));
        assert_string_equal(result(), rows[i].text);
    }
}

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed ^ *seed >> 29;
}

static void doubles_and_floats_of_any_bits_read_back_as_the_same(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (int i = 0; i < 200000; i++) {
        uint64_t bits = next_random(&seed);
        double value;
        memcpy(&value, &bits, sizeof value);
        if (i % 4 == 0)
            value = (double)(int64_t)(bits >> 20) / 1000.0; /* as people write them */
        if (lf__real_is_finite(lf__real_bits(value))) {
            assert_true(lf__json_double(&out, lf__real_bits(value)));
            assert_true(lf__json_valid(out.data, out.length));
            assert_true(out.length <= 24);
            double back = strtod(result(), NULL);
            assert_memory_equal(&back, &value, sizeof value);
        }
        uint32_t half = (uint32_t)(bits >> 16);
        float narrow;
        memcpy(&narrow, &half, sizeof narrow);
        if (lf__real_is_finite(bits_of(narrow))) {
            assert_true(lf__json_float(&out, bits_of(narrow)));
            assert_true(out.length <= 20);
            const char *text = result();
            float back = strtof(text, NULL);
            assert_memory_equal(&back, &narrow, sizeof narrow);
#ifndef __FAST_MATH__ /* where the smallest floats become zero */
            back = (float)strtod(text, NULL);
            assert_memory_equal(&back, &narrow, sizeof narrow);
#endif
        }
    }
}

/* Few systems have a locale with a decimal comma installed, so one is made. */
static void a_decimal_comma_in_the_hosts_locale_changes_nothing(void **state)
{
    (void)state;
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8"};
    const char *found = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names && found == NULL; i++)
        found = setlocale(LC_ALL, names[i]);
    char folder[] = "/tmp/test_json.XXXXXX", command[256];
    if (found == NULL && mkdtemp(folder) != NULL) {
        snprintf(command, sizeof command, "localedef -i de_DE -f UTF-8 %s/de_DE.UTF-8 >/dev/null 2>&1", folder);
        if (system(command) == 0) {
            setenv("LOCPATH", folder, 1);
            found = setlocale(LC_ALL, "de_DE.UTF-8");
        }
        snprintf(command, sizeof command, "rm -r %s", folder);
        if (system(command) != 0)
            fail();
    }
    if (found == NULL)
        skip();
    char text[16];
    snprintf(text, sizeof text, "%.1f", 0.5);
    assert_string_equal(text, "0,5");
    assert_doubles_look_like_pythons();
    setlocale(LC_ALL, "C");
}

/* ---- Reading ---------------------------------------------------------------------------------------------------- */

static void assert_valid(const char *text, size_t size, bool expected)
{
    char *copy = malloc(size + 1); /* one byte too many in front, none behind */
    assert_non_null(copy);
    memcpy(copy + 1, text, size);
    if (lf__json_valid(copy + 1, size) != expected)
        fail_msg("%s should be %s", text, expected ? "accepted" : "refused");
    free(copy);
}

static void accepts_json_and_nothing_else(void **state)
{
    (void)state;
    static const char *const accepted[] = {
        "0",
        "-0",
        "1",
        "-12",
        "0.5",
        "1e5",
        "1E+5",
        "1.25e-7",
        "123456789012345678901234567890",
        "true",
        "false",
        "null",
        "\"\"",
        "\"a\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"",
        "\"\\ud800\"",
        "\"\xC3\xA9\"",
        "\"\x7f\"",
        "[]",
        "[ ]",
        "{}",
        "{ }",
        "[1]",
        "[1,2]",
        "[[],[[]],{}]",
        "{\"a\":1}",
        "{\"a\":{\"b\":[1,{\"c\":null}]},\"d\":\"e\"}",
        " \t\r\n 1 \n",
        " { \"a\" : [ 1 , 2 ] , \"b\" : { } } ",
        "{\"a\":1,\"a\":2}",
        "{\"\":\"\"}",
    };
    static const char *const refused[] = {
        "",
        " ",
        "-",
        "+1",
        "01",
        "-01",
        "1.",
        ".5",
        "1e",
        "1e+",
        "0x1",
        "1 2",
        "NaN",
        "Infinity",
        "-Infinity",
        "tru",
        "truex",
        "True",
        "nul",
        "nullnull",
        "\"",
        "\"a",
        "a\"",
        "'a'",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\",
        "\"a\nb\"",
        "\"\x01\"",
        "\"\xFF\"",
        "\"\xC3\"",
        "\"\xED\xA0\x80\"",
        "\xC3\xA9",
        "[",
        "]",
        "[1",
        "[1,",
        "[1,]",
        "[,]",
        "[,1]",
        "[1 2]",
        "[1}",
        "{",
        "}",
        "{]",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{\"a\":}",
        "{a:1}",
        "{1:2}",
        "{,}",
        "{\"a\":1 \"b\":2}",
        "[1]]",
        "{}}",
        "{}{}",
        "[] []",
        "// c\n1",
        ("\xEF\xBB\xBF"
         "1"),
        "[1]x",
    };
    for (size_t i = 0; i < sizeof accepted / sizeof *accepted; i++)
        assert_valid(accepted[i], strlen(accepted[i]), true);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_valid(refused[i], strlen(refused[i]), false);
    assert_valid(BYTES("1\0"), false);
    assert_valid(BYTES("\"\0\""), false);
    assert_valid(BYTES("\"\\\0\""), false);
}

static void no_prefix_of_a_text_is_valid_or_read_past(void **state)
{
    (void)state;
    static const char text[] = "{\"a\\u00e9\":[1.5e-3,true,false,null,\"\\ud83d\\ude00\",{}],\"b\xC3\xA9\":-1}";
    for (size_t size = 0; size < sizeof text - 1; size++) {
        assert_valid(text, size, false);
        char *copy = malloc(size + 1);
        assert_non_null(copy);
        memcpy(copy + 1, text, size);
        lf__json_member member;
        for (size_t at = 0; lf__json_next_member(copy + 1, size, &at, &member);)
            assert_true(member.value + member.value_size <= copy + 1 + size);
        if (size > 0)
            copy[1] = '['; /* the items of what begins like a list: the members, colons included */
        lf__text item;
        for (size_t at = 0; lf__json_next_item(copy + 1, size, &at, &item);)
            assert_true(item.size > 0 && item.at + item.size <= copy + 1 + size);
        assert_true(lf__json_unescape(&out, copy + 1, size));
        lf__buf_clear(&out);
        free(copy);
    }
    assert_valid(text, sizeof text - 1, true);
}

static void nesting_ends_at_512(void **state)
{
    (void)state;
    char text[2 * 513];
    for (size_t depth = 511; depth <= 513; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        assert_valid(text, 2 * depth, depth <= 512);
    }
}

static void walks_the_members_of_an_object(void **state)
{
    (void)state;
    static const char text[] = " { \"a\" : 1 , \"b\\n\":\"x,}\\\"\" , \"\":{\"c\":[1,{}],\"d\":2}\n,\"e\":[ ] ,\"f\":null}";
    static const char *const expected[][2] = {
        {"a", "1"}, {"b\\n", "\"x,}\\\"\""}, {"", "{\"c\":[1,{}],\"d\":2}"}, {"e", "[ ]"}, {"f", "null"},
    };
    size_t at = 0, count = 0;
    lf__json_member member;
    while (lf__json_next_member(text, sizeof text - 1, &at, &member)) {
        assert_int_equal(member.key_size, strlen(expected[count][0]));
        assert_memory_equal(member.key, expected[count][0], member.key_size);
        assert_int_equal(member.value_size, strlen(expected[count][1]));
        assert_memory_equal(member.value, expected[count][1], member.value_size);
        count++;
    }
    assert_int_equal(count, sizeof expected / sizeof *expected);
}

static void what_is_no_object_has_no_members(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "{}", " { } ", "[1]", "1", "\"{\"", "null"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        size_t at = 0;
        lf__json_member member;
        assert_false(lf__json_next_member(texts[i], strlen(texts[i]), &at, &member));
    }
}

static void walks_the_items_of_an_array(void **state)
{
    (void)state;
    static const char text[] = " [ 1 , \"x,]\\\"\" ,\"\",{\"c\":[1,{}],\"d\":2}\n,[ ] ,[[1],[2, 3]],null, -1.5e3]";
    static const char *const expected[] = {
        "1", "\"x,]\\\"\"", "\"\"", "{\"c\":[1,{}],\"d\":2}", "[ ]", "[[1],[2, 3]]", "null", "-1.5e3",
    };
    size_t at = 0, count = 0;
    lf__text item;
    while (lf__json_next_item(text, sizeof text - 1, &at, &item)) {
        assert_true(count < sizeof expected / sizeof *expected);
        assert_int_equal(item.size, strlen(expected[count]));
        assert_memory_equal(item.at, expected[count], item.size);
        count++;
    }
    assert_int_equal(count, sizeof expected / sizeof *expected);
}

static void what_is_no_array_has_no_items(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "[]", " [ ] ", "{\"a\":1}", "{}", "1", "\"[\"", "null", "[", "[,", "[ ,"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        size_t at = 0;
        lf__text item;
        assert_false(lf__json_next_item(texts[i], strlen(texts[i]), &at, &item));
    }
}

static void unescapes(void **state)
{
    (void)state;
    static const struct {
        const char *raw, *text;
        size_t size;
    } rows[] = {
        {"", BYTES("")},
        {"plain \xC3\xA9", BYTES("plain \xC3\xA9")},
        {"\\\"\\\\\\/\\b\\f\\n\\r\\t", BYTES("\"\\/\b\f\n\r\t")},
        {"\\u0041\\u00e9\\u20AC", BYTES("A\xC3\xA9\xE2\x82\xAC")},
        {"\\u0080\\u07ff\\u0800\\uffff\\ud800\\udc00\\udbff\\udfff",
         BYTES("\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF\xF0\x90\x80\x80\xF4\x8F\xBF\xBF")},
        {"\\ud83d\\ude00!", BYTES("\xF0\x9F\x98\x80!")},
        {"\\udbff\\udfff", BYTES("\xF4\x8F\xBF\xBF")},
        {"a\\u0000b", BYTES("a\0b")},
        {"\\ud83d", BYTES(FFFD)},
        {"\\ud83d\\u0041", BYTES(FFFD "A")},
        {"\\ud83d\\ud83d\\ude00", BYTES(FFFD "\xF0\x9F\x98\x80")},
        {"\\ude00\\ud83d", BYTES(FFFD FFFD)},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(lf__json_unescape(&out, rows[i].raw, strlen(rows[i].raw)));
        assert_result(rows[i].text, rows[i].size);
    }
}

/* ---- Failure ---------------------------------------------------------------------------------------------------- */

static bool add_escaped(lf__buf *to)
{
    return lf__json_string(to, BYTES("\"\n\x01 \xFF plain"));
}
static bool add_repaired(lf__buf *to)
{
    return lf__utf8_add(to, BYTES("ab\xFFgh"));
}
static void halves_of_pairs_are_mended(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"", ""},
        {"[\"a\"]", "[\"a\"]"},
        {"\"\\ud83d\\ude00\"", "\"\\ud83d\\ude00\""},
        {"\"\\uD83D\\uDE00\\u00e9\"", "\"\\uD83D\\uDE00\\u00e9\""},
        {"\"\\ud83d\"", "\"\\ufffd\""},
        {"\"\\uDE00x\"", "\"\\ufffdx\""},
        {"\"\\ud83d\\ud83d\\ude00\"", "\"\\ufffd\\ud83d\\ude00\""},
        {"\"\\ude00\\ud83d\"", "\"\\ufffd\\ufffd\""},
        {"\"\\\\ud83d\\\"\\\\\"", "\"\\\\ud83d\\\"\\\\\""},
        {"\\", "\\"},
        {"\\u", "\\u"},
        {"\\ud83", "\\ud83"},
        {"\\ud83d\\ude0", "\\ufffd\\ude0"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t size = strlen(rows[i][0]);
        char *text = malloc(size); /* of its own exact bounds */
        assert_true(text != NULL || size == 0);
        if (size > 0)
            memcpy(text, rows[i][0], size);
        lf__json_mend(text, size);
        if (size > 0)
            assert_memory_equal(text, rows[i][1], size);
        free(text);
    }
}

static void a_name_is_told_however_it_is_escaped(void **state)
{
    (void)state;
    static const struct {
        const char *raw, *name;
        bool is;
    } rows[] = {
        {"model", "model", true},
        {"mode", "model", false},
        {"models", "model", false},
        {"Model", "model", false},
        {"\\u006dodel", "model", true},
        {"mo\\u0064el", "model", true},
        {"mode\\u006C", "model", true},
        {"\\u006dodels", "model", false},
        {"\\u006e", "model", false},
        {"\\n", "n", false},
        {"\\/", "/", true},
        {"", "", true},
        {"", "a", false},
        {"a", "", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(lf__json_is(rows[i].raw, strlen(rows[i].raw), rows[i].name), rows[i].is);
    char long_one[1000];
    memset(long_one, '\\', sizeof long_one);
    assert_false(lf__json_is(long_one, sizeof long_one, "model"));
}

static bool add_unescaped(lf__buf *to)
{
    return lf__json_unescape(to, BYTES("a\\n\\u20ac\\ud83d\\ude00z"));
}
static bool add_fraction(lf__buf *to)
{
    return lf__json_double(to, lf__real_bits(-123.5));
}
static bool add_zeros(lf__buf *to)
{
    return lf__json_double(to, lf__real_bits(-0.0001));
}
static bool add_exponent(lf__buf *to)
{
    return lf__json_double(to, lf__real_bits(-1.5e-7));
}
static bool add_nan(lf__buf *to)
{
    return lf__json_double(to, lf__real_bits((double)NAN));
}
static bool add_int(lf__buf *to)
{
    return lf__json_int(to, INT64_MIN);
}
static bool add_int128(lf__buf *to)
{
    return lf__json_int128(to, 1, 0, true);
}
static bool add_plain(lf__buf *to)
{
    return lf__json_string(to, "plain", 5);
}

static void a_writer_that_does_not_fit_leaves_nothing_behind(void **state)
{
    (void)state;
    static bool (*const writers[])(lf__buf *) = {add_escaped,  add_repaired, add_unescaped, add_fraction, add_zeros,
                                                 add_exponent, add_nan,      add_int,       add_int128,   add_plain};
    for (size_t i = 0; i < sizeof writers / sizeof *writers; i++) {
        char memory[64];
        lf__buf_clear(&out);
        assert_true(writers[i](&out));
        for (size_t size = 0; size <= out.length; size++) {
            lf__buf small;
            lf__buf_over(&small, memory, size + 2);
            lf__buf_add_text(&small, "..");
            bool fits = writers[i](&small);
            assert_int_equal(fits, size == out.length);
            assert_int_equal(small.failed, !fits);
            assert_int_equal(small.length, fits ? size + 2 : 2);
        }
    }
    lf__alloc_fail_from(1);
    lf__buf empty;
    lf__buf_init(&empty, 100);
    assert_false(add_escaped(&empty));
    assert_int_equal(empty.length, 0);
    lf__alloc_fail_from(0);
    lf__buf_done(&empty);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_out, tear_down_out)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(halves_of_pairs_are_mended),
        TEST(repairs_every_class_of_invalid_utf8),
        TEST(text_cut_at_every_byte_is_repaired_and_floored),
        TEST(escapes_what_json_wants_escaped_and_nothing_else),
        TEST(finds_every_special_byte_at_every_place_of_a_word),
        TEST(writes_integers_of_every_size),
        TEST(writes_128_bits),
        TEST(doubles_look_like_pythons),
        TEST(floats_have_the_digits_a_float_needs),
        TEST(doubles_and_floats_of_any_bits_read_back_as_the_same),
        TEST(a_decimal_comma_in_the_hosts_locale_changes_nothing),
        TEST(accepts_json_and_nothing_else),
        TEST(no_prefix_of_a_text_is_valid_or_read_past),
        TEST(nesting_ends_at_512),
        TEST(walks_the_members_of_an_object),
        TEST(what_is_no_object_has_no_members),
        TEST(walks_the_items_of_an_array),
        TEST(what_is_no_array_has_no_items),
        TEST(unescapes),
        cmocka_unit_test(a_name_is_told_however_it_is_escaped),
        TEST(a_writer_that_does_not_fit_leaves_nothing_behind),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
