#define _GNU_SOURCE
#include "life.h"

#include "../ask/prompt_cache.h"
#include "../ask/rest.h"
#include "../base/guest.h"
#include "../base/monitor.h"
#include "../base/once.h"
#include "../base/own_threads.h"
#include "../deliver/http.h"
#include "../deliver/lanes.h"
#include "../deliver/worker.h"
#include "../model/call.h"
#include "../model/shadow.h"
#include "../observe/coroutine.h"
#include "../observe/handle.h"
#include "../observe/stack.h"

#include <dlfcn.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    LIFE_START_MS = 1000, /* the longest wait for another thread that starts us: its log hook may sleep */
    LIFE_TAKE_OVER_MS = 100, /* a mask hook may hold the worker */
    LIFE_STOP_MS = 2000,  /* lf_shutdown(-1) */
    LIFE_GRACE_MS = 50,   /* for the worker to drop its queues, when the time is over */
    LIFE_EXIT_GRACE_MS = 100,
    LIFE_FREE_CLIENT_MS = 2000
};

_Static_assert((int)LF__CONFIG_HANDLES == (int)LF__HANDLES, "config.h says how many handles there are");

/* Guarded by the monitor, which is told of each change. */
static struct {
    lf__monitor monitor;
    bool busy; /* `owner` is starting us, or makes a client */
    pthread_t owner;
    unsigned starts; /* tells a stop that it was overtaken by a start */
    int mode_on;     /* lf_i_mode_word while observing is on */
    bool has_hooks;  /* key and exit handler are in place; they are never taken back */
    bool exiting;    /* nothing starts any more */
    bool exited;     /* the exit handler has done its work */
} life = {.monitor = LF__MONITOR_INIT};

static void life_before_fork(void);
static void life_after_fork_parent(void);
static void life_after_fork_child(void);
static void life_at_exit(void);

static uint64_t life_until(int timeout_ms)
{
    return lf__monotonic_ns() + (uint64_t)timeout_ms * 1000000u;
}

static int life_ms_until(uint64_t until_ns)
{
    uint64_t now = lf__monotonic_ns();
    return now >= until_ns ? 0 : (int)((until_ns - now) / 1000000u);
}

static void life_set_mode(int mode)
{
    __atomic_store_n(&lf_i_mode_word, mode, __ATOMIC_RELAXED);
}

/* With the lock held. */
static void life_observe(bool capture_io)
{
    life.mode_on = capture_io ? LF_I_ON_CAPTURING : LF_I_ON;
    if (lf__mode() != LF_I_PAUSED)
        life_set_mode(life.mode_on);
}

/* ---- Watching forks ------------------------------------------------------------------------------------------------ */

enum { LIFE_WATCHES = -1 };
static _Atomic pid_t life_watch; /* 0; the process in which a thread registers the handlers; or LIFE_WATCHES */

/* A child must find no lock held and no change half done. */
bool lf__life_watch_forks(void)
{
    pid_t seen = atomic_load(&life_watch), self = seen == LIFE_WATCHES ? 0 : getpid();
    while (seen != LIFE_WATCHES) {
        if (seen == self) { /* another thread, in these microseconds */
            sched_yield();
            seen = atomic_load(&life_watch);
        } else if (atomic_compare_exchange_strong(&life_watch, &seen, self)) { /* it was 0, or a thread of the parent was at it */
            bool ok = pthread_atfork(life_before_fork, life_after_fork_parent, life_after_fork_child) == 0;
            atomic_store(&life_watch, ok ? LIFE_WATCHES : 0);
            return ok;
        }
    }
    return true;
}

/* ---- Changes: one thread at a time -------------------------------------------------------------------------------- */

static bool life_is_mine(void)
{
    return life.busy && pthread_equal(life.owner, pthread_self());
}

/* With the lock held: wait until no other thread starts us. False: it takes too long, or it is this thread, in a hook of ours. */
static bool life_await_others(uint64_t until_ns)
{
    while (life.busy && !life_is_mine() && lf__monitor_wait(&life.monitor, until_ns))
        continue;
    return !life.busy;
}

