#include "pending.h"

#include <string.h>

enum {
    PENDING_CHUNK = 256 << 10,
    PENDING_BUCKETS_MIN = 256,
    PENDING_TRACES_KEPT = 512, /* entries for the next traces; those of a burst go back */
    /* Dropped traces remembered, so that their late records do not arrive alone: a direct-mapped table, where a newer one
     * takes the place of an older. */
    PENDING_REMEMBERED = 4096
};

typedef struct pending_item {
    struct pending_item *next_of_trace;
    uint64_t number;
    lf__record record; /* kind PAD once it is dropped */
} pending_item;

typedef struct pending_chunk {
    struct pending_chunk *next;
    size_t capacity;
    size_t used;
    size_t read; /* offset of the first item not removed yet */
    uint64_t memory[];
} pending_chunk;

typedef struct pending_trace {
    struct pending_trace *next_in_bucket;
    pending_item *first;
    pending_item *last;
    uint8_t id[16];
} pending_trace;

struct lf__pending {
    pending_chunk *head; /* oldest */
    pending_chunk *tail; /* being filled */
    pending_chunk *spare; /* one empty chunk kept, so that a steady flow allocates nothing */
    pending_trace **buckets;
    size_t bucket_count;
    size_t trace_count;
    pending_trace *free_traces;
    size_t free_count;
    size_t count;
    size_t bytes;
    size_t max_bytes;
    uint64_t added;
    _Atomic uint64_t *drops; /* by reason */
    bool any_dropped;
    uint8_t dropped[PENDING_REMEMBERED][16];
};

static size_t pending_hash(const uint8_t id[16])
{
    /* Ids are random or come from SHA-256, so any eight bytes are a hash already. */
    uint64_t half;
    memcpy(&half, id + 8, sizeof half);
    return (size_t)(half ^ (half >> 32));
}

static void pending_count_drop(lf__pending *pending, lf_drop_reason reason)
{
    atomic_fetch_add_explicit(&pending->drops[reason], 1, memory_order_release);
}

lf__pending *lf__pending_new(size_t max_bytes, _Atomic uint64_t *drops)
{
    lf__pending *pending = lf__alloc(sizeof *pending);
    if (pending == NULL)
        return NULL;
    pending->buckets = lf__alloc(PENDING_BUCKETS_MIN * sizeof *pending->buckets);
    if (pending->buckets == NULL) {
        lf__free(pending);
        return NULL;
    }
    pending->bucket_count = PENDING_BUCKETS_MIN;
    pending->max_bytes = max_bytes;
    pending->drops = drops;
    return pending;
}

static void pending_free_chunks(pending_chunk *chunk)
{
    while (chunk != NULL) {
        pending_chunk *next = chunk->next;
        lf__free(chunk);
        chunk = next;
    }
}

static void pending_free_traces(pending_trace *trace)
{
    while (trace != NULL) {
        pending_trace *next = trace->next_in_bucket;
        lf__free(trace);
        trace = next;
    }
}

void lf__pending_free(lf__pending *pending)
{
    if (pending == NULL)
        return;
    pending_free_chunks(pending->head);
    lf__free(pending->spare);
    for (size_t i = 0; i < pending->bucket_count; i++)
        pending_free_traces(pending->buckets[i]);
    pending_free_traces(pending->free_traces);
    lf__free(pending->buckets);
    lf__free(pending);
}

static pending_trace **pending_find(lf__pending *pending, const uint8_t id[16])
{
    pending_trace **link = &pending->buckets[pending_hash(id) & (pending->bucket_count - 1)];
    while (*link != NULL && memcmp((*link)->id, id, 16) != 0)
        link = &(*link)->next_in_bucket;
    return link;
}

/* More buckets than traces keep the chains short; without memory the chains just get longer. */
static void pending_grow_buckets(lf__pending *pending)
{
    size_t count = pending->bucket_count * 2;
    pending_trace **buckets = lf__alloc(count * sizeof *buckets);
    if (buckets == NULL)
        return;
    for (size_t i = 0; i < pending->bucket_count; i++) {
        for (pending_trace *trace = pending->buckets[i]; trace != NULL;) {
            pending_trace *next = trace->next_in_bucket;
            size_t bucket = pending_hash(trace->id) & (count - 1);
            trace->next_in_bucket = buckets[bucket];
            buckets[bucket] = trace;
            trace = next;
        }
    }
    lf__free(pending->buckets);
    pending->bytes += (count - pending->bucket_count) * sizeof *buckets;
    pending->buckets = buckets;
    pending->bucket_count = count;
}

