#include "trace_table.h"

#include <string.h>

enum { TRACES_BUCKETS_MIN = 64 };

typedef struct traces_entry {
    struct traces_entry *next_in_bucket;
    struct traces_entry *newer; /* by use */
    struct traces_entry *older;
    size_t capacity;
    lf__record *record;
} traces_entry;

struct lf__traces {
    traces_entry **buckets;
    size_t bucket_count;
    size_t count;
    traces_entry *newest;
    traces_entry *oldest;
    size_t bytes;
    size_t max_bytes;
};

lf__traces *lf__traces_new(size_t max_bytes)
{
    lf__traces *traces = lf__alloc(sizeof *traces);
    if (traces == NULL)
        return NULL;
    traces->max_bytes = max_bytes;
    traces->buckets = lf__alloc(TRACES_BUCKETS_MIN * sizeof *traces->buckets);
    traces->bucket_count = TRACES_BUCKETS_MIN;
    if (traces->buckets != NULL)
        return traces;
    lf__free(traces);
    return NULL;
}

static traces_entry **traces_find(lf__traces *traces, const uint8_t id[16])
{
    uint64_t half; /* ids are random or come from SHA-256: a hash already */
    memcpy(&half, id + 8, sizeof half);
    traces_entry **link = &traces->buckets[(half ^ (half >> 32)) & (traces->bucket_count - 1)];
    while (*link != NULL && memcmp((*link)->record->trace_id, id, 16) != 0)
        link = &(*link)->next_in_bucket;
    return link;
}

/* ---- Order of use ---- */

static void traces_unlist(lf__traces *traces, traces_entry *entry)
{
    *(entry->newer != NULL ? &entry->newer->older : &traces->newest) = entry->older;
    *(entry->older != NULL ? &entry->older->newer : &traces->oldest) = entry->newer;
}

static void traces_list(lf__traces *traces, traces_entry *entry)
{
    entry->newer = NULL;
    entry->older = traces->newest;
    *(traces->newest != NULL ? &traces->newest->newer : &traces->oldest) = entry;
    traces->newest = entry;
}

static void traces_remove(lf__traces *traces, traces_entry **link)
{
    traces_entry *entry = *link;
    *link = entry->next_in_bucket;
    traces_unlist(traces, entry);
    traces->count--;
    traces->bytes -= sizeof *entry + entry->capacity;
    lf__free(entry->record);
    lf__free(entry);
}

void lf__traces_free(lf__traces *traces)
{
    if (traces == NULL)
        return;
    while (traces->oldest != NULL)
        traces_remove(traces, traces_find(traces, traces->oldest->record->trace_id));
    lf__free(traces->buckets);
    lf__free(traces);
}

/* More buckets than entries keep the chains short; without memory they just get longer. */
static void traces_grow_buckets(lf__traces *traces)
{
    size_t count = traces->bucket_count * 2;
    traces_entry **buckets = lf__alloc(count * sizeof *buckets);
    if (buckets == NULL)
        return;
    lf__free(traces->buckets);
    traces->buckets = buckets;
    traces->bucket_count = count;
    for (traces_entry *entry = traces->newest; entry != NULL; entry = entry->older)
        entry->next_in_bucket = NULL;
    for (traces_entry *entry = traces->newest; entry != NULL; entry = entry->older) {
        traces_entry **link = traces_find(traces, entry->record->trace_id);
        *link = entry;
    }
}

static traces_entry *traces_add_entry(lf__traces *traces, const lf__record *update)
{
    traces_entry *entry = lf__alloc(sizeof *entry);
    lf__record *record = entry == NULL ? NULL : lf__alloc(sizeof *record);
    if (record == NULL) {
        lf__free(entry);
        return NULL;
    }
    *record = *update;
    record->size = sizeof *record;
    entry->record = record;
    entry->capacity = sizeof *record;
    traces->bytes += sizeof *entry + entry->capacity;
    if (++traces->count > traces->bucket_count)
        traces_grow_buckets(traces);
    traces_entry **link = traces_find(traces, record->trace_id);
    *link = entry;
    traces_list(traces, entry);
    return entry;
}

