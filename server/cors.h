/* Which pages of browsers may read answers. Pure.
 *
 * A real server lets every page do so, since a page needs keys. With the keys that everybody knows any page of the web could read
 * and delete all that is here, so pages are only let in where the user names them or has keys of their own. */
#ifndef LOCAL_CORS_H
#define LOCAL_CORS_H

#include "auth.h"

enum { CORS_MAX_ORIGINS = 16 };

typedef struct cors_rules {
    const char *allowed[CORS_MAX_ORIGINS]; /* origins like http://localhost:5173; an asterisk: all */
    size_t allowed_count;
} cors_rules;

/* `origin` is what a browser says of the page, and `path` what it asks for. */
bool cors_allows(const cors_rules *rules, const auth_keys *keys, text path, text origin);

#endif
