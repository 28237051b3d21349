/* gcc: has no member named .lable
 * clang: no member named 'lable' */
#include "langfuse/prompt.h"

void fetched(const char *name);
void fetched(const char *name)
{
#ifdef CONTROL
    lf_prompt_free(lf_get_prompt(name, .label = "staging"));
#else
    lf_prompt_free(lf_get_prompt(name, .lable = "staging"));
#endif
}
