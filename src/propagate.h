/* The limits of what is propagated to every observation of a trace (OBSERVE_ATTRIBUTES, baggage), as the server and the other
 * SDKs have them: text of at most 200 characters, an environment of at most 40 of a-z, 0-9, - and _ that does not begin with
 * "langfuse". What breaks a limit is left out, and said once. Pure.
 */
#ifndef LF_SRC_PROPAGATE_H
#define LF_SRC_PROPAGATE_H

#include "record.h"

enum { LF__PROPAGATED_MAX = 200, LF__ENVIRONMENT_MAX = 40 }; /* characters (code points) */

/* May this field be sent? Always, unless it is marked LF__MARK_PROPAGATED and breaks a limit. Of tags and metadata the whole
 * is judged here (is it a list, an object), their items by lf__propagated_text. */
bool lf__propagated_valid(const lf__field *field);
/* Is it text within LF__PROPAGATED_MAX? */
bool lf__propagated_text(const char *text, size_t size);
bool lf__environment_valid(const char *text, size_t size);

/* The tags of a trace that count: called for each once, in order; text is unescaped UTF-8 in `scratch` and gone afterwards.
 * False when memory is out or `add` said false. */
bool lf__view_tags(const lf__view *view, lf__buf *scratch, bool (*add)(void *owner, const char *tag, size_t size), void *owner);

#endif
