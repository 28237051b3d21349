#include "cors.h"

static bool cors_has_known_keys(const auth_keys *keys)
{
    return text_is(text_of(keys->secret_key), AUTH_LOCAL_KEYS.secret_key);
}

bool cors_allows(const cors_rules *rules, const auth_keys *keys, text path, text origin)
{
    if (origin.size == 0 || !text_starts(path, "/api/public/"))
        return false;
    for (size_t i = 0; i < rules->allowed_count; i++)
        if (text_is(origin, rules->allowed[i]) || text_is(TEXT("*"), rules->allowed[i]))
            return true;
    return !cors_has_known_keys(keys);
}
