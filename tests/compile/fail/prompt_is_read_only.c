/* What it points to is shared with all who have it.
 * gcc: assignment of read-only location
 * clang: read-only variable is not assignable */
#include "langfuse/prompt.h"

void changed(lf_prompt *prompt);
void changed(lf_prompt *prompt)
{
#ifdef CONTROL
    (void)prompt->labels[0];
#else
    prompt->labels[0] = "production";
#endif
}
