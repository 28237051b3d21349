/* A macro that opens a scope is a declaration: it cannot be the body of an `if`, where it would end at once.
 * gcc: expected expression before 'lf_i_scope_needs_braces'
 * clang: expected expression
 * g++: 'lf_i_scope_needs_braces_[0-9]*' was not declared
 * clang++: use of undeclared identifier 'lf_i_scope_needs_braces_ */
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
