/* gcc: incompatible types when assigning to type .lf_value_from_LF_OBJECT
 * clang: assigning to 'lf_value_from_LF_OBJECT'.* from incompatible type 'const char \*' */
#include "langfuse/prompt.h"
#include "observe.h"

#include <stdlib.h>

void filled_in(const lf_prompt *prompt, const char *movie);
void filled_in(const lf_prompt *prompt, const char *movie)
{
#ifdef CONTROL
    free(lf_prompt_compile(prompt, .variables = LF_OBJECT("movie", movie)));
#else
    free(lf_prompt_compile(prompt, .variables = movie));
#endif
}
