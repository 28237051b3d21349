/* What the head lines of an HTTP reply say of it, one line at a time: how its body is coded, how long it is, and the few lines that
 * are worth recording. Pure.
 */
#ifndef LF_SRC_REPLY_HEAD_H
#define LF_SRC_REPLY_HEAD_H

#include "../base/buf.h"

enum { LF__HEAD_KEPT = 5, LF__HEAD_VALUE_MAX = 128 };

/* Zeroed: no line yet. */
typedef struct lf__reply_head {
    int status; /* of the last status line; 0: none yet */
    bool is_chunked;
    bool has_length;
    uint64_t length;
    char encoding[32]; /* of the body: "gzip", "br"; "" where it is as it is */
    char kept[LF__HEAD_KEPT][LF__HEAD_VALUE_MAX]; /* ids of the request, costs, the time to wait before a retry */
} lf__reply_head;

/* A line, with its line end or without. A status line begins anew: it is that of a redirect, of a proxy, or behind a 100. */
void lf__reply_head_line(lf__reply_head *head, const char *line, size_t size);
/* Is it a status line? */
bool lf__reply_head_begins(const char *line, size_t size);
/* Append members of a JSON object, each with a comma behind it: "x_request_id":"...",. */
bool lf__reply_head_metadata(lf__buf *out, const lf__reply_head *head);

#endif
