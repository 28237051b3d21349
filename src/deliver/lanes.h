/* The lanes of all clients: from the rings of threads into queues, from queues to exporters. Observations and scores of a client
 * have a lane each, so that neither waits for the other's server. The worker alone uses an lf__lanes.
 */
#ifndef LF_SRC_LANES_H
#define LF_SRC_LANES_H

#include "export.h"

typedef struct lf__lanes lf__lanes;

/* What became of all records, of any client. */
extern lf__counters lf__lanes_counters;
/* Accepted outside of a segment: copies of other threads' open observations, made at exit; updates of traces that are events. */
extern _Atomic uint64_t lf__lanes_accepted;
/* Both may be called by a thread that exits, too. */
void lf__lanes_drop(lf_drop_reason reason);
void lf__lanes_accept(void);

/* Records that wait or are on their way, counted where they are: in rings, copies, queues and batches. Any thread, no lock.
 * Exact while nothing moves. A record that moves from one place to the next meanwhile may be counted in both, but is never
 * missed: with 0 there is nothing left to send. */
uint64_t lf__lanes_queued(void);

/* None are open. `of_parent`: those that a fork left behind. Its offsets of clocks are taken over, the rest stays as it is, reachable.
 * NULL: no memory. */
lf__lanes *lf__lanes_new(lf__lanes *of_parent);
/* Close all, and give the memory back. They can be used again. */
void lf__lanes_close(lf__lanes *lanes);
void lf__lanes_after_fork_child(void);

/* Take over what clients send and where (lf__client_set_sending). The queue of a client that has changed is dropped. */
void lf__lanes_update(lf__lanes *lanes);
/* Empty all rings into the queues. */
void lf__lanes_drain(lf__lanes *lanes);
/* Queue a record from elsewhere, and account for it. The buffer stays the caller's. */
void lf__lanes_take_copy(lf__lanes *lanes, const lf__record *record);
void lf__lanes_copy_waits(void); /* that call will come for one more record */
/* Put records that are due into batches, all of them with `flushes`, and let the exporters start what is due. */
void lf__lanes_send(lf__lanes *lanes, bool flushes);
/* When something is due of what is queued or on its way (monotonic; 0: now; UINT64_MAX: nothing is). */
uint64_t lf__lanes_due_ns(lf__lanes *lanes, bool flushes);
/* Memory that bursts needed goes back to the system when it is due. Returns when to look again, 0: there is none. */
uint64_t lf__lanes_give_back(lf__lanes *lanes);

/* All that is queued now is to be delivered. Is it? With `exits` also when there is nobody to deliver it to. */
void lf__lanes_begin_flush(lf__lanes *lanes);
bool lf__lanes_are_flushed(lf__lanes *lanes, bool exits);
/* Try batches that wait for a retry once now, and send the queues. Returns the longest exit timeout of a client. */
long lf__lanes_hurry(lf__lanes *lanes);
/* Is nobody found at any place that something is left for? */
bool lf__lanes_are_hopeless(const lf__lanes *lanes);
/* Drop all records as LF_DROP_SHUTDOWN, those in the rings included. */
void lf__lanes_let_go(lf__lanes *lanes);
/* From any thread: what waits for a file gives up, and nothing more goes into batches. */
void lf__lanes_stop(lf__lanes *lanes, bool stops);

/* The transfers, NULL: there were none so far. Any thread may wake them (lf__http_wakeup). */
lf__http *lf__lanes_http(lf__lanes *lanes);
/* The text that a trace's id was derived from, for lf__free; NULL in *out_text: there is none. */
lf_status lf__lanes_trace_text(lf__lanes *lanes, uint32_t client, const uint8_t trace_id[16], char **out_text);

#endif
