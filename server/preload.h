/* Where the library is that records a program's calls of libcurl when LD_PRELOAD names it. */
#ifndef LOCAL_PRELOAD_H
#define LOCAL_PRELOAD_H

#include "arena.h"

#define PRELOAD_LIBRARY "liblangfuse-curl.so"

/* The absolute path: `given`, unless it is NULL, else the library beside this program or in ../lib or ../lib64 of it. NULL with one
 * line in `why` when it is not there, or when LD_PRELOAD cannot name it. */
const char *preload_find(arena *a, const char *given, char *why, size_t why_size);

#endif
