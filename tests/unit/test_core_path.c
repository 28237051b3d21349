/* What observing costs the thread that does it, and what it leaves alone: no lock, no allocation, no system call, errno.
 *
 * The worker is held fast inside its log callback: it counts as busy, so that no observing thread has a reason to wake it,
 * and the test empties the rings in its place. Waking a worker that sleeps takes its lock and a futex call, by design: once
 * per flush_at observations, or when it has nothing at all to do.
 */
#include "core_harness.h"

#include "../../src/deliver/worker.h"

#include <dirent.h>
#include <dlfcn.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>

/* ---- Counting calls of this thread ----------------------------------------------------------------------------------- */

static __thread volatile bool counting __attribute__((tls_model("initial-exec")));
static __thread volatile unsigned long allocations __attribute__((tls_model("initial-exec")));
static __thread volatile unsigned long locks __attribute__((tls_model("initial-exec")));

#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__) && defined(__GLIBC__)
#define INTERPOSED 1
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *pointer, size_t size);
extern void __libc_free(void *pointer);

void *malloc(size_t size)
{
    allocations += counting;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    allocations += counting;
    return __libc_calloc(count, size);
}

void *realloc(void *pointer, size_t size)
{
    allocations += counting;
    return __libc_realloc(pointer, size);
}

void free(void *pointer)
{
    allocations += counting;
    __libc_free(pointer);
}

/* The next definition of a function, found once. */
#define REAL(name)                 \
    static __typeof__(name) *real; \
    if (real == NULL)              \
    *(void **)&real = dlsym(RTLD_NEXT, #name)

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    REAL(pthread_mutex_lock);
    locks += counting;
    return real(mutex);
}

int pthread_mutex_trylock(pthread_mutex_t *mutex)
{
    REAL(pthread_mutex_trylock);
    locks += counting;
    return real(mutex);
}

int pthread_rwlock_rdlock(pthread_rwlock_t *lock)
{
    REAL(pthread_rwlock_rdlock);
    locks += counting;
    return real(lock);
}

int pthread_rwlock_wrlock(pthread_rwlock_t *lock)
{
    REAL(pthread_rwlock_wrlock);
    locks += counting;
    return real(lock);
}

int pthread_cond_signal(pthread_cond_t *condition)
{
    REAL(pthread_cond_signal);
    locks += counting;
    return real(condition);
}
#else
#define INTERPOSED 0
#endif

/* ---- What is observed ------------------------------------------------------------------------------------------------ */

static NOINLINE int inner(const char *text, int number)
{
    OBSERVE(text, number);
    OBSERVE_RETURN(number + 1);
}

static NOINLINE const char *outer(const char *text, int number)
{
    OBSERVE_GENERATION(text, number);
    inner(text, number);
    lf_update_current_observation(.model = "some-model", .level = LF_LEVEL_WARNING,
                                  .usage_details = LF_OBJECT("input", 5, "output", 7), .metadata = LF_OBJECT("k", "v"));
    lf_output_append("piece", 5);
    lf_output_append(" and piece", 10);
    {
        OBSERVE_WITH((.name = "named", .type = LF_TOOL), number);
        OBSERVE_OUTPUT(1.5);
        OBSERVE_ERROR("status %d of %s", number, text);
    }
    OBSERVE_RETURN(text);
}

static NOINLINE void one_round(int i)
{
    outer("a text of middling length, as an argument may be", i);
}

/* ---- The held worker ------------------------------------------------------------------------------------------------- */

static _Atomic bool worker_held, let_go;

static void hold_the_worker(void *data, const char *line)
{
    (void)data, (void)line;
    atomic_store(&worker_held, true);
    while (!atomic_load(&let_go))
        sleep_ms(1);
}

static NOINLINE void first(void)
{
    OBSERVE();
}

