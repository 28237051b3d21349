#include "export.h"

#include "http.h"
#include "wire.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum {
    EXPORT_LENGTHS_MAX = 64, /* a head may grow by this when it knows how long the items are */
    EXPORT_IN_FLIGHT = 3,
    EXPORT_SPLIT_REFUSED_MAX = 64, /* bad observations that one batch is searched for before the rest goes with them */
    EXPORT_SERVER_TEXT = 200,
    EXPORT_CAUSES = 8, /* as many as export_likely_cause knows */
    EXPORT_SCRATCH_MAX = 8 << 20,
    EXPORT_ITEMS_MIN = 256
};

typedef struct export_batch {
    struct export_batch *next;
    lf__export *exporter;
    lf__buf items;
    uint32_t *ends; /* where each item ends in `items` */
    size_t count;
    size_t ends_capacity;
    uint64_t first;        /* number of its first item */
    uint64_t first_try_ns; /* 0: not tried yet */
    bool in_flight;
    bool is_part;          /* came out of a split */
    uint64_t whole;        /* number of the first item of the batch it was part of */
    lf__buf head;
    lf__buf tail;
    lf__http_post post;
} export_batch;

struct lf__export {
    const lf__config *config;
    lf__counters *counters;
    const lf__wire *wire;
    lf__buf scratch;
    size_t envelope; /* ceiling of a request's head and tail: resource, scope and brackets */
    export_batch *open;
    export_batch *batches; /* on their way, oldest first */
    size_t batch_count;
    size_t in_flight;
    bool abandoning;
    bool send_wanted; /* the open batch waits for a place among them */
    size_t held;
    size_t bytes;
    uint64_t added;

    /* While the server fails, one request at a time is tried, no earlier than gate_ns. */
    bool failing;
    uint64_t gate_ns;
    uint64_t step_ns;
    uint64_t split_whole; /* the batch being searched, and the bad observations found in it */
    int split_refused;
    lf__export_times times;

    bool told_accepted;
    const char *told_causes[EXPORT_CAUSES]; /* of refusals, each once: after a busy server, wrong keys are still news */
    bool told_unreachable;
    bool told_too_large;

    _Atomic(lf__http *) http;
    pthread_mutex_t lock; /* guards woken; for waiting without libcurl */
    pthread_cond_t wake;
    bool woken;
};

/* ---- Batches ---- */

static size_t export_batch_bytes(const export_batch *batch)
{
    return batch->items.capacity + batch->head.capacity + batch->tail.capacity + batch->ends_capacity * sizeof *batch->ends;
}

static export_batch *export_new_batch(lf__export *x)
{
    export_batch *batch = lf__alloc(sizeof *batch);
    if (batch == NULL)
        return NULL;
    batch->exporter = x;
    lf__buf_init(&batch->items, x->config->batch_bytes - x->envelope);
    lf__buf_init(&batch->head, x->envelope);
    lf__buf_init(&batch->tail, x->envelope);
    return batch;
}

static void export_free_batch(export_batch *batch)
{
    if (batch == NULL)
        return;
    lf__buf_done(&batch->items);
    lf__buf_done(&batch->head);
    lf__buf_done(&batch->tail);
    lf__free(batch->ends);
    lf__free(batch);
}

static void export_update_bytes(lf__export *x)
{
    size_t bytes = x->scratch.capacity + (x->open == NULL ? 0 : export_batch_bytes(x->open));
    for (const export_batch *batch = x->batches; batch != NULL; batch = batch->next)
        bytes += export_batch_bytes(batch);
    x->bytes = bytes;
}

static bool export_reserve_end(export_batch *batch)
{
    if (batch->count < batch->ends_capacity)
        return true;
    size_t capacity = batch->ends_capacity == 0 ? EXPORT_ITEMS_MIN : batch->ends_capacity * 2;
    uint32_t *ends = lf__realloc(batch->ends, capacity * sizeof *ends);
    if (ends == NULL)
        return false;
    batch->ends = ends;
    batch->ends_capacity = capacity;
    return true;
}

static void export_count(_Atomic uint64_t *counter, uint64_t more)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + more, memory_order_release);
}

