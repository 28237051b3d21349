#include "arena.h"

#include <stdlib.h>
#include <string.h>

struct arena_block {
    arena_block *older;
    size_t used, size;
    _Alignas(max_align_t) char bytes[];
};

enum { ARENA_FIRST_BLOCK = 16 << 10, ARENA_LAST_BLOCK = 4 << 20, ARENA_ALIGNMENT = 16 };

static arena_block *arena_add_block(arena *a, size_t size)
{
    size_t ceiling = a->ceiling > 0 ? a->ceiling : ARENA_DEFAULT_CEILING;
    size_t wish = a->newest != NULL ? a->newest->size * 2 : a->first_block > 0 ? a->first_block : ARENA_FIRST_BLOCK;
    if (wish > ARENA_LAST_BLOCK)
        wish = ARENA_LAST_BLOCK;
    if (wish < size)
        wish = size;
    if (size > ceiling || a->held > ceiling - wish || wish > ceiling)
        return NULL;
    arena_block *block = malloc(sizeof *block + wish);
    if (block == NULL)
        return NULL;
    block->older = a->newest;
    block->used = 0;
    block->size = wish;
    a->newest = block;
    a->held += wish;
    return block;
}

static void *arena_take_raw(arena *a, size_t size)
{
    if (size > SIZE_MAX / 2) {
        a->failed = true;
        return NULL;
    }
    size = (size + ARENA_ALIGNMENT - 1) & ~(size_t)(ARENA_ALIGNMENT - 1);
    arena_block *block = a->newest;
    if (block == NULL || block->size - block->used < size)
        block = arena_add_block(a, size);
    if (block == NULL) {
        a->failed = true;
        return NULL;
    }
    void *result = block->bytes + block->used;
    block->used += size;
    return result;
}

void *arena_take(arena *a, size_t size)
{
    void *result = arena_take_raw(a, size);
    return result != NULL ? memset(result, 0, size) : NULL;
}

text arena_copy(arena *a, text t)
{
    char *copy = t.size > 0 ? arena_take_raw(a, t.size) : NULL;
    if (copy == NULL)
        return TEXT("");
    memcpy(copy, t.at, t.size);
    return (text){copy, t.size};
}

text arena_upper(arena *a, text t)
{
    text copy = arena_copy(a, t);
    char *at = (char *)copy.at; /* the copy may be changed; an empty one has no memory, and no byte to change */
    for (size_t i = 0; i < copy.size; i++)
        at[i] = (char)(at[i] >= 'a' && at[i] <= 'z' ? at[i] - 'a' + 'A' : at[i]);
    return copy;
}

text arena_utf8(arena *a, text t, size_t *repairs)
{
    size_t valid = text_utf8_prefix(t);
    if (valid == t.size)
        return t;
    ++*repairs;
    char *out = arena_take_raw(a, valid + 3 * (t.size - valid));
    if (out == NULL)
        return TEXT("");
    size_t size = 0;
    while (t.size > 0) {
        memcpy(out + size, t.at, valid);
        size += valid;
        t = text_from(t, valid);
        if (t.size == 0)
            break;
        memcpy(out + size, "\xEF\xBF\xBD", 3);
        size += 3;
        t = text_from(t, 1);
        valid = text_utf8_prefix(t);
    }
    return (text){out, size};
}

bool arena_unescape(arena *a, text t, text *out)
{
    size_t size = 0;
    text copy = arena_copy(a, t);
    char *at = (char *)copy.at; /* the copy may be changed; an empty one has no memory, and no byte to change */
    for (size_t i = 0; i < copy.size; i++, size++) {
        if (at[i] != '%') {
            at[size] = at[i];
            continue;
        }
        int high = i + 2 < copy.size ? text_hex_digit(at[i + 1]) : -1, low = high >= 0 ? text_hex_digit(at[i + 2]) : -1;
        if (low < 0)
            return false;
        at[size] = (char)(high << 4 | low);
        i += 2;
    }
    *out = (text){copy.at, size};
    return true;
}

void arena_free(arena *a)
{
    while (a->newest != NULL) {
        arena_block *older = a->newest->older;
        free(a->newest);
        a->newest = older;
    }
    *a = (arena){.ceiling = a->ceiling, .first_block = a->first_block};
}

/* The first item makes room for that many; each time it is used up, the room doubles. */
enum { ARENA_FIRST_ITEMS = 16 };

void *arena_add(arena *a, void *list, size_t item_size, size_t *count)
{
    char *items;
    memcpy(&items, list, sizeof items);
    bool is_full = *count == 0 || (*count >= ARENA_FIRST_ITEMS && (*count & (*count - 1)) == 0);
    if (is_full) {
        size_t room = *count > 0 ? *count * 2 : ARENA_FIRST_ITEMS;
        char *bigger = arena_take_raw(a, room > SIZE_MAX / 2 / item_size ? SIZE_MAX : room * item_size);
        if (bigger == NULL)
            return NULL;
        if (*count > 0)
            memcpy(bigger, items, *count * item_size);
        items = bigger;
        memcpy(list, &items, sizeof items);
    }
    return memset(items + (*count)++ * item_size, 0, item_size);
}