/* The first send fails, which is worth a line: in its callback the worker stays. */
static void start_and_hold_the_worker(void)
{
    char path[300];
    snprintf(path, sizeof path, "%s/no-such-folder/out.jsonl", harness_folder);
    lf_options options = to_file(path);
    options.log = hold_the_worker;
    options.flush_at = 1;
    CHECK_INT(lf_init(&options), LF_OK);
    first();
    CHECK_SOON(atomic_load(&worker_held));
    CHECK_INT(atomic_load(&lf__worker_waiting), LF__WORKER_BUSY);
}

static void release_the_worker(void)
{
    atomic_store(&let_go, true);
    (void)lf_shutdown(0);
}

enum { KEEP = 1000 };

static uint64_t taken;

/* Take no more than so many records this time. */
static void take_some(lf__segment *segment, size_t most)
{
    lf__drain drain = lf__ring_drain(segment);
    uint64_t at = drain.at;
    for (size_t count = 0; count < most && at < drain.published;) {
        const lf__record *record = lf__ring_at(segment, at);
        at += record->size;
        count += record->kind != LF__RECORD_PAD;
    }
    drain.published = at;
    while (lf__ring_next(&drain) != NULL)
        taken++;
}

/* What the worker would do, but for some records that stay, so that the ring wraps rather than starts over. */
static void empty_all_but(size_t keep)
{
    for (lf__segment *s = atomic_load(&lf__segments); s != NULL; s = s->next) {
        const uint64_t inside = atomic_load(&s->ended) - atomic_load(&s->dropped_full) - taken;
        take_some(s, inside > keep ? inside - keep : 0);
    }
}

/* ---- Allocations and locks ------------------------------------------------------------------------------------------- */

enum { ROUNDS = 100000 };

TEST(observing_allocates_nothing_and_takes_no_lock)
{
    if (!INTERPOSED || under_valgrind()) {
        harness_skip("observing_allocates_nothing_and_takes_no_lock", "the checker has malloc and the locks for itself");
        return;
    }
    start_and_hold_the_worker();
    taken = stats_now().accepted; /* the first one is the worker's */
    for (int i = 0; i < 100; i++)
        one_round(i);
    uint64_t laps = 0;
    for (int i = 0; i < ROUNDS; i++) {
        counting = true;
        one_round(i);
        counting = false;
        if (i % 1000 == 0)
            empty_all_but(KEEP);
    }
    laps = atomic_load(&lf__segments)->head / atomic_load(&lf__segments)->ring_size;
    CHECK(laps >= 1);
    CHECK_INT(allocations, 0);
    CHECK_INT(locks, 0);
    CHECK_INT(stats_now().accepted, 1 + 3 * (ROUNDS + 100));
    CHECK_INT(stats_now().dropped_total, 0);
    counting = true;
    void *volatile memory = malloc(1);
    free(memory);
    counting = false;
    CHECK(allocations != 0); /* the counter does count */
    release_the_worker();
}

static void observe_here(void)
{
    OBSERVE();
}

static void *count_the_first(void *out_allocations)
{
    counting = true;
    observe_here();
    counting = false;
    *(unsigned long *)out_allocations = allocations;
    return NULL;
}

/* What a thread's first allocation takes is not memory, but 64 MiB of addresses. */
TEST(where_addresses_are_few_a_thread_that_observes_allocates_nothing)
{
    if (!INTERPOSED || under_valgrind()) {
        harness_skip("where_addresses_are_few_a_thread_that_observes_allocates_nothing", "the checker has malloc for itself");
        return;
    }
    start();
    observe_here(); /* its place is known from here on */
    struct rlimit limit = {.rlim_cur = (rlim_t)1 << 32, .rlim_max = (rlim_t)1 << 32};
    CHECK_INT(setrlimit(RLIMIT_AS, &limit), 0);
    unsigned long count = 1;
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, count_the_first, &count), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_INT(count, 0);
    CHECK_INT(stats_now().accepted, 2);
}

