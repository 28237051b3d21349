#include "stats.h"

#include "../base/value.h"
#include "../observe/capture.h"
#include "../observe/ring.h"
#include "lanes.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* ---- The counters ---- */

void lf__stats_read(lf_stats *out_stats)
{
    lf_stats stats = {0};
    const lf__counters *counters = &lf__lanes_counters;
    /* What left is read first, then what waits, then what came in. */
    stats.delivered = atomic_load_explicit(&counters->delivered, memory_order_acquire);
    for (int i = 0; i < LF_DROP_REASON_COUNT; i++)
        stats.dropped[i] = atomic_load_explicit(&counters->dropped[i], memory_order_acquire);
    stats.queued = lf__lanes_queued();
    stats.requests = atomic_load_explicit(&counters->requests, memory_order_relaxed);
    stats.retries = atomic_load_explicit(&counters->retries, memory_order_relaxed);
    stats.last_success_ns = atomic_load_explicit(&counters->last_success_ns, memory_order_relaxed);
    stats.queued_bytes = atomic_load_explicit(&lf__queue_budget.rings, memory_order_relaxed) +
                         atomic_load_explicit(&lf__queue_budget.worker, memory_order_relaxed);
    stats.left_out = atomic_load_explicit(&lf__left_out, memory_order_relaxed);
    stats.misused = atomic_load_explicit(&lf__refused, memory_order_relaxed);
    stats.accepted = atomic_load_explicit(&lf__lanes_accepted, memory_order_relaxed);
    uint64_t begun = 0, ended = 0;
    for (lf__segment *s = atomic_load_explicit(&lf__segments, memory_order_acquire); s != NULL; s = s->next) {
        stats.dropped[LF_DROP_QUEUE_FULL] += atomic_load_explicit(&s->dropped_full, memory_order_relaxed);
        stats.dropped[LF_DROP_TOO_LARGE] += atomic_load_explicit(&s->dropped_large, memory_order_relaxed);
        stats.dropped[LF_DROP_TOO_DEEP] += atomic_load_explicit(&s->dropped_deep, memory_order_relaxed);
        stats.misused += atomic_load_explicit(&s->misused, memory_order_relaxed);
        uint64_t ignored = atomic_load_explicit(&s->ignored, memory_order_relaxed);
        uint64_t ended_here = atomic_load_explicit(&s->ended, memory_order_acquire);
        stats.accepted += ended_here - ignored;
        ended += ended_here;
        begun += atomic_load_explicit(&s->begun, memory_order_relaxed);
    }
    for (int i = 0; i < LF_DROP_REASON_COUNT; i++)
        stats.dropped_total += stats.dropped[i];
    stats.open = begun > ended ? begun - ended : 0;
    *out_stats = stats;
}

/* ---- As text ---- */

typedef struct stats_text {
    char *out;
    size_t room;
    size_t length; /* of all, also of what has no room */
} stats_text;

static void stats_add(stats_text *text, const char *format, ...) LF_PRINTF(2, 3);

static void stats_add(stats_text *text, const char *format, ...)
{
    size_t used = text->length < text->room ? text->length : text->room;
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(used < text->room ? text->out + used : NULL, text->room - used, format, arguments);
    va_end(arguments);
    if (size > 0)
        text->length += (size_t)size;
}

static void stats_head(stats_text *text, const char *name, const char *type, const char *help)
{
    stats_add(text, "# HELP langfuse_%s %s\n# TYPE langfuse_%s %s\n", name, help, name, type);
}

static void stats_number(stats_text *text, const char *name, const char *type, const char *help, uint64_t value)
{
    stats_head(text, name, type, help);
    stats_add(text, "langfuse_%s %" PRIu64 "\n", name, value);
}

static void stats_dropped(stats_text *text, const lf_stats *stats)
{
    static const char *const reasons[LF_DROP_REASON_COUNT] = {
        [LF_DROP_QUEUE_FULL] = "queue_full",   [LF_DROP_TOO_LARGE] = "too_large", [LF_DROP_REFUSED] = "refused",
        [LF_DROP_UNREACHABLE] = "unreachable", [LF_DROP_SHUTDOWN] = "shutdown",   [LF_DROP_NO_MEMORY] = "no_memory",
        [LF_DROP_TOO_DEEP] = "too_deep",
    };
    stats_head(text, "dropped_total", "counter", "Observations and scores that were not delivered.");
    for (int i = 0; i < LF_DROP_REASON_COUNT; i++)
        stats_add(text, "langfuse_dropped_total{reason=\"%s\"} %" PRIu64 "\n", reasons[i], stats->dropped[i]);
}

int lf__stats_prometheus(char *out, size_t room)
{
    stats_text text = {out, out == NULL ? 0 : room, 0};
    lf_stats stats;
    lf__stats_read(&stats);
    stats_number(&text, "accepted_total", "counter", "Observations that ended and scores that were made.", stats.accepted);
    stats_number(&text, "delivered_total", "counter", "Observations and scores that the server acknowledged.", stats.delivered);
    stats_dropped(&text, &stats);
    stats_number(&text, "left_out_total", "counter", "Values that their observation had no room for.", stats.left_out);
    stats_number(&text, "misused_total", "counter", "Calls that were ignored, such as updates of ended observations.",
                 stats.misused);
    stats_number(&text, "requests_total", "counter", "HTTP requests, further tries included.", stats.requests);
    stats_number(&text, "retries_total", "counter", "Further tries among the HTTP requests.", stats.retries);
    stats_number(&text, "queued", "gauge", "Observations and scores that wait to be delivered.", stats.queued);
    stats_number(&text, "queued_bytes", "gauge", "Memory that is reserved for what waits.", stats.queued_bytes);
    stats_number(&text, "open", "gauge", "Observations that have begun and not ended.", stats.open);
    stats_head(&text, "last_success_timestamp_seconds", "gauge", "Moment of the last acknowledgement, 0 for none.");
    stats_add(&text, "langfuse_last_success_timestamp_seconds %" PRIu64 ".%03u\n", stats.last_success_ns / 1000000000u,
              (unsigned)(stats.last_success_ns / 1000000u % 1000u));
    return (int)text.length;
}
