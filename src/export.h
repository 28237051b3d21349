/* From records to an acknowledged delivery: a batch is filled with encoded observations, sent (or written to a file),
 * retried, halved, bisected, and every observation in it is counted exactly once as delivered or as dropped for a reason.
 * Runs on the worker only, except that the counters may be read from anywhere.
 */
#ifndef LF_SRC_EXPORT_H
#define LF_SRC_EXPORT_H

#include "record.h"
#include "config.h"

#include <stdatomic.h>

/* Written by one thread, read by any. */
typedef struct lf__counters {
    _Atomic uint64_t delivered;                      /* acknowledged by the server, or written to the file */
    _Atomic uint64_t dropped[LF_DROP_REASON_COUNT];  /* by lf_drop_reason */
    _Atomic uint64_t requests;                       /* sent, tries included */
    _Atomic uint64_t retries;
    _Atomic uint64_t last_success_ns;                /* wall clock; 0: never */
} lf__counters;

typedef struct lf__export lf__export;

enum { LF__EXPORT_BATCHES = 4 }; /* on their way at once, besides the one being filled */

/* How long failures last. Tests shorten them. */
typedef struct lf__export_times {
    uint64_t first_step_ns;   /* wait after the first failure; doubles with each */
    uint64_t longest_step_ns; /* but no longer than this; Retry-After may ask for more, up to ten minutes */
    uint64_t give_up_ns;      /* a batch first tried so long ago is dropped */
} lf__export_times;

lf__export *lf__export_new(const lf__config *config, lf__counters *counters);

void lf__export_tune(lf__export *exporter, lf__export_times times);

/* Encode one record into the open batch. LF__ADD_FULL: the batch has reached its bytes or LF__EXPORT_BATCHES batches are on
 * their way; send or poll, then offer the record again. LF__ADD_DONE also when the record was dropped and counted (it
 * alone is larger than batch_bytes). */
typedef enum lf__add { LF__ADD_DONE, LF__ADD_FULL } lf__add;
lf__add lf__export_add(lf__export *exporter, const lf__record *record, int64_t wall_offset_ns);
/* Close the open batch and put it on its way, as soon as fewer than LF__EXPORT_BATCHES are; nothing when it is empty. */
void lf__export_send(lf__export *exporter);
/* Is there something on its way (in flight or waiting for its next try)? The open batch does not count. */
bool lf__export_busy(const lf__export *exporter);
/* Numbers count the records ever added. Everything below `oldest` has been delivered or dropped. */
uint64_t lf__export_added(const lf__export *exporter);
uint64_t lf__export_oldest(const lf__export *exporter);
/* Observations held: in the open batch, in flight, waiting for a retry. And their bytes. */
size_t lf__export_held(const lf__export *exporter);
size_t lf__export_bytes(const lf__export *exporter);
/* Work: finish transfers, start retries that are due; wait at most timeout_ms for something to happen. When nothing is on
 * its way it returns at once without waiting. */
void lf__export_poll(lf__export *exporter, int timeout_ms);
void lf__export_wakeup(lf__export *exporter); /* end a poll early; any thread */
/* Try now what waits for a retry, once: before exit. */
void lf__export_hurry(lf__export *exporter);
/* Drop and count everything held as `reason`. */
void lf__export_abandon(lf__export *exporter, lf_drop_reason reason);
void lf__export_free(lf__export *exporter);   /* abandons as LF_DROP_SHUTDOWN */

#endif
