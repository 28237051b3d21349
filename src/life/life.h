/* Life and death of the library in a process: start, stop, fork, exit, and the clients that come and go. This is the one place
 * that knows of all others.
 *
 * At exit (life_exit in life.c) what any thread has open is sent, marked as interrupted, within the exit timeout.
 *
 * One lock says who changes something (life.c); it is held for a few instructions, never while we wait, call a hook, join a
 * thread or do I/O. Locks are taken in this order, each only with those before it held:
 *
 *     libcurl's set-up (http.c)    held by a fork, and for a moment by the thread that sets libcurl up
 *     life                         (life.c)
 *     prompt cache                 (prompt_cache.c)
 *     askers                       (rest.c)
 *     calls of models              (call.c)
 *     clients                      (clients.c)
 *     worker                       (worker.c)
 *     handles                      (handle.c)
 *     sites                        (site.c)
 *     hooks                        (gate.c)
 *     shadows                      (shadow.c)
 *
 * A fork takes all of them but those of single handles and calls, in this order, so that none is held by a thread that the child does not have.
 * An observation that another thread was changing in that moment is not there in the child.
 */
#ifndef LF_SRC_LIFE_H
#define LF_SRC_LIFE_H

#include "../base/clients.h"

/* Have the fork handlers registered, before the first lock is taken. False: no memory. */
bool lf__life_watch_forks(void);
/* As lf_init. With only_if_unknown: nothing happens unless this is the first call of all. */
lf_status lf__life_start(const lf_options *options, bool only_if_unknown);
/* The configuration of a client that asks its server something, for lf__config_free; NULL: there is none. All calls that ask begin
 * with this: it may start the library, and it makes exit wait for them. */
lf__config *lf__life_ask(uint32_t client);
/* What a call begins with that asks another server than Langfuse's: it starts nothing, and makes exit and forks wait for the call.
 * False: no memory, or the process ends, and libcurl is to be left alone. */
bool lf__life_ask_elsewhere(void);
/* As lf_shutdown. */
lf_status lf__life_stop(int timeout_ms);
/* As lf_set_tracing. */
void lf__life_set_tracing(bool on);
/* As lf_client_new and lf_client_free. */
uint32_t lf__life_add_client(const lf_options *options);
void lf__life_remove_client(uint32_t client);

#endif
