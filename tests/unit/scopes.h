/* Scopes by hand, for tests that open many at once, or end them in an order that no block allows. */
#ifndef LF_TESTS_SCOPES_H
#define LF_TESTS_SCOPES_H

#include "../../observe.h"

#define A_SITE(name, names, count) {LANGFUSE_VERSION_NUM, 0, name, __FILE__, names, __LINE__, LF_SPAN, count, NULL, 0, 0}
#define OPEN_SCOPE(scope, site, arguments) ((scope)->words[0] = 0, lf_i_open(scope, site, arguments, lf_i_stack_pointer()))

#endif
