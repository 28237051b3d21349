#define _GNU_SOURCE
#include "once.h"

#include <stdatomic.h>
#include <sys/mman.h>

/* Words of memory that forked processes share; zero is free. Without such memory each process has its own. */
static _Atomic uintptr_t once_own[LF__CAUSES];
static _Atomic(_Atomic uintptr_t *) once_table;

static _Atomic uintptr_t *once_causes(void)
{
    _Atomic uintptr_t *table = atomic_load_explicit(&once_table, memory_order_acquire);
    if (table != NULL)
        return table;
    void *shared = mmap(NULL, sizeof once_own, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    _Atomic uintptr_t *mine = shared == MAP_FAILED ? once_own : shared;
    if (atomic_compare_exchange_strong(&once_table, &table, mine))
        return mine;
    if (mine != once_own)
        (void)munmap(shared, sizeof once_own);
    return table;
}

void lf__once_prepare(void)
{
    (void)once_causes();
}

uint64_t lf__cause(uint64_t whose, const char *text, const char *more)
{
    uint64_t hash = 0xcbf29ce484222325u ^ whose * 0x9e3779b97f4a7c15u;
    for (const char *c = text; *c != '\0'; c++)
        hash = (hash ^ (unsigned char)*c) * 0x100000001b3u;
    for (const char *c = more == NULL ? "" : more; *c != '\0'; c++)
        hash = (hash ^ (unsigned char)*c) * 0x100000001b3u + 1;
    return hash;
}

bool lf__first_time(uint64_t cause)
{
    _Atomic uintptr_t *table = once_causes();
    uintptr_t mark = (uintptr_t)(cause ^ cause >> 32) | 1;
    for (size_t i = 0; i < LF__CAUSES; i++) {
        _Atomic uintptr_t *place = &table[(mark / 2 + i) % LF__CAUSES];
        uintptr_t there = 0;
        if (atomic_compare_exchange_strong(place, &there, mark))
            return true;
        if (there == mark)
            return false;
    }
    return false;
}
