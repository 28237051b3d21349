/* FNV-1a of 64 bits, for tables of this process: it is quick, and no defence against somebody who looks for equal hashes. */
#ifndef LF_SRC_HASH_H
#define LF_SRC_HASH_H

#include "text.h"

#define LF__HASH 0xcbf29ce484222325u /* of nothing yet */

/* The hash goes on with a text, and with a NUL behind it: "ab" and "c" are not "a" and "bc". */
static inline uint64_t lf__hash(uint64_t hash, lf__text text)
{
    const uint64_t prime = 0x100000001b3u;
    for (size_t i = 0; i < text.size; i++)
        hash = (hash ^ (unsigned char)text.at[i]) * prime;
    hash *= prime;
    return hash ^ hash >> 32; /* low bits of a product know nothing of the high ones */
}

#endif
