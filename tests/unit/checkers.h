/* Is a checker watching? Programs then run twenty to fifty times as long, and some things cannot be tested. */
#ifndef TESTS_CHECKERS_H
#define TESTS_CHECKERS_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#if defined(__SANITIZE_THREAD__)
#define HARNESS_TSAN 1
#else
#define HARNESS_TSAN 0
#endif
#if defined(__SANITIZE_ADDRESS__)
#define HARNESS_ASAN 1
#else
#define HARNESS_ASAN 0
#endif

static inline bool under_valgrind(void)
{
    bool found = false;
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps != NULL && !found && fgets(line, sizeof line, maps) != NULL)
        found = strstr(line, "vgpreload") != NULL;
    if (maps != NULL)
        fclose(maps);
    return found;
}

/* Programs under a checker do a tenth of the rounds: what they look for shows in the first ones. */
static inline int rounds(int count)
{
    return HARNESS_TSAN || HARNESS_ASAN || under_valgrind() ? (count + 9) / 10 : count;
}

#endif
