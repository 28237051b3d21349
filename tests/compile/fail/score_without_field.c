/* gcc: has no member named .nmae
 * clang: no member named 'nmae' */
#include "langfuse/score.h"

void observed(int a);
void observed(int a)
{
#ifdef CONTROL
    lf_create_score(.name = "n", .value = a);
#else
    lf_create_score(.nmae = "n", .value = a);
#endif
}
