#include "media.h"

bool lf__media_add_json(lf__buf *out, lf__text json, const char *media_type)
{
    (void)media_type;
    return lf__buf_add(out, json.at, json.size);
}

bool lf__media_add_token(lf__buf *out, const char *type, const void *bytes, size_t size, const char *source)
{
    (void)bytes;
    (void)size;
    LF__BUF_ADD(out, "@@@langfuseMedia:type=");
    lf__buf_add_text(out, type);
    LF__BUF_ADD(out, "|source=");
    lf__buf_add_text(out, source);
    return LF__BUF_ADD(out, "@@@");
}

const char *lf__media_sniff(const void *bytes, size_t size)
{
    (void)bytes;
    (void)size;
    return "application/octet-stream";
}
