/* From records to an acknowledged delivery. An exporter fills a batch with encoded observations or scores, sends it (or writes
 * it to a file), tries again, halves and bisects it, and counts each record exactly once as delivered or as dropped for a
 * reason. Several exporters (of a client's observations and scores, and of other clients) share one transport. All of it runs
 * on the worker; any thread may read the counters.
 */
#ifndef LF_SRC_EXPORT_H
#define LF_SRC_EXPORT_H

#include "../base/config.h"
#include "../observe/record.h"
#include "http.h"

#include <stdatomic.h>

/* The worker writes them, and a thread that exits; any thread reads them. */
typedef struct lf__counters {
    _Atomic uint64_t delivered;                      /* acknowledged by the server, or written to the file */
    _Atomic uint64_t dropped[LF_DROP_REASON_COUNT];  /* by lf_drop_reason */
    _Atomic uint64_t requests;                       /* sent, tries included */
    _Atomic uint64_t retries;
    _Atomic uint64_t last_success_ns;                /* wall clock; 0: never */
} lf__counters;

/* What sends for all exporters: all zero in the beginning, filled by the one that sends first. A thread that ends another
 * one's wait loads it (acquire) and calls lf__http_wakeup. */
typedef struct lf__transport {
    _Atomic(lf__http *) http; /* NULL: nothing was sent yet, or only to files */
    _Atomic bool stop;        /* a write that waits for a file gives up */
} lf__transport;

void lf__transport_done(lf__transport *transport); /* after the exporters that use it */

typedef enum lf__export_kind { LF__EXPORT_OBSERVATIONS, LF__EXPORT_SCORES } lf__export_kind;

typedef struct lf__export lf__export;

enum { LF__EXPORT_BATCHES = 4 }; /* on their way at once, besides the one being filled */

/* Times after failures. Only tests set them. */
typedef struct lf__export_times {
    uint64_t first_step_ns;   /* wait after the first failure; doubles with each */
    uint64_t longest_step_ns; /* up to this; Retry-After may ask for more, up to ten minutes */
    uint64_t give_up_ns;      /* a batch that was first tried so long ago is dropped */
} lf__export_times;

/* Borrows all three. Observations go to traces_url, or with the ingestion exporter to ingestion_url, where scores always go;
 * with the file exporter to file_path and file_path + ".scores". An exporter whose requests have no room for records beside
 * their head says so once, and drops all records (LF_DROP_TOO_LARGE). NULL: no memory. */
lf__export *lf__export_new(const lf__config *config, lf__export_kind kind, lf__transport *transport, lf__counters *counters);

/* Do the client's scores and updates of traces travel with its observations? */
bool lf__export_takes_all(const lf__config *config);

/* Tests: other times. */
void lf__export_tune(lf__export *exporter, lf__export_times times);

/* Encode one record into the open batch; `trace` is what was said of its trace, or NULL. LF__ADD_FULL: the batch is full; send
 * it, and offer the record again. LF__ADD_DONE: the record is in the batch, or was dropped and counted, since it alone is
 * larger than a request or memory is out. */
typedef enum lf__add { LF__ADD_DONE, LF__ADD_FULL } lf__add;
lf__add lf__export_add(lf__export *exporter, const lf__record *record, const lf__record *trace, int64_t wall_offset_ns);
/* Close the open batch, unless it is empty, and put it on its way as soon as fewer than LF__EXPORT_BATCHES are. */
void lf__export_send(lf__export *exporter);
/* Is a batch on its way (in flight, or waiting for its next try)? The open one does not count. */
bool lf__export_busy(const lf__export *exporter);
/* Numbers count the records ever added. All records below `oldest` are delivered or dropped. */
uint64_t lf__export_added(const lf__export *exporter);
uint64_t lf__export_oldest(const lf__export *exporter);
/* Records in the open batch, in flight and waiting for a retry. And the bytes of all these, as of the last step. */
size_t lf__export_held(const lf__export *exporter);
size_t lf__export_bytes(const lf__export *exporter);
/* Start the batches that are due. lf__http_poll on the shared lf__http moves transfers on, and acts upon their ends: step each
 * exporter after it. */
void lf__export_step(lf__export *exporter);
/* When the next try is due, and the exporter wants to be stepped at the latest (monotonic; may be in the past). UINT64_MAX: it
 * waits for the end of a transfer, or for records. */
uint64_t lf__export_next_ns(const lf__export *exporter);
/* Batches that wait for a retry are tried at the next step, once: before exit. */
void lf__export_hurry(lf__export *exporter);
/* Did the last two tries find nobody: no host of that name, a refused connection, no file? */
bool lf__export_is_hopeless(const lf__export *exporter);
/* Drop all records held, and count them as `reason`. */
void lf__export_abandon(lf__export *exporter, lf_drop_reason reason);
void lf__export_free(lf__export *exporter);   /* abandons as LF_DROP_SHUTDOWN */

#endif
