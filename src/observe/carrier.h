/* Between a context and the headers that carry it to another process: which parts of a context leave, under which names,
 * and what of a sender's headers is believed. lf_inject, lf_extract and their kin stand in carrier.c. Syntax of the headers
 * is the business of trace_context.h.
 */
#ifndef LF_SRC_CARRIER_H
#define LF_SRC_CARRIER_H

#include "context.h"

/* lf_inject, of a given context; NULL is none. */
int lf__carrier_inject(const lf_context *context, void (*set)(void *data, const char *name, const char *value), void *data);

#endif
