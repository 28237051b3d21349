/* gcc: expected ',' or ';' before 'return'
 * clang: expected ';' at end of declaration
 * g++: expected ',' or ';' before 'return'
 * clang++: expected ';' at end of declaration */
#include "observe.h"

int observed(int a);
int observed(int a)
{
#ifdef CONTROL
    OBSERVE(a);
    return a;
#else
    OBSERVE(a)
    return a;
#endif
}
