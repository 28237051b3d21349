#define _GNU_SOURCE
#include "run.h"

#include "clock.h"
#include "environment.h"
#include "preload.h"
#include "show.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUN_DB_NAME "langfuse-local.db"
enum { RUN_MAX_PATH = 4096, RUN_SIGNALLED = 128 };

static int run_failure(const char *why)
{
    fprintf(stderr, "langfuse-local: %s\n", why);
    return RUN_FAILED;
}

/* ---- The place of the database ---- */

typedef struct run_place {
    char folder[RUN_MAX_PATH]; /* empty: the database is one that the user named */
    char db[RUN_MAX_PATH + sizeof RUN_DB_NAME];
} run_place;

static bool run_open_place(run_place *p, const char *db, char *why, size_t why_size)
{
    const char *parent = environment_get(environ, "TMPDIR");
    *p->folder = '\0';
    if (db != NULL)
        return snprintf(p->db, sizeof p->db, "%s", db) < (int)sizeof p->db ||
               !snprintf(why, why_size, "the path of --db is too long");
    int size = snprintf(p->folder, sizeof p->folder, "%s/langfuse-local-XXXXXX", parent != NULL ? parent : "/tmp");
    if (size < 0 || size >= (int)sizeof p->folder || mkdtemp(p->folder) == NULL) {
        snprintf(why, why_size, "cannot make a folder in %.200s: %s", parent != NULL ? parent : "/tmp", strerror(errno));
        *p->folder = '\0';
        return false;
    }
    snprintf(p->db, sizeof p->db, "%s/" RUN_DB_NAME, p->folder);
    return true;
}

static void run_remove_place(const run_place *p)
{
    static const char *const endings[] = {"", "-wal", "-shm"};
    char path[sizeof p->db + 8];
    if (*p->folder == '\0')
        return;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        snprintf(path, sizeof path, "%s%s", p->db, endings[i]);
        unlink(path);
    }
    rmdir(p->folder);
}

/* ---- Signals ---- */

/* What a program gets back that this process changes for itself. */
typedef struct run_signals {
    sigset_t mask, waited;
    struct sigaction pipe, file_size, child;
} run_signals;

static const int run_forwarded[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

/* The threads of the server inherit the mask, so that only the thread that waits for the program sees these signals. A SIGCHLD that is
 * ignored, as some parents leave it, would take the exit status of the program away. */
static void run_take_signals(run_signals *s)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, standard = {.sa_handler = SIG_DFL};
    sigemptyset(&s->waited);
    sigaddset(&s->waited, SIGCHLD);
    for (size_t i = 0; i < sizeof run_forwarded / sizeof *run_forwarded; i++)
        sigaddset(&s->waited, run_forwarded[i]);
    pthread_sigmask(SIG_BLOCK, &s->waited, &s->mask);
    sigaction(SIGPIPE, &ignore, &s->pipe);
    sigaction(SIGXFSZ, &ignore, &s->file_size);
    sigaction(SIGCHLD, &standard, &s->child);
}

/* Async-signal-safe, for a child between fork and exec. */
static void run_give_signals_back(const run_signals *s)
{
    sigaction(SIGPIPE, &s->pipe, NULL);
    sigaction(SIGXFSZ, &s->file_size, NULL);
    sigaction(SIGCHLD, &s->child, NULL);
    pthread_sigmask(SIG_SETMASK, &s->mask, NULL);
}

/* ---- The program ---- */

/* In the child. When there is no program, the reason goes to the parent. */
static void run_become(const run_signals *signals, char *const *argv, char *const *environment, int reason_fd)
{
    run_give_signals_back(signals);
    execvpe(argv[0], argv, environment);
    int reason = errno;
    while (write(reason_fd, &reason, sizeof reason) < 0 && errno == EINTR)
        ;
    _exit(RUN_FAILED);
}

/* Returns 0, or the errno of why there is no program. The pipe ends when the program begins. */
static int run_start(const run_signals *signals, char *const *argv, char *const *environment, pid_t *out_program)
{
    int ends[2], reason = 0;
    ssize_t size;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return errno;
    pid_t program = fork();
    if (program == 0)
        run_become(signals, argv, environment, ends[1]);
    if (program < 0)
        reason = errno;
    close(ends[1]);
    while (program > 0 && (size = read(ends[0], &reason, sizeof reason)) < 0 && errno == EINTR)
        ;
    close(ends[0]);
    if (program > 0 && reason != 0)
        waitpid(program, NULL, 0);
    *out_program = program;
    return reason;
}

