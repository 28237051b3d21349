/* all: at_most_16_arguments_can_be_captured */
#include "observe.h"

void observed(int a);
void observed(int a)
{
#ifdef CONTROL
    OBSERVE_WITH((.name = "n"), a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a);
#else
    OBSERVE_WITH((.name = "n"), a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a);
#endif
}
