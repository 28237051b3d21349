/* gcc: .cache_ttl_seconds. is deprecated: use .cache_ttl_ms
 * clang: 'cache_ttl_seconds' is deprecated: use .cache_ttl_ms */
#ifdef CONTROL
#define LF_KEEP_DEPRECATED
#endif
#include "langfuse/prompt.h"
#include "observe.h"

lf_prompt *asked(void);
lf_prompt *asked(void)
{
    return lf_get_prompt("name", .cache_ttl_seconds = 60);
}
