#include "left.h"

enum {
    LEFT_PUSHED = 32, /* so far the stack pointer moves down inside a function where arguments are pushed */
    LEFT_LOOK = 256   /* scopes of which nothing can be said, before the search ends: each beginning would take long */
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
#define LEFT_EACH(segment, offset)                                                  \
    for (uint32_t offset = left_scope_from(segment, (segment)->frame); offset != 0; \
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
    return frame->address == place->address || (frame->on_own_stack && on_own_stack && frame->address < place->stack_pointer);
}

static uint32_t left_block(const lf__code_place *place)
{
    return (uint32_t)(place->at >> 32);
}

/* Does the scope stand further down in the text than that place, if both stand in one function? */
static bool left_is_after(const lf__code_place *scope, const lf__code_place *place)
{
    return (uint32_t)scope->at > (uint32_t)place->at;
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

/* The stack of a call: no scope of it, or of a function inlined into it, began with a stack pointer outside of that. A call
 * further up has higher ones, a call from here lower ones, if the stack is the same. */
typedef struct left_call {
    uintptr_t low, top; /* 0 and UINTPTR_MAX: not known */
} left_call;

static const left_call left_any_call = {0, UINTPTR_MAX};

static bool left_is_of_call(const lf__frame *frame, const left_call *call)
{
    return frame->stack_pointer == 0 || (frame->stack_pointer >= call->low && frame->stack_pointer <= call->top);
}

/* The innermost scope of the block that is open here; what lies above it was left. False: it has none. */
static bool left_own(const lf__segment *segment, const lf__code_place *here, const left_call *call, uint32_t *out_lowest)
{
    *out_lowest = 0;
    LEFT_EACH(segment, offset) {
        const lf__frame *frame = left_frame(segment, offset);
        bool same_block = frame->code.around == here->around && left_block(&frame->code) == left_block(here);
        if (same_block && !left_is_after(&frame->code, here) && left_is_of_call(frame, call))
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
    return left_own(segment, here, &left_any_call, &lowest) ? lowest : 0;
}

/* A function that says OBSERVE_CAUGHT is not inlined itself (lf_i_stay_a_function): its callers have stacks of their own. */
uint32_t lf__left_caught(const lf__segment *segment, const lf__code_place *here, uintptr_t stack_pointer, uintptr_t frame_top)
{
    left_call call = stack_pointer == 0 ? left_any_call : (left_call){stack_pointer - LEFT_PUSHED, frame_top};
    uint32_t lowest, block = left_block(here);
    if (block != 0 && left_own(segment, here, &call, &lowest))
        return lowest;
    bool none_around = stack_pointer != 0 && (block == 0 || block == LF__BLOCK_UNKNOWN);
    bool on_own_stack = lf__is_own_stack(segment, stack_pointer);
    int looked = 0;
    lowest = 0;
    LEFT_EACH(segment, offset) {
        const lf__frame *frame = left_frame(segment, offset);
        bool comparable = on_own_stack && lf__is_own_stack(segment, frame->stack_pointer);
        if ((comparable && frame->stack_pointer < call.low) || (none_around && left_is_of_call(frame, &call)))
            lowest = offset;
        else if (comparable || ++looked == LEFT_LOOK)
            break;
    }
    return lowest;
}
