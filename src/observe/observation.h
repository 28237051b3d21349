/* Observations that no scope ends: handles and moments. And where any observation stands that says so itself, and updates of traces.
 */
#ifndef LF_SRC_OBSERVATION_H
#define LF_SRC_OBSERVATION_H

#include "write.h"

/* As the calls of lf_core.h whose fields they take, while observing is on. */
lf_observation *lf__observation_start(const lf_observation_fields *given, bool current);
lf_observation *lf__observation_event(const lf_observation_fields *given);
void lf__observation_update(lf_observation *observation, const lf_observation_fields *fields);
void lf__observation_append(lf_observation *observation, const char *text, size_t size);
void lf__trace_update(const lf_trace_fields *given);
/* As lf_observation_end. One that was started ends also while the library is stopped, as scopes do: it is not recorded, and not open. */
void lf__observation_end(lf_observation *observation, const lf_observation_fields *given);

/* Put a record into the trace that a user's text names (NULL: nothing happens). The text, where it is no id, is kept in a
 * field. */
void lf__place_in_trace(lf__writer *w, lf__record *record, const char *trace_id_text, const char *parent_text);
/* Let the worker know the texts behind the ids of an observation just begun, for its children and its siblings: the batch
 * endpoint takes any text as an id. Nothing happens for NULL and for hex. */
void lf__announce_names(const lf__record *record, const char *trace_id_text, const char *id_text);
/* Put it into another client's project, as a root there. NULL: nothing happens. */
void lf__place_at_client(lf__record *record, const lf_client *client);

#endif
