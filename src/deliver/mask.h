/* The mask hook (lf_options.mask) applied to a record, at the single exit to the wire. Pure but for what the hook does. */
#ifndef LF_SRC_MASK_H
#define LF_SRC_MASK_H

#include "../base/config.h"
#include "../observe/record.h"

/* What may be sent of `record`: itself when there is no hook, otherwise a copy in `out` (made by lf__buf_init) in which the
 * hook has seen every value that lf_masked names. Arguments become one input, pieces one output, and values that a later one
 * replaces are left out; all other fields are as they were. Marks stay, so propagated metadata that the hook turns into text
 * is not sent: it must be an object.
 *
 * Fails closed: a value whose masking fails, also for want of memory, is replaced by a fixed text. NULL: not even that had
 * room; the caller drops the record. Worker only. */
const lf__record *lf__mask_record(lf__buf *out, const lf__record *record, const lf__config *config);

/* As lf_mask_replace. */
bool lf__mask_replace(lf_masked *value, const char *text, size_t size, bool is_json);

#endif
