/* The memory of a request: what is decoded from its body and does not borrow from it lives in one arena, and is released at once. A
 * failure stays (`failed`), so that code builds a whole result and asks once. */
#ifndef LOCAL_ARENA_H
#define LOCAL_ARENA_H

#include "text.h"

typedef struct arena_block arena_block;

typedef struct arena {
    arena_block *newest;
    size_t held; /* bytes asked from malloc so far */
    size_t ceiling; /* more than this fails; 0 means the default below */
    size_t first_block; /* its bytes; 0 means 16 KiB. Each further one is twice as large, up to 4 MiB */
    bool failed;
} arena;

/* Eight times the largest accepted body: a JSON tree needs about that for dense input. */
enum { ARENA_DEFAULT_CEILING = 512 << 20 };

void *arena_take(arena *a, size_t size); /* zeroed and aligned, also for size 0; NULL when out of memory: `failed` stays set */
text arena_copy(arena *a, text t);
text arena_upper(arena *a, text t); /* a copy with the letters a to z as capitals */
text arena_utf8(arena *a, text t, size_t *repairs); /* `t`, or a copy in which each invalid byte is U+FFFD */
bool arena_unescape(arena *a, text t, text *out); /* undoes %41; false when a % has no two hex digits behind it */
void arena_free(arena *a);

/* Adds a zeroed item to an array that lives in the arena and has no other way to grow. `list` is the address of the pointer to
 * its first item, at first that of NULL. Returns the item; NULL when out of memory. */
void *arena_add(arena *a, void *list, size_t item_size, size_t *count);

#endif
