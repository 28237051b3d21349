/* A file, a pipe or a device that gets one line a batch, as the file receiver of an OpenTelemetry Collector reads it. Several
 * processes may write to it, one after the other.
 */
#ifndef LF_SRC_FILE_H
#define LF_SRC_FILE_H

#include "../base/buf.h"

#include <stdatomic.h>

typedef struct lf__file {
    char *path;
    bool half_line; /* a pipe has got the beginning of one */
} lf__file;

/* The file's name is the path with the suffix; a pipe or a device has no second one, and is named by the path alone. False: no
 * memory. */
bool lf__file_init(lf__file *file, const char *path, const char *suffix);
void lf__file_done(lf__file *file);
/* Append a line made of these parts, or nothing. NULL: done; else a text says why it is not, valid until the next call.
 * Blocks: while another process writes, a moment; while a pipe is full, at most timeout_ms; as long as *stop is false. */
const char *lf__file_append(lf__file *file, const lf__buf *const *parts, size_t count, long timeout_ms, const _Atomic bool *stop);

#endif