/* ---- Fields ---- */

static size_t traces_field_size(const lf__field *field)
{
    return sizeof *field + lf__align8(field->length);
}

static void traces_cut(lf__record *record, const lf__field *field)
{
    size_t size = traces_field_size(field);
    uint8_t *at = (uint8_t *)record + ((const uint8_t *)field - (const uint8_t *)record);
    memmove(at, at + size, (size_t)((uint8_t *)record + record->size - (at + size)));
    record->size -= (uint32_t)size;
}

static bool traces_adds_up(const lf__field *field)
{
    return field->tag == LF__TAG_TRACE_TAGS || field->tag == LF__TAG_TRACE_METADATA || field->tag == LF__TAG_ALIAS;
}

/* Take out what the new field replaces: the field of the same tag, or the same field of those that add up. */
static void traces_replace(lf__record *record, const lf__field *by)
{
    for (const lf__field *field = NULL; (field = lf__record_next(record, field)) != NULL;) {
        bool same = field->tag == by->tag &&
                    (!traces_adds_up(by) || (field->length == by->length && field->kind == by->kind &&
                                             memcmp(lf__field_payload(field), lf__field_payload(by), by->length) == 0));
        if (same) {
            traces_cut(record, field);
            return;
        }
    }
}

static size_t traces_added_up(const lf__record *record)
{
    size_t size = 0;
    for (const lf__field *field = NULL; (field = lf__record_next(record, field)) != NULL;)
        size += traces_adds_up(field) ? traces_field_size(field) : 0;
    return size;
}

/* Make room for more of what adds up. A large input, of which there is but one, pushes out nothing. */
static void traces_shorten(lf__record *record, size_t more)
{
    size_t size = traces_added_up(record);
    for (const lf__field *field = NULL; size + more > LF__TRACE_UPDATE_MAX;) {
        field = lf__record_next(record, field);
        if (field == NULL)
            return;
        if (traces_adds_up(field)) {
            size -= traces_field_size(field);
            traces_cut(record, field);
            field = NULL;
        }
    }
}

static bool traces_add_field(lf__traces *traces, traces_entry *entry, const lf__field *field)
{
    size_t size = traces_field_size(field);
    traces_replace(entry->record, field);
    if (traces_adds_up(field))
        traces_shorten(entry->record, size);
    size_t wanted = entry->record->size + size;
    if (wanted > entry->capacity) {
        size_t capacity = wanted > 2 * entry->capacity ? wanted : 2 * entry->capacity;
        lf__record *record = lf__realloc(entry->record, capacity);
        if (record == NULL)
            return false;
        traces->bytes += capacity - entry->capacity;
        entry->record = record;
        entry->capacity = capacity;
    }
    memcpy((uint8_t *)entry->record + entry->record->size, field, size);
    entry->record->size += (uint32_t)size;
    return true;
}

bool lf__traces_add(lf__traces *traces, const lf__record *update)
{
    traces_entry *entry = *traces_find(traces, update->trace_id);
    if (entry == NULL)
        entry = traces_add_entry(traces, update);
    if (entry == NULL)
        return false;
    traces_unlist(traces, entry);
    traces_list(traces, entry);
    bool ok = true;
    for (const lf__field *field = NULL; (field = lf__record_next(update, field)) != NULL;)
        ok &= traces_add_field(traces, entry, field);
    while (traces->bytes > traces->max_bytes && traces->oldest != traces->newest)
        traces_remove(traces, traces_find(traces, traces->oldest->record->trace_id));
    return ok;
}

const lf__record *lf__traces_get(lf__traces *traces, const uint8_t trace_id[16])
{
    traces_entry *entry = traces->count == 0 ? NULL : *traces_find(traces, trace_id);
    if (entry == NULL)
        return NULL;
    traces_unlist(traces, entry);
    traces_list(traces, entry);
    return entry->record;
}

size_t lf__traces_bytes(const lf__traces *traces)
{
    return traces->bytes;
}
