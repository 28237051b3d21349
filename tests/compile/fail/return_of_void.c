/* There is no value to record: call the function, then return.
 * gcc: (void value not ignored|declared void|incomplete type|invalid use of void)
 * clang: (void|incomplete type) */
#include "observe.h"

void other(int a);
void observed(int a);
void observed(int a)
{
    OBSERVE(a);
#ifdef CONTROL
    other(a);
    return;
#else
    OBSERVE_RETURN(other(a));
#endif
}
