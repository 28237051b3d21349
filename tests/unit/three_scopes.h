/* Three scopes, one inside the other, for tests of how scopes end. */
#ifndef TESTS_THREE_SCOPES_H
#define TESTS_THREE_SCOPES_H

#include "core_harness.h"

static NOINLINE void leaf(void)
{
    OBSERVE();
}

static NOINLINE void nest(int depth, void (*innermost)(void))
{
    OBSERVE_WITH((.name = depth == 0 ? "inner" : depth == 1 ? "middle" : "outer"), depth);
    if (depth == 0)
        innermost();
    else
        nest(depth - 1, innermost);
}

/* Called where the innermost of three scopes, outer, middle and inner, is open. */
static inline void in_three_scopes(void (*innermost)(void))
{
    nest(2, innermost);
}

static inline void check_three(const char *how)
{
    const cJSON *outer = span_named("outer"), *middle = span_named("middle"), *inner = span_named("inner");
    CHECK_ROOT(outer);
    CHECK_CHILD(middle, outer);
    CHECK_CHILD(inner, middle);
    CHECK_SAID(outer, "metadata.incomplete", how);
    CHECK_SAID(middle, "metadata.incomplete", how);
    CHECK_SAID(inner, "metadata.incomplete", how);
    CHECK_SAID(inner, "level", how[0] == '\0' ? "" : "WARNING");
}

#endif
