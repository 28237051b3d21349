/* From records to an acknowledged delivery: a batch is filled with encoded observations or scores, sent (or written to a
 * file), retried, halved, bisected, and every record in it is counted exactly once as delivered or as dropped for a reason.
 * Several exporters (of a client's observations and scores, and of other clients) share one transport. Runs on the worker
 * only, except that the counters may be read from anywhere.
 */
#ifndef LF_SRC_EXPORT_H
#define LF_SRC_EXPORT_H

#include "../base/config.h"
#include "http.h"
#include "../observe/record.h"

#include <stdatomic.h>

/* Written by the worker and a thread that exits, read by any. */
typedef struct lf__counters {
    _Atomic uint64_t delivered;                      /* acknowledged by the server, or written to the file */
    _Atomic uint64_t dropped[LF_DROP_REASON_COUNT];  /* by lf_drop_reason */
    _Atomic uint64_t requests;                       /* sent, tries included */
    _Atomic uint64_t retries;
    _Atomic uint64_t last_success_ns;                /* wall clock; 0: never */
} lf__counters;

/* What sends for all exporters: all zero in the beginning, filled by the one that sends first. Whoever wants to end a wait
 * from another thread loads it (acquire) and calls lf__http_wakeup. */
typedef struct lf__transport {
    _Atomic(lf__http *) http; /* NULL: nothing was sent yet, or only to files */
    _Atomic bool stop;        /* what waits for a file gives up */
} lf__transport;

void lf__transport_done(lf__transport *transport); /* after the exporters that use it */

typedef enum lf__export_kind { LF__EXPORT_OBSERVATIONS, LF__EXPORT_SCORES } lf__export_kind;

typedef struct lf__export lf__export;

enum { LF__EXPORT_BATCHES = 4 }; /* on their way at once, besides the one being filled */

/* How long failures last. Tests shorten them. */
typedef struct lf__export_times {
    uint64_t first_step_ns;   /* wait after the first failure; doubles with each */
    uint64_t longest_step_ns; /* but no longer than this; Retry-After may ask for more, up to ten minutes */
    uint64_t give_up_ns;      /* a batch first tried so long ago is dropped */
} lf__export_times;

/* All three are borrowed. Observations go to traces_url, or with the ingestion exporter to ingestion_url, where scores always
 * go; with the file exporter to file_path and file_path + ".scores". NULL: no memory. One whose requests have no room for
 * records, since what stands before them is too long, says so once and drops all of them (LF_DROP_TOO_LARGE). */
lf__export *lf__export_new(const lf__config *config, lf__export_kind kind, lf__transport *transport, lf__counters *counters);

/* Do the client's scores and updates of traces travel with its observations? */
bool lf__export_takes_all(const lf__config *config);

void lf__export_tune(lf__export *exporter, lf__export_times times);

/* Encode one record into the open batch; `trace` is what was said of its trace, or NULL. LF__ADD_FULL: the batch has reached
 * its bytes, or LF__EXPORT_BATCHES batches are on their way; send or step, then offer the record again. LF__ADD_DONE also
 * when the record was dropped and counted (it alone is larger than batch_bytes). */
typedef enum lf__add { LF__ADD_DONE, LF__ADD_FULL } lf__add;
lf__add lf__export_add(lf__export *exporter, const lf__record *record, const lf__record *trace, int64_t wall_offset_ns);
/* Close the open batch and put it on its way, as soon as fewer than LF__EXPORT_BATCHES are; nothing when it is empty. */
void lf__export_send(lf__export *exporter);
/* Is there something on its way (in flight or waiting for its next try)? The open batch does not count. */
bool lf__export_busy(const lf__export *exporter);
/* Numbers count the records ever added. Everything below `oldest` has been delivered or dropped. */
uint64_t lf__export_added(const lf__export *exporter);
uint64_t lf__export_oldest(const lf__export *exporter);
/* Records held: in the open batch, in flight, waiting for a retry. And their bytes. */
size_t lf__export_held(const lf__export *exporter);
size_t lf__export_bytes(const lf__export *exporter);
/* Start what is due. Transfers are moved on, and their ends acted upon, by lf__http_poll on the shared lf__http: step each
 * exporter after it. */
void lf__export_step(lf__export *exporter);
/* When it wants to be stepped at the latest (monotonic; in the past: now): the next try is due then. UINT64_MAX: only the end
 * of a transfer is waited for, or nothing at all. */
uint64_t lf__export_next_ns(const lf__export *exporter);
/* Try now what waits for a retry, once: before exit. */
void lf__export_hurry(lf__export *exporter);
/* Was nobody found there, at once and once more since then: no host of that name, a refused connection, no file? */
bool lf__export_is_hopeless(const lf__export *exporter);
/* Drop and count everything held as `reason`. */
void lf__export_abandon(lf__export *exporter, lf_drop_reason reason);
void lf__export_free(lf__export *exporter);   /* abandons as LF_DROP_SHUTDOWN */

#endif
