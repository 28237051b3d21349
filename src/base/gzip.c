#include "gzip.h"

#ifndef LF_GZIP
#define LF_GZIP 0
#endif

#if LF_GZIP
#define ZLIB_CONST
#include <zlib.h>

enum {
    GZIP_LEVEL = 1,          /* level 6 takes more than twice as long, and makes a tenth less of it */
    GZIP_WINDOW = 15 + 16,   /* 32 KiB, with the head and the tail of gzip */
    GZIP_MEMORY = 8,         /* 256 KiB for the stream in all */
    GZIP_STEP = 16 << 10
};

static void *gzip_alloc(void *unused, unsigned count, unsigned size)
{
    (void)unused;
    return lf__alloc((size_t)count * size);
}

static void gzip_free(void *unused, void *memory)
{
    (void)unused;
    lf__free(memory);
}

/* Take in what the stream has been given. The last text ends it. */
static bool gzip_run(z_stream *stream, lf__buf *out, bool is_last)
{
    int result = Z_OK;
    while (stream->avail_in > 0 || (is_last && result != Z_STREAM_END)) {
        char *room = lf__buf_reserve(out, GZIP_STEP);
        if (room == NULL)
            return false;
        stream->next_out = (Bytef *)room;
        stream->avail_out = GZIP_STEP;
        result = deflate(stream, is_last ? Z_FINISH : Z_NO_FLUSH);
        lf__buf_commit(out, GZIP_STEP - stream->avail_out);
        if (result != Z_OK && result != Z_STREAM_END)
            return false;
    }
    return true;
}

bool lf__gzip_can(void)
{
    return true;
}

bool lf__gzip(lf__buf *out, const lf__text *texts, size_t count)
{
    z_stream stream = {.zalloc = gzip_alloc, .zfree = gzip_free};
    size_t before = out->length;
    if (deflateInit2(&stream, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    bool ok = count > 0;
    for (size_t i = 0; ok && i < count; i++) {
        stream.next_in = (const Bytef *)texts[i].at;
        stream.avail_in = (uInt)texts[i].size; /* of a body, which is far smaller than 4 GiB */
        ok = texts[i].size <= UINT32_MAX && gzip_run(&stream, out, i + 1 == count);
    }
    (void)deflateEnd(&stream);
    if (!ok)
        lf__buf_rewind(out, before);
    return ok;
}

#else

bool lf__gzip_can(void)
{
    return false;
}

bool lf__gzip(lf__buf *out, const lf__text *texts, size_t count)
{
    (void)out;
    (void)texts;
    (void)count;
    return false;
}

#endif
