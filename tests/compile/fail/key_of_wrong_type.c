/* gcc: makes pointer from integer without a cast
 * clang: incompatible integer to pointer conversion
 * g++: invalid conversion from 'int' to 'const char\*'
 * clang++: no matching function for call to 'lf_i_member' */
#include "observe.h"

void observed(const char *key);
void observed(const char *key)
{
#ifdef CONTROL
    OBSERVE_OUTPUT(LF_OBJECT(key, 1));
#else
    OBSERVE_OUTPUT(LF_OBJECT(1, key));
#endif
}
