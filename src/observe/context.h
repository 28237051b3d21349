/* A context: the place in a trace that a thread or another process goes on from, and what is propagated there. One block of
 * memory without pointers.
 */
#ifndef LF_SRC_CONTEXT_H
#define LF_SRC_CONTEXT_H

#include "record.h"

enum { LF__CONTEXT_MAX = 64 << 10 }; /* bytes of propagated fields; scopes and headers that bring more are cut there */

struct lf_context {
    uint8_t trace_id[16];
    uint8_t id[8];   /* of the parent of what is observed in this context */
    uint16_t flags;  /* LF__FLAG_UNSAMPLED, LF__FLAG_REMOTE_PARENT, LF__FLAG_NO_TRACE, LF__FLAG_APP_ROOT: its children are */
    uint16_t unused;
    uint32_t client;
    uint32_t size; /* of the fields */
    uint64_t fields[]; /* lf__field, marked LF__MARK_PROPAGATED */
};

#endif
