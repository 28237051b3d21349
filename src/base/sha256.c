#include "sha256.h"

#include <string.h>

enum { SHA256_BLOCK = 64 };

static const uint32_t sha256_round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01,
    0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
    0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08,
    0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t sha256_rotate(uint32_t x, unsigned bits)
{
    return x >> bits | x << (32 - bits);
}

static void sha256_block(uint32_t state[8], const uint8_t *block)
{
    uint32_t w[64];
    for (unsigned i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (unsigned i = 16; i < 64; i++) {
        uint32_t s0 = sha256_rotate(w[i - 15], 7) ^ sha256_rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t s1 = sha256_rotate(w[i - 2], 17) ^ sha256_rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (unsigned i = 0; i < 64; i++) {
        uint32_t s1 = sha256_rotate(e, 6) ^ sha256_rotate(e, 11) ^ sha256_rotate(e, 25);
        uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + sha256_round_constants[i] + w[i];
        uint32_t s0 = sha256_rotate(a, 2) ^ sha256_rotate(a, 13) ^ sha256_rotate(a, 22);
        uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
        h = g, g = f, f = e, e = d + t1;
        d = c, c = b, b = a, a = t1 + t2;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
    state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

void lf__sha256_init(lf__sha256_sum *sum)
{
    static const uint32_t first[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    *sum = (lf__sha256_sum){0};
    memcpy(sum->state, first, sizeof first);
}

void lf__sha256_add(lf__sha256_sum *sum, const void *data, size_t size)
{
    const uint8_t *at = data;
    size_t held = (size_t)(sum->size % SHA256_BLOCK);
    sum->size += size;
    if (held > 0) {
        size_t some = size < SHA256_BLOCK - held ? size : SHA256_BLOCK - held;
        if (some > 0)
            memcpy(sum->block + held, at, some);
        if (held + some < SHA256_BLOCK)
            return;
        sha256_block(sum->state, sum->block);
        at += some;
        size -= some;
    }
    for (; size >= SHA256_BLOCK; at += SHA256_BLOCK, size -= SHA256_BLOCK)
        sha256_block(sum->state, at);
    if (size > 0)
        memcpy(sum->block, at, size);
}

void lf__sha256_finish(lf__sha256_sum *sum, uint8_t out[32])
{
    /* The rest, a one bit, zeros, and the length in bits at the end of a block. */
    uint8_t last[2 * SHA256_BLOCK] = {0};
    size_t left = (size_t)(sum->size % SHA256_BLOCK);
    memcpy(last, sum->block, left);
    last[left] = 0x80;
    size_t padded = left + 9 <= SHA256_BLOCK ? SHA256_BLOCK : 2 * SHA256_BLOCK;
    for (size_t i = 0; i < 8; i++)
        last[padded - 1 - i] = (uint8_t)(sum->size * 8 >> (8 * i));
    for (size_t i = 0; i < padded; i += SHA256_BLOCK)
        sha256_block(sum->state, last + i);
    for (size_t i = 0; i < 32; i++)
        out[i] = (uint8_t)(sum->state[i / 4] >> (24 - 8 * (i % 4)));
}

void lf__sha256(const void *data, size_t size, uint8_t out[32])
{
    lf__sha256_sum sum;
    lf__sha256_init(&sum);
    lf__sha256_add(&sum, data, size);
    lf__sha256_finish(&sum, out);
}
