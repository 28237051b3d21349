/* For tests of the core: each test runs in a child process of its own, which is the first to use the library there, with a
 * time limit. What arrived is read back from the file that the file exporter wrote.
 *
 * Inside a test use CHECK, not cmocka's assertions: cmocka jumps, and in a forked child it would jump into a second run of
 * the test program.
 */
#ifndef LF_TESTS_CORE_HARNESS_H
#define LF_TESTS_CORE_HARNESS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../observe.h"
#include "checkers.h"
#include "scopes.h"

#include <arpa/inet.h>
#include <cjson/cJSON.h>
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))
#define UNUSED __attribute__((unused))

enum {
    HARNESS_TEST_MS = 300000, /* generous: checkers slow everything down by up to fifty */
    HARNESS_WAIT_MS = 60000,  /* for what should come at once */
    HARNESS_FAILED = 97
};

static char harness_folder[200]; /* of this test; removed after it */
static char harness_path[256];   /* what the file exporter writes to, unless a test says otherwise */

/* ---- Checks ---------------------------------------------------------------------------------------------------------- */

static UNUSED void harness_fail(const char *file, int line, const char *format, ...) LF_PRINTF(3, 4);
static UNUSED void harness_fail(const char *file, int line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s:%d: ", file, line);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    fflush(NULL);
    _exit(HARNESS_FAILED);
}

