#include "preload.h"

#include "environment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PRELOAD_MAX_PATH = 4096 };

/* The folder of this program, with a slash at its end; empty when it is not known. */
static text preload_own_folder(char room[PRELOAD_MAX_PATH])
{
    ssize_t size = readlink("/proc/self/exe", room, PRELOAD_MAX_PATH);
    while (size > 0 && (size == PRELOAD_MAX_PATH || room[size - 1] != '/'))
        size--;
    return (text){room, size > 0 ? (size_t)size : 0};
}

/* NULL when there is no such file that may be read. A program may change its folder, so the path is absolute. */
static const char *preload_absolute(arena *a, const char *path)
{
    char *found = access(path, R_OK) == 0 ? realpath(path, NULL) : NULL;
    buf copy = {0};
    if (found == NULL)
        return NULL;
    buf_string(&copy, found);
    buf_char(&copy, '\0');
    free(found);
    return buf_move(&copy, a).at;
}

static const char *preload_search(arena *a)
{
    static const char *const places[] = {"", "../lib/", "../lib64/"};
    char room[PRELOAD_MAX_PATH];
    text folder = preload_own_folder(room);
    const char *found = NULL;
    for (size_t i = 0; folder.size > 0 && found == NULL && i < sizeof places / sizeof *places; i++) {
        buf path = {0};
        buf_text(&path, folder);
        buf_string(&path, places[i]);
        buf_string(&path, PRELOAD_LIBRARY);
        buf_char(&path, '\0');
        found = path.failed ? NULL : preload_absolute(a, path.at);
        buf_free(&path);
    }
    return found;
}

const char *preload_find(arena *a, const char *given, char *why, size_t why_size)
{
    const char *path = given != NULL ? preload_absolute(a, given) : preload_search(a);
    if (path == NULL && given != NULL)
        snprintf(why, why_size, "cannot read LANGFUSE_CURL_LIBRARY, %s", given);
    else if (path == NULL)
        snprintf(why, why_size, PRELOAD_LIBRARY " is not beside langfuse-local; LANGFUSE_CURL_LIBRARY may name it");
    else if (!environment_can_preload(path))
        snprintf(why, why_size, "LD_PRELOAD cannot name %s: its path has a blank or a colon", path);
    else
        return path;
    return NULL;
}
