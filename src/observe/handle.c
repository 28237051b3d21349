#include "handle.h"

#include "capture.h"

#include <pthread.h>

enum {
    HANDLE_SLAB = 64,
    HANDLE_SLABS = LF__HANDLES / HANDLE_SLAB,
    HANDLE_INLINE = 512 - 96, /* most records fit */
    HANDLE_INDEX_BITS = LF__HANDLE_INDEX_BITS,
    /* A thread uses a slot again only after so many others, so that an ended handle is good as a parent for a while. */
    HANDLE_REST = 256,
    HANDLE_HOARD = 1024, /* more than this goes to the common list: one thread may start what another ends */
    HANDLE_MOVE = 64,
    /* The same when few are left, so that hundreds of threads do not keep each other from all slots. */
    HANDLE_SCARCE_REST = 8,
    HANDLE_SCARCE_HOARD = 32,
    HANDLE_SCARCE_MOVE = 8
};

typedef enum handle_state { HANDLE_FREE, HANDLE_OPEN, HANDLE_ENDED } handle_state;

typedef struct handle_slot {
    pthread_mutex_t lock; /* of this slot alone: two threads meet here only if they use one observation */
    uintptr_t use;        /* counts; a handle is good for one */
    _Atomic(uintptr_t) open; /* the handle while it is open, 0 then: for those that only ask (lf__handle_is_open) */
    uint32_t next;        /* in a list of free slots: index + 1, 0 for none */
    uint8_t state;
    bool streaming;
    size_t capacity;
    lf__record *record; /* points to `room` or to the heap */
    union {
        lf__record record;
        uint8_t bytes[HANDLE_INLINE];
    } room;
} handle_slot;

static struct {
    pthread_mutex_t lock; /* guards all but `slabs`; taken once for dozens of observations */
    _Atomic(handle_slot *) slabs[HANDLE_SLABS];
    uint32_t slab_count;
    uint32_t free_first; /* common list of slots to use again */
    uint32_t free_count;
    _Atomic int32_t left;  /* that no thread has: in the common list, or not made yet; read without the lock */
    _Atomic int32_t most;
    _Atomic size_t bytes; /* on the heap */
    _Atomic size_t bytes_most;
} handles = {.lock = PTHREAD_MUTEX_INITIALIZER, .left = LF__HANDLES, .most = LF__HANDLES, .bytes_most = LF__HANDLE_BYTES};

static handle_slot *handle_slot_at(uint32_t index)
{
    handle_slot *slab = atomic_load_explicit(&handles.slabs[index / HANDLE_SLAB], memory_order_acquire);
    return slab == NULL ? NULL : &slab[index % HANDLE_SLAB];
}

static lf_observation *handle_name(uint32_t index, const handle_slot *slot)
{
    return (lf_observation *)(slot->use << HANDLE_INDEX_BITS | (index + 1));
}

/* Of its slot, plus 1; 0 names none. */
static uint32_t handle_index(const lf_observation *handle)
{
    return (uint32_t)((uintptr_t)handle & (((uintptr_t)1 << HANDLE_INDEX_BITS) - 1));
}

/* The slot that a handle names, locked, if this is still the same use of it; else NULL. */
static handle_slot *handle_lock(const lf_observation *handle)
{
    uint32_t index = handle_index(handle);
    handle_slot *slot = index == 0 || index > LF__HANDLES ? NULL : handle_slot_at(index - 1);
    if (slot == NULL)
        return NULL;
    pthread_mutex_lock(&slot->lock);
    if (handle_name(index - 1, slot) == handle && slot->state != HANDLE_FREE)
        return slot;
    pthread_mutex_unlock(&slot->lock);
    return NULL;
}

/* ---- Free slots ---- */

static void handle_push(lf__segment *segment, uint32_t index)
{
    handle_slot_at(index)->next = 0;
    if (segment->free_count++ == 0)
        segment->free_first = index + 1;
    else
        handle_slot_at(segment->free_last - 1)->next = index + 1;
    segment->free_last = index + 1;
}

static uint32_t handle_pop(lf__segment *segment)
{
    uint32_t index = segment->free_first - 1;
    segment->free_first = handle_slot_at(index)->next;
    segment->free_count--;
    return index;
}

static bool handle_is_scarce(void)
{
    return atomic_load_explicit(&handles.left, memory_order_relaxed) <
           atomic_load_explicit(&handles.most, memory_order_relaxed) / 2;
}

static void handle_push_common(uint32_t index)
{
    handle_slot_at(index)->next = handles.free_first;
    handles.free_first = index + 1;
    handles.free_count++;
}

