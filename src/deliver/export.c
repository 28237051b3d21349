#include "export.h"

#include "../base/answer.h"
#include "../base/gzip.h"
#include "file.h"
#include "route.h"
#include "tell.h"
#include "verdict.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a batch endpoint says of an event of a kind that it never takes. */
static const char export_never_takes[] = "Event type not accepted";

enum {
    EXPORT_LENGTHS_MAX = 64, /* a head may grow by this when it knows how long the items are */
    EXPORT_IN_FLIGHT = 3,
    EXPORT_SPLIT_REFUSED_MAX = 64, /* bad items that one batch is searched for; then the rest is dropped with them */
    EXPORT_SCRATCH_MAX = 8 << 20,
    EXPORT_ITEMS_MIN = 256,
    EXPORT_HOPELESS = 2 /* tries in a row that found nobody */
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
    uint64_t whole;        /* the same of the batch before any split */
    bool is_list;          /* it was sent as a list of scores */
    bool is_gzip;          /* it was sent compressed */
    lf__buf head;
    lf__buf tail;
    lf__buf body; /* as it is sent, where that is not head, items and tail; empty until then */
    lf__http_request request;
} export_batch;

struct lf__export {
    const lf__config *config;
    lf__transport *transport;
    lf__counters *counters;
    const lf__wire *wire;
    lf__route route;
    lf__tell tell;
    const char *url;
    lf__file file; /* without a path: to the server */
    lf__buf scratch;
    lf__wire_times *times_told; /* of events about traces, and of scores; NULL: there are none */
    size_t envelope; /* ceiling of a request's head and tail: resource, scope and brackets */
    bool no_room;    /* for records beside the envelope */
    export_batch *open;
    export_batch *batches; /* on their way, oldest first */
    size_t batch_count;
    size_t in_flight;
    bool abandoning;
    bool gzip_is_taken;   /* the server has accepted a compressed request */
    bool gzip_is_refused; /* before that it has refused one: all are sent as they are */
    bool send_wanted; /* the open batch waits for a place among them */
    size_t bytes;
    uint64_t added;

    /* While the server fails, one request at a time is tried, no earlier than pause_until_ns. */
    bool failing;
    uint64_t pause_until_ns;
    uint64_t step_ns;
    int unreached; /* tries in a row that found nobody, since the last answer or lf__export_hurry */
    uint64_t split_whole; /* the batch that is searched, and the bad items found in it */
    int split_refused;
    lf__export_times times;
};

/* ---- Batches ---- */

static size_t export_batch_bytes(const export_batch *batch)
{
    return batch->items.capacity + batch->head.capacity + batch->tail.capacity + batch->body.capacity +
           batch->ends_capacity * sizeof *batch->ends;
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
    lf__buf_init(&batch->body, x->config->batch_bytes);
    return batch;
}

static void export_free_batch(export_batch *batch)
{
    if (batch == NULL)
        return;
    lf__buf_done(&batch->items);
    lf__buf_done(&batch->head);
    lf__buf_done(&batch->tail);
    lf__buf_done(&batch->body);
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
    atomic_fetch_add_explicit(counter, more, memory_order_release);
}

/* Take a batch off the list. The caller counts its items as delivered or dropped. */
static void export_unlink(lf__export *x, export_batch *batch)
{
    export_batch **link = &x->batches;
    while (*link != batch)
        link = &(*link)->next;
    *link = batch->next;
    x->batch_count--;
}

static void export_drop(lf__export *x, export_batch *batch, lf_drop_reason reason)
{
    export_unlink(x, batch);
    export_count(&x->counters->dropped[reason], batch->count);
    export_free_batch(batch);
}

static bool export_encode(lf__export *x, export_batch *batch, const lf__record *record, const lf__record *trace,
                          int64_t wall_offset_ns)
{
    const lf__wire_context context = {.config = x->config,
                                      .wall_offset_ns = wall_offset_ns,
                                      .trace = trace,
                                      .scratch = &x->scratch,
                                      .times = x->times_told,
                                      .keeps_ids = lf__export_takes_all(x->config)};
    size_t before = batch->items.length;
    batch->items.no_memory = x->scratch.no_memory = false;
    if (batch->count == x->wire->items_max)
        return false;
    if (!export_reserve_end(batch)) {
        batch->items.no_memory = true;
        return false;
    }
    if (batch->count != 0)
        lf__buf_add_text(&batch->items, x->wire->separator);
    if (batch->items.failed || !x->wire->item(&batch->items, record, &context)) {
        lf__buf_rewind(&batch->items, before);
        return false;
    }
    batch->ends[batch->count++] = (uint32_t)batch->items.length;
    return true;
}

