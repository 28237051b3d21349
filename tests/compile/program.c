/* The smallest traced program: argv[1] is the question. Built in every way the library can be built in, then run. */
#ifdef ALL_IN_ONE
#include "src/all.c"
#endif
#include "langfuse/score.h"
#include "observe.h"

static int answer(const char *question, int n)
{
    OBSERVE(question, n);
    lf_score_current_observation(.name = "exact", .value = 1);
    OBSERVE_RETURN(n + 1);
}

int main(int argc, char **argv)
{
    return answer(argc > 1 ? argv[1] : "none", 41) == 42 ? 0 : 1;
}
