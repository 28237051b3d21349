/* gcc: makes pointer from integer without a cast
 * clang: incompatible integer to pointer conversion */
#include "observe.h"

void observed(int a);
void observed(int a)
{
#ifdef CONTROL
    OBSERVE_WITH((.name = "n"), a);
#else
    OBSERVE_WITH((.name = a), a);
#endif
}
