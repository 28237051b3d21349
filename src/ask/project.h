/* A client's project on the server: are its keys good, and where can a trace be looked at. */
#ifndef LF_SRC_PROJECT_H
#define LF_SRC_PROJECT_H

#include "../base/config.h"

/* As lf_auth_check. `config` may be NULL. */
lf_status lf__project_check(const lf__config *config, int timeout_ms, lf_error *error);
/* The id of the project that the keys belong to, asked for once. NULL: no answer, or no memory. */
const char *lf__project_id(lf__config *config, int timeout_ms);
/* Where a trace can be looked at, by its id on the server; for lf__free. NULL: no memory. */
char *lf__project_url(const lf__config *config, const char *project, const char *trace);
/* Ask for the id. As lf_auth_check documents its result; LF_ERR_ARGUMENT when `room` is too small for the id. `id` is untouched
 * on failure. */
lf_status lf__project_ask(const lf__config *config, int timeout_ms, char *id, size_t room, lf_error *error);

#endif
