/* The fields alone name no prompt.
 * gcc: expected expression before
 * clang: expected expression */
#include "langfuse/prompt.h"

void fetched(const char *label);
void fetched(const char *label)
{
#ifdef CONTROL
    lf_prompt_free(lf_get_prompt("name", .label = label));
#else
    lf_prompt_free(lf_get_prompt(.label = label));
#endif
}
