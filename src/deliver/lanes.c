#define _GNU_SOURCE
#include "lanes.h"

#include "../base/clients.h"
#include "../base/once.h"
#include "../observe/capture.h"
#include "../observe/propagate.h"
#include "../observe/ring.h"
#include "mask.h"
#include "pending.h"
#include "trace_clock.h"
#include "trace_table.h"

#include <string.h>

enum {
    LANES_FREE_SEGMENTS = 4, /* of ended threads that keep their addresses */
    LANES_MASKED_MAX = 16 << 20,
    LANES_PAGES_MS = 500, /* memory of a burst goes back once it was not needed for this long, or twice as long */
    LANES_CLOCK_MS = 1000 /* between two looks at a clock that is not set */
};

/* Earlier than this no program has used the library: November 2026. */
static const uint64_t lanes_built_s = 1793491200;

/* A queue and where it is sent. */
typedef struct lanes_lane {
    lf__export *exporter; /* NULL: not needed so far */
    lf__pending *pending;
    uint64_t deadline_ns;   /* when the oldest queued record must be sent; 0: nothing queued */
    uint64_t flush_target;  /* queue number up to which the flush being worked on reaches */
    bool flush_handed_over; /* all of them are with the exporter */
    uint64_t flush_mark;    /* exporter number up to which they reach then */
} lanes_lane;

enum { LANES_OBSERVATIONS, LANES_SCORES, LANES_KINDS };

typedef struct lanes_client {
    lf__config *config; /* NULL: nothing is sent */
    lanes_lane lanes[LANES_KINDS];
    lf__traces *traces; /* NULL: nothing was said of a trace so far */
} lanes_client;

struct lf__lanes {
    lf__lanes *of_parent;
    lanes_client clients[LF__CLIENTS];
    uint32_t client_count; /* of those that were ever in use */
    lf__transport transport;
    lf__trace_clocks *clocks;
    lf__buf masked;
    uint64_t pages_ns; /* when to look for memory of the rings to give back; 0: there is none */
    unsigned told_problems; /* kinds of bad attributes, each said once */
    bool told_left_out;
};

#define LANES_EACH_CLIENT(all, client) \
    for (lanes_client *client = (all)->clients; client < (all)->clients + (all)->client_count; client++)
#define LANES_EACH(all, client, lane)                                                      \
    LANES_EACH_CLIENT(all, client)                                                         \
        for (lanes_lane *lane = client->lanes; lane < client->lanes + LANES_KINDS; lane++) \
            if (lane->exporter != NULL)

lf__counters lf__lanes_counters;
_Atomic uint64_t lf__lanes_accepted;

/* For lf__lanes_queued. The worker writes the first two, a thread that copies a record the third. */
static _Atomic uint64_t lanes_held;   /* records in queues and batches, as of a moment ago, and records taken since */
static _Atomic uint64_t lanes_taken;  /* ever, out of rings; updates of traces not. Release, pairs with lanes_in_rings */
static _Atomic uint64_t lanes_copied; /* and not taken yet */

/* ---- Where records are ---- */

void lf__lanes_drop(lf_drop_reason reason)
{
    atomic_fetch_add_explicit(&lf__lanes_counters.dropped[reason], 1, memory_order_release);
}

void lf__lanes_accept(void)
{
    atomic_fetch_add_explicit(&lf__lanes_accepted, 1, memory_order_relaxed);
}

static void lanes_tell_held(lf__lanes *lanes)
{
    uint64_t held = 0;
    LANES_EACH(lanes, client, lane)
        held += lf__pending_count(lane->pending) + lf__export_held(lane->exporter);
    atomic_store_explicit(&lanes_held, held, memory_order_relaxed);
}

/* A ring that is empty holds nothing, whatever the counters say; of the others they know the sum. */
static uint64_t lanes_in_rings(void)
{
    uint64_t put = 0;
    bool any = false;
    for (lf__segment *s = atomic_load_explicit(&lf__segments, memory_order_acquire); s != NULL; s = s->next) {
        any |= atomic_load_explicit(&s->consumed, memory_order_acquire) !=
               atomic_load_explicit(&s->published, memory_order_acquire);
        uint64_t not_put = atomic_load_explicit(&s->ignored, memory_order_relaxed) + lf__segment_dropped(s);
        put += atomic_load_explicit(&s->ended, memory_order_relaxed) - not_put;
    }
    uint64_t taken = atomic_load_explicit(&lanes_taken, memory_order_acquire);
    return any && put > taken ? put - taken : 0;
}

