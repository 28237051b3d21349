/* A version has no text to change.
 * gcc: has no member named .prompt
 * clang: no member named 'prompt' */
#include "langfuse/prompt.h"

void changed(int version);
void changed(int version)
{
#ifdef CONTROL
    lf_update_prompt(.name = "n", .version = version);
#else
    lf_update_prompt(.name = "n", .version = version, .prompt = "text");
#endif
}
