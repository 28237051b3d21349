#define _GNU_SOURCE
#include "worker.h"

#include "pending.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    WORKER_DEFAULT_TIMEOUT_MS = 2000,
    WORKER_LONGEST_WAIT_MS = 60000,
    WORKER_STACK_BYTES = 1 << 20,
    WORKER_GENERATIONS = 16,
    /* Without membarrier: how long a store of another thread may stay unseen, generously. */
    WORKER_SETTLE_MS = 20
};

_Atomic int lf__worker_waiting;
_Atomic bool lf__worker_asked;
_Atomic(lf__segment *) lf__segments;
lf__budget lf__worker_budget;
lf__counters lf__worker_counters;
_Atomic uint64_t lf__worker_accepted;

typedef struct worker_copy {
    struct worker_copy *next;
    lf__record *record;
} worker_copy;

/* Guarded by `lock`, except what only the worker's thread touches. User callbacks never run with it held. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t to_worker;
    pthread_cond_t to_callers;
    bool conditions_ready;
    const lf__config *config;
    pthread_t thread;
    bool running;
    bool stop;
    bool stopped; /* the thread has dropped or sent everything */
    uint64_t flush_wanted;
    uint64_t flush_done;
    worker_copy *copies;
    uint64_t dropped_reported; /* total of drops that a flush has told */

    /* The worker's own. */
    lf__transport transport; /* its slot may be read by anyone */
    lf__export *exporter;
    lf__pending *pending;
    uint64_t deadline_ns;   /* when the oldest queued record must be sent; 0: nothing queued */
    uint64_t flush_active;  /* ticket being worked on, 0 for none */
    uint64_t flush_target;  /* queue number up to which it reaches */
    bool flush_handed_over; /* all of them are with the exporter */
    uint64_t flush_mark;    /* exporter number up to which they reach then */
    bool has_membarrier;

    /* In the child of a fork, what its parent's worker held, and its parent's: reachable, so that leak checkers keep quiet. */
    lf__pending *inherited[WORKER_GENERATIONS];
    lf__export *inherited_exporter[WORKER_GENERATIONS];
    lf__http *inherited_http[WORKER_GENERATIONS];
    unsigned generation;
} worker = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- Waiting ---- */

static struct timespec worker_timespec(uint64_t ns)
{
    struct timespec time = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    return time;
}

static void worker_init_conditions(void)
{
    if (worker.conditions_ready)
        return;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&worker.to_worker, &attributes);
    pthread_cond_init(&worker.to_callers, &attributes);
    pthread_condattr_destroy(&attributes);
    worker.conditions_ready = true;
}

static void worker_wake_locked(void)
{
    int waiting = atomic_exchange_explicit(&lf__worker_waiting, LF__WORKER_BUSY, memory_order_relaxed);
    lf__http *http = atomic_load_explicit(&worker.transport.http, memory_order_acquire);
    if (waiting == LF__WORKER_IN_POLL && http != NULL)
        lf__http_wakeup(http);
    else if (waiting != LF__WORKER_BUSY)
        pthread_cond_signal(&worker.to_worker);
}

void lf__worker_wake(void)
{
    int saved = errno;
    pthread_mutex_lock(&worker.lock);
    if (worker.running)
        worker_wake_locked();
    pthread_mutex_unlock(&worker.lock);
    errno = saved;
}

static bool worker_anything_published(void)
{
    for (lf__segment *s = atomic_load_explicit(&lf__segments, memory_order_acquire); s != NULL; s = s->next)
        if (atomic_load_explicit(&s->published, memory_order_acquire) !=
            atomic_load_explicit(&s->consumed, memory_order_relaxed))
            return true;
    return false;
}

static bool worker_has_requests(void)
{
    return worker.stop || worker.flush_wanted > worker.flush_done || worker.copies != NULL;
}

