/* Observations whose life is no scope's: lf_start_observation. A handle names a slot and one use of it, so that an old one can
 * be told from a new one and nothing a program does with it is dangerous. Slots are never given back to the system; a thread
 * takes them from, and returns them to, a list of its own, the one that has rested longest first.
 */
#ifndef LF_SRC_HANDLE_H
#define LF_SRC_HANDLE_H

#include "submit.h"

enum {
/* LF__HANDLES are open at once. The rest of a handle's bits tell one use of a slot from another: on 32 bit there are so few of
 * them that there are fewer slots instead. */
#if UINTPTR_MAX > UINT32_MAX
    LF__HANDLES = 65536,
    LF__HANDLE_INDEX_BITS = 17,
#else
    LF__HANDLES = 16320,
    LF__HANDLE_INDEX_BITS = 14,
#endif
    LF__HANDLE_BYTES = 64 << 20 /* what the open ones may need beyond their slots, all together */
};

/* A new one with a copy of this record, whose fields end with it. NULL: too many are open, or no memory. */
lf_observation *lf__handle_new(lf__segment *segment, const lf__record *record);
bool lf__handle_is_open(const lf_observation *handle);
/* Ids, flags and client; also of an ended one whose slot was not used again. */
bool lf__handle_header(const lf_observation *handle, lf__record *out_header);
/* Its header, and of its fields those that are propagated to children: *out_size bytes of them, 0 when they exceed the room. */
bool lf__handle_place(const lf_observation *handle, lf__record *out_header, void *out_fields, size_t room, uint32_t *out_size);
/* Bytes of its record so far; 0 when it is long ended. */
size_t lf__handle_size(const lf_observation *handle);
/* Add fields. Attributes take the place of the same ones from before: each callback of a request sets them anew. Those that have
 * no room are shortened, or left out and counted (capture.h). False: it is not open. */
bool lf__handle_append(lf_observation *handle, const void *fields, size_t size, bool are_attributes);
void lf__handle_add_flag(lf_observation *handle, lf__record_flag flag);
/* Is this the first piece of streamed output? True once. */
bool lf__handle_first_piece(lf_observation *handle);
/* End it, handing its record to the worker first. False: it is not open. */
bool lf__handle_end(lf__segment *segment, lf_observation *handle, uint64_t end_ns, lf__record_flag flags);
/* End all that are open. */
void lf__handles_end_all(lf__segment *segment, uint64_t end_ns, lf__record_flag flags);
/* How many may be open at once, at most LF__HANDLES, in steps of 64; and how much all may hold beyond their slots. */
void lf__handles_set_limits(unsigned count, size_t bytes);
/* In the child of a fork: they are the parent's. */
void lf__handles_after_fork_child(void);

#endif
