/* all: LF_OBJECT_takes_pairs_of_a_name_and_a_value_up_to_16 */
#include "observe.h"

void observed(int a);
void observed(int a)
{
#ifdef CONTROL
    OBSERVE_OUTPUT(LF_OBJECT("a", a, "b", a, "c", a, "d", a, "e", a, "f", a, "g", a, "h", a, "i", a, "j", a, "k", a, "l", a, "m", a,
                             "n", a, "o", a, "p", a));
#else
    OBSERVE_OUTPUT(LF_OBJECT("a", a, "b", a, "c", a, "d", a, "e", a, "f", a, "g", a, "h", a, "i", a, "j", a, "k", a, "l", a, "m", a,
                             "n", a, "o", a, "p", a, "q", a));
#endif
}