TEST(below_a_current_handle_observing_takes_no_lock_either)
{
    if (!INTERPOSED || under_valgrind()) {
        harness_skip("below_a_current_handle_observing_takes_no_lock_either", "the checker has the locks for itself");
        return;
    }
    start_and_hold_the_worker();
    lf_observation *handle = lf_start_as_current_observation(.name = "handle");
    one_round(0);
    counting = true;
    for (int i = 0; i < 1000; i++)
        one_round(i);
    counting = false;
    CHECK_INT(locks, 0);
    lf_observation_end(handle);
    release_the_worker();
}

/* ---- System calls ---------------------------------------------------------------------------------------------------- */

static _Atomic long trapped_calls;
static _Atomic int trapped_number = -1;
static _Atomic int filter_state; /* of the observing thread */
enum { STARTING, WITHOUT_CLOCK, WITHOUT_FILTER, OBSERVING, OBSERVED };

static void on_system_call(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    atomic_fetch_add(&trapped_calls, 1);
    atomic_store(&trapped_number, info->si_syscall);
}

/* From here on every system call of this thread, but the return from the handler, is trapped. There is no way back. */
static bool trap_system_calls(void)
{
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
    };
    struct sock_fprog filter = {sizeof program / sizeof *program, program};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

static _Atomic int rounds_done;

static void *observe_without_system_calls(void *arg)
{
    for (int i = 0; i < 1000; i++)
        one_round(i);
    struct timespec now;
    if (!trap_system_calls()) {
        atomic_store(&filter_state, WITHOUT_FILTER);
        return arg;
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (atomic_load(&trapped_calls) != 0)
        atomic_store(&filter_state, WITHOUT_CLOCK);
    else
        atomic_store(&filter_state, OBSERVING);
    for (int i = 0; i < ROUNDS && atomic_load(&filter_state) == OBSERVING; i++) {
        while (i - atomic_load_explicit(&rounds_done, memory_order_acquire) > 5000)
            continue; /* the one who empties the ring is behind */
        one_round(i);
        if (i % 100 == 0)
            __atomic_store_n((int *)arg, i, __ATOMIC_RELEASE);
    }
    if (atomic_load(&filter_state) == OBSERVING)
        atomic_store(&filter_state, OBSERVED);
    for (;;)
        continue; /* it cannot even end */
}

static void observe_under_the_filter(void)
{
    struct sigaction action = {.sa_sigaction = on_system_call, .sa_flags = SA_SIGINFO};
    CHECK(sigaction(SIGSYS, &action, NULL) == 0);
    start_and_hold_the_worker();
    taken = 0;
    static int progress;
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, observe_without_system_calls, &progress), 0);
    const uint64_t until = now_ms() + HARNESS_TEST_MS / 2;
    lf__segment *segment = NULL;
    while (atomic_load(&filter_state) <= STARTING || atomic_load(&filter_state) == OBSERVING) {
        CHECK(now_ms() < until);
        if (segment == NULL && atomic_load(&lf__segments)->next != NULL)
            segment = atomic_load(&lf__segments); /* the observing thread's is the newest */
        if (segment == NULL || atomic_load(&filter_state) == STARTING)
            continue;
        const int progress_now = __atomic_load_n(&progress, __ATOMIC_ACQUIRE);
        const uint64_t inside = (atomic_load(&segment->published) - atomic_load(&segment->consumed)) / 400;
        take_some(segment, inside > KEEP ? inside - KEEP : 0);
        atomic_store_explicit(&rounds_done, progress_now, memory_order_release);
    }
    switch (atomic_load(&filter_state)) {
    case WITHOUT_FILTER: harness_skip("observing_makes_no_system_call", "the kernel refuses a seccomp filter"); break;
    case WITHOUT_CLOCK: harness_skip("observing_makes_no_system_call", "this machine's clock needs a system call"); break;
    default:
        if (atomic_load(&trapped_calls) != 0)
            harness_fail(__FILE__, __LINE__, "%ld system calls, the last one number %d", atomic_load(&trapped_calls),
                         atomic_load(&trapped_number));
        CHECK_INT(stats_now().accepted, 1 + 3 * (ROUNDS + 1000));
        CHECK_INT(stats_now().dropped_total, 0);
        CHECK(segment->head > segment->ring_size);
    }
    fflush(NULL);
    _exit(0); /* the thread cannot be joined */
}