uint64_t lf__lanes_queued(void)
{
    /* The way that records go, so that none is missed. */
    uint64_t queued = lanes_in_rings();
    queued += atomic_load_explicit(&lanes_copied, memory_order_acquire);
    return queued + atomic_load_explicit(&lanes_held, memory_order_relaxed);
}

/* ---- Clients ---- */

static void lanes_close_lane(lanes_lane *lane)
{
    if (lane->exporter == NULL)
        return;
    lf__pending_drop_all(lane->pending, LF_DROP_SHUTDOWN);
    lf__export_abandon(lane->exporter, LF_DROP_SHUTDOWN);
    lf__export_free(lane->exporter);
    lf__pending_free(lane->pending);
    *lane = (lanes_lane){0};
}

static void lanes_close_client(lanes_client *client)
{
    for (int i = 0; i < LANES_KINDS; i++)
        lanes_close_lane(&client->lanes[i]);
    lf__traces_free(client->traces);
    client->traces = NULL;
    lf__config_free(client->config);
    client->config = NULL;
}

static bool lanes_open_lane(lf__lanes *lanes, lanes_client *client, int kind)
{
    lanes_lane *lane = &client->lanes[kind];
    if (lane->exporter != NULL)
        return true;
    lf__export_kind what = kind == LANES_SCORES ? LF__EXPORT_SCORES : LF__EXPORT_OBSERVATIONS;
    size_t bytes = kind == LANES_SCORES ? client->config->queue_bytes / 8 : client->config->queue_bytes;
    lane->exporter = lf__export_new(client->config, what, &lanes->transport, &lf__lanes_counters);
    lane->pending = lf__pending_new(bytes, lf__lanes_counters.dropped);
    if (lane->exporter != NULL && lane->pending != NULL)
        return true;
    lf__export_free(lane->exporter);
    lf__pending_free(lane->pending);
    *lane = (lanes_lane){0};
    return false;
}

static void lanes_update_client(lf__lanes *lanes, uint32_t index)
{
    lanes_client *client = &lanes->clients[index];
    lf__config *wanted = lf__client_sending(index);
    if (wanted == client->config) {
        lf__config_free(wanted);
        return;
    }
    lanes_close_client(client);
    client->config = wanted;
    if (index >= lanes->client_count)
        lanes->client_count = index + 1;
}

void lf__lanes_update(lf__lanes *lanes)
{
    for (uint32_t i = 0; i < lf__client_count(); i++)
        lanes_update_client(lanes, i);
}

/* ---- Taking records in ---- */

static void lanes_tell_problems(lf__lanes *lanes, const lanes_client *client, const lf__record *record)
{
    unsigned problems = lf__propagated_problems(record) & ~lanes->told_problems;
    lanes->told_problems |= problems;
    for (unsigned bit = 1; problems != 0; problems &= ~bit, bit <<= 1)
        if ((problems & bit) != 0 && lf__first_time(lf__cause(0, lf__propagated_problem_text(bit), NULL)))
            lf__log(&client->config->logger, LF__LOG_WARNING, "%s", lf__propagated_problem_text(bit));
}

/* An update of a trace is masked once, when it comes in. */
static void lanes_take_trace(lf__lanes *lanes, lanes_client *client, const lf__record *record)
{
    if (client->traces == NULL)
        client->traces = lf__traces_new(client->config->queue_bytes / 8);
    const lf__record *masked = lf__mask_record(&lanes->masked, record, client->config);
    if (client->traces != NULL && masked != NULL)
        (void)lf__traces_add(client->traces, masked);
}

