#include "left.h"

enum {
    /* The stack pointer moves a little inside a function where arguments are pushed, and by more where it allocates. */
    LEFT_PUSHED = 32,
    LEFT_ALLOCATED = 64 << 10,
    LEFT_LOOK = 4096 /* scopes of which nothing can be said, before the search ends */
};

static const lf__frame *left_frame(const lf__segment *segment, uint32_t offset)
{
    return (const lf__frame *)(const void *)((const uint8_t *)segment + offset);
}

/* The frame below, past handles: they were made current in the scope below them, and go when it does. */
static uint32_t left_scope_from(const lf__segment *segment, uint32_t offset)
{
    while (offset != 0 && left_frame(segment, offset)->kind == LF__FRAME_HANDLE)
        offset = left_frame(segment, offset)->below;
    return offset;
}

/* All open scopes, innermost first. */
#define LEFT_EACH(segment, offset)                                                       \
    for (uint32_t offset = left_scope_from(segment, (segment)->frame); offset != 0;      \
         offset = left_scope_from(segment, left_frame(segment, offset)->below))

/* Frames above this address lie in functions further up: they are not asked. The variable stands in where the stack pointer is
 * not known, or is that of another stack, as when a sanitizer moves variables away. */
static uintptr_t left_bound(const lf__segment *segment, const lf__frame *frame)
{
    bool together = lf__is_own_stack(segment, frame->stack_pointer) == frame->on_own_stack;
    return together && frame->stack_pointer != 0 ? frame->stack_pointer : frame->address;
}

/* Proven by addresses. */
static bool left_address(const lf__frame *frame, const lf__place *place, bool on_own_stack)
{
    return frame->address == place->address ||
           (frame->on_own_stack && on_own_stack && frame->address < place->stack_pointer);
}

static uint32_t left_block(const lf__code_place *place)
{
    return (uint32_t)(place->at >> 32);
}

/* Does the scope stand further down in the same file than that place? */
static bool left_is_after(const lf__code_place *scope, const lf__code_place *place)
{
    uint32_t one = (uint32_t)scope->at, other = (uint32_t)place->at;
    return one >> LF__LINE_BITS == other >> LF__LINE_BITS && one > other;
}

/* Is the scope, one of the same function, open at that place? */
static bool left_is_around(const lf__frame *frame, const lf__place *place)
{
    bool around = frame->depth < place->depth || left_block(&frame->code) == left_block(&place->code);
    return around && !left_is_after(&frame->code, &place->code);
}

uint32_t lf__left_before(const lf__segment *segment, const lf__place *place)
{
    bool on_own_stack = lf__is_own_stack(segment, place->address);
    /* Scopes of the function that are not around this one were left, if they lie above one of a block further out. Below that
     * one, and where there is none, they may be of a call further up of a function that calls itself. */
    bool has_outer = place->depth > 1;
    uint32_t lowest = 0, not_around = 0;
    int looked = 0;
    LEFT_EACH(segment, offset) {
        const lf__frame *frame = left_frame(segment, offset);
        bool same_function = has_outer && frame->code.around == place->code.around;
        if (left_address(frame, place, on_own_stack)) {
            lowest = offset;
            continue;
        }
        if (same_function && !left_is_around(frame, place)) {
            not_around = offset;
        } else if (same_function && frame->depth < place->depth) {
            if (not_around != 0 && (lowest == 0 || not_around < lowest))
                lowest = not_around;
            has_outer = false;
        }
        has_outer = has_outer && !frame->is_too_deep; /* the one further out may have had no room */
        if (frame->on_own_stack != on_own_stack || left_bound(segment, frame) > place->address || ++looked == LEFT_LOOK)
            break;
    }
    return lowest;
}

/* Is that a scope of another call than the one with this stack pointer, as far as can be told? A stack pointer of 0 tells
 * nothing. Variables of a call never lie below its stack pointer, unless a sanitizer moves them away. */
static bool left_of_another_call(const lf__segment *segment, const lf__frame *frame, uintptr_t stack_pointer)
{
    if (stack_pointer == 0 || frame->stack_pointer == 0)
        return false;
    bool moved_away = lf__is_own_stack(segment, frame->stack_pointer) != frame->on_own_stack;
    return (!moved_away && frame->address < stack_pointer) ||
           stack_pointer - frame->stack_pointer + LEFT_ALLOCATED >= 2 * LEFT_ALLOCATED;
}

/* The innermost scope of the block that is open here; what lies above it was left. False: it has none. */
static bool left_own(const lf__segment *segment, const lf__code_place *here, uintptr_t stack_pointer, uint32_t *out_lowest)
{
    *out_lowest = 0;
    LEFT_EACH(segment, offset) {
        const lf__frame *frame = left_frame(segment, offset);
        bool same_block = frame->code.around == here->around && left_block(&frame->code) == left_block(here);
        if (same_block && !left_is_after(&frame->code, here) && !left_of_another_call(segment, frame, stack_pointer))
            return true;
        if (frame->is_too_deep)
            break; /* the scope of that block may have had no room either */
        *out_lowest = offset;
    }
    return false;
}

uint32_t lf__left_above(const lf__segment *segment, const lf__code_place *here)
{
    uint32_t lowest;
    return left_own(segment, here, 0, &lowest) ? lowest : 0;
}

/* A scope of this call of the function, where control has left all blocks that have one. No such function is inlined
 * (lf_i_stay_a_function), so another call has another stack pointer. */
static bool left_of_this_call(const lf__frame *frame, const char *around, uintptr_t stack_pointer)
{
    return around != NULL && frame->code.around == around && stack_pointer != 0 &&
           stack_pointer - frame->stack_pointer + LEFT_PUSHED < LEFT_ALLOCATED;
}

uint32_t lf__left_caught(const lf__segment *segment, const lf__code_place *here, uintptr_t stack_pointer)
{
    uint32_t lowest;
    if (left_block(here) != 0 && left_own(segment, here, stack_pointer, &lowest))
        return lowest;
    bool on_own_stack = lf__is_own_stack(segment, stack_pointer);
    int looked = 0;
    lowest = 0;
    LEFT_EACH(segment, offset) {
        const lf__frame *frame = left_frame(segment, offset);
        bool comparable = frame->on_own_stack && on_own_stack;
        if ((comparable && frame->address < stack_pointer) ||
            (left_block(here) == 0 && left_of_this_call(frame, here->around, stack_pointer)))
            lowest = offset;
        else if (comparable || ++looked == LEFT_LOOK)
            break;
    }
    return lowest;
}
