#include "reply_head.h"

#include "../base/json.h"

#include <stdio.h>
#include <strings.h>

/* name of the header, key in the metadata */
static const char *const reply_head_kept[LF__HEAD_KEPT][2] = {
    {"x-request-id", "x_request_id"},       {"request-id", "request_id"},
    {"apim-request-id", "apim_request_id"}, {"x-litellm-response-cost", "x_litellm_response_cost"},
    {"retry-after", "retry_after"},
};

bool lf__reply_head_begins(const char *line, size_t size)
{
    return lf__text_begins((lf__text){line, size}, "HTTP/");
}

static bool reply_head_is(lf__text name, const char *wanted)
{
    return name.size == strlen(wanted) && strncasecmp(name.at, wanted, name.size) == 0;
}

/* A value that is longer is left out: half an id is none. */
static void reply_head_keep(char *out, size_t room, lf__text value)
{
    size_t size = value.size < room ? value.size : 0;
    memcpy(out, value.at, size);
    out[size] = '\0';
}

static void reply_head_read_status(lf__reply_head *head, lf__text line)
{
    *head = (lf__reply_head){.status = 0};
    (void)lf__text_take(&line, ' ');
    for (size_t i = 0; i < 3 && i < line.size && line.at[i] >= '0' && line.at[i] <= '9'; i++)
        head->status = head->status * 10 + (line.at[i] - '0');
}

static void reply_head_read_length(lf__reply_head *head, lf__text value)
{
    enum { DIGITS = 18 };
    head->length = 0;
    head->has_length = value.size > 0 && value.size <= DIGITS;
    for (size_t i = 0; i < value.size && head->has_length; i++) {
        head->has_length = value.at[i] >= '0' && value.at[i] <= '9';
        head->length = head->length * 10 + (uint64_t)(value.at[i] - '0');
    }
}

void lf__reply_head_line(lf__reply_head *head, const char *line, size_t size)
{
    if (lf__reply_head_begins(line, size)) {
        reply_head_read_status(head, (lf__text){line, size});
        return;
    }
    lf__text value = {line, size};
    lf__text name = lf__text_take(&value, ':');
    if (value.at == NULL)
        return;
    value = lf__text_trim(value, " \t\r\n");
    if (reply_head_is(name, "content-encoding"))
        reply_head_keep(head->encoding, sizeof head->encoding, reply_head_is(value, "identity") ? (lf__text){"", 0} : value);
    else if (reply_head_is(name, "transfer-encoding"))
        head->is_chunked = reply_head_is(value, "chunked");
    else if (reply_head_is(name, "content-length"))
        reply_head_read_length(head, value);
    for (int i = 0; i < LF__HEAD_KEPT; i++)
        if (reply_head_is(name, reply_head_kept[i][0]))
            reply_head_keep(head->kept[i], sizeof head->kept[i], value);
}

bool lf__reply_head_metadata(lf__buf *out, const lf__reply_head *head)
{
    size_t start = out->length;
    for (int i = 0; i < LF__HEAD_KEPT; i++) {
        const char *key = reply_head_kept[i][1], *value = head->kept[i];
        if (value[0] == '\0')
            continue;
        (void)(lf__json_string(out, key, strlen(key)) && lf__buf_add_char(out, ':') && lf__json_string(out, value, strlen(value)) &&
               lf__buf_add_char(out, ','));
    }
    return lf__buf_finish(out, start);
}
