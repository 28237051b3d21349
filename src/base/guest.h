/* Being a guest on the caller's thread: while we do what may raise a signal there, none is taken, the thread cannot be
 * cancelled, and errno is kept.
 */
#ifndef LF_SRC_GUEST_H
#define LF_SRC_GUEST_H

#include "base.h"

#include <signal.h>

typedef struct lf__guest {
    int saved_errno;
    int cancel_state;
    sigset_t before;
    bool pipe_was_pending;
    bool size_was_pending;
} lf__guest;

/* All signals are blocked: threads that are started inherit that, so that no handler of the program runs on them. */
void lf__guest_enter(lf__guest *guest);
/* A SIGPIPE (closed connection) or SIGXFSZ (file size limit) that came meanwhile is taken, since we caused it; one that was
 * pending before stays. */
void lf__guest_leave(const lf__guest *guest);

/* The same but for errno and cancelling, around a wait in which the program's handlers may run. */
void lf__guest_block_signals(lf__guest *guest);
void lf__guest_restore_signals(const lf__guest *guest);

#endif
