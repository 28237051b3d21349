/* all: write_each_parameter_as_a_pair_of_type_and_name_in_parentheses */
#include "observe.h"

#ifdef CONTROL
OBSERVE_FN(int, observed, (int, a))
#else
OBSERVE_FN(int, observed, int a)
#endif
{
    return a;
}
