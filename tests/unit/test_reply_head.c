#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/model/reply_head.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void read_lines(lf__reply_head *head, const char *text)
{
    while (*text != '\0') {
        size_t size = strcspn(text, "\n") + 1;
        lf__reply_head_line(head, text, size);
        text += size;
    }
}

static void expect_metadata(const lf__reply_head *head, const char *expected)
{
    lf__buf out;
    lf__buf_init(&out, 4096);
    assert_true(lf__reply_head_metadata(&out, head) && lf__buf_add_char(&out, '\0'));
    assert_string_equal(out.data, expected);
    lf__buf_done(&out);
}

static void a_head_tells_how_the_body_is_coded(void **state)
{
    (void)state;
    lf__reply_head head = {.status = 0};
    read_lines(&head, "HTTP/1.1 200 OK\r\nContent-Encoding:  gzip \r\nTRANSFER-ENCODING: chunked\r\nContent-Length: 12\r\n\r\n");
    assert_int_equal(head.status, 200);
    assert_string_equal(head.encoding, "gzip");
    assert_true(head.is_chunked && head.has_length);
    assert_int_equal(head.length, 12);
}

static void identity_is_no_coding(void **state)
{
    (void)state;
    lf__reply_head head = {.status = 0};
    read_lines(&head, "HTTP/2 429\r\ncontent-encoding: Identity\r\ncontent-length: 12x\r\n\r\n");
    assert_int_equal(head.status, 429);
    assert_string_equal(head.encoding, "");
    assert_false(head.has_length);
}

static void a_status_line_begins_anew(void **state)
{
    (void)state;
    lf__reply_head head = {.status = 0};
    read_lines(&head, "HTTP/1.1 307 Go on\r\nx-request-id: first\r\ncontent-encoding: br\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
                      "HTTP/1.1 200 OK\r\nrequest-id: second\r\n\r\n");
    assert_int_equal(head.status, 200);
    assert_string_equal(head.encoding, "");
    expect_metadata(&head, "\"request_id\":\"second\",");
}

static void ids_costs_and_waits_are_kept_and_nothing_else(void **state)
{
    (void)state;
    lf__reply_head head = {.status = 0};
    read_lines(&head, "HTTP/1.1 200 OK\r\nX-Request-Id: a\"b\r\nrequest-id: r\r\napim-request-id: m\r\n"
                      "x-litellm-response-cost: 0.001\r\nretry-after: 20\r\nset-cookie: secret\r\nauthorization: secret\r\n\r\n");
    expect_metadata(&head, "\"x_request_id\":\"a\\\"b\",\"request_id\":\"r\",\"apim_request_id\":\"m\","
                           "\"x_litellm_response_cost\":\"0.001\",\"retry_after\":\"20\",");
}

static void what_is_too_long_is_left_out(void **state)
{
    (void)state;
    char line[400];
    snprintf(line, sizeof line, "x-request-id: %0300d\r\n", 1);
    lf__reply_head head = {.status = 0};
    read_lines(&head, line);
    expect_metadata(&head, "");
}

static void any_bytes_are_a_line(void **state)
{
    (void)state;
    static const char *const lines[] = {"", "\r\n", ":", "HTTP/", "HTTP/1.1", "HTTP/1.1 ", "x-request-id", ": x", "retry-after:"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        lf__reply_head head = {.status = 0};
        size_t size = strlen(lines[i]);
        char *exact = malloc(size + (size == 0));
        assert_non_null(exact);
        memcpy(exact, lines[i], size);
        lf__reply_head_line(&head, exact, size);
        free(exact);
        assert_int_equal(head.status, 0);
        expect_metadata(&head, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_tells_how_the_body_is_coded), cmocka_unit_test(identity_is_no_coding),
        cmocka_unit_test(a_status_line_begins_anew),          cmocka_unit_test(ids_costs_and_waits_are_kept_and_nothing_else),
        cmocka_unit_test(what_is_too_long_is_left_out),       cmocka_unit_test(any_bytes_are_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
