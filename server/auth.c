#include "auth.h"

#include "buf.h"

/* Takes the same time wherever the texts differ. */
static bool auth_same_secret(text a, text b)
{
    unsigned difference = a.size != b.size;
    for (size_t i = 0; i < a.size && i < b.size; i++)
        difference |= (unsigned)(a.at[i] ^ b.at[i]);
    return difference == 0;
}

static auth_verdict auth_check_basic(const auth_keys *keys, text encoded)
{
    buf plain = {.ceiling = 4096}; /* keys have some 50 characters */
    auth_verdict verdict = AUTH_MALFORMED;
    text rest = buf_from_base64(&plain, text_trim(encoded)) ? buf_view(&plain) : TEXT("");
    text public_key = text_take(&rest, ":"), secret = text_take(&rest, ":"); /* the secret ends at a further colon */
    if (public_key.size > 0 && secret.size > 0)
        verdict = auth_same_secret(secret, text_of(keys->secret_key)) ? AUTH_OK : AUTH_WRONG;
    buf_free(&plain);
    return verdict;
}

auth_verdict auth_check(const auth_keys *keys, const char *header)
{
    text given = text_of(header);
    if (header == NULL)
        return AUTH_ABSENT;
    if (text_skip(&given, "Basic "))
        return auth_check_basic(keys, given);
    if (text_skip(&given, "Bearer "))
        return auth_same_secret(given, text_of(keys->public_key)) ? AUTH_BEARER : AUTH_BEARER_WRONG;
    return AUTH_MALFORMED;
}
