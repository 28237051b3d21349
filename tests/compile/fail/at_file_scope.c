/* A scope is one of a function.
 * gcc: ('cleanup' attribute ignored|allowed only inside a function)
 * clang: 'cleanup' attribute only applies to local variables
 * g++: ('cleanup' attribute ignored|not allowed outside functions)
 * clang++: 'cleanup' attribute only applies to local variables */
#include "observe.h"

#ifdef CONTROL
void observed(void);
void observed(void)
{
    OBSERVE();
}
#else
OBSERVE();
#endif
