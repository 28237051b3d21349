#define _GNU_SOURCE
#include "prompt_disk.h"

#include "ids.h"
#include "once.h"
#include "sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DISK_FILE_MAX = 8 << 20 };

/* Folder, '/', 64 hex digits and the ending: the hash of all that tells one prompt from another. NULL: no folder, no server, or
 * no memory. */
static char *disk_path(const lf__config *config, const lf__prompt_key *key, const char *ending)
{
    if (config->prompt_cache_dir == NULL || config->base_url == NULL)
        return NULL;
    lf__buf name;
    lf__buf_init(&name, 64 << 10);
    lf__buf_add_text(&name, config->base_url);
    lf__buf_add_char(&name, '\n');
    lf__buf_add_text(&name, config->public_key == NULL ? "" : config->public_key);
    lf__buf_add_char(&name, '\n');
    lf__buf_add_text(&name, key->name);
    lf__buf_add_char(&name, '\n');
    if (key->version != 0)
        lf__buf_add(&name, &key->version, sizeof key->version);
    else
        lf__buf_add_text(&name, key->label);
    uint8_t hash[32];
    if (!name.failed)
        lf__sha256(name.data, name.length, hash);
    bool failed = name.failed;
    lf__buf_done(&name);
    char hex[2 * sizeof hash + 1];
    size_t size = strlen(config->prompt_cache_dir) + sizeof hex + strlen(ending) + 1;
    char *path = failed ? NULL : lf__alloc(size);
    if (path == NULL)
        return NULL;
    lf__id_write(hash, sizeof hash, hex);
    snprintf(path, size, "%s/%s%s", config->prompt_cache_dir, hex, ending);
    return path;
}

static void disk_complain(const lf__config *config)
{
    int error = errno;
    if (lf__first_time(lf__cause(config->number, "cache", NULL)))
        lf__log(&config->logger, LF__LOG_WARNING, "prompts are not kept in LANGFUSE_PROMPT_CACHE_DIR=%.200s: %s", config->prompt_cache_dir,
                strerror(error));
}

/* To a file of its own first: a reader, or a crash, sees the old copy or the new one. */
static bool disk_write(const char *path, const char *partial, const char *json, size_t size)
{
    int file = open(partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0)
        return false;
    bool ok = lf__write_all(file, json, size);
    ok = close(file) == 0 && ok && rename(partial, path) == 0;
    if (!ok)
        (void)unlink(partial);
    return ok;
}

void lf__prompt_disk_write(const lf__config *config, const lf__prompt_key *key, const char *json, size_t size)
{
    if (config->prompt_cache_dir == NULL || size > DISK_FILE_MAX)
        return;
    static _Atomic unsigned number; /* clocks may stand still between two threads, and processes share ids after a restart */
    int saved = errno;
    char ending[96];
    snprintf(ending, sizeof ending, ".%ld.%llx.%x.part", (long)getpid(), (unsigned long long)lf__monotonic_ns(), number++);
    char *path = disk_path(config, key, ".json"), *partial = disk_path(config, key, ending);
    if (mkdir(config->prompt_cache_dir, 0700) != 0 && errno != EEXIST)
        disk_complain(config);
    else if (path != NULL && partial != NULL && !disk_write(path, partial, json, size))
        disk_complain(config);
    lf__free(path);
    lf__free(partial);
    errno = saved;
}

void lf__prompt_disk_remove(const lf__config *config, const lf__prompt_key *key)
{
    int saved = errno;
    char *path = disk_path(config, key, ".json");
    if (path != NULL)
        (void)unlink(path);
    lf__free(path);
    errno = saved;
}

static char *disk_read(int file, size_t *out_size, uint64_t *out_age_ns)
{
    struct stat info;
    if (fstat(file, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size <= 0 || info.st_size > DISK_FILE_MAX)
        return NULL;
    size_t size = (size_t)info.st_size, done = 0;
    char *text = lf__alloc(size + 1);
    while (text != NULL && done < size) {
        ssize_t got = read(file, text + done, size - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        done += (size_t)got;
    }
    if (text == NULL || done < size) {
        lf__free(text);
        return NULL;
    }
    uint64_t written_ns = (uint64_t)info.st_mtim.tv_sec * 1000000000u + (uint64_t)info.st_mtim.tv_nsec, now = lf__wall_ns();
    *out_age_ns = now > written_ns ? now - written_ns : 0;
    *out_size = size;
    return text;
}

char *lf__prompt_disk_read(const lf__config *config, const lf__prompt_key *key, size_t *out_size, uint64_t *out_age_ns)
{
    char *path = disk_path(config, key, ".json");
    if (path == NULL)
        return NULL;
    int saved = errno;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK); /* a pipe must not make us wait */
    char *text = file < 0 ? NULL : disk_read(file, out_size, out_age_ns);
    if (file >= 0)
        (void)close(file);
    lf__free(path);
    errno = saved;
    return text;
}
