/* The folds of ids of which events arrived lately, so that a further event costs no reading of the earlier ones. What is not here
 * is folded from the stored events. */
#include "store_private.h"

#include <stdlib.h>

/* The ceiling holds after each id; a single fold may be as large as an arena until then. */
enum { STORE_FOLD_BUCKETS = 1 << 14, STORE_FOLDS_CEILING = 64 << 20, STORE_FOLD_BLOCK = 4 << 10, STORE_FOLD_SMALL = 16 << 10 };

static store_folded **store_folds_bucket(store_folds *all, event_kind kind, text id)
{
    uint64_t hash = (uint64_t)kind;
    for (size_t i = 0; i < id.size; i++)
        hash = (hash ^ (uint8_t)id.at[i]) * UINT64_C(0x9E3779B97F4A7C15);
    return &all->buckets[hash >> 32 & (STORE_FOLD_BUCKETS - 1)];
}

static void store_folds_unlink(store_folds *all, store_folded *entry)
{
    *(entry->newer != NULL ? &entry->newer->older : &all->newest) = entry->older;
    *(entry->older != NULL ? &entry->older->newer : &all->oldest) = entry->newer;
}

static void store_folds_link(store_folds *all, store_folded *entry)
{
    entry->newer = NULL;
    entry->older = all->newest;
    *(all->newest != NULL ? &all->newest->newer : &all->oldest) = entry;
    all->newest = entry;
}

static void store_folds_drop(store_folds *all, store_folded *entry)
{
    store_folded **at = store_folds_bucket(all, entry->kind, entry->id);
    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
    store_folds_unlink(all, entry);
    all->held -= entry->counted;
    arena_free(&entry->memory);
    free(entry);
}

store_folded *store_folds_find(store_folds *all, event_kind kind, text id)
{
    store_folded *entry = all->buckets != NULL ? *store_folds_bucket(all, kind, id) : NULL;
    while (entry != NULL && (entry->kind != kind || !text_equal(entry->id, id)))
        entry = entry->next;
    if (entry != NULL) {
        store_folds_unlink(all, entry);
        store_folds_link(all, entry);
    }
    return entry;
}

store_folded *store_folds_add(store_folds *all, event_kind kind, text id)
{
    if (all->buckets == NULL)
        all->buckets = calloc(STORE_FOLD_BUCKETS, sizeof *all->buckets);
    store_folded *entry = all->buckets != NULL ? calloc(1, sizeof *entry) : NULL;
    if (entry == NULL)
        return NULL;
    entry->memory.first_block = STORE_FOLD_BLOCK;
    entry->fold = fold_new(&entry->memory, kind, id);
    if (entry->memory.failed) {
        arena_free(&entry->memory);
        free(entry);
        return NULL;
    }
    store_folded **bucket = store_folds_bucket(all, kind, id);
    entry->kind = kind;
    entry->id = fold_id(entry->fold);
    entry->next = *bucket;
    *bucket = entry;
    store_folds_link(all, entry);
    return entry;
}

/* Memory of values that were replaced is given back when it is half of all. */
bool store_folds_shrink(store_folded *entry)
{
    arena smaller = {.first_block = STORE_FOLD_BLOCK};
    if (entry->memory.held < STORE_FOLD_SMALL || entry->memory.held < 2 * entry->shrunk)
        return !entry->memory.failed;
    fold *copy = fold_copy(&smaller, entry->fold);
    bool ok = !entry->memory.failed && !smaller.failed;
    if (ok) {
        arena_free(&entry->memory);
        entry->memory = smaller;
        entry->fold = copy;
        fold_move(copy, &entry->memory);
        entry->id = fold_id(copy);
        entry->shrunk = smaller.held;
    } else {
        arena_free(&smaller);
    }
    return ok;
}

void store_folds_settle(store_folds *all, store_folded *entry)
{
    all->held += entry->memory.held - entry->counted;
    entry->counted = entry->memory.held;
    while (all->held > STORE_FOLDS_CEILING)
        store_folds_drop(all, all->oldest);
}

void store_folds_clear(store_folds *all)
{
    while (all->oldest != NULL)
        store_folds_drop(all, all->oldest);
}

void store_folds_done(store_folds *all)
{
    store_folds_clear(all);
    free(all->buckets);
}
