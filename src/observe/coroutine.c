#include "coroutine.h"

#include "stack.h"

#include <errno.h>

struct lf_coroutine {
    lf__segment *segment; /* NULL: nothing is recorded so far */
    uint32_t forks;       /* of this process and its ancestors when the segment was taken */
};

static __thread lf_coroutine *coroutine_current __attribute__((tls_model("initial-exec"))); /* NULL: the thread's own context */
static uint32_t coroutine_forks;

static bool coroutine_has_segment(const lf_coroutine *coroutine)
{
    return coroutine->segment != NULL && coroutine->forks == coroutine_forks;
}

static void coroutine_take_segment(lf_coroutine *coroutine)
{
    int saved = errno;
    coroutine->segment = lf__stack_take();
    coroutine->forks = coroutine_forks;
    errno = saved;
}

lf_coroutine *lf__coroutine_new(void)
{
    lf_coroutine *coroutine = lf__alloc(sizeof *coroutine);
    if (coroutine == NULL)
        return NULL;
    *coroutine = (lf_coroutine){.forks = coroutine_forks};
    if (lf__mode() >= LF_I_ON)
        coroutine_take_segment(coroutine);
    return coroutine;
}

lf_coroutine *lf__coroutine_switch(lf_coroutine *to)
{
    lf_coroutine *from = coroutine_current;
    if (to != NULL && __builtin_expect(!coroutine_has_segment(to), 0)) {
        to->segment = NULL;
        if (lf__mode() >= LF_I_ON)
            coroutine_take_segment(to);
    }
    coroutine_current = to;
    lf__thread = to != NULL && to->segment != NULL ? to->segment : lf__thread_own;
    return from;
}

bool lf__coroutine_free(lf_coroutine *coroutine)
{
    if (coroutine == coroutine_current)
        (void)lf__coroutine_switch(NULL);
    bool wakes = coroutine_has_segment(coroutine) && lf__stack_give_back(coroutine->segment);
    lf__free(coroutine);
    return wakes;
}

void lf__coroutine_after_fork_child(void)
{
    coroutine_forks++;
    coroutine_current = NULL;
}
