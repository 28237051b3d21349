/* A program that loads the library at run time, observes on a thread, and unloads it before that thread ends. */
#include <dlfcn.h>
#include <semaphore.h>
#include <stdio.h>

#include "lf_core.h"

static sem_t observed, unloaded;
static lf_site site = {.version = LANGFUSE_VERSION_NUM,
                       .function = "from_a_plugin",
                       .file = __FILE__,
                       .arguments = "",
                       .line = __LINE__,
                       .type = LF_SPAN};
static __typeof__(lf_i_mode_unknown) *mode;
static __typeof__(lf_i_open) *open_scope;
static __typeof__(lf_i_close) *close_scope;

static void *run(void *unused)
{
    lf_scope scope = {{0}};
    if (mode() >= LF_I_ON)
        open_scope(&scope, &site, NULL, lf_i_stack_pointer());
    if (scope.words[0] != 0)
        close_scope(&scope);
    sem_post(&observed);
    sem_wait(&unloaded);
    return unused;
}

/* ISO C has no cast from an object pointer to a function pointer. */
#define FIND(library, name, out) (*(void **)(out) = dlsym(library, name))

int main(int argc, char **argv)
{
    void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    if (library == NULL || !FIND(library, "lf_i_mode_unknown", &mode) || !FIND(library, "lf_i_open", &open_scope) ||
        !FIND(library, "lf_i_close", &close_scope)) {
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
