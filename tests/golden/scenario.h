/* What the programs here have in common: without an argument they list their scenarios, with one they run the scenario of
 * that name and send what it observed.
 */
#ifndef TESTS_GOLDEN_SCENARIO_H
#define TESTS_GOLDEN_SCENARIO_H

#include "observe.h"
#include "langfuse/score.h"

#include <stdio.h>
#include <string.h>

typedef struct scenario {
    const char *name;
    void (*run)(void);
} scenario;

/* The function's name is the scenario's. */
#define SCENARIO(function) {#function, function}

static inline int scenario_main(const scenario *all, size_t count, int argc, char **argv)
{
    enum { FLUSH_TIMEOUT_MS = 60000 }; /* valgrind takes its time */
    for (size_t i = 0; i < count; i++) {
        if (argc < 2) {
            puts(all[i].name);
        } else if (strcmp(argv[1], all[i].name) == 0) {
            all[i].run();
            lf_status status = lf_flush(FLUSH_TIMEOUT_MS);
            return status == LF_OK || status == LF_ERR_DISABLED ? 0 : 1; /* what is switched off has nothing to send */
        }
    }
    if (argc >= 2)
        fprintf(stderr, "no scenario %s\n", argv[1]);
    return argc < 2 ? 0 : 2;
}

#define SCENARIO_MAIN(...)                                                 \
    int main(int argc, char **argv)                                        \
    {                                                                      \
        static const scenario all[] = {__VA_ARGS__};                       \
        return scenario_main(all, sizeof all / sizeof all[0], argc, argv); \
    }

#endif
