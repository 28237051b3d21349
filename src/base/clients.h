/* The clients of a process, by number: 0 is the default one. What the observing path must know of a client is one word.
 */
#ifndef LF_SRC_CLIENTS_H
#define LF_SRC_CLIENTS_H

#include "config.h"

#include <stdatomic.h>
#include <string.h>

enum {
    LF__CLIENTS = 64, /* ever made in one process; a number is not used again, since records may still carry it */
    LF__CLIENT_NONE = LF__CLIENTS - 1 /* stands for one that could not be made: keeps nothing */
};

/* Which client it is, is told by its place. */
struct lf_client {
    char unused;
};

/* A trace is kept when the low half of its id is below this; UINT64_MAX: always, 0: never (the client is off). */
extern _Atomic uint64_t lf__client_threshold[LF__CLIENTS];
extern _Atomic bool lf__client_on[LF__CLIENTS];
extern lf_client lf__clients[LF__CLIENTS];
static inline uint32_t lf__client_index(const lf_client *client)
{
    return client == NULL ? 0 : (uint32_t)(client - lf__clients);
}

/* Grows when the default client is started anew with other keys or for another server: its cached prompts are not its own then. */
extern _Atomic uint32_t lf__client_epoch;

/* The rule of OpenTelemetry's TraceIdRatioBased, so that processes in any language agree. */
static inline bool lf__client_keeps(uint32_t client, const uint8_t trace_id[16])
{
    uint64_t threshold = atomic_load_explicit(&lf__client_threshold[client], memory_order_relaxed);
    uint64_t low;
    memcpy(&low, trace_id + 8, sizeof low);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    low = __builtin_bswap64(low);
#endif
    return low < threshold || threshold == UINT64_MAX;
}

/* The configuration of a client that traces, for lf__config_free. NULL: it is off. Any thread; a lock held for a moment. */
lf__config *lf__client_hold(uint32_t client);
/* A client's configuration, whether it traces or not, for lf__config_free. NULL: there is none. Likewise. */
lf__config *lf__client_config(uint32_t client);
/* Give a client another configuration; takes the reference, returns the one before (or NULL) with its own. */
lf__config *lf__client_exchange(uint32_t client, lf__config *config);
/* The configuration that a client sends with; NULL: it sends nothing. Takes a reference. */
void lf__client_set_sending(uint32_t client, lf__config *config);
/* The same to read, for lf__config_free. */
lf__config *lf__client_sending(uint32_t client);
/* How much all clients that send may queue. */
size_t lf__client_queue_bytes(void);
/* A further client. LF__CLIENT_NONE: there are as many as there can be; the reference stays the caller's. */
uint32_t lf__client_add(lf__config *config);
uint32_t lf__client_count(void); /* ever made, the default one included */
/* What every thread should do (lf_i_mode in lf_core.h), without starting the library. */
static inline int lf__mode(void)
{
    return __atomic_load_n(&lf_i_mode_word, __ATOMIC_RELAXED);
}

/* Started, though observing may be switched off for a while. */
static inline bool lf__is_started(void)
{
    return lf__mode() >= LF_I_ON || lf__mode() == LF_I_PAUSED;
}

/* A line to a client's log; to stderr where it has no configuration. */
void lf__client_tell(uint32_t client, lf__log_level level, const char *format, ...) LF_PRINTF(3, 4);

void lf__client_before_fork(void);
void lf__client_after_fork_parent(void);
void lf__client_after_fork_child(void);

static inline bool lf__client_is_on(uint32_t client)
{
    return atomic_load_explicit(&lf__client_on[client], memory_order_relaxed);
}

#endif
