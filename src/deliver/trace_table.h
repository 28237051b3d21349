/* What lf_update_current_trace said, by trace, until the observations of that trace are sent. Bounded: the trace that was used
 * longest ago goes first. Used by the worker only.
 */
#ifndef LF_SRC_TRACE_TABLE_H
#define LF_SRC_TRACE_TABLE_H

#include "../observe/record.h"

typedef struct lf__traces lf__traces;

enum { LF__TRACE_UPDATE_MAX = 256 << 10 }; /* bytes of one trace's fields that add up; beyond it the oldest go */

lf__traces *lf__traces_new(size_t max_bytes); /* NULL: no memory */
void lf__traces_free(lf__traces *traces);
/* Merge an update into what is known of its trace. False: no memory. */
bool lf__traces_add(lf__traces *traces, const lf__record *update);
/* All that was said of the trace, as one record; NULL when nothing was. Valid until the next call. */
const lf__record *lf__traces_get(lf__traces *traces, const uint8_t trace_id[16]);
size_t lf__traces_bytes(const lf__traces *traces);

#endif
