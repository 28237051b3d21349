#define _GNU_SOURCE
#include "worker.h"

#include "../base/guest.h"
#include "../base/once.h"
#include "../base/own_threads.h"
#include "../base/value.h"
#include "../observe/capture.h"
#include "http.h"
#include "lanes.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    /* Of membarrier(2). Not every C library comes with the kernel's headers. */
    WORKER_MEMBARRIER = 1 << 3,
    WORKER_MEMBARRIER_REGISTER = 1 << 4,
    WORKER_DEFAULT_TIMEOUT_MS = 2000,
    WORKER_STACK_BYTES = 1 << 20,
    /* Without membarrier: how long a store of another thread may stay unseen, generously. */
    WORKER_SETTLE_MS = 20,
    WORKER_LOOK_MS = 100,  /* without the main thread: between two looks for other threads */
    WORKER_RETRY_MS = 1000, /* between two tries to create the thread */
    WORKER_ROUNDS = 64,     /* of work that is due at once, before a pump returns to the program */
    WORKER_BUSY_MS = 10     /* to the next try, while another thread pumps */
};

typedef struct worker_copy {
    struct worker_copy *next;
    lf__record *record;
} worker_copy;

/* Lies on the stack of the asking thread, which takes it off the list before it returns. */
typedef struct worker_question {
    struct worker_question *next;
    uint32_t client;
    const uint8_t *trace_id;
    uint64_t round; /* it was asked in this one: only the next one begins with emptying the rings after it */
    bool answered;
    lf_status status;
    char *text;
} worker_question;

typedef enum worker_state { WORKER_NONE, WORKER_RUNS, WORKER_STOPS } worker_state;

/* Guarded by `lock`, except what only the worker's thread touches. User callbacks never run with it held. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t to_worker;
    pthread_cond_t to_callers;
    bool conditions_ready;
    pthread_t thread;
    bool joinable; /* somebody is still to join it */
    bool wanted;   /* it was started and not stopped: the child of a fork starts it again */
    worker_state state;
    bool again;        /* it was started again while it stopped: then it goes on */
    bool keeps_memory; /* at exit, where there is no time to give it back */
    uint64_t ends;     /* how often it has stopped */
    _Atomic int exits; /* the process ends: nobody waits for a server that is not there */
    _Atomic int main_left; /* the main thread has ended, the process not */
    bool is_pumped;        /* without a thread: threads of the program that wait for us, or call lf_poll, do the work */
    bool pumping;          /* `thread` is at it */
    int event;             /* is_pumped: readable when there is something to do */
    dev_t event_dev;       /* by which it is known again */
    ino_t event_ino;
    uint64_t pump_due_ns;  /* when, without being asked */
    uint64_t retry_ns; /* no earlier is a thread asked for again that could not be created */
    uint64_t flush_wanted;
    uint64_t flush_done;
    worker_copy *copies;
    worker_question *questions;
    uint64_t round; /* of the worker's loop */
    uint64_t dropped_reported; /* total of drops that a flush has told */
    uint64_t changes_wanted; /* of clients, and how many of them the worker has taken over */
    uint64_t changes_done;
    _Atomic int clients_changed; /* whole words are what every machine exchanges without a library */

    lf__lanes *lanes;           /* NULL before the first start */
    lf__lanes *lanes_of_parent; /* in the child of a fork: left alone */

    /* The worker's own. */
    uint64_t flush_active; /* ticket being worked on, 0 for none */
    uint64_t pages_ns;     /* when to give memory of the rings back; 0: there is none */
    bool has_membarrier;
} worker = {.lock = PTHREAD_MUTEX_INITIALIZER, .event = -1};

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

/* A program may have closed all descriptors, and have a file of its own under this number. */
static bool worker_has_event(void)
{
    struct stat status;
    return worker.event >= 0 && fstat(worker.event, &status) == 0 && status.st_dev == worker.event_dev &&
           status.st_ino == worker.event_ino;
}

/* Tell the program's event loop. */
static void worker_raise_event(void)
{
    uint64_t one = 1;
    if (worker_has_event())
        (void)!write(worker.event, &one, sizeof one); /* it is non-blocking; one that is full is readable */
}

static void worker_wake_locked(void)
{
    int waiting = atomic_exchange_explicit(&lf__worker_waiting, LF__WORKER_BUSY, memory_order_relaxed);
    worker.pump_due_ns = 0;
    if (worker.is_pumped && !worker.pumping)
        worker_raise_event();
    else if (waiting == LF__WORKER_IN_POLL)
        lf__http_wakeup(lf__lanes_http(worker.lanes));
    else if (waiting != LF__WORKER_BUSY)
        pthread_cond_signal(&worker.to_worker);
}

