/* Coroutines: memory to observe in that a thread enters and leaves while scopes are open in it. */
#ifndef LF_SRC_COROUTINE_H
#define LF_SRC_COROUTINE_H

#include "../base/base.h"

/* As lf_coroutine_new, lf_coroutine_switch and lf_coroutine_free, where the library is started. True: wake the worker. */
lf_coroutine *lf__coroutine_new(void);
lf_coroutine *lf__coroutine_switch(lf_coroutine *to);
bool lf__coroutine_free(lf_coroutine *coroutine);
/* In the child of a fork: the parent's memory is gone. */
void lf__coroutine_after_fork_child(void);

#endif
