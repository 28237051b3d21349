#include "shadow.h"

#include <pthread.h>

enum { SHADOW_SHARDS = 16, SHADOW_BUCKETS = 256 };

#define SHADOW_SHARD {.lock = PTHREAD_MUTEX_INITIALIZER}
#define SHADOW_4_SHARDS SHADOW_SHARD, SHADOW_SHARD, SHADOW_SHARD, SHADOW_SHARD

/* A lock each: threads with objects of their own seldom meet. */
static struct {
    pthread_mutex_t lock;
    lf__shadow *buckets[SHADOW_BUCKETS];
} shadow_shards[] = {SHADOW_4_SHARDS, SHADOW_4_SHARDS, SHADOW_4_SHARDS, SHADOW_4_SHARDS};
_Static_assert(sizeof shadow_shards / sizeof shadow_shards[0] == SHADOW_SHARDS, "each shard has a lock");

static unsigned shadow_count;
__thread lf__shadow_last lf__shadow_last_found __attribute__((tls_model("initial-exec"), visibility("hidden")));
unsigned lf__shadow_age;

/* Addresses of one size of object differ in the middle bits. */
static uint64_t shadow_hash(const void *of)
{
    return ((uint64_t)(uintptr_t)of >> 4) * 0x9e3779b97f4a7c15u;
}

static unsigned shadow_shard(uint64_t hash)
{
    return (unsigned)(hash >> 60) % SHADOW_SHARDS;
}

static unsigned shadow_bucket(uint64_t hash)
{
    return (unsigned)(hash >> 48) % SHADOW_BUCKETS;
}

/* With the shard's lock held: the link to the object's shadow, or the last link, which is NULL. */
static lf__shadow **shadow_link(uint64_t hash, const void *of)
{
    lf__shadow **link = &shadow_shards[shadow_shard(hash)].buckets[shadow_bucket(hash)];
    while (*link != NULL && (*link)->of != of)
        link = &(*link)->next;
    return link;
}

lf__shadow *lf__shadow_look_up(const void *of)
{
    if (__atomic_load_n(&shadow_count, __ATOMIC_RELAXED) == 0)
        return NULL;
    uint64_t hash = shadow_hash(of);
    unsigned age = __atomic_load_n(&lf__shadow_age, __ATOMIC_ACQUIRE);
    pthread_mutex_t *lock = &shadow_shards[shadow_shard(hash)].lock;
    pthread_mutex_lock(lock);
    lf__shadow *found = *shadow_link(hash, of);
    pthread_mutex_unlock(lock);
    if (found != NULL)
        lf__shadow_last_found = (lf__shadow_last){of, found, age};
    return found;
}

bool lf__shadow_add(lf__shadow *shadow, const void *of)
{
    if (__atomic_add_fetch(&shadow_count, 1, __ATOMIC_RELAXED) > LF__SHADOWS) {
        __atomic_sub_fetch(&shadow_count, 1, __ATOMIC_RELAXED);
        return false;
    }
    uint64_t hash = shadow_hash(of);
    shadow->of = of;
    pthread_mutex_t *lock = &shadow_shards[shadow_shard(hash)].lock;
    pthread_mutex_lock(lock);
    lf__shadow **link = shadow_link(hash, of);
    shadow->next = NULL;
    *link = shadow;
    pthread_mutex_unlock(lock);
    return true;
}

lf__shadow *lf__shadow_take(const void *of)
{
    if (__atomic_load_n(&shadow_count, __ATOMIC_RELAXED) == 0)
        return NULL;
    uint64_t hash = shadow_hash(of);
    pthread_mutex_t *lock = &shadow_shards[shadow_shard(hash)].lock;
    pthread_mutex_lock(lock);
    lf__shadow **link = shadow_link(hash, of), *found = *link;
    if (found != NULL)
        *link = found->next;
    pthread_mutex_unlock(lock);
    if (found != NULL) {
        __atomic_sub_fetch(&shadow_count, 1, __ATOMIC_RELAXED);
        __atomic_add_fetch(&lf__shadow_age, 1, __ATOMIC_RELEASE); /* pairs with the acquire in lf__shadow_find */
    }
    return found;
}

void lf__shadow_before_fork(void)
{
    for (unsigned i = 0; i < SHADOW_SHARDS; i++)
        pthread_mutex_lock(&shadow_shards[i].lock);
}

void lf__shadow_after_fork_parent(void)
{
    for (unsigned i = SHADOW_SHARDS; i > 0; i--)
        pthread_mutex_unlock(&shadow_shards[i - 1].lock);
}

void lf__shadow_after_fork_child(void)
{
    for (unsigned i = 0; i < SHADOW_SHARDS; i++)
        (void)pthread_mutex_init(&shadow_shards[i].lock, NULL);
}
