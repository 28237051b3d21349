/* What an observation must know of a prompt: the first member of every lf_prompt (langfuse/prompt.h). */
#ifndef LF_SRC_PROMPT_LINK_H
#define LF_SRC_PROMPT_LINK_H

#include "../base/base.h"

typedef struct lf__prompt_link_of {
    const char *name;
    int version;
    bool is_fallback;
} lf__prompt_link_of;

static inline const lf__prompt_link_of *lf__prompt_link(const lf_prompt *prompt)
{
    return (const lf__prompt_link_of *)(const void *)prompt;
}

#endif
