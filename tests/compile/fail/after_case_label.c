/* Behind a label stands no declaration before C23. gcc 12 takes it all the same.
 * gcc: -
 * clang: (expected expression|label followed by a declaration is a C23 extension) */
#include "observe.h"

void observed(int a);
void observed(int a)
{
    switch (a) {
#ifdef CONTROL
    case 1: {
        OBSERVE(a);
        break;
    }
#else
    case 1: OBSERVE(a); break;
#endif
    default: break;
    }
}