/* Sleep on the condition until woken or `until_ns` (0: for ever). */
static void worker_sleep(int kind, uint64_t until_ns)
{
    pthread_mutex_lock(&worker.lock);
    atomic_store_explicit(&lf__worker_waiting, worker_has_requests() ? LF__WORKER_BUSY : kind, memory_order_relaxed);
    pthread_mutex_unlock(&worker.lock);
    bool settle = false;
    atomic_thread_fence(memory_order_seq_cst);
    if (kind == LF__WORKER_TIMED && atomic_load_explicit(&lf__worker_asked, memory_order_relaxed)) {
        /* A thread that reached flush_at meanwhile saw us busy and left us alone. */
        atomic_store_explicit(&lf__worker_waiting, LF__WORKER_BUSY, memory_order_relaxed);
        return;
    }
    if (kind == LF__WORKER_IDLE) {
        /* An observing thread publishes a record and then reads lf__worker_waiting, without a fence between. The barrier
         * makes every running thread execute one: either it sees that we sleep, or we see its record. */
        if (worker.has_membarrier)
            settle = syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) != 0;
        else
            settle = true;
        if (worker_anything_published()) {
            atomic_store_explicit(&lf__worker_waiting, LF__WORKER_BUSY, memory_order_relaxed);
            return;
        }
    }
    if (settle)
        until_ns = lf__monotonic_ns() + WORKER_SETTLE_MS * 1000000u;
    struct timespec until = worker_timespec(until_ns);
    pthread_mutex_lock(&worker.lock);
    while (atomic_load_explicit(&lf__worker_waiting, memory_order_relaxed) != LF__WORKER_BUSY) {
        int result = until_ns == 0 ? pthread_cond_wait(&worker.to_worker, &worker.lock)
                                   : pthread_cond_timedwait(&worker.to_worker, &worker.lock, &until);
        if (result != ETIMEDOUT)
            continue;
        if (!settle || worker_anything_published())
            break;
        settle = false; /* whatever was on its way has arrived: now sleep for good */
        until_ns = 0;
    }
    atomic_store_explicit(&lf__worker_waiting, LF__WORKER_BUSY, memory_order_relaxed);
    pthread_mutex_unlock(&worker.lock);
}

/* Without a server to listen to: sleep until woken, at most timeout_ms. */
static void worker_nap(int timeout_ms)
{
    struct timespec until = worker_timespec(lf__monotonic_ns() + (uint64_t)timeout_ms * 1000000u);
    pthread_mutex_lock(&worker.lock);
    while (atomic_load_explicit(&lf__worker_waiting, memory_order_relaxed) != LF__WORKER_BUSY)
        if (pthread_cond_timedwait(&worker.to_worker, &worker.lock, &until) == ETIMEDOUT)
            break;
    pthread_mutex_unlock(&worker.lock);
}

static int worker_ms_until(uint64_t deadline_ns)
{
    uint64_t now = lf__monotonic_ns();
    uint64_t left_ms = deadline_ns <= now ? 0 : (deadline_ns - now) / 1000000u + 1;
    return left_ms > WORKER_LONGEST_WAIT_MS ? WORKER_LONGEST_WAIT_MS : (int)left_ms;
}

/* Let the exporter work, waiting until deadline_ns (0: none) at the latest. */
static void worker_poll(uint64_t deadline_ns)
{
    lf__export_step(worker.exporter); /* makes the lf__http before others are told to wake us there */
    uint64_t next_ns = lf__export_next_ns(worker.exporter);
    int timeout_ms = worker_ms_until(deadline_ns != 0 && deadline_ns < next_ns ? deadline_ns : next_ns);
    if (!lf__export_busy(worker.exporter))
        return;
    pthread_mutex_lock(&worker.lock);
    bool requests = worker.stop || worker.flush_wanted > worker.flush_active || worker.copies != NULL;
    atomic_store_explicit(&lf__worker_waiting, LF__WORKER_IN_POLL, memory_order_relaxed);
    pthread_mutex_unlock(&worker.lock);
    lf__http *http = atomic_load_explicit(&worker.transport.http, memory_order_relaxed);
    if (http != NULL)
        lf__http_poll(http, requests ? 0 : timeout_ms);
    else if (!requests)
        worker_nap(timeout_ms);
    atomic_store_explicit(&lf__worker_waiting, LF__WORKER_BUSY, memory_order_relaxed);
    lf__export_step(worker.exporter);
}

/* ---- Taking records in ---- */

static void worker_drop(void *owner, lf_drop_reason reason)
{
    (void)owner;
    lf__count(&lf__worker_counters.dropped[reason]);
}

static bool worker_take(void *owner, const lf__record *record)
{
    lf__pending_add(owner, record);
    return true;
}

static void worker_take_copies(void)
{
    pthread_mutex_lock(&worker.lock);
    worker_copy *copy = worker.copies;
    worker.copies = NULL;
    pthread_mutex_unlock(&worker.lock);
    while (copy != NULL) {
        worker_copy *next = copy->next;
        lf__pending_add(worker.pending, copy->record);
        lf__free(copy->record);
        lf__free(copy);
        copy = next;
    }
}

