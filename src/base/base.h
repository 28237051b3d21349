/* What every other file may use: allocation (with fault injection for the tests), clocks, random bytes.
 * Nothing here knows what an observation is.
 */
#ifndef LF_SRC_BASE_H
#define LF_SRC_BASE_H

#include "../../lf_core.h"

#include <stdarg.h>
#include <string.h>
#include <time.h>

/* Allocation. NULL when memory is out; callers drop and count, never abort. errno stays. lf__free(NULL) is fine. */
void *lf__alloc(size_t size); /* zeroed */
void *lf__realloc(void *pointer, size_t size);
void lf__free(void *pointer);
char *lf__strdup(const char *text); /* NULL for NULL */
/* About what an allocation of this size takes, with its head and padding: a small one takes much more than was asked for. */
static inline size_t lf__alloc_cost(size_t size)
{
    return size <= 24 ? 32 : (size + 8 + 15) & ~(size_t)15;
}
/* Free a text that nobody may find in memory afterwards: a core file, or a later allocation, would show it. NULL is fine. */
void lf__free_secret(char *text);
void lf__wipe(void *bytes, size_t size);
/* Tests: let the n-th allocation from now, and every later one, fail; 0 switches this off. */
void lf__alloc_fail_from(unsigned long n);

/* The bytes from `at` up to `end`; 0 where `at` lies behind `end`: a negative distance, as a size, is nearly all of memory. */
static inline size_t lf__bytes_to(const void *end, const void *at)
{
    ptrdiff_t bytes = (const char *)end - (const char *)at;
    return bytes > 0 ? (size_t)bytes : 0;
}

/* Can anything be so large? The -1 of a recv that failed, as a size, is larger. */
static inline bool lf__size_is_possible(uint64_t size)
{
    return size <= PTRDIFF_MAX;
}

/* Clocks are inlined: an observation costs hardly more than two looks at one. */
static inline uint64_t lf__clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline uint64_t lf__monotonic_ns(void)
{
    return lf__clock_ns(CLOCK_MONOTONIC);
}

static inline uint64_t lf__wall_ns(void)
{
    return lf__clock_ns(CLOCK_REALTIME);
}

/* Fill with bytes from the kernel; falls back to the clock and addresses, so it cannot fail. */
void lf__random_bytes(void *out, size_t size);

/* As openat, close-on-exec. The descriptor is above 2: a program that has closed 0, 1 and 2 must not print into our files. */
int lf__open_at(int folder, const char *path, int flags, unsigned mode);
/* An open descriptor above 2: this one, or a copy that takes its place. A negative one is given back; negative: errno says why. */
int lf__above_standard(int file);

/* Write all of it, in as many calls as that takes. False: errno says why. */
bool lf__write_all(int file, const char *bytes, size_t size);

/* memcpy for what is mostly short: moves that overlap instead of a call. */
static inline __attribute__((always_inline)) void lf__copy(void *to_bytes, const void *from_bytes, size_t size)
{
    char *to = to_bytes;
    const char *from = from_bytes;
    if (size >= 16 && size <= 32) {
        memcpy(to, from, 16);
        memcpy(to + size - 16, from + size - 16, 16);
    } else if (size >= 8 && size < 16) {
        memcpy(to, from, 8);
        memcpy(to + size - 8, from + size - 8, 8);
    } else if (size >= 4 && size < 8) {
        memcpy(to, from, 4);
        memcpy(to + size - 4, from + size - 4, 4);
    } else if (size > 32 && size <= 64) {
        memcpy(to, from, 32);
        memcpy(to + size - 32, from + size - 32, 32);
    } else if (size > 64) {
        memcpy(to, from, size);
    } else if (size != 0) {
        to[0] = from[0];
        to[size / 2] = from[size / 2];
        to[size - 1] = from[size - 1];
    }
}

/* The value of a hexadecimal digit of either case; -1: it is none. */
static inline int lf__hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

#endif
