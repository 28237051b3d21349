/* A field takes a value; its type names the macro that makes one. clang in C++ names the operator only.
 * gcc: lf_value_from_LF_VALUE
 * clang: lf_value_from_LF_VALUE
 * g++: lf_value_from_LF_VALUE
 * clang++: no viable overloaded '=' */
#include "observe.h"

void observed(const char *text);
void observed(const char *text)
{
#ifdef CONTROL
    lf_update_current_observation(.output = LF_VALUE(text));
#else
    lf_update_current_observation(.output = text);
#endif
}
