/* A macro that opens a scope is a declaration: it cannot be the body of an `if`, where it would end at once.
 * gcc: expected expression before .?(struct|#pragma)
 * clang: expected expression */
#include "observe.h"

void observed(int a);
void observed(int a)
{
#ifdef CONTROL
    if (a > 0) {
        OBSERVE(a);
    }
#else
    if (a > 0)
        OBSERVE(a);
#endif
}
