/* Prompts by key, for all clients. A miss is fetched once, however many threads ask; a stale prompt is handed out while one
 * background thread fetches it anew. Bounded in number and bytes; the prompt that was not used for longest goes first.
 */
#ifndef LF_SRC_PROMPT_CACHE_H
#define LF_SRC_PROMPT_CACHE_H

#include "../base/config.h"
#include "prompt_body.h"

enum { LF__PROMPTS = 1000, LF__PROMPT_BYTES = 64 << 20 };

typedef enum lf__prompt_found {
    LF__PROMPT_MISS,
    LF__PROMPT_IS_FRESH,
    LF__PROMPT_IS_STALE, /* being fetched anew, or that failed a moment ago */
    LF__PROMPT_IS_DUE    /* stale, and time to fetch it anew */
} lf__prompt_found;

/* A cached copy, with a reference for the caller. */
lf__prompt_found lf__prompts_find(const lf__prompt_key *key, uint64_t now_ns, lf__prompt_body **out_body);
/* LF_OK: a copy is cached. Otherwise why not: the error of the last fetch, or LF_ERR_TIMEOUT when none has ended. */
lf_status lf__prompts_status(const lf__prompt_key *key);

/* How to fetch one, on the thread that asks or on the background one. */
typedef struct lf__prompt_fetch {
    lf__config *config; /* a reference is taken as long as it is needed */
    int timeout_ms;     /* of all tries and waits */
    int max_retries;
    uint64_t ttl_ns;
} lf__prompt_fetch;

/* Fetch, or wait for the thread that does, until fetch->timeout_ms is over; `always` asks the server in any case. On success a
 * body with a reference for the caller, already in the cache. On failure *error, and 404 takes the cached copy away. */
lf_status lf__prompts_fetch(const lf__prompt_key *key, const lf__prompt_fetch *fetch, bool always, lf__prompt_body **out_body,
                            lf_error *error);
/* Fetch in the background, unless that is under way or failed a moment ago. */
void lf__prompts_refresh(const lf__prompt_key *key, const lf__prompt_fetch *fetch);
/* Wait until nothing is to be fetched in the background; false: not within the time. */
bool lf__prompts_settle(int timeout_ms);
/* The copy on disk, with a reference for the caller; it enters the cache as stale. NULL: there is none. */
lf__prompt_body *lf__prompts_from_disk(const lf__prompt_key *key, const lf__config *config);

/* Forget the versions of a prompt, or of all prompts for NULL. A fetch that is under way is not kept. */
void lf__prompts_forget(const char *name);

/* At exit: the background thread ends after the prompt that it fetches. */
void lf__prompts_stop(void);
void lf__prompts_before_fork(void);
void lf__prompts_after_fork_parent(void);
void lf__prompts_after_fork_child(void);

#endif
