/* Times: the clock, and ISO 8601 text. The server keeps nanoseconds, and answers in whole milliseconds of UTC. */
#ifndef LOCAL_CLOCK_H
#define LOCAL_CLOCK_H

#include "text.h"

#define CLOCK_NS_PER_MS INT64_C(1000000)
enum { CLOCK_ISO_SIZE = 32 }; /* 2026-11-21T05:35:41.957Z and a NUL, with room for a longer year */

int64_t clock_now_ns(void);
int64_t clock_ns_of_ms(int64_t ms); /* times beyond 146 years from 1970 become that limit, so that differences never overflow */
int64_t clock_ms_of_day(int64_t year, int64_t month, int64_t day); /* its beginning; a day beyond the month is one of the next */
void clock_iso(int64_t ms, char out[CLOCK_ISO_SIZE]);

/* 2026-11-21T05:35[:41[.957]](Z|+01:00), with any number of digits behind the point: as a real server checks times of requests. */
bool clock_parse_any(text iso, int64_t *out_ms);

#endif