static int run_not_started(const char *name, int reason)
{
    fprintf(stderr, "langfuse-local: cannot run %s: %s\n", name, strerror(reason));
    if (reason == EAGAIN || reason == ENOMEM || reason == EMFILE || reason == ENFILE)
        return RUN_FAILED;
    return reason == ENOENT || reason == ENOTDIR ? RUN_NOT_FOUND : RUN_NOT_EXECUTABLE;
}

/* The keys of a terminal signal every process in front of it, so the program has such a signal already. */
static bool run_is_for_program(const siginfo_t *signal, pid_t program)
{
    return signal->si_signo != SIGCHLD && signal->si_code <= 0 && signal->si_pid != program;
}

/* Ctrl-C may end the program before it reaches this process: what came while the program ran is not meant for what follows. */
static void run_forget_signals(const run_signals *s)
{
    const struct timespec now = {0, 0};
    while (sigtimedwait(&s->waited, NULL, &now) > 0)
        ;
}

/* Returns the status of waitpid; negative when it is not to be had. */
static int run_wait(const run_signals *signals, pid_t program)
{
    siginfo_t signal;
    int status;
    pid_t ended;
    while ((ended = waitpid(program, &status, WNOHANG)) == 0 || (ended < 0 && errno == EINTR))
        if (sigwaitinfo(&signals->waited, &signal) > 0 && run_is_for_program(&signal, program))
            kill(program, signal.si_signo);
    run_forget_signals(signals);
    return ended < 0 ? -1 : status;
}

static int run_exit_status(int status)
{
    if (status < 0)
        return run_failure("the exit status of the program is lost");
    return WIFSIGNALED(status) ? RUN_SIGNALLED + WTERMSIG(status) : WEXITSTATUS(status);
}

/* What a shell says of a program of its own. It stays silent where the user, or the reader of a pipe, wanted the end. */
static void run_tell_signal(buf *out, const char *name, int status)
{
    int number = status >= 0 && WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    if (number > 0 && number != SIGINT && number != SIGPIPE)
        buf_format(out, "langfuse-local: %s was ended by signal %d (%s)\n", name, number, strsignal(number));
}

/* ---- The trees ---- */

/* A variable that may be the reason, else what there has to be. */
static void run_tell_nothing(buf *out)
{
    static const char *const reasons[] = {"OTEL_SDK_DISABLED", "LANGFUSE_TRACING_ENABLED", "LANGFUSE_SAMPLE_RATE",
                                          "LANGFUSE_EXPORTER"};
    buf_string(out, "langfuse-local: no observation arrived");
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        const char *value = environment_get(environ, reasons[i]);
        if (value == NULL)
            continue;
        buf_format(out, "; %s=%s is set\n", reasons[i], value);
        return;
    }
    buf_string(out,
               ". The program must run an OBSERVE or call a model by libcurl, and end by exit or return; what the programs that it"
               " starts send by libcurl is recorded with --children; LANGFUSE_LOG=debug tells more\n");
}

static bool run_put_trees(buf *out, store *s, const run_options *o, int64_t since_ns, const tree_style *style)
{
    arena memory = {0};
    text *ids;
    size_t count;
    int64_t total;
    bool ok = store_arrived_traces(s, &memory, since_ns, o->limit, &ids, &count, &total);
    if (ok && count == 0)
        run_tell_nothing(out);
    if (ok && (uint64_t)total > count)
        buf_format(out, "\nlangfuse-local: the newest %zu of %lld traces; --all shows all\n", count, (long long)total);
    for (size_t i = 0; ok && i < count; i++) {
        buf_char(out, '\n');
        ok = show_trace(out, s, ids[i], tree_render, style);
    }
    arena_free(&memory);
    return ok;
}

static void run_tell_place(buf *out, const run_place *p)
{
    buf_string(out, "\nlangfuse-local: kept; langfuse-local tree --db ");
    environment_quote(out, text_of(p->db));
    buf_char(out, '\n');
}

