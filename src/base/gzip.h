/* gzip, where the library was built with it: LF_GZIP is 1, and zlib is linked. Pure. */
#ifndef LF_SRC_GZIP_H
#define LF_SRC_GZIP_H

#include "buf.h"

/* Was it built with it? */
bool lf__gzip_can(void);
/* Append the texts, one behind the other, compressed. False: it cannot, there is no memory, or `out` has no room for them; `out` is as
 * it was before. */
bool lf__gzip(lf__buf *out, const lf__text *texts, size_t count);

#endif