void lf__worker_wake(void)
{
    LF__KEEP_ERRNO;
    pthread_mutex_lock(&worker.lock);
    if (worker.state != WORKER_NONE)
        worker_wake_locked();
    pthread_mutex_unlock(&worker.lock);
}

void lf__worker_call(void)
{
    LF__AS_GUEST(guest);
    lf__worker_ensure(false);
    lf__worker_wake();
}

__attribute__((noinline, cold)) void lf__worker_heed_now(lf__segment *segment)
{
    segment->wakes = false;
    lf__worker_call();
}

static bool worker_anything_published(void)
{
    for (lf__segment *s = atomic_load_explicit(&lf__segments, memory_order_acquire); s != NULL; s = s->next)
        if (atomic_load_explicit(&s->published, memory_order_acquire) != atomic_load_explicit(&s->consumed, memory_order_relaxed))
            return true;
    return false;
}

static bool worker_has_requests(uint64_t flushed)
{
    bool asked = false;
    for (const worker_question *question = worker.questions; question != NULL; question = question->next)
        asked |= !question->answered;
    return asked || worker.state == WORKER_STOPS || worker.flush_wanted > flushed || worker.copies != NULL;
}

/* How long until then, rounded up; a minute when there is no deadline. */
static int worker_ms_until(uint64_t deadline_ns)
{
    uint64_t now = lf__monotonic_ns(), minute = 60000000000u;
    if (deadline_ns <= now)
        return 0;
    return deadline_ns - now > minute ? 60000 : (int)((deadline_ns - now) / 1000000u + 1);
}

/* 0: every running thread of the process has executed a fence. */
static int worker_membarrier(int command)
{
#ifdef SYS_membarrier
    return (int)syscall(SYS_membarrier, command, 0, 0);
#else
    (void)command;
    return -1;
#endif
}

/* The newest ticket that is done, or being worked on. */
static uint64_t worker_known_flush(void)
{
    return worker.flush_active != 0 ? worker.flush_active : worker.flush_done;
}

/* Say that it sleeps, so that observing threads wake it. False: there is something to do. *out_settles: a thread may have
 * published a record that is not seen yet. */
static bool worker_fall_asleep(int kind, bool *out_settles)
{
    pthread_mutex_lock(&worker.lock);
    atomic_store_explicit(&lf__worker_waiting, worker_has_requests(worker_known_flush()) ? LF__WORKER_BUSY : kind,
                          memory_order_relaxed);
    pthread_mutex_unlock(&worker.lock);
    *out_settles = false;
    atomic_thread_fence(memory_order_seq_cst);
    /* A thread that reached flush_at meanwhile saw us busy and left us alone. */
    bool more = kind == LF__WORKER_TIMED && atomic_load_explicit(&lf__worker_asked, memory_order_relaxed);
    if (kind == LF__WORKER_IDLE) {
        /* An observing thread publishes a record and then reads lf__worker_waiting, without a fence between. The barrier
         * makes every running thread execute one: either it sees that we sleep, or we see its record. */
        *out_settles = !worker.has_membarrier || worker_membarrier(WORKER_MEMBARRIER) != 0;
        more = worker_anything_published();
    }
    if (more)
        atomic_store_explicit(&lf__worker_waiting, LF__WORKER_BUSY, memory_order_relaxed);
    return !more;
}

/* With the lock held. False: the time is over. */
static bool worker_await_wake(uint64_t until_ns)
{
    struct timespec until = worker_timespec(until_ns);
    int result = 0;
    while (atomic_load_explicit(&lf__worker_waiting, memory_order_relaxed) != LF__WORKER_BUSY && result != ETIMEDOUT)
        result = until_ns == 0 ? pthread_cond_wait(&worker.to_worker, &worker.lock)
                               : pthread_cond_timedwait(&worker.to_worker, &worker.lock, &until);
    return result != ETIMEDOUT;
}

/* True: asleep for so long that every record which was on its way has arrived, and there was none. */
static bool worker_settle(void)
{
    return !worker_await_wake(lf__monotonic_ns() + WORKER_SETTLE_MS * 1000000u) && !worker_anything_published();
}

