#include "gunzip.h"

#include <limits.h>
#include <zlib.h>

enum { GUNZIP_STEP = 256 << 10 };

/* One member after the other until the input ends, as gunzip(1) does. */
static gunzip_status gunzip_inflate_all(z_stream *z, buf *out)
{
    int state = Z_OK;
    while (state != Z_STREAM_END || z->avail_in > 0) {
        if (state == Z_STREAM_END && inflateReset(z) != Z_OK)
            return GUNZIP_MALFORMED;
        if (!buf_reserve(out, GUNZIP_STEP))
            return GUNZIP_TOO_BIG;
        z->next_out = (Bytef *)(out->at + out->size);
        z->avail_out = (uInt)GUNZIP_STEP;
        state = inflate(z, Z_NO_FLUSH);
        out->size += GUNZIP_STEP - z->avail_out;
        if (state != Z_OK && state != Z_STREAM_END)
            return state == Z_MEM_ERROR ? GUNZIP_TOO_BIG : GUNZIP_MALFORMED;
        if (state == Z_OK && z->avail_in == 0 && z->avail_out > 0)
            return GUNZIP_MALFORMED; /* the input is cut off */
    }
    return GUNZIP_OK;
}

gunzip_status gunzip(text in, buf *out)
{
    z_stream z = {0};
    if (in.size > UINT_MAX)
        return GUNZIP_TOO_BIG;
    if (in.size == 0)
        return GUNZIP_MALFORMED;
    if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK) /* 16: the gzip wrapper only */
        return GUNZIP_TOO_BIG;
    z.next_in = (z_const Bytef *)in.at;
    z.avail_in = (uInt)in.size;
    gunzip_status status = gunzip_inflate_all(&z, out);
    inflateEnd(&z);
    return status;
}
