/* Coroutines: memory to observe in that a thread enters and leaves while scopes are open in it. */
#ifndef LF_SRC_COROUTINE_H
#define LF_SRC_COROUTINE_H

#include "stack.h"

struct lf_coroutine {
    lf__segment *segment; /* NULL: nothing is recorded so far */
    uint32_t forks;       /* of this process and its ancestors when the segment was taken */
};

/* NULL: the thread's own context. */
extern __thread lf_coroutine *lf__coroutine_current __attribute__((tls_model("initial-exec"), visibility("hidden")));
extern uint32_t lf__coroutine_forks;

/* As lf_coroutine_new, lf_coroutine_switch and lf_coroutine_free, where the library is started. True: wake the worker. */
lf_coroutine *lf__coroutine_new(void);
bool lf__coroutine_free(lf_coroutine *coroutine);
/* While observing is on. */
void lf__coroutine_take_segment(lf_coroutine *coroutine);
/* In the child of a fork: the parent's memory is gone. */
void lf__coroutine_after_fork_child(void);

static inline bool lf__coroutine_has_segment(const lf_coroutine *coroutine)
{
    return coroutine->segment != NULL && coroutine->forks == lf__coroutine_forks;
}

LF__FAST lf_coroutine *lf__coroutine_switch(lf_coroutine *to)
{
    lf_coroutine *from = lf__coroutine_current;
    if (to != NULL && __builtin_expect(!lf__coroutine_has_segment(to), 0))
        lf__coroutine_take_segment(to);
    lf__coroutine_current = to;
    lf__thread = to != NULL && to->segment != NULL ? to->segment : lf__thread_own;
    return from;
}

#endif
