/* run.sh counts the warnings: one for each use, none in our headers, none with LF_KEEP_DEPRECATED. */
#include "langfuse/prompt.h"

void old_way(void) LF_DEPRECATED("use new_way");

lf_prompt *uses(void);
lf_prompt *uses(void)
{
    old_way();
    return lf_get_prompt("name", .cache_ttl_seconds = 60);
}