/* Sleep on the condition until woken or `until_ns` (0: for ever). */
static void worker_sleep(int kind, uint64_t until_ns, lf__guest *guest)
{
    bool settles;
    if (!worker_fall_asleep(kind, &settles))
        return;
    if (guest != NULL)
        lf__guest_restore_signals(guest);
    pthread_mutex_lock(&worker.lock);
    if (!settles || worker_settle())
        (void)worker_await_wake(until_ns);
    atomic_store_explicit(&lf__worker_waiting, LF__WORKER_BUSY, memory_order_relaxed);
    pthread_mutex_unlock(&worker.lock);
    if (guest != NULL)
        lf__guest_block_signals(guest);
}

/* End the thread instead of sleeping for ever. True: it ends. A record that ends from now on starts another one. */
static bool worker_retire(void)
{
    bool settles;
    if (!worker_fall_asleep(LF__WORKER_IDLE, &settles))
        return false;
    pthread_mutex_lock(&worker.lock);
    bool ends = worker.state == WORKER_RUNS && (!settles || worker_settle()) &&
                atomic_load_explicit(&lf__worker_waiting, memory_order_relaxed) == LF__WORKER_IDLE;
    if (ends) {
        worker.state = WORKER_NONE;
        worker.ends++;
        pthread_cond_broadcast(&worker.to_callers);
    } else {
        atomic_store_explicit(&lf__worker_waiting, LF__WORKER_BUSY, memory_order_relaxed);
    }
    pthread_mutex_unlock(&worker.lock);
    return ends;
}

/* Let transfers go on until `until_ns`. On a thread of the program its signals are taken meanwhile. */
static void worker_poll(lf__http *http, uint64_t until_ns, lf__guest *guest)
{
    pthread_mutex_lock(&worker.lock);
    bool requests = worker_has_requests(worker_known_flush());
    atomic_store_explicit(&lf__worker_waiting, LF__WORKER_IN_POLL, memory_order_relaxed);
    pthread_mutex_unlock(&worker.lock);
    LF__FENCE(memory_order_seq_cst);
    requests |= atomic_load_explicit(&lf__worker_asked, memory_order_relaxed); /* by a thread that saw us busy */
    int timeout_ms = requests ? 0 : worker_ms_until(until_ns);
    if (guest != NULL && timeout_ms > 0) {
        lf__http_poll(http, 0);
        lf__guest_restore_signals(guest);
        lf__http_wait(http, timeout_ms);
        lf__guest_block_signals(guest);
        timeout_ms = 0;
    }
    lf__http_poll(http, timeout_ms);
    atomic_store_explicit(&lf__worker_waiting, LF__WORKER_BUSY, memory_order_relaxed);
}

/* ---- Clients ---- */

static void worker_update_clients(void)
{
    if (atomic_exchange(&worker.clients_changed, 0) == 0)
        return;
    pthread_mutex_lock(&worker.lock);
    uint64_t changes = worker.changes_wanted;
    pthread_mutex_unlock(&worker.lock);
    lf__lanes_update(worker.lanes);
    pthread_mutex_lock(&worker.lock);
    worker.changes_done = changes;
    pthread_cond_broadcast(&worker.to_callers);
    pthread_mutex_unlock(&worker.lock);
}

/* ---- Taking records in ---- */

static void worker_take_copies(void)
{
    pthread_mutex_lock(&worker.lock);
    worker_copy *copy = worker.copies;
    worker.copies = NULL;
    pthread_mutex_unlock(&worker.lock);
    while (copy != NULL) {
        worker_copy *next = copy->next;
        lf__lanes_take_copy(worker.lanes, copy->record);
        lf__free(copy->record);
        lf__free(copy);
        copy = next;
    }
}

/* ---- Flush and stop ---- */

/* The tickets that this round is to work on. */
static uint64_t worker_begin_round(void)
{
    pthread_mutex_lock(&worker.lock);
    worker.round++;
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
    lf__lanes_begin_flush(worker.lanes);
}

/* Has all been delivered or dropped that the flush concerns? */
static void worker_end_flush(void)
{
    if (worker.flush_active == 0 || !lf__lanes_are_flushed(worker.lanes, atomic_load(&worker.exits) != 0))
        return;
    pthread_mutex_lock(&worker.lock);
    worker.flush_done = worker.flush_active;
    worker.flush_active = 0;
    pthread_cond_broadcast(&worker.to_callers);
    pthread_mutex_unlock(&worker.lock);
}

static void worker_answer(void)
{
    pthread_mutex_lock(&worker.lock);
    for (worker_question *question = worker.questions; question != NULL; question = question->next) {
        if (question->answered || question->round == worker.round)
            continue;
        question->status = lf__lanes_trace_text(worker.lanes, question->client, question->trace_id, &question->text);
        question->answered = true;
        pthread_cond_broadcast(&worker.to_callers);
    }
    pthread_mutex_unlock(&worker.lock);
}