/* Take a batch off the list; its observations are accounted for by the caller. */
static void export_unlink(lf__export *x, export_batch *batch)
{
    export_batch **link = &x->batches;
    while (*link != batch)
        link = &(*link)->next;
    *link = batch->next;
    x->batch_count--;
    x->held -= batch->count;
}

static void export_drop(lf__export *x, export_batch *batch, lf_drop_reason reason)
{
    export_unlink(x, batch);
    export_count(&x->counters->dropped[reason], batch->count);
    export_free_batch(batch);
}

static bool export_encode(lf__export *x, export_batch *batch, const lf__record *record, int64_t wall_offset_ns)
{
    lf__wire_context context = {.config = x->config, .wall_offset_ns = wall_offset_ns, .scratch = &x->scratch};
    size_t before = batch->items.length;
    if (!export_reserve_end(batch))
        return false;
    if (batch->count != 0)
        lf__buf_add_text(&batch->items, x->wire->separator);
    if (batch->items.failed || !x->wire->item(&batch->items, record, &context)) {
        lf__buf_rewind(&batch->items, before);
        return false;
    }
    batch->ends[batch->count++] = (uint32_t)batch->items.length;
    return true;
}

static void export_lose(lf__export *x, lf_drop_reason reason, size_t size)
{
    export_count(&x->counters->dropped[reason], 1);
    if (reason != LF_DROP_TOO_LARGE || x->told_too_large)
        return;
    x->told_too_large = true;
    lf__log(LF__LOG_WARNING,
            "an observation of %zu bytes does not fit into a request of %zu bytes and is dropped; see"
            " LANGFUSE_MAX_EVENT_SIZE_BYTES and LANGFUSE_MAX_BATCH_SIZE_BYTES",
            size, x->config->batch_bytes);
}

lf__add lf__export_add(lf__export *x, const lf__record *record, int64_t wall_offset_ns)
{
    if (x->open == NULL && (x->open = export_new_batch(x)) == NULL) {
        x->added++;
        export_lose(x, LF_DROP_NO_MEMORY, 0);
        return LF__ADD_DONE;
    }
    export_batch *batch = x->open;
    if (export_encode(x, batch, record, wall_offset_ns)) {
        if (batch->count == 1)
            batch->first = x->added;
        x->added++;
        x->held++;
        return LF__ADD_DONE;
    }
    if (batch->count != 0)
        return LF__ADD_FULL;
    /* Alone in an empty batch it must fit, unless memory is out. */
    lf_drop_reason reason = lf__buf_reserve(&batch->items, batch->items.limit) == NULL || !export_reserve_end(batch)
                                ? LF_DROP_NO_MEMORY
                                : LF_DROP_TOO_LARGE;
    x->added++;
    export_lose(x, reason, record->size);
    return LF__ADD_DONE;
}

/* ---- What is said, once ---- */

static void export_clean_text(char *out, size_t room, const char *text, size_t size)
{
    size_t length = 0;
    for (size_t i = 0; i < size && length + 1 < room; i++)
        out[length++] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? ' ' : text[i];
    out[length] = '\0';
}

/* Servers and proxies word their errors in half a dozen shapes. */
static void export_server_text(char *out, size_t room, const lf__http_answer *answer)
{
    cJSON *json = cJSON_ParseWithLengthOpts(answer->body, answer->body_size, NULL, 0);
    const cJSON *message = cJSON_GetObjectItemCaseSensitive(json, "message");
    if (!cJSON_IsString(message))
        message = cJSON_GetObjectItemCaseSensitive(json, "error");
    if (cJSON_IsString(message))
        export_clean_text(out, room, message->valuestring, strlen(message->valuestring));
    else
        export_clean_text(out, room, answer->body, answer->body_size);
    cJSON_Delete(json);
}

