/* The background worker: takes ended observations out of all threads' rings, queues them, hands them to the exporter, and
 * sleeps without polling while there is nothing to do. Also flush and stop, which wait for it.
 */
#ifndef LF_SRC_WORKER_H
#define LF_SRC_WORKER_H

#include "../base/clients.h"
#include "../base/config.h"
#include "../observe/submit.h"

/* Configure what a client (clients.h) sends, and where. NULL: it sends nothing, and its queue is dropped. Takes a reference. */
void lf__worker_set_client(uint32_t index, lf__config *config);
/* Wait until the worker has taken the clients over, at most until then (monotonic): records that end later go to the new
 * place, what ended before to the old one. */
void lf__worker_await_clients(uint64_t until_ns);
/* Start the thread unless it runs; one that is stopping goes on. LF_ERR_MEMORY: there is none to be had, which is told; it is
 * tried again when something ends. */
lf_status lf__worker_start(void);
/* The same, if it was started before and not stopped: in the child of a fork, and in a process that was out of threads. There
 * it is tried once a second, or with `now`. */
void lf__worker_ensure(bool now);
/* Every running thread of the process executes a memory barrier, where the system can do that. */
void lf__worker_barrier(void);
/* End the worker's wait. Any thread; a lock and perhaps a system call: only when lf__worker_waiting says it sleeps. */
void lf__worker_wake(void);
/* Wake the worker, or start it. */
void lf__worker_call(void);
/* The same if what this thread recorded asks for it: the last thing that an observing call does. */
void lf__worker_heed_now(lf__segment *segment);
LF__FAST void lf__worker_heed(lf__segment *segment)
{
    if (__builtin_expect(segment->wakes, 0))
        lf__worker_heed_now(segment);
}
/* As lf_flush: the caller waits until the worker has delivered or dropped all that ended before (worker_end_flush). */
lf_status lf__worker_flush(int timeout_ms);
/* The same for callers that cannot tell of a loss: it stays for the next flush. */
lf_status lf__worker_send(int timeout_ms);
/* The same at exit: the wait is over, too, once nobody was found at the place where it goes, twice. */
void lf__worker_send_at_exit(int timeout_ms);
/* The text that a trace's id was derived from, as its observations are sent with it over the batch endpoint; *out_text (for
 * free) is NULL when there is none. Blocks: until the worker has looked, at most timeout_ms. */
lf_status lf__worker_trace_text(uint32_t client, const uint8_t trace_id[16], int timeout_ms, char **out_text);
/* Queue a copy of a record made outside a segment; the worker counts it as accepted. Takes the buffer. */
void lf__worker_submit(lf__record *record);
/* Let the thread put down what it does, drop what is left as LF_DROP_SHUTDOWN, give its memory back unless it is to keep it,
 * and end. Waits until then at most (monotonic). False: it has not come so far; it will, by itself, unless it is started again.
 * On the worker's own thread, in a hook, nothing is waited for. */
bool lf__worker_stop(bool keeps_memory, uint64_t until_ns);

/* The main thread has ended, by pthread_exit, and the process goes on without it. From now on the worker's thread ends when it
 * has nothing to do, and starts again when something ends; with none but threads of ours left, it sends what there is and ends:
 * the process is over when its last thread is. */
void lf__worker_main_left(void);

/* Without a thread: a record that ends makes a descriptor readable, and threads that wait for deliveries do the work. Before the
 * start, of all clients. */
void lf__worker_set_pumped(bool is_pumped);
bool lf__worker_is_pumped(void);
/* As lf_poll. */
int lf__worker_poll(int timeout_ms, lf_poll_wants *out_wants);

/* Fork handlers. In the child the worker is gone and everything queued belongs to the parent. */
void lf__worker_before_fork(void);
void lf__worker_after_fork_parent(void);
void lf__worker_after_fork_child(void);

#endif
