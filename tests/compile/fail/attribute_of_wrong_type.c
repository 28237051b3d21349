/* gcc: makes pointer from integer without a cast|incompatible types when assigning
 * clang: incompatible integer to pointer conversion|assigning to .lf_value */
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
