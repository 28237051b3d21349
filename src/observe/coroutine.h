/* Coroutines: memory to observe in that a thread enters and leaves while scopes are open in it. */
#ifndef LF_SRC_COROUTINE_H
#define LF_SRC_COROUTINE_H

/* In the child of a fork: the parent's memory is gone. */
void lf__coroutine_after_fork_child(void);

#endif