static bool worker_should_stop(void)
{
    pthread_mutex_lock(&worker.lock);
    bool stop = worker.state == WORKER_STOPS;
    pthread_mutex_unlock(&worker.lock);
    return stop;
}

/* All records are dropped, and counted. */
static void worker_let_go(void)
{
    worker_take_copies();
    lf__lanes_let_go(worker.lanes);
}

/* True: the thread ends. False: it was started again meanwhile, perhaps with other clients. */
static bool worker_finish(void)
{
    pthread_mutex_lock(&worker.lock);
    bool keeps_memory = worker.keeps_memory, again = worker.again;
    pthread_mutex_unlock(&worker.lock);
    if (!again && !keeps_memory)
        lf__lanes_close(worker.lanes);
    pthread_mutex_lock(&worker.lock);
    again = worker.again;
    worker.again = false;
    worker.state = again ? WORKER_RUNS : WORKER_NONE;
    worker.ends++;
    worker.flush_active = 0;
    worker.flush_done = worker.flush_wanted;
    atomic_store(&worker.clients_changed, 1);
    lf__lanes_stop(worker.lanes, false);
    atomic_store_explicit(&lf__worker_waiting, again ? LF__WORKER_BUSY : LF__WORKER_IDLE, memory_order_relaxed);
    pthread_cond_broadcast(&worker.to_callers);
    pthread_mutex_unlock(&worker.lock);
    return !again;
}

/* Until a transfer moves, something is due, or for ever. `guest`: on a thread of the program. */
static void worker_wait(uint64_t due_ns, lf__guest *guest)
{
    uint64_t until_ns = worker.pages_ns != 0 && worker.pages_ns < due_ns ? worker.pages_ns : due_ns;
    lf__http *http = lf__lanes_http(worker.lanes);
    if (http != NULL && lf__http_running(http) != 0)
        worker_poll(http, until_ns, guest);
    else if (due_ns <= lf__monotonic_ns())
        return;
    else if (due_ns != UINT64_MAX)
        worker_sleep(LF__WORKER_TIMED, until_ns, guest);
    else
        worker_sleep(LF__WORKER_IDLE, worker.pages_ns, guest);
}

/* One round: take in what ended, start what is due, answer questions. Never waits. Returns when it wants to be called next at
 * the latest (monotonic; UINT64_MAX: when it is woken): worker_wait keeps to that, and lets transfers move meanwhile. */
static uint64_t worker_step(void)
{
    uint64_t wanted = worker_begin_round();
    atomic_store(&lf__worker_asked, false);
    lf__lanes_drain(worker.lanes);
    worker_take_copies();
    worker_update_clients(); /* after the records that were made before */
    worker_begin_flush(wanted);
    lf__lanes_send(worker.lanes, worker.flush_active != 0);
    worker_end_flush();
    worker_answer();
    worker.pages_ns = lf__lanes_give_back(worker.lanes);
    return lf__lanes_due_ns(worker.lanes, worker.flush_active != 0);
}

/* ---- Without the main thread ---- */

/* Are there no threads of the program any more? */
static bool worker_is_alone(void)
{
    lf__own_threads threads;
    return lf__own_threads_count(&threads) && threads.others == 0;
}

/* Send now, and until then at most: as long as exit would take. */
static uint64_t worker_hurry(void)
{
    atomic_store(&worker.exits, 1);
    return lf__monotonic_ns() + (uint64_t)lf__lanes_hurry(worker.lanes) * 1000000u;
}

static void worker_stop_self(void)
{
    pthread_mutex_lock(&worker.lock);
    worker.state = WORKER_STOPS;
    worker.wanted = false;
    worker.keeps_memory = true;
    pthread_mutex_unlock(&worker.lock);
}

/* A step's worth of waiting. True: the thread ends at once. *until_ns is 0 as long as the program has other threads. */
static bool worker_wait_without_main(uint64_t due_ns, uint64_t *until_ns)
{
    lf__http *http = lf__lanes_http(worker.lanes);
    if (due_ns == UINT64_MAX && (http == NULL || lf__http_running(http) == 0) && worker_retire())
        return true;
    uint64_t now = lf__monotonic_ns(), look_ns = now + WORKER_LOOK_MS * 1000000u;
    if (*until_ns == 0 && worker_is_alone())
        *until_ns = worker_hurry();
    else if (*until_ns != 0 && (now >= *until_ns || lf__lanes_are_hopeless(worker.lanes)))
        worker_stop_self();
    else
        worker_wait(due_ns < look_ns ? due_ns : look_ns, NULL);
    return false;
}