static void worker_update_budget(void)
{
    size_t limit = atomic_load_explicit(&lf__worker_budget.limit, memory_order_relaxed);
    size_t sending = worker.exporter == NULL ? 0 : lf__export_bytes(worker.exporter);
    /* An eighth stays free for the rings, so that under pressure it is the queue that lets go of what is oldest, not the
     * rings of what is newest. */
    size_t room = limit - limit / 8;
    lf__pending_set_max(worker.pending, room > sending + limit / 8 ? room - sending : limit / 8);
    atomic_store_explicit(&lf__worker_budget.worker, lf__pending_bytes(worker.pending) + sending, memory_order_relaxed);
}

static void worker_drain(void)
{
    for (lf__segment *s = atomic_load_explicit(&lf__segments, memory_order_acquire); s != NULL; s = s->next) {
        int left = LF__SEGMENT_LEFT; /* unless a new thread takes it first */
        bool rests = atomic_compare_exchange_strong_explicit(&s->state, &left, LF__SEGMENT_RESTING, memory_order_acquire,
                                                             memory_order_relaxed);
        lf__segment_drain(s, &lf__worker_budget, worker_take, worker.pending);
        uint8_t trace_id[16];
        while (lf__segment_lost_trace(s, trace_id))
            lf__pending_drop_trace(worker.pending, trace_id, LF_DROP_QUEUE_FULL);
        if (rests) {
            lf__segment_rest(s);
            atomic_store_explicit(&s->state, LF__SEGMENT_FREE, memory_order_release);
        }
        worker_update_budget();
    }
    worker_take_copies();
    if (lf__pending_count(worker.pending) == 0)
        worker.deadline_ns = 0;
    else if (worker.deadline_ns == 0)
        worker.deadline_ns = lf__monotonic_ns() + worker.config->flush_interval_ms * 1000000u;
}

/* ---- Handing over to the exporter ---- */

static bool worker_should_send(void)
{
    size_t count = lf__pending_count(worker.pending);
    if (count == 0)
        return false;
    return worker.flush_active != 0 || count >= worker.config->flush_at ||
           lf__pending_bytes(worker.pending) >= worker.config->batch_bytes || lf__monotonic_ns() >= worker.deadline_ns;
}

/* Under a low ceiling, batches on their way leave the queue half of it: only there the oldest can be let go. */
static bool worker_may_batch(void)
{
    size_t limit = atomic_load_explicit(&lf__worker_budget.limit, memory_order_relaxed);
    return !lf__export_busy(worker.exporter) ||
           lf__export_bytes(worker.exporter) + worker.config->batch_bytes <= limit / 2;
}

/* Move queued records into batches, as far as the exporter takes them. */
static void worker_send(void)
{
    int64_t wall_offset_ns = (int64_t)(lf__wall_ns() - lf__monotonic_ns());
    const lf__record *record;
    while (worker_may_batch() && (record = lf__pending_first(worker.pending)) != NULL) {
        if (lf__export_add(worker.exporter, record, NULL, wall_offset_ns) == LF__ADD_FULL) {
            lf__export_send(worker.exporter);
            if (!worker_may_batch() || lf__export_add(worker.exporter, record, NULL, wall_offset_ns) == LF__ADD_FULL)
                break; /* as much is on its way as may be */
        }
        lf__pending_remove_first(worker.pending);
    }
    lf__export_send(worker.exporter);
    worker.deadline_ns = 0;
    worker_update_budget();
}

/* ---- Flush and stop ---- */

static uint64_t worker_flush_wanted(void)
{
    pthread_mutex_lock(&worker.lock);
    uint64_t wanted = worker.flush_wanted;
    pthread_mutex_unlock(&worker.lock);
    return wanted;
}

/* `wanted` was read before the rings were emptied, so everything that the caller of flush saw end is queued by now. A newer
 * ticket takes an older one along: it reaches at least as far. */
static void worker_begin_flush(uint64_t wanted)
{
    if (wanted <= worker.flush_active || wanted <= worker.flush_done)
        return;
    worker.flush_active = wanted;
    worker.flush_target = lf__pending_added(worker.pending);
    worker.flush_handed_over = false;
    lf__export_hurry(worker.exporter);
}

