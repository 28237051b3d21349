/* langfuse-local run: a server, a program that is pointed at it, and the trees of its traces when it has ended. */
#ifndef LOCAL_RUN_H
#define LOCAL_RUN_H

#include "api.h"

typedef struct run_options {
    const char *db;    /* NULL: one of its own, which goes away afterwards */
    bool keep;         /* it does not go away */
    bool no_preload;   /* calls of models by libcurl are not recorded */
    bool children;     /* nor are those of the program's children, without this */
    bool quiet;        /* no warnings of the server */
    bool full;         /* as in tree_style */
    const char *color; /* as in show_style */
    api_version version; /* of the Langfuse server that answers */
    size_t limit;      /* how many traces are shown */
} run_options;

/* What run_program returns when no program was started, as a shell and env(1) have it. */
enum { RUN_FAILED = 125, RUN_NOT_EXECUTABLE = 126, RUN_NOT_FOUND = 127 };

/* Runs argv[0], found in PATH, with these arguments; the list ends in NULL. Signals that end a program go to it while it runs.
 * Returns its exit status, or 128 and the number of the signal that ended it. */
int run_program(const run_options *o, char *const *argv);

#endif
