#include "ids.h"

#include "sha256.h"

#include <string.h>

bool lf__id_is_zero(const uint8_t *id, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (id[i] != 0)
            return false;
    return true;
}

bool lf__id_parse(const char *text, uint8_t *out, size_t size)
{
    for (size_t i = 0; i < 2 * size; i++) {
        int digit = lf__hex_digit(text[i]);
        if (digit < 0)
            return false;
        out[i / 2] = (uint8_t)(i % 2 == 0 ? digit << 4 : out[i / 2] | digit);
    }
    return text[2 * size] == '\0' && !lf__id_is_zero(out, size);
}

void lf__id_from_text(const char *text, uint8_t *out, size_t size)
{
    uint8_t hash[32];
    lf__sha256(text, strlen(text), hash);
    memcpy(out, hash, size);
}

bool lf__id_read(const char *text, uint8_t *out, size_t size)
{
    if (lf__id_parse(text, out, size))
        return true;
    lf__id_from_text(text, out, size);
    return false;
}

void lf__id_write(const uint8_t *id, size_t size, char *out)
{
    for (size_t i = 0; i < size; i++) {
        out[2 * i] = "0123456789abcdef"[id[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[id[i] & 15];
    }
    out[2 * size] = '\0';
}
