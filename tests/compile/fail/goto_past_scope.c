/* gcc: jump skips variable initialization
 * clang: cannot jump from this goto statement to its label
 * g++: jump to label
 * clang++: cannot jump from this goto statement to its label
 * flags of gcc: -Wjump-misses-init */
#include "observe.h"

int observed(int a);
int observed(int a)
{
#ifdef CONTROL
    {
        OBSERVE(a);
        if (a > 5)
            goto out;
    }
#else
    if (a > 5)
        goto out;
    OBSERVE(a);
#endif
out:
    return a;
}
