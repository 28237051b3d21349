/* What the library knows of objects that belong to another library: found by their addresses, in any thread. An object is used by one
 * thread at a time, as its own library demands, so only the table has locks, and what it holds has none. A thread that asks for the
 * same object again and again takes no lock at all.
 */
#ifndef LF_SRC_SHADOW_H
#define LF_SRC_SHADOW_H

#include "../base/base.h"

/* The first member of what is kept for an object. */
typedef struct lf__shadow {
    struct lf__shadow *next; /* the table's */
    const void *of; /* the object */
} lf__shadow;

enum { LF__SHADOWS = 1 << 16 }; /* at once; more objects have none */

/* The shadow that this thread found last. Good while no shadow was taken off the table since. */
typedef struct lf__shadow_last {
    const void *of;
    lf__shadow *shadow;
    unsigned age;
} lf__shadow_last;

extern __thread lf__shadow_last lf__shadow_last_found __attribute__((tls_model("initial-exec"), visibility("hidden")));
extern unsigned lf__shadow_age __attribute__((visibility("hidden"))); /* counts what was taken off */

lf__shadow *lf__shadow_look_up(const void *of);

/* NULL: the object has none. */
static inline lf__shadow *lf__shadow_find(const void *of)
{
    /* Pairs with the release in lf__shadow_take: whoever got the address of a new object after that sees it. No pointer to the
     * variable: gcc 12 takes it for NULL under -fsanitize=undefined. */
    if (lf__shadow_last_found.of == of && lf__shadow_last_found.age == __atomic_load_n(&lf__shadow_age, __ATOMIC_ACQUIRE))
        return lf__shadow_last_found.shadow;
    return lf__shadow_look_up(of);
}

/* Put it on the table. False: the table is full. The object has no shadow yet. */
bool lf__shadow_add(lf__shadow *shadow, const void *of);
/* Take it off the table; the caller frees it. NULL: the object has none. */
lf__shadow *lf__shadow_take(const void *of);

/* Fork handlers. */
void lf__shadow_before_fork(void);
void lf__shadow_after_fork_parent(void);
void lf__shadow_after_fork_child(void);

#endif
