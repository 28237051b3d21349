#define _GNU_SOURCE
#include "base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Allocations left before the injected failure; 0: no injection. Only tests set it. */
static _Atomic unsigned long base_alloc_countdown;

static bool base_alloc_allowed(void)
{
    if (atomic_load_explicit(&base_alloc_countdown, memory_order_relaxed) == 0)
        return true;
    /* Stays at 1 once reached: every later allocation fails too, as it does when memory is really out. */
    if (atomic_load_explicit(&base_alloc_countdown, memory_order_relaxed) == 1)
        return false;
    atomic_fetch_sub_explicit(&base_alloc_countdown, 1, memory_order_relaxed);
    return true;
}

void lf__alloc_fail_from(unsigned long n)
{
    atomic_store_explicit(&base_alloc_countdown, n, memory_order_relaxed);
}

void *lf__alloc(size_t size)
{
    int saved = errno;
    void *memory = base_alloc_allowed() ? calloc(1, size) : NULL;
    errno = saved;
    return memory;
}

void *lf__realloc(void *pointer, size_t size)
{
    int saved = errno;
    void *memory = base_alloc_allowed() ? realloc(pointer, size) : NULL;
    errno = saved;
    return memory;
}

void lf__free(void *pointer)
{
    int saved = errno; /* giving memory back to the system may change it */
    free(pointer);
    errno = saved;
}

/* A plain memset before free would be optimised away, and explicit_bzero is missing in C libraries before 2017. */
void lf__wipe(void *bytes, size_t size)
{
    memset(bytes, 0, size);
    __asm__ volatile("" : : "r"(bytes) : "memory"); /* may read it, for all the compiler knows */
}

void lf__free_secret(char *text)
{
    if (text != NULL)
        lf__wipe(text, strlen(text));
    lf__free(text);
}

char *lf__strdup(const char *text)
{
    if (text == NULL)
        return NULL;
    size_t size = strlen(text) + 1;
    char *copy = lf__alloc(size);
    if (copy != NULL)
        memcpy(copy, text, size);
    return copy;
}

/* Not for secrets: only reached when the kernel refuses getrandom, where unequal ids are all we need. */
static void base_weak_random(unsigned char *out, size_t size)
{
    uint64_t state = lf__wall_ns() ^ (lf__monotonic_ns() << 20) ^ (uint64_t)(uintptr_t)&state ^ ((uint64_t)getpid() << 40);
    for (size_t i = 0; i < size; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        out[i] = (unsigned char)(state >> 56);
    }
}

/* The system call, since C libraries have a function for it only since 2017. */
static long base_kernel_random(unsigned char *out, size_t size)
{
#ifdef SYS_getrandom
    enum { NONBLOCK = 1 }; /* early at boot the kernel would make us wait, and observing never waits */
    return syscall(SYS_getrandom, out, size, NONBLOCK);
#else
    (void)out, (void)size;
    return 0;
#endif
}

void lf__random_bytes(void *out, size_t size)
{
    int saved = errno;
    unsigned char *bytes = out;
    size_t done = 0;
    while (done < size) {
        long got = base_kernel_random(bytes + done, size - done);
        if (got <= 0) {
            if (got < 0 && errno == EINTR)
                continue;
            base_weak_random(bytes + done, size - done);
            break;
        }
        done += (size_t)got;
    }
    errno = saved;
}

int lf__above_standard(int file)
{
    if (file < 0 || file > STDERR_FILENO)
        return file;
    int higher = fcntl(file, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int error = errno;
    (void)close(file);
    errno = error;
    return higher;
}

int lf__open_at(int folder, const char *path, int flags, unsigned mode)
{
    return lf__above_standard(openat(folder, path, flags | O_CLOEXEC, (mode_t)mode));
}

bool lf__write_all(int file, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = write(file, bytes, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        bytes += written;
        size -= (size_t)written;
    }
    return true;
}