lf__add lf__export_add(lf__export *x, const lf__record *record, const lf__record *trace, int64_t wall_offset_ns)
{
    if (x->open == NULL && !x->no_room)
        x->open = export_new_batch(x);
    export_batch *batch = x->open;
    if (batch != NULL && export_encode(x, batch, record, trace, wall_offset_ns)) {
        if (batch->count == 1)
            batch->first = batch->whole = x->added;
        x->added++;
        return LF__ADD_DONE;
    }
    if (batch != NULL && batch->count != 0)
        return LF__ADD_FULL;
    /* Alone in an empty batch it must fit, unless memory is out. */
    bool no_memory = batch == NULL ? !x->no_room : batch->items.no_memory || x->scratch.no_memory;
    x->added++;
    export_count(&x->counters->dropped[no_memory ? LF_DROP_NO_MEMORY : LF_DROP_TOO_LARGE], 1);
    if (!no_memory && !x->no_room) /* no room was told at the start */
        lf__tell_too_large(&x->tell, record->kind, record->size, x->config->batch_bytes);
    return LF__ADD_DONE;
}

/* ---- Outcomes ---- */

static uint64_t export_jitter(uint64_t ns)
{
    uint32_t random;
    lf__random_bytes(&random, sizeof random);
    return ns / 2 + (uint64_t)((double)ns * ((double)random / 4294967296.0));
}

/* The wait before the next try: doubling steps with jitter, or as long as the server asks for, if that is longer. */
static void export_pause(lf__export *x, long retry_after_ms)
{
    x->step_ns = x->step_ns == 0 ? x->times.first_step_ns : x->step_ns * 2;
    if (x->step_ns > x->times.longest_step_ns)
        x->step_ns = x->times.longest_step_ns;
    uint64_t wait = export_jitter(x->step_ns);
    uint64_t asked = retry_after_ms > 0 ? (uint64_t)retry_after_ms * 1000000u : 0;
    x->failing = true;
    x->pause_until_ns = lf__monotonic_ns() + (asked > wait ? asked : wait);
}

static void export_count_delivered(lf__export *x, size_t count)
{
    if (count == 0)
        return;
    lf__tell_accepted(&x->tell, count);
    export_count(&x->counters->delivered, count);
    atomic_store_explicit(&x->counters->last_success_ns, lf__wall_ns(), memory_order_relaxed);
}

static void export_server_is_well(lf__export *x)
{
    x->unreached = 0;
    x->failing = false;
    x->step_ns = x->pause_until_ns = 0;
}

/* All items are delivered, but for so many that the server rejected. */
static void export_delivered(lf__export *x, export_batch *batch, size_t rejected)
{
    export_server_is_well(x);
    export_unlink(x, batch);
    export_count(&x->counters->dropped[LF_DROP_REFUSED], rejected);
    export_count_delivered(x, batch->count - rejected);
    export_free_batch(batch);
}

/* The server has taken the batch. It may reject some observations of OTLP, or scores of a list; it tells how many, but not which
 * ones. */
static void export_taken(lf__export *x, export_batch *batch, const lf__http_answer *answer)
{
    lf__answer_partial partial;
    if (batch->is_list)
        lf__answer_read_rejected(&partial, answer->body, answer->body_size);
    else
        lf__answer_read_partial(&partial, answer->body, answer->body_size);
    size_t rejected = partial.rejected < batch->count ? (size_t)partial.rejected : batch->count;
    lf__tell_partial(&x->tell, rejected, batch->count, partial.message);
    export_delivered(x, batch, rejected);
}

static void export_retry(lf__export *x, export_batch *batch, long retry_after_ms)
{
    export_pause(x, retry_after_ms);
    if (lf__monotonic_ns() - batch->first_try_ns > x->times.give_up_ns)
        export_drop(x, batch, LF_DROP_UNREACHABLE);
}

