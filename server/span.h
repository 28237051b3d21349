/* Spans and their attributes -> observations: the rules of a Langfuse server.
 *
 * Pure: decoded exports in, rows out, everything in the export's arena.
 */
#ifndef LOCAL_SPAN_H
#define LOCAL_SPAN_H

#include "observation.h"
#include "otlp.h"

/* One row for each span of a decoded export, in its order; NULL when out of memory or when there are no spans. `decode_metadata`: the
 * texts of metadata are JSON. Adds to the losses what the rows lack of what was sent. */
observation *span_map_all(const otlp_export *e, int64_t now_ns, bool decode_metadata, unsigned *losses);

#endif
