/* The Authorization header; see auth.h. */
#include "auth.h"

#include <string.h>

/* In time that does not depend on where the texts differ. */
static bool same_secret(text a, text b)
{
    unsigned difference = a.len != b.len;
    for (size_t i = 0; i < a.len && i < b.len; i++)
        difference |= (unsigned)(a.at[i] ^ b.at[i]);
    return difference == 0;
}

static auth_verdict check_basic(const auth_keys *keys, text encoded)
{
    buf plain = {.ceiling = 4096}; /* keys have some 50 characters */
    auth_verdict verdict = AUTH_MALFORMED;
    const char *colon = base64_decode(&plain, text_trim(encoded)) && plain.len ? memchr(plain.at, ':', plain.len) : NULL;
    if (colon) {
        text secret = {colon + 1, plain.len - (size_t)(colon + 1 - plain.at)};
        const char *end = secret.len ? memchr(secret.at, ':', secret.len) : NULL;
        if (end) /* the secret ends at a further colon */
            secret.len = (size_t)(end - secret.at);
        if (secret.len && colon > plain.at)
            verdict = same_secret(secret, text_of(keys->secret_key)) ? AUTH_OK : AUTH_WRONG;
    }
    buf_free(&plain);
    return verdict;
}

auth_verdict auth_check(const auth_keys *keys, const char *header)
{
    text given = text_of(header);
    if (!header)
        return AUTH_ABSENT;
    if (text_starts(given, "Basic "))
        return check_basic(keys, (text){given.at + 6, given.len - 6});
    if (text_starts(given, "Bearer "))
        return same_secret((text){given.at + 7, given.len - 7}, text_of(keys->public_key)) ? AUTH_BEARER : AUTH_BEARER_WRONG;
    return AUTH_MALFORMED;
}
