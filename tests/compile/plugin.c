/* A program that loads the library at run time, observes on a thread, and unloads it before that thread ends. */
#include <dlfcn.h>
#include <semaphore.h>
#include <stdio.h>

#include "lf_core.h"

static sem_t observed, unloaded;
static lf_site site = {"from_a_plugin", __FILE__, "", __LINE__, LF_SPAN, 0, 0};
static __typeof__(lf_i_mode_unknown) *mode;
static __typeof__(lf_i_begin) *begin;
static __typeof__(lf_i_end) *end;

static void *run(void *unused)
{
    if (mode() >= LF_I_ON)
        end(begin(&site, NULL));
    sem_post(&observed);
    sem_wait(&unloaded);
    return unused;
}

/* ISO C has no cast from an object pointer to a function pointer. */
#define FIND(library, name, out) (*(void **)(out) = dlsym(library, name))

int main(int argc, char **argv)
{
    void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    if (library == NULL || !FIND(library, "lf_i_mode_unknown", &mode) || !FIND(library, "lf_i_begin", &begin) ||
        !FIND(library, "lf_i_end", &end)) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    pthread_t thread;
    sem_init(&observed, 0, 0);
    sem_init(&unloaded, 0, 0);
    if (pthread_create(&thread, NULL, run, NULL) != 0)
        return 2;
    sem_wait(&observed);
    if (dlclose(library) != 0)
        return 3;
    sem_post(&unloaded); /* its exit hook is code of the library */
    return pthread_join(thread, NULL) == 0 ? 0 : 4;
}
