/* Calls of models that are open: a generation and its reply so far. Like a handle of an observation, the name of a call is a number of a
 * slot and of one use of it, so that nothing a program does with an old one is dangerous.
 */
#ifndef LF_SRC_CALL_H
#define LF_SRC_CALL_H

#include "reply.h"

#include <pthread.h>

typedef struct lf_model_call lf_model_call; /* langfuse/model.h */

enum {
    LF__CALLS = 4096, /* open at once */
    LF__CALL_BYTES = 256 << 20 /* that all replies together may take; what comes beyond is not read */
};

/* What a call has until its end. */
typedef struct lf__call_state {
    lf_observation *observation;
    lf__reply *reply;
    lf__buf parameters; /* of the request: a JSON object */
    int64_t first_token_ns;
    bool captures; /* output */
    bool was_cut; /* there was no room for a piece */
} lf__call_state;

typedef struct lf__call {
    pthread_mutex_t lock;
    uintptr_t use;
    uint32_t index; /* of this slot */
    uint32_t next; /* in the list of free slots: index + 1 */
    bool is_open;
    size_t memory; /* that the reply was counted with */
    lf__call_state state;
} lf__call;

/* A new call, which takes the state over. NULL: too many are open, or no memory; the state stays the caller's. */
lf_model_call *lf__call_new(const lf__call_state *state);
/* The slot of an open call, locked; NULL: it is none. */
lf__call *lf__call_lock(const lf_model_call *call);
void lf__call_unlock(lf__call *call);
/* A piece of the reply, with the lock held. */
void lf__call_feed(lf__call *call, const char *bytes, size_t size, int64_t moment_ns);
/* End it, with the lock held, which it gives back. The state is the caller's from here on. */
lf__call_state lf__call_close(lf__call *call);
void lf__call_state_done(lf__call_state *state);

/* A fork takes the common lock; in the child no call is open. */
void lf__calls_before_fork(void);
void lf__calls_after_fork_parent(void);
void lf__calls_after_fork_child(void);

#endif
