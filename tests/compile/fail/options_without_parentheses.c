/* all: the_options_of_OBSERVE_WITH_stand_in_parentheses */
#include "observe.h"

void observed(int a);
void observed(int a)
{
#ifdef CONTROL
    OBSERVE_WITH((.name = "a"), a);
#else
    OBSERVE_WITH(.name = "a", a);
#endif
}