/* A batch that is too large, or has something bad in it, becomes its own first half; the other one stands behind it. */
static void export_halve(lf__export *x, export_batch *batch)
{
    size_t middle = batch->count / 2, begin = batch->ends[middle - 1] + strlen(x->wire->separator);
    export_batch *rest = export_new_batch(x);
    if (rest == NULL || !lf__buf_add(&rest->items, batch->items.data + begin, batch->items.length - begin) ||
        (rest->ends = lf__alloc((batch->count - middle) * sizeof *rest->ends)) == NULL) {
        export_free_batch(rest);
        export_drop(x, batch, LF_DROP_NO_MEMORY);
        return;
    }
    rest->count = rest->ends_capacity = batch->count - middle;
    for (size_t i = 0; i < rest->count; i++)
        rest->ends[i] = batch->ends[middle + i] - (uint32_t)begin;
    batch->count = middle;
    lf__buf_rewind(&batch->items, batch->ends[middle - 1]);
    batch->is_part = rest->is_part = true;
    rest->whole = batch->whole;
    rest->first = batch->first + middle;
    rest->first_try_ns = batch->first_try_ns;
    rest->next = batch->next;
    batch->next = rest;
    x->batch_count++;
}

static void export_search_refused(lf__export *x, export_batch *batch)
{
    if (batch->whole != x->split_whole || !batch->is_part) {
        x->split_whole = batch->whole;
        x->split_refused = 0;
    }
    if (batch->count > 1 && x->split_refused < EXPORT_SPLIT_REFUSED_MAX) {
        export_halve(x, batch);
        return;
    }
    x->split_refused++;
    export_drop(x, batch, LF_DROP_REFUSED);
}

/* ---- 207: a verdict on each item ---- */

/* Keep only the items that are to be sent again, in their order. No memory is needed. */
static void export_keep_again(lf__export *x, export_batch *batch, const unsigned char *verdicts)
{
    size_t separator = strlen(x->wire->separator), kept = 0, length = 0;
    for (size_t i = 0, begin = 0; i < batch->count; i++) {
        size_t end = batch->ends[i];
        if (verdicts[i] == LF__VERDICT_AGAIN) {
            if (kept == 0)
                batch->first += i;
            else
                memcpy(batch->items.data + length, x->wire->separator, separator);
            length += kept == 0 ? 0 : separator;
            memmove(batch->items.data + length, batch->items.data + begin, end - begin);
            length += end - begin;
            batch->ends[kept++] = (uint32_t)length;
        }
        begin = end + separator;
    }
    batch->count = kept;
    lf__buf_rewind(&batch->items, length);
}

/* The server took the batch apart: some of it is delivered, some refused, some to be tried again. */
static void export_judged(lf__export *x, export_batch *batch, const lf__http_answer *answer)
{
    size_t again = 0, refused = 0;
    unsigned char *verdicts = lf__alloc(batch->count);
    if (verdicts != NULL)
        lf__verdict_read(verdicts, &batch->items, batch->ends, batch->count, answer, &x->tell);
    for (size_t i = 0; verdicts != NULL && i < batch->count; i++) {
        again += verdicts[i] == LF__VERDICT_AGAIN;
        refused += verdicts[i] == LF__VERDICT_REFUSED;
    }
    if (again == 0) {
        export_delivered(x, batch, refused);
    } else {
        export_count(&x->counters->dropped[LF_DROP_REFUSED], refused);
        export_count_delivered(x, batch->count - refused - again);
        export_keep_again(x, batch, verdicts);
        export_retry(x, batch, answer->retry_after_ms);
    }
    lf__free(verdicts);
}

/* ---- Any answer ---- */

/* Does a batch endpoint take no scores at all? Then another one may. */
static bool export_is_never_taken(const lf__http_answer *answer)
{
    return strstr(answer->body, export_never_takes) != NULL;
}

/* A receiver that does not know gzip takes the bytes for something else. */
static bool export_gzip_is_refused(lf__export *x, const export_batch *batch, int status)
{
    if (!batch->is_gzip || x->gzip_is_taken || (status != 400 && status != 415 && status != 422))
        return false;
    if (!x->gzip_is_refused)
        lf__log(&x->config->logger, LF__LOG_DEBUG, "%s refuses a compressed request: HTTP %d; none is compressed from now on",
                x->tell.target, status);
    x->gzip_is_refused = true;
    return true;
}

