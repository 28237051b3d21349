/* Metadata whose text looks like something else, said in three ways. */
#include "observe.h"

int main(void)
{
    OBSERVE_ATTRIBUTES(.metadata = LF_OBJECT("scope digits", "123", "scope number", 123, "scope word", "premium"));
    OBSERVE_WITH((.name = "texts", .trace_id = "12345"));
    lf_update_current_observation(.metadata = LF_OBJECT("digits", "123", "number", 123, "word", "premium", "true", "true", "null",
                                                        "null", "quoted", "\"q\"", "object", "{\"a\":[1]}", "blank", " 1.5 ",
                                                        "large", UINT64_MAX, "flag", LF_VALUE(1 == 1)));
    lf_update_current_trace(.metadata = LF_OBJECT("trace digits", "007", "trace list", "[]"));
    return 0;
}