static void lanes_take(lf__lanes *lanes, const lf__record *record)
{
    uint32_t index = record->client % LF__CLIENTS;
    lanes_client *client = &lanes->clients[index];
    if (client->config == NULL) /* set a moment ago, perhaps */
        lanes_update_client(lanes, index);
    bool takes_all = client->config != NULL && lf__export_takes_all(client->config);
    if (record->kind == LF__RECORD_TRACE) {
        if (client->config != NULL)
            lanes_take_trace(lanes, client, record);
        if (!takes_all || (record->flags & LF__FLAG_SILENT) != 0)
            return;
        lf__lanes_accept(); /* there it is an event by itself */
    } else if ((record->flags & LF__FLAG_ATTRIBUTES) != 0 && client->config != NULL) {
        lanes_tell_problems(lanes, client, record);
    }
    int kind = record->kind == LF__RECORD_SCORE && !takes_all ? LANES_SCORES : LANES_OBSERVATIONS;
    if (client->config == NULL)
        lf__lanes_drop(LF_DROP_SHUTDOWN);
    else if (!lanes_open_lane(lanes, client, kind))
        lf__lanes_drop(LF_DROP_NO_MEMORY);
    else
        lf__pending_add(client->lanes[kind].pending, record);
}

static void lanes_take_from_ring(lf__lanes *lanes, const lf__record *record)
{
    lf__count(&lanes_held); /* before it counts as taken; counted anew when the ring is empty */
    lanes_take(lanes, record);
    if (record->kind != LF__RECORD_TRACE)
        atomic_store_explicit(&lanes_taken, atomic_load_explicit(&lanes_taken, memory_order_relaxed) + 1, memory_order_release);
}

void lf__lanes_copy_waits(void)
{
    atomic_fetch_add_explicit(&lanes_copied, 1, memory_order_relaxed);
}

void lf__lanes_take_copy(lf__lanes *lanes, const lf__record *record)
{
    lf__count(&lanes_held);
    lanes_take(lanes, record);
    atomic_fetch_sub_explicit(&lanes_copied, 1, memory_order_release);
}

static void lanes_tell_left_out(lf__lanes *lanes)
{
    if (lanes->told_left_out || atomic_load_explicit(&lf__left_out, memory_order_relaxed) == 0)
        return;
    lanes->told_left_out = true;
    if (lf__first_time(lf__cause(0, "left out", NULL)))
        lf__client_tell(0, LF__LOG_WARNING,
                        "values are left out of observations that have no room for them:"
                        " LANGFUSE_MAX_EVENT_SIZE_BYTES is reached, or open handles hold all they may;"
                        " lf_stats.left_out counts them");
}

static void lanes_update_client_budget(lanes_client *client)
{
    lanes_lane *observations = &client->lanes[LANES_OBSERVATIONS], *scores = &client->lanes[LANES_SCORES];
    size_t limit = client->config->queue_bytes, other = client->traces == NULL ? 0 : lf__traces_bytes(client->traces);
    if (scores->exporter != NULL)
        other += lf__pending_bytes(scores->pending) + lf__export_bytes(scores->exporter);
    if (observations->exporter == NULL)
        return;
    /* An eighth stays free for the rings, so that under pressure it is the queue that lets go of what is oldest, not the
     * rings of what is newest. */
    size_t room = limit - limit / 8, used = other + lf__export_bytes(observations->exporter);
    lf__pending_set_max(observations->pending, room > used + limit / 8 ? room - used : limit / 8);
}

static void lanes_update_budget(lf__lanes *lanes)
{
    size_t bytes = lanes->masked.capacity;
    LANES_EACH_CLIENT(lanes, client) {
        if (client->config == NULL)
            continue;
        lanes_update_client_budget(client);
        bytes += client->traces == NULL ? 0 : lf__traces_bytes(client->traces);
    }
    LANES_EACH(lanes, client, lane)
        bytes += lf__pending_bytes(lane->pending) + lf__export_bytes(lane->exporter);
    atomic_store_explicit(&lf__queue_budget.worker, bytes, memory_order_relaxed);
    lanes_tell_held(lanes);
}

