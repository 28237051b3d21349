/* all: a name is an option or a field: OBSERVE_WITH */
#include "observe.h"

void observed(int a);
void observed(int a)
{
#ifdef CONTROL
    OBSERVE_WITH((.name = "my-span"), a);
#else
    OBSERVE("my-span", a);
#endif
}
