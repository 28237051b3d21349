/* Which clients may ask: reads an Authorization header as a real server does. Pure. */
#ifndef LOCAL_AUTH_H
#define LOCAL_AUTH_H

#include "text.h"

typedef struct auth_keys {
    const char *public_key, *secret_key;
} auth_keys;

/* The keys of a server that is told none. */
#define AUTH_LOCAL_KEYS ((auth_keys){"pk-lf-local", "sk-lf-local"})

typedef enum auth_verdict {
    AUTH_OK,        /* Basic with the right secret; the public key is not looked at */
    AUTH_ABSENT,    /* no header */
    AUTH_MALFORMED, /* another scheme, or Basic without two parts */
    AUTH_WRONG,     /* Basic with another secret */
    AUTH_BEARER,    /* the public key as bearer token: known, but it may neither read nor export */
    AUTH_BEARER_WRONG
} auth_verdict;

auth_verdict auth_check(const auth_keys *keys, const char *header);

#endif
