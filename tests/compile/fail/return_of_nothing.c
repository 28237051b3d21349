/* all: OBSERVE_RETURN_needs_a_value_write_a_plain_return */
#include "observe.h"

void observed(int a);
void observed(int a)
{
#ifdef CONTROL
    OBSERVE(a);
    return;
#else
    OBSERVE(a);
    OBSERVE_RETURN();
#endif
}