static void *worker_main(void *unused)
{
    (void)unused;
    uint64_t until_ns = 0;
    pthread_setname_np(pthread_self(), LF__THREAD_WORKER);
    worker.has_membarrier = worker_membarrier(WORKER_MEMBARRIER_REGISTER) == 0;
    do {
        while (!worker_should_stop()) {
            uint64_t due_ns = worker_step();
            if (atomic_load(&worker.main_left) == 0)
                worker_wait(due_ns, NULL);
            else if (worker_wait_without_main(due_ns, &until_ns))
                return NULL;
        }
        worker_let_go();
    } while (!worker_finish());
    return NULL;
}

/* ---- Without a thread ---- */

/* With the lock held: does this thread do the worker's work, as when a hook calls us? */
static bool worker_is_self(void)
{
    return worker.state != WORKER_NONE && (!worker.is_pumped || worker.pumping) && pthread_equal(worker.thread, pthread_self());
}

/* One round of a pump; it may be the last one. Returns as worker_step. */
static uint64_t worker_turn(void)
{
    if (!worker_should_stop())
        return worker_step();
    worker_let_go();
    (void)worker_finish();
    return UINT64_MAX;
}

static void worker_begin_pump_locked(void)
{
    worker.pumping = true;
    worker.thread = pthread_self();
    atomic_store_explicit(&lf__worker_waiting, LF__WORKER_BUSY, memory_order_relaxed);
}

/* From here on an ended record makes the event readable, as it would wake the thread. Returns when the next turn is due. */
static uint64_t worker_end_pump(uint64_t due_ns)
{
    bool settles = false, asleep = worker_fall_asleep(due_ns == UINT64_MAX ? LF__WORKER_IDLE : LF__WORKER_TIMED, &settles);
    uint64_t settled_ns = lf__monotonic_ns() + WORKER_SETTLE_MS * 1000000u;
    due_ns = !asleep ? 0 : settles && settled_ns < due_ns ? settled_ns : due_ns;
    pthread_mutex_lock(&worker.lock);
    worker.pumping = false;
    worker.pump_due_ns = due_ns;
    if (due_ns == 0)
        worker_raise_event();
    pthread_cond_broadcast(&worker.to_callers);
    pthread_mutex_unlock(&worker.lock);
    return due_ns;
}

/* With the lock held, a caller waits for the worker: on the condition, or by doing the work. False: the time is over. */
static bool worker_await(uint64_t until_ns)
{
    struct timespec until = worker_timespec(until_ns);
    if (!worker.is_pumped || worker.pumping || worker.state == WORKER_NONE)
        return pthread_cond_timedwait(&worker.to_callers, &worker.lock, &until) != ETIMEDOUT;
    uint64_t due_ns = worker.pump_due_ns < until_ns ? worker.pump_due_ns : until_ns;
    worker_begin_pump_locked();
    pthread_mutex_unlock(&worker.lock);
    LF__AS_GUEST(guest);
    lf__guest_block_signals(&guest);
    worker_wait(due_ns, &guest);
    (void)worker_end_pump(worker_turn());
    lf__guest_restore_signals(&guest);
    pthread_mutex_lock(&worker.lock);
    return lf__monotonic_ns() < until_ns;
}

static uint64_t worker_settled_total(void)
{
    uint64_t total = atomic_load_explicit(&lf__lanes_counters.delivered, memory_order_relaxed);
    for (int i = 0; i < LF_DROP_REASON_COUNT; i++)
        total += atomic_load_explicit(&lf__lanes_counters.dropped[i], memory_order_relaxed);
    return total;
}

/* All that can be done without waiting. */
static uint64_t worker_pump_rounds(void)
{
    uint64_t due_ns = 0;
    for (int i = 0; i < WORKER_ROUNDS && due_ns <= lf__monotonic_ns(); i++) {
        due_ns = worker_turn();
        lf__http *http = lf__lanes_http(worker.lanes);
        if (http != NULL && lf__http_running(http) != 0) {
            int running = lf__http_running(http);
            lf__http_poll(http, 0);
            due_ns = lf__http_running(http) != running ? 0 : due_ns; /* acted upon in a turn */
        }
    }
    return due_ns;
}

static void worker_clear_event(void)
{
    uint64_t count;
    if (worker_has_event())
        (void)!read(worker.event, &count, sizeof count);
}