static const char *export_likely_cause(int status)
{
    if (status == 401)
        return "check LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY; keys of one region are unknown in another"
               " (EU https://cloud.langfuse.com, US https://us.cloud.langfuse.com)";
    if (status == 403)
        return "the keys have no access, or belong to an organization instead of a project";
    if (status == 404 || status == 405)
        return "check LANGFUSE_BASE_URL; servers before v3.22 have no OTLP endpoint";
    if (status >= 300 && status < 400)
        return "the server redirects; set LANGFUSE_BASE_URL to where it leads";
    if (status == 413)
        return "a proxy limits request sizes; lower LANGFUSE_MAX_BATCH_SIZE_BYTES";
    if (status == 429)
        return "the rate limit of the project is reached; it will be tried again";
    if (status >= 500 || status == 408)
        return "the server has a problem; it will be tried again";
    return "the request was not understood";
}

static void export_tell_refused(lf__export *x, const lf__http_answer *answer)
{
    const char *cause = export_likely_cause(answer->status);
    int told = 0;
    while (told < EXPORT_CAUSES && x->told_causes[told] != NULL && x->told_causes[told] != cause)
        told++;
    if (told == EXPORT_CAUSES || x->told_causes[told] == cause)
        return;
    x->told_causes[told] = cause;
    char text[EXPORT_SERVER_TEXT + 1];
    export_server_text(text, sizeof text, answer);
    lf__log(LF__LOG_ERROR, "export refused by %s: HTTP %d \"%s\" (public key %.8s...): %s", x->config->base_url, answer->status,
            text, x->config->public_key == NULL ? "none" : x->config->public_key, cause);
}

static void export_tell_unreachable(lf__export *x, const char *why)
{
    if (x->told_unreachable)
        return;
    x->told_unreachable = true;
    lf__log(LF__LOG_WARNING, "cannot deliver to %s: %s; will keep trying, up to %zu MiB are kept",
            x->config->exporter == LF__EXPORTER_FILE ? x->config->file_path : x->config->base_url, why,
            x->config->queue_bytes >> 20);
}

static void export_tell_accepted(lf__export *x, size_t count)
{
    if (x->told_accepted)
        return;
    x->told_accepted = true;
    lf__log(LF__LOG_NOTICE, "first export accepted by %s (%zu observation%s)",
            x->config->exporter == LF__EXPORTER_FILE ? x->config->file_path : x->config->base_url, count,
            count == 1 ? "" : "s");
}

/* ---- Outcomes ---- */

static uint64_t export_jitter(uint64_t ns)
{
    uint32_t random;
    lf__random_bytes(&random, sizeof random);
    return ns / 2 + (uint64_t)((double)ns * ((double)random / 4294967296.0));
}

/* Wait before the next try: doubling steps with jitter, or what the server asks for if that is longer. */
static void export_close_gate(lf__export *x, long retry_after_ms)
{
    x->step_ns = x->step_ns == 0 ? x->times.first_step_ns : x->step_ns * 2;
    if (x->step_ns > x->times.longest_step_ns)
        x->step_ns = x->times.longest_step_ns;
    uint64_t wait = export_jitter(x->step_ns);
    uint64_t asked = retry_after_ms > 0 ? (uint64_t)retry_after_ms * 1000000u : 0;
    x->failing = true;
    x->gate_ns = lf__monotonic_ns() + (asked > wait ? asked : wait);
}

static void export_delivered(lf__export *x, export_batch *batch)
{
    export_tell_accepted(x, batch->count);
    x->failing = false;
    x->step_ns = x->gate_ns = 0;
    export_unlink(x, batch);
    export_count(&x->counters->delivered, batch->count);
    atomic_store_explicit(&x->counters->last_success_ns, lf__wall_ns(), memory_order_relaxed);
    export_free_batch(batch);
}

static void export_retry(lf__export *x, export_batch *batch, long retry_after_ms)
{
    export_close_gate(x, retry_after_ms);
    if (lf__monotonic_ns() - batch->first_try_ns > x->times.give_up_ns)
        export_drop(x, batch, LF_DROP_UNREACHABLE);
}