TEST(observing_makes_no_system_call)
{
    if (HARNESS_TSAN || HARNESS_ASAN || under_valgrind()) {
        harness_skip("observing_makes_no_system_call", "the checker makes system calls of its own");
        return;
    }
    CHECK_INT(end_of(observe_under_the_filter), 0);
}

/* ---- errno ----------------------------------------------------------------------------------------------------------- */

#define CHECK_ERRNO(statement)  \
    do {                        \
        errno = 4711;           \
        statement;              \
        CHECK_INT(errno, 4711); \
    } while (0)

static NOINLINE void *leave_errno(void *arg)
{
    errno = 4711;
    OBSERVE(arg);
    CHECK_INT(errno, 4711);
    return arg;
}

static NOINLINE int returns_with_errno(int x)
{
    errno = 4711;
    OBSERVE(x, 1e300 * 1e300, 1e-320, "text", lf_json("{\"broken"), lf_json("[1e999]"));
    CHECK_INT(errno, 4711);
    OBSERVE_RETURN(x);
}

static NOINLINE void every_call(void)
{
    char trace_id[LF_TRACE_ID_SIZE], id[LF_OBSERVATION_ID_SIZE];
    lf_stats stats;
    cJSON *tree = cJSON_Parse("{\"a\":[1,2.5,1e300,\"x\",null,{\"b\":1e-310}]}");
    errno = 4711;
    OBSERVE_GENERATION(tree);
    CHECK_INT(errno, 4711);
    CHECK_ERRNO(OBSERVE_OUTPUT(tree));
    CHECK_ERRNO(OBSERVE_OUTPUT(1e-320));
    CHECK_ERRNO(OBSERVE_ERROR("%f of %s", 1e-320, "x"));
    CHECK_ERRNO(lf_update_current_observation(.name = "n", .metadata = LF_OBJECT("a", 1e-320, "b", LF_ARRAY(1, 2)),
                                              .usage_details = LF_OBJECT("input", 5)));
    CHECK_ERRNO(lf_output_append("x", 1));
    CHECK_ERRNO(lf_output_append("x", 1));
    CHECK_ERRNO(lf_current_trace_id(trace_id));
    CHECK_ERRNO(lf_current_observation_id(id));
    CHECK_ERRNO(lf_create_trace_id(NULL, trace_id));
    CHECK_ERRNO(lf_create_trace_id("seed", trace_id));
    CHECK_ERRNO(lf_get_stats(&stats));
    lf_context *context;
    CHECK_ERRNO(context = lf_context_copy());
    CHECK_ERRNO(lf_context_run(context, leave_errno, NULL));
    errno = 4711;
    {
        OBSERVE_CONTEXT(context);
        CHECK_INT(errno, 4711);
    }
    CHECK_INT(errno, 4711);
    CHECK_ERRNO(lf_context_free(context));
    pthread_t thread;
    CHECK_ERRNO(CHECK_INT(lf_thread_create(&thread, NULL, leave_errno, NULL), 0));
    pthread_join(thread, NULL);
    errno = 4711;
    {
        OBSERVE_WITH((.name = "x", .trace_id = "any text", .parent_observation_id = "no id"), 1, tree);
        CHECK_INT(errno, 4711);
    }
    CHECK_INT(errno, 4711);
    cJSON_Delete(tree);
    errno = 4711;
}

static void observe_everything(void)
{
    CHECK_ERRNO(returns_with_errno(1)); /* starts everything */
    CHECK_ERRNO(every_call());
    CHECK_ERRNO((void)lf_flush(HARNESS_WAIT_MS));
    CHECK_ERRNO(every_call());
    CHECK_ERRNO((void)lf_init(NULL));
    CHECK_ERRNO((void)lf_shutdown(HARNESS_WAIT_MS));
    CHECK_ERRNO(every_call());
}

