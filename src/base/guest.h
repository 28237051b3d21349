/* Being a guest on a thread of the program: errno stays, and while we wait or do what may raise a signal there, the thread is not
 * cancelled and takes no signal.
 */
#ifndef LF_SRC_GUEST_H
#define LF_SRC_GUEST_H

#include "base.h"

#include <errno.h>
#include <signal.h>

/* Up to the end of the block: errno stays. */
#define LF__KEEP_ERRNO int guest_errno __attribute__((cleanup(lf__guest_restore_errno), unused)) = errno

/* Up to the end of the block: errno stays, and the thread is not cancelled, which would leave a lock held or a call half done. */
#define LF__AS_GUEST(guest)                                            \
    lf__guest guest __attribute__((cleanup(lf__guest_leave), unused)); \
    lf__guest_enter(&guest)

typedef struct lf__guest {
    int saved_errno;
    int cancel_state;
    sigset_t before;
    bool pipe_was_pending;
    bool size_was_pending;
} lf__guest;

static inline void lf__guest_restore_errno(const int *saved)
{
    errno = *saved;
}

void lf__guest_enter(lf__guest *guest);
void lf__guest_leave(const lf__guest *guest);

/* Block all signals of this thread, and let them in again. A SIGPIPE (closed connection) or SIGXFSZ (file size limit) that came
 * meanwhile is taken, since we caused it; one that was pending before stays. */
void lf__guest_block_signals(lf__guest *guest);
void lf__guest_restore_signals(const lf__guest *guest);

#endif
