#define _GNU_SOURCE
#include "once.h"

#include "hash.h"

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
    uint64_t hash = lf__hash(LF__HASH, (lf__text){(const char *)&whose, sizeof whose});
    return lf__hash(lf__hash(hash, lf__text_of(text)), lf__text_of(more));
}

bool lf__first_time(uint64_t cause)
{
    _Atomic uintptr_t *table = once_causes();
    uintptr_t mark = (uintptr_t)cause | 1;
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