/* All of it, or as much as the reader takes. */
static void run_write(int fd, const buf *out)
{
    size_t written = 0;
    while (written < out->size) {
        ssize_t size = write(fd, out->at + written, out->size - written);
        if (size < 0 && errno != EINTR)
            return;
        written += size > 0 ? (size_t)size : 0;
    }
}

/* ---- All together ---- */

typedef struct run {
    const run_options *options;
    char *const *argv;
    run_place place;
    run_signals signals;
    api api;
    http_server *server;
    int64_t since_ns;
    bool started;
    buf told; /* what is written when all is over */
} run;

static const char *run_find_preload(const run *r, arena *a)
{
    char why[512];
    if (r->options->no_preload)
        return NULL;
    const char *found = preload_find(a, environment_get(environ, "LANGFUSE_CURL_LIBRARY"), why, sizeof why);
    if (found == NULL)
        fprintf(stderr, "langfuse-local: calls of models by libcurl are not recorded: %s\n", why);
    return found;
}

static char **run_environment(const run *r, arena *a)
{
    char url[64];
    environment_changes changes;
    snprintf(url, sizeof url, "http://127.0.0.1:%u", (unsigned)http_port(r->server));
    environment_wish wish = {url, r->api.keys.public_key, r->api.keys.secret_key, run_find_preload(r, a), r->options->children};
    environment_plan(a, environ, &wish, &changes);
    return environment_apply(a, environ, &changes);
}

/* Returns the errno of why no program was started, or 0 and how it ended, as waitpid has it. */
static int run_to_the_end(const run *r, int *out_ended)
{
    arena memory = {0};
    pid_t program = 0;
    char **environment = run_environment(r, &memory);
    int reason = environment != NULL ? run_start(&r->signals, r->argv, environment, &program) : ENOMEM;
    arena_free(&memory);
    if (reason == 0)
        *out_ended = run_wait(&r->signals, program);
    return reason;
}

static void run_tell(run *r, int ended, int fd)
{
    tree_style style = show_style(fd, r->options->color, r->options->full);
    run_tell_signal(&r->told, r->argv[0], ended);
    if (!run_put_trees(&r->told, r->api.store, r->options, r->since_ns, &style))
        run_failure("cannot read the traces");
    if (r->options->keep && *r->place.folder != '\0')
        run_tell_place(&r->told, &r->place);
}

static int run_with_server(run *r, int fd)
{
    int ended = 0, reason = run_to_the_end(r, &ended);
    http_stop(r->server); /* what has arrived is stored when this returns */
    if (reason != 0)
        return run_not_started(r->argv[0], reason);
    r->started = true;
    run_tell(r, ended, fd);
    return run_exit_status(ended);
}

static int run_with_place(run *r, int fd)
{
    char why[512];
    int status = RUN_FAILED;
    r->since_ns = r->options->db != NULL ? clock_now_ns() : INT64_MIN; /* older traces are those of others */
    r->api.store = store_open(r->place.db, false, why, sizeof why);
    if (r->api.store != NULL)
        r->server = http_start(&(http_options){{.listening = "127.0.0.1"}, 0, api_gate, api_handle, &r->api}, why, sizeof why);
    if (r->server != NULL)
        status = run_with_server(r, fd);
    else
        run_failure(why);
    store_close(r->api.store);
    return status;
}

/* Signals come through again when the place is gone: then they may end a long writing. */
int run_program(const run_options *o, char *const *argv)
{
    char why[512];
    int fd = isatty(STDOUT_FILENO) ? STDOUT_FILENO : STDERR_FILENO; /* the output of the program stays its own */
    run r = {.options = o, .argv = argv, .api = {.keys = AUTH_LOCAL_KEYS, .version = o->version, .quiet = o->quiet}};
    run_take_signals(&r.signals);
    if (!run_open_place(&r.place, o->db, why, sizeof why))
        return run_failure(why);
    int status = run_with_place(&r, fd);
    if (!o->keep || !r.started)
        run_remove_place(&r.place);
    pthread_sigmask(SIG_SETMASK, &r.signals.mask, NULL);
    run_write(fd, &r.told);
    buf_free(&r.told);
    return status;
}
