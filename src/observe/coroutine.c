#include "coroutine.h"

#include "../base/guest.h"

__thread lf_coroutine *lf__coroutine_current __attribute__((tls_model("initial-exec"), visibility("hidden")));
uint32_t lf__coroutine_forks;

__attribute__((noinline)) void lf__coroutine_take_segment(lf_coroutine *coroutine)
{
    LF__KEEP_ERRNO;
    coroutine->segment = lf__mode() >= LF_I_ON ? lf__stack_take() : NULL;
    coroutine->forks = lf__coroutine_forks;
}

lf_coroutine *lf__coroutine_new(void)
{
    lf_coroutine *coroutine = lf__alloc(sizeof *coroutine);
    if (coroutine != NULL)
        lf__coroutine_take_segment(coroutine);
    return coroutine;
}

bool lf__coroutine_free(lf_coroutine *coroutine)
{
    if (coroutine == lf__coroutine_current)
        (void)lf__coroutine_switch(NULL);
    bool wakes = lf__coroutine_has_segment(coroutine) && lf__stack_give_back(coroutine->segment);
    lf__free(coroutine);
    return wakes;
}

void lf__coroutine_after_fork_child(void)
{
    lf__coroutine_forks++;
    lf__coroutine_current = NULL;
}
