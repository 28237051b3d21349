/* A plugin with the static library in it (PART) is unloaded before a thread that it observed ends. The program has no library, or
 * a copy of its own (COPY).
 */
#if defined(PART)
#include "observe.h"

__attribute__((visibility("default"))) void part_observe(void);

static void of_the_plugin(void)
{
    OBSERVE();
}

void part_observe(void)
{
    of_the_plugin();
}
#else
#ifdef COPY
#include "observe.h"
#endif

#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>

static sem_t observed, unloaded;
static void (*part_observe)(void);

static void *run(void *unused)
{
    part_observe();
    sem_post(&observed);
    sem_wait(&unloaded);
    return unused;
}

#ifdef COPY
static void of_the_program(void)
{
    OBSERVE();
}
#endif

int main(int argc, char **argv)
{
    pthread_t thread;
#ifdef COPY
    of_the_program();
#endif
    void *part = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    if (part == NULL || (*(void **)&part_observe = dlsym(part, "part_observe")) == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    sem_init(&observed, 0, 0);
    sem_init(&unloaded, 0, 0);
    if (pthread_create(&thread, NULL, run, NULL) != 0)
        return 1;
    sem_wait(&observed);
    dlclose(part);
    sem_post(&unloaded);
    return pthread_join(thread, NULL);
}
#endif
