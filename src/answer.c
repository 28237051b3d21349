#include "answer.h"

static bool answer_is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* A byte order mark comes before the blanks, if at all. */
static size_t answer_skip_blanks(const char *body, size_t size)
{
    size_t at = size >= 3 && memcmp(body, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    while (at < size && answer_is_blank(body[at]))
        at++;
    return at;
}

/* A protobuf message may begin like a page: a first field of 60 bytes is "\n<" and then the tag of a field in it, which is a
 * control character. */
bool lf__answer_is_page(const char *body, size_t size)
{
    size_t at = answer_skip_blanks(body, size);
    return at < size && body[at] == '<' && (at + 1 == size || (unsigned char)body[at + 1] >= 0x20 || answer_is_blank(body[at + 1]));
}