/* A few segments keep their addresses for the next threads; those of the others go back. */
static void lanes_rest(lf__segment *segment)
{
    unsigned free_segments = 0;
    for (lf__segment *s = atomic_load_explicit(&lf__segments, memory_order_acquire);
         s != NULL && free_segments < LANES_FREE_SEGMENTS; s = s->next)
        free_segments += atomic_load_explicit(&s->state, memory_order_relaxed) == LF__SEGMENT_FREE;
    lf__segment_drop_memory(segment);
    bool keeps = free_segments < LANES_FREE_SEGMENTS;
    if (!keeps)
        lf__segment_drop_addresses(segment);
    atomic_store_explicit(&segment->state, keeps ? LF__SEGMENT_FREE : LF__SEGMENT_HOLLOW, memory_order_release);
}

static void lanes_drain_segment(lf__lanes *lanes, lf__segment *segment)
{
    lf__drain drain = lf__ring_drain(segment);
    const lf__record *record;
    while ((record = lf__ring_next(&drain)) != NULL)
        lanes_take_from_ring(lanes, record);
    uint8_t trace_id[16];
    while (lf__ring_lost_trace(segment, trace_id))
        LANES_EACH(lanes, client, lane)
            lf__pending_drop_trace(lane->pending, trace_id, LF_DROP_QUEUE_FULL);
}

void lf__lanes_drain(lf__lanes *lanes)
{
    for (lf__segment *s = atomic_load_explicit(&lf__segments, memory_order_acquire); s != NULL; s = s->next) {
        int left = LF__SEGMENT_LEFT; /* unless a new thread takes it first */
        bool rests = atomic_compare_exchange_strong_explicit(&s->state, &left, LF__SEGMENT_RESTING, memory_order_acquire,
                                                             memory_order_relaxed);
        lanes_drain_segment(lanes, s);
        if (rests)
            lanes_rest(s);
        lanes_update_budget(lanes);
    }
    lanes_tell_left_out(lanes);
    LANES_EACH(lanes, client, lane) {
        if (lf__pending_count(lane->pending) == 0)
            lane->deadline_ns = 0;
        else if (lane->deadline_ns == 0)
            lane->deadline_ns = lf__monotonic_ns() + client->config->flush_interval_ms * 1000000u;
    }
}

uint64_t lf__lanes_give_back(lf__lanes *lanes)
{
    uint64_t now = lf__monotonic_ns();
    if (now < lanes->pages_ns)
        return lanes->pages_ns;
    bool more = false;
    for (lf__segment *s = atomic_load_explicit(&lf__segments, memory_order_acquire); s != NULL; s = s->next)
        more |= lf__ring_give_back_pages(s);
    lanes->pages_ns = more ? now + LANES_PAGES_MS * 1000000u : 0;
    return lanes->pages_ns;
}

/* ---- Handing over to the exporter ---- */

/* A device that has just booted may believe that it is 1970. What it sends waits until its clock is set, or until it stops. */
static bool lanes_wait_for_clock(void)
{
    bool waits = lf__wall_ns() < lanes_built_s * 1000000000u && lf__is_started();
    if (waits && lf__first_time(lf__cause(0, "clock", NULL)))
        lf__client_tell(0, LF__LOG_WARNING, "the clock of this machine is not set; nothing is sent until it is");
    return waits;
}

static bool lanes_should_send(const lanes_client *client, const lanes_lane *lane, bool flushes)
{
    size_t count = lf__pending_count(lane->pending);
    if (count == 0 || lanes_wait_for_clock())
        return false;
    return flushes || count >= client->config->flush_at || lf__pending_bytes(lane->pending) >= client->config->batch_bytes ||
           lf__monotonic_ns() >= lane->deadline_ns;
}

/* Under a low ceiling, batches on their way leave the queue half of it: only there the oldest can be let go. */
static bool lanes_may_batch(const lanes_client *client, const lanes_lane *lane)
{
    return !lf__export_busy(lane->exporter) ||
           lf__export_bytes(lane->exporter) + client->config->batch_bytes <= client->config->queue_bytes / 2;
}