static void export_refused(lf__export *x, export_batch *batch, const lf__http_answer *answer)
{
    int status = answer->status;
    if (lf__route_turns(&x->route, batch->is_list, status) || export_gzip_is_refused(x, batch, status))
        return; /* the batch goes out once more, at once */
    lf__tell_refused(&x->tell, answer, x->wire->not_found);
    if (status == 408 || status == 429 || status >= 500 || status < 200) {
        export_retry(x, batch, answer->retry_after_ms);
    } else if (status == 413 && batch->count > 1) {
        export_halve(x, batch);
    } else if (status == 413) {
        export_drop(x, batch, LF_DROP_TOO_LARGE);
    } else if (status == 400 || status == 422) {
        export_search_refused(x, batch);
    } else {
        /* The keys or the address are wrong: a search in the content is of no use, and the next batch waits. */
        export_drop(x, batch, LF_DROP_REFUSED);
        export_pause(x, answer->retry_after_ms);
    }
}

static void export_answered(lf__export *x, export_batch *batch, const lf__http_answer *answer)
{
    int status = answer->status;
    bool delivered = status >= 200 && status < 300 && !lf__answer_is_page(answer->body, answer->body_size);
    lf__log(&x->config->logger, LF__LOG_DEBUG, "export of %zu %s%s%s: HTTP %d%s%s", batch->count, x->tell.noun,
            batch->count == 1 ? "" : "s", batch->is_gzip ? " (gzip)" : "", status, answer->message[0] == '\0' ? "" : " ",
            answer->message);
    x->gzip_is_taken |= delivered && batch->is_gzip;
    bool judges = delivered && status == 207 && x->wire->judges_events && !batch->is_list;
    if (judges && export_is_never_taken(answer) && lf__route_turns(&x->route, false, 410)) {
        export_server_is_well(x); /* the batch goes out once more, at once */
    } else if (judges) {
        export_judged(x, batch, answer);
    } else if (delivered) {
        export_taken(x, batch, answer);
    } else if (status == 0) {
        bool nobody = answer->failure == LF__HTTP_NO_CONNECTION || answer->failure == LF__HTTP_NO_SUCH_HOST;
        x->unreached = nobody ? x->unreached + 1 : 0;
        lf__tell_unreachable(&x->tell, answer->message);
        export_retry(x, batch, -1);
    } else if (status == 401 && lf__config_reread_secret(x->config, batch->request.authorization)) {
        export_server_is_well(x); /* the secret key was replaced in its file: the batch goes out once more, at once */
    } else {
        export_refused(x, batch, answer);
    }
}

/* ---- Sending ---- */

static void export_request_done(lf__http_request *request, const lf__http_answer *answer)
{
    export_batch *batch = request->owner;
    lf__export *x = batch->exporter;
    batch->in_flight = false;
    x->in_flight--;
    lf__buf_done(&batch->body);
    lf__buf_init(&batch->body, x->config->batch_bytes);
    if (!x->abandoning)
        export_answered(x, batch, answer);
}

static void export_to_file(lf__export *x, export_batch *batch)
{
    const lf__buf *const parts[] = {&batch->head, &batch->items, &batch->tail};
    const char *problem = lf__file_append(&x->file, parts, 3, x->config->timeout_ms, &x->transport->stop);
    if (problem == NULL) {
        export_delivered(x, batch, 0);
        return;
    }
    x->unreached++;
    lf__tell_unreachable(&x->tell, problem);
    export_retry(x, batch, -1);
}

static lf__http *export_http(const lf__export *x)
{
    lf__http *http = atomic_load_explicit(&x->transport->http, memory_order_relaxed);
    if (http == NULL) {
        http = lf__http_new();
        /* A thread that wakes the worker acquires it. */
        atomic_store_explicit(&x->transport->http, http, memory_order_release);
    }
    return http;
}

static void export_set_body(export_batch *batch)
{
    const lf__buf *const parts[] = {&batch->head, &batch->items, &batch->tail};
    bool is_made = batch->body.length != 0;
    for (int i = 0; i < LF__HTTP_PARTS; i++) {
        const lf__buf *part = is_made && i == 0 ? &batch->body : parts[i];
        batch->request.body[i] = is_made && i != 0 ? (lf__http_part){NULL, 0} : (lf__http_part){part->data, part->length};
    }
}

