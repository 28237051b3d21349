/* A generation is linked by the prompt itself; its name is .prompt_name.
 * gcc: incompatible pointer type
 * clang: incompatible pointer types */
#include "langfuse/prompt.h"
#include "observe.h"

void linked(const lf_prompt *prompt);
void linked(const lf_prompt *prompt)
{
#ifdef CONTROL
    lf_update_current_observation(.prompt = prompt);
#else
    lf_update_current_observation(.prompt = prompt->name);
#endif
}
