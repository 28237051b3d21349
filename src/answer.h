/* What the body of an answer says: whether a server that was meant can have written it. Pure: no I/O, no memory kept. */
#ifndef LF_SRC_ANSWER_H
#define LF_SRC_ANSWER_H

#include "base.h"

/* Is it a page (HTML, XML) and thus neither JSON nor protobuf? Captive portals, proxies and other programs answer with those. */
bool lf__answer_is_page(const char *body, size_t size);

#endif