static bool export_to_server(lf__export *x, export_batch *batch)
{
    lf__http *http = export_http(x);
    batch->request = (lf__http_request){
        .config = x->config,
        .method = LF__HTTP_POST,
        .url = batch->is_list ? x->config->scores_url : x->url,
        .content_type = x->wire->content_type,
        .content_encoding = batch->is_gzip ? "gzip" : NULL,
        .timeout_ms = x->config->timeout_ms,
        .answer_max = x->wire->answer_max,
        .done = export_request_done,
        .owner = batch,
    };
    export_set_body(batch);
    if (http == NULL || !lf__http_start(http, &batch->request))
        return false;
    batch->in_flight = true;
    x->in_flight++;
    return true;
}

/* Where that fails, the batch is sent as it is. */
static void export_compress(export_batch *batch)
{
    const lf__text texts[] = {lf__buf_text(&batch->head), lf__buf_text(&batch->items), lf__buf_text(&batch->tail)};
    batch->is_gzip = lf__gzip(&batch->body, texts, sizeof texts / sizeof *texts);
}

/* False: no memory. */
static bool export_make_body(lf__export *x, export_batch *batch)
{
    lf__buf_clear(&batch->head);
    lf__buf_clear(&batch->tail);
    lf__buf_clear(&batch->body);
    batch->is_list = x->route.is_list;
    batch->is_gzip = false;
    if (batch->is_list)
        return lf__wire_list(&batch->body, &batch->items);
    if (!x->wire->head(&batch->head, x->config, batch->items.length) || !x->wire->tail(&batch->tail))
        return false;
    if (x->config->gzip && x->wire->takes_gzip && x->file.path == NULL && !x->gzip_is_refused)
        export_compress(batch);
    return true;
}

/* A list may be shorter than a batch may: it is halved before it is sent, and so is none of one score. */
static void export_shorten_list(lf__export *x, export_batch *batch)
{
    if (batch->count > 1) {
        export_halve(x, batch);
        return;
    }
    lf__tell_too_large(&x->tell, LF__RECORD_SCORE, batch->body.length, LF__WIRE_LIST_MAX);
    export_drop(x, batch, LF_DROP_TOO_LARGE);
}

