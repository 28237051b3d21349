/* The threads of the process, by their names. Ours are called "langfuse" and "langfuse-prompt", and so are those that libcurl
 * starts from them.
 */
#ifndef LF_SRC_THREADS_H
#define LF_SRC_THREADS_H

#include <stdbool.h>

#define LF__THREAD_WORKER "langfuse"
#define LF__THREAD_PROMPT "langfuse-prompt"

typedef struct lf__threads {
    unsigned ours;
    unsigned others; /* without the main thread */
} lf__threads;

/* Count them. False: that cannot be told, for want of /proc or since the program's own threads have such a name. */
bool lf__threads_count(lf__threads *out);

#endif
