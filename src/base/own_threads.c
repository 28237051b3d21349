#define _GNU_SOURCE
#include "own_threads.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int lf__own_threads_start(pthread_t *out_thread, size_t stack_bytes, void *(*run)(void *))
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_attr_t attributes;
    int error = pthread_attr_init(&attributes);
    if (error != 0)
        return error;
    pthread_attr_setstacksize(&attributes, stack_bytes);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* a thread inherits the mask */
    error = pthread_create(out_thread, &attributes, run, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return error;
}

/* False: the thread has ended meanwhile. */
static bool own_threads_name(const char *id, char *out, size_t room)
{
    char path[320];
    snprintf(path, sizeof path, "/proc/self/task/%.256s/comm", id);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = file < 0 ? -1 : read(file, out, room - 1);
    if (file >= 0)
        (void)close(file);
    out[size > 0 ? size : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
    return size > 0;
}

static bool own_threads_is_ours(const char *name)
{
    return strcmp(name, LF__THREAD_WORKER) == 0 || strcmp(name, LF__THREAD_PROMPT) == 0;
}

bool lf__own_threads_count(lf__own_threads *out)
{
    *out = (lf__own_threads){0, 0};
    DIR *threads = opendir("/proc/self/task");
    bool known = threads != NULL;
    const struct dirent *entry;
    while (known && (entry = readdir(threads)) != NULL) {
        char name[32];
        if (entry->d_name[0] == '.' || !own_threads_name(entry->d_name, name, sizeof name))
            continue;
        bool ours = own_threads_is_ours(name);
        if (strtol(entry->d_name, NULL, 10) == getpid())
            known = !ours;
        else
            (*(ours ? &out->ours : &out->others))++;
    }
    if (threads != NULL)
        (void)closedir(threads);
    return known;
}
