/* Call sites, interned: what is known of an OBSERVE at compile time (function, file, line, argument names), copied and
 * escaped once, so that a record names it by 4 bytes and the module it came from may be unloaded.
 */
#ifndef LF_SRC_SITE_H
#define LF_SRC_SITE_H

#include "../base/text.h"

enum { LF__SITE_MAX_ARGUMENTS = 16, LF__SITE_MAX = 65536 };

typedef struct lf__site {
    const char *function; /* "" for none */
    const char *file;
    int line;
    unsigned argument_count;
    const char *argument_key[LF__SITE_MAX_ARGUMENTS]; /* JSON: "name": with quotes and colon */
    size_t argument_key_size[LF__SITE_MAX_ARGUMENTS];
} lf__site;

/* The id of a call site, interning it at first use; never 0 unless memory or the table is full. `arguments` is the text
 * between the macro's parentheses ("question, top_k"), split at top-level commas. Any thread; takes a lock. */
uint32_t lf__site_intern(const char *function, const char *file, int line, const char *arguments);
/* Id 0 and unknown ids give an empty site. Any thread, no lock. */
const lf__site *lf__site_get(uint32_t id);
/* How many bytes of an argument text come before the first `stop` that is outside of brackets and quotes. */
size_t lf__site_find(lf__text text, char stop);
/* For the fork handlers: nobody is interning while it is held. */
void lf__site_lock(void);
void lf__site_unlock(void);

#endif
