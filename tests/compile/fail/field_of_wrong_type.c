/* gcc: incompatible types when assigning to type .lf_value_from_LF_OBJECT
 * clang: assigning to 'lf_value_from_LF_OBJECT'.* from incompatible type 'int' */
#include "observe.h"

void observed(int tokens);
void observed(int tokens)
{
#ifdef CONTROL
    lf_update_current_observation(.usage_details = LF_OBJECT("input", tokens));
#else
    lf_update_current_observation(.usage_details = tokens);
#endif
}
