/* OBSERVE_ERROR is checked as printf is.
 * gcc: format .%d. expects argument of type .int.
 * clang: format specifies type 'int' but the argument has type
 * g++: format .%d. expects argument of type .int.
 * clang++: format specifies type 'int' but the argument has type */
#include "observe.h"

void observed(const char *reason);
void observed(const char *reason)
{
#ifdef CONTROL
    OBSERVE_ERROR("failed: %s", reason);
#else
    OBSERVE_ERROR("failed: %d", reason);
#endif
}