/* Encode one record, masked, with what is known of its trace. */
static lf__add lanes_add(lf__lanes *lanes, lanes_client *client, lanes_lane *lane, const lf__record *record, int64_t now_offset_ns)
{
    /* A score is made when it is made, whatever the times of its trace are. */
    bool is_score = record->kind == LF__RECORD_SCORE;
    int64_t offset_ns = is_score ? now_offset_ns : lf__trace_clock(lanes->clocks, record->trace_id, now_offset_ns);
    const lf__record *trace = client->traces == NULL ? NULL : lf__traces_get(client->traces, record->trace_id);
    const lf__record *masked = lf__mask_record(&lanes->masked, record, client->config);
    if (masked == NULL) {
        lf__lanes_drop(LF_DROP_NO_MEMORY);
        return LF__ADD_DONE;
    }
    return lf__export_add(lane->exporter, masked, trace, offset_ns);
}

/* Move queued records into batches, as far as the exporter takes them. */
static void lanes_send(lf__lanes *lanes, lanes_client *client, lanes_lane *lane)
{
    int64_t now_offset_ns = (int64_t)(lf__wall_ns() - lf__monotonic_ns());
    const lf__record *record;
    if (lanes->clocks == NULL)
        lanes->clocks = lf__trace_clocks_new(); /* without memory each send has its own offset */
    while (!atomic_load_explicit(&lanes->transport.stop, memory_order_relaxed) && lanes_may_batch(client, lane) &&
           (record = lf__pending_first(lane->pending)) != NULL) { /* a mask hook may take its time for each of them */
        if (lanes_add(lanes, client, lane, record, now_offset_ns) == LF__ADD_FULL) {
            lf__export_send(lane->exporter);
            if (!lanes_may_batch(client, lane) || lanes_add(lanes, client, lane, record, now_offset_ns) == LF__ADD_FULL)
                break; /* as much is on its way as may be */
        }
        lf__pending_remove_first(lane->pending);
    }
    lf__export_send(lane->exporter);
    lane->deadline_ns = 0;
    lanes_update_budget(lanes);
}

void lf__lanes_send(lf__lanes *lanes, bool flushes)
{
    LANES_EACH(lanes, client, lane) {
        if (lanes_should_send(client, lane, flushes))
            lanes_send(lanes, client, lane);
        lf__export_step(lane->exporter);
    }
    lanes_tell_held(lanes); /* before a thread that flushes is told that it is over */
}

uint64_t lf__lanes_due_ns(lf__lanes *lanes, bool flushes)
{
    uint64_t until_ns = UINT64_MAX;
    LANES_EACH(lanes, client, lane) {
        if (lanes_should_send(client, lane, flushes) && lanes_may_batch(client, lane))
            return 0; /* a batch that was on its way before has arrived */
        uint64_t next_ns = lf__export_next_ns(lane->exporter);
        until_ns = next_ns < until_ns ? next_ns : until_ns;
        uint64_t deadline_ns = lane->deadline_ns;
        if (deadline_ns != 0 && lanes_wait_for_clock())
            deadline_ns = lf__monotonic_ns() + LANES_CLOCK_MS * 1000000u;
        if (deadline_ns != 0 && deadline_ns < until_ns)
            until_ns = deadline_ns;
        /* While one waits for its server, others may be given records: a look now and then. */
        uint64_t look_ns = lf__monotonic_ns() + client->config->flush_interval_ms * 1000000u;
        if (lf__export_busy(lane->exporter) && look_ns < until_ns)
            until_ns = look_ns;
    }
    return until_ns;
}

/* ---- Flush and stop ---- */

void lf__lanes_begin_flush(lf__lanes *lanes)
{
    LANES_EACH(lanes, client, lane) {
        lane->flush_target = lf__pending_added(lane->pending);
        lane->flush_handed_over = false;
        lf__export_hurry(lane->exporter);
    }
}

static bool lanes_is_flushed(lanes_lane *lane, bool exits)
{
    if (exits && lf__export_is_hopeless(lane->exporter))
        return true;
    if (lf__pending_first_number(lane->pending) < lane->flush_target)
        return false;
    if (!lane->flush_handed_over) {
        lane->flush_handed_over = true;
        lane->flush_mark = lf__export_added(lane->exporter);
    }
    return lf__export_oldest(lane->exporter) >= lane->flush_mark;
}

bool lf__lanes_are_flushed(lf__lanes *lanes, bool exits)
{
    bool done = true;
    LANES_EACH(lanes, client, lane)
        done = done && lanes_is_flushed(lane, exits);
    return done;
}

