#define _GNU_SOURCE
#include "prompt_disk.h"

#include "../base/guest.h"
#include "../base/ids.h"
#include "../base/once.h"
#include "../base/sha256.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    DISK_FILE_MAX = 8 << 20,
    DISK_HASH = 32,
    DISK_NAME = 192,          /* digits of a hash and an ending */
    DISK_PART_AGE_S = 86400   /* the process that wrote it has ended */
};

static const char disk_part[] = ".part";

/* 64 hex digits and the ending: the hash of all that tells one prompt from another. False: no memory. */
static bool disk_name(char out[DISK_NAME], const lf__config *config, const lf__prompt_key *key, const char *ending)
{
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
    uint8_t hash[DISK_HASH];
    bool ok = !name.failed;
    if (ok)
        lf__sha256(name.data, name.length, hash);
    lf__buf_done(&name);
    if (!ok)
        return false;
    char hex[2 * sizeof hash + 1];
    lf__id_write(hash, sizeof hash, hex);
    snprintf(out, DISK_NAME, "%s%s", hex, ending);
    return true;
}

/* ---- The folder ---- */

static void disk_complain(const lf__config *config, const char *why)
{
    if (lf__first_time(lf__cause(config->number, "cache", NULL)))
        lf__log(&config->logger, LF__LOG_WARNING, "prompts are not kept in LANGFUSE_PROMPT_CACHE_DIR=%.200s: %s",
                config->prompt_cache_dir, why);
}

static bool disk_is_trusted_owner(uid_t owner)
{
    return owner == geteuid() || owner == 0;
}

/* Why a folder is refused: another user who may write there decides what prompts say. NULL: it is good. */
static const char *disk_folder_fault(int folder)
{
    struct stat info;
    if (fstat(folder, &info) != 0)
        return strerror(errno);
    if (!disk_is_trusted_owner(info.st_uid))
        return "it belongs to another user";
    return (info.st_mode & (S_IWGRP | S_IWOTH)) != 0 ? "other users may write there" : NULL;
}

