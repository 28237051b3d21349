/* gcc: lf_value_from_LF_TAGS
 * clang: lf_value_from_LF_TAGS
 * g++: lf_value_from_LF_TAGS
 * clang++: no viable overloaded '=' */
#include "observe.h"

void observed(void);
void observed(void)
{
#ifdef CONTROL
    lf_update_current_trace(.tags = LF_TAGS("a"));
#else
    lf_update_current_trace(.tags = "a");
#endif
}
