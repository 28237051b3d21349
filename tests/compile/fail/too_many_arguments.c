/* A capture of seventeen arguments says what the limit is.
 * all: at_most_16_arguments_can_be_captured */
#include "observe.h"

void observed(int a);
void observed(int a)
{
#ifdef CONTROL
    OBSERVE(a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a);
#else
    OBSERVE(a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a);
#endif
}
