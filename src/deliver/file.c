#define _GNU_SOURCE
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_STEP_MS = 5, FILE_LOCK_MS = 100 };

bool lf__file_init(lf__file *file, const char *path, const char *suffix)
{
    struct stat info;
    bool is_special = stat(path, &info) == 0 && !S_ISREG(info.st_mode);
    size_t size = strlen(path) + strlen(suffix) + 1;
    *file = (lf__file){.path = lf__alloc(size)};
    if (file->path != NULL)
        snprintf(file->path, size, "%s%s", path, is_special ? "" : suffix);
    return file->path != NULL;
}

void lf__file_done(lf__file *file)
{
    lf__free(file->path);
}

/* Wait a moment, for room in a pipe unless `file` is negative. False: the time is over. */
static bool file_pause(int file, uint64_t until_ns, const _Atomic bool *stop)
{
    if (lf__monotonic_ns() >= until_ns || atomic_load_explicit(stop, memory_order_relaxed))
        return false;
    struct pollfd writable = {.fd = file, .events = POLLOUT};
    (void)poll(&writable, 1, FILE_STEP_MS);
    return true;
}

/* A process that holds its lock for long is not waited for. */
static bool file_await_turn(int file, const _Atomic bool *stop)
{
    uint64_t until_ns = lf__monotonic_ns() + FILE_LOCK_MS * 1000000u;
    while (flock(file, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return true; /* a file system without locks: as well as it goes */
        if (!file_pause(-1, until_ns, stop)) {
            errno = EWOULDBLOCK;
            return false;
        }
    }
    return true;
}

static bool file_write(int file, const char *bytes, size_t size, uint64_t until_ns, const _Atomic bool *stop)
{
    while (size > 0) {
        ssize_t written = write(file, bytes, size);
        if (written < 0 && errno != EINTR && (errno != EAGAIN || !file_pause(file, until_ns, stop)))
            return false;
        bytes += written > 0 ? written : 0;
        size -= written > 0 ? (size_t)written : 0;
    }
    return true;
}

/* Half a line would spoil the next one. It is cut off again; in a pipe, where that cannot be, the next line begins anew. */
static bool file_write_line(lf__file *to, int file, const lf__buf *const *parts, size_t count, uint64_t until_ns,
                            const _Atomic bool *stop)
{
    off_t before = lseek(file, 0, SEEK_END);
    bool ok = !to->half_line || file_write(file, "\n", 1, until_ns, stop);
    for (size_t i = 0; ok && i < count; i++)
        ok = file_write(file, parts[i]->data, parts[i]->length, until_ns, stop);
    ok = ok && file_write(file, "\n", 1, until_ns, stop);
    int error = errno;
    to->half_line = !ok && (before < 0 || ftruncate(file, before) != 0);
    errno = error;
    return ok;
}

static const char *file_problem(int error)
{
    return error == ENXIO         ? "nobody reads this pipe"
           : error == EWOULDBLOCK ? "another process holds its lock, or nobody empties this pipe"
                                  : strerror(error);
}

const char *lf__file_append(lf__file *to, const lf__buf *const *parts, size_t count, long timeout_ms, const _Atomic bool *stop)
{
    /* A pipe without a reader cannot be opened so. */
    int file = lf__open_at(AT_FDCWD, to->path, O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY | O_NONBLOCK, 0600);
    if (file < 0)
        return file_problem(errno);
    bool ok = file_await_turn(file, stop) &&
              file_write_line(to, file, parts, count, lf__monotonic_ns() + (uint64_t)timeout_ms * 1000000u, stop);
    const char *problem = ok ? NULL : file_problem(errno);
    (void)flock(file, LOCK_UN); /* closing is not enough: a child forked meanwhile has the file open, too */
    if (close(file) != 0 && ok)
        problem = file_problem(errno);
    return problem;
}
