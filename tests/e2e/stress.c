/* Many observations from many threads: stress THREADS OBSERVATIONS_PER_THREAD [FLUSH_MS [PER_MS]].
 *
 * Each trace is a root, three children and six grandchildren; the server's side of the test checks that each arrived once,
 * below its parent. PER_MS limits each thread's observations per millisecond. Prints the accounting as JSON.
 */
#include "observe.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static long per_thread, per_ms;

static int leaf(int number, const char *text)
{
    OBSERVE_TOOL(number, text);
    OBSERVE_RETURN(number + 1);
}

static int middle(int number)
{
    OBSERVE_CHAIN(number);
    /* One observation of each thread carries a word that the bad server refuses. */
    int sum = leaf(number, "first") + leaf(number + 1, number == 2 ? "poison" : "second");
    OBSERVE_RETURN(sum);
}

static void root(int number)
{
    OBSERVE_AGENT(number);
    for (int i = 0; i < 3; i++)
        middle(number + i);
}

static void *run(void *unused)
{
    (void)unused;
    for (long done = 0; done < per_thread; done += 10) {
        root((int)done);
        if (per_ms > 0 && done % per_ms < 10) {
            struct timespec millisecond = {0, 1000000};
            nanosleep(&millisecond, NULL);
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    long threads = argc > 1 ? strtol(argv[1], NULL, 10) : 8;
    per_thread = argc > 2 ? strtol(argv[2], NULL, 10) : 1000;
    int flush_ms = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 60000;
    per_ms = argc > 4 ? strtol(argv[4], NULL, 10) : 0;
    pthread_t ids[64];
    if (threads < 1 || threads > 64)
        return 2;
    for (long i = 0; i < threads; i++)
        if (pthread_create(&ids[i], NULL, run, NULL) != 0)
            return 2;
    for (long i = 0; i < threads; i++)
        pthread_join(ids[i], NULL);
    lf_status status = lf_flush(flush_ms);
    lf_stats stats;
    lf_get_stats(&stats);
    printf("{\"status\":%d,\"accepted\":%" PRIu64 ",\"delivered\":%" PRIu64 ",\"dropped\":%" PRIu64 ",\"queued\":%" PRIu64
           ",\"open\":%" PRIu64 ",\"requests\":%" PRIu64 ",\"retries\":%" PRIu64 "}\n",
           (int)status, stats.accepted, stats.delivered, stats.dropped_total, stats.queued, stats.open, stats.requests,
           stats.retries);
    return stats.accepted == stats.delivered + stats.dropped_total + stats.queued ? 0 : 1;
}
