/* gcc: lf_value_from_LF_OBJECT
 * clang: lf_value_from_LF_OBJECT
 * g++: lf_value_from_LF_OBJECT
 * clang++: no viable overloaded '=' */
#include "observe.h"

void observed(void);
void observed(void)
{
#ifdef CONTROL
    lf_update_current_observation(.model_parameters = LF_OBJECT("temperature", 0.2));
#else
    lf_update_current_observation(.model_parameters = "temperature=0.2");
#endif
}
