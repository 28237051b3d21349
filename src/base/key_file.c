#define _GNU_SOURCE
#include "key_file.h"

#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY_FILE_MAX = 4096 };

/* How much was read; -1: errno says why not. */
static ssize_t key_file_fill(int file, char *text, size_t room)
{
    size_t size = 0;
    while (size < room) {
        ssize_t got = read(file, text + size, room - size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        size += (size_t)got;
    }
    return (ssize_t)size;
}

static size_t key_file_line(const char *text)
{
    size_t size = strcspn(text, "\n");
    while (size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\t' || text[size - 1] == '\r'))
        size--;
    return size;
}

static char *key_file_read(int file, const char **out_fault)
{
    char text[KEY_FILE_MAX + 2] = "";
    struct stat info;
    ssize_t size = fstat(file, &info) != 0 ? -1 : S_ISREG(info.st_mode) ? key_file_fill(file, text, KEY_FILE_MAX + 1) : 0;
    size_t line = key_file_line(text);
    char *key = NULL;
    if (size < 0)
        *out_fault = strerror(errno);
    else if (!S_ISREG(info.st_mode))
        *out_fault = "it is not a regular file";
    else if (size > KEY_FILE_MAX)
        *out_fault = "it is larger than 4096 bytes";
    else if (line == 0)
        *out_fault = "its first line is empty";
    else
        key = lf__alloc(line + 1);
    if (key != NULL)
        memcpy(key, text, line);
    lf__wipe(text, sizeof text);
    return key;
}

char *lf__key_file_read(const char *path, const char **out_fault)
{
    LF__KEEP_ERRNO;
    /* A pipe must not make us wait. Links are followed: container platforms make such a file a link. */
    int file = lf__open_at(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    char *key = NULL;
    *out_fault = NULL;
    if (file < 0) {
        *out_fault = strerror(errno);
    } else {
        key = key_file_read(file, out_fault);
        (void)close(file);
    }
    return key;
}
