/* gcc: has no member named .nmae
 * clang: no member named 'nmae' */
#include "observe.h"

void observed(int a);
void observed(int a)
{
#ifdef CONTROL
    OBSERVE_WITH((.name = "n"), a);
#else
    OBSERVE_WITH((.nmae = "n"), a);
#endif
}
