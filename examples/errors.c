/* When things go wrong: errors and levels of observations, and how a program learns whether they were delivered.
 *
 * Run it once without keys: there is one warning, every call below still works, and nothing is recorded.
 */
#include "observe.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Level ERROR, with the reason. What the function returns is up to it. */
static double ratio(double part, double whole)
{
    OBSERVE(part, whole);
    if (whole == 0.0) {
        OBSERVE_ERROR("cannot divide %g by zero", part);
        OBSERVE_RETURN(0.0);
    }
    OBSERVE_RETURN(part / whole);
}

static FILE *open_prompt(const char *path)
{
    OBSERVE_TOOL(path);
    FILE *file = fopen(path, "r");
    if (!file)
        OBSERVE_ERROR("%s: %s", path, strerror(errno)); /* observing leaves errno as it was */
    OBSERVE_RETURN(file);
}

/* Not an error, but worth finding later: any level, and a message. */
static int choose_tokens(int wanted)
{
    const int most = 4096;
    OBSERVE(wanted);
    if (wanted > most) {
        lf_update_current_observation(.level = LF_LEVEL_WARNING, .status_message = "more than the model can: shortened");
        OBSERVE_RETURN(most);
    }
    lf_update_current_observation(.level = LF_LEVEL_DEBUG);
    OBSERVE_RETURN(wanted);
}

static void work(void)
{
    OBSERVE();
    ratio(1.0, 0.0);
    choose_tokens(10000);
    choose_tokens(100);
    FILE *prompt = open_prompt("/nonexistent/prompt.txt");
    if (prompt)
        fclose(prompt);
}

static const char *text_of(lf_status status)
{
    switch (status) {
    case LF_OK: return "all of it was delivered";
    case LF_ERR_TIMEOUT: return "not yet: what is left stays queued and is tried again";
    case LF_ERR_LOST: return "some of it was dropped";
    case LF_ERR_DISABLED: return "tracing is off: no keys, or switched off";
    default: return "it failed";
    }
}

static void show_stats(void)
{
    static const char *const reasons[LF_DROP_REASON_COUNT] = {
        [LF_DROP_QUEUE_FULL] = "queue full",   [LF_DROP_TOO_LARGE] = "too large", [LF_DROP_REFUSED] = "refused",
        [LF_DROP_UNREACHABLE] = "unreachable", [LF_DROP_SHUTDOWN] = "shutdown",   [LF_DROP_NO_MEMORY] = "no memory",
        [LF_DROP_TOO_DEEP] = "too deep",
    };
    lf_stats stats;
    lf_get_stats(&stats);
    printf("accepted %" PRIu64 ", delivered %" PRIu64 ", queued %" PRIu64 ", dropped %" PRIu64 "\n", stats.accepted,
           stats.delivered, stats.queued, stats.dropped_total);
    for (int i = 0; i < LF_DROP_REASON_COUNT; i++)
        if (stats.dropped[i] > 0)
            printf("  dropped, %s: %" PRIu64 "\n", reasons[i], stats.dropped[i]);
}

int main(void)
{
    work();
    /* Not needed to deliver, as the exit of the program does; needed to know. */
    lf_status status = lf_flush(3000);
    printf("flush: %s\n", text_of(status));
    show_stats();
    return status == LF_OK || status == LF_ERR_DISABLED ? EXIT_SUCCESS : EXIT_FAILURE;
}
