/* Between a context and the headers that carry it to another process: which parts of a context leave, under which names,
 * and what of a sender's headers is believed. Syntax of the headers is the business of trace_context.h.
 */
#ifndef LF_SRC_CARRIER_H
#define LF_SRC_CARRIER_H

#include "context.h"

/* As lf_inject_from, lf_extract and lf_extract_environment, but for errno. */
int lf__carrier_inject(const lf_context *context, void (*set)(void *data, const char *name, const char *value), void *data);
lf_context *lf__carrier_extract(const char *(*get)(void *data, const char *name), void *data);
lf_context *lf__carrier_extract_environment(void);

#endif
