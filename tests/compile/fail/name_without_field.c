/* all: a name is an option or a field: .*lf_start_observation */
#include "observe.h"

lf_observation *observed(void);
lf_observation *observed(void)
{
#ifdef CONTROL
    return lf_start_observation(.name = "step");
#else
    return lf_start_observation("step");
#endif
}
