/* What the tests of the shipping modules share: an environment without our variables, the log's lines, waiting for something
 * to come true, and numbered records.
 */
#ifndef TESTS_FIXTURE_H
#define TESTS_FIXTURE_H

#include "record_builder.h"

#include "../../src/base/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Generous: under valgrind, on a loaded machine, everything takes fifty times as long. It is only used up when a test fails. */
enum { PATIENCE_MS = 60000, LINES_MAX = 64, LINE_SIZE = 1024 };

extern char **environ;

/* Take away every variable that the library reads, so that the tests see what they set themselves. */
static inline void fixture_clean_environment(void)
{
    static const char *const starts[] = {"LANGFUSE_",
                                         "OTEL_",
                                         "SSL_CERT_",
                                         "CURL_CA_BUNDLE=",
                                         "http_proxy=",
                                         "https_proxy=",
                                         "HTTP_PROXY=",
                                         "HTTPS_PROXY=",
                                         "all_proxy=",
                                         "ALL_PROXY=",
                                         "no_proxy=",
                                         "NO_PROXY=",
                                         "RENDER_GIT_COMMIT=",
                                         "CI_COMMIT_SHA=",
                                         "CIRCLE_SHA1=",
                                         "SOURCE_VERSION=",
                                         "TRAVIS_COMMIT=",
                                         "GIT_COMMIT=",
                                         "GITHUB_SHA=",
                                         "BITBUCKET_COMMIT=",
                                         "BUILD_SOURCEVERSION=",
                                         "DRONE_COMMIT_SHA="};
    for (char **entry = environ; *entry != NULL;) {
        bool ours = false;
        for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
            ours = ours || strncmp(*entry, starts[i], strlen(starts[i])) == 0;
        if (!ours) {
            entry++;
            continue;
        }
        char name[128];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(*entry, "="), *entry);
        unsetenv(name);
        entry = environ; /* it has moved */
    }
}

/* ---- Log lines ---- */

static struct {
    pthread_mutex_t lock;
    size_t count;
    char text[LINES_MAX][LINE_SIZE];
} fixture_lines = {.lock = PTHREAD_MUTEX_INITIALIZER};

static inline void fixture_log(void *data, const char *line)
{
    (void)data;
    pthread_mutex_lock(&fixture_lines.lock);
    if (fixture_lines.count < LINES_MAX)
        snprintf(fixture_lines.text[fixture_lines.count++], LINE_SIZE, "%s", line);
    pthread_mutex_unlock(&fixture_lines.lock);
}

static inline void lines_forget(void)
{
    pthread_mutex_lock(&fixture_lines.lock);
    fixture_lines.count = 0;
    pthread_mutex_unlock(&fixture_lines.lock);
}

/* How many lines contain this text; "" counts all. */
static inline size_t lines_with(const char *text)
{
    size_t count = 0;
    pthread_mutex_lock(&fixture_lines.lock);
    for (size_t i = 0; i < fixture_lines.count; i++)
        count += strstr(fixture_lines.text[i], text) != NULL;
    pthread_mutex_unlock(&fixture_lines.lock);
    return count;
}

static inline const char *line_at(size_t i)
{
    return i < fixture_lines.count ? fixture_lines.text[i] : "(no such line)";
}

/* ---- Waiting ---- */

static inline void pause_ms(long ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

/* Look every millisecond until it is true. */
#define WAIT_UNTIL(condition)                                                           \
    do {                                                                                \
        uint64_t wait_until_ns = lf__monotonic_ns() + (uint64_t)PATIENCE_MS * 1000000u; \
        while (!(condition)) {                                                          \
            if (lf__monotonic_ns() > wait_until_ns)                                     \
                fail_msg("waited in vain for: %s", #condition);                         \
            pause_ms(1);                                                                \
        }                                                                               \
    } while (0)

/* ---- Records ---- */

/* The n-th observation of a trace, named "obs-<n>."; `extra` bytes of output make it as large as a test needs. */
static inline const lf__record *numbered_record(builder *b, unsigned trace, unsigned n, size_t extra)
{
    static const char filler[60000] = {0};
    char name[32];
    lf__record *record = builder_begin(b, LF_SPAN, 0);
    memset(record->trace_id, 0x11, sizeof record->trace_id);
    memcpy(record->trace_id + 8, &trace, sizeof trace);
    memset(record->id, 0x22, sizeof record->id);
    memcpy(record->id, &n, sizeof n);
    record->start_ns = 1000 + n;
    record->end_ns = 2000 + n;
    snprintf(name, sizeof name, "obs-%u.", n);
    builder_text(b, LF__TAG_NAME, name);
    if (extra != 0) {
        builder_add(b, LF__TAG_OUTPUT, LF_KIND_STRING, filler, extra < sizeof filler ? extra : sizeof filler);
        char *text = b->as.bytes + b->as.record.size - lf__align8(extra < sizeof filler ? extra : sizeof filler);
        memset(text, 'x', extra < sizeof filler ? extra : sizeof filler);
    }
    return record;
}

#endif
