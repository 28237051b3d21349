/* gzip -> bytes, with a ceiling against bombs. Pure. */
#ifndef LOCAL_GUNZIP_H
#define LOCAL_GUNZIP_H

#include "buf.h"

typedef enum gunzip_status { GUNZIP_OK, GUNZIP_MALFORMED, GUNZIP_TOO_BIG } gunzip_status;

/* Appends to `out`, whose own ceiling is the limit. */
gunzip_status gunzip(text in, buf *out);

#endif
