/* Parts of the observing API that macros and handles share: writing fields, and finding an observation's place. */
#ifndef LF_SRC_MANUAL_H
#define LF_SRC_MANUAL_H

#include "stack.h"

/* As this version knows them, `own` where they come from another one; NULL: nothing is said. */
const lf_observation_fields *lf__observation_fields(const lf_observation_fields *given, lf_observation_fields *own);
void lf__write_fields(lf__writer *w, const lf_observation_fields *fields);
void lf__write_attributes(lf__writer *w, const lf_attributes *given); /* of any version */
/* Put a record into the trace that a user's text names (NULL: nothing happens). The text, where it is no id, is kept in a
 * field. */
void lf__place_in_trace(lf__writer *w, lf__record *record, const char *trace_id_text, const char *parent_text);
/* Let the worker know the texts behind the ids of an observation just begun, for its children and its siblings: the batch
 * endpoint takes any text as an id. Nothing happens for NULL and for hex. */
void lf__announce_names(const lf__record *record, const char *trace_id_text, const char *id_text);
/* Put it into another client's project, where what is around it here is unknown. NULL: nothing happens. */
void lf__place_at_client(lf__record *record, const lf_client *client);

#endif
