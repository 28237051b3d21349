/* clang before version 20 says what was meant, gcc always does.
 * gcc: has no member named .usage_detail.; did you mean .usage_details
 * clang: no member named 'usage_detail'
 * g++: has no member named .usage_detail.; did you mean .usage_details
 * clang++: no member named 'usage_detail' */
#include "observe.h"

void observed(int tokens);
void observed(int tokens)
{
#ifdef CONTROL
    lf_update_current_observation(.usage_details = LF_OBJECT("input", tokens));
#else
    lf_update_current_observation(.usage_detail = LF_OBJECT("input", tokens));
#endif
}
