/* gcc: macro .OBSERVE_OUTPUT. passed 2 arguments, but takes just 1
 * clang: too many arguments provided to function-like macro invocation
 * g++: macro .OBSERVE_OUTPUT. passed 2 arguments, but takes just 1
 * clang++: too many arguments provided to function-like macro invocation */
#include "observe.h"

void observed(int a);
void observed(int a)
{
#ifdef CONTROL
    OBSERVE_OUTPUT(LF_ARRAY(a, 2));
#else
    OBSERVE_OUTPUT(a, 2);
#endif
}
