/* Threads: how ours start, and how many the process has, by their names. Ours are called "langfuse" and "langfuse-prompt", and
 * so are those that libcurl starts from them.
 */
#ifndef LF_SRC_OWN_THREADS_H
#define LF_SRC_OWN_THREADS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#define LF__THREAD_WORKER "langfuse"
#define LF__THREAD_PROMPT "langfuse-prompt"

typedef struct lf__own_threads {
    unsigned ours;
    unsigned others; /* without the main thread */
} lf__own_threads;

/* Start a thread in which all signals are blocked: those of the program are delivered to its own threads. 0, or an errno. */
int lf__own_threads_start(pthread_t *out_thread, size_t stack_bytes, void *(*run)(void *unused));
/* Count them. False: that cannot be told, for want of /proc or since the program's own threads have such a name. */
bool lf__own_threads_count(lf__own_threads *out);

#endif