long lf__lanes_hurry(lf__lanes *lanes)
{
    long longest_ms = 0;
    LANES_EACH_CLIENT(lanes, client)
        if (client->config != NULL && client->config->exit_timeout_ms > longest_ms)
            longest_ms = client->config->exit_timeout_ms;
    LANES_EACH(lanes, client, lane) {
        lf__export_hurry(lane->exporter);
        lane->deadline_ns = lane->deadline_ns == 0 ? 0 : 1;
    }
    return longest_ms;
}

bool lf__lanes_are_hopeless(const lf__lanes *lanes)
{
    bool hopeless = true;
    for (uint32_t i = 0; i < lanes->client_count; i++)
        for (const lanes_lane *lane = lanes->clients[i].lanes; lane < lanes->clients[i].lanes + LANES_KINDS; lane++)
            hopeless = hopeless &&
                       (lane->exporter == NULL || lf__pending_count(lane->pending) + lf__export_held(lane->exporter) == 0 ||
                        lf__export_is_hopeless(lane->exporter));
    return hopeless;
}

void lf__lanes_let_go(lf__lanes *lanes)
{
    lf__lanes_drain(lanes);
    LANES_EACH(lanes, client, lane) {
        lf__pending_drop_all(lane->pending, LF_DROP_SHUTDOWN);
        lf__export_abandon(lane->exporter, LF_DROP_SHUTDOWN);
    }
    lanes_update_budget(lanes);
}

void lf__lanes_stop(lf__lanes *lanes, bool stops)
{
    atomic_store(&lanes->transport.stop, stops);
}

/* ---- Questions ---- */

lf__http *lf__lanes_http(lf__lanes *lanes)
{
    return atomic_load_explicit(&lanes->transport.http, memory_order_acquire);
}

lf_status lf__lanes_trace_text(lf__lanes *lanes, uint32_t client, const uint8_t trace_id[16], char **out_text)
{
    lf__traces *traces = lanes->clients[client].traces;
    const lf__record *trace = traces == NULL ? NULL : lf__traces_get(traces, trace_id);
    for (const lf__field *field = NULL; trace != NULL && (field = lf__record_next(trace, field)) != NULL;) {
        if (field->tag != LF__TAG_EXTERNAL_TRACE_ID)
            continue;
        char *text = lf__alloc(field->length + 1u);
        if (text == NULL)
            return LF_ERR_MEMORY;
        memcpy(text, lf__field_payload(field), field->length);
        *out_text = text;
        break;
    }
    return LF_OK;
}

/* ---- Beginning and end ---- */

lf__lanes *lf__lanes_new(lf__lanes *of_parent)
{
    lf__lanes *lanes = lf__alloc(sizeof *lanes);
    if (lanes == NULL)
        return NULL;
    lf__buf_init(&lanes->masked, LANES_MASKED_MAX);
    lanes->of_parent = of_parent;
    if (of_parent != NULL) { /* traces go on in a child */
        lanes->clocks = of_parent->clocks;
        of_parent->clocks = NULL;
    }
    return lanes;
}

void lf__lanes_close(lf__lanes *lanes)
{
    LANES_EACH_CLIENT(lanes, client)
        lanes_close_client(client);
    lf__transport_done(&lanes->transport);
    lf__buf_done(&lanes->masked);
    lf__buf_init(&lanes->masked, LANES_MASKED_MAX);
    lf__trace_clocks *clocks = lanes->clocks;
    lanes->clocks = NULL; /* first: a child that is forked here must not keep them */
    lf__trace_clocks_free(clocks);
    atomic_store_explicit(&lf__queue_budget.worker, 0, memory_order_relaxed);
}

void lf__lanes_after_fork_child(void)
{
    static const lf__counters none;
    lf__lanes_counters = none;
    atomic_store_explicit(&lf__lanes_accepted, 0, memory_order_relaxed);
    atomic_store_explicit(&lanes_held, 0, memory_order_relaxed);
    atomic_store_explicit(&lanes_taken, 0, memory_order_relaxed); /* the rings are new, too */
    atomic_store_explicit(&lanes_copied, 0, memory_order_relaxed);
}