/* A slab of new slots for the common list. */
static bool handle_make_slab(void)
{
    handle_slot *slab = handles.slab_count < (uint32_t)atomic_load_explicit(&handles.most, memory_order_relaxed) / HANDLE_SLAB
                            ? lf__alloc(HANDLE_SLAB * sizeof *slab)
                            : NULL;
    if (slab == NULL)
        return false;
    for (int i = 0; i < HANDLE_SLAB; i++) {
        pthread_mutex_init(&slab[i].lock, NULL);
        slab[i].record = &slab[i].room.record;
        slab[i].capacity = sizeof slab[i].room;
    }
    uint32_t first = handles.slab_count++ * HANDLE_SLAB;
    atomic_store_explicit(&handles.slabs[first / HANDLE_SLAB], slab, memory_order_release);
    for (uint32_t i = HANDLE_SLAB; i > 0; i--)
        handle_push_common(first + i - 1);
    return true;
}

/* What other threads had too many of, or new ones. */
static void handle_fetch(lf__segment *segment)
{
    uint32_t wanted = handle_is_scarce() ? HANDLE_SCARCE_REST + HANDLE_SCARCE_MOVE : HANDLE_REST + HANDLE_MOVE;
    pthread_mutex_lock(&handles.lock);
    while (segment->free_count < wanted && (handles.free_count != 0 || handle_make_slab())) {
        uint32_t index = handles.free_first - 1;
        handles.free_first = handle_slot_at(index)->next;
        handles.free_count--;
        handle_push(segment, index);
        atomic_fetch_sub_explicit(&handles.left, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&handles.lock);
}

static void handle_share(lf__segment *segment, uint32_t kept)
{
    pthread_mutex_lock(&handles.lock);
    while (segment->free_count > kept) {
        handle_push_common(handle_pop(segment));
        atomic_fetch_add_explicit(&handles.left, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&handles.lock);
}

void lf__handles_set_limits(unsigned count, size_t bytes)
{
    int32_t most = (int32_t)((count + HANDLE_SLAB - 1) / HANDLE_SLAB * HANDLE_SLAB);
    pthread_mutex_lock(&handles.lock);
    int32_t before = atomic_exchange_explicit(&handles.most, most, memory_order_relaxed);
    atomic_fetch_add_explicit(&handles.left, most - before, memory_order_relaxed); /* below 0: those that are there stay */
    pthread_mutex_unlock(&handles.lock);
    atomic_store_explicit(&handles.bytes_most, bytes, memory_order_relaxed);
}

/* ---- Records ---- */

static uint32_t handle_copy_propagated(const handle_slot *slot, uint8_t *out, size_t room)
{
    const lf__record *record = slot->record;
    const lf__field *field = NULL;
    size_t used = 0;
    while ((field = lf__fields_next(record + 1, record->size - sizeof *record, field)) != NULL) {
        size_t size = sizeof *field + lf__align8(field->length);
        if (!lf__is_propagated(field))
            continue;
        if (size > room - used)
            return 0;
        memcpy(out + used, field, size);
        used += size;
    }
    return (uint32_t)used;
}

/* Keep the ids, and the attributes for children, as far as they fit: an ended handle may still be a parent. */
static void handle_shrink(handle_slot *slot)
{
    lf__record *room = &slot->room.record;
    if (slot->record == room)
        return;
    atomic_fetch_sub_explicit(&handles.bytes, slot->capacity, memory_order_relaxed);
    uint32_t kept = handle_copy_propagated(slot, (uint8_t *)(room + 1), sizeof slot->room - sizeof *room);
    *room = *slot->record;
    room->size = (uint32_t)sizeof *room + kept;
    lf__free(slot->record);
    slot->record = &slot->room.record;
    slot->capacity = sizeof slot->room;
}

static bool handle_grow(handle_slot *slot, size_t size)
{
    if (size <= slot->capacity)
        return true;
    size_t capacity = size > 2 * slot->capacity ? size : 2 * slot->capacity;
    bool on_heap = slot->record != &slot->room.record;
    size_t more = on_heap ? capacity - slot->capacity : capacity;
    if (atomic_fetch_add_explicit(&handles.bytes, more, memory_order_relaxed) + more >
        atomic_load_explicit(&handles.bytes_most, memory_order_relaxed))
        goto full;
    lf__record *record = on_heap ? lf__realloc(slot->record, capacity) : lf__alloc(capacity);
    if (record == NULL)
        goto full;
    if (!on_heap)
        memcpy(record, slot->record, slot->record->size);
    slot->record = record;
    slot->capacity = capacity;
    return true;

full:
    atomic_fetch_sub_explicit(&handles.bytes, more, memory_order_relaxed);
    return false;
}

/* One that is too large for the record is shortened, if it is text; false when there is no memory, or no room at all. */
static bool handle_add_field(handle_slot *slot, const lf__field *field)
{
    static const _Atomic size_t *const limits[] = {
        [LF__ROOM_MOST] = &lf__record_bytes, [LF__ROOM_OUTPUT] = &lf__output_bytes, [LF__ROOM_LAST] = &lf__last_bytes};
    size_t limit = atomic_load_explicit(limits[lf__capture_room((lf__tag)field->tag)], memory_order_relaxed);
    size_t used = slot->record->size, room = used < limit ? limit - used : 0, size = sizeof *field + lf__align8(field->length);
    bool fits = size <= room, is_text = field->kind == LF_KIND_STRING || field->kind == LF_KIND_JSON;
    if ((!fits && (!is_text || room < LF__CAPTURE_MIN_ROOM)) || !handle_grow(slot, used + (fits ? size : room)))
        return false;
    uint8_t *at = (uint8_t *)slot->record + used;
    if (fits) {
        memcpy(at, field, size);
    } else {
        lf_value text = lf_strn(lf__field_payload(field), field->length);
        size = (size_t)(lf__capture(at, at + room, (lf__tag)field->tag, field->index, &text) - at);
    }
    slot->record->size = (uint32_t)(used + size);
    return true;
}

static void handle_add(handle_slot *slot, const void *fields, size_t size)
{
    size_t used = slot->record->size, limit = atomic_load_explicit(&lf__record_bytes, memory_order_relaxed);
    if (size <= limit && used <= limit - size && handle_grow(slot, used + size)) {
        memcpy((uint8_t *)slot->record + used, fields, size);
        slot->record->size = (uint32_t)(used + size);
        return;
    }
    for (const lf__field *field = NULL; (field = lf__fields_next(fields, size, field)) != NULL;)
        if (!handle_add_field(slot, field))
            lf__leave_out();
}

/* ---- Interface ---- */

lf_observation *lf__handle_new(lf__segment *segment, const lf__record *record)
{
    if (segment->free_count <= (handle_is_scarce() ? HANDLE_SCARCE_REST : HANDLE_REST))
        handle_fetch(segment);
    if (segment->free_count == 0)
        return NULL;
    uint32_t index = handle_pop(segment);
    handle_slot *slot = handle_slot_at(index);
    pthread_mutex_lock(&slot->lock); /* an old handle of this slot may be looking at it */
    slot->use++;
    slot->state = HANDLE_OPEN;
    slot->streaming = false;
    *slot->record = *record;
    slot->record->size = sizeof *record;
    handle_add(slot, record + 1, record->size - sizeof *record);
    lf_observation *handle = handle_name(index, slot);
    atomic_store_explicit(&slot->open, (uintptr_t)handle, memory_order_release);
    pthread_mutex_unlock(&slot->lock);
    return handle;
}

bool lf__handle_is_open(const lf_observation *handle)
{
    uint32_t index = handle_index(handle);
    const handle_slot *slot = index == 0 || index > LF__HANDLES ? NULL : handle_slot_at(index - 1);
    return slot != NULL && atomic_load_explicit(&slot->open, memory_order_acquire) == (uintptr_t)handle;
}

bool lf__handle_header(const lf_observation *handle, lf__record *out_header)
{
    handle_slot *slot = handle_lock(handle);
    if (slot == NULL)
        return false;
    *out_header = *slot->record;
    pthread_mutex_unlock(&slot->lock);
    return true;
}

bool lf__handle_place(const lf_observation *handle, lf__record *out_header, void *out_fields, size_t room, uint32_t *out_size)
{
    handle_slot *slot = handle_lock(handle);
    if (slot == NULL)
        return false;
    *out_header = *slot->record;
    *out_size = (slot->record->flags & LF__FLAG_ATTRIBUTES) == 0 ? 0 : handle_copy_propagated(slot, out_fields, room);
    pthread_mutex_unlock(&slot->lock);
    return true;
}

size_t lf__handle_size(const lf_observation *handle)
{
    handle_slot *slot = handle_lock(handle);
    if (slot == NULL)
        return 0;
    size_t size = slot->record->size;
    pthread_mutex_unlock(&slot->lock);
    return size;
}

/* Not by all bytes: those that align a field are anything. */
static bool handle_is_same(const lf__field *a, const lf__field *b)
{
    return a->tag == b->tag && a->kind == b->kind && a->index == b->index && a->length == b->length &&
           memcmp(lf__field_payload(a), lf__field_payload(b), a->length) == 0;
}

/* Take attributes out that stand among these, too: the later ones say the same. */
static void handle_drop_repeated(lf__record *record, const void *fields, size_t size)
{
    const lf__field *before = NULL, *field;
    while ((field = lf__record_next(record, before)) != NULL) {
        const lf__field *later = NULL;
        while ((later = lf__fields_next(fields, size, later)) != NULL &&
               !(lf__is_propagated(field) && handle_is_same(field, later)))
            continue;
        if (later == NULL) {
            before = field;
            continue;
        }
        uint8_t *at = (uint8_t *)(uintptr_t)field, *end = (uint8_t *)record + record->size;
        size_t bytes = sizeof *field + lf__align8(field->length);
        memmove(at, at + bytes, (size_t)(end - at) - bytes);
        record->size -= (uint32_t)bytes;
    }
}

bool lf__handle_append(lf_observation *handle, const void *fields, size_t size, bool are_attributes)
{
    handle_slot *slot = handle_lock(handle);
    if (slot == NULL)
        return false;
    bool open = slot->state == HANDLE_OPEN;
    if (open && (slot->record->flags & LF__FLAG_UNSAMPLED) == 0) {
        if (are_attributes)
            handle_drop_repeated(slot->record, fields, size);
        handle_add(slot, fields, size);
    }
    pthread_mutex_unlock(&slot->lock);
    return open;
}

void lf__handle_add_flag(lf_observation *handle, lf__record_flag flag)
{
    handle_slot *slot = handle_lock(handle);
    if (slot == NULL)
        return;
    slot->record->flags = (uint16_t)(slot->record->flags | flag);
    pthread_mutex_unlock(&slot->lock);
}

bool lf__handle_first_piece(lf_observation *handle)
{
    handle_slot *slot = handle_lock(handle);
    if (slot == NULL)
        return false;
    bool first = !slot->streaming;
    slot->streaming = true;
    pthread_mutex_unlock(&slot->lock);
    return first;
}

static void handle_end(lf__segment *segment, uint32_t index, handle_slot *slot, uint64_t end_ns, lf__record_flag flags)
{
    slot->record->end_ns = end_ns;
    slot->record->flags = (uint16_t)(slot->record->flags | flags);
    lf__submit_record(segment, slot->record);
    slot->state = HANDLE_ENDED;
    atomic_store_explicit(&slot->open, 0, memory_order_release);
    handle_shrink(slot);
    pthread_mutex_unlock(&slot->lock);
    handle_push(segment, index);
    uint32_t hoard = handle_is_scarce() ? HANDLE_SCARCE_HOARD : HANDLE_HOARD;
    if (segment->free_count > hoard)
        handle_share(segment, hoard / 2);
}

bool lf__handle_end(lf__segment *segment, lf_observation *handle, uint64_t end_ns, lf__record_flag flags)
{
    handle_slot *slot = handle_lock(handle);
    if (slot == NULL)
        return false;
    if (slot->state != HANDLE_OPEN) {
        pthread_mutex_unlock(&slot->lock);
        return false;
    }
    handle_end(segment, handle_index(handle) - 1, slot, end_ns, flags);
    return true;
}

void lf__handles_end_all(lf__segment *segment, uint64_t end_ns, lf__record_flag flags)
{
    for (uint32_t i = 0; i < LF__HANDLES; i++) {
        handle_slot *slot = handle_slot_at(i);
        if (slot == NULL)
            return;
        /* A thread that was stopped in the middle of an update holds its lock: at exit nothing waits. */
        if (pthread_mutex_trylock(&slot->lock) != 0)
            continue;
        if (slot->state == HANDLE_OPEN)
            handle_end(segment, i, slot, end_ns, flags);
        else
            pthread_mutex_unlock(&slot->lock);
    }
}

/* Its lock may be held by a thread that is no more. */
static void handle_inherit(handle_slot *slot)
{
    if (pthread_mutex_trylock(&slot->lock) != 0) { /* another thread was changing it: its record may be half written */
        slot->use++;
        slot->state = HANDLE_FREE;
        slot->record = &slot->room.record;
        slot->capacity = sizeof slot->room;
    }
    atomic_store_explicit(&slot->open, 0, memory_order_relaxed);
    pthread_mutex_init(&slot->lock, NULL);
}

void lf__handles_after_fork_child(void)
{
    pthread_mutex_init(&handles.lock, NULL);
    handles.free_first = handles.free_count = 0; /* the threads' lists are gone; all is common now */
    atomic_store_explicit(&handles.left, atomic_load_explicit(&handles.most, memory_order_relaxed), memory_order_relaxed);
    uint32_t count = 0;
    while (count < LF__HANDLES && handle_slot_at(count) != NULL) /* another thread may have been making one */
        count += HANDLE_SLAB;
    handles.slab_count = count / HANDLE_SLAB;
    for (uint32_t i = 0; i < count; i++)
        handle_inherit(handle_slot_at(i));
    /* Those that were open have ended. They are good as parents, so they are used again after the others. */
    for (uint32_t i = 0; i < count; i++)
        if (handle_slot_at(i)->state == HANDLE_OPEN)
            handle_push_common(i);
    for (uint32_t i = 0; i < count; i++) {
        handle_slot *slot = handle_slot_at(i);
        if (slot->state != HANDLE_OPEN) {
            handle_push_common(i);
            continue;
        }
        slot->state = HANDLE_ENDED;
        handle_shrink(slot);
    }
}