static export_batch *export_part(const export_batch *whole, size_t from, size_t to)
{
    export_batch *part = export_new_batch(whole->exporter);
    if (part == NULL)
        return NULL;
    size_t separator = strlen(whole->exporter->wire->separator);
    size_t begin = from == 0 ? 0 : whole->ends[from - 1] + separator;
    part->first = whole->first + from;
    part->is_part = true;
    part->whole = whole->is_part ? whole->whole : whole->first;
    part->first_try_ns = whole->first_try_ns;
    bool ok = lf__buf_add(&part->items, whole->items.data + begin, whole->ends[to - 1] - begin);
    for (size_t i = from; ok && i < to; i++) {
        ok = export_reserve_end(part);
        if (ok)
            part->ends[part->count++] = (uint32_t)(whole->ends[i] - begin);
    }
    if (ok)
        return part;
    export_free_batch(part);
    return NULL;
}

/* Two halves take the place of a batch that is too large, or has something bad in it. */
static void export_split(lf__export *x, export_batch *batch)
{
    size_t middle = batch->count / 2;
    export_batch *first = export_part(batch, 0, middle), *second = export_part(batch, middle, batch->count);
    if (first == NULL || second == NULL) {
        export_free_batch(first);
        export_free_batch(second);
        export_drop(x, batch, LF_DROP_NO_MEMORY);
        return;
    }
    export_batch **link = &x->batches;
    while (*link != batch)
        link = &(*link)->next;
    *link = first;
    first->next = second;
    second->next = batch->next;
    x->batch_count++;
    export_free_batch(batch);
}

static void export_bisect(lf__export *x, export_batch *batch)
{
    uint64_t whole = batch->is_part ? batch->whole : batch->first;
    if (whole != x->split_whole || !batch->is_part) {
        x->split_whole = whole;
        x->split_refused = 0;
    }
    if (batch->count > 1 && x->split_refused < EXPORT_SPLIT_REFUSED_MAX) {
        export_split(x, batch);
        return;
    }
    x->split_refused++;
    export_drop(x, batch, LF_DROP_REFUSED);
}

static void export_answered(lf__export *x, export_batch *batch, const lf__http_answer *answer)
{
    int status = answer->status;
    if (x->config->debug)
        lf__log(LF__LOG_DEBUG, "export of %zu observations: HTTP %d %s", batch->count, status, answer->message);
    if (status >= 200 && status < 300) {
        export_delivered(x, batch);
    } else if (status == 0) {
        export_tell_unreachable(x, answer->message);
        export_retry(x, batch, -1);
    } else {
        export_tell_refused(x, answer);
        if (status == 408 || status == 429 || status >= 500 || status < 200) {
            export_retry(x, batch, answer->retry_after_ms);
        } else if (status == 413) {
            if (batch->count > 1)
                export_split(x, batch);
            else
                export_drop(x, batch, LF_DROP_TOO_LARGE);
        } else if (status == 400 || status == 422) {
            export_bisect(x, batch);
        } else {
            /* It concerns the keys or the address, not the content: searching would not help, nor would hurrying. */
            export_drop(x, batch, LF_DROP_REFUSED);
            export_close_gate(x, answer->retry_after_ms);
        }
    }
}

/* ---- Sending ---- */

static void export_post_done(lf__http_post *post, const lf__http_answer *answer)
{
    export_batch *batch = post->owner;
    lf__export *x = batch->exporter;
    batch->in_flight = false;
    x->in_flight--;
    if (!x->abandoning)
        export_answered(x, batch, answer);
}

static bool export_write_all(int file, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = write(file, bytes, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        bytes += written;
        size -= (size_t)written;
    }
    return true;
}

/* One line a batch, as the file receiver of an OpenTelemetry Collector reads it. */
static bool export_write_line(lf__export *x, const export_batch *batch)
{
    int file = open(x->config->file_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0)
        return false;
    (void)flock(file, LOCK_EX); /* of several processes one after the other; without it, as well as it goes */
    off_t before = lseek(file, 0, SEEK_END);
    bool ok = export_write_all(file, batch->head.data, batch->head.length) &&
              export_write_all(file, batch->items.data, batch->items.length) &&
              export_write_all(file, batch->tail.data, batch->tail.length) && export_write_all(file, "\n", 1);
    int error = errno;
    if (!ok && before >= 0)
        (void)!ftruncate(file, before); /* half a line would spoil the next one */
    (void)flock(file, LOCK_UN); /* closing is not enough: a child forked meanwhile has the file open, too */
    if (close(file) != 0 && ok) {
        error = errno;
        ok = false;
    }
    errno = error;
    return ok;
}

