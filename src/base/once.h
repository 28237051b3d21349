/* A thing is said once in a process and in those that it forks: a hundred children of a server with a wrong key print one line,
 * not a hundred.
 */
#ifndef LF_SRC_ONCE_H
#define LF_SRC_ONCE_H

#include "base.h"

/* Call it before a fork: the children then share the table. */
void lf__once_prepare(void);
/* A number for a cause: its text, and the configuration that it is of (lf__config.number, 0 for all). `more` may be NULL. */
uint64_t lf__cause(uint64_t whose, const char *text, const char *more);
/* Is this the first call for this cause? Any thread, never blocks. False also once LF__CAUSES of them are known, so that lines
 * have an end. */
bool lf__first_time(uint64_t cause);

enum { LF__CAUSES = 512 };

#endif
