/* What lf_get_stats tells: the counters of all threads, of the worker and of its exporters in one. */
#ifndef LF_SRC_STATS_H
#define LF_SRC_STATS_H

#include "../base/base.h"

void lf__stats_read(lf_stats *out_stats);
/* As lf_stats_prometheus: https://prometheus.io/docs/instrumenting/exposition_formats/, format 0.0.4. */
int lf__stats_prometheus(char *out, size_t room);

#endif