/* Not later than then. */
static void worker_want_by(lf_poll_wants *wants, uint64_t due_ns)
{
    int due_ms = due_ns == UINT64_MAX ? -1 : worker_ms_until(due_ns);
    if (due_ms >= 0 && (wants->timeout_ms < 0 || due_ms < wants->timeout_ms))
        wants->timeout_ms = due_ms;
}

static void worker_tell_wants(lf_poll_wants *wants, uint64_t due_ns)
{
    enum { ROOM = sizeof wants->fds / sizeof *wants->fds };
    lf__http *http = lf__lanes_http(worker.lanes);
    bool all = true, has_event = worker_has_event();
    memset(wants, 0, sizeof *wants);
    wants->timeout_ms = -1;
    worker_want_by(wants, due_ns);
    if (has_event)
        wants->fds[wants->count++] = (struct pollfd){.fd = worker.event, .events = POLLIN};
    if (http != NULL && lf__http_running(http) != 0)
        all = lf__http_wants(http, wants->fds + wants->count, ROOM - wants->count, &wants->count, &wants->timeout_ms);
    if ((!all || !has_event) && (wants->timeout_ms < 0 || wants->timeout_ms > WORKER_BUSY_MS))
        wants->timeout_ms = WORKER_BUSY_MS; /* some cannot be waited for */
}

int lf__worker_poll(int timeout_ms, lf_poll_wants *out_wants)
{
    uint64_t until_ns = lf__monotonic_ns() + (uint64_t)(timeout_ms < 0 ? 0 : timeout_ms) * 1000000u;
    pthread_mutex_lock(&worker.lock);
    bool possible = worker.is_pumped && worker.state != WORKER_NONE, busy = possible && worker.pumping;
    if (possible && !busy)
        worker_begin_pump_locked();
    pthread_mutex_unlock(&worker.lock);
    if (busy && out_wants != NULL)
        *out_wants = (lf_poll_wants){.timeout_ms = WORKER_BUSY_MS};
    if (!possible || busy)
        return busy ? 0 : LF_ERR_ARGUMENT;
    LF__AS_GUEST(guest);
    lf__guest_block_signals(&guest);
    worker_clear_event();
    uint64_t before = worker_settled_total(), due_ns = worker_pump_rounds();
    if (timeout_ms > 0 && worker_settled_total() == before) {
        worker_wait(due_ns < until_ns ? due_ns : until_ns, &guest);
        due_ns = worker_pump_rounds();
    }
    if (out_wants != NULL)
        worker_tell_wants(out_wants, due_ns); /* before another thread may be at the transfers */
    due_ns = worker_end_pump(due_ns);
    if (out_wants != NULL)
        worker_want_by(out_wants, due_ns);
    uint64_t settled = worker_settled_total() - before;
    lf__guest_restore_signals(&guest);
    return settled > INT32_MAX ? INT32_MAX : (int)settled;
}

void lf__worker_set_pumped(bool is_pumped)
{
    pthread_mutex_lock(&worker.lock);
    if (worker.state == WORKER_NONE)
        worker.is_pumped = is_pumped;
    pthread_mutex_unlock(&worker.lock);
}

bool lf__worker_is_pumped(void)
{
    pthread_mutex_lock(&worker.lock);
    bool is_pumped = worker.is_pumped;
    pthread_mutex_unlock(&worker.lock);
    return is_pumped;
}

/* ---- Called by others ---- */

/* The thread that has ended, for its last owner to join outside of the lock: it has nothing left to do but to return. */
static bool worker_take_thread(pthread_t *out_thread)
{
    bool taken = worker.joinable && worker.state == WORKER_NONE;
    if (taken) {
        *out_thread = worker.thread;
        worker.joinable = false;
    }
    return taken;
}

