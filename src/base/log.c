#define _GNU_SOURCE
#include "log.h"

#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

enum { LOG_LINE = 1024 };

static const char log_prefix[] = "langfuse: ";

/* One write, so that lines of several threads and processes do not mix. */
static void log_write(int file, const char *line, size_t size)
{
    while (write(file, line, size) < 0 && errno == EINTR)
        continue;
}

/* False: it cannot be opened. */
static bool log_to_file(const char *path, const char *line, size_t size)
{
    int file = lf__open_at(AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY | O_NONBLOCK, 0600);
    if (file < 0)
        return false;
    log_write(file, line, size);
    (void)close(file);
    return true;
}

enum { LOG_UNSEEN = 0, LOG_OPEN, LOG_CLOSED };
static _Atomic int log_stderr; /* how descriptor 2 was when it was looked at */

void lf__log_look_at_stderr(void)
{
    LF__KEEP_ERRNO;
    int unseen = LOG_UNSEEN;
    if (atomic_load_explicit(&log_stderr, memory_order_relaxed) == LOG_UNSEEN)
        (void)atomic_compare_exchange_strong(&log_stderr, &unseen, fcntl(STDERR_FILENO, F_GETFD) < 0 ? LOG_CLOSED : LOG_OPEN);
}

static void log_to_stderr(const char *line, size_t size)
{
    lf__log_look_at_stderr();
    if (atomic_load_explicit(&log_stderr, memory_order_relaxed) == LOG_OPEN)
        log_write(STDERR_FILENO, line, size);
}

/* False: there is no hook. */
static bool log_to_hook(const lf__logger *logger, const char *text)
{
    lf__log_hook hook;
    void *data;
    if (!lf__gate_enter_log(logger->gate, &hook, &data))
        return true;
    if (hook != NULL)
        hook(data, text);
    lf__gate_leave(logger->gate);
    return hook != NULL;
}

/* A pipe that nobody reads and a file at the process's limit raise signals, which are none of the program's. */
static void log_to_descriptor(const lf__logger *logger, const char *line, size_t size)
{
    LF__AS_GUEST(guest);
    lf__guest_block_signals(&guest);
    if (logger->path == NULL || !log_to_file(logger->path, line, size))
        log_to_stderr(line, size);
    lf__guest_restore_signals(&guest);
}

void lf__log(const lf__logger *logger, lf__log_level level, const char *format, ...)
{
    if (!lf__logs(logger, level))
        return;
    LF__KEEP_ERRNO;
    char line[LOG_LINE];
    memcpy(line, log_prefix, sizeof log_prefix - 1);
    char *text = line + sizeof log_prefix - 1;
    size_t room = sizeof line - sizeof log_prefix; /* keeps one byte for the newline */
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, room, format, arguments);
    va_end(arguments);
    size_t size = length < 0 ? 0 : (size_t)length < room ? (size_t)length : room - 1;
    for (size_t i = 0; i < size; i++) /* a quoted text must not start a line of its own */
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            text[i] = '?';
    text[size] = '\0';
    if (!logger->has_hook || !log_to_hook(logger, text)) {
        text[size] = '\n';
        log_to_descriptor(logger, line, sizeof log_prefix - 1 + size + 1);
    }
}
