/* OBSERVE_ATTRIBUTES: a scope whose fields are propagated to all that begins inside of it, and said of the observation around. */
#ifndef LF_SRC_ATTRIBUTE_SCOPE_H
#define LF_SRC_ATTRIBUTE_SCOPE_H

#include "stack.h"

void lf__attribute_scope_open(lf_scope *scope, const lf_site *site, const lf_attributes *attributes, uintptr_t stack_pointer);

#endif