TEST(errno_is_left_alone)
{
    char exporter[300];
    snprintf(exporter, sizeof exporter, "file:%s", harness_path);
    setenv("LANGFUSE_EXPORTER", exporter, 1);
    observe_everything();
    read_spans(harness_path);
    CHECK_INT(count_named("returns_with_errno"), 1);
    CHECK_INT(count_named("n"), 2);
}

static bool is_off(void)
{
    return stats_now().accepted == 0;
}

TEST(errno_is_left_alone_when_tracing_is_off)
{
    CHECK_INT(close(STDERR_FILENO), 0); /* even the warning cannot be written */
    observe_everything();
    CHECK(is_off());
}

static void fork_and_observe(void)
{
    CHECK_ERRNO(returns_with_errno(2));
    CHECK_ERRNO((void)lf_flush(HARNESS_WAIT_MS));
}

TEST(errno_is_left_alone_in_a_forked_child)
{
    SKIP_WHERE_FORK_IS_NOT_SUPPORTED(errno_is_left_alone_in_a_forked_child);
    start();
    first();
    pid_t child = harness_fork(fork_and_observe);
    CHECK_INT(end_of_child(child), 0);
}

/* ---- Doing nothing --------------------------------------------------------------------------------------------------- */

/* How often our threads have gone to sleep by themselves: each time but the first they had been woken. */
static long count_sleeps(void)
{
    long count = -1;
    DIR *folder = opendir("/proc/self/task");
    CHECK(folder != NULL);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char path[300], line[300];
        bool ours = false;
        snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
        FILE *file = fopen(path, "r");
        while (file != NULL && fgets(line, sizeof line, file) != NULL) {
            if (strncmp(line, "Name:", 5) == 0)
                ours = strstr(line, "langfuse") != NULL;
            if (ours && strncmp(line, "voluntary_ctxt_switches:", 24) == 0)
                count = (count < 0 ? 0 : count) + strtol(line + 24, NULL, 10);
        }
        if (file != NULL)
            fclose(file);
    }
    closedir(folder);
    return count;
}

static void check_that_nothing_happens(void)
{
    /* It may take a moment until the worker lies down for good. */
    CHECK_SOON(count_sleeps() > 0);
    long before = 0;
    const uint64_t until = now_ms() + HARNESS_WAIT_MS;
    for (long now = -1; now != before && now_ms() < until;) {
        before = count_sleeps();
        sleep_ms(500);
        now = count_sleeps();
    }
    sleep_ms(2000);
    CHECK_INT(count_sleeps(), before);
}

TEST(an_idle_library_never_wakes_up)
{
    if (under_valgrind()) {
        harness_skip("an_idle_library_never_wakes_up", "valgrind switches threads by itself");
        return;
    }
    start();
    check_that_nothing_happens(); /* nothing was ever observed */
    for (int i = 0; i < 100; i++)
        one_round(i);
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
    check_that_nothing_happens();
    one_round(0); /* and it wakes when there is something */
    CHECK_SOON(stats_now().delivered == 303);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(observing_allocates_nothing_and_takes_no_lock),
        cmocka_unit_test(where_addresses_are_few_a_thread_that_observes_allocates_nothing),
        cmocka_unit_test(below_a_current_handle_observing_takes_no_lock_either),
        cmocka_unit_test(observing_makes_no_system_call),
        cmocka_unit_test(errno_is_left_alone),
        cmocka_unit_test(errno_is_left_alone_when_tracing_is_off),
        cmocka_unit_test(errno_is_left_alone_in_a_forked_child),
        cmocka_unit_test(an_idle_library_never_wakes_up),
    };
    return cmocka_run_group_tests_name("core path", tests, NULL, NULL);
}