static void export_to_file(lf__export *x, export_batch *batch)
{
    if (export_write_line(x, batch)) {
        export_delivered(x, batch);
        return;
    }
    export_tell_unreachable(x, strerror(errno));
    export_retry(x, batch, -1);
}

static bool export_to_server(lf__export *x, export_batch *batch)
{
    lf__http *http = atomic_load_explicit(&x->http, memory_order_relaxed);
    if (http == NULL) {
        http = lf__http_new(x->config);
        atomic_store_explicit(&x->http, http, memory_order_release);
    }
    lf__http_post post = {
        .url = x->config->traces_url,
        .content_type = x->wire->content_type,
        .body = {{batch->head.data, batch->head.length},
                 {batch->items.data, batch->items.length},
                 {batch->tail.data, batch->tail.length}},
        .timeout_ms = x->config->timeout_ms,
        .done = export_post_done,
        .owner = batch,
    };
    batch->post = post;
    if (http == NULL || !lf__http_start(http, &batch->post))
        return false;
    batch->in_flight = true;
    x->in_flight++;
    return true;
}

static void export_start(lf__export *x, export_batch *batch)
{
    export_count(&x->counters->requests, 1);
    if (batch->first_try_ns == 0)
        batch->first_try_ns = lf__monotonic_ns();
    else if (!batch->is_part)
        export_count(&x->counters->retries, 1);
    lf__buf_clear(&batch->head);
    lf__buf_clear(&batch->tail);
    bool ok = x->wire->head(&batch->head, x->config, batch->items.length) && x->wire->tail(&batch->tail);
    if (!ok)
        export_drop(x, batch, LF_DROP_NO_MEMORY);
    else if (x->config->exporter == LF__EXPORTER_FILE)
        export_to_file(x, batch);
    else if (!export_to_server(x, batch))
        export_retry(x, batch, -1); /* no memory for the request: there may be some later */
}

static export_batch *export_next_waiting(const lf__export *x)
{
    export_batch *batch = x->batches;
    while (batch != NULL && batch->in_flight)
        batch = batch->next;
    return batch;
}

static void export_close_open(lf__export *x)
{
    if (x->open == NULL || x->open->count == 0) {
        x->send_wanted = false;
        return;
    }
    x->send_wanted = x->batch_count >= LF__EXPORT_BATCHES;
    if (x->send_wanted)
        return;
    export_batch **link = &x->batches;
    while (*link != NULL)
        link = &(*link)->next;
    *link = x->open;
    x->open = NULL;
    x->batch_count++;
}

static void export_start_ready(lf__export *x)
{
    for (;;) {
        if (x->send_wanted)
            export_close_open(x);
        export_batch *batch = export_next_waiting(x);
        if (batch == NULL || x->in_flight >= (x->failing || batch->is_part ? 1 : EXPORT_IN_FLIGHT))
            break;
        if (x->failing && lf__monotonic_ns() < x->gate_ns)
            break;
        export_start(x, batch);
    }
    export_update_bytes(x);
}

/* ---- Interface ---- */

/* How much of a request is not observations. False: no memory, or nothing would be left for them. */
static bool export_measure_envelope(lf__export *x)
{
    lf__buf envelope;
    lf__buf_init(&envelope, x->config->batch_bytes / 2);
    bool ok = x->wire->head(&envelope, x->config, 0) && x->wire->tail(&envelope);
    x->envelope = envelope.length + EXPORT_LENGTHS_MAX;
    lf__buf_done(&envelope);
    if (!ok)
        lf__log(LF__LOG_ERROR, "OTEL_RESOURCE_ATTRIBUTES or a name like it is too long for requests of %zu bytes; tracing is off",
                x->config->batch_bytes);
    return ok;
}