static void worker_end_flush(void)
{
    if (worker.flush_active == 0 || lf__pending_first_number(worker.pending) < worker.flush_target)
        return;
    if (!worker.flush_handed_over) {
        worker.flush_handed_over = true;
        worker.flush_mark = lf__export_added(worker.exporter);
    }
    if (lf__export_oldest(worker.exporter) < worker.flush_mark)
        return;
    pthread_mutex_lock(&worker.lock);
    worker.flush_done = worker.flush_active;
    worker.flush_active = 0;
    pthread_cond_broadcast(&worker.to_callers);
    pthread_mutex_unlock(&worker.lock);
}

static bool worker_should_stop(void)
{
    pthread_mutex_lock(&worker.lock);
    bool stop = worker.stop;
    pthread_mutex_unlock(&worker.lock);
    return stop;
}

static void worker_let_go(void)
{
    worker_drain();
    lf__pending_drop_all(worker.pending, LF_DROP_SHUTDOWN);
    lf__export_abandon(worker.exporter, LF_DROP_SHUTDOWN);
    worker_update_budget();
    pthread_mutex_lock(&worker.lock);
    worker.stopped = true;
    pthread_cond_broadcast(&worker.to_callers);
    pthread_mutex_unlock(&worker.lock);
}

static void worker_wait(void)
{
    if (lf__export_busy(worker.exporter))
        worker_poll(worker.deadline_ns);
    else if (lf__pending_count(worker.pending) != 0)
        worker_sleep(LF__WORKER_TIMED, worker.deadline_ns);
    else
        worker_sleep(LF__WORKER_IDLE, 0);
}

static void *worker_main(void *unused)
{
    (void)unused;
    pthread_setname_np(pthread_self(), "langfuse");
    worker.has_membarrier = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
    while (!worker_should_stop()) {
        uint64_t wanted = worker_flush_wanted();
        atomic_store(&lf__worker_asked, false);
        worker_drain();
        worker_begin_flush(wanted);
        if (worker_should_send())
            worker_send();
        worker_end_flush();
        worker_wait();
    }
    worker_let_go();
    return NULL;
}

/* ---- Called by others ---- */

static bool worker_create_thread(void)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0)
        return false;
    pthread_attr_setstacksize(&attributes, WORKER_STACK_BYTES);
    /* The thread inherits the mask: the host's signals are delivered to the host's threads. */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool ok = pthread_create(&worker.thread, &attributes, worker_main, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return ok;
}

static lf_status worker_start_locked(const lf__config *config)
{
    if (worker.running)
        return LF_OK;
    worker_init_conditions();
    worker.config = config;
    worker.stop = worker.stopped = false;
    worker.flush_active = worker.deadline_ns = 0;
    worker.flush_done = worker.flush_wanted;
    atomic_store_explicit(&lf__worker_budget.limit, config->queue_bytes, memory_order_relaxed);
    atomic_store_explicit(&lf__worker_waiting, LF__WORKER_BUSY, memory_order_relaxed);
    worker.exporter = lf__export_new(config, LF__EXPORT_OBSERVATIONS, &worker.transport, &lf__worker_counters);
    worker.pending = lf__pending_new(config->queue_bytes, worker_drop, NULL);
    if (worker.exporter != NULL && worker.pending != NULL && worker_create_thread()) {
        worker.running = true;
        return LF_OK;
    }
    if (worker.exporter != NULL)
        lf__export_free(worker.exporter);
    lf__pending_free(worker.pending);
    worker.exporter = NULL;
    worker.pending = NULL;
    return LF_ERR_MEMORY;
}

lf_status lf__worker_start(const lf__config *config)
{
    pthread_mutex_lock(&worker.lock);
    lf_status status = worker_start_locked(config);
    pthread_mutex_unlock(&worker.lock);
    return status;
}

void lf__worker_barrier(void)
{
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) != 0)
        atomic_thread_fence(memory_order_seq_cst); /* ours only: the other side may take a moment */
}

bool lf__worker_running(void)
{
    pthread_mutex_lock(&worker.lock);
    bool running = worker.running;
    pthread_mutex_unlock(&worker.lock);
    return running;
}

void lf__worker_submit(lf__record *record)
{
    worker_copy *copy = lf__alloc(sizeof *copy);
    lf__count(&lf__worker_accepted);
    if (copy == NULL) {
        lf__count(&lf__worker_counters.dropped[LF_DROP_NO_MEMORY]);
        lf__free(record);
        return;
    }
    copy->record = record;
    pthread_mutex_lock(&worker.lock);
    copy->next = worker.copies;
    worker.copies = copy;
    pthread_mutex_unlock(&worker.lock);
}