static pending_trace *pending_find_or_add(lf__pending *pending, const uint8_t id[16])
{
    pending_trace **link = pending_find(pending, id);
    if (*link != NULL)
        return *link;
    pending_trace *trace = pending->free_traces;
    if (trace != NULL) {
        pending->free_traces = trace->next_in_bucket;
        pending->free_count--;
    } else {
        trace = lf__alloc(sizeof *trace);
        if (trace == NULL)
            return NULL;
        pending->bytes += sizeof *trace;
    }
    memcpy(trace->id, id, 16);
    trace->first = trace->last = NULL;
    trace->next_in_bucket = NULL;
    *link = trace;
    if (++pending->trace_count > pending->bucket_count)
        pending_grow_buckets(pending);
    return trace;
}

static void pending_remove_trace(lf__pending *pending, pending_trace **link)
{
    pending_trace *trace = *link;
    *link = trace->next_in_bucket;
    pending->trace_count--;
    if (pending->free_count == PENDING_TRACES_KEPT) {
        pending->bytes -= sizeof *trace;
        lf__free(trace);
        return;
    }
    trace->next_in_bucket = pending->free_traces;
    pending->free_traces = trace;
    pending->free_count++;
}

/* When everything was handed on, traces that lost their beginning may go on: one that lasts for days should not stay invisible
 * for ever. A queue that was emptied by dropping keeps them in mind: the next record is most likely of the same trace. */
static void pending_forget_dropped(lf__pending *pending)
{
    if (!pending->any_dropped)
        return;
    pending->any_dropped = false;
    memset(pending->dropped, 0, sizeof pending->dropped);
}

static pending_item *pending_item_at(pending_chunk *chunk, size_t offset)
{
    return (pending_item *)(void *)((char *)chunk->memory + offset);
}

static size_t pending_item_size(size_t record_size)
{
    return lf__align8(offsetof(pending_item, record) + record_size);
}

static void pending_retire_head(lf__pending *pending)
{
    pending_chunk *chunk = pending->head;
    pending->head = chunk->next;
    if (pending->head == NULL)
        pending->tail = NULL;
    if (pending->spare == NULL && chunk->capacity == PENDING_CHUNK) {
        pending->spare = chunk;
        return;
    }
    pending->bytes -= sizeof *chunk + chunk->capacity;
    lf__free(chunk);
}

/* Move past dropped items and used-up chunks; the first live item or NULL. */
static pending_item *pending_front(lf__pending *pending)
{
    while (pending->head != NULL) {
        pending_chunk *chunk = pending->head;
        while (chunk->read < chunk->used) {
            pending_item *item = pending_item_at(chunk, chunk->read);
            if (item->record.kind != LF__RECORD_PAD)
                return item;
            chunk->read += pending_item_size(item->record.size);
        }
        pending_retire_head(pending);
    }
    return NULL;
}

static bool pending_was_dropped(const lf__pending *pending, const uint8_t id[16])
{
    return pending->any_dropped && memcmp(pending->dropped[pending_hash(id) % PENDING_REMEMBERED], id, 16) == 0;
}

void lf__pending_drop_trace(lf__pending *pending, const uint8_t trace_id[16], lf_drop_reason reason)
{
    uint8_t id[16]; /* the caller's may lie in a record that goes */
    memcpy(id, trace_id, sizeof id);
    memcpy(pending->dropped[pending_hash(id) % PENDING_REMEMBERED], id, sizeof id);
    pending->any_dropped = true;
    pending_trace **link = pending_find(pending, id);
    if (*link == NULL)
        return;
    for (pending_item *item = (*link)->first; item != NULL; item = item->next_of_trace) {
        item->record.kind = LF__RECORD_PAD;
        pending->count--;
        pending_count_drop(pending, reason);
    }
    pending_remove_trace(pending, link);
}

void lf__pending_drop_all(lf__pending *pending, lf_drop_reason reason)
{
    while (pending_front(pending) != NULL) {
        lf__pending_remove_first(pending);
        pending_count_drop(pending, reason);
    }
}

static void pending_free_spare(lf__pending *pending)
{
    if (pending->spare == NULL)
        return;
    pending->bytes -= sizeof *pending->spare + pending->spare->capacity;
    lf__free(pending->spare);
    pending->spare = NULL;
}

