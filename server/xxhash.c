#include "xxhash.h"

/* The constants of the algorithm. */
static const uint32_t xxhash_primes[6] = {0, 2654435761u, 2246822519u, 3266489917u, 668265263u, 374761393u};

static uint32_t xxhash_turn(uint32_t value, unsigned bits)
{
    return value << bits | value >> (32 - bits);
}

/* Little-endian on every machine. */
static uint32_t xxhash_word(const char *at)
{
    const unsigned char *bytes = (const unsigned char *)at;
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* The stripes of 16 bytes, four words side by side. */
static uint32_t xxhash_stripes(text *t)
{
    const uint32_t *p = xxhash_primes;
    uint32_t lanes[4] = {p[1] + p[2], p[2], 0, 0 - p[1]};
    for (; t->size >= 16; *t = text_from(*t, 16))
        for (size_t i = 0; i < 4; i++)
            lanes[i] = xxhash_turn(lanes[i] + xxhash_word(t->at + 4 * i) * p[2], 13) * p[1];
    return xxhash_turn(lanes[0], 1) + xxhash_turn(lanes[1], 7) + xxhash_turn(lanes[2], 12) + xxhash_turn(lanes[3], 18);
}

uint32_t xxhash_32(text t)
{
    const uint32_t *p = xxhash_primes;
    uint32_t size = (uint32_t)t.size, hash = (t.size >= 16 ? xxhash_stripes(&t) : p[5]) + size;
    for (; t.size >= 4; t = text_from(t, 4))
        hash = xxhash_turn(hash + xxhash_word(t.at) * p[3], 17) * p[4];
    for (size_t i = 0; i < t.size; i++)
        hash = xxhash_turn(hash + (unsigned char)t.at[i] * p[5], 11) * p[1];
    hash = (hash ^ hash >> 15) * p[2];
    hash = (hash ^ hash >> 13) * p[3];
    return hash ^ hash >> 16;
}
