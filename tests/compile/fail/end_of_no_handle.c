/* gcc: incompatible pointer type|initialization of
 * clang: incompatible pointer types */
#include "observe.h"

void observed(int a);
void observed(int a)
{
#ifdef CONTROL
    lf_observation *o = NULL;
    lf_observation_end(o, .prompt_version = a);
#else
    lf_observation_end(&a, .prompt_version = a);
#endif
}
