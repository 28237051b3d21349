/* An exception leaves scopes as a return does: they end, and what follows is no child of theirs. */
#include <cstring>

#include "observe.h"

static void throws(int n)
{
    OBSERVE_WITH((.name = "throws"), n);
    if (n == 0)
        throw 7;
    throws(n - 1);
}

static int catches()
{
    OBSERVE_WITH((.name = "catches"));
    char before[LF_OBSERVATION_ID_SIZE], after[LF_OBSERVATION_ID_SIZE];
    if (!lf_current_observation_id(before))
        return 1;
    try {
        throws(3);
        return 2;
    } catch (int) {
    }
    lf_stats stats;
    lf_get_stats(&stats);
    if (!lf_current_observation_id(after) || std::strcmp(before, after) != 0)
        return 3;
    return stats.accepted == 4 && stats.open == 1 && stats.misused == 0 ? 0 : 4;
}

int main()
{
    return catches();
}
