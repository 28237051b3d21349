/* An answer with status 207: what a server says of each event of a batch, as a verdict on each item. export.c acts on the
 * verdicts.
 */
#ifndef LF_SRC_VERDICT_H
#define LF_SRC_VERDICT_H

#include "tell.h"

/* An item of several events gets the worst verdict of them. */
enum { LF__VERDICT_TAKEN = 0, LF__VERDICT_AGAIN, LF__VERDICT_REFUSED };

/* Items are JSON objects, an event each, or up to three events with commas between them; an event begins with its id and its
 * type. Each item ends at its place in `ends`, `count` of them. An item that the answer does not speak of was taken, and so are
 * all when there is no memory. Refusals are told. `verdicts` begins as zero. */
void lf__verdict_read(unsigned char *verdicts, const lf__buf *items, const uint32_t *ends, size_t count,
                      const lf__http_answer *answer, lf__tell *tell);

#endif
