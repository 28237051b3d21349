/* A scope ends after the call: such a call cannot be a tail call. gcc 12 does not know the attribute.
 * gcc: -
 * clang: (cannot compile this tail call|musttail|tail call) */
#include "observe.h"

int observed(int a);
int observed(int a)
{
#if !defined CONTROL
    OBSERVE(a);
#endif
#ifdef __clang__
    if (a > 0) __attribute__
        ((musttail)) return observed(a - 1);
#endif
    return a;
}
