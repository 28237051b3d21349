#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/base/buf.h"

#include <string.h>

static void grows_and_keeps_what_was_there(void **state)
{
    (void)state;
    lf__buf buf;
    lf__buf_init(&buf, 1 << 20);
    for (unsigned i = 0; i < 100000; i++)
        assert_true(lf__buf_add_char(&buf, (char)('a' + i % 26)));
    assert_int_equal(buf.length, 100000);
    for (unsigned i = 0; i < 100000; i++)
        assert_int_equal(buf.data[i], 'a' + i % 26);
    lf__buf_done(&buf);
    assert_null(buf.data);
}

static void fits_exactly_to_the_ceiling_and_no_further(void **state)
{
    (void)state;
    static char bytes[5000];
    memset(bytes, 'x', sizeof bytes);
    for (size_t limit = 0; limit <= sizeof bytes; limit += 500) {
        lf__buf buf;
        lf__buf_init(&buf, limit);
        assert_true(lf__buf_add(&buf, bytes, limit));
        assert_int_equal(buf.length, limit);
        assert_true(buf.capacity <= limit);
        assert_false(lf__buf_add_char(&buf, 'y'));
        assert_true(buf.failed);
        assert_false(buf.no_memory);
        assert_int_equal(buf.length, limit);
        lf__buf_done(&buf);
    }
}

static void stays_failed_until_cleared_or_rewound(void **state)
{
    (void)state;
    lf__buf buf;
    lf__buf_init(&buf, 8);
    assert_true(lf__buf_add_text(&buf, "12345"));
    assert_false(lf__buf_add_text(&buf, "6789"));
    assert_false(lf__buf_add_char(&buf, '6'));
    assert_false(lf__buf_add(&buf, NULL, 0));
    assert_null(lf__buf_reserve(&buf, 0));
    assert_int_equal(buf.length, 5);
    lf__buf_rewind(&buf, 3);
    assert_true(lf__buf_add_text(&buf, "45678"));
    assert_memory_equal(buf.data, "12345678", 8);
    assert_false(lf__buf_add_char(&buf, '9'));
    lf__buf_clear(&buf);
    assert_true(lf__buf_add_char(&buf, '1'));
    assert_int_equal(buf.length, 1);
    lf__buf_done(&buf);
}

static void borrowed_memory_never_grows_and_is_not_freed(void **state)
{
    (void)state;
    char memory[4] = "....";
    lf__buf buf;
    lf__buf_over(&buf, memory, sizeof memory);
    assert_true(lf__buf_add_text(&buf, "abc"));
    assert_false(lf__buf_add_text(&buf, "de"));
    assert_memory_equal(memory, "abc.", 4);
    lf__buf_done(&buf);
}

static void adding_nothing_needs_no_memory(void **state)
{
    (void)state;
    lf__buf buf;
    lf__buf_init(&buf, 0);
    assert_true(lf__buf_add(&buf, NULL, 0));
    assert_true(lf__buf_add_text(&buf, ""));
    assert_null(buf.data);
    assert_false(lf__buf_grow(&buf, SIZE_MAX));
    lf__buf_done(&buf);
}

static void keeps_its_content_when_memory_is_out(void **state)
{
    (void)state;
    lf__buf buf;
    lf__buf_init(&buf, SIZE_MAX / 2);
    assert_true(lf__buf_add_text(&buf, "kept"));
    lf__alloc_fail_from(1);
    static char bytes[10000];
    assert_false(lf__buf_add(&buf, bytes, sizeof bytes));
    lf__alloc_fail_from(0);
    assert_true(buf.no_memory);
    assert_int_equal(buf.length, 4);
    assert_memory_equal(buf.data, "kept", 4);
    lf__buf_rewind(&buf, 4);
    assert_true(lf__buf_add(&buf, bytes, sizeof bytes));
    lf__buf_done(&buf);
}

static void bytes_are_percent_encoded_as_rfc_3986_has_it(void **state)
{
    (void)state;
    static const struct {
        const char *text, *encoded;
    } cases[] = {{"", ""},
                 {"AZaz09-._~", "AZaz09-._~"},
                 {"a/b c?d=e&f#g", "a%2Fb%20c%3Fd%3De%26f%23g"},
                 {"%41+", "%2541%2B"},
                 {"\xc3\xa4\xff\x01", "%C3%A4%FF%01"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lf__buf out;
        lf__buf_init(&out, 100);
        assert_true(lf__buf_add_percent(&out, cases[i].text, strlen(cases[i].text)));
        assert_int_equal(out.length, strlen(cases[i].encoded));
        assert_int_equal(out.length, lf__percent_size(cases[i].text, strlen(cases[i].text)));
        assert_memory_equal(out.length == 0 ? "" : out.data, cases[i].encoded, out.length);
        lf__buf_done(&out);
    }
    lf__buf small;
    char memory[4];
    lf__buf_over(&small, memory, sizeof memory);
    assert_false(lf__buf_add_percent(&small, "ab cd", 5));
    assert_true(small.failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_and_keeps_what_was_there),
        cmocka_unit_test(fits_exactly_to_the_ceiling_and_no_further),
        cmocka_unit_test(stays_failed_until_cleared_or_rewound),
        cmocka_unit_test(borrowed_memory_never_grows_and_is_not_freed),
        cmocka_unit_test(adding_nothing_needs_no_memory),
        cmocka_unit_test(keeps_its_content_when_memory_is_out),
        cmocka_unit_test(bytes_are_percent_encoded_as_rfc_3986_has_it),
    };
    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