static bool pending_make_room(lf__pending *pending, size_t bytes)
{
    while (pending->bytes + bytes > pending->max_bytes) {
        pending_item *oldest = pending_front(pending);
        if (oldest == NULL) {
            pending_free_spare(pending);
            return pending->bytes + bytes <= pending->max_bytes;
        }
        lf__pending_drop_trace(pending, oldest->record.trace_id, LF_DROP_QUEUE_FULL);
    }
    return true;
}

/* The ceiling holds at once: while too much is queued, no thread can bring the next record. */
void lf__pending_set_max(lf__pending *pending, size_t max_bytes)
{
    pending->max_bytes = max_bytes;
    (void)pending_make_room(pending, 0);
}

static bool pending_add_chunk(lf__pending *pending, size_t size)
{
    pending_chunk *chunk = pending->spare;
    if (chunk != NULL && size <= chunk->capacity) {
        pending->spare = NULL;
    } else {
        /* Under a low ceiling smaller ones, so that there are several and the oldest can be given back. */
        size_t usual = pending->max_bytes / 4 < PENDING_CHUNK ? lf__align8(pending->max_bytes / 4) : PENDING_CHUNK;
        size_t capacity = size > usual ? size : usual;
        if (!pending_make_room(pending, sizeof *chunk + capacity))
            return false;
        chunk = lf__alloc(sizeof *chunk + capacity);
        if (chunk == NULL)
            return false;
        chunk->capacity = capacity;
        pending->bytes += sizeof *chunk + capacity;
    }
    chunk->next = NULL;
    chunk->used = chunk->read = 0;
    if (pending->tail != NULL)
        pending->tail->next = chunk;
    else
        pending->head = chunk;
    pending->tail = chunk;
    return true;
}

void lf__pending_add(lf__pending *pending, const lf__record *record)
{
    uint64_t number = pending->added++;
    if (pending_was_dropped(pending, record->trace_id)) {
        pending_count_drop(pending, LF_DROP_QUEUE_FULL);
        return;
    }
    size_t size = pending_item_size(record->size);
    if (pending->tail == NULL || size > pending->tail->capacity - pending->tail->used) {
        size_t before = pending->bytes;
        if (!pending_add_chunk(pending, size)) {
            bool full = before + size > pending->max_bytes;
            pending_count_drop(pending, full ? LF_DROP_QUEUE_FULL : LF_DROP_NO_MEMORY);
            lf__pending_drop_trace(pending, record->trace_id, LF_DROP_QUEUE_FULL);
            return;
        }
        /* Making room may have dropped the trace of this record. */
        if (pending_was_dropped(pending, record->trace_id)) {
            pending_count_drop(pending, LF_DROP_QUEUE_FULL);
            return;
        }
    }
    pending_trace *trace = pending_find_or_add(pending, record->trace_id);
    if (trace == NULL) {
        pending_count_drop(pending, LF_DROP_NO_MEMORY);
        return;
    }
    pending_item *item = pending_item_at(pending->tail, pending->tail->used);
    item->next_of_trace = NULL;
    item->number = number;
    memcpy(&item->record, record, record->size);
    pending->tail->used += size;
    if (trace->last != NULL)
        trace->last->next_of_trace = item;
    else
        trace->first = item;
    trace->last = item;
    pending->count++;
}

const lf__record *lf__pending_first(lf__pending *pending)
{
    pending_item *item = pending_front(pending);
    return item == NULL ? NULL : &item->record;
}

void lf__pending_remove_first(lf__pending *pending)
{
    pending_item *item = pending_front(pending);
    if (item == NULL)
        return;
    /* The oldest of all is the oldest of its trace. */
    pending_trace **link = pending_find(pending, item->record.trace_id);
    (*link)->first = item->next_of_trace;
    if ((*link)->first == NULL)
        pending_remove_trace(pending, link);
    pending->head->read += pending_item_size(item->record.size);
    pending->count--;
    if (pending->count != 0)
        return;
    (void)pending_front(pending);
    pending_forget_dropped(pending);
}

size_t lf__pending_count(const lf__pending *pending)
{
    return pending->count;
}

size_t lf__pending_bytes(const lf__pending *pending)
{
    return pending->bytes;
}

uint64_t lf__pending_added(const lf__pending *pending)
{
    return pending->added;
}

uint64_t lf__pending_first_number(lf__pending *pending)
{
    const pending_item *item = pending_front(pending);
    return item == NULL ? pending->added : item->number;
}
