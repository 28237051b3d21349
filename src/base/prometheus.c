/* The counters as text for a Prometheus server: https://prometheus.io/docs/instrumenting/exposition_formats/, format 0.0.4. */
#include "base.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

typedef struct prometheus_text {
    char *out;
    size_t room;
    size_t length; /* of all, also of what has no room */
} prometheus_text;

static void prometheus_add(prometheus_text *text, const char *format, ...) LF_PRINTF(2, 3);

static void prometheus_add(prometheus_text *text, const char *format, ...)
{
    size_t used = text->length < text->room ? text->length : text->room;
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(used < text->room ? text->out + used : NULL, text->room - used, format, arguments);
    va_end(arguments);
    if (size > 0)
        text->length += (size_t)size;
}

static void prometheus_head(prometheus_text *text, const char *name, const char *type, const char *help)
{
    prometheus_add(text, "# HELP langfuse_%s %s\n# TYPE langfuse_%s %s\n", name, help, name, type);
}

static void prometheus_number(prometheus_text *text, const char *name, const char *type, const char *help, uint64_t value)
{
    prometheus_head(text, name, type, help);
    prometheus_add(text, "langfuse_%s %" PRIu64 "\n", name, value);
}

static void prometheus_dropped(prometheus_text *text, const lf_stats *stats)
{
    static const char *const reasons[LF_DROP_REASON_COUNT] = {
        [LF_DROP_QUEUE_FULL] = "queue_full",   [LF_DROP_TOO_LARGE] = "too_large", [LF_DROP_REFUSED] = "refused",
        [LF_DROP_UNREACHABLE] = "unreachable", [LF_DROP_SHUTDOWN] = "shutdown",   [LF_DROP_NO_MEMORY] = "no_memory",
        [LF_DROP_TOO_DEEP] = "too_deep",
    };
    prometheus_head(text, "dropped_total", "counter", "Observations and scores that were not delivered.");
    for (int i = 0; i < LF_DROP_REASON_COUNT; i++)
        prometheus_add(text, "langfuse_dropped_total{reason=\"%s\"} %" PRIu64 "\n", reasons[i], stats->dropped[i]);
}

int lf_stats_prometheus(char *out, size_t room)
{
    prometheus_text text = {out, out == NULL ? 0 : room, 0};
    lf_stats stats;
    lf_get_stats(&stats);
    prometheus_number(&text, "accepted_total", "counter", "Observations that ended and scores that were made.", stats.accepted);
    prometheus_number(&text, "delivered_total", "counter", "Observations and scores that the server acknowledged.",
                      stats.delivered);
    prometheus_dropped(&text, &stats);
    prometheus_number(&text, "left_out_total", "counter", "Values that their observation had no room for.", stats.left_out);
    prometheus_number(&text, "misused_total", "counter", "Calls that were ignored, such as updates of ended observations.",
                      stats.misused);
    prometheus_number(&text, "requests_total", "counter", "HTTP requests, further tries included.", stats.requests);
    prometheus_number(&text, "retries_total", "counter", "Further tries among the HTTP requests.", stats.retries);
    prometheus_number(&text, "queued", "gauge", "Observations and scores that wait to be delivered.", stats.queued);
    prometheus_number(&text, "queued_bytes", "gauge", "Memory that is reserved for what waits.", stats.queued_bytes);
    prometheus_number(&text, "open", "gauge", "Observations that have begun and not ended.", stats.open);
    prometheus_head(&text, "last_success_timestamp_seconds", "gauge", "Moment of the last acknowledgement, 0 for none.");
    prometheus_add(&text, "langfuse_last_success_timestamp_seconds %" PRIu64 ".%03u\n", stats.last_success_ns / 1000000000u,
                   (unsigned)(stats.last_success_ns / 1000000u % 1000u));
    return (int)text.length;
}
