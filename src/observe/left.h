/* Which scopes were left without their ends: by longjmp, by goto out of a block, by lua_error and their like. Whoever catches
 * tells us (OBSERVE_CAUGHT); what is noticed otherwise is here.
 *
 * Two things are known of a scope. Its addresses: those of its variable and the stack pointer of its function. And its place
 * in the code: the function around it, the block and the order in the text (LF_I_AT in lf_core.h). A scope that begins proves
 * that another one is over, if both variables have the same address; if the other variable lies below the stack pointer, both
 * on the stack that the thread was started with; or if the other scope stands in the same function, in a block that is not
 * around the new scope or further down in the text. Addresses say nothing else: the scopes of one function and of those inlined
 * into it lie in one frame in any order, and another stack may be anywhere.
 */
#ifndef LF_SRC_LEFT_H
#define LF_SRC_LEFT_H

#include "segment.h"

enum { LF__ORDER_BITS = 24 }; /* of LF_I_AT */
#define LF__BLOCK_UNKNOWN UINT32_MAX /* C++: all scopes of a function count as in one block */

/* Where a scope stands. */
typedef struct lf__place {
    uintptr_t address;       /* of its variable; UINTPTR_MAX: it is never judged by addresses */
    uintptr_t stack_pointer; /* of the function around */
    lf__code_place code;
    uint32_t depth; /* of the block among those of the function that have scopes; 1 is the outermost */
} lf__place;

static inline bool lf__is_own_stack(const lf__segment *segment, uintptr_t address)
{
    return address - segment->machine_stack_low < segment->machine_stack_size;
}

/* Each says from where on up the open scopes were left: the offset of the lowest such frame, 0 for none. What lies above a
 * scope that was left was left, too. */

/* A scope is about to begin at `place`. */
uint32_t lf__left_before(const lf__segment *segment, const lf__place *place);
/* Control is at this place: the innermost scope around it is open. Nothing is said where there is none. */
uint32_t lf__left_above(const lf__segment *segment, const lf__code_place *here);
/* The same, and the program says that something was left. The function around has the stack from `stack_pointer` to
 * `frame_top`. */
uint32_t lf__left_caught(const lf__segment *segment, const lf__code_place *here, uintptr_t stack_pointer, uintptr_t frame_top);

/* Is a scope that stands there open, and the innermost of its block, when control is here? The usual case, at one glance. */
static inline bool lf__left_none(const lf__code_place *scope, const lf__code_place *here)
{
    return scope->around == here->around && here->at - scope->at < (uint64_t)1 << LF__ORDER_BITS;
}

#endif
