/* gcc: has no member named .usr_id
 * clang: no member named 'usr_id' */
#include "observe.h"

void observed(int a);
void observed(int a)
{
#ifdef CONTROL
    OBSERVE_ATTRIBUTES(.user_id = "u", .prompt_version = a);
#else
    OBSERVE_ATTRIBUTES(.usr_id = "u", .prompt_version = a);
#endif
}
