/* A server's loop: each request is handled by the same functions, and one that fails jumps back to the loop. Each request is a
 * trace of its own; in a failed one the scopes that were jumped over are marked.
 */
#include "portable.h"

#include <setjmp.h>

enum { REQUESTS = 1000 };

static jmp_buf to_the_loop;
static volatile int number;

static NOINLINE void handle(void)
{
    OBSERVE_AGENT();
    if (number < REQUESTS)
        longjmp(to_the_loop, 1);
    OBSERVE_OUTPUT("handled");
}

int main(void)
{
    for (number = 0; number <= REQUESTS; number++)
        if (setjmp(to_the_loop) == 0)
            handle();
    return portable_end();
}
