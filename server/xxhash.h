/* The hash by which a real server orders traces that begin in one millisecond. Pure. */
#ifndef LOCAL_XXHASH_H
#define LOCAL_XXHASH_H

#include "text.h"

uint32_t xxhash_32(text t); /* XXH32 with seed 0 */

#endif