/* -1: there is no folder, or it is refused, which is told. */
static int disk_open_folder(const lf__config *config, bool make)
{
    if (config->prompt_cache_dir == NULL || config->base_url == NULL)
        return -1;
    if (make && mkdir(config->prompt_cache_dir, 0700) != 0 && errno != EEXIST) {
        disk_complain(config, strerror(errno));
        return -1;
    }
    int folder = lf__open_at(AT_FDCWD, config->prompt_cache_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    if (folder < 0) {
        if (errno != ENOENT)
            disk_complain(config, errno == ENOTDIR || errno == ELOOP ? "it is no folder, or a link to one" : strerror(errno));
        return -1;
    }
    const char *fault = disk_folder_fault(folder);
    if (fault == NULL)
        return folder;
    disk_complain(config, fault);
    (void)close(folder);
    return -1;
}

/* ---- Writing ---- */

/* Write another file and rename it, so that a reader sees the old copy or the new one. False: errno says why. */
static bool disk_write(int folder, const char *name, const char *partial, const char *json, size_t size)
{
    int file = lf__open_at(folder, partial, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    if (file < 0)
        return false;
    bool ok = lf__write_all(file, json, size);
    int error = errno;
    if (close(file) != 0 && ok) {
        error = errno;
        ok = false;
    }
    if (ok && renameat(folder, partial, folder, name) == 0)
        return true;
    error = ok ? errno : error;
    (void)unlinkat(folder, partial, 0);
    errno = error;
    return false;
}

static bool disk_is_part(const char *name)
{
    size_t size = strlen(name);
    return size > 2 * DISK_HASH + sizeof disk_part - 1 && name[2 * DISK_HASH] == '.' &&
           strspn(name, "0123456789abcdef") == 2 * DISK_HASH && strcmp(name + size - (sizeof disk_part - 1), disk_part) == 0;
}

/* Processes that were killed leave half-written files behind. */
static void disk_remove_old_parts(int folder)
{
    int copy = fcntl(folder, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    DIR *list = copy < 0 ? NULL : fdopendir(copy);
    if (list == NULL) {
        if (copy >= 0)
            (void)close(copy);
        return;
    }
    int64_t now_s = (int64_t)(lf__wall_ns() / 1000000000u);
    for (const struct dirent *entry; (entry = readdir(list)) != NULL;) {
        struct stat info;
        if (disk_is_part(entry->d_name) && fstatat(folder, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(info.st_mode) && now_s - (int64_t)info.st_mtime > DISK_PART_AGE_S)
            (void)unlinkat(folder, entry->d_name, 0);
    }
    (void)closedir(list);
}

static void disk_write_into(int folder, const lf__config *config, const lf__prompt_key *key, const char *json, size_t size)
{
    static _Atomic unsigned number; /* clocks may stand still between two threads, and processes share ids after a restart */
    char ending[96], name[DISK_NAME], partial[DISK_NAME];
    if (lf__first_time(lf__cause(config->number, "parts", NULL)))
        disk_remove_old_parts(folder);
    snprintf(ending, sizeof ending, ".%ld.%llx.%x%s", (long)getpid(), (unsigned long long)lf__monotonic_ns(), number++, disk_part);
    if (disk_name(name, config, key, ".json") && disk_name(partial, config, key, ending) &&
        !disk_write(folder, name, partial, json, size))
        disk_complain(config, strerror(errno));
}

void lf__prompt_disk_write(const lf__config *config, const lf__prompt_key *key, const char *json, size_t size)
{
    if (config->prompt_cache_dir == NULL || size > DISK_FILE_MAX)
        return;
    LF__AS_GUEST(guest);
    lf__guest_block_signals(&guest); /* a limit of file sizes must not kill the program */
    int folder = disk_open_folder(config, true);
    if (folder >= 0) {
        disk_write_into(folder, config, key, json, size);
        (void)close(folder);
    }
    lf__guest_restore_signals(&guest);
}

void lf__prompt_disk_remove(const lf__config *config, const lf__prompt_key *key)
{
    LF__KEEP_ERRNO;
    char name[DISK_NAME];
    int folder = disk_open_folder(config, false);
    if (folder >= 0 && disk_name(name, config, key, ".json"))
        (void)unlinkat(folder, name, 0);
    if (folder >= 0)
        (void)close(folder);
}

/* ---- Reading ---- */

static char *disk_read_all(int file, size_t size)
{
    size_t done = 0;
    char *text = lf__alloc(size + 1);
    while (text != NULL && done < size) {
        ssize_t got = read(file, text + done, size - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        done += (size_t)got;
    }
    if (done == size)
        return text;
    lf__free(text);
    return NULL;
}

static char *disk_read(const lf__config *config, int file, size_t *out_size, uint64_t *out_age_ns)
{
    struct stat info;
    if (fstat(file, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size <= 0 || info.st_size > DISK_FILE_MAX)
        return NULL;
    if (!disk_is_trusted_owner(info.st_uid)) {
        disk_complain(config, "a file there belongs to another user");
        return NULL;
    }
    char *text = disk_read_all(file, (size_t)info.st_size);
    if (text == NULL)
        return NULL;
    uint64_t written_ns = (uint64_t)info.st_mtim.tv_sec * 1000000000u + (uint64_t)info.st_mtim.tv_nsec, now = lf__wall_ns();
    *out_age_ns = now > written_ns ? now - written_ns : 0;
    *out_size = (size_t)info.st_size;
    return text;
}

char *lf__prompt_disk_read(const lf__config *config, const lf__prompt_key *key, size_t *out_size, uint64_t *out_age_ns)
{
    LF__KEEP_ERRNO;
    int file = -1;
    char name[DISK_NAME];
    int folder = disk_open_folder(config, false);
    if (folder >= 0 && disk_name(name, config, key, ".json"))
        file = lf__open_at(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0); /* a pipe must not make us wait */
    char *text = file < 0 ? NULL : disk_read(config, file, out_size, out_age_ns);
    if (file >= 0)
        (void)close(file);
    if (folder >= 0)
        (void)close(folder);
    return text;
}