#define CHECK(condition) ((condition) ? (void)0 : harness_fail(__FILE__, __LINE__, "not so: %s", #condition))
#define CHECK_INT(actual, expected)                                                                  \
    do {                                                                                             \
        const long long harness_a = (long long)(actual), harness_b = (long long)(expected);          \
        if (harness_a != harness_b)                                                                  \
            harness_fail(__FILE__, __LINE__, "%s is %lld, not %lld", #actual, harness_a, harness_b); \
    } while (0)
#define CHECK_TEXT(actual, expected)                                                                     \
    do {                                                                                                 \
        const char *harness_a = (actual), *harness_b = (expected);                                       \
        if (strcmp(harness_a, harness_b) != 0)                                                           \
            harness_fail(__FILE__, __LINE__, "%s is \"%s\", not \"%s\"", #actual, harness_a, harness_b); \
    } while (0)

/* Shown by the unit runner, so that a check that did not run is seen. */
static UNUSED void harness_skip(const char *what, const char *why)
{
    printf("SKIP %s: %s\n", what, why);
    fflush(stdout);
}

/* For tests in which the child of a process with threads goes on: TSan does not support that, and a lock of ASan's allocator
 * that another thread held stays locked in the child. They run natively, under UBSan and under valgrind. */
#define SKIP_WHERE_FORK_IS_NOT_SUPPORTED(name)                                              \
    do {                                                                                    \
        if (HARNESS_TSAN || HARNESS_ASAN) {                                                 \
            harness_skip(#name, "the checker's own locks and threads do not survive fork"); \
            return;                                                                         \
        }                                                                                   \
    } while (0)

/* ---- Waiting --------------------------------------------------------------------------------------------------------- */

static UNUSED uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static UNUSED void sleep_ms(long ms)
{
    struct timespec time = {ms / 1000, (ms % 1000) * 1000000L};
    while (nanosleep(&time, &time) != 0)
        continue;
}

/* The condition need not stay true: it is looked at once each time. */
#define CHECK_SOON(condition)                                           \
    do {                                                                \
        const uint64_t harness_until = now_ms() + HARNESS_WAIT_MS;      \
        bool harness_is_so = (condition);                               \
        while (!harness_is_so && now_ms() < harness_until) {            \
            sleep_ms(2);                                                \
            harness_is_so = (condition);                                \
        }                                                               \
        if (!harness_is_so)                                             \
            harness_fail(__FILE__, __LINE__, "not so: %s", #condition); \
    } while (0)

/* How many threads this process has: one natively, where no thread of the library's or of a test's runs. */
static UNUSED int harness_threads(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/task");
    CHECK(folder != NULL);
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

/* ---- Processes ------------------------------------------------------------------------------------------------------- */

/* How a child ended; kills it when it does not. */
static UNUSED int harness_wait(pid_t child)
{
    const uint64_t until = now_ms() + HARNESS_TEST_MS;
    int status = 0;
    for (long pause = 1;; pause = pause < 20 ? pause + 1 : 20) {
        pid_t ended = waitpid(child, &status, WNOHANG);
        if (ended == child)
            return status;
        if (ended < 0 && errno != EINTR)
            return -1;
        if (now_ms() >= until) {
            fprintf(stderr, "process %d takes too long\n", (int)child);
            kill(-child, SIGKILL);
            kill(child, SIGKILL);
            waitpid(child, &status, 0);
            return -1;
        }
        sleep_ms(pause);
    }
}

/* Run `body` in a child; its end is as if main returned 0. */
static UNUSED pid_t harness_fork(void (*body)(void))
{
    fflush(NULL);
    pid_t child = fork();
    if (child != 0)
        return child;
    body();
    exit(0);
}

/* The status of a process that runs `body`: an exit status, or -signal. */
static UNUSED int end_of(void (*body)(void))
{
    pid_t child = harness_fork(body);
    CHECK(child > 0);
    int status = harness_wait(child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : WIFSIGNALED(status) ? -WTERMSIG(status) : HARNESS_FAILED;
}

/* A forked child of ours in the middle of a test: 0 when all its checks held. */
static UNUSED int end_of_child(pid_t child)
{
    CHECK(child > 0);
    int status = harness_wait(child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : WIFSIGNALED(status) ? -WTERMSIG(status) : HARNESS_FAILED;
}

/* Set in the child of a test that forks while it has threads. What they held is lost there, and no fault; so at the very end,
 * all exit handlers done, the child becomes a program that valgrind does not look at. */
static bool harness_leaves_threads_behind;

static void harness_leave(void)
{
    if (harness_leaves_threads_behind && under_valgrind())
        execl("/bin/true", "true", (char *)NULL);
}

static void harness_clean_environment(void)
{
    extern char **environ;
    for (char **at = environ; *at != NULL;) {
        char name[128];
        size_t size = strcspn(*at, "=");
        bool ours = strncmp(*at, "LANGFUSE_", 9) == 0 || strncmp(*at, "OTEL_", 5) == 0 || strncmp(*at, "OPENAI_", 7) == 0;
        if (ours && size < sizeof name) {
            memcpy(name, *at, size);
            name[size] = '\0';
            unsetenv(name);
            at = environ;
        } else {
            at++;
        }
    }
    setenv("no_proxy", "*", 1);
}

static int harness_remove(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status, (void)type, (void)where;
    return remove(path);
}

static void (*harness_body)(void);

static void harness_main(void)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    CHECK(atexit(harness_leave) == 0); /* the first, so it comes last */
    harness_body();
}

static UNUSED void harness_test(void (*body)(void))
{
    const char *base = getenv("TMPDIR");
    snprintf(harness_folder, sizeof harness_folder, "%s/lf_core.XXXXXX", base != NULL && strlen(base) < 150 ? base : "/tmp");
    assert_non_null(mkdtemp(harness_folder));
    snprintf(harness_path, sizeof harness_path, "%s/out.jsonl", harness_folder);
    harness_clean_environment();
    harness_body = body;
    pid_t child = harness_fork(harness_main);
    assert_true(child > 0);
    int status = harness_wait(child);
    nftw(harness_folder, harness_remove, 16, FTW_DEPTH | FTW_PHYS);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("the test's process ended with status 0x%x", (unsigned)status);
}

/* A test is a claim; its body runs in a process of its own. */
#define TEST(name)                 \
    static void name##_body(void); \
    static void name(void **state) \
    {                              \
        (void)state;               \
        harness_test(name##_body); \
    }                              \
    static void name##_body(void)

/* ---- Starting -------------------------------------------------------------------------------------------------------- */

static _Atomic int harness_log_lines;

static UNUSED void harness_log(void *data, const char *line)
{
    (void)data, (void)line;
    atomic_fetch_add(&harness_log_lines, 1);
}

/* Options that write to `path`; its text lives until the next call. */
static UNUSED lf_options to_file(const char *path)
{
    static char exporter[1024];
    snprintf(exporter, sizeof exporter, "file:%s", path);
    lf_options options = {LF_OPTIONS_INIT, .exporter = exporter, .log = harness_log};
    return options;
}

static UNUSED void start(void)
{
    lf_options options = to_file(harness_path);
    CHECK_INT(lf_init(&options), LF_OK);
}

static UNUSED lf_stats stats_now(void)
{
    lf_stats stats;
    lf_get_stats(&stats);
    return stats;
}

/* A socket that is listened on: connecting works, nobody ever answers. */
static UNUSED int silent_server(char *out_url, size_t size)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(server >= 0);
    CHECK(bind(server, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(listen(server, 64) == 0);
    CHECK(getsockname(server, (struct sockaddr *)&address, &length) == 0);
    snprintf(out_url, size, "http://127.0.0.1:%d", ntohs(address.sin_port));
    return server;
}

/* Options for that server, with keys; a request would wait for a minute. */
static UNUSED lf_options to_server(const char *url)
{
    lf_options options = {LF_OPTIONS_INIT, .public_key = "pk-lf-test", .secret_key = "sk-lf-test",
                          .base_url = url, .timeout_ms = 60000,        .log = harness_log};
    return options;
}

/* ---- Reading back ---------------------------------------------------------------------------------------------------- */

static cJSON **harness_lines;
static size_t harness_line_count;
static const cJSON **spans;
static size_t span_count;

static void harness_forget(void)
{
    for (size_t i = 0; i < harness_line_count; i++)
        cJSON_Delete(harness_lines[i]);
    free(harness_lines);
    free(spans);
    harness_lines = NULL;
    spans = NULL;
    harness_line_count = span_count = 0;
}

static void harness_read_line(const char *line)
{
    cJSON *json = cJSON_Parse(line);
    CHECK(json != NULL);
    harness_lines = realloc(harness_lines, (harness_line_count + 1) * sizeof *harness_lines);
    harness_lines[harness_line_count++] = json;
    const cJSON *resource, *scope, *span;
    cJSON_ArrayForEach(resource, cJSON_GetObjectItem(json, "resourceSpans"))
        cJSON_ArrayForEach(scope, cJSON_GetObjectItem(resource, "scopeSpans"))
            cJSON_ArrayForEach(span, cJSON_GetObjectItem(scope, "spans")) {
                if ((span_count & (span_count - 1)) == 0)
                    spans = realloc(spans, (span_count == 0 ? 1 : 2 * span_count) * sizeof *spans);
                spans[span_count++] = span;
            }
}

/* Everything written to `path` so far, in `spans`, in the order of arrival. No file: nothing. */
static UNUSED void read_spans(const char *path)
{
    harness_forget();
    FILE *stream = fopen(path, "r");
    if (stream == NULL)
        return;
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, stream) > 0)
        harness_read_line(line);
    free(line);
    fclose(stream);
}

/* Flush, and read all that has arrived in this process's file. */
static UNUSED void collect(void)
{
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
    read_spans(harness_path);
}

static UNUSED const char *text_of(const cJSON *object, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(object, key));
    return text == NULL ? "" : text;
}

static UNUSED const char *name_of(const cJSON *span)
{
    return text_of(span, "name");
}

static UNUSED const char *id_of(const cJSON *span)
{
    return text_of(span, "spanId");
}

static UNUSED const char *parent_of(const cJSON *span)
{
    return text_of(span, "parentSpanId");
}

static UNUSED const char *trace_of(const cJSON *span)
{
    return text_of(span, "traceId");
}

static UNUSED size_t count_named(const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < span_count; i++)
        count += strcmp(name_of(spans[i]), name) == 0;
    return count;
}

static UNUSED const cJSON *nth_named(const char *name, size_t n)
{
    for (size_t i = 0; i < span_count; i++)
        if (strcmp(name_of(spans[i]), name) == 0 && n-- == 0)
            return spans[i];
    harness_fail(__FILE__, __LINE__, "not enough spans are named %s (%zu in all)", name, span_count);
    return NULL;
}

/* The only one of this name. */
static UNUSED const cJSON *span_named(const char *name)
{
    if (count_named(name) != 1)
        harness_fail(__FILE__, __LINE__, "%zu spans are named %s", count_named(name), name);
    return nth_named(name, 0);
}

/* An attribute, whatever its type; "" when it is not there. */
static UNUSED const char *attribute_of(const cJSON *span, const char *key)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, cJSON_GetObjectItem(span, "attributes")) {
        if (strcmp(text_of(item, "key"), key) != 0)
            continue;
        const cJSON *value = cJSON_GetObjectItem(item, "value");
        return value == NULL || value->child == NULL || value->child->valuestring == NULL ? "?" : value->child->valuestring;
    }
    return "";
}

/* The same below langfuse.observation. */
static UNUSED const char *said(const cJSON *span, const char *key)
{
    char full[128];
    snprintf(full, sizeof full, "langfuse.observation.%s", key);
    return attribute_of(span, full);
}

#define CHECK_SAID(span, key, text) CHECK_TEXT(said(span, key), text)
#define CHECK_ROOT(span) CHECK_TEXT(parent_of(span), "")
#define CHECK_CHILD(child, parent)                     \
    do {                                               \
        CHECK_TEXT(parent_of(child), id_of(parent));   \
        CHECK_TEXT(trace_of(child), trace_of(parent)); \
    } while (0)

static UNUSED bool is_incomplete(const cJSON *span, const char *how)
{
    return strcmp(said(span, "metadata.incomplete"), how) == 0;
}

/* How many different ids, so that none came twice. */
static int harness_compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static UNUSED size_t count_different(const char **texts, size_t count)
{
    qsort(texts, count, sizeof *texts, harness_compare);
    size_t different = count != 0;
    for (size_t i = 1; i < count; i++)
        different += strcmp(texts[i - 1], texts[i]) != 0;
    return different;
}

static UNUSED size_t count_different_ids(void)
{
    const char **ids = calloc(span_count + 1, sizeof *ids);
    CHECK(ids != NULL);
    for (size_t i = 0; i < span_count; i++)
        ids[i] = id_of(spans[i]);
    size_t different = count_different(ids, span_count);
    free(ids);
    return different;
}

#endif
