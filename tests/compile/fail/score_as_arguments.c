/* all: a name is an option or a field */
#include "langfuse/score.h"
#include "observe.h"

lf_status observed(double value);
lf_status observed(double value)
{
#ifdef CONTROL
    return lf_create_score(.name = "accuracy", .value = value);
#else
    return lf_create_score("accuracy", value);
#endif
}
