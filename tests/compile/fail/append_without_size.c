/* gcc: too few arguments to function 'lf_output_append'
 * clang: too few arguments to function call, expected 2, have 1
 * g++: too few arguments to function 'void lf_output_append
 * clang++: no matching function for call to 'lf_output_append' */
#include "observe.h"

void observed(const char *text);
void observed(const char *text)
{
#ifdef CONTROL
    lf_output_append(text, 1);
#else
    lf_output_append(text);
#endif
}
