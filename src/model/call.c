#include "call.h"

#include <stdatomic.h>

enum { CALL_SLAB = 64, CALL_SLABS = LF__CALLS / CALL_SLAB, CALL_INDEX_BITS = 13 };

static struct {
    pthread_mutex_t lock; /* guards the list of free slots; held for a few instructions */
    _Atomic(lf__call *) slabs[CALL_SLABS];
    uint32_t slab_count;
    uint32_t free_first; /* index + 1 */
    _Atomic size_t bytes;
} open_calls = {.lock = PTHREAD_MUTEX_INITIALIZER};

static lf__call *call_at(uint32_t index)
{
    lf__call *slab = atomic_load_explicit(&open_calls.slabs[index / CALL_SLAB], memory_order_acquire);
    return slab == NULL ? NULL : &slab[index % CALL_SLAB];
}

static lf_model_call *call_name(const lf__call *call)
{
    return (lf_model_call *)(call->use << CALL_INDEX_BITS | (call->index + 1));
}

static uint32_t call_index(const lf_model_call *name)
{
    return (uint32_t)((uintptr_t)name & (((uintptr_t)1 << CALL_INDEX_BITS) - 1));
}

static void call_push(uint32_t index)
{
    call_at(index)->next = open_calls.free_first;
    open_calls.free_first = index + 1;
}

static bool call_make_slab(void)
{
    lf__call *slab = open_calls.slab_count < CALL_SLABS ? lf__alloc(CALL_SLAB * sizeof *slab) : NULL;
    if (slab == NULL)
        return false;
    uint32_t first = open_calls.slab_count++ * CALL_SLAB;
    for (uint32_t i = 0; i < CALL_SLAB; i++) {
        pthread_mutex_init(&slab[i].lock, NULL);
        slab[i].index = first + i;
    }
    atomic_store_explicit(&open_calls.slabs[first / CALL_SLAB], slab, memory_order_release);
    for (uint32_t i = CALL_SLAB; i > 0; i--)
        call_push(first + i - 1);
    return true;
}

static void call_count_memory(lf__call *call, size_t memory)
{
    atomic_fetch_add_explicit(&open_calls.bytes, memory - call->memory, memory_order_relaxed);
    call->memory = memory;
}

lf_model_call *lf__call_new(const lf__call_state *state)
{
    pthread_mutex_lock(&open_calls.lock);
    lf__call *call = open_calls.free_first != 0 || call_make_slab() ? call_at(open_calls.free_first - 1) : NULL;
    if (call != NULL)
        open_calls.free_first = call->next;
    pthread_mutex_unlock(&open_calls.lock);
    if (call == NULL)
        return NULL;
    pthread_mutex_lock(&call->lock); /* an old name of this slot may be looking at it */
    call->use++;
    call->is_open = true;
    call->state = *state;
    call_count_memory(call, lf__reply_memory(state->reply));
    lf_model_call *name = call_name(call);
    pthread_mutex_unlock(&call->lock);
    return name;
}

lf__call *lf__call_lock(const lf_model_call *name)
{
    uint32_t index = call_index(name);
    lf__call *call = index == 0 || index > LF__CALLS ? NULL : call_at(index - 1);
    if (call == NULL)
        return NULL;
    pthread_mutex_lock(&call->lock);
    if (call->is_open && call_name(call) == name)
        return call;
    pthread_mutex_unlock(&call->lock);
    return NULL;
}

void lf__call_unlock(lf__call *call)
{
    pthread_mutex_unlock(&call->lock);
}

void lf__call_feed(lf__call *call, const char *bytes, size_t size, int64_t moment_ns)
{
    if (atomic_load_explicit(&open_calls.bytes, memory_order_relaxed) > LF__CALL_BYTES) {
        call->state.was_cut = true;
        return;
    }
    if (lf__reply_feed(call->state.reply, bytes, size))
        call->state.first_token_ns = moment_ns;
    call_count_memory(call, lf__reply_memory(call->state.reply));
}

lf__call_state lf__call_close(lf__call *call)
{
    lf__call_state state = call->state;
    call_count_memory(call, 0);
    call->is_open = false;
    pthread_mutex_unlock(&call->lock);
    pthread_mutex_lock(&open_calls.lock);
    call_push(call->index);
    pthread_mutex_unlock(&open_calls.lock);
    return state;
}

void lf__call_state_done(lf__call_state *state)
{
    lf__reply_free(state->reply);
    lf__buf_done(&state->parameters);
}

void lf__calls_before_fork(void)
{
    pthread_mutex_lock(&open_calls.lock);
}

void lf__calls_after_fork_parent(void)
{
    pthread_mutex_unlock(&open_calls.lock);
}

/* A reply that another thread was reading is left where it is: its memory may be half written. */
void lf__calls_after_fork_child(void)
{
    pthread_mutex_init(&open_calls.lock, NULL);
    open_calls.free_first = 0;
    atomic_store_explicit(&open_calls.bytes, 0, memory_order_relaxed);
    for (uint32_t i = open_calls.slab_count * CALL_SLAB; i > 0; i--) {
        lf__call *call = call_at(i - 1);
        if (pthread_mutex_trylock(&call->lock) == 0 && call->is_open)
            lf__call_state_done(&call->state);
        call->is_open = false;
        call->memory = 0;
        call->use++;
        pthread_mutex_init(&call->lock, NULL);
        call_push(i - 1);
    }
}
