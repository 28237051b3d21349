/* Lines for whoever runs the program: to the client's log hook, to a file, or to stderr as "langfuse: ...". Success says
 * nothing unless it is asked for (LANGFUSE_LOG). Never called on the observing path.
 */
#ifndef LF_SRC_LOG_H
#define LF_SRC_LOG_H

#include "gate.h"

typedef enum lf__log_level { LF__LOG_DEBUG, LF__LOG_INFO, LF__LOG_WARNING, LF__LOG_ERROR, LF__LOG_QUIET } lf__log_level;

/* Where a client's lines go. */
typedef struct lf__logger {
    lf__log_level least; /* lines below are not written */
    bool has_hook;         /* in the gate; where that turns out to be none, lines go on to the file or stderr */
    lf__gate *gate;
    char *path; /* a file to append to; NULL, or where it cannot be opened: stderr */
} lf__logger;

/* Write a line, cut at 1000 bytes; control characters become '?'. errno stays, and no signal is raised. A closed gate, a full
 * disk or a closed stderr (as it was when the library started) lose it. */
void lf__log(const lf__logger *logger, lf__log_level level, const char *format, ...) LF_PRINTF(3, 4);
/* Look whether descriptor 2 is open, the first time only: lines go there if it is. Where the program began without a stderr,
 * the number may later be that of a file or a connection. */
void lf__log_look_at_stderr(void);
/* Is a line of this level written? For lines that take work. */
static inline bool lf__logs(const lf__logger *logger, lf__log_level level)
{
    return level >= logger->least;
}

#endif
