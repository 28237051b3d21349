/* What the bodies of answers say, good ones and all others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/base/answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY(literal) literal, sizeof literal - 1

static void pages_are_told_from_answers(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        size_t size;
        bool page;
    } cases[] = {
        {BODY(""), false},
        {BODY(" \r\n\t"), false},
        {BODY("{\"successes\":[],\"errors\":[]}"), false},
        {BODY("{}"), false},
        {BODY("OK < 1"), false},
        {BODY("\xef\xbb"), false},
        {BODY("\x0a\x3c\x08\x01\x12\x38 a message of 56 bytes"), false}, /* protobuf, a field of 60 bytes */
        {BODY("\x0a\x3c\x12\x3a a message of 58 bytes"), false},
        {BODY("<"), true},
        {BODY("<html>"), true},
        {BODY("<!DOCTYPE html>"), true},
        {BODY("<?xml version=\"1.0\"?>"), true},
        {BODY("\n<html>"), true},
        {BODY("<\n html>"), true},
        {BODY("\xef\xbb\xbf \t\r\n<html>"), true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (lf__answer_is_page(cases[i].body, cases[i].size) != cases[i].page)
            fail_msg("%zu: %s", i, cases[i].body);
}

static void assert_partial(const char *body, size_t size, uint64_t rejected, const char *message)
{
    lf__answer_partial partial;
    lf__answer_read_partial(&partial, body, size);
    if (partial.rejected != rejected || strcmp(partial.message, message) != 0)
        fail_msg("%.*s: %llu \"%s\"", (int)size, body, (unsigned long long)partial.rejected, partial.message);
}