lf__export *lf__export_new(const lf__config *config, lf__counters *counters)
{
    lf__export *x = lf__alloc(sizeof *x);
    if (x == NULL)
        return NULL;
    x->config = config;
    x->counters = counters;
    x->wire = config->json || config->exporter == LF__EXPORTER_FILE ? &lf__wire_otlp_json : &lf__wire_otlp_protobuf;
    x->times = (lf__export_times){500000000u, 30000000000u, 3600000000000u};
    if (!export_measure_envelope(x)) {
        lf__free(x);
        return NULL;
    }
    lf__buf_init(&x->scratch, EXPORT_SCRATCH_MAX);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&x->lock, NULL);
    pthread_cond_init(&x->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    return x;
}

void lf__export_tune(lf__export *x, lf__export_times times)
{
    x->times = times;
}

void lf__export_send(lf__export *x)
{
    export_close_open(x);
    export_start_ready(x);
}

bool lf__export_busy(const lf__export *x)
{
    return x->batches != NULL || x->send_wanted;
}

size_t lf__export_held(const lf__export *x)
{
    return x->held;
}

size_t lf__export_bytes(const lf__export *x)
{
    return x->bytes;
}

uint64_t lf__export_added(const lf__export *x)
{
    return x->added;
}

uint64_t lf__export_oldest(const lf__export *x)
{
    uint64_t oldest = x->open != NULL && x->open->count != 0 ? x->open->first : x->added;
    for (const export_batch *batch = x->batches; batch != NULL; batch = batch->next)
        if (batch->first < oldest)
            oldest = batch->first;
    return oldest;
}

static void export_wait(lf__export *x, int timeout_ms)
{
    uint64_t until_ns = lf__monotonic_ns() + (uint64_t)timeout_ms * 1000000u;
    struct timespec until = {(time_t)(until_ns / 1000000000u), (long)(until_ns % 1000000000u)};
    pthread_mutex_lock(&x->lock);
    while (!x->woken && pthread_cond_timedwait(&x->wake, &x->lock, &until) != ETIMEDOUT)
        continue;
    x->woken = false;
    pthread_mutex_unlock(&x->lock);
}

void lf__export_poll(lf__export *x, int timeout_ms)
{
    export_start_ready(x);
    if (!lf__export_busy(x))
        return;
    if (x->failing && x->in_flight == 0) {
        uint64_t now = lf__monotonic_ns();
        uint64_t left_ms = x->gate_ns > now ? (x->gate_ns - now) / 1000000u + 1 : 0;
        if (left_ms < (uint64_t)timeout_ms)
            timeout_ms = (int)left_ms;
    }
    lf__http *http = atomic_load_explicit(&x->http, memory_order_relaxed);
    if (http != NULL)
        lf__http_poll(http, timeout_ms);
    else if (timeout_ms > 0)
        export_wait(x, timeout_ms);
    export_start_ready(x);
}

void lf__export_wakeup(lf__export *x)
{
    lf__http *http = atomic_load_explicit(&x->http, memory_order_acquire);
    if (http != NULL)
        lf__http_wakeup(http);
    pthread_mutex_lock(&x->lock);
    x->woken = true;
    pthread_cond_signal(&x->wake);
    pthread_mutex_unlock(&x->lock);
}

void lf__export_hurry(lf__export *x)
{
    x->gate_ns = 0;
}

void lf__export_abandon(lf__export *x, lf_drop_reason reason)
{
    lf__http *http = atomic_load_explicit(&x->http, memory_order_relaxed);
    x->abandoning = true; /* what is cut short is dropped below, not retried */
    if (http != NULL)
        lf__http_abandon(http);
    x->abandoning = false;
    while (x->batches != NULL)
        export_drop(x, x->batches, reason);
    if (x->open != NULL) {
        x->held -= x->open->count;
        export_count(&x->counters->dropped[reason], x->open->count);
        export_free_batch(x->open);
        x->open = NULL;
    }
    x->send_wanted = false;
    export_update_bytes(x);
}

void lf__export_free(lf__export *x)
{
    if (x == NULL)
        return;
    lf__export_abandon(x, LF_DROP_SHUTDOWN);
    lf__http_free(atomic_load_explicit(&x->http, memory_order_relaxed));
    lf__buf_done(&x->scratch);
    pthread_mutex_destroy(&x->lock);
    pthread_cond_destroy(&x->wake);
    lf__free(x);
}
