/* There is no value to record: call the function, then return.
 * gcc: OBSERVE_RETURN needs a value: call the void function before
 * clang: OBSERVE_RETURN needs a value: call the void function before
 * g++: invalid use of void expression
 * clang++: lf_i_OBSERVE_RETURN_needs_a_value */
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
