/* What the bodies of answers say, good ones and all others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/answer.h"

#include <stdio.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_told_from_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