static void export_start(lf__export *x, export_batch *batch)
{
    if (!export_make_body(x, batch)) {
        export_drop(x, batch, LF_DROP_NO_MEMORY);
        return;
    }
    if (batch->is_list && batch->body.length > LF__WIRE_LIST_MAX) {
        export_shorten_list(x, batch);
        return;
    }
    export_count(&x->counters->requests, 1);
    if (batch->first_try_ns == 0)
        batch->first_try_ns = lf__monotonic_ns();
    else if (!batch->is_part)
        export_count(&x->counters->retries, 1);
    if (x->file.path != NULL)
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

/* May this batch be sent beside those in flight, if it is time? */
static bool export_has_turn(const lf__export *x, const export_batch *batch)
{
    return batch != NULL && x->route.state != LF__ROUTE_ASKS &&
           x->in_flight < (x->failing || batch->is_part ? 1 : EXPORT_IN_FLIGHT);
}

void lf__export_step(lf__export *x)
{
    for (;;) {
        if (x->send_wanted)
            export_close_open(x);
        export_batch *batch = export_next_waiting(x);
        if (!export_has_turn(x, batch))
            break;
        if (x->failing && lf__monotonic_ns() < x->pause_until_ns)
            break;
        if (x->route.state == LF__ROUTE_UNKNOWN)
            lf__route_ask(&x->route, export_http(x));
        if (x->route.state == LF__ROUTE_ASKS)
            break;
        export_start(x, batch);
    }
    export_update_bytes(x);
}

/* ---- Interface ---- */

/* How much of a request is its head and tail: less than half, so that there is room for records. False: no memory. */
static bool export_measure_envelope(lf__export *x)
{
    lf__buf envelope;
    lf__buf_init(&envelope, x->config->batch_bytes / 2);
    bool ok = x->wire->head(&envelope, x->config, 0) && x->wire->tail(&envelope);
    x->envelope = envelope.length + EXPORT_LENGTHS_MAX;
    bool no_memory = envelope.no_memory;
    lf__buf_done(&envelope);
    x->no_room = !ok && !no_memory;
    if (x->no_room)
        lf__tell_no_room(&x->tell);
    return !no_memory;
}

/* The only place that knows which client's records go out in which format, and where to. */
static const lf__wire *export_wire(const lf__config *config, lf__export_kind kind, const char **out_url)
{
    bool events = kind == LF__EXPORT_SCORES || config->exporter == LF__EXPORTER_INGESTION;
    bool json = config->json || config->exporter == LF__EXPORTER_FILE;
    *out_url = events ? config->ingestion_url : config->traces_url;
    return events ? &lf__wire_ingestion : json ? &lf__wire_otlp_json : &lf__wire_otlp_protobuf;
}

bool lf__export_takes_all(const lf__config *config)
{
    const char *url;
    return export_wire(config, LF__EXPORT_OBSERVATIONS, &url)->takes_all;
}

lf__export *lf__export_new(const lf__config *config, lf__export_kind kind, lf__transport *transport, lf__counters *counters)
{
    lf__export *x = lf__alloc(sizeof *x);
    if (x == NULL)
        return NULL;
    x->config = config;
    x->transport = transport;
    x->counters = counters;
    x->wire = export_wire(config, kind, &x->url);
    x->times = (lf__export_times){500000000u, 30000000000u, 3600000000000u};
    lf__buf_init(&x->scratch, EXPORT_SCRATCH_MAX);
    bool to_file = config->exporter == LF__EXPORTER_FILE, scores = kind == LF__EXPORT_SCORES;
    lf__route_init(&x->route, config, scores && config->exporter == LF__EXPORTER_OTLP);
    /* Observations and scores are lines of different kinds: each has a file. */
    bool ok = !to_file || lf__file_init(&x->file, config->file_path, scores ? ".scores" : "");
    if (ok && (scores || lf__export_takes_all(config)))
        ok = (x->times_told = lf__alloc(sizeof *x->times_told)) != NULL;
    x->tell = (lf__tell){.config = config,
                         .target = to_file ? x->file.path : config->base_url,
                         .noun = scores ? "score" : x->wire->noun,
                         .of_scores = scores};
    if (ok && export_measure_envelope(x))
        return x;
    lf__export_free(x);
    return NULL;
}

void lf__export_tune(lf__export *x, lf__export_times times)
{
    x->times = times;
}

void lf__export_send(lf__export *x)
{
    export_close_open(x);
    lf__export_step(x);
}

bool lf__export_busy(const lf__export *x)
{
    return x->batches != NULL || x->send_wanted;
}

size_t lf__export_held(const lf__export *x)
{
    size_t held = x->open == NULL ? 0 : x->open->count;
    for (const export_batch *batch = x->batches; batch != NULL; batch = batch->next)
        held += batch->count;
    return held;
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

uint64_t lf__export_next_ns(const lf__export *x)
{
    if (x->send_wanted && x->batch_count < LF__EXPORT_BATCHES)
        return 0;
    if (!export_has_turn(x, export_next_waiting(x)))
        return UINT64_MAX;
    return x->failing ? x->pause_until_ns : 0;
}

void lf__export_hurry(lf__export *x)
{
    x->pause_until_ns = 0;
    x->unreached = 0;
}

bool lf__export_is_hopeless(const lf__export *x)
{
    return x->unreached >= EXPORT_HOPELESS;
}

void lf__export_abandon(lf__export *x, lf_drop_reason reason)
{
    lf__http *http = atomic_load_explicit(&x->transport->http, memory_order_relaxed);
    x->abandoning = true; /* a request that is cut short is dropped below instead of tried again */
    lf__route_cancel(&x->route, http);
    for (export_batch *batch = x->batches; batch != NULL; batch = batch->next)
        if (batch->in_flight)
            lf__http_cancel(http, &batch->request);
    x->abandoning = false;
    while (x->batches != NULL)
        export_drop(x, x->batches, reason);
    if (x->open != NULL) {
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
    lf__buf_done(&x->scratch);
    lf__free(x->times_told);
    lf__file_done(&x->file);
    lf__free(x);
}

void lf__transport_done(lf__transport *transport)
{
    lf__http_free(atomic_exchange_explicit(&transport->http, NULL, memory_order_relaxed));
}
