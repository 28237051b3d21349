/* A later case would jump into the scope behind its beginning.
 * gcc: switch jumps over variable initialization
 * clang: cannot jump from switch statement to this case label
 * g++: jump to case label
 * clang++: cannot jump from switch statement to this case label
 * flags of gcc: -Wjump-misses-init */
#include "observe.h"

int observed(int a);
int observed(int a)
{
    switch (a) {
    case 1:;
#ifdef CONTROL
        {
            OBSERVE(a);
        }
#else
        OBSERVE(a);
#endif
        break;
    case 2: return 7;
    default: break;
    }
    return 0;
}