static void a_partial_success_is_read_from_json(void **state)
{
    (void)state;
    static const struct {
        const char *body, *message;
        uint64_t rejected;
    } cases[] = {
        {"{\"partialSuccess\":{\"rejectedSpans\":\"12\",\"errorMessage\":\"span\\ntoo old\"}}", "span too old", 12},
        {" { \"partialSuccess\" : { \"rejectedSpans\" : 1 } }", "", 1},
        {"\xef\xbb\xbf\r\n{\n\"partialSuccess\":{\"rejectedSpans\":1}}", "", 1},
        {"{\"partialSuccess\":{\"errorMessage\":\"careful\"}}", "careful", 0},
        {"{\"partialSuccess\":{\"rejectedSpans\":1e300}}", "", UINT64_C(1) << 53},
        {"{\"partialSuccess\":{\"rejectedSpans\":\"99999999999999999999\"}}", "", UINT64_MAX},
        {"{\"partialSuccess\":{\"rejectedSpans\":-1}}", "", 0},
        {"{\"partialSuccess\":{\"rejectedSpans\":\"-1\"}}", "", 0},
        {"{\"partialSuccess\":{\"rejectedSpans\":[1],\"errorMessage\":2}}", "", 0},
        {"{\"partialSuccess\":{}}", "", 0},
        {"{\"partialSuccess\":null}", "", 0},
        {"{\"partialSuccess\":7}", "", 0},
        {"{\"rejectedSpans\":1}", "", 0},
        {"{}", "", 0},
        {"[]", "", 0},
        {"", "", 0},
        {"OK", "", 0},
        {"{\"partialSuccess\":{\"rejectedSpans\":1", "", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_partial(cases[i].body, strlen(cases[i].body), cases[i].rejected, cases[i].message);
}

static void refused_scores_are_counted_also_in_a_cut_answer(void **state)
{
    static const struct {
        const char *body;
        uint64_t rejected;
        const char *message;
    } cases[] = {
        {"", 0, ""},
        {"{\"accepted\":2,\"rejected\":0}", 0, ""},
        {"{\"accepted\":1,\"rejected\":2,\"errors\":[{\"message\":\"no\"},{\"id\":1},{\"message\":\"never\"}]}", 2, "no; never"},
        {"{\"accepted\":1,\"rejected\":12,\"errors\":[{\"message\":\"no\"},{\"mess", 12, "{\"message\":\"no\"}"},
        {"{\"accepted\":1,\"rejected\":12,\"errors\":[{\"mess", 12, "{\"mess"},
        {"{\"accepted\":1,\"rejected\":12,\"err", 12, ""},
        {"{\"rejected\":99999999999999999999,\"e", 999999999, ""},
        {"{\"rejected\":\"12\",\"e", 0, "(an answer that cannot be read)"},
        {"{\"accepted\":1", 0, "(an answer that cannot be read)"},
        {"garbage", 0, "(an answer that cannot be read)"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lf__answer_partial partial;
        lf__answer_read_rejected(&partial, cases[i].body, strlen(cases[i].body));
        if (partial.rejected != cases[i].rejected || strcmp(partial.message, cases[i].message) != 0)
            fail_msg("%s: %llu \"%s\"", cases[i].body, (unsigned long long)partial.rejected, partial.message);
    }
}

static void a_partial_success_is_read_from_protobuf(void **state)
{
    (void)state;
    assert_partial(BODY(""), 0, "");
    assert_partial(BODY("\x0a\x00"), 0, "");
    assert_partial(BODY("\x0a\x02\x08\x03"), 3, "");
    assert_partial(BODY("\x0a\x05\x08\xac\x02\x12\x00"), 300, "");
    assert_partial(BODY("\x0a\x06\x12\x02no\x08\x07"), 7, "no");
    assert_partial(BODY("\x0a\x06\x12\x04n\n\to"), 0, "n  o");
    assert_partial(BODY("\x0a\x08\x12\x06"
                        "a\xff\xc3\xa4\xc3"
                        "b"),
                   0, "a?\xc3\xa4?b"); /* bytes that are no UTF-8 */
    assert_partial(BODY("\x0a\x7b\x08\x03\x12\x05of 123 bytes"), 3, "of 12"); /* it begins like JSON */
    /* Other fields, before and inside. */
    assert_partial(BODY("\x10\x01\x1d....\x19........\x0a\x07\x1a\x03xyz\x08\x07"), 7, "");
    /* -1 */
    assert_partial(BODY("\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), 0, "");
    /* Cut off: what is there counts. */
    assert_partial(BODY("\x0a\xff\x7f\x08\x07\x12\x50too ol"), 7, "too ol");
    assert_partial(BODY("\x0a"), 0, "");
    assert_partial(BODY("\x0a\x02\x08"), 0, "");
    /* No protobuf. */
    assert_partial(BODY("{\"partialSuccess\":{\"rejectedSpans\":1}}"), 1, "");
    assert_partial(BODY("OK\n"), 0, "");
    assert_partial(BODY("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), 0, "");
}

static void long_messages_are_cut_at_the_end_of_a_character(void **state)
{
    (void)state;
    char body[400] = "{\"partialSuccess\":{\"errorMessage\":\"";
    size_t size = strlen(body);
    for (int i = 0; i < 100; i++, size += 3)
        memcpy(body + size, "\xe2\x82\xac", 3);
    memcpy(body + size, "\"}}", 3);
    lf__answer_partial partial;
    lf__answer_read_partial(&partial, body, size + 3);
    assert_int_equal(strlen(partial.message), LF__ANSWER_TEXT / 3 * 3);
}

static void assert_text(size_t room, const char *body, const char *expected)
{
    char out[256];
    memset(out, 'x', sizeof out);
    lf__answer_text(out, room, body, strlen(body));
    assert_string_equal(out, expected);
    assert_int_equal(out[room], 'x');
}

static void refusals_are_told_in_one_line(void **state)
{
    (void)state;
    static const struct {
        const char *body, *expected;
    } cases[] = {
        {"", ""},
        {"Body exceeded 1mb limit", "Body exceeded 1mb limit"},
        {"line one\r\nline two\x1b[31m", "line one  line two [31m"},
        {"[1,2,3]", "[1,2,3]"},
        {"{\"message\": 12", "{\"message\": 12"},
        {"{\"message\":\"a\\tb\"}", "a b"},
        {"{\"error\":\"only an error\"}", "only an error"},
        {"{\"message\":\"No such prompt\",\"error\":\"LangfuseNotFoundError\"}", "No such prompt"},
        {"{\"message\":\"Not accepted\",\"error\":\"Event types of traces are not accepted\"}",
         "Not accepted: Event types of traces are not accepted"},
        /* A validator's list, as JSON and as text in JSON. */
        {"{\"message\":\"Invalid request data\",\"error\":[{\"path\":[\"labels\",0],\"message\":\"Too "
         "long\"},{\"message\":\"m\"}]}",
         "Invalid request data: labels.0: Too long"},
        {"{\"message\":\"Invalid\",\"error\":\"[{\\\"path\\\":[\\\"body\\\",\\\"name\\\"],\\\"message\\\":\\\"Too long\\\"}]\"}",
         "Invalid: body.name: Too long"},
        {"{\"message\":\"Invalid\",\"error\":[{\"path\":[],\"message\":\"Expected string, received 'my secret'\"}]}",
         "Invalid: Expected string"},
        {"{\"message\":\"Invalid\",\"error\":[{\"message\":\"No path\"}]}", "Invalid: No path"},
        {"{\"message\":\"Invalid\",\"error\":[{\"path\":[{}],\"message\":\"m\"}]}", "Invalid: ?: m"},
        /* Lists of other things, and what may be the content. */
        {"{\"message\":\"Invalid\",\"error\":[]}", "Invalid"},
        {"{\"message\":\"Invalid\",\"error\":[1,2]}", "Invalid"},
        {"{\"message\":\"Invalid\",\"error\":{\"a\":\"my secret\"}}", "Invalid"},
        {"{\"message\":\"Invalid\",\"error\":\"{\\\"a\\\": \\\"my secret\\\"}\"}", "Invalid"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_text(200, cases[i].body, cases[i].expected);
}

static void refusals_are_cut_at_the_end_of_a_character(void **state)
{
    (void)state;
    static const char issue[] = "{\"message\":\"Invalid\",\"error\":[{\"path\":[\"labels\",0],\"message\":\"Too long\"}]}";
    static const char whole[] = "Invalid: labels.0: Too long";
    assert_text(8, "abc\xe2\x82\xac\xe2\x82\xac", "abc\xe2\x82\xac");
    for (size_t room = 1; room <= sizeof whole; room++) {
        char expected[sizeof whole] = "";
        memcpy(expected, whole, room - 1);
        assert_text(room, issue, expected);
    }
}

/* Bodies that are nearly right, and any bytes: nothing is read beyond their end, which a checker sees, and texts are lines. */
static void any_bytes_are_read_safely(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t size;
    } seeds[] = {
        {BODY("{\"partialSuccess\":{\"rejectedSpans\":\"12\",\"errorMessage\":\"span too old\"}}")},
        {BODY("\x0a\x12\x08\xac\x02\x12\x0cspan too old\x10\x01\x1d....")},
        {BODY("\xef\xbb\xbf \t<html></html>")},
        {BODY("{\"message\":\"Invalid\",\"error\":[{\"path\":[\"labels\",0],\"message\":\"Too long\"}]}")},
    };
    uint64_t random = 20260115;
    for (int round = 0; round < 60000; round++) {
        size_t seed = (size_t)round % 4, size = seeds[seed].size;
        char *body = malloc(size);
        memcpy(body, seeds[seed].text, size);
        for (int i = 0; i < round % 7; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            body[(random >> 33) % size] = (char)(random >> 55);
        }
        size -= (random >> 40) % size;
        char *exact = malloc(size);
        memcpy(exact, body, size);
        lf__answer_partial partial;
        lf__answer_read_partial(&partial, exact, size);
        assert_true(strlen(partial.message) <= LF__ANSWER_TEXT);
        for (const char *c = partial.message; *c != '\0'; c++)
            assert_true((unsigned char)*c >= 0x20);
        (void)lf__answer_is_page(exact, size);
        char text[20];
        lf__answer_text(text, sizeof text, exact, size);
        assert_true(strlen(text) < sizeof text);
        free(exact);
        free(body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_told_from_answers),
        cmocka_unit_test(a_partial_success_is_read_from_json),
        cmocka_unit_test(a_partial_success_is_read_from_protobuf),
        cmocka_unit_test(refused_scores_are_counted_also_in_a_cut_answer),
        cmocka_unit_test(long_messages_are_cut_at_the_end_of_a_character),
        cmocka_unit_test(refusals_are_told_in_one_line),
        cmocka_unit_test(refusals_are_cut_at_the_end_of_a_character),
        cmocka_unit_test(any_bytes_are_read_safely),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