/* False: the process ends, or another thread takes too long. */
static bool life_begin_change(void)
{
    lf__monitor_lock(&life.monitor);
    bool ok = life_await_others(life_until(LIFE_START_MS)) && !life.exiting;
    if (ok) {
        life.busy = true;
        life.owner = pthread_self();
    }
    lf__monitor_unlock(&life.monitor);
    return ok;
}

static void life_end_change(void)
{
    lf__monitor_lock(&life.monitor);
    life.busy = false;
    lf__monitor_tell(&life.monitor);
    lf__monitor_unlock(&life.monitor);
}

/* ---- Start -------------------------------------------------------------------------------------------------------- */

#pragma weak dladdr /* C libraries before 2021 have them apart, which not every program links */
#pragma weak dlopen

/* Our code must outlive a plugin that it is part of: threads call us when they end. */
static void life_stay_loaded(void)
{
    Dl_info here;
    if (dladdr != NULL && dlopen != NULL && dladdr(&life, &here) != 0 && here.dli_fname != NULL)
        (void)dlopen(here.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}

/* A plugin and a program may each have a copy of us. That works, but traces do not pass from one to the other. */
static void life_tell_of_another_copy(const lf__config *config)
{
    lf__own_threads threads;
    if (!life.has_hooks && lf__own_threads_count(&threads) && threads.ours != 0)
        lf__log(&config->logger, LF__LOG_WARNING,
                "another copy of this library runs in this process; what one observes has no parents in"
                " the other. Link all of the program with one shared library");
}

/* With the lock that a fork takes: a child would inherit glibc's lock of exit handlers from a thread that holds it. */
static bool life_watch_exit(void)
{
    lf__monitor_lock(&life.monitor);
    bool ok = atexit(life_at_exit) == 0;
    lf__monitor_unlock(&life.monitor);
    return ok;
}

/* Exit handlers run last in, first out: ours before those of libcurl's TLS library. The one registered earlier finds nothing to do
 * then. False: the process ends. */
static bool life_set_up_http(void)
{
    static atomic_int watches;
    bool ok = lf__http_set_up();
    if (ok && atomic_exchange(&watches, 1) == 0)
        (void)life_watch_exit();
    return ok;
}

/* A thread that has observed ends. */
static void life_end_thread(void *segment)
{
    LF__KEEP_ERRNO;
    if (lf__stack_leave(segment))
        lf__worker_call();
}

static bool life_install_hooks(void)
{
    pthread_key_t key;
    if (life.has_hooks)
        return true;
    life_stay_loaded();
    if (pthread_key_create(&key, life_end_thread) != 0 || !life_watch_exit())
        return false;
    lf__stack_install(key);
    life.has_hooks = true;
    return true;
}

/* What the observing path knows of a client. */
static void life_set_sampling(uint32_t client, bool on, uint64_t threshold)
{
    atomic_store_explicit(&lf__client_on[client], on, memory_order_relaxed);
    atomic_store_explicit(&lf__client_threshold[client], threshold, memory_order_relaxed);
}

static bool life_any_is_on(void)
{
    for (uint32_t i = 0; i < LF__CLIENTS; i++)
        if (lf__client_is_on(i))
            return true;
    return false;
}

/* Let observing begin for a client whose configuration is in its place. The first one that is on decides what holds for the
 * process: how much is captured, and when the worker is woken. */
static lf_status life_switch_on(uint32_t client, lf__config *config)
{
    life_set_sampling(client, false, 0);
    if (!config->enabled)
        return LF_ERR_DISABLED;
    bool decides = !lf__is_started() || client == 0;
    if (decides) {
        lf__capture_set_limits(config->record_bytes);
        lf__handles_set_limits(config->handles, config->handle_bytes);
        atomic_store_explicit(&lf__flush_at, config->flush_at, memory_order_relaxed);
        if (lf__thread != NULL)
            lf__submit_set_wake(lf__thread); /* other threads count to the old number once more */
    }
    if (config->file_path == NULL && !life_set_up_http())
        return LF_ERR_DISABLED; /* the process ends */
    if (client == 0)
        lf__worker_set_pumped(config->is_pumped);
    lf__worker_set_client(client, config);
    lf_status status = lf__worker_start();
    lf__worker_await_clients(life_until(LIFE_TAKE_OVER_MS)); /* records that ended before go to the place before */
    lf__monitor_lock(&life.monitor);
    bool ok = !life.exiting;
    if (ok) {
        life_set_sampling(client, true, config->sample_threshold);
        if (decides)
            life_observe(config->capture_io);
    }
    lf__monitor_unlock(&life.monitor);
    return ok ? status : LF_ERR_DISABLED; /* without a thread, records wait for one */
}

/* The project that the default client is of. */
static uint64_t life_project(const lf__config *config)
{
    return lf__cause(0, config->base_url == NULL ? "" : config->base_url, config->public_key);
}

static lf_status life_start_default(const lf_options *options)
{
    static uint64_t project; /* 0: none so far */
    lf__config *config = lf__config_new(options);
    if (config != NULL)
        life_tell_of_another_copy(config);
    if (config == NULL || !life_install_hooks()) {
        lf__config_free(config);
        return LF_ERR_MEMORY;
    }
    lf__client_epoch += project != 0 && project != life_project(config);
    project = life_project(config);
    lf__config_free(lf__client_exchange(0, lf__config_ref(config)));
    lf_status status = life_switch_on(0, config);
    lf__config_free(config);
    return status;
}

/* The log hook of the default client, NULL for none. */
static lf__log_hook life_log_hook(void **out_data)
{
    lf__config *config = lf__client_config(0);
    *out_data = NULL;
    lf__log_hook log = config == NULL ? NULL : lf__gate_log(config->gate, out_data);
    lf__config_free(config);
    return log;
}

/* After a shutdown the other clients start again with the default one. */
static void life_start_others(void)
{
    void *log_data;
    lf__log_hook log = life_log_hook(&log_data);
    for (uint32_t i = 1; i < lf__client_count(); i++) {
        lf__config *config = lf__client_config(i);
        if (config != NULL) {
            if (config->follows_log)
                lf__gate_set_log(config->gate, log, log_data); /* the one before may be gone */
            lf__gate_open(config->gate);
            (void)life_switch_on(i, config);
        }
        lf__config_free(config);
    }
}

/* A stop in another thread leaves alone what is started from here on. */
static void life_overtake(void)
{
    lf__monitor_lock(&life.monitor);
    life.starts++;
    lf__monitor_unlock(&life.monitor);
}

static lf_status life_start_now(const lf_options *options)
{
    if (lf__is_started() && lf__client_is_on(0))
        return LF_OK;
    life_overtake();
    lf_status status = life_start_default(options);
    life_start_others();
    if (!lf__is_started() || !life_any_is_on())
        life_set_mode(LF_I_OFF);
    return status;
}

lf_status lf__life_start(const lf_options *options, bool only_if_unknown)
{
    if (!lf__life_watch_forks())
        return LF_ERR_MEMORY;
    if (!life_begin_change())
        return LF_ERR_DISABLED;
    lf_status status = only_if_unknown && lf__mode() != LF_I_UNKNOWN ? LF_OK : life_start_now(options);
    life_end_change();
    return status;
}

void lf__life_set_tracing(bool on)
{
    lf__monitor_lock(&life.monitor);
    if (on && lf__mode() == LF_I_PAUSED)
        life_set_mode(life.mode_on);
    else if (!on && lf__mode() >= LF_I_ON)
        life_set_mode(LF_I_PAUSED);
    lf__monitor_unlock(&life.monitor);
}

lf__config *lf__life_ask(uint32_t client)
{
    if (lf__mode() == LF_I_UNKNOWN)
        (void)lf__life_start(NULL, true);
    lf__config *config = lf__client_config(client);
    if (config != NULL && config->authorization != NULL)
        (void)life_set_up_http();
    return config;
}

bool lf__life_ask_elsewhere(void)
{
    return lf__life_watch_forks() && life_set_up_http();
}

/* ---- Stop --------------------------------------------------------------------------------------------------------- */

/* What this thread and all handles have open is sent, marked. */
static void life_interrupt_own_and_handles(uint64_t now)
{
    lf__segment *segment = lf__stack_here();
    if (segment == NULL)
        return;
    lf__stack_abandon_above(segment, 0, now, LF__FLAG_INTERRUPTED);
    lf__handles_end_all(segment, now, LF__FLAG_INTERRUPTED);
}

/* Is there something to stop? *out_starts tells life_switch_off and life_take_clients of a start since. */
static bool life_may_stop(uint64_t until_ns, unsigned *out_starts)
{
    lf__monitor_lock(&life.monitor);
    bool on = life_await_others(until_ns) && !life.exiting && lf__is_started();
    *out_starts = life.starts;
    lf__monitor_unlock(&life.monitor);
    return on;
}

/* Switch observing off, unless another thread has done so, or has started us again. */
static bool life_switch_off(unsigned starts)
{
    lf__monitor_lock(&life.monitor);
    bool mine = !life.exiting && life.starts == starts && lf__is_started();
    if (mine)
        life_set_mode(LF_I_OFF);
    lf__monitor_unlock(&life.monitor);
    return mine;
}

/* Take the clients from the worker; the default one loses its configuration, and with it its keys. False: another thread has
 * started us again, or the process ends. `out_configs` is for life_close_gates. */
static bool life_take_clients(unsigned starts, lf__config *out_configs[LF__CLIENTS])
{
    uint32_t count = lf__client_count();
    for (uint32_t i = 0; i < count; i++)
        out_configs[i] = lf__client_config(i);
    lf__monitor_lock(&life.monitor);
    bool mine = !life.exiting && life.starts == starts;
    for (uint32_t i = 0; mine && i < count; i++) {
        life_set_sampling(i, false, 0);
        lf__worker_set_client(i, NULL);
    }
    lf__monitor_unlock(&life.monitor);
    if (mine)
        lf__config_free(lf__client_exchange(0, NULL));
    return mine;
}

/* From here on no hook is called. */
static void life_close_gates(lf__config *configs[LF__CLIENTS], bool close, uint64_t until_ns)
{
    for (uint32_t i = 0; i < LF__CLIENTS; i++) {
        if (configs[i] != NULL && close)
            (void)lf__gate_close(configs[i]->gate, until_ns);
        lf__config_free(configs[i]);
    }
}

lf_status lf__life_stop(int timeout_ms)
{
    uint64_t until_ns = life_until(timeout_ms < 0 ? LIFE_STOP_MS : timeout_ms);
    unsigned starts;
    if (!life_may_stop(until_ns, &starts))
        return LF_ERR_DISABLED;
    life_interrupt_own_and_handles(lf__monotonic_ns());
    if (!life_switch_off(starts))
        return LF_ERR_DISABLED;
    lf__worker_ensure(true);
    lf_status status = lf__worker_flush(life_ms_until(until_ns));
    lf__config *configs[LF__CLIENTS] = {NULL};
    bool mine = life_take_clients(starts, configs);
    uint64_t end_ns = until_ns + LIFE_GRACE_MS * 1000000u;
    if (mine)
        (void)lf__worker_stop(false, end_ns);
    life_close_gates(configs, mine, end_ns);
    return status;
}

/* ---- Clients ------------------------------------------------------------------------------------------------------ */

/* Options of a further client. Without a log of its own it uses the one that the default client has. */
static lf_options life_own_options(const lf_options *options, bool *out_follows_log)
{
    lf_options own = lf__options_read(options);
    *out_follows_log = own.log == NULL;
    if (own.log == NULL)
        own.log = life_log_hook(&own.log_data);
    return own;
}

static uint32_t life_add_client(const lf_options *options)
{
    bool follows_log;
    const lf_options own = life_own_options(options, &follows_log);
    lf__config *config = lf__config_new(&own);
    if (config == NULL || !life_install_hooks()) {
        lf__config_free(config);
        return LF__CLIENT_NONE;
    }
    config->follows_log = follows_log;
    config->logger.has_hook |= follows_log;
    uint32_t client = lf__client_add(lf__config_ref(config));
    if (client == LF__CLIENT_NONE) {
        lf__log(&config->logger, LF__LOG_ERROR, "no more than %d clients can be made in one process; this one sends nothing",
                LF__CLIENT_NONE - 1);
        lf__config_free(config);
    } else {
        (void)life_switch_on(client, config);
    }
    lf__config_free(config);
    return client;
}

uint32_t lf__life_add_client(const lf_options *options)
{
    (void)lf__life_start(NULL, true); /* the default client first: what names no client must not come here */
    if (!life_begin_change())
        return LF__CLIENT_NONE;
    uint32_t client = life_add_client(options);
    life_end_change();
    return client;
}

/* Its configuration; NULL: it had none. A start in another thread, which starts all clients, comes before or after. */
static lf__config *life_take_client(uint32_t client)
{
    bool alone = life_begin_change(); /* false: in a hook of ours, behind one that sleeps, or at exit */
    life_set_sampling(client, false, 0);
    lf__worker_set_client(client, NULL);
    lf__config *config = lf__client_exchange(client, NULL);
    lf__monitor_lock(&life.monitor);
    if (lf__is_started() && !life_any_is_on())
        life_set_mode(LF_I_OFF);
    lf__monitor_unlock(&life.monitor);
    if (alone)
        life_end_change();
    return config;
}

void lf__life_remove_client(uint32_t client)
{
    uint64_t until_ns = life_until(LIFE_FREE_CLIENT_MS);
    life_set_sampling(client, false, 0);
    if (lf__is_started()) {
        lf__worker_ensure(true);
        (void)lf__worker_send(life_ms_until(until_ns));
    }
    lf__config *config = life_take_client(client);
    if (config != NULL)
        (void)lf__gate_close(config->gate, until_ns);
    lf__config_free(config);
}

/* ---- Exit --------------------------------------------------------------------------------------------------------- */

/* Copies of what other threads have open go to the worker, innermost first, marked as interrupted. */
static void life_interrupt_others(uint64_t now)
{
    for (lf__segment *s = atomic_load_explicit(&lf__segments, memory_order_acquire); s != NULL; s = s->next) {
        uint32_t offset;
        if (s == lf__thread || atomic_load_explicit(&s->state, memory_order_acquire) != LF__SEGMENT_IN_USE)
            continue;
        uint8_t *copy = lf__segment_snapshot(s, &offset);
        while (copy != NULL && offset != 0) {
            const lf__frame *frame = lf__frame_at(copy, offset);
            bool is_sent = frame->kind == LF__FRAME_OBSERVATION && (frame->record.flags & LF__FLAG_UNSAMPLED) == 0;
            lf__record *record = is_sent ? lf__alloc(lf__frame_record_size(frame)) : NULL;
            if (record != NULL) {
                lf__frame_copy_record(record, copy, frame);
                record->end_ns = now;
                record->flags |= LF__FLAG_INTERRUPTED;
                lf__worker_submit(record);
            }
            offset = frame->below;
        }
        lf__free(copy);
    }
}

/* The longest that any client wants. */
static int life_exit_timeout_ms(void)
{
    long longest = 0;
    for (uint32_t i = 0; i < lf__client_count(); i++) {
        lf__config *config = lf__client_hold(i);
        if (config != NULL && config->exit_timeout_ms > longest)
            longest = config->exit_timeout_ms;
        lf__config_free(config);
    }
    return (int)longest;
}

/* True: this call of the exit handler does the work. */
static bool life_begin_exit(void)
{
    uint64_t until_ns = life_until(LIFE_START_MS);
    lf__monitor_lock(&life.monitor);
    while (life.exiting && !life.exited && !pthread_equal(life.owner, pthread_self()) && lf__monitor_wait(&life.monitor, until_ns))
        continue; /* another thread has begun to */
    bool mine = !life.exiting && (!life_await_others(life_until(LIFE_START_MS / 2)) || lf__is_started());
    if (mine) {
        life.exiting = true;
        life.owner = pthread_self();
    }
    lf__monitor_unlock(&life.monitor);
    return mine;
}

static void life_exit(void)
{
    uint64_t now = lf__monotonic_ns();
    int timeout_ms = life_exit_timeout_ms();
    life_interrupt_own_and_handles(now);
    life_set_mode(LF_I_OFF);
    lf__worker_barrier(); /* from here on, records of other threads are ignored, or were in their rings before */
    life_interrupt_others(now);
    if (lf__lanes_queued() != 0 && timeout_ms > 0 && lf__worker_start() == LF_OK)
        lf__worker_send_at_exit(timeout_ms);
    /* The exit handlers of TLS libraries come after this: the worker must be out of them. */
    uint64_t until_ns = now + (uint64_t)timeout_ms * 1000000u, grace_ns = lf__monotonic_ns() + LIFE_EXIT_GRACE_MS * 1000000u;
    (void)lf__worker_stop(true, until_ns > grace_ns ? until_ns : grace_ns);
}

/* Also called when a host exits from the middle of anything, a hook of ours included: nothing here waits without a limit. */
static void life_at_exit(void)
{
    if (life_begin_exit()) {
        if (lf__is_started())
            life_exit();
        lf__monitor_lock(&life.monitor);
        life.exited = true;
        lf__monitor_tell(&life.monitor);
        lf__monitor_unlock(&life.monitor);
    }
    lf__prompts_stop();
    lf__rest_stop();
}

/* ---- The end of the main thread ----------------------------------------------------------------------------------- */

/* pthread_exit in main runs this, exit does not. */
static void life_main_left(void *unused)
{
    (void)unused;
    lf__worker_main_left();
}

/* Constructors run on the main thread, unless we are loaded later: then a program that leaves main by pthread_exit keeps our thread. */
static __attribute__((constructor)) void life_watch_main(void)
{
    pthread_key_t key;
    if (syscall(SYS_gettid) == getpid() && pthread_key_create(&key, life_main_left) == 0)
        (void)pthread_setspecific(key, &life);
}

/* ---- Fork --------------------------------------------------------------------------------------------------------- */

static void life_before_fork(void)
{
    lf__http_before_fork();
    lf__monitor_lock(&life.monitor);
    lf__prompts_before_fork();
    lf__rest_before_fork();
    lf__calls_before_fork();
    lf__client_before_fork();
    lf__worker_before_fork();
    lf__site_lock();
    lf__gate_before_fork();
    lf__shadow_before_fork();
}

static void life_after_fork_parent(void)
{
    lf__shadow_after_fork_parent();
    lf__gate_after_fork_parent();
    lf__site_unlock();
    lf__worker_after_fork_parent();
    lf__client_after_fork_parent();
    lf__calls_after_fork_parent();
    lf__rest_after_fork_parent();
    lf__prompts_after_fork_parent();
    lf__monitor_unlock(&life.monitor);
    lf__http_after_fork_parent();
}

static void life_after_fork_child(void)
{
    atomic_store(&life_watch, LIFE_WATCHES); /* they are registered: they run */
    lf__shadow_after_fork_child();
    lf__gate_after_fork_child();
    lf__site_unlock();
    lf__worker_after_fork_child();
    lf__client_after_fork_child();
    lf__calls_after_fork_child();
    lf__rest_after_fork_child();
    lf__prompts_after_fork_child();
    lf__monitor_after_fork_child(&life.monitor);
    life.busy = life_is_mine(); /* a change of a thread that is no more is over */
    life.exiting = life.exiting && pthread_equal(life.owner, pthread_self());
    lf__http_after_fork_child();
    lf__handles_after_fork_child();
    lf__stack_after_fork_child();
    lf__coroutine_after_fork_child();
}
