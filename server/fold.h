/* All events of one id of the batch endpoint as one body. Pure.
 *
 * Events count in the order of their times, creates before updates of the same time. A fold keeps the value that counts of each
 * member, with the place in that order of the event that said it: a further event is compared with these, and earlier events are
 * never needed again. So the result does not depend on the order of arrival.
 */
#ifndef LOCAL_FOLD_H
#define LOCAL_FOLD_H

#include "event.h"

/* NULL: out of memory. It lives in `a`, as does all that is added to it. */
fold *fold_new(arena *a, event_kind kind, text id);
fold *fold_copy(arena *a, const fold *f); /* without what was replaced meanwhile */

void fold_move(fold *f, arena *a); /* its arena was moved to `a` */

/* Each event once. A failure is that of the arena. */
void fold_add(fold *f, const event *e);

text fold_id(const fold *f);
const event_type *fold_last_type(const fold *f);    /* that of the last event in the order */
int64_t fold_first_ms(const fold *f);               /* the time of the first one */
int64_t fold_created_ns(const fold *f);             /* the earliest arrival */
int64_t fold_updated_ns(const fold *f);             /* the latest arrival */
text fold_text(const fold *f, const char *name); /* a member: a string as it is, another value as JSON; NULL for null and absent */
const json *fold_body(arena *a, fold *f); /* all members but input and output. NULL: out of memory */

#endif
