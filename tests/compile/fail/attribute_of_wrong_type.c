/* gcc: incompatible types when assigning to type .lf_value_from_LF_TAGS
 * clang: assigning to 'lf_value_from_LF_TAGS' */
#include "observe.h"

void observed(int a);
void observed(int a)
{
#ifdef CONTROL
    OBSERVE_ATTRIBUTES(.user_id = "u", .tags = LF_TAGS("a"), .prompt_version = a);
#else
    OBSERVE_ATTRIBUTES(.user_id = "u", .tags = "a", .prompt_version = a);
#endif
}
