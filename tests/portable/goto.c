/* A threaded interpreter: a computed goto leaves the block of one operation for that of the next, and runs no end of a scope.
 * gcc only: clang does not compile it.
 */
#define _GNU_SOURCE
#include "portable.h"

static NOINLINE int interpret(long count)
{
    static void *const operations[] = {&&increment, &&decrement, &&end};
    long at = 0;
    int result = 0;
    OBSERVE(count);
#define NEXT goto *operations[at++ < count ? at % 2 : 2]
    NEXT;
increment:
    {
        OBSERVE_TOOL(result);
        result++;
        NEXT;
    }
decrement:
    {
        OBSERVE_TOOL(result);
        result--;
        NEXT;
    }
end:
    OBSERVE_RETURN(result);
}

/* A goto out of a function that is nested in this one. */
static NOINLINE int finds(int depth)
{
    __label__ found;
    OBSERVE(depth);
    void search(int left)
    {
        OBSERVE_CHAIN(left);
        if (left == 0)
            goto found;
        if (left > 0)
            search(left - 1);
    }
    search(depth);
    OBSERVE_RETURN(0);
found:
    OBSERVE_RETURN(1);
}

int main(void)
{
    OBSERVE();
    printf("interpret %d\n", interpret(9));
    printf("finds %d\n", finds(4));
    return portable_end();
}
