#define _GNU_SOURCE
#include "guest.h"

#include <pthread.h>
#include <time.h>

void lf__guest_block_signals(lf__guest *guest)
{
    sigset_t all, pending;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &guest->before);
    sigpending(&pending);
    guest->pipe_was_pending = sigismember(&pending, SIGPIPE) == 1;
    guest->size_was_pending = sigismember(&pending, SIGXFSZ) == 1;
}

static void guest_take(int number)
{
    const struct timespec now = {0, 0};
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, number);
    while (sigtimedwait(&one, NULL, &now) < 0 && errno == EINTR)
        continue;
}

void lf__guest_restore_signals(const lf__guest *guest)
{
    if (!guest->pipe_was_pending)
        guest_take(SIGPIPE);
    if (!guest->size_was_pending)
        guest_take(SIGXFSZ);
    pthread_sigmask(SIG_SETMASK, &guest->before, NULL);
}

void lf__guest_enter(lf__guest *guest)
{
    guest->saved_errno = errno;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &guest->cancel_state);
}

void lf__guest_leave(const lf__guest *guest)
{
    pthread_setcancelstate(guest->cancel_state, NULL);
    errno = guest->saved_errno;
}
