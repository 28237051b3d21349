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

/* Is the frame's block in the same function, and not around that place? At depth 1 the frame may as well be that of a call
 * further up of a function that calls itself. */
static bool left_block(const lf__frame *frame, const lf__place *place)
{
    return place->depth > 1 && frame->depth >= place->depth && frame->block != place->block && frame->around == place->around;
}

static bool left_was(const lf__frame *frame, const lf__place *place, bool on_own_stack)
{
    return frame->address == place->address ||
           (frame->on_own_stack && on_own_stack && frame->address < place->stack_pointer) || left_block(frame, place);
}

uint32_t lf__left_before(const lf__segment *segment, const lf__place *place)
{
    bool on_own_stack = lf__is_own_stack(segment, place->address);
    uint32_t lowest = 0;
    int looked = 0;
    LEFT_EACH(segment, offset) {
        const lf__frame *frame = left_frame(segment, offset);
        if (left_was(frame, place, on_own_stack))
            lowest = offset;
        else if (frame->on_own_stack != on_own_stack || left_bound(segment, frame) > place->address || ++looked == LEFT_LOOK)
            break;
    }
    return lowest;
}

uint32_t lf__left_above(const lf__segment *segment, const char *around, uint32_t block)
{
    uint32_t lowest = 0;
    LEFT_EACH(segment, offset) {
        const lf__frame *frame = left_frame(segment, offset);
        if (frame->block == block && frame->around == around)
            return lowest;
        if (frame->is_too_deep)
            break; /* the scope of that block may have had no room either */
        lowest = offset;
    }
    return 0;
}

static bool left_when_caught(const lf__segment *segment, const lf__frame *frame, const char *around, uint32_t block,
                             uintptr_t stack_pointer)
{
    if (lf__is_own_stack(segment, stack_pointer)) {
        uintptr_t at = frame->on_own_stack ? frame->address : frame->stack_pointer;
        if (lf__is_own_stack(segment, at) && at < stack_pointer)
            return true;
    }
    /* No scope is around: those of this call of the function were in blocks that control has left. */
    return block == 0 && around != NULL && frame->around == around && stack_pointer != 0 &&
           stack_pointer - frame->stack_pointer + LEFT_PUSHED < LEFT_ALLOCATED;
}

uint32_t lf__left_caught(const lf__segment *segment, const char *around, uint32_t block, uintptr_t stack_pointer)
{
    uint32_t lowest = block == 0 ? 0 : lf__left_above(segment, around, block);
    if (lowest != 0)
        return lowest;
    LEFT_EACH(segment, offset) {
        if (!left_when_caught(segment, left_frame(segment, offset), around, block, stack_pointer))
            break;
        lowest = offset;
    }
    return lowest;
}
