/* The variables that point a program at a server: as an environment for it, or as lines for a shell. Pure. */
#ifndef LOCAL_ENVIRONMENT_H
#define LOCAL_ENVIRONMENT_H

#include "buf.h"

typedef struct environment_wish {
    const char *base_url, *public_key, *secret_key;
    const char *preload; /* a library to load before others; NULL: none */
    bool children;       /* the library stays in the environment of the program's children */
} environment_wish;

typedef struct environment_change {
    const char *name;
    text value; /* NULL: the variable goes away */
} environment_change;

typedef struct environment_changes {
    environment_change list[12];
    size_t count;
} environment_changes;

/* What is different from `base`, a list of "NAME=value" that ends in NULL. The texts live in `a`, in `base` and in the wish. */
void environment_plan(arena *a, char *const *base, const environment_wish *wish, environment_changes *out);

/* The base with the changes, ending in NULL, in `a`; NULL when out of memory. */
char **environment_apply(arena *a, char *const *base, const environment_changes *changes);

/* The changes as lines of sh. */
void environment_write(buf *out, const environment_changes *changes);

/* The value of a variable; NULL when it is not there, or empty. */
const char *environment_get(char *const *base, const char *name);

/* A library that LD_PRELOAD can name: its path has no blank and no colon. */
bool environment_can_preload(const char *path);

/* A word as sh reads it back, in quotes where it needs them. */
void environment_quote(buf *out, text word);

#endif
