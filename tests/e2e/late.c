/* Observes, flushes, observes again, and leaves the delivery to the exit handler. */
#include "observe.h"

static void early(void)
{
    OBSERVE();
}

static void late(void)
{
    OBSERVE();
}

int main(void)
{
    early();
    lf_status status = lf_flush(60000);
    late();
    return status == LF_OK ? 0 : 1;
}
