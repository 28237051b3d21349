/* SHA-256 (FIPS 180-4), for ids that are derived from a text or from media. Not for secrets: it does not clear its memory. */
#ifndef LF_SRC_SHA256_H
#define LF_SRC_SHA256_H

#include <stddef.h>
#include <stdint.h>

/* Of bytes that come in pieces. */
typedef struct lf__sha256_sum {
    uint32_t state[8];
    uint64_t size;     /* bytes so far */
    uint8_t block[64]; /* those of an unfinished block */
} lf__sha256_sum;

void lf__sha256_init(lf__sha256_sum *sum);
void lf__sha256_add(lf__sha256_sum *sum, const void *data, size_t size);
void lf__sha256_finish(lf__sha256_sum *sum, uint8_t out[32]);

void lf__sha256(const void *data, size_t size, uint8_t out[32]);

#endif