static void worker_start_pumped_locked(void)
{
    worker.has_membarrier = worker_membarrier(WORKER_MEMBARRIER_REGISTER) == 0;
    struct stat status;
    if (!worker_has_event()) {
        worker.event = lf__above_standard(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
        bool ok = worker.event >= 0 && fstat(worker.event, &status) == 0;
        worker.event_dev = ok ? status.st_dev : 0;
        worker.event_ino = ok ? status.st_ino : 0;
    }
    worker.pump_due_ns = 0;
    worker_raise_event(); /* for records that ended before the start */
}

/* 0, or why there is no thread. */
static int worker_start_locked(void)
{
    worker.wanted = true;
    if (worker.state != WORKER_NONE) {
        worker.again = worker.state == WORKER_STOPS;
        return 0;
    }
    if (worker.lanes == NULL && (worker.lanes = lf__lanes_new(worker.lanes_of_parent)) == NULL)
        return ENOMEM;
    worker_init_conditions();
    worker.keeps_memory = false;
    worker.flush_active = 0;
    worker.flush_done = worker.flush_wanted;
    atomic_store_explicit(&lf__worker_waiting, LF__WORKER_BUSY, memory_order_relaxed);
    worker.state = WORKER_RUNS;
    if (worker.is_pumped) {
        worker_start_pumped_locked();
        return 0;
    }
    int error = lf__own_threads_start(&worker.thread, WORKER_STACK_BYTES, worker_main);
    if (error == 0) {
        worker.joinable = true;
        return 0;
    }
    worker.state = WORKER_NONE;
    worker.retry_ns = lf__monotonic_ns() + WORKER_RETRY_MS * 1000000u;
    atomic_store_explicit(&lf__worker_waiting, LF__WORKER_IDLE, memory_order_relaxed); /* the next record asks again */
    return error;
}

static lf_status worker_start(bool only_if_wanted, bool now)
{
    pthread_t ended;
    pthread_mutex_lock(&worker.lock);
    bool due = worker.state != WORKER_RUNS && (worker.wanted || !only_if_wanted) && (now || lf__monotonic_ns() >= worker.retry_ns);
    bool joins = due && worker_take_thread(&ended);
    pthread_mutex_unlock(&worker.lock);
    if (joins)
        pthread_join(ended, NULL);
    if (!due)
        return LF_OK;
    pthread_mutex_lock(&worker.lock);
    int error = worker.wanted || !only_if_wanted ? worker_start_locked() : 0;
    pthread_mutex_unlock(&worker.lock);
    if (error != 0 && lf__first_time(lf__cause(0, "no thread", NULL)))
        lf__client_tell(0, LF__LOG_ERROR, "no thread can be created (%s); what is observed waits, and it is tried again",
                        strerror(error));
    return error == 0 ? LF_OK : LF_ERR_MEMORY;
}

lf_status lf__worker_start(void)
{
    return worker_start(false, true);
}

void lf__worker_ensure(bool now)
{
    (void)worker_start(true, now);
}

void lf__worker_set_client(uint32_t index, lf__config *config)
{
    lf__client_set_sending(index, config);
    atomic_store_explicit(&lf__queue_budget.limit, lf__client_queue_bytes(), memory_order_relaxed);
    pthread_mutex_lock(&worker.lock);
    atomic_store(&worker.clients_changed, 1);
    worker.changes_wanted++;
    if (worker.state != WORKER_NONE)
        worker_wake_locked();
    pthread_mutex_unlock(&worker.lock);
}

void lf__worker_await_clients(uint64_t until_ns)
{
    pthread_mutex_lock(&worker.lock);
    uint64_t wanted = worker.changes_wanted;
    while (worker.state != WORKER_NONE && worker.changes_done < wanted && !worker_is_self() && worker_await(until_ns))
        continue;
    pthread_mutex_unlock(&worker.lock);
}

void lf__worker_barrier(void)
{
    if (worker_membarrier(WORKER_MEMBARRIER) != 0)
        atomic_thread_fence(memory_order_seq_cst); /* ours only: the other side may take a moment */
}

void lf__worker_submit(lf__record *record)
{
    worker_copy *copy = lf__alloc(sizeof *copy);
    lf__lanes_accept();
    if (copy == NULL) {
        lf__lanes_drop(LF_DROP_NO_MEMORY);
        lf__free(record);
        return;
    }
    copy->record = record;
    lf__lanes_copy_waits();
    pthread_mutex_lock(&worker.lock);
    copy->next = worker.copies;
    worker.copies = copy;
    pthread_mutex_unlock(&worker.lock);
}

static uint64_t worker_dropped_total(void)
{
    uint64_t total = 0;
    for (int i = 0; i < LF_DROP_REASON_COUNT; i++)
        total += atomic_load_explicit(&lf__lanes_counters.dropped[i], memory_order_relaxed);
    for (lf__segment *s = atomic_load_explicit(&lf__segments, memory_order_acquire); s != NULL; s = s->next)
        total += lf__segment_dropped(s);
    return total;
}

static lf_status worker_flush(int timeout_ms, bool tells)
{
    uint64_t until_ns = lf__monotonic_ns() + (uint64_t)(timeout_ms < 0 ? WORKER_DEFAULT_TIMEOUT_MS : timeout_ms) * 1000000u;
    lf_status status = LF_OK;
    pthread_mutex_lock(&worker.lock);
    if (worker.state == WORKER_NONE) {
        status = worker.wanted ? LF_ERR_MEMORY : LF_ERR_DISABLED; /* wanted: there is no thread to be had */
        pthread_mutex_unlock(&worker.lock);
        return status;
    }
    if (worker_is_self()) { /* in a hook: the worker itself cannot wait for the worker */
        pthread_mutex_unlock(&worker.lock);
        return LF_ERR_TIMEOUT;
    }
    uint64_t ticket = ++worker.flush_wanted;
    worker_wake_locked();
    while (worker.flush_done < ticket && status == LF_OK)
        if (!worker_await(until_ns) && worker.flush_done < ticket)
            status = LF_ERR_TIMEOUT;
    uint64_t dropped = worker_dropped_total();
    if (tells && status == LF_OK && dropped > worker.dropped_reported) {
        status = LF_ERR_LOST;
        worker.dropped_reported = dropped;
    }
    pthread_mutex_unlock(&worker.lock);
    return status;
}

lf_status lf__worker_flush(int timeout_ms)
{
    return worker_flush(timeout_ms, true);
}

lf_status lf__worker_send(int timeout_ms)
{
    return worker_flush(timeout_ms, false);
}

void lf__worker_send_at_exit(int timeout_ms)
{
    atomic_store(&worker.exits, 1);
    (void)worker_flush(timeout_ms, false);
}

lf_status lf__worker_trace_text(uint32_t client, const uint8_t trace_id[16], int timeout_ms, char **out_text)
{
    uint64_t until_ns = lf__monotonic_ns() + (uint64_t)timeout_ms * 1000000u;
    worker_question question = {.client = client, .trace_id = trace_id, .status = LF_OK};
    bool in_time = true;
    pthread_mutex_lock(&worker.lock);
    if (worker.state == WORKER_NONE) {
        pthread_mutex_unlock(&worker.lock);
        return LF_ERR_DISABLED;
    }
    question.round = worker.round;
    question.next = worker.questions;
    worker.questions = &question;
    worker_wake_locked();
    while (!question.answered && worker.state != WORKER_NONE && in_time)
        in_time = worker_await(until_ns);
    worker_question **link = &worker.questions;
    while (*link != &question)
        link = &(*link)->next;
    *link = question.next;
    pthread_mutex_unlock(&worker.lock);
    if (!question.answered)
        return in_time ? LF_ERR_DISABLED : LF_ERR_TIMEOUT;
    *out_text = question.text;
    return question.status;
}

bool lf__worker_stop(bool keeps_memory, uint64_t until_ns)
{
    pthread_t ended;
    pthread_mutex_lock(&worker.lock);
    worker.wanted = worker.again = false;
    if (worker.state == WORKER_RUNS) {
        worker.state = WORKER_STOPS;
        worker.keeps_memory = keeps_memory;
        lf__lanes_stop(worker.lanes, true);
        worker_wake_locked();
    }
    uint64_t ends = worker.ends;
    bool waits = worker.state == WORKER_STOPS && !worker_is_self();
    while (waits && worker.ends == ends && worker_await(until_ns))
        continue;
    bool is_over = worker.state == WORKER_NONE || worker.ends != ends, joins = worker_take_thread(&ended);
    pthread_mutex_unlock(&worker.lock);
    if (joins)
        pthread_join(ended, NULL);
    return is_over;
}

void lf__worker_main_left(void)
{
    atomic_store(&worker.main_left, 1);
    lf__worker_wake();
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
    if (worker.lanes != NULL)
        worker.lanes_of_parent = worker.lanes;
    worker.lanes = NULL;
    worker.copies = NULL;
    worker.questions = NULL; /* of threads that are no more */
    worker.state = WORKER_NONE;
    worker.joinable = worker.again = worker.pumping = false;
    if (worker_has_event())
        (void)close(worker.event); /* the parent's, too */
    worker.event = -1;
    worker.retry_ns = 0;
    atomic_store(&worker.exits, 0);
    atomic_store(&worker.main_left, 0); /* the thread that forked is the main one here */
    worker.dropped_reported = 0;
    atomic_store_explicit(&lf__worker_waiting, LF__WORKER_IDLE, memory_order_relaxed);
    atomic_store_explicit(&lf__queue_budget.rings, 0, memory_order_relaxed);
    atomic_store_explicit(&lf__queue_budget.worker, 0, memory_order_relaxed);
    lf__lanes_after_fork_child();
    atomic_store_explicit(&lf__left_out, 0, memory_order_relaxed);
    atomic_store_explicit(&lf__refused, 0, memory_order_relaxed);
}
