/* Scores alone: judge COUNT FLUSH_MS. Each is of a session of its own, with an id. Prints the accounting as JSON. */
#include "langfuse/score.h"
#include "observe.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    long count = argc > 1 ? strtol(argv[1], NULL, 10) : 10;
    int flush_ms = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 20000;
    for (long i = 0; i < count; i++) {
        char id[32];
        snprintf(id, sizeof id, "score-%ld", i);
        lf_create_score(.name = "judged", .value = (double)i, .session_id = id, .id = id);
    }
    int status = lf_flush(flush_ms);
    lf_stats s;
    lf_get_stats(&s);
    printf("{\"accepted\": %" PRIu64 ", \"delivered\": %" PRIu64 ", \"dropped\": %" PRIu64 ", \"queued\": %" PRIu64
           ", \"status\": %d}\n",
           s.accepted, s.delivered, s.dropped_total, s.queued, status);
    return 0;
}
