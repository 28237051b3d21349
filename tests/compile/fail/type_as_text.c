/* all: .lf_type. */
#include "observe.h"

void observed(void);
void observed(void)
{
#ifdef CONTROL
    OBSERVE_WITH((.type = LF_GENERATION));
#else
    OBSERVE_WITH((.type = "generation"));
#endif
}
