/* gcc: format not a string literal
 * clang: format string is not a string literal
 * g++: format not a string literal
 * clang++: format string is not a string literal
 * flags of gcc: -Wformat=2
 * flags of g++: -Wformat=2 */
#include "observe.h"

void observed(const char *reason);
void observed(const char *reason)
{
#ifdef CONTROL
    OBSERVE_ERROR("%s", reason);
#else
    OBSERVE_ERROR(reason);
#endif
}
