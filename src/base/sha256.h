/* SHA-256 (FIPS 180-4), for trace ids that are derived from a text. Not for secrets: it does not clear its memory. */
#ifndef LF_SRC_SHA256_H
#define LF_SRC_SHA256_H

#include <stddef.h>
#include <stdint.h>

void lf__sha256(const void *data, size_t size, uint8_t out[32]);

#endif