static uint64_t worker_dropped_total(void)
{
    uint64_t total = 0;
    for (int i = 0; i < LF_DROP_REASON_COUNT; i++)
        total += atomic_load_explicit(&lf__worker_counters.dropped[i], memory_order_relaxed);
    for (lf__segment *s = atomic_load_explicit(&lf__segments, memory_order_acquire); s != NULL; s = s->next)
        total += atomic_load_explicit(&s->dropped_full, memory_order_relaxed) +
                 atomic_load_explicit(&s->dropped_large, memory_order_relaxed) +
                 atomic_load_explicit(&s->dropped_deep, memory_order_relaxed);
    return total;
}

lf_status lf__worker_flush(int timeout_ms)
{
    uint64_t until_ns = lf__monotonic_ns() + (uint64_t)(timeout_ms < 0 ? WORKER_DEFAULT_TIMEOUT_MS : timeout_ms) * 1000000u;
    struct timespec until = worker_timespec(until_ns);
    lf_status status = LF_OK;
    pthread_mutex_lock(&worker.lock);
    if (!worker.running) {
        pthread_mutex_unlock(&worker.lock);
        return LF_ERR_DISABLED;
    }
    uint64_t ticket = ++worker.flush_wanted;
    worker_wake_locked();
    while (worker.flush_done < ticket && !worker.stopped && status == LF_OK)
        if (pthread_cond_timedwait(&worker.to_callers, &worker.lock, &until) == ETIMEDOUT && worker.flush_done < ticket)
            status = LF_ERR_TIMEOUT;
    uint64_t dropped = worker_dropped_total();
    if (status == LF_OK && dropped > worker.dropped_reported)
        status = LF_ERR_LOST;
    if (status == LF_ERR_LOST)
        worker.dropped_reported = dropped;
    pthread_mutex_unlock(&worker.lock);
    return status;
}

void lf__worker_stop(bool join, int timeout_ms)
{
    struct timespec until = worker_timespec(lf__monotonic_ns() + (uint64_t)timeout_ms * 1000000u);
    pthread_mutex_lock(&worker.lock);
    if (!worker.running || worker.stop) {
        pthread_mutex_unlock(&worker.lock);
        return;
    }
    worker.stop = true;
    worker_wake_locked();
    if (!join)
        while (!worker.stopped && pthread_cond_timedwait(&worker.to_callers, &worker.lock, &until) != ETIMEDOUT)
            continue;
    bool ends = join || worker.stopped; /* without waiting for anything any more */
    pthread_mutex_unlock(&worker.lock);
    if (ends)
        pthread_join(worker.thread, NULL);
    if (!join)
        return;
    pthread_mutex_lock(&worker.lock);
    worker.running = false;
    lf__export_free(worker.exporter);
    lf__transport_done(&worker.transport);
    lf__pending_free(worker.pending);
    worker.exporter = NULL;
    worker.pending = NULL;
    worker.config = NULL;
    atomic_store_explicit(&lf__worker_budget.worker, 0, memory_order_relaxed);
    pthread_mutex_unlock(&worker.lock);
}

void lf__worker_before_fork(void)
{
    pthread_mutex_lock(&worker.lock);
}

void lf__worker_after_fork_parent(void)
{
    pthread_mutex_unlock(&worker.lock);
}

void lf__worker_after_fork_child(void)
{
    pthread_mutex_init(&worker.lock, NULL);
    worker.conditions_ready = false;
    /* The worker may have been changing them when the process was copied, and the connections are the parent's: they are
     * left alone, neither used nor freed. */
    if (worker.pending != NULL) {
        unsigned at = worker.generation++ % WORKER_GENERATIONS;
        worker.inherited[at] = worker.pending;
        worker.inherited_exporter[at] = worker.exporter;
        worker.inherited_http[at] = atomic_load_explicit(&worker.transport.http, memory_order_relaxed);
    }
    atomic_store_explicit(&worker.transport.http, NULL, memory_order_relaxed);
    worker.exporter = NULL;
    worker.pending = NULL;
    worker.copies = NULL;
    worker.running = worker.stop = worker.stopped = false;
    worker.dropped_reported = 0;
    atomic_store_explicit(&lf__worker_waiting, LF__WORKER_IDLE, memory_order_relaxed);
    atomic_store_explicit(&lf__worker_budget.rings, 0, memory_order_relaxed);
    atomic_store_explicit(&lf__worker_budget.worker, 0, memory_order_relaxed);
    atomic_store_explicit(&lf__worker_accepted, 0, memory_order_relaxed);
    lf__counters none = {0};
    lf__worker_counters = none;
}
