/* The worker's queue of ended observations that are not in a batch yet, in order of arrival, found by trace. When it is
 * full it lets whole traces go, oldest first: a trace with holes misleads more than one that is missing.
 * Used by the worker only.
 */
#ifndef LF_SRC_PENDING_H
#define LF_SRC_PENDING_H

#include "../observe/record.h"

#include <stdatomic.h>

typedef struct lf__pending lf__pending;

/* `drops`, by lf_drop_reason, counts every record that is let go. NULL: no memory. */
lf__pending *lf__pending_new(size_t max_bytes, _Atomic uint64_t *drops);
/* The ceiling moves as batches take their part of the common one. */
void lf__pending_set_max(lf__pending *pending, size_t max_bytes);
void lf__pending_free(lf__pending *pending); /* drops nothing: call lf__pending_drop_all first */

/* Copy a record in. Makes room by dropping the oldest traces; a record of a trace that was dropped is dropped too. */
void lf__pending_add(lf__pending *pending, const lf__record *record);
/* The oldest record; NULL when empty. Valid until the next call other than count or bytes. */
const lf__record *lf__pending_first(lf__pending *pending);
void lf__pending_remove_first(lf__pending *pending);
/* Let go of the records of this trace, those that are queued and those that still come. */
void lf__pending_drop_trace(lf__pending *pending, const uint8_t trace_id[16], lf_drop_reason reason);
void lf__pending_drop_all(lf__pending *pending, lf_drop_reason reason);

size_t lf__pending_count(const lf__pending *pending);
size_t lf__pending_bytes(const lf__pending *pending); /* memory held, empty space included */
/* Records ever added, dropped ones included. The first one has number 0. */
uint64_t lf__pending_added(const lf__pending *pending);
/* Number of the record that lf__pending_first gives; == added when empty. */
uint64_t lf__pending_first_number(lf__pending *pending);

#endif
