/* What the tests of writers share: one buffer to write into, set up before each test and let go after it. */
#ifndef TESTS_OUT_BUFFER_H
#define TESTS_OUT_BUFFER_H

#include "../../src/base/buf.h"

#define BYTES(literal) literal, sizeof literal - 1
#define FFFD "\xEF\xBF\xBD"

static lf__buf out;

static inline int set_up_out(void **state)
{
    (void)state;
    lf__buf_init(&out, 1 << 20);
    return 0;
}

static inline int tear_down_out(void **state)
{
    (void)state;
    lf__buf_done(&out);
    return 0;
}

/* What was written since the last look, as text. */
static inline const char *result(void)
{
    assert_false(out.failed);
    lf__buf_add_char(&out, '\0');
    lf__buf_clear(&out);
    return out.data;
}

#endif
